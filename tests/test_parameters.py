import pytest
from hypothesis import given
from hypothesis import strategies as st

from helpers import parameters
from helpers.parameters import Between, ParameterError

RULES = {"profile": ("smoke", "full"), "seed": range(2**31), "rate": Between(0, 1), "name": str}
GOOD = {"profile": "smoke", "seed": 0, "rate": 0.5, "name": "x"}


@given(st.sampled_from(["smoke", "full"]), st.integers(0, 2**31 - 1), st.floats(0, 1), st.text())
def test_allowed_values_pass(profile, seed, rate, name):
    parameters.check({"profile": profile, "seed": seed, "rate": rate, "name": name}, **RULES)


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("profile", "fast", "one of 'smoke', 'full'"),
        ("profile", 0, "one of 'smoke', 'full'"),
        ("seed", -1, "a whole number from 0 to 2147483647"),
        ("seed", 2**31, "a whole number from 0 to 2147483647"),
        ("seed", 1.0, "a whole number from 0 to 2147483647"),
        ("seed", "1", "a whole number from 0 to 2147483647"),
        ("seed", True, "a whole number from 0 to 2147483647"),
        ("rate", 1.5, "a number from 0 to 1"),
        ("rate", float("nan"), "a number from 0 to 1"),
        ("rate", "0.5", "a number from 0 to 1"),
        ("name", 3, "a value of type str"),
    ],
)
def test_a_value_out_of_range_names_parameter_value_and_what_is_allowed(name, value, expected):
    with pytest.raises(ParameterError) as error:
        parameters.check(GOOD | {name: value}, **RULES)
    assert f"parameter {name} = {value!r}: expected {expected}" in str(error.value)


def test_what_was_checked_comes_back():
    assert parameters.check(GOOD | {"K": 5}, **RULES) == {name: GOOD[name] for name in RULES}


def test_a_missing_parameter_is_named():
    with pytest.raises(ParameterError, match="parameter seed is missing: expected a whole number"):
        parameters.check({k: v for k, v in GOOD.items() if k != "seed"}, **RULES)


def test_a_parameter_that_papermill_injects_and_no_rule_knows_is_named():
    cells = ["", "profile = 'smoke'\nother = 1", "# Parameters\nprofile = 'full'\nseeed = 3\n"]
    with pytest.raises(ParameterError, match="unknown parameter seeed: this notebook takes profile, seed, rate, name"):
        parameters.check(GOOD | {"In": cells, "seeed": 3, "K": 5}, **RULES)
    parameters.check(GOOD | {"In": cells[:2], "K": 5}, **RULES)  # names of the notebook's own are no parameters


def test_numbers_are_numbers_and_bools_are_not():
    parameters.check({"x": 1}, x=float)
    parameters.check({"x": True}, x=bool)
    parameters.check({"x": 1}, x=(1, 2))
    for value, rule in ((True, int), (True, float), (1.5, int), (True, (1, 2)), (1, bool)):
        with pytest.raises(ParameterError):
            parameters.check({"x": value}, x=rule)
