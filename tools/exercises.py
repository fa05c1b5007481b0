"""Write working copies of the notebooks without the solutions: exercises.py TARGET_FOLDER

What stands between solution-start and solution-end goes; in its place comes one empty cell, for words or for code. One
for code holds the first line of each function or class that the solution defines, so that the check below it has
something to call. The code that a reader need not see to learn is folded. A copy that is already there is a reader's
work and stays as it is.
"""

import ast
import sys
from pathlib import Path

import contents

import jupytext
from nbformat.v4 import new_code_cell, new_markdown_cell

from helpers import files
from notebooks import read, sources

FOLDED = {"set-up", "hide-input", "check"}  # tags of cells whose code JupyterLab shows on demand


def strip(notebook):
    """Replace each run of cells tagged ``solution`` by one cell of stubs, or an empty one."""
    cells, solution = [], []
    for cell in [*notebook.cells, None]:
        if cell is not None and "solution" in cell.metadata.get("tags", ()):
            solution.append(cell)
            continue
        if solution:
            code = "\n".join(c.source for c in solution if c.cell_type == "code")
            cells.append(new_code_cell(stubs(code)) if code else new_markdown_cell())
            solution = []
        if cell is not None:
            cells.append(cell)
    notebook.cells = cells
    return notebook


def stubs(code):
    """The first line of each top-level definition in ``code``, with a body of ``...``."""
    definitions = [node for node in ast.parse(code).body if isinstance(node, ast.FunctionDef | ast.ClassDef)]
    lines = code.splitlines()
    heads = ["\n".join(lines[node.lineno - 1 : _head_end(node, lines)]) for node in definitions]
    return "\n\n\n".join(f"{head}\n    ..." for head in heads)


def _head_end(node, lines):
    """The line after the one whose colon opens the body of a definition."""
    end = node.lineno
    while not lines[end - 1].split("#")[0].rstrip().endswith(":"):
        end += 1
    return end


def fold(notebook):
    """Hide the code of the cells that have one of the tags ``FOLDED``."""
    for cell in notebook.cells:
        if FOLDED.intersection(cell.metadata.get("tags", ())):
            cell.metadata["jupyter"] = {"source_hidden": True}
    return notebook


def working_copy(source):
    """The text of a notebook to work in, of the percent script ``source``."""
    notebook = fold(strip(read(source)))
    notebook.metadata.pop("jupytext", None)  # a copy is not paired with anything
    return jupytext.writes(notebook, fmt="ipynb")


def main(folder):
    for source in sources():
        target = folder / source.relative_to(contents.BOOK).with_suffix(".ipynb")
        if target.exists():
            print(f"kept     {target} (delete it for a fresh copy)")
            continue
        try:
            files.write(target, working_copy(source))
        except OSError as error:
            raise SystemExit(str(error)) from None
        print(f"written  {target}")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
