"""Time a convolutional layer, forward and backward: as loops over places, over the kernel, as one product, in torch.

    python tools/benchmarks/layers.py

writes ``records/benchmarks/layers.json``. `make benchmark` runs it with all other work stopped. Wanted are less than
three times torch's seconds, and less than a 200th of the loops'.
"""

import os
import time
from itertools import product

import numpy as np
import torch
from torch.nn import functional as F

from helpers import records
from helpers.cnn import layers

SEED = 0
IMAGES, CHANNELS, SIDE, FILTERS, KERNEL, PADDING = 32, 16, 32, 32, 3, 1
LOOPED_IMAGES = 1  # the loops take as long for each image, and are timed on the first one
REPEATS = 30
LOOPED_REPEATS = 3


def places(x, w):
    """Each image, filter and place of the output, and the window that it looks at."""
    kernel = w.shape[2:]
    height, width = (side - k + 1 for side, k in zip(x.shape[2:], kernel, strict=True))
    for n, f, u, v in product(range(len(x)), range(len(w)), range(height), range(width)):
        yield n, f, u, v, (n, slice(None), slice(u, u + kernel[0]), slice(v, v + kernel[1]))


def loops_forward(x, w, b):
    x = layers.zero_pad(x, PADDING)
    z = np.empty((len(x), len(w), *(side - KERNEL + 1 for side in x.shape[2:])), x.dtype)
    for n, f, u, v, window in places(x, w):
        z[n, f, u, v] = np.sum(w[f] * x[window]) + b[f]
    return z


def loops_backward(dout, x, w):
    x = layers.zero_pad(x, PADDING)
    dx, dw, db = np.zeros_like(x), np.zeros_like(w), np.zeros(len(w), w.dtype)
    for n, f, u, v, window in places(x, w):
        g = dout[n, f, u, v]
        db[f] += g
        dw[f] += g * x[window]
        dx[window] += g * w[f]
    return dx[:, :, PADDING:-PADDING, PADDING:-PADDING], dw, db


def shifted(x):
    """For each place in the kernel, the part [N, C, H', W'] of x that lies under it in all windows."""
    height, width = (side - KERNEL + 1 for side in x.shape[2:])
    for i, j in product(range(KERNEL), repeat=2):
        yield i, j, x[:, :, i : i + height, j : j + width]


def kernel_forward(x, w, b):
    return b[:, None, None] + sum(
        np.einsum("fc,nchw->nfhw", w[:, :, i, j], part, optimize=True)
        for i, j, part in shifted(layers.zero_pad(x, PADDING))
    )


def kernel_backward(dout, x, w):
    x = layers.zero_pad(x, PADDING)
    dx, dw = np.zeros_like(x), np.zeros_like(w)
    for (i, j, part), (_, _, target) in zip(shifted(x), shifted(dx), strict=True):
        dw[:, :, i, j] = np.einsum("nfhw,nchw->fc", dout, part, optimize=True)
        target += np.einsum("fc,nfhw->nchw", w[:, :, i, j], dout, optimize=True)
    return dx[:, :, PADDING:-PADDING, PADDING:-PADDING], dw, dout.sum(axis=(0, 2, 3))


def torch_calls(dout, x, w, b):
    """Forward by itself, with nothing kept for a backward pass; and forward with the backward pass after it."""
    dout, *inputs = (torch.from_numpy(array) for array in (dout, x, w, b))
    kept = [tensor.clone().requires_grad_() for tensor in inputs]

    def forward():
        return F.conv2d(*inputs, padding=PADDING).numpy()

    def both():
        gradients = torch.autograd.grad(F.conv2d(*kept, padding=PADDING), kept, dout)
        return [gradient.numpy() for gradient in gradients]

    return forward, both


def best_seconds(calls, repeats):
    """The shortest of ``repeats`` times of each call; they take turns, so what slows the machine slows them all."""
    best = [float("inf")] * len(calls)
    for _ in range(repeats):
        for number, call in enumerate(calls):
            start = time.perf_counter()
            call()
            best[number] = min(best[number], time.perf_counter() - start)
    return best


def check(calls, forward, gradients):
    """What is timed is the right thing: each call gives the output, or the three gradients."""
    tolerance = {"rtol": 1e-3, "atol": 1e-3}  # in single precision, of sums of up to 32,768 products
    for number, call in enumerate(calls):
        for ours, theirs in zip(call(), gradients if number % 2 else forward, strict=True):
            np.testing.assert_allclose(ours, theirs, **tolerance)


def main():
    if os.environ.get("OMP_NUM_THREADS") != "1":
        raise SystemExit("One thread is timed: run `make benchmark`, or set OMP_NUM_THREADS=1.")
    start = time.perf_counter()
    torch.set_num_threads(1)
    generator = np.random.default_rng(SEED)
    shapes = (IMAGES, FILTERS, SIDE, SIDE), (IMAGES, CHANNELS, SIDE, SIDE), (FILTERS, CHANNELS, KERNEL, KERNEL)
    dout, x, w, b = (generator.standard_normal(shape, np.float32) for shape in (*shapes, (FILTERS,)))
    few = slice(0, LOOPED_IMAGES)

    def both(forward, backward, some=slice(None)):
        """A layer's forward pass, and forward and backward."""

        def both_ways():
            forward(x[some], w, b)
            return backward(dout[some], x[some], w)

        return lambda: forward(x[some], w, b), both_ways

    fast = [
        *both(kernel_forward, kernel_backward),
        *both(
            lambda x, w, b: layers.conv2d(x, w, b, padding=PADDING),
            lambda dout, x, w: layers.conv2d_backward(dout, x, w, padding=PADDING),
        ),
        *torch_calls(dout, x, w, b),
    ]
    looped = both(loops_forward, loops_backward, few)
    check(fast, fast[-2](), fast[-1]())
    forward, backward = torch_calls(dout[few], x[few], w, b)
    check(looped, forward(), backward())
    seconds = [time * IMAGES / LOOPED_IMAGES for time in best_seconds(looped, LOOPED_REPEATS)]
    seconds += best_seconds(fast, REPEATS)
    names = "loops", "kernel", "product", "torch"
    metrics = {f"{name}_forward_seconds": time for name, time in zip(names, seconds[::2], strict=True)}
    metrics |= {f"{name}_seconds": time for name, time in zip(names, seconds[1::2], strict=True)}
    metrics |= {
        "times_torch": metrics["product_seconds"] / metrics["torch_seconds"],
        "times_torch_forward": metrics["product_forward_seconds"] / metrics["torch_forward_seconds"],
        "faster_than_loops": metrics["loops_seconds"] / metrics["product_seconds"],
        "faster_than_kernel": metrics["kernel_seconds"] / metrics["product_seconds"],
    }
    path = records.save(
        "benchmarks",
        "layers",
        parameters={
            "seed": SEED,
            "images": IMAGES,
            "channels": CHANNELS,
            "side": SIDE,
            "filters": FILTERS,
            "kernel": KERNEL,
            "padding": PADDING,
            "dtype": "float32",
            "threads": 1,
            "looped_images": LOOPED_IMAGES,
            "repeats": REPEATS,
            "looped_repeats": LOOPED_REPEATS,
        },
        metrics=metrics,
        seconds=time.perf_counter() - start,
    )
    for name, value in metrics.items():
        print(f"{name}: {value:,.4f}")
    print(f"wrote {path}")


if __name__ == "__main__":
    main()
