"""Oracles of the exercises on how far and how deep message passing goes."""

import itertools

import networkx as nx
import torch
from torch_geometric.nn import SimpleConv
from torch_geometric.utils import to_dense_adj

from helpers.exercises import expect
from helpers.gnn.exercises.message_passing import ADDING, graphs
from helpers.gnn.layers import gcn_norm

REACH = (
    "From node {node} it takes {hops} hops to each node that can be reached (node: hops), and true are those at {k} or "
    "fewer, as bools. Start with the node alone; in each of the k rounds all that are reached tell their neighbours, "
    "and stay reached"
)


def k_hop(candidate):
    """The nodes within k hops, against breadth-first search in networkx."""
    for edge_index, num_nodes in graphs():
        graph = nx.Graph(edge_index.T.tolist())
        graph.add_nodes_from(range(num_nodes))
        for node, k in itertools.product(range(num_nodes), range(6)):
            desired = torch.zeros(num_nodes, dtype=torch.bool)
            desired[list(nx.single_source_shortest_path_length(graph, node, cutoff=k))] = True
            says = REACH.format(node=node, hops=nx.single_source_shortest_path_length(graph, node), k=k)
            expect(candidate, args=(edge_index, num_nodes, node, k), desired=desired, says=says)


def mean_aggregation(candidate):
    """The mean over a node and its neighbours, against PyG's ``SimpleConv``."""
    oracle = SimpleConv(aggr="mean", combine_root="self_loop")
    for edge_index, num_nodes in graphs():
        x = torch.randn(num_nodes, 3, generator=torch.Generator().manual_seed(num_nodes))
        says = f"The node itself is one of those that are averaged; {ADDING}"
        expect(candidate, args=(x, edge_index), desired=oracle(x, edge_index), atol=1e-6, says=says)


def layer_jacobian(candidate):
    """The Jacobian of tanh(Â H W), against autograd."""
    generator = torch.Generator().manual_seed(0)
    for edge_index, num_nodes in graphs():
        A_hat = gcn_norm(to_dense_adj(edge_index, max_num_nodes=num_nodes)[0].double())
        H = torch.randn(num_nodes, 3, dtype=torch.float64, generator=generator)
        W = torch.randn(3, 2, dtype=torch.float64, generator=generator)
        desired = torch.autograd.functional.jacobian(lambda h: torch.tanh(A_hat @ h @ W), H)  # noqa: B023
        says = "Entry [i, c, j, b] is the derivative of output c of node i with respect to input b of node j, and "
        says += "holds the slope of tanh at output c of node i"
        expect(candidate, args=(A_hat, H, W), desired=desired, atol=1e-12, says=says)
