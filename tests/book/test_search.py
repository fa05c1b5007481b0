"""The search: what it finds, in what order, and how its page looks."""

import json

import contents

import pytest
from axe_playwright_python.sync_playwright import Axe

from visits import DESK, PHONE, RICH, WEIGHT, Visit, read


def test_search_finds_sections_and_shows_where(browser, site):
    with Visit(browser, site / "search.html") as visit:
        visit.tab.goto((site / "search.html").as_uri() + "?q=Fourier+modes+shift")
        first = visit.tab.locator("#search-results li")
        first.first.wait_for()
        links = [link.get_attribute("href") for link in visit.tab.locator("#search-results a").all()]
        assert "gnn/fourier.html#the-signals-that-a-shift-only-multiplies" in links
        marked = {word.lower() for word in visit.tab.locator("#search-results mark").all_inner_texts()}
        assert {"fourier", "modes", "shift"} <= marked
        for link in links:
            name, anchor = link.split("#")
            assert read(site / name).find(id=anchor), link
        field = visit.tab.locator(".bd-search-container input")
        field.fill("over-smoothed")  # finds what it has as a word's beginning, while one types
        visit.tab.locator("#search-results a", has_text="over-smoothing").wait_for()
        field.fill("velickovic")
        visit.tab.locator("#search-results a", has_text="Veličković").first.wait_for()
        field.fill("zxq")
        assert "Nothing" in visit.tab.get_by_role("status").inner_text()
        assert visit.complaints == []
        assert all(url.startswith("file:") for url in visit.requests)


@pytest.mark.parametrize("window", [DESK, PHONE], ids=["desk", "phone"])
def test_search_shuts_nobody_out_and_fits(browser, site, window):
    with Visit(browser, site / "search.html", window) as visit:
        visit.tab.goto((site / "search.html").as_uri() + "?q=equivariance")
        visit.tab.locator("#search-results li").first.wait_for()
        assert visit.tab.evaluate("document.documentElement.scrollWidth") <= window["width"]
        assert not Axe().run(visit.tab, options={"resultTypes": ["violations"]}).response["violations"]


def test_a_formula_among_what_was_found_is_one_line_of_mathematics(site):
    index = (site / "search-index.js").read_text()
    assert "1/(√n)" in index and "\N{FUNCTION APPLICATION}" not in index


INDEX = [
    ["a.html#hyphen", "One", "A", "What is called over-smoothing.", False],
    ["a.html#joined", "Two", "A", "What is called oversmoothing.", False],
    ["a.html#apart", "Three", "A", "What is called over smoothing.", False],
    ["a.html#other", "Four", "A", "There is no term that is smooth all over.", False],
    ["t.html#table", "Over-smoothing", "T", "Oversmoothing over smoothing over-smoothing.", True],
]


@pytest.mark.parametrize("query", ["oversmoothing", "over-smoothing", "over smoothing", "Over-smooth", "note"])
def test_hyphens_do_not_count_and_tables_come_last(browser, site, query):
    with Visit(browser, site / "search.html") as visit:
        script = f"var bookSections = {json.dumps(INDEX)};"
        visit.tab.route("**/search-index.js", lambda route: route.fulfill(body=script))
        visit.tab.goto((site / "search.html").as_uri() + f"?q={query.replace(' ', '+')}")
        found = visit.tab.locator("#search-results a").evaluate_all("all => all.map(link => link.hash)")
        if query == "note":
            assert found == [], "'no term' is not 'note'"
        else:
            assert {"#hyphen", "#joined", "#apart"} <= set(found) and found[-1] == "#table"


def test_pages_of_the_whole_book_are_known_to_the_search_as_tables(site):
    rows = json.loads((site / "search-index.js").read_text().removeprefix("var bookSections = ").removesuffix(";\n"))
    tables = {address.split("#")[0].removesuffix(".html") for address, *_, table in rows if table}
    assert tables == set(contents.GENERATED)


def test_the_page_of_the_search_looks_like_the_others(browser, site):
    with Visit(browser, site / f"{RICH}.html") as visit:
        title = visit.tab.locator("article h1").evaluate(WEIGHT)
        visit.tab.goto((site / "search.html").as_uri())
        assert visit.tab.locator("h1").evaluate(WEIGHT) == title
        keys = visit.tab.locator(".bd-search-container .search-button__kbd-shortcut")
        colors = [part.evaluate("node => getComputedStyle(node).color") for part in (keys, keys.locator("kbd").first)]
        assert colors[0] == colors[1], "between the names of the keys stands what is as dark"
