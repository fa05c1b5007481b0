"""helpers.cnn.corruptions against the plain operations, image by image."""

import io

import numpy as np
import pytest
import torch
import torchvision.transforms.functional as tv
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from scipy.stats import norm
from skimage.filters import gaussian

from helpers import data
from helpers.cnn import corruptions
from helpers.cnn.corruptions import CORRUPTIONS, corrupt
from oracles import tried

SEVERITIES = range(1, 6)
PATCHES = data.photo_patches("test")[0][:60]


@st.composite
def batches(draw):
    """Up to four images of 6 to 40 pixels a side: noise, one colour, or a patch of a photograph, or all white."""
    height, width = draw(st.integers(6, 40)), draw(st.integers(6, 40))
    random = np.random.RandomState(draw(st.integers(0, 2**31)))
    images = []
    for kind in draw(st.lists(st.sampled_from(["noise", "colour", "photograph", "white"]), min_size=1, max_size=4)):
        image = np.full((3, height, width), 255, np.uint8)
        if kind == "noise":
            image = random.randint(0, 256, image.shape).astype(np.uint8)
        elif kind == "colour":
            image = np.broadcast_to(random.randint(0, 256, (3, 1, 1)), image.shape).astype(np.uint8)
        elif kind == "photograph":
            image = np.pad(PATCHES[random.randint(60)], ((0, 0), (0, 8), (0, 8)), mode="reflect")[:, :height, :width]
        images.append(image)
    return np.stack(images)


def pil(image):
    return Image.fromarray(np.ascontiguousarray(image.transpose(1, 2, 0)))


def difference(one, other):
    return int(np.abs(np.asarray(one, int) - np.asarray(other, int)).max())


def reference_blur(image, sigma):
    return tv.gaussian_blur(torch.from_numpy(image), [11, 11], [sigma, sigma]).numpy()


def reference_jpeg(image, quality):
    file = io.BytesIO()
    pil(image).save(file, "JPEG", quality=quality)
    return np.asarray(Image.open(file)).transpose(2, 0, 1)


@given(batches(), st.sampled_from(SEVERITIES))
@settings(max_examples=50)
def test_course_blur_is_torchvision_s(images, severity):
    sigma = (0.4, 0.6, 0.8, 1.1, 1.5)[severity - 1]
    ours = corrupt(images, "gaussian_blur", severity)
    for image, blurred in zip(images, ours, strict=True):
        assert difference(blurred, reference_blur(image, sigma)) <= 1


@given(batches(), st.sampled_from(SEVERITIES))
@settings(max_examples=50)
def test_course_contrast_is_torchvision_s_and_pil_s(images, severity):
    left = (0.75, 0.6, 0.5, 0.4, 0.3)[severity - 1]
    ours = corrupt(images, "contrast", severity)
    for image, grey in zip(images, ours, strict=True):
        assert difference(grey, tv.adjust_contrast(torch.from_numpy(image), left)) <= 1
        assert difference(grey, 255 * tv.adjust_contrast(torch.from_numpy(image) / 255, left)) <= 1
        assert difference(grey, np.asarray(tv.adjust_contrast(pil(image), left)).transpose(2, 0, 1)) <= 1


@given(batches(), st.sampled_from(SEVERITIES), st.integers(0, 2**31))
@settings(max_examples=50)
def test_noise_is_the_draw_times_the_severity(images, severity, seed):
    draw = torch.randn(images.shape, generator=torch.Generator().manual_seed(seed)).numpy()
    generators = (torch.Generator().manual_seed(seed) for _ in range(2))
    course, published = (
        corrupt(images, "gaussian_noise", severity, t, g)
        for t, g in zip(("course", "cifar10c"), generators, strict=True)
    )
    for image, noise, one, other in zip(images, draw, course, published, strict=True):
        std = (0.04, 0.07, 0.10, 0.15, 0.25)[severity - 1]
        assert difference(one, np.round(np.clip(image / 255 + std * noise, 0, 1) * 255)) <= 1
        std = (0.04, 0.06, 0.08, 0.09, 0.10)[severity - 1]
        x = image.transpose(1, 2, 0) / 255.0
        expected = np.uint8(np.clip(x + std * noise.transpose(1, 2, 0).astype(float), 0, 1) * 255)
        assert difference(other, expected.transpose(2, 0, 1)) == 0


@given(batches(), st.sampled_from(SEVERITIES))
@settings(max_examples=50)
def test_cifar10c_is_the_published_blur_and_contrast(images, severity):
    blurred = corrupt(images, "gaussian_blur", severity, "cifar10c")
    grey = corrupt(images, "contrast", severity, "cifar10c")
    for image, one, other in zip(images, blurred, grey, strict=True):
        x = np.array(pil(image)) / 255.0
        c = [0.4, 0.6, 0.7, 0.8, 1][severity - 1]
        expected = np.uint8(np.clip(gaussian(x, sigma=c, channel_axis=-1), 0, 1) * 255)
        assert difference(one, expected.transpose(2, 0, 1)) == 0
        c = [0.75, 0.5, 0.4, 0.3, 0.15][severity - 1]
        means = np.mean(x, axis=(0, 1), keepdims=True)
        expected = np.uint8(np.clip((x - means) * c + means, 0, 1) * 255)
        assert difference(other, expected.transpose(2, 0, 1)) == 0


@given(batches(), st.sampled_from(SEVERITIES))
@settings(max_examples=50)
def test_jpeg_is_pil_s_byte_for_byte(images, severity):
    qualities = {"course": (90, 70, 50, 30, 10), "cifar10c": (80, 65, 58, 50, 40)}
    for table, quality in qualities.items():
        for image, read in zip(images, corrupt(images, "jpeg", severity, table), strict=True):
            assert difference(read, reference_jpeg(image, quality[severity - 1])) == 0


@pytest.mark.parametrize("table", corruptions.TABLES)
@pytest.mark.parametrize("name", CORRUPTIONS)
def test_images_stay_and_copies_are_of_their_kind(name, table):
    images = PATCHES[:3].copy()
    array = corrupt(images, name, 3, table, torch.Generator().manual_seed(0))
    tensor = corrupt(torch.from_numpy(images), name, 3, table, torch.Generator().manual_seed(0))
    assert isinstance(array, np.ndarray) and array.dtype == np.uint8 and array.shape == images.shape
    assert isinstance(tensor, torch.Tensor) and np.array_equal(tensor, array)
    assert np.array_equal(images, PATCHES[:3]) and not np.array_equal(array, images)
    assert corrupt(images[:0], name, 3, table).shape == (0, 3, 32, 32)


@pytest.mark.parametrize("table", corruptions.TABLES)
@pytest.mark.parametrize("name", CORRUPTIONS)
def test_a_batch_of_many_parts_is_what_its_images_are(name, table, monkeypatch):
    generators = [torch.Generator().manual_seed(0) for _ in range(4)]
    whole = corrupt(PATCHES, name, 5, table, generators[0])
    monkeypatch.setattr(corruptions, "AT_ONCE", 7 * PATCHES[0].size)
    assert np.array_equal(corrupt(PATCHES, name, 5, table, generators[1]), whole)
    view = PATCHES[:, :, ::-1].copy()[:, :, ::-1]  # the same images, their rows stored from below
    view.flags.writeable = False
    assert np.array_equal(corrupt(view, name, 5, table, generators[2]), whole)
    view = torch.from_numpy(PATCHES).contiguous(memory_format=torch.channels_last)
    assert np.array_equal(corrupt(view, name, 5, table, generators[3]), whole)


@pytest.mark.parametrize("table", corruptions.TABLES)
@pytest.mark.parametrize("name", CORRUPTIONS)
def test_the_more_severe_the_farther_from_the_image(name, table):
    far = [
        np.square(corrupt(PATCHES, name, s, table, torch.Generator().manual_seed(0)).astype(float) - PATCHES).mean()
        for s in SEVERITIES
    ]
    assert far == sorted(far) and far[0] < far[-1]


@pytest.mark.parametrize("table", corruptions.TABLES)
@pytest.mark.parametrize("name", CORRUPTIONS)
def test_torch_s_default_type_changes_nothing(name, table):
    def of_seed():
        return corrupt(PATCHES, name, 2, table, torch.Generator().manual_seed(1))

    expected, default = of_seed(), torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)  # as in notebooks that hold claims to many digits
    try:
        assert np.array_equal(of_seed(), expected)
    finally:
        torch.set_default_dtype(default)


def test_noise_without_a_generator_is_of_the_global_one():
    torch.manual_seed(3)
    one, other = (corrupt(PATCHES, "gaussian_noise", 1) for _ in range(2))
    torch.manual_seed(3)
    assert np.array_equal(corrupt(PATCHES, "gaussian_noise", 1), one) and not np.array_equal(one, other)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((PATCHES, "fog", 1), "gaussian_noise, gaussian_blur, contrast, jpeg"),
        ((PATCHES, "jpeg", 1, "cifar100"), "course and cifar10c"),
        ((PATCHES, "jpeg", 0), "severity = 0: expected 1, 2, 3, 4 or 5"),
        ((PATCHES, "jpeg", 6), "severity = 6"),
        ((PATCHES, "jpeg", "3"), "severity = '3'"),
        ((PATCHES, "jpeg", 3.0), "severity = 3.0"),
        ((PATCHES / 255, "jpeg", 1), "uint8, from 0 to 255, and are float64"),
        (([[0]], "jpeg", 1), "uint8, from 0 to 255, and are list"),
        ((PATCHES[0], "jpeg", 1), r"\[N, 3, H, W\], and have \[3, 32, 32\]"),
        ((PATCHES[:, :1], "contrast", 1), r"have \[60, 1, 32, 32\]"),
        ((PATCHES.transpose(0, 2, 3, 1), "contrast", 1), r"have \[60, 32, 32, 3\]"),
        ((PATCHES[:, :, :5], "gaussian_blur", 1), "6×6 or more"),
        ((PATCHES, "gaussian_noise", 1, "course", np.random.default_rng(0)), "torch.Generator, and is a Generator"),
    ],
)
def test_bad_input_is_told(arguments, said):
    with pytest.raises(ValueError, match=said):
        corrupt(*arguments)


# --- the oracles of the exercises ---


def test_noise_reaches_both_ends_after_rounding():
    def of(x, q, half=0.5):
        # The other way round: what is left is the part strictly between.
        return 1 - (norm.cdf((255 - half - x) / (255 * q)) - norm.cdf((half - x) / (255 * q)))

    tried(
        "cnn/corruptions/at_the_ends",
        of,
        (lambda x, q: of(x, q, half=0), "Rounding comes last"),
        (lambda x, q: norm.cdf((0.5 - x) / (255 * q)), "Both ends count"),
        (lambda x, q: of(x, q / 255), "255 q grey levels"),
    )


def test_a_narrow_kernel_is_narrower_than_it_says():
    def of(ell, radius=60):
        j = np.arange(-radius, radius + 1)
        weights = np.exp(-((j / ell) ** 2) / 2)
        return np.sqrt(np.average(j**2, weights=weights))

    tried(
        "cnn/corruptions/real_width",
        of,
        (lambda ell: ell, "at whole numbers only"),
        (lambda ell: of(ell, radius=5), "far beyond five pixels"),
        (lambda ell: of(ell) ** 2, "the square root"),
    )


def test_a_blur_is_taken_back_by_its_own_weights():
    def of(y, ell, place=0):
        j = np.arange(-5, 6)
        theta = np.exp(-((j / ell) ** 2) / 2) / np.exp(-((j / ell) ** 2) / 2).sum()
        ring = np.zeros(len(y))
        ring[(j + place) % len(y)] = theta
        return np.linalg.solve(np.array([np.roll(ring, u) for u in range(len(y))]).T, y)

    def by_the_line(y, ell):
        return np.fft.ifft(np.fft.fft(y) * np.exp((ell * 2 * np.pi * np.fft.fftfreq(len(y))) ** 2 / 2)).real

    tried(
        "cnn/corruptions/unblur",
        of,
        (by_the_line, "not of a Gaussian on a line"),
        (lambda y, ell: of(y, ell, place=5), "weight 0 belongs at"),
    )
