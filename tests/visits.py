"""How tests look at the built pages: parsed, or opened in the browser from the disk."""

from functools import cache

import contents

import pytest
from bs4 import BeautifulSoup

DESK, PHONE = {"width": 1280, "height": 900}, {"width": 390, "height": 844}
CHAPTERS = [page for page in contents.pages() if page.startswith(("cnn/", "rnn/", "gnn/"))]
every_page = pytest.mark.parametrize("page", contents.pages())
every_chapter = pytest.mark.parametrize("page", CHAPTERS)


@cache
def read(path):
    """A page as it is written; parsing it takes a while."""
    return BeautifulSoup(path.read_text(), "lxml")


class Visit:
    """A page opened in the browser, with what the browser complained of and whom it asked."""

    def __init__(self, browser, path, window=DESK, mode="light"):
        self.context = browser.new_context(viewport=window, color_scheme=mode, reduced_motion="reduce")
        self.tab = self.context.new_page()
        self.complaints, self.requests = [], []
        self.tab.on("console", lambda m: self.complaints.append(m.text) if m.type in ("error", "warning") else None)
        self.tab.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.tab.on("request", lambda request: self.requests.append(request.url))
        self.tab.goto(path.as_uri())

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.context.close()

    def turn(self, window, mode):
        """Another window or another mode, without loading the page again."""
        self.tab.set_viewport_size(window)
        self.tab.emulate_media(color_scheme=mode)
        self.tab.wait_for_function("mode => document.documentElement.dataset.theme === mode", arg=mode)
