"""The ``.ipynb`` beside a source: its cells, executed, with outputs that are the same in every run."""

from itertools import zip_longest

from rules.notebook import tags

LARGEST = 500 * 1024  # bytes
WIDGET = "application/vnd.jupyter.widget-view+json"


def has_the_same_cells(notebook):
    if notebook.reference is None:
        yield None, f"its .ipynb is missing: {_again(notebook)}"
        return
    paired = [(cell.cell_type == "code", cell.source, tags(cell)) for cell in notebook.reference.cells]
    for cell, other in zip_longest(notebook.cells, paired):
        if cell is None or other != (cell.is_code, cell.source, cell.tags):
            yield cell, f"from here on its .ipynb has other cells: {_again(notebook)}"
            return


def was_executed(notebook):
    code = [cell for cell in _cells(notebook) if cell.cell_type == "code"]
    counts = [cell.execution_count for cell in code]
    if counts != list(range(1, len(code) + 1)):
        text = f"the cells of its .ipynb were not executed, each once and in order ({counts})"
        yield None, f"{text}: {_again(notebook)}"
    for cell, output in _outputs(notebook):
        if output.output_type == "error":
            yield cell, f"it ended in an error when it was executed: mend it, then {_again(notebook)}"
        if output.get("name") == "stderr":
            yield cell, f"its output holds a warning or a progress bar: have it print none, then {_again(notebook)}"


def keeps_nothing_that_changes_from_run_to_run(notebook):
    extra = set(notebook.reference.metadata) - {"kernelspec"} if notebook.reference else ()
    if extra:
        yield None, f"its .ipynb has the metadata {', '.join(sorted(extra))}: {_again(notebook)}"
    for number, cell in enumerate(_cells(notebook)):
        extra = set(cell.metadata) - {"tags", "lines_to_next_cell"}  # the second: how the .py is laid out
        if extra:
            yield (
                _own(notebook, number),
                f"in the .ipynb it has the metadata {', '.join(sorted(extra))}: {_again(notebook)}",
            )
    for cell, output in _outputs(notebook):
        kinds = set(output.get("data", ()))
        if output.get("metadata") or WIDGET in kinds:
            yield cell, f"its output in the .ipynb has metadata or a widget: {_again(notebook)}"
        bare = "".join(output.get("data", {}).get("text/plain", "")).startswith("<Figure ")
        if bare or any(kind.startswith("image/") for kind in kinds):
            yield cell, f"its figure has no words: display.show(fig, alt=…, caption=…), then {_again(notebook)}"
    size = notebook.source.with_suffix(".ipynb").stat().st_size if notebook.reference else 0
    if size > LARGEST:
        text = f"its .ipynb has {size // 1024} KiB, and {LARGEST // 1024} are allowed"
        yield None, f"{text}: show fewer or simpler figures, then {_again(notebook)}"


def _again(notebook):
    return f"make reference/{notebook.name} executes it anew"


def _cells(notebook):
    return notebook.reference.cells if notebook.reference else []


def _outputs(notebook):
    """The outputs in the reference, each with its cell of the source."""
    for number, cell in enumerate(_cells(notebook)):
        for output in cell.get("outputs", ()):
            yield _own(notebook, number), output


def _own(notebook, number):
    return notebook.cells[number] if number < len(notebook.cells) else None
