# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

# %% [markdown]
# # What reaches the first step
#
# {doc}`bptt` sends the blame for an error back through time, multiplied at every step by one more matrix. After forty
# steps, what is left of it? And what can you do when it is nothing, or far too much?

# %% tags=["parameters"]
profile = "smoke"
seed = 0

# %% tags=["set-up"]
import math

from helpers import display, exercises, parameters, verify
from helpers.rnn.cells import VanillaRNN

import matplotlib.pyplot as plt
import numpy as np
import torch
from torch.autograd.functional import jacobian
from torch.nn.functional import cross_entropy, normalize, softplus

parameters.check(globals(), profile=("smoke", "full"), seed=range(2**31))
display.use_book_style()
torch.manual_seed(seed)
torch.set_default_dtype(torch.float64)  # claims are held to 1e-12

# %% [markdown]
# ## What a product of many Jacobians does
#
# When $h^{(t')}$ is moved and the steps to $t$ follow, $h^{(t)}$ moves by $J^{(t)} \cdots J^{(t'+1)}$. How large is this
# product? $\lVert M \rVert$, the largest singular value, is the most by which a matrix stretches a vector. For products,
# $\lVert M N \rVert \le \lVert M \rVert\, \lVert N \rVert$, and a diagonal matrix stretches by its largest entry:
#
# $$
# \big\lVert J^{(t)} \cdots J^{(t'+1)} \big\rVert \;\le\;
# \prod_{j=t'+1}^{t} \Big( \max_i \big( 1 - (h_i^{(j)})^2 \big) \Big) \lVert W_{hh} \rVert
# \;\le\; \lVert W_{hh} \rVert^{\,t-t'} .
# $$ (eq-rnn-bound)
#
# With $\lVert W_{hh} \rVert < 1$ the product vanishes at least as fast as $\lVert W_{hh} \rVert^{t-t'}$, whatever is
# read. With $\lVert W_{hh} \rVert > 1$ the bound allows growth, and does not promise it. What decides in the long run is
# seen best where all slopes are 1: without input and bias the state stays at zero, and the product is a power of
# $W = W_{hh}$. Let $W = V \Lambda V^{-1}$ be diagonalisable and let the **spectral radius** $\rho(W)$ be the largest
# $|\lambda|$ of its eigenvalues. An eigenvector of that $\lambda$ is stretched by $\rho^k$ in $k$ steps, so
# $\lVert W^k \rVert$ is no less; and $W^k = V \Lambda^k V^{-1}$:
#
# $$
# \rho(W)^k \;\le\; \lVert W^k \rVert \;\le\; \lVert V \rVert\, \lVert V^{-1} \rVert\; \rho(W)^k .
# $$ (eq-rnn-radius)
#
# The factor does not depend on $k$, and its $k$-th root tends to 1. Per step, in the limit, the radius is all:
#
# $$
# \lim_{k \to \infty} \lVert W^k \rVert^{1/k} = \rho(W) .
# $$ (eq-rnn-limit)
#
# (This is Gelfand's formula, true for every square matrix {cite}`horn2013matrix`.) So two numbers of one matrix answer
# two questions: the singular value bounds *one* step, the radius tells the *limit*. They may lie on two sides of 1:


# %%
def recurrent_matrix(radius, seed, H=128):  # Gaussian entries, then scaled
    W = torch.randn(H, H, generator=torch.Generator().manual_seed(seed))
    return W * radius / torch.linalg.eigvals(W).abs().max()


def norm_of_power(W, k):
    return torch.linalg.matrix_norm(torch.linalg.matrix_power(W, k), 2)


matrices = [recurrent_matrix(0.9, s) for s in range(20)]
for k in (1, 2, 5, 10, 20, 40):
    norms = torch.stack([norm_of_power(W, k) for W in matrices])
    print(f"radius 0.9: the norm of W^{k:<2} is {norms.median():.2f}", end=", ")
    print(f"from {norms.min():.2f} to {norms.max():.2f} in 20 matrices; 0.9^{k} = {0.9**k:.2f}")


# %% tags=["check"]
def constant_slopes(H, T, state):  # h(t) has equal entries, and W stretches all alike
    W = 1.1 * torch.linalg.qr(torch.randn(H, H)).Q
    h = torch.full((T + 1, H), state)
    return W, h, (1.1 * (1 - state**2)) ** T


def bounded():
    for _, E, H, K in SHAPES:
        network = random_network(E, H, K)
        h, W = states(torch.randn(7, E), network), network.W_hh
        product = torch.linalg.multi_dot([J(h[t], W) for t in range(7, 0, -1)])
        sizes = [(1 - h[t] ** 2).max() for t in range(1, 8)]
        yield product, math.prod(sizes) * torch.linalg.matrix_norm(W, 2) ** 7
    for state in (0.0, 0.5):
        W, h, bound = constant_slopes(5, 6, state)
        product = torch.linalg.multi_dot([J(h_t, W) for h_t in h[1:]])
        yield product, bound


def cases():
    for number, (product, bound) in enumerate(bounded()):
        norm = torch.linalg.matrix_norm(product, 2)
        # The last two are tight
        yield (min(norm, bound) if number < len(SHAPES) else bound), norm


verify.equal("eq-rnn-bound", cases(), atol=1e-12, against="the norms of products")


# %% tags=["check"]
def within():
    for H in (2, 5, 20):
        W, k = torch.randn(H, H) / H**0.5, 12
        eigenvalues, V = torch.linalg.eig(W)
        stretch = torch.linalg.matrix_norm(V, 2) * torch.linalg.matrix_norm(V.inverse(), 2)
        low = eigenvalues.abs().max() ** k
        yield 0.999 * low <= norm_of_power(W, k) <= 1.001 * stretch * low
        Q = torch.linalg.qr(torch.randn(H, H)).Q  # a basis without stretch: both are tight
        W = Q @ torch.diag(torch.linspace(-0.9, 0.5, H)) @ Q.T
        yield abs(norm_of_power(W, k) - 0.9**k) < 1e-12


verify.holds("eq-rnn-radius", all(within()), against="the norms of powers", cases=6)


# %% tags=["check"]
def cases():
    for H in (2, 5, 20, 128):
        W, log = torch.randn(H, H), 0.0
        power = W
        for doubling in range(45):  # W^(2^45), its size taken out on the way
            size = torch.linalg.matrix_norm(power, 2)
            log, power = log + size.log() / 2**doubling, (power / size) @ (power / size)
        yield log.exp(), torch.linalg.eigvals(W).abs().max()


verify.equal("eq-rnn-limit", cases(), rtol=1e-9, against="the eigenvalues")


# %% [markdown]
# The norm of the power is about the worst of all directions, and at radius 0.9 that one *grows* at first. A loss sends
# back one vector, $\partial L / \partial h^{(T)}$, and if that is a random one, it is stretched less. Below, left, are
# both, with the two rates. On the right a network of $\tanh$ reads random inputs, added to the sum before the
# $\tanh$. Now the slopes count: no slope is above 1, and each unit that is far from zero has a smaller one.


# %%
def sent_back(W, inputs, k):  # the norms of a random loss gradient, 0 to k steps back
    network = Network(torch.eye(len(W)), W, 0, None, None, torch.zeros(len(W)))
    h = states(inputs, network)
    gradient = torch.nn.functional.normalize(torch.randn(len(W)), dim=0)
    norms = [1.0]
    for t in range(len(inputs), len(inputs) - k, -1):
        gradient = W.T @ ((1 - h[t] ** 2) * gradient)
        norms.append(gradient.norm().item())
    return norms, (1 - h[-k:] ** 2).mean().item()


RADII, SIZES, FAR = (0.5, 0.9, 1.0, 1.1, 1.5), (0.0, 0.3, 1.0), 40
measured = {}  # of five matrices each
for radius in RADII:
    for size in SIZES:
        runs = [
            sent_back(recurrent_matrix(radius, s), size * torch.randn(120, 128), FAR)
            for s in range(5)
        ]
        measured[radius, size] = np.array([norms for norms, _ in runs])  # [5, FAR + 1]
        slope = np.mean([slope for _, slope in runs])
        if radius in (0.9, 1.5):
            print(f"radius {radius}, inputs of size {size}: mean slope {slope:.2f}")


# %% tags=["hide-input"]
def draw_distance(radius):
    figures, (left, right) = display.panels((3.3, 3.2), (3.3, 3.2))
    k, W = np.arange(FAR + 1), recurrent_matrix(radius, 0)
    bare = {"marker": ""}
    left.plot(k, torch.linalg.matrix_norm(W, 2).item() ** k, label="$‖W‖^k$", **bare)
    left.plot(k, [norm_of_power(W, j).item() for j in k], label="$‖W^k‖$", **bare)
    left.plot(k, radius**k, label=r"$\rho^k$", **bare)
    left.plot(k, measured[radius, 0.0][0], label="one gradient", **bare)
    for size, style in zip(SIZES, ("-", "--", ":"), strict=True):
        norms, color = measured[radius, size], display.COLORS[SIZES.index(size)]
        right.fill_between(k, norms.min(0), norms.max(0), color=color, alpha=0.2, lw=0)
        middle = np.median(norms, axis=0)
        label = f"inputs {size:g}" if size else "no input"
        right.plot(k, middle, ls=style, color=color, marker="", label=label)
    for ax, title in (left, "slopes 1"), (right, "tanh, five networks"):
        ax.set(yscale="log", ylim=(1e-7, 1e7), xlim=(0, FAR), title=title)
        ax.set(xlabel="steps back", yticks=10.0 ** np.arange(-6, 7, 3))
        ax.minorticks_off()
        ax.figure.legend(loc="outside lower center", ncols=2, frameon=False)
    return figures


def say_distance(radius):
    far = {size: np.median(measured[radius, size][:, -1]) for size in SIZES}
    return (
        f"Spectral radius {radius}. Left, all slopes 1: the norm of the powers of W lies "
        "below the power of its norm, which rises, and goes the way of the power of the "
        f"radius, which is {radius**FAR:.0e} after 40 steps; a random gradient has "
        f"{far[0.0]:.0e}. Right, with tanh: {far[0.3]:.0e} with small inputs, "
        f"{far[1.0]:.0e} with large ones."
    )


display.slider(
    draw_distance,
    RADII,
    label="spectral radius",
    alt=say_distance,
    caption="How large a gradient is, k steps back, in networks of 128 units. Where the "
    "slopes are 1 the radius decides between vanishing and exploding. With inputs the "
    "slopes shrink, and here the gradient vanishes at every radius, the largest last.",
    start=0.9,
)

# %% [markdown]
# Read it as a question with three answers. *Radius below 1*: it vanishes, exponentially. *Above 1*: around the zero
# state it explodes; but there the zero state does not last, any small push grows until the $\tanh$ bends it. *Away from
# zero*: the slopes $1 - h^2$ multiply every step, and strong inputs make gradients vanish that the radius alone would
# let explode. The radius of $W_{hh}$ is a statement about $W_{hh}$; the gradient is multiplied by $\Delta^{(t)} W_{hh}$.
#
# ## What vanishes
#
# The gradient $\partial L^{(T)} / \partial W_{hh}$ is a *sum* over steps, and its term for the last one has no Jacobian
# in it. So what vanishes is not the gradient. It is the share that far steps have in it: the term of step $t$ is an
# outer product, of size exactly
#
# $$
# \Big\lVert \frac{\partial L}{\partial a^{(t)}}\, h^{(t-1)\top} \Big\rVert =
# \Big\lVert \frac{\partial L}{\partial a^{(t)}} \Big\rVert\; \big\lVert h^{(t-1)} \big\rVert ,
# $$ (eq-rnn-term)
#
# and states are at most $\sqrt H$ long, so it is the first factor that shrinks. Send back the loss of a last step:


# %%
def sizes_of_terms(x, target, network):  # for t = 1 … T, and of their sum
    h = states(x, network)
    dL_dp = torch.zeros(len(x), len(network.b_p))
    dL_dp[-1] = dL_dp_of(probabilities(h, network)[-1:], target)[0]
    _, dL_da = back(h, dL_dp, network)
    whole = torch.linalg.matrix_norm(dL_da.T @ h[:-1])
    return dL_da.norm(dim=1) * h[:-1].norm(dim=1), whole


shares = {}
for radius in (0.5, 0.9, 1.5):
    network = random_network(16, 128, 10)
    network = network._replace(W_hh=recurrent_matrix(radius, 0), b_h=torch.zeros(128))
    network = network._replace(W_hx=0.1 * network.W_hx)
    terms, whole = sizes_of_terms(torch.randn(60, 16), torch.tensor([3]), network)
    shares[radius] = (terms / terms.sum()).flip(0)  # from the last step on
    print(f"radius {radius}: the gradient's size is {whole:.2f}, its last term's ", end="")
    print(f"{terms[-1]:.2f}; steps over 10 back have {shares[radius][11:].sum():.1%}")


# %% tags=["hide-input"]
def draw_shares():
    fig, ax = plt.subplots(figsize=(4.2, 2.6))
    for radius, share in shares.items():
        beyond = share.flip(0).cumsum(0).flip(0)
        ax.plot(range(60), beyond, label=f"radius {radius:g}", markevery=8)
    ax.set(yscale="log", ylim=(1e-9, 2), xlim=(0, 59), xlabel="steps back, at least")
    ax.set(ylabel="share of the terms", yticks=[1, 1e-3, 1e-6, 1e-9])
    ax.minorticks_off()
    ax.legend(frameon=False)
    return fig


display.show(
    draw_shares(),
    alt="Share of the terms that come from at least so many steps back, on a logarithmic "
    "axis: it falls as a straight line, steeply at radius 0.5, less at 0.9, least at 1.5.",
    caption="What the far steps say is drowned by what the near ones say. The sum of all "
    "terms stays large.",
)


# %% tags=["check"]
def cases():
    for T, E, H, K in SHAPES:
        x, targets, network, h, dL_dp = a_case(T, E, H, K)
        dL_dp[:-1] = 0  # the last loss alone
        terms, _ = sizes_of_terms(x, targets[-1:], network)
        for t in range(1, T + 1):  # a weight of its own for step t

            def loss(W, t=t, x=x, network=network):
                before = states(x[: t - 1], network)[-1]
                own = network._replace(W_hh=W, h_0=before)
                h_t = states(x[t - 1 : t], own)[-1]
                end = states(x[t:], network._replace(h_0=h_t))[-1]
                return network.W_ph @ end + network.b_p

            gradient = torch.einsum("k,khi->hi", dL_dp[-1], jacobian(loss, network.W_hh))
            yield terms[t - 1], torch.linalg.matrix_norm(gradient)


verify.equal(
    "eq-rnn-term", cases(), atol=1e-12, against="autograd, one weight per step"
)

# %% [markdown]
# :::{exercise} Many steps
# :label: ex-rnn-many-steps
# A plain recurrent network is trained on sequences of hundreds of steps, where the answer depends on the first. Which
# two problems may you meet in $\partial L / \partial W_{hh}$, and when? Which of them stops training with a crash,
# which without a sign? What of this holds for $W_{ph}$?
# :::

# %% [markdown] tags=["solution"]
# :::{solution-start} ex-rnn-many-steps
# :class: dropdown
# :::
# Use $t'$ reaches the loss through $T - t'$ factors $\Delta^{(j)} W_{hh}$ {eq}`eq-rnn-sum`. If they stretch by less
# than 1 on average, as they must when $\lVert W_{hh} \rVert < 1$ {eq}`eq-rnn-bound`, and in the long run for
# $\rho < 1$ around zero {eq}`eq-rnn-radius`, the term of the first step is exponentially small: the gradient
# **vanishes**. The sum does not, since near terms have few factors; so the loss falls, the near past is learned, and
# nothing tells you that the first step was not. If the factors stretch by more than 1, the far terms dominate and are
# exponentially large: the gradient **explodes**, one step of training throws the weights away, the loss jumps or
# becomes NaN. This one is seen, and clipping mends it (next section). Saturation works for vanishing: slopes are at
# most 1 and fall to 0.
#
# $W_{ph}$ has neither problem, {eq}`eq-rnn-output-gradient` has no product of Jacobians. But it can use only what
# $h^{(T)}$ holds, and what that holds is up to the other weights.

# %% [markdown] tags=["solution"]
# :::{solution-end}
# :::

# %% [markdown]
# ## A gradient that is too long
#
# Where gradients explode, the loss has cliffs {cite}`pascanu2013difficulty`. One unit is enough: $h^{(t)} = \tanh(1.3\,
# h^{(t-1)} + b)$ from $h^{(0)} = -0.1$, and after 20 steps $h^{(20)}$ should be 0.75. Any start is drawn to a state
# below zero or to one above. Turn $b$ slowly, and at some value the start changes sides: $h^{(20)}$ leaps, and the loss
# falls from a plateau into a valley, over a wall.
#
# A step of gradient descent is as long as the gradient. On the wall that is nonsense: the slope there says nothing
# about places so far away. So keep the direction and limit the length. Of all vectors $u$ no longer than $m$, take the
# one nearest to the gradient $\nabla L$, with *all* weights of the network in one vector. By the triangle inequality
# $\lVert u - \nabla L \rVert \ge \lVert \nabla L \rVert - \lVert u \rVert \ge \lVert \nabla L \rVert - m$, and both
# are equalities only where $u$ points along $\nabla L$ and has length $m$. (If $\lVert \nabla L \rVert \le m$, it is
# $\nabla L$ itself.)
#
# $$
# \operatorname*{arg\,min}_{\lVert u \rVert \le m} \lVert u - \nabla L \rVert
# = \min \Big( 1, \frac{m}{\lVert \nabla L \rVert} \Big)\, \nabla L .
# $$ (eq-rnn-clip)
#
# This is **clipping by the global norm**, `torch.nn.utils.clip_grad_norm_`: one factor for all entries of all
# gradients. It *rescales*. Nothing is cut off element by element; that is `clip_grad_value_`, and it turns the vector.


# %%
def clipped(gradient, m):  # all weights in one vector
    return min(1, m / gradient.norm()) * gradient


gradient = torch.tensor([8.0, 1.0])
for name, u in {"by norm": clipped(gradient, 2.0), "by value": gradient.clamp(-2, 2)}.items():
    cosine = torch.cosine_similarity(u, gradient, dim=0)
    print(f"{name:8}: {u[0]:.2f}, {u[1]:.2f}; cosine with the gradient {cosine:.2f}")


# %%
def one_unit_loss(b, target=0.75, steps=20):
    h = torch.tensor(-0.1)
    for _ in range(steps):
        h = torch.tanh(1.3 * h + b)
    return (h - target) ** 2 / 2


def descend(m, b=-0.3, rate=0.05, steps=60):
    path = [b]
    for _ in range(steps):
        b = torch.tensor(path[-1], requires_grad=True)
        (gradient,) = torch.autograd.grad(one_unit_loss(b), b)
        path.append(path[-1] - rate * clipped(gradient, m).item())
    return path


paths = {"not clipped": descend(math.inf), "clipped at 1": descend(1.0)}
for name, path in paths.items():
    print(f"{name:12}: the longest step is {np.abs(np.diff(path)).max():.2f}, ", end="")
    print(f"the loss at the end {one_unit_loss(torch.tensor(path[-1])):.3f}")


# %% tags=["hide-input"]
def draw_cliff():
    figures, (left, right) = display.panels((3.3, 2.9), (3.3, 2.9))
    b = torch.linspace(-0.4, 0.6, 1001)
    left.plot(b, one_unit_loss(b), color=display.INK, marker="", ls="-", lw=1)
    for (name, path), marker in zip(paths.items(), ("s", "o"), strict=True):
        color = display.COLORS[1 if marker == "s" else 0]
        own = {"color": color, "marker": marker, "label": name}
        near = [place for place in path if place < 0.6]
        left.plot(near, [one_unit_loss(torch.tensor(p)) for p in near], ls="", **own)
        right.plot(path, ls="-" if marker == "o" else "--", markevery=4, **own)
    left.set(xlabel="$b$", ylabel="loss")
    right.set(xlabel="step of training", ylabel="$b$")
    right.figure.legend(loc="outside lower center", ncols=2, frameon=False)
    left.set_title("the loss, and where it was")
    right.set_title("the way of $b$")
    return figures


display.show(
    draw_cliff(),
    alt="Left, the loss against b: a high plateau, a wall near 0.03, a valley that rises "
    "slowly. Both paths come down the plateau. Right, b against the step: without clipping "
    "it leaps from the wall to above 11 and stays there, with clipping it stays near the "
    "wall and comes back into the valley.",
    caption="One step on the wall throws b so far that the tanh is flat and there is no "
    "way back. Clipped, it goes the same way a little, and finds the valley.",
)


# %% tags=["check"]
def cases():
    for shapes, m in ((((3, 2), (4,)), 1.0), (((5, 5),), 2.0), (((2,), (2,)), 100.0)):
        weights = [torch.randn(shape, requires_grad=True) for shape in shapes]
        for weight in weights:
            weight.grad = 10 * torch.randn_like(weight)
        whole = torch.cat([weight.grad.flatten() for weight in weights])
        # Projected: walk from the middle of the ball towards ∇L, back onto the ball
        u = torch.zeros_like(whole)
        for _ in range(200):
            u = u + 0.5 * (whole - u)
            u = u / max(1.0, (u.norm() / m).item())
        yield clipped(whole, m), u
        torch.nn.utils.clip_grad_norm_(weights, m)  # which adds 1e-6 to the norm
        yield clipped(whole, m), torch.cat([weight.grad.flatten() for weight in weights])


verify.equal("eq-rnn-clip", cases(), rtol=1e-6, against="projection, clip_grad_norm_")

# %% [markdown]
# Clipping mends what explodes. It does nothing for what vanishes: one factor for all terms leaves their shares as they
# were.

# %% [markdown]
# :::{exercise} Clip
# :label: ex-rnn-clip
# Write `clip(gradients, max_norm)`, which takes a list of tensors, the gradients of all weights of a network, and
# returns the list clipped by the global norm. Does it make a difference whether each tensor is clipped by its own norm?
# :::

# %% [markdown] tags=["solution"]
# :::{solution-start} ex-rnn-clip
# :class: dropdown
# :::
# Yes: with a factor of its own for each tensor the whole vector turns, as with clipping by value. One norm, one factor.


# %% tags=["solution"]
def clip(gradients, max_norm):
    norm = sum((gradient**2).sum() for gradient in gradients) ** 0.5
    return [gradient * min(1, max_norm / norm) for gradient in gradients]


# %% [markdown] tags=["solution"]
# :::{solution-end}
# :::

# %%
exercises.check("rnn/bptt/clip", clip)

# %% [markdown]
# ## A window on a long sequence
#
# A book has no last step to go back from. So it is read in windows of, say, $T = 30$ steps, and the gradient stops at
# the window's start: the state there is taken for a constant. Can the network then learn nothing that reaches further
# than a window? Its *gradient* reaches no further. Its *state* may: it is the same rule at every step, and a rule that
# keeps something over four steps may keep it over a hundred.
#
# Take windows of 5. The input is 0, and now and then +1 or −1; the network of 8 units is asked at every step for the
# sign of the last one. It is trained twice: with the state carried from window to window, and with a zero state at the
# start of each. Both are then tested on other sequences, with long waits, which are read in one piece.


# %%
def signs(T, B, rate):  # → inputs [T, B, 1], the last sign [T, B], how long ago [T, B]
    now = torch.rand(T, B) < rate
    now[0] = True
    x = now * (2.0 * torch.randint(2, (T, B)) - 1)
    last = torch.cummax(now * torch.arange(T)[:, None], dim=0).values  # its step
    return x[..., None], x.gather(0, last), torch.arange(T)[:, None] - last


def train(carried, start, window=5, steps=250):
    torch.manual_seed(start)
    cell, layer = VanillaRNN(1, 8), torch.nn.Linear(8, 1)
    weights = [*cell.parameters(), *layer.parameters()]
    adam = torch.optim.Adam(weights, lr=0.02)
    x, sign, _ = signs(steps * window, 32, rate=0.1)
    state = torch.zeros(32, 8)
    for s in range(0, len(x), window):
        h, state = cell(x[s : s + window], state)
        state = state.detach() if carried else torch.zeros(32, 8)  # a constant
        loss = softplus(-layer(h)[..., 0] * sign[s : s + window]).mean()
        adam.zero_grad()
        loss.backward()
        adam.step()
    return cell, layer


@torch.no_grad()
def right_by_wait(cell, layer, waits):
    torch.manual_seed(99)
    x, sign, wait = signs(300, 200, rate=0.02)
    right = (layer(cell(x)[0])[..., 0] * sign > 0).double()
    return [right[wait == w].mean().item() for w in waits]


WAITS = (0, 1, 2, 4, 6, 8, 10, 15, 20, 30, 40, 60, 80, 100)
found = {
    carried: np.array([right_by_wait(*train(carried, s), WAITS) for s in range(3)])
    for carried in (True, False)
}

# %% tags=["hide-input"]
def draw_windows():
    fig, ax = plt.subplots(figsize=(4.2, 2.9))
    for carried, color in ((True, display.COLORS[0]), (False, display.COLORS[1])):
        name = "state carried" if carried else "zero state"
        style = {"ls": "-" if carried else "--", "marker": "o" if carried else "s"}
        for run, accuracy in enumerate(found[carried]):
            label = None if run else f"{name}, three starts"
            ax.plot(WAITS, accuracy, color=color, label=label, **style)
    ax.axvline(5, color=display.INK, lw=1, ls=":")
    ax.text(6, 0.42, "window", va="center")
    ax.set(xlabel="steps since the last sign", ylabel="right", ylim=(0.35, 1.05))
    ax.legend(frameon=False, loc="lower right", bbox_to_anchor=(1, 0.45))
    return fig


display.show(
    draw_windows(),
    alt="Share of right answers against the steps since the last sign, up to 100, with the "
    "window of 5 marked. Trained with the state carried, three of three networks are right "
    "at every wait. Trained from zero states, all fall to one half, each at its own wait, "
    "beyond the window.",
    caption="Trained on windows of 5 steps. With the state carried the networks keep the "
    "sign for as long as it was tried; without, each loses it somewhere beyond the window.",
)

# %% [markdown]
# So the length of a window limits how far back blame is *assigned*, not how far a network can *remember*. What it
# cannot do is find a rule of which no window shows a trace: were the sign asked for once, twenty steps later, no
# gradient would ever tell the network to keep it.

# %% [markdown]
# ## What was shown
#
# - The derivative of a state by a shared weight is a sum over its uses, {eq}`eq-rnn-sum`: immediate derivatives,
#   carried to the end by Jacobians $J^{(t)} = \Delta^{(t)} W_{hh}$, {eq}`eq-rnn-jacobian`, the latest on the left.
# - Sorted, the sum is one pass back, {eq}`eq-rnn-recursion` and {eq}`eq-rnn-gradients`: $T - 1$ products in place of
#   about $T^3 / 6$.
# - The largest singular value bounds each step, the spectral radius tells the limit where slopes are 1,
#   {eq}`eq-rnn-radius`; the slopes of $\tanh$ only shrink. What vanishes is the share of the far steps.
# - Clipping by the global norm shortens a gradient and does not turn it, {eq}`eq-rnn-clip`.
# - A window limits the gradient. The state may reach further.

# %% [markdown]
# ## Exercises

# %% [markdown]
# :::{exercise} A leak
# :label: ex-rnn-leak
# Let a state change slowly: $h^{(t)} = (1 - \ell)\, h^{(t-1)} + \ell \tanh(a^{(t)})$ with $0 < \ell \le 1$. What is its
# Jacobian $\partial^+ h^{(t)} / \partial h^{(t-1)}$, and what are its eigenvalues when the units are saturated? Write
# `leaky_jacobian(before, h, leak, W_hh)`, for $h^{(t-1)}$ and $h^{(t)}$. What could a network do that *learns* $\ell$,
# and learns when it should be small?
# :::

# %% [markdown] tags=["solution"]
# :::{solution-start} ex-rnn-leak
# :class: dropdown
# :::
# The derivative of the first part is $(1 - \ell) I$, that of the second as in {eq}`eq-rnn-jacobian`, with the slope
# of the $\tanh$, which is $c = (h^{(t)} - (1 - \ell) h^{(t-1)}) / \ell$ here, not the state:
# $(1 - \ell) I + \ell \operatorname{diag}(1 - c \odot c)\, W_{hh}$. Saturated, $c \odot c \to 1$ and
# all eigenvalues are $1 - \ell$: for a small leak, near 1, whatever $W_{hh}$ is. Nothing vanishes for about $1 / \ell$
# steps. A network that sets such a number itself, per unit and per step, has a *gate*: the LSTM.


# %% tags=["solution"]
def leaky_jacobian(before, h, leak, W_hh):
    c = (h - (1 - leak) * before) / leak
    return (1 - leak) * torch.eye(len(h)) + leak * torch.diag(1 - c**2) @ W_hh


# %% [markdown] tags=["solution"]
# :::{solution-end}
# :::

# %%
exercises.check("rnn/bptt/leaky_jacobian", leaky_jacobian)

# %% [markdown]
# ## Further reading
#
# - {cite:t}`pascanu2013difficulty` tells of vanishing, exploding, cliffs and clipping; the notation $\partial^+$ is
#   theirs. {cite:t}`bengio1994learning` asked first why long dependencies are hard to learn by gradient descent.
# - {cite:t}`werbos1990backpropagation` is backpropagation through time by its author, {cite:t}`williams1989learning` the
#   way forward that keeps no states.
