"""The oracles of the exercises on text."""

import numpy as np
import torch

from oracles import tried


def by_dividing(scores, temperature, u):
    if temperature == 0:
        return int(np.flatnonzero(scores == scores.max())[0])
    weights = np.exp(scores / temperature - (scores / temperature).max())
    return int(np.searchsorted(np.cumsum(weights / weights.sum()), u, side="right"))


def with_weights(weigh):
    def sample(scores, temperature, u):
        if temperature == 0:
            return int(np.argmax(scores))
        with np.errstate(all="ignore"):
            weights = weigh(scores, temperature)
            return int(np.argmax(np.cumsum(weights) > u * weights.sum()))

    return sample


def last_of_ties(scores, temperature, u):
    return int(np.flatnonzero(scores == scores.max())[-1]) if temperature == 0 else by_dividing(scores, temperature, u)


def test_a_draw_has_its_temperature_below_the_scores_and_does_not_overflow():
    tried(
        "rnn/text_generation/sample",
        by_dividing,
        (with_weights(lambda scores, tau: np.exp((scores - scores.max()) * tau)), "divides the scores"),
        (with_weights(lambda scores, tau: np.exp(scores - scores.max()) / tau), "divides the scores"),
        (with_weights(lambda scores, tau: np.exp(scores / tau)), "overflows"),
        (last_of_ties, "first index"),
        (lambda scores, temperature, u: int(np.argmax(scores)), "equal share"),
    )


def anew(model, start, length):
    written = []
    for _ in range(length):
        scores, _ = model(torch.tensor([*start.tolist(), *written])[:, None])
        written.append(int(scores[-1, 0].argmax()))
    return written


def with_state(first, then):
    """Writes with the state that ``then`` makes of the one before, after reading what ``first`` makes of the start."""

    def go_on(model, start, length):
        x, state, written = first(start)[:, None], None, []
        for _ in range(length):
            scores, state = model(x, then(state))
            written.append(int(scores[-1, 0].argmax()))
            x = torch.tensor([[written[-1]]])
        return written

    return go_on


def test_the_state_goes_on_and_nothing_is_read_twice():
    tried(
        "rnn/text_generation/go_on",
        with_state(lambda start: start, lambda state: state),
        (anew, "read each number once"),
        (with_state(lambda start: start, lambda state: None), "with the state"),
        (with_state(lambda start: start[-1:], lambda state: state), "Read the start"),
    )


def test_bits_are_those_of_all_characters_together():
    tried(
        "rnn/text_generation/bits_per_character",
        lambda losses, lengths: np.average(losses, weights=lengths) / np.log(2),
        (lambda losses, lengths: losses.mean() / np.log(2), "a long window counts more"),
        (lambda losses, lengths: np.average(losses, weights=lengths), "a bit is ln 2"),
        (lambda losses, lengths: np.average(losses, weights=lengths) * np.log(2), "a bit is ln 2"),
    )
