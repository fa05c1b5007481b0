"""Oracles of the exercises on text."""

import math
from fractions import Fraction

import numpy as np
import torch

from helpers.exercises import ExerciseFailed, expect


def sample(candidate):
    """The first place at which exact sums of weights, in fractions, exceed u."""
    generator = np.random.default_rng(0)
    for scores, u in (((0.0, 0.0), 0.0), ((0.0, 0.0), 0.499), ((0.0, 0.0), 0.501), ((0.0, 0.0, 0.0, 0.0), 0.8)):
        hint = "With equal scores each index has an equal share of [0, 1)."
        expect(candidate, (np.array(scores), 1.0, u), int(u * len(scores)), says=hint)
    hint = "A temperature divides the scores: 0.5 makes the distribution sharper, 2 flatter."
    for temperature in (0.5, 1.0, 2.0, 5.0):
        for _ in range(20):
            scores, u = generator.normal(0, 2, 6), float(generator.random())
            weights = [Fraction(math.exp(score / temperature)) for score in scores]
            below, place = weights[0], 0
            while below <= Fraction(u) * sum(weights):
                place += 1
                below += weights[place]
            expect(candidate, (scores, temperature, u), place, says=hint)
    hint = "At temperature 0 it is the first index of the largest score."
    expect(candidate, (np.array([1.0, 3.0, 3.0]), 0, 0.99), 1, says=hint)
    hint = "Take the largest score off before the exponential, which overflows else."
    expect(candidate, (np.array([1000.0, 999.0, -1000.0]), 1.0, 0.9), 1, says=hint)
    expect(candidate, (np.array([-1000.0, -999.9]), 1e-3, 0.5), 1, says=hint)


class _Adder:
    """A model of K numbers that tells the sum of all it has read, plus 3, modulo K; it notes how many steps it took."""

    def __init__(self, K):
        self.K, self.steps = K, 0

    def __call__(self, characters, state=None):
        self.steps += len(characters)
        total = characters.cumsum(0) + (0 if state is None else state)
        return torch.eye(self.K)[(total + 3) % self.K], total[-1]


def go_on(candidate):
    """Against adding up; each number must be read once."""
    for K, start, length in ((5, [1], 12), (11, [4, 0, 7], 12), (13, [2, 2, 9, 12, 5, 1], 1)):
        wanted = []
        while len(wanted) < length:
            wanted.append((sum(start) + sum(wanted) + 3) % K)
        model = _Adder(K)

        def go_on(start, length, model=model):
            return candidate(model, start, length)

        hint = "Read the start, write the likeliest, read that, with the state of the step before."
        expect(go_on, (torch.tensor(start), length), np.array(wanted), says=hint)
        if model.steps > len(start) + length:
            text = f"for {len(start)} numbers to start from and {length} written, the model took {model.steps} steps"
            raise ExerciseFailed(f"{text}: keep the state, and read each number once")


def bits_per_character(candidate):
    """From the costs of single characters, of which the windows' means are made."""
    generator = np.random.default_rng(0)
    for lengths in ((30,), (30, 30, 30), (1, 100), (5, 17, 240, 2)):
        costs = [generator.exponential(1.5, length) for length in lengths]
        losses = np.array([cost.mean() for cost in costs])
        desired = -np.log2(np.exp(-np.concatenate(costs))).mean()
        hint = "Costs add up over characters, so that a long window counts more; and a bit is ln 2 nats."
        expect(candidate, (losses, np.array(lengths)), desired, rtol=1e-10, says=hint)
