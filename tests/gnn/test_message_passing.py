"""The oracles of the exercises on message passing: what they take, and what they refuse."""

import pytest
import torch
from torch_geometric.utils import to_dense_adj

from helpers import exercises


def within(edge_index, num_nodes, node, k):
    A_tilde = to_dense_adj(edge_index, max_num_nodes=num_nodes)[0] + torch.eye(num_nodes)
    return torch.linalg.matrix_power(A_tilde, k)[node] > 0


def test_nodes_within_reach_are_bools():
    exercises.check("gnn/message_passing/k_hop", within)
    for kind in (torch.float64, torch.int64):
        with pytest.raises(exercises.ExerciseFailed, match=r"must hold bools, and holds .* the result is boolean"):
            exercises.check("gnn/message_passing/k_hop", lambda *args, kind=kind: within(*args).to(kind))
