"""Four ways to spoil an image, five severities each, in two tables that differ in their numbers and their operations.

``course`` is that of the 2021 assignment: torchvision's operations, within a grey level. ``cifar10c`` is that of
CIFAR-10-C (Hendrycks and Dietterich, "Benchmarking neural network robustness to common corruptions and perturbations",
2019; their make_cifar_c.py), to the last digit, given the same draw. Both spoil whole batches at once.
"""

import numpy as np
import torch
from skimage.filters import gaussian
from torchvision.io import decode_jpeg, encode_jpeg

TABLES = ("course", "cifar10c")
CORRUPTIONS = {
    # the standard deviation, where white is 1
    "gaussian_noise": {"course": (0.04, 0.07, 0.10, 0.15, 0.25), "cifar10c": (0.04, 0.06, 0.08, 0.09, 0.10)},
    # the standard deviation in pixels
    "gaussian_blur": {"course": (0.4, 0.6, 0.8, 1.1, 1.5), "cifar10c": (0.4, 0.6, 0.7, 0.8, 1.0)},
    # the part of the contrast that is left
    "contrast": {"course": (0.75, 0.6, 0.5, 0.4, 0.3), "cifar10c": (0.75, 0.5, 0.4, 0.3, 0.15)},
    # the quality, of 100
    "jpeg": {"course": (90, 70, 50, 30, 10), "cifar10c": (80, 65, 58, 50, 40)},
}
RADIUS = 5  # of the kernel of ``course``'s blur, 11 pixels wide
GREY = (0.2989, 0.587, 0.114)  # how bright red, green and blue are, as torchvision has it
AT_ONCE = 2**18  # numbers: as many as the processor's cache holds in floating point


def corrupt(images, name, severity, table="course", generator=None):
    """Return copies of ``images`` with the corruption ``name`` of ``CORRUPTIONS`` at ``severity``, 1 to 5.

    ``images``, a tensor or a NumPy array of type uint8 and shape [N, 3, H, W] in red, green and blue, stay as they are;
    the copies are of the same kind and shape. Only ``gaussian_noise`` draws, with ``torch.randn(images.shape)`` in
    float32 and ``generator`` (PyTorch's global one without it). The operations of the two tables:

    - ``gaussian_noise``: x + std · draw, cut to [0, 1].
    - ``gaussian_blur``: a kernel of 11×11 pixels and mirrored borders (``course``); cut at 4 standard deviations, and
      the outermost pixels repeated (``cifar10c``).
    - ``contrast``: all pixels nearer to the mean of the grey image (``course``), or each channel's to its own mean.
    - ``jpeg``: written and read again, as by PIL, with halved colour resolution.

    Raises ValueError for images, or one of the other arguments, that are not as said here.
    """
    _check(images, name, severity, table, generator)
    amount = CORRUPTIONS[name][table][severity - 1]
    is_tensor = isinstance(images, torch.Tensor)
    batch = images.contiguous() if is_tensor else torch.from_numpy(np.array(images, order="C"))
    if name == "jpeg":
        done = _jpeg(batch, amount)
    elif name == "gaussian_noise":
        # Drawn at once, so that the draw is that of the shape, whatever the size of the parts.
        draw = torch.randn(batch.shape, generator=generator, dtype=torch.float32)
        done = _in_parts(_OPERATIONS[name, table], amount, batch, draw)
    else:
        done = _in_parts(_OPERATIONS[name, table], amount, batch)
    return done if is_tensor else done.numpy()


def _check(images, name, severity, table, generator):
    if name not in CORRUPTIONS or table not in TABLES:
        one = f"one of {', '.join(CORRUPTIONS)}, and of the tables {' and '.join(TABLES)}"
        raise ValueError(f"corruption {name!r} of table {table!r}: expected {one}")
    if not isinstance(severity, int | np.integer) or not 1 <= severity <= 5:
        raise ValueError(f"severity = {severity!r}: expected 1, 2, 3, 4 or 5")
    if not isinstance(images, torch.Tensor | np.ndarray) or images.dtype not in (torch.uint8, np.uint8):
        kind = getattr(images, "dtype", type(images).__name__)
        raise ValueError(f"images must be a tensor or array of type uint8, from 0 to 255, and are {kind}")
    if images.ndim != 4 or images.shape[1] != 3 or 0 in images.shape[2:]:
        raise ValueError(f"images must have the shape [N, 3, H, W], and have {list(images.shape)}")
    if name == "gaussian_blur" and table == "course" and min(images.shape[2:]) <= RADIUS:
        raise ValueError(
            f"a border of {RADIUS} pixels can be mirrored in an image of {RADIUS + 1}×{RADIUS + 1} or more"
        )
    if not isinstance(generator, torch.Generator | None):
        raise ValueError(f"generator must be a torch.Generator, and is a {type(generator).__name__}")


def _in_parts(operation, amount, batch, *draws):
    """``operation(amount, images, …)`` of the whole batch, part by part: faster than through main memory."""
    done = torch.empty_like(batch)
    size = max(1, AT_ONCE // batch[0].numel()) if len(batch) else 1
    for start in range(0, len(batch), size):
        part = slice(start, start + size)
        done[part] = operation(amount, batch[part], *(draw[part] for draw in draws))
    return done


# --- course: float32, in grey levels from 0 to 255 ---


def _noise(std, images, draw):
    return torch.add(images, draw, alpha=255 * std).clamp_(0, 255).round_()


def _blur(sigma, images):
    # A blur is linear, and works on columns and rows apart: one small matrix for each, B X Bᵀ.
    vertical, horizontal = (_blur_matrix(size, sigma) for size in images.shape[2:])
    return (vertical @ (images.float() @ horizontal.T)).clamp_(0, 255).round_()


def _blur_matrix(size, sigma):
    """The matrix [size, size] whose columns are the blurred columns of the identity."""
    taps = torch.arange(-RADIUS, RADIUS + 1, dtype=torch.float32)
    kernel = torch.exp(-0.5 * (taps / sigma) ** 2)
    mirrored = torch.nn.functional.pad(torch.eye(size, dtype=torch.float32)[:, None], (RADIUS, RADIUS), mode="reflect")
    return torch.nn.functional.conv1d(mirrored, (kernel / kernel.sum())[None, None]).squeeze(1).T


def _contrast(part, images):
    grey = torch.tensordot(images.float().mean(dim=(2, 3)), torch.tensor(GREY, dtype=torch.float32), dims=1)  # [N]
    mixed = torch.add((1 - part) * grey[:, None, None, None], images, alpha=part)
    return mixed.clamp_(0, 255)  # and decimals are cut off, as by torchvision and PIL when they mix two images


# --- cifar10c: float64 from 0 to 1, in the order of the published operations, so that the cut decimals are theirs ---


def _to_uint8(x):
    return torch.from_numpy(np.uint8(np.clip(x, 0, 1) * 255))


def _published_noise(std, images, draw):
    return _to_uint8(images.numpy() / 255 + std * draw.double().numpy())


def _published_blur(sigma, images):
    return _to_uint8(gaussian(images.numpy() / 255, sigma=(0, 0, sigma, sigma)))


def _published_contrast(part, images):
    x = images.numpy() / 255
    pixels = np.ascontiguousarray(x.reshape(*x.shape[:2], -1).transpose(2, 0, 1))  # [H W, N, 3]: summed in their order
    mean = pixels.mean(axis=0)[:, :, None, None]
    return _to_uint8((x - mean) * part + mean)


def _jpeg(images, quality):
    return torch.stack(decode_jpeg(encode_jpeg(list(images), quality=quality))) if len(images) else images.clone()


_OPERATIONS = {
    ("gaussian_noise", "course"): _noise,
    ("gaussian_blur", "course"): _blur,
    ("contrast", "course"): _contrast,
    ("gaussian_noise", "cifar10c"): _published_noise,
    ("gaussian_blur", "cifar10c"): _published_blur,
    ("contrast", "cifar10c"): _published_contrast,
}
