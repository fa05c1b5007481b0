"""helpers.gnn.circulant: what its three functions promise, for any kernel; and the oracles of the chapter."""

from functools import partial

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

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


def ring_layer_by_tensors(*args):
    H, W_minus, W_0, W_plus = map(torch.from_numpy, args)
    S = torch.eye(len(H), dtype=H.dtype).roll(1, dims=1)
    return (H @ W_0 + S @ H @ W_plus + S.T @ H @ W_minus).numpy()


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
        (ring_layer_by_tensors, "an n × n array"),
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
