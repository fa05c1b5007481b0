# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Four ways to spoil an image
#
# A network has learned from clean photographs. Then somebody takes one in the dark, out of focus, in mist, or saves it
# in too small a file. What do noise, blur, lost contrast and JPEG do to a pixel, and what to the image?
#
# Here is a cat of 32×32 pixels under all four, at severity 4 as the 2021 assignment grades them. This chapter takes the
# first two apart, noise and blur. The next one, {doc}`severity`, takes the other two, and asks how bad each is.

# %% tags=["parameters"]
profile = "smoke"
seed = 0

# %% tags=["set-up"]
from helpers import data, display, exercises, parameters, verify
from helpers.cnn import gallery
from helpers.cnn.corruptions import CORRUPTIONS, TABLES, corrupt
from helpers.cnn.gallery import SHORT, thumbnail

import matplotlib.pyplot as plt
import numpy as np
import skimage.data
import torch
import torchvision.transforms.functional as tv
from scipy.fft import dct
from scipy.integrate import quad
from scipy.stats import norm
from sklearn.datasets import load_sample_image

parameters.check(globals(), profile=("smoke", "full"), seed=range(2**31))
display.use_book_style()
rng = np.random.default_rng(seed)
load = data.photo_patches if profile == "smoke" else data.cifar10
images = load("test")[0][:1000]  # uint8 [M, 3, 32, 32]
SEVERITIES = range(6)


# %% tags=["hide-input"]
cat = thumbnail(skimage.data.chelsea(), 0, 75, 300)
dahlia = thumbnail(load_sample_image("flower.jpg"), 0, 130, 427)
temple = thumbnail(load_sample_image("china.jpg"), 0, 40, 427)


def spoil(x, name, severity, table="course"):
    """Corrupted copies, with severity 0 for the images themselves."""
    generator = torch.Generator().manual_seed(seed)
    return corrupt(x, name, severity, table, generator) if severity else x


def draw_cat():
    figures, axes = display.panels(*[(1.3, 1.55)] * 5)
    shown = {"clean": cat} | {SHORT[n]: spoil(cat, n, 4) for n in CORRUPTIONS}
    for ax, (name, image) in zip(axes, shown.items(), strict=True):
        gallery.pixels(ax, image[0])
        ax.set(title=name)
    return figures


display.show(
    draw_cat(),
    alt="The face of a cat in 32 by 32 pixels, clean and spoilt four ways: with coloured "
    "grains all over, out of focus, pale, and in coarse blocks.",
    caption="One photograph and four corruptions, each at severity 4 of 5. Which is the "
    "worst?",
)

# %% [markdown]
# ## Two tables
#
# Two scales of severity are in use: the one of the assignment, which this book calls `course`, and that of CIFAR-10-C
# {cite}`hendrycks2019corruptions`, `cifar10c`. Noise is a standard deviation, where white is 1; blur one in pixels;
# contrast is the part that is left; JPEG has its quality, of 100.

# %% tags=["hide-input"]
display.table(
    {"corruption": SHORT[name], "table": table}
    | {f"{s}": f"{amount:g}" for s, amount in enumerate(CORRUPTIONS[name][table], 1)}
    for name in CORRUPTIONS
    for table in TABLES
)

# %% [markdown]
# The same name does not make it the same operation either:
#
# - **Noise.** `course` rounds to the nearest grey level, `cifar10c` cuts decimals off.
# - **Blur.** `course` has a kernel of 11 × 11 pixels, and mirrors the image at its border; `cifar10c` cuts the kernel
#   at four standard deviations, and repeats the outermost pixels.
# - **Contrast.** `course` draws all pixels towards one grey, the mean of the grey image, as torchvision's `ColorJitter`
#   does; `cifar10c` draws each channel towards its own mean.
# - **JPEG** is the same: PIL writes a file and reads it again.
#
# So a result is one *of a table*, and this book says each time which.
#
# Below, $x$ is a pixel or an image in grey levels, 0 to 255, and $y$ what becomes of it. We write $q$ for the standard
# deviation of noise and $\ell$ for the width of a blur in pixels.

# %% [markdown]
# ## Noise
#
# Take severity 3 of `course`, $q = 0.10$: one standard deviation is $255 \cdot 0.10 = 25.5$ grey levels. Three pixels
# of value 100 draw $1.2$, $-0.4$ and $0.3$. They become $100 + 30.6$, $100 - 10.2$ and $100 + 7.65$, in whole levels
# 131, 90 and 108. A pixel of 250 that draws $1.2$ would be 280.6, and ends at 255; a black one that draws $-0.4$ stays
# black. With a standard normal $\varepsilon$ for each pixel and channel,
#
# $$
# y = \operatorname{round}\Big( \min\big( \max( x + 255\, q\, \varepsilon , 0 ), 255 \big) \Big)
# $$ (def-cnn-noise)


# %%
def noisy(x, q, draw):  # of any shape
    return np.round(np.clip(x + 255 * q * draw, 0, 255))


pixels, draws = np.array([100, 100, 100, 250, 0]), np.array([1.2, -0.4, 0.3, 1.2, -0.4])
print(f"{pixels} become {noisy(pixels, 0.10, draws)}")


# %% tags=["hide-input"]
def draw_noisy(q=0.10):
    fig, ax = plt.subplots(figsize=(4.2, 2.6))
    for number, x in enumerate((0, 100, 250)):
        y = noisy(x, q, np.random.default_rng(seed).standard_normal(20_000))
        share, edges = np.histogram(y, np.arange(-0.5, 256, 8), weights=y * 0 + 1 / 200)
        style = {"color": display.COLORS[number], "ls": ["-", "--", "-."][number]}
        ax.stairs(share, edges, label=f"$x = {x}$", **style)
    ax.set(
        xlabel="$y$, in steps of 8 levels",
        ylabel="pixels (%)",
        xticks=range(0, 251, 50),
    )
    ax.legend(loc="upper center")
    return fig


display.show(
    draw_noisy(),
    alt="Histograms of what becomes of three pixels. That of 100 is a bell around 100. "
    "Those of 0 and of 250 have more than half of their pixels in the step at their end.",
    caption="Noise of 0.10 on 20,000 pixels of value 0, of 100 and of 250. What would "
    "leave the range piles up at its ends.",
)

# %% [markdown]
# ### What clipping does
#
# A black pixel can only become brighter. So clipped noise has a mean, and is less than it says. How much? Count in
# units of white, $x$ from 0 to 1, and leave the rounding aside: $y = \min(\max(x + q \varepsilon, 0), 1)$. For a smooth
# function $g$, $g(y) = g(1) - \int_y^1 g'(t)\, dt = g(1) - \int_0^1 g'(t)\, [\,y \le t\,]\, dt$. Take the mean. For $0
# \le t < 1$, $y \le t$ means $x + q \varepsilon \le t$, which has the probability $\operatorname{cdf}\big((t -
# x)/q\big)$ with the normal distribution function. With $t = x + q v$, where $v$ runs from $a = -x/q$ to $b = (1 -
# x)/q$, this is $\mathbb{E}\, g(y) = g(1) - q \int_a^b g'(x + q v) \operatorname{cdf}(v)\, dv$. Take $g(y) = y$ for the
# mean and $g(y) = y^2$ for the mean square. Both integrals are known, since the normal density has the derivative
# $\operatorname{pdf}'(v) = -v \operatorname{pdf}(v)$. Differentiate $R(v) = v \operatorname{cdf}(v) +
# \operatorname{pdf}(v)$ to get $\operatorname{cdf}(v)$, and $R_2(v) = (v^2 - 1) \operatorname{cdf}(v) + v
# \operatorname{pdf}(v)$ to get $2 v \operatorname{cdf}(v)$. Hence
#
# $$
# \begin{aligned}
# \mathbb{E}\, y &= 1 - q\, \big[ R(v) \big]_a^b , \\
# \mathbb{E}\, y^2 &= 1 - 2 q x\, \big[ R(v) \big]_a^b - q^2 \big[ R_2(v) \big]_a^b .
# \end{aligned}
# $$ (eq-cnn-noise-clipping)


# %%
def R(v):
    return v * norm.cdf(v) + norm.pdf(v)


def R_2(v):
    return (v**2 - 1) * norm.cdf(v) + v * norm.pdf(v)


def clipped(x, q):  # mean and mean square of y, where x is from 0 to 1
    a, b = -x / q, (1 - x) / q
    mean = 1 - q * (R(b) - R(a))
    return mean, 1 - 2 * q * x * (R(b) - R(a)) - q**2 * (R_2(b) - R_2(a))


for q in CORRUPTIONS["gaussian_noise"]["course"]:
    mean, square = clipped(0, q)
    std = np.sqrt(square - mean**2)
    print(f"q = {q:.2f}: black becomes {255 * mean:.1f} ± {255 * std:.1f} grey levels")


# %% tags=["hide-input"]
def draw_clipping():
    x = np.arange(0, 256, 25)
    flat = np.broadcast_to(x[:, None, None, None], (len(x), 3, 64, 64)).astype(np.uint8)
    figures, axes = display.panels((3.3, 2.9), (3.3, 2.9))
    for number, severity in enumerate((2, 5)):
        q = CORRUPTIONS["gaussian_noise"]["course"][severity - 1]
        sample = spoil(flat, "gaussian_noise", severity).astype(float)
        mean, square = clipped(x / 255, q)
        expected = 255 * mean - x, 255 * np.sqrt(square - mean**2)
        found = sample.mean(axis=(1, 2, 3)) - x, sample.std(axis=(1, 2, 3))
        style = {"color": display.COLORS[number]}
        for ax, line, dots in zip(axes, expected, found, strict=True):
            ax.plot(x, line, marker="", **style)
            ax.plot(x, dots, ls="", marker="os^"[number], **style, label=f"$q = {q:g}$")
    for ax, name in zip(axes, ("mean of $y - x$", "std of $y$"), strict=True):
        ax.set(xlabel="pixel $x$", title=f"{name}, grey levels")
        ax.set(xticks=range(0, 251, 50))
        ax.figure.legend(loc="outside lower center", ncols=3, frameon=False)
    return figures


display.show(
    draw_clipping(),
    alt="Left, the mean change of a pixel against its value: positive for dark pixels, "
    "zero in the middle, negative for bright ones, up to 25 grey levels for noise of "
    "0.25. Right, the standard deviation, which is largest in the middle and falls to "
    "about 0.58 of the noise at both ends. Points from the code lie on the lines of the "
    "equation.",
    caption="Lines: the equation. Points: what the code does to flat images. Clipping "
    "lifts the dark, lowers the bright, and takes noise away at both ends.",
)


# %% tags=["check"]
def cases():
    for q in (0.04, 0.1, 0.25, 1.0):
        for x in (0, 0.02, 0.5, 0.9, 1):
            # Beyond ten standard deviations nothing is left.
            bends = [v for v in (-x / q, (1 - x) / q) if abs(v) < 10]
            for power, ours in enumerate(clipped(x, q), 1):

                def weighed(v, x=x, q=q, power=power):
                    return np.clip(x + q * v, 0, 1) ** power * norm.pdf(v)

                yield ours, quad(weighed, -10, 10, points=bends, epsabs=1e-12)[0]


verify.equal(
    "eq-cnn-noise-clipping", cases(), atol=1e-9, against="numerical integration"
)

# %% [markdown]
# For black, $a = 0$ and $b$ is so large that only $R(0) = \operatorname{pdf}(0) = 1/\sqrt{2\pi} \approx 0.4$ counts:
# $\mathbb{E}\, y = 0.4\, q$. The noise of severity 5 lifts black by a tenth of white. A noisy photograph loses contrast
# on the way.

# %% [markdown]
# ### What noise adds to the spectrum
#
# Now look at the whole image. Its waves are the Fourier modes of {doc}`/gnn/fourier`, one factor down and one across:
# $\hat x = \Phi^* x$ says how much of each wave is in it. What is in the noise? Each coefficient is
# $\hat \varepsilon_k = \sum_u \overline{\Phi_{uk}}\, \varepsilon_u$. The draws are independent, so in the mean of its
# square all products of two different ones vanish, and $\sum_u |\Phi_{uk}|^2$ is left, the squared length of a column
# of $\Phi$:
#
# $$
# \mathbb{E}\, \lvert \hat \varepsilon_k \rvert^2 = 1 \quad \text{for every } k .
# $$ (eq-cnn-white-noise)
#
# Noise puts the same power, $(255\, q)^2$, into every wave. Photographs do not: there is far more in slow waves than in
# fast ones. (Taken as a ring, an image jumps where its left border meets the right one, and a jump is full of fast
# waves. So the code below takes the mean off and fades the borders out, and makes up for the power that this costs.)


# %%
def spectrum(x):  # [M, 3, n, n] → [n, n]: mean power of each wave, in grey levels²
    window = np.hanning(x.shape[-1] + 2)[1:-1]  # 0 just outside, 1 in the middle
    faded = (x - x.mean(axis=(-2, -1), keepdims=True)) * np.outer(window, window)
    power = np.abs(np.fft.fft2(faded, norm="ortho")) ** 2
    return power.mean(axis=(0, 1)) / (window**2).mean() ** 2


def by_frequency(power):  # [n, n] → the mean over waves of like length, 1 to n/2
    n = len(power)
    k = np.fft.fftfreq(n, 1 / n)
    ring = np.round(np.hypot(k[:, None], k)).astype(int)
    return np.array([power[ring == r].mean() for r in range(1, n // 2 + 1)])


# %% tags=["hide-input"]
display.glue("cnn-cor-images", f"{len(images):,}")
display.glue(
    "cnn-cor-source",
    "patches of ten photographs" if profile == "smoke" else "test images of CIFAR-10",
)


def show_severities(name, what, photo, caption):
    spectra = [by_frequency(spectrum(spoil(images, name, s))) for s in SEVERITIES]
    display.slider(
        lambda s: gallery.draw(name, s, spoil(photo, name, s)[0], spectra),
        SEVERITIES,
        label="severity",
        alt=lambda s: gallery.words(name, s, what, spectra),
        caption=caption,
        start=3,
    )


show_severities(
    "gaussian_noise",
    "A dahlia",
    dahlia,
    "Noise fills up the fast waves, of which photographs have little. The slow ones "
    "stand out from it as before.",
)


# %% tags=["check"]
def cases():
    for n in (8, 32):
        draws = rng.standard_normal((40_000, n))
        yield np.ones(n), (np.abs(np.fft.fft(draws, norm="ortho")) ** 2).mean(axis=0)
        yield np.ones(n), (dct(draws, norm="ortho") ** 2).mean(axis=0)


verify.equal("eq-cnn-white-noise", cases(), atol=0.05, against="40,000 draws")

# %% [markdown]
# (The spectra on this page are means over {glue:text}`cnn-cor-images` {glue:text}`cnn-cor-source`, three channels and
# all directions; the photograph beside them is one example.) Where the dotted line lies below the dashed one, waves
# are lost in the noise; where it lies above, they show. By its slow waves you still see the flower.

# %% [markdown]
# ## Blur
#
# A blur replaces each pixel by a weighted mean of its surroundings. The weights are samples of a Gaussian of width
# $\ell$, scaled to sum to one:
#
# $$
# \theta_j = \frac{e^{-j^2 / 2 \ell^2}}{\sum_i e^{-i^2 / 2 \ell^2}} , \qquad j = -5, \dots, 5 .
# $$ (def-cnn-blur-kernel)
#
# For severity 3, $\ell = 0.8$, the numerators are $1$, $e^{-1/1.28} = 0.458$, $e^{-4/1.28} = 0.044$ and $0.001$; their
# sum, both sides counted, is 2.005. The weights are 0.499 in the middle, 0.228, 0.022 and 0.0004.
# Take a row of pixels with an edge, $(20, 20, 20, 200, 200, 200)$. The last dark pixel has $0.228 + 0.022 + 0.0004 =
# 0.251$ of its weight on the bright side: it becomes $20 + 180 \cdot 0.251 = 65$. The one before it has
# $0.022$ there, and becomes 24.


# %%
def kernel(ell, radius=5):  # θ [2 · radius + 1]
    weights = np.exp(-(np.arange(-radius, radius + 1) ** 2) / (2 * ell**2))
    return weights / weights.sum()


def blur_matrix(n, ell, radius=5):  # B [n, n]: mirrored at the borders
    mirrored = np.pad(np.eye(n), ((radius, radius), (0, 0)), mode="reflect")
    return sum(w * mirrored[j : j + n] for j, w in enumerate(kernel(ell, radius)))


row = np.array([20, 20, 20, 20, 20, 20, 200, 200, 200, 200, 200, 200])
print("weights", [f"{w:.4f}" for w in kernel(0.8)[5:9]])
print("row    ", np.round(blur_matrix(12, 0.8) @ row).astype(int))

# %% [markdown]
# In an image the weight at $(i, j)$ is $e^{-(i^2 + j^2)/2 \ell^2} = e^{-i^2/2\ell^2} \cdot e^{-j^2/2\ell^2}$, up to the
# scale: a product, $\theta_i \theta_j$. So the sum over the square splits, $\sum_i \theta_i \sum_j \theta_j\,
# x_{u+i,\,u'+j}$: first along the rows, then along the columns. Mirroring does so too. As each of the two is linear, it
# is a matrix, and the whole blur of an image $X \in \mathbb{R}^{h \times w}$ is
#
# $$
# Y = B_h X B_w^\top .
# $$ (eq-cnn-blur-separable)
#
# Instead of $11^2 = 121$ weights per pixel there are two products with small matrices, the same for all images.


# %%
def blurred(X, ell):  # [..., h, w] → [..., h, w]
    h, w = X.shape[-2:]
    return blur_matrix(h, ell) @ X @ blur_matrix(w, ell).T


# %% tags=["hide-input"]
show_severities(
    "gaussian_blur",
    "A temple",
    temple,
    "Blur takes the fast waves away and leaves the slow ones. At severity 1 most of them "
    "are still there.",
)


# %% tags=["check"]
def cases():
    for ell in CORRUPTIONS["gaussian_blur"]["course"]:
        for shape in ((3, 6, 9), (2, 3, 32, 32)):
            X = rng.standard_normal(shape)
            by_torch = tv.gaussian_blur(torch.from_numpy(X), [11, 11], [ell, ell])
            yield blurred(X, ell), by_torch


verify.equal(
    "eq-cnn-blur-separable",
    cases(),
    atol=1e-12,
    against="torchvision, with 121 weights",
)

# %% [markdown]
# ### A Gaussian damps each wave
#
# By how much is a wave damped? Think of the blur as moving the wave $e^{\mathrm{i} \alpha t}$ by a random distance
# $\ell \varepsilon$ and taking the mean. That multiplies it by $h(\alpha) = \mathbb{E}\,
# e^{\mathrm{i} \alpha \ell \varepsilon} = \mathbb{E} \cos(\alpha \ell \varepsilon)$: the sine cancels, since
# $\varepsilon$ and $-\varepsilon$ are as likely. Its slope is $h'(\alpha) = -\ell\, \mathbb{E}\, \varepsilon
# \sin(\alpha \ell \varepsilon)$. Integration by parts with $\operatorname{pdf}'(v) = -v \operatorname{pdf}(v)$ gives
# $\mathbb{E}\, \varepsilon\, g(\varepsilon) = \mathbb{E}\, g'(\varepsilon)$, so
# $h'(\alpha) = -\alpha \ell^2\, \mathbb{E} \cos(\alpha \ell \varepsilon) = -\alpha \ell^2\, h(\alpha)$. With $h(0) = 1$
# there is one function that has this slope:
#
# $$
# \mathbb{E}\, e^{\mathrm{i} \alpha \ell \varepsilon} = e^{-\ell^2 \alpha^2 / 2} .
# $$ (eq-cnn-gaussian-wave)


# %%
def damping(alpha, ell):
    return np.exp(-((ell * alpha) ** 2) / 2)


# %% tags=["check"]
def cases():
    for ell in (0.4, 1.0, 1.5):
        for alpha in (0, 0.5, np.pi, 6):

            def mean(v, ell=ell, alpha=alpha):
                return np.cos(alpha * ell * v) * norm.pdf(v)

            yield damping(alpha, ell), quad(mean, -12, 12, epsabs=1e-12, limit=200)[0]


verify.equal(
    "eq-cnn-gaussian-wave", cases(), atol=1e-10, against="numerical integration"
)

# %% [markdown]
# ### Between the pixels
#
# Pixels are not a line of all points $t$: the kernel is a few samples of the Gaussian. On a ring of $n$ pixels it is a
# circulant, and {doc}`/gnn/fourier` says what it does: it multiplies wave $k$, with the angle $\alpha = 2 \pi k / n$
# from pixel to pixel, by $\lambda_k = \sum_j \theta_j\, e^{\mathrm{i} j \alpha}$. Is that
# {eq}`eq-cnn-gaussian-wave`?
#
# Two waves whose angles differ by $2\pi$ are the same at all pixels. So add up the damping of all of them,
# $\sum_{m} e^{-\ell^2 (\alpha + 2 \pi m)^2 / 2}$ over all whole $m$. The sum has the period $2\pi$, so it is a Fourier
# series in $\alpha$. Its coefficient $j$ is $\frac{1}{2\pi}$ times the integral over one period of the sum times
# $e^{-\mathrm{i} j \alpha}$. Term by term the pieces of length $2\pi$ join to the whole line, which leaves
# $\frac{1}{2\pi} \int_{-\infty}^{\infty} e^{-\ell^2 \alpha^2 / 2}\, e^{-\mathrm{i} j \alpha}\, d\alpha$. But for its
# height, the first factor is a normal density of width $1/\ell$, so this is {eq}`eq-cnn-gaussian-wave` once more, with
# $1/\ell$ for $\ell$ and $j$ for $\alpha$: $\frac{1}{2\pi} \cdot \frac{\sqrt{2\pi}}{\ell}\, e^{-j^2 / 2 \ell^2}$. The
# coefficients are the samples of the kernel, up to one factor that the scaling to sum one takes out. For a kernel that
# is not cut off,
#
# $$
# \lambda(\alpha) = \sum_{j = -\infty}^{\infty} \theta_j\, e^{\mathrm{i} j \alpha}
# = \frac{\sum_m e^{-\ell^2 (\alpha + 2 \pi m)^2 / 2}}{\sum_m e^{-\ell^2 (2 \pi m)^2 / 2}} .
# $$ (eq-cnn-blur-transfer)


# %%
def all_aliases(alpha, ell):  # Σ_m, in which 41 terms are plenty
    turns = 2 * np.pi * np.arange(-20, 21)
    return damping(np.add.outer(alpha, turns), ell).sum(axis=-1)


def transfer(alpha, ell):  # λ
    return all_aliases(alpha, ell) / all_aliases(0, ell)


def of_kernel(alpha, theta):  # Σ θ_j e^{ijα}, real as θ is symmetric
    j = np.arange(len(theta)) - len(theta) // 2
    return np.cos(np.multiply.outer(alpha, j)) @ theta


for ell in CORRUPTIONS["gaussian_blur"]["course"]:
    left, cut = transfer(np.pi, ell), of_kernel(np.pi, kernel(ell))
    line = damping(np.pi, ell)
    print(
        f"ℓ = {ell}: left {left:.3f}, 11 weights {abs(cut):.3f}, on a line {line:.3f}"
    )


# %% tags=["hide-input"]
def draw_transfer():
    alpha = np.linspace(0, np.pi, 49)
    ring = 2 * np.pi * np.arange(17) / 32
    fig, ax = plt.subplots(figsize=(4.2, 3.1))
    for number, ell in enumerate((0.4, 0.8, 1.5)):
        style = {"color": display.COLORS[number], "marker": ""}
        ax.plot(alpha / (2 * np.pi), transfer(alpha, ell), "-", **style)
        ax.plot(alpha / (2 * np.pi), damping(alpha, ell), ":", **style)
        style = {"color": display.COLORS[number], "marker": "os^"[number], "ls": ""}
        wrapped = np.zeros(32)
        wrapped[np.arange(-5, 6)] = kernel(ell)
        found = np.fft.fft(wrapped).real[:17]
        ax.plot(ring / (2 * np.pi), found, **style, label=rf"$\ell = {ell}$")
    ax.set(xlabel="waves per pixel", ylabel="what is left", ylim=(-0.02, 1.05))
    ax.legend(loc="lower left")
    return fig


display.show(
    draw_transfer(),
    alt="What is left of a wave against its frequency, for three widths. For 1.5 "
    "pixels the curve falls to zero at 0.35 waves per pixel, and the dotted formula is "
    "the same. For 0.8 it ends at 0.09, dotted at 0.04; for 0.4 at 0.84, dotted at "
    "0.45.",
    caption="Points: the DFT of the 11 weights. Solid: the sum over m. Dotted: the "
    "formula for a line, without the neighbours' waves. A narrow kernel damps far "
    "less.",
)


# %% tags=["check"]
def cases():
    for n in (5, 8, 32):
        alpha = 2 * np.pi * np.arange(n) / n
        for ell in (0.3, 0.4, 0.8, 1.5, 3.0):
            wrapped = np.zeros(n)
            np.add.at(wrapped, np.arange(-40, 41) % n, kernel(ell, radius=40))
            yield transfer(alpha, ell), np.fft.fft(wrapped)


verify.equal(
    "eq-cnn-blur-transfer", cases(), atol=1e-12, against="np.fft of 81 weights"
)

# %% [markdown]
# For a wide kernel all terms but $m = 0$ are tiny, and {eq}`eq-cnn-gaussian-wave` is what happens. For a narrow one it
# is not. At the fastest wave, $\alpha = \pi$, the terms $m = 0$ and $m = -1$ are the same, so for these widths about
# twice as much is left as the formula for a line says. Severity 1 leaves five sixths of it. The cut after five pixels
# changes little: at $\ell = 1.5$ it removes $2 e^{-36/4.5} / (1.5 \sqrt{2\pi}) \approx 0.02\,\%$ of the weight.
#
# On an image the ring is not closed, and the border is mirrored; only the pixels near it know. What was said of the
# ring holds inside. {doc}`/gnn/modes` takes low-pass filters to graphs that have neither.

# %% [markdown]
# ### The same formula for rounding
#
# Round a pixel with noise, $x + \ell\, \varepsilon$, all in grey levels and far from black and white. The error
# $\delta$ of rounding is a sawtooth from $-\frac12$ to $\frac12$ that repeats with every grey level, so it is a sum of
# waves: at the value $t$, $\delta = \sum_{m \ge 1} \frac{(-1)^m}{\pi m} \sin 2 \pi m t$ and $\delta^2 = \frac1{12} +
# \sum_{m \ge 1} \frac{(-1)^m}{\pi^2 m^2} \cos 2\pi m t$. Take the mean over the noise. By {eq}`eq-cnn-gaussian-wave`
# with $\alpha = 2\pi m$, wave $m$ is damped by $e^{-2 \pi^2 m^2 \ell^2}$, which for $\ell = 1$ is already $3 \cdot
# 10^{-9}$. Next to nothing is left of all of them: $\delta$ has the mean 0 and the mean square $\frac1{12}$. It has no
# covariance with the pixel either, since $\mathbb{E}\, \varepsilon \sin(2 \pi m (x + \ell \varepsilon)) = 2 \pi m
# \ell\, \mathbb{E} \cos(2 \pi m (x + \ell \varepsilon))$, by parts, is damped alike. To seven digits, for $\ell \ge 1$,
#
# $$
# \operatorname{Var} \operatorname{round}(x + \ell\, \varepsilon) = \ell^2 + \tfrac{1}{12} .
# $$ (eq-cnn-rounding)
#
# The least noise of the tables has $\ell = 255 \cdot 0.04 = 10.2$: to it, a whole grey level is nothing. You have seen
# the $\frac{1}{12}$ above: where a wide blur has taken a wave away, the curve stops at
# $\log_{10} \frac{1}{12} \approx -1.1$, which is about what rounding puts into every wave. Cutting decimals
# off, as `cifar10c` does, is rounding $x - \frac12 + \ell\varepsilon$: the same variance, and half a grey level darker.


# %%
def rounded(x, ell):  # mean and variance of round(x + ℓ ε), over all whole numbers
    k = np.arange(np.floor(x - 12 * ell) - 2, np.ceil(x + 12 * ell) + 3)
    p = norm.cdf((k + 0.5 - x) / ell) - norm.cdf((k - 0.5 - x) / ell)
    mean = (k * p).sum()
    return mean, ((k - mean) ** 2 * p).sum()


for ell in (0.5, 1.0, 255 * 0.04):
    mean, variance = rounded(100.3, ell)
    added = variance - ell**2
    print(f"ℓ = {ell:4.1f}: mean {mean:.4f}, variance ℓ² + {added:.4f}")


# %% tags=["check"]
def cases():
    for ell in (1.0, 1.3, 2.0, 10.2):
        for x in (100, 100.25, 100.3, 100.5):
            yield ell**2 + 1 / 12, rounded(x, ell)[1]


verify.equal(
    "eq-cnn-rounding", cases(), atol=2e-8, against="the sum over all grey levels"
)

# %% [markdown]
# ## What was shown
#
# - Noise puts the same power into every wave, {eq}`eq-cnn-white-noise`, and clipping turns some of it into a loss of
#   contrast, {eq}`eq-cnn-noise-clipping`.
# - A Gaussian blur is two products with small matrices, {eq}`eq-cnn-blur-separable`. It damps a wave by
#   $e^{-\ell^2 \alpha^2/2}$ on a line, {eq}`eq-cnn-gaussian-wave`, and on pixels by less, {eq}`eq-cnn-blur-transfer`:
#   the narrowest blur of the tables hardly blurs.
# - Rounding to whole levels adds a twelfth to the variance of noise, {eq}`eq-cnn-rounding`.
#
# Contrast and JPEG are left to the next chapter, {doc}`severity`, and so is the question how bad each of the four is.

# %% [markdown]
# ## Exercises

# %% [markdown]
# :::{exercise} At the ends of the range
# :label: ex-cnn-at-the-ends
# A pixel of value $x$, from 0 to 255, gets noise after {eq}`def-cnn-noise`. Write `at_the_ends(x, q)`: the probability
# that it comes out black or white, $y = 0$ or $y = 255$. What is it for a black pixel at severities 1 and 5 of
# `course`, and for one of 128?
# :::

# %% [markdown] tags=["solution"]
# :::{solution-start} ex-cnn-at-the-ends
# :class: dropdown
# :::
# Rounding widens the ends: $y = 0$ where $x + 255\, q\, \varepsilon \le \frac12$, and $y = 255$ from $254 \frac12$ on.
# A black pixel stays black in about half of all cases, whatever the noise. A grey one hardly ever gets there under
# weak noise, and now and then under strong noise.


# %% tags=["solution"]
def at_the_ends(x, q):
    black = norm.cdf((0.5 - x) / (255 * q))
    white = norm.cdf((x - 254.5) / (255 * q))
    return black + white


for q in (0.04, 0.25):
    print(
        f"q = {q:.2f}: {at_the_ends(0, q):.3f} of 0, {at_the_ends(128, q):.3f} of 128"
    )

# %% [markdown] tags=["solution"]
# :::{solution-end}
# :::

# %%
exercises.check("cnn/corruptions/at_the_ends", at_the_ends)

# %% [markdown]
# :::{exercise} Many noisy copies
# :label: ex-cnn-noisy-copies
# You are given copies of one image with noise of severity 5 of `course`, each drawn anew, and take their mean. Leave
# clipping and rounding aside first. How many copies do you need until no more noise is left than one of severity 1 has?
# What becomes of the two lines in the spectrum, image and noise? And with clipping: what does a black pixel come to,
# the more copies you take?
# :::

# %% [markdown] tags=["solution"]
# :::{solution-start} ex-cnn-noisy-copies
# :class: dropdown
# :::
# The variance of the mean of $M$ independent draws is $q^2 / M$. From 0.25 to 0.04 that takes
# $M \ge (0.25 / 0.04)^2 = 39.06$, so 40 copies. The image is the same in all of them, so its line stays; that of the
# noise comes down by $\log_{10} 40 = 1.6$, and more waves stand out.
#
# With clipping, the mean goes to $\mathbb{E}\, y$ of {eq}`eq-cnn-noise-clipping`, which for black is $0.25 / \sqrt{2
# \pi}$ of white, some 25 grey levels. Copies take away the spread, but not the shift.


# %% tags=["solution"]
for x in (0, 128):
    flat = np.full((40, 3, 64, 64), x, np.uint8)
    stacked = spoil(flat, "gaussian_noise", 5).mean(axis=0)  # [3, 64, 64]
    print(f"{x:3} in 40 copies: {stacked.mean():.0f} ± {stacked.std():.0f}")
print(f"one copy of severity 1: ± {255 * 0.04:.0f}")

# %% [markdown] tags=["solution"]
# :::{solution-end}
# :::

# %% [markdown]
# :::{exercise} How wide a narrow kernel is
# :label: ex-cnn-kernel-width
# The weights of {eq}`def-cnn-blur-kernel` are a distribution over whole numbers $j$, with mean 0. Write
# `real_width(ell)`: its standard deviation, for a kernel that is cut nowhere, to six digits for $0.2 \le \ell \le 3$.
# For which $\ell$ of the tables is it $\ell$? On a ring, two blurs after one another are one: what is its standard
# deviation, from those of the two?
# :::

# %% [markdown] tags=["solution"]
# :::{solution-start} ex-cnn-kernel-width
# :class: dropdown
# :::
# It is $\sqrt{\sum_j j^2 \theta_j}$. At $\ell = 0.4$ that is 0.29, at 0.6 it is 0.58, and from 0.8 on $\ell$ to three
# digits: of the narrowest Gaussian the pixels next to the middle miss most. Blurring twice adds two independent
# distances, so variances add: of 0.3 and 0.4 comes 0.5, not 0.7.


# %% tags=["solution"]
def real_width(ell):
    j = np.arange(-40, 41)
    weights = np.exp(-(j**2) / (2 * ell**2))
    return np.sqrt((j**2 * weights).sum() / weights.sum())


# %% [markdown] tags=["solution"]
# :::{solution-end}
# :::

# %%
exercises.check("cnn/corruptions/real_width", real_width)

# %% [markdown]
# :::{exercise} Take the blur back
# :label: ex-cnn-unblur
# A row of $n \ge 11$ pixels on a ring was blurred with the 11 weights of {eq}`def-cnn-blur-kernel`, and not rounded.
# Write `unblur(y, ell)`, which gives the row back, for $\ell \le 1.1$. Then round the blurred rows to whole grey levels
# before you take the blur back. How far from the image are you at severities 1 to 4 of `course`, and why?
# :::

# %% [markdown] tags=["solution"]
# :::{solution-start} ex-cnn-unblur
# :class: dropdown
# :::
# On the ring the blur multiplies wave $k$ by $\lambda_k = \sum_j \theta_j\, e^{\mathrm{i} j \alpha}$, so divide by it.
# Without rounding that is exact. Rounding puts a power of about $\frac{1}{12}$ into every wave, and it is divided by
# $\lambda_k^2$: at $\ell = 1.1$ the fastest wave has $\lambda = 0.005$, and its rounding error becomes 200 times as
# large. What a blur has pushed below the grey levels is gone: at severity 4 the rows come back farther from the image
# than they were blurred. At $\ell = 1.5$ the cut kernel even has waves with $\lambda_k$ close to zero.


# %% tags=["solution"]
def unblur(y, ell):
    theta = np.zeros(len(y))
    theta[np.arange(-5, 6)] = kernel(ell)  # weight 0 at place 0, the negative ones last
    return np.fft.ifft(np.fft.fft(y) / np.fft.fft(theta)).real


rows = images[:100, 1, 16].astype(float)  # green, one row of each image
for ell in CORRUPTIONS["gaussian_blur"]["course"][:4]:
    blurry = sum(w * np.roll(rows, j - 5, 1) for j, w in enumerate(kernel(ell)))
    back = np.array([unblur(np.round(row), ell) for row in blurry])
    apart = [np.sqrt(((r - rows) ** 2).mean()) for r in (np.round(blurry), back)]
    print(f"ℓ = {ell}: blurred {apart[0]:.1f} levels away, taken back {apart[1]:.1f}")

# %% [markdown] tags=["solution"]
# :::{solution-end}
# :::

# %%
exercises.check("cnn/corruptions/unblur", unblur)

# %% [markdown]
# ## Further reading
#
# - {cite:t}`hendrycks2019corruptions` define fifteen corruptions, Gaussian noise among them, and four more to choose
#   settings by, among which is the Gaussian blur.
# - {cite:t}`lindeberg1990scale` asks what a Gaussian blur should be on pixels, and finds another kernel than its
#   samples.
# - {cite:t}`widrow1996quantization` take rounding for an independent noise of variance $\frac{1}{12}$, and say when one
#   may.
