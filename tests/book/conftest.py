import os
import shutil

import pytest

from helpers.files import PROJECT

SITE = PROJECT / "build" / "smoke" / "html"
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@pytest.fixture(scope="session")
def site():
    """The folder of the built pages."""
    assert (SITE / "index.html").exists(), "no pages to test: run `make book` first (`make test` does)"
    return SITE


@pytest.fixture(scope="session")
def browser():
    """A headless Chromium; without one, tests are skipped on a laptop and fail where CI is set."""
    program = next(filter(None, map(shutil.which, BROWSERS)), None)
    if program is None:
        reason = f"no browser found (looked for {', '.join(BROWSERS)}); on Debian: apt install chromium"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=program, args=FLAGS)
        yield chromium
        chromium.close()
