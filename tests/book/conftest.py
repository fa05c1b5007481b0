import os
import shutil

import pytest
import yaml

from helpers.files import PROJECT
from notebooks import BOOK, sources

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


def contents():
    """The pages of the book's table of contents, the front page first."""
    toc = yaml.safe_load((BOOK / "_toc.yml").read_text())
    return [toc["root"]] + [chapter["file"] for part in toc["parts"] for chapter in part["chapters"]]


def pytest_generate_tests(metafunc):
    """A test that takes ``source`` or ``page`` is tried on every notebook or page, or on that of --page alone."""
    only = metafunc.config.getoption("page")
    if "source" in metafunc.fixturenames:
        found = {path.relative_to(BOOK).with_suffix("").as_posix(): path for path in sources()}
        names = [name for name in found if only in (None, name)]
        metafunc.parametrize("source", [found[name] for name in names], ids=names)
    if "page" in metafunc.fixturenames:
        metafunc.parametrize("page", [page for page in contents() if only in (None, page)])


@pytest.fixture(scope="session")
def site(request):
    """The folder of the built pages."""
    folder = PROJECT / request.config.getoption("site")
    assert (folder / "index.html").exists(), f"no pages in {folder}: `make book` builds them (and `make test` does)"
    return folder


@pytest.fixture(scope="session")
def pages():
    """The pages of the table of contents, the front page first."""
    return contents()


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
