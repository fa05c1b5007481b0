"""Mathematics stands in the page: set when the book was built, numbered by chapter, readable without a script."""

import os
import re
import subprocess
import sys
from itertools import count
from string import ascii_uppercase

import contents

import pytest
import yaml
from bs4 import BeautifulSoup, NavigableString, Tag

from helpers.files import PROJECT
from pages.mathematics import FormulaError, Typesetter
from visits import Visit, every_page, read

CODE = ("code", "pre", "script", "style")
TEX = re.compile(r"\\[(\[]|\\[)\]]|\$\$|\\begin\{")


@pytest.fixture(scope="module")
def typesetter():
    typesetter = Typesetter()
    yield typesetter
    typesetter.close()


def words(node):
    """The text of a page outside its code."""
    for child in node.children:
        if isinstance(child, Tag):
            yield from words(child) if child.name not in CODE else ()
        elif type(child) is NavigableString:
            yield child


@every_page
def test_every_formula_is_set_and_keeps_its_mathml_for_screen_readers(site, page):
    soup = read(site / f"{page}.html")
    for formula in soup.select(".math"):
        assert formula.select_one("mjx-container > mjx-math[aria-hidden=true]"), formula
        assert formula.select_one("mjx-container > mjx-assistive-mml > math > *"), formula
    assert not TEX.search("".join(words(soup))), "TeX that nobody set"


def test_mathematics_is_seen_with_scripts_switched_off(browser, site):
    page = next(page for page in contents.pages() if page.startswith("gnn/"))
    with Visit(browser, site / f"{page}.html", java_script_enabled=False) as visit:
        formulas = visit.tab.locator("article > section .math > mjx-container:visible")
        assert formulas.count() > 50
        for formula in formulas.all()[:20]:
            box = formula.bounding_box()
            assert box["width"] > 4 and box["height"] > 4
        assert not visit.tab.locator("article .math").first.inner_text().count("\\")


def numbered():
    """The number of each chapter, and the letter of each appendix."""
    kinds = {"Part": map(str, count(1)), "Appendix": iter(ascii_uppercase)}
    parts = yaml.safe_load(contents.TOC.read_text())["parts"]
    counted = [(kinds.get(part["caption"].split()[0]), part["chapters"]) for part in parts]
    return {chapter["file"]: next(kind) for kind, chapters in counted if kind for chapter in chapters}


@pytest.mark.parametrize(("page", "own"), numbered().items())
def test_equations_are_numbered_by_chapter_and_appendices_by_letter(site, page, own):
    soup = read(site / f"{page}.html")
    written = [text.get_text() for text in soup.select("article .math .eqno")]
    shown = [re.match(r"\(([\w.]+)\)", text)[1] for text in written]
    assert soup.select_one("article h1").get_text().startswith(f"{own}.\N{NO-BREAK SPACE}")
    assert shown == [f"{own}.{place}" for place in range(1, len(shown) + 1)]


@every_page
def test_the_ledger_gives_the_number_that_stands_beside_an_equation(site, page):
    path = os.path.relpath(f"{page}.html", "appendix")
    links = read(site / "appendix/ledger.html").select(f"article a[href^='{path}#equation-eq-']")
    equations = read(site / f"{page}.html").select("[id^=equation-eq-]")
    beside = {equation["id"]: equation.select_one(".eqno").find(string=True) for equation in equations}
    assert {link["href"].partition("#")[2]: link.get_text() for link in links} == beside


def test_a_formula_comes_with_mathml_and_rules_for_its_letters(typesetter):
    soup = BeautifulSoup(typesetter.html(r"\hat A_{ij} \in \mathbb{R}", display=True), "lxml")
    assert soup.select_one("mjx-container[display=true] mjx-c")
    assert soup.math.get_text() == "A^ij∈R" and soup.math["display"] == "block"
    letters = {"." + ".".join(letter["class"]) for letter in soup.select("mjx-c")}
    style = typesetter.style()
    assert letters and all(f"mjx-c{letter}::before" in style for letter in letters)


@pytest.mark.parametrize(
    ("tex", "says"),
    [
        (r"\frac{a", "Missing close brace"),
        (r"\frobnicate x", r"Undefined control sequence \frobnicate"),
        (r"a_1_2", "Double subscripts"),
    ],
)
def test_a_formula_that_cannot_be_read_is_refused(typesetter, tex, says):
    with pytest.raises(FormulaError, match=re.escape(says)):
        typesetter.html(tex)
    assert "mjx-container" in typesetter.html("x")  # and those after it are set


PAGE = r"""
Title of :math:`x^2`
==============================

- in a list :math:`\frac{1}{2}`

.. math:: a &= b \\ c &= d

.. raw:: html

   <table><tr><td>\(y_1 &lt; 2\)</td><td><code>\(verbatim\)</code></td></tr></table>

"""


def build(folder, page):
    """A site of one page, and what Sphinx complained of."""
    (folder / "index.rst").write_text(page)
    (folder / "conf.py").write_text("extensions = ['pages.mathematics']\nhtml_math_renderer = 'mathematics'\n")
    command = [sys.executable, "-m", "sphinx", "-q", "--no-color", folder, folder / "html"]
    path = os.pathsep.join([str(PROJECT / "tools"), os.environ.get("PYTHONPATH", "")])
    ran = subprocess.run(command, env=os.environ | {"PYTHONPATH": path}, capture_output=True, text=True, check=True)
    return BeautifulSoup((folder / "html" / "index.html").read_text(), "lxml"), ran.stderr


def test_formulas_in_titles_lists_and_raw_html_are_set_and_code_is_left(tmp_path):
    page, complaints = build(tmp_path, PAGE)
    assert not complaints
    assert page.select_one("h1 mjx-msup") and page.select_one("li mjx-mfrac")
    assert page.select_one("div.math mjx-container[display=true] mjx-mtable")
    assert page.select_one("td > mjx-container").math.get_text() == "y1<2"
    assert page.td.find_next_sibling("td").get_text() == r"\(verbatim\)"
    assert (tmp_path / "html" / "_static" / "mathjax.css").exists()
    assert (tmp_path / "html" / "_static" / "fonts" / "MathJax_Main-Regular.woff").exists()


def test_a_formula_that_cannot_be_read_is_a_complaint_with_its_page_line_and_text(tmp_path):
    wrong = PAGE.replace("x^2", "x^2^3").replace(r"\frac{1}{2}", r"\what").replace("y_1", "{y_1")
    _, complaints = build(tmp_path, wrong)
    says = "WARNING: mathematics that cannot be read:"
    assert [line.removeprefix(f"{tmp_path}/") for line in complaints.splitlines()] == [
        f"index.rst:3: {says} Double exponent: use braces to clarify, in x^2^3",
        f"index.rst:5: {says} Undefined control sequence \\what, in \\what",
        f"index.rst: {says} Extra open brace or missing close brace, in {{y_1 < 2",
    ]
