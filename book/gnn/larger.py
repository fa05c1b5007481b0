# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Larger than anything it has seen
#
# *This chapter is optional: nothing after it needs it.*
#
# No molecule of QM9 has more than 29 atoms. An MLP that was padded to that size cannot even be asked about a larger
# one; the graph networks of {doc}`molecule_networks` and {doc}`chemistry` take any number of atoms, and give an answer.
# Below, two of them are asked about chains of carbon atoms, most of which are longer than any chain that they were
# trained on. **When may you believe a number for a molecule that is larger than all that were seen?**

# %% tags=["parameters"]
profile = "smoke"
seed = 0

# %% tags=["set-up"]
import copy
import itertools
import json
import textwrap

from helpers import data, display, exercises, parameters, records, verify
from helpers.gnn import folding, molecule_models, molecules
from helpers.gnn.energies import energies, trained
from helpers.gnn.structures import structure

import matplotlib.pyplot as plt
import torch
from rdkit import Chem

parameters.check(globals(), profile=("smoke", "full"), seed=range(2**31))
display.use_book_style()
torch.manual_seed(seed)
torch.set_default_dtype(torch.float64)  # claims are held to 1e-10

table = data.qm9()  # 130,831 rows
n = torch.tensor(json.loads(f"[{','.join(table.Stoichiometry)}]")).double()  # [M, 5]
U_0 = torch.tensor(table.InternalEnergy_0K_au.to_numpy())
y = molecules.HARTREE * (U_0 - n @ torch.tensor(molecules.ATOM_ENERGY))  # [M], eV
num_atoms = torch.tensor(table.N_atoms.to_numpy())  # [M]
train, validation, test = molecules.split(len(table), seed=0)
SMILES = table.SMILES.tolist()
split_of = torch.zeros(len(table), dtype=torch.int)
for k, index in enumerate((train, validation, test)):
    split_of[index] = k

gnn = trained("qm9_gnn")  # with a node for each atom
folded = trained("qm9_folded")  # with hydrogens folded in, and the returns of walks


# %% tags=["hide-input", "nbval-ignore-output"]
chains = table.index[table.SMILES.str.fullmatch("C+")]  # methane to nonane
known = y[chains.tolist()]  # [9]
step = (known[8] - known[4]) / 4  # eV per CH2
uneven = (known[4:].diff() - step).abs().max()
lengths = torch.arange(1, 21)
line = torch.cat([known, known[8] + step * torch.arange(1, 12)])  # [20]
asked = molecules.from_smiles(["C" * int(k) for k in lengths])
chain_errors = {
    "GNN": energies(gnn, asked) - line,
    "folded": energies(folded, folding.fold(asked)) - line,
}


def draw_chains():
    fig, ax = plt.subplots(figsize=(4.2, 2.8))
    for name, error in chain_errors.items():
        ax.plot(lengths, error, label=name)
    ax.axvline(9.5, color=display.INK, lw=0.8, ls=":")
    ax.axhline(0, color=display.INK, lw=0.8)
    ax.set(xlabel="carbon atoms of the chain", ylabel="prediction − truth (eV)")
    ax.set_xticks((1, 5, 10, 15, 20))
    ax.legend()
    return fig


at_nonane, at_icosane = (
    ", ".join(f"{name} {error[k]:.2f} eV" for name, error in chain_errors.items())
    for k in (8, 19)
)
assert (split_of[chains.tolist()] == 0).all()  # what the text says of the chains
assert abs(chain_errors["folded"][19] - chain_errors["folded"][14]) < 0.02
assert all(0.5 < abs(error[19]) < 1.5 for error in chain_errors.values())
display.show(
    draw_chains(),
    alt="The errors of two networks for chains of 1 to 20 carbon atoms. "
    f"At nonane, the longest in QM9: {at_nonane}; at 20: {at_icosane}.",
    caption="QM9 ends at the dotted line; beyond it the truth is the straight line on "
    "which its own chains lie.",
)
display.glue("gnn-large-step", f"{step:.3f} eV".replace("-", "−"))
display.glue("gnn-large-uneven", f"{1000 * uneven:.1f} meV")
for name, error in chain_errors.items():
    for k in (9, 20):
        text = f"{error[k - 1]:+.2f} eV".replace("-", "−")
        display.glue(f"gnn-large-chain-{name.lower()}-{k}", text)

# %% [markdown]
# ## A step per carbon, by hand
#
# What is the truth for a chain that QM9 does not have? Look at those that it has, and at what one more $\mathrm{CH_2}$
# adds:

# %%
for carbons, energy in enumerate(known, start=1):
    added = f", {known[carbons - 1] - known[carbons - 2]:.3f} eV more" * (carbons > 1)
    print(f"{carbons} carbon{'s' * (carbons > 1)}: {energy:8.3f} eV{added}")

# %% [markdown]
# From five carbons on each further $\mathrm{CH_2}$ adds {glue:text}`gnn-large-step`, even to
# {glue:text}`gnn-large-uneven`. Follow that line as a truth for longer chains. All chains up to nonane are training
# molecules, so the left of the figure is no test. At nonane the GNN is off by {glue:text}`gnn-large-chain-gnn-9`, at
# icosane, with 20 carbons and more than twice as many atoms as any training molecule, by
# {glue:text}`gnn-large-chain-gnn-20`; the folded network by {glue:text}`gnn-large-chain-folded-9` and
# {glue:text}`gnn-large-chain-folded-20`. Its curve is flat from some 15 carbons on: there it adds the right step for
# each carbon, and what it lost on the way stays lost. That is one family of molecules, and one network of each kind.
#
# Yet all that a network would have to know is to add a step. What in it adds up, and what does not? You can ask both
# networks yourself. The weights come with the book, and this is all it takes:


# %%
def predict(smiles):
    """What the GNN says (eV) of one SMILES, or a list of them: [B]."""
    return energies(gnn, molecules.from_smiles(smiles))


def predict_folded(smiles):
    """The same by the folded network."""
    return energies(folded, folding.fold(molecules.from_smiles(smiles)))


print(f"ethanol: {predict('CCO').item():.1f} and {predict_folded('CCO').item():.1f} eV")

# %% [markdown]
# ## Why a sum
#
# A mean or a maximum over the atoms would be invariant too. What speaks for the sum is what an energy *is*. Put two
# molecules $G$ and $G'$ far apart and call the pair $G \sqcup G'$ one system. No bond crosses, and its energy is
# the sum of both: energy is {term}`extensive <extensive quantity>`. In SMILES a dot sets molecules side by side, so you
# can just write such a system down.


# %% tags=["hide-input"]
def draw_system():
    fig, ax = plt.subplots(figsize=(4.2, 2.2))
    structure(ax, "CCO.c1ccccc1", "CCO.c1ccccc1: ethanol and benzene", hydrogens=False)
    return fig


display.show(
    draw_system(),
    alt="The structures of ethanol, a chain of two carbons and an oxygen, and of "
    "benzene, a ring of six carbons, in one picture, with no bond between them.",
    caption="One system for a graph network: nine heavy atoms, in two pieces. No message "
    "crosses from one to the other.",
)

# %% [markdown]
# Does the network know that its energy is the sum? No message crosses, and once trained, the normalisation has fixed
# numbers. So each atom has the features that it had, and the sum goes on:
#
# $$
# p(G \sqcup G') = p(G) + p(G') .
# $$ (eq-gnn-sum-additive)
#
# With a mean $p^{\text{mean}}$ or a maximum $p^{\max}$ instead, two copies of a molecule look like one:
#
# $$
# p^{\text{mean}}(G \sqcup G) = p^{\text{mean}}(G) , \qquad p^{\max}(G \sqcup G) = p^{\max}(G) .
# $$ (eq-gnn-mean-blind)
#
# And the energy itself? The term $w^\top n$ adds up, and so does $g(p)$ *if $g$ is linear up to a constant*. Call
# $E_0$ what the network says of a system without atoms, $p = n = 0$. For such a head,
#
# $$
# E(G \sqcup G') = E(G) + E(G') - E_0 , \qquad E = \mu + s\, z .
# $$ (eq-gnn-energy-additive)


# %%
def random_network(linear_head=False):
    network = molecule_models.MoleculeGNN(hidden=8, blocks=2)
    some = molecules.from_smiles(table.SMILES.sample(200, random_state=seed))
    for _ in range(5):
        network(some.batch(range(200)))  # lets the normalisations see some data
    if linear_head:
        network.head = torch.nn.Linear(8, 1)
    return network.eval().requires_grad_(False)


def features(network, smiles, pooling):
    """p [H], what the head is given, with another pooling than the network's own."""
    network = copy.deepcopy(network)
    network.pooling, network.head = pooling, torch.nn.Identity()
    network.composition = None
    return network(molecules.from_smiles(smiles).batch([0]))[0]


def energy_of_nothing(network, z_score):
    g_0 = network.head(torch.zeros(network.embedding.out_features))  # p = 0
    return z_score.restore(g_0 + network.composition.bias)[0]  # E_0


network, z_score = random_network(), gnn[1]
pairs = [("CCO", "c1ccccc1"), ("C#N", "O"), ("CC(=O)N", "FC(F)(F)C#N"), ("C", "C")]


# %% tags=["check"]
def cases():
    for a, b in pairs:
        apart = features(network, a, "sum") + features(network, b, "sum")
        yield apart, features(network, f"{a}.{b}", "sum")


verify.equal(
    "eq-gnn-sum-additive", cases(), atol=1e-11, against="the pair as one system"
)


# %% tags=["check"]
def cases():
    for (a, _), how in itertools.product(pairs, ("mean", "max")):
        yield features(network, a, how), features(network, f"{a}.{a}", how)


verify.equal("eq-gnn-mean-blind", cases(), atol=1e-12, against="two copies")


# %% tags=["check"]
def cases():
    of = random_network(linear_head=True), z_score
    E_0 = energy_of_nothing(*of)
    for a, b in pairs:
        one, other, both = energies(of, molecules.from_smiles([a, b, f"{a}.{b}"]))
        yield one + other - E_0, both


verify.equal(
    "eq-gnn-energy-additive", cases(), atol=1e-10, against="the pair as one system"
)


# %% tags=["hide-input"]
def draw_copies():
    fig, ax = plt.subplots(figsize=(4.2, 2.6))
    copies = range(1, 7)
    for how in ("sum", "mean", "max"):
        pooled = [features(network, ".".join(["CCO"] * m), how).norm() for m in copies]
        ax.plot(copies, [(p / pooled[0]).item() for p in pooled], label=how)
    ax.set(xlabel="copies of ethanol", ylabel="length of $p$, of one copy's")
    ax.legend()
    return fig


display.show(
    draw_copies(),
    alt="The length of the pooled vector for one to six copies of ethanol, in parts of "
    "that for one. For the sum it grows in proportion, for mean and maximum it stays 1.",
    caption="Six molecules have six times the energy of one. The sum can tell, mean and "
    "maximum cannot.",
)

# %% [markdown]
# Be exact about what this says of *our* networks: their heads have a ReLU, so {eq}`eq-gnn-energy-additive` need not
# hold. They get a sum from which the right answer is a straight line away, and have to find that line. Did the trained
# ones? Ask for ethanol and benzene, and for both side by side.

# %%
for name, ask in (("GNN", predict), ("folded", predict_folded)):
    both, ethanol, benzene = ask(["CCO.c1ccccc1", "CCO", "c1ccccc1"])
    E_0 = energy_of_nothing(*{"GNN": gnn, "folded": folded}[name])
    print(f"{name}: off by {both - ethanol - benzene:+.2f} eV, −E_0 = {-E_0:+.2f} eV")

# %% [markdown]
# A head without the ReLU would miss the sum by $-E_0$; the rest is what the ReLU does. {ref}`ex-gnn-atomwise-head`
# shows a head that adds up by construction.

# %% [markdown]
# ## Trained on the smaller ones
#
# Chains are one family, with a truth that was drawn on. Here is a test with a known truth: train on molecules of at
# most {glue:text}`gnn-large-limit` atoms, and score those with more.

# %% tags=["hide-input"]
MAX_ATOMS = int(num_atoms.max())
larger, first = (records.load("qm9", run) for run in ("larger", "gnn_0"))
limit = larger["parameters"]["train_max_atoms"]


def by_size(run):
    """The mean absolute error (meV) for each number of atoms."""
    errors = run["metrics"]["mae_mev_by_num_atoms"]
    return {size: errors[f"{size}"] for size in sorted(map(int, errors))}


def mean_over(run, sizes):
    """The mean absolute error (meV) on the test molecules with so many atoms."""
    tested = num_atoms[test].bincount(minlength=MAX_ATOMS + 1)
    scored = {size: error for size, error in by_size(run).items() if size in sizes}
    weights = torch.tensor([tested[size] for size in scored]).double()
    return (
        weights @ torch.tensor(list(scored.values())).double() / weights.sum()
    ).item()


metrics = larger["metrics"]
all_within = mean_over(first, range(limit + 1))
all_beyond = mean_over(first, range(limit + 1, MAX_ATOMS + 1))
display.glue("gnn-large-limit", f"{limit}")
display.glue("gnn-large-heavy", f"{n[:, 1:].sum(dim=1).max():.0f}")
display.glue("gnn-large-larger-count", f"{metrics['num_larger']:,}")
for name, error in {
    "larger-within": metrics["test_mae_mev"],
    "larger-beyond": metrics["larger_mae_mev"],
    "larger-composition": metrics["larger_composition_mae_mev"],
    "all-beyond": all_beyond,
}.items():
    display.glue(f"gnn-large-{name}", f"{error:.0f} meV")
for name, ratio in {
    "within": metrics["test_mae_mev"] / all_within,
    "beyond": metrics["larger_mae_mev"] / all_beyond,
}.items():
    display.glue(f"gnn-large-ratio-{name}", f"{ratio:.1f}")
gap = {size: e / by_size(first)[size] for size, e in by_size(larger).items()}
assert max(gap, key=gap.get) == MAX_ATOMS  # widest at the far end
display.glue("gnn-large-end-count", f"{(num_atoms == MAX_ATOMS).sum()}")
display.glue("gnn-large-end-tested", f"{(num_atoms[test] == MAX_ATOMS).sum()}")
display.glue("gnn-large-beyond-tested", f"{(num_atoms[test] > limit).sum():,}")
for name, run in (("larger", larger), ("first", first)):
    display.glue(f"gnn-large-{name}-epochs", f"{run['parameters']['epochs']}")
    display.glue(f"gnn-large-{name}-end", f"{by_size(run)[MAX_ATOMS]:.0f} meV")


# %% tags=["hide-input"]
def draw_by_size():
    fig, ax = plt.subplots(figsize=(4.2, 3.2))
    for run, trained_on in ((larger, f"up to {limit} atoms"), (first, "all sizes")):
        errors = by_size(run)
        ax.plot(errors.keys(), errors.values(), label=f"trained on {trained_on}")
    ax.axvline(limit + 0.5, color=display.INK, lw=0.8, ls=":")
    ax.set(xlabel="atoms of a molecule", ylabel="mean absolute error (meV)")
    ax.set_yscale("log")
    ax.minorticks_off()
    ax.set_yticks([40, 60, 100, 150], ["40", "60", "100", "150"])
    ax.legend()
    return fig


display.show(
    draw_by_size(),
    alt="Mean absolute error by the number of atoms, for the network trained on up "
    f"to {limit} atoms and the one trained on all sizes, on a logarithmic axis. Above "
    f"{limit} atoms the first has {larger['metrics']['larger_mae_mev']:.0f} meV on "
    f"average, the second {all_beyond:.0f} meV.",
    caption="Right of the dotted line are sizes that the first network never saw. It "
    "takes them all the same; the gap to the second is widest at the far end.",
)

# %% [markdown]
# On test molecules of up to {glue:text}`gnn-large-limit` atoms the network has {glue:text}`gnn-large-larger-within`; on
# all {glue:text}`gnn-large-larger-count` larger molecules of QM9, none of which it was trained on,
# {glue:text}`gnn-large-larger-beyond`, where counting atoms (fitted to the same small ones) has
# {glue:text}`gnn-large-larger-composition`. The network that was trained on all sizes, for
# {glue:text}`gnn-large-first-epochs` epochs instead of {glue:text}`gnn-large-larger-epochs`, can only be scored on
# those that are in its test set, {glue:text}`gnn-large-beyond-tested` of them, drawn at random:
# {glue:text}`gnn-large-all-beyond`. That is a factor of {glue:text}`gnn-large-ratio-beyond`, but not all of it is size:
# on the small test molecules, the same for both, there is already one of {glue:text}`gnn-large-ratio-within`. The gap
# is widest at the far end, with 29 atoms: {glue:text}`gnn-large-larger-end` over all {glue:text}`gnn-large-end-count`
# such molecules against {glue:text}`gnn-large-first-end` over the {glue:text}`gnn-large-end-tested` of them in the test
# set, which are few. And mind what larger means here: no molecule of QM9 has more than {glue:text}`gnn-large-heavy`
# atoms besides hydrogen, so the large ones have more hydrogens on a frame no bigger than the others'.

# %% [markdown]
# ## A new molecule
#
# Type the SMILES of a molecule into the next cell, and see its graph and its energy. Lines are bonds: one, two or three
# for a single, double or triple bond, one drawn and one dotted for an aromatic one. Above the graph stands what the
# network says, and what QM9 says where it has the molecule, with the split that it is in.


# %% tags=["hide-input"]
def constitution(smiles):
    """One SMILES for all ways to write a molecule, its place in space left out."""
    return Chem.MolToSmiles(Chem.MolFromSmiles(smiles), isomericSmiles=False)


def in_qm9(smiles):
    """The row of QM9 with this constitution, or None."""
    made_of = molecules.from_smiles(smiles).composition[0].double()
    wanted = constitution(smiles)
    for row in (n == made_of).all(dim=1).nonzero()[:, 0].tolist():  # thousands at most
        if constitution(SMILES[row]) == wanted:
            return row
    return None


def verdict(smiles):
    try:
        text = f"GNN {predict(smiles).item():.2f} eV"
        text += f", folded {predict_folded(smiles).item():.2f} eV"
    except molecules.MoleculeError as error:
        return textwrap.fill(f"refused: {error}", 44)
    row = in_qm9(smiles)
    if row is None:
        text += "\nnot in QM9"
    else:
        split = ("training", "validation", "test")[split_of[row]]
        text += f"\nin QM9 {y[row]:.2f} eV ({split})"
    return text.replace("-", "−")


def draw_asked(smiles, name, reach=0):
    molecule = Chem.MolFromSmiles(smiles)
    if molecule is None:
        molecules.from_smiles(smiles)  # raises, with RDKit's reason
    fig, ax = plt.subplots(figsize=(4.2, 3.2))
    count = Chem.AddHs(molecule).GetNumAtoms()
    structure(ax, smiles, f"{name}, {count} atoms\n{verdict(smiles)}", reach)
    return fig


def in_words(smiles, name):
    return (
        f"The graph of {name}, atoms as circles with their element. "
        + verdict(smiles).replace("\n", " ")
        + "."
    )


def show_molecule(smiles):
    display.show(
        draw_asked(smiles, smiles),
        alt=in_words(smiles, smiles),
        caption="All that the network is given is the graph.",
    )


# %% tags=["nbval-ignore-output"]
show_molecule("CC(=O)C")  # acetone; type yours

# %% [markdown]
# Here is what it says of some others, a few of them outside of QM9: one has more than 29 atoms, one an
# element that the network does not know, and one is an ion.

# %% tags=["hide-input", "nbval-ignore-output"]
GALLERY = {
    "water": "O",
    "methane": "C",
    "hydrogen cyanide": "C#N",
    "ethanol": "CCO",
    "trifluoroacetonitrile": "FC(F)(F)C#N",
    "benzene": "c1ccccc1",
    "pyridine": "c1ccncc1",
    "nonane": "CCCCCCCCC",
    "paracetamol": "CC(=O)Nc1ccc(O)cc1",
    "aspirin": "CC(=O)Oc1ccccc1C(=O)O",
    "caffeine": "CN1C=NC2=C1C(=O)N(C)C(=O)N2C",
    "ibuprofen": "CC(C)Cc1ccc(cc1)C(C)C(=O)O",
    "chloroform": "ClC(Cl)Cl",
    "acetate ion": "CC(=O)[O-]",
}
# All have the canvas that nonane, the widest, and aspirin, the highest, need.
display.slider(
    lambda name: draw_asked(GALLERY[name], name, reach=(8.1, 4.8)),
    GALLERY,
    label="molecule",
    alt=lambda name: in_words(GALLERY[name], name),
    caption="What the network predicts, beside what is known. Where it has no place "
    "for an element, it says so.",
    start="caffeine",
)

# %% [markdown]
# What of molecules that no model of this page was made for?

# %%
MLP = molecule_models.MoleculeMLP(hidden=8, layers=1)
icosane = "C" * 20
print(f"{icosane}, GNN: {predict(icosane).item():.0f} eV")
for attempt in (
    lambda: MLP(molecules.from_smiles(icosane).batch([0])),
    lambda: predict("CC(Cl)Br"),
    lambda: predict("CC(=O)[O-]"),
    lambda: predict("O(C)(C)C"),
    lambda: predict("c1ccccc"),
):
    try:
        attempt()
    except ValueError as error_message:
        print(error_message)

# %% [markdown]
# The GNN takes the 62 atoms of icosane, the MLP says why it cannot. Chlorine and bromine have no place among the five
# elements, and an atom with a one-hot vector of zeros would be given *some* energy, so it is refused by name. So is an
# ion: a charge is no part of the graph, acetate would be given the energy of a radical that nobody asked about, and QM9
# has nothing to learn it from. A molecule that is neutral as a whole and has charges in it is taken, as QM9 has such
# molecules; {doc}`chemistry` shows how much worse they come off. A text that is no molecule is refused with RDKit's own
# reason.

# %% [markdown]
# ## What was shown
#
# - Energies add up, and so does the sum over atoms that the head is given, {eq}`eq-gnn-sum-additive`. A mean or a
#   maximum cannot tell one molecule from two, {eq}`eq-gnn-mean-blind`. A head with a ReLU need not add up, and those of
#   the trained networks do not.
# - A network that was trained on molecules of up to {glue:text}`gnn-large-limit` atoms errs more on larger ones than
#   its fewer epochs explain, most at the far end. Long chains, far outside, come out wrong by half an electronvolt and
#   more.
# - Ions, other elements and unread texts are refused.
#
# ## Exercises

# %% [markdown]
# :::{exercise} A head that adds up
# :label: ex-gnn-atomwise-head
# (a) Where could the head $g$ stand so that $E(G \sqcup G') = E(G) + E(G')$ for *any* $g$, and what must become of the
# constant $\mu$ in $E = \mu + s z$? (b) Write `atomwise(h, owner, size, g)`: the sum of $g(h_i)$ over the atoms of each
# molecule, where `g` maps $[N, H]$ to $[N, 1]$.
# :::

# %% [markdown] tags=["solution"]
# :::{solution-start} ex-gnn-atomwise-head
# :class: dropdown
# :::
# (a) Before the sum: $E = \sum_i g(h_i)$. The atoms of $G \sqcup G'$ are those of $G$ and those of $G'$ with the
# features they had, so the sum splits, whatever $g$ is. A constant per *molecule* does not split: it would be counted
# once for the pair and twice for the two. It has to go into the atoms, as a constant for each element. Then
# $E = s \sum_i g(h_i) + w^\top n$, an energy of each atom in its surroundings. Many networks for energies are built so
# {cite}`schutt2017schnet`.


# %% tags=["solution"]
def atomwise(h, owner, size, g):
    return h.new_zeros(size).index_add(0, owner, g(h)[:, 0])


# %% [markdown] tags=["solution"]
# :::{solution-end}
# :::

# %%
exercises.check("gnn/larger/atomwise", atomwise)

# %% [markdown]
# :::{exercise} Which pooling?
# :label: ex-gnn-which-pooling
# A network is to tell, of a whole molecule, (a) the energy that binds it, (b) the largest partial charge of an atom,
# (c) the part of its atoms that are oxygen, (d) how many rings it has. Which pooling suits which, and what happens with
# each when two molecules are set side by side?
# :::

# %% [markdown] tags=["solution"]
# :::{solution-start} ex-gnn-which-pooling
# :class: dropdown
# :::
# (a) A sum: energies add up. (b) A maximum, which is that of the larger one for a pair. (c) A mean; for a pair it is a
# mean of both, weighted by their numbers of atoms, as it should be. (d) A sum, since rings add up as well. But what an
# atom hears from its neighbours does not say whether it is in a ring ({doc}`chemistry`), so the sum alone will not do.
#
# :::{solution-end}
# :::

# %% [markdown]
# ## Further reading
#
# - Schütt and others {cite}`schutt2017schnet` add distances, and sum energies atom by atom.
