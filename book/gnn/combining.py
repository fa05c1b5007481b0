# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Graphs and time
#
# A recurrent network reads a sequence, one step after another, with the same weights at each step. A graph network
# reads neighbours, with the same weights at each node. **Is a sequence a graph? And what do you build when each node of
# a graph has a history of its own?**
#
# The first question has an exact answer: a recurrent network *is* message passing on a directed path. The second one
# leads to a network with both, and to a small experiment in which either half alone must fail, by an amount that can
# be computed beforehand.

# %% tags=["parameters"]
profile = "smoke"
seed = 0

# %% tags=["set-up"]
import itertools

from helpers import display, exercises, parameters, verify
from helpers.gnn import drawing

import networkx as nx
import numpy as np
import torch
from matplotlib.tri import Triangulation
from torch_geometric.nn import ChebConv, GatedGraphConv

parameters.check(globals(), profile=("smoke", "full"), seed=range(2**31))
display.use_book_style()
torch.manual_seed(seed)
torch.set_default_dtype(torch.float64)  # claims are held to 1e-12

SHAPES = ((1, 2, 3), (2, 1, 1), (7, 3, 4), (12, 2, 6))  # T, d_x, d_h, for the checks

# %% [markdown]
# ## A sequence is a path
#
# Take a sequence $x^{(1)}, \dots, x^{(T)}$ with $x^{(t)} \in \mathbb{R}^{d_x}$. A recurrent network keeps a state
# $h \in \mathbb{R}^{d_h}$ and updates it at each step:
#
# $$
# h^{(t)} = \tanh\big( W_{hx}\, x^{(t)} + W_{hh}\, h^{(t-1)} + b_h \big) , \qquad h^{(0)} = 0 .
# $$ (def-gnn-rnn)
#
# Now draw it. Each step is a node with the features $x^{(t)}$, and from each step an edge runs to the next: a
# **directed path**. The set $\mathcal{N}(t)$ of nodes with an edge *to* $t$ is $\{t - 1\}$, and empty for the first
# node. Read {eq}`def-gnn-rnn` as {term}`message passing` (see {doc}`message_passing`): the message along an edge
# from $s$ is $W_{hh} h_s$; aggregate by a sum; update with $\varphi(x, m) = \tanh(W_{hx} x + m + b_h)$. An empty
# sum is 0, which is what $h^{(0)} = 0$ says. One round updates all nodes at once:
#
# $$
# h_t^{[k]} = \tanh\Big( W_{hx}\, x^{(t)} + \sum_{s \in \mathcal{N}(t)} W_{hh}\, h_s^{[k-1]} + b_h \Big) ,
# \qquad h_t^{[0]} = 0 .
# $$ (def-gnn-rounds)
#
# The round is the same for every graph. Only the edge list says that this one is a path.


# %%
def rounds(X, edge_index, weights, k, start=None):
    """k rounds of messages; X [N, d_x], one row a node, gives states [N, d_h]."""
    W_hx, W_hh, b_h = weights
    source, target = edge_index
    H = torch.zeros(len(X), len(b_h)) if start is None else start  # [N, d_h]
    for _ in range(k):
        messages = H[source] @ W_hh.T  # [E, d_h]
        M = torch.zeros_like(H).index_add(0, target, messages)
        H = torch.tanh(X @ W_hx.T + M + b_h)
    return H


def directed_path(T):
    return torch.stack([torch.arange(T - 1), torch.arange(1, T)])  # [2, T - 1]


# %% tags=["hide-input"]
def draw_directed_graphs():
    steps = range(1, 5)
    path = {t: (t, 0) for t in steps}
    both_ways = {t: (t, 0.5) for t in steps} | {-t: (t, -0.5) for t in steps}
    tree = {1: (0, 1), 2: (1, 1), 3: (2, 1), 4: (0.5, 0), 5: (1.25, -1)}
    onward = [*itertools.pairwise(steps)]
    back = [(-t, -s) for s, t in onward]
    joins = [(1, 4), (2, 4), (4, 5), (3, 5)]
    figures, axes = display.panels((2.2, 1.8), (2.2, 1.8), (2.2, 1.8))
    for ax, places, pairs, title, limit in zip(
        axes,
        (path, both_ways, tree),
        (onward, onward + back, joins),
        ("directed path", "two paths, not joined", "tree, to its root"),
        ((0.5, 4.5), (0.5, 4.5), (-0.6, 2.6)),
        strict=True,
    ):
        drawing.arrows(ax, places, pairs)
        drawing.nodes(ax, places, fill=display.COLORS[0], label=lambda t: f"{abs(t)}")
        ax.set(title=title, xlim=limit, ylim=(-1.5, 1.5))
        ax.set_axis_off()
    return figures


display.show(
    draw_directed_graphs(),
    alt="Three small graphs. A directed path of nodes 1 to 4. Two directed paths over "
    "the same four steps, one to the right and one to the left, with no edge between "
    "them. A tree: nodes 1 and 2 point to 4, nodes 4 and 3 point to the root 5.",
    caption="On the first of these graphs a recurrent network is a graph network. The "
    "others make more of it.",
)

# %% [markdown]
# How many rounds make the recurrent network? Follow node $t$ backwards. After one round it knows $x^{(t)}$. After two,
# its message came from a node that had done one round: it knows $x^{(t-1)}, x^{(t)}$, in that order. By induction,
# after $k$ rounds it holds the state of a network that was started afresh $k$ steps ago. Write $\operatorname{RNN}$
# for the last state that {eq}`def-gnn-rnn` makes of a sequence:
#
# $$
# h_t^{[k]} = \operatorname{RNN}\big( x^{(\max(1,\, t-k+1))}, \dots, x^{(t)} \big) , \qquad k \ge 1 .
# $$ (eq-gnn-rnn-window)
#
# The step of the induction is {eq}`def-gnn-rounds` itself: for $t > 1$, node $t$ puts $x^{(t)}$ on top of
# $h_{t-1}^{[k-1]}$, the state of a network that has read the $k - 1$ steps up to $t - 1$ (fewer at the start of the
# path). So $k$ rounds see $k$ steps, as $k$ layers see $k$ hops, and once $k \ge t$ the window reaches back to the
# beginning: $h_t^{[k]} = h^{(t)}$, and more rounds change nothing. After $T$ rounds all nodes are there. Even the
# start is forgotten: the first node hears nobody, so after a round its state does not depend on $h^{[0]}$, after two
# rounds neither does the second, and so on. From *any* start,
#
# $$
# h_t^{[T]} = h^{(t)} \quad\text{for all } t = 1, \dots, T .
# $$ (eq-gnn-rnn-path)
#
# Both against `torch.nn.RNN`, which keeps two biases of which only the sum counts. The windows are cut out and read
# one by one.


# %%
def rnn_weights(rnn, suffix=""):
    W_hx, W_hh, *biases = (
        getattr(rnn, f"{name}_l0{suffix}").detach()
        for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
    )
    return W_hx, W_hh, sum(biases)


# %% tags=["check"]
def cases():
    for T, d_x, d_h in SHAPES:
        rnn, X, path = torch.nn.RNN(d_x, d_h), torch.randn(T, d_x), directed_path(T)
        for k in range(1, T + 2):
            read = [rnn(X[max(0, t - k) : t])[0][-1] for t in range(1, T + 1)]
            yield rounds(X, path, rnn_weights(rnn), k), torch.stack(read)


verify.equal("eq-gnn-rnn-window", cases(), atol=1e-12, against="torch.nn.RNN")


# %% tags=["check"]
def cases():
    for T, d_x, d_h in SHAPES:
        rnn, X, path = torch.nn.RNN(d_x, d_h), torch.randn(T, d_x), directed_path(T)
        start = torch.randn(T, d_h)
        yield rounds(X, path, rnn_weights(rnn), T, start), rnn(X)[0]


verify.equal("eq-gnn-rnn-path", cases(), atol=1e-12, against="torch.nn.RNN")

# %% [markdown]
# Nobody runs it that way. $T$ rounds send $T (T - 1)$ messages, and all but $T - 1$ of them are recomputed or wrong
# at the time. Since the path has no cycle, you can go through its nodes in **topological order**, each after all that
# point to it, and send each message once, when it is final. That *sweep* is the loop over time. Both need $T$ steps
# one after the other: a message cannot outrun the path, which is why recurrent networks are slow on hardware that
# likes to do many things at once.
#
# ### What is shared
#
# {eq}`def-gnn-rounds` does not read names, so it is permutation equivariant on any graph. What singles out a sequence
# is its edges, and the symmetry that is left is the one of the edges: which renamings map the path to itself? On a
# path with two ends only the identity does. But bend the end round to the start, and you have the directed ring of
# {doc}`circulant`, whose {term}`automorphisms <automorphism>` are the shifts. Write $S$ for the shift,
# $(S X)_i = X_{i+1}$, indices modulo $n$, and $F_k$ for $k$ rounds on the ring:
#
# $$
# F_k(S X) = S\, F_k(X) .
# $$ (eq-gnn-rnn-shift)
#
# A convolution on a ring shares its weights along shifts in space; a recurrent network shares them along shifts in
# **time**. On the path that holds away from the start: what happened ten steps ago is treated alike at whatever hour.


# %%
def directed_ring(n):
    i = torch.arange(n)
    return torch.stack([i, (i + 1) % n])  # [2, n]


# %% tags=["check"]
def cases():
    for T, d_x, d_h in SHAPES:
        weights = torch.randn(d_h, d_x), torch.randn(d_h, d_h), torch.randn(d_h)
        X, ring = torch.randn(T, d_x), directed_ring(T)
        S = torch.eye(T).roll(1, dims=1)  # S[i, i + 1] = 1
        for k in range(1, T + 2):
            yield rounds(S @ X, ring, weights, k), S @ rounds(X, ring, weights, k)


verify.equal("eq-gnn-rnn-shift", cases(), atol=1e-12, against="shifting the states")

# %% [markdown]
# ### Both directions
#
# To let a state know what comes after it, PyTorch has `bidirectional=True`. In our terms, that is **two** directed
# paths over the same inputs, in the middle above. Each has its own weights and its own states, no message passes
# between them, and their states are put side by side. With $\overrightarrow{h}$ from rounds on the path and
# $\overleftarrow{h}$ from rounds with the second weights on the reversed edges,
#
# $$
# \texttt{RNN(bidirectional=True)}(X)_t =
# \big[\, \overrightarrow{h}_t^{[T]} ,\; \overleftarrow{h}_t^{[T]} \,\big] .
# $$ (eq-gnn-bidirectional)


# %%
def two_paths(X, weights, reverse_weights):
    """Both states of each step side by side, [T, 2 d_h]."""
    T, path = len(X), directed_path(len(X))
    forth = rounds(X, path, weights, T)
    back = rounds(X, path.flip(0), reverse_weights, T)
    return torch.cat([forth, back], dim=1)


# %% tags=["check"]
def cases():
    for T, d_x, d_h in SHAPES:
        rnn, X = torch.nn.RNN(d_x, d_h, bidirectional=True), torch.randn(T, d_x)
        yield two_paths(X, rnn_weights(rnn), rnn_weights(rnn, "_reverse")), rnn(X)[0]


verify.equal("eq-gnn-bidirectional", cases(), atol=1e-12, against="torch.nn.RNN")

# %% [markdown]
# That is not the same as an **undirected** path, on which each node sums messages from both sides with one $W_{hh}$.
# There, what a node says comes back to it two rounds later, so there is no order in which each message is final when
# it is sent, and no number of rounds after which all are done. And direction is lost: reversal, $J$ with
# $(J X)_t = X_{T+1-t}$, maps the undirected path to itself, so the network must commute with it whatever its
# weights, for any number of rounds:
#
# $$
# F_k(J X) = J\, F_k(X) \quad\text{on the undirected path.}
# $$ (eq-gnn-undirected-path)
#
# It computes the same for a sentence and for its words in reverse order, read from the other end.


# %%
def undirected_path(T):
    path = directed_path(T)
    return torch.cat([path, path.flip(0)], dim=1)  # [2, 2 (T - 1)]


X = torch.randn(7, 3)
weights = torch.randn(4, 3), torch.randn(4, 4), torch.randn(4)
print("Are the states of the reversed sequence the states, reversed?")
for name, path in (("directed", directed_path), ("undirected", undirected_path)):
    H, H_reversed = (rounds(x, path(7), weights, 7) for x in (X, X.flip(0)))
    print(f"{name} path: {torch.allclose(H_reversed, H.flip(0))}")


# %% tags=["check"]
def cases():
    for T, d_x, d_h in SHAPES:
        weights = torch.randn(d_h, d_x), torch.randn(d_h, d_h), torch.randn(d_h)
        X, path = torch.randn(T, d_x), undirected_path(T)
        for k in range(1, T + 2):
            H = rounds(X, path, weights, k)
            yield rounds(X.flip(0), path, weights, k), H.flip(0)


verify.equal(
    "eq-gnn-undirected-path", cases(), atol=1e-12, against="reversing the states"
)

# %% [markdown]
# ### Trees, and beyond
#
# Nothing in the sweep needs a single predecessor. On a tree whose edges point to the root, the last of the graphs
# above, each node sums what its children say, and as many rounds as the tree has levels (or one sweep) suffice: that
# is a *recursive* network, such as the Tree-LSTM {cite}`tai2015treelstm` for parsed sentences. The same goes for every
# directed graph without cycles. With cycles the order is gone: you fix a number of rounds.

# %% [markdown]
# :::{exercise} One sweep
# :label: ex-gnn-sweep
# Write `sweep(X, edge_index, W_hx, W_hh, b_h)` for a directed graph without cycles: the states $[N, d_h]$ after as
# many rounds of {eq}`def-gnn-rounds` as it takes, but with each message sent once. The nodes are numbered in no
# particular order. How many nodes can be updated at the same time, in a path and in a balanced binary tree?
# :::

# %% [markdown] tags=["solution"]
# :::{solution-start} ex-gnn-sweep
# :class: dropdown
# :::
# A node is ready when all that point to it are done. Go through the nodes in such an order, and let each send its
# message along its edges as soon as its own state is final. In a path one node is ready at a time. In a balanced
# binary tree all leaves are ready at once, then half as many, and so on: $\log_2$ of the number of leaves, plus one,
# steps instead of $N$.


# %% tags=["solution"]
def sweep(X, edge_index, W_hx, W_hh, b_h):
    graph = nx.DiGraph(edge_index.T.tolist())
    graph.add_nodes_from(range(len(X)))
    H = torch.zeros(len(X), len(b_h), dtype=X.dtype)
    M = torch.zeros_like(H)
    for i in nx.topological_sort(graph):
        H[i] = torch.tanh(W_hx @ X[i] + M[i] + b_h)
        for j in graph.successors(i):
            M[j] += W_hh @ H[i]
    return H


# %% [markdown] tags=["solution"]
# :::{solution-end}
# :::

# %%
exercises.check("gnn/combining/sweep", sweep)

# %% [markdown]
# :::{exercise} Sequence or graph
# :label: ex-gnn-sequence-or-graph
# (a) What does a recurrent network assume about its data, and what a graph network? (b) "A sequence is a directed chain
# in which each node is connected to a previous and a next node." Which words of this sentence are loose? (c) Every
# recurrent network is a graph network. In what sense is the converse wrong?
# :::

# %% [markdown] tags=["solution"]
# :::{solution-start} ex-gnn-sequence-or-graph
# :class: dropdown
# :::
# (a) A recurrent network assumes that its inputs come in an order, and that the same rule applies at each place: it
# shares weights along shifts in time. All that it keeps of the past has to pass through a state of fixed size. A graph
# network assumes that inputs are related in pairs, and that names mean nothing: it shares weights along relabellings.
# It needs the edges as part of its input, and it assumes that what matters is few hops away.
#
# (b) The first node has no previous one and the last no next one. And "connected to" hides the direction: in a directed
# path each node *receives* from its previous node only. If it received from both, no sweep would do and direction would
# be lost, by {eq}`eq-gnn-undirected-path`; bidirectional networks are two paths, by {eq}`eq-gnn-bidirectional`.
#
# (c) You may number the nodes of a graph and feed them to a recurrent network, one after another. The result then
# depends on the numbering: the network has been given an order that the data do not have. On a path the order follows
# from the edges; on most graphs it does not.
#
# :::{solution-end}
# :::

# %% [markdown]
# ## Gates on a graph
#
# {eq}`def-gnn-rounds` with many rounds has the trouble of every plain recurrent network: each round multiplies what was
# known by $W_{hh}$ and squashes it, so that it fades or, if the matrix is large, its gradient explodes. The gated
# recurrent unit (GRU) {cite}`cho2014gru` is one answer. Given an input $m$ and a state $h$, it computes a *reset gate*
# $r$, an *update gate* $z$ and a candidate $\tilde h$, and mixes the candidate with the old state:
#
# $$
# \begin{aligned}
# r &= \operatorname{sigm}(W_{ir} m + b_{ir} + W_{hr} h + b_{hr}) , \\
# z &= \operatorname{sigm}(W_{iz} m + b_{iz} + W_{hz} h + b_{hz}) , \\
# \tilde h &= \tanh\big(W_{in} m + b_{in} + r \odot (W_{hn} h + b_{hn})\big) , \\
# \operatorname{GRU}(m, h) &= (1 - z) \odot \tilde h + z \odot h ,
# \end{aligned}
# $$ (def-gnn-gru)
#
# with $\operatorname{sigm}(a) = 1 / (1 + e^{-a})$. Where $z \approx 1$, a state survives as it is, for many rounds,
# and so does its gradient. This is the form of `torch.nn.GRUCell`. Papers often exchange the roles of $z$ and $1 - z$,
# and apply $r$ to $h$ *before* the matrix: $W_{hn} (r \odot h)$ is another function than $r \odot (W_{hn} h)$.
#
# A **gated graph network** {cite}`li2016ggnn` gives each node such a unit. What the neighbours say is the input, what
# the node knew is the state. Let node $i$ start from its features, filled up with zeros to the size $d$ of the state,
# and repeat for $k = 1, \dots, K$:
#
# $$
# \begin{gathered}
# h_i^{(0)} = \begin{bmatrix} x_i \\ 0 \end{bmatrix} , \qquad
# m_i^{(k)} = \sum_{j \in \mathcal{N}(i)} \Theta^{(k)\top} h_j^{(k-1)} , \\
# h_i^{(k)} = \operatorname{GRU}\big( m_i^{(k)},\, h_i^{(k-1)} \big) .
# \end{gathered}
# $$ (def-gnn-gated)
#
# The axis along which this network is recurrent is not time. It is the number of rounds: the features come in once, at
# the start, and then the nodes talk. Write it as it stands, and it is PyG's layer:
#
# $$
# h_i^{(K)} = \texttt{GatedGraphConv}(X)_i \quad\text{with } \texttt{weight}[k - 1] = \Theta^{(k)} .
# $$ (eq-gnn-gated)


# %%
def gated_graph_network(X, edge_index, Theta, W_i, W_h, b_i, b_h):
    """X [N, d_in], Theta [K, d, d] -> [N, d]; W_i, W_h [3 d, d]: r, z, n in turn."""
    source, target = edge_index
    d = Theta.shape[1]
    H = torch.cat([X, torch.zeros(len(X), d - X.shape[1])], dim=1)  # [N, d]
    (W_ir, W_iz, W_in), (W_hr, W_hz, W_hn) = W_i.chunk(3), W_h.chunk(3)
    (b_ir, b_iz, b_in), (b_hr, b_hz, b_hn) = b_i.chunk(3), b_h.chunk(3)
    for Theta_k in Theta:
        M = torch.zeros_like(H).index_add(0, target, H[source] @ Theta_k)
        R = torch.sigmoid(M @ W_ir.T + b_ir + H @ W_hr.T + b_hr)
        Z = torch.sigmoid(M @ W_iz.T + b_iz + H @ W_hz.T + b_hz)
        candidate = torch.tanh(M @ W_in.T + b_in + R * (H @ W_hn.T + b_hn))
        H = (1 - Z) * candidate + Z * H
    return H


# %% tags=["check"]
def cases():
    for N, E, d_in, d, K in ((1, 0, 2, 3, 2), (6, 9, 3, 3, 1), (12, 40, 2, 5, 4)):
        X = torch.randn(N, d_in)
        edge_index = torch.randint(N, (2, E))  # directed, with loops and repeats
        layer = GatedGraphConv(d, num_layers=K)
        gru = layer.rnn.parameters()  # W_i, W_h, b_i, b_h
        ours = gated_graph_network(X, edge_index, layer.weight, *gru)
        yield ours, layer(X, edge_index)


verify.equal("eq-gnn-gated", cases(), atol=1e-12, against="PyG's GatedGraphConv")

# %% [markdown]
# The graphs are directed and have loops, isolated nodes and edges that occur twice; all are taken at face value, a
# repeated edge counting twice, and no degree divides anything. A node without incoming edges hears $m = 0$ and turns
# its GRU by itself.
#
# Apart from the form of the GRU, two things differ from the paper. PyG shares one GRU among all rounds, and has a
# matrix $\Theta^{(k)}$ a round; the paper has one propagation for all rounds, so that their number can be changed. And
# the paper's edges have types and are heard from both ends, with a matrix for each type and end.

# %% [markdown]
# :::{exercise} Types and both ends
# :label: ex-gnn-typed-messages
# Write that sum: `typed_messages(H, edge_index, edge_type, Theta_out, Theta_in)`. An edge of type $r$ from $j$ to $i$
# brings $h_j^\top \Theta^{\text{out}}_r$ to node $i$ *and* $h_i^\top \Theta^{\text{in}}_r$ to node $j$. `H` is
# $[N, d]$, `edge_type` $[E]$, both weights $[R, d, d]$. Then say how a path of words whose parse is known would be
# written with it.
# :::

# %% [markdown] tags=["solution"]
# :::{solution-start} ex-gnn-typed-messages
# :class: dropdown
# :::
# One message an edge and end, each with the matrix of its type. For the words: type 0 from each word to the next, and
# one more type for each grammatical relation ("subject of", "object of"). Order in time and structure of the sentence
# are then edges of one graph.


# %% tags=["solution"]
def typed_messages(H, edge_index, edge_type, Theta_out, Theta_in):
    source, target = edge_index
    forth = torch.einsum("ec,ecd->ed", H[source], Theta_out[edge_type])
    back = torch.einsum("ec,ecd->ed", H[target], Theta_in[edge_type])
    return torch.zeros_like(H).index_add(0, target, forth).index_add(0, source, back)


# %% [markdown] tags=["solution"]
# :::{solution-end}
# :::

# %%
exercises.check("gnn/combining/typed_messages", typed_messages)

# %% [markdown]
# ## A net in the wind
#
# Now let time be time. Take a net of knots and threads. Each thread is a spring, each knot moves up and down, and gusts
# of wind push it. A camera looks on: it sees where each knot is, blurred, and it does not see how fast it moves.
# **Where will each knot be in the next frame?**
#
# With positions $x_t \in \mathbb{R}^N$, velocities $v_t$, the graph Laplacian $L = D - A$, and gusts
# $\varepsilon_t$ and blur $\eta_t$ of independent standard normal numbers,
#
# $$
# \begin{gathered}
# v_{t+1} = (1 - \gamma)\, v_t - \kappa L x_t - \rho\, x_t + q\, \varepsilon_t , \\
# x_{t+1} = x_t + v_{t+1} , \qquad y_t = x_t + r\, \eta_t .
# \end{gathered}
# $$ (def-gnn-net)
#
# Read the terms: friction $\gamma$; the threads, as $(L x)_i = \sum_{j \in \mathcal{N}(i)} (x_i - x_j)$ pulls a knot
# to its neighbours; a weak pull $\rho$ to the middle; the wind. The camera gives $y_t$ alone. You can tell what a
# forecast needs: the pull of the threads, which takes the **neighbours**, and the velocity, which takes the **past**.


# %%
kappa, rho, gamma = 0.2, 0.05, 0.05  # threads, pull to the middle, friction
q, r = 0.2, 0.3  # gusts, blur
frames, unseen = 20, 40  # the net starts at rest and moves before the camera does


def mesh(rows, columns, rng):
    """A random net, a shaken, triangulated grid: positions [N, 2], Laplacian [N, N]."""
    grid = np.indices((columns, rows)).reshape(2, -1).T
    positions = (grid + rng.uniform(-0.35, 0.35, grid.shape)) / columns
    edges = torch.from_numpy(Triangulation(*positions.T).edges).long()  # [E, 2]
    A = torch.zeros(len(grid), len(grid))
    A[edges[:, 0], edges[:, 1]] = A[edges[:, 1], edges[:, 0]] = 1
    return positions, torch.diag(A.sum(dim=1)) - A


def film(L, frames, generator):
    """Positions and what the camera sees of them, [frames, N] each; L may change."""
    x = v = torch.zeros(L.shape[-1])
    positions = []
    for L_t in L.expand(unseen + frames, *L.shape[-2:]):
        gusts = q * torch.randn(len(x), generator=generator)
        v = (1 - gamma) * v - kappa * (L_t @ x) - rho * x + gusts
        x = x + v
        positions.append(x)
    x = torch.stack(positions[unseen:])
    return x, x + r * torch.randn(x.shape, generator=generator)


rng = np.random.default_rng(seed)
train_nets = [mesh(4, 5, rng) for _ in range(4)]
test_nets = [mesh(5, 6, rng) for _ in range(3)]
generator = torch.Generator().manual_seed(seed)
x, y = film(test_nets[0][1], frames + 1, generator)

# %% tags=["hide-input"]
positions, L = test_nets[0]
threads = np.argwhere(np.triu(L.numpy(), 1) < 0)  # [E, 2]


def draw_net():
    figures, axes = display.panels((2.7, 2.9), (4, 2.9))
    drawing.edges(axes[0], positions, threads)
    drawing.nodes(axes[0], positions, size=5)
    shown = np.argsort(positions[:, 0])[[0, len(L) // 2, -1]]
    looks = zip(shown, "os^", ("-", "--", "-."), display.COLORS[:3], strict=True)
    for node, marker, dashes, hue in looks:
        axes[0].plot(*positions[node], marker, ms=9, color=hue)
        axes[1].plot(x[:, node], dashes, marker="", color=hue)
        axes[1].plot(y[:, node], marker, linestyle="none", color=hue)
    axes[0].set(title="a net, seen from above", aspect="equal")
    axes[0].set_axis_off()
    axes[1].set(
        xlabel="frame",
        ylabel="height",
        xticks=range(0, frames + 1, 5),
        title="three knots: lines true, markers seen",
    )
    return figures


display.show(
    draw_net(),
    alt="Left, a triangulated net of 30 knots, three of them marked. Right, the "
    "heights of these three over 21 frames: smooth swings, each with scattered "
    "markers around it where the camera saw the knot.",
    caption="What the camera sees is blurred: from one frame, a knot's velocity "
    "cannot be read.",
)

# %% [markdown]
# ### The best possible forecast
#
# Before you train anything, ask what can be had. All randomness in {eq}`def-gnn-net` is normal and all steps are
# linear, so the best forecast in mean square, among all functions of what was seen, is a linear one. For it we need
# covariances. Put position and velocity into one vector $s_t = (x_t, v_t)$ of length $2N$. Insert $v_{t+1}$ into
# $x_{t+1} = x_t + v_{t+1}$:
#
# $$
# s_{t+1} = F s_t + q \begin{bmatrix} I \\ I \end{bmatrix} \varepsilon_t , \qquad
# F = \begin{bmatrix} I - \kappa L - \rho I & (1 - \gamma) I \\ - \kappa L - \rho I & (1 - \gamma) I \end{bmatrix} .
# $$ (def-gnn-state)
#
# So $\operatorname{Cov}(s_{t+1}) = F \operatorname{Cov}(s_t) F^\top + q^2 [I; I][I; I]^\top$, starting from 0 at
# rest, and $\operatorname{Cov}(s_{t+k}, s_t) = F^k \operatorname{Cov}(s_t)$, as later gusts know nothing of $s_t$.
# The blocks for positions give $\operatorname{Cov}(x_t, x_{t'})$ for all frames; what the camera sees has $r^2 I$
# more at $t = t'$.


# %%
def covariances(L, frames):
    """Cov(x_t, x_t') over the frames of a film: [frames, N, frames, N]."""
    N, I = len(L), torch.eye(len(L))
    pull = -kappa * L - rho * I
    F = torch.cat(
        [
            torch.cat([I + pull, (1 - gamma) * I], dim=1),
            torch.cat([pull, (1 - gamma) * I], dim=1),
        ]
    )  # [2 N, 2 N]
    wind = q**2 * I.repeat(2, 2)
    C, now = torch.zeros(frames, N, frames, N), torch.zeros(2 * N, 2 * N)  # at rest
    for _ in range(unseen):
        now = F @ now @ F.T + wind
    for s in range(frames):
        now = F @ now @ F.T + wind
        later = now
        for t in range(s, frames):
            C[t, :, s, :], C[s, :, t, :] = later[:N, :N], later[:N, :N].T
            later = F @ later
    return C


# %% [markdown]
# Let $y_O$ be what you may look at, $C_{OO}$ its covariance matrix and $c$ its covariances with the target
# $y_{i,t+1}$. Try a forecast $w^\top y_O$. It is best when its error has nothing to do with what was seen,
# $c^\top - w^\top C_{OO} = 0$: as all are jointly normal, uncorrelated means independent, so no function of $y_O$ could
# say more about the error. Hence $w = C_{OO}^{-1} c$, and since the forecast and its error are uncorrelated, their
# variances sum to that of the target:
#
# $$
# \begin{aligned}
# \mathbb{E}\big[y_{i,t+1} \,\big|\, y_O\big] &= c^\top C_{OO}^{-1}\, y_O , \\
# \text{mean squared error} &= \operatorname{Var}(y_{i,t+1}) - c^\top C_{OO}^{-1}\, c .
# \end{aligned}
# $$ (eq-gnn-conditional)
#
# Another route to both is the inverse $M$ of the covariance matrix of $y_O$ and the target together. Their normal
# density is $e^{-y^\top M y / 2}$ up to a factor. As a function of the target $y_i$ alone it has its maximum at
# $-M_{iO}\, y_O / M_{ii}$ and the variance $1 / M_{ii}$. For random sets of knots and frames to look at:


# %%
def best_from_seen(C, O, i):
    """The weights w [|O|] of what was seen in the best forecast of i, and its error."""
    w = torch.linalg.solve(C[O][:, O], C[O, i])
    return w, C[i, i] - C[O, i] @ w


# %% tags=["check"]
def cases():
    C = covariances(test_nets[0][1], 4).flatten(2).flatten(0, 1)  # [4 N, 4 N]
    C = C + r**2 * torch.eye(len(C))
    for size in (1, 5, 20, 60):
        O, i = torch.randperm(len(C)).split([size, len(C) - size])
        i = i[0]  # the target, any entry not in O
        w, error = best_from_seen(C, O, i)
        both = torch.cat([O, i[None]])
        M = torch.linalg.inv(C[both][:, both])[-1]  # the row of the target
        yield torch.cat([w, error[None]]), torch.cat([-M[:-1], torch.ones(1)]) / M[-1]


verify.equal(
    "eq-gnn-conditional", cases(), atol=1e-12, against="the inverse covariance matrix"
)

# %% [markdown]
# What does the best forecast look like when all knots and all frames so far may be used? Turn to the eigenvectors
# $L = U \Lambda U^\top$. In the coordinates $U^\top x_t$ the net falls apart into $N$ single masses, the $k$-th on a
# spring of strength $\kappa \lambda_k + \rho$. Because $U$ is orthogonal, $U^\top \varepsilon_t$ and $U^\top \eta_t$
# are again independent standard normal: the $N$ forecasts have nothing to do with each other. For one mass, the best
# forecast is the *Kalman filter* {cite}`kalman1960filter`: it keeps an estimate $(\hat x, \hat v)$ and its covariance
# $\Pi \in \mathbb{R}^{2 \times 2}$. By {eq}`eq-gnn-conditional` for one number seen, the surprise $y - \hat x$ times a
# gain of $\Pi_{:0} / (\Pi_{00} + r^2)$ is added to the estimate, and the gain times $\Pi_{0:}$ taken off $\Pi$. Then
# both move on by the $F$ of this mass, and the next gust is added to $\Pi$. It is itself a small recurrent network, a
# linear one. Let $g_s(\lambda)$ be the weight that it ends up giving to frame $s$. Back in the old coordinates
#
# $$
# \begin{aligned}
# \mathbb{E}[y_{t+1} \mid y_0, \dots, y_t] &= \sum_{s=0}^{t} G_s\, y_s , \\
# G_s &= U \operatorname{diag}\big( g_s(\lambda_1), \dots, g_s(\lambda_N) \big)\, U^\top .
# \end{aligned}
# $$ (eq-gnn-best-forecast)


# %%
def kalman(eigenvalues, frames):
    """Weights g [N, frames] of the forecast after that many frames, and its Π₀₀ [N]."""
    pull = -kappa * eigenvalues - rho  # [N]
    keep = torch.full_like(pull, 1 - gamma)
    F = torch.stack([1 + pull, keep, pull, keep], dim=1).reshape(-1, 2, 2)
    wind, Pi = q**2 * torch.ones(2, 2), torch.zeros(len(pull), 2, 2)
    for _ in range(unseen + 1):
        Pi = F @ Pi @ F.mT + wind
    estimate = torch.zeros(len(pull), 2, frames)  # one column for each frame alone
    for seen in torch.eye(frames):
        gain = Pi[:, :, :1] / (Pi[:, :1, :1] + r**2)  # [N, 2, 1]
        estimate = F @ (estimate + gain @ (seen - estimate[:, :1]))
        Pi = F @ (Pi - gain @ Pi[:, :1]) @ F.mT + wind
    return estimate[:, 0], Pi[:, 0, 0]


def best_filters(L, frames):
    """G [frames, N, N]: the best forecast after these frames sums all G_s y_s."""
    eigenvalues, U = torch.linalg.eigh(L)
    g, _ = kalman(eigenvalues, frames)  # [N, frames]
    return torch.einsum("ik,ks,jk->sij", U, g, U)


# %% tags=["check"]
def cases():
    for _, L in (train_nets[0], test_nets[0]):
        for t in (1, 2, 8):
            N, C = len(L), covariances(L, t + 1)
            C_OO = C[:t, :, :t].reshape(t * N, t * N) + r**2 * torch.eye(t * N)
            w = torch.linalg.solve(C_OO, C[:t, :, t].reshape(t * N, N))  # [t N, N]
            yield best_filters(L, t), w.reshape(t, N, N).mT


verify.equal(
    "eq-gnn-best-forecast",
    cases(),
    atol=1e-12,
    against="the covariances of all knots and frames at once",
)

# %% [markdown]
# Each $G_s$ is a function of the Laplacian: a **graph filter**, as in {doc}`modes`. It is permutation equivariant,
# and the functions $g_s$ are the same for every net. Its error, per knot, is the mean of the errors of the masses, with
# $\Pi$ as it stands before $y_{t+1}$ is seen:
#
# $$
# \operatorname{floor}_t = r^2 + \frac1N \sum_{k=1}^{N} \Pi_{00}(\lambda_k) .
# $$ (eq-gnn-floor)
#
# One route is {eq}`eq-gnn-conditional` with all knots at once, the other goes one mass at a time. Without threads all
# $\lambda_k$ are 0, and a knot's own frames must do as well as those of all.


# %%
def floor_by_mass(L, frames):
    """The least error after 1, …, ``frames`` frames, from all knots and all frames."""
    eigenvalues = torch.linalg.eigvalsh(L)
    Pi_00 = [kalman(eigenvalues, t)[1] for t in range(1, frames + 1)]  # [N] each
    return r**2 + torch.stack(Pi_00).mean(dim=1)


def floor(L, frames, edges, memory):
    """Least error after 1, …, ``frames`` frames, mean over knots.

    With ``edges`` a forecast sees all knots, else its own; with ``memory`` all frames
    so far, else the present one.
    """
    N, C = len(L), covariances(L, frames + 1)
    alone = C.diagonal(dim1=1, dim2=3).permute(2, 0, 1)[:, :, None, :, None]
    C = C[None] if edges else alone  # one problem with N knots, or N with one
    knots = C.shape[2]
    least = []
    for t in range(1, frames + 1):
        first = 0 if memory else t - 1
        size = (t - first) * knots
        C_OO = C[:, first:t, :, first:t].reshape(-1, size, size)
        c = C[:, first:t, :, t].reshape(-1, size, knots)
        explained = (c * torch.linalg.solve(C_OO + r**2 * torch.eye(size), c)).sum()
        variance = C[:, t, :, t].diagonal(dim1=1, dim2=2).sum()
        least.append(r**2 + (variance - explained) / N)
    return torch.stack(least)  # [frames]


# %% tags=["check"]
def cases():
    for _, L in (train_nets[0], test_nets[0]):
        for net, edges in ((L, True), (0 * L, True), (0 * L, False)):
            yield floor_by_mass(net, 8), floor(net, 8, edges=edges, memory=True)


verify.equal(
    "eq-gnn-floor", cases(), atol=1e-12, against="the covariances of knots and frames"
)

# %% [markdown]
# This tells us two things. What to build: something recurrent, made of graph filters, whose weights know no names. And
# what each part is worth: restrict $y_O$ to a knot's own frames, or to the present frame, and {eq}`eq-gnn-conditional`
# gives a floor under **every** network that sees no more, however deep, wide or long trained.

# %%
ALLOWED = {  # edges, memory
    "neither": (False, False),
    "memory only": (False, True),
    "edges only": (True, False),
    "both": (True, True),
}
floors = {
    name: torch.stack([floor(L, frames, *allowed) for _, L in test_nets]).mean(dim=0)
    for name, allowed in ALLOWED.items()
}

# %% [markdown]
# :::{exercise} Two frames
# :label: ex-gnn-two-frames
# Let there be no wind and no blur, $q = r = 0$. (a) Write `next_frame(x_now, x_before, L, kappa, rho, gamma)`, the
# exact next positions from the last two frames. (b) Now with blur: what is the standard deviation of the error of
# $y_t - y_{t-1}$ as an estimate of the velocity $v_t$? Why does a longer memory pay?
# :::

# %% [markdown] tags=["solution"]
# :::{solution-start} ex-gnn-two-frames
# :class: dropdown
# :::
# (a) By {eq}`def-gnn-net` the velocity is the last difference, $v_t = x_t - x_{t-1}$. The rest is inserting.
#
# (b) $y_t - y_{t-1} = v_t + r (\eta_t - \eta_{t-1})$, so the standard deviation is $\sqrt2\, r$. Older frames say
# something about $v_t$, too, by the law of motion: the Kalman filter averages over all of them, with weights $g_s$
# that fade as gusts make old frames stale.


# %% tags=["solution"]
def next_frame(x_now, x_before, L, kappa, rho, gamma):
    v = x_now - x_before
    return x_now + (1 - gamma) * v - kappa * L @ x_now - rho * x_now


# %% [markdown] tags=["solution"]
# :::{solution-end}
# :::

# %%
exercises.check("gnn/combining/next_frame", next_frame)

# %% [markdown]
# ## A recurrent cell on every node
#
# A network does not know $\kappa$, $\gamma$ or $r$. Give it the form, and let it learn. The simplest graph filter of
# features $X \in \mathbb{R}^{N \times d}$ is a polynomial of degree one in the Laplacian:
#
# $$
# X \star \Theta = X \Theta_0 + L X \Theta_1 .
# $$ (def-gnn-graph-filter)
#
# It is a Chebyshev filter of size two {cite}`defferrard2016chebnet`, written in another basis. `ChebConv` uses
# $T_0 = I$ and $T_1 = \tfrac{2}{\lambda} L - I$ for a bound $\lambda$ on the eigenvalues. Insert
# $L = \tfrac{\lambda}{2} (T_1 + I)$ and collect:
#
# $$
# X \star \Theta = T_0\, X \big( \Theta_0 + \tfrac{\lambda}{2} \Theta_1 \big) + T_1\, X\, \tfrac{\lambda}{2} \Theta_1
# = \texttt{ChebConv}(X) .
# $$ (eq-gnn-chebyshev-filter)


# %%
def graph_filter(X, L, Theta):
    """X [..., N, d], L [..., N, N], Theta [..., 2 d, e]: Θ₀ above Θ₁ -> [..., N, e]."""
    LX = L @ X
    return torch.cat([X.expand_as(LX), LX], dim=-1) @ Theta


def chebyshev_twin(Theta, bound):
    """The ChebConv equal to the filter Theta; no eigenvalue of L is over ``bound``."""
    Theta_0, Theta_1 = Theta.chunk(2)  # [d, e] each
    layer = ChebConv(*Theta_0.shape, K=2, normalization=None, bias=False)
    layer.lins[0].weight.data = (Theta_0 + bound / 2 * Theta_1).T
    layer.lins[1].weight.data = (bound / 2 * Theta_1).T
    return layer


# %% tags=["check"]
def cases():
    for (_, L), d, e in zip(test_nets, (1, 2, 5), (3, 2, 4), strict=True):
        X, Theta, edges = torch.randn(len(L), d), torch.randn(2 * d, e), L < 0
        for bound in (torch.linalg.eigvalsh(L)[-1], 2 * L.diagonal().max()):
            layer = chebyshev_twin(Theta, bound)
            theirs = layer(X, edges.nonzero().T, lambda_max=bound)
            yield graph_filter(X, L, Theta), theirs


verify.equal("eq-gnn-chebyshev-filter", cases(), atol=1e-12, against="PyG's ChebConv")

# %% [markdown]
# Now take the GRU and replace each product with a matrix by such a filter {cite}`seo2018structured`. With features
# $X_t \in \mathbb{R}^{N \times d_x}$ and states $H_t \in \mathbb{R}^{N \times d}$ of all nodes, $H_{-1} = 0$:
#
# $$
# \begin{aligned}
# R_t &= \operatorname{sigm}(X_t \star \Theta_{xr} + b_{xr} + H_{t-1} \star \Theta_{hr} + b_{hr}) , \\
# Z_t &= \operatorname{sigm}(X_t \star \Theta_{xz} + b_{xz} + H_{t-1} \star \Theta_{hz} + b_{hz}) , \\
# \tilde H_t &= \tanh\big(X_t \star \Theta_{xn} + b_{xn} + R_t \odot (H_{t-1} \star \Theta_{hn} + b_{hn})\big) , \\
# H_t &= (1 - Z_t) \odot \tilde H_t + Z_t \odot H_{t-1} .
# \end{aligned}
# $$ (def-gnn-graph-gru)
#
# The gates decide how much of its memory a knot keeps, the filters mix in what its neighbours see *and remember*. The
# cell has two switches. Without edges, $L = 0$, only $\Theta_0$ is left, and each node runs a GRU of its own, all
# with the same weights:
#
# $$
# \begin{aligned}
# L = 0 \;\implies\; H_t = {} & \texttt{torch.nn.GRU}(X)_t \\
# & \text{with nodes as the batch.}
# \end{aligned}
# $$ (eq-gnn-no-edges)
#
# Without memory, $H_{t-1}$ replaced by 0, each frame is seen by itself, by a graph network.


# %%
def graph_gru(X, L, weights, memory=1.0):
    """States [T, ..., N, d]; X [T, ..., N, d_x], L [T, ..., N, N] or [1, ..., N, N]."""
    Theta_x, b_x, Theta_h, b_h = weights  # gates r, z, n side by side: [..., 2 d, 3 d]
    from_x = graph_filter(X, L, Theta_x) + b_x  # [T, ..., N, 3 d], all frames at once
    H = torch.zeros_like(from_x[0]).chunk(3, dim=-1)[0]  # [..., N, d]
    states = []
    for x, L_t in zip(from_x, L.expand(len(X), *L.shape[1:]), strict=True):
        H = memory * H
        x_r, x_z, x_n = x.chunk(3, dim=-1)
        h_r, h_z, h_n = (graph_filter(H, L_t, Theta_h) + b_h).chunk(3, dim=-1)
        R, Z = torch.sigmoid(x_r + h_r), torch.sigmoid(x_z + h_z)
        H = (1 - Z) * torch.tanh(x_n + R * h_n) + Z * H
        states.append(H)
    return torch.stack(states)


# %% tags=["check"]
def cases():
    for T, N, d_x, d in ((1, 1, 1, 1), (6, 5, 2, 3), (9, 20, 1, 8)):
        gru, X = torch.nn.GRU(d_x, d), torch.randn(T, N, d_x)
        W_x, W_h, b_x, b_h = gru.parameters()
        Theta_x, Theta_h = (torch.cat([W.T, torch.randn_like(W.T)]) for W in (W_x, W_h))
        no_edges = graph_gru(X, torch.zeros(1, N, N), (Theta_x, b_x, Theta_h, b_h))
        yield no_edges, gru(X)[0]


verify.equal("eq-gnn-no-edges", cases(), atol=1e-12, against="torch.nn.GRU")

# %% [markdown]
# If the edges **change in time**, write $L_t$ for $L$, and nothing else changes. How far does the cell see? At each
# frame, information takes one hop with the input filter, and one hop more with each step of the state, along the edges
# of that frame. So, with the adjacency matrix $A_t$ of frame $t$ and but for unlucky weights,
#
# $$
# \begin{aligned}
# \frac{\partial h_{i,t}}{\partial x_{j,s}} \ne 0 \iff {} & s \le t \;\text{ and} \\
# & \big[ (I + A_t) \cdots (I + A_{s+1}) (I + A_s) \big]_{ij} \ne 0 .
# \end{aligned}
# $$ (eq-gnn-light-cone)
#
# The product counts the ways from $j$ to $i$ with a hop or a pause at each frame, in the order of time. On a graph that
# stays there is one just when $\operatorname{dist}(i, j) \le t - s + 1$: news from afar is old news. You can read this
# off a larger graph, with a node for each pair of knot and frame, and edges from $(j, t - 1)$ to $(i, t)$ for $j = i$
# and for neighbours at frame $t$. All its edges point forward in time. It has no cycle, and the loop over $t$ is the
# sweep of the first section: the graph GRU, too, is message passing, on the product of a graph and a path.
#
# The check takes a net that stays, with its distances, and a graph with new edges at each frame.


# %%
def ways(A):
    """The products of I + A from frame s to t, [t, i, s, j]; A is [T, N, N]."""
    T, N, _ = A.shape
    products = torch.zeros(T, N, T, N)
    for s in range(T):
        product = torch.eye(N)
        for t in range(s, T):
            product = product + A[t] @ product
            products[t, :, s] = product
    return products


# %% tags=["check"]
def depends(L, T, d=2):
    """Whether h[i, t] depends on x[j, s]: [t, i, s, j]."""
    shapes = (2, 3 * d), (3 * d,), (2 * d, 3 * d), (3 * d,)
    weights = [torch.randn(s) / 4 for s in shapes]  # tanh away from its flat ends
    jacobian = torch.autograd.functional.jacobian(
        lambda X: graph_gru(X, L, weights),
        torch.randn(T, L.shape[-1], 1),
        vectorize=True,
    )  # [T, N, d, T, N, 1]
    return (jacobian != 0).any(dim=5).any(dim=2)


def cases(T=4, N=12):
    L = train_nets[0][1]
    by_autograd, A = depends(L[None], T), (L < 0).double()
    yield ways(A.expand(T, -1, -1)) != 0, by_autograd
    hops = torch.from_numpy(nx.floyd_warshall_numpy(nx.from_numpy_array(A.numpy())))
    t, s = torch.arange(T)[:, None, None, None], torch.arange(T)[None, None, :, None]
    yield (s <= t) & (hops[None, :, None, :] <= t - s + 1), by_autograd

    A = (torch.rand(T, N, N) < 0.1).double().triu(1)
    A = A + A.mT  # new edges at each frame
    yield ways(A) != 0, depends(torch.diag_embed(A.sum(dim=2)) - A, T)


verify.equal("eq-gnn-light-cone", cases(), against="autograd")

# %% [markdown]
# ### Four networks at once
#
# The forecast adds a filter of the state to the present frame, $\hat y_{t+1} = y_t + H_t \star \Theta_o + b_o$: the
# network learns by how much each knot will have moved. It is trained to predict the next frame *as the camera sees
# it*, so no hidden truth is used. Two switches make four networks, otherwise alike: with edges or without, with memory
# or without. Each has {glue:text}`gnn-comb-starts` random starts, and all train at once, in a leading dimension. The
# training nets have 20 knots and new wind at each step; the test nets have 30, and none of them is used in training.


# %%
num_starts = 5
num_steps = {"smoke": 160, "full": 400}[profile]
d = 8  # hidden features a knot
edges, memory = (
    torch.tensor([float(allowed[switch]) for allowed in ALLOWED.values()])
    .repeat_interleave(num_starts)[:, None, None]
    .float()
    for switch in (0, 1)
)  # [4 S, 1, 1] each


def start(d_in, d_out):
    """Filters [4 S, 2 d_in, d_out]; Θ₁ smaller, as L stretches by up to a dozen."""
    theta = (torch.rand(2, len(edges), d_in, d_out) * 2 - 1) / d_in**0.5
    return torch.cat([theta[0], theta[1] / 8], dim=1)


def forecast(y, L, weights):
    """Forecasts of the next frame, [T, 4 S, N], from frames y [T, N]."""
    Theta_o, b_o = weights[4:]
    y = y[:, None, :, None].float()
    L = edges * L.float().reshape(-1, 1, *L.shape[-2:])  # [T, 4 S, N, N] or [1, ...]
    H = graph_gru(y, L, weights[:4], memory)  # [T, 4 S, N, d]
    return (y + graph_filter(H, L, Theta_o) + b_o)[..., 0]


def train(nets, steps, frames=12, warm_up=3, lr=0.03):
    weights = [
        start(1, 3 * d),
        torch.zeros(len(edges), 1, 3 * d),
        start(d, 3 * d),
        torch.zeros(len(edges), 1, 3 * d),
        start(d, 1) / 3,
        torch.zeros(len(edges), 1, 1),
    ]
    weights = [W.float().requires_grad_() for W in weights]  # single precision: faster
    optimizer = torch.optim.Adam(weights, lr=lr)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, lr, total_steps=steps)
    L = torch.block_diag(*nets)  # four nets as one graph without edges between them
    for _ in range(steps):
        _, y = film(L, frames + 1, generator)
        error = forecast(y[:-1], L, weights) - y[1:, None]
        optimizer.zero_grad()
        error[warm_up:].square().mean(dim=(0, 2)).sum().backward()
        optimizer.step()
        schedule.step()
    return [W.detach() for W in weights]


# %%
trained = train([L for _, L in train_nets], num_steps)

test_L, num_films = torch.block_diag(*(L for _, L in test_nets)), 20
squared, carried = [], []
with torch.no_grad():
    for _ in range(num_films):
        _, y = film(test_L, frames + 1, generator)
        error = forecast(y[:-1], test_L, trained) - y[1:, None]
        squared.append(error.square().mean(dim=2))  # [frames, 4 S]
        carried.append((y[:-1] - y[1:]).square().mean(dim=1))
by_frame = torch.stack(squared).mean(dim=0).reshape(frames, 4, num_starts)
last_value = torch.stack(carried).mean(dim=0)  # [frames]

settled = slice(5, frames)  # forecasts after 6 frames and more
score = by_frame[settled].mean(dim=0)  # [4, S]
least = torch.stack([floors[name][settled].mean() for name in ALLOWED])

# %% tags=["hide-input", "nbval-ignore-output"]
assert score[3].max() < min(last_value[settled].mean(), score[:3].min())  # each start
for name, values in zip(ALLOWED, score, strict=True):
    key = name.replace(" ", "-")
    display.glue(f"gnn-comb-{key}", f"{values.mean():.3f} ± {values.std():.4f}")
for name, value in zip(ALLOWED, least, strict=True):
    display.glue(f"gnn-comb-floor-{name.replace(' ', '-')}", f"{value:.3f}")
display.glue("gnn-comb-last", f"{last_value[settled].mean():.3f}")
display.glue("gnn-comb-two-frames", f"{floors['both'][1]:.3f}")
display.glue("gnn-comb-all-frames", f"{floors['both'][-1]:.3f}")
display.glue("gnn-comb-above", f"{score[3].mean() / least[3] - 1:.0%}")
display.glue("gnn-comb-rnn-above", f"{score[1].mean() / least[1] - 1:.0%}")
display.glue("gnn-comb-starts", f"{num_starts}")
display.glue("gnn-comb-films", f"{num_films}")
display.glue("gnn-comb-gust-and-blur", f"{q**2 + r**2:.2f}")

# %% [markdown]
# | a forecast that uses | network | mean squared error | floor |
# |---|---|---|---|
# | the last frame, carried forward | none | {glue:text}`gnn-comb-last` | |
# | a knot's present | MLP | {glue:text}`gnn-comb-neither` | {glue:text}`gnn-comb-floor-neither` |
# | all knots' present | graph network | {glue:text}`gnn-comb-edges-only` | {glue:text}`gnn-comb-floor-edges-only` |
# | a knot's past | recurrent network | {glue:text}`gnn-comb-memory-only` | {glue:text}`gnn-comb-floor-memory-only` |
# | all knots' past | graph GRU | {glue:text}`gnn-comb-both` | {glue:text}`gnn-comb-floor-both` |
#
# Mean and standard deviation over {glue:text}`gnn-comb-starts` starts, on {glue:text}`gnn-comb-films` films of the
# test nets, after six frames and more. The spread is that of the starts: all see the same films. A floor is an
# expectation over all films, so on these few a network may land a hair below it.


# %% tags=["hide-input", "nbval-ignore-output"]
def draw_scores():
    figures, axes = display.panels((3.3, 3.4), (3.5, 3.4))
    ylim = (0, 1.05 * max(by_frame.mean(dim=2).max(), last_value[settled].mean()))
    rng = np.random.default_rng(0)
    all_dashes = ((0, (1, 1)), "-.", "--", "-")
    seen = np.arange(1, frames + 1)
    for row, (name, dashes) in enumerate(zip(ALLOWED, all_dashes, strict=True)):
        hue, marker = display.COLORS[row], "os^D"[row]
        spread = row + rng.uniform(-0.2, 0.2, num_starts)
        axes[0].plot(spread, score[row], linestyle="none", marker=marker, color=hue)
        axes[0].hlines(least[row], row - 0.35, row + 0.35, color=display.INK)
        axes[1].plot(
            seen,
            by_frame[:, row].mean(dim=1),
            linestyle=dashes,
            marker=marker,
            color=hue,
            label=name,
        )
        axes[1].plot(seen, floors[name], "-", marker="", lw=0.8, color=display.INK)
    axes[0].axhline(last_value[settled].mean(), color=display.INK, linestyle=":")
    axes[0].annotate(
        "last frame carried forward",
        (3.45, last_value[settled].mean()),
        xytext=(0, -4),
        textcoords="offset points",
        ha="right",
        va="top",
    )
    axes[0].set(
        xticks=range(4),
        xticklabels=[name.replace(" ", "\n") for name in ALLOWED],
        ylabel="mean squared error",
        ylim=ylim,
        title="after six frames and more",
    )
    axes[1].set(
        xlabel="frames seen", xticks=[1, 5, 10, 15, 20], title="thin lines: the floors"
    )
    axes[1].set(ylim=ylim)
    axes[1].legend(loc="lower right", ncols=2, columnspacing=1)
    return figures


display.show(
    draw_scores(),
    alt="Mean squared errors. Left, one marker a start over a bar for the floor: "
    f"neither {score[0].mean():.2f}, memory only {score[1].mean():.2f}, edges only "
    f"{score[2].mean():.2f}, both {score[3].mean():.2f}, all below the last frame "
    f"carried forward at {last_value[settled].mean():.2f}. Right, by frames seen: "
    "without memory the errors stay level, with memory they fall over the first five "
    "frames, with edges and memory close to the lowest thin line.",
    caption="The lowest floor is that of neighbours and past together, and the "
    "network with both ends lowest.",
)

# %% [markdown]
# The network with both beats the last frame, the graph network and the recurrent network, in each of its starts, and
# comes within {glue:text}`gnn-comb-above` of the best that any forecast can do. Even that leaves an error: the next
# gust and the next blur alone, unpredictable for everyone, are $q^2 + r^2 = $ {glue:text}`gnn-comb-gust-and-blur`.
#
# Look at the floors, not only at the networks. The graph network alone is at its floor: more layers would not have
# helped, because velocity is not in the picture. The recurrent network is {glue:text}`gnn-comb-rnn-above` above its
# own, so a larger or longer trained one might do better, but its floor is still far above the graph GRU. It sees the
# neighbours' doings only by what they did to it. And memory means more than two frames: with two, the floor is
# {glue:text}`gnn-comb-two-frames`, with twenty {glue:text}`gnn-comb-all-frames`.
#
# The nets in this test have more knots than any in training, and other edges. Nothing had to be adapted: weights
# belong to no knot.

# %% tags=["hide-input", "nbval-ignore-output"]
positions, L = test_nets[0]
film_generator = torch.Generator().manual_seed(seed + 1)
x, y = film(L, frames + 1, film_generator)
with torch.no_grad():
    by_both = forecast(y[:-1], L, trained)[:, -1]  # [frames, N]


def seen_from_the_side(height):
    flat = positions @ np.array([[1.0, 0.0], [0.35, 0.6]])
    return flat + np.column_stack([np.zeros(len(L)), 0.13 * height.numpy()])  # [N, 2]


def draw_frame(t):
    figures, axes = display.panels((3.3, 2.7), (3.3, 2.7))
    truth = seen_from_the_side(x[t])
    for ax, guess, title in zip(
        axes,
        (y[t - 1], by_both[t - 1]),
        ("last frame carried forward", "graph GRU"),
        strict=True,
    ):
        drawing.edges(ax, truth, threads)
        foot = seen_from_the_side(guess)
        tick = np.array([0.018, 0.0])
        bars = np.stack([truth, foot, foot - tick, foot + tick, foot * np.nan], axis=1)
        ax.plot(*bars.reshape(-1, 2).T, "-", marker="", lw=2, color=display.COLORS[1])
        ax.plot(*truth.T, "o", ms=5, color=display.COLORS[0])
        off = (guess - x[t]).square().mean().sqrt()
        ax.set(title=f"{title}:\noff by {off:.2f}", ylim=(-0.25, 0.8))
        ax.set_axis_off()
    return figures


display.slider(
    draw_frame,
    range(frames - 11, frames + 1),
    label="frame",
    alt=lambda t: (
        f"Frame {t} of a film of a net with {len(L)} knots, seen from the side: true "
        "positions as discs, each with a bar that ends where it was forecast. Root "
        "mean square distance for the last frame carried forward "
        f"{(y[t - 1] - x[t]).square().mean().sqrt():.2f}, for the graph GRU "
        f"{(by_both[t - 1] - x[t]).square().mean().sqrt():.2f}."
    ),
    caption="The shorter the bars, the better the forecast for this film.",
)

# %% [markdown]
# Discs are the true positions, which no network has seen. From each a bar leads to where it was expected one frame
# before. The root mean square length of the bars, in units of height, stands above each net.

# %% [markdown]
# :::{exercise} The wrong threads
# :label: ex-gnn-wrong-threads
# Does the graph GRU use *these* edges, or would any do? Test the trained networks with the same films, but (a) tell
# them a Laplacian with the knots renamed at random. (b) Let a third of the threads tear after eight frames, and tell
# the networks the changing $L_t$, or go on telling them $L$. What do you expect of each of the four? Measure it.
# :::

# %% [markdown] tags=["solution"]
# :::{solution-start} ex-gnn-wrong-threads
# :class: dropdown
# :::
# The two without edges never look at $L$: not a digit changes with what they are told. (a) The other two take the pull
# of strangers for that of their neighbours: trust in wrong edges costs more than having none. (b) Told of each tear,
# the graph GRU goes on nearly as before, though none tore in training; told nothing, it awaits a pull that does not
# come.

# %% tags=["solution", "nbval-ignore-output"]
renamed = torch.randperm(len(test_L))
A = (test_L < 0) * (torch.rand(test_L.shape) > 1 / 3).triu(1)
A = (A + A.mT).double()
torn = torch.stack([test_L] * (unseen + 8) + [A.sum(dim=1).diag() - A] * (frames - 7))
films = {  # the film's L, what the networks are told
    "right": (test_L, test_L),
    "wrong": (test_L, test_L[renamed][:, renamed]),
    "torn, told": (torn, torn[unseen + 1 :]),
    "torn, not told": (torn, test_L),
}
for name, (L, told) in films.items():
    _, y = film(L, frames + 1, torch.Generator().manual_seed(seed + 2))
    with torch.no_grad():
        error = (forecast(y[:-1], told, trained) - y[1:, None])[settled]
    error = error.square().mean(dim=(0, 2)).reshape(4, num_starts).mean(dim=1)
    print(name, dict(zip(ALLOWED, error.numpy().round(2).tolist(), strict=True)))

# %% [markdown] tags=["solution"]
# :::{solution-end}
# :::

# %% [markdown]
# ## Which model fits
#
# | your data | what may be shared | a model that fits |
# |---|---|---|
# | come one after another, and order matters | a rule along time | recurrent network |
# | are related in pairs, and names mean nothing | a rule along relabellings | graph network |
# | form a tree, or a graph without cycles | the same, and there is an order | one sweep from the leaves |
# | are related, and relations act over many rounds | one rule for all rounds, too | gated graph network |
# | are related, and each node has a history | a rule along both | recurrent cell with graph filters |
# | are related by edges that come and go | the same, with $L_t$ or an update an event | dynamic graph network |
#
# A survey {cite}`wu2021survey` sorts graph networks into recurrent, convolutional, autoencoding and spatial-temporal
# ones; you have now met the first two and the last. Where they are at work:
#
# | field | nodes | edges | task |
# |---|---|---|---|
# | vision {cite}`johnson2018image` | objects in a scene | relations such as "left of" | draw an image of it |
# | recommendation {cite}`ying2018pinsage` | pins and boards of Pinterest | a pin is on a board | pins to recommend |
# | chemistry {cite}`decao2018molgan` | atoms | bonds, by kind | generate small molecules |
# | social networks {cite}`qiu2018deepinf` | a user and users nearby | ties between them | will the user do the same? |
# | dynamic graphs {cite}`ma2018dynamic` | users, say | interactions, each at a time | links to come, classes of nodes |
# | traffic {cite}`li2018dcrnn` | sensors at a road | how far by road | speeds of the next hour |
# | language {cite}`marcheggiani2017srl` | words | syntactic dependencies | who does what to whom |
#
# The last two combine as this chapter does: for traffic the filter is inside the recurrent cell, for language a graph
# network stands on top of a recurrent one.

# %% [markdown]
# :::{exercise} A field of your own
# :label: ex-gnn-applications
# Choose three fields in which graph networks are used, or should be. For each say what the nodes, the edges and their
# features are, whether something is predicted for nodes, edges or the whole graph, and one thing that the graph
# leaves out.
# :::

# %% [markdown] tags=["solution"]
# :::{solution-start} ex-gnn-applications
# :class: dropdown
# :::
# Many answers are right. Three:
#
# - *Recommendation.* Nodes are people and things, an edge says that a person chose a thing; features describe the
#   thing. Predicted are edges: the next choice. Left out: why somebody did *not* choose; no edge may mean dislike or
#   that they never met.
# - *Chemistry.* Nodes are atoms with their element, edges bonds with their kind. Predicted is a number for the whole
#   molecule, such as its energy. Left out: where the atoms are in space; two mirror images have the same graph.
# - *Social networks.* Nodes are users, edges ties; features are what they did. Predicted is a label for a node: will it
#   do the same? Left out: what reaches both users from outside. Friends act alike because they influence each other, or
#   because alike people become friends, and the graph does not say which.
#
# In a test of all of them, watch the split. Nodes of one graph are not independent samples.
#
# :::{solution-end}
# :::

# %% [markdown]
# :::{exercise} How to combine
# :label: ex-gnn-combine
# Name two kinds of data with both relations and an order, and sketch for each how a recurrent and a graph network could
# be joined: one after the other, or one inside the other. Which of the two can carry news over many hops *and* many
# steps?
# :::

# %% [markdown] tags=["solution"]
# :::{solution-start} ex-gnn-combine
# :class: dropdown
# :::
# - *Sentences.* Words come in an order, and their parse relates them, often far apart. One after the other: a recurrent
#   network reads the sentence, its states become the features of the words, and a graph network passes messages along
#   the dependencies {cite}`marcheggiani2017srl`. A sentence is read once and its graph does not change, so no more is
#   needed.
# - *Graphs that live*: traffic, a social network whose members and ties change. Graph filters inside the recurrent
#   cell, as in {eq}`def-gnn-graph-gru`, with $L_t$ if edges change; or, if they come one by one, an update of the two
#   nodes that have met, and of their neighbours, at each event {cite}`ma2018dynamic`.
#
# One inside the other: by {eq}`eq-gnn-light-cone` the state carries news one hop further at each step, without a
# layer more. Recurrent networks first and a graph network of $k$ layers after them see all steps, but only $k$
# hops; what a knot learned from afar, it cannot remember.
#
# :::{solution-end}
# :::

# %% [markdown]
# ## What was shown
#
# - A recurrent network is message passing on a directed path. $k$ rounds read $k$ steps, $T$ rounds or one sweep in
#   order make all states. What it shares is shared along shifts in time.
# - A bidirectional network is two paths. An undirected path is something else: it has no order, and cannot tell a
#   sequence from its reverse.
# - A gated graph network is a GRU at each node, recurrent in the number of rounds; it equals PyG's `GatedGraphConv`.
# - For the net in the wind, the best forecast is a recurrent graph filter, and the worth of edges and of memory can be
#   computed before training. A GRU with graph filters comes close; without edges or without memory no network can.
#
# ## Further reading
#
# - Li and others {cite}`li2016ggnn` introduce gated graph networks, Seo and others {cite}`seo2018structured` put
#   graph filters inside recurrent cells.
# - Tai and others {cite}`tai2015treelstm` go from chains to trees.
# - Wu and others {cite}`wu2021survey` survey graph networks, with a section on those in space and time.
