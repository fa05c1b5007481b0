# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Molecules
#
# A molecule is atoms and the bonds between them. To hand one to a computer you must number its atoms, and nature has
# no such numbers: in benzene no carbon is the first. The energy that holds the molecule together is the same whichever
# atom you begin with. **What does it cost a network to see an order that is not there?**
#
# You can measure it. QM9 {cite}`ramakrishnan2014qm9` holds some 130,000 small molecules, each with an energy that
# quantum chemistry computed. An MLP must read a molecule as a list and has to learn that the order of the list means
# nothing. A graph network cannot see an order. Both get elements and bonds and nothing else, no place in space and no
# length of a bond.

# %% tags=["parameters"]
profile = "smoke"
seed = 0

# %% tags=["set-up"]
import itertools
import json
import math
import operator

from helpers import data, display, exercises, experiments, parameters, records, verify
from helpers.gnn import drawing, molecule_models, molecules

import matplotlib.pyplot as plt
import networkx as nx
import numpy as np
import torch
from matplotlib.colors import to_rgba
from torch_geometric.data import Batch
from torch_geometric.nn import MFConv, RGCNConv
from torch_geometric.utils import from_smiles as pyg_from_smiles
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


def draw_graph(ax, batch, places, bonds=True):
    kinds = batch.edge_attr.argmax(1).tolist()
    for (i, j), kind in zip(batch.edge_index.T.tolist(), kinds, strict=True):
        for shift in SHIFTS[kind] if bonds and i < j else ():
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
display.glue("gnn-mol-composition", f"{composition_mae:.2f} eV")
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
# atomization energy the same fit has {glue:text}`gnn-mol-z2-atom`. A mean absolute error in eV cannot be dressed up
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
# augmentation*, and one run below does it.

# %% [markdown]
# ## A weight for each kind of bond
#
# {doc}`message_passing` asked what a linear layer may use if names mean nothing. One weight for the node itself, one
# for its neighbours. A molecule has more to say: its bonds come in kinds $r$, and a relabelling takes a double bond to
# a double bond. So each kind may have its own matrix. Write $\mathcal{N}_r(i)$ for the atoms bound to $i$ by a bond of
# kind $r$. The *relational graph convolution* {cite}`schlichtkrull2018rgcn` sends $W_r^\top h_j$ along a bond of kind
# $r$, takes the mean over each kind, and adds a term of the atom itself:
#
# $$
# h_i' = W_0^\top h_i + b + \sum_{r=1}^{4} \frac{1}{|\mathcal{N}_r(i)|} \sum_{j \in \mathcal{N}_r(i)} W_r^\top h_j ,
# $$ (eq-gnn-rgcn)
#
# with $W_r \in \mathbb{R}^{d \times d'}$, and no term for a kind of bond that the atom does not have. It is message
# passing as in {eq}`def-gnn-message-passing`, with a message that depends on the bond. PyG calls it `RGCNConv`. The
# cell writes the equation as it stands, one atom at a time. `helpers` has a fast one with the atoms sorted so that each
# matrix is used once; all three must agree.


# %%
def relational_layer(h, batch, W, W_0, b):
    source, target = batch.edge_index
    kind = batch.edge_attr.argmax(dim=1)  # [E]
    rows = []
    for i in range(len(h)):
        row = W_0.T @ h[i] + b  # [d']
        for r in range(len(W)):
            neighbours = source[(target == i) & (kind == r)]
            if len(neighbours):
                row = row + W[r].T @ h[neighbours].mean(dim=0)
        rows.append(row)
    return torch.stack(rows)  # [N, d']


def fast(layer, h, batch):
    bonds = molecule_models.Bonds(batch)  # wants the atoms sorted by degree
    return layer(h[bonds.order], bonds)[bonds.order.argsort()]


# No bond, one, all kinds of them; and some of QM9.
tricky = ["[F]", "[H][H]", "C#N", "c1ccccc1", "FC(F)(F)C#N", "O=CC1CC1"]
batches = [molecules.from_smiles(tricky).batch(range(6))]
batches += [drawn.batch([0, 1]), drawn.batch(range(2, 12))]


# %% tags=["check"]
def cases():
    for batch, d_in, d_out in zip(batches, (5, 3, 4), (4, 6, 1), strict=True):
        h = torch.randn(batch.num_nodes, d_in)
        layer = molecule_models.RelationalConvolution(d_in, d_out)
        torch.nn.init.normal_(layer.bias)
        pyg = RGCNConv(d_in, d_out, num_relations=4)
        pyg.load_state_dict(layer.state_dict())
        by_pyg = pyg(h, batch.edge_index, batch.edge_attr.argmax(1))
        yield relational_layer(h, batch, layer.weight, layer.root, layer.bias), by_pyg
        yield fast(layer, h, batch), by_pyg


verify.equal("eq-gnn-rgcn", cases(), atol=1e-12, against="PyG's RGCNConv")

# %% [markdown]
# ## A weight for each number of bonds
#
# A mean forgets how many it was taken over: the carbon of formaldehyde, with two hydrogens, and that of hydrogen
# cyanide, with one, hear the same over their single bonds. What else is there that a relabelling cannot change? The
# degree $d_i = |\mathcal{N}(i)|$, the number of atoms that $i$ is bound to. With our five elements it is at most 4, so
# there can be a matrix for each value. Duvenaud and others {cite}`duvenaud2015fingerprints` build molecular
# fingerprints on this; PyG's `MFConv` is
#
# $$
# h_i' = W^{\text{own}\,\top}_{d_i} h_i + W^{\text{near}\,\top}_{d_i} \sum_{j \in \mathcal{N}(i)} h_j + b_{d_i} .
# $$ (eq-gnn-mfconv)
#
# It sums, so it can count, but it is deaf to the kinds of bonds. Each of the two layers has what the other lacks. Here
# is what the carbon of formamide hears in either, from its three neighbours and itself:


# %% tags=["hide-input"]
def draw_heard():
    figures, axes = display.panels((3.3, 2.3), (3.3, 2.3))
    formamide = molecules.from_smiles("NC=O").batch([0])
    single, double = r"$\frac{1}{2}W_1$", "$W_2$"
    by_kind = {0: (single, "-"), 5: (single, "-"), 2: (double, "--")}
    by_number = dict.fromkeys((0, 5, 2), (r"$W^{near}_3$", "-"))
    for ax, heard, own, title in (
        (axes[0], by_kind, "$W_0$", "by kind of bond"),
        (axes[1], by_number, r"$W^{own}_3$", "by number of bonds"),
    ):
        draw_graph(ax, formamide, PLACES, bonds=False)
        for j, (name, style) in heard.items():
            drawing.arrows(ax, PLACES, [(j, 1)], display.COLORS[1], 1.5, style, size=21)
            where = {0: (0, 0.27), 2: (0.6, 0.62), 5: (0.6, -0.62)}[j]
            ax.text(*where, name, ha="center", va="center")
        ax.text(*(PLACES[1] + (0.7, 0)), own, ha="center", va="center")
        ax.set_title(title)
    return figures


display.show(
    draw_heard(),
    alt="Formamide twice, with arrows to its carbon. Left, those from nitrogen and "
    "hydrogen are solid and carry half of W 1, that from oxygen is dashed and carries "
    "W 2. Right, all three carry one matrix, that of atoms with three neighbours.",
    caption="Left, a matrix for each kind of bond, and a mean over each kind. Right, one "
    "for all neighbours, chosen by how many they are.",
)


# %%
def degree_layer(h, batch, W_own, W_near, b):
    source, target = batch.edge_index
    rows = []
    for i in range(len(h)):
        neighbours = source[target == i]
        d = len(neighbours)
        heard = W_near[d].T @ h[neighbours].sum(dim=0)
        rows.append(W_own[d].T @ h[i] + heard + b[d])
    return torch.stack(rows)  # [N, d']


def matrices(layer):
    W_own = [linear.weight.T for linear in layer.lins_r]  # as PyG names them
    W_near = [linear.weight.T for linear in layer.lins_l]
    return W_own, W_near, [linear.bias for linear in layer.lins_l]


# %% tags=["check"]
def cases():
    for batch, d_in, d_out in zip(batches, (5, 3, 4), (4, 6, 1), strict=True):
        h = torch.randn(batch.num_nodes, d_in)
        layer = molecule_models.DegreeConvolution(d_in, d_out)
        pyg = MFConv(d_in, d_out, max_degree=4)
        pyg.load_state_dict(layer.state_dict())
        by_pyg = pyg(h, batch.edge_index)
        yield degree_layer(h, batch, *matrices(layer)), by_pyg
        yield fast(layer, h, batch), by_pyg


verify.equal("eq-gnn-mfconv", cases(), atol=1e-12, against="PyG's MFConv")

# %% [markdown]
# ## From atoms to a molecule
#
# Stack them. An embedding turns the one-hot elements into $h_i \in \mathbb{R}^{64}$. A block is ReLU, relational layer,
# ReLU, degree layer, and its result is added to what came in. A batch normalisation stands before each block and after
# the last. Then the atoms are pooled by a **sum**, and a small head $g$ makes a
# number of it. Beside it runs a linear function of the composition $n$, which starts as the least-squares fit of the
# section above, so that the network has only the bonds left to learn:
#
# $$
# \begin{gathered}
# p = \sum_{i=1}^{N} h_i , \qquad z = g(p) + w^\top n + b , \\
# g(p) = W_2^\top \operatorname{ReLU}(W_1^\top p + b_1) + b_2 .
# \end{gathered}
# $$ (eq-gnn-molecule-network)
#
# Does it see the numbering? Kinds of bonds and degrees stay with the atoms when these are renamed, so both layers are
# {term}`equivariant <permutation equivariance>`: the rows $h_i$ change places and nothing else. A sum does not ask in
# which order it is taken, and $n$ is a sum as well. The rows' order is forgotten at $p$, and for each relabelling $P$
#
# $$
# z(P G) = z(G) .
# $$ (eq-gnn-molecule-invariance)


# %% tags=["hide-input"]
def draw_network():
    fig, ax = plt.subplots(figsize=(4.2, 4.0))
    rows = {
        6: "elements, one-hot: $N$ × 5",
        5: "embedding: $h_i$, $N$ × 64",
        4: "norm, ReLU, by kind of bond,\nReLU, by number of bonds",
        3: "norm",
        2: "sum over atoms: $p$, 64",
        1: "head $g$",
        0: "$z$",
    }
    box = dict(boxstyle="round,pad=0.35", facecolor="none", edgecolor=display.INK)
    arrow = dict(arrowstyle="-|>", color=display.INK, shrinkA=0, shrinkB=0)
    tips = [((-0.3, 3.42), (0, 3.42)), ((0.5, 0), (0.12, 0))]
    for row, name in rows.items():
        ax.text(0, row, name, ha="center", va="center", bbox=box, linespacing=1.3)
        if row:
            start = row - (0.42 if row == 4 else 0.26)
            tips.append(((0, start), (0, row - 1 + (0.42 if row == 5 else 0.26))))
    line = dict(color=display.INK, lw=1, linestyle="--", marker="")
    ax.plot([0, -1.8, -1.8, -0.1], [4.57, 4.57, 3.42, 3.42], **line)
    ax.plot([1.2, 2.1, 2.1, 0.4], [6, 6, 0, 0], **line)
    for start, tip in tips:
        ax.annotate("", tip, start, arrowprops=arrow)
    ax.text(-1.25, 3.2, "added", ha="center", va="center")
    ax.text(1.62, 4, "× 6", ha="center", va="center")
    ax.text(1.3, 0.28, "$w^T n + b$", ha="center", va="center")
    ax.set(xlim=(-2.2, 2.5), ylim=(-0.4, 6.4))
    ax.set_axis_off()
    return fig


display.show(
    draw_network(),
    alt="The network from top to bottom: elements, embedding, six blocks of two layers "
    "with what came in added to each, a normalisation, the sum over the atoms, the head "
    "and z. A dashed arrow leads past all of it, from the elements to z: the composition.",
    caption="From atoms to a number. Above the sum there is a row for each atom, below it "
    "one vector for the molecule.",
)


# %%
def atom_features(network, batch):
    h = network.embedding(batch.x)  # [N, H]
    *norms, last_norm = network.norms
    blocks = zip(norms, network.relational, network.by_degree, strict=True)
    for norm, W, by_degree in blocks:
        message = relational_layer(norm(h).relu(), batch, W.weight, W.root, W.bias)
        h = h + degree_layer(message.relu(), batch, *matrices(by_degree))
    return last_norm(h)  # [N, H]


def from_equations(network, batch):
    (W_1, b_1), (W_2, b_2), (w, b) = (
        (linear.weight.T, linear.bias)
        for linear in (network.head[0], network.head[2], network.composition)
    )
    h, z = atom_features(network, batch), []
    for m in range(len(batch.y)):
        p = h[batch.batch == m].sum(dim=0)  # [H]
        n = batch.x[batch.batch == m].sum(dim=0)  # [5]
        g = W_2.T @ (W_1.T @ p + b_1).relu() + b_2
        z.append(g + w.T @ n + b)
    return torch.cat(z)  # [B]


def random_network():
    network = molecule_models.MoleculeGNN(hidden=8, blocks=2)
    for _ in range(5):
        network(sample)  # lets the normalisations see some data
    return network.eval()


network = random_network()

# %% tags=["check"]
verify.equal(
    "eq-gnn-molecule-network",
    [(from_equations(network, batch), network(batch)) for batch in batches],
    atol=1e-11,
    against="the fast network",
)


# %% tags=["check"]
def cases():
    generator, moved = torch.Generator().manual_seed(0), 0
    for m in range(20):
        one = drawn.batch([m])
        order = torch.randperm(one.num_nodes, generator=generator).tolist()
        new = numbered(one, order)  # the chapter's own, by the atoms' names
        moved += not torch.equal(padded(new), padded(one))
        yield network(new), network(one)
        if m < 3:
            yield from_equations(network, new), network(one)
    yield moved, 20  # each of them another input: something had to be forgotten
    shuffled = molecules.permute_atoms(sample, generator)  # and 200 at once
    yield (padded(shuffled) != padded(sample)).any(dim=1).sum(), len(sample.y)
    yield network(shuffled), network(sample)


verify.equal(
    "eq-gnn-molecule-invariance", cases(), atol=1e-11, against="the atoms as they come"
)

# %% [markdown]
# A mean or a maximum over the atoms would be invariant too. What speaks for the sum is what an energy is: two molecules
# have the energies of both, and a mean of atoms cannot tell two from one. {doc}`larger` shows it,
# {eq}`eq-gnn-sum-additive`, and what it is worth for molecules larger than any that were trained on.

# %% [markdown]
# ## Trained on all of it
#
# {doc}`/experiments/qm9` trains each model on {glue:text}`gnn-mol-train` molecules and scores it on
# {glue:text}`gnn-mol-test` others, as they come and with their atoms permuted. What you read from here on is taken
# from its records. The split is the same for all runs, and a seed changes the first weights and the order of the data.

# %% tags=["hide-input"]
MODELS = {"GNN": "gnn", "MLP": "mlp", "MLP, permuted copies": "mlp_permuted"}
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


def parameter(model, name):
    return runs_of[model][0]["parameters"][name]


def cells(model, which):
    return {
        "10³ z²": experiments.spread(
            [1000 * z2 for z2 in values(model, f"{which}_z2")]
        ),
        "error (meV)": experiments.spread(values(model, f"{which}_mae_mev")),
    }


ORDERS = {"test, as they come": "test", "test, atoms permuted": "test_permuted"}
counted = {
    "10³ z²": f"{1000 * z2_atom:.4g}",
    "error (meV)": f"{1000 * composition_mae:.4g}",
}
rows = [
    {
        ("", "model"): model,
        ("", "seeds"): f"{len(group)}",
        ("last epoch", "10³ z²"): experiments.spread(last(model, "train_loss")),
        **{
            (order, name): text
            for order, which in ORDERS.items()
            for name, text in cells(model, which).items()
        },
    }
    for model, group in runs_of.items()
]
rows.append(
    {("", "model"): "composition", ("", "seeds"): "–"}
    | {("last epoch", "10³ z²"): f"{1000 * mean_z2(y, train):.4g}"}
    | {(order, name): counted[name] for order in ORDERS for name in counted}
)
display.table(rows)


# %% tags=["hide-input"]
def mean(numbers):
    return sum(numbers) / len(numbers)


def changes(model):
    pairs = zip(
        values(model, "test_z2"), values(model, "test_permuted_z2"), strict=True
    )
    return [abs(after - before) / before for before, after in pairs]


for key, model in (("gnn", "GNN"), ("mlp", "MLP"), ("aug", "MLP, permuted copies")):
    for name, which in ((key, "test"), (f"{key}-permuted", "test_permuted")):
        text = experiments.spread(values(model, f"{which}_mae_mev"))
        display.glue(f"gnn-mol-{name}", f"{text} meV")
    for name, of in (("epochs", "epochs"), ("batch", "batch_size")):
        display.glue(f"gnn-mol-{key}-{name}", f"{parameter(model, of)}")
    display.glue(f"gnn-mol-{key}-rate", f"{parameter(model, 'learning_rate'):g}")
    display.glue(f"gnn-mol-{key}-seeds", f"{len(runs_of[model])}")
    count = values(model, "num_parameters")[0]
    display.glue(f"gnn-mol-{key}-parameters", f"{count:,}")
    z2 = {"train": last(model, "train_loss"), "valid": last(model, "validation_z2")}
    z2["test"] = [1000 * value for value in values(model, "test_z2")]
    for name, numbers in z2.items():
        display.glue(f"gnn-mol-{key}-z2-{name}", experiments.spread(numbers))
mantissa, exponent = f"{max(changes('GNN')):.0e}".split("e-")
exponent = str(int(exponent)).translate(str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹"))
display.glue("gnn-mol-gnn-change", f"{mantissa} · 10⁻{exponent}")
for name in ("layers", "hidden"):
    display.glue(f"gnn-mol-mlp-{name}", f"{parameter('MLP', name)}")
display.glue("gnn-mol-mlp-change", f"{1 + mean(changes('MLP')):,.0f}")
errors = {model: mean(values(model, "test_mae_mev")) for model in MODELS}
counting = 1000 * composition_mae.item()
permuted_error = mean(values("MLP", "test_permuted_mae_mev"))
start = {
    name: experiments.load("qm9", name)["metrics"]["test_mae_mev"]
    for name in ("short", "short_no_composition")
}
display.glue("gnn-mol-with-start", f"{start['short']:.0f} meV")
display.glue("gnn-mol-without-start", f"{start['short_no_composition']:.0f} meV")
for name, ratio in {
    "mlp-over-gnn": errors["MLP"] / errors["GNN"],
    "permuted-over-composition": permuted_error / counting,
}.items():
    display.glue(f"gnn-mol-{name}", f"{ratio:.1f}")

# What the text below says of the records.
assert max(changes("GNN")) < 1e-5 and counting < permuted_error
assert errors["GNN"] < errors["MLP"] < errors["MLP, permuted copies"] < counting
assert max(last("MLP", "train_loss")) < min(last("GNN", "train_loss"))
assert min(values("MLP", "test_z2")) > 3 * max(values("GNN", "test_z2"))
copies = "MLP, permuted copies"
assert abs(last(copies, "train_loss")[0] / last(copies, "validation_z2")[0] - 1) < 0.05


# %% tags=["hide-input"]
def draw_training():
    figures, axes = display.panels((3.4, 3.4), (3.4, 3.4))
    styles = zip(runs_of.items(), display.COLORS, ("-", "--", ":"), strict=False)
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
        ax.set(xlabel="epoch", yscale="log", ylim=(4e-5, 4), title=title)
    axes[0].set(ylabel="loss: mean $z^2$")
    axes[1].legend(loc="upper right")
    return figures


display.show(
    draw_training(),
    alt="The mean of z squared over the epochs, on a logarithmic axis: on the left on "
    "the training molecules, on the right on those of validation. In training the MLP "
    "ends a little below the GNN; in validation it ends several times above. The MLP "
    "with permuted copies ends at the same height in both, above the others.",
    caption="The loss, for the molecules that are learned from and for others. The MLP "
    "knows its own molecules best, and others worse than the GNN does.",
)

# %% [markdown]
# Read the table from the left. Of the molecules that they learn from, **the MLP knows more**: in its last epoch its
# mean $10^3 z^2$ is {glue:text}`gnn-mol-mlp-z2-train`, the GNN's {glue:text}`gnn-mol-gnn-z2-train`, both taken while
# the weights still move. On molecules that they have not seen it is the other way round:
# {glue:text}`gnn-mol-mlp-z2-test` against {glue:text}`gnn-mol-gnn-z2-test`. In meV the GNN has
# {glue:text}`gnn-mol-gnn` ({glue:text}`gnn-mol-gnn-seeds` seeds), the MLP {glue:text}`gnn-mol-mlp`
# ({glue:text}`gnn-mol-mlp-seeds` seeds), {glue:text}`gnn-mol-mlp-over-gnn` times as much. What sets the two apart is
# not how well they fit but how well they *generalise*.
#
# Is that the symmetry alone? Not shown: the comparison is not a controlled one. The GNN has
# {glue:text}`gnn-mol-gnn-parameters` parameters, {glue:text}`gnn-mol-gnn-epochs` epochs, batches of
# {glue:text}`gnn-mol-gnn-batch` and a rate of {glue:text}`gnn-mol-gnn-rate`; the MLP
# {glue:text}`gnn-mol-mlp-parameters` parameters, {glue:text}`gnn-mol-mlp-epochs` epochs, batches of
# {glue:text}`gnn-mol-mlp-batch`, {glue:text}`gnn-mol-mlp-rate`. And only the GNN starts from the fit to the
# composition, which is worth much: in short runs of one seed it has {glue:text}`gnn-mol-with-start` with this start and
# {glue:text}`gnn-mol-without-start` without. An MLP with the same start, and a GNN of as many epochs without it, were
# not trained. A permutation of the atoms does ask about the symmetry and nothing else.
#
# So number the atoms of the *test* molecules at random. The molecules are the same, so are the true energies.
#
# - The GNN's mean $z^2$ changes by a part of {glue:text}`gnn-mol-gnn-change` at most: sums in single precision, taken
#   in another order.
# - The MLP's becomes {glue:text}`gnn-mol-mlp-change` times what it was. Its mean absolute error is
#   {glue:text}`gnn-mol-mlp-permuted`, {glue:text}`gnn-mol-permuted-over-composition` times that of counting atoms.
#   What it had learned was about places in a list.
# - The MLP that was trained on permuted copies (one seed) has {glue:text}`gnn-mol-aug` before and
#   {glue:text}`gnn-mol-aug-permuted` after: a new order no longer fools it. But its error is large, and as large in
#   training ($10^3 z^2$ {glue:text}`gnn-mol-aug-z2-train`) as in validation ({glue:text}`gnn-mol-aug-z2-valid`). It
#   does not overfit, it *underfits*: these weights and epochs are too few for all those orders. Whether more of both
#   would do is open; what the run shows is the price, not that symmetry cannot be learned.

# %% [markdown]
# ## A batch, without a loop
#
# A graph network needs no padding: by {eq}`eq-gnn-batch` it takes many molecules as one graph in pieces. PyG calls
# that a batch: `x` and `edge_index` of the whole, `batch` with the molecule of each atom, and `ptr` with the places
# $o_b$ at which the molecules begin. To put one together in a loop, you handle each molecule by itself, and in an epoch
# that is {glue:text}`gnn-mol-train` small Python objects. `helpers` does it without a loop. It keeps the atoms of all
# of QM9 in one tensor $X$, in which molecule $m$ begins at row $q_m$. For the molecules $m_0, m_1, \dots$ of a batch,
# atom $k$ of the batch is found by arithmetic:
#
# $$
# x_k = X_{q_{m_b} + (k - o_b)} \qquad\text{for } o_b \le k < o_{b+1} ,
# $$ (eq-gnn-flat-batch)
#
# and likewise for the bonds, whose two ends then move up by $o_b$.


# %%
X = torch.eye(5)[drawn.element.long()]  # all atoms of the 200 molecules
q = drawn.atom_ptr  # where each molecule begins


def atoms_of(index):
    m = torch.tensor(index)
    o = torch.nn.functional.pad(q.diff()[m].cumsum(0), (1, 0))  # [B + 1]
    b = torch.arange(len(m)).repeat_interleave(o.diff())  # the molecule of each atom
    k = torch.arange(len(b))
    return X[q[m[b]] + (k - o[b])]  # [N, 5]


# %% tags=["hide-input"]
benchmark = records.load("benchmarks", "molecules")
timed = benchmark["metrics"]
for key, name in (("batch", "batch_ratio"), ("layers", "layers_ratio")):
    display.glue(f"gnn-mol-bench-{key}", f"{timed[name]:.1f}")
for key, name in (("ours", "batch"), ("pyg", "loader")):
    seconds = len(train) / timed[f"{name}_graphs_per_second"]
    display.glue(f"gnn-mol-bench-{key}", f"{seconds:.1f} s")
display.glue("gnn-mol-bench-build", f"{timed['build_seconds']:.0f} s")
display.glue("gnn-mol-bench-disagreeing", f"{timed['num_disagreeing'] or 'none'}")
display.glue("gnn-mol-bench-size", f"{benchmark['parameters']['batch_size']}")


# %% tags=["check"]
def cases():
    atomic_number = torch.tensor([1, 6, 7, 8, 9])  # of the elements, in our order
    for index in ([7, 3, 150, 3], range(200)):  # in any order, any of them twice
        graphs = [pyg_from_smiles(drawn.smiles[m], with_hydrogen=True) for m in index]
        theirs, ours = Batch.from_data_list(graphs), drawn.batch(index)
        for x in (atoms_of(index), ours.x):
            yield atomic_number[x.argmax(1)], theirs.x[:, 0]
        size = theirs.num_nodes
        named = [
            size * edges[0] + edges[1] for edges in (ours.edge_index, theirs.edge_index)
        ]
        yield named[0].sort().values, named[1].sort().values
        yield ours.ptr, theirs.ptr


verify.equal("eq-gnn-flat-batch", cases(), against="PyG's graphs and its Batch")

# %% [markdown]
# On one thread that makes {glue:text}`gnn-mol-bench-batch` times as many molecules a second as PyG's `DataLoader` over
# the same molecules in memory, in batches of {glue:text}`gnn-mol-bench-size`: an epoch's batches take
# {glue:text}`gnn-mol-bench-ours` instead of {glue:text}`gnn-mol-bench-pyg` (`make benchmark` wrote the {doc}`record
# </appendix/records>`). The two layers, with the atoms sorted so that each matrix is used once, take PyG's time divided
# by {glue:text}`gnn-mol-bench-layers`, forward and backward. Before that RDKit has to read {glue:text}`gnn-mol-count`
# SMILES, which takes {glue:text}`gnn-mol-bench-build`, once: the tensors are kept. The composition of each graph is
# compared with the one that QM9 states, and {glue:text}`gnn-mol-bench-disagreeing` of them disagree.

# %% [markdown]
# ## What was shown
#
# - Composition alone predicts the *total* energy with a mean $z^2$ of {glue:text}`gnn-mol-z2-total`. A small $z^2$ says
#   little; the atomization energy and an error in meV say what the bonds are worth.
# - An MLP reads a molecule as 3,509 numbers, padded to a size that one knows from all of the data, in one of
#   $N! / |\mathrm{Aut}(G)|$ orders. It is not invariant, and its trained version fails on another order.
# - A relabelling cannot change the kind of a bond or the number of bonds at an atom. A weight for each is `RGCNConv`
#   and `MFConv`: equations, loops, fast layers and PyG agree.
# - Sum pooling makes the network invariant, and hands its head a vector that adds up as energies do.
# - The MLP fits the training molecules better than the GNN and generalises worse. That the start, the epochs and the
#   rates differ too is said; that the GNN does not mind the order is proved, and measured.
#
# What the GNN can *not* know of a molecule, and what the numbers mean to a chemist, is the subject of {doc}`chemistry`.
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
# either, in the GNN as little as in the MLP. And padding does nothing about the order of the atoms.
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
# :::{exercise} A GNN for energies
# :label: ex-gnn-molecule-gnn
# (a) Write `build_gnn()`, which returns an `nn.Module` that is called as `network(x, edge_index, bond, owner, size)`:
# elements `x` $[N, 5]$, one-hot; `edge_index` $[2, E]$; `bond` $[E]$, the kind of each edge; `owner` $[N]$, the
# molecule of each atom; `size`, how many molecules. It returns their energies `[size]`. PyG's `RGCNConv` and `MFConv`
# are yours to use. (b) Train such a network; show the validation loss curve and the test error before and after the
# test molecules' atoms are permuted. What do you notice? Which pooling suits molecules of different sizes, and what
# does the GNN's input allow for a molecule outside of QM9 that the MLP's does not?
# :::

# %% [markdown] tags=["solution"]
# :::{solution-start} ex-gnn-molecule-gnn
# :class: dropdown
# :::
# (a) An embedding, the two layers in turn, a sum over the atoms of each molecule, a head.
#
# (b) The table has {glue:text}`gnn-mol-gnn` before and {glue:text}`gnn-mol-gnn-permuted` after: the same but for a
# part of {glue:text}`gnn-mol-gnn-change` of the mean $z^2$, which is rounding. That is not learned but built in, by
# {eq}`eq-gnn-molecule-invariance`, and it holds before training. The sum suits a quantity that grows with the
# molecule, by {eq}`eq-gnn-sum-additive`; a mean or maximum cannot tell one molecule from two of it. A list of atoms and
# a list of bonds can be of any length, so the GNN takes a molecule of 62 atoms. It does not follow that the answer is
# good: size, elements and bonds far from the training data are another matter.


# %% tags=["solution"]
class GNN(torch.nn.Module):
    def __init__(self, hidden=32, blocks=2):
        super().__init__()
        self.embedding = torch.nn.Linear(5, hidden)
        self.relational = torch.nn.ModuleList(
            RGCNConv(hidden, hidden, num_relations=4) for _ in range(blocks)
        )
        self.by_degree = torch.nn.ModuleList(
            MFConv(hidden, hidden, max_degree=4) for _ in range(blocks)
        )
        self.head = torch.nn.Linear(hidden, 1)

    def forward(self, x, edge_index, bond, owner, size):
        h = self.embedding(x)  # [N, H]
        for relational, by_degree in zip(self.relational, self.by_degree, strict=True):
            update = relational(h.relu(), edge_index, bond)
            h = h + by_degree(update.relu(), edge_index)
        p = h.new_zeros(size, h.shape[1]).index_add(0, owner, h)  # [size, H]
        return self.head(p).squeeze(1)


def build_gnn():
    return GNN()


# %% [markdown] tags=["solution"]
# :::{solution-end}
# :::

# %%
exercises.check("gnn/molecules/build_gnn", build_gnn)

# %% [markdown]
# :::{exercise} A relational layer on an edge list
# :label: ex-gnn-relational
# Write `relational(x, edge_index, bond, W, W_0)`, the layer of {eq}`eq-gnn-rgcn` without $b$, with no loop over atoms:
# `x` $[N, d]$, `bond` $[E]$ the kind of each edge, `W` $[R, d, d']$, `W_0` $[d, d']$.
# :::

# %% [markdown] tags=["solution"]
# :::{solution-start} ex-gnn-relational
# :class: dropdown
# :::
# For each kind, sum what arrives and divide by how many arrived. Where none did, the sum is zero, and dividing it by
# one keeps it so.


# %% tags=["solution"]
def relational(x, edge_index, bond, W, W_0):
    out = x @ W_0  # [N, d']
    for r in range(len(W)):
        source, target = edge_index[:, bond == r]
        total = torch.zeros_like(x).index_add(0, target, x[source])  # [N, d]
        count = torch.bincount(target, minlength=len(x)).clamp(min=1)  # [N]
        out = out + total / count[:, None] @ W[r]
    return out


# %% [markdown] tags=["solution"]
# :::{solution-end}
# :::

# %%
exercises.check("gnn/molecules/relational", relational)

# %% [markdown]
# ## Further reading
#
# - Gilmer and others {cite}`gilmer2017mpnn` compare message passing with and without distances on QM9, and give
#   message passing its name.
# - Duvenaud and others {cite}`duvenaud2015fingerprints` and Schlichtkrull and others {cite}`schlichtkrull2018rgcn`
#   introduce the two layers.
# - Zaheer and others {cite}`zaheer2017deepsets` show that an invariant function of a set is a function of a sum.
