"""Oracles of the exercises on molecules as lists."""

import numpy as np
import torch
from torch_geometric.utils import to_dense_adj, to_dense_batch

from helpers.exercises import ExerciseFailed, expect
from helpers.gnn.molecules import MAX_ATOMS, from_smiles

SMILES = ("C", "O", "[F]", "C#N", "CC(=O)N", "Oc1ccccc1", "FC(F)(F)C#N", "CCCCCCCCC")  # 1 to 29 atoms, all bonds
TRAINING = ("C", "O", "CC", "CO", "C=O", "C#N", "CC=O", "CC#N", "C1CC1", "NC=O", "FC(F)F", "c1ccccc1", "CCO", "CC(=O)N")


def small_molecules():
    """The graphs of some small molecules, in the default floating-point type."""
    for smiles in SMILES:
        yield from_smiles(smiles).batch([0])


def padded_input(candidate):
    """The 3,509 inputs of a molecule, against PyG's dense features and dense adjacency."""
    for graph in small_molecules():
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
    for graph in small_molecules():
        order = torch.randperm(graph.num_nodes, generator=generator)
        P = torch.eye(graph.num_nodes)[order]
        new_name = P @ torch.arange(graph.num_nodes, dtype=P.dtype)  # row i is the old name of new atom i
        back = {int(old): new for new, old in enumerate(new_name)}
        edges = torch.tensor([[back[int(atom)] for atom in row] for row in graph.edge_index]).long().view(2, -1)
        says = "Old atom order[i] is now called i, in the edges too, which keep their places"
        expect(candidate, args=(graph.x, graph.edge_index, order), desired=(P @ graph.x, edges), says=says)


def build_mlp(candidate):
    """An MLP on padded molecules: shapes, gradients, each molecule for itself, and a short training."""
    call = "build_mlp()"
    network, inputs = network_of(candidate, call), _padded()
    if network(inputs).shape != (len(inputs),):
        raise ExerciseFailed(
            f"{call} of an input of shape {tuple(inputs.shape)} gives {tuple(network(inputs).shape)}, where "
            f"({len(inputs)},) is expected: one number per molecule, without an axis for it"
        )
    middle = network((inputs[:1] + inputs[1:2]) / 2) - network(inputs[:2]).mean()
    if abs(middle.item()) < 1e-6:
        raise ExerciseFailed(f"{call} is linear: between its layers stands no ReLU or other non-linearity")
    each_for_itself(call, network(inputs), torch.cat([network(v[None]) for v in inputs]))
    trains(call, candidate, lambda network: network(inputs))


def network_of(candidate, call):
    """The network that ``candidate()`` builds, in evaluation mode; refuses what is no ``torch.nn.Module``."""
    network = candidate()
    if not isinstance(network, torch.nn.Module):
        raise ExerciseFailed(f"{call} returns a torch.nn.Module, and yours {type(network).__name__}")
    return network.eval()


def _padded():
    """The molecules of ``TRAINING`` as dense inputs [B, 3509]."""
    batch = from_smiles(list(TRAINING)).batch(range(len(TRAINING)))
    x = to_dense_batch(batch.x, batch.batch, max_num_nodes=MAX_ATOMS)[0]
    bonds = to_dense_adj(batch.edge_index, batch.batch, batch.edge_attr, MAX_ATOMS)
    return torch.cat([x.flatten(1), bonds.flatten(1)], dim=1)


def each_for_itself(call, together, alone):
    """Refuses energies [B] that molecules have ``together`` in a batch, and not ``alone``."""
    if not torch.allclose(together, alone, rtol=1e-4, atol=1e-5):
        raise ExerciseFailed(f"{call} gives a molecule another energy when it stands in a batch with others")


def trains(call, candidate, energies):
    """Every parameter hears of the loss, and 200 steps of Adam learn 14 energies that are not linear in the atoms.

    ``candidate()`` builds a network, ``energies(network)`` are those of the molecules ``TRAINING``: [14].
    """
    network = candidate().train()
    target = torch.linspace(-1, 1, len(TRAINING))[torch.arange(len(TRAINING)) * 5 % len(TRAINING)]
    optimizer = torch.optim.Adam(network.parameters(), lr=3e-3)
    for step in range(200):
        loss = torch.nn.functional.mse_loss(energies(network), target)
        optimizer.zero_grad()
        loss.backward()
        deaf = [name for name, p in network.named_parameters() if p.grad is None]
        if step == 0 and deaf:
            raise ExerciseFailed(f"{call}: no gradient reaches {', '.join(deaf)}, which the forward pass never uses")
        optimizer.step()
    if not loss < 0.1 * target.var():
        raise ExerciseFailed(
            f"{call} does not learn the energies of {len(TRAINING)} molecules in 200 steps of Adam: a loss of "
            f"{loss:.2g} is left, of {target.var():.2g} at the start. Does the output depend on all of the input?"
        )
