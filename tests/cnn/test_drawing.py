"""helpers.cnn.drawing: what it puts on the axes."""

import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.patches import PathPatch, Rectangle

from helpers.cnn import drawing


@pytest.fixture
def ax():
    yield plt.subplots()[1]
    plt.close("all")


def kinds(ax, kind):
    return [patch for patch in ax.patches if type(patch) is kind]


def test_numbers_stand_where_they_stand_in_the_matrix(ax):
    drawing.numbers(ax, [[1, -2], [0.25, 3]], "title", [(0, 1, 2, 1)])
    assert {text.get_position(): text.get_text() for text in ax.texts} == {
        (0, 0): "1",
        (1, 0): "−2",
        (0, 1): "0.25",
        (1, 1): "3",
    }
    (frame,) = kinds(ax, Rectangle)
    assert frame.get_bbox().bounds == (0.5, -0.5, 1, 2)
    assert ax.yaxis_inverted() and ax.get_title() == "title"


def test_texts_are_taken_as_they_are(ax):
    drawing.numbers(ax, [["-1·2", "0·0"]], "")
    assert [text.get_text() for text in ax.texts] == ["−1·2", "0·0"]


def test_the_area_of_a_square_is_its_number_and_its_filling_the_sign(ax):
    drawing.squares(ax, np.array([[4.0, -1.0, 0.0]]), 4)
    full, hollow = (patch.get_path().get_extents() for patch in kinds(ax, PathPatch))
    assert full.width * full.height == pytest.approx(4 * hollow.width * hollow.height)
    assert (full.x0 + full.x1, hollow.x0 + hollow.x1) == (0, 2)
    assert [patch.get_facecolor()[3] > 0 for patch in kinds(ax, PathPatch)] == [True, False]


def test_a_number_over_the_largest_fills_its_place_and_no_more(ax):
    drawing.squares(ax, np.array([[9.0]]), 1)
    assert kinds(ax, PathPatch)[0].get_path().get_extents().width <= 1


def test_a_second_sheet_leaves_the_first_in_sight(ax):
    drawing.squares(ax, np.ones((2, 2)), 1, "both")
    drawing.squares(ax, np.ones((2, 3)), 1, at=(4, 5))
    drawing.squares(ax, np.ones((2, 2)), 1, at=(0, 5))
    assert ax.get_xlim()[1] > 7 and ax.get_ylim()[0] > 5
    assert ax.get_title() == "both"
