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

# %% tags=["set-up"]
import itertools
import math
import textwrap

from helpers import data, display, exercises, parameters, verify
from helpers.gnn import drawing
from helpers.gnn.layers import GraphConvolution, gcn_norm

import matplotlib.pyplot as plt
import networkx as nx
import numpy as np
import torch
from rdkit import Chem
from torch_geometric.datasets import KarateClub
from torch_geometric.nn import GCNConv

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

# %% tags=["hide-input"]
display.glue("gnn-mp-nodes", f"{N}")
display.glue("gnn-mp-friendships", f"{edge_index.shape[1] // 2}")

# %% [markdown]
# That makes {glue:text}`gnn-mp-nodes` nodes and {glue:text}`gnn-mp-friendships` friendships. Let row $i$ of
# $H \in \mathbb{R}^{N \times d}$ hold the features $h_i$ of node $i$. Now number the members anew, so that new node
# $i$ is old node $\pi(i)$. With the permutation matrix $P$ that has $P_{i,\pi(i)} = 1$ and zeros elsewhere,
#
# $$
# \begin{aligned}
# H &\mapsto P H , & (P H)_i &= h_{\pi(i)} , \\
# A &\mapsto P A P^\top , & (P A P^\top)_{ij} &= A_{\pi(i)\,\pi(j)} .
# \end{aligned}
# $$ (def-gnn-relabelling)


# %%
def relabelling(num_nodes):
    return torch.eye(num_nodes)[torch.randperm(num_nodes)]  # the rows of I, mixed


P = relabelling(N)  # [N, N]
A_relabelled = P @ A @ P.T  # [N, N]

# %% [markdown]
# Both pictures show the same club.


# %% tags=["hide-input"]
def draw_adjacencies():
    figures, axes = display.panels((3.3, 3.4), (3.3, 3.4))
    titles = ("$A$", r"$P A P^\top$")
    for ax, matrix, title in zip(axes, (A, A_relabelled), titles, strict=True):
        i, j = matrix.nonzero().T
        ax.plot(j, i, linestyle="none", marker="s", markersize=3.6)
        ax.set(xlim=(-1, N), ylim=(N, -1), aspect="equal", title=title)
        ax.set(xlabel="node $j$", ylabel="node $i$")
    return figures


display.show(
    draw_adjacencies(),
    alt="Two adjacency matrices of the karate club as patterns of cells, one in "
    "Zachary's numbering with long rows of cells for the two leaders, at the first "
    "and last nodes, one in a random numbering where the cells look scattered.",
    caption="One club, two numberings: what looks like order in the first matrix is a "
    "choice of numbers.",
)

# %% [markdown]
# A layer $F$ maps the pair $(A, H)$ to new features, one row a node. It does not read the names if relabelling first
# and then applying $F$ is the same as applying $F$ and then relabelling. Such a layer is called
# {term}`permutation equivariant <permutation equivariance>`: for every permutation matrix $P$
#
# $$
# F(P A P^\top, P H) = P\, F(A, H) .
# $$ (def-gnn-equivariant)
#
# ## What survives a relabelling
#
# How much freedom does {eq}`def-gnn-equivariant` leave? Forget the edges for a moment, and give each node a single
# number, $h \in \mathbb{R}^N$. A linear layer is a matrix, $h \mapsto M h$, with $N^2$ weights. Equivariant means
# $M P h = P M h$ for all $h$ and $P$, so $M P = P M$, and with $P^{-1} = P^\top$ this is $P M P^\top = M$. Entry by
# entry,
#
# $$
# M_{\pi(i)\,\pi(j)} = M_{ij} \quad\text{for all } \pi .
# $$
#
# For any two nodes, some permutation takes one to the other: all diagonal entries are equal. For any two pairs of
# different nodes, some permutation takes one pair to the other: all the other entries are equal too. Of $N^2$ weights
# **two** are left, $M = a I + b\,(\mathbf{1}\mathbf{1}^\top - I)$: one for yourself, one for everybody else
# {cite}`zaheer2017deepsets`. And each such $M$ will do, because $P I P^\top = I$ and $P \mathbf{1} = \mathbf{1}$.
#
# You can watch it happen. Average $P M P^\top$ over all $N!$ relabellings, for any $M$ whatever. The average is
# equivariant (another relabelling only permutes its terms), so it has that form, and two numbers that no relabelling
# changes give $a$ and $b$: the trace is $N a$, the sum of all entries $N a + N (N - 1)\, b$. Hence
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
def cases():
    for n in (2, 3, 5):
        M = torch.randn(n, n)
        yield two_weights(M), average_over_relabellings(M)


verify.equal(
    "eq-gnn-shared-weights",
    cases(),
    atol=1e-12,
    against="the average over all n! relabellings",
)

# %% [markdown]
# A free weight for each pair of nodes would be a weight for a pair of names. This is weight sharing, as in a
# convolution, where the symmetry is the shift and one weight is left for each distance: {doc}`circulant` tells that
# story. Here the symmetry is larger, and fewer weights survive.
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
# \begin{gathered}
# \tilde d_i = \sum_j \tilde A_{ij} = 1 + \sum_j A_{ij} , \\
# \tilde D = \operatorname{diag}(\tilde d_1, \dots, \tilde d_N) .
# \end{gathered}
# $$ (def-gnn-degree)
#
# Half of the scaling is done where a message leaves, half where it arrives. The result is the propagation matrix,
# which is symmetric:
#
# $$
# \hat A = \tilde D^{-1/2}\, \tilde A\, \tilde D^{-1/2} .
# $$ (def-gnn-propagation)
#
# The layer mixes the rows of $H^{(l)} \in \mathbb{R}^{N \times d_l}$ with $\hat A$ and its columns with
# $W^{(l)} \in \mathbb{R}^{d_l \times d_{l+1}}$, the same for all nodes:
#
# $$
# H^{(l+1)} = F(A, H^{(l)}) = \sigma\big( \hat A\, H^{(l)}\, W^{(l)} \big) ,
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
# 3. Multiply the three, and the inner $P^\top P = I$ cancel. The propagation matrix of $P A P^\top$ is
#
# $$
# \begin{aligned}
# \widehat{P A P^\top} &= P \tilde D^{-1/2} P^\top \, P \tilde A P^\top \, P \tilde D^{-1/2} P^\top \\
# &= P \hat A P^\top .
# \end{aligned}
# $$ (eq-gnn-propagation-relabelled)
#
# 4. So $\hat A H W$ becomes $P \hat A P^\top P H W = P \hat A H W$. And $\sigma$ acts on each entry alone, so it does
#    not care in which row an entry stands, $\sigma(P X) = P \sigma(X)$:
#
# $$
# \begin{aligned}
# F(P A P^\top, P H) &= \sigma(P \hat A H W) \\
# &= P\, F(A, H) .
# \end{aligned}
# $$ (eq-gnn-layer-equivariance)
#
# Check both on random graphs, among them one without any edge and one with a single node.


# %%
def random_graph(num_nodes, probability):
    upper = torch.bernoulli(torch.full((num_nodes, num_nodes), probability)).triu(1)
    return upper + upper.T  # [N, N]


sizes = ((1, 0.0), (4, 0.0), (6, 0.5), (12, 0.2), (20, 0.1), (30, 0.4))
graphs = [random_graph(n, p) for n, p in sizes] + [A]


# %% tags=["check"]
def cases():
    for G in graphs:
        P = relabelling(len(G))
        yield propagation_matrix(P @ G @ P.T), P @ propagation_matrix(G) @ P.T


verify.equal(
    "eq-gnn-propagation-relabelled",
    cases(),
    atol=1e-12,
    against="relabelling afterwards",
)


# %% tags=["check"]
def cases():
    for G in graphs:
        P, H, W = relabelling(len(G)), torch.randn(len(G), 3), torch.randn(3, 5)
        yield gcn_layer(P @ G @ P.T, P @ H, W), P @ gcn_layer(G, H, W)


verify.equal(
    "eq-gnn-layer-equivariance", cases(), atol=1e-12, against="relabelling afterwards"
)

# %% [markdown]
# The weights $W$ appear on both sides unchanged: one $W$ serves every numbering of a graph, and every graph of any
# size. Layers after it inherit this, since a composition of equivariant layers is equivariant.
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
# neighbours would divide by zero. The cell writes {eq}`eq-gnn-node-form` as the loops that it says, with neighbours
# and degrees from the graph library networkx, and holds it against the matrices.


# %%
def entries(G):
    d_tilde = 1 + G.sum(dim=1)
    return (G + torch.eye(len(G))) / (d_tilde[:, None] * d_tilde).sqrt()


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
# ## Message, aggregate, update
#
# {eq}`eq-gnn-node-form` is one of a large family {cite}`gilmer2017mpnn`. In {term}`message passing`, each node sends
# a message $\psi$ along each of its edges, each node aggregates what arrives in a way that does not depend on the
# order (a sum, a mean, a maximum: $\bigoplus$), and updates itself with it:
#
# $$
# \begin{aligned}
# m_i &= \bigoplus_{j \in \mathcal{N}(i) \cup \{i\}} \psi(h_i, h_j) , \\
# h_i' &= \varphi(h_i, m_i) .
# \end{aligned}
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
    out = torch.zeros(len(H), W.shape[1])  # [N, d_out]
    return out.index_add(0, target, messages)  # aggregate: sum by target


# %% tags=["hide-input"]
display.glue("gnn-mp-dense", f"{N * N:,}")
display.glue("gnn-mp-sparse", f"{edge_index.shape[1] + N}")


# %% tags=["check"]
def cases():
    for G in graphs:
        H, W = torch.randn(len(G), 3), torch.randn(3, 5)
        yield gcn_edges(G.nonzero().T, H, W), propagation_matrix(G) @ H @ W


verify.equal("eq-gnn-edge-form", cases(), atol=1e-12, against="the dense matrices")

# %% [markdown]
# The update, $\sigma$, is left to the caller. What did the list save? For each output feature, $\hat A$ costs $N^2$
# multiplications as a matrix and $E + N$ as a list: {glue:text}`gnn-mp-dense` against {glue:text}`gnn-mp-sparse` for
# the club. People do not have more friends where there are more people: $E$ grows like $N$ and not like $N^2$, and on
# large graphs only the list will do.
#
# `helpers.gnn.layers` holds both forms as you have seen them, with errors for graphs that the definition does not
# cover: `gcn_norm(A)` is {eq}`def-gnn-propagation`, and `GraphConvolution` is {eq}`eq-gnn-edge-form` as a module.
# They agree with what was built here:

# %%
convolution = GraphConvolution(in_channels=3, out_channels=5)
for G in graphs:
    H, edges = torch.randn(len(G), 3), G.nonzero().T  # [N, 3], [2, E]
    by_hand = gcn_edges(edges, H, convolution.weight)
    torch.testing.assert_close(gcn_norm(G), propagation_matrix(G))
    torch.testing.assert_close(convolution(H, edges), by_hand)

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
# ## Against PyTorch Geometric
#
# PyG's `GCNConv` is the implementation that you will meet in practice. With its weights copied from ours, and a bias
# $b \in \mathbb{R}^{d_{l+1}}$ added to each row,
#
# $$
# \begin{aligned}
# \texttt{GraphConvolution}(H) &= \hat A H W + \mathbf{1} b^\top \\
# &= \texttt{GCNConv}(H)
# \end{aligned}
# $$ (eq-gnn-gcnconv)
#
# on undirected graphs without self-loops. The cell holds it to $10^{-12}$, and to $10^{-5}$ in single precision.


# %%
def linear_gcn(G, H, W, b):
    return propagation_matrix(G) @ H @ W + b  # b is added to each row: 1 bᵀ


def with_the_same_weights():
    ours, theirs = GraphConvolution(3, 5, bias=True), GCNConv(3, 5)
    torch.nn.init.normal_(ours.bias)
    theirs.lin.weight.data = ours.weight.data.T.clone()  # PyG keeps Wᵀ
    theirs.bias.data = ours.bias.data.clone()
    return ours, theirs


# %% tags=["check"]
ours, theirs = with_the_same_weights()


def cases():
    for G in graphs:
        H, edges = torch.randn(len(G), 3), G.nonzero().T
        yield linear_gcn(G, H, ours.weight, ours.bias), theirs(H, edges)
        yield ours(H, edges), theirs(H, edges)


verify.equal("eq-gnn-gcnconv", cases(), atol=1e-12, against="PyG's GCNConv")

ours, theirs = ours.float(), theirs.float()
for G in graphs:
    x, edges = torch.randn(len(G), 3, dtype=torch.float32), G.nonzero().T
    torch.testing.assert_close(ours(x, edges), theirs(x, edges), rtol=0, atol=1e-5)

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
# \begin{gathered}
# \hat A_{\text{PyG}} = \tilde D_{\text{in}}^{-1/2}\, B^\top \tilde D_{\text{in}}^{-1/2} , \\
# \tilde D_{\text{in}} = \operatorname{diag}\big(B^\top \mathbf{1}\big) .
# \end{gathered}
# $$ (eq-gnn-pyg-conventions)
#
# With $H = I$ and $W = I$ its output is $\hat A_{\text{PyG}}$ itself.


# %%
def pyg_formula(G):
    B = G.clone().fill_diagonal_(1)
    d_in = B.sum(dim=0)  # column sums
    return B.T / (d_in[:, None] * d_in).sqrt()


def pyg_propagation(G):
    identity = GCNConv(len(G), len(G), bias=False)
    identity.lin.weight.data = torch.eye(len(G))
    return identity(torch.eye(len(G)), G.nonzero().T).detach()


print("one edge, 0 -> 1, and a loop at 0; what PyG multiplies by:")
print(pyg_propagation(torch.tensor([[1.0, 1.0], [0.0, 0.0]])).numpy().round(3))


# %% tags=["check"]
def cases():
    for n in (2, 5, 9, 15):
        G = torch.bernoulli(torch.full((n, n), 0.3))  # directed, and with loops
        yield pyg_formula(G), pyg_propagation(G)


verify.equal("eq-gnn-pyg-conventions", cases(), atol=1e-12, against="PyG's GCNConv")

# %% [markdown]
# Node 0 hears only itself; node 1 hears both. For undirected graphs without loops $B = B^\top = \tilde A$, and all of
# this falls together with {eq}`def-gnn-propagation`. The common mistake is an undirected graph with each edge listed
# once: PyG takes it for a directed one without a word. Ours refuses it:

# %%
try:
    GraphConvolution(2, 2)(torch.eye(2), torch.tensor([[0], [1]]))
except ValueError as error:
    print(textwrap.fill(f"{error}", width=60))

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
    scale = torch.tensor([(graph.degree[i] + 1) ** -0.5 for i in graph])  # [N]
    heard = [scale[[*graph.neighbors(i), i]].sum() for i in graph]
    return scale * torch.stack(heard)  # [N]


def dense(graph):
    """The adjacency matrix of a networkx graph."""
    return torch.from_numpy(nx.to_numpy_array(graph))


def star(n):
    return dense(nx.star_graph(n))  # node 0 is the hub


A_hat = propagation_matrix(A)

# %% tags=["hide-input"]
display.glue("gnn-mp-smallest-row", f"{row_sums(A).min():.2f}")
display.glue("gnn-mp-largest-row", f"{row_sums(A).max():.2f}")
display.glue("gnn-mp-star-row", f"{row_sums(star(30))[0]:.2f}")

# %% tags=["check"]
verify.equal(
    "eq-gnn-row-sums",
    ((row_sums(G), propagation_matrix(G).sum(dim=1)) for G in [*graphs, star(30)]),
    atol=1e-12,
    against="the rows of the matrix",
)

# %% [markdown]
# The hub of a star with thirty leaves has the row sum {glue:text}`gnn-mp-star-row`. In the club the rows sum to
# between {glue:text}`gnn-mp-smallest-row` and {glue:text}`gnn-mp-largest-row`: constant features do not stay
# constant. Which features do? Try $\tilde D^{1/2} \mathbf{1}$, whose entries are $\sqrt{\tilde d_i}$. The right half
# of the normalisation cancels, then $\tilde A \mathbf{1} = \tilde D \mathbf{1}$ by {eq}`def-gnn-degree`:
#
# $$
# \begin{aligned}
# \hat A\, \tilde D^{1/2} \mathbf{1} &= \tilde D^{-1/2} \tilde A \mathbf{1} \\
# &= \tilde D^{-1/2} \tilde D \mathbf{1} = \tilde D^{1/2} \mathbf{1} .
# \end{aligned}
# $$ (eq-gnn-top-eigenvector)
#
# So 1 is an eigenvalue, with the square roots of the degrees as eigenvector. Is there a larger one? Being symmetric,
# $\hat A$ has real eigenvalues $\lambda_1 \ge \dots \ge \lambda_N$ and orthonormal eigenvectors, and one sum of squares
# tells where they can lie. Take any $x \in \mathbb{R}^N$ and put $z_i = x_i / \sqrt{\tilde d_i}$. Then
# $x^\top \hat A x = \sum_{ij} \tilde A_{ij} z_i z_j$, and
# $x^\top x = \sum_i \tilde d_i z_i^2 = \sum_{ij} \tilde A_{ij} z_i^2$, which is
# $\tfrac12 \sum_{ij} \tilde A_{ij} (z_i^2 + z_j^2)$ because $\tilde A$ is symmetric. Subtract or add:
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
# - With the lower sign: the terms with $j = i$, the self-loops, are $\tfrac12 (2 z_i)^2 = 2 x_i^2 / \tilde d_i$, and
#   already they sum to at least $(2 / \max_i \tilde d_i)\, x^\top x$. So $\lambda \ge -1 + 2 / \max_i \tilde d_i$:
#   the self-loops **keep all eigenvalues away from $-1$**.
#
# For a symmetric matrix the spectral norm, the most by which it can stretch a vector, is the largest $|\lambda|$:
#
# $$
# \begin{gathered}
# \lVert \hat A \rVert_2 = \lambda_1 = 1 , \\
# \lambda_N \ge -1 + \frac{2}{\max_i \tilde d_i} .
# \end{gathered}
# $$ (eq-gnn-spectral-norm)


# %%
def root_degrees(G):
    return (1 + G.sum(dim=1)).sqrt()  # the vector D̃^(1/2) 1, [N]


def sums_of_squares(G, x):
    z, A_tilde = x / root_degrees(G), G + torch.eye(len(G))
    squares = [(z[:, None] + sign * z) ** 2 for sign in (-1, 1)]
    return torch.stack([0.5 * (A_tilde * square).sum() for square in squares])


def lower_bound(G):
    return -1 + 2 / (1 + G.sum(dim=1)).max()  # no eigenvalue is below it


# %% tags=["check"]
verify.equal(
    "eq-gnn-top-eigenvector",
    ((root_degrees(G), propagation_matrix(G) @ root_degrees(G)) for G in graphs),
    atol=1e-12,
    against="a multiplication by the matrix",
)


# %% tags=["check"]
def cases():
    for G in graphs:
        x = torch.randn(len(G))
        form = x @ propagation_matrix(G) @ x
        yield sums_of_squares(G, x), torch.stack([x @ x - form, x @ x + form])


verify.equal("eq-gnn-smoothness", cases(), atol=1e-11, against="the quadratic forms")


# %% tags=["check"]
def cases():
    for G in graphs:
        eigenvalues = torch.linalg.eigvalsh(propagation_matrix(G))  # in rising order
        norm = torch.linalg.matrix_norm(propagation_matrix(G), ord=2)
        yield torch.ones(2), torch.stack([eigenvalues[-1], norm])
        yield lower_bound(G) <= eigenvalues[0] + 1e-12, True
    for graph in (nx.cycle_graph(6), nx.hypercube_graph(3)):
        G = dense(graph)  # all degrees the same, and two sides: the bound is reached
        yield lower_bound(G), torch.linalg.eigvalsh(propagation_matrix(G))[0]


verify.equal(
    "eq-gnn-spectral-norm", cases(), atol=1e-12, against="torch.linalg's eigenvalues"
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
# the same sign, so the derivative is not zero; and being an analytic function of the weights, one that has no flat
# piece unless it is flat everywhere, it is then zero for almost none. (A ReLU can close a path by being zero.) The cell
# holds the powers of $\hat A$ against breadth-first search, and then the pattern of the Jacobian from autograd, in both
# directions.


# %%
def distances(G):
    """Hops between all pairs, by breadth-first search; inf where unconnected."""
    hops = torch.full((len(G), len(G)), torch.inf)
    graph = nx.from_numpy_array(G.numpy())
    for i, reached in nx.all_pairs_shortest_path_length(graph):
        hops[i, list(reached)] = torch.tensor([float(k) for k in reached.values()])
    return hops


def jacobian_support(G, k):
    """Which inputs j move which outputs i of k random tanh layers: [N, N]."""
    A_hat, weights = propagation_matrix(G), torch.randn(k, 3, 3)

    def layers(H):
        for W in weights:
            H = torch.tanh(A_hat @ H @ W)
        return H

    H = torch.randn(len(G), 3)
    jacobian = torch.autograd.functional.jacobian(layers, H, vectorize=True)
    return (jacobian != 0).any(dim=3).any(dim=1)  # from [N, 3, N, 3]


hops = distances(A)  # [N, N]
path = dense(nx.path_graph(7))

# %% tags=["hide-input"]
display.glue("gnn-mp-diameter", f"{int(hops.max())}")
display.glue("gnn-mp-two-hops", f"{(hops <= 2).double().mean():.0%}")


# %% tags=["check"]
def cases():
    for G, k in itertools.product([*graphs, path], range(6)):
        power = torch.linalg.matrix_power(propagation_matrix(G), k)
        yield power > 0, distances(G) <= k


verify.equal("eq-gnn-hops", cases(), against="breadth-first search")


# %% tags=["check"]
def cases():
    for G, k in itertools.product([*graphs, path], range(6)):
        yield distances(G) <= k, jacobian_support(G, k)


verify.equal("eq-gnn-receptive-field", cases(), against="autograd")

# %% [markdown]
# So $k$ layers see $k$ hops, no more, and (but for unlucky weights) no less. This is the {term}`receptive field` of a
# graph network. The number of *layers* is a distance in the graph. So far does member {glue:text}`gnn-mp-member` see
# into the club.

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
display.glue("gnn-mp-member", f"{member}")

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
        reached = reached.index_fill(0, target[reached[source]], True)
    return reached


# %% [markdown] tags=["solution"]
# :::{solution-end}
# :::

# %%
exercises.check("gnn/message_passing/k_hop", k_hop)

# %% [markdown]
# ## Too many layers
#
# Why not take as many layers as the diameter? Look first at propagation alone, $\hat A^k H$. Let the graph be
# connected. Write $\hat A = \sum_m \lambda_m u_m u_m^\top$ with orthonormal eigenvectors. By
# {eq}`eq-gnn-top-eigenvector` and {eq}`eq-gnn-smoothness` the first pair is $\lambda_1 = 1$ and
#
# $$
# u = \frac{\tilde D^{1/2} \mathbf{1}}{\sqrt{\sum_m \tilde d_m}} , \quad
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
# = \frac{\sqrt{\tilde d_i\, \tilde d_j}}{\sum_m \tilde d_m} .
# $$ (eq-gnn-limit)
#
# In the limit, node $i$ holds $\sqrt{\tilde d_i}$ times a vector that is the same for all. Its degree is all that is
# left of its place in the graph. This is {term}`over-smoothing` {cite}`li2018deeper`.


# %%
def connected_graph(num_nodes, probability):
    chain = torch.diag(torch.ones(num_nodes - 1), diagonal=1)  # 0 to 1 to 2 …
    return (random_graph(num_nodes, probability) + chain + chain.T).clamp(max=1)


def top_eigenvector(G):
    return root_degrees(G) / root_degrees(G).norm()


def second_eigenvalue(G):
    return torch.linalg.eigvalsh(propagation_matrix(G)).abs().sort().values[-2]


def limit(G):
    return torch.outer(root_degrees(G), root_degrees(G)) / (1 + G.sum(dim=1)).sum()


connected = [A, path, star(8)] + [connected_graph(n, 0.2) for n in (8, 15, 25)]
connected += [dense(nx.complete_bipartite_graph(4, 4))]  # where −μ is an eigenvalue
mu = second_eigenvalue(A).item()

# %% tags=["hide-input"]
display.glue("gnn-mp-mu", f"{mu:.3f}")
display.glue("gnn-mp-half-life", f"{math.log(0.5) / math.log(mu):.1f}")


# %% tags=["check"]
def cases():
    for G, k in itertools.product(connected, range(1, 20)):
        u = top_eigenvector(G)
        power = torch.linalg.matrix_power(propagation_matrix(G), k)
        distance = torch.linalg.matrix_norm(power - torch.outer(u, u), ord=2)
        yield second_eigenvalue(G) ** k, distance


verify.equal(
    "eq-gnn-smoothing-rate", cases(), atol=1e-12, against="the norm of the difference"
)


# %% tags=["check"]
def cases():
    for G in connected:
        power = torch.linalg.matrix_power(propagation_matrix(G), 2048)
        yield limit(G), power
        yield torch.outer(top_eigenvector(G), top_eigenvector(G)), power


verify.equal("eq-gnn-limit", cases(), atol=1e-10, against="the 2048th power")

# %% [markdown]
# For the club $\mu = $ {glue:text}`gnn-mp-mu`: what tells its members apart is halved, in the slowest direction,
# every {glue:text}`gnn-mp-half-life` layers.
#
# Do $W$ and the ReLU save it? Measure how far features are from the smooth ones, all multiples of $u$, in the
# Frobenius norm $\lVert X \rVert_F$, the root of the sum of all squared entries:
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
# 1. *Propagation.* Because $\hat A u = u$ and $u^\top u = 1$, multiplying out shows that $(I - u u^\top) \hat A$ and
#    $(\hat A - u u^\top)(I - u u^\top)$ are both $\hat A - u u^\top$. Apply them to $H$ column by column:
#    $\hat A - u u^\top$ has the norm $\mu$, so $\delta(\hat A H) \le \mu\, \delta(H)$.
# 2. *Weights.* They act from the other side, row by row:
#    $\delta(X W) = \lVert (I - u u^\top) X\, W \rVert_F \le s\, \delta(X)$.
# 3. *ReLU.* Take one column $x = x^+ - x^-$, with $x^+ = \operatorname{ReLU}(x)$, and $x^-$ the negative part with
#    its sign turned. The two have no common non-zero entry, so
#    $\lVert x \rVert^2 = \lVert x^+ \rVert^2 + \lVert x^- \rVert^2$. By Pythagoras
#    $\delta(x)^2 = \lVert x \rVert^2 - (u^\top x)^2$. Put $p = u^\top x^+$ and $q = u^\top x^-$; both are $\ge 0$,
#    since all entries of $u$ are positive. Then $\delta(x)^2 - \delta(x^+)^2$ is
#    $\lVert x^- \rVert^2 - (p - q)^2 + p^2$, that is $\lVert x^- \rVert^2 - q^2 + 2 p q$. It is not negative, because
#    $q \le \lVert u \rVert \lVert x^- \rVert = \lVert x^- \rVert$. The ReLU never adds to $\delta$.
#
# The bound is sharp. Take $W = [1]$ and $H = u + \varepsilon v$, with $v$ an eigenvector of $\mu$ or $-\mu$ and
# $\varepsilon$ so small that no entry turns negative: the ReLU finds nothing to cut, and $\delta$ shrinks by exactly
# $\mu$. The cell tries random features and weights, and this case.


# %%
def roughness(G, X):
    u = top_eigenvector(G)[:, None]  # [N, 1]
    return torch.linalg.matrix_norm(X - u @ (u.T @ X))  # X may be [..., N, d]


def most_roughness(G, H, W):
    s = torch.linalg.matrix_norm(W, ord=2)
    return second_eigenvalue(G) * s * roughness(G, H)


def sharp_case(G):
    eigenvalues, eigenvectors = torch.linalg.eigh(propagation_matrix(G))
    v = eigenvectors[:, eigenvalues.abs().argsort()[-2]]
    return (top_eigenvector(G) + 0.01 * v)[:, None]  # [N, 1]


# %% tags=["check"]
def cases():
    for G in connected:
        for d in (1, 4, 9):
            H, W = torch.randn(len(G), 4), torch.randn(4, d)
            yield roughness(G, gcn_layer(G, H, W)) <= most_roughness(G, H, W), True
        H, W = sharp_case(G), torch.ones(1, 1)
        yield most_roughness(G, H, W), roughness(G, gcn_layer(G, H, W))


verify.equal(
    "eq-gnn-contraction", cases(), rtol=1e-10, against="the measured roughness"
)

# %% [markdown]
# So $k$ layers with $s \le 1/\mu$ cannot roughen, and with smaller weights the features become smooth exponentially
# fast. Training may answer with $s > 1/\mu$: then the theorem says nothing, and we have to measure. For that, give
# the network a task.
#
# ## Four labels
#
# The club's nodes come in four communities, found from the edges alone as groups that are dense inside
# {cite}`kipf2017gcn`. One member of each is labelled. Guess the rest: *semi-supervised* learning, since the network
# sees all the edges and few of the labels. There are no features, so each node gets its own name, as a one-hot vector:
# $H^{(0)} = I$.
#
# That seems against the rules of this chapter. It is not: a relabelling permutes the rows of $H^{(0)}$ as well, so each
# member keeps the name it has, and the *layer* is equivariant. But look what a network without edges makes of it, a
# multilayer perceptron (MLP) for each node by itself. With $\hat A = I$, the first layer is
# $H^{(0)} W^{(0)} = W^{(0)}$: the output of node $i$ depends on row $i$ of $W^{(0)}$ and on no other, and the loss
# looks only at labelled nodes. So for each node $j$ without a label
#
# $$
# \frac{\partial\, \text{loss}}{\partial W^{(0)}_{j:}} = 0 .
# $$ (eq-gnn-no-gradient)
#
# The MLP learns nothing about them: their rows keep their random start. With edges, the same chain as in
# {eq}`eq-gnn-receptive-field` leads from each labelled node to all within two hops.

# %%
y, labelled = club.y, club.train_mask  # [N] each
num_classes = int(y.max()) + 1
hidden = 16


def network(A_hat, weights):
    """Layers on H = I, without ReLU after the last; one W is [..., d_in, d_out]."""
    H = torch.eye(len(A_hat))
    for W in weights[:-1]:
        H = torch.relu(A_hat @ H @ W)
    return A_hat @ H @ weights[-1]  # scores [..., N, classes]


def glorot(*shape):
    bound = math.sqrt(6 / (shape[-2] + shape[-1]))  # the variance is 2 / (in + out)
    return bound * (2 * torch.rand(shape) - 1)


def loss(scores):
    """Mean cross-entropy over the labelled nodes, of shape [...]."""
    return -scores.log_softmax(dim=-1)[..., labelled, y[labelled]].mean(dim=-1)


def first_gradient(A_hat, width):
    """Of the loss with respect to W⁽⁰⁾, at random weights: a row a node, [N, width]."""
    weights = [glorot(N, width).requires_grad_(), glorot(width, num_classes)]
    (gradient,) = torch.autograd.grad(loss(network(A_hat, weights)), weights[0])
    return gradient


reached = (first_gradient(A_hat, hidden) != 0).any(dim=1)  # with edges, [N]


# %% tags=["hide-input"]
display.glue("gnn-mp-moved", f"{int(reached.sum())}")


# %% tags=["check"]
def cases():
    for width in (4, hidden, 100):
        gradient = first_gradient(torch.eye(N), width)[~labelled]
        yield torch.zeros_like(gradient), gradient


verify.equal("eq-gnn-no-gradient", cases(), against="autograd")

# %% [markdown]
# With the edges, the gradient reaches the rows of {glue:text}`gnn-mp-moved` of the {glue:text}`gnn-mp-nodes` members.
# Now train both. All seeds train at once: the weights carry a leading dimension for the seed, no term of the loss
# mixes two of them, and Adam treats each entry by itself.


# %%
def train(A_hat, depth, num_seeds, steps=200, lr=0.01):
    """From ``num_seeds`` random starts to scores [S, N, classes] and the weights."""
    sizes = itertools.pairwise([N] + [hidden] * (depth - 1) + [num_classes])
    weights = [glorot(num_seeds, *size).requires_grad_() for size in sizes]
    optimizer = torch.optim.Adam(weights, lr=lr)
    for _ in range(steps):
        optimizer.zero_grad()
        loss(network(A_hat, weights)).sum().backward()
        optimizer.step()
    with torch.no_grad():
        return network(A_hat, weights), [W.detach() for W in weights]


def accuracy(scores, nodes):
    return (scores.argmax(dim=-1) == y)[..., nodes].double().mean(dim=-1)


num_seeds = {"smoke": 20, "full": 100}[profile]
gcn_scores, _ = train(A_hat, depth=2, num_seeds=num_seeds)
mlp_scores, _ = train(torch.eye(N), depth=2, num_seeds=num_seeds)
gcn, mlp = accuracy(gcn_scores, ~labelled), accuracy(mlp_scores, ~labelled)

# %% [markdown]
# An honest comparison needs one more rival, with edges and without weights: let the labels themselves propagate. Put
# a 1 for each labelled node into the column of its community in $Y \in \mathbb{R}^{N \times 4}$, and take the largest
# entry in each row of $\hat A^2 Y$, the same two hops.

# %%
Y = torch.eye(num_classes)[y] * labelled[:, None]  # [N, classes]
spread_labels = accuracy(A_hat @ A_hat @ Y, ~labelled)
largest_class = y[~labelled].bincount().max() / (~labelled).sum()

# %% tags=["hide-input", "nbval-ignore-output"]
display.glue("gnn-mp-unlabelled", f"{int((~labelled).sum())}")
display.glue("gnn-mp-seeds", f"{num_seeds}")
display.glue("gnn-mp-gcn", f"{gcn.mean():.0%} ± {gcn.std():.0%}")
display.glue("gnn-mp-gcn-range", f"{gcn.min():.0%} to {gcn.max():.0%}")
display.glue("gnn-mp-mlp", f"{mlp.mean():.0%} ± {mlp.std():.0%}")
display.glue("gnn-mp-labels", f"{spread_labels:.0%}")
display.glue("gnn-mp-largest-class", f"{largest_class:.0%}")

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
    alt="Left, the club with one shape a community: "
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
# Now the question that was left open. The first plot is propagation alone: the distance
# $\lVert \hat A^k H - u u^\top H \rVert_F$ for random $H$, relative to $\lVert H \rVert_F$, under its bound $\mu^k$.
# The second is the trained network, by depth.

# %%
depths = [1, 2, 3, 4, 8]
trained = {depth: train(A_hat, depth, num_seeds) for depth in depths}
untrained = train(A_hat, 8, num_seeds, steps=0)
scores = [trained[depth][0] for depth in depths]
on_labelled = torch.stack([accuracy(X, labelled) for X in scores])  # [depths, S]
on_others = torch.stack([accuracy(X, ~labelled) for X in scores])  # [depths, S]


def relative_roughness(X):
    return roughness(A, X) / torch.linalg.matrix_norm(X)  # of [..., N, d] the [...]


def singular_values(weights):
    return torch.stack([torch.linalg.matrix_norm(W, ord=2) for W in weights])


steps = np.arange(41)
H = torch.randn(N, 16)
smoothed = torch.stack([torch.linalg.matrix_power(A_hat, int(k)) for k in steps]) @ H
alone = roughness(A, smoothed) / torch.linalg.matrix_norm(H)  # [41]

# %% tags=["hide-input", "nbval-ignore-output"]
two, four, eight = on_others[1], on_others[3], on_others[4]
display.glue("gnn-mp-depth-2", f"{two.mean():.0%}")
display.glue("gnn-mp-depth-4", f"{four.mean():.0%} ± {four.std():.0%}")
display.glue("gnn-mp-depth-8", f"{eight.mean():.0%} ± {eight.std():.0%}")
display.glue("gnn-mp-depth-8-labelled", f"{on_labelled[4].mean():.0%}")
for when, (outputs, weights) in {"before": untrained, "after": trained[8]}.items():
    largest = singular_values(weights)
    display.glue(f"gnn-mp-rough-{when}", f"{relative_roughness(outputs).mean():.2f}")
    display.glue(
        f"gnn-mp-singular-{when}", f"{largest.min():.1f} to {largest.max():.1f}"
    )
display.glue("gnn-mp-singular-bound", f"{1 / mu:.2f}")


# %% tags=["hide-input", "nbval-ignore-output"]
def draw_depths():
    figures, (left, right) = display.panels((3.4, 3.1), (3.4, 3.1))
    left.semilogy(steps, alone, markevery=5, label="measured")
    left.semilogy(steps, mu**steps, markevery=5, label=r"bound $\mu^k$")
    left.set(xlabel="propagations $k$", ylabel="distance to rank one")
    left.set_title("propagation alone")
    left.legend()
    for values, label in ((on_labelled, "labelled four"), (on_others, "the others")):
        mean, std = values.mean(dim=1), values.std(dim=1)
        (line,) = right.plot(depths, mean, label=label)
        low, high = mean - std, (mean + std).clamp(max=1)
        right.fill_between(depths, low, high, fc=line.get_color(), alpha=0.2, lw=0)
    right.set(xlabel="layers", ylabel="accuracy", ylim=(0, 1.05), xticks=depths)
    right.set_title("trained network")
    right.legend()
    return figures


display.show(
    draw_depths(),
    alt="Left, on a logarithmic axis, the distance to rank one falls fast at first, "
    "then along a line parallel to its bound and below it. Right, accuracy by depth: "
    f"on the labelled four it is {on_labelled.mean():.2f} on average; on the others "
    f"{two.mean():.2f} at 2 layers, {four.mean():.2f} at 4, {eight.mean():.2f} at 8.",
    caption="Propagation by itself forgets what tells nodes apart, in the end at the "
    "rate of its bound. Trained networks lose accuracy on members without a label as "
    "they get deeper.",
)

# %% [markdown]
# From {glue:text}`gnn-mp-depth-2` at two layers, the accuracy falls to {glue:text}`gnn-mp-depth-4` at four and
# {glue:text}`gnn-mp-depth-8` at eight. Bands are one standard deviation over the seeds.
#
# Is that over-smoothing? Look before you say so, at the part $\delta(X) / \lVert X \rVert_F$ of the output $X$ that is
# not smooth. It is {glue:text}`gnn-mp-rough-before` after eight untrained layers, but
# {glue:text}`gnn-mp-rough-after` after training. The largest singular values of the weights, at the start
# {glue:text}`gnn-mp-singular-before`, are {glue:text}`gnn-mp-singular-after` then, all above
# $1/\mu = $ {glue:text}`gnn-mp-singular-bound`, so {eq}`eq-gnn-contraction` forbids nothing. The eight layers do tell
# nodes apart, and get {glue:text}`gnn-mp-depth-8-labelled` of the labelled four right. What fails is to go from these
# four to the others. Depth costs accuracy here; that a deep network ends in features that are all alike is *not* what
# you see.

# %% [markdown]
# ## Molecules, of any size
#
# In a molecule the nodes are atoms and the edges bonds. Take methane and benzene from QM9, a collection of small
# molecules {cite}`ramakrishnan2014qm9`. It writes each of them as text, and RDKit, a library for chemistry, makes the
# graph and adds the hydrogens. A node's features are its element, one-hot; this layer does not see the kinds of bonds.

# %%
ELEMENTS = "HCNOF"
NUMBERS = {"methane": 1, "benzene": 214}  # in QM9


def read_smiles(smiles):
    """Edge list [2, E], one-hot elements [N, 5] and the symbols of a molecule."""
    molecule = Chem.AddHs(Chem.MolFromSmiles(smiles))
    bonds = [(b.GetBeginAtomIdx(), b.GetEndAtomIdx()) for b in molecule.GetBonds()]
    edge_index = torch.tensor(bonds + [(j, i) for i, j in bonds]).T  # [2, E]
    symbols = [atom.GetSymbol() for atom in molecule.GetAtoms()]
    kinds = [ELEMENTS.index(symbol) for symbol in symbols]
    return edge_index, torch.eye(len(ELEMENTS))[kinds], symbols


smiles = data.qm9().set_index("Index")["SMILES"]
graph_of = {name: read_smiles(smiles[number]) for name, number in NUMBERS.items()}


# %% tags=["hide-input"]
def draw_molecules():
    figures, axes = display.panels((2.4, 2.9), (3.6, 2.9))
    for ax, (name, (edges, _, symbols)) in zip(axes, graph_of.items(), strict=True):
        bonds = nx.Graph(edges.T.tolist())
        places = nx.kamada_kawai_layout(bonds)
        drawing.edges(ax, places, bonds.edges)
        for element, marker, hue in zip("CH", "os", display.COLORS, strict=False):
            atoms = [i for i, symbol in enumerate(symbols) if symbol == element]
            drawing.nodes(ax, places, atoms, hue, symbols.__getitem__, marker)
        ax.set(title=name, aspect="equal")
        ax.set_axis_off()
    return figures


display.show(
    draw_molecules(),
    alt="Two molecules as graphs: methane, one carbon in the middle of four "
    "hydrogens; benzene, a ring of six carbons with one hydrogen on each.",
    caption="Two graphs of different sizes for one layer, as its weights do not count "
    "nodes.",
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
# one after the other. This is what a *batch* of graphs is.
#
# Benzene has symmetries: a rotation or a reflection of the ring takes it to itself. For a permutation $P$ that keeps
# bonds and elements, the left side of {eq}`eq-gnn-layer-equivariance` is $F(A, H)$ again, so
#
# $$
# \begin{aligned}
# &P A P^\top = A \ \text{ and } \ P H = H \\
# &\implies P\, F(A, H) = F(A, H) :
# \end{aligned}
# $$ (eq-gnn-symmetric-nodes)
#
# nodes that a symmetry exchanges leave the layer with the same features, whatever $W$ is.

# %%
edges_1, H_1, _ = graph_of["methane"]
edges_2, H_2, symbols = graph_of["benzene"]
batch = torch.cat([edges_1, edges_2 + len(H_1)], dim=1)  # [2, E_1 + E_2]


def symmetries(edge_index, symbols):
    """All permutations that keep bonds and elements."""
    graph = nx.Graph(edge_index.T.tolist())
    nx.set_node_attributes(graph, dict(enumerate(symbols)), "element")
    same_element = nx.isomorphism.categorical_node_match("element", None)
    matcher = nx.isomorphism.GraphMatcher(graph, graph, same_element)
    return [[p[i] for i in range(len(symbols))] for p in matcher.isomorphisms_iter()]


layer = GraphConvolution(len(ELEMENTS), 4)
out = torch.tanh(layer(H_2, edges_2)).detach()  # [12, 4]; a ReLU might zero it all

# %% tags=["hide-input"]
display.glue("gnn-mp-symmetries", f"{len(symmetries(edges_2, symbols))}")
display.glue("gnn-mp-distinct", f"{len(out.round(decimals=9).unique(dim=0))}")


# %% tags=["check"]
def cases():
    H = torch.cat([H_1, H_2])
    A_1, A_2 = adjacency(edges_1, len(H_1)), adjacency(edges_2, len(H_2))
    for d in (1, 4, 9):
        layer = GraphConvolution(len(ELEMENTS), d)
        W = layer.weight
        apart = torch.cat([gcn_layer(A_1, H_1, W), gcn_layer(A_2, H_2, W)])
        yield torch.relu(layer(H, batch)), apart
        yield gcn_layer(torch.block_diag(A_1, A_2), H, W), apart


verify.equal("eq-gnn-batch", cases(), atol=1e-12, against="each molecule by itself")

# %% tags=["check"]
verify.equal(
    "eq-gnn-symmetric-nodes",
    ((out[order], out) for order in symmetries(edges_2, symbols)),
    atol=1e-12,
    against="all symmetries that networkx finds",
)

# %% [markdown]
# Benzene has {glue:text}`gnn-mp-symmetries` such permutations, and its twelve atoms leave with
# {glue:text}`gnn-mp-distinct` different feature vectors: one for all carbons, one for all hydrogens. No training can
# tell two of its carbons apart, and none should.

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
exercises.check("gnn/message_passing/mean_aggregation", mean_aggregation)

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
exercises.check("gnn/message_passing/layer_jacobian", layer_jacobian)

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
# ## Further reading
#
# - Kipf and Welling {cite}`kipf2017gcn` introduce the layer as a first-order approximation of a spectral filter;
#   {doc}`circulant` shows that road on the simplest graph.
# - Gilmer and others {cite}`gilmer2017mpnn` bring earlier networks for molecules into one form, name it message
#   passing, and predict the properties of QM9 with it.
# - Maron and others {cite}`maron2019invariant` count all equivariant linear layers, also between features of pairs of
#   nodes.
# - Xu and others {cite}`xu2019gin` say which graphs message passing can tell apart; Oono and Suzuki
#   {cite}`oono2020oversmoothing` prove what depth does.
