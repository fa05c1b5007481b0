"""The oracles of the exercises on how far and how deep message passing goes."""

from functools import partial

import pytest
import torch
from torch_geometric.utils import to_dense_adj

from helpers import exercises
from oracles import tried


def within(edge_index, num_nodes, node, k):
    A_tilde = to_dense_adj(edge_index, max_num_nodes=num_nodes)[0] + torch.eye(num_nodes)
    return torch.linalg.matrix_power(A_tilde, k)[node] > 0


def test_nodes_within_reach_are_bools():
    exercises.check("gnn/depth/k_hop", within)
    for kind in (torch.float64, torch.int64):
        with pytest.raises(exercises.ExerciseFailed, match=r"must hold bools, and holds .* at 0 or fewer, as bools"):
            exercises.check("gnn/depth/k_hop", lambda *args, kind=kind: within(*args).to(kind))


def powers(edge_index, num_nodes, node, k):
    return torch.linalg.matrix_power(to_dense_adj(edge_index, max_num_nodes=num_nodes)[0], k)[node] > 0


def overwriting(edge_index, num_nodes, node, k):
    reached = torch.arange(num_nodes) == node
    for _ in range(k):
        reached[edge_index[1]] = reached[edge_index[0]].clone()
    return reached


def test_nodes_within_reach_are_not_those_at_the_end_of_a_walk():
    tried(
        "gnn/depth/k_hop",
        within,
        (powers, "and stay reached"),
        (overwriting, "and stay reached"),
        (lambda edges, size, node, k: within(edges, size, node, k + 1), "at 0 or fewer"),
        (lambda edges, size, node, k: within(edges, size, node, max(k, 1)), "Start with the node alone"),
        (lambda edges, size, node, k: within(edges, size, node, min(k, 3)), "at 4 or fewer"),
    )


def test_a_mean_is_over_neighbours_and_the_node_itself():
    def mean(x, edge_index, itself=1, divided=True):
        A = to_dense_adj(edge_index, max_num_nodes=len(x))[0] + itself * torch.eye(len(x))
        return A @ x / (A.sum(dim=1, keepdim=True) if divided else 1)

    def adding_to_each_once(x, edge_index):
        total = x.clone()
        total[edge_index[1]] += x[edge_index[0]]
        return total / (1 + torch.bincount(edge_index[1], minlength=len(x)))[:, None]

    tried(
        "gnn/depth/mean_aggregation",
        mean,
        (partial(mean, itself=0), "The node itself"),
        (partial(mean, divided=False), "averaged"),
        (lambda x, edges: (x + mean(x, edges, itself=0).nan_to_num()) / 2, "The node itself is one of those"),
        (adding_to_each_once, "adds only once"),
    )


def test_the_jacobian_of_a_layer_has_its_slope_and_the_order_of_its_indices():
    def jacobian(A_hat, H, W, slope=lambda z: 1 - z.tanh() ** 2, order=(0, 1, 2, 3)):
        linear = torch.kron(A_hat, W.T.contiguous()).reshape(len(H), W.shape[1], len(H), len(W))
        return (slope(A_hat @ H @ W)[:, :, None, None] * linear).permute(order)

    tried(
        "gnn/depth/layer_jacobian",
        jacobian,
        (partial(jacobian, slope=torch.ones_like), "the slope of tanh"),
        (partial(jacobian, slope=torch.tanh), "the slope of tanh"),
        (partial(jacobian, slope=lambda z: 1 - z**2), "the slope of tanh"),
        (partial(jacobian, order=(2, 3, 0, 1)), "Entry [i, c, j, b]"),
        (partial(jacobian, order=(0, 2, 1, 3)), "Entry [i, c, j, b]"),
    )
