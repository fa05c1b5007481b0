"""A notebook's parameters, checked before anything runs.

papermill injects whatever it is given and goes on: a misspelt name, a value out of range. One call in the cell after
the parameters stops both::

    parameters.check(globals(), profile=("smoke", "full"), seed=range(2**31))
"""

import ast
import math
from contextlib import suppress
from dataclasses import dataclass

_TYPES = {bool: "True or False", int: "a whole number", float: "a finite number", str: "a text"}


class ParameterError(ValueError):
    """A parameter that the notebook does not know, a value that it does not allow, or a rule that is none."""

    def _render_traceback_(self):
        return [f"ParameterError: {self}"]  # the message says it all: readers need not see our stack


@dataclass(frozen=True)
class Between:
    """The rule of a number: ``low <= value <= high``."""

    low: float
    high: float

    def __contains__(self, value):
        return self.low <= value <= self.high

    def __str__(self):
        return f"a number from {self.low:g} to {self.high:g}"


def check(namespace, /, **rules):
    """Check the parameters in a notebook's ``globals()`` against one rule each, and return them as a dictionary.

    A rule is a tuple of allowed values, a ``range`` of integers, a :class:`Between`, or bool, int, float or str.
    What comes back can be kept as JSON: numbers are finite and Python's own, those of NumPy being refused.
    Raises ParameterError that names the parameter, its value and what is allowed; so does a parameter that papermill
    injected and no rule names, and a rule that is none of these.
    """
    unknown = sorted(_injected(namespace.get("In", ())) - set(rules))
    if unknown:
        raise ParameterError(f"unknown parameter {', '.join(unknown)}: this notebook takes {', '.join(rules)}")
    for name, rule in rules.items():
        if not _is_rule(rule):
            raise ParameterError(
                f"the rule of {name} is {rule!r}: expected a tuple of texts, numbers, bools and None, "
                "a range that is not empty, a Between, or one of bool, int, float and str"
            )
        if name not in namespace:
            raise ParameterError(f"parameter {name} is missing: expected {_describe(rule)}")
        value = namespace[name]
        if not _allowed(value, rule):
            own = ", one of Python's own" * (type(value).__module__ == "numpy")
            raise ParameterError(f"parameter {name} = {value!r}: expected {_describe(rule)}{own}")
    return {name: namespace[name] for name in rules}


def _injected(cells):
    """Names assigned in the cell that papermill injects: the last executed one that starts with its comment."""
    names = set()
    for source in cells:
        if source.lstrip().startswith("# Parameters"):
            with suppress(SyntaxError):  # a reader's cell, which did not run either
                assignments = [node for node in ast.parse(source).body if isinstance(node, ast.Assign)]
                names = {target.id for node in assignments for target in node.targets if isinstance(target, ast.Name)}
    return names


def _is_rule(rule):
    if isinstance(rule, tuple):
        return rule != () and all(choice is None or type(choice) in _TYPES for choice in rule)
    return isinstance(rule, Between) or (len(rule) > 0 if isinstance(rule, range) else any(rule is t for t in _TYPES))


def _allowed(value, rule):
    if isinstance(value, float) and not math.isfinite(value):
        return False
    if isinstance(rule, type):
        return type(value) is rule or (rule is float and type(value) is int)
    if isinstance(rule, range):
        return type(value) is int and value in rule
    if isinstance(rule, Between):
        return type(value) in (int, float) and value in rule
    return any(type(value) is type(choice) and value == choice for choice in rule)


def _describe(rule):
    if isinstance(rule, type):
        return _TYPES[rule]
    if isinstance(rule, range):
        return f"a whole number from {rule[0]} to {rule[-1]}" + (f" in steps of {rule.step}" * (rule.step != 1))
    if isinstance(rule, Between):
        return str(rule)
    return "one of " + ", ".join(repr(choice) for choice in rule)
