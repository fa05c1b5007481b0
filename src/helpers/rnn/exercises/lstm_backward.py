"""Oracles of the exercises on the LSTM's backward pass: autograd."""

import torch

from helpers.exercises import expect


def coupled_delta_f(candidate):
    """Autograd through c = f c_before + (1 − f) g."""
    generator = torch.Generator().manual_seed(0)
    for shape in ((1,), (3, 4)):
        delta_c, c_before, g, a = torch.randn(4, *shape, generator=generator, dtype=torch.float64)
        f = torch.sigmoid(a.requires_grad_())
        c = f * c_before + (1 - f) * g.tanh()
        (desired,) = torch.autograd.grad((delta_c * c).sum(), a)
        hint = "f enters twice, with c_before and, as 1 − f, with g; and f has a slope."
        expect(candidate, (delta_c, c_before, g.tanh(), f.detach()), desired, atol=1e-12, says=hint)


def peephole_delta_c(candidate):
    """Autograd through h = sigm(a + w c) tanh(c)."""
    generator = torch.Generator().manual_seed(0)
    for B, H in ((1, 1), (3, 4)):
        delta_h, c, a, from_next = torch.randn(4, B, H, generator=generator, dtype=torch.float64)
        w = torch.randn(H, generator=generator, dtype=torch.float64)
        o = torch.sigmoid(a + w * c.requires_grad_())
        (desired,) = torch.autograd.grad((delta_h * o * torch.tanh(c)).sum() + (from_next * c).sum(), c)
        hint = "c goes three ways: into the next cell, into h through tanh, and into h through the gate o."
        expect(candidate, (delta_h, c.detach(), o.detach(), w, from_next), desired, atol=1e-12, says=hint)
