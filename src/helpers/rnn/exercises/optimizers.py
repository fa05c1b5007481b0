"""Oracles of the exercises on optimizers."""

import numpy as np
import torch

from helpers.exercises import expect


def nesterov_limit(candidate):
    """The rate up to which ``torch.optim.SGD(nesterov=True)`` is stable on one curvature, by halving an interval."""
    for curvature, beta in ((1.0, 0.0), (1.0, 0.9), (20.0, 0.5), (0.3, 0.99)):
        low, high = 0.0, 4 / curvature
        for _ in range(40):
            middle = (low + high) / 2
            stable = np.abs(np.linalg.eigvals(_nesterov_step(curvature, beta, middle))).max() < 1
            low, high = (middle, high) if stable else (low, middle)
        hint = "Both roots of r² − trace·r + determinant must lie inside of the circle: its value at r = −1 is positive."
        expect(candidate, (curvature, beta), low, rtol=1e-6, says=hint)


def _nesterov_step(curvature, beta, rate):
    """The matrix of one step of (weight, buffer), from what PyTorch does with (1, 0) and (0, 1)."""
    columns = []
    for at, buffer in ((1.0, 0.0), (0.0, 1.0)):
        weight = torch.nn.Parameter(torch.tensor([at], dtype=torch.float64))
        optimizer = torch.optim.SGD([weight], lr=rate, momentum=max(beta, 1e-300), nesterov=True)
        optimizer.state[weight]["momentum_buffer"] = torch.tensor([buffer], dtype=torch.float64)
        weight.grad = curvature * weight.detach()
        optimizer.step()
        columns.append([weight.item(), optimizer.state[weight]["momentum_buffer"].item()])
    return np.transpose(columns)


def adam_weights(candidate):
    """The weights after each step of Adam with given gradients, against ``torch.optim.Adam``."""
    for steps, settings in ((1, (0.9, 0.999, 1e-8)), (2, (0.9, 0.999, 1e-8)), (7, (0.5, 0.8, 1e-2))):
        beta_1, beta_2, epsilon = settings
        w, gradients = torch.randn(3, dtype=torch.float64), torch.randn(steps, 3, dtype=torch.float64)
        options = {"lr": 0.1, "betas": (beta_1, beta_2), "eps": epsilon}
        desired = _path(torch.optim.Adam, w, gradients, **options)
        hint = f"There are {steps} gradients here. Of both means the first corrections divide by 1 − β, the k-th by "
        hint += "1 − β to the power k; ε is added to the root, and the squares are averaged, not the gradients squared."
        expect(candidate, (w, gradients, 0.1, beta_1, beta_2, epsilon), desired, atol=1e-10, says=hint)


def decayed_adam(candidate):
    """The weights after each step of Adam with decoupled weight decay, against ``torch.optim.AdamW``."""
    for steps, eta, zeta in ((1, 0.1, 0.0), (1, 0.1, 0.3), (2, 0.01, 1.0), (6, 0.2, 0.5)):
        w, gradients = torch.randn(3, dtype=torch.float64), torch.randn(steps, 3, dtype=torch.float64)
        desired = _path(torch.optim.AdamW, w, gradients, lr=eta, weight_decay=zeta)
        hint = "The decay takes ηζ times the weights as they were before the step, and enters neither of the means."
        expect(candidate, (w, gradients, eta, zeta), desired, atol=1e-10, says=hint)


def _path(optimizer, w, gradients, **options):
    """The weights after each step [steps, n]."""
    weight = torch.nn.Parameter(w.clone())
    optimizer, path = optimizer([weight], **options), []
    for gradient in gradients:
        weight.grad = gradient.clone()
        optimizer.step()
        path.append(weight.detach().clone())
    return torch.stack(path)
