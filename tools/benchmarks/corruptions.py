"""Time the corrupted copies of 10,000 images of 32×32 pixels: whole batches against the usual way, image by image.

    python tools/benchmarks/corruptions.py

writes ``records/benchmarks/corruptions.json``, on CIFAR-10's test images where they are, else on patches of
photographs. `make benchmark` runs it with all other work stopped. Wanted is at most a third of the time.
"""

import io
import time
from statistics import median
from time import process_time  # on one thread that of the clock, less what other work takes

import numpy as np
import torch
import torchvision.transforms.functional as tv
from PIL import Image
from skimage.filters import gaussian

from helpers import data, records
from helpers.cnn.corruptions import CORRUPTIONS, TABLES, corrupt

SEED = 0
IMAGES = 10_000
COMPARED = 200  # images of each copy that are held against the reference
SEVERITIES = range(1, 6)
REPEATS = 3


# --- image by image, uint8 [3, 32, 32] in and out: torchvision's functions on tensors, PIL for JPEG ---


def noise(image, std, draw):
    return tv.convert_image_dtype(
        torch.clamp(tv.convert_image_dtype(image) + std * draw(image.shape), 0, 1), image.dtype
    )


def blur(image, sigma, draw):
    return tv.gaussian_blur(image, [11, 11], [sigma, sigma])


def contrast(image, part, draw):
    return tv.adjust_contrast(image, part)


def jpeg(image, quality, draw):
    file = io.BytesIO()
    tv.to_pil_image(image).save(file, "JPEG", quality=quality)
    return tv.pil_to_tensor(Image.open(file))


# --- and those of CIFAR-10-C, in NumPy ---


def published(operation):
    def spoil(image, amount, draw):
        x = image.numpy().transpose(1, 2, 0) / 255.0
        y = np.uint8(np.clip(operation(x, amount, draw), 0, 1) * 255)
        return torch.from_numpy(y.transpose(2, 0, 1))

    return spoil


@published
def published_noise(x, std, draw):
    return x + std * draw((3, *x.shape[:2])).double().numpy().transpose(1, 2, 0)


@published
def published_blur(x, sigma, draw):
    return gaussian(x, sigma=sigma, channel_axis=-1)


@published
def published_contrast(x, part, draw):
    means = np.mean(x, axis=(0, 1), keepdims=True)
    return (x - means) * part + means


USUAL = {
    "course": dict(zip(CORRUPTIONS, (noise, blur, contrast, jpeg), strict=True)),
    "cifar10c": dict(zip(CORRUPTIONS, (published_noise, published_blur, published_contrast, jpeg), strict=True)),
}


def one_by_one(images, name, severity, table):
    """The copies of all images, and the seconds that they took; the draws come from the same generator."""
    generator = torch.Generator().manual_seed(SEED)
    spoil, amount = USUAL[table][name], CORRUPTIONS[name][table][severity - 1]

    def draw(shape):
        return torch.randn(shape, generator=generator)

    start = process_time()
    copies = torch.stack([spoil(image, amount, draw) for image in images])
    return copies, process_time() - start


def at_once(images, name, severity, table):
    generator = torch.Generator().manual_seed(SEED)
    start = process_time()
    copies = corrupt(images, name, severity, table, generator)
    return copies, process_time() - start


def compare(images, name, severity, table):
    """What is timed is the same thing, within one grey level; JPEG and the published operations exactly."""
    one, other = (make(images[:COMPARED], name, severity, table)[0].int() for make in (one_by_one, at_once))
    apart = (one - other).abs().max().item()
    if apart > (table == "course" and name != "jpeg"):
        raise SystemExit(f"{name} {severity} of {table}: {apart} grey levels from the reference")


def measure(images, table):
    """Seconds for the five copies of each corruption, both ways, which take turns: medians over REPEATS."""
    seconds = {name: ([], []) for name in CORRUPTIONS}
    for repeat in range(REPEATS):
        for name in CORRUPTIONS:
            both = np.zeros(2)
            for severity in SEVERITIES:
                if repeat == 0:  # which warms up, too
                    compare(images, name, severity, table)
                both += [make(images, name, severity, table)[1] for make in (one_by_one, at_once)]
            for times, taken in zip(seconds[name], both, strict=True):
                times.append(taken)
    return {name: tuple(map(median, times)) for name, times in seconds.items()}


def load():
    """The images and the name of the data set: CIFAR-10 is not downloaded for this."""
    if (data.data_root() / data.CIFAR10_FOLDER).exists():
        return data.cifar10("test")[0], "cifar10"
    return np.resize(data.photo_patches("test")[0], (IMAGES, 3, 32, 32)), "photo_patches"


def main():
    start = time.perf_counter()
    torch.set_num_threads(1)
    images, source = load()
    images = torch.from_numpy(images)
    metrics = {}
    for table in TABLES:
        seconds = measure(images, table)
        for name, (usual, ours) in seconds.items():
            copies = len(SEVERITIES) * len(images)
            metrics[f"{table}_{name}_usual_per_second"] = copies / usual
            metrics[f"{table}_{name}_per_second"] = copies / ours
            metrics[f"{table}_{name}_ratio"] = usual / ours
        usual, ours = np.sum(list(seconds.values()), axis=0).tolist()
        metrics |= {f"{table}_usual_seconds": usual, f"{table}_seconds": ours, f"{table}_ratio": usual / ours}
    path = records.save(
        "benchmarks",
        "corruptions",
        parameters={"seed": SEED, "images": len(images), "source": source, "repeats": REPEATS, "threads": 1},
        metrics=metrics,
        packages=("torchvision", "pillow", "scikit-image"),
        seconds=time.perf_counter() - start,
    )
    for name, value in metrics.items():
        print(f"{name}: {value:,.1f}")
    print(f"wrote {path}")


if __name__ == "__main__":
    main()
