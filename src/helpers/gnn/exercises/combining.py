"""Oracles of the exercises on sequences as graphs."""

import math
from unittest import mock

import numpy as np
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch_geometric.nn import RGCNConv

from helpers.exercises import ExerciseFailed, expect


class _Tanh(TorchDispatchMode):
    """Counts the numbers that go through tanh, be it torch's, ``np.tanh`` or ``math.tanh``: the updates of states."""

    def __init__(self):
        super().__init__()
        self.count = 0
        self.others = [mock.patch.object(module, "tanh", self._counted(module.tanh)) for module in (np, math)]

    def __enter__(self):
        for patch in self.others:
            patch.start()
        return super().__enter__()

    def __exit__(self, *raised):
        for patch in self.others:
            patch.stop()
        return super().__exit__(*raised)

    def _counted(self, function):
        def counted(x, *args, **kwargs):
            self.count += np.asarray(x).size
            return function(x, *args, **kwargs)

        return counted

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        if function.overloadpacket in (torch.ops.aten.tanh, torch.ops.aten.tanh_):
            self.count += args[0].numel()
        return function(*args, **(kwargs or {}))


def sweep(candidate):
    """A recurrent network on directed graphs without cycles, against N rounds with a dense adjacency matrix.

    Each state may be computed once: rounds over the whole graph give the same states and are no sweep.
    """
    generator = np.random.default_rng(0)
    says = "A node is updated when all that point to it are, with W_hh times the sum of their states."
    for nodes, probability in ((1, 0.0), (6, 0.5), (12, 0.3), (9, 0.0)):
        order = generator.permutation(nodes)
        A = np.triu(generator.random((nodes, nodes)) < probability, 1)[order][:, order]  # acyclic, in no order
        X, W_hx, W_hh, b_h = (generator.normal(size=s) for s in ((nodes, 2), (3, 2), (3, 3), 3))
        desired = np.zeros((nodes, 3))
        for _ in range(nodes):
            desired = np.tanh(X @ W_hx.T + A.T @ desired @ W_hh.T + b_h)
        args = [torch.from_numpy(a) for a in (X, np.argwhere(A).T.copy(), W_hx, W_hh, b_h)]
        with _Tanh() as tanh:
            expect(candidate, args, desired, atol=1e-12, says=says)
        if tanh.count != 3 * nodes:
            hint = (
                "a sweep updates each once" if tanh.count > 3 * nodes else "use torch.tanh, so that they can be counted"
            )
            raise ExerciseFailed(
                f"the states of {nodes} nodes are right, and {tanh.count // 3} were seen to be computed: {hint}"
            )


def typed_messages(candidate):
    """Messages by type and direction, against ``RGCNConv`` with a relation for each of both."""
    generator = torch.Generator().manual_seed(0)
    says = "Each edge sends h @ Theta both ways, Theta_out along it, Theta_in against it, as often as it is listed."
    for N, E, R, d in ((1, 0, 1, 2), (5, 8, 2, 3), (9, 30, 4, 2)):
        edge_index, edge_type = (torch.randint(*s, generator=generator) for s in ((N, (2, E)), (R, (E,))))
        H, *Theta = (torch.randn(*s, d, generator=generator).double() for s in ((N,), (R, d), (R, d)))
        oracle = RGCNConv(d, d, 2 * R, aggr="add", root_weight=False, bias=False)
        oracle.weight.data = torch.cat(Theta)
        edges_and_types = torch.cat([edge_index, edge_index.flip(0)], 1), torch.cat([edge_type, edge_type + R])
        desired = oracle(H, *edges_and_types).detach()
        expect(candidate, (H, edge_index, edge_type, *Theta), desired, atol=1e-12, says=says)
