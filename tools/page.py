"""Take one page of the book by itself: page.py PAGE [EXECUTED FOLDER]

With PAGE alone it says what is wrong before anything is executed: the table of contents has no such page, or the source
of the page breaks a rule. Otherwise FOLDER gets what a site is built from: the notebook of PAGE as EXECUTED has it, and
in the place of every other notebook its text, to which PAGE may refer.
"""

import re
import shutil
import sys
from pathlib import Path

import contents

import nbformat

import rules
from helpers import files, provenance
from helpers.verify import METADATA_KEY
from notebooks import read, sources


def check(page):
    """Raise SystemExit with what is wrong with a page, as far as its name and its source tell."""
    pages, source = contents.pages(), contents.BOOK / f"{page}.py"
    if page not in pages:
        written = source.is_file() or source.with_suffix(".md").is_file()
        meant = [name for name in pages if name.split("/")[-1] == Path(page).stem] if page else []
        hint = f"it is written: list it in book/_toc.yml, - file: {page}; " * written
        hint += "".join(f"do you mean PAGE={name}? " for name in meant)
        raise SystemExit(f"PAGE={page}: {hint}expected one of {', '.join(pages)}")
    if source.exists():
        notebook = rules.Notebook(source)
        found = [line for rule in rules.SOURCE for line in rules.breaches(rule, notebook)]
        if found:
            raise SystemExit("\n".join(found))


def text_of(source):
    """A notebook's text in the place of the notebook, with dots for the numbers that its cells would give."""
    notebook = read(source)
    notebook.cells = [cell for cell in notebook.cells if cell.cell_type == "markdown"]
    for cell in notebook.cells:
        cell.source = re.sub(r"\{glue:\w+\}`[^`]*`", "…", cell.source)
    now = {"commit": provenance.commit(), "date": provenance.now(), "processor": "none"}
    notebook.metadata[METADATA_KEY] = now | {"seconds": 0.0, "parameters": {"profile": "smoke"}}
    return nbformat.writes(notebook)


def main(page, executed, folder):
    shutil.rmtree(folder, ignore_errors=True)
    for source in sources():
        name = source.relative_to(contents.BOOK).with_suffix(".ipynb")
        own = str(name.with_suffix("")) == page
        files.write(folder / name, (executed / name).read_text() if own else text_of(source))
        files.write(folder / name.with_suffix(".d"), "")  # to make, it has been executed


if __name__ == "__main__":
    try:
        check(sys.argv[1])
    except contents.ContentsError as error:
        raise SystemExit(str(error)) from None
    if len(sys.argv) > 2:
        main(sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3]))
