# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

# %% [markdown]
# # How bad is severity 3?
#
# Noise, blur, lost contrast and JPEG come in severities from 1 to 5. Is severity 3 of one as bad as severity 3 of
# another? To say so you need to know what each does to an image, and a measure that is the same for all.
#
# From {doc}`corruptions` you bring noise and blur, the two tables of severities, and the spectrum, which says how much
# of each wave is in an image. This chapter takes contrast and JPEG apart and then measures all four.
#
# Here is a cat under the four, at severity 3 of the table `course`, and below each copy what was done to it: the copy
# minus the image, where grey means that nothing changed.

# %% tags=["parameters"]
profile = "smoke"
seed = 0

# %% tags=["set-up"]
import io

from helpers import data, display, exercises, parameters, records, verify
from helpers.cnn import gallery
from helpers.cnn.corruptions import CORRUPTIONS, TABLES, corrupt
from helpers.cnn.gallery import SHORT, thumbnail

import matplotlib.pyplot as plt
import networkx as nx
import numpy as np
import skimage.data
import torch
from PIL import Image
from scipy.fft import dct
from sklearn.datasets import load_sample_image

parameters.check(globals(), profile=("smoke", "full"), seed=range(2**31))
display.use_book_style()
rng = np.random.default_rng(seed)
load = data.photo_patches if profile == "smoke" else data.cifar10
images = load("test")[0][:1000]  # uint8 [M, 3, 32, 32]
SEVERITIES = range(6)


# %% tags=["hide-input"]
cat = thumbnail(skimage.data.chelsea(), 0, 75, 300)
coffee = thumbnail(skimage.data.coffee(), 0, 150, 400)
dahlia = thumbnail(load_sample_image("flower.jpg"), 0, 130, 427)
astronaut = thumbnail(skimage.data.astronaut(), 0, 0, 512)


def spoil(x, name, severity, table="course"):
    """Corrupted copies, with severity 0 for the images themselves."""
    generator = torch.Generator().manual_seed(seed)
    return corrupt(x, name, severity, table, generator) if severity else x


def draw_changes():
    figures = []
    for name in CORRUPTIONS:
        fig, (copy, change) = plt.subplots(2, 1, figsize=(1.6, 3.2))
        spoilt = spoil(cat, name, 3)[0]
        gallery.pixels(copy, spoilt)
        less = spoilt.astype(int) - cat[0]
        gallery.pixels(change, np.uint8(np.clip(128 + 2 * less, 0, 255)))
        copy.set(title=SHORT[name])
        figures.append(fig)
    return figures


display.show(
    draw_changes(),
    alt="Four copies of a cat's face and, below each, its change. That of noise is strong "
    "grains all over; of blur, thin lines along fur, eyes and nose; of contrast, a "
    "bluish negative of the whole face; of JPEG, weaker patches of many colours, "
    "strongest at the eyes.",
    caption="Severity 3 four times, and what it changed, twice as strong as it is. "
    "Noise changes all alike, blur the edges, contrast what is dark or bright, JPEG a "
    "little of everything.",
)

# %% [markdown]
# As before, $x$ is a pixel or an image in grey levels, 0 to 255, and $y$ what becomes of it; $q$ is the standard
# deviation of noise, where white is 1, $\ell$ the width of a blur in pixels, and $c$ the contrast that is left.

# %% [markdown]
# ## Contrast
#
# Three pixels $(40, 100, 160)$ have the mean 100. Leave half of the contrast: each goes half of the way to the mean,
# $(70, 100, 130)$.
#
# $$
# y = c\, x + (1 - c)\, \langle x \rangle
# $$ (def-cnn-contrast)
#
# Let the mean $\langle x \rangle$ be that of the $n$ pixels of a channel, as in `cifar10c`. As a matrix this is
# $c\, I + (1 - c)\, \frac1n \mathbf{1} \mathbf{1}^\top$. The second part is the mean, which is mode 0 of the Fourier
# modes and nothing else: every other wave sums to zero. With $\hat x = \Phi^* x$, as in {doc}`corruptions`,
#
# $$
# \hat y_0 = \hat x_0 , \qquad \hat y_k = c\, \hat x_k \quad (k \ne 0) .
# $$ (eq-cnn-contrast-modes)
#
# Blur treats waves by their length, contrast all alike but the constant one: in the picture its curve moves down and
# keeps its form. (The spectra on this page are means over {glue:text}`cnn-sev-images` {glue:text}`cnn-sev-source`, as
# on the page before: without their mean, and faded out towards the borders.)

# %% tags=["hide-input"]
display.glue("cnn-sev-images", f"{len(images):,}")
display.glue(
    "cnn-sev-source",
    "patches of ten photographs" if profile == "smoke" else "test images of CIFAR-10",
)


def spectrum(x):  # [M, 3, n, n] → [n / 2]: mean power of waves of like length
    n = x.shape[-1]
    window = np.hanning(n + 2)[1:-1]
    faded = (x - x.mean(axis=(-2, -1), keepdims=True)) * np.outer(window, window)
    power = np.abs(np.fft.fft2(faded, norm="ortho")) ** 2
    power = power.mean(axis=(0, 1)) / (window**2).mean() ** 2
    k = np.fft.fftfreq(n, 1 / n)
    ring = np.round(np.hypot(k[:, None], k)).astype(int)
    return np.array([power[ring == r].mean() for r in range(1, n // 2 + 1)])


def show_severities(name, what, photo, caption, start=3):
    spectra = [spectrum(spoil(images, name, s)) for s in SEVERITIES]
    display.slider(
        lambda s: gallery.draw(name, s, spoil(photo, name, s)[0], spectra),
        SEVERITIES,
        label="severity",
        alt=lambda s: gallery.words(name, s, what, spectra),
        caption=caption,
        start=start,
    )


# %%
def less_contrast(x, c):  # [..., h, w], each channel towards its own mean
    x_hat = np.fft.fft2(x)
    y_hat = c * x_hat
    y_hat[..., 0, 0] = x_hat[..., 0, 0]
    return np.fft.ifft2(y_hat).real


# %% tags=["hide-input"]
show_severities(
    "contrast",
    "A cup of coffee",
    coffee,
    "Contrast c multiplies the power of all waves by c squared. The curve moves down and "
    "keeps its form.",
)


# %% tags=["check"]
def cases():
    for shape in ((3, 4, 6), (2, 3, 32, 32)):
        x = rng.uniform(0, 255, shape)
        for c in (0.75, 0.3, 0.15):
            mean = x.mean(axis=(-2, -1), keepdims=True)
            yield less_contrast(x, c), (x - mean) * c + mean


verify.equal("eq-cnn-contrast-modes", cases(), atol=1e-10, against="pixel by pixel")

# %% [markdown]
# ### Towards which mean
#
# `course` has *one* mean for the three channels, that of the grey image, $\langle x \rangle_{\text{grey}} = 0.299\,
# \langle x \rangle_{\text{red}} + 0.587\, \langle x \rangle_{\text{green}} + 0.114\, \langle x \rangle_{\text{blue}}$.
# Take an image of one colour, $(200, 100, 50)$, and $c = 0.3$. `cifar10c` leaves it alone, as each channel *is* its
# mean. For `course`, the grey mean is $59.8 + 58.7 + 5.7 = 124.2$, and the channels become $0.3 \cdot 200 + 0.7 \cdot
# 124.2 = 146.9$, 116.9 and 101.9: most of the colour is gone. At the same $c$, each channel of `course` differs from
# that of `cifar10c` by one constant, $1 - c$ times the grey mean less its own.

# %%
colour = np.full((1, 3, 32, 32), np.array([200, 100, 50])[:, None, None], np.uint8)
for table, severity in (("course", 5), ("cifar10c", 4)):  # c = 0.3 in both
    print(f"{table:8}", corrupt(colour, "contrast", severity, table)[0, :, 0, 0])


# %% tags=["hide-input"]
def draw_colours():
    figures, axes = display.panels(*[(2.1, 2.3)] * 3)
    shown = {
        "clean": dahlia,
        "course": corrupt(dahlia, "contrast", 5),
        "cifar10c": corrupt(dahlia, "contrast", 4, "cifar10c"),
    }
    for ax, (name, image) in zip(axes, shown.items(), strict=True):
        gallery.pixels(ax, image[0])
        ax.set(title=name)
    return figures


display.show(
    draw_colours(),
    alt="A dahlia, clean, and with a contrast of 0.3 after both tables: course makes it "
    "grey, cifar10c keeps a greenish tint all over.",
    caption="A contrast of 0.3 twice. Towards one grey mean colours fade; towards the "
    "mean of each channel the mean colour stays.",
)


# %% [markdown]
# Both tables cut decimals off at last. In fractions of white, 200 can come out as 199.99..., and then it is 199.

# %% [markdown]
# ## JPEG
#
# JPEG {cite}`wallace1991jpeg` cuts an image into blocks of 8 × 8 pixels, writes each as a sum of waves, and keeps each
# coefficient only as a multiple of a step $Q_{kl}$. Take a flat block of value 140. JPEG subtracts 128, which leaves 12
# everywhere, and the constant wave has the coefficient $8 \cdot 12 = 96$. At quality 50 the step is 16: $96 = 6 \cdot
# 16$, nothing is lost. At quality 10 it is 80: $96/80 = 1.2$ is rounded to 1, and $80/8 + 128 = 138$ comes back.
#
# The waves are cosines, as the columns of
#
# $$
# \Psi_{uk} = \sqrt{\frac{1 + [\,k > 0\,]}{n}}\, \cos \frac{\pi k (u + \frac12)}{n} , \qquad n = 8 .
# $$ (def-cnn-dct)
#
# Where do they come from? They are the modes of a graph: eight pixels in a row, each joined to the next. Its Laplacian
# takes from twice the value of an inner pixel those of both neighbours. With $\alpha = \pi k / n$, $\cos\alpha(u -
# \tfrac12) + \cos\alpha(u + \tfrac32) = 2 \cos\alpha \cos\alpha(u + \tfrac12)$, so a cosine is multiplied by $2 - 2
# \cos\alpha$. At the first pixel a neighbour is missing. The cosine has the same value at $u = -1$ as at $u = 0$, so
# that neighbour would have added nothing; and likewise at the other end, as $\cos(\pi k + \alpha/2) = \cos(\pi k -
# \alpha / 2)$. With $L = D - A$ of {doc}`/gnn/modes`,
#
# $$
# L\, \Psi_{:,k} = \big( 2 - 2 \cos \tfrac{\pi k}{n} \big)\, \Psi_{:,k} , \qquad \Psi^\top \Psi = I .
# $$ (eq-cnn-dct-modes)
#
# The columns are orthogonal as $L$ is symmetric and its eigenvalues differ; their squares sum to $n$ for $k = 0$, else
# to $n / 2$, which the root scales to 1.


# %%
def dct_matrix(n):  # Ψ [n, n]
    u, k = np.arange(n)[:, None], np.arange(n)
    return np.sqrt((1 + (k > 0)) / n) * np.cos(np.pi * k * (u + 0.5) / n)


Psi = dct_matrix(8)
print(
    "the constant wave of a flat block of 12:",
    f"{(Psi.T @ np.full((8, 8), 12) @ Psi)[0, 0]:.0f}",
)


# %% tags=["hide-input"]
def draw_waves():
    figures, axes = display.panels(*[(1.65, 1.8)] * 4)
    for ax, k in zip(axes, (0, 1, 2, 7), strict=True):
        t = np.linspace(-0.5, 7.5, 81)
        wave = np.sqrt((1 + (k > 0)) / 8) * np.cos(np.pi * k * (t + 0.5) / 8)
        ax.plot(t, wave, "-", color=display.COLORS[1], marker="", lw=0.8)
        ax.vlines(range(8), 0, Psi[:, k], color=display.COLORS[0], lw=2)
        ax.plot(Psi[:, k], color=display.COLORS[0], ls="", marker="o")
        ax.axhline(0, color=display.INK, lw=0.8)
        ax.set(title=f"$k = {k}$", ylim=(-0.6, 0.6), xticks=(0, 7), yticks=(-0.5, 0.5))
    return figures


display.show(
    draw_waves(),
    alt="Four of the eight waves over eight pixels: constant; half a period of a "
    "cosine; a whole period; and one that changes its sign from each pixel to the "
    "next.",
    caption="Four columns of Ψ. All of them arrive level at both borders: mirrored "
    "there, they go on as the same wave.",
)


# %% tags=["check"]
def cases():
    for n in (2, 5, 8):
        L = nx.laplacian_matrix(nx.path_graph(n)).toarray()
        waves = dct_matrix(n)
        yield L @ waves, (2 - 2 * np.cos(np.pi * np.arange(n) / n)) * waves
        yield waves.T, dct(np.eye(n), axis=0, norm="ortho")
        yield waves.T @ waves, np.eye(n)


verify.equal("eq-cnn-dct-modes", cases(), atol=1e-12, against="networkx and scipy.fft")

# %% [markdown]
# In a block, one wave goes down and one across: $\hat X = \Psi^\top (X - 128)\, \Psi$. The steps $Q$ are written into
# the file. PIL takes those that the standard gives as an example for quality 50, and multiplies them by $2 -
# \text{quality}/50$ above that and by $50/\text{quality}$ below. For slow waves, at the top left, they are small:


# %%
def steps(quality):  # Q [8, 8], as PIL writes them
    file = io.BytesIO()
    Image.new("L", (8, 8)).save(file, "JPEG", quality=quality)
    return np.reshape(Image.open(file).quantization[0], (8, 8))


for quality in (10, 50, 90):
    print(f"quality {quality}, the waves across: {steps(quality)[0]}")

# %% [markdown]
# Divide, round, multiply, and go back. That is all that JPEG does to a grey image:
#
# $$
# Y = \Psi \Big( Q \odot \operatorname{round}\big( \hat X / Q \big) \Big) \Psi^\top + 128
# $$ (eq-cnn-jpeg)
#
# (with $/$ for each entry, and $Y$ rounded and cut to whole levels at last). A coefficient below half of its step is
# gone. Steps are large for fast waves, so these go first.


# %%
def blocks(X):  # [..., h, w] → [..., h/8, w/8, 8, 8]
    h, w = X.shape[-2:]
    return X.reshape(*X.shape[:-2], h // 8, 8, w // 8, 8).swapaxes(-3, -2)


def coefficients(X):  # blocks of grey levels → X_hat
    return Psi.T @ (X - 128.0) @ Psi


def jpeg_blocks(X, quality):  # [..., 8, 8] → [..., 8, 8]
    Q = steps(quality)
    Y = Psi @ (Q * np.round(coefficients(X) / Q)) @ Psi.T + 128
    return np.clip(np.round(Y), 0, 255)


grey_images = np.round(np.einsum("c,mchw->mhw", (0.299, 0.587, 0.114), images))


# %% tags=["hide-input"]
def kept(quality):  # of each coefficient, the part of the blocks that has it
    in_steps = coefficients(blocks(grey_images)) / steps(quality)
    return np.mean(np.round(in_steps) != 0, axis=(0, 1, 2))


def draw_kept():
    figures, axes = display.panels((3.3, 3.2), (3.3, 3.2))
    for ax, quality in zip(axes, (70, 10), strict=True):
        percent = np.round(100 * kept(quality))
        for k, m in np.argwhere(percent > 0):
            alpha = 0.3 * percent[k, m] / 100
            ax.add_patch(
                plt.Rectangle((m, k), 1, 1, fc=(display.COLORS[0], alpha), lw=0)
            )
            ax.text(m + 0.5, k + 0.5, f"{percent[k, m]:.0f}", ha="center", va="center")
        ax.set(xlim=(0, 8), ylim=(8, 0), aspect="equal", xticks=[], yticks=[])
        ax.set(xlabel="faster across", ylabel="faster down", title=f"quality {quality}")
        ax.grid(False)
    return figures


display.show(
    draw_kept(),
    alt=f"For each of the 64 coefficients, how often it is not rounded to zero: at "
    "quality "
    f"70 on average {64 * kept(70).mean():.1f} of 64 are left in a block, at quality 10 "
    f"{64 * kept(10).mean():.1f}, almost all at the top left.",
    caption="In how many per cent of the blocks a coefficient is kept, the constant wave "
    "at the top left. Where no number stands, in less than half a per cent.",
)


# %% tags=["check"]
def cases():
    for quality in (10, 30, 50):
        apart = []
        for X in grey_images[:60].astype(np.uint8):
            file = io.BytesIO()
            Image.fromarray(X).save(file, "JPEG", quality=quality)
            theirs = blocks(np.asarray(Image.open(file)))
            # PIL computes the waves in whole numbers. Where a coefficient lies within
            # a quarter of the middle between two steps, it may fall to the other side.
            in_steps = np.abs(coefficients(blocks(X))) / steps(quality)
            gap = np.abs(in_steps % 1 - 0.5) * steps(quality)
            clear = (gap > 0.25).all(axis=(-2, -1))
            if clear.any():
                ours = jpeg_blocks(blocks(X), quality)[clear]
                apart.append(np.mean(ours - theirs[clear]))
                yield ours, theirs[clear].astype(float)
        yield 20 * np.mean(apart), 0.0  # in the mean a twentieth of a level at most


verify.equal("eq-cnn-jpeg", cases(), atol=1, against="PIL, block by block")

# %% tags=["hide-input"]
show_severities(
    "jpeg",
    "An astronaut",
    astronaut,
    "JPEG drops what is weak, so the power hardly falls, and mostly that of fast "
    "waves. The eye sees more: the borders of the blocks.",
    start=5,
)

# %% [markdown]
# Colour goes the same way after one more step: brightness and two differences of colour are stored in place of red,
# green and blue, and PIL halves the resolution of the two. An image of 32 pixels has 4 × 4 blocks of brightness, and
# 2 × 2 blocks of each difference of colour.
#
# How far is the result from the image? $\Psi$ is orthogonal and keeps lengths, so the squared errors of the pixels sum
# to those of the coefficients: at most $(Q_{kl}/2)^2$ for one that is kept, and all of it for one that is dropped.

# %% [markdown]
# ## Severity 3 is not severity 3
#
# So how bad is each? Measure how far a copy $y$ is from the image $x$, over its $n$ numbers: by the root of the mean
# squared error, and by what is made of it in decibels, the *peak signal-to-noise ratio*,
#
# $$
# \operatorname{RMSE} = \frac{\lVert y - x \rVert}{\sqrt n} , \qquad
# \operatorname{PSNR} = 20 \log_{10} \frac{255}{\operatorname{RMSE}} .
# $$ (def-cnn-psnr)


# %%
def rmse(y, x):  # [M, 3, H, W] twice → [M]
    return np.sqrt(((y.astype(float) - x) ** 2).mean(axis=(1, 2, 3)))


def psnr(error):
    return 20 * np.log10(255 / error)


# %% tags=["hide-input"]
distances = {
    (table, name): np.stack(
        [rmse(spoil(images, name, s, table), images) for s in range(1, 6)]
    )
    for table in TABLES
    for name in CORRUPTIONS
}  # each [5, M]


def draw_distances():
    figures, axes = display.panels((3.3, 3.3), (3.3, 3.3))
    for ax, table in zip(axes, TABLES, strict=True):
        for number, name in enumerate(CORRUPTIONS):
            found = distances[table, name]
            color = {"color": display.COLORS[number]}
            ax.plot(range(1, 6), np.median(found, axis=1), label=SHORT[name], **color)
            low, high = np.quantile(found, (0.1, 0.9), axis=1)
            at = np.arange(1, 6) + 0.08 * (number - 1.5)
            ax.vlines(at, low, high, lw=1, **color)
        ax.set(title=f"RMSE, {table}", xlabel="severity", ylim=(0, 65))
        ax.set(xticks=range(1, 6))
        ax.figure.legend(loc="outside lower center", ncols=2, frameon=False)
    return figures


def median_of(name, severity, table="course"):
    return f"{np.median(distances[table, name][severity - 1]):.1f}"


closest = min(CORRUPTIONS, key=lambda name: np.median(distances["course", name][2]))
farthest = max(CORRUPTIONS, key=lambda name: np.median(distances["course", name][2]))
spread = {
    name: np.divide(*np.quantile(distances["course", name][2], (0.9, 0.1)))
    for name in CORRUPTIONS
}
display.glue("cnn-sev-closest", SHORT[closest])
display.glue("cnn-sev-farthest", SHORT[farthest])
display.glue("cnn-sev-closest-rmse", median_of(closest, 3))
display.glue("cnn-sev-farthest-rmse", median_of(farthest, 3))
for name, which in ((closest, "closest"), (farthest, "farthest")):
    decibels = np.median(psnr(distances["course", name][2]))
    display.glue(f"cnn-sev-{which}-psnr", f"{decibels:.0f}")
for name in CORRUPTIONS:
    display.glue(f"cnn-sev-spread-{SHORT[name].lower()}", f"{spread[name]:.1f}")
display.glue("cnn-sev-noise-5", median_of("gaussian_noise", 5))
display.glue("cnn-sev-noise-5-cifar10c", median_of("gaussian_noise", 5, "cifar10c"))
display.show(
    draw_distances(),
    alt="Root mean squared error in grey levels against severity, for both tables: "
    "noise, blur, contrast and JPEG, medians with bars from the tenth to the ninetieth "
    "percentile. The lines lie far apart; the bars of noise are short, those of the "
    "others long.",
    caption="Medians over images; bars from the tenth to the ninetieth percentile. Noise "
    "is nearly as large on every image, the others depend on it.",
)

# %% [markdown]
# At severity 3 of `course` the median distance is {glue:text}`cnn-sev-closest-rmse` grey levels for
# {glue:text}`cnn-sev-closest` and {glue:text}`cnn-sev-farthest-rmse` for {glue:text}`cnn-sev-farthest`, or
# {glue:text}`cnn-sev-closest-psnr` and {glue:text}`cnn-sev-farthest-psnr` dB (on the {glue:text}`cnn-sev-images`
# {glue:text}`cnn-sev-source`). And noise of severity 5 is {glue:text}`cnn-sev-noise-5` levels away in `course`,
# {glue:text}`cnn-sev-noise-5-cifar10c` in `cifar10c`. The numbers 1 to 5 order the copies of *one* corruption in *one*
# table; across they mean nothing.
#
# Nor does one distance fit all images. Noise is nearly the same on each: between the images at the tenth and the
# ninetieth percentile lies a factor of {glue:text}`cnn-sev-spread-noise`. For blur it is
# {glue:text}`cnn-sev-spread-blur`, for contrast {glue:text}`cnn-sev-spread-contrast`, for JPEG
# {glue:text}`cnn-sev-spread-jpeg`. What you saw says why. Contrast moves a pixel by $(1 - c)(\langle x \rangle - x)$,
# so by how far it lies from the mean. A blur takes $1 - \lambda_k$ of wave $k$ away, with the $\lambda$ of
# {eq}`eq-cnn-blur-transfer`, and JPEG what is small. Blue sky has little to lose to any of them, a lawn has much.
#
# A distance in pixels is not what a network sees, either. How much worse a network gets is measured in
# {doc}`robustness`, and a denominator per corruption stands there in the place of one scale for all.

# %% [markdown]
# ## Before the normalisation
#
# Networks take numbers of about mean 0 and standard deviation 1: $(x / 255 - \text{mean}) / \text{std}$ with the mean
# and the standard deviation of each channel over the training images. Corruptions come *before* that. They are what
# happens to a photograph, whose pixels are whole numbers from 0 to 255: JPEG has no meaning for others, and clipping
# happens at black and white. And the table would mean something else. Noise of $q$ on the pixels is noise of $q /
# \text{std}$ on what the network takes:

# %%
pixels = np.moveaxis(images / 255, 1, -1)  # [M, H, W, 3]
mean, std = pixels.mean(axis=(0, 1, 2)), pixels.std(axis=(0, 1, 2))  # [3]
z = (pixels - mean) / std
print("std of red, green, blue ", [f"{value:.2f}" for value in std])
print("q = 0.10 becomes q / std", [f"{value:.2f}" for value in 0.10 / std])
print(f"black and white become   {z.min():.1f} to {z.max():.1f}")

# %% [markdown]
# Add $0.10\, \varepsilon$ after the normalisation, and it is $0.10 \cdot \text{std}$ on the pixels: several times
# weaker than the table says. Nothing fails; the curve is only too good.

# %% [markdown]
# ## Twenty copies of ten thousand images
#
# A test of one network takes four corruptions in five severities: 20 copies of each of 10,000 images. The usual way is
# a function per image. `corrupt` takes the batch: one draw, two products with matrices of 32 × 32 numbers, one
# weighted sum. JPEG is a loop within the library.

# %% tags=["hide-input"]
record = records.load("benchmarks", "corruptions")
timed, settings = record["metrics"], record["parameters"]
display.glue("cnn-sev-ratio", f"{timed['course_ratio']:.1f}")
display.glue("cnn-sev-ratio-cifar10c", f"{timed['cifar10c_ratio']:.1f}")
display.glue("cnn-sev-seconds", f"{timed['course_seconds']:.0f}")
display.glue("cnn-sev-usual-seconds", f"{timed['course_usual_seconds']:.0f}")
display.glue("cnn-sev-timed-images", f"{settings['images']:,}")
display.glue(
    "cnn-sev-timed-source",
    "CIFAR-10" if settings["source"] == "cifar10" else "patches of photographs",
)
display.glue("cnn-sev-machine", record["provenance"]["processor"])
display.glue("cnn-sev-repeats", f"{settings['repeats']}")
display.glue("cnn-sev-date", record["provenance"]["date"][:10])
display.table(
    {
        ("", "corruption"): SHORT[name],
        ("", "table"): table,
        (
            "images per second",
            "one by one",
        ): f"{timed[f'{table}_{name}_usual_per_second']:,.0f}",
        ("images per second", "at once"): f"{timed[f'{table}_{name}_per_second']:,.0f}",
        ("", "ratio"): f"{timed[f'{table}_{name}_ratio']:.1f}",
    }
    for table in TABLES
    for name in CORRUPTIONS
)

# %% [markdown]
# All twenty copies of {glue:text}`cnn-sev-timed-images` images of {glue:text}`cnn-sev-timed-source` after `course` take
# {glue:text}`cnn-sev-seconds` s in place of {glue:text}`cnn-sev-usual-seconds` s, {glue:text}`cnn-sev-ratio` times
# less; after `cifar10c` {glue:text}`cnn-sev-ratio-cifar10c` times. (One thread of {glue:text}`cnn-sev-machine`,
# {glue:text}`cnn-sev-date`; processor time, both ways in turn, the median of the repeats, here
# {glue:text}`cnn-sev-repeats`. One by one: torchvision's functions on each image, PIL for JPEG, and for `cifar10c` the
# published ones. They agree within a grey level for `course`, exactly for JPEG and `cifar10c`.)

# %% [markdown]
# ## What was shown
#
# - Contrast multiplies all waves but the constant one by $c$, {eq}`eq-cnn-contrast-modes`; the two tables draw towards
#   different means.
# - JPEG rounds the coefficients of each block in the modes of a path, {eq}`eq-cnn-dct-modes` and {eq}`eq-cnn-jpeg`.
# - Severities order the copies of one corruption in one table, and compare nothing else. All of them come before the
#   normalisation.

# %% [markdown]
# ## Exercises

# %% [markdown]
# :::{exercise} How far apart
# :label: ex-cnn-psnr
# Write `peak_ratio(x, y)`: the PSNR in decibels, {eq}`def-cnn-psnr`, of two images of type uint8 and the same shape, as
# they come out of `corrupt`. What is it for two images that are the same? By how much does it fall when all differences
# double?
# :::

# %% [markdown] tags=["solution"]
# :::{solution-start} ex-cnn-psnr
# :class: dropdown
# :::
# The trap is the type: in uint8, $3 - 5$ is 254, and $16^2$ is 0. Convert first. For equal images the error is 0 and
# the PSNR infinite. Doubled differences double the RMSE, and the PSNR falls by $20 \log_{10} 2 \approx 6.02$ dB.


# %% tags=["solution"]
def peak_ratio(x, y):
    squared = (x.astype(float) - y.astype(float)) ** 2
    with np.errstate(divide="ignore"):
        return 10 * np.log10(255**2 / squared.mean())


# %% [markdown] tags=["solution"]
# :::{solution-end}
# :::

# %%
exercises.check("cnn/severity/peak_ratio", peak_ratio)

# %% [markdown]
# :::{exercise} A contrast as far as noise
# :label: ex-cnn-as-far
# Draw each channel of an image towards its own mean, and leave rounding aside. Write `as_far(x, distance)`, for one
# image $[3, H, W]$ of floats: the $c$ at which the RMSE, {eq}`def-cnn-psnr`, is `distance`. What is the farthest that
# $0 \le c \le 1$ can take an image? Which $c$ is as far from the cat as its noise of severity 3 in `course`?
# :::

# %% [markdown] tags=["solution"]
# :::{solution-start} ex-cnn-as-far
# :class: dropdown
# :::
# By {eq}`def-cnn-contrast`, $y - x = (1 - c)(\langle x \rangle - x)$. So the RMSE is $(1 - c) \sqrt{v}$, where $v$ is
# the mean of the variances of the three channels, and $c = 1 - \text{distance} / \sqrt{v}$. At $c = 0$ each channel is
# flat, and the distance is $\sqrt{v}$: an image can lose no more contrast than it has. To take the cat as far as noise
# of severity 3 does, contrast has to leave less of it than either table ever does (0.3 in `course`, 0.15 in
# `cifar10c`).


# %% tags=["solution"]
def as_far(x, distance):
    v = x.var(axis=(1, 2)).mean()
    return 1 - distance / np.sqrt(v)


of_noise = rmse(spoil(cat, "gaussian_noise", 3), cat)[0]
c = as_far(cat[0].astype(float), of_noise)
print(f"noise takes the cat {of_noise:.1f} levels away, and so does c = {c:.2f}")

# %% [markdown] tags=["solution"]
# :::{solution-end}
# :::

# %%
exercises.check("cnn/severity/as_far", as_far)

# %% [markdown]
# :::{exercise} Noise for a network's input
# :label: ex-cnn-normalised-noise
# You are handed normalised images `z`, $[M, 3, H, W]$, with `mean` and `std`, both $[3]$, and cannot get at the pixels.
# Write `noisy_input(z, mean, std, q, draw)`: what the network would get if noise with this `draw`, of the shape of `z`,
# had been added to the pixels, where white is 1, and cut to $[0, 1]$, without rounding.
# :::

# %% [markdown] tags=["solution"]
# :::{solution-start} ex-cnn-normalised-noise
# :class: dropdown
# :::
# The pixels are $\text{mean} + \text{std} \cdot z$. Add $q \varepsilon$ and normalise: $z + (q / \text{std})\,
# \varepsilon$. Black and white are at $-\text{mean}/\text{std}$ and $(1 - \text{mean})/\text{std}$. All three differ
# from channel to channel.


# %% tags=["solution"]
def noisy_input(z, mean, std, q, draw):
    mean, std = mean[:, None, None], std[:, None, None]
    return np.clip(z + q / std * draw, -mean / std, (1 - mean) / std)


# %% [markdown] tags=["solution"]
# :::{solution-end}
# :::

# %%
exercises.check("cnn/severity/noisy_input", noisy_input)

# %% [markdown]
# :::{exercise} What commutes with a shift
# :label: ex-cnn-corruption-shift
# Take the image as a torus and leave rounding and clipping aside. Which of the four corruptions are linear in the
# image? Which make no difference between moving the image before and after (for noise: in distribution)? In which order
# may blur and contrast come? And noise and blur?
# :::

# %% [markdown] tags=["solution"]
# :::{solution-start} ex-cnn-corruption-shift
# :class: dropdown
# :::
# Blur and contrast are linear; noise adds something, JPEG rounds. Blur and contrast commute with every shift: both are
# circulants, {doc}`/gnn/equivariance`. For the same reason they commute with each other (for contrast towards the grey
# mean too: a blur changes no mean, and blurs no constant). Noise moves along in distribution, as all pixels have
# independent draws of one kind. JPEG commutes with shifts by whole blocks alone, 8 pixels in brightness and 16 in
# colour: an image moved by one pixel is cut up elsewhere.
#
# Noise and blur do not commute. Blur after noise takes the fast waves of the noise away too; noise after blur keeps all
# of it.


# %% tags=["solution"]
def jpeg_grey(X):  # [h, w] → [h, w]
    return jpeg_blocks(blocks(X), 30).swapaxes(1, 2).reshape(X.shape)


X = grey_images[0]
for moved in (1, 8):
    after, before = np.roll(jpeg_grey(X), moved, 1), jpeg_grey(np.roll(X, moved, 1))
    print(f"moved by {moved}: the same is {np.array_equal(after, before)}")

# %% [markdown] tags=["solution"]
# :::{solution-end}
# :::

# %% [markdown]
# ## Further reading
#
# - {cite:t}`hendrycks2019corruptions` chose the severities of `cifar10c`, and the errors that {doc}`robustness` reports
#   in the place of one scale for all.
# - {cite:t}`wallace1991jpeg` is the standard of JPEG, told by one of its authors.
# - {cite:t}`strang1999dct` finds the cosines as eigenvectors, in eight variants: one for each way to end at a border.
# - {cite:t}`wang2004quality` show five copies of one photograph, all equally far from it in mean square, that nobody
#   would call equally bad, and propose another measure.
