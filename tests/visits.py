"""How tests look at the built pages: parsed, or opened in the browser from the disk."""

from functools import cache

import contents

import pytest
from bs4 import BeautifulSoup

DESK, PHONE = {"width": 1280, "height": 900}, {"width": 390, "height": 844}
RICH = "gnn/circulant"  # proofs, exercises, sliders, links of all kinds
CHAPTERS = [page for page in contents.pages() if page.startswith(("cnn/", "rnn/", "gnn/"))]
every_page = pytest.mark.parametrize("page", contents.pages())
every_chapter = pytest.mark.parametrize("page", CHAPTERS)
a_rich_page = pytest.mark.parametrize("page", [RICH])
# The weight and the size, in pixels, of what a locator finds.
WEIGHT = "node => [+getComputedStyle(node).fontWeight, parseFloat(getComputedStyle(node).fontSize)]"


def thorough_but(quick, values):
    """Parameters of which this one alone is tried by `make test`."""
    return [pytest.param(value, marks=[pytest.mark.thorough] * (value != quick)) for value in values]


@cache
def read(path):
    """A page as it is written; parsing it takes a while, so leave it as it is."""
    return BeautifulSoup(path.read_text(), "lxml")


class Visit:
    """A page opened in the browser, with what the browser complained of and whom it asked."""

    def __init__(self, browser, path, window=DESK, mode="light", **options):
        self.path = path
        self.context = browser.new_context(viewport=window, color_scheme=mode, reduced_motion="reduce", **options)
        self.tab = self.context.new_page()
        self.complaints, self.requests = [], []
        self.tab.on("console", lambda m: self.complaints.append(m.text) if m.type in ("error", "warning") else None)
        self.tab.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.tab.on("requestfailed", self.failed)
        self.tab.on("request", lambda request: self.requests.append(request.url))
        self.tab.goto(path.as_uri())

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.context.close()

    def failed(self, request):
        if request.failure != "net::ERR_ABORTED":  # which is what a tab that goes elsewhere says
            self.complaints.append(f"{request.url} cannot be loaded: {request.failure}")

    def turn(self, window, mode):
        """Another window or another mode, without loading the page again."""
        self.tab.set_viewport_size(window)
        self.tab.emulate_media(color_scheme=mode)
        self.tab.wait_for_function("mode => document.documentElement.dataset.theme === mode", arg=mode)


class SharedVisit(Visit):
    """A visit of several tests, each of which finds the page as it was when it had been loaded."""

    def __init__(self, browser, path):
        super().__init__(browser, path)
        self.tab.wait_for_function("document.fonts.ready.then(() => true)")
        self.first = list(self.complaints), list(self.requests)

    def restore(self):
        """Take back what tests do to a page: turn it, print it, move its sliders and the pointer."""
        self.tab.emulate_media(media="screen")
        self.turn(DESK, "light")
        self.tab.mouse.move(0, 0)
        self.tab.evaluate(RESTORE)
        self.complaints[:], self.requests[:] = self.first


RESTORE = """() => {
  for (const input of document.querySelectorAll(".book-slider input")) {
    if (input.value === input.defaultValue) continue;
    input.value = input.defaultValue;
    input.dispatchEvent(new Event("input", {bubbles: true}));
  }
  document.activeElement.blur();
  scrollTo(0, 0);
}"""
