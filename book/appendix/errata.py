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
# questions are those of the two documents. So far the page covers their sections on graphs; the derivations are in
# {doc}`/gnn/message_passing`, {doc}`/gnn/circulant`, {doc}`/gnn/equivariance` and {doc}`/gnn/molecules`.

# %% tags=["parameters"]
profile = "smoke"
seed = 0

# %% tags=["set-up"]
import json

from helpers import data, parameters, records, verify
from helpers.gnn import molecules
from helpers.gnn.circulant import circulant, dft_matrix, eigenvalues
from helpers.gnn.layers import gcn_norm

import networkx as nx
import numpy as np
import torch
from rdkit import Chem
from torch_geometric.nn import GCNConv

parameters.check(globals(), profile=("smoke", "full"), seed=range(2**31))
rng = np.random.default_rng(seed)
torch.manual_seed(seed)
torch.set_default_dtype(torch.float64)
sizes = (3, 8, 13)  # the rings on which claims are checked

# %% [markdown]
# ## Assignment, section 3.1 and equations 27 and 28
#
# ### The degree in equation 27
#
# Equation 27 is announced as the same operation as equation 18, and writes the degree $D$. It is the same only with
# the degrees $\tilde d_i$ of $A + I$:
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
    for graph in (nx.path_graph(3), nx.star_graph(4), nx.karate_club_graph()):
        A = torch.from_numpy(nx.to_numpy_array(graph, weight=None))
        equation_18 = GCNConv(len(A), len(A), bias=False)
        equation_18.lin.weight.data = torch.eye(len(A))  # with H = I and W = I it is Â
        yield equation_27(A), equation_18(torch.eye(len(A)), A.nonzero().T)
        root = A.sum(dim=1) ** -0.5  # the degrees of A will not do
        with_degrees_of_A = (A + torch.eye(len(A))) * torch.outer(root, root)
        yield torch.allclose(with_degrees_of_A, equation_27(A)), False


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
#
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
#
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
# {doc}`/gnn/combining` does. Two of the references have since appeared in print: the survey in 2021, and the paper on
# dynamic graphs in 2020, as *Streaming Graph Neural Networks*.

# %% [markdown]
# ## What was shown
#
# The two documents are good guides with loose ends: a missing $\sqrt n$ and a conjugate in the theorem, a matrix that
# is printed wrong, degrees without their self-loops, a transpose, a bound that points the wrong way. None of them
# changes the story, and whoever types them in as printed gets wrong numbers.
