"""Oracles of the exercises on rates for each weight."""

import torch

from helpers.exercises import expect


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
