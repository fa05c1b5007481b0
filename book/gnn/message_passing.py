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
# {cite}`zachary1977karate`. Members are nodes, friendships are edges. To store them you must number the members, and
# the numbers mean nothing: member 7 is not more than member 3, nor next to member 8. A convolution may use that one
# pixel lies left of another, a recurrent network that one word comes before another. **What may a layer use, if the
# names of the nodes mean nothing?**
#
# Little, and that settles most of the layer. It shares its weights along every relabelling of the nodes, it sends
# messages along the edges, and $k$ such layers see exactly $k$ hops far.

# %% tags=["parameters"]
profile = "smoke"
seed = 0

# %%
import itertools
import math
import warnings

import matplotlib.pyplot as plt
import networkx as nx
import numpy as np
import torch
from matplotlib.colors import to_rgba
from matplotlib.patches import PathPatch
from matplotlib.path import Path
from matplotlib.transforms import Affine2D
from myst_nb import glue
from rdkit import Chem

warnings.filterwarnings(
    "ignore", "`torch.jit.script` is deprecated"
)  # PyG calls it as it is imported
from torch_geometric.datasets import KarateClub
from torch_geometric.nn import GCNConv

from helpers import data, display, exercises, parameters, verify
from helpers.gnn.layers import GraphConvolution, gcn_norm

parameters.check(globals(), profile=("smoke", "full"), seed=range(2**31))
display.use_book_style()
torch.manual_seed(seed)
torch.set_default_dtype(torch.float64)  # claims are held to 1e-12

# %% [markdown]
# ## A club, numbered twice
#
# The club comes with PyTorch Geometric (PyG for short {cite}`fey2019pyg`) as an edge list `edge_index` of shape
# $[2, E]$: edge $e$ runs from node `edge_index[0, e]` to node `edge_index[1, e]`, and each friendship stands there
# twice, once a direction. Its {term}`adjacency matrix` $A \in \{0, 1\}^{N \times N}$ has $A_{ij} = 1$ where $i$ and
# $j$ are friends. The graph is undirected, so $A = A^\top$, and without self-loops, so $A_{ii} = 0$.

# %%
club = KarateClub()[0]
edge_index = club.edge_index  # [2, E]
N = club.num_nodes


def adjacency(edge_index, num_nodes):
    A = torch.zeros(num_nodes, num_nodes)
    A[edge_index[0], edge_index[1]] = 1
    return A


A = adjacency(edge_index, N)  # [N, N]
glue("gnn-mp-nodes", f"{N}", display=False)
glue("gnn-mp-friendships", f"{edge_index.shape[1] // 2}", display=False)

# %% [markdown]
# That makes {glue:text}`gnn-mp-nodes` nodes and {glue:text}`gnn-mp-friendships` friendships. Let row $i$ of
# $H \in \mathbb{R}^{N \times d}$ hold the features $h_i$ of node $i$. Now number the members anew, so that new node
# $i$ is old node $\pi(i)$. With the permutation matrix $P$ that has $P_{i,\pi(i)} = 1$ and zeros elsewhere,
#
# $$
# H \mapsto P H , \qquad A \mapsto P A P^\top , \qquad\text{that is}\qquad
# (PH)_i = h_{\pi(i)} , \quad (P A P^\top)_{ij} = A_{\pi(i)\,\pi(j)} .
# $$ (def-gnn-relabelling)
#
# Both pictures below are the same club.

# %%
P = torch.eye(N)[torch.randperm(N)]  # the rows of I in a new order

fig, axes = plt.subplots(1, 2, figsize=(6.4, 3.3))
for ax, matrix, title in zip(
    axes, (A, P @ A @ P.T), ("$A$", "$P A P^\\top$"), strict=True
):
    cells = [
        Path.unit_rectangle().transformed(Affine2D().translate(j - 0.5, i - 0.5))
        for i, j in matrix.nonzero()
    ]
    ax.add_patch(
        PathPatch(
            Path.make_compound_path(*cells), facecolor=display.COLORS[0], linewidth=0
        )
    )
    ax.set(
        title=title,
        xlim=(-1, N),
        ylim=(N, -1),
        aspect="equal",
        xlabel="node $j$",
        ylabel="node $i$",
    )
display.show(
    fig,
    alt="Two adjacency matrices of the karate club as patterns of cells, one in Zachary's numbering with long rows of "
    "cells for the two leaders at the first and last nodes, one in a random numbering where the cells look scattered.",
)

# %% [markdown]
# A layer $F$ maps the pair $(A, H)$ to new features, one row a node. It does not read the names if relabelling first
# and then applying $F$ is the same as applying $F$ and then relabelling. Such a layer is called
# {term}`permutation equivariant <permutation equivariance>`:
#
# $$
# F(P A P^\top, P H) = P\, F(A, H) \quad\text{for every permutation matrix } P .
# $$ (def-gnn-equivariant)
#
# ## What survives a relabelling
#
# How much freedom does {eq}`def-gnn-equivariant` leave? Forget the edges for a moment, and give each node a single
# number, $h \in \mathbb{R}^N$. A linear layer is a matrix, $h \mapsto M h$, with $N^2$ weights. Equivariant means
# $M P h = P M h$ for all $h$ and $P$, so $M P = P M$, and with $P^{-1} = P^\top$
#
# $$
# P M P^\top = M , \qquad\text{entry by entry}\qquad M_{\pi(i)\,\pi(j)} = M_{ij} \quad\text{for all } \pi .
# $$
#
# Some permutation takes any node to any other: all diagonal entries are equal. Some permutation takes any pair of
# different nodes to any other such pair: all the other entries are equal too. Of $N^2$ weights **two** are left,
# $M = a I + b\,(\mathbf{1}\mathbf{1}^\top - I)$: one for yourself, one for everybody else {cite}`zaheer2017deepsets`.
# And each such $M$ will do, because $P I P^\top = I$ and $P \mathbf{1} = \mathbf{1}$.
#
# You can watch it happen. Average $P M P^\top$ over all $N!$ relabellings, for any $M$ whatever. The average is
# equivariant (another relabelling only permutes its terms), so it has that form, and two numbers that no relabelling
# changes give $a$ and $b$: the trace is $N a$, the sum of all entries $N a + N (N - 1)\, b$. Hence
#
# $$
# \frac{1}{N!} \sum_P P M P^\top = a I + b\,(\mathbf{1}\mathbf{1}^\top - I) , \qquad
# a = \frac{\operatorname{tr} M}{N} , \quad b = \frac{\mathbf{1}^\top M \mathbf{1} - \operatorname{tr} M}{N (N - 1)} .
# $$ (eq-gnn-shared-weights)

# %%
averages, two_weights = [], []
for n in (2, 3, 5):
    M, I = torch.randn(n, n), torch.eye(n)
    averages.append(
        torch.stack(
            [I[list(p)] @ M @ I[list(p)].T for p in itertools.permutations(range(n))]
        ).mean(dim=0)
    )
    a, b = M.trace() / n, (M.sum() - M.trace()) / (n * (n - 1))
    two_weights.append(a * I + b * (torch.ones(n, n) - I))

verify.equal("eq-gnn-shared-weights", averages, two_weights, atol=1e-12)

# %% [markdown]
# A free weight for each pair of nodes would be a weight for a pair of names. This is weight sharing, as in a
# convolution, where a shift leaves one weight a distance: {doc}`circulant` tells that story. Here the symmetry is
# larger, and fewer weights survive.
#
# Edges bring something back, because a relabelling takes edges to edges. Pairs now come in three kinds: a node with
# itself, a pair with an edge, a pair without. Leave the last kind out, so that nothing passes where there is no edge,
# and a layer is $a I + b A$. With $d$ features a node, the two numbers become two matrices, and a non-linearity
# follows: $\sigma(H W_0 + A H W_1)$. It is equivariant term by term, $P A P^\top P H W_1 = P A H W_1$.
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
# \tilde D = \operatorname{diag}(\tilde d_1, \dots, \tilde d_N) , \qquad
# \tilde d_i = \sum_j \tilde A_{ij} = 1 + \sum_j A_{ij} .
# $$ (def-gnn-degree)
#
# Half of the scaling is done where a message leaves, half where it arrives. The result is the propagation matrix,
# which is symmetric:
#
# $$
# \hat A = \tilde D^{-1/2}\, \tilde A\, \tilde D^{-1/2} .
# $$ (def-gnn-propagation)
#
# The layer mixes rows with $\hat A$ and columns with $W^{(l)} \in \mathbb{R}^{d_l \times d_{l+1}}$, the same for all
# nodes:
#
# $$
# H^{(l+1)} = F(A, H^{(l)}) = \sigma\big( \hat A\, H^{(l)}\, W^{(l)} \big) , \qquad
# H^{(l)} \in \mathbb{R}^{N \times d_l} ,
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


# %% [markdown]
# Does it read names? Follow a relabelling through the definitions, one by one.
#
# 1. $\tilde A$ becomes $P A P^\top + I = P (A + I) P^\top = P \tilde A P^\top$, because $P P^\top = I$.
# 2. Its row sums are those of $\tilde A$ in the new order, $\tilde d_{\pi(1)}, \dots, \tilde d_{\pi(N)}$: $\tilde D$
#    becomes $P \tilde D P^\top$, again diagonal. Taking the power $-\tfrac12$ of each diagonal entry before or after
#    reordering is the same, so $\tilde D^{-1/2}$ becomes $P \tilde D^{-1/2} P^\top$.
# 3. Multiply the three, and the inner $P^\top P = I$ cancel:
#
# $$
# \widehat{P A P^\top} = P \tilde D^{-1/2} P^\top \, P \tilde A P^\top \, P \tilde D^{-1/2} P^\top = P \hat A P^\top .
# $$ (eq-gnn-propagation-relabelled)
#
# 4. So $\hat A H W$ becomes $P \hat A P^\top P H W = P \hat A H W$. And $\sigma$ acts on each entry alone, so it does
#    not care in which row an entry stands, $\sigma(P X) = P \sigma(X)$:
#
# $$
# F(P A P^\top, P H) = \sigma(P \hat A H W) = P\, F(A, H) .
# $$ (eq-gnn-layer-equivariance)
#
# Check both on random graphs, among them one without any edge and one with a single node.


# %%
def random_graph(num_nodes, probability):
    upper = (
        (torch.rand(num_nodes, num_nodes) < probability)
        .triu(diagonal=1)
        .to(torch.get_default_dtype())
    )
    return upper + upper.T


graphs = [
    random_graph(n, p)
    for n, p in ((1, 0.0), (4, 0.0), (6, 0.5), (12, 0.2), (20, 0.1), (30, 0.4))
] + [A]
permutations = [torch.eye(len(G))[torch.randperm(len(G))] for G in graphs]
features = [torch.randn(len(G), 3) for G in graphs]
W = torch.randn(3, 5)

verify.equal(
    "eq-gnn-propagation-relabelled",
    [
        propagation_matrix(P @ G @ P.T)
        for G, P in zip(graphs, permutations, strict=True)
    ],
    [
        P @ propagation_matrix(G) @ P.T
        for G, P in zip(graphs, permutations, strict=True)
    ],
    atol=1e-12,
)
verify.equal(
    "eq-gnn-layer-equivariance",
    [
        gcn_layer(P @ G @ P.T, P @ H, W)
        for G, P, H in zip(graphs, permutations, features, strict=True)
    ],
    [
        P @ gcn_layer(G, H, W)
        for G, P, H in zip(graphs, permutations, features, strict=True)
    ],
    atol=1e-12,
)

# %% [markdown]
# The weights $W$ appear on both sides unchanged: one $W$ serves every numbering of a graph, and every graph of any
# size. Layers after it inherit this, since a composition of equivariant layers is equivariant.
#
# One consequence is worth a moment. If a relabelling changes neither the graph nor the features, $P A P^\top = A$ and
# $P H = H$, then {eq}`eq-gnn-layer-equivariance` reads $F(A, H) = P\, F(A, H)$: nodes that a symmetry exchanges leave
# the layer with the same features, whatever $W$ is. You will see it in [benzene](molecules-of-any-size).
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
# Row $i$ of $\hat A H W$ is then $\sum_j \hat A_{ij}\, h_j^\top W$, in which only $j = i$ and the neighbours
# $j \in \mathcal{N}(i)$ have $\tilde A_{ij} \neq 0$, and there it is 1. Written for columns,
# $h_i \in \mathbb{R}^{d_l}$, the matrix changes sides and is transposed, $(h_j^\top W)^\top = W^\top h_j$:
#
# $$
# h_i^{(l+1)} = \sigma\Bigg( \sum_{j \in \mathcal{N}(i) \cup \{i\}}
# \frac{1}{\sqrt{\tilde d_i\, \tilde d_j}}\, W^{(l)\top} h_j^{(l)} \Bigg) .
# $$ (eq-gnn-node-form)
#
# Both degrees are those of $\tilde A$. With the degrees of $A$ the weights would be others, and a node without
# neighbours would divide by zero. The right-hand side as the loops that it says, its neighbours and degrees asked
# from networkx, against the matrices:


# %%
def node_form(G, H, W):
    graph = nx.from_numpy_array(G.numpy())
    d_tilde = [graph.degree[i] + 1 for i in graph]
    rows = []
    for i in graph:
        z = torch.zeros(W.shape[1])
        for j in [*graph.neighbors(i), i]:
            z += W.T @ H[j] / math.sqrt(d_tilde[i] * d_tilde[j])  # [d_out]
        rows.append(torch.relu(z))
    return torch.stack(rows)  # [N, d_out]


def entries(G):
    d_tilde = 1 + G.sum(dim=1)
    return (G + torch.eye(len(G))) / (d_tilde[:, None] * d_tilde).sqrt()


verify.equal(
    "eq-gnn-entries",
    [propagation_matrix(G) for G in graphs],
    [entries(G) for G in graphs],
    atol=1e-12,
)
verify.equal(
    "eq-gnn-node-form",
    [gcn_layer(G, H, W) for G, H in zip(graphs, features, strict=True)],
    [node_form(G, H, W) for G, H in zip(graphs, features, strict=True)],
    atol=1e-12,
)

# %% [markdown]
# ## Message, aggregate, update
#
# {eq}`eq-gnn-node-form` is one of a large family {cite}`gilmer2017mpnn`. In {term}`message passing`, each node sends
# a message $\psi$ along each of its edges, each node aggregates what arrives in a way that does not depend on the
# order (a sum, a mean, a maximum: $\bigoplus$), and updates itself with it:
#
# $$
# m_i = \bigoplus_{j \in \mathcal{N}(i) \cup \{i\}} \psi(h_i, h_j) , \qquad h_i' = \varphi(h_i, m_i) .
# $$ (def-gnn-message-passing)
#
# The functions $\psi$ and $\varphi$ are the same for all edges and all nodes: that is the weight sharing. The
# structure of the graph enters in one place only, in the set over which $\bigoplus$ runs (and, for the GCN, in the
# degrees). For the GCN
#
# | step | in general | in the GCN |
# |---|---|---|
# | message from $j$ to $i$ | $\psi(h_i, h_j)$ | $\tilde d_i^{-1/2}\, \tilde d_j^{-1/2}\, W^\top h_j$ |
# | aggregate | $\bigoplus$ | sum over the neighbours and the node itself |
# | update | $\varphi(h_i, m_i)$ | $\sigma(m_i)$ |
#
# On an edge list it takes one line a step. List the edges with the loops, $s_e \to t_e$ for $e = 1, \dots, E + N$,
# and gather the messages by their target:
#
# $$
# \big[\hat A H W\big]_i = \sum_{e \,:\, t_e = i}
# \frac{1}{\sqrt{\tilde d_{s_e}\, \tilde d_{t_e}}}\, \big[H W\big]_{s_e} .
# $$ (eq-gnn-edge-form)


# %%
def gcn_edges(edge_index, H, W):
    loops = torch.arange(len(H)).expand(2, -1)
    source, target = torch.cat([edge_index, loops], dim=1)  # [E + N] each
    d_tilde = torch.bincount(target)  # [N]
    norm = (d_tilde[source] * d_tilde[target]) ** -0.5  # [E + N]
    messages = norm[:, None] * (H @ W)[source]  # [E + N, d_out]
    return torch.zeros(len(H), W.shape[1]).index_add(
        0, target, messages
    )  # aggregate: [N, d_out]


verify.equal(
    "eq-gnn-edge-form",
    [propagation_matrix(G) @ H @ W for G, H in zip(graphs, features, strict=True)],
    [gcn_edges(G.nonzero().T, H, W) for G, H in zip(graphs, features, strict=True)],
    atol=1e-12,
)
glue("gnn-mp-dense", f"{N * N:,}", display=False)
glue("gnn-mp-sparse", f"{edge_index.shape[1] + N}", display=False)

# %% [markdown]
# The update, $\sigma$, is left to the caller. What did the list save? For each output feature, $\hat A$ costs $N^2$
# multiplications as a matrix and $E + N$ as a list: {glue:text}`gnn-mp-dense` against {glue:text}`gnn-mp-sparse` for
# the club. The number of friends of a person does not grow with the world, so on large graphs only the list will do.
#
# `helpers.gnn.layers` holds both forms as you have seen them, with errors for graphs that the definition does not
# cover: `gcn_norm(A)` is {eq}`def-gnn-propagation`, and `GraphConvolution` is {eq}`eq-gnn-edge-form` as a module.
# They agree with what was built here:

# %%
convolution = GraphConvolution(in_channels=3, out_channels=5)
for G, H in zip(graphs, features, strict=True):
    torch.testing.assert_close(gcn_norm(G), propagation_matrix(G))
    torch.testing.assert_close(
        convolution(H, G.nonzero().T), gcn_edges(G.nonzero().T, H, convolution.weight)
    )

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
    d_tilde = 1.0 + torch.bincount(edge_index[1], minlength=num_nodes)  # [N]
    return torch.cat(
        [(d_tilde[edge_index[0]] * d_tilde[edge_index[1]]).rsqrt(), 1 / d_tilde]
    )


# %% [markdown] tags=["solution"]
# :::{solution-end}
# :::

# %%
exercises.check("gnn/edge_norm", edge_norm)

# %% [markdown]
# ## Against PyTorch Geometric
#
# PyG's `GCNConv` is the implementation that you will meet in practice. With its weights copied from ours, and a bias
# $b \in \mathbb{R}^{d_{l+1}}$ added to each row,
#
# $$
# \texttt{GraphConvolution}(H) = \hat A H W + \mathbf{1} b^\top = \texttt{GCNConv}(H)
# $$ (eq-gnn-gcnconv)
#
# on undirected graphs without self-loops. The cell holds it to $10^{-12}$, and to $10^{-5}$ in single precision.

# %%
ours, theirs = GraphConvolution(3, 5, bias=True), GCNConv(3, 5)
torch.nn.init.normal_(ours.bias)
theirs.lin.weight.data = ours.weight.data.T.clone()  # PyG keeps Wᵀ
theirs.bias.data = ours.bias.data.clone()

verify.equal(
    "eq-gnn-gcnconv",
    [ours(H, G.nonzero().T) for G, H in zip(graphs, features, strict=True)],
    [theirs(H, G.nonzero().T) for G, H in zip(graphs, features, strict=True)],
    atol=1e-12,
)
ours.float(), theirs.float()
for G, H in zip(graphs, features, strict=True):
    edges = G.nonzero().T
    torch.testing.assert_close(
        ours(H.float(), edges), theirs(H.float(), edges), rtol=0, atol=1e-5
    )

# %% [markdown]
# On other graphs the definition of the layer is silent, and PyG has to choose.
#
# - **Self-loops in the data.** $A + I$ would give such a node $\tilde A_{ii} = 2$. PyG adds missing loops only: an
#   existing one keeps its own weight, here 1.
# - **Direction.** An edge $i \to j$, $A_{ij} = 1$, carries messages from `edge_index[0]`, its source, to
#   `edge_index[1]`, its target. Node $j$ sums over the edges that point at it, so PyG multiplies by the *transpose*.
#   And it takes the degree at the target: column sums, not the row sums of {eq}`def-gnn-degree`.
#
# Together, with $B$ equal to $A$ off the diagonal and 1 on it, PyG multiplies $H$ by
#
# $$
# \hat A_{\text{PyG}} = \tilde D_{\text{in}}^{-1/2}\, B^\top \tilde D_{\text{in}}^{-1/2} , \qquad
# \tilde D_{\text{in}} = \operatorname{diag}\big(B^\top \mathbf{1}\big) .
# $$ (eq-gnn-pyg-conventions)
#
# With $H = I$ and $W = I$ its output is $\hat A_{\text{PyG}}$ itself.


# %%
def pyg_propagation(G):
    identity = GCNConv(len(G), len(G), bias=False)
    identity.lin.weight.data = torch.eye(len(G))
    return identity(torch.eye(len(G)), G.nonzero().T).detach()


def pyg_formula(G):
    B = G.clone().fill_diagonal_(1)
    d_in = B.sum(dim=0)  # column sums
    return B.T / (d_in[:, None] * d_in).sqrt()


directed = [
    (torch.rand(n, n) < 0.3).to(torch.get_default_dtype()) for n in (2, 5, 9, 15)
]  # with loops, too
verify.equal(
    "eq-gnn-pyg-conventions",
    [pyg_propagation(G) for G in directed],
    [pyg_formula(G) for G in directed],
    atol=1e-12,
)
print("one edge, 0 -> 1, and a loop at 0; what PyG multiplies by:")
print(pyg_propagation(torch.tensor([[1.0, 1.0], [0.0, 0.0]])).numpy().round(3))

# %% [markdown]
# Node 0 hears only itself; node 1 hears both. For undirected graphs without loops $B = B^\top = \tilde A$, and all of
# this falls together with {eq}`def-gnn-propagation`. The common mistake is an undirected graph with each edge listed
# once: PyG takes it for a directed one without a word. Ours refuses it:

# %%
try:
    GraphConvolution(2, 2)(torch.eye(2), torch.tensor([[0], [1]]))
except ValueError as error:
    print(error)

# %% [markdown]
# ## Not an average
#
# It is tempting to say that a node takes a weighted average of its neighbours. An average has weights that sum to
# one. Sum row $i$ of {eq}`eq-gnn-entries`:
#
# $$
# \sum_j \hat A_{ij} = \frac{1}{\sqrt{\tilde d_i}} \sum_{j \in \mathcal{N}(i) \cup \{i\}} \frac{1}{\sqrt{\tilde d_j}} .
# $$ (eq-gnn-row-sums)
#
# If all these nodes have the same degree $\tilde d$, there are $\tilde d$ terms and the sum is
# $\tilde d / \tilde d = 1$. If not, there is no reason for it. Take a star, one hub with $n$ leaves:
# $\tilde d = n + 1$ for the hub and 2 for a leaf, so the hub's row sums to
# $\frac{1}{n+1} + \frac{n}{\sqrt{2 (n+1)}}$, which grows like $\sqrt{n/2}$.


# %%
def row_sums(G):
    graph = nx.from_numpy_array(G.numpy())
    scale = [(graph.degree[i] + 1) ** -0.5 for i in graph]
    return torch.tensor(
        [
            scale[i] * (scale[i] + sum(scale[j] for j in graph.neighbors(i)))
            for i in graph
        ]
    )


def star(n):
    return torch.from_numpy(nx.to_numpy_array(nx.star_graph(n)))


verify.equal(
    "eq-gnn-row-sums",
    [propagation_matrix(G).sum(dim=1) for G in [*graphs, star(30)]],
    [row_sums(G) for G in [*graphs, star(30)]],
    atol=1e-12,
)
A_hat = propagation_matrix(A)
glue("gnn-mp-smallest-row", f"{A_hat.sum(dim=1).min():.2f}", display=False)
glue("gnn-mp-largest-row", f"{A_hat.sum(dim=1).max():.2f}", display=False)
glue("gnn-mp-star-row", f"{propagation_matrix(star(30))[0].sum():.2f}", display=False)

# %% [markdown]
# The hub of a star with thirty leaves has the row sum {glue:text}`gnn-mp-star-row`. In the club the rows sum to
# between {glue:text}`gnn-mp-smallest-row` and {glue:text}`gnn-mp-largest-row`: constant features do not stay
# constant. Which features do? Try $\tilde D^{1/2} \mathbf{1}$, whose entries are $\sqrt{\tilde d_i}$. The right half
# of the normalisation cancels, then $\tilde A \mathbf{1} = \tilde D \mathbf{1}$ by {eq}`def-gnn-degree`:
#
# $$
# \hat A\, \tilde D^{1/2} \mathbf{1} = \tilde D^{-1/2} \tilde A \mathbf{1}
# = \tilde D^{-1/2} \tilde D \mathbf{1} = \tilde D^{1/2} \mathbf{1} .
# $$ (eq-gnn-top-eigenvector)
#
# So 1 is an eigenvalue, with the square roots of the degrees as eigenvector. Is there a larger one? Being symmetric,
# $\hat A$ has real eigenvalues $\lambda_1 \ge \dots \ge \lambda_N$ and orthonormal eigenvectors, and you can hem them
# in with one sum of squares. Take any $x \in \mathbb{R}^N$ and put $z_i = x_i / \sqrt{\tilde d_i}$. Then
# $x^\top \hat A x = \sum_{ij} \tilde A_{ij} z_i z_j$, and
# $x^\top x = \sum_i \tilde d_i z_i^2 = \sum_{ij} \tilde A_{ij} z_i^2$, which is
# $\tfrac12 \sum_{ij} \tilde A_{ij} (z_i^2 + z_j^2)$ because $\tilde A$ is symmetric. Subtract or add:
#
# $$
# x^\top (I \mp \hat A)\, x = \frac12 \sum_{ij} \tilde A_{ij}
# \Bigg( \frac{x_i}{\sqrt{\tilde d_i}} \mp \frac{x_j}{\sqrt{\tilde d_j}} \Bigg)^{\!2} \ge 0 .
# $$ (eq-gnn-smoothness)
#
# - With the upper sign: no eigenvalue is above 1. And $\lambda = 1$ needs each term to vanish, so that
#   $x_i / \sqrt{\tilde d_i}$ is the same at both ends of each edge: in a connected graph $x$ is a multiple of
#   $\tilde D^{1/2} \mathbf{1}$, and **1 is a simple eigenvalue**.
# - With the lower sign: the terms with $j = i$, the self-loops, are $\tfrac12 (2 z_i)^2 = 2 x_i^2 / \tilde d_i$, and
#   already they sum to at least $(2 / \max_i \tilde d_i)\, x^\top x$. So $\lambda \ge -1 + 2 / \max_i \tilde d_i$:
#   the self-loops **keep all eigenvalues away from $-1$**.
#
# For a symmetric matrix the spectral norm, the most by which it can stretch a vector, is the largest $|\lambda|$:
#
# $$
# \lVert \hat A \rVert_2 = \lambda_1 = 1 , \qquad \lambda_N \ge -1 + \frac{2}{\max_i \tilde d_i} .
# $$ (eq-gnn-spectral-norm)


# %%
def root_degrees(G):
    return (1 + G.sum(dim=1)).sqrt()  # the vector D̃^(1/2) 1, [N]


def sums_of_squares(G, x):
    z, A_tilde = x / root_degrees(G), G + torch.eye(len(G))
    return torch.stack(
        [0.5 * (A_tilde * (z[:, None] + sign * z) ** 2).sum() for sign in (-1, 1)]
    )


def quadratic_forms(G, x):
    return torch.stack(
        [x @ x + sign * (x @ propagation_matrix(G) @ x) for sign in (-1, 1)]
    )


vectors = [torch.randn(len(G)) for G in graphs]
verify.equal(
    "eq-gnn-top-eigenvector",
    [propagation_matrix(G) @ root_degrees(G) for G in graphs],
    [root_degrees(G) for G in graphs],
    atol=1e-12,
)
verify.equal(
    "eq-gnn-smoothness",
    [quadratic_forms(G, x) for G, x in zip(graphs, vectors, strict=True)],
    [sums_of_squares(G, x) for G, x in zip(graphs, vectors, strict=True)],
    atol=1e-11,
)
spectra = [torch.linalg.eigvalsh(propagation_matrix(G)) for G in graphs]  # ascending
norms = [torch.linalg.matrix_norm(propagation_matrix(G), ord=2) for G in graphs]
bounds = [-1 + 2 / root_degrees(G).max() ** 2 for G in graphs]
verify.holds(
    "eq-gnn-spectral-norm",
    all(
        abs(norm - 1) < 1e-12
        and abs(spectrum[-1] - 1) < 1e-12
        and spectrum[0] >= bound - 1e-12
        for norm, spectrum, bound in zip(norms, spectra, bounds, strict=True)
    ),
)

# %% [markdown]
# That is what the normalisation is for: stack as many layers as you like, $\hat A$ never blows features up. What it
# shrinks is $x^\top (I - \hat A) x$, the differences along edges: features become *smoother* over the graph. Keep
# that in mind.

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
# $(\tilde D^{-1} \tilde A)^k = \tilde D^{-1/2} \hat A^k \tilde D^{1/2}$. As {eq}`eq-gnn-limit` below shows,
# $\hat A^k \to \tilde D^{1/2} \mathbf{1}\mathbf{1}^\top \tilde D^{1/2} / \sum_l \tilde d_l$, so the limit is
# $\mathbf{1} \tilde d^\top / \sum_l \tilde d_l$: each node ends with the same mean of all features, weighted by
# degree.


# %% tags=["solution"]
def mean_aggregation(x, edge_index):
    source, target = edge_index
    total = x.index_add(0, target, x[source])  # starting from x itself: the self-loop
    return total / (1 + torch.bincount(target, minlength=len(x)))[:, None]


# %% [markdown] tags=["solution"]
# :::{solution-end}
# :::

# %%
exercises.check("gnn/mean_aggregation", mean_aggregation)

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
exercises.check("gnn/neighbour_counts", neighbour_counts)

# %% [markdown]
# ## How far a node sees
#
# One layer carries a message over one edge. Let $\operatorname{dist}(i, j)$ be the number of hops on a shortest path
# from $i$ to $j$ (infinite if there is none). Then
#
# $$
# \big[\hat A^k\big]_{ij} > 0 \iff \operatorname{dist}(i, j) \le k , \qquad\text{and otherwise it is } 0 .
# $$ (eq-gnn-hops)
#
# The proof is by induction. For $k = 0$, $\hat A^0 = I$: a node reaches itself. For the step, write
# $[\hat A^{k}]_{ij} = \sum_m [\hat A^{k-1}]_{im}\, \hat A_{mj}$. No term is negative, so the sum is positive exactly
# if one of its terms is: if some $m$ lies within $k - 1$ hops of $i$ and is $j$ itself or a neighbour of $j$. If
# there is such an $m$, then $\operatorname{dist}(i, j) \le k$. If $\operatorname{dist}(i, j) = k$, take for $m$ the
# last node before $j$ on a shortest path; if it is less than $k$, take $m = j$. The second choice is where the
# self-loop works: without it a message that arrives early is lost.
#
# Does the same hold with weights and non-linearities in between? Ask how the output of node $i$ after $k$ layers
# changes when the input of node $j$ does. Through one layer, with $z_i = \sum_j \hat A_{ij} W^\top h_j$ and
# $h_i' = \sigma(z_i)$, the chain rule gives
# $\partial h_i' / \partial h_j = \hat A_{ij} \operatorname{diag}(\sigma'(z_i))\, W^\top$. Through $k$ layers you sum
# over all chains of nodes from $j$ to $i$, and each chain multiplies $k$ entries of $\hat A$. If
# $\operatorname{dist}(i, j) > k$, a factor 0 is in each of them:
#
# $$
# \operatorname{dist}(i, j) > k \implies \frac{\partial h_i^{(k)}}{\partial h_j^{(0)}} = 0 .
# $$ (eq-gnn-receptive-field)
#
# Conversely, let $\operatorname{dist}(i, j) \le k$ and $\sigma = \tanh$. With positive weights all chains add up with
# the same sign, so the derivative is not zero; and being an analytic function of the weights, it is then zero for
# almost none. (A ReLU can close a path by being zero.) For the first claim, boolean products against breadth-first
# search; for the second autograd against the same search, in both directions.


# %%
def distances(G):
    """Hops between all pairs, by breadth-first search; infinite between components."""
    hops = torch.full((len(G), len(G)), torch.inf)
    for i, reached in nx.all_pairs_shortest_path_length(nx.from_numpy_array(G.numpy())):
        for j, length in reached.items():
            hops[i, j] = length
    return hops


def boolean_power(G, k):
    reached, one_hop = torch.eye(len(G)), (propagation_matrix(G) > 0).double()
    for _ in range(k):
        reached = (reached @ one_hop > 0).double()
    return reached > 0


def jacobian_support(G, k):
    """Which inputs j move which outputs i of k random tanh layers: [N, N], by autograd."""
    P, weights = propagation_matrix(G), [torch.randn(3, 3) for _ in range(k)]

    def network(H):
        for W in weights:
            H = torch.tanh(P @ H @ W)
        return H

    jacobian = torch.autograd.functional.jacobian(
        network, torch.randn(len(G), 3), vectorize=True
    )  # [N, 3, N, 3]
    return (jacobian != 0).any(dim=3).any(dim=1)


path = torch.from_numpy(nx.to_numpy_array(nx.path_graph(7)))
cases = [(G, k) for G in [*graphs[:5], path] for k in range(5)]
verify.equal(
    "eq-gnn-hops",
    [boolean_power(G, k) for G, k in [*cases, *((A, k) for k in range(7))]],
    [distances(G) <= k for G, k in [*cases, *((A, k) for k in range(7))]],
)
verify.equal(
    "eq-gnn-receptive-field",
    [jacobian_support(G, k) for G, k in cases],
    [distances(G) <= k for G, k in cases],
)

# %% [markdown]
# So $k$ layers see $k$ hops, no more, and (but for unlucky weights) no less. This is the {term}`receptive field` of a
# graph network. The number of *layers* is a distance in the graph. Turn the slider to see what member
# {glue:text}`gnn-mp-member` knows of the club.

# %%
graph = nx.from_numpy_array(A.numpy())
layout = nx.kamada_kawai_layout(graph)  # no random start: the same picture each time
hops = distances(A)
member = 16


def draw_edges(ax, graph, layout):
    ends = [layout[node] for edge in graph.edges for node in edge]
    path = Path(
        ends, [Path.MOVETO, Path.LINETO] * len(graph.edges)
    )  # all edges as one path: a small picture
    ax.add_patch(
        PathPatch(path, edgecolor=display.INK, linewidth=0.7, alpha=0.45, clip_on=False)
    )
    ax.autoscale_view()
    ax.set_axis_off()


def draw_nodes(
    ax, layout, nodes, fill=None, marker="o", size=15.5, width=0.8, labels=None
):
    """Nodes of one kind: paper below, so that no edge shines through, then the hue, the outline and the labels."""
    if not nodes:
        return
    x, y = np.array([layout[node] for node in nodes]).T
    style = dict(linestyle="none", marker=marker, markersize=size, clip_on=False)
    ax.plot(
        x,
        y,
        markerfacecolor=display.PAPER,
        markeredgecolor=display.INK,
        markeredgewidth=width,
        **style,
    )
    if fill:
        ax.plot(x, y, markerfacecolor=to_rgba(fill, 0.3), markeredgewidth=0, **style)
    for node in nodes:
        ax.annotate(
            labels[node] if labels else f"{node}",
            layout[node],
            ha="center",
            va="center",
            fontsize=9,
        )


def draw_receptive_field(k):
    fig, ax = plt.subplots(figsize=(6.2, 4.4))
    draw_edges(ax, graph, layout)
    for chosen, hue, width in (
        (hops[member] > k, None, 0.6),
        (hops[member] < k, display.COLORS[0], 1.0),
        (hops[member] == k, display.COLORS[1], 2.4),
    ):
        draw_nodes(ax, layout, chosen.nonzero().flatten().tolist(), hue, width=width)
    ax.set_title(
        f"{k} layer{'s' * (k != 1)}: {(hops[member] <= k).sum()} of {N} members are seen"
    )
    return fig


display.slider(
    draw_receptive_field,
    range(int(hops[member].max()) + 1),
    label="layers k",
    alt=lambda k: (
        f"The karate club's graph. With k = {k} the output of member {member} depends on {(hops[member] <= k).sum()} "
        f"of {N} members, filled; the {(hops[member] == k).sum()} at exactly {k} hops have a thick outline, "
        f"the {(hops[member] > k).sum()} out of reach are empty."
    ),
)
glue("gnn-mp-member", f"{member}", display=False)
glue("gnn-mp-diameter", f"{int(hops.max())}", display=False)
glue("gnn-mp-two-hops", f"{(hops <= 2).double().mean():.0%}", display=False)

# %% [markdown]
# Filled members are seen, those with a thick outline from this $k$ on. The last ones come in at
# {glue:text}`gnn-mp-diameter` layers, the *diameter* of the club: with as many, everyone hears of everyone. But two
# layers already show a member {glue:text}`gnn-mp-two-hops` of the club on average.

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
# in the question, only the smoothing of the next section against it. Without self-loops $k$ layers reach the ends of
# walks of *exactly* $k$ steps. Three hops still take three layers, but with three layers on a path a node would see
# neither itself nor its neighbours' neighbours.


# %% tags=["solution"]
def k_hop(edge_index, num_nodes, node, k):
    source, target = edge_index
    reached = torch.zeros(num_nodes, dtype=torch.bool)
    reached[node] = True
    for _ in range(k):
        reached = reached.clone().index_fill(0, target[reached[source]], True)
    return reached


# %% [markdown] tags=["solution"]
# :::{solution-end}
# :::

# %%
exercises.check("gnn/k_hop", k_hop)

# %% [markdown]
# :::{exercise} The Jacobian of a layer
# :label: ex-gnn-layer-jacobian
# For $H' = \tanh(\hat A H W)$, write out $\partial H'_{ic} / \partial H_{jd}$ with all its indices, and then
# `layer_jacobian(A_hat, H, W)` of shape $[N, d_{\text{out}}, N, d_{\text{in}}]$. Which of its entries are zero, and
# why?
# :::

# %% [markdown] tags=["solution"]
# :::{solution-start} ex-gnn-layer-jacobian
# :class: dropdown
# :::
# With $Z_{ic} = \sum_{j} \sum_{d} \hat A_{ij} H_{jd} W_{dc}$ only one term holds $H_{jd}$, so
# $\partial Z_{ic} / \partial H_{jd} = \hat A_{ij} W_{dc}$, and
# $\partial H'_{ic} / \partial H_{jd} = (1 - H_{ic}'^{\,2})\, \hat A_{ij} W_{dc}$. It is zero unless $i = j$ or $i$
# and $j$ are neighbours: its pattern of zeros is that of $\tilde A$, a block for each pair of nodes.


# %% tags=["solution"]
def layer_jacobian(A_hat, H, W):
    slope = 1 - torch.tanh(A_hat @ H @ W) ** 2  # [N, d_out]
    return torch.einsum("ic,ij,dc->icjd", slope, A_hat, W)


# %% [markdown] tags=["solution"]
# :::{solution-end}
# :::

# %%
exercises.check("gnn/layer_jacobian", layer_jacobian)

# %% [markdown]
# ## Too many layers
#
# Why not take as many layers as the diameter? Look first at propagation alone, $\hat A^k H$. Let the graph be
# connected. Write $\hat A = \sum_m \lambda_m u_m u_m^\top$ with orthonormal eigenvectors. By
# {eq}`eq-gnn-top-eigenvector` and {eq}`eq-gnn-smoothness` the first pair is $\lambda_1 = 1$ and
#
# $$
# u = \frac{\tilde D^{1/2} \mathbf{1}}{\sqrt{\sum_l \tilde d_l}} , \qquad
# \mu = \max_{m \ge 2} |\lambda_m| < 1 ,
# $$ (def-gnn-second-eigenvalue)
#
# where $\mu < 1$ because 1 is simple and nothing reaches $-1$. A power acts on the eigenvalues alone, so
# $\hat A^k - u u^\top = \sum_{m \ge 2} \lambda_m^k\, u_m u_m^\top$, and the spectral norm of that is the largest
# $|\lambda_m^k|$:
#
# $$
# \big\lVert \hat A^k - u u^\top \big\rVert_2 = \mu^k .
# $$ (eq-gnn-smoothing-rate)
#
# Since $\mu^k \to 0$, the powers converge, to a matrix of rank one:
#
# $$
# \lim_{k \to \infty} \big[\hat A^k\big]_{ij} = \big[u u^\top\big]_{ij}
# = \frac{\sqrt{\tilde d_i\, \tilde d_j}}{\sum_l \tilde d_l} .
# $$ (eq-gnn-limit)
#
# In the limit, node $i$ holds $\sqrt{\tilde d_i}$ times a vector that is the same for all. Its degree is all that is
# left of its place in the graph. This is {term}`over-smoothing` {cite}`li2018deeper`.

# %%
connected = [A, path, star(8)] + [
    (random_graph(n, 0.2) + torch.diag(torch.ones(n - 1), 1)) for n in (8, 15, 25)
]
connected = [
    ((G + G.T) > 0).to(torch.get_default_dtype()) for G in connected
]  # the path 0, 1, … connects each


def top_eigenvector(G):
    return root_degrees(G) / root_degrees(G).norm()


def second_eigenvalue(G):
    return torch.linalg.eigvalsh(propagation_matrix(G)).abs().sort().values[-2]


def distance_to_limit(G, k):
    u = top_eigenvector(G)
    return torch.linalg.matrix_norm(
        torch.linalg.matrix_power(propagation_matrix(G), k) - torch.outer(u, u), ord=2
    )


verify.equal(
    "eq-gnn-smoothing-rate",
    torch.stack([distance_to_limit(G, k) for G in connected for k in range(1, 20)]),
    torch.stack([second_eigenvalue(G) ** k for G in connected for k in range(1, 20)]),
    atol=1e-12,
)
verify.equal(
    "eq-gnn-limit",
    [torch.linalg.matrix_power(propagation_matrix(G), 2048) for G in connected],
    [
        torch.outer(root_degrees(G), root_degrees(G)) / (1 + G.sum(dim=1)).sum()
        for G in connected
    ],
    atol=1e-10,
)
mu = second_eigenvalue(A).item()
glue("gnn-mp-mu", f"{mu:.3f}", display=False)
glue("gnn-mp-half-life", f"{math.log(0.5) / math.log(mu):.1f}", display=False)

# %% [markdown]
# For the club $\mu = $ {glue:text}`gnn-mp-mu`: what tells its members apart is halved, in the slowest direction,
# every {glue:text}`gnn-mp-half-life` layers.
#
# Do $W$ and the ReLU save it? Measure how far features are from the smooth ones, all multiples of $u$:
#
# $$
# \delta(X) = \big\lVert (I - u u^\top) X \big\rVert_F .
# $$ (def-gnn-roughness)
#
# Then a layer multiplies $\delta$ by at most $\mu s$, with $s = \lVert W \rVert_2$ the largest singular value of $W$
# {cite}`oono2020oversmoothing`:
#
# $$
# \delta\big( \operatorname{ReLU}(\hat A H W) \big) \le \mu\, s\, \delta(H) .
# $$ (eq-gnn-contraction)
#
# Three steps show it.
#
# 1. *Propagation.* $\hat A$ commutes with $u u^\top$, so
#    $(I - u u^\top) \hat A H = (\hat A - u u^\top)(I - u u^\top) H$, and $\hat A - u u^\top$ has the norm $\mu$:
#    $\delta(\hat A H) \le \mu\, \delta(H)$.
# 2. *Weights.* They act from the other side: $\delta(X W) = \lVert (I - u u^\top) X\, W \rVert_F \le s\, \delta(X)$.
# 3. *ReLU.* Take one column $x = x^+ - x^-$, with $x^+ = \operatorname{ReLU}(x)$, and $x^-$ the negative part with
#    its sign turned. The two have no common non-zero entry, so
#    $\lVert x \rVert^2 = \lVert x^+ \rVert^2 + \lVert x^- \rVert^2$. By Pythagoras
#    $\delta(x)^2 = \lVert x \rVert^2 - (u^\top x)^2$. Put $p = u^\top x^+$ and $q = u^\top x^-$; both are $\ge 0$,
#    since all entries of $u$ are positive. Then
#    $\delta(x)^2 - \delta(x^+)^2 = \lVert x^- \rVert^2 - (p - q)^2 + p^2 = \lVert x^- \rVert^2 - q^2 + 2 p q \ge 0$,
#    because $q \le \lVert u \rVert \lVert x^- \rVert = \lVert x^- \rVert$. The ReLU never adds to $\delta$.


# %%
def roughness(G, X):
    u = top_eigenvector(G)
    return torch.linalg.matrix_norm(X - torch.outer(u, u @ X))


def contracts(G, W):
    H = torch.randn(len(G), len(W))
    bound = second_eigenvalue(G) * torch.linalg.matrix_norm(W, ord=2) * roughness(G, H)
    return roughness(G, gcn_layer(G, H, W)) <= bound


verify.holds(
    "eq-gnn-contraction",
    all(contracts(G, torch.randn(4, d)) for G in connected for d in (1, 4, 9)),
)

# %% [markdown]
# So $k$ layers with $s \le 1/\mu$ cannot roughen, and with smaller weights the features become smooth exponentially
# fast. Training may answer with $s > 1/\mu$: then the theorem says nothing, and we have to measure. For that, give
# the network a task.
#
# ## Four labels
#
# The club's nodes come in four communities, found by an algorithm from the edges alone. One member of each is
# labelled. Guess the rest: *semi-supervised* learning, since the network sees all the edges and few of the labels.
# There are no features, so each node gets its own name, as a one-hot vector: $H^{(0)} = I$.
#
# That seems against the rules of this chapter. It is not: relabelling permutes $H^{(0)}$ as well, and it is the *layer*
# that is equivariant. But look what a network without edges makes of it. With $\hat A = I$, the first layer is
# $H^{(0)} W^{(0)} = W^{(0)}$: the output of node $i$ depends on row $i$ of $W^{(0)}$ and on no other, and the loss
# $L$ looks only at labelled nodes. So
#
# $$
# \frac{\partial L}{\partial W^{(0)}_{j:}} = 0 \quad\text{for each node } j \text{ without a label} .
# $$ (eq-gnn-no-gradient)
#
# An MLP learns nothing about them: their rows keep their random start. With edges, the same chain as in
# {eq}`eq-gnn-receptive-field` leads from each labelled node to all within two hops.

# %%
y, labelled = club.y, club.train_mask  # [N] each
num_classes = int(y.max()) + 1
hidden = 16


def network(P, weights):
    """A stack of layers on H = I, with no ReLU after the last; weights [..., d_in, d_out] give [..., N, classes]."""
    H = torch.eye(len(P))
    for layer, W in enumerate(weights):
        H = P @ (H @ W)
        if layer < len(weights) - 1:
            H = torch.relu(H)
    return H


def glorot(*shape):
    return (torch.rand(shape) * 2 - 1) * math.sqrt(6 / (shape[-2] + shape[-1]))


def loss(scores):
    """Mean cross-entropy of the labelled nodes; scores [..., N, classes] give [...]."""
    return -scores.log_softmax(dim=-1)[..., labelled, y[labelled]].mean(dim=-1)


weights = [glorot(N, hidden).requires_grad_(), glorot(hidden, num_classes)]
(mlp_gradient,) = torch.autograd.grad(loss(network(torch.eye(N), weights)), weights[0])
(gcn_gradient,) = torch.autograd.grad(loss(network(A_hat, weights)), weights[0])

verify.equal(
    "eq-gnn-no-gradient",
    mlp_gradient[~labelled],
    torch.zeros(int((~labelled).sum()), hidden),
)
glue("gnn-mp-moved", f"{int((gcn_gradient != 0).any(dim=1).sum())}", display=False)

# %% [markdown]
# With the edges, the gradient reaches the rows of {glue:text}`gnn-mp-moved` of the {glue:text}`gnn-mp-nodes` members.
# Now train both. All seeds train at once: the weights carry a leading dimension for the seed, no term of the loss
# mixes two of them, and Adam treats each entry by itself.


# %%
def train(P, depth, num_seeds, steps=200, lr=0.01):
    """Train a network of this depth from ``num_seeds`` starts; the scores [S, N, classes] and the weights."""
    sizes = [N] + [hidden] * (depth - 1) + [num_classes]
    weights = [
        glorot(num_seeds, *size).requires_grad_() for size in itertools.pairwise(sizes)
    ]
    optimizer = torch.optim.Adam(weights, lr=lr)
    for _ in range(steps):
        optimizer.zero_grad()
        loss(network(P, weights)).sum().backward()
        optimizer.step()
    with torch.no_grad():
        return network(P, weights), [W.detach() for W in weights]


def accuracy(scores, nodes):
    return (scores.argmax(dim=-1) == y)[..., nodes].double().mean(dim=-1)


num_seeds = {"smoke": 20, "full": 100}[profile]
gcn_scores, _ = train(A_hat, depth=2, num_seeds=num_seeds)
mlp_scores, _ = train(torch.eye(N), depth=2, num_seeds=num_seeds)
gcn, mlp = accuracy(gcn_scores, ~labelled), accuracy(mlp_scores, ~labelled)

# %% [markdown]
# An honest comparison needs one more rival, with edges and without weights: let the labels themselves propagate. Put
# a 1 for each labelled node into $Y \in \mathbb{R}^{N \times 4}$, and take the largest entry in each row of
# $\hat A^2 Y$, the same two hops.

# %% tags=["nbval-ignore-output"]
Y = torch.nn.functional.one_hot(y, num_classes) * labelled[:, None].to(
    A_hat.dtype
)  # [N, classes]
spread_labels = accuracy(A_hat @ A_hat @ Y, ~labelled)
largest_class = y[~labelled].bincount().max() / (~labelled).sum()

fig, axes = plt.subplots(1, 2, figsize=(7.2, 3.9), width_ratios=[1.35, 1])
predicted = gcn_scores[0].argmax(dim=-1)
draw_edges(axes[0], graph, layout)
for c, (marker, size) in enumerate((("o", 11), ("s", 10), ("D", 9.5), ("^", 12))):
    for known, right in itertools.product((False, True), repeat=2):
        chosen = (y == c) & (labelled == known) & ((predicted == c) == right)
        hue, width = (display.COLORS[c] if right else None), (2.4 if known else 0.8)
        draw_nodes(
            axes[0],
            layout,
            chosen.nonzero().flatten().tolist(),
            hue,
            marker,
            size,
            width,
            labels=[""] * N,
        )
axes[0].set_title("one seed")
rng = np.random.default_rng(0)
for row, (name, values) in enumerate({"GCN": gcn, "no edges": mlp}.items()):
    axes[1].plot(
        values, row + rng.uniform(-0.25, 0.25, num_seeds), linestyle="none", label=name
    )
axes[1].axvline(spread_labels, color=display.COLORS[2], linestyle="--")
axes[1].annotate(
    "$\\hat A^2 Y$",
    (spread_labels, 1.45),
    ha="right",
    xytext=(-4, 0),
    textcoords="offset points",
)
axes[1].set(
    xlim=(0, 1),
    ylim=(-0.6, 1.7),
    yticks=[0, 1],
    yticklabels=["GCN", "no\nedges"],
    title=f"{num_seeds} seeds",
)
axes[1].set_xlabel(f"accuracy on {int((~labelled).sum())} members")
display.show(
    fig,
    alt=f"Left, the club with one shape a community: {int((predicted == y).sum())} nodes are filled, as they are "
    f"predicted rightly, {int((predicted != y).sum())} are empty, as they are not; the four labelled ones have thick "
    f"outlines. Right, accuracies: the GCN near {gcn.mean():.2f}, the network without edges near {mlp.mean():.2f}, "
    f"propagated labels at {spread_labels:.2f}.",
)
glue("gnn-mp-unlabelled", f"{int((~labelled).sum())}", display=False)
glue("gnn-mp-seeds", f"{num_seeds}", display=False)
glue("gnn-mp-gcn", f"{gcn.mean():.0%} ± {gcn.std():.0%}", display=False)
glue("gnn-mp-gcn-range", f"{gcn.min():.0%} to {gcn.max():.0%}", display=False)
glue("gnn-mp-mlp", f"{mlp.mean():.0%} ± {mlp.std():.0%}", display=False)
glue("gnn-mp-labels", f"{spread_labels:.0%}", display=False)
glue("gnn-mp-largest-class", f"{largest_class:.0%}", display=False)

# %% [markdown]
# Shapes are the true communities; filled nodes are predicted rightly, empty ones wrongly; the labelled four have
# thick outlines. Over {glue:text}`gnn-mp-seeds` seeds the GCN gets {glue:text}`gnn-mp-gcn` of the other
# {glue:text}`gnn-mp-unlabelled` members right (mean and standard deviation, from {glue:text}`gnn-mp-gcn-range`).
# Without edges it is {glue:text}`gnn-mp-mlp`: chance for four classes, as {eq}`eq-gnn-no-gradient` foretold, and less
# than always naming the largest community ({glue:text}`gnn-mp-largest-class`).
#
# Propagated labels, without one trained weight, get {glue:text}`gnn-mp-labels`. Do not overlook that. These
# communities *are* dense groups of edges, so edges alone say almost everything, and with four labels there is little
# for weights to learn. What the comparison shows is that the edges do the work. Weights pay where nodes have features
# that mean something: atoms, say.
#
# ### Deeper
#
# Now the question that was left open. The left plot is propagation alone: the distance
# $\lVert \hat A^k H - u u^\top H \rVert_F$ for random $H$, relative to $\lVert H \rVert_F$, under its bound $\mu^k$.
# The right plot is the trained network, by depth.

# %% tags=["nbval-ignore-output"]
depths = [1, 2, 3, 4, 8]
trained, deep_weights = {}, None
for depth in depths:
    trained[depth], deep_weights = train(A_hat, depth, num_seeds)
on_labelled = torch.stack(
    [accuracy(trained[depth], labelled) for depth in depths]
)  # [depths, S]
on_others = torch.stack([accuracy(trained[depth], ~labelled) for depth in depths])

H = torch.randn(N, 16)
steps = np.arange(41)
relative = [
    roughness(A, torch.linalg.matrix_power(A_hat, int(k)) @ H)
    / torch.linalg.matrix_norm(H)
    for k in steps
]

fig, axes = plt.subplots(1, 2, figsize=(7.2, 3.2))
axes[0].semilogy(steps, relative, markevery=5, label="measured")
axes[0].semilogy(steps, mu**steps, markevery=5, label="$\\mu^k$")
axes[0].set(
    xlabel="propagations $k$", ylabel="distance to rank one", title="propagation alone"
)
axes[0].legend()
for values, label in ((on_labelled, "labelled four"), (on_others, "the others")):
    (line,) = axes[1].plot(depths, values.mean(dim=1), label=label)
    low, high = (
        values.mean(dim=1) - values.std(dim=1),
        (values.mean(dim=1) + values.std(dim=1)).clamp(max=1),
    )
    axes[1].fill_between(
        depths, low, high, color=line.get_color(), alpha=0.2, linewidth=0
    )
axes[1].set(
    xlabel="layers",
    ylabel="accuracy",
    ylim=(0, 1.05),
    xticks=depths,
    title="trained network",
)
axes[1].legend()
display.show(
    fig,
    alt="Left, on a logarithmic axis the distance to rank one falls fast, then along a line parallel to its bound and "
    f"below it. Right, accuracy by depth: on the labelled four it is {on_labelled.mean():.2f} on average; "
    "on the others it falls from "
    f"{on_others[1].mean():.2f} at 2 layers to {on_others[3].mean():.2f} at 4 and {on_others[-1].mean():.2f} at 8.",
)
glue(
    "gnn-mp-depth-4",
    f"{on_others[3].mean():.0%} ± {on_others[3].std():.0%}",
    display=False,
)
glue(
    "gnn-mp-depth-8",
    f"{on_others[4].mean():.0%} ± {on_others[4].std():.0%}",
    display=False,
)
largest_singular = torch.stack(
    [torch.linalg.matrix_norm(W, ord=2) for W in deep_weights]
)  # [depth, S]


def relative_roughness(scores):
    return torch.stack(
        [roughness(A, X) / torch.linalg.matrix_norm(X) for X in scores]
    ).mean()


glue(
    "gnn-mp-rough-before",
    f"{relative_roughness(train(A_hat, 8, num_seeds, steps=0)[0]):.2f}",
    display=False,
)
glue("gnn-mp-rough-after", f"{relative_roughness(trained[8]):.2f}", display=False)
glue("gnn-mp-rough-alone", f"{relative[8]:.2f}", display=False)
glue(
    "gnn-mp-singular",
    f"{largest_singular.min():.1f} to {largest_singular.max():.1f}",
    display=False,
)
glue("gnn-mp-singular-bound", f"{1 / mu:.2f}", display=False)
glue("gnn-mp-depth-8-labelled", f"{on_labelled[4].mean():.0%}", display=False)
glue("gnn-mp-gcn-only", f"{on_others[1].mean():.0%}", display=False)

# %% [markdown]
# From {glue:text}`gnn-mp-gcn-only` at two layers, the accuracy falls to {glue:text}`gnn-mp-depth-4` at four and
# {glue:text}`gnn-mp-depth-8` at eight. Bands are one standard deviation over the seeds.
#
# Is that over-smoothing? Look before you say so. Eight propagations alone leave {glue:text}`gnn-mp-rough-alone` of
# random features rough, $\delta(X) / \lVert X \rVert_F$, and eight untrained layers {glue:text}`gnn-mp-rough-before`.
# But after training it is {glue:text}`gnn-mp-rough-after`: the largest singular values of the weights have become
# {glue:text}`gnn-mp-singular`, all above $1/\mu = $ {glue:text}`gnn-mp-singular-bound`, so {eq}`eq-gnn-contraction`
# forbids nothing. The eight layers tell nodes apart, and get {glue:text}`gnn-mp-depth-8-labelled` of the labelled
# four right. They do not tell them apart in the right way: training had to undo the smoothing, and four labels do not
# say how. Depth costs accuracy here; that each deep network ends in features that are all alike is *not* what you
# see.

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
# component of $H$ changes its sign at each step, as if features of $S$ and $T$ were swapped back and forth. With
# self-loops, {eq}`eq-gnn-spectral-norm` rules it out.
#
# :::{solution-end}
# :::

# %% [markdown]
# (molecules-of-any-size)=
# ## Molecules, of any size
#
# In a molecule the nodes are atoms and the edges bonds. Take two from QM9 {cite}`ramakrishnan2014qm9`: methane, the
# smallest, and benzene. RDKit reads the SMILES string and adds the hydrogens; here a node's features are its element,
# one-hot, and this layer does not see the kinds of bonds.

# %%
ELEMENTS = "HCNOF"


def read_smiles(smiles):
    """The graph of a molecule with explicit hydrogens: edge list [2, E], one-hot elements [N, 5], symbols."""
    molecule = Chem.AddHs(Chem.MolFromSmiles(smiles))
    bonds = [
        (bond.GetBeginAtomIdx(), bond.GetEndAtomIdx()) for bond in molecule.GetBonds()
    ]
    symbols = [atom.GetSymbol() for atom in molecule.GetAtoms()]
    edge_index = torch.tensor(bonds + [(j, i) for i, j in bonds]).T
    x = torch.nn.functional.one_hot(
        torch.tensor([ELEMENTS.index(s) for s in symbols]), len(ELEMENTS)
    )
    return edge_index, x.to(torch.get_default_dtype()), symbols


inchi = {
    "methane": "InChI=1S/CH4/h1H4",
    "benzene": "InChI=1S/C6H6/c1-2-4-6-5-3-1/h1-6H",
}
table = data.qm9().set_index("InChi")["SMILES"]
molecules = {name: read_smiles(table[key]) for name, key in inchi.items()}

fig, axes = plt.subplots(1, 2, figsize=(6.4, 3.2), width_ratios=[1, 1.6])
for ax, (name, (edges, _, symbols)) in zip(axes, molecules.items(), strict=True):
    molecule = nx.Graph(edges.T.tolist())
    positions = nx.kamada_kawai_layout(molecule)
    draw_edges(ax, molecule, positions)
    for element, marker, hue in (
        ("C", "o", display.COLORS[0]),
        ("H", "s", display.COLORS[1]),
    ):
        atoms = [i for i, symbol in enumerate(symbols) if symbol == element]
        draw_nodes(ax, positions, atoms, hue, marker, labels=symbols)
    ax.set(title=name, aspect="equal")
display.show(
    fig,
    alt="Two molecules as graphs: methane, one carbon in the middle of four hydrogens; "
    "benzene, a ring of six carbons with one hydrogen on each.",
)

# %% [markdown]
# One layer takes both, for $W \in \mathbb{R}^{5 \times d}$ does not know how many atoms there are. It even takes them
# at once. Write two graphs as one, with nothing between them: the adjacency matrix is block-diagonal, no message
# crosses, and
#
# $$
# F\Bigg( \begin{bmatrix} A_1 & 0 \\ 0 & A_2 \end{bmatrix}, \begin{bmatrix} H_1 \\ H_2 \end{bmatrix} \Bigg)
# = \begin{bmatrix} F(A_1, H_1) \\ F(A_2, H_2) \end{bmatrix} .
# $$ (eq-gnn-batch)
#
# For an edge list that means: add the number of atoms so far to the indices of the next molecule, and put the lists
# one after the other. This is what a *batch* of graphs is. And the symmetries promised above: a rotation or a
# reflection of the ring takes benzene to itself, so for each permutation $P$ that keeps bonds and elements,
#
# $$
# P A P^\top = A , \quad P H = H \quad\implies\quad P\, F(A, H) = F(A, H) .
# $$ (eq-gnn-symmetric-nodes)

# %%
layer = GraphConvolution(len(ELEMENTS), 4)
(methane_edges, methane_x, _), (benzene_edges, benzene_x, symbols) = molecules.values()

batch_edges = torch.cat([methane_edges, benzene_edges + len(methane_x)], dim=1)
together = layer(torch.cat([methane_x, benzene_x]), batch_edges)
verify.equal(
    "eq-gnn-batch",
    together,
    torch.cat([layer(methane_x, methane_edges), layer(benzene_x, benzene_edges)]),
    atol=1e-12,
)

benzene = nx.Graph(benzene_edges.T.tolist())
nx.set_node_attributes(benzene, dict(enumerate(symbols)), "element")
same_element = nx.algorithms.isomorphism.categorical_node_match("element", None)
symmetries = [
    torch.tensor([mapping[i] for i in range(len(symbols))])
    for mapping in nx.algorithms.isomorphism.GraphMatcher(
        benzene, benzene, same_element
    ).isomorphisms_iter()
]
out = torch.tanh(layer(benzene_x, benzene_edges)).detach()  # [12, 4]
verify.equal(
    "eq-gnn-symmetric-nodes",
    [out[order] for order in symmetries],
    [out] * len(symmetries),
    atol=1e-12,
)
glue("gnn-mp-symmetries", f"{len(symmetries)}", display=False)
glue("gnn-mp-distinct", f"{len(out.round(decimals=9).unique(dim=0))}", display=False)

# %% [markdown]
# Benzene has {glue:text}`gnn-mp-symmetries` such permutations, and its twelve atoms leave with
# {glue:text}`gnn-mp-distinct` different feature vectors: one for all carbons, one for all hydrogens. No training can
# tell two of its carbons apart, and none should.

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
triangles = torch.block_diag(*[torch.ones(3, 3) - torch.eye(3)] * 2).double()
H_ring = H_triangles = torch.ones(6, 2, dtype=torch.float64)
for _ in range(3):
    W = torch.randn(2, 2, dtype=torch.float64)
    H_ring, H_triangles = (
        torch.tanh(gcn_norm(ring) @ H_ring @ W),
        torch.tanh(gcn_norm(triangles) @ H_triangles @ W),
    )
torch.testing.assert_close(H_ring, H_triangles)

# %% [markdown] tags=["solution"]
# :::{solution-end}
# :::

# %% [markdown]
# ## What was shown
#
# - If names mean nothing, a layer must commute with relabelling. Of the $N^2$ weights of a linear layer two survive,
#   and edges say where the second may act.
# - The GCN layer $\sigma(\hat A H W)$ is equivariant. As matrices, node by node and edge by edge it is the same map,
#   and on undirected graphs without loops it is PyG's `GCNConv`.
# - It is message passing: make messages, sum them by target, update. The structure of the graph decides who hears
#   whom, the weights what is said.
# - $\hat A$ is not an average: its rows do not sum to one. Its norm is 1, and $\tilde D^{1/2} \mathbf{1}$ passes
#   through unchanged.
# - $k$ layers see $k$ hops. Powers of $\hat A$ tend to rank one at the rate $\mu^k$: a deep network must work against
#   it.
# - On the club the edges do the work: without them the network guesses, with them even untrained spreading of the
#   four labels does well.
#
# ## Further reading
#
# - Kipf and Welling {cite}`kipf2017gcn` introduce the layer as a first-order approximation of a spectral filter;
#   {doc}`circulant` shows that road on the simplest graph.
# - Gilmer and others {cite}`gilmer2017mpnn` give message passing its name, and chemistry as its first large use.
# - Maron and others {cite}`maron2019invariant` count all equivariant linear layers, also between features of pairs of
#   nodes.
# - Xu and others {cite}`xu2019gin` say which graphs message passing can tell apart; Oono and Suzuki
#   {cite}`oono2020oversmoothing` prove what depth does.
