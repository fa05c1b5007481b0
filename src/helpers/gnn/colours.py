"""Colour refinement (Weisfeiler and Leman): what message passing on bonds can know of an atom, in whole tensors.

An atom's first colour is its element. In each round it gets a new one, which stands for its own and for the bonds and
colours around it. After k rounds two atoms share a colour where k layers of message passing must treat them alike.
"""

import torch

from helpers.gnn.molecules import ELEMENTS


def refine(molecules, rounds, colour=None):
    """Return the colours of all atoms after ``rounds`` rounds: int64 [A], 0 to the number of colours − 1.

    ``molecules`` are M ``Molecules``, folded ones too: a node's first colour is its element, with the number of
    hydrogens that it carries; ``colour`` int64 [A] tells first colours apart that these do not. Colours mean the same
    in all of the molecules, and the refinement ends early where a round tells nothing new apart.
    """
    A, num_edges = len(molecules.element), molecules.edge_ptr.diff()
    source, target = molecules.edge_index.long() + molecules.atom_ptr[:-1].repeat_interleave(num_edges)
    first = [molecules.element.long()]
    if hasattr(molecules, "hydrogens"):
        first[0] = first[0] + len(ELEMENTS) * molecules.hydrogens.long()
    colours = _name(first + ([] if colour is None else [colour]))
    for _ in range(rounds):
        heard = _name([molecules.bond.long(), colours[source]])  # along each edge: its kind, and the colour behind it
        order = heard.argsort(stable=True)
        order = order[target[order].argsort(stable=True)]  # by atom, and there by what is heard
        at, degree = target[order], target.bincount(minlength=A)
        place = torch.arange(len(at)) - (degree.cumsum(0) - degree)[at]
        around = torch.full((int(degree.max()), A), -1)
        around[place, at] = heard[order]
        finer = _name([colours, *around])
        if finer.max() == colours.max():
            break
        colours = finer
    return colours


def alike(molecules, colours):
    """The class of each molecule: int64 [M], equal where two molecules have as many atoms of each colour."""
    owner = torch.arange(len(molecules)).repeat_interleave(molecules.atom_ptr.diff())
    order = colours.argsort(stable=True)
    order = order[owner[order].argsort(stable=True)]
    place = torch.arange(len(owner)) - molecules.atom_ptr[owner]
    rows = torch.full((int(place.max()) + 1, len(molecules)), -1)
    rows[place, owner] = colours[order]  # the atoms of a molecule stand together in both orders
    return _name(rows)


def _name(columns):
    """Number the different rows of a table given by its ``columns``, each int64 [n] from −1 on: int64 [n]."""
    name = torch.zeros_like(columns[0])
    for column in columns if len(name) else ():
        name = torch.unique(name * (column.max() + 2) + column + 1, return_inverse=True)[1]
    return name
