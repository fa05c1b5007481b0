"""From notebook to page, on a book of one chapter, broken in the ways that books break."""

import os
import shutil
import subprocess

import pytest
import torch

from helpers import records
from helpers.files import PROJECT
from project import Project

CHAPTER = """# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

# %% [markdown]
# # A chapter
#
# It says that one and one make two, and shows it.
#
# $$
# 1 + 1 = 2
# $$ (eq-toy-sum)

# %% tags=["parameters"]
profile = "smoke"
seed = 0

# %%
import matplotlib.pyplot as plt
import numpy as np

from helpers import display, parameters, records, verify

parameters.check(globals(), profile=("smoke", "full"), seed=range(2**31))
verify.equal("eq-toy-sum", np.ones(3) + 1, np.full(3, 2.0))
display.use_book_style()
fig, ax = plt.subplots()
ax.plot(records.load("toy", "first")["curves"]["y"])
ax.plot(records.load_weights("toy")[0]["weight"][0])
display.show(fig, alt="a rising line")
"""
TOC = """format: jb-book
root: intro
parts:
- caption: Toys
  chapters:
  - file: toy/chapter
  - file: appendix/ledger
"""


class Book(Project):
    """A copy of the project around a book of one chapter."""

    def __init__(self, folder):
        super().__init__(folder)
        book = folder / "book"
        shutil.copytree(PROJECT / "book" / "_static", book / "_static")
        shutil.copy(PROJECT / "book" / "_config.yml", book / "_config.yml")
        for name, text in {
            "_toc.yml": TOC,
            "intro.md": "# A book\n",
            "references.bib": "",
            "appendix/placeholder.txt": "",
            "toy/chapter.py": CHAPTER,
        }.items():
            self.write(f"book/{name}", text)
        self.write("src/helpers/toy/__init__.py", "")
        self.record("toy", [1, 2, 3])
        self.record("other", [1])
        for name in ("toy", "other"):
            records.save_weights(name, torch.nn.Linear(3, 1), {}, root=folder / "weights")

    def record(self, experiment, y):
        root = self.folder / "records"
        records.save(experiment, "first", parameters={}, metrics={}, curves={"y": y}, seconds=1, root=root)

    def planned(self):
        """What `make book` would do now, without doing it."""
        done = self.make("-n", "book")
        assert done.returncode == 0, done.stderr
        return {
            "execute": "tools/execute.py book/toy/chapter.py" in done.stdout,
            "build": "tools/stage.py" in done.stdout,
        }

    def touch(self, name):
        os.utime(self.folder / name)

    @property
    def page(self):
        return (self.folder / "build/smoke/html/toy/chapter.html").read_text()


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    project = Book(tmp_path_factory.mktemp("project"))
    done = project.make("book")
    assert done.returncode == 0, done.stdout + done.stderr
    return project


@pytest.fixture
def project(built):
    """The built project; a test's changes to its sources are taken back."""
    sources = {name: (built.folder / name).read_text() for name in ("book/toy/chapter.py", "book/_toc.yml")}
    yield built
    for name, text in sources.items():
        built.write(name, text)


def test_the_page_has_text_verdict_figure_and_foot(built):
    assert "eq-toy-sum holds exactly" in built.page
    assert 'aria-label="a rising line"' in built.page
    assert "with the <code" in built.page and "profile, from" in built.page
    ledger = (built.folder / "build/smoke/html/appendix/ledger.html").read_text()
    assert "eq-toy-sum" in ledger and "A chapter" in ledger


def test_only_what_changed_is_remade(project):
    assert project.make("book").returncode == 0  # settle after whatever test came before
    assert project.planned() == {"execute": False, "build": False}
    for name, expected in {
        "book/intro.md": {"execute": False, "build": True},
        "book/toy/chapter.py": {"execute": True, "build": True},
        "src/helpers/verify.py": {"execute": True, "build": True},
        "src/helpers/toy/__init__.py": {"execute": True, "build": True},
        "src/helpers/gnn/layers.py": {"execute": False, "build": False},
        "records/toy/first.json": {"execute": True, "build": True},
        "records/other/first.json": {"execute": False, "build": True},
        "weights/toy.safetensors": {"execute": True, "build": True},
        "weights/other.safetensors": {"execute": False, "build": False},
    }.items():
        before = (project.folder / name).stat()
        project.touch(name)
        assert project.planned() == expected, name
        os.utime(project.folder / name, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert project.planned() == {"execute": False, "build": False}
    before = (project.folder / "records/toy").stat()
    project.record("toy", [3, 2, 1])
    assert project.planned()["execute"]
    os.utime(project.folder / "records/toy", ns=(before.st_atime_ns, before.st_mtime_ns))
    os.utime(project.folder / "records/toy/first.json", ns=(before.st_atime_ns, before.st_mtime_ns))


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("np.full(3, 2.0)", "np.full(3, 2.5)", ["eq-toy-sum does not hold: 3 of 3 entries differ"]),
        ("np.ones(3) + 1", "np.ones(3) + one", ["NameError", "name 'one' is not defined"]),
        ('alt="a rising line"', 'alt=""', ["alt must say in words what the figure shows"]),
        (', alt="a rising line"', "", ["missing 1 required positional argument: 'alt'"]),
        ("seed = 0", "seed = -1", ["parameter seed = -1: expected a whole number from 0"]),
        ('"toy", "first"', '"toy", "second"', ["no record second in", "(there: first)"]),
    ],
)
def test_a_failing_cell_stops_the_build_with_its_name_and_keeps_the_last_good_pages(project, old, new, says):
    good = project.page
    project.write("book/toy/chapter.py", CHAPTER.replace(old, new))
    done = project.make("book")
    assert done.returncode != 0
    for text in ["toy/chapter: cell 3 failed", "parameters.check(globals()", *says]:
        assert text in done.stdout + done.stderr
    assert project.page == good
    assert not list((project.folder / "build").rglob("*.plain.ipynb"))


def test_a_warning_of_sphinx_stops_the_build_and_keeps_the_last_good_pages(project):
    good = project.page
    project.write("book/_toc.yml", TOC + "  - file: toy/missing\n")
    done = project.make("book")
    assert done.returncode != 0
    assert "toy/missing" in done.stdout + done.stderr
    assert project.page == good
    assert project.make("book").returncode != 0, "the second try must not find the warning forgotten"


def test_a_killed_build_leaves_the_last_good_pages_and_the_next_one_is_whole(project):
    good = project.page
    programs = project.folder / "programs"
    programs.mkdir()
    for name in ("python", "papermill"):
        (programs / name).symlink_to(PROJECT / ".venv" / "bin" / name)
    killer = programs / "jupyter-book"
    killer.write_text(
        '#!/bin/bash\nmkdir -p "$4/_build/html/toy"; echo half > "$4/_build/html/toy/chapter.html"; kill -9 0\n'
    )
    killer.chmod(0o755)
    project.touch("book/intro.md")
    assert project.make("book", f"BIN={programs}").returncode != 0
    assert project.page == good
    assert project.make("book").returncode == 0
    assert "eq-toy-sum holds exactly" in project.page


def test_a_wrong_profile_names_the_allowed_ones(built):
    done = built.make("book", "PROFILE=fast")
    assert done.returncode != 0
    assert "PROFILE=fast: expected smoke or full" in done.stderr
    assert not (built.folder / "build" / "fast").exists()


def test_papermill_is_told_of_an_unknown_parameter(built, tmp_path):
    plain = tmp_path / "chapter.ipynb"
    subprocess.run([PROJECT / ".venv/bin/jupytext", "--quiet", "--to", "ipynb", "-o", plain, "book/toy/chapter.py"],
                   cwd=built.folder, check=True)  # fmt: skip
    run = [PROJECT / ".venv/bin/papermill", "-k", "python3", "--no-progress-bar", plain, tmp_path / "out.ipynb"]
    done = subprocess.run([*run, "-p", "sead", "3"], capture_output=True, text=True)
    assert done.returncode != 0
    assert "unknown parameter sead: this notebook takes profile, seed" in done.stderr
