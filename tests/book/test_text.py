"""How the text reads: lines, boxes, tables, what links show, the search, the bibliography, and the book on paper."""

import json
import re

import pytest
from axe_playwright_python.sync_playwright import Axe
from bs4 import NavigableString

from visits import CHAPTERS, DESK, PHONE, RICH, Visit, a_rich_page, every_chapter, every_page, read, thorough_but

# --- lines and what they are made of ---


LINES = """() => [...document.querySelectorAll(".bd-article section > p")].flatMap(p => {
  if (!p.checkVisibility() || p.querySelector("mjx-container, .math, code")) return [];
  const lines = new Map(), walker = document.createTreeWalker(p, NodeFilter.SHOW_TEXT), range = document.createRange();
  for (let text; (text = walker.nextNode());) for (let i = 0; i < text.length; i++) {
    range.setStart(text, i); range.setEnd(text, i + 1);
    const box = range.getClientRects()[0], line = box?.width && Math.round((box.top + box.bottom) / 20);
    if (line) lines.set(line, (lines.get(line) || 0) + 1);
  }
  return [...lines.values()].slice(0, -1);
})"""


def test_headings_weigh_by_their_level_and_numbers_weigh_nothing(browser, site):
    with Visit(browser, site / "gnn/molecules.html") as visit:
        styles = {name: visit.tab.locator(f"article {name}").first.evaluate(WEIGHT) for name in ("h1", "h2", "p")}
        glued = visit.tab.locator("p > .pasted-text").first.evaluate(WEIGHT)
        visit.tab.goto((site / "gnn/combining.html").as_uri())
        styles["h3"] = visit.tab.locator("article h3").first.evaluate(WEIGHT)
    (w1, s1), (w2, s2), (w3, s3) = (styles[name] for name in ("h1", "h2", "h3"))
    assert s1 > s2 > s3
    assert w1 >= w2 > w3
    assert glued == styles["p"]


WEIGHT = "node => [+getComputedStyle(node).fontWeight, parseFloat(getComputedStyle(node).fontSize)]"


@every_page
def test_punctuation_stays_with_its_formula(site, page):
    formulas = read(site / f"{page}.html").select("article span.math, article mjx-container:not([display])")
    for formula in formulas:
        after = formula.next_sibling
        if isinstance(after, NavigableString) and re.match(r"[.,;:!?)’]", after):
            assert formula.find_parent(class_="kept"), f"{formula.get_text()}{after[:20]}"


@a_rich_page
def test_what_is_kept_together_does_not_break(visit, page):
    visit.turn(PHONE, "light")
    kept = visit.tab.locator("article .kept")
    assert kept.count() > 20
    assert kept.first.evaluate("node => getComputedStyle(node).whiteSpace") == "nowrap"


@every_chapter
def test_a_proof_ends_with_its_mark(site, page):
    for proof in read(site / f"{page}.html").select("article .proof-of"):
        assert proof.get_text().startswith("Proof. ") or proof.strong.get_text() == "Proof."
        assert proof.get_text().rstrip().endswith("∎")


@pytest.mark.parametrize("mode", ["light", "dark"])
@a_rich_page
def test_theorem_proof_and_exercise_look_different(visit, page, mode):
    visit.turn(DESK, mode)
    boxes = (".proof.theorem", ".proof-of", ".exercise")
    looks = [visit.tab.locator(f"article {box}").first.evaluate(LOOK) for box in boxes]
    for seen in zip(*looks, strict=True):
        assert len(set(seen)) >= 2
    assert len({tuple(look) for look in looks}) == 3


LOOK = """node => {
  const style = getComputedStyle(node);
  return [style.backgroundColor, style.borderLeftWidth, style.borderTopWidth];
}"""


def test_numbers_of_a_column_are_aligned_right_below_their_heading(browser, site):
    with Visit(browser, site / "appendix/ledger.html") as visit:
        headings = visit.tab.locator("article th").all_inner_texts()
        for column in ("Cases", "Largest error"):
            for row in ("thead th", "tbody tr:first-child td"):
                cell = visit.tab.locator(f"article {row}").nth(headings.index(column))
                assert cell.evaluate("node => getComputedStyle(node).textAlign") == "right", (column, row)
        first = visit.tab.locator("article tbody td").first.evaluate("node => getComputedStyle(node)")
        assert first["textAlign"] != "right"
        assert float(first["paddingLeft"].removesuffix("px")) >= 8


@every_page
def test_lines_are_neither_long_nor_short_and_what_is_wider_scrolls_with_a_shade(visit, page):
    assert visit.tab.evaluate(CUT) == [], "formulas in the text"
    letters = sorted(visit.tab.evaluate(LINES))
    cut = [name for box, _, _, name in visit.tab.evaluate(OVERFLOWING) if "table" in box]
    assert not cut, "tables that do not fit a desk"
    visit.turn(PHONE, "light")
    for box, scrolls, shades, name in visit.tab.evaluate(OVERFLOWING):
        assert scrolls, f"{name} ({box}) is cut"
        assert shades >= 4, f"{name} ({box}) ends without a shade"
    assert visit.tab.evaluate(CUT) == [], "formulas in the text, on a phone"
    if page in CHAPTERS:
        assert letters[-1] <= 75 and letters[len(letters) // 2] >= 62


OVERFLOWING = """() => [...document.querySelectorAll(".bd-article *")].flatMap(node => {
  const style = getComputedStyle(node), within = node.matches("svg *, span.math, mjx-container *");
  if (within || !node.checkVisibility() || style.overflowX === "visible") return [];
  if (node.scrollWidth <= node.clientWidth + 1 || node.clientWidth < 30) return [];
  const shades = style.backgroundImage.split("linear-gradient").length - 1;
  return [[node.className || node.tagName, style.overflowX !== "hidden", shades, node.textContent.trim().slice(0, 60)]];
})"""

CUT = """() => [...document.querySelectorAll(".bd-article span.math")].filter(math => {
  if (!math.checkVisibility()) return false;
  const line = math.closest("p, .pst-scrollable-table-container") || math.parentElement;
  const end = math.firstElementChild.getBoundingClientRect().right;
  const scrolls = getComputedStyle(line).overflowX === "auto" ? line.scrollWidth - line.clientWidth : 0;
  const hidden = getComputedStyle(math).overflowX !== "visible" && end > math.getBoundingClientRect().right + 1;
  return hidden || end > line.getBoundingClientRect().right + scrolls + 1;
}).map(math => math.textContent)"""


# --- what links show ---


SAYS = {"#equation-": "", "glossary.html#term-": "circulant matrix", "bibliography.html#": "Schlichtkrull"}


@pytest.mark.parametrize("link", thorough_but("glossary.html#term-", SAYS))
def test_a_link_shows_what_it_leads_to(browser, site, link):
    with Visit(browser, site / f"{RICH}.html") as visit:
        card, first = (
            visit.tab.locator("#preview"),
            visit.tab.locator(f"article a.internal[href*='{link}']:visible").first,
        )
        first.hover()
        card.wait_for()
        assert SAYS[link] in card.inner_text()
        assert card.locator("a, [id]").count() == 0
        assert first.get_attribute("aria-describedby") == "preview"
        box = card.bounding_box()
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= DESK["width"]
        card.hover()  # the pointer may rest on what shows
        visit.tab.wait_for_timeout(500)
        assert card.is_visible()
        visit.tab.keyboard.press("Escape")
        assert card.count() == 0
        visit.tab.mouse.move(0, 0)
        first.evaluate("node => node.focus({focusVisible: true})")
        card.wait_for()
        visit.tab.keyboard.press("Tab")
        visit.tab.wait_for_function(
            "link => link.getAttribute('aria-describedby') === null", arg=first.element_handle()
        )
        assert visit.complaints == []


def test_an_equation_shows_with_its_number_and_formula(browser, site):
    with Visit(browser, site / f"{RICH}.html") as visit:
        link = visit.tab.locator("article a.internal[href^='#equation-']:visible").first
        link.hover()
        card = visit.tab.locator("#preview")
        card.wait_for()
        assert link.inner_text() in card.inner_text()
        assert card.locator("mjx-container").count() == 1


def test_a_first_tap_shows_and_a_second_one_leads_on(browser, site):
    context = browser.new_context(viewport=PHONE, has_touch=True, is_mobile=True)
    tab = context.new_page()
    tab.goto((site / f"{RICH}.html").as_uri())
    link = tab.locator("article a.internal[href*='glossary.html#term-']:visible").first
    link.tap()
    tab.locator("#preview").wait_for()
    assert "glossary" not in tab.url
    link.tap()
    tab.wait_for_url("**/glossary.html#term-*")
    context.close()


@every_page
def test_every_link_to_another_page_has_what_it_shows(site, page):
    script = (site / "_static/previews-data.js").read_text()
    shown = json.loads(script.removeprefix("bookPreviews(").removesuffix(");\n"))
    path = site / f"{page}.html"
    for link in read(path).select("article a.internal[href*='#']"):
        target, anchor = link["href"].split("#")
        if target and re.match(r"equation-|term-|id\d", anchor):
            name = (path.parent / target).resolve().relative_to(site.resolve())
            assert shown.get(f"{name}#{anchor}"), link["href"]


# --- the bibliography ---


def test_references_are_labelled_as_they_are_cited_and_can_be_found(site):
    entries = read(site / "appendix/bibliography.html").select("article div.citation")
    labels = {entry["id"]: entry.select_one(".label").get_text().strip("[]") for entry in entries}
    for entry in entries:
        links = [link["href"] for link in entry.select("p a")]
        assert any(re.match(r"https://(doi\.org/10\.|arxiv\.org/abs/\d{4}\.)", link) for link in links), (
            entry.get_text()
        )
    cited = 0
    for page in CHAPTERS:
        for link in read(site / f"{page}.html").select("article a.internal[href*='bibliography.html#']"):
            label = labels[link["href"].split("#")[1]]
            words = re.sub(r"[,\[\]()]", "", link.get_text()).replace("\N{NO-BREAK SPACE}", " ")
            assert label.replace(", ", " ").endswith(words), link  # in a sentence the year alone is the link
            cited += 1
    assert cited > 20


# --- the search ---


def test_search_finds_sections_and_shows_where(browser, site):
    with Visit(browser, site / "search.html") as visit:
        visit.tab.goto((site / "search.html").as_uri() + "?q=Fourier+modes+shift")
        first = visit.tab.locator("#search-results li")
        first.first.wait_for()
        links = [link.get_attribute("href") for link in visit.tab.locator("#search-results a").all()]
        assert "gnn/circulant.html#the-signals-that-a-shift-only-multiplies" in links
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


# --- on paper ---


@pytest.mark.parametrize("page", thorough_but(RICH, CHAPTERS))
def test_paper_shows_what_it_can(visit, page):
    visit.tab.emulate_media(media="print")
    article = visit.tab.locator("article")
    assert "Show code" not in article.inner_text()
    assert article.locator("details:not([open]) pre:visible, .copybtn:visible, input:visible").count() == 0
    assert article.locator(".solution section:visible").count() == 0
    assert article.locator("h1:visible").count() == 1
    assert article.locator(".book-figure svg:visible").count() > 0
    paper = visit.tab.pdf(prefer_css_page_size=True)
    assert len(paper) > 20_000
    assert len(re.findall(rb"/Type\s*/Page\b", paper)) <= 20, "sheets"


@a_rich_page
def test_paper_is_white_and_black_for_who_reads_in_the_dark(visit, page):
    visit.turn(DESK, "dark")
    visit.tab.emulate_media(media="print")
    assert visit.tab.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    for words in ("article p", "article .highlight .n"):
        style = visit.tab.locator(words).first.evaluate("node => getComputedStyle(node).color")
        assert style == "rgb(0, 0, 0)", words
