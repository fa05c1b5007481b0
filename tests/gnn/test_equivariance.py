"""The oracles of the exercises on symmetry, and on filters of signals over a graph."""

from functools import partial

import numpy as np

from helpers import exercises
from helpers.gnn.circulant import circulant, dft_matrix
from oracles import tried


def commutes(M, A):
    return np.allclose(M @ A, A @ M)


def test_a_circulant_matrix_is_more_than_what_it_implies():
    refused = "Not circulant: "
    tried(
        "gnn/equivariance/is_circulant",
        lambda M: all(np.allclose(np.roll(row, 1), below) for row, below in zip(M, np.roll(M, -1, 0), strict=True)),
        (lambda M: np.allclose(M.sum(axis=0), M[0].sum()) and np.allclose(M.sum(axis=1), M[0].sum()), refused),
        (lambda M: np.allclose(np.sort(M), np.sort(M[0])), refused),
        (lambda M: np.allclose(M[-1], np.roll(M[0], -1)), refused),
        (lambda M: np.allclose(M[1 % len(M)], np.roll(M[0], 1)), refused),
        (lambda M: all(np.ptp(np.diag(M, k)) < 1e-9 for k in range(1 - len(M), len(M))), refused + "its diagonals"),
        (lambda M: commutes(M, M.T), refused),
        (lambda M: commutes(M, circulant(np.arange(len(M)) == 1) + circulant(np.arange(len(M)) == 1).T), refused),
        (lambda M: np.array_equal(M, circulant(M[0])), "up to rounding"),
        (lambda M: np.allclose(M, circulant(M[:, 0])), "This one is circulant"),
    )


def filter_by_recursion(c, L, x, first=lambda Lx, x: x - Lx / 2, before=1):
    t = [x, first(L @ x, x)]
    while len(t) < len(c):
        t.append(2 * t[-1] - L @ t[-1] - before * t[-2])
    return sum(c_j * t_j for c_j, t_j in zip(c, t, strict=False))


def filter_by_one_matrix(c, L, x):
    P = np.eye(len(L))
    P -= L / 2
    t = [x[:, None], np.dot(P, x[:, None])]
    while len(t) < len(c):
        t.append(2 * P.dot(t[-1]) - t[-2])
    return np.hstack(t[: len(c)]) @ c


def filter_by_matrices(c, L, x):
    T = [np.eye(len(L)), np.eye(len(L)) - L / 2]
    while len(T) < len(c):
        T.append(2 * T[1] @ T[-1] - T[-2])
    return sum(c_j * T_j for c_j, T_j in zip(c, T, strict=False)) @ x


def filter_by_eigenvectors(c, L, x):
    eigenvalue, U = np.linalg.eigh(L)
    return U @ (np.polynomial.chebyshev.chebval(1 - eigenvalue / 2, c) * (U.T @ x))


def filter_by_powers(c, L, x):
    return sum(c_j * np.linalg.matrix_power(np.eye(len(L)) - L / 2, j) @ x for j, c_j in enumerate(c))


def test_a_filter_takes_products_of_the_laplacian_with_vectors_and_no_more():
    exercises.check("gnn/equivariance/laplacian_filter", filter_by_one_matrix)
    tried(
        "gnn/equivariance/laplacian_filter",
        filter_by_recursion,
        (partial(filter_by_recursion, before=0), "not the power j"),
        (partial(filter_by_recursion, first=lambda Lx, x: Lx), "of I - L/2"),
        (lambda c, L, x: filter_by_recursion(np.append(c, 1.0), L, x), "c has length 1"),
        (filter_by_eigenvectors, "products of L with vectors"),
        (filter_by_matrices, "products of L with vectors"),
        (filter_by_powers, "products of L with vectors"),
    )


def modes(n, wave):
    Q = np.stack([wave(2 * np.pi * k * np.arange(n) / n) for k in range(n)], axis=1)
    return Q / np.linalg.norm(Q, axis=0)


def test_real_modes_are_real_orthonormal_and_know_the_reflection():
    def real_modes(n, scale=True):
        u = 2 * np.pi * np.arange(n)[:, None] / n
        Q = np.hstack([np.cos(u * np.arange(n // 2 + 1)), np.sin(u * np.arange(1, (n + 1) // 2))])
        return Q / np.linalg.norm(Q, axis=0) if scale else Q * np.sqrt(2 / n)

    tried(
        "gnn/equivariance/real_modes",
        real_modes,
        (dft_matrix, "must be a real array"),
        (partial(real_modes, scale=False), "not orthonormal"),
        (partial(modes, wave=np.cos), "not orthonormal"),
        (partial(modes, wave=lambda u: np.cos(u) + np.sin(u)), "eigenvector of J"),
        (lambda n: np.eye(n), "eigenvector of the Laplacian"),
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
