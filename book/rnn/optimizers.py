# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

# %% [markdown]
# # A rate for each weight
#
# {doc}`momentum` has one learning rate for all weights, and the steepest direction sets it. RMSprop and Adam give each
# weight its own, from the size of its own gradients. What does that add? And what is it worth when what differs is not
# the weights, but directions that lie across them?

# %% tags=["parameters"]
profile = "smoke"
seed = 0

# %% tags=["set-up"]
import itertools
import math

from helpers import display, exercises, parameters, verify
from helpers.rnn import palindromes
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
from torch.nn.functional import cross_entropy, one_hot

parameters.check(globals(), profile=("smoke", "full"), seed=range(2**31))
display.use_book_style()
torch.manual_seed(seed)
torch.set_default_dtype(torch.float64)  # claims are held to 1e-12

network = SmallNetwork(seed)  # rules are held against it, and a ravine


# %% tags=["hide-input"]
def draw_two_ravines(eta=0.05, steps=70):
    figures, axes = display.panels((3.3, 3.1), (3.3, 3.1))
    for i, (ax, degrees) in enumerate(zip(axes, (0, 45), strict=True)):
        c, s = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
        Q = torch.tensor([[c, -s], [s, c]])
        A = Q @ torch.diag(torch.tensor([1.0, 50.0])) @ Q.T
        w = torch.nn.Parameter(Q @ torch.tensor([2.0, 0.5]))
        path = torch_path(
            torch.optim.Adam, lambda w=w, A=A: w @ A @ w / 2, [w], steps, lr=eta
        )
        contours(ax, (1.0, 50.0), (0.3, 1, 2, 4), turn=degrees)
        ax.plot(*path.T, color=display.COLORS[3], ls="-", marker="D", ms=3)
        ax.set(xlim=(-0.9, 2.4), ylim=(-0.9, 2.2), xlabel="$w_1$", ylabel="$w_2$")
        ax.set_title(("along the axes", "across them")[i])
        ax.grid(False)
    return figures


display.show(
    draw_two_ravines(),
    alt="Two contour plots of one narrow ravine, lying along an axis and turned by 45 "
    "degrees, with seventy steps of Adam. Along the axis the path reaches the minimum. "
    "Across the axes it falls to the floor, swings there and has not come far.",
    caption="Seventy steps of Adam at one rate, in one ravine that lies in two ways. "
    "Adam has a rate for each axis, and none for a direction between them.",
)

# %% [markdown]
# ## Two gradients, by hand
#
# In the ravine $L(w) = \tfrac12 (w_1^2 + 20\, w_2^2)$ of {doc}`momentum`, the gradient at $(10, 1)$ is $(10, 20)$. SGD
# moves the second weight twice as far as the first, though it has a tenth of the way to go. Divide each entry by its
# own size instead: $(10 / 10,\, 20 / 20) = (1, 1)$. Both weights take a step of the same length, $\eta$, and only the
# sign is left of the gradient.
#
# On its own that would never come to rest. So divide by what the size was over *several* steps. Keep a mean of the
# squares, of which each step forgets a tenth: at the start $0.1 \cdot (100, 400) = (10, 40)$, with the roots $(3.2,
# 6.3)$. Where the next gradient is $(9, 2)$, the mean becomes $0.9 \cdot (10, 40) + 0.1 \cdot (81, 4) = (17.1, 36.4)$,
# and the step is $\eta$ times $(9 / 4.1,\, 2 / 6.0) = (2.2, 0.3)$: the weight whose gradients have become small slows
# down.

# %%
s = torch.zeros(2)
for g in (torch.tensor([10.0, 20.0]), torch.tensor([9.0, 2.0])):
    s = 0.9 * s + 0.1 * g**2
    step = g / s.sqrt()
    print(f"mean square {s[0]:.1f}, {s[1]:.1f}; step {step[0]:.1f}, {step[1]:.1f}")


# %% tags=["hide-input"]
def draw_by_hand():
    figures, axes = display.panels((3.3, 2.2), (3.3, 2.2))
    shown = np.array([[10, 20], [9, 2]]), np.array([[3.16, 3.16], [2.18, 0.33]])
    for ax, entries, title in zip(
        axes, shown, ("gradient", "step, in rates"), strict=True
    ):
        for i, (x, hatch) in enumerate(((-0.18, ""), (0.18, "///"))):
            style = {"color": display.COLORS[i], "hatch": hatch}
            ax.bar(np.arange(2) + x, entries[:, i], 0.34, label=f"$w_{i + 1}$", **style)
        ax.set_xticks([0, 1], ["first", "second"])
        ax.set_title(title)
        ax.legend(frameon=False)
        ax.grid(False)
    return figures


display.show(
    draw_by_hand(),
    alt="Bars for the two weights. Left, gradients: 10 and 20, then 9 and 2. Right, "
    "steps in rates: both 3.2, then 2.2 and 0.3.",
    caption="Each entry is divided by what its own size has been. Equal steps at "
    "first; then the second weight, whose gradient has fallen to a tenth, slows down.",
)

# %% [markdown]
# ## RMSprop and Adam
#
# RMSprop (Tieleman and Hinton, a lecture of 2012) is the rule that you have just followed, with a share $1 - \beta_2$
# in place of the tenth. All operations are entry by entry:
#
# $$
# \begin{aligned}
# s_{k+1} &= \beta_2\, s_k + (1 - \beta_2)\, g_k^2 , \qquad s_0 = 0 , \\
# w_{k+1} &= w_k - \eta\, \frac{g_k}{\sqrt{s_{k+1}} + \varepsilon} .
# \end{aligned}
# $$ (eq-rnn-rmsprop)
#
# (PyTorch calls this $\beta_2$ `alpha` and takes 0.99; the lecture has 0.9. A small $\varepsilon$ keeps the quotient
# finite.) Adam {cite}`kingma2015adam` takes a moving mean $u$ of the gradients as well, in place of the last one. Both
# means start at zero, and Adam corrects for that:
#
# $$
# \begin{aligned}
# u_{k+1} &= \beta_1\, u_k + (1 - \beta_1)\, g_k , & \hat u_{k+1} &= \frac{u_{k+1}}{1 - \beta_1^{\,k+1}} , \\
# s_{k+1} &= \beta_2\, s_k + (1 - \beta_2)\, g_k^2 , & \hat s_{k+1} &= \frac{s_{k+1}}{1 - \beta_2^{\,k+1}} , \\
# w_{k+1} &= w_k - \eta\, \frac{\hat u_{k+1}}{\sqrt{\hat s_{k+1}} + \varepsilon} , & u_0 &= s_0 = 0 .
# \end{aligned}
# $$ (eq-rnn-adam)
#
# The usual values are $\beta_1 = 0.9$, $\beta_2 = 0.999$, $\varepsilon = 10^{-8}$. Mind the powers: the first step,
# $k = 0$, divides by $1 - \beta_1$, not by $1 - \beta_1^0 = 0$.
#
# Both are held against `torch.optim` as in {doc}`momentum`, over a hundred steps in the ravine and a hundred of a small
# network that reads palindromes.


# %%
def rmsprop(w, g, s, eta, beta_2=0.99, epsilon=1e-8):
    s = beta_2 * s + (1 - beta_2) * g**2
    return w - eta * g / (s.sqrt() + epsilon), s


def adam(w, g, state, eta, beta_1=0.9, beta_2=0.999, epsilon=1e-8):
    k, u, s = state or (0, 0.0, 0.0)
    u = beta_1 * u + (1 - beta_1) * g
    s = beta_2 * s + (1 - beta_2) * g**2
    u_hat, s_hat = u / (1 - beta_1 ** (k + 1)), s / (1 - beta_2 ** (k + 1))
    return w - eta * u_hat / (s_hat.sqrt() + epsilon), (k + 1, u, s)


def ravine(w):
    return (w[0] ** 2 + 20 * w[1] ** 2) / 2


def ravine_gradient(w):
    return torch.tensor([1.0, 20.0]) * w


start = torch.tensor([10.0, 1.0])
for rule in (rmsprop, adam):
    path = descend(rule, ravine_gradient, start, 3, eta=0.1)
    places = ", ".join(f"({w_1:.2f}, {w_2:.2f})" for w_1, w_2 in path)
    print(f"{rule.__name__:7}: {places}")


# %% tags=["hide-input"]
def draw_signs(steps=40):
    figures, axes = display.panels((3.3, 2.6), (3.3, 2.6))
    k = torch.arange(steps)
    gradients = torch.where((k < 20) | (k % 2 == 0), 1.0, -1.0)
    axes[0].plot(k, gradients, color=display.COLORS[4], ls="-", lw=0.6, marker=".")
    for rule, settings in ((rmsprop, {"beta_2": 0.9}), (adam, {})):
        w, state, moved = torch.tensor(0.0), 0.0, []
        for g in gradients:
            before = w
            w, state = rule(w, g, state, eta=1.0, **settings)
            moved.append(before - w)
        name = {"rmsprop": "RMSprop", "adam": "Adam"}[rule.__name__]
        axes[1].plot(k, torch.stack(moved), label=name, lw=1)
    for ax, title in zip(axes, ("gradient", "step back, in rates"), strict=True):
        ax.set(xlabel="$k$", ylim=(-1.5, 3.5), title=title)
    axes[1].legend(frameon=False)
    return figures


display.show(
    draw_signs(),
    alt="Left, gradients: twenty of 1, then 1 and -1 in turn. Right, steps: RMSprop "
    "begins with 3.2 rates, comes down to 1 and then swings between 1 and -1. Adam "
    "goes 1 from the first step on, and once the signs change its steps shrink to "
    "about a tenth.",
    caption="RMSprop (β₂ = 0.9) knows sizes alone. Adam also asks whether signs "
    "agree, and does not start too long.",
)


# %% tags=["check"]
def cases():
    yield from both_ways(
        rmsprop, torch.optim.RMSprop, {"eta": 0.01}, {"lr": 0.01}, network
    )
    ours = {"eta": 0.01, "beta_2": 0.9, "epsilon": 1e-3}
    theirs = {"lr": 0.01, "alpha": 0.9, "eps": 1e-3}
    yield from both_ways(rmsprop, torch.optim.RMSprop, ours, theirs, network)


verify.equal("eq-rnn-rmsprop", cases(), atol=1e-12, against="torch.optim.RMSprop")


# %% tags=["check"]
def cases():
    yield from both_ways(adam, torch.optim.Adam, {"eta": 0.01}, {"lr": 0.01}, network)
    ours = {"eta": 0.01, "beta_1": 0.8, "beta_2": 0.95, "epsilon": 1e-3}
    theirs = {"lr": 0.01, "betas": (0.8, 0.95), "eps": 1e-3}
    yield from both_ways(adam, torch.optim.Adam, ours, theirs, network)


verify.equal("eq-rnn-adam", cases(), atol=1e-12, against="torch.optim.Adam")

# %% [markdown]
# ## Four paths
#
# Here are all four rules in the ravine, forty steps each, at the same learning rate; $\beta = \beta_1 = 0.9$, and
# $\beta_2$ is 0.99 for RMSprop and 0.999 for Adam.


# %%
def sgd(w, g, state, eta):
    return w - eta * g, state


def momentum(w, g, v, eta, beta=0.9):
    v = beta * v + g
    return w - eta * v, v


RULES = {"SGD": sgd, "momentum": momentum, "RMSprop": rmsprop, "Adam": adam}


# %% tags=["hide-input"]
RATES = (0.005, 0.01, 0.02, 0.04, 0.08, 0.11, 0.2, 0.4)
here = torch.tensor([2.5, 1.0])


def draw_paths(eta):
    figures, axes = display.panels((3.3, 2.7), (3.3, 2.7))
    for i, name in enumerate(RULES):
        ax = axes[i // 2]
        path = descend(RULES[name], ravine_gradient, here, 40, eta=eta)
        within = (path.abs() < 4).all(dim=1).long().cumprod(0).sum()
        seen = path[: within + 1].T.clamp(-4, 4)
        style = {"marker": "os^D"[i], "ls": ("-", "--", "-", "--")[i], "lw": 1}
        ax.plot(*seen, color=display.COLORS[i], label=name, markevery=2, **style)
    for ax in axes:
        contours(ax, (1.0, 20.0), (0.3, 2, 6))
        ax.set(xlim=(-3, 3), ylim=(-1.7, 1.7), xlabel="$w_1$", ylabel="$w_2$")
        ax.grid(False)
        ax.figure.legend(loc="outside lower center", ncols=2, frameon=False)
    return figures


def say_paths(eta):
    ends = []
    for name, rule in RULES.items():
        end = descend(rule, ravine_gradient, here, 40, eta=eta)[-1].norm()
        where = f"{end:.2g} from the minimum" if end < 4 else "gone"
        ends.append(f"{name} is {where}")
    return f"Paths at rate {eta:g}. After forty steps " + ", ".join(ends) + "."


display.slider(
    draw_paths,
    RATES,
    label="learning rate",
    alt=say_paths,
    caption="Forty steps at one rate. The same number is small for one rule and too "
    "much for another: rates of different rules cannot be compared.",
    start=0.08,
)

# %% [markdown]
# At other rates it looks different. SGD leaves beyond 0.1 {eq}`eq-rnn-sgd-limit`, momentum beyond 0.19
# {eq}`eq-rnn-momentum-limit`. RMSprop and Adam do not leave. Their steps are about as long as the rate says, whatever
# the gradient: at a large rate they swing about the minimum, at a small one they are late.
#
# At the first step both weights move by the same distance, though their gradients are 10 and 20: by 1 with RMSprop, ten
# times the rate, since its $s_1$ is a hundredth of $g_0^2$; by 0.1 with Adam, the rate itself.
#
# ## Why these corrections
#
# A moving mean that starts at 0 is too small. Unrolled as in {eq}`eq-rnn-momentum-sum`, $u_{k+1} = (1 - \beta_1)
# \sum_{j=0}^{k} \beta_1^j\, g_{k-j}$: the weights of the gradients add up to $1 - \beta_1^{\,k+1}$. Now let the
# gradients vary, all with one expectation $\mathbb{E}\, g$ and one mean square $\mathbb{E}\, g^2$. Then
#
# $$
# \mathbb{E}\, \hat u_{k+1} = \mathbb{E}\, g , \qquad \mathbb{E}\, \hat s_{k+1} = \mathbb{E}\, g^2 .
# $$ (eq-rnn-bias-correction)
#
# The check has gradients that are 3 or $-1$ with equal chance, and takes the mean over all sequences of them.


# %% tags=["hide-input"]
def draw_corrections(steps=60, count=2000):
    figures, axes = display.panels((3.3, 2.7), (3.3, 2.7))
    draws = torch.Generator().manual_seed(seed)
    gradients = 4.0 * torch.randint(2, (steps, count), generator=draws) - 1
    u = s = torch.zeros(count)
    means = []
    for k, g in enumerate(gradients):
        _, (_, u, s) = adam(0.0, g, (k, u, s), eta=1.0)
        means.append([u.mean(), s.mean()])
    k = np.arange(1, steps + 1)
    for i, (ax, beta, of_g) in enumerate(zip(axes, (0.9, 0.999), (1, 5), strict=True)):
        raw = np.array(means)[:, i]
        ax.plot(k, raw, label="as it is", markevery=8)
        ax.plot(k, raw / (1 - beta**k), label="corrected", markevery=8)
        ax.axhline(of_g, color=display.INK, lw=1, ls=":")
        ax.set(xlabel="gradients so far", ylim=(0, 1.3 * of_g))
        ax.set_title(("mean of $u$", "mean of $s$")[i])
        ax.figure.legend(loc="outside lower center", ncols=2, frameon=False)
    return figures


display.show(
    draw_corrections(),
    alt="Left, the mean of u starts near 0.1 and needs some thirty gradients to come "
    "near 1; corrected it is close to 1 from the start. Right, the mean of s is still "
    "below 0.4 after sixty gradients; corrected it is close to 5 all along.",
    caption="Gradients that are 3 or −1 by chance, means over 2000 sequences. Dotted: "
    "their own mean and mean square.",
)


# %% tags=["check"]
def cases(K=9):
    sequences = torch.cartesian_prod(*[torch.tensor([3.0, -1.0])] * K)  # all [2^K, K]
    u = s = torch.zeros(len(sequences))
    for k in range(K):
        _, (_, u, s) = adam(0.0, sequences[:, k], (k, u, s), eta=1.0)
        for mean, beta, of_g in ((u, 0.9, 1.0), (s, 0.999, 5.0)):
            yield mean.mean() / (1 - beta ** (k + 1)), torch.tensor(of_g)


verify.equal("eq-rnn-bias-correction", cases(), atol=1e-12, against="all sequences")

# %% [markdown]
# ## How far a step can go
#
# At the first step $\hat u_1 = g_0$ and $\hat s_1 = g_0^2$: the step is $-\eta\, g_0 / (|g_0| + \varepsilon)$, just
# short of $\eta$, with the sign of the gradient alone. Later steps may be *longer*. Let $K = k + 1$ gradients have
# come, write $\hat u = \sum_j a_j\, g_{k-j}$ and $\hat s = \sum_j b_j\, g_{k-j}^2$ with the weights of the two means,
# and use Cauchy and Schwarz: $|\hat u| = \big| \sum_j (a_j / \sqrt{b_j}) \cdot \sqrt{b_j}\, g_{k-j} \big| \le \big(
# \sum_j a_j^2 / b_j
# \big)^{1/2}\, \hat s^{1/2}$. So every entry of the weights moves by
#
# $$
# \begin{aligned}
# |w_{k+1} - w_k| &\le \eta\, C_{k+1} , \\
# C_K^2 &= \frac{(1 - \beta_1)^2}{(1 - \beta_1^K)^2} \cdot \frac{1 - \beta_2^K}{1 - \beta_2}\,
# \sum_{j=0}^{K-1} \Big( \frac{\beta_1^2}{\beta_2} \Big)^j .
# \end{aligned}
# $$ (eq-rnn-adam-bound)
#
# With $\varepsilon = 0$ it is reached when $g_{k-j}$ is proportional to $a_j / b_j$, that is, to $(\beta_1 /
# \beta_2)^j$: gradients that grow with every step, as they do behind a saddle.


# %%
def C(K, beta_1=0.9, beta_2=0.999):
    u_sum, s_sum = 1 - beta_1**K, 1 - beta_2**K
    ratios = (beta_1**2 / beta_2) ** np.arange(K)
    return math.sqrt((1 - beta_1) ** 2 / u_sum**2 * s_sum / (1 - beta_2) * ratios.sum())


def last_step(rule, gradients, **settings):  # how far it goes, in rates
    w, state = torch.zeros(1), 0.0
    for g in gradients:
        before = w
        w, state = rule(w, g, state, eta=1.0, **settings)
    return abs(w - before).item()


for K in (1, 10, 10_000):
    print(f"after {K} gradients, Adam's step is at most {C(K):.2f} rates")
silent = torch.zeros(10_000, 1)
silent[-1] = 1
print(f"one gradient after long silence: {last_step(adam, silent):.2f} rates", end="")
print(f" with Adam, {last_step(rmsprop, silent):.2f} with RMSprop")


# %% tags=["check"]
def cases():
    for K in (1, 2, 5, 40):
        for betas in ((0.9, 0.999), (0.8, 0.9)):

            def farthest(gradients, betas=betas):
                w = torch.nn.Parameter(torch.zeros(gradients.shape[1]))
                optimizer = torch.optim.Adam([w], lr=1.0, betas=betas, eps=0.0)
                for g in gradients:
                    before, w.grad = w.detach().clone(), g
                    optimizer.step()
                return (w.detach() - before).abs().max().item()

            growing = (betas[1] / betas[0]) ** torch.arange(K)[:, None]
            bound, other = C(K, *betas), farthest(torch.randn(K, 1000))
            yield [bound, max(bound, other)], [farthest(growing), bound]


verify.equal("eq-rnn-adam-bound", cases(), atol=1e-9, against="torch.optim.Adam")

# %% [markdown]
# The paper of Adam gives $(1 - \beta_1) / \sqrt{1 - \beta_2}$ as the limit of a step, in rates: that is the step after
# long silence. Growing gradients go beyond it. RMSprop has $s_{k+1} \ge (1 - \beta_2)\, g_k^2$, so its steps are at
# most $\eta / \sqrt{1 - \beta_2}$.
#
# ## Where ε stands
#
# Adam's paper adds $\varepsilon$ to the root, and so does PyTorch in both rules. Under the root it would be another
# number: for $\hat u = g$ and $\hat s = g^2$ a step is $|g| / (|g| + \varepsilon)$ rates in the one case and $|g| /
# \sqrt{g^2 + \varepsilon}$ in the other. The one is a half at $|g| = \varepsilon$, the other at $|g| =
# \sqrt{\varepsilon / 3}$, which for $10^{-8}$ is thousands of times as large.


# %%
def outside(g, epsilon=1e-8):
    return g / (g + epsilon)


def inside(g, epsilon=1e-8):
    return g / (g**2 + epsilon) ** 0.5


for g in (1e-2, 1e-4, 1e-6):
    print(
        f"a gradient of {g:.0e}: a step of {outside(g):.3f} rates with ε outside",
        end="",
    )
    print(f" of the root, {inside(g):.3f} inside")


# %% tags=["hide-input"]
def draw_epsilon():
    fig, ax = plt.subplots(figsize=(4.2, 2.5))
    g = np.logspace(-11, 0, 89)
    ax.plot(g, outside(g), label="√s + ε", markevery=8)
    ax.plot(g, inside(g), label="√(s + ε)", markevery=8)
    ax.set(xscale="log", xlabel="size of the gradient", ylabel="step, in rates")
    ax.set(ylim=(0, 1.05), xticks=[1e-10, 1e-8, 1e-6, 1e-4, 1e-2, 1])
    ax.minorticks_off()
    ax.legend(frameon=False, loc="upper left")
    return fig


display.show(
    draw_epsilon(),
    alt="The step against the size of a constant gradient. With epsilon added to the "
    "root it rises from 0 to 1 around 1e-8; with epsilon under the root around 1e-4.",
    caption="With ε = 1e-8, added to the root or under it. Gradients between 1e-8 and "
    "1e-4 are where it matters; on a plateau, that is where they are.",
)

# %% [markdown]
# :::{exercise} Adam, without the corrections
# :label: ex-rnn-adam-step
# Write `adam_weights(w, gradients, eta, beta_1, beta_2, epsilon)`: the weights after each step of Adam, one per row,
# when the gradients come as given, `[steps, n]`. You may write down {eq}`eq-rnn-adam`. More fun: keep $\hat u$ and
# $\hat s$ themselves. Show that $\hat u_{k+1}$ lies between $\hat u_k$ and $g_k$, at which part of the way?
# :::

# %% [markdown] tags=["solution"]
# :::{solution-start} ex-rnn-adam-step
# :class: dropdown
# :::
# $u_k = (1 - \beta_1^k)\, \hat u_k$, so $(1 - \beta_1^{k+1})\, \hat u_{k+1} = \beta_1 (1 - \beta_1^k)\, \hat u_k +
# (1 - \beta_1)\, g_k$. The two factors on the right add up to $1 - \beta_1^{k+1}$. Hence $\hat u_{k+1} = \hat u_k +
# \frac{1 - \beta_1}{1 - \beta_1^{k+1}} (g_k - \hat u_k)$: a mean over all at first ($1$, about $\frac12$, about
# $\frac13$ of the way …), a moving mean later. At $k = 0$ it goes all the way, so it does not matter where it started,
# and nothing is left to correct.


# %% tags=["solution"]
def adam_weights(w, gradients, eta, beta_1, beta_2, epsilon):
    path, u_hat, s_hat = [], 0.0, 0.0
    for k, g in enumerate(gradients):
        u_hat = u_hat + (1 - beta_1) / (1 - beta_1 ** (k + 1)) * (g - u_hat)
        s_hat = s_hat + (1 - beta_2) / (1 - beta_2 ** (k + 1)) * (g**2 - s_hat)
        w = w - eta * u_hat / (s_hat**0.5 + epsilon)
        path.append(w)
    return torch.stack(path)


# %% [markdown] tags=["solution"]
# :::{solution-end}
# :::

# %%
exercises.check("rnn/optimizers/adam_weights", adam_weights)

# %% [markdown]
# ## What they do not see
#
# Multiply all losses by 1000, and SGD needs another rate. RMSprop and Adam do not notice. More than that: multiply each
# *entry* of all gradients by a positive number of its own, $c \odot g_k$. Then $u$ is multiplied by $c$ and $s$ by
# $c^2$, entry by entry, and with $\varepsilon = 0$ the factors cancel. Write $\Delta_k$ for the step that a rule takes
# after the gradients $g_0, \dots, g_k$:
#
# $$
# \Delta_k (c \odot g_0, \dots, c \odot g_k) = \Delta_k (g_0, \dots, g_k) .
# $$ (eq-rnn-scale)
#
# In a ravine along the axes the gradients are $\lambda_i w_i$, so $\lambda_i$ is such a factor: *they do not see the
# curvatures*. Whatever $\kappa$ is, the path is the same. That is better than $\sqrt \kappa$.
#
# And now turn the ravine. SGD and momentum only add and multiply by numbers. With an orthogonal $Q$, the loss
# $L(Q^\top w)$ has the gradient $Q\, \nabla L (Q^\top w)$, so from $Q w_0$ they go, step by step, through
#
# $$
# Q w_0 , \; Q w_1 , \; Q w_2 , \; \dots
# $$ (eq-rnn-rotation)
#
# They see the curvatures and not the axes. A rule that works entry by entry sees the axes, and in a ravine across them
# each of its entries holds something of every curvature.


# %%
def turned(degrees):  # rotation [2, 2]
    angle = torch.tensor(degrees * math.pi / 180)
    return torch.stack([angle.cos(), -angle.sin(), angle.sin(), angle.cos()]).view(2, 2)


def settled(rule, kappa, degrees, rates, steps, **settings):
    """The step from which on the distance stays below 0.01 [rates, starts], from 1."""
    A = turned(degrees) @ torch.diag(torch.tensor([1.0, kappa])) @ turned(degrees).T
    angles = torch.arange(20) / 20 * 2 * math.pi + 0.1  # twenty starts all around
    starts = torch.stack([angles.cos(), angles.sin()], dim=1) @ turned(degrees).T
    w, eta = starts.expand(len(rates), 20, 2), torch.tensor(rates)[:, None, None]
    state, last = 0.0, torch.zeros(len(rates), 20)
    for k in range(1, steps + 1):
        w, state = rule(w, w @ A, state, eta=eta, **settings)
        last[w.norm(dim=2) >= 0.01] = k
    return (last + 1).numpy()


def best(kappa):  # rate and momentum of (eq-rnn-best-momentum), curvatures 1 to κ
    return 4 / (1 + kappa**0.5) ** 2, ((kappa**0.5 - 1) / (kappa**0.5 + 1)) ** 2


KAPPAS, GRID = (1.0, 10.0, 100.0, 1000.0), np.logspace(-3, -0.5, 11)
needed = {name: [] for name in ("SGD", "momentum", "Adam, along", "Adam, turned")}
for kappa in KAPPAS:
    eta, beta = best(kappa)
    needed["SGD"].append(settled(sgd, kappa, 45, [2 / (1 + kappa)], 3000)[0])
    needed["momentum"].append(settled(momentum, kappa, 45, [eta], 300, beta=beta)[0])
    for name, degrees in (("Adam, along", 0), ("Adam, turned", 45)):
        tried = settled(adam, kappa, degrees, GRID, 3000)  # [rates, starts]
        needed[name].append(tried[tried.mean(axis=1).argmin()])  # its best rate
for name, steps in needed.items():
    print(f"{name:13}", ", ".join(f"{n.mean():.0f} steps" for n in steps))


# %% tags=["hide-input"]
def draw_turned():
    fig, ax = plt.subplots(figsize=(4.2, 3.3))
    for name, runs in needed.items():
        (line,) = ax.plot(KAPPAS, [n.mean() for n in runs], label=name)
        low, high = ([end(n) for n in runs] for end in (np.min, np.max))
        ax.fill_between(KAPPAS, low, high, color=line.get_color(), alpha=0.2, lw=0)
    ax.set(xscale="log", yscale="log", xlabel="$κ$", ylabel="steps to a hundredth")
    ax.set(ylim=(0.8, 5000), xticks=KAPPAS)
    ax.minorticks_off()
    fig.legend(loc="outside lower center", ncols=2, frameon=False)
    return fig


def say_turned():
    ends = ", ".join(f"{name} {runs[-1].mean():.0f}" for name, runs in needed.items())
    return (
        "Steps against the condition number, on two logarithmic axes. Adam along the "
        "axes is a level line; the other three rise, SGD as a straight line of slope "
        f"one. Steps for 1000: {ends}."
    )


display.show(
    draw_turned(),
    alt=say_turned(),
    caption="Steps until the distance stays below a hundredth of the first one: mean "
    "of twenty starts, with the range; each rule at its best rate. What Adam gains in "
    "a ravine it gains from the axes.",
)


# %% tags=["check"]
def end_of(optimizer, gradients):
    w = torch.nn.Parameter(torch.zeros(4))
    optimizer = optimizer([w], lr=0.1, eps=0.0)
    for g in gradients:
        w.grad = g.clone()
        optimizer.step()
    return w.detach()


def cases():
    factors, gradients = 10 ** (2 * torch.randn(4)), torch.randn(30, 4)
    for optimizer in (torch.optim.RMSprop, torch.optim.Adam):
        yield end_of(optimizer, factors * gradients), end_of(optimizer, gradients)
    both = torch.tensor([[1.0, 1.0], [1.0, 1000.0]])  # two ravines, one path
    for rule in (rmsprop, adam):
        settings = {"eta": 0.1, "epsilon": 0.0}
        path = descend(rule, both.__mul__, start.expand(2, 2), 50, **settings)
        yield path[:, 0], path[:, 1]


verify.equal("eq-rnn-scale", cases(), atol=1e-12, against="torch.optim, other factors")


# %% tags=["check"]
def path_on(A, w, **settings):
    w = torch.nn.Parameter(w.clone())
    return torch_path(torch.optim.SGD, lambda: w @ A @ w / 2, [w], 50, **settings)


def cases():
    for settings in ({"lr": 0.2}, {"lr": 0.2, "momentum": 0.9}):
        Q, R = (torch.linalg.qr(torch.randn(4, 4)).Q for _ in range(2))
        A, w = R @ torch.diag(torch.rand(4)) @ R.T, torch.randn(4)
        yield path_on(A, w, **settings) @ Q.T, path_on(Q @ A @ Q.T, Q @ w, **settings)


verify.equal("eq-rnn-rotation", cases(), atol=1e-12, against="torch.optim.SGD, turned")

# %% [markdown]
# Along the axes Adam needs the same number of steps for every $\kappa$. In the turned ravine that is gone: at large
# $\kappa$ it needs more steps than momentum with its best settings, at $\kappa = 100$ more even than SGD, at 1000
# fewer.
# (SGD and momentum got the settings that the curvatures prescribe, Adam the best of a grid of rates with its usual
# $\beta_1$ and $\beta_2$.) So what a rate for each weight is worth depends on whether a network's ravines lie along its
# weights. Nothing here says that they do.
#
# ## A plateau and a saddle
#
# A plateau is flat, and SGD's steps are as small as the gradient. Where $\varepsilon$ is smaller still, RMSprop and
# Adam walk as if it were steep. Take $L(w) = 1 - e^{-w^2/2}$ from $w = 5$, with the gradient $w\, e^{-w^2/2}$, about $2
# \cdot 10^{-5}$ there; and near a saddle $L(w) = \tfrac12 w_1^2 + \tfrac14 (w_2^2 - 1)^2$, from $(1, 10^{-6})$: to the
# left and right it falls, but you stand almost on the ridge.


# %%
def plateau_gradient(w):
    return w * torch.exp(-(w**2) / 2)


def saddle_gradient(w):
    return torch.stack([w[0], w[1] ** 3 - w[1]])


def first_near(path, minimum, distance=0.3):
    near = (path - minimum).norm(dim=1) < distance
    return int(near.long().argmax()) if near.any() else None


AT = {"SGD": (0.5, 25_000), "momentum": (0.5, 3000), "RMSprop": (0.05, 300)}
AT["Adam"] = AT["RMSprop"]
across = {}
for name, (eta, steps) in AT.items():
    flat = torch.tensor([5.0])
    flat = descend(RULES[name], plateau_gradient, flat, steps, eta=eta)
    ridge = torch.tensor([1.0, 1e-6])
    ridge = descend(RULES[name], saddle_gradient, ridge, 200, eta=eta)
    across[name] = flat[:, 0], ridge[:, 1]
    print(f"{name:8} at rate {eta}: plateau {first_near(flat, 0)} steps, ", end="")
    print(f"saddle {first_near(ridge, torch.tensor([0.0, 1.0]))}")

noise = 0.01  # now the gradient of each step is off by as much
w, state, crossed = torch.full((1001,), 5.0), 0.0, torch.zeros(1001, dtype=bool)
for _ in range(300):
    g = plateau_gradient(w) + noise * torch.randn(1001)
    w, state = adam(w, g, state, eta=0.05)
    crossed |= w.abs() < 0.3
print(f"Adam with noise: {crossed.double().mean():.0%} of the runs are across in 300")


# %% tags=["hide-input"]
def draw_flat():
    figures, (left, right) = display.panels((3.3, 2.9), (3.3, 2.9))
    for name, (flat, ridge) in across.items():
        left.plot(np.arange(1, len(flat)), flat[1:], label=name, markevery=(0.1, 0.25))
        right.plot(ridge[:81], label=name, markevery=(0.1, 0.25))
    left.set(xscale="log", xlabel="step", ylabel="$w$", title="plateau", ylim=(-1, 5.3))
    right.set(xlabel="step", ylabel="$w_2$", title="saddle", ylim=(-0.1, 2))
    for ax in (left, right):
        ax.figure.legend(loc="outside lower center", ncols=2, frameon=False)
    return figures


display.show(
    draw_flat(),
    alt="Left, w on the plateau against the step, on a logarithmic axis: RMSprop and "
    "Adam reach 0 within tens of steps, momentum after thousands, SGD after "
    "twenty thousand. Right, w_2 beside the saddle: RMSprop leaves at once, Adam "
    "after some steps, momentum and SGD after tens of steps.",
    caption="On a plateau and on a ridge, without noise. What divides by the size of "
    "the gradient does not care how small it is.",
)

# %% [markdown]
# Beside the saddle SGD is not so slow: what leads away grows by a factor at every step. On the plateau nothing grows.
# There the two with a rate for each weight are ahead by far, as long as the tiny gradient is exact. With noise from
# batches $\sqrt s$ measures the *noise*: the mean of a step is then $\eta$ times the ratio of the two, and most of its
# length is chance.
#
# Nor does it mend what {doc}`vanishing` found. A gradient that is small as a whole is made large. But far steps have a
# small *share* in it {eq}`eq-rnn-term`, and no factor for the whole entry changes the shares in a sum.

# %% [markdown]
# :::{exercise} Is it mended?
# :label: ex-rnn-adam-far-steps
# "Gradients vanish, and Adam makes small gradients large. So with Adam a plain recurrent network has no trouble with
# long sequences." What is right in this, and where does it fail? Take one entry of $W_{hh}$ and write its gradient as
# a sum over steps.
# :::

# %% [markdown] tags=["solution"]
# :::{solution-start} ex-rnn-adam-far-steps
# :class: dropdown
# :::
# The gradient of an entry is $\sum_t \gamma_t$ with one term for each step; when gradients vanish, the far terms are
# exponentially small beside the near ones. Adam divides the moving mean of the *sum* by a root mean square of the
# *sum*. If all terms are tiny, for instance because the whole network sits on a plateau, the step is as long as ever:
# that much is right. But numerator and denominator are ruled by the near terms, and the far ones have the same share in
# the step as in the gradient. They could be told apart only if they stood in different entries. (Where an entry hears
# of the far steps alone, as a weight used only there does, Adam does help it.)

# %% [markdown] tags=["solution"]
# :::{solution-end}
# :::

# %% [markdown]
# ## On palindromes
#
# All this was on toys. Take a plain recurrent network of 24 units that reads eight digits of a palindrome, one-hot, and
# must name the last one, which is the first: question 1.3 of the report in small. It has 400 steps on batches of 32.
# Each rule gets five rates, a factor of $\sqrt{10}$ apart. The rate with the least mean loss over three starts is
# taken, and used for twelve *other* starts. And since {doc}`vanishing` taught clipping, all of it is done twice: as it
# is, and with the gradient clipped to length 1. Test loss is on 1000 fresh palindromes.


# %%
SIZES = 24 * 10, 24 * 24, 24, 10 * 24, 10  # W_hx, W_hh, b_h, W_ph, b_p


def scores(w, x):  # runs side by side: [R, n], one-hot [T, R, B, 10] → [R, B, 10]
    W_hx, W_hh, b_h, W_ph, b_p = w.split(SIZES, dim=1)
    W_hx, W_hh, W_ph = (
        W_hx.view(-1, 24, 10),
        W_hh.view(-1, 24, 24),
        W_ph.view(-1, 10, 24),
    )
    h = x.new_zeros(*x.shape[1:3], 24)
    for x_t in x:
        h = torch.tanh(x_t @ W_hx.mT + h @ W_hh.mT + b_h[:, None])
    return h @ W_ph.mT + b_p[:, None]


def batch(B, draws, copies):  # one-hot digits [T, R, B, 10], the last ones [R, B]
    read = [palindromes.sample(8, B, draw) for draw in draws]
    digits = torch.stack([digits for digits, _ in read], dim=1).repeat(1, copies, 1)
    return one_hot(digits, 10).float(), torch.stack([y for _, y in read]).repeat(
        copies, 1
    )


def loss_of_runs(w, x, y):  # → [R]
    of_each = cross_entropy(scores(w, x).flatten(0, 1), y.flatten(), reduction="none")
    return of_each.view(y.shape).mean(dim=1)


def train(rule, settings, numbers, steps=400):  # → test loss [settings, starts]
    draws = [torch.Generator().manual_seed(seed + number) for number in numbers]
    w = torch.stack([torch.rand(sum(SIZES), generator=draw) for draw in draws])
    w = ((2 * w - 1) / 24**0.5).float().repeat(len(settings), 1)
    each = torch.tensor(settings).float().repeat_interleave(len(draws), dim=0)
    (eta, longest), state = each[:, :, None].unbind(1), 0.0
    for _ in range(steps):
        loss = loss_of_runs(w.requires_grad_(), *batch(32, draws, len(settings)))
        (g,) = torch.autograd.grad(loss.sum(), w)  # of each run by its own weights
        g = g * torch.clamp(longest / g.norm(dim=1, keepdim=True), max=1)
        w, state = rule(w.detach(), g, state, eta=eta)
    test = loss_of_runs(w, *batch(1000, draws, len(settings))).detach()
    return test.view(len(settings), len(draws)).numpy()


LOWEST = {"SGD": -1.0, "momentum": -2.0, "RMSprop": -3.5, "Adam": -3.0}
tuned, searched = {}, {}  # two settings for each rule, a rate and the longest gradient
for name, lowest in LOWEST.items():
    grid = [(10 ** (lowest + i / 2), m) for m in (math.inf, 1.0) for i in range(5)]
    mean = train(RULES[name], grid, range(3)).mean(axis=1)
    tuned[name] = grid[mean[:5].argmin()], grid[5 + mean[5:].argmin()]
    searched[name] = [rate for rate, _ in grid[:5]], mean.reshape(2, 5)


# %% tags=["hide-input", "nbval-ignore-output"]
def draw_tried():
    figures, axes = display.panels((3.3, 2.9), (3.3, 2.9))
    for name, (rates, mean) in searched.items():
        for ax, losses_of in zip(axes, mean, strict=True):
            ax.plot(rates, losses_of, label=name)
    for ax, title in zip(axes, ("as it is", "clipped to 1"), strict=True):
        ax.axhline(math.log(10), color=display.INK, lw=1, ls=":")
        ax.set(xscale="log", yscale="log", xlabel="learning rate", title=title)
        ax.set(ylabel="mean test loss", ylim=(1e-4, 100))
        ax.minorticks_off()
        ax.figure.legend(loc="outside lower center", ncols=2, frameon=False)
    return figures


display.show(
    draw_tried(),
    alt="Mean test loss against the learning rate, on logarithmic axes, without and "
    "with clipping. Each rule has a lowest point among its five rates and comes near "
    "the loss of a guess, or above it, at the ends. Adam's lowest point, at a few "
    "hundredths, is the deepest; SGD without clipping hardly gets below a guess.",
    caption="The search for a rate, means of three starts. Dotted: the loss of a guess.",
)


# %% tags=["nbval-ignore-output"]
ends = {name: train(RULES[name], tuned[name], range(3, 15)) for name in tuned}
for name, losses_of in ends.items():
    for (rate, longest), of_runs in zip(tuned[name], losses_of, strict=True):
        how = "clipped" if longest == 1 else "as it is"
        print(
            f"{name:8} {how:8} rate {rate:.2g}: median {np.median(of_runs):.2g}, ",
            end="",
        )
        print(f"from {of_runs.min():.2g} to {of_runs.max():.2f}")


# %% tags=["hide-input", "nbval-ignore-output"]
def draw_ends():
    fig, ax = plt.subplots(figsize=(4.2, 3.0))
    for i, losses_of in enumerate(ends.values()):
        for clipped, of_runs in enumerate(losses_of):
            x = i + 0.36 * clipped - 0.18
            color, marker = display.COLORS[clipped], "os"[clipped]
            style = {"ls": "", "color": color, "marker": marker, "mfc": "none"}
            label = ("as it is", "clipped to 1")[clipped] if i == 0 else None
            ax.plot(np.full(12, x), of_runs, **style, label=label)
            bar = {"color": color, "marker": "", "ls": "-", "lw": 3}
            ax.plot([x - 0.14, x + 0.14], [np.median(of_runs)] * 2, **bar)
    ax.axhline(math.log(10), color=display.INK, lw=1, ls=":")
    ax.set_xticks(range(4), ends)
    ax.set(yscale="log", ylabel="test loss", xlim=(-0.5, 3.5))
    fig.legend(loc="outside lower center", ncols=2, frameon=False)
    return fig


def say_ends():
    medians = [
        [f"{np.median(of_runs):.2g}" for of_runs in both] for both in ends.values()
    ]
    said = (
        f"{name} {' and '.join(both)}" for name, both in zip(ends, medians, strict=True)
    )
    return (
        "Test losses of twelve starts for each rule. Medians without and with "
        f"clipping: {'; '.join(said)}."
    )


display.show(
    draw_ends(),
    alt=say_ends(),
    caption="Each mark is one start; the bars are medians of twelve; dotted, the loss "
    "of a guess. Each rule has its own best rate of five.",
)
for name, both in ends.items():
    for key, of_runs in zip(("free", "clipped"), both, strict=True):
        text = f"{np.median(of_runs):.2g} ({of_runs.min():.2g} to {of_runs.max():.2f})"
        display.glue(f"rnn-opt-{name}-{key}", text)
for i, key in enumerate(("free", "clipped")):
    order = sorted(ends, key=lambda name, i=i: np.median(ends[name][i]))
    display.glue(f"rnn-opt-order-{key}", ", ".join(order))
pairs = [
    (a[i], b[i]) for i in (0, 1) for a, b in itertools.combinations(ends.values(), 2)
]
overlap = sum(max(a.min(), b.min()) <= min(a.max(), b.max()) for a, b in pairs)
display.glue("rnn-opt-overlap", f"{overlap}")

# %% [markdown]
# Medians, and the range of twelve starts. As it is: SGD {glue:text}`rnn-opt-SGD-free`, momentum
# {glue:text}`rnn-opt-momentum-free`, RMSprop {glue:text}`rnn-opt-RMSprop-free`, Adam {glue:text}`rnn-opt-Adam-free`.
# Clipped: SGD {glue:text}`rnn-opt-SGD-clipped`, momentum {glue:text}`rnn-opt-momentum-clipped`, RMSprop
# {glue:text}`rnn-opt-RMSprop-clipped`, Adam {glue:text}`rnn-opt-Adam-clipped`. From the lowest median to the highest,
# the order is {glue:text}`rnn-opt-order-free` as it is, and {glue:text}`rnn-opt-order-clipped` clipped. So what a
# comparison of rules says depends on what else is done to the gradient. It depends on luck, too:
# {glue:text}`rnn-opt-overlap` of the 12 pairs of rules, 6 without clipping and 6 with it, have ranges that overlap, and
# a rate that was chosen on three starts need not be the best for twelve. This is one task of one size, and no verdict
# on optimizers.

# %% [markdown]
# ## What was shown
#
# - RMSprop and Adam divide a gradient by the size of past ones, entry by entry, {eq}`eq-rnn-adam`. Adam's corrections
#   make both of its means right on average, {eq}`eq-rnn-bias-correction`.
# - A step of Adam is $\eta$ long at first, and may be several times as long later, {eq}`eq-rnn-adam-bound`.
# - They see neither the scale of a loss nor curvatures along the axes, {eq}`eq-rnn-scale`. SGD and momentum see these
#   and not the axes, {eq}`eq-rnn-rotation`. Turn the ravine, and the advantage goes.
# - On a plateau they keep their pace, as long as there is little noise.
# - How the rules compare on short palindromes depends on whether gradients are clipped, and on luck.

# %% [markdown]
# ## Exercises

# %% [markdown]
# :::{exercise} What they add
# :label: ex-rnn-what-they-add
# Question 1.4 of the report: what do momentum and an adaptive rate, as in RMSprop and Adam, add to stochastic gradient
# descent? Say for each which trouble it helps with, by which mechanism, and where it does not help.
# :::

# %% [markdown] tags=["solution"]
# :::{solution-start} ex-rnn-what-they-add
# :class: dropdown
# :::
# **Momentum** steps along a sum of the past gradients. What they agree on adds up, to $1 / (1 - \beta)$ times one of
# them; what alternates or is chance does not. So it goes faster along the floor of a ravine, of any direction, than the
# walls let SGD go: about $\sqrt \kappa$ steps for SGD's $\kappa$. On a plateau it gains the same factor $1 / (1 -
# \beta)$ and no more.
#
# **An adaptive rate** divides each entry by the root of a moving mean of its squared gradients. The size of a gradient
# drops out: the scale of the loss, a plateau (down to $\varepsilon$, and to the noise), curvatures that differ
# from one weight to the next. It does not help in a ravine across the axes as it does along them. It is not a rate that
# starts high and falls: where gradients shrink, $\eta / \sqrt s$ rises. So it takes a schedule like any other rule.
#
# **Adam** has both, and corrects the two means for their start at zero. None of them brings back what vanished
# on the way through time.

# %% [markdown] tags=["solution"]
# :::{solution-end}
# :::

# %% [markdown]
# :::{exercise} Decay that is not a gradient
# :label: ex-rnn-decoupled
# Weight decay pulls weights to zero: add $\tfrac{\zeta}{2} \lVert w \rVert^2$ to the loss, so $\zeta w$ to the
# gradient; or take $\eta \zeta w_k$ away from the weights, beside the step. For SGD that is the same. What is the first
# step of Adam with each, in the one case where $\zeta w$ is much larger than the gradient, and in the other? Write
# `decayed_adam(w, gradients, eta, zeta)`, the weights after each step, one per row, with the decay *decoupled*
# {cite}`loshchilov2019decoupled`, and Adam's usual settings.
# :::

# %% [markdown] tags=["solution"]
# :::{solution-start} ex-rnn-decoupled
# :class: dropdown
# :::
# Added to the gradient, $\zeta w$ is divided by $\sqrt{\hat s}$ like everything else. The first step is $\eta$ long
# with the sign of $g + \zeta w$: where $\zeta w$ is larger that is a step of $\eta$ to zero, whatever $\zeta$ is, and
# where it is smaller the decay does nothing at all. Later a weight with large gradients is decayed less than one with
# small ones. Decoupled, all shrink by the same factor $1 - \eta \zeta$.


# %% tags=["solution"]
def decayed_adam(w, gradients, eta, zeta):
    path, state = [], 0.0
    for g in gradients:
        w, state = adam((1 - eta * zeta) * w, g, state, eta=eta)
        path.append(w)
    return torch.stack(path)


# %% [markdown] tags=["solution"]
# :::{solution-end}
# :::

# %%
exercises.check("rnn/optimizers/decayed_adam", decayed_adam)

# %% [markdown]
# ## Further reading
#
# - {cite:t}`kingma2015adam` is short and worth reading.
# - {cite:t}`balles2018dissecting` take Adam apart into signs and a factor that depends on noise.
# - {cite:t}`schmidt2021crowded` compare fifteen optimizers on eight tasks, with their rates tuned.
