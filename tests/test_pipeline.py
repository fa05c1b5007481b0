"""From notebook to page, on a book of two short notebooks, broken in the ways that books break."""

import compileall
import json
import os
import re
import select
import shutil
import signal
import subprocess
import sys
from itertools import count

import contents

import nbformat
import pytest

import notebooks
import reference
from helpers import provenance, records
from helpers.files import PROJECT
from project import Project

CHAPTER = """# %% [markdown]
# # A chapter
#
# It says that one and one make two, counts to α, and shows it.
#
# $$
# 1 + 1 = 2
# $$ (eq-toy-sum)

# %% tags=["parameters"]
profile = "smoke"
seed = 0

# %% tags=["set-up"]
from helpers import exercises, parameters, verify
from helpers import records as results

_ = parameters.check(globals(), profile=("smoke", "full"), seed=range(2**31))

# %% tags=["check"]
verify.equal("eq-toy-sum", [(1 + 1, 2)], against="counting")


# %%
def late():
    from helpers.other import lazily

    return lazily.WORD


name, load = "toy", results.load
print(late(), load(name)["first"]["curves"]["y"])
print((results.WEIGHTS / "toy.safetensors").read_bytes())

# %%
exercises.check("toy/chapter/one", lambda: 1)
"""
SECOND = """# %% [markdown]
# # A second chapter

# %% tags=["parameters"]
profile = "smoke"
seed = 0

# %%
import sys

print([name for name in globals() if not name.startswith("_")])
print("kernel" in sys.modules, any(path.endswith("tools") for path in sys.path))
"""
TOC = """format: jb-book
root: "intro"
parts:
- caption: Toys
  chapters:
  - title: The first
    file: 'toy/chapter'
  - {file: appendix/ledger}
  - file: appendix/records
    sections:
    - file: toy/second.ipynb
"""
# What does not speak UTF-8 and has no home that can be written to.
HOSTILE = {"PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "LC_ALL": "C", "HOME": "/dev/null/nobody"}
GIT = ["git", "-c", "user.name=A reader", "-c", "user.email=reader@example.org"]


class Book(Project):
    """A copy of the project around a book of two chapters, with a commit of its own."""

    def __init__(self, folder):
        super().__init__(folder)
        shutil.copytree(PROJECT / "book" / "_static", folder / "book" / "_static")
        for name in (".gitignore", "book/_config.yml"):
            shutil.copy(PROJECT / name, folder / name)
        for name, text in {
            "book/_toc.yml": TOC,
            "book/intro.md": "# A book\n",
            "book/references.bib": "",
            "book/toy/chapter.py": CHAPTER,
            "book/toy/second.py": SECOND,
            "src/helpers/toy/__init__.py": "",
            "src/helpers/toy/exercises/__init__.py": "",
            "src/helpers/toy/exercises/chapter.py": "def one(candidate):\n    assert candidate() == 1\n",
            "src/helpers/other/__init__.py": "",
            "src/helpers/other/lazily.py": "WORD = 'later'\n",
            "src/helpers/other/unused.py": "",
            "weights/toy.safetensors": "weights",
            "weights/other.safetensors": "weights",
        }.items():
            self.write(name, text)
        compileall.compile_dir(folder / "src", quiet=2)  # modules that have been used before are read from elsewhere
        self.record("toy", [1, 2, 3])
        started = {"commit": "abcdef012345-dirty", "code": {}}
        later = {"step": 1200, "commit": "0123456789ab", "changed": ["helpers/training.py"]}
        self.record("other", [1], started=started, resumed=[later])
        for arguments in (["init", "--quiet"], ["add", "."], ["commit", "--quiet", "--message=A book"]):
            subprocess.run([*GIT, *arguments], cwd=folder, check=True)

    def record(self, experiment, y, **provenance):
        root = self.folder / "records"
        records.save(
            experiment, "first", parameters={}, metrics={}, curves={"y": y}, seconds=1, root=root, **provenance
        )

    def planned(self):
        """What `make book` would do now, without doing it: execute the chapter, or the second, or build the site."""
        names = self.folder / "build/smoke/contents"
        before, text = names.stat(), names.read_text()
        done = self.make("-n", "book")
        assert done.returncode == 0, done.stderr
        names.write_text(text)
        os.utime(names, ns=(before.st_atime_ns, before.st_mtime_ns))
        commands = {
            "chapter": "tools/execute.py book/toy/chapter.py",
            "second": "tools/execute.py book/toy/second.py",
            "site": "tools/stage.py",
        }
        return {name for name, command in commands.items() if command in done.stdout}

    def page(self, name="toy/chapter"):
        return (self.folder / f"build/smoke/html/{name}.html").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    project = Book(tmp_path_factory.mktemp("project"))
    done = project.make("book", **HOSTILE)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stderr == ""
    return project


@pytest.fixture
def project(built, tmp_path):
    """A copy of the built project, to do with what a test wants."""
    copy = object.__new__(Book)
    copy.folder = shutil.copytree(built.folder, tmp_path / "project", symlinks=True)
    return copy


# --- what a page shows ---


def test_a_page_has_text_verdict_folds_and_foot(built):
    page = built.page()
    assert "counts to α" in page
    assert "<summary>✓ (1) against counting, 1 case, largest error 0</summary>" in page
    assert "later [1, 2, 3]" in page
    assert re.findall(r'<details class="([\w-]+)"', page) == ["set-up", "verdict"]
    assert "exercises.check" not in page and "toy/chapter/one" not in page and "injected-parameters" not in page
    assert "with the <code" in page and "profile, from commit" in page and "changed since" not in page
    ledger = built.page("appendix/ledger")
    assert "eq-toy-sum" in ledger and "A chapter" in ledger and "counting" in ledger


def test_a_notebook_sees_nothing_of_what_notes_its_dependencies(built):
    names = "['In', 'Out', 'get_ipython', 'exit', 'quit', 'open', 'profile', 'seed', 'sys']"
    assert names in built.page("toy/second").replace("&#39;", "'")
    assert "False False" in built.page("toy/second")


def test_the_page_of_records_says_what_had_a_part_in_them(built):
    page = built.page("appendix/records")
    text = re.sub("<[^>]*>", "", page)
    assert "abcdef012345; with uncommitted changes; resumed at step 1,200 under 0123456789ab" in text
    assert "with another helpers/training.py" in text
    assert "differs from the one that is committed" not in page


# --- what is remade ---


def test_only_what_changed_is_remade(project):
    assert project.planned() == set()
    for name, expected in {
        "book/intro.md": {"site"},
        "book/_static/book.css": {"site"},
        "book/toy/chapter.py": {"chapter", "site"},
        "src/helpers/verify.py": {"chapter", "site"},
        "src/helpers/other/lazily.py": {"chapter", "site"},
        "src/helpers/other/unused.py": set(),
        "src/helpers/toy/exercises/chapter.py": {"chapter", "site"},
        "records/toy/first.json": {"chapter", "site"},
        "records/other/first.json": {"site"},
        "weights/toy.safetensors": {"chapter", "site"},
        "weights/other.safetensors": set(),
        "tools/kernel.py": {"chapter", "second", "site"},
        "tools/labels.py": {"site"},
        "tools/contents.py": {"site"},
    }.items():
        path = project.folder / name
        before = path.stat()
        os.utime(path)
        assert project.planned() == expected, f"{name} has changed"
        os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert project.planned() == set()


@pytest.mark.parametrize(
    ("name", "expected"),
    {
        "src/helpers/other/lazily.py": {"chapter", "site"},
        "src/helpers/other/unused.py": set(),
        "records/toy/first.json": {"chapter", "site"},
        "records/other/first.json": {"site"},
        "book/_static/favicon.svg": {"site"},
    }.items(),
)
def test_what_has_gone_is_noticed(project, name, expected):
    (project.folder / name).unlink()
    assert project.planned() == expected


@pytest.mark.parametrize(
    ("name", "expected"), {"records/toy/new.json": {"chapter", "site"}, "records/other/new.json": {"site"}}.items()
)
def test_a_new_record_is_noticed(project, name, expected):
    project.write(name, "{}")
    os.utime(project.folder / name, (0, 0))
    assert project.planned() == expected


def test_a_page_that_did_not_come_to_its_end_is_not_fresh(project):
    (project.folder / "build/smoke/executed/toy/chapter.d").unlink()
    assert project.planned() == {"chapter", "site"}


def test_what_changes_while_a_page_is_made_makes_it_anew(project):
    html = project.folder / "build/smoke/html"
    stub = with_stub(project, f'mkdir "$4" "$4/_build" && cp -rL {html} "$4/_build/html" && touch book/intro.md')
    second = project.folder / "book/toy/second.py"
    project.write("book/toy/second.py", f"{SECOND}\n# %%\nimport pathlib\npathlib.Path({str(second)!r}).touch()\n")
    assert project.make("book", stub).returncode == 0
    assert project.planned() == {"second", "site"}
    os.utime(second, (0, 0))
    assert project.planned() == {"site"}


def test_what_is_read_from_weights_and_by_whatever_name_is_noted(tmp_path, monkeypatch):
    """Files and folders that are read, and none that are written or that Python searches for modules."""
    code = """
import kernel, pathlib, sys
kernel.note(sys.argv[1])
from helpers import records
import importlib.metadata
records.load_weights(sorted(records.WEIGHTS.glob("*.safetensors"))[0].stem)
open(b"README.md").close()
pathlib.Path(sys.argv[2]).write_text("written")
importlib.metadata.version("numpy")
"""
    command = [sys.executable, "-c", code, tmp_path / "notes", tmp_path / "written"]
    path = os.pathsep.join(str(PROJECT / name) for name in ("src", "tools"))
    subprocess.run(command, cwd=PROJECT, env=os.environ | {"PYTHONPATH": path}, check=True)
    noted = (tmp_path / "notes").read_bytes()
    assert str(tmp_path / "written").encode() not in noted
    names = notebooks._in_project(noted)
    assert {"README.md", "src/helpers/records.py", "src/helpers/files.py", "weights/"} <= set(names)
    assert sorted(PROJECT.glob("weights/*.safetensors"))[0].relative_to(PROJECT).as_posix() in names
    assert [name for name in names if name.endswith("/")] == ["weights/"]
    monkeypatch.setenv("SHARED_WEIGHTS_DATA", str(PROJECT / "weights"))
    assert not [name for name in notebooks._in_project(noted) if name.startswith("weights/")]


def test_a_result_whose_name_is_no_text_is_told_too(monkeypatch):
    odd = os.fsdecode(b"weights/\xff.safetensors")
    monkeypatch.setattr(provenance, "uncommitted", lambda paths: paths)
    assert notebooks._changed_results(["book/toy/", odd]) == ["weights/\N{REPLACEMENT CHARACTER}.safetensors"]


# --- what stops a build ---


def test_a_false_claim_stops_the_build_with_its_cell_and_keeps_the_last_good_pages(project):
    good = project.page()
    project.write("book/toy/chapter.py", CHAPTER.replace("[(1 + 1, 2)]", "[(1 + 1, 3)]"))
    done = project.make("book")
    assert done.returncode != 0
    for text in ["book/toy/chapter.py:", "` failed\n", 'verify.equal("eq-toy-sum"', "eq-toy-sum does not hold"]:
        assert text in done.stdout + done.stderr
    assert project.page() == good
    assert {path.name for path in (project.folder / "build/smoke/executed/toy").iterdir()} == {
        "chapter.ipynb", "second.ipynb", "second.d",
    }  # fmt: skip


@pytest.fixture
def toy(tmp_path, monkeypatch):
    """Write a notebook of a book of one page, and return its path."""
    monkeypatch.setattr(contents, "BOOK", tmp_path / "book")

    def write(*cells):
        path = tmp_path / "book" / "toy.py"
        path.parent.mkdir(exist_ok=True)
        path.write_text('# %% tags=["parameters"]\nprofile = "smoke"\n' + "".join(f"\n{cell}\n" for cell in cells))
        return path

    return write


@pytest.mark.parametrize(
    ("cell", "index"),
    [
        ("# %%\nimport sys\nsys.exit()", 1),
        ("# %%\nraise SystemExit(0)", 1),
        ('# %% tags=["skip-execution"]\nprint(1)', 1),
    ],
)
def test_a_notebook_runs_to_its_end_or_fails(toy, tmp_path, cell, index):
    target = tmp_path / "executed.ipynb"
    with pytest.raises(SystemExit, match=rf"book/toy\.py:\d+, cell {index} .* has not run to its end"):
        notebooks.execute(toy(cell, "# %%\nprint(2)"), target, {"profile": "smoke"})
    assert not target.exists()


def test_what_a_cell_raised_is_told_without_the_colours_of_a_terminal(toy, tmp_path):
    with pytest.raises(
        SystemExit, match=r"(?s)^book/toy\.py:4, cell 1 `1 / 0` failed\n.*ZeroDivisionError: division by zero$"
    ) as told:
        notebooks.execute(toy("# %%\n1 / 0"), tmp_path / "executed.ipynb", {"profile": "smoke"})
    assert "\x1b" not in str(told.value)


def test_a_kernel_that_dies_is_told_in_words(toy, tmp_path):
    path = toy("# %%\nimport os\nos._exit(0)")
    code = "import contents, execute, pathlib, sys; source, target = map(pathlib.Path, sys.argv[1:]);"
    code += "contents.BOOK = source.parent; execute.main(source, target, 'smoke')"
    environment = os.environ | {"PYTHONPATH": f"{PROJECT}/src:{PROJECT}/tools"}
    command = [sys.executable, "-c", code, path, tmp_path / "executed.ipynb"]
    done = subprocess.run(command, capture_output=True, text=True, env=environment)
    assert done.returncode == 1
    assert "Kernel died" in done.stderr and "Traceback" not in done.stderr


def test_equations_and_verified_claims_are_the_same_or_the_build_stops(project):
    good = project.page()
    project.write("book/_toc.yml", TOC + "    - file: toy/text\n")
    project.write("book/toy/text.md", "# A text\n\n$$\n1 < 2\n$$ (eq-toy-text)\n\n$$\n1 < 2\n$$ (eq-toy-elsewhere)\n")
    project.write(
        "book/toy/second.py",
        SECOND
        + r"""
# %% [markdown]
# $$
# 1 = 1
# $$ (eq-toy-never)
#
# ```{math}
# :label: eq-toy-refuted
# 1 = 2
# ```
#
# \begin{align}
# 1 &= 1 \label{eq-toy-latex}
# \end{align}
#
# | a formula             |
# |-----------------------|
# | $$1=1$$ (eq-toy-cell) |

# %%
from helpers import verify

if False:
    verify.equal("eq-toy-never", [(1, 1)], against="nothing")
try:
    verify.equal("eq-toy-refuted", [(1, 2)], against="counting")
except AssertionError:
    pass
verify.holds("eq-toy-elsewhere", 1 < 2, against="counting")
verify.holds("eq-toy-lost", 1 < 2, against="counting")
""",
    )
    done = project.make("book")
    assert done.returncode != 0
    for text in [
        "toy/text: the equation eq-toy-text was not verified when the page ran\n",
        "toy/text: the equation eq-toy-elsewhere was not verified when the page ran, though toy/second verified one",
        "toy/second: the equation eq-toy-never was not verified",
        "toy/second: the equation eq-toy-refuted was not verified",
        "toy/second: this label is none of an equation, and unchecked: (eq-toy-cell)\n",
        "toy/second: eq-toy-elsewhere was verified, and no equation of the page has that label: it stands in toy/text",
        "toy/second: eq-toy-lost was verified, and no equation of the page has that label\n",
        "eq-toy-latex",
    ]:
        assert text in done.stderr, done.stderr
    assert "toy/chapter:" not in done.stderr
    assert project.page() == good


def test_a_warning_of_sphinx_stops_the_build_and_keeps_the_last_good_pages(project):
    good = project.page("intro")
    project.write("book/intro.md", "# A book\n\n{ref}`nowhere`\n")
    project.write("book/toy/second.py", SECOND + "\n# %% [markdown]\n# ## More\n#\n# And {ref}`there`.\n")
    line = SECOND.count("\n") + 5
    done = project.make("book")
    assert done.returncode != 0
    assert "book/intro.md:3: WARNING: undefined label: 'nowhere'" in done.stderr
    assert f"book/toy/second.py:{line}: WARNING: undefined label: 'there'" in done.stderr
    assert "({ref} takes the label of" in done.stderr
    assert project.page("intro") == good
    assert project.make("book").returncode != 0, "the second try must not find the warning forgotten"


# --- what kills a build, and two at once ---


def with_stub(project, script):
    """A folder of programs for make's BIN, with a script of ours in the place of jupyter-book."""
    programs = project.folder / "programs"
    programs.mkdir(exist_ok=True)
    for name, text in {"python": f'exec {project.folder}/.venv/bin/python "$@"', "jupyter-book": script}.items():
        (programs / name).write_text(f"#!/bin/bash\n{text}\n")
        (programs / name).chmod(0o755)
    return f"BIN={programs}"


@pytest.mark.thorough
def test_a_killed_build_leaves_the_last_good_pages_and_the_next_one_is_whole_and_says_what_differs(project):
    good = project.page()
    half = 'mkdir -p "$4/_build/html/toy"; echo half > "$4/_build/html/toy/chapter.html"; kill -9 0'
    project.record("toy", [3, 2, 1])
    assert project.make("book", with_stub(project, half)).returncode == -signal.SIGKILL
    assert project.page() == good
    assert project.make("book").returncode == 0
    assert "against counting, 1 case" in project.page() and "later [3, 2, 1]" in project.page()
    assert "records/toy/first.json" in project.page() and "changed since then" in project.page()
    assert project.page("appendix/records").count("this record differs from the one that is committed") == 1
    assert {path.name.partition("-")[0] for path in (project.folder / "build/smoke").iterdir()} == {
        "contents", "executed", "html", "src", "src.d",
    }  # fmt: skip


@pytest.mark.parametrize("before", ["a link", "a folder"])
def test_killed_at_any_step_the_exchange_of_sites_leaves_a_whole_one(tmp_path, before):
    """A kill is tried before each single call that changes files, until one run comes to its end."""
    killed = """
import os, pathlib, signal, sys
steps = int(sys.argv[1])
def kill(event, arguments):
    global steps
    if event in ("os.rename", "os.symlink", "os.remove", "os.rmdir", "os.utime", "os.mkdir", "open", "shutil.rmtree"):
        steps -= 1
        if steps < 0:
            os.kill(os.getpid(), signal.SIGKILL)
import publish
sys.addaudithook(kill)
publish.main(pathlib.Path("new"), pathlib.Path("html"), pathlib.Path(publish.__file__))
"""
    path = os.environ | {"PYTHONPATH": str(PROJECT / "tools")}
    for steps in count():
        folder = tmp_path / str(steps)
        last = "html-1" if before == "a link" else "html"
        for name in (last, "new"):
            (folder / name / "toy").mkdir(parents=True)
            for page in ("index.html", "toy/chapter.html"):
                (folder / name / page).write_text(name)
        if before == "a link":
            (folder / "html").symlink_to(last)
        done = subprocess.run([sys.executable, "-c", killed, str(steps)], cwd=folder, env=path)
        if before == "a link" or done.returncode == 0:
            pages = [(folder / "html" / page).read_text() for page in ("index.html", "toy/chapter.html")]
            assert pages in (["new", "new"], [last, last]), f"killed before step {steps}"
        if done.returncode == 0:
            break
        assert done.returncode == -signal.SIGKILL
        if not (folder / "new").exists():  # what was killed is begun anew
            shutil.copytree(next(folder.glob("html*/toy")).parent, folder / "new")
        subprocess.run([sys.executable, "-c", killed, "1000"], cwd=folder, env=path, check=True)
        assert len([*folder.iterdir()]) == 2, "one link and one site"
    assert steps > 5
    assert (folder / "html").is_symlink() and (folder / "html/index.html").read_text() == "new"


def test_a_second_make_waits_for_the_first_and_finds_its_work_done(project):
    html, bell, door = (project.folder / name for name in ("build/smoke/html", "bell", "door"))
    copy = f'mkdir "$4" "$4/_build" && cp -rL {html} "$4/_build/html"'
    stub = with_stub(project, f"mkdir busy || exit; {copy} && echo > {bell} && read < {door}; rmdir busy")
    os.mkfifo(bell)
    os.mkfifo(door)
    # Open at both ends, so that nobody waits for somebody to open the other one.
    ring, key = os.open(bell, os.O_RDWR), os.open(door, os.O_RDWR)
    os.utime(project.folder / "book/intro.md")
    first = project.start("book", stub)
    try:
        assert select.select([ring, first.stderr], [], [], 600)[0] == [ring], "the first make is inside, and not over"
        second = project.start("book", stub)
        assert second.stdout.readline().startswith("Waiting for process ")
        assert first.poll() is None
        os.write(key, b"go on\n")
        for process in (first, second):
            output, errors = process.communicate(timeout=600)
            assert process.returncode == 0, errors
            assert errors == "" and "The book is at" in output
    finally:
        os.close(ring)
        os.close(key)
        if first.poll() is None:
            os.killpg(first.pid, signal.SIGKILL)
    assert "against counting" in project.page()
    assert project.planned() == set()


def test_a_make_inside_another_one_does_not_wait_for_it(built):
    rules = "outer: ; @$(ALONE) $(MAKE) inner", "inner: ; @$(ALONE) echo not waiting"
    done = built.make(*(f"--eval={rule}" for rule in rules), "outer")
    assert "\nnot waiting\n" in done.stdout


# --- names, contents and what a reader may say to make ---


def test_no_name_of_a_file_is_more_than_a_name(project):
    name = "x $(shell touch owned).json"
    project.write(f"records/toy/{name}", "{}")
    for target in ("help", "book"):
        done = project.make(target)
        assert (done.returncode == 0) == (target == "help")
    assert f"records/toy/{name}" in done.stderr and "rename this file" in done.stderr
    assert not (project.folder / "owned").exists()
    with pytest.raises(contents.ContentsError, match="rename this file"):
        contents.rules("build/smoke/executed/toy/chapter.ipynb", ["records/toy/first.json", f"records/toy/{name}"])


def test_a_page_that_is_not_there_stops_make_and_says_what_to_do(project):
    project.write("book/_toc.yml", TOC + "  - file: toy/missing\n")
    for target in ("book", "reference"):
        done = project.make(target)
        assert done.returncode != 0
        assert "book/_toc.yml lists 'toy/missing': a page is a notebook book/toy/missing.py" in done.stderr
        assert "write it, or take the line out" in done.stderr


@pytest.fixture
def book(tmp_path, monkeypatch):
    """The folder of a book of two texts; its table of contents is still to be written."""
    monkeypatch.setattr(contents, "BOOK", tmp_path)
    monkeypatch.setattr(contents, "TOC", tmp_path / "_toc.yml")
    for name in ("intro.md", "part/text.md", "part/other.md"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("")
    return tmp_path


@pytest.mark.parametrize(
    "toc",
    [
        "format: jb-book\nroot: intro\nparts:\n- chapters:\n  - file: part/text\n  - file: part/other\n",
        'format: jb-book\nroot: intro.md\nchapters:\n- file: "part/text.md"\n'
        "  sections: [{title: O, file: part/other}]\n",
        "format: jb-article\nroot: intro\nsections:\n- {title: T, file: 'part/text'}\n- url: https://example.org\n"
        "- file: part/other\n",
        "root: intro\nsubtrees:\n- entries: [{file: part/text, entries: [{file: part/other}]}]\n",
    ],
)
def test_the_contents_are_what_sphinx_reads_whatever_their_layout(book, toc):
    (book / "_toc.yml").write_text(toc)
    assert contents.pages() == ["intro", "part/text", "part/other"]


@pytest.mark.parametrize(
    ("toc", "says"),
    [
        ("root: intro\nentries: [{glob: part/*}]\n", "name each page, in place of the glob part/*"),
        ("root: intro\nentries: [{file: part/text.py}]\n", "a page is listed without its ending, - file: part/text"),
        ("root: intro\nentries: [{file: part/both}]\n", "both are there: take one away"),
        ("root: intro\nentries: [{file: ../intro}]\n", "expected letters, digits"),
        ("root: intro\nentries: [{file: ./part/text}]\n", "expected letters, digits"),
        ("root: intro\nentries: [{file: part/text}, {file: part/text.md}]\n", "lists part/text twice"),
        ("root: intro\nentries: [{file: part/text}]\nentries: [{file: part/other}]\n", "entries stands twice"),
        ("root: intro\nentries: [{file: '$(shell id)'}]\n", "expected letters, digits"),
        ("root: intro\nentries: [{file: part/text}, {file: part/text}]\n", "is no table of contents"),
        ("root: [\n", "is no table of contents"),
        ("", "is no table of contents"),
    ],
)
def test_contents_that_are_none_say_why(book, toc, says):
    (book / "part/both.py").write_text("")
    (book / "part/both.md").write_text("")
    (book / "_toc.yml").write_text(toc)
    with pytest.raises(contents.ContentsError) as error:
        contents.pages()
    assert says in str(error.value)


@pytest.mark.parametrize("profile", ["fast", "smoke full", ""])
def test_a_wrong_profile_names_the_allowed_ones(built, profile):
    done = built.make("book", f"PROFILE={profile}")
    assert done.returncode != 0
    assert f"PROFILE={profile}: expected smoke or full" in done.stderr


@pytest.mark.parametrize(
    ("given", "is_taken_for"),
    {
        "/data": "/data",
        "/my  data": "/my  data",
        "~/data": "~/data",
        "my data": "{}/my data",
        "a/b": "{}/a/b",
        "": "",
    }.items(),
)
def test_the_data_root_may_be_relative_and_have_any_name(built, given, is_taken_for):
    rules = "outer: ; @$(MAKE) --no-print-directory inner", "inner: ; @printf '%s' \"$$SHARED_WEIGHTS_DATA\""
    asked = [*(f"--eval={rule}" for rule in rules), "outer"]
    expected = is_taken_for.format(built.folder)
    assert built.make(*asked, SHARED_WEIGHTS_DATA=given).stdout == expected
    assert built.make(*asked, f"SHARED_WEIGHTS_DATA={given}").stdout == expected
    if given:
        assert built.make(*asked, SHARED_WEIGHTS_DATA=f"{given}/$x").stdout == f"{expected}/$x"


def test_the_number_of_jobs_is_a_number(built):
    cores = subprocess.check_output(["getconf", "_NPROCESSORS_ONLN"], text=True).strip()
    show = "--eval=jobs: ; @echo $(JOBS)"
    assert built.make(show, "jobs", "JOBS=").stdout.strip() == cores
    assert built.make(show, "jobs", JOBS="").stdout.strip() == cores
    assert built.make(show, "jobs", "JOBS=3").stdout.strip() == "3"
    for wrong in ("two", "0", "-1", "1.5", "2 3"):
        done = built.make("help", f"JOBS={wrong}")
        assert done.returncode != 0 and f"JOBS={wrong}: expected a whole number from 1 on" in done.stderr


def test_jupyterlab_is_told_of_a_root_user_only(built):
    assert ("--allow-root" in built.make("-n", "lab").stdout) == (os.getuid() == 0)


def test_papermill_is_told_of_an_unknown_parameter(built, tmp_path):
    plain = tmp_path / "chapter.ipynb"
    nbformat.write(notebooks.read(built.folder / "book/toy/chapter.py"), plain)
    run = [PROJECT / ".venv/bin/papermill", "-k", "python3", "--no-progress-bar", plain, tmp_path / "out.ipynb"]
    done = subprocess.run([*run, "-p", "sead", "3"], capture_output=True, text=True)
    assert done.returncode != 0
    assert "unknown parameter sead: this notebook takes profile, seed" in done.stderr


# --- references, working copies, cleaning ---


def test_a_reference_keeps_its_ids_and_is_replaced_only_by_a_notebook_that_ran(toy):
    path = toy("# %%\nprint(1)")
    reference.main(path)
    first = nbformat.read(path.with_suffix(".ipynb"), as_version=4)
    assert first.metadata == {"kernelspec": notebooks.KERNELSPEC}
    assert first.cells[1].outputs[0].text == "1\n"
    reference.main(toy("# %%\nprint(1)", "# %%\nprint(2)"))
    second = nbformat.read(path.with_suffix(".ipynb"), as_version=4)
    assert [cell.id for cell in second.cells[:2]] == [cell.id for cell in first.cells]
    text = path.with_suffix(".ipynb").read_bytes()
    with pytest.raises(
        SystemExit, match=r"(?s)^book/toy\.py:7, cell 2 `1 / 0` failed\n    1 / 0\n\n-+\nZero.*division by zero$"
    ):
        reference.main(toy("# %%\nprint(1)", "# %%\n1 / 0"))
    with pytest.raises(SystemExit, match=r"book/toy\.py:\d+, cell 1 .* has not run to its end"):
        reference.main(toy('# %% tags=["skip-execution"]\nprint(1)'))
    assert path.with_suffix(".ipynb").read_bytes() == text


def test_working_copies_fold_what_need_not_be_seen_and_are_whole_or_not_there(project):
    done = subprocess.run(["bash", "-c", "ulimit -f 1; make exercises"], cwd=project.folder, capture_output=True,
                          text=True, env=os.environ | {"PYTHONPATH": "src"})  # fmt: skip
    folder = project.folder / "exercises"
    assert done.returncode != 0
    assert not [path for path in folder.rglob("*") if path.is_file()]
    assert project.make("exercises").returncode == 0
    copy = json.loads((folder / "toy/chapter.ipynb").read_text(encoding="utf-8"))
    hidden = [cell["metadata"].get("jupyter", {}).get("source_hidden", False) for cell in copy["cells"]]
    assert hidden == [False, False, True, True, False, False]
    assert copy["metadata"] == {"kernelspec": notebooks.KERNELSPEC}


def test_cleaning_keeps_what_took_hours(tmp_path):
    project = Book(tmp_path)
    for name in [
        "smoke/executed/toy/chapter.ipynb",
        "smoke/experiments/toy/smoke/checkpoint.pt",
        "full/executed/toy/chapter.ipynb",
        "full/experiments/toy/done/executed.ipynb",
        "full/experiments/toy/stopped/checkpoint.pt",
        "full/experiments/toy/several/seed_1/checkpoint.pt",
        "full/records/toy/mine.json",
    ]:
        project.write(f"build/{name}", "")
    done = project.make("clean")
    assert done.returncode == 0, done.stderr
    kept = {str(path.relative_to(tmp_path / "build")) for path in (tmp_path / "build").rglob("*") if path.is_file()}
    assert kept == {
        "lock",
        "full/experiments/toy/stopped/checkpoint.pt",
        "full/experiments/toy/several/seed_1/checkpoint.pt",
        "full/records/toy/mine.json",
    }
    for told in (
        "kept build/full/experiments/toy/stopped: ",
        "kept build/full/records: ",
        "rm -rf build",
        "make rerun",
    ):
        assert told in done.stdout
    assert "done" not in done.stdout
    shutil.rmtree(tmp_path / "build")
    assert "kept" not in project.make("clean").stdout
