"""A notebook's parameters, checked before anything runs.

papermill injects whatever it is given and goes on: a misspelt name, a value out of range. One call in the cell after
the parameters stops both::

    parameters.check(globals(), profile=("smoke", "full"), seed=range(2**31))
"""

import ast
from dataclasses import dataclass


class ParameterError(ValueError):
    """A parameter that the notebook does not know, or a value that it does not allow."""

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


def check(namespace, **rules):
    """Check the parameters in a notebook's ``globals()`` against one rule each, and return them as a dictionary.

    A rule is a tuple of allowed values, a ``range`` of integers, a :class:`Between`, or a type.
    Raises ParameterError that names the parameter, its value and what is allowed; so does a parameter that papermill
    injected and no rule names.
    """
    unknown = sorted(_injected(namespace.get("In", ())) - set(rules))
    if unknown:
        raise ParameterError(f"unknown parameter {', '.join(unknown)}: this notebook takes {', '.join(rules)}")
    for name, rule in rules.items():
        if name not in namespace:
            raise ParameterError(f"parameter {name} is missing: expected {_describe(rule)}")
        value = namespace[name]
        if not _allowed(value, rule):
            raise ParameterError(f"parameter {name} = {value!r}: expected {_describe(rule)}")
    return {name: namespace[name] for name in rules}


def _injected(cells):
    """Names assigned in the cell that papermill injects: the last executed one that starts with its comment."""
    injected = [source for source in cells if source.lstrip().startswith("# Parameters")]
    if not injected:
        return set()
    targets = (t for node in ast.parse(injected[-1]).body if isinstance(node, ast.Assign) for t in node.targets)
    return {target.id for target in targets if isinstance(target, ast.Name)}


def _allowed(value, rule):
    if isinstance(rule, type):
        number = rule is float and isinstance(value, int)
        return (isinstance(value, rule) or number) and (rule is bool or not isinstance(value, bool))
    if isinstance(rule, range):
        return type(value) is int and value in rule
    if isinstance(rule, Between):
        return type(value) in (int, float) and value in rule
    return any(type(value) is type(choice) and value == choice for choice in rule)


def _describe(rule):
    if isinstance(rule, type):
        return f"a value of type {rule.__name__}"
    if isinstance(rule, range):
        return f"a whole number from {rule.start} to {rule[-1]}" + (f" in steps of {rule.step}" * (rule.step != 1))
    if isinstance(rule, Between):
        return str(rule)
    return "one of " + ", ".join(repr(choice) for choice in rule)
