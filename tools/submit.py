"""Submit to Slurm the runs of an experiment that have no record and are not in its queue yet:

    submit.py EXPERIMENT AT_ONCE [options of sbatch]

`make submit` calls this. With sbatch's own ``--wait`` it returns when all are over, and fails when one has failed.
"""

import shutil
import subprocess
import sys

import cluster
import rerun
from helpers import experiments, files


def main(experiment, at_once, *options):
    wanted = [name.partition("/")[2] for name in rerun.missing(experiment)]  # raises RunError for a list that is wrong
    if at_once and not (at_once.isdecimal() and int(at_once)):
        raise SystemExit(f"AT_ONCE={at_once}: expected a whole number from 1 on")
    if not shutil.which("sbatch"):
        raise SystemExit("There is no Slurm here (no program sbatch): `make rerun` works without")
    queued = cluster.queue()
    runs = [run for run in wanted if (experiment, run) not in queued]
    if not runs:
        why = f"{len(wanted)} are in the queue, `make status` says where" if wanted else "all have their records"
        print(f"No run of {experiment} is left to submit: {why}.")
        return 0
    (files.PROJECT / "build" / "full" / "slurm").mkdir(parents=True, exist_ok=True)  # which Slurm does not make
    array = f"0-{len(runs) - 1}" + (f"%{at_once}" if at_once else "")
    about = [f"--array={array}", f"--job-name={experiment}", f"--comment={' '.join(runs)}"]
    return subprocess.run(["sbatch", *about, *options, "slurm/rerun.sbatch"], cwd=files.PROJECT).returncode


if __name__ == "__main__":
    try:
        sys.exit(main(*sys.argv[1:]))
    except (experiments.RunError, RuntimeError, OSError) as error:
        raise SystemExit(str(error)) from None
