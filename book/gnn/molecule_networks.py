# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Molecules as graphs
#
# The MLP of {doc}`molecules` read a molecule as a list of atoms, and what it learned was about places in that list.
# With the atoms of the test molecules numbered anew, it was worse than counting them. The network of this chapter gets
# the same, elements and bonds, but as a graph. **What may a layer use of a molecule in which no atom is the first, and
# what is a network of such layers worth?**
#
# Each model is scored twice below, on the same test molecules: as they come, and with their atoms numbered at random.
# For one of the networks the two are the same to six digits, and nobody taught it that.

# %% tags=["parameters"]
profile = "smoke"
seed = 0

# %% tags=["set-up"]
import json

from helpers import data, display, exercises, experiments, parameters, records, verify
from helpers.gnn import drawing, molecule_models, molecules
from helpers.gnn.energies import energies, trained

import matplotlib.pyplot as plt
import numpy as np
import torch
from torch_geometric.data import Batch
from torch_geometric.nn import MFConv, RGCNConv
from torch_geometric.utils import from_smiles as pyg_from_smiles

parameters.check(globals(), profile=("smoke", "full"), seed=range(2**31))
display.use_book_style()
torch.manual_seed(seed)
torch.set_default_dtype(torch.float64)  # claims are held to 1e-12

table = data.qm9()  # 130,831 rows
drawn = molecules.from_smiles(table.SMILES.sample(200, random_state=seed))
sample = drawn.batch(range(200))

# %% tags=["hide-input"]
MODELS = {"GNN": "gnn", "MLP": "mlp", "MLP, permuted copies": "mlp_permuted"}
STARTED = "MLP, from composition"
runs_of = {
    model: [
        experiments.load("qm9", name)
        for name, run in experiments.listed("qm9").items()
        if run.group == group
    ]
    for model, group in {**MODELS, STARTED: "mlp_composition"}.items()
}


def values(model, metric):
    return [run["metrics"][metric] for run in runs_of[model]]


def mean(numbers):
    return sum(numbers) / len(numbers)


errors = {  # meV: as they come, and permuted
    model.replace(", ", ",\n"): [
        mean(values(model, f"{which}_mae_mev")) for which in ("test", "test_permuted")
    ]
    for model in MODELS
}
counting = values("GNN", "composition_mae_mev")[0]  # of no bond, and of no order
errors["composition"] = [counting] * 2


def draw_errors():
    fig, ax = plt.subplots(figsize=(4.2, 2.6))
    rows = range(len(errors))
    as_they_come, permuted = zip(*errors.values(), strict=True)
    for row, ends in enumerate(errors.values()):
        ax.plot(ends, [row, row], "-", color=display.INK, lw=1, marker="")
    ax.plot(as_they_come, rows, "o", ms=5, label="as they come")
    rim = {"mfc": "none", "mew": 1.4}
    ax.plot(permuted, rows, "s", ms=10, label="atoms permuted", **rim)
    ax.set(xscale="log", xlim=(30, 30_000), xlabel="mean absolute error (meV)")
    ax.set(yticks=rows, yticklabels=errors, ylim=(3.5, -0.5))
    fig.legend(loc="outside upper center", ncols=2, frameon=False)
    return fig


both_ways = "; ".join(
    f"{model} {before:,.0f} and {after:,.0f}".replace("\n", " ")
    for model, (before, after) in errors.items()
)
display.show(
    draw_errors(),
    alt="Test errors in meV on a logarithmic axis, as the molecules come and with their "
    f"atoms permuted: {both_ways}.",
    caption="The graph network (GNN) has one error, whatever the order. So has counting "
    "atoms, without any bond.",
)

# %% [markdown]
# From the page before you bring the energy to be predicted and its {term}`z-score` $z$, {eq}`def-gnn-z-score`; the
# number to beat, which counting atoms gives, {glue:text}`gnn-net-composition`; and from {doc}`message_passing` what a
# layer on a graph is.
#
# ## One atom, by hand
#
# Take the carbon of formamide, $\mathrm{HCONH_2}$. Nitrogen and a hydrogen are bound to it by single bonds, oxygen by a
# double one. Let each atom say one number, the bonds that chemists count for its element: hydrogen 1, oxygen 2,
# nitrogen 3, carbon 4. What can the carbon hear that does not depend on how the atoms are numbered?
#
# One answer goes by the *kind* of the bond. Weigh the carbon's own number by 1, the mean over its single bonds by 10,
# that over its double bonds by 100, so that the digits tell who spoke:
# $1 \cdot 4 + 10 \cdot \frac{3 + 1}{2} + 100 \cdot 2 = 224$. Another goes by *how many* atoms it is bound to: take the
# weights for three of them, say 1 for itself and 10 for their sum, and $1 \cdot 4 + 10 \cdot (3 + 1 + 2) = 64$. Number
# the atoms as you like, both stay what they are. The two sections that follow make a layer of each.

# %% tags=["hide-input"]
HUES = dict(zip(molecules.ELEMENTS, display.COLORS, strict=False))
PLACES = [(-0.6, 0), (0.6, 0), (1.5, 0.8), (-1.5, 0.8), (-1.5, -0.8), (1.5, -0.8)]
PLACES = np.array(PLACES)  # of the atoms of formamide


def draw_carbon(ax, arrows, own, title):
    """The carbon of formamide, and what it hears: a text and a style per arrow."""
    drawing.edges(ax, PLACES, [(0, 3), (0, 4)])  # bonds that it does not hear over
    for i, element in enumerate("NCOHHH"):
        name = {i: element}.get
        drawing.nodes(ax, PLACES, [i], HUES[element], name, size=21)
    for j, (name, style) in arrows.items():
        drawing.arrows(ax, PLACES, [(j, 1)], display.COLORS[1], 1.5, style, size=21)
        where = {0: (-0.05, 0.36), 2: (0.7, 0.75), 5: (0.5, -0.65)}[j]
        ax.text(*where, name, ha="center", va="center")
    ax.text(*(PLACES[1] + (0.75, 0)), own, ha="center", va="center")
    ax.set(title=title, xlim=(-2.3, 2.3), ylim=(-1.4, 1.4), aspect="equal")
    ax.set_axis_off()


def draw_numbers():
    figures, axes = display.panels((3.3, 2.3), (3.3, 2.3))
    by_kind = {0: ("½ · 10 · 3", "-"), 5: ("½ · 10 · 1", "-"), 2: ("100 · 2", "--")}
    by_number = {0: ("10 · 3", "-"), 5: ("10 · 1", "-"), 2: ("10 · 2", "-")}
    draw_carbon(axes[0], by_kind, "1 · 4", "by kind of bond: 224")
    draw_carbon(axes[1], by_number, "1 · 4", "by number of bonds: 64")
    return figures


display.show(
    draw_numbers(),
    alt="Formamide twice, with arrows to its carbon. Left, those from nitrogen and "
    "hydrogen are solid and bring half of 10 times 3 and of 10 times 1, that from "
    "oxygen is dashed and brings 100 times 2. Right, all are solid and bring 10 times "
    "3, 1 and 2. The carbon adds its own 4 to either.",
    caption="Two sums for one atom. Neither asks which atom is the first.",
)

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


formamide = molecules.from_smiles("NC=O").batch([0])  # N C O H H H
valence = formamide.x @ torch.tensor([[1.0], [4], [3], [2], [1]])  # [6, 1]; H C N O F
W = torch.tensor([10.0, 100, 0, 0]).view(4, 1, 1)  # single, double, triple, aromatic
heard = relational_layer(valence, formamide, W, W_0=torch.ones(1, 1), b=torch.zeros(1))
print(f"the carbon of formamide: {heard[1].item():.0f}")


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
# are the two sums from the beginning once more, with matrices in place of numbers:


# %% tags=["hide-input"]
def draw_heard():
    figures, axes = display.panels((3.3, 2.3), (3.3, 2.3))
    single, double = r"$\frac{1}{2}W_1$", "$W_2$"
    by_kind = {0: (single, "-"), 5: (single, "-"), 2: (double, "--")}
    by_number = dict.fromkeys((0, 5, 2), (r"$W^{near}_3$", "-"))
    draw_carbon(axes[0], by_kind, "$W_0$", "by kind of bond")
    draw_carbon(axes[1], by_number, r"$W^{own}_3$", "by number of bonds")
    return figures


display.show(
    draw_heard(),
    alt="Formamide twice, with arrows to its carbon. Left, those from nitrogen and "
    "hydrogen are solid and carry half of W 1, that from oxygen is dashed and carries "
    "W 2. Right, all three carry one matrix, that of atoms with three neighbours.",
    caption="By kind: a matrix for each kind of bond, and a mean over each kind. By "
    "number: one for all neighbours, chosen by how many they are.",
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


own, near = torch.ones(5, 1, 1), 10 * torch.ones(5, 1, 1)
heard = degree_layer(valence, formamide, own, near, torch.zeros(5, 1))
print(f"the carbon of formamide: {heard[1].item():.0f}")


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
# the last. Then the atoms are pooled by a **sum**, and a small head $g$ makes a number of it. Beside it runs a linear
# function of the composition $n$, which starts as the least-squares fit that is the number to beat, so that the network
# has only the bonds left to learn:
#
# $$
# \begin{gathered}
# p = \sum_{i=1}^{N} h_i , \qquad z = g(p) + w^\top n + b , \\
# g(p) = V_2^\top \operatorname{ReLU}(V_1^\top p + b_1) + b_2 .
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
    (V_1, b_1), (V_2, b_2), (w, b) = (
        (linear.weight.T, linear.bias)
        for linear in (network.head[0], network.head[2], network.composition)
    )
    h, z = atom_features(network, batch), []
    for m in range(len(batch.y)):
        p = h[batch.batch == m].sum(dim=0)  # [H]
        n = batch.x[batch.batch == m].sum(dim=0)  # [5]
        g = V_2.T @ (V_1.T @ p + b_1).relu() + b_2
        z.append(g + w.T @ n + b)
    return torch.cat(z)  # [B]


def random_network(hidden):
    network = molecule_models.MoleculeGNN(hidden=hidden, blocks=2)
    for _ in range(5):
        network(sample)  # lets the normalisations see some data
    return network.eval()


def numbered(batch, order):
    """One molecule, its new atom i the old atom order[i]."""
    new = batch.clone()
    new.x = batch.x[order]
    new.edge_index = torch.argsort(torch.tensor(order))[batch.edge_index]
    return new


network = random_network(hidden=8)


# %% tags=["hide-input", "nbval-ignore-output"]
@torch.no_grad()
def draw_rows():
    small, order = random_network(hidden=4), [5, 1, 3, 0, 4, 2]
    figures, axes = display.panels((3.3, 3.1), (3.3, 3.1))
    for ax, old, title in (
        (axes[0], range(6), "as its SMILES has it"),
        (axes[1], order, "numbered anew"),
    ):
        old = list(old)
        h = atom_features(small, numbered(formamide, old))  # [6, 4]
        for i, row in enumerate([*h, h.sum(dim=0)]):
            name = f"{'NCOHHH'[old[i]]}{i}" if i < 6 else "sum"
            y = i + 0.3 * (i == 6)
            ax.text(-0.8, y, name, ha="center", va="center")
            for k, value in enumerate(row):
                text = f"{value:.2f}".replace("-", "−")
                ax.text(k + 0.35, y, text, ha="right", va="center")
        for y, width in ((5.65, 1), (-0.5, 0.5)):
            ax.axhline(y, color=display.INK, lw=width, marker="")
        ax.set(title=title, xlim=(-1.2, 3.6), ylim=(6.8, -0.7))
        ax.set_axis_off()
    return figures


display.show(
    draw_rows(),
    alt="Two tables with a row of four features for each of the six atoms of formamide, "
    "as a network with random weights makes them. On the right the same rows stand in "
    "another order. The row of sums below is the same in both.",
    caption="Number the atoms anew, and the rows change places. Their sum has forgotten "
    "the places.",
)

# %% tags=["check"]
verify.equal(
    "eq-gnn-molecule-network",
    [(from_equations(network, batch), network(batch)) for batch in batches],
    atol=1e-11,
    against="the fast network",
)


# %% tags=["check"]
def as_list(batch):
    """What an MLP would read: [B, 3509]."""
    places = molecule_models.padded_inputs(batch)  # molecule and input of each 1
    return torch.zeros(len(batch.y), 3509).index_put(places, torch.ones(()))


def cases():
    generator, moved = torch.Generator().manual_seed(0), 0
    for m in range(20):
        one = drawn.batch([m])
        order = torch.randperm(one.num_nodes, generator=generator).tolist()
        new = numbered(one, order)  # the chapter's own, by the atoms' names
        moved += not torch.equal(as_list(new), as_list(one))
        yield network(new), network(one)
        if m < 3:
            yield from_equations(network, new), network(one)
    yield moved, 20  # each of them another input: something had to be forgotten
    shuffled = molecules.permute_atoms(sample, generator)  # and 200 at once
    yield (as_list(shuffled) != as_list(sample)).any(dim=1).sum(), len(sample.y)
    yield network(shuffled), network(sample)


verify.equal(
    "eq-gnn-molecule-invariance", cases(), atol=1e-11, against="the atoms as they come"
)

# %% [markdown]
# A mean or a maximum over the atoms would be invariant too. What speaks for the sum is what an energy is: two molecules
# have the energies of both, and a mean of atoms cannot tell two from one. {doc}`larger` shows it,
# {eq}`eq-gnn-sum-additive`, and what it is worth for molecules larger than any that were trained on.

# %% [markdown]
# ## Held against the MLP
#
# {doc}`/experiments/qm9` trains this network on the {glue:text}`gnn-net-train` molecules that the MLP of
# {doc}`molecules` learned from, and scores it on the same {glue:text}`gnn-net-test` others, as they come and with their
# atoms permuted. Like the first picture, what you read from here on is taken from its records.


# %% tags=["hide-input"]
def last(model, curve):
    return [1000 * run["curves"][curve][-1] for run in runs_of[model]]


def cells(model, which):
    z2 = [1000 * value for value in values(model, f"{which}_z2")]
    errors = values(model, f"{which}_mae_mev")
    return experiments.spread(z2), experiments.spread(errors)


ORDERS = {"test, as they come": "test", "test, atoms permuted": "test_permuted"}
UNITS = "10³ z²", "error (meV)"
COMPARED = "GNN", "MLP"
display.table(
    {
        ("", "model"): model,
        ("", "seeds"): f"{len(runs_of[model])}",
        ("last epoch", "10³ z²"): experiments.spread(last(model, "train_loss")),
        **{
            (order, unit): text
            for order, which in ORDERS.items()
            for unit, text in zip(UNITS, cells(model, which), strict=True)
        },
    }
    for model in (*COMPARED, STARTED)
)

# The GNN of one seed, asked of molecules that it learned from and of others.
gnn = trained("qm9_gnn")
train, _, test = molecules.split(len(table), seed=0)
ASKED = 4_000


def asked(rows):  # 10³ z² of each molecule
    some = table.iloc[rows.tolist()]
    n = torch.tensor(json.loads(f"[{','.join(some.Stoichiometry)}]")).double()
    U_0 = torch.tensor(some.InternalEnergy_0K_au.to_numpy())
    y = molecules.HARTREE * (U_0 - n @ torch.tensor(molecules.ATOM_ENERGY))
    said = energies(gnn, molecules.from_smiles(some.SMILES))
    return 1000 * ((said - y) / gnn[1].std).square()


own, others = asked(train[:ASKED]), asked(test[:ASKED])
for key, z2 in (("own", own), ("others", others)):
    error = z2.std() / len(z2) ** 0.5
    display.glue(f"gnn-net-asked-{key}", f"{z2.mean():.3f} ± {error:.3f}")
display.glue("gnn-net-asked", f"{ASKED:,}")


# %% tags=["hide-input"]
for name, model, which in (
    ("gnn", "GNN", "test"),
    ("gnn-permuted", "GNN", "test_permuted"),
    ("mlp", "MLP", "test"),
    ("started", STARTED, "test"),
    ("aug-permuted", "MLP, permuted copies", "test_permuted"),
):
    text = experiments.spread(values(model, f"{which}_mae_mev"))
    display.glue(f"gnn-net-{name}", f"{text} meV")
for model in COMPARED:
    key = model.lower()
    chosen = runs_of[model][0]["parameters"]
    display.glue(f"gnn-net-{key}-epochs", f"{chosen['epochs']}")
    display.glue(f"gnn-net-{key}-batch", f"{chosen['batch_size']}")
    display.glue(f"gnn-net-{key}-rate", f"{chosen['learning_rate']:g}")
    display.glue(f"gnn-net-{key}-seeds", f"{len(runs_of[model])}")
    count = values(model, "num_parameters")[0]
    display.glue(f"gnn-net-{key}-parameters", f"{count:,}")
    z2 = [1000 * value for value in values(model, "test_z2")]
    display.glue(
        f"gnn-net-{key}-z2-train", experiments.spread(last(model, "train_loss"))
    )
    display.glue(f"gnn-net-{key}-z2-test", experiments.spread(z2))
before, after = values("GNN", "test_z2"), values("GNN", "test_permuted_z2")
change = max(abs(b - a) / a for a, b in zip(before, after, strict=True))
mantissa, exponent = f"{change:.0e}".split("e-")
exponent = str(int(exponent)).translate(str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹"))
display.glue("gnn-net-gnn-change", f"{mantissa} · 10⁻{exponent}")
(num_train,) = {n for model in MODELS for n in values(model, "num_train")}
(num_test,) = {n for model in MODELS for n in values(model, "num_test")}
display.glue("gnn-net-train", f"{num_train:,}")
display.glue("gnn-net-test", f"{num_test:,}")
display.glue("gnn-net-composition", f"{counting:.0f} meV")
start = {
    name: experiments.load("qm9", name)["metrics"]["test_mae_mev"]
    for name in ("short", "short_no_composition")
}
display.glue("gnn-net-with-start", f"{start['short']:.0f} meV")
display.glue("gnn-net-without-start", f"{start['short_no_composition']:.0f} meV")
as_they_come, permuted = zip(*errors.values(), strict=True)
display.glue("gnn-net-mlp-over-gnn", f"{as_they_come[1] / as_they_come[0]:.1f}")
started = mean(values(STARTED, "test_mae_mev"))
display.glue("gnn-net-started-over-gnn", f"{started / as_they_come[0]:.1f}")
display.glue("gnn-net-started-seeds", f"{len(runs_of[STARTED])}")
known = [1000 * z2 for z2 in values(STARTED, "train_z2")]
display.glue("gnn-net-started-own", experiments.spread(known))

# What the text says of the records.
assert change < 1e-6 and permuted[0] < permuted[2] < counting < permuted[1]
assert as_they_come[0] < as_they_come[1] < as_they_come[2] < counting
assert 0.5 < own.mean() / mean(last("MLP", "train_loss")) < 1.2
assert 1000 * max(values(STARTED, "train_z2")) < own.mean() / 5
for model in ("MLP", STARTED):
    assert min(values(model, "test_z2")) > 1.5 * max(values("GNN", "test_z2"))
    assert min(values(model, "test_permuted_mae_mev")) > counting
assert as_they_come[0] < started < as_they_come[1]


# %% tags=["hide-input"]
def draw_training():
    figures, axes = display.panels((3.4, 3.2), (3.4, 3.2))
    for model, hue, style in zip(COMPARED, display.COLORS, ("-", "--"), strict=False):
        label = f"{model} ({len(runs_of[model])} seeds)"
        for k, run in enumerate(runs_of[model]):
            line = {"color": hue, "linestyle": style, "marker": "", "lw": 1.3}
            epochs = range(1, 1 + len(run["curves"]["validation_z2"]))
            for ax, curve in zip(axes, ("train_loss", "validation_z2"), strict=True):
                ax.plot(
                    epochs, run["curves"][curve], label=None if k else label, **line
                )
    for ax, title in zip(axes, ("training (as it learns)", "validation"), strict=True):
        ax.set(xlabel="epoch", yscale="log", ylim=(4e-5, 1), title=title)
    axes[0].set(ylabel="loss: mean $z^2$")
    axes[1].legend(loc="upper right")
    return figures


display.show(
    draw_training(),
    alt="The mean of z squared over the epochs, on a logarithmic axis: on the left on "
    "the training molecules, on the right on those of validation. In training the MLP "
    "ends a little below the GNN; in validation it ends several times above.",
    caption="The loss, for the molecules that are learned from (the GNN's with the norms "
    "of its batches) and for others. From the ones to the others the MLP loses most.",
)

# %% [markdown]
# Read the table from the left. In its last epoch the MLP's mean $10^3 z^2$ on the molecules that it learns from is
# {glue:text}`gnn-net-mlp-z2-train`, the GNN's {glue:text}`gnn-net-gnn-z2-train`. These two do not compare: while it
# trains, the GNN normalises by each batch, and errs more than the same weights do when they are asked. Asked, the GNN
# of one seed has {glue:text}`gnn-net-asked-own` on {glue:text}`gnn-net-asked` of the molecules that it learned from,
# and {glue:text}`gnn-net-asked-others` on as many others (with standard errors). That is no worse than the MLP.
# On molecules that they have not seen, the MLP has {glue:text}`gnn-net-mlp-z2-test`, the
# GNN {glue:text}`gnn-net-gnn-z2-test`. In meV the GNN has
# {glue:text}`gnn-net-gnn` ({glue:text}`gnn-net-gnn-seeds` seeds), the MLP {glue:text}`gnn-net-mlp`
# ({glue:text}`gnn-net-mlp-seeds` seeds), {glue:text}`gnn-net-mlp-over-gnn` times as much. What sets the two apart is
# not how well they fit but how well they *generalise*.
#
# Is that the symmetry alone? Not shown: the comparison is not a controlled one. The GNN has
# {glue:text}`gnn-net-gnn-parameters` parameters, {glue:text}`gnn-net-gnn-epochs` epochs, batches of
# {glue:text}`gnn-net-gnn-batch` and a rate of {glue:text}`gnn-net-gnn-rate`; the MLP
# {glue:text}`gnn-net-mlp-parameters` parameters, {glue:text}`gnn-net-mlp-epochs` epochs, batches of
# {glue:text}`gnn-net-mlp-batch`, {glue:text}`gnn-net-mlp-rate`. One more difference can be taken out: the GNN starts
# from the fit to the composition. That is worth much: in short runs of one seed it has {glue:text}`gnn-net-with-start`
# with this start and {glue:text}`gnn-net-without-start` without. So give the MLP the same start, the last row of the
# table: {glue:text}`gnn-net-started` ({glue:text}`gnn-net-started-seeds` seeds), still
# {glue:text}`gnn-net-started-over-gnn` times the GNN's error, though it now knows its own molecules far better than the
# GNN does: asked, $10^3 z^2$ is {glue:text}`gnn-net-started-own` on them. The start was part of the distance, then, and
# not all of it; the other differences remain.
#
# A permutation of the test molecules' atoms does ask about the symmetry and nothing else. The GNN's mean $z^2$ changes
# by a part of {glue:text}`gnn-net-gnn-change` at most: sums in single precision, taken in another order. What
# {eq}`eq-gnn-molecule-invariance` says of any weights, trained or not, the network has for free. The MLP had to be
# taught it, with permuted copies, and was left with {glue:text}`gnn-net-aug-permuted` (one seed).


# %% [markdown]
# ## A batch, without a loop
#
# A graph network needs no padding: by {eq}`eq-gnn-batch` it takes many molecules as one graph in pieces. PyG calls
# that a batch: `x` and `edge_index` of the whole, `batch` with the molecule of each atom, and `ptr` with the places
# $o_b$ at which the molecules begin. To put one together in a loop, you handle each molecule by itself, and in an epoch
# that is {glue:text}`gnn-net-train` small Python objects. `helpers` does it without a loop. It keeps the atoms of a
# whole data set in one tensor $X$, in which molecule $m$ begins at row $q_m$.
#
# By hand, with four molecules, water, hydrogen cyanide, formaldehyde and ammonia, of 3, 3, 4 and 4 atoms: they begin at
# $q = (0, 3, 6, 10)$. A batch of formaldehyde, $m_0 = 2$, and water, $m_1 = 0$, begins its molecules at $o_0 = 0$ and
# $o_1 = 4$. Its atom 5 is atom $5 - 4 = 1$ of water, and stands in row $0 + 1$ of $X$.


# %% tags=["hide-input"]
def draw_batch():
    few, chosen = molecules.from_smiles(["O", "C#N", "C=O", "N"]), [2, 0]
    fig, ax = plt.subplots(figsize=(4.2, 2.3))
    starts = few.atom_ptr.tolist()
    ranges = [range(starts[m], starts[m + 1]) for m in range(4)]
    rows = [*ranges[chosen[0]], *ranges[chosen[1]]]  # of X, for the atoms of the batch
    names = [molecules.ELEMENTS[k] for k in few.element.tolist()]
    left = (len(names) - len(rows)) / 2
    for m, atoms in enumerate(ranges):
        ax.text(atoms[0], -0.95, f"$q_{m}$", ha="center", va="center")
        for row in atoms:
            square(ax, row, 0, names[row], faint=m not in chosen)
    start = 0
    for b, m in enumerate(chosen):
        ax.text(left + start, 4, f"$o_{b}$", ha="center", va="center")
        start += len(ranges[m])
    for k, row in enumerate(rows):
        square(ax, left + k, 3, names[row])
        width = 2.2 if k == 5 else 0.7
        line = {"color": display.INK, "linestyle": "-", "lw": width, "marker": ""}
        ax.plot([row, left + k], [0.5, 2.5], **line)
    ax.text(-1.1, 0, "$X$", ha="center", va="center")
    ax.text(left - 1.1, 3, "$x$", ha="center", va="center")
    ax.set(xlim=(-1.6, 13.6), ylim=(4.4, -1.4), aspect="equal")
    ax.set_axis_off()
    return fig


def square(ax, x, y, text, faint=False):
    style = {"fc": "none", "ec": display.INK, "lw": 0.8, "ls": ":" if faint else "-"}
    ax.add_patch(plt.Rectangle((x - 0.5, y - 0.5), 1, 1, **style))
    ax.text(x, y, text, ha="center", va="center")


display.show(
    draw_batch(),
    alt="Above, a row of 14 squares, the atoms of four molecules one after the other; "
    "below, seven squares, a batch of the third and the first of them. Lines lead from "
    "each atom of the batch up to its place in the row above: those of one molecule "
    "stay side by side. The line of atom 5 is thick.",
    caption="The atoms of a batch are pieces of one long list. The thick line leads from "
    "atom 5 of the batch to row 1 of the list.",
)

# %% [markdown]
# For the molecules $m_0, m_1, \dots$ of any batch, atom $k$ of the batch is found by arithmetic:
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
    display.glue(f"gnn-net-bench-{key}", f"{timed[name]:.1f}")
for key, name in (("ours", "batch"), ("pyg", "loader")):
    seconds = num_train / timed[f"{name}_graphs_per_second"]
    display.glue(f"gnn-net-bench-{key}", f"{seconds:.1f} s")
display.glue("gnn-net-bench-build", f"{timed['build_seconds']:.0f} s")
display.glue("gnn-net-bench-disagreeing", f"{timed['num_disagreeing'] or 'none'}")
display.glue("gnn-net-count", f"{len(table):,}")
display.glue("gnn-net-bench-size", f"{benchmark['parameters']['batch_size']}")


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
# On one thread that makes {glue:text}`gnn-net-bench-batch` times as many molecules a second as PyG's `DataLoader` over
# the same molecules in memory, in batches of {glue:text}`gnn-net-bench-size`: an epoch's batches take
# {glue:text}`gnn-net-bench-ours` instead of {glue:text}`gnn-net-bench-pyg` (`make benchmark` wrote the {doc}`record
# </appendix/records>`). The two layers, with the atoms sorted so that each matrix is used once, take PyG's time divided
# by {glue:text}`gnn-net-bench-layers`, forward and backward. Before that RDKit has to read {glue:text}`gnn-net-count`
# SMILES, which takes {glue:text}`gnn-net-bench-build`, once: the tensors are kept. The composition of each graph is
# compared with the one that QM9 states, and {glue:text}`gnn-net-bench-disagreeing` of them disagree.

# %% [markdown]
# ## What was shown
#
# - A relabelling cannot change the kind of a bond or the number of bonds at an atom. A weight for each is `RGCNConv`
#   and `MFConv`: equations, loops, fast layers and PyG agree.
# - Sum pooling makes the network invariant. So would a mean; {doc}`larger` shows that only the sum adds up as energies
#   do.
# - MLP and GNN know their own molecules about equally well, and the MLP errs several times as much on others. From the
#   composition's start it knows its own far better, and still errs more on others. That epochs, batches and rates
#   differ is said; that the GNN does not mind the order is proved, and measured.
# - A batch of molecules is pieces of one long list, found by arithmetic, without padding and without a loop.
#
# What the GNN can *not* know of a molecule, and what the numbers mean to a chemist, is the subject of {doc}`chemistry`.
#
# ## Exercises


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
# (b) The section "Held against the MLP" shows the validation loss and the table, which has {glue:text}`gnn-net-gnn`
# before and {glue:text}`gnn-net-gnn-permuted` after: the same but for a part of {glue:text}`gnn-net-gnn-change` of the
# mean $z^2$, which is rounding. That is not learned but built in, by {eq}`eq-gnn-molecule-invariance`, and it holds
# before training. The sum suits a quantity that grows with the molecule, by {eq}`eq-gnn-sum-additive`; a mean or
# maximum cannot tell one molecule from two of it. A list of atoms and a list of bonds can be of any length, so the GNN
# takes a molecule of 62 atoms. It does not follow that the answer is good: size, elements and bonds far from the
# training data are another matter.


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
exercises.check("gnn/molecule_networks/build_gnn", build_gnn)

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
exercises.check("gnn/molecule_networks/relational", relational)

# %% [markdown]
# ## Further reading
#
# - Gilmer and others {cite}`gilmer2017mpnn` compare message passing with and without distances on QM9, and give
#   message passing its name.
# - Duvenaud and others {cite}`duvenaud2015fingerprints` and Schlichtkrull and others {cite}`schlichtkrull2018rgcn`
#   introduce the two layers.
# - Zaheer and others {cite}`zaheer2017deepsets` show that an invariant function of a set is a function of a sum.
