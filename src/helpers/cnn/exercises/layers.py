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


def layer_matrix(candidate):
    """The matrix of a layer of one channel and one filter, as autograd says how it moves with each pixel."""
    generator = np.random.default_rng(0)
    for (k, l), shape, s, p in (((2, 2), (3, 3), 1, 0), ((3, 2), (4, 5), 1, 1), ((2, 3), (5, 6), 2, 2)):
        w = generator.standard_normal((k, l))

        def layer(x, w=w, s=s, p=p):
            return F.conv2d(x[None, None], torch.from_numpy(w)[None, None], stride=s, padding=p)[0, 0]

        by_place = torch.autograd.functional.jacobian(layer, torch.zeros(shape, dtype=torch.float64))
        desired = by_place.reshape(-1, shape[0] * shape[1])
        hint = "A row for each place of the output, a column for each pixel of the image before it is padded, both"
        hint += (
            " row by row: column n is what the layer makes of an image that is 1 at pixel n; the kernel is not turned."
        )
        expect(candidate, (w, shape, s, p), desired, atol=1e-12, says=hint)
