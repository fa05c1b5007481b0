"""The oracles of the exercises on the Fourier modes of a ring."""

import numpy as np

from helpers.gnn.circulant import circulant
from oracles import tried


def correlation(theta, x):
    return circulant(theta) @ x


def as_its_argument(y, theta):
    return y if np.iscomplexobj(theta) else y.real


def test_a_fast_product_conjugates_scales_and_is_fast():
    fft, ifft = np.fft.fft, np.fft.ifft
    tried(
        "gnn/fourier/fast_product",
        lambda theta, x: as_its_argument(ifft(fft(theta.conj()).conj() * fft(x)), theta),
        (lambda theta, x: as_its_argument(ifft(fft(theta) * fft(x)), theta), "the convolution of theta and x"),
        (lambda theta, x: as_its_argument(ifft(fft(theta).conj() * fft(x)), theta), "For a complex theta"),
        (
            lambda theta, x: as_its_argument(len(x) ** 0.5 * ifft(ifft(theta) * fft(x)), theta),
            "0.4472 times C(theta) x",
        ),
        (lambda theta, x: as_its_argument(ifft(fft(theta) * fft(x)) / 5**0.5, theta), "0.4472 times the convolution"),
        (lambda theta, x: ifft(fft(theta).conj() * fft(x)), "for real ones it is real"),
        (lambda theta, x: ifft(len(x) * ifft(theta) * fft(x)).real, "the product of complex arrays is complex"),
        (lambda theta, x: theta * x, "Entry 0 is the sum"),
        (lambda theta, x: theta @ x, "an entry for each node"),
        (correlation, "n × n"),
        (lambda theta, x: np.array([theta @ np.roll(x, -i) for i in range(len(x))]), "three transforms"),
    )


def test_the_gradient_of_a_kernel_is_summed_over_all_rows_in_the_right_direction():
    tried(
        "gnn/fourier/kernel_gradient",
        lambda x, dL_dy: sum(d * np.roll(x, -i) for i, d in enumerate(dL_dy)),
        (lambda x, dL_dy: correlation(x, dL_dy), "in row i it meets x[i + j]"),
        (lambda x, dL_dy: circulant(x).T @ dL_dy, "in row i it meets x[i + j]"),
        (lambda x, dL_dy: correlation(dL_dy, x) / len(x), "the sum over the rows"),
        (lambda x, dL_dy: x * dL_dy, "stands in every row"),
    )


def test_a_notch_takes_one_wave_away_and_leaves_constants():
    def notch(n, k, turn=2 * np.pi, scale=1.0):
        w_1 = scale / (2 - 2 * np.cos(turn * k / n))
        return w_1, scale - 2 * w_1, w_1

    tried(
        "gnn/fourier/notch",
        notch,
        (lambda n, k: notch(n, k, scale=2.0), "the weights add up to 1"),
        (lambda n, k: (1, -2 * np.cos(2 * np.pi * k / n), 1), "the weights add up to 1"),
        (lambda n, k: notch(n, k, turn=np.pi), "they add up to 0"),
        (lambda n, k: (1 / 3, 1 / 3, 1 / 3), "they add up to 0"),
        (lambda n, k: notch(n, k)[1], "must have shape (3,)"),
    )


def test_a_layer_stretches_as_its_largest_eigenvalue_is_long():
    tried(
        "gnn/fourier/stretch",
        lambda theta: max(abs(np.fft.ifft(theta, norm="forward"))),
        (lambda theta: np.abs(theta).sum(), "the largest |λ|"),
        (lambda theta: np.linalg.norm(theta), "the largest |λ|"),
        (lambda theta: np.abs(theta.sum()), "the largest |λ|"),
        (lambda theta: np.fft.fft(theta).real.max(), "the largest |λ|"),
        (lambda theta: np.abs(np.fft.fft(theta, norm="ortho")).max(), "the largest |λ|"),
        (lambda theta: np.abs(np.fft.fft(theta)), "must have shape"),
        (lambda theta: np.linalg.norm(circulant(theta), ord=2), "One transform of theta"),
    )
