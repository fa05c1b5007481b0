"""Checks of the reader's own solutions, against oracles that are not a second copy of ours.

The oracle of exercise ``"gnn/circulant/shift"`` is the function ``shift`` of ``helpers.gnn.exercises.circulant``.
"""

import ast
import copy
import importlib
import inspect
import textwrap

import numpy as np

from helpers.verify import to_numpy


class ExerciseFailed(AssertionError):
    """The solution differs from the reference; the message says where."""

    def _render_traceback_(self):
        return [f"Not yet: {self}"]  # the reader's code is at fault, not the line of ours that found it


def check(name, candidate):
    """Run ``candidate``, the reader's function or class, against the reference of exercise ``"part/chapter/exercise"``.

    Prints one line when it is right, or when it is still the empty stub. Raises ExerciseFailed, saying what differs,
    when it is wrong, and ValueError for an exercise that does not exist.
    """
    oracle = _oracle(name)
    if not callable(candidate):
        raise ExerciseFailed(f"{name} takes a function or a class, and got {type(candidate).__name__}")
    if _is_stub(candidate):
        print(f"{name}: not attempted yet; replace the ... and run this cell again")
        return
    oracle(candidate)
    print(f"{name}: correct")


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
    result has another type, shape or value (|result − desired| ≤ atol + rtol·|desired|); ``says`` ends the message
    with a hint. An error inside the candidate keeps its own traceback, with the call added as a note.
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
    except (ValueError, TypeError):
        got = np.asarray(None)
    want = np.asarray(to_numpy(desired))
    if got.dtype.kind in "OUS":  # not numbers
        raise ExerciseFailed(f"{call} must return {_show(desired)}, and returned {_show(result)}{says}")
    if got.shape != want.shape:
        raise ExerciseFailed(f"{call} must have shape {want.shape}, and has {got.shape}{says}")
    close = np.isclose(got, want, rtol=rtol, atol=atol, equal_nan=True)
    if not close.all():
        worst = tuple(int(i) for i in np.argwhere(~close)[0])
        at = f" at index {worst}" if worst else ""
        pairs = [(f"{got[worst]:.{digits}g}", f"{want[worst]:.{digits}g}") for digits in (6, 9, 17)]
        wrong, right = next((pair for pair in pairs if pair[0] != pair[1]), pairs[-1])  # as many digits as it takes
        raise ExerciseFailed(
            f"{call} is wrong in {np.count_nonzero(~close)} of {close.size} entries: "
            f"{wrong}{at}, where {right} is expected{says}"
        )


def _show(value):
    """A short description of an argument: small ones whole, to four digits, larger ones by their shape."""
    if getattr(value, "shape", None):
        kind = type(value).__name__
        small = value.size if isinstance(value, np.ndarray) else getattr(value, "numel", lambda: 99)()
        if small > 8:
            return f"{kind} of shape {tuple(value.shape)}"
        array = np.asarray(to_numpy(value))
        if array.dtype.kind == "f":
            array = np.reshape([float(f"{entry:.4g}") for entry in array.flat], array.shape)
        return f"{array.tolist()}"
    return textwrap.shorten(repr(value), 60, placeholder=" …")


def _is_stub(candidate):
    """Whether the body is still nothing but ``...`` (under a docstring, if any)."""
    try:
        body = ast.parse(textwrap.dedent(inspect.getsource(candidate))).body[0].body
    except (OSError, TypeError, SyntaxError, AttributeError, IndexError):
        return False  # no source to look at: let the check speak
    return all(isinstance(s, ast.Expr) and isinstance(s.value, ast.Constant) for s in body) and (
        body[-1].value.value is Ellipsis
    )
