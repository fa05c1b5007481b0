"""Downloads that are stored whole or not at all, one at a time in a folder, and never without an end."""

import fcntl
import os
import shutil
import tempfile
import threading
from concurrent.futures import Future, wait
from contextlib import contextmanager
from pathlib import Path

import pooch
import requests

from helpers import files

PATIENCE, LEAST = 60, 2**17  # a download in which fewer bytes come in as many seconds is given up


class DataError(RuntimeError):
    """A data set is missing, damaged or cannot be stored; the message says where and what to do."""


def fetch(what, folder, names, url, known_hash, unpack, by_hand):
    """Download ``url`` and store in ``folder`` those files of ``names`` that are not there; others are left alone.

    ``unpack(file, missing)`` yields names and contents of the files to store, in their order, from the download, whose
    hash is right (pooch's ``known_hash``; None for none); it raises ValueError when it is not what it should be.
    A second process waits for the first one, and then finds the files there. What a killed one left is taken away.

    Raises ``DataError`` when that fails; the message begins with ``what`` and ends with the command ``by_hand``.
    """
    elsewhere = "set SHARED_WEIGHTS_DATA to a folder that has it"
    try:
        with _alone(folder, names) as scratch:
            missing = [name for name in names if not (folder / name).exists()]
            try:
                for name, content in unpack(_retrieve(url, known_hash, scratch), missing) if missing else ():
                    files.write(folder / name, content)
            # The errors of requests are OSErrors; of a wrong hash pooch says ValueError.
            except (OSError, ValueError) as error:
                raise DataError(
                    f"{what} is not in {folder}, and its download from {url} failed: {in_words(error)}\n"
                    f"Get it by hand with:\n    {by_hand}\nor {elsewhere}, under {folder.name}/."
                ) from error
    except OSError as error:
        trouble = f"{what} is not in {folder} and cannot be stored there: {in_words(error)}"
        raise DataError(f"{trouble}. You can {elsewhere}, or to one that you can write to.") from error


def in_words(error):
    """What went wrong with a file, and with which one, from an OSError; of any other error, what it says."""
    path = getattr(error, "filename", None)
    if path is None:
        return getattr(error, "strerror", None) or str(error)
    if isinstance(error, IsADirectoryError):
        return f"{path} is a folder, and a file should be there"
    if isinstance(error, (NotADirectoryError, FileExistsError)):
        blocking = next(entry for entry in (Path(path), *Path(path).parents) if os.path.lexists(entry))
        return f"{blocking} stands where a folder should be"
    return f"{path}: {error.strerror}"


@contextmanager
def _alone(folder, names):
    """Yield a folder within ``folder`` that vanishes, while no other process can be here; wait until that is so.

    The lock goes with the process that holds it, however it ends: what lies about then is nobody's.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / ".lock").open("ab") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        for left in folder.glob(".download-*"):
            shutil.rmtree(left, ignore_errors=True)
        for left in (path for name in names for path in folder.glob(f".{name}*.tmp")):
            left.unlink(missing_ok=True)
        with tempfile.TemporaryDirectory(dir=folder, prefix=".download-") as scratch:
            yield Path(scratch)


class _Transfer:
    """A downloader for pooch that counts what has come, and ends when nobody waits for it any more."""

    received, wanted = 0, True

    def __call__(self, url, output_file, pooch):
        with requests.get(url, stream=True, timeout=30) as response, Path(output_file).open("wb") as file:
            response.raise_for_status()
            for chunk in response.iter_content(2**14):
                if not self.wanted:
                    raise TimeoutError
                self.received += file.write(chunk)


def _retrieve(url, known_hash, folder):
    """Download to a file in ``folder`` and return it. Raises OSError, and ValueError when its hash is wrong.

    A thread does it: whoever reads from a server that sends a byte now and then, be it of the headers, waits for ever.
    """
    transfer, done = _Transfer(), Future()

    def work():
        try:
            done.set_result(pooch.retrieve(url, known_hash, fname="download", path=folder, downloader=transfer))
        except Exception as error:
            done.set_exception(error)

    threading.Thread(target=work, daemon=True).start()
    try:
        while True:
            before = transfer.received
            if wait([done], PATIENCE).done:
                return Path(done.result())
            if transfer.received - before < LEAST:
                raise TimeoutError(f"only {transfer.received - before:,} bytes came in {PATIENCE} s")
    finally:
        transfer.wanted = False
