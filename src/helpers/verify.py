"""Claims of the book, checked where they stand.

A displayed equation labelled ``eq-…`` asserts something; a cell tagged ``check`` below it calls :func:`equal` or
:func:`holds` with the same label. A false claim raises :class:`ClaimError`. A true one prints a line that is the same
on every machine; the error that was measured, which is not, travels in the output's metadata to the ledger page.
"""

import math
from numbers import Real

import numpy as np
from IPython.display import display

METADATA_KEY = "shared_weights"  # where the ledger finds a claim in an executed notebook


class ClaimError(AssertionError):
    """A claim of the book does not hold, or the check of it checks nothing."""

    def _render_traceback_(self):
        return [f"ClaimError: {self}"]  # the equation is at fault, or its check, not the line of ours that found it


class _Verdict:
    """One printed line, with the measured error in the output's metadata."""

    def __init__(self, line, **claim):
        self.line, self.claim = line, claim

    def __repr__(self):
        return self.line

    def _repr_mimebundle_(self, include=None, exclude=None):
        return {"text/plain": self.line}, {METADATA_KEY: self.claim}


def equal(label, pairs, *, against, rtol=0.0, atol=0.0):
    """Check that the two sides of the equation ``label``, computed by independent routes, agree in every case.

    ``pairs`` holds one tuple ``(left, right)`` for each case (a generator will do): numbers, arrays or tensors of one
    shape. They agree when |left − right| ≤ atol + rtol·|right| in every entry; with both tolerances 0 they must be
    identical. ``against`` names the independent route, as readers see it: "autograd", "PyG", "brute force".

    Raises ClaimError when a case does not agree, holds a NaN or no numbers, differs in shape, is empty, or has one
    thing on both sides, and when there is no case; ValueError for a label, a route or a tolerance that is none.
    """
    _check_words(label, against)
    for name, tolerance in (("rtol", rtol), ("atol", atol)):
        number = isinstance(tolerance, Real) and not isinstance(tolerance, bool)
        if not (number and math.isfinite(tolerance) and tolerance >= 0):
            raise ValueError(f"{label}: {name} = {tolerance!r}: expected a finite number that is not negative")
    errors = [_error(_case(label, n), *pair, rtol, atol) for n, pair in enumerate(_tuples(label, pairs))]
    if not errors:
        raise ClaimError(f"{label}: there is no case, so nothing is checked")
    how = " + ".join(f"{t:.0e}{of}".replace("e-0", "e-") for t, of in ((atol, ""), (rtol, " relative")) if t)
    claim = {"label": label, "against": against, "cases": len(errors)}
    claim |= {"error": max(errors), "rtol": float(rtol), "atol": float(atol)}
    display(_Verdict(f"{_line(claim)}, {f'to {how}' if how else 'exactly'}", **claim))


def holds(label, condition, *, against, cases=1):
    """Check that the statement ``label`` is true; ``condition`` is one bool (Python's, NumPy's or a 0-d tensor's).

    ``against`` names the independent route and ``cases`` says on how many cases it was tried, as for :func:`equal`.
    Raises ClaimError when it is false, TypeError when it is not one bool (an array of them says nothing by itself),
    ValueError for a label, a route or a number of cases that is none.
    """
    _check_words(label, against)
    if type(cases) is not int or cases < 1:
        raise ValueError(f"{label}: cases = {cases!r}: expected a whole number from 1 on")
    value = np.asarray(to_numpy(condition))
    if value.shape != () or value.dtype != np.bool_:
        raise TypeError(f"{label}: the condition must be one bool, not {value.dtype} of shape {value.shape}")
    if not value:
        raise ClaimError(f"{label} does not hold")
    claim = {"label": label, "against": against, "cases": cases}
    display(_Verdict(_line(claim), **claim))


def _line(claim):
    cases = f"{claim['cases']} case{'s' * (claim['cases'] > 1)}"
    return f"{claim['label']} holds against {claim['against']}, {cases}"


def _check_words(label, against):
    if not (isinstance(label, str) and label.startswith("eq-")):
        raise ValueError(f"a claim's label starts with 'eq-' and is the label of its equation, not {label!r}")
    if not (isinstance(against, str) and against.strip()):
        raise ValueError(f"{label}: against says in words what the claim was held against, and is {against!r}")


def _case(label, number):
    return label if number == 0 else f"{label}, case {number + 1}"


def _tuples(label, pairs):
    """The cases, one by one; bare arrays, which are iterable too, are refused with a hint."""
    hint = f"{label}: expected pairs (left, right), one for each case; a single case is [(left, right)]"
    if isinstance(pairs, (str, dict)) or not hasattr(pairs, "__iter__") or hasattr(pairs, "shape"):
        called = " (a generator function must be called)" if callable(pairs) else ""
        raise TypeError(f"{hint}, not {type(pairs).__name__}{called}")
    for pair in pairs:
        if type(pair) is not tuple or len(pair) != 2:
            raise TypeError(f"{hint}, not {type(pair).__name__}")
        yield pair


def _error(label, left, right, rtol, atol):
    """The largest |left − right|; raises ClaimError where it is over the tolerance."""
    parts = zip(_parts(left), _parts(right), strict=False)
    same = any(one is other and type(one) not in (bool, int, float, complex) for one, other in parts)
    left, right = _numbers(label, left), _numbers(label, right)
    if same or np.shares_memory(left, right):
        raise ClaimError(f"{label}: both sides are the same object, so nothing is checked")
    if left.shape != right.shape:
        raise ClaimError(f"{label}: the sides have shapes {left.shape} and {right.shape}")
    if left.size == 0:
        raise ClaimError(f"{label}: nothing to compare, both sides are empty")
    if np.isnan(left).any() or np.isnan(right).any():
        raise ClaimError(f"{label}: a side holds NaN")
    shape = left.shape
    left, right = _without_overflow(left.ravel(), right.ravel())
    identical = (left == right).astype(bool)
    with np.errstate(invalid="ignore", over="ignore"):  # inf − inf: identical, or apart by what is no number
        error = np.where(identical, 0.0, np.abs(left - right).astype(float))
        tolerance = atol + rtol * np.abs(right).astype(float)
    error[np.isnan(error)] = np.inf
    within = identical | ((error <= tolerance) & np.isfinite(tolerance) & (tolerance > 0))
    if not within.all():
        worst = np.argmax(np.where(within, -1.0, error))
        at = f" at index {tuple(int(i) for i in np.unravel_index(worst, shape))}" if shape else ""
        raise ClaimError(
            f"{label} does not hold: {np.count_nonzero(~within)} of {within.size} entries differ; the worst{at} is "
            f"{left[worst]} against {right[worst]}, {error[worst]:.2e} apart (rtol={rtol:g}, atol={atol:g})"
        )
    return float(error.max())


def _parts(x):
    """A side, and if it is a list its entries, however deep."""
    yield x
    if isinstance(x, (list, tuple)):
        for entry in x:
            yield from _parts(entry)


def _numbers(label, x):
    """A side as an array of numbers, no entry of it hidden."""
    if any(isinstance(part, np.ma.MaskedArray) for part in _parts(x)):
        raise ClaimError(f"{label}: a masked array hides entries; compare its filled() or compressed() form")
    try:
        array = np.asarray(to_numpy(x))
    except (TypeError, ValueError, RuntimeError) as error:
        raise ClaimError(f"{label}: a side is no array of numbers: {error}") from None
    if array.dtype.kind not in "biufc":
        raise ClaimError(f"{label}: a side holds {array.dtype}, not numbers")
    return array


def _without_overflow(left, right):
    """Both sides in types whose difference is right: Python's numbers where one is whole, else doubles at least."""
    kinds = {left.dtype.kind, right.dtype.kind}
    if not kinds <= set("fc"):
        return [np.array([entry + 0 for entry in side.tolist()], object) for side in (left, right)]
    double = np.result_type(left, right, np.float64)
    return left.astype(double), right.astype(double)


def to_numpy(x):
    """A tensor as an array, whatever its device, gradient, layout, precision or lazy conjugation, and a list of such
    as a list of arrays; anything else as it is.
    """
    if isinstance(x, (list, tuple)):
        return [to_numpy(entry) for entry in x]
    if not hasattr(x, "detach"):
        return x
    x = x.detach().to_dense().cpu().resolve_conj().resolve_neg()
    return (x.float() if str(x.dtype) == "torch.bfloat16" else x).numpy()  # NumPy has no bfloat16
