# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Static and dynamic attention
#
# Two layers of {doc}`attention` have taken thirty steps towards the club's four labels. Below you see to whom three
# members listen. Something is odd: one list of all members was made, and whoever listens, the bars in the order of that
# list fall from top to bottom. **Why can no two nodes prefer the opposite, and which layer lets them?**

# %% tags=["parameters"]
profile = "smoke"
seed = 0

# %% tags=["set-up"]
import math

from helpers import display, exercises, parameters, verify
from helpers.gnn import drawing, graphs
from helpers.gnn.graphs import neighbourhoods
from helpers.gnn.layers import GraphAttention, glorot

import matplotlib.pyplot as plt
import networkx as nx
import torch
from torch.nn.functional import leaky_relu, softplus
from torch_geometric.nn import GATConv, GATv2Conv
from torch_geometric.utils import softmax

parameters.check(globals(), profile=("smoke", "full"), seed=range(2**31))
display.use_book_style()
torch.manual_seed(seed)
torch.set_default_dtype(torch.float64)  # claims are held to 1e-12

club, A_club = graphs.karate_club()
N, y, labelled = len(A_club), club.y, club.train_mask
inputs = [(A, torch.randn(len(A), 3)) for A in graphs.assorted()]  # the club is last
W, a = torch.randn(3, 5), torch.randn(10, 1)
a_dst, a_src = a[:5, 0], a[5:, 0]  # the halves of a

# %%
first, last = GraphAttention(N, 16), GraphAttention(16, 4)
optimizer = torch.optim.Adam([*first.parameters(), *last.parameters()], lr=0.02)
for _ in range(30):
    optimizer.zero_grad()
    H = torch.relu(first(torch.eye(N), club.edge_index))  # [N, 16]
    logits = last(H, club.edge_index).log_softmax(dim=1)  # [N, 4]
    (-logits[labelled, y[labelled]].mean()).backward()
    optimizer.step()

with torch.no_grad():
    (source, target), shares = last.coefficients(H, club.edge_index)  # [E'], [E', 1]
    alpha = torch.zeros(N, N).index_put((target, source), shares[:, 0])
    s = H @ last.weight @ last.att_src[0]  # [N]; what it is, you will see

# %% tags=["hide-input", "nbval-ignore-output"]
club_graph = nx.from_numpy_array(A_club.numpy())
layout, signs = drawing.spread(club_graph), "●■▲◆"
heard_by = neighbourhoods(A_club)
looked_from = [8, 13, 31]
most_heard = max(len(heard_by[i]) for i in looked_from)
largest = 1.1 * alpha[looked_from].max().item()


def in_order(i):
    """The members that i hears, by falling s."""
    return sorted(heard_by[i], key=lambda j: -s[j])


def draw_attention(i):
    figures, (ax, bars) = display.panels((4.1, 4.2), (2.7, 3.6))
    heard = in_order(i)
    friends = [j for j in heard if j != i]
    drawing.edges(ax, layout, club_graph.edges, width=0.4)
    ways = [(i, j) for j in friends]
    drawing.edges(ax, layout, ways, 12 * alpha[i, friends], alpha=0.7)
    drawing.classes(ax, layout, y, labelled, named=heard)
    ax.annotate("listens", layout[i], (0, 14), textcoords="offset points", ha="center")
    ax.set_axis_off()
    hues = [display.COLORS[y[j]] for j in heard]
    bars.barh(range(len(heard)), alpha[i, heard], color=hues)
    bars.axvline(1 / len(heard), color=display.INK, linewidth=0.9, linestyle="--")
    bars.set_yticks(
        range(len(heard)), [f"{j} {signs[y[j]]}" for j in heard], fontsize=9
    )
    bars.grid(visible=False)
    bars.set(xlim=(0, largest), ylim=(most_heard - 0.4, -0.6))
    bars.set(xlabel=f"$\\alpha_{{ij}}$ of $i$ = {i}", ylabel="member $j$ who is heard")
    return figures


def describe(i):
    heard = in_order(i)
    told = ", ".join(f"{j}: {alpha[i, j]:.0%}" for j in heard[:3])
    return (
        f"The karate club, looked at from member {i}, who hears {len(heard)} members, "
        f"itself included. An equal share is {1 / len(heard):.0%}; the largest three "
        f"coefficients are {told}. The bars fall from top to bottom, in the order of s."
    )


display.slider(
    draw_attention,
    looked_from,
    label="member who listens",
    alt=describe,
    caption="Widths of lines and lengths of bars are the coefficients (the listener's "
    "own has a bar only), shapes are communities, thick rims the four labels given. For "
    "each listener the bars stand in the order of one list of all members.",
    start=8,
)

# %% [markdown]
# The dashed line is the equal share. Bars of one listener compare; those of two listeners do not, since each has a
# softmax of its own. What compares is their *order*.
#
# ## Two listeners, by hand
#
# Three nodes speak, with $s = (2, 1, -2)$, and two listen: one has $r = 1$, the other $r = -1$. GAT scores a pair by
# $\operatorname{LeakyReLU}(r + s)$, which keeps what is positive and takes a fifth of what is not.
#
# - The first listener adds up $(3, 2, -1)$ and scores $(3, 2, -0.2)$. Exponentials: $20.1$, $7.4$ and $0.8$; shares:
#   $0.71$, $0.26$ and $0.03$.
# - The second adds up $(1, 0, -3)$ and scores $(1, 0, -0.6)$. Exponentials: $2.7$, $1$ and $0.5$; shares: $0.64$,
#   $0.23$ and $0.13$.
#
# The second listener is less sharp, and ranks the three as the first does.

# %%
by_hand = torch.tensor([2.0, 1.0, -2.0])
for r in (1.0, -1.0, -20.0):
    shares = leaky_relu(r + by_hand, 0.2).softmax(dim=0)
    print(f"r = {r:5}: {[f'{share:.2f}' for share in shares]}")

# %% [markdown]
# Even a listener with $r = -20$ does.
#
# ## What the listener decides
#
# Recall from {eq}`eq-gnn-score-split` that the score of GAT is $\operatorname{LeakyReLU}(r_i + s_j)$, with
# $r_i = a_{\text{dst}}^\top z_i$ for the one who listens, $s_j = a_{\text{src}}^\top z_j$ for the one who speaks, and
# $z_i = W^\top h_i$. Take the LeakyReLU away. Then $r_i$ is one number for all whom $i$ hears, and by
# {eq}`eq-gnn-softmax-shift` it drops out:
#
# $$
# \frac{\tilde A_{ij} \exp(r_i + s_j)}{\sum_k \tilde A_{ik} \exp(r_i + s_k)}
# = \frac{\tilde A_{ij} \exp(s_j)}{\sum_k \tilde A_{ik} \exp(s_k)} .
# $$ (eq-gnn-receiver-cancels)
#
# The node that listens would have no say in whom it hears. The bend of the LeakyReLU at zero is all that lets $r_i$
# in.


# %%
def neighbour_softmax(e, A):
    """The softmax of scores e [..., N, N] over each node's neighbours and itself."""
    hears = A + torch.eye(len(A)) > 0  # [N, N]
    return e.masked_fill(~hears, -torch.inf).softmax(dim=-1)


def pair_sums(X_dst, X_src, a):
    """r_i + s_j, [..., M, N]; X_dst [..., M, d], X_src [..., N, d], a [..., 2 d, 1]."""
    a_dst, a_src = a.chunk(2, dim=-2)
    return X_dst @ a_dst + (X_src @ a_src).mT


def gat_scores(X_dst, X_src, a):
    """e [..., M, N] as in def-gnn-gat-score."""
    return leaky_relu(pair_sums(X_dst, X_src, a), 0.2)


def senders_alone(A, Z, a_src):
    """α [N, N] by the scores s of those who speak."""
    weights = (A + torch.eye(len(A))) * (Z @ a_src).exp()  # [N, N]
    return weights / weights.sum(dim=1, keepdim=True)


# %% tags=["check"]
def cases():
    for A, H in inputs:
        by_both = neighbour_softmax(pair_sums(H @ W, H @ W, a), A)
        yield senders_alone(A, H @ W, a_src), by_both


verify.equal(
    "eq-gnn-receiver-cancels", cases(), atol=1e-12, against="the scores of both ends"
)


# %% tags=["hide-input"]
def draw_receiver():
    fig, ax = plt.subplots(figsize=(4.2, 3.1))
    r, s = torch.linspace(-4, 4, 33)[:, None], torch.tensor([1.5, 0.5, -0.5, -1.5])
    bent, straight = leaky_relu(r + s, 0.2).softmax(dim=1), s.softmax(dim=0)
    for key, value in enumerate(s):
        ax.plot(r, bent[:, key], color=display.COLORS[0], linestyle="-", marker="")
        dashes = dict(linestyle="--", linewidth=1, marker="")
        ax.plot([-4, 4], straight[[key, key]], color=display.COLORS[1], **dashes)
        name = f"$s$ = {value:g}".replace("-", "−")
        ax.annotate(name, (4.2, bent[-1, key]), va="center")
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
# ## One ranking for everyone
#
# Now with the LeakyReLU. Let $j$ and $k$ both be heard by $i$. LeakyReLU is strictly increasing,
# and so is exp. Hence $\alpha_{ij} > \alpha_{ik}$ exactly if $r_i + s_j > r_i + s_k$, and there $r_i$ cancels:
#
# $$
# \alpha_{ij} > \alpha_{ik} \iff s_j > s_k , \qquad\text{whatever } i .
# $$ (eq-gnn-static-ranking)
#
# The node that listens decides how sharply it chooses, as $r_i$ moves its scores across the bend of the LeakyReLU. In
# *which order* it ranks its neighbours it does not decide. There is one ranking of all nodes, by $s$, and each node
# uses its piece of it: the order of the bars in the first picture. Brody, Alon and Yahav call this *static* attention
# {cite}`brody2022gatv2`.


# %%
def rankings(s, A):
    """For each node, the nodes that it hears in increasing order of s [N]."""
    return [sorted(heard, key=lambda j: s[j]) for heard in neighbourhoods(A)]


# %% tags=["check"]
def cases():
    for A, H in inputs:
        Z = H @ W
        alpha = neighbour_softmax(gat_scores(Z, Z, a), A)
        for i, ranking in enumerate(rankings(Z @ a_src, A)):
            yield alpha[i].argsort()[-len(ranking) :], torch.tensor(ranking)


verify.equal("eq-gnn-static-ranking", cases(), against="sorting the coefficients")


# %% tags=["hide-input"]
def draw_gat_scores():
    fig, ax = plt.subplots(figsize=(4.2, 2.6))
    keys = torch.linspace(-3, 3, 31)
    for r in (-2.0, 0.0, 2.0):
        name = f"$r_i$ = {r:g}".replace("-", "−")
        ax.plot(keys, leaky_relu(r + keys, 0.2), marker="", label=name)
    ax.set(xlabel="$s_j$ of the one heard", ylabel="score")
    ax.legend()
    return fig


display.show(
    draw_gat_scores(),
    alt="GAT's scores by s for three listeners: each curve rises all the way, with a "
    "bend at another place.",
    caption="Whoever listens, the score rises with s. The listener moves only the bend.",
)

# %% [markdown]
# ## The smallest graph where it matters
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
display.glue("gnn-dyn-bound", f"{bound:.3f}")
display.glue("gnn-dyn-coin", f"{math.log(2):.3f}")


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
    some = delta[:60_001:1000]  # leads from 0 to 6
    for gamma in (0.05, 0.2, 0.5):
        curve = 0.5 * softplus(-some) + 0.5 * softplus(gamma * some)
        ax.plot(some, curve, marker="", label=f"$\\gamma$ = {gamma:g}")
    ax.axhline(math.log(2), color=display.INK, linewidth=0.8, linestyle=":")
    ax.set(xlabel=r"lead $\Delta$", ylabel="least loss", ylim=(0, 0.9))
    ax.legend(loc="lower left")
    return fig


display.show(
    draw_bound(),
    alt="The least loss by the lead Δ for three slopes γ. Each curve starts at log 2, "
    "falls to a minimum and rises again; the smaller γ, the lower the minimum.",
    caption="A larger lead helps the query that is right and hurts the other one. The "
    "dotted line is the loss of no choice; none of the curves comes near zero.",
)

# %% [markdown]
# The bound is {glue:text}`gnn-dyn-bound`; not to choose at all costs $\log 2 = $ {glue:text}`gnn-dyn-coin`.
#
# ## Several heads
#
# One softmax makes one choice, and one vector $a$ one ranking. A node may have reasons for several, as an atom whose
# hydrogens tell one thing and whose oxygens another. So $K$ layers, each with its own $W^k$ and $a^k$, run side by side
# {cite}`velickovic2018gat`; their outputs are put one above the other or, in a last layer that has to end with one
# number per class, averaged:
#
# $$
# \begin{gathered}
# h_i' = \sigma\Bigg( \mathop{\Big\Vert}_{k=1}^{K} \sum_j \alpha_{ij}^k\, W^{k\top} h_j \Bigg)
# \in \mathbb{R}^{K d'} \\
# \text{or} \qquad h_i' = \sigma\Bigg( \frac1K \sum_{k=1}^{K} \sum_j \alpha_{ij}^k\, W^{k\top} h_j \Bigg)
# \in \mathbb{R}^{d'} .
# \end{gathered}
# $$ (def-gnn-heads)
#
# On a machine it is one layer: one product with $W = [\, W^1 \;\cdots\; W^K \,] \in \mathbb{R}^{d \times K d'}$ makes
# the messages of all heads. With $\alpha^k$ for the matrix {eq}`eq-gnn-attention-dense` of head $k$, `GraphAttention`
# from `helpers.gnn.layers` and PyG's `GATConv` give
#
# $$
# \begin{aligned}
# \texttt{GATConv}(H) = {} & \big[\, \alpha^1 H W^1 \;\cdots\; \alpha^K H W^K \,\big] \\
# \text{or}\quad & \frac1K \sum_{k=1}^{K} \alpha^k H W^k .
# \end{aligned}
# $$ (eq-gnn-heads)


# %%
three_heads = GraphAttention(3, 4, heads=3)


def attend(A, Z, a):
    """α Z [N, d_out] of one head with the messages Z and a [2 d_out, 1]."""
    return neighbour_softmax(gat_scores(Z, Z, a), A) @ Z


def heads_one_by_one(A, H, layer):
    """A list of α H W, one [N, d_out] per head."""
    weights = zip(
        layer.weight.chunk(layer.heads, dim=1),
        layer.att_dst,
        layer.att_src,
        strict=True,
    )
    return [attend(A, H @ W, torch.cat([dst, src])[:, None]) for W, dst, src in weights]


# %% tags=["check"]
def cases():
    for concat in (True, False):
        ours = GraphAttention(3, 4, heads=3, concat=concat)
        theirs = GATConv(3, 4, heads=3, concat=concat, bias=False)
        theirs.lin.weight.data = ours.weight.data.T.clone()
        theirs.att_src.data = ours.att_src.data[None].clone()
        theirs.att_dst.data = ours.att_dst.data[None].clone()
        for A, H in inputs:
            heads, edges = heads_one_by_one(A, H, ours), A.nonzero().T
            out = torch.cat(heads, dim=1) if concat else sum(heads) / 3
            yield out, ours(H, edges)
            yield out, theirs(H, edges)


verify.equal(
    "eq-gnn-heads", cases(), atol=1e-12, against="all heads at once, ours and PyG's"
)


# %% tags=["hide-input"]
def draw_heads():
    fig, ax = plt.subplots(figsize=(4.2, 2.6))
    A, H = inputs[-1]
    heard = neighbourhoods(A)[31]
    edges, shares = three_heads.coefficients(H, A.nonzero().T)
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
# Each head has a ranking of its own, for everyone. Does that let two queries find two keys?

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
# same with the heads exchanged, so that $\alpha_{uu} = \alpha_{vv} = \frac{\operatorname{sigmoid}(\Delta) +
# \operatorname{sigmoid}(-\gamma \Delta)}{2}$. It exceeds $\tfrac12$ for each $\Delta > 0$, as
# $\operatorname{sigmoid}(\Delta) > \operatorname{sigmoid}(\gamma \Delta) = 1 - \operatorname{sigmoid}(-\gamma \Delta)$.
# But it tends back to $\tfrac12$ as $\Delta$ grows: the head that is wrong for a query cannot be silenced. The maximum
# is about 0.65, far from 1. More heads do not lift it. In each head one key leads for both queries, say by $\Delta$, so
# $\alpha_{uu} + \alpha_{vv} \le \operatorname{sigmoid}(\Delta) + \operatorname{sigmoid}(-\gamma \Delta)$ there, at most
# twice the maximum; and the mean over heads is not above it.


# %% tags=["solution"]
shares = 0.5 * (torch.sigmoid(delta) + torch.sigmoid(-0.2 * delta))
print(f"at most {shares.max():.3f}, at a lead of {delta[shares.argmax()]:.1f}")

# %% [markdown] tags=["solution"]
# :::{solution-end}
# :::

# %% [markdown]
# ## The bend inside
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
# $x_v = -1$. The units $x_i - x_j$ and $x_j - x_i$ with $a = -t\,(1, 1)$ give
# $e_{ij} = -t \big( \operatorname{LeakyReLU}(x_i - x_j) + \operatorname{LeakyReLU}(x_j - x_i) \big)$
# $= -t\,(1 - \gamma)\, |x_i - x_j|$: zero for the right key, $-2 t\,(1 - \gamma)$ for the wrong one. So
#
# $$
# \alpha_{uu} = \alpha_{vv} = \frac{1}{1 + \exp(-2 t (1 - \gamma))} \;\longrightarrow\; 1
# \qquad\text{as } t \to \infty .
# $$ (eq-gnn-lookup-solved)


# %%
def gatv2_scores(X_dst, X_src, a):
    """e [..., M, N] of H W_dst [..., M, d], H W_src [..., N, d] and a [..., d, 1]."""
    pairs = X_dst[..., :, None, :] + X_src[..., None, :, :]  # [..., M, N, d]
    return (leaky_relu(pairs, 0.2) @ a[..., None, :, :])[..., 0]


def lookup_by_two_units(t):
    """The coefficients [2, 2] of u and v."""
    names = torch.tensor([[1.0], [-1.0]])  # x of u and v, [2, 1]
    units = torch.tensor([[1.0, -1.0]])  # [1, 2]
    scores = gatv2_scores(names @ units, -names @ units, -t * torch.ones(2, 1))
    return scores.softmax(dim=1)


# %% tags=["check"]
def cases():
    for t in (0.0, 0.5, 1.0, 4.0):
        closed_form = 1 / (1 + math.exp(-2 * t * (1 - 0.2)))
        yield lookup_by_two_units(t).diagonal(), torch.full((2,), closed_form)


verify.equal(
    "eq-gnn-lookup-solved", cases(), atol=1e-12, against="the sigmoid of the lead"
)


# %% tags=["hide-input"]
def draw_gatv2_scores():
    fig, ax = plt.subplots(figsize=(4.2, 2.6))
    keys, units = torch.linspace(-3, 3, 31)[:, None], torch.tensor([[1.0, -1.0]])
    for x in (-1.0, 0.0, 1.0):
        scores = gatv2_scores(x * units, -keys @ units, -torch.ones(2, 1))[0]
        ax.plot(keys, scores, marker="", label=f"$x_i$ = {x:g}".replace("-", "−"))
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


def learn_lookup(scores, size_of_a, d=8, steps=200):
    """Losses [steps, S], and whether both queries end with the right key [S]."""
    sizes = (2, d), (2, d), (size_of_a, 1)
    weights = [glorot(num_seeds, *size).requires_grad_() for size in sizes]
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
    display.glue(f"gnn-dyn-lookup-{name}", f"{low:.2g} to {high:.2g}")
    display.glue(f"gnn-dyn-solved-{name}", f"{correct.sum()}")
display.glue("gnn-dyn-seeds", f"{num_seeds}")
display.glue("gnn-dyn-lowest", f"{lookup['GAT'][0].min():.3f}")

# %% [markdown]
# Of {glue:text}`gnn-dyn-seeds` seeds, GATv2 gets both queries right in {glue:text}`gnn-dyn-solved-GATv2` and GAT in
# {glue:text}`gnn-dyn-solved-GAT`. The last losses are {glue:text}`gnn-dyn-lookup-GATv2` for GATv2 and
# {glue:text}`gnn-dyn-lookup-GAT` for GAT, whose lowest is {glue:text}`gnn-dyn-lowest`: the bound, and not below. (While
# both queries are on one slope, nothing is better than $\Delta = 0$, and some seeds stay there, at $\log 2$.) This is
# not a matter of training longer.

# %% [markdown]
# :::{exercise} GATv2 on an edge list
# :label: ex-gnn-gatv2-edges
# Write `gatv2_by_edge(edge_index, H, W_dst, W_src, a)`, the sums before $\sigma$ of {eq}`def-gnn-gatv2`, $[N, d']$, for
# an edge list without loops: no $N \times N$ matrix, but every node hears itself, too. $a$ has shape $[d']$. How many
# numbers does it hold at a time, beside GAT?
# :::

# %% [markdown] tags=["solution"]
# :::{solution-start} ex-gnn-gatv2-edges
# :class: dropdown
# :::
# GAT needs $r$ and $s$, two numbers per node, and one sum per edge. Here the bend comes before $a$, so each edge has a
# vector of $d'$ numbers: $O((E + N)\, d')$ in place of $O(E + N)$ for the scores. The messages take as many in both.


# %% tags=["solution"]
def gatv2_by_edge(edge_index, H, W_dst, W_src, a):
    loops = torch.arange(len(H)).expand(2, -1)
    source, target = torch.cat([edge_index, loops], dim=1)  # [E + N] each
    X_dst, X_src = H @ W_dst, H @ W_src  # [N, d_out] each
    e = leaky_relu(X_dst[target] + X_src[source], 0.2) @ a  # [E + N]
    alpha = softmax(e, target, num_nodes=len(H))  # [E + N], by target
    messages = alpha[:, None] * X_src[source]  # [E + N, d_out]
    return torch.zeros_like(X_src).index_add(0, target, messages)


# %% [markdown] tags=["solution"]
# :::{solution-end}
# :::

# %%
exercises.check("gnn/dynamic_attention/gatv2_by_edge", gatv2_by_edge)

# %% [markdown]
# :::{exercise} Is GAT a special case of GATv2?
# :label: ex-gnn-gat-in-gatv2
# Given $W$ and $a$ of a GAT layer with $d'$ features, find $W_{\text{dst}}$, $W_{\text{src}}$ and $a$ of a GATv2 layer
# that has the same coefficients on every graph, and whose output holds that of GAT. How many features do you need? And
# the other way: is GATv2 a special case of GAT?
# :::

# %% [markdown] tags=["solution"]
# :::{solution-start} ex-gnn-gat-in-gatv2
# :class: dropdown
# :::
# One feature more: $d' + 1$. Let the last one of $W_{\text{dst}}^\top h_i$ be $r_i$, with the column
# $W a_{\text{dst}}$, and that of $W_{\text{src}}^\top h_j$ be $s_j$, with $W a_{\text{src}}$. Give it the weight 1 in
# $a$, and all others the weight 0: the score is $\operatorname{LeakyReLU}(r_i + s_j)$. The others are free to carry the
# message: $W$ in $W_{\text{src}}$, anything in $W_{\text{dst}}$. Not the other way: by {eq}`eq-gnn-lookup-solved` GATv2
# has coefficients on two nodes that {eq}`eq-gnn-static-ranking` forbids.


# %% tags=["solution"]
for A, H in inputs:
    W_src = torch.cat([W, (W @ a_src)[:, None]], dim=1)  # [d, d_out + 1]
    W_dst = torch.cat([torch.zeros_like(W), (W @ a_dst)[:, None]], dim=1)
    by_gatv2 = attend_gatv2(A, H, W_dst, W_src, torch.eye(6)[:, 5:])
    torch.testing.assert_close(by_gatv2[:, :5], attend(A, H @ W, a))

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
exercises.check("gnn/dynamic_attention/dot_product_attention", dot_product_attention)

# %% [markdown]
# ## What was shown
#
# - Without the LeakyReLU the listener cancels. With it the listener decides how sharply it chooses, and GAT still ranks
#   all nodes in one order for everyone: its attention is static.
# - Two queries cannot each find their own key with it, and the loss has a floor. Several heads are several rankings;
#   they soften this and do not lift it.
# - GATv2 moves the bend inside, between two linear maps. The ranking then depends on who asks, and training finds the
#   lookup. With a feature more it can be any GAT; the reverse is not true.
# - The scaled dot product of the Transformer is dynamic, too.
#
# ## Further reading
#
# - Brody, Alon and Yahav {cite}`brody2022gatv2` prove that GAT's attention is static and that GATv2's is not, and
#   compare the two on many data sets.
# - Veličković and others {cite}`velickovic2018gat` introduce heads on graphs; their equations 5 and 6 are those of this
#   chapter.
# - Vaswani and others {cite}`vaswani2017attention` build a network from attention alone.
