"""The oracles of the exercises on where a network keeps a digit."""

import math

import torch

from oracles import tried


def sums(n, parts, largest=10):
    """All ways to write ``n`` as a sum of so many whole numbers from 1 on, the largest first."""
    if parts == 0:
        return [()] if n == 0 else []
    firsts = range(min(n, largest), 0, -1)
    return [(first, *rest) for first in firsts for rest in sums(n - first, parts - 1, first)]


def loss_of(sizes):
    return sum(n * math.log(n) for n in sizes) / 10


def nearest(among, loss):
    return min(among, key=lambda sizes: abs(loss_of(sizes) - loss))


def test_groups_are_as_many_as_the_accuracy_says():
    hint = "The accuracy counts the groups"
    anything = [sizes for parts in range(1, 11) for sizes in sums(10, parts)]
    tried(
        "rnn/remembering/group_sizes",
        lambda accuracy, loss: nearest(sums(10, round(10 * accuracy)), loss),
        (lambda accuracy, loss: nearest(anything, loss), hint),
        (lambda accuracy, loss: nearest(sums(10, round(10 * accuracy)), loss)[::-1], hint),
        (lambda accuracy, loss: nearest(sums(10, max(1, math.floor(10 * accuracy))), loss), hint),
    )


def memory(closes=-60.0, forget=40.0, written=20.0):
    W_x, W_h, b = torch.zeros(44, 10), torch.zeros(44, 11), torch.zeros(44)
    b[:11], b[11:22], b[33:] = 20.0, forget, 40.0
    W_h[:10, 10] = closes
    W_x[22:32] = written * torch.eye(10)
    b[32] = 20.0
    return W_x, W_h, b


def test_a_memory_lets_one_digit_in_and_keeps_it():
    tried(
        "rnn/remembering/remember",
        memory,
        (lambda: memory(closes=0.0), "input gates must close"),
        (lambda: memory(forget=1.0), "It fades"),
        (lambda: memory(written=0.0), "written at all"),
        (lambda: [weight[None] for weight in memory()], "are to have the shapes"),
    )
