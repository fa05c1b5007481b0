"""The oracles of the exercises on graphs and time: what they take, and what they refuse."""

import pytest
import torch

from helpers import exercises
from helpers.exercises import ExerciseFailed


def by_rounds(X, edge_index, W_hx, W_hh, b_h):
    """N rounds over all nodes: the right states, each computed N times."""
    source, target = edge_index
    H = torch.zeros(len(X), len(b_h), dtype=X.dtype)
    for _ in range(len(X)):
        H = torch.tanh(X @ W_hx.T + torch.zeros_like(H).index_add(0, target, H[source] @ W_hh.T) + b_h)
    return H


def by_levels(X, edge_index, W_hx, W_hh, b_h, in_place=False):
    """All nodes that are ready at once."""
    source, target = edge_index
    M = torch.zeros(len(X), len(b_h), dtype=X.dtype)
    H, done = torch.zeros_like(M), torch.zeros(len(X), dtype=torch.bool)
    while not done.all():
        ready = ~done & (torch.bincount(target[~done[source]], minlength=len(X)) == 0)
        state = X[ready] @ W_hx.T + M[ready] + b_h
        H[ready], done = state.tanh_() if in_place else state.tanh(), done | ready
        sends = ready[source]
        M.index_add_(0, target[sends], H[source[sends]] @ W_hh.T)
    return H


def in_place(*args):
    return by_levels(*args, in_place=True)


@pytest.mark.parametrize("solution", [by_levels, in_place])
def test_a_sweep_may_go_by_levels(solution, capsys):
    exercises.check("gnn/combining/sweep", solution)
    assert capsys.readouterr().out == "gnn/combining/sweep: correct\n"


def test_rounds_over_the_whole_graph_are_no_sweep():
    with pytest.raises(ExerciseFailed, match="36 were computed: a sweep updates each once"):
        exercises.check("gnn/combining/sweep", by_rounds)


def pull_of_the_frame_before(x_now, x_before, L, kappa, rho, gamma):
    return x_now + (1 - gamma) * (x_now - x_before) - kappa * L @ x_before - rho * x_before


def test_a_wrong_next_frame_is_told_which_frame_pulls():
    with pytest.raises(ExerciseFailed, match="pulls are those at x_now") as failure:
        exercises.check("gnn/combining/next_frame", pull_of_the_frame_before)
    assert "np.float64" not in str(failure.value)
