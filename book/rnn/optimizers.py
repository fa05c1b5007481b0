# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

# %% [markdown]
# # What a step does with a gradient
#
# {doc}`vanishing` ends with a gradient that is neither nothing nor far too long. It tells in which direction the loss
# falls fastest, here and now. How far should you go? And should you go that way at all, when the last ten gradients
# pointed to and fro across a ravine?

# %% tags=["parameters"]
profile = "smoke"
seed = 0

# %% tags=["set-up"]
import math

from helpers import display, exercises, parameters, verify
from helpers.rnn import palindromes
from helpers.rnn.cells import VanillaRNN

import matplotlib.pyplot as plt
import numpy as np
import torch
from matplotlib.patches import Ellipse
from scipy.optimize import minimize_scalar
from torch.autograd.functional import jacobian
from torch.nn.functional import cross_entropy, one_hot
from torch.nn.utils import parameters_to_vector, vector_to_parameters

parameters.check(globals(), profile=("smoke", "full"), seed=range(2**31))
display.use_book_style()
torch.manual_seed(seed)
torch.set_default_dtype(torch.float64)  # claims are held to 1e-12


# %% tags=["hide-input"]
def contours(ax, curvatures, levels, turn=0):  # of a quadratic, as ellipses
    for level in levels:
        size = [2 * (2 * level / curvature) ** 0.5 for curvature in curvatures]
        style = {"fill": False, "ec": display.INK, "lw": 0.6}
        ax.add_patch(Ellipse((0, 0), *size, angle=turn, **style))


def draw_ravine(eta=0.09, beta=0.6, steps=20):
    figures, axes = display.panels((3.3, 2.5), (3.3, 2.5))
    curvatures = np.array([1.0, 20.0])
    for i, (ax, kept) in enumerate(zip(axes, (0.0, beta), strict=True)):
        path, v = [np.array([10.0, 1.0])], 0.0
        for _ in range(steps):
            v = kept * v + curvatures * path[-1]
            path.append(path[-1] - eta * v)
        contours(ax, curvatures, (2, 10, 25, 50))
        ax.plot(*np.transpose(path), color=display.COLORS[i], ls="-", marker="os"[i])
        ax.set(xlim=(-4, 11), ylim=(-2.4, 2.4), xlabel="$w_1$", ylabel="$w_2$")
        ax.set_title(("SGD", "momentum")[i])
        ax.grid(False)
    return figures


display.show(
    draw_ravine(),
    alt="Two panels with the elliptic contours of a long ravine and a path of twenty "
    "steps from the right. Left, SGD zigzags across the floor with ever smaller "
    "swings and is still under way. Right, momentum swings as well, runs past the "
    "minimum and is back at it.",
    caption="Twenty steps in a ravine, at the same learning rate. SGD spends them on "
    "the walls. Momentum adds up what the gradients have in common.",
)

# %% [markdown]
# ## Two curvatures, by hand
#
# The ravine is $L(w) = \tfrac12 (w_1^2 + 20\, w_2^2)$: gentle along the first weight, twenty times as curved along the
# second. Its gradient is $(w_1, 20\, w_2)$. Start at $(10, 1)$ and take steps of $-0.09$ times the gradient:
#
# - the gradient is $(10, 20)$, the step $(-0.9, -1.8)$, and you are at $(9.1, -0.8)$: on the other wall;
# - the gradient is $(9.1, -16)$, the step $(-0.82, 1.44)$: $(8.28, 0.64)$, back on the first;
# - then $(7.54, -0.51)$.
#
# The first weight is multiplied by $1 - 0.09 = 0.91$ each time, the second by $1 - 0.09 \cdot 20 = -0.8$. A larger rate
# would help the first. But at 0.11 the second is multiplied by $1 - 2.2 = -1.2$, and each swing is larger than the last:


# %%
def sgd(w, g, state, eta):
    return w - eta * g, state  # nothing to remember


def descend(rule, gradient, w, steps, **settings):  # → w_0 … w_steps, one per row
    path, state = [w], 0.0
    for _ in range(steps):
        w, state = rule(w, gradient(w), state, **settings)
        path.append(w)
    return torch.stack(path)


def ravine_gradient(w):
    return torch.tensor([1.0, 20.0]) * w


start = torch.tensor([10.0, 1.0])
for eta in (0.09, 0.11):
    path = descend(sgd, ravine_gradient, start, 3, eta=eta)
    print(f"rate {eta}:", ", ".join(f"({w_1:.2f}, {w_2:.2f})" for w_1, w_2 in path))

# %% [markdown]
# ## SGD, one direction at a time
#
# At step $k$ the weights are $w_k$, all in one vector, and $g_k$ is the gradient there: of the loss on a batch, as a
# rule, so that the next batch gives another one. **Stochastic gradient descent** goes against it, with a learning
# rate $\eta$:
#
# $$
# w_{k+1} = w_k - \eta\, g_k .
# $$ (eq-rnn-sgd)
#
# This and each of the rules to come is held against `torch.optim`, over a hundred steps in the ravine and a
# hundred of a small recurrent network that reads palindromes.


# %%
rnn, layer = VanillaRNN(10, 6), torch.nn.Linear(6, 10)
weights = [*rnn.parameters(), *layer.parameters()]
digits, last = palindromes.sample(5, 16, torch.Generator().manual_seed(seed))
first_weights = parameters_to_vector(weights).detach()


def network_loss():
    _, state = rnn(one_hot(digits, 10).double())
    return cross_entropy(layer(state), last)


def network_gradient(w):  # [n] → [n]
    vector_to_parameters(w.clone(), weights)
    return parameters_to_vector(torch.autograd.grad(network_loss(), weights))


def theirs(optimizer, loss, weights, steps=100, **settings):  # the path of torch.optim
    optimizer = optimizer(weights, **settings)
    path = [parameters_to_vector(weights).detach()]
    for _ in range(steps):
        optimizer.zero_grad()
        loss().backward()
        optimizer.step()
        path.append(parameters_to_vector(weights).detach())
    return torch.stack(path)


def both_ways(rule, settings, optimizer, **their_settings):
    w = torch.nn.Parameter(start.clone())
    path = theirs(optimizer, lambda: (w[0] ** 2 + 20 * w[1] ** 2) / 2, [w], **their_settings)
    yield descend(rule, ravine_gradient, start, 100, **settings), path
    vector_to_parameters(first_weights.clone(), weights)
    path = theirs(optimizer, network_loss, weights, **their_settings)
    yield descend(rule, network_gradient, first_weights, 100, **settings), path


# %% tags=["check"]
def cases():
    yield from both_ways(sgd, {"eta": 0.09}, torch.optim.SGD, lr=0.09)


verify.equal("eq-rnn-sgd", cases(), atol=1e-12, against="torch.optim.SGD")

# %% [markdown]
# Near a minimum every smooth loss is a quadratic. Put the minimum at 0 and call the matrix of second derivatives $A$:
# $L(w) = \tfrac12 w^\top A w$, with the gradient $A w$. A symmetric $A$ has orthonormal eigenvectors $a$ with
# $A a = \lambda a$; the eigenvalue is the curvature along $a$, and at a minimum none is negative. Let all be positive,
# and look along one of them, at the coordinate $c_k = a^\top w_k$. Since $a^\top A w = \lambda\, a^\top w$, SGD
# multiplies it by one number, whatever the other coordinates do:
#
# $$
# a^\top w_k = (1 - \eta \lambda)^k\; a^\top w_0 .
# $$ (eq-rnn-sgd-modes)
#
# This tends to 0 where $|1 - \eta \lambda| < 1$, that is, $0 < \eta \lambda < 2$. The largest curvature decides:
#
# $$
# w_k \to 0 \ \text{ from every start} \quad \Longleftrightarrow \quad 0 < \eta < \frac{2}{\lambda_{\max}} .
# $$ (eq-rnn-sgd-limit)
#
# Below the limit the slowest coordinate sets the pace, with the factor
# $\max(|1 - \eta \lambda_{\min}|, |1 - \eta \lambda_{\max}|)$. The first term falls with $\eta$ and the second rises,
# so the best rate is where they meet, $1 - \eta \lambda_{\min} = \eta \lambda_{\max} - 1$. With the **condition
# number** $\kappa = \lambda_{\max} / \lambda_{\min}$:
#
# $$
# \eta^\star = \frac{2}{\lambda_{\min} + \lambda_{\max}} , \qquad
# \text{factor} \ \frac{\kappa - 1}{\kappa + 1} .
# $$ (eq-rnn-best-rate)


# %%
def factor(eta, curvatures):  # of the slowest coordinate
    return np.abs(1 - eta * np.asarray(curvatures)).max()


for kappa in (1, 20, 1000):
    slowest = factor(2 / (1 + kappa), [1, kappa])
    steps = math.ceil(math.log(0.01) / math.log(slowest)) if slowest else 1
    print(f"κ = {kappa}: factor {slowest:.3f}, {steps} steps to a hundredth")


# %% tags=["hide-input"]
def draw_factors():
    fig, ax = plt.subplots(figsize=(4.2, 2.7))
    eta = np.linspace(0, 0.12, 241)
    for curvature in (1, 20):
        ax.plot(eta, abs(1 - eta * curvature), marker="", label=f"$λ = {curvature}$")
    best = 2 / 21
    ax.plot(best, factor(best, [1, 20]), color=display.INK, marker="D", ls="")
    ax.annotate("best", (best, 0.9), (0.075, 0.68), arrowprops={"arrowstyle": "->"})
    ax.axvline(0.1, color=display.INK, lw=1, ls=":")
    ax.text(0.101, 0.1, "limit")
    ax.set(xlabel="$η$", ylabel="$|1 - ηλ|$", ylim=(0, 1.2), xlim=(0, 0.12))
    ax.legend(frameon=False, loc="lower left")
    return fig


display.show(
    draw_factors(),
    alt="The factor per step against the rate. For curvature 1 it falls slowly from 1. "
    "For 20 it falls to 0 at 0.05, then rises, and passes 1 at 0.1, the limit. "
    "The two meet a little before the limit, at about 0.9.",
    caption="What a step leaves of each coordinate of the ravine. The steep one forbids "
    "the rate that the gentle one needs: the best rate is close to the limit, where "
    "the steep one swings.",
)


# %%
def random_quadratic(n=4):  # A [n, n] with curvatures from 0.3 up, eigenvalues, vectors
    Q = torch.linalg.qr(torch.randn(n, n)).Q
    A = Q @ torch.diag(0.3 + 3 * torch.rand(n)) @ Q.T
    return A, *torch.linalg.eigh(A)


# %% tags=["check"]
def cases():
    for k in (1, 2, 30):
        A, curvatures, vectors = random_quadratic()
        w = torch.nn.Parameter(torch.randn(4))
        path = theirs(torch.optim.SGD, lambda w=w, A=A: w @ A @ w / 2, [w], k, lr=0.4)
        claimed = (1 - 0.4 * curvatures) ** k * (vectors.T @ path[0])
        yield claimed, vectors.T @ path[k]


verify.equal("eq-rnn-sgd-modes", cases(), atol=1e-12, against="torch.optim.SGD")


# %% tags=["check"]
def found(steps=3000):
    for _ in range(3):
        A, curvatures, _ = random_quadratic()
        for part in (-0.1, 0.1, 0.5, 0.99, 1.0, 1.01):  # of the limit
            eta = part * 2 / curvatures.max()
            end = descend(sgd, lambda w, A=A: A @ w, torch.randn(4), steps, eta=eta)[-1]
            yield (end.norm() < 1e-8) == (0 < part < 1)


verify.holds("eq-rnn-sgd-limit", all(found()), against="runs on both sides", cases=18)


# %% tags=["check"]
def cases():
    for _ in range(4):
        _, curvatures, _ = random_quadratic()
        low, high = curvatures.min().item(), curvatures.max().item()
        search = minimize_scalar(factor, args=([low, high],), bounds=(0, 2 / high), options={"xatol": 1e-9})
        kappa = high / low
        yield [2 / (low + high), (kappa - 1) / (kappa + 1)], [search.x, search.fun]


verify.equal("eq-rnn-best-rate", cases(), atol=1e-6, against="a search over rates")

# %% [markdown]
# For a large $\kappa$ the factor is about $1 - 2 / \kappa$, so the number of steps grows as $\kappa$. And the best rate
# is a little below the limit: the zigzag is not a mistake in the choice of the rate, it is what the best one does.
#
# ## Momentum
#
# On the way through the ravine, the gradients agree along the floor and contradict each other across it. So do not
# follow the last one. Follow a sum that forgets slowly, with a **momentum** $0 \le \beta < 1$ {cite}`polyak1964methods`:
#
# $$
# v_{k+1} = \beta\, v_k + g_k , \qquad w_{k+1} = w_k - \eta\, v_{k+1} , \qquad v_0 = 0 .
# $$ (eq-rnn-momentum)
#
# This is `SGD(momentum=β)` of PyTorch. Two of its options are not used here: `dampening` would multiply $g_k$ by
# a number, `nesterov` would take the step along $g_k + \beta v_{k+1}$. Since $-\eta\, v_k = w_k - w_{k-1}$ while $\eta$
# stays the same, $w_{k+1} = w_k - \eta\, g_k + \beta (w_k - w_{k-1})$: the *heavy ball*, which moves on by $\beta$
# times its last move.
#
# What does the sum do? Put the first equation into itself:
#
# $$
# v_{k+1} = \sum_{j=0}^{k} \beta^j\, g_{k-j} .
# $$ (eq-rnn-momentum-sum)
#
# - If all gradients are one $g$, it tends to $g\, (1 + \beta + \beta^2 + \dots) = g / (1 - \beta)$. Along the floor you
#   go as with a rate of $\eta / (1 - \beta)$: ten times $\eta$ for $\beta = 0.9$.
# - If they alternate, $g, -g, g, \dots$, it tends to size $|g|\, (1 - \beta + \beta^2 - \dots) = |g| / (1 + \beta)$. The
#   swings are driven about half as hard.
# - If they are independent noise of variance $q^2$, variances add: $q^2 (1 + \beta^2 + \beta^4 + \dots) = q^2 /
#   (1 - \beta^2)$. Held against a mean that is $1 / (1 - \beta)$ times as large, the noise is down by
#   $(1 - \beta) / \sqrt{1 - \beta^2} = \sqrt{(1 - \beta) / (1 + \beta)}$.


# %%
def momentum(w, g, v, eta, beta=0.9):
    v = beta * v + g
    return w - eta * v, v


def buffer(gradients, beta=0.9):  # v after all of these gradients
    v = 0.0
    for g in gradients:
        v = beta * v + g
    return v


constant, swinging = torch.ones(200), torch.tensor([1.0, -1.0] * 100)
noise = buffer(torch.randn(200, 10_000))  # ten thousand runs
print(f"β = 0.9: of constant gradients {buffer(constant):.2f}, ", end="")
print(f"of alternating ones {abs(buffer(swinging)):.2f}, ", end="")
print(f"of noise {noise.std():.1f}, which is {noise.std() / buffer(constant):.2f} of the first")


# %% tags=["check"]
def cases():
    settings = {"eta": 0.02, "beta": 0.8}
    yield from both_ways(momentum, settings, torch.optim.SGD, lr=0.02, momentum=0.8)


verify.equal("eq-rnn-momentum", cases(), atol=1e-12, against="torch.optim.SGD")


# %% tags=["check"]
def cases():
    for k, beta in ((0, 0.9), (1, 0.5), (20, 0.9)):
        w, gradients = torch.nn.Parameter(torch.zeros(3)), torch.randn(k + 1, 3)
        optimizer = torch.optim.SGD([w], lr=0.1, momentum=beta)
        for g in gradients:
            w.grad = g.clone()
            optimizer.step()
        summed = sum(beta**j * gradients[k - j] for j in range(k + 1))
        yield summed, optimizer.state[w]["momentum_buffer"]


verify.equal("eq-rnn-momentum-sum", cases(), atol=1e-12, against="the buffer of torch.optim.SGD")

# %% [markdown]
# ### When it is stable
#
# Swings driven half as hard should allow twice the rate. Do they? On the quadratic, look along one eigenvector again,
# at $c_k = a^\top w_k$ and $d_k = a^\top v_k$. The gradient there is $\lambda c_k$, so
# $d_{k+1} = \beta d_k + \lambda c_k$ and $c_{k+1} = c_k - \eta\, d_{k+1}$. Put the first into the second:
#
# $$
# \begin{bmatrix} c_{k+1} \\ d_{k+1} \end{bmatrix} = M_\lambda \begin{bmatrix} c_k \\ d_k \end{bmatrix} , \qquad
# M_\lambda = \begin{bmatrix} 1 - \eta \lambda & -\eta \beta \\ \lambda & \beta \end{bmatrix} .
# $$ (eq-rnn-momentum-matrix)
#
# What SGD does with a number, momentum does with a matrix, and powers of a matrix follow its spectral radius
# {eq}`eq-rnn-limit`. The trace of $M_\lambda$ is $1 + \beta - \eta \lambda$, its determinant $(1 - \eta \lambda) \beta +
# \eta \beta \lambda = \beta$. So the eigenvalues are the roots of
# $p(r) = r^2 - (1 + \beta - \eta \lambda)\, r + \beta$.
#
# - Two complex roots are conjugates with the product $\beta$, so both have the size $\sqrt \beta < 1$: stable.
# - Two real roots have the product $\beta < 1$. If $p(1) > 0$, both lie on the same side of 1, and not above it, where
#   their product would be more than 1. If $p(-1) > 0$, both lie on the same side of $-1$, and not below, for the same
#   reason. If one of the two is not positive, some root is at $\pm 1$ or beyond.
#
# (For complex roots $p$ has no zero on the line and is positive at both places.) Now $p(1) = \eta \lambda$ is positive
# when $\eta$ is, and $p(-1) = 2 (1 + \beta) - \eta \lambda$. The largest curvature decides, as before:
#
# $$
# w_k \to 0 \ \text{ from every start} \quad \Longleftrightarrow \quad 0 < \eta < \frac{2 (1 + \beta)}{\lambda_{\max}} .
# $$ (eq-rnn-momentum-limit)
#
# The limit is $1 + \beta$ times that of SGD, just as the swings are $1 + \beta$ times weaker.
#
# ### How fast it can be
#
# The smallest radius that a given $\beta$ allows is $\sqrt \beta$, and it is reached where the roots are not two
# different real ones: $(1 + \beta - \eta \lambda)^2 \le 4 \beta$, that is,
# $(1 - \sqrt \beta)^2 \le \eta \lambda \le (1 + \sqrt \beta)^2$. The smallest $\beta$ for which all curvatures have room
# there puts $\lambda_{\min}$ at one end and $\lambda_{\max}$ at the other. Divide the ends:
# $\sqrt \kappa = (1 + \sqrt \beta) / (1 - \sqrt \beta)$.
#
# No other choice does better. Let a radius $r$ be reached, so $\beta \le r^2$. No root lies beyond $r$ or $-r$, so
# $p(r) \ge 0$ for $\lambda_{\min}$, which says $\eta \lambda_{\min} \ge (1 - r)(1 - \beta / r)$; and $p(-r) \ge 0$ for
# $\lambda_{\max}$, which says $\eta \lambda_{\max} \le (1 + r)(1 + \beta / r)$. Divide and use $\beta / r \le r$:
# $\kappa \le \big( (1 + r) / (1 - r) \big)^2$. Solved for $r$, this is the factor of
#
# $$
# \sqrt{\beta^\star} = \frac{\sqrt \kappa - 1}{\sqrt \kappa + 1} , \qquad
# \eta^\star = \frac{4}{\big( \sqrt{\lambda_{\min}} + \sqrt{\lambda_{\max}} \big)^2} , \qquad
# \text{factor} \ \frac{\sqrt \kappa - 1}{\sqrt \kappa + 1} .
# $$ (eq-rnn-best-momentum)
#
# That is SGD's best factor {eq}`eq-rnn-best-rate` with $\sqrt \kappa$ in place of $\kappa$.


# %%
def M(eta, beta, curvature):  # one step of (c, d)
    return np.array([[1 - eta * curvature, -eta * beta], [curvature, beta]])


def radius(eta, beta, curvature):
    return np.abs(np.linalg.eigvals(M(eta, beta, curvature))).max()


def best(kappa):  # rate, momentum and factor for the curvatures from 1 to κ
    root = kappa**0.5
    slowest = (root - 1) / (root + 1)
    return 4 / (1 + root) ** 2, slowest**2, slowest


for kappa in (20, 1000):
    eta, beta, slowest = best(kappa)
    print(f"κ = {kappa}: rate {eta:.3g}, momentum {beta:.2f}, factor {slowest:.3f}, ", end="")
    print(f"{math.ceil(math.log(0.01) / math.log(slowest))} steps to a hundredth")


# %% tags=["hide-input"]
def draw_momentum(kappa=100, steps=200):
    figures, (left, right) = display.panels((3.3, 2.9), (3.3, 2.9))
    scaled = np.linspace(0.002, 4.2, 400)
    for beta in (0.0, 0.5, 0.9):
        sizes = [radius(x, beta, 1.0) for x in scaled]
        left.plot(scaled, sizes, marker="", label=f"$β = {beta:g}$")
    left.axhline(1, color=display.INK, lw=1)
    left.set(xlabel="$ηλ$", ylabel="spectral radius", ylim=(0, 1.5), xlim=(0, 4.2))
    w = torch.ones(2)
    rules = {"SGD": (sgd, {"eta": 2 / (1 + kappa)})}
    eta, beta, _ = best(kappa)
    rules["momentum"] = momentum, {"eta": eta, "beta": beta}
    for name, (rule, settings) in rules.items():
        gradient = torch.tensor([1.0, kappa])
        path = descend(rule, lambda w: gradient * w, w, steps, **settings)
        distance = path.norm(dim=1)
        right.plot(distance, label=name, markevery=25)
    right.plot(best(kappa)[2] ** np.arange(steps + 1), color=display.INK, ls=":", marker="", label="factor")
    right.set(yscale="log", ylim=(1e-9, 30), xlabel="step", ylabel="distance", title=f"κ = {kappa}")
    right.set_yticks([1, 1e-4, 1e-8])
    right.minorticks_off()
    left.set_title("a step on one curvature")
    for ax in (left, right):
        ax.figure.legend(*ax.get_legend_handles_labels(), loc="outside lower center", ncols=3, frameon=False)
    return figures


display.show(
    draw_momentum(),
    alt="Left, the spectral radius against the rate times the curvature: without "
    "momentum it falls to 0 and passes 1 at 2; with momentum 0.5 and 0.9 it has a flat "
    "floor and passes 1 at 3 and 3.8. Right, the distance from the minimum on a "
    "logarithmic axis: SGD falls slowly, momentum rises at first and then falls as fast "
    "as a dotted line with its factor.",
    caption="Momentum turns the narrow notch of SGD into a wide floor, on which many "
    "curvatures have the same factor. Both rules on the right have their best rates.",
)


# %% tags=["check"]
def cases():
    for eta, beta, k in ((0.3, 0.5, 1), (0.7, 0.9, 2), (0.2, 0.3, 25)):
        A, curvatures, vectors = random_quadratic()
        w = torch.nn.Parameter(torch.randn(4))
        optimizer = {"lr": eta, "momentum": beta}
        path = theirs(torch.optim.SGD, lambda w=w, A=A: w @ A @ w / 2, [w], k, **optimizer)
        for i in range(4):
            power = np.linalg.matrix_power(M(eta, beta, curvatures[i].item()), k)
            c_0 = (vectors[:, i] @ path[0]).item()
            c, d = power @ [c_0, 0.0]
            v = (path[k - 1] - path[k]) / eta
            yield [c, d], [(vectors[:, i] @ path[k]).item(), (vectors[:, i] @ v).item()]


verify.equal("eq-rnn-momentum-matrix", cases(), atol=1e-12, against="torch.optim.SGD")


# %% tags=["check"]
def found(steps=3000):
    for beta in (0.0, 0.5, 0.9):
        for part in (-0.1, 0.1, 0.99, 1.0, 1.01):  # of the limit
            A, curvatures, _ = random_quadratic()
            settings = {"eta": part * 2 * (1 + beta) / curvatures.max(), "beta": beta}
            end = descend(momentum, lambda w, A=A: A @ w, torch.randn(4), steps, **settings)[-1]
            yield (end.norm() < 1e-8) == (0 < part < 1)


verify.holds("eq-rnn-momentum-limit", all(found()), against="runs on both sides", cases=15)


# %% tags=["check"]
def cases():
    for kappa in (2.0, 20.0, 300.0):
        eta, beta, slowest = best(kappa)
        own = max(radius(eta, beta, curvature) for curvature in np.linspace(1, kappa, 9))
        tried = [
            max(radius(x / kappa, b, 1), radius(x / kappa, b, kappa))
            for b in np.linspace(0, 0.98, 50)
            for x in np.linspace(0.1, 3.9, 39)
        ]
        yield [slowest, slowest], [own, min(min(tried), slowest)]


verify.equal("eq-rnn-best-momentum", cases(), atol=1e-6, against="eigenvalues, a search")

# %% [markdown]
# The matrix is not symmetric, so the distance may grow at first, as in {doc}`vanishing`. And the best momentum is
# not always 0.9: for $\kappa = 20$ it is less than half.

# %% [markdown]
# :::{exercise} Nesterov's limit
# :label: ex-rnn-nesterov-limit
# With `nesterov=True`, PyTorch's `SGD` keeps the same $v_{k+1}$ and steps along $g_k + \beta\, v_{k+1}$. Derive the matrix
# of one step on the curvature $\lambda$, its trace and its determinant, and the limit of stability. Write
# `nesterov_limit(curvature, beta)`, the rate below which steps on this curvature are stable. Is it higher or lower than
# the heavy ball's?
# :::

# %% [markdown] tags=["solution"]
# :::{solution-start} ex-rnn-nesterov-limit
# :class: dropdown
# :::
# $d_{k+1} = \beta d_k + \lambda c_k$, and $c_{k+1} = c_k - \eta (\lambda c_k + \beta d_{k+1}) =
# \big( 1 - \eta \lambda (1 + \beta) \big) c_k - \eta \beta^2 d_k$. The trace is $1 + \beta - \eta \lambda (1 + \beta)$ and
# the determinant $\beta \big( 1 - \eta \lambda (1 + \beta) \big) + \eta \lambda \beta^2 = \beta (1 - \eta \lambda)$.
# $p(1) = 1 - \text{trace} + \text{determinant} = \eta \lambda$ as before, and
# $p(-1) = 1 + \text{trace} + \text{determinant} = 2 (1 + \beta) - \eta \lambda (1 + 2 \beta)$. Up to the zero of this,
# $|1 - \eta \lambda|$ is at most 1, so the determinant stays below 1 in size and the argument of the text goes through:
# $0 < \eta < 2 (1 + \beta) / \big( (1 + 2 \beta)\, \lambda \big)$. For $\beta > 0$ this is *lower* than the heavy ball's limit
# and even than SGD's: the step holds the newest gradient with the weight $1 + \beta$.


# %% tags=["solution"]
def nesterov_limit(curvature, beta):
    return 2 * (1 + beta) / ((1 + 2 * beta) * curvature)


# %% [markdown] tags=["solution"]
# :::{solution-end}
# :::

# %%
exercises.check("rnn/optimizers/nesterov_limit", nesterov_limit)

# %% [markdown]
# ## A rate for each weight
#
# Momentum has one rate for all weights. In a ravine along the axes each weight could have its own: a small one where
# gradients are large, a large one where they are small. RMSprop {cite}`tieleman2012rmsprop` measures how large they
# are by a moving mean of their squares, and divides by its root. All operations are entry by entry:
#
# $$
# s_{k+1} = \beta_2\, s_k + (1 - \beta_2)\, g_k^2 , \qquad
# w_{k+1} = w_k - \eta\, \frac{g_k}{\sqrt{s_{k+1}} + \varepsilon} , \qquad s_0 = 0 .
# $$ (eq-rnn-rmsprop)
#
# (PyTorch calls this $\beta_2$ `alpha` and takes 0.99; the lecture has 0.9. A small $\varepsilon$ keeps the quotient
# finite.) Adam {cite}`kingma2015adam` takes a moving mean $u$ of the gradients as well, in place of the last one. Both
# means start at zero, and Adam corrects for that:
#
# $$
# \begin{aligned}
# u_{k+1} &= \beta_1\, u_k + (1 - \beta_1)\, g_k , & \hat u_{k+1} &= \frac{u_{k+1}}{1 - \beta_1^{\,k+1}} , \\
# s_{k+1} &= \beta_2\, s_k + (1 - \beta_2)\, g_k^2 , & \hat s_{k+1} &= \frac{s_{k+1}}{1 - \beta_2^{\,k+1}} , \\
# w_{k+1} &= w_k - \eta\, \frac{\hat u_{k+1}}{\sqrt{\hat s_{k+1}} + \varepsilon} , & u_0 &= s_0 = 0 .
# \end{aligned}
# $$ (eq-rnn-adam)
#
# The usual values are $\beta_1 = 0.9$, $\beta_2 = 0.999$, $\varepsilon = 10^{-8}$. Mind the powers: the first step, $k = 0$,
# divides by $1 - \beta_1$, not by $1 - \beta_1^0 = 0$.


# %%
def rmsprop(w, g, s, eta, beta_2=0.99, epsilon=1e-8):
    s = beta_2 * s + (1 - beta_2) * g**2
    return w - eta * g / (s.sqrt() + epsilon), s


def adam(w, g, state, eta, beta_1=0.9, beta_2=0.999, epsilon=1e-8):
    k, u, s = state or (0, 0.0, 0.0)
    u = beta_1 * u + (1 - beta_1) * g
    s = beta_2 * s + (1 - beta_2) * g**2
    u_hat, s_hat = u / (1 - beta_1 ** (k + 1)), s / (1 - beta_2 ** (k + 1))
    return w - eta * u_hat / (s_hat.sqrt() + epsilon), (k + 1, u, s)


for rule in (rmsprop, adam):
    path = descend(rule, ravine_gradient, start, 3, eta=0.1)
    print(f"{rule.__name__:7}:", ", ".join(f"({w_1:.2f}, {w_2:.2f})" for w_1, w_2 in path))


# %% tags=["check"]
def cases():
    yield from both_ways(rmsprop, {"eta": 0.01}, torch.optim.RMSprop, lr=0.01)
    settings = {"eta": 0.01, "beta_2": 0.9, "epsilon": 1e-3}
    options = {"lr": 0.01, "alpha": 0.9, "eps": 1e-3}
    yield from both_ways(rmsprop, settings, torch.optim.RMSprop, **options)


verify.equal("eq-rnn-rmsprop", cases(), atol=1e-12, against="torch.optim.RMSprop")


# %% tags=["check"]
def cases():
    yield from both_ways(adam, {"eta": 0.01}, torch.optim.Adam, lr=0.01)
    settings = {"eta": 0.01, "beta_1": 0.8, "beta_2": 0.95, "epsilon": 1e-3}
    options = {"lr": 0.01, "betas": (0.8, 0.95), "eps": 1e-3}
    yield from both_ways(adam, settings, torch.optim.Adam, **options)


verify.equal("eq-rnn-adam", cases(), atol=1e-12, against="torch.optim.Adam")

# %% [markdown]
# At the first step both weights move by the same distance, though their gradients are 10 and 20: by 1 with RMSprop, ten
# times the rate, since its $s_1$ is a hundredth of $g_0^2$; by 0.1 with Adam, the rate itself.
#
# ### Why these corrections
#
# A moving mean that starts at 0 is too small. Unrolled as in {eq}`eq-rnn-momentum-sum`, $u_{k+1} = (1 - \beta_1)
# \sum_{j=0}^{k} \beta_1^j\, g_{k-j}$: the weights of the gradients add up to $1 - \beta_1^{\,k+1}$. Now let the gradients
# vary, all with one expectation $\mathbb{E}\, g$ and one mean square $\mathbb{E}\, g^2$. Then
#
# $$
# \mathbb{E}\, \hat u_{k+1} = \mathbb{E}\, g , \qquad \mathbb{E}\, \hat s_{k+1} = \mathbb{E}\, g^2 .
# $$ (eq-rnn-bias-correction)
#
# The check has gradients that are 3 or $-1$ with equal chance, and takes the mean over all sequences of them.
#
# ### How far a step can go
#
# At the first step $\hat u_1 = g_0$ and $\hat s_1 = g_0^2$: the step is $-\eta\, g_0 / (|g_0| + \varepsilon)$, just short
# of $\eta$, with the sign of the gradient alone. Later steps may be *longer*. Let $K = k + 1$ gradients have come, write
# $\hat u = \sum_j a_j\, g_{k-j}$ and $\hat s = \sum_j b_j\, g_{k-j}^2$ with the weights of the two means, and use Cauchy
# and Schwarz: $|\hat u| = \big| \sum_j (a_j / \sqrt{b_j}) \cdot \sqrt{b_j}\, g_{k-j} \big| \le \big( \sum_j a_j^2 / b_j
# \big)^{1/2}\, \hat s^{1/2}$. So every entry of the weights moves by
#
# $$
# \begin{aligned}
# |w_{k+1} - w_k| &\le \eta\, C_{k+1} , \\
# C_K^2 &= \frac{(1 - \beta_1)^2}{(1 - \beta_1^K)^2} \cdot \frac{1 - \beta_2^K}{1 - \beta_2}\,
# \sum_{j=0}^{K-1} \Big( \frac{\beta_1^2}{\beta_2} \Big)^j .
# \end{aligned}
# $$ (eq-rnn-adam-bound)
#
# With $\varepsilon = 0$ it is reached when $g_{k-j}$ is proportional to $a_j / b_j$, that is, to $(\beta_1 / \beta_2)^j$:
# gradients that grow with every step, as they do behind a saddle.


# %%
def C(K, beta_1=0.9, beta_2=0.999):
    u_sum, s_sum = 1 - beta_1**K, 1 - beta_2**K
    ratios = (beta_1**2 / beta_2) ** np.arange(K)
    return math.sqrt((1 - beta_1) ** 2 / u_sum**2 * s_sum / (1 - beta_2) * ratios.sum())


def last_step(rule, gradients, **settings):  # how far it goes, in rates
    w, state = torch.zeros(1), 0.0
    for g in gradients:
        before = w
        w, state = rule(w, g, state, eta=1.0, **settings)
    return abs(w - before).item()


for K in (1, 10, 10_000):
    print(f"after {K} gradients, Adam's step is at most {C(K):.2f} rates")
silent = torch.zeros(10_000, 1)
silent[-1] = 1
print(f"one gradient after long silence: {last_step(adam, silent):.2f} rates", end="")
print(f" with Adam, {last_step(rmsprop, silent):.2f} with RMSprop")


# %% tags=["check"]
def cases(K=9):
    sequences = torch.cartesian_prod(*[torch.tensor([3.0, -1.0])] * K)  # all [2^K, K]
    u = s = torch.zeros(len(sequences))
    for k in range(K):
        _, (_, u, s) = adam(0.0, sequences[:, k], (k, u, s), eta=1.0)
        for mean, beta, of_g in ((u, 0.9, 1.0), (s, 0.999, 5.0)):
            yield mean.mean() / (1 - beta ** (k + 1)), torch.tensor(of_g)


verify.equal("eq-rnn-bias-correction", cases(), atol=1e-12, against="all sequences")


# %% tags=["check"]
def cases():
    for K in (1, 2, 5, 40):
        for betas in ((0.9, 0.999), (0.8, 0.9)):
            def farthest(gradients, K=K, betas=betas):
                w = torch.nn.Parameter(torch.zeros(gradients.shape[1]))
                optimizer = torch.optim.Adam([w], lr=1.0, betas=betas, eps=0.0)
                for g in gradients:
                    before, w.grad = w.detach().clone(), g
                    optimizer.step()
                return (w.detach() - before).abs().max().item()

            growing = (betas[1] / betas[0]) ** torch.arange(K)[:, None]
            bound, other = C(K, *betas), farthest(torch.randn(K, 1000))
            yield [bound, max(bound, other)], [farthest(growing), bound]


verify.equal("eq-rnn-adam-bound", cases(), atol=1e-9, against="torch.optim.Adam")

# %% [markdown]
# The paper gives 3.16, which is $(1 - \beta_1) / \sqrt{1 - \beta_2}$, as the limit of a step: that is the step after
# long silence. Growing gradients go beyond it. RMSprop has $s_{k+1} \ge (1 - \beta_2)\, g_k^2$, so its steps are at most
# $\eta / \sqrt{1 - \beta_2}$.
#
# ### Where ε stands
#
# Both papers and PyTorch add $\varepsilon$ to the root. Under the root it would be another number: for $\hat u = g$ and
# $\hat s = g^2$ a step is $|g| / (|g| + \varepsilon)$ rates in the one case and $|g| / \sqrt{g^2 + \varepsilon}$ in the
# other. The one is a half at $|g| = \varepsilon$, the other at $|g| = \sqrt{\varepsilon / 3}$, which for $10^{-8}$ is
# thousands of times as large.


# %%
def outside(g, epsilon=1e-8):
    return g / (g + epsilon)


def inside(g, epsilon=1e-8):
    return g / (g**2 + epsilon) ** 0.5


for g in (1e-2, 1e-4, 1e-6):
    print(f"a gradient of {g:.0e}: a step of {outside(g):.3f} rates with ε outside", end="")
    print(f" of the root, {inside(g):.3f} inside")


# %% tags=["hide-input"]
def draw_epsilon():
    fig, ax = plt.subplots(figsize=(4.2, 2.5))
    g = np.logspace(-11, 0, 89)
    ax.plot(g, outside(g), label=r"$\sqrt{s} + ε$", markevery=8)
    ax.plot(g, inside(g), label=r"$\sqrt{s + ε}$", markevery=8)
    ax.set(xscale="log", xlabel="size of the gradient", ylabel="step, in rates")
    ax.set(ylim=(0, 1.05), xticks=[1e-10, 1e-8, 1e-6, 1e-4, 1e-2, 1])
    ax.minorticks_off()
    ax.legend(frameon=False, loc="upper left")
    return fig


display.show(
    draw_epsilon(),
    alt="The step against the size of a constant gradient. With epsilon added to the "
    "root it rises from 0 to 1 around 1e-8; with epsilon under the root around 1e-4.",
    caption="With ε = 1e-8, added to the root or under it. Gradients between 1e-8 and "
    "1e-4 are where it matters; on a plateau, that is where they are.",
)

# %% [markdown]
# :::{exercise} Adam, without the corrections
# :label: ex-rnn-adam-step
# Write `adam_weights(w, gradients, eta, beta_1, beta_2, epsilon)`: the weights after each step of Adam, one per row,
# when the gradients come as given, `[steps, n]`. You may write down {eq}`eq-rnn-adam`. More fun: keep $\hat u$ and
# $\hat s$ themselves. Show that $\hat u_{k+1}$ lies between $\hat u_k$ and $g_k$, at which part of the way?
# :::

# %% [markdown] tags=["solution"]
# :::{solution-start} ex-rnn-adam-step
# :class: dropdown
# :::
# $u_k = (1 - \beta_1^k)\, \hat u_k$, so $(1 - \beta_1^{k+1})\, \hat u_{k+1} = \beta_1 (1 - \beta_1^k)\, \hat u_k +
# (1 - \beta_1)\, g_k$. The two factors on the right add up to $1 - \beta_1^{k+1}$. Hence $\hat u_{k+1} = \hat u_k +
# \frac{1 - \beta_1}{1 - \beta_1^{k+1}} (g_k - \hat u_k)$: a mean over all at first ($1$, about $\frac12$, about
# $\frac13$ of the way …), a moving mean later. At $k = 0$ it goes all the way, so it does not matter where it started,
# and nothing is left to correct.


# %% tags=["solution"]
def adam_weights(w, gradients, eta, beta_1, beta_2, epsilon):
    path, u_hat, s_hat = [], 0.0, 0.0
    for k, g in enumerate(gradients):
        u_hat = u_hat + (1 - beta_1) / (1 - beta_1 ** (k + 1)) * (g - u_hat)
        s_hat = s_hat + (1 - beta_2) / (1 - beta_2 ** (k + 1)) * (g**2 - s_hat)
        w = w - eta * u_hat / (s_hat**0.5 + epsilon)
        path.append(w)
    return torch.stack(path)


# %% [markdown] tags=["solution"]
# :::{solution-end}
# :::

# %%
exercises.check("rnn/optimizers/adam_weights", adam_weights)

# %% [markdown]
# ## Four paths
#
# All four rules in a ravine with $\kappa = 20$, forty steps each, at the same learning rate; $\beta = \beta_1 = 0.9$,
# $\beta_2 = 0.9$ for RMSprop and 0.999 for Adam.

# %% tags=["hide-input"]
RULES = {
    "SGD": (sgd, {}),
    "momentum": (momentum, {}),
    "RMSprop": (rmsprop, {"beta_2": 0.9}),
    "Adam": (adam, {}),
}
RATES = (0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.13, 0.16, 0.19, 0.25, 0.4)
here = torch.tensor([2.5, 1.0])


def draw_paths(eta):
    figures, axes = display.panels(*[(3.3, 1.9)] * 4)
    for i, (ax, name) in enumerate(zip(axes, RULES, strict=True)):
        rule, settings = RULES[name]
        path = descend(rule, ravine_gradient, here, 40, eta=eta, **settings)
        seen = path[: int((path.abs() < 4).all(dim=1).long().cumprod(0).sum()) + 1]
        contours(ax, (1.0, 20.0), (0.3, 2, 6))
        color, marker = display.COLORS[i], "os^D"[i]
        ax.plot(*seen.T.clamp(-4, 4), color=color, marker=marker, ls="-", ms=3, lw=1)
        ax.set(xlim=(-3, 3), ylim=(-1.7, 1.7), yticks=[-1, 0, 1], title=name)
        ax.grid(False)
    return figures


def say_paths(eta):
    ends = []
    for name, (rule, settings) in RULES.items():
        end = descend(rule, ravine_gradient, here, 40, eta=eta, **settings)[-1].norm()
        ends.append(f"{name} is " + (f"{end:.2g} from the minimum" if end < 4 else "gone"))
    return f"Paths at rate {eta:g}. After forty steps " + ", ".join(ends) + "."


display.slider(
    draw_paths,
    RATES,
    label="learning rate",
    alt=say_paths,
    caption="Forty steps at one rate. The same number is small for one rule and too much "
    "for another: rates of different rules cannot be compared.",
    start=0.08,
)

# %% [markdown]
# Turn up the rate. SGD leaves beyond 0.1 {eq}`eq-rnn-sgd-limit`, momentum beyond 0.19 {eq}`eq-rnn-momentum-limit`. RMSprop
# and Adam do not leave. Their steps are as long as the rate says, whatever the gradient: at a large rate they swing
# about the minimum, at a small one they are late.
#
# ## What they do not see
#
# Multiply all losses by 1000, and SGD needs another rate. RMSprop and Adam do not notice. More than that: multiply each
# *entry* of all gradients by a positive number of its own, $c \odot g_k$. Then $u$ is multiplied by $c$ and $s$ by
# $c^2$, entry by entry, and with $\varepsilon = 0$ the factors cancel. Write $\Delta_k$ for the step that a rule takes
# after the gradients $g_0, \dots, g_k$:
#
# $$
# \Delta_k (c \odot g_0, \dots, c \odot g_k) = \Delta_k (g_0, \dots, g_k) .
# $$ (eq-rnn-scale)
#
# In a ravine along the axes the gradients are $\lambda_i w_i$, so $\lambda_i$ is such a factor: *they do not see the
# curvatures*. Whatever $\kappa$ is, the path is the same. That is better than $\sqrt \kappa$.
#
# And now turn the ravine. SGD and momentum only add and multiply by numbers. With an orthogonal $Q$, the loss
# $L(Q^\top w)$ has the gradient $Q\, \nabla L (Q^\top w)$, so from $Q w_0$ they go, step by step, through
#
# $$
# Q w_0 , \; Q w_1 , \; Q w_2 , \; \dots
# $$ (eq-rnn-rotation)
#
# They see the curvatures and not the axes. A rule that works entry by entry sees the axes, and in a ravine across them
# each of its entries holds something of every curvature.


# %%
def turned(degrees):  # rotation [2, 2]
    angle = torch.tensor(degrees * math.pi / 180)
    return torch.stack([angle.cos(), -angle.sin(), angle.sin(), angle.cos()]).view(2, 2)


def settled(rule, kappa, degrees, rates, steps, **settings):
    """The step from which on the distance stays below 0.01 [rates, starts], from 1."""
    A = turned(degrees) @ torch.diag(torch.tensor([1.0, kappa])) @ turned(degrees).T
    angles = torch.arange(20) / 20 * 2 * math.pi + 0.1  # twenty starts all around
    starts = torch.stack([angles.cos(), angles.sin()], dim=1) @ turned(degrees).T
    w, eta = starts.expand(len(rates), 20, 2), torch.tensor(rates)[:, None, None]
    state, last = 0.0, torch.zeros(len(rates), 20)
    for k in range(1, steps + 1):
        w, state = rule(w, w @ A, state, eta=eta, **settings)
        last[w.norm(dim=2) >= 0.01] = k
    return (last + 1).numpy()


KAPPAS, GRID = (1.0, 10.0, 100.0, 1000.0), np.logspace(-3, -0.5, 11)
needed = {name: [] for name in ("SGD", "momentum", "Adam, along", "Adam, turned")}
for kappa in KAPPAS:
    eta, beta, _ = best(kappa)
    needed["SGD"].append(settled(sgd, kappa, 45, [2 / (1 + kappa)], 3000)[0])
    needed["momentum"].append(settled(momentum, kappa, 45, [eta], 300, beta=beta)[0])
    for name, degrees in (("Adam, along", 0), ("Adam, turned", 45)):
        tried = settled(adam, kappa, degrees, GRID, 3000)  # [rates, starts]
        needed[name].append(tried[tried.mean(axis=1).argmin()])  # its best rate
for name, steps in needed.items():
    print(f"{name:13}", ", ".join(f"{n.mean():.0f} steps" for n in steps))


# %% tags=["hide-input"]
def draw_turned(kappa=20, steps=100):
    figures, (left, right) = display.panels((3.3, 3.0), (3.3, 3.0))
    curvatures = torch.tensor([1.0, kappa])
    contours(left, (1.0, kappa), (0.1, 0.6, 2))
    for i, degrees in enumerate((0, 45)):
        Q = turned(degrees)
        A = Q @ torch.diag(curvatures) @ Q.T
        w = Q @ torch.tensor([2.0, 0.4])
        path = descend(adam, lambda w, A=A: A @ w, w, steps, eta=0.05) @ Q
        name = ("along the axes", "turned by 45°")[i]
        style = {"color": display.COLORS[3 - 3 * i], "ls": ":-"[i], "marker": "Do"[i]}
        left.plot(*path.T, **style, ms=3, markevery=5, label=name)
    left.set(xlim=(-0.6, 2.2), ylim=(-0.6, 0.6), xlabel="along the floor", ylabel="across")
    left.set_title(f"Adam, $κ = {kappa}$")
    left.grid(False)
    for name, runs in needed.items():
        right.plot(KAPPAS, [n.mean() for n in runs], label=name)
        low, high = ([end(n) for n in runs] for end in (np.min, np.max))
        right.fill_between(KAPPAS, low, high, color=right.lines[-1].get_color(), alpha=0.2, lw=0)
    right.set(xscale="log", yscale="log", xlabel="$κ$", ylabel="steps", title="to a hundredth")
    right.set(ylim=(1, 5000), xticks=KAPPAS)
    right.minorticks_off()
    for ax in (left, right):
        ax.figure.legend(*ax.get_legend_handles_labels(), loc="outside lower center", ncols=2, frameon=False)
    return figures


def say_turned():
    ends = {name: f"{runs[-1].mean():.0f}" for name, runs in needed.items()}
    return (
        "Left, two paths of Adam in the coordinates of one ravine: where it lies along the "
        "axes the path goes straight to the minimum, where it is turned by 45 degrees the "
        "path falls to the floor and creeps along it. Right, steps against the condition number: "
        f"at 1000, SGD needs {ends['SGD']}, momentum {ends['momentum']}, Adam "
        f"{ends['Adam, along']} along the axes and {ends['Adam, turned']} turned."
    )


display.show(
    draw_turned(),
    alt=say_turned(),
    caption="What Adam gains in a ravine, it gains from the axes. Steps until the distance "
    "stays below a hundredth of the first one: mean of twenty starts, with the range; "
    "each rule at its best rate.",
)


# %% tags=["check"]
def cases():
    factors, gradients = 10 ** (2 * torch.randn(4)), torch.randn(30, 4)
    for optimizer in (torch.optim.RMSprop, torch.optim.Adam):
        paths = []
        for given in (gradients * factors, gradients):
            w = torch.nn.Parameter(torch.zeros(4))
            own = optimizer([w], lr=0.1, eps=0.0)
            for g in given:
                w.grad = g.clone()
                own.step()
            paths.append(w.detach())
        yield tuple(paths)
    for rule in (rmsprop, adam):  # two ravines along the axes, one path
        both = torch.tensor([[1.0, 1.0], [1.0, 1000.0]])
        path = descend(rule, lambda w: both * w, start.expand(2, 2), 50, eta=0.1, epsilon=0.0)
        yield path[:, 0], path[:, 1]


verify.equal("eq-rnn-scale", cases(), atol=1e-12, against="torch.optim, other factors")


# %% tags=["check"]
def cases():
    for optimizer in ({"lr": 0.2}, {"lr": 0.2, "momentum": 0.9}):
        A, _, _ = random_quadratic()
        Q = torch.linalg.qr(torch.randn(4, 4)).Q
        w = torch.nn.Parameter(torch.randn(4))
        turned_w = torch.nn.Parameter(Q @ w.detach())
        path = theirs(torch.optim.SGD, lambda: w @ A @ w / 2, [w], 50, **optimizer)

        def turned_loss(A=A, Q=Q, turned_w=turned_w):
            back = Q.T @ turned_w
            return back @ A @ back / 2

        yield path @ Q.T, theirs(torch.optim.SGD, turned_loss, [turned_w], 50, **optimizer)


verify.equal("eq-rnn-rotation", cases(), atol=1e-12, against="torch.optim.SGD, turned")

# %% [markdown]
# Along the axes Adam needs the same number of steps for every $\kappa$. In the turned ravine that is gone: at large
# $\kappa$ it needs more steps than momentum with its best settings, and still fewer than SGD at $\kappa = 1000$. (SGD and
# momentum got the settings that the curvatures prescribe, Adam the best of a grid of rates with its usual $\beta_1$ and
# $\beta_2$.) So what a rate for each weight is worth depends on whether a network's ravines lie along its weights. No
# theorem says that they do.
#
# ## A plateau and a saddle
#
# A plateau is flat, and SGD's steps are as small as the gradient. Where $\varepsilon$ is smaller still, RMSprop and Adam
# walk as if it were steep. Take $L(w) = 1 - e^{-w^2/2}$ from $w = 5$, with the gradient $w\, e^{-w^2/2}$, about $2 \cdot
# 10^{-5}$ there; and near a saddle $L(w) = \tfrac12 w_1^2 + \tfrac14 (w_2^2 - 1)^2$, from $(1, 10^{-6})$: to the left and
# right it falls, but you stand almost on the ridge.


# %%
def plateau_gradient(w):
    return w * torch.exp(-(w**2) / 2)


def saddle_gradient(w):
    return torch.stack([w[0], w[1] ** 3 - w[1]])


def first_near(path, minimum, distance=0.3):
    near = (path - minimum).norm(dim=1) < distance
    return int(near.long().argmax()) if near.any() else None


ROUGH = {"SGD": (0.5, 25_000), "momentum": (0.5, 3000), "RMSprop": (0.05, 300), "Adam": (0.05, 300)}
across = {}
for name, (eta, steps) in ROUGH.items():
    rule = RULES[name][0]
    flat = descend(rule, plateau_gradient, torch.tensor([5.0]), steps, eta=eta)
    ridge = descend(rule, saddle_gradient, torch.tensor([1.0, 1e-6]), 200, eta=eta)
    across[name] = flat[:, 0], ridge[:, 1]
    steps = first_near(flat, torch.zeros(1)), first_near(ridge, torch.tensor([0.0, 1.0]))
    print(f"{name:8} at rate {eta}: plateau {steps[0]} steps, saddle {steps[1]}")

noise = 0.01  # now the gradient of each step is off by as much
w, state, crossed = torch.full((1001,), 5.0), 0.0, torch.zeros(1001, dtype=bool)
for _ in range(300):
    g = plateau_gradient(w) + noise * torch.randn(1001)
    w, state = adam(w, g, state, eta=0.05)
    crossed |= w.abs() < 0.3
print(f"Adam with noise: {crossed.double().mean():.0%} of 1001 runs are across in 300 steps")


# %% tags=["hide-input"]
def draw_flat():
    figures, (left, right) = display.panels((3.3, 2.9), (3.3, 2.9))
    for name, (flat, ridge) in across.items():
        left.plot(np.arange(1, len(flat)), flat[1:], label=name, markevery=(0.1, 0.25))
        right.plot(ridge[:81], label=name, markevery=(0.1, 0.25))
    left.set(xscale="log", xlabel="step", ylabel="$w$", title="plateau", ylim=(-1, 5.3))
    right.set(xlabel="step", ylabel="$w_2$", title="saddle", ylim=(-0.1, 2))
    for ax in (left, right):
        ax.figure.legend(*ax.get_legend_handles_labels(), loc="outside lower center", ncols=2, frameon=False)
    return figures


display.show(
    draw_flat(),
    alt="Left, w on the plateau against the step, on a logarithmic axis: RMSprop and Adam "
    "reach 0 within tens of steps, momentum after thousands, SGD after "
    "twenty thousand. Right, w_2 beside the saddle: RMSprop leaves at once, Adam "
    "after some steps, momentum and SGD after tens of steps.",
    caption="On a plateau and on a ridge, without noise. What divides by the size of the gradient "
    "does not care how small it is.",
)

# %% [markdown]
# Beside the saddle SGD is not so slow: what leads away grows by a factor at every step. On the plateau nothing grows.
# There the two with a rate for each weight are ahead by far, as long as the tiny gradient is exact. With noise from
# batches $\sqrt s$ measures the *noise*: the mean of a step is then $\eta$ times the ratio of the two, and most of its
# length is chance.
#
# Nor does it mend what {doc}`vanishing` found. A gradient that is small as a whole is made large. But far steps have a
# small *share* in it {eq}`eq-rnn-term`, and no factor for the whole entry changes the shares in a sum.

# %% [markdown]
# :::{exercise} Is it mended?
# :label: ex-rnn-adam-far-steps
# "Gradients vanish, and Adam makes small gradients large. So with Adam a plain recurrent network has no trouble with
# long sequences." What is right in this, and where does it fail? Take one entry of $W_{hh}$ and write its gradient as
# a sum over steps.
# :::

# %% [markdown] tags=["solution"]
# :::{solution-start} ex-rnn-adam-far-steps
# :class: dropdown
# :::
# The gradient of an entry is $\sum_t \gamma_t$ with one term for each step; when gradients vanish, the far terms are
# exponentially small beside the near ones. Adam divides the moving mean of the *sum* by a root mean square of the *sum*.
# If all terms are tiny, for instance because the whole network sits on a plateau, the step is as long as ever: that
# much is right. But numerator and denominator are ruled by the near terms, and the far ones have the same share in the
# step as in the gradient. They could be told apart only if they stood in different entries. (Where an entry hears of
# the far steps alone, as a weight used only there does, Adam does help it.)

# %% [markdown] tags=["solution"]
# :::{solution-end}
# :::

# %% [markdown]
# ## Noise, and why rates decay
#
# The gradient of a batch is the gradient of the loss plus noise. Take one curvature $\lambda$, SGD, and independent
# noise $\xi_k$ of mean 0 and variance $q^2$ at each step: $w_{k+1} = w_k - \eta (\lambda w_k + \xi_k) = (1 - \eta
# \lambda)\, w_k - \eta\, \xi_k$. The mean of $w_k$ tends to 0 as before. The noise is independent of $w_k$, so variances
# add: $\operatorname{Var} w_{k+1} = (1 - \eta \lambda)^2 \operatorname{Var} w_k + \eta^2 q^2$. Below the limit the first
# factor is less than 1, and the variance tends to the number $V$ that the equation leaves as it is. With $1 - (1 - \eta
# \lambda)^2 = \eta \lambda (2 - \eta \lambda)$,
#
# $$
# V = \frac{\eta\, q^2}{\lambda\, (2 - \eta \lambda)} , \qquad
# \mathbb{E}\, L \to \frac{\lambda V}{2} = \frac{\eta\, q^2}{2\, (2 - \eta \lambda)} .
# $$ (eq-rnn-floor)
#
# That is a floor: with a constant rate SGD never gets below it, and for small rates it is proportional to the rate. A
# small rate has a low floor and takes long to reach it. A rate that falls has both. The extreme is $\eta_k = 1 / \big(
# \lambda (k + 1) \big)$. Then $(k + 1)\, w_{k+1} = k\, w_k - \xi_k / \lambda$, and added up from $0 \cdot w_0$ on,
#
# $$
# w_k = - \frac{1}{\lambda k} \sum_{j=0}^{k-1} \xi_j , \qquad \operatorname{Var} w_k = \frac{q^2}{\lambda^2 k} .
# $$ (eq-rnn-decay)
#
# The start is forgotten after one step, noise is averaged evenly, and the variance goes below every floor. Rates must
# not fall too fast, though: for rates with a finite sum the weights may stop before they arrive
# {cite}`robbins1951stochastic`. Nobody knows the $\lambda$ of a network, of which there are many, so in practice the
# rate is held as long as it pays, and then lowered.


# %%
def noisy_path(w, noise, rates, curvature=1.0):  # noise [steps, …] → [steps + 1, …]
    path = [w]
    for xi, eta in zip(noise, rates, strict=True):
        path.append(path[-1] - eta * (curvature * path[-1] + xi))
    return torch.stack(path)


def floor(eta, q, curvature=1.0):  # variance of w, mean of the loss
    V = eta * q**2 / (curvature * (2 - eta * curvature))
    return V, curvature * V / 2


k = torch.arange(400)
schedules = {
    "0.5": torch.full((400,), 0.5),
    "0.05": torch.full((400,), 0.05),
    "0.5, then 0.05": torch.where(k < 100, 0.5, 0.05),
    "1 / (k + 1)": 1 / (k + 1),
}
losses = {}
for name, rates in schedules.items():
    path = noisy_path(torch.full((4000,), 5.0), torch.randn(400, 4000), rates)
    losses[name] = (path**2 / 2).mean(dim=1)
    print(f"rate {name:15} loss after 100 steps {losses[name][100]:.4f}, after 400 {losses[name][400]:.4f}")
print("floors:", ", ".join(f"{floor(eta, 1.0)[1]:.4f}" for eta in (0.5, 0.05)))


# %% tags=["hide-input"]
def draw_floors():
    fig, ax = plt.subplots(figsize=(4.2, 3.2))
    for name, loss in losses.items():
        ax.plot(np.arange(401), loss, label=name, markevery=50)
    for eta in (0.5, 0.05):
        ax.axhline(floor(eta, 1.0)[1], color=display.INK, lw=1, ls=":")
    ax.set(yscale="log", xlabel="step", ylabel="mean loss", ylim=(8e-4, 20), xlim=(0, 400))
    fig.legend(loc="outside lower center", ncols=2, frameon=False)
    return fig


display.show(
    draw_floors(),
    alt="Mean loss against the step, on a logarithmic axis. Rate 0.5 falls to its floor at "
    "once and stays there; 0.05 takes 100 steps to a floor more than ten times lower; "
    "0.5 lowered to 0.05 after 100 steps leaves the one floor for the other; 1/(k+1) "
    "goes on falling below both.",
    caption="Noise of variance 1 on the curvature 1, mean of 4000 runs. Dotted: the floors "
    "of the rates 0.5 and 0.05.",
)


# %% tags=["check"]
def cases(q=0.7):
    for eta, curvature in ((0.5, 1.0), (0.1, 3.0), (1.5, 1.0)):
        rates, zero = torch.full((300,), eta), torch.zeros(300)

        def end(noise, rates=rates, curvature=curvature):
            return noisy_path(torch.tensor(5.0), noise, rates, curvature)[-1]

        variance = (jacobian(end, zero) ** 2).sum() * q**2  # of a sum of independent terms
        mean = end(zero)
        yield floor(eta, q, curvature), [variance, curvature * (variance + mean**2) / 2]


verify.equal("eq-rnn-floor", cases(), atol=1e-12, against="autograd by each noise")


# %% tags=["check"]
def cases(q=0.7):
    for k, curvature in ((1, 1.0), (2, 0.5), (50, 3.0)):
        rates, noise = 1 / (curvature * (torch.arange(k) + 1)), torch.randn(k)

        def end(noise, rates=rates, curvature=curvature):
            return noisy_path(torch.tensor(5.0), noise, rates, curvature)[-1]

        variance = (jacobian(end, noise) ** 2).sum() * q**2
        yield [-noise.sum() / (curvature * k), q**2 / (curvature**2 * k)], [end(noise), variance]


verify.equal("eq-rnn-decay", cases(), atol=1e-12, against="runs, autograd by each noise")

# %% [markdown]
# RMSprop and Adam do not do this by themselves. Their $\eta / \sqrt s$ is large where gradients have been small and small
# where they have been large; it *rises* on the way to a minimum. They are given a schedule of $\eta$ like SGD.
#
# ## On palindromes
#
# All this was on toys. Take a plain recurrent network of 24 units that reads eight digits of a palindrome, one-hot, and
# must name the last one, which is the first: question 1.3 of the report in small. It has 400 steps on batches of 32.
# Each rule gets five rates, a factor of $\sqrt{10}$ apart. The rate with the least mean loss over four starts is taken,
# and used for twelve *other* starts. And since {doc}`vanishing` taught clipping, all of it is done twice:
# as it is, and with the gradient clipped to length 1. Test loss is on 1000 fresh palindromes.


# %%
SIZES = 24 * 10, 24 * 24, 24, 10 * 24, 10  # W_hx, W_hh, b_h, W_ph, b_p


def scores(w, x):  # runs side by side: [R, n], one-hot [T, R, B, 10] → [R, B, 10]
    W_hx, W_hh, b_h, W_ph, b_p = w.split(SIZES, dim=1)
    W_hx, W_hh, W_ph = W_hx.view(-1, 24, 10), W_hh.view(-1, 24, 24), W_ph.view(-1, 10, 24)
    h = x.new_zeros(*x.shape[1:3], 24)
    for x_t in x:
        h = torch.tanh(x_t @ W_hx.mT + h @ W_hh.mT + b_h[:, None])
    return h @ W_ph.mT + b_p[:, None]


def batch(B, draws, copies):  # one-hot digits [T, R, B, 10], the last ones [R, B]
    read = [palindromes.sample(8, B, draw) for draw in draws]
    digits = torch.stack([digits for digits, _ in read], dim=1).repeat(1, copies, 1)
    return one_hot(digits, 10).float(), torch.stack([y for _, y in read]).repeat(copies, 1)


def loss_of_runs(w, x, y):  # → [R]
    of_each = cross_entropy(scores(w, x).flatten(0, 1), y.flatten(), reduction="none")
    return of_each.view(y.shape).mean(dim=1)


def train(rule, settings, numbers, steps=400):  # → test loss [settings, starts]
    draws = [torch.Generator().manual_seed(seed + number) for number in numbers]
    w = torch.stack([torch.rand(sum(SIZES), generator=draw) for draw in draws])
    w = ((2 * w - 1) / 24**0.5).float().repeat(len(settings), 1)
    each = torch.tensor(settings).float().repeat_interleave(len(draws), dim=0)
    (eta, longest), state = each[:, :, None].unbind(1), 0.0
    for _ in range(steps):
        loss = loss_of_runs(w.requires_grad_(), *batch(32, draws, len(settings)))
        (g,) = torch.autograd.grad(loss.sum(), w)  # of each run by its own weights
        g = g * torch.clamp(longest / g.norm(dim=1, keepdim=True), max=1)
        w, state = rule(w.detach(), g, state, eta=eta)
    test = loss_of_runs(w, *batch(1000, draws, len(settings))).detach()
    return test.view(len(settings), len(draws)).numpy()


LOWEST = {"SGD": -1.0, "momentum": -2.0, "RMSprop": -3.5, "Adam": -3.0}
tuned = {}  # two settings for each rule, a rate and the longest gradient
for name, lowest in LOWEST.items():
    grid = [(10 ** (lowest + i / 2), m) for m in (math.inf, 1.0) for i in range(5)]
    mean = train(RULES[name][0], grid, range(4)).mean(axis=1)
    tuned[name] = grid[mean[:5].argmin()], grid[5 + mean[5:].argmin()]


# %% tags=["nbval-ignore-output"]
ends = {name: train(RULES[name][0], tuned[name], range(4, 16)) for name in tuned}
for name, losses_of in ends.items():
    for (rate, longest), of_runs in zip(tuned[name], losses_of, strict=True):
        how = "clipped" if longest == 1 else "as it is"
        print(f"{name:8} {how:8} rate {rate:.2g}: median {np.median(of_runs):.2f}, ", end="")
        print(f"from {of_runs.min():.3f} to {of_runs.max():.2f}")


# %% tags=["hide-input", "nbval-ignore-output"]
def draw_ends():
    fig, ax = plt.subplots(figsize=(4.2, 3.0))
    for i, losses_of in enumerate(ends.values()):
        for clipped, of_runs in enumerate(losses_of):
            x = i + 0.36 * clipped - 0.18
            color, marker = display.COLORS[clipped], "os"[clipped]
            style = {"ls": "", "color": color, "marker": marker, "mfc": "none"}
            label = ("as it is", "clipped to 1")[clipped] if i == 0 else None
            ax.plot(np.full(12, x), of_runs, **style, label=label)
            ax.plot([x - 0.14, x + 0.14], [np.median(of_runs)] * 2, color=color, marker="", ls="-", lw=3)
    ax.axhline(math.log(10), color=display.INK, lw=1, ls=":")
    ax.set_xticks(range(4), ends)
    ax.set(yscale="log", ylabel="test loss", xlim=(-0.5, 3.5))
    fig.legend(loc="outside lower center", ncols=2, frameon=False)
    return fig


def say_ends():
    medians = "; ".join(
        f"{name} {np.median(free):.2f} and {np.median(clipped):.2f}" for name, (free, clipped) in ends.items()
    )
    return f"Test losses of twelve starts for each rule. Medians without and with clipping: {medians}."


display.show(
    draw_ends(),
    alt=say_ends(),
    caption="Each mark is one start; the bars are medians of twelve; dotted, the loss of a "
    "guess. Each rule has its own best rate of five.",
)
for name, both in ends.items():
    for key, of_runs in zip(("free", "clipped"), both, strict=True):
        text = f"{np.median(of_runs):.2f} ({of_runs.min():.3f} to {of_runs.max():.2f})"
        display.glue(f"rnn-opt-{name}-{key}", text)

# %% [markdown]
# Medians, and the range of twelve starts. As it is: SGD {glue:text}`rnn-opt-SGD-free`, momentum
# {glue:text}`rnn-opt-momentum-free`, RMSprop {glue:text}`rnn-opt-RMSprop-free`, Adam {glue:text}`rnn-opt-Adam-free`.
# Clipped: SGD {glue:text}`rnn-opt-SGD-clipped`, momentum {glue:text}`rnn-opt-momentum-clipped`, RMSprop
# {glue:text}`rnn-opt-RMSprop-clipped`, Adam {glue:text}`rnn-opt-Adam-clipped`. The runs of one rule differ more than the
# rules do, and a rate that was chosen on four starts need not be the best for twelve.

# %% [markdown]
# ## What was shown
#
# - On a quadratic, SGD treats each eigenvector by itself. The largest curvature limits the rate, {eq}`eq-rnn-sgd-limit`,
#   and the condition number sets the pace, {eq}`eq-rnn-best-rate`.
# - Momentum sums gradients. It stands a rate $1 + \beta$ times as high, {eq}`eq-rnn-momentum-limit`, and puts
#   $\sqrt \kappa$ in place of $\kappa$, {eq}`eq-rnn-best-momentum`.
# - RMSprop and Adam divide by the size of past gradients, entry by entry. They see neither the scale of a loss nor
#   curvatures along the axes, {eq}`eq-rnn-scale`; turn the ravine, and they do.
# - With noise a constant rate ends on a floor, {eq}`eq-rnn-floor`; a falling one goes below, {eq}`eq-rnn-decay`.

# %% [markdown]
# ## Exercises

# %% [markdown]
# :::{exercise} What they add
# :label: ex-rnn-what-they-add
# Question 1.4 of the report: what do momentum and an adaptive rate, as in RMSprop and Adam, add to stochastic gradient
# descent? Say for each which trouble it helps with, by which mechanism, and where it does not help.
# :::

# %% [markdown] tags=["solution"]
# :::{solution-start} ex-rnn-what-they-add
# :class: dropdown
# :::
# **Momentum** steps along a sum of the past gradients. What they agree on adds up, to $1 / (1 - \beta)$ times one of
# them; what alternates or is chance does not. So it goes faster along the floor of a ravine, of any direction, than the
# walls let SGD go: about $\sqrt \kappa$ steps for SGD's $\kappa$. On a plateau it gains the same factor $1 / (1 - \beta)$
# and no more.
#
# **An adaptive rate** divides each entry by the root of a moving mean of its squared gradients. The size of a gradient
# drops out: the scale of the loss, a plateau (down to $\varepsilon$, and to the noise), curvatures that differ
# from one weight to the next. It does not help in a ravine across the axes as it does along them. It is not a rate that
# starts high and falls: where gradients shrink it rises, so it takes a schedule like any other.
#
# **Adam** has both, and corrects the two means for their start at zero. None of them brings back what vanished
# on the way through time.

# %% [markdown] tags=["solution"]
# :::{solution-end}
# :::

# %% [markdown]
# :::{exercise} Decay that is not a gradient
# :label: ex-rnn-decoupled
# Weight decay pulls weights to zero: add $\tfrac{\zeta}{2} \lVert w \rVert^2$ to the loss, so $\zeta w$ to the
# gradient; or take $\eta \zeta w_k$ away from the weights, beside the step. For SGD that is the same. What is the first
# step of Adam with each, in the one case where $\zeta w$ is much larger than the gradient, and in the other? Write
# `decayed_adam(w, gradients, eta, zeta)`, the weights after each step, one per row, with the decay *decoupled*
# {cite}`loshchilov2019decoupled`, and Adam's usual settings.
# :::

# %% [markdown] tags=["solution"]
# :::{solution-start} ex-rnn-decoupled
# :class: dropdown
# :::
# Added to the gradient, $\zeta w$ is divided by $\sqrt{\hat s}$ like everything else. The first step is $\eta$ long with
# the sign of $g + \zeta w$: where $\zeta w$ is larger that is a step of $\eta$ to zero, whatever $\zeta$ is, and
# where it is smaller the decay does nothing at all. Later a weight with large gradients is decayed less than one with
# small ones. Decoupled, all shrink by the same factor $1 - \eta \zeta$.


# %% tags=["solution"]
def decayed_adam(w, gradients, eta, zeta):
    path, state = [], 0.0
    for g in gradients:
        w, state = adam((1 - eta * zeta) * w, g, state, eta=eta)
        path.append(w)
    return torch.stack(path)


# %% [markdown] tags=["solution"]
# :::{solution-end}
# :::

# %%
exercises.check("rnn/optimizers/decayed_adam", decayed_adam)

# %% [markdown]
# ## Further reading
#
# - {cite:t}`polyak1964methods` has the heavy ball and its $\sqrt \kappa$; {cite:t}`goh2017momentum` shows it with
#   pictures to play with; {cite:t}`sutskever2013importance` brought it to deep and recurrent networks.
# - {cite:t}`tieleman2012rmsprop` and {cite:t}`kingma2015adam` are short and worth reading. {cite:t}`balles2018dissecting`
#   take Adam apart into signs and noise.
# - {cite:t}`schmidt2021crowded` compare fifteen optimizers on eight tasks, with their rates tuned.
