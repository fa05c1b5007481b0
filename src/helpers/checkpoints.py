"""Checkpoints: all that training needs to go on, in one file that is whole, checked, and never executed."""

import io
import json
import os
import random
import sys
import zipfile
from contextlib import suppress

import numpy as np
import torch

from helpers import files
from helpers.experiments import RunError


class Damaged(RunError):
    """A file that is no checkpoint any more, and for which ``reason``."""

    def __init__(self, path, error):
        self.reason = f"{path} is damaged ({error})"
        super().__init__(f"{self.reason}: delete it, and the run starts anew")


def before(path):
    """Where the checkpoint before the one at ``path`` is kept."""
    return path.with_name(f"{path.stem}_before{path.suffix}")


def save(path, state):
    """Replace the checkpoint ``path`` by ``state``: dictionaries and lists of tensors, numbers and text.

    The one that it replaces is kept as :func:`before`, where the file system has hard links.
    """
    content = io.BytesIO()  # not the file itself: torch.save tells of a full disk as "unexpected pos 64 vs 0"
    torch.save(plain(state), content)
    if path.exists():
        before(path).unlink(missing_ok=True)
        with suppress(OSError):
            os.link(path, before(path))
    files.write(path, content.getbuffer())


def load_newest(path, settings):
    """The state of the checkpoint ``path``, or where it is damaged that of the one :func:`before`, if there is one,
    which then takes its place. Raises RunError as :func:`load` does.
    """
    try:
        return load(path, settings)
    except Damaged as error:
        if not before(path).exists():
            raise
        state = load(before(path), settings)
        before(path).replace(path)  # or else the next one would be saved over it, and the damaged one kept
        print(f"{error.reason}: the run goes on from the checkpoint before it", file=sys.stderr)
        return state


def load(path, settings):
    """Return the state of a checkpoint that was made under ``settings``.

    No code in the file is executed. Raises Damaged when it is no checkpoint, RunError when it was made under other
    settings.
    """
    try:
        with zipfile.ZipFile(path) as file:  # a checkpoint is a zip file, and torch.load ignores its checksums
            if damaged := file.testzip():
                raise zipfile.BadZipFile(f"{damaged} has a wrong checksum")
        state = torch.load(path, map_location="cpu", weights_only=True)
        theirs = state["settings"]
    except Exception as error:  # there is no end to what zip and pickle say of broken bytes
        raise Damaged(path, error) from None
    other = [name for name in sorted(theirs | settings) if _json(theirs, name) != _json(settings, name)]
    if other:
        changes = ", ".join(f"{name} {_json(theirs, name)} is now {_json(settings, name)}" for name in other)
        raise RunError(f"{path} is of a run with other parameters ({changes}): delete it to start anew")
    return state


def check(settings):
    """Raise RunError for a setting that could not be compared with that of a checkpoint."""
    for name in settings:
        _json(settings, name)


def _json(settings, name):
    """A setting as text: so compared, NaN is NaN."""
    try:
        return json.dumps(plain(settings[name]), sort_keys=True) if name in settings else "not set"
    except TypeError as error:
        raise RunError(f"{name} = {settings[name]!r} is no setting of a run: {error}") from None


def plain(value):
    """``value`` with Python's own numbers for NumPy's, which ``torch.load`` refuses; tensors stay as they are."""
    if isinstance(value, dict):
        return {key: plain(entry) for key, entry in value.items()}
    if isinstance(value, (list, tuple)):
        return type(value)(plain(entry) for entry in value)
    return value.item() if isinstance(value, np.generic) else value


def random_states():
    """The states of the global generators, in types that ``torch.load`` takes from untrusted files."""
    name, keys, *rest = np.random.get_state()
    return {
        "python": random.getstate(),
        "numpy": (name, keys.tolist(), *rest),
        "torch": torch.get_rng_state(),
        "cuda": torch.cuda.get_rng_state_all() if torch.cuda.is_available() else [],
    }


def restore_random_states(states):
    """Give the global generators the states that ``random_states`` took."""
    random.setstate(states["python"])
    np.random.set_state(states["numpy"])
    torch.set_rng_state(states["torch"])
    if torch.cuda.is_available():
        torch.cuda.set_rng_state_all(states["cuda"])
