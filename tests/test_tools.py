"""The working copies of the notebooks, from which the solutions are taken out; where warnings of Sphinx arise."""

import contents

import jupytext
import nbformat
import pytest

import complaints
import exercises as tool

NOTEBOOK = """# %% [markdown]
# # A chapter

# %% [markdown] tags=["solution"]
# :::{solution-start} ex-toy
# :::

# %% tags=["solution"]
import math


def scale(
    x,
    factor=math.pi,  # by default: a half turn
):
    # the answer
    return factor * x


class Layer(object):
    def forward(self, x):
        return x


# %% [markdown] tags=["solution"]
# :::{solution-end}
# :::

# %%
check(scale)

# %% [markdown] tags=["solution"]
# The answer in words.
"""


def test_solutions_go_and_stubs_stay():
    cells = tool.strip(jupytext.reads(NOTEBOOK, fmt="py:percent")).cells
    assert [cell.cell_type for cell in cells] == ["markdown", "code", "code", "markdown"]
    assert cells[0].source == "# A chapter"
    scale, layer = cells[1].source.split("\n\n\n")
    assert scale.startswith("def scale(\n    x,\n    factor=math.pi,") and scale.endswith("):\n    ...")
    assert layer == "class Layer(object):\n    ..."
    assert cells[2].source == "check(scale)"
    assert cells[3].source == ""
    assert not any("answer" in cell.source for cell in cells)


def test_a_readers_work_is_never_overwritten(tmp_path, capsys):
    tool.main(tmp_path)
    first, *rest = sorted(tmp_path.glob("*/*.ipynb"))
    first.write_text("my work")
    rest[0].unlink()
    tool.main(tmp_path)
    assert first.read_text() == "my work"
    assert rest[0].exists()
    assert f"kept     {first}" in capsys.readouterr().out


@pytest.fixture
def staged(tmp_path):
    """The folder of a page that Sphinx complains about: the template, with a cell that papermill adds."""
    notebook = jupytext.read(contents.BOOK / "_template.py")
    notebook.cells.insert(2, nbformat.v4.new_code_cell("seed = 1"))
    nbformat.write(notebook, tmp_path / "_template.ipynb")
    return tmp_path


@pytest.mark.parametrize(
    "text", ["# # What smoothing", "# ## One wave, by hand", "# Smoothing multiplies each wave by"]
)
def test_a_warning_about_a_notebook_names_the_line_of_its_source(staged, text):
    lines = (contents.BOOK / "_template.py").read_text().splitlines()
    (number,) = [n for n, line in enumerate(lines, 1) if line.startswith(text)]
    cells = nbformat.read(staged / "_template.ipynb", as_version=4).cells
    (cell,) = [n for n, cell in enumerate(cells, 1) if text.removeprefix("# ") in cell.source]
    line = next(n for n, line in enumerate(cells[cell - 1].source.splitlines(), 2) if f"# {line}".startswith(text))
    told = complaints.told(f"\x1b[91m{staged}/_template.ipynb:{cell}{line:04}: WARNING: so\x1b[39;49;00m", staged)
    assert told == f"book/_template.py:{number}: WARNING: so"


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("{}/gnn/x.md:7: WARNING: so", "book/gnn/x.md:7: WARNING: so"),
        ("{}/x.md: WARNING: so", "book/x.md: WARNING: so"),
        ("{}/_template.ipynb:30001: WARNING: so", "book/_template.py: WARNING: so"),  # of no cell of the source
        ("/elsewhere/x.md:7: WARNING: so", "/elsewhere/x.md:7: WARNING: so"),
        ("Traceback (most recent call last):", "Traceback (most recent call last):"),
        (
            '{}/x.md:7: WARNING: could not find bibtex key "a"',
            " (its entry stands in book/references.bib, under another",
        ),
        ("{}/x.md:7: WARNING: unknown document: '../a'", " ({{doc}} takes the path from this page to the other"),
    ],
)
def test_a_warning_names_its_page_and_what_mends_it(staged, line, says):
    told = complaints.told(line.format(staged), staged)
    assert told == says or (says.startswith(" (") and says.format() in told)
