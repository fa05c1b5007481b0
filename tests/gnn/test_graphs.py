"""The small graphs of the chapters: which way an edge runs, and what kinds of graphs a claim is tried on."""

import networkx as nx
import pytest
import torch
from torch_geometric.utils import to_dense_adj

from helpers.gnn import graphs


def test_row_i_says_from_whom_i_hears():
    one_way = nx.DiGraph()
    one_way.add_nodes_from(range(3))
    one_way.add_edge(0, 2, weight=5.0)  # 0 → 2: only 2 hears, and an edge counts once
    assert graphs.dense(one_way).nonzero().tolist() == [[2, 0]]
    assert graphs.dense(one_way).sum() == 1
    assert graphs.neighbourhoods(graphs.dense(one_way)) == [[0], [1], [0, 2]]


def test_the_club_is_undirected_and_has_a_labelled_member_of_each_community():
    club, A = graphs.karate_club()
    torch.testing.assert_close(A, to_dense_adj(club.edge_index)[0].to(A.dtype).T)
    assert torch.equal(A, A.T) and A.sum() == 2 * 78
    assert sorted(club.y[club.train_mask].tolist()) == [0, 1, 2, 3]


@pytest.mark.parametrize("probability", [0, 0.3, 1])
def test_a_random_graph_is_undirected_without_loops(probability):
    torch.manual_seed(0)
    A = graphs.random_graph(40, probability)
    assert torch.equal(A, A.T) and not A.diagonal().any()
    assert A.sum() / (40 * 39) == pytest.approx(probability, abs=0.05)


def test_the_assorted_graphs_hold_the_cases_at_the_edge():
    found = graphs.assorted()
    degrees = [A.sum(dim=1) for A in found]
    assert any(len(A) == 1 for A in found)
    assert any(len(A) > 1 and not A.any() for A in found)
    assert any(d.min() < d.max() for d in degrees)
    assert any((d == len(d) - 1).all() and len(d) > 1 for d in degrees)
    assert torch.equal(found[-1], graphs.karate_club()[1])
    for A in found:
        assert A.dtype == torch.get_default_dtype() and torch.equal(A, A.T)
