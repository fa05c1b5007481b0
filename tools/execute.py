"""Execute one notebook for the book: execute.py SOURCE.py TARGET.ipynb PROFILE

Beside the target it writes a file of make rules that says which records the notebook reads, as a compiler does for
headers: a page is remade when a record that it shows has changed.
"""

import ast
import sys
from pathlib import Path

from helpers.records import PROJECT
from notebooks import execute


def records_read(source):
    """The folders and files of records that the calls ``records.load("experiment", …)`` of a percent script read."""
    calls = [node for node in ast.walk(ast.parse(source.read_text())) if isinstance(node, ast.Call)]
    names = [ast.literal_eval(c.args[0]) for c in calls if ast.unparse(c.func) == "records.load"]
    folders = [Path("records", name) for name in names]
    return [str(p) for folder in folders for p in (folder, *sorted(folder.glob("*.json")))]


def main(source, target, profile):
    execute(source.resolve(), target, {"profile": profile})
    read = " ".join(records_read(source))
    # The empty rule keeps make going when a record that was read has been deleted: the page is then remade.
    target.with_suffix(".d").write_text(f"{target}: {read}\n{read}:\n" if read else "")


if __name__ == "__main__":
    assert Path.cwd() == PROJECT, "run from the project's folder: the rules written are relative to it"
    main(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3])
