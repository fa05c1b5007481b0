"""Oracles of the exercises on the Fourier modes of graphs."""

import networkx as nx
import numpy as np

from helpers.exercises import ExerciseFailed, expect


def inverse_filter(candidate):
    """The signal x [n] with C(theta) x = y, against a dense linear solve."""
    generator = np.random.default_rng(0)
    for n in (1, 4, 7, 10):
        theta, y = generator.standard_normal((2, n))
        theta[0] += n  # far from a zero eigenvalue
        C = sum(weight * np.roll(np.eye(n), j, axis=1) for j, weight in enumerate(theta))
        hint = "Divide by the eigenvalues, n times np.fft.ifft(theta): np.fft.fft(theta) holds their conjugates."
        expect(candidate, (theta, y), np.linalg.solve(C, y), atol=1e-12, says=f"{hint} And x is real.")


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


class OnlyProducts:
    """A Laplacian that can be multiplied with vectors and has nothing else; it counts how often it is."""

    __array_ufunc__ = None  # NumPy leaves all operations to this class

    def __init__(self, L):
        self._L, self.count = L, 0

    def __len__(self):
        return len(self._L)

    def __matmul__(self, vector):
        if np.ndim(vector) != 1:
            _only_vectors("multiplies L with something else than a vector")
        self.count += 1
        return self._L @ vector

    dot = __matmul__

    def __repr__(self):
        return f"Laplacian of shape {self._L.shape}"

    def __array__(self, dtype=None, copy=None):
        _only_vectors("looks at the entries of L, or does more with it than multiply")

    def __getattr__(self, name):
        if name.startswith("__"):
            raise AttributeError(name)
        _only_vectors(f"asks L for its {name}")

    def _combined(self, *others):
        _only_vectors("makes a new matrix of L")

    __add__ = __radd__ = __sub__ = __rsub__ = __mul__ = __rmul__ = __truediv__ = __neg__ = __pow__ = _combined
    __getitem__ = __iter__ = __rmatmul__ = _combined


def _only_vectors(does):
    raise ExerciseFailed(
        f"your function {does}, and only products L @ v with vectors are needed: T_0 x and T_1 x are vectors, the "
        "recursion gives each T_j x from the two before it, and (I - L/2) v is v - L @ v / 2"
    )


def laplacian_filter(candidate):
    """A Chebyshev filter on any graph, by products with vectors, against the eigendecomposition of its Laplacian."""
    generator = np.random.default_rng(0)
    for graph in (nx.cycle_graph(8), nx.star_graph(4), nx.path_graph(6)):
        matrix = nx.laplacian_matrix(graph).toarray().astype(float)
        eigenvalue, U = np.linalg.eigh(matrix)
        for K in (0, 1, 4):
            c, x = generator.standard_normal(K + 1), generator.standard_normal(len(matrix))
            desired = U @ (np.polynomial.chebyshev.chebval(1 - eigenvalue / 2, c) * (U.T @ x))
            used = []

            def with_its_own(c, x, matrix=matrix, used=used):
                used.append(OnlyProducts(matrix))
                return candidate(c, used[-1], x)

            hint = f"c has length {K + 1}; T_j is the Chebyshev polynomial of I - L/2, not the power j."
            expect(with_its_own, (c, x), desired, rtol=1e-9, atol=1e-9, says=hint)
            if used[-1].count > K:
                times = f"for {K + 1} coefficients L is multiplied {used[-1].count} times"
                raise ExerciseFailed(f"the result is right, and {times}: {K} are enough, if each T_j x is kept")
