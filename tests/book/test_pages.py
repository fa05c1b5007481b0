"""The built pages, as a reader's browser sees them: opened from the disk, with no network."""

import re
from itertools import pairwise
from urllib.parse import unquote, urldefrag

import pytest
import yaml
from axe_playwright_python.sync_playwright import Axe
from bs4 import BeautifulSoup

from helpers.files import PROJECT

DESKTOP, PHONE = {"width": 1280, "height": 900}, {"width": 390, "height": 844}


def contents():
    """The pages of the book's table of contents, the front page first."""
    toc = yaml.safe_load((PROJECT / "book" / "_toc.yml").read_text())
    return [toc["root"]] + [chapter["file"] for part in toc["parts"] for chapter in part["chapters"]]


pages = pytest.mark.parametrize("page", contents())


class Visit:
    """A page opened in the browser, with what it complained of and whom it asked."""

    def __init__(self, browser, path, viewport=DESKTOP, mode="light"):
        self.context = browser.new_context(viewport=viewport, color_scheme=mode, reduced_motion="reduce")
        self.tab = self.context.new_page()
        self.complaints, self.requests = [], []
        self.tab.on("console", lambda m: self.complaints.append(m.text) if m.type in ("error", "warning") else None)
        self.tab.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.tab.on("request", lambda request: self.requests.append(request.url))
        self.tab.goto(path.as_uri())
        self.tab.wait_for_function("!window.MathJax || MathJax.startup.promise.then(() => true)")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.context.close()


@pages
def test_page_is_there_and_says_something(site, page):
    soup = read(site / f"{page}.html")
    article = soup.select_one("article")
    assert len(article.select("h1")) == 1
    assert len(article.get_text().split()) > 30
    assert "profile, from commit" in article.select_one(".provenance").get_text()
    assert (site / f"{page}.html").stat().st_size < 2**20


@pages
def test_page_works_from_the_disk_without_a_network(browser, site, page):
    with Visit(browser, site / f"{page}.html") as visit:
        assert visit.complaints == []
        assert [url for url in visit.requests if not url.startswith(("file:", "data:", "blob:"))] == []
        assert visit.tab.locator("mjx-merror").count() == 0
        written = read(site / f"{page}.html").select(".math")
        assert visit.tab.locator("mjx-container").count() >= len(written)


@pages
@pytest.mark.parametrize("mode", ["light", "dark"])
@pytest.mark.parametrize("viewport", [DESKTOP, PHONE], ids=["desktop", "phone"])
def test_page_fits_the_screen_and_shows_its_figures(browser, site, page, viewport, mode):
    with Visit(browser, site / f"{page}.html", viewport, mode) as visit:
        assert visit.tab.evaluate("document.documentElement.dataset.theme") == mode
        assert visit.tab.evaluate("document.documentElement.scrollWidth") <= viewport["width"]
        for figure in visit.tab.locator(".book-figure svg:visible").all():
            box = figure.bounding_box()
            assert box["width"] > 100 and box["height"] > 50
            assert box["x"] >= 0 and box["x"] + box["width"] <= viewport["width"] + 1
        ink, panel = visit.tab.evaluate(COLOURS) or ("ink", "panel")
        assert ink != panel


COLOURS = """() => {
  const svg = document.querySelector(".book-figure svg");
  if (!svg) return null;
  let behind = svg;
  while (behind && getComputedStyle(behind).backgroundColor === "rgba(0, 0, 0, 0)") behind = behind.parentElement;
  const page = getComputedStyle(document.body).backgroundColor;
  const panel = behind ? getComputedStyle(behind).backgroundColor : page;
  return panel === page ? [getComputedStyle(svg).color, panel] : ["a panel", "a panel"];
}"""


@pages
@pytest.mark.parametrize("mode", ["light", "dark"])
def test_axe_finds_no_serious_violation(browser, site, page, mode):
    with Visit(browser, site / f"{page}.html", mode=mode) as visit:
        found = Axe().run(visit.tab).response["violations"]
        serious = [v for v in found if v["impact"] in ("serious", "critical")]
        assert [(v["id"], [n["html"][:200] for n in v["nodes"]]) for v in serious] == []


@pages
def test_links_and_anchors_lead_somewhere(site, page):
    path = site / f"{page}.html"
    for link in read(path).select("a[href]"):
        if re.match(r"[a-z]+:", link["href"]):
            continue
        target, anchor = urldefrag(unquote(link["href"]))
        file = (path.parent / target).resolve() if target else path
        assert file.exists(), f"{link['href']} in {page}"
        if anchor:
            assert read(file).find(id=anchor) is not None, f"{link['href']} in {page}"


@pages
def test_figures_have_words(site, page):
    soup = read(site / f"{page}.html")
    for image in soup.select("article img, .book-figure svg"):
        words = image.get("alt") or image.get("aria-label") or ""
        assert len(words) > 10, image
        assert not re.search(r"[0-9a-f]{16}|\.(png|svg)$", words), "a file's name is no description"


@pages
def test_sliders_move_by_keyboard(browser, site, page):
    with Visit(browser, site / f"{page}.html") as visit:
        for slider in visit.tab.locator(".book-slider").all():
            control = slider.locator("input[type=range]")
            assert slider.locator("label").inner_text().strip()
            before = seen(slider)
            control.focus()
            control.press("ArrowRight")
            after = seen(slider)
            assert after["frame"] != before["frame"] and after["words"] != before["words"]
            assert after["value"] == after["spoken"] == after["shown"] != before["value"]
            control.press("End")
            last = seen(slider)
            assert last["index"] == slider.locator(".book-frame").count() - 1
            control.press("Home")
            assert seen(slider) == before


def seen(slider):
    """What a slider shows and says just now; exactly one frame is visible."""
    frame = slider.locator(".book-frame:visible")
    assert frame.count() == 1
    return {
        "frame": frame.inner_html(),
        "words": frame.locator("svg").get_attribute("aria-label"),
        "value": frame.get_attribute("data-value"),
        "spoken": slider.locator("input").get_attribute("aria-valuetext"),
        "shown": slider.locator("output").inner_text(),
        "index": int(slider.locator("input").input_value()),
    }


def test_search_finds_a_word_of_a_chapter(browser, site):
    with Visit(browser, site / "search.html") as visit:
        visit.tab.goto((site / "search.html").as_uri() + "?q=adjacency")
        visit.tab.locator("#search-results li").first.wait_for()
        assert visit.tab.locator("#search-results a[href*='gnn/']").count() > 0
        assert visit.complaints == []


def test_chapters_are_joined_to_a_book(site):
    """Part captions in the sidebar, and each page leads to the next."""
    order = contents()
    soup = read(site / f"{order[1]}.html")
    assert len(soup.select(".bd-sidebar .caption-text")) >= 3
    for page, following in pairwise(order):
        path = site / f"{page}.html"
        link = read(path).select_one("a.right-next")["href"]
        assert (path.parent / link).resolve() == (site / f"{following}.html").resolve()


def test_print_hides_what_paper_cannot_do(browser, site):
    chapter = next(page for page in contents() if page.startswith("gnn/"))
    with Visit(browser, site / f"{chapter}.html") as visit:
        visit.tab.emulate_media(media="print")
        assert visit.tab.locator(".book-slider input:visible").count() == 0
        assert visit.tab.locator(".book-figure svg:visible").count() > 0
        assert len(visit.tab.pdf()) > 20_000


def read(path, parsed={}):  # noqa: B006 (a cache: parsing a page takes a while, and links lead to the same ones)
    if path not in parsed:
        parsed[path] = BeautifulSoup(path.read_text(), "lxml")
    return parsed[path]
