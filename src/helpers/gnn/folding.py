"""Molecules with their hydrogens folded into the atoms that carry them: half the nodes, and the same information.

A hydrogen has one bond, and that is single: how many of them an atom carries says all there is to say of them.
"""

from dataclasses import dataclass, field

import torch
from torch.nn.functional import pad

from helpers.gnn.molecules import Molecules, ranges


@dataclass
class FoldedMolecules(Molecules):
    """``Molecules`` whose nodes, A in all, are the atoms that are left; each carries ``hydrogens`` uint8 [A].

    ``element``, ``edge_index`` and ``bond`` are of these nodes alone, and so are the pointers. Numbers of atoms and
    compositions are those of the whole molecules.
    """

    hydrogens: torch.Tensor = field(kw_only=True)

    @property
    def num_atoms(self):
        return self.composition.sum(1)

    @property
    def composition(self):
        counts = super().composition
        counts[:, 0] += pad(self.hydrogens.cumsum(0), (1, 0))[self.atom_ptr].diff()
        return counts

    def batch(self, index):
        """Return the molecules ``index`` (B integers) as one graph, as ``Molecules.batch`` does, of N nodes.

        A row of ``x`` [N, 5] is what a node is made of, its own element and the hydrogens that it carries: (3, 1, 0, 0,
        0) is a methyl group. So the rows of a molecule still add up to its composition.
        """
        batch = super().batch(index)
        nodes, _, _ = ranges(self.atom_ptr, torch.as_tensor(index).long())
        batch.x[:, 0] += self.hydrogens.index_select(0, nodes)
        return batch


def fold(molecules):
    """Return ``molecules`` as :class:`FoldedMolecules`, in the same order.

    Each hydrogen that has one bond is folded into the atom at its other end; of two that are bound to each other, as in
    H2, the second into the first. A hydrogen without a bond stays a node, and so does one with two (H3+). QM9 has none
    of these: its hydrogens are all folded into heavier atoms.
    """
    A, num_edges = len(molecules.element), molecules.edge_ptr.diff()
    source, target = molecules.edge_index.long() + molecules.atom_ptr[:-1].repeat_interleave(num_edges)
    end = (molecules.element == 0) & (source.bincount(minlength=A) == 1)  # the hydrogens with one bond
    folds = end[source] & (~end[target] | (target < source))
    stays = torch.ones(A, dtype=torch.bool).index_fill(0, source[folds], False)
    kept = stays[source] & stays[target]
    new = pad(stays.cumsum(0), (1, 0))  # how many of the atoms before each stay: its number, if it does
    atom_ptr, edge_ptr = new[molecules.atom_ptr], pad(kept.cumsum(0), (1, 0))[molecules.edge_ptr]
    edge_index = new[torch.stack([source, target])] - atom_ptr[:-1].repeat_interleave(num_edges)
    return FoldedMolecules(
        element=molecules.element[stays],
        edge_index=edge_index[:, kept].to(molecules.edge_index.dtype),
        bond=molecules.bond[kept],
        atom_ptr=atom_ptr,
        edge_ptr=edge_ptr,
        y=molecules.y,
        smiles=molecules.smiles,
        disagreeing=molecules.disagreeing,
        hydrogens=target[folds].bincount(minlength=A)[stays].to(torch.uint8),
    )
