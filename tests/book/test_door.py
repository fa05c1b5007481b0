"""The front page is a door: what it says of the book is so, its figure moves in sight, and nothing technical stands in
the way; what every page says of itself to those who link to it.
"""

import posixpath
import re
from base64 import b64decode
from io import BytesIO
from itertools import chain, combinations, pairwise
from types import SimpleNamespace

import contents

import numpy as np
import pytest
from bs4 import BeautifulSoup
from docutils import nodes
from PIL import Image
from sphinx.application import Sphinx
from sphinx_external_toc.parsing import parse_toc_yaml

from helpers.files import PROJECT
from pages import door
from visits import read

PARTS = door.parts(parse_toc_yaml(contents.TOC))
BOX = ("x", "width"), ("y", "height")
BOOKKEEPING = {"appendix/questions", "appendix/ledger", "appendix/records", "appendix/run_times"}


@pytest.fixture(scope="module")
def page(site):
    return read(site / "index.html")


# --- what it says of the book ---


def test_each_part_that_is_there_has_a_card_that_leads_to_its_first_chapter(page):
    cards = {facts.find_parent("section").h3.find(string=True): facts for facts in page.select(".door-facts")}
    assert list(cards) == list(PARTS)
    for part, chapters in PARTS.items():
        card = cards[part].find_parent("section")
        assert card.select("a")[-1]["href"] == f"{chapters[0]}.html"
        assert cards[part].text.startswith(f"{len(chapters)} chapter") and "to read" in cards[part].text
        assert len(card.p.text.split()) > 20, "what the part answers"


def test_it_counts_the_equations_that_the_ledger_lists(site, page):
    rows = read(site / "appendix/ledger.html").select("article table tbody tr")
    assert page.select_one("a[href='appendix/ledger.html']:not(nav a)").text == f"{len(rows)} equations"
    shown = [re.search(r"(\d+) equations verified", facts.text)[1] for facts in page.select(".door-facts")]
    chapters = {f"../{chapter}.html" for chapter in chain(*PARTS.values())}
    assert sum(map(int, shown)) == sum(row.select("a")[1]["href"] in chapters for row in rows)


def test_no_code_and_no_set_up_stands_on_it(page):
    assert page.select("article .book-slider") and not page.select("article pre, article .cell_input, article details")


def test_bookkeeping_stands_under_one_entry_of_the_contents(page):
    first = {entry.a["href"].removesuffix(".html"): entry for entry in page.select(".bd-sidebar li.toctree-l1")}
    assert not BOOKKEEPING & set(first)
    assert {link["href"].removesuffix(".html") for link in first["about"].select("li a")} >= BOOKKEEPING


# --- its figure ---


@pytest.mark.parametrize(("width", "height"), [(1280, 800), (390, 844)], ids=["desk", "phone"])
def test_the_figure_what_moves_it_and_where_to_start_are_in_sight_at_once(browser, site, width, height):
    with browser.new_page(viewport={"width": width, "height": height}) as tab:
        tab.goto((site / "index.html").as_uri())
        for seen in ("article h1", ".book-slider svg", ".book-slider input", "a.door-start"):
            box = tab.locator(seen).locator("visible=true").first.bounding_box()
            assert box["y"] >= 0 and box["y"] + box["height"] <= height, seen


def test_outputs_go_with_their_atoms_and_their_sum_stays(page):
    """In each frame: the list of elements, in its order, the outputs beside it, and the sum below."""
    lists, outputs, sums = [], [], []
    for frame in page.select(".book-slider .book-frame"):
        texts = [text.get_text() for text in frame.select("text")]
        sums.append(texts[-1])
        rows = texts[-28:-1]
        rows = [rows[i : i + 3] for i in range(0, len(rows), 3)]  # number, element, output
        assert [row[0] for row in rows] == [str(number) for number in range(9)]
        lists.append("".join(row[1] for row in rows))
        outputs.append(sorted((row[1], row[2]) for row in rows))
    assert len(lists) >= 10 and all(before != after for before, after in pairwise(lists))
    assert all(each == outputs[0] for each in outputs)
    assert len(set(sums)) == 1 and re.fullmatch(r"sum \d+\.\d\d", sums[0])


def test_edges_shift_with_the_cat(page):
    frames = [[picture(image) for image in frame.select("image")] for frame in page.select(".book-slider .book-frame")]
    assert len(frames) >= 10
    for before, after in pairwise(frames):
        for old, new in zip(before, after, strict=True):  # what the layer is given, and its output
            assert np.array_equal(old[:, :-3], new[:, 3:]) and not np.array_equal(old, new)


def picture(image):
    data = image["xlink:href"].removeprefix("data:image/png;base64,")
    return np.asarray(Image.open(BytesIO(b64decode(data))).convert("L"))


def test_the_answer_to_a_late_melody_is_as_late(page):
    """In each frame the bars of the state stand a beat, 4.05 points, further to the right than in the one before."""
    frames = [bars(frame) for frame in page.select(".book-slider .book-frame")]
    assert len(frames[0]) >= 11 and np.ptp(frames[0][:, 1]) > 10
    for before, after in pairwise(frames):
        seen = len(after)  # what fades out leaves the picture
        assert len(before) - seen <= 1
        assert np.allclose(after, before[:seen] + (4.05, 0), rtol=0, atol=0.11)  # coordinates have one decimal


def bars(frame):
    """The bars that can be seen: left edges and heights, in points [bars, 2]."""
    paths = [path["d"] for path in frame.find_all("path", style="fill: #2b7bb9")]
    corners = [np.array(re.findall(r"[\d.]+", path), float).reshape(-1, 2) for path in paths]
    boxes = np.array([(*box.min(axis=0)[:1], np.ptp(box[:, 1])) for box in corners])
    return boxes[boxes[:, 1] > 1]


# --- what a link shows ---


@pytest.mark.parametrize("name", ["index", *(chapters[0] for chapters in PARTS.values()), "appendix/ledger"])
def test_a_page_tells_others_its_title_what_it_is_about_and_a_picture(site, name):
    soup = read(site / f"{name}.html")
    said = {meta.get("property") or meta.get("name"): meta["content"] for meta in soup.select("meta[content]")}
    assert 60 < len(said["description"]) <= 202 and said["og:description"] == said["description"]
    assert "\\" not in said["description"] and "{" not in said["description"]
    assert said["og:title"] and said["og:title"] in soup.title.text
    assert said["twitter:card"] == "summary_large_image" and said["og:image:alt"]
    picture = (site / f"{name}.html").parent / said["og:image"]
    assert Image.open(picture).size == (1200, 630) and picture.stat().st_size < 100_000


def test_the_readme_shows_a_picture_that_is_there():
    alt, name = re.search(r"!\[(.+)\]\((.+)\)", (PROJECT / "README.md").read_text()).groups()
    assert len(alt) > 20 and Image.open(PROJECT / name).size == (1280, 1000)


# --- experiments ---


@pytest.mark.parametrize("name", [page for page in contents.pages() if page.startswith("experiments/")])
def test_an_experiment_shows_its_full_runs_before_the_rehearsal(site, name):
    article = read(site / f"{name}.html").select_one("article")
    first, second = article.select("h2")[:2]
    assert "full runs" in first.text and "rehearsal" in second.text
    full, rehearsal = first.find_parent("section"), second.find_parent("section")
    assert full.select(".book-figure svg") and full.select("table tbody tr")
    assert rehearsal.select(".book-figure svg") and not rehearsal.select("table")


# --- how it is counted ---


def test_words_are_counted_where_they_are_read():
    text = nodes.paragraph("", "", nodes.Text("as many as "), nodes.math(text="a + b + c"), nodes.Text(" is"))
    assert door.words(nodes.section("", text, nodes.literal_block(text="x = 1 + 2"), nodes.raw(text="<b>1 2</b>"))) == 5


@pytest.mark.parametrize(
    ("minutes", "says"),
    [
        (1, "about 5 minutes"),
        (23, "about 25 minutes"),
        (54, "about 55 minutes"),
        (58, "about 1 hour"),
        (92, "about 1½ hours"),
        (140, "about 2½ hours"),
        (180, "about 3 hours"),
    ],
)
def test_reading_times_are_told_in_words(minutes, says):
    assert door.reading_time(minutes * door.PACE) == says


@pytest.mark.parametrize("text", ["{part}`Part II: recurrence`", "{verified}`Part II: recurrence`"])
def test_a_card_of_a_part_that_is_not_there_is_told_of(tmp_path, text):
    (tmp_path / "index.md").write_text(f"# A book\n\n{text}\n")
    (tmp_path / "one.md").write_text("# One\n")
    (tmp_path / "_toc.yml").write_text(
        "format: jb-book\nroot: index\nparts:\n- caption: 'Part I: toys'\n  chapters:\n  - file: one\n"
    )
    said = SimpleNamespace(text="", write=lambda line: setattr(said, "text", said.text + line), flush=lambda: None)
    settings = {"extensions": ["sphinx_external_toc", "myst_parser", "pages.door"], "external_toc_path": "_toc.yml"}
    folders = [tmp_path, None, tmp_path / "site", tmp_path / "doctrees"]
    Sphinx(*folders, "html", settings, status=None, warning=said).build()
    assert "index.md:3: WARNING: no part of the contents is called 'Part II: recurrence'" in said.text
    assert "there is Part I: toys" in said.text
    assert "Part II" not in BeautifulSoup((tmp_path / "site/index.html").read_text(), "lxml").select_one("body").text


# --- what a reader would wonder at ---


def test_pages_that_no_card_counts_are_named_beside_the_number_of_all_equations(site, page):
    rows = read(site / "appendix/ledger.html").select("article table tbody tr")
    counted = {f"{chapter}.html" for chapter in chain(*PARTS.values())}
    others = {posixpath.normpath(f"appendix/{row.select('a')[1]['href']}") for row in rows} - counted
    said = page.select_one("a[href='appendix/ledger.html']:not(nav a)").find_parent("p")
    assert others <= {link["href"] for link in said.select("a")}


def test_parts_that_are_not_there_are_said_to_follow(page):
    there = {re.match(r"Part (\w+)", part)[1] for part in PARTS}
    said = page.select_one("#the-parts > p")
    missing = {"I", "II", "III"} - there
    assert not missing or ("follow" in said.text and all(re.search(rf"\b{part}\b", said.text) for part in missing))


@pytest.mark.parametrize(("width", "height"), [(1280, 800), (390, 844)], ids=["desk", "phone"])
def test_what_the_figure_says_stands_apart_and_a_card_below_its_heading(browser, site, width, height):
    with browser.new_page(viewport={"width": width, "height": height}) as tab:
        tab.goto((site / "index.html").as_uri())
        words = [word.bounding_box() for word in tab.locator(".book-telling text").all()]
        for a, b in combinations(words, 2):
            apart = max(abs(a[x] + a[size] / 2 - b[x] - b[size] / 2) - (a[size] + b[size]) / 2 for x, size in BOX)
            assert apart > -5  # boxes have room above and below their letters
        card, said = (
            tab.locator(f"section > {box}").first.bounding_box() for box in ("section:has(> p > .door-facts)", "h2 + p")
        )
        assert card["y"] > said["y"] + said["height"]
