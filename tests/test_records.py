import json

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import save

from helpers import records
from helpers.records import RecordError

numbers = st.floats(allow_nan=False, allow_infinity=False)


@given(st.dictionaries(st.text(), numbers), st.dictionaries(st.text(), st.lists(numbers)))
def test_what_is_saved_is_loaded(tmp_path_factory, metrics, curves):
    root = tmp_path_factory.mktemp("records")
    records.save("toy", "a", parameters={"seed": 1}, metrics=metrics, curves=curves, seconds=2.0, root=root)
    record = records.load("toy", "a", root=root)
    assert list(record) == list(records.KEYS)
    assert (record["experiment"], record["run"], record["parameters"]) == ("toy", "a", {"seed": 1})
    assert (record["metrics"], record["curves"]) == (metrics, curves)


def test_a_record_says_where_it_comes_from(tmp_path):
    records.save("toy", "a", parameters={}, metrics={}, seconds=12.34, data={"ring": "sha256:0"}, root=tmp_path)
    made = records.load("toy", "a", root=tmp_path)["provenance"]
    assert made["seconds"] == 12.3
    assert made["data"] == {"ring": "sha256:0"}
    assert {"commit", "date", "device", "processor", "cores", "threads", "system", "versions"} <= set(made)
    assert {"python", "torch", "numpy"} <= set(made["versions"])


def test_all_runs_of_an_experiment_come_sorted(tmp_path):
    for run in ("b", "a", "c"):
        records.save("toy", run, parameters={}, metrics={}, seconds=0, root=tmp_path)
    assert list(records.load("toy", root=tmp_path)) == ["a", "b", "c"]


def test_a_value_that_is_no_number_loses_nothing(tmp_path):
    records.save("toy", "a", parameters={}, metrics={"error": 0.5}, seconds=0, root=tmp_path)
    for bad in (float("nan"), float("inf"), object()):
        with pytest.raises(ValueError, match="record toy/a does not fit into JSON"):
            records.save("toy", "a", parameters={}, metrics={"error": bad}, seconds=0, root=tmp_path)
    assert records.load("toy", "a", root=tmp_path)["metrics"] == {"error": 0.5}
    assert [path.name for path in (tmp_path / "toy").iterdir()] == ["a.json"]


def test_a_missing_record_says_what_is_there_and_what_makes_it(tmp_path):
    records.save("toy", "a", parameters={}, metrics={}, seconds=0, root=tmp_path)
    with pytest.raises(RecordError, match=r"no record b in .*toy \(there: a\); `make rerun EXPERIMENT=toy`"):
        records.load("toy", "b", root=tmp_path)
    with pytest.raises(RecordError, match="`make benchmark` makes it"):
        records.load("benchmarks", root=tmp_path)


@pytest.mark.parametrize("text", ["", "{", "[]", json.dumps({"experiment": "toy"})])
def test_a_damaged_record_is_named(tmp_path, text):
    path = tmp_path / "toy" / "a.json"
    path.parent.mkdir()
    path.write_text(text)
    with pytest.raises(RecordError, match=r"a\.json is not a record"):
        records.load("toy", "a", root=tmp_path)


def test_every_committed_record_loads():
    for folder in records.ROOT.iterdir():
        for name, record in records.load(folder.name).items():
            assert (record["experiment"], record["run"]) == (folder.name, name)


def test_weights_come_back_with_what_is_said_of_them(tmp_path):
    network = torch.nn.Sequential(torch.nn.Linear(3, 2), torch.nn.BatchNorm1d(2))
    network[0].weight.data = network[0].weight.data.T.contiguous().T  # safetensors refuses such a layout
    about = {"architecture": {"hidden": 2}, "mean": -76.1, "norm": None}
    records.save_weights("toy", network, about, root=tmp_path)
    state, said = records.load_weights("toy", root=tmp_path)
    assert said == about and set(state) == set(network.state_dict())
    for name, tensor in network.state_dict().items():
        assert torch.equal(state[name], tensor) and state[name].dtype == tensor.dtype


def test_missing_or_damaged_weights_are_named(tmp_path):
    records.save_weights("toy", torch.nn.Linear(1, 1), {}, root=tmp_path)
    with pytest.raises(RecordError, match=r"no weights other in .* \(there: toy\); `make rerun"):
        records.load_weights("other", root=tmp_path)
    path = tmp_path / "toy.safetensors"
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(RecordError, match=r"toy\.safetensors holds no weights"):
        records.load_weights("toy", root=tmp_path)
    path.write_bytes(save({"weight": torch.ones(1)}))  # of another kind: it says nothing of itself
    with pytest.raises(RecordError, match=r"toy\.safetensors holds no weights"):
        records.load_weights("toy", root=tmp_path)


def test_every_committed_file_of_weights_loads():
    for path in records.WEIGHTS.iterdir():
        state, about = records.load_weights(path.stem)
        assert state and about and path.stat().st_size <= 2 * 2**20
