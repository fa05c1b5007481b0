"""`make rerun` and `make status`, on an experiment that takes no time."""

import json
import os
import subprocess

import nbformat
import pytest

import notebooks
from helpers import experiments, files, runs
from helpers.files import PROJECT
from project import Project

NOTEBOOK = """# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

# %% tags=["parameters"]
profile = "smoke"
seed = 0
seeds = 1
run = "smoke"
deadly = False

# %% tags=["set-up"]
import os
import signal
import time

from helpers import parameters, records, runs, training

import torch

settings = parameters.check(
    globals(),
    profile=("smoke", "full"),
    seed=range(10),
    seeds=range(1, 10),
    run=str,
    deadly=bool,
)
this_run = runs.Run("toy", settings)


# %%
def batch(step):
    once = part.folder / "died"
    if deadly and part.seed == 4 and step == 9 and not once.exists():
        once.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    while step == 9 and os.path.exists(f"gates/{this_run.name}"):
        time.sleep(0.05)
    return torch.randn(3, 1)


def loss(model, batch, state):
    following = model(batch, state)
    return (following - batch).square().mean(), following


def enough(curves):
    return len(curves["step"]) == 3


# %%
metrics, trained = [], []
for part in this_run.parts:
    training.seed_everything(part.seed)
    model = torch.nn.RNNCell(1, 1)
    optimizer = torch.optim.Adam(model.parameters())
    trained.append(
        training.fit(
            part,
            model,
            loss,
            batch,
            optimizer,
            steps=20,
            validate_every=4,
            stop=enough,
            carry=torch.zeros(3, 1),
            log_every=1,
            checkpoint_seconds=0,
        )
    )
    metrics.append({"weight": model.weight_hh.item(), "steps": trained[-1].steps})
    records.save_weights("model", model, {}, root=part.folder)
one = len(this_run.parts) == 1
records.save_weights("toy", model, {"run": run}, root=this_run.results / "weights")
this_run.record(metrics[0] if one else metrics, trained[0] if one else trained)
"""
RUNS = """
defaults: {seed: 3, seeds: 3}
show: [steps]
runs:
  first: {group: whole}
  broken: {seed: -1}
  killed: {deadly: true}
  one: {seeds: 1, seed: 4, group: whole}
"""


class Experiments(Project):
    """A copy of the project with one experiment."""

    def __init__(self, folder):
        super().__init__(folder)
        self.write("book/_toc.yml", "format: jb-book\nroot: intro\nchapters:\n- file: experiments/toy\n")
        self.write("book/intro.md", "# Experiments\n")
        self.write("book/experiments/toy.py", NOTEBOOK)
        self.write("book/experiments/toy.yaml", RUNS)

    def call(self, *arguments):
        """The exit code of make, and all that it printed."""
        done = self.make(*arguments)
        return done.returncode, done.stdout + done.stderr

    def status(self):
        """The state of each run, and the lines of the table."""
        code, text = self.call("status")
        assert code == 0, text
        runs_alone, _, _ = text.partition(" done\n")
        lines = {line.split()[1]: line for line in runs_alone.splitlines() if line.startswith("toy ")}
        return {run: line.split()[2] for run, line in lines.items()}, lines

    def record(self, run):
        return json.loads((self.folder / "records" / "toy" / f"{run}.json").read_text())


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    return Experiments(tmp_path_factory.mktemp("project"))


@pytest.fixture(scope="module")
def story(project):
    """What `make rerun` said and `make status` told: once with a run that cannot work and one that is killed, then
    with the first of these mended, and once more.
    """
    chapters = []
    for listing in (RUNS, RUNS.replace("-1", "3"), RUNS.replace("-1", "3")):
        project.write("book/experiments/toy.yaml", listing)
        code, text = project.call("rerun", "EXPERIMENT=toy", "JOBS=2")
        first = (project.folder / "records/toy/first.json").stat().st_mtime_ns
        chapters.append({"code": code, "text": text, "status": project.status(), "first": first})
    return chapters


def test_before_anything_ran_everything_is_missing(tmp_path):
    assert set(Experiments(tmp_path).status()[0].values()) == {"missing"}


def test_one_failure_does_not_keep_the_others_from_running(story):
    assert story[0]["code"] != 0
    states, lines = story[0]["status"]
    assert states == {"first": "done", "broken": "failed", "killed": "stopped", "one": "done"}
    assert "parameter seed = -1: expected a whole number from 0 to 9" in lines["broken"]
    assert "resumes it" in lines["killed"] and " 48% " in lines["killed"]  # (20 + 9) of 60 steps
    assert "toy/broken: ParameterError: parameter seed = -1" in story[0]["text"]
    assert "toy/killed: its process died, `make rerun` resumes it" in story[0]["text"]


def test_only_what_is_missing_is_made_and_what_was_killed_resumes(project, story):
    assert story[1]["code"] == 0, story[1]["text"]
    assert set(story[1]["status"][0].values()) == {"done"}
    assert "toy/broken: started" in story[1]["text"] and "toy/killed: started" in story[1]["text"]
    assert "toy/first: started" not in story[1]["text"] and story[1]["first"] == story[0]["first"]
    first, killed = project.record("first"), project.record("killed")
    assert killed["metrics"] == first["metrics"] and killed["curves"] == first["curves"]
    folder = project.folder / "build/full/experiments/toy/killed"
    events = {seed: len(list((folder / f"seed_{seed}/tensorboard").iterdir())) for seed in (3, 4, 5)}
    assert events == {3: 2, 4: 2, 5: 1}, "the first seed was only read from its checkpoint, the second one gone on with"
    assert not list(folder.rglob("checkpoint.pt"))


def test_a_run_of_several_seeds_stops_each_by_the_rule_and_one_seed_is_one_of_them(project, story):
    first, one = project.record("first"), project.record("one")
    assert first["metrics"]["steps"] == [12, 12, 12] and one["metrics"]["steps"] == 12
    assert first["curves"]["step"] == [[4, 8, 12]] * 3 and one["curves"]["step"] == [4, 8, 12]
    assert first["metrics"]["weight"][1] == one["metrics"]["weight"]
    assert len(set(first["metrics"]["weight"])) == 3
    assert first["parameters"]["threads"] == first["provenance"]["threads"] == 1
    assert {"notebook", "helpers/training.py"} <= set(first["provenance"]["code"])


def test_status_shows_groups_with_their_spread(project, story):
    _, text = project.call("status")
    assert "toy         whole   4      steps 12\n" in text


def test_nothing_runs_when_nothing_is_missing(story):
    assert story[2]["code"] == 0
    assert "started" not in story[2]["text"] and "Every run of toy has its record" in story[2]["text"]


def test_a_run_that_is_running_is_not_started_twice(project, story):
    record = project.folder / "records/toy/first.json"
    text = record.read_text()
    record.unlink()
    lock = project.folder / "build/full/experiments/toy/first/lock"
    runs.hold(lock)
    try:
        assert project.status()[0]["first"] == "running"
        code, said = project.call("rerun", "EXPERIMENT=toy")
    finally:
        runs._held.pop(lock).close()
        record.write_text(text)
    assert code != 0
    assert f"process {os.getpid()} on" in said and "works on this run" in said


@pytest.mark.parametrize("text", ["", '{"experiment": "toy"}'])
def test_a_broken_record_is_neither_up_to_date_nor_overwritten(project, story, text):
    record = project.folder / "records/toy/first.json"
    good = record.read_text()
    record.write_text(text)
    try:
        states, lines = project.status()
        code, said = project.call("rerun", "EXPERIMENT=toy")
        assert record.read_text() == text
    finally:
        record.write_text(good)
    assert states == {"first": "broken", "broken": "done", "killed": "done", "one": "done"}
    assert "first.json is not a record" in lines["first"]
    assert code != 0 and "first.json is not a record" in said and "delete it and make it anew" in said


def test_a_bad_list_is_told_and_hides_no_other(project, story):
    project.write("book/experiments/odd.py", NOTEBOOK)
    project.write("book/experiments/odd.yaml", "runs: {a%b: {}}")
    try:
        code, text = project.call("status")
        rerun, said = project.call("rerun", "EXPERIMENT=odd")
    finally:
        (project.folder / "book/experiments/odd.yaml").unlink()
    assert code != 0 and "the run 'a%b' needs another name" in text and "toy         first" in text
    assert rerun != 0 and "the run 'a%b' needs another name" in said and "Traceback" not in said


def test_only_a_run_of_the_list_writes_to_the_books_records_and_weights(project, story, tmp_path):
    """As a reader would run it, with papermill and parameters of their own."""
    weights = (project.folder / "weights/toy.safetensors").read_bytes()
    before = sorted(path.name for path in (project.folder / "records/toy").iterdir())
    plain = tmp_path / "toy.ipynb"
    bin = PROJECT / ".venv/bin"
    nbformat.write(notebooks.read(project.folder / "book/experiments/toy.py"), plain)
    run = [
        bin / "papermill",
        "-k",
        "python3",
        "--no-progress-bar",
        plain,
        tmp_path / "out.ipynb",
        "-p",
        "profile",
        "full",
    ]
    environment = os.environ | {"PYTHONPATH": str(project.folder / "src")}
    mine = ["-p", "run", "first", "-p", "seeds", "1"]
    subprocess.run([*run, *mine], env=environment, check=True, capture_output=True)
    assert (project.folder / "weights/toy.safetensors").read_bytes() == weights
    assert sorted(path.name for path in (project.folder / "records/toy").iterdir()) == before
    aside = project.folder / "build/full"
    assert [path.name for path in (aside / "records/toy").iterdir()] == ["first.json"]
    assert (aside / "weights/toy.safetensors").exists()


@pytest.mark.parametrize("experiment", ["EXPERIMENT=toys", "EXPERIMENT="])
def test_an_unknown_experiment_is_told_which_there_are(project, experiment):
    code, text = project.call("rerun", experiment)
    assert code != 0
    assert "expected one of toy" in text


def test_experiments_are_pages_made_in_smoke_whatever_the_profile(project):
    target = "build/full/executed/experiments/toy.ipynb"
    code, text = project.call("--dry-run", "PROFILE=full", target)
    assert code == 0, text
    assert f"tools/execute.py book/experiments/toy.py {target} smoke" in text


def test_every_list_of_runs_of_the_book_fits_its_notebook_and_its_records():
    for experiment in experiments.experiments():
        assert experiments.listed(experiment)
        for path in (files.PROJECT / "records" / experiment).glob("*.json"):
            assert path.stem in experiments.listed(experiment), f"{path} is no run of the list: what made it?"
            experiments.load(experiment, path.stem)
