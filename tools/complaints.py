"""Say where in the book Sphinx's warnings arise, and what mends them: complaints.py SRC < WARNINGS

Sphinx names the copies that it builds from, in the folder SRC, and counts the lines of a notebook from its cells.
"""

import re
import sys
from pathlib import Path

import contents

import nbformat

from helpers import files
from rules import Notebook

CELL = 10_000  # MyST-NB's number for line 11 of the first cell is 10012
MENDS = {
    "bibtex key": "its entry stands in book/references.bib, under another key or not yet",
    "unknown document": "{doc} takes the path from this page to the other, without its ending: ../gnn/circulant",
    "equation not found": "{eq} takes the label behind an equation, $$ … $$ (eq-…)",
    "undefined label": "{ref} takes the label of an exercise or a section",
    "not in glossary": "{term} takes a term as book/appendix/glossary.md spells it",
    "found in glue data": 'a hide-input cell glues it, display.glue("name", text)',
    "interpreted text role": "the book's are {eq} {ref} {term} {doc} {cite} {glue:text}",
    "cross-reference target not found": "to a page leads {doc}, to a label {eq} or {ref}",
    "image file not readable": "figures are drawn in a cell and shown with display.show",
}


def told(line, src):
    """A line of Sphinx's, with the place in the book that it is about and a hint, as far as they are known."""
    found = re.match(
        r"(?P<path>[^:]+\.(?:md|ipynb))(?::(?P<line>\d+))?: (?P<text>.*)", re.sub(r"\x1b\[[\d;]*m", "", line)
    )
    if found is None or not Path(found["path"]).is_relative_to(src):
        return line
    hint = next((f" ({hint})" for words, hint in MENDS.items() if words in found["text"]), "")
    return f"{_place(Path(found['path']), int(found['line'] or 0), src)}: {found['text']}{hint}"


def _place(path, line, src):
    """The file in the book and, where it has one, the line that ``line`` of the staged page ``path`` is."""
    page = contents.BOOK / path.relative_to(src)
    if page.suffix == ".ipynb":
        page = page.with_suffix(".py")
        line = _in_source(page, nbformat.read(path, as_version=4).cells[line // CELL - 1], line % CELL) if line else 0
    name = page.relative_to(files.PROJECT)
    return f"{name}:{line}" if line else f"{name}"


def _in_source(page, staged, line):
    """The line of the percent script ``page`` that is line ``line`` of a staged cell; 0 where it has no such cell."""
    starts = {cell.source: cell.line for cell in Notebook(page).cells}
    return starts[staged.source] + line - 1 if staged.source in starts else 0


def main(src):
    for line in sys.stdin:
        print(told(line.rstrip("\n"), src.resolve()), file=sys.stderr)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
