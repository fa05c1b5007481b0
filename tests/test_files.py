"""The one writer of files: all or nothing."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from helpers import files

CHILD = """
import os, resource, signal, sys
from helpers import files

path, when = sys.argv[1:]
if when == "full":
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100))
with files.replacing(path) as file:
    file.write(b"new" * 1000)
    file.flush()
    if when == "killed":
        os.kill(os.getpid(), signal.SIGKILL)
"""


def test_text_and_bytes_are_written_and_folders_made(tmp_path):
    path = tmp_path / "a" / "b" / "c.txt"
    assert files.write(path, "æ\n") == path
    assert path.read_bytes() == "æ\n".encode()
    files.write(path, b"\x00\n")
    assert path.read_bytes() == b"\x00\n"
    assert [entry.name for entry in path.parent.iterdir()] == ["c.txt"]


@pytest.mark.parametrize("when", ["killed", "full"])
def test_what_was_there_stays_when_the_writer_dies_or_the_disk_is_full(tmp_path, when):
    path = files.write(tmp_path / "a.txt", "old")
    done = subprocess.run([sys.executable, "-c", CHILD, path, when], capture_output=True, text=True)
    assert done.returncode == (-signal.SIGKILL if when == "killed" else 1)
    assert path.read_text() == "old"
    if when == "full":
        assert f"File too large; what stood there still does: '{path}'" in done.stderr
    left = [entry.name for entry in tmp_path.iterdir() if entry != path]
    assert all(name.startswith(".a.txt.") and name.endswith(".tmp") for name in left)
    assert bool(left) == (when == "killed"), "only a killed writer cannot clear up"


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
def test_an_error_of_the_writer_leaves_nothing_behind(tmp_path, error):
    with pytest.raises(error), files.replacing(tmp_path / "a") as file:
        file.write(b"half")
        raise error
    assert list(tmp_path.iterdir()) == []


def test_content_is_on_the_disk_before_the_name_and_the_name_before_it_returns(tmp_path, monkeypatch):
    path, events = tmp_path / "a", []
    fsync = os.fsync

    def watched(descriptor):
        here = Path(f"/proc/self/fd/{descriptor}")
        events.append((str(here.readlink()), path.exists(), here.is_dir() or here.read_text() == "x"))
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", watched)
    files.write(path, "x")
    (temporary, there, whole), (folder, named, _) = events
    assert temporary.endswith(".tmp") and not there and whole
    assert folder == str(tmp_path) and named


def test_a_file_is_as_readable_as_any_other_of_its_owner(tmp_path):
    before = os.umask(0o027)
    try:
        assert files.write(tmp_path / "a", "x").stat().st_mode & 0o777 == 0o640
    finally:
        os.umask(before)
