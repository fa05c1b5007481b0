"""The oracles of the exercises on the best forecast: what they take, and what they refuse."""

import torch

from oracles import tried


def fill_in(Sigma, seen, lost, y_seen):
    weights = torch.linalg.inv(Sigma[seen][:, seen]) @ Sigma[seen][:, lost]
    return y_seen @ weights, Sigma.diagonal()[lost] - (Sigma[seen][:, lost] * weights).sum(dim=0)


def test_lost_numbers_are_guessed_from_all_seen_ones_together():
    def each_by_itself(Sigma, seen, lost, y_seen):
        weights = Sigma[seen][:, lost] / Sigma.diagonal()[seen][:, None]
        return y_seen @ weights, Sigma.diagonal()[lost] - (Sigma[seen][:, lost] * weights).sum(dim=0)

    def without_an_inverse(Sigma, seen, lost, y_seen):
        weights = Sigma[seen][:, lost]
        return y_seen @ weights, Sigma.diagonal()[lost] - (weights * weights).sum(dim=0)

    tried(
        "gnn/forecast/fill_in",
        fill_in,
        (each_by_itself, "Seen numbers overlap"),
        (without_an_inverse, "solve with the whole block"),
        (lambda Sigma, seen, lost, y: (fill_in(Sigma, seen, lost, y)[0], Sigma.diagonal()[lost]), "less w · c"),
        (lambda Sigma, seen, lost, y: fill_in(Sigma, sorted(seen), lost, y), "Seen numbers overlap"),
        (lambda *args: fill_in(*args)[0], "2 values"),
    )


def test_two_cameras_count_by_their_variances():
    def one_camera(y_1, y_2, q_1, q_2, power=-2):
        counts = q_1**power, q_2**power
        return (counts[0] * y_1 + counts[1] * y_2) / sum(counts), sum(counts) ** (1 / power)

    def mean(y_1, y_2, q_1, q_2):
        return (y_1 + y_2) / 2, (q_1**2 + q_2**2) ** 0.5 / 2

    tried(
        "gnn/forecast/one_camera",
        one_camera,
        (mean, "counts by one over its variance"),
        (lambda *args: one_camera(*args, power=-1), "one over its variance q²"),
        (lambda y_1, y_2, q_1, q_2: one_camera(y_1, y_2, q_2, q_1), "one over its variance"),
        (lambda *args: (one_camera(*args)[0], one_camera(*args)[1] ** 2), "add up to that of the one"),
    )
