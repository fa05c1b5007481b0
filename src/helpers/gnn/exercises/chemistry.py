"""Oracles of the exercises on what a network knows of chemistry."""

import networkx as nx
import numpy as np
import torch
from torch_geometric.transforms import AddRandomWalkPE

from helpers.exercises import expect
from helpers.gnn.molecules import from_smiles


def fit(candidate):
    """Least squares on the composition, against NumPy's ``lstsq``, which works by a singular value decomposition."""
    generator = np.random.default_rng(0)
    for count, noise in ((20, 0.0), (60, 1.0), (500, 3.0)):
        n = generator.integers(0, 12, (count, 5)).astype(float)
        y = n @ generator.normal(-4, 1, 5) + generator.normal(0, noise, count) + 1
        desired = np.linalg.lstsq(np.hstack([n, np.ones((count, 1))]), y)[0]
        says = "Five weights and then the intercept, at n = 0: one vector of six"
        expect(candidate, args=(torch.from_numpy(n), torch.from_numpy(y)), desired=desired, atol=1e-8, says=says)


def new_colours(candidate):
    """One round of colours, against the hashes of networkx: the same atoms share a colour."""
    generator = torch.Generator().manual_seed(0)
    for smiles in ("CCO", "C1CC2CCC1O2", "O=CC#N", "CC(=O)N", "c1ccncc1", "O=[O+][O-]"):
        graph = from_smiles(smiles).batch([0])
        bond = graph.edge_attr.argmax(1)
        for colour in (graph.x.argmax(1), torch.randint(3, (graph.num_nodes,), generator=generator)):
            known = nx.Graph()
            known.add_nodes_from((i, {"colour": str(int(c))}) for i, c in enumerate(colour))
            ends = zip(*graph.edge_index.tolist(), bond.tolist(), strict=True)
            known.add_edges_from((i, j, {"bond": str(r)}) for i, j, r in ends)
            hashes = nx.weisfeiler_lehman_subgraph_hashes(
                known, edge_attr="bond", node_attr="colour", iterations=1, include_initial_labels=False
            )
            # The hash says what is around an atom and its own colour; names of classes in the order they come.
            expected = _classes([hashes[i][-1] for i in range(graph.num_nodes)])

            def renamed(*args):
                return np.array(_classes(np.asarray(candidate(*args)).tolist()))

            says = "Atoms share a colour if they had one colour and hear the same kinds of bonds with the same colours "
            says += "behind them, in whatever order; the classes are numbered here as they come"
            expect(renamed, args=(colour, graph.edge_index, bond), desired=np.array(expected), says=says)


def _classes(names):
    """The same classes, named 0, 1, 2, … in the order in which they first come."""
    seen = {}
    return [seen.setdefault(name, len(seen)) for name in names]


def return_chance(candidate):
    """The chance that a walk is home after k steps, against PyG's encoding."""
    for smiles in ("C1CC1", "CCO", "C1CC2CCC1O2", "C1CC1OC1CC1", "[F].CC"):
        graph = from_smiles(smiles).batch([0])
        for k in (2, 3, 4, 7):
            encoded = AddRandomWalkPE(k)(graph.clone()).random_walk_pe[:, k - 1]
            says = "The diagonal of the k-th power of A, each row divided by its sum, which is a degree"
            args = (graph.edge_index, graph.num_nodes, k)
            expect(candidate, args=args, desired=encoded.double(), atol=1e-6, says=says)
