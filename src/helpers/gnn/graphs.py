"""Small graphs as dense matrices, on which the chapters check what they claim.

An adjacency matrix is a tensor [N, N] of zeros and ones in the default floating-point type. Its row i says from whom
node i hears: entry (i, j) is 1 where an edge runs from j to i.
"""

import networkx as nx
import torch
from torch_geometric.datasets import KarateClub


def dense(graph):
    """The adjacency matrix of a networkx graph, directed or not, whose nodes are numbered as it lists them."""
    return torch.from_numpy(nx.to_numpy_array(graph, weight=None)).T.to(torch.get_default_dtype())


def karate_club():
    """Zachary's karate club (1977) as PyG ships it: its ``Data`` (``y``, ``train_mask``, …), and the matrix [34, 34].

    ``y`` holds the four communities of Kipf and Welling (2017); one member of each stands in ``train_mask``.
    """
    club = KarateClub()[0]
    A = torch.zeros(club.num_nodes, club.num_nodes)
    source, target = club.edge_index
    A[target, source] = 1
    return club, A


def random_graph(num_nodes, probability):
    """An undirected graph without loops, in which torch's generator joins each pair with this probability."""
    upper = torch.bernoulli(torch.full((num_nodes, num_nodes), float(probability))).triu(1)
    return upper + upper.T


def assorted():
    """Undirected graphs to try a claim on: one node, no edges, sparse and dense ones, all joined, and last the club."""
    sizes = ((1, 0.0), (4, 0.0), (6, 0.5), (12, 0.2), (20, 0.1), (30, 0.4))
    return [random_graph(*size) for size in sizes] + [dense(nx.complete_graph(9)), karate_club()[1]]


def neighbourhoods(A):
    """For each node the list of those whom it hears, in rising order, and then the node itself."""
    return [[*row.nonzero().flatten().tolist(), i] for i, row in enumerate(A)]
