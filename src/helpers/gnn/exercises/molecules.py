"""Oracles of the exercises on molecules."""

import itertools

import numpy as np
import torch
from torch_geometric.nn import RGCNConv, global_add_pool
from torch_geometric.utils import to_dense_adj, to_dense_batch

from helpers.exercises import expect
from helpers.gnn.molecules import BONDS, MAX_ATOMS, from_smiles

SMILES = ("C", "O", "[F]", "C#N", "CC(=O)N", "Oc1ccccc1", "FC(F)(F)C#N", "CCCCCCCCC")  # 1 to 29 atoms, all bonds


def _molecules():
    """The graphs of some small molecules, in the default floating-point type."""
    for smiles in SMILES:
        yield from_smiles(smiles).batch([0])


def padded_input(candidate):
    """The 3,509 inputs of a molecule, against PyG's dense features and dense adjacency."""
    for graph in _molecules():
        x = to_dense_batch(graph.x, max_num_nodes=MAX_ATOMS)[0][0]  # [29, 5]
        bonds = to_dense_adj(graph.edge_index, edge_attr=graph.edge_attr, max_num_nodes=MAX_ATOMS)[0]  # [29, 29, 4]
        says = "First the 29 · 5 elements, atom by atom, then the 29 · 29 · 4 bonds, each in both directions"
        desired = torch.cat([x.flatten(), bonds.flatten()])
        expect(candidate, args=(graph.x, graph.edge_index, graph.edge_attr), desired=desired, says=says)


def z_scored(candidate):
    """The z-scores from the training split, against NumPy's mean and standard deviation of the chosen ones."""
    generator = np.random.default_rng(0)
    for size, count in ((8, 3), (50, 40), (200, 20)):
        y, train = generator.normal(-76, 10, size), generator.permutation(size)[:count]
        chosen = np.take(y, train)
        args = (torch.from_numpy(y), torch.from_numpy(train))
        says = "Z-scores of all, by mean and standard deviation of y[train], which divide by their number, not one less"
        expect(candidate, args=args, desired=(y - np.mean(chosen)) / np.std(chosen), atol=1e-10, says=says)


def permute(candidate):
    """A molecule with renamed atoms, against P x and P A Pᵀ with a permutation matrix P."""
    generator = torch.Generator().manual_seed(0)
    for graph in _molecules():
        order = torch.randperm(graph.num_nodes, generator=generator)
        P = torch.eye(graph.num_nodes)[order]
        new_name = P @ torch.arange(graph.num_nodes, dtype=P.dtype)  # row i is the old name of new atom i
        back = {int(old): new for new, old in enumerate(new_name)}
        edges = torch.tensor([[back[int(atom)] for atom in row] for row in graph.edge_index]).long().view(2, -1)
        says = "Old atom order[i] is now called i, in the edges too, which keep their places"
        expect(candidate, args=(graph.x, graph.edge_index, order), desired=(P @ graph.x, edges), says=says)


def sum_pool(candidate):
    """Sums over the atoms of each molecule, against PyG's ``global_add_pool``, molecules without atoms included."""
    for h, owner, size in _owned():
        desired = global_add_pool(h, owner, size)
        says = "One row per molecule: the sum of all of its rows of h, and zeros where it has none; out[owner] += h"
        says += " adds only once to a molecule that stands in owner often"
        expect(candidate, args=(h, owner, size), desired=desired, atol=1e-12, says=says)


def _owned():
    """Random features [N, H], the molecule of each row, in any order, and how many molecules there are."""
    generator = torch.Generator().manual_seed(0)
    for atoms, features, size in ((1, 2, 1), (7, 3, 2), (20, 4, 6), (3, 1, 5)):
        h = torch.randn(atoms, features, dtype=torch.float64, generator=generator)
        yield h, torch.randint(size, (atoms,), generator=generator), size


def relational(candidate):
    """A relational layer, against PyG's ``RGCNConv``."""
    for graph, (d_in, d_out) in zip(_molecules(), itertools.cycle(((3, 2), (2, 4), (5, 1))), strict=False):
        oracle = RGCNConv(d_in, d_out, num_relations=len(BONDS), bias=False).double()
        x, bond = torch.randn(graph.num_nodes, d_in, dtype=torch.float64), graph.edge_attr.argmax(dim=1)
        desired = oracle(x, graph.edge_index, bond).detach()
        args = (x, graph.edge_index, bond, oracle.weight.detach(), oracle.root.detach())
        says = "x W_0, a mean over the neighbours of each kind of bond, nothing for a kind that an atom does not have"
        expect(candidate, args=args, desired=desired, atol=1e-12, says=says)


def fit(candidate):
    """Least squares on the composition, against NumPy's ``lstsq``, which works by a singular value decomposition."""
    generator = np.random.default_rng(0)
    for count, noise in ((20, 0.0), (60, 1.0), (500, 3.0)):
        n = generator.integers(0, 12, (count, 5)).astype(float)
        y = n @ generator.normal(-4, 1, 5) + generator.normal(0, noise, count) + 1
        desired = np.linalg.lstsq(np.hstack([n, np.ones((count, 1))]), y)[0]
        says = "Five weights and then the intercept, at n = 0: one vector of six"
        expect(candidate, args=(torch.from_numpy(n), torch.from_numpy(y)), desired=desired, atol=1e-8, says=says)


def atomwise(candidate):
    """The sum of a head over the atoms of each molecule, against applying it to one atom after the other."""
    for h, owner, size in _owned():
        layers = torch.nn.Linear(h.shape[1], 5), torch.nn.Tanh(), torch.nn.Linear(5, 1)
        g = torch.nn.Sequential(*layers).double().requires_grad_(False)
        desired = [sum(g(row).item() for row, m in zip(h, owner, strict=True) if m == k) for k in range(size)]
        says = "Apply g to each atom and sum afterwards: one number per molecule, shape [size]; out[owner] += …"
        says += " adds only once to a molecule that stands in owner often"
        expect(candidate, args=(h, owner, size, g), desired=np.array(desired, float), atol=1e-12, says=says)
