"""Oracles of the exercises on the ring."""

import sys
import tracemalloc

import networkx as nx
import numpy as np
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from helpers.exercises import ExerciseFailed, expect


def spares_loops_and_matrices(candidate, arguments, says):
    """Refuse a solution that runs through more lines of Python with more nodes, or needs the room of a square array.

    ``arguments(n)`` are what it is called with for n nodes.
    """
    spares_loops(candidate, arguments, says)
    spares_matrices(candidate, arguments, says)


def spares_loops(candidate, arguments, says):
    """Refuse a solution that runs through more lines of Python with more nodes."""
    few, many = (_lines(candidate, arguments(n)) for n in (200, 400))
    if many > few + 100:
        raise ExerciseFailed(f"the result is right, and there is a loop in it over the nodes. {says}")


def spares_matrices(candidate, arguments, says):
    """Refuse a solution that needs the room of a square array."""
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
    """Bytes at most, of Python and NumPy together, or of one tensor of torch, which has its memory to itself."""
    tracemalloc.start()
    try:
        with _Tensors() as tensors:
            function(*args)
        return max(tracemalloc.get_traced_memory()[1], tensors.largest)
    finally:
        tracemalloc.stop()


class _Tensors(TorchDispatchMode):
    largest = 0

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        result = function(*args, **(kwargs or {}))
        if isinstance(result, torch.Tensor):
            self.largest = max(self.largest, 8 * result.numel())
        return result


def ring_adjacency(candidate):
    """The adjacency matrix [n, n] of the ring, against the cycle graph of networkx, rings of 1 and 2 nodes included."""
    for n in (6, 3, 2, 1, 9):
        hint = "Node i is joined to i + 1 and to i - 1, and the ring closes."
        if n < 3:
            hint = "On a ring of 2 both neighbours are one node; on a ring of 1 it is the node itself."
        expect(candidate, (n,), nx.to_numpy_array(nx.cycle_graph(n)), says=hint)


def ring_layer(candidate):
    """The ring layer with a matrix per direction, against a circular convolution of torch."""
    generator = np.random.default_rng(0)
    for n, in_channels, out_channels in ((6, 1, 1), (5, 2, 3), (4, 3, 2)):
        H = generator.standard_normal((n, in_channels))
        taps = generator.standard_normal((3, in_channels, out_channels))  # W_{-1}, W_0, W_1
        padded = torch.from_numpy(np.concatenate([H[-1:], H, H[:1]]).T)[None]  # [1, in_channels, n + 2]
        desired = torch.nn.functional.conv1d(padded, torch.from_numpy(taps.transpose(2, 1, 0).copy()))[0].T
        hint = "W_plus multiplies the features of node i + 1, W_minus those of node i - 1, and the ring closes."
        expect(candidate, (H, *taps), desired, atol=1e-12, says=hint)
    weights = np.ones((3, 2, 1))
    spares_loops_and_matrices(candidate, lambda n: (np.ones((n, 2)), *weights), "np.roll moves all rows at once.")


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
