import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from helpers import parameters
from helpers.parameters import Between, ParameterError

RULES = {"profile": ("smoke", "full"), "seed": range(2**31), "rate": Between(0, 1), "name": str, "size": float}
RULES |= {"norm": ("layer", None), "export": bool, "steps": int}
GOOD = {"profile": "smoke", "seed": 0, "rate": 0.5, "name": "x", "size": 1.0, "norm": None, "export": True, "steps": 3}


@given(
    st.sampled_from(["smoke", "full"]),
    st.integers(0, 2**31 - 1),
    st.floats(0, 1),
    st.text(),
    st.floats(allow_nan=False, allow_infinity=False) | st.integers(),
)
def test_allowed_values_pass_and_can_be_kept_as_json(profile, seed, rate, name, size):
    values = GOOD | {"profile": profile, "seed": seed, "rate": rate, "name": name, "size": size}
    checked = parameters.check(values, **RULES)
    assert json.loads(json.dumps(checked, allow_nan=False)) == checked == values


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
        ("rate", [0.5], "a number from 0 to 1"),
        ("rate", np.float64(0.5), "a number from 0 to 1, one of Python's own"),
        ("seed", np.int64(1), "a whole number from 0 to 2147483647, one of Python's own"),
        ("seed", np.arange(3), "a whole number from 0 to 2147483647, one of Python's own"),
        ("profile", np.str_("full"), "one of 'smoke', 'full', one of Python's own"),
        ("profile", np.array(["full", "smoke"]), "one of 'smoke', 'full', one of Python's own"),
        ("profile", ["full"], "one of 'smoke', 'full'"),
        ("norm", "None", "one of 'layer', None"),
        ("norm", False, "one of 'layer', None"),
        ("size", float("nan"), "a finite number"),
        ("size", float("-inf"), "a finite number"),
        ("size", np.float32(1), "a finite number, one of Python's own"),
        ("size", np.float64(1), "a finite number, one of Python's own"),
        ("size", True, "a finite number"),
        ("export", 1, "True or False"),
        ("export", np.bool_(True), "True or False, one of Python's own"),
        ("steps", True, "a whole number"),
        ("steps", 3.0, "a whole number"),
        ("name", 3, "a text"),
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


def test_of_several_injected_cells_the_last_one_counts():
    """Whoever mends a parameter and runs the cell again goes on."""
    cells = ["# Parameters\nseeed = 3\n", "# Parameters\nseed = 3\n", "seeed = 4", "# Parameters\n%time seed =\n"]
    parameters.check(GOOD | {"In": cells}, **RULES)
    with pytest.raises(ParameterError, match="unknown parameter seeed"):
        parameters.check(GOOD | {"In": cells[1::-1]}, **RULES)


@pytest.mark.parametrize(
    "rule",
    [5, None, "smoke", ["smoke", "full"], (), range(0), range(3, 1), list, np.float64, np.arange(3), (np.int64(1),)]
    + [({},), lambda value: True],
)
def test_a_rule_that_is_none_is_named(rule):
    with pytest.raises(ParameterError, match=r"the rule of seed is .*: expected a tuple of texts, numbers, bools"):
        parameters.check(GOOD, seed=rule)


def test_a_range_in_steps_says_so():
    with pytest.raises(ParameterError, match="seed = 0: expected a whole number from 2 to 8 in steps of 3"):
        parameters.check(GOOD, seed=range(2, 10, 3))


def test_bounds_are_allowed():
    for value in (0, 1, 0.0, 1.0):
        assert parameters.check({"rate": value}, rate=Between(0, 1)) == {"rate": value}
    with pytest.raises(ParameterError, match="a number from 0 to inf"):
        parameters.check({"rate": float("inf")}, rate=Between(0, float("inf")))


def test_numbers_are_numbers_and_bools_are_not():
    parameters.check({"x": 1}, x=float)
    parameters.check({"x": True}, x=bool)
    parameters.check({"x": 1}, x=(1, 2))
    for value, rule in ((True, int), (True, float), (1.5, int), (True, (1, 2)), (1, bool)):
        with pytest.raises(ParameterError):
            parameters.check({"x": value}, x=rule)
