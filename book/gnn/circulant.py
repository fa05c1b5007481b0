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
# graph are they the same layer, and what is the simplest thing that such a layer can do?
#
# The graph is a ring. Each node hears itself and its two neighbours, with one weight per direction: the
# same three weights go around.

# %% tags=["parameters"]
profile = "smoke"
seed = 0

# %% tags=["set-up"]
from helpers import display, exercises, parameters, verify
from helpers.gnn import circulant as fast
from helpers.gnn import drawing

import matplotlib.pyplot as plt
import numpy as np
import torch
from torch_geometric.nn import RGCNConv

parameters.check(globals(), profile=("smoke", "full"), seed=range(2**31))
display.use_book_style()
rng = np.random.default_rng(seed)
torch.manual_seed(seed)
torch.set_default_dtype(torch.float64)  # claims are held to 1e-12
sizes = (3, 4, 5, 8, 13)  # the rings on which they are checked
if profile == "full":
    sizes += (64, 129)
d_in, d_out = 3, 2  # d and d' of the layers that are checked

# %% tags=["hide-input"]
tap_names = {0: r"$w_0$", 1: r"$w_1$", -1: r"$w_{-1}$"}
tap_colors = {0: display.COLORS[0], 1: display.COLORS[1], -1: display.COLORS[2]}
centred = {"ha": "center", "va": "center"}
ring_x = np.array([0.2, 0.8, 1.0, 0.4, -0.6, -0.2])
taps = {-1: -0.5, 0: 1.0, 1: 1.0}
ring_y = sum(w * np.roll(ring_x, -tap) for tap, w in taps.items())


def draw_window(i, n=6):
    figures, (ring, signal) = display.panels((2.6, 2.8), (4.1, 2.8))
    places = drawing.on_circle(n)
    drawing.edges(ring, places, [(j, (j + 1) % n) for j in range(n)])
    drawing.nodes(ring, places, label=str)
    for tap, name in tap_names.items():
        j = (i + tap) % n
        drawing.nodes(ring, places, [j], tap_colors[tap])
        ring.text(*(1.4 * places[j]), name, **centred)
    ring.set(xlim=(-1.6, 1.6), ylim=(-1.6, 1.6), aspect="equal")
    ring.axis("off")
    bar = {"width": 0.5, "color": display.COLORS[0], "label": "output"}
    signal.bar(range(i), ring_y[:i], width=0.5, fill=False)
    signal.bar(i, ring_y[i], **bar)
    signal.plot(ring_x, color=display.INK, ls="", marker="D", ms=5, label="input $x$")
    signal.axhline(0, color=display.INK, lw=0.8)
    signal.set(xlim=(-0.5, n - 0.5), ylim=(-1.6, 2.6), xlabel="node")
    signal.set(xticks=range(n), yticks=(-1, 0, 1, 2))
    signal.legend(loc="upper right", ncols=2, frameon=False)
    signal.grid(False)
    return figures


def describe_window(i, n=6):
    terms = " + ".join(f"({w:g})({ring_x[(i + tap) % n]:g})" for tap, w in taps.items())
    nodes = f"{(i - 1) % n}, {i} and {(i + 1) % n}"
    output = f"output {i} is {terms} = {ring_y[i]:.2f}"
    return f"The taps stand on nodes {nodes} of the ring; {output}."


display.slider(
    draw_window,
    range(6),
    label="node i",
    alt=describe_window,
    caption="The same three weights at every node, and also across the seam between 5 "
    "and 0.",
    start=5,
)

# %% [markdown]
# ## Six numbers, by hand
#
# Six nodes hold $x = (0.2, 0.8, 1, 0.4, -0.6, -0.2)$. Each adds what the next node holds and takes away half of what
# the previous one holds; so the weights are $w_0 = 1$ for the node itself, $w_1 = 1$ for the next and
# $w_{-1} = -\frac12$ for the previous. Node 2 gets $1 + 0.4 - \frac12 \cdot 0.8 = 1$. Node 0 comes after node 5, for
# the nodes are on a ring: it gets $0.2 + 0.8 - \frac12 \cdot (-0.2) = 1.1$.

# %%
x = [0.2, 0.8, 1.0, 0.4, -0.6, -0.2]
print([round(x[i] + x[(i + 1) % 6] - x[i - 1] / 2, 2) for i in range(6)])

# %% [markdown]
# Nothing special happens at the seam: a ring has no border. From here on nodes are counted from 0 and indices are taken
# modulo $n$, so that $x_n$ is $x_0$ and $x_{-1}$ is $x_{n-1}$. This chapter takes the layer apart: its matrix, the
# operation on signals that it is, and the shift that it is made of. What it does to waves is told in {doc}`fourier`;
# why it has so few weights is the question of {doc}`equivariance`.

# %% [markdown]
# ## A ring of nodes
#
# Put $n$ nodes on a circle and join each to the next, the last to the first. Node $i$ has the neighbours $i + 1$ and
# $i - 1$, so the adjacency matrix is
#
# $$
# A_{ij} = \begin{cases} 1 & j - i \equiv 1 \text{ or } {-1} \pmod n , \\ 0 & \text{otherwise.} \end{cases}
# $$ (def-gnn-ring-adjacency)
#
# It depends on the difference of $i$ and $j$ alone, and everything below follows from that. A ring has at least 3 nodes
# in this chapter; the exercise looks at what happens with fewer.


# %% tags=["hide-input"]
def draw_adjacency(n=6):
    figures, (ring, grid) = display.panels((2.6, 2.8), (2.6, 2.8))
    places = drawing.on_circle(n)
    drawing.edges(ring, places, [(i, (i + 1) % n) for i in range(n)])
    drawing.nodes(ring, places, label=str)
    ring.set(xlim=(-1.3, 1.3), ylim=(-1.3, 1.3), aspect="equal")
    ring.axis("off")
    for i in range(n):
        for j in range(n):
            joined = (j - i) % n in (1, n - 1)
            tile = {"fc": display.COLORS[0], "alpha": 0.3 * joined, "lw": 0}
            grid.add_patch(plt.Rectangle((j, i), 1, 1, **tile))
            grid.text(j + 0.5, i + 0.5, str(int(joined)), **centred)
    grid.set(xlim=(0, n), ylim=(n, 0), aspect="equal", title="$A$")
    grid.set_xticks(np.arange(n) + 0.5, range(n))
    grid.set_yticks(np.arange(n) + 0.5, range(n))
    grid.grid(False)
    return figures


display.show(
    draw_adjacency(),
    alt="A ring of six nodes, and its adjacency matrix: ones right above the diagonal, "
    "right below it, and in the upper right and lower left corners.",
    caption="The two ones in the corners are the edge that closes the ring.",
)

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
# $A = \begin{bmatrix} 0 & 1 \\ 1 & 0 \end{bmatrix}$. For $n = 1$ the only node is its own neighbour: $A = [1]$, a loop.


# %% tags=["solution"]
def ring_adjacency(n):
    A = np.zeros((n, n))
    for i in range(n):
        # Set, not added: for n = 2 both lines name the same entry
        A[i, (i + 1) % n] = 1
        A[i, (i - 1) % n] = 1
    return A


# %% [markdown] tags=["solution"]
# :::{solution-end}
# :::

# %%
exercises.check("gnn/circulant/ring_adjacency", ring_adjacency)

# %% [markdown]
# ## One weight per direction
#
# Each node carries a feature vector $h_i \in \mathbb{R}^d$, and $h_i^\top$ is row $i$ of
# $H \in \mathbb{R}^{n \times d}$. Take one number for the node itself, one for the next node and one for the previous
# node, the same three at every node, and write them as a matrix. It is a {term}`circulant matrix`: each row is the row
# above it, moved one place to the right. With a first row, or *kernel*, $\theta \in \mathbb{R}^n$,
#
# $$
# C(\theta)_{ij} = \theta_{(j - i) \bmod n} ,
# $$ (def-gnn-circulant)
#
# and the layer with three weights has $\theta = (w_0, w_1, 0, \dots, 0, w_{-1})$: the last entry is $\theta_{n-1}$,
# that is, $\theta_{-1}$. In row $i$ of $H' = C(\theta) H$ only three terms survive, those with $j - i \equiv 0$, $1$
# and $-1$:
#
# $$
# h_i' = \underbrace{w_0\, h_i + w_1\, h_{i+1} + w_{-1}\, h_{i-1}}_{\phi(h_i,\, \mathcal{N}(i))} .
# $$ (eq-gnn-ring-layer)


# %%
def circulant(theta):  # [n] → [n, n]
    n = len(theta)
    return np.array([[theta[(j - i) % n] for j in range(n)] for i in range(n)])


def three_taps(n, w_minus, w_0, w_plus):  # θ [n]
    theta = np.zeros(n)
    theta[[0, 1, -1]] = w_0, w_plus, w_minus
    return theta


# %% tags=["hide-input"]
def draw_layer(n=6):
    figures, (ring, grid) = display.panels((3.2, 3.4), (3.4, 3.4))
    places = drawing.on_circle(n)
    drawing.nodes(ring, places, label=str)
    for tap, style in ((1, "-"), (-1, "--")):
        pairs = [((i + tap) % n, i) for i in range(n)]
        drawing.arrows(ring, places, pairs, tap_colors[tap], 1.6, style, bend=0.22)
    ring.text(0, 0, "solid: $w_1$\n" + "dashed: $w_{-1}$", linespacing=1.8, **centred)
    ring.set(xlim=(-1.3, 1.3), ylim=(-1.3, 1.3), aspect="equal")
    ring.axis("off")
    for i in range(n):
        for tap, name in tap_names.items():
            j, color = (i + tap) % n, tap_colors[tap]
            grid.add_patch(plt.Rectangle((j, i), 1, 1, fc=color, alpha=0.3, lw=0))
            grid.text(j + 0.5, i + 0.5, name, **centred)
    grid.set(xlim=(0, n), ylim=(n, 0), aspect="equal")
    grid.set(xlabel="$j$: from node", ylabel="$i$: to node")
    grid.set_xticks(np.arange(n) + 0.5, range(n))
    grid.set_yticks(np.arange(n) + 0.5, range(n))
    grid.grid(False)
    return figures


display.show(
    draw_layer(),
    alt="Left, six nodes on a ring; each receives a solid arrow with weight w1 "
    "from the next node and a dashed arrow with weight w minus 1 from the "
    "previous one. Right, the 6 by 6 matrix of the layer: w0 on the diagonal, "
    "w1 right above it, w minus 1 right below it, and one weight in each of "
    "the two corners where the diagonals wrap around.",
    caption="One layer, drawn twice: each kind of arrow carries one weight, and fills "
    "one diagonal of the matrix.",
)


# %% tags=["check"]
def cases():
    for n in sizes:
        H, taps = rng.standard_normal((n, 2)), rng.standard_normal(3)
        w_minus, w_0, w_plus = taps
        by_node = np.empty_like(H)
        for i in range(n):
            by_node[i] = w_0 * H[i] + w_plus * H[(i + 1) % n] + w_minus * H[i - 1]
        yield circulant(three_taps(n, *taps)) @ H, by_node


verify.equal("eq-gnn-ring-layer", cases(), atol=1e-12, against="a loop over nodes")

# %% [markdown]
# Read by rows, the matrix says what a node *receives*: $\phi$ is a message from each side and one from the node to
# itself, summed. That is message passing with **two kinds of edges**. Those of kind $+1$ lead from $i + 1$ to $i$,
# those of kind $-1$ from $i - 1$ to $i$. A layer with one matrix per kind of edge is known as the relational graph
# convolution {cite}`schlichtkrull2018rgcn`,
#
# $$
# h_i' = W_0^\top h_i + \sum_r \frac{1}{|\mathcal{N}_r(i)|} \sum_{j \in \mathcal{N}_r(i)} W_r^\top h_j ,
# $$ (def-gnn-relational)
#
# where $\mathcal{N}_r(i)$ holds the nodes with an edge of kind $r$ *into* $i$. On the ring each of these sets has one
# member, so the mean is the message itself. With the kinds $+1$ and $-1$, and three matrices of shape $d \times d'$,
#
# $$
# h_i' = W_0^\top h_i + W_1^\top h_{i+1} + W_{-1}^\top h_{i-1} .
# $$ (eq-gnn-ring-channels)
#
# The layer with three numbers is the case $W_r = w_r I$. The check compares the sum at each node with the
# `RGCNConv` of PyTorch Geometric (PyG), which is given the two kinds of edges.


# %%
def ring_layer_by_node(H, W_minus, W_0, W_plus):  # [n, d] → [n, d']
    n = len(H)
    return torch.stack(
        [
            W_0.T @ H[i] + W_plus.T @ H[(i + 1) % n] + W_minus.T @ H[i - 1]
            for i in range(n)
        ]
    )


def ring_edges(n):
    """edge_index [2, 2n], and kind [2n]: 0 from i + 1 to i, 1 from i − 1 to i."""
    i = torch.arange(n)
    sources, targets = torch.cat([(i + 1) % n, (i - 1) % n]), torch.cat([i, i])
    return torch.stack([sources, targets]), torch.arange(2).repeat_interleave(n)


# %% tags=["hide-input"]
def draw_messages():
    fig, ax = plt.subplots(figsize=(4.2, 1.7))
    places = np.array([(-1.0, 0.0), (0.0, 0.0), (1.0, 0.0)])
    names = "$h_{i-1}$", "$h_i$", "$h_{i+1}$"
    drawing.nodes(ax, places, label=lambda node: names[node], size=34)
    for source, tap, style in ((0, -1, "--"), (2, 1, "-")):
        drawing.arrows(ax, places, [(source, 1)], tap_colors[tap], 1.6, style, size=34)
    ax.text(-0.5, 0.22, r"$W_{-1}^T$", **centred)
    ax.text(0.5, 0.22, "$W_1^T$", **centred)
    ax.text(0, 0.55, "$W_0^T$", **centred)
    ax.set(xlim=(-1.4, 1.4), ylim=(-0.4, 0.7))
    ax.axis("off")
    return fig


display.show(
    draw_messages(),
    alt="Node i between its two neighbours. A dashed arrow with the matrix of kind minus "
    "1 comes from the left, a solid one with that of kind 1 from the right, and a third "
    "matrix stands above node i itself.",
    caption="What node i receives: each kind of edge has a matrix of its own, and so has "
    "the node itself.",
)


# %% tags=["check"]
def cases():
    for n in sizes:
        H, W = torch.randn(n, d_in), torch.randn(3, d_in, d_out)
        W_minus, W_0, W_plus = W
        layer = RGCNConv(d_in, d_out, num_relations=2, bias=False)
        with torch.no_grad():
            layer.root.copy_(W_0)
            layer.weight.copy_(torch.stack([W_plus, W_minus]))
        yield ring_layer_by_node(H, *W), layer(H, *ring_edges(n))


verify.equal("eq-gnn-ring-channels", cases(), atol=1e-12, against="PyG's RGCNConv")

# %% [markdown]
# The two kinds of edges matter. A layer that knows the neighbours of $i$ only as a set $\mathcal{N}(i)$, in no order,
# cannot weigh next and previous differently. Ours can, so it does not live on the undirected ring: it lives on the
# *directed* one, whose edges lead from $i + 1$ to $i$, and reads them backwards for $w_{-1}$. {doc}`equivariance` says
# what the undirected ring has that forbids it, {eq}`eq-gnn-reflection`.

# %% [markdown]
# :::{exercise} What a node computes
# :label: ex-gnn-ring-phi
# Give $\phi(h_i, \mathcal{N}(i))$ for the layer $C(\theta) H$ with $\theta = (w_0, w_1, 0, \dots, 0, w_{-1})$, as a
# function of the features. For which weights does it need the features of the neighbours only as a *multiset*, that is,
# in no order? Then write the layer with matrices, `ring_layer(H, W_minus, W_0, W_plus)` for $H$ $[n, d]$ and weights
# $[d, d']$, without a loop over nodes and without an $n \times n$ matrix.
# :::

# %% [markdown] tags=["solution"]
# :::{solution-start} ex-gnn-ring-phi
# :class: dropdown
# :::
# $\phi(h_i, \mathcal{N}(i)) = w_0 h_i + w_1 h_{i+1} + w_{-1} h_{i-1}$, with indices modulo $n$: row $i$ of $C(\theta)$
# holds $w_0$ in column $i$, $w_1$ in column $i + 1$, $w_{-1}$ in column $i - 1$.
#
# A function of the multiset gives the same value when the two neighbours change places, so
# $w_1 a + w_{-1} b = w_1 b + w_{-1} a$ for all $a$ and $b$, which is $(w_1 - w_{-1})(a - b) = 0$: the weights must be
# equal. Then $\phi = w_0 h_i + w_1 \sum_{j \in \mathcal{N}(i)} h_j$. Otherwise $\mathcal{N}(i)$ must say which
# neighbour is the next one.
#
# Rolling the rows of $H$ by $-1$ puts $h_{i+1}^\top$ into row $i$; and row $i$ of $H W$ is
# $h_i^\top W = (W^\top h_i)^\top$.


# %% tags=["solution"]
def ring_layer(H, W_minus, W_0, W_plus):
    H_next, H_previous = np.roll(H, -1, axis=0), np.roll(H, 1, axis=0)
    return H @ W_0 + H_next @ W_plus + H_previous @ W_minus


# %% [markdown] tags=["solution"]
# :::{solution-end}
# :::

# %%
exercises.check("gnn/circulant/ring_layer", ring_layer)

# %% [markdown]
# ## The layer is a cross-correlation
#
# Take one feature per node, $x \in \mathbb{R}^n$, and any kernel. Write out row $i$ of the product and count the
# columns from the diagonal, $m = i + j$; as $m$ runs once around the ring, so does $j$:
#
# $$
# \big( C(\theta) x \big)_i = \sum_{m=0}^{n-1} \theta_{(m - i) \bmod n}\, x_m = \sum_{j=0}^{n-1} \theta_j\, x_{i+j} .
# $$ (eq-gnn-cross-correlation)
#
# The kernel slides along the signal and is not turned around: a {term}`cross-correlation`, with the ends of the
# signal joined. So is what deep learning calls convolution. `torch.nn.Conv1d` with circular padding computes the same
# layer, the one with matrices {eq}`eq-gnn-ring-channels` too; its weight, of shape $[d', d, 3]$, holds the taps in
# the order of the window, from the previous node to the next:
#
# $$
# \begin{gathered}
# \texttt{Conv1d}(H^\top)^\top = H' \\
# \text{for} \quad \texttt{weight[:, :, m]} = W_{m-1}^\top , \quad m = 0, 1, 2 .
# \end{gathered}
# $$ (eq-gnn-conv1d)


# %%
def cross_correlation(theta, x):  # [n], [n] → [n]
    n, j = len(x), np.arange(len(x))
    return np.array([theta @ x[(i + j) % n] for i in range(n)])


def conv1d(H, W):  # [n, d], [3, d, d'] holding W_{−1}, W_0, W_1 → [n, d']
    _, in_channels, out_channels = W.shape
    options = {"padding": 1, "padding_mode": "circular", "bias": False}
    layer = torch.nn.Conv1d(in_channels, out_channels, kernel_size=3, **options)
    with torch.no_grad():
        for m in range(3):
            layer.weight[:, :, m] = W[m].T
    return layer(H.T[None])[0].T  # Conv1d takes [1, d, n]


# %% tags=["hide-input"]
def draw_unrolled(n=6):
    fig, ax = plt.subplots(figsize=(4.2, 2.4))
    place = np.arange(-2, n + 2)
    inside = (place >= 0) & (place < n)
    dots = {"ls": "", "marker": "D", "ms": 5, "color": display.INK}
    ax.plot(place[inside], ring_x[place[inside]], **dots)
    ax.plot(place[~inside], ring_x[place[~inside] % n], **dots | {"mfc": "none"})
    for tap, name in tap_names.items():
        at = n - 1 + tap
        ax.axvspan(at - 0.4, at + 0.4, color=tap_colors[tap], alpha=0.25, lw=0)
        ax.text(at, 1.35, name, **centred)
    for seam in (-0.5, n - 0.5):
        ax.axvline(seam, color=display.INK, lw=0.8, ls=":")
    ax.set(xlabel="place", ylabel="$x$", xticks=place, ylim=(-0.9, 1.6))
    ax.grid(False)
    return fig


display.show(
    draw_unrolled(),
    alt="The six values of the signal, filled, with two of them repeated, hollow, beyond "
    "each end. The window of three taps stands on nodes 4, 5 and the repeated node 0.",
    caption="Cut the ring open and repeat it at both ends, and the three weights are a "
    "window that slides: here it computes node 5.",
)


# %% tags=["check"]
def cases():
    for n in sizes:
        theta, x = rng.standard_normal((2, n))
        yield cross_correlation(theta, x), circulant(theta) @ x


verify.equal(
    "eq-gnn-cross-correlation", cases(), atol=1e-12, against="the product with C(θ)"
)


# %% tags=["check"]
def cases():
    for n in sizes:
        H, W = torch.randn(n, d_in), torch.randn(3, d_in, d_out)
        yield conv1d(H, W), ring_layer_by_node(H, *W)


verify.equal("eq-gnn-conv1d", cases(), atol=1e-12, against="a loop over nodes")

# %% [markdown]
# What mathematics calls the convolution $\theta * x$ turns the kernel around. It is the product with the transpose,
# whose first *column* is $\theta$, because $C(\theta)^\top_{im} = \theta_{i - m}$; substitute $j = i - m$:
#
# $$
# \big( C(\theta)^\top x \big)_i = \sum_{j=0}^{n-1} \theta_j\, x_{i-j} =: (\theta * x)_i .
# $$ (eq-gnn-true-convolution)
#
# It is the rule for multiplying polynomials with coefficients $\theta_j$ and $x_m$ when powers wrap around, $z^n = 1$.
# The check does just that.


# %%
def wrapped_product(a, b):
    """The product of two polynomials with z^n = 1, all by their coefficients [n]."""
    product = np.append(np.convolve(a, b), 0.0)  # powers 0 to 2n − 1
    return product[: len(a)] + product[len(a) :]


# %% tags=["hide-input"]
def draw_turned(n=16):
    theta, x = np.array([1, 0.75, 0.5, 0.25, *np.zeros(n - 4)]), np.eye(n)[8]
    figures, axes = display.panels((3.3, 2.4), (3.3, 2.4))
    outputs = {
        r"$C(\theta)\,x$: slides": circulant(theta) @ x,
        r"$\theta * x$: turned around": circulant(theta).T @ x,
    }
    for ax, (name, y) in zip(axes, outputs.items(), strict=True):
        ax.vlines(range(n), 0, y, color=display.COLORS[0], lw=2)
        ax.plot(y, color=display.COLORS[0], ls="", marker="o")
        ax.axvline(8, color=display.INK, lw=0.8, ls=":")
        ax.set(title=name, xlabel="node", ylim=(-0.05, 1.15))
    return figures


display.show(
    draw_turned(),
    alt="Answers to a pulse at node 8 of a kernel that falls in four steps. The "
    "cross-correlation rises from node 5 to node 8. The convolution falls from node 8 "
    "to node 11, as the kernel does.",
    caption="A kernel of four falling weights, and a pulse at node 8: the convolution "
    "shows the kernel as it is, the cross-correlation read backwards.",
)


# %% tags=["check"]
def cases():
    for n in sizes:
        theta, x = rng.standard_normal((2, n))
        yield circulant(theta).T @ x, wrapped_product(theta, x)


verify.equal(
    "eq-gnn-true-convolution", cases(), atol=1e-12, against="a product of polynomials"
)

# %% [markdown]
# A network that learns $\theta$ does not care which of the two it is given, since it can learn the turned kernel as
# well. A theorem does: a conjugate, in {eq}`eq-gnn-convolution-theorem`, depends on it.

# %% [markdown]
# :::{exercise} Which operation is it?
# :label: ex-gnn-ring-operation
# With one feature per node, $H$ is a column. Which operation on signals is the layer $C(\theta) H$: which sum, which
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
    n = len(x)
    j = np.arange(n)
    return np.array([theta @ x[(i - j) % n] for i in range(n)])


# %% [markdown] tags=["solution"]
# :::{solution-end}
# :::

# %%
exercises.check("gnn/circulant/true_convolution", true_convolution)

# %% [markdown]
# ## The shift
#
# The simplest kernel with an effect is $(0, 1, 0, \dots, 0)$. Call its matrix $S$. In {eq}`eq-gnn-cross-correlation`
# the term with $j = 1$ is left,
#
# $$
# S := C\big((0, 1, 0, \dots, 0)\big) , \qquad (S x)_i = x_{i+1} .
# $$ (eq-gnn-shift)
#
# Every value moves one place, from node $i + 1$ to node $i$. $S$ is also the adjacency matrix of the directed ring: as
# everywhere in this book, $A_{ij}$ belongs to the edge from $j$ to $i$, so that row $i$ holds what node $i$ hears, and
# a product with $S$ is one round of messages. Apply it $j$ times and values have come $j$ places:
# $(S^j x)_i = x_{i+j}$. After $n$ times they are home, $S^n = I$, so $S^{-1} = S^{n-1}$, which moves one place back.
# $S$ is a permutation matrix, a single 1 in each row and each column, so $S^{-1}$ is also $S^\top$. Compare
# $(S^j x)_i = x_{i+j}$ with {eq}`eq-gnn-cross-correlation`: it is the sum of such terms, weighted with $\theta_j$.
#
# $$
# C(\theta) = \sum_{j=0}^{n-1} \theta_j\, S^j .
# $$ (eq-gnn-shift-polynomial)


# %%
def shift(n):  # S [n, n]
    return circulant(np.eye(n)[1])


def powers_of_shift(n):  # [n, n, n]: S⁰ to Sⁿ⁻¹
    return np.stack([np.linalg.matrix_power(shift(n), j) for j in range(n)])


def shift_polynomial(theta):  # Σ_j θ_j S^j
    return np.einsum("j,jab->ab", theta, powers_of_shift(len(theta)))


# %% tags=["hide-input"]
def draw_powers(n=6):
    terms = {0: r"$w_0 I$", 1: r"$+\; w_1 S$", -1: r"$+\; w_{-1} S^{-1}$"}
    figures, axes = display.panels(*[(2.0, 2.2)] * 4)
    for ax, shown, title in zip(
        axes,
        [[0], [1], [-1], [0, 1, -1]],
        [*terms.values(), r"$=\; C(\theta)$"],
        strict=True,
    ):
        for tap in shown:
            for i in range(n):
                tile = {"fc": tap_colors[tap], "alpha": 0.3, "lw": 0}
                ax.add_patch(plt.Rectangle(((i + tap) % n, i), 1, 1, **tile))
                name = {0: "0", 1: "1", -1: "−1"}[tap]
                ax.text((i + tap) % n + 0.5, i + 0.5, name, **centred)
        ax.set(xlim=(0, n), ylim=(n, 0), aspect="equal", xticks=[], yticks=[])
        ax.set(title=title)
        ax.grid(False)
    return figures


display.show(
    draw_powers(),
    alt="Three 6 by 6 matrices and their sum. The identity fills the diagonal, S the one "
    "above it and the lower left corner, its inverse the one below it and the upper "
    "right corner; together they are the circulant matrix of the layer.",
    caption="A power of the shift fills one wrapped diagonal, marked with its exponent; "
    "weighted and summed they make the layer.",
)


# %% tags=["check"]
def cases():
    for n in sizes:
        x = rng.standard_normal(n)
        yield shift(n) @ x, np.roll(x, -1)


verify.equal("eq-gnn-shift", cases(), against="np.roll")


# %% tags=["check"]
def cases():
    for n in sizes:
        theta = rng.standard_normal(n)
        for by_entries in (circulant, fast.circulant):
            yield shift_polynomial(theta), by_entries(theta)


verify.equal(
    "eq-gnn-shift-polynomial", cases(), atol=1e-12, against="the entries of C(θ)"
)

# %% [markdown]
# A layer on the ring is *a polynomial in one matrix*, and the kernel is its list of coefficients. Whoever understands
# $S$ understands all of them. (The check takes the entries of $C(\theta)$ twice, from the two loops of this chapter and
# from `helpers.gnn.circulant`, which has none. The next chapters use that one.)

# %% [markdown]
# ## What was shown
#
# - On the *directed* ring, message passing with one weight per direction, a circulant matrix, a circular
#   cross-correlation and a `Conv1d` with circular padding are one layer: {eq}`eq-gnn-ring-layer`,
#   {eq}`eq-gnn-ring-channels`, {eq}`eq-gnn-cross-correlation`, {eq}`eq-gnn-conv1d`. The convolution of mathematics is
#   its transpose, {eq}`eq-gnn-true-convolution`.
# - Every such layer is a polynomial in one matrix, the shift $S$, {eq}`eq-gnn-shift-polynomial`.
#
# So whatever $S$ only multiplies, every layer only multiplies. Are there such signals? {doc}`fourier` finds them.

# %% [markdown]
# ## Exercises

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
# Here $w_1 = 1$ and the rest is zero, so $\phi(h_i, \mathcal{N}(i)) = h_{i+1}$: the whole signal moves by one node,
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
exercises.check("gnn/circulant/shift_kernel", shift_kernel)

# %% [markdown]
# ## Further reading
#
# - {cite:t}`schlichtkrull2018rgcn` has the layer with a matrix per kind of edge, where the kinds are those of facts:
#   who was born where, what is a part of what.
# - {cite:t}`gray2006toeplitz` is the classic on circulant matrices, and on the Toeplitz matrices that signals *with*
#   ends lead to.
# - What the sources of this chapter print differently is listed, with a check each, in {doc}`/appendix/errata`.
