"""Oracles of the exercises on static and dynamic attention."""

import torch
from torch_geometric.nn import GATv2Conv
from torch_geometric.utils import to_dense_adj

from helpers.exercises import expect
from helpers.gnn.exercises.circulant import spares_matrices
from helpers.gnn.exercises.message_passing import graphs


def gatv2_by_edge(candidate):
    """GATv2 before σ on an edge list, against PyG's ``GATv2Conv``; scores up to some hundreds."""
    says = "The first matrix is for the target of an edge, the second for its source and for the messages; LeakyReLU"
    says += " (slope 0.2) comes before a; one softmax per target, in which the node itself counts, too; row 0 of"
    says += " edge_index sends, row 1 hears"
    for edge_index, num_nodes in graphs():
        for scale in (1, 300):
            oracle, H = GATv2Conv(3, 2, bias=False).double(), torch.randn(num_nodes, 3, dtype=torch.float64)
            one_way, W_dst, W_src = edge_index[:, ::2], oracle.lin_r.weight.detach().T, oracle.lin_l.weight.detach().T
            oracle.att.data *= scale
            args = one_way, H, W_dst, W_src, oracle.att.detach().flatten()
            expect(candidate, args, oracle(H, one_way).detach(), atol=1e-9, says=says)
    weights = torch.ones(2, 1), torch.ones(2, 1), torch.ones(1)
    hint = "Scores belong to edges: one for each of E + N, and softmax of torch_geometric.utils takes them by target."
    spares_matrices(candidate, lambda n: (_ring(n), torch.ones(n, 2), *weights), hint)


def _ring(n):
    return torch.stack([torch.arange(n), torch.arange(n).roll(1)])


def dot_product_attention(candidate):
    """Attention by scaled dot products over a directed graph, against torch's with a mask."""
    says = "Row i attends over the j with A[i, j] = 1, and over i; d is the width of Q"
    for edge_index, num_nodes in graphs():
        generator = torch.Generator().manual_seed(num_nodes)
        Q, K, V = torch.randn(num_nodes, 11, dtype=torch.float64, generator=generator).split([4, 4, 3], dim=1)
        A = to_dense_adj(edge_index[:, ::2], max_num_nodes=num_nodes)[0].double()
        desired = torch.nn.functional.scaled_dot_product_attention(Q, K, V, (A + torch.eye(num_nodes)).bool())
        expect(candidate, (Q, K, V, A), desired, atol=1e-12, says=says)
