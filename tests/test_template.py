"""A chapter made from the template by the letter of CONTRIBUTING, in a book of its own, passes `make check`."""

import os
import re
import shutil
import subprocess
import sys

import pytest

from helpers.files import PROJECT
from project import Project

CONTENTS = """format: jb-book
root: intro
parts:
- caption: Toys
  chapters:
  - file: notation
  - file: appendix/ledger
"""
LISTED = "  - file: toy/template\n"


@pytest.fixture
def book(tmp_path):
    """A project with everything but a chapter."""
    project = Project(tmp_path)
    shutil.copytree(PROJECT / "tests", tmp_path / "tests")
    shutil.copytree(PROJECT / "book" / "_static", tmp_path / "book" / "_static")
    for name in ("pyproject.toml", "book/_config.yml", "book/_template.py", "book/ruff.toml", "book/notation.md"):
        shutil.copy(PROJECT / name, tmp_path / name)
    for name, text in {"_toc.yml": CONTENTS, "intro.md": "# A book\n", "references.bib": ""}.items():
        project.write(f"book/{name}", text)
    return project


def refused(book, *says):
    done = book.make("check", "PAGE=toy/template")
    assert done.returncode != 0
    for text in says:
        assert text in done.stdout + done.stderr


@pytest.mark.thorough
def test_a_chapter_from_the_template_passes_once_it_has_what_contributing_names(book):
    """And what is still missing on the way is told, with what to do."""
    refused(book, "PAGE=toy/template: expected one of intro, notation")
    chapter = (PROJECT / "book" / "_template.py").read_text()
    book.write("book/toy/template.py", chapter.replace("seed = 0", "seed=0"))
    refused(
        book, "PAGE=toy/template: it is written: list it in book/_toc.yml, - file: toy/template; expected one of intro"
    )
    book.write("book/_toc.yml", CONTENTS + LISTED)
    refused(book, "it has no oracle: write vanishing(candidate) in src/helpers/toy/exercises/template.py")
    blocks = re.findall(r"   ```python\n(.*?)```", (PROJECT / "CONTRIBUTING.md").read_text(), re.DOTALL)
    oracle, test = (re.sub(r"^   ", "", block, flags=re.MULTILINE) for block in blocks)
    book.write("src/helpers/toy/exercises/template.py", oracle)
    refused(book, "no test tries the oracle vanishing with wrong solutions: write one in tests/toy/test_template.py")
    book.write("tests/toy/test_template.py", test)
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "tests/toy/test_template.py"]
    environment = os.environ | {"PYTHONPATH": str(book.folder / "src")}
    tried = subprocess.run(command, cwd=book.folder, env=environment, capture_output=True, text=True)
    assert tried.returncode == 0 and "1 passed" in tried.stdout, tried.stdout + tried.stderr
    refused(book, "book/toy/template.py:23", "make format mends the layout")
    book.write("book/toy/template.py", chapter)

    done = book.make("check", "PAGE=toy/template")
    assert done.returncode == 0, done.stdout + done.stderr
    page = (book.folder / "build/page/html/toy/template.html").read_text()
    assert "✓ (2) against the mean at each place, 33 cases, largest error" in page
    reference = (book.folder / "book/toy/template.ipynb").read_text()
    assert "toy/template/vanishing: correct" in reference
