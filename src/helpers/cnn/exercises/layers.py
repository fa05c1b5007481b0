"""Oracles of the exercises on the layers of a convolutional network."""

import numpy as np
import torch
from torch.nn import functional as F

from helpers.exercises import expect

# Sizes of images and filters, stride and padding: no two sides alike, and windows that leave pixels.
CASES = (
    ((1, 1, 5, 5), (1, 1, 3, 3), 1, 0),
    ((2, 3, 6, 5), (4, 3, 2, 3), 1, 1),
    ((3, 2, 8, 7), (2, 2, 3, 2), 2, 1),
    ((2, 2, 9, 11), (3, 2, 2, 2), 3, 0),
)


def smallest_move(candidate):
    """The smallest move of a signal that moves the output of random layers by whole places, tried out one by one."""
    for strides in ([1], [2], [2, 2], [3, 2], [1, 4, 2]):
        kernels = [torch.randn(1, 1, 3, dtype=torch.float64) for _ in strides]
        x = torch.randn(1, 1, 120, dtype=torch.float64)

        def output(x, kernels=kernels, strides=strides):
            for kernel, stride in zip(kernels, strides, strict=True):
                x = F.conv1d(x, kernel, stride=stride)
            return x[0, 0]

        first = output(x)
        move = next(m for m in range(1, 120) if _holds(first[:6], output(x[:, :, m:])))
        hint = "Each layer asks its input to move by whole strides, and passes a move on divided by its stride."
        expect(candidate, (strides,), move, says=hint)


def _holds(end, start):
    """Whether ``end`` without its first entries is how ``start`` begins."""
    return any(torch.allclose(end[places:], start[: len(end) - places]) for places in (1, 2))


def convolution(candidate):
    """The forward pass of a batch, against torch."""
    generator = np.random.default_rng(0)
    for images, filters, s, p in CASES:
        x, w, b = (generator.standard_normal(shape) for shape in (images, filters, filters[:1]))
        desired = F.conv2d(*map(torch.from_numpy, (x, w, b)), stride=s, padding=p)
        hint = "Weight (i, j) lies on pixel (s u + i, s v + j) of the padded image: the kernel is not turned."
        if p:
            hint = f"Is the image padded with {p} rows and columns of zeros on each side? " + hint
        expect(candidate, (x, w, b, s, p), desired, atol=1e-10, says=hint)


def convolution_backward(candidate):
    """The gradients of a batch, against autograd."""
    generator = np.random.default_rng(0)
    for images, filters, s, p in CASES:
        x, w = (generator.standard_normal(shape) for shape in (images, filters))
        inputs = [torch.from_numpy(array).requires_grad_() for array in (x, w, np.zeros(filters[0]))]
        z = F.conv2d(*inputs, stride=s, padding=p)
        g = generator.standard_normal(z.shape)
        desired = torch.autograd.grad(z, inputs, torch.from_numpy(g))
        hint = "In this order: the gradient of x is that of the padded image without its rim, and pixels in several"
        hint += " windows get a sum; those of w and b are sums over places and images."
        expect(candidate, (g, x, w, s, p), tuple(desired), atol=1e-10, says=hint)


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
