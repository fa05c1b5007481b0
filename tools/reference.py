"""Regenerate the committed, executed .ipynb of a notebook: reference.py SOURCE.py

Cell ids are kept, and nothing is stored that differs from run to run: no times, no measured errors, no widget
models, no pieces of one printed text. A notebook that fails leaves the reference as it was.
"""

import sys
from pathlib import Path

import nbformat
from jupytext.combine import combine_inputs_with_outputs
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError

from helpers import files
from notebooks import CELL_TIMEOUT, KERNELSPEC, LOCAL, START_TIMEOUT, failed, read, require_all_cells_ran

WIDGET = "application/vnd.jupyter.widget-view+json"


def main(source):
    path = source.with_suffix(".ipynb")
    notebook = read(source)
    if path.exists():
        notebook = combine_inputs_with_outputs(notebook, nbformat.read(path, as_version=4))
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.update(outputs=[], execution_count=None)
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
    try:
        client.execute()
    except CellExecutionError:
        outputs = [(cell, output) for cell in notebook.cells for output in cell.get("outputs", ())]
        (raised,) = [pair for pair in outputs if pair[1].output_type == "error"]
        raise SystemExit(failed(source.resolve(), raised[0].source, "\n".join(raised[1].traceback))) from None
    except (CellTimeoutError, DeadKernelError) as error:
        raise SystemExit(f"{source}: {error}") from None
    require_all_cells_ran(source.resolve(), notebook)
    notebook.metadata = {"kernelspec": KERNELSPEC}
    for output in (output for cell in notebook.cells for output in cell.get("outputs", ())):
        output.get("data", {}).pop(WIDGET, None)
        if "metadata" in output:
            output.metadata = {}
    files.write(path, nbformat.writes(notebook) + "\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
