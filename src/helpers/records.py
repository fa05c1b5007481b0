"""Results of full runs, as JSON with where and how they were obtained, and the weights that pages use live.

``records/<experiment>/<run>.json`` holds ``experiment``, ``run``, ``parameters``, ``metrics``, ``curves`` and
``provenance``. Error rates are fractions; times are seconds unless a name says otherwise.
``weights/<name>.safetensors`` holds a network's state and, as JSON, what one must know to use it.
"""

import json
from pathlib import Path

from helpers import files, provenance
from helpers.files import PROJECT

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
    made = {"commit": provenance.commit(), "date": provenance.now()} | provenance.machine()
    made |= {"versions": provenance.versions(("torch", "numpy", "torch-geometric"))}
    record["provenance"] = made | {"seconds": round(seconds, 1), "data": data or {}}
    try:
        text = json.dumps(record, indent=1, allow_nan=False, ensure_ascii=False) + "\n"
    except (TypeError, ValueError) as error:
        raise ValueError(f"record {experiment}/{run} does not fit into JSON: {error}") from None
    path = Path(root) / experiment / f"{run}.json"
    return files.write(path, text)


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


def save_weights(name, network, about, root=WEIGHTS):
    """Write the state of ``network`` and ``about``, a dictionary of JSON values, to ``root/name.safetensors``."""
    from safetensors.torch import save

    state = {key: tensor.contiguous() for key, tensor in network.state_dict().items()}
    files.write(root / f"{name}.safetensors", save(state, {"about": json.dumps(about)}))


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


def _read(path):
    try:
        record = json.loads(path.read_text())
        missing = [key for key in KEYS if key not in record]
    except (json.JSONDecodeError, TypeError) as error:
        raise RecordError(f"{path} is not a record: {error}") from None
    if missing:
        raise RecordError(f"{path} is not a record: it lacks {', '.join(missing)}")
    return record
