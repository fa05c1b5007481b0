"""Drawings that the chapters on convolution share: numbers in a grid, and images as squares of one ink."""

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.patches import PathPatch, Rectangle
from matplotlib.path import Path

from helpers import display

_CORNERS = np.array([(-1, -1), (-1, 1), (1, 1), (1, -1), (-1, -1)])
_CODES = [Path.MOVETO, Path.LINETO, Path.LINETO, Path.LINETO, Path.CLOSEPOLY]
_LOOKS = {  # of numbers above and below zero: told apart without colour, too
    1: {"facecolor": display.COLORS[0], "edgecolor": display.COLORS[0], "linewidth": 0.8},
    -1: {"facecolor": "none", "edgecolor": display.COLORS[1], "linewidth": 1.2},
}


def numbers(ax, array, title, framed=(), size=10):
    """Write a matrix, of numbers or of texts, into a grid on axes ``ax``.

    ``framed`` holds the rows and columns of windows to frame, each as ``(top, left, height, width)``; ``size`` is that
    of the letters, in points.
    """
    array = np.asarray(array)
    rows, columns = array.shape
    for r, q in np.ndindex(array.shape):
        text = str(array[r, q]) if array.dtype.kind == "U" else f"{array[r, q]:g}"
        ax.text(q, r, text.replace("-", "−"), ha="center", va="center", fontsize=size)
    across = [[(-0.5, r - 0.5), (columns - 0.5, r - 0.5), (np.nan, np.nan)] for r in range(rows + 1)]
    down = [[(q - 0.5, -0.5), (q - 0.5, rows - 0.5), (np.nan, np.nan)] for q in range(columns + 1)]
    # One path, in which NaN lifts the pen: a small file.
    ax.plot(*np.concatenate(across + down).T, "-", color=display.INK, linewidth=0.5, alpha=0.25, marker="")
    for top, left, height, width in framed:
        look = {"facecolor": (display.COLORS[1], 0.15), "edgecolor": display.COLORS[1], "linewidth": 2}
        ax.add_patch(Rectangle((left - 0.5, top - 0.5), width, height, **look))
    _bare(ax, rows, columns, title)


def squares(ax, array, largest, title="", at=(0, 0)):
    """Draw a matrix as a framed sheet of squares, filled above zero and hollow below, on axes ``ax``.

    The area of a square is the size of its number; ``largest`` fills a place. ``at`` is the row and the column of the
    sheet's first place; what was drawn before stays in sight.
    """
    rows, columns = array.shape
    for sign, look in _LOOKS.items():
        sides = 0.47 * np.sqrt(np.minimum(np.abs(array) / largest, 1))
        seen = np.argwhere(sign * array > 0.02 * largest)
        paths = [Path(_CORNERS * sides[r, q] + (q + at[1], r + at[0]), _CODES) for r, q in seen]
        if paths:  # one path for all: a figure of hundreds of squares stays small
            ax.add_patch(PathPatch(Path.make_compound_path(*paths), **look))
    frame = {"facecolor": "none", "edgecolor": display.INK, "linewidth": 0.5, "alpha": 0.5}
    ax.add_patch(Rectangle((at[1] - 0.5, at[0] - 0.5), columns, rows, **frame))
    _bare(ax, rows + at[0], columns + at[1], title)


def _bare(ax, rows, columns, title):
    """Rows from the top on, as in a matrix, without axes; the view grows with what is drawn."""
    drawn = [ax.get_xlim()[1], ax.get_ylim()[0]] if ax.yaxis_inverted() else [0, 0]
    right, bottom = np.maximum(drawn, [columns - 0.4, rows - 0.4])
    ax.set(xlim=(-0.6, right), ylim=(bottom, -0.6), aspect="equal", xticks=[], yticks=[])
    ax.set_title(title or ax.get_title())
    ax.grid(False)
    plt.setp(ax.spines.values(), visible=False)
