"""Palindromes of random digits: whoever has read all digits but the last, and remembers the first, knows the last."""

import torch

from helpers.training import check_count


def sample(length, batch_size, generator):
    """Return random palindromes of ``length`` + 1 decimal digits as ``(digits, target)``.

    ``digits`` [T, B], int64, holds the first T = ``length`` digits of each of B = ``batch_size`` palindromes, and
    ``target`` [B], int64, the last one, which is also the first. Each digit of a palindrome's first half, the middle
    one included, is drawn uniformly from 0 to 9 and independently. ``generator`` is a ``torch.Generator``, or None for
    PyTorch's own. The toy problem of section 1.1 of the 2019 report.

    Raises ValueError unless ``length`` and ``batch_size`` are whole numbers from 1 on.
    """
    check_count("length", length)
    check_count("batch_size", batch_size)
    half = torch.randint(10, (length // 2 + 1, batch_size), generator=generator)
    mirrored = half.flip(0)
    if length % 2 == 0:  # of an odd number of digits, the middle one stands once
        mirrored = mirrored[1:]
    palindrome = torch.cat([half, mirrored])
    return palindrome[:-1], palindrome[-1]


def outcomes(record):
    """What became of each seed of a record of the experiment ``palindromes``: "solved", "lost" or "never found".

    A seed has solved its length when at least 99 % of the test are right at the end, and lost it when only a validation
    on the way was.
    """
    tests, validations = record["metrics"]["test_accuracy"], record["curves"]["validation_accuracy"]
    return [
        "solved" if test >= 0.99 else "lost" if max(on_the_way) >= 0.99 else "never found"
        for test, on_the_way in zip(tests, validations, strict=True)
    ]
