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
# leads to a network with both, and to a small experiment in which either half alone falls short.

# %% tags=["parameters"]
profile = "smoke"
seed = 0

# %% tags=["set-up"]
import itertools
import math

from helpers import display, exercises, parameters, verify
from helpers.gnn import drawing, wind
from helpers.gnn import graph_gru as networks

import networkx as nx
import numpy as np
import torch
from torch_geometric.nn import ChebConv, GatedGraphConv

parameters.check(globals(), profile=("smoke", "full"), seed=range(2**31))
display.use_book_style()
torch.manual_seed(seed)
torch.set_default_dtype(torch.float64)  # claims are held to 1e-12

SHAPES = ((1, 2, 3), (2, 1, 1), (7, 3, 4), (12, 2, 6))  # T, d_x, d_h, for the checks


# %% tags=["hide-input"]
def draw_three_steps():
    (figure,), (ax,) = display.panels((4.2, 3.0))
    x, h = (1.0, 0.0, 2.0), [0.0, 0.0, 0.0]
    spots = {(t, k): (t, -k) for t in range(3) for k in range(4)}
    moves = [((t, k - 1), (t + 1, k)) for t in range(2) for k in (1, 2, 3)]
    drawing.arrows(ax, spots, moves, display.COLORS[1], 1.4, size=34)
    for k in range(4):
        if k:
            h = [math.tanh(x[t] + 0.5 * (h[t - 1] if t else 0)) for t in range(3)]
        for t, value in enumerate(h):
            style = dict(marker="s") if t < k else {}
            hue = display.COLORS[0] if t < k else None
            label = f"{value:.2f}" if k else "0"
            drawing.nodes(
                ax, spots, [(t, k)], hue, lambda _, n=label: n, size=34, **style
            )
    ax.set(xlim=(-0.6, 2.6), ylim=(-3.5, 0.5), yticks=range(0, -4, -1))
    ax.set_yticklabels(["start", "round 1", "round 2", "round 3"])
    ax.set_xticks(range(3), [f"node {t + 1}\nx = {x[t]:g}" for t in range(3)])
    ax.grid(False)
    return figure


display.show(
    draw_three_steps(),
    alt="Three nodes side by side, in four rows from the start to round 3, with an arrow "
    "from each state to the next node in the next row. Node 1 has 0.76 from round 1 on, "
    "node 2 has 0.00 and then 0.36, node 3 has 0.96, 0.96 and at last 0.97.",
    caption="Three nodes in a row hold the sequence 1, 0, 2, and each hears the one "
    "before it. Squares are what a recurrent network computes.",
)

# %% [markdown]
# ## Three steps, by hand
#
# A recurrent network whose state is one number reads $1$, $0$, $2$. It starts from 0, and at each step adds half of its
# state to the input and takes the hyperbolic tangent: $\tanh(1 + 0) = 0.76$, then $\tanh(0 + 0.38) = 0.36$, then
# $\tanh(2 + 0.18) = 0.97$.
#
# Now give each input a node, and let each node hear the one before it, all at once. In the first round all have heard
# 0: $\tanh 1 = 0.76$, $\tanh 0 = 0$, $\tanh 2 = 0.96$. In the second, node 2 has heard $0.76$ and gets $\tanh(0 + 0.38)
# = 0.36$; but node 3 has heard the 0 of before and stays. In the third round it hears $0.36$ and gets $0.97$. After
# three rounds all three are what the recurrent network computed:

# %%
x, h = [1.0, 0.0, 2.0], [0.0, 0.0, 0.0]
for k in (1, 2, 3):
    heard = [0.0, *h[:-1]]  # from the node before; the first hears nobody
    h = [math.tanh(x_t + m / 2) for x_t, m in zip(x, heard, strict=True)]
    print(f"round {k}:", [f"{state:.2f}" for state in h])

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
    """k rounds of messages; X [N, d_x], one row per node, gives states [N, d_h]."""
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


# %% tags=["hide-input"]
def draw_rounds(k, T=6):
    (figure,), (ax,) = display.panels((4.2, 2.6))
    X = torch.linspace(-1, 1, T)[:, None].requires_grad_()
    weights = torch.ones(1, 1) / 2, torch.ones(1, 1) / 2, torch.zeros(1)
    H = rounds(X, directed_path(T), weights, k)  # [T, 1]
    reads = [torch.autograd.grad(h, X, retain_graph=True)[0] != 0 for h in H.flatten()]
    spots = {(t, s): (s, t) for t in range(1, T + 1) for s in range(1, T + 1)}
    read = [(t, s) for t, s in spots if reads[t - 1][s - 1]]
    final = [(t, s) for t, s in read if t <= k]
    drawing.nodes(ax, spots, [*spots.keys() - {*read}], size=5)
    drawing.nodes(ax, spots, final, fill=display.COLORS[0], marker="s", size=13)
    halfway = [spot for spot in read if spot not in final]
    drawing.nodes(ax, spots, halfway, fill=display.COLORS[1], size=13)
    ax.set(
        xlabel="step s of the sequence",
        ylabel="node t",
        xticks=range(1, T + 1),
        yticks=range(1, T + 1),
        xlim=(0.4, T + 0.6),
        ylim=(T + 0.6, 0.4),
    )
    ax.grid(False)
    return figure


display.slider(
    draw_rounds,
    range(1, 7),
    label="rounds",
    alt=lambda k: (
        f"What each of six nodes has read after {k} round{'s' * (k > 1)}: the last "
        f"{k} of the steps up to its own. Nodes 1 to {k} have read all and are squares."
    ),
    caption="A row shows what a node has read. Squares are final: the window of that "
    "node reaches back to the beginning, and more rounds change nothing.",
)

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
# path with two ends only the identity does. But bend the end round to the start, and you have a directed ring. (Each
# node hears the one before it; in {doc}`circulant` it hears the one after it, which is the mirror image.) Its
# {term}`automorphisms <automorphism>` are the shifts, {eq}`eq-gnn-automorphisms`. Write $S$ for the shift,
# $(S X)_i = X_{i+1}$, indices modulo $n$. For $k$ rounds on the ring
#
# $$
# \operatorname{rounds}_k(S X) = S\, \operatorname{rounds}_k(X) .
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
        yield S @ X, X[[*range(1, T), 0]]
        for k in range(1, T + 2):
            yield rounds(S @ X, ring, weights, k), S @ rounds(X, ring, weights, k)


verify.equal("eq-gnn-rnn-shift", cases(), atol=1e-12, against="shifting the states")


# %% tags=["hide-input"]
def draw_bent():
    figures, axes = display.panels((3.3, 1.7), (2.2, 1.7))
    path, circle = {i: (i, 0) for i in range(6)}, drawing.on_circle(6)
    drawing.arrows(axes[0], path, itertools.pairwise(range(6)))
    drawing.arrows(axes[1], circle, directed_ring(6).T.tolist())
    drawing.nodes(axes[0], path, fill=display.COLORS[0], label=str)
    drawing.nodes(axes[1], circle, fill=display.COLORS[0], label=str)
    axes[0].set(title="one renaming fits", ylim=(-1, 1))
    axes[1].set(title="six renamings fit", aspect="equal")
    for ax in axes:
        ax.set_axis_off()
    return figures


display.show(
    draw_bent(),
    alt="Left, a directed path of nodes 0 to 5. Right, the same six nodes as a "
    "directed ring, with one more arrow, from the last to the first.",
    caption="On the path only the identity keeps all edges. With one more edge, every "
    "shift does.",
)

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
# \operatorname{rounds}_k(J X) = J\, \operatorname{rounds}_k(X) \quad\text{on the undirected path.}
# $$ (eq-gnn-undirected-path)
#
# It computes the same for a sentence and for its words in reverse order, read from the other end.


# %%
def undirected_path(T):
    path = directed_path(T)
    return torch.cat([path, path.flip(0)], dim=1)  # [2, 2 (T - 1)]


X = torch.randn(9, 3)
weights = torch.randn(4, 3), torch.randn(4, 4), torch.randn(4)
both_states = {
    name: [rounds(x, path(9), weights, 9) for x in (X, X.flip(0))]
    for name, path in (("directed", directed_path), ("undirected", undirected_path))
}


# %% tags=["hide-input"]
def draw_reversed():
    figures, axes = display.panels((3.3, 2.5), (3.3, 2.5))
    for ax, (name, (H, H_reversed)) in zip(axes, both_states.items(), strict=True):
        steps = range(1, 10)
        ax.plot(steps, H[:, 0], "-o", ms=8, mfc="none", label="as it is")
        ax.plot(steps, H_reversed.flip(0)[:, 0], "--s", ms=4, label="in reverse")
        ax.set(title=f"{name} path", xlabel="step", ylim=(-1.1, 1.7), xticks=steps)
        ax.legend(loc="upper center", ncols=2)
    axes[0].set(ylabel="a state's first entry")
    return figures


display.show(
    draw_reversed(),
    alt="The first entry of the state at each of nine steps, for a sequence and for "
    "the same sequence fed in reverse. On the directed path the two lines differ; on "
    "the undirected path they coincide at each step.",
    caption="On the undirected path each word gets the same state, whichever end the "
    "sentence is read from.",
)


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


# %% tags=["hide-input"]
def draw_turns():
    figures, axes = display.panels((3, 2.2), (3.6, 2.2))
    path = {i: (i, 0) for i in range(7)}
    spots = {i: (2 ** (3 - r) * (i + 1 - 2**r) + 2 ** (2 - r), -r) for i, r in LEVELS}
    pairs = [(i, (i - 1) // 2) for i in range(1, 7)]
    turns = {i: i + 1 for i in path}, {i: 3 - level for i, level in LEVELS}
    drawing.arrows(axes[0], path, itertools.pairwise(range(7)))
    drawing.arrows(axes[1], spots, pairs)
    limits = ((-0.5, 6.5), (-1.5, 1.5)), ((0, 8), (-2.4, 0.4))
    for ax, places, turn, (xlim, ylim) in zip(
        axes, (path, spots), turns, limits, strict=True
    ):
        drawing.nodes(ax, places, fill=display.COLORS[0], label=lambda i, t=turn: t[i])
        last = max(turn.values())
        ax.set(title=f"{last} turns", xlim=xlim, ylim=ylim)
        ax.set_axis_off()
    return figures


LEVELS = [(i, (i + 1).bit_length() - 1) for i in range(7)]  # of a binary tree
display.show(
    draw_turns(),
    alt="Seven nodes twice, each with the number of the turn at which it is final. On "
    "the path the numbers run from 1 to 7. In the binary tree the four leaves have 1, "
    "their two parents 2 and the root 3.",
    caption="The number in a node is the turn at which its state can be final: a tree "
    "is done sooner than a path of as many nodes.",
)

# %% [markdown]
# :::{exercise} One sweep
# :label: ex-gnn-sweep
# Write `sweep(X, edge_index, W_hx, W_hh, b_h)` for a directed graph without cycles: the states $[N, d_h]$ after as
# many rounds of {eq}`def-gnn-rounds` as it takes, but with each message sent once. The nodes are numbered in no
# particular order. How many turns does a balanced binary tree of $N$ nodes take, and how many a path?
# :::

# %% [markdown] tags=["solution"]
# :::{solution-start} ex-gnn-sweep
# :class: dropdown
# :::
# A node is ready when all that point to it are done. Go through the nodes in such an order, and let each send its
# message along its edges as soon as its own state is final. In a path one node is ready at a time: $N$ turns. In a
# balanced binary tree all leaves are ready at once, then half as many, and so on: $\log_2 (N + 1)$ turns.


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


# %% tags=["hide-input"]
def draw_gate():
    (figure,), (ax,) = display.panels((4.2, 2.5))
    for z, candidate in ((0, 0.2), (0.8, 0.2), (0.98, 0.2)):
        h = [1.0]
        for _ in range(20):
            h.append((1 - z) * candidate + z * h[-1])
        ax.plot(h, label=f"z = {z}", markevery=2)
    ax.axhline(0.2, color=display.INK, lw=0.8, linestyle=":")
    ax.set(xlabel="step", ylabel="state", ylim=(0, 1.1), xticks=range(0, 21, 5))
    ax.legend(loc="center right")
    return figure


display.show(
    draw_gate(),
    alt="A state that starts at 1 while the candidate is 0.2. With z = 0 it is 0.2 "
    "after one step, with z = 0.8 it comes near within ten, and with z = 0.98 it is "
    "still closer to 1 than to 0.2 after 20 steps.",
    caption="The update gate says how long a state stays as it is. The dotted line is "
    "the candidate.",
)

# %% [markdown]
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
# \begin{gathered}
# h_i^{(K)} = \texttt{GatedGraphConv}(X)_i \\
# \text{with } \texttt{weight}[k - 1] = \Theta^{(k)} .
# \end{gathered}
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
# matrix $\Theta^{(k)}$ for each round; the paper has one propagation for all rounds, so that their number can be
# changed. And the paper's edges have types and are heard from both ends, with a matrix for each type and end.
#
# And does a gate keep what plain rounds forget? Change the start by a little, and measure how much of it is left after
# $k$ rounds: the norm of the Jacobian matrix $\partial H^{(k)} / \partial H^{(0)}$, here on a directed ring of five
# nodes with random weights. In the third network a bias $b_{iz}$ of 4 holds the update gate near 1.


# %%
def left_after(network, X):
    """How much of a change at the start is left: the norm of the Jacobian matrix."""
    jacobian = torch.autograd.functional.jacobian(network, X, vectorize=True)
    return jacobian.norm().item()


d, ring = 6, directed_ring(5)
X, K = torch.randn(5, d), range(1, 31)
plain = rnn_weights(torch.nn.RNN(d, d))
layer = GatedGraphConv(d, num_layers=30)
Theta, gru = layer.weight.detach(), [p.detach() for p in layer.rnn.parameters()]
open_gru = [*gru[:2], gru[2] + 4 * torch.eye(3)[1].repeat_interleave(d), gru[3]]
left = {
    "plain rounds": [
        left_after(lambda H, k=k: rounds(0 * X, ring, plain, k, H), X) for k in K
    ],
    "GRU as it starts": [
        left_after(lambda H, k=k: gated_graph_network(H, ring, Theta[:k], *gru), X)
        for k in K
    ],
    "GRU with z near 1": [
        left_after(lambda H, k=k: gated_graph_network(H, ring, Theta[:k], *open_gru), X)
        for k in K
    ],
}


# %% tags=["hide-input"]
def draw_left():
    (figure,), (ax,) = display.panels((4.2, 2.9))
    for name, values in left.items():
        ax.semilogy(K, values, label=name, markevery=4)
    ax.set(xlabel="rounds", ylabel="left of a change at the start")
    ax.legend(loc="lower left")
    return figure


display.show(
    draw_left(),
    alt="On a logarithmic scale, what is left of a change at the start after 1 to 30 "
    "rounds on a ring of five nodes. With plain rounds it falls along a steep line, "
    "with a GRU along a flatter one, and with its update gate near 1 it hardly falls.",
    caption="What plain rounds forget by a factor per round, a gate can keep.",
)

# %% [markdown]
# :::{exercise} Types and both ends
# :label: ex-gnn-typed-messages
# Write that sum: `typed_messages(H, edge_index, edge_type, Theta_out, Theta_in)`. An edge from $j$ to $i$ brings
# $h_j^\top \Theta^{\text{out}}$ to node $i$ *and* $h_i^\top \Theta^{\text{in}}$ to node $j$, both with the matrices of
# its type. `H` is $[N, d]$, `edge_type` $[E]$ counts types from 0, both weights are $[R, d, d]$ for $R$ types. Then say
# how a path of words whose parse is known would be written with it.
# :::

# %% [markdown] tags=["solution"]
# :::{solution-start} ex-gnn-typed-messages
# :class: dropdown
# :::
# One message per edge and end, each with the matrix of its type. For the words: type 0 from each word to the next, and
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

# %% tags=["hide-input"]
train_nets, test_nets = wind.nets(seed)  # 20 knots each, and 30
places, L = test_nets[0]
threads = np.argwhere(np.triu(L.numpy(), 1) < 0)  # [E, 2]
shown = np.argsort(places[:, 0])[[0, len(L) // 2, -1]]
looks = [*zip(shown, "os^", ("-", "--", "-."), display.COLORS[:3], strict=True)]


def draw_net():
    (figure,), (ax,) = display.panels((2.7, 2.7))
    drawing.edges(ax, places, threads)
    drawing.nodes(ax, places, size=5)
    for node, marker, _, hue in looks:
        ax.plot(*places[node], marker, ms=9, color=hue)
    ax.set(aspect="equal")
    ax.set_axis_off()
    return figure


display.show(
    draw_net(),
    alt="A triangulated net of 30 knots, seen from above, three of them marked by a "
    "disc, a square and a triangle.",
    caption="A net from above. Each knot moves up and down; three will be followed.",
)

# %% [markdown]
# With heights $x_t \in \mathbb{R}^N$, velocities $v_t$, the graph Laplacian $L = D - A$, and gusts
# $\varepsilon_t$ and blur $\eta_t$ of independent standard normal numbers,
#
# $$
# \begin{gathered}
# v_{t+1} = (1 - \nu)\, v_t - \kappa L x_t - \kappa_0\, x_t + q_v\, \varepsilon_t , \\
# x_{t+1} = x_t + v_{t+1} , \qquad y_t = x_t + q_y\, \eta_t .
# \end{gathered}
# $$ (def-gnn-net)
#
# Read the terms: friction $\nu$; the threads, as $(L x)_i = \sum_{j \in \mathcal{N}(i)} (x_i - x_j)$ pulls a knot
# to its neighbours; a weak pull $\kappa_0$ to the middle; the wind. The camera gives $y_t$ alone. You can tell what a
# forecast needs: the pull of the threads, which takes the **neighbours**, and the velocity, which takes the **past**.


# %%
def film(L, gusts, blur):
    """Heights and what is seen of them, [frames, N] each; the camera starts late."""
    x = v = torch.zeros(len(L))
    heights = []
    for gust in gusts:
        pull = -wind.KAPPA * (L @ x) - wind.KAPPA_0 * x
        v = (1 - wind.NU) * v + pull + wind.Q_V * gust
        x = x + v
        heights.append(x)
    x = torch.stack(heights[-len(blur) :])
    return x, x + wind.Q_Y * blur


frames = 20
gusts, blur = torch.randn(wind.UNSEEN + 21, len(L)), torch.randn(21, len(L))
x, y = film(L, gusts, blur)
helper = wind.film(L, gusts, blur)  # the same, for threads that tear too
print("helpers.gnn.wind agrees:", torch.allclose(torch.stack(helper)[1], y))


# %% tags=["hide-input"]
def draw_film():
    (figure,), (ax,) = display.panels((4.2, 2.9))
    for node, marker, dashes, hue in looks:
        ax.plot(x[:, node], dashes, marker="", color=hue)
        ax.plot(y[:, node], marker, linestyle="none", color=hue)
    ax.set(xlabel="frame", ylabel="height", xticks=range(0, frames + 1, 5))
    ax.set(title="lines true, markers seen")
    return figure


display.show(
    draw_film(),
    alt="The heights of the three knots over 21 frames: smooth swings, each with "
    "scattered markers around it where the camera saw the knot.",
    caption="What the camera sees is blurred: from one frame, a knot's velocity "
    "cannot be read.",
)

# %% [markdown]
# :::{exercise} Two frames
# :label: ex-gnn-two-frames
# Let there be no wind and no blur, $q_v = q_y = 0$. (a) Write
# `next_frame(x_now, x_before, L, kappa, kappa_0, nu)`, the exact next heights from the last two frames. (b) Now with
# blur: what is the standard deviation of the error of $y_t - y_{t-1}$ as an estimate of the velocity $v_t$? Why does
# a longer memory pay?
# :::

# %% [markdown] tags=["solution"]
# :::{solution-start} ex-gnn-two-frames
# :class: dropdown
# :::
# (a) By {eq}`def-gnn-net` the velocity is the last difference, $v_t = x_t - x_{t-1}$. The rest is inserting.
#
# (b) $y_t - y_{t-1} = v_t + q_y (\eta_t - \eta_{t-1})$, so the standard deviation is $\sqrt2\, q_y$. Older frames say
# something about $v_t$, too, by the law of motion: a mean over many of them has less blur than one difference, until
# gusts have made them stale.


# %% tags=["solution"]
def next_frame(x_now, x_before, L, kappa, kappa_0, nu):
    v = x_now - x_before
    return x_now + (1 - nu) * v - kappa * L @ x_now - kappa_0 * x_now


# %% [markdown] tags=["solution"]
# :::{solution-end}
# :::

# %%
exercises.check("gnn/combining/next_frame", next_frame)

# %% [markdown]
# ## A recurrent cell on every node
#
# A network knows neither $\kappa$ nor $\nu$ nor $q_y$. Give it the form, and let it learn. The simplest graph filter of
# features $X \in \mathbb{R}^{N \times d}$ is a polynomial of degree one in the Laplacian:
#
# $$
# X \star \Theta = X \Theta_0 + L X \Theta_1 .
# $$ (def-gnn-graph-filter)
#
# It is a Chebyshev filter of size two {cite}`defferrard2016chebnet`, written in another basis. For a bound
# $\lambda_{\max}$ on the eigenvalues, `ChebConv` has two matrices of weights, one for $X$ and one for $L' X$ with
# $L' = \tfrac{2}{\lambda_{\max}} L - I$. Insert $L = \tfrac{\lambda_{\max}}{2} (L' + I)$ and collect:
#
# $$
# \begin{aligned}
# X \star \Theta = {} & X \big( \Theta_0 + \tfrac{\lambda_{\max}}{2} \Theta_1 \big) \\
# & {} + L' X\, \tfrac{\lambda_{\max}}{2} \Theta_1 = \texttt{ChebConv}(X) .
# \end{aligned}
# $$ (eq-gnn-chebyshev-filter)


# %%
def graph_filter(X, L, Theta):
    """X [N, d], L [N, N], Theta [2 d, e]: Θ₀ above Θ₁ -> [N, e]."""
    Theta_0, Theta_1 = Theta.chunk(2)
    return X @ Theta_0 + L @ X @ Theta_1


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


# %% tags=["hide-input"]
def draw_filter():
    figures, axes = display.panels((2.7, 2.7), (2.7, 2.7))
    only = torch.zeros(len(L), 1)
    only[shown[1]] = 1
    for ax, X, title in zip(axes, (only, L @ only), ("x", "L x"), strict=True):
        drawing.edges(ax, places, threads)
        up, down = (np.flatnonzero(sign * X[:, 0] > 0) for sign in (1, -1))
        drawing.nodes(ax, places, size=5)
        drawing.nodes(ax, places, up, fill=display.COLORS[1], marker="s", size=12)
        drawing.nodes(ax, places, down, fill=display.COLORS[0], size=12)
        ax.set(title=title, aspect="equal")
        ax.set_axis_off()
    return figures


display.show(
    draw_filter(),
    alt="The net twice. Left, one knot is marked by a square: x is 1 there and 0 at "
    "all others. Right, L x: the same knot, and all of its neighbours as discs.",
    caption="What one knot says stays with Θ₀ where it is, and with Θ₁ gets to its "
    "neighbours. Squares are positive, discs negative, small nodes 0.",
)

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
def graph_gru(X, L, Theta_x, b_x, Theta_h, b_h):
    """States [T, N, d]; X [T, N, d_x], L [T, N, N]; gates r, z, n side by side."""
    H = torch.zeros(X.shape[1], len(b_h) // 3)
    states = []
    for X_t, L_t in zip(X, L, strict=True):
        x_r, x_z, x_n = (graph_filter(X_t, L_t, Theta_x) + b_x).chunk(3, dim=1)
        h_r, h_z, h_n = (graph_filter(H, L_t, Theta_h) + b_h).chunk(3, dim=1)
        R, Z = torch.sigmoid(x_r + h_r), torch.sigmoid(x_z + h_z)
        H = (1 - Z) * torch.tanh(x_n + R * h_n) + Z * H
        states.append(H)
    return torch.stack(states)


def random_cell(d_x, d):
    shapes = (2 * d_x, 3 * d), (3 * d,), (2 * d, 3 * d), (3 * d,)
    return [torch.randn(shape) / 4 for shape in shapes]  # tanh away from its flat ends


X, cell = torch.randn(6, len(L), 2), random_cell(2, 3)
states = graph_gru(X, L.expand(6, -1, -1), *cell)
fast = networks.graph_gru(X, L[None], cell)
print("helpers.gnn.graph_gru agrees:", torch.allclose(fast, states))


# %% tags=["check"]
def cases():
    for T, N, d_x, d in ((1, 1, 1, 1), (6, 5, 2, 3), (9, 20, 1, 8)):
        gru, X = torch.nn.GRU(d_x, d), torch.randn(T, N, d_x)
        W_x, W_h, b_x, b_h = gru.parameters()
        Theta_x, Theta_h = (torch.cat([W.T, torch.randn_like(W.T)]) for W in (W_x, W_h))
        no_edges = graph_gru(X, torch.zeros(T, N, N), Theta_x, b_x, Theta_h, b_h)
        yield no_edges, gru(X)[0]


verify.equal("eq-gnn-no-edges", cases(), atol=1e-12, against="torch.nn.GRU")

# %% [markdown]
# ### How far it sees
#
# If the edges **change in time**, $L_t$ is another matrix at each step, and nothing else changes. How far does the cell
# see? At each frame, information takes one hop with the input filter, and one hop more with each step of the state,
# along the edges of that frame. You can draw it as a larger graph, with a node for each pair of knot and frame:


# %% tags=["hide-input"]
def draw_cone():
    knots, steps, to = range(5), range(4), (1, 3)
    (figure,), (ax,) = display.panels((4.2, 3.2))
    spots = {(i, t): (t, -i) for i in knots for t in steps}
    moves = [
        ((j, t - 1), (i, t))
        for (i, t) in spots
        for j in knots
        if t > 0 and abs(i - j) <= 1
    ]
    cone = {to} | {(j, s) for j, s in spots if abs(j - to[0]) <= to[1] - s}
    inside = [move for move in moves if move[1] in cone]
    drawing.arrows(ax, spots, [m for m in moves if m not in inside], style=":")
    drawing.arrows(ax, spots, inside, color=display.COLORS[0], width=1.6)
    outside = [spot for spot in spots if spot not in cone]
    drawing.nodes(ax, spots, outside)
    drawing.nodes(ax, spots, sorted(cone - {to}), fill=display.COLORS[0])
    drawing.nodes(ax, spots, [to], fill=display.COLORS[1], marker="s")
    ax.set(
        xlabel="frame",
        ylabel="knot",
        xticks=steps,
        yticks=[-i for i in knots],
        yticklabels=knots,
        xlim=(-0.3, 3.3),
        ylim=(-4.4, 0.4),
    )
    ax.grid(False)
    return figure


display.show(
    draw_cone(),
    alt="Five knots in a row, at four frames: a node for each pair. Arrows lead from "
    "each node to the same knot and its neighbours one frame later. Knot 1 at frame 3 "
    "is marked as a square; what leads to it widens by one knot to either side with "
    "each frame back.",
    caption="The states that can reach the square widen by one knot to either side "
    "with each frame back. Each of them has heard the inputs of its own neighbours.",
)

# %% [markdown]
# So, with the adjacency matrix $A_t$ of frame $t$ and but for unlucky weights,
#
# $$
# \begin{aligned}
# \frac{\partial h_{i,t}}{\partial x_{j,s}} \ne 0 \iff {} & s \le t \;\text{ and} \\
# & \big[ (I + A_t) \cdots (I + A_{s+1}) (I + A_s) \big]_{ij} \ne 0 .
# \end{aligned}
# $$ (eq-gnn-light-cone)
#
# The product counts the ways from $j$ to $i$ with a hop or a pause at each frame, in the order of time. On a graph that
# stays there is one just when $\operatorname{dist}(i, j) \le t - s + 1$: news from afar is old news. In the larger
# graph all edges point forward in time. It has no cycle, and the loop over $t$ is the sweep of the first section: the
# graph GRU, too, is message passing, on the product of a graph and a path.
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
def depends(L, d=2):
    """Whether h[i, t] depends on x[j, s]: [t, i, s, j]."""
    cell = random_cell(1, d)
    jacobian = torch.autograd.functional.jacobian(
        lambda X: graph_gru(X, L, *cell), torch.randn(*L.shape[:2], 1), vectorize=True
    )  # [T, N, d, T, N, 1]
    return (jacobian != 0).any(dim=5).any(dim=2)


def cases(T=4, N=12):
    L = train_nets[0][1]
    by_autograd, A = depends(L.expand(T, -1, -1)), (L < 0).double()
    yield ways(A.expand(T, -1, -1)) != 0, by_autograd
    hops = torch.from_numpy(nx.floyd_warshall_numpy(nx.from_numpy_array(A.numpy())))
    t, s = torch.arange(T)[:, None, None, None], torch.arange(T)[None, None, :, None]
    yield (s <= t) & (hops[None, :, None, :] <= t - s + 1), by_autograd

    A = (torch.rand(T, N, N) < 0.1).double().triu(1)
    A = A + A.mT  # new edges at each frame
    yield ways(A) != 0, depends(torch.diag_embed(A.sum(dim=2)) - A)


verify.equal("eq-gnn-light-cone", cases(), against="autograd")

# %% [markdown]
# ### Four networks at once
#
# The forecast adds a filter of the state to the present frame, $\hat y_{t+1} = y_t + H_t \star \Theta_o + b_o$: the
# network learns by how much each knot will have moved. It is trained to predict the next frame *as the camera sees
# it*, so no hidden truth is used. Two switches make four networks, otherwise alike: with edges or without, with memory
# or without. Each has {glue:text}`gnn-comb-starts` random starts, and `helpers.gnn.graph_gru` trains all of them at
# once, side by side in a leading dimension. The training nets have 20 knots and new wind at each step; the test nets
# have 30, and none of them is used in training.

# %%
num_steps, num_films = {"smoke": 160, "full": 400}[profile], 20
generator = torch.Generator().manual_seed(seed)
trained = networks.train([L for _, L in train_nets], num_steps, generator)

generator = torch.Generator().manual_seed(seed + 1)  # the wind of the test
test_L = torch.block_diag(*(L for _, L in test_nets))
squared, carried = [], []
with torch.no_grad():
    for _ in range(num_films):
        _, y = wind.shoot(test_L, frames + 1, generator)
        error = networks.forecast(y[:-1], test_L, trained) - y[1:, None]
        squared.append(error.square().mean(dim=2))  # [frames, 4 S]
        carried.append((y[:-1] - y[1:]).square().mean(dim=1))
shape = num_films, frames, len(networks.KINDS), networks.STARTS
squared, carried = torch.stack(squared).reshape(shape), torch.stack(carried)

settled = slice(5, frames)  # forecasts after 6 frames and more
by_film = squared[:, settled].mean(dim=1)  # [films, 4, S]
score, last_value = by_film.mean(dim=0), carried[:, settled].mean()  # [4, S], a number

# %% tags=["hide-input", "nbval-ignore-output"]
lead = by_film[:, :3].mean(dim=2) - by_film[:, 3:].mean(dim=2)  # of "both", [films, 3]
assert score[3].max() < min(last_value, score[:3].min()) and lead.min() > 0
luck = by_film.mean(dim=2).std(dim=0) / num_films**0.5  # [4]
assert (luck > score.std(dim=1))[:3].all()  # what the text says of starts and films
for name, values, error in zip(networks.KINDS, score, luck, strict=True):
    key = name.replace(" ", "-")
    display.glue(f"gnn-comb-{key}", f"{values.mean():.3f} ± {values.std():.4f}")
    display.glue(f"gnn-comb-luck-{key}", f"{error:.3f}")
display.glue("gnn-comb-last", f"{last_value:.3f}")
display.glue("gnn-comb-lead", f"{lead.mean(dim=0).min():.2f}")
display.glue("gnn-comb-lead-least", f"{lead.min():.2f}")
display.glue("gnn-comb-starts", f"{networks.STARTS}")
display.glue("gnn-comb-films", f"{num_films}")


# %% tags=["hide-input", "nbval-ignore-output"]
def draw_scores():
    figures, axes = display.panels((3.3, 3.4), (3.5, 3.4))
    by_frame = squared.mean(dim=(0, 3))  # [frames, 4]
    ylim = (0, 1.05 * max(by_frame.max(), last_value))
    rng = np.random.default_rng(0)
    all_dashes = ((0, (1, 1)), "-.", "--", "-")
    looks = zip(networks.KINDS, all_dashes, "os^D", display.COLORS, strict=False)
    for row, (name, dashes, marker, hue) in enumerate(looks):
        spots = row + rng.uniform(-0.25, 0.25, num_films)
        films = by_film[:, row].mean(dim=1)
        axes[0].plot(spots, films, linestyle="none", marker=marker, color=hue)
        seen = np.arange(1, frames + 1)
        style = {"linestyle": dashes, "marker": marker, "color": hue, "label": name}
        axes[1].plot(seen, by_frame[:, row], **style)
    axes[0].axhline(last_value, color=display.INK, linestyle=":")
    axes[0].annotate(
        "last frame carried forward",
        (3.45, last_value),
        xytext=(0, -4),
        textcoords="offset points",
        ha="right",
        va="top",
    )
    axes[0].set(
        xticks=range(4),
        xticklabels=[name.replace(" ", "\n") for name in networks.KINDS],
        ylabel="mean squared error",
        xlim=(-0.5, 3.5),
        ylim=ylim,
        title="each film by itself",
    )
    axes[1].set(
        xlabel="frames seen",
        xticks=[1, 5, 10, 15, 20],
        ylim=ylim,
        title="mean over films",
    )
    axes[1].legend(loc="lower right", ncols=2, columnspacing=1)
    return figures


display.show(
    draw_scores(),
    alt="Mean squared errors. Left, one marker per film: "
    f"neither {score[0].mean():.2f} on average, memory only {score[1].mean():.2f}, "
    f"edges only {score[2].mean():.2f}, both {score[3].mean():.2f}, below the last "
    f"frame carried forward at {last_value:.2f}. Right, by frames seen: without memory "
    "the errors stay level, with memory they fall over the first five frames.",
    caption="With neighbours and past together the errors are lowest, on each film. "
    "It takes about five frames to have a memory worth the name.",
)

# %% [markdown]
# | a forecast that uses | network | mean squared error | luck of the films |
# |---|---|---|---|
# | the last frame, carried forward | none | {glue:text}`gnn-comb-last` | |
# | a knot's present | MLP | {glue:text}`gnn-comb-neither` | {glue:text}`gnn-comb-luck-neither` |
# | all knots' present | graph network | {glue:text}`gnn-comb-edges-only` | {glue:text}`gnn-comb-luck-edges-only` |
# | a knot's past | recurrent network | {glue:text}`gnn-comb-memory-only` | {glue:text}`gnn-comb-luck-memory-only` |
# | all knots' past | graph GRU | {glue:text}`gnn-comb-both` | {glue:text}`gnn-comb-luck-both` |
#
# Mean and standard deviation over {glue:text}`gnn-comb-starts` starts, after six frames and more of
# {glue:text}`gnn-comb-films` films of the test nets. The last column is the standard error over films: other films
# would move a whole row by about as much, which in the first three rows of networks is more than another start does.
# But all rows are scored on the same films, so compare them film by film.
#
# In each of its starts the network with both beats the last frame, the graph network and the recurrent network. Film by
# film it is ahead of each of the others by {glue:text}`gnn-comb-lead-least` at least, and by
# {glue:text}`gnn-comb-lead` or more on average. The nets in this test have more knots than any in training, and other
# edges. Nothing had to be adapted: weights belong to no knot.
#
# Could the graph network do better with more layers, or the recurrent one with more features? For this net the question
# has an answer without training: the error of the *best possible* forecast can be computed, for each kind of input.
# The optional chapter {doc}`forecast` does that, and holds these networks against it.

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
# | are related by edges that come and go | the same, with $L_t$, or one update per event | dynamic graph network |
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
# ## What was shown
#
# - A recurrent network is message passing on a directed path. $k$ rounds read $k$ steps, $T$ rounds or one sweep in
#   order make all states. What it shares is shared along shifts in time.
# - A bidirectional network is two paths. An undirected path is something else: it has no order, and cannot tell a
#   sequence from its reverse.
# - A gated graph network is a GRU at each node, recurrent in the number of rounds; it equals PyG's `GatedGraphConv`.
# - A GRU with graph filters is recurrent in time *and* reads neighbours: news travels one hop with each frame. On the
#   net in the wind it beats the same cell without edges and the same cell without memory, on nets not seen in training.
#
# ## Exercises

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
# ## Further reading
#
# - Li and others {cite}`li2016ggnn` introduce gated graph networks, Seo and others {cite}`seo2018structured` put
#   graph filters inside recurrent cells.
# - Tai and others {cite}`tai2015treelstm` go from chains to trees.
# - Wu and others {cite}`wu2021survey` survey graph networks, with a section on those in space and time.
