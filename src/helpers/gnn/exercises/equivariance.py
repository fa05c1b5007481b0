"""Oracles of the exercises on symmetry, and on filters of signals over a graph."""

import networkx as nx
import numpy as np
import torch

from helpers.exercises import ExerciseFailed, expect
from helpers.gnn.exercises.circulant import spares_loops_and_matrices


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
    spares_loops_and_matrices(candidate, lambda n: (np.ones((20, n // 20)), np.ones((20, n // 20))), hint)
