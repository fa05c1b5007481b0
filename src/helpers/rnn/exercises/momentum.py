"""Oracles of the exercises on steps and momentum."""

import numpy as np
import torch
from torch.autograd.functional import jacobian

from helpers.exercises import expect


def nesterov_limit(candidate):
    """The rate up to which ``torch.optim.SGD(nesterov=True)`` is stable on one curvature, by halving an interval."""
    for curvature, beta in ((1.0, 0.1), (1.0, 0.9), (20.0, 0.5), (0.3, 0.99)):
        low, high = 0.0, 4 / curvature
        for _ in range(40):
            middle = (low + high) / 2
            stable = np.abs(np.linalg.eigvals(_nesterov_step(curvature, beta, middle))).max() < 1
            low, high = (middle, high) if stable else (low, middle)
        hint = "Both roots of r² − trace·r + determinant must lie inside the circle: at r = −1 it is positive."
        expect(candidate, (curvature, beta), low, rtol=1e-6, says=hint)


def steps_to(candidate):
    """How many factors of the best rule leave at most a share, one after the other."""
    for share, kappa, with_momentum in ((0.01, 20, False), (0.01, 20, True), (0.5, 3.0, False), (1e-3, 1e4, True)):
        if with_momentum:
            rate, beta = 4 / (1 + kappa**0.5) ** 2, ((kappa**0.5 - 1) / (kappa**0.5 + 1)) ** 2
            rules = [[[1 - rate * x, -rate * beta], [x, beta]] for x in (1, kappa)]
        else:
            rules = [[[1 - 2 / (1 + kappa) * x]] for x in (1, kappa)]
        factor = max(np.abs(np.linalg.eigvals(rule)).max() for rule in rules)
        steps, left = 0, 1.0
        while left > share:
            steps, left = steps + 1, left * factor
        hint = (
            "The factor is (r − 1)/(r + 1), with κ for r, or its root with momentum; the least whole number of steps."
        )
        expect(candidate, (share, kappa, with_momentum), steps, says=hint)


def momentum_floor(candidate):
    """The variance of the weight under momentum in the long run, from autograd by each step's noise."""
    torch.set_default_dtype(torch.float64)
    for eta, beta, curvature, q in ((0.3, 0.0, 1.0, 1.0), (0.1, 0.9, 2.0, 0.5), (1.2, 0.5, 2.0, 1.0)):

        def end(noise, eta=eta, beta=beta, curvature=curvature):
            w, v = torch.zeros(()), torch.zeros(())
            for xi in noise:
                v = beta * v + curvature * w + xi
                w = w - eta * v
            return w

        desired = (jacobian(end, torch.zeros(500)) ** 2).sum().item() * q**2
        hint = "Two equations for V and the covariance of neighbours; without momentum it is that of SGD."
        expect(candidate, (eta, beta, curvature, q), desired, rtol=1e-6, says=hint)


def _nesterov_step(curvature, beta, rate):
    """The matrix of one step of (weight, buffer), from what PyTorch does with (1, 0) and (0, 1)."""
    columns = []
    for at, buffer in ((1.0, 0.0), (0.0, 1.0)):
        weight = torch.nn.Parameter(torch.tensor([at], dtype=torch.float64))
        optimizer = torch.optim.SGD([weight], lr=rate, momentum=beta, nesterov=True)
        optimizer.state[weight]["momentum_buffer"] = torch.tensor([buffer], dtype=torch.float64)
        weight.grad = curvature * weight.detach()
        optimizer.step()
        columns.append([weight.item(), optimizer.state[weight]["momentum_buffer"].item()])
    return np.transpose(columns)
