"""How a network that classifies images bears corrupted ones."""

import numpy as np
import torch

from helpers import devices


def corruption_error(errors, baseline):
    """CE, equation 1 of the 2021 assignment: the sum of ``errors`` over the severities, over that of ``baseline``.

    Both hold the error rates of a network under one corruption, one for each severity; ``baseline`` those of the
    network that others are measured by. Raises ValueError when they are not error rates, or not as many, or the
    baseline makes no error.
    """
    errors, baseline = _rates(errors, baseline)
    return _ratio(errors.sum(), baseline.sum(), "makes no error under this corruption")


def relative_corruption_error(errors, clean, baseline, baseline_clean):
    """RCE, equation 2 of the 2021 assignment: as CE, of what the corruption adds to the error rate of clean images.

    Each of the severities counts from the clean error rate: the sum is over E_s − E_clean. ``clean`` and
    ``baseline_clean`` are error rates without a corruption. Raises ValueError as ``corruption_error`` does, and when
    the corruption adds nothing to the baseline's error.
    """
    errors, baseline = _rates(errors, baseline)
    (clean,), (baseline_clean,) = _rates([clean], [baseline_clean])
    return _ratio((errors - clean).sum(), (baseline - baseline_clean).sum(), "loses nothing to this corruption")


def _rates(errors, baseline):
    errors, baseline = np.asarray(errors, dtype=float), np.asarray(baseline, dtype=float)
    if errors.ndim != 1 or errors.shape != baseline.shape or not errors.size:
        shapes = f"{list(errors.shape)} and {list(baseline.shape)}"
        raise ValueError(f"expected one error rate for each severity, as many of both networks, and got {shapes}")
    if not all(((rates >= 0) & (rates <= 1)).all() for rates in (errors, baseline)):  # nor is NaN
        raise ValueError(f"error rates are fractions from 0 to 1, and not {errors.tolist()} and {baseline.tolist()}")
    return errors, baseline


def _ratio(sum_of_errors, sum_of_baseline, why_not):
    if not sum_of_baseline > 0:
        raise ValueError(f"the baseline {why_not}, so nothing can be measured by it")
    return float(sum_of_errors / sum_of_baseline)


def standardize(images, mean, std):
    """Images [N, C, H, W] from 0 to 255 as float32 numbers around 0, with the channels last in memory.

    ``mean`` and ``std`` hold a number for each channel, of images from 0 to 1.
    """
    mean, std = (
        torch.as_tensor(each, dtype=torch.float32, device=images.device)[:, None, None] for each in (mean, std)
    )
    return ((images / 255 - mean) / std).contiguous(memory_format=torch.channels_last)


@torch.no_grad()
def logits(network, images, mean, std, precision="float32", batch_size=500):
    """What ``network`` (on its device, in evaluation mode) says of uint8 ``images`` [N, C, H, W]: float32 [N, classes].

    ``mean`` and ``std`` are those that it was trained with; ``precision`` is that of autocast.
    """
    device = next(network.parameters()).device
    with devices.autocast(device, precision):
        parts = [network(standardize(part.to(device), mean, std)).float().cpu() for part in images.split(batch_size)]
    return torch.cat(parts)
