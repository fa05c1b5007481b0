# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Message passing
#
# In the early 1970s Wayne Zachary wrote down who met whom outside the lessons of a karate club
# {cite}`zachary1977karate`. Here it is: members are nodes, friendships are edges. To store them you must number the
# members, and the numbers mean nothing. Member 7 is not more than member 3, nor next to member 8. Below, the same club
# is numbered twice. **Which layer of a network does not care?**

# %% tags=["parameters"]
profile = "smoke"
seed = 0

# %% tags=["set-up"]
import itertools
import math

from helpers import display, exercises, parameters, verify
from helpers.gnn import drawing, molecules
from helpers.gnn.graphs import assorted, dense
from helpers.gnn.layers import GraphConvolution, gcn_norm, glorot

import matplotlib.pyplot as plt
import networkx as nx
import numpy as np
import torch
from torch_geometric.datasets import KarateClub
from torch_geometric.nn import GATConv, GATv2Conv, GCNConv, GINConv, SimpleConv

parameters.check(globals(), profile=("smoke", "full"), seed=range(2**31))
display.use_book_style()
torch.manual_seed(seed)
torch.set_default_dtype(torch.float64)  # claims are held to 1e-12

# %%
club = KarateClub()[0]  # it comes with PyTorch Geometric, PyG for short
edge_index, N = club.edge_index, club.num_nodes  # edge_index is [2, E]
order = torch.randperm(N)  # the second numbering: new member i is old member order[i]

# %% tags=["hide-input"]
club_graph = nx.Graph(edge_index.T.tolist())
layout = drawing.spread(club_graph)


def draw_clubs():
    figures, axes = display.panels((3.4, 3.7), (3.4, 3.7))
    new_name = order.argsort().tolist()
    names = (str, lambda node: str(new_name[node]))
    for ax, name in zip(axes, names, strict=True):
        drawing.edges(ax, layout, club_graph.edges)
        drawing.nodes(ax, layout, fill=display.COLORS[0], label=name, size=15)
        ax.set_axis_off()
    return figures


display.show(
    draw_clubs(),
    alt="The karate club's graph, twice in the same places: left with Zachary's "
    "numbers, 0 and 33 being the members with the most friends, right with random ones.",
    caption="One club, two numberings. The friendships are the same, and so should be "
    "whatever a network finds out from them.",
)

# %% [markdown]
# One that treats all nodes alike: it sends messages along the edges, by the same rule everywhere. First in numbers, on
# a graph that fits on a napkin.
#
# ## Four nodes, by hand
#
# Nodes 0, 1 and 2 all know each other, and node 3 knows node 2. Each holds one number, $h = (3, 0, 2, -2)$. The layer
# has a single weight, $W = 2$, and works like this:
#
# 1. Each node counts itself among its neighbours. That makes $\tilde d = (3, 3, 4, 2)$ neighbours: the row sums of
#    $\tilde A = A + I$, where $A_{ij} = 1$ if $i$ and $j$ are joined.
# 2. Each node multiplies its number by the weight: $(6, 0, 4, -4)$.
# 3. It sends the product to each neighbour, divided by $\sqrt{\tilde d_i \tilde d_j}$. Node 2 gets
#    $6 / \sqrt{12} = 1.73$ from node 0, $0$ from node 1, $-4 / \sqrt 8 = -1.41$ from node 3, and $4 / 4 = 1$ from
#    itself.
# 4. Each node adds up what arrives, $1.73 + 0 - 1.41 + 1 = 1.32$ at node 2, and sets a negative sum to zero.
#
# The factors $1 / \sqrt{\tilde d_i \tilde d_j}$ make a matrix $\hat A$, and the layer is
# $\operatorname{ReLU}(\hat A H W)$:

# %%
A_four = torch.tensor([[0.0, 1, 1, 0], [1, 0, 1, 0], [1, 1, 0, 1], [0, 0, 1, 0]])
H_four = torch.tensor([[3.0], [0.0], [2.0], [-2.0]])  # one row per node, [4, 1]
W_four = torch.tensor([[2.0]])

A_tilde = A_four + torch.eye(4)  # [4, 4]
d_tilde = A_tilde.sum(dim=1)  # [4]
A_hat_four = A_tilde / (d_tilde[:, None] * d_tilde).sqrt()
sums = A_hat_four @ H_four @ W_four  # [4, 1]
print("d_tilde", d_tilde.tolist())
print("A_hat")
print(A_hat_four.numpy().round(2))
print("sums   ", [f"{value:.2f}" for value in sums[:, 0]])
print("output ", [f"{value:.2f}" for value in torch.relu(sums)[:, 0]])


# %% tags=["hide-input"]
def draw_step(step):
    places = {0: (0, 2), 1: (0, 0), 2: (1.7, 1), 3: (3.7, 1)}
    pairs = [(0, 1), (0, 2), (1, 2), (2, 3)]
    products, after = H_four @ W_four, torch.relu(sums)
    shown = {"start": H_four, "message": products, "sum": sums, "update": after}
    values = shown[step][:, 0].tolist()
    digits = 0 if step in ("start", "message") else 2
    titles = dict(start="what each node holds, $h_i$", sum="what arrives, added up")
    titles |= dict(message="times $W$, then to node 2", update="negative sums become 0")
    fig, ax = plt.subplots(figsize=(4.2, 3.0))
    drawing.edges(ax, places, pairs)
    if step == "message":
        drawing.arrows(ax, places, [(0, 2), (1, 2), (3, 2)], width=1.8, size=42)
        for j, where in ((0, (1.1, 1.75)), (1, (1.1, 0.2)), (3, (2.75, 1.22))):
            share = A_hat_four[2, j] * products[j, 0]
            ax.text(*where, f"{share:.2f}", ha="center", va="center")
        own = A_hat_four[2, 2] * products[2, 0]
        ax.text(1.75, 0.28, f"itself: {own:.2f}", ha="left", va="center")
    hue = display.COLORS[1 if step in ("sum", "update") else 0]
    words = [f"{value:.{digits}f}".replace("-", "−") for value in values]
    drawing.nodes(ax, places, fill=hue, label=words.__getitem__, size=38)
    for i, (x, y) in places.items():
        ax.text(
            x - 0.5 if i < 2 else x,
            y if i < 2 else y + 0.55,
            f"node {i}",
            ha="right" if i < 2 else "center",
        )
    ax.set(xlim=(-1.3, 4.2), ylim=(-0.5, 2.5), title=titles[step])
    ax.set_axis_off()
    return fig


def describe_step(step):
    said = {"start": H_four, "message": H_four @ W_four, "sum": sums}
    values = said.get(step, torch.relu(sums))[:, 0].tolist()
    told = ", ".join(f"{value:.2f}" for value in values)
    arrows = " Arrows lead to node 2 with 1.73, 0.00 and −1.41." * (step == "message")
    return f"Four nodes, the step {step}: nodes 0 to 3 show {told}.{arrows}"


display.slider(
    draw_step,
    ["start", "message", "sum", "update"],
    label="step",
    alt=describe_step,
    caption="One layer in its three steps. Nodes 0 and 1 begin with 3 and 0 and end "
    "with the same number, since they hear the same nodes with the same factors.",
    start="message",
)

# %% [markdown]
# A message along each edge, a sum at each node, an update: that is {term}`message passing`. The rest of the chapter
# asks why it must look like this, what it can reach, and what it cannot.
#
# ## What it is good for
#
# A stack of such layers turns the features of each node into an embedding $h_i$ that knows its surroundings. What you
# ask of it decides what comes on top:
#
# | you ask about | on top of the layers | one real example |
# |---|---|---|
# | a node | a classifier of $h_i$ | the subject of a paper, from whom it cites {cite}`kipf2017gcn` |
# | an edge | a score of the pair, such as $h_i^\top h_j$ | what to recommend next to a reader {cite}`ying2018pinsage` |
# | a graph | a sum $\sum_i h_i$ over all nodes | the energy of a molecule {cite}`gilmer2017mpnn` |
#
# This chapter trains on the first kind, the communities of the club, and {doc}`molecule_networks` on the last.
#
# ## Two numberings, in symbols
#
# Let row $i$ of $H \in \mathbb{R}^{N \times d}$ be $h_i^\top$, the $d$ features of node $i$. The
# {term}`adjacency matrix` $A \in \{0, 1\}^{N \times N}$ says in row $i$ from whom node $i$ hears: $A_{ij} = 1$ if an
# edge runs from $j$ to $i$. PyG {cite}`fey2019pyg` keeps edges as a list `edge_index`, sources over targets. A
# friendship stands there twice, once per direction, so $A = A^\top$; and there are no self-loops, so $A_{ii} = 0$.
#
# Number the {glue:text}`gnn-mp-nodes` members with their {glue:text}`gnn-mp-friendships` friendships anew, so that new
# node $i$ is old node $\pi(i)$. With the permutation matrix $P$ that has $P_{i,\pi(i)} = 1$ and zeros elsewhere,
#
# $$
# \begin{aligned}
# H &\mapsto P H , & (P H)_{ic} &= H_{\pi(i)\,c} , \\
# A &\mapsto P A P^\top , & (P A P^\top)_{ij} &= A_{\pi(i)\,\pi(j)} .
# \end{aligned}
# $$ (def-gnn-relabelling)
#
# A layer $F$ maps the pair $(A, H)$ to new features, one row per node. It does not read the names if relabelling first
# and then applying $F$ is the same as applying $F$ and then relabelling. Such a layer is
# {term}`permutation equivariant <permutation equivariance>`: for every graph $A$ and every permutation matrix $P$
#
# $$
# F(P A P^\top, P H) = P\, F(A, H) .
# $$ (def-gnn-equivariant)


# %%
def adjacency(edge_index, num_nodes):
    source, target = edge_index
    A = torch.zeros(num_nodes, num_nodes)
    A[target, source] = 1
    return A


def relabelling(num_nodes):
    return torch.eye(num_nodes)[torch.randperm(num_nodes)]  # the rows of I, mixed


A = adjacency(edge_index, N)  # [N, N]
P = torch.eye(N)[order]  # [N, N]
A_relabelled = P @ A @ P.T  # [N, N]


# %% tags=["hide-input"]
def draw_adjacencies():
    figures, axes = display.panels((3.3, 3.4), (3.3, 3.4))
    titles = ("$A$", r"$P A P^\top$")
    for ax, matrix, title in zip(axes, (A, A_relabelled), titles, strict=True):
        i, j = matrix.nonzero().T
        ax.plot(j, i, linestyle="none", marker="s", markersize=3.6)
        ax.set(xlim=(-1, N), ylim=(N, -1), aspect="equal", title=title)
        ax.set(xlabel="from node $j$", ylabel="to node $i$")
    return figures


display.show(
    draw_adjacencies(),
    alt="Two adjacency matrices of the karate club as patterns of cells, one in "
    "Zachary's numbering with long rows of cells for the two leaders, at the first "
    "and last nodes, one in a random numbering where the cells look scattered.",
    caption="The same two numberings as matrices: what looks like order in the first "
    "is a choice of numbers.",
)
display.glue("gnn-mp-nodes", f"{N}")
display.glue("gnn-mp-friendships", f"{edge_index.shape[1] // 2}")

# %% [markdown]
# ## What survives a relabelling
#
# How much freedom does {eq}`def-gnn-equivariant` leave? Forget the edges for a moment, and give each of $N \ge 2$ nodes
# a single number, $h \in \mathbb{R}^N$. A linear layer is a matrix, $h \mapsto M h$, with $N^2$ weights. Equivariant
# means $M P h = P M h$ for all $h$ and $P$, so $M P = P M$, and with $P^{-1} = P^\top$ this is $P M P^\top = M$: entry
# by entry, $M_{\pi(i)\,\pi(j)} = M_{ij}$ for all $\pi$. Some permutation takes any node to any other, so all diagonal
# entries are equal. Some permutation takes any pair of different nodes to any other pair, so all other entries are
# equal too. Of $N^2$ weights **two** are left, $M = a I + b\,(\mathbf{1}\mathbf{1}^\top - I)$: one for yourself, one
# for everybody else {cite}`zaheer2017deepsets`. And each such $M$ will do, because $P I P^\top = I$ and
# $P \mathbf{1} = \mathbf{1}$.
#
# You can watch it happen. Average $P M P^\top$ over all $N!$ relabellings, for any $M$ whatever. The average is
# equivariant (another relabelling only permutes its terms), so it has that form, and two numbers that no relabelling
# changes give $a$ and $b$: the trace is $N a$, the sum of all entries $N a + N (N - 1)\, b$. Hence, for $N \ge 2$,
#
# $$
# \begin{gathered}
# \frac{1}{N!} \sum_P P M P^\top = a I + b\,(\mathbf{1}\mathbf{1}^\top - I) , \\
# a = \frac{\operatorname{tr} M}{N} , \quad
# b = \frac{\mathbf{1}^\top M \mathbf{1} - \operatorname{tr} M}{N (N - 1)} .
# \end{gathered}
# $$ (eq-gnn-shared-weights)


# %%
def average_over_relabellings(M):
    I, orders = torch.eye(len(M)), itertools.permutations(range(len(M)))
    return torch.stack([I[list(p)] @ M @ I[list(p)].T for p in orders]).mean(dim=0)


def two_weights(M):
    n, I = len(M), torch.eye(len(M))
    a, b = M.trace() / n, (M.sum() - M.trace()) / (n * (n - 1))
    return a * I + b * (torch.ones(n, n) - I)


# %% tags=["check"]
verify.equal(
    "eq-gnn-shared-weights",
    (
        (two_weights(M), average_over_relabellings(M))
        for M in map(torch.randn, (2, 3, 5), (2, 3, 5))
    ),
    atol=1e-12,
    against="the average over all N! relabellings",
)

# %% [markdown]
# A free weight for each pair of nodes would be a weight for a pair of names. This is {term}`weight sharing`, as in a
# convolution, where the symmetry is the shift and one weight is left for each distance: {doc}`equivariance` tells that
# story. Edges bring something back, because a relabelling takes edges to edges: the matrix may now depend on $A$.


# %%
def shared_entries(A):
    """How many symmetries a graph has; and for each entry of a matrix that commutes
    with them the first entry, in reading order, that must be equal to it: [n, n]."""
    n = len(A)
    orders = torch.tensor([*itertools.permutations(range(n))])  # [n!, n]
    moved = A[orders[:, :, None], orders[:, None, :]]  # P A Pᵀ, [n!, n, n]
    kept = orders[(moved == A).all(dim=2).all(dim=1)]
    images = kept[:, :, None] * n + kept[:, None, :]  # of each pair
    return len(kept), images.min(dim=0).values


ring = dense(nx.cycle_graph(6))
one_way = dense(nx.cycle_graph(6, create_using=nx.DiGraph))
lopsided = dense(nx.Graph([(0, 1), (1, 2), (1, 3), (2, 3), (3, 4), (4, 5)]))
sixes = {"all joined": dense(nx.complete_graph(6)), "a ring": ring}
sixes |= {"directed ring": one_way, "lopsided": lopsided}
for name, G in sixes.items():
    symmetries, entry = shared_entries(G)
    print(f"{name}: symmetries {symmetries}, free weights {len(entry.unique())} of 36")


# %% tags=["hide-input"]
def draw_shared():
    figures, axes = display.panels(*[(1.75, 2.0)] * 4)
    letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJ"
    for ax, (name, G) in zip(axes, sixes.items(), strict=True):
        _, number = shared_entries(G)[1].unique(return_inverse=True)
        for i, j in itertools.product(range(6), repeat=2):
            ax.text(j, i, letters[number[i, j]], ha="center", va="center")
        ax.set(xlim=(-0.6, 5.6), ylim=(5.6, -0.6), aspect="equal", title=name)
        ax.set(xticks=[], yticks=[])
        for side in ax.spines.values():
            side.set_visible(True)
    return figures


for k, G in enumerate(sixes.values()):
    display.glue(f"gnn-mp-free-{k}", f"{len(shared_entries(G)[1].unique())}")
display.show(
    draw_shared(),
    alt="Four matrices of 6 by 6 letters, equal letters for equal weights. All joined: "
    "two letters, a on the diagonal and b elsewhere. A ring: four letters, one for "
    "each distance. The directed ring: six. The lopsided graph: 36 different ones.",
    caption="The weights that the symmetries of one graph leave, a letter each. Without "
    "symmetry, nothing is shared.",
)


# %% [markdown]
# :::{admonition} One graph, or all graphs
# Two demands go by the name of equivariance.
#
# *Of one graph.* Where $P A P^\top = A$, the relabelling is a symmetry of the graph (an {term}`automorphism`), and a
# layer on this graph must commute with it. That shares as many weights as the graph has symmetry. Of 36 weights between
# six nodes that all know each other {glue:text}`gnn-mp-free-0` are left, on a ring of six {glue:text}`gnn-mp-free-1`,
# or {glue:text}`gnn-mp-free-2` if its edges lead one way. On a graph of six nodes without any symmetry
# {glue:text}`gnn-mp-free-3` are left: nothing is shared.
#
# *Of one rule for all graphs.* {eq}`def-gnn-equivariant` asks that a rule which makes a matrix $M(A)$ from *any* graph
# makes the relabelled matrix from the relabelled graph. This is what shares weights, between the nodes of a graph and
# between graphs, and a GNN is such a rule. Many obey,
#
# $$
# M(P A P^\top) = P\, M(A)\, P^\top :
# $$ (eq-gnn-rules)
#
# $I$, $A$, $A^2$, the degrees $\operatorname{diag}(A \mathbf{1})$, and all sums and products of these. To take
# $a I + b A$ alone is a choice, twice over: *locality* (nothing passes where there is no edge, so no $A^2$) and *equal
# edges* (no weights by degree, say). It is a good one, and not the only one; the graph convolution below weighs by
# degree. {doc}`equivariance` counts on.
# :::


# %%
rules = (
    torch.ones_like,
    lambda G: torch.eye(len(G)),
    lambda G: G,
    lambda G: G @ G,
    lambda G: torch.diag(G.sum(dim=1)),
    lambda G: gcn_norm(G),
)


# %% tags=["hide-input"]
def draw_rules():
    figures, axes = display.panels(*[(2.25, 2.5)] * 3)
    shown = {"$A$": A_four, "$A^2$": A_four @ A_four, r"$\hat A$": A_hat_four}
    for ax, (name, M) in zip(axes, shown.items(), strict=True):
        for i, j in itertools.product(range(4), repeat=2):
            words = f"{M[i, j]:.2f}" if name == r"$\hat A$" else f"{M[i, j]:.0f}"
            ax.text(j, i, words, ha="center", va="center")
        ax.set(xlim=(-0.6, 3.6), ylim=(3.6, -0.6), aspect="equal", title=name)
        ax.set(xticks=range(4), yticks=range(4))
        ax.grid(False)
    return figures


display.show(
    draw_rules(),
    alt="Three matrices for the four-node graph. A: ones at its edges. A squared: the "
    "degrees 2, 2, 3, 1 on the diagonal, and ones where nodes share a friend, between 0 "
    "and 3 too. Â: zero at 0 and 3, else factors from 0.25 to 0.50.",
    caption="Three rules on the graph of the napkin. The second passes from node 0 to "
    "node 3, which no edge joins; the third weighs edges differently.",
)


# %% tags=["check"]
def cases():
    for G in (ring, lopsided, A):
        P = relabelling(len(G))
        yield torch.equal(P @ G @ P.T, G), False  # it did rename the nodes
        for rule in rules:
            yield rule(P @ G @ P.T), P @ rule(G) @ P.T


verify.equal("eq-gnn-rules", cases(), atol=1e-12, against="relabelling afterwards")

# %% [markdown]
# With $d$ features per node, the two numbers $a$ and $b$ become two matrices, and a non-linearity follows:
# $\sigma(H W_0 + A H W_1)$. It is equivariant term by term, $P A P^\top P H W_1 = P A H W_1$.
#
# ## The layer
#
# The *graph convolutional network* (GCN) of Kipf and Welling {cite}`kipf2017gcn` takes $W_0 = W_1 = W$: a node treats
# itself as one of its neighbours. That is a {term}`self-loop` on each node,
#
# $$
# \tilde A = A + I .
# $$ (def-gnn-self-loops)
#
# A sum over neighbours grows with their number, so the layer scales it down by the {term}`degree` of $\tilde A$,
# which counts the node itself and is never zero:
#
# $$
# \begin{gathered}
# \tilde d_i = \sum_j \tilde A_{ij} = 1 + \sum_j A_{ij} , \\
# \tilde D = \operatorname{diag}(\tilde d_0, \dots, \tilde d_{N-1}) .
# \end{gathered}
# $$ (def-gnn-degree)
#
# Half of the scaling is done where a message leaves, half where it arrives:
#
# $$
# \hat A = \tilde D^{-1/2}\, \tilde A\, \tilde D^{-1/2} .
# $$ (def-gnn-propagation)
#
# The layer mixes the rows of $H \in \mathbb{R}^{N \times d}$ with $\hat A$ and its columns with
# $W \in \mathbb{R}^{d \times d'}$, the same for all nodes:
#
# $$
# F(A, H) = \sigma\big( \hat A\, H\, W \big) ,
# $$ (def-gnn-layer)
#
# where $\sigma$ acts on each entry alone. We take $\sigma = \operatorname{ReLU}$.


# %%
def propagation_matrix(A):
    A_tilde = A + torch.eye(len(A))  # [N, N]
    d_tilde = A_tilde.sum(dim=1)  # [N]
    D_inv_sqrt = torch.diag(d_tilde**-0.5)  # [N, N]
    return D_inv_sqrt @ A_tilde @ D_inv_sqrt


def gcn_layer(A, H, W):
    return torch.relu(propagation_matrix(A) @ H @ W)  # [N, d_out]


# %% tags=["hide-input"]
def draw_who_cares():
    fig, ax = plt.subplots(figsize=(4.2, 3.4))
    H = torch.randn(N, 1)
    pairs = torch.randn(N, N) / N**0.5  # a weight for each pair of numbers
    W = torch.eye(1)
    layers = {"a weight per pair": lambda A, H: torch.relu(pairs @ H)}
    layers["GCN"] = lambda A, H: gcn_layer(A, H, W)
    for name, layer in layers.items():
        back = P.T @ layer(
            A_relabelled, P @ H
        )  # each member's output, in its old place
        ax.plot(layer(A, H)[:, 0], back[:, 0], linestyle="none", label=name)
    ax.set(xlabel="output, first numbering", ylabel="output, second numbering")
    ax.legend()
    return fig


display.show(
    draw_who_cares(),
    alt="Each member's output under the second numbering against its output under the "
    "first. The outputs of the GCN lie on the diagonal, those of a layer with a weight "
    "per pair of numbers are scattered.",
    caption="The two numberings of the first picture, through two layers. The GCN gives "
    "each member the same output in both.",
)


# %% [markdown]
# Does it read names? Follow a relabelling through the definitions.
#
# 1. $\tilde A$ becomes $P A P^\top + I = P (A + I) P^\top = P \tilde A P^\top$, because $P P^\top = I$.
# 2. Its row sums are those of $\tilde A$ in the new order, so $\tilde D$ becomes $P \tilde D P^\top$, again diagonal,
#    and $\tilde D^{-1/2}$ becomes $P \tilde D^{-1/2} P^\top$.
# 3. Multiply the three, and the inner $P^\top P = I$ cancel: $\hat A$ becomes $P \hat A P^\top$, and $\hat A H W$
#    becomes $P \hat A P^\top P H W = P \hat A H W$.
# 4. $\sigma$ acts on each entry alone and does not care in which row it stands, $\sigma(P X) = P \sigma(X)$. So
#
# $$
# \begin{aligned}
# F(P A P^\top, P H) &= \sigma(P \hat A H W) \\
# &= P\, F(A, H) .
# \end{aligned}
# $$ (eq-gnn-layer-equivariance)
#
# The check tries random graphs, among them one without any edge and one with a single node.


# %%
graphs = assorted()  # random ones, and the club


# %% tags=["check"]
def cases():
    moved = 0
    for G in graphs:
        P, H, W = relabelling(len(G)), torch.randn(len(G), 3), torch.randn(3, 5)
        moved += not torch.equal(P @ H, H)
        yield gcn_layer(P @ G @ P.T, P @ H, W), P @ gcn_layer(G, H, W)
    yield moved >= len(graphs) - 2, True  # most were renamed; a single node cannot be


verify.equal(
    "eq-gnn-layer-equivariance", cases(), atol=1e-12, against="relabelling afterwards"
)

# %% [markdown]
# The weights $W$ appear on both sides unchanged: one $W$ serves every numbering of a graph, and every graph of any
# size. A stack of such layers is equivariant too.
#
# ## Node by node
#
# A matrix product hides who talks to whom. Multiplying by a diagonal matrix from the left scales rows, from the right
# columns, so one entry of {eq}`def-gnn-propagation` is
#
# $$
# \hat A_{ij} = \frac{\tilde A_{ij}}{\sqrt{\tilde d_i\, \tilde d_j}} .
# $$ (eq-gnn-entries)
#
# Row $i$ of $\hat A H W$ is $\sum_j \hat A_{ij}\, h_j^\top W$, in which only $j = i$ and the neighbours
# $j \in \mathcal{N}(i)$ have $\tilde A_{ij} \neq 0$, and there it is 1. As a column, $(h_j^\top W)^\top = W^\top h_j$:
#
# $$
# h_i' = \sigma\Bigg( \sum_{j \in \mathcal{N}(i) \cup \{i\}}
# \frac{1}{\sqrt{\tilde d_i\, \tilde d_j}}\, W^\top h_j \Bigg) .
# $$ (eq-gnn-node-form)
#
# Both degrees are those of $\tilde A$. The cell writes the sum as the loops that it says, with neighbours and degrees
# from the graph library networkx.


# %% tags=["hide-input"]
def draw_factors():
    fig, ax = plt.subplots(figsize=(4.2, 3.0))
    for listener in (16, 8, 0):
        friends = A[listener].nonzero().flatten()
        degree = 1 + A[friends].sum(dim=1)
        order = degree.argsort()
        factor = propagation_matrix(A)[listener, friends]
        ax.plot(degree[order], factor[order], label=f"member {listener} listens")
    ax.set(xlabel=r"degree $\tilde d_j$ of the friend", ylabel=r"factor $\hat A_{ij}$")
    ax.set(ylim=(0, None))
    ax.legend()
    return fig


display.show(
    draw_factors(),
    alt="Three falling curves, one per listener: the factor of a friend against the "
    "friend's degree. The curve of member 16, who has two friends, is highest, that of "
    "member 0, who has sixteen, lowest.",
    caption="Of two friends the one with fewer friends counts more, and who has many "
    "friends hears each of them less.",
)


# %%
def entries(G):
    d_tilde = 1 + G.sum(dim=1)
    return (G + torch.eye(len(G))) / (d_tilde[:, None] * d_tilde).sqrt()


def node_form(G, H, W):
    graph = nx.from_numpy_array(G.numpy())
    d_tilde = [graph.degree[i] + 1 for i in graph]
    rows = []
    for i in graph:
        m = torch.zeros(W.shape[1])
        for j in [*graph.neighbors(i), i]:
            m += W.T @ H[j] / math.sqrt(d_tilde[i] * d_tilde[j])  # [d_out]
        rows.append(torch.relu(m))
    return torch.stack(rows)  # [N, d_out]


# %% tags=["check"]
verify.equal(
    "eq-gnn-entries",
    ((entries(G), propagation_matrix(G)) for G in graphs),
    atol=1e-12,
    against="the product of the three matrices",
)


# %% tags=["check"]
def cases():
    for G in graphs:
        H, W = torch.randn(len(G), 3), torch.randn(3, 5)
        yield node_form(G, H, W), gcn_layer(G, H, W)


verify.equal("eq-gnn-node-form", cases(), atol=1e-12, against="the layer's matrices")

# %% [markdown]
# ## Message, sum, update
#
# {eq}`eq-gnn-node-form` is one of a large family {cite}`gilmer2017mpnn`. Each node sends a message $\psi$ along each of
# its edges, each node puts together what arrives in a way that does not depend on the order (a sum, a mean, a maximum:
# $\bigoplus$), and updates itself with it:
#
# $$
# \begin{aligned}
# m_i &= \bigoplus_{j \in \mathcal{N}(i) \cup \{i\}} \psi(h_i, h_j, x_{ij}) , \\
# h_i' &= \varphi(h_i, m_i) .
# \end{aligned}
# $$ (def-gnn-message-passing)
#
# Here $x_{ij}$ is what is known of the edge itself: the kind of a bond, or, in the GCN, the degrees of its two ends,
# $x_{ij} = (\tilde d_i, \tilde d_j)$.
# The functions $\psi$ and $\varphi$ are the same for all edges and all nodes: that is the weight sharing.
#
# | step | in general | in the GCN |
# |---|---|---|
# | message from $j$ to $i$ | $\psi(h_i, h_j, x_{ij})$ | $W^\top h_j / \sqrt{\tilde d_i\, \tilde d_j}$ |
# | put together | $\bigoplus$ | sum over the neighbours and the node itself |
# | update | $\varphi(h_i, m_i)$ | $\sigma(m_i)$ |
#
# On an edge list it takes one line per step. List the edges with the loops, $s_e \to t_e$ for
# $e = 0, \dots, E + N - 1$, and gather the messages by their target:
#
# $$
# \big[\hat A H W\big]_{i:} = \sum_{e \,:\, t_e = i}
# \frac{1}{\sqrt{\tilde d_{s_e}\, \tilde d_{t_e}}}\, \big[H W\big]_{s_e:} .
# $$ (eq-gnn-edge-form)
#
# PyG's `GCNConv` is the implementation that you will meet in practice, and `GraphConvolution` is ours, from
# `helpers.gnn.layers`. With the same weights, and a bias $b$ added to each row,
#
# $$
# \begin{aligned}
# \texttt{GCNConv}(H) &= \texttt{GraphConvolution}(H) \\
# &= \hat A H W + \mathbf{1} b^\top
# \end{aligned}
# $$ (eq-gnn-gcnconv)
#
# on undirected graphs without self-loops. On others PyG has to choose: {doc}`/appendix/pyg` says what.


# %% tags=["hide-input"]
def draw_gathering():
    fig, ax = plt.subplots(figsize=(4.2, 3.4))
    places = {("from", i): (0, 3 - i) for i in range(4)}
    places |= {("to", i): (3, 3 - i) for i in range(4)}
    pairs = A_four.nonzero().tolist()
    drawing.arrows(ax, places, [(("from", j), ("to", i)) for i, j in pairs])
    loops = [(("from", i), ("to", i)) for i in range(4)]
    drawing.arrows(ax, places, loops, display.COLORS[1], 1.4, "--")
    drawing.nodes(ax, places, label=lambda node: str(node[1]))
    for x, words in ((0, "source $s_e$"), (3, "target $t_e$")):
        ax.text(x, 3.6, words, ha="center")
    ax.set(xlim=(-0.8, 3.8), ylim=(-0.4, 3.9))
    ax.set_axis_off()
    return fig


display.show(
    draw_gathering(),
    alt="The four-node graph as a list: sources 0 to 3 on the left, targets 0 to 3 on "
    "the right, eight solid arrows for the edges, both ways, and four dashed ones from "
    "each node to itself. Four arrows arrive at target 2.",
    caption="The list of the four nodes: eight edges, four loops (dashed). Where arrows "
    "meet, messages are added up.",
)


# %%
def gcn_edges(edge_index, H, W):
    loops = torch.arange(len(H)).expand(2, -1)
    source, target = torch.cat([edge_index, loops], dim=1)  # [E + N] each
    d_tilde = torch.bincount(target)  # [N]
    norm = (d_tilde[source] * d_tilde[target]) ** -0.5  # [E + N]
    messages = norm[:, None] * (H @ W)[source]  # [E + N, d_out]
    out = torch.zeros(len(H), W.shape[1])  # [N, d_out]
    return out.index_add(0, target, messages)  # the sum, by target


def with_the_same_weights():
    ours, theirs = GraphConvolution(3, 5, bias=True), GCNConv(3, 5)
    torch.nn.init.normal_(ours.bias)
    theirs.lin.weight.data = ours.weight.data.T.clone()  # PyG keeps Wᵀ
    theirs.bias.data = ours.bias.data.clone()
    return ours, theirs


# %% tags=["hide-input"]
display.glue("gnn-mp-dense", f"{N * N:,}")
display.glue("gnn-mp-sparse", f"{edge_index.shape[1] + N}")


# %% tags=["check"]
def cases():
    for G in graphs:
        H, W = torch.randn(len(G), 3), torch.randn(3, 5)
        yield gcn_edges(G.nonzero().T, H, W), propagation_matrix(G) @ H @ W


verify.equal("eq-gnn-edge-form", cases(), atol=1e-12, against="the dense matrices")


# %% tags=["check"]
def cases():
    for G in graphs:
        H, edges = torch.randn(len(G), 3), G.nonzero().T
        ours, theirs = with_the_same_weights()
        by_matrices = propagation_matrix(G) @ H @ ours.weight + ours.bias
        yield by_matrices, theirs(H, edges)
        yield ours(H, edges), theirs(H, edges)


verify.equal("eq-gnn-gcnconv", cases(), atol=1e-12, against="PyG's GCNConv")

# %% [markdown]
# What did the list save? For each output feature, $\hat A$ costs $N^2$ multiplications as a matrix and $E + N$ as a
# list: {glue:text}`gnn-mp-dense` against {glue:text}`gnn-mp-sparse` for the club. People do not have more friends
# where there are more people: $E$ grows like $N$ and not like $N^2$, and on large graphs only the list will do.


# %% tags=["hide-input"]
def draw_costs():
    fig, ax = plt.subplots(figsize=(4.2, 2.8))
    sizes = np.array([34, 100, 1_000, 10_000, 100_000, 1_000_000])
    per_member = edge_index.shape[1] / N
    ax.loglog(sizes, sizes**2.0, label="matrix: $N^2$")
    ax.loglog(sizes, (per_member + 1) * sizes, label="list: $E + N$")
    ax.set(xlabel="nodes $N$", ylabel="multiplications")
    ax.legend()
    return fig


display.show(
    draw_costs(),
    alt="Multiplications against the number of nodes, both on logarithmic axes: the "
    "matrix rises twice as steeply as the list, and is far above it at a million nodes.",
    caption="Clubs of all sizes whose members have as many friends as in this one.",
)

# %% [markdown]
# ## Four labels
#
# The club's nodes come in four communities, found from the edges alone as groups that are dense inside
# {cite}`kipf2017gcn`. One member of each is labelled. Guess the rest: *semi-supervised* learning, since the network
# sees all the edges and few of the labels. There are no features, so each node gets its own name, as a one-hot vector:
# $H = I$. That is within the rules: a relabelling permutes the rows of $H$ as well, so each member keeps the name it
# has, and the *layer* is equivariant.
#
# What does a network without edges make of it, a multilayer perceptron (MLP) for each node by itself? With $\hat A = I$
# the first layer is $H W^{(0)} = W^{(0)}$: the output of node $i$ depends on row $i$ of $W^{(0)}$ and on no other, and
# the loss looks only at labelled nodes. So for each node $j$ without a label
#
# $$
# \frac{\partial\, \text{loss}}{\partial W^{(0)}_{j:}} = 0 .
# $$ (eq-gnn-no-gradient)
#
# The MLP learns nothing about them. With edges, each labelled node hears from all within two hops, and the gradient
# reaches their rows.

# %%
y, labelled = club.y, club.train_mask  # [N] each
num_classes, hidden = int(y.max()) + 1, 16
A_hat = propagation_matrix(A)  # [N, N]


def network(A_hat, weights):
    """Layers on H = I, without ReLU after the last; one W is [..., d_in, d_out]."""
    H = torch.eye(len(A_hat))
    for W in weights[:-1]:
        H = torch.relu(A_hat @ H @ W)
    return A_hat @ H @ weights[-1]  # scores [..., N, classes]


def loss(scores):
    """Mean cross-entropy over the labelled nodes, of shape [...]."""
    return -scores.log_softmax(dim=-1)[..., labelled, y[labelled]].mean(dim=-1)


def first_gradient(A_hat, width):
    """Of the loss by W⁽⁰⁾, at random weights: a row per node, [N, width]."""
    weights = [glorot(N, width).requires_grad_(), glorot(width, num_classes)]
    (gradient,) = torch.autograd.grad(loss(network(A_hat, weights)), weights[0])
    return gradient


def train(A_hat, num_seeds, steps=200, lr=0.01):
    """Two layers from so many random starts at once: scores [S, N, classes]."""
    shapes = (N, hidden), (hidden, num_classes)
    weights = [glorot(num_seeds, *shape).requires_grad_() for shape in shapes]
    optimizer = torch.optim.Adam(weights, lr=lr)  # it treats each entry by itself
    for _ in range(steps):
        optimizer.zero_grad()
        loss(network(A_hat, weights)).sum().backward()  # no term mixes two seeds
        optimizer.step()
    return network(A_hat, weights).detach()


def accuracy(scores):
    """On the members without a label, of shape [...]."""
    return (scores.argmax(dim=-1) == y)[..., ~labelled].double().mean(dim=-1)


num_seeds = {"smoke": 20, "full": 100}[profile]
gcn_scores = train(A_hat, num_seeds)
gcn, mlp = accuracy(gcn_scores), accuracy(train(torch.eye(N), num_seeds))

# Edges without weights: spread the labels themselves, over the same two hops.
Y = torch.eye(num_classes)[y] * labelled[:, None]  # [N, classes]
spread_labels = accuracy(A_hat @ A_hat @ Y)

# %% tags=["hide-input", "nbval-ignore-output"]
largest_class = y[~labelled].bincount().max() / (~labelled).sum()
reached = (first_gradient(A_hat, hidden) != 0).any(dim=1)  # with edges, [N]
display.glue("gnn-mp-moved", f"{int(reached.sum())}")
display.glue("gnn-mp-unlabelled", f"{int((~labelled).sum())}")
display.glue("gnn-mp-seeds", f"{num_seeds}")
display.glue("gnn-mp-gcn", f"{gcn.mean():.0%} ± {gcn.std():.0%}")
display.glue("gnn-mp-gcn-range", f"{gcn.min():.0%} to {gcn.max():.0%}")
display.glue("gnn-mp-mlp", f"{mlp.mean():.0%} ± {mlp.std():.0%}")
display.glue("gnn-mp-labels", f"{spread_labels:.0%}")
display.glue("gnn-mp-largest-class", f"{largest_class:.0%}")


# %% tags=["check"]
def cases():
    for width in (4, hidden, 100):
        gradient = first_gradient(torch.eye(N), width)[~labelled]
        yield torch.zeros_like(gradient), gradient


verify.equal("eq-gnn-no-gradient", cases(), against="autograd")

# %% tags=["hide-input", "nbval-ignore-output"]
predicted = gcn_scores[0].argmax(dim=-1)


def draw_communities():
    figures, (left, right) = display.panels((3.7, 3.7), (3.1, 3.7))
    drawing.edges(left, layout, club_graph.edges)
    for c, (marker, size) in enumerate((("o", 11), ("s", 10), ("D", 9.5), ("^", 12))):
        for known, correct in itertools.product((False, True), repeat=2):
            chosen = (y == c) & (labelled == known) & ((predicted == c) == correct)
            nodes = chosen.nonzero().flatten().tolist()
            hue = display.COLORS[c] if correct else None
            style = dict(marker=marker, size=size, outline=2.4 if known else 0.8)
            drawing.nodes(left, layout, nodes, hue, **style)
    left.set_title("one seed")
    left.set_axis_off()
    rng = np.random.default_rng(0)
    for row, values in enumerate((gcn, mlp)):
        jitter = rng.uniform(-0.25, 0.25, num_seeds)  # so that equal values do not hide
        right.plot(values, row + jitter, linestyle="none")
    right.axvline(spread_labels, color=display.COLORS[2], linestyle="--")
    beside = dict(xytext=(-4, 0), textcoords="offset points")
    right.annotate("labels alone", (spread_labels, 1.45), ha="right", **beside)
    right.set(xlim=(0, 1), xlabel="accuracy")
    right.set(ylim=(-0.6, 1.7), yticks=[0, 1], yticklabels=["GCN", "no\nedges"])
    right.set_title(f"{num_seeds} seeds")
    return figures


display.show(
    draw_communities(),
    alt="Left, the club with one shape per community: "
    f"{int((predicted == y).sum())} nodes are filled, as they are predicted "
    f"rightly, {int((predicted != y).sum())} are empty, as they are not; the four "
    f"labelled ones have thick outlines. Right, accuracies: GCN near {gcn.mean():.2f}, "
    f"no edges near {mlp.mean():.2f}, labels alone at {spread_labels:.2f}.",
    caption="What one trained GCN makes of the club, and how often three ways are "
    "right about the members without a label: a point for each seed, and a line for "
    "labels that spread along edges.",
)

# %% [markdown]
# Shapes are the true communities; filled nodes are predicted rightly, empty ones wrongly; the labelled four have
# thick outlines. The gradient reached {glue:text}`gnn-mp-moved` of the {glue:text}`gnn-mp-nodes` members. Over
# {glue:text}`gnn-mp-seeds` seeds the GCN gets {glue:text}`gnn-mp-gcn` of the other {glue:text}`gnn-mp-unlabelled`
# members right (mean and standard deviation, from {glue:text}`gnn-mp-gcn-range`). Without edges it is
# {glue:text}`gnn-mp-mlp`, about what guessing gives, and less than always naming the largest community
# ({glue:text}`gnn-mp-largest-class`).
#
# The dashed line has edges and no trained weight: put a 1 for each labelled node into the column of its community, in
# $Y \in \mathbb{R}^{N \times 4}$, and take the largest entry in each row of $\hat A^2 Y$. It gets
# {glue:text}`gnn-mp-labels`. These communities *are* dense groups of edges, so edges alone say most of it, and with
# four labels there is little for weights to learn. Weights pay where nodes have features that mean something: atoms,
# say.

# %% [markdown]
# ## Graphs of any size
#
# $W$ does not know how many nodes there are. One layer takes a molecule of 5 atoms and one of 12, and even both at
# once. Write two graphs as one, with nothing between them: the adjacency matrix is block-diagonal, no message crosses,
# and
#
# $$
# F\Bigg( \begin{bmatrix} A_1 & 0 \\ 0 & A_2 \end{bmatrix}, \begin{bmatrix} H_1 \\ H_2 \end{bmatrix} \Bigg)
# = \begin{bmatrix} F(A_1, H_1) \\ F(A_2, H_2) \end{bmatrix} .
# $$ (eq-gnn-batch)
#
# For an edge list that means: add the number of atoms so far to the indices of the next molecule, and put the lists
# one after the other. This is what a *batch* of graphs is. In the cell, nodes are atoms and their features the element,
# one-hot, in the order H, C, N, O, F.

# %%
known = molecules.from_smiles(
    ["C", "c1ccccc1"]
)  # methane and benzene, as chemists write
methane, benzene = known.batch([0]), known.batch([1])
H_1, H_2 = methane.x.double(), benzene.x.double()  # [5, 5] and [12, 5]
edges_1, edges_2 = methane.edge_index, benzene.edge_index
batch = torch.cat([edges_1, edges_2 + len(H_1)], dim=1)  # [2, E_1 + E_2]


# %% tags=["hide-input"]
def draw_molecules():
    figures, axes = display.panels((2.4, 2.7), (3.4, 2.7))
    shown = ("methane", edges_1, H_1), ("benzene", edges_2, H_2)
    for ax, (name, edges, H) in zip(axes, shown, strict=True):
        bonds = nx.Graph(edges.T.tolist())
        places = nx.kamada_kawai_layout(bonds)
        drawing.edges(ax, places, bonds.edges)
        first = 0 if name == "methane" else len(H_1)
        for element, marker, hue in zip((1, 0), "os", display.COLORS, strict=False):
            atoms = H[:, element].nonzero().flatten().tolist()
            label = lambda atom, first=first: str(first + atom)  # noqa: E731
            drawing.nodes(ax, places, atoms, hue, label, marker)
        ax.set(title=name, aspect="equal")
        ax.set_axis_off()
    return figures


display.show(
    draw_molecules(),
    alt="Methane, one carbon, a circle numbered 0, between four hydrogens, squares "
    "numbered 1 to 4; benzene, a ring of six carbons numbered 5 to 10, with one "
    "hydrogen on each, numbered 11 to 16.",
    caption="A batch of two molecules: one graph with 17 nodes, in two pieces, for a "
    "layer that does not count them.",
)


# %% tags=["check"]
def cases():
    H = torch.cat([H_1, H_2])
    A_1, A_2 = adjacency(edges_1, len(H_1)), adjacency(edges_2, len(H_2))
    for d in (1, 4, 9):
        layer = GraphConvolution(H.shape[1], d)
        W = layer.weight
        apart = torch.cat([gcn_layer(A_1, H_1, W), gcn_layer(A_2, H_2, W)])
        yield torch.relu(layer(H, batch)), apart
        yield gcn_layer(torch.block_diag(A_1, A_2), H, W), apart


verify.equal("eq-gnn-batch", cases(), atol=1e-12, against="each molecule by itself")

# %% [markdown]
# ## Five layers, side by side
#
# The GCN is one choice of many. The layers that you meet most often are all of one form: node $i$ adds up what its
# neighbours and itself send, with factors $c_{ij}$,
#
# $$
# h_i' = \sum_{j \in \mathcal{N}(i) \cup \{i\}} c_{ij}\, W^\top h_j .
# $$ (eq-gnn-five)
#
# | layer | factor $c_{ij}$ of neighbour $j$ | in PyG |
# |---|---|---|
# | GCN | $1 / \sqrt{\tilde d_i\, \tilde d_j}$ | `GCNConv` |
# | mean | $1 / \tilde d_i$ | `SimpleConv`, after $W$ |
# | GIN {cite}`xu2019gin` | $1$, for the node itself $1 + \varepsilon$ | `GINConv`, with a network in place of $W$ |
# | GAT | softmax over $j$ of $\sigma(a_{\text{dst}}^\top z_i + a_{\text{src}}^\top z_j)$ | `GATConv` |
# | GATv2 | softmax over $j$ of $a^\top \sigma(z_i + z_j)$ | `GATv2Conv` |
#
# with $z_j = W^\top h_j$, the LeakyReLU (slope 0.2 below zero) for $\sigma$, and vectors $a$ that are trained. In the
# first three the graph sets the factors. In graph attention {cite}`velickovic2018gat,brody2022gatv2` the features do;
# {doc}`attention` derives it.


# %%
def softmax_over_neighbours(scores, A):
    absent = A + torch.eye(len(A)) == 0
    return scores.masked_fill(absent, -torch.inf).softmax(dim=1)  # [N, N]


def five_factors(A, Z, epsilon, a_dst, a_src, a):
    """The matrices c [N, N] of the five layers; Z = H W is [N, d], each a is [d]."""
    A_tilde, leaky = A + torch.eye(len(A)), torch.nn.LeakyReLU(0.2)
    gat = leaky((Z @ a_dst)[:, None] + Z @ a_src)
    gatv2 = leaky(Z[:, None] + Z) @ a
    return {
        "GCN": propagation_matrix(A),
        "mean": A_tilde / A_tilde.sum(dim=1, keepdim=True),
        "GIN": A_tilde + epsilon * torch.eye(len(A)),
        "GAT": softmax_over_neighbours(gat, A),
        "GATv2": softmax_over_neighbours(gatv2, A),
    }


# %% tags=["hide-input"]
def answers():
    """What the factors of each layer do, tried on graphs that tell."""
    vectors = 0.5, *torch.randn(3, 4)
    on_club, changed = (five_factors(A, torch.randn(N, 4), *vectors) for _ in range(2))
    hubs = [dense(nx.star_graph(n)) for n in (2, 4)]  # node 0 has n equal neighbours
    heard = [five_factors(G, torch.ones(len(G), 4), *vectors) for G in hubs]
    among_all = five_factors(sixes["all joined"], torch.randn(6, 4), *vectors)
    say = {True: "yes", False: "no"}
    for name, c in on_club.items():
        counts = [tried[name][0].sum() for tried in heard]
        C = among_all[name]
        lead = (C[:, :, None] - C[:, None, :]) > 1e-9  # [i, j, k]: i prefers j to k
        others = itertools.permutations(range(6), 4)
        differ = any(lead[i, j, k] and lead[m, k, j] for i, m, j, k in others)
        yield {
            "layer": name,
            "factors add up to 1": say[torch.allclose(c.sum(dim=1), torch.ones(N))],
            "counts equal neighbours": say[not torch.isclose(*counts).item()],
            "looks at features": say[not torch.allclose(c, changed[name])],
            "ranking depends on the listener": say[bool(differ)],
        }


display.table(answers())


# %% tags=["check"]
def cases():
    for G in graphs:
        H, edges = torch.randn(len(G), 3), G.nonzero().T
        gat, gatv2 = GATConv(3, 4), GATv2Conv(3, 4, share_weights=True, bias=False)
        Z = H @ gat.lin.weight.T
        gcn, linear = GCNConv(3, 4), torch.nn.Linear(3, 4, bias=False)
        gin = GINConv(linear, eps=0.3)
        for matrix in (gcn.lin.weight, linear.weight, gatv2.lin_l.weight):
            matrix.data = gat.lin.weight.data  # one W for all
        mean = SimpleConv(aggr="mean", combine_root="self_loop")
        vectors = gat.att_dst[0, 0], gat.att_src[0, 0], gatv2.att[0, 0]
        c = five_factors(G, Z, 0.3, *vectors)
        yield c["GCN"] @ Z, gcn(H, edges)
        yield c["mean"] @ Z, mean(linear(H), edges)
        yield c["GIN"] @ Z, gin(H, edges)
        yield c["GAT"] @ Z, gat(H, edges)
        yield c["GATv2"] @ Z, gatv2(H, edges)


verify.equal("eq-gnn-five", cases(), atol=1e-12, against="PyG's five layers")

# %% [markdown]
# No row is best. A sum counts and may grow without bound; a mean stays on one scale and cannot count, and an exercise
# below shows what that costs; the GCN stands between them. Attention is a mean that looks before it listens. How far
# such layers carry, and what many of them lose, is the question of {doc}`depth`.
#
# ## What was shown
#
# - If names mean nothing, a layer must commute with relabelling. Of the $N^2$ weights of a linear layer two survive,
#   and edges say where the second may act. One rule for all graphs is what shares the weights.
# - The GCN layer $\sigma(\hat A H W)$ is equivariant. As matrices, node by node and edge by edge it is the same map,
#   and on undirected graphs without loops it is PyG's `GCNConv`.
# - It is message passing: make messages, sum them by target, update. The structure of the graph decides who hears
#   whom, the weights what is said.
# - On the club the edges do the work: without them the network guesses, with them even untrained spreading of the
#   four labels does well.
# - The same weights serve graphs of every size, alone or in a batch.
# - GCN, mean, GIN, GAT and GATv2 differ in the factors of one sum.
#
# ## Exercises

# %% [markdown]
# :::{exercise} Where the structure is
# :label: ex-gnn-message-passing
# Take one layer, $\sigma(\hat A H W)$. (a) Which factor holds the structure of the graph, what exactly of it, and
# what do the others know of it? (b) Read the layer as message passing: what is sent, along what, how is it put
# together, and what does each node do with it?
# :::

# %% [markdown] tags=["solution"]
# :::{solution-start} ex-gnn-message-passing
# :class: dropdown
# :::
# (a) Only $\hat A$ knows the graph. Where $\tilde A_{ij} = 0$ nothing passes from $j$ to $i$; where it is 1, the
# weight is $1/\sqrt{\tilde d_i \tilde d_j}$, so of the structure it holds who is whose neighbour, and how many
# neighbours both ends have. $W$ acts on each row of $H$ alone and $\sigma$ on each entry alone. Replace $\hat A$ by
# $I$, and you have an MLP that is applied to each node by itself.
#
# (b) Node $j$ transforms its features to $W^\top h_j$ and sends them along each of its edges, and to itself by the
# self-loop, scaled by $1/\sqrt{\tilde d_i \tilde d_j}$ for receiver $i$. Each node sums what it receives and applies
# $\sigma$. In matrices: $HW$ makes all messages, multiplication by $\hat A$ delivers and sums them, $\sigma$ updates.
# One layer carries information over one hop, a stack of $k$ layers over $k$ hops.
#
# :::{solution-end}
# :::

# %% [markdown]
# :::{exercise} The weights of an edge list
# :label: ex-gnn-edge-norm
# Write `edge_norm(edge_index, num_nodes)`: the weights of $\hat A$ for an undirected edge list without loops, first
# of the $E$ edges in their order, then of the loops of nodes $0, \dots, N-1$. The result has shape $[E + N]$, and no
# $N \times N$ matrix is needed.
# :::

# %% [markdown] tags=["solution"]
# :::{solution-start} ex-gnn-edge-norm
# :class: dropdown
# :::
# The degree of a node in $\tilde A$ is the number of edges that arrive there, and one for its loop.


# %% tags=["solution"]
def edge_norm(edge_index, num_nodes):
    source, target = edge_index
    d_tilde = 1.0 + torch.bincount(target, minlength=num_nodes)  # [N]
    return torch.cat([(d_tilde[source] * d_tilde[target]).rsqrt(), 1 / d_tilde])


# %% [markdown] tags=["solution"]
# :::{solution-end}
# :::

# %%
exercises.check("gnn/message_passing/edge_norm", edge_norm)

# %% [markdown]
# :::{exercise} What a mean cannot count
# :label: ex-gnn-counting
# One carbon atom is bound to four hydrogens, another to two, and to nothing else. Each atom sends its element as a
# one-hot vector. (a) What do a sum, a mean and a maximum over the neighbours tell the two carbons? (b) Write
# `neighbour_counts(one_hot, edge_index)`: how many neighbours of each kind each node has, $[N, C]$.
# :::

# %% [markdown] tags=["solution"]
# :::{solution-start} ex-gnn-counting
# :class: dropdown
# :::
# (a) The sum says "4 H" and "2 H". The mean says "all H" to both, the maximum "some H" to both: a mean sees
# proportions, a maximum sees which kinds there are, and only a sum counts. It is why sums are the most expressive of
# the three {cite}`xu2019gin`. (b) is the sum itself.


# %% tags=["solution"]
def neighbour_counts(one_hot, edge_index):
    source, target = edge_index
    return torch.zeros_like(one_hot).index_add(0, target, one_hot[source])


# %% [markdown] tags=["solution"]
# :::{solution-end}
# :::

# %%
exercises.check("gnn/message_passing/neighbour_counts", neighbour_counts)

# %% [markdown]
# ## Further reading
#
# - Kipf and Welling {cite}`kipf2017gcn` introduce the layer as a first-order approximation of a spectral filter;
#   {doc}`modes` goes that road.
# - Gilmer and others {cite}`gilmer2017mpnn` bring earlier networks for molecules into one form, name it message
#   passing, and predict the properties of QM9 with it.
