"""Properties of helpers.rnn.units, and the oracle of the exercise on thresholds."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from helpers.rnn import units
from oracles import tried


def told(text, name):
    return "".join("x" if value else "." for value in units.features(text)[name])


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('He said "no" and', "........xxx....."),
        ('"Go on\n\nI did', "xxxxxxx......"),  # a paragraph ends every quotation
        ("\"'No,' he said.\" x", "xxxxxxxxxxxxxxx..."),
        ('so--"yes"', "....xxxx."),
    ],
)
def test_a_quotation_reaches_from_mark_to_mark(text, expected):
    assert told(text, "quotation") == expected


def test_lines_sentences_and_words_are_counted_from_their_start():
    line = "a" * 40
    assert told(line + "\n" + line, "line") == "." * 34 + "x" * 6 + "." * 35 + "x" * 6
    assert told("b" * 70 + "." + "c" * 70, "sentence") == "." * 59 + "x" * 11 + "." * 60 + "x" * 11
    assert told("The whole", "word") == ".......xx"
    assert told("So Miss did", "capital") == "xx.xxxx...."
    assert told("Alone", "vowel") == "..x.x"


def by_trying(values, labels):
    """The best score of all thresholds, both ways."""
    scores = [(np.mean(values[labels] > t) + np.mean(values[~labels] <= t)) / 2 for t in values]
    return max(*scores, *(1 - np.array(scores)))


columns = npst.arrays(float, st.tuples(st.integers(2, 20), st.integers(1, 3)), elements=st.integers(-3, 3))


@given(columns, st.randoms(use_true_random=False))
def test_no_threshold_is_better_than_the_one_that_is_found(values, random):
    labels = np.array([True, False] + [random.random() < 0.4 for _ in values[2:]])
    threshold, sign, score = units.thresholds(values, labels)
    np.testing.assert_allclose(score, [by_trying(column, labels) for column in values.T])
    np.testing.assert_allclose(units.scores(values, labels, threshold, sign), score)


@pytest.mark.parametrize("labels", [[True] * 3, [False] * 3])
def test_labels_of_one_kind_are_refused(labels):
    with pytest.raises(ValueError, match="both kinds"):
        units.thresholds(np.zeros((3, 2)), labels)


def test_a_score_is_the_mean_of_two_parts_and_one_way():
    def of(measure, cuts=lambda values: values):
        return lambda values, labels: max(0.5, *(measure(values > t, labels) for t in cuts(values)))

    def score(yes, labels):
        return (yes[labels].mean() + (~yes[~labels]).mean()) / 2

    tried(
        "rnn/units/best_threshold",
        of(score),
        (of(lambda yes, labels: np.mean(yes == labels)), "mean of two parts"),
        (of(lambda yes, labels: max(score(yes, labels), score(~yes, labels))), "those above"),
        (of(score, cuts=lambda values: [values.mean()] * 2), "mean of two parts"),
    )
