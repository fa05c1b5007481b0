# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Back through time
#
# A recurrent network reads a sequence one step at a time, with the same weights at every step, and errs at the end.
# Which step is to blame, when all of them used the same weight? And how much of the blame reaches the first?
#
# Below, the smallest such network reads three numbers. Its one weight $w$ is used three times, and each use has a share
# in how the last state answers when $w$ changes.

# %% tags=["parameters"]
profile = "smoke"
seed = 0

# %% tags=["set-up"]
import math
from collections import namedtuple

from helpers import display, exercises, parameters, verify
from helpers.rnn.cells import VanillaRNN

import matplotlib.pyplot as plt
import numpy as np
import torch
from torch.autograd.functional import jacobian
from torch.nn.functional import cross_entropy, one_hot

parameters.check(globals(), profile=("smoke", "full"), seed=range(2**31))
display.use_book_style()
torch.manual_seed(seed)
torch.set_default_dtype(torch.float64)  # claims are held to 1e-12

SHAPES = ((1, 2, 3, 2), (3, 1, 1, 4), (3, 3, 4, 2), (9, 2, 6, 3))  # T, E, H, K


# %% tags=["hide-input"]
def draw_three_steps():
    w, inputs, h = 0.8, (0.4, -0.3, 0.1), [0.5]
    for x_t in inputs:
        h.append(math.tanh(x_t + w * h[-1]))
    slope = [1 - state**2 for state in h]
    terms = [
        slope[3] * w * slope[2] * w * slope[1] * h[0],
        slope[3] * w * slope[2] * h[1],
        slope[3] * h[2],
    ]
    figures, (ax, bars) = display.panels((4.0, 2.4), (2.7, 2.4))
    for t in range(4):
        square = {"boxstyle": "square" if t == 0 else "circle", "fc": "none"}
        square["ec"] = display.INK if t == 0 else display.COLORS[0]
        label = f"$h^{{({t})}}$\n{h[t]:.2f}"
        ax.text(t, 0, label, ha="center", va="center", bbox=square)
        if t:
            arrow = {"arrowstyle": "->", "color": display.INK}
            ax.annotate("", (t - 0.33, 0), (t - 0.67, 0), arrowprops=arrow)
            ax.text(t - 0.5, 0.16, "$w$", ha="center")
            ax.annotate("", (t, -0.42), (t, -0.8), arrowprops=arrow)
            ax.text(t, -1.05, f"$x^{{({t})}}$ = {inputs[t - 1]:g}", ha="center")
    ax.set(xlim=(-0.4, 3.5), ylim=(-1.2, 0.7), title=f"w = {w:g}, used three times")
    ax.set_axis_off()
    uses = ["first", "second", "third"]
    bars.barh(uses, terms, color=display.COLORS[1])
    for use, term in enumerate(terms):
        bars.text(term + 0.02, use, f"{term:.2f}", va="center")
    bars.set(xlim=(0, 0.62), xlabel=f"its share, in all {sum(terms):.2f}")
    bars.invert_yaxis()
    bars.grid(False)
    return figures


display.show(
    draw_three_steps(),
    alt="A chain of states from a constant h(0) = 0.50 to h(1) = 0.66, h(2) = 0.23 and "
    "h(3) = 0.27. An input points to each, and the same weight w stands on each arrow. "
    "Bars: of the derivative of h(3) by w, 0.83, the first use has 0.16, the second 0.47 "
    "and the third 0.21.",
    caption="One weight, three uses. The derivative of the last state by the weight is a "
    "sum over the uses, and what came earlier passed through more steps on its way.",
)

# %% [markdown]
# ## One unit, by hand
#
# The unit is $h^{(t)} = \tanh(x^{(t)} + w\, h^{(t-1)})$ with $w = 0.8$, it starts at $h^{(0)} = 0.5$ and reads 0.4,
# −0.3 and 0.1:
#
# - $h^{(1)} = \tanh(0.4 + 0.8 \cdot 0.5) = 0.66$, $\;h^{(2)} = \tanh(-0.3 + 0.8 \cdot 0.66) = 0.23$,
#   $\;h^{(3)} = \tanh(0.1 + 0.8 \cdot 0.23) = 0.27$.
# - The derivative of $\tanh$ is $1 - \tanh^2$. So the slopes are $1 - 0.66^2 = 0.56$, then 0.95, then 0.92.
#
# Now turn $w$ by a little, at one use only. At the third, $h^{(3)}$ moves by the slope times what $w$ multiplies there:
# $0.92 \cdot 0.23 = 0.21$. At the second, $h^{(2)}$ moves by $0.95 \cdot 0.66 = 0.63$, and $h^{(3)}$ by another
# $0.92 \cdot 0.8$ of that: 0.47. At the first it is $0.56 \cdot 0.5 = 0.28$, carried over two steps: $0.28 \cdot
# (0.95 \cdot 0.8) \cdot (0.92 \cdot 0.8) = 0.16$. Turn all three together, as one weight must, and the three add up to
# 0.83. That is the chain rule for a function of three variables that are equal. Nest the sum, and it reads as one pass
# from the last step to the first:
#
# $$
# \begin{aligned}
# \frac{\partial h^{(3)}}{\partial w} ={}& \big(1 - (h^{(3)})^2\big) \Big( h^{(2)} + w \big(1 - (h^{(2)})^2\big) \\
# & \big( h^{(1)} + w \big(1 - (h^{(1)})^2\big)\, h^{(0)} \big) \Big) .
# \end{aligned}
# $$ (eq-rnn-one-unit)
#
# The start $h^{(0)}$ does not depend on $w$. It enters as a factor of the first use, and has no term of its own.


# %%
def read(uses, x, h_0):  # three weights, three inputs → h(0) … h(3)
    h = [h_0]
    for w, x_t in zip(uses, x, strict=True):
        h.append(torch.tanh(x_t + w * h[-1]))
    return h


def one_unit_gradient(w, h):
    slope = [1 - state**2 for state in h]
    first = h[1] + w * slope[1] * h[0]
    return slope[3] * (h[2] + w * slope[2] * first)


x, h_0, w = torch.tensor([0.4, -0.3, 0.1]), torch.tensor(0.5), torch.tensor(0.8)
shares = jacobian(lambda uses: read(uses, x, h_0)[3], w.expand(3).clone())
print("share of each use", [f"{share:.2f}" for share in shares])
print(f"nested            {one_unit_gradient(w, read([w] * 3, x, h_0)):.2f}")


# %% tags=["hide-input"]
def draw_turned():
    fig, ax = plt.subplots(figsize=(4.2, 2.8))
    turned = torch.linspace(0, 1.6, 33)
    for use, name in enumerate(("first", "second", "third")):
        uses = [turned if other == use else w for other in range(3)]
        ax.plot(turned, read(uses, x, h_0)[3], label=f"{name} use", markevery=8)
    together = read([turned] * 3, x, h_0)[3]
    ax.plot(turned, together, color=display.INK, lw=2, ls="-", marker="", label="all")
    ax.axvline(w, color=display.INK, lw=1, ls=":")
    ax.set(xlabel="the weight that is turned", ylabel="$h^{(3)}$", xlim=(0, 1.6))
    ax.legend(frameon=False, loc="upper left")
    return fig


display.show(
    draw_turned(),
    alt="The last state against the weight, from 0 to 1.6. Four rising curves meet at "
    "0.8, where the state is 0.27: flat when the first use alone is turned, a little "
    "steeper for the third, steeper for the second, and steepest, with all three "
    "turned together, a curve that is lowest near 0.3.",
    caption="Turn one use, the others stay at 0.8, or turn all. Where the curves meet, "
    "the three slopes add up to the fourth. Further away they do not.",
)


# %% tags=["check"]
def cases():
    for _ in range(5):
        x, h_0, w = torch.randn(3), torch.randn(()), torch.randn((), requires_grad=True)
        h = read([w] * 3, x, h_0)
        yield one_unit_gradient(w, h).detach(), torch.autograd.grad(h[3], w)[0]


verify.equal("eq-rnn-one-unit", cases(), atol=1e-12, against="autograd")

# %% [markdown]
# ## The network
#
# With vectors in place of numbers, {cite}`elman1990finding`: inputs $x^{(t)} \in \mathbb{R}^E$ for $t = 1, \dots, T$,
# a state of $H$ units, scores $p^{(t)}$ for $K$ classes, probabilities and a loss at every step. The target $y^{(t)}$
# is one-hot.
#
# $$
# \begin{aligned}
# a^{(t)} &= W_{hx}\, x^{(t)} + W_{hh}\, h^{(t-1)} + b_h , & h^{(t)} &= \tanh\big(a^{(t)}\big) , \\
# p^{(t)} &= W_{ph}\, h^{(t)} + b_p , & \hat y^{(t)} &= \operatorname{softmax}\big(p^{(t)}\big) , \\
# L^{(t)} &= -\sum_{k=1}^{K} y_k^{(t)} \log \hat y_k^{(t)} , & L &= \sum_{t=1}^{T} L^{(t)} .
# \end{aligned}
# $$ (def-rnn-network)
#
# The start $h^{(0)}$ is a constant, most often zero. (For a mean over the steps, divide every gradient by $T$; for a
# loss at the end alone, leave out the other $L^{(t)}$.) One convention, for all that follows: the gradient of a number,
# $\partial L / \partial W$, has the shape of $W$; the derivative of a vector by a vector is a matrix with a row for
# each entry of the first, $(\partial h / \partial a)_{ij} = \partial h_i / \partial a_j$.


# %%
Network = namedtuple("Network", "W_hx W_hh b_h W_ph b_p h_0")


def random_network(E, H, K):
    shapes = (H, E), (H, H), (H,), (K, H), (K,), (H,)
    return Network(*(torch.randn(shape) / shape[-1] ** 0.5 for shape in shapes))


def states(x, network):  # [T, E] → h(0) … h(T), one per row [T + 1, H]
    W_hx, W_hh, b_h, _, _, h_0 = network
    h = [h_0]
    for x_t in x:
        h.append(torch.tanh(W_hx @ x_t + W_hh @ h[-1] + b_h))
    return torch.stack(h)


def probabilities(h, network):  # [T + 1, H] → ŷ(1) … ŷ(T) [T, K]
    return torch.softmax(h[1:] @ network.W_ph.T + network.b_p, dim=1)


# %% tags=["hide-input"]
def draw_network():
    fig, ax = plt.subplots(figsize=(4.0, 2.7))
    arrow = {"arrowstyle": "->", "color": display.INK}
    rows = {"x": 0, "h": 1, "p": 2, "L": 3}
    for t in range(1, 4):
        for name, row in rows.items():
            ax.text(t, row, f"${name}^{{({t})}}$", ha="center", va="center")
        for row, weight in enumerate(("$W_{hx}$", "$W_{ph}$", "")):
            ax.annotate("", (t, row + 0.8), (t, row + 0.2), arrowprops=arrow)
            ax.text(t + 0.04, row + 0.5, weight, va="center")
        ax.annotate("", (t - 0.2, 1), (t - 0.8, 1), arrowprops=arrow)
        ax.text(t - 0.5, 1.1, "$W_{hh}$", ha="center")
    ax.text(0, 1, "$h^{(0)}$", ha="center", va="center")
    ax.set(xlim=(-0.2, 3.5), ylim=(-0.3, 3.3))
    ax.set_axis_off()
    return fig


display.show(
    draw_network(),
    alt="The network unrolled over three steps. In each column an arrow leads from the "
    "input up to the state, with W_hx, on to the scores, with W_ph, and to the loss. "
    "From each state an arrow with W_hh leads to the next; the first comes from h(0).",
    caption="Unrolled: a deep network whose columns share their weights. A loss "
    "reaches a weight on every way that leads back to one of its arrows.",
)

# %% [markdown]
# ## The output layer
#
# Take one step and leave out its number. With $\log \hat y_k = p_k - \log \sum_j e^{p_j}$, the derivative of
# $\log \hat y_k$ by $p_i$ is $[\,i = k\,] - \hat y_i$. Hence
# $\partial L / \partial p_i = -\sum_k y_k \big( [\,i = k\,] - \hat y_i \big) = -y_i + \hat y_i \sum_k y_k$. The target
# sums to one:
#
# $$
# \frac{\partial L^{(t)}}{\partial p^{(t)}} = \hat y^{(t)} - y^{(t)} \in \mathbb{R}^K .
# $$ (eq-rnn-softmax-gradient)
#
# $W_{ij}$, an entry of $W_{ph}$, enters the scores of a step once, in $p_i = \sum_j W_{ij} h_j + b_i$, so
# $\partial L / \partial W_{ij}$ of this step is $(\hat y_i - y_i)\, h_j$: the entry $i, j$ of an outer product. The
# uses at all steps add up:
#
# $$
# \begin{aligned}
# \frac{\partial L}{\partial W_{ph}} &= \sum_{t=1}^{T} \big( \hat y^{(t)} - y^{(t)} \big)\, h^{(t)\top}
# \in \mathbb{R}^{K \times H} , \\
# \frac{\partial L}{\partial b_p} &= \sum_{t=1}^{T} \big( \hat y^{(t)} - y^{(t)} \big) .
# \end{aligned}
# $$ (eq-rnn-output-gradient)


# %%
def dL_dp_of(y_hat, targets):  # [T, K], class numbers [T] → [T, K]
    return y_hat - one_hot(targets, y_hat.shape[1])


def output_gradients(dL_dp, h):  # [T, K], [T + 1, H] → [K, H], [K]
    return dL_dp.T @ h[1:], dL_dp.sum(dim=0)  # the product sums over t


# %% tags=["hide-input"]
def draw_output():
    p = np.array([2.0, 1.0, 0.0])
    y_hat, y = np.exp(p) / np.exp(p).sum(), np.array([0.0, 1.0, 0.0])
    figures, (left, right) = display.panels((3.3, 2.2), (3.3, 2.2))
    k = np.arange(3)
    left.bar(k - 0.2, y_hat, 0.4, label=r"$\hat y$", color=display.COLORS[0])
    style = {"color": display.COLORS[1], "hatch": "///", "alpha": 0.6}
    left.bar(k + 0.2, y, 0.4, label="$y$", **style)
    left.legend(frameon=False)
    left.set(ylim=(-1, 1.1), xlabel="class")
    right.bar(k, y_hat - y, 0.5, color=display.COLORS[2])
    right.axhline(0, color=display.INK, lw=0.8)
    right.set(ylim=(-1, 1.1), xlabel="class", title=r"$\hat y - y$")
    for ax in (left, right):
        ax.set_xticks(k, ["1", "2", "3"])
        ax.grid(False)
    return figures


display.show(
    draw_output(),
    alt="Left, probabilities 0.67, 0.24 and 0.09 of three classes beside the target 0, "
    "1, 0. Right, their differences, the gradient of the scores: 0.67, -0.76 and 0.09.",
    caption="Scores (2, 1, 0), and the second class is the truth. The gradient of the "
    "scores is the error itself; its entries sum to zero.",
)


# %% tags=["check"]
def cases():
    for T, _, _, K in SHAPES:
        p, targets = torch.randn(T, K, requires_grad=True), torch.randint(K, (T,))
        cross_entropy(p, targets, reduction="sum").backward()
        yield dL_dp_of(torch.softmax(p, dim=1).detach(), targets), p.grad


verify.equal("eq-rnn-softmax-gradient", cases(), atol=1e-12, against="autograd")


# %% tags=["check"]
def cases():
    for T, _, H, K in SHAPES:
        h, targets = torch.randn(T + 1, H), torch.randint(K, (T,))
        layer = torch.nn.Linear(H, K)
        cross_entropy(layer(h[1:]), targets, reduction="sum").backward()
        dL_dp = dL_dp_of(torch.softmax(layer(h[1:]), dim=1).detach(), targets)
        for ours, theirs in zip(
            output_gradients(dL_dp, h), layer.parameters(), strict=True
        ):
            yield ours, theirs.grad


verify.equal("eq-rnn-output-gradient", cases(), atol=1e-12, against="autograd")

# %% [markdown]
# The gradient at step $t$ needs the error and the state of this step. Nothing has to be carried back in time, though
# the state itself holds what was read before. Now for the weights that stand *inside* the loop.

# %% [markdown]
# :::{exercise} Label smoothing
# :label: ex-rnn-label-smoothing
# Do not ask for certainty: replace the one-hot $y$ by $(1 - \varepsilon)\, y + \varepsilon / K$. What is
# $\partial L / \partial p$ now, and at which scores is it zero? Write `smoothed_gradient(p, target, epsilon)` for
# scores $p$ `[K]` and the number of the true class.
# :::

# %% [markdown] tags=["solution"]
# :::{solution-start} ex-rnn-label-smoothing
# :class: dropdown
# :::
# The derivation of {eq}`eq-rnn-softmax-gradient` used of $y$ only that it sums to one, and the smoothed target does:
# $(1 - \varepsilon) + K \cdot \varepsilon / K = 1$. So the gradient is $\hat y$ less the smoothed target. It is zero
# where $\hat y$ equals that: at finite scores. With a one-hot target the true class's score would have to lead by
# infinity.


# %% tags=["solution"]
def smoothed_gradient(p, target, epsilon):
    y = torch.full_like(p, epsilon / len(p))
    y[target] += 1 - epsilon
    return torch.softmax(p, dim=0) - y


# %% [markdown] tags=["solution"]
# :::{solution-end}
# :::

# %%
exercises.check("rnn/bptt/smoothed_gradient", smoothed_gradient)

# %% [markdown]
# ## One step, everything else held still
#
# $W_{hh}$ reaches $h^{(t)}$ on two ways: it stands in the formula for $a^{(t)}$, and it has shaped $h^{(t-1)}$. Keep
# the two apart, or you count some ways twice. The **immediate** derivative, written $\partial^+$
# {cite}`pascanu2013difficulty`, moves one thing and holds $h^{(t-1)}$ still. The **total** one, written $\partial$,
# lets everything follow.
#
# Immediate derivatives are read off one line, $h_i^{(t)} = \tanh(a_i^{(t)})$. The slope of unit $i$ is
# $1 - (h_i^{(t)})^2$; put the slopes on a diagonal, $\Delta^{(t)} = \operatorname{diag}(1 - h^{(t)} \odot h^{(t)})$.
# First by the state before. Since $\partial a_i^{(t)} / \partial h_k^{(t-1)}$ is the entry $i, k$ of $W_{hh}$,
#
# $$
# J^{(t)} = \frac{\partial^+ h^{(t)}}{\partial h^{(t-1)}} = \Delta^{(t)}\, W_{hh} \in \mathbb{R}^{H \times H} .
# $$ (eq-rnn-jacobian)
#
# Each *row* of $W_{hh}$ is multiplied by the slope of its unit. Then by the weights. $W_{jk}$ touches $a_j$ alone,
# and there it multiplies $h_k^{(t-1)}$: in index form, $\partial^+ h_i^{(t)} / \partial W_{jk} = \big(1 -
# (h_i^{(t)})^2\big)\, [\,i = j\,]\, h_k^{(t-1)}$.
#
# These are $H \cdot H \cdot H$ numbers. To write them as a matrix, stack the columns of $W$ into one long vector,
# $\operatorname{vec} W$. Then $W h = \sum_k h_k\, W_{:,k} = [\, h_1 I, \dots, h_H I \,] \operatorname{vec} W$, and this
# row of blocks is the Kronecker product $h^\top \otimes I$. With $x$ in place of $h$ for $W_{hx}$, and 1 for the bias:
#
# $$
# \begin{aligned}
# \frac{\partial^+ h^{(t)}}{\partial \operatorname{vec} W_{hh}} &=
# \Delta^{(t)} \big( h^{(t-1)\top} \otimes I \big) \in \mathbb{R}^{H \times H^2} , \\
# \frac{\partial^+ h^{(t)}}{\partial \operatorname{vec} W_{hx}} &=
# \Delta^{(t)} \big( x^{(t)\top} \otimes I \big) \in \mathbb{R}^{H \times HE} , \\
# \frac{\partial^+ h^{(t)}}{\partial b_h} &= \Delta^{(t)} \in \mathbb{R}^{H \times H} .
# \end{aligned}
# $$ (eq-rnn-immediate)


# %%
def Delta(h):  # [H] → [H, H]
    return torch.diag(1 - h**2)


def J(h, W_hh):
    return Delta(h) @ W_hh


def immediate(
    h, multiplied
):  # [H], [N] → [H, H N], by the weights of what they multiply
    return Delta(h) @ torch.kron(multiplied[None], torch.eye(len(h)))


# %% tags=["hide-input"]
def draw_immediate():
    h, before = np.array([0.2, -0.9, 0.5, 0.7]), np.array([0.8, -0.4, 0.3, 0.6])
    blocks = np.kron(before[None], np.eye(4)) * (1 - h**2)[:, None]
    fig, ax = plt.subplots(figsize=(4.2, 1.7))
    for i, column in np.argwhere(blocks):
        value = blocks[i, column]
        style = {"fc": (display.COLORS[0 if value > 0 else 1], abs(value))}
        style |= {"ec": display.INK, "lw": 0.8, "hatch": None if value > 0 else "////"}
        ax.add_patch(plt.Rectangle((column, i), 1, 1, **style))
    for k in range(5):
        ax.axvline(4 * k, color=display.INK, lw=1)
    ax.set(xlim=(0, 16), ylim=(4, 0), yticks=np.arange(4) + 0.5, aspect="equal")
    ax.set_yticklabels(["1", "2", "3", "4"])
    ax.set_xticks([2, 6, 10, 14], [f"$W_{{:,{k}}}$" for k in range(1, 5)])
    ax.set_ylabel("unit $i$")
    ax.grid(False)
    return fig


display.show(
    draw_immediate(),
    alt="A matrix of 4 rows and 16 columns in four blocks, one for each column of W. "
    "Each block is diagonal; a block is as strong as the entry of the state before "
    "that it belongs to, a row as weak as its unit is saturated. The second block is "
    "negative.",
    caption="The immediate derivative of four units by their 16 weights. A weight "
    "moves the unit of its own row alone, so each block is diagonal; hatched entries "
    "are negative, and the second row is pale because its unit is near −1.",
)


# %% tags=["check"]
def step(x, before, W_hx, W_hh, b_h):
    return torch.tanh(W_hx @ x + W_hh @ before + b_h)


def one_step(E, H):
    W_hx, W_hh, b_h, _, _, before = random_network(E, H, 2)
    return torch.randn(E), before, W_hx, W_hh, b_h


def cases():
    for _, E, H, _ in SHAPES:
        given = one_step(E, H)
        yield J(step(*given), given[3]), jacobian(step, given)[1]


verify.equal("eq-rnn-jacobian", cases(), atol=1e-12, against="autograd")


# %% tags=["check"]
def cases():
    for _, E, H, _ in SHAPES:
        x, before, *_ = given = one_step(E, H)
        h = step(*given)
        _, _, by_W_hx, by_W_hh, by_b_h = jacobian(
            step, given
        )  # [H, H, E], [H, H, H], …
        yield immediate(h, before), by_W_hh.transpose(1, 2).flatten(1)
        yield immediate(h, x), by_W_hx.transpose(1, 2).flatten(1)
        yield Delta(h), by_b_h


verify.equal("eq-rnn-immediate", cases(), atol=1e-12, against="autograd")

# %% [markdown]
# ## All steps: a sum over the uses
#
# Let everything follow. $h^{(t)}$ moves because $W$ moves in its own formula, and because $h^{(t-1)}$ has moved:
#
# $$
# \begin{gathered}
# \frac{\partial h^{(t)}}{\partial \operatorname{vec} W} =
# \frac{\partial^+ h^{(t)}}{\partial \operatorname{vec} W}
# + J^{(t)}\, \frac{\partial h^{(t-1)}}{\partial \operatorname{vec} W} , \\
# \frac{\partial h^{(0)}}{\partial \operatorname{vec} W} = 0 ,
# \end{gathered}
# $$ (eq-rnn-total)
#
# for $W = W_{hh}$ and $W_{hx}$, and for $b_h$. The last statement says that $h^{(0)}$ is a constant. Put it in at
# $t = 1$, the result at $t = 2$, and that at $t = 3$:
#
# $$
# \frac{\partial h^{(3)}}{\partial \operatorname{vec} W} =
# \frac{\partial^+ h^{(3)}}{\partial \operatorname{vec} W}
# + J^{(3)}\, \frac{\partial^+ h^{(2)}}{\partial \operatorname{vec} W}
# + J^{(3)} J^{(2)}\, \frac{\partial^+ h^{(1)}}{\partial \operatorname{vec} W} .
# $$ (eq-rnn-three-steps)
#
# One term per use, as with the single unit. Each further step multiplies all earlier terms by one more $J$ *from the
# left*, and adds a term that has none. So, by induction,
#
# $$
# \frac{\partial h^{(t)}}{\partial \operatorname{vec} W} = \sum_{t'=1}^{t}
# \Big( J^{(t)} J^{(t-1)} \cdots J^{(t'+1)} \Big)\, \frac{\partial^+ h^{(t')}}{\partial \operatorname{vec} W} ,
# $$ (eq-rnn-sum)
#
# where the product for $t' = t$ has no factors and is $I$. Two things are easily lost here. Matrices do not commute, so
# the latest step stands on the left. And the derivatives on the right are immediate: a total one would carry the terms
# before it once more. No term for $t' = 0$ appears, because $h^{(0)}$ is constant. If it is zero, the term $t' = 1$
# of $W_{hh}$ is zero, too: what the weight multiplied there was 0.


# %%
def totals(h, W_hh, multiplied):  # ∂h(t)/∂vec W for t = 0 … T, step by step
    (H, N), T = (len(W_hh), multiplied.shape[1]), len(h) - 1
    total = [torch.zeros(H, H * N)]
    for t in range(1, T + 1):
        total.append(immediate(h[t], multiplied[t - 1]) + J(h[t], W_hh) @ total[t - 1])
    return total


def three_steps(h, W_hh, multiplied):
    J_3, J_2 = J(h[3], W_hh), J(h[2], W_hh)
    first, second, third = (immediate(h[t], multiplied[t - 1]) for t in (1, 2, 3))
    return third + J_3 @ second + J_3 @ J_2 @ first


def sum_over_uses(t, h, W_hh, multiplied):
    result = 0
    for use in range(1, t + 1):
        product = torch.eye(len(W_hh))
        for j in range(use + 1, t + 1):
            product = J(h[j], W_hh) @ product  # the later one to the left
        result += product @ immediate(h[use], multiplied[use - 1])
    return result


# %% tags=["hide-input"]
def draw_totals(T=14):
    torch.manual_seed(1)
    network = random_network(2, 8, 2)
    network = network._replace(W_hh=1.2 * network.W_hh)
    h = states(torch.randn(T, 2), network)
    norms = [torch.linalg.matrix_norm(total) for total in totals(h, network.W_hh, h)]
    alone = [
        torch.linalg.matrix_norm(immediate(h[t], h[t - 1])) for t in range(1, T + 1)
    ]
    fig, ax = plt.subplots(figsize=(4.2, 2.4))
    ax.plot(range(T + 1), norms, label=r"total, $\partial$")
    ax.plot(range(1, T + 1), alone, label=r"immediate, $\partial^+$")
    ax.set(xlabel="$t$", ylabel="size of the derivative", ylim=(0, None))
    ax.legend(frameon=False)
    return fig


display.show(
    draw_totals(),
    alt="Root sum of squares of the derivatives of h(t) by W_hh in a random network of 8 "
    "units, for t up to 14. The total one starts at zero, is the immediate one at t = 1, "
    "and lies above it afterwards.",
    caption="At t = 1 both are the same. Afterwards the total derivative also holds what "
    "the steps before hand on.",
)


# %% tags=["check"]
def by_autograd(x, network, name):  # [T + 1, H, weights], columns stacked
    def of(W):
        return states(x, network._replace(**{name: W}))

    full = jacobian(of, getattr(network, name))  # [T + 1, H, H, N] or [T + 1, H, H]
    return full.reshape(*full.shape[:3], -1).transpose(2, 3).flatten(2)


def unrolled(T, E, H, K):  # h, W_hh, what the weights multiply, autograd's derivatives
    x, network = torch.randn(T, E), random_network(E, H, K)
    h = states(x, network)
    multiplied = {"W_hh": h[:-1], "W_hx": x, "b_h": torch.ones(T, 1)}
    for name, values in multiplied.items():
        yield h, network.W_hh, values, by_autograd(x, network, name)


def cases():
    for shape in SHAPES:
        for h, W_hh, multiplied, derivatives in unrolled(*shape):
            yield torch.stack(totals(h, W_hh, multiplied)), derivatives


verify.equal("eq-rnn-total", cases(), atol=1e-12, against="autograd")


# %% tags=["check"]
def cases():
    for _, *shape in SHAPES:
        for h, W_hh, multiplied, derivatives in unrolled(3, *shape):
            yield three_steps(h, W_hh, multiplied), derivatives[3]


verify.equal("eq-rnn-three-steps", cases(), atol=1e-12, against="autograd")


# %% tags=["check"]
def cases():
    for T, *shape in SHAPES:
        for h, W_hh, multiplied, derivatives in unrolled(T, *shape):
            yield sum_over_uses(T, h, W_hh, multiplied), derivatives[T]


verify.equal("eq-rnn-sum", cases(), atol=1e-12, against="autograd")

# %% [markdown]
# :::{exercise} Three steps, every index a number
# :label: ex-rnn-three-steps
# Write $\partial L^{(3)} / \partial W_{hh}$ for the third step's loss out in full: no sum sign, no product sign, each
# time index a number, and as a matrix of the shape of $W_{hh}$. (For vectors $u$ and $h$,
# $(h \otimes I)\, u = \operatorname{vec}(u h^\top)$.) Which term is missing that a sum from $t' = 0$ would have?
# Write `gradient_at_three(h, dL_dp, W_hh, W_ph)` for states `h` `[4, H]` and `dL_dp` $= \hat y^{(3)} - y^{(3)}$ `[K]`.
# :::

# %% [markdown] tags=["solution"]
# :::{solution-start} ex-rnn-three-steps
# :class: dropdown
# :::
# The chain rule from the loss to the state gives $u = \partial L^{(3)} / \partial h^{(3)} = W_{ph}^\top (\hat y^{(3)} -
# y^{(3)})$, a column. From there, $\operatorname{vec}(\partial L^{(3)} / \partial W_{hh}) = (\partial h^{(3)} /
# \partial \operatorname{vec} W_{hh})^\top u$, and by {eq}`eq-rnn-three-steps` this is
#
# - of the third use, $\big( \Delta^{(3)} (h^{(2)\top} \otimes I) \big)^\top u = (h^{(2)} \otimes I)\, \Delta^{(3)} u =
#   \operatorname{vec} \big( \Delta^{(3)} u\, h^{(2)\top} \big)$;
# - of the second, with $J^{(3)\top} = W_{hh}^\top \Delta^{(3)}$ before it,
#   $\operatorname{vec} \big( \Delta^{(2)} W_{hh}^\top \Delta^{(3)} u\, h^{(1)\top} \big)$;
# - of the first, $\operatorname{vec} \big( \Delta^{(1)} W_{hh}^\top \Delta^{(2)} W_{hh}^\top \Delta^{(3)} u\,
#   h^{(0)\top} \big)$.
#
# Put together, with $\Delta^{(t)} = \operatorname{diag}(1 - h^{(t)} \odot h^{(t)})$:
#
# $$
# \begin{aligned}
# \frac{\partial L^{(3)}}{\partial W_{hh}}
# ={}& \Delta^{(3)} W_{ph}^\top (\hat y^{(3)} - y^{(3)})\, h^{(2)\top} \\
# &+ \Delta^{(2)} W_{hh}^\top \Delta^{(3)} W_{ph}^\top (\hat y^{(3)} - y^{(3)})\, h^{(1)\top} \\
# &+ \Delta^{(1)} W_{hh}^\top \Delta^{(2)} W_{hh}^\top \Delta^{(3)} W_{ph}^\top \\
# &\qquad (\hat y^{(3)} - y^{(3)})\, h^{(0)\top} .
# \end{aligned}
# $$
#
# A sum from $t' = 0$ would add $J^{(3)} J^{(2)} J^{(1)}$ times the derivative of $h^{(0)}$ by $W_{hh}$, which is
# zero. With $h^{(0)} = 0$ the last line is zero as well, and two terms are left.


# %% tags=["solution"]
def gradient_at_three(h, dL_dp, W_hh, W_ph):
    third = (1 - h[3] ** 2) * (W_ph.T @ dL_dp)  # ∂L/∂a(3) [H]
    second = (1 - h[2] ** 2) * (W_hh.T @ third)
    first = (1 - h[1] ** 2) * (W_hh.T @ second)
    return (
        torch.outer(third, h[2]) + torch.outer(second, h[1]) + torch.outer(first, h[0])
    )


# %% [markdown] tags=["solution"]
# :::{solution-end}
# :::

# %%
exercises.check("rnn/bptt/gradient_at_three", gradient_at_three)

# %% [markdown]
# ## From the sum to one pass back
#
# The sum is right and wasteful: it does the product of the last Jacobians again for each use. Sort it anew. Over all
# losses,
#
# $$
# \begin{aligned}
# \operatorname{vec} \frac{\partial L}{\partial W} ={}& \sum_{t=1}^{T} \sum_{t'=1}^{t}
# \Big( \frac{\partial^+ h^{(t')}}{\partial \operatorname{vec} W} \Big)^{\!\top} \\
# & J^{(t'+1)\top} \cdots J^{(t)\top}\; W_{ph}^\top \big( \hat y^{(t)} - y^{(t)} \big) ,
# \end{aligned}
# $$ (def-rnn-double-sum)
#
# the transpose of {eq}`eq-rnn-sum` times $\partial L^{(t)} / \partial h^{(t)} = W_{ph}^\top (\hat y^{(t)} - y^{(t)})$.


# %% tags=["hide-input"]
def draw_pairs(T=8):
    fig, ax = plt.subplots(figsize=(3.4, 3.0))
    for t in range(1, T + 1):
        for use in range(1, t + 1):
            style = {"ec": display.INK, "lw": 0.8}
            style["fc"] = (display.COLORS[0], 0.6 * (t - use) / T)
            ax.add_patch(plt.Rectangle((t - 0.5, use - 0.5), 1, 1, **style))
            ax.text(t, use, t - use, ha="center", va="center")
    ax.set(xlim=(0.4, T + 0.6), ylim=(T + 0.6, 0.4), aspect="equal")
    ax.set(xlabel="the loss of step $t$", ylabel="the use at step $t'$")
    ax.grid(False)
    return fig


display.show(
    draw_pairs(),
    alt="A triangle of squares for the pairs of a loss at step t, from 1 to 8, and a "
    "use at step t' up to t. In each stands t - t', the number of Jacobians in its "
    "term: 0 on the diagonal, 7 in the corner.",
    caption="The terms of the double sum for eight steps, each with its number of "
    "Jacobians. Those of one row begin with the same ones: add them up first.",
)

# %% [markdown]
# Sum over $t$ first. What stands behind the immediate derivative of use $t'$ is then
#
# $$
# \sum_{t=t'}^{T} J^{(t'+1)\top} \cdots J^{(t)\top}\; W_{ph}^\top \big( \hat y^{(t)} - y^{(t)} \big)
# = \frac{\partial L}{\partial h^{(t')}} ,
# $$ (eq-rnn-state-sum)
#
# how the whole loss answers when the state $h^{(t')}$ is moved and all later ones follow. In it the term $t = t'$ has
# no Jacobian, and all others begin with the same one, $J^{(t'+1)\top}$. Take that out, and what is left is the same sum
# for $t' + 1$. With $J^{(t+1)\top} = W_{hh}^\top \Delta^{(t+1)}$:
#
# $$
# \begin{aligned}
# \frac{\partial L}{\partial h^{(t)}} &= W_{ph}^\top \big( \hat y^{(t)} - y^{(t)} \big)
# + W_{hh}^\top\, \frac{\partial L}{\partial a^{(t+1)}} , \\
# \frac{\partial L}{\partial a^{(t)}} &= \Delta^{(t)}\, \frac{\partial L}{\partial h^{(t)}} ,
# \qquad \frac{\partial L}{\partial a^{(T+1)}} = 0 .
# \end{aligned}
# $$ (eq-rnn-recursion)
#
# Last, the immediate derivatives. $\big( \Delta (h^\top \otimes I) \big)^\top u = (h \otimes I)\, \Delta u$ is
# $\operatorname{vec}(\Delta u\, h^\top)$, since block $k$ of both is $h_k\, \Delta u$. So the long vectors fold back
# into outer products:
#
# $$
# \begin{aligned}
# \frac{\partial L}{\partial W_{hh}} &= \sum_{t=1}^{T} \frac{\partial L}{\partial a^{(t)}}\, h^{(t-1)\top} , \qquad
# \frac{\partial L}{\partial W_{hx}} = \sum_{t=1}^{T} \frac{\partial L}{\partial a^{(t)}}\, x^{(t)\top} , \\
# \frac{\partial L}{\partial b_h} &= \sum_{t=1}^{T} \frac{\partial L}{\partial a^{(t)}} .
# \end{aligned}
# $$ (eq-rnn-gradients)
#
# That is **backpropagation through time** {cite}`werbos1990backpropagation`: one product of a matrix and a vector per
# step, from the last to the first. How much does it save? Count the products with a Jacobian's transpose in
# {eq}`def-rnn-double-sum`: $t - t'$ for a pair $(t, t')$, so $t (t - 1) / 2$ for a loss at $t$, and over all losses
#
# $$
# \sum_{t=1}^{T} \frac{t (t-1)}{2} = \frac{(T-1)\, T\, (T+1)}{6}
# $$ (eq-rnn-cost)
#
# instead of $T - 1$. Each costs $H^2$ multiplications. (The last of them would lead to $\partial L / \partial h^{(0)}$,
# which nobody needs unless the start is learned.) The price is memory: all $T$ states are kept. Going forward with
# {eq}`eq-rnn-total` keeps none, but carries a matrix of $H \times H^2$ and multiplies it by $J^{(t)}$: $H^4$
# multiplications per step {cite}`williams1989learning`.


# %%
def back(h, dL_dp, network):  # → ∂L/∂h(t), ∂L/∂a(t) for t = 1 … T, [T, H] each
    T, W_hh, W_ph = len(dL_dp), network.W_hh, network.W_ph
    dL_dh, dL_da = torch.zeros(2, T + 2, len(W_hh))  # rows 0 and T + 1 stay zero
    for t in range(T, 0, -1):
        dL_dh[t] = W_ph.T @ dL_dp[t - 1] + W_hh.T @ dL_da[t + 1]
        dL_da[t] = (1 - h[t] ** 2) * dL_dh[t]
    return dL_dh[1:-1], dL_da[1:-1]


def bptt(x, targets, network):  # gradients of W_hx, W_hh, b_h, W_ph, b_p
    h = states(x, network)
    dL_dp = dL_dp_of(probabilities(h, network), targets)
    _, dL_da = back(h, dL_dp, network)
    inner = dL_da.T @ x, dL_da.T @ h[:-1], dL_da.sum(dim=0)
    return *inner, *output_gradients(dL_dp, h)


def double_sum(h, dL_dp, network):  # ∂L/∂h(t) by (eq-rnn-state-sum), products counted
    T, products = len(dL_dp), 0
    dL_dh = torch.zeros(T, len(network.W_hh))
    for use in range(1, T + 1):
        for t in range(use, T + 1):
            term = network.W_ph.T @ dL_dp[t - 1]
            for j in range(t, use, -1):
                term, products = J(h[j], network.W_hh).T @ term, products + 1
            dL_dh[use - 1] += term
    return dL_dh, products


# %% tags=["hide-input"]
def draw_cost():
    T = np.arange(2, 101)
    fig, ax = plt.subplots(figsize=(4.2, 2.4))
    ax.plot(T, (T - 1) * T * (T + 1) / 6, label="the double sum", marker="")
    ax.plot(T, T - 1, label="one pass back", marker="")
    ax.set(xscale="log", yscale="log", xlabel="steps $T$", ylabel="products")
    ax.set_xticks([2, 5, 10, 30, 100], ["2", "5", "10", "30", "100"])
    ax.minorticks_off()
    ax.legend(frameon=False)
    return fig


display.show(
    draw_cost(),
    alt="Products of a matrix and a vector against the number of steps, both on "
    "logarithmic axes. At 100 steps the double sum takes 166,650, the pass back 99.",
    caption="What sorting the sum saves: the third power of T becomes T.",
)


# %% tags=["check"]
def a_case(T, E, H, K):
    x, targets = torch.randn(T, E), torch.randint(K, (T,))
    network = random_network(E, H, K)
    h = states(x, network)
    return x, targets, network, h, dL_dp_of(probabilities(h, network), targets)


def state_gradients(
    x, targets, network
):  # by autograd: one state is moved, later follow
    for t in range(1, len(x) + 1):
        h_t = states(x[:t], network)[-1].requires_grad_()
        h = torch.cat([h_t[None], states(x[t:], network._replace(h_0=h_t))[1:]])
        p = h @ network.W_ph.T + network.b_p
        loss = cross_entropy(p, targets[t - 1 :], reduction="sum")
        yield torch.autograd.grad(loss, h_t)[0]


def cases():
    for shape in SHAPES:
        x, targets, network, h, dL_dp = a_case(*shape)
        found = torch.stack(list(state_gradients(x, targets, network)))
        yield double_sum(h, dL_dp, network)[0], found


verify.equal("eq-rnn-state-sum", cases(), atol=1e-12, against="autograd")


# %% tags=["check"]
def cases():
    for shape in SHAPES:
        x, targets, network, h, dL_dp = a_case(*shape)
        dL_dh, dL_da = back(h, dL_dp, network)
        yield dL_dh, torch.stack(list(state_gradients(x, targets, network)))
        # One bias for each step is a place to move a(t) at
        biases = network.b_h.repeat(len(x), 1).requires_grad_()
        own = network._replace(b_h=0, W_hx=torch.eye(len(network.b_h)))
        p = states(x @ network.W_hx.T + biases, own)[1:] @ network.W_ph.T + network.b_p
        loss = cross_entropy(p, targets, reduction="sum")
        yield dL_da, torch.autograd.grad(loss, biases)[0]


verify.equal("eq-rnn-recursion", cases(), atol=1e-12, against="autograd")


# %% tags=["check"]
def cases():
    for T, E, H, K in (*SHAPES, (50, 3, 8, 5)):
        x, targets, network, *_ = a_case(T, E, H, K)
        cell, layer = VanillaRNN(E, H), torch.nn.Linear(H, K)
        theirs = cell.W_x, cell.W_h, cell.b, layer.weight, layer.bias
        for parameter, value in zip(theirs, network, strict=False):
            parameter.data = value
        p = layer(cell(x[:, None], network.h_0[None])[0][:, 0])
        cross_entropy(p, targets, reduction="sum").backward()
        for ours, parameter in zip(bptt(x, targets, network), theirs, strict=True):
            yield ours, parameter.grad


verify.equal(
    "eq-rnn-gradients", cases(), atol=1e-12, against="autograd through helpers' cell"
)


# %% tags=["check"]
def cases():
    for T in (1, 2, 3, 8):
        _, _, network, h, dL_dp = a_case(T, 2, 3, 2)
        yield (T - 1) * T * (T + 1) // 6, double_sum(h, dL_dp, network)[1]


verify.equal("eq-rnn-cost", cases(), against="the products, counted as they are made")

# %% [markdown]
# :::{exercise} Two gradients of a loss at the end
# :label: ex-rnn-two-gradients
# A network is asked once, at the end: only $L^{(T)}$ counts. Give its gradients with respect to $W_{ph}$ and $W_{hh}$.
# Which states does each need? What does this mean for a long sequence? Write
# `gradients_at_end(h, dL_dp, W_hh, W_ph)`, which returns both, for states `h` `[T + 1, H]` and
# `dL_dp` $= \hat y^{(T)} - y^{(T)}$ `[K]`, in one pass back.
# :::

# %% [markdown] tags=["solution"]
# :::{solution-start} ex-rnn-two-gradients
# :class: dropdown
# :::
# By {eq}`eq-rnn-output-gradient` the first is $(\hat y^{(T)} - y^{(T)})\, h^{(T)\top}$: no other state *appears* in it.
# It depends on the earlier inputs all the same, through $h^{(T)}$, as the loss does. The second is
# {eq}`eq-rnn-gradients` with a recursion {eq}`eq-rnn-recursion` that is fed at $t = T$ alone: all states from $h^{(0)}$
# to $h^{(T)}$ appear, and the error reaches step $t$ after $T - t$ products with $W_{hh}^\top \Delta$. For a long
# sequence these products decide: they may shrink what comes from far back to nothing, or blow it up. {doc}`vanishing`
# measures which.


# %% tags=["solution"]
def gradients_at_end(h, dL_dp, W_hh, W_ph):
    dW_hh = torch.zeros_like(W_hh)
    dL_dh = W_ph.T @ dL_dp
    for t in range(len(h) - 1, 0, -1):
        dL_da = (1 - h[t] ** 2) * dL_dh
        dW_hh += torch.outer(dL_da, h[t - 1])
        dL_dh = W_hh.T @ dL_da
    return torch.outer(dL_dp, h[-1]), dW_hh


# %% [markdown] tags=["solution"]
# :::{solution-end}
# :::

# %%
exercises.check("rnn/bptt/gradients_at_end", gradients_at_end)


# %% [markdown]
# ## What was shown
#
# - The derivative of a state by a shared weight is a sum over its uses, {eq}`eq-rnn-sum`: immediate derivatives,
#   {eq}`eq-rnn-immediate`, carried to the end by Jacobians $J^{(t)} = \Delta^{(t)} W_{hh}$, {eq}`eq-rnn-jacobian`, the
#   latest on the left.
# - The start $h^{(0)}$ is a constant, so the sum begins at the first use.
# - Sorted anew, the sum is one pass back, {eq}`eq-rnn-recursion` and {eq}`eq-rnn-gradients`: $T - 1$ products of a
#   matrix and a vector in place of about $T^3 / 6$.
# - The output layer needs no pass: {eq}`eq-rnn-output-gradient`.
# - What the many Jacobians do to the blame on its way back is told in {doc}`vanishing`.

# %% [markdown]
# ## Exercises

# %% [markdown]
# :::{exercise} A start that is learned
# :label: ex-rnn-learned-start
# Let $h^{(0)}$ be a weight, too. What is $\partial L / \partial h^{(0)}$? Does the sum {eq}`eq-rnn-sum` for $W_{hh}$
# get a term for $t' = 0$? Write `start_gradient(h, dL_dp, W_hh, W_ph)` for states `h` of shape `[T + 1, H]` and
# `dL_dp` $= \hat y^{(t)} - y^{(t)}$ of all steps, `[T, K]`.
# :::

# %% [markdown] tags=["solution"]
# :::{solution-start} ex-rnn-learned-start
# :class: dropdown
# :::
# It is {eq}`eq-rnn-recursion` taken one step further, with no loss at $t = 0$: $W_{hh}^\top\, \partial L / \partial
# a^{(1)}$. That sum stays as it is: a learned start is another variable, not a function of $W_{hh}$, and its derivative
# by $W_{hh}$ is still zero.


# %% tags=["solution"]
def start_gradient(h, dL_dp, W_hh, W_ph):
    dL_dh = torch.zeros(len(W_hh))
    for t in range(len(dL_dp), 0, -1):
        dL_dh = dL_dh + W_ph.T @ dL_dp[t - 1]
        dL_dh = W_hh.T @ ((1 - h[t] ** 2) * dL_dh)
    return dL_dh


# %% [markdown] tags=["solution"]
# :::{solution-end}
# :::

# %%
exercises.check("rnn/bptt/start_gradient", start_gradient)

# %% [markdown]
# ## Further reading
#
# - {cite:t}`werbos1990backpropagation` explains backpropagation through time, {cite:t}`williams1989learning` the way
#   forward that keeps no states.
# - The notation $\partial^+$ is that of {cite:t}`pascanu2013difficulty`.
