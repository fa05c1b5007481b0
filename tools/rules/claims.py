"""Equations that assert something are labelled eq-…, and a check of each stands below it."""

import ast
import re
from itertools import pairwise

_ELSEWHERE = re.compile(r"\\label\{[^}]*\}|^:label: *(?:eq|def)-\S+|^\((?:eq|def)-\S+\)=", re.MULTILINE)


def labels_its_equations(notebook):
    prefix = notebook.prefix
    for cell in notebook.words:
        for label in cell.labels:
            if not re.fullmatch(rf"(eq|def)-{prefix}-[a-z0-9-]+", label):
                text = f"where the equation asserts something, def-{prefix}-… where it defines something"
                yield cell, f"the label {label} is to be eq-{prefix}-… {text}"
            elif "{exercise}" in cell.source or "solution" in cell.tags:
                text = "which may claim nothing: take the label away, or state the equation in the text"
                yield cell, f"{label} stands in an exercise or a solution, {text}"
        for spelling in _ELSEWHERE.findall(cell.source):
            yield cell, f"{spelling}: an equation's label stands right behind it, $$ … $$ (eq-{prefix}-…)"


def checks_every_claim(notebook):
    """After a markdown cell with eq- labels come open cells, then a check of each, before the next markdown cell."""
    for words, below in _sections(notebook):
        claims = [label for label in words.labels if label.startswith("eq-")]
        checks = {cell.number: _claim(cell) for cell in below if "check" in cell.tags}
        checked = [label for label in checks.values() if label]
        for label in claims:
            if label not in checked:
                call = f'verify.equal("{label}", cases(), against="…") or verify.holds'
                text = f"before the next markdown cell comes one tagged check that calls {call}"
                yield words, f"nothing checks {label}: {text} (an equation that only defines is labelled def-…)"
        for number, label in checks.items():
            if label and label not in claims:
                text = f"but {', '.join(claims) or 'nothing'}: bring the check below its equation, or mend the label"
                yield notebook.cells[number], f"the markdown cell above this check does not claim {label} {text}"
        below_checks = below[min(checks) - words.number :] if checks else []
        for cell in below_checks:
            if not set(cell.tags) & {"check", "hide-input"} and not cell.calls("exercises.check"):
                yield cell, "an open cell stands above the checks of its equations, not below one"
        if sorted(claims) == sorted(checked) and claims != checked:
            yield words, f"the checks come in the order of the equations: {', '.join(claims)}, not {', '.join(checked)}"


def verifies_in_checks_alone(notebook):
    """One call a check, in a line that always runs, and none elsewhere."""
    for cell in notebook.code:
        nodes = list(ast.walk(cell.tree))
        for node in nodes:
            names = node.names if isinstance(node, ast.Import | ast.ImportFrom) else []
            modules = [getattr(node, "module", None), *(alias.name for alias in names)]
            if "helpers.verify" in modules or any(alias.name == "verify" and alias.asname for alias in names):
                yield cell, "verify goes by that name everywhere: from helpers import verify"
        named = sum(isinstance(node, ast.Name) and node.id == "verify" for node in nodes)
        if "check" not in cell.tags and named:
            yield cell, 'a claim is verified in a cell of its own: # %% tags=["check"]'
        if "check" in cell.tags and (named != 1 or _claim(cell) is None):
            text = "with its label written out, in a line that always runs: under no if, for, try or def"
            yield cell, f"a check calls verify.equal or verify.holds once, {text}"


def compares_two_routes(notebook):
    """Neither side of a case is the other once more, and a statement is computed."""
    for cell in (cell for cell in notebook.code if "check" in cell.tags):
        for left, right in _cases(cell):
            if ast.unparse(left) == ast.unparse(right):
                text = "compute one of them by another route: brute force, autograd, finite differences, a library"
                yield cell, f"both sides of a case are {ast.unparse(left)}, {text}"
        for call in cell.calls("verify.holds"):
            if len(call.args) > 1 and isinstance(call.args[1], ast.Constant):
                yield cell, f"the statement is {ast.unparse(call.args[1])} as it stands: compute it"


def _cases(cell):
    """The pairs that a check yields or lists, read from its text."""
    yielded = [node.value for node in ast.walk(cell.tree) if isinstance(node, ast.Yield)]
    given = [call.args[1] for call in cell.calls("verify.equal") if len(call.args) > 1]
    made = [node.elt for node in given if isinstance(node, ast.ListComp | ast.GeneratorExp)]
    listed = [case for node in given if isinstance(node, ast.List) for case in node.elts]
    pairs = [node.elts for node in yielded + made + listed if isinstance(node, ast.Tuple)]
    return [pair for pair in pairs if len(pair) == 2]


def _sections(notebook):
    """Each markdown cell with the code cells below it."""
    starts = [*(cell.number for cell in notebook.words), len(notebook.cells)]
    for start, end in pairwise(starts):
        yield notebook.cells[start], notebook.cells[start + 1 : end]


def _claim(cell):
    """The label that a check verifies in a line that always runs, or None."""
    for node in cell.tree.body:
        call = node.value if isinstance(node, ast.Expr) else None
        if isinstance(call, ast.Call) and ast.unparse(call.func) in ("verify.equal", "verify.holds") and call.args:
            return getattr(call.args[0], "value", None)
    return None
