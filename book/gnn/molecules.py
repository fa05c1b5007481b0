# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Molecules as lists
#
# A molecule is atoms and the bonds between them. To hand one to a computer you must number its atoms, and nature has
# no such numbers: in benzene no carbon is the first. The energy that holds the molecule together is the same whichever
# atom you begin with. **What does it cost a network to see an order that is not there?**
#
# You can measure it. QM9 {cite}`ramakrishnan2014qm9` holds some 130,000 small molecules, each with an energy that
# quantum chemistry computed. A multilayer perceptron (MLP) must read a molecule as a list and has to learn that the
# order of the list means nothing. This chapter sets the task, and tries it with an MLP; the next one, with a network
# that cannot see an order. Both networks get elements and bonds and nothing else, no place in space and no length of a
# bond.

# %% tags=["parameters"]
profile = "smoke"
seed = 0

# %% tags=["set-up"]
import itertools
import json
import math
import operator

from helpers import data, display, exercises, experiments, parameters, verify
from helpers.gnn import drawing, molecule_models, molecules

import matplotlib.pyplot as plt
import networkx as nx
import numpy as np
import torch
from matplotlib.colors import to_rgba
from torch_geometric.utils import to_dense_adj, to_dense_batch

parameters.check(globals(), profile=("smoke", "full"), seed=range(2**31))
display.use_book_style()
torch.manual_seed(seed)
torch.set_default_dtype(torch.float64)  # claims are held to 1e-12

# %% tags=["hide-input"]
HUES = dict(zip(molecules.ELEMENTS, display.COLORS, strict=False))
SHIFTS = {0: (0,), 1: (-0.07, 0.07), 2: (-0.12, 0, 0.12)}  # lines of a bond, by kind


PLACES = [(-0.6, 0), (0.6, 0), (1.5, 0.8), (-1.5, 0.8), (-1.5, -0.8), (1.5, -0.8)]
PLACES = np.array(PLACES)  # of the atoms of formamide


def draw_graph(ax, batch, places):
    kinds = batch.edge_attr.argmax(1).tolist()
    for (i, j), kind in zip(batch.edge_index.T.tolist(), kinds, strict=True):
        for shift in SHIFTS[kind] if i < j else ():
            drawing.edges(ax, places, [(i, j)], 1.1, alpha=1, shift=shift)
    elements = [molecules.ELEMENTS[k] for k in batch.x.argmax(1)]
    for element in sorted(set(elements)):
        atoms = [i for i, e in enumerate(elements) if e == element]
        label = [f"{e}{i}" for i, e in enumerate(elements)].__getitem__
        drawing.nodes(ax, places, atoms, HUES[element], label, size=21)
    ax.set(xlim=(-2.3, 2.3), ylim=(-1.4, 1.4), aspect="equal")
    ax.set_axis_off()


def numbered(batch, order):
    """One molecule, its new atom i the old atom order[i]."""
    new = batch.clone()
    new.x = batch.x[order]
    new.edge_index = torch.argsort(torch.tensor(order))[batch.edge_index]
    return new


def draw_two_orders():
    formamide = molecules.from_smiles("NC=O").batch([0])
    order = [5, 1, 3, 0, 4, 2]
    figures, axes = display.panels((3.4, 2.2), (3.4, 2.2))
    for ax, batch, where in (
        (axes[0], formamide, PLACES),
        (axes[1], numbered(formamide, order), PLACES[order]),
    ):
        draw_graph(ax, batch, where)
        ax.set_title(" ".join(molecules.ELEMENTS[k] for k in batch.x.argmax(1)))
    return figures


display.show(
    draw_two_orders(),
    alt="Formamide twice, as a graph with the same six atoms in the same places. On "
    "the left they are numbered N0 C1 O2 H3 H4 H5, on the right in another order, so "
    "that the list of elements above the graph is another one.",
    caption="One molecule, and two lists of its atoms. Which network does not care?",
)

# %% [markdown]
# ## What is to be predicted
#
# A row of QM9 is a molecule: its SMILES, which is its graph written as text, and its properties, computed. Of 133,885
# molecules the 3,054 are left out whose computed shape no longer fits the SMILES that it began with. Ours is the
# internal energy $U_0$ at 0 K. That is the energy of its electrons and nuclei, which vibrate even at 0 K, counted from
# the state in which all of them are far apart and at rest. Nearly all of it belongs to the single atoms, bound or not.
# What the *bonds* do is left when the energies $\varepsilon_e$ of free atoms are taken off, one for each of the five
# elements. With $n_e$ atoms of element $e$, the {term}`atomization energy` is
#
# $$
# y = U_0 - \sum_{e} n_e\, \varepsilon_e , \qquad e \in \{\mathrm{H}, \mathrm{C}, \mathrm{N}, \mathrm{O}, \mathrm{F}\} .
# $$ (def-gnn-atomization)
#
# It is negative, since bonds hold (chemists often count what it takes to part the atoms, which is $-y$). The atoms'
# energies come with QM9, the atomization energy does not: it has no column for it.
#
# In numbers, for methane: take the energies of its five atoms off, one after the other.

# %%
table = data.qm9()  # 130,831 rows
methane = table.index[table.SMILES == "C"][0]
left = table.InternalEnergy_0K_au[methane]
print(f"U_0 of methane {left:9.3f} Hartree")
for element in "CHHHH":
    energy = molecules.ATOM_ENERGY[molecules.ELEMENTS.index(element)]
    left -= energy
    print(f"  less {element}  {energy:7.3f}: {left:8.3f}")

# %% [markdown]
# A Hartree is 27.2 eV. What is left is a small part of $U_0$, and all of the chemistry.
#
# First, are the units and the atoms' energies right? For methane, the MoleculeNet collection {cite}`wu2018moleculenet`
# lists the atomization energy as
#
# $$
# y(\mathrm{CH_4}) = -396.0 \ \mathrm{kcal/mol} .
# $$ (eq-gnn-methane)

# %%
U_0 = torch.tensor(table.InternalEnergy_0K_au.to_numpy()) * molecules.HARTREE  # [M], eV
n = torch.tensor(json.loads(f"[{','.join(table.Stoichiometry)}]")).double()  # [M, 5]
epsilon = torch.tensor(molecules.ATOM_ENERGY) * molecules.HARTREE  # [5], eV
y = U_0 - n @ epsilon  # [M], eV
num_atoms = torch.tensor(table.N_atoms.to_numpy())  # [M]

# %% tags=["hide-input"]
display.glue("gnn-mol-count", f"{len(table):,}")
display.glue("gnn-mol-mean", f"{y.mean():.2f} eV".replace("-", "−"))
display.glue("gnn-mol-std", f"{y.std(correction=0):.2f} eV")
display.glue("gnn-mol-total-std", f"{U_0.std(correction=0):,.0f} eV")
display.glue("gnn-mol-smallest", f"{num_atoms.min()}")
display.glue("gnn-mol-largest", f"{num_atoms.max()}")

# %% tags=["check"]
kcal_per_mol = 0.0433641  # eV
verify.equal(
    "eq-gnn-methane",
    [(y[methane] / kcal_per_mol, -396.0)],
    atol=0.05,
    against="MoleculeNet's table",
)

# %% [markdown]
# Over all {glue:text}`gnn-mol-count` molecules the atomization energy has the mean {glue:text}`gnn-mol-mean` and the
# standard deviation {glue:text}`gnn-mol-std`. The total energy has a standard deviation of
# {glue:text}`gnn-mol-total-std`.


# %% tags=["hide-input"]
def draw_energies():
    figures, axes = display.panels((3.3, 2.5), (3.3, 2.5))
    for ax, energy, name in (
        (axes[0], U_0 / 1000, "total energy $U_0$ (keV)"),
        (axes[1], y, "atomization energy $y$ (eV)"),
    ):
        counts, edges = np.histogram(energy, bins=40)
        ax.stairs(counts / 1000, edges, fill=True, color=display.COLORS[0])
        ax.set(xlabel=name, ylabel="thousand molecules")
    return figures


display.show(
    draw_energies(),
    alt="Two histograms of QM9. The total energies make a narrow, ragged hill around −11 "
    "keV, some thousand eV wide. The atomization energies make a hill around −76 eV, "
    "some ten eV wide.",
    caption="Mind the units: what differs between molecules is mostly their atoms. What "
    "their bonds do is a small part of it.",
)

# %% [markdown]
# A network learns numbers near zero more easily than numbers near $-76$, so it is trained on the {term}`z-score` of
# the energy. Mean $\mu$ and standard deviation $s$ are part of the model, and a model may know its training data
# only. With the training split $\mathcal{T}$,
#
# $$
# \begin{gathered}
# z = \frac{y - \mu}{s} , \qquad \mu = \frac{1}{|\mathcal{T}|} \sum_{m \in \mathcal{T}} y_m , \\
# s^2 = \frac{1}{|\mathcal{T}|} \sum_{m \in \mathcal{T}} (y_m - \mu)^2 .
# \end{gathered}
# $$ (def-gnn-z-score)
#
# By its definition the z-score has the mean zero and the mean square one *on the training split*, and nowhere else
# exactly:
#
# $$
# \frac{1}{|\mathcal{T}|} \sum_{m \in \mathcal{T}} z_m = 0 , \qquad
# \frac{1}{|\mathcal{T}|} \sum_{m \in \mathcal{T}} z_m^2 = 1 .
# $$ (eq-gnn-z-score-training)
#
# Take $\mu$ and $s$ from all of the data instead, test molecules included: how much does that change?

# %%
train, validation, test = molecules.split(len(table), seed=0)  # 100,000, 10,000, rest
z_score = molecules.Standardizer.of(y[train])
z = z_score.standardize(y)
shift = abs(z_score.mean - y.mean().item())
stretch = abs(z_score.std / y.std(correction=0).item() - 1)

# %% tags=["hide-input"]
display.glue("gnn-mol-train", f"{len(train):,}")
display.glue("gnn-mol-test", f"{len(test):,}")
display.glue("gnn-mol-shift", f"{1000 * shift:.1f} meV")
display.glue("gnn-mol-stretch", f"{100 * stretch:.3f} %")

# %% tags=["check"]
order = np.random.RandomState(0).permutation(len(table))[:100_000]  # the split, anew
assert abs(z[validation].mean()) > 1e-6  # of another split it is not so
verify.equal(
    "eq-gnn-z-score-training",
    [(np.mean(z.numpy()[order]), 0.0), (np.mean(z.numpy()[order] ** 2), 1.0)],
    atol=1e-12,
    against="NumPy, on the molecules of the split",
)

# %% [markdown]
# Next to nothing: $\mu$ moves by {glue:text}`gnn-mol-shift` and $s$ by {glue:text}`gnn-mol-stretch`. And a model with
# an intercept and a scale of its own can undo any $\mu$ and $s$, so these two numbers tell it nothing about the test
# molecules. The habit is worth keeping all the same: what you compute from all of the data is not always two numbers
# that a model could have learned by itself, and the statistics of the training split cost nothing.
#
# ## The number to beat
#
# How well can you do without any bond, from the composition $n$ alone? Fit $\hat y = w^\top n + b$ by least squares.
# It knows no order of the atoms, so it is permutation invariant for free, and a network that does worse has learned
# nothing about bonds.
#
# Fit it to the total energy as well. Since $U_0 = y + \varepsilon^\top n$ by {eq}`def-gnn-atomization`, the two targets
# differ by a function that the model can represent: add $\varepsilon$ to $w$, and each residual stays what it is. So
# the best fits have the same residuals,
#
# $$
# U_0 - \hat U_0 = y - \hat y .
# $$ (eq-gnn-same-residuals)
#
# Yet $\langle z^2 \rangle$, the mean squared error of the z-score, divides the same residuals by another $s$:
#
# $$
# \frac{\langle z^2 \rangle \text{ of } U_0}{\langle z^2 \rangle \text{ of } y} = \frac{s_y^2}{s_{U_0}^2} .
# $$ (eq-gnn-z2-ratio)


# %%
def residuals(target):
    w_b = molecules.fit_composition(n[train], target[train])  # [6]: slopes, intercept
    return target - (n @ w_b[:-1] + w_b[-1])


def std(target):
    return molecules.Standardizer.of(target[train]).std


def mean_z2(target, part):
    return (residuals(target)[part] / std(target)).square().mean()


composition_mae = residuals(y)[test].abs().mean()  # eV


# %% tags=["hide-input"]
def draw_composition():
    figures, axes = display.panels((3.3, 3.0), (3.3, 3.0))
    few = test[:400]
    for ax, energy, name, unit in (
        (axes[0], U_0 / 1000, "total energy", "keV"),
        (axes[1], y, "atomization energy", "eV"),
    ):
        truth, said = energy[few], (energy - residuals(energy))[few]
        ax.plot(truth, said, ".", ms=4, color=display.COLORS[0])
        ends = [truth.min(), truth.max()]
        ax.plot(ends, ends, "-", color=display.INK, lw=0.8, marker="")
        ax.set(xlabel=f"truth ({unit})", ylabel=f"fitted ({unit})", title=name)
    return figures


display.show(
    draw_composition(),
    alt="Energies fitted to the composition against true ones, for 400 test molecules. "
    "For the total energy all dots lie on the diagonal; for the atomization energy they "
    "scatter about it.",
    caption="The same residuals twice. On the scale of the total energy they cannot be "
    "seen, on that of the bonds they can.",
)

# %% tags=["hide-input"]
z2_total, z2_atom = mean_z2(U_0, test), mean_z2(y, test)
display.glue("gnn-mol-z2-total", f"{z2_total:.7f}")
display.glue("gnn-mol-z2-boast", f"{10 * z2_total:.5f}")
display.glue("gnn-mol-z2-atom", f"{z2_atom:.4f}")
display.glue("gnn-mol-composition", f"{1000 * composition_mae:.0f} meV")
display.table(
    {
        "model": f"composition, {name}",
        "mean z²": f"{mean_z2(target, test):.2g}",
        "mean absolute error (meV)": (
            f"{1000 * residuals(target)[test].abs().mean():.1f}"
        ),
    }
    for name, target in {"total energy": U_0, "atomization energy": y}.items()
)


# %% tags=["check"]
def cases():
    columns = np.column_stack([n.numpy(), np.ones(len(n))])  # [M, 6]
    for energy in (U_0.numpy(), y.numpy()):
        w = np.linalg.lstsq(columns[train], energy[train])[0]
        yield residuals(U_0), energy - columns @ w
        yield residuals(y), energy - columns @ w


verify.equal(
    "eq-gnn-same-residuals", cases(), atol=1e-6, against="NumPy's least squares"
)


# %% tags=["check"]
def z2_of_a_fit_to_z(energy, part):
    """Mean squared error of least squares on the z-scores themselves, by NumPy."""
    chosen = energy.numpy()[train]
    target = (energy.numpy() - np.mean(chosen)) / np.std(chosen)
    columns = np.column_stack([n.numpy() / 29, np.ones(len(n))])
    w = np.linalg.lstsq(columns[train], target[train])[0]
    return np.mean((columns[part] @ w - target[part]) ** 2)


def cases():
    by_spread = (np.std(y.numpy()[train]) / np.std(U_0.numpy()[train])) ** 2
    for part in (train, validation, test):
        fitted = z2_of_a_fit_to_z(U_0, part) / z2_of_a_fit_to_z(y, part)
        yield mean_z2(U_0, part) / mean_z2(y, part), fitted
        yield by_spread, fitted


verify.equal("eq-gnn-z2-ratio", cases(), rtol=1e-6, against="fits to both z-scores")

# %% [markdown]
# Six numbers and no bond give a mean $z^2$ of {glue:text}`gnn-mol-z2-total` on the total energy. A network that reports
# ten times as much, {glue:text}`gnn-mol-z2-boast`, still sounds excellent, and is worse than counting atoms. On the
# atomization energy the same fit has {glue:text}`gnn-mol-z2-atom`. A mean absolute error in meV cannot be dressed up
# like that, which is why you find both numbers below. **To beat: {glue:text}`gnn-mol-composition`.**
#
# ## A molecule as a list of numbers
#
# An MLP takes a vector of a fixed length. Look at a few molecules, and two things stand in the way. Their sizes
# differ, from {glue:text}`gnn-mol-smallest` to {glue:text}`gnn-mol-largest` atoms. And a vector has a first entry,
# where a molecule has no first atom.
#
# The way around the first is padding. Let $X \in \{0, 1\}^{29 \times 5}$ hold the elements, one-hot, and
# $B \in \{0, 1\}^{29 \times 29 \times 4}$ the bonds, one-hot in the four kinds (single, double, triple, aromatic),
# with zeros where there is no atom or no bond. Written out row by row they are the input of the MLP:
#
# $$
# v = \big( \operatorname{vec} X, \operatorname{vec} B \big) , \qquad
# 29 \cdot 5 + 29^2 \cdot 4 = 3509 \ \text{numbers}.
# $$ (eq-gnn-padded-size)
#
# By hand, for water, O H H in this order: the first 15 numbers are $0\,0\,0\,1\,0$, $1\,0\,0\,0\,0$,
# $1\,0\,0\,0\,0$ (elements in the order H, C, N, O, F), then come 130 zeros, and of the last 3,364 four are 1: the two
# bonds, each in both directions. With the order H O H the first ten change places, and two of the four move.
#
# Where does 29 come from? From looking at all of QM9, the test molecules included. It works for QM9 and for nothing
# larger: a new molecule with 30 atoms does not fit, whatever the network has learned.

# %%
MAX_ATOMS = int(num_atoms.max())  # 29
drawn = molecules.from_smiles(table.SMILES.sample(200, random_state=seed))
sample = drawn.batch(range(200))


def padded(batch):
    X, _ = to_dense_batch(batch.x, batch.batch, max_num_nodes=MAX_ATOMS)  # [B, 29, 5]
    B = to_dense_adj(batch.edge_index, batch.batch, batch.edge_attr, MAX_ATOMS)
    return torch.cat([X.flatten(1), B.flatten(1)], dim=1)  # [B, 3509]


v = padded(sample)


# %% tags=["hide-input"]
def draw_sizes():
    sizes, counts = num_atoms.unique(return_counts=True)
    fig, ax = plt.subplots(figsize=(4.2, 2.4))
    ax.bar(sizes, counts, fc=to_rgba(display.COLORS[0], 0.3), ec=display.INK)
    ax.set(xlabel="atoms of a molecule", ylabel="molecules")
    return fig


display.glue("gnn-mol-ones", f"{v.sum(dim=1).mean():.0f}")
display.show(
    draw_sizes(),
    alt="Bars: how many molecules of QM9 have how many atoms. Most have 14 to 22, few "
    "less than 10 or more than 25, none more than 29.",
    caption="An MLP takes vectors of one size, and molecules have many. Padded, all "
    "of them have 29 places.",
)


# %% tags=["check"]
def cases():
    places = molecule_models.padded_inputs(sample)  # molecule and input of each 1
    ones = torch.zeros(200, 3509).index_put(places, torch.ones(()))
    yield v, ones
    yield 29 * 5 + 29**2 * 4, ones.shape[1]


verify.equal("eq-gnn-padded-size", cases(), against="the inputs that the MLP takes")

# %% [markdown]
# Of the 3,509 numbers about {glue:text}`gnn-mol-ones` are not zero. The second trouble, the order, is still there, and
# padding makes it worse. Number the atoms anew, so that new atom $i$ is old atom $\pi(i)$. With a permutation matrix
# $P \in \{0, 1\}^{29 \times 29}$ that mixes the atoms and leaves the empty places where they are, the input becomes
#
# $$
# X \mapsto P X , \qquad B_{\cdot\cdot r} \mapsto P\, B_{\cdot\cdot r}\, P^\top \quad (r = 1, \dots, 4) ,
# $$ (eq-gnn-padded-permuted)
#
# another vector $v$ for the same molecule. How many such vectors are there? Of the $N!$ numberings, two give the same
# vector just if a symmetry of the molecule takes one to the other. A molecule with $|\mathrm{Aut}(G)|$
# {term}`symmetries <automorphism>` has
#
# $$
# \#\{\text{inputs for } G\} = \frac{N!}{|\mathrm{Aut}(G)|} .
# $$ (eq-gnn-numberings)


# %%
def permutation_matrix(order):
    P = torch.eye(MAX_ATOMS)
    P[: len(order)] = torch.eye(MAX_ATOMS)[order]  # row i has its 1 at π(i)
    return P


def permuted(v, P):
    X, B = v[:145].view(29, 5), v[145:].view(29, 29, 4)
    PBP = torch.einsum("ik,klr,jl->ijr", P, B, P)  # P B Pᵀ for each kind r
    return torch.cat([(P @ X).flatten(), PBP.flatten()])


def symmetries(batch):
    """How many renumberings keep elements and bonds: |Aut(G)|."""
    graph = nx.Graph()
    for i, element in enumerate(batch.x.argmax(1).tolist()):
        graph.add_node(i, kind=element)
    bonds = batch.edge_attr.argmax(1).tolist()
    for (i, j), bond in zip(batch.edge_index.T.tolist(), bonds, strict=True):
        graph.add_edge(i, j, kind=bond)
    same = {"node_match": operator.eq, "edge_match": operator.eq}
    matcher = nx.isomorphism.GraphMatcher(graph, graph, **same)
    return sum(1 for _ in matcher.isomorphisms_iter())


def num_inputs(batch):
    return math.factorial(batch.num_nodes) // symmetries(batch)


# %% tags=["hide-input"]
benzene = molecules.from_smiles("c1ccccc1").batch([0])
display.glue("gnn-mol-benzene", f"{num_inputs(benzene):,}")


# %% tags=["check"]
def cases():
    for m in range(20):
        one = drawn.batch([m])
        order = torch.randperm(one.num_nodes).tolist()
        by_matrices = permuted(padded(one)[0], permutation_matrix(order))
        assert not torch.equal(by_matrices, padded(one)[0])  # the order did change
        yield by_matrices, padded(numbered(one, order))[0]


verify.equal("eq-gnn-padded-permuted", cases(), against="the atoms numbered anew")


# %% tags=["check"]
def cases():
    # In CF only the elements tell neighbours apart, in ozone, the last, only the bonds.
    for smiles in ("C", "N", "C=O", "C#N", "O", "CF", "O=[O+][O-]"):
        graph = molecules.from_smiles(smiles).batch([0])
        inputs = {
            tuple(padded(numbered(graph, list(order)))[0].tolist())
            for order in itertools.permutations(range(graph.num_nodes))
        }
        yield num_inputs(graph), len(inputs)


verify.equal("eq-gnn-numberings", cases(), against="trying all numberings")

# %% [markdown]
# For benzene that makes {glue:text}`gnn-mol-benzene` vectors, and one energy. The MLP would have to be told of each.
# Here are the bonds in two vectors of one molecule, acetamide.


# %% tags=["hide-input"]
MARKS = dict(zip(molecules.BONDS, "os^D", strict=True))


def draw_bonds(ax, batch, title):
    for r, (name, mark) in enumerate(MARKS.items()):
        i, j = batch.edge_index[:, batch.edge_attr.argmax(1) == r]
        if len(i):
            ax.plot(j, i, linestyle="none", marker=mark, label=name.lower())
    ax.set(xlim=(-1, 29), ylim=(29, -1), aspect="equal", title=title)
    ax.set(xlabel="place $j$", ylabel="place $i$")
    elements = " ".join(molecules.ELEMENTS[k] for k in batch.x.argmax(1))
    ax.text(28, 27, elements, ha="right")


def draw_two_numberings():
    acetamide = molecules.from_smiles("CC(=O)N").batch([0])
    order = torch.randperm(9, generator=torch.Generator().manual_seed(0)).tolist()
    figures, axes = display.panels((3.4, 3.6), (3.4, 3.6))
    draw_bonds(axes[0], acetamide, "as its SMILES has it")
    draw_bonds(axes[1], numbered(acetamide, order), "numbered anew")
    axes[1].legend(title="bond")
    return figures


display.show(
    draw_two_numberings(),
    alt="Two patterns of the bonds of acetamide among 29 by 29 places, with the "
    "elements written below. Both fill only the first nine places; one begins C C O "
    "N, the other has another order, and its cells lie elsewhere.",
    caption="One molecule, and two inputs for the MLP that have little in common.",
)

# %% [markdown]
# Nothing in the MLP ties its weights for place 3 to those for place 7. Take a small one with random weights, number
# the atoms of one molecule in 200 ways, and compare the outputs with those for 200 different molecules.

# %%
mlp = molecule_models.MoleculeMLP(hidden=32, layers=2)
same = drawn.batch([0] * 200)  # 200 copies of one molecule
with torch.no_grad():
    numberings = mlp(molecules.permute_atoms(same, torch.Generator().manual_seed(0)))
    different = mlp(sample)


# %% tags=["hide-input", "nbval-ignore-output"]
def draw_outputs():
    fig, ax = plt.subplots(figsize=(4.2, 2.4))
    rows = {"one molecule,\n200 numberings": numberings, "200 molecules": different}
    jitter = np.random.default_rng(0).uniform(-0.3, 0.3, 200)  # so that none hides
    for k, outputs in enumerate(rows.values()):
        ax.plot(outputs, k + jitter, linestyle="none", ms=3)
    ax.set(xlabel="output of the MLP", yticks=[0, 1], yticklabels=rows)
    ax.set_ylim(-0.6, 1.6)
    return fig


display.show(
    draw_outputs(),
    alt="Two rows of 200 dots: the outputs of an untrained MLP for one molecule in 200 "
    "numberings, and for 200 molecules. Both rows spread over a similar range.",
    caption="To an MLP, another numbering is another molecule.",
)

# %% tags=["hide-input"]
display.glue("gnn-mol-mlp-ratio", f"{numberings.std() / different.std():.1f}")
display.glue("gnn-mol-mlp-distinct", f"{len(numberings.unique())}")

# %% [markdown]
# The one molecule gets {glue:text}`gnn-mol-mlp-distinct` different outputs, and their standard deviation is
# {glue:text}`gnn-mol-mlp-ratio` times that of the outputs for the different molecules. Training does not mend this by
# itself: it shows each molecule in one numbering, that of its SMILES, which is far from random (heavy atoms first,
# neighbours near each other).
#
# You can show the MLP many numberings: permute each molecule anew each time it is trained on. That is *data
# augmentation*. What is it worth, and what is an MLP worth without it?
#
# ## Trained on all of it
#
# {doc}`/experiments/qm9` trains MLPs of {glue:text}`gnn-mol-mlp-layers` hidden layers with
# {glue:text}`gnn-mol-mlp-hidden` units each, {glue:text}`gnn-mol-mlp-parameters` parameters, on
# {glue:text}`gnn-mol-train` molecules. Some see each molecule in the order of its SMILES, one sees its atoms permuted
# anew in each of the {glue:text}`gnn-mol-mlp-epochs` epochs; all else is the same. Then they are scored on
# {glue:text}`gnn-mol-test` other molecules, as they come and with their atoms permuted. What you read from here on is
# taken from the records of these runs. The split is the same for all; a seed changes the first weights and the order
# of the data.

# %% tags=["hide-input"]
MODELS = {"MLP": "mlp", "MLP, permuted copies": "mlp_permuted"}
PLAIN, COPIES = MODELS
runs_of = {
    model: [
        experiments.load("qm9", name)
        for name, run in experiments.listed("qm9").items()
        if run.group == group
    ]
    for model, group in MODELS.items()
}


def values(model, metric):
    return [run["metrics"][metric] for run in runs_of[model]]


def last(model, curve):
    return [1000 * run["curves"][curve][-1] for run in runs_of[model]]


def cells(model, which):
    z2 = [1000 * value for value in values(model, f"{which}_z2")]
    errors = values(model, f"{which}_mae_mev")
    return experiments.spread(z2), experiments.spread(errors)


ORDERS = {"test, as they come": "test", "test, atoms permuted": "test_permuted"}
UNITS = "10³ z²", "error (meV)"
counted = f"{1000 * z2_atom:.4g}", f"{1000 * composition_mae:.4g}"
rows = [
    {
        ("", "model"): model,
        ("", "seeds"): f"{len(group)}",
        ("last epoch", "10³ z²"): experiments.spread(last(model, "train_loss")),
        **{
            (order, unit): text
            for order, which in ORDERS.items()
            for unit, text in zip(UNITS, cells(model, which), strict=True)
        },
    }
    for model, group in runs_of.items()
]
rows.append(
    {("", "model"): "composition", ("", "seeds"): "–"}
    | {("last epoch", "10³ z²"): f"{1000 * mean_z2(y, train):.4g}"}
    | {(order, u): c for order in ORDERS for u, c in zip(UNITS, counted, strict=True)}
)
display.table(rows)


# %% tags=["hide-input"]
def mean(numbers):
    return sum(numbers) / len(numbers)


for key, model in (("mlp", PLAIN), ("aug", COPIES)):
    for name, which in ((key, "test"), (f"{key}-permuted", "test_permuted")):
        text = experiments.spread(values(model, f"{which}_mae_mev"))
        display.glue(f"gnn-mol-{name}", f"{text} meV")
    text = experiments.spread(last(model, "train_loss"))
    display.glue(f"gnn-mol-{key}-z2-train", text)
z2 = experiments.spread([1000 * value for value in values(PLAIN, "test_z2")])
display.glue("gnn-mol-mlp-z2-test", z2)
display.glue("gnn-mol-mlp-seeds", f"{len(runs_of[PLAIN])}")
z2 = experiments.spread(last(COPIES, "validation_z2"))
display.glue("gnn-mol-aug-z2-valid", z2)
for name in ("layers", "hidden", "epochs"):
    display.glue(f"gnn-mol-mlp-{name}", f"{runs_of[PLAIN][0]['parameters'][name]}")
display.glue("gnn-mol-mlp-parameters", f"{values(PLAIN, 'num_parameters')[0]:,}")
before, after = values(PLAIN, "test_z2"), values(PLAIN, "test_permuted_z2")
change = mean([b / a for a, b in zip(before, after, strict=True)])
display.glue("gnn-mol-mlp-change", f"{change:,.0f}")
counting = 1000 * composition_mae.item()
permuted_error = mean(values(PLAIN, "test_permuted_mae_mev"))
overfit = mean(values(PLAIN, "test_z2")) / mean(last(PLAIN, "train_loss")) * 1000
for name, ratio in {
    "mlp-overfit": overfit,
    "permuted-over-composition": permuted_error / counting,
}.items():
    display.glue(f"gnn-mol-{name}", f"{ratio:.1f}")

# What the text below says of the records.
error, of_copies = (mean(values(model, "test_mae_mev")) for model in MODELS)
assert 3 * error < of_copies < counting < permuted_error and overfit > 3
assert abs(last(COPIES, "train_loss")[0] / last(COPIES, "validation_z2")[0] - 1) < 0.05
plain, copies = (runs_of[model][0]["parameters"] for model in MODELS)
differ = {name for name in plain if plain[name] != copies[name]}
assert differ <= {"augment", "run"}


# %% tags=["hide-input"]
def draw_training():
    figures, axes = display.panels((3.4, 3.4), (3.4, 3.4))
    styles = zip(runs_of.items(), display.COLORS, ("-", "--"), strict=False)
    for (model, group), hue, style in styles:
        label = f"{model} ({len(group)} seed{'s' * (len(group) > 1)})"
        for k, run in enumerate(group):
            line = {"color": hue, "linestyle": style, "marker": "", "lw": 1.3}
            epochs = range(1, 1 + len(run["curves"]["validation_z2"]))
            for ax, curve in zip(axes, ("train_loss", "validation_z2"), strict=True):
                ax.plot(
                    epochs, run["curves"][curve], label=None if k else label, **line
                )
    for ax, part, title in (
        (axes[0], train, "training (as it learns)"),
        (axes[1], validation, "validation"),
    ):
        level = mean_z2(y, part)
        ax.axhline(level, color=display.INK, lw=1, ls="-.", label="composition")
        ax.set(xlabel="epoch", yscale="log", ylim=(4e-5, 2), title=title)
    axes[0].set(ylabel="loss: mean $z^2$")
    axes[1].legend(loc="upper right")
    return figures


display.show(
    draw_training(),
    alt="The mean of z squared over the epochs, on a logarithmic axis: on the left on "
    "the training molecules, on the right on those of validation. The MLP ends lower in "
    "training than in validation, by a good part of a power of ten. The MLP with "
    "permuted copies ends at the same height in both, far above it, and below the line "
    "of the composition.",
    caption="The loss, for the molecules that are learned from and for others. In the "
    "order of SMILES the MLP overfits; shown ever new orders, it underfits.",
)

# %% [markdown]
# Take the MLP in the order of SMILES first. It beats counting atoms by far: {glue:text}`gnn-mol-mlp`
# ({glue:text}`gnn-mol-mlp-seeds` seeds) against {glue:text}`gnn-mol-composition`. So a list does tell it of bonds. But
# what it knows best are the molecules that it learned from: in its last epoch its mean $10^3 z^2$ on these is
# {glue:text}`gnn-mol-mlp-z2-train`, taken while the weights still move, and on the test molecules
# {glue:text}`gnn-mol-mlp-z2-test`, {glue:text}`gnn-mol-mlp-overfit` times as much. It *overfits*.
#
# Now number the atoms of the *test* molecules at random. The molecules are the same, so are the true energies.
#
# - The MLP's mean $z^2$ becomes {glue:text}`gnn-mol-mlp-change` times what it was. Its mean absolute error is
#   {glue:text}`gnn-mol-mlp-permuted`, {glue:text}`gnn-mol-permuted-over-composition` times that of counting atoms.
#   What it had learned was about places in a list.
# - The MLP that was trained on permuted copies (one seed) has {glue:text}`gnn-mol-aug` before and
#   {glue:text}`gnn-mol-aug-permuted` after: a new order no longer fools it. But its error is large, and as large in
#   training ($10^3 z^2$ {glue:text}`gnn-mol-aug-z2-train`) as in validation ({glue:text}`gnn-mol-aug-z2-valid`). It
#   does not overfit, it *underfits*. Whether more weights and epochs would mend that is open; what the run shows is the
#   price, not that symmetry cannot be learned.
#
# So an order that is not there costs an MLP much in either way. The first has to be asked in the order that it knows.
# The second may be asked in any, and knows less of each molecule.


# %% [markdown]
# ## What was shown
#
# - Composition alone predicts the *total* energy with a mean $z^2$ of {glue:text}`gnn-mol-z2-total`. A small $z^2$ says
#   little; the atomization energy and an error in meV say what the bonds are worth.
# - An MLP reads a molecule as 3,509 numbers, padded to a size that one knows from all of the data, in one of
#   $N! / |\mathrm{Aut}(G)|$ orders. It is not invariant.
# - Trained in the order of SMILES it beats counting atoms, knows the training molecules better than others, and fails
#   on another order. Trained on permuted copies it does not mind the order, and underfits (one seed).
#
# Can a network be built that has nothing to learn about the order, because it cannot see one? That is the subject of
# {doc}`molecule_networks`.
#
# ## Exercises


# %% [markdown]
# :::{exercise} Into an MLP
# :label: ex-gnn-molecule-input
# (a) Look at the first few molecules of QM9. What stands in the way of training an MLP on them? What do you need to
# know of the *whole* data set, test molecules included, to get around it, and what happens with a molecule found
# tomorrow? (b) Write `padded_input(x, edge_index, edge_attr)`: the vector $v$ of {eq}`eq-gnn-padded-size` for one
# molecule, elements `x` $[N, 5]$ first and then bonds `edge_attr` $[E, 4]$, with zeros where there is nothing.
# :::

# %% [markdown] tags=["solution"]
# :::{solution-start} ex-gnn-molecule-input
# :class: dropdown
# :::
# (a) Methane has 5 atoms, ammonia 4, water 3: the inputs have different lengths, and an MLP's first matrix has one. If
# you know that no molecule of QM9 has more than 29 atoms, you can pad all of them to 29. That uses the test set before
# the test. In a random split the largest molecule is likely to be in the training part as well, but nothing says so,
# and a new molecule of 30 atoms has no place: the network cannot be asked about it. A new *element* would not fit
# either. And padding does nothing about the order of the atoms.
#
# (b) It is two arrays, filled and flattened.


# %% tags=["solution"]
def padded_input(x, edge_index, edge_attr):
    X, B = torch.zeros(29, 5), torch.zeros(29, 29, 4)
    X[: len(x)] = x
    B[edge_index[0], edge_index[1]] = edge_attr
    return torch.cat([X.flatten(), B.flatten()])


# %% [markdown] tags=["solution"]
# :::{solution-end}
# :::

# %%
exercises.check("gnn/molecules/padded_input", padded_input)

# %% [markdown]
# :::{exercise} An MLP for energies
# :label: ex-gnn-molecule-mlp
# (a) Write `z_scored(y, train)`: the z-scores of all energies `y` $[M]$, with the statistics of the molecules `train`.
# (b) Write `build_mlp()`, which returns an `nn.Module` that takes padded molecules $[B, 3509]$ and returns their
# energies $[B]$. (c) Train such an MLP; show the validation loss curve and give the test error. What does the error
# mean, and what do you compare it with?
# :::

# %% [markdown] tags=["solution"]
# :::{solution-start} ex-gnn-molecule-mlp
# :class: dropdown
# :::
# (a) Both statistics come from the training molecules, and are applied to all. (b) Two hidden layers will do; mind that
# the last layer has *one* output, whose axis has to go: a loss of $[B, 1]$ against $[B]$ compares all with all.
# (c) {doc}`/experiments/qm9` does it, and the section "Trained on all of it" shows the validation loss and the table:
# {glue:text}`gnn-mol-mlp-layers` hidden layers of {glue:text}`gnn-mol-mlp-hidden` units end at {glue:text}`gnn-mol-mlp`
# on the test molecules. Compare with the composition's {glue:text}`gnn-mol-composition`, not with zero, and not with a
# $z^2$ for the total energy, whose $s$ is a hundred times as large.


# %% tags=["solution"]
def z_scored(y, train):
    return (y - y[train].mean()) / y[train].std(correction=0)


class MLP(torch.nn.Module):
    def __init__(self, hidden=64):
        super().__init__()
        self.layers = torch.nn.Sequential(
            torch.nn.Linear(3509, hidden),
            torch.nn.ReLU(),
            torch.nn.Linear(hidden, hidden),
            torch.nn.ReLU(),
            torch.nn.Linear(hidden, 1),
        )

    def forward(self, v):  # [B, 3509] → [B]
        return self.layers(v).squeeze(1)


def build_mlp():
    return MLP()


# %% [markdown] tags=["solution"]
# :::{solution-end}
# :::

# %%
exercises.check("gnn/molecules/z_scored", z_scored)

# %%
exercises.check("gnn/molecules/build_mlp", build_mlp)

# %% [markdown]
# :::{exercise} The same molecules in another order
# :label: ex-gnn-molecule-permuted
# (a) The atomization energy does not change when the atoms are numbered anew. Does the trained MLP know? Permute the
# atoms of the test molecules only, and give its test error. (b) Write `permute(x, edge_index, order)`, which returns
# the features and edges of a molecule whose new atom $i$ is the old atom `order[i]`. Edges keep their places in the
# list.
# :::

# %% [markdown] tags=["solution"]
# :::{solution-start} ex-gnn-molecule-permuted
# :class: dropdown
# :::
# (a) It does not: {glue:text}`gnn-mol-mlp` become {glue:text}`gnn-mol-mlp-permuted`, and the mean $z^2$ is
# {glue:text}`gnn-mol-mlp-change` times what it was. RDKit lists heavy atoms before hydrogens and neighbours near each
# other; in a random order the MLP's input looks like nothing it was trained on. Training with permuted copies gives
# {glue:text}`gnn-mol-aug-permuted`. (b) Features move by `order`; an edge holds *names* of atoms, and old name
# `order[i]` becomes $i$: that is the inverse permutation. To use `order` itself there is the classic mistake, and for
# a permutation that swaps two atoms it goes unnoticed.


# %% tags=["solution"]
def permute(x, edge_index, order):
    new_name = torch.empty_like(order)
    new_name[order] = torch.arange(len(order))
    return x[order], new_name[edge_index]


# %% [markdown] tags=["solution"]
# :::{solution-end}
# :::

# %%
exercises.check("gnn/molecules/permute", permute)

# %% [markdown]
# ## Further reading
#
# - Ramakrishnan and others {cite}`ramakrishnan2014qm9` computed QM9; Wu and others {cite}`wu2018moleculenet` keep it,
#   with other data sets, as a benchmark.
# - Montavon and others (2012), *Learning Invariant Representations of Molecules for Atomization Energy Prediction*,
#   train an MLP on molecules with their atoms in ever new orders. Theirs has the places of the atoms in space, far
#   fewer molecules and smaller ones, and gains by it: read it beside the run above.
