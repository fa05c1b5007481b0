"""Lay out what Jupyter Book builds from: stage.py EXECUTED SRC PROFILE

SRC gets the written pages, the executed notebooks and the pages that are made from them (ledger, records, run
times); each page ends with a line that says with which profile, from which commit and when it came about.
"""

import shutil
import sys
from datetime import datetime
from pathlib import Path

import nbformat

from helpers import provenance, records
from helpers.verify import METADATA_KEY
from notebooks import BOOK, claims, sources


def stage(executed, src, profile):
    """Fill ``src`` anew from the book's written pages and the notebooks in ``executed``."""
    shutil.rmtree(src, ignore_errors=True)
    shutil.copytree(BOOK, src, ignore=shutil.ignore_patterns("*.py", "*.ipynb", ".*", "__pycache__"))
    now = {"commit": provenance.commit(), "date": provenance.now()}
    paths = [source.relative_to(BOOK).with_suffix(".ipynb") for source in sources()]
    notebooks = {path: nbformat.read(executed / path, as_version=4) for path in paths}
    appendix = src / "appendix"
    (appendix / "ledger.md").write_text(ledger(notebooks))
    (appendix / "records.md").write_text(records_page())
    (appendix / "run_times.md").write_text(run_times(notebooks))
    for page in sorted(src.rglob("*.md")):
        page.write_text(f"{page.read_text().rstrip()}\n\n{foot(now, profile)}\n")
    for path, notebook in notebooks.items():
        ran = notebook.metadata[METADATA_KEY]
        notebook.cells.append(nbformat.v4.new_markdown_cell(foot(ran, ran["parameters"]["profile"])))
        nbformat.write(notebook, src / path)


def foot(made, profile):
    """The line at the end of a page: where it comes from."""
    commit, _, dirty = made["commit"].partition("-")
    commit = f"commit `{commit}`" + " with uncommitted changes" * bool(dirty)
    how = f"Executed in {made['seconds']:.1f} s" if "seconds" in made else "A page without code, built"
    return f":::{{container}} provenance\n{how} with the `{profile}` profile, from {commit}, on {when(made)}.\n:::"


def when(made):
    return datetime.fromisoformat(made["date"]).strftime("%d %B %Y, %H:%M UTC").lstrip("0")


def ledger(notebooks):
    """The page of all claims, each with the largest error that its check met when the book was made."""
    rows = [
        [
            f"{{eq}}`{claim['label']}`",
            f"{{doc}}`{title(notebook)} </{path.with_suffix('')}>`",
            f"`{claim['label']}`",
            str(claim["cases"]),
            f"{claim['error']:.1e}" if "error" in claim else "a statement",
            tolerance(claim),
        ]
        for path, notebook in notebooks.items()
        for claim in claims(notebook)
    ]
    return (
        "# Ledger of verified equations\n\n"
        f"Every equation that asserts something is checked by the cell below it, by an independent route. These are "
        f"all {len(rows)} of them, with the largest error each check met when these pages were executed. A claim that "
        "fails stops the build, so the page you read is one where all of them hold.\n\n"
        + table(["Equation", "Chapter", "Label", "Cases", "Largest error", "Tolerance"], rows)
    )


def tolerance(claim):
    parts = [f"{claim[k]:.0e}{of}" for k, of in (("atol", ""), ("rtol", " relative")) if claim.get(k)]
    return " + ".join(parts) or "none"


def records_page():
    """The page of all records: what was run in full, where and how long it took."""
    rows = []
    for folder in sorted(path for path in records.ROOT.iterdir() if path.is_dir()):
        for run, record in records.load(folder.name).items():
            made = record["provenance"]
            machine = made["processor"] if made["device"] == "cpu" else made["device"]
            day, _, _ = when(made).partition(",")
            rows.append(
                [f"`{folder.name}/{run}`", duration(made["seconds"]).replace(" ", "\N{NO-BREAK SPACE}")]
                + [str(made["threads"]), machine]
                + [day, f"`{made['commit']}`"]
            )
    return (
        "# Records\n\nLong runs and timings are not repeated whenever the book is built. They were made once, and "
        "their results are kept as JSON files in the folder `records/`; chapters read them from there. "
        "`make benchmark` makes the benchmarks anew, `make rerun` the others.\n\n"
        + table(["Record", "Time", "Threads", "Machine", "Date", "Commit"], rows)
    )


def run_times(notebooks):
    """The page of what each notebook took to execute, and on which machine."""
    ran = {path: notebook.metadata[METADATA_KEY] for path, notebook in notebooks.items()}
    rows = [
        [f"{{doc}}`{title(notebooks[path])} </{path.with_suffix('')}>`", f"`{made['parameters']['profile']}`"]
        + [duration(made["seconds"]), when(made), made["processor"]]
        for path, made in ran.items()
    ]
    total = duration(sum(made["seconds"] for made in ran.values()))
    return (
        "# Run times\n\nWhat each notebook took, from the start of its kernel to its end, with one thread and "
        f"several notebooks side by side; {total} in all. A page keeps its figures until it is executed again.\n\n"
        + table(["Notebook", "Profile", "Time", "Executed", "Processor"], rows)
    )


def duration(seconds):
    return f"{seconds:.1f} s" if seconds < 120 else f"{seconds / 60:.0f} min"


def title(notebook):
    """The text of a notebook's first heading."""
    lines = (line for cell in notebook.cells for line in cell.source.splitlines() if cell.cell_type == "markdown")
    return next(line for line in lines if line.startswith("# ")).removeprefix("# ")


def table(header, rows):
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines) + "\n"


if __name__ == "__main__":
    stage(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3])
