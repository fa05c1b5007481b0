# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

# %% [markdown]
# # The way back through a cell
#
# An LSTM has answered, and the answer was off. Which of the many numbers that were offered to its cells, and which of
# the gates, steps before, are to blame, and by how much? The assignment leaves these derivatives to autograd, since
# there are a lot of them. Here they are: eight lines, each of which says something, and together they run as fast as
# the multiplications in them can be had.
#
# First the result, on the cell of {doc}`lstm` with which it began: it lets one number in, at step 3, and is asked at
# step 16. Its gates are nearly open (0.98) or nearly closed (0.02).

# %% tags=["parameters"]
profile = "smoke"
seed = 0

# %% tags=["set-up"]
from helpers import display, exercises, parameters, records, verify
from helpers.rnn.cells import LSTM

import matplotlib.pyplot as plt
import numpy as np
import torch
from torch.utils.flop_counter import FlopCounterMode

parameters.check(globals(), profile=("smoke", "full"), seed=range(2**31))
display.use_book_style()
torch.manual_seed(seed)
torch.set_default_dtype(torch.float64)
sigm, tanh = torch.sigmoid, torch.tanh


# %% tags=["hide-input"]
def draw_blame(T=16):
    t = np.arange(1, T + 1)
    a = torch.zeros(T, 4)  # before the non-linearity: i, f, g, o
    a[:, 0] = torch.from_numpy(np.where(t == 3, 3.9, -3.9))
    a[:, 1], a[:, 3] = 3.9, -3.9
    a[:, 2] = torch.atanh(torch.from_numpy(0.9 * np.cos(1.3 * (t - 3))))
    a[T - 1, 3] = 3.9
    a.requires_grad_()
    c, cells = torch.zeros(()), []
    for a_i, a_f, a_g, a_o in a:  # noqa: B007, the last a_o is used below
        c = sigm(a_f) * c + sigm(a_i) * tanh(a_g)
        cells.append(c)
    of_a, *of_c = torch.autograd.grad(sigm(a_o) * tanh(c), [a, *cells])
    figures, axes = display.panels((3.4, 2.5), (3.4, 2.5))
    axes[0].plot(t, torch.stack(of_c), label=r"$\delta_c$")
    for k, name in enumerate("ifg"):
        axes[1].plot(t, of_a[:, k], label=rf"$\delta_{name}$")
    for ax in axes:
        ax.set(xlabel="step", xticks=range(0, T + 1, 4))
        ax.legend(frameon=False)
    return figures


display.show(
    draw_blame(),
    alt="Left, the derivative with respect to the cell: 0.4 at step 16, and slowly less "
    "the further back. Right, those of the input gate, forget gate and candidate: the "
    "candidate's has one peak, at step 3; the forget gate's is small before step 3 and "
    "larger after it; the input gate's goes up and down with what was offered.",
    caption="The derivative goes back along the cell. The candidate takes it at step 3 "
    "alone, when it was let in, and the forget gate from then on, when there was "
    "something to keep.",
)


# %% [markdown]
# ## One step, by hand
#
# $\delta_c$ is the derivative of the loss with respect to $c$ at each step, and $\delta_i$, $\delta_f$, $\delta_g$
# those with respect to what goes into the two gates and the candidate. First one cell in numbers: $c^{(t-1)} = 0.5$,
# and $i = 0.5$, $f = 0.9$, $g = 0.8$. Suppose the loss rises by 1 per unit of $c^{(t)} = 0.9 \cdot 0.5 + 0.5 \cdot
# 0.8$. How does it change with the number $a_i$ before the sigmoid? $c$ changes by $g = 0.8$ per unit of $i$, and $i$
# by $i (1 - i) = 0.25$ per unit of $a_i$: together 0.2. In the same way $a_f$ gets $0.5 \cdot 0.9 \cdot 0.1 = 0.045$,
# and $a_g$ gets $0.5 \cdot (1 - 0.8^2) = 0.18$. Raise each a little, and look:


# %%
def c_of(a_i, a_f, a_g, c=0.5):
    sigm = lambda a: 1 / (1 + np.exp(-a))  # noqa: E731
    return sigm(a_f) * c + sigm(a_i) * np.tanh(a_g)


a = np.array([0.0, np.log(9), np.arctanh(0.8)])  # i = 0.5, f = 0.9, g = 0.8
for name, little in zip("ifg", 1e-6 * np.eye(3), strict=True):
    print(f"per unit of a_{name}: {(c_of(*(a + little)) - c_of(*a)) / 1e-6:.3f}")

# %% [markdown]
# Two slopes were used, and both can be had from the function's own value, which the forward pass keeps anyway:
#
# $$
# \begin{aligned}
# s = \operatorname{sigm}(a) : \quad \frac{\mathrm{d} s}{\mathrm{d} a} &= \frac{e^{-a}}{(1 + e^{-a})^2} = s (1 - s) , \\
# u = \tanh(a) : \quad \frac{\mathrm{d} u}{\mathrm{d} a} &= 1 - u^2 .
# \end{aligned}
# $$ (eq-rnn-lstm-slopes)


# %%
def slope_sigm(s):
    return s * (1 - s)


def slope_tanh(u):
    return 1 - u**2


# %% tags=["check"]
def cases():
    a = np.linspace(-6, 6, 25)
    z = (
        a + 1e-30j
    )  # the imaginary part of f(a + iε)/ε is the slope, without cancellation
    yield slope_sigm(1 / (1 + np.exp(-a))), (1 / (1 + np.exp(-z))).imag / 1e-30
    yield slope_tanh(np.tanh(a)), np.tanh(z).imag / 1e-30


verify.equal("eq-rnn-lstm-slopes", cases(), atol=1e-12, against="a complex step")

# %% [markdown]
# ## Step by step
#
# The cell is that of {eq}`def-rnn-lstm-linear`, {eq}`def-rnn-lstm-gates` and {eq}`def-rnn-lstm-state`. Let $L$ be any
# loss of the outputs $h^{(1)}, \dots, h^{(T)}$ and of the last cell $c^{(T)}$. Write $\delta$
# for the derivative of the loss with respect to a quantity, *by all paths*:
# $\delta_c^{(t)} = \partial L / \partial c^{(t)}$, $\delta_h^{(t)}$ likewise, and
# $\delta_k^{(t)} = \partial L / \partial a_k^{(t)}$ for the four numbers before the non-linearities. Go
# backwards in time: at step $t$ all $\delta$ of step $t + 1$ are known.
#
# To have an answer to compare with, let autograd find all of them, on a network that keeps every number of its way:


# %% tags=["hide-input"]
def draw_cell():
    fig, ax = plt.subplots(figsize=(4.2, 2.7))
    places = {
        "$c^{(t-1)}$": (0, 2), "×": (2, 2), "+": (4, 2), "$c^{(t)}$": (6.6, 2),
        "$f$": (2, 3.3), "× ": (4, 0.7), "$i$": (2.6, 0.1), "$g$": (2.6, 1.2),
        "tanh": (6.6, 0.7), " ×": (8.4, 0.7), "$o$": (8.4, -0.5), "$h^{(t)}$": (10.3, 0.7),
    }  # fmt: skip
    edges = (
        "$c^{(t-1)}$ > ×",
        "× > +",
        "+ > $c^{(t)}$",
        "$f$ > ×",
        "$i$ > × ",
        "$g$ > × ",
    )
    edges += ("×  > +", "$c^{(t)}$ > tanh", "tanh >  ×", "$o$ >  ×", " × > $h^{(t)}$")
    for edge in edges:
        start, end = (places[name] for name in edge.split(" > "))
        straight = {
            "arrowstyle": "->",
            "color": display.INK,
            "shrinkA": 14,
            "shrinkB": 14,
        }
        ax.annotate("", end, start, arrowprops=straight)
    for name, (x, y) in places.items():
        ax.text(x, y, name.strip(), ha="center", va="center", fontsize=12)
    for (x, y), back in {
        (3, 2.35): "$\\times f$",
        (7.55, 1.45): "$1-\\tanh^2$",
    }.items():
        ax.text(x, y, back, ha="center", style="italic")
    ax.text(9.35, 0.95, r"$\times o$", ha="center")
    ax.set(xlim=(-0.8, 11.2), ylim=(-1, 3.8))
    ax.axis("off")
    return fig


display.show(
    draw_cell(),
    alt="One step as a graph. The old cell goes through a product with f and a sum "
    "with i times g to the new cell; this goes on to the right, and down through tanh "
    "and a product with o to h. On the way back the factors are f along the cell, and "
    "o and one minus tanh squared from h to the cell.",
    caption="One step, with the factors of the way back beside it. Walk against the "
    "arrows: at every product a derivative is multiplied by the other input, at every "
    "branching the ways add up.",
)


# %%
def traced(T, B, E, H):  # values and their δ, by name and step, from autograd
    W_x, W_h, b = (
        torch.randn(s, requires_grad=True) for s in ((4 * H, E), (4 * H, H), (4 * H,))
    )
    x = torch.randn(T + 1, B, E, requires_grad=True)  # x[0] is not used
    v = {name: [None] for name in "ifgo"} | {
        name: [None] for name in ("ai", "af", "ag", "ao")
    }
    v |= {name: [torch.randn(B, H, requires_grad=True)] for name in "hc"}
    for t in range(1, T + 1):
        a = (x[t] @ W_x.T + v["h"][-1] @ W_h.T + b).chunk(4, dim=1)
        for k, a_k, function in zip("ifgo", a, (sigm, sigm, tanh, sigm), strict=True):
            v[f"a{k}"].append(a_k)
            v[k].append(function(a_k))
        v["c"].append(v["f"][t] * v["c"][t - 1] + v["i"][t] * v["g"][t])
        v["h"].append(v["o"][t] * tanh(v["c"][t]))
    at_h, at_c = torch.randn(T + 1, B, H), torch.randn(B, H)  # ∂⁺L/∂h and ∂⁺L/∂c(T)
    loss = (torch.stack(v["h"][1:]) * at_h[1:]).sum() + (v["c"][T] * at_c).sum()
    delta = {}
    for name, values in v.items():
        first = values[0] is None
        found = torch.autograd.grad(loss, values[first:], retain_graph=True)
        delta[name] = [None] * first + list(found)
    names = ("x", "W_x", "W_h", "b")
    delta |= zip(names, torch.autograd.grad(loss, (x, W_x, W_h, b)), strict=True)
    weights = {"x": x, "W_x": W_x, "W_h": W_h, "b": b, "at_h": at_h, "at_c": at_c}
    plain = {
        n: [w if w is None else w.detach() for w in values] for n, values in v.items()
    }
    return plain | {n: w.detach() for n, w in weights.items()}, delta


SHAPES = ((1, 1, 1, 1), (3, 2, 3, 4), (6, 4, 2, 5))  # T, B, E, H


def every_step():
    for shape in SHAPES:
        v, d = traced(*shape)
        for t in range(1, shape[0] + 1):
            yield v, d, t


# %% [markdown]
# **The output gate.** $a_o$ enters $h^{(t)} = o \odot \tanh c$ and nothing else. So its $\delta$ is $\delta_h$, times
# $\tanh c$, times the slope of $o$:
#
# $$
# \delta_o^{(t)} = \delta_h^{(t)} \odot \tanh c^{(t)} \odot o^{(t)} \odot \big( 1 - o^{(t)} \big) .
# $$ (eq-rnn-lstm-delta-o)


# %%
def delta_o(delta_h, c, o):
    return delta_h * torch.tanh(c) * slope_sigm(o)


# %% tags=["check"]
def cases():
    for v, d, t in every_step():
        yield delta_o(d["h"][t], v["c"][t], v["o"][t]), d["ao"][t]


verify.equal("eq-rnn-lstm-delta-o", cases(), atol=1e-12, against="autograd")

# %% [markdown]
# **The cell.** $c^{(t)}$ goes two ways: into $h^{(t)}$, with the factor $o\,(1 - \tanh^2 c)$, and into $c^{(t+1)}$,
# with the factor $f^{(t+1)}$, the straight path of {eq}`eq-rnn-lstm-direct`. The derivatives by both ways add up:
#
# $$
# \delta_c^{(t)} = \delta_h^{(t)} \odot o^{(t)} \odot \big( 1 - \tanh^2 c^{(t)} \big)
# + \delta_c^{(t+1)} \odot f^{(t+1)} .
# $$ (eq-rnn-lstm-delta-c)
#
# At the last step there is no $c^{(T+1)}$; in place of the second term stands what the loss asks of $c^{(T)}$ itself.


# %%
def delta_c(delta_h, c, o, from_next):  # from_next = δ_c(t+1) f(t+1), or ∂⁺L/∂c(T)
    return delta_h * o * slope_tanh(torch.tanh(c)) + from_next


# %% tags=["hide-input"]
def draw_two_ways(T=16):
    t = torch.arange(1, T + 1)
    asked = (t == 8) | (t == 16)
    i, f, o = (torch.where(when, 0.98, 0.02) for when in (t == 3, t != 12, asked))
    g, c = 0.9 * torch.cos(1.3 * (t - 3)), [torch.zeros(())]
    for n in range(T):
        c.append(f[n] * c[-1] + i[n] * g[n])
    by_h, by_c, from_next = torch.zeros(T), torch.zeros(T), torch.zeros(())
    for n in range(T - 1, -1, -1):
        by_c[n] = from_next
        both = delta_c(asked[n].double(), c[n + 1], o[n], from_next)
        by_h[n] = both - from_next
        from_next = both * f[n]
    fig, ax = plt.subplots(figsize=(4.2, 2.8))
    ax.bar(t, by_c, color=display.COLORS[0], label="from $c^{(t+1)}$")
    style = {"color": display.COLORS[1], "hatch": "////"}
    ax.bar(t, by_h, bottom=by_c, label="from $h^{(t)}$", **style)
    ax.axvline(11.5, color=display.INK, lw=1, ls=":")
    ax.text(11.3, 1.12, "forgotten", ha="right", va="center")
    ax.set(xlabel="step $t$", ylabel=r"$\delta_c^{(t)}$", xticks=range(2, T + 1, 2))
    ax.set(ylim=(0, 1.25))
    ax.legend(frameon=False, loc="upper left")
    return fig


display.show(
    draw_two_ways(),
    alt="Bars of the derivative by the cell, for steps 1 to 16, in two parts. At steps 8 "
    "and 16 a part comes from the output, 0.55 and 0.98. At the steps before each, "
    "all comes from the next step and shrinks a little from step to step; between the "
    "forgetting, at step 12, and step 8 it is next to nothing.",
    caption="A cell whose output is asked for at steps 8 and 16, and whose forget gate is "
    "nearly closed at 12. Blame enters from h and goes back along c; it does not pass a "
    "closed gate.",
)


# %% tags=["check"]
def cases():
    for T, *others in SHAPES:
        v, delta = traced(T, *others)
        for t in range(1, T + 1):
            from_next = delta["c"][t + 1] * v["f"][t + 1] if t < T else v["at_c"]
            mine = delta_c(delta["h"][t], v["c"][t], v["o"][t], from_next)
            yield mine, delta["c"][t]


verify.equal("eq-rnn-lstm-delta-c", cases(), atol=1e-12, against="autograd")

# %% [markdown]
# **Input gate, forget gate, candidate.** All three enter $c^{(t)} = f \odot c^{(t-1)} + i \odot g$ and nothing else.
# So each takes $\delta_c^{(t)}$, times what it is multiplied with there, times its own slope:
#
# $$
# \delta_i^{(t)} = \delta_c^{(t)} \odot g^{(t)} \odot i^{(t)} \odot \big( 1 - i^{(t)} \big) ,
# $$ (eq-rnn-lstm-delta-i)
#
# $$
# \delta_f^{(t)} = \delta_c^{(t)} \odot c^{(t-1)} \odot f^{(t)} \odot \big( 1 - f^{(t)} \big) ,
# $$ (eq-rnn-lstm-delta-f)
#
# $$
# \delta_g^{(t)} = \delta_c^{(t)} \odot i^{(t)} \odot \big( 1 - (g^{(t)})^2 \big) .
# $$ (eq-rnn-lstm-delta-g)
#
# Read them: an input gate learns nothing where the candidate is 0, a forget gate nothing where the cell is empty, a
# candidate nothing where it is not let in. The first picture
# shows all three.


# %%
def delta_i(delta_c, g, i):
    return delta_c * g * slope_sigm(i)


def delta_f(delta_c, c_before, f):
    return delta_c * c_before * slope_sigm(f)


def delta_g(delta_c, i, g):
    return delta_c * i * slope_tanh(g)


# %% tags=["check"]
def cases():
    for v, d, t in every_step():
        yield delta_i(d["c"][t], v["g"][t], v["i"][t]), d["ai"][t]


verify.equal("eq-rnn-lstm-delta-i", cases(), atol=1e-12, against="autograd")


# %% tags=["check"]
def cases():
    for v, d, t in every_step():
        yield delta_f(d["c"][t], v["c"][t - 1], v["f"][t]), d["af"][t]


verify.equal("eq-rnn-lstm-delta-f", cases(), atol=1e-12, against="autograd")


# %% tags=["check"]
def cases():
    for v, d, t in every_step():
        yield delta_g(d["c"][t], v["i"][t], v["g"][t]), d["ag"][t]


verify.equal("eq-rnn-lstm-delta-g", cases(), atol=1e-12, against="autograd")

# %% [markdown]
# **The output, and the input.** Stack the four into $\delta_a = (\delta_i, \delta_f, \delta_g, \delta_o)$, of length
# $4H$ and in the order of {eq}`eq-rnn-lstm-stacked`. $h^{(t)}$ is seen by the loss, and by all four of the next step
# through $W_h$. The input $x^{(t)}$ is seen by the four of its own step, through $W_x$:
#
# $$
# \delta_h^{(t)} = \frac{\partial^+ L}{\partial h^{(t)}} + W_h^\top \delta_a^{(t+1)} ,
# $$ (eq-rnn-lstm-delta-h)
#
# $$
# \delta_x^{(t)} = W_x^\top \delta_a^{(t)} .
# $$ (eq-rnn-lstm-delta-x)
#
# After the last step there is no $\delta_a^{(T+1)}$: the term is zero there. At $t = 0$ the loss does not see
# $h^{(0)}$, and {eq}`eq-rnn-lstm-delta-h` without its first term is the gradient of a given start. Transposed, a
# column $W_h^\top \delta_a$ is the row `delta_a @ W_h`.


# %%
def delta_h(at_h, delta_a_next, W_h):  # [B, H], [B, 4H], [4H, H] → [B, H]
    return at_h + delta_a_next @ W_h


def delta_x(delta_a, W_x):  # [B, 4H], [4H, E] → [B, E]
    return delta_a @ W_x


# %% tags=["check"]
def cases():
    for T, *others in SHAPES:
        v, delta = traced(T, *others)
        for t in range(T):
            after = torch.cat([delta[f"a{k}"][t + 1] for k in "ifgo"], dim=1)
            seen = v["at_h"][t] if t else torch.zeros_like(v["at_h"][0])
            yield delta_h(seen, after, v["W_h"]), delta["h"][t]
        yield v["at_h"][T], delta["h"][T]


verify.equal("eq-rnn-lstm-delta-h", cases(), atol=1e-12, against="autograd")


# %% tags=["check"]
def cases():
    for T, *others in SHAPES:
        v, delta = traced(T, *others)
        for t in range(1, T + 1):
            now = torch.cat([delta[f"a{k}"][t] for k in "ifgo"], dim=1)
            yield delta_x(now, v["W_x"]), delta["x"][t]


verify.equal("eq-rnn-lstm-delta-x", cases(), atol=1e-12, against="autograd")

# %% [markdown]
# **The weights.** They are the same at every step, so their derivatives are sums over all steps, and each term is an
# outer product: $\delta_a^{(t)}$ with what the matrix was multiplied with,
#
# $$
# \begin{gathered}
# \frac{\partial L}{\partial W_x} = \sum_t \delta_a^{(t)} x^{(t) \top} , \qquad
# \frac{\partial L}{\partial W_h} = \sum_t \delta_a^{(t)} h^{(t-1) \top} , \\
# \frac{\partial L}{\partial b} = \sum_t \delta_a^{(t)} .
# \end{gathered}
# $$ (eq-rnn-lstm-weights)
#
# None of these sums is needed on the way back. So wait until all $\delta_a$ are there, and put them below one another
# as `rows`, one for each step and sample, $T B$ in all; do the same with $x^{(t)}$ and $h^{(t-1)}$ side by side, as
# `seen`. Then one product, `rows.T @ seen` of shape $4H \times (E + H)$, holds both sums, as in the picture. After it
# comes the whole, as a function that autograd can use.


# %% tags=["hide-input"]
def draw_product(T=5, width=2, E=2, H=3):
    fig, ax = plt.subplots(figsize=(4.2, 3.0))
    high, long = 4 * H, T * width

    def block(left, low, columns, rows, color, name):
        style = {"fc": (color, 0.25), "ec": color, "lw": 1.5}
        ax.add_patch(plt.Rectangle((left, low), columns, rows, **style))
        ax.text(left + columns / 2, low + rows / 2, name, ha="center", va="center")

    for t in range(T):
        color = display.COLORS[t]
        block(t * width, 0, width, high, color, t + 1)
        below = high - (t + 1) * width
        block(long + 1.5, below, E, width, color, t + 1)
        block(long + 1.5 + E, below, H, width, color, t + 1)
    right = long + E + H + 4.5
    block(right, 0, E, high, display.INK, "$W_x$")
    block(right + E, 0, H, high, display.INK, "$W_h$")
    ax.text(right - 1.5, high / 2, "=", ha="center", va="center", fontsize=13)
    for x, name in ((long / 2, "rows.T"), (long + 1.5 + (E + H) / 2, "seen")):
        ax.text(x, high + 0.6, name, ha="center")
    ax.text(right + (E + H) / 2, high + 0.6, "derivatives", ha="center")
    ax.text(long / 2, -0.5, "$TB$", ha="center", va="top")
    ax.text(-0.4, high / 2, "$4H$", ha="right", va="center")
    for left in (long + 1.5, right):
        y = -0.5 if left == right else high - long - 0.5
        for x, name in ((left + E / 2, "$E$"), (left + E + H / 2, "$H$")):
            ax.text(x, y, name, ha="center", va="top")
    ax.set(xlim=(-2.2, right + E + H + 0.6), ylim=(-2, high + 1.8))
    ax.axis("off")
    return fig


display.show(
    draw_product(),
    alt="A wide matrix, rows.T, 4H high, of five blocks of columns numbered 1 to 5, times "
    "a tall one, seen, of five blocks of rows with the same numbers, each of x, E wide, and "
    "of h, H wide; the result is one matrix, 4H high, with a part for W_x and one for W_h.",
    caption="All sums over the steps as one product, for five steps. Where blocks of the "
    "same number meet there is a term of the sum; the product adds the terms up.",
)


# %%
def plain(x, h, c, W_x, W_h, b):  # the same, left to autograd
    hs = []
    for x_t in x:
        i, f, g, o = (x_t @ W_x.T + h @ W_h.T + b).chunk(4, dim=1)
        c = sigm(f) * c + sigm(i) * tanh(g)
        h = sigm(o) * tanh(c)
        hs.append(h)
    return torch.stack(hs), c


class Derived(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, h_0, c_0, W_x, W_h, b):
        T, hs, cs, gates = len(x), [h_0], [c_0], []
        for t in range(T):
            i, f, g, o = (x[t] @ W_x.T + hs[-1] @ W_h.T + b).chunk(4, dim=1)
            i, f, g, o = sigm(i), sigm(f), tanh(g), sigm(o)
            cs.append(f * cs[-1] + i * g)
            hs.append(o * tanh(cs[-1]))
            gates.append(torch.stack([i, f, g, o]))
        hs, cs, gates = torch.stack(hs), torch.stack(cs), torch.stack(gates)
        ctx.save_for_backward(x, hs, cs, gates, W_x, W_h)
        return hs[1:].clone(), cs[-1].clone()

    @staticmethod
    def backward(ctx, at_h, at_c):  # ∂⁺L/∂h [T, B, H], ∂⁺L/∂c(T) [B, H]
        x, h, c, gates, W_x, W_h = ctx.saved_tensors
        T, deltas = len(x), []
        d_h, from_next = at_h[-1], at_c
        for t in range(T, 0, -1):
            i, f, g, o = gates[t - 1]
            d_o = delta_o(d_h, c[t], o)
            d_c = delta_c(d_h, c[t], o, from_next)
            d_i, d_f, d_g = (
                delta_i(d_c, g, i),
                delta_f(d_c, c[t - 1], f),
                delta_g(d_c, i, g),
            )
            deltas.append(torch.cat([d_i, d_f, d_g, d_o], dim=1))  # [B, 4H]
            from_next = d_c * f
            d_h = delta_h(at_h[t - 2] if t > 1 else 0, deltas[-1], W_h)
        rows = torch.stack(deltas[::-1]).flatten(0, 1)  # [TB, 4H]
        seen = torch.cat([x, h[:-1]], dim=2).flatten(0, 1)  # [TB, E + H]
        dW_x, dW_h = (rows.T @ seen).split([x.shape[2], h.shape[2]], dim=1)
        return delta_x(rows, W_x).view_as(x), d_h, from_next, dW_x, dW_h, rows.sum(0)


# %% tags=["check"]
def cases():
    for T, B, E, H in (*SHAPES, (25, 3, 4, 8)):
        shapes = (T, B, E), (B, H), (B, H), (4 * H, E), (4 * H, H), (4 * H,)
        tensors = [torch.randn(shape, requires_grad=True) for shape in shapes]
        at_h, at_c = torch.randn(T, B, H), torch.randn(B, H)
        both = []
        for function in (Derived.apply, plain):
            h, c = function(*tensors)
            loss = (h * at_h).sum() + (c * at_c).sum()
            both.append(torch.autograd.grad(loss, tensors))
        yield from zip(*both, strict=True)


verify.equal("eq-rnn-lstm-weights", cases(), rtol=1e-12, atol=1e-12, against="autograd")

# %% [markdown]
# ## What it is worth
#
# The function above is right, and slow: it makes a new tensor for every line. `helpers.rnn.cells.LSTM` is the same
# derivation, written for speed. The products with all $x^{(t)}$ are one product before the loop. Gates overwrite the
# $a_k$ that they come from, and every $\delta$ is written where the last product will read it. What is left inside
# the loop is one product per step and direction, and work on single entries.
#
# (It has no second derivative, and says so where `create_graph=True` asks for one.)

# %%
fast, x = LSTM(5, 7), torch.randn(9, 4, 5)
h, c = Derived.apply(x, torch.zeros(4, 7), torch.zeros(4, 7), *fast.parameters())
same = []
for states in (fast(x)[0], h):
    same.append(torch.autograd.grad(states.square().sum(), list(fast.parameters())))
print("equal gradients:", all(map(torch.allclose, *same)))

# %% [markdown]
# How many operations must any implementation spend on products? Forward, each step multiplies $B$ rows with $W_x$
# and $W_h$: $B \cdot 4H \cdot (E + H)$ multiplications, and as many additions. Backward there are two products of
# that size, for $\delta_x$ and $\delta_h$, and for the weights. In all
#
# $$
# 3 \cdot 2\, T B \cdot 4 H\, (E + H) .
# $$ (eq-rnn-lstm-work)


# %%
def work(T, B, E, H):
    return 24 * T * B * H * (E + H)


# %% tags=["check"]
def cases():
    for T, B, E, H in ((1, 1, 1, 1), (5, 3, 4, 6), (7, 2, 9, 5)):
        shapes = (T, B, E), (B, H), (B, H), (4 * H, E), (4 * H, H), (4 * H,)
        tensors = [torch.randn(shape, requires_grad=True) for shape in shapes]
        with FlopCounterMode(display=False) as counter:
            plain(*tensors)[0].sum().backward()
        yield work(T, B, E, H), counter.get_total_flops()


verify.equal("eq-rnn-lstm-work", cases(), against="PyTorch's count of operations")

# %% tags=["hide-input"]
benchmark = records.load("benchmarks", "lstm")
ROWS = {
    ("text", "float32"): "H = 1024, single precision",
    ("text", "bfloat16"): "H = 1024, bfloat16",
    ("palindromes", "float32"): "H = 128, single precision",
}
NAMES = {
    "gate_by_gate": "gate by gate, autograd",
    "pytorch": "nn.LSTM",
    "derived": "derived",
    "products": "its products alone",
}


def draw_times():
    fig, ax = plt.subplots(figsize=(4.2, 3.4))
    for group, ((size, precision), title) in enumerate(ROWS.items()):
        seconds = benchmark["metrics"][size][precision]
        for k, name in enumerate(NAMES):
            relative, y = seconds[name] / seconds["pytorch"], -group - 0.2 * k
            style = {"color": display.COLORS[k], "marker": "osD^"[k], "ls": "", "ms": 6}
            ax.plot([relative], [y], **style, label=NAMES[name] if not group else None)
            ax.plot(
                [0, relative], [y, y], color=display.COLORS[k], marker="", ls="-", lw=1
            )
        ax.text(0.02, 0.13 - group, title)
    ax.set(xlim=(0, 2), ylim=(-2.8, 0.35), yticks=[], xlabel="time, nn.LSTM = 1")
    ax.figure.legend(loc="outside upper center", ncols=2, frameon=False)
    return fig


told = "; ".join(
    f"{title}: "
    + ", ".join(f"{NAMES[name]} {1e3 * seconds[name]:.0f} ms" for name in NAMES)
    for (size, precision), title in ROWS.items()
    for seconds in [benchmark["metrics"][size][precision]]
)
display.show(
    draw_times(),
    alt=f"Time of a step of training, forward and backward. {told}.",
    caption="Time of one forward and backward pass on one thread, relative to nn.LSTM.",
)

# %% tags=["hide-input"]
display.table(
    {"": title}
    | {f"{NAMES[name]}, ms": f"{1e3 * seconds[name]:.0f}" for name in NAMES}
    | {
        "products, 10⁹ per s": f"{work(*sizes.values()) / seconds['products'] / 1e9:.0f}"
    }
    for (size, precision), title in ROWS.items()
    for seconds in [benchmark["metrics"][size][precision]]
    for sizes in [benchmark["parameters"]["sizes"][size]]
)
for (size, precision), key in zip(ROWS, ("single", "half", "small"), strict=True):
    seconds = benchmark["metrics"][size][precision]
    ratio = seconds["derived"] / seconds["pytorch"]
    display.glue(f"rnn-lstm-ratio-{key}", f"{ratio:.2f}")
    share = seconds["products"] / seconds["derived"]
    display.glue(f"rnn-lstm-share-{key}", f"{100 * share:.0f} %")
    gain = seconds["gate_by_gate"] / seconds["derived"]
    display.glue(f"rnn-lstm-gain-{key}", f"{gain:.1f}")
    display.glue(
        f"rnn-lstm-floor-{key}", f"{seconds['products'] / seconds['pytorch']:.2f}"
    )
machine = benchmark["provenance"]
display.glue("rnn-lstm-machine", f"{machine['processor']}, {machine['date'][:10]}")

# %% [markdown]
# Processor time on one thread of {glue:text}`rnn-lstm-machine`, the shortest of several turns (`make benchmark` wrote
# the {doc}`record </appendix/records>`). The derived form takes {glue:text}`rnn-lstm-ratio-single` times as long as
# `nn.LSTM` for $H = 1024$ in single precision, {glue:text}`rnn-lstm-ratio-half` times under autocast to bfloat16, and
# {glue:text}`rnn-lstm-ratio-small` times for $H = 128$.
#
# **What bounds it.** The products alone are {glue:text}`rnn-lstm-share-single`, {glue:text}`rnn-lstm-share-half` and
# {glue:text}`rnn-lstm-share-small` of its time, and {glue:text}`rnn-lstm-floor-single`,
# {glue:text}`rnn-lstm-floor-half` and {glue:text}`rnn-lstm-floor-small` times that of *all* of `nn.LSTM`. Where this
# number is above 1, no better work on single entries could catch up: `nn.LSTM` calls the recurrent layer of another
# library, oneDNN, with matrix products of its own, and they are faster on that processor than those of `torch.mm`.
#
# **What the derivation saves.** Against `GateByGate`, the twelve parameters of {doc}`lstm` left to autograd, it is
# {glue:text}`rnn-lstm-gain-single`, {glue:text}`rnn-lstm-gain-half` and {glue:text}`rnn-lstm-gain-small` times as
# fast. That is less than one might hope, and {eq}`eq-rnn-lstm-work` says why: both do the same multiplications. What
# is saved is the rest: a product per weight and step with a sum over steps after it, a node of the graph for each
# operation, and a new tensor for each result.

# %% [markdown]
# ## What was shown
#
# - Eight lines lead back: {eq}`eq-rnn-lstm-delta-o` to {eq}`eq-rnn-lstm-weights`, each a product of what is known from
#   the way forward with what is known from the step after.
# - A gate learns only where there is something for it to hold back: an input gate from $g$, a forget gate from
#   $c^{(t-1)}$, an output gate from $\tanh c$.
# - The weights can wait until all steps are done: one product holds the sums over all of them.
# - What it costs is products, {eq}`eq-rnn-lstm-work`. They bound the derived form, and autograd has to do them too.
#
# ## Exercises

# %% [markdown]
# :::{exercise} One gate for two
# :label: ex-rnn-lstm-coupled
# Couple the gates, $i = 1 - f$: what is forgotten makes room for what is written, and
# $c^{(t)} = f \odot c^{(t-1)} + (1 - f) \odot g$. Which bound takes the place of {eq}`eq-rnn-lstm-bound`? Derive
# $\delta_f$, and write `coupled_delta_f(delta_c, c_before, g, f)`.
# :::

# %% [markdown] tags=["solution"]
# :::{solution-start} ex-rnn-lstm-coupled
# :class: dropdown
# :::
# Now $c$ is a mean of its old value and of $g$ with the weights $f$ and $1 - f$, so it stays between the two: once in
# $(-1, 1)$ it never leaves. It cannot count any more. $f$ enters twice, and $\partial c / \partial f = c^{(t-1)} - g$;
# with the slope of $f$, $\delta_f = \delta_c \odot (c^{(t-1)} - g) \odot f \odot (1 - f)$. A quarter of the weights
# is saved.


# %% tags=["solution"]
def coupled_delta_f(delta_c, c_before, g, f):
    return delta_c * (c_before - g) * slope_sigm(f)


# %% [markdown] tags=["solution"]
# :::{solution-end}
# :::

# %%
exercises.check("rnn/lstm_backward/coupled_delta_f", coupled_delta_f)

# %% [markdown]
# :::{exercise} A peephole
# :label: ex-rnn-lstm-peephole
# Let the output gate look at the cell: $a_o^{(t)} = W_{ox}\, x^{(t)} + W_{oh}\, h^{(t-1)} + b_o + w \odot c^{(t)}$
# with one more weight per cell, $w \in \mathbb{R}^H$. Which of the lines change? Write `peephole_delta_c(delta_h, c,
# o, w, from_next)`, with $c$, $o$ and $\delta_h$ of step $t$, all `[B, H]`, and `from_next` as in `delta_c`.
# :::

# %% [markdown] tags=["solution"]
# :::{solution-start} ex-rnn-lstm-peephole
# :class: dropdown
# :::
# $\delta_o$ does not: $a_o$ still enters $h$ alone. But $c^{(t)}$ now goes a third way, into $a_o$ with the factor
# $w$, so $w \odot \delta_o^{(t)}$ is added to $\delta_c^{(t)}$. And $w$ gets the sum of $\delta_o^{(t)} \odot
# c^{(t)}$ over steps and samples.


# %% tags=["solution"]
def peephole_delta_c(delta_h, c, o, w, from_next):
    return delta_c(delta_h, c, o, from_next) + w * delta_o(delta_h, c, o)


# %% [markdown] tags=["solution"]
# :::{solution-end}
# :::

# %%
exercises.check("rnn/lstm_backward/peephole_delta_c", peephole_delta_c)

# %% [markdown]
# :::{exercise} Nothing is learned where nothing passes
# :label: ex-rnn-lstm-closed
# An output gate is at 0, exactly, for all steps but the last. Which of the $\delta$ of earlier steps are zero, and
# which are not? What if instead the forget gate is 0 at one step $s$, exactly? Why does a trained network not get
# stuck in such a place as soon as a gate closes?
# :::

# %% [markdown] tags=["solution"]
# :::{solution-start} ex-rnn-lstm-closed
# :class: dropdown
# :::
# *Output gate closed.* $\delta_o = 0$ there, by its slope $o (1 - o)$, and nothing of $\delta_h$ reaches $c$ at that
# step. But $\delta_c^{(t+1)} \odot f^{(t+1)}$ does: $i$, $f$ and $g$ of earlier steps learn from the last one.
#
# *Forget gate closed at $s$.* Nothing comes along the cell from steps $s$ and later into $c^{(s-1)}$, and
# $\delta_f^{(s)} = 0$ too. What was kept before can only be blamed by way of $h$, through $W_h$.
#
# A sigmoid is never 0 but for rounding: at $a = -4$ the slope is still 0.018, so a closed gate learns slowly, and
# learns. A gate that computed $\max(0, a)$ would have the slope 0 wherever it is closed.
#
# :::{solution-end}
# :::

# %% [markdown]
# :::{exercise} What must be kept
# :label: ex-rnn-lstm-kept
# Which numbers of the way forward do the eight lines need, per step, sample and cell? `helpers.rnn.cells.LSTM` keeps
# seven. Which one could it compute again at little cost, and how would you go on if memory, not time, were short?
# :::

# %% [markdown] tags=["solution"]
# :::{solution-start} ex-rnn-lstm-kept
# :class: dropdown
# :::
# $i$, $f$, $g$ and $o$; $c^{(t-1)}$ and $\tanh c^{(t)}$; and $h^{(t-1)}$ for the weights. That makes seven, with $c$
# and $h$ kept once for all steps, and the inputs $x$ besides. $\tanh c$ follows from $c$ with one function call, so
# six are enough, and $h = o \odot \tanh c$ follows from those: five. To save more, keep $h$ and $c$ of every $m$-th
# step only, and run each stretch of $m$ steps forward again before going back through it: one more way forward, for
# about $m$ times less memory at first.
#
# :::{solution-end}
# :::

# %% [markdown]
# ## Further reading
#
# - {cite:t}`greff2017odyssey` print all of these derivatives, with peepholes for all three gates.
# - {cite:t}`gers2000forget` derive theirs for a backward pass that is cut where it leaves a cell.
