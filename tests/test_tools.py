"""The working copies of the notebooks, from which the solutions are taken out."""

import jupytext

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
