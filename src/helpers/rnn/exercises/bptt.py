"""Oracles of the exercises on backpropagation through time."""

import torch
from torch.nn.functional import cross_entropy

from helpers.exercises import expect


def smoothed_gradient(candidate):
    """The gradient of a cross-entropy with smoothed labels, against autograd through torch's own."""
    for K, epsilon in ((2, 0.0), (3, 0.1), (10, 0.3), (10, 1.0)):
        p, target = torch.randn(K, dtype=torch.float64, requires_grad=True), K // 2
        cross_entropy(p[None], torch.tensor([target]), label_smoothing=epsilon).backward()
        hint = "The smoothed target is 1 − ε + ε/K at the true class, ε/K at the others, and sums to one."
        expect(candidate, (p.detach(), target, epsilon), p.grad, atol=1e-12, says=hint)


def gradient_at_three(candidate):
    """The gradient of a loss at step 3 by W_hh, against autograd through the three steps."""
    for H, K in ((1, 2), (3, 3), (4, 2)):
        arguments, (_, desired) = _loss_at_the_end(3, H, K)
        hint = "Three uses, three outer products; the state of a use is the one before its step, and slopes are 1 − h²."
        expect(candidate, arguments, desired, atol=1e-12, says=hint)


def gradients_at_end(candidate):
    """The gradients of a loss at the last step by W_ph and W_hh, against autograd."""
    for T, H, K in ((1, 2, 3), (2, 1, 2), (3, 4, 2), (30, 3, 5)):
        arguments, desired = _loss_at_the_end(T, H, K)
        hint = f"T is {T} here. W_ph is used once, at the end; each use of W_hh adds an outer product with the state "
        hint += "before it, and on the way back a slope comes before the product with the transpose of W_hh."
        expect(candidate, arguments, desired, atol=1e-12, says=hint)


def start_gradient(candidate):
    """The gradient of the losses of all steps by the start, against autograd."""
    for T, H, K in ((1, 2, 3), (2, 1, 2), (5, 4, 3)):
        arguments, desired = _loss_of_all_steps(T, H, K)
        hint = (
            "Every step's loss reaches the start: add what it sends to its own state, then go one step further back, "
        )
        hint += "first through the slopes, then through the transpose of W_hh. The last product leads to h(0)."
        expect(candidate, arguments, desired, atol=1e-12, says=hint)


def _network(T, H, K):
    """A start [H] that is not zero, what inputs add [T, H], W_hh [H, H] and W_ph [K, H], in float64."""
    draw = torch.Generator().manual_seed(T + H)
    shapes = (H,), (T, H), (H, H), (K, H)
    start, inputs, W_hh, W_ph = (torch.randn(shape, generator=draw, dtype=torch.float64) for shape in shapes)
    return start.requires_grad_(), inputs / 2, W_hh.requires_grad_(), W_ph.requires_grad_()


def _unrolled(start, inputs, W_hh):
    """The states h(0) … h(T) [T + 1, H]."""
    h = [start]
    for from_x in inputs:
        h.append(torch.tanh(from_x + W_hh @ h[-1]))
    return torch.stack(h)


def _loss_of_all_steps(T, H, K):
    """What the candidate takes (h, dL_dp [T, K], W_hh, W_ph) and the gradient by the start."""
    start, inputs, W_hh, W_ph = _network(T, H, K)
    h = _unrolled(start, inputs, W_hh)
    p = h[1:] @ W_ph.T
    loss = cross_entropy(p, torch.arange(T) % K, reduction="sum")
    dL_dp, desired = torch.autograd.grad(loss, (p, start))
    return (h.detach(), dL_dp, W_hh.detach(), W_ph.detach()), desired


def _loss_at_the_end(T, H, K):
    """What the candidates take (h, dL_dp [K], W_hh, W_ph) and the gradients by W_ph and W_hh."""
    start, inputs, W_hh, W_ph = _network(T, H, K)
    h = _unrolled(start, inputs, W_hh)
    p = (W_ph @ h[-1])[None]
    dL_dp, *desired = torch.autograd.grad(cross_entropy(p, torch.tensor([0])), (p, W_ph, W_hh))
    return (h.detach(), dL_dp[0], W_hh.detach(), W_ph.detach()), tuple(desired)
