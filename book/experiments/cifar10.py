# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Experiment: ten classes, and four ways to spoil an image
#
# Which of ten things does a small photograph show, and which does the network see in it when the photograph is noisy,
# blurred, grey or pressed into few bytes? This notebook trains one network on clean images and scores it on clean and
# on spoilt ones.
#
# First what came of it, and below that, cell by cell, how.

# %% tags=["parameters"]
profile = "smoke"
seed = 0
run = "smoke"
architecture = "debug"
stem = "imagenet"  # or "cifar": a first convolution for small images
epochs = 2
batch_size = 128
learning_rate = 0.1  # the highest
schedule = "cosine"
warmup = 0.2  # the part of the steps in which the rate rises
weight_decay = 5e-4
clip = 10.0  # the largest norm of a gradient
label_smoothing = 0.1
augment = True  # shift and mirror every image anew, each time it is trained on
noise = 0.0  # the largest standard deviation of the noise on half of the images
cifar10c = True  # score under the second table of corruptions, too
precision = "auto"  # bfloat16 where the device multiplies it, else float32; or float16
device = "auto"  # a GPU where there is one
deterministic = False  # on a GPU, the same sums in the same order
export = True  # keep the weights for other pages

# %% tags=["set-up"]
import hashlib

from helpers import data, devices, display, files, parameters, records, runs, training
from helpers.cnn import architectures, robustness
from helpers.cnn.corruptions import CORRUPTIONS, corrupt

import matplotlib.pyplot as plt
import numpy as np
import torch
from torch.nn.functional import cross_entropy, pad

settings = parameters.check(
    globals(),
    profile=("smoke", "full"),
    seed=range(2**31),
    run=str,
    architecture=architectures.NAMES,
    stem=architectures.STEMS,
    epochs=range(1, 1001),
    batch_size=range(1, 10_001),
    learning_rate=parameters.Between(1e-6, 10.0),
    schedule=("cosine", "constant"),
    warmup=parameters.Between(0, 1),
    weight_decay=parameters.Between(0, 1),
    clip=parameters.Between(1e-3, 1e6),
    label_smoothing=parameters.Between(0, 0.9),
    augment=bool,
    noise=parameters.Between(0, 1),
    cifar10c=bool,
    precision=("auto", *devices.PRECISIONS),
    device=("auto", "cpu", "cuda"),
    deterministic=bool,
    export=bool,
)
display.use_book_style()
this_run = runs.Run("cifar10", settings)
device, precision = devices.choose(device, precision, deterministic)
training.seed_everything(seed)

# %% [markdown]
# ## What the full runs gave
#
# `make rerun EXPERIMENT=cifar10` runs this notebook in full, on CIFAR-10, once for every set of parameters in
# `book/experiments/cifar10.yaml`, and writes a record of each. These are the records.

# %% tags=["hide-input", "nbval-ignore-output"]
made = any((records.ROOT / "cifar10").glob("*.json"))
full = records.load("cifar10") if made and profile == "smoke" else {}


def draw_full_runs():
    fig, ax = plt.subplots(figsize=(4.2, 2.8))
    for name, record in full.items():
        errors = record["curves"]["validation_error"]
        percent = [100 * error for error in errors]
        ax.plot(range(1, len(errors) + 1), percent, marker="", label=name)
    ax.set(xlabel="epoch", ylabel="validation error (%)", yscale="log")
    ax.legend()
    return fig


if full:
    display.show(
        draw_full_runs(),
        alt="The validation error of each full run over its epochs: all of them fall.",
        caption="The validation error of each network, on images that none was trained "
        "on.",
    )
    display.table(
        {
            "run": name,
            "error (%)": f"{100 * record['metrics']['test_error']:.2f}",
            "spoilt (%)": f"{100 * record['metrics']['course_error']:.1f}",
            "epochs": record["parameters"]["epochs"],
            "minutes": f"{record['provenance']['seconds'] / 60:.0f}",
        }
        for name, record in full.items()
    )

# %% [markdown]
# ## A rehearsal
#
# From here on you see the notebook at work, on patches of ten photographs, with a tiny network and in a few seconds:
# enough to see every line work.
#
# ### Images
#
# A tenth of the images that come for training is kept for validation. The split is the same for every run, whatever its
# seed. Mean and standard deviation of each colour are those of the images that are trained on.

# %%
load = data.photo_patches if profile == "smoke" else data.cifar10
classes = data.PHOTO_NAMES if profile == "smoke" else data.CIFAR10_CLASSES
arrays = [array for split in ("train", "test") for array in load(split)]
images, labels, test_images, test_labels = map(torch.from_numpy, arrays)

order = torch.from_numpy(np.random.RandomState(0).permutation(len(images)))
validation, train = order.tensor_split([len(order) // 10])
std, mean = torch.std_mean(images[train] / 255, dim=(0, 2, 3))
std, mean = std.tolist(), mean.tolist()
print(f"{len(train):,} images to train on, {len(validation):,} to validate,")
print(f"{len(test_images):,} to test")


# %% [markdown]
# An epoch takes every training image once. With `augment`, it is a window of 32×32 pixels in the image with a black
# border of 4 pixels, and every other window is mirrored: chosen anew each time, for the whole batch at once. With
# `noise`, half of the images get Gaussian noise, each as strong as a draw from 0 to `noise` says.


# %%
margin = 4 if augment else 0
windows = pad(images, (margin,) * 4).unfold(2, 32, 1).unfold(3, 32, 1)


def make_batch(index):
    index, size = train[index], len(index)
    top, left = torch.randint(2 * margin + 1, (2, size))
    x = windows[index, :, top, left].float()  # [size, 3, 32, 32], from 0 to 255
    if augment:
        mirrored = torch.rand(size, 1, 1, 1) < 0.5
        x = torch.where(mirrored, x.flip(3), x)
    if noise:
        strength = 255 * noise * torch.rand(size, 1, 1, 1)
        strength *= torch.rand(size, 1, 1, 1) < 0.5
        x = (x + strength * torch.randn(x.shape)).clamp(0, 255)
    return robustness.standardize(x, mean, std), labels[index]


def loss(network, batch):
    x, y = batch
    return cross_entropy(network(x), y, label_smoothing=label_smoothing)


# %% [markdown]
# ### Network

# %%
built = {"name": architecture, "num_classes": len(classes), "stem": stem}
network = architectures.build(**built)
network = network.to(device, memory_format=torch.channels_last)
num_parameters = sum(p.numel() for p in network.parameters())
print(f"{architecture}: {num_parameters:,} parameters")


# %% [markdown]
# ### Training
#
# By stochastic gradient descent with Nesterov momentum; the rate rises in a line to `learning_rate` and falls along
# half a cosine to zero. After each epoch the network is scored on the clean validation images.


# %%
def judge(network, images):
    return robustness.logits(network, images, mean, std, precision=precision)


def validate(network):
    said, true = judge(network, images[validation]), labels[validation]
    return {
        "validation_loss": cross_entropy(said, true),
        "validation_error": (said.argmax(1) != true).double().mean(),
    }


optimizer = torch.optim.SGD(
    network.parameters(),
    lr=learning_rate,
    momentum=0.9,
    nesterov=True,
    weight_decay=weight_decay,
    fused=True,
)
batches = training.Epochs(make_batch, len(train), batch_size, seed)
steps = epochs * len(batches)
trained = training.fit(
    this_run,
    network,
    loss,
    batches,
    optimizer,
    steps=steps,
    validate=validate,
    validate_every=len(batches),
    schedule=getattr(training, schedule),
    warmup=round(warmup * steps),
    clip=clip,
    precision=precision,
)


# %% tags=["hide-input"]
def draw_curves(curves):
    figures, axes = display.panels((3.4, 2.8), (3.4, 2.8))
    counted = [step / len(batches) for step in curves["step"]]
    axes[0].plot(counted, curves["train_loss"], label="training, smoothed")
    axes[0].plot(counted, curves["validation_loss"], label="validation")
    axes[0].set(xlabel="epoch", ylabel="cross-entropy")
    axes[0].legend()
    axes[1].plot(counted, [100 * error for error in curves["validation_error"]])
    axes[1].set(xlabel="epoch", ylabel="validation error (%)")
    return figures


alt = "Over the epochs of this run: loss in training and validation, validation error."
caption = "Where the two losses part, training images are known better than others."
display.show(draw_curves(trained.curves), alt=alt, caption=caption)

# %% [markdown]
# ### Test
#
# The weights are those of the last epoch, chosen before anything was seen of the test images. Now the network sees each
# of these clean, and under every corruption at every severity. The noise is the same for all runs. Kept are the error
# rates; how often which class was taken for which, clean and at severity 5; and, for each test image and
# corruption of the first table, a digit: the lowest severity at which it is not recognised, 0 for an image that is not
# even when clean, 6 for one that always is.


# %%
def confusion(said):
    """How many images of a class (row) were taken for which (column)."""
    pairs = test_labels * len(classes) + said
    return torch.bincount(pairs, minlength=len(classes) ** 2).view(len(classes), -1)


said = judge(network, test_images).argmax(1)
wrong_clean = said != test_labels
confusions = {"clean": confusion(said).tolist()}
errors, first_failure = {}, {}
for table in ("course", "cifar10c") if cifar10c else ("course",):
    errors[table], confusions[table] = {}, {}
    for name in CORRUPTIONS:
        wrong = [wrong_clean]
        for severity in range(1, 6):
            draw = torch.Generator().manual_seed(severity)
            spoilt = corrupt(test_images, name, severity, table, draw)
            said = judge(network, spoilt).argmax(1)
            wrong.append(said != test_labels)
        errors[table][name] = [each.double().mean().item() for each in wrong[1:]]
        confusions[table][name] = confusion(said).tolist()
        if table == "course":
            always = torch.ones_like(wrong_clean)  # so that what never fails has a 6
            digits = torch.stack([*wrong, always]).int().argmax(0)
            first_failure[name] = "".join(map(str, digits.tolist()))
test_error = wrong_clean.double().mean().item()


# %% tags=["hide-input", "nbval-ignore-output"]
def draw_errors(by_corruption):
    fig, axes = plt.subplots(figsize=(4.2, 3))
    for (name, rates), marker in zip(by_corruption.items(), "osD^", strict=True):
        rates = [100 * rate for rate in (test_error, *rates)]
        axes.plot(range(6), rates, marker=marker, label=name.replace("_", " "))
    axes.set(xlabel="severity (0: clean)", ylabel="test error (%)")
    axes.legend()
    return fig


alt = "Test error of this run against the severity of the four corruptions."
caption = "What each corruption costs, severity by severity, on the same test images."
display.show(draw_errors(errors["course"]), alt=alt, caption=caption)

# %% [markdown]
# ### Weights
#
# The weights stay in the run's folder. Those that other pages use are kept beside the record as well, with what it
# takes to build the network again and to show it an image.

# %%
about = {"architecture": built, "run": run, "classes": list(classes)}
about |= {"mean": mean, "std": std, "test_error": test_error}
records.save_weights("model", network, about, root=this_run.folder)
if export:
    root = this_run.results / "weights"
    records.save_weights(f"cifar10_{run}", network, about, root=root)

# %% [markdown]
# ### Record
#
# A run of the list, in full, writes to the book's `records/` and `weights/`; any other, with parameters of yours, to
# the same folders under `build/`.

# %%
course = [rate for rates in errors["course"].values() for rate in rates]
metrics = {"test_error": test_error, "course_error": sum(course) / len(course)}
metrics |= {"corruption_errors": errors, "confusion": confusions}
metrics |= {"first_failure": first_failure, "classes": list(classes)}
metrics |= {"num_parameters": num_parameters, "computed_in": precision}
metrics |= {"num_train": len(train), "num_validation": len(validation)}
metrics |= {"num_test": len(test_images)}
checksum = hashlib.sha256()
for array in arrays:
    checksum.update(array.tobytes())
path = this_run.record(
    metrics,
    trained,
    data={load.__name__: checksum.hexdigest()},
    packages=("torchvision", "scikit-image"),
)
print(f"written {path.relative_to(files.PROJECT)}")
