"""Circulant matrices and the Fourier modes that diagonalise them all.

A circulant matrix is a linear map on signals over a ring of ``n`` nodes that gives every node the same weights. Its
first row is the kernel ``theta`` [n]; indices count from 0 and are taken modulo n. Derived in ``book/gnn/circulant``
and ``book/gnn/fourier``; see also Gray, *Toeplitz and Circulant Matrices: A Review* (2006).
"""

import operator

import numpy as np


def circulant(theta):
    """The circulant matrix C [n, n] whose first row is ``theta`` [n]: C[i, j] = theta[(j - i) mod n], dtype kept.

    ``C @ x`` is the cross-correlation of x with theta on the ring; ``C.T @ x`` is the convolution.
    Raises ValueError when theta is not one-dimensional or is empty.
    """
    theta = _kernel(theta)
    node = np.arange(len(theta))
    return theta[(node[None, :] - node[:, None]) % len(theta)]


def dft_matrix(n):
    """The unitary matrix Phi [n, n] of the inverse DFT: Phi[u, k] = exp(2 pi i u k / n) / sqrt(n).

    Column k is Fourier mode k. ``Phi.conj().T @ x`` is the unitary DFT of x [n], ``numpy.fft.fft(x, norm="ortho")``.
    Raises TypeError when n is no integer and ValueError when it is less than 1.
    """
    n = operator.index(n)
    if n < 1:
        raise ValueError(f"n must be at least 1, got {n}")
    node = np.arange(n)
    # The phase is reduced while it is still an integer: exp(2 pi i u k / n) would lose digits as u k grows.
    return np.exp(2j * np.pi / n * (np.outer(node, node) % n)) / np.sqrt(n)


def eigenvalues(theta):
    """The eigenvalues lambda [n] of ``circulant(theta)``, in the order of the columns of ``dft_matrix(n)``.

    lambda[k] = sum_j theta[j] exp(2 pi i j k / n), by one FFT, for real and complex theta [n].
    Raises ValueError when theta is not one-dimensional or is empty.
    """
    # The sign of the exponent is that of NumPy's inverse transform; "forward" leaves its 1/n to the other direction.
    return np.fft.ifft(_kernel(theta), norm="forward")


def _kernel(theta):
    theta = np.asarray(theta)
    if theta.ndim != 1 or theta.size == 0:
        raise ValueError(f"theta must be one-dimensional and not empty, got shape {theta.shape}")
    return theta
