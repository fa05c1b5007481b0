"""Remove what was built: clean.py BUILD

What took hours to train is kept, and told of: full runs that have begun and are not finished, and what came of those
with parameters of one's own, which are no records of the book. Python's standard library is all that this needs.
"""

import fcntl
import shutil
import sys
from pathlib import Path

from alone import LOCK


def kept(build):
    """What cannot be built again in minutes, and why it is kept: ``{path: words}``."""
    told = {}
    for run in sorted(build.glob("full/experiments/*/*")):
        if is_held(run / "lock") or any(run.rglob("checkpoint.pt")):
            told[run] = f"begun and not finished (`make rerun EXPERIMENT={run.parent.name}` goes on with it)"
    results = [build / "full" / name for name in ("records", "weights")]
    return told | {folder: "results of full runs of your own" for folder in results if folder.exists()}


def is_held(lock):
    """Whether the process of a run holds its lock."""
    try:
        with lock.open() as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False


def remove(folder, but):
    """Remove what is in ``folder``, but not the paths ``but``, nor the folders that hold them."""
    for path in folder.iterdir():
        if path in but:
            continue
        if path.is_symlink() or not path.is_dir():
            path.unlink()
        elif any(other.is_relative_to(path) for other in but):
            remove(path, but)
        else:
            shutil.rmtree(path)


def main(build):
    told = kept(build)
    remove(build, {LOCK.relative_to(Path.cwd()), *told})  # the lock is held just now
    for path, why in told.items():
        print(f"kept {path}: {why}")
    if told:
        print(f"To remove these too: rm -rf {build}")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
