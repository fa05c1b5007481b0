"""What a result says of where it comes from."""

import os
import subprocess
from importlib.metadata import version

import pytest

from helpers import provenance

GIT = ["git", "-c", "user.name=a", "-c", "user.email=a@example.org"]


def git(folder, *words):
    subprocess.run([*GIT, "-C", folder, *words], check=True, capture_output=True)


def commit_now():
    """The commit as a process that starts now would tell it."""
    provenance.commit.cache_clear()
    return provenance.commit()


@pytest.fixture
def tree(tmp_path, monkeypatch):
    """A project of three files, not yet under version control."""
    monkeypatch.setattr(provenance, "PROJECT", tmp_path)
    for name in ("source.py", "records/a.json", "weights/a.safetensors"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("before")
    yield tmp_path
    provenance.commit.cache_clear()


@pytest.fixture
def repository(tree):
    git(tree, "init")
    git(tree, "add", ".")
    git(tree, "commit", "--message", "first")
    return tree


def test_without_a_repository_the_commit_is_unknown(tree):
    assert commit_now() == "unknown"
    assert provenance.uncommitted([tree / "source.py"]) == []


def test_a_tree_is_dirty_when_sources_differ_and_not_when_results_do(repository):
    clean = commit_now()
    assert len(clean) == 12 and int(clean, 16)
    for name in ("records/a.json", "records/new.json", "weights/a.safetensors"):
        (repository / name).write_text("changed by a run")
    assert commit_now() == clean
    (repository / "source.py").write_text("changed by hand")
    assert commit_now() == f"{clean}-dirty"


def test_a_source_that_is_not_in_the_commit_makes_a_tree_dirty(repository):
    clean = commit_now()
    (repository / "new.py").write_text("")
    git(repository, "config", "status.showUntrackedFiles", "no")
    assert commit_now() == f"{clean}-dirty"


def test_a_copy_inside_another_repository_has_no_commit(repository, monkeypatch):
    inner = repository / "copy"
    inner.mkdir()
    monkeypatch.setattr(provenance, "PROJECT", inner)
    assert commit_now() == "unknown"


def test_what_the_environment_says_of_other_repositories_does_not_count(repository, tmp_path_factory, monkeypatch):
    clean = commit_now()
    other = tmp_path_factory.mktemp("other")
    git(other, "init")
    git(other, "commit", "--allow-empty", "--message", "another")
    monkeypatch.setenv("GIT_DIR", str(other / ".git"))
    monkeypatch.setenv("GIT_WORK_TREE", str(other))
    assert commit_now() == clean


def test_results_that_are_not_those_of_the_commit_are_named(repository):
    names = ["records/a.json", "records/b c.json", "weights/a.safetensors"]
    paths = [repository / name for name in names]
    commit_now()
    assert provenance.uncommitted(paths[:1]) == []
    for path in paths[:2]:
        path.write_text("changed")
    assert provenance.uncommitted(paths) == names[:2]
    assert provenance.uncommitted([repository / "records/*.json"]) == [], "a name, and no pattern"


def test_results_that_were_renamed_are_ignored_or_have_odd_names_are_named_too(repository):
    commit_now()
    git(repository, "mv", "records/a.json", "records/b.json")
    assert provenance.uncommitted([repository / "records"]) == ["records/a.json", "records/b.json"]
    (repository / ".git/info/exclude").write_text("*.safetensors")
    odd = os.fsdecode(b"weights/\xff.safetensors")
    (repository / odd).write_text("new")
    assert provenance.uncommitted([repository / "weights"]) == [odd]


def test_asking_writes_nothing_to_the_repository(repository):
    """What git writes to its index when it is asked leaves a lock behind when it is killed, and gets in others' way."""
    os.utime(repository / "source.py", (1, 1))
    before = (repository / ".git/index").stat().st_mtime_ns
    commit_now()
    provenance.uncommitted([repository / "source.py"])
    assert (repository / ".git/index").stat().st_mtime_ns == before


def test_the_code_of_a_run_is_its_modules_its_packages_and_its_notebook(monkeypatch):
    import __main__

    before = provenance.code()
    assert "helpers/provenance.py" in before and before["torch"] == version("torch")
    monkeypatch.setattr(__main__, "In", ["", "# Parameters\nseed = 1", "x = 1"], raising=False)
    ours = provenance.code()
    monkeypatch.setattr(__main__, "In", ["", "# Parameters\nseed = 2", "x = 1"])
    assert provenance.code() == ours, "parameters are compared by themselves"
    monkeypatch.setattr(__main__, "In", ["", "# Parameters\nseed = 2", "x = 2"])
    assert provenance.code()["notebook"] != ours["notebook"]
    monkeypatch.setattr(__main__, "In", ["", "# Parameters\nseed = 2", "x = 1", "# Parameters of the loss\ny = 1"])
    assert provenance.code()["notebook"] != ours["notebook"]
    assert {name for name in ours if ours[name] != before.get(name)} == {"notebook"}
