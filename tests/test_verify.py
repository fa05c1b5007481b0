import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from helpers import verify

finite = hnp.arrays(float, hnp.array_shapes(max_dims=3), elements=st.floats(-1e6, 1e6))


@given(finite)
def test_a_claim_holds_between_a_result_and_an_independent_copy(x):
    verify.equal("eq-x", [(x, x.copy())], against="a copy")


@given(finite, st.data())
def test_one_wrong_entry_is_found_and_named(x, data):
    index = data.draw(st.tuples(*(st.integers(0, n - 1) for n in x.shape)))
    wrong = x.copy()
    wrong[index] += 1.0
    with pytest.raises(verify.ClaimError, match=r"eq-x does not hold: 1 of \d+ entries differ") as error:
        verify.equal("eq-x", [(wrong, x)], against="x", atol=1e-3)
    assert str(index) in str(error.value)


@given(st.floats(1e-12, 1e-2), st.floats(1e-12, 1e-2), st.floats(0.1, 100))
def test_the_tolerance_is_absolute_plus_relative(atol, rtol, desired):
    tolerance = atol + rtol * desired
    verify.equal("eq-x", [(desired + 0.99 * tolerance, desired)], against="x", rtol=rtol, atol=atol)
    with pytest.raises(verify.ClaimError):
        verify.equal(
            "eq-x", [(desired + 1.01 * tolerance + 1e-13 * desired, desired)], against="x", rtol=rtol, atol=atol
        )


def test_the_printed_line_has_no_measured_number_and_the_metadata_has():
    pairs = [(np.array([1.0, 2.0]), np.array([1.0, 2.0 + 1e-9])), (1.0, 1.0)]
    verdict = printed(lambda: verify.equal("eq-x", pairs, against="brute force", atol=1e-6))
    data, metadata = verdict._repr_mimebundle_()
    assert data == {"text/plain": "eq-x holds against brute force, 2 cases, to 1e-6"}
    claim = metadata[verify.METADATA_KEY]
    assert (claim["label"], claim["against"], claim["cases"]) == ("eq-x", "brute force", 2)
    assert (claim["rtol"], claim["atol"]) == (0, 1e-6)
    assert claim["error"] == pytest.approx(1e-9, rel=1e-3)


def test_the_tolerance_is_relative_to_the_right_side():
    verify.equal("eq-x", [(1.0, 1.2)], against="x", rtol=0.18)
    with pytest.raises(verify.ClaimError):
        verify.equal("eq-x", [(1.2, 1.0)], against="x", rtol=0.18)


@pytest.mark.parametrize(
    ("tolerances", "how"),
    [
        ({}, "exactly"),
        ({"rtol": 1e-5}, "to 1e-5 relative"),
        ({"rtol": 1e-5, "atol": 1e-12}, "to 1e-12 + 1e-5 relative"),
    ],
)
def test_the_line_says_the_tolerance(tolerances, how):
    verdict = printed(lambda: verify.equal("eq-x", [(1.0, 1.0)], against="x", **tolerances))
    assert repr(verdict) == f"eq-x holds against x, 1 case, {how}"


def test_every_case_counts_and_the_wrong_one_is_named():
    def cases(last):
        yield torch.ones(2), np.ones(2)
        yield np.ones(3), last

    assert printed(lambda: verify.equal("eq-x", cases(np.ones(3)), against="x")).claim["cases"] == 2
    with pytest.raises(verify.ClaimError, match="eq-x, case 2 does not hold"):
        verify.equal("eq-x", cases(np.zeros(3)), against="x")


@pytest.mark.parametrize("pairs", [np.ones((3, 2)), [np.ones(2)], [[1, 2]], [(1, 2, 3)], (1, 1), "ab", 1, lambda: 1])
def test_what_is_no_pairs_is_told_how_to_give_a_single_case(pairs):
    with pytest.raises(TypeError, match=r"a single case is \[\(left, right\)\]"):
        verify.equal("eq-x", pairs, against="x")


@pytest.mark.parametrize("pairs", [[], (), iter([])])
def test_no_case_is_no_check(pairs):
    with pytest.raises(verify.ClaimError, match="there is no case"):
        verify.equal("eq-x", pairs, against="x")


@pytest.mark.parametrize("tolerance", [np.inf, np.nan, -1.0, "1", None, [1.0], True, 1j])
@pytest.mark.parametrize("name", ["rtol", "atol"])
def test_a_tolerance_is_a_finite_number(name, tolerance):
    with pytest.raises(ValueError, match="expected a finite number that is not negative"):
        verify.equal("eq-x", [(1.0, 1.0)], against="x", **{name: tolerance})


LARGE, SMALL = np.iinfo(np.int64).max, np.iinfo(np.int64).min


@pytest.mark.parametrize(
    ("left", "right", "says"),
    [
        (np.ones(3), np.ones(4), "shapes"),
        (np.ones((3, 1)), np.ones(3), "shapes"),  # no silent broadcasting
        (np.array([]), np.array([]), "empty"),
        (np.array([np.nan]), np.array([np.nan]), "NaN"),
        (np.array([np.nan]), np.array([1.0]), "NaN"),
        (np.array([1.0]), np.array([np.nan]), "NaN"),
        (np.array([np.inf]), np.array([1.0]), "does not hold"),
        (np.array([1.0]), np.array([np.inf]), "does not hold"),
        (np.inf, -np.inf, "does not hold"),
        (torch.tensor(True), torch.tensor(False), "does not hold"),
        (np.array([True, False]), np.array([True, True]), "does not hold"),
        (np.uint8(0), np.uint8(255), "0 against 255, 2.55e"),  # whose difference wraps around to 1
        (np.array([0], np.uint8), np.array([255], np.uint8), "0 against 255"),
        (np.array([LARGE]), np.array([SMALL]), "against"),
        (np.float16(6e4), np.float16(-6e4), "does not hold"),
        (1e308, -1e308, "does not hold"),
        (1 + 1j, 1 - 1j, "does not hold"),
        (np.array(["a"]), np.array(["a"]), "not numbers"),
        (None, None, "not numbers"),
        ([1.0, [2.0]], 1.0, "no array of numbers"),
        (np.ma.array([1.0, 2.0], mask=[False, True]), np.array([1.0, 5.0]), "masked array hides"),
        (np.array([1.0, 2.0]), np.ma.array([1.0, 5.0], mask=[False, True]), "masked array hides"),
        ([[np.ma.array([1.0], mask=[True])]], [[[1.0]]], "masked array hides"),
    ],
)
@pytest.mark.parametrize("tolerances", [{}, {"rtol": 1e-3}, {"atol": 0.5, "rtol": 1e-3}])
def test_a_check_that_cannot_succeed_says_why(left, right, says, tolerances):
    with pytest.raises(verify.ClaimError, match=says):
        verify.equal("eq-x", [(left, right)], against="x", **tolerances)


def test_whole_numbers_that_no_double_holds_are_told_apart():
    for right in (2.0**53, complex(2**53)):
        with pytest.raises(verify.ClaimError, match=r"9007199254740993 against .?9007199254740992"):
            verify.equal("eq-x", [(np.array([2**53 + 1]), np.array([right]))], against="x")


def test_infinity_equals_itself_alone():
    verify.equal("eq-x", [(np.array([np.inf, 1.0]), np.array([np.inf, 1.0]))], against="x", rtol=1e-3)


def test_a_thing_against_itself_is_no_check():
    x = np.arange(6.0).reshape(2, 3)
    listed = [1.0, 2.0]
    t = torch.ones(3, requires_grad=True)
    lists = (listed, listed), ([x, x + 1], [x, x + 1]), (([t],), ([t],))
    for left, right in ((x, x), (x, x.T.T), (x, x[:, ::1]), (t, t), (t, t.detach()), *lists):
        with pytest.raises(verify.ClaimError, match="same object"):
            verify.equal("eq-x", [(left, right)], against="x")
    verify.equal("eq-x", [(1.0, 1.0)], against="x")  # of numbers there is only one each


def test_tensors_of_any_kind_are_compared():
    z = torch.tensor([1 + 2j, 3 - 1j])
    with_gradient = torch.ones(2, requires_grad=True)
    pairs = [
        (z.conj(), np.array([1 - 2j, 3 + 1j], dtype=np.complex64)),
        (torch.eye(3).to_sparse(), np.eye(3, dtype=np.float32)),
        (with_gradient * 2, np.full(2, 2, dtype=np.float32)),
        (torch.ones(2, dtype=torch.bfloat16), np.ones(2)),
        ([with_gradient, with_gradient], np.ones((2, 2))),
    ]
    verify.equal("eq-x", pairs, against="NumPy")


def test_a_statement_is_one_bool():
    verify.holds("eq-x", np.bool_(True), against="x")
    verdict = printed(lambda: verify.holds("eq-x", torch.tensor(True), against="brute force", cases=12))
    assert repr(verdict) == "eq-x holds against brute force, 12 cases"
    assert verdict.claim == {"label": "eq-x", "against": "brute force", "cases": 12}
    with pytest.raises(verify.ClaimError, match="eq-x does not hold"):
        verify.holds("eq-x", False, against="x")
    for several in ([True, True], np.ones(2, bool), 1, "yes"):
        with pytest.raises(TypeError, match="one bool"):
            verify.holds("eq-x", several, against="x")
    for cases in (0, -1, 1.0, True):
        with pytest.raises(ValueError, match="expected a whole number from 1 on"):
            verify.holds("eq-x", True, against="x", cases=cases)


def test_only_equations_have_claims_and_every_claim_says_its_route():
    for call in (lambda *a, **k: verify.equal(*a, [(1, 1)], **k), lambda *a, **k: verify.holds(*a, True, **k)):
        with pytest.raises(ValueError, match="starts with 'eq-'"):
            call("def-x", against="x")
        with pytest.raises(ValueError, match="against says in words"):
            call("eq-x", against=" ")
        with pytest.raises(TypeError, match="against"):
            call("eq-x")


def test_a_false_claim_is_shown_without_the_lines_that_found_it():
    assert verify.ClaimError("eq-x does not hold")._render_traceback_() == ["ClaimError: eq-x does not hold"]


def printed(call):
    """The verdict that a call displays."""
    shown = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(verify, "display", shown.append)
        call()
    return shown[0]
