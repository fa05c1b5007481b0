"""Run an experiment in full and write its record: rerun.py records/EXPERIMENT/RUN.json
or print the records that its list of runs asks for, in order: rerun.py --list EXPERIMENT

`make rerun` calls both. The list stands beside the notebook, in book/experiments/EXPERIMENT.yaml: under `defaults`
the parameters that its runs share, under `runs` a name for each run and the parameters that it sets.
"""

import sys
from pathlib import Path

import yaml

from helpers import records
from helpers.files import PROJECT

EXPERIMENTS = PROJECT / "book" / "experiments"
LOGS = PROJECT / "build" / "full" / "experiments"
TIMEOUT = 4 * 3600  # seconds, of the cell that trains


def experiments():
    """The names of all experiments that have a list of runs, sorted."""
    return sorted(path.stem for path in EXPERIMENTS.glob("*.yaml"))


def runs(experiment):
    """The parameters of each run of an experiment, by its name, the most important first."""
    if experiment not in experiments():
        raise SystemExit(f"EXPERIMENT={experiment}: expected one of {', '.join(experiments())}")
    listed = yaml.safe_load((EXPERIMENTS / f"{experiment}.yaml").read_text())
    return {run: {**listed["defaults"], **own, "profile": "full", "run": run} for run, own in listed["runs"].items()}


def folder_of(experiment, run):
    """Where a run keeps what it needs to go on after a kill, and what tells of it: progress, log, executed notebook."""
    return LOGS / experiment / run


def last_line(text):
    return text.strip().splitlines()[-1]


def main(experiment, run):
    """Execute the notebook with the run's parameters; it writes the record itself."""
    # Not above: `make status` and the list of runs can do without them, and they take seconds to import.
    from nbclient.exceptions import DeadKernelError

    import notebooks
    from helpers import training

    parameters = runs(experiment)[run]
    folder = folder_of(experiment, run)
    folder.mkdir(parents=True, exist_ok=True)
    failure = folder / "error.txt"
    try:
        with training.lock(folder / "rerun.lock"):
            failure.unlink(missing_ok=True)
            print(f"{experiment}/{run}: started, `make status` says how far it is", flush=True)
            try:
                notebooks.execute(EXPERIMENTS / f"{experiment}.py", folder / "executed.ipynb", parameters, TIMEOUT)
                records.load(experiment, run)
            except DeadKernelError:
                raise SystemExit(f"{experiment}/{run}: its process died, `make rerun` resumes it") from None
            except (SystemExit, records.RecordError) as error:
                failure.write_text(f"{error}\n")
                log = failure.relative_to(PROJECT)
                raise SystemExit(f"{experiment}/{run}: {last_line(str(error))} (all of it in {log})") from None
            print(f"{experiment}/{run}: done", flush=True)
    except training.TrainingError as error:
        raise SystemExit(str(error)) from None


if __name__ == "__main__":
    if sys.argv[1] == "--list":
        print(*(f"records/{sys.argv[2]}/{run}.json" for run in runs(sys.argv[2])))
    else:
        main(Path(sys.argv[1]).parent.name, Path(sys.argv[1]).stem)
