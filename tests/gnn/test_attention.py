"""Behaviour and properties of helpers.gnn.layers.GraphAttention, and of the oracles of the chapter on attention."""

import math
from functools import partial

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch_geometric.nn import GATConv

from helpers.gnn.layers import GraphAttention
from oracles import tried


@st.composite
def graphs(draw, max_nodes=10):
    """A directed graph as (edge list [2, E], number of nodes): with loops, multiple edges and isolated nodes."""
    num_nodes = draw(st.integers(1, max_nodes))
    node = st.integers(0, num_nodes - 1)
    pairs = draw(st.lists(st.tuples(node, node), max_size=30))
    return torch.tensor(pairs, dtype=torch.long).reshape(-1, 2).T, num_nodes


seeds = st.integers(0, 2**31 - 1)
channels = st.integers(1, 4)


def layer(*args, dtype=torch.float64, **kwargs):
    attention = GraphAttention(*args, **kwargs).to(dtype)
    if attention.bias is not None:
        torch.nn.init.normal_(attention.bias)
    return attention


def copy_to_pyg(ours, theirs):
    theirs.lin.weight.data = ours.weight.detach().T.clone()
    theirs.att_src.data, theirs.att_dst.data = ours.att_src.detach()[None].clone(), ours.att_dst.detach()[None].clone()
    if ours.bias is not None:
        theirs.bias.data = ours.bias.detach().clone()
    return theirs


@settings(deadline=None)
@pytest.mark.parametrize(("dtype", "atol"), [(torch.float64, 1e-12), (torch.float32, 1e-5)])
@given(
    graph=graphs(),
    sizes=st.tuples(channels, channels),
    heads=channels,
    flags=st.tuples(*[st.booleans()] * 2),
    seed=seeds,
)
def test_layer_equals_pyg_forward_and_backward(dtype, atol, graph, sizes, heads, flags, seed):
    torch.manual_seed(seed)
    (edge_index, num_nodes), (concat, bias) = graph, flags
    ours = layer(*sizes, heads=heads, concat=concat, bias=bias, dtype=dtype)
    theirs = copy_to_pyg(ours, GATConv(*sizes, heads=heads, concat=concat, bias=bias).to(dtype))
    x = torch.randn(num_nodes, sizes[0], dtype=dtype, requires_grad=True)
    x_theirs = x.detach().clone().requires_grad_()
    out, desired = ours(x, edge_index), theirs(x_theirs, edge_index)
    upstream = torch.randn_like(out)
    out.backward(upstream)
    desired.backward(upstream)
    close = dict(rtol=atol, atol=atol)
    torch.testing.assert_close(out, desired, **close)
    torch.testing.assert_close(x.grad, x_theirs.grad, **close)
    torch.testing.assert_close(ours.weight.grad, theirs.lin.weight.grad.T, **close)
    torch.testing.assert_close(ours.att_src.grad, theirs.att_src.grad[0], **close)
    torch.testing.assert_close(ours.att_dst.grad, theirs.att_dst.grad[0], **close)
    if bias:
        torch.testing.assert_close(ours.bias.grad, theirs.bias.grad, **close)


@given(graphs(), channels, seeds)
def test_coefficients_equal_pyg_and_sum_to_one(graph, heads, seed):
    torch.manual_seed(seed)
    edge_index, num_nodes = graph
    ours, x = layer(3, 2, heads=heads), torch.randn(num_nodes, 3, dtype=torch.float64)
    theirs = copy_to_pyg(ours, GATConv(3, 2, heads=heads, bias=False).double())
    edges, alpha = ours.coefficients(x, edge_index)
    _, (edges_theirs, alpha_theirs) = theirs(x, edge_index, return_attention_weights=True)
    assert torch.equal(edges, edges_theirs)
    torch.testing.assert_close(alpha, alpha_theirs, rtol=0, atol=1e-12)
    total = torch.zeros(num_nodes, heads, dtype=torch.float64).index_add(0, edges[1], alpha)
    torch.testing.assert_close(total, torch.ones_like(total), rtol=0, atol=1e-12)


@given(graphs(), seeds)
def test_layer_is_equivariant(graph, seed):
    torch.manual_seed(seed)
    edge_index, num_nodes = graph
    attention, x = layer(3, 2, heads=2), torch.randn(num_nodes, 3, dtype=torch.float64)
    order = torch.randperm(num_nodes)  # new node i is old node order[i]
    relabelled = attention(x[order], order.argsort()[edge_index])
    torch.testing.assert_close(relabelled, attention(x, edge_index)[order], rtol=0, atol=1e-12)


@given(graphs(), seeds)
def test_loops_in_the_data_make_no_difference(graph, seed):
    torch.manual_seed(seed)
    edge_index, num_nodes = graph
    attention, x = layer(3, 2), torch.randn(num_nodes, 3, dtype=torch.float64)
    loops = torch.arange(num_nodes).expand(2, -1)
    with_loops = attention(x, torch.cat([loops, edge_index, loops], dim=1))
    torch.testing.assert_close(with_loops, attention(x, edge_index), rtol=0, atol=1e-12)


def test_a_node_that_no_other_sends_to_hears_itself():
    attention, x = layer(3, 2), torch.randn(3, 3, dtype=torch.float64)
    out = attention(x, torch.tensor([[0], [1]]))  # 0 -> 1, and 2 alone
    torch.testing.assert_close(out[[0, 2]], (x @ attention.weight)[[0, 2]])


def test_large_scores_neither_overflow_nor_vanish():
    attention, edge_index = layer(2, 2), torch.tensor([[0, 1, 2, 2], [1, 0, 0, 1]])
    attention.att_src.data *= 1e6
    attention.att_dst.data *= 1e6
    x = torch.randn(3, 2, dtype=torch.float64, requires_grad=True)
    out = attention(x, edge_index)
    out.sum().backward()
    assert out.isfinite().all() and x.grad.isfinite().all()


def test_parameters():
    shapes = {name: tuple(p.shape) for name, p in GraphAttention(3, 2, heads=4).named_parameters()}
    assert shapes == {"weight": (3, 8), "att_src": (4, 2), "att_dst": (4, 2)}
    assert GraphAttention(3, 2, heads=4, bias=True).bias.tolist() == [0.0] * 8
    assert GraphAttention(3, 2, heads=4, concat=False, bias=True).bias.tolist() == [0.0] * 2


@pytest.mark.parametrize(
    ("edge_index", "message"),
    [([[0, 3], [3, 0]], "from 0 to 2"), ([[0, -1], [-1, 0]], "from 0 to 2"), ([[0], [1], [0]], r"\[2, E\]")],
)
def test_layer_refuses(edge_index, message):
    with pytest.raises(ValueError, match=message):
        GraphAttention(3, 2)(torch.zeros(3, 3), torch.tensor(edge_index))


def test_edge_softmax_must_not_start_the_largest_score_at_zero():
    def edge_softmax(scores, target, num_nodes, start=0.0):
        largest = scores.new_full((num_nodes,), start).scatter_reduce(0, target, scores, "amax")
        weights = (scores - largest[target]).exp()
        return weights / scores.new_zeros(num_nodes).index_add(0, target, weights)[target]

    def exponentials(scores, target, num_nodes):
        return scores.exp() / scores.new_zeros(num_nodes).index_add(0, target, scores.exp())[target]

    tried(
        "gnn/attention/edge_softmax",
        partial(edge_softmax, start=-math.inf),
        (edge_softmax, "even if all are below zero"),
        (exponentials, "take off the largest of its scores first"),
        (lambda scores, *graph: exponentials(scores - scores.max(), *graph), "the largest of its scores"),
        (lambda scores, target, num_nodes: scores.softmax(dim=0), "One softmax per target"),
    )


def test_attending_takes_the_node_itself_the_halves_of_a_in_their_order_and_the_slope():
    def attend(i, neighbours, H, W, a, slope=0.2, with_itself=True, swap=False):
        Z, z = H[neighbours + [i] * with_itself] @ W, H[i] @ W
        pairs = torch.cat([Z, z.expand_as(Z)] if swap else [z.expand_as(Z), Z], dim=1)
        return torch.nn.functional.leaky_relu(pairs @ a, slope).softmax(dim=0) @ Z

    tried(
        "gnn/attention/attend",
        attend,
        (partial(attend, slope=0.01), "slope 0.2"),
        (partial(attend, with_itself=False), "hears itself"),
        (partial(attend, swap=True), "first half of a"),
        (lambda i, neighbours, H, W, a: (H[[*neighbours, i]] @ W).mean(dim=0), "one softmax over the scores"),
    )


def test_the_gradient_of_scores_takes_a_weighted_mean_for_each_target():
    def gradient(alpha, g, target, num_nodes, weighted=True):
        return alpha * (g - (target[:, None] == target).double() @ (alpha * g if weighted else g))

    def adding_once(alpha, g, target, num_nodes):
        mean = alpha.new_zeros(num_nodes)
        mean[target] += alpha * g
        return alpha * (g - mean[target])

    tried(
        "gnn/attention/edge_softmax_gradient",
        gradient,
        (lambda alpha, g, target, num_nodes: alpha * (g - alpha @ g), "over the edges of one target"),
        (lambda alpha, g, target, num_nodes: alpha * (1 - alpha) * g, "over the edges of one target"),
        (lambda alpha, g, *graph: gradient(alpha, g, *graph) / alpha, "stands in front once more"),
        (partial(gradient, weighted=False), "weighted with its alpha"),
        (adding_once, "index_add adds them all"),
    )


def test_the_hydrogens_share_is_that_of_all_of_them_beside_the_carbon():
    tried(
        "gnn/attention/hydrogen_share",
        lambda n, e_C, e_H: 1 - torch.tensor([e_C] + n * [e_H]).softmax(0)[0],
        (lambda n, e_C, e_H: 1 / (n + math.exp(e_C - e_H)), "all n hydrogens"),
        (lambda n, e_C, e_H: n * math.exp(e_H) / (n * math.exp(e_H)), "the carbon's own"),
        (lambda n, e_C, e_H: 1 / (1 + math.exp(e_C - e_H)), "all n hydrogens"),
        (lambda n, e_C, e_H: n / (n + math.exp(e_H - e_C)), "the higher e_H is"),
    )
