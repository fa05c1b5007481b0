"""The oracles of the exercises on symmetry."""

import numpy as np

from helpers.gnn.circulant import circulant
from oracles import tried


def commutes(M, A):
    return np.allclose(M @ A, A @ M)


def test_a_circulant_matrix_is_more_than_what_it_implies():
    refused = "Not circulant: "
    tried(
        "gnn/equivariance/is_circulant",
        lambda M: all(np.allclose(np.roll(row, 1), below) for row, below in zip(M, np.roll(M, -1, 0), strict=True)),
        (lambda M: np.allclose(M.sum(axis=0), M[0].sum()) and np.allclose(M.sum(axis=1), M[0].sum()), refused),
        (lambda M: bool(np.ptp(M.sum(axis=1)) < 1e-9), refused),
        (lambda M: np.allclose(np.sort(M), np.sort(M[0])), refused),
        (lambda M: np.allclose(np.sort(M[0]), np.sort(M[:, 0])), refused),
        (lambda M: bool(np.ptp(M.sum(axis=0)) < 1e-9 and np.ptp(M.sum(axis=1)) < 1e-9), "two rows have changed places"),
        (lambda M: np.allclose(M[-1], np.roll(M[0], -1)), refused),
        (lambda M: np.allclose(M[1 % len(M)], np.roll(M[0], 1)), refused),
        (lambda M: all(np.ptp(np.diag(M, k)) < 1e-9 for k in range(1 - len(M), len(M))), refused + "its diagonals"),
        (lambda M: commutes(M, M.T), refused),
        (lambda M: commutes(M, circulant(np.arange(len(M)) == 1) + circulant(np.arange(len(M)) == 1).T), refused),
        (lambda M: np.array_equal(M, circulant(M[0])), "up to rounding"),
        (lambda M: np.allclose(M, circulant(M[:, 0])), "This one is circulant"),
    )


def test_a_product_on_the_torus_goes_both_ways_and_conjugates_the_kernel():
    fft2, ifft2 = np.fft.fft2, np.fft.ifft2

    def by_rolling(kernel, image):
        return sum(kernel[a, b] * np.roll(image, (-a, -b), (0, 1)) for a, b in np.ndindex(image.shape))

    tried(
        "gnn/equivariance/torus_product",
        lambda kernel, image: ifft2(ifft2(kernel) * fft2(image)).real * image.size,
        (lambda kernel, image: ifft2(fft2(kernel) * fft2(image)).real, "conjugated"),
        (lambda kernel, image: ifft2(fft2(kernel) * fft2(image).conj()).real, "conjugated"),
        (lambda kernel, image: np.fft.ifft(np.fft.fft(kernel).conj() * np.fft.fft(image)).real, "both ways"),
        (lambda kernel, image: ifft2(fft2(kernel).conj() * fft2(image)), "is the result real"),
        (by_rolling, "fft2"),
    )
