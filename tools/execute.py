"""Execute one notebook for the book: execute.py SOURCE.py TARGET.ipynb PROFILE

Beside the target it writes a file of make rules that says which records and weights the notebook reads, as a compiler
does for headers: a page is remade when one that it shows has changed.
"""

import ast
import sys
from pathlib import Path

from helpers.files import PROJECT
from notebooks import execute


def records_read(source):
    """What the calls ``records.load("experiment", …)`` and ``records.load_weights("name")`` of a percent script read.

    Folders and files of records, and files of weights.
    """
    calls = [node for node in ast.walk(ast.parse(source.read_text())) if isinstance(node, ast.Call)]
    read = []
    for call in calls:
        if ast.unparse(call.func) == "records.load":
            folder = Path("records", ast.literal_eval(call.args[0]))
            read += folder, *sorted(folder.glob("*.json"))
        elif ast.unparse(call.func) == "records.load_weights":
            read.append(Path("weights", f"{ast.literal_eval(call.args[0])}.safetensors"))
    return [str(path) for path in read]


def main(source, target, profile):
    execute(source.resolve(), target, {"profile": profile})
    read = " ".join(records_read(source))
    # The empty rule keeps make going when a record that was read has been deleted: the page is then remade.
    target.with_suffix(".d").write_text(f"{target}: {read}\n{read}:\n" if read else "")


if __name__ == "__main__":
    assert Path.cwd() == PROJECT, "run from the project's folder: the rules written are relative to it"
    main(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3])
