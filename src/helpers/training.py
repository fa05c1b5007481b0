"""Training: one loop for every experiment of the book, in plain PyTorch, that may be killed at any moment."""

import errno
import math
import random
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import torch
from tqdm import tqdm

from helpers import checkpoints, devices
from helpers.checks import check_count, check_options, largest_weights, require_finite
from helpers.experiments import RunError


@dataclass
class Place:
    """Where a training stands."""

    step: int = 0
    losses: float = 0.0  # the sum of the losses since the last validation
    count: int = 0  # how many they are
    stopped: bool = False  # by the rule for it
    seconds: float = 0.0  # over all processes that worked on it
    curves: dict = field(default_factory=dict)
    carried: object = None


class Trained(NamedTuple):
    """What :func:`fit` returns."""

    curves: dict  # name -> list, one number for each validation: step, train_loss and whatever `validate` returned
    seconds: float  # over all processes that worked on the run
    steps: int  # taken, fewer than asked for when a rule stopped it
    history: list  # at which step which commit and code took over


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


class Epochs:
    """Batches of a data set that every epoch takes every sample of once, in an order of its own.

    ``make(index)`` is the batch of the samples ``index``, a LongTensor of at most ``batch_size`` numbers below
    ``samples``. Called with a step, an object of this class returns that step's batch: the order depends on ``seed``
    and the epoch alone. ``len`` is the number of steps in an epoch.
    """

    def __init__(self, make, samples, batch_size, seed=0):
        for name, number in (("samples", samples), ("batch_size", batch_size)):
            check_count(name, number)
        self.make, self.samples, self.batch_size, self.seed = make, samples, batch_size, seed
        self.settings = {"samples": samples, "batch_size": batch_size, "order_seed": seed}
        self.epoch = self.order = None

    def __len__(self):
        return math.ceil(self.samples / self.batch_size)

    def __call__(self, step):
        epoch, position = divmod(step, len(self))
        if epoch != self.epoch:
            order = np.random.default_rng((self.seed, epoch)).permutation(self.samples)
            self.epoch, self.order = epoch, torch.from_numpy(order)
        return self.make(self.order[position * self.batch_size :][: self.batch_size])


def fit(
    run,
    model,
    loss,
    batch,
    optimizer,
    *,
    steps,
    validate=None,
    validate_every=None,
    stop=None,
    carry=None,
    schedule=cosine,
    warmup=0,
    clip=math.inf,
    precision=None,
    log_every=50,
    checkpoint_seconds=60.0,
):
    """Train ``model`` in place for ``steps`` steps, or until a rule stops it, from the run's checkpoint if it has one.

    ``run`` is a :class:`helpers.runs.Run`, or one of its parts, whose settings say what makes the run what it is.
    ``batch(step)`` is the batch of a step, counted from 0 (:class:`Epochs` makes one of a data set); ``loss(model,
    batch)`` its mean loss, a scalar tensor. With ``carry``, a state that goes from batch to batch (a tensor, or nested
    tuples of them), ``loss(model, batch, state)`` returns the loss and the next state, which is cut off from the graph.
    ``schedule(step, steps, warmup)`` is the factor of the optimiser's learning rates; ``clip`` bounds the global norm
    of the gradient; ``precision`` is "float32" (by default on a CPU), or "bfloat16" (by default on a GPU) or "float16"
    where PyTorch's autocast computes so. In float16 the loss is scaled, and a step whose gradient overflows is left
    out and the scale halved.

    Every ``validate_every`` steps, and after the last one, ``validate(model)`` is called in evaluation mode and
    without gradients; it returns a dictionary of numbers, and the curves grow by them, by the step and by the mean
    training loss since the time before. Then ``stop(curves)`` says whether that was enough.

    Every ``log_every`` steps the scalars and the progress are written; every ``checkpoint_seconds``, and at the end, a
    checkpoint. After a kill the run goes on from the last one and ends with the weights, bit for bit, that it would
    have had: ``loss``, ``batch`` and ``validate`` may draw from the global generators, whose states are part of the
    checkpoint. (On CUDA this is so as far as the model's operations are deterministic.)

    A GPU is not waited for at every step: losses are read in arrears, at the latest every ``log_every`` steps, and
    before anything is saved or shown.

    Returns :class:`Trained`. Raises TrainingError when a loss, gradient, score or weight is not finite (the checkpoint
    stays as it was, and on a CPU so do the weights), RunError when a full run's checkpoint is damaged, of other
    settings, or cannot be written, and ValueError for an option that is out of range.
    """
    from torch.utils.tensorboard import SummaryWriter  # not above: it takes a second, and only a training needs it

    device = next(model.parameters()).device
    options = {
        "steps": steps,
        "validate_every": steps if validate_every is None else validate_every,
        "warmup": warmup,
        "clip": clip,
    }
    check_options(options | {"log_every": log_every, "checkpoint_seconds": checkpoint_seconds})
    if not {weight for group in optimizer.param_groups for weight in group["params"]} <= set(model.parameters()):
        raise ValueError("the optimiser holds parameters that are none of the model's: make it of model.parameters()")
    precision = precision or ("bfloat16" if device.type == "cuda" else "float32")
    options |= {"precision": precision, "schedule": schedule.__name__}
    scaler = torch.amp.GradScaler(device.type, enabled=precision == "float16")
    rates = [group["lr"] for group in optimizer.param_groups]
    settings = run.settings | options | optimizer_settings(optimizer) | getattr(batch, "settings", {})
    saved, history = run.load(settings)
    here = restore(saved, model, optimizer, scaler, device) if saved else Place(carried=carry)
    last_save = time.monotonic()
    begin = last_save - here.seconds  # by a clock that stood still between the processes

    def report(state, **more):
        here.seconds = time.monotonic() - begin
        latest = {name: curve[-1] for name, curve in here.curves.items() if name != "step"}
        run.report(state, step=here.step, steps=steps, seconds=here.seconds, latest=latest, **more)

    report("running")
    unread = []  # losses and norms of the gradient, on the device
    model.train()
    bar = tqdm(total=steps, initial=here.step, desc=run.name, disable=None)  # None: only on a terminal
    with full_disk_told(run.name), bar, SummaryWriter(run.folder / "tensorboard", purge_step=here.step + 1) as board:
        try:
            while here.step < steps and not here.stopped:
                for group, rate in zip(optimizer.param_groups, rates, strict=True):
                    group["lr"] = rate * schedule(here.step, steps, warmup)
                sample = to_device(batch(here.step), device)
                with devices.autocast(device, precision):
                    if carry is None:
                        value, carried = loss(model, sample), None
                    else:
                        value, carried = loss(model, sample, here.carried)
                optimizer.zero_grad()
                scaler.scale(value).backward()
                scaler.unscale_(optimizer)
                norm = torch.nn.utils.clip_grad_norm_(model.parameters(), clip)
                unread.append(torch.stack([value.detach().double(), norm.double()]))
                due = time.monotonic() - last_save >= checkpoint_seconds
                validating = (here.step + 1) % options["validate_every"] == 0 or here.step + 1 == steps
                logging = (here.step + 1) % log_every == 0
                if due or validating or logging or not hurries(device):
                    scalars = read(unread, here, run, scaler) | {"learning_rate": group["lr"]}
                scaler.step(optimizer)
                scaler.update()
                here.step += 1
                here.carried = detach(carried)
                bar.update()
                if logging:
                    show(board, "step", scalars, here.step)
                    report("running")
                if validating:
                    scores = {"train_loss": here.losses / here.count} | score(model, validate)
                    require_finite(scores, run, here.step)
                    show(board, "validation", scores, here.step)
                    for name, number in ({"step": here.step} | scores).items():
                        here.curves.setdefault(name, []).append(number)
                    here.count, here.losses = 0, 0.0
                    here.stopped = stop is not None and bool(stop(here.curves))
                    report("running")
                if due or here.stopped or here.step == steps:
                    require_finite(largest_weights(model), run, here.step)
                    board.flush()  # first, so that no scalar is missing from before the checkpoint
                    here.seconds = time.monotonic() - begin
                    states = {"model": model.state_dict(), "optimizer": optimizer.state_dict()}
                    states["scaler"] = scaler.state_dict()
                    run.save(settings, history, place=vars(here), random=checkpoints.random_states(), **states)
                    last_save = time.monotonic()
        except Exception as error:
            report("failed", error=f"{type(error).__name__}: {error}")
            raise
    report("done")
    model.eval()
    return Trained(here.curves, here.seconds, here.step, history)


def hurries(device):
    """Whether the loop may run ahead of what the device computes."""
    return device.type != "cpu"


def read(unread, here, run, scaler):
    """Wait for the device, add the losses of ``unread`` steps to those of the place, and return the last as scalars.

    Raises TrainingError for the first that is not finite; a gradient that overflows while its loss is scaled is no
    such thing as long as there is a scale that it could bear.
    """
    first = here.step + 1 - len(unread)
    for step, (value, norm) in enumerate(torch.stack(unread).tolist(), first):
        scalars = {"loss": value, "gradient_norm": norm}
        require_finite(scalars if scaler.get_scale() <= 1 else {"loss": value}, run, step)
        here.losses, here.count = here.losses + value, here.count + 1
    unread.clear()
    return scalars


def restore(saved, model, optimizer, scaler, device):
    """Put all that trains, and the global generators, where a checkpoint left them; return the place."""
    model.load_state_dict(saved["model"])
    optimizer.load_state_dict(saved["optimizer"])
    scaler.load_state_dict(saved["scaler"])
    checkpoints.restore_random_states(saved["random"])
    return Place(**saved["place"] | {"carried": to_device(saved["place"]["carried"], device)})


@contextmanager
def full_disk_told(name):
    """Raise RunError that says what to do when the disk is full, of which TensorBoard's thread tells late."""
    try:
        yield
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            raise
        raise RunError(f"{name}: {error}: make room, and rerun to go on") from error


def show(board, kind, numbers, step):
    """Give TensorBoard ``numbers`` by their names."""
    for name, number in numbers.items():
        board.add_scalar(f"{kind}/{name}", number, step)


def score(model, validate):
    """What ``validate`` says of the model as it will be used; nothing without it."""
    if validate is None:
        return {}
    model.eval()
    with torch.no_grad():
        scores = validate(model)
    if not isinstance(scores, dict):
        raise TypeError(f"validate returns a dictionary of numbers, and not {scores!r}")
    model.train()
    return {name: float(number) for name, number in scores.items()}


def optimizer_settings(optimizer):
    """Name and options of an optimiser, before any schedule has changed them."""
    groups = [{name: value for name, value in group.items() if name != "params"} for group in optimizer.param_groups]
    return {"optimizer": type(optimizer).__name__, "optimizer_groups": groups}


def to_device(batch, device):
    """A batch (None, anything with ``to``, or a tuple of such) on ``device``."""
    if type(batch) is tuple:
        return tuple(to_device(part, device) for part in batch)
    return batch if batch is None else batch.to(device)


def detach(state):
    """A state that goes from batch to batch (None, a tensor, or a tuple of such), cut off from its graph."""
    if type(state) is tuple:
        return tuple(detach(part) for part in state)
    return state if state is None else state.detach()
