"""Regenerate the committed, executed .ipynb of a notebook: reference.py SOURCE.py

Cell ids are kept, and nothing is stored that differs from run to run: no times, no measured errors, no widget
models, no pieces of one printed text.
"""

import sys
from pathlib import Path

import nbformat
from jupytext.cli import jupytext as jupytext_cli
from nbclient import NotebookClient

from notebooks import CELL_TIMEOUT, LOCAL, START_TIMEOUT

WIDGET = "application/vnd.jupyter.widget-view+json"


def main(source):
    jupytext_cli(["--quiet", "--update", "--to", "ipynb", str(source)])
    path = source.with_suffix(".ipynb")
    notebook = nbformat.read(path, as_version=4)
    client = NotebookClient(
        notebook,
        kernel_name="python3",
        startup_timeout=START_TIMEOUT,
        timeout=CELL_TIMEOUT,
        record_timing=False,
        store_widget_state=False,
        coalesce_streams=True,
        config=LOCAL,
    )
    client.execute()
    notebook.metadata = {"kernelspec": notebook.metadata["kernelspec"]}
    for output in (output for cell in notebook.cells for output in cell.get("outputs", ())):
        output.get("data", {}).pop(WIDGET, None)
        if "metadata" in output:
            output.metadata = {}
    nbformat.write(notebook, path)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
