"""The working copies of the notebooks, from which the solutions are taken out, run to their end."""

import pytest
from nbclient import NotebookClient

from exercises import strip
from notebooks import read, sources

CHAPTERS = [source for source in sources() if "exercises.check(" in source.read_text()]
CANARY = min(CHAPTERS, key=lambda source: source.stat().st_size)


@pytest.mark.parametrize(
    "source",
    [pytest.param(source, marks=[pytest.mark.thorough] * (source != CANARY), id=source.stem) for source in CHAPTERS],
)
def test_a_copy_without_solutions_runs_to_its_end(source):
    """A stub is no mistake to its check. That nothing else needs a solution is a rule of the sources."""
    notebook = strip(read(source))
    NotebookClient(notebook, kernel_name="python3", timeout=300).execute()
    checks = [cell for cell in notebook.cells if "exercises.check(" in cell.source]
    for cell in checks:
        told = "".join(output["text"] for output in cell.outputs)  # of a line that was printed there may be two pieces
        assert "not attempted yet" in told and told.count("\n") == 1, told
