# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

# %% [markdown]
# # The Fourier modes of a ring
#
# Why do sines and cosines turn up wherever there is a convolution, even if nobody put any in?
#
# Send a wave around the ring of {doc}`circulant`, through a layer: each node keeps its value, adds that of the next and
# takes away half of that of the previous one.

# %% tags=["parameters"]
profile = "smoke"
seed = 0

# %% tags=["set-up"]
from helpers import display, exercises, parameters, verify
from helpers.gnn import circulant as fast
from helpers.gnn import drawing
from helpers.gnn.circulant import circulant

import matplotlib.pyplot as plt
import numpy as np

parameters.check(globals(), profile=("smoke", "full"), seed=range(2**31))
display.use_book_style()
rng = np.random.default_rng(seed)
sizes = (3, 4, 5, 8, 13)  # the rings on which claims are checked
if profile == "full":
    sizes += (64, 129)
centred = {"ha": "center", "va": "center"}


# %% tags=["hide-input"]
def draw_wave(k, n=16):
    fig, ax = plt.subplots(figsize=(4.2, 2.6))
    u, between = np.arange(n), np.linspace(0, n - 1, 6 * n - 5)
    x = np.cos(2 * np.pi * k * u / n)
    y = x + np.roll(x, -1) - np.roll(x, 1) / 2
    factor = fast.eigenvalues([1, 1, *np.zeros(n - 3), -0.5])[k]
    angle = 2 * np.pi * k * between / n
    line = {"lw": 0.8, "marker": ""}
    ax.plot(between, np.cos(angle), color=display.INK, ls=":", **line)
    curve = np.abs(factor) * np.cos(angle + np.angle(factor))
    ax.plot(between, curve, color=display.COLORS[0], ls="-", **line)
    ax.plot(u, x, color=display.INK, ls="", marker="D", ms=5, mfc="none", label="input")
    ax.plot(u, y, color=display.COLORS[0], ls="", marker="o", ms=5, label="output")
    ax.set(xlabel="node", ylim=(-2.1, 2.9), xticks=range(0, n, 4), yticks=(-2, 0, 2))
    ax.legend(loc="upper right", ncols=2, frameon=False)
    ax.grid(False)
    return fig


def describe_wave(k, n=16):
    factor = fast.eigenvalues([1, 1, *np.zeros(n - 3), -0.5])[k]
    waves = "one wave" if k == 1 else f"{k} waves"
    moved = np.angle(factor) / (2 * np.pi * k / n) if 0 < k < n // 2 else 0
    way = f", {moved:.2f} nodes further to the left" if moved else ""
    signal = f"A cosine with {waves}" if k else "A constant signal"
    return (
        f"{signal} around a ring of {n}, and what the layer gives: the same again, "
        f"{np.abs(factor):.2f} times as high{way}."
    )


display.slider(
    draw_wave,
    range(9),
    label="waves around the ring, k",
    alt=describe_wave,
    caption="Whatever wave goes in, a wave of the same length comes out. It is higher "
    "or lower, and may have moved.",
    start=2,
)

# %% [markdown]
# ## Four nodes, by hand
#
# On a ring of four, send in $(1, -1, 1, -1)$. Each node keeps its value, adds that of the next and takes away half of
# that of the previous one: node 0 gets $1 - 1 + \frac12 = \frac12$, node 1 gets $-1 + 1 - \frac12 = -\frac12$, and so
# on around. The output is half of the input.
#
# Now a slower wave, $(1, 0, -1, 0)$. Node 0 gets $1 + 0 - 0 = 1$ and node 1 gets $0 - 1 - \frac12 = -\frac32$; the
# output is $(1, -\frac32, -1, \frac32)$. That is no multiple of the input, for the wave has not only grown, it has
# moved. One real number cannot say both. A complex number can. Let $\mathrm{i}$, upright, be the imaginary unit, keep
# the wave as the real part, and add as the imaginary part the wave that is one node late, $(0, 1, 0, -1)$:
#
# $$
# v = (1, \mathrm{i}, -1, -\mathrm{i}) .
# $$ (def-gnn-four-nodes)
#
# Node 0 gets $1 + \mathrm{i} + \frac12 \mathrm{i} = 1 + \frac32 \mathrm{i}$. Node 1 gets
# $\mathrm{i} - 1 - \frac12 = \mathrm{i}\, (1 + \frac32 \mathrm{i})$, and every node its entry of $v$ times
# $1 + \frac32 \mathrm{i}$.

# %%
for v in np.array([[1, -1, 1, -1], [1, 1j, -1, -1j]]):
    y = v + np.roll(v, -1) - np.roll(v, 1) / 2
    print("output / input:", np.round(y / v, 2) + 0)  # + 0: no −0.0

factor = 1 + 1.5j
print(f"length {np.abs(factor):.2f}, angle {np.degrees(np.angle(factor)):.1f}°")

# %% [markdown]
# One number says all. Its length is how many times as high the wave becomes. Its angle is how far it moves to the left:
# from node to node this wave turns by 90°, so 56.3° are 0.63 of the way to the next node.
#
# Is there such a number for each wave, on any ring and for any kernel? From {doc}`circulant` you bring the matrix
# $C(\theta)$ with the kernel $\theta$ as its first row, the shift $S$ with $(Sx)_i = x_{i+1}$, and one fact: a layer is
# a polynomial in the shift, {eq}`eq-gnn-shift-polynomial`. So begin with the shift. As there, nodes are counted from 0
# and indices are taken modulo $n$.

# %% [markdown]
# ## The signals that a shift only multiplies
#
# Which signals does $S$ leave alone up to a factor? Ask for $S v = \lambda v$ with $v \ne 0$ and read it entry by
# entry:
#
# 1. $v_{i+1} = \lambda v_i$ at every node, so $v_i = \lambda^i v_0$ for $i = 0, \dots, n - 1$. In particular
#    $v_0 \ne 0$, or all of $v$ would vanish.
# 2. The ring closes: at $i = n - 1$ the equation says $v_0 = \lambda v_{n-1} = \lambda^n v_0$. Divide by $v_0$:
#    $\lambda^n = 1$.
# 3. Let $\omega = e^{2\pi \mathrm{i} / n}$, an $n$-th of a full turn in the complex plane. Its powers
#    $\lambda = \omega^k$, $k = 0, \dots, n - 1$, are $n$ different solutions of $\lambda^n = 1$, and an equation of
#    degree $n$ has no more.
# 4. Conversely each of them works: $v_u = \omega^{ku}$ satisfies the equation at every node, at the seam too as
#    $\omega^{kn} = 1$.


# %% tags=["hide-input"]
def draw_roots():
    figures, axes = display.panels(*[(2.1, 2.3)] * 3)
    for ax, n in zip(axes, (3, 4, 8), strict=True):
        ax.add_patch(plt.Circle((0, 0), 1, fill=False, lw=0.8, alpha=0.6))
        turn = 2 * np.pi * np.arange(n) / n
        style = {"ls": "", "marker": "o", "ms": 6, "color": display.COLORS[0]}
        ax.plot(np.cos(turn), np.sin(turn), **style)
        for k in range(n):
            where = 1.35 * np.cos(turn[k]), 1.35 * np.sin(turn[k])
            ax.text(*where, rf"$\omega^{{{k}}}$" if k else "1", **centred)
        ax.set(xlim=(-1.7, 1.7), ylim=(-1.7, 1.7), aspect="equal", title=f"$n = {n}$")
        ax.axis("off")
    return figures


display.show(
    draw_roots(),
    alt="The unit circle in the complex plane with 3, 4 and 8 points on it at equal "
    "distances, from 1 on counter-clockwise: the powers of omega.",
    caption="The numbers with λⁿ = 1 stand on the unit circle, an n-th of a turn apart.",
)

# %% [markdown]
# These are the {term}`Fourier mode`s. Scale them to length 1 (each entry has modulus 1, so the length of $v$ is
# $\sqrt n$) and make them the columns of a matrix:
#
# $$
# \Phi_{uk} = \frac{1}{\sqrt n}\, \omega^{uk} , \qquad \omega = e^{2 \pi \mathrm{i} / n} .
# $$ (def-gnn-dft-matrix)
#
# Here $u = 0, \dots, n - 1$ is a node and $k = 0, \dots, n - 1$ a frequency. The four steps say that
#
# $$
# S\, \Phi = \Phi\, \mathrm{diag}(1, \omega, \omega^2, \dots, \omega^{n-1}) .
# $$ (eq-gnn-shift-modes)
#
# The eigenvalues are all different, and each has one eigenvector up to a factor, because $v_0$ determines $v$.
#
# The modes are orthonormal. Write $\Phi^*$ for the conjugate transpose. Entry $(k, l)$ of $\Phi^* \Phi$ is
# $\frac1n \sum_u \overline{\omega^{uk}}\, \omega^{ul}$, and $\overline{\omega^{uk}} = \omega^{-uk}$, so it is
# $\frac1n \sum_u r^u$ with $r = \omega^{l-k}$. For $k = l$ all $n$ terms are 1, and so is their mean. For $k \ne l$,
# $r \ne 1$, and the geometric sum is $\sum_{u=0}^{n-1} r^u = \frac{1 - r^n}{1 - r} = 0$, since
# $r^n = \omega^{n(l-k)} = 1$. Hence
#
# $$
# \Phi^* \Phi = I .
# $$ (eq-gnn-orthonormal)


# %%
def shift(n):  # S [n, n]
    return circulant(np.eye(n)[1])


def dft_matrix(n):  # Φ [n, n]
    omega = np.exp(2j * np.pi / n)
    entries = [[omega ** (u * k % n) for k in range(n)] for u in range(n)]
    return np.array(entries) / np.sqrt(n)


def turned_modes(n):  # Φ diag(1, ω, …, ωⁿ⁻¹)
    omega = np.exp(2j * np.pi / n)
    return dft_matrix(n) @ np.diag(omega ** np.arange(n))


# %% tags=["check"]
def cases():
    for n in sizes:
        yield turned_modes(n), shift(n) @ dft_matrix(n)


verify.equal("eq-gnn-shift-modes", cases(), atol=1e-12, against="the product with S")


# %% tags=["check"]
def cases():
    for n in sizes:
        Phi = dft_matrix(n)
        yield Phi.conj().T @ Phi, np.eye(n)


verify.equal("eq-gnn-orthonormal", cases(), atol=1e-12, against="the identity matrix")

# %% [markdown]
# A square matrix with $\Phi^* \Phi = I$ also has $\Phi \Phi^* = I$, so the two products $\hat x = \Phi^* x$ and
# $x = \Phi \hat x$ undo each other: the discrete Fourier transform and its inverse, both with the factor $1/\sqrt n$.
# Turn through the modes of a ring of 8. Beside each stands the factor $\omega^k$ by which a shift multiplies the mode.
# For $k > 4$ it turns the other way: mode $8 - k$ is the conjugate of mode $k$, so $k$ and $8 - k$ are *one*
# frequency, with two directions of travel.

# %% tags=["hide-input"]
wave_styles = (
    ("real part", np.cos, {"color": display.COLORS[0], "ls": "-", "marker": "o"}),
    ("imaginary part", np.sin, {"color": display.COLORS[1], "ls": "--", "marker": "s"}),
)


def draw_mode(k, n=8):
    figures, (plane, wave) = display.panels((2.5, 2.8), (4.2, 2.8))
    plane.add_patch(plt.Circle((0, 0), 1, fill=False, lw=0.8, alpha=0.6))
    plane.plot(*drawing.on_circle(n).T, color=display.INK, ls="", marker="o", ms=3)
    factor = np.array([np.cos(2 * np.pi * k / n), np.sin(2 * np.pi * k / n)])
    radius = {"color": display.COLORS[2], "ls": "-", "lw": 2, "marker": "o", "ms": 7}
    plane.plot(*np.stack([0 * factor, factor], axis=1), markevery=[1], **radius)
    plane.text(*(1.3 * factor), rf"$\omega^{{{k}}}$", **centred)
    plane.text(0, 0.12, "0", ha="center")
    plane.set(xlim=(-1.6, 1.6), ylim=(-1.6, 1.6), aspect="equal")
    plane.axis("off")

    turns = k if k <= n // 2 else k - n  # the lower of the two frequencies that fit
    between, nodes = np.linspace(0, n, 49), np.arange(n)
    for name, part, style in wave_styles:
        curve = part(2 * np.pi * turns * between / n)
        wave.plot(between, curve, **style | {"marker": ""}, lw=1)
        values = part(2 * np.pi * k * nodes / n)
        wave.plot(nodes, values, **style | {"ls": ""}, ms=5, label=name)
    wave.axhline(0, color=display.INK, lw=0.8)
    wave.set(
        xlim=(-0.3, n + 0.3),
        ylim=(-1.25, 1.7),
        xticks=range(0, n + 1, 2),
        yticks=(-1, 0, 1),
    )
    wave.set(xlabel="node $u$", ylabel=rf"$\sqrt{{n}}\,\Phi_{{u,{k}}}$")
    wave.legend(loc="upper right", ncols=2, frameon=False)
    wave.grid(False)
    return figures


def describe_mode(k, n=8):
    turns = min(k, n - k)
    way = (
        "" if k in (0, n // 2) else " counter-clockwise" if k < n / 2 else " clockwise"
    )
    return (
        f"Mode {k} of a ring of {n}: its real and imaginary parts are a cosine and a "
        f"sine with {turns} full wave{'s' * (turns != 1)} around the ring; a shift "
        "multiplies it by the number of modulus 1 at an angle of "
        f"{360 * turns // n} degrees{way}."
    )


display.slider(
    draw_mode,
    range(8),
    label="mode k",
    alt=describe_mode,
    caption="A mode, and the number on the unit circle by which one shift multiplies it.",
    start=1,
)

# %% [markdown]
# ## All circulants at once
#
# A mode is multiplied by $\omega^k$ each time that $S$ is applied, so $S^j \Phi_{:,k} = \omega^{jk}\, \Phi_{:,k}$.
# Put this into {eq}`eq-gnn-shift-polynomial`:
#
# $$
# C(\theta)\, \Phi_{:,k} = \lambda_k\, \Phi_{:,k} ,
# \qquad \lambda_k = \sum_{j=0}^{n-1} \theta_j\, \omega^{jk} .
# $$ (eq-gnn-eigenvalues)
#
# On the ring of four, $\theta = (1, 1, 0, -\frac12)$ and $\omega = \mathrm{i}$ give
# $\lambda_1 = 1 + \mathrm{i} - \frac12 \mathrm{i}^3 = 1 + \frac32 \mathrm{i}$, the number that you found by hand.
#
# The kernel enters only the eigenvalues. *The eigenvectors are the columns of $\Phi$, for every circulant matrix.*
# Write the $n$ equations side by side, $C(\theta)\, \Phi = \Phi\, \mathrm{diag}(\lambda)$, and multiply by
# $\Phi^* = \Phi^{-1}$ from the right:
#
# $$
# C(\theta) = \Phi\, \mathrm{diag}(\lambda)\, \Phi^* .
# $$ (eq-gnn-diagonalisation)


# %%
def eigenvalues(theta):  # λ [n]
    n = len(theta)
    j, omega = np.arange(n), np.exp(2j * np.pi / n)
    return np.array([theta @ omega ** (j * k % n) for k in range(n)])


def from_modes(theta):  # Φ diag(λ) Φ*
    Phi = fast.dft_matrix(len(theta))
    return Phi @ np.diag(fast.eigenvalues(theta)) @ Phi.conj().T


# %% tags=["check"]
def cases():
    for n in sizes:
        real, imaginary = rng.standard_normal((2, n))
        for theta in (real, real + 1j * imaginary):
            Phi = dft_matrix(n)
            yield eigenvalues(theta) * Phi, circulant(theta) @ Phi  # λ_k times column k


verify.equal("eq-gnn-eigenvalues", cases(), atol=1e-12, against="the product with C(θ)")


# %% tags=["check"]
def cases():
    for n in sizes:
        real, imaginary = rng.standard_normal((2, n))
        for theta in (real, real + 1j * imaginary):
            yield from_modes(theta), circulant(theta)


verify.equal(
    "eq-gnn-diagonalisation", cases(), atol=1e-12, against="the entries of C(θ)"
)

# %% [markdown]
# The second check takes $\Phi$ and $\lambda$ from `helpers.gnn.circulant`, where the loops of this chapter are array
# operations and the sum for $\lambda$ is a fast Fourier transform {cite}`cooley1965algorithm`.
#
# The eigenvalues tell what a layer does to each frequency: the *gain* $|\lambda_k|$ is how much of it passes, the
# angle of $\lambda_k$ how far it is moved. With three taps, $\omega^k = \cos\alpha + \mathrm{i} \sin\alpha$ and
# $\omega^{-k} = \cos\alpha - \mathrm{i} \sin\alpha$ for $\alpha = 2\pi k / n$, so
#
# $$
# \begin{aligned}
# \lambda_k &= w_0 + w_1 \omega^k + w_{-1} \omega^{-k} \\
# &= w_0 + (w_1 + w_{-1}) \cos\alpha + \mathrm{i}\, (w_1 - w_{-1}) \sin\alpha .
# \end{aligned}
# $$ (eq-gnn-ellipse)


# %%
def three_taps(n, w_minus, w_0, w_plus):  # θ [n]
    theta = np.zeros(n)
    theta[[0, 1, -1]] = w_0, w_plus, w_minus
    return theta


def angles(n):  # α [n], one for each k
    return 2 * np.pi * np.arange(n) / n


def ellipse(n, w_minus, w_0, w_plus):  # λ [n]
    alpha, even, odd = angles(n), w_plus + w_minus, w_plus - w_minus
    return w_0 + even * np.cos(alpha) + 1j * odd * np.sin(alpha)


# %% tags=["hide-input"]
def draw_gains(n=24):
    kernels = {
        "average $(1, 1, 1)/3$": (1 / 3, 1 / 3, 1 / 3),
        "shift $(0, 0, 1)$": (0, 0, 1),
        "difference $(-0.5, 0, 0.5)$": (-0.5, 0, 0.5),
        "lopsided $(0.1, 0.5, 0.4)$": (0.1, 0.5, 0.4),
    }
    figures, (gain, plane) = display.panels((3.4, 3.7), (3.3, 3.7))
    half = np.arange(n // 2 + 1)
    for name, kernel in kernels.items():
        values = fast.eigenvalues(three_taps(n, *kernel))
        gain.plot(half / n, np.abs(values[half]), markevery=2)
        closed = np.append(values, values[0])
        plane.plot(closed.real, closed.imag, markevery=4, label=name)
    gain.set(xlabel="frequency $k/n$, waves per node", ylabel=r"gain $|\lambda_k|$")
    gain.set(ylim=(0, 1.1))
    plane.set(xlabel=r"real part of $\lambda_k$", ylabel="imaginary part")
    plane.set(aspect="equal", xticks=(-1, 0, 1), yticks=(-1, 0, 1))
    title = r"kernel $(w_{-1}, w_0, w_1)$"
    plane.figure.legend(loc="outside lower center", title=title)
    return figures


display.show(
    draw_gains(),
    alt="Left, gain against frequency for four kernels: the average passes low "
    "frequencies and is zero at one third; the shift passes all alike; the difference "
    "passes the middle ones and stops zero and one half; the lopsided one falls from 1 "
    "to 0. Right, their eigenvalues in the complex plane: the shift's lie on the unit "
    "circle, the average's on the real axis, the difference's on the imaginary axis, "
    "the lopsided kernel's on an ellipse.",
    caption="What four kernels do to each frequency. Only those with w₁ ≠ w₋₁ leave the "
    "real axis: they move waves.",
)


# %% tags=["check"]
def cases():
    for n in sizes:
        taps = rng.standard_normal(3)
        yield ellipse(n, *taps), eigenvalues(three_taps(n, *taps))


verify.equal("eq-gnn-ellipse", cases(), atol=1e-12, against="the sum over the kernel")

# %% [markdown]
# The $\lambda_k$ lie on an ellipse with centre $w_0$ and half axes $|w_1 + w_{-1}|$ and $|w_1 - w_{-1}|$. Ignore the
# directions of the ring, $w_1 = w_{-1}$, and it collapses to a piece of the real axis: *a layer that cannot tell next
# from previous can amplify a wave, damp it or turn it upside down, and never move it otherwise.*

# %% [markdown]
# :::{exercise} Take one wave away
# :label: ex-gnn-notch
# Find three taps with $w_1 = w_{-1}$ whose layer turns mode $k$ into zero and leaves a constant signal as it is. For
# which $k$ are there none? What does the layer do to the other modes? Write `notch(n, k)`, which returns
# $w_{-1}, w_0, w_1$ for $n \ge 3$ and $0 < k < n$.
# :::

# %% [markdown] tags=["solution"]
# :::{solution-start} ex-gnn-notch
# :class: dropdown
# :::
# With equal taps {eq}`eq-gnn-ellipse` says $\lambda_k = w_0 + 2 w_1 \cos\alpha$. The constant signal is mode 0, so
# there are two conditions, $w_0 + 2 w_1 = 1$ and $w_0 + 2 w_1 \cos\alpha = 0$. Their difference is
# $2 w_1 (1 - \cos\alpha) = 1$, so
#
# $$
# w_1 = w_{-1} = \frac{1}{2\, (1 - \cos\alpha)} , \qquad w_0 = 1 - 2 w_1 = \frac{-\cos\alpha}{1 - \cos\alpha} .
# $$
#
# There are none for $k = 0$, where the two conditions contradict each other. Mode $l$ is multiplied by
# $(\cos \frac{2 \pi l}{n} - \cos\alpha) / (1 - \cos\alpha)$. That is real: waves faster than mode $k$ are turned upside
# down, and where $\cos\alpha > 0$ the fastest become higher than they were. The average of three is the case
# $\cos\alpha = -\frac12$: it takes away the wave that is three nodes long.


# %% tags=["solution"]
def notch(n, k):
    w_1 = 1 / (2 - 2 * np.cos(2 * np.pi * k / n))
    return w_1, 1 - 2 * w_1, w_1


# %% [markdown] tags=["solution"]
# :::{solution-end}
# :::

# %%
exercises.check("gnn/fourier/notch", notch)

# %% [markdown]
# ## The convolution theorem
#
# Read {eq}`eq-gnn-diagonalisation` from right to left: to apply the layer, transform the signal, multiply each
# frequency by its $\lambda_k$, and transform back. With $\odot$ for the entry-wise product,
# $C(\theta) x = \Phi\, \mathrm{diag}(\lambda)\, \Phi^* x = \Phi (\lambda \odot \hat x)$. How does $\lambda$ follow from
# the transform of the kernel? The entries of $\hat\theta = \Phi^* \theta$ are
# $\hat\theta_k = \frac{1}{\sqrt n} \sum_j \theta_j\, \omega^{-jk}$, while $\lambda_k$ has $\omega^{jk}$ and no factor
# in front. For a real $\theta$ the conjugate mends the sign:
# $\overline{\hat\theta_k} = \frac{1}{\sqrt n} \sum_j \theta_j\, \omega^{jk} = \lambda_k / \sqrt n$. So
#
# $$
# C(\theta)\, x = \Phi \big( \sqrt n\; \overline{\hat\theta} \odot \hat x \big) \qquad (\theta \text{ real}) .
# $$ (eq-gnn-convolution-theorem)
#
# For a complex $\theta$ conjugation would reach its entries too; there $\lambda$ is $\sqrt n\, \Phi\theta$, as it
# always is.
#
# And the convolution proper, {eq}`eq-gnn-true-convolution`? It is the product with the transpose,
# $C(\theta)^\top = \sum_j \theta_j S^{-j}$ by {eq}`eq-gnn-shift-polynomial`, which multiplies mode $k$ by
# $\sum_j \theta_j \omega^{-jk} = \sqrt n\, \hat\theta_k$. No conjugate, for real and for complex kernels:
#
# $$
# \theta * x = C(\theta)^\top x = \Phi \big( \sqrt n\; \hat\theta \odot \hat x \big) .
# $$ (eq-gnn-convolution-theorem-proper)


# %%
def transform(x):
    return fast.dft_matrix(len(x)).conj().T @ x  # x̂ = Φ* x


def transform_back(x_hat):
    return fast.dft_matrix(len(x_hat)) @ x_hat  # x = Φ x̂


def product_by_modes(theta, x):  # C(θ) x for a real θ
    spectrum = np.sqrt(len(x)) * transform(theta).conj() * transform(x)
    return transform_back(spectrum)


def convolution_by_modes(theta, x):  # θ * x
    spectrum = np.sqrt(len(x)) * transform(theta) * transform(x)
    return transform_back(spectrum)


# %% tags=["hide-input"]
def draw_three_steps(n=32):
    node, half = np.arange(n), np.arange(n // 2 + 1)
    x = np.cos(2 * np.pi * 2 * node / n + 1)
    x = x + 0.5 * np.random.default_rng(2).standard_normal(n)
    lambda_ = fast.eigenvalues(np.isin(node, [0, 1, 2, n - 2, n - 1]) / 5)
    x_hat = transform(x)
    y = transform_back(lambda_ * x_hat).real
    figures, (spectrum, signal) = display.panels((3.3, 2.7), (3.5, 2.7))
    before = {"color": display.INK, "marker": "D", "ms": 4, "mfc": "none"}
    after = {"color": display.COLORS[0], "marker": "o", "ms": 4}
    spectrum.plot(half, np.abs(x_hat)[half], ls="", label=r"$|\hat x_k|$", **before)
    kept = np.abs(lambda_ * x_hat)[half]
    spectrum.vlines(half, 0, kept, color=display.COLORS[0], lw=2)
    spectrum.plot(half, kept, ls="", label=r"$|\lambda_k \hat x_k|$", **after)
    spectrum.set(xlabel="frequency $k$", ylim=(-0.15, 3.2), xticks=range(0, 17, 4))
    spectrum.legend(loc="upper right", frameon=False)
    signal.plot(node, x, ls=":", lw=0.8, label="$x$", **before)
    signal.plot(node, y, ls="-", label=r"$C(\theta)\,x$", **after)
    signal.set(xlabel="node", ylim=(-2.4, 3.2), xticks=range(0, n + 1, 8))
    signal.legend(loc="upper right", ncols=2, frameon=False)
    return figures


display.show(
    draw_three_steps(),
    alt="Left, how much of each frequency is in a signal, before and after it is "
    "multiplied by the eigenvalues of an average of five: frequency 2 keeps most of its "
    "height, those from 5 on are small. Right, the signal, a rough wave, and what the "
    "layer gives, the same wave with less roughness.",
    caption="An average of five nodes, in the three steps: transform, multiply each "
    "frequency by a number, transform back. Slow waves stay, the rest mostly goes.",
)


# %% tags=["check"]
def cases():
    for n in sizes:
        theta, x = rng.standard_normal((2, n))
        yield product_by_modes(theta, x), circulant(theta) @ x


verify.equal(
    "eq-gnn-convolution-theorem", cases(), atol=1e-12, against="the product with C(θ)"
)


# %% tags=["check"]
def cases():
    for n in sizes:
        real, imaginary = rng.standard_normal((2, 2, n))
        for theta, x in (real, real + 1j * imaginary):
            product = np.append(np.convolve(theta, x), 0)  # powers 0 to 2n − 1
            yield convolution_by_modes(theta, x), product[:n] + product[n:]


verify.equal(
    "eq-gnn-convolution-theorem-proper",
    cases(),
    atol=1e-12,
    against="a product of polynomials",
)

# %% [markdown]
# You will meet the theorem as "$C(\theta) x = \Phi (\hat\theta \odot \hat x)$", without the root and without the bar.
# If the transform has no factor in front there is no root, and if $\theta$ is the first column there is no bar. In the
# conventions of this chapter both are needed: by {eq}`eq-gnn-convolution-theorem-proper` that product is
# $\frac{1}{\sqrt n}\, \theta * x$, the convolution instead of the cross-correlation, and too small by the factor
# $\sqrt n$. A pulse shows the difference.


# %% tags=["hide-input"]
def draw_pulse(n=32):
    theta, x = np.zeros(n), np.eye(n)[16]
    theta[:6] = 1 - np.arange(6) / 6
    printed = transform_back(transform(theta) * transform(x)).real
    fig, ax = plt.subplots(figsize=(4.2, 2.6))
    for values, color, marker, offset, name in (
        (circulant(theta) @ x, display.COLORS[0], "o", -0.15, r"$C(\theta)\,x$"),
        (printed, display.COLORS[1], "s", 0.15, r"$\Phi(\hat\theta \odot \hat x)$"),
    ):
        node = np.flatnonzero(values.round(9))
        ax.vlines(node + offset, 0, values[node], color=color, lw=1.5)
        style = {"color": color, "marker": marker, "ls": ""}
        ax.plot(node + offset, values[node], **style, label=name)
    ax.axvline(16, color=display.INK, lw=0.8, ls=":")
    ax.annotate("pulse", (16, 1.05), (17, 1.05), va="center")
    ax.set(xlabel="node", ylabel="output", xlim=(-0.5, n - 0.5), ylim=(-0.05, 1.15))
    ax.legend(loc="upper right")
    return fig


display.show(
    draw_pulse(),
    alt="Response to a pulse at node 16 of 32. C of theta times x rises in six "
    "steps from node 11 to a height of 1 at node 16. The product without root "
    "and conjugate falls from node 16 to node 21 instead, and is less than a "
    "fifth as high.",
    caption="The layer answers a pulse at node 16 before it, with the kernel read "
    "backwards; the product without root and conjugate answers after it, and too "
    "weakly.",
)

# %% [markdown]
# The layer puts the kernel before the pulse, read backwards; the product without root and bar puts it after the pulse,
# at $1/\sqrt{32}$ of the height. The root alone would make it as tall, on the wrong side still. Only for a kernel that
# is its own mirror image, $\theta_j = \theta_{-j}$, is the root all that is missing.

# %% [markdown]
# :::{exercise} The theorem in one line, and in code
# :label: ex-gnn-convolution-theorem
# You know that $C(\theta)$ has the columns of $\Phi$ as eigenvectors and the entries of
# $\lambda = \sqrt n\,\overline{\hat\theta}$ as eigenvalues, for a real $\theta$. Derive
# {eq}`eq-gnn-convolution-theorem` in one line. Then write `fast_product(theta, x)`, which returns $C(\theta) x$ with
# `np.fft` and without an $n \times n$ matrix, for real and complex arrays. NumPy's `fft` has no $1/\sqrt n$ and its
# `ifft` has $1/n$: what becomes of the root? The check goes up to $n = 2^{20}$.
# :::

# %% [markdown] tags=["solution"]
# :::{solution-start} ex-gnn-convolution-theorem
# :class: dropdown
# :::
# $$
# C(\theta)\, x = \Phi\, \mathrm{diag}(\lambda)\, \Phi^* x
# = \Phi(\lambda \odot \hat x) = \Phi(\sqrt n\,\overline{\hat\theta} \odot \hat x) .
# $$
#
# The first step is the eigendecomposition with $\Phi^{-1} = \Phi^*$; a diagonal matrix times a vector is an
# entry-wise product.
#
# With NumPy's scaling $\texttt{fft}(x) = \sqrt n\, \hat x$ and $\texttt{ifft}(y) = \frac{1}{\sqrt n} \Phi y$, so that
# $\Phi (\lambda \odot \hat x) = \texttt{ifft}(\lambda \odot \texttt{fft}(x))$: one root cancels the other. The
# eigenvalues are $\lambda = \sqrt n\, \Phi\theta = n\, \texttt{ifft}(\theta)$, for complex kernels too; for real ones
# this is the conjugate of $\texttt{fft}(\theta)$.


# %% tags=["solution"]
def fast_product(theta, x):
    y = np.fft.ifft(len(theta) * np.fft.ifft(theta) * np.fft.fft(x))
    return y if np.iscomplexobj(theta) or np.iscomplexobj(x) else y.real


# %% [markdown] tags=["solution"]
# :::{solution-end}
# :::

# %%
exercises.check("gnn/fourier/fast_product", fast_product)

# %% [markdown]
# ## What was shown
#
# - The signals that a shift only multiplies are $n$ waves, the columns of $\Phi$, and their multiples; mode $k$ by
#   $\omega^k$, {eq}`eq-gnn-shift-modes`. They are orthonormal, {eq}`eq-gnn-orthonormal`.
# - Every layer on the ring is a polynomial in the shift, so the same modes diagonalise them all,
#   {eq}`eq-gnn-diagonalisation`. The eigenvalues say what becomes of each frequency, {eq}`eq-gnn-eigenvalues`; those of
#   three taps lie on an ellipse, {eq}`eq-gnn-ellipse`.
# - With a real kernel as the first row the eigenvalues are $\sqrt n\, \overline{\hat\theta}$,
#   {eq}`eq-gnn-convolution-theorem`; for the convolution they are $\sqrt n\, \hat\theta$,
#   {eq}`eq-gnn-convolution-theorem-proper`.
#
# That is why sines and cosines turn up: a ring has a shift, and its eigenvectors are waves $\omega^{ku}$, with a cosine
# as the real part and a sine as the imaginary part. Why weights are shared along the shift at all is asked in
# {doc}`equivariance`, what becomes of the modes on a graph without one in {doc}`modes`.

# %% [markdown]
# ## Exercises

# %% [markdown]
# :::{exercise} How far a layer stretches
# :label: ex-gnn-stretch
# How many times as long as $x$ can $C(\theta) x$ be, and for which $x$ is it? May that $x$ be real when $\theta$ is?
# Write `stretch(theta)`, which returns the largest $\lVert C(\theta) x \rVert / \lVert x \rVert$ over all $x \ne 0$,
# complex ones too, for a real or complex kernel, without an $n \times n$ matrix.
# :::

# %% [markdown] tags=["solution"]
# :::{solution-start} ex-gnn-stretch
# :class: dropdown
# :::
# By {eq}`eq-gnn-orthonormal` $\Phi$ and $\Phi^*$ keep lengths: $\lVert \Phi z \rVert^2 = z^* \Phi^* \Phi z =
# \lVert z \rVert^2$. So $\lVert x \rVert = \lVert \hat x \rVert$ and, by {eq}`eq-gnn-diagonalisation`,
#
# $$
# \lVert C(\theta)\, x \rVert^2 = \lVert \lambda \odot \hat x \rVert^2
# = \sum_k |\lambda_k|^2\, |\hat x_k|^2 \le \max_k |\lambda_k|^2\; \lVert x \rVert^2 .
# $$
#
# The mode with the largest gain reaches it. For a real $\theta$, $\lambda_{n-k} = \overline{\lambda_k}$, so modes $k$
# and $n - k$ have the same gain, and so has their sum, which is a cosine.
#
# `np.fft.fft` has the other sign in the exponent. That gives $\lambda_{n-k}$ in place $k$: the same numbers in another
# order, with the same maximum.


# %% tags=["solution"]
def stretch(theta):
    return np.abs(np.fft.fft(theta)).max()


# %% [markdown] tags=["solution"]
# :::{solution-end}
# :::

# %%
exercises.check("gnn/fourier/stretch", stretch)

# %% [markdown]
# :::{exercise} The gradient of a shared weight
# :label: ex-gnn-kernel-gradient
# Let $y = C(\theta) x$ and let $\mathcal{L}$ be a loss. $\theta_j$ stands in $n$ places of the matrix. What is
# $\partial \mathcal{L} / \partial \theta_j$, given the gradient $\partial \mathcal{L} / \partial y \in \mathbb{R}^n$?
# Which operation on signals is it? Write `kernel_gradient(x, dL_dy)`.
# :::

# %% [markdown] tags=["solution"]
# :::{solution-start} ex-gnn-kernel-gradient
# :class: dropdown
# :::
# By {eq}`eq-gnn-cross-correlation` $\theta_j$ enters each $y_i$, with the factor $x_{i+j}$. The chain rule adds up
# all places where it is used:
#
# $$
# \frac{\partial \mathcal{L}}{\partial \theta_j}
# = \sum_{i=0}^{n-1} \frac{\partial \mathcal{L}}{\partial y_i}\, \frac{\partial y_i}{\partial \theta_j}
# = \sum_{i=0}^{n-1} \frac{\partial \mathcal{L}}{\partial y_i}\, x_{j+i} ,
# $$
#
# which is entry $j$ of the cross-correlation of $x$ with the kernel $\partial \mathcal{L} / \partial y$:
# $\partial \mathcal{L} / \partial \theta = C(\partial \mathcal{L} / \partial y)\, x$. Sharing forward is summing
# backward, over places here, over time steps in a recurrent network, over nodes in a graph.


# %% tags=["solution"]
def kernel_gradient(x, dL_dy):
    return circulant(dL_dy) @ x


# %% [markdown] tags=["solution"]
# :::{solution-end}
# :::

# %%
exercises.check("gnn/fourier/kernel_gradient", kernel_gradient)

# %% [markdown]
# ## Further reading
#
# - {cite:t}`bamieh2018discovering` discovers the Fourier transform from the shift, at length and with the same
#   patience for every step.
# - {cite:t}`gray2006toeplitz` says how far all this carries for signals with ends, where matrices have constant
#   diagonals that do not wrap around.
# - {cite:t}`cooley1965algorithm` is the fast transform, in five pages. What it saves is measured in {doc}`modes`.
# - What the sources of this chapter print differently is listed, with a check each, in {doc}`/appendix/errata`.
