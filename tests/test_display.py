import re
import warnings
import xml.etree.ElementTree as ET

import matplotlib.pyplot as plt
import numpy as np
import pytest
from myst_nb.ext import glue as myst_glue

from helpers import display


@pytest.fixture(autouse=True)
def style():
    display.use_book_style()


@pytest.fixture
def shown(monkeypatch):
    """What the helpers send to the notebook."""
    bundles = []
    monkeypatch.setattr(
        display, "display", lambda out, raw=False: bundles.append(out if raw else {"text/html": out.data})
    )
    return bundles


def curve(k=1):
    fig, ax = plt.subplots()
    ax.plot(np.sin(k * np.arange(9)), label="$\\sin k$")
    ax.fill_between(range(9), 0, 1, color=display.PAPER)
    ax.legend()
    return fig


def test_a_figure_is_well_formed_svg_with_its_words(shown):
    display.show(curve(), alt='a "wave" & its <ink>')
    svg = ET.fromstring(re.search(r"<svg.*</svg>", shown[0]["text/html"], re.DOTALL).group())
    assert svg.get("role") == "img"
    assert svg.get("aria-label") == 'a "wave" & its <ink>'
    assert not plt.get_fignums()


def test_a_figure_takes_the_colours_of_the_page(shown):
    display.show(curve(), alt="a wave")
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
        display.show(curve(k), alt=f"wave {k}")
    first, again, other = (page["text/html"] for page in shown)
    assert first == again
    ids = [set(re.findall(r'\bid="([^"]+)"', page)) for page in (first, other)]
    assert ids[0] and not ids[0] & ids[1]
    for page, own in zip((first, other), ids, strict=True):
        assert set(re.findall(r'(?:url\(|href=")#([^")]+)', page)) <= own


@pytest.mark.parametrize("alt", ["", "  ", None, 3])
def test_a_figure_without_words_is_refused(alt):
    with pytest.raises(ValueError, match="alt must say in words"):
        display.show(curve(), alt=alt)
    with pytest.raises(TypeError, match="alt"):
        display.show(curve())


def test_a_slider_has_two_faces_of_the_same_frames(shown):
    display.slider(curve, [1, 2, 3], label="turns k", alt=lambda k: f"a wave of {k} turns")
    (bundle,) = shown
    assert "application/vnd.jupyter.widget-view+json" in bundle
    page = bundle["text/html"]
    assert re.findall(r'data-value="(\d)"( hidden)?', page) == [("1", ""), ("2", " hidden"), ("3", " hidden")]
    assert re.findall(r'aria-label="([^"]+)"', page) == [f"a wave of {k} turns" for k in (1, 2, 3)]
    assert 'min="0" max="2" value="0" aria-valuetext="1"' in page
    name = re.search(r'<input id="([^"]+)"', page).group(1)
    assert f'<label for="{name}">turns k</label>' in page


def test_the_live_slider_changes_the_figure():
    frames = ["<svg>1</svg>", "<svg>2</svg>"]
    box = display._live(frames, ["one", "two"], "turns")
    figure, control = box.children
    assert figure.value == frames[0]
    control.value = 1
    assert figure.value == frames[1]


@pytest.mark.parametrize("count", [0, 1, 21])
def test_a_slider_has_few_frames(count):
    with pytest.raises(ValueError, match="2 to 20 values"):
        display.slider(curve, range(count), label="k", alt=str)


def test_figures_draw_without_warnings(shown):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        display.show(curve(), alt="a wave")


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
