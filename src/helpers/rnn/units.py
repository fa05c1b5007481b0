"""What single units of a network follow in a text: things to follow, and how well one threshold tells them."""

import re

import numpy as np

_OPENING = re.compile(r"(?:^|[\s(\-'])\"")  # a mark that begins a speech: nothing, or no word, stands before it


def features(text):
    """For each character of ``text``, whether it is so after that character has been read: ``{name: bool [N]}``.

    - ``quotation``: the last double quotation mark of the paragraph was an opening one;
    - ``line``: 35 characters or more have been read since the line began;
    - ``sentence``: 60 characters or more since the last of . ! ?;
    - ``word``: 4 letters or more since the word began, and it has not ended;
    - ``capital``: the word that is being read began with a capital;
    - ``vowel``: the character is one of aeiou.
    """
    opening = {found.end() - 1 for found in _OPENING.finditer(text)}
    told = {name: np.zeros(len(text), bool) for name in ("quotation", "line", "sentence", "word", "capital", "vowel")}
    inside, line, sentence, word, capital = False, 0, 0, 0, False
    for place, character in enumerate(text):
        if character == '"':
            inside = place in opening
        elif text.endswith("\n\n", 0, place + 1):
            inside = False
        line = 0 if character == "\n" else line + 1
        sentence = 0 if character in ".!?" else sentence + 1
        if character.isalpha():
            capital = capital if word else character.isupper()
            word += 1
        else:
            word, capital = 0, False
        now = (inside, line >= 35, sentence >= 60, word >= 4, capital, character in "aeiou")
        for name, value in zip(told, now, strict=True):
            told[name][place] = value
    return told


def thresholds(values, labels):
    """For each unit, the threshold that tells best whether a label holds: ``(threshold [U], sign [U], score [U])``.

    ``values`` [N, U] are those of the units, ``labels`` [N] are bools of both kinds. A unit says yes where
    sign · value > sign · threshold; its score is the mean of the parts of both kinds that it tells right, from
    1/2 to 1. Raises ValueError when one of the kinds is missing.
    """
    labels = np.asarray(labels, bool)
    if not 0 < labels.sum() < len(labels):
        raise ValueError(f"{labels.sum()} of {len(labels)} labels hold: a threshold needs both kinds")
    order = np.argsort(values, axis=0, kind="stable")
    ordered = np.take_along_axis(values, order, 0)
    weight = np.where(labels, -1 / labels.sum(), 1 / (~labels).sum())
    gap = np.cumsum(weight[order], axis=0)[:-1]  # part of the no's below a cut, less that of the yes's [N − 1, U]
    gap[ordered[:-1] == ordered[1:]] = 0  # no cut between equal values
    best = np.abs(gap).argmax(0)
    unit = np.arange(values.shape[1])
    threshold = (ordered[best, unit] + ordered[best + 1, unit]) / 2
    sign = np.where(gap[best, unit] < 0, -1, 1)
    return threshold, sign, (1 + np.abs(gap[best, unit])) / 2


def scores(values, labels, threshold, sign):
    """The scores [U] of units whose thresholds are given: as in :func:`thresholds`, down to 0 where they mislead."""
    labels, yes = np.asarray(labels, bool), sign * values > sign * threshold
    return (yes[labels].mean(0) + (~yes[~labels]).mean(0)) / 2
