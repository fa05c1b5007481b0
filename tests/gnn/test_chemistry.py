"""helpers.gnn.colours against loops and networkx; the oracles of the exercises on what a network knows of chemistry."""

from functools import partial

import networkx as nx
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from helpers.gnn.colours import alike, refine
from helpers.gnn.folding import fold
from helpers.gnn.molecules import from_smiles
from oracles import tried

SMILES = ["C", "CCO", "C=O", "c1ccccc1", "C1CC2CCC1O2", "C1CC1OC1CC1", "O=[O+][O-]", "CC(=O)N", "N#CC=O", "[F]", "CC.O"]
picks = st.lists(st.integers(0, len(SMILES) - 1), min_size=1, max_size=8)
few_examples = settings(max_examples=25, deadline=None)


def classes(names):
    """Equal names as equal numbers, in the order in which they first come."""
    seen = {}
    return [seen.setdefault(name, len(seen)) for name in names]


def hashes(batch, rounds):
    """The colours of networkx after ``rounds`` rounds, hydrogens of folded nodes included."""
    graph = nx.Graph()
    graph.add_nodes_from((i, {"made": str(row)}) for i, row in enumerate(batch.x.int().tolist()))
    ends = zip(*batch.edge_index.tolist(), batch.edge_attr.argmax(1).tolist(), strict=True)
    graph.add_edges_from((i, j, {"kind": str(kind)}) for i, j, kind in ends)
    words = {"edge_attr": "kind", "node_attr": "made", "iterations": max(rounds, 1), "include_initial_labels": True}
    found = nx.weisfeiler_lehman_subgraph_hashes(graph, **words)
    return [found[i][rounds] for i in range(batch.num_nodes)]


@given(picks, st.integers(0, 4), st.booleans())
@few_examples
def test_colours_are_those_of_networkx(index, rounds, folded):
    molecules = from_smiles([SMILES[i] for i in index])
    molecules = fold(molecules) if folded else molecules
    expected = classes(hashes(molecules.batch(range(len(index))), rounds))
    assert classes(refine(molecules, rounds).tolist()) == expected


@given(picks, st.integers(0, 3))
@few_examples
def test_molecules_are_alike_that_have_as_many_atoms_of_each_colour(index, rounds):
    molecules = from_smiles([SMILES[i] for i in index])
    colours = refine(molecules, rounds)
    parts = [sorted(colours[a:b].tolist()) for a, b in zip(molecules.atom_ptr, molecules.atom_ptr[1:], strict=False)]
    assert classes(alike(molecules, colours).tolist()) == classes(map(tuple, parts))


def test_a_pair_is_alike_for_colours_and_not_for_other_first_colours():
    pair = from_smiles(["C1CC2CCC1O2", "C1CC1OC1CC1"])
    assert alike(pair, refine(pair, 12)).tolist() == [0, 0]
    owner = torch.arange(2).repeat_interleave(pair.num_atoms)
    assert len(alike(pair, refine(pair, 0, owner)).unique()) == 2  # told apart from the start


@pytest.mark.parametrize(("smiles", "kinds"), [("C", 2), ("CC", 2), ("CCO", 6), ("c1ccccc1", 2)])
def test_final_colours_by_hand(smiles, kinds):
    """In ethanol: two carbons, the oxygen, and three kinds of hydrogens."""
    assert len(refine(from_smiles(smiles), 9).unique()) == kinds


def new_colours(colour, edge_index, bond, itself=True, kinds=True, order=True, often=True):
    heard = [[] for _ in colour]
    for j, i, r in zip(*edge_index.tolist(), bond.tolist(), strict=True):
        heard[i].append((r * kinds, int(colour[j])))
    heard = [sorted(h if often else set(h)) if order else h for h in heard]
    return torch.tensor(classes((int(c) * itself, *h) for c, h in zip(colour, heard, strict=True)))


def test_a_new_colour_stands_for_the_old_one_and_all_that_is_heard():
    tried(
        "gnn/chemistry/new_colours",
        lambda *args: 10 - new_colours(*args),  # by any names
        (partial(new_colours, itself=False), "if they had one colour"),
        (partial(new_colours, kinds=False), "the same kinds of bonds"),
        (partial(new_colours, order=False), "in whatever order"),
        (partial(new_colours, often=False), "hear the same"),
    )


def return_chance(edge_index, size, k, columns=False, least=1.0, normed=True):
    A = torch.zeros(size, size, dtype=torch.float64)
    A[edge_index[0], edge_index[1]] = 1
    P = A / A.sum(dim=1, keepdim=True).clamp(min=least) if normed else A
    P = torch.linalg.matrix_power(P, k)
    return P.sum(dim=1) if columns else P.diagonal()


def test_a_walk_is_home_by_the_diagonal_of_a_power():
    tried(
        "gnn/chemistry/return_chance",
        return_chance,
        (partial(return_chance, columns=True), "The diagonal"),
        (partial(return_chance, normed=False), "each row divided by its sum"),
        (partial(return_chance, least=0.0), "divided by its sum, which is a degree"),
        (lambda edge_index, size, k: return_chance(edge_index, size, k + 1), "the k-th power"),
    )


def test_a_fit_has_five_weights_and_then_an_intercept():
    def fit(n, y, first=False):
        ones = torch.ones(len(n), 1, dtype=n.dtype)
        return torch.linalg.lstsq(torch.cat([ones, n] if first else [n, ones], dim=1), y[:, None]).solution[:, 0]

    def centred(n, y):
        w = torch.linalg.lstsq(n - n.mean(0), (y - y.mean())[:, None]).solution[:, 0]
        return torch.cat([w, y.mean()[None]])

    tried(
        "gnn/chemistry/fit",
        fit,
        (partial(fit, first=True), "Five weights and then the intercept"),
        (lambda n, y: torch.linalg.lstsq(n, y[:, None]).solution[:, 0], "then the intercept"),
        (centred, "the intercept, at n = 0"),
        (lambda n, y: fit(n, y)[:, None], "one vector"),
    )
