# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Attention
#
# In {doc}`message_passing` a member of the karate club listens to all friends by a fixed rule: of two friends, the one
# with fewer friends counts more, whatever either of them has to say. **Can a node learn whom to listen to?**
#
# It can: the graph still says who may be heard, and the features say how much. You will build this layer, find that it
# ranks its neighbours in one order for everybody, and see what that is worth with four labels.

# %% tags=["parameters"]
profile = "smoke"
seed = 0

# %% tags=["set-up"]
import math

from helpers import display, exercises, parameters, verify
from helpers.gnn import drawing
from helpers.gnn.layers import GraphAttention, gcn_norm

import matplotlib.pyplot as plt
import networkx as nx
import numpy as np
import torch
from matplotlib.patches import PathPatch
from matplotlib.path import Path
from torch.nn.functional import dropout, leaky_relu, softplus
from torch_geometric.datasets import KarateClub
from torch_geometric.nn import GATConv, GATv2Conv
from torch_geometric.utils import to_dense_adj

parameters.check(globals(), profile=("smoke", "full"), seed=range(2**31))
display.use_book_style()
torch.manual_seed(seed)
torch.set_default_dtype(torch.float64)  # claims are held to 1e-12

club = KarateClub()[0]
N = club.num_nodes
A_club = to_dense_adj(club.edge_index)[0].double()  # [N, N]


def random_graph(num_nodes, probability):
    upper = (torch.rand(num_nodes, num_nodes) < probability).double().triu(diagonal=1)
    return upper + upper.T


graphs = [
    random_graph(n, p)
    for n, p in ((1, 0.0), (4, 0.0), (6, 0.5), (12, 0.2), (20, 0.3), (9, 1.0))
] + [A_club]
inputs = [(A, torch.randn(len(A), 3)) for A in graphs]  # A and H, for the checks
W, a = torch.randn(3, 5), torch.randn(10)

# %% [markdown]
# ## Score, share, sum
#
# Four nodes know one number each, $z = (1, 3, -1, 2)$. A node hears its neighbours and itself, and listens more to
# those who have more than it has. What reaches it? The picture goes through it for node 0; slide on to the others.

# %% tags=["hide-input"]
z_four = [1.0, 3.0, -1.0, 2.0]
four = nx.Graph([(0, 1), (0, 2), (1, 2), (2, 3)])
hears = [[*four.neighbors(i), i] for i in range(4)]  # the node itself comes last


def by_hand(i):
    """The scores and shares of those whom node i hears, and the sum."""
    ahead = [z_four[j] - z_four[i] for j in hears[i]]
    scores = [x if x > 0 else 0.2 * x for x in ahead]
    weights = [math.exp(score) for score in scores]
    shares = [weight / sum(weights) for weight in weights]
    heard = zip(shares, hears[i], strict=True)
    return scores, shares, sum(share * z_four[j] for share, j in heard)


spots = {0: (0, 1), 1: (0, -1), 2: (1.5, 0), 3: (2.9, 0)}


def draw_steps(i):
    scores, shares, total = by_hand(i)
    figures, axes = display.panels(*[(2.2, 2.3)] * 3)
    pairs = zip(shares, hears[i], strict=True)
    products = [f"{q:.2f}·{z_four[j]:g}".replace("·-1", "·(−1)") for q, j in pairs]
    texts = [[f"{x:.1f}" for x in scores], [f"{q:.2f}" for q in shares], products]
    titles = "1. scores", "2. shares", f"3. sum: {total:.2f}"
    for ax, title, labels in zip(axes, titles, texts, strict=True):
        others = [j for j in four if j != i]
        drawing.edges(ax, spots, four.edges, width=0.6, style=":")
        ways = [(j, i) for j in hears[i][:-1]]
        widths = 1 if ax is axes[0] else [0.5 + 5 * share for share in shares[:-1]]
        drawing.arrows(ax, spots, ways, display.COLORS[0], widths, size=20)
        drawing.nodes(ax, spots, others, label=lambda j: f"{z_four[j]:g}", size=20)
        drawing.nodes(
            ax,
            spots,
            [i],
            display.COLORS[1],
            label=lambda j: f"{z_four[j]:g}",
            size=20,
            outline=2.4,
        )
        for j, text in zip(hears[i], labels, strict=True):
            x, y = np.mean([spots[i], spots[j]], axis=0)
            y += 0.62 * (1 if spots[i][1] >= 0 else -1) if j == i else 0
            box = dict(boxstyle="round,pad=0.1", facecolor=display.PAPER, linewidth=0)
            ax.text(x, y, text, ha="center", va="center", bbox=box, zorder=4)
        ax.set(xlim=(-0.7, 3.3), ylim=(-1.9, 1.9), title=title)
        ax.set_axis_off()
    return figures


def describe_steps(i):
    scores, shares, total = by_hand(i)
    heard = "; ".join(
        f"node {j}, with {z_four[j]:g}, has score {x:.1f} and share {q:.2f}"
        for j, x, q in zip(hears[i], scores, shares, strict=True)
    )
    return (
        f"A graph of four nodes, of which {i} listens: {heard}. The sum is {total:.2f}."
    )


display.slider(
    draw_steps,
    range(4),
    label="node who listens",
    alt=describe_steps,
    caption="From left to right: a score for each one heard (the listener's own stands "
    "above or below it), shares, and the sum of shares times numbers.",
)

# %% [markdown]
# 1. **Score.** Each one heard gets a number: here $z_j - z_i$, and a fifth of it where it is negative. Node 0 has 1.
#    It scores node 1 with $3 - 1 = 2$, node 2 with $0.2 \cdot (-1 - 1) = -0.4$, itself with 0. Node 3 gets none: there
#    is no edge.
# 2. **Share.** Scores may be negative and sum to anything. Their exponentials are positive, $7.39$, $0.67$ and $1$, and
#    sum to $9.06$. Divide by that: $0.82$, $0.07$ and $0.11$.
# 3. **Sum.** $0.82 \cdot 3 + 0.07 \cdot (-1) + 0.11 \cdot 1 = 2.48$. Equal shares would have given 1.
#
# That is the whole layer, with one number per node and a score that someone thought of. What is left is to use vectors,
# and to learn the score.
#
# ## From a sum to a choice
#
# Take the GCN layer node by node, {eq}`eq-gnn-node-form`, and leave its factors $1/\sqrt{\tilde d_i \tilde d_j}$ out.
# What remains is a plain sum, in which all neighbours count the same. In matrices, that is $\tilde A = A + I$ in place
# of $\hat A$:
#
# $$
# z_j = W^\top h_j , \qquad
# \sum_{j \in \mathcal{N}(i) \cup \{i\}} z_j = \Big( \big[ \tilde A H W \big]_{i:} \Big)^{\!\top} .
# $$ (eq-gnn-plain-sum)
#
# As ever, $h_j \in \mathbb{R}^{d}$ is a column and row $j$ of $H$ is $h_j^\top$; so $W \in \mathbb{R}^{d \times d'}$
# stands transposed in front of a column.


# %%
def neighbourhoods(A):
    """For each node the list of its neighbours, then the node itself."""
    graph = nx.from_numpy_array(A.numpy())
    return [[*graph.neighbors(i), i] for i in graph]


def plain_sum(A, H, W):  # [N, N], [N, d], [d, d_out] → [N, d_out]
    return (A + torch.eye(len(A))) @ H @ W


# %% tags=["check"]
def cases():
    for A, H in inputs:
        by_node = [sum(W.T @ H[j] for j in heard) for heard in neighbourhoods(A)]
        yield plain_sum(A, H, W), torch.stack(by_node)


verify.equal("eq-gnn-plain-sum", cases(), atol=1e-12, against="a loop over nodes")


# %% tags=["hide-input"]
def draw_three_ways():
    fig, ax = plt.subplots(figsize=(4.2, 2.5))
    sums = [sum(z_four[j] for j in hears[i]) for i in range(4)]
    means = [total / len(heard) for total, heard in zip(sums, hears, strict=True)]
    rows = sums, means, [by_hand(i)[2] for i in range(4)]
    names = ("plain sum", ""), ("mean", "//"), ("attention", "xx")
    for k, (row, (name, hatch)) in enumerate(zip(rows, names, strict=True)):
        style = dict(color=display.COLORS[k], hatch=hatch, label=name)
        ax.bar(np.arange(4) + 0.27 * (k - 1), row, width=0.25, **style)
    ax.set(xlabel="node", ylabel="what reaches it", ylim=(0, 9))
    ax.set_xticks(range(4))
    ax.legend(loc="upper left", ncols=2)
    return fig


display.show(
    draw_three_ways(),
    alt="What reaches each of the four nodes of the first picture, by the plain sum, the "
    "mean and attention. At node 2, which hears four, the sum is 5, the mean 1.25, and "
    "attention, which prefers the largest, lies between.",
    caption="The four nodes again. The sum of node 2 is large because it hears many; "
    "attention says what the largest of them has.",
)

# %% [markdown]
# {term}`Attention <attention>` lets some neighbours count more than others. So each message gets an
# {term}`attention coefficient`, a number for the pair:
#
# $$
# h_i' = \sigma\Bigg( \sum_{j \in \mathcal{N}(i) \cup \{i\}} \alpha_{ij}\, W^\top h_j \Bigg) .
# $$ (def-gnn-attention)
#
# A free parameter for each edge would not do: it would belong to one graph, and to the names in it. The coefficient
# must be *computed*, by one function for all pairs, from what the two nodes know. That function gives a *score*. The
# *graph attention network* (GAT) {cite}`velickovic2018gat` stacks the two vectors, written $[\, z_i \,\Vert\, z_j \,]$,
# multiplies them by one vector of weights, and bends the result by a LeakyReLU (slope 1 above zero, $\gamma = 0.2$
# below):
#
# $$
# e_{ij} = \operatorname{LeakyReLU}\big( a^\top [\, z_i \,\Vert\, z_j \,] \big) , \qquad
# z_i = W^\top h_i , \quad a \in \mathbb{R}^{2 d'} .
# $$ (def-gnn-gat-score)
#
# Scores may be anything, positive or negative, and a node has one for each neighbour and one for itself. A softmax
# over the neighbourhood turns them into coefficients:
#
# $$
# \alpha_{ij} = \frac{\exp(e_{ij})}{\sum_{k \in \mathcal{N}(i) \cup \{i\}} \exp(e_{ik})} .
# $$ (def-gnn-coefficient)
#
# Word for word, node by node:


# %%
def attend_by_node(A, H, W, a, c=None):
    """α [N, N] and the sums before σ [N, d_out]; c [N] shifts each node's scores."""
    alpha = torch.zeros_like(A)
    out = torch.zeros(len(A), W.shape[1])
    for i, heard in enumerate(neighbourhoods(A)):
        pairs = [torch.cat([W.T @ H[i], W.T @ H[j]]) for j in heard]
        e = leaky_relu(torch.stack(pairs) @ a, 0.2)  # [1 + number of neighbours]
        weights = (e if c is None else e + c[i]).exp()
        for j, share in zip(heard, weights / weights.sum(), strict=True):
            alpha[i, j] = share
            out[i] += share * (W.T @ H[j])
    return alpha, out


A_four = torch.zeros(4, 4)
for i, j in ((0, 1), (0, 2), (1, 2), (2, 3)):
    A_four[i, j] = A_four[j, i] = 1
H_four, ahead = torch.tensor([[1.0], [3.0], [-1.0], [2.0]]), torch.tensor([-1.0, 1.0])
alpha, sums = attend_by_node(A_four, H_four, torch.eye(1), ahead)
print("shares at node 0", [f"{share:.2f}" for share in alpha[0]])
print("sums            ", [f"{total:.2f}" for total in sums[:, 0]])


# %% tags=["hide-input"]
def draw_sharpness():
    fig, ax = plt.subplots(figsize=(4.2, 2.6))
    sharpness = torch.linspace(0, 2, 41)
    shares = [
        attend_by_node(A_four, H_four, torch.eye(1), t * ahead)[0][2] for t in sharpness
    ]
    for j, curve in enumerate(torch.stack(shares).T):
        ax.plot(sharpness, curve, marker="", label=f"node {j}, with {H_four[j, 0]:g}")
    ax.set(xlabel="$t$", ylabel="share at node 2", ylim=(0, 1))
    ax.legend()
    return fig


display.show(
    draw_sharpness(),
    alt="The shares of the four nodes whom node 2 hears, itself included, by the factor "
    "t of a. At t = 0 all are a quarter. With t the share of node 1, which has the most, "
    "rises towards 1, and the others fall.",
    caption="Node 2 hears all four. Here a is t times (−1, 1): with t = 0 all shares are "
    "equal, and with a large t the node picks one.",
)

# %% [markdown]
# With $W = 1$ and $a = (-1, 1)$ these are the four nodes of the picture. Why a softmax, and not the scores themselves?
# Three reasons, each a property that you can check.
#
# **Shares.** All coefficients of a node are positive, and
#
# $$
# \sum_{j \in \mathcal{N}(i) \cup \{i\}} \alpha_{ij} = 1 .
# $$ (eq-gnn-shares)


# %% tags=["check"]
def by_pyg(A, H):
    """The same coefficients [N, N] and sums [N, d_out] by PyG's layer."""
    conv = GATConv(3, 5, bias=False)
    conv.lin.weight.data = W.T.clone()
    conv.att_dst.data, conv.att_src.data = a.reshape(2, 1, 1, -1)
    out, (edges, share) = conv(H, A.nonzero().T, return_attention_weights=True)
    return torch.zeros_like(A).index_put((edges[1], edges[0]), share[:, 0]), out


def cases():
    for A, H in inputs:
        alpha, theirs = attend_by_node(A, H, W, a)[0], by_pyg(A, H)[0]
        yield alpha, theirs
        yield theirs.sum(dim=1), torch.ones(len(A))
        yield (alpha > 0).double(), A + torch.eye(len(A))  # positive where heard


verify.equal("eq-gnn-shares", cases(), atol=1e-12, against="PyG's coefficients")

# %% [markdown]
# **Scale.** So what comes out is a true average. No feature $f$ of it leaves the range of the messages, whether the
# node has one neighbour or thousands:
#
# $$
# \min_j z_{jf} \;\le\; \sum_j \alpha_{ij}\, z_{jf} \;\le\; \max_j z_{jf} ,
# \qquad j \in \mathcal{N}(i) \cup \{i\} .
# $$ (eq-gnn-convex)
#
# Because of {eq}`eq-gnn-shares`, the distance to the upper end is $\sum_j \alpha_{ij} (\max_k z_{kf} - z_{jf})$, a sum
# without negative terms; likewise at the lower end. Both ends can be reached, as nearly as you like: with $e_{ij} = t
# z_{jf}$ and a large $t$ the average goes to the maximum, with $-t$ to the minimum. The plain sum
# {eq}`eq-gnn-plain-sum` stays in no range. Where each node hears ten that all say 1, it gives 10, and after three
# layers 1000.


# %% tags=["check"]
def ends(A, Z):
    """The least and the largest message at each node, [N, d_out] each."""
    heard = [Z[nodes] for nodes in neighbourhoods(A)]
    return torch.stack([z.amin(0) for z in heard]), torch.stack(
        [z.amax(0) for z in heard]
    )


def cases():
    for A, H in inputs:
        out = attend_by_node(A, H, W, a)[1]
        yield out, out.clamp(*ends(A, H @ W))  # never outside
        Z, I = torch.randint(-3, 4, H.shape).double(), torch.eye(3)
        for t, end in zip((-200, 200), ends(A, Z), strict=True):  # and at the end
            columns = [
                attend_by_node(A, Z, I, torch.cat([0 * f, t * f]))[1] @ f for f in I
            ]
            yield torch.stack(columns, dim=1), end


verify.equal(
    "eq-gnn-convex",
    cases(),
    atol=1e-12,
    against="the least and the largest message at each node, never passed and reached",
)


# %% [markdown]
# **Competition.** For a number $c_i$ that is the same for all neighbours of $i$,
#
# $$
# \alpha_{ij} = \frac{\exp(e_{ij} + c_i)}{\sum_{k} \exp(e_{ik} + c_i)} ,
# $$ (eq-gnn-softmax-shift)
#
# since $\exp(e_{ij} + c_i) = \exp(e_{ij}) \exp(c_i)$ and $\exp(c_i)$ cancels. Only *differences* between scores
# count, and only between neighbours of the same node. A node cannot hear everybody better; it can only prefer. So a
# score of one listener says nothing beside a score of another, and neither does a coefficient: 0.3 is little for a node
# that hears two and much for a node that hears seventeen. In practice you take $c_i = -\max_k e_{ik}$, so that no
# exponential overflows.


# %% tags=["check"]
def cases():
    for A, H in inputs:
        shifted, _ = attend_by_node(A, H, W, a, c=5 * torch.randn(len(A)))
        yield shifted, attend_by_node(A, H, W, a)[0]


verify.equal(
    "eq-gnn-softmax-shift", cases(), atol=1e-12, against="the scores without a shift"
)


# %% tags=["hide-input"]
def draw_scale():
    fig, ax = plt.subplots(figsize=(4.2, 2.6))
    generator = torch.Generator().manual_seed(0)
    H, one = torch.rand(N, 1, generator=generator), torch.eye(1)
    num_heard = 1 + A_club.sum(dim=1)
    averages = attend_by_node(A_club, H, one, torch.tensor([-1.0, 1.0]))[1]
    ax.plot(num_heard, plain_sum(A_club, H, one), linestyle="none", label="plain sum")
    ax.plot(num_heard, averages, linestyle="none", label="attention")
    ax.axhline(1, color=display.INK, linewidth=0.8, linestyle=":")
    ax.set(xlabel="members heard, oneself included", ylabel="output", ylim=(0, None))
    ax.legend()
    return fig


display.show(
    draw_scale(),
    alt="Outputs at the members of the club by how many each hears, for messages "
    "between 0 and 1. The plain sum rises in proportion, to about 9; attention stays "
    "between 0 and 1.",
    caption="All messages lie between 0 and 1. The plain sum says mostly how many were "
    "heard; attention stays below the dotted line.",
)

# %% [markdown]
# :::{exercise} From a sum to attention
# :label: ex-gnn-attend
# (a) Start from $h_i' = \sigma(\sum_j W^\top h_j)$, with the node itself among its neighbours. What do you add, so
# that the layer attends over the neighbours of $i$? Write the new equation, and justify each part of it. (b) Write
# `attend(i, neighbours, H, W, a)`: the new features of node `i` before $\sigma$, of shape $[d']$. `neighbours` is a
# list of nodes without `i`, maybe empty; $a$ has shape $[2 d']$, its first half for the node that listens.
# :::

# %% [markdown] tags=["solution"]
# :::{solution-start} ex-gnn-attend
# :class: dropdown
# :::
# (a) A factor before each message, $\alpha_{ij}$, as in {eq}`def-gnn-attention`, with
# {eq}`def-gnn-gat-score` and {eq}`def-gnn-coefficient` in one line:
#
# $$
# \begin{gathered}
# h_i' = \sigma\Bigg( \sum_{j} \alpha_{ij}\, W^\top h_j \Bigg) , \\
# \alpha_{ij} = \operatorname{softmax}_j \Big(
# \operatorname{LeakyReLU}\big( a^\top [\, W^\top h_i \,\Vert\, W^\top h_j \,] \big) \Big) .
# \end{gathered}
# $$
#
# - *A factor for each pair*: with none, all neighbours count the same; with the GCN's, only their degrees decide.
# - *Computed from $h_i$ and $h_j$ by shared $W$ and $a$*: the layer stays equivariant, and takes graphs and nodes that
#   it has not seen. A parameter for each edge would do neither.
# - *Softmax*: coefficients are positive, sum to one for nodes of any degree and compete with each other; so the sum
#   does not grow with the degree, and the factor that was left out of equation 28 is not missed.
# - *Only over neighbours and the node itself*: the graph still decides who is heard; over all nodes, its structure
#   would be lost.
# - *LeakyReLU*: without it $h_i$ would cancel, see {eq}`eq-gnn-receiver-cancels`.
# - Several such heads may run side by side, each with its own $W$ and $a$.


# %% tags=["solution"]
def attend(i, neighbours, H, W, a):
    Z = H[[*neighbours, i]] @ W  # [n, d_out], the node itself last
    d_out = W.shape[1]
    scores = leaky_relu(Z[-1] @ a[:d_out] + Z @ a[d_out:], 0.2)  # [n]
    return scores.softmax(dim=0) @ Z


# %% [markdown] tags=["solution"]
# :::{solution-end}
# :::

# %%
exercises.check("gnn/attention/attend", attend)

# %% [markdown]
# ## Two numbers per node
#
# The score looks like work for each pair: put two vectors together, multiply by $a$. But a linear function of a
# stacked vector is a sum. Cut $a$ into halves, one for the node that listens (the edge's destination) and one for the
# node that speaks (its source), $a = [\, a_{\text{dst}} \,\Vert\, a_{\text{src}} \,]$, and
#
# $$
# a^\top [\, z_i \,\Vert\, z_j \,] = r_i + s_j , \qquad
# r_i = a_{\text{dst}}^\top z_i , \quad s_j = a_{\text{src}}^\top z_j .
# $$ (eq-gnn-score-split)


# %%
a_dst, a_src = a.chunk(2)  # [d_out] each


def pair_scores(Z, a_dst, a_src):
    """r_i + s_j of all pairs [..., N, N]; Z is [..., N, d], a_dst, a_src [..., d]."""
    r, s = Z @ a_dst[..., None], Z @ a_src[..., None]  # [..., N, 1] each
    return r + s.mT


# %% tags=["check"]
def cases():
    for _, H in inputs:
        stacked = [[torch.cat([W.T @ h_i, W.T @ h_j]) for h_j in H] for h_i in H]
        by_pair = torch.stack([torch.stack(row) @ a for row in stacked])  # [N, N]
        yield pair_scores(H @ W, a_dst, a_src), by_pair


verify.equal("eq-gnn-score-split", cases(), atol=1e-12, against="a loop over pairs")

# %% [markdown]
# Two numbers per node, and one addition per edge. For all pairs at once, with $Z = H W$, $r = Z a_{\text{dst}}$ and
# $s = Z a_{\text{src}}$, the scores are $\operatorname{LeakyReLU}(r \mathbf{1}^\top + \mathbf{1} s^\top)$. Let the
# softmax skip the pairs that are no edges ($\tilde A_{ij} = 0$), which is what a score of $-\infty$ does, and
#
# $$
# \begin{gathered}
# \alpha_{ij} = \frac{\tilde A_{ij} \exp\big( \operatorname{LeakyReLU}(r_i + s_j) \big)}
# {\sum_k \tilde A_{ik} \exp\big( \operatorname{LeakyReLU}(r_i + s_k) \big)} , \\
# \sum_{j} \alpha_{ij}\, W^\top h_j = \Big( \big[ \alpha H W \big]_{i:} \Big)^{\!\top} .
# \end{gathered}
# $$ (eq-gnn-attention-dense)


# %%
def neighbour_softmax(e, A):
    """The softmax of scores e [..., N, N] over each node's neighbours and itself."""
    hears = A + torch.eye(len(A)) > 0  # [N, N]
    return e.masked_fill(~hears, -torch.inf).softmax(dim=-1)


def coefficients(A, Z, a_dst, a_src):
    """α [..., N, N] of messages Z [..., N, d]; a_dst and a_src are [..., d]."""
    return neighbour_softmax(leaky_relu(pair_scores(Z, a_dst, a_src), 0.2), A)


def attend_densely(A, H, W, a_dst, a_src):
    Z = H @ W  # [N, d_out]
    alpha = coefficients(A, Z, a_dst, a_src)  # [N, N]
    return alpha, alpha @ Z


# %% tags=["check"]
def cases():
    for A, H in inputs:
        dense = attend_densely(A, H, W, a_dst, a_src)
        yield torch.cat(dense, dim=1), torch.cat(attend_by_node(A, H, W, a), dim=1)


verify.equal("eq-gnn-attention-dense", cases(), atol=1e-12, against="a loop over nodes")


# %% tags=["hide-input"]
def draw_squares(ax, matrix, there):
    """A square for each entry that is there, its area the entry's: all in one path."""
    squares = []
    for i, j in there.nonzero().tolist():
        side = matrix[i, j].sqrt().item()
        corners = np.array([(0, 0), (1, 0), (1, 1), (0, 1), (0, 0)]) - 0.5
        squares.append(Path(side * corners + (j, i), closed=True))
    path = Path.make_compound_path(*squares)
    ax.add_patch(PathPatch(path, color=display.COLORS[0], linewidth=0))
    N = len(matrix)
    ax.set(xlim=(-1, N), ylim=(N, -1), aspect="equal")
    ax.set(xlabel="node $j$", ylabel="node $i$")


def draw_matrices():
    figures, axes = display.panels((3.3, 3.4), (3.3, 3.4))
    alpha = attend_densely(*inputs[-1], W, a_dst, a_src)[0]
    titles = r"$\hat A$, by degrees", r"$\alpha$, by features"
    for ax, matrix, title in zip(axes, (gcn_norm(A_club), alpha), titles, strict=True):
        draw_squares(ax, matrix, A_club + torch.eye(N))
        ax.set_title(title)
    return figures


display.show(
    draw_matrices(),
    alt="Two matrices of the karate club as squares, larger for larger entries, at the "
    "same places. On the left they are of even size and symmetric, on the right a few "
    "in each row are large and most are tiny.",
    caption="The same friendships, twice. On the left degrees alone say who counts; on "
    "the right random features and weights do, and the matrix is not symmetric.",
)

# %% [markdown]
# It is the GCN layer with a matrix $\alpha$ that is made from the features, in place of $\hat A$. On an edge list with
# the loops, edge $m$ runs from node $j_m$ to node $i_m$, for $m = 0, \dots, E + N - 1$. The same then takes two sums by
# target, one for the denominators and one for the messages:
#
# $$
# \begin{gathered}
# \big[ \alpha H W \big]_{i:} = \sum_{m \,:\, i_m = i} \alpha_m\, \big[ H W \big]_{j_m :} , \\
# \alpha_m = \frac{\exp\big( \operatorname{LeakyReLU}(r_{i_m} + s_{j_m}) \big)}
# {\sum_{l \,:\, i_l = i_m} \exp\big( \operatorname{LeakyReLU}(r_{i_m} + s_{j_l}) \big)} .
# \end{gathered}
# $$ (eq-gnn-attention-edges)


# %%
def attend_by_edge(edge_index, H, W, a_dst, a_src):
    loops = torch.arange(len(H)).expand(2, -1)
    source, target = torch.cat([edge_index, loops], dim=1)  # [E + N] each
    Z = H @ W  # [N, d_out]
    r, s = Z @ a_dst, Z @ a_src  # [N] each
    weights = leaky_relu(r[target] + s[source], 0.2).exp()  # [E + N]
    total = torch.zeros(len(H)).index_add(0, target, weights)  # [N]
    alpha = weights / total[target]  # [E + N]
    return torch.zeros_like(Z).index_add(0, target, alpha[:, None] * Z[source])


# %% tags=["check"]
def cases():
    for A, H in inputs:
        by_edge = attend_by_edge(A.nonzero().T, H, W, a_dst, a_src)
        yield by_edge, attend_densely(A, H, W, a_dst, a_src)[1]


verify.equal("eq-gnn-attention-edges", cases(), atol=1e-12, against="the matrix form")

# %% [markdown]
# **What it costs.** The products $HW$, $r$ and $s$ are linear in the number of nodes. The rest is a fixed number of
# operations for each of the $E + N$ edges and loops and each of the $d'$ features: time and memory are $O(E + N)$. The
# matrix of scores alone would take $N^2$ entries. `GraphAttention` in `helpers.gnn.layers` is the edge list as a
# module, with the largest score at each node taken off. A ring of 100,000 nodes has a matrix of scores of 80 GB; as a
# list it is no effort:

# %%
nodes = torch.arange(100_000)
ring = torch.stack([nodes.repeat(2), torch.cat([nodes.roll(1), nodes.roll(-1)])])
layer = GraphAttention(in_channels=3, out_channels=5)
with torch.no_grad():
    out = layer(torch.randn(len(nodes), 3), ring)  # [100000, 5]
    layer.weight.copy_(W), layer.att_dst.copy_(a_dst), layer.att_src.copy_(a_src)
for A, H in inputs:
    torch.testing.assert_close(
        layer(H, A.nonzero().T), attend_by_edge(A.nonzero().T, H, W, a_dst, a_src)
    )
print(f"{ring.shape[1] + len(nodes):,} scores, out {list(out.shape)}")

# %% [markdown]
# **What the LeakyReLU is for.** Take it away, and the score is $r_i + s_j$. Then $r_i$ is one number for all
# neighbours of $i$, and by {eq}`eq-gnn-softmax-shift` it drops out:
#
# $$
# \frac{\tilde A_{ij} \exp(r_i + s_j)}{\sum_k \tilde A_{ik} \exp(r_i + s_k)}
# = \frac{\tilde A_{ij} \exp(s_j)}{\sum_k \tilde A_{ik} \exp(s_k)} .
# $$ (eq-gnn-receiver-cancels)
#
# The node that listens would have no say in whom it hears. The bend of the LeakyReLU at zero is all that lets $r_i$
# in. How much that is, you will see below.


# %%
def senders_alone(A, Z, a_src):
    """α [N, N] by the scores s of those who speak."""
    weights = (A + torch.eye(len(A))) * (Z @ a_src).exp()  # [N, N]
    return weights / weights.sum(dim=1, keepdim=True)


# %% tags=["check"]
def cases():
    for A, H in inputs:
        by_both = neighbour_softmax(pair_scores(H @ W, a_dst, a_src), A)
        yield senders_alone(A, H @ W, a_src), by_both


verify.equal(
    "eq-gnn-receiver-cancels", cases(), atol=1e-12, against="the scores of both ends"
)


# %% tags=["hide-input"]
def draw_receiver():
    fig, ax = plt.subplots(figsize=(4.2, 2.7))
    r, s = torch.linspace(-4, 4, 33)[:, None], torch.tensor([1.5, 0.5, -0.5, -1.5])
    bent, straight = leaky_relu(r + s, 0.2).softmax(dim=1), s.softmax(dim=0)
    for key, value in enumerate(s):
        ax.plot(r, bent[:, key], color=display.COLORS[0], linestyle="-", marker="")
        dashes = dict(linestyle="--", linewidth=1, marker="")
        ax.plot([-4, 4], straight[[key, key]], color=display.COLORS[1], **dashes)
        ax.annotate(f"$s$ = {value:g}", (4.2, bent[-1, key]), va="center")
    ax.plot([], color=display.COLORS[0], linestyle="-", marker="", label="LeakyReLU")
    ax.plot([], color=display.COLORS[1], linestyle="--", marker="", label="without")
    ax.set(
        xlabel="$r_i$ of the listener", ylabel="share", ylim=(0, 0.8), xlim=(-4, 5.6)
    )
    ax.set_xticks(range(-4, 5, 2))
    ax.legend(loc="upper left", ncols=2)
    return fig


display.show(
    draw_receiver(),
    alt="The shares of four neighbours by the number r of the listener. With LeakyReLU "
    "they are nearly equal for a very negative r and spread as r rises, in an order "
    "that never changes. Without it they are four horizontal lines.",
    caption="What the listener decides, through r, is how sharply it chooses. The four "
    "curves never cross: their order is that of s.",
)

# %% [markdown]
# :::{exercise} A softmax over edges
# :label: ex-gnn-edge-softmax
# Write `edge_softmax(scores, target, num_nodes)`: the softmax of `scores` $[E]$ over all edges with the same
# `target` $[E]$. Scores may be in the thousands, of either sign; multiple edges count one by one, and some nodes may
# be nobody's target.
# :::

# %% [markdown] tags=["solution"]
# :::{solution-start} ex-gnn-edge-softmax
# :class: dropdown
# :::
# Any shift that is the same for all edges of a target is allowed, {eq}`eq-gnn-softmax-shift`: take the largest score
# *at that target*. The largest of all would not do: elsewhere all exponentials might vanish, and $0/0$ is left.


# %% tags=["solution"]
def edge_softmax(scores, target, num_nodes):
    largest = scores.new_full((num_nodes,), -torch.inf)
    largest = largest.scatter_reduce(0, target, scores, "amax")
    weights = (scores - largest[target]).exp()  # [E]; the largest of a node is 1
    total = scores.new_zeros(num_nodes).index_add(0, target, weights)
    return weights / total[target]


# %% [markdown] tags=["solution"]
# :::{solution-end}
# :::

# %%
exercises.check("gnn/attention/edge_softmax", edge_softmax)

# %% [markdown]
# :::{exercise} Backward through the shares
# :label: ex-gnn-edge-softmax-gradient
# Let $g_{ij}$ be the derivative of a loss with respect to $\alpha_{ij}$. Show that its derivative with respect to
# $e_{ij}$ is $\alpha_{ij} \big( g_{ij} - \sum_k \alpha_{ik}\, g_{ik} \big)$, and write
# `edge_softmax_gradient(alpha, g, target, num_nodes)` of shape $[E]$. What do the gradients of one node's scores sum
# to, and why?
# :::

# %% [markdown] tags=["solution"]
# :::{solution-start} ex-gnn-edge-softmax-gradient
# :class: dropdown
# :::
# The quotient rule gives $\partial \alpha_{ik} / \partial e_{ij} = \alpha_{ik} ([\,j = k\,] - \alpha_{ij})$. Sum over
# $k$: $\sum_k g_{ik}\, \alpha_{ik} ([\,j = k\,] - \alpha_{ij}) = \alpha_{ij} g_{ij} - \alpha_{ij} \sum_k \alpha_{ik}
# g_{ik}$. A neighbour's score rises if more of it lowers the loss by more than the average does. Over $j$ the
# gradients sum to $\sum_j \alpha_{ij} g_{ij} - \sum_k \alpha_{ik} g_{ik} = 0$: shifting all scores of a node changes
# nothing, so the derivative in that direction is zero.


# %% tags=["solution"]
def edge_softmax_gradient(alpha, g, target, num_nodes):
    mean = alpha.new_zeros(num_nodes).index_add(0, target, alpha * g)  # [N]
    return alpha * (g - mean[target])


# %% [markdown] tags=["solution"]
# :::{solution-end}
# :::

# %%
exercises.check("gnn/attention/edge_softmax_gradient", edge_softmax_gradient)

# %% [markdown]
# ## Several heads
#
# A softmax makes one choice. A node may have reasons for several, as an atom whose hydrogens tell one thing and whose
# oxygens another. So $n$ layers, each with its own $W^k$ and $a^k$, run side by side; their outputs are put one above
# the other or, in a last layer that has to end with one number per class, averaged:
#
# $$
# \begin{gathered}
# h_i' = \sigma\Bigg( \mathop{\Big\Vert}_{k=1}^{n} \sum_j \alpha_{ij}^k\, W^{k\top} h_j \Bigg)
# \in \mathbb{R}^{n d'} \\
# \text{or} \qquad h_i' = \sigma\Bigg( \frac1n \sum_{k=1}^{n} \sum_j \alpha_{ij}^k\, W^{k\top} h_j \Bigg)
# \in \mathbb{R}^{d'} .
# \end{gathered}
# $$ (def-gnn-heads)
#
# On a machine it is one layer: one product with $W = [\, W^1 \;\cdots\; W^n \,] \in \mathbb{R}^{d \times n d'}$ makes
# the messages of all heads. With $\alpha^k$ for the matrix {eq}`eq-gnn-attention-dense` of head $k$,
#
# $$
# \begin{aligned}
# \texttt{GraphAttention}(H) = {} & \big[\, \alpha^1 H W^1 \;\cdots\; \alpha^n H W^n \,\big] \\
# \text{or}\quad & \frac1n \sum_{k=1}^{n} \alpha^k H W^k .
# \end{aligned}
# $$ (eq-gnn-heads)


# %%
concatenated = GraphAttention(3, 4, heads=3)


def heads_one_by_one(A, H, layer):
    """A list of α H W, one [N, d_out] per head."""
    weights = zip(
        layer.weight.chunk(layer.heads, dim=1),
        layer.att_dst,
        layer.att_src,
        strict=True,
    )
    return [attend_densely(A, H, *of_head)[1] for of_head in weights]


# %% tags=["check"]
def cases():
    averaged = GraphAttention(3, 4, heads=3, concat=False)
    averaged.load_state_dict(concatenated.state_dict())
    for A, H in inputs:
        heads, edges = heads_one_by_one(A, H, concatenated), A.nonzero().T
        yield torch.cat(heads, dim=1), concatenated(H, edges)
        yield sum(heads) / 3, averaged(H, edges)


verify.equal(
    "eq-gnn-heads", cases(), atol=1e-12, against="GraphAttention, all heads at once"
)


# %% tags=["hide-input"]
def draw_heads():
    fig, ax = plt.subplots(figsize=(4.2, 2.6))
    A, H = inputs[-1]
    heard = neighbourhoods(A)[31]
    edges, shares = concatenated.coefficients(H, A.nonzero().T)
    rows = torch.stack([shares[(edges[0] == j) & (edges[1] == 31)][0] for j in heard])
    places = torch.arange(len(heard))
    for k, (row, hatch) in enumerate(
        zip(rows.detach().T, ("", "//", "xx"), strict=True)
    ):
        style = dict(color=display.COLORS[k], hatch=hatch, label=f"head {k + 1}")
        ax.bar(places + 0.27 * (k - 1), row, width=0.25, **style)
    ax.axhline(1 / len(heard), color=display.INK, linewidth=0.8, linestyle=":")
    ax.set_xticks(places, heard)
    ax.set(xlabel="member whom 31 hears", ylabel="share")
    ax.set_ylim(0, 1.6 * rows.max().item())
    ax.legend(loc="upper left", ncols=2)
    return fig


display.show(
    draw_heads(),
    alt="For each member whom member 31 of the club hears, itself included, three bars: "
    "the shares in three heads with random weights. The heads prefer different members.",
    caption="Three heads of one layer at one listener, with random weights: three "
    "choices side by side. The dotted line is the equal share.",
)

# %% [markdown]
# ## Against PyTorch Geometric
#
# PyG's `GATConv` keeps $W^\top$ as `lin.weight`, and $a_{\text{src}}$, $a_{\text{dst}}$ of all heads as `att_src`,
# `att_dst`. With our weights in their places, and the same bias added to each row,
#
# $$
# \texttt{GraphAttention}(H) = \texttt{GATConv}(H) ,
# $$ (eq-gnn-gatconv)
#
# for one head and several, concatenated or averaged; and on *all* graphs: the cell draws edge lists at random, with
# direction, with loops, with edges that stand more than once, and with nodes that no edge touches. Its check holds the
# claim to $10^{-12}$, and to $10^{-5}$ in single precision.


# %%
def random_edges(num_nodes, num_edges):
    """Random edges [2, E]: the last node alone, one edge twice, a loop."""
    edges = torch.randint(max(num_nodes - 1, 1), (2, num_edges))
    return torch.cat([edges, edges[:, :1], torch.zeros(2, 1, dtype=torch.long)], dim=1)


multigraphs = [
    (torch.randn(n, 3), random_edges(n, E))
    for n, E in ((2, 1), (5, 4), (9, 30), (30, 60))
]


def pyg_twin(ours):
    """A GATConv with the weights of ``ours``, a GraphAttention."""
    heads, d_out = ours.att_src.shape
    theirs = GATConv(len(ours.weight), d_out, heads, ours.concat)
    theirs.lin.weight.data = ours.weight.data.T.clone()
    theirs.att_src.data = ours.att_src.data[None].clone()
    theirs.att_dst.data = ours.att_dst.data[None].clone()
    if ours.bias is not None:  # PyG's starts from zero
        theirs.bias.data = ours.bias.data.clone()
    return theirs


# %% tags=["check"]
def cases(dtype):
    for heads, concat in ((1, True), (3, True), (3, False)):
        ours = GraphAttention(3, 4, heads, concat, bias=True).to(dtype)
        torch.nn.init.normal_(ours.bias)
        theirs = pyg_twin(ours)
        for H, edges in multigraphs:
            yield ours(H.to(dtype), edges), theirs(H.to(dtype), edges)


verify.equal("eq-gnn-gatconv", cases(torch.double), atol=1e-12, against="PyG's GATConv")
for ours, theirs in cases(torch.float):
    torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-5)

# %% [markdown]
# What both do with loops, direction and edges that stand twice is told for all of PyG's layers in {doc}`/appendix/pyg`.
#
# ## Names do not matter
#
# {doc}`message_passing` asked that relabelling the nodes only relabels the output. The coefficients are computed now;
# do they follow? Replace $A$ by $P A P^\top$ and $H$ by $P H$.
#
# 1. $Z = HW$ becomes $P Z$, so $r$ and $s$ become $P r$ and $P s$: the weights do not know names.
# 2. $r \mathbf{1}^\top + \mathbf{1} s^\top$ becomes $P r \mathbf{1}^\top + \mathbf{1} s^\top P^\top =
#    P (r \mathbf{1}^\top + \mathbf{1} s^\top) P^\top$, because $P \mathbf{1} = \mathbf{1}$. LeakyReLU acts on each
#    entry, and $\tilde A$ becomes $P \tilde A P^\top$ as before: scores and holes move together.
# 3. The softmax treats all rows alike, and within a row a sum does not depend on the order. So $\alpha$ becomes
#    $P \alpha P^\top$.
# 4. Then $\alpha Z$ becomes $P \alpha P^\top P Z = P \alpha Z$, and $\sigma$ acts on each entry: the layer is
#    {term}`permutation equivariant <permutation equivariance>`. Heads are such layers side by side:
#
# $$
# \begin{aligned}
# \alpha(P A P^\top, P H) &= P\, \alpha(A, H)\, P^\top , \\
# \texttt{GraphAttention}(P A P^\top, P H) &= \\
# P\; \texttt{GraphAttention}&(A, H) .
# \end{aligned}
# $$ (eq-gnn-attention-equivariance)


# %% tags=["check"]
def cases():
    for A, H in inputs:
        P = torch.eye(len(A))[torch.randperm(len(A))]
        alpha = coefficients(A, H @ W, a_dst, a_src)  # [N, N]
        yield coefficients(P @ A @ P.T, P @ H @ W, a_dst, a_src), P @ alpha @ P.T
        out = concatenated(H, A.nonzero().T)  # [N, heads·d_out]
        yield concatenated(P @ H, (P @ A @ P.T).nonzero().T), P @ out


verify.equal(
    "eq-gnn-attention-equivariance",
    cases(),
    atol=1e-12,
    against="relabelling coefficients and output",
)


# %% tags=["hide-input"]
def draw_relabelled():
    figures, axes = display.panels((3.3, 3.4), (3.3, 3.4))
    A, H = inputs[4]
    generator = torch.Generator().manual_seed(0)
    P = torch.eye(len(A))[torch.randperm(len(A), generator=generator)]
    both = (A, H, "before"), (P @ A @ P.T, P @ H, "renamed")
    for ax, (A, H, title) in zip(axes, both, strict=True):
        alpha = coefficients(A, H @ W, a_dst, a_src)
        draw_squares(ax, alpha, alpha)
        ticks = range(0, len(A), 5)
        ax.set(title=title, xticks=ticks, yticks=ticks)
    return figures


display.show(
    draw_relabelled(),
    alt="The coefficients of a random graph as squares in a matrix, before and after "
    "renaming the nodes: the same squares, in rows and columns of another order.",
    caption="The same coefficients, in rows and columns of another order.",
)

# %% [markdown]
# ## Is the GCN a special case?
#
# The simplest attention is none: $a = 0$, all scores equal. Then $\alpha_{ij} = \tilde A_{ij} / \sum_k \tilde A_{ik}$,
#
# $$
# a = 0 \quad\implies\quad \alpha = \tilde D^{-1} \tilde A ,
# $$ (eq-gnn-uniform-attention)
#
# the mean over a node and its neighbours.


# %%
def mean_matrix(A):
    A_tilde = A + torch.eye(len(A))  # [N, N]
    return A_tilde / A_tilde.sum(dim=1, keepdim=True)


# %% tags=["check"]
def cases():
    for A, H in inputs:
        yield mean_matrix(A), coefficients(A, H @ W, torch.zeros(5), torch.zeros(5))


verify.equal(
    "eq-gnn-uniform-attention", cases(), atol=1e-12, against="attention with a = 0"
)

# %% [markdown]
# That is not $\hat A = \tilde D^{-1/2} \tilde A \tilde D^{-1/2}$. Could other scores give $\hat A$? Its rows would have
# to sum to one, $\hat A \mathbf{1} = \mathbf{1}$. From {eq}`eq-gnn-smoothness` you know all $x$ with $\hat A x = x$:
# those with $x_i / \sqrt{\tilde d_i}$ the same at both ends of each edge. For $x = \mathbf{1}$ that means equal
# degrees:
#
# $$
# \hat A \mathbf{1} = \mathbf{1} \iff \tilde d_i = \tilde d_j \text{ for each edge } i, j
# \iff \hat A = \tilde D^{-1} \tilde A .
# $$ (eq-gnn-gcn-as-attention)
#
# The last step is {eq}`eq-gnn-entries`: with equal degrees at both ends $\sqrt{\tilde d_i \tilde d_j} = \tilde d_i$.
# So where degrees agree along all edges, the GCN *is* uniform attention; where they do not, **no** attention is the
# GCN, whatever its scores. What a softmax gives up is the sum: how much there is to hear.


# %%
def three_statements(A):
    A_hat, d = gcn_norm(A), 1 + A.sum(dim=1)
    return [
        torch.allclose(A_hat.sum(dim=1), torch.ones(len(A)), rtol=0, atol=1e-12),
        all(d[i] == d[j] for i, j in A.nonzero()),
        torch.allclose(A_hat, mean_matrix(A), rtol=0, atol=1e-12),
    ]


# %% tags=["check"]
two_parts = nx.disjoint_union(nx.cycle_graph(5), nx.complete_graph(4))
one_alone = nx.disjoint_union(nx.empty_graph(1), nx.star_graph(3))
named = (nx.cycle_graph(6), nx.petersen_graph(), two_parts, one_alone)
statements = [
    three_statements(A)
    for A in graphs + [torch.from_numpy(nx.to_numpy_array(G)) for G in named]
]
verify.holds(
    "eq-gnn-gcn-as-attention",
    all(len(set(three)) == 1 for three in statements)
    and {three[0] for three in statements} == {True, False},
    against="the degrees, edge by edge",
    cases=len(statements),
)


# %% tags=["hide-input"]
def draw_row_sums():
    fig, ax = plt.subplots(figsize=(4.2, 2.5))
    num_heard = 1 + A_club.sum(dim=1)
    ax.plot(num_heard, gcn_norm(A_club).sum(dim=1), linestyle="none")
    ax.axhline(1, color=display.INK, linewidth=0.9, linestyle="--")
    ax.annotate("attention", (13, 1.05))
    ax.set(xlabel=r"$\tilde d_i$", ylabel=r"row sum of $\hat A$", ylim=(0, None))
    return fig


display.show(
    draw_row_sums(),
    alt="The row sums of the GCN's matrix on the club by degree, from below 1 for "
    "members with few friends to above 2 for the leaders; a dashed line at 1 is what "
    "attention has.",
    caption="On the club, members with many friends hear more in sum by the GCN. No "
    "attention leaves the dashed line.",
)

# %% [markdown]
# :::{exercise} Can attention count?
# :label: ex-gnn-attention-counts
# One carbon atom is bound to four hydrogens, another to two, and to nothing else. Nodes know their element. (a) Show
# that attention over the neighbours, *without* the atom itself, gives both carbons the same output, whatever its
# weights. (b) With the self-loop it does not. Write `hydrogen_share(n, e_C, e_H)`: the sum of the coefficients of $n$
# hydrogens with the score $e_{\mathrm{H}}$ each, when the carbon gives itself the score $e_{\mathrm{C}}$. What
# happens as $n$ grows? (c) What would you change in {eq}`def-gnn-attention` to keep the count?
# :::

# %% [markdown] tags=["solution"]
# :::{solution-start} ex-gnn-attention-counts
# :class: dropdown
# :::
# (a) All hydrogens send the same $z_{\mathrm{H}}$. By {eq}`eq-gnn-shares`
# $\sum_j \alpha_{ij} z_{\mathrm{H}} = z_{\mathrm{H}}$, for any coefficients and any number of hydrogens.
#
# (b) Together they get $n \exp(e_{\mathrm{H}}) / (n \exp(e_{\mathrm{H}}) + \exp(e_{\mathrm{C}}))$; divide by
# $\exp(e_{\mathrm{H}})$. The more hydrogens, the nearer the output is to $z_{\mathrm{H}}$ on the line from
# $z_{\mathrm{C}}$. It tells four from two, but it saturates: the share tends to 1, and large numbers look alike.
#
# (c) Weights that need not sum to one, such as a sigmoid of each score; or a sum beside the attention; or the degree
# among the features. The first two give up {eq}`eq-gnn-convex`, the fixed scale.


# %% tags=["solution"]
def hydrogen_share(n, e_C, e_H):
    return n / (n + math.exp(e_C - e_H))


# %% [markdown] tags=["solution"]
# :::{solution-end}
# :::

# %%
exercises.check("gnn/attention/hydrogen_share", hydrogen_share)

# %% [markdown]
# ## One ranking for everyone
#
# Now look again at {eq}`eq-gnn-score-split`. Let $j$ and $k$ both be heard by $i$. LeakyReLU is strictly increasing,
# and so is exp. Hence $\alpha_{ij} > \alpha_{ik}$ exactly if $r_i + s_j > r_i + s_k$, and there $r_i$ cancels:
#
# $$
# \alpha_{ij} > \alpha_{ik} \iff s_j > s_k , \qquad\text{whatever } i .
# $$ (eq-gnn-static-ranking)
#
# The node that listens decides how sharply it chooses, as $r_i$ moves its scores across the bend of the LeakyReLU. In
# *which order* it ranks its neighbours it does not decide. There is one ranking of all nodes, by $s$, and each node
# uses its piece of it. Brody, Alon and Yahav call this *static* attention {cite}`brody2022gatv2`. More heads are more
# rankings, each for everyone.


# %%
def rankings(s, A):
    """For each node, the nodes that it hears in increasing order of s [N]."""
    return [sorted(heard, key=lambda j: s[j]) for heard in neighbourhoods(A)]


# %% tags=["check"]
def cases():
    for A, H in inputs:
        alpha, s = coefficients(A, H @ W, a_dst, a_src), H @ W @ a_src
        for i, ranking in enumerate(rankings(s, A)):
            yield alpha[i].argsort()[-len(ranking) :], torch.tensor(ranking)


verify.equal("eq-gnn-static-ranking", cases(), against="sorting the coefficients")


# %% tags=["hide-input"]
def draw_gat_scores():
    fig, ax = plt.subplots(figsize=(4.2, 2.6))
    keys = torch.linspace(-3, 3, 31)
    for r in (-2.0, 0.0, 2.0):
        ax.plot(keys, leaky_relu(r + keys, 0.2), marker="", label=f"$r_i$ = {r:g}")
    ax.set(xlabel="$s_j$ of the one heard", ylabel="score")
    ax.legend()
    return fig


display.show(
    draw_gat_scores(),
    alt="GAT's scores by s for three listeners: each curve rises all the way, with a bend "
    "at another place.",
    caption="Whoever listens, the score rises with s. The listener moves only the bend.",
)

# %% [markdown]
# ### The smallest graph where it matters
#
# Two nodes $u$ and $v$, joined by an edge. With the loops each hears both, and each is to prefer *itself*. That is a
# dictionary with two entries. The node that listens is a *query*, the nodes that it hears are *keys*, and each query
# is to pick the key of its own name. The names, one-hot, are the features. As a loss take the mean of $-\log \alpha$
# over the two right edges, the loops:
#
# $$
# \text{loss} = -\tfrac12 \log \alpha_{uu} - \tfrac12 \log \alpha_{vv} .
# $$ (def-gnn-lookup-loss)
#
# With GAT, {eq}`eq-gnn-static-ranking` says that both queries prefer the same key (or neither prefers any). At most
# one of the two can be right. Not even the loss can become small. Let $\Delta = s_u - s_v$, say $\Delta \ge 0$ (else
# swap the names). LeakyReLU has slopes between $\gamma$ and 1. So for query $u$ the right key leads by at most
# $\Delta$, and for query $v$ the wrong key leads by at least $\gamma \Delta$. A softmax over two is a sigmoid of the
# lead, and $-\log \operatorname{sigmoid}(\Delta) = \log(1 + \exp(-\Delta))$:
#
# $$
# \text{loss} \;\ge\; \min_{\Delta \ge 0} \;
# \tfrac12 \log\big(1 + \exp(-\Delta)\big) + \tfrac12 \log\big(1 + \exp(\gamma \Delta)\big) .
# $$ (eq-gnn-lookup-bound)
#
# The bound is sharp: a large $r_u$ and a very negative $r_v$ put query $u$ on the slope 1, query $v$ on the slope
# $\gamma$. The cell minimises over $\Delta$. Its check tries $(r_u, r_v, s_u, s_v)$ by the ten thousand: none is below
# the bound, and the one described meets it.


# %%
def lookup_loss(e):
    """The loss of scores e [..., 2, 2]: query i is right to pick key i."""
    right = e.softmax(dim=-1).diagonal(dim1=-2, dim2=-1)  # [..., 2]
    return -right.log().mean(dim=-1)


delta = torch.linspace(0, 10, 100_001)


def least_loss(gamma):
    """The bound for LeakyReLU's slope γ, and the lead Δ that meets it."""
    curve = 0.5 * softplus(-delta) + 0.5 * softplus(gamma * delta)
    return curve.min(), delta[curve.argmin()]


bound, _ = least_loss(0.2)

# %% tags=["hide-input"]
display.glue("gnn-att-bound", f"{bound:.3f}")
display.glue("gnn-att-coin", f"{math.log(2):.3f}")


# %% tags=["check"]
def cases():
    for gamma in (0.05, 0.2, 0.5):
        least, lead = least_loss(gamma)
        r, s = 8 * torch.randn(20_000, 2, 1), 8 * torch.randn(20_000, 1, 2)
        tried = lookup_loss(leaky_relu(r + s, gamma)).min()
        r, s = torch.tensor([[100.0], [-100.0]]), torch.stack([lead, 0 * lead])
        described = lookup_loss(leaky_relu(r + s, gamma))
        yield least, torch.minimum(tried, described)  # neither is below, one meets it


verify.equal(
    "eq-gnn-lookup-bound",
    cases(),
    atol=1e-9,
    against="20,000 random scores, and those described",
)


# %% tags=["hide-input"]
def draw_bound():
    fig, ax = plt.subplots(figsize=(4.2, 2.6))
    some = delta[:4001:100]
    for gamma in (0.05, 0.2, 0.5):
        curve = 0.5 * softplus(-some) + 0.5 * softplus(gamma * some)
        ax.plot(some, curve, marker="", label=f"$\\gamma$ = {gamma:g}")
    ax.axhline(math.log(2), color=display.INK, linewidth=0.8, linestyle=":")
    ax.set(xlabel=r"lead $\Delta$", ylabel="least loss", ylim=(0, 0.9))
    ax.legend(loc="lower right")
    return fig


display.show(
    draw_bound(),
    alt="The least loss by the lead Δ for three slopes γ. Each curve starts at log 2, "
    "falls to a minimum and rises again; the smaller γ, the lower the minimum.",
    caption="A larger lead helps the query that is right and hurts the other one. The "
    "dotted line is the loss of no choice; none of the curves comes near zero.",
)

# %% [markdown]
# The bound is {glue:text}`gnn-att-bound`; not to choose at all costs $\log 2 = $ {glue:text}`gnn-att-coin`.
#
# ### The bend inside
#
# The remedy is to put the non-linearity where it does not commute with the choice: between the two linear maps, not
# after them. That is GATv2 {cite}`brody2022gatv2`:
#
# $$
# e_{ij} = a^\top \operatorname{LeakyReLU}\big( W_{\text{dst}}^\top h_i + W_{\text{src}}^\top h_j \big) ,
# \qquad a \in \mathbb{R}^{d'} ,
# $$ (def-gnn-gatv2)
#
# with the softmax as before, and the messages $W_{\text{src}}^\top h_j$. In GAT the pair meets in a sum of two
# numbers; here it meets inside a small MLP. Two units will do for the lookup. Write the names as $x_u = 1$ and
# $x_v = -1$. The units $x_i - x_j$ and $x_j - x_i$ with $a = -\kappa\,(1, 1)$ give
# $e_{ij} = -\kappa \big( \operatorname{LeakyReLU}(x_i - x_j) + \operatorname{LeakyReLU}(x_j - x_i) \big)$
# $= -\kappa\,(1 - \gamma)\, |x_i - x_j|$: zero for the right key, $-2 \kappa\,(1 - \gamma)$ for the wrong one. So
#
# $$
# \alpha_{uu} = \alpha_{vv} = \frac{1}{1 + \exp(-2 \kappa (1 - \gamma))} \;\longrightarrow\; 1
# \qquad\text{as } \kappa \to \infty .
# $$ (eq-gnn-lookup-solved)


# %%
def gatv2_scores(X_dst, X_src, a):
    """e [..., M, N] of H W_dst [..., M, d], H W_src [..., N, d] and a [..., d, 1]."""
    pairs = X_dst[..., :, None, :] + X_src[..., None, :, :]  # [..., M, N, d]
    return (leaky_relu(pairs, 0.2) @ a[..., None, :, :])[..., 0]


def lookup_by_two_units(kappa):
    """The coefficients [2, 2] of u and v."""
    names = torch.tensor([[1.0], [-1.0]])  # x of u and v, [2, 1]
    units = torch.tensor([[1.0, -1.0]])  # [1, 2]
    scores = gatv2_scores(names @ units, -names @ units, -kappa * torch.ones(2, 1))
    return scores.softmax(dim=1)


# %% tags=["check"]
def cases():
    for kappa in (0.0, 0.5, 1.0, 4.0):
        closed_form = 1 / (1 + math.exp(-2 * kappa * (1 - 0.2)))
        yield lookup_by_two_units(kappa).diagonal(), torch.full((2,), closed_form)


verify.equal(
    "eq-gnn-lookup-solved", cases(), atol=1e-12, against="the sigmoid of the lead"
)


# %% tags=["hide-input"]
def draw_gatv2_scores():
    fig, ax = plt.subplots(figsize=(4.2, 2.6))
    keys, units = torch.linspace(-3, 3, 31)[:, None], torch.tensor([[1.0, -1.0]])
    for x in (-1.0, 0.0, 1.0):
        scores = gatv2_scores(x * units, -keys @ units, -torch.ones(2, 1))[0]
        ax.plot(keys, scores, marker="", label=f"$x_i$ = {x:g}")
    ax.set(xlabel="$x_j$ of the key", ylabel="score")
    ax.legend(loc="lower center")
    return fig


display.show(
    draw_gatv2_scores(),
    alt="GATv2's scores by key for three queries: three tents, each with its peak at the "
    "query's own key.",
    caption="With the bend inside, each query has its peak at its own key.",
)

# %% [markdown]
# The ranking now depends on who asks. And with a loop at each node our reading of GATv2 is PyG's:
#
# $$
# \sum_j \alpha_{ij}\, W_{\text{src}}^\top h_j = \big( \texttt{GATv2Conv}(H)_{i:} \big)^{\!\top} .
# $$ (eq-gnn-gatv2)


# %%
def attend_gatv2(A, H, W_dst, W_src, a):
    alpha = neighbour_softmax(gatv2_scores(H @ W_dst, H @ W_src, a), A)  # [N, N]
    return alpha @ H @ W_src


# %% tags=["check"]
def cases():
    for A, H in inputs:
        conv = GATv2Conv(3, 5, bias=False)
        W_src, W_dst = conv.lin_l.weight.T, conv.lin_r.weight.T
        ours = attend_gatv2(A, H, W_dst, W_src, conv.att[0].T)
        yield ours, conv(H, A.nonzero().T)


verify.equal("eq-gnn-gatv2", cases(), atol=1e-12, against="PyG's GATv2Conv")

# %% [markdown]
# Does training find it? Both layers start from random weights with $d' = 8$ (GAT, too, may have a matrix for each side)
# and take 200 steps of Adam on {eq}`def-gnn-lookup-loss`. Features are one-hot, so $H W = W$. All seeds train at once:
# the weights have a leading dimension for them, and no term of the loss mixes two.


# %%
num_seeds = {"smoke": 20, "full": 100}[profile]


def glorot(*shape):
    bound = math.sqrt(6 / (shape[-2] + shape[-1]))
    return ((2 * torch.rand(shape) - 1) * bound).requires_grad_()


def gat_scores(X_dst, X_src, a):
    """e [..., M, N] as in def-gnn-gat-score; a [..., 2 d, 1]."""
    a_dst, a_src = a.chunk(2, dim=-2)
    return leaky_relu(X_dst @ a_dst + (X_src @ a_src).mT, 0.2)


def learn_lookup(scores, size_of_a, d=8, steps=200):
    """Losses [steps, S], and whether both queries end with the right key [S]."""
    weights = [glorot(num_seeds, *size) for size in ((2, d), (2, d), (size_of_a, 1))]
    optimizer = torch.optim.Adam(weights, lr=0.05)
    losses = []
    for _ in range(steps):
        optimizer.zero_grad()
        e = scores(*weights)  # [S, 2, 2]
        loss = lookup_loss(e)  # [S]
        loss.sum().backward()
        optimizer.step()
        losses.append(loss.detach())
    correct = (e.argmax(dim=-1) == torch.arange(2)).all(dim=-1)
    return torch.stack(losses), correct


lookup = {
    "GAT": learn_lookup(gat_scores, size_of_a=16),
    "GATv2": learn_lookup(gatv2_scores, size_of_a=8),
}


# %% tags=["hide-input", "nbval-ignore-output"]
def draw_lookup():
    fig, ax = plt.subplots(figsize=(4, 3))
    for (name, (losses, _)), dashes, hue in zip(
        lookup.items(), ("-", "--"), display.COLORS[:2], strict=True
    ):
        line = dict(color=hue, linestyle=dashes, marker="")
        ax.plot(range(0, 80, 4), losses[:80:4, :10], linewidth=0.9, **line)
        ax.plot([], label=name, **line)
    for height, label in ((math.log(2), "no choice"), (bound, "bound")):
        ax.axhline(height, color=display.INK, linewidth=0.8, linestyle=":")
        ax.annotate(label, (80, height), va="center", annotation_clip=False)
    ax.set(xlabel="steps of Adam", ylabel="loss", xlim=(0, 79), ylim=(0, 1))
    ax.legend(loc="upper right")
    return fig


reached = {  # a bound found on a grid of leads is good to 1e-9, as its check says
    name: (losses[:, :20].amin(dim=0) < bound - 1e-9).sum()
    for name, (losses, _) in lookup.items()
}
above = lookup["GATv2"][0][:, :10].amax(dim=1) > 0.05  # [steps]
display.show(
    draw_lookup(),
    alt="The lookup loss of 10 of the seeds by step of Adam. Those of GAT level out at "
    f"the bound, {bound:.2f}, or at {math.log(2):.2f}, the loss of no choice; all "
    f"of GATv2 are below 0.05 after {above.sum()} steps.",
    caption=f"Of 20 random starts, {reached['GAT']} of GAT get below the bound, and "
    f"{reached['GATv2']} of GATv2.",
)
for name, (losses, correct) in lookup.items():
    low, high = losses[-1].min(), losses[-1].max()
    display.glue(f"gnn-att-lookup-{name}", f"{low:.2g} to {high:.2g}")
    display.glue(f"gnn-att-solved-{name}", f"{correct.sum()}")
display.glue("gnn-att-seeds", f"{num_seeds}")
display.glue("gnn-att-lowest", f"{lookup['GAT'][0].min():.3f}")

# %% [markdown]
# Of {glue:text}`gnn-att-seeds` seeds, GATv2 gets both queries right in {glue:text}`gnn-att-solved-GATv2` and GAT in
# {glue:text}`gnn-att-solved-GAT`. The last losses are {glue:text}`gnn-att-lookup-GATv2` for GATv2 and
# {glue:text}`gnn-att-lookup-GAT` for GAT, whose lowest is {glue:text}`gnn-att-lowest`: the bound, and not below. (While
# both queries are on one slope, nothing is better than $\Delta = 0$, and some seeds stay there, at $\log 2$.) This is
# not a matter of training longer.

# %% [markdown]
# :::{exercise} Two heads, two rankings
# :label: ex-gnn-two-heads
# Give GAT two heads and let $\alpha$ be their mean. Head 1 ranks key $u$ first by $\Delta$, head 2 ranks key $v$ first
# by $\Delta$. Can both queries now prefer their own key? How far can $\alpha_{uu} = \alpha_{vv}$ get?
# :::

# %% [markdown] tags=["solution"]
# :::{solution-start} ex-gnn-two-heads
# :class: dropdown
# :::
# Yes, for the queries may still choose how *sharply* each head chooses. At best query $u$ is on the slope 1 in head 1
# and on the slope $\gamma$ in head 2, and query $v$ the other way round. Then query $u$ gives its own key
# $\operatorname{sigmoid}(\Delta)$ in head 1 and $\operatorname{sigmoid}(-\gamma \Delta)$ in head 2, and query $v$ the
# same with the heads exchanged, so that
# $\alpha_{uu} = \alpha_{vv} = \frac{\operatorname{sigmoid}(\Delta) + \operatorname{sigmoid}(-\gamma \Delta)}{2}$.
# It exceeds $\tfrac12$ for each $\Delta > 0$, as $\operatorname{sigmoid}(\Delta) > \operatorname{sigmoid}(\gamma
# \Delta) = 1 - \operatorname{sigmoid}(-\gamma \Delta)$. But it tends back to $\tfrac12$ as $\Delta$ grows: the head
# that is wrong for a query cannot be silenced. The maximum is about 0.65, far from 1.


# %% tags=["solution"]
shares = 0.5 * (torch.sigmoid(delta) + torch.sigmoid(-0.2 * delta))
print(f"at most {shares.max():.3f}, at a lead of {delta[shares.argmax()]:.1f}")

# %% [markdown] tags=["solution"]
# :::{solution-end}
# :::

# %% [markdown]
# :::{exercise} The attention of the Transformer
# :label: ex-gnn-dot-product
# A Transformer {cite}`vaswani2017attention` gives each node a query $q_i$, a key $k_i$ and a value $v_i$, and scores
# $e_{ij} = q_i^\top k_j / \sqrt{d}$. (a) On which graph does it attend when each word of a sentence hears each word?
# On which when a word hears only itself and the words before it? (b) Is its ranking static? (c) Write
# `dot_product_attention(Q, K, V, A)` $[N, d_v]$ over the neighbours and the node itself, for a dense $A$ in which
# $A_{ij} = 1$ lets $i$ hear $j$.
# :::

# %% [markdown] tags=["solution"]
# :::{solution-start} ex-gnn-dot-product
# :class: dropdown
# :::
# (a) On the complete graph with loops; on the directed graph with an edge $j \to i$ for each $j \le i$, a causal mask.
# A Transformer's layer is attention on a graph that everyone knows, so nobody draws it. On the complete graph the layer
# does not see the order of the words, because it is equivariant: the order has to come in as a feature. (A causal mask
# shows some of it.) (b) No. With $q_i = k_i = x_i$ the two names $\pm 1$ of the lookup get the scores $x_i x_j$, $+1$
# for the right key and $-1$ for the wrong one: a product of the two nodes is as good as GATv2's bend.


# %% tags=["solution"]
def dot_product_attention(Q, K, V, A):
    hears = A + torch.eye(len(A), dtype=A.dtype) > 0  # [N, N]
    scores = Q @ K.T / math.sqrt(Q.shape[1])  # [N, N]
    return scores.masked_fill(~hears, -torch.inf).softmax(dim=1) @ V


# %% [markdown] tags=["solution"]
# :::{solution-end}
# :::

# %%
exercises.check("gnn/attention/dot_product_attention", dot_product_attention)

# %% [markdown]
# ## Four labels again
#
# Back to the club: four communities, one labelled member of each, $H^{(0)} = I$. The network has two layers, four
# heads of four features (concatenated, then ReLU) and one head of four classes. Does attention help? Compare it with
# itself: the same network, with the same starting weights, but with fixed coefficients. Once these are the mean
# $\tilde D^{-1} \tilde A$, which is attention with $a = 0$, once the GCN's $\hat A$. The paper trains with dropout on
# coefficients and features, so give attention that help as well.

# %% tags=["hide-input"]
graph = nx.from_numpy_array(A_club.numpy())
layout, shapes = drawing.spread(graph), "os^D"  # one shape for each community


def draw_members(ax, named=(), size=9):
    """The members on ax: shape by community, a thick rim if labelled, some named."""
    for j, (community, given) in enumerate(zip(club.y, club.train_mask, strict=True)):
        style = dict(marker=shapes[community], outline=2.6 if given else 0.8, size=size)
        if j in named:
            style |= dict(label=str, size=24 if community == 2 else 17)
        drawing.nodes(ax, layout, [j], display.COLORS[community], **style)


def draw_labels():
    fig, ax = plt.subplots(figsize=(4.2, 3.6))
    drawing.edges(ax, layout, graph.edges, width=0.5)
    draw_members(ax, named=club.train_mask.nonzero()[:, 0].tolist())
    ax.set_axis_off()
    return fig


display.show(
    draw_labels(),
    alt="The karate club with its four communities as circles, squares, triangles and "
    "diamonds, in four regions of the picture. One member of each has a thick rim.",
    caption="Four communities, and one labelled member of each: those with a thick rim "
    "and a number.",
)

# %% [markdown]
# Fixed and learned coefficients differ in more than one way. Three controls take them apart. *Frozen at the start*: the
# coefficients that the random weights give, kept while $W$ is trained. *$a$ frozen*: $a$ keeps its random start, and
# the coefficients still move, because $z$ does. *Frozen at the end*: the coefficients that attention has learned, and
# all other weights trained once more from the start.

# %%
y, labelled = club.y, club.train_mask  # [N] each
num_heads, width, num_classes = 4, 4, 4
club_seeds = {"smoke": 10, "full": 40}[profile]


def network(weights, fixed=None, drop=0.0):
    """Class scores [seeds, N, 4], both layers' α, and s [seeds, N] of the last."""
    W_1, a_1, W_2, a_2 = weights
    Z = W_1  # H W with H = I, [seeds, heads, N, width]
    first, last = fixed or (coefficients(A_club, Z, *a_1.unbind(dim=-2)), None)
    H = torch.relu(dropout(first, drop) @ Z)  # [seeds, heads, N, width]
    H = H.transpose(1, 2).flatten(start_dim=2)  # [seeds, N, heads·width]
    Z = dropout(H, drop) @ W_2  # [seeds, N, classes]
    last = coefficients(A_club, Z, *a_2.unbind(dim=-2)) if last is None else last
    s = (Z @ a_2[:, 1, :, None])[..., 0]
    return dropout(last, drop) @ Z, (first, last), s


def start():
    """The same weights W_1, a_1, W_2, a_2 for each kind of network."""
    torch.manual_seed(seed)
    return [
        glorot(club_seeds, num_heads, N, width),
        glorot(club_seeds, num_heads, 2, width),
        glorot(club_seeds, num_heads * width, num_classes),
        glorot(club_seeds, 2, num_classes),
    ]


def train(fixed=None, drop=0.0, learn_a=True, steps=240):
    """The network after training, and the losses [steps, seeds] on the four labels."""
    weights, losses = start(), []
    learned = weights if learn_a else weights[::2]
    optimizer = torch.optim.Adam(learned, lr=0.02)
    for _ in range(steps):
        optimizer.zero_grad()
        logits = network(weights, fixed, drop)[0].log_softmax(dim=-1)
        loss = -logits[:, labelled, y[labelled]].mean(dim=1)  # [seeds]
        loss.sum().backward()
        optimizer.step()
        losses.append(loss.detach())
    with torch.no_grad():
        return network(weights, fixed), torch.stack(losses)


with torch.no_grad():
    at_start = network(start())[1]
trained = {
    "attention": train(),
    "with dropout": train(drop=0.3),
    "mean": train([mean_matrix(A_club)] * 2),
    "GCN": train([gcn_norm(A_club)] * 2),
    "frozen at the start": train(at_start),
    "a frozen": train(learn_a=False),
}
trained["frozen at the end"] = train(trained["attention"][0][1])
accuracy = {
    name: (out[0].argmax(dim=-1) == y)[:, ~labelled].double().mean(dim=1)
    for name, (out, _) in trained.items()
}


# %% tags=["hide-input", "nbval-ignore-output"]
def draw_four_labels():
    figures, (points, curves) = display.panels((3.9, 3.2), (2.9, 3.2))
    rng = np.random.default_rng(0)
    for row, values in enumerate(accuracy.values()):
        jitter = row + rng.uniform(-0.25, 0.25, club_seeds)
        points.plot(
            values, jitter, linestyle="none", color=display.COLORS[0], marker="o"
        )
    rows = range(len(accuracy))
    points.set(xlim=(0.5, 1), ylim=(len(rows) - 0.5, -0.5), xlabel="accuracy")
    points.set_yticks(rows, accuracy)
    for name in ("attention", "mean", "GCN"):
        curves.plot(trained[name][1].mean(dim=1)[::4], label=name, marker="")
    curves.set(yscale="log", xlabel="steps of Adam", ylabel="loss on the four labels")
    curves.set_xticks(range(0, 61, 20), range(0, 241, 80))
    curves.legend()
    return figures


def effective_number(alpha):
    """How many equal shares would be as spread as these, in parts of those heard."""
    entropy = -torch.special.xlogy(alpha, alpha).sum(dim=-1)
    return (entropy.exp() / (1 + A_club.sum(dim=1))).mean()


display.show(
    draw_four_labels(),
    alt="On the left a point for each seed, the accuracy on the members without a "
    "label: "
    + ", ".join(f"{name} {v.mean():.2f} on average" for name, v in accuracy.items())
    + ". On the right the loss on the four labels by step, falling for attention, mean "
    "and GCN, attention's some tens of steps ahead.",
    caption=f"Left: accuracy on the {int((~labelled).sum())} members without a label "
    f"after 240 steps, a point for each of {club_seeds} starts. Right: the loss on the "
    "four labels still falls for all.",
)
for name, v in accuracy.items():
    key = name.replace(" ", "-")
    display.glue(f"gnn-att-{key}", f"{v.mean():.0%} ± {v.std():.0%}")
for name in ("attention", "mean", "GCN"):
    for step in (120, 240):
        loss = trained[name][1][step - 1].mean()
        display.glue(f"gnn-att-{name}-loss-{step}", f"{loss:.4f}")
for when, both in (("start", at_start), ("end", trained["attention"][0][1])):
    display.glue(f"gnn-att-equal-{when}", f"{effective_number(both[1]):.0%}")
display.glue("gnn-att-club-seeds", f"{club_seeds}")
display.glue("gnn-att-members", f"{N}")

# %% [markdown]
# Attention gets {glue:text}`gnn-att-attention` of the other members right (mean and standard deviation of
# {glue:text}`gnn-att-club-seeds` starts), {glue:text}`gnn-att-with-dropout` with dropout; the mean gets
# {glue:text}`gnn-att-mean` and the GCN's weights {glue:text}`gnn-att-GCN`. All of them fit the four labels. Attention's
# loss is {glue:text}`gnn-att-attention-loss-120` after 120 steps, where the mean's is
# {glue:text}`gnn-att-mean-loss-120` and the GCN's {glue:text}`gnn-att-GCN-loss-120`; after 240 these two have
# {glue:text}`gnn-att-mean-loss-240` and {glue:text}`gnn-att-GCN-loss-240`, and attention
# {glue:text}`gnn-att-attention-loss-240`. It is ahead by some steps. Which of them fits better is not a question that
# a loss still on its way to zero can answer.
#
# What do the controls say? Frozen at the start, random coefficients do about as well as the mean:
# {glue:text}`gnn-att-frozen-at-the-start`. They are nearly a mean, as spread as equal shares among
# {glue:text}`gnn-att-equal-start` of those heard; when attention has been trained it is {glue:text}`gnn-att-equal-end`.
# With $a$ frozen and $W$ trained, accuracy is as low as when $a$ is learned, {glue:text}`gnn-att-a-frozen`. So it is
# not the training of $a$ that costs accuracy here, but that coefficients *move* with $z$ while four labels are fitted.
# Where they end is enough: frozen at the end they give {glue:text}`gnn-att-frozen-at-the-end`, though all else starts
# anew. That is one graph of {glue:text}`gnn-att-members`
# nodes with one set of labels, and no more.
#
# Look at what one network learned, from the place of a member who listens. A shape is a community, a thick rim a label
# that was given. Widths of lines and lengths of bars are the coefficients in the last layer of the first start (the
# listener's own has a bar only); the dashed line is the equal share. Bars stand in the order of $s_j$, the same ranking
# for everybody; so, whoever listens, they fall from top to bottom. Do they prefer the listener's own community?

# %% tags=["hide-input", "nbval-ignore-output"]
(_, (_, alpha), s), _ = trained["attention"]
ranks = s.argsort(dim=1).argsort(dim=1).double()  # [seeds, N]
between_seeds = np.corrcoef(ranks)[np.triu_indices(club_seeds, k=1)].mean()
heard_by, signs = neighbourhoods(A_club), "●■▲◆"
looked_from = [0, 8, 31]
most_heard = max(len(heard_by[i]) for i in looked_from)


def in_order(i):
    """The members that i hears, by falling s."""
    return sorted(heard_by[i], key=lambda j: -s[0, j])


def draw_attention(i):
    figures, (ax, bars) = display.panels((4.1, 4.2), (2.6, 4.2))
    heard = in_order(i)
    friends = [j for j in heard if j != i]
    drawing.edges(ax, layout, graph.edges, width=0.4)
    ways = [(i, j) for j in friends]
    drawing.edges(ax, layout, ways, 12 * alpha[0, i, friends], alpha=0.7)
    draw_members(ax, named=heard)
    ax.annotate("listens", layout[i], (0, 14), textcoords="offset points", ha="center")
    ax.set_axis_off()
    hues = [display.COLORS[y[j]] for j in heard]
    bars.barh(range(len(heard)), alpha[0, i, heard], color=hues)
    bars.axvline(1 / len(heard), color=display.INK, linewidth=0.9, linestyle="--")
    bars.set_yticks(
        range(len(heard)), [f"{j} {signs[y[j]]}" for j in heard], fontsize=9
    )
    bars.grid(visible=False)
    bars.set(xlim=(0, 1), ylim=(most_heard - 0.4, -0.6))
    bars.set(xlabel=f"$\\alpha_{{ij}}$ of $i$ = {i}", ylabel="member $j$, by $s_j$")
    return figures


def describe(i):
    heard = in_order(i)
    shares = ", ".join(f"{j}: {alpha[0, i, j]:.0%}" for j in heard[:3])
    own = alpha[0, i, y == y[i]].sum()
    equal = (y[heard] == y[i]).double().mean()
    return (
        f"The karate club, looked at from member {i}, who hears {len(heard)} members, "
        f"itself included. An equal share is {1 / len(heard):.0%}; the largest three "
        f"coefficients are {shares}; {own:.0%} go to its own community, where equal shares "
        f"would give {equal:.0%}. The bars fall from top to bottom."
    )


display.slider(
    draw_attention,
    looked_from,
    label="member who listens",
    alt=describe,
    caption="Whoever listens, the bars fall: all members rank whom they hear in one "
    "order. Shapes are communities, thick rims the four labels given.",
    start=31,
)
display.glue("gnn-att-between-seeds", f"{between_seeds:.2f}")
same = (y[:, None] == y).double()  # [N, N]
for name, matrix in (("learned", alpha), ("equal", mean_matrix(A_club))):
    display.glue(f"gnn-att-own-{name}", f"{(matrix * same).sum(dim=-1).mean():.0%}")

# %% [markdown]
# On average over all members and starts {glue:text}`gnn-att-own-learned` of the shares go to the listener's own
# community; equal shares would give {glue:text}`gnn-att-own-equal`. It is tempting to read friendship into such a
# picture. Train from another start before you do: the rank correlation of $s$ between two seeds is
# {glue:text}`gnn-att-between-seeds` on average. What you see is *a* way to fit four labels, not a property of the club.
# Attention coefficients say what a network uses, not why, and not what it must use {cite}`jain2019attention`.
#
# Where does it pay? Where features say whom to hear, and data suffice to learn it. One ranking for all is enough if
# there is one: sensors, say, that report whether they are broken. "Those whose taste is like mine" takes GATv2.

# %% [markdown]
# ## What was shown
#
# - Attention puts a computed coefficient before each message: a score from the features of both ends, a softmax over
#   the neighbourhood. Coefficients are shares, so the output is a true average, on one scale for all degrees.
# - A layer of attention is score, share, sum: four nodes and one number each show all of it.
# - The score splits into $r_i + s_j$: two numbers per node, one addition per edge, $O(E + N)$ in all. Node by node,
#   dense and on edges it is the same layer, with one head or several, and PyG's `GATConv` on every graph: loops are
#   replaced by one, edges count at their target and as often as they stand.
# - It is permutation equivariant. With equal scores it is the mean $\tilde D^{-1} \tilde A$; it is the GCN only where
#   degrees agree along each edge.
# - Without the LeakyReLU the listener cancels; with it GAT still ranks its neighbours in one order for everyone. Two
#   queries cannot each find their own key, and the loss has a floor. GATv2 moves the bend inside and finds them.
# - On the club with four labels, coefficients that move in training cost accuracy on the other members, whether $a$ is
#   learned or not; frozen at their start they cost none. All fit the labels.
#
# ## Further reading
#
# - Veličković and others {cite}`velickovic2018gat` introduce the layer; their equations 1 to 6 are those of this
#   chapter.
# - Brody, Alon and Yahav {cite}`brody2022gatv2` prove that its attention is static, and that GATv2's is not.
# - Vaswani and others {cite}`vaswani2017attention` build a network from attention alone.
# - Jain and Wallace {cite}`jain2019attention` ask how far attention explains what a network does.
