"""What the book is made of: contents.py LIST

Prints the notebooks (percent scripts) of the table of contents, in the order of the book, and then every other file
that the built pages show, one name a line and relative to the project. LIST keeps the same names from call to call,
and is written only when they change: what depends on it notices that a page or a record has come or gone.

The table of contents is read here alone, by the parser that Sphinx reads it with.
"""

import re
import sys
from itertools import chain
from pathlib import Path

import yaml
from sphinx_external_toc.parsing import MalformedError, parse_toc_yaml

from helpers import experiments, files

# Whoever imports nbformat waits more than a second for a grammar of web addresses, which no notebook is checked with.
sys.modules.setdefault("rfc3987_syntax", None)

BOOK = files.PROJECT / "book"
TOC = BOOK / "_toc.yml"
GENERATED = ("appendix/ledger", "appendix/records", "appendix/run_times")  # pages that stage.py writes
NAME = re.compile(r"[\w.+-]+(/[\w.+-]+)*/?")  # what make takes for one name, and for nothing but a name


class ContentsError(ValueError):
    """The book cannot be put together from what there is; the message says what is wrong and what to do."""


def pages():
    """The pages of the table of contents, the front page first: names like ``gnn/circulant``.

    Raises ContentsError when it is not a table of contents, or lists what is no page.
    """
    try:
        experiments.refuse_duplicates(TOC, yaml.compose(TOC.read_text()))
        tree = parse_toc_yaml(TOC)
    except (OSError, ValueError, TypeError, yaml.YAMLError, MalformedError, experiments.RunError) as error:
        raise ContentsError(f"book/_toc.yml is no table of contents: {error}") from None
    if tree.globs():
        raise ContentsError(f"book/_toc.yml: name each page, in place of the glob {', '.join(sorted(tree.globs()))}")

    def below(document):
        children = chain.from_iterable(subtree.files() for subtree in document.subtrees)
        return [document.docname, *chain.from_iterable(below(tree[child]) for child in children)]

    listed = [_checked(re.sub(r"\.(md|ipynb)$", "", page)) for page in below(tree.root)]
    if twice := sorted({page for page in listed if listed.count(page) > 1}):
        raise ContentsError(f"book/_toc.yml lists {', '.join(twice)} twice, with and without an ending")
    return listed


def _checked(page):
    """The name of a page that is there, once."""
    where = f"book/_toc.yml lists {page!r}"
    if not NAME.fullmatch(page) or {".", ".."} & set(page.split("/")):
        raise ContentsError(f"{where}: expected letters, digits, _ . + - and / to folders below book/")
    if page.endswith(".py"):
        raise ContentsError(f"{where}: a page is listed without its ending, - file: {page.removesuffix('.py')}")
    found = [ending for ending in (".py", ".md") if (BOOK / f"{page}{ending}").is_file()]
    if page in GENERATED:
        return page
    if len(found) != 1:
        there = "both are there: take one away" if found else "neither is there: write it, or take the line out"
        raise ContentsError(
            f"{where}: a page is a notebook book/{page}.py (percent format) or a text book/{page}.md, and {there}"
        )
    return page


def notebooks():
    """The percent scripts of the notebooks, in the order of the book: names like ``book/gnn/circulant.py``."""
    scripts = [f"book/{page}.py" for page in pages()]
    return [script for script in scripts if (files.PROJECT / script).is_file()]


def others():
    """What the built pages show besides notebooks: texts, styles, pictures, configuration and records.

    Raises ContentsError for a name that would be more than a name to make.
    """
    listed = pages()
    found = [path for path in BOOK.rglob("*") if path.is_file() and not _hidden(path)]
    shown = [path for path in found if path.suffix != ".md" or str(path.relative_to(BOOK))[:-3] in listed]
    shown = [path for path in shown if path.suffix not in (".py", ".ipynb", ".pyc", ".toml")]
    shown += files.PROJECT.glob("records/*/*.json")
    names = sorted(str(path.relative_to(files.PROJECT)) for path in shown)
    for name in names:
        check_name(name)
    return names


def _hidden(path):
    return any(part.startswith(".") for part in path.relative_to(BOOK).parts)


def check_name(name):
    """Raise ContentsError when ``name``, of a file in the project, would be more than a name to make."""
    if not NAME.fullmatch(name):
        raise ContentsError(f"{name!r}: a name has letters, digits, _ . + and - only: rename this file")


def rules(target, names):
    """Rules for make that say on which files and folders ``target`` depends, as a compiler writes them.

    The empty rule makes of a name that has gone a reason to make the target anew, and no error.
    """
    for name in names:
        check_name(name)
    told = " ".join(names)
    return f"{target}: {told}\n{told}:\n" if names else ""


def main(path):
    try:
        names = [*notebooks(), *others()]
    except ContentsError as error:
        raise SystemExit(str(error)) from None
    text = "".join(f"{name}\n" for name in names)
    if not path.exists() or path.read_text() != text:
        files.write(path, text)
    print(text, end="")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
