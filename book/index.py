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
from helpers.cnn import layers
from helpers.gnn import drawing, molecules
from helpers.gnn.layers import GraphConvolution
from helpers.rnn.cells import VanillaRNN

import matplotlib.pyplot as plt
import numpy as np
import torch
from PIL import Image
from rdkit import Chem
from rdkit.Chem import rdDepictor
from skimage.data import chelsea

parameters.check(globals(), profile=("smoke", "full"), seed=range(2**31))
display.use_book_style()

# %% tags=["hide-input"]
w, FRAMES = 0.5, 12  # the weight of all three layers, and how many frames

# The cat: a window over the photograph, which moves by STEP pixels at a time.
SIDE, STEP = 48, 3
photograph = Image.fromarray(chelsea()).convert("L").resize((90, 60))
photograph = np.asarray(photograph)[6 : 6 + SIDE] / 255  # [SIDE, 90]
kernel = np.array([[[[-w, w]]]])  # a pixel's right neighbour less the pixel


def see(k):
    """The window that shows the cat k steps to the right, and what the layer gives."""
    left = 36 - STEP * k
    x = photograph[:, left : left + SIDE + 1]  # [SIDE, SIDE + 1]
    return x[:, :-1], layers.conv2d(x[None, None], kernel)[0, 0]


# The melody: Frère Jacques, of which each note has a height, then rests.
NOTES = [1, 2, 3, 1, 1, 2, 3, 1, 3, 4, 5, 0]
BEATS = len(NOTES) + FRAMES
cell = VanillaRNN(1, 1).double().requires_grad_(False)
for weight in (cell.W_x, cell.W_h):
    weight.fill_(w)
cell.b.zero_()


def hear(k):
    """The melody k beats late, and the states of the cell that hears it: both [BEATS]."""
    x = torch.zeros(BEATS).double()
    x[k : k + len(NOTES)] = torch.tensor(NOTES) / 5
    return x.numpy(), cell(x.view(-1, 1, 1))[0].flatten().numpy()


# The molecule, acetamide, of which the atoms are numbered anew.
acetamide = Chem.AddHs(Chem.MolFromSmiles("CC(=O)N"))
rdDepictor.Compute2DCoords(acetamide)
xy = acetamide.GetConformer().GetPositions()[:, :2]  # [N, 2]
elements = np.array([atom.GetSymbol() for atom in acetamide.GetAtoms()])
protons = torch.tensor(
    [[atom.GetAtomicNum()] for atom in acetamide.GetAtoms()]
).double()
A = torch.tensor(Chem.GetAdjacencyMatrix(acetamide))  # [N, N]
N = len(A)
graph_layer = GraphConvolution(1, 1).double().requires_grad_(False)
graph_layer.weight.fill_(w)


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


numberings = list(number_anew(FRAMES - 1))


def read(order):
    """What the layer gives for each atom and their sum, computed in this numbering."""
    edges = A[order][:, order].nonzero().T
    h = graph_layer(protons[order], edges).flatten()  # [N]
    return h.tolist(), h.sum().item()


# %% tags=["hide-input"]
# On a canvas in pixels: a row for each network, what it is given left, its output right.
WIDTH, HEIGHT, RIGHT, MIDDLE = 346, 352, 212, 170
HUES = dict(zip(molecules.ELEMENTS, display.COLORS, strict=False))
ACCENT = display.COLORS[5]  # of what has moved


def free_side(atom):
    """The direction from an atom that leads away from its bonds."""
    ways = (xy[np.flatnonzero(A[atom])] - xy[atom]) * (1, -1)
    angles = np.sort(np.arctan2(ways[:, 1], ways[:, 0]))
    gaps = np.diff(angles, append=angles[0] + 2 * np.pi)
    middle = angles[gaps.argmax()] + gaps.max() / 2
    return np.array([np.cos(middle), np.sin(middle)])


def draw_layer(ax, y, write):
    """The weight, and arrows to it from what it reads and from it to what it gives."""
    ax.text(MIDDLE, y, f"w = {w:g}", ha="center", weight="bold", **write)
    for x in (MIDDLE - 44, MIDDLE + 28):
        arrow = {"arrowstyle": "->", "color": display.INK, "linewidth": 0.8}
        ax.annotate("", (x + 16, y), (x, y), arrowprops=arrow)


def draw_cat(ax, k):
    x, edges = see(k)
    for picture, left, low, high in (x, 16, 0, 1), (edges, RIGHT + 18, -0.15, 0.15):
        gray = {"cmap": "gray", "vmin": low, "vmax": high, "interpolation": "none"}
        ax.imshow(picture, extent=(left, left + 96, 100, 4), **gray)


def draw_melody(ax, k):
    x, h = hear(k)
    at, bottom = 5.4 * np.arange(BEATS), 168
    sounds = x > 0
    heights = bottom - 50 * x[sounds]
    ax.hlines(heights, at[sounds], at[sounds] + 4.6, color=display.INK, linewidth=3)
    ax.bar(RIGHT + at + 2.3, -50 * h, 4, bottom, fc=display.COLORS[0], linewidth=0)
    for left in (0, RIGHT):
        start = (left + at[k] - 1.5, bottom + 4, bottom - 52)
        ax.vlines(*start, color=ACCENT, linewidth=1.2, linestyle=(0, (2, 2)))
        ax.hlines(bottom, left, left + at[-1] + 5, color=display.INK, linewidth=0.8)


def draw_molecule(ax, order, swapped, write):
    places = (xy - xy.mean(axis=0)) * (25, -25) + (68, 262)  # [N, 2]
    for bond in acetamide.GetBonds():
        pair = bond.GetBeginAtomIdx(), bond.GetEndAtomIdx()
        for shift in (-2.5, 2.5) if bond.GetBondTypeAsDouble() == 2 else (0,):
            drawing.edges(ax, places, [pair], 1.1, alpha=1, shift=shift)
    for i, atom in enumerate(order):
        moved, hue = i in swapped, HUES[elements[atom]]
        node = {"size": 13, "outline": 2 if moved else 0.8}
        drawing.nodes(ax, places, [atom], hue, label=elements.__getitem__, **node)
        at = places[atom] + 16 * free_side(atom)
        ax.text(*at, i, ha="center", **write | style(moved))


def draw_atoms(ax, order, swapped, write):
    """A row for each number: its atom's element, and the layer's output for it."""
    h, total = read(order)
    row, top = 15, 204
    for i, atom in enumerate(order):
        y, own = top + i * row, write | style(i in swapped)
        if i in swapped:
            ax.barh(y, WIDTH - RIGHT, row, left=RIGHT, fc=(ACCENT, 0.2), linewidth=0)
        ax.text(RIGHT + 12, y, i, ha="right", **own)
        ax.text(RIGHT + 22, y, elements[atom], **own)
        hue = (HUES[elements[atom]], 0.3)
        ax.barh(y, 15 * h[i], row - 5, RIGHT + 40, fc=hue, ec=display.INK, lw=0.8)
        ax.text(WIDTH, y, f"{h[i]:.2f}", ha="right", **own)
    bottom = top + row * (N - 0.5)
    ax.hlines(bottom + 1, RIGHT, WIDTH, color=display.INK, linewidth=0.8)
    ax.text(WIDTH, bottom + 10, f"sum {total:.2f}", ha="right", weight="bold", **write)


def style(moved):
    return {"weight": "bold" if moved else "normal"}


def draw_change(k):
    fig = plt.figure(figsize=(WIDTH / 96, HEIGHT / 96), layout="none")
    ax = fig.add_axes((0, 0, 1, 1))
    ax.set_axis_off()
    write = {"va": "center_baseline", "fontsize": 9, "parse_math": False}
    for y in (52, 143, 262):
        draw_layer(ax, y, write)
    draw_cat(ax, k)
    draw_melody(ax, k)
    draw_molecule(ax, *numberings[k], write)
    draw_atoms(ax, *numberings[k], write)
    ax.set(xlim=(0, WIDTH), ylim=(HEIGHT, 0), aspect="auto")
    return fig


def describe(k):
    order, swapped = numberings[k]
    h, total = read(order)
    change = f", numbers {swapped[0]} and {swapped[1]} just swapped" if k else ""
    rows = ", ".join(f"{i} {elements[atom]} {h[i]:.2f}" for i, atom in enumerate(order))
    return (
        f"Three layers with the one weight 0.5. A cat, {STEP * k} pixels to the right, "
        "and its edges, as far to the right. A melody of eleven notes that starts "
        f"{k} beats late, and a recurrent cell's answer, as late. Acetamide, its nine "
        f"atoms numbered anew {k} times{change}, and a graph layer's outputs by number: "
        f"{rows}. Their sum is {total:.2f}, in every numbering."
    )


display.slider(
    draw_change,
    range(FRAMES),
    label="steps aside, beats late, numbers swapped",
    alt=describe,
    caption="One weight at every pixel, at every beat, at every atom. Shift the cat: its "
    "edges shift along. Start the melody late: the answer is late. Number the atoms "
    "anew: each output goes with its atom, and the sum stays.",
    start=4,
)

# %% [markdown]
# [Start reading](cnn/layers){.door-start}
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
# Read them in order, or begin with the one that you need: where it leans on another, a link leads there.
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
