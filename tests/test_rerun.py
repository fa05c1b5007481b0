"""`make rerun` and `make status`, on an experiment that takes no time."""

import json
import os

import pytest

from helpers import training
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
run = "smoke"
deadly = False

# %%
import os
import signal

import torch

from helpers import files, parameters, records, training

parameters.check(globals(), profile=("smoke", "full"), seed=range(10), run=str, deadly=bool)
folder = files.PROJECT / "build" / profile / "experiments" / "toy" / run
training.seed_everything(seed)


class Data:
    def __len__(self):
        return 12

    def batch(self, index):
        if deadly and 6 in index and not (folder / "died").exists():
            (folder / "died").touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return torch.randn(len(index), 1)


def loss(model, batch):
    return (model(batch) - batch).square().mean()


model = torch.nn.Linear(1, 1)
options = {"epochs": 2, "batch_size": 2, "log_every": 1, "checkpoint_seconds": 0, "parameters": {"deadly": deadly}}
trained = training.fit(model, loss, Data(), torch.optim.Adam(model.parameters()), folder=folder, **options)
metrics = {"weight": model.weight.item()}
records.save("toy", run, parameters={"seed": seed}, metrics=metrics, curves=trained.curves, seconds=trained.seconds)
(folder / "checkpoint.pt").unlink()
"""
RUNS = """
defaults: {seed: 3}
runs:
  first: {}
  broken: {seed: -1}
  killed: {deadly: true}
"""


class Experiments(Project):
    """A copy of the project with one experiment."""

    def __init__(self, folder):
        super().__init__(folder)
        self.write("book/_toc.yml", "parts:\n- chapters:\n  - file: experiments/toy\n")
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
        lines = {line.split()[1]: line for line in text.splitlines() if line.startswith("toy ")}
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
    for runs in (RUNS, RUNS.replace("-1", "3"), RUNS.replace("-1", "3")):
        project.write("book/experiments/toy.yaml", runs)
        code, text = project.call("rerun", "EXPERIMENT=toy", "JOBS=2")
        first = (project.folder / "records/toy/first.json").stat().st_mtime_ns
        chapters.append({"code": code, "text": text, "status": project.status(), "first": first})
    return chapters


def test_before_anything_ran_everything_is_missing(tmp_path):
    assert set(Experiments(tmp_path).status()[0].values()) == {"missing"}


def test_one_failure_does_not_keep_the_others_from_running(story):
    assert story[0]["code"] != 0
    states, lines = story[0]["status"]
    assert states == {"first": "done", "broken": "failed", "killed": "stopped"}
    assert "parameter seed = -1: expected a whole number from 0 to 9" in lines["broken"]
    assert "resumes it" in lines["killed"] and "%" in lines["killed"]
    assert "toy/broken: ParameterError: parameter seed = -1" in story[0]["text"]
    assert "toy/killed: its process died, `make rerun` resumes it" in story[0]["text"]


def test_only_what_is_missing_is_made_and_what_was_killed_resumes(project, story):
    assert story[1]["code"] == 0, story[1]["text"]
    assert set(story[1]["status"][0].values()) == {"done"}
    assert "toy/broken: started" in story[1]["text"] and "toy/killed: started" in story[1]["text"]
    assert "toy/first: started" not in story[1]["text"] and story[1]["first"] == story[0]["first"]
    first, killed = project.record("first"), project.record("killed")
    assert killed["metrics"] == first["metrics"] and killed["curves"] == first["curves"]
    board = project.folder / "build/full/experiments/toy/killed/tensorboard"
    assert len(list(board.iterdir())) == 2, "two processes were to share the work"


def test_nothing_runs_when_nothing_is_missing(story):
    assert story[2]["code"] == 0
    assert "started" not in story[2]["text"]


def test_a_run_that_is_running_is_not_started_twice(project, story):
    record = project.folder / "records/toy/first.json"
    text = record.read_text()
    record.unlink()
    with training.lock(project.folder / "build/full/experiments/toy/first/rerun.lock"):
        assert project.status()[0]["first"] == "running"
        code, said = project.call("rerun", "EXPERIMENT=toy")
    record.write_text(text)
    assert code != 0
    assert f"process {os.getpid()} on" in said and "works on this run" in said


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


def test_every_list_of_runs_fits_its_notebook():
    """Names that can stand in a file name, and parameters that the notebook has."""
    import yaml

    for path in (PROJECT / "book" / "experiments").glob("*.yaml"):
        listed = yaml.safe_load(path.read_text())
        cell = path.with_suffix(".py").read_text().split('tags=["parameters"]')[1].split("# %%")[0]
        known = {line.split(" = ")[0] for line in cell.splitlines()}
        for run, own in listed["runs"].items():
            assert run.replace("_", "").isalnum()
            assert set(listed["defaults"] | own) <= known - {"profile", "run"}, run
