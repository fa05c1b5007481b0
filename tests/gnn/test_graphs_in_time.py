"""The oracles of the exercises on graphs in time: what they take, and what they refuse."""

from functools import partial

import pytest
import torch

from helpers import exercises
from helpers.exercises import ExerciseFailed
from oracles import tried


def next_frame(x_now, x_before, L, kappa, kappa_0, nu, pulls=lambda x_now, x_before: x_now):
    pull = pulls(x_now, x_before)
    return x_now + (1 - nu) * (x_now - x_before) - kappa * L @ pull - kappa_0 * pull


def test_a_wrong_next_frame_is_told_which_frame_pulls():
    pull_of_the_frame_before = partial(next_frame, pulls=lambda x_now, x_before: x_before)
    tried(
        "gnn/graphs_in_time/next_frame",
        next_frame,
        (pull_of_the_frame_before, "pulls are those at x_now"),
        (lambda x, x_before, *constants: next_frame(x, x, *constants), "the velocity led there"),
        (lambda x, x_before, L, kappa, *rest: next_frame(x, x_before, L, -kappa, *rest), "pulls"),
        (lambda x, x_before, L, kappa, kappa_0, nu: next_frame(x, x_before, L, kappa, kappa_0, 1 - nu), "velocity"),
    )
    with pytest.raises(ExerciseFailed) as failure:
        exercises.check("gnn/graphs_in_time/next_frame", pull_of_the_frame_before)
    assert "np.float64" not in str(failure.value)


def test_news_hops_or_pauses_once_in_each_frame_in_the_order_of_time():
    def first_heard(A, i, j):
        """The first power of I + A, frame by frame, that has an entry from j to i."""
        product = torch.eye(A.shape[1], dtype=A.dtype)
        for t in range(len(A)):
            product = product + A[t] @ product
            if product[i, j]:
                return t
        return len(A)

    def by_the_edges_that_ever_were(A, i, j):
        return first_heard(A.sum(dim=0).expand(A.shape), i, j)

    def without_a_pause(A, i, j):
        heard = torch.eye(A.shape[1], dtype=A.dtype)[j]
        for t in range(len(A)):
            heard = A[t] @ heard
            if heard[i]:
                return t
        return len(A)

    def a_hop_late(A, i, j):
        silent = torch.zeros_like(A[:1])
        return first_heard(torch.cat([silent, A[:-1]]), i, j)

    tried(
        "gnn/graphs_in_time/first_heard",
        first_heard,
        (by_the_edges_that_ever_were, "once more in each frame"),
        (without_a_pause, "or pauses"),
        (a_hop_late, "once in frame 0"),
        (lambda A, i, j: first_heard(A.mT, i, j), "from j to i where"),
        (lambda A, i, j: first_heard(A.flip(0), i, j), "in each frame"),
    )
