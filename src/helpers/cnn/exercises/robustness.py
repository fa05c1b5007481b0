"""Oracles of the exercises on robustness."""

from fractions import Fraction

import numpy as np

from helpers.exercises import ExerciseFailed, expect


def accuracies(candidate):
    """Accuracy at six severities, against a classifier that says an image's first pixel and a corruption that adds."""
    labels = np.array([0, 1, 2, 3, 4, 5, 6, 7, 8, 9])
    images = np.zeros((10, 3, 2, 2), dtype=np.uint8)
    images[:, 0, 0, 0] = labels
    seen = []

    def classify(batch):
        return batch[:, 0, 0, 0]

    def spoil(batch, severity):
        seen.append((severity, bool(np.array_equal(batch, images))))
        spoilt = batch.copy()
        spoilt[: 2 * severity - 1] += 1  # so many of the ten are then called by another name
        return spoilt

    hint = "The first of six numbers is the accuracy on images that are not spoilt. Then come severities 1 to 5, "
    hint += "each of them a fraction of right answers."
    expect(candidate, (classify, images, labels, spoil), [1.0, 0.9, 0.7, 0.5, 0.3, 0.1], atol=1e-12, says=hint)
    if sorted(severity for severity, _ in seen) != [1, 2, 3, 4, 5] or not all(clean for _, clean in seen):
        raise ExerciseFailed(f"spoil was called with the severities {[s for s, _ in seen]}: once each, on clean images")


def ce_and_rce(candidate):
    """CE and RCE over the mean of seeds, against sums of fractions."""
    generator = np.random.default_rng(0)
    for seeds in (1, 3):
        thousandths = np.sort(generator.integers(50, 900, (seeds + 1, 6)), axis=1)
        network, *baselines = [[Fraction(int(entry), 1000) for entry in row] for row in thousandths]
        baseline = [sum(column) / seeds for column in zip(*baselines, strict=True)]
        ce = sum(network[1:]) / sum(baseline[1:])
        above = [sum(rate - rates[0] for rate in rates[1:]) for rates in (network, baseline)]
        hint = "The baseline is the mean of the seeds, taken before the ratio; severity 0 is in neither sum of CE, and "
        hint += "in RCE the clean error is taken off once for each of the five severities."
        args = thousandths[0] / 1000, thousandths[1:] / 1000
        expect(candidate, args, (float(ce), float(above[0] / above[1])), rtol=1e-9, says=hint)


def break_even(candidate):
    """The share of spoilt images at which two networks err alike, against the root of the difference, by halving."""
    for rates in ((0.1, 0.5, 0.2, 0.3), (0.05, 0.9, 0.06, 0.2), (0.2, 0.4, 0.39, 0.399)):
        plain_clean, plain_spoilt, robust_clean, robust_spoilt = rates
        low, high = 0.0, 1.0
        for _ in range(60):
            q = (low + high) / 2
            plain, robust = (1 - q) * plain_clean + q * plain_spoilt, (1 - q) * robust_clean + q * robust_spoilt
            low, high = (q, high) if plain < robust else (low, q)
        hint = "The clean images weigh 1 − q and the spoilt ones q, in the error of both networks."
        expect(candidate, rates, low, atol=1e-9, says=hint)


def images_needed(candidate):
    """The smallest number of images, each rate on its own, that tells two error rates apart, found by trying."""
    for hundredths in ((10, 21), (50, 41), (2, 97), (15, 18)):
        # In ten-thousandths, whole numbers; for none of the pairs the two sides meet exactly, where floats round.
        first, second = hundredths
        variances = first * (100 - first) + second * (100 - second)
        n = 1
        while n * (first - second) ** 2 < 4 * variances:
            n += 1
        hint = "On images of their own the two variances E (1 − E) / n add, and twice the root of the sum is at most "
        hint += "the difference; n is whole, and the first that does."
        expect(candidate, (first / 100, second / 100), n, says=hint)
