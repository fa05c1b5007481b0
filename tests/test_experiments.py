"""The lists of runs: what they may hold, and what is said of one that is wrong."""

import json
import math

import pytest

from helpers import experiments, records
from helpers.experiments import RunError

NOTEBOOK = """# %% [markdown]
# # An experiment

# %% tags=["parameters"]
profile = "smoke"
seed = 0
seeds = 1
run = "smoke"
width = 2  # of the network
norm = None

# %%
settings = 1
"""


@pytest.fixture
def toy(tmp_path, monkeypatch):
    """Writes the list of an experiment ``toy``."""
    monkeypatch.setattr(experiments, "FOLDER", tmp_path)
    monkeypatch.setattr(records, "ROOT", tmp_path / "records")
    (tmp_path / "toy.py").write_text(NOTEBOOK)
    return (tmp_path / "toy.yaml").write_text


def test_parameters_are_the_defaults_and_the_runs_own_in_the_order_of_the_list(toy):
    toy("defaults: {width: 4}\nruns:\n  b: &b {seed: 1}\n  a: {<<: *b, width: 3, group: wide}\n")
    assert experiments.listed("toy") == {
        "b": ({"profile": "full", "width": 4, "seed": 1, "run": "b"}, "b"),
        "a": ({"profile": "full", "width": 3, "seed": 1, "run": "a"}, "wide"),
    }
    assert list(experiments.listed("toy")) == ["b", "a"]


@pytest.mark.parametrize("text", ["runs: {a: }", "runs: {a: {}}", "runs:\n  a:\n", "defaults:\nruns: {a: }"])
def test_a_run_may_set_nothing_and_the_defaults_may_be_missing(toy, text):
    toy(text)
    assert experiments.listed("toy") == {"a": ({"profile": "full", "run": "a"}, "a")}


@pytest.mark.parametrize("text", ["", "runs:", "runs: {}", "defaults: {width: 3}"])
def test_a_list_may_be_empty(toy, text):
    toy(text)
    assert experiments.listed("toy") == {}


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("runs:\n  a: {seed: 1}\n  a: {seed: 2}\n", "a stands twice"),
        ("runs:\n  a: {seed: 1, seed: 2}\n", "seed stands twice"),
        ("defaults: {}\ndefaults: {}\nruns: {}", "defaults stands twice"),
        ("runs: &a {x: *a}", "no list of runs: maximum recursion depth"),
        ("runs: {1: {}}", "the run 1 needs another name"),
        ("runs: {a%b: {}}", "the run 'a%b' needs another name: letters, digits"),
        ("runs: {'c:d': {}}", "the run 'c:d' needs another name"),
        ("runs: {../a: {}}", "needs another name"),
        ("runs: {$(touch x): {}}", "needs another name"),
        ("runs: {a: 3}", "run a is a mapping"),
        ("runs: [a, b]", "runs is a mapping"),
        ("- a", "the list is a mapping"),
        ("run: {a: {}}", "expected defaults, runs and show, and found run"),
        ("runs: {a: {depth: 3}}", r"run a sets depth; toy.py takes .*width"),
        ("runs: {a: {run: b}}", "run a sets run, which is set for it"),
        ("runs: {a: {profile: smoke}}", "run a sets profile"),
        ("runs: {a: {group: 3}}", "the group of run a is a text"),
        ("runs: {a: {}}\nshow: error", "show is a list of metrics"),
        ("runs: {a: {}", "is no list of runs: while parsing"),
        ("runs: {a: *b}", "is no list of runs"),
        ("runs: {a: !!python/object/apply:os.getcwd []}", "is no list of runs"),
    ],
)
def test_a_list_that_is_wrong_says_where_and_how(toy, text, says):
    toy(text)
    with pytest.raises(RunError, match=rf"toy\.yaml.*{says}"):
        experiments.listed("toy")


def test_an_unknown_experiment_is_told_which_there_are(toy):
    toy("runs: {}")
    with pytest.raises(RunError, match="EXPERIMENT=toys: expected one of toy"):
        experiments.listed("toys")


def test_the_defaults_are_those_of_the_notebook(toy):
    defaults = {"profile": "smoke", "seed": 0, "seeds": 1, "run": "smoke", "width": 2, "norm": None}
    assert experiments.defaults("toy") == defaults


@pytest.mark.parametrize(
    "text", [NOTEBOOK.replace("width = 2", "width = len([])"), NOTEBOOK.replace("= 2", "= ("), "width = 2\n"]
)
def test_a_notebook_whose_parameters_cannot_be_read_is_named(toy, tmp_path, text):
    (tmp_path / "toy.py").write_text(text)
    with pytest.raises(RunError, match=r"toy\.py has no cell of parameters that can be read"):
        experiments.defaults("toy")


def test_a_list_whose_name_is_none_is_told_what_a_name_is(toy, tmp_path):
    (tmp_path / "a b.yaml").write_text("runs: {a: {}}")
    with pytest.raises(RunError, match=r"a b\.yaml: a list of runs needs another name: letters, digits"):
        experiments.listed("a b")


def test_a_groups_values_are_those_of_all_its_seeds(toy, tmp_path):
    toy("show: [error]\nruns: {a: {group: g}, b: {group: g}, c: {}, missing: {}}")
    for run, error in (("a", 0.5), ("b", [0.25, 0.75]), ("c", 1.0)):
        root = tmp_path / "records"
        records.save("toy", run, parameters={}, metrics={"error": error, "other": 1}, seconds=1, root=root)
    (tmp_path / "records/toy/c.json").write_text("{")
    assert experiments.groups("toy") == {"g": {"error": [0.5, 0.25, 0.75]}}


@pytest.mark.parametrize("value", ["0.5", None, [0.5, None], [[0.5]], {"a": 1}, math.nan, [math.inf, 1.0]])
def test_a_metric_that_is_shown_is_a_number_or_its_record_is_named(toy, tmp_path, value):
    toy("show: [error]\nruns: {a: {}}")
    path = records.save("toy", "a", parameters={}, metrics={"error": 0}, seconds=1, root=tmp_path / "records")
    path.write_text(path.read_text().replace('"error": 0', f'"error": {json.dumps(value)}'))
    with pytest.raises(RunError, match=r"toy/a\.json: error, which is shown, is no number"):
        experiments.groups("toy")


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ([], ""),
        ([0.123456], "0.1235"),
        ([1.0, 1.0], "1"),
        ([60.1, 61.0, 62.0], "61.03 ± 0.95"),
        ([10540.0, 10670.0], "10,605 ± 92"),
        ([0.99905, 0.99915], "0.999100 ± 0.000071"),
    ],
)
def test_spread_is_mean_and_standard_deviation_in_as_many_digits_as_it_carries(values, says):
    assert experiments.spread(values) == says
