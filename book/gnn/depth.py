# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

# %% [markdown]
# # How far, how deep
#
# A layer of {doc}`message_passing` lets each member of the club hear from friends, and a second layer from friends of
# friends. Below you see how far one member hears. With enough layers everyone hears of everyone. **Why not
# stack as many as you like?**

# %% tags=["parameters"]
profile = "smoke"
seed = 0

# %% tags=["set-up"]
import itertools
import math

from helpers import display, exercises, parameters, verify
from helpers.gnn import drawing, molecules
from helpers.gnn.graphs import assorted, dense, karate_club, random_graph
from helpers.gnn.layers import GraphConvolution, gcn_norm, glorot

import matplotlib.pyplot as plt
import networkx as nx
import numpy as np
import torch

parameters.check(globals(), profile=("smoke", "full"), seed=range(2**31))
display.use_book_style()
torch.manual_seed(seed)
torch.set_default_dtype(torch.float64)  # claims are held to 1e-12


# %%
def distances(G):
    """Hops between all pairs, by breadth-first search; inf where unconnected."""
    hops = torch.full((len(G), len(G)), torch.inf)
    graph = nx.from_numpy_array(G.numpy())
    for i, found in nx.all_pairs_shortest_path_length(graph):
        hops[i, list(found)] = torch.tensor([float(k) for k in found.values()])
    return hops


club, A = karate_club()  # row i of A says from whom node i hears
N = len(A)
hops = distances(A)  # [N, N]

# %% tags=["hide-input"]
club_graph = nx.from_numpy_array(A.numpy())
layout = drawing.spread(club_graph)
member = 16


def draw_receptive_field(k):
    fig, ax = plt.subplots(figsize=(4, 4.2))
    drawing.edges(ax, layout, club_graph.edges)
    for chosen, hue, outline in (
        (hops[member] > k, None, 0.6),
        (hops[member] < k, display.COLORS[0], 1.0),
        (hops[member] == k, display.COLORS[1], 2.4),
    ):
        nodes = chosen.nonzero().flatten().tolist()
        drawing.nodes(ax, layout, nodes, hue, label=str, outline=outline)
    ax.set_axis_off()
    seen = (hops[member] <= k).sum()
    ax.set_title(f"{k} layer{'s' * (k != 1)}: {seen} of {N} members are seen")
    return fig


display.slider(
    draw_receptive_field,
    range(int(hops[member].max()) + 1),
    label="layers k",
    alt=lambda k: (
        f"The karate club's graph. With k = {k} the output of member {member} depends "
        f"on {(hops[member] <= k).sum()} of {N} members, filled; the "
        f"{(hops[member] == k).sum()} at exactly {k} hops have a thick outline, the "
        f"{(hops[member] > k).sum()} out of reach are empty."
    ),
    caption=f"What reaches member {member}: every layer adds those who are one hop "
    "further away.",
    start=2,
)
display.glue("gnn-depth-diameter", f"{int(hops.max())}")
display.glue("gnn-depth-two-hops", f"{(hops <= 2).double().mean():.0%}")

# %% [markdown]
# Filled members are seen, those with a thick outline from this $k$ on. The last ones come in at
# {glue:text}`gnn-depth-diameter` layers, the *diameter* of the club. But two layers already show a member
# {glue:text}`gnn-depth-two-hops` of the club on average.
#
# ## Four nodes, by hand
#
# Back to the napkin: nodes 0, 1 and 2 all know each other, and node 3 knows node 2. A layer multiplies by $\hat A$, so
# $k$ layers without weights and non-linearities multiply by $\hat A^k$. Nodes 0 and 3 are two hops apart. In $\hat A$
# their entry is 0; in $\hat A^2$ the one chain $0 - 2 - 3$ gives
# $\frac{1}{\sqrt{3 \cdot 4}} \cdot \frac{1}{\sqrt{4 \cdot 2}} = 0.10$:

# %%
A_four = torch.tensor([[0.0, 1, 1, 0], [1, 0, 1, 0], [1, 1, 0, 1], [0, 0, 1, 0]])
A_hat_four = gcn_norm(A_four)
for k in (1, 2, 30):
    print(f"A_hat to the power {k}, rows 0 and 3:")
    print(torch.linalg.matrix_power(A_hat_four, k)[[0, 3]].numpy().round(2))


# %% tags=["hide-input"]
def draw_reach():
    fig, ax = plt.subplots(figsize=(4.2, 3.0))
    layers = range(9)
    shown = {
        "club": A,
        "path of 34": dense(nx.path_graph(34)),
        "star of 34": dense(nx.star_graph(33)),
    }
    for name, G in shown.items():
        ax.plot(
            layers, [(distances(G) <= k).double().mean() for k in layers], label=name
        )
    ax.set(xlabel="layers $k$", ylabel="pairs within $k$ hops", ylim=(0, 1.05))
    ax.legend()
    return fig


display.show(
    draw_reach(),
    alt="The share of pairs of nodes within k hops, against k. The star is complete at "
    "two, the club at five, and the path of the same size is not half done at eight.",
    caption="How the zeros fill up on three graphs of 34 nodes: the part of pairs that "
    "k layers connect.",
)


# %% [markdown]
# Two things happen. Zeros fill up, one hop at a time. And in the end all rows are multiples of one: whatever the nodes
# held, they now hold the same, up to a factor. This chapter follows the first, then the second.
#
# ## How far a node sees
#
# One layer carries a message over one edge. Let $\operatorname{dist}(i, j)$ be the number of hops on a shortest path
# from $i$ to $j$ (infinite if there is none). Then
#
# $$
# \big[\hat A^k\big]_{ij} > 0 \iff \operatorname{dist}(i, j) \le k .
# $$ (eq-gnn-hops)
#
# Otherwise the entry is exactly 0, for no entry of $\hat A$ is negative. The proof is by induction. For $k = 0$,
# $\hat A^0 = I$: a node reaches itself. For the step, write
# $[\hat A^{k}]_{ij} = \sum_m [\hat A^{k-1}]_{im}\, \hat A_{mj}$. No term is negative, so the sum is positive exactly
# if one of its terms is: if some $m$ lies within $k - 1$ hops of $i$ and is $j$ itself or a neighbour of $j$. If
# there is such an $m$, then $\operatorname{dist}(i, j) \le k$. If $\operatorname{dist}(i, j) = k$, take for $m$ the
# last node before $j$ on a shortest path; if it is less than $k$, take $m = j$. The second choice is where the
# self-loop works: without it a message that arrives early is lost.
#
# With weights and non-linearities in between, ask how the output of node $i$ after $k$ layers changes when the input of
# node $j$ does. One layer multiplies the derivative by $\hat A_{ij}$, and by factors that know no edges. Through $k$
# layers you sum over all chains of nodes from $j$ to $i$, and each chain multiplies $k$ entries of $\hat A$. If
# $\operatorname{dist}(i, j) > k$, a factor 0 is in each of them:
#
# $$
# \operatorname{dist}(i, j) > k \implies \frac{\partial h_i^{(k)}}{\partial h_j^{(0)}} = 0 .
# $$ (eq-gnn-receptive-field)
#
# Conversely, let $\operatorname{dist}(i, j) \le k$ and $\sigma = \tanh$. With positive weights all chains add up with
# the same sign, so the derivative is not zero there. As a function of the weights it is analytic, and an analytic
# function that is not zero everywhere vanishes on a null set only: drawn at random, the weights miss it with
# probability 1. (A ReLU can close a path by being zero.) The check finds the pattern of the Jacobian in both
# directions.


# %%
def influence(G, k):
    """How much each input j moves each output i of k random tanh layers: [N, N]."""
    A_hat, weights = gcn_norm(G), torch.randn(k, 3, 3)

    def layers(H):
        for W in weights:
            H = torch.tanh(A_hat @ H @ W)
        return H

    H = torch.randn(len(G), 3)
    jacobian = torch.autograd.functional.jacobian(layers, H, vectorize=True)
    return jacobian.square().sum(dim=(1, 3)).sqrt()  # from [N, 3, N, 3]


graphs = assorted()  # the club is the last
path = dense(nx.path_graph(7))


# %% tags=["hide-input"]
def draw_influence():
    fig, ax = plt.subplots(figsize=(4.2, 3.0))
    long_path, middle = dense(nx.path_graph(21)), 10
    for k in (1, 3, 6):
        tries = torch.stack([influence(long_path, k)[middle] for _ in range(40)])
        mean = tries.mean(dim=0)
        near = mean.nonzero().flatten()
        ax.plot(
            near - middle, mean[near] / mean.sum(), label=f"{k} layer{'s' * (k > 1)}"
        )
    ax.set(
        xlabel="place on the path, from the listener", ylabel="share of the influence"
    )
    ax.set(xlim=(-10, 10), ylim=(0, None))
    ax.legend()
    return fig


display.show(
    draw_influence(),
    alt="The influence of each node of a path on the one in the middle, for 1, 3 and 6 "
    "layers. Each curve ends at as many hops as there are layers, and is highest in the "
    "middle.",
    caption="What is within reach does not count alike: the ends of the receptive field "
    "are reached by one chain, the middle by many.",
)


# %% tags=["check"]
def cases():
    for G, k in itertools.product([*graphs, path], range(6)):
        power = torch.linalg.matrix_power(gcn_norm(G), k)
        yield power > 0, distances(G) <= k


verify.equal("eq-gnn-hops", cases(), against="breadth-first search")


# %% tags=["check"]
def cases():
    for G, k in itertools.product([*graphs, path], range(6)):
        yield distances(G) <= k, influence(G, k) > 0


verify.equal("eq-gnn-receptive-field", cases(), against="autograd")

# %% [markdown]
# So $k$ layers see $k$ hops, no more, and (but for unlucky weights) no less. This is the {term}`receptive field` of a
# graph network: the number of *layers* is a distance in the graph.


# %% [markdown]
# :::{exercise} Three hops
# :label: ex-gnn-three-hops
# (a) How many GCN layers does it take until each node's embedding holds information from the nodes three hops away?
# Is that number a least or a most? What would change without the self-loops? (b) Write
# `k_hop(edge_index, num_nodes, node, k)`: a boolean tensor $[N]$, true for the nodes within $k$ hops of `node`. Pass
# messages; do not search.
# :::

# %% [markdown] tags=["solution"]
# :::{solution-start} ex-gnn-three-hops
# :class: dropdown
# :::
# (a) **At least** three. By {eq}`eq-gnn-receptive-field` two layers pass nothing over three hops, whatever the
# weights. Three layers do, except for weights that happen to cancel, and so do four or more: there is no upper limit
# in the question, only the smoothing further down against it. Without self-loops $k$ layers reach the ends of
# walks of *exactly* $k$ steps. Three hops still take three layers, but with three layers on a path a node would see
# neither itself nor its neighbours' neighbours.


# %% tags=["solution"]
def k_hop(edge_index, num_nodes, node, k):
    source, target = edge_index
    reached = torch.zeros(num_nodes, dtype=torch.bool)
    reached[node] = True
    for _ in range(k):
        reached = reached.index_fill(0, target[reached[source]], True)
    return reached


# %% [markdown] tags=["solution"]
# :::{solution-end}
# :::

# %%
exercises.check("gnn/depth/k_hop", k_hop)

# %% [markdown]
# ## Not an average
#
# Now the factors. It is tempting to say that a node takes a weighted average of its neighbours. An average has weights
# that sum to one. Sum row $i$ of {eq}`eq-gnn-entries`:
#
# $$
# \sum_j \hat A_{ij} = \frac{1}{\sqrt{\tilde d_i}} \sum_{j \in \mathcal{N}(i) \cup \{i\}} \frac{1}{\sqrt{\tilde d_j}} .
# $$ (eq-gnn-row-sums)
#
# If all these nodes have the same degree $\tilde d$, there are $\tilde d$ terms and the sum is
# $\tilde d / \tilde d = 1$. If not, there is no reason for it. Take a star, one hub with $n$ leaves:
# $\tilde d = n + 1$ for the hub and 2 for a leaf, so the hub's row sums to
# $\frac{1}{n+1} + \frac{n}{\sqrt{2 (n+1)}}$, which grows like $\sqrt{n/2}$.
#
# So constant features do not stay constant. Which features do? Try $\tilde D^{1/2} \mathbf{1}$, whose entries are
# $\sqrt{\tilde d_i}$. The right half of the normalisation cancels, then $\tilde A \mathbf{1} = \tilde D \mathbf{1}$ by
# {eq}`def-gnn-degree`:
#
# $$
# \begin{aligned}
# \hat A\, \tilde D^{1/2} \mathbf{1} &= \tilde D^{-1/2} \tilde A \mathbf{1} \\
# &= \tilde D^{-1/2} \tilde D \mathbf{1} = \tilde D^{1/2} \mathbf{1} .
# \end{aligned}
# $$ (eq-gnn-top-eigenvector)
#
# So 1 is an eigenvalue of $\hat A$, with the square roots of the degrees as eigenvector.


# %%
def row_sums(G):
    graph = nx.from_numpy_array(G.numpy())
    scale = torch.tensor([(graph.degree[i] + 1) ** -0.5 for i in graph])  # [N]
    heard = [scale[[*graph.neighbors(i), i]].sum() for i in graph]
    return scale * torch.stack(heard)  # [N]


def root_degrees(G):
    return (1 + G.sum(dim=1)).sqrt()  # the vector D̃^(1/2) 1, [N]


def star(n):
    return dense(nx.star_graph(n))  # node 0 is the hub


# %% tags=["hide-input"]
display.glue("gnn-depth-smallest-row", f"{row_sums(A).min():.2f}")
display.glue("gnn-depth-largest-row", f"{row_sums(A).max():.2f}")
display.glue("gnn-depth-star-row", f"{row_sums(star(30))[0]:.2f}")


def draw_row_sums():
    fig, ax = plt.subplots(figsize=(4.2, 2.8))
    ax.plot(1 + A.sum(dim=1), row_sums(A), linestyle="none", label="member of the club")
    leaves = [1, 2, 4, 8, 16]
    hubs = [row_sums(star(n))[0] for n in leaves]
    ax.plot([n + 1 for n in leaves], hubs, label="hub of a star")
    ax.axhline(1, color=display.INK, linewidth=0.8)
    ax.set(xlabel=r"degree $\tilde d_i$", ylabel=r"row sum of $\hat A$", ylim=(0, None))
    ax.legend()
    return fig


display.show(
    draw_row_sums(),
    alt="Row sums of the propagation matrix against the degree. Members of the club "
    f"lie between {row_sums(A).min():.2f} and {row_sums(A).max():.2f}, rising with the "
    "degree and crossing 1; the hub of a star lies on a higher curve that grows like a "
    "root.",
    caption="An average would have all points on the line at 1. Who has many friends "
    "with few friends of their own adds up to more.",
)

# %% tags=["check"]
verify.equal(
    "eq-gnn-row-sums",
    ((row_sums(G), gcn_norm(G).sum(dim=1)) for G in [*graphs, star(30)]),
    atol=1e-12,
    against="the rows of the matrix",
)

# %% tags=["check"]
verify.equal(
    "eq-gnn-top-eigenvector",
    ((root_degrees(G), gcn_norm(G) @ root_degrees(G)) for G in graphs),
    atol=1e-12,
    against="a multiplication by the matrix",
)

# %% [markdown]
# In the club the rows sum to between {glue:text}`gnn-depth-smallest-row` and {glue:text}`gnn-depth-largest-row`. The
# hub of a star with thirty leaves has the row sum {glue:text}`gnn-depth-star-row`: where every node holds 1, it comes
# out with that much.

# %% [markdown]
# :::{exercise} Three loose words
# :label: ex-gnn-average
# "A GCN layer replaces the features of a node by a weighted average of its neighbours' features, weighted by how
# close they are." Which of the words *average*, *neighbours* and *close* stand, and what should be there instead?
# :::

# %% [markdown] tags=["solution"]
# :::{solution-start} ex-gnn-average
# :class: dropdown
# :::
# - *Average*: no. By {eq}`eq-gnn-row-sums` the weights sum to 1 only where degrees agree; it is a weighted **sum**.
#   After it come $W$ and $\sigma$, so not even a true average of features would come out.
# - *Neighbours*: and the node itself, with weight $1/\tilde d_i$.
# - *Close*: all neighbours are equally close, one hop. What makes their weights differ is their **degree**,
#   $1/\sqrt{\tilde d_i \tilde d_j}$: of two friends the one with fewer friends counts more. Nothing is measured or
#   learned about the pair; a layer that learns such weights is graph *attention*.
#
# As message passing: each node sends $W^\top h_j$, scaled by the degrees at both ends, to its neighbours and to
# itself; each sums what arrives and applies $\sigma$. The features of *a node* are the row $h_i$; the matrix $H$
# holds those of all nodes.
#
# :::{solution-end}
# :::

# %% [markdown]
# ## What the normalisation is for
#
# Can features grow without bound, layer after layer? A single one can grow, as the hub's did. Their length as a vector
# cannot. Being symmetric, $\hat A$ has real eigenvalues $\lambda_0 \ge \dots \ge \lambda_{N-1}$ and orthonormal
# eigenvectors $v_m$, and one sum of squares tells where they can lie. Take any $x \in \mathbb{R}^N$ and put
# $g_i = x_i / \sqrt{\tilde d_i}$. Then $x^\top \hat A x = \sum_{ij} \tilde A_{ij} g_i g_j$, and
# $x^\top x = \sum_i \tilde d_i g_i^2 = \sum_{ij} \tilde A_{ij} g_i^2$, which is
# $\tfrac12 \sum_{ij} \tilde A_{ij} (g_i^2 + g_j^2)$ because $\tilde A$ is symmetric. Subtract or add:
#
# $$
# x^\top (I \mp \hat A)\, x = \frac12 \sum_{ij} \tilde A_{ij}
# \Bigg( \frac{x_i}{\sqrt{\tilde d_i}} \mp \frac{x_j}{\sqrt{\tilde d_j}} \Bigg)^{\!2} .
# $$ (eq-gnn-smoothness)
#
# A sum of squares is never negative. For an eigenvector $x$ of $\lambda$ the left side is
# $(1 \mp \lambda)\, x^\top x$.
#
# - With the upper sign: no eigenvalue is above 1. And $\lambda = 1$ needs each term to vanish, so that
#   $x_i / \sqrt{\tilde d_i}$ is the same at both ends of each edge: in a connected graph $x$ is a multiple of
#   $\tilde D^{1/2} \mathbf{1}$, and **1 is a simple eigenvalue**.
# - With the lower sign: the terms with $j = i$, the self-loops, are $\tfrac12 (2 g_i)^2 = 2 x_i^2 / \tilde d_i$, and
#   already they sum to at least $(2 / \max_i \tilde d_i)\, x^\top x$. So $\lambda \ge -1 + 2 / \max_i \tilde d_i$:
#   the self-loops **keep all eigenvalues away from $-1$**.
#
# The norm of a matrix, the most by which it stretches a vector, is for a symmetric one the largest $|\lambda|$:
#
# $$
# \begin{gathered}
# \lVert \hat A \rVert = \lambda_0 = 1 , \\
# \lambda_{N-1} \ge -1 + \frac{2}{\max_i \tilde d_i} .
# \end{gathered}
# $$ (eq-gnn-spectral-norm)


# %%
def sums_of_squares(G, x):
    g, A_tilde = x / root_degrees(G), G + torch.eye(len(G))
    squares = [(g[:, None] + sign * g) ** 2 for sign in (-1, 1)]
    return torch.stack([0.5 * (A_tilde * square).sum() for square in squares])


def lower_bound(G):
    return -1 + 2 / (1 + G.sum(dim=1)).max()  # no eigenvalue is below it


# %% tags=["hide-input"]
def draw_spectra():
    fig, ax = plt.subplots(figsize=(4.2, 2.9))
    shown = {
        "club": A,
        "star": star(8),
        "path": path,
        "ring of six": dense(nx.cycle_graph(6)),
    }
    for row, G in enumerate(shown.values()):
        eigenvalues = torch.linalg.eigvalsh(gcn_norm(G))
        ax.plot(
            eigenvalues,
            [row] * len(G),
            linestyle="none",
            marker="o",
            color=display.COLORS[0],
        )
        bound = dict(
            marker="|", markersize=18, markeredgewidth=2, color=display.COLORS[1]
        )
        ax.plot([lower_bound(G)], [row], linestyle="none", **bound)
    ax.set(xlim=(-1.05, 1.05), ylim=(-0.6, 3.6), xlabel="eigenvalues")
    ax.set(yticks=range(4), yticklabels=shown)
    return fig


display.show(
    draw_spectra(),
    alt="The eigenvalues of four graphs as points between −1 and 1, each row with a bar "
    "at its lower bound. All have a point at 1, none a point left of its bar, and the "
    "ring of six has a point at its bar.",
    caption="Eigenvalues, and the bar that none may pass. The ring of six reaches it.",
)


# %% tags=["check"]
def cases():
    for G in graphs:
        x = torch.randn(len(G))
        form = x @ gcn_norm(G) @ x
        yield sums_of_squares(G, x), torch.stack([x @ x - form, x @ x + form])


verify.equal("eq-gnn-smoothness", cases(), atol=1e-11, against="the quadratic forms")


# %% tags=["check"]
def cases():
    for G in graphs:
        eigenvalues = torch.linalg.eigvalsh(gcn_norm(G))  # in rising order
        norm = torch.linalg.matrix_norm(gcn_norm(G), ord=2)
        yield torch.ones(2), torch.stack([eigenvalues[-1], norm])
        yield lower_bound(G) <= eigenvalues[0] + 1e-12, True
    # The bound is reached where the nodes of largest degree make a regular, two-sided
    # piece, whatever the degrees are elsewhere.
    two_sided = nx.cycle_graph(6), nx.hypercube_graph(3)
    for graph in (*two_sided, nx.disjoint_union(two_sided[0], nx.star_graph(1))):
        G = dense(graph)
        yield lower_bound(G), torch.linalg.eigvalsh(gcn_norm(G))[0]


verify.equal(
    "eq-gnn-spectral-norm", cases(), atol=1e-12, against="torch.linalg's eigenvalues"
)

# %% [markdown]
# That is what the normalisation is for: $\lVert \hat A^k x \rVert \le \lVert x \rVert$ for every $k$, on every graph.
# With $A$ in its place, or with sums as in GIN, the length can grow like a power of the degrees.

# %% [markdown]
# ## Too many layers
#
# What becomes of the features, if they do not grow? Look first at propagation alone, $\hat A^k H$. Let the graph be
# connected, so that $\lambda_0 = 1$ is simple and nothing reaches $-1$. Put
#
# $$
# q = v_0 = \frac{\tilde D^{1/2} \mathbf{1}}{\sqrt{\sum_m \tilde d_m}} , \quad
# \mu = \max_{m \ge 1} |\lambda_m| < 1 .
# $$ (def-gnn-second-eigenvalue)
#
# Write $x = \sum_m c_m v_m$. Then $\hat A x = \sum_m \lambda_m c_m v_m$, and {eq}`eq-gnn-smoothness`, the sum of
# squared differences along edges, is $x^\top (I - \hat A) x = \sum_m (1 - \lambda_m) c_m^2$. A layer multiplies each
# term by $\lambda_m^2$. The term $m = 0$ is zero, and for the others $\lambda_m^2 \le \mu^2$:
#
# $$
# (\hat A x)^\top (I - \hat A)\, (\hat A x) \le \mu^2\, x^\top (I - \hat A)\, x .
# $$ (eq-gnn-smoother)
#
# So features become *smoother* over the graph, each time at least by the factor $\mu^2$. A power acts on the
# eigenvalues alone, so $\hat A^k - q q^\top = \sum_{m \ge 1} \lambda_m^k\, v_m v_m^\top$, and its norm is the largest
# $|\lambda_m^k|$:
#
# $$
# \big\lVert \hat A^k - q q^\top \big\rVert = \mu^k .
# $$ (eq-gnn-smoothing-rate)
#
# Since $\mu^k \to 0$, the powers converge, to a matrix of rank one:
#
# $$
# \lim_{k \to \infty} \big[\hat A^k\big]_{ij} = \big[q q^\top\big]_{ij}
# = \frac{\sqrt{\tilde d_i\, \tilde d_j}}{\sum_m \tilde d_m} .
# $$ (eq-gnn-limit)
#
# In the limit, node $i$ holds $\sqrt{\tilde d_i}$ times a vector that is the same for all. Its degree is all that is
# left of its place in the graph. This is {term}`over-smoothing` {cite}`li2018deeper`.


# %% tags=["hide-input"]
def draw_smoothing():
    fig, ax = plt.subplots(figsize=(4.2, 3.0))
    h = torch.randn(N)
    rounds = range(21)
    powers = torch.stack([torch.linalg.matrix_power(gcn_norm(A), k) for k in rounds])
    held = (powers @ h) / root_degrees(A)  # [21, N]
    for i in range(N):
        ax.plot(
            rounds,
            held[:, i],
            linestyle="-",
            marker="",
            lw=0.8,
            color=display.COLORS[0],
        )
    ax.set(
        xlabel="propagations $k$", ylabel=r"$[\hat A^k h]_i\; /\; \sqrt{\tilde d_i}$"
    )
    return fig


display.show(
    draw_smoothing(),
    alt="One line per member of the club: what it holds, divided by the root of its "
    "degree. The lines start far apart and run together within some ten propagations.",
    caption="34 members that started from random numbers. After some rounds their "
    "degrees are all that differs.",
)


# %%
def connected_graph(num_nodes, probability):
    chain = torch.diag(torch.ones(num_nodes - 1), diagonal=1)  # 0 to 1 to 2 …
    return (random_graph(num_nodes, probability) + chain + chain.T).clamp(max=1)


def top_eigenvector(G):
    return root_degrees(G) / root_degrees(G).norm()  # q, [N]


def slowest_mode(G):
    """The eigenvalue of size μ, and its eigenvector [N]."""
    eigenvalues, eigenvectors = torch.linalg.eigh(gcn_norm(G))
    m = eigenvalues.abs().argsort()[-2]
    return eigenvalues[m], eigenvectors[:, m]


def second_eigenvalue(G):
    return torch.linalg.eigvalsh(gcn_norm(G)).abs().sort().values[-2]  # μ


def limit(G):
    return torch.outer(root_degrees(G), root_degrees(G)) / (1 + G.sum(dim=1)).sum()


def differences(G, x):
    return sums_of_squares(G, x)[0]  # xᵀ (I − Â) x


connected = [A, path, star(8)] + [connected_graph(n, 0.2) for n in (8, 15, 25)]
connected += [dense(nx.complete_bipartite_graph(4, 4))]  # where −μ is an eigenvalue
mu = second_eigenvalue(A).item()

# %% tags=["hide-input"]
display.glue("gnn-depth-mu", f"{mu:.3f}")
display.glue("gnn-depth-half-life", f"{math.log(0.5) / math.log(mu):.1f}")


# %% tags=["check"]
def cases():
    for G in connected:
        mu, A_hat, (_, v) = second_eigenvalue(G), gcn_norm(G), slowest_mode(G)
        for x in torch.randn(5, len(G)):
            yield differences(G, A_hat @ x) <= mu**2 * differences(G, x), True
        after = A_hat @ v
        yield mu**2 * differences(G, v), after @ (after - A_hat @ after)


verify.equal("eq-gnn-smoother", cases(), rtol=1e-9, against="random x and the slowest")


# %% tags=["check"]
def cases():
    for G, k in itertools.product(connected, range(1, 20)):
        q = top_eigenvector(G)
        power = torch.linalg.matrix_power(gcn_norm(G), k)
        distance = torch.linalg.matrix_norm(power - torch.outer(q, q), ord=2)
        yield second_eigenvalue(G) ** k, distance


verify.equal(
    "eq-gnn-smoothing-rate", cases(), atol=1e-12, against="the norm of the difference"
)


# %% tags=["check"]
def cases():
    for G in connected:
        power = torch.linalg.matrix_power(gcn_norm(G), 2048)
        yield limit(G), power
        yield torch.outer(top_eigenvector(G), top_eigenvector(G)), power


verify.equal("eq-gnn-limit", cases(), atol=1e-10, against="the 2048th power")

# %% [markdown]
# For the club $\mu = $ {glue:text}`gnn-depth-mu`: what tells its members apart is halved, in the slowest direction,
# every {glue:text}`gnn-depth-half-life` layers.
#
# Do $W$ and the ReLU save it? Measure how far features are from the smooth ones, all multiples of $q$, in the
# Frobenius norm $\lVert X \rVert_F$, the root of the sum of all squared entries:
#
# $$
# \delta(X) = \big\lVert (I - q q^\top) X \big\rVert_F .
# $$ (def-gnn-roughness)
#
# Then a layer multiplies $\delta$ by at most $\mu\, \lVert W \rVert$ {cite}`oono2020oversmoothing`:
#
# $$
# \delta\big( \operatorname{ReLU}(\hat A H W) \big) \le \mu\, \lVert W \rVert\, \delta(H) .
# $$ (eq-gnn-contraction)


# %%
def roughness(G, X):
    q = top_eigenvector(G)[:, None]  # [N, 1]
    return torch.linalg.matrix_norm(X - q @ (q.T @ X))  # X may be [..., N, d]


def most_roughness(G, H, W):
    return second_eigenvalue(G) * torch.linalg.matrix_norm(W, ord=2) * roughness(G, H)


def gcn_layer(G, H, W):
    return torch.relu(gcn_norm(G) @ H @ W)


def sharp_case(G, W):
    r = torch.linalg.svd(W).U[:, 0].abs()  # positive, as W is
    return torch.outer(top_eigenvector(G) + 0.01 * slowest_mode(G)[1], r)  # H


# %% tags=["hide-input"]
def draw_contraction():
    fig, ax = plt.subplots(figsize=(4.2, 2.8))
    for row, sharp in enumerate((False, True)):
        ratios = []
        for G in connected * 8:
            W = torch.rand(4, 4) if sharp else torch.randn(4, 4)
            H = sharp_case(G, W) if sharp else torch.randn(len(G), 4)
            ratios.append(roughness(G, gcn_layer(G, H, W)) / most_roughness(G, H, W))
        rows = row + torch.linspace(-0.25, 0.25, len(ratios))  # so that none hides
        ax.plot(ratios, rows, linestyle="none")
    ax.axvline(1, color=display.INK, linewidth=0.8)
    ax.set(xlim=(0, 1.1), ylim=(-0.6, 1.6), xlabel="roughness, in parts of its bound")
    ax.set(yticks=[0, 1], yticklabels=["random", "sharp\ncase"])
    return fig


display.show(
    draw_contraction(),
    alt="Roughness after a layer, divided by its bound: random features and weights "
    "scatter well below 1, the sharp cases all lie at 1.",
    caption="Random layers stay below the bound; the case that was built to reach it "
    "does.",
)


# %% tags=["check"]
def cases():
    for G in connected:
        for d in (1, 4, 9):
            H, W = torch.randn(len(G), 4), torch.randn(4, d)
            yield roughness(G, gcn_layer(G, H, W)) <= most_roughness(G, H, W), True
            W = torch.rand(4, d)
            H = sharp_case(G, W)
            yield most_roughness(G, H, W), roughness(G, gcn_layer(G, H, W))


verify.equal(
    "eq-gnn-contraction", cases(), rtol=1e-10, against="the measured roughness"
)

# %% [markdown]
# Three steps show it.
#
# 1. *Propagation.* Because $\hat A q = q$ and $q^\top q = 1$, multiplying out shows that $(I - q q^\top) \hat A$ and
#    $(\hat A - q q^\top)(I - q q^\top)$ are both $\hat A - q q^\top$. Apply them to $H$ column by column:
#    $\hat A - q q^\top$ has the norm $\mu$, so $\delta(\hat A H) \le \mu\, \delta(H)$.
# 2. *Weights.* They act from the other side, row by row:
#    $\delta(X W) = \lVert (I - q q^\top) X\, W \rVert_F \le \lVert W \rVert\, \delta(X)$.
# 3. *ReLU.* Take one column $x = x^+ - x^-$, with $x^+ = \operatorname{ReLU}(x)$, and $x^-$ the negative part with
#    its sign turned. The two have no common non-zero entry, so
#    $\lVert x \rVert^2 = \lVert x^+ \rVert^2 + \lVert x^- \rVert^2$. By Pythagoras
#    $\delta(x)^2 = \lVert x \rVert^2 - (q^\top x)^2$. Put $a = q^\top x^+$ and $b = q^\top x^-$; both are $\ge 0$,
#    since all entries of $q$ are positive. Then $\delta(x)^2 - \delta(x^+)^2$ is
#    $\lVert x^- \rVert^2 - (a - b)^2 + a^2$, that is $\lVert x^- \rVert^2 - b^2 + 2 a b$. It is not negative, because
#    $b \le \lVert q \rVert \lVert x^- \rVert = \lVert x^- \rVert$. The ReLU never adds to $\delta$.
#
# The bound is sharp. Take any $W$ with positive entries: its top singular vectors $r$ and $t$, with
# $r^\top W = \lVert W \rVert\, t^\top$, have positive entries too. Let $H = (q + \varepsilon v)\, r^\top$, with $v$ the
# slowest eigenvector and $\varepsilon$ so small that no entry turns negative: the ReLU finds nothing to cut, and
# $\delta$ shrinks by exactly $\mu \lVert W \rVert$. It is the second row of the picture.
#
# So $k$ layers with $\lVert W \rVert \le 1/\mu$ cannot roughen, and with smaller weights the features become smooth
# exponentially fast. Training may answer with $\lVert W \rVert > 1/\mu$: then the theorem says nothing, and we have to
# measure.
#
# ## Deeper, trained
#
# First propagation alone, by itself: the distance $\lVert \hat A^k H - q q^\top H \rVert_F$ for random $H$, relative to
# $\lVert H \rVert_F$, under its bound $\mu^k$.

# %%
A_hat = gcn_norm(A)
rounds = np.arange(41)
H = torch.randn(N, 16)
smoothed = torch.stack([torch.linalg.matrix_power(A_hat, int(k)) for k in rounds]) @ H
alone = roughness(A, smoothed) / torch.linalg.matrix_norm(H)  # [41]


# %% tags=["hide-input", "nbval-ignore-output"]
def draw_alone():
    fig, ax = plt.subplots(figsize=(4.2, 2.9))
    ax.semilogy(rounds, alone, markevery=5, label="measured")
    ax.semilogy(rounds, mu**rounds, markevery=5, label=r"bound $\mu^k$")
    ax.set(xlabel="propagations $k$", ylabel="distance to rank one")
    ax.legend()
    return fig


display.show(
    draw_alone(),
    alt="On a logarithmic axis, the distance to rank one falls fast at first, then along "
    "a line parallel to its bound and below it.",
    caption="Propagation forgets what tells nodes apart, in the end at the rate of its "
    "bound.",
)

# %% [markdown]
# Then the network of {doc}`message_passing` on the club's four labels, with one layer to eight.

# %%
y, labelled = club.y, club.train_mask  # [N] each
num_classes, hidden = int(y.max()) + 1, 16


def network(weights):
    """Layers on H = I, without ReLU after the last; one W is [S, d_in, d_out]."""
    H = torch.eye(N)
    for W in weights[:-1]:
        H = torch.relu(A_hat @ H @ W)
    return A_hat @ H @ weights[-1]  # scores [S, N, classes]


def train(depth, num_seeds, steps=200, lr=0.01):
    """All seeds at once; the scores [S, N, classes] and the weights."""
    sizes = itertools.pairwise([N] + [hidden] * (depth - 1) + [num_classes])
    weights = [glorot(num_seeds, *size).requires_grad_() for size in sizes]
    optimizer = torch.optim.Adam(weights, lr=lr)
    for _ in range(steps):
        optimizer.zero_grad()
        scores = network(weights).log_softmax(dim=-1)
        loss = -scores[..., labelled, y[labelled]].mean(dim=-1)  # [S]
        loss.sum().backward()  # no term mixes two seeds
        optimizer.step()
    with torch.no_grad():
        return network(weights), [W.detach() for W in weights]


def accuracy(scores, nodes):
    return (scores.argmax(dim=-1) == y)[..., nodes].double().mean(dim=-1)


num_seeds = {"smoke": 20, "full": 100}[profile]
depths = [1, 2, 3, 4, 8]
trained = {depth: train(depth, num_seeds) for depth in depths}
untrained = train(8, num_seeds, steps=0)
scores = [trained[depth][0] for depth in depths]
on_labelled = torch.stack([accuracy(X, labelled) for X in scores])  # [depths, S]
on_others = torch.stack([accuracy(X, ~labelled) for X in scores])  # [depths, S]


def relative_roughness(X):
    return roughness(A, X) / torch.linalg.matrix_norm(X)  # of [..., N, d] the [...]


def singular_values(weights):
    return torch.stack([torch.linalg.matrix_norm(W, ord=2) for W in weights])


# %% tags=["hide-input", "nbval-ignore-output"]
two, four, eight = on_others[1], on_others[3], on_others[4]
display.glue("gnn-depth-depth-2", f"{two.mean():.0%}")
display.glue("gnn-depth-depth-4", f"{four.mean():.0%} ± {four.std():.0%}")
display.glue("gnn-depth-depth-8", f"{eight.mean():.0%} ± {eight.std():.0%}")
display.glue("gnn-depth-depth-8-labelled", f"{on_labelled[4].mean():.0%}")
for when, (outputs, weights) in {"before": untrained, "after": trained[8]}.items():
    largest = singular_values(weights)
    display.glue(f"gnn-depth-rough-{when}", f"{relative_roughness(outputs).mean():.2f}")
    display.glue(
        f"gnn-depth-singular-{when}", f"{largest.min():.1f} to {largest.max():.1f}"
    )
display.glue("gnn-depth-singular-bound", f"{1 / mu:.2f}")


# %% tags=["hide-input", "nbval-ignore-output"]
def draw_depths():
    fig, ax = plt.subplots(figsize=(4.2, 3.0))
    for values, label in ((on_labelled, "labelled four"), (on_others, "the others")):
        mean, std = values.mean(dim=1), values.std(dim=1)
        (line,) = ax.plot(depths, mean, label=label)
        low, high = mean - std, (mean + std).clamp(max=1)
        ax.fill_between(depths, low, high, fc=line.get_color(), alpha=0.2, lw=0)
    ax.set(xlabel="layers", ylabel="accuracy", ylim=(0, 1.05), xticks=depths)
    ax.legend()
    return fig


display.show(
    draw_depths(),
    alt="Accuracy by depth: on the labelled four it is "
    f"{on_labelled.mean():.2f} on average; on the others {two.mean():.2f} at 2 layers, "
    f"{four.mean():.2f} at 4, {eight.mean():.2f} at 8.",
    caption="Trained networks lose accuracy on members without a label as they get "
    "deeper.",
)

# %% [markdown]
# From {glue:text}`gnn-depth-depth-2` at two layers, the accuracy falls to {glue:text}`gnn-depth-depth-4` at four and
# {glue:text}`gnn-depth-depth-8` at eight. Bands are one standard deviation over the seeds.
#
# Is that over-smoothing? Look before you say so, at the part $\delta(X) / \lVert X \rVert_F$ of the output $X$ that is
# not smooth. It is {glue:text}`gnn-depth-rough-before` after eight untrained layers, but
# {glue:text}`gnn-depth-rough-after` after training. The largest singular values of the weights, at the start
# {glue:text}`gnn-depth-singular-before`, are {glue:text}`gnn-depth-singular-after` then, all above
# $1/\mu = $ {glue:text}`gnn-depth-singular-bound`, so {eq}`eq-gnn-contraction` forbids nothing. The eight layers do
# tell nodes apart, and get {glue:text}`gnn-depth-depth-8-labelled` of the labelled four right. What fails is to go from
# these four to the others. Depth costs accuracy here; that a deep network ends in features that are all alike is *not*
# what you see.

# %% [markdown]
# ## What no depth tells apart
#
# Depth has another limit. Benzene has symmetries: a rotation or a reflection of its ring takes it to itself. For a
# permutation $P$ that keeps the bonds and the features, the left side of {eq}`eq-gnn-layer-equivariance` is $F(A, H)$
# again, for one layer and for any stack of them, so
#
# $$
# \begin{aligned}
# &P A P^\top = A \ \text{ and } \ P H = H \\
# &\implies P\, F(A, H) = F(A, H) :
# \end{aligned}
# $$ (eq-gnn-symmetric-nodes)
#
# nodes that a symmetry exchanges leave the network with the same features, whatever the weights are. Both conditions
# are needed: mark one carbon, and its neighbours can be told from the others.

# %%
benzene = molecules.from_smiles("c1ccccc1").batch([0])
H, edges = benzene.x.double(), benzene.edge_index  # carbons are nodes 0 to 5
marked = torch.cat([H, torch.eye(len(H))[:, :1]], dim=1)  # a sixth feature: "node 0"


def symmetries(edge_index):
    """All permutations that keep the bonds, each as a list of nodes."""
    graph = nx.Graph(edge_index.T.tolist())
    found = nx.isomorphism.GraphMatcher(graph, graph).isomorphisms_iter()
    return [[p[i] for i in range(len(graph))] for p in found]


def stack(H, edge_index, depth=3, width=4):
    """Random layers; tanh, as a ReLU might zero it all."""
    sizes = [H.shape[1]] + [width] * depth
    for d_in, d_out in itertools.pairwise(sizes):
        H = torch.tanh(GraphConvolution(d_in, d_out)(H, edge_index))
    return H.detach()


out, out_marked = stack(H, edges), stack(marked, edges)


# %% tags=["hide-input"]
def distinct(X):
    return X.round(decimals=9).unique(dim=0, return_inverse=True)


def draw_benzene():
    figures, axes = display.panels((3.2, 3.2), (3.2, 3.2))
    graph = nx.Graph(edges.T.tolist())
    places = {i: tuple(2 * p) for i, p in enumerate(drawing.on_circle(6))}
    for i in range(6, 12):
        (carbon,) = graph[i]
        places[i] = tuple(1.75 * np.array(places[carbon]))
    for ax, X, title in zip(
        axes, (out, out_marked), ("as it is", "node 0 marked"), strict=True
    ):
        rows, kind = distinct(X)
        drawing.edges(ax, places, graph.edges)
        for element, marker in ((slice(0, 6), "o"), (slice(6, 12), "s")):
            atoms = list(range(12))[element]
            hue = display.COLORS[0 if marker == "o" else 1]
            drawing.nodes(
                ax, places, atoms, hue, lambda i, k=kind: "abcdefgh"[k[i]], marker
            )
        ax.set(title=f"{title}: {len(rows)} kinds", aspect="equal")
        ax.set(xlim=(-4, 4), ylim=(-4, 4))
        ax.set_axis_off()
    return figures


display.show(
    draw_benzene(),
    alt="Benzene twice, a letter at each atom for its features after three layers. "
    f"As it is, {len(distinct(out)[0])} letters: one for all carbons, one for all "
    f"hydrogens. With one carbon marked, {len(distinct(out_marked)[0])} letters, the "
    "same ones at places that mirror each other.",
    caption="Equal letters are equal features after three random layers. A mark at the "
    "top carbon leaves one symmetry, the reflection through it.",
)
display.glue("gnn-depth-symmetries", f"{len(symmetries(edges))}")
display.glue("gnn-depth-distinct", f"{len(distinct(out)[0])}")
display.glue("gnn-depth-marked", f"{len(distinct(out_marked)[0])}")


# %% tags=["check"]
def cases():
    kept = 0
    for X, order in itertools.product((H, marked), symmetries(edges)):
        result = stack(X, edges)
        if torch.equal(X[order], X):
            kept += 1
            yield result[order], result
        else:  # bonds alone do not make a symmetry
            yield torch.allclose(result[order], result), False
    yield kept, 12 + 2  # the hexagon's, and the two that leave node 0 in place
    swapped = [0, 3, 2, 1, *range(4, 12)]  # nor do features alone
    result = stack(marked, edges)
    yield torch.equal(marked[swapped], marked), True
    yield torch.allclose(result[swapped], result), False


verify.equal(
    "eq-gnn-symmetric-nodes",
    cases(),
    atol=1e-12,
    against="all symmetries that networkx finds",
)

# %% [markdown]
# Benzene's bonds have {glue:text}`gnn-depth-symmetries` symmetries, and its twelve atoms leave with
# {glue:text}`gnn-depth-distinct` different feature vectors; with the mark, with {glue:text}`gnn-depth-marked`. No
# training can tell two carbons of benzene apart, and none should. But there are graphs that differ, and look the same
# to every node:

# %% [markdown]
# :::{exercise} Two graphs that look the same
# :label: ex-gnn-blind
# One graph is a ring of six nodes, the other two separate triangles. All features are 1. Show that any stack of GCN
# layers gives all twelve nodes the same output. Does it help to sum the outputs of each graph? What if the layer used
# $A$ itself, or a mean? What would help?
# :::

# %% [markdown] tags=["solution"]
# :::{solution-start} ex-gnn-blind
# :class: dropdown
# :::
# In both graphs each node has two neighbours, so $\tilde d_i = 3$ everywhere, and each row of $\hat A$ sums to
# $3 \cdot \tfrac13 = 1$. If all rows of $H$ are equal to $h^\top$, all rows of $\sigma(\hat A H W)$ are
# $\sigma(h^\top W)$: equal again, and the same in both graphs. By induction this goes through all layers. Each graph
# has six nodes, so sums over graphs agree as well. With $A$ the rows sum to 2 everywhere, with a mean to 1: the same
# argument. Each node sees a tree of nodes with two neighbours each, and never learns that a walk has come back. No
# message passing of form {eq}`def-gnn-message-passing` can do more than the *Weisfeiler–Lehman test*
# {cite}`xu2019gin`, which takes these graphs for the same. It helps to give nodes something more: names (at the price
# of equivariance), the number of triangles they are in, distances in space.


# %% tags=["solution"]
ring = torch.from_numpy(nx.to_numpy_array(nx.cycle_graph(6)))
triangles = torch.block_diag(*[torch.ones(3, 3) - torch.eye(3)] * 2)
H_ring = H_triangles = torch.ones(6, 2)
for W in torch.randn(3, 2, 2):
    H_ring = torch.tanh(gcn_norm(ring) @ H_ring @ W)
    H_triangles = torch.tanh(gcn_norm(triangles) @ H_triangles @ W)
torch.testing.assert_close(H_ring, H_triangles)

# %% [markdown] tags=["solution"]
# :::{solution-end}
# :::

# %% [markdown]
# ## What was shown
#
# - $k$ layers see $k$ hops, no more: the powers of $\hat A$ fill up one hop at a time, and so does the Jacobian.
# - $\hat A$ is not an average: its rows do not sum to one. Its norm is 1, so the length of the features cannot grow,
#   and $\tilde D^{1/2} \mathbf{1}$ passes through unchanged.
# - Powers of $\hat A$ tend to rank one at the rate $\mu^k$, and a layer cannot roughen unless
#   $\lVert W \rVert > 1/\mu$: a deep network must work against it. On the club it does, and still finds less.
# - What a symmetry exchanges, no depth tells apart.
#
# ## Exercises

# %% [markdown]
# :::{exercise} A true average
# :label: ex-gnn-mean
# Use $\tilde D^{-1} \tilde A$ in place of $\hat A$. (a) Show that its rows sum to one, that it has the eigenvalues of
# $\hat A$, and find the limit of its powers on a connected graph. (b) Write `mean_aggregation(x, edge_index)`, the
# mean over each node and its neighbours, on an edge list without loops.
# :::

# %% [markdown] tags=["solution"]
# :::{solution-start} ex-gnn-mean
# :class: dropdown
# :::
# (a) $\tilde D^{-1} \tilde A \mathbf{1} = \tilde D^{-1} \tilde D \mathbf{1} = \mathbf{1}$. It is similar to $\hat A$,
# $\tilde D^{-1} \tilde A = \tilde D^{-1/2} \hat A\, \tilde D^{1/2}$, so the eigenvalues are the same, and
# $(\tilde D^{-1} \tilde A)^k = \tilde D^{-1/2} \hat A^k \tilde D^{1/2}$. As {eq}`eq-gnn-limit` shows,
# $\hat A^k \to \tilde D^{1/2} \mathbf{1}\mathbf{1}^\top \tilde D^{1/2} / \sum_m \tilde d_m$, so the limit is
# $\mathbf{1} \tilde d^\top / \sum_m \tilde d_m$: each node ends with the same mean of all features, weighted by
# degree.


# %% tags=["solution"]
def mean_aggregation(x, edge_index):
    source, target = edge_index
    total = x.index_add(0, target, x[source])  # starts from x: the self-loop
    return total / (1 + torch.bincount(target, minlength=len(x)))[:, None]


# %% [markdown] tags=["solution"]
# :::{solution-end}
# :::

# %%
exercises.check("gnn/depth/mean_aggregation", mean_aggregation)

# %% [markdown]
# :::{exercise} What the self-loops are for
# :label: ex-gnn-self-loops
# Leave the self-loops out: $D^{-1/2} A D^{-1/2}$, with the degrees of $A$. (a) What happens at a node without
# neighbours? (b) A graph is bipartite if its nodes split into two sets $S$ and $T$, and all edges run between $S$ and
# $T$. Show that for such a graph without isolated nodes, $-1$ is an eigenvalue. What do the powers of the matrix do?
# :::

# %% [markdown] tags=["solution"]
# :::{solution-start} ex-gnn-self-loops
# :class: dropdown
# :::
# (a) Its degree is 0, and $0^{-1/2}$ is infinite: the row is not defined. Libraries set it to zero, and the node
# loses its own features.
#
# (b) Take $x_i = \sqrt{d_i}$ on $S$ and $-\sqrt{d_i}$ on $T$. For $i \in S$ all neighbours are in $T$, so row $i$
# gives
# $\sum_{j \in \mathcal{N}(i)} \frac{1}{\sqrt{d_i d_j}} (-\sqrt{d_j}) = -\frac{d_i}{\sqrt{d_i}} = -\sqrt{d_i} = -x_i$,
# and for $i \in T$ likewise with the signs turned. So the eigenvalue is $-1$. The powers do not converge: that
# component of $H$ changes its sign at each step, forever. With self-loops, {eq}`eq-gnn-spectral-norm` rules it out.
#
# :::{solution-end}
# :::

# %% [markdown]
# :::{exercise} The Jacobian of a layer
# :label: ex-gnn-layer-jacobian
# For $H' = \tanh(\hat A H W)$, write out $\partial H'_{ic} / \partial H_{jb}$ with all its indices, and then
# `layer_jacobian(A_hat, H, W)` of shape $[N, d_{\text{out}}, N, d_{\text{in}}]$. Which of its entries are zero, and
# why?
# :::

# %% [markdown] tags=["solution"]
# :::{solution-start} ex-gnn-layer-jacobian
# :class: dropdown
# :::
# With $Z_{ic} = \sum_{j} \sum_{b} \hat A_{ij} H_{jb} W_{bc}$ only one term holds $H_{jb}$, so
# $\partial Z_{ic} / \partial H_{jb} = \hat A_{ij} W_{bc}$, and
# $\partial H'_{ic} / \partial H_{jb} = (1 - H_{ic}'^{\,2})\, \hat A_{ij} W_{bc}$. It is zero unless $i = j$ or $i$
# and $j$ are neighbours: its pattern of zeros is that of $\tilde A$, a block for each pair of nodes.


# %% tags=["solution"]
def layer_jacobian(A_hat, H, W):
    slope = 1 - torch.tanh(A_hat @ H @ W) ** 2  # [N, d_out]
    return torch.einsum("ic,ij,bc->icjb", slope, A_hat, W)


# %% [markdown] tags=["solution"]
# :::{solution-end}
# :::

# %%
exercises.check("gnn/depth/layer_jacobian", layer_jacobian)

# %% [markdown]
# ## Further reading
#
# - Li and others {cite}`li2018deeper` name over-smoothing; Oono and Suzuki {cite}`oono2020oversmoothing` prove the rate
#   with weights and ReLU.
# - Xu and others {cite}`xu2019gin` show what message passing can tell apart at best.
