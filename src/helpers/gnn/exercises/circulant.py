"""Oracles of the exercises on the ring."""

import sys
import tracemalloc

import networkx as nx
import numpy as np
import torch

from helpers.exercises import ExerciseFailed, expect


def _spares_loops_and_matrices(candidate, arguments, says):
    """Refuse a solution that runs through more lines of Python with more nodes, or needs the room of a square array.

    ``arguments(n)`` are what it is called with for n nodes.
    """
    few, many = (_lines(candidate, arguments(n)) for n in (200, 400))
    if many > few + 100:
        raise ExerciseFailed(f"the result is right, and there is a loop in it over the nodes. {says}")
    if _room(candidate, arguments(400)) > 400**2:  # bytes, which an n × n array takes even if it holds bools
        raise ExerciseFailed(f"the result is right, and there is an n × n array on the way. {says}")


def _lines(function, args):
    lines, before = 0, sys.gettrace()

    def trace(frame, event, arg):
        nonlocal lines
        lines += event == "line"
        return trace

    sys.settrace(trace)
    try:
        function(*args)
    finally:
        sys.settrace(before)
    return lines


def _room(function, args):
    tracemalloc.start()
    try:
        function(*args)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def ring_adjacency(candidate):
    """The adjacency matrix [n, n] of the ring, against the cycle graph of networkx, rings of 1 and 2 nodes included."""
    for n in (6, 3, 2, 1, 9):
        hint = "Node i is joined to i + 1 and to i - 1, and the ring closes."
        if n < 3:
            hint = "On a ring of 2 both neighbours are one node; on a ring of 1 it is the node itself."
        expect(candidate, (n,), nx.to_numpy_array(nx.cycle_graph(n)), says=hint)


def ring_layer(candidate):
    """The ring layer with a matrix a direction, against a circular convolution of torch."""
    generator = np.random.default_rng(0)
    for n, in_channels, out_channels in ((6, 1, 1), (5, 2, 3), (4, 3, 2)):
        H = generator.standard_normal((n, in_channels))
        taps = generator.standard_normal((3, in_channels, out_channels))  # W_{-1}, W_0, W_1
        padded = torch.from_numpy(np.concatenate([H[-1:], H, H[:1]]).T)[None]  # [1, in_channels, n + 2]
        desired = torch.nn.functional.conv1d(padded, torch.from_numpy(taps.transpose(2, 1, 0).copy()))[0].T
        hint = "W_plus multiplies the features of node i + 1, W_minus those of node i - 1, and the ring closes."
        expect(candidate, (H, *taps), desired, atol=1e-12, says=hint)
    weights = np.ones((3, 2, 1))
    _spares_loops_and_matrices(candidate, lambda n: (np.ones((n, 2)), *weights), "np.roll moves all rows at once.")


def true_convolution(candidate):
    """The convolution on the ring, against the product of polynomials (``numpy.convolve``) with z^n replaced by 1."""
    generator = np.random.default_rng(0)
    for n in (1, 2, 5, 8):
        theta, x = generator.standard_normal((2, n))
        product = np.append(np.convolve(theta, x), 0.0)  # [2n], powers 0 to 2n - 1
        hint = "The sum is over theta[j] x[i - j], with i - j modulo n."
        expect(candidate, (theta, x), product[:n] + product[n:], atol=1e-12, says=hint)


def shift_kernel(candidate):
    """The kernel [n] whose layer moves a signal by m places, against the rows of a rolled identity."""
    for n, m in ((6, 1), (6, 0), (6, 4), (5, -1), (5, 12), (4, -9), (1, 3)):
        hint = "C(theta) x must have the entries x[i + m], with i + m modulo n."
        expect(candidate, (n, m), np.roll(np.eye(n), m, axis=1)[0], says=hint)


def fast_product(candidate):
    """C(theta) x by FFT, against rolled copies of x; the last case is out of reach of the dense product."""
    generator = np.random.default_rng(0)
    for imaginary in (0, 1j):
        hint = "Entry 0 is the sum of theta[j] x[j]: is the right factor conjugated, and does each root of n cancel?"
        if imaginary:
            hint = "For a complex theta the eigenvalues are not the conjugates of its DFT."
        hint += " The product of complex arrays is complex, and for real ones it is real."
        for n in (5, 8, 15, 1):
            theta, x = generator.standard_normal((2, n)) + imaginary * generator.standard_normal((2, n))
            expect(candidate, (theta, x), _rolled_sum(theta, x), atol=1e-12, says=hint)
    hint = "It takes three transforms, and what stands between them is entry by entry."
    _spares_loops_and_matrices(candidate, lambda n: (np.ones(n), np.ones(n)), hint)
    theta, x = np.zeros(2**20), generator.standard_normal(2**20)
    theta[[0, 1, 77]] = 0.5, -1.0, 2.0
    expect(candidate, (theta, x), _rolled_sum(theta, x), atol=1e-9, says="Rounding grows with n: use np.fft alone.")


def _rolled_sum(theta, x):
    return sum((theta[j] * np.roll(x, -j) for j in np.flatnonzero(theta)), np.zeros_like(x))


def is_circulant(candidate):
    """Whether a matrix is circulant: sums of rolled identities are, and are not with an entry changed or turned round.

    Turned round, M has the same sums and entries in all rows and columns, and commutes with what does not know left
    from right.
    """
    generator = np.random.default_rng(0)
    for n in (1, 2, 5, 8):
        M = sum(weight * np.roll(np.eye(n), j, axis=1) for j, weight in enumerate(generator.standard_normal(n)))
        expect(candidate, (M,), True, says="This one is circulant.")
        expect(candidate, (M @ M,), True, says="This one is circulant up to rounding: compare with a tolerance.")
        for row in range(n if n > 1 else 0):
            broken = M.copy()
            broken[row, 3 * row % n] += 0.1
            hint = f"Not circulant: one entry of row {row} differs from those of the other rows, each moved by one."
            expect(candidate, (broken,), False, says=hint)
        if n > 2:
            hint = "Not circulant: each row is the one above moved to the left, not to the right."
            expect(candidate, (M[:, ::-1],), False, says=hint)
    toeplitz = np.array([[2.0, 1.0, 0.0], [1.0, 2.0, 1.0], [0.0, 1.0, 2.0]])
    expect(candidate, (toeplitz,), False, says="Not circulant: its diagonals are constant, and do not wrap around.")


def kernel_gradient(candidate):
    """The gradient of a loss with respect to the shared kernel [n], against autograd through torch's convolution."""
    generator = np.random.default_rng(0)
    for n in (1, 4, 7):
        x, dL_dy = generator.standard_normal((2, n))
        theta = torch.zeros(n, dtype=torch.float64, requires_grad=True)
        wrapped = torch.from_numpy(np.concatenate([x, x[:-1]]))[None, None]  # so that window i is x_i, …, x_{i+n-1}
        y = torch.nn.functional.conv1d(wrapped, theta[None, None])[0, 0]
        y.backward(torch.from_numpy(dL_dy))
        hint = (
            "theta[j] stands in every row of C: its gradient is the sum over the rows, and in row i it meets x[i + j]."
        )
        expect(candidate, (x, dL_dy), theta.grad, atol=1e-12, says=hint)


def inverse_filter(candidate):
    """The signal x [n] with C(theta) x = y, against a dense linear solve."""
    generator = np.random.default_rng(0)
    for n in (1, 4, 7, 10):
        theta, y = generator.standard_normal((2, n))
        theta[0] += n  # far from a zero eigenvalue
        C = sum(weight * np.roll(np.eye(n), j, axis=1) for j, weight in enumerate(theta))
        hint = "Divide by the eigenvalues, n times np.fft.ifft(theta): np.fft.fft(theta) holds their conjugates."
        expect(candidate, (theta, y), np.linalg.solve(C, y), atol=1e-12, says=f"{hint} And x is real.")


class Laplacian(np.ndarray):
    """A matrix whose sums and multiples are such matrices again, and which is multiplied with vectors alone."""

    def __array_ufunc__(self, ufunc, method, *inputs, out=None, **kwargs):
        arrays = [np.asarray(entry) for entry in inputs]
        if ufunc is np.matmul and all(array.ndim > 1 and min(array.shape) > 1 for array in arrays):
            _refuse_matrices("multiplies L with a matrix")
        if out is not None:
            kwargs["out"] = tuple(np.asarray(entry) for entry in out)
        result = getattr(ufunc, method)(*arrays, **kwargs)
        return result.view(Laplacian) if np.shape(result) == self.shape else result

    def __array_function__(self, function, types, args, kwargs):
        if function is np.dot:
            return np.matmul(*args)
        if function.__module__ == "numpy.linalg":
            _refuse_matrices(f"calls np.linalg.{function.__name__}")
        return super().__array_function__(function, types, args, kwargs)

    def dot(self, other):
        return self @ other


def _refuse_matrices(does):
    raise ExerciseFailed(
        f"your function {does}, and nothing but products of L with vectors is needed: T_0 x and T_1 x are vectors, and "
        "the recursion of the Chebyshev polynomials gives each T_j x from the two before it"
    )


def laplacian_filter(candidate):
    """A Chebyshev filter on any graph, by products with vectors, against the eigendecomposition of its Laplacian."""
    generator = np.random.default_rng(0)
    for graph in (nx.cycle_graph(8), nx.star_graph(4), nx.path_graph(6)):
        L = nx.laplacian_matrix(graph).toarray().astype(float)
        eigenvalue, U = np.linalg.eigh(L)
        for count in (1, 2, 5):
            c, x = generator.standard_normal(count), generator.standard_normal(len(L))
            desired = U @ (np.polynomial.chebyshev.chebval(1 - eigenvalue / 2, c) * (U.T @ x))
            hint = f"c has length {count}; T_j is the Chebyshev polynomial of I - L/2, not the power j."
            expect(candidate, (c, L.view(Laplacian), x), desired, rtol=1e-9, atol=1e-9, says=hint)


def real_modes(candidate):
    """An orthogonal matrix of common eigenvectors of the ring's Laplacian and its reflection, by their definitions."""
    for n in (3, 4, 7, 8):
        Q = candidate(n)
        if not (isinstance(Q, np.ndarray) and Q.shape == (n, n) and np.isrealobj(Q)):
            raise ExerciseFailed(f"real_modes({n}) must be a real array of shape ({n}, {n})")
        if not np.allclose(Q.T @ Q, np.eye(n), atol=1e-12):
            raise ExerciseFailed(f"the columns of real_modes({n}) are not orthonormal: Q.T @ Q is not the identity")
        reflection = np.eye(n)[-np.arange(n) % n]
        for name, M in (("the Laplacian", nx.laplacian_matrix(nx.cycle_graph(n)).toarray()), ("J", reflection)):
            turned = Q.T @ M @ Q
            if not np.allclose(turned, np.diag(np.diag(turned)), atol=1e-12):
                raise ExerciseFailed(f"not every column of real_modes({n}) is an eigenvector of {name}")


def torus_product(candidate):
    """The cross-correlation of an image with a kernel of its own size, wrapped both ways, against torch."""
    generator = np.random.default_rng(0)
    for shape in ((1, 1), (3, 4), (5, 5), (6, 2)):
        kernel, image = generator.standard_normal((2, *shape))
        wrapped = torch.from_numpy(np.pad(image, ((0, shape[0] - 1), (0, shape[1] - 1)), mode="wrap"))
        desired = torch.nn.functional.conv2d(wrapped[None, None], torch.from_numpy(kernel)[None, None])[0, 0]
        hint = "Entry [0, 0] is the sum of kernel[a, b] image[a, b]: is the right factor conjugated?"
        hint += " Do the transforms go both ways, and is the result real?"
        expect(candidate, (kernel, image), desired, atol=1e-12, says=hint)
    hint = "Two transforms with np.fft.fft2 and one back do it in O(hw log hw)."
    _spares_loops_and_matrices(candidate, lambda n: (np.ones((20, n // 20)), np.ones((20, n // 20))), hint)
