"""What Slurm knows of the runs of this checkout."""

import shutil
import subprocess
from typing import NamedTuple

from helpers.files import PROJECT


class Task(NamedTuple):
    """A run in Slurm's queue: the task of which job it is, its state in Slurm's words, and where, or why not yet."""

    job: str
    state: str
    where: str


def queue():
    """The tasks in Slurm's queue that are runs of this checkout: ``{(experiment, run): Task}``, none without Slurm.

    `make submit` named the job after the experiment; its comment lists the runs, in the order of the array's tasks.
    Raises RuntimeError when Slurm does not answer.
    """
    if not shutil.which("squeue"):
        return {}
    command = ["squeue", "--me", "--array", "--noheader", "--format=%i|%T|%R|%j|%K|%Z|%k"]
    asked = subprocess.run(command, capture_output=True, text=True)
    if asked.returncode:
        raise RuntimeError(f"Slurm does not answer: {asked.stderr.strip().splitlines()[-1]}")
    tasks = {}
    for line in asked.stdout.splitlines():
        job, state, where, experiment, index, folder, comment = line.split("|", 6)
        runs = comment.split()
        if folder == str(PROJECT) and index.isdecimal() and int(index) < len(runs):
            tasks[experiment, runs[int(index)]] = Task(job, state.lower(), where.strip("()"))
    return tasks
