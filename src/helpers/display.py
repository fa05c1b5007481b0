"""Figures that read on light and dark pages, with words for those who do not see them; sliders and tables.

A figure goes onto the page as inline SVG. Its ink is ``currentColor`` and its paper the page's own background, so
one drawing serves both modes; its text stays text.
"""

import html
import io
import re
from hashlib import sha256
from itertools import groupby

import ipywidgets
import matplotlib.pyplot as plt
from cycler import cycler
from IPython.display import HTML, display

# Stand-ins, drawn as they are and replaced in the SVG: a figure has no other way to ask for the page's colours.
INK, PAPER = "#010203", "#fdfcfb"
_PAGE = {INK: "currentColor", PAPER: "var(--book-paper, var(--jp-layout-color0, Canvas))"}
# Hues of middle lightness, at least 3:1 against white and against the dark page; told apart by the color-blind too.
COLORS = ["#2b7bb9", "#c8641b", "#1f8a70", "#a0629f", "#8a7415", "#c2476a"]
MAX_FRAMES = 20

_STYLE = {
    "axes.prop_cycle": cycler(color=COLORS)
    + cycler(linestyle=["-", "--", "-.", ":", (0, (5, 1, 1, 1)), (0, (1, 1))])
    + cycler(marker=["o", "s", "^", "D", "v", "P"]),
    "lines.markersize": 4,
    "figure.facecolor": "none",
    "axes.facecolor": "none",
    "savefig.facecolor": "none",
    "legend.facecolor": PAPER,
    "legend.framealpha": 0.85,
    "figure.figsize": (6.4, 3.6),
    "figure.constrained_layout.use": True,
    "font.size": 10,
    "font.family": "sans-serif",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.alpha": 0.25,
    "svg.fonttype": "none",  # text as text: small, searchable, in the page's own font
    "svg.hashsalt": "shared-weights",  # the same file from the same figure
} | dict.fromkeys(
    ["text.color", "axes.labelcolor", "axes.edgecolor", "xtick.color", "ytick.color", "grid.color", "patch.edgecolor"]
    + ["legend.edgecolor", "hatch.color", "boxplot.boxprops.color", "boxplot.whiskerprops.color"]
    + ["boxplot.capprops.color", "boxplot.flierprops.color"],
    INK,
)


def use_book_style():
    """Set matplotlib's defaults for every figure of the notebook; figures appear only through :func:`show`."""
    plt.switch_backend("agg")  # the notebook backend would show each figure again, as a PNG without words
    plt.rcParams.update(_STYLE)


def show(fig, alt):
    """Show a matplotlib figure on the page, and close it.

    ``alt`` says in words what the figure shows; an empty one is a ValueError.
    """
    display(HTML(f'<figure class="book-figure">{_svg(fig, alt)}</figure>'))


def glue(name, text):
    """Make ``text`` appear wherever a page says ``{glue:text}`name```, and nowhere else.

    The same output as ``myst_nb.glue(name, text, display=False)``, whose import takes seconds in every notebook.
    """
    prefix = "application/papermill.record/"
    where = {"scrapbook": {"name": name, "mime_prefix": prefix}}
    display({f"{prefix}text/plain": repr(text)}, metadata=where, raw=True)


def slider(draw, values, label, alt):
    """Show ``draw(value)``, a matplotlib figure, for the one of ``values`` (at most 20) that the reader picks.

    ``label`` names what is turned; ``alt(value)`` says in words what the figure for that value shows. The output has
    two faces of the same frames: an ipywidgets slider where a kernel runs, plain HTML in the built page.
    """
    values = list(values)
    if not 2 <= len(values) <= MAX_FRAMES:
        raise ValueError(f"a slider has 2 to {MAX_FRAMES} values, not {len(values)}")
    frames = [_svg(draw(value), alt(value)) for value in values]
    texts = [_text(value) for value in values]
    bundle = _live(frames, texts, label)._repr_mimebundle_()
    display(bundle | {"text/html": _static(frames, texts, label), "text/plain": f"slider: {label}"}, raw=True)


def table(rows):
    """Show dictionaries with the same keys as a table: each is a row, and the keys are the header.

    Columns of numbers, as such or as text ("60.0 ± 1.0", "–" for none), stand to the right. Keys that are tuples of the
    same length give a header of as many lines, in which neighbours share what they begin with: ``("test", "loss")`` and
    ``("test", "error")``. Raises ValueError when there is no row, or the keys differ.
    """
    rows = list(rows)
    keys = [key if isinstance(key, tuple) else (key,) for key in rows[0]] if rows else []
    if not keys or any(set(row) != set(rows[0]) for row in rows) or len(set(map(len, keys))) > 1:
        raise ValueError("a table has rows, and all of them the columns of the first; tuples in its header are as long")
    columns = [[_text(row[key]) for row in rows] for key in rows[0]]
    sides = ["right" if all(set(text) <= _NUMERIC for text in column) else "left" for column in columns]
    head = "".join(f"<tr>{_header(keys, sides, level)}</tr>" for level in range(len(keys[0])))
    body = "".join(f"<tr>{''.join(map(_cell, row, sides))}</tr>" for row in zip(*columns, strict=True))
    # "dataframe" is the class that the theme's rules for the tables of notebooks, and ours, know.
    display(HTML(f'<table class="dataframe"><thead>{head}</thead><tbody>{body}</tbody></table>'))


_NUMERIC = set("0123456789.,+-−–±%e()·⁻⁰¹²³⁴⁵⁶⁷⁸⁹ ")


def _header(keys, sides, level):
    """One line of a table's header: neighbours that are the same down to this level share a cell."""
    cells = []
    for key, group in groupby(zip(keys, sides, strict=True), key=lambda column: column[0][: level + 1]):
        side, *others = [side for _, side in group]
        span = f' colspan="{1 + len(others)}"' if others else ""
        tag = "th" if key[level] else "td"  # an empty header would be announced as one
        cells.append(_cell(key[level], "center" if others else side, tag, span))
    return "".join(cells)


def _cell(text, side, tag="td", span=""):
    return f'<{tag} style="text-align: {side}"{span}>{html.escape(text)}</{tag}>'


def _text(value):
    return f"{value:g}" if isinstance(value, float) else str(value)


def _live(frames, texts, label):
    """The face for Jupyter: an ipywidgets slider that changes the figure above it."""
    figure = ipywidgets.HTML(frames[0])
    control = ipywidgets.SelectionSlider(
        options=list(zip(texts, range(len(texts)), strict=True)),
        description=label,
        style={"description_width": "initial"},
        layout={"width": "32em", "max_width": "100%"},
    )
    control.observe(lambda change: setattr(figure, "value", frames[change["new"]]), names="value")
    return ipywidgets.VBox([figure, control])


def _static(frames, texts, label):
    """The face for the built page, moved by ``_static/slider.js``: all frames, of which one is shown."""
    name, first = f"slider-{_digest(label, *frames)}", html.escape(texts[0])
    figures = "".join(
        f'<div class="book-frame" data-value="{html.escape(text)}"{" hidden" * (i > 0)}>{frame}</div>'
        for i, (frame, text) in enumerate(zip(frames, texts, strict=True))
    )
    return (
        f'<figure class="book-figure book-slider">{figures}'
        f'<figcaption><label for="{name}">{html.escape(label)}</label> '
        f'<input id="{name}" type="range" min="0" max="{len(frames) - 1}" value="0" aria-valuetext="{first}"> '
        f'<output for="{name}" aria-live="polite">{first}</output></figcaption></figure>'
    )


def _svg(fig, alt):
    """The figure as an SVG element with its alternative text, in the page's colours; the figure is closed."""
    file = io.StringIO()
    fig.savefig(file, format="svg", metadata={"Date": None}, bbox_inches="tight")
    plt.close(fig)
    if not (isinstance(alt, str) and alt.strip()):
        raise ValueError("alt must say in words what the figure shows")
    svg = file.getvalue()
    svg = svg[svg.index("<svg") :]  # without the XML prologue, which has no place inside a page
    for pattern, replacement in _SLIMMER:
        svg = re.sub(pattern, replacement, svg, flags=re.DOTALL)
    svg = _in_tags(r"(\d\.\d\d)\d+", r"\1", svg)  # a hundredth of a point is finer than any screen
    own = f"f{_digest(svg)}-"  # ids: unique on a page of many figures, the same in every run
    svg = _in_tags(r'\bid="|\bhref="#|\burl\(#', rf"\g<0>{own}", svg)
    for stand_in, colour in _PAGE.items():
        svg = _in_tags(stand_in, colour, svg)
    width, height = re.search(r'width="([\d.]+)pt" height="([\d.]+)pt"', svg).groups()
    attributes = (
        f'width="{float(width) * 4 / 3:.0f}" height="{float(height) * 4 / 3:.0f}" role="img" '
        f'aria-label="{html.escape(alt)}" style="font-family: DejaVu Sans, Verdana, sans-serif; stroke-linejoin: round"'
    )
    return svg.replace(f'width="{width}pt" height="{height}pt"', attributes)


def _in_tags(pattern, replacement, svg):
    """Replace within the tags of an SVG, and leave its texts alone, which are the author's."""
    return re.sub(r"<[^>]*>", lambda tag: re.sub(pattern, replacement, tag[0]), svg)


# What matplotlib writes into an SVG and a page has no use for.
_SLIMMER = (
    (r"<metadata>.*?</metadata>", ""),
    (r"<style.*?</style>", ""),  # it would style the whole page
    (r'<g id="[^"]*">', "<g>"),  # names of groups: nothing refers to them
    (r' ?font-family: [^;"]*;?', ""),  # the figure says it once, below
    (r' transform="rotate\(-0 [^"]*"', ""),
    (r"\s*\n\s*", " "),
    (r" ?(<[^>]*>) ?(?=<)", r"\1"),
    (r'" (/?>)', r'"\1'),
)


def _digest(*texts):
    return sha256("".join(texts).encode()).hexdigest()[:8]
