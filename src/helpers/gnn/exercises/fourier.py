"""Oracles of the exercises on the Fourier modes of a ring."""

import numpy as np
import torch

from helpers.exercises import expect
from helpers.gnn.exercises.circulant import spares_loops_and_matrices


def fast_product(candidate):
    """C(theta) x by FFT, against rolled copies of x; the last case is out of reach of the dense product."""
    generator = np.random.default_rng(0)
    for imaginary in (0, 1j):
        for n in (5, 8, 15, 1):
            theta, x = generator.standard_normal((2, n)) + imaginary * generator.standard_normal((2, n))
            desired = _rolled_sum(theta, x)
            expect(candidate, (theta, x), desired, atol=1e-12, says=_what_is_off(candidate, theta, x, desired))
    hint = "It takes three transforms, and what stands between them is entry by entry."
    spares_loops_and_matrices(candidate, lambda n: (np.ones(n), np.ones(n)), hint)
    theta, x = np.zeros(2**20), generator.standard_normal(2**20)
    theta[[0, 1, 77]] = 0.5, -1.0, 2.0
    expect(candidate, (theta, x), _rolled_sum(theta, x), atol=1e-9, says="Rounding grows with n: use np.fft alone.")


def _what_is_off(candidate, theta, x, desired):
    """A hint: what the result is instead of C(theta) x, as far as it is something known."""
    try:
        result = np.asarray(candidate(theta.copy(), x.copy()))
    except Exception:  # expect will meet it, and tell
        return ""
    if result.shape != desired.shape:
        return "It has an entry for each node."
    convolution = np.fft.ifft(np.fft.fft(theta) * np.fft.fft(x))
    no_scale = "NumPy's fft has no factor in front and its ifft has 1/n, so the roots of n cancel."
    for wrong, name in ((desired, "C(theta) x"), (convolution, "the convolution of theta and x")):
        factor = np.vdot(wrong, result) / np.vdot(wrong, wrong)
        if abs(factor) > 1e-9 and np.allclose(result, factor * wrong):
            times = "" if np.isclose(factor, 1) else f"{factor.real:.4g} times "
            hint = f"For n = {len(x)} this is {times}{name}. " + (no_scale if times else "")
            if wrong is convolution:
                return hint + " The eigenvalues of C(theta) have the other sign in the exponent than np.fft.fft(theta)."
            return hint if times else "The product of complex arrays is complex, and for real ones it is real."
    if np.iscomplexobj(theta):
        return (
            "It is right for real arrays. For a complex theta the eigenvalues are not the conjugates of its DFT, which "
            "conjugates theta as well; and the product of complex arrays is complex."
        )
    return "Entry 0 is the sum of theta[j] x[j]: transform x, multiply by the eigenvalues, transform back."


def _rolled_sum(theta, x):
    return sum((theta[j] * np.roll(x, -j) for j in np.flatnonzero(theta)), np.zeros_like(x))


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


def notch(candidate):
    """Three taps that turn one mode into zero and keep constants, against the solution of these linear equations."""
    hint = (
        "A constant signal stays, so the weights add up to 1; mode k becomes zero, so weighted with cos(2πk u/n) at "
        "u = -1, 0 and 1 they add up to 0."
    )
    for n, k in ((6, 2), (8, 1), (8, 4), (5, 3), (3, 1), (12, 11)):
        mode = np.exp(2j * np.pi * k * np.arange(n) / n)
        outputs = np.stack([np.roll(mode, 1), mode, np.roll(mode, -1)], axis=1)  # [n, 3], one column for each tap
        equations = np.concatenate([[[1, 1, 1], [1, 0, -1]], outputs.real, outputs.imag])
        taps, *_ = np.linalg.lstsq(equations, np.eye(len(equations))[0])
        expect(candidate, (n, k), taps, atol=1e-9, says=hint)


def stretch(candidate):
    """The largest stretch of C(theta), against the largest singular value of the matrix of the rolled kernel."""
    generator = np.random.default_rng(0)
    for imaginary in (0, 1j):
        for n in (5, 2, 8, 1):
            theta, other = generator.standard_normal((2, n))
            theta = theta + imaginary * other
            desired = np.linalg.norm(np.stack([np.roll(theta, i) for i in range(n)]), ord=2)
            hint = "Among the modes, the one with the largest |λ| is stretched most; no other signal is stretched more."
            expect(candidate, (theta,), desired, atol=1e-12, says=hint)
    hint = "One transform of theta gives all eigenvalues."
    spares_loops_and_matrices(candidate, lambda n: (np.ones(n),), hint)
