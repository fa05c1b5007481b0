"""Time the product of a circulant matrix with a vector, dense and by FFT, and fit the orders of growth.

    python tools/benchmarks/circulant.py

writes ``records/benchmarks/circulant.json``. `make benchmark` runs it with all other work stopped.
"""

import time
from statistics import median

import numpy as np
from threadpoolctl import threadpool_limits

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


def order(work, seconds):
    """The exponent p of seconds ~ work^p, by least squares in logarithms, and its standard error."""
    (slope, _), covariance = np.polyfit(np.log(work), np.log(seconds), deg=1, cov=True)
    return float(slope), float(np.sqrt(covariance[0, 0]))


def measure(make_product, sizes):
    generator = np.random.default_rng(SEED)
    seconds = []
    for n in sizes:
        theta, x = generator.standard_normal((2, n))
        seconds.append(seconds_per_call(make_product(theta), x))
    return seconds


def fit(sizes, seconds, fit_from, work=lambda n: n):
    upper = [(work(n), t) for n, t in zip(sizes, seconds, strict=True) if n >= fit_from]
    return order(*zip(*upper, strict=True))


def main():
    start = time.perf_counter()
    with threadpool_limits(1):
        dense, fft = measure(dense_product, DENSE_SIZES), measure(fft_product, FFT_SIZES)
    orders = {
        "dense_order": fit(DENSE_SIZES, dense, DENSE_FIT_FROM),
        "fft_order": fit(FFT_SIZES, fft, FFT_FIT_FROM),
        "fft_order_in_n_log_n": fit(FFT_SIZES, fft, FFT_FIT_FROM, work=lambda n: n * np.log2(n)),
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
