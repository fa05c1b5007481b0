"""Oracles of the exercises on message passing."""

import networkx as nx
import torch
from torch_geometric.nn.conv.gcn_conv import gcn_norm as pyg_gcn_norm

from helpers.exercises import expect

ADDING = "and out[target] += … adds only once to a node that stands in target often: index_add adds them all"


def graphs():
    """Undirected graphs as (edge list [2, E], number of nodes): sparse, dense, without edges; and a long path."""
    drawn = [nx.gnp_random_graph(*how) for how in ((6, 0.4, 0), (9, 0.15, 1), (12, 0.5, 2), (3, 0.0, 3))]
    for graph in (*drawn, nx.path_graph(7)):
        pairs = list(graph.to_directed().edges)
        yield torch.tensor(pairs, dtype=torch.long).reshape(-1, 2).T, len(graph)


def edge_norm(candidate):
    """The weights of Â on an edge list, against ``gcn_norm`` of PyG."""
    for edge_index, num_nodes in graphs():
        _, desired = pyg_gcn_norm(edge_index, num_nodes=num_nodes, dtype=torch.get_default_dtype())
        says = "First the E edges in their order, then the loops of nodes 0 to N − 1; each is one over the root"
        says += " of a product of two degrees, and the degrees are those of A + I"
        expect(candidate, args=(edge_index, num_nodes), desired=desired, atol=1e-6, says=says)


def neighbour_counts(candidate):
    """How many neighbours of each kind a node has, against counting them one by one."""
    for edge_index, num_nodes in graphs():
        kind = torch.randint(3, (num_nodes,), generator=torch.Generator().manual_seed(num_nodes))
        desired = torch.zeros(num_nodes, 3)
        for source, target in edge_index.T.tolist():
            desired[target, kind[source]] += 1
        one_hot = torch.eye(3)[kind]  # of the default dtype, like what a reader makes with torch.zeros
        says = f"A sum over the neighbours, and the node itself is not one of them; {ADDING}"
        expect(candidate, args=(one_hot, edge_index), desired=desired, says=says)
