"""Oracles of the exercises on noise and blur."""

import numpy as np
from scipy.ndimage import convolve1d
from scipy.stats import norm

from helpers.exercises import expect


def at_the_ends(candidate):
    """How often noise makes a pixel black or white, counted over 100,000 draws that are spread evenly."""
    draws = norm.ppf((np.arange(100_000) + 0.5) / 100_000)
    hint = "Both ends count, and the noise is of 255 q grey levels. Rounding comes last: what is below half a level is"
    hint += " black, and from 254.5 on white."
    for x in (0, 3, 128, 250, 255):
        for q in (0.04, 0.25, 1.0):
            y = np.round(np.clip(x + 255 * q * draws, 0, 255))
            expect(candidate, (x, q), np.isin(y, (0, 255)).mean(), atol=3e-5, says=hint)


def real_width(candidate):
    """The standard deviation of sampled Gaussian weights: their Fourier series bends at 0 by minus its square."""
    for ell in (0.2, 0.4, 0.6, 0.8, 1.0, 1.5, 3.0):
        hint = "The weights at whole numbers only: the square root of the sum of j² θ_j."
        hint += " At 3 the kernel reaches far beyond five pixels, and at 0.2 it is one pixel in all but name."
        expect(candidate, (ell,), _bend(ell), atol=1e-6, says=hint)


def _bend(ell):
    # λ(α) is the sum of all Gaussians exp(−ℓ²(α + 2πm)²/2): −λ''(0)/λ(0), term by term.
    turns = 2 * np.pi * np.arange(-60, 61)
    terms = np.exp(-((ell * turns) ** 2) / 2)
    return np.sqrt((terms * (ell**2 - ell**4 * turns**2)).sum() / terms.sum())


def unblur(candidate):
    """Rows that scipy blurred on a ring: the candidate gives back what they were."""
    random = np.random.RandomState(0)
    weights = {ell: np.exp(-((np.arange(-5, 6) / ell) ** 2) / 2) for ell in (0.4, 0.6, 0.8, 1.1)}
    hint = "Divide each wave by its λ, that of the 11 weights and not of a Gaussian on a line. And weight 0 belongs at"
    hint += " place 0 of the ring, or the row comes back moved. On a ring the row goes on at its other end, and is not"
    hint += " mirrored."
    for n in (11, 12, 32):
        for ell, theta in weights.items():
            x = random.uniform(0, 255, n)
            y = convolve1d(x, theta / theta.sum(), mode="wrap")
            expect(candidate, (y, ell), x, atol=1e-6, says=hint)
