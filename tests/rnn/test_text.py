"""Properties of helpers.rnn.text."""

import math
from collections import Counter

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from helpers.rnn import text

WORDS = "the raven said nothing"
VOCABULARY = text.Vocabulary(WORDS)


def model(layers=1, seed=0):
    torch.manual_seed(seed)
    return text.TextGenerationModel(len(VOCABULARY), 5, 7, layers)


@given(st.text(min_size=1))
def test_decoding_undoes_encoding(words):
    vocabulary = text.Vocabulary(words)
    assert len(vocabulary) == len(set(words))
    assert vocabulary.decode(vocabulary.encode(words)) == words
    assert text.Vocabulary(vocabulary.characters).characters == vocabulary.characters


def test_a_character_that_the_vocabulary_has_not_is_named():
    for call in (VOCABULARY.encode, lambda start: text.generate(model(), VOCABULARY, 3, start)):
        with pytest.raises(ValueError, match="'z'"):
            call("zebra")
    with pytest.raises(ValueError, match="0 to 12"):
        VOCABULARY.decode([len(VOCABULARY)])
    with pytest.raises(ValueError, match="at least one"):
        text.Vocabulary("")
    with pytest.raises(TypeError, match="bytes"):
        text.Vocabulary(b"the raven")


@given(st.integers(1, 2), st.integers(1, 9), st.integers(1, 4), st.integers(1, 8))
def test_a_state_that_is_handed_on_makes_two_readings_one(layers, length, batch, cut):
    network, characters = model(layers), torch.randint(len(VOCABULARY), (length + cut, batch))
    whole, end = network(characters)
    assert whole.shape == (length + cut, batch, len(VOCABULARY)) and end[0].shape == (layers, batch, 7)
    first, state = network(characters[:cut])
    second, state = network(characters[cut:], state)
    torch.testing.assert_close(torch.cat([first, second]), whole)
    torch.testing.assert_close(state, end)


def test_the_forget_gate_starts_one_higher_and_the_second_bias_stays_zero():
    network = text.TextGenerationModel(10, 8, 400, 2)
    for layer in range(2):
        gates = getattr(network.lstm, f"bias_ih_l{layer}").view(4, 400)
        assert [round(gate.mean().item()) for gate in gates] == [0, 1, 0, 0]
        assert gates.std(1).max() < 1 / 20
        idle = getattr(network.lstm, f"bias_hh_l{layer}")
        assert not idle.any() and not idle.requires_grad


def test_mulberry32_gives_the_numbers_of_its_source():
    generator = text.Mulberry32(1)  # from the generator's JavaScript in a browser
    assert [generator.random() for _ in range(3)] == [0.6270739405881613, 0.002735721180215478, 0.5274470399599522]


@given(st.integers(0, 2**32 - 1))
def test_mulberry32_stays_below_one_and_depends_on_its_seed_alone(seed):
    first, second = text.Mulberry32(seed), text.Mulberry32(seed)
    numbers = [first.random() for _ in range(20)]
    assert all(0 <= number < 1 for number in numbers) and numbers == [second.random() for _ in range(20)]


@given(st.text(WORDS, min_size=1, max_size=12), st.integers(0, 12), st.sampled_from([0.0, 0.3, 1.0, 5.0]))
def test_what_is_generated_is_what_reading_it_all_anew_gives(start, length, temperature):
    network, written, generator = model(), "", text.Mulberry32(7)
    for _ in range(length):
        scores = network(VOCABULARY.encode(start + written)[:, None])[0][-1, 0].double()
        if temperature:
            below = (scores / temperature).softmax(0).cumsum(0)
            number = int((below <= generator.random()).sum())
        else:
            number = int(scores.argmax())
        written += VOCABULARY.characters[number]
    assert text.generate(network, VOCABULARY, length, start, temperature, text.Mulberry32(7)) == written


def test_each_character_is_read_once():
    network, read = model(), []
    network.lstm.register_forward_hook(lambda _, arguments, __: read.append(len(arguments[0])))
    text.generate(network, VOCABULARY, 6, "raven")
    assert read == [5, 1, 1, 1, 1, 1]


def test_generating_leaves_the_model_as_it_was():
    network = model().train()
    assert text.generate(network, VOCABULARY, 4, "the") == text.generate(network, VOCABULARY, 4, "the")
    assert network.training and all(p.grad is None for p in network.parameters())


def test_a_small_temperature_writes_the_likeliest_and_a_large_one_anything():
    network = model()
    greedy = text.generate(network, VOCABULARY, 40, "t")
    for temperature in (1e-9, 1e-320):
        assert text.generate(network, VOCABULARY, 40, "t", temperature) == greedy
    written = Counter(text.generate(network, VOCABULARY, 3000, "t", 1e9))
    mean = 3000 / len(VOCABULARY)
    assert all(abs(written[character] - mean) < 6 * math.sqrt(mean) for character in VOCABULARY.characters)


@pytest.mark.parametrize(
    ("wrong", "expected"),
    [
        ({"length": -1}, "length"),
        ({"length": 1.5}, "length"),
        ({"start": ""}, "start"),
        ({"temperature": -0.1}, "temperature"),
        ({"temperature": math.inf}, "temperature"),
        ({"temperature": math.nan}, "temperature"),
    ],
)
def test_a_wrong_request_is_refused(wrong, expected):
    with pytest.raises(ValueError, match=expected):
        text.generate(model(), VOCABULARY, **{"length": 3, "start": "t"} | wrong)


@pytest.mark.parametrize("wrong", [-1, 2**32, 0.5, None])
def test_a_seed_that_is_none_is_refused(wrong):
    with pytest.raises(ValueError, match="seed"):
        text.Mulberry32(wrong)


def counted_plainly(read, told, order, vocabulary_size):
    """The probabilities of context_bits, character by character."""
    rows = []
    for i, character in enumerate(told):
        p, row = 1 / vocabulary_size, []
        for size in range(order + 1):
            context = told[i - size : i]
            if i >= size:
                following = [read[j + size] for j in range(len(read) - size) if read[j : j + size] == context]
                n, s = len(following), len(set(following))
                p = (following.count(character) + s * p) / (n + s) if n else p
            row.append(p)
        rows.append(row)
    return np.array(rows).reshape(len(told), order + 1).T


texts = st.lists(st.integers(0, 3), max_size=40)


@given(texts, texts, st.integers(0, 7))
def test_context_bits_are_those_of_counting_plainly(read, told, order):
    bits = text.context_bits(read, told, order, 4)
    np.testing.assert_allclose(2.0**-bits, counted_plainly(read, told, order, 4), rtol=1e-12)


@given(texts, texts, st.integers(0, 4))
def test_the_probabilities_of_all_characters_sum_to_one(read, told, order):
    total = sum(2.0 ** -text.context_bits(read, [*told, character], order, 4)[:, -1] for character in range(4))
    np.testing.assert_allclose(total, 1)


@pytest.mark.parametrize("wrong", [([4], [0], 2, 4), ([0], [-1], 2, 4), ([0], [0], 8, 4), ([0], [0], 2, 129)])
def test_numbers_and_orders_out_of_range_are_refused(wrong):
    with pytest.raises(ValueError, match=r"expected|from 0 to 3"):
        text.context_bits(*wrong)
