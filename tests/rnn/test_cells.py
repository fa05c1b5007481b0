"""Properties of helpers.rnn.cells."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from helpers.rnn import cells

sizes = st.tuples(*(st.integers(1, 5),) * 4)  # T, B, E, H
BACKWARDS = ["derived", "autograd"]


def library(cell):
    """PyTorch's layer with the weights of ``cell``."""
    kind = nn.LSTM if isinstance(cell, cells.LSTM) else nn.RNN
    theirs = kind(cell.input_size, cell.hidden_size).to(cell.b)
    weights = {"weight_ih_l0": cell.W_x, "weight_hh_l0": cell.W_h, "bias_ih_l0": cell.b, "bias_hh_l0": 0 * cell.b}
    theirs.load_state_dict({name: tensor.detach() for name, tensor in weights.items()})
    return theirs


def gradients(outputs, inputs, draw):
    """Of a random weighted sum of the outputs."""
    total = sum((out * torch.randn(out.shape, generator=draw, dtype=out.dtype)).sum() for out in outputs)
    return torch.autograd.grad(total, inputs)


@given(sizes, st.integers(0, 10**6), st.booleans(), st.sampled_from([*BACKWARDS, "rnn"]))
def test_outputs_and_gradients_are_those_of_pytorchs_layer(sizes, seed, with_state, kind):
    T, B, E, H = sizes
    draw = torch.manual_seed(seed)
    cell = (cells.VanillaRNN(E, H) if kind == "rnn" else cells.LSTM(E, H, kind)).double()
    theirs = library(cell)
    x = torch.randn(T, B, E, dtype=torch.float64, requires_grad=True)
    state = [torch.randn(B, H, dtype=torch.float64, requires_grad=True) for _ in range(1 if kind == "rnn" else 2)]
    given = (state[0] if kind == "rnn" else tuple(state)) if with_state else None
    theirs_given = None
    if with_state:
        theirs_given = state[0][None] if kind == "rnn" else tuple(part[None] for part in state)
    h, end = cell(x, given)
    h_theirs, end_theirs = theirs(x, theirs_given)
    ours_out = (h, end) if kind == "rnn" else (h, *end)
    theirs_out = (h_theirs, end_theirs[0]) if kind == "rnn" else (h_theirs, *(part[0] for part in end_theirs))
    inputs = [x, *(state if with_state else [])]
    ours = gradients(ours_out, [*inputs, cell.W_x, cell.W_h, cell.b], draw.manual_seed(seed))
    told = [*inputs, theirs.weight_ih_l0, theirs.weight_hh_l0, theirs.bias_ih_l0]
    wanted = gradients(theirs_out, told, draw.manual_seed(seed))
    for here, there in zip((*ours_out, *ours), (*theirs_out, *wanted), strict=True):
        torch.testing.assert_close(here, there, rtol=1e-10, atol=1e-10)


def test_the_derived_backward_pass_is_that_of_differences():
    torch.manual_seed(0)
    cell = cells.LSTM(3, 4).double()
    x, h, c = (torch.randn(shape, dtype=torch.float64, requires_grad=True) for shape in ((3, 2, 3), (2, 4), (2, 4)))

    def run(x, h, c, W_x, W_h, b):
        weights = {"W_x": W_x, "W_h": W_h, "b": b}
        out, (_, c) = torch.func.functional_call(cell, weights, (x, (h, c)))
        return out, c

    assert torch.autograd.gradcheck(run, (x, h, c, *cell.parameters()))


def test_a_second_derivative_is_refused_with_a_way_out():
    x = torch.randn(4, 1, 2, requires_grad=True)
    derived, plain = (cells.LSTM(2, 3, backward) for backward in BACKWARDS)
    with pytest.raises(RuntimeError, match=r"no second derivative: .*backward='autograd'"):
        torch.autograd.grad(derived(x)[0].square().sum(), x, create_graph=True)
    (dx,) = torch.autograd.grad(plain(x)[0].square().sum(), x, create_graph=True)
    assert torch.autograd.grad(dx.sum(), x)[0].abs().sum() > 0


def test_a_graph_that_is_kept_gives_the_same_gradients_again():
    cell = cells.LSTM(2, 3)
    loss = cell(torch.randn(4, 2, 2))[0].square().sum()
    first, second = (torch.autograd.grad(loss, list(cell.parameters()), retain_graph=True) for _ in range(2))
    assert all(torch.equal(a, b) for a, b in zip(first, second, strict=True))


def test_both_ways_share_their_weights_and_their_start():
    torch.manual_seed(0)
    first = cells.LSTM(3, 400)
    second = cells.LSTM(3, 400, backward="autograd")
    second.load_state_dict(first.state_dict())
    for weight in (first.W_x, first.W_h, first.b - torch.tensor([0.0, 1, 0, 0]).repeat_interleave(400)):
        assert weight.abs().max() <= 1 / 20 + 1e-6 and abs(weight.std().item() * 20 * 3**0.5 - 1) < 0.05


def test_under_autocast_both_ways_compute_in_bfloat16_and_agree():
    torch.manual_seed(0)
    derived, plain = cells.LSTM(6, 8), cells.LSTM(6, 8, backward="autograd")
    plain.load_state_dict(derived.state_dict())
    x = torch.randn(5, 3, 6)
    told = []
    for cell in (derived, plain):
        with torch.autocast("cpu", torch.bfloat16):
            h, _ = cell(x)
        h.float().square().sum().backward()
        told.append([h.float(), *(p.grad for p in cell.parameters())])
        assert all(p.grad.dtype == torch.float32 for p in cell.parameters())
    for ours, theirs in zip(*told, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=0.05, atol=0.05)
    with torch.autocast("cpu", torch.bfloat16):
        assert derived(x)[0].dtype == torch.bfloat16


@pytest.mark.parametrize("make", [cells.VanillaRNN, cells.LSTM])
def test_wrong_shapes_are_refused(make):
    cell = make(3, 4)
    for shape in ((5, 2), (5, 2, 4), (0, 2, 3)):
        with pytest.raises(ValueError, match=r"expected \[T, B, 3\]"):
            cell(torch.zeros(shape))
    state = torch.zeros(1, 4)
    with pytest.raises(ValueError, match=r"expected \[2, 4\]"):
        cell(torch.zeros(5, 2, 3), state if make is cells.VanillaRNN else (state, state))
    with pytest.raises(ValueError, match="hidden_size"):
        make(3, 0)


def test_another_backward_is_refused():
    with pytest.raises(ValueError, match="'derived' or 'autograd'"):
        cells.LSTM(2, 3, backward="numeric")


@given(st.integers(1, 9), st.integers(1, 9), st.integers(1, 9))
def test_the_count_of_parameters_is_that_of_the_modules(n_input, n_hidden, n_output):
    cell, output = cells.LSTM(n_input, n_hidden), nn.Linear(n_hidden, n_output)
    count = sum(p.numel() for p in cell.parameters())
    assert cells.lstm_parameter_count(n_input, n_hidden) == count
    count += sum(p.numel() for p in output.parameters())
    assert cells.lstm_parameter_count(n_input, n_hidden, n_output) == count
