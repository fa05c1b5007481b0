"""Graphs drawn on matplotlib axes in the colours of the page: nodes, lines between them, and arrows.

``places`` holds the point (x, y) of each node: an array [N, 2], or a dictionary as networkx's layouts return it.
Nodes cover the ends of lines and arrows, in whatever order they are drawn. Sizes and widths are in points.
"""

import networkx as nx
import numpy as np
from matplotlib.colors import to_rgba
from matplotlib.patches import PathPatch
from matplotlib.path import Path

from helpers.display import COLORS, INK, PAPER

SIZE = 17  # diameter of a node


def on_circle(n):
    """Places [n, 2] of the nodes 0 to n − 1 of a ring: clockwise from the top of the unit circle."""
    angle = np.pi / 2 - 2 * np.pi * np.arange(n) / n
    return np.stack([np.cos(angle), np.sin(angle)], axis=1)


def spread(graph):
    """Places of the nodes of a connected networkx graph, as a dictionary: the same in every run.

    It is the layout of Kamada and Kawai, but for the square roots of the distances in the graph: near nodes stand
    apart, far ones not too far, and labels have room on a small canvas.
    """
    lengths = nx.all_pairs_shortest_path_length(graph)
    return nx.kamada_kawai_layout(graph, dist={i: {j: d**0.5 for j, d in far.items()} for i, far in lengths})


def edges(ax, places, pairs, width=0.7, style="-", alpha=0.6, shift=0.0):
    """Draw a straight line for each of ``pairs`` of nodes; ``width`` is a number, or one for each pair.

    ``style`` is matplotlib's ("-", ":"). ``shift`` moves the lines sideways, to the left on the way from the first node
    to the second, by as many units of the axes: a double bond is drawn by two calls.
    """
    ends = np.array([(places[i], places[j]) for i, j in pairs], float).reshape(-1, 2, 2)  # [E, end, xy]
    way = ends[:, 1] - ends[:, 0]
    left = np.stack([-way[:, 1], way[:, 0]], axis=1) / np.linalg.norm(way, axis=1, keepdims=True)
    ends = ends + shift * left[:, None] if shift else ends
    widths = np.broadcast_to(width, len(ends))
    for each in np.unique(widths):
        # Lines of one width are one path, in which NaN lifts the pen: a small file.
        path = np.pad(ends[widths == each], ((0, 0), (0, 1), (0, 0)), constant_values=np.nan).reshape(-1, 2)
        line = {"linestyle": style, "linewidth": each, "alpha": alpha, "marker": ""}
        ax.plot(*path.T, color=INK, zorder=1, clip_on=False, **line)


def arrows(ax, places, pairs, color=INK, width=1.0, style="-", bend=0.0, size=SIZE):
    """Draw an arrow for each of ``pairs``, from its first node to its second; ``width`` as for :func:`edges`.

    ``bend`` is how far an arrow curves to the right of its way, in parts of its length: two nodes that point to each
    other need some. ``size`` is that of the nodes, at whose rims the arrows begin and end.
    """
    pairs = list(pairs)
    for (i, j), each in zip(pairs, np.broadcast_to(width, len(pairs)), strict=True):
        arrow = {"arrowstyle": "-|>", "connectionstyle": f"arc3,rad={bend}", "shrinkA": size / 2, "shrinkB": size / 2}
        arrow |= {"color": color, "linewidth": each, "linestyle": style}
        ax.annotate("", places[j], places[i], arrowprops=arrow, zorder=1, annotation_clip=False)


def nodes(ax, places, chosen=None, fill=None, label=None, marker="o", size=SIZE, outline=0.8):
    """Draw the nodes ``chosen`` (a list; by default all) in one manner; ``label`` maps a node to its text, as ``str``.

    A node is paper, so that no edge shines through, tinted with the colour ``fill``. What that means is told by the
    ``marker``, the ``size`` or the ``outline`` (its width) too: no colour alone carries meaning.
    """
    chosen = (list(places) if isinstance(places, dict) else range(len(places))) if chosen is None else chosen
    if not len(chosen):
        return  # matplotlib makes room for the markers of nothing, at the origin
    x, y = np.array([places[node] for node in chosen], float).reshape(-1, 2).T
    style = {"linestyle": "", "marker": marker, "markersize": size, "clip_on": False}
    ax.plot(x, y, markerfacecolor=PAPER, markeredgecolor=INK, markeredgewidth=outline, **style)
    if fill is not None:
        ax.plot(x, y, markerfacecolor=to_rgba(fill, 0.3), markeredgewidth=0, **style)
    for node in chosen if label else ():
        ax.annotate(label(node), places[node], ha="center", va="center", annotation_clip=False)


def classes(ax, places, y, labelled, named=(), size=9):
    """Draw nodes by their class, a shape and a tint for each of up to four; the ``labelled`` ones have a thick rim.

    ``y`` [N] holds the classes, ``labelled`` [N] truth values, ``named`` the nodes that are drawn larger, with a name.
    """
    for node, (kind, given) in enumerate(zip(y, labelled, strict=True)):
        style = {"marker": "os^D"[kind], "outline": 2.6 if given else 0.8, "size": size}
        if node in named:
            style |= {"label": str, "size": 24 if kind == 2 else 17}  # a triangle has less room for it
        nodes(ax, places, [node], COLORS[kind], **style)


def squares(ax, matrix, there):
    """Draw a [N, N] matrix as squares, row 0 on top: one for each entry where ``there`` is not zero, as large as it.

    The area of a square is the entry, which lies between 0 and 1. All are one path: a small file.
    """
    found = []
    for i, j in np.argwhere(np.asarray(there)):
        corners = np.array([(0, 0), (1, 0), (1, 1), (0, 1), (0, 0)]) - 0.5
        found.append(Path(float(matrix[i, j]) ** 0.5 * corners + (j, i), closed=True))
    ax.add_patch(PathPatch(Path.make_compound_path(*found), color=COLORS[0], linewidth=0))
    ax.set(xlim=(-1, len(matrix)), ylim=(len(matrix), -1), aspect="equal")
