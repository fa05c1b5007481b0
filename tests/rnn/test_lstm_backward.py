"""The oracles of the exercises on the LSTM's backward pass."""

import torch

from oracles import tried


def test_a_coupled_gate_is_seen_by_both_sides():
    hint = "f enters twice"
    tried(
        "rnn/lstm_backward/coupled_delta_f",
        lambda delta_c, c_before, g, f: delta_c * (c_before - g) * f * (1 - f),
        (lambda delta_c, c_before, g, f: delta_c * c_before * f * (1 - f), hint),
        (lambda delta_c, c_before, g, f: delta_c * (c_before - g), hint),
        (lambda delta_c, c_before, g, f: delta_c * (c_before + g) * f * (1 - f), hint),
    )


def test_a_peephole_is_a_third_way_of_the_cell():
    def by_tanh(delta_h, c, o):
        return delta_h * o * (1 - torch.tanh(c) ** 2)

    def by_gate(delta_h, c, o, w):
        return delta_h * torch.tanh(c) * o * (1 - o) * w

    hint = "c goes three ways"
    tried(
        "rnn/lstm_backward/peephole_delta_c",
        lambda delta_h, c, o, w, after: by_tanh(delta_h, c, o) + by_gate(delta_h, c, o, w) + after,
        (lambda delta_h, c, o, w, after: by_tanh(delta_h, c, o) + after, hint),
        (lambda delta_h, c, o, w, after: by_tanh(delta_h, c, o) + by_gate(delta_h, c, o, 1.0) + after, hint),
        (lambda delta_h, c, o, w, after: by_tanh(delta_h, c, o) + by_gate(delta_h, c, o, w), hint),
    )
