"""Experiments of the book that are killed again and again, and end as if nothing had happened."""

import json
import os
import random
import subprocess
import sys
import time

import pytest

from helpers import experiments
from helpers.files import PROJECT
from project import Project

# Each step is a checkpoint and is told of, so that a run can be killed wherever one likes.
EAGER = {"log_every=50": "log_every=1", "checkpoint_seconds=60.0": "checkpoint_seconds=0.0"}


class Rehearsal:
    """The rehearsal of an experiment in a folder of its own."""

    def __init__(self, folder, experiment):
        project = Project(folder)
        source = (folder / "src/helpers/training.py").read_text()
        for old, new in EAGER.items():
            assert old in source
            source = source.replace(old, new)
        project.write("src/helpers/training.py", source)
        for name in (f"{experiment}.py", f"{experiment}.yaml"):
            project.write(f"book/experiments/{name}", (PROJECT / "book/experiments" / name).read_text())
        (folder / "records").rmdir()
        for shown in ("records", "weights"):  # by the page, before it trains
            (folder / shown).symlink_to(PROJECT / shown)
        self.folder, self.experiment = folder, experiment
        self.kept = folder / "build/smoke/experiments" / experiment / "smoke"

    def start(self):
        own = {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(self.folder / "src"), "MPLBACKEND": "agg"}
        own |= {"PYTHONUNBUFFERED": "1"}  # `reached` counts lines
        log = (self.folder / "log").open("w")
        command = [sys.executable, f"book/experiments/{self.experiment}.py"]
        return subprocess.Popen(command, cwd=self.folder, env=os.environ | own, stdout=log, stderr=log)

    def run(self):
        assert self.start().wait(timeout=600) == 0, (self.folder / "log").read_text()
        record = json.loads((self.folder / "build/smoke/records" / self.experiment / "smoke.json").read_text())
        return {key: record[key] for key in ("metrics", "curves")}

    def reached(self):
        """How many steps of training were taken; or, where nothing is trained, how many lines were printed."""
        if "training.fit(" not in (self.folder / f"book/experiments/{self.experiment}.py").read_text():
            return (self.folder / "log").read_text().count("\n")
        path = self.kept / "progress.json"
        return json.loads(path.read_text())["step"] if path.exists() else -1

    def kill_at(self, place):
        """Start the run, and kill it as soon as it has reached this place."""
        process = self.start()
        try:
            while self.reached() < place:
                assert process.poll() is None, (self.folder / "log").read_text()
                time.sleep(0.002)
        finally:
            process.kill()
            process.wait()


@pytest.mark.parametrize(
    ("experiment", "kills"),
    [("qm9", 3), *(pytest.param(name, 10, marks=pytest.mark.thorough) for name in experiments.experiments())],
)
def test_a_run_that_is_killed_ends_with_the_same_results(tmp_path, experiment, kills):
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    for folder in (whole, killed):
        folder.mkdir()
    undisturbed = Rehearsal(whole, experiment)
    expected = undisturbed.run()
    disturbed = Rehearsal(killed, experiment)
    for place in sorted(random.Random(experiment).choices(range(undisturbed.reached()), k=kills)):
        disturbed.kill_at(place)
    assert disturbed.reached() >= place
    assert disturbed.run() == expected
