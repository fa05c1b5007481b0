# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Robustness: what spoilt images cost
#
# A network gets most of its clean photographs right. How many are left when they are noisy, blurred, grey, or pressed
# into few bytes? Five architectures were trained on the same clean images of CIFAR-10. How do you compare what spoilt
# images cost them, and how much of a difference is luck?
#
# Here is ResNet-18, trained three times. Severity 0 is the clean test set.

# %% tags=["parameters"]
profile = "smoke"
seed = 0

# %% tags=["set-up"]
import math
from itertools import product

from helpers import data, display, exercises, parameters, records, verify
from helpers.cnn import architectures, robustness
from helpers.cnn.corruptions import CORRUPTIONS, corrupt

import matplotlib.pyplot as plt
import numpy as np
import torch
from PIL import Image
from skimage.data import chelsea

parameters.check(globals(), profile=("smoke", "full"), seed=range(2**31))
display.use_book_style()
torch.manual_seed(seed)
rng = np.random.default_rng(seed)

# %%
runs = {name: record["metrics"] for name, record in records.load("cifar10").items()}
seeds = [f"resnet18_{i}" for i in range(3)]


def rates(run, corruption):  # error rates, severities 0 to 5: [6]
    spoilt = runs[run]["corruption_errors"]["course"][corruption]
    return np.array([runs[run]["test_error"], *spoilt])


def resnet18(corruption):  # [3, 6], a row for each seed
    return np.array([rates(run, corruption) for run in seeds])


# %% tags=["hide-input"]
WORDS = dict(zip(CORRUPTIONS, ("noise", "blur", "contrast", "JPEG"), strict=True))
SEVERITIES = np.arange(6)
GREY = {"color": display.INK, "alpha": 0.2, "lw": 0}


def draw_accuracies(rates_of):  # for each corruption, error rates [runs, 6]
    fig, ax = plt.subplots(figsize=(4.2, 3.0))
    for i, (corruption, word) in enumerate(WORDS.items()):
        accuracy = 100 * (1 - rates_of(corruption))
        ax.plot(SEVERITIES, accuracy.mean(axis=0), label=word)
        spread = GREY | {"color": display.COLORS[i]}
        ax.fill_between(SEVERITIES, accuracy.min(0), accuracy.max(0), **spread)
    ax.set(xlabel="severity (0: clean)", ylabel="test accuracy (%)", ylim=(0, 100))
    ax.legend(loc="lower left")
    return fig


display.show(
    draw_accuracies(resnet18),
    alt="Accuracy of ResNet-18 against severity, one line per corruption, all from the "
    "same clean value. JPEG falls least, then contrast, then blur; noise falls most and "
    "ends lowest. Around each line is a band, widest for blur.",
    caption="ResNet-18 on the 10,000 test images of CIFAR-10: mean of three seeds, and a "
    "band from the worst to the best of them. It is widest under blur.",
)


def percent(value, digits=1):
    return f"{100 * value:.{digits}f} %"


clean = np.array([runs[run]["test_error"] for run in seeds])
display.glue("cnn-rob-clean", percent(1 - clean.mean()))
for corruption, word in WORDS.items():
    by_severity = 1 - resnet18(corruption).mean(axis=0)
    display.glue(f"cnn-rob-{word}-1", percent(by_severity[1]))
    display.glue(f"cnn-rob-{word}-5", percent(by_severity[5]))

# %% [markdown]
# Clean, it gets {glue:text}`cnn-rob-clean` right. At severity 5 these are {glue:text}`cnn-rob-JPEG-5` under JPEG,
# {glue:text}`cnn-rob-contrast-5` with little contrast, {glue:text}`cnn-rob-blur-5` under blur and
# {glue:text}`cnn-rob-noise-5` under noise; blind guessing gives 10 %. Two shapes are seen: noise costs something from
# the first step on, while the mildest blur ({glue:text}`cnn-rob-blur-1`) costs next to nothing. The severities are
# those of the table `course`, which the assignment of 2021 uses: noise with a standard deviation from 0.04 to 0.25, and
# so on. They are not a common scale ({doc}`severity`): 3 of noise and 3 of JPEG are two choices somebody made.
#
# All numbers on CIFAR-10 below come from committed records of full runs (`book/experiments/cifar10`). The five
# architectures have torchvision's stem for images of 224 pixels, and 20 epochs on 45,000 images with flips and crops,
# no corruption among them.
#
# ## A cat under noise
#
# Two small networks, with a stem for small images and 35 epochs, are here with their weights. `resnet20` was trained on
# clean images alone; `resnet20_noise` in the same way, but half of its images had noise, of a standard deviation drawn
# from 0 to 0.25: the very corruption of this test. Show both the cat that ships with scikit-image, 32 pixels wide. One
# spoilt cat says little, so the scores are means over 32 draws.


# %%
def load(name):
    state, about = records.load_weights(f"cifar10_{name}")
    network = architectures.build(**about["architecture"])
    network.load_state_dict(state)
    return network.eval(), about


def scores(name, images):  # uint8 [N, 3, 32, 32] → probabilities [N, 10]
    network, about = networks[name]
    said = robustness.logits(network, images, about["mean"], about["std"])
    return torch.softmax(said, dim=1)


networks = {name: load(name) for name in ("resnet20", "resnet20_noise")}
square = Image.fromarray(chelsea()[:, 100:400]).resize((32, 32), Image.Resampling.BOX)
cat = torch.from_numpy(np.array(square)).permute(2, 0, 1)[None]  # [1, 3, 32, 32]


def noisy(images, severity, draws=1):  # [draws · N, 3, 32, 32]
    generator = torch.Generator().manual_seed(severity)
    images = images.repeat(draws, 1, 1, 1).contiguous()
    return (
        corrupt(images, "gaussian_noise", severity, generator=generator)
        if severity
        else images
    )


# %% tags=["hide-input"]
CLASSES = data.CIFAR10_CLASSES
seen = {s: noisy(cat, s, draws=32 if s else 1) for s in range(6)}
heard = {
    s: {name: scores(name, seen[s]).mean(0).numpy() for name in networks} for s in seen
}


def draw_cat(severity):
    figures, (picture, dots) = display.panels((2.1, 3.1), (4.2, 3.1))
    picture.imshow(seen[severity][0].permute(1, 2, 0), interpolation="none")
    picture.set(xticks=[], yticks=[], title=f"severity {severity}")
    picture.grid(False)
    for i, (name, mean) in enumerate(heard[severity].items()):
        style = {"color": display.COLORS[i], "marker": "os"[i], "ms": 7 - i, "ls": ""}
        dots.plot(mean, range(10), label=name.replace("_", ", "), **style)
    dots.set(
        yticks=range(10), yticklabels=CLASSES, xlim=(-0.03, 1.03), ylim=(9.6, -0.6)
    )
    dots.set(xlabel="score, mean over draws")
    dots.yaxis.set_tick_params(length=0, grid_linewidth=0)
    dots.legend(loc="lower right")
    return figures


def first_class(severity, name):
    return CLASSES[heard[severity][name].argmax()]


display.slider(
    draw_cat,
    range(6),
    label="severity of the noise",
    alt=lambda s: (
        f"A cat of 32 by 32 pixels at severity {s} of the noise, and the ten scores of "
        f"two networks. Highest is {first_class(s, 'resnet20')} for resnet20, "
        f"{first_class(s, 'resnet20_noise')} for the one trained with noise."
    ),
    caption="One cat, two networks, mean scores over 32 draws. The one that never saw "
    "noise goes from cat to frog at severity 2, and stays there.",
    start=2,
)
for name, word in (("resnet20", "plain"), ("resnet20_noise", "noise")):
    for s in (0, 2, 5):
        display.glue(f"cnn-rob-cat-{word}-{s}", f"{heard[s][name][3]:.2f}")
        display.glue(f"cnn-rob-frog-{word}-{s}", f"{heard[s][name][6]:.2f}")

# %% [markdown]
# Clean, both say cat, with scores of {glue:text}`cnn-rob-cat-plain-0` and {glue:text}`cnn-rob-cat-noise-0`. At severity
# 2, where you see a cat at once, `resnet20` gives it {glue:text}`cnn-rob-cat-plain-2` and a frog
# {glue:text}`cnn-rob-frog-plain-2`; `resnet20_noise` still gives the cat {glue:text}`cnn-rob-cat-noise-2`, and at
# severity 5 it is in two minds: cat {glue:text}`cnn-rob-cat-noise-5`, frog {glue:text}`cnn-rob-frog-noise-5`. Why a
# frog? {doc}`robust_networks` comes back to it, with all ten classes. One photograph is an anecdote; 10,000 make an
# error rate.
#
# ## Train, then test
#
# The whole procedure fits in two functions. Live, it runs on patches of ten photographs with the tiny network `debug`
# (in the profile `full`, on 4,000 images of CIFAR-10), a few seconds of training. The corruption comes *before* the
# standardisation, with the mean and deviation of the clean training images: the network is not told that its images are
# spoilt.


# %%
def train(network, images, labels, mean, std, epochs=2, batch_size=128):
    steps = epochs * (len(images) // batch_size)
    rule = {"momentum": 0.9, "nesterov": True, "weight_decay": 5e-4}
    optimizer = torch.optim.SGD(network.parameters(), lr=0.1, **rule)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 0.1, total_steps=steps)
    for _ in range(epochs):
        for index in torch.randperm(len(images)).split(batch_size)[: steps // epochs]:
            x = robustness.standardize(images[index], mean, std)
            loss = torch.nn.functional.cross_entropy(network(x), labels[index])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
    return network.eval()


def test(network, images, labels, mean, std, corruption, table="course"):  # [6]
    wrong = []
    for severity in range(6):
        draw = torch.Generator().manual_seed(severity)
        spoilt = (
            corrupt(images, corruption, severity, table, draw) if severity else images
        )
        said = robustness.logits(network, spoilt, mean, std).argmax(dim=1)
        wrong.append((said != labels).double().mean().item())
    return np.array(wrong)


# %%
source = data.photo_patches if profile == "smoke" else data.cifar10
images, labels = (torch.from_numpy(each[:4000]) for each in source("train"))
test_images, test_labels = (torch.from_numpy(each[:300]) for each in source("test"))
std, mean = torch.std_mean(images / 255, dim=(0, 2, 3))
debug = train(architectures.build("debug"), images, labels, mean, std)
live = {name: test(debug, test_images, test_labels, mean, std, name) for name in WORDS}


# %% tags=["hide-input", "nbval-ignore-output"]
display.show(
    draw_accuracies(lambda name: live[name][None]),
    alt="Accuracy of the tiny network on its own test images against severity, one line "
    "per corruption, all from one clean value.",
    caption="Live: the network debug after two epochs, on 300 test images of its own "
    "data, which are not CIFAR-10 in the profile smoke. Another task, another order.",
)
lost = {word: live[name][1:].mean() - live[name][0] for name, word in WORDS.items()}
display.glue("cnn-rob-live-most", max(lost, key=lost.get))
display.glue("cnn-rob-live-least", min(lost, key=lost.get))
display.glue("cnn-rob-live-data", source.__name__)

# %% [markdown]
# On these images (`smoke` takes `photo_patches`, this page was made with {glue:text}`cnn-rob-live-data`) the
# corruption that costs most is {glue:text}`cnn-rob-live-most`, the one that costs least
# {glue:text}`cnn-rob-live-least`. What a corruption costs belongs to a network *and* its task. From here on all numbers
# are those of CIFAR-10 again.

# %% [markdown]
# :::{exercise} ResNet-18 under four corruptions
# :label: ex-cnn-resnet18-severity
# Train a ResNet-18 on CIFAR-10 (`book/experiments/cifar10.yaml` has the parameters of ours), report its
# test accuracy on clean images and under noise, blur, contrast and JPEG at severities 1 to 5, plot it, and describe
# what you see. Write the part that tests: `accuracies(classify, images, labels, spoil)`, an array of six numbers, clean
# first. `classify(images)` gives a class for each image, `spoil(images, severity)` the spoilt copies.
# :::

# %% [markdown] tags=["solution"]
# :::{solution-start} ex-cnn-resnet18-severity
# :class: dropdown
# :::
# The training is that of `train` above, with the larger network and more epochs. The plot is the first picture of this
# page. *Trends.* Accuracy falls with severity for every corruption. JPEG costs least, and most of it at the last step,
# quality 10. Contrast falls slowly, then faster. The mildest blur is all but free, and from severity 2 on blur is
# steep. Noise costs at once, and at severity 5 most is lost. Which corruption is *worst* cannot be read off: each has a
# scale of its own. Seeds agree closely, but for blur and the strongest noise.


# %% tags=["solution"]
def accuracies(classify, images, labels, spoil):
    versions = [images, *(spoil(images, severity) for severity in range(1, 6))]
    return np.array([np.mean(classify(version) == labels) for version in versions])


# %% [markdown] tags=["solution"]
# :::{solution-end}
# :::

# %%
exercises.check("cnn/robustness/accuracies", accuracies)

# %% [markdown]
# ## Two kinds of luck
#
# Say 16 of 100 test images are wrong: an error rate of 0.16. With other 100 images of the same kind the count would be
# another. An image counts 1 with probability 0.16, else 0; its variance is $0.16 \cdot 0.84 = 0.134$. The counts of
# 100 independent images add up, and so do their variances: 13.4, a standard deviation of 3.7 images. The rate is known
# to 3.7 points. With 10,000 images the variance is 1344, its root 37 images: 0.37 points.
#
# In general let $E$ be the probability of an error, and $x_i$ be 1 where image $i$ is wrong and 0 else. Since
# $x_i^2 = x_i$, its variance is $E - E^2$. The variance of the sum of $n$ independent images is $n (E - E^2)$, and that
# of their mean is $1 / n^2$ of it. The root is the {term}`standard error`:
#
# $$
# \mathrm{SE} = \sqrt{\frac{E\, (1 - E)}{n}} .
# $$ (eq-cnn-standard-error)


# %%
def standard_error(E, n):
    return np.sqrt(E * (1 - E) / n)


# %% tags=["check"]
def cases():
    for n, E in product((1, 2, 5, 9), (0.1, 0.37, 0.5, 0.9)):
        outcomes = np.array(list(product((0, 1), repeat=n)))  # [2ⁿ, n]
        chance = np.prod(np.where(outcomes == 1, E, 1 - E), axis=1)
        found = outcomes.mean(axis=1)
        yield standard_error(E, n) ** 2, chance @ found**2 - (chance @ found) ** 2


verify.equal(
    "eq-cnn-standard-error", cases(), atol=1e-12, against="all outcomes of n images"
)


# %% tags=["hide-input"]
def failures(run, corruption):  # [10000], the lowest severity that is not recognised
    return np.array(list(runs[run]["first_failure"][corruption]), dtype=int)


blocks = (failures(seeds[0], "jpeg") == 0).reshape(100, 100).mean(axis=1)
display.glue("cnn-rob-block-found", f"{100 * blocks.std(ddof=1):.1f}")
display.glue("cnn-rob-block-expected", f"{100 * standard_error(clean[0], 100):.1f}")
display.glue("cnn-rob-se-clean", f"{100 * standard_error(clean[0], 10_000):.2f}")

# %% [markdown]
# Cut the test set into 100 blocks of 100 images: the error rates of the first ResNet-18 on them have a standard
# deviation of {glue:text}`cnn-rob-block-found` points, where the formula says {glue:text}`cnn-rob-block-expected`. For
# all 10,000 it says {glue:text}`cnn-rob-se-clean` points.
#
# That is the luck of the *images*. The luck of *training* is another: a different seed gives different weights. Here is
# what three seeds of ResNet-18 spread:

# %% tags=["hide-input"]
three = {"clean": clean} | {word: resnet18(c)[:, 3] for c, word in WORDS.items()}


def draw_seeds():
    fig, ax = plt.subplots(figsize=(4.2, 2.8))
    for i, E in enumerate(three.values()):
        half = 100 * standard_error(E.mean(), 10_000)
        ax.add_patch(plt.Rectangle((i - 0.4, -half), 0.8, 2 * half, **GREY))
    away = 100 * np.array([E - E.mean() for E in three.values()])  # [5, 3]
    for j, seed_of_three in enumerate(away.T):
        place = np.arange(5) + 0.2 * (j - 1)
        ax.plot(place, seed_of_three, ls="", marker="os^"[j], ms=6, label=f"seed {j}")
    ax.set(xticks=range(5), xticklabels=three, ylabel="error less the mean (points)")
    ax.set(xlim=(-0.5, 4.5), ylim=(-2, 3))
    ax.legend(loc="upper right")
    return fig


display.show(
    draw_seeds(),
    alt="Three seeds less their mean, clean and at severity 3 of four corruptions, with "
    "grey boxes of one standard error. Clean, noise and contrast stay within the box or "
    "nearly; under blur the third seed lies far above it and the others far below.",
    caption="ResNet-18's seeds less their mean, clean and at severity 3; the grey "
    "boxes are one standard error of a single seed. Under blur training matters more "
    "than images.",
)
display.table(
    {"ResNet-18, points": name}
    | dict(zip(three, (f"{100 * v:.2f}" for v in row), strict=True))
    for name, row in (
        ("spread of the seeds", [E.std(ddof=1) for E in three.values()]),
        ("SE of one seed", [standard_error(E.mean(), 10_000) for E in three.values()]),
    )
)

# %% [markdown]
# The *spread* is the standard deviation of the three (with $3 - 1$ below the sum of squares). On clean images it is
# smaller than the standard error: all three see the same images, so the luck of the images is largely common to them.
# Under blur it is several times larger: there the luck of training is what counts, and no number of test images
# takes it away.
#
# ### A yardstick, and how far it reaches
#
# The other networks have *one seed each*. So ResNet-18 lends them the spread $\mathrm{SD}$ of its three: *a difference
# below $2\, \mathrm{SD}$ is called no difference*, on this page and the next. Is one above it a difference? Take runs
# that differ by luck alone, normal with one variance $\mathrm{Var}$, and a difference of variance $v\, \mathrm{Var}$:
# that of one run and the mean of three has $v = 1 + \tfrac13$, that of two single runs $v = 2$. How often is it beyond
# $m\, \mathrm{SD}$? It is $\sqrt{v\, \mathrm{Var}}\; z$ with a standard normal $z$, independent of $\mathrm{SD}$. And
# the $\mathrm{SD}^2$ of three normal numbers is $\mathrm{Var}$ times an exponential number of mean 1: it exceeds $y\,
# \mathrm{Var}$ with probability $e^{-y}$. The difference stays below $m\, \mathrm{SD}$ when $\mathrm{SD}^2 /
# \mathrm{Var} > v z^2 / m^2$, which has probability $e^{-v z^2 / m^2}$. Its mean over $z$ is a Gaussian integral,
# $\langle e^{-a z^2} \rangle = (1 + 2 a)^{-1/2}$ with $a = v / m^2$:
#
# $$
# P\big(|\text{difference}| > m\, \mathrm{SD}\big) = 1 - \frac{1}{\sqrt{1 + 2 v / m^2}} .
# $$ (eq-cnn-yardstick)


# %%
def passes_by_luck(m, v):
    return 1 - 1 / np.sqrt(1 + 2 * v / m**2)


# %% tags=["hide-input"]
def draw_yardstick():
    fig, ax = plt.subplots(figsize=(4.2, 2.5))
    m = np.linspace(1, 10, 19)
    for v, name in ((2, "two single runs"), (4 / 3, "one run, mean of three")):
        ax.plot(m, 100 * passes_by_luck(m, v), label=name)
    ax.axvline(2, color=display.INK, lw=0.8)
    ax.set(xlabel="yardstick, in spreads of three seeds", ylabel="passed by luck (%)")
    ax.set(ylim=(0, 60))
    ax.legend()
    return fig


display.show(
    draw_yardstick(),
    alt="How often luck alone passes a yardstick of so many spreads: for two single "
    "runs from about 55 percent at 1 over 29 at 2 to 2 at 10, for one run against a "
    "mean of three somewhat less.",
    caption="What a yardstick of so many spreads lets pass by luck, when the spread is "
    "that of three seeds. The line is at 2, the one of this page.",
)


# %% tags=["check"]
def cases():
    runs = np.random.default_rng(0).standard_normal((400_000, 5))
    SD, middle = runs[:, :3].std(axis=1, ddof=1), runs[:, :3].mean(axis=1)
    for m in (1.0, 2.0, 4.0):
        yield passes_by_luck(m, 4 / 3), np.mean(abs(runs[:, 3] - middle) > m * SD)
        yield passes_by_luck(m, 2), np.mean(abs(runs[:, 3] - runs[:, 4]) > m * SD)


verify.equal("eq-cnn-yardstick", cases(), atol=3e-3, against="400,000 draws of runs")

# %% tags=["hide-input"]
by_luck = passes_by_luck(2, 4 / 3)
display.glue("cnn-rob-luck", percent(by_luck, 0))
display.glue("cnn-rob-luck-two", percent(passes_by_luck(2, 2), 0))
display.glue("cnn-rob-luck-8", percent(passes_by_luck(8, 2), 0))

# %% [markdown]
# With $m = 2$ a fourth ResNet-18 would pass the yardstick in {glue:text}`cnn-rob-luck` of cases, and two single runs
# would in {glue:text}`cnn-rob-luck-two`: three seeds know their own spread badly. So read it one way: *what stays below
# is not spoken of; what passes is worth more seeds, and no proof.* A difference of many spreads is safer: beyond
# $8\, \mathrm{SD}$ it is {glue:text}`cnn-rob-luck-8` for two single runs. And that VGG-11 spreads as ResNet-18 does is
# assumed, not known.

# %% [markdown]
# ## Two ratios
#
# To compare networks one number per corruption is handy. Take a baseline with these errors in percent, and a network
# that is better on clean images:
#
# | severity | clean | 1 | 2 | 3 | 4 | 5 | sum of 1 to 5 | above clean |
# |---|---|---|---|---|---|---|---|---|
# | baseline | 20 | 25 | 30 | 35 | 40 | 45 | 175 | $175 - 5 \cdot 20 = 75$ |
# | network | 10 | 20 | 25 | 30 | 35 | 40 | 150 | $150 - 5 \cdot 10 = 100$ |
#
# It makes fewer errors at every severity: $150 / 175 = 0.86$ of the baseline's. And yet spoiling costs it more:
# $100 / 75 = 1.33$ times as much. Both are right; they answer two questions. With $E_s$ for the error rate of the
# network at severity $s$, $B_s$ for the baseline's, and 0 for clean, they are the {term}`corruption error` and the
# {term}`relative corruption error` {cite}`hendrycks2019corruptions`:
#
# $$
# \mathrm{CE} = \frac{\sum_{s=1}^5 E_s}{\sum_{s=1}^5 B_s} , \qquad
# \mathrm{RCE} = \frac{\sum_{s=1}^5 (E_s - E_0)}{\sum_{s=1}^5 (B_s - B_0)} .
# $$ (def-cnn-corruption-errors)
#
# How do they hang together? Write $\langle B \rangle = \tfrac15 \sum_{s=1}^5 B_s$. The sum in the numerator of CE is
# $5 E_0$, and what corruption adds to it: $\sum_s E_s = 5 E_0 + \mathrm{RCE} \sum_s (B_s - B_0)$. Divide by
# $\sum_s B_s = 5 \langle B \rangle$:
#
# $$
# \mathrm{CE} = \frac{B_0}{\langle B \rangle} \cdot \frac{E_0}{B_0}
# + \Big( 1 - \frac{B_0}{\langle B \rangle} \Big)\, \mathrm{RCE} .
# $$ (eq-cnn-ce-is-a-mean)


# %%
def CE(E, B):  # error rates, clean first: [6], [6]
    return E[1:].sum() / B[1:].sum()


def RCE(E, B):
    return (E[1:] - E[0]).sum() / (B[1:] - B[0]).sum()


def ce_as_a_mean(E, B):
    share = B[0] / B[1:].mean()  # of the baseline's errors, those it makes clean
    return share * E[0] / B[0] + (1 - share) * RCE(E, B)


# %% tags=["check"]
def cases():
    for _ in range(20):
        E, B = np.sort(rng.uniform(0.05, 0.9, (2, 6)), axis=1)
        yield ce_as_a_mean(E, B), robustness.corruption_error(E[1:], B[1:])
    for run, name in product(("vgg11", "vgg11_bn", "densenet121", "resnet34"), WORDS):
        E, B = rates(run, name), resnet18(name).mean(axis=0)
        yield ce_as_a_mean(E, B), sum(E[1:]) / sum(B[1:])


verify.equal(
    "eq-cnn-ce-is-a-mean", cases(), atol=1e-12, against="the ratio of the sums"
)

# %% [markdown]
# CE is a weighted mean of two ratios: of the clean errors, and RCE. The weight $B_0 / \langle B \rangle$ is the share
# of the baseline's errors that it makes on clean images anyway. So $\mathrm{CE} < 1 < \mathrm{RCE}$ needs a network
# that is better on clean images, $E_0 < B_0$, and nothing else is strange about it. A low CE may be nothing but a low
# clean error. In our by-hand case: $0.571 \cdot 0.5 + 0.429 \cdot 1.33 = 0.857$.
#
# ### Five networks
#
# The denominator of every entry is the *mean of ResNet-18's three seeds*; its own row gives the spread of the three
# around 1. What differs from 1 by less than two spreads stands in parentheses: no difference.

# %% tags=["hide-input"]
NETWORKS = {"resnet34": "ResNet-34", "vgg11": "VGG-11", "vgg11_bn": "VGG-11-BN"}
NETWORKS |= {"densenet121": "DenseNet-121"}


def spread(measure, corruption):
    B = resnet18(corruption)
    return np.std([measure(E, B.mean(axis=0)) for E in B], ddof=1)


def entry(measure, run, corruption):
    value = measure(rates(run, corruption), resnet18(corruption).mean(axis=0))
    told = abs(value - 1) >= 2 * spread(measure, corruption)
    return f"{value:.2f}" if told else f"({value:.2f})"


def show_ratios(measure):
    key = f"{measure.__name__} over ResNet-18's mean"
    own = {word: f"±{spread(measure, c):.3f}" for c, word in WORDS.items()}
    rows = [{key: "ResNet-18", "clean (%)": f"{100 * clean.mean():.2f}"} | own]
    for run, name in NETWORKS.items():
        row = {key: name, "clean (%)": f"{100 * runs[run]['test_error']:.2f}"}
        rows.append(row | {word: entry(measure, run, c) for c, word in WORDS.items()})
    display.table(rows)


show_ratios(CE)


# %% tags=["hide-input"]
def draw_ratios():
    figures, axes = display.panels((3.3, 3.4), (3.3, 3.4))
    for ax, measure in zip(axes, (CE, RCE), strict=True):
        for i, corruption in enumerate(WORDS):
            half = 2 * spread(measure, corruption)
            ax.add_patch(plt.Rectangle((i - 0.4, 1 - half), 0.8, 2 * half, **GREY))
        for j, (run, name) in enumerate(NETWORKS.items()):
            value = [measure(rates(run, c), resnet18(c).mean(axis=0)) for c in WORDS]
            place = np.arange(4) + 0.2 * j - 0.3
            ax.plot(place, value, ls="", marker="os^D"[j], ms=6, label=name)
        ax.axhline(1, color=display.INK, lw=0.8)
        ax.set(title=measure.__name__, xticks=range(4), xticklabels=WORDS.values())
        ax.set(xlim=(-0.5, 3.5), ylim=(0.6, 1.8))
    axes[0].legend(loc="upper right", frameon=False)
    return figures


display.show(
    draw_ratios(),
    alt="CE and RCE of four networks under four corruptions, with a grey box of two "
    "spreads around 1. Under noise both VGGs are far above the box in both; under JPEG "
    "they are below 1 in CE and far above in RCE; with contrast both are below.",
    caption="The grey boxes are two spreads of ResNet-18 around 1, the denominator the "
    "mean of its three seeds. Under JPEG the two VGGs are below 1 in CE and above in "
    "RCE.",
)
for run in ("vgg11", "vgg11_bn"):
    E, B = rates(run, "jpeg"), resnet18("jpeg").mean(axis=0)
    display.glue(f"cnn-rob-jpeg-ce-{run}", f"{CE(E, B):.2f}")
    display.glue(f"cnn-rob-jpeg-rce-{run}", f"{RCE(E, B):.2f}")
    display.glue(f"cnn-rob-jpeg-clean-{run}", f"{E[0] / B[0]:.2f}")
guessing = CE(np.full(6, 0.9), resnet18("gaussian_noise").mean(axis=0))
display.glue("cnn-rob-guess-ce", f"{guessing:.1f}")
display.glue("cnn-rob-jpeg-share", f"{B[0] / B[1:].mean():.2f}")

# %% tags=["hide-input"]
show_ratios(RCE)


# %% [markdown]
# Look at JPEG. VGG-11-BN has a CE of {glue:text}`cnn-rob-jpeg-ce-vgg11_bn` and an RCE of
# {glue:text}`cnn-rob-jpeg-rce-vgg11_bn`: more robust or less? By {eq}`eq-cnn-ce-is-a-mean` its CE is
# {glue:text}`cnn-rob-jpeg-share` parts of the clean ratio, {glue:text}`cnn-rob-jpeg-clean-vgg11_bn`, and the rest RCE.
# You would rather classify JPEG images with it, as it errs less often on them; and it loses more of what it can do.

# %% [markdown]
# :::{exercise} The most robust network
# :label: ex-cnn-most-robust
# A network answers at random. What is its RCE, what its CE over ResNet-18 under noise? Can RCE be negative? What should
# stand beside every RCE?
# :::

# %% [markdown] tags=["solution"]
# :::{solution-start} ex-cnn-most-robust
# :class: dropdown
# :::
# At random it errs on 90 % of ten classes, clean or spoilt: $E_s - E_0 = 0$, so RCE is 0, the best that a network which
# gains nothing can have. Its CE is $5 \cdot 0.9$ over ResNet-18's sum, {glue:text}`cnn-rob-guess-ce`. RCE is negative
# where a corruption makes more images right than wrong, as it may with a mild one, by luck. So the clean error belongs
# beside it: RCE says what is lost, and who has nothing loses nothing.
#
# :::{solution-end}
# :::

# %% [markdown]
# ## What was shown
#
# - All on CIFAR-10: ResNet-18 loses accuracy under every corruption; blur is where its three seeds differ most.
# - The luck of 10,000 images is {glue:text}`cnn-rob-se-clean` points for ResNet-18, {eq}`eq-cnn-standard-error`. The
#   luck of training can be several times that, and only seeds show it. Three do not show it well,
#   {eq}`eq-cnn-yardstick`.
# - CE is a weighted mean of the clean ratio and RCE, {eq}`eq-cnn-ce-is-a-mean`. RCE can be above 1 while CE is below,
#   as for VGG-11 under JPEG.
#
# The numbers are there, and the measure for them. {doc}`robust_networks` puts them to use: which networks differ by
# more than luck, where RCE says nothing, what a network says that fails, and what one pays that was trained with noise.

# %% [markdown]
# ## Exercises

# %% [markdown]
# :::{exercise} How many images?
# :label: ex-cnn-images-needed
# Two error rates $E$ and $E'$ are measured on $n$ images each, not the same ones. From which $n$ on is their difference
# at least twice its standard error? Write `images_needed(first, second)`, the smallest such whole number. How many take
# 15.5 % and 15.8 % apart?
# :::

# %% [markdown] tags=["solution"]
# :::{solution-start} ex-cnn-images-needed
# :class: dropdown
# :::
# Independent variances add: $|E - E'| \ge 2 \sqrt{(E (1 - E) + E' (1 - E')) / n}$, so
# $n \ge 4\, (E (1 - E) + E' (1 - E')) / (E - E')^2$, rounded up. For 15.5 % and 15.8 % that is over a hundred thousand
# images, ten times CIFAR-10's test set. Both networks on the *same* images need fewer, as {doc}`robust_networks` shows,
# and more seeds are needed all the same.


# %% tags=["solution"]
def images_needed(first, second):
    variances = first * (1 - first) + second * (1 - second)
    return math.ceil(4 * variances / (first - second) ** 2)


print(f"{images_needed(0.155, 0.158):,} images")

# %% [markdown] tags=["solution"]
# :::{solution-end}
# :::

# %%
exercises.check("cnn/robustness/images_needed", images_needed)

# %% [markdown]
# :::{exercise} As many errors
# :label: ex-cnn-as-many-errors
# On spoilt images a network makes as many errors as the baseline, so that CE is 1; on clean ones it makes $r$ times as
# many, $r < 1$. What is its RCE? Write `rce_of_as_many(r, B)`, where `B` are six error rates of the baseline, clean
# first. Compare the RCE of VGG-11-BN under JPEG with it.
# :::

# %% [markdown] tags=["solution"]
# :::{solution-start} ex-cnn-as-many-errors
# :class: dropdown
# :::
# Put $\mathrm{CE} = 1$ and $E_0 = r B_0$ into {eq}`eq-cnn-ce-is-a-mean`, and multiply by $\langle B \rangle$:
# $\langle B \rangle = r B_0 + (\langle B \rangle - B_0)\, \mathrm{RCE}$. So
# $\mathrm{RCE} = (\langle B \rangle - r B_0) / (\langle B \rangle - B_0)$, which is above 1 for every $r < 1$.
# VGG-11-BN's RCE is above 1, too, but lower than this: its CE is below 1.


# %% tags=["solution"]
def rce_of_as_many(r, B):
    mean = np.mean(B[1:])
    return (mean - r * B[0]) / (mean - B[0])


E, B = rates("vgg11_bn", "jpeg"), resnet18("jpeg").mean(axis=0)
print(f"as many errors: {rce_of_as_many(E[0] / B[0], B):.2f}; its own: {RCE(E, B):.2f}")

# %% [markdown] tags=["solution"]
# :::{solution-end}
# :::

# %%
exercises.check("cnn/robustness/rce_of_as_many", rce_of_as_many)

# %% [markdown]
# ## Further reading
#
# - {cite:t}`hendrycks2019corruptions` define CE and RCE, with AlexNet as the denominator, and corruptions of many
#   more kinds than these four.
# - {cite:t}`bouthillier2021variance` take the luck of training apart.
