"""Results of full runs, as JSON with where and how they were obtained, and the weights that pages use live.

``records/<experiment>/<run>.json`` holds ``experiment``, ``run``, ``parameters``, ``metrics``, ``curves`` and
``provenance``. Error rates are fractions; times are seconds unless a name says otherwise.
``weights/<name>.safetensors`` holds a network's state and, as JSON, what one must know to use it.
"""

import json
import os
import platform
import subprocess
import tempfile
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from subprocess import DEVNULL

PROJECT = Path(__file__).resolve().parents[2]
ROOT = PROJECT / "records"
WEIGHTS = PROJECT / "weights"
KEYS = ("experiment", "run", "parameters", "metrics", "curves", "provenance")


class RecordError(RuntimeError):
    """A record, or a file of weights, that is missing or is not one."""


def save(experiment, run, *, parameters, metrics, seconds, curves=None, data=None, root=ROOT):
    """Write ``root/experiment/run.json`` atomically, with the provenance of this very process, and return its path.

    ``parameters`` and ``metrics`` are dictionaries of JSON values, ``curves`` one of lists of numbers; ``seconds`` is
    what the run took; ``data`` maps the name of each data set to its checksum.
    Raises ValueError for a value that JSON has no form for, NaN and infinity among them.
    """
    record = dict(zip(KEYS, (experiment, run, parameters, metrics, curves or {}), strict=False))
    record["provenance"] = provenance() | {"seconds": round(seconds, 1), "data": data or {}}
    try:
        text = json.dumps(record, indent=1, allow_nan=False, ensure_ascii=False) + "\n"
    except (TypeError, ValueError) as error:
        raise ValueError(f"record {experiment}/{run} does not fit into JSON: {error}") from None
    path = Path(root) / experiment / f"{run}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, text)
    return path


def load(experiment, run=None, root=ROOT):
    """The record of one run, or ``{run: record}`` of all runs of ``experiment``, sorted by name.

    Raises RecordError when there is none, or a file is not a record.
    """
    folder = Path(root) / experiment
    paths = sorted(folder.glob("*.json")) if run is None else [folder / f"{run}.json"]
    if not paths or not paths[0].exists():
        known = ", ".join(sorted(p.stem for p in folder.glob("*.json"))) or "none"
        command = "make benchmark" if experiment == "benchmarks" else f"make rerun EXPERIMENT={experiment}"
        raise RecordError(f"no record {run or ''} in {folder} (there: {known}); `{command}` makes it")
    records = {path.stem: _read(path) for path in paths}
    return records if run is None else records[run]


def provenance():
    """Commit, versions, machine and time of now: what every record and every page says of itself."""
    import torch

    device = torch.cuda.get_device_name() if torch.cuda.is_available() else "cpu"
    packages = ("torch", "numpy", "torch-geometric")
    return {
        "commit": commit(),
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "device": device,
        "processor": processor(),
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "system": f"{platform.system()} {platform.machine()}",
        "versions": {"python": platform.python_version()} | {name: metadata.version(name) for name in packages},
    }


def commit():
    """The commit of the project's tree, or ``unknown`` outside of git.

    With ``-dirty`` when files differ from it, other than records and weights, which are results and not sources.
    """
    git = ["git", "-C", str(PROJECT)]
    try:
        name = subprocess.check_output([*git, "describe", "--always", "--abbrev=12", "--exclude=*"], stderr=DEVNULL)
        sources = ["--", ".", f":!{ROOT.name}", f":!{WEIGHTS.name}"]
        changed = subprocess.run([*git, "diff", "--quiet", "HEAD", *sources]).returncode
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return name.decode().strip() + ("-dirty" if changed else "")


def save_weights(name, network, about, root=WEIGHTS):
    """Write the state of ``network`` and ``about``, a dictionary of JSON values, to ``root/name.safetensors``."""
    from safetensors.torch import save

    state = {key: tensor.contiguous() for key, tensor in network.state_dict().items()}
    root.mkdir(parents=True, exist_ok=True)
    write_atomically(root / f"{name}.safetensors", save(state, {"about": json.dumps(about)}))


def load_weights(name, root=WEIGHTS):
    """Return ``(state, about)`` as ``save_weights`` wrote them: a ``state_dict``, and a dictionary.

    Raises RecordError when the file is missing or damaged.
    """
    from safetensors import SafetensorError, safe_open

    path = Path(root) / f"{name}.safetensors"
    try:
        with safe_open(path, "pt") as file:
            return {key: file.get_tensor(key) for key in file.keys()}, json.loads(file.metadata()["about"])  # noqa: SIM118
    except FileNotFoundError:
        known = ", ".join(sorted(p.stem for p in Path(root).glob("*.safetensors"))) or "none"
        raise RecordError(
            f"no weights {name} in {root} (there: {known}); `make rerun` makes those of the book"
        ) from None
    except (SafetensorError, TypeError, KeyError) as error:
        raise RecordError(f"{path} holds no weights of the book: {error}") from None


def write_atomically(path, content):
    """Write text or bytes so that the file is there whole or not at all, whenever the process dies."""
    mode = "w" if isinstance(content, str) else "wb"
    with tempfile.NamedTemporaryFile(mode, dir=path.parent, prefix=f".{path.name}.", delete=False) as file:
        file.write(content)
    Path(file.name).chmod(0o644)  # temporary files are the owner's alone
    Path(file.name).replace(path)


def _read(path):
    try:
        record = json.loads(path.read_text())
        missing = [key for key in KEYS if key not in record]
    except (json.JSONDecodeError, TypeError) as error:
        raise RecordError(f"{path} is not a record: {error}") from None
    if missing:
        raise RecordError(f"{path} is not a record: it lacks {', '.join(missing)}")
    return record


def processor():
    """The processor's name as Linux tells it, elsewhere what Python knows."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        return next(line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()
