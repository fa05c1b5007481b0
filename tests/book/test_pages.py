"""The built pages, as a reader's browser sees them: opened from the disk, with no network.

What is wrong with a page is collected and told together. `make test` opens every page once, for these tests and for
those of its figures, text, claims and weight, and turns it from light to dark and from a desk to a phone; the thorough
tests open it anew for each of these, and measure the colours of every page.
"""

import re
from itertools import pairwise
from urllib.parse import unquote, urldefrag

import contents

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

from visits import DESK, PHONE, RICH, Visit, every_page, read, thorough_but

COLOURED = (RICH, "experiments/qm9")  # theorems, exercises, sliders, tables: whose colours are always measured
COLOURS = ("color-contrast", "link-in-text-block")  # most of the time that axe takes


# --- what can be wrong with a page; each yields it in words ---


def disturbs(visit, page):
    """It throws, asks other hosts, or does not show its mathematics."""
    yield from (f"the browser's console says: {text}" for text in visit.complaints)
    for url in visit.requests:
        if not url.startswith(("file:", "data:", "blob:")):
            yield f"it asks for {url}"
    written, seen = len(page.select(".math")), visit.tab.locator(".math > mjx-container").count()
    if seen != written:
        yield f"{written} formulas are written, and {seen} are seen"


def does_not_fit(visit, window, mode):
    """It moves by itself, scrolls sideways, or a figure is outside, tiny, or of the colour of what is behind it."""
    where = f"{window['width']} pixels wide, {mode}"
    moving, theme, width, figures = visit.tab.evaluate(LAYOUT)
    if moving:
        yield f"{where}: {moving[0]!r} moves (and {len(moving) - 1} others), and the reader wants no motion"
    if theme != mode:
        yield f"{where}: the page's theme is {theme}"
    if width > window["width"]:
        yield f"{where}: the page scrolls sideways, it is {width} pixels wide"
    for figure in figures:
        name = f"{where}: the figure {figure['words'][:60]!r}"
        if figure["width"] <= 100 or figure["height"] <= 50:
            yield f"{name} is only {figure['width']:.0f} x {figure['height']:.0f} pixels"
        if figure["left"] < 0 or figure["right"] > window["width"] + 1:
            yield f"{name} reaches from {figure['left']:.0f} to {figure['right']:.0f}"
        if figure["ink"] == figure["behind"]:
            yield f"{name} has the colour of what is behind it, {figure['ink']}"
        if figure["behind"] != figure["page"]:
            yield f"{name} stands on a panel of its own, {figure['behind']} on {figure['page']}"


LAYOUT = """() => {
  const behind = element => {
    while (element && getComputedStyle(element).backgroundColor === "rgba(0, 0, 0, 0)") element = element.parentElement;
    return getComputedStyle(element || document.body).backgroundColor;
  };
  const seen = svg => svg.checkVisibility() && svg.getBoundingClientRect().width > 0;
  const figures = [...document.querySelectorAll(".book-figure svg")].filter(seen).map(svg => {
    const {left, right, width, height} = svg.getBoundingClientRect();
    const words = svg.closest("[role=img]")?.getAttribute("aria-label") || "", ink = getComputedStyle(svg).color;
    return {left, right, width, height, words, ink, behind: behind(svg), page: behind(document.body)};
  });
  const root = document.documentElement;
  const moving = document.getAnimations().map(({effect}) => effect.target.className || effect.target.tagName);
  return [moving, root.dataset.theme, root.scrollWidth, figures];
}"""


def shuts_readers_out(visit, mode, options):
    """Whatever axe finds, minor or not, good practice and repeated ids included."""
    options = {"resultTypes": ["violations"], **options}
    if "runOnly" not in options:
        options["rules"] = {"duplicate-id": {"enabled": True}, **options.get("rules", {})}
    for violation in Axe().run(visit.tab, options=options).response["violations"]:
        nodes = violation["nodes"]
        yield f"{mode}: {violation['help']} ({violation['id']}), {len(nodes)} times: {nodes[0]['html'][:200]}"


def has_a_stuck_slider(visit):
    """A slider that the keyboard does not move, or whose figure, words and value do not follow."""
    for slider in visit.tab.locator(".book-slider").all():
        control = slider.locator("input[type=range]")
        states = {"start": slider.evaluate(SLIDER)}
        control.focus()
        for key in ("Home", "ArrowRight", "End"):
            control.press(key)
            states[key] = slider.evaluate(SLIDER)
        before, after = states["Home"], states["ArrowRight"]
        name = f"the slider {before['label']!r}"
        if not before["label"].strip():
            yield f"{name} has no label"
        for key, state in states.items():
            if state["visible"] != 1:
                yield f"{name} shows {state['visible']} frames after {key}"
            if not state["value"] == state["spoken"] == state["shown"]:
                yield f"{name} is at {state['value']}, says {state['spoken']}, shows {state['shown']} after {key}"
        for what in ("frame", "words", "value"):
            if after[what] == before[what]:
                yield f"{name} keeps its {what} after ArrowRight"
        for key, index in (("Home", 0), ("End", before["frames"] - 1)):
            if states[key]["index"] != index:
                yield f"{name} stands at {states[key]['index']} of {before['frames']} after {key}"


SLIDER = """slider => {
  const frames = [...slider.querySelectorAll(".book-frame")], visible = frames.filter(frame => frame.checkVisibility());
  const input = slider.querySelector("input"), frame = visible[0];
  return {
    visible: visible.length, frames: frames.length, frame: frame?.innerHTML, value: frame?.dataset.value,
    words: frame?.querySelector("[role=img]").getAttribute("aria-label"), index: +input.value,
    spoken: input.getAttribute("aria-valuetext"), shown: slider.querySelector("output").textContent,
    label: slider.querySelector("label").textContent,
  };
}"""


# --- every page ---


@pytest.mark.parametrize("mode", ["light", "dark"])
def test_the_colours_are_there_at_first_paint(browser, site, mode):
    """Before the theme's own scripts have run; and light ones where no script runs."""
    context = browser.new_context(color_scheme=mode)
    context.route(
        re.compile(r"/_static/"), lambda route: route.abort() if ".js" in route.request.url else route.continue_()
    )
    tab = context.new_page()
    tab.goto((site / "index.html").as_uri())
    assert tab.locator("html").get_attribute("data-theme") == mode
    context.close()
    assert read(site / "index.html").html["data-theme"] == "light"


@every_page
def test_page_in_the_browser(visit, site, page):
    found = [*does_not_fit(visit, DESK, "light"), *has_a_stuck_slider(visit)]
    for window, mode in ((PHONE, "light"), (PHONE, "dark"), (DESK, "dark")):
        visit.turn(window, mode)
        found += does_not_fit(visit, window, mode)
    # Before axe, which asks for style sheets in a way that files refuse.
    found += disturbs(visit, read(site / f"{page}.html"))
    found += shuts_readers_out(visit, "dark", {"runOnly": COLOURS}) if page in COLOURED else []
    visit.turn(DESK, "light")
    found += shuts_readers_out(visit, "light", {"rules": {rule: {"enabled": page in COLOURED} for rule in COLOURS}})
    if found:
        pytest.fail("\n".join(found), pytrace=False)


@every_page
@pytest.mark.thorough
@pytest.mark.parametrize("mode", ["light", "dark"])
@pytest.mark.parametrize("window", [DESK, PHONE], ids=["desk", "phone"])
def test_page_opened_in_every_window_and_mode(browser, site, page, window, mode):
    path = site / f"{page}.html"
    with Visit(browser, path, window, mode) as visit:
        found = [*does_not_fit(visit, window, mode), *has_a_stuck_slider(visit), *disturbs(visit, read(path))]
        found += shuts_readers_out(visit, mode, {})
    if found:
        pytest.fail("\n".join(found), pytrace=False)


@every_page
def test_page_as_it_is_written(site, page):
    found = [*lacks_content(site, page), *has_figures_without_words(site, page), *has_dead_links(site, page)]
    if found:
        pytest.fail("\n".join(found), pytrace=False)


def lacks_content(site, page):
    path = site / f"{page}.html"
    article = read(path).select_one("article")
    if len(article.select("h1")) != 1:
        yield f"it has {len(article.select('h1'))} titles"
    if len(article.get_text().split()) <= 30:
        yield "it says next to nothing"
    foot = article.select_one(".provenance")
    if foot is None or "profile, from commit" not in foot.get_text():
        yield "its foot does not say with which profile and from which commit it was made"


def has_figures_without_words(site, page):
    for image in read(site / f"{page}.html").select(
        "article img, .book-figure:not(:has([role=img])), .book-figure [role=img]"
    ):
        words = image.get("alt") or image.get("aria-label") or ""
        if len(words) <= 10 or re.search(r"[0-9a-f]{16}|\.(png|svg)$", words):
            yield f"a figure is described by {words!r} alone: {str(image)[:100]}"


def has_dead_links(site, page):
    path = site / f"{page}.html"
    for link in read(path).select("a[href]"):
        if re.match(r"[a-z]+:", link["href"]):
            continue
        target, anchor = urldefrag(unquote(link["href"]))
        file = (path.parent / target).resolve() if target else path
        if not file.exists() or (anchor and anchor not in anchors(file)):
            yield f"the link {link['href']} ({link.get_text().strip()[:40]}) leads nowhere"


# --- the book as a whole ---


def test_search_finds_a_word_of_a_chapter(browser, site):
    with Visit(browser, site / "search.html") as visit:
        visit.tab.goto((site / "search.html").as_uri() + "?q=adjacency")
        visit.tab.locator("#search-results li").first.wait_for()
        assert visit.tab.locator("#search-results a[href*='gnn/']").count() > 0
        assert visit.complaints == []


def test_chapters_are_joined_to_a_book(site):
    """Part captions in the sidebar, and each page leads to the next."""
    order = contents.pages()
    soup = read(site / f"{order[1]}.html")
    assert len(soup.select(".bd-sidebar .caption-text")) >= 3
    assert set(COLOURED) <= set(order)
    for page, following in pairwise(order):
        path = site / f"{page}.html"
        link = read(path).select_one("a.right-next")["href"]
        assert (path.parent / link).resolve() == (site / f"{following}.html").resolve()


def anchors(path, found={}):  # noqa: B006 (a cache: many links lead to the same pages)
    if path not in found:
        found[path] = set(re.findall(r'\bid="([^"]+)"', path.read_text()))
    return found[path]


# --- without scripts ---


@pytest.mark.parametrize("window", thorough_but(PHONE, [DESK, {"width": 1000, "height": 800}, PHONE]))
def test_without_scripts_no_button_is_dead_and_the_contents_can_be_reached(browser, site, window):
    context = browser.new_context(viewport=window, java_script_enabled=False)
    tab = context.new_page()
    for page, sidebars in ((RICH, ["primary", "secondary"]), ("search", ["primary"])):
        for sidebar in sidebars:
            tab.goto((site / f"{page}.html").as_uri())
            assert tab.locator("button:visible, input:visible").count() == 0
            contents_of_it, door = (
                tab.locator(f"#pst-{sidebar}-sidebar nav a").first,
                tab.locator(f".by-link a[href='#pst-{sidebar}-sidebar']"),
            )
            if door.is_visible():
                door.click()
            expect(contents_of_it, f"{page}, {sidebar}").to_be_in_viewport()
    said = tab.locator(".bd-search-container")
    assert "needs JavaScript" in said.inner_text() and said.get_by_role("link", name="contents").is_visible()
    context.close()


def test_a_link_to_a_far_section_lands_there(browser, site):
    """Also from outside, and though what lies between has not been laid out before."""
    path = site / f"{RICH}.html"
    with Visit(browser, path, DESK) as visit:
        visit.tab.locator("#pst-secondary-sidebar nav a[href='#exercises']").click()
        expect(visit.tab.get_by_role("heading", name="Exercises")).to_be_in_viewport()
    context = browser.new_context(viewport=DESK)
    tab = context.new_page()
    tab.goto(f"{path.as_uri()}#exercises")
    expect(tab.get_by_role("heading", name="Exercises")).to_be_in_viewport()
    context.close()


def test_with_scripts_no_link_stands_beside_the_buttons(browser, site):
    with Visit(browser, site / f"{RICH}.html", PHONE) as visit:
        assert visit.tab.locator(".by-link").count() == 0 and visit.tab.locator(".primary-toggle").is_visible()
