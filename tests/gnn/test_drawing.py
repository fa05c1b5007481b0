"""helpers.gnn.drawing: what it puts on the axes, and what comes of it on the page."""

import itertools
import re
import warnings
import xml.etree.ElementTree as ET

import matplotlib.pyplot as plt
import networkx as nx
import numpy as np
import pytest
from matplotlib.colors import to_hex

from helpers import display
from helpers.gnn import drawing

SQUARE = {"a": (0, 0), "b": (0, 1), "c": (1, 1), "d": (1, 0)}
SIDES = [*itertools.pairwise("abcd"), ("d", "a")]


@pytest.fixture
def ax():
    with plt.rc_context():
        plt.rcdefaults()
        display.use_book_style()
        yield plt.subplots()[1]
    plt.close("all")


def strokes(line):
    """The pieces of a path that NaN separates, each a list of points."""
    points = np.stack(line.get_data(), axis=1)
    gaps = np.flatnonzero(np.isnan(points[:, 0]))
    return [piece[~np.isnan(piece[:, 0])].tolist() for piece in np.split(points, gaps + 1) if len(piece)]


def test_a_ring_runs_clockwise_from_the_top():
    places = drawing.on_circle(4)
    np.testing.assert_allclose(places, [[0, 1], [1, 0], [0, -1], [-1, 0]], atol=1e-15)
    np.testing.assert_allclose(np.linalg.norm(drawing.on_circle(7), axis=1), 1)


def test_lines_of_one_width_are_one_path(ax):
    drawing.edges(ax, SQUARE, SIDES, width=2)
    (line,) = ax.lines
    assert strokes(line) == [[list(SQUARE[i]), list(SQUARE[j])] for i, j in SIDES]
    assert line.get_linewidth() == 2 and line.get_color() == display.INK


def test_every_line_may_have_its_width(ax):
    drawing.edges(ax, drawing.on_circle(4), [(0, 1), (1, 2), (2, 3)], width=[3, 1, 3], style=":")
    assert {line.get_linewidth(): len(strokes(line)) for line in ax.lines} == {1: 1, 3: 2}
    assert {line.get_linestyle() for line in ax.lines} == {":"}


def test_a_double_bond_lies_on_both_sides_of_the_way(ax):
    for shift in (0.1, -0.1):
        drawing.edges(ax, {0: (0, 0), 1: (2, 0)}, [(0, 1)], shift=shift)
    assert [strokes(line) for line in ax.lines] == [[[[0, 0.1], [2, 0.1]]], [[[0, -0.1], [2, -0.1]]]]


def points(ax, arrow):
    """The points of an arrow's shaft and head in turn, in 1/72 inch, and a function that brings places there."""
    to_points = 72 / ax.figure.dpi
    return arrow.arrow_patch.get_path().vertices * to_points, lambda place: ax.transData.transform(place) * to_points


def test_arrows_point_from_the_first_to_the_second_and_stop_at_the_rims(ax):
    ax.set(xlim=(-1, 2), ylim=(-1, 2))
    drawing.arrows(ax, SQUARE, iter(SIDES), color=display.COLORS[1], width=[1, 2, 3, 4], size=20)
    ax.figure.draw_without_rendering()
    for (i, j), width, arrow in zip(SIDES, (1, 2, 3, 4), ax.texts, strict=True):
        path, at = points(ax, arrow)
        from_start, from_end = (np.linalg.norm(path - at(SQUARE[node]), axis=1) for node in (i, j))
        assert from_start[0] == pytest.approx(10, abs=0.1) == from_start.min()
        head = from_end[3:]
        assert 9.9 <= head.min() < 10 + 3 * width and head.argmin() == 1  # in the middle of its three corners
        assert arrow.arrow_patch.get_linewidth() == width
        assert to_hex(arrow.arrow_patch.get_edgecolor()) == display.COLORS[1]


@pytest.mark.parametrize("bend", [0.0, 0.3, -0.3])
def test_a_bent_arrow_leaves_to_the_right_of_its_way(ax, bend):
    ax.set(xlim=(0, 2), ylim=(-1, 1))
    drawing.arrows(ax, {0: (0, 0), 1: (2, 0)}, [(0, 1)], bend=bend)
    ax.figure.draw_without_rendering()
    path, at = points(ax, ax.texts[0])
    assert np.sign((path[:3, 1].mean() - at((1, 0))[1]).round(6)) == -np.sign(bend)


def test_nodes_are_paper_tinted_and_labelled(ax):
    drawing.nodes(ax, SQUARE, ["b", "d"], fill=display.COLORS[2], label=str.upper, marker="s", size=9, outline=2)
    paper, tint = ax.lines
    for line in (paper, tint):
        assert np.stack(line.get_data(), axis=1).tolist() == [[0, 1], [1, 0]]
        assert (line.get_marker(), line.get_markersize(), line.get_linestyle()) == ("s", 9, "None")
    assert paper.get_markerfacecolor() == display.PAPER and paper.get_markeredgecolor() == display.INK
    assert paper.get_markeredgewidth() == 2 and tint.get_markeredgewidth() == 0
    assert to_hex(tint.get_markerfacecolor()) == display.COLORS[2] and tint.get_markerfacecolor()[3] == 0.3
    assert [(text.get_text(), text.xy) for text in ax.texts] == [("B", (0, 1)), ("D", (1, 0))]


@pytest.mark.parametrize("places", [SQUARE, np.array(list(SQUARE.values()))], ids=["dictionary", "array"])
def test_all_nodes_are_drawn_by_default_without_fill_or_label(ax, places):
    drawing.nodes(ax, places)
    (line,) = ax.lines
    assert np.stack(line.get_data(), axis=1).tolist() == [list(place) for place in SQUARE.values()]
    assert not ax.texts


def test_nodes_cover_lines_and_arrows_whichever_come_first(ax):
    drawing.nodes(ax, SQUARE, label=str)
    drawing.edges(ax, SQUARE, SIDES)
    drawing.arrows(ax, SQUARE, SIDES)
    circles, line = ax.lines
    labels, arrows = ax.texts[:4], ax.texts[4:]
    assert {line.zorder} == {arrow.zorder for arrow in arrows} < {1, 2}
    assert all(circles.zorder > line.zorder and label.zorder > circles.zorder for label in labels)


def test_a_graph_is_well_formed_on_the_page_in_its_colours_and_without_warnings(ax, monkeypatch):
    shown = []
    monkeypatch.setattr(display, "display", lambda out: shown.append(out.data))
    places = drawing.on_circle(6)
    pairs = [(i, (i + 1) % 6) for i in range(6)]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        drawing.edges(ax, places, pairs, width=np.linspace(0.5, 3, 6))
        drawing.edges(ax, places, [])
        drawing.arrows(ax, places, pairs, bend=0.2, style="--", color=display.COLORS[3])
        drawing.arrows(ax, places, [])
        drawing.nodes(ax, places, [1, 3], fill=display.COLORS[0], label=str)
        drawing.nodes(ax, places, [], fill=display.COLORS[1], label=str)
        ax.set_axis_off()
        display.show(ax.figure, alt="a ring", caption="It closes.")
    svg = ET.fromstring(re.search(r"<svg.*</svg>", shown[0], re.DOTALL).group())
    assert [element.text for element in svg.iter() if element.tag.endswith("text")] == ["1", "3"]
    assert set(re.findall(r"(?:fill|stroke): (#\w+)", shown[0])) == {display.COLORS[0], display.COLORS[3]}
    assert "currentColor" in shown[0] and "--book-paper" in shown[0]


def test_no_room_is_made_for_nodes_that_are_not_there(ax):
    drawing.nodes(ax, SQUARE)
    lines = len(ax.lines)
    drawing.nodes(ax, SQUARE, [], fill=display.COLORS[0], label=str)
    assert len(ax.lines) == lines


def test_nodes_of_the_club_stand_apart_and_where_they_stood():
    club = nx.karate_club_graph()
    places, again = drawing.spread(club), drawing.spread(club)
    assert all(np.array_equal(places[node], again[node]) for node in club)
    x, y = np.array([places[node] for node in club]).T
    canvas = np.stack([4 * (x - x.min()) / np.ptp(x), 4 * (y - y.min()) / np.ptp(y)], axis=1)  # inches
    apart = [np.linalg.norm(a - b) for a, b in itertools.combinations(canvas, 2)]
    assert min(apart) > 1.3 * drawing.SIZE / 72


def test_classes_differ_in_shape_and_given_labels_in_the_rim(ax):
    places = np.array(list(SQUARE.values()), float)
    drawing.classes(ax, places, y=[0, 1, 0, 2], labelled=[True, False, False, False], named=[3])
    rims = [line for line in ax.lines if line.get_markeredgewidth() > 0]
    assert rims[0].get_marker() == rims[2].get_marker() != rims[1].get_marker() != rims[3].get_marker()
    assert rims[0].get_markeredgewidth() > rims[2].get_markeredgewidth() == rims[1].get_markeredgewidth()
    assert [text.get_text() for text in ax.texts] == ["3"]


def test_the_area_of_a_square_is_its_entry_and_row_0_is_on_top(ax):
    matrix = np.array([[0.0, 0.25], [1.0, 0.5]])
    drawing.squares(ax, matrix, matrix)
    (patch,) = ax.patches
    boxes = [np.ptp(part, axis=0).prod() for part in patch.get_path().to_polygons()]
    np.testing.assert_allclose(boxes, [0.25, 1, 0.5])
    centres = [part[:-1].mean(axis=0).tolist() for part in patch.get_path().to_polygons()]
    np.testing.assert_allclose(centres, [(1, 0), (0, 1), (1, 1)])  # (j, i)
    assert ax.get_ylim()[0] > ax.get_ylim()[1]
