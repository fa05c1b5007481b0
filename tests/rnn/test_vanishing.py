"""The oracles of the exercises on gradients that vanish and explode."""

import math

import torch

from oracles import tried


def global_norm(gradients):
    return torch.cat([gradient.flatten() for gradient in gradients]).norm()


def test_clipping_has_one_factor_for_all():
    hint = "One norm of all tensors together"
    tried(
        "rnn/vanishing/clip",
        lambda gradients, m: [g * torch.clamp(m / global_norm(gradients), max=1) for g in gradients],
        (lambda gradients, m: [g.clamp(-m, m) for g in gradients], hint),
        (lambda gradients, m: [g * min(1, m / g.norm()) for g in gradients], hint),
        (lambda gradients, m: [g * m / global_norm(gradients) for g in gradients], hint),
    )


def test_a_share_is_that_of_all_terms_from_there_on():
    hint = "the least whole d"
    tried(
        "rnn/vanishing/steps_back",
        lambda q, share: next(d for d in range(10_000) if q**d <= share),
        (lambda q, share: math.floor(math.log(share) / math.log(q)), hint),
        (lambda q, share: math.ceil(math.log(share) / math.log(q)) + 1, hint),
        (lambda q, share: math.ceil(math.log(share * (1 - q)) / math.log(q)), hint),
    )


def test_a_leak_has_a_slope_of_its_own():
    def right(before, h, leak, W_hh):
        c = (h - (1 - leak) * before) / leak
        return (1 - leak) * torch.eye(len(h)) + leak * (1 - c**2)[:, None] * W_hh

    def slope_of_the_state(before, h, leak, W_hh):
        return (1 - leak) * torch.eye(len(h)) + leak * (1 - h**2)[:, None] * W_hh

    def columns(before, h, leak, W_hh):
        c = (h - (1 - leak) * before) / leak
        return (1 - leak) * torch.eye(len(h)) + leak * W_hh * (1 - c**2)

    def without_the_leak(before, h, leak, W_hh):
        return right(before, h, leak, W_hh) - (1 - leak) * torch.eye(len(h))

    hint = "The step has two parts"
    wrong = (slope_of_the_state, hint), (columns, hint), (without_the_leak, hint)
    tried("rnn/vanishing/leaky_jacobian", right, *wrong)
