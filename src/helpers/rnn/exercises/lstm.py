"""Oracles of the exercises on the LSTM."""

import math

import torch
from scipy.optimize import brentq
from torch import nn

from helpers.exercises import ExerciseFailed, expect

SIZES = ((1, 1, 1, 1), (4, 3, 2, 5), (7, 1, 6, 3))  # T, B, E, H


def parameter_count(candidate):
    """What PyTorch's modules count, less the second bias of each of their layers."""
    for sizes in ((1, 1, 1, 1), (7, 5, 3, 1), (7, 5, 3, 2), (2, 4, 6, 3)):
        n_input, n_hidden, n_output, layers = sizes
        modules = nn.LSTM(n_input, n_hidden, layers), nn.Linear(n_hidden, n_output)
        count = sum(p.numel() for module in modules for p in module.parameters()) - 4 * n_hidden * layers
        hint = "One bias per gate and cell, and one per score; layers above the first read N_hidden numbers."
        expect(candidate, sizes, count, says=hint)


def bias_for_half_life(candidate):
    """The root of sigm(b)ⁿ = 1/2, found by a search."""
    for n in (1, 2, 10, 1000):
        bias = brentq(lambda b, n=n: (1 + math.exp(-b)) ** -n - 0.5, -1, 20, xtol=1e-13)
        hint = "sigm(b) multiplied n times with itself is to be 1/2."
        expect(candidate, (n,), bias, atol=1e-7, says=hint)


def StackedLSTM(candidate):
    """nn.LSTM with the candidate's weights; and how these begin."""
    start = dict(candidate(30, 100).named_parameters())
    shapes = {"W_x": [400, 30], "W_h": [400, 100], "b": [400]}
    if {name: list(p.shape) for name, p in start.items()} != shapes:
        found = {name: list(p.shape) for name, p in start.items()}
        raise ExerciseFailed(f"with E = 30 and H = 100 its parameters are to be {shapes}, and are {found}")
    rest = start["b"].detach() - torch.eye(4)[1].repeat_interleave(100)
    for name, weight in {"W_x": start["W_x"], "W_h": start["W_h"], "b, less 1 for the forget gates,": rest}.items():
        if not (weight.abs().max() <= 0.1 + 1e-6 and abs(weight.std() - 0.1 / 3**0.5) < 0.006):
            hint = "uniform between −0.1 and 0.1 with H = 100; the forget gates are the second quarter"
            raise ExerciseFailed(f"{name} is not as it should start: {hint}")
    for T, B, E, H in SIZES:
        layer, theirs = candidate(E, H).double(), nn.LSTM(E, H).double()
        weights = {"weight_ih_l0": layer.W_x, "weight_hh_l0": layer.W_h, "bias_ih_l0": layer.b}
        theirs.load_state_dict({"bias_hh_l0": 0 * layer.b} | weights)
        x, h, c = torch.randn(T, B, E).double(), torch.randn(B, H).double(), torch.randn(B, H).double()
        states, (_, c_T) = theirs(x, (h[None], c[None]))

        def stacked_lstm(x, h, c, layer=layer):
            return layer(x, h, c)

        hint = "The gates stand in the order i, f, g, o, and c goes on from step to step."
        expect(stacked_lstm, (x, h, c), (states, c_T[0]), atol=1e-10, says=hint)
        wanted = torch.autograd.grad(states.square().sum(), list(theirs.parameters()))[:3]
        total = layer(x, h, c)[0].square().sum()
        for name, weight, desired in zip(shapes, (layer.W_x, layer.W_h, layer.b), wanted, strict=True):
            found = torch.autograd.grad(total, weight, retain_graph=True, allow_unused=True)[0]
            if found is None or not torch.allclose(found, desired):
                raise ExerciseFailed(f"the gradient does not reach {name} as it should: is something detached?")
