"""The oracles of the exercises on message passing: what they take, and what they refuse."""

from functools import partial

import torch
from torch_geometric.utils import to_dense_adj

from oracles import tried


def test_the_weights_of_edges_take_both_degrees_with_loops_edges_first():
    def edge_norm(edge_index, num_nodes, loop=1, power=-0.5):
        loops = torch.arange(num_nodes)
        d = to_dense_adj(edge_index, max_num_nodes=num_nodes)[0].sum(dim=1) + loop
        source, target = torch.cat([edge_index, torch.stack([loops, loops])], dim=1)
        return (d[source] * d[target]) ** power

    tried(
        "gnn/message_passing/edge_norm",
        edge_norm,
        (partial(edge_norm, loop=0), "the degrees are those of A + I"),
        (partial(edge_norm, power=-1), "one over the root"),
        (lambda edges, size: edge_norm(edges, size).roll(size), "then the loops"),
        (lambda edges, size: edge_norm(edges, size)[: edges.shape[1]], "then the loops"),
        (
            lambda edges, size: edge_norm(edges, size)[-size:][torch.cat([edges[1], torch.arange(size)])],
            "a product of two degrees",
        ),
    )


def test_neighbours_are_counted_all_of_them_and_no_more():
    def counts(one_hot, edge_index):
        return torch.stack([one_hot[edge_index[0, edge_index[1] == i]].sum(dim=0) for i in range(len(one_hot))])

    def adding_to_each_once(one_hot, edge_index):
        out = torch.zeros_like(one_hot)
        out[edge_index[1]] += one_hot[edge_index[0]]
        return out

    tried(
        "gnn/message_passing/neighbour_counts",
        counts,
        (lambda h, edges: counts(h, edges) + h, "the node itself is not one"),
        (lambda h, edges: counts(h, edges) / counts(h, edges).sum(1, keepdim=True).clamp(min=1), "A sum over"),
        (lambda h, edges: counts(h, edges).clamp(max=1), "A sum over"),
        (adding_to_each_once, "adds only once"),
    )
