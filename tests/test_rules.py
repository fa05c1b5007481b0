"""A notebook that breaks a convention is told which, where, and what mends it; the template of a chapter keeps all."""

import jupytext
import nbformat
import pytest

from helpers.files import PROJECT
from notebooks import KERNELSPEC
from rules import RULES, Notebook, breaches, reference, repeated_labels

TEMPLATE = (PROJECT / "book" / "_template.py").read_text()
ORACLE = "def vanishing(candidate):\n    ...\n"
TRIED = 'tried("toy/template/vanishing", …)'


def executed(source):
    """The template's ``.ipynb``, as if it had been executed."""
    notebook = jupytext.reads(source, fmt="py:percent")
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    for count, cell in enumerate(code, start=1):
        cell.execution_count = count
        cell.outputs = [nbformat.v4.new_output("stream", name="stdout", text="1\n")]
    notebook.metadata = {"kernelspec": KERNELSPEC}
    return notebook


def everything(notebook):
    return [line for rule in RULES for line in breaches(rule, notebook)]


@pytest.fixture
def broken(tmp_path):
    """What all rules find in the template with ``old`` replaced by ``new`` as the chapter toy/template."""

    def find(old="", new="", oracle=ORACLE, tried=TRIED, spoil=lambda notebook: None):
        assert old in TEMPLATE
        text = TEMPLATE.replace(old, new, 1)
        path = tmp_path / "book" / "toy" / "template.py"
        oracles, tests = (tmp_path / f for f in ("src/helpers/toy/exercises/template.py", "tests/toy/test_template.py"))
        for file, content in ((path, text), (oracles, oracle), (tests, tried)):
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(content)
        notebook = executed(text)
        spoil(notebook)
        jupytext.write(notebook, path.with_suffix(".ipynb"))
        return everything(Notebook(path, tmp_path))

    return find


def test_the_template_keeps_every_rule(broken):
    assert broken() == []


CHECK = TEMPLATE[TEMPLATE.index('# %% tags=["check"]') : TEMPLATE.index("# %% [markdown]\n# A slow wave")]
VERIFY = 'verify.equal("eq-toy-wave", cases(), atol=1e-12, against="the mean at each place")\n'
SECOND = CHECK.replace("eq-toy-wave", "eq-toy-other")
TWO = "$$ (eq-toy-wave)\n#\n# $$\n# 1 = 1\n# $$ (eq-toy-other)\n"
SOLUTION = TEMPLATE[TEMPLATE.index('# %% [markdown] tags=["solution"]') : TEMPLATE.index("# %%\nexercises.check")]


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        # How it is made up
        ("return (np.roll", "return [np.roll", "line 2 of this cell is not Python: closing parenthesis"),
        ("# %%\nprint", "# %%\n# %matplotlib inline\nprint", "line 1 of this cell is not Python: invalid syntax"),
        (
            "# %% [markdown]\n# # What",
            "# A remark\n\n# %% [markdown]\n# # What",
            "the first cell is a markdown cell that",
        ),
        ("# # What smoothing", "# ## What smoothing", "the first cell is a markdown cell that starts with the title"),
        ("# ## What was shown", "# # What was shown", "a page has one title: the headings below it start with ##"),
        ('["check"]', '["chek"]', "the tag chek means nothing here: those that do are parameters, set-up, hide-input"),
        ('["check"]', '["check", "hide-input"]', "this one is tagged check and hide-input: cut it in two"),
        ("[markdown]\n# ## One", '[markdown] tags=["check"]\n# ## One', "a markdown cell takes no tag but solution"),
        ('# %% tags=["hide-input"]', "# %%", "plt in an open cell: drawing goes into a cell # %% tags="),
        ("    return fig\n", "    plt.show()\n    return fig\n", "show() brings no figure onto the page: display.show"),
        (
            "# %%\ndef smooth",
            "# %%\ndisplay.glue('n', '1')\n\n\ndef smooth",
            "display in an open cell: drawing and glue goes",
        ),
        (
            "display.show(\n",
            "plt.plot([1])\ndisplay.show(\n",
            "each figure is a function that returns it, def draw_…(): fig",
        ),
        (
            "# %%\ndef smooth",
            "# %%\nwarnings.simplefilter()\n\n\ndef smooth",
            "is silenced once, in src/helpers/__init__",
        ),
        (
            "import numpy as np",
            "import numpy as np\nimport warnings",
            "is silenced once, in src/helpers/__init__.py, and",
        ),
        # Its parameters
        ('# %% tags=["parameters"]', "# %%", "the first code cell, and no other, is tagged parameters"),
        ('# %% tags=["hide-input"]', '# %% tags=["parameters"]', "the first code cell, and no other, is tagged"),
        ('# %% tags=["set-up"]', "# %%", 'the cell below the parameters is tagged set-up: # %% tags=["set-up"]'),
        ("parameters.check(globals()", "dict(globals()", "the cell below the parameters checks them, with a rule for"),
        ("seed = 0", "seed = 0\nn = 8", "the parameter n has no rule: parameters.check takes n=… as well"),
        (", seed=range", ", n=range(9), seed=range", "the parameter n has a rule and no value: give it one here"),
        ("range(2**31)", "range(9)", "every notebook has the parameter seed, with the rule seed=range(2 ** 31)"),
        # Its claims
        ("(eq-toy-wave)", "(eq-gnn-wave)", "the label eq-gnn-wave is to be eq-toy-… where the equation asserts"),
        ("(eq-toy-wave)", "(wave)", "the label wave is to be eq-toy-… where the equation asserts something"),
        ("$$ (eq-toy-wave)", "\\label{eq-toy-wave}\n# $$", "label stands right behind it, $$ … $$ (eq-toy-…)"),
        ("# For how many", "# $$\n# 1\n# $$ (def-toy-b)\n# For", "def-toy-b stands in an exercise or a solution"),
        (CHECK, "", "nothing checks eq-toy-wave: before the next markdown cell comes one tagged check that calls"),
        (
            "(eq-toy-wave)",
            "(def-toy-wave)",
            "the markdown cell above this check does not claim eq-toy-wave but nothing",
        ),
        ('l("eq-toy-wave"', 'l("eq-toy-waves"', "does not claim eq-toy-waves but eq-toy-wave: bring the check below"),
        (CHECK, "# %% [markdown]\n# So.\n\n\n" + CHECK, "nothing checks eq-toy-wave: before the next markdown cell"),
        (CHECK, CHECK + "# %%\nprint(1)\n\n", "an open cell stands above the checks of its equations, not below one"),
        (VERIFY, "# " + VERIFY, "a check calls verify.equal or verify.holds once, with its label written out"),
        (VERIFY, VERIFY * 2, "a check calls verify.equal or verify.holds once"),
        (VERIFY, "if seed:\n    " + VERIFY, "in a line that always runs: under no if, for, try or def"),
        (VERIFY, "try:\n    " + VERIFY + "except AssertionError:\n    pass\n", "under no if, for, try or def"),
        (VERIFY, "def check():\n    " + VERIFY, "under no if, for, try or def"),
        (VERIFY, 'label = "eq-toy-wave"\nverify.equal(label, cases(), against="a")\n', "with its label written out"),
        (
            VERIFY,
            VERIFY.replace("cases()", "[(C @ e, C @ e)]"),
            "both sides of a case are C @ e, compute one of them by",
        ),
        (VERIFY, VERIFY.replace("cases()", "[(1, 2), (h, h)]"), "both sides of a case are h, compute one of them by"),
        (VERIFY, VERIFY.replace("cases()", "((h, h) for h in cases())"), "both sides of a case are h, compute one"),
        (CHECK, CHECK.replace("yield ", "yield 1, 1\n    yield "), "both sides of a case are 1, compute one of them"),
        (
            VERIFY,
            VERIFY.replace("equal", "holds").replace("cases(), atol=1e-12", "True"),
            "the statement is True as it",
        ),
        ('# %% tags=["check"]', "# %%", 'a claim is verified in a cell of its own: # %% tags=["check"]'),
        ("exercises, parameters, verify", "exercises, parameters\nfrom helpers.verify import equal", "verify goes by"),
        ("parameters, verify", "parameters, verify as v", "verify goes by that name everywhere: from helpers import"),
        # Its exercises
        (
            "# :::{exercise} Waves",
            "# Now:\n#\n# :::{exercise} Waves",
            "an exercise is a markdown cell of its own: :::{ex",
        ),
        ("# :label: ex-toy", "# :label: ex-gnn", ":label: ex-toy-… below it, the question, and :::"),
        (
            SOLUTION,
            "",
            "its solution comes right below, from :::{solution-start} ex-toy-vanishing to :::{solution-end}",
        ),
        ("n-start} ex-toy-vanishing", "n-start} ex-toy-waves", "its solution comes right below, from :::{solution-st"),
        ('["solution"]\n# :::{solution-end}', "\n# :::{solution-end}", "each cell tagged solution"),
        (
            "# %%\nprint",
            '# %% tags=["solution"]\nprint',
            "this is part of a solution, and no exercise, with cells tagged",
        ),
        (
            '"toy/template/van',
            '"gnn/template/van',
            'untagged cell, exercises.check("toy/template/vanishing", vanishing)',
        ),
        ('# %%\nexercises.check("t', '# %% tags=["hide-input"]\nexercises.check("t', "is one line in an untagged cell"),
        (
            "def vanishing(",
            "def vanish(",
            "the solution above does not define vanishing, so readers would find no stub",
        ),
        ('exercises.check("toy/template/vanishing", vanishing)', "", "it asks for vanishing, and nothing checks it"),
        (
            "# %%\nexercises.check(",
            "# %% [markdown]\n# So.\n\n# %%\nexercises.check(",
            "comes right below its solution",
        ),
    ],
)
def test_what_breaks_a_rule_is_told(broken, old, new, says):
    found = broken(old, new)
    assert any(says in line for line in found), found
    assert all(line.startswith("book/toy/template.py") for line in found)


def test_a_place_names_line_cell_and_first_line(broken):
    (line,) = [line for line in broken("(eq-toy-wave)", "(def-toy-wave)") if "above this check" in line]
    number = TEMPLATE[: TEMPLATE.index(CHECK)].count("\n") + 1
    assert line.startswith(f"book/toy/template.py:{number}, cell 9 `def cases():`: ")


def test_two_claims_of_a_cell_are_checked_in_their_order(broken):
    claimed = TEMPLATE[TEMPLATE.index("$$ (eq-toy-wave)\n") : TEMPLATE.index(CHECK)]
    both = claimed.replace("$$ (eq-toy-wave)\n", TWO)
    assert broken(claimed + CHECK, both + CHECK + SECOND) == []
    (line,) = broken(claimed + CHECK, both + SECOND + CHECK)
    assert "come in the order of the equations: eq-toy-wave, eq-toy-other, not eq-toy-other, eq-toy-wave" in line


def test_a_solution_without_its_tag_is_told_and_no_oracle_called_needless(broken):
    found = broken('# %% tags=["solution"]\ndef vanishing', "# %%\ndef vanishing")
    assert any("its solution comes right below" in line for line in found), found
    assert not any("oracle" in line for line in found), found


@pytest.mark.parametrize(
    ("oracle", "says"),
    [
        ("", "it has no oracle: write vanishing(candidate) in src/helpers/toy/exercises/template.py"),
        ("def vanishing(n): ...", "it has no oracle: write vanishing(candidate)"),
        (ORACLE + "def spectrum(candidate): ...", "no exercise uses the oracle spectrum of src/helpers/toy/exercises/"),
    ],
)
def test_exercises_and_oracles_belong_together(broken, oracle, says):
    assert any(says in line for line in broken(oracle=oracle))


@pytest.mark.parametrize("tried", ["", TRIED.replace("vanishing", "vanishing_waves")])
def test_an_oracle_that_no_test_tries_is_told(broken, tried):
    (line,) = broken(tried=tried)
    says = "no test tries the oracle vanishing with wrong solutions: write one in tests/toy/test_template.py"
    assert line.startswith("book/toy/template.py:") and says in line


@pytest.mark.parametrize(
    ("solution", "later", "says"),
    [
        ("def third(n):\n    return n // 3\n", "print(third(9))", "it uses third, which is an empty stub when the"),
        ("ring = 9\n", "def draw():\n    return ring\n", "it needs ring, which nothing above defines when"),
        ("import math\n", "print(math.pi)", "it needs math, which nothing above defines when the solutions are"),
        ("rng = rng.spawn(1)\n", "rng.random()", None),
        ("", "print(vanishing(9))", "it uses vanishing, which is an empty stub when the solutions are taken out"),
        ("", "def show():\n    return vanishing(9)\n\n\nshow()", "it uses vanishing, which is an empty stub when"),
        ("", "def vanishing(n):\n    return [n // 3]\n\n\nvanishing(9)", None),
    ],
)
def test_what_depends_on_a_solution_is_told(broken, solution, later, says):
    head, last = "def vanishing(n):", "# %% [markdown]\n# ## What was shown"
    old = TEMPLATE[TEMPLATE.index(head) : TEMPLATE.index(last) + len(last)]
    found = broken(old, f"{solution}\n\n{old[: -len(last)]}# %%\n{later}\n\n{last}")
    assert found == [] if says is None else says in found[0] and later.splitlines()[0] in found[0]


def test_what_depends_on_a_check_is_told(broken):
    (line,) = broken("# A slow wave", "# So.\n\n# %%\nprint(len(list(cases())))\n\n# %% [markdown]\n# A slow wave")
    assert "it needs cases, which only a check defines, and checks are folded away" in line


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("print([f", "print(waves, [f"),
        ("for k in range(n):", "for k in waves:"),
        ("return 2 if n %", "return waves if n %"),
    ],
)
def test_a_name_that_nothing_defines_is_told_once_and_in_its_cell(broken, old, new):
    """In an open cell, in a check and in a solution."""
    (line,) = broken(old, new)
    number = TEMPLATE[: TEMPLATE.index(old)].count("# %%") - 1
    assert f", cell {number} `" in line and "it needs waves, which nothing above defines: mend the name" in line


def set_output(**output):
    def spoil(notebook):
        notebook.cells[-2].outputs = [nbformat.v4.new_output(**output)]

    return spoil


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (lambda n: n.cells.pop(), "from here on its .ipynb has other cells: make reference/toy/template executes it"),
        (lambda n: n.cells[3].update(source="x"), "from here on its .ipynb has other cells"),
        (lambda n: n.cells[3].metadata.update(tags=["check"]), "from here on its .ipynb has other cells"),
        (lambda n: n.cells[1].update(execution_count=None), "were not executed, each once and in order ([None, 2, 3"),
        (lambda n: n.cells[1].update(execution_count=7), "were not executed, each once and in order ([7, 2, 3"),
        (set_output(output_type="error", ename="E", evalue="", traceback=[]), "it ended in an error when it was"),
        (set_output(output_type="stream", name="stderr", text="3%"), "its output holds a warning or a progress bar"),
        (set_output(output_type="display_data", data={"image/png": ""}), "its figure has no words: display.show"),
        (set_output(output_type="execute_result", data={"text/plain": "<Figure size 640x480>"}), "its figure has no"),
        (set_output(output_type="display_data", data={reference.WIDGET: {}}), "has metadata or a widget"),
        (set_output(output_type="display_data", metadata={"error": 1}), "its output in the .ipynb has metadata"),
        (set_output(output_type="stream", text="x" * reference.LARGEST), "KiB, and 500 are allowed: show fewer"),
        (lambda n: n.metadata.update(papermill={}), "its .ipynb has the metadata papermill: make reference/toy/tem"),
        (lambda n: n.cells[1].metadata.update(execution={}), "in the .ipynb it has the metadata execution: make ref"),
    ],
)
def test_what_is_wrong_with_a_reference_is_told(broken, spoil, says):
    found = broken(spoil=spoil)
    assert any(says in line for line in found), found


def test_a_reference_that_is_missing_is_told(broken, tmp_path):
    broken()
    source = tmp_path / "book" / "toy" / "template.py"
    source.with_suffix(".ipynb").unlink()
    (line,) = everything(Notebook(source, tmp_path))
    assert "its .ipynb is missing: make reference/toy/template executes it anew" in line


def test_a_label_that_is_given_twice_is_told(broken, tmp_path):
    broken("(eq-toy-wave)", "(def-toy-smoothing)")
    notebook = Notebook(tmp_path / "book" / "toy" / "template.py", tmp_path)
    (line,) = repeated_labels([notebook])
    assert line.startswith("the label def-toy-smoothing is given 2 times") and line.count("book/toy/template.py:") == 2
    assert len(repeated_labels([notebook, notebook])) == 2  # that of the exercise, too
