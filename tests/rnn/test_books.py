"""The oracle of the exercise on when to stop."""

import numpy as np

from oracles import tried


def counting(last_of_ties=False, rises=False):
    """Stops after ``patience`` validations in a row without a fall; with ``rises``, of which each was a rise."""

    def stops_at(costs, patience):
        kept, waited = 0, 0
        for i in range(1, len(costs)):
            if costs[i] < costs[kept] or (last_of_ties and costs[i] == costs[kept]):
                kept, waited = i, 0
            elif not rises or costs[i] > costs[i - 1]:
                waited += 1
            else:
                waited = 0
            if waited == patience:
                return i, kept
        return len(costs) - 1, kept

    return stops_at


def test_training_stops_without_looking_ahead():
    tried(
        "rnn/books/stops_at",
        counting(),
        (counting(last_of_ties=True), "is no fall"),
        (counting(rises=True), "lies `patience` back"),
        (lambda costs, patience: (len(costs) - 1, int(np.argmin(costs))), "without looking ahead"),
    )
