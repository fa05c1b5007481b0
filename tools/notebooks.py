"""What the tools know of the book's notebooks: how they are read and run, and what a run leaves in them."""

import copy
import importlib.util
import os
import re
import sys
import tempfile
import time
from pathlib import Path

import contents

import jupytext
import nbformat
import papermill
from jupyter_client import AsyncKernelManager
from jupytext.config import load_jupytext_config
from nbclient.exceptions import CellTimeoutError, DeadKernelError
from papermill.exceptions import PapermillExecutionError
from traitlets import Unicode
from traitlets.config import Config

from helpers import files, provenance
from helpers.verify import METADATA_KEY

KERNELSPEC = {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"}
START_TIMEOUT, CELL_TIMEOUT = 120, 900  # seconds; a kernel, or a chapter's cell, that takes longer hangs
NO_SOURCES = {"build", "exercises", ".git", ".venv"}  # folders of the project that no page is made from


def sources():
    """The percent scripts of all notebooks, in the order of the table of contents; one that it lacks is a draft."""
    return [files.PROJECT / name for name in contents.notebooks()]


def read(source):
    """The notebook of a percent script; its kernel is Python's, whether a header says so or not."""
    notebook = jupytext.read(source, config=load_jupytext_config(str(source)))
    notebook.metadata["kernelspec"] = KERNELSPEC
    return notebook


class KernelManager(AsyncKernelManager):
    """Starts kernels that tell the file ``notes`` what their notebook reads."""

    notes = Unicode(os.devnull, config=True)

    def format_kernel_cmd(self, extra_arguments=None):
        python, *rest = super().format_kernel_cmd(extra_arguments)
        return [python, str(files.PROJECT / "tools" / "kernel.py"), self.notes, *rest[rest.index("-f") :]]


LOCAL = Config(
    KernelManager={"transport_encryption": "auto"},  # on a shared machine, nobody else listens
    NotebookClient={
        "kernel_manager_class": KernelManager,
        # A kernel that is shut down is interrupted first, and some are in time to call that an error.
        "extra_arguments": ["--IPKernelApp.log_level=50"],
    },
)


def execute(source, target, parameters, timeout=CELL_TIMEOUT):
    """Run the notebook ``source`` (a percent script) with papermill, write it to ``target``, whole or not at all, and
    return what it read: sorted names of files, and of folders with a slash at the end, relative to the project.

    The executed notebook's metadata says with which parameters, from which commit, when, where and how long it ran,
    and which records and weights that it read are not those of the commit.
    Raises SystemExit with place, cell and traceback when a cell fails or has not run to its end, CellTimeoutError
    when one takes longer than ``timeout`` seconds, DeadKernelError when the kernel dies.
    """
    name = source.relative_to(contents.BOOK).with_suffix("")
    start = time.perf_counter()
    ran = {"commit": provenance.commit(), "date": provenance.now(), "processor": provenance.processor()}
    with tempfile.TemporaryDirectory() as folder:
        notes = Path(folder, "notes")
        config = copy.deepcopy(LOCAL)
        config.KernelManager.notes = str(notes)
        try:
            notebook = papermill.execute_notebook(
                read(source),
                None,
                parameters,
                kernel_name="python3",
                progress_bar=False,
                start_timeout=START_TIMEOUT,
                execution_timeout=timeout,
                config=config,
            )
        except PapermillExecutionError as error:
            raise SystemExit(failed(source, error.source, "\n".join(error.traceback))) from None
        except (CellTimeoutError, DeadKernelError) as error:
            error.add_note(f"while executing {name}")
            raise
        has_read = _in_project(notes.read_bytes())
    require_all_cells_ran(source, notebook)
    ran |= {"seconds": time.perf_counter() - start, "parameters": parameters, "changed": _changed_results(has_read)}
    notebook.metadata[METADATA_KEY] = ran
    files.write(target, nbformat.writes(notebook) + "\n")
    return has_read


def failed(source, text, traceback):
    """What to tell of the cell ``text`` of a notebook that raised: its place, itself and, colourless, the traceback."""
    told = re.sub(r"\x1b\[[\d;]*m", "", traceback)
    return f"{_place(source, text)} failed\n{_indented(text)}\n\n{told}"


def require_all_cells_ran(source, notebook):
    """Raise SystemExit for the first code cell of an executed notebook that has not run to its end.

    `sys.exit()` ends a notebook without an error, and a tag can skip a cell: what stands there is then not verified.
    """
    for cell in notebook.cells:
        ended = cell.metadata.get("papermill", {}).get("status", "completed") == "completed"
        if cell.cell_type == "code" and cell.source.strip() and not (cell.execution_count and ended):
            raise SystemExit(
                f"{_place(source, cell.source)} has not run to its end\n{_indented(cell.source)}\n\n"
                "Every cell of a notebook runs, from the first to the last: take out what ends or skips it"
            )


def _place(source, text):
    """Where the cell ``text`` stands in a notebook, as the rules of the book tell it."""
    from rules import Notebook  # not above: the rules read notebooks through this module

    notebook = Notebook(source, contents.BOOK.parent)
    return next((notebook.place(cell) for cell in notebook.code if cell.source == text), notebook.place(None))


def _indented(text):
    return "\n".join(f"    {line}" for line in text.splitlines())


def _in_project(notes):
    """The names, relative to the project, of those files and folders in a kernel's notes that pages are made from."""
    data = os.environ.get("SHARED_WEIGHTS_DATA") or "/dev"  # data sets are no sources, wherever they are kept
    outside = tuple(f"{Path(folder).expanduser()}/" for folder in (sys.prefix, sys.base_prefix, data))
    names = set()
    for path in os.fsdecode(notes).split("\0"):
        if not path or path.startswith(outside):
            continue
        if path.endswith(".pyc"):  # of a module, which is read from there when it has not changed
            try:
                path = importlib.util.source_from_cache(path)
            except ValueError:  # of a module without a file, as PyG makes them
                continue
        real = Path(path).resolve()
        if real.is_relative_to(files.PROJECT) and (real.is_dir() if path.endswith("/") else real.is_file()):
            name = str(real.relative_to(files.PROJECT))
            if name != "." and name.partition("/")[0] not in NO_SOURCES:
                names.add(name + "/" * path.endswith("/"))
    return sorted(names)


def _changed_results(names):
    """Those records and weights among ``names``, or gone from the folders among them, that differ from the commit."""
    results = [name for name in names if name.startswith(("records/", "weights/"))]
    differ = provenance.uncommitted(results)
    told = [name for name in differ if name in results or not (files.PROJECT / name).exists()]
    return [os.fsencode(name).decode(errors="replace") for name in told]  # a name need not be text
