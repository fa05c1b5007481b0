"""Molecules drawn as chemists draw them, on matplotlib axes in the colours of the page."""

import numpy as np
from rdkit import Chem
from rdkit.Chem import rdDepictor

from helpers.display import COLORS
from helpers.gnn import drawing
from helpers.gnn.molecules import ELEMENTS

_LINES = {  # by the kind of a bond: how far beside the middle, and in which style
    "DOUBLE": ((-0.08, "-"), (0.08, "-")),
    "TRIPLE": ((-0.15, "-"), (0, "-"), (0.15, "-")),
    "AROMATIC": ((-0.08, "-"), (0.08, ":")),
}
_SIGNS = {1: "⁺", -1: "⁻"}


def structure(ax, smiles, title, reach=0, hydrogens=True, texts=None):
    """Draw the graph of a molecule, given as SMILES, with its ``title`` above.

    The canvas has room for at least ``reach`` to each side of the middle, a number or one for x and one for y; a bond
    is 1.5 long. Without ``hydrogens`` these are left out. Atoms say their element and their charge, or what ``texts``
    has for each, in RDKit's order. Raises ValueError for a text that RDKit cannot read.
    """
    molecule = Chem.MolFromSmiles(smiles)
    if molecule is None:
        raise ValueError(f"{smiles!r} is no molecule that RDKit can read")
    molecule = Chem.AddHs(molecule) if hydrogens else molecule
    rdDepictor.Compute2DCoords(molecule)
    xy = molecule.GetConformer().GetPositions()[:, :2]  # [N, 2]
    xy -= (xy.min(axis=0) + xy.max(axis=0)) / 2
    for bond in molecule.GetBonds():
        pair = bond.GetBeginAtomIdx(), bond.GetEndAtomIdx()
        for shift, style in _LINES.get(bond.GetBondType().name, ((0, "-"),)):
            drawing.edges(ax, xy, [pair], 1.1, style, alpha=1, shift=shift)
    elements = [atom.GetSymbol() for atom in molecule.GetAtoms()]
    charges = [_SIGNS.get(atom.GetFormalCharge(), "") for atom in molecule.GetAtoms()]
    texts = texts or [element + charge for element, charge in zip(elements, charges, strict=True)]
    hues = dict(zip(ELEMENTS, COLORS, strict=False))
    for element in sorted(set(elements)):
        atoms = [i for i, e in enumerate(elements) if e == element]
        drawing.nodes(ax, xy, atoms, hues.get(element), texts.__getitem__, size=14)
    ax.set_title(title, fontsize=10)
    wide, high = np.maximum(abs(xy).max(axis=0) + 0.6, reach)
    ax.set(xlim=(-wide, wide), ylim=(-high, high), aspect="equal")
    ax.set_axis_off()
