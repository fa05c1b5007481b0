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
# A convolution has one weight for each distance, and a graph convolution one for all neighbours. Did anybody have to
# decide that, or does it follow from something simpler?

# %% tags=["parameters"]
profile = "smoke"
seed = 0

# %% tags=["set-up"]
from helpers import display, exercises, parameters, verify
from helpers.gnn.circulant import circulant, dft_matrix
from helpers.gnn.layers import gcn_norm

import matplotlib.pyplot as plt
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
d_in, d_out = 3, 2  # d and d' of the layers that are checked


# %%
def three_taps(n, w_minus, w_0, w_plus):  # θ [n]
    theta = np.zeros(n)
    theta[[0, 1, -1]] = w_0, w_plus, w_minus
    return theta


def shift(n):  # S [n, n]
    return circulant(np.eye(n)[1])


def reflection(n):  # J [n, n]
    return np.eye(n)[-np.arange(n)]  # row i is the unit vector of node −i


def powers_of_shift(n):  # [n, n, n]: S⁰ to Sⁿ⁻¹
    return np.stack([np.linalg.matrix_power(shift(n), j) for j in range(n)])


def angles(n):  # α [n], one for each k
    return 2 * np.pi * np.arange(n) / n


def wrapped_product(a, b):
    """The product of two polynomials with z^n = 1, all by their coefficients [n]."""
    product = np.append(np.convolve(a, b), 0.0)  # powers 0 to 2n − 1
    return product[: len(a)] + product[len(a) :]


def conv1d(H, W):  # [n, d], [3, d, d'] holding W_{−1}, W_0, W_1 → [n, d']
    options = {"padding": 1, "padding_mode": "circular", "bias": False}
    layer = torch.nn.Conv1d(*W.shape[1:], kernel_size=3, **options)
    layer.weight = torch.nn.Parameter(W.permute(2, 1, 0))
    return layer(H.T[None])[0].T


def ring_edges(n):  # [2, 2n]: from i + 1 to i and from i − 1 to i
    i = torch.arange(n)
    return torch.stack([torch.cat([(i + 1) % n, (i - 1) % n]), torch.cat([i, i])])


# %% [markdown]
# %% [markdown]
# ## What commutes with a shift
#
# Two matrices with a common basis of eigenvectors commute: each multiplies every basis vector by a number, and
# numbers may be multiplied in either order. For circulants you can see more. The product of two polynomials in $S$ is
# a polynomial in $S$, and its coefficients are those of a product of polynomials with $S^n = I$, the convolution of
# the two kernels:
#
# $$
# C(\theta)\, C(\eta) = C(\theta * \eta) = C(\eta)\, C(\theta) .
# $$ (eq-gnn-commute)
#
# Two layers without a non-linearity between them are one layer with a wider kernel.


# %% tags=["check"]
def cases():
    for n in sizes:
        theta, eta = rng.standard_normal((2, n))
        A, B = circulant(theta), circulant(eta)
        wider = circulant(wrapped_product(theta, eta))
        yield wider, A @ B
        yield wider, B @ A


verify.equal(
    "eq-gnn-commute", cases(), atol=1e-12, against="the products in both orders"
)

# %% [markdown]
# The general statement goes both ways.
#
# :::{prf:theorem} Commuting matrices
# :label: thm-gnn-commuting
# Two diagonalisable matrices $A, B \in \mathbb{C}^{n \times n}$ have a common basis of eigenvectors if and only if
# $AB = BA$.
# :::
#
# :::{prf:proof}
# *A common basis, then they commute.* With the basis as the columns of $V$, $A = V \Lambda V^{-1}$ and
# $B = V \Gamma V^{-1}$ with diagonal $\Lambda$ and $\Gamma$. Then
# $AB = V \Lambda \Gamma V^{-1} = V \Gamma \Lambda V^{-1} = BA$, because diagonal matrices commute.
#
# *They commute, then there is a common basis.* Let $E = \{ v : Av = \alpha v \}$ be an eigenspace of $A$. For
# $v \in E$, $A(Bv) = B(Av) = \alpha\, Bv$, so $Bv \in E$: $B$ maps $E$ into itself, and so does every polynomial in
# $B$. Since $B$ is diagonalisable, $v = \sum_\beta v_\beta$ with $B v_\beta = \beta v_\beta$, the sum over the distinct
# eigenvalues of $B$. The polynomial $p_\beta(z) = \prod_{\gamma \ne \beta} (z - \gamma)/(\beta - \gamma)$ is 1 at
# $\beta$ and 0 at the other eigenvalues, so $p_\beta(B)\, v = v_\beta$. Hence $v_\beta \in E$: each $v \in E$ is a sum
# of vectors that are eigenvectors of $A$ *and* of $B$. Pick a basis of each intersection of an eigenspace of $A$ with
# one of $B$. Together they span all eigenspaces of $A$, and these span everything; and they are independent, because
# eigenvectors of different eigenvalues are.
# :::
#
# When one of the two is $S$, look at the entries instead, and you need no eigenvectors at all. Those of $S M S^\top$
# are $M_{i+1, j+1}$, and since $S^\top = S^{-1}$, $SM = MS$ is the same as $S M S^\top = M$. So $M$ commutes with $S$
# exactly when $M_{i+1,j+1} = M_{ij}$ for all $i$ and $j$. Take this $i$ steps back, to row 0:
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


# %% tags=["check"]
def cases():
    for n in (3, 4, 5, 8):
        solutions = commuting(shift(n))
        span = powers_of_shift(n).reshape(n, n * n) / np.sqrt(n)  # orthonormal rows too
        yield span.T @ span, solutions.T @ solutions


verify.equal(
    "eq-gnn-shift-equivariance",
    cases(),
    atol=1e-12,
    against="the solutions of M S = S M",
)

# %% [markdown]
# Read $C(\theta) S x = S\, C(\theta) x$ aloud: *move the input, and the output moves along*. This is what a
# convolutional layer promises, an edge detector that works wherever the edge is. And now the statement is stronger
# than a promise: among all linear maps on a ring, those that keep it are the circulants and no others. Nobody has to
# decide to share weights; whoever asks for the symmetry gets the sharing.

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
# They commute: $AB = V\Lambda \Gamma V^{-1} = V \Gamma \Lambda V^{-1} = BA$. Conversely, if two *diagonalisable*
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
# Nothing in the last argument was special to shifts. Let $M$ be any linear layer on $n$ nodes, one number each, and
# $\pi$ a renaming with the matrix $P$. Then $MP = PM$ is the same as $P M P^\top = M$, or $M_{\pi(i)\pi(j)} = M_{ij}$.
# Ask it for all $\pi$ in a group (a set of renamings that contains all inverses and compositions of its members). Then
# $M$ has *one free weight for each class of pairs $(i, j)$ that the group carries into one another*
# {cite}`ravanbakhsh2017equivariance`. Count the classes:
#
# - no symmetry: each pair is a class of its own;
# - the shifts: a pair can be moved wherever its difference $j - i$ is kept, so a class is a difference;
# - shifts and reflections: the difference may also change its sign, so the kernel is symmetric;
# - all permutations: any pair goes to any other, except that $i = j$ stays so:
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
def free_weights(n, generators):
    equations = [np.zeros((1, n * n))]  # no condition yet
    for P in generators:  # times M.ravel(): (P M Pᵀ − M).ravel()
        equations.append(np.kron(P, P) - np.eye(n * n))
    return n * n - np.linalg.matrix_rank(np.concatenate(equations))


# %% tags=["check"]
def cases():
    for n in (3, 4, 5, 6, 7):
        # The shifts and one exchange of neighbours compose to all permutations
        exchange = np.eye(n)[[1, 0, *range(2, n)]]
        groups = [], [shift(n)], [shift(n), reflection(n)], [shift(n), exchange]
        counted = [free_weights(n, generators) for generators in groups]
        yield [n * n, n, n // 2 + 1, 2], counted


verify.equal("eq-gnn-free-weights", cases(), against="the rank of P M Pᵀ = M")

# %% [markdown]
# This is the idea of the book in one equation. A convolution shares weights along shifts in space. A recurrent
# network shares them along shifts in time. A layer on graphs shares them along renamings of nodes, and how much
# depends on how symmetric the graph is: on a set without edges only $a$ and $b$ are left {cite}`zaheer2017deepsets`.
# To look only one hop far is a second, separate restriction, which leaves 3 of the $n$ weights of a convolution.

# %% [markdown]
# ## From the ring to any graph
#
# On a graph without symmetry there is no shift, so neither $S$ nor its modes. What does carry over? Give up directions
# first, that is, take a symmetric kernel, $w_1 = w_{-1}$. Then $S$ and $S^\top$ appear only as their sum, which is the
# adjacency matrix $A$ of the undirected ring, and an adjacency matrix every graph has. It is usual to write things with
# the {term}`graph Laplacian` $L = D - A$ instead, where $D$ has the degrees on its diagonal, because $x^\top L\, x$ is
# the sum of $(x_i - x_j)^2$ over the edges: small for signals that vary slowly, on any graph. On the ring all degrees
# are 2:
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
def undirected_ring(n):  # A [n, n], by its definition
    difference = np.subtract.outer(np.arange(n), np.arange(n)) % n
    return np.isin(difference, (1, n - 1)).astype(float)


def laplacian(A):  # L = D − A, of any graph
    return np.diag(A.sum(axis=1)) - A


def laplacian_eigenvalues(n):  # of the ring, [n]
    return 2 - 2 * np.cos(angles(n))


def symmetric_layer(n, w_0, w_1):  # the layer as a polynomial in L, [n, n]
    return (w_0 + 2 * w_1) * np.eye(n) - w_1 * laplacian(undirected_ring(n))


# %% tags=["check"]
def cases():
    for n in sizes:
        Phi = dft_matrix(n)
        yield laplacian_eigenvalues(n) * Phi, laplacian(undirected_ring(n)) @ Phi


verify.equal(
    "eq-gnn-laplacian-modes", cases(), atol=1e-12, against="the product with D − A"
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
# Longer symmetric kernels need $S^j + S^{-j}$. Set $M_j = \frac12 (S^j + S^{-j})$. Then $M_0 = I$ and
# $M_1 = \frac12 (S + S^\top) = I - \frac12 L$. Multiply out $2 M_1 M_j = \frac12 (S + S^{-1})(S^j + S^{-j})$: the four
# products are $S^{j+1}$, $S^{-(j+1)}$, $S^{j-1}$ and $S^{-(j-1)}$, so it is $M_{j+1} + M_{j-1}$, and
#
# $$
# \begin{gathered}
# M_0 = I , \qquad M_1 = I - \tfrac12 L , \\
# M_{j+1} = 2 M_1 M_j - M_{j-1} .
# \end{gathered}
# $$ (eq-gnn-chebyshev)
#
# This is the recursion of the Chebyshev polynomials $T_j$, those with $T_j(\cos\alpha) = \cos j\alpha$. So
# $M_j = T_j\big(I - \frac12 L\big)$, a polynomial of degree $j$ in $L$. A kernel with $\theta_j = \theta_{-j}$ gives a
# symmetric matrix, which is the mean of itself and its transpose, $C(\theta) = \frac12 \sum_j \theta_j (S^j + S^{-j})$.
# Every undirected convolution on the ring is a polynomial in the Laplacian:
#
# $$
# C(\theta) = \sum_{j=0}^{n-1} \theta_j\, T_j\big( I - \tfrac12 L \big) \qquad (\theta_j = \theta_{-j}) .
# $$ (eq-gnn-laplacian-polynomial)
#
# The converse is clear: $L$ is a symmetric circulant, and so is every polynomial in it. The check takes $T_j$
# from NumPy and applies it to eigenvalues that NumPy finds from $L$.


# %%
def chebyshev_matrices(n):  # M_0 to M_{n−1}, [n, n, n]
    M = [np.eye(n), np.eye(n) - laplacian(undirected_ring(n)) / 2]
    while len(M) < n:
        M.append(2 * M[1] @ M[-1] - M[-2])
    return np.stack(M)


def laplacian_polynomial(theta):  # Σ_j θ_j T_j(I − L/2)
    return np.einsum("j,jab->ab", theta, chebyshev_matrices(len(theta)))


# %% tags=["check"]
def cases():
    for n in sizes:
        forward = powers_of_shift(n)
        yield chebyshev_matrices(n), (forward + forward.transpose(0, 2, 1)) / 2


verify.equal("eq-gnn-chebyshev", cases(), atol=1e-12, against="powers of the shift")


# %% tags=["check"]
def cases():
    for n in sizes:
        theta = rng.standard_normal(n)
        theta = (theta + theta[-np.arange(n)]) / 2  # now θ_j = θ_{−j}
        eigenvalue, U = np.linalg.eigh(laplacian(undirected_ring(n)))
        # Σ_j θ_j T_j at the eigenvalues of I − L/2
        values = np.polynomial.chebyshev.chebval(1 - eigenvalue / 2, theta)
        by_numpy = U @ np.diag(values) @ U.T
        yield laplacian_polynomial(theta), by_numpy
        yield circulant(theta), by_numpy


verify.equal(
    "eq-gnn-laplacian-polynomial",
    cases(),
    atol=1e-10,
    against="NumPy's T_j at the eigenvalues of L",
)

# %% [markdown]
# The right-hand side of {eq}`eq-gnn-laplacian-polynomial` mentions no ring any more. With any graph's Laplacian it is
# a layer that shares one list of coefficients over all nodes. Its degree is the number of hops that it sees, because
# each product with $L$ reaches one hop further. Up to the scaling of $L$ this is the Chebyshev layer of
# {cite:t}`defferrard2016chebnet`.
#
# ## The step to the GCN
#
# Three simplifications lead from there to the graph convolution {cite}`kipf2017gcn`. Follow them on the ring.
#
# 1. **Degree 1.** Nodes of different degree are put on one scale by
#    $L_{\text{sym}} = D^{-1/2} L D^{-1/2} = I - D^{-1/2} A D^{-1/2}$, which is $\frac12 L$ on the ring. Its eigenvalues
#    lie in $[0, 2]$ on every graph, because $x^\top L_{\text{sym}}\, x$ is the sum of
#    $(x_i / \sqrt{d_i} - x_j / \sqrt{d_j})^2$ over the edges and each square is at most
#    $2 x_i^2 / d_i + 2 x_j^2 / d_j$. Keep $T_0$ and $T_1$ of $I - L_{\text{sym}}$: $c_0 I + c_1 D^{-1/2} A D^{-1/2}$.
#    On the ring, where $D = 2I$, the kernel is $(w_{-1}, w_0, w_1) = (\frac{c_1}{2}, c_0, \frac{c_1}{2})$: two free
#    weights are left.
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
# With a matrix $W \in \mathbb{R}^{D \times D'}$ for the channels, the layer $\hat A H W$ is
# {eq}`eq-gnn-ring-channels` with one matrix three times,
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


def gcn_by_conv1d(H, W):  # [n, D], [D, D'] → [n, D']
    return conv1d(H, torch.stack([W, W, W]) / 3)


# %% tags=["check"]
def cases():
    for n in sizes:
        by_definition = gcn_norm(torch.from_numpy(undirected_ring(n)))
        Phi = dft_matrix(n)
        yield moving_average(n), by_definition
        yield Phi @ np.diag(response(angles(n))) @ Phi.conj().T, by_definition


verify.equal("eq-gnn-gcn-ring", cases(), atol=1e-12, against="the definition of Â")


# %% tags=["check"]
def cases():
    for n in sizes:
        H, W = torch.randn(n, d_in), torch.randn(d_in, d_out)
        layer = GCNConv(d_in, d_out, bias=False)
        layer.lin.weight = torch.nn.Parameter(W.T)
        yield gcn_by_conv1d(H, W), layer(H, ring_edges(n))


verify.equal("eq-gnn-gcn-conv", cases(), atol=1e-12, against="PyG's GCNConv")

# %% [markdown]
# Of the three matrices that a convolution with three taps learns, the GCN learns one. That is the price for a layer
# that runs on any graph: it tells neither the next node from the previous one, nor a neighbour from the node itself.
#
# The frequency response also shows what happens when you stack it. $\hat A^m$ has the eigenvalues $\lambda_k^m$. Mode 0
# is constant and has $\lambda_0 = 1$; all others have $|\lambda_k| < 1$, since $-1 \le \cos\alpha < 1$ puts
# $\frac13(1 + 2\cos\alpha)$ into $[-\frac13, 1)$. Write $\bar x$ for the mean of $x$. The difference
# $x - \bar x \mathbf 1$ is made of the modes $k \ne 0$; each is damped at least by $\rho = \max_{k \ne 0} |\lambda_k|$
# a layer, and $\Phi$ keeps lengths:
#
# $$
# \big\| \hat A^m x - \bar x\, \mathbf{1} \big\| \le \rho^m\, \big\| x - \bar x\, \mathbf{1} \big\| .
# $$ (eq-gnn-smoothing)


# %%
def distance_from_mean(x):  # ‖x − x̄ 1‖
    return np.linalg.norm(x - x.mean())


def smoothing_bound(x, m):  # ρᵐ ‖x − x̄ 1‖
    rho = np.abs(response(angles(len(x)))[1:]).max()
    return rho**m * distance_from_mean(x)


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
        noise, slowest = rng.standard_normal(n), np.cos(angles(n))
        for m in (1, 2, 5, 20):
            A_hat_m = np.linalg.matrix_power(moving_average(n), m)
            yield (
                distance_from_mean(A_hat_m @ noise) <= smoothing_bound(noise, m) + 1e-12
            )
            # On the slowest wave the bound is tight
            gap = distance_from_mean(A_hat_m @ slowest) - smoothing_bound(slowest, m)
            yield abs(gap) <= 1e-12


held = list(cases())
verify.holds(
    "eq-gnn-smoothing", all(held), against="powers of the matrix", cases=len(held)
)

# %% [markdown]
# A stack of GCN layers without non-linearities is a low-pass filter that sharpens with depth: after 16 of them only
# the slowest waves are left. This is the over-smoothing that you saw on the karate club in {doc}`message_passing`,
# here with its cause.

# %% [markdown]
# ## What was shown
#
# - On the *directed* ring, message passing with one weight a direction, a circulant matrix, a circular
#   cross-correlation and a `Conv1d` with circular padding are one layer: {eq}`eq-gnn-ring-layer`,
#   {eq}`eq-gnn-ring-channels`, {eq}`eq-gnn-conv1d`. The undirected ring has reflections, which force $w_1 = w_{-1}$:
#   {eq}`eq-gnn-reflection`.
# - Every such layer is a polynomial in the shift $S$, so the Fourier modes diagonalise them all,
#   {eq}`eq-gnn-diagonalisation`; with a real kernel as the first row the eigenvalues are
#   $\sqrt n\, \overline{\hat\theta}$, {eq}`eq-gnn-convolution-theorem`.
# - Translation equivariance is commuting with $S$, and that alone makes a matrix circulant:
#   {eq}`eq-gnn-shift-equivariance`. Symmetry is what shares weights: {eq}`eq-gnn-free-weights`.
# - Symmetric kernels are polynomials in the Laplacian, {eq}`eq-gnn-laplacian-polynomial`, and those exist on every
#   graph. Cut down to degree 1 and one weight, that is the GCN; on the ring it is the average of three,
#   {eq}`eq-gnn-gcn-ring`.

# %% [markdown]
# ## Exercises

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
exercises.check("gnn/equivariance/real_modes", real_modes)

# %% [markdown]
# :::{exercise} A filter without eigenvectors
# :label: ex-gnn-laplacian-filter
# Write `laplacian_filter(c, L, x)`, which returns $\sum_{j=0}^{K-1} c_j\, T_j\big(I - \frac12 L\big)\, x$ for the
# Laplacian $L$ of *any* graph, using nothing but products of $L$ with vectors. How many of them does it take? Where
# on the graph can $x_i$ have an influence on the result?
# :::

# %% [markdown] tags=["solution"]
# :::{solution-start} ex-gnn-laplacian-filter
# :class: dropdown
# :::
# Apply {eq}`eq-gnn-chebyshev` to the vectors $t_j = T_j\big(I - \frac12 L\big) x$: $t_0 = x$, $t_1 = x - \frac12 L x$,
# $t_{j+1} = 2 \big( t_j - \frac12 L t_j \big) - t_{j-1}$. For $K \ge 2$ coefficients that takes $K - 1$ products, and
# none for $K = 1$. $L$ has entries only on the diagonal and where there are edges, so each product carries a value one
# hop further: $x_i$ reaches the nodes at most $K - 1$ hops from $i$.


# %% tags=["solution"]
def laplacian_filter(c, L, x):
    t = [x, x - L @ x / 2]
    while len(t) < len(c):
        t.append(2 * t[-1] - L @ t[-1] - t[-2])
    # With a single coefficient t_1 is left over
    return sum(c_j * t_j for c_j, t_j in zip(c, t, strict=False))


# %% [markdown] tags=["solution"]
# :::{solution-end}
# :::

# %%
exercises.check("gnn/equivariance/laplacian_filter", laplacian_filter)

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
# $hw$ free weights out of $(hw)^2$, one a difference $(a, b)$. That is the layer of a CNN, with circular padding. A
# product of a mode down and a mode across, $e^{2\pi i (k u / h + l v / w)}$, is multiplied by $e^{2\pi i k/h}$ by the
# one shift and by $e^{2\pi i l/w}$ by the other, so these $hw$ waves are the common eigenvectors, and the
# two-dimensional Fourier transform diagonalises all of these maps. For a real kernel the eigenvalues are, as before,
# the conjugate of its transform in NumPy's scaling.


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
# - {cite:t}`bamieh2018discovering` discovers the Fourier transform from the shift, at length and with the same
#   patience for every step.
# - {cite:t}`gray2006toeplitz` is the classic on circulant matrices, and on the Toeplitz matrices that signals *with*
#   ends lead to.
# - {cite:t}`bronstein2021geometric` builds all of deep learning from the idea of {eq}`eq-gnn-free-weights`: grids,
#   groups, graphs.
# - {cite:t}`defferrard2016chebnet` and {cite:t}`kipf2017gcn` walk the way of the last two sections on real graphs.
# - What the sources of this chapter print differently is listed, with a check each, in {doc}`/appendix/errata`.
