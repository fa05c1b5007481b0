"""Claims of the book, checked where they stand.

A displayed equation labelled ``eq-…`` asserts something; the cell below it calls :func:`equal` or :func:`holds`
with the same label. A false claim raises :class:`ClaimError`. A true one prints a line that is the same on every
machine; the error that was measured, which is not, travels in the output's metadata to the ledger page.
"""

import numpy as np
from IPython.display import display

METADATA_KEY = "shared_weights"  # where the ledger finds a claim in an executed notebook


class ClaimError(AssertionError):
    """A claim of the book does not hold, or the check of it checks nothing."""


class _Verdict:
    """One printed line, with the measured error in the output's metadata."""

    def __init__(self, line, **claim):
        self.line, self.claim = line, claim

    def __repr__(self):
        return self.line

    def _repr_mimebundle_(self, include=None, exclude=None):
        return {"text/plain": self.line}, {METADATA_KEY: self.claim}


def equal(label, actual, desired, rtol=0.0, atol=0.0):
    """Check that two sides of the equation ``label``, computed by independent routes, agree element by element.

    ``actual`` and ``desired`` are numbers, arrays or tensors of one shape, or two lists of them that are compared
    pair by pair (several random cases of one claim). They agree when |actual − desired| ≤ atol + rtol·|desired|;
    with both tolerances 0 they must be identical.

    Raises ClaimError when they do not agree, hold a NaN, differ in shape, are empty, or share their memory.
    """
    _check_label(label)
    pairs = _pairs(label, actual, desired)
    largest = max(_error(label, a, d, rtol, atol) for a, d in pairs)
    if rtol == atol == 0:
        how = "exactly"
    else:
        how = " + ".join(f"{t:.0e}{of}".replace("e-0", "e-") for t, of in ((atol, ""), (rtol, " relative")) if t)
        how = f"to {how}"
    display(_Verdict(f"{label} holds {how}", label=label, error=largest, rtol=rtol, atol=atol, cases=len(pairs)))


def holds(label, condition):
    """Check that the statement ``label`` is true; ``condition`` is one bool (Python's, NumPy's or a 0-d tensor's).

    Raises ClaimError when it is false, TypeError when it is not one bool (an array of them says nothing by itself).
    """
    _check_label(label)
    value = np.asarray(to_numpy(condition))
    if value.shape != () or value.dtype != np.bool_:
        raise TypeError(f"{label}: the condition must be one bool, not {value.dtype} of shape {value.shape}")
    if not value:
        raise ClaimError(f"{label} does not hold")
    display(_Verdict(f"{label} holds", label=label, cases=1))


def _check_label(label):
    if not (isinstance(label, str) and label.startswith("eq-")):
        raise ValueError(f"a claim's label starts with 'eq-' and is the label of its equation, not {label!r}")


def _pairs(label, actual, desired):
    many = [isinstance(side, (list, tuple)) and any(_is_array(x) for x in side) for side in (actual, desired)]
    if not any(many):
        return [(actual, desired)]
    if not all(many) or len(actual) != len(desired):
        raise ClaimError(f"{label}: give two lists of the same length, one array a case, or two arrays")
    return list(zip(actual, desired, strict=True))


def _error(label, actual, desired, rtol, atol):
    """The largest |actual − desired|; raises ClaimError where it is over the tolerance."""
    same_object = actual is desired and _is_array(actual)
    actual, desired = np.asarray(to_numpy(actual)), np.asarray(to_numpy(desired))
    if same_object or np.shares_memory(actual, desired):
        raise ClaimError(f"{label}: both sides are the same array, so nothing is checked")
    if actual.shape != desired.shape:
        raise ClaimError(f"{label}: the sides have shapes {actual.shape} and {desired.shape}")
    if actual.size == 0:
        raise ClaimError(f"{label}: nothing to compare, both sides are empty")
    if np.isnan(actual).any() or np.isnan(desired).any():
        raise ClaimError(f"{label}: a side holds NaN")
    if actual.dtype == desired.dtype == np.bool_:
        actual, desired = actual.astype(int), desired.astype(int)
    with np.errstate(invalid="ignore"):  # inf − inf, put right in the next line
        error = np.where(actual == desired, 0.0, np.abs(actual - desired))
    within = error <= atol + rtol * np.abs(desired)
    if not within.all():
        worst = np.unravel_index(np.argmax(np.where(within, -1.0, error)), error.shape)
        at = f" at index {tuple(int(i) for i in worst)}" if error.ndim else ""
        raise ClaimError(
            f"{label} does not hold: {np.count_nonzero(~within)} of {within.size} entries differ; the worst{at} is "
            f"{actual[worst]} against {desired[worst]}, {error[worst]:.2e} apart (rtol={rtol:g}, atol={atol:g})"
        )
    return float(error.max())


def _is_array(x):
    return hasattr(x, "shape")


def to_numpy(x):
    """A tensor as an array, whatever its device, gradient, layout or lazy conjugation; anything else as it is."""
    if not hasattr(x, "detach"):
        return x
    return x.detach().to_dense().cpu().resolve_conj().resolve_neg().numpy()
