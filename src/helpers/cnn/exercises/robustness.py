"""Oracles of the exercises on robustness."""

import numpy as np

from helpers.cnn.robustness import relative_corruption_error
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


def rce_of_as_many(candidate):
    """RCE by its definition, of a network that makes the baseline's spoilt errors, at other severities."""
    generator = np.random.default_rng(0)
    for r in (0.25, 0.5, 0.9):
        B = np.sort(generator.uniform(0.05, 0.9, 6))
        desired = relative_corruption_error(B[:0:-1], r * B[0], B[1:], B[0])
        hint = "Both networks make as many errors on spoilt images; of their mean over five severities the clean "
        hint += "error is taken off, B[0] of the baseline and r times as much of the network."
        expect(candidate, (r, B), desired, rtol=1e-9, says=hint)


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
