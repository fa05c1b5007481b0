"""helpers.gnn.folding: hydrogens in the atoms that carry them, against RDKit and against loops."""

import operator

import networkx as nx
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from rdkit import Chem

from helpers.gnn.folding import fold
from helpers.gnn.molecule_models import MoleculeGNN, MoleculeMLP
from helpers.gnn.molecules import BONDS, ELEMENTS, from_smiles, load, permute_atoms

HEAVY = ["C", "N#N", "C=O", "c1ccccc1", "O=CC1=CN=CN1", "[NH3+]CC([O-])=O", "FC(F)(F)C#N", "[F]", "[2H]OC"]
# A hydrogen with two bonds is charged: fluoride, a node of its own, makes the whole neutral.
ONLY_HYDROGENS = ["[H][H]", "[H]", "[H][H+][H].[F-]"]

few_examples = settings(max_examples=25, deadline=None)


@pytest.fixture(scope="module")
def sample():
    return load(2000)


def graph(rows, bonds):
    """A networkx graph of nodes with the rows ``rows``, and of the bonds (i, j, kind)."""
    made = nx.Graph()
    made.add_nodes_from((i, {"row": tuple(row)}) for i, row in enumerate(rows))
    made.add_edges_from((i, j, {"bond": bond}) for i, j, bond in bonds)
    return made


def graph_of(batch):
    """That of a batch of one molecule, whose edges stand both ways."""
    bonds = [(*ends, kind) for *ends, kind in zip(*batch.edge_index.tolist(), batch.edge_attr.argmax(1), strict=True)]
    assert {(i, j, int(kind)) for i, j, kind in bonds} == {(j, i, int(kind)) for i, j, kind in bonds}
    return graph(batch.x.int().tolist(), [(i, j, int(kind)) for i, j, kind in bonds])


def by_rdkit(smiles):
    """The same from RDKit's molecule, which counts the hydrogens of each atom."""
    molecule = Chem.RemoveAllHs(Chem.MolFromSmiles(smiles))
    atoms, bonds = molecule.GetAtoms(), molecule.GetBonds()
    rows = [(atom.GetTotalNumHs(), *(int(atom.GetSymbol() == element) for element in ELEMENTS[1:])) for atom in atoms]
    kinds = [BONDS.index(bond.GetBondType().name) for bond in bonds]
    return graph(rows, [(b.GetBeginAtomIdx(), b.GetEndAtomIdx(), kind) for b, kind in zip(bonds, kinds, strict=True)])


def assert_same(one, other):
    assert nx.is_isomorphic(one, other, node_match=operator.eq, edge_match=operator.eq)


@pytest.fixture(scope="module")
def folded(sample):
    return fold(sample)


@given(st.integers(0, 1999))
@settings(max_examples=200, deadline=None)
def test_folded_graphs_of_qm9_are_rdkits(sample, folded, m):
    assert_same(graph_of(folded.batch([m])), by_rdkit(sample.smiles[m]))


@pytest.mark.parametrize("smiles", HEAVY)
def test_folded_graph_is_rdkits(smiles):
    assert_same(graph_of(fold(from_smiles(smiles)).batch([0])), by_rdkit(smiles))


def test_hydrogens_without_a_heavier_atom_are_nodes():
    batch = fold(from_smiles([*ONLY_HYDROGENS, "C[H+]C.[F-]"])).batch(range(4))
    assert batch.ptr.tolist() == [0, 1, 2, 4, 8]
    assert batch.x[:, 0].tolist() == [2, 1, 3, 0, 3, 1, 3, 0] and batch.x[:, 1].tolist() == [0, 0, 0, 0, 1, 0, 1, 0]
    assert batch.edge_index.tolist() == [[4, 5, 5, 6], [5, 4, 6, 5]]


def test_no_hydrogen_of_qm9_is_lost_or_left_a_node(sample, folded):
    assert torch.equal(folded.num_atoms, sample.num_atoms) and torch.equal(folded.composition, sample.composition)
    assert torch.equal(folded.atom_ptr.diff(), sample.composition[:, 1:].sum(1))  # a node for each heavier atom
    assert (folded.element > 0).all()
    assert torch.equal(folded.y, sample.y) and folded.smiles == sample.smiles


def unfold(batch):
    """A batch of one molecule with its hydrogens as nodes again, by loops: its elements, one-hot, and its bonds."""
    rows, bonds = [], list(graph_of(batch).edges.data("bond"))
    for row in batch.x.int().tolist():
        own = max(k for k, count in enumerate(row) if count)
        rows.append([int(k == own) for k in range(5)])
    for i, (hydrogens, *_) in enumerate(batch.x.int().tolist()):
        for _ in range(hydrogens - rows[i][0]):
            bonds.append((i, len(rows), 0))
            rows.append([1, 0, 0, 0, 0])
    return graph(rows, bonds)


@pytest.mark.parametrize("smiles", HEAVY + ONLY_HYDROGENS)
def test_unfolded_it_is_the_molecule_again(smiles):
    whole = from_smiles(smiles)
    assert_same(unfold(fold(whole).batch([0])), graph_of(whole.batch([0])))


@given(st.integers(0, len(HEAVY + ONLY_HYDROGENS) - 1), st.integers(0, 2**31 - 1))
@few_examples
def test_folding_does_not_see_how_atoms_are_numbered(m, seed):
    whole = from_smiles((HEAVY + ONLY_HYDROGENS)[m])
    batch = permute_atoms(whole.batch([0]), torch.Generator().manual_seed(seed))
    expected = graph_of(fold(whole).batch([0]))
    whole.element, whole.edge_index = batch.x.argmax(1).to(torch.uint8), batch.edge_index.short()
    assert_same(graph_of(fold(whole).batch([0])), expected)


@given(st.lists(st.integers(0, 1999), min_size=1, max_size=12))
@few_examples
def test_batch_is_its_molecules_one_after_the_other(folded, index):
    batch = folded.batch(index)
    for k, m in enumerate(index):
        one, nodes = folded.batch([m]), batch.batch == k
        edges = nodes[batch.edge_index[0]]
        assert torch.equal(batch.x[nodes], one.x) and torch.equal(batch.edge_attr[edges], one.edge_attr)
        assert torch.equal(batch.edge_index[:, edges] - batch.ptr[k], one.edge_index)


def test_only_the_gnn_takes_folded_hydrogens(folded):
    assert MoleculeGNN(hidden=8, blocks=2)(folded.batch([0, 1])).isfinite().all()
    with pytest.raises(ValueError, match="here hydrogens are folded"):
        MoleculeMLP(hidden=8)(folded.batch([0, 1]))
