# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Errata of the two sources
#
# Where are the assignment of 2021 and the report of 2019 wrong, or looser than they should be, and what is right? Each
# entry says what is printed, in our words, and what should be; the cell below it shows it. The numbers of equations and
# questions are those of the two documents. The derivations are in the chapters: {doc}`/cnn/layers`,
# {doc}`/cnn/robustness`, {doc}`/rnn/bptt`, {doc}`/rnn/vanishing`, {doc}`/rnn/momentum`, {doc}`/rnn/optimizers`,
# {doc}`/rnn/lstm`, {doc}`/rnn/palindromes`, {doc}`/rnn/text_generation`,
# {doc}`/gnn/message_passing`, {doc}`/gnn/circulant`, {doc}`/gnn/fourier`, {doc}`/gnn/equivariance`,
# {doc}`/gnn/molecules`, {doc}`/gnn/molecule_networks`, {doc}`/gnn/combining` and {doc}`/gnn/graphs_in_time`.

# %% tags=["parameters"]
profile = "smoke"
seed = 0

# %% tags=["set-up"]
import itertools
import json
import re

from helpers import data, parameters, records, verify
from helpers.cnn import architectures
from helpers.cnn.layers import conv2d
from helpers.cnn.robustness import relative_corruption_error
from helpers.gnn import molecules
from helpers.gnn.circulant import circulant, dft_matrix, eigenvalues
from helpers.gnn.layers import gcn_norm
from helpers.rnn import palindromes
from helpers.rnn.cells import VanillaRNN, lstm_parameter_count

import networkx as nx
import numpy as np
import torch
from rdkit import Chem
from torch.autograd.functional import jacobian
from torch_geometric.nn import GCNConv

parameters.check(globals(), profile=("smoke", "full"), seed=range(2**31))
rng = np.random.default_rng(seed)
torch.manual_seed(seed)
torch.set_default_dtype(torch.float64)
sizes = (3, 8, 13)  # the rings on which claims are checked

# %% [markdown]
# ## Assignment, section 1.1
#
# ### Translation invariance
#
# The section calls translation invariance a property of *images*, and a convolutional network the one that uses it. An
# image does not stay what it is when it is moved; what may stay is what it shows. And a convolution is not invariant
# but {term}`equivariant <equivariance>`: where the input moves by $a$ rows, the output moves too. Summed over all
# places it is invariant. With $T_a$ for the move, $F$ for a convolutional layer of stride 1, and images whose rim is so
# dark and wide that neither they nor their outputs are moved out of sight,
#
# $$
# F(T_a x) = T_a F(x) , \qquad \sum_{u,v} F(T_a x)_{u,v} = \sum_{u,v} F(x)_{u,v} .
# $$ (eq-errata-translation)


# %%
def moved_down(x, a):  # T_a: a rows of zeros come in, and a rows of zeros leave
    return np.roll(x, a, axis=-2)


x = np.zeros((1, 1, 9, 8))
x[:, :, 2:5, 2:6] = rng.standard_normal((3, 4))
w = rng.standard_normal((1, 1, 3, 3))
z, z_moved = (conv2d(one, w, padding=1) for one in (x, moved_down(x, 2)))
print("the output stays:", np.allclose(z_moved, z))
print("the output moves along:", np.allclose(z_moved, moved_down(z, 2)))


# %% tags=["check"]
def cases():
    for a in (1, 2, 3):
        x = np.zeros((1, 2, 10, 8))
        x[:, :, 2:5, 2:6] = rng.standard_normal((2, 3, 4))
        w = rng.standard_normal((3, 2, 3, 2))
        weights, image = torch.tensor(w), torch.tensor(moved_down(x, a))
        by_torch = torch.nn.functional.conv2d(image, weights, padding=1)
        z = conv2d(x, w, padding=1)
        yield moved_down(z, a), by_torch
        yield z.sum((2, 3)), by_torch.sum((2, 3))


verify.equal("eq-errata-translation", cases(), atol=1e-12, against="torch")

# %% [markdown]
# With a stride even equivariance is left for moves by whole strides only. The same section says that a convolutional
# network uses a shared set of weights *at each layer*. The weights are shared between the places of a layer; each layer
# has its own.

# %% [markdown]
# ## Assignment, section 1.2
#
# ### What the sum in equation 2 reaches over
#
# The numerator of equation 2 is printed as $\sum_{s=1}^5 E_s - E_0$ (with 0 for clean; the denominator is alike), so
# that one may take the clean error off once, after the sum. What is meant is the sum over what each severity adds,
# $\sum_{s=1}^5 (E_s - E_0)$, which takes it off five times. Read the other way, a network that corruption costs
# nothing, $E_s = E_0$, would not get 0 but four times its clean error, and a low clean error would pass for robustness:

# %%
runs = {name: record["metrics"] for name, record in records.load("cifar10").items()}
baselines = [runs[f"resnet18_{i}"] for i in range(3)]
B_0 = np.mean([each["test_error"] for each in baselines])


def errors(run, corruption):  # severities 1 to 5
    return np.array(run["corruption_errors"]["course"][corruption])


def printed_rce(E, E_0, B, B_0):  # one clean error
    return (E.sum() - E_0) / (B.sum() - B_0)


print("over the mean of ResNet-18's three: meant, and with one clean error")
for corruption in ("gaussian_noise", "gaussian_blur", "contrast", "jpeg"):
    B = np.mean([errors(each, corruption) for each in baselines], axis=0)
    print(corruption)
    for name in ("resnet34", "vgg11", "vgg11_bn", "densenet121"):
        E, E_0 = errors(runs[name], corruption), runs[name]["test_error"]
        meant = relative_corruption_error(E, E_0, B, B_0)
        print(f"  {name:12} {meant:.2f}  {printed_rce(E, E_0, B, B_0):.2f}")
still = printed_rce(np.full(5, 0.1), 0.1, B, B_0)
print(f"an error of 0.1 at all severities: {still:.2f} with one clean error")

# %% [markdown]
# Under JPEG the two VGGs and DenseNet-121 lose more than ResNet-18; with one clean error they seem to lose less.

# %% [markdown]
# ### ResNet-32
#
# Section 1.2 names VGG-11, *ResNet-32* and DenseNet-121 as the networks in question; question 1.2 then asks for
# ResNet-18 and ResNet-34. A ResNet-32 exists, and is another network: that of He and others for CIFAR-10
# {cite}`he2016resnet`, which has 16 to 64 channels and $6n + 2$ layers, here with $n = 5$. The number in the name
# counts the layers with weights, without those of the shortcuts. Counted below: none of the networks of question 1.2
# has 32. The last line is for $n = 3$; each step of $n$ adds two layers to each of three stages.

# %%
for name in ("resnet18", "resnet34", "resnet20"):
    with torch.device("meta"):  # shapes are enough
        stem = "cifar" if name == "resnet20" else "imagenet"
        network = architectures.build(name, stem=stem)
    layers = {
        key: module
        for key, module in network.named_modules()
        if isinstance(module, torch.nn.Conv2d | torch.nn.Linear)
    }
    counted = sum("downsample" not in key for key in layers)
    weights = sum(module.weight.numel() for module in layers.values())
    print(f"{name}: {counted} layers, {weights:,} weights")
added = 2 * 2 * 9 * (16**2 + 32**2 + 64**2)  # two blocks more in each stage
print(f"ResNet-32: {counted + 2 * 2 * 3} layers, {weights + added:,} weights")

# %% [markdown]
# ## Assignment, section 2.1, on gradients
#
# ### The sum in equation 7
#
# Equation 7 sums the derivatives of $h^{(t')}$ from $t' = 0$ on. The start $h^{(0)}$ is a constant, so its term is
# zero, and the sum begins at 1. On both sides stands the same symbol, the derivative of a state by $W_{hh}$. On the
# left it is the total one; on the right it must be the immediate one, $\partial^+$, which holds the state before still:
# with total ones, early steps are counted more than once. And the product over $j$ is one of matrices, so it has an
# order, the latest on the left; without factors it is $I$, not 1. With $J^{(t)} = \operatorname{diag}(1 - h^{(t)} \odot
# h^{(t)})\, W_{hh}$,
#
# $$
# \frac{\partial h^{(t)}}{\partial W_{hh}} = \sum_{t'=1}^{t}
# \Big( J^{(t)} J^{(t-1)} \cdots J^{(t'+1)} \Big)\, \frac{\partial^+ h^{(t')}}{\partial W_{hh}} .
# $$ (eq-errata-uses)


# %%
def states(u, W):  # what inputs and biases add to the sums [T, H] → h(0) … h(T)
    h = [torch.full((len(W),), 0.5)]
    for u_t in u:
        h.append(torch.tanh(u_t + W @ h[-1]))
    return torch.stack(h)


def equation_7(J, derivatives, latest_left=True):  # J(1) … J(T), ∂h(1) … ∂h(T)
    result = 0
    for t, derivative in enumerate(derivatives):
        factors = [*J[t + 1 :]][::-1] if latest_left else [*J[t + 1 :]]
        for factor in reversed(factors):  # the rightmost acts first
            derivative = torch.einsum("ij,jkl->ikl", factor, derivative)
        result = result + derivative
    return result


def factors(u, W):  # J(t) [T, H, H] and the immediate derivatives [T, H, H, H]
    h = states(u, W)
    slope = torch.diag_embed(1 - h[1:] ** 2)
    return slope @ W, torch.einsum("tij,tk->tijk", slope, h[:-1])


u, W = torch.randn(4, 3), torch.randn(3, 3)
J, immediate = factors(u, W)
total = jacobian(lambda W: states(u, W), W)  # [T + 1, H, H, H]
readings = {
    "immediate, latest left ": equation_7(J, immediate),
    "immediate, latest right": equation_7(J, immediate, latest_left=False),
    "total, latest left     ": equation_7(J, total[1:]),
}
for name, reading in readings.items():
    print(f"{name}: off by {(reading - total[-1]).norm() / total[-1].norm():.0%}")
print("the derivative of h(0) is zero:", bool((total[0] == 0).all()))


# %% tags=["check"]
def cases():
    for T, H in ((1, 2), (3, 3), (6, 4)):
        u, W = torch.randn(T, H), torch.randn(H, H)
        by_autograd = jacobian(lambda W, u=u: states(u, W)[-1], W)
        yield equation_7(*factors(u, W)), by_autograd


verify.equal("eq-errata-uses", cases(), atol=1e-12, against="autograd")

# %% [markdown]
# ### On what the gradients depend
#
# Question 2.1 (b) says that the gradient with respect to $W_{ph}$ depends on the current step only, and the report says
# so too. It *names* no other step. But it is $(\hat y^{(t)} - y^{(t)})\, h^{(t)\top}$, and $h^{(t)}$ depends on all
# that was read: below, only the first of four inputs differs. (And a loss over all steps sums it over all steps.)

# %%
W_ph, y = torch.randn(2, 3), torch.tensor([1.0, 0.0])
for first in (-1.0, 1.0):
    h = states(torch.cat([torch.full((1, 3), first), u[1:]]), W)[-1]
    gradient = torch.outer(torch.softmax(W_ph @ h, dim=0) - y, h)
    print(
        f"first input {first:g}: the gradient's first row", gradient[0].numpy().round(2)
    )

# %% [markdown]
# ### Decays or blows up
#
# Section 2.2 says that the influence of an input on later states either decays or blows up exponentially. Its
# *derivative* may do so, or neither: at rest and with an orthogonal $W_{hh}$ it keeps its length. The influence itself
# cannot blow up, since a state never leaves $(-1, 1)$: two sequences cannot drive a unit further apart than 2.

# %%
Q = torch.linalg.qr(torch.randn(50, 50)).Q
length = (torch.linalg.matrix_power(Q, 1000) @ torch.eye(50)[0]).norm()
print(f"orthogonal, at rest: length after 1000 steps {length:.3f}")
large, u = 5 * Q + 5 * torch.randn(50, 50), torch.randn(300, 50)
apart = states(u, large) - states(u + 1e-6 * (torch.arange(300) == 0)[:, None], large)
print("large weights: units are apart by at most 2:", bool(apart.abs().max() <= 2))

# %% [markdown]
# ### Nothing beyond the window
#
# With windows of 30 steps, section 2.4 says, nothing longer than 30 characters can be learned. It is the *gradient*
# that ends at the window's start. Where the state is carried on, what comes out still depends on what came before; and
# a rule that was learned inside of the window may go on working beyond it. {doc}`/rnn/vanishing` trains networks on
# windows of 5 that remember a sign for a hundred steps. (The assignment's windows start from zero. Such networks, too,
# went beyond their window there, and not all of them as far. On books, {ref}`how-far-back` measures it.)

# %%
cell = VanillaRNN(1, 8)
outputs = []
for first in (-1.0, 1.0):
    x = torch.zeros(10, 1, 1)
    x[0] = first
    x.requires_grad_()
    _, state = cell(x[:5])
    h, _ = cell(x[5:], state.detach())  # a window of 5, its state carried
    (gradient,) = torch.autograd.grad(h.sum(), x)
    outputs.append(h[-1].detach())
print("the gradient reaches the first input:", bool(gradient[0].abs().max() > 0))
print("the output depends on it:", not torch.allclose(*outputs))

# %% [markdown]
# ### Meaningless samples
#
# Question 2.4 (c) says that texts drawn from what the network has learned are diverse, and meaningless. How much they
# mean depends on the network. Of the words that the King James Bible's draws at $\tau = 1$, most are words of that
# book, though hardly a sentence makes sense; it is at $\tau = 2$, which is not what was learned, that most are none.
# The texts are in {doc}`/rnn/text_generation`.

# %%
known = set(re.findall("[A-Za-z]{2,}", data.book("bible")))
made = records.load("text", "bible")
for temperature in ("0.5", "1", "2"):
    samples = made["metrics"]["samples"]["end"].values()
    drawn = " ".join(told[temperature] for told in samples)
    words = re.findall("[A-Za-z]{2,}", drawn)
    share = sum(word in known for word in words) / len(words)
    print(f"τ = {temperature}: {share:.0%} are words of the book")

# %% [markdown]
# ## Assignment, section 2.2, on LSTMs
#
# ### Four gates
#
# The LSTM is said to have four gating mechanisms, and $g$ to be one, the "input modulation gate". There are three
# gates and a candidate. A gate is a share that something is multiplied by; $g$ is what the input gate is applied to,
# and it is negative as often as not. With the other three fully open, only $g$ changes the cell, by addition.

# %%
a = torch.randn(10000)
for name, function in {"i, f, o": torch.sigmoid, "g": torch.tanh}.items():
    below = 100 * (function(a) < 0).double().mean()
    print(f"{name}: below 0 for {below:.0f} % of 10,000 normal numbers")

# %% [markdown]
# ### Which parameters
#
# Question 2.2 (b) asks for the parameters of the *cell*, calls the equations up to 13 its core, and wants the answer in
# terms of $N_\text{output}$, which occurs in equation 14 alone; the size of an input has two names, $d$ and
# $N_\text{input}$. The book gives both counts, {eq}`eq-rnn-lstm-count`.

# %%
for n_output in (None, 10):
    count = lstm_parameter_count(1, 128, n_output)
    print(f"input 1, hidden 128, output {n_output}: {count:,} parameters")

# %% [markdown]
# ### A forget gate that starts at remembering
#
# With 1 added to the bias of its forget gate, the network is said to start with remembering old states. It starts with
# forgetting them more slowly. At a bias of $b$ and no input, $f = \operatorname{sigm}(b)$, and after $n$ steps $f^n$
# is left:

# %%
for bias in (0.0, 1.0, 5.0):
    f = torch.sigmoid(torch.tensor(bias))
    print(f"bias {bias:g}: f = {f:.3f}, after 10 steps {100 * f**10:.1f} % are left")

# %% [markdown]
# ## Assignment, section 3.1 and equations 27 and 28
#
# ### Two factors of equation 27
#
# Equation 27 is announced as the same operation as equation 18, and writes the degree $D$. It is the same only with
# the degrees $\tilde d_i$ of $A + I$. And it drops the entry $\tilde A_{ij}$. Where all edges weigh 1 that factor is 1
# for every $j$ in the sum; in a graph whose edges have weights it is not, and equation 18 uses them:
#
# $$
# \hat A_{ij} = \frac{\tilde A_{ij}}{\sqrt{\tilde d_i \tilde d_j}} , \qquad \tilde d_i = 1 + \sum_j A_{ij} .
# $$ (eq-errata-degree)


# %%
def equation_27(A):  # corrected: Â [N, N]
    d_tilde = 1 + A.sum(dim=1)
    return (A + torch.eye(len(A))) / torch.outer(d_tilde, d_tilde).sqrt()


A = torch.tensor([[0.0, 1, 1], [1, 0, 0], [1, 0, 0]])  # a path, its middle at node 0
d = A.sum(dim=1)
for name, degree in {"A": d, "A + I": 1 + d}.items():
    weight = 1 / (degree[0] * degree[1]).sqrt()
    print(f"weight of edge 0, 1 with the degrees of {name}: {weight:.3f}")


# %% tags=["check"]
def cases():
    # Zachary's club has weights: how many kinds of meetings two members share
    for graph in (nx.path_graph(3), nx.star_graph(4), nx.karate_club_graph()):
        A, I = torch.from_numpy(nx.to_numpy_array(graph)), torch.eye(len(graph))
        equation_18, edges = GCNConv(len(A), len(A), bias=False), A.nonzero().T
        equation_18.lin.weight.data = I  # with H = I and W = I it is Â
        A_hat = equation_18(I, edges, A[tuple(edges)])
        yield equation_27(A), A_hat
        root = A.sum(dim=1) ** -0.5  # the degrees of A will not do
        yield torch.allclose((A + I) * torch.outer(root, root), A_hat), False
        root = (1 + A.sum(dim=1)) ** -0.5  # nor will ones, where edges have weights
        ones = ((A + I) > 0) * torch.outer(root, root)
        yield torch.allclose(ones, A_hat), bool(A.max() <= 1)


verify.equal("eq-errata-degree", cases(), atol=1e-12, against="PyG's GCNConv")

# %% [markdown]
# ### A subscript below equation 27
#
# The sentence that drops the normaliser prints its second factor as $D_{ij}$. The matrix is diagonal, so for $i \neq j$
# that factor is 0 and the normaliser infinite. The equation itself has it right: $D_{jj}$.

# %%
D = torch.diag(d)
for name, second in {"D_ij": D[0, 1], "D_jj": D[1, 1]}.items():
    print(f"with {name}: {1 / (D[0, 0] * second).sqrt():.3f}")

# %% [markdown]
# ### The transpose in equations 27 and 28
#
# In equation 18 the features of a node are a row of $H$, and $W$, of shape $d_l \times d_{l+1}$, acts from the right.
# In equations 27 and 28 they are a column $h_j$, and there $W h_j$ does not fit. It is $W^\top h_j$:
#
# $$
# \Big( \sum_{j} \hat A_{ij}\, W^\top h_j \Big)_{i} = \hat A H W .
# $$ (eq-errata-transpose)


# %%
def layer_by_node(A, H, W):  # [N, N], [N, D], [D, D'] → [N, D']
    A_hat, nodes = gcn_norm(A), range(len(A))
    return torch.stack([sum(A_hat[i, j] * (W.T @ H[j]) for j in nodes) for i in nodes])


H, W = torch.randn(3, 4), torch.randn(4, 2)
print(f"W has shape {list(W.shape)} and h_j {list(H[1].shape)}: no product W h_j")


# %% tags=["check"]
def cases():
    for graph in (nx.path_graph(3), nx.star_graph(4), nx.cycle_graph(6)):
        A = torch.from_numpy(nx.to_numpy_array(graph))
        H, W = torch.randn(len(A), 4), torch.randn(4, 2)
        yield layer_by_node(A, H, W), gcn_norm(A) @ H @ W


verify.equal(
    "eq-errata-transpose", cases(), atol=1e-12, against="the product of matrices"
)

# %% [markdown]
# The same cell shows a smaller slip: $H^{(l)}$ is called an $N \times d$ matrix, with one $d$ for all layers, while $W$
# leads from $d_l$ to $d_{l+1}$ features. The width belongs to the layer, $N \times d_l$: here 4 before and 2 after.

# %% [markdown]
# ### The factor left out of equation 28
#
# Equation 28 drops the factor $1/\sqrt{\tilde d_i \tilde d_j}$ for simplicity, and keeps the name. It is then another
# layer, a sum whose size grows with the number of neighbours. Where all degrees $\tilde d$ are equal, $k$ linear layers
# differ from those of equation 18 by the factor $\tilde d^k$:
#
# $$
# \tilde A^k H = \tilde d^{\,k} \hat A^k H \qquad\text{if } \tilde d_i = \tilde d \text{ for all } i .
# $$ (eq-errata-sum)
#
# A softmax over the neighbours, as in {doc}`/gnn/attention`, brings the scale back.


# %%
def equation_28(A, H, k):  # k linear layers, each of them a sum
    for _ in range(k):
        H = H + A @ H
    return H


# %% tags=["check"]
def cases():
    for degree in (2, 3, 4):  # neighbours of each node, without the loop
        graph = nx.random_regular_graph(degree, 10, seed=0)
        A, H = torch.from_numpy(nx.to_numpy_array(graph)), torch.rand(10, 3)
        for k in range(1, 6):
            averages = torch.linalg.matrix_power(gcn_norm(A), k) @ H
            yield equation_28(A, H, k), (degree + 1.0) ** k * averages


verify.equal("eq-errata-sum", cases(), rtol=1e-12, against="powers of Â")

# %% [markdown]
# ## Assignment, section 3.2
#
# ### Equation 24, the convolution theorem
#
# Equation 24 sets $C(\theta)\, x$ equal to $\Phi \hat x \odot \hat\theta$. Read as printed, without parentheses, the
# right side is $x \odot \hat\theta$. With them, two things are still missing. The DFT of equation 25 is unitary, so
# there is a factor $\sqrt n$. And with $\theta$ as the first *row*, the product is a {term}`cross-correlation`, so
# $\hat\theta$ comes conjugated. For a real $\theta$:
#
# $$
# C(\theta)\, x = \Phi \big( \sqrt n\, \overline{\hat\theta} \odot \hat x \big) .
# $$ (eq-errata-convolution-theorem)


# %%
def transform(x):  # x̂ = Φ* x
    return dft_matrix(len(x)).conj().T @ x


def equation_24(theta, x):  # corrected: C(θ) x
    spectrum = np.sqrt(len(x)) * transform(theta).conj() * transform(x)
    return dft_matrix(len(x)) @ spectrum


n = 8  # nodes of a ring
theta, x = rng.standard_normal((2, n))  # [n] each
y, theta_hat, x_hat = circulant(theta) @ x, transform(theta), transform(x)
print("as printed, it holds:", np.allclose(y, x * theta_hat))
print(
    "with parentheses, it holds:", np.allclose(y, dft_matrix(n) @ (x_hat * theta_hat))
)


# %% tags=["check"]
def cases():
    for n in sizes:
        theta, x = rng.standard_normal((2, n))
        yield equation_24(theta, x), circulant(theta) @ x


verify.equal(
    "eq-errata-convolution-theorem",
    cases(),
    atol=1e-12,
    against="the product with C(θ)",
)

# %% [markdown]
# ### The theorem in words
#
# The sentence before it says that the DFT of a convolution is the product of the DFTs (of "two signals", of which it
# names one, $x$; the other is $\theta$). That is right for the convolution proper,
# $(\theta * x)_i = \sum_j \theta_j x_{i-j}$, and for a DFT without the factor $1/\sqrt n$ in front. With the unitary
# one of equation 25,
#
# $$
# \Phi^* (\theta * x) = \sqrt n\; \hat\theta \odot \hat x .
# $$ (eq-errata-convolution)


# %%
def convolution_transformed(theta, x):  # Φ* (θ * x)
    return np.sqrt(len(x)) * transform(theta) * transform(x)


# %% tags=["check"]
def cases():
    for n in sizes:
        theta, x = rng.standard_normal((2, n))
        linear = np.append(np.convolve(theta, x), 0.0)  # [2n]
        wrapped = linear[:n] + linear[n:]  # around the ring
        yield convolution_transformed(theta, x), np.fft.fft(wrapped, norm="ortho")


verify.equal(
    "eq-errata-convolution",
    cases(),
    atol=1e-12,
    against="np.fft of a product of polynomials",
)

# %% [markdown]
# ### Eigenvalues and eigenvectors
#
# The box before question 3.4 calls the columns of $\Phi$ the *eigenvalues* of all circulant matrices. They are
# eigenvectors, a basis that all share; the eigenvalues differ from matrix to matrix. (A matrix that has one of them
# twice has other eigenvectors besides. For the identity every vector is one.) Question 3.4 (a) gives the eigenvalues as
# the entries of $\hat\theta$. For a real $\theta$ they are those of its conjugate, times $\sqrt n$:
#
# $$
# C(\theta)\, \Phi = \Phi \operatorname{diag}(\lambda) , \qquad \lambda = \sqrt n\; \overline{\hat\theta} .
# $$ (eq-errata-eigenvalues)


# %%
def eigenvalues_by_transform(theta):  # λ [n], for a real θ
    return np.sqrt(len(theta)) * transform(theta).conj()


# %% tags=["check"]
def cases():
    for n in sizes:
        theta, Phi = rng.standard_normal(n), dft_matrix(n)
        lambda_ = eigenvalues_by_transform(theta)
        yield Phi @ np.diag(lambda_), circulant(theta) @ Phi
        yield lambda_, eigenvalues(theta)


verify.equal(
    "eq-errata-eigenvalues", cases(), atol=1e-12, against="the product with C(θ)"
)

# %% [markdown]
# For a complex $\theta$ the conjugate falls on the DFT and not on $\theta$: $\lambda = \sqrt n\, \Phi \theta$.

# %% [markdown]
# ### The printed matrix $\Phi$
#
# Column 0 of $\Phi$ belongs to frequency 0 and is constant. The printed rows below the first start with the exponent 1,
# $n - 2$ or $n - 1$ instead of 0, and row 1 runs from 1 to $n - 1$, one entry too few. The base $\omega_n$ is printed
# with $k$ and $u$ in it, which are the column and the row, and with the sign of the *forward* transform, while $\Phi$
# is the inverse one (equation 26; for the same reason question 3.4 (a) should not call it the DFT matrix). What is
# meant is
#
# $$
# \begin{gathered}
# \Phi_{uk} = \frac{1}{\sqrt n}\, \omega^{uk} , \qquad \omega = e^{2 \pi i / n} , \\
# \text{so that} \quad \Phi^* \Phi = I \quad \text{and} \quad \Phi \hat x = x .
# \end{gathered}
# $$ (eq-errata-dft-matrix)


# %%
def meant(n):  # Φ [n, n]
    u = np.arange(n)
    return np.exp(2j * np.pi / n) ** np.outer(u, u) / np.sqrt(n)


def printed(n):
    u = np.arange(n)
    exponents = np.outer(u, u)
    exponents[:, 0] = u
    exponents[1] = np.minimum(u + 1, n - 1)  # 1 to n − 1; the last twice, to fill up
    return np.exp(-2j * np.pi / n) ** exponents / np.sqrt(n)


distance = np.linalg.norm(printed(n).conj().T @ printed(n) - np.eye(n))
print(f"distance of the printed matrix from unitary: {distance:.2f}")


# %% tags=["check"]
def cases():
    for n in sizes:
        Phi, x = meant(n), rng.standard_normal(n)
        # The columns of the inverse transform are the unit impulses, transformed back
        yield Phi, np.fft.ifft(np.eye(n), norm="ortho", axis=0)
        yield Phi.conj().T @ Phi, np.eye(n)
        yield Phi @ np.fft.fft(x, norm="ortho"), x


verify.equal("eq-errata-dft-matrix", cases(), atol=1e-12, against="np.fft")

# %% [markdown]
# ### Which way the matrices stand
#
# $H$ is introduced as a $D \times n$ matrix below equation 23, where its rows are the features of the nodes. It is
# $n \times D$: otherwise $C(\theta) H$ is not defined.
#
# The number of nodes is $N$ where the ring is introduced, and $n$ where its indices wrap around, in the same sentence.
# It is one number. With another modulus the graph is no ring, and not even undirected.

# %%
H = rng.standard_normal((n, 3))
print("C(theta) H has shape", (circulant(theta) @ H).shape)

i = np.arange(6)
A = np.zeros((6, 6))
A[i, (i + 1) % 5] = A[i, (i - 1) % 5] = 1
print("6 nodes, indices modulo 5: symmetric is", np.array_equal(A, A.T))

# %% [markdown]
# ### The general form of an equivariant layer
#
# After equation 23 the assignment gives $\phi(h_i, \mathcal{N}_i)$ as the general form of a permutation equivariant
# layer and asks for the $\phi$ of the ring layer. Two things are loose. On the undirected ring, $\mathcal{N}_i$ is a
# set, so it does not tell the next node from the previous one, and no such $\phi$ has $w_1 \neq w_{-1}$. The reflection
# $i \mapsto -i$ is an {term}`automorphism` of the undirected ring, and the layer commutes with it only if
# $w_1 = w_{-1}$; the ring of the layer is a *directed* one. And not every equivariant layer has the form: two such
# layers, one after the other, are an equivariant map that uses the neighbours' neighbours.

# %%
J = np.eye(6)[-np.arange(6)]  # the reflection
A = circulant([0.0, 1, 0, 0, 0, 1])
print("the reflection keeps the undirected ring:", np.array_equal(J @ A @ J.T, A))
for w_1, w_minus_1 in ((2.0, 3.0), (2.0, 2.0)):
    C = circulant([1.0, w_1, 0, 0, 0, w_minus_1])
    commutes = np.allclose(C @ J, J @ C)
    print(f"w_1 = {w_1:g}, w_-1 = {w_minus_1:g}: commutes with it: {commutes}")

# %% [markdown]
# ### Smaller points
#
# - *Circulant graph* is used as a name of the ring. The ring is one of many: any graph with a circulant adjacency
#   matrix is one, as the first line below shows for seven nodes with four neighbours each.
# - The filter $(w_0, w_1, 0, \dots, 0, w_{-1})$ needs $n \ge 3$. For $n = 2$ both neighbours are the same node.
# - The $k$-th entry of $\hat x$ is said to measure similarity with a sinusoid of frequency $k / n$. For $k > n / 2$
#   that is the frequency $(n - k) / n$, turning the other way: column $n - 1$ is the conjugate of column 1.
# - Question 3.3 has two parts (b).

# %%
A = circulant([0, 1, 1, 0, 0, 1, 1])
print("neighbours a node:", A.sum(axis=1), "  undirected:", np.array_equal(A, A.T))
Phi = dft_matrix(n)
conjugate = np.allclose(Phi[:, n - 1], Phi[:, 1].conj())
print("column n - 1 is the conjugate of column 1:", conjugate)

# %% [markdown]
# ## Assignment, section 3.4 and question 3.6
#
# ### Which energy
#
# The question asks for the {term}`atomization energy`, "known in the QM9 data as" $U_0^{\mathrm{ATOM}}$. QM9 has no
# such column: it lists the total energy $U_0$, and apart from the molecules the energies of single atoms, to be taken
# off. (PyTorch Geometric's version of the data has done so, and has both.) The two are not alike. Most of $U_0$ belongs
# to the single atoms, so counting these predicts it: on the total energy a network must report a smaller mean $z^2$
# than six coefficients do before it has learned anything of bonds.

# %%
table = data.qm9()
print("energies:", *(name for name in table.columns if "nergy" in name))
total = molecules.HARTREE * torch.tensor(
    table.InternalEnergy_0K_au.to_numpy()
)  # [M], eV
n_atoms = torch.tensor(json.loads(f"[{','.join(table.Stoichiometry)}]")).double()
per_atom = molecules.HARTREE * torch.tensor(molecules.ATOM_ENERGY)  # eV
atoms = n_atoms @ per_atom  # [M], eV
train, _, test = molecules.split(len(table), seed=0)
for name, energy in {"total": total, "atomization": total - atoms}.items():
    w_b = molecules.fit_composition(n_atoms[train], energy[train])
    error = n_atoms[test] @ w_b[:-1] + w_b[-1] - energy[test]
    spread = molecules.Standardizer.of(energy[train]).std
    z2 = (error / spread).square().mean()
    print(f"{name} energy, from the composition alone: z² {z2:.1e}, ", end="")
    print(f"error {1000 * error.abs().mean():.0f} meV")

# %% [markdown]
# ### Statistics of all the data
#
# The code takes the mean and the standard deviation for the {term}`z-score` from all molecules, those of the test
# among them. They belong to the training set: what a model uses of the test molecules before the test is a leak. Here
# it is a small one.

# %%
every = molecules.Standardizer.of(total - atoms)
own = molecules.Standardizer.of((total - atoms)[train])
print(f"mean {every.mean:.4f} eV, of the training split {own.mean:.4f} eV")
print(f"standard deviation {every.std:.4f} eV, of the training split {own.std:.4f} eV")

# %% [markdown]
# ### Augmentation
#
# Data augmentation, the section expects, might do well here: with elements and bonds only, an MLP that is trained on
# molecules in many orders. Measured on all of QM9 (one seed), with the network and the epochs of {doc}`/gnn/molecules`,
# it does not do well: the network no longer minds the order, and its error is as large in training as in validation. It
# underfits, so more weights and epochs may help; with these, a network that cannot see an order is far ahead.

# %%
runs = records.load("qm9")
for name in ("mlp_permuted_0", "mlp_0", "gnn_0"):
    scores = [
        runs[name]["metrics"][f"{which}_mae_mev"] for which in ("test", "test_permuted")
    ]
    print(f"{name}: {scores[0]:.0f} meV, atoms permuted {scores[1]:.0f} meV")

# %% [markdown]
# ### Canonical numberings exist
#
# Section 3.4 says that the atoms of a molecule have no canonical order. No order comes from *nature*; one can be agreed
# on. Chemists' programs number the atoms of a graph by an algorithm that does not ask how they were numbered before.
# An order by rule helps an MLP: above, the one that learned in the order of QM9's SMILES errs less than the one that
# learned in random orders. But nothing makes the numberings of two *similar* molecules similar.

# %%
paracetamol = Chem.MolFromSmiles("CC(=O)Nc1ccc(O)cc1")
orders = [rng.permutation(paracetamol.GetNumAtoms()).tolist() for _ in range(100)]
renumbered = [Chem.RenumberAtoms(paracetamol, order) for order in orders]
as_numbered = {Chem.MolToSmiles(m, canonical=False) for m in renumbered}
canonical = {Chem.MolToSmiles(m) for m in renumbered}
print(f"100 numberings: {len(canonical)} canonical SMILES")
print("more than one SMILES in the order of the atoms:", len(as_numbered) > 1)

# %% [markdown]
# ### Which invariances a graph network has
#
# The section says that graph networks let one encode invariance under renumbering, rotation and translation. The layers
# are not invariant but {term}`equivariant <permutation equivariance>`: renumber the atoms, and the rows of the result
# change places. It is the pooling that forgets the order. And of rotation and translation there is nothing to encode
# here: the input of question 3.6 has no positions. Where it has, invariance does not come with the graph. A network
# that reads coordinates as features does not have it.

# %%
phenol = molecules.from_smiles("Oc1ccccc1").batch([0])
order = torch.randperm(phenol.num_nodes)
A = torch.zeros(13, 13).index_put(tuple(phenol.edge_index), torch.ones(()))
H, W = phenol.x.double(), torch.randn(5, 4)
before, after = (gcn_norm(A) @ H @ W), gcn_norm(A[order][:, order]) @ H[order] @ W
print("layer: rows stay", torch.allclose(before, after), end=", ")
print("rows change places", torch.allclose(before[order], after))
print("summed over the atoms, the same:", torch.allclose(before.sum(0), after.sum(0)))

rotation = torch.linalg.qr(torch.randn(3, 3)).Q
positions, W = torch.randn(13, 3), torch.randn(3, 4)  # any positions
read = [(gcn_norm(A) @ p @ W).sum(0) for p in (positions, positions @ rotation)]
print("coordinates as features, the same after a rotation:", torch.allclose(*read))

# %% [markdown]
# ## Report, section 1, on gradients
#
# ### The middle of equation 15
#
# A row times a matrix gives, at place $j$, a sum down *column* $j$. The middle lines sum along the rows, and there
# $1 - \sum_k \hat y_k$ appears, which is zero; the last line is right, and does not follow from them. What does:
#
# $$
# \sum_{i=1}^{K} \Big( - \frac{y_i}{\hat y_i} \Big)\, \hat y_i \big( [\,i = j\,] - \hat y_j \big)
# = - y_j + \hat y_j \sum_{i=1}^{K} y_i = \hat y_j - y_j .
# $$ (eq-errata-row-times-matrix)


# %%
def end_of_equation_15(y_hat, y):  # [K], [K] → [K]
    return y_hat - y


y_hat, y = torch.softmax(torch.tensor([2.0, 1.0, 0.0]), dim=0), torch.eye(3)[1]
print("its middle lines:", (-y * (1 - y_hat.sum())).numpy().round(2) + 0.0)
print("its end:         ", end_of_equation_15(y_hat, y).numpy().round(2))


# %% tags=["check"]
def cases():
    for K in (2, 3, 10):
        y_hat, y = torch.softmax(torch.randn(K), dim=0), torch.eye(K)[K // 2]
        equation_12 = torch.diag(y_hat) - torch.outer(y_hat, y_hat)
        yield end_of_equation_15(y_hat, y), (-y / y_hat) @ equation_12


verify.equal(
    "eq-errata-row-times-matrix", cases(), atol=1e-12, against="equations 7 and 12"
)

# %% [markdown]
# ### Equations 6 and 9
#
# Equation 9 takes the softmax of one score, $\operatorname{softmax}(p_i)$. The softmax of a single number is 1; meant
# is entry $i$ of $\operatorname{softmax}(p)$. And below equation 6 the $\hat y_k$ are said not to depend on one
# another. They do, since they sum to one. The derivative there treats them as free variables, which is allowed: that
# they are not is taken care of by the next factor, equation 12, whose columns sum to zero.

# %%
p = torch.tensor([2.0, 1.0, 0.0])
print("softmax of the first score alone:", torch.softmax(p[:1], dim=0).item())
columns = (torch.diag(y_hat) - torch.outer(y_hat, y_hat)).sum(dim=0)
print(
    "the columns of equation 12 sum to zero:", torch.allclose(columns, torch.zeros(3))
)

# %% [markdown]
# ### The shapes in equations 13 and 14
#
# The derivative of $K$ scores by a matrix of $K \times H$ weights has $K \cdot K \cdot H$ entries. Equation 13 stacks
# the $K$ matrices and calls the stack $K \times 1$. In equation 14 the state has entries 1 to $K$; it has $H$. The row
# that is not zero is row $k$, for the score $p_k$.

# %%
h = torch.tensor([0.1, 0.2, 0.3, 0.4])  # H = 4, K = 3
by_weights = jacobian(lambda W: W @ h, torch.zeros(3, 4))
print("shape of the derivative:", list(by_weights.shape))
print("of the second score:", by_weights[1].tolist())

# %% [markdown]
# ### The products in equation 19
#
# In equation 19, $1 - h^2$ is a vector, and the dot behind it must make each *row* of what follows smaller by its own
# factor: it is the matrix $\operatorname{diag}(1 - h \odot h)$. The derivative of $W_{hh} h^{(T-1)}$ with the state
# held still is printed as $h^{(T-1)}$, $H$ numbers in place of $H^3$; it is $h^{(T-1)\top} \otimes I$ for a
# column-stacked $W_{hh}$. And the recursion needs its end: the derivative of $h^{(0)}$ is zero.
#
# $$
# \begin{aligned}
# \frac{\partial h^{(T)}}{\partial \operatorname{vec} W_{hh}}
# &= \operatorname{diag}\big(1 - h^{(T)} \odot h^{(T)}\big) \\
# &\quad \cdot \Big( h^{(T-1)\top} \otimes I
# + W_{hh} \frac{\partial h^{(T-1)}}{\partial \operatorname{vec} W_{hh}} \Big)
# \end{aligned}
# $$ (eq-errata-recursion)


# %%
def equation_19(h, W):  # h(0) … h(T) [T + 1, H] → [H, H²]
    H, derivative = len(W), torch.zeros(len(W), len(W) ** 2)
    for before, after in itertools.pairwise(h):
        own = torch.kron(before[None], torch.eye(H))
        derivative = torch.diag(1 - after**2) @ (own + W @ derivative)
    return derivative


h = states(torch.randn(3, 4), torch.randn(4, 4))
print(
    "printed:",
    list(h[-1].shape),
    "  meant:",
    list(torch.kron(h[-1:], torch.eye(4)).shape),
)


# %% tags=["check"]
def cases():
    for T, H in ((1, 2), (3, 3), (6, 4)):
        u, W = torch.randn(T, H), torch.randn(H, H)
        by_autograd = jacobian(lambda W, u=u: states(u, W)[-1], W)
        yield equation_19(states(u, W), W), by_autograd.transpose(1, 2).flatten(1)


verify.equal("eq-errata-recursion", cases(), atol=1e-12, against="autograd")

# %% [markdown]
# ### Bigger than 1
#
# Below, the gradient is said to explode or to vanish when the derivative of $h^{(t)}$ by $W_{hh}$ is bigger or smaller
# than 1, in a product. It is an array, so neither; it enters a sum; and what is multiplied are the Jacobians
# $\partial h^{(t)} / \partial h^{(t-1)}$. With small weights the one has a size above 1 while the product of the others
# vanishes.

# %%
W = 0.1 * torch.linalg.qr(torch.randn(9, 9)).Q
h = states(torch.randn(20, 9), W)
print(
    "the derivative by W_hh is larger than 1:",
    bool(torch.linalg.matrix_norm(equation_19(h, W)) > 1),
)
product = torch.linalg.multi_dot([torch.diag(1 - h_t**2) @ W for h_t in h[1:].flip(0)])
print(
    "the product of 20 Jacobians is below 1e-19:",
    bool(torch.linalg.matrix_norm(product, 2) < 1e-19),
)

# %% [markdown]
# ### Clipping
#
# Question 1.2 calls `clip_grad_norm` element-wise. It multiplies all gradients by one factor, so that their norm, taken
# together, is at most the maximum; no element is cut off. (Its name today is `clip_grad_norm_`; the element-wise one is
# `clip_grad_value_`.) Nor does it simply make the step of RMSprop smaller. RMSprop divides by a root mean square of the
# gradients, so the length of the very first one drops out of its step, clipped or not. What clipping prevents is that
# one long gradient makes this mean so large that the steps after it are tiny.

# %%
weight = torch.nn.Parameter(torch.zeros(2))
for clip in (torch.nn.utils.clip_grad_norm_, torch.nn.utils.clip_grad_value_):
    weight.grad = torch.tensor([30.0, 40.0])
    clip([weight], 10.0)
    print(f"{clip.__name__:16}: (30, 40) becomes", weight.grad.numpy().round(2))


def steps(gradients):  # how far RMSprop goes, in learning rates
    weight = torch.nn.Parameter(torch.zeros(()))
    optimizer = torch.optim.RMSprop([weight], lr=1.0)
    for gradient in gradients:
        before, weight.grad = weight.item(), torch.tensor(gradient)
        optimizer.step()
        yield abs(weight.item() - before)


print("the first step of a gradient of 1000, of 10:", end=" ")
print([f"{next(steps([first])):.2f}" for first in (1000.0, 10.0)])
for longest in (1000.0, 10.0):
    taken = list(steps([1.0] * 500 + [longest] + [1.0]))
    print(
        f"a gradient of {longest:g} after many of 1: a step of {taken[-2]:.2f}, then "
        f"{taken[-1]:.2f}"
    )

# %% [markdown]
# ## Report, question 1.4, on optimizers
#
# ### RMSprop, equations 22 to 24
#
# The learning rate stands in equation 23 and again in equation 24, and the result is *added* to the weights. So the
# report's step is $-\eta$ times the right one, {eq}`eq-rnn-rmsprop` (with its $\varepsilon$): uphill, and for a rate of
# 0.001 a thousand times too short.


# %%
def equations_22_to_24(w, gradients, eta, alpha=0.99, epsilon=1e-8, printed=True):
    u = torch.zeros_like(w)
    for G in gradients:
        u = alpha * u + (1 - alpha) * G**2
        v = eta / torch.sqrt(u + epsilon) * G
        w = eta * v + w if printed else w - v
    return w


def of_torch(optimizer, gradients, **settings):  # from zero
    weight = torch.nn.Parameter(torch.zeros_like(gradients[0]))
    optimizer = optimizer([weight], **settings)
    for gradient in gradients:
        weight.grad = gradient.clone()
        optimizer.step()
    return weight.detach()


gradients = 1 + torch.rand(5, 3)  # all of them say: down
for name, printed in (("printed", True), ("mended ", False)):
    w = equations_22_to_24(torch.zeros(3), gradients, 0.001, printed=printed)
    print(name, [f"{entry:.1e}" for entry in w])
w = of_torch(torch.optim.RMSprop, gradients, lr=0.001)
print("PyTorch", [f"{entry:.1e}" for entry in w])

# %% [markdown]
# ### Adam's time, equations 25 to 29
#
# To find $w^{(t+1)}$ these equations ask for the gradient $G^{(t+1)}$, at weights that are not there yet; meant is
# $G^{(t)}$. The moment with index $t + 1$ is divided by $1 - \beta^t$. Counted from $t = 0$, as the indices say, the
# first step divides by zero. The power is the number of gradients in the mean: $t + 1$ when the first step is $t = 0$,
# {eq}`eq-rnn-adam`; $t$ only where it is $t = 1$. And $u$ and $s$ are estimates of two *moments* of the gradient, its
# mean and its mean square, not of momentum.


# %%
def equations_25_to_29(gradients, first, power, eta=0.1, beta_1=0.9, beta_2=0.999):
    w = u = s = torch.zeros_like(gradients[0])
    for t, G in enumerate(gradients, start=first):
        u = beta_1 * u + (1 - beta_1) * G
        s = beta_2 * s + (1 - beta_2) * G**2
        u_hat, s_hat = u / (1 - beta_1 ** power(t)), s / (1 - beta_2 ** power(t))
        w = w - eta * u_hat / (torch.sqrt(s_hat) + 1e-8)
    return w


right = of_torch(torch.optim.Adam, gradients, lr=0.1)
for name, first, power in (
    ("from t = 0, power t", 0, lambda t: t),
    ("from t = 0, power t + 1", 0, lambda t: t + 1),
    ("from t = 1, power t", 1, lambda t: t),
):
    w = equations_25_to_29(gradients, first, power)
    print(f"{name:24} finite: {bool(w.isfinite().all())!s:5}", end=" ")
    print("as PyTorch:", torch.allclose(w, right, rtol=0, atol=1e-12))

# %% [markdown]
# ### Under the root, or beside it
#
# Equations 23 and 29 add $\varepsilon$ under the root; Kingma and Ba, and PyTorch for both rules, add it to the root.
# It is no matter of taste with one value: for a steady gradient $g$ the steps of Adam are $\eta |g| / (|g| +
# \varepsilon)$ and $\eta |g| / \sqrt{g^2 + \varepsilon}$. With the usual $\varepsilon = 10^{-8}$ they agree to half a
# hundredth down to $|g| = 10^{-3}$, and at $10^{-6}$ the second is a hundred times shorter. An $\varepsilon$ under the
# root should be about the square of one beside it.

# %%
for g in (1e-3, 1e-4, 1e-5, 1e-6):
    steady = torch.full((50, 1), g)
    beside = of_torch(torch.optim.Adam, steady, lr=1.0).abs().item() / 50
    under, square = (g / (g**2 + epsilon) ** 0.5 for epsilon in (1e-8, 1e-16))
    print(f"gradient {g:.0e}: step {beside:.3f} beside, {under:.3f} under", end="")
    print(f" the root, {square:.3f} with the square of ε")

# %% [markdown]
# ### A rate that starts high and falls
#
# A rate that is high at first and low in the end is said to be *exactly what RMSprop and Adam do*, with $\eta$ as the
# initial rate. They have a constant $\eta$ and divide it by the size of recent gradients. Where gradients shrink, as on
# the way into a minimum, $\eta / \sqrt s$ *rises*. A rate that falls is a schedule, which they need like any other rule
# where there is noise, {eq}`eq-rnn-floor`.

# %%
weight = torch.nn.Parameter(torch.tensor([1.0]))
optimizer = torch.optim.RMSprop([weight], lr=0.001)
rates = []
for _ in range(800):  # down the loss w²/2
    weight.grad = weight.detach().clone()
    optimizer.step()
    rates.append(0.001 / optimizer.state[weight]["square_avg"].sqrt().item())
lowest = min(range(800), key=rates.__getitem__)
print(f"the rate of RMSprop is lowest at step {lowest}: {rates[lowest]:.4f};", end="")
print(f" at step 800 it is {rates[-1] / rates[lowest]:.0f} times as high")

# %% [markdown]
# ### Momentum, and what SGD is stuck in
#
# Equations 20 and 21 are right: $v$ carries the minus sign and is added. But $v$ is called a weight update and a
# *retained gradient*. It is the update, with the rate inside. With the rate outside, as in {eq}`eq-rnn-momentum` and
# in PyTorch, the path is the same as long as the rate is, and another one when the rate is changed: old updates
# keep the old rate. And SGD is not *stuck* in a ravine, nor does it converge there to another point: below the limit
# {eq}`eq-rnn-sgd-limit` it arrives from everywhere, after many steps.


# %%
def equations_20_and_21(gradients, rates, alpha=0.9):
    w = v = torch.zeros_like(gradients[0])
    for G, eta in zip(gradients, rates, strict=True):
        v = alpha * v - eta * G
        w = v + w
    return w


def rate_outside(gradients, rates):
    weight = torch.nn.Parameter(torch.zeros_like(gradients[0]))
    optimizer = torch.optim.SGD([weight], lr=1.0, momentum=0.9)
    for gradient, eta in zip(gradients, rates, strict=True):
        optimizer.param_groups[0]["lr"] = eta
        weight.grad = gradient.clone()
        optimizer.step()
    return weight.detach()


many = torch.ones(40)
for name, rates in (
    ("constant", [0.1] * 40),
    ("a tenth from step 20 on", [0.1] * 20 + [0.01] * 20),
):
    report = equations_20_and_21(many, rates)
    outside = rate_outside(many, rates)
    print(f"{name:24} report {report:.2f}, PyTorch {outside:.2f}")

# %% [markdown]
# ## Report, questions 1.3 and 1.6
#
# ### Odd lengths and even ones
#
# For longer palindromes, both answers say, odd lengths are easier than even ones, and accuracy decreases with length.
# Each point of their figures is one run. With ten seeds a length, odd lengths win against the even ones next to them
# where they are the shorter ones, and hardly or not where they are the longer ones. Nor does the accuracy of a network
# decrease: it stays near 1 in some seeds and falls to 0.1, 0.2 or 0.3 in others, and their share changes.
# {doc}`/rnn/palindromes` tests it. (Of a palindrome of $T + 1$ digits the network reads $T$, which is what the report
# counts: its odd lengths are palindromes of an *even* number of digits.)

# %%
runs = records.load("palindromes")
for cell in ("rnn", "lstm"):
    solved = {
        T: palindromes.outcomes(runs[f"{cell}_{T:02}"]).count("solved")
        for T in range(5, 21)
    }
    for shorter, longer, first in (("odd", "even", 5), ("even", "odd", 6)):
        pairs = [(solved[T], solved[T + 1]) for T in range(first, 20, 2)]
        one, other = (sum(column) for column in zip(*pairs, strict=True))
        print(f"{cell:4}, solved: {one} {shorter}, {other} {longer} and longer by one")
told = sorted(runs["rnn_19"]["metrics"]["test_accuracy"])
print("accuracies of the RNN at 19 digits:", *(f"{share:.2f}" for share in told))

# %% [markdown]
# ### How many steps
#
# The protocol of questions 1.3 and 1.6 has 10,000 steps. For question 2.1 the report says that all of its models were
# trained for 150,000, and its tables of samples end at step 10,000. The two are not close. Here is how many times each
# book is read, in batches of 128 windows of 30 characters (which are this book's). The later edition, of 2021, asks for
# something else again, stages of the training such as one and five epochs.

# %%
for name in ("communist_manifesto", "sherlock", "bible"):
    length = records.load("text", name)["metrics"]["num_read"]
    reads = [steps * 128 * 30 / length for steps in (10_000, 150_000)]
    print(f"{name:19}: read {reads[0]:5,.0f} times in 10,000 steps,", end=" ")
    print(f"{reads[1]:6,.0f} in 150,000")

# %% [markdown]
# ## Report, section 1.3, on LSTMs
#
# ### The range of a sigmoid
#
# The range of $\sigma$ is given as $[0, 1]$. It is $(0, 1)$: with $\sigma(a) = 1 / (1 + e^{-a})$ both $\sigma(a)$ and
# $1 - \sigma(a) = \sigma(-a)$ are positive for every number $a$. So a gate is never quite open or closed, and its slope
# $\sigma(a)\, \sigma(-a)$ is never quite 0. On a machine, numbers are rounded, and near 1 sooner than near 0:

# %%
for dtype in (torch.float32, torch.float64):
    open_, closed = torch.sigmoid(torch.tensor([20.0, -20.0], dtype=dtype))
    print(f"{dtype}: σ(20) < 1 is {open_.item() < 1}, σ(−20) = {closed:.1e}")

# %% [markdown]
# ### A candidate that does not make the cell larger
#
# The $\tanh$ of $g$ is said to ensure that the cell does not grow much when $g$ is added. It ensures that one step adds
# less than 1. With open gates and $g$ near 1 the cell grows by nearly 1 at every step,
#
# $$
# c^{(t)} \to c^{(0)} + t \qquad \text{as all } a_k \to \infty .
# $$ (eq-errata-cell-counts)
#
# What may keep it small is a forget gate below 1: {eq}`eq-rnn-lstm-bound`. And $g$ is a candidate for the *cell*, not
# for the hidden state $h$, as the report calls it: $h$ is $\tanh c$ times the output gate.


# %%
def cells_with_open_gates(c, a, T):  # c(1), …, c(T): all four linear parts are a
    gate, g = torch.sigmoid(torch.tensor(a)), torch.tanh(torch.tensor(a))
    cells = []
    for _ in range(T):
        c = gate * c + gate * g
        cells.append(c)
    return torch.stack(cells)


print("a = 40:", cells_with_open_gates(torch.tensor(0.0), 40.0, 5).tolist())


# %% tags=["check"]
def cases():
    for T, c in ((1, 0.0), (5, -2.0), (30, 0.7)):
        layer = torch.nn.LSTM(1, 1)
        for weight in layer.parameters():
            torch.nn.init.zeros_(weight)
        layer.bias_ih_l0.data[:] = 40.0
        start = torch.full((1, 1, 1), c)
        ends = [
            layer(torch.zeros(t, 1, 1), (start, start))[1][1] for t in range(1, T + 1)
        ]
        yield torch.cat(ends).flatten(), c + torch.arange(1.0, T + 1)
        yield (
            cells_with_open_gates(torch.tensor(c), 40.0, T),
            c + torch.arange(1.0, T + 1),
        )


verify.equal("eq-errata-cell-counts", cases(), atol=1e-12, against="nn.LSTM")

# %% [markdown]
# ### One mapping for four
#
# The four gates are said to have the same linear mapping, and then counted as four mappings. The count is right, the
# words are not: they have the same *form*, with weights of their own. If they shared one mapping, it would hold a
# quarter of the weights, and $i$, $f$ and $o$ would be equal at every step.

# %%
shared = torch.randn(5) @ torch.randn(5, 3)  # one mapping: the same a for all
i, f, o = (torch.sigmoid(shared) for _ in range(3))
print("with one mapping, i = f = o:", torch.equal(i, f) and torch.equal(f, o))

# %% [markdown]
# ## Report, section 3.1
#
# ### A weighted average, of neighbours that are close
#
# The report calls the layer a weighted average over the neighbours, with weights that say how close they are. The
# weights do not sum to one, so it is a weighted *sum*, and the node itself is part of it. All neighbours are equally
# close, one hop; what the weights tell apart is degrees. On a path of four nodes:

# %%
path = torch.from_numpy(nx.to_numpy_array(nx.path_graph(4)))
A_hat = gcn_norm(path)
print("sums of the rows:", np.round(A_hat.sum(dim=1).numpy(), 3))
print("what node 1 takes from nodes 0, 1, 2, 3:", np.round(A_hat[1].numpy(), 3))

# %% [markdown]
# $H^{(l)}$ is called the representation of *a* node there. It is that of all nodes; a node's is its row $h_i$. And the
# pointer of that paragraph to "Eqn. 14" as a message passing function leads to a derivative of the recurrent network;
# equation 36 is meant.

# %% [markdown]
# ### How many layers for three hops
#
# The report asks for at most 3 layers to bring a feature over three hops. It is *at least* 3: with fewer nothing
# arrives; with more, thanks to the self-loops, it still does.

# %%
for layers in (2, 3, 4):
    arrives = torch.linalg.matrix_power(A_hat, layers)[0, 3]
    print(f"{layers} layers: {arrives:.3f} of a feature gets from node 3 to node 0")

# %% [markdown]
# ## Report, sections 3.2 and 3.3
#
#
# A sequence is called a chain in which every node is joined to a previous and a next one. The first has no previous
# node and the last no next one, and in the directed chain that makes a graph network a recurrent one, a node *receives*
# from its previous node only. With edges both ways and one weight, the direction of time is lost: reversed, the
# sequence gives the same states in reversed order. {doc}`/gnn/combining` shows both.
#
# Data are said to suit a recurrent network when they can be ordered along some axis. Any set of nodes can be numbered;
# what is needed is an order that *means* something, with the same rule at each place. Below, a recurrent network reads
# the nodes of one graph in two numberings and ends in two states.

# %%
X = torch.randn(4, 3)  # features of four nodes
rnn = torch.nn.RNN(3, 5)
ends = [rnn(X[order])[1] for order in ([0, 1, 2, 3], [2, 0, 3, 1])]
chain = np.eye(4, k=1)  # edges from each node to the next
print("in-degrees of a directed chain of four:", chain.sum(axis=0))
print("two numberings, one end state:", torch.allclose(*ends))

# %% [markdown]
# Section 3.2 lists fields of application with a reference each, and does not say what the nodes and edges are;
# {doc}`/gnn/graphs_in_time` does. Two of the references have since appeared in print: the survey in 2021, and the paper
# on dynamic graphs in 2020, as *Streaming Graph Neural Networks*.

# %% [markdown]
# ## What was shown
#
# The two documents are good guides with loose ends: a missing $\sqrt n$ and a conjugate in the theorem, a matrix that
# is printed wrong, degrees without their self-loops, a transpose, a bound that points the wrong way. None of them
# changes the story, and whoever types them in as printed gets wrong numbers.
