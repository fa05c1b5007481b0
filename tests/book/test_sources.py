"""What every notebook of the book keeps to, read from its source and its committed reference."""

import ast
import re

import jupytext
import nbformat
import pytest

from helpers.files import PROJECT
from notebooks import sources

BOOK = PROJECT / "book"
SOURCES = sources()
CLAIM = re.compile(r"\$\$ *\((eq-[\w-]+)\)")
CHECK = re.compile(r"verify\.(?:equal|holds)\(\s*\"(eq-[\w-]+)\"")

notebooks = pytest.mark.parametrize("source", SOURCES, ids=lambda path: f"{path.parent.name}/{path.stem}")


@notebooks
def test_pair_has_not_drifted(source):
    """The .ipynb holds the cells of the .py; `make reference` makes it so."""
    script, reference = jupytext.read(source), read_reference(source)
    assert [(c.cell_type, c.source, tags(c)) for c in script.cells] == [
        (c.cell_type, c.source, tags(c)) for c in reference.cells
    ]


@notebooks
def test_reference_was_executed_in_order_without_error(source):
    code = [cell for cell in read_reference(source).cells if cell.cell_type == "code"]
    assert [cell.execution_count for cell in code] == list(range(1, len(code) + 1))
    kinds = {output.output_type for cell in code for output in cell.outputs}
    assert "error" not in kinds
    streams = {output.get("name") for cell in code for output in cell.outputs}
    assert "stderr" not in streams, "warnings or progress bars in stored outputs"


@notebooks
def test_reference_keeps_nothing_that_changes_from_run_to_run(source):
    reference = read_reference(source)
    assert set(reference.metadata) == {"kernelspec"}
    for cell in reference.cells:
        assert set(cell.metadata) <= {"tags", "lines_to_next_cell"}  # the second: how the .py is laid out
        for output in cell.get("outputs", ()):
            assert not output.get("metadata")
            assert "application/vnd.jupyter.widget-view+json" not in output.get("data", {})
    assert source.with_suffix(".ipynb").stat().st_size < 500 * 1024


@notebooks
def test_every_claim_is_checked_by_the_next_cell(source):
    """An eq- label without a check, a check without a label, or one that stands elsewhere."""
    due, checked = [], []
    for cell in jupytext.read(source).cells:
        if cell.cell_type == "markdown":
            due += CLAIM.findall(cell.source)
            continue
        found = CHECK.findall(cell.source)
        assert sorted(found) == sorted(due), "the labels above a code cell are those that it checks"
        checked += found
        due = []
    assert not due, "a claim at the end of the page has no cell below it"
    assert len(checked) == len(set(checked))
    part = "errata" if source.parent.name == "appendix" else source.parent.name
    assert all(label.startswith(f"eq-{part}-") for label in checked)


@notebooks
def test_figures_come_with_words(source):
    """Every figure goes through helpers.display: nothing else can give it alternative text."""
    for cell in read_reference(source).cells:
        for output in cell.get("outputs", ()):
            assert not {kind for kind in output.get("data", {}) if kind.startswith("image/")}


@notebooks
def test_parameters_are_checked_right_away(source):
    code = [cell for cell in jupytext.read(source).cells if cell.cell_type == "code"]
    assert ["parameters" in tags(cell) for cell in code] == [True] + [False] * (len(code) - 1)
    assigned = {node.targets[0].id for node in ast.parse(code[0].source).body}
    calls = [node for node in ast.walk(ast.parse(code[1].source)) if isinstance(node, ast.Call)]
    (check,) = [call for call in calls if ast.unparse(call.func) == "parameters.check"]
    rules = {rule.arg: ast.unparse(rule.value) for rule in check.keywords}
    assert ast.unparse(check.args[0]) == "globals()" and set(rules) == assigned
    assert rules["profile"] == "('smoke', 'full')" and rules["seed"] == "range(2 ** 31)"


@notebooks
def test_exercises_have_solutions_that_can_be_taken_out(source):
    text = source.read_text()
    asked = re.findall(r"^# :label: (ex-[\w-]+)", text, re.MULTILINE)
    solved = re.findall(r":{3,}\{solution-start\} (ex-[\w-]+)", text)
    assert asked == solved
    for cell in jupytext.read(source).cells:
        inside = "{solution-start}" in cell.source or "{solution-end}" in cell.source
        assert not inside or "solution" in tags(cell)
        assert "exercises.check(" not in cell.source or "solution" not in tags(cell)


def tags(cell):
    return cell.metadata.get("tags", [])


def read_reference(source):
    path = source.with_suffix(".ipynb")
    assert path.exists(), f"{path.name} is missing: make reference"
    return nbformat.read(path, as_version=4)


def test_labels_are_unique_in_the_whole_book():
    text = "\n".join(path.read_text() for path in SOURCES)
    labels = re.findall(r"\$\$ *\(((?:eq|def)-[\w-]+)\)|:label: ([\w-]+)", text)
    names = ["".join(pair) for pair in labels]
    assert sorted(names) == sorted(set(names))


ANSWERED = {
    "Assignment of 2021": [
        *("3.1", "3.2", "3.3 (a)", "3.3 (b)", "3.3 (b), second", "3.4 (a)", "3.4 (b)", "3.5"),
        *("3.6 (a)", "3.6 (b)", "3.6 (c)", "3.6 (d)"),
    ],
    "Report of 2019": ["3.1 (a)", "3.1 (b)", "3.2", "3.3 (a)", "3.3 (b)"],
}


def test_every_question_of_the_sources_leads_to_an_exercise():
    exercises = set(re.findall(r":label: (ex-[\w-]+)", "\n".join(path.read_text() for path in SOURCES)))
    _, *sections = re.split(r"^## (.+)$", (BOOK / "appendix" / "questions.md").read_text(), flags=re.MULTILINE)
    found = {}
    for heading, text in zip(sections[::2], sections[1::2], strict=True):
        rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in re.findall(r"^\|.+\|$", text, re.M)]
        found[heading] = [question for question, *_ in rows[2:]]
        for question, _, answer in rows[2:]:
            labels = re.findall(r"\{ref\}`(ex-[\w-]+)`", answer)
            assert labels and set(labels) <= exercises, f"{heading}, question {question}"
    assert found == ANSWERED
