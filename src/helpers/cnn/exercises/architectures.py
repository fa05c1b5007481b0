"""Oracles of the exercises on architectures."""

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from helpers.exercises import expect


def separable_counts(candidate):
    """Weights and multiply-adds of a separable convolution, against those of PyTorch's, counted as it runs."""
    hint = "The first part has one kernel for each of C channels, the second C · C' weights; all act at each place."
    for C, C_out, k, o in ((1, 1, 1, 1), (4, 6, 3, 5), (8, 2, 5, 7), (3, 16, 3, 1)):
        with torch.device("meta"):
            layers = nn.Sequential(
                nn.Conv2d(C, C, k, padding=k // 2, groups=C, bias=False), nn.Conv2d(C, C_out, 1, bias=False)
            )
            image = torch.empty(1, C, o, o)
        with FlopCounterMode(display=False) as counter:
            layers(image)
        weights = sum(p.numel() for p in layers.parameters())
        # The counter takes a multiply-add for two.
        expect(candidate, (C, C_out, k, o), (weights, counter.get_total_flops() // 2), says=hint)


def receptive_field(candidate):
    """The receptive field of a chain with holes in its kernels, against the pixels that move one output."""
    cases = {
        ((3, 1, 1),): "One layer of 3 sees 3.",
        ((3, 1, 2),): "A kernel of 3 with holes of 1 reaches from the first to the fifth pixel.",
        ((3, 2, 1), (3, 1, 1)): "Behind a stride of 2, neighbours are 2 pixels apart.",
        ((3, 1, 1), (3, 2, 1)): "A stride spreads the layers behind it, and not its own.",
        ((3, 2, 3), (3, 1, 2), (5, 3, 1)): "Holes widen a kernel, and do not move the outputs apart: strides alone do.",
        ((3, 1, 1), (3, 1, 2), (3, 1, 4), (3, 1, 8)): "Each layer adds twice its dilation.",
        ((1, 2, 5), (2, 1, 3)): "A kernel of 1 has no holes.",
    }
    for layers, hint in cases.items():
        expect(candidate, (list(layers),), _pixels_that_move(layers), says=hint)


def _pixels_that_move(layers):
    chain = nn.Sequential(*(nn.Conv1d(1, 1, k, stride=s, dilation=d, bias=False) for k, s, d in layers)).double()
    for layer in chain:
        nn.init.constant_(layer.weight, 1.0)
    x = torch.zeros(1, 1, 200, dtype=torch.double, requires_grad=True)
    chain(x)[0, 0, 0].backward()
    (places,) = x.grad[0, 0].nonzero(as_tuple=True)
    return int(places[-1] - places[0]) + 1


def copies_settings(candidate):
    """Rate and decay for copies of a layer, against torch.optim.SGD on the copies and on the folded layer."""
    hint = "Gradients sum to as many times G as there are copies: what does that say of the rate? And the decay counts"
    hint += " with the rate."
    for rate, decay, copies in ((0.1, 0.01, 49), (0.05, 0.2, 3), (0.1, 0.0, 4), (0.3, 0.1, 1)):
        # Where the decay is zero, rate and decay are as they are; else both paths are walked with what comes back.
        expect(candidate, (rate, decay, copies), _settings_by_walking(rate, decay, copies), rtol=1e-9, says=hint)


def _settings_by_walking(rate, decay, copies):
    """Two steps of the copies, each a number, tell their rate and decay: the path is linear in both.

    From the weights V and the gradient G, the folded layer's first step is −rate (G + decay V); that of the copies'
    sum is a line in V and G, too, with slopes that torch.optim.SGD gives for rate 1 and decay 1.
    """

    def first_step(weight, gradient, lr, weight_decay, number):
        weights = [nn.Parameter(torch.tensor(weight / number, dtype=torch.double)) for _ in range(number)]
        for each in weights:
            each.grad = torch.tensor(gradient, dtype=torch.double)
        torch.optim.SGD(weights, lr=lr, weight_decay=weight_decay, momentum=0.9).step()
        return sum(each.item() for each in weights) - weight

    by_gradient = first_step(0.0, 1.0, rate, 0.0, 1) / first_step(0.0, 1.0, 1.0, 0.0, copies)
    by_decay = first_step(1.0, 0.0, rate, decay, 1) / first_step(1.0, 0.0, by_gradient, 1.0, copies)
    return by_gradient, by_decay
