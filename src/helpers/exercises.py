"""Checks of the reader's own solutions, against oracles that are not a second copy of ours.

The oracle of exercise ``"gnn/circulant/shift"`` is the function ``shift`` of ``helpers.gnn.exercises.circulant``.
"""

import ast
import copy
import importlib
import inspect
import random
import signal
import textwrap
import threading
from contextlib import contextmanager

import numpy as np

from helpers.verify import to_numpy

TIME_LIMIT = 60  # seconds that a check may take, before it is said to have no end

# What does where an array of one kind is asked for, by NumPy's letters, and that kind in words.
_WHOLE = ("iu", "whole numbers")
_KINDS = {"b": ("b", "bools"), "i": _WHOLE, "u": _WHOLE, "f": ("iuf", "real numbers"), "c": ("iufc", "numbers")}


class ExerciseFailed(AssertionError):
    """The solution differs from the reference; the message says where."""

    def _render_traceback_(self):
        return [f"Not yet: {self}"]  # the reader's code is at fault, not the line of ours that found it


def check(name, candidate):
    """Run ``candidate``, the reader's function or class, against the reference of exercise ``"part/chapter/exercise"``.

    Prints one line when it is right, or when it is still the empty stub. Raises ExerciseFailed, saying what differs,
    when it is wrong or takes over a minute, and ValueError for an exercise that does not exist. The reader's random
    numbers and torch's default type are afterwards what they were before.
    """
    oracle = _oracle(name)
    if not callable(candidate):
        raise ExerciseFailed(f"{name} takes a function or a class, and got {type(candidate).__name__}")
    if _is_stub(candidate):
        print(f"{name}: not attempted yet; replace the ... and run this cell again")
        return
    try:
        with _state_kept(), _time_limit(TIME_LIMIT):
            oracle(candidate)
    except _TimeIsUp:
        raise ExerciseFailed(f"{name} took more than {TIME_LIMIT} s: is there a loop in it without an end?") from None
    except SystemExit:
        raise ExerciseFailed(f"{name} would end Python: a solution returns its result, and calls no exit()") from None
    print(f"{name}: correct")


class _TimeIsUp(BaseException):
    """No Exception, which the ``except Exception`` of a solution would catch."""


@contextmanager
def _time_limit(seconds):
    """Raise _TimeIsUp in a block that takes longer, where a signal can reach it: in the main thread, not on Windows."""
    if threading.current_thread() is not threading.main_thread() or not hasattr(signal, "setitimer"):
        yield
        return

    def stop(signum, frame):
        raise _TimeIsUp

    handler = signal.signal(signal.SIGALRM, stop)
    # Again and again, twice a second: a bare ``except`` may swallow the first.
    timer = signal.setitimer(signal.ITIMER_REAL, seconds, 0.5)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, *timer)
        signal.signal(signal.SIGALRM, handler or signal.SIG_DFL)


@contextmanager
def _state_kept():
    """Leave random numbers and the default type to the reader, whatever a solution or its oracle does with them.

    Within, torch's random numbers start at the same place each time.
    """
    import torch  # not above: it takes long to import, and oracles import it anyway

    kept = (
        (torch.set_default_dtype, torch.get_default_dtype()),
        (torch.set_rng_state, torch.get_rng_state()),
        (np.random.set_state, np.random.get_state()),
        (random.setstate, random.getstate()),
    )
    torch.manual_seed(0)
    try:
        yield
    finally:
        for give_back, state in kept:
            give_back(state)


def _oracle(name):
    """The oracle of an exercise; ValueError that says which ones its chapter has when there is none."""
    part, _, rest = name.partition("/")
    chapter, _, exercise = rest.partition("/")
    module = f"helpers.{part}.exercises.{chapter}"
    try:
        oracles = {
            key: value for key, value in vars(importlib.import_module(module)).items() if _is_oracle(value, module)
        }
    except ModuleNotFoundError as error:
        if not f"{module}.".startswith(f"{error.name}."):  # a library that the oracles need
            raise
        oracles = {}
    if exercise not in oracles:
        known = f": {part}/{chapter} has {', '.join(sorted(oracles))}" if oracles else ", nor is there such a chapter"
        raise ValueError(f"no exercise is called {name!r}{known}")
    return oracles[exercise]


def _is_oracle(value, module):
    return (
        inspect.isfunction(value)
        and value.__module__ == module
        and list(inspect.signature(value).parameters) == ["candidate"]
    )


def expect(candidate, args, desired, rtol=0.0, atol=0.0, kwargs=None, says=""):
    """Call ``candidate(*args, **kwargs)`` and compare its result with ``desired``.

    ``desired`` is a number, array or tensor, or a tuple of them. Raises ExerciseFailed, naming the call, when the
    result is of another kind (bools for bools, whole numbers for whole numbers, nothing complex for real numbers),
    shape or value (|result − desired| ≤ atol + rtol·|desired|, NaN being equal to NaN); ``says`` ends the message with
    a hint. An error inside the candidate keeps its own traceback, with the call added as a note.
    """
    kwargs = kwargs or {}
    called = ", ".join([_show(a) for a in args] + [f"{k}={_show(v)}" for k, v in kwargs.items()])
    call = f"{getattr(candidate, '__name__', 'your function')}({called})"
    try:
        result = candidate(*copy.deepcopy(args), **kwargs)  # a solution may work in place
    except Exception as error:
        error.add_note(f"raised by the check of your solution, in {call}")
        raise
    _compare(call, result, desired, rtol, atol, f". {says}" if says else "")


def _compare(call, result, desired, rtol, atol, says):
    if result is None:
        raise ExerciseFailed(f"{call} returned None: does it end with a return?")
    if isinstance(desired, tuple):
        if not isinstance(result, (tuple, list)) or len(result) != len(desired):
            raise ExerciseFailed(f"{call} must return {len(desired)} values, and returned {_show(result)}{says}")
        for position, pair in enumerate(zip(result, desired, strict=True)):
            _compare(f"{call}, value {position},", *pair, rtol, atol, says)
        return
    try:
        got = np.asarray(to_numpy(result))
    except (ValueError, TypeError, RuntimeError):
        got = np.asarray(None)
    want = np.asarray(to_numpy(desired))
    if got.dtype.kind not in _KINDS:  # not numbers
        raise ExerciseFailed(f"{call} must return {_show(desired)}, and returned {_show(result)}{says}")
    fits, kind = _KINDS[want.dtype.kind]
    if got.dtype.kind not in fits:
        raise ExerciseFailed(f"{call} must hold {kind}, and holds {got.dtype}{says}")
    if got.shape != want.shape:
        raise ExerciseFailed(f"{call} must have shape {want.shape}, and has {got.shape}{says}")
    close = np.isclose(got, want, rtol=rtol, atol=atol, equal_nan=True)
    if not close.all():
        worst = tuple(int(i) for i in np.argwhere(~close)[0])
        at = f" at index {worst}" if worst else ""
        pairs = [tuple(_digits(array[worst], digits) for array in (got, want)) for digits in (6, 9, 17)]
        wrong, right = next((pair for pair in pairs if pair[0] != pair[1]), pairs[-1])  # as many digits as it takes
        raise ExerciseFailed(
            f"{call} is wrong in {np.count_nonzero(~close)} of {close.size} entries: "
            f"{wrong}{at}, where {right} is expected{says}"
        )


def _digits(number, digits):
    return str(number) if isinstance(number, np.bool_) else f"{number:.{digits}g}"


def _show(value):
    """A short description of an argument: small ones whole, to four digits, larger ones by their shape."""
    if getattr(value, "shape", None):
        kind = type(value).__name__
        small = value.size if isinstance(value, np.ndarray) else getattr(value, "numel", lambda: 99)()
        if small > 8 or getattr(value, "is_meta", False):  # "meta" tensors have no entries to show
            return f"{kind} of shape {tuple(value.shape)}"
        array = np.asarray(to_numpy(value))
        if array.dtype.kind == "f":
            array = np.reshape([float(f"{entry:.4g}") for entry in array.flat], array.shape)
        return f"{array.tolist()}"
    return textwrap.shorten(repr(value), 60, placeholder=" …")


def _is_stub(candidate):
    """Whether the body is still nothing but ``...`` (under a docstring, if any)."""
    if inspect.isclass(candidate):  # of one that a notebook defines, no source is found
        return all(name.startswith("__") and not callable(value) for name, value in vars(candidate).items())
    try:
        body = ast.parse(textwrap.dedent(inspect.getsource(candidate))).body[0].body
    except (OSError, TypeError, SyntaxError, AttributeError, IndexError):
        return False  # no source to look at: let the check speak
    return all(isinstance(s, ast.Expr) and isinstance(s.value, ast.Constant) for s in body) and (
        body[-1].value.value is Ellipsis
    )
