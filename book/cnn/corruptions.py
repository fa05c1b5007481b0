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
# in too small a file. What do noise, blur, lost contrast and JPEG do to a pixel, and what to the image? Is severity 3
# of one as bad as severity 3 of another?
#
# Here is a cat of 32×32 pixels under all four, at severity 4 as the 2021 assignment grades them.

# %% tags=["parameters"]
profile = "smoke"
seed = 0

# %% tags=["set-up"]
import io

from helpers import data, display, exercises, parameters, records, verify
from helpers.cnn.corruptions import CORRUPTIONS, TABLES, corrupt

import matplotlib.pyplot as plt
import networkx as nx
import numpy as np
import skimage.data
import torch
import torchvision.transforms.functional as tv
from PIL import Image
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
SHORT = dict(zip(CORRUPTIONS, ("noise", "blur", "contrast", "JPEG"), strict=True))


# %% tags=["hide-input"]
def thumbnail(photo, top, left, size):
    """A square of a photograph, uint8 [1, 3, 32, 32]."""
    square = Image.fromarray(photo[top : top + size, left : left + size])
    small = square.resize((32, 32), Image.Resampling.BOX)
    return np.asarray(small).transpose(2, 0, 1)[None]


photographs = {
    "gaussian_noise": thumbnail(load_sample_image("flower.jpg"), 0, 130, 427),
    "gaussian_blur": thumbnail(load_sample_image("china.jpg"), 0, 40, 427),
    "contrast": thumbnail(skimage.data.coffee(), 0, 150, 400),
    "jpeg": thumbnail(skimage.data.astronaut(), 0, 0, 512),
}
cat = thumbnail(skimage.data.chelsea(), 0, 75, 300)


def spoil(x, name, severity, table="course"):
    """Corrupted copies, with severity 0 for the images themselves."""
    generator = torch.Generator().manual_seed(seed)
    return corrupt(x, name, severity, table, generator) if severity else x


def show_pixels(ax, image):
    ax.imshow(image.transpose(1, 2, 0), interpolation="none")
    ax.axis("off")


def draw_cat():
    figures, axes = display.panels(*[(1.3, 1.55)] * 5)
    shown = {"clean": cat} | {SHORT[n]: spoil(cat, n, 4) for n in CORRUPTIONS}
    for ax, (name, image) in zip(axes, shown.items(), strict=True):
        show_pixels(ax, image[0])
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
# So a result is one *of a table*, and this chapter says each time which.
#
# Below, $x$ is a pixel or an image in grey levels, 0 to 255, and $y$ what becomes of it. We write $q$ for the standard
# deviation of noise, $\ell$ for the width of a blur in pixels, and $c$ for the contrast that is left.

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


frequencies = np.arange(1, 17) / 32  # waves per pixel

# %% tags=["hide-input"]
spectra = {
    (name, s): by_frequency(spectrum(spoil(images, name, s)))
    for name in CORRUPTIONS
    for s in SEVERITIES
}


def draw_gallery(name, severity, table="course"):
    figures, (picture, line) = display.panels((2.7, 2.9), (3.9, 2.9))
    show_pixels(picture, spoil(photographs[name], name, severity)[0])
    clean, now = (np.log10(spectra[name, s]) for s in (0, severity))
    line.plot(frequencies, clean, ":", color=display.INK, marker="", label="clean")
    line.plot(
        frequencies, now, "-", color=display.COLORS[0], marker="", label=SHORT[name]
    )
    if name == "gaussian_noise" and severity:
        level = 2 * np.log10(255 * CORRUPTIONS[name][table][severity - 1])
        line.axhline(level, color=display.COLORS[1], ls="--", label="$(255 q)^2$")
    line.set(xlabel="waves per pixel", title="log₁₀ of the power", ylim=(-1.4, 6))
    line.set(xticks=(0.1, 0.3, 0.5), yticks=range(0, 7, 2))
    line.grid(False)
    line.legend(loc="upper right")
    return figures


def describe(name, what):
    def words(severity):
        if not severity:
            return f"{what}, clean; the spectrum falls from slow waves to fast ones."
        change = spectra[name, severity] / spectra[name, 0]
        return (
            f"{what}, {SHORT[name]} {CORRUPTIONS[name]['course'][severity - 1]}. The "
            f"slowest waves have {change[0]:.2f} of the power that they had, those of 8 "
            f"pixels {change[3]:.2f}, the fastest {change[-1]:.2f}."
        )

    return words


def gallery(name, what, caption, start=3):
    display.slider(
        lambda severity: draw_gallery(name, severity),
        SEVERITIES,
        label="severity",
        alt=describe(name, what),
        caption=caption,
        start=start,
    )


display.glue("cnn-cor-images", f"{len(images):,}")
display.glue(
    "cnn-cor-source",
    "patches of ten photographs" if profile == "smoke" else "test images of CIFAR-10",
)

# %% tags=["hide-input"]
gallery(
    "gaussian_noise",
    "A dahlia",
    "Noise fills up the fast waves, of which photographs have little. The slow ones "
    "stand "
    "out from it as before.",
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
gallery(
    "gaussian_blur",
    "A temple",
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
    alt="What is left of a wave against its frequency, for three widths. For 1.5 pixels "
    "the curve falls to zero at 0.35 waves per pixel, and the dotted formula is the "
    "same. "
    "For 0.8 it ends at 0.09, dotted at 0.04; for 0.4 at 0.84, dotted at 0.45.",
    caption="Points: the DFT of the 11 weights. Solid: the sum over m. Dotted: the "
    "formula "
    "for a line, without the neighbours' waves. A narrow kernel damps far less.",
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
# $c\, I + (1 - c)\, \frac1n \mathbf{1} \mathbf{1}^\top$. The second part is the mean, which is mode 0 and nothing else:
# every other wave sums to zero. So
#
# $$
# \hat y_0 = \hat x_0 , \qquad \hat y_k = c\, \hat x_k \quad (k \ne 0) .
# $$ (eq-cnn-contrast-modes)
#
# Blur treats waves by their length, contrast all alike but the constant one: in the picture its curve moves down and
# keeps its form.


# %%
def less_contrast(x, c):  # [..., h, w], each channel towards its own mean
    x_hat = np.fft.fft2(x)
    y_hat = c * x_hat
    y_hat[..., 0, 0] = x_hat[..., 0, 0]
    return np.fft.ifft2(y_hat).real


# %% tags=["hide-input"]
gallery(
    "contrast",
    "A cup of coffee",
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
    flower = photographs["gaussian_noise"]
    shown = {
        "clean": flower,
        "course": corrupt(flower, "contrast", 5),
        "cifar10c": corrupt(flower, "contrast", 4, "cifar10c"),
    }
    for ax, (name, image) in zip(axes, shown.items(), strict=True):
        show_pixels(ax, image[0])
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
    "cosine; a "
    "whole period; and one that changes its sign from each pixel to the next.",
    caption="Four columns of Ψ. All of them arrive level at both borders: mirrored "
    "there, "
    "they go on as the same wave.",
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
gallery(
    "jpeg",
    "An astronaut",
    "JPEG drops what is weak, so the power hardly falls, and mostly that of fast "
    "waves. The "
    "eye sees more: the borders of the blocks.",
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
display.glue("cnn-cor-closest", SHORT[closest])
display.glue("cnn-cor-farthest", SHORT[farthest])
display.glue("cnn-cor-closest-rmse", median_of(closest, 3))
display.glue("cnn-cor-farthest-rmse", median_of(farthest, 3))
for name, which in ((closest, "closest"), (farthest, "farthest")):
    decibels = np.median(psnr(distances["course", name][2]))
    display.glue(f"cnn-cor-{which}-psnr", f"{decibels:.0f}")
for name in CORRUPTIONS:
    display.glue(f"cnn-cor-spread-{SHORT[name].lower()}", f"{spread[name]:.1f}")
display.glue("cnn-cor-noise-5", median_of("gaussian_noise", 5))
display.glue("cnn-cor-noise-5-cifar10c", median_of("gaussian_noise", 5, "cifar10c"))
display.show(
    draw_distances(),
    alt="Root mean squared error in grey levels against severity, for both tables: "
    "noise, "
    "blur, contrast and JPEG, medians with bars from the tenth to the ninetieth "
    "percentile. The lines lie far apart; the bars of noise are short, those of the "
    "others "
    "long.",
    caption="Medians over images; bars from the tenth to the ninetieth percentile. Noise "
    "is nearly as large on every image, the others depend on it.",
)

# %% [markdown]
# At severity 3 of `course` the median distance is {glue:text}`cnn-cor-closest-rmse` grey levels for
# {glue:text}`cnn-cor-closest` and {glue:text}`cnn-cor-farthest-rmse` for {glue:text}`cnn-cor-farthest`, or
# {glue:text}`cnn-cor-closest-psnr` and {glue:text}`cnn-cor-farthest-psnr` dB (on the {glue:text}`cnn-cor-images`
# {glue:text}`cnn-cor-source`). And noise of severity 5 is {glue:text}`cnn-cor-noise-5` levels away in `course`,
# {glue:text}`cnn-cor-noise-5-cifar10c` in `cifar10c`. The numbers 1 to 5 order the copies of *one* corruption in *one*
# table; across they mean nothing.
#
# Nor does one distance fit all images. Noise is nearly the same on each: between the images at the tenth and the
# ninetieth percentile lies a factor of {glue:text}`cnn-cor-spread-noise`. For blur it is
# {glue:text}`cnn-cor-spread-blur`, for contrast {glue:text}`cnn-cor-spread-contrast`, for JPEG
# {glue:text}`cnn-cor-spread-jpeg`. What you saw says why. Contrast moves a pixel by $(1 - c)(\langle x \rangle - x)$,
# so by how far it lies from the mean. A blur takes $1 - \lambda_k$ of wave $k$ away, and JPEG what is small. Blue sky
# has little to lose to any of them, a lawn has much.
#
# A distance in pixels is not what a network sees, either. How much worse a network gets is measured in the chapter on
# robustness, and a denominator per corruption stands there in the place of one scale for all.

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
display.glue("cnn-cor-ratio", f"{timed['course_ratio']:.1f}")
display.glue("cnn-cor-ratio-cifar10c", f"{timed['cifar10c_ratio']:.1f}")
display.glue("cnn-cor-seconds", f"{timed['course_seconds']:.0f}")
display.glue("cnn-cor-usual-seconds", f"{timed['course_usual_seconds']:.0f}")
display.glue("cnn-cor-timed-images", f"{settings['images']:,}")
display.glue(
    "cnn-cor-timed-source",
    "CIFAR-10" if settings["source"] == "cifar10" else "patches of photographs",
)
display.glue("cnn-cor-machine", record["provenance"]["processor"])
display.glue("cnn-cor-repeats", f"{settings['repeats']}")
display.glue("cnn-cor-date", record["provenance"]["date"][:10])
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
# All twenty copies of {glue:text}`cnn-cor-timed-images` images of {glue:text}`cnn-cor-timed-source` after `course` take
# {glue:text}`cnn-cor-seconds` s in place of {glue:text}`cnn-cor-usual-seconds` s, {glue:text}`cnn-cor-ratio` times
# less; after `cifar10c` {glue:text}`cnn-cor-ratio-cifar10c` times. (One thread of {glue:text}`cnn-cor-machine`,
# {glue:text}`cnn-cor-date`; processor time, both ways in turn, the median of the repeats, here
# {glue:text}`cnn-cor-repeats`. One by one: torchvision's functions on each image, PIL for JPEG, and for `cifar10c` the
# published ones. They agree within a grey level for `course`, exactly for JPEG and `cifar10c`.)

# %% [markdown]
# ## What was shown
#
# - Noise puts the same power into every wave, {eq}`eq-cnn-white-noise`, and clipping turns some of it into a loss of
#   contrast, {eq}`eq-cnn-noise-clipping`.
# - A Gaussian blur damps a wave by $e^{-\ell^2 \alpha^2/2}$ on a line, {eq}`eq-cnn-gaussian-wave`, and on pixels by
#   less, {eq}`eq-cnn-blur-transfer`: the narrowest blur of the tables hardly blurs.
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
exercises.check("cnn/corruptions/peak_ratio", peak_ratio)

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
exercises.check("cnn/corruptions/noisy_input", noisy_input)

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
# - {cite:t}`hendrycks2019corruptions` define fifteen corruptions, noise, contrast and JPEG among them, and four more to
#   choose settings by, among which is the Gaussian blur; and the errors that {doc}`robustness` reports.
# - {cite:t}`wallace1991jpeg` is the standard of JPEG, told by one of its authors.
# - {cite:t}`strang1999dct` finds the cosines as eigenvectors, in eight variants: one for each way to end at a border.
