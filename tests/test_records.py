import json
from importlib.metadata import version

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
    assert set(made["versions"]) == {"python", "torch", "numpy"}
    assert made["resumed"] == [] and "helpers/records.py" in made["code"]


def test_a_record_names_the_packages_that_made_it_and_the_code_that_began_it(tmp_path):
    began = {"commit": "0123456789ab", "code": {"helpers/a.py": "1"}}
    told = [{"step": 3, "commit": "b", "changed": ["helpers/a.py"]}]
    packages = ("rdkit", "pillow", "torch")
    records.save(
        "toy", "a", parameters={}, metrics={}, seconds=1, packages=packages, started=began, resumed=told, root=tmp_path
    )
    made = records.load("toy", "a", root=tmp_path)["provenance"]
    assert {"rdkit", "pillow", "torch"} <= set(made["versions"]) and made["versions"]["rdkit"] == version("rdkit")
    assert (made["commit"], made["code"], made["resumed"]) == ("0123456789ab", {"helpers/a.py": "1"}, told)


@pytest.mark.parametrize("name", ["../a", "a/b", "", "a b", "$(x)", None])
def test_the_name_of_a_record_is_a_name_and_no_path(tmp_path, name):
    for experiment, run in (("toy", name), (name, "a")):
        with pytest.raises(ValueError, match="no name of a record: expected letters, digits"):
            records.save(experiment, run, parameters={}, metrics={}, seconds=1, root=tmp_path)
    assert list(tmp_path.iterdir()) == []


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


def good(tmp_path):
    """A record that is one, as a dictionary, and its file."""
    path = records.save("toy", "a", parameters={}, metrics={}, seconds=1, root=tmp_path)
    return json.loads(path.read_text()), path


def without(record, *names):
    """A record without what stands at the end of ``names``."""
    inner = record
    for name in names[:-1]:
        inner = inner[name]
    del inner[names[-1]]
    return json.dumps(record)


@pytest.mark.parametrize(
    ("broken", "says"),
    [
        (lambda record: "", "Expecting value"),
        (lambda record: "{", "Expecting"),
        (lambda record: "[]", "no JSON object"),
        (lambda record: b"\xff", "codec"),
        (lambda record: json.dumps({"experiment": "toy"}), "lacks run, parameters, metrics, curves, provenance"),
        (lambda record: without(record, "metrics"), "lacks metrics"),
        (lambda record: json.dumps(record | {"metrics": []}), "its metrics is a list, and not a dict"),
        (lambda record: json.dumps(record | {"run": "b"}), "it is that of toy/b"),
        (lambda record: "[" * 100_000, "recursion"),
        (lambda record: without(record, "provenance", "seconds"), "lacks the seconds"),
        (lambda record: json.dumps(record).replace('"seconds": 1', '"seconds": NaN'), "lacks the seconds"),
        (lambda record: json.dumps(record).replace('"seconds": 1', '"seconds": -1'), "lacks the seconds"),
        (lambda record: without(record, "provenance", "commit"), "lacks commit or date"),
        (lambda record: without(record, "provenance", "date"), "lacks commit or date"),
    ],
)
def test_a_damaged_record_is_named_with_what_is_wrong(tmp_path, broken, says):
    record, path = good(tmp_path)
    content = broken(record)
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    for load in (lambda: records.load("toy", "a", root=tmp_path), lambda: records.load("toy", root=tmp_path)):
        with pytest.raises(RecordError, match=rf"a\.json is not a record: .*{says}.* Restore it, or delete it"):
            load()


def test_a_folder_or_an_odd_name_in_place_of_a_record_is_named(tmp_path):
    _, path = good(tmp_path)
    (path.parent / "b.json").mkdir()
    with pytest.raises(RecordError, match=r"b\.json is not a record"):
        records.load("toy", root=tmp_path)
    (path.parent / "b.json").rmdir()
    path.rename(path.parent / "x $(touch y).json")
    with pytest.raises(RecordError, match="its name has more in it than letters"):
        records.load("toy", root=tmp_path)


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


@given(place=st.integers(0), flip=st.integers(1, 255))
def test_weights_that_are_not_those_that_were_saved_are_refused(tmp_path_factory, place, flip):
    """Whatever byte of the file is changed, what is loaded is what was saved, or nothing is."""
    root = tmp_path_factory.mktemp("weights")
    network = torch.nn.Linear(2, 2)
    records.save_weights("toy", network, {"mean": 0.5}, root=root)
    path = root / "toy.safetensors"
    content = bytearray(path.read_bytes())
    content[place % len(content)] ^= flip
    path.write_bytes(content)
    try:
        state, about = records.load_weights("toy", root=root)
    except RecordError as error:
        assert "toy.safetensors holds no weights of the book" in str(error)
    else:  # a space of the header, which stands for nothing
        assert about == {"mean": 0.5} and all(torch.equal(state[name], x) for name, x in network.state_dict().items())


def test_weights_of_half_precision_and_of_no_dimension_come_back(tmp_path):
    network = torch.nn.BatchNorm1d(2)  # which counts its batches in a whole number
    network.weight.data = network.weight.data.bfloat16()
    records.save_weights("toy", network, {}, root=tmp_path)
    state, _ = records.load_weights("toy", root=tmp_path)
    assert state["weight"].dtype == torch.bfloat16 and state["num_batches_tracked"].shape == ()


def test_every_committed_file_of_weights_loads():
    for path in records.WEIGHTS.iterdir():
        state, about = records.load_weights(path.stem)
        assert state and about and path.stat().st_size <= 2 * 2**20
