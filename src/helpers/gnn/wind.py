"""Nets of knots and threads in the wind, and films of them by a camera that blurs.

Each thread is a spring, each knot moves up and down, and gusts push it. ``L`` is the Laplacian of a net, [N, N], or
one for each step of a film, [UNSEEN + frames, N, N]: threads may tear.
"""

import numpy as np
import torch
from matplotlib.tri import Triangulation

KAPPA, KAPPA_0 = 0.2, 0.05  # pull of a thread, and of the middle
NU = 0.05  # friction
Q_V, Q_Y = 0.2, 0.3  # standard deviations of gusts and of blur
UNSEEN = 40  # steps from rest before the camera runs


def mesh(rows, columns, rng):
    """A random net, a shaken and triangulated grid: where its knots are, [N, 2], and its Laplacian, [N, N]."""
    grid = np.indices((columns, rows)).reshape(2, -1).T
    places = (grid + rng.uniform(-0.35, 0.35, grid.shape)) / columns
    threads = torch.from_numpy(Triangulation(*places.T).edges).long()  # [E, 2]
    A = torch.zeros(len(grid), len(grid), dtype=torch.float64)
    A[threads[:, 0], threads[:, 1]] = A[threads[:, 1], threads[:, 0]] = 1
    return places, torch.diag(A.sum(dim=1)) - A


def nets(seed):
    """Four nets of 20 knots to train on, three of 30 knots to test on."""
    rng = np.random.default_rng(seed)
    return [mesh(4, 5, rng) for _ in range(4)], [mesh(5, 6, rng) for _ in range(3)]


def film(L, gusts, blur):
    """Heights of the knots and what the camera sees of them, [frames, ..., N] each.

    ``gusts`` [UNSEEN + frames, ..., N] and ``blur`` [frames, ..., N] are standard normal numbers.
    """
    x = v = torch.zeros_like(gusts[0])
    heights = []
    for L_t, gust in zip(L.expand(len(gusts), *L.shape[-2:]), gusts, strict=True):
        v = (1 - NU) * v - KAPPA * (x @ L_t) - KAPPA_0 * x + Q_V * gust  # L is symmetric
        x = x + v
        heights.append(x)
    x = torch.stack(heights[-len(blur) :])
    return x, x + Q_Y * blur


def shoot(L, frames, generator, films=()):
    """``film`` with wind and blur from the generator: one film, or ``films`` (a shape) of them side by side."""
    drawn = {"generator": generator, "dtype": torch.float64}
    shape = *films, L.shape[-1]
    return film(L, torch.randn(UNSEEN + frames, *shape, **drawn), torch.randn(frames, *shape, **drawn))
