"""Paths through the space of weights: of a rule that the book writes down, and of ``torch.optim``."""

import torch
from torch.nn.utils import parameters_to_vector


def descend(rule, gradient, w, steps, **settings):
    """The path of ``rule`` from ``w``, a tensor of any shape: w_0 … w_steps, stacked [steps + 1, …].

    ``rule(w, g, state, **settings)`` gives the weights after one step and its new state; the first state is 0.0.
    ``gradient(w)`` gives g, of the shape of ``w``.
    """
    path, state = [w], 0.0
    for _ in range(steps):
        w, state = rule(w, gradient(w), state, **settings)
        path.append(w)
    return torch.stack(path)


def torch_path(optimizer, loss, weights, steps, **settings):
    """The path of a class of ``torch.optim``, in one vector: w_0 … w_steps, one per row [steps + 1, n].

    ``weights`` is a list of n numbers in parameters, which are changed, and ``loss()`` the loss that they have now.
    """
    optimizer = optimizer(weights, **settings)
    path = [parameters_to_vector(weights).detach().clone()]
    for _ in range(steps):
        optimizer.zero_grad()
        loss().backward()
        optimizer.step()
        path.append(parameters_to_vector(weights).detach().clone())
    return torch.stack(path)
