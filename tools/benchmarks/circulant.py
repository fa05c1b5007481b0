"""Time the product of a circulant matrix with a vector, dense and by FFT, and fit the orders of growth.

    make benchmark

writes ``records/benchmarks/circulant.json``, with all other work stopped and on one thread.
"""

import os
import time
from statistics import median

import numpy as np

from helpers import records
from helpers.gnn.circulant import circulant

SEED = 0
DENSE_SIZES = [2**k for k in range(4, 13)]
FFT_SIZES = [2**k for k in range(4, 21)]
DENSE_FIT_FROM = 2**9  # below, the overhead of the call is a visible part of the time
FFT_FIT_FROM = 2**14
REPEATS = 15
SECONDS_PER_REPEAT = 0.05  # short products run in a loop that lasts this long


def dense_product(theta):
    C = circulant(theta)  # made once, outside of the timed product
    return lambda x: C @ x


def fft_product(theta):
    # Three transforms a product, the kernel's included; x and theta are real, so half of each spectrum is enough.
    return lambda x: np.fft.irfft(np.fft.rfft(x) * np.fft.rfft(theta).conj(), n=len(x))


def seconds_per_call(product, x):
    """The median of REPEATS mean times of ``product(x)``, after a warm-up that also sets the length of the loop."""
    loops, elapsed = 1, 0.0
    while elapsed < SECONDS_PER_REPEAT:
        loops *= 2
        elapsed = _time_loop(product, x, loops)
    return median(_time_loop(product, x, loops) / loops for _ in range(REPEATS))


def _time_loop(product, x, loops):
    start = time.perf_counter()
    for _ in range(loops):
        product(x)
    return time.perf_counter() - start


def measure(make_product, sizes):
    generator = np.random.default_rng(SEED)
    seconds = []
    for n in sizes:
        theta, x = generator.standard_normal((2, n))
        product = make_product(theta)
        first = theta @ x  # entry 0 of the result: what is timed is the right thing
        np.testing.assert_allclose(product(x)[0], first, atol=1e-9 * n)
        seconds.append(seconds_per_call(product, x))
    return seconds


def order(sizes, seconds, fit_from, work=lambda n: n):
    """The exponent p of seconds ~ work(n)^p for n >= fit_from, by least squares in logarithms, and its standard error.

    The error says how well a single power describes the times, not how well a second run would repeat them.
    """
    upper = [(work(n), t) for n, t in zip(sizes, seconds, strict=True) if n >= fit_from]
    (slope, _), covariance = np.polyfit(*np.log(upper).T, deg=1, cov=True)
    return float(slope), float(np.sqrt(covariance[0, 0]))


def main():
    if os.environ.get("OMP_NUM_THREADS") != "1":
        raise SystemExit("One thread is timed: run `make benchmark`, or set OMP_NUM_THREADS=1.")
    start = time.perf_counter()
    dense, fft = measure(dense_product, DENSE_SIZES), measure(fft_product, FFT_SIZES)
    orders = {
        "dense_order": order(DENSE_SIZES, dense, DENSE_FIT_FROM),
        "fft_order": order(FFT_SIZES, fft, FFT_FIT_FROM),
        "fft_order_in_n_log_n": order(FFT_SIZES, fft, FFT_FIT_FROM, work=lambda n: n * np.log2(n)),
    }
    metrics = {name: slope for name, (slope, _) in orders.items()}
    metrics |= {f"{name}_standard_error": error for name, (_, error) in orders.items()}
    path = records.save(
        "benchmarks",
        "circulant",
        parameters={
            "seed": SEED,
            "dtype": "float64",
            "threads": 1,
            "repeats": REPEATS,
            "seconds_per_repeat": SECONDS_PER_REPEAT,
            "dense_fit_from": DENSE_FIT_FROM,
            "fft_fit_from": FFT_FIT_FROM,
        },
        metrics=metrics,
        curves={"dense_n": DENSE_SIZES, "dense_seconds": dense, "fft_n": FFT_SIZES, "fft_seconds": fft},
        seconds=time.perf_counter() - start,
    )
    for name, (slope, error) in orders.items():
        print(f"{name}: {slope:.2f} ± {error:.2f}")
    print(f"wrote {path}")


if __name__ == "__main__":
    main()
