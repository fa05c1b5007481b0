"""Properties of helpers.rnn.palindromes."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from helpers.rnn import palindromes

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
