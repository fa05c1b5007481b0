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
    verify.equal("eq-x", x, x.copy())


@given(finite, st.data())
def test_one_wrong_entry_is_found_and_named(x, data):
    index = data.draw(st.tuples(*(st.integers(0, n - 1) for n in x.shape)))
    wrong = x.copy()
    wrong[index] += 1.0
    with pytest.raises(verify.ClaimError, match=r"eq-x does not hold: 1 of \d+ entries differ") as error:
        verify.equal("eq-x", wrong, x, atol=1e-3)
    assert str(index) in str(error.value)


@given(st.floats(1e-12, 1e-2), st.floats(1e-12, 1e-2), st.floats(0.1, 100))
def test_the_tolerance_is_absolute_plus_relative(atol, rtol, desired):
    tolerance = atol + rtol * desired
    verify.equal("eq-x", desired + 0.99 * tolerance, desired, rtol=rtol, atol=atol)
    with pytest.raises(verify.ClaimError):
        verify.equal("eq-x", desired + 1.01 * tolerance + 1e-13 * desired, desired, rtol=rtol, atol=atol)


def test_the_printed_line_has_no_measured_number_and_the_metadata_has():
    verdict = printed(lambda: verify.equal("eq-x", np.array([1.0, 2.0]), np.array([1.0, 2.0 + 1e-9]), atol=1e-6))
    data, metadata = verdict._repr_mimebundle_()
    assert data == {"text/plain": "eq-x holds to 1e-6"}
    assert metadata[verify.METADATA_KEY]["label"] == "eq-x"
    assert metadata[verify.METADATA_KEY]["error"] == pytest.approx(1e-9, rel=1e-3)


@pytest.mark.parametrize(
    ("tolerances", "line"),
    [
        ({}, "eq-x holds exactly"),
        ({"rtol": 1e-5}, "eq-x holds to 1e-5 relative"),
        ({"rtol": 1e-5, "atol": 1e-12}, "eq-x holds to 1e-12 + 1e-5 relative"),
    ],
)
def test_the_line_says_the_tolerance(tolerances, line):
    assert repr(printed(lambda: verify.equal("eq-x", 1.0, 1.0, **tolerances))) == line


def test_lists_are_compared_case_by_case():
    verdict = printed(lambda: verify.equal("eq-x", [torch.ones(2), torch.ones(3)], [np.ones(2), np.ones(3)]))
    assert verdict.claim["cases"] == 2
    with pytest.raises(verify.ClaimError):
        verify.equal("eq-x", [np.ones(2), np.ones(3)], [np.ones(2), np.zeros(3)])
    with pytest.raises(verify.ClaimError, match="same length"):
        verify.equal("eq-x", [np.ones(2), np.ones(3)], [np.ones(2)])


@pytest.mark.parametrize(
    ("actual", "desired", "says"),
    [
        (np.ones(3), np.ones(4), "shapes"),
        (np.ones((3, 1)), np.ones(3), "shapes"),  # no silent broadcasting
        (np.array([]), np.array([]), "empty"),
        (np.array([np.nan]), np.array([np.nan]), "NaN"),
        (np.array([np.inf]), np.array([1.0]), "does not hold"),
        (torch.tensor(True), torch.tensor(False), "does not hold"),
    ],
)
def test_a_check_that_cannot_succeed_says_why(actual, desired, says):
    with pytest.raises(verify.ClaimError, match=says):
        verify.equal("eq-x", actual, desired, atol=1.0 if says != "does not hold" else 0.5)


def test_a_thing_against_itself_is_no_check():
    x = np.arange(6.0).reshape(2, 3)
    for other in (x, x.T.T, x[:, ::1]):
        with pytest.raises(verify.ClaimError, match="same array"):
            verify.equal("eq-x", x, other)
    t = torch.ones(3, requires_grad=True)
    with pytest.raises(verify.ClaimError, match="same array"):
        verify.equal("eq-x", t, t.detach())


def test_tensors_of_any_kind_are_compared():
    z = torch.tensor([1 + 2j, 3 - 1j])
    verify.equal("eq-x", z.conj(), np.array([1 - 2j, 3 + 1j], dtype=np.complex64))
    verify.equal("eq-x", torch.eye(3).to_sparse(), np.eye(3, dtype=np.float32))
    verify.equal("eq-x", torch.ones(2, requires_grad=True) * 2, np.full(2, 2, dtype=np.float32))


def test_a_statement_is_one_bool():
    verify.holds("eq-x", np.bool_(True))
    verify.holds("eq-x", torch.tensor(True))
    with pytest.raises(verify.ClaimError, match="eq-x does not hold"):
        verify.holds("eq-x", False)
    for several in ([True, True], np.ones(2, bool), 1, "yes"):
        with pytest.raises(TypeError, match="one bool"):
            verify.holds("eq-x", several)


def test_only_equations_have_claims():
    with pytest.raises(ValueError, match="eq-"):
        verify.equal("def-x", 1, 1)


def printed(call):
    """The verdict that a call displays."""
    shown = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(verify, "display", shown.append)
        call()
    return shown[0]
