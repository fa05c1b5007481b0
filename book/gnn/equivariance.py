# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Symmetry shares the weights
#
# A convolution has one weight per distance, a graph convolution one for all neighbours. Did somebody have to decide
# that, or does it follow from something simpler? And a graph that has no symmetry at all: what can it share?
#
# An input moves around a ring, and two linear layers answer. The answer of the convolution moves
# along; the answer of a layer with a weight of its own for each pair of nodes does something else at every place.

# %% tags=["parameters"]
profile = "smoke"
seed = 0

# %% tags=["set-up"]
from itertools import permutations

from helpers import display, exercises, parameters, verify
from helpers.gnn import drawing
from helpers.gnn.circulant import circulant, eigenvalues
from helpers.gnn.layers import gcn_norm

import matplotlib.pyplot as plt
import networkx as nx
import numpy as np
import torch

parameters.check(globals(), profile=("smoke", "full"), seed=range(2**31))
display.use_book_style()
rng = np.random.default_rng(seed)
sizes = (3, 4, 5, 8, 13)  # the rings on which they are checked
if profile == "full":
    sizes += (64, 129)


# %% tags=["hide-input"]
def draw_moved(m, n=12):
    node = np.arange(n)
    x = np.exp(-((node - 9) ** 2) / 2)  # [n]
    free = np.random.default_rng(3).standard_normal((n, n)) / 2
    kernel = [1, 0.5, *np.zeros(n - 3), -0.5]
    layers = {"convolution": circulant(kernel), "all weights free": free}
    figures, axes = display.panels((3.3, 3.1), (3.3, 3.1))
    moved = np.roll(x, -m)
    for ax, (name, M) in zip(axes, layers.items(), strict=True):
        ax.plot(moved, color=display.INK, ls=":", marker="", label="$S^m x$")
        first, then = np.roll(M @ x, -m), M @ moved
        wanted = {"ls": "", "marker": "s", "ms": 9, "mfc": "none"}
        ax.plot(first, color=display.COLORS[1], **wanted, label="$S^m M x$")
        style = {"color": display.COLORS[0], "ls": "", "marker": "o", "ms": 4}
        ax.plot(then, **style, label="$M S^m x$")
        ax.set(title=name, xlabel="node", ylim=(-1.6, 1.8), xticks=range(0, n, 3))
        ax.figure.legend(loc="outside lower center", ncols=3, frameon=False)
        ax.grid(False)
    return figures


display.slider(
    draw_moved,
    range(0, 12, 2),
    label="moved by",
    alt=lambda m: (
        f"A bump is moved by {m} nodes around a ring of 12. Left, a "
        "convolution: moving before the layer and after it give the same points. Right, "
        + ("a dense layer, at its start." if m == 0 else "a dense layer: they differ.")
    ),
    caption="Move by m nodes (S to the power m) first or last: for a convolution it "
    "makes no difference, for a layer of free weights it does.",
    start=4,
)

# %% [markdown]
# ## Three nodes, by hand
#
# Take a ring of three, the signal $x = (1, 0, 0)$ and the shift $S$ of {doc}`circulant`, which moves every value from
# node $i + 1$ to node $i$: $(Sx)_i = x_{i+1}$, so $Sx = (0, 0, 1)$. As the layer take
#
# $$
# M = \begin{bmatrix} 1 & 2 & 0 \\ 0 & 1 & 2 \\ 2 & 0 & 1 \end{bmatrix} .
# $$ (def-gnn-three-nodes)
#
# Its first column is $Mx = (1, 0, 2)$; moved, $S M x = (0, 2, 1)$. Its last column is $M S x = (0, 2, 1)$: the same.
# Now change a single entry, $M_{00} = 5$. The first column becomes $(5, 0, 2)$, moved $(0, 2, 5)$, and the last column
# is what it was.


# %%
def shift(n):  # S [n, n]
    return circulant(np.eye(n)[1])


S, x = shift(3), np.array([1.0, 0, 0])
M = np.array([[1.0, 2, 0], [0, 1, 2], [2, 0, 1]])
for corner in (1.0, 5.0):
    M[0, 0] = corner
    print(f"M_00 = {corner:g}:  M S x = {M @ S @ x},  S M x = {S @ M @ x}")

# %% [markdown]
# ## What commutes with a shift
#
# Moving first or last makes no difference for any signal when $M S = S M$. What does this ask of the entries of $M$?
# Those of $S M S^\top$ are $M_{i+1, j+1}$, and since $S^\top = S^{-1}$, $SM = MS$ is the same as $S M S^\top = M$. So
# $M$ commutes with $S$ exactly when $M_{i+1,j+1} = M_{ij}$ for all $i$ and $j$. Take this $i$ steps back, to row 0:
# $M_{ij} = M_{i-1,j-1} = \dots = M_{0,j-i}$. Those are the entries of a circulant with kernel $\theta_j = M_{0j}$; and
# the entries of a circulant, which depend on $j - i$ alone, do not change by a step along the diagonal.
#
# $$
# M S = S M \quad \Longleftrightarrow \quad M = C(\theta) \ \text{ for some } \theta .
# $$ (eq-gnn-shift-equivariance)
#
# The check solves the linear equations $MS - SM = 0$ for the $n^2$ unknown entries of $M$, and compares the space of
# solutions with the span of $I, S, \dots, S^{n-1}$, both as orthogonal projections.


# %%
def commuting(S):  # orthonormal rows [solutions, n²]: all M with M S = S M, flat
    identity = np.eye(len(S))
    # Times M.ravel(), this [n², n²] matrix gives (M S − S M).ravel()
    equations = np.kron(identity, S.T) - np.kron(S, identity)
    _, singular_values, V = np.linalg.svd(equations)
    return V[singular_values < 1e-10]


def powers_of_shift(n):  # [n, n, n]: S⁰ to Sⁿ⁻¹
    return np.stack([np.linalg.matrix_power(shift(n), j) for j in range(n)])


# %% tags=["hide-input"]
def draw_average(n=6):
    M = np.random.default_rng(1).integers(0, 7, (n, n))
    averaged = np.mean([np.roll(M, (m, m), (0, 1)) for m in range(n)], axis=0)
    figures, axes = display.panels(*[(2.6, 2.8)] * 2)
    for ax, matrix, name in zip(axes, (M, averaged), ("$M$", "mean"), strict=True):
        for i, j in np.ndindex(n, n):
            tile = {"fc": display.COLORS[0], "alpha": 0.3 * matrix[i, j] / 6, "lw": 0}
            ax.add_patch(plt.Rectangle((j, i), 1, 1, **tile))
            ax.text(j + 0.5, i + 0.5, f"{matrix[i, j]:.2g}", ha="center", va="center")
        ax.set(xlim=(0, n), ylim=(n, 0), aspect="equal", xticks=[], yticks=[])
        ax.set(title=name)
        ax.grid(False)
    return figures


display.show(
    draw_average(),
    alt="Left, a 6 by 6 matrix of whole numbers in no order. Right, its mean over all "
    "moves along the diagonal: the same six numbers in every row, each row moved one "
    "place to the right of the row above.",
    caption="Move a matrix along its diagonal, M to S M Sᵀ, and take the mean over all "
    "six moves: what is left does not change by a move, and is circulant.",
)


# %% tags=["check"]
def cases():
    for n in (3, 4, 5, 8):
        solutions = commuting(np.roll(np.eye(n), 1, axis=1))
        kernels = np.eye(n)  # a basis of all θ
        span = np.stack([circulant(theta).ravel() for theta in kernels]) / np.sqrt(n)
        yield span.T @ span, solutions.T @ solutions


verify.equal(
    "eq-gnn-shift-equivariance",
    cases(),
    atol=1e-12,
    against="the solutions of M S = S M",
)

# %% [markdown]
# Read $C(\theta) S x = S\, C(\theta) x$ aloud: *move the input, and the output moves along*. This is what a
# convolutional layer promises, an edge detector that works wherever the edge is. And the statement is stronger than a
# promise: among all linear maps on a ring, those that keep it are the circulants and no others. Nobody has to decide to
# share weights; whoever asks for the symmetry gets the sharing.
#
# Two circulants also commute with one another. Each is a polynomial in $S$, {eq}`eq-gnn-shift-polynomial`; so is their
# product, with the coefficients of a product of polynomials in which $S^n = I$, the convolution of the two kernels:
#
# $$
# C(\theta)\, C(\eta) = C(\theta * \eta) = C(\eta)\, C(\theta) .
# $$ (eq-gnn-commute)
#
# Two layers without a non-linearity between them are one layer with a wider kernel.


# %%
def convolution(theta, eta):  # θ ∗ η [n]
    product = np.append(np.convolve(theta, eta), 0.0)  # powers 0 to 2n − 1
    return product[: len(theta)] + product[len(theta) :]


# %% tags=["hide-input"]
def draw_two_layers(n=16):
    x = np.eye(n)[8]
    theta = np.array([1.0, 0.5, *np.zeros(n - 3), 0.5]) / 2
    eta = np.array([-0.5, 0.5, *np.zeros(n - 2)])
    orders = {
        r"$C(\theta)$ first": [circulant(theta), circulant(eta)],
        r"$C(\eta)$ first": [circulant(eta), circulant(theta)],
    }
    figures, axes = display.panels((3.3, 2.5), (3.3, 2.5))
    for ax, (name, (first, second)) in zip(axes, orders.items(), strict=True):
        ax.plot(first @ x, "s--", label="after one", color=display.COLORS[1])
        ax.plot(second @ first @ x, "o-", label="after both", color=display.COLORS[0])
        ax.set(title=name, xlabel="node", ylim=(-0.6, 0.95), xlim=(3.5, 12.5))
        ax.legend(loc="upper right", frameon=False)
    return figures


display.show(
    draw_two_layers(),
    alt="A pulse at node 8 goes through an average of three and a difference of two "
    "neighbours, in both orders. After one layer the results differ; after both they "
    "are the same, and four nodes wide.",
    caption="An average and a difference, in both orders: on the way the signals differ, "
    "at the end they agree.",
)


# %% tags=["check"]
def cases():
    for n in sizes:
        theta, eta = rng.standard_normal((2, n))
        wider = circulant(convolution(theta, eta))
        yield wider, circulant(theta) @ circulant(eta)
        yield wider, circulant(eta) @ circulant(theta)


verify.equal(
    "eq-gnn-commute", cases(), atol=1e-12, against="the products in both orders"
)

# %% [markdown]
# The reason: they have the Fourier modes of {doc}`fourier` in common. The general statement goes both ways.
#
# :::{prf:theorem} Commuting matrices
# :label: thm-gnn-commuting
# Two diagonalisable matrices $M, M' \in \mathbb{C}^{n \times n}$ have a common basis of eigenvectors if and only if
# $M M' = M' M$.
# :::
#
# :::{prf:proof}
# *A common basis, then they commute.* With the basis as the columns of $V$, $M = V \Lambda V^{-1}$ and
# $M' = V \Gamma V^{-1}$ with diagonal $\Lambda$ and $\Gamma$. Then
# $M M' = V \Lambda \Gamma V^{-1} = V \Gamma \Lambda V^{-1} = M' M$, because diagonal matrices commute.
#
# *They commute, then there is a common basis.* Let $\mathcal{E} = \{ v : Mv = \lambda v \}$ be an eigenspace of $M$.
# For $v \in \mathcal{E}$, $M(M'v) = M'(Mv) = \lambda\, M'v$, so $M'v \in \mathcal{E}$: $M'$ maps $\mathcal{E}$ into
# itself, and so does every polynomial in $M'$. Since $M'$ is diagonalisable, $v = \sum_m v_m$ with
# $M' v_m = \lambda'_m v_m$, the sum over the distinct eigenvalues $\lambda'_m$ of $M'$. The polynomial
# $p_m(t) = \prod_{l \ne m} (t - \lambda'_l) / (\lambda'_m - \lambda'_l)$ is 1 at $\lambda'_m$ and 0 at the other
# eigenvalues, so $p_m(M')\, v = v_m$. Hence $v_m \in \mathcal{E}$: each $v \in \mathcal{E}$ is a sum of vectors that
# are eigenvectors of $M$ *and* of $M'$. Pick a basis of each intersection of an eigenspace of $M$ with one of $M'$.
# Together they span all eigenspaces of $M$, and these span everything; and they are independent, because eigenvectors
# of different eigenvalues are.
# :::


# %% tags=["hide-input"]
def draw_gains(n=24):
    theta, eta = np.zeros((2, n))
    theta[[0, 1, -1]] = 0.5, 0.25, 0.25
    eta[[0, 1]] = -0.5, 0.5
    half = np.arange(n // 2 + 1)
    fig, ax = plt.subplots(figsize=(4.2, 2.6))
    for kernel, name in (
        (theta, r"$C(\theta)$"),
        (eta, r"$C(\eta)$"),
        (convolution(theta, eta), r"$C(\theta)\,C(\eta)$"),
    ):
        ax.plot(half / n, np.abs(eigenvalues(kernel))[half], markevery=2, label=name)
    ax.set(xlabel="frequency $k/n$, waves per node", ylabel="gain", ylim=(0, 1.35))
    ax.legend(loc="upper center", ncols=3, frameon=False)
    return fig


display.show(
    draw_gains(),
    alt="Gain against frequency. The average falls from 1 to 0, the difference rises "
    "from 0 to 1, and both after one another have their product, which is zero at both "
    "ends and highest in between.",
    caption="The two layers from above in their common basis: each multiplies a mode by "
    "a number, and numbers may be multiplied in either order.",
)

# %% [markdown]
# :::{exercise} Commuting with a shift
# :label: ex-gnn-commuting
# Two matrices are diagonal in the same basis. What follows for their products, and does the converse hold? What does
# it mean in practice when both are circulant and one is $C\big((0, 1, 0, \dots, 0)\big)$? Use your answer to write
# `is_circulant(M)`, for a square array, without looking at single entries; allow for rounding.
# :::

# %% [markdown] tags=["solution"]
# :::{solution-start} ex-gnn-commuting
# :class: dropdown
# :::
# They commute: $M M' = V\Lambda \Gamma V^{-1} = V \Gamma \Lambda V^{-1} = M' M$. Conversely, if two *diagonalisable*
# matrices commute, a common basis exists ({prf:ref}`thm-gnn-commuting`). Without that word the converse is false:
# $\begin{bmatrix} 0 & 1 \\ 0 & 0 \end{bmatrix}$ commutes with itself and has no basis of eigenvectors.
#
# With the shift as one of the two, $C(\theta) S = S\, C(\theta)$: shifting a signal and then filtering it gives the
# same as filtering and then shifting. The layer is translation equivariant, as the convolutions of a CNN are: a
# pattern is found wherever it stands, and its place is passed on. By {eq}`eq-gnn-shift-equivariance` only circulants
# can do so, which makes it a test.


# %% tags=["solution"]
def is_circulant(M):
    S = np.roll(np.eye(len(M)), 1, axis=1)
    return np.allclose(M @ S, S @ M)


# %% [markdown] tags=["solution"]
# :::{solution-end}
# :::

# %%
exercises.check("gnn/equivariance/is_circulant", is_circulant)

# %% [markdown]
# ## Sharing is symmetry
#
# Nothing in the argument was special to shifts. Let $M$ be any linear layer on $n$ nodes, one number each, and $\pi$ a
# renaming with the matrix $P$, $P_{i,\pi(i)} = 1$. Then $MP = PM$ is the same as $P M P^\top = M$, or
# $M_{\pi(i)\pi(j)} = M_{ij}$. Ask it for all $\pi$ in a group $\mathcal{R}$ (a set of renamings that contains all
# inverses and compositions of its members). Then $M$ has *one free weight for each class of pairs $(i, j)$ that the
# group carries into one another* {cite}`ravanbakhsh2017equivariance`. Here are the classes for six nodes:


# %%
def classes(n, group):  # [n, n]: the number of the class of each pair
    number = np.full((n, n), -1)
    for i, j in np.ndindex(n, n):
        if number[i, j] < 0:
            new = number.max() + 1
            for pi in group:
                number[pi[i], pi[j]] = new
    return number


def shifts(n):
    return [[(i + m) % n for i in range(n)] for m in range(n)]


def shifts_and_reflections(n):
    return shifts(n) + [[(m - i) % n for i in range(n)] for m in range(n)]


# %% tags=["hide-input"]
def draw_classes(n=6):
    groups = {
        "no symmetry": [list(range(n))],
        "shifts": shifts(n),
        "and reflections": shifts_and_reflections(n),
        "all permutations": list(permutations(range(n))),
    }
    figures, axes = display.panels(*[(2.0, 2.3)] * 2, *[(2.0, 2.3)] * 2)
    for ax, (name, group) in zip(axes, groups.items(), strict=True):
        number = classes(n, group)
        for i, j in np.ndindex(n, n):
            k = number[i, j]
            alpha = 0.04 + 0.26 * k / max(number.max(), 1)
            tile = {"fc": display.COLORS[0], "alpha": alpha, "lw": 0}
            ax.add_patch(plt.Rectangle((j, i), 1, 1, **tile))
            ax.text(j + 0.5, i + 0.5, str(k), ha="center", va="center")
        ax.set(xlim=(0, n), ylim=(n, 0), aspect="equal", xticks=[], yticks=[])
        ax.set(title=f"{name}: {number.max() + 1}")
        ax.grid(False)
    return figures


display.show(
    draw_classes(),
    alt="Four 6 by 6 matrices, with equal numbers where the weights must be equal. "
    "No symmetry: 36 different numbers. Shifts: 6, one per wrapped diagonal. Shifts "
    "and reflections: 4, the diagonals mirrored. All permutations: 2, on the diagonal "
    "and off it.",
    caption="Entries with one number share a weight. The larger the group, the fewer "
    "weights are left.",
)

# %% [markdown]
# - No symmetry: each pair is a class of its own.
# - The shifts: a pair can be moved wherever its difference $j - i$ is kept, so a class is a difference.
# - Shifts and reflections: the difference may also change its sign, so the kernel is symmetric.
# - All permutations: any pair goes to any other, except that $i = j$ stays so:
#   $M = a I + b\, \mathbf{1}\mathbf{1}^\top$ with the vector $\mathbf{1}$ of ones.
#
# $$
# \text{weights} =
# \begin{cases}
# n^2 & \text{no symmetry: dense,} \\
# n & \text{shifts: a convolution,} \\
# \lfloor n/2 \rfloor + 1 & \text{shifts, reflections,} \\
# 2 & \text{all permutations.}
# \end{cases}
# $$ (eq-gnn-free-weights)
#
# The check counts the solutions of $P M P^\top = M$ numerically; it is enough to ask for some permutations from which
# the others can be composed.


# %%
def weights_by_formula(n):
    return [n * n, n, n // 2 + 1, 2]


def free_weights(n, renamings):
    equations = [np.zeros((1, n * n))]  # no condition yet
    for pi in renamings:  # times M.ravel(): (P M Pᵀ − M).ravel()
        P = np.eye(n)[list(pi)]
        equations.append(np.kron(P, P) - np.eye(n * n))
    return n * n - np.linalg.matrix_rank(np.concatenate(equations))


# %% tags=["check"]
def cases():
    for n in (3, 4, 5, 6, 7):
        forward, mirrored = np.roll(range(n), -1), -np.arange(n) % n
        exchange = [1, 0, *range(2, n)]  # with the shifts, it makes all permutations
        groups = [], [forward], [forward, mirrored], [forward, exchange]
        yield weights_by_formula(n), [free_weights(n, group) for group in groups]


verify.equal("eq-gnn-free-weights", cases(), against="the rank of P M Pᵀ = M")

# %% [markdown]
# This is the idea of the book in one equation. A convolution shares weights along shifts in space. A recurrent
# network shares them along shifts in time. To look only one hop far is a second, separate restriction, which leaves 3
# of the $n$ weights of a convolution. And a graph?

# %% [markdown]
# ## What a graph can share
#
# The symmetries of a graph are the renamings that leave it as it is, $P A P^\top = A$: its
# {term}`automorphisms <automorphism>`. Why was the ring of {doc}`circulant` a directed one? Because the undirected ring
# has one symmetry too many, the reflection $J$ with $(Jx)_i = x_{-i}$: $j$ is next to $i$ exactly when $-j$ is next to
# $-i$. Let the layer with three weights act on one number per node. Row $i$ of $CJx$ is
# $w_0 x_{-i} + w_1 x_{-i-1} + w_{-1} x_{-i+1}$, and row $i$ of $JCx$ is row $-i$ of $Cx$, which is
# $w_0 x_{-i} + w_1 x_{-i+1} + w_{-1} x_{-i-1}$. The difference is
#
# $$
# \big( (CJ - JC)\, x \big)_i = (w_{-1} - w_1)\,(x_{1-i} - x_{-1-i}) .
# $$ (eq-gnn-reflection)
#
# For $n \ge 3$ the nodes $1 - i$ and $-1 - i$ are different, so this vanishes for all $x$ only if $w_1 = w_{-1}$. A
# layer that knows the neighbours of $i$ only as a set $\mathcal{N}(i)$, in no order, cannot weigh next and previous
# differently.


# %%
def reflection_gap(x, w_minus, w_plus):  # (CJ − JC) x, by the formula
    n, i = len(x), np.arange(len(x))
    return (w_minus - w_plus) * (x[(1 - i) % n] - x[(-1 - i) % n])


# %% tags=["hide-input"]
def draw_mirror(n=6):
    places, node = drawing.on_circle(n), range(n)
    figures, axes = display.panels((2.6, 2.8), (2.6, 2.8))
    for ax, name, sign in zip(
        axes, ("directed ring", "its mirror image"), (1, -1), strict=True
    ):
        drawing.nodes(ax, places, label=str)
        pairs = [((sign * (i + 1)) % n, (sign * i) % n) for i in node]
        drawing.arrows(ax, places, pairs, display.COLORS[1], 1.6)
        ax.plot([0, 0], [-1.35, 1.35], color=display.INK, ls=":", lw=0.8, marker="")
        ax.set(xlim=(-1.4, 1.4), ylim=(-1.4, 1.4), aspect="equal", title=name)
        ax.axis("off")
    return figures


display.show(
    draw_mirror(),
    alt="Left, the directed ring of six nodes, an arrow from each node to the one "
    "before it. Right, the same after a reflection: every arrow points to the next "
    "node. Without their heads the arrows would be the same.",
    caption="A reflection turns the arrows of the directed ring around, so it is no "
    "symmetry of it; without arrows nothing changes.",
)


# %% tags=["check"]
def cases():
    for n in sizes:
        x, (w_minus, w_0, w_plus) = rng.standard_normal(n), rng.standard_normal(3)
        C = circulant([w_0, w_plus, *np.zeros(n - 3), w_minus])
        J = np.eye(n)[-np.arange(n)]  # row i is the unit vector of node −i
        yield reflection_gap(x, w_minus, w_plus), C @ (J @ x) - J @ (C @ x)


verify.equal("eq-gnn-reflection", cases(), atol=1e-12, against="the two products")

# %% [markdown]
# The directed ring keeps the edges from $i + 1$ to $i$ alone. There an automorphism must map the successor of $i$ to
# the successor of $\pi(i)$, so $\pi(i + 1) = \pi(i) + 1$ and $\pi(i) = \pi(0) + i$: a shift. On the undirected ring
# $\pi(0)$ is any of $n$ nodes, $\pi(1)$ either of its two neighbours, and the rest follows one by one:
# $\pi(i) = \pi(0) + i$, or $\pi(i) = \pi(0) - i$, a reflection and then a shift. So for $n \ge 3$
#
# $$
# |\mathrm{Aut}(\text{directed ring})| = n , \qquad |\mathrm{Aut}(\text{undirected ring})| = 2n .
# $$ (eq-gnn-automorphisms)
#
# How many weights does a group leave free? Count the pairs $(i, j)$ that a renaming leaves where they are. The group
# carries a pair to all $c$ pairs of its class equally often, so $|\mathcal{R}| / c$ of its members leave it in place;
# added up over the $c$ pairs of the class, that makes $|\mathcal{R}|$. So the number of classes is the number of pairs
# left in place, added up over the group and divided by $|\mathcal{R}|$. And $\pi$ leaves a pair in place when it does
# so with both of its nodes. With $\mathrm{fix}(\pi)$ for the number of nodes that $\pi$ leaves in place,
#
# $$
# \text{weights} = \frac{1}{|\mathcal{R}|} \sum_{\pi \in \mathcal{R}} \mathrm{fix}(\pi)^2 .
# $$ (eq-gnn-weights-of-a-group)
#
# By hand, for all permutations of three nodes: the identity fixes 3, each of three exchanges fixes 1, the two
# rotations none; $(9 + 3 \cdot 1 + 0) / 6 = 2$. For the shifts only the identity fixes anything: $n^2 / n = n$.


# %%
def automorphisms(A):  # all renamings π with P A Pᵀ = A, in order
    renamings = map(list, permutations(range(len(A))))
    return [pi for pi in renamings if np.array_equal(A[np.ix_(pi, pi)], A)]


def weights_of(group):
    fixed = [np.sum(np.equal(pi, range(len(pi)))) for pi in group]
    return np.mean(np.square(fixed))


# %% tags=["check"]
def cases():
    for n in (3, 4, 5, 6):
        forward = np.roll(np.eye(n), 1, axis=1)  # the edges from i + 1 to i
        for A, count, group in (
            (forward, n, shifts(n)),
            (forward + forward.T, 2 * n, shifts_and_reflections(n)),
        ):
            found = automorphisms(A)
            yield count, len(found)
            yield sorted(group), found


verify.equal("eq-gnn-automorphisms", cases(), against="a trial of all n! renamings")


# %% tags=["check"]
def cases():
    graphs = nx.path_graph(5), nx.star_graph(3), nx.cycle_graph(5), nx.empty_graph(4)
    for graph in graphs:
        group = automorphisms(nx.to_numpy_array(graph))
        yield weights_of(group), free_weights(len(graph), group)


verify.equal(
    "eq-gnn-weights-of-a-group", cases(), atol=1e-12, against="the rank of P M Pᵀ = M"
)

# %% [markdown]
# (two-equivariances)=
#
# ### Two equivariances, one word
#
# Most large graphs have no symmetry but the identity, and the one on the right below is among the smallest such. By
# {eq}`eq-gnn-weights-of-a-group` its symmetries leave $6^2 = 36$ weights of 36 free: nothing is shared. So it cannot be
# the symmetry of its graph that shares the weights of a graph network.


# %% tags=["hide-input"]
def six_nodes():
    ring = np.roll(np.eye(6), 1, axis=1)
    path = np.diag(np.ones(5), 1)
    kite = nx.Graph([(0, 1), (1, 2), (2, 3), (3, 4), (5, 1), (5, 2)])
    return {
        "no edges": np.zeros((6, 6)),
        "ring": ring + ring.T,
        "path": path + path.T,
        "no symmetry": nx.to_numpy_array(kite, nodelist=range(6)),
    }


def draw_symmetries():
    row = np.stack([np.arange(6) - 2.5, np.zeros(6)], axis=1) / 2.5
    kite = np.array([(-1, -1), (-0.4, 0), (0.4, 0), (1, -0.6), (1, -1.2), (0, 1)])
    places = drawing.on_circle(6), drawing.on_circle(6), row, kite
    figures, axes = display.panels(*[(2.0, 2.3)] * 4)
    for ax, xy, (name, A) in zip(axes, places, six_nodes().items(), strict=True):
        drawing.edges(ax, xy, np.argwhere(np.triu(A)))
        drawing.nodes(ax, xy, size=11)
        group = automorphisms(A)
        ax.set(xlim=(-1.3, 1.3), ylim=(-1.5, 1.3), aspect="equal")
        renamings = f"{len(group)} renaming{'s' * (len(group) > 1)}"
        ax.set(title=f"{name}\n{renamings}\n{weights_of(group):.0f} weights")
        ax.axis("off")
    return figures


display.show(
    draw_symmetries(),
    alt="Four graphs of six nodes. Without edges all 720 renamings are symmetries and 2 "
    "weights are free; the ring has 12 and 4; the path 2 and 18; a path of five with a "
    "sixth node above two inner ones has 1 and 36.",
    caption="Linear maps that commute with the symmetries of one graph: how many weights "
    "they have free depends on the graph, and on most graphs none is shared.",
)

# %% [markdown]
# :::{admonition} Which of the two is meant?
# **The symmetries of one graph.** $M$ commutes with the automorphisms of *this* graph, $P M P^\top = M$. That shares
# weights on a ring and in a grid: convolutions. How many of 36 are left free on six nodes depends on the graph: 4 on
# the ring, $(6^2 + 0^2) / 2 = 18$ on the path, all 36 on a graph without symmetry, which is asked for nothing.
#
# **One rule for all graphs.** A rule $F$ makes a matrix $F(A)$ of every graph, and renamed graphs get renamed matrices.
# That shares weights between the nodes of all graphs, symmetric or not: graph networks. It asks for more: put in an
# automorphism, and $F(A)$ commutes with it.
# :::
#
# The second one says, for every graph and every permutation,
#
# $$
# F(P A P^\top) = P\, F(A)\, P^\top .
# $$ (def-gnn-one-rule)
#
# Such a rule sees nothing of a node but how the graph looks from it. That leaves few weights and many rules: with any
# numbers $c_0, \dots, c_5$,
#
# $$
# F(A) = c_0 I + c_1 A + c_2 A^2 + c_3 \operatorname{diag}(A \mathbf{1}) + c_4 \hat A + c_5 \mathbf{1} \mathbf{1}^\top
# $$ (eq-gnn-many-rules)
#
# is one, and on the graph without symmetry the six matrices are independent. So a layer $a I + b A$ does not follow
# from equivariance. Two choices are made with it: *locality*, nothing from beyond the neighbours, which excludes $A^2$
# and $\mathbf{1} \mathbf{1}^\top$; and *equal weights of all nodes and edges*, which excludes the degrees and $\hat A$,
# whose entries depend on them.


# %%
def rules(A):  # [6, N, N]
    one = np.ones(len(A))
    A_hat = gcn_norm(torch.from_numpy(A)).numpy()
    return np.stack(
        [np.eye(len(A)), A, A @ A, np.diag(A @ one), A_hat, np.outer(one, one)]
    )


# %% tags=["hide-input"]
def draw_rules():
    names = "$A^2$", r"$diag(A\mathbf{1})$", r"$\hat A$"
    matrices = rules(six_nodes()["no symmetry"])[2:5]
    figures, axes = display.panels(*[(2.2, 2.4)] * 3)
    for ax, name, matrix in zip(axes, names, matrices, strict=True):
        for i, j in np.argwhere(matrix):
            alpha = 0.05 + 0.25 * matrix[i, j] / matrix.max()
            tile = {"fc": display.COLORS[2], "alpha": alpha, "lw": 0}
            ax.add_patch(plt.Rectangle((j, i), 1, 1, **tile))
            text = f"{matrix[i, j]:.2g}".removeprefix("0")
            ax.text(j + 0.5, i + 0.5, text, ha="center", va="center", fontsize=9)
        ax.set(xlim=(0, 6), ylim=(6, 0), aspect="equal", xticks=[], yticks=[])
        ax.set(title=name)
        ax.grid(False)
    return figures


display.show(
    draw_rules(),
    alt="Three 6 by 6 matrices of the graph without symmetry: the square of the "
    "adjacency matrix, which reaches two hops; the degrees 1, 3, 3, 2, 1, 2 on the "
    "diagonal; the normalised adjacency, with entries from .25 to .5.",
    caption="Three rules that a I + b A leaves out, on the graph that has no symmetry. "
    "Each is read off from the graph.",
)


# %% tags=["check"]
def cases():
    asymmetric = six_nodes()["no symmetry"]
    flat = rules(asymmetric).reshape(6, -1)
    yield 6, np.linalg.matrix_rank(flat)
    for n in (4, 6, 9):
        A = np.triu(rng.random((n, n)) < 0.5, 1).astype(float)
        A = A + A.T if n != 6 else asymmetric
        pi, c = rng.permutation(n), rng.standard_normal(6)
        F = np.einsum("c,cij->ij", c, rules(A))
        yield np.einsum("c,cij->ij", c, rules(A[np.ix_(pi, pi)])), F[np.ix_(pi, pi)]


verify.equal(
    "eq-gnn-many-rules", cases(), atol=1e-12, against="renaming the matrix itself"
)

# %% [markdown]
# ## What was shown
#
# - Among linear maps on a ring those that move their output along with their input are the circulants and no others,
#   {eq}`eq-gnn-shift-equivariance`: translation equivariance is all it takes to make a convolution.
# - Any group of renamings leaves one free weight per class of pairs, {eq}`eq-gnn-weights-of-a-group`: $n$ for the
#   shifts, 2 for all permutations, {eq}`eq-gnn-free-weights`. The undirected ring has reflections too, which force
#   $w_1 = w_{-1}$, {eq}`eq-gnn-reflection`.
# - Most large graphs have no symmetry, and there nothing is shared that way. Graph networks share their weights because
#   they are one rule for all graphs, {eq}`def-gnn-one-rule`. That a layer is $a I + b A$ takes two more choices:
#   locality, and equal weights of edges, {eq}`eq-gnn-many-rules`.
# - What filters and Fourier modes become on any graph is told in {doc}`modes`.

# %% [markdown]
# ## Exercises

# %% [markdown]
# :::{exercise} Images are rings of rings
# :label: ex-gnn-torus
# Join the left edge of an image to its right edge and the top to the bottom: the pixels are nodes of a torus, and there
# are two shifts, $S_{\text{down}}$ and $S_{\text{right}}$. Which linear maps on images of $h \times w$ pixels commute
# with both, and how many free weights do they have? What are their common eigenvectors? Write `torus_product(kernel,
# image)`, both $[h, w]$ and real, with entries $\sum_{a,b} \texttt{kernel}_{ab}\, \texttt{image}_{i+a,\,j+b}$, in
# $O(hw \log hw)$.
# :::

# %% [markdown] tags=["solution"]
# :::{solution-start} ex-gnn-torus
# :class: dropdown
# :::
# Commuting with both shifts means that the weight between two pixels depends on the difference of their places alone:
# $hw$ free weights out of $(hw)^2$, one per difference $(a, b)$. That is the layer of a CNN, with circular padding. A
# product of a mode down and a mode across, $e^{2\pi \mathrm{i} (k u / h + l v / w)}$, is multiplied by
# $e^{2\pi \mathrm{i} k/h}$ by the one shift and by $e^{2\pi \mathrm{i} l/w}$ by the other, so these $hw$ waves are the
# common eigenvectors, and the two-dimensional Fourier transform diagonalises all of these maps. For a real kernel the
# eigenvalues are, as before, the conjugate of its transform in NumPy's scaling.


# %% tags=["solution"]
def torus_product(kernel, image):
    return np.fft.ifft2(np.fft.fft2(kernel).conj() * np.fft.fft2(image)).real


# %% [markdown] tags=["solution"]
# :::{solution-end}
# :::

# %%
exercises.check("gnn/equivariance/torus_product", torus_product)

# %% [markdown]
# ## Further reading
#
# - {cite:t}`bronstein2021geometric` builds all of deep learning from the idea of {eq}`eq-gnn-free-weights`: grids,
#   groups, graphs.
# - {cite:t}`ravanbakhsh2017equivariance` counts shared weights for any group, {cite:t}`zaheer2017deepsets` works out
#   sets, the case of all permutations.
