"""What a reader of the built pages sees of claims, of what is folded, and of exercises; also with scripts off."""

import json
import re

import contents

import pytest
from playwright.sync_api import expect

from visits import Visit, a_rich_page, read

FRONT = contents.pages()[0]  # which shows what its cells give and none of their code
NOTEBOOKS = [page for page in contents.pages() if page != FRONT and f"book/{page}.py" in contents.notebooks()]
CHAPTERS = [name for name in NOTEBOOKS if "{exercise}" in (contents.BOOK / f"{name}.py").read_text()]
every_notebook = pytest.mark.parametrize("page", NOTEBOOKS)
every_chapter = pytest.mark.parametrize("page", CHAPTERS)


def article(site, page):
    return read(site / f"{page}.html").select_one("article")


# --- the page as it is written ---


@every_notebook
def test_each_claim_is_one_line_with_a_tick_beside_its_equation(site, page):
    text = (contents.BOOK / f"{page}.py").read_text()
    rows = [[cell.get_text() for cell in row.select("td")] for row in article(site, "appendix/ledger").select("tr")]
    ledger = {row[-1]: row for row in rows if row}
    soup = article(site, page)
    equations = soup.select("[id^=equation-eq-]")
    assert len(equations) == len(set(re.findall(r"\$\$ \((eq-[\w-]+)\)", text)))
    assert len(soup.select("details.verdict")) == len(equations) == len(soup.select("a.verified"))
    for equation in equations:
        number, tick = equation.select_one(".eqno"), equation.select_one(".eqno a.verified")
        number = re.match(r"\([\w.]+\)", number.get_text())[0]
        assert number in tick["aria-label"] and "verified" in tick["aria-label"]
        check = soup.find(id=tick["href"].removeprefix("#"))
        line = check.find_parent("details", class_="verdict").summary
        _, against, error, _, cases, _, label = ledger[equation["id"].removeprefix("equation-")]
        found = "" if error == "a statement" else r", largest error \d(e[+-]\d+)?"
        said = rf"✓ {re.escape(number)} against {re.escape(against)}, {cases} cases?{found}"
        assert re.fullmatch(said, line.get_text()), line
        assert line.find("a") is None, "the whole line opens the check"
        assert tick["title"] in line.get_text()
        assert f'"{label}"' in check.get_text(), "this is the check of another equation"


@every_notebook
def test_nothing_but_code_and_pictures_stands_between_an_equation_and_its_verdict(site, page):
    for verdict in article(site, page).select("details.verdict"):
        assert not verdict.find_previous_sibling().select(":scope > details.code:only-child")


@every_notebook
def test_open_code_is_what_a_reader_learns_from(site, page):
    soup = article(site, page)
    assert not soup.select("details[open]")
    code = [cell.get_text() for cell in soup.select(".cell_input")]
    opened = [cell.get_text() for cell in soup.select(".cell_input") if not cell.find_parent("details")]
    for hidden in ("display.", "plt.", "verify.", "parameters.check", "warnings.", "import torch"):
        assert not [text for text in opened if hidden in text]
    assert not [text for text in code if "exercises.check" in text], "it speaks of what the reader has not done yet"
    (set_up,) = soup.select("details.set-up")
    assert set_up.summary.get_text() == "Set-up: parameters and imports"
    assert "profile = " in set_up.get_text() and "parameters.check(" in set_up.get_text()
    assert not re.search(r"eq-[\w-]+ holds|: correct\b|Show code cell", soup.get_text())


@every_notebook
def test_a_line_says_what_it_opens(site, page):
    soup = article(site, page)
    for fold in soup.select("details.code"):
        cell, source = fold.find_parent(class_="cell"), fold.select_one(".cell_input").get_text()
        line = fold.summary.get_text()
        assert (line == "How it is drawn") == (cell.select_one(".book-figure") is not None), source
        assert (line == "Where the numbers come from") == (
            cell.select_one("figure, table, pre.stdout, .output") is None
        )


@every_chapter
def test_each_exercise_has_a_solution_that_its_whole_title_opens(site, page):
    soup = article(site, page)
    exercises, solutions = soup.select(".exercise"), soup.select("details.solution")
    assert len(exercises) == len(solutions)
    for solution in solutions:
        assert solution.summary.get_text().strip() == "Solution"
        assert solution.summary.find("a") is None
        assert len(solution.get_text()) > 60


# --- in the browser ---


@pytest.mark.parametrize("scripts", [True, False], ids=["with scripts", "without scripts"])
@a_rich_page
def test_a_tick_opens_its_check_and_a_title_its_solution(browser, site, page, scripts):
    with Visit(browser, site / f"{page}.html", java_script_enabled=scripts) as visit:
        opens_what_is_folded(visit.tab)


def opens_what_is_folded(tab):
    verdicts, solutions = tab.locator("details.verdict"), tab.locator("details.solution")
    for details, inside in ((verdicts, ".cell"), (solutions, "p, pre")):
        for nth in range(details.count()):
            assert not details.nth(nth).locator(inside).first.is_visible()
    tick, check = tab.locator("a.verified").nth(1), verdicts.nth(1).locator(".cell")
    tick.click()
    check.wait_for(state="visible")
    expect(verdicts.nth(1).locator("summary"), "the line above the check").to_be_in_viewport()
    line = verdicts.nth(1).locator("summary").bounding_box()
    assert not verdicts.nth(0).locator(".cell").is_visible()
    box, title = tick.bounding_box(), solutions.first.locator("summary").bounding_box()
    assert min(box["width"], box["height"], title["height"], line["height"]) >= 24, "a finger finds it"
    assert title["width"] > 400, "the whole title opens the solution"
    solutions.first.locator("summary").click(position={"x": title["width"] - 5, "y": title["height"] / 2})
    solutions.first.locator("p").first.wait_for(state="visible")


@a_rich_page
def test_a_browser_that_opens_no_details_by_itself_is_helped(browser, site, page):
    """A change of the address that is no navigation: then the browser leaves all as it is."""
    with Visit(browser, site / f"{page}.html") as visit:
        check = visit.tab.locator("details.verdict .cell").last
        visit.tab.evaluate("id => history.replaceState(null, '', `#${id}`)", check.get_attribute("id"))
        assert not check.is_visible()
        visit.tab.evaluate("dispatchEvent(new HashChangeEvent('hashchange'))")
        assert check.is_visible()


@a_rich_page
def test_solutions_and_checks_are_closed_on_paper(visit, page):
    visit.tab.emulate_media(media="print")
    assert not visit.tab.locator("details[open]").count()
    assert not visit.tab.locator("details.solution p, details.verdict .cell").first.is_visible()


@every_chapter
def test_the_notebook_without_solutions_is_saved_from_the_disk_too(visit, page):
    tab = visit.tab
    assert tab.locator(".do-it").count() == 1
    assert tab.evaluate("""() => {
        const [offer, exercise] = [".do-it", ".exercise"].map(name => document.querySelector(name));
        return offer.nextElementSibling === exercise;
    }"""), "it stands at the first exercise"
    link = tab.locator(".do-it").get_by_role("link", name="Do it in the notebook")
    with tab.expect_download() as download:
        link.click()
    assert download.value.suggested_filename == f"{page.split('/')[-1]}.ipynb"
    text = download.value.path().read_text(encoding="utf-8")
    notebook = json.loads(text)
    assert "solution-start" not in text and "papermill" not in text
    assert not any(cell.get("outputs") for cell in notebook["cells"])
    source = ["".join(cell["source"]) for cell in notebook["cells"]]
    assert any(text.startswith("exercises.check(") for text in source)
    assert any(text.endswith("    ...") for text in source), "what to fill in"
    with tab.expect_download():
        link.click()  # and once more
