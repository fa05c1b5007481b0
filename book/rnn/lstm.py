# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

# %% [markdown]
# # What a cell keeps
#
# A plain recurrent network computes its whole state anew at every step; what it wants to remember, it must carry
# through a matrix and a $\tanh$ each time. How can a network hold a number for as long as it likes, let it go when it
# likes, and still be trained through all of these steps?
#
# A cell of a *long short-term memory*, an LSTM, keeps one number $c$ beside its output $h$. Three gates, each open (1)
# or closed (0), say whether a new number is let in, whether the old one stays, and whether it is shown. Here somebody
# opens and closes them by hand.

# %% tags=["parameters"]
profile = "smoke"
seed = 0

# %% tags=["set-up"]
from helpers import display, exercises, parameters, verify
from helpers.rnn.cells import lstm_parameter_count

import matplotlib.pyplot as plt
import numpy as np
import torch
from torch import nn

parameters.check(globals(), profile=("smoke", "full"), seed=range(2**31))
display.use_book_style()
torch.manual_seed(seed)
torch.set_default_dtype(torch.float64)


# %% tags=["hide-input"]
def draw_by_hand(closes, T=20):
    t = np.arange(1, T + 1)
    g = 0.9 * np.cos(1.3 * (t - 3))  # what is offered
    gates = {"$i$": t == 3, "$f$": t != closes, "$o$": (t == 8) | (t == 16)}
    i, f, o = (gate.astype(float) for gate in gates.values())
    c = np.zeros(T + 1)
    for n in range(T):
        c[n + 1] = f[n] * c[n] + i[n] * g[n]
    h = o * np.tanh(c[1:])
    figures, axes = display.panels((3.4, 2.2), (3.4, 2.6))
    for row, gate in enumerate(gates.values()):
        for is_open, face in ((True, display.COLORS[0]), (False, "none")):
            at = t[gate == is_open]
            style = {"color": display.COLORS[0], "mfc": face, "marker": "s", "ms": 5}
            axes[0].plot(at, np.full(len(at), -row), ls="", **style)
    axes[0].set(yticks=[0, -1, -2], yticklabels=gates, ylim=(-2.7, 0.7), xlabel="step")
    axes[0].set(title="gates: filled is open")
    axes[0].grid(False)
    axes[1].plot(t, g, color=display.INK, ls=":", marker="", label="$g$, offered")
    axes[1].plot(t, c[1:], color=display.COLORS[0], marker="o", label="$c$, kept")
    axes[1].plot(t, h, color=display.COLORS[1], ls="--", marker="^", label="$h$, shown")
    axes[1].set(xlabel="step", ylim=(-1.1, 1.1))
    axes[1].figure.legend(loc="outside upper center", ncols=3, frameon=False)
    for ax in axes:
        ax.set(xticks=range(0, T + 1, 4))
    return figures


display.slider(
    draw_by_hand,
    range(4, 20, 2),
    label="the forget gate closes at step",
    alt=lambda closes: (
        "Twenty steps of one cell. The input gate is open at step 3 and lets 0.9 in; the "
        f"forget gate is open except at step {closes}: until then the cell keeps 0.9, "
        "from "
        "then on 0. The output gate is open at steps 8 and 16, and shows "
        + ("0.72 both times." if closes > 16 else "")
        + ("0.72 at the first, 0 at the second." if 8 < closes <= 16 else "")
        + ("0 both times." if closes <= 8 else "")
    ),
    caption="Each step offers the cell a number g. One is let in, at step 3. It stays "
    "until the forget gate closes; whether it is seen, the output gate decides.",
    start=12,
)

# %% [markdown]
# ## One cell, by hand
#
# Each step makes a new $c$ out of the old one, as $f c + i g$, and then shows $h = o \tanh c$. Start from $c = 0$.
#
# 1. *Write*: $i = 1$ and $g = 0.8$. So $c = 1 \cdot 0 + 1 \cdot 0.8 = 0.8$; with $o = 0$, $h = 0$.
# 2. *Keep*: $i = 0$, so whatever is offered stays outside, and $f = 1$. So $c = 1 \cdot 0.8 + 0 = 0.8$.
# 3. *Forget half*: $f = 0.5$, $c = 0.4$. Gates need not be fully open or fully closed.
# 4. *Read*: $o = 1$, $h = \tanh 0.4 = 0.38$.

# %%
c = 0.0
for f, i, g, o in ((1, 1, 0.8, 0), (1, 0, -0.5, 0), (0.5, 0, 0.3, 0), (1, 0, 0.9, 1)):
    c = f * c + i * g
    h = o * np.tanh(c)
    print(f"f = {f:<3}  i = {i}  g = {g:4}  o = {o}    c = {c:.2f}  h = {h:.2f}")

# %% [markdown]
# ## Who moves the gates
#
# The network does, at every step, by what it sees and by what it showed last. With $x^{(t)} \in \mathbb{R}^{E}$ the
# input and $h^{(t-1)} \in \mathbb{R}^{H}$ the last output of all $H$ cells, each $k \in \{i, f, g, o\}$ has two
# matrices and a bias of its own,
#
# $$
# a_k^{(t)} = W_{kx}\, x^{(t)} + W_{kh}\, h^{(t-1)} + b_k ,
# $$ (def-rnn-lstm-linear)
#
# and then its non-linearity, entry by entry. With $\operatorname{sigm}(a) = 1 / (1 + e^{-a})$,
#
# $$
# \begin{gathered}
# i^{(t)} = \operatorname{sigm}(a_i^{(t)}) , \quad f^{(t)} = \operatorname{sigm}(a_f^{(t)}) , \\
# o^{(t)} = \operatorname{sigm}(a_o^{(t)}) , \quad g^{(t)} = \tanh(a_g^{(t)}) .
# \end{gathered}
# $$ (def-rnn-lstm-gates)


# %% tags=["hide-input"]
def draw_two_functions():
    figures, axes = display.panels((3.4, 2.7), (3.4, 2.7))
    a = torch.linspace(-6, 6, 121)
    told = (
        (torch.sigmoid(a), "sigm: $i$, $f$, $o$", {1: "open, 1", 0: "closed, 0"}),
        (torch.tanh(a), "tanh: $g$", {1: "up, 1", -1: "down, −1"}),
    )
    for k, (ax, (value, title, ends)) in enumerate(zip(axes, told, strict=True)):
        ax.plot(a, value, color=display.COLORS[k], ls="-", marker="", lw=2)
        for end, name in ends.items():
            ax.axhline(end, color=display.INK, ls=":", lw=1)
            side = {"x": -5.8, "ha": "left"} if end == 1 else {"x": 5.8, "ha": "right"}
            ax.text(y=end - 0.09, s=name, va="top" if end == 1 else "bottom", **side)
        ax.set(ylim=(-1.15, 1.15), xlim=(-6, 6), xlabel="$a$", title=title)
        ax.set(xticks=[-4, 0, 4], yticks=[-1, 0, 1])
    for text in axes[0].texts[1:] + axes[1].texts[1:]:
        text.set_y(text.get_position()[1] + 0.14)
    return figures


display.show(
    draw_two_functions(),
    alt="Left, sigm rises from 0, closed, to 1, open, and is one half at 0. Right, tanh "
    "rises from −1, down, to 1, up, and is 0 at 0, where it is four times as steep.",
    caption="What a gate says is a share, from closed to open. What a candidate says is "
    "a step, down or up.",
)

# %% [markdown]
# The *input*, *forget* and *output* gates are open or closed; the *candidate* $g$ is what they act upon. (The
# assignment calls it an "input modulation gate", and so counts four gates; see the {doc}`errata </appendix/errata>`.)
# The rest is what you have done by hand:
#
# $$
# c^{(t)} = f^{(t)} \odot c^{(t-1)} + i^{(t)} \odot g^{(t)} , \qquad
# h^{(t)} = o^{(t)} \odot \tanh c^{(t)} .
# $$ (def-rnn-lstm-state)
#
# These are equations 8 to 13 of the assignment, and the code is no longer than they are. As it asks, all weights start
# uniform in $\pm 1/\sqrt{H}$, and 1 is added to the bias of the forget gate. In a batch each sample is a row, so
# $W x$ becomes `x @ W.T`.


# %%
class GateByGate(nn.Module):
    def __init__(self, E, H):
        super().__init__()
        self.weights = nn.ParameterDict()
        for k in "ifgo":
            shapes = {f"W_{k}x": (H, E), f"W_{k}h": (H, H), f"b_{k}": (H,)}
            for name, shape in shapes.items():
                uniform = torch.empty(shape).uniform_(-(H**-0.5), H**-0.5)
                self.weights[name] = nn.Parameter(uniform)
        with torch.no_grad():
            self.weights["b_f"] += 1

    def linear(self, k, x, h):  # a_k [B, H]
        W_x, W_h, b = (self.weights[name] for name in (f"W_{k}x", f"W_{k}h", f"b_{k}"))
        return x @ W_x.T + h @ W_h.T + b

    def forward(self, x, h, c):  # [T, B, E], [B, H], [B, H] → h [T, B, H], c [B, H]
        states = []
        for x_t in x:
            i = torch.sigmoid(self.linear("i", x_t, h))
            f = torch.sigmoid(self.linear("f", x_t, h))
            g = torch.tanh(self.linear("g", x_t, h))
            o = torch.sigmoid(self.linear("o", x_t, h))
            c = f * c + i * g
            h = o * torch.tanh(c)
            states.append(h)
        return torch.stack(states), c


# %% [markdown]
# Four products with $x^{(t)}$ and four with $h^{(t-1)}$ can be had in two. Put the matrices below one another, in any
# order; PyTorch's is $i, f, g, o$:
#
# $$
# \begin{gathered}
# \begin{bmatrix} a_i \\ a_f \\ a_g \\ a_o \end{bmatrix}^{(t)} = W_x\, x^{(t)} + W_h\, h^{(t-1)} + b , \\
# W_x \in \mathbb{R}^{4H \times E} , \; W_h \in \mathbb{R}^{4H \times H} , \; b \in \mathbb{R}^{4H} .
# \end{gathered}
# $$ (eq-rnn-lstm-stacked)
#
# `nn.LSTM` keeps its weights so, under the names `weight_ih_l0` and `weight_hh_l0`. It has *two* biases, `bias_ih_l0`
# and `bias_hh_l0`, of which only the sum matters. With these weights the two networks are one.


# %%
def stacked(cell):  # W_x [4H, E], W_h [4H, H], b [4H]
    parts = ([f"W_{k}x", f"W_{k}h", f"b_{k}"] for k in "ifgo")
    columns = zip(
        *([cell.weights[name] for name in names] for names in parts), strict=True
    )
    return tuple(torch.cat(column).detach() for column in columns)


# %% tags=["hide-input"]
def draw_stacked(E=3, H=5):
    fig, ax = plt.subplots(figsize=(4.2, 3.5))
    parts = (  # name, left edge, columns
        ("$a$", 0, 1), ("$W_x$", 3.2, E), ("$x$", 7, 1),
        ("$W_h$", 10.2, H), ("$h$", 16, 1), ("$b$", 19.2, 1),
    )  # fmt: skip
    for name, left, columns in parts:
        tall = name not in ("$x$", "$h$")
        rows = E if name == "$x$" else H
        for k in range(4 if tall else 1):
            color = display.COLORS[k] if tall else display.INK
            style = {"ec": color, "lw": 1.5, "fc": (color, 0.25 if tall else 0)}
            low = (3 - k) * H if tall else 4 * H - rows
            box = (left, low + 0.15), columns, (H if tall else rows) - 0.3
            ax.add_patch(plt.Rectangle(*box, **style))
            if tall:
                at = left + columns / 2, low + H / 2
                ax.text(*at, f"${'ifgo'[k]}$", ha="center", va="center")
        ax.text(left + columns / 2, 4 * H + 0.6, name, ha="center")
    for sign, x in (("=", 2.1), ("+", 9.1), ("+", 18.1)):
        ax.text(x, 2 * H, sign, ha="center", va="center", fontsize=13)
    for left, columns, name in ((3.2, E, "$E$"), (10.2, H, "$H$")):
        ax.text(left + columns / 2, -0.4, name, ha="center", va="top")
    ax.text(-0.4, 2 * H, "$4H$", ha="right", va="center")
    ax.set(xlim=(-2.2, 20.6), ylim=(-2, 4 * H + 2.2))
    ax.axis("off")
    return fig


display.show(
    draw_stacked(),
    alt="A column a of four blocks, i, f, g and o, equals a matrix W_x of the same four "
    "blocks, 4H high and E wide, times the column x, plus such a matrix W_h, 4H high and H "
    "wide, times the column h, plus a column b of four blocks.",
    caption="Eight matrices in two. Each block of rows makes the a of its own gate or "
    "candidate, from the same x and h.",
)


# %% tags=["check"]
def cases():
    for T, B, E, H in ((1, 1, 1, 1), (5, 3, 2, 4), (9, 2, 5, 3)):
        cell, theirs = GateByGate(E, H), nn.LSTM(E, H)
        W_x, W_h, b = stacked(cell)
        part = torch.rand_like(b)  # of the bias, goes to the first of two
        weights = (W_x, W_h, b * part, b * (1 - part))
        theirs.load_state_dict(dict(zip(theirs.state_dict(), weights, strict=True)))
        x, h, c = torch.randn(T, B, E), torch.randn(B, H), torch.randn(B, H)
        ours = cell(x, h, c)
        states, (_, c_T) = theirs(x, (h[None], c[None]))
        yield ours[0], states
        yield ours[1], c_T[0]


verify.equal("eq-rnn-lstm-stacked", cases(), atol=1e-12, against="nn.LSTM")

# %% [markdown]
# ## Why these non-linearities
#
# The range of $\operatorname{sigm}$ is the open interval $(0, 1)$, and that of $\tanh$ is $(-1, 1)$. A number between
# 0 and 1 is a *share*: of the old value that stays, of the new one that enters, of $\tanh c$ that is shown. A number
# between $-1$ and $1$ is a *step*, up or down. So in one step $|c|$ is first multiplied by less than 1, then changed
# by less than 1:
#
# $$
# \begin{gathered}
# \big| c^{(t)} \big| \le f^{(t)} \big| c^{(t-1)} \big| + i^{(t)} \big| g^{(t)} \big| < \big| c^{(t-1)} \big| + 1 , \\
# \text{so} \qquad \big| c^{(t)} \big| < \big| c^{(0)} \big| + t .
# \end{gathered}
# $$ (eq-rnn-lstm-bound)
#
# A cell can count, and it cannot run away. With open gates and $g$ near 1 it does come near $c^{(0)} + t$, so it is
# not true that the $\tanh$ of $g$ keeps $c$ small, as the report has it: that is what $f < 1$ may do.
#
# Change one non-linearity at a time, and see what breaks. The function below is the same network with the stacked
# weights, and any three functions in place of $\operatorname{sigm}$, of the $\tanh$ of $g$ and of the $\tanh$ of $c$.

# %%
sigm, tanh = torch.sigmoid, torch.tanh


def run(x, h, c, W_x, W_h, b, gate=sigm, candidate=tanh, shown=tanh):
    hs, cs = [], []
    for x_t in x:
        a_i, a_f, a_g, a_o = (x_t @ W_x.T + h @ W_h.T + b).chunk(4, dim=1)  # [B, H]
        c = gate(a_f) * c + gate(a_i) * candidate(a_g)
        h = gate(a_o) * shown(c)
        hs.append(h)
        cs.append(c)
    return torch.stack(hs), torch.stack(cs)  # [T, B, H] each


# %% tags=["hide-input"]
VARIANTS = {
    "as it is": {},
    "gates: ReLU": {"gate": torch.relu},
    "gates: tanh": {"gate": tanh},
    "g: sigmoid": {"candidate": sigm},
    "g: ReLU": {"candidate": torch.relu},
    "h: no tanh of c": {"shown": lambda c: c},
}
SEEDS, STEPS = 20, 60


def experiment(E=8, H=32):  # name → |c| and c and |h| [seeds, T, B, H]
    draw = torch.Generator().manual_seed(seed)
    told = {name: [] for name in VARIANTS}
    for _ in range(SEEDS):
        shapes = (4 * H, E), (4 * H, H), (4 * H,)
        weights = [3 * (2 * torch.rand(s, generator=draw) - 1) / H**0.5 for s in shapes]
        weights[2][H : 2 * H] += 1
        x, zero = torch.randn(STEPS, 4, E, generator=draw), torch.zeros(4, H)
        for name, other in VARIANTS.items():
            told[name].append(torch.stack(run(x, zero, zero, *weights, **other)))
    return {name: torch.stack(runs) for name, runs in told.items()}


outcomes = experiment()


def draw_variants():
    fig, ax = plt.subplots(figsize=(4.2, 3.2))
    for name in ("as it is", "gates: ReLU", "gates: tanh", "g: ReLU"):
        largest = outcomes[name][:, 1].abs().amax(dim=(2, 3))  # [seeds, T]
        middle = largest.median(dim=0).values
        ax.semilogy(1 + np.arange(STEPS), middle.clamp(max=1e12), markevery=6)
        ax.lines[-1].set_label(name)
    ax.set(
        xlabel="step",
        ylabel="largest $|c|$",
        ylim=(0.1, 1e12),
        yticks=10.0 ** np.arange(0, 13, 3),
    )
    ax.figure.legend(loc="outside upper center", ncols=2, frameon=False)
    return fig


display.show(
    draw_variants(),
    alt="Largest size of a cell against the step, on a logarithmic scale. As it is, and "
    "with tanh for the gates, it stays in the low units; with ReLU for the gates it "
    "leaves the picture within a few dozen steps.",
    caption="Where a gate may be larger than 1, what is kept grows at every step. "
    f"Medians over {SEEDS} random networks of 32 cells, three times as large as at the "
    "start of training, on random inputs.",
)


# %% tags=["hide-input"]
def summary():
    for name, (h, c) in ((name, runs.unbind(1)) for name, runs in outcomes.items()):
        flips = (c[:, 1:] * c[:, :-1] < 0).double().mean()
        big = [v.abs().amax(dim=(1, 2, 3)).median().item() for v in (c, h)]
        words = [f"{b:.1f}" if b < 1e4 else "> 10,000" for b in big]
        yield {"": name, "largest |c|": words[0], "largest |h|": words[1]} | {
            "c below 0": f"{100 * (c < 0).double().mean():.0f} %",
            "sign changes per step": f"{100 * flips:.0f} %",
        }


display.table(summary())


# %% tags=["check"]
def within_the_bound():
    for T, B, E, H in ((1, 1, 1, 1), (8, 3, 2, 5), (40, 2, 3, 16)):
        for scale in (0.1, 1, 30):
            cell = nn.LSTM(E, H)
            for weight in cell.parameters():
                nn.init.normal_(weight, std=scale)
            state = torch.zeros(1, B, H), torch.randn(1, B, H)
            for t in range(1, T + 1):
                _, (_, c) = cell(torch.randn(t, B, E), state)
                # ≤, since a gate that is nearly 1 is rounded to 1
                yield bool((c.abs() <= state[1].abs() + t + 1e-12).all())
    # tight: with open gates and g near 1, nothing smaller than t would do
    cell = nn.LSTM(1, 1)
    for weight in cell.parameters():
        nn.init.constant_(weight, 0.0)
    cell.bias_ih_l0.data[:] = 12.0
    _, (_, c) = cell(torch.zeros(50, 1, 1), (torch.zeros(1, 1, 1), torch.ones(1, 1, 1)))
    yield 50.98 < c.item() < 51


told = list(within_the_bound())
verify.holds("eq-rnn-lstm-bound", all(told), against="nn.LSTM", cases=len(told))

# %% [markdown]
# - **Gates.** With ReLU a forget gate may be 3, and a value that is kept for ten steps is multiplied by $3^{10}$.
#   With $\tanh$ it may be negative: then "keeping" turns the sign of what is kept, and the sign of $c$ changes more
#   often. The sigmoid also has two flat ends, so a gate that is open or closed stays so when its input changes a
#   little.
# - **The candidate.** With a sigmoid or a ReLU nothing negative is ever written: $c$ cannot step down, it can only
#   be forgotten. Every $c$ is at least 0, as the fourth column says. $\tanh$ writes in both directions.
# - **The output.** $c$ may be as large as the number of steps. $\tanh c$ brings it into $(-1, 1)$ before it meets the
#   matrices $W_{kh}$; without it $h$ is as large as $c$.

# %% [markdown]
# :::{exercise} The purpose of each gate
# :label: ex-rnn-lstm-gates
# For each of $i$, $f$, $g$ and $o$ say in a few sentences what it is for and why its non-linearity suits it. Which of
# them is no gate? And would $\operatorname{sigm}$ still do for all three gates if its range were $(0, 2)$?
# :::

# %% [markdown] tags=["solution"]
# :::{solution-start} ex-rnn-lstm-gates
# :class: dropdown
# :::
# *Input gate* $i$: which share of the new number enters each cell. A share lies between 0 and 1, hence
# $\operatorname{sigm}$: near 0 the cell is shielded from its input, near 1 it is written to.
#
# *Forget gate* $f$: which share of the old number stays. Between 0 and 1 again: above 1 memories would grow without
# end, below 0 they would change sign. Near 1 it keeps the value, and the gradient with it.
#
# *Output gate* $o$: which share of $\tanh c$ the rest of the network sees. A cell can keep something that does not
# matter yet without disturbing the others, and the share is a $\operatorname{sigm}$ for the same reasons.
#
# *Candidate* $g$: the new number itself, so it is no gate: it is not a share of anything, and it may be negative.
# $\tanh$ is centred at 0, so that writing can lower $c$ as well as raise it, and bounded, so that one step cannot
# change $c$ by 1 or more. It does not keep $c$ small: many steps of nearly 1 add up, {eq}`eq-rnn-lstm-bound`.
#
# With the range $(0, 2)$, $i$ and $o$ would only be scaled, and the weights around them can make up for it. $f$ would
# not do: at 1.1 for a hundred steps, $c$ is multiplied by $1.1^{100} \approx 14{,}000$.
#
# :::{solution-end}
# :::

# %% [markdown]
# ## Counting the weights
#
# Each of the four has a matrix of $H \times E$, one of $H \times H$ and a bias of $H$. With the assignment's names,
# $N_\text{input} = E$ and $N_\text{hidden} = H$, that is for the cell alone, equations 8 to 13, and with the linear
# map to $N_\text{output}$ scores, its equation 14:
#
# $$
# \begin{aligned}
# n_\text{cell} &= 4 \left( N_\text{hidden} N_\text{input} + N_\text{hidden}^2 + N_\text{hidden} \right) , \\
# n_\text{all} &= n_\text{cell} + N_\text{output} N_\text{hidden} + N_\text{output} .
# \end{aligned}
# $$ (eq-rnn-lstm-count)
#
# The sequence length is not in it: the same weights serve every step. `nn.LSTM` says $4 N_\text{hidden}$ more, its
# second bias.


# %%
def count(N_input, N_hidden, N_output=None):
    n_cell = 4 * (N_hidden * N_input + N_hidden**2 + N_hidden)
    return n_cell + (0 if N_output is None else N_output * N_hidden + N_output)


for E, H, K in ((1, 128, 10), (256, 1024, 87)):
    print(f"E = {E}, H = {H}: {count(E, H):,}; with {K} scores {count(E, H, K):,}")


# %% tags=["hide-input"]
def draw_counts():
    figures, axes = display.panels((3.4, 3.6), (3.4, 3.6))
    for ax, (E, H, K) in zip(axes, ((1, 128, 10), (256, 1024, 87)), strict=True):
        gap, low = 0.35 * H, -0.5 * H - K
        blocks = (  # name, left, bottom, columns, rows
            ("$W_x$", 0, 0, E, 4 * H), ("$W_h$", E + gap, 0, H, 4 * H),
            ("$b$", E + 2 * gap + H, 0, 1, 4 * H), ("scores", E + gap, low, H, K),
        )  # fmt: skip
        for k, (name, left, bottom, columns, rows) in enumerate(blocks):
            color, size = display.COLORS[k], columns * rows
            style = {"fc": (color, 0.25), "ec": color, "lw": 1.5}
            ax.add_patch(plt.Rectangle((left, bottom), columns, rows, **style))
            side = {"x": E + 2 * gap + 1.25 * H, "y": 3.6 * H - 0.95 * k * H}
            if name == "scores":
                side["y"], size = low + K / 2, size + K
            else:
                ax.text(left + columns / 2, 4.1 * H, name, ha="center")
            ax.text(s=f"{name}\n{size:,}", va="center", **side)
        ax.set(xlim=(-0.1 * H, 3.6 * H), ylim=(low - 0.4 * H, 4.5 * H), aspect="equal")
        ax.set_title(f"$E$ = {E}, $H$ = {H:,}")
        ax.axis("off")
    return figures


display.show(
    draw_counts(),
    alt="The weights of two networks as rectangles, each network to its own scale. Left, "
    "E = 1, H = 128, 10 scores: W_x is a line with 512 weights, W_h has 65,536, b 512, the "
    "scores 1,290. Right, E = 256, H = 1,024, 87 scores: W_x is a quarter as wide as W_h, "
    "1,048,576 against 4,194,304; b has 4,096, the scores 89,175.",
    caption="The blocks to scale, an area for each number of weights. Most are in the "
    "matrix that leads from the last output to the gates.",
)


# %% tags=["check"]
def cases():
    def size(*modules):
        return sum(p.numel() for module in modules for p in module.parameters())

    for E in (1, 2, 7, 30):
        for H in (1, 3, 16):
            cell, theirs = GateByGate(E, H), nn.LSTM(E, H)
            yield count(E, H), size(cell)
            yield count(E, H), size(theirs) - 4 * H
            yield count(E, H), lstm_parameter_count(E, H)
            for K in (1, 5, 10):
                yield count(E, H, K), size(cell, nn.Linear(H, K))


verify.equal("eq-rnn-lstm-count", cases(), against="the modules themselves")

# %% [markdown]
# :::{exercise} How many parameters
# :label: ex-rnn-lstm-count
# Write `parameter_count(N_input, N_hidden, N_output, layers)` for an LSTM of several layers, in which each layer reads
# the $h$ of the one below it, with a linear map from the highest $h$ to $N_\text{output}$ scores. With one layer it
# answers the assignment's question; with two and $N_\text{hidden} = 128$ it counts the report's network for text.
# :::

# %% [markdown] tags=["solution"]
# :::{solution-start} ex-rnn-lstm-count
# :class: dropdown
# :::
# The lowest layer has $N_\text{input}$ inputs, every other one $N_\text{hidden}$. Each has one bias per gate and cell,
# as in {eq}`eq-rnn-lstm-count`. The report's own formula stops at the cell, $4(nd + n^2 + n)$, which is right for one
# layer without the scores.


# %% tags=["solution"]
def parameter_count(N_input, N_hidden, N_output, layers):
    lowest = 4 * (N_hidden * N_input + N_hidden**2 + N_hidden)
    higher = 4 * (2 * N_hidden**2 + N_hidden)
    return lowest + (layers - 1) * higher + N_output * N_hidden + N_output


# %% [markdown] tags=["solution"]
# :::{solution-end}
# :::

# %%
exercises.check("rnn/lstm/parameter_count", parameter_count)

# %% [markdown]
# ## The straight path
#
# What does $c^{(t)}$ keep of $c^{(t-1)}$? There are two ways from one to the other: straight, through the product
# with $f^{(t)}$; and around, since $h^{(t-1)}$ depends on $c^{(t-1)}$ and moves the gates of step $t$. Hold
# $h^{(t-1)}$ fixed, which we write $\partial^+$, and only the first is left: by {eq}`def-rnn-lstm-state`, entry $k$
# of $c^{(t)}$ is $f_k$ times entry $k$ of $c^{(t-1)}$ plus something fixed. Over $n$ steps the factors multiply:
#
# $$
# \begin{gathered}
# \frac{\partial^+ c^{(t)}}{\partial c^{(t-1)}} = \operatorname{diag} f^{(t)} , \\
# \frac{\partial^+ c^{(t)}}{\partial c^{(t-n)}}
# = \operatorname{diag} \big( f^{(t-n+1)} \odot \dots \odot f^{(t)} \big) .
# \end{gathered}
# $$ (eq-rnn-lstm-direct)
#
# In a plain network the same place is taken by $\operatorname{diag}(1 - h^2)\, W_{hh}$, a product of matrices that
# shrinks or grows as the weights happen to be. Here there is no matrix and no slope. No factor is above 1, so this
# path never explodes; how fast it fades, the network decides step by step, by its forget gate.


# %%
def straight(f):  # forget gates [n, H] of n steps → [H, H]
    return torch.diag(f.prod(dim=0))


# %% tags=["check"]
def cases():
    for n, E, H in ((1, 2, 3), (4, 3, 5), (12, 2, 4)):
        cell = GateByGate(E, H)
        x, h = torch.randn(n, 1, E), torch.randn(n, 1, H)  # h: whatever it was, fixed

        def c_after(c, steps=(cell, x, h)):
            cell, x, h = steps
            for x_t, h_t in zip(x, h, strict=True):
                _, c = cell(x_t[None], h_t, c)
            return c

        f = torch.sigmoid(cell.linear("f", x, h))[:, 0]
        jacobian = torch.autograd.functional.jacobian(c_after, torch.randn(1, H))
        yield straight(f), jacobian[0, :, 0]


verify.equal(
    "eq-rnn-lstm-direct", cases(), atol=1e-12, against="autograd, h held fixed"
)

# %% [markdown]
# How much of a gradient arrives $n$ steps back? Below a random gradient at step 60 is carried back through networks as
# they are at the start of training: through a plain one; through the LSTM by all paths; and along the straight one
# alone. Change the bias of the forget gate.


# %%
def carried_back(
    bias, network_seed, T=60, E=16, H=64
):  # three curves [T], step T first
    draw = torch.Generator().manual_seed(network_seed)

    def uniform(*shape):
        return (2 * torch.rand(shape, generator=draw) - 1) / H**0.5

    W_x, W_h, b = uniform(4 * H, E), uniform(4 * H, H), uniform(4 * H)
    b[H : 2 * H] += bias
    x, seen = torch.randn(T, 1, E, generator=draw), torch.randn(1, H, generator=draw)
    h = c = plain = torch.zeros(1, H, requires_grad=True)
    cells, plains, gates = [c], [plain], []
    for x_t in x:
        i, f, g, o = (x_t @ W_x.T + h @ W_h.T + b).chunk(4, dim=1)
        c = sigm(f) * c + sigm(i) * tanh(g)
        h = sigm(o) * tanh(c)
        plain = tanh(x_t @ W_x[:H].T + plain @ W_h[:H].T + b[:H])
        cells.append(c)
        plains.append(plain)
        gates.append(sigm(f).detach())
    by_all_paths = torch.autograd.grad((c * seen).sum(), cells)
    in_plain = torch.autograd.grad((plain * seen).sum(), plains)
    shares = torch.cat([torch.ones(1, 1, H), torch.stack(gates[::-1]).cumprod(0)])
    curves = torch.stack(in_plain), torch.stack(by_all_paths), (shares * seen).flip(0)
    return [curve.norm(dim=(1, 2)).flip(0) / seen.norm() for curve in curves]


# %% tags=["hide-input"]
NETWORKS = 10
BIASES = (-1, 0, 1, 2, 3, 5)
names = "plain network", "LSTM, all paths", "LSTM, straight path"
carried = {  # bias → [networks, 3, T + 1]
    bias: torch.stack([torch.stack(carried_back(bias, n)) for n in range(NETWORKS)])
    for bias in BIASES
}


def draw_carried(bias):
    fig, ax = plt.subplots(figsize=(4.2, 3.2))
    for k, name in enumerate(names):
        low, middle, high = np.quantile(carried[bias][:, k], (0, 0.5, 1), axis=0)
        (line,) = ax.semilogy(middle, label=name, markevery=8)
        ax.fill_between(
            np.arange(len(low)), low, high, color=line.get_color(), alpha=0.2, lw=0
        )
    ax.set(xlabel="steps back", ylabel="norm of the gradient", ylim=(1e-16, 1e2))
    ax.set(yticks=10.0 ** np.arange(-16, 3, 4))
    ax.figure.legend(loc="outside upper center", ncols=2, frameon=False)
    return fig


def left_over(bias):
    return np.median(carried[bias][:, 1:, -1], axis=0)


display.slider(
    draw_carried,
    BIASES,
    label="bias of the forget gate",
    alt=lambda bias: (
        "Norm of the gradient against the number of steps back, logarithmic. The plain "
        "network falls below 10 to the power -16. With a forget bias of "
        f"{bias} the LSTM has, 60 steps back, {left_over(bias)[0]:.0e} by all paths and "
        f"{left_over(bias)[1]:.0e} along the straight one."
    ),
    caption="What is left of a gradient, relative to its start: medians of ten "
    "networks of 64 units with weights uniform in ±1/√H, and their range. The forget "
    "gate's bias sets the slope of the straight path.",
    start=3,
)

# %% [markdown]
# At bias 0 a forget gate is near $\operatorname{sigm}(0) = \tfrac12$, and half of the gradient is lost at every step.
# With the assignment's choice, 1, it is near 0.73: better, and still little is left after a few dozen steps. So an LSTM
# does not "solve" the vanishing gradient by its form; it has a path whose factor is *learned*, and can be learned to be
# near 1. That the path starts rather open helps to begin {cite}`gers2000forget`. The straight path never explodes, but
# all paths together can: at a bias of 5 more arrives than was sent.

# %% [markdown]
# :::{exercise} Half-life
# :label: ex-rnn-half-life
# Let $W_{fx}$ and $W_{fh}$ be zero, so that only the bias moves the forget gate. After how many steps is half of a
# value left when the bias is 1? Write `bias_for_half_life(n)`, the bias at which half is left after $n$ steps.
# :::

# %% [markdown] tags=["solution"]
# :::{solution-start} ex-rnn-half-life
# :class: dropdown
# :::
# With $f = \operatorname{sigm}(b)$, half is left after $\log \tfrac12 / \log f$ steps: for $b = 1$, $f = 0.731$, that
# is
# 2.2 steps. Conversely $f^n = \tfrac12$ asks for $f = 2^{-1/n}$, and the sigmoid is inverted by
# $b = \log \frac{f}{1 - f} = -\log (2^{1/n} - 1)$. For $n = 100$ it is near 5: each step then loses 0.7 %.


# %% tags=["solution"]
def bias_for_half_life(n):
    return -np.log(np.expm1(np.log(2) / n))


# %% [markdown] tags=["solution"]
# :::{solution-end}
# :::

# %%
exercises.check("rnn/lstm/bias_for_half_life", bias_for_half_life)

# %% [markdown]
# ## What was shown
#
# - A cell keeps $c$ by adding to it, not by computing it anew. The gates are shares; with other non-linearities than
#   $\operatorname{sigm}$ and $\tanh$ it runs away, changes sign, or cannot step down.
# - It has {eq}`eq-rnn-lstm-count` parameters, and with stacked weights it is `nn.LSTM`, {eq}`eq-rnn-lstm-stacked`.
# - Straight from $c^{(t-1)}$ to $c^{(t)}$ the factor is $f^{(t)}$, {eq}`eq-rnn-lstm-direct`: this path never explodes,
#   and fades as fast as the forget gate says. At the start of training, with a bias of 1, that is fast.
#
# How a gradient goes back through all of the cell, not its straight path alone, and how fast that can be done, is told
# in {doc}`lstm_backward`.
#
# ## Exercises

# %% [markdown]
# :::{exercise} An LSTM of your own
# :label: ex-rnn-lstm-own
# Write the LSTM of the assignment without `nn.Linear` or `nn.LSTM`, with stacked weights: a class
# `StackedLSTM(E, H)` with the parameters `W_x`, `W_h` and `b` in the order $i, f, g, o$ of {eq}`eq-rnn-lstm-stacked`,
# uniform in $\pm 1/\sqrt H$, 1 added to the biases of the forget gates. Called with $x$ `[T, B, E]`, $h$ and $c$
# `[B, H]`, for any $T$ and $B$, it returns all $h$ `[T, B, H]` and the last $c$.
# :::

# %% [markdown] tags=["solution"]
# :::{solution-start} ex-rnn-lstm-own
# :class: dropdown
# :::
# `GateByGate` is one answer, with a matrix for each gate. Stacked, a step has two products in place of eight. The bias
# of the forget gates is the second quarter of `b`.


# %% tags=["solution"]
class StackedLSTM(nn.Module):
    def __init__(self, E, H):
        super().__init__()
        self.W_x = nn.Parameter(torch.empty(4 * H, E))
        self.W_h = nn.Parameter(torch.empty(4 * H, H))
        self.b = nn.Parameter(torch.empty(4 * H))
        for weight in self.parameters():
            nn.init.uniform_(weight, -(H**-0.5), H**-0.5)
        with torch.no_grad():
            self.b[H : 2 * H] += 1

    def forward(self, x, h, c):
        states = []
        for x_t in x:
            a = x_t @ self.W_x.T + h @ self.W_h.T + self.b
            i, f, g, o = a.chunk(4, dim=1)
            c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
            h = torch.sigmoid(o) * torch.tanh(c)
            states.append(h)
        return torch.stack(states), c


# %% [markdown] tags=["solution"]
# :::{solution-end}
# :::

# %%
exercises.check("rnn/lstm/StackedLSTM", StackedLSTM)

# %% [markdown]
# ## Further reading
#
# - {cite:t}`hochreiter1997long` begin from a cell that keeps its value with the factor 1, and put gates before and
#   behind it; {cite:t}`gers2000forget` add the forget gate.
# - {cite:t}`greff2017odyssey` take parts of the LSTM away, one at a time, on three tasks, and find the forget gate and
#   the $\tanh$ of the output the hardest to do without.
