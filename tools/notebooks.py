"""What the tools know of the book's notebooks: where they are, how they run, and what a run leaves in them."""

import time

import jupytext
import nbformat
import papermill
import yaml
from nbclient.exceptions import CellTimeoutError, DeadKernelError
from papermill.exceptions import PapermillExecutionError
from traitlets.config import Config

from helpers import provenance
from helpers.files import PROJECT
from helpers.verify import METADATA_KEY

BOOK = PROJECT / "book"
START_TIMEOUT, CELL_TIMEOUT = 120, 900  # seconds; a kernel, or a chapter's cell, that takes longer hangs
LOCAL = Config(
    KernelManager={"transport_encryption": "auto"},  # on a shared machine, nobody else listens
    # A kernel that is shut down is interrupted first, and some are in time to call that an error.
    NotebookClient={"extra_arguments": ["--IPKernelApp.log_level=50"]},
)


def sources():
    """The percent scripts of all notebooks, in the order of the table of contents; one that it lacks is a draft."""
    toc = yaml.safe_load((BOOK / "_toc.yml").read_text())
    paths = [BOOK / f"{chapter['file']}.py" for part in toc["parts"] for chapter in part["chapters"]]
    return [path for path in paths if path.exists()]


def execute(source, target, parameters, timeout=CELL_TIMEOUT):
    """Run the notebook ``source`` (a percent script) with papermill and write it to ``target``, whole or not at all.

    The executed notebook's metadata says with which parameters, from which commit, when, where and how long it ran.
    Raises SystemExit with notebook, cell and traceback when a cell fails, CellTimeoutError when one takes longer than
    ``timeout`` seconds, DeadKernelError when the kernel dies.
    """
    name = source.relative_to(BOOK).with_suffix("")
    target.parent.mkdir(parents=True, exist_ok=True)
    plain, executed = target.with_suffix(".plain.ipynb"), target.with_suffix(".running.ipynb")
    jupytext.write(jupytext.read(source), plain)
    start = time.perf_counter()
    ran = {"commit": provenance.commit(), "date": provenance.now(), "processor": provenance.processor()}
    try:
        notebook = papermill.execute_notebook(
            plain,
            executed,
            parameters,
            kernel_name="python3",
            progress_bar=False,
            start_timeout=START_TIMEOUT,
            execution_timeout=timeout,
            config=LOCAL,
        )
    except PapermillExecutionError as error:
        lines = [f"    {line}" for line in error.source.splitlines()]
        raise SystemExit("\n".join([f"{name}: cell {error.cell_index} failed", *lines, "", *error.traceback])) from None
    except (CellTimeoutError, DeadKernelError) as error:
        error.add_note(f"while executing {name}")
        raise
    finally:
        plain.unlink()
    notebook.metadata[METADATA_KEY] = ran | {"seconds": time.perf_counter() - start, "parameters": parameters}
    nbformat.write(notebook, executed)
    executed.replace(target)
    return notebook


def claims(notebook):
    """The claims that an executed notebook verified, in the order of the page, as ``helpers.verify`` wrote them."""
    for cell in notebook.cells:
        for output in cell.get("outputs", ()):
            if METADATA_KEY in output.get("metadata", {}):
                yield output.metadata[METADATA_KEY]
