"""What a training refuses: options that are out of range, and numbers that are not finite."""

import math
from numbers import Real

from helpers.experiments import RunError


class TrainingError(RunError):
    """A training that diverged: loss, gradient, weights or score are not finite."""


def check_options(options):
    """Raise ValueError for an option of ``fit`` that is out of range."""
    for name, least in (("steps", 1), ("validate_every", 1), ("log_every", 1), ("warmup", 0)):
        check_count(name, options[name], least)
    clip, pause = options["clip"], options["checkpoint_seconds"]
    if not (isinstance(clip, Real) and clip > 0):  # nor is NaN
        raise ValueError(f"clip = {clip!r}: expected a number above 0, or math.inf for none")
    if not (isinstance(pause, Real) and pause >= 0):
        raise ValueError(f"checkpoint_seconds = {pause!r}: expected a number from 0 on")


def check_count(name, number, least=1):
    """Raise ValueError unless ``number`` is a whole one, and not less than ``least``."""
    if not isinstance(number, int) or isinstance(number, bool) or number < least:
        raise ValueError(f"{name} = {number!r}: expected a whole number from {least} on")


def require_finite(numbers, run, step):
    """Raise TrainingError when one of ``numbers``, by their names, is NaN or infinite."""
    wrong = {name: number for name, number in numbers.items() if not math.isfinite(number)}
    if wrong:
        told = ", ".join(f"{name} {number:g}" for name, number in wrong.items())
        raise TrainingError(f"{run.name}: {told} at step {step}; a smaller learning rate or a clip may help")


def largest_weights(model):
    """The largest absolute value of each floating-point tensor of the model's state, by its name; NaN counts most."""
    state = model.state_dict().items()
    return {name: tensor.abs().max().item() for name, tensor in state if tensor.is_floating_point() and tensor.numel()}
