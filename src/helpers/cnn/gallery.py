"""One photograph under one corruption, severity by severity, beside the spectrum of many: for two chapters."""

import numpy as np
from PIL import Image

from helpers import display
from helpers.cnn.corruptions import CORRUPTIONS

SHORT = dict(zip(CORRUPTIONS, ("noise", "blur", "contrast", "JPEG"), strict=True))


def thumbnail(photo, top, left, size):
    """A square of ``size`` × ``size`` pixels of a photograph [H, W, 3], as small as CIFAR-10: uint8 [1, 3, 32, 32]."""
    square = Image.fromarray(photo[top : top + size, left : left + size])
    small = square.resize((32, 32), Image.Resampling.BOX)
    return np.asarray(small).transpose(2, 0, 1)[None]


def pixels(ax, image):
    """Draw an image, uint8 [3, H, W], without axes on ``ax``."""
    ax.imshow(image.transpose(1, 2, 0), interpolation="none")
    ax.axis("off")


def draw(name, severity, copy, power):
    """The panels of the corruption ``name`` of table ``course`` at a severity from 0, which is clean, to 5.

    ``copy``, uint8 [3, H, W], is a photograph at that severity. ``power`` [6, F] holds for each severity the mean power
    of the waves of 1 to F periods in images of 2F pixels, in grey levels².
    """
    figures, (picture, line) = display.panels((2.7, 2.9), (3.9, 2.9))
    pixels(picture, copy)
    frequencies = np.arange(1, len(power[0]) + 1) / (2 * len(power[0]))
    line.plot(frequencies, np.log10(power[0]), ":", color=display.INK, marker="", label="clean")
    style = {"color": display.COLORS[0], "marker": "", "label": SHORT[name]}
    line.plot(frequencies, np.log10(power[severity]), "-", **style)
    if name == "gaussian_noise" and severity:
        level = 2 * np.log10(255 * CORRUPTIONS[name]["course"][severity - 1])
        line.axhline(level, color=display.COLORS[1], ls="--", label="$(255 q)^2$")
    line.set(xlabel="waves per pixel", title="log₁₀ of the power", ylim=(-1.4, 6))
    line.set(xticks=(0.1, 0.3, 0.5), yticks=range(0, 7, 2))
    line.grid(False)
    line.legend(loc="upper right")
    return figures


def words(name, severity, what, power):
    """What :func:`draw` shows, for those who do not see it; ``what`` names the photograph."""
    if not severity:
        return f"{what}, clean; the spectrum falls from slow waves to fast ones."
    change = np.asarray(power[severity]) / power[0]
    return (
        f"{what}, {SHORT[name]} {CORRUPTIONS[name]['course'][severity - 1]}. The slowest waves have {change[0]:.2f} of "
        f"the power that they had, those of 8 pixels {change[3]:.2f}, the fastest {change[-1]:.2f}."
    )
