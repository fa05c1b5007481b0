profile = "smoke"
seed = 0

import itertools
import warnings

import matplotlib.pyplot as plt
import networkx as nx
import numpy as np
import torch
from matplotlib.tri import Triangulation
from myst_nb import glue

warnings.filterwarnings(
    "ignore", "`torch.jit.script` is deprecated"
)  # PyG calls it as it is imported
from torch_geometric.nn import ChebConv, GatedGraphConv

from helpers import display, exercises, parameters, verify

parameters.check(globals(), profile=("smoke", "full"), seed=range(2**31))
display.use_book_style()
torch.manual_seed(seed)
torch.set_default_dtype(torch.float64)  # claims are held to 1e-12

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


def draw_arrows(ax, positions, edges, nodes=None, bend=0.0):
    for s, t in edges:
        ax.annotate(
            "",
            positions[t],
            positions[s],
            arrowprops={
                "arrowstyle": "-|>",
                "color": display.INK,
                "shrinkA": 9,
                "shrinkB": 9,
                "connectionstyle": f"arc3,rad={bend}",
            },
        )
    for node, label in (nodes or {}).items():
        ax.plot(*positions[node], "o", ms=17, mfc=display.PAPER, mec=display.INK)
        ax.plot(*positions[node], "o", ms=17, mfc=display.COLORS[0], mew=0, alpha=0.3)
        ax.annotate(label, positions[node], ha="center", va="center", fontsize=9)


fig, axes = plt.subplots(1, 3, figsize=(7.2, 1.9), width_ratios=[1, 1, 0.9])
steps = range(1, 5)
draw_arrows(
    axes[0],
    {t: (t, 0) for t in steps},
    itertools.pairwise(steps),
    {t: str(t) for t in steps},
)
both_ways = {t: (t, 0.5) for t in steps} | {-t: (t, -0.5) for t in steps}
draw_arrows(
    axes[1],
    both_ways,
    [*itertools.pairwise(steps), *itertools.pairwise([-t for t in reversed(steps)])],
    {t: str(abs(t)) for t in both_ways},
)
tree = {1: (0, 1), 2: (1, 1), 3: (2, 1), 4: (0.5, 0), 5: (1.25, -1)}
draw_arrows(axes[2], tree, [(1, 4), (2, 4), (4, 5), (3, 5)], {t: str(t) for t in tree})
titles = ("directed path", "two paths, never joined", "tree, towards its root")
limits = ((0.5, 4.5), (0.5, 4.5), (-0.6, 2.6))
for ax, title, limit in zip(axes, titles, limits, strict=True):
    ax.set(title=title, xlim=limit, ylim=(-1.5, 1.5))
    ax.set_axis_off()
(lambda *a,**k:None)(
    fig,
    alt="Three small graphs. A directed path of nodes 1 to 4. Two directed paths over "
    "the same four steps, one to the right and one to the left, with no edge between "
    "them. A tree: nodes 1 and 2 point to 4, nodes 4 and 3 point to the root 5.",
)

def rnn_weights(rnn, suffix=""):
    W_hx, W_hh, *biases = (
        getattr(rnn, f"{name}_l0{suffix}").detach()
        for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
    )
    return W_hx, W_hh, sum(biases)


windows, k_rounds, states, T_rounds = [], [], [], []
for T, d_x, d_h in ((1, 2, 3), (2, 1, 1), (7, 3, 4), (12, 2, 6)):
    rnn, X, path = torch.nn.RNN(d_x, d_h), torch.randn(T, d_x), directed_path(T)
    states.append(rnn(X)[0].detach())
    T_rounds.append(rounds(X, path, rnn_weights(rnn), T, torch.randn(T, d_h)))
    for k in range(1, T + 2):
        read = [rnn(X[max(0, t - k) : t])[0][-1] for t in range(1, T + 1)]
        windows.append(torch.stack(read).detach())
        k_rounds.append(rounds(X, path, rnn_weights(rnn), k))

(lambda *a,**k:None)("eq-gnn-rnn-window", k_rounds, windows, atol=1e-12)
(lambda *a,**k:None)("eq-gnn-rnn-path", T_rounds, states, atol=1e-12)

T, d_x, d_h = 9, 2, 4
weights = torch.randn(d_h, d_x), torch.randn(d_h, d_h), torch.randn(d_h)
X, i = torch.randn(T, d_x), torch.arange(T)
ring = torch.stack([i, (i + 1) % T])  # [2, T]
S = torch.eye(T).roll(1, dims=1)  # S[i, i + 1] = 1

(lambda *a,**k:None)(
    "eq-gnn-rnn-shift",
    [rounds(S @ X, ring, weights, k) for k in range(1, 8)],
    [S @ rounds(X, ring, weights, k) for k in range(1, 8)],
    atol=1e-12,
)

rnn, path = torch.nn.RNN(d_x, d_h, bidirectional=True), directed_path(T)
there = rounds(X, path, rnn_weights(rnn), T)
back = rounds(X, path.flip(0), rnn_weights(rnn, "_reverse"), T)
(lambda *a,**k:None)(
    "eq-gnn-bidirectional",
    torch.cat([there, back], dim=1),
    rnn(X)[0].detach(),
    atol=1e-12,
)

undirected = torch.cat([path, path.flip(0)], dim=1)  # [2, 2 (T - 1)]
(lambda *a,**k:None)(
    "eq-gnn-undirected-path",
    [rounds(X.flip(0), undirected, weights, k) for k in (1, 3, T)],
    [rounds(X, undirected, weights, k).flip(0) for k in (1, 3, T)],
    atol=1e-12,
)
one_way = [rounds(x, path, weights, T) for x in (X, X.flip(0))]
print("the directed path tells directions apart:")
print(not torch.allclose(one_way[0].flip(0), one_way[1]))

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


(lambda *a:None)("gnn/sweep", sweep)

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


ours, theirs = [], []
for nodes, edges, d_in, d, K in ((1, 0, 2, 3, 2), (6, 9, 3, 3, 1), (12, 40, 2, 5, 4)):
    X = torch.randn(nodes, d_in)
    edge_index = torch.randint(nodes, (2, edges))  # directed, with loops and repeats
    layer = GatedGraphConv(d, num_layers=K)
    theirs.append(layer(X, edge_index).detach())
    gru = [p.detach() for p in layer.rnn.parameters()]  # W_i, W_h, b_i, b_h
    ours.append(gated_graph_network(X, edge_index, layer.weight.detach(), *gru))

(lambda *a,**k:None)("eq-gnn-gated", ours, theirs, atol=1e-12)

def typed_messages(H, edge_index, edge_type, Theta_out, Theta_in):
    source, target = edge_index
    forth = torch.einsum("ec,ecd->ed", H[source], Theta_out[edge_type])
    back = torch.einsum("ec,ecd->ed", H[target], Theta_in[edge_type])
    return torch.zeros_like(H).index_add(0, target, forth).index_add(0, source, back)


(lambda *a:None)("gnn/typed_messages", typed_messages)

kappa, rho, gamma = 0.2, 0.05, 0.05  # threads, pull to the middle, friction
q, r = 0.2, 0.3  # gusts, blur
frames, unseen = 20, 40  # the net starts at rest and moves before the camera does


def mesh(rows, columns, rng):
    """A random net, a shaken and triangulated grid: positions [N, 2], Laplacian [N, N]."""
    grid = np.indices((columns, rows)).reshape(2, -1).T
    positions = (grid + rng.uniform(-0.35, 0.35, grid.shape)) / columns
    edges = torch.from_numpy(Triangulation(*positions.T).edges).long()  # [E, 2]
    A = torch.zeros(len(grid), len(grid))
    A[edges[:, 0], edges[:, 1]] = A[edges[:, 1], edges[:, 0]] = 1
    return positions, torch.diag(A.sum(dim=1)) - A


def film(L, frames, generator):
    """Positions and what the camera sees of them, [frames, N] each."""
    x = v = torch.zeros(len(L))
    positions = []
    for _ in range(unseen + frames):
        gusts = q * torch.randn(len(L), generator=generator)
        v = (1 - gamma) * v - kappa * (L @ x) - rho * x + gusts
        x = x + v
        positions.append(x)
    x = torch.stack(positions[unseen:])
    return x, x + r * torch.randn(x.shape, generator=generator)


rng = np.random.default_rng(seed)
train_nets = [mesh(4, 5, rng) for _ in range(4)]
test_nets = [mesh(5, 6, rng) for _ in range(3)]
generator = torch.Generator().manual_seed(seed)
x, y = film(test_nets[0][1], frames + 1, generator)

positions, L = test_nets[0]
ends = np.argwhere(np.triu(L.numpy(), 1) < 0)  # [E, 2]


def threads(points):
    """All threads of the net as one line with gaps, for a small picture."""
    gaps = np.full((len(ends), 1, 2), np.nan)
    return np.concatenate([points[ends], gaps], axis=1).reshape(-1, 2).T


shown = np.argsort(positions[:, 0])[[0, len(L) // 2, -1]]
fig, axes = plt.subplots(1, 2, figsize=(7.2, 2.9), width_ratios=[1, 1.5])
style = dict(linestyle="-", marker="", color=display.INK)
axes[0].plot(*threads(positions), lw=0.7, alpha=0.5, **style)
axes[0].plot(*positions.T, "o", ms=5, mfc=display.PAPER, mec=display.INK)
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
(lambda *a,**k:None)(
    fig,
    alt="Left, a triangulated net of 30 knots, three of them marked. Right, the "
    "heights of these three over 21 frames: smooth swings, each with scattered "
    "markers around it where the camera saw the knot.",
)

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


C = covariances(test_nets[0][1], 4).flatten(2).flatten(0, 1)  # [4 N, 4 N]
C = C + r**2 * torch.eye(len(C))
solved, inverted = [], []
for size in (1, 5, 20, 60):
    O, i = torch.randperm(len(C)).split([size, len(C) - size])
    i = i[0]  # the target, any entry not in O
    weights = torch.linalg.solve(C[O][:, O], C[O, i])
    solved.append(torch.cat([weights, (C[i, i] - C[O, i] @ weights)[None]]))
    both = torch.cat([O, i[None]])
    precision = torch.linalg.inv(C[both][:, both])[-1]  # M, the row of the target
    inverted.append(torch.cat([-precision[:-1] / precision[-1], 1 / precision[-1:]]))

(lambda *a,**k:None)("eq-gnn-conditional", solved, inverted, atol=1e-12)

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


by_covariance, by_mass, errors, error_sums = [], [], [], []
for (_, L), t in itertools.product((train_nets[0], test_nets[0]), (1, 2, 8)):
    N, C = len(L), covariances(L, t + 1)
    C_OO = C[:t, :, :t].reshape(t * N, t * N) + r**2 * torch.eye(t * N)
    c = C[:t, :, t].reshape(t * N, N)
    weights = torch.linalg.solve(C_OO, c)  # [t N, N]
    eigenvalues, U = torch.linalg.eigh(L)
    g, Pi_00 = kalman(eigenvalues, t)
    by_covariance.append(weights.T.reshape(N, t, N))
    by_mass.append(torch.einsum("ik,ks,jk->isj", U, g, U))
    errors.append(r**2 + (C[t, :, t].trace() - (c * weights).sum()) / N)
    error_sums.append(r**2 + Pi_00.mean())

(lambda *a,**k:None)("eq-gnn-best-forecast", by_covariance, by_mass, atol=1e-12)
(lambda *a,**k:None)("eq-gnn-floor", torch.stack(errors), torch.stack(error_sums), atol=1e-12)

def floor(L, frames, edges, memory):
    """Least error of a forecast after 1, …, ``frames`` frames, mean over knots."""
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

def next_frame(x_now, x_before, L, kappa, rho, gamma):
    v = x_now - x_before
    return x_now + (1 - gamma) * v - kappa * L @ x_now - rho * x_now


(lambda *a:None)("gnn/next_frame", next_frame)

def graph_filter(X, L, Theta):
    """X [..., N, d], L [..., N, N], Theta [..., 2 d, e]: Θ₀ above Θ₁ -> [..., N, e]."""
    LX = L @ X
    return torch.cat([X.expand_as(LX), LX], dim=-1) @ Theta


filtered, chebyshev = [], []
for (_, L), d, e in zip(test_nets, (1, 2, 5), (3, 2, 4), strict=True):
    X, Theta = torch.randn(len(L), d), torch.randn(2 * d, e)
    half = torch.linalg.eigvalsh(L)[-1] / 2
    layer = ChebConv(d, e, K=2, normalization=None, bias=False)
    layer.lins[0].weight.data = (Theta[:d] + half * Theta[d:]).T
    layer.lins[1].weight.data = half * Theta[d:].T
    edges = (L < 0).nonzero().T
    filtered.append(graph_filter(X, L, Theta))
    chebyshev.append(layer(X, edges, lambda_max=2 * half).detach())

(lambda *a,**k:None)("eq-gnn-chebyshev", filtered, chebyshev, atol=1e-12)

def graph_gru(X, L, weights, memory=1.0):
    """States [T, ..., N, d] for features X [T, ..., N, d_x]."""
    Theta_x, b_x, Theta_h, b_h = weights  # gates r, z, n side by side: [..., 2 d, 3 d]
    from_x = graph_filter(X, L, Theta_x) + b_x  # [T, ..., N, 3 d], all frames at once
    H = torch.zeros_like(from_x[0]).chunk(3, dim=-1)[0]  # [..., N, d]
    states = []
    for x_r, x_z, x_n in (x.chunk(3, dim=-1) for x in from_x):
        H = memory * H
        h_r, h_z, h_n = (graph_filter(H, L, Theta_h) + b_h).chunk(3, dim=-1)
        R, Z = torch.sigmoid(x_r + h_r), torch.sigmoid(x_z + h_z)
        H = (1 - Z) * torch.tanh(x_n + R * h_n) + Z * H
        states.append(H)
    return torch.stack(states)


no_edges, each_alone = [], []
for T, N, d_x, d in ((1, 1, 1, 1), (6, 5, 2, 3), (9, 20, 1, 8)):
    gru, X = torch.nn.GRU(d_x, d), torch.randn(T, N, d_x)
    W_x, W_h, b_x, b_h = (p.detach() for p in gru.parameters())
    Theta_x, Theta_h = (torch.cat([W.T, torch.randn_like(W.T)]) for W in (W_x, W_h))
    no_edges.append(graph_gru(X, torch.zeros(N, N), (Theta_x, b_x, Theta_h, b_h)))
    each_alone.append(gru(X)[0].detach())

(lambda *a,**k:None)("eq-gnn-no-edges", no_edges, each_alone, atol=1e-12)

T, N, d = 4, 20, 2
L = train_nets[0][1]
weights = [torch.randn(s) for s in ((2, 3 * d), (3 * d,), (2 * d, 3 * d), (3 * d,))]
weights[0], weights[2] = weights[0] / 4, weights[2] / 4  # keep tanh off its flat ends
jacobian = torch.autograd.functional.jacobian(
    lambda X: graph_gru(X, L, weights), torch.randn(T, N, 1), vectorize=True
)  # [T, N, d, T, N, 1]
depends = (jacobian != 0).any(dim=5).any(dim=2)  # [t, i, s, j]

hops = torch.full((N, N), torch.inf)
for i, reached in nx.all_pairs_shortest_path_length(
    nx.from_numpy_array((L < 0).numpy())
):
    for j, length in reached.items():
        hops[i, j] = length
t, s = torch.arange(T)[:, None, None, None], torch.arange(T)[None, None, :, None]
(lambda *a,**k:None)(
    "eq-gnn-light-cone",
    depends,
    (s <= t) & (hops[None, :, None, :] <= t - s + 1),
)

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
    y, L = y[:, None, :, None].float(), edges * L.float()
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


(lambda *a,**k:None)("gnn-comb-starts", f"{num_starts}", display=False)

