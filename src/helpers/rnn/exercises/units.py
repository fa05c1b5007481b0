"""Oracles of the exercises on single units."""

import numpy as np
from sklearn.metrics import roc_curve

from helpers.exercises import expect


def best_threshold(candidate):
    """The best point of scikit-learn's ROC curve, which goes through all thresholds."""
    generator = np.random.default_rng(0)
    given = [([0.9, 0.2, 0.7, 0.1, 0.4, 0.3], [1, 0, 1, 0, 1, 0]), ([1.0, 1.0, 1.0], [1, 0, 0])]
    given += [(generator.integers(kinds, size=40) / 4, generator.random(40) < 0.3) for kinds in (3, 10, 100) * 3]
    given += [(-np.arange(30.0), np.arange(30) > 20)]
    for values, labels in given:
        values, labels = np.array(values), np.array(labels, bool)
        false_yes, true_yes, _ = roc_curve(labels, values)
        hint = "The mean of two parts: of the labelled places those above, of the others those not above."
        expect(candidate, (values, labels), (1 + (true_yes - false_yes).max()) / 2, atol=1e-12, says=hint)
