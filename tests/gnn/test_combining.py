"""The oracles of the exercises on sequences as graphs: what they take, and what they refuse."""

import math
from functools import partial

import numpy as np
import pytest
import torch
from numpy import tanh as tanh_of_its_own

from helpers import exercises
from helpers.exercises import ExerciseFailed
from oracles import tried


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


def test_a_sweep_reads_edges_and_matrices_the_right_way_round():
    tried(
        "gnn/combining/sweep",
        by_levels,
        (lambda X, edges, *weights: by_levels(X, edges.flip(0), *weights), "when all that point to it are"),
        (lambda X, edges, W_hx, W_hh, b_h: by_levels(X, edges, W_hx, W_hh.T, b_h), "W_hh times"),
        (lambda X, edges, W_hx, W_hh, b_h: torch.tanh(X @ W_hx.T + b_h), "all that point to it"),
    )


def test_messages_go_both_ways_each_with_its_own_matrix_as_often_as_listed():
    def messages(H, edge_index, edge_type, Theta_out, Theta_in, forth=1, back=1):
        out = torch.zeros_like(H)
        for (j, i), r in zip(edge_index.T.tolist(), edge_type.tolist(), strict=True):
            out[i] += forth * H[j] @ Theta_out[r]
            out[j] += back * H[i] @ Theta_in[r]
        return out

    def adding_once(H, edge_index, edge_type, Theta_out, Theta_in):
        (source, target), out = edge_index, torch.zeros_like(H)
        out[target] += torch.einsum("ec,ecd->ed", H[source], Theta_out[edge_type])
        out[source] += torch.einsum("ec,ecd->ed", H[target], Theta_in[edge_type])
        return out

    tried(
        "gnn/combining/typed_messages",
        messages,
        (partial(messages, back=0), "both ways"),
        (lambda H, edges, kinds, Theta_out, Theta_in: messages(H, edges, kinds, Theta_in, Theta_out), "against it"),
        (lambda H, edges, kinds, *Theta: messages(H, edges, kinds, *(T.mT for T in Theta)), "h @ Theta"),
        (lambda H, edges, kinds, *Theta: messages(H, edges.flip(0), kinds, *Theta), "Theta_out along it"),
        (adding_once, "as often as it is listed"),
    )
