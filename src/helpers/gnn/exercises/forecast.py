"""Oracles of the exercises on the best forecast."""

import numpy as np
import torch

from helpers.exercises import expect


def fill_in(candidate):
    """Lost numbers from seen ones, against the inverse covariance matrix of both together."""
    generator = np.random.default_rng(0)
    says = "Seen numbers overlap: solve with the whole block Sigma[seen][:, seen]; each error is Sigma_ii less w · c."
    for n, num_seen, num_lost in ((2, 1, 1), (5, 2, 3), (9, 5, 2)):
        B = generator.normal(size=(n, n))
        Sigma = B @ B.T + np.eye(n)
        seen, lost = np.split(generator.permutation(n)[: num_seen + num_lost], [num_seen])
        both = [*seen, *lost]
        Omega = np.linalg.inv(Sigma[np.ix_(both, both)])  # of the normal density of both
        spread = np.linalg.inv(Omega[num_seen:, num_seen:])
        y = generator.normal(size=num_seen)
        desired = -spread @ Omega[num_seen:, :num_seen] @ y, np.diagonal(spread)
        args = torch.from_numpy(Sigma), seen.tolist(), lost.tolist(), torch.from_numpy(y)
        expect(candidate, args, desired, atol=1e-9, says=says)


def one_camera(candidate):
    """Two cameras as one, against the mean and variance of a height, given both, on a grid of heights."""
    generator = np.random.default_rng(0)
    heights = np.linspace(-40, 40, 200_001)
    says = "A camera counts by one over its variance q², and the two counts add up to that of the one."
    for _ in range(3):
        (y_1, y_2), (q_1, q_2) = generator.normal(size=2).tolist(), generator.uniform(0.3, 2, size=2).tolist()
        chance = np.exp(-(((y_1 - heights) / q_1) ** 2 + ((y_2 - heights) / q_2) ** 2) / 2)
        y = np.average(heights, weights=chance)
        q = np.average((heights - y) ** 2, weights=chance) ** 0.5
        expect(candidate, (y_1, y_2, q_1, q_2), (y, q), atol=1e-9, says=says)
