"""Runs of experiments: the list that asks for them, and all that one of them keeps while it is under way.

The list of ``book/experiments/NAME.py`` stands beside it, in ``NAME.yaml``. A run keeps what it needs to go on, and
what tells of it, in ``build/PROFILE/experiments/EXPERIMENT/RUN/``::

    lock            held by the process that works on the run
    progress.json   how far it is and how long is left
    checkpoint.pt   what training needs to go on; with several seeds, one in each folder ``seed_N/``; beside it the
                    one before, which takes its place when it is damaged
    tensorboard/    scalars, for ``tensorboard --logdir``
    error.txt       why the last attempt failed
    executed.ipynb  the notebook, when it has come to its end
"""

import fcntl
import json
import os
import platform
import time
from contextlib import suppress
from functools import cached_property
from typing import NamedTuple

from helpers import experiments, files, provenance, records
from helpers.experiments import RunError, defaults, listed

BUILD = files.PROJECT / "build"
_held = {}  # lock files that this process holds: to take one again is no conflict


class Locked(RunError):
    """Another process works on this run."""


class State(NamedTuple):
    """What there is to tell of a run."""

    state: str  # done, running, starting, stopped, failed, broken or missing
    done: float | None = None  # the part of its steps that it has taken
    seconds: float | None = None  # what it took (done) or how long is left (running)
    message: str = ""


class Run:
    """One run of an experiment, from its settings to its record; the process that makes it holds its lock.

    ``settings`` are the notebook's checked parameters, ``profile``, ``run`` (its name) and ``seed`` among them. With
    ``seeds`` among them, :attr:`parts` are that many runs, one for each seed. To them comes the number of threads,
    which the sums of floating-point numbers depend on: one, or what the environment's ``THREADS`` says.
    Raises RunError for a name that is none, Locked when another process works on the run.
    """

    def __init__(self, experiment, settings, build=None):
        if not records.is_name(settings["run"]):
            raise RunError(f"run = {settings['run']!r} is no name of a run: expected {records.NAMES}")
        self.experiment, self.name, self.profile = experiment, settings["run"], settings["profile"]
        self.settings = settings | {"threads": set_threads()}
        self.seed, self.index, self.count = settings["seed"], 0, 1
        self.commit = provenance.commit()  # noted now: the tree may be another one when the run ends
        self.build = (build or BUILD) / self.profile
        self.run_folder = self.folder = folder_of(experiment, self.name, self.build)
        try:
            hold(self.folder / "lock")
        except Locked:
            if self.profile == "full":
                raise
            # A rehearsal must not wait for another one, in a notebook that somebody has left open.
            self.run_folder = self.folder = self.folder.with_name(f"{self.name}-{os.getpid()}")
            hold(self.folder / "lock")

    @cached_property
    def parts(self):
        """The runs of single seeds, ``seed`` and up; of one seed, the run itself."""
        count = self.settings.get("seeds", 1)
        return [self] if count == 1 else [self._part(index, count) for index in range(count)]

    def _part(self, index, count):
        part = object.__new__(Run)
        vars(part).update(vars(self) | {"index": index, "count": count, "seed": self.seed + index})
        part.folder = self.run_folder / f"seed_{part.seed}"
        part.settings = self.settings | {"seed": part.seed}
        return part

    @cached_property
    def is_listed(self):
        """Whether the list of runs asks for just this run: only then are its results those of the book."""
        if self.profile != "full" or self.name not in listed(self.experiment):
            return False
        wanted = defaults(self.experiment) | listed(self.experiment)[self.name].parameters
        return all(self.settings.get(name) == value for name, value in wanted.items())

    @property
    def results(self):
        """The folder that holds ``records/`` and ``weights/`` of this run: the project's own, or that of the build."""
        return files.PROJECT if self.is_listed else self.build

    # --- while it trains ---

    def save(self, settings, history, **state):
        """Replace the checkpoint. Raises RunError when it cannot be written; the one before then still stands."""
        from helpers import checkpoints  # not above: `make status` need not wait for PyTorch

        try:
            checkpoints.save(self.folder / "checkpoint.pt", {"settings": settings, "history": history, **state})
        except OSError as error:
            message = f"the checkpoint of {self.name} cannot be written ({error}): make room, and rerun to go on"
            raise RunError(message) from error

    def load(self, settings):
        """The checkpoint that training under ``settings`` goes on from, or None, and the run's history with it.

        The history tells at which step which commit and code took over; its last entry is of this process. A rehearsal
        whose parameters or code have changed starts anew. A full run raises RunError for other parameters and for
        damage, and goes on under other code, which its record tells.
        """
        from helpers import checkpoints

        checkpoints.check(settings)  # now, and not when hours have gone into a checkpoint
        path = self.folder / "checkpoint.pt"
        mine = {"step": 0, "commit": self.commit, "date": provenance.now(), "code": provenance.code()}
        if not path.exists():
            return None, [mine]
        try:
            saved = checkpoints.load_newest(path, settings)
            if self.profile != "full" and saved["history"][-1]["code"] != mine["code"]:
                raise RunError(f"{path} was made by other code")
        except RunError:
            if self.profile == "full":
                raise
            return None, [mine]
        history = saved["history"]
        if any(history[-1][name] != mine[name] for name in ("commit", "code")):
            history = [*history, mine | {"step": saved["place"]["step"]}]
        return saved, history

    def report(self, state, *, step, steps, seconds, **more):
        """Write ``progress.json``: ``state`` is running, done or failed; ``step`` and ``seconds`` are of this seed."""
        left = seconds / step * (self.count * steps - self.index * steps - step) if step else None
        progress = {"run": self.name, "state": state, "step": self.index * steps + step, "steps": self.count * steps}
        progress |= {"seconds": seconds, "seconds_left": left, **more, "time": provenance.now()}
        progress |= {"pid": os.getpid(), "host": platform.node()}
        with suppress(OSError):  # a full disk stops the checkpoint, and need not stop what only tells of it
            files.write(self.run_folder / "progress.json", json.dumps(progress, indent=1) + "\n")

    # --- when it is over ---

    def record(self, metrics, trained, *, data=None, packages=()):
        """Write the record, delete the checkpoints, which it makes needless, and return the record's path.

        ``metrics`` is a dictionary of JSON values and ``trained`` what ``fit`` returned; or both are lists, with one
        of them for each of :attr:`parts`, and the record holds a list for each metric and each curve. ``data`` maps
        data sets to checksums; ``packages`` names those that made the result.
        """
        several = len(self.parts) > 1
        metrics, trained = (metrics, trained) if several else ([metrics], [trained])
        merged = [merge([dict(each) for each in many], several) for many in (metrics, [t.curves for t in trained])]
        history = [part.history for part in trained]
        path = records.save(
            self.experiment,
            self.name,
            parameters=self.settings,
            metrics=merged[0],
            curves=merged[1],
            seconds=sum(part.seconds for part in trained),
            started=history[0][0],
            resumed=resumptions(history, [part.seed for part in self.parts] if several else [None]),
            data=data,
            packages=packages,
            root=self.results / "records",
        )
        for checkpoint in (path for part in self.parts for path in part.folder.glob("checkpoint*.pt")):
            checkpoint.unlink(missing_ok=True)
        return path


def folder_of(experiment, name, build=None):
    """What a run keeps while it is under way is here."""
    return (build or BUILD / "full") / "experiments" / experiment / name


def merge(dictionaries, several):
    """One dictionary from those of all seeds: a list for each name, in their order, or just the only one.

    Raises ValueError when they have not the same names.
    """
    if len({tuple(sorted(each)) for each in dictionaries}) != 1:
        raise ValueError(f"every seed needs the same names, and they have {[sorted(each) for each in dictionaries]}")
    if not several:
        return dictionaries[0]
    return {name: [each[name] for each in dictionaries] for name in dictionaries[0]}


def resumptions(histories, seeds):
    """What took over from the code that a run started with: ``[{"step", "commit", "changed"}]``, with the seed of each
    when there are several. ``changed`` names the files of the helpers, the notebook or the packages that were no longer
    the same.
    """
    told, before = [], histories[0][0]
    for history, seed in zip(histories, seeds, strict=True):
        for entry in history:
            names = sorted(before["code"].keys() | entry["code"].keys())
            changed = [name for name in names if before["code"].get(name) != entry["code"].get(name)]
            if entry["commit"] != before["commit"] or changed:
                of_seed = {} if seed is None else {"seed": seed}
                told.append({**of_seed, "step": entry["step"], "commit": entry["commit"], "changed": changed})
            before = entry
    return told


def set_threads():
    """Give PyTorch as many threads as the environment's ``THREADS`` says, or one, and return their number."""
    import torch  # not above: `make status` need not wait for it

    text = os.environ.get("THREADS", "") or "1"
    if not (text.isdecimal() and int(text) > 0):
        raise RunError(f"THREADS={text}: expected a whole number from 1 on")
    torch.set_num_threads(int(text))
    return int(text)


def hold(path):
    """Hold the lock file ``path`` until this process ends, however it ends. Raises Locked that names who holds it.

    A lock, unlike a process id in a file, cannot be out of date.
    """
    if path in _held:
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    file = path.open("a+")
    for pause in (0.02,) * 20 + (None,):
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            break
        except BlockingIOError:
            if pause is None:
                file.close()
                raise Locked(f"{path.parent.name}: {holder(path)} works on this run") from None
            time.sleep(pause)  # for an instant, `holder` holds it, in `make status`
    file.truncate(0)
    print(f"process {os.getpid()} on {platform.node()}", end="", file=file, flush=True)
    for unfinished in path.parent.rglob(".*.tmp"):  # of a writer that was killed: nobody writes here but us
        unfinished.unlink(missing_ok=True)
    _held[path] = file


def holder(path):
    """Who holds the lock file ``path``, in words, or None."""
    try:
        with path.open() as file:
            try:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                return file.read() or "another process"
    except OSError:  # there is none, or it cannot be read
        return None
    return None


def state(experiment, name):
    """What there is to tell of a full run: a :class:`State`, whatever has become of its files."""
    folder = folder_of(experiment, name)
    try:
        if records.path_of(experiment, name).exists():
            return State("done", seconds=experiments.load(experiment, name)["provenance"]["seconds"])
        begun, failed = (folder / "progress.json").exists(), (folder / "error.txt").exists()
    except (records.RecordError, OSError) as error:  # OSError: its folder may not be searched
        return State("broken", message=str(error))
    running = holder(folder / "lock") is not None
    if failed and not running:
        return State("failed", message=_last_line(folder / "error.txt"))
    if not begun:
        return State("starting" if running else "missing")
    try:
        told = json.loads((folder / "progress.json").read_text())
        done, left = told["step"] / told["steps"], told["seconds_left"]
        left = None if left is None else round(left)
        latest = "  ".join(f"{name} {value:.4g}" for name, value in told.get("latest", {}).items())
    except (OSError, ValueError, TypeError, KeyError, AttributeError, ArithmeticError, RecursionError) as error:
        return State("running" if running else "stopped", message=f"progress.json tells nothing: {error!r}")
    if not running:  # the process that wrote this is gone
        return State("stopped", done, message=str(told.get("error") or "`make rerun` resumes it"))
    return State("running", done, left, latest)


def _last_line(path):
    try:
        return (path.read_text().strip().splitlines() or ["nothing is known of why"])[-1]
    except (OSError, ValueError) as error:
        return str(error)
