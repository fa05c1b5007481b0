# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

# %% [markdown]
# # How far to step
#
# {doc}`vanishing` ends with a gradient that is neither nothing nor far too long. It tells in which direction the loss
# falls fastest, here and now. How far should you go? And should you go that way at all, when the last ten gradients
# pointed to and fro across a ravine?

# %% tags=["parameters"]
profile = "smoke"
seed = 0

# %% tags=["set-up"]
import math

from helpers import display, exercises, parameters, verify
from helpers.rnn.descent import (
    SmallNetwork,
    both_ways,
    contours,
    descend,
    torch_path,
)

import matplotlib.pyplot as plt
import numpy as np
import torch
from scipy.optimize import minimize_scalar
from torch.autograd.functional import jacobian

parameters.check(globals(), profile=("smoke", "full"), seed=range(2**31))
display.use_book_style()
torch.manual_seed(seed)
torch.set_default_dtype(torch.float64)  # claims are held to 1e-12

network = SmallNetwork(seed)  # rules are held against it, and a ravine


# %% tags=["hide-input"]
def draw_ravine(eta=0.09, beta=0.6, steps=20):
    figures, axes = display.panels((3.3, 2.5), (3.3, 2.5))
    curvatures = np.array([1.0, 20.0])
    for i, (ax, kept) in enumerate(zip(axes, (0.0, beta), strict=True)):
        path, v = [np.array([10.0, 1.0])], 0.0
        for _ in range(steps):
            v = kept * v + curvatures * path[-1]
            path.append(path[-1] - eta * v)
        contours(ax, curvatures, (2, 10, 25, 50))
        ax.plot(*np.transpose(path), color=display.COLORS[i], ls="-", marker="os"[i])
        ax.set(xlim=(-4, 11), ylim=(-2.4, 2.4), xlabel="$w_1$", ylabel="$w_2$")
        ax.set_title(("SGD", "momentum")[i])
        ax.grid(False)
    return figures


display.show(
    draw_ravine(),
    alt="Two panels with the elliptic contours of a long ravine and a path of twenty "
    "steps from the right. Left, SGD zigzags across the floor with ever smaller "
    "swings and is still under way. Right, momentum swings as well, runs past the "
    "minimum and is back at it.",
    caption="Twenty steps in a ravine, at the same learning rate. SGD spends them on "
    "the walls. Momentum adds up what the gradients have in common.",
)

# %% [markdown]
# ## Two curvatures, by hand
#
# The ravine is $L(w) = \tfrac12 (w_1^2 + 20\, w_2^2)$: gentle along the first weight, twenty times as curved along the
# second. Its gradient is $(w_1, 20\, w_2)$. Start at $(10, 1)$ and take steps of $-0.09$ times the gradient:
#
# - the gradient is $(10, 20)$, the step $(-0.9, -1.8)$, and you are at $(9.1, -0.8)$: on the other wall;
# - the gradient is $(9.1, -16)$, the step $(-0.82, 1.44)$: $(8.28, 0.64)$, back on the first;
# - then $(7.54, -0.51)$.
#
# The first weight is multiplied by $1 - 0.09 = 0.91$ each time, the second by $1 - 0.09 \cdot 20 = -0.8$. A larger rate
# would help the first. But at 0.11 the second is multiplied by $1 - 2.2 = -1.2$, and each swing is larger than the
# last.
# (`descend` calls a rule again and again; what the rule wants to remember goes with it as its state.)


# %%
def sgd(w, g, state, eta):
    return w - eta * g, state  # nothing to remember


def ravine(w):
    return (w[0] ** 2 + 20 * w[1] ** 2) / 2


def ravine_gradient(w):
    return torch.tensor([1.0, 20.0]) * w


start = torch.tensor([10.0, 1.0])
for eta in (0.09, 0.11):
    path = descend(sgd, ravine_gradient, start, 3, eta=eta)
    print(f"rate {eta}:", ", ".join(f"({w_1:.2f}, {w_2:.2f})" for w_1, w_2 in path))


# %% tags=["hide-input"]
def draw_two_rates(steps=12):
    figures, axes = display.panels((3.3, 2.7), (3.3, 2.7))
    for ax, eta in zip(axes, (0.09, 0.11), strict=True):
        path = descend(sgd, ravine_gradient, start, steps, eta=eta)
        for i in (0, 1):
            ax.plot(path[:, i], label=f"$w_{i + 1}$")
        ax.axhline(0, color=display.INK, lw=0.8)
        ax.set(xlabel="step", ylim=(-10, 11), title=f"$η = {eta}$")
        ax.figure.legend(loc="outside lower center", ncols=2, frameon=False)
    return figures


display.show(
    draw_two_rates(),
    alt="The two weights over twelve steps. At 0.09 the first falls slowly from 10 to "
    "3 and the second swings about 0, less and less. At 0.11 the first falls a little "
    "faster, and the second swings more at each step, up to 9.",
    caption="Each weight by itself. A rate that is a fifth higher hardly helps the "
    "gentle one and makes the steep one leave.",
)

# %% [markdown]
# ## SGD, one direction at a time
#
# At step $k$ the weights are $w_k$, all in one vector, and $g_k$ is the gradient there: of the loss on a batch, as a
# rule, so that the next batch gives another one. **Stochastic gradient descent** goes against it, with a learning
# rate $\eta$:
#
# $$
# w_{k+1} = w_k - \eta\, g_k .
# $$ (eq-rnn-sgd)
#
# This and each of the rules to come is held against `torch.optim`, over a hundred steps in the ravine and a hundred of
# a small recurrent network that reads palindromes. (A palindrome's last digit is its first: remember it.)


# %% tags=["check"]
def cases():
    yield from both_ways(sgd, torch.optim.SGD, {"eta": 0.09}, {"lr": 0.09}, network)


verify.equal("eq-rnn-sgd", cases(), atol=1e-12, against="torch.optim.SGD")

# %% [markdown]
# Near a minimum every smooth loss is a quadratic. Put the minimum at 0 and call the matrix of second derivatives $A$:
# $L(w) = \tfrac12 w^\top A w$, with the gradient $A w$. A symmetric $A$ has orthonormal eigenvectors $a$ with
# $A a = \lambda a$; the eigenvalue is the curvature along $a$, and at a minimum none is negative. Let all be positive,
# and look along one of them, at the coordinate $c_k = a^\top w_k$. Since $a^\top A w = \lambda\, a^\top w$, SGD
# multiplies it by one number, whatever the other coordinates do:
#
# $$
# a^\top w_k = (1 - \eta \lambda)^k\; a^\top w_0 .
# $$ (eq-rnn-sgd-modes)
#
# This tends to 0 where $|1 - \eta \lambda| < 1$, that is, $0 < \eta \lambda < 2$. The largest curvature decides:
#
# $$
# w_k \to 0 \ \text{ from every start} \quad \Longleftrightarrow \quad 0 < \eta < \frac{2}{\lambda_{\max}} .
# $$ (eq-rnn-sgd-limit)
#
# Below the limit the slowest coordinate sets the pace, with the factor
# $\max(|1 - \eta \lambda_{\min}|, |1 - \eta \lambda_{\max}|)$. The first term falls with $\eta$ and the second rises,
# so the best rate is where they meet, $1 - \eta \lambda_{\min} = \eta \lambda_{\max} - 1$. With the **condition
# number** $\kappa = \lambda_{\max} / \lambda_{\min}$:
#
# $$
# \eta^\star = \frac{2}{\lambda_{\min} + \lambda_{\max}} , \qquad
# \text{factor} \ \frac{\kappa - 1}{\kappa + 1} .
# $$ (eq-rnn-best-rate)


# %%
def factor(eta, curvatures):  # of the slowest coordinate
    return np.abs(1 - eta * np.asarray(curvatures)).max()


for kappa in (1, 20, 1000):
    slowest = factor(2 / (1 + kappa), [1, kappa])
    steps = math.ceil(math.log(0.01) / math.log(slowest)) if slowest else 1
    print(f"κ = {kappa}: factor {slowest:.3f}, {steps} steps to a hundredth")


# %% tags=["hide-input"]
def draw_factors():
    fig, ax = plt.subplots(figsize=(4.2, 2.7))
    eta = np.linspace(0, 0.12, 241)
    for curvature in (1, 20):
        ax.plot(eta, abs(1 - eta * curvature), marker="", label=f"$λ = {curvature}$")
    best = 2 / 21
    ax.plot(best, factor(best, [1, 20]), color=display.INK, marker="D", ls="")
    ax.annotate("best", (best, 0.9), (0.075, 0.68), arrowprops={"arrowstyle": "->"})
    ax.axvline(0.1, color=display.INK, lw=1, ls=":")
    ax.text(0.101, 0.1, "limit")
    ax.set(xlabel="$η$", ylabel="$|1 - ηλ|$", ylim=(0, 1.2), xlim=(0, 0.12))
    ax.legend(frameon=False, loc="lower left")
    return fig


display.show(
    draw_factors(),
    alt="The factor per step against the rate. For curvature 1 it falls slowly from 1. "
    "For 20 it falls to 0 at 0.05, then rises, and passes 1 at 0.1, the limit. "
    "The two meet a little before the limit, at about 0.9.",
    caption="What a step leaves of each coordinate of the ravine. The steep one "
    "forbids the rate that the gentle one needs: the best rate is close to the limit, "
    "where the steep one swings.",
)


# %%
def random_quadratic(n=4):  # A [n, n], its eigenvalues from 0.3 on, its eigenvectors
    Q = torch.linalg.qr(torch.randn(n, n)).Q
    A = Q @ torch.diag(0.3 + 3 * torch.rand(n)) @ Q.T
    return A, *torch.linalg.eigh(A)


def path_on(A, steps, **settings):  # of torch's SGD, from a random start
    w = torch.nn.Parameter(torch.randn(len(A)))
    return torch_path(torch.optim.SGD, lambda: w @ A @ w / 2, [w], steps, **settings)


# %% tags=["check"]
def cases():
    for k in (1, 2, 30):
        A, curvatures, vectors = random_quadratic()
        path = path_on(A, k, lr=0.4)
        claimed = (1 - 0.4 * curvatures) ** k * (vectors.T @ path[0])
        yield claimed, vectors.T @ path[k]


verify.equal("eq-rnn-sgd-modes", cases(), atol=1e-12, against="torch.optim.SGD")


# %% tags=["check"]
def found(steps=3000):
    for _ in range(3):
        A, curvatures, _ = random_quadratic()
        for part in (-0.1, 0.1, 0.5, 0.99, 1.0, 1.01):  # of the limit
            eta = part * 2 / curvatures.max()
            path = descend(sgd, A.__matmul__, torch.randn(4), steps, eta=eta)
            end = path[-1]
            yield (end.norm() < 1e-8) == (0 < part < 1)


verify.holds("eq-rnn-sgd-limit", all(found()), against="runs on both sides", cases=18)


# %% tags=["check"]
def cases():
    for _ in range(4):
        _, curvatures, _ = random_quadratic()
        low, high = curvatures.min().item(), curvatures.max().item()
        tried = {"bounds": (0, 2 / high), "options": {"xatol": 1e-9}}
        search = minimize_scalar(factor, args=([low, high],), **tried)
        kappa = high / low
        yield [2 / (low + high), (kappa - 1) / (kappa + 1)], [search.x, search.fun]


verify.equal("eq-rnn-best-rate", cases(), atol=1e-6, against="a search over rates")

# %% [markdown]
# For a large $\kappa$ the factor is about $1 - 2 / \kappa$, so the number of steps grows as $\kappa$. And the best rate
# is a little below the limit: the zigzag is not a mistake in the choice of the rate, it is what the best one does.
#
# ## Momentum
#
# On the way through the ravine, the gradients agree along the floor and contradict each other across it. So do not
# follow the last one. Follow a sum that forgets slowly, with a **momentum** $0 \le \beta < 1$
# {cite}`polyak1964methods`:
#
# $$
# v_{k+1} = \beta\, v_k + g_k , \qquad w_{k+1} = w_k - \eta\, v_{k+1} , \qquad v_0 = 0 .
# $$ (eq-rnn-momentum)
#
# This is `SGD(momentum=β)` of PyTorch. Two of its options are not used here: `dampening` would multiply $g_k$ by
# a number, `nesterov` would take the step along $g_k + \beta v_{k+1}$. Since $-\eta\, v_k = w_k - w_{k-1}$ while $\eta$
# stays the same, $w_{k+1} = w_k - \eta\, g_k + \beta (w_k - w_{k-1})$: the *heavy ball*, which moves on by $\beta$
# times its last move.
#
# What does the sum do? Put the first equation into itself:
#
# $$
# v_{k+1} = \sum_{j=0}^{k} \beta^j\, g_{k-j} .
# $$ (eq-rnn-momentum-sum)
#
# - If all gradients are one $g$, it tends to $g\, (1 + \beta + \beta^2 + \dots) = g / (1 - \beta)$. Along the floor you
#   go as with a rate of $\eta / (1 - \beta)$: ten times $\eta$ for $\beta = 0.9$.
# - If they alternate, $g, -g, g, \dots$, it tends to size $|g|\, (1 - \beta + \beta^2 - \dots) = |g| / (1 + \beta)$.
#   The swings are driven about half as hard.
# - If they are independent noise of variance $q^2$, variances add: $q^2 (1 + \beta^2 + \beta^4 + \dots) = q^2 /
#   (1 - \beta^2)$. Held against a mean that is $1 / (1 - \beta)$ times as large, the noise is down by
#   $(1 - \beta) / \sqrt{1 - \beta^2} = \sqrt{(1 - \beta) / (1 + \beta)}$.


# %%
def momentum(w, g, v, eta, beta=0.9):
    v = beta * v + g
    return w - eta * v, v


def buffer(gradients, beta=0.9):  # v after all of these gradients
    v = 0.0
    for g in gradients:
        v = beta * v + g
    return v


constant, swinging = torch.ones(200), torch.tensor([1.0, -1.0] * 100)
noise = buffer(torch.randn(200, 10_000))  # ten thousand runs
print(f"β = 0.9, constant gradients: {buffer(constant):.2f}; ", end="")
print(f"alternating ones: {abs(buffer(swinging)):.2f}")
print(f"noise: {noise.std():.1f}, {noise.std() / buffer(constant):.2f} of the first")


# %% tags=["hide-input"]
def draw_buffers(steps=40, beta=0.9):
    fig, ax = plt.subplots(figsize=(4.2, 2.9))
    given = {
        "all alike": constant[:steps],
        "alternating": swinging[:steps],
        "noise": torch.randn(steps),
    }
    for name, gradients in given.items():
        path = [buffer(gradients[:k], beta) for k in range(steps + 1)]
        ax.plot(path, label=name, markevery=5)
    ax.axhline(1 / (1 - beta), color=display.INK, lw=1, ls=":")
    ax.set(xlabel="step", ylabel="$v$", ylim=(-5, 11))
    fig.legend(loc="outside lower center", ncols=3, frameon=False)
    return fig


display.show(
    draw_buffers(),
    alt="The sum against the step for three kinds of gradients of size about 1. Where "
    "all are alike it rises to 10, a dotted line. Where they alternate it stays "
    "between -1 and 1. Noise wanders by a few.",
    caption="What momentum 0.9 makes of gradients of size one: ten times those that "
    "agree, half of those that alternate, and little of noise.",
)


# %% tags=["check"]
def cases():
    theirs = {"lr": 0.02, "momentum": 0.8}
    yield from both_ways(
        momentum, torch.optim.SGD, {"eta": 0.02, "beta": 0.8}, theirs, network
    )


verify.equal("eq-rnn-momentum", cases(), atol=1e-12, against="torch.optim.SGD")


# %% tags=["check"]
def cases():
    for k, beta in ((0, 0.9), (1, 0.5), (20, 0.9)):
        w, gradients = torch.nn.Parameter(torch.zeros(3)), torch.randn(k + 1, 3)
        optimizer = torch.optim.SGD([w], lr=0.1, momentum=beta)
        for g in gradients:
            w.grad = g.clone()
            optimizer.step()
        summed = sum(beta**j * gradients[k - j] for j in range(k + 1))
        yield summed, optimizer.state[w]["momentum_buffer"]


verify.equal("eq-rnn-momentum-sum", cases(), atol=1e-12, against="torch's buffer")

# %% [markdown]
# ### When it is stable
#
# Swings driven half as hard should allow twice the rate. Do they? On the quadratic, look along one eigenvector again,
# at $c_k = a^\top w_k$ and $d_k = a^\top v_k$. The gradient there is $\lambda c_k$, so
# $d_{k+1} = \beta d_k + \lambda c_k$ and $c_{k+1} = c_k - \eta\, d_{k+1}$. Put the first into the second:
#
# $$
# \begin{bmatrix} c_{k+1} \\ d_{k+1} \end{bmatrix} = M_\lambda \begin{bmatrix} c_k \\ d_k \end{bmatrix} , \qquad
# M_\lambda = \begin{bmatrix} 1 - \eta \lambda & -\eta \beta \\ \lambda & \beta \end{bmatrix} .
# $$ (eq-rnn-momentum-matrix)
#
# What SGD does with a number, momentum does with a matrix, and powers of a matrix follow its spectral radius
# {eq}`eq-rnn-limit`. The trace of $M_\lambda$ is $1 + \beta - \eta \lambda$, its determinant $(1 - \eta \lambda) \beta
# +
# \eta \beta \lambda = \beta$. So the eigenvalues are the roots of
# $p(r) = r^2 - (1 + \beta - \eta \lambda)\, r + \beta$.
#
# - Two complex roots are conjugates with the product $\beta$, so both have the size $\sqrt \beta < 1$: stable.
# - Two real roots have the product $\beta < 1$. If $p(1) > 0$, both lie on the same side of 1, and not above it, where
#   their product would be more than 1. If $p(-1) > 0$, both lie on the same side of $-1$, and not below, for the same
#   reason. If one of the two is not positive, some root is at $\pm 1$ or beyond.
#
# (For complex roots $p$ has no zero on the line and is positive at both places.) Now $p(1) = \eta \lambda$ is positive
# when $\eta$ is, and $p(-1) = 2 (1 + \beta) - \eta \lambda$. The largest curvature decides, as before:
#
# $$
# w_k \to 0 \ \text{ from every start} \quad \Longleftrightarrow \quad 0 < \eta < \frac{2 (1 + \beta)}{\lambda_{\max}} .
# $$ (eq-rnn-momentum-limit)
#
# The limit is $1 + \beta$ times that of SGD, just as the swings are $1 + \beta$ times weaker.
#
# ### How fast it can be
#
# The smallest radius that a given $\beta$ allows is $\sqrt \beta$, and it is reached where the roots are not two
# different real ones: $(1 + \beta - \eta \lambda)^2 \le 4 \beta$, that is, $(1 - \sqrt \beta)^2 \le \eta \lambda \le
# (1 + \sqrt \beta)^2$. The smallest $\beta$ for which all curvatures have room there puts $\lambda_{\min}$ at one end
# and $\lambda_{\max}$ at the other. Divide the ends: $\sqrt \kappa = (1 + \sqrt \beta) / (1 - \sqrt \beta)$.
#
# No other choice does better. Let a radius $r$ be reached, so $\beta \le r^2$. No root lies beyond $r$ or $-r$, so
# $p(r) \ge 0$ for $\lambda_{\min}$, which says $\eta \lambda_{\min} \ge (1 - r)(1 - \beta / r)$; and $p(-r) \ge 0$ for
# $\lambda_{\max}$, which says $\eta \lambda_{\max} \le (1 + r)(1 + \beta / r)$. Divide and use $\beta / r \le r$:
# $\kappa \le \big( (1 + r) / (1 - r) \big)^2$. Solved for $r$: no
# choice has a radius below the one of these,
#
# $$
# \text{factor} = \sqrt{\beta^\star} = \frac{\sqrt \kappa - 1}{\sqrt \kappa + 1} , \qquad
# \eta^\star = \frac{4}{\big( \sqrt{\lambda_{\min}} + \sqrt{\lambda_{\max}} \big)^2} .
# $$ (eq-rnn-best-momentum)
#
# That is SGD's best factor {eq}`eq-rnn-best-rate` with $\sqrt \kappa$ in place of $\kappa$.


# %%
def M(eta, beta, curvature):  # one step of (c, d)
    return np.array([[1 - eta * curvature, -eta * beta], [curvature, beta]])


def radius(eta, beta, curvature):
    return np.abs(np.linalg.eigvals(M(eta, beta, curvature))).max()


def best(kappa):  # rate, momentum and factor for the curvatures from 1 to κ
    root = kappa**0.5
    slowest = (root - 1) / (root + 1)
    return 4 / (1 + root) ** 2, slowest**2, slowest


for kappa in (20, 1000):
    eta, beta, slowest = best(kappa)
    print(f"κ = {kappa}: rate {eta:.3g}, momentum {beta:.2f}, ", end="")
    steps = math.ceil(math.log(0.01) / math.log(slowest))
    print(f"factor {slowest:.3f}, {steps} steps to a hundredth")


# %% tags=["hide-input"]
def draw_momentum(kappa=100, steps=200):
    figures, (left, right) = display.panels((3.3, 2.9), (3.3, 2.9))
    scaled = np.linspace(0.002, 4.2, 400)
    for beta in (0.0, 0.5, 0.9):
        sizes = [radius(x, beta, 1.0) for x in scaled]
        left.plot(scaled, sizes, marker="", label=f"$β = {beta:g}$")
    left.axhline(1, color=display.INK, lw=1)
    left.set(xlabel="$ηλ$", ylabel="spectral radius", ylim=(0, 1.5), xlim=(0, 4.2))
    curvatures = torch.tensor([1.0, kappa])
    eta, beta, slowest = best(kappa)
    for name, rule, settings in (
        ("SGD", sgd, {"eta": 2 / (1 + kappa)}),
        ("momentum", momentum, {"eta": eta, "beta": beta}),
    ):
        path = descend(rule, curvatures.__mul__, torch.ones(2), steps, **settings)
        right.plot(path.norm(dim=1), label=name, markevery=25)
    dotted = {"color": display.INK, "ls": ":", "marker": "", "label": "its factor"}
    right.plot(slowest ** np.arange(steps + 1), **dotted)
    right.set(yscale="log", ylim=(1e-9, 30), xlabel="step", ylabel="distance")
    right.set_title(f"$κ = {kappa}$")
    right.set_yticks([1, 1e-4, 1e-8])
    right.minorticks_off()
    left.set_title("a step on one curvature")
    for ax in (left, right):
        ax.figure.legend(loc="outside lower center", ncols=3, frameon=False)
    return figures


display.show(
    draw_momentum(),
    alt="Left, the spectral radius against the rate times the curvature: without "
    "momentum it falls to 0 and passes 1 at 2; with momentum 0.5 and 0.9 it has a flat "
    "floor and passes 1 at 3 and 3.8. Right, the distance from the minimum on a "
    "logarithmic axis: SGD falls slowly, momentum rises at first and then falls "
    "nearly as fast as a dotted line with its factor.",
    caption="Momentum turns the narrow notch of SGD into a wide floor, on which many "
    "curvatures have the same factor. Both rules on the right have their best rates.",
)


# %% tags=["check"]
def cases():
    for eta, beta, k in ((0.3, 0.5, 1), (0.7, 0.9, 2), (0.2, 0.3, 25)):
        A, curvatures, vectors = random_quadratic()
        path = path_on(A, k, lr=eta, momentum=beta)
        for i in range(4):
            power = np.linalg.matrix_power(M(eta, beta, curvatures[i].item()), k)
            c_0 = (vectors[:, i] @ path[0]).item()
            c, d = power @ [c_0, 0.0]
            v = (path[k - 1] - path[k]) / eta
            yield [c, d], [(vectors[:, i] @ path[k]).item(), (vectors[:, i] @ v).item()]


verify.equal("eq-rnn-momentum-matrix", cases(), atol=1e-12, against="torch.optim.SGD")


# %% tags=["check"]
def found(steps=3000):
    for beta in (0.0, 0.5, 0.9):
        for part in (-0.1, 0.1, 0.99, 1.0, 1.01):  # of the limit
            A, curvatures, _ = random_quadratic()
            settings = {"eta": part * 2 * (1 + beta) / curvatures.max(), "beta": beta}
            path = descend(momentum, A.__matmul__, torch.randn(4), steps, **settings)
            end = path[-1]
            yield (end.norm() < 1e-8) == (0 < part < 1)


verify.holds(
    "eq-rnn-momentum-limit", all(found()), against="runs on both sides", cases=15
)


# %% tags=["check"]
def cases():
    for kappa in (2.0, 20.0, 300.0):
        eta, beta, slowest = best(kappa)
        own = max(
            radius(eta, beta, curvature) for curvature in np.linspace(1, kappa, 9)
        )
        tried = [
            max(radius(x / kappa, b, 1), radius(x / kappa, b, kappa))
            for b in np.linspace(0, 0.98, 50)
            for x in np.linspace(0.1, 3.9, 39)
        ]
        yield [slowest, slowest], [own, min(min(tried), slowest)]


verify.equal(
    "eq-rnn-best-momentum", cases(), atol=1e-6, against="eigenvalues, a search"
)

# %% [markdown]
# The matrix is not symmetric, so the distance may grow at first, as in {doc}`vanishing`. And with the best settings the
# two roots of each end coincide, for which powers of a matrix fall as $k$ times the factor's: the dotted line is a
# little steeper. Nor is the best momentum always 0.9: for $\kappa = 20$ it is less than half of that.

# %% [markdown]
# :::{exercise} Nesterov's limit
# :label: ex-rnn-nesterov-limit
# With `nesterov=True`, PyTorch's `SGD` keeps the same $v_{k+1}$ and steps along $g_k + \beta\, v_{k+1}$. Derive the
# matrix of one step on the curvature $\lambda$, its trace and its determinant, and the limit of stability. Write
# `nesterov_limit(curvature, beta)`, the rate below which steps on this curvature are stable. Is it higher or lower than
# the heavy ball's?
# :::

# %% [markdown] tags=["solution"]
# :::{solution-start} ex-rnn-nesterov-limit
# :class: dropdown
# :::
# $d_{k+1} = \beta d_k + \lambda c_k$, and $c_{k+1} = c_k - \eta (\lambda c_k + \beta d_{k+1}) = \big( 1 - \eta \lambda
# (1 + \beta) \big) c_k - \eta \beta^2 d_k$. The trace is $1 + \beta - \eta \lambda (1 + \beta)$ and the determinant
# $\beta \big( 1 - \eta \lambda (1 + \beta) \big) + \eta \lambda \beta^2 = \beta (1 - \eta \lambda)$. $p(1) = 1 -
# \text{trace} + \text{determinant} = \eta \lambda$ as before, and $p(-1) = 1 + \text{trace} + \text{determinant} = 2
# (1 + \beta) - \eta \lambda (1 + 2 \beta)$. Up to the zero of this, $|1 - \eta \lambda|$ is at most 1, so the
# determinant stays below 1 in size and the argument of the text goes through: $0 < \eta < 2 (1 + \beta) / \big( (1 + 2
# \beta)\, \lambda \big)$. For $\beta > 0$ this is *lower* than the heavy ball's limit and even than SGD's: the step
# holds the newest gradient with the weight $1 + \beta$.


# %% tags=["solution"]
def nesterov_limit(curvature, beta):
    return 2 * (1 + beta) / ((1 + 2 * beta) * curvature)


# %% [markdown] tags=["solution"]
# :::{solution-end}
# :::

# %%
exercises.check("rnn/momentum/nesterov_limit", nesterov_limit)

# %% [markdown]
# ## Noise, and why rates decay
#
# The gradient of a batch is the gradient of the loss plus noise.


# %% tags=["hide-input"]
def draw_runs(steps=200):
    fig, ax = plt.subplots(figsize=(4.2, 2.7))
    noise = torch.randn(steps, generator=torch.Generator().manual_seed(seed))
    for eta in (0.5, 0.05):
        path = [5.0]
        for xi in noise:
            path.append((1 - eta) * path[-1] - eta * xi.item())
        ax.plot(path, label=f"$η = {eta}$", markevery=20, lw=1)
    ax.axhline(0, color=display.INK, lw=0.8)
    ax.set(xlabel="step", ylabel="$w$", ylim=(-2.5, 5.3))
    ax.legend(frameon=False)
    return fig


display.show(
    draw_runs(),
    alt="One weight over 200 steps, from 5. At rate 0.5 it is at 0 within a few steps "
    "and then jumps about between -2 and 2. At 0.05 it takes some sixty steps and then "
    "stays within about half of 1.",
    caption="One run at each of two rates, on the curvature 1, with the same noise of "
    "variance 1. Neither comes to rest.",
)

# %% [markdown]
# Take one curvature $\lambda$, SGD, and independent
# noise $\xi_k$ of mean 0 and variance $q^2$ at each step: $w_{k+1} = w_k - \eta (\lambda w_k + \xi_k) = (1 - \eta
# \lambda)\, w_k - \eta\, \xi_k$. The mean of $w_k$ tends to 0 as before. The noise is independent of $w_k$, so
# variances add: $\operatorname{Var} w_{k+1} = (1 - \eta \lambda)^2 \operatorname{Var} w_k + \eta^2 q^2$. Below the
# limit the first factor is less than 1, and the variance tends to the number $V$ that the equation leaves as it is.
# With $1 - (1
# - \eta
# \lambda)^2 = \eta \lambda (2 - \eta \lambda)$,
#
# $$
# V = \frac{\eta\, q^2}{\lambda\, (2 - \eta \lambda)} , \qquad
# \mathbb{E}\, L \to \frac{\lambda V}{2} = \frac{\eta\, q^2}{2\, (2 - \eta \lambda)} .
# $$ (eq-rnn-floor)
#
# That is a floor: with a constant rate SGD never gets below it, and for small rates it is proportional to the rate. A
# small rate has a low floor and takes long to reach it. A rate that falls has both. The extreme is $\eta_k = 1 / \big(
# \lambda (k + 1) \big)$. Then $(k + 1)\, w_{k+1} = k\, w_k - \xi_k / \lambda$, and added up from $0 \cdot w_0$ on,
#
# $$
# w_k = - \frac{1}{\lambda k} \sum_{j=0}^{k-1} \xi_j , \qquad \operatorname{Var} w_k = \frac{q^2}{\lambda^2 k} .
# $$ (eq-rnn-decay)
#
# The start is forgotten after one step, noise is averaged evenly, and the variance goes below every floor. Rates must
# not fall too fast, though: for rates with a finite sum the weights may stop before they arrive
# {cite}`robbins1951stochastic`. Nobody knows the $\lambda$ of a network, of which there are many, so in practice the
# rate is held as long as it pays, and then lowered.


# %%
def noisy_path(w, noise, rates, curvature=1.0):  # noise [steps, …] → [steps + 1, …]
    path = [w]
    for xi, eta in zip(noise, rates, strict=True):
        path.append(path[-1] - eta * (curvature * path[-1] + xi))
    return torch.stack(path)


def floor(eta, q, curvature=1.0):  # variance of w, mean of the loss
    V = eta * q**2 / (curvature * (2 - eta * curvature))
    return V, curvature * V / 2


k = torch.arange(400)
schedules = {
    "0.5": torch.full((400,), 0.5),
    "0.05": torch.full((400,), 0.05),
    "0.5, then 0.05": torch.where(k < 100, 0.5, 0.05),
    "1 / (k + 1)": 1 / (k + 1),
}
losses = {}
for name, rates in schedules.items():
    path = noisy_path(torch.full((4000,), 5.0), torch.randn(400, 4000), rates)
    losses[name] = (path**2 / 2).mean(dim=1)
    at_100, at_400 = losses[name][100], losses[name][400]
    print(f"rate {name:14}: loss {at_100:.4f} after 100 steps, {at_400:.4f} after 400")
print("floors:", ", ".join(f"{floor(eta, 1.0)[1]:.4f}" for eta in (0.5, 0.05)))


# %% tags=["hide-input"]
def draw_floors():
    fig, ax = plt.subplots(figsize=(4.2, 3.2))
    for name, loss in losses.items():
        ax.plot(np.arange(401), loss, label=name, markevery=50)
    for eta in (0.5, 0.05):
        ax.axhline(floor(eta, 1.0)[1], color=display.INK, lw=1, ls=":")
    ax.set(
        yscale="log", xlabel="step", ylabel="mean loss", ylim=(8e-4, 20), xlim=(0, 400)
    )
    fig.legend(loc="outside lower center", ncols=2, frameon=False)
    return fig


display.show(
    draw_floors(),
    alt="Mean loss against the step, on a logarithmic axis. Rate 0.5 falls to its "
    "floor at once and stays there; 0.05 takes 100 steps to a floor more than ten "
    "times lower; 0.5 lowered to 0.05 after 100 steps leaves the one floor for the "
    "other; 1/(k+1) goes on falling below both.",
    caption="Noise of variance 1 on the curvature 1, mean of 4000 runs. Dotted: the "
    "floors of the rates 0.5 and 0.05.",
)


# %% tags=["check"]
def cases(q=0.7):
    for eta, curvature in ((0.5, 1.0), (0.1, 3.0), (1.5, 1.0)):
        rates, zero = torch.full((300,), eta), torch.zeros(300)

        def end(noise, rates=rates, curvature=curvature):
            return noisy_path(torch.tensor(5.0), noise, rates, curvature)[-1]

        variance = (
            jacobian(end, zero) ** 2
        ).sum() * q**2  # of a sum of independent terms
        mean = end(zero)
        yield floor(eta, q, curvature), [variance, curvature * (variance + mean**2) / 2]


verify.equal("eq-rnn-floor", cases(), atol=1e-12, against="autograd by each noise")


# %% tags=["check"]
def cases(q=0.7):
    for k, curvature in ((1, 1.0), (2, 0.5), (50, 3.0)):
        rates, noise = 1 / (curvature * (torch.arange(k) + 1)), torch.randn(k)

        def end(noise, rates=rates, curvature=curvature):
            return noisy_path(torch.tensor(5.0), noise, rates, curvature)[-1]

        variance = (jacobian(end, noise) ** 2).sum() * q**2
        claimed = [-noise.sum() / (curvature * k), q**2 / (curvature**2 * k)]
        yield claimed, [end(noise), variance]


verify.equal("eq-rnn-decay", cases(), atol=1e-12, against="runs, autograd")

# %% [markdown]
# :::{exercise} Twice the batch
# :label: ex-rnn-twice-the-batch
# The gradient of a batch of $B$ samples is a mean of $B$ gradients. How does the floor depend on $B$? Somebody doubles
# the batch and the rate together. What becomes of the floor, and what of the steps that it takes to come down to it?
# When does this stop to work?
# :::

# %% [markdown] tags=["solution"]
# :::{solution-start} ex-rnn-twice-the-batch
# :class: dropdown
# :::
# Samples are drawn independently, so the variance of the mean is $q^2 / B$, with the $q^2$ of a single one. For small
# rates the floor is about $\eta q^2 / (4 B)$: with both doubled it stays. The factor of a step is $1 - \eta \lambda$,
# about $e^{-\eta \lambda}$, so twice the rate needs half the steps, each of which costs twice as much: the same number
# of samples, and half the waiting if the batch is computed in parallel. It ends near the limit $2 / \lambda_{\max}$
# {eq}`eq-rnn-sgd-limit`, which does not depend on noise and does not move with the batch.

# %% [markdown] tags=["solution"]
# :::{solution-end}
# :::

# %% [markdown]
# ## What was shown
#
# - On a quadratic SGD treats each eigenvector by itself, {eq}`eq-rnn-sgd-modes`. The largest curvature limits the rate,
#   {eq}`eq-rnn-sgd-limit`, and the condition number sets the pace, {eq}`eq-rnn-best-rate`.
# - Momentum steps along a sum of gradients, {eq}`eq-rnn-momentum-sum`. Its limit is $1 + \beta$ times as high,
#   {eq}`eq-rnn-momentum-limit`, and it puts $\sqrt \kappa$ in the place of $\kappa$, {eq}`eq-rnn-best-momentum`.
# - With noise a constant rate ends on a floor, {eq}`eq-rnn-floor`. A falling one goes below it, {eq}`eq-rnn-decay`.
#
# All of this has one rate for all weights. {doc}`optimizers` gives each its own.

# %% [markdown]
# ## Exercises

# %% [markdown]
# :::{exercise} How many steps
# :label: ex-rnn-how-many-steps
# Let each step multiply the distance by the factor of {eq}`eq-rnn-best-rate`, or of {eq}`eq-rnn-best-momentum`. After
# how many steps is at most a given share of it left? Write `steps_to(share, kappa, with_momentum)`, for a condition
# number $\kappa > 1$. What does momentum gain for $\kappa = 10^4$?
# :::

# %% [markdown] tags=["solution"]
# :::{solution-start} ex-rnn-how-many-steps
# :class: dropdown
# :::
# With $r$ for $\kappa$, or for $\sqrt \kappa$ with momentum, the factor is $f = (r - 1) / (r + 1)$, and $f^k \le$ share
# needs $k \ge \log(\text{share}) / \log f$. For large $r$, $-\log f$ is about $2 / r$, so $k$ is about
# $\tfrac{r}{2} \log(1 / \text{share})$: a hundred times fewer steps for $\kappa = 10^4$. (What the matrix adds at the
# start is left out here.)


# %% tags=["solution"]
def steps_to(share, kappa, with_momentum):
    root = kappa**0.5 if with_momentum else kappa
    return math.ceil(math.log(share) / math.log((root - 1) / (root + 1)))


# %% [markdown] tags=["solution"]
# :::{solution-end}
# :::

# %%
exercises.check("rnn/momentum/steps_to", steps_to)

# %% [markdown]
# :::{exercise} Momentum's floor
# :label: ex-rnn-momentum-floor
# Take the noise of {eq}`eq-rnn-floor` and the heavy ball on the curvature $\lambda$. Show that $c_{k+1} = (1 + \beta -
# \eta
# \lambda)\, c_k - \beta\, c_{k-1} - \eta\, \xi_k$. In the long run all $c_k$ have one variance $V$, and all neighbours
# one covariance: multiply the equation by $c_k$, square it, and find $V$. Write `momentum_floor(eta, beta, curvature,
# q)`, which returns it. With which rate does SGD have the same floor, when rates are small?
# :::

# %% [markdown] tags=["solution"]
# :::{solution-start} ex-rnn-momentum-floor
# :class: dropdown
# :::
# The heavy ball moves by $-\eta (\lambda c_k + \xi_k) + \beta (c_k - c_{k-1})$, which is the equation. Write $\varphi =
# 1 + \beta - \eta \lambda$ and $R$ for the covariance of neighbours. Times $c_k$, in the mean: $R = \varphi V - \beta
# R$, so $R = \varphi V / (1 + \beta)$. Squared: $V = \varphi^2 V + \beta^2 V - 2 \varphi \beta R + \eta^2 q^2$. Put $R$
# in: $V \big( 1 - \beta^2 - \varphi^2 (1 - \beta) / (1 + \beta) \big) = \eta^2 q^2$. The bracket is $\frac{1 -
# \beta}{1 + \beta} \big( (1 + \beta)^2 - \varphi^2 \big)$, and $(1 + \beta)^2 - \varphi^2 = \eta \lambda\,
# (2 (1 + \beta) - \eta \lambda)$, so
# $V = \eta q^2 (1 + \beta) \big/ \big( \lambda (1 - \beta) (2 (1 + \beta) - \eta \lambda) \big)$. It grows without
# limit towards the limit of stability {eq}`eq-rnn-momentum-limit`. For small rates it is $\eta q^2 / (2 \lambda (1 -
# \beta))$, the floor of SGD with the rate $\eta / (1 - \beta)$, at which SGD is as fast. Against noise momentum gains
# nothing that another rate would not.


# %% tags=["solution"]
def momentum_floor(eta, beta, curvature, q):
    x = eta * curvature
    return eta * q**2 * (1 + beta) / (curvature * (1 - beta) * (2 * (1 + beta) - x))


# %% [markdown] tags=["solution"]
# :::{solution-end}
# :::

# %%
exercises.check("rnn/momentum/momentum_floor", momentum_floor)

# %% [markdown]
# ## Further reading
#
# - {cite:t}`polyak1964methods` has the heavy ball and its $\sqrt \kappa$; {cite:t}`goh2017momentum` shows it with
#   pictures to play with.
# - Sutskever and others (ICML 2013) brought momentum to deep and recurrent networks, in Nesterov's form.
# - {cite:t}`robbins1951stochastic`: which rates may fall, and how fast.
