import os

import pytest

import browser as machine
from helpers.files import PROJECT
from visits import SharedVisit


def pytest_collection_modifyitems(config, items):
    """With --page, the tests of this page alone."""
    only = config.getoption("page")
    if only:
        found = [(item, getattr(item, "callspec", None)) for item in items]
        items[:] = [item for item, spec in found if spec and only in (spec.params.get("page"), spec.params.get("name"))]


@pytest.fixture(scope="session")
def site(request):
    """The folder of the built pages."""
    folder = PROJECT / request.config.getoption("site")
    assert (folder / "index.html").exists(), f"no pages in {folder}: `make book` builds them (and `make test` does)"
    return folder


@pytest.fixture(scope="session")
def browser():
    """A headless Chromium; without one, tests are skipped on a laptop and fail where CI is set."""
    program = machine.program()
    if program is None:
        if os.environ.get("CI"):
            pytest.fail(machine.MISSING)
        pytest.skip(machine.MISSING)
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=program, args=machine.FLAGS)
        yield chromium
        chromium.close()


@pytest.fixture(scope="session")
def visits(browser):
    """The visit that was last shared, which stays open until another page is asked for."""
    last = []
    yield last
    for visit in last:
        visit.context.close()


@pytest.fixture
def visit(browser, site, page, visits):
    """A visit of the page, shared by all tests that look at it: at a desk, in the light, with scripts."""
    path = site / f"{page}.html"
    if visits and visits[0].path == path:
        visits[0].restore()
    else:
        while visits:
            visits.pop().context.close()
        visits.append(SharedVisit(browser, path))
    return visits[0]
