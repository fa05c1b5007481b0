"""The oracles of the exercises on what tells networks apart."""

import numpy as np

from oracles import tried


def test_ce_and_rce_are_ratios_of_means():
    def ratios(clean_errors):
        def candidate(E, B):
            b = np.mean(B, axis=0)
            above = [rates[1:].sum() - clean_errors * rates[0] for rates in (E, b)]
            return E[1:].sum() / b[1:].sum(), above[0] / above[1]

        return candidate

    def mean_of_ratios(E, B):
        pairs = [ratios(5)(E, row[None]) for row in B]
        return tuple(np.mean(pairs, axis=0))

    def with_clean(E, B):
        return E.sum() / np.mean(B, axis=0).sum(), ratios(5)(E, B)[1]

    tried(
        "cnn/robust_networks/ce_and_rce",
        ratios(5),
        (ratios(1), "once for each of the five severities"),
        (mean_of_ratios, "taken before the ratio"),
        (with_clean, "severity 0 is in neither sum"),
        (lambda E, B: ratios(5)(E, B)[::-1], "value 0"),
    )


def test_break_even_weighs_both_kinds_of_images():
    hint = "The clean images weigh"
    tried(
        "cnn/robust_networks/break_even",
        lambda a, b, c, d: (c - a) / (c - a + b - d),
        (lambda a, b, c, d: (c - a) / (b - d), hint),
        (lambda a, b, c, d: (b - d) / (c - a + b - d), hint),
        (lambda a, b, c, d: (c - a) / (b - a), hint),
    )


def test_recall_goes_by_rows_and_precision_by_columns():
    def right(M):
        return np.diag(M) / M.sum(axis=1), np.diag(M) / M.sum(axis=0)

    def of_classes_of_one_size(M):
        return right(M / M.sum(axis=1, keepdims=True))

    hint = "precision a part of an answer"
    tried(
        "cnn/robust_networks/recall_and_precision",
        right,
        (lambda M: right(M)[::-1], hint),
        (of_classes_of_one_size, "classes may differ in size"),
        (lambda M: (np.diag(M) / M.sum(),) * 2, hint),
    )
