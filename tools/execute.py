"""Execute one notebook for the book: execute.py SOURCE.py TARGET.ipynb PROFILE

Beside the target it writes a file of make rules that say what the notebook read when it ran, as a compiler does for
headers: modules, records, weights, lists of runs. The page is remade when one of these has changed or gone.
"""

import os
import sys
import time
from pathlib import Path

import contents

from nbclient.exceptions import CellTimeoutError, DeadKernelError

from helpers import files
from notebooks import execute


def main(source, target, profile):
    begun = time.time_ns()
    depends = target.with_suffix(".d")
    depends.unlink(missing_ok=True)  # a page without it is remade: this one, should it not come to its end
    try:
        has_read = execute(source.resolve(), target, {"profile": profile})
        os.utime(target, ns=(begun, begun))  # what has changed while it ran is newer
        files.write(depends, contents.rules(target, has_read))
    except (CellTimeoutError, DeadKernelError, OSError) as error:
        raise SystemExit(f"{source}: {error}") from None
    except contents.ContentsError as error:
        raise SystemExit(f"{source} reads {error}") from None


if __name__ == "__main__":
    assert Path.cwd() == files.PROJECT, "run from the project's folder: the rules written are relative to it"
    main(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3])
