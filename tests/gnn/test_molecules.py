"""helpers.gnn.molecules: graphs of molecules, batches by index arithmetic, both models; the oracles of the chapter."""

import os

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch_geometric import nn as pyg
from torch_geometric.data import Batch, Data
from torch_geometric.datasets.qm9 import HAR2EV, atomrefs
from torch_geometric.loader import DataLoader
from torch_geometric.transforms import AddRandomWalkPE
from torch_geometric.utils import from_smiles as pyg_from_smiles

from helpers import data
from helpers.gnn import molecules as gnn_molecules
from helpers.gnn.folding import fold
from helpers.gnn.molecule_models import (
    NUM_INPUTS,
    Bonds,
    DegreeConvolution,
    MoleculeGNN,
    MoleculeMLP,
    RelationalConvolution,
    SparseMatrix,
    padded_inputs,
    pool,
    returns,
)
from helpers.gnn.molecules import (
    BONDS,
    ELEMENTS,
    MoleculeError,
    Standardizer,
    composition_baseline,
    fit_composition,
    from_smiles,
    load,
    permute_atoms,
    split,
)
from oracles import tried

KCAL_PER_MOL = 0.0433641153  # eV
SMILES = ["C", "N#N", "C=O", "c1ccccc1", "O=CC1=CN=CN1", "[NH3+]CC([O-])=O", "FC(F)(F)C#N", "CC(O)C1(O)CCC1O", "[F]"]
SMILES += ["[H][H]", "[2H]OC", "c1cc[nH]c1"]  # hydrogens that RDKit takes for atoms, or for a part of one
ATOMIC_NUMBER = torch.tensor([1, 6, 7, 8, 9])

seeds = st.integers(0, 2**31 - 1)
picks = st.lists(st.integers(0, len(SMILES) - 1), min_size=1, max_size=12)
few_examples = settings(max_examples=25, deadline=None)


@pytest.fixture(scope="module", autouse=True)
def table():
    """The raw table, read once for all tests."""
    whole = data.qm9()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(data, "qm9", lambda: whole)
        yield whole


@pytest.fixture(scope="module")
def sample():
    return load(2000)


def molecules_of(smiles, energies=None):
    molecules = from_smiles(smiles)
    molecules.y = torch.linspace(-90, -20, len(smiles), dtype=torch.float64) if energies is None else energies
    return molecules


def one_by_one(molecules):
    """The same molecules as PyG has them: a list of graphs, filled in by a loop."""
    graphs = []
    for m in range(len(molecules)):
        atoms = slice(*molecules.atom_ptr[m : m + 2])
        edges = slice(*molecules.edge_ptr[m : m + 2])
        graphs.append(
            Data(
                x=torch.nn.functional.one_hot(molecules.element[atoms].long(), 5).float(),
                edge_index=molecules.edge_index[:, edges].long(),
                edge_attr=torch.nn.functional.one_hot(molecules.bond[edges].long(), 4).float(),
                y=molecules.y[m : m + 1].float(),
            )
        )
    return graphs


def assert_same(batch, expected):
    for name in ("x", "edge_index", "edge_attr", "y", "batch", "ptr"):
        torch.testing.assert_close(batch[name], expected[name], rtol=0, atol=0, msg=lambda text, name=name: name + text)


def models(seed=0, **options):
    torch.manual_seed(seed)
    return MoleculeMLP(hidden=16).eval(), MoleculeGNN(hidden=8, blocks=2, **options).eval()


# --- graphs ---


@pytest.mark.parametrize("smiles", SMILES)
def test_graph_is_that_of_pyg(smiles):
    graph = from_smiles(smiles).batch([0])
    reference = pyg_from_smiles(smiles, with_hydrogen=True)
    rdkit_bond = torch.tensor([1, 2, 3, 12])  # the numbers of RDKit's bond types, in the order of BONDS
    # PyG sorts the edges, we keep those of a bond together
    order = (graph.edge_index[0] * graph.num_nodes + graph.edge_index[1]).argsort()
    assert torch.equal(ATOMIC_NUMBER[graph.x.argmax(1)], reference.x[:, 0])
    assert torch.equal(graph.edge_index[:, order], reference.edge_index)
    assert torch.equal(rdkit_bond[graph.edge_attr.argmax(1)[order]], reference.edge_attr[:, 0])


def test_one_hot_and_types_of_formaldehyde():
    graph = from_smiles("C=O").batch([0])
    assert [ELEMENTS[k] for k in graph.x.argmax(1)] == ["C", "O", "H", "H"]
    assert [BONDS[k] for k in graph.edge_attr.argmax(1)] == ["DOUBLE"] * 2 + ["SINGLE"] * 4
    assert graph.x.sum(1).tolist() == [1] * 4 and graph.edge_attr.sum(1).tolist() == [1] * 6
    assert graph.y.isnan().all()


def test_more_than_29_atoms_are_a_graph_like_any_other():
    assert from_smiles("C" * 20).num_atoms.item() == 62


@pytest.mark.parametrize(
    ("smiles", "message"),
    [
        ("C(C", "extra open parentheses"),
        ("C(C)(C)(C)(C)C", "valence for atom # 0 C, 5, is greater"),
        ("c1cccc1", "Can't kekulize"),
        ("C1CC", "unclosed ring"),
        ("C[Si](C)(C)Cl", "element Cl, Si, and QM9 only H, C, N, O, F"),
        ("C*", r"element \*"),
        ("C~C", "bond UNSPECIFIED, and QM9 only SINGLE"),
        ("[F-]", "ion of charge -1, and the molecules of QM9 have none"),
        ("C[NH3+].[NH4+]", r"ion of charge \+2"),
        ("", "no atoms"),
        ("C O", "has a space in it"),  # RDKit reads methane, of the name "O"
        (" C", "has a space in it"),
    ],
)
def test_refusals_give_the_reason(smiles, message, capfd):
    with pytest.raises(MoleculeError, match=message):
        from_smiles(["[H]", smiles])  # of the first one RDKit warns
    assert capfd.readouterr() == ("", "")  # RDKit is silent


# --- the data set ---


def test_sample_is_random_and_always_the_same(sample, table):
    small = load(50)
    assert small.smiles == load(50).smiles and len(small) == len(set(small.smiles)) == 50
    assert small.smiles != table.SMILES[:50].tolist()
    assert load(5).smiles == [
        "NC(=O)CC1CCO1",
        "CC#CC1=NNC=C1",
        "OC1=C(O)C(=O)OC=N1",
        "OC12CC1OC2CC#C",
        "CC1=C(F)N=NOC1=N",
    ]
    assert len(sample) == 2000 and sample.disagreeing == ()
    assert abs(sample.y.mean() + 76.12) < 1 and abs(sample.y.std() - 10.32) < 0.7


@pytest.mark.parametrize("limit", [0, -1, 130_832])
def test_limit_out_of_range_is_refused(limit):
    with pytest.raises(ValueError, match="130,831"):
        load(limit)


@pytest.fixture
def short_table(table, monkeypatch, tmp_path):
    """A data set of the first 60 molecules, with its cache in a folder of its own."""
    monkeypatch.setenv("SHARED_WEIGHTS_DATA", str(tmp_path))
    short = table.head(60).copy()
    monkeypatch.setattr(data, "qm9", lambda: short)
    return short


def test_methane_has_the_energy_of_the_literature(short_table):
    assert load().smiles[0] == "C"
    assert load().y[0].item() / KCAL_PER_MOL == pytest.approx(-396.0, abs=0.05)


def test_reference_energies_are_those_of_pyg():
    ours = torch.tensor(gnn_molecules.ATOM_ENERGY, dtype=torch.float64) * gnn_molecules.HARTREE
    torch.testing.assert_close(ours, torch.tensor(atomrefs[7], dtype=torch.float64), rtol=1e-8, atol=0)  # U0, eV
    assert gnn_molecules.HARTREE == HAR2EV


def test_energy_of_every_element_is_counted_once_an_atom(table, monkeypatch, tmp_path):
    monkeypatch.setenv("SHARED_WEIGHTS_DATA", str(tmp_path))
    rows = table[table.SMILES.str.contains("F.*N.*O")].head(9)
    monkeypatch.setattr(data, "qm9", lambda: rows)
    energy_of = dict(zip(ELEMENTS, atomrefs[7], strict=True))
    for y, elements, total in zip(load().y.tolist(), rows.Elements, rows.InternalEnergy_0K_au, strict=True):
        atoms = elements.strip("[]").replace("'", "").split(",")
        assert y == pytest.approx(HAR2EV * total - sum(energy_of[atom] for atom in atoms), abs=1e-3)


def test_cache_gives_back_what_was_built(short_table, monkeypatch):
    built = load()
    monkeypatch.delattr(data, "qm9")
    cached = load()
    assert cached.smiles == built.smiles == short_table.SMILES.tolist()
    assert_same(cached.batch(torch.arange(60)), built.batch(torch.arange(60)))
    assert torch.equal(cached.y, built.y) and cached.y.dtype == torch.float64
    assert len(list(gnn_molecules.cache_path().parent.iterdir())) == 1  # and no temporary file


@pytest.mark.parametrize("damage", [lambda b: b[:-1], lambda b: b[:50] + bytes([b[50] ^ 1]) + b[51:], lambda b: b""])
def test_damaged_cache_is_made_anew(short_table, damage):
    built = load()
    path = gnn_molecules.cache_path()
    path.write_bytes(damage(path.read_bytes()))
    with pytest.warns(UserWarning, match="damaged"):
        again = load()
    assert torch.equal(again.y, built.y) and torch.equal(load().y, built.y)  # the second, without a warning


@pytest.mark.parametrize("error", [PermissionError(13, "Permission denied"), IsADirectoryError(21, "Is a directory")])
def test_cache_that_cannot_be_read_is_made_anew(short_table, monkeypatch, error):
    built, path = load(), gnn_molecules.cache_path()
    with (
        monkeypatch.context() as patch,
        pytest.warns(UserWarning, match=f"{path} is damaged or may not be read"),
    ):
        patch.setattr(type(path), "read_bytes", lambda path: (_ for _ in ()).throw(error))
        assert torch.equal(load().y, built.y)
    assert torch.equal(load().y, built.y)


def test_folder_in_place_of_the_cache_is_only_two_warnings(short_table):
    gnn_molecules.cache_path().mkdir(parents=True)
    with pytest.warns(UserWarning, match="may not be read"), pytest.warns(UserWarning, match="cannot be kept"):
        assert len(load()) == 60


def test_cache_that_cannot_be_written_is_only_a_warning(short_table, tmp_path):
    (tmp_path / "cache").write_text("a file where the folder should be")
    with pytest.warns(UserWarning, match="cannot be kept"):
        assert len(load()) == 60


def test_disagreeing_molecules_are_named_and_kept(short_table):
    short_table.loc[3, "Stoichiometry"] = "[2,1,1,0,0]"
    for molecules in (load(), load()):  # built, and from the cache
        assert molecules.disagreeing == (short_table.XYZ_file[3],) and len(molecules) == 60


@pytest.mark.skipif("SHARED_WEIGHTS_DATA" not in os.environ, reason="the whole set belongs to full runs")
def test_whole_set_agrees_with_the_literature():
    molecules = load()
    assert len(molecules) == 130_831 and molecules.disagreeing == () and molecules.num_atoms.max() == 29
    assert molecules.y.mean().item() == pytest.approx(-76.12, abs=0.005)
    assert molecules.y.std().item() == pytest.approx(10.32, abs=0.005)
    train, _, test = split(len(molecules), seed=0)
    error = (composition_baseline(molecules, train) - molecules.y)[test]
    assert error.abs().mean().item() == pytest.approx(0.87, abs=0.005)
    assert (error / Standardizer.of(molecules.y[train]).std).square().mean().item() == pytest.approx(0.0113, abs=2e-4)


@pytest.mark.parametrize("n", [14, 100, 2000])
def test_split_has_every_molecule_once(n):
    parts = split(n, seed=1)
    assert torch.equal(torch.cat(parts).sort().values, torch.arange(n))
    assert all(len(part) for part in parts)
    assert all(torch.equal(a, b) for a, b in zip(parts, split(n, seed=1), strict=True))
    assert not torch.equal(parts[0], split(n, seed=2)[0])


def test_split_of_all_of_qm9_and_of_too_few():
    assert [len(part) for part in split(130_831, seed=0)] == [100_000, 10_000, 20_831]
    with pytest.raises(ValueError, match="too few"):
        split(13, seed=0)


def test_standardizer_knows_the_molecules_it_was_made_from(sample):
    train, validation, _ = split(len(sample), seed=0)
    standardizer = Standardizer.of(sample.y[train])
    z = standardizer.standardize(sample.y)
    assert abs(z[train].mean()) < 1e-12 and abs(z[train].std(correction=0) - 1) < 1e-12
    assert abs(z[validation].mean()) > 1e-6
    torch.testing.assert_close(standardizer.restore(z), sample.y)


@pytest.mark.parametrize("y", [[], [1.0], [3.1] * 7, [1.0, torch.nan], [1.0, torch.inf], [1, 2], [1j, 2j]], ids=str)
def test_energies_without_a_z_score_are_refused(y):
    with pytest.raises(ValueError, match="needs finite energies of which two differ"):
        Standardizer.of(torch.tensor(y))


def test_composition_counts_atoms_and_predicts_most_of_the_energy(sample):
    expected = np.stack([np.bincount(graph.x.argmax(1), minlength=5) for graph in one_by_one(sample)[:100]])
    np.testing.assert_array_equal(sample.composition[:100], expected)
    train, _, test = split(len(sample), seed=0)
    error = (composition_baseline(sample, train) - sample.y)[test]
    assert 0.7 < error.abs().mean() < 1.05


# --- batches ---


def test_batches_are_those_of_pygs_loader(sample):
    loader = DataLoader(one_by_one(sample), batch_size=128)
    for index, expected in zip(torch.arange(len(sample)).split(128), loader, strict=True):
        assert_same(sample.batch(index), expected)


@given(picks)
@few_examples
def test_batch_is_its_molecules_one_after_the_other(index):
    molecules = molecules_of(SMILES)
    graphs = one_by_one(molecules)
    assert_same(molecules.batch(index), Batch.from_data_list([graphs[i] for i in index]))


@pytest.mark.parametrize(
    "index",
    [[0, len(SMILES)], [-1], torch.tensor([True, False]), [0.5], 1, [[0, 1]]],
    ids=["late", "early", "mask", "fraction", "number", "table"],
)
def test_batch_of_molecules_that_are_not_there_is_refused(index):
    with pytest.raises(IndexError, match=f"expected integers from 0 to {len(SMILES) - 1}"):
        molecules_of(SMILES).batch(index)


def test_batch_of_nothing_is_empty():
    assert molecules_of(SMILES).batch([]).num_nodes == 0


@given(picks, seeds)
@few_examples
def test_permuted_atoms_are_the_same_molecules(index, seed):
    batch = molecules_of(SMILES).batch(index)
    before = {name: value.clone() for name, value in batch}
    batch.x = torch.arange(batch.num_nodes)[:, None]  # every atom has a name, so that it can be followed
    permuted = permute_atoms(batch, torch.Generator().manual_seed(seed))
    name = permuted.x[:, 0]
    assert torch.equal(name[permuted.edge_index], batch.edge_index)  # the same bonds between the same atoms
    assert torch.equal(batch.batch[name], batch.batch) and torch.equal(name.sort().values, batch.x[:, 0])
    for key in ("edge_index", "edge_attr", "y", "batch", "ptr"):
        assert torch.equal(batch[key], before[key])  # the batch given is left alone


@given(picks, seeds)
@few_examples
def test_permutation_is_that_of_the_generator_on_every_machine(index, seed):
    """The shuffled atoms of each molecule, in the order of ``randperm``: what the runs of the book rest on."""
    batch = molecules_of(SMILES).batch(index)
    shuffled = torch.randperm(batch.num_nodes, generator=torch.Generator().manual_seed(seed)).tolist()
    expected = [atom for m in range(len(index)) for atom in shuffled if batch.batch[atom] == m]
    batch.x = torch.arange(batch.num_nodes)
    assert permute_atoms(batch, torch.Generator().manual_seed(seed)).x.tolist() == expected


def test_permutation_moves_most_atoms_and_follows_its_generator(sample):
    batch = sample.batch(torch.arange(50))
    one, same, other = (permute_atoms(batch, torch.Generator().manual_seed(seed)).edge_index for seed in (0, 0, 1))
    assert torch.equal(one, same) and not torch.equal(one, other)
    assert (one != batch.edge_index).float().mean() > 0.8


# --- layers and models ---


@st.composite
def multigraphs(draw):
    """Any directed graph: isolated nodes, loops, repeated edges and degrees above four among them."""
    num_nodes = draw(st.integers(1, 8))
    node = st.integers(0, num_nodes - 1)
    edges = draw(st.lists(st.tuples(node, node, st.integers(0, 3)), max_size=40))
    source, target, kind = torch.tensor(edges, dtype=torch.int64).view(-1, 3).T
    return Data(
        edge_index=torch.stack([source, target]), edge_attr=torch.eye(4)[kind], num_nodes=num_nodes, batch=None
    ), torch.Generator().manual_seed(draw(seeds))


@given(multigraphs())
@few_examples
def test_layers_are_those_of_pyg(drawn):
    graph, generator = drawn
    bonds, kind = Bonds(graph), graph.edge_attr.argmax(1)
    values = torch.randn(graph.num_nodes, 3, dtype=torch.float64, generator=generator)
    upstream = torch.randn(graph.num_nodes, 2, dtype=torch.float64, generator=generator)
    for ours, theirs, edges in (
        (RelationalConvolution(3, 2), pyg.RGCNConv(3, 2, num_relations=4), (graph.edge_index, kind)),
        (DegreeConvolution(3, 2), pyg.MFConv(3, 2, max_degree=4), (graph.edge_index,)),
    ):
        ours.double(), theirs.double()
        ours.load_state_dict(theirs.state_dict())
        x, x_sorted = values.clone().requires_grad_(), values[bonds.order].requires_grad_()
        expected, actual = theirs(x, *edges), ours(x_sorted, bonds)
        torch.testing.assert_close(actual, expected[bonds.order], rtol=0, atol=1e-12)
        expected.backward(upstream)
        actual.backward(upstream[bonds.order])
        torch.testing.assert_close(x_sorted.grad, x.grad[bonds.order], rtol=0, atol=1e-12)
        for a, b in zip(ours.parameters(), theirs.parameters(), strict=True):
            torch.testing.assert_close(a.grad, torch.zeros_like(a) if b.grad is None else b.grad, rtol=0, atol=1e-12)


@given(st.integers(1, 6), st.integers(1, 6), st.integers(0, 20), seeds)
@few_examples
def test_sparse_product_and_gradient_are_the_dense_ones(rows, columns, n, seed):
    generator = torch.Generator().manual_seed(seed)
    row = torch.randint(rows, (n,), generator=generator)
    column = torch.randint(columns, (n,), generator=generator)
    value = torch.randn(n, dtype=torch.float64, generator=generator)
    dense = torch.zeros(rows, columns, dtype=torch.float64).index_put((row, column), value, accumulate=True)
    x = torch.randn(columns, 3, dtype=torch.float64, generator=generator, requires_grad=True)
    product = SparseMatrix(row, column, (rows, columns), value) @ x
    upstream = torch.randn(rows, 3, dtype=torch.float64, generator=generator)
    torch.testing.assert_close(product, dense @ x, rtol=0, atol=1e-12)
    torch.testing.assert_close(torch.autograd.grad(product, x, upstream)[0], dense.T @ upstream, rtol=0, atol=1e-12)


@pytest.mark.parametrize(
    ("how", "reference"),
    [("sum", pyg.global_add_pool), ("mean", pyg.global_mean_pool), ("max", pyg.global_max_pool)],
)
def test_pooling_is_that_of_pyg(sample, how, reference):
    batch = sample.batch(torch.arange(20))
    h = torch.randn(batch.num_nodes, 3)
    torch.testing.assert_close(pool(h, batch.batch, 20, how), reference(h, batch.batch))


def returns_by_powers(graph, walks):
    """What ``returns`` gives, from powers of the one matrix of all steps, float64."""
    steps = np.zeros((graph.num_nodes, graph.num_nodes))
    for i, j in graph.edge_index.T.tolist():
        steps[i, j] = 1 / int((graph.edge_index[0] == i).sum())
    powers = [np.linalg.matrix_power(steps, k).diagonal() for k in range(2, walks + 2)]
    return torch.from_numpy(np.stack(powers, axis=1))


@given(picks)
@few_examples
def test_returns_are_the_diagonals_of_powers_and_pygs(index):
    batch = molecules_of(SMILES).batch(index)
    actual = returns(batch, 5)
    torch.testing.assert_close(actual.double(), returns_by_powers(batch, 5), rtol=0, atol=1e-6)
    torch.testing.assert_close(actual, AddRandomWalkPE(6)(batch).random_walk_pe[:, 1:], rtol=0, atol=1e-6)


@pytest.mark.parametrize("atoms", [3, 4, 5, 6])
def test_walk_comes_back_around_a_ring_or_the_way_it_went(atoms):
    chances = returns(fold(from_smiles(f"C1{'C' * (atoms - 2)}C1")).batch([0]), 5)
    assert torch.equal(chances, chances[:1].expand(atoms, -1)) and chances[0, 0] == 1 / 2
    odd = [chances[0, k - 2].item() for k in (3, 5)]
    assert odd == {3: [2 / 2**3, 10 / 2**5], 5: [0, 2 / 2**5]}.get(atoms, [0, 0])


@pytest.mark.parametrize("walks", [0, 5])
def test_walks_tell_apart_molecules_whose_atoms_hear_the_same(walks):
    gnn = MoleculeGNN(hidden=8, blocks=6, walks=walks).eval().double()
    batch = from_smiles(["C1CCC2CCCCC2C1", "C1CCC(C1)C1CCCC1"]).batch([0, 1])
    batch.x = batch.x.double()
    decalin, bicyclopentyl = gnn(batch).tolist()
    assert (abs(decalin - bicyclopentyl) > 1e-6) == (walks > 0)


@pytest.mark.parametrize("options", [{}, {"walks": 5, "norm": "layer"}], ids=str)
def test_what_the_gnn_makes_lies_where_its_batch_lies(sample, options):
    _, gnn = models(**options)
    batch = sample.batch(torch.arange(20))
    with torch.device("meta"):  # where a tensor lands that is told no device, and nothing else can be added to it
        loss = (gnn.train()(batch) - batch.y).square().mean()
        loss.backward()
    assert loss.device == batch.x.device and loss.isfinite()


OPTIONS = [{}, {"walks": 5}, {"pooling": "max", "norm": "layer"}, {"residual": False, "norm": None}]
OPTIONS += [{"pooling": "mean", "composition": False}, {"residual": False}]


def gnn_of_pyg(gnn, batch, pooling="sum", residual=True, norm="batch", composition=True, walks=0):
    """The network of ``gnn``'s weights, layer after layer as the book says them, with the layers of PyG."""
    weights = {name: value.double() for name, value in gnn.state_dict().items()}

    def loaded(layer, prefix):
        own = {name.removeprefix(prefix): value for name, value in weights.items() if name.startswith(prefix)}
        layer.double().load_state_dict(own)
        return layer.eval()

    make_norm = {"batch": torch.nn.BatchNorm1d, "layer": torch.nn.LayerNorm, None: lambda _: torch.nn.Identity()}[norm]
    pool = {"sum": pyg.global_add_pool, "mean": pyg.global_mean_pool, "max": pyg.global_max_pool}[pooling]
    h = loaded(torch.nn.Linear(5, 8), "embedding.")(batch.x)
    if walks:
        h = h + loaded(torch.nn.Linear(walks, 8, bias=False), "walks.")(returns_by_powers(batch, walks))
    for k in range(2):
        update = loaded(make_norm(8), f"norms.{k}.")(h).relu()
        relational = loaded(pyg.RGCNConv(8, 8, num_relations=4), f"relational.{k}.")
        update = relational(update, batch.edge_index, batch.edge_attr.argmax(1)).relu()
        update = loaded(pyg.MFConv(8, 8, max_degree=4), f"by_degree.{k}.")(update, batch.edge_index)
        h = h + update if residual else update
    h = pool(loaded(make_norm(8), "norms.2.")(h), batch.batch)
    z = loaded(torch.nn.Linear(8, 1), "head.2.")(loaded(torch.nn.Linear(8, 8), "head.0.")(h).relu())
    counts = pyg.global_add_pool(batch.x, batch.batch)
    return (z + loaded(torch.nn.Linear(5, 1), "composition.")(counts) if composition else z).squeeze(1)


@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_gnn_is_that_of_pygs_layers(sample, options):
    _, gnn = models(**options)
    for norm in gnn.norms:  # as after some training
        for value in (*norm.parameters(), *norm.buffers()):
            if value.is_floating_point():
                torch.nn.init.uniform_(value, 0.5, 1.5)
    batch = sample.batch(torch.arange(50))
    batch.x = batch.x.double()
    with torch.no_grad():
        torch.testing.assert_close(gnn.double()(batch), gnn_of_pyg(gnn, batch, **options), rtol=0, atol=1e-10)


@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_gnn_is_invariant_and_takes_each_molecule_for_itself(sample, options):
    _, gnn = models(**options)
    batch = sample.batch(torch.arange(100))
    batch.x, gnn = batch.x.double(), gnn.double()
    expected = gnn(batch)
    assert expected.shape == (100,) and expected.std() > 0
    torch.testing.assert_close(
        gnn(permute_atoms(batch, torch.Generator().manual_seed(0))), expected, rtol=0, atol=1e-12
    )
    batch.edge_index, batch.edge_attr = batch.edge_index.flip(1), batch.edge_attr.flip(0)
    torch.testing.assert_close(gnn(batch), expected, rtol=0, atol=1e-12)
    half = sample.batch(torch.arange(50, 100))
    half.x = half.x.double()
    torch.testing.assert_close(gnn(half), expected[50:], rtol=0, atol=1e-12)


@pytest.mark.parametrize("network", [MoleculeGNN(hidden=8, blocks=2), MoleculeMLP(hidden=8, composition=True)])
def test_networks_start_as_least_squares_on_the_composition(sample, network):
    everything = torch.arange(len(sample))
    network.eval().start_from(fit_composition(sample.composition, sample.y))
    expected = composition_baseline(sample, everything)[:100]
    torch.testing.assert_close(network(sample.batch(torch.arange(100))).double(), expected, rtol=1e-5, atol=1e-4)


@pytest.mark.parametrize(
    "coefficients",
    [[1, 2], torch.ones(2), torch.ones(7), torch.ones(6, 1), torch.ones(6).long(), torch.full((6,), torch.nan), None]
    + [[1.0] * 6, torch.ones(6) * 1j],
)
def test_gnn_starts_from_six_finite_numbers_or_stays_as_it_is(coefficients):
    _, gnn = models()
    before = {name: value.clone() for name, value in gnn.state_dict().items()}
    with pytest.raises(ValueError, match="what fit_composition returns: a tensor of 6 finite numbers"):
        gnn.start_from(coefficients)
    assert all(torch.equal(value, before[name]) for name, value in gnn.state_dict().items())


@pytest.mark.parametrize("network", models(composition=False))
def test_networks_without_the_composition_cannot_start_from_it(network):
    with pytest.raises(ValueError, match="made with composition=False"):
        network.start_from(torch.ones(6))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: MoleculeMLP(layers=0), "layers must be a whole number from 1 on, not 0"),
        (lambda: MoleculeMLP(hidden=0), "hidden must be a whole number from 1 on, not 0"),
        (lambda: MoleculeMLP(hidden=2.5), "hidden must be a whole number from 1 on, not 2.5"),
        (lambda: MoleculeGNN(hidden=-1), "hidden must be a whole number from 1 on, not -1"),
        (lambda: MoleculeGNN(blocks=0), "blocks must be a whole number from 1 on, not 0"),
        (lambda: MoleculeGNN(norm="instance"), "norm must be one of 'layer', 'batch', None, not 'instance'"),
        (lambda: MoleculeGNN(pooling="median"), "pooling must be one of 'sum', 'mean', 'max', not 'median'"),
        (lambda: pool(torch.ones(1, 1), torch.zeros(1).long(), 1, "min"), "pooling must be one of .*, not 'min'"),
    ],
)
def test_sizes_and_choices_that_make_no_network_are_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()


@pytest.mark.parametrize("layers", [1, 2, 4])
def test_mlp_has_as_many_hidden_layers_as_asked_for(layers):
    linear = [
        module for module in MoleculeMLP(hidden=7, layers=layers).modules() if isinstance(module, torch.nn.Linear)
    ]
    assert [(m.in_features, m.out_features) for m in linear] == [(3509, 7), *[(7, 7)] * (layers - 1), (7, 1)]
    assert sum(isinstance(m, torch.nn.ReLU) for m in MoleculeMLP(hidden=7, layers=layers).modules()) == layers


def test_mlp_is_not_invariant(sample):
    mlp, _ = models()
    batch = sample.batch(torch.arange(100))
    permuted = permute_atoms(batch, torch.Generator().manual_seed(0))
    assert ((mlp(batch) - mlp(permuted)).abs() > 1e-4).float().mean() > 0.9


def dense_inputs(molecule):
    """The 3,509 inputs by loops: elements first, then bonds by (from, to, type)."""
    x, bonds = np.zeros((29, 5)), np.zeros((29, 29, 4))
    x[: molecule.num_nodes] = molecule.x
    for (i, j), kind in zip(molecule.edge_index.T.tolist(), molecule.edge_attr, strict=True):
        bonds[i, j] = kind
    return np.concatenate([x.ravel(), bonds.ravel()])


def test_sparse_first_layer_is_the_dense_one(sample):
    mlp, _ = models()
    index = torch.arange(30)
    dense = torch.from_numpy(np.stack([dense_inputs(graph) for graph in one_by_one(sample)[:30]])).float()
    assert dense.shape[1] == NUM_INPUTS == 3509
    places = torch.stack(padded_inputs(sample.batch(index)))
    assert torch.equal(places[:, places[0].argsort(stable=True)].sort().values[0], dense.nonzero()[:, 0])
    expected = mlp.head(mlp.first(dense)).squeeze(1)
    actual = mlp(sample.batch(index))
    torch.testing.assert_close(actual, expected, rtol=1e-5, atol=1e-6)
    (gradient,) = torch.autograd.grad(expected.sum(), mlp.first.weight)
    torch.testing.assert_close(torch.autograd.grad(actual.sum(), mlp.first.weight)[0], gradient, rtol=1e-5, atol=1e-6)


def test_only_the_gnn_takes_a_molecule_of_more_than_29_atoms():
    mlp, gnn = models()
    batch = from_smiles(["C" * 9, "C" * 10]).batch([0, 1])  # 29 and 32 atoms
    assert gnn(batch).isfinite().all()
    with pytest.raises(ValueError, match="up to 29 atoms, and this one has 32"):
        mlp(batch)


def test_a_padded_input_holds_elements_then_bonds_both_ways():
    def padded(x, edge_index, edge_attr):
        bonds = [[[0] * 4] * 29 for _ in range(29)]
        places = x.tolist() + [[0] * 5] * (29 - len(x))
        for (i, j), kind in zip(edge_index.T.tolist(), edge_attr.tolist(), strict=True):
            bonds[i][j] = kind
        return torch.cat([torch.tensor(places).flatten(), torch.tensor(bonds).flatten()])

    def bonds_first(v):
        return v.roll(-29 * 5)

    def by_element(v):
        return torch.cat([v[: 29 * 5].view(29, 5).T.flatten(), v[29 * 5 :]])

    def by_kind(v):
        return torch.cat([v[: 29 * 5], v[29 * 5 :].view(29 * 29, 4).T.flatten()])

    def one_way(x, edge_index, edge_attr):
        forth = edge_index[0] < edge_index[1]
        return padded(x, edge_index[:, forth], edge_attr[forth])

    tried(
        "gnn/molecules/padded_input",
        padded,
        (lambda *graph: bonds_first(padded(*graph)), "then the 29 · 29 · 4 bonds"),
        (lambda *graph: by_element(padded(*graph)), "atom by atom"),
        (lambda *graph: by_kind(padded(*graph)), "29 · 29 · 4"),
        (one_way, "in both directions"),
        (lambda x, *bonds: padded(x, *bonds)[: len(x) * 5], "29 · 5"),
    )


def test_z_scores_take_the_statistics_of_the_training_split_for_all():
    tried(
        "gnn/molecules/z_scored",
        lambda y, train: (y - y[train].mean()) / y[train].var(correction=0).sqrt(),
        (lambda y, train: (y - y.mean()) / y.std(correction=0), "deviation of y[train]"),
        (lambda y, train: (y - y[train].mean()) / y.std(correction=0), "deviation of y[train]"),
        (lambda y, train: (y - y[train].mean()) / y[train].std(), "not one less"),
        (lambda y, train: (y[train] - y[train].mean()) / y[train].std(correction=0), "Z-scores of all"),
        (lambda y, train: (y - y[train].mean()) / y[train].var(correction=0), "standard deviation"),
    )


def test_renamed_atoms_are_renamed_in_the_edges_by_the_inverse():
    def permute(x, edge_index, order):
        return x[order], order.argsort()[edge_index]

    tried(
        "gnn/molecules/permute",
        permute,
        (lambda x, edge_index, order: (x[order], order[edge_index]), "now called i, in the edges too"),
        (lambda x, edge_index, order: (x[order], edge_index), "in the edges too"),
        (lambda x, edge_index, order: permute(x, edge_index, order.argsort()), "order[i] is now called i"),
        (lambda x, edge_index, order: (x[order], order.argsort()[edge_index].sort(dim=1)[0]), "keep their places"),
    )


class SmallMLP(torch.nn.Module):
    """Right, and in each of the ways that the test names wrong."""

    def __init__(self, squeeze=True, relu=True, norm=False, unused=False, inputs=NUM_INPUTS):
        super().__init__()
        self.first, self.last = torch.nn.Linear(inputs, 32), torch.nn.Linear(32, 1)
        self.unused = torch.nn.Linear(2, 2) if unused else None
        self.squeeze, self.relu, self.norm, self.inputs = squeeze, relu, norm, inputs

    def forward(self, v):
        h = self.first(v[:, : self.inputs])
        h = h - h.mean(dim=0) if self.norm else h
        out = self.last(h.relu() if self.relu else h)
        return out.squeeze(1) if self.squeeze else out


def test_an_mlp_gives_one_number_per_molecule_and_learns():
    tried(
        "gnn/molecules/build_mlp",
        SmallMLP,
        (lambda: SmallMLP(squeeze=False), "without an axis for it"),
        (lambda: SmallMLP(relu=False), "is linear"),
        (lambda: SmallMLP(norm=True), "when it stands in a batch with others"),
        (lambda: SmallMLP(unused=True), "no gradient reaches unused.weight"),
        (lambda: SmallMLP(inputs=5), "Does the output depend on all of the input?"),
        (lambda: torch.relu, "returns a torch.nn.Module"),
    )
