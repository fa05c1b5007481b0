"""A copy of the project around another book, for tests that run make."""

import os
import shutil
import subprocess

from helpers.files import PROJECT


class Project:
    """The Makefile, the tools and the helpers in a folder of their own, with the real environment."""

    def __init__(self, folder):
        self.folder = folder
        for name in ("Makefile", "requirements.txt", "tools", "src"):
            copy = shutil.copytree if (PROJECT / name).is_dir() else shutil.copy2
            copy(PROJECT / name, folder / name)
        os.utime(folder / "requirements.txt", (0, 0))  # what is installed is not to be installed again
        (folder / ".venv").symlink_to(PROJECT / ".venv")
        (folder / "records").mkdir()

    def write(self, name, text):
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    def make(self, *arguments):
        """Run make as a user would, in a session of its own: what kills the group of a build does not kill the test."""
        environment = {name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFLAGS"))}
        environment["PYTHONPATH"] = str(self.folder / "src")
        return subprocess.run(
            ["make", *arguments],
            cwd=self.folder,
            env=environment,
            capture_output=True,
            text=True,
            timeout=600,
            start_new_session=True,
        )
