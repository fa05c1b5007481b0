"""Layers on graphs: the graph convolution of Kipf and Welling (2017), and graph attention."""

import math

import torch
from torch import nn


def glorot(*shape):
    """Weights [..., in, out], uniform with the variance 2 / (in + out) of Glorot and Bengio (2010).

    Leading dimensions are networks side by side, one for each seed, which ``nn.init.xavier_uniform_`` would count in.
    """
    bound = math.sqrt(6 / (shape[-2] + shape[-1]))
    return bound * (2 * torch.rand(shape) - 1)


def gcn_norm(adjacency):
    """Return the propagation matrix Â = D̃^(−1/2) (A + I) D̃^(−1/2) of an undirected graph without self-loops.

    ``adjacency`` is A, a dense tensor [N, N] of edge weights (0 where there is no edge); D̃ is the diagonal matrix of
    the row sums of A + I, so a node without neighbours divides by 1. The result has shape [N, N] and A's
    floating-point dtype (the default one if A holds integers or bools). Equations 19 to 21 of the 2021 assignment.

    Raises ValueError when A is not square, is not symmetric, has self-loops, or holds complex, negative or non-finite
    weights.
    """
    if adjacency.ndim != 2 or adjacency.shape[0] != adjacency.shape[1]:
        raise ValueError(f"the adjacency matrix must be square, [N, N], and has shape {list(adjacency.shape)}")
    if adjacency.is_complex():
        raise ValueError(f"the adjacency matrix must hold real weights, and holds {adjacency.dtype}")
    if not adjacency.is_floating_point():
        adjacency = adjacency.to(torch.get_default_dtype())
    if not torch.isfinite(adjacency).all() or (adjacency < 0).any():
        raise ValueError("the adjacency matrix must hold finite weights that are not negative")
    if adjacency.diagonal().any():
        node = adjacency.diagonal().nonzero()[0].item()
        raise ValueError(f"the adjacency matrix has a self-loop at node {node}: the layer adds one to every node")
    if not torch.equal(adjacency, adjacency.T):
        i, j = (adjacency != adjacency.T).nonzero()[0].tolist()
        raise ValueError(f"the adjacency matrix is not symmetric: edge {i}, {j} differs from edge {j}, {i}")
    A_tilde = adjacency + torch.eye(len(adjacency), dtype=adjacency.dtype, device=adjacency.device)
    scale = A_tilde.sum(dim=1).rsqrt()  # the diagonal of D̃^(−1/2)
    return A_tilde * (scale[:, None] * scale)  # the outer product first: exactly symmetric


class GraphConvolution(nn.Module):
    """The linear part Â X W (+ b) of the graph convolution, equation 18 of the 2021 assignment, on an edge list.

    ``weight`` is W [in_channels, out_channels], Glorot uniform; ``bias`` is b [out_channels], zero at first, or None.
    On undirected graphs without self-loops the layer equals PyG's ``GCNConv`` (whose ``lin.weight`` is Wᵀ).
    The non-linearity σ is the caller's.
    """

    def __init__(self, in_channels, out_channels, bias=False):
        super().__init__()
        self.weight = nn.Parameter(torch.empty(in_channels, out_channels))
        self.bias = nn.Parameter(torch.zeros(out_channels)) if bias else None
        nn.init.xavier_uniform_(self.weight)

    def forward(self, x, edge_index):
        """Map the features ``x`` [N, in_channels] to [N, out_channels] over the edges ``edge_index`` [2, E].

        Each undirected edge stands twice, once a direction; an edge that is repeated counts as often as it stands.
        Raises ValueError for an edge without its reverse, a self-loop, or what is no index of a node.
        """
        num_nodes = len(x)
        edge_index = _undirected(edge_index, num_nodes)
        nodes = torch.arange(num_nodes, device=x.device)
        source, target = torch.cat([edge_index, nodes.expand(2, -1)], dim=1)  # Ã = A + I, [E + N] each
        scale = torch.bincount(target, minlength=num_nodes).to(x.dtype).rsqrt()  # d̃^(−1/2), [N]
        messages = (scale[source] * scale[target])[:, None] * (x @ self.weight)[source]  # [E + N, out_channels]
        out = messages.new_zeros(num_nodes, messages.shape[1]).index_add(0, target, messages)
        return out if self.bias is None else out + self.bias


def _undirected(edge_index, num_nodes):
    """The edges as :func:`_edges` gives them; raises ValueError for a self-loop or an edge without its reverse."""
    source, target = edge_index = _edges(edge_index, num_nodes)
    if (source == target).any():
        raise ValueError(f"edge_index has a self-loop at node {source[source == target][0]}: the layer adds its own")
    there, back = (source * num_nodes + target).sort().values, (target * num_nodes + source).sort().values
    if not torch.equal(there, back):
        raise ValueError("edge_index must hold each undirected edge in both directions, and one lacks its reverse")
    return edge_index


class GraphAttention(nn.Module):
    """Graph attention (GAT) on an edge list, equations 1 to 6 of Veličković et al. (2018) without their non-linearity.

    A node i sums Wᵀ h_j over the edges that arrive at it, each with its coefficient: the softmax, over these edges, of
    LeakyReLU(a_dst · Wᵀ h_i + a_src · Wᵀ h_j). ``heads`` such layers, each with its own weights, run side by side;
    their outputs stand one after the other (``concat``), or their mean is taken.

    ``weight`` is W [in_channels, heads · out_channels], the heads one after the other; ``att_src`` and ``att_dst`` are
    a_src and a_dst, [heads, out_channels]; all are Glorot uniform. ``bias`` has the size of the output, zero at first,
    or is None. The layer equals PyG's ``GATConv`` of the same names (whose ``lin.weight`` is Wᵀ, and whose ``att_src``
    and ``att_dst`` have a leading 1), and does with every graph what it does:

    - Self-loops are removed and one is added to each node, so those in the data make no difference, and a node that no
      other sends to hears itself with coefficient 1.
    - An edge runs from ``edge_index[0]`` to ``edge_index[1]``, and only its target hears its source.
    - An edge that stands m times counts m times in the sum, and m times in the softmax.
    """

    def __init__(self, in_channels, out_channels, heads=1, concat=True, negative_slope=0.2, bias=False):
        super().__init__()
        self.heads, self.concat, self.negative_slope = heads, concat, negative_slope
        self.weight = nn.Parameter(torch.empty(in_channels, heads * out_channels))
        self.att_src = nn.Parameter(torch.empty(heads, out_channels))
        self.att_dst = nn.Parameter(torch.empty(heads, out_channels))
        self.bias = nn.Parameter(torch.zeros(out_channels * (heads if concat else 1))) if bias else None
        for parameter in (self.weight, self.att_src, self.att_dst):
            nn.init.xavier_uniform_(parameter)

    def forward(self, x, edge_index):
        """Map ``x`` [N, in_channels] over ``edge_index`` [2, E] to [N, heads · out_channels], or [N, out_channels].

        Raises ValueError for an ``edge_index`` of another shape, or one that holds what is no index of a node.
        """
        (source, target), alpha, z = self._attend(x, edge_index)
        out = torch.zeros_like(z).index_add(0, target, alpha[:, :, None] * z[source])  # [N, heads, out_channels]
        out = out.flatten(start_dim=1) if self.concat else out.mean(dim=1)
        return out if self.bias is None else out + self.bias

    def coefficients(self, x, edge_index):
        """Return the edges without their loops, then N loops, [2, E'], and their coefficients, [E', heads]."""
        edges, alpha, _ = self._attend(x, edge_index)
        return edges, alpha

    def _attend(self, x, edge_index):
        num_nodes = len(x)
        edge_index = _edges(edge_index, num_nodes)
        nodes = torch.arange(num_nodes, device=x.device)
        edges = torch.cat([edge_index[:, edge_index[0] != edge_index[1]], nodes.expand(2, -1)], dim=1)
        source, target = edges
        z = (x @ self.weight).unflatten(1, (self.heads, -1))  # Wᵀ h, [N, heads, out_channels]
        by_source, by_target = (z * self.att_src).sum(dim=2), (z * self.att_dst).sum(dim=2)  # [N, heads]
        scores = nn.functional.leaky_relu(by_target[target] + by_source[source], self.negative_slope)
        return edges, _edge_softmax(scores, target, num_nodes), z


def _edge_softmax(scores, target, num_nodes):
    """The softmax of ``scores`` [E, heads] over the edges that share a ``target`` [E]."""
    row = target[:, None].expand_as(scores)
    largest = scores.new_full((num_nodes, scores.shape[1]), -torch.inf)
    largest = largest.scatter_reduce(0, row, scores.detach(), "amax")  # taken off, so that no exponential overflows
    weights = (scores - largest[target]).exp()
    return weights / torch.zeros_like(largest).index_add(0, target, weights)[target]


def _edges(edge_index, num_nodes):
    """``edge_index`` in 64 bits, in which products of indices fit; raises ValueError unless it is [2, E] nodes."""
    if edge_index.ndim != 2 or edge_index.shape[0] != 2:
        raise ValueError(f"edge_index must have shape [2, E], and has {list(edge_index.shape)}")
    if edge_index.dtype == torch.bool or edge_index.is_floating_point() or edge_index.is_complex():
        raise ValueError(f"edge_index must hold whole numbers, the nodes of each edge, and holds {edge_index.dtype}")
    edge_index = edge_index.long()
    if edge_index.numel() and not 0 <= edge_index.min() <= edge_index.max() < num_nodes:
        raise ValueError(f"edge_index must hold nodes from 0 to {num_nodes - 1}, the rows of x")
    return edge_index
