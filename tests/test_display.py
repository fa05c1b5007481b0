import re
import warnings
import xml.etree.ElementTree as ET

import matplotlib.pyplot as plt
import numpy as np
import pytest
from bs4 import BeautifulSoup
from myst_nb.ext import glue as myst_glue

from helpers import display


@pytest.fixture(autouse=True)
def style():
    """The style of the book, and afterwards that of before; no figure of another test is open."""
    plt.close("all")
    with plt.rc_context():
        plt.rcdefaults()
        display.use_book_style()
        yield
    plt.close("all")


@pytest.fixture
def shown(monkeypatch):
    """What the helpers send to the notebook."""
    bundles = []
    monkeypatch.setattr(
        display, "display", lambda out, raw=False: bundles.append(out if raw else {"text/html": out.data})
    )
    return bundles


CAPTION = "The wave does not end."


def curve(k=1):
    fig, ax = plt.subplots()
    ax.set(xlim=(0, 8), ylim=(-1, 1))
    ax.plot(np.sin(k * np.arange(9)), label="$\\sin k$")
    ax.fill_between(range(9), 0, 1, color=display.PAPER)
    ax.legend()
    return fig


def test_a_figure_is_well_formed_svg_with_its_words(shown):
    display.show(curve(), alt='a "wave" & its <ink>', caption='It "moves" & <stays>.')
    figure = ET.fromstring(shown[0]["text/html"])
    picture, caption = figure
    assert (picture.get("role"), picture.get("aria-label")) == ("img", 'a "wave" & its <ink>')
    assert [element.tag.rpartition("}")[2] for element in picture] == ["svg"]
    assert (caption.tag, caption.text) == ("figcaption", 'It "moves" & <stays>.')
    assert not plt.get_fignums()


def test_a_figure_may_have_panels_of_one_height_under_one_description(shown):
    figures, (left, right) = display.panels((3, 2.5), (3.6, 2.5))
    left.set(xlim=(0, 4), ylim=(0, 1), aspect="equal")
    right.plot([0, 1])
    right.set(title="twice", xlabel="x")
    display.show(figures, alt="an empty box, and a line", caption="The line rises.")
    page = BeautifulSoup(shown[0]["text/html"], "html.parser")
    one, other = page.find(role="img").find_all("svg")
    assert one["height"] == other["height"]
    assert len(page.find_all(attrs={"aria-label": True})) == 1
    assert not plt.get_fignums()


WORDS = 'Theorem (#x), url(#y), href="#z" id="3.14159", font #010203 on #fdfcfb <br> 2.71828'


def test_what_the_author_wrote_stays_as_it_is(shown):
    fig, ax = plt.subplots(figsize=(9, 4))
    ax.plot([0.123456, 7.654321], label=WORDS)
    ax.legend()
    ax.set(title=WORDS, xlabel=WORDS)
    display.show(fig, alt=WORDS, caption=WORDS)
    picture, caption = ET.fromstring(shown[0]["text/html"])
    texts = [element.text for element in picture.iter() if element.tag.endswith("text")]
    assert texts.count(WORDS) == 3
    assert picture.get("aria-label") == caption.text == WORDS


def test_coordinates_have_two_digits_and_references_their_targets(shown):
    display.show(curve(), alt="a wave", caption=CAPTION)
    tags = "".join(re.findall(r"<[^>]*>", shown[0]["text/html"]))
    assert not re.search(r"\d\.\d{3}", tags)
    ids = re.findall(r'\bid="([^"]+)"', tags)
    references = re.findall(r'(?:url\(|href=")#([^")]+)', tags)
    assert references and set(references) <= set(ids) and len(set(ids)) == len(ids)


def test_a_figure_takes_the_colours_of_the_page(shown):
    display.show(curve(), alt="a wave", caption=CAPTION)
    page = shown[0]["text/html"]
    assert "currentColor" in page
    assert "--book-paper" in page
    for colour in (display.INK, display.PAPER, "#000000", "#ffffff", "black", "white"):
        assert colour not in page
    assert "<style" not in page  # it would reach beyond the figure


@pytest.mark.parametrize("background", ["#ffffff", "#121212"])
@pytest.mark.parametrize("colour", display.COLORS)
def test_every_hue_stands_out_on_light_and_dark_pages(colour, background):
    bright, dim = sorted((luminance(colour), luminance(background)), reverse=True)
    assert (bright + 0.05) / (dim + 0.05) >= 3  # WCAG 2.1, 1.4.11: graphical objects


def test_figures_are_the_same_in_every_run_and_never_share_ids(shown):
    for k in (1, 1, 2):
        display.show(curve(k), alt=f"wave {k}", caption=CAPTION)
    first, again, other = (page["text/html"] for page in shown)
    assert first == again
    ids = [set(re.findall(r'\bid="([^"]+)"', page)) for page in (first, other)]
    assert ids[0] and not ids[0] & ids[1]
    for page, own in zip((first, other), ids, strict=True):
        assert set(re.findall(r'(?:url\(|href=")#([^")]+)', page)) <= own


@pytest.mark.parametrize("missing", ["alt", "caption"])
@pytest.mark.parametrize("words", ["", "  ", None, 3])
def test_a_figure_without_words_is_refused(missing, words):
    said = {"alt": "a wave", "caption": CAPTION}
    with pytest.raises(ValueError, match=f"{missing} must say in words"):
        display.show(curve(), **said | {missing: words})
    assert not plt.get_fignums()
    del said[missing]
    with pytest.raises(TypeError, match=missing):
        display.show(curve(), **said)


def test_a_slider_has_two_faces_of_the_same_frames(shown):
    display.slider(curve, [1, 2, 3], label="turns k", alt=lambda k: f"a wave of {k} turns", caption=CAPTION)
    (bundle,) = shown
    assert "application/vnd.jupyter.widget-view+json" in bundle
    page = bundle["text/html"]
    assert re.findall(r'data-value="(\d)"( hidden)?', page) == [("1", ""), ("2", " hidden"), ("3", " hidden")]
    assert re.findall(r'aria-label="([^"]+)"', page) == [f"a wave of {k} turns" for k in (1, 2, 3)]
    assert 'min="0" max="2" value="0" aria-valuetext="1"' in page
    assert page.endswith(f"<figcaption>{CAPTION}</figcaption></figure>")
    name = re.search(r'<input id="([^"]+)"', page).group(1)
    assert f'<label for="{name}">turns k</label>' in page


def test_a_slider_starts_where_it_is_told_to(shown):
    display.slider(curve, [1, 2, 3], label="k", alt="of {}".format, caption=CAPTION, start=2)
    page = BeautifulSoup(shown[0]["text/html"], "html.parser")
    assert [frame["data-value"] for frame in page.select(".book-frame:not([hidden])")] == ["2"]
    assert [frame["data-value"] for frame in page.select(".book-telling")] == ["2"]
    assert (page.input["value"], page.input["aria-valuetext"], page.output.text) == ("1", "2", "2")
    with pytest.raises(ValueError, match="starts at one of its values, not at 4"):
        display.slider(curve, [1, 2, 3], label="k", alt=str, caption=CAPTION, start=4)


def test_a_slider_has_a_tick_for_each_value_and_says_them_where_they_fit(shown):
    for values in ([0, 5, 33], ["water", "methane", "nonane", "paracetamol", "ibuprofen"]):
        display.slider(lambda value: curve(), values, label="k", alt="of {}".format, caption=CAPTION)
    few, many = (BeautifulSoup(page["text/html"], "html.parser").select(".book-ticks span") for page in shown)
    assert [tick.text for tick in few] == ["0", "5", "33"]
    assert [tick.text for tick in many] == [""] * 5


def growing(k, **limits):
    """A curve whose labels take more room the larger k is, and so does what is drawn."""
    fig, ax = plt.subplots()
    ax.plot([0, 1], [0, k])
    ax.set(xlabel="x", ylabel="y\n" * k, title="title\n" * k)
    ax.set(yticks=[0, 10**k], **{"xlim": (0, 1), "ylim": (0, 10)} | limits)
    return fig


def test_the_frames_of_a_slider_have_one_canvas_and_their_axes_stand_still(shown):
    display.slider(growing, [0, 1, 3], label="k", alt="of {}".format, caption=CAPTION)
    frames = BeautifulSoup(shown[0]["text/html"], "html.parser").find_all("svg")
    assert len({(svg["viewbox"], svg["width"], svg["height"]) for svg in frames}) == 1
    assert all(0 < y < float(frames[0]["viewbox"].split()[3]) for svg in frames for y in heights(svg))  # nothing is cut
    clipped = [svg.select_one("clippath rect") for svg in frames]  # the room of the axes
    assert len({(rect["x"], rect["y"], rect["width"], rect["height"]) for rect in clipped}) == 1


def heights(svg):
    """Where the lines of titles and labels stand, in the figure's own units, from the top."""
    turned = [text["transform"] for text in svg.find_all("text", transform=True)]
    return [float(re.match(r"translate\([-\d.]+ ([-\d.]+)\)", text)[1]) for text in turned]


def test_room_is_made_for_labels_where_they_are(shown):
    for settled in (True, False):
        fig, ax = plt.subplots()
        ax.plot([0, 9], [0, 9])
        ax.annotate("far from where an empty figure has (9, 9)", (9, 9), ha="center", annotation_clip=False)
        ax.set_axis_off()  # else drawing the axis settles the limits
        if settled:
            ax.get_xlim()
        display.show(fig, alt="a line", caption=CAPTION)
    assert shown[0] == shown[1]


def test_axes_that_do_not_stand_still_are_refused(shown):
    with pytest.raises(ValueError, match="set xlim and ylim, the same in all of its frames"):
        display.slider(lambda k: growing(k, ylim=(0, k)), [1, 2], label="k", alt="of {}".format, caption=CAPTION)
    assert not shown and not plt.get_fignums()


def test_what_a_slider_says_is_text_and_no_html(shown):
    values = ['<b>"1"', "2 & '3'"]
    display.slider(lambda value: curve(), values, label='a <i> & "k"', alt="of {}".format, caption=CAPTION)
    page = BeautifulSoup(shown[0]["text/html"], "html.parser")
    assert [frame["data-value"] for frame in page.select(".book-frame")] == values
    assert page.input["aria-valuetext"] == page.output.text == values[0] and page.label.text == 'a <i> & "k"'
    assert not page.find_all(["b", "i"])


def test_values_of_a_slider_are_short(shown):
    display.slider(curve, [1, 0.1 + 0.2], label="k", alt=str, caption=CAPTION)
    assert re.findall(r'data-value="([^"]*)"', shown[0]["text/html"]) == ["1", "0.3"]


def rows_of(page):
    """The cells of a table as (text, tag, alignment, columns), row by row."""
    table = ET.fromstring(page)
    assert [part.tag for part in table] == ["thead", "tbody"] and table.get("class") == "dataframe"
    return [
        [(c.text or "", c.tag, c.get("style").removeprefix("text-align: "), int(c.get("colspan", 1))) for c in row]
        for row in table.iter("tr")
    ]


def test_a_table_has_a_header_and_its_numbers_to_the_right(shown):
    display.table(
        {"run": name, "error (meV)": error, "epochs": epochs, "rate": rate}
        for name, error, epochs, rate in (("a & <b>", "60.0 ± 1.0", 30, 1e-3), ("2", "–", 1000, 0.1 + 0.2))
    )
    header, *body = rows_of(shown[0]["text/html"])
    assert [cell[0] for cell in header] == ["run", "error (meV)", "epochs", "rate"]
    assert [cell[0] for cell in body[0]] == ["a & <b>", "60.0 ± 1.0", "30", "0.001"]
    assert [cell[0] for cell in body[1]] == ["2", "–", "1000", "0.3"]
    for row, tag in ((header, "th"), (body[0], "td"), (body[1], "td")):
        assert [cell[1:] for cell in row] == [(tag, side, 1) for side in ("left", "right", "right", "right")]


def test_a_table_may_group_its_columns(shown):
    columns = [("", "model"), ("test", "error"), ("test", "loss"), ("permuted", "error")]
    display.table([dict(zip(columns, ("GNN", 1, 2, 3), strict=True))] * 2)
    above, below, *body = rows_of(shown[0]["text/html"])
    assert above == [("", "td", "left", 1), ("test", "th", "center", 2), ("permuted", "th", "right", 1)]
    assert [(text, tag, span) for text, tag, _, span in below] == [(key[1], "th", 1) for key in columns]
    assert [[cell[0] for cell in row] for row in body] == [["GNN", "1", "2", "3"]] * 2


@pytest.mark.parametrize(
    "rows", [[], [{}], [{"a": 1}, {"b": 1}], [{"a": 1}, {"a": 1, "b": 2}], [{"a": 1, ("b", "c"): 2}]]
)
def test_a_table_of_rows_that_do_not_fit_is_refused(rows, shown):
    with pytest.raises(ValueError, match="a table has rows, and all of them the columns of the first"):
        display.table(rows)
    assert not shown


def test_the_live_slider_changes_the_figure():
    frames = ["<svg>1</svg>", "<svg>2</svg>"]
    box = display._live(frames, ["one", "two"], "turns", "a <caption>", 1)
    figure, control, caption = box.children
    assert figure.value == frames[1] and caption.value == "a &lt;caption&gt;"
    control.value = 0
    assert figure.value == frames[0]


@pytest.mark.parametrize("count", [0, 1, 21])
def test_a_slider_has_few_frames(count):
    with pytest.raises(ValueError, match="2 to 20 values"):
        display.slider(curve, range(count), label="k", alt=str, caption=CAPTION)


def test_figures_draw_without_warnings(shown):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        display.show(curve(), alt="a wave", caption=CAPTION)


def luminance(colour):
    """Relative luminance of a hexadecimal sRGB colour (WCAG 2.1)."""
    channels = np.array([int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)])
    linear = np.where(channels <= 0.03928, channels / 12.92, ((channels + 0.055) / 1.055) ** 2.4)
    return linear @ [0.2126, 0.7152, 0.0722]


def test_glue_is_that_of_myst_nb(monkeypatch):
    sent = []
    monkeypatch.setattr(display, "display", lambda *args, **kwargs: sent.append((args, kwargs)))
    monkeypatch.setattr(myst_glue, "ipy_display", lambda *args, **kwargs: sent.append((args, kwargs)))
    for text in ("60.0 ± 1.0 meV", 'it\'s "so"', ""):
        display.glue("gnn-toy", text)
        myst_glue.glue("gnn-toy", text, display=False)
        ours, theirs = sent[-2:]
        assert ours == theirs


def test_lines_are_written_briefly_and_words_are_left_alone(shown):
    words = "from L 1.234 L 5.678"
    fig, ax = plt.subplots()
    ax.plot([0, 1, 2, 3], [0, 5, 1, 9], marker="")
    ax.set_title(words)
    display.show(fig, alt="A line.", caption="Up and down.")
    page = BeautifulSoup(shown[0]["text/html"], "html.parser")
    assert words in page.get_text()
    (line,) = (path["d"] for path in page.find_all("path") if len(re.findall(r"\d+\.\d+", path["d"])) == 8)
    assert re.fullmatch(r"M( -?\d+\.\d){8} ?", line), line
