"""The lists of runs: which runs of which experiments make up the book.

``book/experiments/NAME.yaml`` stands beside the notebook that it lists runs of. It holds, under ``defaults``, the
parameters that they share; under ``runs``, a name for each and the parameters that it sets, the most important first,
and a ``group`` for those that differ by their seed alone; under ``show``, the metrics by which they are compared.
"""

import ast
import math
from statistics import fmean, stdev
from typing import NamedTuple

import yaml

from helpers import files, records

FOLDER = files.PROJECT / "book" / "experiments"


class RunError(RuntimeError):
    """A run that cannot be listed, started or gone on with; the message says why and what to do."""


class Listed(NamedTuple):
    """A run of the list: the parameters that it asks for, and the group that it is one of."""

    parameters: dict
    group: str


def experiments():
    """The names of all experiments that have a list of runs, sorted."""
    return sorted(path.stem for path in FOLDER.glob("*.yaml"))


def listed(experiment):
    """The runs of an experiment, as ``{name: Listed}``, the most important first.

    Raises RunError when there is no such list, or something in it is wrong.
    """
    listing = _read(experiment)
    path, known = FOLDER / f"{experiment}.yaml", defaults(experiment)
    runs = {}
    for name, own in listing["runs"].items():
        if not records.is_name(name):
            raise RunError(f"{path}: the run {name!r} needs another name: {records.NAMES}, as text")
        parameters = {**listing["defaults"], **_mapping(path, f"run {name}", own)}
        group = parameters.pop("group", name)
        if not isinstance(group, str):
            raise RunError(f"{path}: the group of run {name} is a text, and not {group!r}")
        if reserved := {"profile", "run"} & parameters.keys():
            raise RunError(f"{path}: run {name} sets {', '.join(sorted(reserved))}, which is set for it")
        if unknown := parameters.keys() - known.keys():
            takes = ", ".join(known.keys() - {"profile", "run"})
            raise RunError(f"{path}: run {name} sets {', '.join(map(str, unknown))}; {experiment}.py takes {takes}")
        runs[name] = Listed(parameters | {"profile": "full", "run": name}, group)
    return runs


def shown(experiment):
    """The metrics by which the runs of an experiment are compared: a list of names. Raises RunError as ``listed``."""
    return _read(experiment)["show"]


def groups(experiment):
    """The groups of an experiment's runs that have a record, and the numbers that the metrics shown have.

    ``{group: {metric: [values]}}`` in the order of the list: a value for each seed, whether the seeds stand in one
    record or in several. Records that are broken are left out, and told of by ``make status``.
    Raises RunError for a value that is no number.
    """
    gathered = {}
    for name, run in listed(experiment).items():
        try:
            metrics = load(experiment, name)["metrics"]
        except records.RecordError:
            continue
        group = gathered.setdefault(run.group, {metric: [] for metric in shown(experiment)})
        for metric, values in group.items():
            found = metrics.get(metric, [])
            found = found if isinstance(found, list) else [found]
            if not all(isinstance(value, (int, float)) and -math.inf < value < math.inf for value in found):
                raise RunError(
                    f"{records.path_of(experiment, name)}: {metric}, which is shown, is no number: {found!r}"
                )
            values += found
    return gathered


def load(experiment, name):
    """The record of a run of the list. Raises RecordError also when it was made with other parameters than the list's;
    one that the notebook has got since then is none.
    """
    record = records.load(experiment, name)
    wanted, had = defaults(experiment) | listed(experiment)[name].parameters, record["parameters"]
    other = [f"{key} {had[key]} is now {value}" for key, value in wanted.items() if had.get(key, value) != value]
    if other:
        path = records.path_of(experiment, name)
        message = f"{path} is of a run with other parameters ({', '.join(other)}): delete it and make it anew"
        raise records.RecordError(message)
    return record


def spread(values):
    """Mean ± standard deviation (n − 1) of what several seeds gave; one value stands for itself."""
    if len(values) < 2 or not stdev(values):
        return f"{fmean(values):.4g}" if values else ""
    decimals = max(0, 1 - math.floor(math.log10(stdev(values))))
    return f"{fmean(values):,.{decimals}f} ± {stdev(values):,.{decimals}f}"


def defaults(experiment):
    """The parameters of an experiment's notebook and their defaults, read from its cell tagged ``parameters``."""
    path = FOLDER / f"{experiment}.py"
    try:
        _, found, rest = path.read_text().partition('# %% tags=["parameters"]\n')
        if not found:
            raise ValueError('it has no line `# %% tags=["parameters"]`')
        cell = ast.parse(rest.partition("\n# %%")[0]).body
        return {node.targets[0].id: ast.literal_eval(node.value) for node in cell if isinstance(node, ast.Assign)}
    except (OSError, ValueError, SyntaxError, AttributeError) as error:
        raise RunError(f"{path} has no cell of parameters that can be read: {error}") from None


def _read(experiment):
    """The list of an experiment as YAML has it, its parts in place. Raises RunError."""
    if experiment not in experiments():
        raise RunError(f"EXPERIMENT={experiment}: expected one of {', '.join(experiments())}")
    path = FOLDER / f"{experiment}.yaml"
    if not records.is_name(experiment):
        raise RunError(f"{path}: a list of runs needs another name: {records.NAMES}")
    try:
        text = path.read_text()
        refuse_duplicates(path, yaml.compose(text))
        listing = _mapping(path, "the list", yaml.safe_load(text))
    except (OSError, ValueError, RecursionError, yaml.YAMLError) as error:
        raise RunError(f"{path} is no list of runs: {' '.join(str(error).split())}") from None
    if unknown := listing.keys() - {"defaults", "runs", "show"}:
        raise RunError(f"{path}: expected defaults, runs and show, and found {', '.join(map(str, unknown))}")
    listing = {part: _mapping(path, part, listing.get(part)) for part in ("defaults", "runs")} | {
        "show": listing.get("show") or []
    }
    if not (isinstance(listing["show"], list) and all(isinstance(name, str) for name in listing["show"])):
        raise RunError(f"{path}: show is a list of metrics, and not {listing['show']!r}")
    return listing


def _mapping(path, what, value):
    """``value``, or an empty dictionary where the list leaves it out. Raises RunError when it is neither."""
    if not isinstance(value, dict | None):
        raise RunError(f"{path}: {what} is a mapping, as in `name: {{seed: 0}}`, and not {value!r}")
    return value or {}


def refuse_duplicates(path, node):
    """Raise RunError for a name that stands twice below a ``node`` of YAML, which would silently keep the last."""
    if isinstance(node, yaml.MappingNode):
        names = [key.value for key, _ in node.value if key.tag != "tag:yaml.org,2002:merge"]
        for name in names:
            if names.count(name) > 1:
                raise RunError(f"{path}: {name} stands twice, near line {node.start_mark.line + 1}")
        for _, value in node.value:
            refuse_duplicates(path, value)
