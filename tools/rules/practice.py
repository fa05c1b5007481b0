"""Exercises: question, solution, the check of what readers write; and what a copy without the solutions needs."""

import ast
import re
from dataclasses import dataclass
from itertools import takewhile

from exercises import strip
from notebooks import read
from rules.names import Names
from rules.notebook import Cell


@dataclass
class Exercise:
    """The cell that asks, those of the solution right below it, and those that check the reader's own."""

    question: Cell
    solution: list
    checks: list

    @property
    def defined(self):
        """The functions and classes that the solution defines."""
        nodes = [node for cell in self.solution if cell.is_code for node in cell.tree.body]
        return [node.name for node in nodes if isinstance(node, ast.FunctionDef | ast.ClassDef)]


def has_a_solution_to_each_exercise(notebook):
    label = rf"ex-{notebook.prefix}-[a-z0-9-]+"
    form = re.compile(rf"(:::+)\{{exercise\}}.*\n:label: ({label})\n(.*\n)*\1\s*")
    placed = set()
    for exercise in _exercises(notebook):
        placed |= {cell.number for cell in exercise.solution}
        found = form.fullmatch(exercise.question.source)
        if found is None:
            text = (
                f":::{{exercise}} Its name, :label: ex-{notebook.prefix}-… below it, the question, and ::: at the end"
            )
            yield exercise.question, f"an exercise is a markdown cell of its own: {text}"
            continue
        first, last = (exercise.solution[i].source if exercise.solution else "" for i in (0, -1))
        if f"{{solution-start}} {found[2]}\n" not in first or "{solution-end}" not in last:
            text = f"from :::{{solution-start}} {found[2]} to :::{{solution-end}}, each cell tagged solution"
            yield exercise.question, f"its solution comes right below, {text}"
    for cell in notebook.cells:
        if ("solution" in cell.tags or "{solution-" in cell.source) and cell.number not in placed:
            yield cell, "this is part of a solution, and no exercise, with cells tagged solution, stands right above"


def checks_what_readers_write(notebook):
    module = f"src/helpers/{notebook.part}/exercises/{notebook.chapter}.py"
    oracles = _oracles(notebook.project / module)
    test = f"tests/{notebook.part}/test_{notebook.chapter}.py"
    tests = notebook.project / test
    tried = tests.read_text() if tests.exists() else ""
    placed, used = set(), set()
    whole = not any(has_a_solution_to_each_exercise(notebook))  # else what uses an oracle may not be found
    for exercise in _exercises(notebook):
        checked = []
        for cell in exercise.checks:
            name, candidate = (ast.unparse(arg) for arg in cell.calls("exercises.check")[0].args)
            placed.add(cell.number)
            checked.append(candidate)
            if name != repr(f"{notebook.name}/{candidate}") or len(cell.tree.body) != 1 or cell.tags:
                call = f'exercises.check("{notebook.name}/{candidate}", {candidate})'
                yield cell, f"the check of an exercise is one line in an untagged cell, {call}"
            elif candidate not in exercise.defined:
                yield cell, f"the solution above does not define {candidate}, so readers would find no stub to fill in"
            elif candidate not in oracles:
                yield cell, f"it has no oracle: write {candidate}(candidate) in {module}"
            elif f'"{notebook.name}/{candidate}"' not in tried:
                yield cell, f"no test tries the oracle {candidate} with wrong solutions: write one in {test}"
        for name in exercise.defined:
            if f"`{name}(" in exercise.question.source and name not in checked:
                call = f'exercises.check("{notebook.name}/{name}", {name})'
                whole = False
                yield exercise.question, f"it asks for {name}, and nothing checks it: below the solution comes {call}"
        used |= set(checked)
    for cell in notebook.code:
        if cell.calls("exercises.check") and cell.number not in placed:
            yield cell, "the check of an exercise comes right below its solution, and has none above it"
    for name in sorted(oracles - used) if whole else ():
        call = f'exercises.check("{notebook.name}/{name}", {name})'
        yield None, f"no exercise uses the oracle {name} of {module}: call it, {call}, or delete it"


def defines_what_it_names(notebook):
    for number, name in _missing(notebook.code):
        yield notebook.cells[number], f"it needs {name}, which nothing above defines: mend the name, or define it first"


def runs_without_its_solutions(notebook):
    """Nothing but an exercise's own check depends on its solution."""
    script = read(notebook.source)
    own = {id(cell): number for number, cell in enumerate(script.cells)}
    names, number = Names(), -1
    for cell in strip(script).cells:
        stubs = id(cell) not in own
        number = number + 1 if stubs else own[id(cell)]
        if cell.cell_type == "code":
            names.run(number, cell.source, stubs, may_use_stubs=bool(notebook.cells[number].calls("exercises.check")))
    names.end()
    for number, name in _beyond(names.missing, notebook):
        text = "which nothing above defines when the solutions are taken out: define it outside of the solution"
        yield notebook.cells[number], f"it needs {name}, {text}"
    for number, name in dict.fromkeys(names.stubbed):
        text = "which is an empty stub when the solutions are taken out: only the check of an exercise may"
        yield notebook.cells[number], f"it uses {name}, {text}"


def runs_without_its_checks(notebook):
    """A check holds the cases and the call, and nothing that a later cell needs."""
    rest = _missing([cell for cell in notebook.code if "check" not in cell.tags])
    for number, name in _beyond(rest, notebook):
        text = "which only a check defines, and checks are folded away: define it in an open cell"
        yield notebook.cells[number], f"it needs {name}, {text}"


def _missing(cells):
    """A pair (cell, name) for each name that code cells need, when run in their order, and that none defines."""
    names = Names()
    for cell in cells:
        names.run(cell.number, cell.source)
    names.end()
    return list(dict.fromkeys(names.missing))


def _beyond(missing, notebook):
    """Those that the whole notebook does define."""
    anyway = _missing(notebook.code)
    return [pair for pair in dict.fromkeys(missing) if pair not in anyway]


def _exercises(notebook):
    for cell in notebook.words:
        if "{exercise}" in cell.source:
            rest = notebook.cells[cell.number + 1 :]
            solution = list(takewhile(lambda cell: "solution" in cell.tags, rest))
            below = takewhile(lambda cell: cell.is_code, rest[len(solution) :])
            yield Exercise(cell, solution, [cell for cell in below if cell.calls("exercises.check")])


def _oracles(path):
    """The oracles that a module defines, read from its text."""
    nodes = ast.parse(path.read_text()).body if path.exists() else []
    functions = [node for node in nodes if isinstance(node, ast.FunctionDef)]
    return {node.name for node in functions if [arg.arg for arg in node.args.args] == ["candidate"]}
