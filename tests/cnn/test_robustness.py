"""Behaviour and properties of helpers.cnn.robustness, and the oracles of the exercises on it."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from helpers.cnn.architectures import build
from helpers.cnn.robustness import corruption_error, logits, relative_corruption_error, standardize
from oracles import tried

errors = st.lists(st.floats(0.1, 1), min_size=5, max_size=5)


def test_by_hand():
    network, baseline = [0.2, 0.3, 0.4, 0.5, 0.6], [0.1, 0.2, 0.2, 0.2, 0.3]
    assert corruption_error(network, baseline) == pytest.approx(2.0)
    # (0.1 + 0.2 + 0.3 + 0.4 + 0.5) / (0.0 + 0.1 + 0.1 + 0.1 + 0.2): the clean error counts once for each severity
    assert relative_corruption_error(network, 0.1, baseline, 0.1) == pytest.approx(3.0)


@given(errors, errors, st.floats(0, 0.1), st.floats(0, 0.09))
def test_properties(network, baseline, clean, baseline_clean):
    assert corruption_error(baseline, baseline) == pytest.approx(1)
    assert relative_corruption_error(baseline, baseline_clean, baseline, baseline_clean) == pytest.approx(1)
    assert corruption_error(network, baseline) * corruption_error(baseline, network) == pytest.approx(1)
    reversed_order = relative_corruption_error(network[::-1], clean, baseline, baseline_clean)
    assert relative_corruption_error(network, clean, baseline, baseline_clean) == pytest.approx(reversed_order)
    assert relative_corruption_error(network, 0.0, baseline, 0.0) == pytest.approx(corruption_error(network, baseline))


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: corruption_error([0.1, 0.2], [0.1] * 5), r"as many of both networks, and got \[2\] and \[5\]"),
        (lambda: corruption_error([], []), r"one error rate for each severity"),
        (lambda: corruption_error([10.0] * 5, [20.0] * 5), "fractions from 0 to 1"),
        (lambda: corruption_error([float("nan")] * 5, [0.2] * 5), "fractions from 0 to 1"),
        (lambda: corruption_error([0.1] * 5, [0.0] * 5), "makes no error"),
        (lambda: relative_corruption_error([0.1] * 5, 10.0, [0.1] * 5, 0.0), "fractions from 0 to 1"),
        (lambda: relative_corruption_error([0.2] * 5, 0.1, [0.1] * 5, 0.1), "loses nothing"),
    ],
)
def test_bad_input_is_told(call, said):
    with pytest.raises(ValueError, match=said):
        call()


def test_standardized_images_have_mean_zero_and_deviation_one():
    images = torch.randint(0, 256, (4, 3, 8, 8), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    std, mean = torch.std_mean(images / 255, dim=(0, 2, 3))
    x = standardize(images, mean.tolist(), std.tolist())
    assert x.dtype == torch.float32 and x.shape == images.shape
    zero, one = torch.zeros(3), torch.ones(3)
    torch.testing.assert_close(x.mean(dim=(0, 2, 3)), zero, rtol=0, atol=1e-5)
    torch.testing.assert_close(x.std(dim=(0, 2, 3)), one, rtol=0, atol=1e-5)


def test_logits_are_the_network_s_whatever_the_batch():
    torch.manual_seed(0)
    network = build("debug").eval()
    images = torch.randint(0, 256, (7, 3, 32, 32), dtype=torch.uint8)
    mean, std = (0.5, 0.4, 0.3), (0.2, 0.3, 0.4)
    expected = network(standardize(images, mean, std))
    for size in (1, 3, 500):
        torch.testing.assert_close(logits(network, images, mean, std, batch_size=size), expected, rtol=0, atol=1e-5)
    said = logits(network, images, mean, std, precision="bfloat16")
    assert said.dtype == torch.float32 and not said.requires_grad
    torch.testing.assert_close(said, expected, rtol=0, atol=0.05)


def test_accuracies_start_clean_and_spoil_clean_images():
    def right(classify, images, labels, spoil):
        said = [classify(images), *(classify(spoil(images, s)) for s in range(1, 6))]
        return [float((answer == labels).mean()) for answer in said]

    def again_and_again(classify, images, labels, spoil):
        rates = [float((classify(images) == labels).mean())]
        for severity in range(1, 6):
            images = spoil(images, severity)
            rates.append(float((classify(images) == labels).mean()))
        return rates

    def errors(*args):
        return [1 - rate for rate in right(*args)]

    def in_percent(*args):
        return [100 * rate for rate in right(*args)]

    tried(
        "cnn/robustness/accuracies",
        right,
        (again_and_again, "once each, on clean images"),
        (errors, "a fraction of right answers"),
        (in_percent, "a fraction of right answers"),
        (lambda *args: right(*args)[1:], "must have shape (6,)"),
    )


def test_as_many_errors_are_a_mean_of_five():
    hint = "their mean over five severities"

    def candidate(mean, factor=1):
        return lambda r, B: (mean(B) - r * B[0]) / (mean(B) - factor * B[0])

    tried(
        "cnn/robustness/rce_of_as_many",
        candidate(lambda B: B[1:].mean()),
        (candidate(lambda B: B.mean()), hint),
        (candidate(lambda B: B[1:].sum()), hint),
        (candidate(lambda B: B[1:].mean(), factor=0), hint),
    )


def test_images_needed_are_whole_and_of_both_networks():
    def needed(factor, whole=math.ceil, both=True):
        def candidate(E, F):
            variances = E * (1 - E) + both * F * (1 - F)
            return whole(round(factor * variances / (E - F) ** 2, 9))

        return candidate

    hint = "the two variances"
    tried(
        "cnn/robustness/images_needed",
        needed(4),
        (needed(2), hint),
        (needed(4, both=False), hint),
        (needed(4, whole=int), "the first that does"),
        (needed(4, whole=float), "whole numbers"),
    )
