# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Shared Weights
#
# Convolutional, recurrent and graph networks, derived and run: one idea, three times.

# %% tags=["parameters"]
profile = "smoke"
seed = 4  # of the order in which atoms swap their numbers

# %% tags=["set-up"]
from helpers import display, parameters
from helpers.gnn import drawing, molecules
from helpers.gnn.layers import GraphConvolution

import matplotlib.pyplot as plt
import numpy as np
import torch
from rdkit import Chem
from rdkit.Chem import rdDepictor

parameters.check(globals(), profile=("smoke", "full"), seed=range(2**31))
display.use_book_style()

# %% tags=["hide-input"]
HUES = dict(zip(molecules.ELEMENTS, display.COLORS, strict=False))
ACCENT = display.COLORS[4], display.COLORS[5]  # of the weight, and of what has moved

acetamide = Chem.AddHs(Chem.MolFromSmiles("CC(=O)N"))
rdDepictor.Compute2DCoords(acetamide)
xy = acetamide.GetConformer().GetPositions()[:, :2]  # [N, 2]
elements = np.array([atom.GetSymbol() for atom in acetamide.GetAtoms()])
protons = torch.tensor(
    [[atom.GetAtomicNum()] for atom in acetamide.GetAtoms()]
).double()
A = torch.tensor(Chem.GetAdjacencyMatrix(acetamide))  # [N, N]
N = len(A)

# A layer of the book, from one number to one: it has one weight.
layer = GraphConvolution(1, 1).double().requires_grad_(False)
layer.weight.fill_(0.5)


def number_anew(steps):
    """Numberings, number i for atom order[i], and which two numbers changed places."""
    rng, order, swapped = np.random.default_rng(seed), np.arange(N), ()
    yield order, swapped
    for _ in range(steps):
        others = swapped
        while {*swapped} & {*others} or len({*elements[order[[*swapped]]]}) < 2:
            swapped = tuple(sorted(rng.choice(N, 2, replace=False).tolist()))
        order = order.copy()
        order[[*swapped]] = order[[*swapped[::-1]]]
        yield order, swapped


numberings = list(number_anew(11))


def outputs(order):
    """What the layer gives for each atom and their sum, computed in this numbering."""
    h = layer(protons[order], A[order][:, order].nonzero().T).flatten()  # [N]
    return h.tolist(), h.sum().item()


# %% tags=["hide-input"]
# On a canvas in pixels: the molecule, and below it a row for each number.
WIDTH, HEIGHT, TOP, ROW = 346, 336, 168, 16
PROTONS, MATRIX, WEIGHT, BARS = 63, 96, 250, 264  # columns


def free_side(atom):
    """The direction from an atom that leads away from its bonds."""
    ways = (xy[np.flatnonzero(A[atom])] - xy[atom]) * (1, -1)
    angles = np.sort(np.arctan2(ways[:, 1], ways[:, 0]))
    gaps = np.diff(angles, append=angles[0] + 2 * np.pi)
    middle = angles[gaps.argmax()] + gaps.max() / 2
    return np.array([np.cos(middle), np.sin(middle)])


def draw_molecule(ax, order, swapped, write):
    places = (xy - xy.mean(axis=0)) * (29, -29) + (WIDTH / 2, 66)  # [N, 2]
    for bond in acetamide.GetBonds():
        pair = bond.GetBeginAtomIdx(), bond.GetEndAtomIdx()
        for shift in (-2.5, 2.5) if bond.GetBondTypeAsDouble() == 2 else (0,):
            drawing.edges(ax, places, [pair], 1.1, alpha=1, shift=shift)
    for i, atom in enumerate(order):
        moved, hue = i in swapped, HUES[elements[atom]]
        name = {
            "label": elements.__getitem__,
            "size": 14,
            "outline": 2 if moved else 0.8,
        }
        drawing.nodes(ax, places, [atom], hue, **name)
        at = places[atom] + 17 * free_side(atom)
        ax.text(*at, i, ha="center", **write | style(moved))


def style(moved):
    return {"weight": "bold" if moved else "normal"}


def draw_numbering(k):
    fig = plt.figure(figsize=(WIDTH / 96, HEIGHT / 96), layout="none")
    ax = fig.add_axes((0, 0, 1, 1), xlim=(0, WIDTH), ylim=(HEIGHT, 0))
    ax.set_axis_off()
    write = {"va": "center_baseline", "fontsize": 9, "parse_math": False}
    order, swapped = numberings[k]
    draw_molecule(ax, order, swapped, write)

    bottom = TOP + ROW * (N - 0.5)
    for x, title in (0, "atom"), (40, "protons"), (MATRIX, "bonds"):
        ax.text(x, TOP - ROW, title, **write)
    ax.text(WEIGHT, TOP - ROW, f"w = {layer.weight.item():g}", weight="bold", **write)
    shared = {
        "width": 15,
        "height": bottom - TOP + ROW / 2,
        "facecolor": (ACCENT[0], 0.3),
    }
    ax.add_patch(plt.Rectangle((WEIGHT - 3, TOP - ROW / 2), linewidth=0, **shared))
    for line in ROW * (np.arange(N + 1) - 0.5):
        grid = {"color": display.INK, "linewidth": 0.5, "alpha": 0.25}
        ax.vlines(MATRIX + line + ROW / 2, TOP - ROW / 2, bottom, **grid)
        ax.hlines(TOP + line, MATRIX, MATRIX + ROW * N, **grid)
    there, here = A[order][:, order].nonzero().T.numpy()  # where A is 1
    dots = {"linestyle": "", "marker": "s", "markersize": 7}
    moved = np.isin(there, swapped) | np.isin(here, swapped)
    for some, color in (~moved, display.INK), (moved, ACCENT[1]):
        ax.plot(
            MATRIX + ROW * (here + 0.5)[some],
            TOP + ROW * there[some],
            color=color,
            **dots,
        )

    h, total = outputs(order)
    for i, atom in enumerate(order):
        y, own = TOP + i * ROW, write | style(i in swapped)
        if i in swapped:
            ax.barh(y, MATRIX - 6, ROW, facecolor=(ACCENT[1], 0.2), linewidth=0)
        ax.text(8, y, i, ha="right", **own)
        ax.text(18, y, elements[atom], **own)
        ax.text(PROTONS, y, f"{protons[atom].item():.0f}", ha="center", **own)
        ax.text(WEIGHT, y, "w", **write)
        hue = (HUES[elements[atom]], 0.3)
        ax.barh(y, 13 * h[i], ROW - 5, BARS, fc=hue, ec=display.INK, lw=0.8)
        ax.text(WIDTH, y, f"{h[i]:.2f}", ha="right", **own)
    ax.hlines(bottom + 2, BARS, WIDTH, color=display.INK, linewidth=0.8)
    ax.text(WIDTH, bottom + 12, f"sum {total:.2f}", ha="right", weight="bold", **write)
    return fig


def describe(k):
    order, swapped = numberings[k]
    h, total = outputs(order)
    change = (
        f"Numbers {swapped[0]} and {swapped[1]} have changed places."
        if k
        else "As a chemist writes it."
    )
    rows = ", ".join(f"{i} {elements[atom]} {h[i]:.2f}" for i, atom in enumerate(order))
    return (
        f"Acetamide, nine atoms, numbered. {change} Below, a row for each number: the "
        "atom's element and protons, its bonds as a row of a matrix, and what one "
        f"layer with the one weight w = 0.5 gives for it: {rows}. The sum is "
        f"{total:.2f}, in every numbering."
    )


display.slider(
    draw_numbering,
    range(len(numberings)),
    label="swaps of two atoms' numbers",
    alt=describe,
    caption="One layer with one weight. Swap the numbers of two atoms: the list and "
    "the bonds that it reads change, its outputs go with their atoms, and the sum "
    "stays.",
    start=4,
)

# %% [markdown]
# [Start with graphs](gnn/message_passing){.door-start}
#
# Shift the photograph of a cat, and it is still a cat. Play a melody later, and it is still that melody. Number the
# atoms of a molecule anew, and it is still that molecule. A network with the same weights at every place, moment and
# atom need not learn this: it follows from how it is built. Convolutional, recurrent and graph networks are three ways
# to build so.
#
# You need linear algebra, the chain rule and some Python. You see each network derived by hand, run line by line, and
# checked: [{verified}`book` equations](appendix/ledger), those of the {doc}`errata <appendix/errata>` and of
# {doc}`PyG's conventions <appendix/pyg>` included, were verified when these pages were made.
#
# ## The parts
#
# Parts I and III can be read, and the first chapters of Part II.
#
# ### Part I: convolution
#
# An edge is an edge wherever it stands in a picture. How do a few weights see every place of an image, and how do they
# learn? From one kernel worked by hand, by way of gradients that are convolutions too, to networks that read digits.
#
# {part}`Part I: convolution`
#
# ### Part II: recurrence
#
# A melody is the same when it starts later, so a network may read it with the same weights at every step. But how does
# it learn from an error at the end what it should have kept from the start? The way back through time, derived and
# counted; what is left of the blame after many steps; a cell that keeps what it has read; and networks that read books
# and write.
#
# {part}`Part II: recurrence`
#
# ### Part III: graphs
#
# A molecule has no first atom, a circle of friends no first friend. What can a network compute on such data, and how
# much worse does it do when it takes some numbering of them for a fact? From message passing, by way of the ring where
# graphs and convolutions meet, to attention and the energies of molecules.
#
# {part}`Part III: graphs`
#
# ## About this book
#
# {doc}`How it is made <about>`, how to do its exercises, and how to run it yourself.
