"""A kernel that notes what its notebook reads: kernel.py NOTES -f CONNECTION_FILE …

It takes the place of IPython's own launcher. NOTES gets a name for each file that is opened for reading, modules among
them, and for each folder that is listed, this with a slash at its end; each ends in a zero byte. What libraries open
in C goes unseen. The notebook sees nothing of this: there is no cell, no name and no module to import.
"""

import os
import sys
from pathlib import Path


def note(path):
    """Write the name of each file opened and each folder listed from now on to the file ``path``, as it happens."""
    notes = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    noted = set()

    def hook(event, arguments):
        if event == "open":
            name, _, flags = arguments
            if flags & (os.O_WRONLY | os.O_TRUNC):
                return
        elif event in ("os.listdir", "os.scandir"):
            # To find a module, or the version of a package, Python lists the folders that it searches.
            if sys._getframe(1).f_globals.get("__name__", "").startswith(("importlib", "_frozen_importlib")):
                return
            name = arguments[0] or "."
        else:
            return
        if isinstance(name, (str, bytes, os.PathLike)):  # and not a number: a file that is open already
            line = os.path.abspath(os.fsencode(name)) + b"/" * (event != "open")  # noqa: PTH100 (a hook is to be quick)
            if line not in noted:
                noted.add(line)
                os.write(notes, line + b"\0")

    sys.addaudithook(hook)


if __name__ == "__main__":
    note(sys.argv.pop(1))
    sys.path.remove(str(Path(__file__).parent))  # what a notebook imports is not looked for among the tools
    from ipykernel import kernelapp

    kernelapp.launch_new_instance()
