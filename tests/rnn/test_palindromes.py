"""Properties of helpers.rnn.palindromes, and the oracles of the exercises on how long a network remembers."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from helpers.rnn import palindromes
from oracles import tried

lengths, sizes = st.integers(1, 40), st.integers(1, 50)
seeds = st.integers(0, 2**31 - 1)


def seeded(seed):
    return torch.Generator().manual_seed(seed)


@given(lengths, sizes, seeds)
def test_digits_and_target_read_the_same_from_both_ends(length, batch_size, seed):
    digits, target = palindromes.sample(length, batch_size, seeded(seed))
    assert digits.shape == (length, batch_size) and digits.dtype == torch.int64
    assert target.shape == (batch_size,) and target.dtype == torch.int64
    assert ((digits >= 0) & (digits <= 9)).all()
    for column, last in zip(digits.T.tolist(), target.tolist(), strict=True):
        palindrome = [*column, last]
        assert palindrome == palindrome[::-1]


@given(lengths, sizes, seeds)
def test_a_sample_depends_on_its_generator_alone(length, batch_size, seed):
    generator = seeded(seed)
    first = palindromes.sample(length, batch_size, generator)
    second = palindromes.sample(length, 1000, generator)
    torch.rand(1)  # PyTorch's own generator has no part in it
    for ours, again in zip(first, palindromes.sample(length, batch_size, seeded(seed)), strict=True):
        assert torch.equal(ours, again)
    assert not torch.equal(second[0], palindromes.sample(length, 1000, seeded(seed))[0])


@pytest.mark.parametrize("length", [1, 2, 5, 6, 19, 20])
def test_the_digits_of_the_first_half_are_uniform_and_independent(length):
    number = 20_000
    digits, target = palindromes.sample(length, number, seeded(0))
    half = torch.cat([digits, target[None]])[: length // 2 + 1]
    for i, digit in enumerate(half):
        for earlier in half[:i]:
            pairs = torch.bincount(10 * earlier + digit, minlength=100)
            assert ((pairs - number / 100).abs() < 6 * (number / 100) ** 0.5).all()
        counts = torch.bincount(digit, minlength=10)
        assert ((counts - number / 10).abs() < 6 * (number / 10) ** 0.5).all()


def test_without_a_generator_pytorchs_own_is_drawn_from():
    torch.manual_seed(3)
    digits, _ = palindromes.sample(8, 16, None)
    torch.manual_seed(3)
    assert torch.equal(digits, palindromes.sample(8, 16, None)[0])


@pytest.mark.parametrize("wrong", [0, -1, 2.0, True, "5", None])
@pytest.mark.parametrize("name", ["length", "batch_size"])
def test_what_is_no_number_of_digits_or_palindromes_is_refused_in_words(name, wrong):
    arguments = {"length": 5, "batch_size": 4} | {name: wrong}
    with pytest.raises(ValueError, match=rf"^{name} = {wrong!r}: expected a whole number from 1 on$"):
        palindromes.sample(**arguments, generator=None)


def test_what_was_reached_on_the_way_and_is_gone_in_the_end_is_lost():
    record = {
        "metrics": {"test_accuracy": [1.0, 0.99, 0.2, 0.9899, 0.1]},
        "curves": {"validation_accuracy": [[0.1, 1.0], [0.98], [0.5, 0.99, 0.2], [0.9899], [0.1, 0.1]]},
    }
    assert palindromes.outcomes(record) == ["solved", "solved", "lost", "never found", "never found"]


def rnn_gradients(weights, digits, target, ask=lambda h: h[-1], reduction="mean"):
    W_hx, W_hh, b_h, W_ph, b_p = weights
    h = [torch.zeros(digits.shape[1], len(b_h))]
    for x in digits.float():
        h.append(torch.tanh(x[:, None] @ W_hx.T + h[-1] @ W_hh.T + b_h))
    loss = torch.nn.functional.cross_entropy(ask(torch.stack(h[1:])) @ W_ph.T + b_p, target, reduction=reduction)
    return torch.autograd.grad(loss, weights)


def clipped(gradients, max_norm):
    norm = torch.cat([gradient.flatten() for gradient in gradients]).norm()
    return [gradient * torch.clamp(max_norm / norm, max=1) for gradient in gradients]


def test_gradients_are_those_of_the_last_state_and_clipped_together():
    hint = "one factor for all"

    def one_by_one(weights, digits, target, m):
        return [clipped([gradient], m)[0] for gradient in rnn_gradients(weights, digits, target)]

    tried(
        "rnn/palindromes/clipped_gradients",
        lambda w, digits, target, m: clipped(rnn_gradients(w, digits, target), m),
        (lambda w, digits, target, m: [g.clamp(-m, m) for g in rnn_gradients(w, digits, target)], hint),
        (one_by_one, hint),
        (lambda w, digits, target, m: clipped(rnn_gradients(w, digits, target, lambda h: h.mean(0)), m), hint),
        (lambda w, digits, target, m: clipped(rnn_gradients(w, digits, target, reduction="sum"), m), hint),
    )


def test_a_zigzag_begins_with_either():
    def product_of(chances, first):
        return math.prod(p if (i + first) % 2 else 1 - p for i, p in enumerate(chances))

    hint = "both orders"
    tried(
        "rnn/palindromes/zigzag",
        lambda chances: product_of(chances, 0) + product_of(chances, 1),
        (lambda chances: product_of(chances, 0), hint),
        (lambda chances: 2 * product_of(chances, 1), hint),
        (lambda chances: math.prod(2 * p * (1 - p) for p in chances), hint),
    )
