"""Lay out what Jupyter Book builds from: stage.py EXECUTED SRC PROFILE

SRC gets the written pages, the executed notebooks and the pages that are made from them (ledger, records, run
times); each page ends with a line that says with which profile, from which commit and when it came about. The checks of
the reader's own work, which only speak of that, are left out; notebooks to work in come beside pages with exercises.
"""

import json
import shutil
import sys
from datetime import datetime
from pathlib import Path

import contents

import nbformat

from exercises import working_copy
from helpers import experiments, files, provenance, records
from helpers.verify import METADATA_KEY
from labels import claims, claims_of
from notebooks import sources
from pages.copies import FOLDER
from status import duration


def stage(executed, src, profile):
    """Fill ``src`` anew from the book's written pages and the notebooks in ``executed``."""
    shutil.rmtree(src, ignore_errors=True)
    for name in (name for name in contents.others() if name.startswith("book/")):
        copy = src / Path(name).relative_to("book")
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(files.PROJECT / name, copy)
    now = {"commit": provenance.commit(), "date": provenance.now()}
    paths = [source.relative_to(contents.BOOK).with_suffix(".ipynb") for source in sources()]
    notebooks = {path: nbformat.read(executed / path, as_version=4) for path in paths}
    made = {"ledger": ledger(notebooks), "records": records_page(), "run_times": run_times(notebooks)}
    for name in contents.GENERATED:
        files.write(src / f"{name}.md", made[Path(name).name])
    for page in sorted(src.rglob("*.md")):
        page.write_text(f"{page.read_text().rstrip()}\n\n{foot(now, profile)}\n")
    for path, notebook in notebooks.items():
        ran = notebook.metadata[METADATA_KEY]
        prepare(notebook)
        if path.with_suffix("").as_posix() == contents.pages()[0]:
            cover(notebook)
        notebook.cells.append(nbformat.v4.new_markdown_cell(foot(ran, ran["parameters"]["profile"])))
        files.write(src / path, nbformat.writes(notebook))
    offer_copies(src / "extra" / FOLDER)


def offer_copies(folder):
    """Write the notebooks to work in of all pages with exercises, each also as a script that saves it."""
    folder.mkdir(parents=True)
    for source in sources():
        if "{exercise}" in source.read_text():
            copy, text = folder / source.relative_to(contents.BOOK).with_suffix(".ipynb"), working_copy(source)
            files.write(copy, text)
            files.write(copy.with_suffix(".js"), f"saveCopy({json.dumps(text)});\n")


def prepare(notebook):
    """Tell the page what each check found, and leave out what only speaks of the reader's own work or of the build."""
    for cell in notebook.cells:
        tags = cell.metadata.get("tags", [])
        for claim in claims_of(cell):
            cell.metadata[METADATA_KEY] = claim
        if "injected-parameters" in tags or (cell.cell_type == "code" and "exercises.check(" in cell.source):
            cell.metadata["tags"] = [*tags, "remove-cell"]


def cover(notebook):
    """Show what the cells of the front page give, and none of their code: who comes to the door sees no machinery."""
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.metadata["tags"] = ["door", "remove-input"] if cell.outputs else ["remove-cell"]


def depends(site, rules):
    """Write the file ``rules``, which says which modules of the project had a part in what was staged for ``site``."""
    loaded = {Path(file) for module in [*sys.modules.values()] if (file := getattr(module, "__file__", None))}
    folders = [files.PROJECT / name for name in ("src", "tools")]
    own = [path for path in loaded if any(path.is_relative_to(folder) for folder in folders)]
    files.write(rules, contents.rules(site, sorted(str(path.relative_to(files.PROJECT)) for path in own)))


def foot(made, profile):
    """The line at the end of a page: where it comes from, and which results in it are not those of the commit."""
    commit, _, dirty = made["commit"].partition("-")
    differs = ["uncommitted changes"] * bool(dirty)
    if changed := made.get("changed"):
        differs.append(f"{enumerated([f'`{name}`' for name in changed])} changed since then")
    commit = f"commit `{commit}`" + f" with {' and '.join(differs)}" * bool(differs)
    how = f"Executed in {made['seconds']:.1f} s" if "seconds" in made else "A page without code, built"
    return f":::{{container}} provenance\n{how} with the `{profile}` profile, from {commit}, on {when(made)}.\n:::"


def enumerated(names, most=5):
    """Names in one line, or the first of them and how many there are."""
    more = [f"{len(names) - most} more"] * (len(names) > most)
    return ", ".join([*names[:most], *more])


def when(made):
    return datetime.fromisoformat(made["date"]).strftime("%d %B %Y, %H:%M UTC").lstrip("0")


def ledger(notebooks):
    """The page of all claims, each with the largest error that its check met when the book was made.

    What a phone has room for comes first, up to the error.
    """
    rows = [
        [
            f"{{eq}}`{claim['label']}`",
            claim["against"],
            f"{claim['error']:.1e}" if "error" in claim else "a statement",
            tolerance(claim),
            str(claim["cases"]),
            f"{{doc}}`{title(path, notebook)} </{path.with_suffix('')}>`",
            f"`{claim['label']}`",
        ]
        for path, notebook in notebooks.items()
        for claim in claims(notebook)
    ]
    return (
        "# Ledger of verified equations\n\n"
        f"Every equation that asserts something is checked by the cell below it, by an independent route. These are "
        f"all {len(rows)} of them, with the largest error each check met when these pages were executed. A claim that "
        "fails stops the build, so the page you read is one where all of them hold.\n\n"
        + table(["Equation", "Against", "Largest error", "Tolerance", "Cases", "Chapter", "Label"], rows)
    )


def tolerance(claim):
    parts = [f"{claim[k]:.0e}{of}" for k, of in (("atol", ""), ("rtol", " relative")) if claim.get(k)]
    return " + ".join(parts) or "none"


def records_page():
    """The page of all records: what was run in full, where and how long it took."""
    changed = provenance.uncommitted(["records"])
    rows = []
    for folder in sorted(path for path in records.ROOT.iterdir() if any(path.glob("*.json"))):
        for run, record in records.load(folder.name).items():
            made = record["provenance"]
            machine = made["processor"] if made["device"] == "cpu" else made["device"]
            day, _, _ = when(made).partition(",")
            rows.append(
                [f"`{folder.name}/{run}`", duration(made["seconds"]).replace(" ", "\N{NO-BREAK SPACE}")]
                + [str(made["threads"]), machine]
                + [day, origin(made, changed=f"records/{folder.name}/{run}.json" in changed)]
            )
    return (
        "# Records\n\nLong runs and timings are not repeated whenever the book is built. They were made once, and "
        "their results are kept as JSON files in the folder `records/`; chapters read them from there. "
        "`make benchmark` makes the benchmarks anew, `make rerun` the others.\n\n"
        + table(["Record", "Time", "Threads", "Machine", "Date", "Commit"], rows)
        + "\n## Groups\n\nRuns that differ by their seed alone are one group: what its seeds gave, as mean ± standard "
        "deviation.\n\n" + table(["Experiment", "Group", "Seeds", "Metric", "Value"], list(group_rows()))
    )


def group_rows():
    """A row for each metric that is shown of each group of runs."""
    for experiment in experiments.experiments():
        for group, metrics in experiments.groups(experiment).items():
            for metric, values in metrics.items():
                if values:
                    told = [str(len(values)), f"`{metric}`", experiments.spread(values)]
                    yield [f"`{experiment}`", f"`{group}`", *told]


def origin(made, changed):
    """The commit that made a record, and what else had a part in it: changes to the commit, code that took over from
    it while the run was under way, and, when the record itself has ``changed``, a hand since.
    """
    commit, _, dirty = made["commit"].partition("-")
    remarks = ["with uncommitted changes"] * bool(dirty)
    for later in made.get("resumed") or ():
        code = f" with another {enumerated(later['changed'])}" * bool(later["changed"])
        remarks.append(f"resumed at step {later['step']:,} under `{later['commit']}`{code}")
    remarks += ["this record differs from the one that is committed"] * changed
    return "; ".join([f"`{commit}`", *remarks])


def run_times(notebooks):
    """The page of what each notebook took to execute, and on which machine."""
    ran = {path: notebook.metadata[METADATA_KEY] for path, notebook in notebooks.items()}
    rows = [
        [f"{{doc}}`{title(path, notebooks[path])} </{path.with_suffix('')}>`", f"`{made['parameters']['profile']}`"]
        + [duration(made["seconds"]), when(made), made["processor"]]
        for path, made in ran.items()
    ]
    total = duration(sum(made["seconds"] for made in ran.values()))
    return (
        "# Run times\n\nWhat each notebook took, from the start of its kernel to its end, with one thread and "
        f"several notebooks side by side; {total} in all. A page keeps its figures until it is executed again.\n\n"
        + table(["Notebook", "Profile", "Time", "Executed", "Processor"], rows)
    )


def title(path, notebook):
    """The text of a notebook's first heading. Raises ContentsError when there is none."""
    for line in (line for cell in notebook.cells if cell.cell_type == "markdown" for line in cell.source.splitlines()):
        if line.startswith("# "):
            return line.removeprefix("# ")
    raise contents.ContentsError(f"book/{path.with_suffix('.py')} has no title: begin it with a cell of text, `# …`")


def table(header, rows):
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines) + "\n"


if __name__ == "__main__":
    executed, src, profile = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3]
    depends(src.with_name("html") / "index.html", src.with_suffix(".d"))  # first: it tells when the site was begun
    try:
        stage(executed, src, profile)
    except (contents.ContentsError, experiments.RunError, records.RecordError, OSError) as error:
        raise SystemExit(str(error)) from None
