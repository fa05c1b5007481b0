# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Where graphs meet convolutions
#
# A convolution uses the same weights at every place; a graph layer uses the same weights at every node. On which
# graph are they the same layer, and what does either of them have to do with sines and cosines?
#
# The graph is a ring, and you need one weight for each direction along it. This chapter takes that ring apart: the
# layer, its matrix, the shift that it commutes with, the Fourier modes that diagonalise it. At the end the ring is
# replaced by any graph, and what can be kept is the layer of {doc}`message_passing`.
#
# Two conventions hold throughout. Nodes are counted from 0, and every index is taken modulo $n$: $x_n$ is $x_0$, and
# $x_{-1}$ is $x_{n-1}$. And $\Phi^*$ is the conjugate transpose of $\Phi$.

# %% tags=["parameters"]
profile = "smoke"
seed = 0

# %%
import warnings
from itertools import permutations

import matplotlib.pyplot as plt
import numpy as np
import torch
from myst_nb import glue

warnings.filterwarnings(
    "ignore", "`torch.jit.script` is deprecated"
)  # PyG calls it as it is imported
from torch_geometric.nn import GCNConv, RGCNConv

import helpers.gnn.circulant as fast
from helpers import display, exercises, parameters, records, verify
from helpers.gnn.layers import gcn_norm

parameters.check(globals(), profile=("smoke", "full"), seed=range(2**31))
display.use_book_style()
rng = np.random.default_rng(seed)
sizes = (
    (3, 4, 5, 8, 13) if profile == "smoke" else (3, 4, 5, 8, 13, 64, 129)
)  # rings on which claims are checked

# %% [markdown]
# ## A ring of nodes
#
# Put $n$ nodes on a circle and join each to the next, the last to the first. Node $i$ has the neighbours $i + 1$ and
# $i - 1$, so the adjacency matrix is
#
# $$
# A_{ij} = \begin{cases} 1 & j \equiv i + 1 \text{ or } j \equiv i - 1 \pmod n , \\ 0 & \text{otherwise.} \end{cases}
# $$ (def-gnn-ring-adjacency)
#
# Nothing in it depends on $i$ and $j$ but their difference. Everything below follows from that. A ring has at least 3
# nodes in this chapter; the first exercise looks at what happens with fewer.

# %% [markdown]
# :::{exercise} The adjacency matrix of a ring
# :label: ex-gnn-ring-adjacency
# Write $A$ out for $n$ nodes, with dots that can be read in one way only. What are its rows for $n = 2$ and $n = 1$?
# Then write `ring_adjacency(n)`, which returns it as an array $[n, n]$.
# :::

# %% [markdown] tags=["solution"]
# :::{solution-start} ex-gnn-ring-adjacency
# :class: dropdown
# :::
# For $n \ge 3$ the ones stand right above the diagonal, right below it, and in the two corners where the ring closes:
#
# $$
# A = \begin{bmatrix}
# 0 & 1 & 0 & \cdots & 0 & 1 \\
# 1 & 0 & 1 & \ddots & & 0 \\
# 0 & 1 & 0 & \ddots & \ddots & \vdots \\
# \vdots & \ddots & \ddots & \ddots & 1 & 0 \\
# 0 & & \ddots & 1 & 0 & 1 \\
# 1 & 0 & \cdots & 0 & 1 & 0
# \end{bmatrix} .
# $$
#
# The dots repeat along the diagonals: $A_{ij}$ is 1 where $j - i$ is one of $1, -1, n - 1, 1 - n$, and 0 elsewhere.
#
# For $n = 2$ the next node and the previous node are the same one, so each row holds a single 1:
# $A = \begin{bmatrix} 0 & 1 \\ 1 & 0 \end{bmatrix}$. For $n = 1$ the only node is its own neighbour: $A = [1]$, a
# loop.


# %% tags=["solution"]
def ring_adjacency(n):
    A = np.zeros((n, n))
    for i in range(n):
        A[i, (i + 1) % n] = (
            1  # set, not added: for n = 2 both lines name the same entry
        )
        A[i, (i - 1) % n] = 1
    return A


# %% [markdown] tags=["solution"]
# :::{solution-end}
# :::

# %%
exercises.check("gnn/ring_adjacency", ring_adjacency)

# %% [markdown]
# ## One weight a direction
#
# Each node carries a feature vector $h_i \in \mathbb{R}^D$, a row of $H \in \mathbb{R}^{n \times D}$. Take one number
# for the node itself, one for the next node and one for the previous node, the same three at every node, and write
# them as a matrix. It is a {term}`circulant matrix`: each row is the row above it, moved one place to the right. With
# a first row, or *kernel*, $\theta \in \mathbb{R}^n$,
#
# $$
# C(\theta)_{ij} = \theta_{(j - i) \bmod n} ,
# $$ (def-gnn-circulant)
#
# and the layer with three weights has $\theta = (w_0, w_1, 0, \dots, 0, w_{-1})$: the last entry is $\theta_{n-1}$,
# that is, $\theta_{-1}$. In row $i$ of the product $C(\theta) H$ only three terms survive, those with
# $j - i \equiv 0$, $1$ and $-1$:
#
# $$
# \big( C(\theta) H \big)_i = \underbrace{w_0\, h_i + w_1\, h_{i+1} + w_{-1}\, h_{i-1}}_{\phi(h_i, \mathcal{N}_i)} .
# $$ (eq-gnn-ring-layer)


# %%
def circulant(theta):
    n = len(theta)
    return np.array([[theta[(j - i) % n] for j in range(n)] for i in range(n)])


def three_taps(n, w_minus, w_0, w_plus):
    theta = np.zeros(n)
    theta[[0, 1, -1]] = w_0, w_plus, w_minus
    return theta


by_matrix, by_node = [], []
for n in sizes:
    H = rng.standard_normal((n, 2))  # [n, D]
    w_minus, w_0, w_plus = rng.standard_normal(3)
    by_matrix.append(circulant(three_taps(n, w_minus, w_0, w_plus)) @ H)
    by_node.append(
        np.array(
            [
                w_0 * H[i] + w_plus * H[(i + 1) % n] + w_minus * H[i - 1]
                for i in range(n)
            ]
        )
    )
verify.equal("eq-gnn-ring-layer", by_matrix, by_node, atol=1e-12)


# %% tags=["hide-input"]
def on_circle(n):
    """Nodes 0 to n − 1 clockwise from the top."""
    angle = np.pi / 2 - 2 * np.pi * np.arange(n) / n
    return np.stack([np.cos(angle), np.sin(angle)], axis=1)  # [n, 2]


def draw_nodes(ax, places, highlighted=None):
    """Numbered nodes; those that are highlighted, as {node: colour}, are tinted."""
    ax.plot(*places.T, ls="", marker="o", ms=21, mfc=display.PAPER, mec=display.INK)
    for j, color in (highlighted or {}).items():
        ax.plot(*places[j], marker="o", ms=21, mec="none", mfc=color, alpha=0.4)
    for j, place in enumerate(places):
        ax.text(*place, f"{j}", ha="center", va="center")


def draw_arrow(ax, start, end, color, style):
    arrow = dict(
        arrowstyle="-|>",
        color=color,
        lw=1.6,
        ls=style,
        shrinkA=13,
        shrinkB=13,
        connectionstyle="arc3,rad=0.22",
    )
    ax.annotate("", end, start, arrowprops=arrow)


tap_names = {0: r"$w_0$", 1: r"$w_1$", -1: r"$w_{-1}$"}
tap_colors = {0: display.COLORS[0], 1: display.COLORS[1], -1: display.COLORS[2]}


def draw_layer(n=6):
    fig, (ring, grid) = plt.subplots(1, 2, figsize=(7, 3.2))
    places = on_circle(n)
    for i in range(n):
        draw_arrow(ring, places[(i + 1) % n], places[i], tap_colors[1], style="-")
        draw_arrow(ring, places[i - 1], places[i], tap_colors[-1], style="--")
    draw_nodes(ring, places)
    ring.text(
        0,
        0,
        "solid: $w_1$\n" + "dashed: $w_{-1}$",
        ha="center",
        va="center",
        linespacing=1.8,
    )
    ring.set(xlim=(-1.3, 1.3), ylim=(-1.3, 1.3), aspect="equal")
    ring.axis("off")
    for i in range(n):
        for tap, name in tap_names.items():
            j = (i + tap) % n
            grid.add_patch(
                plt.Rectangle((j, i), 1, 1, fc=tap_colors[tap], alpha=0.3, lw=0)
            )
            grid.text(j + 0.5, i + 0.5, name, ha="center", va="center")
    grid.set(
        xlim=(0, n),
        ylim=(n, 0),
        aspect="equal",
        xlabel="$j$: from node",
        ylabel="$i$: to node",
    )
    grid.set_xticks(np.arange(n) + 0.5, range(n))
    grid.set_yticks(np.arange(n) + 0.5, range(n))
    grid.grid(False)
    return fig


display.show(
    draw_layer(),
    alt="Left, six nodes on a ring; each receives a solid arrow with weight w1 from the next node and a dashed arrow "
    "with weight w minus 1 from the previous one. Right, the 6 by 6 matrix of the layer: w0 on the diagonal, w1 right "
    "above it, w minus 1 right below it, and one weight in each of the two corners where the diagonals wrap around.",
)

# %% [markdown]
# Read by rows, the matrix says what a node *receives*: $\phi$ is a message from each side and one from the node to
# itself, summed. That is message passing with **two kinds of edges**. Those of kind $+1$ lead from $i + 1$ to $i$,
# those of kind $-1$ from $i - 1$ to $i$. A layer with one matrix for each kind of edge is known as the relational
# graph convolution {cite}`schlichtkrull2018rgcn`,
#
# $$
# h_i' = h_i W_{\text{root}} + \sum_r \frac{1}{|\mathcal{N}_r(i)|} \sum_{j \in \mathcal{N}_r(i)} h_j W_r ,
# $$ (def-gnn-relational)
#
# where $\mathcal{N}_r(i)$ holds the nodes with an edge of kind $r$ *into* $i$. On the ring each of these sets has one
# member, so the mean is the message itself. With $W_{\text{root}} = W_0$ and the kinds $+1$ and $-1$,
#
# $$
# h_i' = h_i W_0 + h_{i+1} W_1 + h_{i-1} W_{-1} , \qquad W_0, W_1, W_{-1} \in \mathbb{R}^{D \times D'} .
# $$ (eq-gnn-ring-channels)
#
# The layer with three numbers is the case $W_r = w_r I$. The check builds the messages edge by edge, and compares
# with PyG.


# %%
def ring_edges(n):
    """Edges [2, 2n] as (source, target), and their kinds [2n]: 0 for those from i + 1 to i, 1 for those from i − 1."""
    i = torch.arange(n)
    edge_index = torch.stack([torch.cat([(i + 1) % n, (i - 1) % n]), torch.cat([i, i])])
    return edge_index, torch.arange(2).repeat_interleave(n)


D_in, D_out = 3, 2
by_messages, by_pyg = [], []
for n in sizes:
    H = torch.from_numpy(rng.standard_normal((n, D_in)))
    W_0, W_plus, W_minus = torch.from_numpy(rng.standard_normal((3, D_in, D_out)))
    edge_index, kind = ring_edges(n)

    h = H @ W_0  # [n, D_out]
    for (j, i), r in zip(edge_index.T, kind, strict=True):
        h[i] += H[j] @ (W_plus, W_minus)[r]
    by_messages.append(h)

    layer = RGCNConv(D_in, D_out, num_relations=2, bias=False).double()
    with torch.no_grad():
        layer.root.copy_(W_0)
        layer.weight.copy_(torch.stack([W_plus, W_minus]))
    by_pyg.append(layer(H, edge_index, kind))
verify.equal("eq-gnn-ring-channels", by_messages, by_pyg, atol=1e-12)

# %% [markdown]
# ## Why the ring must be directed
#
# Names of nodes mean nothing. Rename them by a permutation $\pi$, with the matrix $P_{ij} = [j = \pi(i)]$, so that
# $(PH)_i = h_{\pi(i)}$ and $(P A P^\top)_{ij} = A_{\pi(i) \pi(j)}$. A layer $F$ that looks at nothing but the graph
# and the features gives renamed results for renamed nodes, $F(P A P^\top, P H) = P\, F(A, H)$: this is its
# {term}`equivariance`.
#
# Now choose a $\pi$ that leaves the graph as it is, $P A P^\top = A$, an {term}`automorphism`. Then
# $F(A, PH) = P\,F(A, H)$: *on a graph, a layer must commute with every automorphism of it*. It cannot tell apart what
# the graph does not.
#
# On the undirected ring the reflection $J$, with $(Jx)_i = x_{-i}$, is an automorphism: $j$ is next to $i$ exactly
# when $-j$ is next to $-i$. Does the layer commute with it? Row $i$ of $CJH$ is
# $w_0 h_{-i} + w_1 h_{-i-1} + w_{-1} h_{-i+1}$, and row $i$ of $JCH$ is row $-i$ of $CH$, which is
# $w_0 h_{-i} + w_1 h_{-i+1} + w_{-1} h_{-i-1}$. The difference is
#
# $$
# \big( (CJ - JC) H \big)_i = (w_{-1} - w_1)\,(h_{1-i} - h_{-1-i}) .
# $$ (eq-gnn-reflection)
#
# For $n \ge 3$ the nodes $1 - i$ and $-1 - i$ are different, so this vanishes for all $H$ only if $w_1 = w_{-1}$. A
# layer that knows the neighbours of $i$ only as a set $\mathcal{N}_i$, in no order, cannot weigh left and right
# differently. Ours can, so it does not live on the undirected ring.
#
# It lives on the directed one, which keeps the edges from $i + 1$ to $i$ alone; those from $i - 1$ are its edges read
# backwards. There an automorphism must map the successor of $i$ to the successor of $\pi(i)$, so
# $\pi(i + 1) = \pi(i) + 1$ and $\pi(i) = \pi(0) + i$: a shift. On the undirected ring $\pi(0)$ is any of $n$ nodes,
# $\pi(1)$ either of its two neighbours, and the rest follows one by one. Hence
#
# $$
# |\mathrm{Aut}(\text{directed ring})| = n , \qquad |\mathrm{Aut}(\text{undirected ring})| = 2n \qquad (n \ge 3) .
# $$ (eq-gnn-automorphisms)

# %%
measured, derived = [], []
for n in sizes:
    H, i = rng.standard_normal((n, 2)), np.arange(n)
    w_minus, w_0, w_plus = rng.standard_normal(3)
    C = circulant(three_taps(n, w_minus, w_0, w_plus))
    J = np.eye(n)[-i]  # row i is the unit vector of node −i
    measured.append((C @ J - J @ C) @ H)
    derived.append((w_minus - w_plus) * (H[(1 - i) % n] - H[(-1 - i) % n]))
verify.equal("eq-gnn-reflection", measured, derived, atol=1e-12)


def count_automorphisms(A):
    renamings = (np.array(pi) for pi in permutations(range(len(A))))
    return sum(np.array_equal(A[np.ix_(pi, pi)], A) for pi in renamings)


small = (3, 4, 5, 6)  # n! renamings are tried
directed = [
    circulant(three_taps(n, 0, 0, 1)) for n in small
]  # [n, n] each: the edges i + 1 → i
counts = [[count_automorphisms(A), count_automorphisms(A + A.T)] for A in directed]
verify.equal(
    "eq-gnn-automorphisms", np.array(counts), np.array([[n, 2 * n] for n in small])
)

# %% [markdown]
# The $n$ shifts are all the symmetry that there is. Keep that in mind: they come back as the cause of the whole
# layer.

# %% [markdown]
# :::{exercise} What a node computes
# :label: ex-gnn-ring-phi
# Give $\phi(h_i, \mathcal{N}_i)$ for the layer $C(\theta) H$ with $\theta = (w_0, w_1, 0, \dots, 0, w_{-1})$, as a
# function of the features. For which weights does it need the features of the neighbours only as a *multiset*, in no
# order? Then write the layer with matrices, `ring_layer(H, W_minus, W_0, W_plus)` for $H$ $[n, D]$ and weights
# $[D, D']$, without a loop over nodes and without an $n \times n$ matrix.
# :::

# %% [markdown] tags=["solution"]
# :::{solution-start} ex-gnn-ring-phi
# :class: dropdown
# :::
# $\phi(h_i, \mathcal{N}_i) = w_0 h_i + w_1 h_{i+1} + w_{-1} h_{i-1}$, with indices modulo $n$: row $i$ of $C(\theta)$
# holds $w_0$ in column $i$, $w_1$ in column $i + 1$, $w_{-1}$ in column $i - 1$.
#
# A function of the multiset gives the same value when the two neighbours change places, so
# $w_1 a + w_{-1} b = w_1 b + w_{-1} a$ for all $a$ and $b$, which is $(w_1 - w_{-1})(a - b) = 0$: the weights must be
# equal. Then $\phi = w_0 h_i + w_1 \sum_{j \in \mathcal{N}_i} h_j$. Otherwise $\mathcal{N}_i$ must say which
# neighbour is the next one.
#
# Rolling the rows of $H$ by $-1$ puts $h_{i+1}$ into row $i$.


# %% tags=["solution"]
def ring_layer(H, W_minus, W_0, W_plus):
    return H @ W_0 + np.roll(H, -1, axis=0) @ W_plus + np.roll(H, 1, axis=0) @ W_minus


# %% [markdown] tags=["solution"]
# :::{solution-end}
# :::

# %%
exercises.check("gnn/ring_layer", ring_layer)

# %% [markdown]
# ## The layer is a cross-correlation
#
# Take one feature a node, $x \in \mathbb{R}^n$, and any kernel. Write out row $i$ of the product and count the
# columns from the diagonal, $m = i + j$; as $m$ runs once around the ring, so does $j$:
#
# $$
# \big( C(\theta) x \big)_i = \sum_{m=0}^{n-1} \theta_{(m - i) \bmod n}\, x_m = \sum_{j=0}^{n-1} \theta_j\, x_{i+j} .
# $$ (eq-gnn-cross-correlation)
#
# The kernel slides along the signal and is not turned around: a {term}`cross-correlation`, with the ends of the
# signal joined. So is what deep learning calls convolution. `torch.nn.Conv1d` with circular padding computes the same
# layer, the one with matrices {eq}`eq-gnn-ring-channels` too; its weight, of shape $[D', D, 3]$, holds the taps in
# the order of the window, from the previous node to the next:
#
# $$
# \texttt{Conv1d}(H^\top)^\top = H'
# \quad \text{for} \quad
# \texttt{weight[:, :, m]} = W_{m-1}^\top , \quad m = 0, 1, 2 .
# $$ (eq-gnn-conv1d)

# %%
by_matrix, by_sum, by_conv1d, by_taps = [], [], [], []
for n in sizes:
    theta, x = rng.standard_normal((2, n))
    by_matrix.append(circulant(theta) @ x)
    by_sum.append(
        np.array([sum(theta[j] * x[(i + j) % n] for j in range(n)) for i in range(n)])
    )

    H = rng.standard_normal((n, D_in))
    W_minus, W_0, W_plus = rng.standard_normal((3, D_in, D_out))
    eye = np.eye(n)
    to_next, to_previous = (
        eye[(np.arange(n) + 1) % n],
        eye[np.arange(n) - 1],
    )  # (to_next @ H)_i = h_{i+1}
    by_taps.append(
        H @ W_0 + to_next @ H @ W_plus + to_previous @ H @ W_minus
    )  # [n, D_out]

    conv = torch.nn.Conv1d(
        D_in,
        D_out,
        3,
        padding=1,
        padding_mode="circular",
        bias=False,
        dtype=torch.float64,
    )
    with torch.no_grad():
        conv.weight.copy_(
            torch.from_numpy(np.stack([W_minus.T, W_0.T, W_plus.T], axis=2))
        )  # [D_out, D_in, 3]
        by_conv1d.append(
            conv(torch.from_numpy(H.T)[None])[0].T
        )  # [1, D_in, n] in, [n, D_out] out
verify.equal("eq-gnn-cross-correlation", by_matrix, by_sum, atol=1e-12)
verify.equal("eq-gnn-conv1d", by_conv1d, by_taps, atol=1e-12)

# %% [markdown]
# Move the slider to let the three taps $(w_{-1}, w_0, w_1) = (-\tfrac12, 1, 1)$ travel around a ring of 6. At $i = 0$
# and at $i = 5$ the window reaches across the seam, and nothing special happens there: a ring has no border.

# %% tags=["hide-input"]
ring_x = np.array([0.2, 0.8, 1.0, 0.4, -0.6, -0.2])
taps = {-1: -0.5, 0: 1.0, 1: 1.0}
ring_y = circulant(three_taps(6, taps[-1], taps[0], taps[1])) @ ring_x


def draw_window(i, n=6):
    fig, (ring, signal) = plt.subplots(1, 2, figsize=(7, 2.8), width_ratios=(1, 1.6))
    places = on_circle(n)
    ring.plot(
        *np.append(places, places[:1], axis=0).T,
        color=display.INK,
        lw=0.8,
        ls="-",
        marker="",
        alpha=0.5,
    )
    draw_nodes(
        ring, places, {(i + tap) % n: color for tap, color in tap_colors.items()}
    )
    for tap, name in tap_names.items():
        ring.text(*(1.4 * places[(i + tap) % n]), name, ha="center", va="center")
    ring.set(xlim=(-1.6, 1.6), ylim=(-1.6, 1.6), aspect="equal")
    ring.axis("off")
    signal.bar(range(i + 1), ring_y[: i + 1], width=0.5, color=display.INK, alpha=0.25)
    signal.bar(
        i, ring_y[i], width=0.5, color=display.COLORS[0], label=r"output $C(\theta)\,x$"
    )
    signal.plot(ring_x, color=display.INK, ls="", marker="D", ms=5, label="input $x$")
    signal.axhline(0, color=display.INK, lw=0.8)
    signal.set(
        xlim=(-0.5, n - 0.5),
        ylim=(-1.6, 2.6),
        xticks=range(n),
        yticks=(-1, 0, 1, 2),
        xlabel="node",
    )
    signal.legend(loc="upper right", ncols=2, frameon=False)
    signal.grid(False)
    return fig


def describe_window(i, n=6):
    terms = " + ".join(f"({taps[t]:g})({ring_x[(i + t) % n]:g})" for t in (-1, 0, 1))
    nodes = f"{(i - 1) % n}, {i} and {(i + 1) % n}"
    return f"The taps stand on nodes {nodes} of the ring; output {i} is {terms} = {ring_y[i]:.2f}."


display.slider(draw_window, range(6), label="node i", alt=describe_window)

# %% [markdown]
# What mathematics calls the convolution $\theta * x$ turns the kernel around. It is the product with the transpose,
# whose first *column* is $\theta$, because $C(\theta)^\top_{im} = \theta_{i - m}$; substitute $j = i - m$:
#
# $$
# \big( C(\theta)^\top x \big)_i = \sum_{j=0}^{n-1} \theta_j\, x_{i-j} =: (\theta * x)_i .
# $$ (eq-gnn-true-convolution)
#
# It is the rule for multiplying polynomials whose powers wrap around, $z^n = 1$. The check does just that.


# %%
def wrapped_product(a, b):
    """Coefficients [n] of the product of the polynomials with coefficients a and b, with z^n replaced by 1."""
    product = np.append(np.convolve(a, b), 0.0)  # powers 0 to 2n − 1
    return product[: len(a)] + product[len(a) :]


pairs = [rng.standard_normal((2, n)) for n in sizes]
verify.equal(
    "eq-gnn-true-convolution",
    [circulant(theta).T @ x for theta, x in pairs],
    [wrapped_product(theta, x) for theta, x in pairs],
    atol=1e-12,
)

# %% [markdown]
# A network that learns $\theta$ does not care which of the two it is given, since it can learn the turned kernel as
# well. A theorem does: a conjugate, below, depends on it.

# %% [markdown]
# :::{exercise} Which operation is it?
# :label: ex-gnn-ring-operation
# With one feature a node, $H$ is a column. Which operation on signals is the layer $C(\theta) H$: which sum, which
# direction, which boundary? For which kernel $\eta$ is $C(\eta) x = \theta * x$, and for which $\theta$ is there no
# difference? Write `true_convolution(theta, x)` for arrays $[n]$.
# :::

# %% [markdown] tags=["solution"]
# :::{solution-start} ex-gnn-ring-operation
# :class: dropdown
# :::
# It is the circular (periodic) cross-correlation of the signal with the kernel, {eq}`eq-gnn-cross-correlation`: one
# channel of a convolutional layer with kernel size 3 and circular padding. Its three terms are
# $w_{-1} x_{i-1} + w_0 x_i + w_1 x_{i+1}$.
#
# In $\sum_j \theta_j x_{i-j}$ put $-j$ for $j$: it becomes $\sum_j \theta_{-j} x_{i+j}$. So $\eta_j = \theta_{-j}$,
# the kernel read backwards with $\eta_0 = \theta_0$ in its place; here, $w_1$ and $w_{-1}$ are exchanged. There is no
# difference when $\theta_j = \theta_{-j}$ for all $j$.


# %% tags=["solution"]
def true_convolution(theta, x):
    n = len(theta)
    return np.array(
        [sum(theta[j] * x[(i - j) % n] for j in range(n)) for i in range(n)]
    )


# %% [markdown] tags=["solution"]
# :::{solution-end}
# :::

# %%
exercises.check("gnn/true_convolution", true_convolution)

# %% [markdown]
# ## The shift
#
# The simplest kernel with an effect is $(0, 1, 0, \dots, 0)$. Call its matrix $S$. By {eq}`eq-gnn-cross-correlation`
# with $\theta_j = [j = 1]$,
#
# $$
# S := C\big((0, 1, 0, \dots, 0)\big) , \qquad (S x)_i = x_{i+1} .
# $$ (eq-gnn-shift)
#
# Every value moves one place, from node $i + 1$ to node $i$. $S$ is also the adjacency matrix of the directed ring,
# and a product with it is one round of messages. Apply it $j$ times and values have come $j$ places:
# $(S^j x)_i = x_{i+j}$. After $n$ times they are home, $S^n = I$, so $S^{-1} = S^{n-1}$, which moves one place back.
# $S$ is a permutation matrix, a single 1 in each row and each column, so $S^{-1}$ is also $S^\top$. Compare
# $(S^j x)_i = x_{i+j}$ with {eq}`eq-gnn-cross-correlation`: it is the sum of such terms, weighted with $\theta_j$.
#
# $$
# C(\theta) = \sum_{j=0}^{n-1} \theta_j\, S^j .
# $$ (eq-gnn-shift-polynomial)

# %%
shifts = {n: circulant(np.eye(n)[1]) for n in sizes}
signals = {n: rng.standard_normal(n) for n in sizes}
verify.equal(
    "eq-gnn-shift",
    [shifts[n] @ signals[n] for n in sizes],
    [np.roll(signals[n], -1) for n in sizes],
)

kernels = {n: rng.standard_normal(n) for n in sizes}
powers = {n: [np.linalg.matrix_power(shifts[n], j) for j in range(n)] for n in sizes}
verify.equal(
    "eq-gnn-shift-polynomial",
    [circulant(kernels[n]) for n in sizes],
    [
        sum(theta_j * S_j for theta_j, S_j in zip(kernels[n], powers[n], strict=True))
        for n in sizes
    ],
    atol=1e-12,
)

# %% [markdown]
# A layer on the ring is *a polynomial in one matrix*, and the kernel is its list of coefficients. Whoever understands
# $S$ understands all of them.

# %% [markdown]
# :::{exercise} What the shift does
# :label: ex-gnn-ring-shift
# What does the layer do to a signal when its kernel is $\tilde\theta = (0, 1, 0, \dots, 0)$, and what do $n$ such
# layers, one after the other? What is its inverse? Write `shift_kernel(n, m)`: the kernel whose layer gives $x_{i+m}$
# at node $i$, for any whole $m$, negative ones too.
# :::

# %% [markdown] tags=["solution"]
# :::{solution-start} ex-gnn-ring-shift
# :class: dropdown
# :::
# Here $w_1 = 1$ and the rest is zero, so $\phi(h_i, \mathcal{N}_i) = h_{i+1}$: the whole signal moves by one node,
# towards lower numbers, $(x_0, x_1, \dots, x_{n-1}) \mapsto (x_1, \dots, x_{n-1}, x_0)$. It is a permutation: nothing
# is lost, and $n$ of them are the identity. The inverse is the shift the other way, with kernel $(0, \dots, 0, 1)$.
#
# Moving by $m$ is $S^m$, with a single 1 at place $m \bmod n$.


# %% tags=["solution"]
def shift_kernel(n, m):
    theta = np.zeros(n)
    theta[m % n] = 1
    return theta


# %% [markdown] tags=["solution"]
# :::{solution-end}
# :::

# %%
exercises.check("gnn/shift_kernel", shift_kernel)

# %% [markdown]
# ## The signals that a shift only multiplies
#
# Which signals does $S$ leave alone up to a factor? Ask for $S v = \mu v$ with $v \ne 0$ and read it entry by entry:
#
# 1. $v_{i+1} = \mu v_i$ at every node, so $v_i = \mu^i v_0$ for $i = 0, \dots, n - 1$. In particular $v_0 \ne 0$, or
#    all of $v$ would vanish.
# 2. The ring closes: at $i = n - 1$ the equation says $v_0 = \mu v_{n-1} = \mu^n v_0$. Divide by $v_0$: $\mu^n = 1$.
# 3. There are exactly $n$ such numbers, the powers of $\omega = e^{2\pi i / n}$: $\mu = \omega^k$ for
#    $k = 0, \dots, n - 1$.
# 4. Conversely each of them works: $v_u = \omega^{ku}$ satisfies the equation at every node, at the seam too as
#    $\omega^{kn} = 1$.
#
# These are the {term}`Fourier mode`s. Scale them to length 1 (each entry has modulus 1, so the length of $v$ is
# $\sqrt n$) and make them the columns of a matrix:
#
# $$
# \Phi_{uk} = \frac{1}{\sqrt n}\, \omega^{uk} , \qquad \omega = e^{2 \pi i / n} , \qquad u, k = 0, \dots, n - 1 .
# $$ (def-gnn-dft-matrix)
#
# Here $i$ in the exponent is the imaginary unit, $u$ is a node and $k$ a frequency. The four steps say that
#
# $$
# S\, \Phi = \Phi\, \mathrm{diag}(1, \omega, \omega^2, \dots, \omega^{n-1}) .
# $$ (eq-gnn-shift-modes)
#
# The eigenvalues are all different, and each has one eigenvector up to a factor, because $v_0$ determines $v$.
#
# The modes are orthonormal. Entry $(k, l)$ of $\Phi^* \Phi$ is $\frac1n \sum_u \overline{\omega^{uk}}\, \omega^{ul}$,
# and $\overline{\omega^{uk}} = \omega^{-uk}$, so it is $\frac1n \sum_u r^u$ with $r = \omega^{l-k}$. For $k = l$ all
# $n$ terms are 1, and so is their mean. For $k \ne l$, $r \ne 1$, and the geometric sum is
# $\sum_{u=0}^{n-1} r^u = \frac{1 - r^n}{1 - r} = 0$, since $r^n = \omega^{n(l-k)} = 1$. Hence
#
# $$
# \Phi^* \Phi = I .
# $$ (eq-gnn-orthonormal)


# %%
def dft_matrix(n):
    omega = np.exp(2j * np.pi / n)
    return np.array(
        [[omega ** ((u * k) % n) for k in range(n)] for u in range(n)]
    ) / np.sqrt(n)


modes = {n: dft_matrix(n) for n in sizes}  # [n, n] each
roots = {
    n: np.exp(2j * np.pi * np.arange(n) / n) for n in sizes
}  # [n] each: 1, ω, ω², …
verify.equal(
    "eq-gnn-shift-modes",
    [shifts[n] @ modes[n] for n in sizes],
    [modes[n] @ np.diag(roots[n]) for n in sizes],
    atol=1e-12,
)
verify.equal(
    "eq-gnn-orthonormal",
    [Phi.conj().T @ Phi for Phi in modes.values()],
    [np.eye(n) for n in sizes],
    atol=1e-12,
)

# %% [markdown]
# A square matrix with $\Phi^* \Phi = I$ also has $\Phi \Phi^* = I$, so the two products $\hat x = \Phi^* x$ and
# $x = \Phi \hat x$ undo each other: the discrete Fourier transform and its inverse, both with the factor $1/\sqrt n$.
# Turn through the modes of a ring of 8. On the left is the factor $\omega^k$ by which a shift multiplies the mode.
# For $k > 4$ it turns the other way: mode $8 - k$ is the conjugate of mode $k$, so $k$ and $8 - k$ are *one*
# frequency, with two directions of travel.

# %% tags=["hide-input"]
MODE_N = 8


def draw_mode(k, n=MODE_N):
    fig, (plane, wave) = plt.subplots(1, 2, figsize=(7, 2.7), width_ratios=(1, 1.7))
    plane.plot(
        *on_circle(37).T, color=display.INK, lw=0.8, ls="-", marker="", alpha=0.5
    )
    roots = np.exp(2j * np.pi * np.arange(n) / n)
    plane.plot(roots.real, roots.imag, color=display.INK, ls="", marker="o", ms=3)
    factor = (roots[k].real, roots[k].imag)
    plane.plot(
        *zip((0, 0), factor, strict=True),
        color=display.COLORS[2],
        lw=2,
        ls="-",
        marker="",
    )
    plane.plot(*factor, color=display.COLORS[2], marker="o", ms=7)
    plane.text(
        1.3 * factor[0], 1.3 * factor[1], rf"$\omega^{{{k}}}$", ha="center", va="center"
    )
    plane.text(0, 0.12, "0", ha="center")
    plane.set(xlim=(-1.6, 1.6), ylim=(-1.6, 1.6), aspect="equal")
    plane.axis("off")

    u, turns = (
        np.linspace(0, n, 49),
        k if k <= n // 2 else k - n,
    )  # drawn at the lower of the frequencies that fit
    for part, name, color, style, marker in (
        (np.cos, "real part", display.COLORS[0], "-", "o"),
        (np.sin, "imaginary part", display.COLORS[1], "--", "s"),
    ):
        wave.plot(
            u,
            part(2 * np.pi * turns * u / n),
            color=color,
            lw=1,
            ls=style,
            marker="",
            alpha=0.6,
        )
        wave.plot(
            part(2 * np.pi * k * np.arange(n) / n),
            color=color,
            ls="",
            marker=marker,
            ms=5,
            label=name,
        )
    wave.axhline(0, color=display.INK, lw=0.8)
    wave.set(
        ylim=(-1.25, 1.7),
        xticks=range(0, n + 1, 2),
        yticks=(-1, 0, 1),
        xlabel="node $u$",
    )
    wave.set_ylabel(rf"$\sqrt{{n}}\,\Phi_{{u,{k}}}$")
    wave.legend(loc="upper right", ncols=2, frameon=False)
    wave.grid(False)
    return fig


def describe_mode(k, n=MODE_N):
    turns = min(k, n - k)
    way = (
        ""
        if k in (0, n // 2)
        else ", counter-clockwise"
        if k < n // 2
        else ", clockwise"
    )
    return (
        f"Mode {k} of a ring of {n}: its real and imaginary parts are a cosine and a sine with {turns} full "
        f"wave{'s' * (turns != 1)} around the ring; a shift multiplies it by the number of modulus 1 at an angle of "
        f"{360 * turns // n} degrees{way}."
    )


display.slider(draw_mode, range(MODE_N), label="mode k", alt=describe_mode)

# %% [markdown]
# ## All circulants at once
#
# A mode is multiplied by $\omega^k$ each time that $S$ is applied, so $S^j \Phi_{:,k} = \omega^{jk}\, \Phi_{:,k}$.
# Put this into {eq}`eq-gnn-shift-polynomial`:
#
# $$
# C(\theta)\, \Phi_{:,k} = \sum_{j=0}^{n-1} \theta_j\, S^j\, \Phi_{:,k} = \lambda_k\, \Phi_{:,k} ,
# \qquad \lambda_k = \sum_{j=0}^{n-1} \theta_j\, \omega^{jk} .
# $$ (eq-gnn-eigenvalues)
#
# The kernel enters the eigenvalues only. *The eigenvectors are the columns of $\Phi$, for every circulant matrix.*
# Write the $n$ equations side by side, $C(\theta)\, \Phi = \Phi\, \mathrm{diag}(\lambda)$, and multiply by
# $\Phi^* = \Phi^{-1}$ from the right:
#
# $$
# C(\theta) = \Phi\, \mathrm{diag}(\lambda)\, \Phi^* .
# $$ (eq-gnn-diagonalisation)


# %%
def eigenvalues(theta):
    n = len(theta)
    omega = np.exp(2j * np.pi / n)
    return np.array(
        [sum(theta[j] * omega ** ((j * k) % n) for j in range(n)) for k in range(n)]
    )


thetas = [
    theta
    for n in sizes
    for theta in (
        rng.standard_normal(n),
        rng.standard_normal(n) + 1j * rng.standard_normal(n),
    )
]
verify.equal(
    "eq-gnn-eigenvalues",
    [circulant(theta) @ modes[len(theta)] for theta in thetas],
    [eigenvalues(theta) * modes[len(theta)] for theta in thetas],  # λ_k times column k
    atol=1e-12,
)
verify.equal(
    "eq-gnn-diagonalisation",
    [
        fast.dft_matrix(len(theta))
        @ np.diag(fast.eigenvalues(theta))
        @ fast.dft_matrix(len(theta)).conj().T
        for theta in thetas
    ],
    [circulant(theta) for theta in thetas],
    atol=1e-12,
)

# %% [markdown]
# The second check took $\Phi$ and $\lambda$ from `helpers.gnn.circulant`, where the loops of this chapter are
# replaced by array operations and the sum for $\lambda$ by a fast Fourier transform.
#
# The eigenvalues tell what a layer does to each frequency: $|\lambda_k|$ is how much of it passes, the angle of
# $\lambda_k$ how far it is moved. With three taps, $\omega^k = \cos\alpha + i \sin\alpha$ and
# $\omega^{-k} = \cos\alpha - i \sin\alpha$ for $\alpha = 2\pi k / n$, so
#
# $$
# \lambda_k = w_0 + w_1 \omega^k + w_{-1} \omega^{-k}
# = w_0 + (w_1 + w_{-1}) \cos\alpha + i\, (w_1 - w_{-1}) \sin\alpha .
# $$ (eq-gnn-ellipse)

# %%
many_taps = [(n, *rng.standard_normal(3)) for n in sizes]
formula = []
for n, w_minus, w_0, w_plus in many_taps:
    alpha = 2 * np.pi * np.arange(n) / n
    formula.append(
        w_0
        + (w_plus + w_minus) * np.cos(alpha)
        + 1j * (w_plus - w_minus) * np.sin(alpha)
    )
verify.equal(
    "eq-gnn-ellipse",
    [eigenvalues(three_taps(*taps)) for taps in many_taps],
    formula,
    atol=1e-12,
)

# %% tags=["hide-input"]
n = 24
shown = {
    "average $(1, 1, 1)/3$": (1 / 3, 1 / 3, 1 / 3),
    "shift $(0, 0, 1)$": (0, 0, 1),
    r"difference $(-\frac{1}{2}, 0, \frac{1}{2})$": (-0.5, 0, 0.5),
    "lopsided $(0.1, 0.5, 0.4)$": (0.1, 0.5, 0.4),
}
fig, (gain, plane) = plt.subplots(1, 2, figsize=(7.2, 3.5), width_ratios=(1.3, 1))
for (name, (w_minus, w_0, w_plus)), color, marker in zip(
    shown.items(), display.COLORS, "os^D", strict=False
):
    response = fast.eigenvalues(three_taps(n, w_minus, w_0, w_plus))
    half = np.arange(n // 2 + 1)
    gain.plot(
        half / n,
        np.abs(response[half]),
        color=color,
        marker=marker,
        markevery=2,
        label=name,
    )
    closed = np.append(response, response[0])
    plane.plot(closed.real, closed.imag, color=color, marker=marker, markevery=4)
gain.set(
    xlabel="frequency $k/n$, waves a node", ylabel=r"gain $|\lambda_k|$", ylim=(0, 1.1)
)
plane.set(
    xlabel=r"real part of $\lambda_k$",
    ylabel=r"imaginary part",
    aspect="equal",
    xticks=(-1, 0, 1),
    yticks=(-1, 0, 1),
)
fig.legend(loc="outside lower center", ncols=2, title=r"kernel $(w_{-1}, w_0, w_1)$")
display.show(
    fig,
    alt="Left, gain against frequency for four kernels: the average passes low frequencies and is zero at one third; "
    "the shift passes all alike; the difference passes the middle ones and stops zero and one half; the lopsided one "
    "falls from 1 to 0. Right, their eigenvalues in the complex plane: the shift's lie on the unit circle, the "
    "average's on the real axis, the difference's on the imaginary axis, the lopsided kernel's on an ellipse.",
)

# %% [markdown]
# {eq}`eq-gnn-ellipse` is an ellipse with centre $w_0$ and half axes $|w_1 + w_{-1}|$ and $|w_1 - w_{-1}|$. Ignore the
# directions of the ring, $w_1 = w_{-1}$, and it collapses to a piece of the real axis: *a layer that cannot tell left
# from right can amplify and damp a wave, and never move it.*

# %% [markdown]
# ## The convolution theorem
#
# Apply {eq}`eq-gnn-diagonalisation` to a signal, from right to left: transform it, multiply each frequency by a
# number, transform back. With $\odot$ for the entry-wise product,
# $C(\theta) x = \Phi\, \mathrm{diag}(\lambda)\, \Phi^* x = \Phi (\lambda \odot \hat x)$. It remains to say $\lambda$
# through the transform of the kernel, $\hat\theta = \Phi^* \theta$, whose entries are
# $\hat\theta_k = \frac{1}{\sqrt n} \sum_j \theta_j\, \omega^{-jk}$. The sum for $\lambda_k$ has the other sign in the
# exponent and no factor in front. If $\theta$ is real, conjugating $\hat\theta_k$ mends the sign:
# $\overline{\hat\theta_k} = \frac{1}{\sqrt n} \sum_j \theta_j\, \omega^{jk} = \lambda_k / \sqrt n$. So
#
# $$
# C(\theta)\, x = \Phi \big( \sqrt n\; \overline{\hat\theta} \odot \hat x \big) \qquad (\theta \text{ real}) .
# $$ (eq-gnn-convolution-theorem)
#
# For a complex $\theta$ conjugation would reach its entries too. But $\Phi$ is symmetric, so
# $\sum_j \theta_j \omega^{kj}$ is $\sqrt n$ times entry $k$ of $\Phi \theta$, and that always holds:
#
# $$
# C(\theta)\, x = \Phi \big( \sqrt n\; \Phi \theta \odot \hat x \big) .
# $$ (eq-gnn-convolution-theorem-complex)
#
# And the convolution proper? Transpose {eq}`eq-gnn-shift-polynomial`: $C(\theta)^\top = \sum_j \theta_j S^{-j}$,
# which multiplies mode $k$ by $\sum_j \theta_j \omega^{-jk} = \sqrt n\, \hat\theta_k$. No conjugate, for real and for
# complex kernels:
#
# $$
# \theta * x = C(\theta)^\top x = \Phi \big( \sqrt n\; \hat\theta \odot \hat x \big) .
# $$ (eq-gnn-convolution-theorem-proper)

# %%
real_pairs = [rng.standard_normal((2, n)) for n in sizes]
complex_pairs = [
    rng.standard_normal((2, n)) + 1j * rng.standard_normal((2, n)) for n in sizes
]


def transform(x):
    return fast.dft_matrix(len(x)).conj().T @ x  # x̂ = Φ* x


def transform_back(x_hat):
    return fast.dft_matrix(len(x_hat)) @ x_hat  # x = Φ x̂


verify.equal(
    "eq-gnn-convolution-theorem",
    [circulant(theta) @ x for theta, x in real_pairs],
    [
        transform_back(np.sqrt(len(x)) * transform(theta).conj() * transform(x))
        for theta, x in real_pairs
    ],
    atol=1e-12,
)
verify.equal(
    "eq-gnn-convolution-theorem-complex",
    [circulant(theta) @ x for theta, x in complex_pairs],
    [
        transform_back(np.sqrt(len(x)) * transform_back(theta) * transform(x))
        for theta, x in complex_pairs
    ],
    atol=1e-12,
)
verify.equal(
    "eq-gnn-convolution-theorem-proper",
    [wrapped_product(theta, x) for theta, x in complex_pairs],
    [
        transform_back(np.sqrt(len(x)) * transform(theta) * transform(x))
        for theta, x in complex_pairs
    ],
    atol=1e-12,
)

# %% [markdown]
# You will meet the theorem as "$C(\theta) x = \Phi (\hat\theta \odot \hat x)$", without the root and without the bar.
# If the transform has no factor in front there is no root, and if $\theta$ is the first column there is no bar. In
# the conventions of this chapter both are needed. Compare with {eq}`eq-gnn-convolution-theorem-proper` to see what
# that product is for a real kernel: the convolution instead of the cross-correlation, and too small by $\sqrt n$.
#
# $$
# \Phi \big( \hat\theta \odot \hat x \big) = \frac{1}{\sqrt n}\, C(\theta)^\top x .
# $$ (eq-gnn-printed-theorem)
#
# A pulse shows the difference: $C(\theta)$ places the kernel before it, read backwards, the transpose after it.

# %%
verify.equal(
    "eq-gnn-printed-theorem",
    [transform_back(transform(theta) * transform(x)).real for theta, x in real_pairs],
    [wrapped_product(theta, x) / np.sqrt(len(x)) for theta, x in real_pairs],
    atol=1e-12,
)


def relative_error(wrong, right):
    return np.linalg.norm(wrong - right) / np.linalg.norm(right)


n = 64
theta, x = rng.standard_normal((2, n))
right, printed = (
    circulant(theta) @ x,
    transform_back(transform(theta) * transform(x)).real,
)
glue(
    "gnn-printed-size",
    f"{np.linalg.norm(printed) / np.linalg.norm(right):.3f}",
    display=False,
)
glue("gnn-printed-error", f"{100 * relative_error(printed, right):.0f}%", display=False)
glue(
    "gnn-rooted-error",
    f"{100 * relative_error(np.sqrt(n) * printed, right):.0f}%",
    display=False,
)

# %% tags=["hide-input"]
n = 32
theta, x = np.zeros(n), np.eye(n)[16]
theta[:6] = 1 - np.arange(6) / 6
printed = transform_back(transform(theta) * transform(x)).real
fig, ax = plt.subplots(figsize=(7, 2.8))
for values, color, marker, offset, name in (
    (circulant(theta) @ x, display.COLORS[0], "o", -0.15, r"$C(\theta)\,x$"),
    (printed, display.COLORS[1], "s", 0.15, r"$\Phi(\hat\theta \odot \hat x)$"),
):
    node = np.flatnonzero(values.round(9))
    ax.vlines(node + offset, 0, values[node], color=color, lw=1.5)
    ax.plot(node + offset, values[node], color=color, marker=marker, ls="", label=name)
ax.axvline(16, color=display.INK, lw=0.8, ls=":")
ax.annotate("pulse at node 16", (16, 1.05), (17, 1.05), va="center")
ax.set(xlabel="node", ylabel="output", xlim=(-0.5, n - 0.5), ylim=(-0.05, 1.15))
ax.legend(loc="upper right")
display.show(
    fig,
    alt="Response to a pulse at node 16 of 32. C of theta times x rises in six steps from node 11 to a height of 1 at "
    "node 16. The product without root and conjugate falls from node 16 to node 21 instead, and is less than a fifth "
    "as high.",
)

# %% [markdown]
# On a random kernel and signal with $n = 64$ the product without both has {glue:text}`gnn-printed-size` times the
# right length and is {glue:text}`gnn-printed-error` wrong, in the norm of the difference over the norm of the right
# answer. Putting back the root alone does not help: {glue:text}`gnn-rooted-error`. Only for a kernel that is its own
# mirror image is the root all that is missing.

# %% [markdown]
# :::{exercise} The theorem in one line, and in code
# :label: ex-gnn-convolution-theorem
# You know that $C(\theta)$ has the columns of $\Phi$ as eigenvectors and the entries of
# $\lambda = \sqrt n\,\overline{\hat\theta}$ as eigenvalues, for a real $\theta$. Derive
# {eq}`eq-gnn-convolution-theorem` in one line. Then write `fast_product(theta, x)`, which returns $C(\theta) x$ with
# `np.fft` and without an $n \times n$ matrix, for real and complex arrays. NumPy's `fft` has no $1/\sqrt n$ and its
# `ifft` has $1/n$: what becomes of the root? The last test has $n = 2^{20}$.
# :::

# %% [markdown] tags=["solution"]
# :::{solution-start} ex-gnn-convolution-theorem
# :class: dropdown
# :::
# $$
# C(\theta)\, x = \Phi\, \mathrm{diag}(\lambda)\, \Phi^* x = \Phi\, \mathrm{diag}(\lambda)\, \hat x
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
exercises.check("gnn/fast_product", fast_product)

# %% [markdown]
# ## What commutes with a shift
#
# Two matrices with a common basis of eigenvectors commute: each multiplies every basis vector by a number, and
# numbers may be multiplied in either order. For circulants you can see more. The product of two polynomials in $S$ is
# a polynomial in $S$, and its coefficients are those of a product of polynomials with $S^n = I$, the convolution of
# the two kernels:
#
# $$
# C(\theta)\, C(\eta) = C(\theta * \eta) = C(\eta)\, C(\theta) .
# $$ (eq-gnn-commute)
#
# Two layers without a non-linearity between them are one layer with a wider kernel.

# %%
kernel_pairs = [rng.standard_normal((2, n)) for n in sizes]
products = [
    (circulant(a) @ circulant(b), circulant(b) @ circulant(a)) for a, b in kernel_pairs
]
verify.equal(
    "eq-gnn-commute",
    [product for both in products for product in both],
    [circulant(wrapped_product(a, b)) for a, b in kernel_pairs for _ in range(2)],
    atol=1e-12,
)

# %% [markdown]
# The general statement goes both ways.
#
# :::{prf:theorem} Commuting matrices
# :label: thm-gnn-commuting
# Two diagonalisable matrices $A, B \in \mathbb{C}^{n \times n}$ have a common basis of eigenvectors if and only if
# $AB = BA$.
# :::
#
# :::{prf:proof}
# *A common basis, then they commute.* With the basis as the columns of $V$, $A = V \Lambda V^{-1}$ and
# $B = V M V^{-1}$ with diagonal $\Lambda$ and $M$. Then $AB = V \Lambda M V^{-1} = V M \Lambda V^{-1} = BA$, because
# diagonal matrices commute.
#
# *They commute, then there is a common basis.* Let $E = \{ v : Av = \alpha v \}$ be an eigenspace of $A$. For
# $v \in E$, $A(Bv) = B(Av) = \alpha\, Bv$, so $Bv \in E$: $B$ maps $E$ into itself, and so does every polynomial in
# $B$. Since $B$ is diagonalisable, $v = \sum_\beta v_\beta$ with $B v_\beta = \beta v_\beta$, the sum over the
# distinct eigenvalues of $B$. The polynomial $p_\beta(z) = \prod_{\gamma \ne \beta} (z - \gamma)/(\beta - \gamma)$ is
# 1 at $\beta$ and 0 at the other eigenvalues, so $p_\beta(B)\, v = v_\beta$. Hence $v_\beta \in E$: each $v \in E$ is
# a sum of vectors that are eigenvectors of $A$ *and* of $B$. Pick a basis of each intersection of an eigenspace of
# $A$ with one of $B$. Together they span all eigenspaces of $A$, and these span everything.
# :::
#
# With $A = S$ it becomes short, and needs nothing of $B$: the eigenspaces of $S$ are lines, so if $B$ commutes with
# $S$, $B\Phi_{:,k}$ is a multiple of $\Phi_{:,k}$ for every $k$. Then $B = \Phi\,\mathrm{diag}(\mu)\,\Phi^*$ for some
# $\mu$. Is that a circulant? Look at the entries. Those of $S M S^\top$ are $M_{i+1, j+1}$, and $SM = MS$ is the same
# as $S M S^\top = M$, since $S^\top = S^{-1}$. So $M$ commutes with $S$ exactly when $M_{i+1,j+1} = M_{ij}$ for all
# $i$ and $j$. Take this $i$ steps back, to row 0, and $M_{ij} = M_{i-1,j-1} = \dots = M_{0,j-i}$; and where the
# entries depend on $j - i$ alone, a step along the diagonal changes nothing. Entries $M_{0,j-i}$ are those of a
# circulant:
#
# $$
# M S = S M \quad \Longleftrightarrow \quad M = C(\theta) \ \text{ with } \theta_j = M_{0j} .
# $$ (eq-gnn-shift-equivariance)
#
# The check solves the linear equations $MS - SM = 0$ for the $n^2$ unknown entries of $M$, and compares the space of
# solutions with the span of $I, S, \dots, S^{n-1}$, both as orthogonal projections.

# %%
solved, derived = [], []
for n in (3, 4, 5, 8):
    S, identity = circulant(np.eye(n)[1]), np.eye(n)
    equations = np.kron(identity, S.T) - np.kron(
        S, identity
    )  # times M.ravel() they give (M S − S M).ravel(); [n², n²]
    _, singular_values, V = np.linalg.svd(equations)
    solutions = V[
        singular_values < 1e-10
    ]  # [number of solutions, n²], orthonormal rows
    solved.append(solutions.T @ solutions)
    span = np.stack([np.linalg.matrix_power(S, j).ravel() for j in range(n)]) / np.sqrt(
        n
    )  # orthonormal as well
    derived.append(span.T @ span)
verify.equal("eq-gnn-shift-equivariance", solved, derived, atol=1e-12)

# %% [markdown]
# Read $C(\theta) S x = S\, C(\theta) x$ aloud: *move the input, and the output moves along*. This is what a
# convolutional layer promises, an edge detector that works wherever the edge is. And now the statement is stronger
# than a promise: among all linear maps on a ring, those that keep it are the circulants and no others. Nobody has to
# decide to share weights; whoever asks for the symmetry gets the sharing.

# %% [markdown]
# :::{exercise} Commuting with a shift
# :label: ex-gnn-commuting
# Two matrices are diagonal in the same basis. What follows for their products, and does the converse hold? What does
# it mean in practice when both are circulant and one is $C\big((0, 1, 0, \dots, 0)\big)$? Use your answer to write
# `is_circulant(M)`, for a square array, without looking at single entries; allow for rounding.
# :::

# %% [markdown] tags=["solution"]
# :::{solution-start} ex-gnn-commuting
# :class: dropdown
# :::
# They commute: $AB = V\Lambda M V^{-1} = V M \Lambda V^{-1} = BA$. Conversely, if two *diagonalisable* matrices
# commute, a common basis exists ({prf:ref}`thm-gnn-commuting`). Without that word the converse is false:
# $\begin{bmatrix} 0 & 1 \\ 0 & 0 \end{bmatrix}$ commutes with itself and has no basis of eigenvectors.
#
# With the shift as one of the two, $C(\theta) S = S\, C(\theta)$: shifting a signal and then filtering it gives the
# same as filtering and then shifting. The layer is translation equivariant, as the convolutions of a CNN are: a
# pattern is found wherever it stands, and its place is passed on. By {eq}`eq-gnn-shift-equivariance` only circulants
# can do so, which makes it a test.


# %% tags=["solution"]
def is_circulant(M):
    S = np.roll(np.eye(len(M)), 1, axis=1)
    return np.allclose(M @ S, S @ M)


# %% [markdown] tags=["solution"]
# :::{solution-end}
# :::

# %%
exercises.check("gnn/is_circulant", is_circulant)

# %% [markdown]
# ## Sharing is symmetry
#
# Nothing in the last argument was special to shifts. Let $M$ be any linear layer on $n$ nodes, one number each, and
# $\pi$ a renaming with the matrix $P$. Then $MP = PM$ is the same as $P M P^\top = M$, or
# $M_{\pi(i)\pi(j)} = M_{ij}$. Ask it for all $\pi$ in a group, and $M$ has *one free weight for each class of pairs
# $(i, j)$ that the group carries into one another* {cite}`ravanbakhsh2017equivariance`. Count the classes:
#
# - no symmetry: each pair is a class of its own;
# - the shifts: a pair can be moved wherever its difference $j - i$ is kept, so a class is a difference;
# - shifts and reflections: the difference may also change its sign;
# - all permutations: any pair goes to any other, except that $i = j$ stays so.
#
# $$
# \text{free weights} =
# \begin{cases}
# n^2 & \text{no symmetry: a dense layer,} \\
# n & \text{shifts: a convolution,} \\
# \lfloor n/2 \rfloor + 1 & \text{shifts and reflections: a symmetric kernel,} \\
# 2 & \text{all permutations: } a I + b\, \mathbf{1}\mathbf{1}^\top .
# \end{cases}
# $$ (eq-gnn-free-weights)
#
# The check counts the solutions of $P M P^\top = M$ numerically; it is enough to ask for permutations that generate
# the group.


# %%
def free_weights(n, generators):
    equations = [
        np.kron(P, P) - np.eye(n * n) for P in generators
    ]  # times M.ravel(): (P M Pᵀ − M).ravel()
    return n * n - (
        np.linalg.matrix_rank(np.concatenate(equations)) if generators else 0
    )


counted, formula = [], []
for n in (3, 4, 5, 6, 7):
    S, J = circulant(np.eye(n)[1]), np.eye(n)[-np.arange(n)]
    swap = np.eye(n)[
        [1, 0, *range(2, n)]
    ]  # one exchange of neighbours and the shifts generate all permutations
    counted.append([free_weights(n, group) for group in ([], [S], [S, J], [S, swap])])
    formula.append([n * n, n, n // 2 + 1, 2])
verify.equal("eq-gnn-free-weights", np.array(counted), np.array(formula))

# %% [markdown]
# This is the idea of the whole book in one equation. A convolution shares weights along shifts in space. A recurrent
# network shares them along shifts in time. A layer on graphs shares them along renamings of nodes, and how much
# depends on how symmetric the graph is: on a set without edges only $a$ and $b$ are left {cite}`zaheer2017deepsets`.
# Looking one hop far is a second, separate restriction, which leaves 3 of the $n$ weights of a convolution.

# %% [markdown]
# ## What the diagonal form buys
#
# A dense product takes $n^2$ multiplications. The spectral one takes three transforms, of $\theta$, of $x$ and back,
# and the fast Fourier transform {cite}`cooley1965algorithm` does each in a number of steps that grows like
# $n \log n$. The benchmark times both products.

# %% tags=["hide-input"]
record = records.load("benchmarks", "circulant")
curves, metrics, settings = record["curves"], record["metrics"], record["parameters"]
dense_seconds = dict(zip(curves["dense_n"], curves["dense_seconds"], strict=True))
fft_seconds = dict(zip(curves["fft_n"], curves["fft_seconds"], strict=True))
largest_dense, largest_fft = max(dense_seconds), max(fft_seconds)


def order(name):
    return f"{metrics[name]:.2f} ± {metrics[name + '_standard_error']:.2f}"


provenance = record["provenance"]
glue("gnn-dense-order", order("dense_order"), display=False)
glue("gnn-fft-order", order("fft_order"), display=False)
glue("gnn-fft-order-n-log-n", order("fft_order_in_n_log_n"), display=False)
glue("gnn-dense-fit-from", f"{settings['dense_fit_from']:,}", display=False)
glue("gnn-fft-fit-from", f"{settings['fft_fit_from']:,}", display=False)
glue(
    "gnn-fft-speedup",
    f"{dense_seconds[largest_dense] / fft_seconds[largest_dense]:.0f}",
    display=False,
)
glue("gnn-largest-dense", f"{largest_dense:,}", display=False)
glue("gnn-largest-fft", f"{largest_fft:,}", display=False)
glue("gnn-largest-fft-time", f"{1e3 * fft_seconds[largest_fft]:.0f} ms", display=False)
glue(
    "gnn-first-win",
    f"{min(n for n in dense_seconds if fft_seconds[n] < dense_seconds[n]):,}",
    display=False,
)
glue(
    "gnn-benchmark-machine",
    f"{provenance['processor']}, {settings['threads']} thread",
    display=False,
)
glue("gnn-benchmark-date", provenance["date"][:10], display=False)

# %% tags=["hide-input"]
fig, ax = plt.subplots(figsize=(7, 3.6))
ax.loglog(
    curves["dense_n"],
    curves["dense_seconds"],
    marker="s",
    ls="--",
    color=display.COLORS[1],
    label="dense",
)
ax.loglog(
    curves["fft_n"],
    curves["fft_seconds"],
    marker="o",
    ls="-",
    color=display.COLORS[0],
    label="FFT",
)
for seconds, fit_from, work in (
    (dense_seconds, settings["dense_fit_from"], lambda n: n**2),
    (fft_seconds, settings["fft_fit_from"], lambda n: n * np.log2(n)),
):
    upper = np.array([n for n in seconds if n >= fit_from])
    guide = 3 * seconds[upper[-1]] * work(upper) / work(upper[-1])
    ax.loglog(upper, guide, color=display.INK, lw=0.9, ls=":", marker="")
    ax.annotate(
        "$n^2$" if len(upper) < 5 else r"$n \log n$",
        (upper[0], guide[0]),
        xytext=(-4, 4),
        textcoords="offset points",
        ha="right",
    )
ax.set(xlabel="nodes $n$", ylabel="seconds a product")
ax.set_xscale("log", base=2)
ax.minorticks_off()
ax.legend()
display.show(
    fig,
    alt="Seconds a product against the number of nodes, both axes logarithmic. The dense product is the faster one on "
    "small rings, then climbs twice as steeply as the FFT product, which goes on to about a million nodes. "
    "Dotted guides show the slopes of n squared and n log n.",
)

# %% [markdown]
# Over the upper range (dense from $n =$ {glue:text}`gnn-dense-fit-from`, FFT from {glue:text}`gnn-fft-fit-from`) the
# dense product grows like $n$ to the power {glue:text}`gnn-dense-order`, the fast one like $n$ to the power
# {glue:text}`gnn-fft-order`. Against $n \log n$ the fast one has the exponent {glue:text}`gnn-fft-order-n-log-n`; an
# exponent of 1 would be the theory to the letter. Where a measured exponent lies above the count of operations,
# memory is the likely cause: as $n$ grows the data no longer fit into one cache after another, and each next one is
# slower. (The uncertainty is the standard error of the straight line.)
#
# From {glue:text}`gnn-first-win` nodes on the FFT wins, at {glue:text}`gnn-largest-dense` nodes
# {glue:text}`gnn-fft-speedup` times over, and a ring of {glue:text}`gnn-largest-fft` takes
# {glue:text}`gnn-largest-fft-time`; as a dense matrix it would fill 8 TiB. Measured on
# {glue:text}`gnn-benchmark-date` on {glue:text}`gnn-benchmark-machine`, in double precision.
#
# For three taps neither is the way: the sum {eq}`eq-gnn-ring-layer` itself takes $3n$ multiplications. Short kernels
# are summed, long ones transformed.

# %% [markdown]
# ## From the ring to any graph
#
# On a graph without symmetry there is no shift, so neither $S$ nor its modes. What does carry over? Give up
# directions first, that is, take a symmetric kernel, $w_1 = w_{-1}$. Then $S$ and $S^\top$ appear only as their sum,
# which is the adjacency matrix $A$ of the undirected ring. The matrix that every undirected graph has is the
# {term}`graph Laplacian` $L = D - A$, with the degrees of the nodes on the diagonal of $D$; on the ring all of them
# are 2:
#
# $$
# L = 2I - S - S^\top .
# $$ (def-gnn-ring-laplacian)
#
# It is the circulant with kernel $(2, -1, 0, \dots, 0, -1)$, so {eq}`eq-gnn-ellipse` gives its eigenvalues, which
# grow with the frequency from 0 to at most 4:
#
# $$
# L\, \Phi_{:,k} = \big( 2 - 2 \cos \tfrac{2 \pi k}{n} \big)\, \Phi_{:,k} .
# $$ (eq-gnn-laplacian-modes)
#
# Solve the definition for $S + S^\top = 2I - L$, and the layer with a symmetric kernel is a polynomial of degree 1 in
# $L$:
#
# $$
# w_0 I + w_1 (S + S^\top) = (w_0 + 2 w_1)\, I - w_1 L .
# $$ (eq-gnn-symmetric-kernel)

# %%
i = {n: np.arange(n) for n in sizes}
adjacency = {
    n: ((i[n][:, None] - i[n]) % n == 1) | ((i[n] - i[n][:, None]) % n == 1)
    for n in sizes
}  # by definition
laplacian = {n: np.diag(A.sum(axis=1)) - A for n, A in adjacency.items()}  # L = D − A
frequency = {n: 2 * np.pi * i[n] / n for n in sizes}
verify.equal(
    "eq-gnn-laplacian-modes",
    [laplacian[n] @ modes[n] for n in sizes],
    [(2 - 2 * np.cos(frequency[n])) * modes[n] for n in sizes],
    atol=1e-12,
)
w_0, w_1 = rng.standard_normal(2)
verify.equal(
    "eq-gnn-symmetric-kernel",
    [circulant(three_taps(n, w_1, w_0, w_1)) for n in sizes],
    [(w_0 + 2 * w_1) * np.eye(n) - w_1 * laplacian[n] for n in sizes],
    atol=1e-12,
)

# %% [markdown]
# Longer symmetric kernels need $S^j + S^{-j}$. Set $M_j = \frac12 (S^j + S^{-j})$. Then $M_0 = I$ and
# $M_1 = \frac12 (S + S^\top) = I - \frac12 L$. Multiply out $2 M_1 M_j = \frac12 (S + S^{-1})(S^j + S^{-j})$: the
# four products are $S^{j+1}$, $S^{-(j+1)}$, $S^{j-1}$ and $S^{-(j-1)}$, so it is $M_{j+1} + M_{j-1}$, and
#
# $$
# M_0 = I , \qquad M_1 = I - \tfrac12 L , \qquad M_{j+1} = 2 M_1 M_j - M_{j-1} .
# $$ (eq-gnn-chebyshev)
#
# This is the recursion of the Chebyshev polynomials $T_j$, those with $T_j(\cos\alpha) = \cos j\alpha$. So
# $M_j = T_j\big(I - \frac12 L\big)$, a polynomial of degree $j$ in $L$. A kernel with $\theta_j = \theta_{-j}$ gives
# a symmetric matrix, which is the mean of itself and its transpose,
# $C(\theta) = \frac12 \sum_j \theta_j (S^j + S^{-j})$. Every undirected convolution on the ring is a polynomial in
# the Laplacian:
#
# $$
# C(\theta) = \sum_{j=0}^{n-1} \theta_j\, T_j\big( I - \tfrac12 L \big) \qquad (\theta_j = \theta_{-j}) .
# $$ (eq-gnn-laplacian-polynomial)
#
# The converse is clear: $L$ is a symmetric circulant, and so is every polynomial in it. The check of the sum takes
# $T_j$ from NumPy and applies it to eigenvalues that LAPACK computes from $L$.

# %%
by_recursion, by_shifts, by_polynomial, by_circulant = [], [], [], []
for n in sizes:
    M = [np.eye(n), np.eye(n) - laplacian[n] / 2]
    while len(M) < n:
        M.append(2 * M[1] @ M[-1] - M[-2])
    by_recursion.append(np.stack(M))  # [n, n, n]
    by_shifts.append(np.stack([(S_j + S_j.T) / 2 for S_j in powers[n]]))

    theta = rng.standard_normal(n)
    theta = (theta + theta[-np.arange(n)]) / 2  # now θ_j = θ_{−j}
    eigenvalue, U = np.linalg.eigh(laplacian[n])
    by_polynomial.append(
        U @ np.diag(np.polynomial.chebyshev.chebval(1 - eigenvalue / 2, theta)) @ U.T
    )
    by_circulant.append(circulant(theta))
verify.equal("eq-gnn-chebyshev", by_recursion, by_shifts, atol=1e-12)
verify.equal("eq-gnn-laplacian-polynomial", by_polynomial, by_circulant, atol=1e-10)

# %% [markdown]
# The right-hand side of {eq}`eq-gnn-laplacian-polynomial` mentions no ring any more. With any graph's Laplacian it is
# a layer that shares one list of coefficients over all nodes, and whose degree is the number of hops that it sees,
# because each product with $L$ reaches one hop further. Up to the scaling of $L$ this is the Chebyshev layer of
# {cite:t}`defferrard2016chebnet`.
#
# ## The step to the GCN
#
# Three simplifications lead from there to the graph convolution {cite}`kipf2017gcn`. Follow them on the ring.
#
# 1. **Degree 1.** Nodes of different degree are put on one scale by
#    $L_{\text{sym}} = D^{-1/2} L D^{-1/2} = I - D^{-1/2} A D^{-1/2}$, whose eigenvalues lie in $[0, 2]$, because
#    $x^\top L_{\text{sym}}\, x$ is the sum of $(x_i / \sqrt{d_i} - x_j / \sqrt{d_j})^2$ over the edges and each
#    square is at most $2 x_i^2 / d_i + 2 x_j^2 / d_j$. Keep two terms,
#    $c_0 I + c_1 (L_{\text{sym}} - I) = c_0 I - c_1 D^{-1/2} A D^{-1/2}$. On the ring, where $D = 2I$, the kernel is
#    $(w_{-1}, w_0, w_1) = (-\frac{c_1}{2}, c_0, -\frac{c_1}{2})$: two free weights are left.
# 2. **One weight.** Tie $c_1 = -c_0$: $c_0 (I + D^{-1/2} A D^{-1/2})$. On the ring the kernel is
#    $c_0 (\frac12, 1, \frac12)$, and its eigenvalues $c_0 (1 + \cos\alpha)$ go up to $2 c_0$: layer upon layer, low
#    frequencies grow like $2^m$.
# 3. **Renormalise.** Count each node among its own neighbours, $\tilde A = A + I$, and divide by the new degrees:
#    $\hat A = \tilde D^{-1/2} \tilde A \tilde D^{-1/2}$. On the ring $\tilde D = 3I$, and the largest eigenvalue is 1.
#
# So the propagation matrix of the GCN, on a ring, is the plainest convolution that there is, the moving average of
# three:
#
# $$
# \hat A = \tfrac13 (I + A) = C\big( \tfrac13 (1, 1, 0, \dots, 0, 1) \big) ,
# \qquad \lambda_k = \tfrac13 \big( 1 + 2 \cos \tfrac{2\pi k}{n} \big) .
# $$ (eq-gnn-gcn-ring)
#
# With a matrix $W \in \mathbb{R}^{D \times D'}$ for the channels, the layer $\hat A H W$ is
# {eq}`eq-gnn-ring-channels` with one matrix three times,
#
# $$
# \texttt{GCNConv}(H) = \texttt{Conv1d}(H^\top)^\top
# \quad \text{for} \quad
# W_{-1} = W_0 = W_1 = \tfrac13 W .
# $$ (eq-gnn-gcn-conv)

# %%
normalised = [
    gcn_norm(torch.from_numpy(adjacency[n].astype(float))) for n in sizes
]  # Â by its definition
spectral = [
    (modes[n] * (1 + 2 * np.cos(frequency[n])) / 3 @ modes[n].conj().T).real
    for n in sizes
]  # Φ diag(λ) Φ*
averages = [circulant(three_taps(n, 1, 1, 1)) / 3 for n in sizes]
verify.equal(
    "eq-gnn-gcn-ring", normalised + normalised, averages + spectral, atol=1e-12
)

by_gcn, by_conv1d = [], []
for n in sizes:
    H, W = (
        torch.from_numpy(rng.standard_normal((n, D_in))),
        torch.from_numpy(rng.standard_normal((D_in, D_out))),
    )
    edge_index, _ = ring_edges(n)
    gcn = GCNConv(D_in, D_out, bias=False).double()
    conv = torch.nn.Conv1d(
        D_in,
        D_out,
        3,
        padding=1,
        padding_mode="circular",
        bias=False,
        dtype=torch.float64,
    )
    with torch.no_grad():
        gcn.lin.weight.copy_(W.T)
        conv.weight.copy_(W.T[:, :, None].expand(-1, -1, 3) / 3)
        by_gcn.append(gcn(H, edge_index))
        by_conv1d.append(conv(H.T[None])[0].T)
verify.equal("eq-gnn-gcn-conv", by_gcn, by_conv1d, atol=1e-12)

# %% [markdown]
# Of the three matrices that a convolution with three taps learns, the GCN learns one. That is the price for a layer
# that runs on any graph: it knows neither left from right nor near from self.
#
# The frequency response also shows what happens when you stack it. $\hat A^m$ has the eigenvalues $\lambda_k^m$. Mode
# 0 is constant and has $\lambda_0 = 1$; all others have $|\lambda_k| < 1$, since $-1 \le \cos\alpha < 1$ puts
# $\frac13(1 + 2\cos\alpha)$ into $[-\frac13, 1)$. Write $\bar x$ for the mean of $x$. The difference
# $x - \bar x \mathbf 1$ is made of the modes $k \ne 0$; each is damped at least by
# $\rho = \max_{k \ne 0} |\lambda_k|$ a layer, and $\Phi$ keeps lengths:
#
# $$
# \big\| \hat A^m x - \bar x\, \mathbf{1} \big\| \le \rho^m\, \big\| x - \bar x\, \mathbf{1} \big\| .
# $$ (eq-gnn-smoothing)

# %%
within = []
for n, A_hat in zip(sizes, averages, strict=True):
    x = rng.standard_normal(n)
    rho = np.sort(np.abs(np.linalg.eigvalsh(A_hat)))[-2]
    for m in (1, 2, 5, 20):
        distance = np.linalg.norm(np.linalg.matrix_power(A_hat, m) @ x - x.mean())
        within.append(distance <= rho**m * np.linalg.norm(x - x.mean()) + 1e-12)
verify.holds("eq-gnn-smoothing", all(within))

# %% tags=["hide-input"]
cycles = np.linspace(0, 0.5, 51)
response = (1 + 2 * np.cos(2 * np.pi * cycles)) / 3
fig, ax = plt.subplots(figsize=(7, 3.2))
ax.plot(
    cycles,
    1 + np.cos(2 * np.pi * cycles),
    color=display.INK,
    ls=":",
    marker="",
    label=r"$I + \frac{1}{2}A$, before step 3",
)
for m, color, style, marker in zip(
    (1, 2, 4, 16),
    display.COLORS,
    ("-", "--", "-.", (0, (5, 1, 1, 1))),
    "os^D",
    strict=False,
):
    ax.plot(
        cycles,
        response**m,
        color=color,
        ls=style,
        marker=marker,
        markevery=5,
        label=rf"$\hat A^{{{m}}}$" if m > 1 else r"$\hat A$",
    )
ax.axhline(0, color=display.INK, lw=0.8)
ax.set(xlabel="frequency $k/n$, waves a node", ylabel="eigenvalue", ylim=(-0.5, 2.1))
ax.legend()
display.show(
    fig,
    alt="Eigenvalues against frequency. I plus half A falls from 2 to 0. The propagation matrix falls from 1 through 0 "
    "at one third to minus one third; its powers 2, 4 and 16 are ever narrower peaks at frequency 0, where they are 1.",
)

# %% [markdown]
# A stack of GCN layers without non-linearities is a low-pass filter that sharpens with depth: after 16 of them only
# the slowest waves are left. This is the over-smoothing that you saw on the karate club in {doc}`message_passing`,
# here with its cause in plain view.

# %% [markdown]
# ## What was shown
#
# - On the *directed* ring, message passing with one weight a direction, a circulant matrix, a circular
#   cross-correlation and a `Conv1d` with circular padding are one layer: {eq}`eq-gnn-ring-layer`,
#   {eq}`eq-gnn-ring-channels`, {eq}`eq-gnn-conv1d`. The undirected ring has reflections, which force $w_1 = w_{-1}$:
#   {eq}`eq-gnn-reflection`.
# - Every such layer is a polynomial in the shift $S$, so the Fourier modes diagonalise them all,
#   {eq}`eq-gnn-diagonalisation`; with a real kernel as the first row the eigenvalues are
#   $\sqrt n\, \overline{\hat\theta}$, {eq}`eq-gnn-convolution-theorem`.
# - Translation equivariance is commuting with $S$, and that alone makes a matrix circulant:
#   {eq}`eq-gnn-shift-equivariance`. Symmetry is what shares weights: {eq}`eq-gnn-free-weights`.
# - Symmetric kernels are polynomials in the Laplacian, {eq}`eq-gnn-laplacian-polynomial`, and those exist on every
#   graph. Cut down to degree 1 and one weight, that is the GCN; on the ring it is the average of three,
#   {eq}`eq-gnn-gcn-ring`.

# %% [markdown]
# ## Exercises
#
# :::{exercise} The gradient of a shared weight
# :label: ex-gnn-kernel-gradient
# Let $y = C(\theta) x$ and let $\mathcal{L}$ be a loss. $\theta_j$ stands in $n$ places of the matrix. What is
# $\partial \mathcal{L} / \partial \theta_j$, given the gradient $\partial \mathcal{L} / \partial y \in \mathbb{R}^n$?
# Which operation of this chapter is it? Write `kernel_gradient(x, dL_dy)`.
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
    return fast.circulant(dL_dy) @ x


# %% [markdown] tags=["solution"]
# :::{solution-end}
# :::

# %%
exercises.check("gnn/kernel_gradient", kernel_gradient)

# %% [markdown]
# :::{exercise} Undoing a layer
# :label: ex-gnn-inverse-filter
# When can $x$ be recovered from $y = C(\theta) x$? Write `inverse_filter(theta, y)` for such a real kernel. For which
# $n$ does the propagation matrix of the GCN, {eq}`eq-gnn-gcn-ring`, lose information on a ring of $n$ nodes, and
# which signal does it turn into zero on a ring of 6?
# :::

# %% [markdown] tags=["solution"]
# :::{solution-start} ex-gnn-inverse-filter
# :class: dropdown
# :::
# $C(\theta) = \Phi\,\mathrm{diag}(\lambda)\,\Phi^*$ is invertible exactly when no $\lambda_k$ is zero, and then
# $C(\theta)^{-1} = \Phi\,\mathrm{diag}(1/\lambda)\,\Phi^*$: divide where the layer multiplied. The inverse of a
# circulant is again circulant, though its kernel is not short.
#
# $\frac13 (1 + 2 \cos\alpha) = 0$ asks for $\cos\alpha = -\frac12$, so $\alpha = 2\pi k/n$ is a third of a full turn
# or two: $k = n/3$ or $2n/3$. That is a whole number exactly when 3 divides $n$. On a ring of 6, $k = 2$ has the real
# part $(1, -\frac12, -\frac12, 1, -\frac12, -\frac12)$ up to scale: any three neighbours add up to zero.


# %% tags=["solution"]
def inverse_filter(theta, y):
    x_hat = np.fft.fft(y) / fast.eigenvalues(theta)
    return np.fft.ifft(x_hat).real


# %% [markdown] tags=["solution"]
# :::{solution-end}
# :::

# %%
exercises.check("gnn/inverse_filter", inverse_filter)

# %% [markdown]
# :::{exercise} The modes of the undirected ring
# :label: ex-gnn-real-modes
# $L$ and the reflection $J$ commute and both are symmetric, so by {prf:ref}`thm-gnn-commuting` they have a common
# basis of eigenvectors. The columns of $\Phi$ are not it: what does $J$ do to $\Phi_{:,k}$? Find a real common basis,
# and write `real_modes(n)`: an orthogonal matrix $[n, n]$ whose columns are eigenvectors of both, for $n \ge 3$, in
# any order.
# :::

# %% [markdown] tags=["solution"]
# :::{solution-start} ex-gnn-real-modes
# :class: dropdown
# :::
# $(J \Phi_{:,k})_u = \Phi_{-u,k} = \frac{1}{\sqrt n} \omega^{-uk} = \overline{\Phi_{uk}}$: the reflection exchanges
# mode $k$ and mode $n - k$. Both have the eigenvalue $2 - 2\cos\alpha$ of $L$, so any combination of the two is again
# an eigenvector of $L$. The sum, a cosine, is even: $J$ keeps it. The difference, a sine, is odd: $J$ changes its
# sign.
#
# Take cosines for $0 \le k \le n/2$ and sines for $0 < k < n/2$, which makes $n$ columns, and scale each to length 1.
# They are orthogonal: modes of different frequency are combinations of orthogonal columns of $\Phi$, and a cosine and
# a sine of one frequency are one even and one odd, so their products cancel in pairs $u, -u$.


# %% tags=["solution"]
def real_modes(n):
    u = 2 * np.pi * np.arange(n) / n
    cosines = [np.cos(k * u) for k in range(n // 2 + 1)]
    sines = [np.sin(k * u) for k in range(1, (n + 1) // 2)]
    Q = np.stack(cosines + sines, axis=1)
    return Q / np.linalg.norm(Q, axis=0)


# %% [markdown] tags=["solution"]
# :::{solution-end}
# :::

# %%
exercises.check("gnn/real_modes", real_modes)

# %% [markdown]
# :::{exercise} A filter without eigenvectors
# :label: ex-gnn-laplacian-filter
# Write `laplacian_filter(c, L, x)`, which returns $\sum_{j=0}^{K-1} c_j\, T_j\big(I - \frac12 L\big)\, x$ for the
# Laplacian $L$ of *any* graph, using nothing but products of $L$ with vectors. How many of them does it take? Where
# on the graph can $x_i$ have an influence on the result?
# :::

# %% [markdown] tags=["solution"]
# :::{solution-start} ex-gnn-laplacian-filter
# :class: dropdown
# :::
# Apply {eq}`eq-gnn-chebyshev` to the vectors $t_j = T_j\big(I - \frac12 L\big) x$: $t_0 = x$,
# $t_1 = x - \frac12 L x$, $t_{j+1} = 2 \big( t_j - \frac12 L t_j \big) - t_{j-1}$. For $K \ge 1$ coefficients that
# takes $K - 1$ products. $L$ has entries only on the diagonal and where there are edges, so each product carries a
# value one hop further: $x_i$ reaches the nodes at most $K - 1$ hops from $i$.


# %% tags=["solution"]
def laplacian_filter(c, L, x):
    previous, current = (
        np.zeros_like(x),
        x,
    )  # the first step makes t_1 = M_1 t_0, the later ones 2 M_1 t_j − t_{j−1}
    result = c[0] * x
    for j, c_j in enumerate(c[1:]):
        factor = 1 if j == 0 else 2
        previous, current = current, factor * (current - L @ current / 2) - previous
        result = result + c_j * current
    return result


# %% [markdown] tags=["solution"]
# :::{solution-end}
# :::

# %%
exercises.check("gnn/laplacian_filter", laplacian_filter)

# %% [markdown]
# :::{exercise} Images are rings of rings
# :label: ex-gnn-torus
# Join the left edge of an image to its right edge and the top to the bottom: the pixels are nodes of a torus, and
# there are two shifts, $S_{\text{down}}$ and $S_{\text{right}}$. Which linear maps on images of $h \times w$ pixels
# commute with both, and how many free weights do they have? What are their common eigenvectors? Write
# `torus_product(kernel, image)`, both $[h, w]$ and real, with entries
# $\sum_{a,b} \texttt{kernel}_{ab}\, \texttt{image}_{i+a,\,j+b}$, in $O(hw \log hw)$.
# :::

# %% [markdown] tags=["solution"]
# :::{solution-start} ex-gnn-torus
# :class: dropdown
# :::
# Commuting with both shifts means that the weight between two pixels depends on the difference of their places alone:
# $hw$ free weights out of $(hw)^2$, one a difference $(a, b)$. That is the layer of a CNN, with circular padding. A
# product of a mode down and a mode across, $e^{2\pi i (k u / h + l v / w)}$, is multiplied by $e^{2\pi i k/h}$ by the
# one shift and by $e^{2\pi i l/w}$ by the other, so these $hw$ waves are the common eigenvectors, and the
# two-dimensional Fourier transform diagonalises all of these maps. For a real kernel the eigenvalues are, as before,
# the conjugate of its transform in NumPy's scaling.


# %% tags=["solution"]
def torus_product(kernel, image):
    return np.fft.ifft2(np.fft.fft2(kernel).conj() * np.fft.fft2(image)).real


# %% [markdown] tags=["solution"]
# :::{solution-end}
# :::

# %%
exercises.check("gnn/torus_product", torus_product)

# %% [markdown]
# ## Further reading
#
# - {cite:t}`bamieh2018discovering` discovers the Fourier transform from the shift, at length and with the same
#   patience for every step.
# - {cite:t}`gray2006toeplitz` is the classic on circulant matrices, and on the Toeplitz matrices that signals *with*
#   ends lead to.
# - {cite:t}`bronstein2021geometric` builds all of deep learning from the idea of {eq}`eq-gnn-free-weights`: grids,
#   groups, graphs.
# - {cite:t}`defferrard2016chebnet` and {cite:t}`kipf2017gcn` walk the way of the last two sections on real graphs.
# - What the sources of this chapter print differently is listed, with a check each, in {doc}`/appendix/errata`.
