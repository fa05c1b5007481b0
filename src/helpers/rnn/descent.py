"""Paths through the space of weights: of a rule that the book writes down, and of ``torch.optim``."""

import torch
from matplotlib.patches import Ellipse
from torch.nn.functional import cross_entropy, one_hot
from torch.nn.utils import parameters_to_vector, vector_to_parameters

from helpers import display
from helpers.rnn import palindromes
from helpers.rnn.cells import VanillaRNN


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


class SmallNetwork:
    """A recurrent network of six units that reads a batch of 16 palindromes of six digits, for rules to be tried on.

    ``weights`` are its parameters, and ``first`` those it began with, in one vector [n]. Computed in the default
    floating-point type.
    """

    def __init__(self, seed):
        self.rnn, self.layer = VanillaRNN(10, 6), torch.nn.Linear(6, 10)
        self.weights = [*self.rnn.parameters(), *self.layer.parameters()]
        self.digits, self.last = palindromes.sample(5, 16, torch.Generator().manual_seed(seed))
        self.first = parameters_to_vector(self.weights).detach()

    def loss(self):
        _, state = self.rnn(one_hot(self.digits, 10).to(self.first))
        return cross_entropy(self.layer(state), self.last)

    def gradient(self, w):
        """The gradient [n] at ``w`` [n], which the network has from then on."""
        vector_to_parameters(w.clone(), self.weights)
        return parameters_to_vector(torch.autograd.grad(self.loss(), self.weights))


def both_ways(rule, optimizer, settings, their_settings, network, steps=100):
    """Two pairs of paths, of ``rule`` and of a class of ``torch.optim``: in the ravine (w₁² + 20 w₂²) / 2 from (10, 1),
    and of a :class:`SmallNetwork` from its first weights.
    """
    curvatures, start = torch.tensor([1.0, 20.0]), torch.tensor([10.0, 1.0])
    w = torch.nn.Parameter(start.clone())
    theirs = torch_path(optimizer, lambda: (curvatures * w**2).sum() / 2, [w], steps, **their_settings)
    yield descend(rule, lambda w: curvatures * w, start, steps, **settings), theirs
    vector_to_parameters(network.first.clone(), network.weights)
    theirs = torch_path(optimizer, network.loss, network.weights, steps, **their_settings)
    yield descend(rule, network.gradient, network.first, steps, **settings), theirs


def contours(ax, curvatures, levels, turn=0):
    """Draw where a quadratic of two ``curvatures``, turned by so many degrees, has these ``levels``, on axes ``ax``."""
    for level in levels:
        size = [2 * (2 * level / curvature) ** 0.5 for curvature in curvatures]
        ax.add_patch(Ellipse((0, 0), *size, angle=turn, fill=False, ec=display.INK, lw=0.6))
