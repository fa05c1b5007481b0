import sys
import types

import numpy as np
import pytest
import torch

from helpers import exercises
from helpers.exercises import ExerciseFailed, expect

ORACLES = """
import numpy as np
from helpers.exercises import expect

def double(candidate):
    expect(candidate, (np.arange(3.0),), np.array([0.0, 2, 4]), atol=1e-12)

def halves():
    return None
"""


@pytest.fixture(autouse=True)
def part(monkeypatch):
    """A part of the book with one exercise: double a vector."""
    module = types.ModuleType("helpers.toy.exercises.vectors")
    exec(ORACLES, vars(module))
    for name in ("helpers.toy", "helpers.toy.exercises"):
        monkeypatch.setitem(sys.modules, name, types.ModuleType(name))
    monkeypatch.setitem(sys.modules, "helpers.toy.exercises.vectors", module)


def stub(x): ...


class Stub:
    """To be written."""

    ...


def test_a_right_solution_is_correct(capsys):
    exercises.check("toy/vectors/double", lambda x: 2 * x)
    assert capsys.readouterr().out == "toy/vectors/double: correct\n"


@pytest.mark.parametrize("candidate", [stub, Stub])
def test_a_stub_is_no_mistake_yet(candidate, capsys):
    exercises.check("toy/vectors/double", candidate)
    assert "not attempted yet" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("candidate", "says"),
    [
        (lambda x: None, "returned None: does it end with a return"),
        (lambda x: 2 * x[:2], r"must have shape \(3,\), and has \(2,\)"),
        (lambda x: x, r"wrong in 2 of 3 entries: 1 at index \(1,\), where 2 is expected"),
        (lambda x: "2x", "must return"),
        (lambda x: [1, [2]], "must return"),
        (lambda x: 2j * x, r"wrong in 2 of 3"),
        (lambda x: x * np.nan, "wrong in 3 of 3"),
    ],
)
def test_a_wrong_solution_is_told_what_differs(candidate, says):
    with pytest.raises(ExerciseFailed, match=says) as error:
        exercises.check("toy/vectors/double", candidate)
    assert "[0.0, 1.0, 2.0]" in str(error.value)  # the call that went wrong


def test_numbers_have_as_many_digits_as_it_takes():
    third = torch.full((2, 1), 1 / 3, dtype=torch.float64)
    says = r"\(\[\[0.3333\], \[0.3333\]\]\).*0.333333343 at .*, where 0.333333333 is expected"
    with pytest.raises(ExerciseFailed, match=says):
        expect(lambda x: x.float().double(), (third,), third, atol=1e-12)


def test_the_reader_sees_the_message_and_no_stack_of_ours():
    assert ExerciseFailed("it is 3")._render_traceback_() == ["Not yet: it is 3"]


def test_an_error_in_the_solution_stays_the_readers_own():
    with pytest.raises(ZeroDivisionError) as error:
        exercises.check("toy/vectors/double", lambda x: 1 / 0)
    assert "check of your solution" in error.value.__notes__[0]


@pytest.mark.parametrize("exercise", ["triple", "", "halves", "expect", "np", "__name__", "double/more"])
def test_an_exercise_that_does_not_exist_points_to_one_that_does(exercise):
    with pytest.raises(ValueError, match=r"no exercise is called 'toy/vectors/.*': toy/vectors has double"):
        exercises.check(f"toy/vectors/{exercise}", stub)


@pytest.mark.parametrize("name", ["toy/double", "toy/rings/double", "nowhere/vectors/double", "double", ""])
def test_a_chapter_that_does_not_exist_is_said_to_be_none(name):
    with pytest.raises(ValueError, match=r"no exercise is called '.*', nor is there such a chapter"):
        exercises.check(name, stub)


def test_a_candidate_that_cannot_be_called():
    with pytest.raises(ExerciseFailed, match="takes a function or a class, and got ndarray"):
        exercises.check("toy/vectors/double", np.ones(3))


def test_several_results_and_tensors():
    expect(lambda x: (x, x.sum()), (torch.ones(2),), (np.ones(2), np.array(2.0)))
    with pytest.raises(ExerciseFailed, match="must return 2 values"):
        expect(lambda x: x, (torch.ones(3),), (np.ones(3), np.array(3.0)))
    with pytest.raises(ExerciseFailed, match="value 1, is wrong"):
        expect(lambda x: (x, 5.0), (torch.ones(2),), (np.ones(2), np.array(2.0)))


def test_the_solution_cannot_change_the_arguments_of_the_check():
    def careless(x):
        x *= 2
        return x

    x = np.arange(3.0)
    expect(careless, (x,), 2 * np.arange(3.0))
    assert (x == np.arange(3.0)).all()
