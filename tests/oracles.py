"""Trying the oracle of an exercise: it takes a right solution, and refuses plausible wrong ones with a hint."""

import pytest

from helpers.exercises import ExerciseFailed, check


def tried(name, right, *wrong):
    """Each of ``wrong`` is a pair: a solution, and words of the hint that it must be refused with."""
    check(name, right)
    for number, (solution, hint) in enumerate(wrong):
        try:
            check(name, solution)
        except ExerciseFailed as failure:
            if hint not in str(failure):
                pytest.fail(f"{name} refuses wrong solution {number} without {hint!r}: {failure}")
        else:
            pytest.fail(f"{name} takes wrong solution {number}, which should be refused with {hint!r}")
