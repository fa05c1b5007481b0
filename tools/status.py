"""Print a table of all runs of all experiments: what is done, running, failed or missing, and how long is left."""

import fcntl
import json

from helpers import records
from rerun import experiments, folder_of, last_line, runs


def status(experiment, run):
    """The row of one run: its state, how far it is, how long is left, and its latest numbers."""
    if (records.ROOT / experiment / f"{run}.json").exists():
        return "done", "", duration(records.load(experiment, run)["provenance"]["seconds"]), ""
    folder = folder_of(experiment, run)
    failure, progress = folder / "error.txt", folder / "progress.json"
    running = locked(folder / "rerun.lock") or locked(folder / "fit.lock")  # the latter when run by hand
    if failure.exists() and not running:
        return "failed", "", "", last_line(failure.read_text())
    if not progress.exists():
        return ("starting" if running else "missing"), "", "", ""
    at = json.loads(progress.read_text())
    done = f"{at['step'] / at['steps']:.0%}"
    if not running:  # the process that wrote this is gone
        return "stopped", done, "", at.get("error", "`make rerun` resumes it")
    left = "" if at["seconds_left"] is None else f"{duration(at['seconds_left'])} left"
    return "running", done, left, "  ".join(f"{name} {value:.4g}" for name, value in at["latest"].items())


def locked(path):
    """Whether a process holds the lock file ``path``: unlike a process id in a file, a lock cannot be out of date."""
    try:
        with path.open() as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except BlockingIOError:
        return True
    return False


def duration(seconds):
    """Hours and minutes, or minutes and seconds."""
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02d} min" if hours else f"{minutes} min {seconds:02d} s"


def main():
    rows = [(name, run, *status(name, run)) for name in experiments() for run in runs(name)]
    table = [("experiment", "run", "state", "done", "time", ""), *rows]
    widths = [max(len(row[column]) for row in table) for column in range(5)]
    for row in table:
        print("  ".join([*(text.ljust(width) for text, width in zip(row[:5], widths, strict=True)), row[5]]).rstrip())
    states = [row[2] for row in rows]
    print(f"\n{states.count('done')} of {len(states)} done")


if __name__ == "__main__":
    main()
