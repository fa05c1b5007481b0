"""Oracles of the exercises on how long a network remembers."""

from itertools import pairwise, product

import torch
from torch import nn

from helpers.exercises import expect


def clipped_gradients(candidate):
    """The gradients of a recurrent network on digits, clipped, against ``nn.RNN`` and ``clip_grad_norm_``."""
    hint = (
        "The state starts at 0 and is asked once, after the last digit; the loss is the mean over the batch; "
        "one norm of all five gradients, one factor for all, and short ones stay as they are."
    )
    for T, B, H, max_norm in ((1, 2, 3, 1e3), (4, 5, 6, 0.1), (6, 3, 4, 1e-3), (5, 4, 8, 1e3)):
        cell, output = nn.RNN(1, H), nn.Linear(H, 10)
        nn.init.zeros_(cell.bias_hh_l0).requires_grad_(False)
        weights = [cell.weight_ih_l0, cell.weight_hh_l0, cell.bias_ih_l0, output.weight, output.bias]
        digits, target = torch.randint(10, (T, B)), torch.randint(10, (B,))
        states, _ = cell(digits.float()[..., None])
        nn.functional.cross_entropy(output(states[-1]), target).backward()
        nn.utils.clip_grad_norm_(weights, max_norm)
        desired = tuple(weight.grad for weight in weights)
        given = [weight.detach().clone().requires_grad_() for weight in weights]
        expect(candidate, (given, digits, target, max_norm), desired, rtol=1e-4, atol=1e-7, says=hint)


def zigzag(candidate):
    """The chance that successes and failures alternate, over all outcomes."""
    hint = "Sum over both orders: success first, and failure first."
    for chances in ([0.5, 0.5], [0.3, 0.9], [0.7, 0.9, 0.7, 0.5, 0.6], [0.0, 1.0, 0.0], [0.2, 0.4, 0.1, 0.8]):
        desired = 0.0
        for outcome in product((False, True), repeat=len(chances)):
            if all(one != next_one for one, next_one in pairwise(outcome)):
                chance = 1.0
                for p, success in zip(chances, outcome, strict=True):
                    chance *= p if success else 1 - p
                desired += chance
        expect(candidate, (chances,), desired, atol=1e-12, says=hint)
