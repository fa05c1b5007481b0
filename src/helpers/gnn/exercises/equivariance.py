"""Oracles of the exercises on symmetry."""

import numpy as np
import torch

from helpers.exercises import expect
from helpers.gnn.exercises.circulant import spares_loops_and_matrices


def is_circulant(candidate):
    """Whether a matrix is circulant: sums of rolled identities are, and are not once something is changed in them.

    With its rows in another order M keeps all sums of rows and columns and its first row; turned round it keeps the
    entries of all rows and columns, too, and commutes with what does not know left from right.
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
        if n > 3:
            hint = "Not circulant: two rows have changed places, which no sum of a row or column tells."
            expect(candidate, (M[[*range(n - 2), n - 1, n - 2]],), False, says=hint)
            hint = "Not circulant: its first two rows are as they should be, and the others repeat them."
            expect(candidate, (M[np.arange(n) % 2],), False, says=hint)
        if n > 2:
            hint = "Not circulant: each row is the one above moved to the left, not to the right."
            expect(candidate, (M[:, ::-1],), False, says=hint)
    toeplitz = np.array([[2.0, 1.0, 0.0], [1.0, 2.0, 1.0], [0.0, 1.0, 2.0]])
    expect(candidate, (toeplitz,), False, says="Not circulant: its diagonals are constant, and do not wrap around.")


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
