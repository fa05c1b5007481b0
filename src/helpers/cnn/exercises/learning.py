"""Oracles of the exercises on pooling, and on layers that follow one another."""

import numpy as np
import torch
from torch.nn import functional as F

from helpers.exercises import expect


def composed(candidate):
    """The kernel that does what two do one after the other, read off from what these make of a single bright pixel."""
    generator = np.random.default_rng(0)
    for k, l in ((1, 2), (2, 2), (3, 3), (4, 2)):
        first, second = generator.standard_normal((k, k)), generator.standard_normal((l, l))
        side = k + l - 1
        pixels = torch.eye(side**2, dtype=torch.float64).reshape(-1, 1, side, side)
        both = F.conv2d(F.conv2d(pixels, torch.from_numpy(first)[None, None]), torch.from_numpy(second)[None, None])
        hint = "Pixel (a, b) of a window reaches the output with the sum of first[i, j] second[i', j'] over all"
        hint += " i + i' = a and j + j' = b."
        expect(candidate, (first, second), both.reshape(side, side), atol=1e-12, says=hint)


def max_pooling_backward(candidate):
    """The gradient of max pooling, windows that overlap and pixels that tie among them, against autograd."""
    generator = np.random.default_rng(0)
    for shape, k, s in (((1, 1, 4, 4), 2, 2), ((2, 3, 7, 6), 3, 2), ((2, 2, 5, 6), 2, 1), ((1, 2, 8, 9), 2, 3)):
        for x in (generator.standard_normal(shape), generator.integers(0, 3, shape) * 1.0):
            t = torch.from_numpy(x).requires_grad_()
            z = F.max_pool2d(t, k, s)
            g = generator.standard_normal(z.shape)
            hint = "The largest pixel of each window gets all of its g, the first of them where several are equal,"
            hint += " and the sum where it wins several windows."
            expect(candidate, (g, x, k, s), torch.autograd.grad(z, t, torch.from_numpy(g))[0], atol=1e-12, says=hint)


def average_weights(candidate):
    """The weights with which a convolution pools, read off from what torch's pooling makes of single bright pixels."""
    for C, k in ((1, 1), (1, 2), (3, 2), (2, 3)):
        pixels = torch.eye(C * k * k, dtype=torch.float64).reshape(-1, C, k, k)
        desired = F.avg_pool2d(pixels, k).reshape(C, k, k, C).permute(3, 0, 1, 2)
        hint = "Filter f has 1 / k² at each of the k² places of its channel f, and 0 in all other channels."
        expect(candidate, (C, k), desired, atol=1e-12, says=hint)
