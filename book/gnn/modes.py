# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

# %% [markdown]
# # The Fourier modes of any graph
#
# The karate club of {doc}`message_passing` quarrelled in the end, and each of its members took one of two sides.
# You measured the sides, $+1$ or $-1$, with as much noise as signal. Who stands where? Friends mostly took the same
# side, so what changes slowly along the friendships is signal, and what jumps from friend to friend is noise. Smooth it
# more and more, and watch the fast part go.
#
# Fast and slow are words of signals on a line or a ring. A graph has no order, no direction and no shift. What survives
# of the Fourier modes of {doc}`fourier` there?

# %% tags=["parameters"]
profile = "smoke"
seed = 0

# %% tags=["set-up"]
from helpers import display, exercises, parameters, records, verify
from helpers.gnn import drawing
from helpers.gnn.circulant import circulant, dft_matrix
from helpers.gnn.layers import gcn_norm

import matplotlib.pyplot as plt
import networkx as nx
import numpy as np
import torch
from torch_geometric.nn import GCNConv

parameters.check(globals(), profile=("smoke", "full"), seed=range(2**31))
display.use_book_style()
rng = np.random.default_rng(seed)
torch.manual_seed(seed)
torch.set_default_dtype(torch.float64)  # claims are held to 1e-12
sizes = (3, 4, 5, 8, 13)  # the rings on which they are checked
if profile == "full":
    sizes += (64, 129)

# %% tags=["hide-input"]
club = nx.karate_club_graph()
A_club = nx.to_numpy_array(club, weight=None)  # [N, N]
N = len(club)
side = np.array([1.0 if club.nodes[i]["club"] == "Mr. Hi" else -1.0 for i in club])
tried, measured = np.random.default_rng(seed).standard_normal((2, N, 500))  # noise
taus = (0, 0.1, 0.2, 0.4, 0.8, 3.2)
places = drawing.spread(club)


def smooth(x, tau):
    L = np.diag(A_club.sum(axis=1)) - A_club
    return np.linalg.solve(np.eye(N) + tau * L, x)


def draw_signal(ax, x, scale):
    """Above zero circles, below it squares, in four sizes: the larger, the further."""
    drawing.edges(ax, places, club.edges, alpha=0.6, width=0.5)
    level = np.clip(np.ceil(4 * np.sqrt(np.abs(x) / scale)), 1, 4)
    x_places, y_places = np.array([places[i] for i in range(N)]).T
    for marker, color, signed in (("o", 0, x >= 0), ("s", 1, x < 0)):
        for size in (1, 2, 3, 4):
            chosen = signed & (level == size)
            style = {"ls": "", "marker": marker, "ms": 1 + 4 * size, "clip_on": False}
            where = x_places[chosen], y_places[chosen]
            ax.plot(*where, color=display.COLORS[color], **style)
    ax.set(aspect="equal")
    ax.axis("off")


def draw_smoothing(tau):
    fig, ax = plt.subplots(figsize=(4.2, 3.2))
    draw_signal(ax, smooth(side + measured[:, 0], tau), 2)
    return fig


def describe_smoothing(tau):
    y = smooth(side + measured[:, 0], tau)
    wrong, off = np.sum(np.sign(y) != side), np.mean((y - side) ** 2)
    return (
        "The club, each member a circle for positive and a square for negative, after "
        f"smoothing with tau = {tau:g}: {wrong} of {N} members have the wrong sign, and "
        f"the mean squared error is {off:.2f}."
    )


display.slider(
    draw_smoothing,
    taus,
    label="smoothing τ",
    alt=describe_smoothing,
    caption="Circles are positive, squares negative, larger where the value is. With "
    "no smoothing the noise stays, with too much all members become alike.",
    start=0.2,
)

# %% [markdown]
# ## Three nodes, by hand
#
# Three nodes in a row hold the signal $x = (1, 0, 2)$. Let each subtract its neighbours' values from its own, once for
# each neighbour: node 0 has one neighbour, $1 - 0 = 1$; node 1 has two, $(0 - 1) + (0 - 2) = -3$; node 2 has one,
# $2 - 0 = 2$. As a matrix this is
#
# $$
# L = \begin{bmatrix} 1 & -1 & 0 \\ -1 & 2 & -1 \\ 0 & -1 & 1 \end{bmatrix} ,
# $$ (def-gnn-path-laplacian)
#
# each degree on the diagonal and $-1$ for each edge. Multiply by $x$ once more:
# $x^\top L x = 1 \cdot 1 + 0 \cdot (-3) + 2 \cdot 2 = 5$. That is $1^2 + 2^2$, the squared differences across the two
# edges. For $(1, 1, 1)$ it is 0, and for $(1, -1, 1)$, which jumps across both, $2^2 + 2^2 = 8$.

# %%
L = np.array([[1.0, -1, 0], [-1, 2, -1], [0, -1, 1]])
for x in np.array([[1.0, 0, 2], [1, 1, 1], [1, -1, 1]]):
    print(f"x = {x},  L x = {L @ x},  xᵀ L x = {x @ L @ x:g}")


# %% tags=["hide-input"]
def draw_three_signals():
    signals = (1, 1, 1), (1, 0, 2), (1, -1, 1)
    figures, axes = display.panels(*[(2.1, 2.1)] * 3)
    for ax, x in zip(axes, signals, strict=True):
        ax.plot(x, color=display.INK, lw=0.8, marker="")
        ax.vlines(range(3), 0, x, color=display.COLORS[0], lw=2)
        ax.plot(x, color=display.COLORS[0], ls="", marker="o", ms=7)
        ax.axhline(0, color=display.INK, lw=0.8)
        rough = np.sum(np.diff(x) ** 2)
        ax.set(ylim=(-1.4, 2.4), xlim=(-0.3, 2.3), xticks=range(3), xlabel="node")
        ax.set(title=f"$x^T L x = {rough}$")
        ax.grid(False)
    return figures


display.show(
    draw_three_signals(),
    alt="Three signals on three nodes in a row: constant, with 0; 1, 0, 2 with 5; and "
    "1, minus 1, 1 with 8.",
    caption="The steeper the steps from node to node, the larger is xᵀLx.",
)

# %% [markdown]
# ## From the ring to any graph
#
# On a graph without symmetry there is no shift, so neither $S$ nor its modes. What does carry over? Give up directions
# first, that is, take a symmetric kernel, $w_1 = w_{-1}$. Then $S$ and $S^\top$ appear only as their sum, which is the
# adjacency matrix $A$ of the undirected ring, and an adjacency matrix every graph has. It is usual to write things with
# the {term}`graph Laplacian` instead,
#
# $$
# L = D - A , \qquad D = \operatorname{diag}(A \mathbf{1}) ,
# $$ (def-gnn-laplacian)
#
# where $D$ has the degrees on its diagonal. Then $x^\top L\, x$ measures how rough a signal is, as with three nodes:
# $x^\top D x = \sum_i D_{ii}\, x_i^2$ holds $x_i^2 + x_j^2$ once for each edge, since an edge adds one to the degree of
# both of its ends, and $x^\top A x$ holds $2 x_i x_j$. So
#
# $$
# x^\top L\, x = \sum_{\text{edges } \{i, j\}} (x_i - x_j)^2 .
# $$ (eq-gnn-laplacian-form)


# %%
def laplacian(A):  # L = D − A, of any graph
    return np.diag(A.sum(axis=1)) - A


def roughness(A, x):  # the sum over the edges
    return sum((x[i] - x[j]) ** 2 for i, j in np.argwhere(np.triu(A)))


# %% tags=["check"]
def some_graphs():
    """Adjacency matrices: rings, a star, and random graphs, some with lone nodes."""
    for n in (3, 5, 8):
        yield nx.to_numpy_array(nx.cycle_graph(n))
        yield nx.to_numpy_array(nx.star_graph(n))
        yield nx.to_numpy_array(nx.gnp_random_graph(n, 0.4, seed=n))


def cases():
    for A in some_graphs():
        x = rng.standard_normal(len(A))
        yield roughness(A, x), x @ laplacian(A) @ x


verify.equal(
    "eq-gnn-laplacian-form", cases(), atol=1e-12, against="the product with D − A"
)

# %% [markdown]
# On the ring all degrees are 2, and
#
# $$
# L = 2I - S - S^\top .
# $$ (def-gnn-ring-laplacian)
#
# It is the circulant with kernel $(2, -1, 0, \dots, 0, -1)$, so {eq}`eq-gnn-ellipse` gives its eigenvalues. They grow
# with the frequency, from 0 to at most 4:
#
# $$
# L\, \Phi_{:,k} = \big( 2 - 2 \cos \tfrac{2 \pi k}{n} \big)\, \Phi_{:,k} .
# $$ (eq-gnn-laplacian-modes)
#
# Solve the definition for $S + S^\top = 2I - L$, and the layer with a symmetric kernel is a polynomial of degree 1 in
# $L$:
#
# $$
# w_0 I + w_1 (S + S^\top) = (w_0 + 2 w_1)\, I - w_1 L .
# $$ (eq-gnn-symmetric-kernel)


# %%
def shift(n):  # S [n, n]
    return circulant(np.eye(n)[1])


def ring_laplacian(n):
    return 2 * np.eye(n) - shift(n) - shift(n).T


def angles(n):  # α [n], one for each k
    return 2 * np.pi * np.arange(n) / n


def three_taps(n, w_minus, w_0, w_plus):  # θ [n]
    theta = np.zeros(n)
    theta[[0, 1, -1]] = w_0, w_plus, w_minus
    return theta


def symmetric_layer(n, w_0, w_1):  # the layer as a polynomial in L, [n, n]
    return (w_0 + 2 * w_1) * np.eye(n) - w_1 * ring_laplacian(n)


# %% tags=["hide-input"]
def draw_ring_frequencies(n=24):
    fig, ax = plt.subplots(figsize=(4.2, 2.8))
    k = np.arange(n)
    ax.plot(k, 2 - 2 * np.cos(angles(n)), "o", label="$L$")
    low = 1 - (2 - 2 * np.cos(angles(n))) / 3
    ax.plot(k, low, "s", label="average of three, $I - L/3$")
    ax.axhline(0, color=display.INK, lw=0.8)
    ax.set(xlabel="mode $k$", ylabel="eigenvalue", xticks=range(0, n, 4))
    ax.legend(loc="lower center", bbox_to_anchor=(0.5, 1), ncols=2, frameon=False)
    return fig


display.show(
    draw_ring_frequencies(),
    alt="Eigenvalues for the modes of a ring of 24. Those of L rise from 0 to 4 at mode "
    "12 and fall again, so modes k and 24 minus k share one. Those of the average of "
    "three fall from 1 through 0 to minus one third and rise again.",
    caption="L is a high-pass: it takes slow waves away and magnifies fast ones. A "
    "symmetric kernel is some of I and some of L.",
)


# %% tags=["check"]
def cases():
    for n in sizes:
        L = nx.laplacian_matrix(nx.cycle_graph(n)).toarray()
        yield (2 - 2 * np.cos(angles(n))) * dft_matrix(n), L @ dft_matrix(n)


verify.equal(
    "eq-gnn-laplacian-modes", cases(), atol=1e-12, against="networkx's Laplacian"
)


# %% tags=["check"]
def cases():
    for n in sizes:
        w_0, w_1 = rng.standard_normal(2)
        yield symmetric_layer(n, w_0, w_1), circulant(three_taps(n, w_1, w_0, w_1))


verify.equal(
    "eq-gnn-symmetric-kernel", cases(), atol=1e-12, against="the entries of C(θ)"
)

# %% [markdown]
# ## The Fourier modes of any graph
#
# Every undirected graph has a Laplacian, and it is a symmetric matrix. So it has an orthonormal basis of real
# eigenvectors; as the columns of a matrix $U$, with the eigenvalues in rising order on the diagonal of $\Lambda$,
#
# $$
# L = U \Lambda\, U^\top , \qquad U^\top U = I , \qquad \lambda_0 \le \lambda_1 \le \dots \le \lambda_{N-1} .
# $$ (def-gnn-graph-modes)
#
# Call column $k$ of $U$ the mode $k$ of the graph, and $\hat x = U^\top x$ the transform of a signal $x$. In what sense
# is $\lambda_k$ a frequency? Put the mode into {eq}`eq-gnn-laplacian-form`. On the left stands
# $U_{:,k}^\top L\, U_{:,k} = \lambda_k\, U_{:,k}^\top U_{:,k} = \lambda_k$, so
#
# $$
# \lambda_k = \sum_{\text{edges } \{i, j\}} (U_{ik} - U_{jk})^2 \ge 0 .
# $$ (eq-gnn-graph-frequency)
#
# A mode of length 1 with a small $\lambda_k$ changes little along the edges. A constant signal does not change at all,
# so $\lambda_0 = 0$. Here are modes of the karate club, in which {glue:text}`gnn-club-nodes` members have
# {glue:text}`gnn-club-edges` friendships.


# %%
def modes(A):  # λ [N] in rising order, U [N, N]
    return np.linalg.eigh(laplacian(A))


frequencies, U = modes(A_club)

# %% tags=["hide-input"]
display.glue("gnn-club-nodes", f"{N}")
display.glue("gnn-club-edges", f"{club.number_of_edges()}")


def draw_club_mode(k):
    figures, (graph, line) = display.panels((4.0, 3.4), (2.8, 3.4))
    mode = U[:, k] * np.sign(U[np.abs(U[:, k]).argmax(), k])
    draw_signal(graph, mode, 0.8)
    line.plot(frequencies, color=display.INK, ls="", marker=".", ms=4)
    at = {"color": display.COLORS[2], "ls": "", "marker": "o", "ms": 8}
    line.plot(k, frequencies[k], **at)
    line.set(xlabel="mode $k$", ylabel=r"$\lambda_k$")
    return figures


def describe_club_mode(k):
    mode = U[:, k]
    crossed = sum(mode[i] * mode[j] < -1e-12 for i, j in club.edges)
    large = np.sum(np.abs(mode) > 0.1)
    return (
        f"Mode {k} of the club, eigenvalue {abs(frequencies[k]):.2f}: {large} members "
        f"exceed a tenth, and {crossed} friendships join unlike signs."
    )


display.slider(
    draw_club_mode,
    [0, 1, 2, 3, 8, 16, 24, 33],
    label="mode k",
    alt=describe_club_mode,
    caption="Circles are positive, squares negative, large where the mode is large. "
    "Mode 1 splits the club in two; the last ones sit on the best connected members.",
    start=1,
)


# %% tags=["check"]
def cases():
    for A in [*some_graphs(), A_club]:
        lam, Q = np.linalg.eigh(np.diag(A @ np.ones(len(A))) - A)
        yield [roughness(A, mode) for mode in Q.T], lam


verify.equal(
    "eq-gnn-graph-frequency", cases(), atol=1e-12, against="NumPy's eigenvalues"
)

# %% [markdown]
# On the ring these are the waves that you know: cosines and sines, with $\lambda_k$ from {eq}`eq-gnn-laplacian-modes`
# (the exercise {ref}`ex-gnn-real-modes` finds them). What a convolution was there, multiplying each wave by a number,
# is a {term}`graph filter` here: choose a function $g$ and let the filter multiply mode $k$ by $g(\lambda_k)$,
#
# $$
# g(L) = U\, \operatorname{diag}\big( g(\lambda_0), \dots, g(\lambda_{N-1}) \big)\, U^\top .
# $$ (def-gnn-spectral-filter)
#
# What survives of the Fourier modes is this:
#
# - an orthonormal basis that is sorted from slow to fast, and filters that multiply each mode by a number; so they
#   commute, and two are one;
# - one rule for all graphs: as $P A P^\top$ has the Laplacian $P L P^\top$, the same $g$ fits every graph,
#   {eq}`def-gnn-one-rule`.
#
# And this is lost: the shift, and with it all that moves (the modes are real, a filter damps or turns around); the one
# basis for all signals of a length, as each graph has its own; its names, since eigenvalues that coincide share a space
# of modes in which every basis is as good; and the fast transform.

# %% [markdown]
# ### A noisy signal
#
# Back to the club. From what was measured, $x$, you want a $y$ that is close to it and smooth: let it minimise
# $\lVert y - x \rVert^2 + \tau\, y^\top L\, y$, with a number $\tau \ge 0$ that says how much smoothness is worth. Set
# the gradient to zero, $2 (y - x) + 2 \tau L y = 0$, so $(I + \tau L)\, y = x$. In modes that is
# $(1 + \tau \lambda_k)\, \hat y_k = \hat x_k$: a low-pass filter with $g(\lambda) = 1 / (1 + \tau \lambda)$.
#
# $$
# \operatorname*{arg\,min}_y \Big( \lVert y - x \rVert^2 + \tau\, y^\top L\, y \Big)
# = U\, \operatorname{diag}\Big( \frac{1}{1 + \tau \lambda_k} \Big)\, U^\top x .
# $$ (eq-gnn-low-pass)


# %%
def low_pass(x, tau, A):  # x [N], or several as columns
    frequencies, U = modes(A)
    return U @ np.diag(1 / (1 + tau * frequencies)) @ U.T @ x


def error(truth, tau, noise):  # mean squared, per member, of each trial
    y = low_pass(truth[:, None] + noise, tau, A_club)
    return ((y - truth[:, None]) ** 2).mean(axis=0)


# %% tags=["hide-input"]
best = min(taus, key=lambda tau: error(side, tau, tried).mean())
left = error(side, best, measured)
shuffled = np.stack([rng.permutation(side) for _ in range(50)])


def error_of_shuffled(tau):
    return np.mean([error(truth, tau, measured).mean() for truth in shuffled])


def draw_errors():
    figures, (spectrum, errors) = display.panels((3.3, 3.0), (3.3, 3.0))
    x_hat = np.abs(U.T @ (side + measured[:, 0]))
    y_hat = x_hat / (1 + best * frequencies)
    spectrum.vlines(frequencies, 0, x_hat, color=display.INK, lw=1, alpha=0.6)
    spectrum.plot(frequencies, y_hat, ls="", marker="o", ms=4)
    spectrum.set(
        xlabel=r"frequency $\lambda_k$", title=r"$|\hat x_k|$ and $|\hat y_k|$"
    )
    means = [error(side, tau, measured).mean() for tau in taus]
    errors.plot(taus, means, label="sides")
    errors.plot(taus, [error_of_shuffled(tau) for tau in taus], label="shuffled")
    errors.set(xlabel=r"$\tau$", title="mean squared error", ylim=(0, 1.1))
    errors.set_xscale("symlog", linthresh=0.05, base=2)
    errors.set_xticks([0, 0.1, 0.4, 1.6], ["0", "0.1", "0.4", "1.6"])
    errors.minorticks_off()
    errors.set_xlim(-0.02, 4)
    errors.legend(loc="lower right")
    return figures


for name, text in {
    "raw": f"{error(side, 0, measured).mean():.2f}",
    "filtered": f"{left.mean():.2f} ± {left.std():.2f}",
    "tau": f"{best:g}",
    "shuffled": f"{error_of_shuffled(best):.2f}",
    "rough": f"{roughness(A_club, side):.0f}",
    "rough-shuffled": f"{np.mean([roughness(A_club, x) for x in shuffled]):.0f}",
}.items():
    display.glue(f"gnn-denoise-{name}", text)

display.show(
    draw_errors(),
    alt="Left, the spectrum of the measured sides: lines before the filter, points after "
    "it, which are far below the lines except at the lowest frequencies. Right, the "
    "error against tau: for the true sides it falls and rises again, for sides that were "
    "shuffled among the members it falls less and rises sooner.",
    caption="The filter keeps the slow modes. It helps where the signal is slow, and "
    "less where members were given their sides by chance.",
)


# %% tags=["check"]
def cases():
    for A in (A_club, nx.to_numpy_array(nx.path_graph(5)), np.zeros((3, 3))):
        edges = np.argwhere(np.triu(A))
        for tau in (0.1, 1.0, 10.0):
            x = rng.standard_normal(len(A))
            # ‖y − x‖² + τ Σ (y_i − y_j)² as one sum of squares, an equation per term
            difference = np.zeros((len(edges), len(A)))
            difference[np.arange(len(edges)), edges[:, 0]] = 1
            difference[np.arange(len(edges)), edges[:, 1]] = -1
            terms = np.concatenate([np.eye(len(A)), np.sqrt(tau) * difference])
            wanted = np.append(x, np.zeros(len(edges)))
            yield low_pass(x, tau, A), np.linalg.lstsq(terms, wanted)[0]


verify.equal("eq-gnn-low-pass", cases(), atol=1e-10, against="np.linalg.lstsq")

# %% [markdown]
# The noise has variance 1, so the mean squared error per member is {glue:text}`gnn-denoise-raw` as it comes. After the
# filter with $\tau =$ {glue:text}`gnn-denoise-tau` it is {glue:text}`gnn-denoise-filtered` (mean and standard deviation
# of 500 trials; $\tau$ is the best of the values above on 500 others). The control: give the same sides to members
# at random, and the same filter leaves {glue:text}`gnn-denoise-shuffled`. Such a signal is not slow, its $x^\top L x$
# is {glue:text}`gnn-denoise-rough-shuffled` on average in place of {glue:text}`gnn-denoise-rough`, and the filter takes
# it away with the noise. A low-pass helps where friends are alike.

# %% [markdown]
# ## What a transform costs
#
# Modes have a price. On a graph of $N$ nodes, finding them takes a number of steps like $N^3$, and each transform is a
# product with $U$, $N^2$ steps. On a ring the modes are known, and the fast Fourier transform
# {cite}`cooley1965algorithm` does each of the three transforms of {eq}`eq-gnn-convolution-theorem` in a number of steps
# that grows like $n \log n$, in place of the $n^2$ of a dense product. The benchmark times both; the dense one finds
# its matrix ready made.

# %% tags=["hide-input"]
record = records.load("benchmarks", "circulant")
curves, metrics, settings = record["curves"], record["metrics"], record["parameters"]
dense_seconds = dict(zip(curves["dense_n"], curves["dense_seconds"], strict=True))
fft_seconds = dict(zip(curves["fft_n"], curves["fft_seconds"], strict=True))
largest_dense, largest_fft, in_cache = max(dense_seconds), max(fft_seconds), 256
first_win = min(n for n in dense_seconds if fft_seconds[n] < dense_seconds[n])
speedup = dense_seconds[largest_dense] / fft_seconds[largest_dense]


def order(name):
    return f"{metrics[name]:.2f} ± {metrics[name + '_standard_error']:.2f}"


for name, text in {
    "dense-order": order("dense_order"),
    "fft-order": order("fft_order_in_n_log_n"),
    "dense-rate-in-cache": f"{8e-9 * in_cache**2 / dense_seconds[in_cache]:.0f}",
    "dense-rate": f"{8e-9 * largest_dense**2 / dense_seconds[largest_dense]:.0f}",
    "in-cache": f"{in_cache}",
    "fft-speedup": f"{speedup:.0f}",
    "largest-dense": f"{largest_dense:,}",
    "largest-fft": f"{largest_fft:,}",
    "largest-fft-time": f"{1e3 * fft_seconds[largest_fft]:.0f} ms",
    "largest-fft-dense-size": f"{8 * largest_fft**2 / 2**40:.0f} TiB",
    "first-win": f"{first_win:,}",
    "benchmark-machine": f"{record['provenance']['processor']}, "
    f"{settings['threads']} thread",
    "benchmark-date": record["provenance"]["date"][:10],
}.items():
    display.glue(f"gnn-{name}", text)


def draw_times():
    fig, ax = plt.subplots(figsize=(4.2, 3.0))
    ax.loglog(list(dense_seconds), list(dense_seconds.values()), "s--", label="dense")
    ax.loglog(list(fft_seconds), list(fft_seconds.values()), "o-", label="FFT")
    ax.set(xlabel="nodes $n$", ylabel="seconds per product")
    ax.set_xscale("log", base=2)
    ax.minorticks_off()
    ax.legend()
    return fig


display.show(
    draw_times(),
    alt="Seconds per product against the number of nodes, both axes logarithmic. The "
    "dense product is the faster one on small rings, then climbs about twice as "
    "steeply as the FFT product, which goes on to about a million nodes.",
    caption=f"From {first_win:,} nodes on the FFT is faster, at {largest_dense:,} it "
    f"is {speedup:.0f} times as fast.",
)

# %% [markdown]
# From {glue:text}`gnn-first-win` nodes on the FFT wins, at {glue:text}`gnn-largest-dense` nodes
# {glue:text}`gnn-fft-speedup` times over, and a ring of {glue:text}`gnn-largest-fft` takes
# {glue:text}`gnn-largest-fft-time`; as a dense matrix it would fill {glue:text}`gnn-largest-fft-dense-size`. Both times
# grow faster than the counts of steps say: on large rings the dense one like $n$ to the power
# {glue:text}`gnn-dense-order` where the count says 2, the fast one like $n \log n$ to the power
# {glue:text}`gnn-fft-order` where it says 1. The count leaves out memory. As $n$ grows the data no longer fit into one
# cache after another, and each next one is slower: the dense product reads its matrix at
# {glue:text}`gnn-dense-rate-in-cache` GB/s for $n =$ {glue:text}`gnn-in-cache` and at {glue:text}`gnn-dense-rate` GB/s
# for $n =$ {glue:text}`gnn-largest-dense`. (Measured on {glue:text}`gnn-benchmark-date` on
# {glue:text}`gnn-benchmark-machine`, in double precision; ± is the standard error of a line through the logarithms.)
#
# For three taps neither is the way: the sum {eq}`eq-gnn-ring-layer` itself takes $3n$ multiplications. Short kernels
# are summed, and the next section does the same on any graph.

# %% [markdown]
# ## Filters without modes
#
# A product with $L$ needs no modes and goes along the edges alone. So choose filters that are polynomials in $L$. On
# the ring this gives up nothing but directions. Longer symmetric kernels need $S^j + S^{-j}$. Set
# $B_j = \frac12 (S^j + S^{-j})$. Then $B_0 = I$ and $B_1 = \frac12 (S + S^\top) = I - \frac12 L$. Multiply out
# $2 B_1 B_j = \frac12 (S + S^{-1})(S^j + S^{-j})$: the four products are $S^{j+1}$, $S^{-(j+1)}$, $S^{j-1}$ and
# $S^{-(j-1)}$, so it is $B_{j+1} + B_{j-1}$, and
#
# $$
# \begin{gathered}
# B_0 = I , \qquad B_1 = I - \tfrac12 L , \\
# B_{j+1} = 2 B_1 B_j - B_{j-1} .
# \end{gathered}
# $$ (eq-gnn-chebyshev)
#
# This is the recursion of the Chebyshev polynomials $T_j$, those with $T_j(\cos\alpha) = \cos j\alpha$. So
# $B_j = T_j\big(I - \frac12 L\big)$, a polynomial of degree $j$ in $L$. A kernel with $\theta_j = \theta_{-j}$ has
# $\theta_j S^j + \theta_{-j} S^{-j} = 2 \theta_j B_j$, one term for the two places $j$ and $n - j$. Only $j = 0$ and,
# for even $n$, $j = n/2$ are their own mirror images and stand once. Every undirected convolution on the ring is a
# polynomial in the Laplacian:
#
# $$
# \begin{gathered}
# C(\theta) = \sum_{j=0}^{\lfloor n/2 \rfloor} c_j\, T_j\big( I - \tfrac12 L \big)
# \qquad (\theta_j = \theta_{-j}) , \\
# c_j = \theta_j \ \text{ for } j = 0 \text{ and } j = \tfrac{n}{2} , \qquad c_j = 2 \theta_j \ \text{ else.}
# \end{gathered}
# $$ (eq-gnn-laplacian-polynomial)
#
# The converse is clear: $L$ is a symmetric circulant, and so is every polynomial in it. The check takes $T_j$
# from NumPy and applies it to eigenvalues that NumPy finds from $L$.


# %%
def chebyshev(c, L):  # Σ_j c_j T_j(I − L/2), for the Laplacian L of any graph
    T = [np.eye(len(L)), np.eye(len(L)) - L / 2]
    while len(T) < len(c):
        T.append(2 * T[1] @ T[-1] - T[-2])
    return sum(c_j * T_j for c_j, T_j in zip(c, T, strict=False))


def fold(theta):  # c [⌊n/2⌋ + 1] of a symmetric kernel [n]
    n = len(theta)
    c = 2 * theta[: n // 2 + 1]
    c[0] = theta[0]
    if n % 2 == 0:
        c[n // 2] = theta[n // 2]
    return c


# %% tags=["hide-input"]
def draw_chebyshev():
    fig, ax = plt.subplots(figsize=(4.2, 3.0))
    lam = np.linspace(0, 4.4, 89)
    for j in range(5):
        values = np.polynomial.chebyshev.chebval(1 - lam / 2, np.eye(5)[j])
        ax.plot(lam, values, markevery=8, label=f"$T_{j}$")
    ax.axvline(4, color=display.INK, lw=0.8, ls=":")
    ax.set(xlabel=r"$\lambda$", ylabel=r"$T_j(1 - \lambda/2)$", ylim=(-2.2, 2.2))
    fig.legend(loc="outside upper center", ncols=5, frameon=False, columnspacing=0.8)
    return fig


display.show(
    draw_chebyshev(),
    alt="The first five Chebyshev polynomials of 1 minus half of lambda. Between 0 and 4 "
    "they swing between 1 and minus 1, the more often the higher their degree; beyond "
    "4 they leave that strip, the steeper the higher their degree.",
    caption="What each term does to a mode with eigenvalue λ. The eigenvalues of a ring "
    "end at 4, the dotted line.",
)


# %% tags=["check"]
def cases():
    for n in sizes:
        for j in range(n):
            forth = np.roll(np.eye(n), j, axis=1)
            yield chebyshev(np.eye(n)[j], ring_laplacian(n)), (forth + forth.T) / 2


verify.equal("eq-gnn-chebyshev", cases(), atol=1e-12, against="powers of the shift")


# %% tags=["check"]
def cases():
    for n in sizes:
        theta = rng.standard_normal(n)
        theta = (theta + theta[-np.arange(n)]) / 2  # now θ_j = θ_{−j}
        eigenvalue, Q = np.linalg.eigh(nx.laplacian_matrix(nx.cycle_graph(n)).toarray())
        values = np.polynomial.chebyshev.chebval(1 - eigenvalue / 2, fold(theta))
        yield circulant(theta), Q @ np.diag(values) @ Q.T
        yield chebyshev(fold(theta), ring_laplacian(n)), circulant(theta)


verify.equal(
    "eq-gnn-laplacian-polynomial",
    cases(),
    atol=1e-10,
    against="NumPy's T_j at the eigenvalues of L",
)

# %% [markdown]
# The right-hand side takes the Laplacian of any graph as well, and then it is a layer that shares one list of
# coefficients over all nodes: a rule for all graphs, {eq}`def-gnn-one-rule`. How far does it see? $L_{ij}$ is zero
# unless $i = j$ or there is an edge, so each product with $L$ reaches one hop further:
#
# $$
# \begin{gathered}
# \Big( \sum_{j=0}^{K} c_j\, T_j\big( I - \tfrac12 L \big) \Big)_{ab} = 0 \\
# \text{where } b \text{ is more than } K \text{ hops from } a .
# \end{gathered}
# $$ (eq-gnn-polynomial-hops)
#
# Three symmetric taps have $c = (w_0, 2 w_1)$: degree 1, one hop, on every graph. That is why the sum was folded.
# Written with $\theta_j$ and $j$ up to $n - 1$, as $C(\theta) = \sum_j \theta_j S^j$ suggests, it is right on the ring
# too, where $T_{n-1}(I - \frac12 L) = T_1(I - \frac12 L)$. But its degree is $n - 1$, and elsewhere these two are not
# the same. Take the moving average of a ring of 8, once folded and once not, to a path of 8 and to the club:


# %%
def hops(A):  # [N, N]
    return nx.floyd_warshall_numpy(nx.from_numpy_array(A))


average = three_taps(8, 1 / 3, 1 / 3, 1 / 3)
path = nx.to_numpy_array(nx.path_graph(8))

# %% tags=["hide-input"]
forms = {"folded": fold(average), "not folded": average}


def largest_by_hops(A, c):  # the largest |entry|, for each number of hops
    far, entries = hops(A), np.abs(chebyshev(c, laplacian(A)))
    largest = np.array([entries[far == h].max() for h in range(int(far.max()) + 1)])
    return np.where(largest > 1e-12, largest, np.nan)


def draw_reach():
    figures, axes = display.panels((3.3, 2.9), (3.3, 2.9))
    graphs = {"path of 8": path, "karate club": A_club}
    for ax, (name, A) in zip(axes, graphs.items(), strict=True):
        for form, c in forms.items():
            style = {"folded": "o-", "not folded": "s--"}[form]
            ax.semilogy(largest_by_hops(A, c), style, label=form, ms=6)
        ax.set(title=name, xlabel="hops", ylim=(0.02, 1e9), xlim=(-0.3, 7.3))
        ax.legend(loc="upper right", frameon=False)
    axes[0].set_ylabel("largest entry")
    return figures


reach = {form: chebyshev(c, laplacian(A_club)) for form, c in forms.items()}
top = np.abs(reach["not folded"]).max()
display.glue("gnn-unfolded-top", f"{top / 1e6:.0f} million")
display.glue("gnn-club-roughest", f"{frequencies[-1]:.1f}")
display.glue("gnn-club-hops", f"{hops(A_club).max():.0f}")

display.show(
    draw_reach(),
    alt="Largest entry of the filter's matrix between nodes so many hops apart, on a "
    "logarithmic scale. Folded, the entries end at one hop on both graphs and are below "
    "10. Not folded, they reach 7 hops on the path, with gaps, and all 5 on the club, "
    "where they fall from tens of millions at no hop to thousands at the last.",
    caption="The same average of three on other graphs: folded it stays with the "
    "neighbours, not folded it reaches as far as the graph goes, and explodes.",
)


# %% tags=["check"]
def cases():
    for graph in (
        nx.path_graph(7),
        nx.star_graph(5),
        nx.gnp_random_graph(9, 0.2, seed=2),
    ):
        L, far = nx.laplacian_matrix(graph).toarray(), nx.floyd_warshall_numpy(graph)
        for K in range(1, 5):
            filtered = chebyshev(rng.standard_normal(K + 1), L)
            yield np.all(filtered[far > K] == 0)
            yield np.all(filtered[far == K] != 0)  # and it does come K hops far


held = list(cases())
verify.holds(
    "eq-gnn-polynomial-hops",
    all(held),
    against="shortest paths of networkx",
    cases=len(held),
)

# %% [markdown]
# Not folded, it reaches all 7 hops of the path and all {glue:text}`gnn-club-hops` of the club, with entries up to
# {glue:text}`gnn-unfolded-top`. The size has a reason of its own: $T_j$ stays between $-1$ and 1 only on $[-1, 1]$, so
# $I - \frac12 L$ needs eigenvalues of $L$ that are at most 4. The ring's are; the club's go up to
# {glue:text}`gnn-club-roughest`. The Chebyshev layer of {cite:t}`defferrard2016chebnet` therefore scales $L$ by its
# largest eigenvalue.
#
# ## One scale for all degrees
#
# The eigenvalues of $L$ go as high as the degrees let them. To have them in one place on every graph, divide by the
# degrees: $L_{\text{sym}} = D^{-1/2} L\, D^{-1/2}$, which is $\frac12 L$ on the ring. A node without neighbours has
# $D_{ii} = 0$; write 0 for its $D_{ii}^{-1/2}$, and its row of $L_{\text{sym}}$ is zero, as it is in $L$.
#
# With $x_i / \sqrt{D_{ii}}$ in the place of $x_i$, {eq}`eq-gnn-laplacian-form` gives $x^\top L_{\text{sym}}\, x$ as the
# sum of $\big(x_i / \sqrt{D_{ii}} - x_j / \sqrt{D_{jj}}\big)^2$ over the edges. Since $(a - b)^2 \le 2a^2 + 2b^2$, each
# square is at most $2 x_i^2 / D_{ii} + 2 x_j^2 / D_{jj}$. Add up over the edges: node $i$ stands at the end of $D_{ii}$
# of them and brings $2 x_i^2 / D_{ii}$ to each, which makes $2 x_i^2$, or nothing if it has no neighbour. So
#
# $$
# 0 \le x^\top L_{\text{sym}}\, x \le 2\, x^\top x ,
# $$ (eq-gnn-laplacian-range)
#
# all eigenvalues of $L_{\text{sym}}$ lie in $[0, 2]$, and those of $I - L_{\text{sym}}$ in $[-1, 1]$, where Chebyshev
# polynomials are at home.


# %%
def normalised_laplacian(A):  # L_sym [N, N]
    degree = A.sum(axis=1)
    scale = np.where(degree > 0, 1 / np.sqrt(np.maximum(degree, 1)), 0.0)
    return scale[:, None] * laplacian(A) * scale


# %% tags=["hide-input"]
def draw_spectra():
    fig, ax = plt.subplots(figsize=(4.2, 1.9))
    spectra = {
        "$L_{sym}$": np.linalg.eigvalsh(normalised_laplacian(A_club)),
        "$L$": frequencies,
    }
    for row, (values, marker) in enumerate(zip(spectra.values(), "os", strict=True)):
        style = {"ls": "", "marker": marker, "ms": 5, "mfc": "none"}
        ax.plot(values, np.full(N, row), color=display.COLORS[row], **style)
    ax.axvspan(0, 2, color=display.INK, alpha=0.12, lw=0)
    ax.set(xlabel="eigenvalue", ylim=(-0.6, 1.6), yticks=[0, 1], yticklabels=[*spectra])
    return fig


display.show(
    draw_spectra(),
    alt="The eigenvalues of the club on a line: those of L reach from 0 to 18, those of "
    "the normalised Laplacian lie between 0 and 2.",
    caption="The eigenvalues of the club before and after division by the degrees.",
)


# %% tags=["check"]
def cases():
    for A in some_graphs():
        by_networkx = nx.normalized_laplacian_matrix(nx.from_numpy_array(A)).toarray()
        yield np.allclose(normalised_laplacian(A), by_networkx)
        eigenvalue = np.linalg.eigvalsh(by_networkx)
        yield eigenvalue.min() >= -1e-12 and eigenvalue.max() <= 2 + 1e-12
        if nx.is_bipartite(nx.from_numpy_array(A)) and A.any():
            yield eigenvalue.max() >= 2 - 1e-12  # the bound is reached


held = list(cases())
verify.holds(
    "eq-gnn-laplacian-range",
    all(held),
    against="eigenvalues of random graphs",
    cases=len(held),
)

# %% [markdown]
# ## The step to the GCN
#
# Three simplifications lead from there to the graph convolution {cite}`kipf2017gcn`. Follow them on the ring.
#
# 1. **Degree 1.** Keep $T_0$ and $T_1$: $c_0 I + c_1 (I - L_{\text{sym}})$, which is $c_0 I + c_1 D^{-1/2} A D^{-1/2}$
#    where every node has a neighbour. On the ring, where $D = 2I$, the kernel is
#    $(w_{-1}, w_0, w_1) = (\frac{c_1}{2}, c_0, \frac{c_1}{2})$: two free weights are left.
# 2. **One weight.** Tie $c_1 = c_0$: $c_0 (I + D^{-1/2} A D^{-1/2})$. On the ring the kernel is
#    $c_0 (\frac12, 1, \frac12)$, and its eigenvalues $c_0 (1 + \cos\alpha)$ go up to $2 c_0$: in a stack of $m$ such
#    layers with $c_0 = 1$, low frequencies grow like $2^m$.
# 3. **Renormalise.** Count each node among its own neighbours, $\tilde A = A + I$, and divide by the new degrees:
#    $\hat A = \tilde D^{-1/2} \tilde A \tilde D^{-1/2}$. On the ring $\tilde D = 3I$, and the largest eigenvalue is 1.
#
# So the propagation matrix of the GCN is, on a ring, the moving average of three, with eigenvalues by
# {eq}`eq-gnn-ellipse`:
#
# $$
# \begin{gathered}
# \hat A = \tfrac13 (I + A) = C\big( \tfrac13 (1, 1, 0, \dots, 0, 1) \big) , \\
# \lambda_k = \tfrac13 \big( 1 + 2 \cos \tfrac{2\pi k}{n} \big) .
# \end{gathered}
# $$ (eq-gnn-gcn-ring)
#
# With a matrix $W \in \mathbb{R}^{d \times d'}$ for the channels, the layer $\hat A H W$ is {eq}`eq-gnn-ring-channels`
# with one matrix three times,
#
# $$
# \begin{gathered}
# \texttt{GCNConv}(H) = \texttt{Conv1d}(H^\top)^\top \\
# \text{for} \quad W_{-1} = W_0 = W_1 = \tfrac13 W .
# \end{gathered}
# $$ (eq-gnn-gcn-conv)


# %%
def moving_average(n):  # Â on the ring, [n, n]
    return circulant(three_taps(n, 1, 1, 1) / 3)


def response(alpha):  # λ, at the angle α of a frequency
    return (1 + 2 * np.cos(alpha)) / 3


def gcn_by_conv1d(H, W):  # [n, d], [d, d'] → [n, d']
    options = {"padding": 1, "padding_mode": "circular", "bias": False}
    layer = torch.nn.Conv1d(*W.shape, kernel_size=3, **options)
    layer.weight = torch.nn.Parameter(torch.stack([W.T, W.T, W.T], dim=2) / 3)
    return layer(H.T[None])[0].T


# %% tags=["hide-input"]
def draw_responses():
    cycles = np.linspace(0, 0.5, 51)
    alpha = 2 * np.pi * cycles
    fig, ax = plt.subplots(figsize=(4.2, 3.4))
    dotted = {"color": display.INK, "ls": ":", "marker": ""}
    before = "$I + A / 2$, before step 3"
    ax.plot(cycles, 1 + np.cos(alpha), **dotted, label=before)
    ax.set_prop_cycle(plt.rcParams["axes.prop_cycle"])
    for m in (1, 2, 4, 16):
        name = rf"$\hat A^{{{m}}}$" if m > 1 else r"$\hat A$"
        ax.plot(cycles, response(alpha) ** m, markevery=5, label=name)
    ax.axhline(0, color=display.INK, lw=0.8)
    ax.set(xlabel="frequency $k/n$, waves per node", ylabel="eigenvalue")
    ax.set(ylim=(-0.5, 2.1))
    fig.legend(loc="outside lower center", ncols=3)
    return fig


display.show(
    draw_responses(),
    alt="Eigenvalues against frequency. I plus half A falls from 2 to 0. The "
    "propagation matrix falls from 1 through 0 at one third to minus one "
    "third; its powers 2, 4 and 16 are ever narrower peaks at frequency 0, "
    "where they are 1.",
    caption="The more layers, the fewer waves pass: a stack of 16 keeps only the "
    "slowest.",
)


# %% tags=["check"]
def cases():
    for n in sizes:
        A = torch.from_numpy(nx.to_numpy_array(nx.cycle_graph(n)))
        Phi, lam = dft_matrix(n), response(angles(n))
        yield moving_average(n), gcn_norm(A)
        yield Phi @ np.diag(lam) @ Phi.conj().T, gcn_norm(A)


verify.equal("eq-gnn-gcn-ring", cases(), atol=1e-12, against="the definition of Â")


# %% tags=["check"]
def cases():
    for n in sizes:
        H, W = torch.randn(n, 3), torch.randn(3, 2)
        layer = GCNConv(3, 2, bias=False)
        layer.lin.weight = torch.nn.Parameter(W.T)
        i = torch.arange(n)
        ends = torch.cat([i, (i + 1) % n]), torch.cat([(i + 1) % n, i])
        yield gcn_by_conv1d(H, W), layer(H, torch.stack(ends))


verify.equal("eq-gnn-gcn-conv", cases(), atol=1e-12, against="PyG's GCNConv")

# %% [markdown]
# Of the three matrices that a convolution with three taps learns, the GCN learns one. That is the price for a layer
# that runs on any graph: it tells neither the next node from the previous one, nor a neighbour from the node itself.
#
# The figure also shows what happens when you stack it. $\hat A^m$ has the eigenvalues $\lambda_k^m$. Mode 0
# is constant and has $\lambda_0 = 1$; all others have $|\lambda_k| < 1$, since $-1 \le \cos\alpha < 1$ puts
# $\frac13(1 + 2\cos\alpha)$ into $[-\frac13, 1)$. Write $\langle x \rangle$ for the mean of the entries of $x$. The
# difference $x - \langle x \rangle \mathbf 1$ is made of the modes $k \ne 0$; each is damped at least by
# $\mu = \max_{k \ne 0} |\lambda_k|$ per layer, and $\Phi$ keeps lengths:
#
# $$
# \big\| \hat A^m x - \langle x \rangle \mathbf{1} \big\| \le \mu^m\, \big\| x - \langle x \rangle \mathbf{1} \big\| .
# $$ (eq-gnn-smoothing)


# %%
def smoothing_bound(x, m):  # μᵐ ‖x − ⟨x⟩ 1‖
    mu = np.abs(response(angles(len(x)))[1:]).max()
    return mu**m * np.linalg.norm(x - x.mean())


# %% tags=["check"]
def cases():
    for n in sizes:
        noisy, slowest = rng.standard_normal(n) + 3, np.cos(angles(n)) + 3
        for m in (1, 2, 5, 20):
            A_hat_m = np.linalg.matrix_power(moving_average(n), m)
            left = np.linalg.norm(A_hat_m @ noisy - noisy.mean())
            yield left <= smoothing_bound(noisy, m) + 1e-12
            # On the slowest wave the bound is reached
            left = np.linalg.norm(A_hat_m @ slowest - slowest.mean())
            yield abs(left - smoothing_bound(slowest, m)) <= 1e-12


held = list(cases())
verify.holds(
    "eq-gnn-smoothing", all(held), against="powers of the matrix", cases=len(held)
)

# %% [markdown]
# A stack of GCN layers without non-linearities is a low-pass filter that sharpens with depth: after 16 of them only
# the slowest waves are left. This is the over-smoothing that you saw on the karate club in {doc}`depth`,
# here with its cause.

# %% [markdown]
# ## What was shown
#
# - The Laplacian measures how much a signal changes along the edges, {eq}`eq-gnn-laplacian-form`, and gives every graph
#   modes that are sorted by it, {eq}`eq-gnn-graph-frequency`. A filter multiplies each by a number; a low-pass takes
#   noise away where neighbours are alike, {eq}`eq-gnn-low-pass`.
# - Shifts, a basis that is the same for all signals of a length, and the fast transform stay behind on the ring.
# - Symmetric kernels are polynomials in the Laplacian, {eq}`eq-gnn-laplacian-polynomial`. These exist on every graph,
#   need no modes, and see as many hops as their degree, {eq}`eq-gnn-polynomial-hops`.
# - Cut down to degree 1 and one weight, that is the GCN. On the ring it is the average of three, {eq}`eq-gnn-gcn-ring`,
#   and a stack of them keeps nothing but the slowest waves, {eq}`eq-gnn-smoothing`.

# %% [markdown]
# ## Exercises

# %% [markdown]
# :::{exercise} Undoing a layer
# :label: ex-gnn-inverse-filter
# When can $x$ be recovered from $y = C(\theta) x$? Write `inverse_filter(theta, y)` for such a real kernel. For which
# $n$ does the propagation matrix of the GCN, {eq}`eq-gnn-gcn-ring`, lose information on a ring of $n$ nodes, and
# which signal does it turn into zero on a ring of 6?
# :::

# %% [markdown] tags=["solution"]
# :::{solution-start} ex-gnn-inverse-filter
# :class: dropdown
# :::
# $C(\theta) = \Phi\,\mathrm{diag}(\lambda)\,\Phi^*$ is invertible exactly when no $\lambda_k$ is zero, and then
# $C(\theta)^{-1} = \Phi\,\mathrm{diag}(1/\lambda)\,\Phi^*$: divide where the layer multiplied. The inverse of a
# circulant is again circulant, though its kernel is not short.
#
# $\frac13 (1 + 2 \cos\alpha) = 0$ asks for $\cos\alpha = -\frac12$, so $\alpha = 2\pi k/n$ is a third of a full turn
# or two: $k = n/3$ or $2n/3$. That is a whole number exactly when 3 divides $n$. On a ring of 6, $k = 2$ has the real
# part $(1, -\frac12, -\frac12, 1, -\frac12, -\frac12)$ up to scale: any three neighbours add up to zero.


# %% tags=["solution"]
def inverse_filter(theta, y):
    x_hat = np.fft.fft(y) / (len(theta) * np.fft.ifft(theta))
    return np.fft.ifft(x_hat).real


# %% [markdown] tags=["solution"]
# :::{solution-end}
# :::

# %%
exercises.check("gnn/modes/inverse_filter", inverse_filter)

# %% [markdown]
# :::{exercise} The modes of the undirected ring
# :label: ex-gnn-real-modes
# $L$ and the reflection $J$ commute and both are symmetric, so by {prf:ref}`thm-gnn-commuting` they have a common
# basis of eigenvectors. The columns of $\Phi$ are not it: what does $J$ do to $\Phi_{:,k}$? Find a real common basis,
# and write `real_modes(n)`: an orthogonal matrix $[n, n]$ whose columns are eigenvectors of both, for $n \ge 3$, in
# any order.
# :::

# %% [markdown] tags=["solution"]
# :::{solution-start} ex-gnn-real-modes
# :class: dropdown
# :::
# $(J \Phi_{:,k})_u = \Phi_{-u,k} = \frac{1}{\sqrt n} \omega^{-uk} = \overline{\Phi_{uk}}$: the reflection exchanges
# mode $k$ and mode $n - k$. Both have the eigenvalue $2 - 2\cos\alpha$ of $L$, so any combination of the two is again
# an eigenvector of $L$. The sum, a cosine, is even: $J$ keeps it. The difference, a sine, is odd: $J$ changes its
# sign.
#
# Take cosines for $0 \le k \le n/2$ and sines for $0 < k < n/2$, which makes $n$ columns, and scale each to length 1.
# They are orthogonal: modes of different frequency are combinations of orthogonal columns of $\Phi$, and a cosine and
# a sine of one frequency are one even and one odd, so their products cancel in pairs $u, -u$.


# %% tags=["solution"]
def real_modes(n):
    u = 2 * np.pi * np.arange(n) / n
    cosines = [np.cos(k * u) for k in range(n // 2 + 1)]
    sines = [np.sin(k * u) for k in range(1, (n + 1) // 2)]
    Q = np.stack(cosines + sines, axis=1)
    return Q / np.linalg.norm(Q, axis=0)


# %% [markdown] tags=["solution"]
# :::{solution-end}
# :::

# %%
exercises.check("gnn/modes/real_modes", real_modes)

# %% [markdown]
# :::{exercise} A filter without eigenvectors
# :label: ex-gnn-laplacian-filter
# Write `laplacian_filter(c, L, x)`, which returns $\sum_{j=0}^{K} c_j\, T_j\big(I - \frac12 L\big)\, x$ for the
# Laplacian $L$ of *any* graph, with `L @ v` for vectors $v$ as the only use of $L$, and as few of them as you can: the
# check hands you an `L` that has nothing else, and counts. How many does it take? Where on the graph can $x_i$ have an
# influence on the result?
# :::

# %% [markdown] tags=["solution"]
# :::{solution-start} ex-gnn-laplacian-filter
# :class: dropdown
# :::
# Apply {eq}`eq-gnn-chebyshev` to the vectors $t_j = T_j\big(I - \frac12 L\big) x$: $t_0 = x$, $t_1 = x - \frac12 L x$,
# $t_{j+1} = 2 \big( t_j - \frac12 L t_j \big) - t_{j-1}$. That takes $K$ products, one per degree. By
# {eq}`eq-gnn-polynomial-hops`, $x_i$ reaches the nodes at most $K$ hops from $i$.


# %% tags=["solution"]
def laplacian_filter(c, L, x):
    before, now = 0 * x, x
    y = c[0] * x
    for j, c_j in enumerate(c[1:]):
        # t_1 comes from t_0 alone, and has no factor 2
        before, now = now, (2 - (j == 0)) * (now - L @ now / 2) - before
        y = y + c_j * now
    return y


# %% [markdown] tags=["solution"]
# :::{solution-end}
# :::

# %%
exercises.check("gnn/modes/laplacian_filter", laplacian_filter)

# %% [markdown]
# ## Further reading
#
# - {cite:t}`defferrard2016chebnet` and {cite:t}`kipf2017gcn` take the last two sections to real graphs.
# - {cite:t}`bamieh2018discovering` has the modes of the ring at length and with the same patience for every step.
