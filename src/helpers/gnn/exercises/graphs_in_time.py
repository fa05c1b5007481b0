"""Oracles of the exercises on graphs in time."""

import networkx as nx
import numpy as np
import torch

from helpers.exercises import expect


def next_frame(candidate):
    """The next positions of a net, against powers of the matrix that moves positions and velocities."""
    generator = np.random.default_rng(0)
    for n in (1, 4, 9):
        L = nx.laplacian_matrix(nx.path_graph(n)).toarray() * 1.0
        kappa, kappa_0, nu = generator.uniform(0, 0.3, 3).tolist()
        pull, keep = -kappa * L - kappa_0 * np.eye(n), (1 - nu) * np.eye(n)
        F, state = np.block([[np.eye(n) + pull, keep], [pull, keep]]), generator.normal(size=2 * n)
        before, now, after = (torch.from_numpy((np.linalg.matrix_power(F, k) @ state)[:n]) for k in range(3))
        args = now, before, torch.from_numpy(L), kappa, kappa_0, nu
        expect(candidate, args, after, atol=1e-12, says="All pulls are those at x_now; the velocity led there.")


def first_heard(candidate):
    """When news arrives in a graph whose edges change, against paths in the graph with a node for each knot and frame.

    An arrow leads from ("input", j) to (i, 0), and from (j, t - 1) to (i, t), where i hears j in frame t or is j.
    """
    generator = np.random.default_rng(0)
    says = "The input hops from j to i where A[t, i, j] is 1, or pauses: once in frame 0, and once more in each frame."
    for T, N, probability in ((1, 2, 0.5), (2, 3, 0.4), (5, 6, 0.12), (8, 9, 0.1)):
        A = (generator.random((T, N, N)) < probability) & ~np.eye(N, dtype=bool)
        arrows = nx.DiGraph()
        for t, i, j in np.argwhere(A | np.eye(N, dtype=bool)).tolist():
            arrows.add_edge((j, t - 1) if t else ("input", j), (i, t))
        for j in range(N):
            reached = nx.descendants(arrows, ("input", j))
            for i in range(N):
                desired = min((t for t in range(T) if (i, t) in reached), default=T)
                expect(candidate, (torch.from_numpy(A).double(), i, j), desired, says=says)
