# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Sequences as graphs
#
# A recurrent network reads a sequence, one step after another, with the same weights at each step. A graph network
# reads neighbours, with the same weights at each node. **Is a sequence a graph, and is a recurrent network a graph
# network?**
#
# The answer is exact: a recurrent network *is* message passing on a directed path. From there it is not far to both
# directions, to trees, and to gates on any graph, which keep what many rounds would forget.

# %% tags=["parameters"]
profile = "smoke"
seed = 0

# %% tags=["set-up"]
import itertools
import math

from helpers import display, exercises, parameters, verify
from helpers.gnn import drawing

import networkx as nx
import torch
from torch_geometric.nn import GatedGraphConv

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
    ax.set(xlabel="step", ylabel="state", ylim=(0, 1.35), xticks=range(0, 21, 5))
    ax.legend(loc="upper center", ncols=3)
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
# $k$ rounds: the norm of the Jacobian matrix $\partial H^{(k)} / \partial H^{(0)}$, as a part of what it is before the
# first round, here on a directed ring of five nodes with one draw of the weights that PyTorch starts with. In the third
# network 4 is added to the bias $b_{iz}$, which holds the update gate near 1.


# %%
def left_after(network, X):
    """How much of a change of 1 at the start is left: the norm of the Jacobian."""
    jacobian = torch.autograd.functional.jacobian(network, X, vectorize=True)
    return jacobian.norm().item() / X.numel() ** 0.5  # 1 before the first round


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
    caption="With the weights that PyTorch draws, plain rounds forget by a factor per "
    "round. A gate can be set to keep.",
)

# %% [markdown]
# :::{exercise} Types and both ends
# :label: ex-gnn-typed-messages
# In the paper of gated graph networks {cite}`li2016ggnn` edges have types and are heard from both ends. Write the sum
# of messages: `typed_messages(H, edge_index, edge_type, Theta_out, Theta_in)`. An edge from $j$ to $i$ brings
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
# ## What was shown
#
# - A recurrent network is message passing on a directed path. $k$ rounds read $k$ steps, $T$ rounds or one sweep in
#   order make all states. What it shares is shared along shifts in time.
# - A bidirectional network is two paths. An undirected path is something else: it has no order, and cannot tell a
#   sequence from its reverse.
# - On a tree, or any directed graph without cycles, one sweep is enough; with cycles you fix a number of rounds.
# - A gated graph network is a GRU at each node, recurrent in the number of rounds; it equals PyG's `GatedGraphConv`.
#
# Each node had one input here: time was the order of the nodes, or it was not there at all. In {doc}`graphs_in_time`
# each node has a history of its own, and a recurrent cell with graph filters reads both.
#
# ## Exercises

# %% [markdown]
# :::{exercise} How long a gate keeps
# :label: ex-gnn-gate-keeps
# Let the candidate $\tilde h$ of {eq}`def-gnn-gru` be the same number in each round, and the update gate $z$ too, as in
# the picture of the gate. (a) By what is the distance of the state from $\tilde h$ multiplied in a round? (b) After how
# many rounds is no more than half of the distance left, with $z = 0.8$, and with $z = 0.98$? (c) All else in the gate
# being 0, which bias $b_{iz}$ gives $z = 0.98$? By about what factor does a bias that is larger by 1 lengthen (b)?
# :::

# %% [markdown] tags=["solution"]
# :::{solution-start} ex-gnn-gate-keeps
# :class: dropdown
# :::
# (a) The new state is $(1 - z)\, \tilde h + z h$, and less $\tilde h$ that is $z\, (h - \tilde h)$: by $z$.
#
# (b) $z^k \le \tfrac12$ from $k = \ln 2 / \lvert \ln z \rvert$ on. That is 3.1 for $z = 0.8$, so 4 rounds, and 34.3 for
# $z = 0.98$, so 35 rounds.
#
# (c) $\operatorname{sigm}(b) = z$ means $e^{b} = z / (1 - z)$, here 49, so $b = 3.9$. For $z$ near 1,
# $\lvert \ln z \rvert \approx 1 - z \approx e^{-b}$, and half of the distance is left after about $0.7\, e^{b}$
# rounds: a bias that is larger by 1 makes them $e \approx 2.7$ times as many.
#
# :::{solution-end}
# :::

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
# ## Further reading
#
# - Tai and others {cite}`tai2015treelstm` go from chains to trees.
# - Li and others {cite}`li2016ggnn` introduce gated graph networks; the gated recurrent unit itself is due to Cho and
#   others {cite}`cho2014gru`.
# - Wu and others {cite}`wu2021survey` survey graph networks, and begin with the recurrent ones.
