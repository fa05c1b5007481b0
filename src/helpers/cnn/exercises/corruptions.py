"""Oracles of the exercises on corrupted images."""

import numpy as np
from skimage.metrics import peak_signal_noise_ratio

from helpers.exercises import expect


def peak_ratio(candidate):
    """The PSNR of images of type uint8, against scikit-image."""
    factor = "The factor is 20 for the root of the mean square, 10 for the mean square."
    dim = np.full((3, 2, 2), 7, np.uint8)
    hint = f"The peak is 255, whatever the brightest pixel of the two images is. {factor}"
    expect(candidate, (dim, dim + 2), peak_signal_noise_ratio(dim, dim + 2, data_range=255), rtol=1e-6, says=hint)
    random = np.random.RandomState(0)
    for shape in ((3, 4, 5), (2, 3, 8, 8)):
        x = random.randint(0, 256, shape).astype(np.uint8)
        near = np.uint8(np.clip(x + random.normal(0, 9, shape), 0, 255))
        far = random.randint(0, 256, shape).astype(np.uint8)
        for y in (near, far):
            desired = peak_signal_noise_ratio(x, y, data_range=255)
            hint = f"In uint8 a difference wraps around, and so does a square: convert first. {factor}"
            expect(candidate, (x, y), desired, rtol=1e-6, says=hint)
    expect(candidate, (dim, dim), np.inf, says="The same image twice: the error is 0, and the ratio infinite.")


def noisy_input(candidate):
    """Noise on the pixels, seen through the normalisation: back to the pixels, add, cut, and normalise."""
    random = np.random.RandomState(0)
    mean, std = np.array([0.5, 0.4, 0.3]), np.array([0.2, 0.25, 0.3])
    for q in (0.04, 0.25):
        x, draw = random.uniform(0.3, 0.6, (2, 3, 4, 5)), 0.5 * random.uniform(-1, 1, (2, 3, 4, 5))
        hint = "Nothing is cut here. Noise of q on the pixels is noise of another size on what the network takes,"
        hint += " and differs from channel to channel."
        expect(candidate, (*_seen(x, mean, std, q, draw),), _after(x, mean, std, q, draw), atol=1e-9, says=hint)
        x, draw = random.uniform(0, 1, (2, 3, 4, 5)), random.standard_normal((2, 3, 4, 5))
        hint = "Where pixels leave [0, 1] they are cut. Where are black and white after the normalisation?"
        expect(candidate, (*_seen(x, mean, std, q, draw),), _after(x, mean, std, q, draw), atol=1e-9, says=hint)


def _seen(x, mean, std, q, draw):
    return np.moveaxis((np.moveaxis(x, 1, -1) - mean) / std, -1, 1), mean, std, q, draw


def _after(x, mean, std, q, draw):
    return _seen(np.clip(x + q * draw, 0, 1), mean, std, q, draw)[0]


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
