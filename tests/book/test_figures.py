"""The figures of the built pages, as they are seen at a desk, on a phone, in the dark, on paper and without scripts."""

import contents

import pytest

from visits import DESK, PHONE, RICH, Visit, read, thorough_but

SMALLEST = 11  # pixels, of a letter that is neither a subscript nor a superscript
GRID = 0.25  # the opacity of a grid, which need not stand out
TINT = 0.3  # and of an area that is told by its outline or what is written in it
TWO_SCREENS = 1800  # pixels, at a desk
CHAPTERS = ("cnn/", "rnn/", "gnn/")  # the folders of the three parts


def drawing(*functions):
    """The pages whose notebook calls one of these functions of ``helpers.display``."""
    sources = {name.removeprefix("book/").removesuffix(".py"): name for name in contents.notebooks()}
    texts = {page: (contents.BOOK.parent / name).read_text() for page, name in sources.items()}
    return [page for page, text in texts.items() if any(f"display.{function}(" in text for function in functions)]


@pytest.mark.parametrize("page", drawing("show", "slider"))
def test_figures_on_the_page(visit, page):
    tab = visit.tab
    assert tab.locator(".book-figure").count() > 0
    assert (tab.locator(".book-slider").count() > 0) == (page in drawing("slider"))
    found = [*does_not_stand_in_the_column(tab), *stands_out_too_little(tab, "light")]
    found += [*has_a_slider_that_jumps(tab), *misses_its_ticks(tab)]
    tab.emulate_media(color_scheme="dark")
    tab.wait_for_function("document.documentElement.dataset.theme === 'dark'")
    found += stands_out_too_little(tab, "dark")
    tab.set_viewport_size(PHONE)
    found += [*is_too_small_to_read(tab), *has_a_slider_that_jumps(tab), *misses_its_ticks(tab)]
    found += prints_another_frame(tab)
    assert not found, "\n" + "\n".join(found)


@pytest.mark.parametrize("page", thorough_but(RICH, drawing("slider")))
def test_figures_without_a_script(browser, site, page):
    """The telling frame is there, with its value, and no slider that does nothing."""
    with Visit(browser, site / f"{page}.html", java_script_enabled=False) as visit:
        sliders = visit.tab.locator(".book-slider").all()
        assert sliders
        for slider in sliders:
            assert slider.locator(".book-frame:visible").count() == slider.locator(".book-telling:visible").count() == 1
            assert slider.locator(".book-control:visible").count() == 0


@pytest.mark.parametrize("page", [page for page in drawing("show", "slider") if page.startswith(CHAPTERS)])
def test_a_chapter_shows_before_it_proves(browser, site, page):
    """A picture on the first screen, and none that is more than two screens from the next, down to the exercises."""
    with Visit(browser, site / f"{page}.html") as visit:  # as it is first seen
        visit.tab.wait_for_function("document.fonts.ready.then(() => true)")
        ends, shown = visit.tab.evaluate(PICTURES)
    assert len(ends) >= 5 and ends[0][0] < DESK["height"]
    gaps = [(round(top - bottom), top) for (_, bottom), (top, _) in zip(ends, [*ends[1:], (shown, 0)], strict=True)]
    assert [gap for gap in gaps if gap[0] > TWO_SCREENS] == []


# Top and bottom of the pictures above the chapter's summary, and where that begins, in pixels from the top.
PICTURES = """() => {
  const end = [...document.querySelectorAll("article h2")].find(h => h.textContent.startsWith("What was shown"));
  const place = node => ["top", "bottom"].map(side => node.getBoundingClientRect()[side] + scrollY);
  const ends = [...document.querySelectorAll(".book-figure")].map(place);
  return [ends.filter(([top]) => top < place(end)[0]), place(end)[0]];
}"""


# --- what can be wrong with the figures of a page; each yields it in words ---


def does_not_stand_in_the_column(tab):
    """At a desk: in the text's column, no larger than drawn, with a caption that is seen and is not its words."""
    for figure in tab.evaluate(FIGURES):
        name = f"the figure {figure['words'][:60]!r}"
        if not figure["caption"].strip() or figure["caption"] == figure["words"]:
            yield f"{name} has no caption that says what to notice"
        if figure["blown"] > 1.01:
            yield f"{name} is shown {figure['blown']:.2f} times as large as it was drawn"
        if figure["over"] > 1:
            yield f"{name} is {figure['over']:.0f} pixels wider than the text"


FIGURES = """() => [...document.querySelectorAll(".book-figure")].map(figure => {
  const seen = [...figure.querySelectorAll(".book-panels svg")].filter(svg => svg.checkVisibility());
  const boxes = seen.map(svg => svg.getBoundingClientRect()), column = figure.parentElement.getBoundingClientRect();
  const caption = figure.querySelector("figcaption");
  return {
    words: figure.querySelector("[role=img]").getAttribute("aria-label"),
    caption: caption?.checkVisibility() ? caption.textContent : "",
    blown: Math.max(...seen.map((svg, i) => boxes[i].width / svg.getAttribute("width"))),
    over: Math.max(...boxes.map(box => box.right)) - Math.min(...boxes.map(box => box.left)) - column.width,
  };
})"""


def is_too_small_to_read(tab):
    for words, text, size in tab.evaluate(LETTERS):
        if size < SMALLEST:
            yield f"the figure {words[:60]!r} on a phone: {text!r} is {size:.1f} pixels high, draw it narrower"


# A text's largest letters count: beside them, smaller ones are sub- and superscripts. All frames have one size.
LETTERS = """() => [...document.querySelectorAll(".book-figure")].flatMap(figure => {
  const seen = [...figure.querySelectorAll(".book-panels svg")].filter(svg => svg.checkVisibility());
  return seen.flatMap(svg => {
    const scale = svg.getBoundingClientRect().width / svg.viewBox.baseVal.width;
    const words = svg.closest("[role=img]").getAttribute("aria-label");
    return [...svg.querySelectorAll("text")].filter(text => text.textContent.trim()).map(text => {
      const letters = [text, ...text.querySelectorAll("tspan")].filter(part => part.textContent.trim());
      const sizes = letters.map(part => parseFloat(getComputedStyle(part).fontSize));
      return [words, text.textContent.trim(), scale * Math.max(...sizes)];
    });
  });
})"""


def stands_out_too_little(tab, mode):
    """Lines and areas below 3:1 against the page, texts below 4.5:1 (WCAG 2.1, 1.4.11 and 1.4.3)."""
    for words, what, ratio in tab.evaluate(CONTRASTS, [GRID, TINT]):
        yield f"{mode}: in the figure {words[:60]!r} there is {what} with a contrast of {ratio:.1f}"


CONTRASTS = """([grid, tint]) => {
  const parse = color => (color.match(/[\\d.]+/g) || [0, 0, 0, 0]).map(Number);
  const page = parse(getComputedStyle(document.body).backgroundColor).slice(0, 3);
  const light = rgb => rgb.map(c => c / 255).map(c => c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4)
    .reduce((sum, c, i) => sum + c * [0.2126, 0.7152, 0.0722][i], 0);
  const contrast = rgb => {
    const [low, high] = [light(rgb), light(page)].sort((a, b) => a - b);
    return (high + 0.05) / (low + 0.05);
  };
  const paint = (style, kind, opacity) => {
    if (style[kind] === "none") return {alpha: 0, ratio: 1};
    const [r, g, b, a = 1] = parse(style[kind]), alpha = a * opacity * style[kind + "Opacity"];
    return {alpha, ratio: contrast([r, g, b].map((c, i) => alpha * c + (1 - alpha) * page[i]))};
  };
  const found = new Map();
  for (const shape of document.querySelectorAll(".book-panels svg :is(path, use, text)")) {
    if (shape.closest("defs, clipPath")) continue;
    let opacity = 1;
    for (let up = shape; up.tagName !== "svg"; up = up.parentElement) opacity *= getComputedStyle(up).opacity;
    const style = getComputedStyle(shape), [fill, stroke] = ["fill", "stroke"].map(kind => paint(style, kind, opacity));
    const isText = shape.tagName === "text", words = shape.closest("[role=img]").getAttribute("aria-label");
    const best = isText ? fill.ratio : Math.max(fill.ratio, stroke.ratio);
    const isGrid = Math.abs(stroke.alpha - grid) < 0.01 && fill.alpha === 0;
    const isTint = stroke.alpha === 0 && fill.alpha <= tint + 0.01;
    const isPaper = stroke.alpha === 0 && fill.ratio < 1.01;
    if (best >= (isText ? 4.5 : 3) || (!isText && (isGrid || isTint || isPaper))) continue;
    const drawn = `a shape of stroke ${style.stroke}, fill ${style.fill}`;
    const what = isText ? `the text ${shape.textContent.trim()}` : drawn;
    found.set(words + what, [words, what, best]);
  }
  return [...found.values()];
}"""


def has_a_slider_that_jumps(tab):
    """One whose frames are of different sizes: what stands below would move."""
    for slider in tab.locator(".book-slider").all():
        label, sizes = slider.evaluate(SIZES)
        if len({tuple(size) for size in sizes}) > 1:
            yield f"the frames of the slider {label!r} are of different sizes: {sizes}"


SIZES = """slider => {
  const frames = [...slider.querySelectorAll(".book-frame")], hidden = frames.map(frame => frame.hidden);
  const sizes = frames.map(frame => {
    frames.forEach(other => { other.hidden = other !== frame; });
    return [...frame.querySelectorAll("svg")].flatMap(svg => [svg.clientWidth, svg.clientHeight]);
  });
  frames.forEach((frame, i) => { frame.hidden = hidden[i]; });
  return [slider.querySelector("label").textContent, sizes];
}"""


def misses_its_ticks(tab):
    """A slider without a tick below each place of its thumb, or whose ticks cover each other or leave the page."""
    for slider in tab.locator(".book-slider").all():
        label, wanted, ticks, texts, width = slider.evaluate(TICKS)
        if len(ticks) != len(wanted) or any(abs(a - b) > 2 for a, b in zip(ticks, wanted, strict=False)):
            yield f"the slider {label!r} has ticks at {ticks} and not at {wanted}"
        edges = [edge for left, right in texts for edge in (left, right)]
        if edges != sorted(edges) or (edges and (edges[0] < 0 or edges[-1] > width)):
            yield f"the texts below the slider {label!r} are in each other's way: {texts}"


# Chromium's thumb is 16 pixels wide, and its middle moves between 8 pixels from either end.
TICKS = """slider => {
  const input = slider.querySelector("input"), {left, width} = input.getBoundingClientRect(), steps = +input.max;
  const wanted = Array.from({length: steps + 1}, (_, i) => Math.round(left + 8 + i * (width - 16) / steps));
  const spans = [...slider.querySelectorAll(".book-ticks span")];
  const texts = spans.filter(span => span.textContent).map(span => {
    const range = document.createRange();
    range.selectNodeContents(span);
    const box = range.getBoundingClientRect();
    return [Math.round(box.left), Math.round(box.right)];
  });
  const ticks = spans.map(span => Math.round(span.getBoundingClientRect().left));
  return [slider.querySelector("label").textContent, wanted, ticks, texts, document.documentElement.clientWidth];
}"""


def prints_another_frame(tab):
    """A slider that, moved, prints what the reader left it at, or its control, instead of its telling frame."""
    sliders = tab.locator(".book-slider").all()
    for slider in sliders:
        slider.locator("input").press("Home")
        slider.locator("input").press("ArrowRight")
    tab.emulate_media(media="print")
    for slider in sliders:
        label = slider.locator("label").text_content()
        if slider.locator(".book-frame:visible").count() != 1 or not slider.locator(".book-telling").is_visible():
            yield f"the slider {label!r} does not print its telling frame, and that alone"
        if slider.locator(".book-control").is_visible():
            yield f"the slider {label!r} prints its control"
        said = slider.locator(".book-telling").evaluate("frame => getComputedStyle(frame, '::after').content")
        if label not in said:
            yield f"the slider {label!r} does not print of which value its frame is: {said}"
    tab.emulate_media(media="screen")


# --- the figures of the whole book ---


def test_no_two_figures_have_the_same_caption_or_words(site):
    """Nor two frames of a slider: what a reader is told changes with what is seen."""
    captions, words = [], []
    for page in drawing("show", "slider"):
        article = read(site / f"{page}.html").select_one("article")
        captions += [caption.get_text() for caption in article.select(".book-figure figcaption")]
        words += [panels["aria-label"] for panels in article.select(".book-figure [role=img]")]
    assert len(captions) > 20 and len(words) > len(captions)
    assert [text for text in {*captions} if captions.count(text) > 1] == []
    assert [text for text in {*words} if words.count(text) > 1] == []


@pytest.mark.parametrize("page", drawing("slider"))
def test_a_slider_has_a_frame_for_each_place_of_its_thumb_and_a_name_for_each(site, page):
    for slider in read(site / f"{page}.html").select(".book-slider"):
        control, frames = slider.select_one("input[type=range]"), slider.select(".book-frame")
        assert int(control["max"]) - int(control.get("min", 0)) + 1 == len(frames) <= 20
        assert len({frame["data-value"] for frame in frames}) == len(frames)
