"""helpers.gnn.circulant: what its three functions promise, for any kernel; and the oracles of the chapter."""

from functools import partial

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from helpers import exercises
from helpers.gnn.circulant import circulant, dft_matrix, eigenvalues
from oracles import tried

# Rounding grows with n and with the size of the entries; these bounds keep an absolute tolerance meaningful.
SIZES = st.integers(1, 24)
FLOATS = st.floats(-10, 10, allow_subnormal=False)
COMPLEX = st.complex_numbers(max_magnitude=10, allow_nan=False, allow_infinity=False, allow_subnormal=False)
REAL_KERNELS = hnp.arrays(float, SIZES, elements=FLOATS)
KERNELS = st.one_of(REAL_KERNELS, hnp.arrays(complex, SIZES, elements=COMPLEX))
CLOSE = {"rtol": 0, "atol": 1e-10}


def signal_like(theta):
    return np.random.default_rng(len(theta)).standard_normal(len(theta))


def test_first_row_is_the_kernel_and_each_row_is_the_one_above_moved_right():
    expected = [[1, 2, 3, 4], [4, 1, 2, 3], [3, 4, 1, 2], [2, 3, 4, 1]]
    np.testing.assert_array_equal(circulant([1, 2, 3, 4]), expected)


@given(REAL_KERNELS)
def test_circulant_is_the_cross_correlation_on_the_ring(theta):
    x, n = signal_like(theta), len(theta)
    by_loops = [sum(theta[j] * x[(i + j) % n] for j in range(n)) for i in range(n)]
    np.testing.assert_allclose(circulant(theta) @ x, by_loops, **CLOSE)


@given(KERNELS, KERNELS)
def test_circulants_commute_and_their_product_is_circulant(a, b):
    n = min(len(a), len(b))
    A, B = circulant(a[:n]), circulant(b[:n])
    np.testing.assert_allclose(A @ B, B @ A, rtol=0, atol=1e-9)
    np.testing.assert_allclose(A @ B, circulant((A @ B)[0]), rtol=0, atol=1e-9)


@given(KERNELS)
def test_circulant_commutes_with_the_shift(theta):
    C = circulant(theta)
    np.testing.assert_array_equal(np.roll(C, (1, 1), axis=(0, 1)), C)


@given(SIZES)
def test_modes_are_orthonormal_and_symmetric(n):
    Phi = dft_matrix(n)
    np.testing.assert_allclose(Phi.conj().T @ Phi, np.eye(n), **CLOSE)
    np.testing.assert_array_equal(Phi, Phi.T)


@given(KERNELS)
def test_dft_matrix_is_numpys_unitary_transform(x):
    Phi = dft_matrix(len(x))
    np.testing.assert_allclose(Phi.conj().T @ x, np.fft.fft(x, norm="ortho"), **CLOSE)
    np.testing.assert_allclose(Phi @ x, np.fft.ifft(x, norm="ortho"), **CLOSE)


@given(KERNELS)
def test_modes_diagonalise_the_circulant_in_their_order(theta):
    Phi, eigenvalue = dft_matrix(len(theta)), eigenvalues(theta)
    np.testing.assert_allclose(circulant(theta) @ Phi, Phi * eigenvalue, **CLOSE)


@given(REAL_KERNELS)
def test_eigenvalues_of_a_real_kernel_come_in_conjugate_pairs(theta):
    eigenvalue = eigenvalues(theta)
    np.testing.assert_allclose(eigenvalue, np.roll(eigenvalue[::-1], 1).conj(), **CLOSE)


def test_eigenvalues_of_the_shift_are_the_roots_of_unity_counter_clockwise():
    np.testing.assert_allclose(eigenvalues([0, 1, 0, 0]), [1, 1j, -1, -1j], atol=1e-15)


def test_phases_stay_accurate_for_a_large_ring():
    n = 2003
    last = dft_matrix(n)[-1] * np.sqrt(n)  # u = -1 mod n, so that these are the conjugates of u = 1
    np.testing.assert_allclose(last, np.exp(-2j * np.pi * np.arange(n) / n), rtol=0, atol=5e-15)


@pytest.mark.parametrize("dtype", [np.int64, np.float32, np.float64, np.complex128])
def test_circulant_keeps_the_dtype(dtype):
    assert circulant(np.ones(3, dtype)).dtype == dtype


def test_circulant_does_not_share_memory_with_its_kernel():
    theta = np.ones(1)
    circulant(theta)[0, 0] = 5
    assert theta[0] == 1


@pytest.mark.parametrize("function", [circulant, eigenvalues])
@pytest.mark.parametrize("theta", [[], 3.0, [[1.0, 2.0]]])
def test_a_kernel_that_is_no_vector_is_refused(function, theta):
    with pytest.raises(ValueError, match="one-dimensional and not empty"):
        function(theta)


@pytest.mark.parametrize("n", [0, -2])
def test_a_ring_without_nodes_is_refused(n):
    with pytest.raises(ValueError, match="at least 1"):
        dft_matrix(n)


def test_a_size_that_is_no_integer_is_refused():
    with pytest.raises(TypeError):
        dft_matrix(2.5)


def test_a_ring_closes_goes_both_ways_and_may_be_small():
    shift = partial(np.roll, shift=1, axis=1)
    tried(
        "gnn/circulant/ring_adjacency",
        lambda n: np.maximum(shift(np.eye(n)), shift(np.eye(n)).T),
        (lambda n: np.eye(n, k=1) + np.eye(n, k=-1), "the ring closes"),
        (lambda n: shift(np.eye(n)), "to i + 1 and to i - 1"),
        (lambda n: shift(np.eye(n)) + shift(np.eye(n)).T, "both neighbours are one node"),
    )


def ring_layer(H, W_minus, W_0, W_plus, following=-1):
    return H @ W_0 + np.roll(H, following, 0) @ W_plus + np.roll(H, -following, 0) @ W_minus


def ring_layer_by_loop(H, W_minus, W_0, W_plus):
    n = len(H)
    return np.stack([H[i] @ W_0 + H[(i + 1) % n] @ W_plus + H[i - 1] @ W_minus for i in range(n)])


def ring_layer_by_matrix(H, W_minus, W_0, W_plus):
    S = circulant(np.arange(len(H)) == 1)
    return H @ W_0 + S @ H @ W_plus + S.T @ H @ W_minus


def ring_layer_of_a_path(H, W_minus, W_0, W_plus):
    padded = np.pad(H, ((1, 1), (0, 0)))
    return padded[:-2] @ W_minus + H @ W_0 + padded[2:] @ W_plus


def test_a_ring_layer_knows_its_directions_and_needs_neither_loop_nor_matrix():
    tried(
        "gnn/circulant/ring_layer",
        ring_layer,
        (partial(ring_layer, following=1), "W_plus multiplies the features of node i + 1"),
        (lambda H, W_minus, W_0, W_plus: ring_layer(H, W_plus, W_0, W_plus), "W_minus those of node i - 1"),
        (ring_layer_of_a_path, "the ring closes"),
        (ring_layer_by_loop, "np.roll moves all rows at once"),
        (ring_layer_by_matrix, "np.roll moves all rows at once"),
    )


def correlation(theta, x):
    return circulant(theta) @ x


def test_a_true_convolution_runs_backwards_around_the_ring():
    tried(
        "gnn/circulant/true_convolution",
        lambda theta, x: np.fft.ifft(np.fft.fft(theta) * np.fft.fft(x)).real,
        (correlation, "theta[j] x[i - j]"),
        (lambda theta, x: correlation(theta[::-1], x), "theta[j] x[i - j]"),
        (lambda theta, x: np.convolve(theta, x)[: len(x)], "modulo n"),
        (lambda theta, x: np.convolve(theta, x, mode="same"), "modulo n"),
    )


def test_a_shift_goes_the_right_way_any_number_of_places():
    tried(
        "gnn/circulant/shift_kernel",
        lambda n, m: np.roll(np.eye(n)[0], m),
        (lambda n, m: np.roll(np.eye(n)[0], -m), "x[i + m]"),
        (lambda n, m: np.eye(n)[abs(m) % n], "x[i + m]"),
        (lambda n, m: np.eye(n)[min(m, n - 1)], "i + m modulo n"),
        (lambda n, m: np.eye(1, n, k=m)[0], "i + m modulo n"),
    )


def as_its_argument(y, theta):
    return y if np.iscomplexobj(theta) else y.real


def test_a_fast_product_conjugates_scales_and_is_fast():
    fft, ifft = np.fft.fft, np.fft.ifft
    tried(
        "gnn/circulant/fast_product",
        lambda theta, x: as_its_argument(ifft(fft(theta.conj()).conj() * fft(x)), theta),
        (lambda theta, x: as_its_argument(ifft(fft(theta) * fft(x)), theta), "conjugated"),
        (lambda theta, x: as_its_argument(ifft(fft(theta).conj() * fft(x)), theta), "For a complex theta"),
        (lambda theta, x: as_its_argument(len(x) ** 0.5 * ifft(ifft(theta) * fft(x)), theta), "root of n"),
        (lambda theta, x: ifft(fft(theta).conj() * fft(x)), "for real ones it is real"),
        (lambda theta, x: ifft(len(x) * ifft(theta) * fft(x)).real, "For a complex theta"),
        (correlation, "n × n"),
        (lambda theta, x: np.array([theta @ np.roll(x, -i) for i in range(len(x))]), "three transforms"),
    )


def commutes(M, A):
    return np.allclose(M @ A, A @ M)


def test_a_circulant_matrix_is_more_than_what_it_implies():
    refused = "Not circulant: "
    tried(
        "gnn/circulant/is_circulant",
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


def test_the_gradient_of_a_kernel_is_summed_over_all_rows_in_the_right_direction():
    tried(
        "gnn/circulant/kernel_gradient",
        lambda x, dL_dy: sum(d * np.roll(x, -i) for i, d in enumerate(dL_dy)),
        (lambda x, dL_dy: correlation(x, dL_dy), "in row i it meets x[i + j]"),
        (lambda x, dL_dy: circulant(x).T @ dL_dy, "in row i it meets x[i + j]"),
        (lambda x, dL_dy: correlation(dL_dy, x) / len(x), "the sum over the rows"),
        (lambda x, dL_dy: x * dL_dy, "stands in every row"),
    )


def test_an_inverse_filter_divides_by_the_eigenvalues_themselves():
    def filtered(y, factor):
        return np.fft.ifft(factor * np.fft.fft(y)).real

    tried(
        "gnn/circulant/inverse_filter",
        lambda theta, y: np.linalg.solve(circulant(theta), y),
        (lambda theta, y: filtered(y, 1 / np.fft.fft(theta)), "their conjugates"),
        (lambda theta, y: filtered(y, 1 / np.fft.ifft(theta)), "n times np.fft.ifft(theta)"),
        (lambda theta, y: filtered(y, eigenvalues(theta).conj()), "Divide by the eigenvalues"),
        (lambda theta, y: np.fft.ifft(np.fft.fft(y) / eigenvalues(theta)), "x is real"),
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
    exercises.check("gnn/circulant/laplacian_filter", filter_by_one_matrix)
    tried(
        "gnn/circulant/laplacian_filter",
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
        "gnn/circulant/real_modes",
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
        "gnn/circulant/torus_product",
        lambda kernel, image: ifft2(ifft2(kernel) * fft2(image)).real * image.size,
        (lambda kernel, image: ifft2(fft2(kernel) * fft2(image)).real, "conjugated"),
        (lambda kernel, image: ifft2(fft2(kernel) * fft2(image).conj()).real, "conjugated"),
        (lambda kernel, image: np.fft.ifft(np.fft.fft(kernel).conj() * np.fft.fft(image)).real, "both ways"),
        (lambda kernel, image: ifft2(fft2(kernel).conj() * fft2(image)), "is the result real"),
        (by_rolling, "fft2"),
    )
