"""Oracles of the exercises on molecules as graphs."""

import itertools

import torch
from torch_geometric.nn import RGCNConv

from helpers.exercises import ExerciseFailed, expect
from helpers.gnn.exercises.circulant import spares_loops
from helpers.gnn.exercises.molecules import TRAINING, each_for_itself, network_of, small_molecules, trains
from helpers.gnn.molecules import BONDS, from_smiles, permute_atoms


def build_gnn(candidate):
    """A GNN: shapes, gradients, invariance, kinds of bonds, size, each molecule for itself, and a short training."""
    call = "build_gnn()"
    network = network_of(candidate, call)

    def energies(network, batch):
        return network(batch.x, batch.edge_index, batch.edge_attr.argmax(1), batch.batch, len(batch.y))

    graphs = from_smiles(list(TRAINING)).batch(range(len(TRAINING)))
    expected = energies(network, graphs)
    if expected.shape != (len(TRAINING),):
        raise ExerciseFailed(
            f"{call} gives {tuple(expected.shape)} for {len(TRAINING)} molecules, where ({len(TRAINING)},) is expected"
        )
    shuffled = permute_atoms(graphs, torch.Generator().manual_seed(0))
    if not torch.allclose(energies(network, shuffled), expected, rtol=1e-4, atol=1e-5):
        raise ExerciseFailed(f"{call} changes its answer when the atoms of a molecule are numbered anew")
    each = torch.cat([energies(network, from_smiles(smiles).batch([0])) for smiles in TRAINING])
    each_for_itself(call, expected, each)
    one, other = (from_smiles(smiles).batch([0]) for smiles in ("C.C", "C"))
    if torch.allclose(energies(network, one), energies(network, other), rtol=1e-4, atol=1e-5):
        raise ExerciseFailed(f"{call} cannot tell two molecules of methane from one: pool by a sum")
    single = graphs.clone()
    single.edge_attr = torch.eye(len(BONDS))[torch.zeros(graphs.num_edges, dtype=torch.int64)]
    if torch.allclose(energies(network, single), expected, rtol=1e-4, atol=1e-5):
        raise ExerciseFailed(f"{call} does not see the kinds of bonds: its answer is the same if all are single")
    trains(call, candidate, lambda network: energies(network, graphs))


def relational(candidate):
    """A relational layer, against PyG's ``RGCNConv``."""
    for graph, (d_in, d_out) in zip(small_molecules(), itertools.cycle(((3, 2), (2, 4), (5, 1))), strict=False):
        oracle = RGCNConv(d_in, d_out, num_relations=len(BONDS), bias=False).double()
        x, bond = torch.randn(graph.num_nodes, d_in, dtype=torch.float64), graph.edge_attr.argmax(dim=1)
        desired = oracle(x, graph.edge_index, bond).detach()
        args = (x, graph.edge_index, bond, oracle.weight.detach(), oracle.root.detach())
        says = "x W_0, a mean over the neighbours of each kind of bond, nothing for a kind that an atom does not have"
        expect(candidate, args=args, desired=desired, atol=1e-12, says=says)
    one_way, bond = torch.tensor([[0, 0, 1], [1, 2, 2]]), torch.tensor([0, 0, 1])
    oracle = RGCNConv(2, 3, num_relations=len(BONDS), bias=False).double()
    x = torch.randn(3, 2, dtype=torch.float64)
    args = (x, one_way, bond, oracle.weight.detach(), oracle.root.detach())
    says = "here edges go one way: edge_index[0] speaks, and edge_index[1] hears"
    expect(candidate, args=args, desired=oracle(x, one_way, bond).detach(), atol=1e-12, says=says)
    weights = torch.ones(len(BONDS), 2, 1), torch.ones(2, 1)
    hint = "Loop over the kinds of bonds; index_add sums what arrives at all atoms at once."
    spares_loops(candidate, lambda n: (torch.ones(n, 2), *_chain(n), *weights), hint)


def _chain(n):
    """The edges of a chain of n atoms, both ways, and their kinds."""
    onward = torch.stack([torch.arange(n - 1), torch.arange(1, n)])
    return torch.cat([onward, onward.flip(0)], dim=1), torch.zeros(2 * n - 2, dtype=torch.int64)
