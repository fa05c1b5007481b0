# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

# %% [markdown]
# # The best forecast
#
# *This chapter is optional: it answers a question that {doc}`graphs_in_time` left open, and nothing after it needs it.*
#
# There, four networks forecast the next frame of a net in the wind. The graph GRU had the smallest error, but not zero.
# **How much of an error is the network's fault, and how much would be left to anybody?** For most data nobody can say.
# For this net you can compute the error of the best possible forecast, and hold every network against it. Start small:
# one knot, one frame to look at, and the next one to guess.

# %% tags=["parameters"]
profile = "smoke"
seed = 0

# %% tags=["set-up"]
from helpers import display, exercises, parameters, verify
from helpers.gnn import drawing, wind
from helpers.gnn import graph_gru as networks

import numpy as np
import torch

parameters.check(globals(), profile=("smoke", "full"), seed=range(2**31))
display.use_book_style()
torch.manual_seed(seed)
torch.set_default_dtype(torch.float64)  # claims are held to 1e-12

frames = 20
train_nets, test_nets = wind.nets(seed)
generator = torch.Generator().manual_seed(seed)

places, L = test_nets[0]
_, y = wind.shoot(L, 2, generator, films=(400,))  # [2, 400, N]
now, then = y[:, :, 0]  # of knot 0


# %% tags=["hide-input"]
def draw_two_frames():
    (figure,), (ax,) = display.panels((4.2, 3.2))
    ax.plot(now[:200], then[:200], "o", ms=3, linestyle="none")
    ends, best = torch.tensor([-1, 1]) * now.abs().max(), (now @ then) / (now @ now)
    ax.plot(ends, ends, ":", marker="", color=display.INK, label="carried forward")
    style = dict(marker="", lw=2, color=display.COLORS[1], label="best multiple")
    ax.plot(ends, best * ends, "-", **style)
    ax.set(xlabel="height seen in one frame", ylabel="and in the next")
    ax.legend(loc="upper left")
    return figure


display.show(
    draw_two_frames(),
    alt="A cloud of 200 dots, wide and rising, with two lines through the origin: the "
    "diagonal, and a flatter one, the best multiple.",
    caption="A dot per film, one knot: the best line is flatter than the diagonal. A "
    "knot that is seen far out is, on average, less far out in the next frame.",
)

# %% [markdown]
# ## One number guesses another
#
# Let two numbers have mean 0, variance 4 each, and covariance 3, as two frames of a knot might. You see that the first
# one, $y_0$, is 2. Carry it forward, and your guess for $y_1$ is 2; on average over many films that costs
# $\mathbb{E}(y_1 - y_0)^2 = 4 - 2 \cdot 3 + 4 = 2$. Guess $w y_0$ instead, and it costs $4 - 6 w + 4 w^2$. That is
# least at $w = \tfrac34$, where it is 1.75. So guess 1.5: what is far out is on its way back, more often than not.
#
# The same with the films of {eq}`def-gnn-net` that are drawn above: the best multiple is a sum of products over a sum
# of squares.

# %%
slope = (now @ then) / (now @ now)
print(f"carried forward: {(then - now).square().mean():.2f}")
print(f"{slope:.2f} times it: {(then - slope * now).square().mean():.2f}")


# %% [markdown]
# ## Many numbers guess one
#
# All randomness in {eq}`def-gnn-net` is normal and all steps are linear, so all that is seen is jointly normal. Let
# $y_O$ be what you may look at, $\Sigma$ the covariance matrix of everything, $\Sigma_{OO}$ its block for what is seen
# and $\Sigma_{Oi}$ its column of covariances with a target $y_i$. Try a forecast $w^\top y_O$. It is best when its
# error has nothing to do with what was seen, $\Sigma_{Oi} - \Sigma_{OO}\, w = 0$: jointly normal and uncorrelated means
# independent, so no function of $y_O$, linear or not, could say more about the error. Hence
# $w = \Sigma_{OO}^{-1} \Sigma_{Oi}$, and since forecast and error are uncorrelated, their variances sum to that of the
# target:
#
# $$
# \begin{aligned}
# \mathbb{E}\big[y_i \,\big|\, y_O\big] &= \Sigma_{iO}\, \Sigma_{OO}^{-1}\, y_O , \\
# \text{mean squared error} &= \Sigma_{ii} - \Sigma_{iO}\, \Sigma_{OO}^{-1}\, \Sigma_{Oi} .
# \end{aligned}
# $$ (eq-gnn-conditional)
#
# Now take any other forecast $f(y_O)$, a network say. Its error is that of the best one plus
# $\mathbb{E}[y_i \mid y_O] - f(y_O)$. The first part is independent of $y_O$, the second is a function of $y_O$, so
# that the mean of their product is 0 and the squares sum, as in the theorem of Pythagoras:
#
# $$
# \begin{aligned}
# \mathbb{E}\big(y_i - f(y_O)\big)^2 = {} &
# \Sigma_{ii} - \Sigma_{iO}\, \Sigma_{OO}^{-1}\, \Sigma_{Oi} \\
# & + \mathbb{E}\big(\mathbb{E}[y_i \mid y_O] - f(y_O)\big)^2 .
# \end{aligned}
# $$ (eq-gnn-excess)
#
# The first two terms are a **floor** under every network, however deep, wide or long trained. The last one is what the
# network itself does wrong: its mean squared distance from the best forecast. It can be measured without waiting for
# $y_i$, so the luck of the next gust does not blur it.
#
# Another route to the first claim is the inverse $\Omega$ of the covariance matrix of $y_O$ and the target together.
# Their normal density is $e^{-y^\top \Omega\, y / 2}$ up to a factor. As a function of the target $y_i$ alone it has
# its maximum at $-\Omega_{iO}\, y_O / \Omega_{ii}$ and the variance $1 / \Omega_{ii}$. For the second, $f$ is a sine,
# and means are sums over a grid of points (Gauss and Hermite's quadrature).


# %% tags=["hide-input"]
def draw_excess():
    (figure,), (ax,) = display.panels((4.2, 2.8))
    w, (best, floor) = torch.linspace(0, 1.5, 31), (0.75, 1.75)
    cost = 4 - 6 * w + 4 * w**2
    ax.fill_between(w, 0, torch.full_like(w, floor), fc=display.COLORS[0], alpha=0.3)
    ax.fill_between(w, floor, cost, fc=display.COLORS[1], alpha=0.3)
    ax.plot(w, cost, marker="", color=display.INK)
    ax.axhline(floor, color=display.INK, lw=0.8)
    ax.plot([best, 1], [floor, 2], "o", ms=7, color=display.INK)
    ax.annotate("best", (best, floor), (best, 2.15), ha="center")
    ax.annotate("carried\nforward", (1, 2), (0.99, 2.35), ha="center")
    ax.text(0.75, 0.8, "floor", ha="center")
    ax.text(0.03, 1.95, "its own\nfault")
    ax.set(xlabel="forecast $w\\, y_0$, by $w$", ylabel="mean squared error")
    ax.set(xlim=(0, 1.5), ylim=(0, 4.2))
    return figure


display.show(
    draw_excess(),
    alt="Mean squared error of the forecast w times the number seen, a parabola with its "
    "lowest point 1.75 at w = 0.75. Below 1.75 an even band, the floor; between it and "
    "the parabola what is the forecast's own fault, a quarter at w = 1.",
    caption="The two numbers from above. Every forecast pays the floor; what it pays on "
    "top is its mean squared distance from the best one.",
)


# %%
def best_from_seen(Sigma, O, i):
    """The weights w [|O|] of what was seen in the best forecast of i, and its error."""
    w = torch.linalg.solve(Sigma[O][:, O], Sigma[O, i])
    return w, Sigma[i, i] - Sigma[O, i] @ w


def random_covariance(n):
    B = torch.randn(n, n)
    return B @ B.T / n + torch.eye(n) / 4


# %% tags=["check"]
def cases():
    for n, size in ((2, 1), (6, 2), (30, 12), (60, 59)):
        Sigma = random_covariance(n)
        O, rest = torch.randperm(n).split([size, n - size])
        w, error = best_from_seen(Sigma, O, rest[0])
        both = torch.cat([O, rest[:1]])
        Omega = torch.linalg.inv(Sigma[both][:, both])[-1]  # the row of the target
        by_density = torch.cat([-Omega[:-1], torch.ones(1)]) / Omega[-1]
        yield torch.cat([w, error[None]]), by_density


verify.equal(
    "eq-gnn-conditional", cases(), atol=1e-12, against="the inverse covariance matrix"
)


# %% tags=["check"]
def cases():
    points, chances = map(torch.from_numpy, np.polynomial.hermite_e.hermegauss(40))
    z = torch.cartesian_prod(points, points, points)  # [40³, 3]
    chances = torch.cartesian_prod(chances, chances, chances).prod(dim=1)
    chances = chances / chances.sum()
    for a in (torch.zeros(2), torch.rand(2), torch.tensor([1.0, -1.0])):
        Sigma = random_covariance(3)
        y = z @ torch.linalg.cholesky(Sigma).T
        w, floor = best_from_seen(Sigma, torch.tensor([0, 1]), 2)
        f, best = torch.sin(y[:, :2] @ a), y[:, :2] @ w
        yield chances @ (y[:, 2] - f) ** 2, floor + chances @ (best - f) ** 2


verify.equal("eq-gnn-excess", cases(), atol=1e-10, against="quadrature over all three")

# %% [markdown]
# ## What frames have in common
#
# So all that is needed are covariances. Put height and velocity into one vector of length $2N$ and insert $v_{t+1}$
# into $x_{t+1} = x_t + v_{t+1}$:
#
# $$
# \begin{gathered}
# \begin{bmatrix} x_{t+1} \\ v_{t+1} \end{bmatrix} =
# M \begin{bmatrix} x_t \\ v_t \end{bmatrix} + q_v \begin{bmatrix} I \\ I \end{bmatrix} \varepsilon_t , \\
# M = \begin{bmatrix} I - \kappa L - \kappa_0 I & (1 - \nu) I \\ - \kappa L - \kappa_0 I & (1 - \nu) I \end{bmatrix} .
# \end{gathered}
# $$ (def-gnn-transition)
#
# Let $\Pi_t$ be the covariance matrix of this vector, 0 at rest. The next gust is independent of the present, and later
# gusts know nothing of it either. So
#
# $$
# \begin{aligned}
# \Pi_{t+1} &= M\, \Pi_t M^\top + q_v^2 \begin{bmatrix} I & I \\ I & I \end{bmatrix} , \\
# \operatorname{Cov}(x_{t+k}, x_t) &= \begin{bmatrix} I & 0 \end{bmatrix} M^k\, \Pi_t
# \begin{bmatrix} I \\ 0 \end{bmatrix} ,
# \end{aligned}
# $$ (eq-gnn-net-covariance)
#
# and the blur, new in each frame and at each knot, adds to the diagonal alone:
#
# $$
# \operatorname{Cov}(y_t, y_{t'}) = \operatorname{Cov}(x_t, x_{t'}) + q_y^2\, [\,t = t'\,]\, I .
# $$ (eq-gnn-seen-covariance)
#
# Everything below rests on these two: were a floor computed for another friction than that of the films, or another
# wind, it would be the floor of nothing. So both are held against the very function that makes the films on which
# networks are trained and tested. For the first, `film` is differentiated: heights are linear in the gusts, $x =
# B \varepsilon$, so their covariance is $B B^\top$. For the second, many films are shot. Numbers that have the derived
# covariance $\Sigma$ become independent of each other, with variance 1, when they are multiplied by the inverse of a
# factor $R$ of $\Sigma = R R^\top$, and the check is whether they do.


# %% tags=["hide-input"]
def draw_from_rest():
    (figure,), (ax,) = display.panels((4.2, 2.7))
    gusts = torch.randn(wind.UNSEEN + frames, 400, len(L), generator=generator)
    v = x = torch.zeros(400, len(L))
    spread = []
    for gust in gusts:  # many films at once, by the law of motion
        pull = -wind.KAPPA * (x @ L) - wind.KAPPA_0 * x
        v = (1 - wind.NU) * v + pull + wind.Q_V * gust
        x = x + v
        spread.append(x.square().mean().sqrt())
    ax.plot(range(1, len(spread) + 1), spread, marker="")
    ax.axvline(wind.UNSEEN, color=display.INK, lw=0.9, ls="--")
    ax.annotate("camera on", (wind.UNSEEN - 2, 0.1), ha="right")
    ax.set(xlabel="steps from rest", ylabel="root mean square height", ylim=(0, None))
    return figure


display.show(
    draw_from_rest(),
    alt="The root mean square height of all knots in 400 films, by steps from rest: it "
    "rises from 0, ever more slowly, and still rises a little when the camera starts.",
    caption="A net at rest is known exactly; gust by gust the heights spread, held back "
    "by friction and the threads. So covariances are followed from rest, too.",
)


# %%
def covariances(L, frames, q_y=wind.Q_Y):
    """Cov(y_t, y_t') over the frames of a film: [frames, N, frames, N]."""
    N, I = len(L), torch.eye(len(L))
    pull = -wind.KAPPA * L - wind.KAPPA_0 * I
    keep = (1 - wind.NU) * I
    M = torch.cat([torch.cat([I + pull, keep], 1), torch.cat([pull, keep], 1)])
    gust = wind.Q_V**2 * I.repeat(2, 2)  # [2 N, 2 N]
    Pi, Sigma = torch.zeros(2 * N, 2 * N), torch.zeros(frames, N, frames, N)
    for _ in range(wind.UNSEEN):
        Pi = M @ Pi @ M.T + gust
    for s in range(frames):
        Pi = M @ Pi @ M.T + gust
        later = Pi
        for t in range(s, frames):
            Sigma[t, :, s], Sigma[s, :, t] = later[:N, :N], later[:N, :N].T
            later = M @ later
        Sigma[s, :, s] += q_y**2 * I
    return Sigma


# %% tags=["check"]
def cases():
    for _, L in (train_nets[0], test_nets[0]):
        steps, N = wind.UNSEEN + 3, len(L)
        B = torch.autograd.functional.jacobian(
            lambda gusts, L=L: wind.film(L, gusts, torch.zeros(3, len(L)))[0],
            torch.zeros(steps, N),
            vectorize=True,
        ).reshape(3 * N, steps * N)
        yield covariances(L, 3, q_y=0).reshape(3 * N, 3 * N), B @ B.T


verify.equal(
    "eq-gnn-net-covariance", cases(), atol=1e-12, against="the simulation, by autograd"
)


# %% tags=["check"]
def cases(films=20_000):
    for _, L in (train_nets[0], train_nets[1]):
        size = 3 * len(L)
        _, y = wind.shoot(L, 3, generator, films=(films,))  # [3, films, N]
        R = torch.linalg.cholesky(covariances(L, 3).reshape(size, size))
        y = y.transpose(1, 2).reshape(size, films)
        y = torch.linalg.solve_triangular(R, y, upper=False)
        yield y @ y.T / films, torch.eye(size)


verify.equal("eq-gnn-seen-covariance", cases(), atol=0.05, against="20,000 films each")

# %% [markdown]
# With 20,000 films the mean of a square is 1 give or take 0.01, and 0.05 is five times that. A friction that is twice
# as large, gusts or blur a tenth stronger, or the threads of another net turn the checks red. You can see the agreement
# with fewer films, too:

# %%
shot = 2000
_, seen = wind.shoot(L, frames, generator, films=(shot,))  # [frames, films, N]
neighbour = int((L[0] < 0).nonzero()[0])
sampled = torch.einsum("tf,tfi->ti", seen[:1, :, 0].expand(frames, -1), seen) / shot
derived = covariances(L, frames)[:, :, 0, 0]  # [frames, N], with knot 0 at frame 0


# %% tags=["hide-input"]
def draw_covariances():
    (figure,), (ax,) = display.panels((4.2, 2.9))
    rows = ((0, "itself", "-", "o"), (neighbour, "a neighbour", "--", "s"))
    for (knot, name, dashes, marker), hue in zip(rows, display.COLORS, strict=False):
        ax.plot(derived[:, knot], dashes, marker="", color=hue)
        style = {"marker": marker, "linestyle": "none", "color": hue}
        ax.plot(sampled[:, knot], label=f"with {name}", **style)
    ax.axhline(0, color=display.INK, lw=0.8)
    ax.set(xlabel="frames later", ylabel="covariance", xticks=range(0, frames, 5))
    ax.legend(loc="upper right")
    return figure


display.show(
    draw_covariances(),
    alt="Covariance of a knot's height with its own and with a neighbour's, by the "
    "number of frames between them: two lines that swing about zero and fade, with "
    "markers close to them.",
    caption="Lines are derived, markers come from 2,000 films. A knot swings, and "
    "after half a swing it is, on average, on the other side.",
)

# %% [markdown]
# ## One mass at a time
#
# What does the best forecast look like when all knots and all frames so far may be used? Turn to the eigenvectors,
# $L = U \Lambda U^\top$. In the coordinates $U^\top x_t$ the net falls apart into $N$ single masses, number $k$ on a
# spring of strength $\kappa \lambda_k + \kappa_0$. Because $U$ is orthogonal, $U^\top \varepsilon_t$ and
# $U^\top \eta_t$ are again independent standard normal: the $N$ forecasts have nothing to do with each other. For one
# mass, the best forecast is the *Kalman filter* {cite}`kalman1960filter`: it keeps an estimate of $x$ and $v$, and the
# covariance $\Pi \in \mathbb{R}^{2 \times 2}$ of its error. By {eq}`eq-gnn-conditional` for one number seen, the
# surprise, $y$ less the estimated $x$, times a gain of $\Pi_{:0} / (\Pi_{00} + q_y^2)$ is added, and the gain times
# $\Pi_{0:}$ taken off $\Pi$. Then both move on by the $M$ of this mass, and the next gust is added to $\Pi$. It is
# itself a small recurrent network, a linear one. Let $g_s(\lambda)$ be the weight that it ends up giving to frame $s$.
# Back in the old coordinates
#
# $$
# \begin{aligned}
# \mathbb{E}[y_{t+1} \mid y_0, \dots, y_t] &= \sum_{s=0}^{t} G_s\, y_s , \\
# G_s &= U \operatorname{diag}\big( g_s(\lambda_0), \dots, g_s(\lambda_{N-1}) \big)\, U^\top .
# \end{aligned}
# $$ (eq-gnn-best-forecast)
#
# The other route asks for no eigenvectors and no masses: {eq}`eq-gnn-conditional` with all knots and frames at once.


# %%
def kalman(eigenvalues, frames, q_y=wind.Q_Y):
    """Weights g [N, frames] of the forecast after that many frames, and its Π₀₀ [N]."""
    pull = -wind.KAPPA * eigenvalues - wind.KAPPA_0  # [N]
    keep = torch.full_like(pull, 1 - wind.NU)
    M = torch.stack([1 + pull, keep, pull, keep], dim=1).reshape(-1, 2, 2)
    gust, Pi = wind.Q_V**2 * torch.ones(2, 2), torch.zeros(len(pull), 2, 2)
    for _ in range(wind.UNSEEN + 1):
        Pi = M @ Pi @ M.mT + gust
    estimate = torch.zeros(len(pull), 2, frames)  # one column for each frame alone
    for y in torch.eye(frames):
        gain = Pi[:, :, :1] / (Pi[:, :1, :1] + q_y**2)  # [N, 2, 1]
        estimate = M @ (estimate + gain @ (y - estimate[:, :1]))
        Pi = M @ (Pi - gain @ Pi[:, :1]) @ M.mT + gust
    return estimate[:, 0], Pi[:, 0, 0]


def best_filters(L, frames):
    """G [frames, N, N]: the best forecast after these frames sums all G_s y_s."""
    eigenvalues, U = torch.linalg.eigh(L)
    g, _ = kalman(eigenvalues, frames)  # [N, frames]
    return torch.einsum("ik,ks,jk->sij", U, g, U)


def best_weights(Sigma, t, edges, memory):
    """W [s, j, i]: what frame s of knot j counts in the best forecast of frame t of i.

    With ``edges`` a forecast sees all knots, else its own; with ``memory`` all frames
    before t, else the last one. The error, mean over knots, comes second.
    """
    N, first = Sigma.shape[1], 0 if memory else t - 1
    if edges:
        size = (t - first) * N
        Sigma_OO = Sigma[first:t, :, first:t].reshape(size, size)
        W = torch.linalg.solve(Sigma_OO, Sigma[first:t, :, t].reshape(size, N))
        W = W.reshape(-1, N, N)
    else:  # one small problem for each knot
        own = Sigma.diagonal(dim1=1, dim2=3).permute(2, 0, 1)  # [N, frames, frames]
        W = torch.linalg.solve(own[:, first:t, first:t], own[:, first:t, t])
        W = torch.diag_embed(W.T)
    explained = (W * Sigma[first:t, :, t]).sum(dim=(0, 1))  # [N]
    return W, (Sigma[t, :, t].diagonal() - explained).mean()


# %% tags=["hide-input"]
def draw_weights():
    (figure,), (ax,) = display.panels((4.2, 2.9))
    eigenvalues = torch.tensor([0.0, 2.0, 8.0])
    g, _ = kalman(eigenvalues, frames)
    for row, eigenvalue in zip(g, eigenvalues, strict=True):
        ax.plot(np.arange(frames) - frames, row, label=f"λ = {eigenvalue:.0f}")
    ax.set(xlabel="frame, as seen from the next one", ylabel="weight", xlim=(-15, 0))
    ax.legend(loc="upper left", title="weights g(λ)")
    return figure


display.show(
    draw_weights(),
    alt="Weights of the past frames in the best forecast, for three eigenvalues. For 0 "
    "they fall from near 1 within two frames, dip below zero and fade. For 2 and 8 "
    "they swing about zero, the larger the eigenvalue the faster.",
    caption="A slow mass asks for a mean over frames with the trend drawn on, a fast "
    "one for weights of both signs: its own swing, read backwards.",
)


# %% tags=["check"]
def cases():
    for _, L in (train_nets[0], test_nets[0]):
        for t in (1, 2, 8):
            W, _ = best_weights(covariances(L, t + 1), t, edges=True, memory=True)
            yield best_filters(L, t), W.mT


verify.equal(
    "eq-gnn-best-forecast",
    cases(),
    atol=1e-12,
    against="the covariances of all knots and frames at once",
)

# %% [markdown]
# Each $G_s$ is a function of the Laplacian: a **graph filter**, as in {doc}`modes`. It is permutation equivariant,
# and the functions $g_s$ are the same for every net. So this is what to build: something recurrent, made of graph
# filters, whose weights know no names. Its error, per knot, is the mean of the errors of the masses, with $\Pi$ as it
# stands before $y_{t+1}$ is seen:
#
# $$
# \operatorname{floor}_t = q_y^2 + \frac1N \sum_{k=0}^{N-1} \Pi_{00}(\lambda_k) .
# $$ (eq-gnn-floor)
#
# Without threads all $\lambda_k$ are 0, and a knot's own frames must do as well as those of all.


# %%
def floor_by_mass(L, frames, q_y=wind.Q_Y):
    """The least error after 1, …, ``frames`` frames, from all knots and all frames."""
    eigenvalues = torch.linalg.eigvalsh(L)
    Pi_00 = [kalman(eigenvalues, t, q_y)[1] for t in range(1, frames + 1)]  # [N] each
    return q_y**2 + torch.stack(Pi_00).mean(dim=1)


# %% tags=["check"]
def cases():
    for _, L in (train_nets[0], test_nets[0]):
        for net, edges in ((L, True), (0 * L, True), (0 * L, False)):
            Sigma = covariances(net, 9)
            errors = [best_weights(Sigma, t, edges, True)[1] for t in range(1, 9)]
            yield floor_by_mass(net, 8), torch.stack(errors)


verify.equal(
    "eq-gnn-floor", cases(), atol=1e-12, against="the covariances of knots and frames"
)


# %% tags=["hide-input"]
def draw_floors():
    (figure,), (ax,) = display.panels((4.2, 2.8))
    seen, Sigma = range(1, 13), covariances(L, 13)
    own = [best_weights(Sigma, t, edges=False, memory=True)[1] for t in seen]
    ax.plot(seen, own, "s--", label="its own frames")
    ax.plot(seen, floor_by_mass(L, 12), "o-", label="all knots, all frames")
    ax.axhline(wind.Q_V**2 + wind.Q_Y**2, color=display.INK, lw=0.9, ls=":")
    ax.text(12, wind.Q_V**2 + wind.Q_Y**2 - 0.06, "next gust and blur", ha="right")
    ax.set(xlabel="frames seen", ylabel="floor", ylim=(0, None), xticks=range(0, 13, 2))
    ax.legend(loc="upper right")
    return figure


display.show(
    draw_floors(),
    alt="Floors by the number of frames seen. From a knot's own frames the floor falls "
    "and levels out high; from all knots it falls below that, towards a dotted line, "
    "the next gust and blur, and does not reach it.",
    caption="What anybody can reach. More frames help both, and no number of its own "
    "frames tells a knot what its neighbours do.",
)

# %% [markdown]
# ## The networks, held against it
#
# Here are the four networks of {doc}`graphs_in_time` again, trained in the same way from the same starts. For each kind
# the best forecast is computed from exactly what that kind may see: a knot's own frames or those of all, the present
# frame or all so far.

# %%
num_steps, num_films = {"smoke": 160, "full": 400}[profile], 20
generator.manual_seed(seed)
trained = networks.train([L for _, L in train_nets], num_steps, generator)

# %%
generator.manual_seed(seed + 1)  # the wind of the test, as in the other chapter
test_L = torch.block_diag(*(L for _, L in test_nets))
films = [wind.shoot(test_L, frames + 1, generator)[1] for _ in range(num_films)]
y = torch.stack(films)  # [films, frames + 1, 90]
with torch.no_grad():
    guesses = torch.stack([networks.forecast(f[:-1], test_L, trained) for f in films])
guesses = guesses.double().unflatten(2, (len(networks.KINDS), -1))
guesses = guesses.permute(2, 3, 0, 1, 4)  # [4, S, films, frames, 90]


def best_on_films(L, y, edges, memory):
    """The best forecasts of the frames y[:, 1:], and their floors [frames]."""
    Sigma, forecasts, floors = covariances(L, frames + 1), [], []
    for t in range(1, frames + 1):
        W, floor = best_weights(Sigma, t, edges, memory)
        forecasts.append(torch.einsum("fsj,sji->fi", y[:, t - len(W) : t], W))
        floors.append(floor)
    return torch.stack(forecasts, dim=1), torch.stack(floors)


best, floors = [], []
for switches in networks.KINDS.values():
    knots = y.chunk(len(test_nets), dim=2)  # of each net
    each = [
        best_on_films(L, of_net, *switches)
        for (_, L), of_net in zip(test_nets, knots, strict=True)
    ]
    best.append(torch.cat([forecasts for forecasts, _ in each], dim=2))
    floors.append(torch.stack([floor for _, floor in each]).mean(dim=0))
best, floors = torch.stack(best), torch.stack(floors)  # [4, films, frames, 90], [4, 20]

settled = slice(5, frames)  # forecasts after 6 frames and more
by_film = (guesses - y[:, 1:]).square()[..., settled, :].mean(dim=(3, 4))  # [4, S, F]
best_by_film = (best - y[:, 1:]).square()[:, :, settled].mean(dim=(2, 3))  # [4, F]
apart = (guesses - best[:, None]).square()[..., settled, :].mean(dim=(2, 3, 4))
floor = floors[:, settled].mean(dim=1)  # [4]

# %% tags=["hide-input", "nbval-ignore-output"]
assert (by_film.mean(dim=1) > best_by_film).double().mean() > 0.7
assert (apart.mean(dim=1) / floor)[[0, 2, 3]].max() < 0.1  # what the text says of them
# The best forecast, too, is above its floor or below it by the luck of the films.
luck = best_by_film.std(dim=1) / num_films**0.5
assert ((best_by_film.mean(dim=1) - floor).abs() < 5 * luck).all()
for row, name in enumerate(networks.KINDS):
    key = f"gnn-forecast-{name.replace(' ', '-')}"
    display.glue(f"{key}-over", f"{apart[row].mean() / floor[row]:.1%}")
display.glue("gnn-forecast-two-frames", f"{floors[3, 1]:.3f}")
display.glue("gnn-forecast-all-frames", f"{floors[3, -1]:.3f}")
display.glue("gnn-forecast-noise", f"{wind.Q_V**2 + wind.Q_Y**2:.2f}")
display.glue("gnn-forecast-starts", f"{networks.STARTS}")
display.glue("gnn-forecast-films", f"{num_films}")

# %% tags=["hide-input", "nbval-ignore-output"]
MAY_SEE = "a knot's present", "a knot's past", "all knots' present", "all knots' past"
display.table(
    {
        "may see": sees,
        "network": f"{by_film[row].mean():.3f}",
        "best forecast, same films": f"{best_by_film[row].mean():.3f}",
        "floor": f"{floor[row]:.3f}",
        "distance": f"{apart[row].mean():.4f} ± {apart[row].std():.4f}",
    }
    for row, sees in enumerate(MAY_SEE)
)

# %% [markdown]
# All are means of squares, after six frames and more of {glue:text}`gnn-forecast-films` films. Read a row from left to
# right: the network's error and that of the best forecast on the same films, which share their luck; the floor, which
# is the mean over *all* films; and the last term of {eq}`eq-gnn-excess`, mean and standard deviation over
# {glue:text}`gnn-forecast-starts` starts. On a few films even the best forecast is not at its floor but a little above
# or below it, and a good network goes with it.


# %% tags=["hide-input", "nbval-ignore-output"]
def draw_against_best():
    figures, axes = display.panels((3.3, 3.4), (3.5, 3.4))
    by_frame = (guesses - y[:, 1:]).square().mean(dim=(1, 2, 4))  # [4, frames]
    all_dashes = ((0, (1, 1)), "-.", "--", "-")
    looks = zip(networks.KINDS, all_dashes, "os^D", display.COLORS, strict=False)
    ylim = (0, 1.05 * by_film.max())
    for row, (name, dashes, marker, hue) in enumerate(looks):
        dots = {"marker": marker, "color": hue, "label": name}
        films = by_film[row].mean(dim=0)
        axes[0].plot(best_by_film[row], films, linestyle="none", **dots)
        seen = np.arange(1, frames + 1)
        axes[1].plot(seen, by_frame[row], linestyle=dashes, **dots)
        axes[1].plot(seen, floors[row], "-", marker="", lw=0.8, color=display.INK)
    axes[0].plot(ylim, ylim, "-", marker="", lw=0.8, color=display.INK)
    axes[0].set(
        xlabel="error of the best forecast",
        ylabel="error of the network",
        xlim=ylim,
        ylim=ylim,
        title="one marker per film",
    )
    axes[1].set(
        xlabel="frames seen",
        xticks=[1, 5, 10, 15, 20],
        ylim=ylim,
        title="thin lines: the floors",
    )
    axes[1].legend(loc="lower right", ncols=2, columnspacing=1)
    return figures


display.show(
    draw_against_best(),
    alt="Left, errors of the networks against those of the best forecast on the same "
    "film, on the diagonal or above it, "
    "in four clusters, farthest above for memory only. Right, errors of "
    "the networks by frames seen, close to their four floors, which are thin lines.",
    caption="A film that is hard for the best forecast is hard for the network. What "
    "is the network's own fault is the small distance to the diagonal.",
)

# %% [markdown]
# The two networks without memory are nearly as good as their kind can be: their distance from the best forecast is
# {glue:text}`gnn-forecast-neither-over` and {glue:text}`gnn-forecast-edges-only-over` of the floor. More layers could
# not have helped the graph network by more than that, because velocity is not in the picture. The recurrent network is
# {glue:text}`gnn-forecast-memory-only-over` above its floor, so a larger or longer trained one might do better. But its
# floor is far above the error of the graph GRU: it sees its neighbours' doings only by what they did to it.
#
# The graph GRU is {glue:text}`gnn-forecast-both-over` above what anybody can do, its filters being short polynomials
# and its training short, too. And of what is left, the next gust and the next blur alone, unpredictable for everyone,
# are $q_v^2 + q_y^2 = $ {glue:text}`gnn-forecast-noise`. Memory means more than two frames: with two, the floor is
# {glue:text}`gnn-forecast-two-frames`, with twenty {glue:text}`gnn-forecast-all-frames`.

# %% tags=["hide-input", "nbval-ignore-output"]
threads = np.argwhere(np.triu(L.numpy(), 1) < 0)  # [E, 2]
first = len(L)  # the knots of this net come first in the films
film_seen, by_network = y[0, :, :first], guesses[3, 0, 0, :, :first]
by_best = best[3, 0, :, :first]


def seen_from_the_side(height):
    flat = places @ np.array([[1.0, 0.0], [0.35, 0.6]])
    return flat + np.column_stack([np.zeros(first), 0.13 * height.numpy()])  # [N, 2]


def off(guess, t):
    return (guess[t - 1] - film_seen[t]).square().mean().sqrt()


def draw_frame(t):
    figures, axes = display.panels((3.3, 2.7), (3.3, 2.7))
    truth = seen_from_the_side(film_seen[t])
    pairs = (by_network, "graph GRU"), (by_best, "best forecast")
    for ax, (guess, title) in zip(axes, pairs, strict=True):
        drawing.edges(ax, truth, threads)
        foot = seen_from_the_side(guess[t - 1])
        tick = np.array([0.018, 0.0])
        bars = np.stack([truth, foot, foot - tick, foot + tick, foot * np.nan], axis=1)
        ax.plot(*bars.reshape(-1, 2).T, "-", marker="", lw=2, color=display.COLORS[1])
        ax.plot(*truth.T, "o", ms=5, color=display.COLORS[0])
        ax.set(title=f"{title}:\noff by {off(guess, t):.2f}", ylim=(-0.3, 0.85))
        ax.set_axis_off()
    return figures


display.slider(
    draw_frame,
    range(frames - 11, frames + 1),
    label="frame",
    alt=lambda t: (
        f"Frame {t} of a film of a net with {first} knots, seen from the side: discs "
        "where the camera saw the knots, each with a bar that ends where it was "
        f"forecast. Root mean square distance for the graph GRU {off(by_network, t):.2f}"
        f", for the best forecast {off(by_best, t):.2f}."
    ),
    caption="Discs are what the camera saw, bars end where that was expected one frame "
    "before. Both forecasts are surprised by the same gusts.",
)

# %% [markdown]
# The bars of both are alike, knot by knot. Where both are off by much, nobody could have known.

# %% [markdown]
# ## What was shown
#
# - Among jointly normal numbers the best forecast is linear, and its error is a floor under every network that sees no
#   more. What a network does worse than that is its mean squared distance from the best forecast.
# - The covariances of the films follow from the law of motion, and the films have them: by derivative, and by counting.
# - With all knots and all frames the best forecast is a recurrent graph filter. It is a Kalman filter for each
#   eigenvector of the Laplacian, with the same rule for every net.
# - Scored on the same films, the networks without memory are nearly at the floors of their kind, and the graph GRU is
#   within a tenth of the floor of all: without edges or without memory no network can come near it.
#
# ## Exercises

# %% [markdown]
# :::{exercise} A lost frame
# :label: ex-gnn-lost-frame
# A film has lost some of its frames. Write `fill_in(Sigma, seen, lost, y_seen)`: the best guess of the lost numbers
# from the seen ones, and the mean squared error of each, as two vectors. `seen` and `lost` are lists of indices into
# the covariance matrix `Sigma` $[n, n]$, and may be in any order. Is the guess for a frame in the middle of a film
# better or worse than a forecast for its end?
# :::

# %% [markdown] tags=["solution"]
# :::{solution-start} ex-gnn-lost-frame
# :class: dropdown
# :::
# {eq}`eq-gnn-conditional` does not ask for an order in time: it holds for each lost number as the target. In the middle
# you know what came before *and* after. More was seen, so the error cannot be larger: a forecast from the past alone is
# one of the functions of all that was seen.


# %% tags=["solution"]
def fill_in(Sigma, seen, lost, y_seen):
    weights = torch.linalg.solve(Sigma[seen][:, seen], Sigma[seen][:, lost])  # [|O|, l]
    explained = (Sigma[seen][:, lost] * weights).sum(dim=0)
    return weights.T @ y_seen, Sigma.diagonal()[lost] - explained


# %% [markdown] tags=["solution"]
# :::{solution-end}
# :::

# %%
exercises.check("gnn/forecast/fill_in", fill_in)

# %% [markdown]
# :::{exercise} A second camera
# :label: ex-gnn-two-cameras
# Two cameras look at one knot, with blurs of standard deviation $q_1$ and $q_2$ that are independent of each other, and
# see $y_1$ and $y_2$. Write `one_camera(y_1, y_2, q_1, q_2)`: what a single camera would have to see, and with what
# standard deviation of its blur, to be worth as much as both. What is a second camera of the same make worth?
# :::

# %% [markdown] tags=["solution"]
# :::{solution-start} ex-gnn-two-cameras
# :class: dropdown
# :::
# Each density in $x$ is $e^{-(y - x)^2 / 2 q^2}$ up to a factor. Their product is again of this form: the coefficient
# of $x^2$ says that $1 / q^2 = 1 / q_1^2 + 1 / q_2^2$, the one of $x$ that $y / q^2 = y_1 / q_1^2 + y_2 / q_2^2$. Two
# equal cameras are worth one with a blur of $q_1 / \sqrt 2$ that sees their mean.


# %% tags=["solution"]
def one_camera(y_1, y_2, q_1, q_2):
    trust_1, trust_2 = 1 / q_1**2, 1 / q_2**2
    y = (trust_1 * y_1 + trust_2 * y_2) / (trust_1 + trust_2)
    return y, (trust_1 + trust_2) ** -0.5


# %% [markdown] tags=["solution"]
# :::{solution-end}
# :::

# %%
exercises.check("gnn/forecast/one_camera", one_camera)

# %% [markdown]
# :::{exercise} A sharp camera
# :label: ex-gnn-sharp
# Let the camera have no blur, $q_y = 0$. What is the floor for all knots and all frames, after one frame and after two?
# And for a knot's own frames: does it fall to the same value in the end? Say first, then compute.
# :::

# %% [markdown] tags=["solution"]
# :::{solution-start} ex-gnn-sharp
# :class: dropdown
# :::
# After two frames heights *and* velocities are known exactly, and only the next gust is left: $q_v^2$. One frame leaves
# the velocity open. A knot's own frames never say how its neighbours stand, so that floor stays above.

# %% tags=["solution"]
print("all knots: ", [f"{error:.3f}" for error in floor_by_mass(L, 4, q_y=0)])
Sigma = covariances(L, 13, q_y=0)
own = [best_weights(Sigma, t, edges=False, memory=True)[1] for t in (1, 2, 4, 12)]
print("own frames:", [f"{error:.3f}" for error in own], "after 1, 2, 4 and 12")
print(f"the gust:   {wind.Q_V**2:.3f}")

# %% [markdown] tags=["solution"]
# :::{solution-end}
# :::

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
torn = A.sum(dim=1).diag() - A
torn = torch.stack([test_L] * (wind.UNSEEN + 8) + [torn] * (frames - 7))
tellings = {  # the film's L, what the networks are told
    "right": (test_L, test_L),
    "wrong": (test_L, test_L[renamed][:, renamed]),
    "torn, told": (torn, torn[wind.UNSEEN + 1 :]),
    "torn, not told": (torn, test_L),
}
for name, (true_L, told) in tellings.items():
    generator.manual_seed(seed + 2)  # the same wind each time
    _, seen = wind.shoot(true_L, frames + 1, generator)
    with torch.no_grad():
        error = (networks.forecast(seen[:-1], told, trained) - seen[1:, None])[settled]
    error = error.square().mean(dim=(0, 2)).reshape(4, -1).mean(dim=1)
    print(name, dict(zip(networks.KINDS, error.numpy().round(2).tolist(), strict=True)))

# %% [markdown] tags=["solution"]
# :::{solution-end}
# :::

# %% [markdown]
# ## Further reading
#
# - Kalman {cite}`kalman1960filter` is short, and derives the filter from projections, as above.
# - Seo and others {cite}`seo2018structured` put graph filters inside recurrent cells; Li and others {cite}`li2018dcrnn`
#   do it for traffic, where the floor is not known.
