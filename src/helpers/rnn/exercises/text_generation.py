"""Oracles of the exercises on text."""

import math
from fractions import Fraction

import numpy as np
import torch
from torch import nn

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


class _Recorder(nn.Module):
    """An LSTM over one-hot numbers that notes how many steps each call takes, and of what batch."""

    def __init__(self, K, hidden_size):
        super().__init__()
        self.K, self.lstm, self.output = K, nn.LSTM(K, hidden_size), nn.Linear(hidden_size, K)
        for weight in self.parameters():
            nn.init.normal_(weight)
        self.steps = []

    def forward(self, characters, state=None):
        self.steps.append(len(characters))
        h, state = self.lstm(nn.functional.one_hot(characters, self.K).float(), state)
        return self.output(h), state


@torch.no_grad()
def go_on(candidate):
    """Against reading all of the text anew for each number; each must be read once."""
    for seed, K, S, length in ((0, 5, 1, 12), (1, 9, 4, 12), (2, 9, 7, 1)):
        torch.manual_seed(seed)
        model, start = _Recorder(K, 8), torch.randint(K, (S,))
        wanted = []
        for _ in range(length):
            scores, _ = model(torch.tensor([*start.tolist(), *wanted])[:, None])
            wanted.append(int(scores[-1, 0].argmax()))
        model.steps.clear()

        def go_on(start, length, model=model):
            return candidate(model, start, length)

        hint = "Read the start, write the likeliest, read that, with the state of the step before."
        expect(go_on, (start, length), np.array(wanted), says=hint)
        if sum(model.steps) > S + length:
            text = f"for {S} numbers to start from and {length} written, the model took {sum(model.steps)} steps"
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
