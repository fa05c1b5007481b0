"""A run's lock, its seeds, its record, and what is told of it whatever has become of its files."""

import json
import multiprocessing
import os
import runpy
import signal
import threading

import pytest
import torch

from helpers import experiments, files, records, runs, training
from helpers.experiments import RunError

NOTEBOOK = """# %% tags=["parameters"]
profile = "smoke"
seed = 0
seeds = 1
run = "smoke"
width = 2

# %%
"""


@pytest.fixture(autouse=True)
def project(tmp_path, monkeypatch):
    """A project of its own, with an experiment ``toy``."""
    for module, name, value in (
        (files, "PROJECT", tmp_path),
        (runs, "BUILD", tmp_path / "build"),
        (experiments, "FOLDER", tmp_path / "book" / "experiments"),
        (records, "ROOT", tmp_path / "records"),
        (records, "WEIGHTS", tmp_path / "weights"),
    ):
        monkeypatch.setattr(module, name, value)
    files.write(tmp_path / "book/experiments/toy.py", NOTEBOOK)
    listing(tmp_path, "runs: {a: {seed: 3}}")
    return tmp_path


def listing(project, text):
    files.write(project / "book/experiments/toy.yaml", text)


def start(profile="full", **settings):
    defaults = {"profile": profile, "seed": 3, "seeds": 1, "run": "a", "width": 2}
    return runs.Run("toy", defaults | settings)


def train(run, seconds=1.0):
    """What `fit` would return."""
    entry = {"step": 0, "commit": "c", "code": {}, "date": "d"}
    return training.Trained({"step": [1, 2], "loss": [run.seed / 2, 0.5]}, seconds, 2, [entry])


# --- the lock ---

processes = multiprocessing.get_context("forkserver")


def hold_and_wait(folder, ready):
    runs.hold(folder / "lock")
    ready.send(os.getpid())
    signal.pause()


def holding(folder):
    """A process that holds the lock of ``folder``."""
    here, there = processes.Pipe(duplex=False)
    call = {"CALL": ("hold_and_wait", (folder, there))}
    process = processes.Process(target=runpy.run_path, args=(__file__, call, "child"))
    process.start()
    there.close()  # so that a child that dies is not waited for
    here.recv()
    return process


def test_a_full_run_has_one_process_and_is_free_when_that_dies(project):
    process = holding(runs.folder_of("toy", "a"))
    try:
        with pytest.raises(runs.Locked, match=rf"a: process {process.pid} on .* works on this run"):
            start()
        assert runs.state("toy", "a").state == "starting"
    finally:
        process.kill()
        process.join()
    assert runs.state("toy", "a").state == "missing"
    start()
    assert runs.state("toy", "a").state == "starting", "it is this process that holds it now"


def test_a_rehearsal_does_not_wait_for_another_one(project):
    process = holding(runs.folder_of("toy", "a", project / "build/smoke"))
    try:
        assert start("smoke").folder.name == f"a-{os.getpid()}"
    finally:
        process.kill()
        process.join()
    assert start("smoke").folder.name == "a"


def test_the_same_process_may_start_a_run_again():
    assert start().folder == start().folder


def test_looking_who_works_on_a_run_never_keeps_one_from_starting(tmp_path):
    """`make status` holds the lock for an instant, to see whether anyone does."""
    lock = files.write(tmp_path / "run" / "lock", "")
    over = threading.Event()

    def look():
        while not over.is_set():
            runs.holder(lock)

    watcher = threading.Thread(target=look)
    watcher.start()
    try:
        for _ in range(200):
            runs._held.pop(lock, None)
            runs.hold(lock)
    finally:
        over.set()
        watcher.join()


def test_what_a_killed_writer_left_is_cleared_away():
    left = files.write(runs.folder_of("toy", "a") / "seed_3" / ".checkpoint.pt.01234567.tmp", "half")
    start()
    assert not left.exists()


# --- settings, names and threads ---


@pytest.mark.parametrize("name", ["../a", "a/b", "", ".a", "a b", "a%b", "c:d", "$(x)", "a.b", 1, None])
def test_the_name_of_a_run_is_a_name_and_no_path(name):
    with pytest.raises(RunError, match="is no name of a run: expected letters, digits"):
        start(run=name)


@pytest.mark.parametrize("threads", ["0", "-1", "two", "1.5"])
def test_the_number_of_threads_is_a_number(monkeypatch, threads):
    monkeypatch.setenv("THREADS", threads)
    with pytest.raises(RunError, match=f"THREADS={threads}: expected a whole number from 1 on"):
        start()


def test_a_run_has_one_thread_unless_threads_says_otherwise(monkeypatch):
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(2)
        monkeypatch.delenv("THREADS", raising=False)
        assert start().settings["threads"] == torch.get_num_threads() == 1
        monkeypatch.setenv("THREADS", "2")
        assert start().settings["threads"] == torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)


# --- seeds and the record ---


def test_a_run_of_one_seed_is_its_only_part(project):
    run = start()
    assert run.parts == [run]
    path = run.record({"error": 0.5}, train(run))
    record = records.load("toy", "a", root=project / "records")
    assert path == project / "records/toy/a.json"
    assert record["metrics"] == {"error": 0.5} and record["curves"] == {"step": [1, 2], "loss": [1.5, 0.5]}


def test_a_run_of_several_seeds_counts_from_its_seed_and_keeps_them_apart(project):
    listing(project, "runs: {a: {seed: 3, seeds: 3}}")
    run = start(seeds=3)
    assert [part.seed for part in run.parts] == [3, 4, 5]
    assert [part.folder.name for part in run.parts] == ["seed_3", "seed_4", "seed_5"]
    assert [part.settings["seed"] for part in run.parts] == [3, 4, 5] and run.settings["seed"] == 3
    run.record([{"error": part.seed / 10} for part in run.parts], [train(part, 2.0) for part in run.parts])
    record = records.load("toy", "a", root=project / "records")
    assert record["metrics"] == {"error": [0.3, 0.4, 0.5]}
    assert record["curves"]["loss"] == [[1.5, 0.5], [2.0, 0.5], [2.5, 0.5]]
    assert record["provenance"]["seconds"] == 6.0 and record["parameters"]["seeds"] == 3


def test_seeds_with_other_metrics_are_no_record():
    run = start(seeds=2)
    with pytest.raises(ValueError, match="every seed needs the same names"):
        run.record([{"error": 1}, {"loss": 1}], [train(part) for part in run.parts])


def test_progress_counts_the_steps_of_all_seeds():
    run = start(seeds=4)
    run.parts[1].report("running", step=10, steps=20, seconds=5.0, latest={"loss": 0.25})
    told = runs.state("toy", "a")
    assert (told.state, told.done, told.seconds) == ("running", 30 / 80, 25.0)
    assert told.message == "loss 0.25"


def test_the_checkpoints_go_when_the_record_is_there_and_not_before():
    run = start(seeds=2)
    left = [files.write(part.folder / "checkpoint.pt", "x") for part in run.parts]
    with pytest.raises(ValueError, match="does not fit into JSON"):
        run.record([{"error": float("nan")}] * 2, [train(part) for part in run.parts])
    assert all(path.exists() for path in left)
    run.record([{"error": 1.0}] * 2, [train(part) for part in run.parts])
    assert not any(path.exists() for path in left)


def test_what_took_over_from_the_code_that_started_is_told_with_its_seed():
    def entry(step, commit, **code):
        return {"step": step, "commit": commit, "date": "", "code": code}

    first, second = entry(0, "c1", a=1, b=1), entry(5, "c2", a=1, b=2, c=1)
    assert runs.resumptions([[first]], [None]) == []
    assert runs.resumptions([[first, second]], [None]) == [{"step": 5, "commit": "c2", "changed": ["b", "c"]}]
    of_both = runs.resumptions([[first], [entry(0, "c2", a=1, b=1)]], [7, 8])
    assert of_both == [{"seed": 8, "step": 0, "commit": "c2", "changed": []}]


# --- where results go ---


def test_only_a_run_of_the_list_writes_to_the_books_records_and_weights(project):
    assert start().results == project
    for other in ({"width": 3}, {"seed": 4}, {"run": "b"}, {"run": "smoke"}):
        run = start(**other)
        assert run.results == project / "build/full"
        assert run.record({}, train(run)).parent == project / "build/full/records/toy"
    assert start("smoke").results == project / "build/smoke"
    assert not (project / "records").exists()


# --- what is told of a run, whatever has become of its files ---


def test_a_run_that_has_its_record_is_done():
    start().record({}, train(start(), seconds=61.5))
    assert runs.state("toy", "a")[:3] == ("done", None, 61.5)


@pytest.mark.parametrize("text", ["", "{", "{}", "[]", "null", b"\xff", '{"experiment": "toy"}'])
def test_a_broken_record_is_broken(project, text):
    files.write(project / "records/toy/a.json", text)
    told = runs.state("toy", "a")
    assert told.state == "broken" and "a.json is not a record" in told.message


def test_a_record_of_other_parameters_than_the_lists_is_not_done(project):
    run = start()
    run.record({}, train(run))
    files.write(project / "book/experiments/toy.py", NOTEBOOK.replace("width = 2", "width = 2\ndepth = 1"))
    assert runs.state("toy", "a").state == "done", "the notebook may have got a parameter since then"
    listing(project, "runs: {a: {seed: 3, width: 4}}")
    told = runs.state("toy", "a")
    assert told.state == "broken" and "a run with other parameters (width 2 is now 4)" in told.message
    assert experiments.groups("toy") == {}


@pytest.mark.parametrize(
    "text",
    ["", "{", "{}", "[]", "null", b"\xff", "[" * 100_000, '{"step": 1, "steps": 0, "seconds_left": 1}']
    + [f'{{"step": 1, "steps": 2, "seconds_left": {left}}}' for left in ('"x"', "NaN", "Infinity")],
    ids=lambda text: repr(text[:40]),
)
def test_progress_that_tells_nothing_stops_nobody(text):
    files.write(runs.folder_of("toy", "a") / "progress.json", text)
    told = runs.state("toy", "a")
    assert told.state == "stopped" and "progress.json tells nothing" in told.message


def test_an_error_that_is_no_text_is_told_as_one():
    text = '{"step": 1, "steps": 2, "seconds_left": null, "error": ["no", 1]}'
    files.write(runs.folder_of("toy", "a") / "progress.json", text)
    assert runs.state("toy", "a") == ("stopped", 0.5, None, "['no', 1]")


def test_files_that_cannot_be_looked_for_are_told_of(project):
    """As in a folder that only somebody else may search: here, by a name that is too long."""
    (project / "records/toy").mkdir(parents=True, exist_ok=True)
    told = runs.state("toy", "a" * 300)
    assert told.state == "broken" and "File name too long" in told.message


def test_a_failure_is_told_by_its_last_line_even_when_it_has_none():
    folder = runs.folder_of("toy", "a")
    for text, says in (("Traceback\nValueError: no\n", "ValueError: no"), ("", "nothing is known"), (b"\xff", "codec")):
        files.write(folder / "error.txt", text)
        told = runs.state("toy", "a")
        assert told.state == "failed" and says in told.message


def test_a_run_that_failed_and_is_tried_again_has_not_failed():
    files.write(start().folder / "error.txt", "no")
    assert runs.state("toy", "a").state == "starting"


def test_a_run_whose_process_is_gone_is_stopped():
    progress = {"step": 1, "steps": 4, "seconds_left": 3.0, "latest": {}}
    files.write(runs.folder_of("toy", "a") / "progress.json", json.dumps(progress))
    assert runs.state("toy", "a")[:2] == ("stopped", 0.25)


if __name__ == "child":
    name, arguments = CALL  # noqa: F821 (given by `holding`)
    globals()[name](*arguments)
