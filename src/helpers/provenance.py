"""Where a result comes from: commit, code, packages and machine of this very process."""

import hashlib
import os
import platform
import subprocess
import sys
from datetime import UTC, datetime
from functools import cache
from importlib import metadata
from pathlib import Path

from helpers.files import PROJECT

RESULTS = ("records", "weights")  # folders of the project that hold results and no sources


def now():
    """The time of now, in UTC, to the second: ISO 8601."""
    return datetime.now(UTC).isoformat(timespec="seconds")


@cache
def commit():
    """The commit of the project's tree when this process first asked, or ``unknown`` when it has no repository.

    With ``-dirty`` when sources differ from it or are not in it; records and weights are results and not sources.
    """
    try:
        if Path(_git("rev-parse", "--show-toplevel")).resolve() != PROJECT:  # a copy inside another repository
            return "unknown"
        name = _git("rev-parse", "--short=12", "HEAD")
        sources = [".", *(f":!{folder}" for folder in RESULTS)]
        changed = _git("status", "--porcelain", "--untracked-files=normal", "--", *sources)
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return name + ("-dirty" if changed else "")


def uncommitted(paths):
    """Those of ``paths`` (inside the project) that differ from the commit or are not in it; none when there is none."""
    paths = sorted({str(path) for path in paths})
    if not paths or commit() == "unknown":
        return []
    asked = "--porcelain", "-z", "--no-renames", "--untracked-files=all", "--ignored"
    lines = _git("status", *asked, "--", *(f":(literal){path}" for path in paths))
    return sorted({line[3:] for line in lines.split("\0") if line})


def _git(*arguments):
    """What git says of the project's own repository, whatever the environment says of others."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    command = ["git", "--no-optional-locks", "-C", str(PROJECT), *arguments]  # a lock would outlive a killed process
    return os.fsdecode(subprocess.check_output(command, stderr=subprocess.DEVNULL, env=environment)).rstrip("\n")


@cache
def processor():
    """The processor's name as Linux tells it, elsewhere what Python knows."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        return next(line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()


def machine():
    """Device, processor, number of cores and of threads, and system."""
    import torch  # not above: who only asks for the commit need not wait for it

    return {
        "device": torch.cuda.get_device_name() if torch.cuda.is_available() else "cpu",
        "processor": processor(),
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "system": f"{platform.system()} {platform.machine()}",
    }


def versions(packages):
    """The versions of Python and of ``packages``. Raises PackageNotFoundError for one that is not installed."""
    return {"python": platform.python_version()} | {name: metadata.version(name) for name in packages}


def code():
    """What computes in this process: SHA-256 digests (12 digits) of each module of ``helpers`` and of the notebook's
    cells so far, and the versions of NumPy and PyTorch.

    The cells count from the first to the one that runs now, that of papermill's parameters left out.
    """
    modules = [module for name, module in sys.modules.items() if name.partition(".")[0] == "helpers"]
    files = [Path(module.__file__) for module in modules if getattr(module, "__file__", None)]
    digests = {f"helpers/{file.relative_to(PROJECT / 'src' / 'helpers')}": _digest(file.read_bytes()) for file in files}
    cells = getattr(sys.modules.get("__main__"), "In", None)
    if cells is not None:
        sources = [cell for cell in cells if not cell.startswith("# Parameters\n")]
        digests["notebook"] = _digest("\0".join(sources).encode())
    return dict(sorted(digests.items())) | versions(("numpy", "torch"))


def _digest(content):
    return hashlib.sha256(content).hexdigest()[:12]
