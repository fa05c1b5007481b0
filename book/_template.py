# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

# %% [markdown]
# # What smoothing takes away
#
# Average each value of a signal with its two neighbours. Small ripples shrink and long waves stay; but by how much,
# and is there a wave that a single smoothing takes away entirely?
#
# The signal $x$ has $n$ values on a ring, so each of them has two neighbours: indices are taken modulo $n$.
#
# $$
# y_i = \tfrac{1}{3} \left( x_{i-1} + x_i + x_{i+1} \right)
# $$ (def-toy-smoothing)

# %% tags=["parameters"]
profile = "smoke"
seed = 0

# %% tags=["set-up"]
from helpers import display, exercises, parameters, verify

import matplotlib.pyplot as plt
import numpy as np

parameters.check(globals(), profile=("smoke", "full"), seed=range(2**31))
display.use_book_style()
rng = np.random.default_rng(seed)


# %%
def smooth(x):  # [n] → [n]
    return (np.roll(x, 1) + x + np.roll(x, -1)) / 3


# %% tags=["hide-input"]
def draw_smoothing(n=60):
    fig, ax = plt.subplots(figsize=(4.2, 2.4))
    x = np.cos(2 * np.pi * np.arange(n) / n) + 0.3 * rng.standard_normal(n)
    ax.plot(x, label="$x$")
    ax.plot(smooth(x), label="$y$")
    ax.set(xlabel="$i$")
    ax.legend()
    return fig


display.show(
    draw_smoothing(),
    alt="One period of a wave with ripples, solid, and the same after smoothing, "
    "dashed: the wave is as high as before, the ripples are smaller.",
    caption="What smoothing takes away depends on the length of the wave: the ripples "
    "go, the long wave stays.",
)

# %% [markdown]
# ## One wave, by hand
#
# Take the wave $(1, 0, -1, 0)$. The first entry of $y$ is $(0 + 1 + 0) / 3$, the second $(1 + 0 - 1) / 3$:

# %%
print([f"{value:.2f}" for value in smooth(np.array([1, 0, -1, 0]))])

# %% [markdown]
# It is the same wave, a third as high. Is every wave only made lower?
#
# ## Every wave
#
# The wave that fits the ring $k$ times has the values $c_i = \cos(2 \pi k i / n)$. Since
# $\cos(a - b) + \cos(a + b) = 2 \cos a \cos b$, with $a = 2 \pi k i / n$ and $b = 2 \pi k / n$, smoothing multiplies
# it by one number, the same at every place:
#
# $$
# \tfrac{1}{3} \left( c_{i-1} + c_i + c_{i+1} \right) = \lambda_k\, c_i , \qquad
# \lambda_k = \tfrac{1}{3} \left( 1 + 2 \cos \frac{2 \pi k}{n} \right) .
# $$ (eq-toy-wave)


# %%
def wave(n, k):  # → [n]
    return np.cos(2 * np.pi * k * np.arange(n) / n)


def factor(n, k):
    return (1 + 2 * np.cos(2 * np.pi * k / n)) / 3


# %% tags=["check"]
def cases():
    for n in (3, 4, 5, 8, 13):
        for k in range(n):
            c = wave(n, k)
            by_place = [(c[i - 1] + c[i] + c[(i + 1) % n]) / 3 for i in range(n)]
            yield factor(n, k) * c, by_place


verify.equal("eq-toy-wave", cases(), atol=1e-12, against="the mean at each place")

# %% [markdown]
# A slow wave has a small $k / n$, and its factor is close to 1; around $k = n / 3$ the factor passes through 0. That is
# the answer to the question: a wave with three values per period is gone.

# %% [markdown]
# :::{exercise} Waves that vanish
# :label: ex-toy-vanishing
# For how many $k$ from $0$ to $n - 1$ is $\lambda_k = 0$, and for which? Write `vanishing(n)`, which returns how many
# they are; the cell below the solution checks it.
# :::

# %% [markdown] tags=["solution"]
# :::{solution-start} ex-toy-vanishing
# :class: dropdown
# :::
# By {eq}`eq-toy-wave`, $\lambda_k = 0$ means $\cos(2 \pi k / n) = -\tfrac{1}{2}$, so $k$ is $n / 3$ or $2 n / 3$. These
# are two whole numbers when 3 divides $n$; else there is none.


# %% tags=["solution"]
def vanishing(n):
    return 2 if n % 3 == 0 else 0


# %% [markdown] tags=["solution"]
# :::{solution-end}
# :::

# %%
exercises.check("toy/template/vanishing", vanishing)

# %% [markdown]
# ## What was shown
#
# Smoothing multiplies each wave by a number of its own, {eq}`eq-toy-wave`; waves with three values per period vanish.
#
# ## Further reading
#
# The factors $\lambda_k$ are the discrete Fourier transform of the three weights: any book on signals goes on from
# here.
