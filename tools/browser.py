"""The browser that the tests and the tools look at the pages with: Chromium, headless, as the machine has it."""

import shutil

PROGRAMS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
MISSING = f"no browser found (looked for {', '.join(PROGRAMS)}); on Debian: apt install chromium"


def program():
    """The path of the browser, or None."""
    return next(filter(None, map(shutil.which, PROGRAMS)), None)
