"""Results of full runs, as JSON with where and how they were obtained, and the weights that pages use live.

``records/<experiment>/<run>.json`` holds ``experiment``, ``run``, ``parameters``, ``metrics``, ``curves`` and
``provenance``. Error rates are fractions; times are seconds unless a name says otherwise.
``weights/<name>.safetensors`` holds a network's state and, as JSON, what one must know to use it.
"""

import hashlib
import json
import math
import re
from pathlib import Path

from helpers import files, provenance
from helpers.files import PROJECT

ROOT = PROJECT / "records"
WEIGHTS = PROJECT / "weights"
KEYS = {"experiment": str, "run": str, "parameters": dict, "metrics": dict, "curves": dict, "provenance": dict}
NAMES = "letters, digits, _ and -, a letter or digit first"  # of runs, which are names of files too


class RecordError(RuntimeError):
    """A record, or a file of weights, that is missing or is not one."""


def is_name(name):
    """Whether ``name`` can be that of a run."""
    return isinstance(name, str) and re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_-]*", name) is not None


def path_of(experiment, run, root=None):
    """The file of a record, in ``root`` or the book's own folder of records."""
    return Path(root or ROOT) / experiment / f"{run}.json"


def save(
    experiment,
    run,
    *,
    parameters,
    metrics,
    seconds,
    curves=None,
    data=None,
    packages=(),
    started=None,
    resumed=(),
    root=None,
):
    """Write ``root/experiment/run.json`` atomically, with the provenance of this very process, and return its path.

    ``parameters`` and ``metrics`` are dictionaries of JSON values, ``curves`` one of lists of numbers; ``seconds`` is
    what the run took; ``data`` maps the name of each data set to its checksum; ``packages`` names what made the result,
    besides PyTorch and NumPy. A run that may have begun in another process gives the first entry of its history as
    ``started``, and as ``resumed`` what took over from that code.
    Raises ValueError for a name that is none, and for a value that JSON has no form for, NaN and infinity among them.
    """
    if not (is_name(experiment) and is_name(run)):
        raise ValueError(f"{experiment}/{run} is no name of a record: expected {NAMES}")
    record = dict(zip(KEYS, (experiment, run, parameters, metrics, curves or {}), strict=False))
    started = started or {"commit": provenance.commit(), "code": provenance.code()}
    record["provenance"] = {
        "commit": started["commit"],
        "code": started["code"],
        "resumed": list(resumed),
        "date": provenance.now(),
        **provenance.machine(),
        "versions": provenance.versions(dict.fromkeys(("torch", "numpy", *packages))),
        "seconds": round(seconds, 1),
        "data": data or {},
    }
    try:
        text = json.dumps(record, indent=1, allow_nan=False, ensure_ascii=False) + "\n"
    except (TypeError, ValueError) as error:
        raise ValueError(f"record {experiment}/{run} does not fit into JSON: {error}") from None
    return files.write(path_of(experiment, run, root), text)


def load(experiment, run=None, root=None):
    """The record of one run, or ``{run: record}`` of all runs of ``experiment``, sorted by name.

    Raises RecordError when there is none, or a file is not a record.
    """
    folder = Path(root or ROOT) / experiment
    known = sorted(path.stem for path in folder.glob("*.json"))
    names = known if run is None else [run]
    if not names or not path_of(experiment, names[0], root).exists():
        command = "make benchmark" if experiment == "benchmarks" else f"make rerun EXPERIMENT={experiment}"
        there = ", ".join(known) or "none"
        raise RecordError(f"no record {run or ''} in {folder} (there: {there}); `{command}` makes it")
    records = {name: _read(experiment, name, root) for name in names}
    return records if run is None else records[run]


def _read(experiment, run, root):
    """A record, if its file is one. Raises RecordError that says what is wrong with which file."""
    path = path_of(experiment, run, root)
    try:
        if not is_name(run):
            raise ValueError(f"its name has more in it than {NAMES}")
        record = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(record, dict) or (missing := [key for key in KEYS if key not in record]):
            raise ValueError(f"it lacks {', '.join(missing)}" if isinstance(record, dict) else "it is no JSON object")
        for key, kind in KEYS.items():
            if not isinstance(record[key], kind):
                raise ValueError(f"its {key} is a {type(record[key]).__name__}, and not a {kind.__name__}")
        if (record["experiment"], record["run"]) != (experiment, run):
            raise ValueError(f"it is that of {record['experiment']}/{record['run']}")
        made = record["provenance"]
        if not isinstance(made.get("commit"), str) or not isinstance(made.get("date"), str):
            raise ValueError("its provenance lacks commit or date")
        if not (isinstance(made.get("seconds"), (int, float)) and 0 <= made["seconds"] < math.inf):
            raise ValueError("its provenance lacks the seconds that it took")
    except (OSError, ValueError, RecursionError) as error:
        message = f"{path} is not a record: {error}. Restore it, or delete it and make it anew"
        raise RecordError(message) from None
    return record


def save_weights(name, network, about, root=None):
    """Write the state of ``network`` and ``about``, a dictionary of JSON values, to ``root/name.safetensors``.

    With them goes a checksum of both.
    """
    from safetensors.torch import save

    state = {key: tensor.contiguous() for key, tensor in network.state_dict().items()}
    told = json.dumps(about)
    files.write(
        Path(root or WEIGHTS) / f"{name}.safetensors", save(state, {"about": told, "sha256": _digest(state, told)})
    )


def load_weights(name, root=None):
    """Return ``(state, about)`` as ``save_weights`` wrote them: a ``state_dict``, and a dictionary.

    Raises RecordError when the file is missing or damaged, or is not what was written.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load

    root = Path(root or WEIGHTS)
    path = root / f"{name}.safetensors"
    try:
        content = path.read_bytes()
        state = load(content)
        header = json.loads(content[8 : 8 + int.from_bytes(content[:8], "little")])["__metadata__"]
        if header["sha256"] != _digest(state, header["about"]):
            raise ValueError("its checksum is wrong")
        return state, json.loads(header["about"])
    except FileNotFoundError:
        known = ", ".join(sorted(p.stem for p in root.glob("*.safetensors"))) or "none"
        raise RecordError(
            f"no weights {name} in {root} (there: {known}); `make rerun` makes those of the book"
        ) from None
    except (OSError, SafetensorError, ValueError, TypeError, KeyError) as error:
        raise RecordError(f"{path} holds no weights of the book: {error}") from None


def _digest(state, about):
    """SHA-256 of weights and what is said of them, whatever the layout of the file."""
    import torch

    digest = hashlib.sha256(about.encode())
    for name, tensor in sorted(state.items()):
        digest.update(f"{name} {tensor.dtype} {list(tensor.shape)}".encode())
        digest.update(tensor.cpu().reshape(-1).view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()
