"""Run an experiment in full and write its record: rerun.py EXPERIMENT/RUN
or print, in the order of its list, the runs of an experiment that have no good record: rerun.py --list EXPERIMENT

`make rerun` calls both. `helpers.experiments` says what the list of runs may hold.
"""

import sys

from helpers import experiments, files, records, runs

TIMEOUT = 4 * 3600  # seconds, of the cell that trains
TRY_AGAIN = 75  # the exit status (EX_TEMPFAIL of sysexits.h) when nothing is wrong with the run itself


def missing(experiment):
    """The runs of an experiment that have no record, or one that is broken, as ``EXPERIMENT/RUN``."""
    return [
        f"{experiment}/{run}" for run in experiments.listed(experiment) if runs.state(experiment, run).state != "done"
    ]


def main(experiment, run):
    """Execute the notebook with the run's parameters; it writes the record itself. Raises SystemExit when it fails."""
    # Not above: the list of runs can do without them, and they take seconds to import.
    from nbclient.exceptions import CellTimeoutError, DeadKernelError

    import notebooks

    parameters, folder = experiments.listed(experiment)[run].parameters, runs.folder_of(experiment, run)
    told = runs.state(experiment, run)
    if told.state == "broken":  # no reason to run it: nothing is overwritten
        raise SystemExit(f"{experiment}/{run}: {told.message}")
    if who := runs.holder(folder / "lock"):
        not_now(f"{experiment}/{run}: {who} works on this run")
    failure = folder / "error.txt"
    failure.unlink(missing_ok=True)
    print(f"{experiment}/{run}: started, `make status` says how far it is", flush=True)
    try:
        notebooks.execute(experiments.FOLDER / f"{experiment}.py", folder / "executed.ipynb", parameters, TIMEOUT)
        records.load(experiment, run)
    except DeadKernelError:
        not_now(f"{experiment}/{run}: its process died, `make rerun` resumes it")
    except (SystemExit, CellTimeoutError, OSError, records.RecordError) as error:
        last = str(error).strip().splitlines()[-1]
        if last.startswith("Locked: "):  # by the process that got ahead of this one, whose run this is
            not_now(last.removeprefix("Locked: "))
        try:
            files.write(failure, f"{error}\n")
            where = f"all of it in {failure.relative_to(files.PROJECT)}"
        except OSError as full:
            where = str(full)
        raise SystemExit(f"{experiment}/{run}: {last} ({where})") from None
    print(f"{experiment}/{run}: done", flush=True)


def not_now(message):
    """End with a message and the status that asks for another try."""
    print(message, file=sys.stderr)
    raise SystemExit(TRY_AGAIN)


if __name__ == "__main__":
    try:
        if sys.argv[1] == "--list":
            print(*missing(sys.argv[2]))
        else:
            main(*sys.argv[1].split("/"))
    except (experiments.RunError, OSError) as error:
        raise SystemExit(str(error)) from None
