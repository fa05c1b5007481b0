"""Figures that read on light and dark pages, with words for those who do not see them; sliders and tables.

A figure goes onto the page as inline SVG. Its ink is ``currentColor`` and its paper the page's own background, so
one drawing serves both modes; its text stays text. It consists of panels, figures of matplotlib that stand side by
side where there is room and one below the other where there is not: on a phone, text must not shrink with the drawing.
"""

import html
import itertools
from hashlib import sha256

import ipywidgets
import matplotlib.pyplot as plt
from cycler import cycler
from IPython.display import HTML, display

from helpers import svg
from helpers.svg import INK, PAPER

# Hues of middle lightness, at least 3:1 against white and against the dark page; told apart by the color-blind too.
COLORS = ["#2b7bb9", "#c8641b", "#1f8a70", "#a0629f", "#8a7415", "#c2476a"]
MAX_FRAMES = 20
_TICKS = 30  # letters of all values that fit below a slider on a phone

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
    "figure.figsize": (4.2, 2.8),
    "figure.max_open_warning": 0,  # the frames of a slider are open together
    "figure.constrained_layout.use": True,
    "font.size": 10,
    "font.family": "sans-serif",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
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


def panels(*sizes):
    """A figure's panels, one for each of ``sizes`` (width and height in inches): their figures, and their axes.

    Text of 10 points is large enough on a phone in panels up to 4.2 inches wide; two that have 6.8 inches together
    stand side by side at a desk.
    """
    return zip(*(plt.subplots(figsize=size) for size in sizes), strict=True)


def show(figure, alt, caption):
    """Show a matplotlib figure, or the figures that are its panels, on the page, and close them.

    ``alt`` says in words what is seen, to those who do not see it; ``caption`` stands below the figure and says what to
    notice. Both are plain text; without one it is a ValueError.
    """
    (frame,) = _frames([figure], [alt], caption)
    display(HTML(f'<figure class="book-figure">{frame}{_below(caption)}</figure>'))


def glue(name, text):
    """Make ``text`` appear wherever a page says ``{glue:text}`name```, and nowhere else.

    The same output as ``myst_nb.glue(name, text, display=False)``, whose import takes seconds in every notebook.
    """
    prefix = "application/papermill.record/"
    where = {"scrapbook": {"name": name, "mime_prefix": prefix}}
    display({f"{prefix}text/plain": repr(text)}, metadata=where, raw=True)


def slider(draw, values, label, alt, caption, start=None):
    """Show ``draw(value)``, a matplotlib figure or panels, for the one of ``values`` (at most 20) that a reader picks.

    ``label`` names what is turned; ``alt(value)`` says in words what the figure for that value shows, ``caption`` what
    to notice. ``start`` is the value to begin with, the first by default, and the one that is printed. The frames have
    one canvas and the same axes. The output has two faces of them: an ipywidgets slider where a kernel runs, plain HTML
    in the built page.
    """
    values = list(values)
    if not 2 <= len(values) <= MAX_FRAMES:
        raise ValueError(f"a slider has 2 to {MAX_FRAMES} values, not {len(values)}")
    if start is not None and start not in values:
        raise ValueError(f"a slider starts at one of its values, not at {start!r}")
    first = 0 if start is None else values.index(start)
    frames = _frames(map(draw, values), map(alt, values), caption)
    texts = [_text(value) for value in values]
    bundle = _live(frames, texts, label, caption, first)._repr_mimebundle_()
    page = _static(frames, texts, label, caption, first)
    display(bundle | {"text/html": page, "text/plain": f"slider: {label}"}, raw=True)


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
    for key, group in itertools.groupby(zip(keys, sides, strict=True), key=lambda column: column[0][: level + 1]):
        side, *others = [side for _, side in group]
        span = f' colspan="{1 + len(others)}"' if others else ""
        tag = "th" if key[level] else "td"  # an empty header would be announced as one
        cells.append(_cell(key[level], "center" if others else side, tag, span))
    return "".join(cells)


def _cell(text, side, tag="td", span=""):
    return f'<{tag} style="text-align: {side}"{span}>{html.escape(text)}</{tag}>'


def _text(value):
    return f"{value:g}" if isinstance(value, float) else str(value)


def _frames(figures, words, caption):
    """The HTML of figures that take turns, each with its alternative text; the figures are closed."""
    figures = [[figure] if isinstance(figure, plt.Figure) else list(figure) for figure in figures]
    try:
        words = [_said(alt, "alt must say in words what the figure shows") for alt in words]
        _said(caption, "caption must say in words what to notice")
        drawn = svg.elements(figures)
    finally:
        for panel in itertools.chain(*figures):
            plt.close(panel)
    return [
        f'<div class="book-panels" role="img" aria-label="{alt}">'
        f"{''.join(svg.unique(element, f'{alt} {i}') for i, element in enumerate(frame))}</div>"
        for frame, alt in zip(drawn, words, strict=True)
    ]


def _said(text, complaint):
    """The text as HTML; without any, a ValueError that complains."""
    if not (isinstance(text, str) and text.strip()):
        raise ValueError(complaint)
    return html.escape(text)


def _below(caption):
    return f"<figcaption>{html.escape(caption)}</figcaption>"


def _live(frames, texts, label, caption, first):
    """The face for Jupyter: an ipywidgets slider that changes the figure above it."""
    figure = ipywidgets.HTML(frames[first])
    control = ipywidgets.SelectionSlider(
        options=list(zip(texts, range(len(texts)), strict=True)),
        index=first,
        description=label,
        style={"description_width": "initial"},
        layout={"width": "32em", "max_width": "100%"},
    )
    control.observe(lambda change: setattr(figure, "value", frames[change["new"]]), names="value")
    return ipywidgets.VBox([figure, control, ipywidgets.HTML(html.escape(caption))])


def _static(frames, texts, label, caption, first):
    """The face for the built page, moved by ``_static/slider.js``: all frames, of which one is shown."""
    name = f"slider-{sha256(''.join([label, *frames]).encode()).hexdigest()[:8]}"
    label, *texts = map(html.escape, (label, *texts))
    figures = "".join(
        f'<div class="book-frame{" book-telling" * (i == first)}" data-label="{label}" data-value="{text}"'
        f"{' hidden' * (i != first)}>{frame}</div>"
        for i, (frame, text) in enumerate(zip(frames, texts, strict=True))
    )
    said = sum(map(len, texts)) <= _TICKS  # else the ticks are bare
    ticks = "".join(f"<span>{text if said else ''}</span>" for text in texts)
    return (
        f'<figure class="book-figure book-slider">{figures}<div class="book-control">'
        f'<div><label for="{name}">{label}</label> '
        f'<output for="{name}" aria-live="polite">{texts[first]}</output></div>'
        f'<input id="{name}" type="range" min="0" max="{len(frames) - 1}" value="{first}" '
        f'aria-valuetext="{texts[first]}" autocomplete="off">'
        f'<div class="book-ticks" aria-hidden="true">{ticks}</div></div>{_below(caption)}</figure>'
    )
