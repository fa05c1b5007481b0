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
# It can: the graph still says who may be heard, and the features say how much. The picture shows it for four nodes
# that know one number each.

# %% tags=["parameters"]
profile = "smoke"
seed = 0

# %% tags=["set-up"]
import math

from helpers import display, exercises, parameters, verify
from helpers.gnn import drawing, graphs
from helpers.gnn.graphs import neighbourhoods
from helpers.gnn.layers import GraphAttention, gcn_norm, glorot

import matplotlib.pyplot as plt
import networkx as nx
import numpy as np
import torch
from torch.nn.functional import dropout, leaky_relu
from torch_geometric.nn import GATConv

parameters.check(globals(), profile=("smoke", "full"), seed=range(2**31))
display.use_book_style()
torch.manual_seed(seed)
torch.set_default_dtype(torch.float64)  # claims are held to 1e-12

club, A_club = graphs.karate_club()
N = len(A_club)
inputs = [(A, torch.randn(len(A), 3)) for A in graphs.assorted()]  # the club is last
W, a = torch.randn(3, 5), torch.randn(10)

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
    texts = [[text.replace("-", "−") for text in row] for row in texts]
    names = [f"{z:g}".replace("-", "−") for z in z_four]
    titles = "1. scores", "2. shares", f"3. sum: {total:.2f}"
    for ax, title, labels in zip(axes, titles, texts, strict=True):
        others = [j for j in four if j != i]
        drawing.edges(ax, spots, four.edges, width=0.6, style=":")
        ways = [(j, i) for j in hears[i][:-1]]
        widths = 1 if ax is axes[0] else [0.5 + 5 * share for share in shares[:-1]]
        drawing.arrows(ax, spots, ways, display.COLORS[0], widths, size=20)
        style = dict(label=names.__getitem__, size=20)
        drawing.nodes(ax, spots, others, **style)
        drawing.nodes(ax, spots, [i], display.COLORS[1], outline=2.4, **style)
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
# ## Score, share, sum
#
# The four nodes know $z = (1, 3, -1, 2)$. A node hears its neighbours and itself, and listens more to those who have
# more than it has. What reaches node 0?
#
# 1. **Score.** Each one heard gets a number: here $z_j - z_i$, and a fifth of it where it is negative. Node 0 has 1.
#    It scores node 1 with $3 - 1 = 2$, node 2 with $0.2 \cdot (-1 - 1) = -0.4$, itself with 0. Node 3 gets none: there
#    is no edge.
# 2. **Share.** Scores may be negative and sum to anything. Their exponentials are positive, $7.39$, $0.67$ and $1$, and
#    sum to $9.06$. Divide by that: $0.82$, $0.07$ and $0.11$.
# 3. **Sum.** $0.82 \cdot 3 + 0.07 \cdot (-1) + 0.11 \cdot 1 = 2.48$. Equal shares would have given 1.
#
# That is the whole layer, with one number per node and a score that someone thought of. What is left is to use vectors,
# and to learn the score. You will build that layer, hold it against the GCN, and see what it learns from four labels of
# the club. Which preferences it can have, and which it cannot, is the question of {doc}`dynamic_attention`.
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
def attend_by_node(A, H, W, a):
    """α [N, N] and the sums before σ [N, d_out]."""
    alpha = torch.zeros_like(A)
    out = torch.zeros(len(A), W.shape[1])
    for i, heard in enumerate(neighbourhoods(A)):
        pairs = [torch.cat([W.T @ H[i], W.T @ H[j]]) for j in heard]
        e = leaky_relu(torch.stack(pairs) @ a, 0.2)  # [1 + number of neighbours]
        weights = e.exp()
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
        name = f"node {j}, with {H_four[j, 0]:g}".replace("-", "−")
        ax.plot(sharpness, curve, marker="", label=name)
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


# %%
def shifted_shares(A, e, c):
    """α [N, N] from scores e [N, N], those of listener i shifted by c[i]."""
    weights = (A + torch.eye(len(A))) * (e + c[:, None]).exp()
    return weights / weights.sum(dim=1, keepdim=True)


# %% tags=["check"]
def cases():
    for A, H in inputs:
        stacked = [[torch.cat([W.T @ h_i, W.T @ h_j]) for h_j in H] for h_i in H]
        e = leaky_relu(torch.stack([torch.stack(row) @ a for row in stacked]), 0.2)
        c = 5 * torch.randn(len(A))
        yield shifted_shares(A, e, c), attend_by_node(A, H, W, a)[0]
        by_neighbour = shifted_shares(A, (e + c), 0 * c)  # another number for each j
        if A.any():
            yield torch.allclose(by_neighbour, attend_by_node(A, H, W, a)[0]), False


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
    ax.set_xticks(range(0, 20, 5))
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
# - *LeakyReLU*: without it $h_i$ would cancel, as {doc}`dynamic_attention` shows.
# - Several such *heads* may run side by side, each with its own $W$ and $a$.


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
def draw_matrices():
    figures, axes = display.panels((3.3, 3.4), (3.3, 3.4))
    alpha = attend_densely(*inputs[-1], W, a_dst, a_src)[0]
    titles = r"$\hat A$, by degrees", r"$\alpha$, by features"
    for ax, matrix, title in zip(axes, (gcn_norm(A_club), alpha), titles, strict=True):
        drawing.squares(ax, matrix, A_club + torch.eye(N))
        ax.set(title=title, xlabel="node $j$", ylabel="node $i$")
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


# %% tags=["hide-input"]
def draw_list():
    fig, ax = plt.subplots(figsize=(4.2, 2.8))
    pairs = [(j, i) for i in range(4) for j in sorted(hears[i])]  # from j to i
    shares = [alpha[i, j] for j, i in pairs]
    for i in range(4):
        rows = [m for m, (_, target) in enumerate(pairs) if target == i]
        style = dict(color=display.COLORS[i], label=f"to node {i}")
        ax.bar(rows, [shares[m] for m in rows], **style)
    ax.set_xticks(range(len(pairs)), [f"{j}→{i}" for j, i in pairs], rotation=90)
    ax.set(ylabel=r"share $\alpha_m$", ylim=(0, 1.45))
    ax.grid(visible=False)
    ax.legend(loc="upper left", ncols=2)
    return fig


display.show(
    draw_list(),
    alt="The twelve edges of the four-node graph with its loops, each with its share, "
    "in groups by target. In each group the bars add up to 1.",
    caption="The list of the four nodes with their loops. Each target has a softmax of "
    "its own: bars of one group sum to 1, those of different groups do not compare.",
)

# %% [markdown]
# ## Against PyTorch Geometric
#
# PyG's `GATConv` keeps $W^\top$ as `lin.weight`, and $a_{\text{src}}$, $a_{\text{dst}}$ as `att_src`, `att_dst`. With
# our weights in their places, and the same bias added to each row,
#
# $$
# \texttt{GraphAttention}(H) = \texttt{GATConv}(H)
# $$ (eq-gnn-gatconv)
#
# on *all* graphs: the cell draws edge lists at random, with direction, with loops, with edges that stand more than
# once, and with nodes that no edge touches. Its check holds the claim to $10^{-12}$, and to $10^{-5}$ in single
# precision.


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
    """A GATConv with the weights of ``ours``, a GraphAttention with a bias."""
    theirs = GATConv(*ours.weight.shape)
    theirs.lin.weight.data = ours.weight.data.T.clone()
    theirs.att_src.data = ours.att_src.data[None].clone()
    theirs.att_dst.data = ours.att_dst.data[None].clone()
    theirs.bias.data = ours.bias.data.clone()
    return theirs


# %% tags=["check"]
def cases(dtype):
    for d_out in (1, 4):
        ours = GraphAttention(3, d_out, bias=True).to(dtype)
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
#    {term}`permutation equivariant <permutation equivariance>`,
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
    moved = 0
    for A, H in inputs:
        P = torch.eye(len(A))[torch.randperm(len(A))]
        moved += not torch.equal(P @ H, H)
        alpha = coefficients(A, H @ W, a_dst, a_src)  # [N, N]
        yield coefficients(P @ A @ P.T, P @ H @ W, a_dst, a_src), P @ alpha @ P.T
        out = layer(H, A.nonzero().T)  # [N, d_out]
        yield layer(P @ H, (P @ A @ P.T).nonzero().T), P @ out
    yield moved >= len(inputs) - 2, True  # a single node cannot be renamed


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
        drawing.squares(ax, alpha, alpha)
        ticks = range(0, len(A), 5)
        ax.set(title=title, xticks=ticks, yticks=ticks, xlabel="$j$", ylabel="$i$")
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
tried = [A for A, _ in inputs] + [graphs.dense(graph) for graph in named]
statements = [three_statements(A) for A in tried]
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
    ax.set_xticks(range(0, 20, 5))
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
# ## Four labels again
#
# Back to the club: four communities, one labelled member of each, $H^{(0)} = I$. The network has two layers of
# attention, with 16 features and ReLU between them. Does attention help? Compare it with itself: the same network,
# with the same starting weights, but with fixed coefficients. Once these are the mean $\tilde D^{-1} \tilde A$, which
# is attention with $a = 0$, once the GCN's $\hat A$. The paper trains with dropout on coefficients and features, so
# give attention that help as well.

# %% tags=["hide-input"]
graph = nx.from_numpy_array(A_club.numpy())
layout = drawing.spread(graph)


def draw_labels():
    fig, ax = plt.subplots(figsize=(4.2, 3.6))
    drawing.edges(ax, layout, graph.edges, width=0.5)
    labelled = club.train_mask
    drawing.classes(ax, layout, club.y, labelled, labelled.nonzero()[:, 0].tolist())
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
width, num_classes = 16, 4
club_seeds = {"smoke": 10, "full": 40}[profile]


def network(weights, fixed=None, drop=0.0):
    """Class scores [S, N, 4] and both layers' α, [S, N, N] each."""
    W_1, a_1, W_2, a_2 = weights
    Z = W_1  # H W with H = I, [S, N, width]
    first, last = fixed or (coefficients(A_club, Z, *a_1.unbind(dim=1)), None)
    H = torch.relu(dropout(first, drop) @ Z)  # [S, N, width]
    Z = dropout(H, drop) @ W_2  # [S, N, classes]
    last = coefficients(A_club, Z, *a_2.unbind(dim=1)) if last is None else last
    return dropout(last, drop) @ Z, (first, last)


def start():
    """The same weights W_1, a_1, W_2, a_2 for each kind of network."""
    torch.manual_seed(seed)
    sizes = (N, width), (2, width), (width, num_classes), (2, num_classes)
    return [glorot(club_seeds, *size).requires_grad_() for size in sizes]


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
# not the training of $a$ that costs accuracy here, but that coefficients *move* with $z$ while four labels are fitted
# (with dropout they move too, and it costs less).
# Where they end is enough: frozen at the end they give {glue:text}`gnn-att-frozen-at-the-end`, though all else starts
# anew. That is one graph of {glue:text}`gnn-att-members`
# nodes with one set of labels, and no more.
#
# What did the coefficients learn? On average over all members and starts {glue:text}`gnn-att-own-learned` of the shares
# go to the listener's own community; equal shares would give {glue:text}`gnn-att-own-equal`. A single listener's shares
# often look as if they spoke of friendship. Look at three starts before you believe them.

# %% tags=["hide-input", "nbval-ignore-output"]
(_, (_, alpha)), _ = trained["attention"]  # of the last layer, [S, N, N]
same = (y[:, None] == y).double()  # [N, N]
favourite = alpha.argmax(dim=2)  # [S, N]
agreeing = (favourite[:, None] == favourite).double().mean(dim=2)  # [S, S]
between = agreeing[torch.triu_indices(club_seeds, club_seeds, 1).unbind()].mean()
by_chance = (1 / (1 + A_club.sum(dim=1))).mean()


def draw_starts(listener=31):
    fig, ax = plt.subplots(figsize=(4.2, 2.7))
    heard, signs = neighbourhoods(A_club)[listener], "●■▲◆"
    places = np.arange(len(heard))
    for k, hatch in enumerate(("", "//", "xx")):
        style = dict(color=display.COLORS[k], hatch=hatch, label=f"start {k + 1}")
        ax.bar(places + 0.27 * (k - 1), alpha[k, listener, heard], width=0.25, **style)
    ax.axhline(1 / len(heard), color=display.INK, linewidth=0.9, linestyle="--")
    ax.set_xticks(places, [f"{j}\n{signs[y[j]]}" for j in heard])
    ax.set(xlabel=f"member whom {listener} hears", ylabel="share", ylim=(0, 1.25))
    ax.legend(loc="upper left", ncols=3)
    return fig


display.show(
    draw_starts(),
    alt="For each of the seven members whom member 31 hears, itself included, three "
    "bars, the shares in three trained networks. The three prefer different members.",
    caption="One listener in three networks that fit the same labels. Signs are "
    "communities; the dashed line is the equal share.",
)
for name, matrix in (("learned", alpha), ("equal", mean_matrix(A_club))):
    display.glue(f"gnn-att-own-{name}", f"{(matrix * same).sum(dim=-1).mean():.0%}")
display.glue("gnn-att-between", f"{between:.0%}")
display.glue("gnn-att-chance", f"{by_chance:.0%}")

# %% [markdown]
# Two starts agree on the favourite of a listener in {glue:text}`gnn-att-between` of the cases (over all members and
# pairs of starts; by chance it would be {glue:text}`gnn-att-chance`). What you see is *a* way to fit four labels, and
# only in part a property of the club. Attention coefficients say what a network uses, not why, and not what it must use
# {cite}`jain2019attention`. And compare bars of one listener alone: those of another come from another softmax.
#
# Where could attention pay? Where features say whom to hear, and data suffice to learn it: sensors, say, that report
# whether they are broken. The club has neither, so nothing here says how much. "Those whose taste is like mine" is
# another matter: {doc}`dynamic_attention`.

# %% [markdown]
# ## What was shown
#
# - A layer of attention is score, share, sum: four nodes and one number each show all of it.
# - It puts a computed coefficient before each message: a score from the features of both ends, a softmax over the
#   neighbourhood. Coefficients are shares, so the output is a true average, on one scale for all degrees; those of two
#   listeners do not compare.
# - The score splits into $r_i + s_j$: two numbers per node, one addition per edge, $O(E + N)$ in all. Node by node,
#   dense and on edges it is the same layer, and PyG's `GATConv` on every graph.
# - It is permutation equivariant. With equal scores it is the mean $\tilde D^{-1} \tilde A$; it is the GCN only where
#   degrees agree along each edge.
# - On the club with four labels, and without dropout, coefficients that move in training cost accuracy on the other
#   members, whether $a$ is learned or not; frozen at their start they cost none. All fit the labels.
#
# ## Exercises

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
# ## Further reading
#
# - Veličković and others {cite}`velickovic2018gat` introduce the layer; their equations 1 to 4 are those of this
#   chapter.
# - Jain and Wallace {cite}`jain2019attention` ask how far attention explains what a network does.
