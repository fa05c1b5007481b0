# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Robust networks, or lucky ones?
#
# Six networks never saw noise in training. The fewer errors one of them makes on clean images, the more it makes under
# noise, so it seems. Is one of them more robust than another, or only luckier? And a network that fails: on which
# images does it, and what does it say?

# %% tags=["parameters"]
profile = "smoke"
seed = 0

# %% tags=["set-up"]
from itertools import combinations, product

from helpers import data, display, exercises, parameters, records, verify

import matplotlib.pyplot as plt
import numpy as np

parameters.check(globals(), profile=("smoke", "full"), seed=range(2**31))
display.use_book_style()
rng = np.random.default_rng(seed)

# %%
runs = {name: record["metrics"] for name, record in records.load("cifar10").items()}
seeds = [f"resnet18_{i}" for i in range(3)]
CORRUPTIONS = ("gaussian_noise", "gaussian_blur", "contrast", "jpeg")


def rates(run, corruption, table="course"):  # error rates, severities 0 to 5: [6]
    spoilt = runs[run]["corruption_errors"][table][corruption]
    return np.array([runs[run]["test_error"], *spoilt])


def mean_errors(run, table="course"):  # clean, and over five severities of each: [5]
    spoilt = [rates(run, corruption, table)[1:].mean() for corruption in CORRUPTIONS]
    return np.array([runs[run]["test_error"], *spoilt])


means = np.array([mean_errors(run) for run in seeds])  # [3, 5]


# %% tags=["hide-input"]
WORDS = dict(zip(CORRUPTIONS, ("noise", "blur", "contrast", "JPEG"), strict=True))
COLUMNS = ["clean", *WORDS.values()]
SEVERITIES = np.arange(6)
GREY = {"color": display.INK, "alpha": 0.2, "lw": 0}
NETWORKS = {"resnet34": "ResNet-34", "vgg11": "VGG-11", "vgg11_bn": "VGG-11-BN"}
NETWORKS |= {"densenet121": "DenseNet-121", "resnet20": "ResNet-20"}


def resnet18(corruption, table="course"):  # [3, 6], a row for each seed
    return np.array([rates(run, corruption, table) for run in seeds])


def percent(value, digits=1):
    return f"{100 * value:.{digits}f} %"


PLAIN = {"ResNet-18": means.mean(axis=0)}
PLAIN |= {name: mean_errors(run) for run, name in NETWORKS.items()}


def draw_against_clean():
    figures, axes = display.panels(*[(3.3, 3.2)] * 2)
    for ax, i in zip(axes, (1, 3), strict=True):
        for j, (name, mean) in enumerate(PLAIN.items()):
            color = display.COLORS[j]
            ax.plot(
                100 * mean[0], 100 * mean[i], "os^DvP"[j], ms=7, color=color, label=name
            )
        ax.set(xlabel="clean error (%)", title=COLUMNS[i], xlim=(8, 17), ylim=(10, 80))
    axes[0].set(ylabel="mean error (%)")
    axes[1].legend(loc="upper left", frameon=False)
    return figures


display.show(
    draw_against_clean(),
    alt="Six networks. Left, error under noise against clean error: the lower the clean "
    "error, the higher the error under noise, from ResNet-34 to ResNet-20. Right, with "
    "little contrast: the lower the clean error, the lower that error.",
    caption="Six networks that never saw noise, mean errors over five severities. With "
    "contrast the order is nearly that of the clean errors; under noise it is nearly the "
    "reverse.",
)
order = sorted(PLAIN.values(), key=lambda mean: -mean[0])
display.glue(
    "cnn-rob-noise-range", f"{100 * order[0][1]:.0f} to {100 * order[-1][1]:.0f} %"
)

# %% [markdown]
# From the worst on clean images to the best, the mean error under noise goes from {glue:text}`cnn-rob-noise-range`,
# though ResNet-18 is not told apart from ResNet-34 by its clean error, nor from DenseNet-121 by that under noise. Six
# networks that differ in depth, stem, learning rate and epochs do not tell *why*; the last of them, ResNet-20, is the
# only one with a stem for small images. What the picture does show is that the clean error does not tell you the error
# under noise, not even its direction.
#
# All numbers come from committed records of full runs on CIFAR-10 (`book/experiments/cifar10`), the mean errors from
# the five severities of the table `course`. ResNet-18 has three seeds, every other network one. From {doc}`robustness`
# you bring what moves such numbers by luck alone: the standard error of a rate over $n$ images,
# {eq}`eq-cnn-standard-error`, and the spread of ResNet-18's three seeds. A difference below two spreads is called none,
# and one above may still be luck, as often as {eq}`eq-cnn-yardstick` says.
#
# ## The same images
#
# Two networks are tested on the *same* images, so much of the luck of the images cancels. Ten images by hand: both err
# on one, only the first errs on three, only the second on one. The error rates are 0.4 and 0.2, the difference 0.2.
# Image by image the difference is $+1$ three times, $-1$ once and 0 six times: the mean square is 0.4, the variance
# $0.4 - 0.2^2 = 0.36$, and the standard error $\sqrt{0.36 / 10} = 0.19$. With other images for the second network it
# would be $\sqrt{(0.24 + 0.16) / 10} = 0.2$.
#
# Let $x_i$ and $y_i$ be 1 where the first and the second network err, $n_{10}$ count the images on which only the first
# does, $n_{01}$ only the second. The difference is $(n_{10} - n_{01}) / n$. The square of $x_i - y_i$
# is 1 on $n_{10} + n_{01}$ images. So the variance of one image is $(n_{10} + n_{01}) / n - (n_{10} - n_{01})^2 / n^2$,
# and that of the mean is a fraction $1/n$ of it:
#
# $$
# \mathrm{SE}_{x - y}^2 = \frac{1}{n^2} \Big( n_{10} + n_{01} - \frac{(n_{10} - n_{01})^2}{n} \Big) .
# $$ (eq-cnn-paired)
#
# Images on which both err, or neither, add nothing: shared mistakes make the comparison sharper. A difference beyond
# two of these standard errors happens to equally good networks about once in twenty times. (McNemar's test
# {cite}`mcnemar1947note` is the same, but for the last term, which is 0 when the two are equal.)
#
# The records hold a digit per test image: the lowest severity at which it is not recognised, 0 if not even when clean,
# 6 if at all of them. So $x$ is known exactly for clean images, and for the statement "failed at severity 3 or before".


# %%
def parts(x, y):  # bool [n], [n] → on how many only the first errs, only the second
    return np.sum(x & ~y), np.sum(~x & y)


def paired_se(x, y):
    n, (n_10, n_01) = len(x), parts(x, y)
    return np.sqrt(n_10 + n_01 - (n_10 - n_01) ** 2 / n) / n


def in_errors(x, y):  # the difference, in its standard errors
    return (x.mean() - y.mean()) / paired_se(x, y)


# %% tags=["hide-input"]
def failures(run, corruption):  # the digits, one for each image: [10000]
    return np.array(list(runs[run]["first_failure"][corruption]), dtype=int)


def failed(run, severity):  # of blur, then or before: bool [10000]
    return failures(run, "gaussian_blur") <= severity


def draw_pairs():
    fig, ax = plt.subplots(figsize=(4.2, 2.8))
    ax.add_patch(plt.Rectangle((-0.2, -2), 5.4, 4, **GREY))
    for first, second in combinations(seeds, 2):
        apart = [in_errors(failed(first, s), failed(second, s)) for s in SEVERITIES]
        ax.plot(SEVERITIES, apart, label=f"seeds {first[-1]} and {second[-1]}")
    ax.set(xlabel="failed by severity s of blur (0: clean)", ylim=(-11, 6))
    ax.set(ylabel="difference / standard error")
    ax.legend(loc="lower left")
    return fig


display.show(
    draw_pairs(),
    alt="Differences of the three pairs of ResNet-18's seeds, in standard errors, against "
    "severity of blur. Clean and at severity 1 all lie within plus or minus 2; from "
    "severity 2 on the pairs with the third seed lie far below.",
    caption="Pairs of one architecture that differ in their seed alone. Within the "
    "grey band equal networks would be nineteen times in twenty.",
)


# %% tags=["check"]
def cases():
    for n in (2, 4, 5):
        x, y = rng.random((2, n)) < 0.5
        again = np.array(list(product(range(n), repeat=n)))  # all ways to draw n images
        x[:2], y[:2] = True, (False, True)
        yield paired_se(x, y), np.std(x[again].mean(axis=1) - y[again].mean(axis=1))


verify.equal(
    "eq-cnn-paired", cases(), atol=1e-12, against="all ways to draw n images anew"
)


# %% tags=["hide-input"]
PAIRS = [(seeds[0], seeds[1], "clean", 0), (seeds[0], seeds[2], "clean", 0)]
PAIRS += [(seeds[0], "resnet34", "clean", 0), ("vgg11", "vgg11_bn", "clean", 0)]
PAIRS += [("resnet20_noise", "resnet20", "clean", 0)]
PAIRS += [(seeds[0], seeds[2], "blur, by 3", 3)]


def unpaired_se(x, y):  # of the difference, had each network images of its own
    return np.sqrt((x.var() + y.var()) / len(x))  # E (1 − E), as x is 0 or 1


def compared(first, second, what, severity):
    x, y = failed(first, severity), failed(second, severity)
    n_10, n_01 = parts(x, y)
    return {
        "first": first,
        "second": second,
        "failed": what,
        "n₁₀": n_10,
        "n₀₁": n_01,
        "difference": f"{100 * (n_10 - n_01) / len(x):.2f}".replace("-", "−"),
        "SE": f"{100 * paired_se(x, y):.2f}",
        "unpaired": f"{100 * unpaired_se(x, y):.2f}",
        "in SE": f"{in_errors(x, y):.1f}".replace("-", "−"),
    }


display.table(compared(*pair) for pair in PAIRS)
x, y = failed(seeds[0], 0), failed(seeds[1], 0)
display.glue("cnn-rob-pairing", percent(1 - paired_se(x, y) / unpaired_se(x, y), 0))
x, y = failed(seeds[0], 3), failed(seeds[2], 3)
display.glue("cnn-rob-z-blur", f"{abs(in_errors(x, y)):.0f}")

# %% [markdown]
# (Differences and standard errors in points.) For the first pair pairing takes {glue:text}`cnn-rob-pairing` off the
# standard error. And look at the last line: two ResNet-18 that differ in nothing but their seed part by
# {glue:text}`cnn-rob-z-blur` standard errors under blur. The test is right: those two *sets of weights* are not equally
# good on images of this kind. It says nothing of architectures. *A test over images cannot replace seeds.*
#
# ## What depth and batch norm do
#
# So the yardstick for architectures is the spread of seeds. Here are differences of two, in errors averaged over the
# five severities, and over the three seeds of ResNet-18:


# %% tags=["hide-input"]
yard = 2 * means.std(axis=0, ddof=1)
DIFFERENCES = {
    "ResNet-34 − ResNet-18": mean_errors("resnet34") - means.mean(axis=0),
    "VGG-11-BN − VGG-11": mean_errors("vgg11_bn") - mean_errors("vgg11"),
}


def draw_differences():
    fig, ax = plt.subplots(figsize=(4.2, 3.0))
    for i, half in enumerate(100 * yard):
        ax.add_patch(plt.Rectangle((i - 0.4, -half), 0.8, 2 * half, **GREY))
    for j, (name, row) in enumerate(DIFFERENCES.items()):
        place = np.arange(5) + 0.3 * j - 0.15
        ax.plot(place, 100 * row, ls="", marker="os"[j], ms=6, label=name)
    ax.axhline(0, color=display.INK, lw=0.8, marker="")
    ax.set(xticks=range(5), xticklabels=COLUMNS, ylabel="difference in error (points)")
    ax.set(xlim=(-0.5, 4.5), ylim=(-4, 7))
    ax.legend(loc="upper right")
    return fig


display.show(
    draw_differences(),
    alt="Two differences in error, clean and under four corruptions, with grey boxes of "
    "two spreads around 0. ResNet-34 less ResNet-18 lies within the box but for noise, "
    "where it lies far below. VGG-11-BN less VGG-11 lies below the box clean and with "
    "contrast, far above it under noise, and within it under blur and JPEG.",
    caption="With more layers one difference lies outside its box, with batch norm "
    "three do. The grey boxes are two spreads of ResNet-18's three seeds around 0.",
)


def points(value, limit=0.0):
    text = f"{100 * value:+.1f}".replace("-", "−")
    return text if abs(value) >= limit else f"({text})"


rows = [
    {"difference": name} | dict(zip(COLUMNS, map(points, row, yard), strict=True))
    for name, row in DIFFERENCES.items()
]
rows.append(
    {"difference": "2 spreads of ResNet-18"}
    | {h: f"{100 * y:.1f}" for h, y in zip(COLUMNS, yard, strict=True)}
)
display.table(rows)
for head, value in zip(COLUMNS, DIFFERENCES["VGG-11-BN − VGG-11"], strict=True):
    display.glue(f"cnn-rob-bn-{head}", f"{100 * abs(value):.1f}")
depth = DIFFERENCES["ResNet-34 − ResNet-18"][1]
m, v = 2 * abs(depth) / yard[1], 4 / 3  # one run, and the mean of three
depth_luck = 1 - 1 / np.sqrt(1 + 2 * v / m**2)  # eq-cnn-yardstick
display.glue("cnn-rob-depth-noise", f"{100 * abs(depth):.1f}")
display.glue("cnn-rob-depth-spreads", f"{2 * abs(depth) / yard[1]:.0f}")
display.glue("cnn-rob-depth-luck", percent(depth_luck, 0))
display.glue("cnn-rob-depth-any", percent(1 - (1 - depth_luck) ** 5, 0))
lr = {
    run: records.load("cifar10", run)["parameters"]["learning_rate"]
    for run in ("vgg11", "vgg11_bn")
}
for run, rate in lr.items():
    display.glue(f"cnn-rob-lr-{run}", f"{rate:g}")

# %% [markdown]
# *Depth.* From 18 layers to 34 nothing changes, but for {glue:text}`cnn-rob-depth-noise` points less under noise. These
# are {glue:text}`cnn-rob-depth-spreads` spreads, which by {eq}`eq-cnn-yardstick` luck passes in
# {glue:text}`cnn-rob-depth-luck` of cases, and in {glue:text}`cnn-rob-depth-any` somewhere in five independent columns.
# From one seed that is a hint, not a finding: noise would be the place to look, with more seeds.
#
# *Batch norm.* VGG-11-BN is better by {glue:text}`cnn-rob-bn-clean` points on clean images and by
# {glue:text}`cnn-rob-bn-contrast` with little contrast, and worse by {glue:text}`cnn-rob-bn-noise` under noise: several
# times the yardstick. Blur and JPEG show no difference. But batch norm is not all that differs. Without it the network
# trained at a learning rate of {glue:text}`cnn-rob-lr-vgg11` instead of {glue:text}`cnn-rob-lr-vgg11_bn`. The
# comparison is of two *recipes*, one seed each.

# %% [markdown]
# :::{exercise} Five networks
# :label: ex-cnn-five-networks
# Train VGG-11, VGG-11 with batch norm, ResNet-34 and DenseNet-121 as you trained ResNet-18 in
# {ref}`ex-cnn-resnet18-severity`, and report CE and RCE, {eq}`def-cnn-corruption-errors`, for the four corruptions.
# What do architecture, depth and batch norm do? Write `ce_and_rce(errors, baselines)`, which returns both numbers:
# `errors` are six error rates of the network, clean first, `baselines` an array `[seeds, 6]` of the baseline's, whose
# mean is the denominator.
# :::

# %% [markdown] tags=["solution"]
# :::{solution-start} ex-cnn-five-networks
# :class: dropdown
# :::
# The two tables of {doc}`robustness` hold the numbers. *Architecture*: both VGGs have fewer errors on clean images than
# ResNet-18, ResNet-34 and DenseNet-121, with less contrast too, and many more under noise: CE and RCE above 1 by many
# spreads.
# Under JPEG their CE is below 1 and their RCE far above, because their clean error is low. DenseNet-121 has fewer clean
# errors than ResNet-18; with little contrast it is better in both measures, in RCE under noise and JPEG worse.
# *Depth*: ResNet-34 differs under noise alone, by several spreads, from one seed. *Batch norm*: better clean and with
# little contrast, worse under noise; and its partner was trained at another rate. All are one seed each.


# %% tags=["solution"]
def ce_and_rce(errors, baselines):
    errors, baseline = np.asarray(errors), np.mean(baselines, axis=0)
    added, baseline_added = errors[1:] - errors[0], baseline[1:] - baseline[0]
    return errors[1:].sum() / baseline[1:].sum(), added.sum() / baseline_added.sum()


# %% [markdown] tags=["solution"]
# :::{solution-end}
# :::

# %%
exercises.check("cnn/robust_networks/ce_and_rce", ce_and_rce)

# %% [markdown]
# ## A small denominator
#
# {doc}`robustness` also measured RCE, {eq}`def-cnn-corruption-errors`: what a corruption adds to the errors of a
# network, over what it adds to those of the baseline, ResNet-18. Where that is next to nothing, the ratio is blown up.
# Mild blur is such a case:


# %% tags=["hide-input"]
def draw_small_denominator():
    fig, ax = plt.subplots(figsize=(4.2, 3.0))
    B = resnet18("gaussian_blur")
    added = B[:, 1:] - B[:, :1]  # [3, 5]
    own = added / added.mean(axis=0)
    band = own.min(axis=0), own.max(axis=0)
    ax.fill_between(range(1, 6), *band, **GREY, label="ResNet-18's seeds")
    for run in ("vgg11", "vgg11_bn", "densenet121"):
        E = rates(run, "gaussian_blur")
        ax.plot(range(1, 6), (E[1:] - E[0]) / added.mean(axis=0), label=NETWORKS[run])
    ax.axhline(1, color=display.INK, lw=0.8, marker="")
    ax.set(xlabel="severity", ylabel="RCE of this severity alone", xticks=range(1, 6))
    ax.legend()
    return fig


display.show(
    draw_small_denominator(),
    alt="RCE of single severities of blur, over the mean of ResNet-18's three seeds. At "
    "severity 1 the networks lie far apart, and the band of the three seeds themselves "
    "goes from below zero to far above 1; from severity 2 on all are near 1.",
    caption="Blur, one severity at a time, denominator the mean of ResNet-18's three "
    "seeds. At severity 1 it is nearly zero: even the seeds against their own mean reach "
    "from below zero to far above one.",
)
n_01 = np.array([np.sum(failures(run, "gaussian_blur") == 1) for run in seeds])
added = resnet18("gaussian_blur")[:, 1] - means[:, 0]  # severity 1 less clean
n_10 = n_01 - np.rint(added * 10_000)
own_se = np.sqrt(n_01 + n_10 - (n_01 - n_10) ** 2 / 10_000) / 10_000
vgg = rates("vgg11", "gaussian_blur")[1] - runs["vgg11"]["test_error"]
for i in range(3):
    own = f"{100 * added[i]:.2f} ± {100 * own_se[i]:.2f}".replace("-", "−")
    display.glue(f"cnn-rob-mild-{i}", own)
    display.glue(f"cnn-rob-mild-rce-{i}", f"{vgg / added[i]:.1f}".replace("-", "−"))

# %% [markdown]
# Mild blur makes some hundred images wrong, and not many fewer right again. What it adds to the errors of the three
# seeds is {glue:text}`cnn-rob-mild-0`, {glue:text}`cnn-rob-mild-1` and {glue:text}`cnn-rob-mild-2` points, with the
# standard errors of {eq}`eq-cnn-paired`: in two of them nothing that could be told from zero. Over each seed alone the
# RCE of VGG-11 would be {glue:text}`cnn-rob-mild-rce-0`, {glue:text}`cnn-rob-mild-rce-1` and
# {glue:text}`cnn-rob-mild-rce-2`. Summed over five severities the denominator is far from zero, and all is well; a
# table of milder corruptions would be worth nothing in RCE. `helpers` refuses a denominator that is not positive. It
# cannot know when one is only luck.

# %% [markdown]
# ## What it says instead
#
# An error rate does not tell what the network says when it is wrong. A {term}`confusion matrix` does: row, the true
# class; column, what was said; entries in percent of the row (those below 5 left out). The last row is how often each
# class was said at all.


# %% tags=["hide-input"]
def confusion(which):  # [10, 10], the mean of ResNet-18's three, fractions of the row
    kept = [runs[run]["confusion"] for run in seeds]
    tables = [k["clean"] if which == "clean" else k["course"][which] for k in kept]
    return np.mean(tables, axis=0) / 1000


CLASSES = data.CIFAR10_CLASSES
FRAMES = {"clean": "clean"} | {word: c for c, word in WORDS.items()}


def draw_confusion(word):
    M = confusion(FRAMES[word])
    M = np.vstack([M, M.mean(axis=0)])
    fig, ax = plt.subplots(figsize=(4.2, 4.4))
    for i, j in np.ndindex(M.shape):
        y = i + 0.3 * (i == 10)
        if M[i, j] < 0.05:
            continue
        hue = display.COLORS[0 if i == j else 1] if i < 10 else display.COLORS[2]
        tile = {"fc": hue, "alpha": 0.3 * min(1, 1.5 * M[i, j]), "lw": 0}
        ax.add_patch(plt.Rectangle((j, y), 1, 1, **tile))
        ax.text(j + 0.5, y + 0.5, f"{100 * M[i, j]:.0f}", ha="center", va="center")
    ax.set(xlim=(0, 10), ylim=(11.3, 0), xticks=np.arange(10) + 0.5)
    ax.set(yticks=[*np.arange(10) + 0.5, 10.8], yticklabels=[*CLASSES, "said"])
    ax.set_xticklabels([name[:5] for name in CLASSES], rotation=60)
    ax.set(title=word if word == "clean" else f"{word}, severity 5")
    ax.tick_params(length=0)
    ax.grid(False)
    return fig


def describe(word):
    M = confusion(FRAMES[word])
    said = M.mean(axis=0)
    return (
        f"Confusion matrix of ResNet-18, {word}: the diagonal has a mean of "
        f"{100 * np.diag(M).mean():.0f} percent; said most often is "
        f"{CLASSES[said.argmax()]}, {100 * said.max():.0f} percent of all answers."
    )


display.slider(
    draw_confusion,
    list(FRAMES),
    label="images",
    alt=describe,
    caption="ResNet-18, mean of three seeds, in percent of the true class: clean, and at "
    "severity 5. Spoilt, the answers gather in few columns; least so under JPEG.",
    start="noise",
)
noise, blur = confusion("gaussian_noise"), confusion("gaussian_blur")
display.glue("cnn-rob-frog-recall", percent(noise[6, 6], 0))
said = [
    np.mean(runs[r]["confusion"]["course"]["gaussian_noise"], 0) / 10 for r in seeds
]
said = sorted(each[6] for each in said)  # in percent, for each of the three seeds
display.glue("cnn-rob-frog-said", f"{said[0]:.0f} to {said[-1]:.0f} %")
recalled = np.diag(confusion("clean"))
display.glue("cnn-rob-hardest", CLASSES[recalled.argmin()])
display.glue("cnn-rob-hardest-recall", percent(recalled.min(), 0))
display.glue("cnn-rob-frog-precision", percent(noise[6, 6] / noise[:, 6].sum(), 0))
display.glue("cnn-rob-cat-said", percent(blur.mean(axis=0)[3], 0))

# %% [markdown]
# The frog of {doc}`robustness` is back. Under the strongest noise {glue:text}`cnn-rob-frog-said` of *all* images are
# called a frog, depending on the seed, and under the strongest blur {glue:text}`cnn-rob-cat-said` a cat, in the mean of
# the three. So a rate per class must be read with care: of the frogs, {glue:text}`cnn-rob-frog-recall` are recognised
# under noise, more than clean. Frogs are not robust; the answer is. Of those called a frog,
# {glue:text}`cnn-rob-frog-precision` are. What the network makes of noise is a *default answer*, the same for all three
# seeds; the cat of {doc}`robustness` got it from another network.

# %% [markdown]
# :::{exercise} The default answer
# :label: ex-cnn-default-answer
# The *recall* of a class is the part of its images that are recognised. Its *precision* is the part that belongs to it,
# of all images that were called by its name. Write `recall_and_precision(M)`, two arrays `[K]`, for a matrix of
# *counts* `[K, K]` (row: true class, column: answer) in which no row and no column is empty. A network says frog to
# four of five images, whatever they show. What are recall and precision of its frogs, with ten classes of one size?
# :::

# %% [markdown] tags=["solution"]
# :::{solution-start} ex-cnn-default-answer
# :class: dropdown
# :::
# Recall divides the diagonal by the sums of the rows, precision by those of the columns. Of the frogs four of five are
# called frogs: a recall of 0.8. Of all that are called frogs one in ten is one: a precision of 0.1, that of a blind
# guess. Recall alone rewards a default answer.


# %% tags=["solution"]
def recall_and_precision(M):
    right = np.diag(M)
    return right / M.sum(axis=1), right / M.sum(axis=0)


# %% [markdown] tags=["solution"]
# :::{solution-end}
# :::

# %%
exercises.check("cnn/robust_networks/recall_and_precision", recall_and_precision)

# %% [markdown]
# ## Which images fail first
#
# Clean, the class with the most mistakes is the {glue:text}`cnn-rob-hardest`: {glue:text}`cnn-rob-hardest-recall` of
# them are recognised. The digits tell it image by image. They also show that more severe is not, for each image,
# harder: {glue:text}`cnn-rob-gap` of the accuracy at severity 5 of JPEG are images that were missed at a milder one,
# or clean.
#
# Do networks fail on the same images? Nine of them are in the records. If they erred independently, each with its own
# rate $E$, the number that err on an image would be a sum of nine coins. Each network multiplies a polynomial by
# $(1 - E) + E t$; in the product the coefficient of $t^k$ is the probability that $k$ of the nine err. And
# multiplying polynomials is a convolution of their coefficients, of two weights each.


# %%
wrong = np.array([failures(run, "jpeg") == 0 for run in runs])  # clean: [9, 10000]
found = np.bincount(wrong.sum(axis=0), minlength=10)  # missed by 0, …, 9 networks
independent = np.ones(1)
for E in wrong.mean(axis=1):
    independent = np.convolve(independent, [1 - E, E])
expected = 10_000 * independent  # [10]


print("first ten test images, noise:", failures(seeds[0], "gaussian_noise")[:10])


# %% tags=["hide-input"]
def draw_together():
    fig, ax = plt.subplots(figsize=(4.2, 2.8))
    ax.plot(range(10), np.maximum(found, 0.1), "o-", label="found")
    shown = expected > 0.1
    ax.plot(np.arange(10)[shown], expected[shown], "s--", label="if independent")
    ax.set(yscale="log", xlabel="networks that err on an image", ylabel="images")
    ax.set(xticks=range(10))
    ax.minorticks_off()
    ax.legend()
    return fig


display.show(
    draw_together(),
    alt="On a logarithmic scale, how many clean test images are wrong for so many of "
    "nine networks. Found: thousands for none, then falling slowly to some hundreds "
    "for nine. If independent: fewer for none, more for one to three, below one from "
    "seven on.",
    caption="Nine networks on 10,000 clean test images. Many images are missed by none, "
    "and hundreds by all: networks fail on the same ones.",
)
digits = np.array([failures(run, "jpeg") for run in seeds])
gap = 1 - resnet18("jpeg").mean(axis=0)[5] - np.mean(digits == 6)
display.glue("cnn-rob-gap", f"{100 * gap:.1f} points")
display.glue("cnn-rob-all", f"{found[9]}")
display.glue("cnn-rob-none", f"{found[0]:,}")
display.glue("cnn-rob-none-expected", f"{expected[0]:,.0f}")

# %% [markdown]
# All nine miss {glue:text}`cnn-rob-all` images, where independence expects none, and none misses
# {glue:text}`cnn-rob-none`, where it expects {glue:text}`cnn-rob-none-expected`. Hard images are hard for all of them,
# whatever the architecture, which is why pairing helps.
#
# ## What a robust network pays
#
# Two small networks looked at one cat in {doc}`robustness`. `resnet20_noise` differs from `resnet20` in its training
# images alone: half of them had noise, of a standard deviation drawn from 0 to 0.25. What does it gain, and what does
# it pay? Here are both, with ResNet-18 and its band, under two tables of severities. The tables differ in more than
# their numbers: `course` uses torchvision's operations, `cifar10c` those of {cite:t}`hendrycks2019corruptions`.


# %% tags=["hide-input"]
SMALL = {"resnet20": "ResNet-20", "resnet20_noise": "with noise"}


def draw_tables(word):
    corruption = {word: c for c, word in WORDS.items()}[word]
    figures, axes = display.panels(*[(3.3, 3.0)] * 2)
    for ax, table in zip(axes, ("course", "cifar10c"), strict=True):
        B = 100 * resnet18(corruption, table)
        ax.plot(SEVERITIES, B.mean(axis=0), label="ResNet-18")
        ax.fill_between(
            SEVERITIES, B.min(0), B.max(0), color=display.COLORS[0], alpha=0.3, lw=0
        )
        for run, name in SMALL.items():
            ax.plot(SEVERITIES, 100 * rates(run, corruption, table), label=name)
        ax.set(title=f"{word}, {table}", xlabel="severity", ylim=(0, 100))
        ax.set(yticks=(0, 50, 100))
    axes[0].set(ylabel="test error (%)")
    axes[1].legend(loc="upper left", frameon=False)
    return figures


display.slider(
    draw_tables,
    list(WORDS.values()),
    label="corruption",
    alt=lambda word: (
        f"Test error against severity under {word}, left the table course, right "
        "cifar10c: ResNet-18, ResNet-20 and ResNet-20 trained with noise. "
        + {
            "noise": "Trained with noise it rises little, the plain one steeply.",
            "blur": "All three rise together; the plain ResNet-20 ends highest.",
            "contrast": "The plain ResNet-20 is lowest at all severities.",
            "JPEG": "Clean, that trained with noise is a little above the plain one; "
            "from severity 1 on it is below.",
        }[word]
    ),
    caption="Error under both tables of severities (0: clean). ResNet-18 is the mean of "
    "three seeds with its band, the two ResNet-20 are one seed each.",
)

# %% tags=["hide-input"]
HEADER_2 = [
    ("clean", ""),
    *((table, word) for table in ("course", "cifar10c") for word in WORDS.values()),
]


def both_tables(run):  # clean, and the means over five severities: [9]
    return np.append(mean_errors(run), mean_errors(run, "cifar10c")[1:])


plain, robust = both_tables("resnet20"), both_tables("resnet20_noise")
limits = 2 * np.std([both_tables(run) for run in seeds], axis=0, ddof=1)
rows = [
    {("", "mean error (%)"): name}
    | {h: f"{100 * v:.1f}" for h, v in zip(HEADER_2, row, strict=True)}
    for name, row in (("ResNet-20", plain), ("with noise", robust))
]
gain = [points(d, limit) for d, limit in zip(robust - plain, limits, strict=True)]
rows.append(
    {("", "mean error (%)"): "difference"} | dict(zip(HEADER_2, gain, strict=True))
)
display.table(rows)
x, y = failed("resnet20_noise", 0), failed("resnet20", 0)
display.glue(
    "cnn-rob-pays", f"{100 * (robust - plain)[0]:.1f} ± {100 * paired_se(x, y):.1f}"
)
display.glue("cnn-rob-pays-z", f"{in_errors(x, y):.0f}")
display.glue("cnn-rob-pays-yard", f"{(robust - plain)[0] / limits[0] * 2:.0f}")
display.glue("cnn-rob-gains", f"{100 * (plain - robust)[1]:.0f}")

# %% [markdown]
# On clean images it pays {glue:text}`cnn-rob-pays` points ({glue:text}`cnn-rob-pays-z` standard errors by
# {eq}`eq-cnn-paired`), {glue:text}`cnn-rob-pays-yard` spreads of ResNet-18. Under noise it gains
# {glue:text}`cnn-rob-gains` points in the mean over the five severities of `course`, and in both tables it gains under
# blur and JPEG, which it never saw, though not at the two mildest blurs. With little contrast it loses: robustness
# against one corruption is not robustness. All of it from one seed each, with the spread of another network as the
# measure.

# %% [markdown]
# :::{exercise} When does it pay?
# :label: ex-cnn-break-even
# A part $\varphi$ of the images that a network will meet is spoilt, the rest is clean. From which $\varphi$ on is the
# robust network the better one? Write `break_even(plain_clean, plain_spoilt, robust_clean, robust_spoilt)` in error
# rates, for a robust network that is worse on clean images and better on spoilt ones; work it out for noise at severity
# 3.
# :::

# %% [markdown] tags=["solution"]
# :::{solution-start} ex-cnn-break-even
# :class: dropdown
# :::
# The error of a network is $(1 - \varphi) E_0 + \varphi E_s$, linear in $\varphi$. Clean it loses $a$ (the difference
# of the clean rates), spoilt it gains $b$: even when $(1 - \varphi)\, a = \varphi\, b$, so $\varphi = a / (a + b)$.


# %% tags=["solution"]
def break_even(plain_clean, plain_spoilt, robust_clean, robust_spoilt):
    loses, gains = robust_clean - plain_clean, plain_spoilt - robust_spoilt
    return loses / (loses + gains)


first, second = (rates(run, "gaussian_noise") for run in ("resnet20", "resnet20_noise"))
share = break_even(first[0], first[3], second[0], second[3])
print(f"noise of severity 3: from {share:.1%} of the images on")

# %% [markdown] tags=["solution"]
# :::{solution-end}
# :::

# %%
exercises.check("cnn/robust_networks/break_even", break_even)

# %% [markdown]
# ## What was shown
#
# - All on CIFAR-10: networks fail on the same images, hundreds of which all nine of ours miss clean. So a comparison on
#   the same images is sharper, {eq}`eq-cnn-paired`. It does not replace seeds: under blur two ResNet-18 part by
#   {glue:text}`cnn-rob-z-blur` standard errors.
# - Depth showed a difference under noise alone, from one seed. Batch norm, with its higher learning rate, went with
#   fewer errors on clean images and with more under noise, one seed each.
# - RCE is worth nothing where the baseline loses next to nothing, as under the mildest blur.
# - Spoilt images are not guessed at random: under the strongest noise all three ResNet-18 give most of them one answer.
# - Noise in training cost a little clean, gained much under noise, and lost with little contrast; one seed each.

# %% [markdown]
# ## Exercises

# %% [markdown]
# :::{exercise} What they share
# :label: ex-cnn-shared-mistakes
# Let $E$ and $E'$ be the error rates of two networks on the same $n$ images, and let both err on $n_{11}$ of them.
# Write the square of {eq}`eq-cnn-paired` in $E$, $E'$, $n_{11}$ and $n$. When is it that of two networks on images of
# their own, and when is it larger?
# :::

# %% [markdown] tags=["solution"]
# :::{solution-start} ex-cnn-shared-mistakes
# :class: dropdown
# :::
# Only the first errs on $n_{10} = n E - n_{11}$ images, only the second on $n_{01} = n E' - n_{11}$, and
# $(n_{10} - n_{01}) / n = E - E'$. So $n\, \mathrm{SE}_{x-y}^2 = E + E' - 2 n_{11} / n - (E - E')^2$. Here
# $E - E^2 = E (1 - E)$, the same for $E'$, and $2 E E'$ is left:
# $n\, \mathrm{SE}_{x-y}^2 = E (1 - E) + E' (1 - E') - 2 \left( n_{11} / n - E E' \right)$.
#
# Without the last term it is that of images of their own. The term is 0 when they share as many mistakes as independent
# networks would in the mean, $n_{11} = n E E'$, and with fewer than these the standard error is larger. Two ResNet-18
# share many more:


# %% tags=["solution"]
first, second = failed(seeds[0], 0), failed(seeds[1], 0)
E, E_prime = first.mean(), second.mean()
n, n_11 = len(first), np.sum(first & second)
own = E * (1 - E) + E_prime * (1 - E_prime)
shared = n_11 / n - E * E_prime
print(f"both err on {n_11} images; if independent, on {n * E * E_prime:.0f}")
for squared in (own - 2 * shared, own):
    print(f"SE {100 * np.sqrt(squared / n):.2f} points")

# %% [markdown] tags=["solution"]
# :::{solution-end}
# :::

# %% [markdown]
# ## Further reading
#
# - {cite:t}`dietterich1998tests` compares tests for two classifiers, McNemar's among them.
# - {cite:t}`ford2019adversarial` and {cite:t}`rusak2020simple` train with Gaussian noise and measure what else it
#   helps.
# - {cite:t}`hendrycks2019corruptions` count the errors of networks under corruptions of many more kinds than four.
