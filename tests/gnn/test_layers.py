"""Behaviour and properties of helpers.gnn.layers."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch_geometric.nn import GCNConv

from helpers.gnn.layers import GraphAttention, GraphConvolution, gcn_norm, glorot


@st.composite
def graphs(draw, max_nodes=12):
    """The edge list [2, E] of an undirected graph without loops, maybe with repeated edges, and its adjacency."""
    num_nodes = draw(st.integers(1, max_nodes))
    node = st.integers(0, num_nodes - 1)
    pairs = [(i, j) for i, j in draw(st.lists(st.tuples(node, node), max_size=30)) if i != j]
    edge_index = torch.tensor(pairs + [(j, i) for i, j in pairs], dtype=torch.long).reshape(-1, 2).T
    adjacency = torch.zeros(num_nodes, num_nodes, dtype=torch.float64)
    for i, j in edge_index.T.tolist():
        adjacency[i, j] += 1
    return edge_index, adjacency


seeds = st.integers(0, 2**31 - 1)
channels = st.integers(1, 5)


def layer(in_channels, out_channels, bias=True, dtype=torch.float64):
    convolution = GraphConvolution(in_channels, out_channels, bias=bias).to(dtype)
    if bias:
        torch.nn.init.normal_(convolution.bias)
    return convolution


@given(graphs())
def test_norm_is_the_triple_product(graph):
    _, A = graph
    A_tilde = A + torch.eye(len(A), dtype=A.dtype)
    root = torch.diag(A_tilde.sum(1) ** -0.5)
    torch.testing.assert_close(gcn_norm(A), root @ A_tilde @ root, rtol=0, atol=1e-14)


@given(graphs())
def test_norm_is_symmetric_with_spectral_norm_one(graph):
    A_hat = gcn_norm(graph[1])
    assert torch.equal(A_hat, A_hat.T)
    assert torch.linalg.matrix_norm(A_hat, ord=2).item() == pytest.approx(1, abs=1e-12)


@given(graphs(), seeds)
def test_norm_is_equivariant(graph, seed):
    _, A = graph
    order = torch.randperm(len(A), generator=torch.Generator().manual_seed(seed))
    torch.testing.assert_close(gcn_norm(A[order][:, order]), gcn_norm(A)[order][:, order], rtol=0, atol=1e-14)


def test_norm_of_weighted_edges_has_a_gradient():
    weights = torch.rand(5, 5, dtype=torch.float64, requires_grad=True)
    symmetric = lambda w: gcn_norm((w + w.T).fill_diagonal_(0))  # noqa: E731
    assert torch.autograd.gradcheck(symmetric, weights)


@pytest.mark.parametrize("dtype", [torch.int64, torch.bool, torch.float32])
def test_norm_of_one_edge(dtype):
    A_hat = gcn_norm(torch.tensor([[0, 1], [1, 0]]).to(dtype))
    assert A_hat.dtype == torch.float32
    torch.testing.assert_close(A_hat, torch.full((2, 2), 0.5))


@pytest.mark.parametrize(
    ("adjacency", "message"),
    [
        (torch.zeros(2, 3), r"square.*\[2, 3\]"),
        (torch.zeros(4), "square"),
        (torch.tensor([[0.0, 1.0], [0.0, 0.0]]), "not symmetric: edge 0, 1"),
        (torch.tensor([[0.0, 1.0], [1.0, 1.0]]), "self-loop at node 1"),
        (torch.tensor([[0.0, -1.0], [-1.0, 0.0]]), "not negative"),
        (torch.tensor([[0.0, torch.inf], [torch.inf, 0.0]]), "finite"),
        (torch.tensor([[0.0, torch.nan], [torch.nan, 0.0]]), "finite"),
        (torch.tensor([[0.0, 1j], [1j, 0.0]]), "real weights, and holds torch.complex64"),
    ],
)
def test_norm_refuses(adjacency, message):
    with pytest.raises(ValueError, match=message):
        gcn_norm(adjacency)


@settings(deadline=None)
@given(graphs(), channels, channels, st.booleans(), seeds)
def test_layer_equals_the_dense_form(graph, in_channels, out_channels, bias, seed):
    torch.manual_seed(seed)
    edge_index, A = graph
    convolution = layer(in_channels, out_channels, bias)
    x = torch.randn(len(A), in_channels, dtype=torch.float64)
    dense = gcn_norm(A) @ x @ convolution.weight + (convolution.bias if bias else 0)
    torch.testing.assert_close(convolution(x, edge_index), dense, rtol=0, atol=1e-12)


@settings(deadline=None)
@pytest.mark.parametrize(("dtype", "atol"), [(torch.float64, 1e-12), (torch.float32, 1e-5)])
@given(graph=graphs(), in_channels=channels, out_channels=channels, bias=st.booleans(), seed=seeds)
def test_layer_equals_pyg_forward_and_backward(dtype, atol, graph, in_channels, out_channels, bias, seed):
    torch.manual_seed(seed)
    edge_index, A = graph
    ours = layer(in_channels, out_channels, bias, dtype)
    theirs = GCNConv(in_channels, out_channels, bias=bias).to(dtype)
    theirs.lin.weight.data = ours.weight.detach().T.clone()
    if bias:
        theirs.bias.data = ours.bias.detach().clone()
    x = torch.randn(len(A), in_channels, dtype=dtype, requires_grad=True)
    x_theirs = x.detach().clone().requires_grad_()
    out, desired = ours(x, edge_index), theirs(x_theirs, edge_index)
    upstream = torch.randn_like(out)
    out.backward(upstream)
    desired.backward(upstream)
    close = dict(rtol=atol, atol=atol)
    torch.testing.assert_close(out, desired, **close)
    torch.testing.assert_close(x.grad, x_theirs.grad, **close)
    torch.testing.assert_close(ours.weight.grad, theirs.lin.weight.grad.T, **close)
    if bias:
        torch.testing.assert_close(ours.bias.grad, theirs.bias.grad, **close)


@given(graphs(), seeds)
def test_layer_is_equivariant(graph, seed):
    torch.manual_seed(seed)
    edge_index, A = graph
    convolution, x = layer(3, 2), torch.randn(len(A), 3, dtype=torch.float64)
    order = torch.randperm(len(A))  # new node i is old node order[i]
    relabelled = convolution(x[order], order.argsort()[edge_index])
    torch.testing.assert_close(relabelled, convolution(x, edge_index)[order], rtol=0, atol=1e-12)


def test_parameters():
    assert {name: tuple(p.shape) for name, p in GraphConvolution(3, 2).named_parameters()} == {"weight": (3, 2)}
    with_bias = GraphConvolution(3, 2, bias=True)
    assert torch.equal(with_bias.bias, torch.zeros(2))
    assert with_bias.weight.abs().max() <= (6 / 5) ** 0.5  # Glorot's bound


@pytest.mark.parametrize(
    ("edge_index", "message"),
    [
        ([[0], [1]], "both directions"),
        ([[0, 0, 1], [1, 1, 0]], "both directions"),
        ([[0, 1, 2], [1, 0, 2]], "self-loop at node 2"),
        ([[0, 3], [3, 0]], "from 0 to 2"),
        ([[0, -1], [-1, 0]], "from 0 to 2"),
        ([[0, 1], [1, 0], [0, 1]], r"\[2, E\]"),
    ],
)
def test_layer_refuses(edge_index, message):
    with pytest.raises(ValueError, match=message):
        GraphConvolution(3, 2)(torch.zeros(3, 3), torch.tensor(edge_index))


LAYERS = {"convolution": GraphConvolution, "attention": GraphAttention}


@pytest.mark.parametrize("kind", LAYERS)
@pytest.mark.parametrize("dtype", [torch.bool, torch.float32, torch.float64, torch.complex64])
def test_edges_that_are_no_whole_numbers_are_refused(kind, dtype):
    edge_index = torch.tensor([[0, 1], [1, 0]]).to(dtype)
    with pytest.raises(ValueError, match=f"must hold whole numbers, the nodes of each edge, and holds {dtype}"):
        LAYERS[kind](3, 2)(torch.zeros(2, 3), edge_index)


@pytest.mark.parametrize("kind", LAYERS)
@pytest.mark.parametrize("dtype", [torch.uint8, torch.int8, torch.int16, torch.int32, torch.uint16, torch.uint64])
def test_edges_of_any_whole_numbers_are_the_same(kind, dtype):
    torch.manual_seed(0)
    layer, x, edge_index = LAYERS[kind](3, 2), torch.randn(100, 3), torch.tensor([[0, 7, 99, 0], [7, 0, 0, 99]])
    torch.testing.assert_close(layer(x, edge_index.to(dtype)), layer(x, edge_index), rtol=0, atol=0)


@pytest.mark.parametrize(
    ("dtype", "num_nodes", "step"),
    [(torch.uint8, 31, 8), (torch.int16, 511, 128), (torch.int32, 131_071, 32_768)],
)
def test_one_way_edges_do_not_pass_because_numbers_wrap_around(dtype, num_nodes, step):
    """In the narrow type, source · num_nodes + target of one edge is target · num_nodes + source of the other."""
    edge_index = torch.tensor([[step, 1], [1 + step, 0]])
    there, back = (s * num_nodes + t for s, t in (edge_index.to(dtype), edge_index.flip(0).to(dtype)))
    assert set(there.tolist()) == set(back.tolist())
    with pytest.raises(ValueError, match="one lacks its reverse"):
        GraphConvolution(1, 1)(torch.zeros(num_nodes, 1), edge_index.to(dtype))


def test_weights_of_many_seeds_are_each_as_one_network_draws_its_own():
    torch.manual_seed(0)
    weights = glorot(2000, 3, 5)
    assert weights.shape == (2000, 3, 5)
    assert weights.abs().max() <= (6 / 8) ** 0.5  # the bound of xavier_uniform_ for 3 and 5, whatever the seeds
    assert weights.var().item() == pytest.approx(2 / 8, rel=0.05)
