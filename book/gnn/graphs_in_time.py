# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Graphs in time
#
# A net hangs in the wind. Each thread is a spring, each knot moves up and down, and gusts push it. A camera looks on:
# it sees where each knot is, blurred, and it does not see how fast it moves. **Where will each knot be in the next
# frame, and what must a network look at to tell?**
#
# From {doc}`combining` you bring the gated recurrent unit, {eq}`def-gnn-gru`, and that a recurrent network is message
# passing on a path. There each node had one input. Here each node of a graph has a history of its own.

# %% tags=["parameters"]
profile = "smoke"
seed = 0

# %% tags=["set-up"]
from helpers import display, exercises, parameters, verify
from helpers.gnn import drawing, wind
from helpers.gnn import graph_gru as networks

import networkx as nx
import numpy as np
import torch
from torch_geometric.nn import ChebConv

parameters.check(globals(), profile=("smoke", "full"), seed=range(2**31))
display.use_book_style()
torch.manual_seed(seed)
torch.set_default_dtype(torch.float64)  # claims are held to 1e-12

train_nets, test_nets = wind.nets(seed)  # 20 knots each, and 30
places, L = test_nets[0]
threads = np.argwhere(np.triu(L.numpy(), 1) < 0)  # [E, 2]
shown = np.argsort(places[:, 0])[[0, len(L) // 2, -1]]
looks = [*zip(shown, "os^", ("-", "--", "-."), display.COLORS[:3], strict=True)]


# %% tags=["hide-input"]
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
# ## Three knots, by hand
#
# Take a small net: three knots in a row, and no wind. A thread pulls both of its ends towards each other, by 0.2 times
# their difference in height. The middle, at height 0, pulls each knot by 0.05 times its height, and friction takes 0.05
# of each velocity. Lift knot 0 to height 1, and let go.
#
# From frame 0 to frame 1, knot 0 is pulled down by $0.2 \cdot 1 + 0.05 \cdot 1 = 0.25$ and falls to 0.75. Knot 1 is
# pulled up by $0.2 \cdot 1$, to 0.2. Knot 2 has its only neighbour at its own height, and stays where it is.
#
# And knot 1 from frame 1 to frame 2? Of its velocity it keeps $0.95 \cdot 0.2 = 0.19$. Knot 0 is 0.55 above it and
# knot 2 is 0.2 below, so the threads pull it up by $0.2 \cdot (0.55 - 0.2) = 0.07$, and the middle down by 0.01. It
# moves by 0.25, to 0.45. Knot 2 now has a neighbour that is higher, and moves by $0.2 \cdot 0.2 = 0.04$.

# %%
by_hand, v = [[1.0, 0.0, 0.0]], [0.0, 0.0, 0.0]
for frame in range(1, 5):
    x = by_hand[-1]
    pull = [-0.05 * height for height in x]
    for i, j in ((0, 1), (1, 2)):  # a thread
        pull[i] += 0.2 * (x[j] - x[i])
        pull[j] += 0.2 * (x[i] - x[j])
    v = [0.95 * v_i + pull_i for v_i, pull_i in zip(v, pull, strict=True)]
    by_hand.append([x_i + v_i for x_i, v_i in zip(x, v, strict=True)])
    print(f"frame {frame}: heights", [f"{height:.3f}" for height in by_hand[-1]])


# %% tags=["hide-input"]
def draw_by_hand():
    (figure,), (ax,) = display.panels((4.2, 2.7))
    for knot, heights in enumerate(zip(*by_hand, strict=True)):
        ax.plot(heights, label=f"knot {knot}")
    ax.set(xlabel="frame", ylabel="height", xticks=range(5), ylim=(-0.6, 1.1))
    ax.legend(loc="lower left", ncols=3)
    return figure


display.show(
    draw_by_hand(),
    alt="The heights of three knots in frames 0 to 4. Knot 0 falls from 1 to below 0, "
    "knot 1 rises at once, knot 2 from frame 1 on.",
    caption="What happens to knot 0 moves knot 1 a frame later, and knot 2 two frames "
    "later.",
)

# %% [markdown]
# So you can say what a forecast of knot 1 needs. From frame 1 to frame 2 it moves by 0.25. Of that 0.19 is the velocity
# that it has: no single frame shows it, and it takes the **past**. The threads add 0.07, and to know that takes the
# **neighbours**.
#
# ## The law of the net
#
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
# to its neighbours; a weak pull $\kappa_0$ to the middle; the wind. The camera gives $y_t$ alone: the velocity that you
# computed with above is hidden, and so are the exact heights.


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
exercises.check("gnn/graphs_in_time/next_frame", next_frame)

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
# Now take the GRU, {eq}`def-gnn-gru`, and replace each product with a matrix by such a filter
# {cite}`seo2018structured`. With features $X_t \in \mathbb{R}^{N \times d_x}$ and states
# $H_t \in \mathbb{R}^{N \times d}$ of all nodes, $H_{-1} = 0$:
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
# graph all edges point forward in time. It has no cycle, and the loop over $t$ is the sweep of
# {doc}`combining`: the graph GRU, too, is message passing, on the product of a graph and a path.
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
# | are related, and relations act over many rounds | one gate for all rounds, too | gated graph network |
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
# The last two combine both: for traffic the filter is inside the recurrent cell, as in this chapter; for language a
# graph network stands on top of a recurrent one.

# %% [markdown]
# ## What was shown
#
# - The next frame of a net takes the neighbours, whose threads pull, and the past, which alone tells the velocity.
# - A GRU with graph filters is recurrent in time *and* reads neighbours. Without edges it is `torch.nn.GRU` with nodes
#   as the batch; its filter is a Chebyshev filter of size two.
# - News travels one hop with each frame, along the edges of that frame. The loop over time is a sweep over a larger
#   graph, without a cycle.
# - On the net in the wind the graph GRU beats the same cell without edges and the same cell without memory, on nets not
#   seen in training.
#
# ## Exercises

# %% [markdown]
# :::{exercise} How old the news is
# :label: ex-gnn-first-heard
# (a) There are three knots and two frames. In one of the frames 0 and 1 are joined, in the other 1 and 2. In which
# order of the frames does knot 2 hear of knot 0? (b) Write `first_heard(A, i, j)`. `A` is $[T, N, N]$, with
# `A[t, i, j]` 1 where knot $i$ hears knot $j$ in frame $t$, else 0. It returns the first frame in which the state of
# knot $i$ can depend on the input of knot $j$ in frame 0, or $T$ if that is in none of them.
# :::

# %% [markdown] tags=["solution"]
# :::{solution-start} ex-gnn-first-heard
# :class: dropdown
# :::
# (a) First 0 and 1, then 1 and 2: in frame 0 knot 1 hears of knot 0, and in frame 1 knot 2 hears of it from knot 1. In
# the other order knot 1 has nothing to tell in frame 0, and when it hears of knot 0, in frame 1, knot 2 no longer
# listens. So the graph of all edges that ever were does not say who hears of whom.
#
# (b) Carry a mark for each knot that has heard, and let it hop or pause once per frame, from frame 0 on, as
# {eq}`eq-gnn-light-cone` says.


# %% tags=["solution"]
def first_heard(A, i, j):
    T, N, _ = A.shape
    heard = torch.arange(N) == j
    for t in range(T):
        heard = heard | (A[t] @ heard.to(A.dtype) > 0)
        if heard[i]:
            return t
    return T


# %% [markdown] tags=["solution"]
# :::{solution-end}
# :::

# %%
exercises.check("gnn/graphs_in_time/first_heard", first_heard)

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
# - Seo and others {cite}`seo2018structured` put graph filters inside recurrent cells; Defferrard and others
#   {cite}`defferrard2016chebnet` made the filters.
# - Li and others {cite}`li2018dcrnn` forecast traffic so; Ma and others {cite}`ma2018dynamic` follow graphs whose edges
#   come one by one.
# - Wu and others {cite}`wu2021survey` survey graph networks, with a section on those in space and time.
