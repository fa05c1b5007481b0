"""The oracles of the exercises on the Fourier modes of graphs."""

from functools import partial

import numpy as np

from helpers.gnn.circulant import circulant, dft_matrix, eigenvalues
from oracles import tried


def test_an_inverse_filter_divides_by_the_eigenvalues_themselves():
    def filtered(y, factor):
        return np.fft.ifft(factor * np.fft.fft(y)).real

    tried(
        "gnn/modes/inverse_filter",
        lambda theta, y: np.linalg.solve(circulant(theta), y),
        (lambda theta, y: filtered(y, 1 / np.fft.fft(theta)), "their conjugates"),
        (lambda theta, y: filtered(y, 1 / np.fft.ifft(theta)), "n times np.fft.ifft(theta)"),
        (lambda theta, y: filtered(y, eigenvalues(theta).conj()), "Divide by the eigenvalues"),
        (lambda theta, y: np.fft.ifft(np.fft.fft(y) / eigenvalues(theta)), "x is real"),
    )


def filter_by_recursion(c, L, x, first=lambda Lx, x: x - Lx / 2, before=1):
    t = [x]
    if len(c) > 1:
        t.append(first(L @ x, x))
    while len(t) < len(c):
        t.append(2 * t[-1] - L @ t[-1] - before * t[-2])
    return sum(c_j * t_j for c_j, t_j in zip(c, t, strict=True))


def filter_with_one_product_left_over(c, L, x):
    return filter_by_recursion(np.append(c, 0.0), L, x)


def filter_from_the_start_each_time(c, L, x):
    return sum(c_j * filter_by_recursion(np.eye(len(c))[j, : j + 1], L, x) for j, c_j in enumerate(c))


def filter_by_one_matrix(c, L, x):
    P = np.eye(len(L)) - L / 2
    return filter_by_recursion(c, 2 * (np.eye(len(L)) - P), x)


def filter_by_matrices(c, L, x):
    T = [np.eye(len(L)), np.eye(len(L)) - L @ np.eye(len(L)) / 2]
    while len(T) < len(c):
        T.append(2 * T[1] @ T[-1] - T[-2])
    return sum(c_j * T_j for c_j, T_j in zip(c, T, strict=False)) @ x


def filter_by_eigenvectors(c, L, x):
    eigenvalue, U = np.linalg.eigh(L)
    return U @ (np.polynomial.chebyshev.chebval(1 - eigenvalue / 2, c) * (U.T @ x))


def filter_by_powers(c, L, x):
    t = [x]
    while len(t) < len(c):
        t.append(t[-1] - L @ t[-1] / 2)
    return np.dot(c, t)


def test_a_filter_takes_products_of_the_laplacian_with_vectors_and_no_more():
    tried(
        "gnn/modes/laplacian_filter",
        filter_by_recursion,
        (partial(filter_by_recursion, before=0), "not the power j"),
        (partial(filter_by_recursion, first=lambda Lx, x: Lx), "of I - L/2"),
        (filter_by_powers, "not the power j"),
        (lambda c, L, x: filter_by_recursion(np.append(c, 1.0), L, x), "c has length 1"),
        (filter_with_one_product_left_over, "0 are enough"),
        (filter_from_the_start_each_time, "are enough, if each T_j x is kept"),
        (filter_by_one_matrix, "makes a new matrix of L"),
        (filter_by_matrices, "something else than a vector"),
        (filter_by_eigenvectors, "products L @ v with vectors"),
        (lambda c, L, x: filter_by_recursion(c, np.array(L), x), "entries of L"),
        (lambda c, L, x: filter_by_recursion(c, L.T, x), "asks L for its T"),
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
        "gnn/modes/real_modes",
        real_modes,
        (dft_matrix, "must be a real array"),
        (partial(real_modes, scale=False), "not orthonormal"),
        (partial(modes, wave=np.cos), "not orthonormal"),
        (partial(modes, wave=lambda u: np.cos(u) + np.sin(u)), "eigenvector of J"),
        (lambda n: np.eye(n), "eigenvector of the Laplacian"),
    )
