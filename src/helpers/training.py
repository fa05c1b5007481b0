"""Training: one loop for every experiment of the book, in plain PyTorch, that may be killed at any moment.

Everything a run needs to go on lies in its folder::

    checkpoint.pt   weights, optimiser, random states, position inside the epoch, curves; replaced as a whole
    progress.json   how far the run is and how long is left, for `make status`
    tensorboard/    scalars, for `tensorboard --logdir`
    fit.lock        held by the process that trains
"""

import fcntl
import json
import math
import os
import platform
import random
import time
import zipfile
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from tqdm import tqdm

from helpers import files


class TrainingError(RuntimeError):
    """A run that cannot start or go on: locked, diverged, or with a checkpoint that does not fit."""


@dataclass
class Position:
    """Where a run stands."""

    step: int = 0  # of all epochs together
    epoch: int = 0
    position: int = 0  # samples of this epoch that were seen
    total: float = 0.0  # the sum of their losses
    seconds: float = 0.0
    curves: dict = field(default_factory=dict)


class Trained(NamedTuple):
    """What :func:`fit` returns."""

    curves: dict  # name -> list with one number an epoch: train_loss and whatever `validate` returned
    seconds: float  # over all processes that worked on the run


def seed_everything(seed):
    """Seed the global generators of Python, NumPy and PyTorch (all devices)."""
    random.seed(seed)
    np.random.seed(seed)
    torch.manual_seed(seed)


def cosine(step, steps, warmup):
    """The factor of the learning rate at ``step`` of ``steps``: up in a line over ``warmup`` steps, then down to zero
    along half a cosine (Loshchilov and Hutter, "SGDR", 2017, equation 5, one cycle).
    """
    if step < warmup:
        return (step + 1) / warmup
    return 0.5 * (1 + math.cos(math.pi * (step - warmup) / max(1, steps - warmup)))


def constant(step, steps, warmup):
    """The factor of the learning rate at ``step``: up in a line over ``warmup`` steps, then one."""
    return min(1.0, (step + 1) / max(1, warmup))


def fit(
    model,
    loss,
    data,
    optimizer,
    *,
    folder,
    epochs,
    batch_size,
    seed=0,
    schedule=cosine,
    warmup=0,
    clip=math.inf,
    amp=None,
    validate=None,
    parameters=None,
    log_every=50,
    checkpoint_seconds=60.0,
):
    """Train ``model`` in place until ``epochs`` are over, from the checkpoint in ``folder`` if there is one.

    ``data`` has a length and ``data.batch(index)``, ``index`` being a LongTensor of at most ``batch_size`` samples;
    ``loss(model, batch)`` is the mean loss of a batch, a scalar tensor. An epoch takes every sample once, in an order
    that depends on ``seed`` and the epoch alone. ``schedule(step, steps, warmup)`` is the factor of the optimiser's
    learning rates; ``clip`` bounds the global norm of the gradient; ``amp`` computes in bfloat16 where PyTorch's
    autocast does (by default on CUDA devices: it seldom pays elsewhere). ``validate(model)`` is called after each
    epoch, in evaluation mode and without gradients, and returns a dictionary of numbers. ``parameters``, a dictionary
    of JSON values, says what else makes the run what it is: a checkpoint made with others is not resumed.

    Every ``log_every`` steps the scalars and the progress are written; every ``checkpoint_seconds``, and at the end, a
    checkpoint. After a kill the run goes on from the last one and ends with the weights, bit for bit, that it would
    have had: ``loss`` and ``data`` may draw from the global generators, whose states are part of the checkpoint. (On
    CUDA this is so as far as the model's operations are deterministic.)

    Returns :class:`Trained`. Raises TrainingError when another process works on the run, when loss or gradient is not
    finite (weights and checkpoint stay as they were), or when the checkpoint is damaged or of another run.
    """
    from torch.utils.tensorboard import SummaryWriter  # not above: who only reads progress need not wait for it

    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    checkpoint = folder / "checkpoint.pt"
    device = next(model.parameters()).device
    amp = device.type == "cuda" if amp is None else amp
    steps = epochs * math.ceil(len(data) / batch_size)
    rates = [group["lr"] for group in optimizer.param_groups]
    settings = {"epochs": epochs, "batch_size": batch_size, "seed": seed, "samples": len(data), **(parameters or {})}
    at = Position()

    def step(index):
        """Take one step of the optimiser on the samples ``index``: their mean loss and the gradient's norm."""
        for group, rate in zip(optimizer.param_groups, rates, strict=True):
            group["lr"] = rate * schedule(at.step, steps, warmup)
        batch = to_device(data.batch(index), device)
        with torch.autocast(device.type, torch.bfloat16, enabled=amp):
            value = loss(model, batch)
        optimizer.zero_grad()
        value.backward()
        norm = torch.nn.utils.clip_grad_norm_(model.parameters(), clip)
        value, norm = value.item(), norm.item()
        # Waiting here for the device, at every step, keeps what is not finite out of the weights and the checkpoint.
        if not math.isfinite(value + norm):
            raise TrainingError(
                f"{folder.name}: loss {value:g}, gradient norm {norm:g} at step {at.step} of {steps}; "
                "a smaller learning rate or a clip may help"
            )
        optimizer.step()
        return value, norm

    def score():
        """The numbers of the epoch that has just ended."""
        scores = {"train_loss": at.total / len(data)}
        if validate is not None:
            model.eval()
            with torch.no_grad():
                scores |= validate(model)
        return {name: float(score) for name, score in scores.items()}

    def save():
        at.seconds = time.monotonic() - begin
        board.flush()  # first, so that no scalar is missing from before the checkpoint
        state = {"model": model.state_dict(), "optimizer": optimizer.state_dict(), "random": random_states()}
        replace(checkpoint, state | {"at": vars(at), "settings": settings})

    def report(state, **more):
        seconds = time.monotonic() - begin
        left = seconds / at.step * (steps - at.step) if at.step else None
        latest = {name: curve[-1] for name, curve in at.curves.items()}
        now = {"step": at.step, "steps": steps, "seconds": seconds, "seconds_left": left, "latest": latest}
        write_progress(folder, state, **now, **more)

    with lock(folder / "fit.lock"):
        if checkpoint.exists():
            at = resume(checkpoint, model, optimizer, settings)
        saved = time.monotonic()
        begin = saved - at.seconds  # by a clock that stood still between the processes
        report("running")
        bar = tqdm(total=steps, initial=at.step, desc=folder.name, disable=None)  # None: only on a terminal
        with bar, SummaryWriter(folder / "tensorboard", purge_step=at.step + 1) as board:
            try:
                for epoch in range(at.epoch, epochs):
                    order = torch.from_numpy(np.random.default_rng((seed, epoch)).permutation(len(data)))
                    model.train()
                    for first in range(at.position, len(data), batch_size):
                        index = order[first : first + batch_size]
                        value, norm = step(index)
                        at.step += 1
                        at.position += len(index)
                        at.total += value * len(index)
                        bar.update()
                        if at.step % log_every == 0:
                            rate = optimizer.param_groups[0]["lr"]
                            for name, number in (("loss", value), ("gradient_norm", norm), ("learning_rate", rate)):
                                board.add_scalar(f"step/{name}", number, at.step)
                            report("running")
                        if time.monotonic() - saved >= checkpoint_seconds:
                            save()
                            saved = time.monotonic()
                    for name, number in score().items():
                        at.curves.setdefault(name, []).append(number)
                        board.add_scalar(f"epoch/{name}", number, at.step)
                    at.epoch, at.position, at.total = epoch + 1, 0, 0.0
                    report("running")
                save()
            except Exception as error:
                report("failed", error=f"{type(error).__name__}: {error}")
                raise
        report("done")
    model.eval()
    return Trained(at.curves, at.seconds)


def resume(checkpoint, model, optimizer, settings):
    """Load a checkpoint into model, optimiser and the global generators; return where it stands."""
    try:
        with zipfile.ZipFile(checkpoint) as file:  # a checkpoint is a zip file, and torch.load ignores its checksums
            if damaged := file.testzip():
                raise zipfile.BadZipFile(f"{damaged} has a wrong checksum")
        state = torch.load(checkpoint, map_location="cpu", weights_only=True)
    except Exception as error:  # there is no end to what zip and pickle say of broken bytes
        raise TrainingError(f"{checkpoint} is damaged ({error}): delete it, and the run starts anew") from None
    theirs = state["settings"]
    other = {name for name in theirs | settings if theirs.get(name) != settings.get(name)}
    if other:
        changes = ", ".join(f"{name} {theirs.get(name)!r} is now {settings.get(name)!r}" for name in sorted(other))
        raise TrainingError(f"{checkpoint} is of a run with other parameters ({changes}): delete it to start anew")
    model.load_state_dict(state["model"])
    optimizer.load_state_dict(state["optimizer"])
    restore_random_states(state["random"])
    return Position(**state["at"])


def replace(path, state):
    """Write a checkpoint so that ``path`` holds the old one or the new one, whenever the process dies."""
    temporary = path.with_suffix(".tmp")  # a run has one writer: the one that holds its lock
    with temporary.open("wb") as file:
        torch.save(state, file)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)


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
    random.setstate(states["python"])
    np.random.set_state(states["numpy"])
    torch.set_rng_state(states["torch"])
    if torch.cuda.is_available():
        torch.cuda.set_rng_state_all(states["cuda"])


def to_device(batch, device):
    """A batch (anything with ``to``, or a tuple of such) on ``device``."""
    return tuple(part.to(device) for part in batch) if type(batch) is tuple else batch.to(device)


@contextmanager
def lock(path):
    """Hold the lock file ``path``; the system lets go of it when the process ends, however it ends.

    Raises TrainingError that names the process when another one holds it.
    """
    with path.open("a+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            raise TrainingError(f"{path.parent.name}: {file.read() or 'another process'} works on this run") from None
        file.truncate(0)
        print(f"process {os.getpid()} on {platform.node()}", end="", file=file, flush=True)
        yield


def write_progress(folder, state, **numbers):
    """Write ``progress.json``: ``state`` is running, done or failed."""
    who = {"time": datetime.now(UTC).isoformat(timespec="seconds"), "pid": os.getpid(), "host": platform.node()}
    progress = {"run": folder.name, "state": state, **numbers, **who}
    files.write(folder / "progress.json", json.dumps(progress, indent=1) + "\n")
