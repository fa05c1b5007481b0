"""Matplotlib figures as SVG for a page: in the page's own colours, slim, with text that stays text.

Figures that take turns in one place, as those of a slider do, come out on one canvas, and their axes stand still.
"""

import io
import re
from hashlib import sha256

import numpy as np
from matplotlib.transforms import Bbox

# Stand-ins, drawn as they are and replaced in the SVG: a figure has no other way to ask for the page's colours.
INK, PAPER = "#010203", "#fdfcfb"
_PAGE = {INK: "currentColor", PAPER: "var(--book-paper, var(--jp-layout-color0, Canvas))"}
_MARGIN = 0.05  # inches around a drawing


def elements(frames):
    """The SVG elements of ``frames``, each a list of figures (its panels): lists of the same lengths.

    The frames take turns in one place. Raises ValueError when axes have other limits in one frame than in another.
    """
    panels = list(zip(*frames, strict=True))
    for turns in panels:
        _stand_still(turns)
    boxes = [Bbox.union([figure.get_tightbbox() for figure in turns]).padded(_MARGIN) for turns in panels]
    low, high = min(box.y0 for box in boxes), max(box.y1 for box in boxes)  # so that panels stand in line
    boxes = [Bbox([[box.x0, low], [box.x1, high]]) for box in boxes]
    return [list(map(_element, figures, boxes)) for figures in frames]


def unique(svg, owner):
    """The element with ids of its own: the same in every run, others for another ``owner``."""
    own = f"f{sha256((svg + owner).encode()).hexdigest()[:8]}-"
    return _in_tags(r'\bid="|\bhref="#|\burl\(#', rf"\g<0>{own}", svg)


def _stand_still(figures):
    """Lay out figures that take turns, and give each of their axes the room that it has in all of them."""
    for figure in figures:
        for ax in figure.axes:
            ax.get_xlim()  # settles the limits, by which the layout tells where labels are
        figure.draw_without_rendering()
        figure.set_layout_engine("none")  # done: another pass, when it is saved, would move things
    for axes in zip(*(figure.axes for figure in figures), strict=True) if len(figures) > 1 else ():
        if len({(ax.get_xlim(), ax.get_ylim()) for ax in axes}) > 1:
            raise ValueError("the axes of a slider stand still: set xlim and ylim, the same in all of its frames")
        rooms = np.array([ax.get_position(original=True).get_points() for ax in axes])  # [frame, corner, xy]
        for ax in axes:
            ax.set_position(Bbox([rooms[:, 0].max(axis=0), rooms[:, 1].min(axis=0)]))
            ax.set_in_layout(True)  # which set_position ends, as if nothing around the axes counted


def _element(fig, box):
    """What lies in ``box`` (in inches) of a figure, in the page's colours."""
    file = io.StringIO()
    fig.savefig(file, format="svg", metadata={"Date": None}, bbox_inches=box)
    svg = file.getvalue()
    svg = svg[svg.index("<svg") :].strip()  # without the XML prologue, which has no place inside a page
    for pattern, replacement in _SLIMMER:
        svg = re.sub(pattern, replacement, svg, flags=re.DOTALL)
    svg = _in_tags(r"(\d\.\d\d)\d+", r"\1", svg)  # a hundredth of a point is finer than any screen
    svg = re.sub(r'(?<=<path d=")[^"]*', _slim_path, svg)
    for stand_in, colour in _PAGE.items():
        svg = _in_tags(stand_in, colour, svg)
    width, height = re.search(r'width="([\d.]+)pt" height="([\d.]+)pt"', svg).groups()
    attributes = (
        f'width="{float(width) * 4 / 3:.0f}" height="{float(height) * 4 / 3:.0f}" '
        'style="font-family: DejaVu Sans, Verdana, sans-serif; stroke-linejoin: round"'
    )
    return svg.replace(f'width="{width}pt" height="{height}pt"', attributes)


def _slim_path(path):
    """A path to a tenth of a point, in which lines that follow a line or a move do not say so again."""
    data = re.sub(r"(\d\.\d)\d", r"\1", path[0])
    return re.sub(r"[ML][^A-KN-Za-z]*", lambda run: run[0][0] + run[0][1:].replace(" L", ""), data)


def _in_tags(pattern, replacement, svg):
    """Replace within the tags of an SVG, and leave its texts alone, which are the author's."""
    return re.sub(r"<[^>]*>", lambda tag: re.sub(pattern, replacement, tag[0]), svg)


# What matplotlib writes into an SVG and a page has no use for.
_SLIMMER = (
    (r"<metadata>.*?</metadata>", ""),
    (r"<style.*?</style>", ""),  # it would style the whole page
    (r'<g id="[^"]*">', "<g>"),  # names of groups: nothing refers to them
    (r' ?font-family: [^;"]*;?', ""),  # the figure says it once, above
    (r' transform="rotate\(-0 [^"]*"', ""),
    (r"\s*\n\s*", " "),
    (r" ?(<[^>]*>) ?(?=<)", r"\1"),
    (r'" (/?>)', r'"\1'),
)
