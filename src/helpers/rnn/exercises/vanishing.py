"""Oracles of the exercises on gradients that vanish and explode."""

import torch
from torch.autograd.functional import jacobian

from helpers.exercises import expect


def clip(candidate):
    """Clipping by the global norm, against ``torch.nn.utils.clip_grad_norm_``."""
    for shapes, max_norm in ((((3, 2), (4,)), 1.0), (((5,),), 0.5), (((2, 2), (2,), ()), 4.0), (((3,), (2,)), 1e3)):
        weights = [torch.zeros(shape, dtype=torch.float64) for shape in shapes]
        for number, weight in enumerate(weights):
            weight.grad = 10.0**number * torch.randn_like(weight)
        given = [weight.grad.clone() for weight in weights]
        torch.nn.utils.clip_grad_norm_(weights, max_norm)
        hint = "One norm of all tensors together, one factor for all; what is short enough stays as it is."
        # torch divides by the norm plus 1e-6
        expect(candidate, (given, max_norm), tuple(weight.grad for weight in weights), rtol=1e-5, says=hint)


def steps_back(candidate):
    """From where on the terms of a geometric series have at most a share of its sum, by adding them up."""
    for q, share in ((0.5, 0.1), (0.5, 0.3), (0.9, 0.01), (0.9, 0.5), (0.99, 0.001), (0.2, 0.9)):
        terms = [q**k for k in range(10_000)]
        beyond, d = sum(terms), 0
        while beyond > share * sum(terms):
            beyond, d = beyond - terms[d], d + 1
        hint = "The terms from d steps back on sum to q^d / (1 − q), all of them to 1 / (1 − q): the least whole d."
        expect(candidate, (q, share), d, says=hint)


def leaky_jacobian(candidate):
    """The Jacobian of one step of a leaky unit by the state before, against autograd."""
    torch.set_default_dtype(torch.float64)  # as in the chapter: an identity of the reader's is then precise enough
    for H, leak in ((1, 0.5), (3, 0.1), (4, 0.9), (5, 1.0)):
        before, from_x, W_hh = (torch.randn(shape) for shape in ((H,), (H,), (H, H)))

        def step(state, leak=leak, from_x=from_x, W_hh=W_hh):
            return (1 - leak) * state + leak * torch.tanh(from_x + W_hh @ state)

        hint = "The step has two parts, and the slope is that of the tanh, whose value is not the state h."
        desired = jacobian(step, before)
        expect(candidate, (before, step(before), leak, W_hh), desired, atol=1e-10, says=hint)
