"""What trained networks say, how molecules are drawn, and the oracles of the exercises on larger molecules."""

import matplotlib.pyplot as plt
import pytest
import torch

from helpers.gnn.energies import energies, trained
from helpers.gnn.folding import fold
from helpers.gnn.molecules import from_smiles
from helpers.gnn.structures import structure
from helpers.records import RecordError
from oracles import tried


@pytest.mark.parametrize(("name", "prepare"), [("qm9_gnn", lambda graphs: graphs), ("qm9_folded", fold)])
def test_a_trained_network_knows_methane_and_does_not_mind_the_company(name, prepare):
    of = trained(name)
    alone, together = (energies(of, prepare(from_smiles(smiles))) for smiles in (["C"], ["CCO"] * 1001 + ["C"]))
    assert abs(alone.item() + 17.17) < 0.5  # −396.0 kcal/mol
    assert together.shape == (1002,) and abs(together[-1] - alone[0]) < 1e-4
    assert not alone.requires_grad


def test_weights_that_are_not_there_are_missed_by_name():
    with pytest.raises(RecordError, match="no_such"):
        trained("no_such")


def drawn(*args, **options):
    figure, ax = plt.subplots()
    structure(ax, *args, **options)
    texts, limits = sorted(text.get_text() for text in ax.texts), (ax.get_xlim(), ax.get_ylim())
    lines = sum(line.get_marker() in ("", "None") for line in ax.lines)
    plt.close(figure)
    return texts, limits, lines


def test_a_structure_says_elements_and_charges():
    assert drawn("CO", "methanol")[0] == ["C", "H", "H", "H", "H", "O"]
    assert drawn("C[N+](=O)[O-]", "nitromethane", hydrogens=False)[0] == ["C", "N⁺", "O", "O⁻"]
    assert drawn("CO", "methanol", hydrogens=False, texts=["a", "b"])[0] == ["a", "b"]


def test_a_bond_has_as_many_lines_as_it_is_worth_and_an_aromatic_one_two():
    for smiles, count in (("CC", 1), ("C=C", 2), ("C#C", 3), ("c1ccccc1", 12)):
        assert drawn(smiles, smiles, hydrogens=False)[2] == count


def test_a_text_that_is_no_molecule_is_refused():
    with pytest.raises(ValueError, match="'c1cc' is no molecule"):
        structure(None, "c1cc", "a ring that does not close")


def test_the_canvas_has_room_for_the_molecule_and_for_what_is_asked():
    _, (x, y), _ = drawn("CCCC", "butane", reach=(9, 3), hydrogens=False)
    assert x == (-9, 9) and y == (-3, 3)
    _, (x, _), _ = drawn("CCCCCCCCCC", "decane", reach=1, hydrogens=False)
    assert x[1] > 5


def test_a_head_stands_before_the_sum():
    def atomwise(h, owner, size, g):
        return torch.stack([g(h[owner == k]).sum() for k in range(size)])

    def after(h, owner, size, g):
        return g(h.new_zeros(size, h.shape[1]).index_add(0, owner, h))[:, 0]

    def adding_once(h, owner, size, g):
        out = h.new_zeros(size)
        out[owner] += g(h)[:, 0]
        return out

    tried(
        "gnn/larger/atomwise",
        atomwise,
        (after, "sum afterwards"),
        (lambda h, owner, size, g: atomwise(h, owner, size, g)[:, None], "shape [size]"),
        (lambda h, owner, size, g: atomwise(h, owner, size, g) / len(h), "sum afterwards"),
        (adding_once, "adds only once"),
    )
