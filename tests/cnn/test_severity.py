"""The oracles of the exercises on distances between images, contrast and the normalisation."""

import numpy as np

from oracles import tried


def test_a_peak_ratio_is_of_numbers_that_do_not_wrap_around():
    def of(x, y, peak=255, factor=20):
        with np.errstate(divide="ignore"):
            return factor * np.log10(peak / np.sqrt(np.mean((x.astype(float) - y) ** 2)))

    tried(
        "cnn/severity/peak_ratio",
        of,
        (lambda x, y: 10 * np.log10(255**2 / np.mean((x - y) ** 2)), "wraps around"),
        (lambda x, y: of(x, y, factor=10), "The factor is 20"),
        (lambda x, y: of(x, y, peak=max(x.max(), y.max())), "The peak is 255"),
    )


def test_noise_behind_the_normalisation_is_divided_and_cut_there():
    def right(z, mean, std, q, draw):
        mean, std = mean[:, None, None], std[:, None, None]
        return (np.clip(mean + std * z + q * draw, 0, 1) - mean) / std

    tried(
        "cnn/severity/noisy_input",
        right,
        (lambda z, mean, std, q, draw: z + q * draw, "noise of another size"),
        (lambda z, mean, std, q, draw: z + q * draw / std.mean(), "from channel to channel"),
        (lambda z, mean, std, q, draw: z + q / std[:, None, None] * draw, "Where are black and white"),
        (lambda z, mean, std, q, draw: np.clip(z + q / std[:, None, None] * draw, -1, 1), "noise of another size"),
    )


def test_contrast_goes_as_far_as_the_channels_vary():
    def of(x, distance, variance):
        return 1 - distance / np.sqrt(variance)

    tried(
        "cnn/severity/as_far",
        lambda x, d: of(x, d, np.mean((x - x.mean(axis=(1, 2), keepdims=True)) ** 2)),
        (lambda x, d: of(x, d, x.var()), "a mean of its own"),
        (lambda x, d: of(x, d, x.std(axis=(1, 2)).mean() ** 2), "before the root"),
        (lambda x, d: d / np.sqrt(x.var(axis=(1, 2)).mean()), "1 at the distance 0"),
    )
