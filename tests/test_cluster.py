"""`make submit` on a real Slurm: nodes die, tasks are cancelled, one run cannot work, and the records are those of a
machine that nothing happened to.
"""

import json
import os
import re

import pytest

import slurm
from test_rerun import RUNS, Experiments

SOUND = RUNS.replace("-1", "3") + "  late: {seeds: 1, seed: 6}\n"


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    if why := slurm.why_not():
        (pytest.fail if os.environ.get("CI") else pytest.skip)(why)
    started = slurm.Slurm(tmp_path_factory.mktemp("slurm"))
    yield started
    started.stop()


class Submitted(Experiments):
    """A project whose experiment goes through Slurm."""

    def __init__(self, folder, cluster):
        super().__init__(folder)
        self.cluster = cluster
        (folder / "gates").mkdir()

    def make(self, *arguments, **environment):
        return super().make(*arguments, **self.cluster.environment, **environment)

    def close(self, run):
        """Let a run wait in the middle until its gate is opened."""
        (self.folder / "gates" / run).touch()

    def open(self, run):
        (self.folder / "gates" / run).unlink()

    def until_at_its_gate(self, run):
        told = self.folder / "build/full/experiments/toy" / run / "progress.json"
        self.cluster.until(lambda: told.exists() and json.loads(told.read_text())["step"] >= 9, f"{run} is at step 9")

    def until_over(self):
        self.cluster.until(self.hurried_queue_is_empty, "all tasks are over", 240)

    def hurried_queue_is_empty(self):
        """Whether nothing is queued; what Slurm lets wait for two minutes before it starts again waits no longer."""
        lines = self.cluster.ask("squeue", "--me", "--array", "--noheader", "--format=%i %r").splitlines()
        for job, reason in map(str.split, lines):
            if reason == "BeginTime":
                self.cluster.ask("scontrol", "update", f"JobId={job}", "StartTime=now")
        return not lines

    def log(self, run):
        logs = (self.folder / "build/full/slurm").glob("*.log")
        (text,) = [text for text in map(lambda path: path.read_text(), logs) if text.startswith(f"toy/{run}: ")]
        return text

    def results(self):
        """What the records say, but for when and where they were made; and their times of writing."""
        paths = sorted((self.folder / "records/toy").glob("*.json"))
        whole = {path.stem: json.loads(path.read_text()) for path in paths}
        said = {run: {key: record[key] for key in ("parameters", "metrics", "curves")} for run, record in whole.items()}
        return said, {path.stem: path.stat().st_mtime_ns for path in paths}


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    """What the same runs give on one machine, that is left alone."""
    project = Experiments(tmp_path_factory.mktemp("local"))
    project.write("book/experiments/toy.yaml", SOUND.replace("deadly: true", "deadly: false"))
    code, text = project.call("rerun", "EXPERIMENT=toy", "JOBS=2")
    assert code == 0, text
    return Submitted.results(project)[0]


@pytest.fixture(scope="module")
def project(cluster, tmp_path_factory):
    """A project after a first job: the node of one run died in the middle, another's process died, one cannot work."""
    project = Submitted(tmp_path_factory.mktemp("project"), cluster)
    project.close("first")
    code, text = project.call("submit", "EXPERIMENT=toy", "AT_ONCE=2", "TIME=10")
    assert code == 0 and "Submitted batch job" in text, text
    project.until_at_its_gate("first")
    project.told = project.status()[1]["first"]
    project.in_queue = cluster.ask("scontrol", "show", "job")
    node = project.told.split(" on ")[1].split(",")[0]
    cluster.kill_node(node)
    cluster.until(lambda: "down" in cluster.ask("sinfo", "-h", f"-n{node}", "-o%T"), f"{node} is given up")
    project.open("first")
    project.until_over()
    project.other = {"gpu1": "gpu2", "gpu2": "gpu1"}[node]
    yield project


def without_deadly(results):
    return {run: {**said, "parameters": said["parameters"] | {"deadly": False}} for run, said in results.items()}


def test_the_run_of_a_node_that_died_goes_on_elsewhere_and_ends_as_if_nothing_had_happened(project, undisturbed):
    assert "running" in project.told and ", job " in project.told
    assert "ArrayTaskThrottle=2" in project.in_queue, "no more than AT_ONCE run"
    assert re.search(f"on {project.other}, start [2-5] of job", project.log("first"))
    results = without_deadly(project.results()[0])
    assert results == {run: undisturbed[run] for run in ("first", "killed", "one")}


def test_a_run_whose_process_died_goes_back_into_the_queue(project):
    assert "could not go on, and goes back into the queue" in project.log("killed")


def test_a_run_that_cannot_work_fails_with_a_message_and_only_it_is_submitted_again(project):
    assert "seed = -1" in project.log("broken")
    states, lines = project.status()
    assert states == {"first": "done", "broken": "failed", "killed": "done", "one": "done"}
    assert "seed = -1" in lines["broken"]
    before = project.results()[1]
    code, _ = project.call("submit", "EXPERIMENT=toy", "SBATCH=--wait")
    assert code != 0, "sbatch --wait says that a run has failed"
    assert project.results()[1] == before
    assert len(project.cluster.ask("scontrol", "show", "job", "-o").splitlines()) == 5, "the four, and one again"


def test_a_run_whose_time_is_up_is_queued_and_one_that_was_cancelled_goes_on_from_its_checkpoint(project, undisturbed):
    project.write("book/experiments/toy.yaml", SOUND)
    before = project.results()[1]
    project.close("late")
    # Slurm looks at its clock every half minute, and says between a half and a whole one from now that two are left.
    assert project.call("submit", "EXPERIMENT=toy", "TIME=3")[0] == 0
    project.until_at_its_gate("late")
    code, text = project.call("submit", "EXPERIMENT=toy")
    assert code == 0 and "No run of toy is left to submit: " in text and "in the queue" in text
    project.cluster.until(lambda: project.status()[0]["late"] == "queued", "the task is back in the queue")
    assert "its time is nearly up, and goes back into the queue" in project.log("late")
    assert len(project.cluster.ask("squeue", "--noheader", "--array").splitlines()) == 1, "and no other task with it"
    project.cluster.ask("scancel", "--me")
    project.until_over()
    assert project.status()[0]["late"] == "stopped"
    project.open("late")
    code, text = project.call("submit", "EXPERIMENT=toy", "SBATCH=--wait")
    assert code == 0, text
    assert without_deadly(project.results()[0]) == undisturbed
    assert before.items() <= project.results()[1].items(), "what had a record was not made again"
    assert (
        project.call("submit", "EXPERIMENT=toy")[1].strip()
        == "No run of toy is left to submit: all have their records."
    )


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["EXPERIMENT=toys"], "EXPERIMENT=toys: expected one of toy"),
        (["EXPERIMENT=toy", "AT_ONCE=0"], "AT_ONCE=0: expected a whole number from 1 on"),
    ],
)
def test_what_cannot_be_submitted_is_told_before_anything_is(project, arguments, says):
    code, text = project.call("submit", *arguments)
    assert code != 0 and says in text


def test_a_list_that_is_wrong_is_told_before_anything_is_submitted(project):
    project.write("book/experiments/toy.yaml", SOUND.replace("deadly: true", "daedly: true"))
    code, text = project.call("submit", "EXPERIMENT=toy")
    assert code != 0 and "run killed sets daedly" in text and "Submitted" not in text


def test_where_there_is_no_slurm_the_other_way_is_named(tmp_path):
    project = Experiments(tmp_path)
    code, text = Experiments.call(project, "submit", "EXPERIMENT=toy")
    assert code != 0
    assert ("Slurm does not answer" if slurm.why_not() is None else "`make rerun` works without") in text
    assert Experiments.call(project, "status")[0] == 0
