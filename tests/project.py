"""A copy of the project around another book, for tests that run make."""

import os
import shutil
import subprocess

from helpers.files import PROJECT


class Project:
    """The Makefile, the tools and the helpers in a folder of their own, with the real environment."""

    def __init__(self, folder):
        self.folder = folder
        for name in ("Makefile", "requirements.in", "requirements.txt", "tools", "src", "slurm"):
            copy = shutil.copytree if (PROJECT / name).is_dir() else shutil.copy2
            copy(PROJECT / name, folder / name)
        for name in ("requirements.in", "requirements.txt"):  # what is installed is not to be installed again
            os.utime(folder / name, (0, 0))
        (folder / ".venv").symlink_to(PROJECT / ".venv")
        (folder / "records").mkdir()
        (folder / "build" / "matplotlib").mkdir(parents=True)  # where make would look for fonts first

    def write(self, name, text):
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")

    def start(self, *arguments, **environment):
        """Start make as a user would, in a session of its own: what kills a build's group does not kill the test."""
        clean = {name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFLAGS"))}
        clean["PYTHONPATH"] = str(self.folder / "src")
        return subprocess.Popen(
            ["make", *arguments],
            cwd=self.folder,
            env=clean | environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def make(self, *arguments, **environment):
        """Run make to its end: a process with returncode, stdout and stderr."""
        process = self.start(*arguments, **environment)
        output = process.communicate(timeout=600)
        return subprocess.CompletedProcess(process.args, process.returncode, *output)
