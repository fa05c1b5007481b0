"""How a notebook is made up: title, roles of cells, parameters."""

import ast
import re

ROLES = ("parameters", "set-up", "hide-input", "check", "solution")  # a cell has at most one; an open cell none
TAGS = (*ROLES, "nbval-ignore-output")
HIDDEN = {"plt": "drawing", "display": "drawing and glue", "warnings": "what is not to be seen"}
EVERYWHERE = {"profile": "('smoke', 'full')", "seed": "range(2 ** 31)"}  # the rules of what each notebook takes


def is_python(notebook):
    for cell in notebook.code:
        try:
            ast.parse(cell.source)
        except SyntaxError as error:
            yield cell, f"line {error.lineno} of this cell is not Python: {error.msg}"


def begins_with_its_title(notebook):
    if notebook.cells[0].is_code or not notebook.cells[0].source.startswith("# "):
        yield notebook.cells[0], "the first cell is a markdown cell that starts with the title: # # A title"
    titles = [cell for cell in notebook.words for _ in re.findall(r"^# ", cell.source, re.MULTILINE)]
    for cell in titles[1:]:
        yield cell, "a page has one title: the headings below it start with ## or ###"


def has_cells_of_known_roles(notebook):
    for cell in notebook.cells:
        roles = [tag for tag in cell.tags if tag in ROLES]
        for tag in sorted(set(cell.tags) - set(TAGS)):
            yield cell, f"the tag {tag} means nothing here: those that do are {', '.join(TAGS)}"
        if len(roles) > 1:
            yield cell, f"a cell has one role, and this one is tagged {' and '.join(roles)}: cut it in two"
        if not cell.is_code and set(cell.tags) & set(TAGS) - {"solution"}:
            yield cell, "a markdown cell takes no tag but solution"


def opens_what_readers_learn_from(notebook):
    for cell in notebook.code:
        if not set(cell.tags) & set(ROLES):
            names = {node.id for node in ast.walk(cell.tree) if isinstance(node, ast.Name)}
            for name in sorted(names & set(HIDDEN)):
                yield cell, f'{name} in an open cell: {HIDDEN[name]} goes into a cell # %% tags=["hide-input"]'


def shows_its_figures_with_words(notebook):
    for cell in notebook.code:
        if cell.calls("plt.show") or cell.calls("fig.show"):
            wanted = 'display.show(fig, alt="what is seen", caption="what to notice")'
            yield cell, f"show() brings no figure onto the page: {wanted}"


def checks_its_parameters_right_away(notebook):
    tagged = [cell for cell in notebook.code if "parameters" in cell.tags]
    if tagged != notebook.code[:1] or len(notebook.code) < 2:
        text = "the first code cell, and no other, is tagged parameters, and the next one checks them: copy both from "
        yield (tagged[-1] if tagged else None), text + "book/_template.py"
        return
    parameters, setup = notebook.code[:2]
    if setup.tags != ["set-up"]:
        yield setup, 'the cell below the parameters is tagged set-up: # %% tags=["set-up"]'
    calls = setup.calls("parameters.check")
    if [[ast.unparse(arg) for arg in call.args] for call in calls] != [["globals()"]]:
        wanted = 'parameters.check(globals(), profile=("smoke", "full"), seed=range(2**31))'
        yield setup, f"the cell below the parameters checks them, with a rule for each: {wanted}"
        return
    rules = {rule.arg: ast.unparse(rule.value) for rule in calls[0].keywords}
    assigned = {target.id for node in parameters.tree.body for target in getattr(node, "targets", ())}
    for name in sorted(assigned - set(rules)):
        yield setup, f"the parameter {name} has no rule: parameters.check takes {name}=… as well"
    for name in sorted(set(rules) - assigned):
        yield parameters, f"the parameter {name} has a rule and no value: give it one here, or take its rule away"
    for name, rule in EVERYWHERE.items():
        if rules.get(name) != rule:
            yield setup, f"every notebook has the parameter {name}, with the rule {name}={rule}"
