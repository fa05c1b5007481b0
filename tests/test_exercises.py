import contextlib
import random
import signal
import sys
import threading
import time
import types

import numpy as np
import pandas as pd
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
        (lambda x: 2 * x + 0j, "must hold real numbers, and holds complex128"),
        (lambda x: 2 * x > 0, "must hold real numbers, and holds bool"),
        (lambda x: (2 * entry for entry in x), "must return .*, and returned <generator"),
        (lambda x: {"twice": 2 * x}, "must return .*, and returned {'twice'"),
        (lambda x: x.astype("datetime64[s]"), "must return .*, and returned "),
        (lambda x: (2 * x).astype(object), "must return .*, and returned "),
        (lambda x: torch.empty(3, device="meta"), "must return .*, and returned "),
        (lambda x: x * np.nan, "wrong in 3 of 3"),
    ],
)
def test_a_wrong_solution_is_told_what_differs(candidate, says):
    with pytest.raises(ExerciseFailed, match=says) as error:
        exercises.check("toy/vectors/double", candidate)
    assert "[0.0, 1.0, 2.0]" in str(error.value)  # the call that went wrong


@pytest.mark.parametrize(
    "candidate",
    [
        lambda x: [2 * float(entry) for entry in x],
        lambda x: 2 * x.astype(int),
        lambda x: pd.Series(2 * x),
        lambda x: (2 * torch.tensor(x)).requires_grad_(),
        lambda x: [torch.tensor(2 * entry, requires_grad=True) for entry in x],
        lambda x: (2 * torch.tensor(x)).bfloat16(),
        lambda x: (2 * torch.tensor(x)).to_sparse(),
    ],
    ids=["list", "whole numbers", "pandas", "gradient", "list with gradients", "bfloat16", "sparse"],
)
def test_numbers_are_right_however_they_are_kept(candidate):
    exercises.check("toy/vectors/double", candidate)


KINDS = {
    "bools": np.array([True, False]),
    "whole": np.array([1, 0]),
    "real": np.ones(2) / 3,
    "complex": np.array([1j, 0]),
}
FITTING = {"bools": ["bools"], "whole": ["whole"], "real": ["whole", "real"], "complex": ["whole", "real", "complex"]}


@pytest.mark.parametrize("asked", KINDS)
@pytest.mark.parametrize("given", KINDS)
def test_a_result_is_of_the_kind_that_is_asked_for(asked, given):
    words = {"bools": "bools", "whole": "whole numbers", "real": "real numbers", "complex": "numbers"}[asked]
    says = "wrong in" if given in FITTING[asked] else f"must hold {words}, and holds {KINDS[given].dtype}. A hint"
    with pytest.raises(ExerciseFailed, match=says):
        expect(lambda: KINDS[given], (), 5 * KINDS[asked] + 7 if asked != "bools" else ~KINDS[asked], says="A hint")
    if asked == given:
        expect(lambda: KINDS[given], (), torch.from_numpy(KINDS[asked]))


def test_small_whole_numbers_do_not_wrap_around():
    with pytest.raises(ExerciseFailed, match="wrong in 1 of 2 entries: 255 at"):
        expect(lambda: np.array([1, 255], np.uint8), (), np.array([1, -1]))


def test_where_nan_is_expected_nan_is_right_and_nothing_else_is():
    desired = np.array([1.0, np.nan, np.inf])
    expect(lambda: desired.copy(), (), desired)
    for wrong in (np.array([1.0, 0.0, np.inf]), np.array([np.nan, np.nan, np.inf]), np.array([1.0, np.nan, 1e308])):
        with pytest.raises(ExerciseFailed, match="wrong in 1 of 3"):
            expect(lambda wrong=wrong: wrong, (), desired, rtol=0.1, atol=0.1)


def test_numbers_have_as_many_digits_as_it_takes():
    third = torch.full((2, 1), 1 / 3, dtype=torch.float64)
    says = r"\(\[\[0.3333\], \[0.3333\]\]\).*0.333333343 at .*, where 0.333333333 is expected"
    with pytest.raises(ExerciseFailed, match=says):
        expect(lambda x: x.float().double(), (third,), third, atol=1e-12)


def test_the_reader_sees_the_message_and_no_stack_of_ours():
    assert ExerciseFailed("it is 3")._render_traceback_() == ["Not yet: it is 3"]


@pytest.mark.parametrize("leave", [sys.exit, exit])
def test_a_solution_that_ends_python_is_told_not_to(leave):
    with pytest.raises(ExerciseFailed, match="vectors/double would end Python: a solution returns its result"):
        exercises.check("toy/vectors/double", lambda x: leave())


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


def endless(x):
    end = time.monotonic() + 20  # a test that fails must not hang
    while time.monotonic() < end:
        pass


def endless_and_stubborn(x):
    for _ in range(2):
        try:
            endless(x)
        except:  # noqa: E722
            if not patience.pop():
                raise


def endless_and_pleased(x):
    try:
        endless(x)
    except Exception:
        return 2 * x


patience = []


@pytest.mark.parametrize("candidate", [endless, endless_and_stubborn, endless_and_pleased, lambda x: time.sleep(20)])
def test_a_loop_without_an_end_has_one(candidate, monkeypatch):
    monkeypatch.setattr(exercises, "TIME_LIMIT", 0.05)
    patience[:] = [False, True]
    before = signal.getsignal(signal.SIGALRM)
    with pytest.raises(ExerciseFailed, match=r"took more than 0.05 s: is there a loop in it without an end"):
        exercises.check("toy/vectors/double", candidate)
    assert signal.getsignal(signal.SIGALRM) is before and signal.getitimer(signal.ITIMER_REAL) == (0, 0)


@pytest.fixture
def alarm():
    """Somebody else's alarm, a hundred seconds away."""
    before = signal.signal(signal.SIGALRM, lambda *_: None)
    signal.setitimer(signal.ITIMER_REAL, 100, 30)
    yield signal.getsignal(signal.SIGALRM)
    signal.setitimer(signal.ITIMER_REAL, 0)
    signal.signal(signal.SIGALRM, before)


@pytest.mark.parametrize("candidate", [lambda x: 2 * x, lambda x: x, lambda x: 1 / 0, lambda x: sys.exit()])
def test_an_alarm_of_somebody_else_is_given_back(candidate, alarm):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(exercises, "TIME_LIMIT", 7)
        with contextlib.suppress(ExerciseFailed, ZeroDivisionError):
            exercises.check("toy/vectors/double", candidate)
    delay, interval = signal.getitimer(signal.ITIMER_REAL)
    assert signal.getsignal(signal.SIGALRM) is alarm and 90 < delay <= 100 and interval == 30


def test_the_reader_can_interrupt_a_check():
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # what runs in the background has none
    try:
        with pytest.raises(KeyboardInterrupt):
            exercises.check("toy/vectors/double", lambda x: signal.raise_signal(signal.SIGINT))
    finally:
        signal.signal(signal.SIGINT, before)
    assert signal.getitimer(signal.ITIMER_REAL) == (0, 0)


def test_a_check_works_outside_the_main_thread(capsys):
    thread = threading.Thread(target=exercises.check, args=("toy/vectors/double", lambda x: 2 * x))
    thread.start()
    thread.join()
    assert capsys.readouterr().out == "toy/vectors/double: correct\n"


@pytest.mark.parametrize("right", [True, False])
def test_a_check_leaves_the_readers_random_numbers_and_default_type_alone(right):
    def careless(x):
        for set_seed in (torch.manual_seed, np.random.seed, random.seed):
            set_seed(1)
        torch.set_default_dtype(torch.float64 if before == torch.float32 else torch.float32)
        return 2 * x if right else x

    def draw():
        return torch.rand(3).tolist(), np.random.rand(3).tolist(), random.random()

    before = torch.get_default_dtype()
    states = torch.get_rng_state(), np.random.get_state(), random.getstate()
    expected = draw()
    for set_state, state in zip((torch.set_rng_state, np.random.set_state, random.setstate), states, strict=True):
        set_state(state)
    try:
        exercises.check("toy/vectors/double", careless)
    except ExerciseFailed:
        assert not right
    assert draw() == expected and torch.get_default_dtype() == before


def test_a_check_is_the_same_each_time(monkeypatch):
    seen = []
    module = sys.modules["helpers.toy.exercises.vectors"]
    exec("import torch\ndef draw(candidate): candidate(torch.rand(2).tolist())", vars(module))
    for _ in range(2):
        torch.rand(1)
        exercises.check("toy/vectors/draw", seen.append)
    assert seen[0] == seen[1]
