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
from helpers import display, exercises, parameters, records, verify
from helpers.rnn.cells import LSTM, lstm_parameter_count

import matplotlib.pyplot as plt
import numpy as np
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

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
    for row, (name, gate) in enumerate(gates.items()):
        for is_open, face in ((True, display.COLORS[0]), (False, "none")):
            at = t[gate == is_open]
            style = {"color": display.COLORS[0], "mfc": face, "marker": "s", "ms": 5}
            axes[0].plot(at, np.full(len(at), -row), ls="", **style)
    axes[0].set(yticks=[0, -1, -2], yticklabels=gates, ylim=(-2.7, 0.7), xlabel="step")
    axes[0].set(title="gates: filled is open")
    axes[0].grid(False)
    axes[1].plot(t, g, color=display.INK, ls=":", marker="", label="$g$, offered")
    axes[1].plot(t, c[1:], color=display.COLORS[0], marker="o", label="$c$, kept")
    axes[1].plot(
        t, h, color=display.COLORS[1], ls="--", marker="^", label="$h$, shown"
    )
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
        f"forget gate is open except at step {closes}: until then the cell keeps 0.9, from "
        "then on 0. The output gate is open at steps 8 and 16, and shows "
        + ("0.72 both times." if closes > 16 else "")
        + ("0.72 at the first, 0 at the second." if 8 < closes <= 16 else "")
        + ("0 both times." if closes <= 8 else "")
    ),
    caption="Each step offers the cell a number g. One is let in, at step 3. It stays until "
    "the forget gate closes; whether it is seen, the output gate decides.",
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
# i^{(t)} = \operatorname{sigm}(a_i^{(t)}) , \quad f^{(t)} = \operatorname{sigm}(a_f^{(t)}) , \quad
# o^{(t)} = \operatorname{sigm}(a_o^{(t)}) , \quad g^{(t)} = \tanh(a_g^{(t)}) .
# $$ (def-rnn-lstm-gates)
#
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
# \begin{bmatrix} a_i \\ a_f \\ a_g \\ a_o \end{bmatrix}^{(t)} = W_x\, x^{(t)} + W_h\, h^{(t-1)} + b , \qquad
# W_x \in \mathbb{R}^{4H \times E} , \; W_h \in \mathbb{R}^{4H \times H} , \; b \in \mathbb{R}^{4H} .
# $$ (eq-rnn-lstm-stacked)
#
# `nn.LSTM` keeps its weights so, under the names `weight_ih_l0` and `weight_hh_l0`. It has *two* biases, `bias_ih_l0`
# and `bias_hh_l0`, of which only the sum matters. With these weights the two networks are one.


# %%
def stacked(cell):  # W_x [4H, E], W_h [4H, H], b [4H]
    parts = ([f"W_{k}x", f"W_{k}h", f"b_{k}"] for k in "ifgo")
    columns = zip(*([cell.weights[name] for name in names] for names in parts))
    return tuple(torch.cat(column).detach() for column in columns)


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
# between $-1$ and $1$ is a *step*, up or down. So in one step $|c|$ is first multiplied by less than 1, then changed by
# less than 1:
#
# $$
# \big| c^{(t)} \big| \le f^{(t)} \big| c^{(t-1)} \big| + i^{(t)} \big| g^{(t)} \big| < \big| c^{(t-1)} \big| + 1 ,
# \qquad \text{so} \qquad \big| c^{(t)} \big| < \big| c^{(0)} \big| + t .
# $$ (eq-rnn-lstm-bound)
#
# A cell can count, and it cannot run away. With open gates and $g$ near 1 it does come near $c^{(0)} + t$, so it is not
# true that the $\tanh$ of $g$ keeps $c$ small, as the report has it: that is what $f < 1$ may do.
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
    ax.set(xlabel="step", ylabel="largest $|c|$", ylim=(0.1, 1e12), yticks=10.0 ** np.arange(0, 13, 3))
    ax.legend(loc="upper left", frameon=False)
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
# - **Gates.** With ReLU a forget gate may be 3, and a value that is kept for ten steps is multiplied by $3^{10}$. With
#   $\tanh$ it may be negative: then "keeping" turns the sign of what is kept, and the sign of $c$ changes far more often.
#   The sigmoid also has two flat ends, so a gate that is open or closed stays so when its input changes a little.
# - **The candidate.** With a sigmoid or a ReLU nothing negative is ever written: $c$ cannot step down, it can only
#   be forgotten. Every $c$ is at least 0, as the fourth column says. $\tanh$ writes in both directions.
# - **The output.** $c$ may be as large as the number of steps. $\tanh c$ brings it into $(-1, 1)$ before it meets the
#   matrices $W_{kh}$; without it $h$ is as large as $c$, and drives the gates to their ends.

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
# $N_\text{input} = E$ and $N_\text{hidden} = H$, that is for the cell alone, equations 8 to 13, and with the linear map
# to $N_\text{output}$ scores, its equation 14:
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
# What does $c^{(t)}$ keep of $c^{(t-1)}$? There are two ways from one to the other: straight, through the product with
# $f^{(t)}$; and around, since $h^{(t-1)}$ depends on $c^{(t-1)}$ and moves the gates of step $t$. Hold $h^{(t-1)}$
# fixed, which we write $\partial^+$, and only the first is left: by {eq}`def-rnn-lstm-state`, entry $k$ of $c^{(t)}$ is
# $f_k$ times entry $k$ of $c^{(t-1)}$ plus something fixed. Over $n$ steps the factors multiply:
#
# $$
# \frac{\partial^+ c^{(t)}}{\partial c^{(t-1)}} = \operatorname{diag} f^{(t)} , \qquad
# \frac{\partial^+ c^{(t)}}{\partial c^{(t-n)}} = \operatorname{diag} \big( f^{(t-n+1)} \odot \dots \odot f^{(t)} \big) .
# $$ (eq-rnn-lstm-direct)
#
# In a plain network the same place is taken by $\operatorname{diag}(1 - h^2)\, W_{hh}$, a product of matrices that
# shrinks or grows as the weights happen to be. Here there is no matrix and no slope. No factor is above 1, so this path
# never explodes; how fast it fades, the network decides step by step, by its forget gate.


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


verify.equal("eq-rnn-lstm-direct", cases(), atol=1e-12, against="autograd, h held fixed")

# %% [markdown]
# How much of a gradient arrives $n$ steps back? Below a random gradient at step 60 is carried back through networks as
# they are at the start of training: through a plain one; through the LSTM by all paths; and along the straight one
# alone. Change the bias of the forget gate.


# %%
def carried_back(bias, network_seed, T=60, E=16, H=64):  # three curves [T], step T first
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
names = "plain network", "LSTM, all paths", "LSTM, straight path"


def draw_carried(bias):
    fig, ax = plt.subplots(figsize=(4.2, 3.2))
    runs = [carried_back(bias, network) for network in range(NETWORKS)]
    for k, name in enumerate(names):
        curves = torch.stack([run[k] for run in runs]).numpy()
        low, middle, high = np.quantile(curves, (0, 0.5, 1), axis=0)
        (line,) = ax.semilogy(middle, label=name, markevery=8)
        ax.fill_between(np.arange(len(low)), low, high, color=line.get_color(), alpha=0.2, lw=0)
    ax.set(xlabel="steps back", ylabel="norm of the gradient", ylim=(1e-16, 1e2))
    ax.set(yticks=10.0 ** np.arange(-16, 3, 4))
    ax.figure.legend(loc="outside upper center", ncols=2, frameon=False)
    return fig


def left_over(bias, back=60):
    return [np.median([carried_back(bias, n)[k][back] for n in range(NETWORKS)]) for k in (1, 2)]


display.slider(
    draw_carried,
    (-1, 0, 1, 2, 3, 5),
    label="bias of the forget gate",
    alt=lambda bias: (
        "Norm of the gradient against the number of steps back, logarithmic. The plain "
        "network falls below 10 to the power -16. With a forget bias of "
        f"{bias} the LSTM has, 60 steps back, {left_over(bias)[0]:.0e} by all paths and "
        f"{left_over(bias)[1]:.0e} along the straight one."
    ),
    caption="What is left of a gradient, relative to its start: medians of ten networks of "
    "64 units with weights uniform in ±1/√H, and their range. The forget gate's bias sets "
    "the slope of the straight path.",
    start=3,
)

# %% [markdown]
# At bias 0 a forget gate is near $\operatorname{sigm}(0) = \tfrac12$, and half of the gradient is lost at every step. At
# 1, the assignment's choice, it is near 0.73: better, and still gone after a few dozen steps. So an LSTM does not "solve" the
# vanishing gradient by its form; it has a path whose factor is *learned*, and can be learned to be 1. That the path
# starts rather open helps to begin {cite}`gers2000forget,jozefowicz2015exploration`.

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
# With $f = \operatorname{sigm}(b)$, half is left after $\log \tfrac12 / \log f$ steps: for $b = 1$, $f = 0.731$, that is
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
# ## The way back, by hand
#
# "Writing down the correct gradients would involve a lot of derivatives", says the assignment, and leaves them to
# autograd. They are eight lines, and each says something. First one cell in numbers: $c^{(t-1)} = 0.5$, and
# $i = 0.5$, $f = 0.9$, $g = 0.8$. Suppose the loss rises by 1 per unit of $c^{(t)} = 0.9 \cdot 0.5 + 0.5 \cdot 0.8$.
# How does it change with the number $a_i$ before the sigmoid? $c$ changes by $g = 0.8$ per unit of $i$, and $i$ by
# $i (1 - i) = 0.25$ per unit of $a_i$: together 0.2. In the same way $a_f$ gets $0.5 \cdot 0.9 \cdot 0.1 = 0.045$, and
# $a_g$ gets $0.5 \cdot (1 - 0.8^2) = 0.18$. Raise each a little, and look:


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
# s = \operatorname{sigm}(a) \;\Rightarrow\; \frac{\mathrm{d} s}{\mathrm{d} a} = \frac{e^{-a}}{(1 + e^{-a})^2} = s (1 - s) ,
# \qquad
# u = \tanh(a) \;\Rightarrow\; \frac{\mathrm{d} u}{\mathrm{d} a} = 1 - u^2 .
# $$ (eq-rnn-lstm-slopes)


# %%
def slope_sigm(s):
    return s * (1 - s)


def slope_tanh(u):
    return 1 - u**2


# %% tags=["check"]
def cases():
    a = np.linspace(-6, 6, 25)
    z = a + 1e-30j  # the imaginary part of f(a + iε)/ε is the slope, without cancellation
    yield slope_sigm(1 / (1 + np.exp(-a))), (1 / (1 + np.exp(-z))).imag / 1e-30
    yield slope_tanh(np.tanh(a)), np.tanh(z).imag / 1e-30


verify.equal("eq-rnn-lstm-slopes", cases(), atol=1e-12, against="a complex step")

# %% [markdown]
# ## The way back, step by step
#
# Let $L$ be any loss of the outputs $h^{(1)}, \dots, h^{(T)}$ and of the last cell $c^{(T)}$. Write $\delta$
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
    edges = ("$c^{(t-1)}$ > ×", "× > +", "+ > $c^{(t)}$", "$f$ > ×", "$i$ > × ", "$g$ > × ")
    edges += ("×  > +", "$c^{(t)}$ > tanh", "tanh >  ×", "$o$ >  ×", " × > $h^{(t)}$")
    for edge in edges:
        start, end = (places[name] for name in edge.split(" > "))
        straight = {"arrowstyle": "->", "color": display.INK, "shrinkA": 14, "shrinkB": 14}
        ax.annotate("", end, start, arrowprops=straight)
    for name, (x, y) in places.items():
        ax.text(x, y, name.strip(), ha="center", va="center", fontsize=12)
    for (x, y), back in {(3, 2.35): "$\\times f$", (7.55, 1.45): "$1-\\tanh^2$"}.items():
        ax.text(x, y, back, ha="center", color=display.COLORS[1])
    ax.text(9.35, 0.95, r"$\times o$", ha="center", color=display.COLORS[1])
    ax.set(xlim=(-0.8, 11.2), ylim=(-1, 3.8))
    ax.axis("off")
    return fig


display.show(
    draw_cell(),
    alt="One step as a graph. The old cell goes through a product with f and a sum with "
    "i times g to the new cell; this goes on to the right, and down through tanh and a "
    "product with o to h. On the way back the factors are f along the cell, and o and one "
    "minus tanh squared from h to the cell.",
    caption="One step. Walk against the arrows: at every product a derivative is "
    "multiplied by the other input, at every branching the ways add up.",
)


# %%
def traced(T, B, E, H):  # values and their δ, by name and step, from autograd
    W_x, W_h, b = (torch.randn(s, requires_grad=True) for s in ((4 * H, E), (4 * H, H), (4 * H,)))
    x = torch.randn(T + 1, B, E, requires_grad=True)  # x[0] is not used
    v = {name: [None] for name in "ifgo"} | {name: [None] for name in ("ai", "af", "ag", "ao")}
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
    plain = {n: [w if w is None else w.detach() for w in values] for n, values in v.items()}
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
# **The cell.** $c^{(t)}$ goes two ways: into $h^{(t)}$, with the factor $o\,(1 - \tanh^2 c)$, and into $c^{(t+1)}$, with
# the factor $f^{(t+1)}$, the straight path of {eq}`eq-rnn-lstm-direct`. The derivatives by both ways add up:
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
# **Input gate, forget gate, candidate.** All three enter $c^{(t)} = f \odot c^{(t-1)} + i \odot g$ and nothing else. So
# each takes $\delta_c^{(t)}$, times what it is multiplied with there, times its own slope:
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
# candidate nothing where it is not let in. The picture shows all of it on the cell from the start of the page, its
# gates now nearly open (0.98) or nearly closed (0.02), and the loss the output of step 16.


# %%
def delta_i(delta_c, g, i):
    return delta_c * g * slope_sigm(i)


def delta_f(delta_c, c_before, f):
    return delta_c * c_before * slope_sigm(f)


def delta_g(delta_c, i, g):
    return delta_c * i * slope_tanh(g)


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
    for a_i, a_f, a_g, a_o in a:
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
# Of the many numbers that were offered, the derivative finds the one that was let in, at the step when it was.
#
# **The output, and the input.** Stack the four into $\delta_a = (\delta_i, \delta_f, \delta_g, \delta_o) \in
# \mathbb{R}^{4H}$, in the order of {eq}`eq-rnn-lstm-stacked`. $h^{(t)}$ is seen by the loss, and by all four of the next
# step through $W_h$. The input $x^{(t)}$ is seen by the four of its own step, through $W_x$:
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
# $h^{(0)}$, and {eq}`eq-rnn-lstm-delta-h` without its first term is the gradient of a given start. Transposed, a column
# $W_h^\top \delta_a$ is the row `delta_a @ W_h`.


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
# \frac{\partial L}{\partial W_x} = \sum_{t=1}^{T} \delta_a^{(t)} x^{(t) \top} , \qquad
# \frac{\partial L}{\partial W_h} = \sum_{t=1}^{T} \delta_a^{(t)} h^{(t-1) \top} , \qquad
# \frac{\partial L}{\partial b} = \sum_{t=1}^{T} \delta_a^{(t)} .
# $$ (eq-rnn-lstm-weights)
#
# None of these sums is needed on the way back. So wait until all $\delta_a$ are there, and put them below one another
# as `rows`, one for each step and sample, $T B$ in all; do the same with $x^{(t)}$ and $h^{(t-1)}$ side by side, as
# `seen`. Then one product, `rows.T @ seen` of shape $4H \times (E + H)$, holds both sums. Here is the whole of it, as
# a function that autograd can use.


# %%
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
            d_i, d_f, d_g = delta_i(d_c, g, i), delta_f(d_c, c[t - 1], f), delta_g(d_c, i, g)
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
        x, h_0, c_0, W_x, W_h, b = tensors
        hs, cs = run(x, h_0, c_0, W_x, W_h, b)
        theirs = torch.autograd.grad((hs * at_h).sum() + (cs[-1] * at_c).sum(), tensors)
        h, c = Derived.apply(*tensors)
        ours = torch.autograd.grad((h * at_h).sum() + (c * at_c).sum(), tensors)
        for mine, autograds in zip(ours, theirs, strict=True):
            yield mine, autograds


verify.equal("eq-rnn-lstm-weights", cases(), rtol=1e-12, atol=1e-12, against="autograd")

# %% [markdown]
# ## What it is worth
#
# The function above is exact and slow: it makes a new tensor for every line. `helpers.rnn.cells.LSTM` is the same
# derivation, written for speed. The products with all $x^{(t)}$ are one product before the loop. Gates overwrite the
# $a_k$ that they come from, and every $\delta$ is written where the last product will read it. What is left inside the loop is
# one product per step and direction, and work on single entries.
#
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
        shapes = (T, B, E), (B, H), (B, H)
        inputs = [torch.randn(shape, requires_grad=True) for shape in shapes]
        with FlopCounterMode(display=False) as counter:
            GateByGate(E, H)(*inputs)[0].sum().backward()
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
            ax.plot([0, relative], [y, y], color=display.COLORS[k], marker="", ls="-", lw=1)
        ax.text(0.02, 0.13 - group, title, fontsize=9)
    ax.set(xlim=(0, 2), ylim=(-2.8, 0.35), yticks=[], xlabel="time, nn.LSTM = 1")
    ax.figure.legend(loc="outside upper center", ncols=2, frameon=False)
    return fig


told = "; ".join(
    f"{title}: " + ", ".join(f"{NAMES[name]} {1e3 * seconds[name]:.0f} ms" for name in NAMES)
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
    | {"products, 10⁹ per s": f"{work(*sizes.values()) / seconds['products'] / 1e9:.0f}"}
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
    display.glue(f"rnn-lstm-floor-{key}", f"{seconds['products'] / seconds['pytorch']:.2f}")
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
# **What the derivation saves.** Against the twelve parameters left to autograd it is
# {glue:text}`rnn-lstm-gain-single`, {glue:text}`rnn-lstm-gain-half` and {glue:text}`rnn-lstm-gain-small` times as
# fast. That is less than one might hope, and {eq}`eq-rnn-lstm-work` says why: both do the same multiplications. What
# is saved is the rest: a product per weight and step with a sum over steps after it, a node of the graph for each
# operation, and a new tensor for each result.

# %% [markdown]
# ## What was shown
#
# - A cell keeps $c$ by adding to it, not by computing it anew. The gates are shares; with other non-linearities than
#   $\operatorname{sigm}$ and $\tanh$ it runs away, changes sign, or cannot step down.
# - It has {eq}`eq-rnn-lstm-count` parameters, and with stacked weights it is `nn.LSTM`, {eq}`eq-rnn-lstm-stacked`.
# - Straight from $c^{(t-1)}$ to $c^{(t)}$ the factor is $f^{(t)}$, {eq}`eq-rnn-lstm-direct`: this path never explodes,
#   and fades as fast as the forget gate says. At the start of training, with a bias of 1, that is fast.
# - The whole way back is {eq}`eq-rnn-lstm-delta-o` to {eq}`eq-rnn-lstm-weights`, equal to autograd. What it costs is
#   products, {eq}`eq-rnn-lstm-work`.
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
exercises.check("rnn/lstm/coupled_delta_f", coupled_delta_f)

# %% [markdown]
# ## Further reading
#
# - {cite:t}`hochreiter1997long` begin from a cell that keeps its value with the factor 1, and put gates before and
#   behind it; {cite:t}`gers2000forget` add the forget gate.
# - {cite:t}`greff2017odyssey` take parts of the LSTM away, one at a time, on three tasks, and find the forget gate and
#   the $\tanh$ of the output the hardest to do without.
