"""The book on paper."""

import re

import pytest

from visits import CHAPTERS, DESK, RICH, a_rich_page, thorough_but


@pytest.mark.parametrize("page", thorough_but(RICH, CHAPTERS))
def test_paper_shows_what_it_can(visit, page):
    visit.tab.emulate_media(media="print")
    article = visit.tab.locator("article")
    assert "Show code" not in article.inner_text()
    assert article.locator("details:not([open]) pre:visible, .copybtn:visible, input:visible").count() == 0
    assert article.locator(".solution:visible").count() == 0
    assert "slider" not in article.inner_text().lower()
    assert article.locator("h1:visible").count() == 1
    assert article.locator(".book-figure svg:visible").count() > 0
    paper = visit.tab.pdf(prefer_css_page_size=True)
    assert len(paper) > 20_000
    assert len(re.findall(rb"/Type\s*/Page\b", paper)) <= 15, "sheets"


@a_rich_page
def test_paper_is_white_and_black_for_who_reads_in_the_dark(visit, page):
    visit.turn(DESK, "dark")
    visit.tab.emulate_media(media="print")
    assert visit.tab.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    for words in ("article p", "article .highlight .n"):
        style = visit.tab.locator(words).first.evaluate("node => getComputedStyle(node).color")
        assert style == "rgb(0, 0, 0)", words
