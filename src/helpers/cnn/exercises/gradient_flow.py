"""Oracles of the exercises on gradients through blocks and batch norm."""

import torch
from torch import nn

from helpers.exercises import expect


def image_norm_backward(candidate):
    """The gradient behind batch norm of images, against autograd."""
    generator = torch.Generator().manual_seed(0)
    for shape, epsilon in (((2, 1, 1, 1), 0.1), ((4, 3, 2, 5), 1e-5), ((1, 2, 3, 3), 1.0)):
        g, x = torch.randn(2, *shape, generator=generator, dtype=torch.double)
        w = torch.randn(shape[1], generator=generator, dtype=torch.double)
        leaf = (3 * x + 1).requires_grad_()
        y = nn.functional.batch_norm(leaf, None, None, w, training=True, eps=epsilon)
        (desired,) = torch.autograd.grad(y, leaf, g)
        hint = "The means are over images, height and width, a channel each; two of them are subtracted from g,"
        hint += " one of g and one of g times u, which goes with u. Both g and x stay with their own channel's w and v."
        expect(candidate, (g, leaf.detach(), w, epsilon), desired, atol=1e-10, says=hint)


def fold_batch_norm(candidate):
    """A convolution with batch norm at rest behind it as one convolution, against what the two say of unit images."""
    hint = "Each channel out has a factor of its own, w over the root of variance plus epsilon; it multiplies the mean,"
    hint += " too, which is subtracted before b is added."
    generator = torch.Generator().manual_seed(0)
    for (C_out, C, k), epsilon in (((1, 1, 1), 0.5), ((3, 2, 3), 1e-5), ((2, 4, 1), 0.1)):
        convolution, norm = nn.Conv2d(C, C_out, k, bias=False).double(), nn.BatchNorm2d(C_out, eps=epsilon).double()
        for vector in (norm.running_mean, norm.running_var, norm.weight.data, norm.bias.data):
            vector.copy_(torch.rand(C_out, generator=generator) + 0.5)
        W = torch.randn(C_out, C, k, k, generator=generator).double()
        convolution.weight.data = W
        both = nn.Sequential(convolution, norm.eval()).requires_grad_(False)
        size = C * k * k
        images = torch.cat([torch.zeros(1, size), torch.eye(size)]).double().view(-1, C, k, k)
        of_zero, *of_units = both(images).flatten(1)
        weights = torch.stack([y - of_zero for y in of_units], dim=1).view(C_out, C, k, k)
        arguments = W, norm.running_mean, norm.running_var, norm.weight.data, norm.bias.data, epsilon
        expect(candidate, arguments, (weights, of_zero), atol=1e-10, says=hint)


def branch_scale(candidate):
    """The scale of branches for which a squared gradient grows by a given factor, found by halving an interval.

    With weights of mean zero and variance 2 / n, one block takes the mean square q to q + scale² · 2 q.
    """
    hint = "One block multiplies the mean square by 1 + 2 α², and D of them by its D-th power."
    for D, a in ((1, 3.0), (1, 9.0), (4, 2.0), (27, 10.0), (200, 1.5)):
        low, high = 0.0, 10.0
        for _ in range(100):
            middle, square = (low + high) / 2, 1.0
            for _ in range(D):
                square += middle**2 * 2 * square
            low, high = (middle, high) if square < a else (low, middle)
        expect(candidate, (D, a), low, rtol=1e-9, says=hint)
