"""Oracles of the exercises on distances between images, contrast and the normalisation."""

import numpy as np
from scipy.optimize import brentq
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


def as_far(candidate):
    """The contrast at a given distance, found by bisection."""
    random = np.random.RandomState(0)
    for height, width in ((4, 5), (8, 8)):
        x = random.uniform(0, 255, (3, height, width)) * np.array([1, 0.5, 0.1])[:, None, None] + 20
        mean = x.mean(axis=(1, 2), keepdims=True)

        def apart(c, x=x, mean=mean):
            return np.sqrt(np.mean((c * x + (1 - c) * mean - x) ** 2))

        hint = (
            "Each channel has a mean of its own, and their squares are averaged before the root. c is what is left: 1"
        )
        hint += " at the distance 0."
        for distance in (0.0, 0.3 * apart(0), 20.0):
            c = brentq(lambda c, distance=distance: apart(c) - distance, 0, 1, xtol=1e-14)
            expect(candidate, (x, distance), c, atol=1e-9, says=hint)


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
