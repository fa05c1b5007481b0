# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

# %% [markdown]
# # What PyTorch Geometric does with an edge list
#
# The equations of this book are written for undirected graphs without self-loops, each edge listed once per direction.
# An edge list can hold anything: edges that lead one way, loops, the same edge three times. What do the layers of
# PyTorch Geometric (PyG) do with it? The documentation says little, and no layer complains. Here is what they do, once
# for all chapters.

# %% tags=["parameters"]
profile = "smoke"
seed = 0

# %% tags=["set-up"]
import textwrap

from helpers import display, parameters, verify
from helpers.gnn import drawing
from helpers.gnn.layers import GraphConvolution

import matplotlib.pyplot as plt
import torch
from torch_geometric.nn import (
    GATConv,
    GCNConv,
    GINConv,
    RGCNConv,
    SAGEConv,
    SimpleConv,
)
from torch_geometric.utils import to_dense_adj

parameters.check(globals(), profile=("smoke", "full"), seed=range(2**31))
display.use_book_style()
torch.manual_seed(seed)
torch.set_default_dtype(torch.float64)


# %% tags=["hide-input"]
def draw_list():
    fig, ax = plt.subplots(figsize=(4.0, 2.0))
    places = {0: (0, 0), 1: (1.4, 0), 2: (2.8, 0), 3: (3.9, 0)}
    for bend in (-0.22, 0.22):
        drawing.arrows(ax, places, [(0, 1)], bend=bend)
    drawing.arrows(ax, places, [(2, 1)])
    for side, height in ((1, 0.75), (-1, 0.75)):
        loop = dict(
            arrowstyle="-|>", connectionstyle="arc3,rad=-1.6", color=display.INK
        )
        start, end = (1.4 - 0.08, side * 0.13), (1.4 + 0.08, side * 0.13)
        start, end = (start, end) if side > 0 else (end, start)
        ax.annotate("", end, start, arrowprops=loop)
        ax.text(1.4, side * height, "loop", ha="center", va="center")
    drawing.nodes(ax, places, label=str)
    ax.set(xlim=(-0.4, 4.3), ylim=(-1, 1))
    ax.set_axis_off()
    return fig


display.show(
    draw_list(),
    alt="Four nodes in a row. Two arrows from node 0 to node 1, one from node 2 to "
    "node 1, two loops at node 1; node 3 has no edge.",
    caption="Five edges in a list: one stands twice, a loop stands twice, all lead one "
    "way, and one node has none.",
)

# %% [markdown]
# ## Count the edges
#
# Everything follows from one matrix of counts. As in $A$ (see {doc}`/notation`), row $i$ says from whom node $i$ hears:
#
# $$
# M_{ij} = \text{number of edges from } j \text{ to } i \text{ in the list} .
# $$ (def-pyg-counts)
#
# In `edge_index`, sources stand above targets, and messages flow from source to target. So row $i$ of $M$ counts edges
# whose *target* is $i$. Beware of `to_dense_adj`, which puts the source first:
#
# $$
# \texttt{to\_dense\_adj}(\texttt{edge\_index}) = M^\top .
# $$ (eq-pyg-dense)


# %%
def counts(edge_index, num_nodes):
    M = torch.zeros(num_nodes, num_nodes)
    for source, target in edge_index.T.tolist():
        M[target, source] += 1
    return M


edges = torch.tensor([[0, 0, 2, 1, 1], [1, 1, 1, 1, 1]])  # those of the picture
print(counts(edges, 4))


def random_edges(num_nodes, num_edges):
    """Random directed edges [2, E]: the last node alone, an edge and a loop twice."""
    some = torch.randint(max(num_nodes - 1, 1), (2, num_edges))
    loops = torch.zeros(2, 2, dtype=torch.long)
    return torch.cat([some, some[:, :1], loops], dim=1)


lists = [(edges, 4)]
lists += [(random_edges(N, E), N) for N, E in ((2, 1), (5, 4), (9, 30), (30, 60))]


# %% tags=["check"]
def cases():
    for edge_index, N in lists:
        by_pyg = to_dense_adj(edge_index, max_num_nodes=N)[0].double()
        yield counts(edge_index, N).T, by_pyg


verify.equal("eq-pyg-dense", cases(), against="PyG's to_dense_adj")

# %% [markdown]
# ## Sums and means take the list as it is
#
# A layer that sums, such as `GINConv`, `GatedGraphConv` or `SimpleConv`, sends one message per edge of the list. A loop
# is an edge like any other, and an edge that stands twice is heard twice. With nothing but the sum,
#
# $$
# h_i' = \sum_j M_{ij}\, h_j .
# $$ (eq-pyg-sum)
#
# A layer that takes a mean, such as `SAGEConv` or `RGCNConv`, divides by the number of messages, repeats included. A
# node that nobody sends to gets 0:
#
# $$
# h_i' = \frac{1}{\max(1, \sum_k M_{ik})} \sum_j M_{ij}\, h_j .
# $$ (eq-pyg-mean)


# %%
def summed(edge_index, H):
    return counts(edge_index, len(H)) @ H


def averaged(edge_index, H):
    M = counts(edge_index, len(H))
    return M @ H / M.sum(dim=1, keepdim=True).clamp(min=1)


def bare(layer, **matrices):
    """The layer with the identity or zero in the place of each of its matrices."""
    for name, value in matrices.items():
        parameter = layer.get_parameter(name)
        parameter.data = value * torch.eye(parameter.shape[-1]).expand(parameter.shape)
    return layer


# %% tags=["check"]
def cases():
    for edge_index, N in lists:
        H = torch.randn(N, 3)
        yield summed(edge_index, H), SimpleConv(aggr="sum")(H, edge_index)
        with_itself = GINConv(torch.nn.Identity(), eps=0.5)(H, edge_index)
        yield summed(edge_index, H), with_itself - 1.5 * H


verify.equal("eq-pyg-sum", cases(), atol=1e-12, against="SimpleConv and GINConv")


# %% tags=["check"]
def cases():
    sage = SAGEConv(3, 3, root_weight=False, bias=False)
    bare(sage, **{"lin_l.weight": 1})
    relational = RGCNConv(3, 3, num_relations=1, root_weight=False, bias=False)
    bare(relational, weight=1)
    for edge_index, N in lists:
        H, kind = torch.randn(N, 3), torch.zeros(edge_index.shape[1], dtype=torch.long)
        yield averaged(edge_index, H), sage(H, edge_index)
        yield averaged(edge_index, H), relational(H, edge_index, kind)


verify.equal("eq-pyg-mean", cases(), atol=1e-12, against="SAGEConv and RGCNConv")

# %% [markdown]
# ## A graph convolution adds the loops that are missing
#
# The propagation matrix of a graph convolution, {eq}`def-gnn-propagation`, puts a loop at every node. `GCNConv` leaves
# a loop that is there alone, and however often it stands, it counts once. Let $B$ be $M$ with ones on the diagonal.
# Then `GCNConv` multiplies $H W$ by
#
# $$
# \hat A_{\text{PyG}} = D_B^{-1/2}\, B\, D_B^{-1/2} , \qquad D_B = \operatorname{diag}(B \mathbf{1}) .
# $$ (eq-pyg-gcn)
#
# The degrees are row sums: what *arrives* at a node, loop included, counts, and not what leaves it. For an undirected
# graph without loops, each edge once per direction, $M = M^\top = A$ and $B = \tilde A$: this is $\hat A$.
#
# ## Attention replaces all loops
#
# `GATConv` and `GATv2Conv` remove the loops of the list and add one at each node. The result is the same $B$. With the
# scores $e_{ij}$ of {eq}`def-gnn-gat-score`, and the coefficients of equal edges added up, they attend with
#
# $$
# \alpha_{ij} = \frac{B_{ij} \exp(e_{ij})}{\sum_k B_{ik} \exp(e_{ik})} .
# $$ (eq-pyg-attention)
#
# An edge that stands $m$ times is heard as if $\log m$ were added to its score. A node without edges has
# $\alpha_{ii} = 1$: it hears itself.


# %%
def with_loops(edge_index, num_nodes):
    return counts(edge_index, num_nodes).fill_diagonal_(1)  # B [N, N]


def propagation(edge_index, num_nodes):
    B = with_loops(edge_index, num_nodes)
    d = B.sum(dim=1)
    return B / (d[:, None] * d).sqrt()


def coefficients(edge_index, H, layer):
    """α [N, N] of a GATConv with one head, written out."""
    z = H @ layer.lin.weight.T  # [N, d']
    by_target, by_source = z @ layer.att_dst[0, 0], z @ layer.att_src[0, 0]
    e = torch.nn.functional.leaky_relu(by_target[:, None] + by_source, 0.2)
    weights = with_loops(edge_index, len(H)) * e.exp()
    return weights / weights.sum(dim=1, keepdim=True)


print("what GCNConv multiplies by, for the list of the picture:")
print(propagation(edges, 4).numpy().round(2))


# %% tags=["check"]
def cases():
    for edge_index, N in lists:
        layer = bare(GCNConv(N, N, bias=False), **{"lin.weight": 1})  # H = I, W = I
        yield propagation(edge_index, N), layer(torch.eye(N), edge_index)


verify.equal("eq-pyg-gcn", cases(), atol=1e-12, against="PyG's GCNConv")


# %% tags=["check"]
def cases():
    for edge_index, N in lists:
        H, layer = torch.randn(N, 3), GATConv(3, 4)
        _, (kept, alpha) = layer(H, edge_index, return_attention_weights=True)
        source, target = kept
        summed = torch.zeros(N, N).index_put(
            (target, source), alpha[:, 0], accumulate=True
        )
        yield coefficients(edge_index, H, layer), summed


verify.equal("eq-pyg-attention", cases(), atol=1e-12, against="GATConv's coefficients")

# %% [markdown]
# ## In short
#
# | layer | a loop in the list | an edge that stands $m$ times | a node that hears nobody |
# |---|---|---|---|
# | sum: `GINConv`, `GatedGraphConv`, `SimpleConv` | is a message | $m$ messages | gets a sum of 0 |
# | mean: `SAGEConv`, `RGCNConv` | is a message | $m$ messages, and $m$ in the divisor | gets a mean of 0 |
# | `GCNConv` | counts once | weight $m$, and $m$ in its target's degree | keeps itself |
# | `GATConv`, `GATv2Conv` | is replaced by one loop | weight $m$ in the softmax | keeps itself |
#
# All of them send from `edge_index[0]` to `edge_index[1]` and never back. The common mistake is an undirected graph
# with each edge listed once: PyG takes it for a directed one without a word. The book's own `GraphConvolution` refuses
# it, and loops too:

# %%
try:
    GraphConvolution(2, 2)(torch.eye(2), torch.tensor([[0], [1]]))
except ValueError as error:
    print(textwrap.fill(f"{error}", width=60))

# %% [markdown]
# So before you train: `edge_index` in both directions (`to_undirected`), without repeats (`coalesce`), without loops
# (`remove_self_loops`), unless you mean them. All three are in `torch_geometric.utils`.
