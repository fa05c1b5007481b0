"""How the text reads: lines, boxes, tables, what links show, the bibliography."""

import json
import re

import pytest
from bs4 import NavigableString

from visits import (
    CHAPTERS,
    DESK,
    PHONE,
    RICH,
    WEIGHT,
    Visit,
    a_rich_page,
    every_chapter,
    every_page,
    read,
    thorough_but,
)

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
@pytest.mark.parametrize("page", ["gnn/equivariance"])
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


# --- room ---


@every_page
def test_at_a_desk_no_formula_and_no_code_scrolls_folded_or_not(visit, page):
    assert [name for _, _, _, name in visit.tab.evaluate(UNFOLDED)] == []


UNFOLDED = f"""() => {{
  const shut = [...document.querySelectorAll("article details:not([open])")];
  for (const fold of shut) fold.open = true;
  const found = ({OVERFLOWING})();
  for (const fold of shut) fold.open = false;
  return found;
}}"""


def test_a_phone_shows_the_error_of_each_verified_equation(browser, site):
    with Visit(browser, site / "appendix/ledger.html", PHONE) as visit:
        headings = visit.tab.locator("article th")
        error = headings.nth(headings.all_inner_texts().index("Largest error")).bounding_box()
        assert error["x"] + error["width"] <= PHONE["width"]


@pytest.mark.parametrize("width", [390, 800, 1280])
def test_the_entries_of_a_list_stand_at_one_distance_with_formulas_or_without(browser, site, width):
    with Visit(browser, site / "gnn/attention.html", {"width": width, "height": 844}) as visit:
        assert len(set(visit.tab.locator("#what-was-shown ul").evaluate(GAPS))) == 1


# Between the text of an entry and the text of the next: what surrounds a formula so that it can scroll is no text.
GAPS = """list => [...list.querySelectorAll("p")].map(p => {
  const box = p.getBoundingClientRect(), style = getComputedStyle(p);
  return [box.top + parseFloat(style.paddingTop), box.bottom - parseFloat(style.paddingBottom)];
}).flatMap(([top], i, all) => i ? [Math.round(top - all[i - 1][1])] : [])"""
