"""The experiment book/experiments/qm9.py, rehearsed with the choices that its page does not show."""

import pytest

import notebooks
from helpers import experiments, files, records


@pytest.mark.thorough
def test_folded_molecules_are_scored_as_any_others(tmp_path):
    parameters = {"hydrogens": "folded", "walks": 4, "norm": "layer", "hidden": 8, "epochs": 1, "weights": None}
    parameters |= {"profile": "smoke", "run": "test_folded"}
    notebooks.execute(experiments.FOLDER / "qm9.py", tmp_path / "executed.ipynb", parameters)
    metrics = records.load("qm9", "test_folded", root=files.PROJECT / "build" / "smoke" / "records")["metrics"]
    assert max(map(int, metrics["mae_mev_by_num_atoms"])) > 9  # no molecule has more without its hydrogens
    for name in ("train", "test", "composition"):
        assert 0 < metrics[f"{name}_median_mev"] < metrics[f"{name}_mae_mev"] < metrics[f"{name}_rmse_mev"]
    assert metrics["test_permuted_mae_mev"] == pytest.approx(metrics["test_mae_mev"], rel=1e-4)
