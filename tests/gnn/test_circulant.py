"""helpers.gnn.circulant: what its three functions promise, for any kernel."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from helpers.gnn.circulant import circulant, dft_matrix, eigenvalues

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
