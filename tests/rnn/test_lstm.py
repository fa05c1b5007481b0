"""The oracles of the exercises on the LSTM."""

import numpy as np
import torch
from torch import nn

from oracles import tried


def test_a_stack_has_one_bias_a_gate_and_its_upper_layers_read_the_lower():
    def cell(E, H):
        return 4 * (H * E + H * H + H)

    hint = "read N_hidden numbers"
    tried(
        "rnn/lstm/parameter_count",
        lambda E, H, K, layers: cell(E, H) + (layers - 1) * cell(H, H) + (H + 1) * K,
        (lambda E, H, K, layers: layers * cell(E, H) + (H + 1) * K, hint),
        (lambda E, H, K, layers: cell(E, H) + (layers - 1) * cell(H, H), hint),
        (lambda E, H, K, layers: cell(E, H) + (layers - 1) * cell(H, H) + (H + 1) * K + 4 * H * layers, hint),
    )


def test_a_half_life_is_that_of_powers_of_the_sigmoid():
    hint = "multiplied n times"
    tried(
        "rnn/lstm/bias_for_half_life",
        lambda n: -np.log(2 ** (1 / n) - 1),
        (lambda n: np.log(2) / n, hint),
        (lambda n: np.log(n / np.log(2)), hint),  # true for large n only
        (lambda n: np.log(2 ** (1 / n) - 1), hint),
    )


class Stacked(nn.Module):
    """A right solution, which the wrong ones below change in one place."""

    order, forget, bound, keeps = "ifgo", 1, 1.0, True

    def __init__(self, E, H):
        super().__init__()
        for name, shape in (("W_x", (4 * H, E)), ("W_h", (4 * H, H)), ("b", (4 * H,))):
            weight = torch.empty(shape).uniform_(-self.bound * H**-0.5, self.bound * H**-0.5)
            setattr(self, name, nn.Parameter(weight))
        with torch.no_grad():
            self.b.view(4, H)[self.forget] += 1

    def forward(self, x, h, c):
        states = []
        for x_t in x:
            a = dict(zip(self.order, (x_t @ self.W_x.T + h @ self.W_h.T + self.b).chunk(4, dim=1), strict=True))
            new = a["f"].sigmoid() * c + a["i"].sigmoid() * a["g"].tanh()
            h = a["o"].sigmoid() * new.tanh()
            c = new if self.keeps else c
            states.append(h)
        return torch.stack(states), new


class Detached(Stacked):
    def forward(self, x, h, c):
        states, c = super().forward(x, h, c)
        return states.detach().requires_grad_(), c


def test_a_stacked_lstm_is_pytorchs_and_starts_as_the_assignment_says():
    def changed(**what):
        return type("Changed", (Stacked,), what)

    class TwoBiases(Stacked):
        def __init__(self, E, H):
            super().__init__(E, H)
            self.b_h = nn.Parameter(torch.zeros(4 * H))

    tried(
        "rnn/lstm/StackedLSTM",
        Stacked,
        (changed(order="ifog"), "in the order i, f, g, o"),
        (changed(keeps=False), "c goes on"),
        (changed(forget=2), "the second quarter"),
        (changed(bound=2.0), "uniform between"),
        (TwoBiases, "its parameters are to be"),
        (Detached, "is something detached?"),
    )
