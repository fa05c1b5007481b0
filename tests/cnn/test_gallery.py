"""helpers.cnn.gallery: what it says and draws."""

import matplotlib.pyplot as plt
import numpy as np
import pytest

from helpers.cnn import gallery

POWER = np.array([[1000.0, 100, 10, 8], *[[500.0, 25, 1, 2]] * 5])


def test_a_thumbnail_is_the_mean_of_the_pixels_of_its_square():
    photo = np.random.RandomState(0).randint(0, 256, (70, 90, 3)).astype(np.uint8)
    small = gallery.thumbnail(photo, 3, 20, 64)
    means = photo[3:67, 20:84].reshape(32, 2, 32, 2, 3).mean(axis=(1, 3))
    assert small.shape == (1, 3, 32, 32) and small.dtype == np.uint8
    assert np.abs(small[0] - np.moveaxis(means, -1, 0)).max() <= 1  # rounded twice: along rows, along columns


def test_words_tell_what_is_left_of_the_power_and_how_strong_the_corruption_is():
    assert gallery.words("contrast", 0, "A cup", POWER).startswith("A cup, clean")
    said = gallery.words("contrast", 2, "A cup", POWER)
    assert "A cup, contrast 0.6" in said
    assert all(left in said for left in ("waves have 0.50 of", "8 pixels 0.25", "fastest 0.25"))


@pytest.mark.parametrize(("name", "levels"), [("contrast", []), ("gaussian_noise", [2 * np.log10(255 * 0.15)])])
def test_a_spectrum_is_drawn_beside_the_clean_one_and_noise_beside_its_level(name, levels):
    copy = np.random.RandomState(0).randint(0, 256, (3, 4, 6)).astype(np.uint8)
    picture, line = (figure.axes[0] for figure in gallery.draw(name, 4, copy, POWER))
    assert np.array_equal(picture.images[0].get_array(), np.moveaxis(copy, 0, -1))
    clean, now, *others = line.lines
    assert np.allclose(clean.get_ydata(), [3, 2, 1, np.log10(8)]) and np.allclose(now.get_ydata(), np.log10(POWER[4]))
    assert np.allclose(now.get_xdata(), [1 / 8, 2 / 8, 3 / 8, 4 / 8])  # the last wave, of two pixels, is the fastest
    assert np.allclose([other.get_ydata()[0] for other in others], levels)
    plt.close("all")
