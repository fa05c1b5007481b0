"""A notebook as its source has it: cells with their places, roles and labels."""

import ast
import re
from dataclasses import dataclass
from functools import cached_property

import nbformat

from helpers.files import PROJECT
from notebooks import read

_EQUATION = re.compile(r"\$\$.+?\$\$[ \t]*(?:\(([^)\n]+)\))?", re.DOTALL)
_OTHER_LABEL = re.compile(r"^:label: *(\S+)", re.MULTILINE)


@dataclass
class Cell:
    """A cell: its number (from 0), the line of the source that it starts on, and what it holds."""

    number: int
    line: int
    is_code: bool
    source: str
    tags: list

    @cached_property
    def tree(self):
        return ast.parse(self.source)

    @property
    def labels(self):
        """The labels of a markdown cell's displayed equations, in their order."""
        return [] if self.is_code else [label for label in _EQUATION.findall(self.source) if label]

    @property
    def all_labels(self):
        """These and the labels of exercises, theorems and tables."""
        return [] if self.is_code else self.labels + _OTHER_LABEL.findall(self.source)

    def calls(self, function):
        """The calls of ``function``, such as "exercises.check", anywhere in a code cell."""
        nodes = ast.walk(self.tree) if self.is_code else ()
        return [node for node in nodes if isinstance(node, ast.Call) and ast.unparse(node.func) == function]


class Notebook:
    """A notebook of the book in the folder ``project``: a percent script and the ``.ipynb`` that is paired with it."""

    def __init__(self, source, project=PROJECT):
        self.source, self.project = source, project
        self.name = source.relative_to(project / "book").with_suffix("").as_posix()  # as "gnn/circulant"
        self.part, _, self.chapter = self.name.rpartition("/")
        self.prefix = self.chapter if self.part in ("appendix", "experiments") else self.part  # of its labels
        self.script = read(source)
        lines = [n for n, line in enumerate(source.read_text().splitlines(), 1) if line.startswith("# %%")]
        lines = [1] * (
            len(self.script.cells) - len(lines)
        ) + lines  # what stands above the first of them is a cell, too
        self.cells = [
            Cell(number, line, cell.cell_type == "code", cell.source, tags(cell))
            for number, (line, cell) in enumerate(zip(lines, self.script.cells, strict=False))
        ]
        self.code = [cell for cell in self.cells if cell.is_code]
        self.words = [cell for cell in self.cells if not cell.is_code]

    @cached_property
    def reference(self):
        """The paired notebook, or None."""
        path = self.source.with_suffix(".ipynb")
        return nbformat.read(path, as_version=4) if path.exists() else None

    def place(self, cell):
        """Where to look: the file, and for a cell its line, number and first line."""
        if cell is None:
            return f"book/{self.name}.py"
        first = next(iter(cell.source.strip().splitlines()), "").strip()
        return f"book/{self.name}.py:{cell.line}, cell {cell.number} `{first[:60]}`"


def tags(cell):
    return cell.metadata.get("tags", [])


def repeated_labels(notebooks):
    """For each label that the book has twice, a line with both places."""
    places = {}
    for notebook in notebooks:
        for cell in notebook.words:
            for label in cell.all_labels:
                places.setdefault(label, []).append(notebook.place(cell))
    return [
        f"the label {label} is given {len(found)} times, and {{eq}} or {{ref}} can lead to one of them only: "
        + "; ".join(found)
        for label, found in places.items()
        if len(found) > 1
    ]
