"""The oracles of the exercises on graphs and time: what they take, and what they refuse."""

import math

import numpy as np
import pytest
import torch
from numpy import tanh as tanh_of_its_own

from helpers import exercises
from helpers.exercises import ExerciseFailed


def numpys(z):
    return torch.from_numpy(np.tanh(z.numpy()))


def maths(z):
    return torch.tensor([[math.tanh(entry) for entry in row] for row in z.tolist()], dtype=z.dtype).view(z.shape)


def exponentials(z):
    return 1 - 2 / (1 + (2 * z).exp())


def by_rounds(X, edge_index, W_hx, W_hh, b_h, tanh=torch.tanh):
    """N rounds over all nodes: the right states, each computed N times."""
    source, target = edge_index
    H = torch.zeros(len(X), len(b_h), dtype=X.dtype)
    for _ in range(len(X)):
        H = tanh(X @ W_hx.T + torch.zeros_like(H).index_add(0, target, H[source] @ W_hh.T) + b_h)
    return H


def by_levels(X, edge_index, W_hx, W_hh, b_h, tanh=torch.tanh):
    """All nodes that are ready at once."""
    source, target = edge_index
    M = torch.zeros(len(X), len(b_h), dtype=X.dtype)
    H, done = torch.zeros_like(M), torch.zeros(len(X), dtype=torch.bool)
    while not done.all():
        ready = ~done & (torch.bincount(target[~done[source]], minlength=len(X)) == 0)
        state = X[ready] @ W_hx.T + M[ready] + b_h
        H[ready], done = tanh(state), done | ready
        sends = ready[source]
        M.index_add_(0, target[sends], H[source[sends]] @ W_hh.T)
    return H


@pytest.mark.parametrize("tanh", [torch.tanh, torch.Tensor.tanh_, numpys, maths])
def test_a_sweep_may_go_by_levels_with_any_tanh(tanh, capsys):
    exercises.check("gnn/combining/sweep", lambda *args: by_levels(*args, tanh=tanh))
    assert capsys.readouterr().out == "gnn/combining/sweep: correct\n"


@pytest.mark.parametrize("tanh", [torch.tanh, torch.Tensor.tanh_, numpys, maths])
def test_rounds_over_the_whole_graph_are_no_sweep(tanh):
    with pytest.raises(ExerciseFailed, match="36 were seen to be computed: a sweep updates each once"):
        exercises.check("gnn/combining/sweep", lambda *args: by_rounds(*args, tanh=tanh))


@pytest.mark.parametrize("tanh", [exponentials, lambda z: torch.from_numpy(tanh_of_its_own(z.numpy()))])
@pytest.mark.parametrize("solution", [by_rounds, by_levels])
def test_states_that_cannot_be_counted_are_refused_with_a_hint(solution, tanh):
    with pytest.raises(ExerciseFailed, match=r"0 were seen to be computed: use torch.tanh"):
        exercises.check("gnn/combining/sweep", lambda *args: solution(*args, tanh=tanh))
    assert isinstance(np.tanh, np.ufunc) and math.tanh(0) == 0


def pull_of_the_frame_before(x_now, x_before, L, kappa, rho, gamma):
    return x_now + (1 - gamma) * (x_now - x_before) - kappa * L @ x_before - rho * x_before


def test_a_wrong_next_frame_is_told_which_frame_pulls():
    with pytest.raises(ExerciseFailed, match="pulls are those at x_now") as failure:
        exercises.check("gnn/combining/next_frame", pull_of_the_frame_before)
    assert "np.float64" not in str(failure.value)
