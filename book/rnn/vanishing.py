# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

# %% [markdown]
# # What reaches the first step
#
# {doc}`bptt` sends the blame for an error back through time, multiplied at every step by one more matrix. After forty
# steps, what is left of it? And what can you do when it is nothing, or far too much?

# %% tags=["parameters"]
profile = "smoke"
seed = 0

# %% tags=["set-up"]
import math

from helpers import display, exercises, parameters, verify
from helpers.rnn.cells import VanillaRNN

import matplotlib.pyplot as plt
import numpy as np
import torch
from torch.autograd.functional import jacobian
from torch.nn.functional import normalize, softplus

parameters.check(globals(), profile=("smoke", "full"), seed=range(2**31))
display.use_book_style()
torch.manual_seed(seed)
torch.set_default_dtype(torch.float64)  # claims are held to 1e-12


# %% tags=["hide-input"]
def draw_two_units():
    figures, (left, right) = display.panels((3.3, 2.7), (3.3, 2.7))
    W, k = np.array([[0.9, 2.0], [0.0, 0.5]]), np.arange(41)
    path = np.stack([np.linalg.matrix_power(W.T, j)[:, 0] for j in k])  # of (1, 0)
    for step in range(11):
        arrow = {"arrowstyle": "->", "color": display.COLORS[0]}
        left.annotate("", path[step], (0, 0), arrowprops=arrow)
        if step < 5:
            left.text(*(path[step] + (0.03, 0.05)), step)
    left.set(xlim=(0, 1.25), ylim=(-0.1, 3.4), title="the gradient, k steps back")
    left.set(xlabel="unit 1", ylabel="unit 2")
    right.plot(k, np.linalg.norm(W, 2) ** k, label="a bound", marker="", ls="--")
    right.plot(k, np.linalg.norm(path, axis=1), label="its length", marker="")
    right.plot(k, 0.9**k, label="$0.9^k$", marker="", ls=":")
    right.set(yscale="log", ylim=(1e-2, 1e2), xlim=(0, 40), xlabel="k steps back")
    right.legend(frameon=False)
    return figures


display.show(
    draw_two_units(),
    alt="Left, arrows from the origin: the gradient starts as (1, 0), turns up and "
    "grows to a length of about 3 after three steps, then shrinks. Right, its length "
    "on a logarithmic axis: it rises, then falls as a straight line beside 0.9 to the "
    "power k, while a bound rises steeply.",
    caption="A gradient goes back through two units. It grows threefold, and yet it "
    "vanishes in the end.",
)

# %% [markdown]
# ## Two units, by hand
#
# One step back, $\partial L / \partial h^{(t-1)} = J^{(t)\top}\, \partial L / \partial h^{(t)}$ with the Jacobian
# $J^{(t)} = \Delta^{(t)} W_{hh}$, where $\Delta^{(t)}$ has the slopes $1 - (h_i^{(t)})^2$ of the $\tanh$ on its
# diagonal ({eq}`eq-rnn-jacobian`; here the loss is that of the last step). Take
#
# $$
# W_{hh} = \begin{bmatrix} 0.9 & 2 \\ 0 & 0.5 \end{bmatrix}
# $$ (def-rnn-two-units)
#
# and a network at rest: no input, no bias, so that the state stays 0 and all slopes are 1. The loss asks unit 1 alone:
# its gradient is $(1, 0)$. A step back, $W_{hh}^\top (1, 0) = (0.9, 2)$: unit 2 is to blame, too. Then
# $(0.9 \cdot 0.9,\; 2 \cdot 0.9 + 0.5 \cdot 2) = (0.81, 2.8)$, then $(0.73, 3.02)$. The length went from 1 to 2.2, 2.9
# and 3.1. And 0.9 and 0.5, the eigenvalues, are both below 1:


# %%
def states(u, W):  # what input and bias add [T, H] → h(0) = 0 … h(T) [T + 1, H]
    h = [torch.zeros(len(W))]
    for u_t in u:
        h.append(torch.tanh(u_t + W @ h[-1]))
    return torch.stack(h)


def sent_back(gradient, h, W):  # ∂L/∂h(T) [H] → ∂L/∂h(t) for t = 0 … T [T + 1, H]
    gradients = [gradient]
    for h_t in h[1:].flip(0):
        gradients.append(W.T @ ((1 - h_t**2) * gradients[-1]))
    return torch.stack(gradients).flip(0)


W_two = torch.tensor([[0.9, 2.0], [0.0, 0.5]])
two = sent_back(torch.tensor([1.0, 0.0]), states(torch.zeros(40, 2), W_two), W_two)
for k in (0, 1, 2, 3, 4, 10, 20, 40):
    unit_1, unit_2 = gradient = two[40 - k]
    print(f"{k:2} steps back: {unit_1:.2f}, {unit_2:.2f}; length {gradient.norm():.2f}")

# %% [markdown]
# Which number of the matrix told you that it would grow, and which that it would vanish?
#
# ## What a product of many Jacobians does
#
# If $h^{(t')}$ is moved and the steps to $t$ follow, $h^{(t)}$ moves by $J^{(t)} \cdots J^{(t'+1)}$; gradients are sent
# back by its transpose. How large is it? $\lVert M \rVert$, the largest singular value, is the most by which a matrix
# stretches a vector. It is the same for $M^\top$; for products,
# $\lVert M N \rVert \le \lVert M \rVert\, \lVert N \rVert$; and a diagonal matrix stretches by its largest entry, which
# for slopes is at most 1:
#
# $$
# \begin{aligned}
# \big\lVert J^{(t)} \cdots J^{(t'+1)} \big\rVert
# &\le \prod_{j=t'+1}^{t} \Big( \max_i \big( 1 - (h_i^{(j)})^2 \big) \Big) \lVert W_{hh} \rVert \\
# &\le \lVert W_{hh} \rVert^{\,t-t'} .
# \end{aligned}
# $$ (eq-rnn-bound)
#
# With $\lVert W_{hh} \rVert < 1$ the product vanishes at least as fast as $\lVert W_{hh} \rVert^{t-t'}$, whatever is
# read. With $\lVert W_{hh} \rVert > 1$ the bound *allows* growth, and promises none: in the first picture, it is the
# steep dashed line. Here is what the two units do to gradients of length 1 in *all* directions.


# %% tags=["hide-input"]
def draw_circles():
    figures, axes = display.panels((3.4, 2.3), (3.4, 2.3))
    angle = torch.linspace(0, 2 * math.pi, 121)
    circle = torch.stack([angle.cos(), angle.sin()])
    for ax, steps in zip(axes, ((0, 1, 3), (10, 20, 40)), strict=True):
        for k in steps:
            power = torch.linalg.matrix_power(W_two, k)
            unit_1, unit_2 = power.T @ circle
            label = f"$k$ = {k}: {torch.linalg.matrix_norm(power, 2):.2f}"
            ax.plot(unit_2, unit_1, marker="", label=label)
        ax.set(xlim=(-3.6, 3.6), ylim=(-1.3, 1.3), aspect="equal")
        ax.set(xlabel="unit 2", ylabel="unit 1")
        ax.figure.legend(loc="outside upper center", ncols=2, frameon=False)
    return figures


display.show(
    draw_circles(),
    alt="Two panels with the same axes. Left, a circle of radius 1 becomes an ellipse of "
    "half length 2.24 after one step and a thin one of 3.11 after three. Right, after "
    "10, 20 and 40 steps it is all but a line, of half length 1.77, 0.62 and 0.08.",
    caption="All gradients of length 1, k steps back, and the length of the longest: the "
    "norm of the k-th power. Three steps stretch it, forty leave next to nothing.",
)


# %% tags=["check"]
def product_and_bound(h, W):
    product = torch.eye(len(W))
    for h_t in h[1:]:
        product = torch.diag(1 - h_t**2) @ W @ product
    largest = (1 - h[1:] ** 2).amax(dim=1).prod()
    norm = torch.linalg.matrix_norm(W, 2) ** (len(h) - 1)
    sizes = torch.linalg.matrix_norm(product, 2), largest * norm, norm
    return [size.item() for size in sizes]


def cases():
    for T, H in ((1, 1), (4, 3), (7, 8)):
        W = torch.randn(H, H) / H**0.5
        size, bound, looser = product_and_bound(states(torch.randn(T, H), W), W)
        order = [min(size, bound), bound, max(bound, looser)]
        yield order, [size, bound, looser]
        # Tight: units that are all alike, and a W that stretches all vectors alike
        W = 1.1 * torch.linalg.qr(torch.randn(H, H)).Q
        size, bound, looser = product_and_bound(torch.full((T + 1, H), 0.5), W)
        yield [size, looser], [(1.1 * 0.75) ** T, 1.1**T]
        yield size, bound
    size, bound, _ = product_and_bound(torch.zeros(2, 2), W_two)  # two units, one step
    yield size, bound


verify.equal("eq-rnn-bound", cases(), atol=1e-12, against="the norms of products")

# %% [markdown]
# What decides in the long run is seen best at rest, where the product is a power of $W = W_{hh}$. Let
# $W = V \Lambda V^{-1}$ be diagonalisable, and let the **spectral radius** $\rho(W)$ be the largest size $|\lambda|$ of
# its eigenvalues. The eigenvector of that $\lambda$ is stretched by $\rho^k$ in $k$ steps, so $\lVert W^k \rVert$ is no
# less. From above, $W^k = V \Lambda^k V^{-1}$ and $\lVert \Lambda^k \rVert = \rho^k$:
#
# $$
# \rho(W)^k \;\le\; \lVert W^k \rVert \;\le\; \lVert V \rVert\, \lVert V^{-1} \rVert\; \rho(W)^k .
# $$ (eq-rnn-radius)
#
# The factor before the last power does not depend on $k$, and its $k$-th root tends to 1. Per step, in the limit, the
# radius is all:
#
# $$
# \lim_{k \to \infty} \lVert W^k \rVert^{1/k} = \rho(W) .
# $$ (eq-rnn-limit)
#
# (This is Gelfand's formula, which holds for every square matrix {cite}`horn2013matrix`.) So the singular value bounds
# *one* step, and the radius tells the *limit*. They may lie on two sides of 1, and for random matrices they do:


# %%
def random_matrix(number, H=128):  # Gaussian entries, scaled to a spectral radius of 1
    W = torch.randn(H, H, generator=torch.Generator().manual_seed(number))
    return W / torch.linalg.eigvals(W).abs().max()


def norm_of_power(W, k):
    return torch.linalg.matrix_norm(torch.linalg.matrix_power(W, k), 2)


of_radius_one = [random_matrix(number) for number in range(20)]
for k in (1, 2, 5, 10, 20, 40):
    norms = torch.stack([norm_of_power(0.9 * W, k) for W in of_radius_one])
    print(f"norm of W^{k}: {norms.min():.2f} to {norms.max():.2f}", end=", ")
    print(f"median {norms.median():.2f}; 0.9^{k} = {0.9**k:.2f}")


# %% tags=["hide-input"]
def draw_two_kinds():
    figures, (left, right) = display.panels((3.3, 3.1), (3.3, 3.1))
    W, angle = 0.9 * of_radius_one[0], np.linspace(0, 2 * np.pi, 121)
    eigenvalues = np.sort_complex(torch.linalg.eigvals(W).numpy().round(4))
    left.plot(eigenvalues.real, eigenvalues.imag, ls="", ms=3)
    for radius, ls in ((0.9, "--"), (1, "-")):
        ring = radius * np.cos(angle), radius * np.sin(angle)
        left.plot(*ring, color=display.INK, lw=1, ls=ls, marker="")
    left.set(aspect="equal", xlabel="real part", ylabel="imaginary part")
    left.set(title="eigenvalues", xticks=[-1, 0, 1], yticks=[-1, 0, 1])
    stretches = torch.linalg.svdvals(W).numpy()
    right.bar(np.arange(1, 129), stretches, 1, lw=0, color=display.COLORS[1])
    right.axhline(1, color=display.INK, lw=1, ls="-")
    right.set(
        title="singular values", xlabel="number", xlim=(0, 129), xticks=[1, 64, 128]
    )
    return figures


def say_two_kinds():
    stretches = torch.linalg.svdvals(0.9 * of_radius_one[0])
    return (
        "Left, the 128 eigenvalues of a random matrix in the complex plane: they fill a "
        "disc of radius 0.9, inside the unit circle. Right, its singular values as bars, "
        f"falling from {stretches[0]:.2f} to {stretches[-1]:.2f}; "
        f"{(stretches > 1).sum()} of the 128 are above a line at 1."
    )


display.show(
    draw_two_kinds(),
    alt=say_two_kinds(),
    caption="One matrix, radius 0.9. No eigenvalue is outside the unit circle, the solid "
    "one, and yet many directions are stretched by more than 1 in the first step.",
)


# %% tags=["check"]
def within(k=12):
    for H in (2, 5, 20):
        Q = torch.linalg.qr(torch.randn(H, H)).Q
        # Of the second V is orthogonal, so its norm and that of its inverse are 1: tight
        normal = Q @ torch.diag(torch.linspace(-0.9, 0.5, H)) @ Q.T
        for W in (torch.randn(H, H) / H**0.5, normal):
            eigenvalues, V = torch.linalg.eig(W)
            inverse = torch.linalg.matrix_norm(V.inverse(), 2)
            low = eigenvalues.abs().max() ** k
            high = torch.linalg.matrix_norm(V, 2) * inverse * low
            yield low * (1 - 1e-9) <= norm_of_power(W, k) <= high * (1 + 1e-9)


verify.holds("eq-rnn-radius", all(within()), against="the norms of powers", cases=6)


# %% tags=["check"]
def cases():
    for H in (2, 5, 20):
        W, log = torch.randn(H, H), 0.0
        power = W
        for doubling in range(45):  # W^(2^45), its size taken out on the way
            size = torch.linalg.matrix_norm(power, 2)
            log, power = log + size.log() / 2**doubling, (power / size) @ (power / size)
        yield log.exp(), torch.linalg.eigvals(W).abs().max()


verify.equal("eq-rnn-limit", cases(), rtol=1e-9, against="the eigenvalues")


# %% [markdown]
# The norm of the power is about the worst of all directions, and at radius 0.9 that one *grows* at first. A loss sends
# back one vector, $\partial L / \partial h^{(T)}$, and if that is a random one, it is stretched less. Below, left, are
# both, with the two rates. On the right a network of $\tanh$ reads random inputs, added to the sum before the
# $\tanh$. Now the slopes count: no slope is above 1, and each unit that is far from zero has a smaller one.


# %%
RADII, SIZES, FAR = (0.5, 0.9, 1.0, 1.1, 1.5), (0.0, 0.3, 1.0), 40
measured = {}  # the lengths 0 to FAR steps back, in five networks [5, FAR + 1]
for radius in RADII:
    for size in SIZES:
        runs, slopes = [], []
        for number in range(5):
            W = radius * of_radius_one[number]
            h = states(size * torch.randn(80 + FAR, 128), W)[80:]
            gradients = sent_back(normalize(torch.randn(128), dim=0), h, W)
            runs.append(gradients.norm(dim=1).flip(0))
            slopes.append((1 - h**2).mean())
        measured[radius, size] = torch.stack(runs).numpy()
        print(
            f"radius {radius}, inputs of size {size}: mean slope {np.mean(slopes):.2f}",
            end="",
        )
        ends = measured[radius, size][:, FAR]
        print(f", gradient {ends.min():.0e} to {ends.max():.0e}")


# %% tags=["hide-input"]
powers = np.array([norm_of_power(of_radius_one[0], k).item() for k in range(FAR + 1)])


def draw_distance(radius):
    figures, (left, right) = display.panels((3.3, 3.2), (3.3, 3.2))
    k, bare = np.arange(FAR + 1), {"marker": ""}
    left.plot(k, (radius * powers[1]) ** k, label="$‖W‖^k$", **bare)
    left.plot(k, radius**k * powers, label="$‖W^k‖$", **bare)
    left.plot(k, radius**k, label=r"$\rho^k$", **bare)
    left.plot(k, measured[radius, 0.0][0], label="one gradient", **bare)
    for size, style in zip(SIZES, ("-", "--", ":"), strict=True):
        norms, color = measured[radius, size], display.COLORS[SIZES.index(size)]
        right.fill_between(k, norms.min(0), norms.max(0), color=color, alpha=0.2, lw=0)
        middle = np.median(norms, axis=0)
        label = f"inputs {size:g}" if size else "no input"
        right.plot(k, middle, ls=style, color=color, marker="", label=label)
    for ax, title in (left, "slopes 1"), (right, "tanh, five networks"):
        ax.set(yscale="log", ylim=(1e-7, 1e7), xlim=(0, FAR), title=title)
        ax.set(xlabel="steps back", yticks=10.0 ** np.arange(-6, 7, 3))
        ax.minorticks_off()
        ax.figure.legend(loc="outside lower center", ncols=2, frameon=False)
    return figures


def say_distance(radius):
    far = {size: np.median(measured[radius, size][:, -1]) for size in SIZES}
    return (
        f"Spectral radius {radius}. Left, all slopes 1: the norm of the powers of W lies "
        "below the power of its norm, which rises, and goes the way of the power of the "
        f"radius, which is {radius**FAR:.0e} after 40 steps; a random gradient has "
        f"{far[0.0]:.0e}. Right, with tanh: {far[0.3]:.0e} with small inputs, "
        f"{far[1.0]:.0e} with large ones."
    )


display.slider(
    draw_distance,
    RADII,
    label="spectral radius",
    alt=say_distance,
    caption="How large a gradient is, k steps back, in networks of 128 units. Where the "
    "slopes are 1 the radius decides between vanishing and exploding. Inputs make the "
    "slopes smaller, and the gradient with them.",
    start=0.9,
)

# %% [markdown]
# At rest the radius decides: below 1 the gradient vanishes, above it explodes. (A random gradient does not grow first,
# as the worst direction does.) But above radius 1 the rest does not last: any small push grows until the $\tanh$ bends
# it. And away from zero the slopes $1 - h^2$ multiply every step. With inputs of size 1 the gradient shrank in these
# networks at all five radii; with those of size 0.3 at all but 1.5, where it about kept its length. The radius says
# something about $W_{hh}$. The gradient is multiplied by $W_{hh}^\top \Delta^{(t)}$.
#
# ## What vanishes
#
# The gradient $\partial L^{(T)} / \partial W_{hh}$ is a *sum* over steps, and its term for the last one has no Jacobian
# in it. So what vanishes is not the gradient. It is the share that far steps have in it: the term of step $t$ is an
# outer product, of size exactly
#
# $$
# \Big\lVert \frac{\partial L}{\partial a^{(t)}}\, h^{(t-1)\top} \Big\rVert =
# \Big\lVert \frac{\partial L}{\partial a^{(t)}} \Big\rVert\; \big\lVert h^{(t-1)} \big\rVert ,
# $$ (eq-rnn-term)
#
# since $\lVert u h^\top \rVert^2 = \sum_{ij} u_i^2 h_j^2$ (the size of a matrix is here the root of the sum of its
# squared entries). States are at most $\sqrt H$ long, so it is the first factor that shrinks or grows. Send back the
# loss of a last step, with inputs of size 0.3:


# %%
def terms(gradient, h, W):  # one matrix per step, [T, H, H]
    dL_da = (1 - h[1:] ** 2) * sent_back(gradient, h, W)[1:]  # [T, H]
    return dL_da[:, :, None] * h[:-1, None, :]


def sizes_of_terms(gradient, h, W):  # by (eq-rnn-term) [T]
    dL_da = (1 - h[1:] ** 2) * sent_back(gradient, h, W)[1:]
    return dL_da.norm(dim=1) * h[:-1].norm(dim=1)


shares = {}
for radius in (0.5, 0.9, 1.5):
    W = radius * of_radius_one[0]
    h = states(0.3 * torch.randn(60, 128), W)
    W_ph = torch.randn(10, 128) / 128**0.5
    dL_dp = torch.softmax(W_ph @ h[-1], dim=0) - torch.eye(10)[3]
    sizes = sizes_of_terms(W_ph.T @ dL_dp, h, W)
    whole = torch.linalg.matrix_norm(terms(W_ph.T @ dL_dp, h, W).sum(dim=0))
    shares[radius] = (sizes / sizes.sum()).flip(0)  # from the last step on
    print(f"radius {radius}: gradient {whole:.2f}, its last term ", end="")
    print(
        f"{sizes[-1]:.2f}; over 10 steps back: {shares[radius][11:].sum():.1g} of all"
    )


# %% tags=["hide-input"]
def draw_shares():
    fig, ax = plt.subplots(figsize=(4.2, 2.6))
    for radius, share in shares.items():
        beyond = share.flip(0).cumsum(0).flip(0)
        ax.plot(range(60), beyond, label=f"radius {radius:g}", markevery=8)
    ax.set(yscale="log", ylim=(1e-9, 2), xlim=(0, 59), xlabel="steps back, at least")
    ax.set(ylabel="share of the terms", yticks=[1, 1e-3, 1e-6, 1e-9])
    ax.minorticks_off()
    ax.figure.legend(loc="outside upper center", ncols=3, frameon=False)
    return fig


display.show(
    draw_shares(),
    alt="Share of the terms that come from at least so many steps back, on a logarithmic "
    "axis: it falls as a straight line, steeply at radius 0.5, less at 0.9; at 1.5 it "
    "stays near 1 until the last steps.",
    caption="Below radius 1 what the far steps say is drowned by what the near ones say. "
    "At 1.5, with these inputs, all steps have their say.",
)


# %% tags=["check"]
def cases():
    for T, H in ((1, 2), (3, 1), (6, 4)):
        u, W, weight_of_end = torch.randn(T, H), torch.randn(H, H), torch.randn(H)

        def loss(own, u=u, weight_of_end=weight_of_end):  # a matrix for each step
            h = torch.zeros(u.shape[1])
            for u_t, W_t in zip(u, own, strict=True):
                h = torch.tanh(u_t + W_t @ h)
            return weight_of_end @ h

        by_step = jacobian(loss, W.repeat(T, 1, 1))  # [T, H, H]
        sizes = sizes_of_terms(weight_of_end, states(u, W), W)
        yield sizes, torch.linalg.matrix_norm(by_step)


verify.equal(
    "eq-rnn-term", cases(), atol=1e-12, against="autograd, one weight per step"
)

# %% [markdown]
# :::{exercise} Many steps
# :label: ex-rnn-many-steps
# A plain recurrent network is trained on sequences of hundreds of steps, where the answer depends on the first. Which
# two problems may you meet in $\partial L / \partial W_{hh}$, and when? Which of them stops training with a crash,
# which without a sign? What of this holds for $W_{ph}$?
# :::

# %% [markdown] tags=["solution"]
# :::{solution-start} ex-rnn-many-steps
# :class: dropdown
# :::
# Use $t'$ reaches the loss through $T - t'$ factors $\Delta^{(j)} W_{hh}$ {eq}`eq-rnn-sum`. If they stretch by less
# than 1 on average, as they must when $\lVert W_{hh} \rVert < 1$ {eq}`eq-rnn-bound`, and in the long run for
# $\rho < 1$ around zero {eq}`eq-rnn-radius`, the term of the first step is exponentially small: the gradient
# **vanishes**. The sum does not, since near terms have few factors; so the loss falls, the near past is learned, and
# nothing tells you that the first step was not. If the factors stretch by more than 1, the far terms dominate and are
# exponentially large: the gradient **explodes**, one step of training throws the weights away, the loss jumps or
# becomes NaN. This one is seen, and clipping mends it (next section). Saturation works for vanishing: slopes are at
# most 1 and fall to 0.
#
# $W_{ph}$ has neither problem, {eq}`eq-rnn-output-gradient` has no product of Jacobians. But it can use only what
# $h^{(T)}$ holds, and what that holds is up to the other weights.

# %% [markdown] tags=["solution"]
# :::{solution-end}
# :::

# %% [markdown]
# ## A gradient that is too long
#
# Where gradients explode, the loss has cliffs {cite}`pascanu2013difficulty`. One unit is enough: $h^{(t)} = \tanh(1.3\,
# h^{(t-1)} + b)$ from $h^{(0)} = -0.1$, and after 20 steps $h^{(20)}$ should be 0.75. For a small $b$, any start is
# drawn to a state below zero or to one above. Turn $b$ slowly, and at some value the start changes sides: $h^{(20)}$
# leaps, and the loss falls from a plateau into a valley, over a wall.
#
# A step of gradient descent is as long as the gradient. On the wall that is nonsense: the slope there says nothing
# about places so far away. So keep the direction and limit the length. Of all vectors $u$ no longer than $m$, take the
# one nearest to the gradient $\nabla L$, with *all* weights of the network in one vector. By the triangle inequality
# $\lVert u - \nabla L \rVert \ge \lVert \nabla L \rVert - \lVert u \rVert \ge \lVert \nabla L \rVert - m$, and both
# are equalities only where $u$ points along $\nabla L$ and has length $m$. (If $\lVert \nabla L \rVert \le m$, it is
# $\nabla L$ itself.)
#
# $$
# \operatorname*{arg\,min}_{\lVert u \rVert \le m} \lVert u - \nabla L \rVert
# = \min \Big( 1, \frac{m}{\lVert \nabla L \rVert} \Big)\, \nabla L .
# $$ (eq-rnn-clip)
#
# This is **clipping by the global norm**, `torch.nn.utils.clip_grad_norm_`: one factor for all entries of all
# gradients. It *rescales*. Nothing is cut off element by element; that is `clip_grad_value_`, and it turns the vector.


# %%
def clipped(gradient, m):  # all weights in one vector
    return min(1, m / gradient.norm()) * gradient


gradient = torch.tensor([8.0, 1.0])
for name, u in {
    "by norm": clipped(gradient, 2.0),
    "by value": gradient.clamp(-2, 2),
}.items():
    cosine = torch.cosine_similarity(u, gradient, dim=0)
    print(f"{name:8}: {u[0]:.2f}, {u[1]:.2f}; cosine with the gradient {cosine:.2f}")


# %%
def one_unit_loss(b, target=0.75, steps=20):
    h = torch.tensor(-0.1)
    for _ in range(steps):
        h = torch.tanh(1.3 * h + b)
    return (h - target) ** 2 / 2


def descend(m, b=-0.3, rate=0.05, steps=60):
    path = [b]
    for _ in range(steps):
        b = torch.tensor(path[-1], requires_grad=True)
        (gradient,) = torch.autograd.grad(one_unit_loss(b), b)
        path.append(path[-1] - rate * clipped(gradient, m).item())
    return path


paths = {"not clipped": descend(math.inf), "clipped at 1": descend(1.0)}
for name, path in paths.items():
    print(f"{name:12}: the longest step is {np.abs(np.diff(path)).max():.2f}, ", end="")
    print(f"the loss at the end {one_unit_loss(torch.tensor(path[-1])):.3f}")


# %% tags=["hide-input"]
def draw_cliff():
    figures, (left, right) = display.panels((3.3, 2.9), (3.3, 2.9))
    b = torch.linspace(-0.4, 0.6, 1001)
    left.plot(b, one_unit_loss(b), color=display.INK, marker="", ls="-", lw=1)
    for (name, path), marker in zip(paths.items(), ("s", "o"), strict=True):
        color = display.COLORS[1 if marker == "s" else 0]
        own = {"color": color, "marker": marker, "label": name}
        near = [place for place in path if place < 0.6]
        left.plot(near, [one_unit_loss(torch.tensor(p)) for p in near], ls="", **own)
        right.plot(path, ls="-" if marker == "o" else "--", markevery=4, **own)
    left.set(xlabel="$b$", ylabel="loss")
    right.set(xlabel="step of training", ylabel="$b$")
    right.figure.legend(loc="outside lower center", ncols=2, frameon=False)
    left.set_title("the loss, and where it was")
    right.set_title("the way of $b$")
    return figures


display.show(
    draw_cliff(),
    alt="Left, the loss against b: a high plateau, a wall near 0.03, a valley that "
    "rises slowly. Both paths come down the plateau. Right, b against the step: "
    "without clipping it leaps from the wall to above 11 and stays there, with "
    "clipping it stays near the wall and comes back into the valley.",
    caption="One step on the wall throws b so far that the tanh is flat and there is no "
    "way back. Clipped, it goes the same way a little, and finds the valley.",
)


# %% tags=["check"]
def cases():
    for shapes, m in ((((3, 2), (4,)), 1.0), (((5, 5),), 2.0), (((2,), (2,)), 100.0)):
        weights = [torch.randn(shape, requires_grad=True) for shape in shapes]
        for weight in weights:
            weight.grad = 10 * torch.randn_like(weight)
        whole = torch.cat([weight.grad.flatten() for weight in weights])
        # Projected: walk from the middle of the ball towards ∇L, back onto the ball
        u = torch.zeros_like(whole)
        for _ in range(200):
            u = u + 0.5 * (whole - u)
            u = u / max(1.0, (u.norm() / m).item())
        yield clipped(whole, m), u
        torch.nn.utils.clip_grad_norm_(weights, m)  # which adds 1e-6 to the norm
        yield (
            clipped(whole, m),
            torch.cat([weight.grad.flatten() for weight in weights]),
        )


verify.equal("eq-rnn-clip", cases(), rtol=1e-6, against="projection, clip_grad_norm_")

# %% [markdown]
# Clipping mends what explodes. It does nothing for what vanishes: one factor for all terms leaves their shares as they
# were.

# %% [markdown]
# :::{exercise} Clip
# :label: ex-rnn-clip
# Write `clip(gradients, max_norm)`, which takes a list of tensors, the gradients of all weights of a network, and
# returns the list clipped by the global norm. Does it make a difference whether each tensor is clipped by its own norm?
# :::

# %% [markdown] tags=["solution"]
# :::{solution-start} ex-rnn-clip
# :class: dropdown
# :::
# Yes: with a factor of its own for each tensor the whole vector turns, as with clipping by value. One norm, one factor.


# %% tags=["solution"]
def clip(gradients, max_norm):
    norm = sum((gradient**2).sum() for gradient in gradients) ** 0.5
    return [gradient * min(1, max_norm / norm) for gradient in gradients]


# %% [markdown] tags=["solution"]
# :::{solution-end}
# :::

# %%
exercises.check("rnn/vanishing/clip", clip)

# %% [markdown]
# ## A window on a long sequence
#
# A book has no last step to go back from. So it is read in windows of, say, $T = 30$ steps, and the gradient stops at
# the window's start: the state there is taken for a constant. Can the network then learn nothing that reaches further
# than a window? Its *gradient* reaches no further. Its *state* may: it is the same rule at every step, and a rule that
# keeps something over four steps may keep it over a hundred.
#
# Take windows of 5. The input is 0, and now and then +1 or −1; the network of 8 units is asked at every step for the
# sign of the last one. It is trained twice: with the state carried from window to window, and with a zero state at the
# start of each. Both are then tested on other sequences, with long waits, which are read in one piece.


# %%
def signs(T, B, rate):  # → inputs [T, B, 1], the last sign [T, B], how long ago [T, B]
    now = torch.rand(T, B) < rate
    now[0] = True
    x = now * (2.0 * torch.randint(2, (T, B)) - 1)
    last = torch.cummax(now * torch.arange(T)[:, None], dim=0).values  # its step
    return x[..., None], x.gather(0, last), torch.arange(T)[:, None] - last


def train(carried, start, window=5, steps=250):
    torch.manual_seed(start)
    cell, layer = VanillaRNN(1, 8), torch.nn.Linear(8, 1)
    weights = [*cell.parameters(), *layer.parameters()]
    adam = torch.optim.Adam(weights, lr=0.02)
    x, sign, _ = signs(steps * window, 32, rate=0.1)
    state = torch.zeros(32, 8)
    for s in range(0, len(x), window):
        h, state = cell(x[s : s + window], state)
        state = state.detach() if carried else torch.zeros(32, 8)  # a constant
        loss = softplus(-layer(h)[..., 0] * sign[s : s + window]).mean()
        adam.zero_grad()
        loss.backward()
        adam.step()
    return cell, layer


@torch.no_grad()
def right_by_wait(cell, layer, waits):
    torch.manual_seed(99)
    x, sign, wait = signs(300, 200, rate=0.02)
    right = (layer(cell(x)[0])[..., 0] * sign > 0).double()
    return [right[wait == w].mean().item() for w in waits]


WAITS = (0, 1, 2, 4, 6, 8, 10, 15, 20, 30, 40, 60, 80, 100)
found = {
    carried: np.array([right_by_wait(*train(carried, s), WAITS) for s in range(3)])
    for carried in (True, False)
}


# %% tags=["hide-input"]
def draw_windows():
    fig, ax = plt.subplots(figsize=(4.2, 2.9))
    for carried, color in ((True, display.COLORS[0]), (False, display.COLORS[1])):
        name = "state carried" if carried else "zero state"
        style = {"ls": "-" if carried else "--", "marker": "o" if carried else "s"}
        for run, accuracy in enumerate(found[carried]):
            label = None if run else f"{name}, three starts"
            ax.plot(WAITS, accuracy, color=color, label=label, **style)
    ax.axvline(5, color=display.INK, lw=1, ls=":")
    ax.text(6, 0.42, "window", va="center")
    ax.set(xlabel="steps since the last sign", ylabel="right", ylim=(0.35, 1.05))
    ax.figure.legend(loc="outside upper center", frameon=False)
    return fig


def say_windows():
    ends = {carried: np.sort(runs[:, -1]) for carried, runs in found.items()}
    carried, zero = (
        ", ".join(f"{end:.2f}" for end in ends[key]) for key in (True, False)
    )
    return (
        "Share of right answers against the steps since the last sign, with the window "
        "of 5 marked; all six networks are right up to twice the window. After 100 "
        "steps the "
        f"share is {carried} for the three trained with the state carried, and {zero} "
        "for "
        "the three trained from zero states."
    )


display.show(
    draw_windows(),
    alt=say_windows(),
    caption="Trained on windows of 5 steps. With the state carried the networks keep the "
    "sign for as long as was tried. From zero states they go beyond the window as well, "
    "and not all of them so far.",
)

# %% [markdown]
# So the length of a window limits how far back blame is *assigned*, not how far a network can *remember*. What it
# cannot do is find a rule of which no window shows a trace: were the sign asked for once, twenty steps later, no
# gradient would ever tell the network to keep it.

# %% [markdown]
# ## What was shown
#
# - The largest singular value of $W_{hh}$ bounds each step, {eq}`eq-rnn-bound`. At rest the spectral radius tells the
#   limit, {eq}`eq-rnn-limit`. A gradient may grow first and vanish in the end.
# - The slopes of $\tanh$ only shrink it, and the stronger the inputs the more.
# - What vanishes is the share of the far steps, {eq}`eq-rnn-term`, not the gradient.
# - Clipping by the global norm shortens a gradient and does not turn it, {eq}`eq-rnn-clip`. It brings back nothing that
#   has vanished.
# - A window limits how far back the gradient goes. The state may reach further.

# %% [markdown]
# ## Exercises

# %% [markdown]
# :::{exercise} How far back
# :label: ex-rnn-how-far-back
# Suppose that every step back makes terms smaller by the same factor $q < 1$: the term $k$ steps back has size
# $q^k$, in a sequence without a beginning. From how many steps back on do all further terms together have at
# most a given share of the sum? Write `steps_back(q, share)`, which returns the least such number. What does it
# say for $q = 0.9$ and a share of a hundredth, and how does it grow as $q$ nears 1?
# :::

# %% [markdown] tags=["solution"]
# :::{solution-start} ex-rnn-how-far-back
# :class: dropdown
# :::
# The terms from $d$ steps back on are $q^d + q^{d+1} + \dots = q^d / (1 - q)$, all are $1 / (1 - q)$. The share is
# $q^d$, so $d \ge \log(\text{share}) / \log q$: 44 steps for $q = 0.9$ and a hundredth. Near 1, $-\log q$ is about $1 -
# q$, so $d$ grows as $1 / (1 - q)$: every halving of $1 - q$ doubles the reach. That is all that a plain network can do
# about it.


# %% tags=["solution"]
def steps_back(q, share):
    return math.ceil(math.log(share) / math.log(q))


# %% [markdown] tags=["solution"]
# :::{solution-end}
# :::

# %%
exercises.check("rnn/vanishing/steps_back", steps_back)

# %% [markdown]
# :::{exercise} A leak
# :label: ex-rnn-leak
# Let a state change slowly: $h^{(t)} = (1 - \ell)\, h^{(t-1)} + \ell \tanh(a^{(t)})$ with $0 < \ell \le 1$. What is its
# Jacobian $\partial^+ h^{(t)} / \partial h^{(t-1)}$, and what are its eigenvalues when the units are saturated? Write
# `leaky_jacobian(before, h, leak, W_hh)`, for $h^{(t-1)}$ and $h^{(t)}$. What could a network do that *learns* $\ell$,
# and learns when it should be small?
# :::

# %% [markdown] tags=["solution"]
# :::{solution-start} ex-rnn-leak
# :class: dropdown
# :::
# The derivative of the first part is $(1 - \ell) I$, that of the second as in {eq}`eq-rnn-jacobian`, with the slope
# of the $\tanh$, which is $c = (h^{(t)} - (1 - \ell) h^{(t-1)}) / \ell$ here, not the state:
# $(1 - \ell) I + \ell \operatorname{diag}(1 - c \odot c)\, W_{hh}$. Saturated, $c \odot c \to 1$ and
# all eigenvalues are $1 - \ell$: for a small leak, near 1, whatever $W_{hh}$ is. Nothing vanishes for about $1 / \ell$
# steps. A network that sets such a number itself, per unit and per step, has a *gate*: the LSTM.


# %% tags=["solution"]
def leaky_jacobian(before, h, leak, W_hh):
    c = (h - (1 - leak) * before) / leak
    return (1 - leak) * torch.eye(len(h)) + leak * torch.diag(1 - c**2) @ W_hh


# %% [markdown] tags=["solution"]
# :::{solution-end}
# :::

# %%
exercises.check("rnn/vanishing/leaky_jacobian", leaky_jacobian)

# %% [markdown]
# ## Further reading
#
# - {cite:t}`pascanu2013difficulty` tells of vanishing, exploding, cliffs and clipping.
# - {cite:t}`bengio1994learning` asked first why long dependencies are hard to learn by gradient descent.
# - {cite:t}`sompolinsky1988chaos`: what large random networks do above radius 1 without input. They do not rest.
