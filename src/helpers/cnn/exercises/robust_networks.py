"""Oracles of the exercises on what tells networks apart."""

from fractions import Fraction

import numpy as np

from helpers.exercises import expect


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


def recall_and_precision(candidate):
    """Recall and precision of each class, against counting images one by one."""
    generator = np.random.default_rng(0)
    for K in (2, 3, 10):
        # Each class is there, and said, at least once; the first has more images than the others.
        images = [(k, (k + 1) % K) for k in range(K)]
        for k in generator.integers(0, K, 20 * K) * generator.integers(0, 2, 20 * K):
            images.append((k, k if generator.random() < 0.5 else generator.integers(0, K)))
        M = np.zeros((K, K), dtype=int)
        for true, said in images:
            M[true, said] += 1
        recall = [np.mean([said == k for true, said in images if true == k]) for k in range(K)]
        precision = [np.mean([true == k for true, said in images if said == k]) for k in range(K)]
        hint = "Recall is a part of a class, the sum of a row; precision a part of an answer, the sum of a column. "
        hint += "Both are in counts, as classes may differ in size."
        expect(candidate, (M,), (np.array(recall), np.array(precision)), atol=1e-12, says=hint)


def break_even(candidate):
    """The share of spoilt images at which two networks err alike, against the root of the difference, by halving."""
    for rates in ((0.1, 0.5, 0.2, 0.3), (0.05, 0.9, 0.06, 0.2), (0.2, 0.4, 0.39, 0.399)):
        plain_clean, plain_spoilt, robust_clean, robust_spoilt = rates
        low, high = 0.0, 1.0
        for _ in range(60):
            q = (low + high) / 2
            plain, robust = (1 - q) * plain_clean + q * plain_spoilt, (1 - q) * robust_clean + q * robust_spoilt
            low, high = (q, high) if plain < robust else (low, q)
        hint = "The clean images weigh 1 − φ and the spoilt ones φ, their part of all, in the error of both networks."
        expect(candidate, rates, low, atol=1e-9, says=hint)
