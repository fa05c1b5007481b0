"""The oracles of the exercises on steps and momentum."""

import math

from oracles import tried


def test_nesterovs_limit_is_lower_than_the_heavy_balls():
    hint = "at r = −1 it is positive"
    tried(
        "rnn/momentum/nesterov_limit",
        lambda curvature, beta: (2 + 2 * beta) / (curvature + 2 * beta * curvature),
        (lambda curvature, beta: 2 * (1 + beta) / curvature, hint),  # the heavy ball's
        (lambda curvature, beta: 2 / curvature, hint),  # SGD's
        (lambda curvature, beta: 2 / (curvature * (1 + beta)), hint),
    )


def test_steps_are_counted_with_the_root_where_there_is_momentum():
    def steps(share, kappa, with_momentum, root=0.5, whole=math.ceil):
        r = kappa ** (root if with_momentum else 1)
        return whole(math.log(share) / math.log((r - 1) / (r + 1)))

    hint = "its root with momentum"
    wrong = [(lambda *args, m=m: steps(*args, **m), hint) for m in ({"root": 1}, {"root": 0.25}, {"whole": math.floor})]
    always = (lambda share, kappa, with_momentum: steps(share, kappa, True), hint)
    tried("rnn/momentum/steps_to", steps, *wrong, always)


def test_momentums_floor_is_sgds_without_momentum_and_higher_with_it():
    def floor(eta, beta, curvature, q):
        phi = 1 + beta - eta * curvature
        return eta**2 * q**2 / ((1 - beta) / (1 + beta) * ((1 + beta) ** 2 - phi**2))

    hint = "covariance of neighbours"
    tried(
        "rnn/momentum/momentum_floor",
        floor,
        (lambda eta, beta, curvature, q: floor(eta, 0, curvature, q), hint),
        (lambda eta, beta, curvature, q: floor(eta / (1 - beta), 0, curvature, q), hint),  # only for small rates
        (lambda eta, beta, curvature, q: floor(eta, beta, curvature, q) / q, hint),
    )
