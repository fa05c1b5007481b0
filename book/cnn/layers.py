# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

# %% [markdown]
# # One kernel for every place
#
# An edge is an edge wherever it stands in a picture. So nine numbers that find it in one place should find it
# everywhere. How does a layer use the same few weights at every pixel? And when the network is wrong, how does each
# weight, and each pixel, learn its share?
#
# Here is an image of five by five pixels and a {term}`kernel` of three by three. Lay the kernel on the image, multiply
# what lies on one another, add up; then move on.

# %% tags=["parameters"]
profile = "smoke"
seed = 0

# %% tags=["set-up"]
from helpers import display, exercises, parameters, records, verify
from helpers.cnn import drawing, layers

import matplotlib.pyplot as plt
import numpy as np
import torch
from numpy.lib.stride_tricks import sliding_window_view
from scipy.signal import convolve2d
from sklearn.datasets import load_digits
from torch.nn import functional as F

parameters.check(globals(), profile=("smoke", "full"), seed=range(2**31))
display.use_book_style()
rng = np.random.default_rng(seed)


def random_layers():  # for checks: no two sizes alike, and windows that leave pixels
    for (C, H, W), (n_filters, k, l), s, p in (
        ((1, 5, 5), (1, 3, 3), 1, 0),
        ((2, 7, 6), (3, 3, 2), 1, 1),
        ((2, 8, 6), (3, 2, 3), 2, 0),
        ((3, 9, 7), (2, 3, 4), 2, 2),
        ((2, 11, 8), (2, 2, 1), 4, 1),
    ):
        w = rng.standard_normal((n_filters, C, k, l))
        yield rng.standard_normal((C, H, W)), w, rng.standard_normal(n_filters), s, p


def by_torch(x, w, b, s, p=0):  # a random g, and the gradients of x, w and b
    x, w, b = (torch.tensor(array, requires_grad=True) for array in (x[None], w, b))
    z = F.conv2d(x, w, b, stride=s, padding=p)
    g = torch.tensor(rng.standard_normal(z.shape))
    dx, dw, db = torch.autograd.grad(z, (x, w, b), g)
    return g[0].numpy(), dx[0].numpy(), dw.numpy(), db.numpy()


# %%
image = np.array(
    [
        [0, 0, 0, 1, 2],
        [0, 0, 1, 2, 2],
        [0, 1, 2, 2, 2],
        [0, 1, 2, 2, 2],
        [0, 0, 1, 2, 2],
    ]
)
kernel = np.array([[-1, 0, 1], [-2, 0, 2], [-1, 0, 1]])


# %% tags=["hide-input"]
def draw_window(place):
    u, v = places[place]
    window = image[u : u + 3, v : v + 3]
    total = f"{np.sum(kernel * window)}".replace("-", "−")
    terms = [f"{a}·{x}" for a, x in zip(kernel.flat, window.flat, strict=True)]
    figures, axes = display.panels(*[(2.2, 2.5)] * 3)
    drawing.numbers(axes[0], image, "image $x$", [(u, v, 3, 3)])
    title = f"kernel · window, sum {total}"
    drawing.numbers(axes[1], np.reshape(terms, (3, 3)), title)
    drawing.numbers(axes[2], responses, "output $z$", [(u, v, 1, 1)])
    return figures


places = {f"{u}, {v}": (u, v) for u, v in np.ndindex(3, 3)}
responses = convolve2d(image, kernel[::-1, ::-1], mode="valid")
display.slider(
    draw_window,
    list(places),
    label="row, column of the output",
    alt=lambda place: (
        f"The kernel on three by three pixels of the image, the nine products, and their "
        f"sum {responses[places[place]]}, which is entry {place} of the output."
    ),
    caption="Nine products and a sum for each place. The sum is large where the image "
    "gets brighter from left to right, and small where little changes.",
    start="0, 1",
)

# %% [markdown]
# ## Nine windows, by hand
#
# The first window holds rows 0 to 2 and columns 0 to 2. Its products, row by row, are $(-1) \cdot 0 + 0 \cdot 0 + 1
# \cdot 0$, then $(-2) \cdot 0 + 0 \cdot 0 + 2 \cdot 1$, then $(-1) \cdot 0 + 0 \cdot 1 + 1 \cdot 2$. The three rows
# make 0, 2 and 2, which is 4 together. Here are all windows, with every product:

# %%
for u, v in np.ndindex(3, 3):
    products = kernel * image[u : u + 3, v : v + 3]
    terms = " ".join(f"{term:+d}" for term in products.ravel())
    print(f"z[{u}, {v}] = {terms} = {products.sum()}")

# %% [markdown]
# A dense layer from 25 pixels to 9 numbers has 225 weights. This one has nine, and uses each of them nine times.
#
# ## The layer
#
# Images have channels: red, green and blue at first, later whatever the layer before has found. A *filter* is a kernel
# for each channel, and a layer has many filters. With the image $x_{c,r,q}$ (channel, row, column), the weights
# $w_{f,c,i,j}$ of filter $f$, its bias $b_f$, and a {term}`stride` $s$, the number of pixels from one window to the
# next,
#
# $$
# z_{f,u,v} = b_f + \sum_{c} \sum_{i,j} w_{f,c,i,j}\; x_{c,\,su+i,\,sv+j} .
# $$ (def-cnn-convolution)
#
# Before that, {term}`padding` may put $p$ rows and columns of zeros on each side of the image, so that windows may
# reach over its rim. How many windows fit? Look along one axis, at $n$ pixels and a kernel of $k$. Window $u$ covers
# the pixels $su$ to $su + k - 1$ of $n + 2p$, so the last one has $su + k \le n + 2p$, or $u \le (n + 2p - k) / s$.
# With number 0 that makes
#
# $$
# m = \left\lfloor \frac{n + 2p - k}{s} \right\rfloor + 1 , \qquad k \le n + 2p .
# $$ (eq-cnn-output-size)
#
# Pixels that are left over at the far side are in no window.


# %%
def output_size(n, k, s, p):
    return (n + 2 * p - k) // s + 1


def pad(x, p):  # [C, H, W] → [C, H + 2p, W + 2p]
    return np.pad(x, ((0, 0), (p, p), (p, p)))


def convolve(x, w, b, s=1, p=0):  # [C, H, W], [F, C, k, l], [F] → [F, H', W']
    k, l = w.shape[2:]
    m = [output_size(*axis, s, p) for axis in zip(x.shape[1:], (k, l), strict=True)]
    x, z = pad(x, p), np.empty((len(w), *m))
    for f, u, v in np.ndindex(z.shape):
        window = x[:, s * u : s * u + k, s * v : s * v + l]  # [C, k, l]
        z[f, u, v] = b[f] + np.sum(w[f] * window)
    return z


# %% tags=["hide-input"]
def draw_places():
    figures, axes = display.panels((2.8, 3.0), (1.5, 3.0), (2.3, 3.0))
    windows = [(2 * u, 2 * u, 3, 3) for u in range(3)]
    drawing.numbers(axes[0], pad(image[None], 1)[0], "$p = 1$, $s = 2$", windows)
    z = convolve(image[None], kernel[None, None], [0], s=2, p=1)[0]
    drawing.numbers(axes[1], z, "its output", [(u, u, 1, 1) for u in range(3)])
    drawing.numbers(axes[2], image, "$p = 0$, $s = 3$", [(0, 0, 3, 3)])
    return figures


display.show(
    draw_places(),
    alt="The image with a rim of zeros, seven by seven, in which three windows along the "
    "diagonal are framed, two pixels apart; its output of three by three; and the image "
    "without a rim, in which one window at the upper left is framed.",
    caption="With a rim and a stride of 2 there are three windows along each axis, of "
    "which those on the diagonal are framed. Without a rim and with a stride of 3 "
    "there is room for one, and two rows and two columns are left over.",
)


# %% tags=["check"]
def cases():
    for n in range(1, 12):
        for k in range(1, 5):
            for s in range(1, 6):
                for p in range(3):
                    if k <= n + 2 * p:
                        x, w = torch.empty(1, 1, n, device="meta"), torch.empty(1, 1, k)
                        z = F.conv1d(x, w.to("meta"), stride=s, padding=p)
                        yield output_size(n, k, s, p), z.shape[-1]


verify.equal("eq-cnn-output-size", cases(), against="torch")

# %% [markdown]
# These loops are {eq}`def-cnn-convolution` as it stands. They are slow, and you can trust them.
#
# ### Not quite a convolution
#
# The kernel lies on the image as it is. In mathematics this is a {term}`cross-correlation`; a convolution turns the
# kernel by half a turn first, $(w * x)_{u,v} = \sum_{i,j} w_{i,j}\, x_{u-i,\,v-j}$. Write $\bar w_{i,j} =
# w_{k-1-i,\,l-1-j}$ for the turned kernel, of $k \times l$. In $\sum_{i,j} w_{i,j}\, x_{u+i,\,v+j}$ put $i = k - 1 -
# i'$ and $j = l - 1 - j'$: it becomes $\sum_{i',j'} \bar w_{i',j'}\, x_{(u+k-1)-i',\,(v+l-1)-j'}$, the convolution with
# $\bar w$, read $k - 1$ rows and $l - 1$ columns further on:
#
# $$
# \sum_{i,j} w_{i,j}\, x_{u+i,\,v+j} = (\bar w * x)_{u+k-1,\;v+l-1} .
# $$ (eq-cnn-turned-kernel)
#
# Learned weights do not mind: a network that wants the other one learns the turned kernel. So the field says
# "convolution" and computes a cross-correlation, and this book does too. The turn comes back in earnest in the backward
# pass.


# %%
def turned(w):  # by half a turn, in its last two axes
    return w[..., ::-1, ::-1]


print("as it is:", convolve(image[None], kernel[None, None], [0])[0, 0])
print("turned:  ", convolve(image[None], turned(kernel)[None, None], [0])[0, 0])


# %% tags=["check"]
def cases():
    for (k, l), size in (((3, 3), (5, 5)), ((2, 4), (6, 5)), ((1, 3), (4, 7))):
        w, x = rng.standard_normal((k, l)), rng.standard_normal(size)
        whole = convolve2d(x, turned(w), mode="full")
        inside = whole[k - 1 : size[0], l - 1 : size[1]]
        yield convolve(x[None], w[None, None], [0])[0], inside


verify.equal("eq-cnn-turned-kernel", cases(), atol=1e-12, against="scipy.signal")

# %% [markdown]
# ## Move the image
#
# Why this layer and no other? {doc}`/gnn/equivariance` shows that on a ring it is the only linear one that moves its
# output along with its input. Here is the easy half, for images. Let $x'$ be the image $x$ moved down by $sa$ pixels
# and right by $sa'$, $x'_{c,r,q} = x_{c,\,r-sa,\,q-sa'}$, so by whole strides. Window $(u, v)$ of $x'$ reads
# $x'_{c,\,su+i,\,sv+j} = x_{c,\,s(u-a)+i,\,s(v-a')+j}$, which is what window $(u - a, v - a')$ of $x$ reads:
#
# $$
# z'_{f,u,v} = z_{f,\,u-a,\,v-a'} \qquad \text{for all } u \ge a,\ v \ge a' .
# $$ (eq-cnn-equivariance)
#
# Each new window reads pixels that were in the old image. That is {term}`equivariance <equivariance>`: the output
# *moves along*. It is not invariance, which would be an output that *stays*. And it holds for moves by whole strides
# only, and away from the rim where padding has put its zeros.


# %%
def moved(x, down, right):  # zeros come in at the top and at the left
    rows, columns = x.shape[1] - down, x.shape[2] - right
    x_moved = np.zeros_like(x)
    x_moved[:, down:, right:] = x[:, :rows, :columns]
    return x_moved


# %% tags=["hide-input"]
def draw_moves(m):
    canvas = np.zeros((1, 16, 16))
    canvas[:, 4:12, 1:9] = load_digits().images[0] / 16
    x = moved(canvas, 0, m)
    figures, axes = display.panels(*[(2.2, 2.5)] * 3)
    drawing.squares(axes[0], x[0], 1, "image")
    for ax, s in zip(axes[1:], (1, 2), strict=True):
        z = convolve(x, kernel[None, None], [0], s=s, p=1)[0]
        drawing.squares(ax, z, 4, f"output, stride {s}")
    return figures


display.slider(
    draw_moves,
    range(5),
    label="pixels to the right",
    alt=lambda m: (
        f"A handwritten zero, moved right by {m} pixels. The output of stride 1, which "
        f"shows its left and right edges, has moved by {m}. The output of stride 2 "
        + (
            f"has moved by {m // 2} and looks as it did."
            if m % 2 == 0
            else "looks different: its windows have hit other pixels of the digit."
        )
    ),
    caption="With stride 1 the output moves along, whatever the move. With stride 2 it "
    "moves along when the image moves by 2 or 4; in between it is another picture. "
    "(Filled squares are positive, hollow ones negative.)",
    start=3,
)


# %% tags=["check"]
def cases():
    for s, a, b in ((1, 1, 2), (2, 1, 0), (3, 2, 1)):
        x, w = rng.standard_normal((2, 12, 14)), rng.standard_normal((3, 2, 3, 2))
        x_moved = moved(x, s * a, s * b)
        z, z_moved = (
            F.conv2d(torch.tensor(y)[None], torch.tensor(w), stride=s)[0]
            for y in (x, x_moved)
        )
        rows, columns = z.shape[1] - a, z.shape[2] - b
        yield z_moved[:, a:, b:], z[:, :rows, :columns].clone()


verify.equal("eq-cnn-equivariance", cases(), atol=1e-12, against="torch")

# %% [markdown]
# Only what forgets the place is invariant: with stride 1, the sum of $z$ over all $(u, v)$, as long as what is not zero
# stays so far from the rim that every window which could reach it fits in. That sum says *whether* there is an edge,
# and no longer *where*.

# %% [markdown]
# :::{exercise} Two strides
# :label: ex-cnn-moves
# Two layers of stride 2 follow one another, without padding. By how many pixels must an image move, at least, for the
# output to move along by whole places, whatever the weights are? And is a network of convolutions,
# {term}`pooling <pooling>` and a linear layer at its end invariant under moves? (Both are in {doc}`learning`: pooling
# makes one number of each window, a linear layer has a weight for each place.) Write `smallest_move(strides)` for a
# list of strides.
# :::

# %% [markdown] tags=["solution"]
# :::{solution-start} ex-cnn-moves
# :class: dropdown
# :::
# A move by $s$ pixels moves the output of a layer of stride $s$ by one place, {eq}`eq-cnn-equivariance`. So for the
# second layer to move along by one place, its input must move by its stride, and the image by the product of both: 4. A
# smaller move makes some layer read its input off the grid of its stride, and with general weights that gives other
# numbers.
#
# Such a network is not invariant. Its convolutions are equivariant at best. The linear layer at the end has a weight
# for each place; if it does not happen to give the same weight to all places, it sees a move. Only pooling over *all*
# places forgets them, and what networks learn from moved copies is approximate.


# %% tags=["solution"]
def smallest_move(strides):
    return int(np.prod(strides))


# %% [markdown] tags=["solution"]
# :::{solution-end}
# :::

# %%
exercises.check("cnn/layers/smallest_move", smallest_move)

# %% [markdown]
# ## Backward: one output, nine weights, nine pixels
#
# Now the network has an output, and the output a loss $L$. All that this layer hears of it is how $L$ changes with each
# of its own outputs: the {term}`upstream gradient` $g_{f,u,v} = \partial L / \partial z_{f,u,v}$, of the shape of $z$.
# From it we want the gradients of $w$ and $b$, to learn, and that of $x$, to hand on to the layer before.
#
# By hand first. Say that of the nine outputs above three matter: $g_{0,0} = 1$, $g_{1,2} = -1$, $g_{2,1} = 2$. The
# weight $w_{0,0}$ multiplies pixel $x_{u,v}$ in window $(u, v)$. So $\partial L / \partial w_{0,0} = 1 \cdot x_{0,0} -
# 1 \cdot x_{1,2} + 2 \cdot x_{2,1} = 0 - 1 + 2 = 1$. And the pixel in the middle, $x_{2,2}$, is in all nine windows: in
# the lower right corner of window $(0, 0)$, at the left of $(1, 2)$, at the top of $(2, 1)$. So $\partial L / \partial
# x_{2,2} = 1 \cdot w_{2,2} - 1 \cdot w_{1,0} + 2 \cdot w_{0,1} = 1 + 2 + 0 = 3$.
#
# Now in general. $L$ depends on a weight through every place where it was used, so the chain rule adds up over places;
# and $\partial z_{f,u,v} / \partial w_{f,c,i,j} = x_{c,su+i,sv+j}$, and $\partial z_{f,u,v} / \partial b_f = 1$, by
# {eq}`def-cnn-convolution`. Here $x$ is the padded image, and in a batch the images add up too.
#
# $$
# \frac{\partial L}{\partial w_{f,c,i,j}} = \sum_{u,v} g_{f,u,v}\; x_{c,\,su+i,\,sv+j} , \qquad
# \frac{\partial L}{\partial b_f} = \sum_{u,v} g_{f,u,v} .
# $$ (eq-cnn-weight-gradient)
#
# For a pixel, the places that count are those whose window it is in: it is $x_{c,r,q}$ of window $(u, v)$ with $i = r -
# su$ and $j = q - sv$, if these are rows and columns of the kernel.
#
# $$
# \begin{gathered}
# \frac{\partial L}{\partial x_{c,r,q}} = \sum_{f} \sum_{u,v} g_{f,u,v}\; w_{f,c,\,r-su,\,q-sv} \\
# \text{over all } (u, v) \text{ with } 0 \le r - su < k \text{ and } 0 \le q - sv < l .
# \end{gathered}
# $$ (eq-cnn-scattered-gradient)
#
# The loop over places says all three at once. Each place takes its window times $g$ into $w$, and puts the kernel times
# $g$ back where the window was:


# %%
def convolve_backward(g, x, w, s=1):  # [F, H', W'], x and w as above, x padded
    k, l = w.shape[2:]
    dL_dx, dL_dw, dL_db = np.zeros(x.shape), np.zeros(w.shape), np.zeros(len(w))
    for f, u, v in np.ndindex(g.shape):
        window = np.s_[:, s * u : s * u + k, s * v : s * v + l]
        dL_db[f] += g[f, u, v]
        dL_dw[f] += g[f, u, v] * x[window]
        dL_dx[window] += g[f, u, v] * w[f]
    return dL_dx, dL_dw, dL_db


g = np.zeros((3, 3))
g[0, 0], g[1, 2], g[2, 1] = 1, -1, 2
dL_dx, dL_dw, dL_db = convolve_backward(g[None], image[None], kernel[None, None])
print(f"dL/dw[0, 0] = {dL_dw[0, 0, 0, 0]:g}   dL/dx[2, 2] = {dL_dx[0, 2, 2]:g}")


# %% tags=["hide-input"]
def draw_backward():
    figures, axes = display.panels((2.0, 2.6), (2.4, 2.6), (2.0, 2.6))
    windows = [(u, v, 3, 3) for u, v in np.argwhere(g)]
    drawing.numbers(axes[0], g, "$g$", [(u, v, 1, 1) for u, v in np.argwhere(g)])
    drawing.numbers(axes[1], dL_dx[0], r"$\partial L / \partial x$", windows)
    drawing.numbers(axes[2], dL_dw[0, 0], r"$\partial L / \partial w$")
    return figures


display.show(
    draw_backward(),
    alt="The upstream gradient, three by three, with 1, −1 and 2 framed and else 0; the "
    "gradient of the image, five by five, with the three windows of these places framed, "
    "which overlap in the middle; the gradient of the kernel, three by three.",
    caption="Three places have a gradient. Each stamps the kernel, times its own number, "
    "into its window; where windows overlap the stamps add up.",
)


# %% tags=["check"]
def cases():
    for x, w, b, s, _ in random_layers():
        g, _, dw, db = by_torch(x, w, b, s)
        _, dL_dw, dL_db = convolve_backward(g, x, w, s)
        yield dL_dw, dw
        yield dL_db, db


verify.equal("eq-cnn-weight-gradient", cases(), atol=1e-12, against="autograd")


# %% tags=["check"]
def cases():
    for x, w, b, s, _ in random_layers():
        g, dx, _, _ = by_torch(x, w, b, s)
        yield convolve_backward(g, x, w, s)[0], dx


verify.equal("eq-cnn-scattered-gradient", cases(), atol=1e-12, against="autograd")

# %% [markdown]
# Read {eq}`eq-cnn-weight-gradient` once more: with $s = 1$ it is a cross-correlation of the image with $g$ as the
# kernel. And the gradient of the pixels? It hides a convolution, too.
#
# ## The gradient of the image is a convolution
#
# Take $s = 1$ and no padding. In {eq}`eq-cnn-scattered-gradient` put $i = r - u$ and $j = q - v$, and sum over $i$ and
# $j$ instead. With $g = 0$ outside of its places,
#
# $$
# \frac{\partial L}{\partial x_{c,r,q}} = \sum_{f} \sum_{i,j} w_{f,c,i,j}\; g_{f,\,r-i,\,q-j} .
# $$ (eq-cnn-input-gradient)
#
# The signs are those of a convolution proper. As a cross-correlation, in $i' = k - 1 - i$ and $j' = l - 1 - j$, it is
# $\sum \bar w_{f,c,i',j'}\, g_{f,\,r-(k-1)+i',\,q-(l-1)+j'}$: *surround $g$ with $k - 1$ rows and $l - 1$ columns of
# zeros, and slide the turned kernel over it*. This is the {term}`full correlation`. It is the same layer once more,
# with filters and channels in each other's place. The picture has the $g$ from above; check the 3 in the middle.


# %%
def input_gradient(g, w):  # [F, H', W'], [F, C, k, l] → [C, H, W], for s = 1, p = 0
    k, l = w.shape[2:]
    surrounded = np.pad(g, ((0, 0), (k - 1, k - 1), (l - 1, l - 1)))
    turned_w = turned(w).swapaxes(0, 1)  # [C, F, k, l]
    return convolve(surrounded, turned_w, np.zeros(len(turned_w)))


# %% tags=["hide-input"]
def draw_full(pixel):
    r, q = map(int, pixel.split(","))
    figures, axes = display.panels((2.5, 2.8), (1.8, 2.8), (2.2, 2.8))
    drawing.numbers(axes[0], np.pad(g, 2), "$g$ among zeros", [(r, q, 3, 3)])
    drawing.numbers(axes[1], turned(kernel), "kernel, turned")
    gradient = input_gradient(g[None], kernel[None, None])[0]
    title = r"$\partial L / \partial x$"
    drawing.numbers(axes[2], gradient, title, [(r, q, 1, 1)])
    return figures


display.slider(
    draw_full,
    [f"{r}, {q}" for r, q in ((0, 0), (1, 1), (2, 2), (3, 1), (4, 4))],
    label="pixel",
    alt=lambda pixel: (
        "The three by three upstream gradient inside a seven by seven grid of zeros, the "
        "turned kernel, and the five by five gradient of the image. For pixel "
        f"{pixel} a window of three by three is framed in the first, and its entry in "
        "the last."
    ),
    caption="The turned kernel slides over g with two rows and columns of zeros around "
    "it. A pixel at a corner of the image hears of one place, the one in the middle of "
    "nine.",
    start="2, 2",
)


# %% tags=["check"]
def cases():
    for x, w, b, _, _ in random_layers():
        g, dx, _, _ = by_torch(x, w, b, 1)
        yield input_gradient(g, w), dx


verify.equal("eq-cnn-input-gradient", cases(), atol=1e-12, against="autograd")

# %% [markdown]
# ### With a stride, and with padding
#
# With a stride, {eq}`eq-cnn-scattered-gradient` asks for $r = su + i$. Spread $g$ out first: put it on a grid with a
# place for each pixel, at every $s$-th of them, and zeros between,
#
# $$
# g^{\uparrow s}_{f,\,r,\,q} = \begin{cases} g_{f,\,r/s,\,q/s} & \text{if } s \text{ divides } r \text{ and } q , \\
# 0 & \text{else.} \end{cases}
# $$ (def-cnn-dilated)
#
# Then $\sum_u g_u\, w_{r-su} = \sum_i w_i\, g^{\uparrow s}_{r-i}$ along each axis: the terms on the right in which $s$
# does not divide $r - i$ are zero, and those that are left are the terms on the left, with $r - i = su$. The full
# correlation of $g^{\uparrow s}$ has $s(m - 1) + k$ rows, and the padded image has $n + 2p$. Those that are missing
# belong to pixels that no window reaches; their gradient is 0.
#
# Padding is a layer of its own, and a simple one: pixel $(r, q)$ becomes pixel $(r + p, q + p)$, and the zeros around
# it depend on nothing. So backward it cuts them off. Together,
#
# $$
# \frac{\partial L}{\partial x_{c,r,q}} = \sum_{f} \sum_{i,j} w_{f,c,i,j}\; g^{\uparrow s}_{f,\,r+p-i,\,q+p-j} .
# $$ (eq-cnn-input-gradient-stride)
#
# As a layer for its own sake, which makes a larger image of a smaller one, this is called a *transposed convolution*
# {cite}`dumoulin2016guide`.


# %%
def dilated(g, s):  # [F, m, m'] → [F, s(m − 1) + 1, s(m' − 1) + 1]
    spread = np.zeros((len(g), *(s * (m - 1) + 1 for m in g.shape[1:])))
    spread[:, ::s, ::s] = g
    return spread


def input_gradient_of_any(g, w, shape, s, p):  # → [C, H, W], the shape of the image
    C, H, W = shape
    full = input_gradient(dilated(g, s), w)
    dL_dx = np.zeros((C, H + 2 * p, W + 2 * p))
    dL_dx[:, : full.shape[1], : full.shape[2]] = full
    return dL_dx[:, p : p + H, p : p + W]


# %% tags=["hide-input"]
def draw_dilated():
    figures, axes = display.panels((1.4, 3.0), (2.2, 3.0), (3.1, 3.0))
    spread = dilated(np.array([[[1, 2], [3, 4]]]), 3)[0]
    drawing.numbers(axes[0], spread[::3, ::3], "$g$")
    drawing.numbers(axes[1], spread, "spread out, $s = 3$")
    drawing.numbers(axes[2], np.pad(spread, 2), "among zeros", [(2, 2, 3, 3)])
    return figures


display.show(
    draw_dilated(),
    alt="The numbers 1, 2, 3, 4 in two by two; the same in the corners of a grid of four "
    "by four zeros; the same among two more rows and columns of zeros on each side, "
    "with a window of three by three framed that holds the 1 alone.",
    caption="For a stride of 3, g is spread out before it is surrounded by zeros. The "
    "kernel of three by three then meets one number at a time, as it should: with this "
    "stride no pixel is in two windows.",
)


# %% tags=["check"]
def cases():
    for x, w, b, s, p in random_layers():
        g, dx, _, _ = by_torch(x, w, b, s, p)
        yield input_gradient_of_any(g, w, x.shape, s, p), dx


verify.equal("eq-cnn-input-gradient-stride", cases(), atol=1e-12, against="autograd")

# %% [markdown]
# :::{exercise} Loops over the kernel
# :label: ex-cnn-kernel-loops
# Write the layer and its backward pass for a batch of images, in NumPy: `convolution(x, w, b, s, p)` and
# `convolution_backward(g, x, w, s, p)`, which returns the gradients of $x$, $w$ and $b$. Shapes are $[N, C, H, W]$,
# $[F, C, k, l]$, $[F]$ and $[N, F, H', W']$. You may write the loops over images, filters and places from above.
# Better, and much faster: loop over the $k \cdot l$ places of the kernel alone. What does weight $w_{f,c,i,j}$
# multiply, in all windows together?
# :::

# %% [markdown] tags=["solution"]
# :::{solution-start} ex-cnn-kernel-loops
# :class: dropdown
# :::
# In window $(u, v)$ weight $(i, j)$ lies on pixel $(su + i, sv + j)$. Over all windows that is every $s$-th row from
# row $i$ on and every $s$-th column from $j$ on: a slice of $x$, of the shape of the output. It is mixed over channels
# by the matrix $w_{:,:,i,j}$, and the results are added. Backward, the same slices take what
# {eq}`eq-cnn-weight-gradient` and {eq}`eq-cnn-scattered-gradient` say.


# %% tags=["solution"]
def slices(size, w, s):  # for each (i, j), the pixels it lies on
    for i, j in np.ndindex(w.shape[2:]):
        rows = slice(i, i + s * (size[0] - 1) + 1, s)
        yield i, j, np.s_[:, :, rows, j : j + s * (size[1] - 1) + 1 : s]


def padded_batch(x, p):
    return np.pad(x, ((0, 0), (0, 0), (p, p), (p, p)))


def convolution(x, w, b, s, p):
    k, l = w.shape[2:]
    size = output_size(x.shape[2], k, s, p), output_size(x.shape[3], l, s, p)
    x, z = padded_batch(x, p), b[:, None, None]
    for i, j, part in slices(size, w, s):
        z = z + np.einsum("fc,nchw->nfhw", w[:, :, i, j], x[part])
    return z


def convolution_backward(g, x, w, s, p):
    x, dL_dw = padded_batch(x, p), np.zeros_like(w)
    dL_dx = np.zeros_like(x)
    for i, j, part in slices(g.shape[2:], w, s):
        dL_dw[:, :, i, j] = np.einsum("nfhw,nchw->fc", g, x[part])
        dL_dx[part] += np.einsum("fc,nfhw->nchw", w[:, :, i, j], g)
    rows, columns = x.shape[2] - p, x.shape[3] - p
    return dL_dx[:, :, p:rows, p:columns], dL_dw, g.sum(axis=(0, 2, 3))


# %% [markdown] tags=["solution"]
# :::{solution-end}
# :::

# %%
exercises.check("cnn/layers/convolution", convolution)

# %%
exercises.check("cnn/layers/convolution_backward", convolution_backward)

# %% [markdown]
# ## One product of matrices
#
# Processors are fast at one thing, products of large matrices. So make the layer one. Write each window of the padded
# image as a column: $\mathcal{X}$ has a row for each $(c, i, j)$ and a column for each $(u, v)$, with entry
# $x_{c,su+i,sv+j}$. Write the weights as a matrix $\mathcal{W}$, a row for each filter, a column for each $(c, i, j)$;
# and $z$ and $g$ as matrices $\mathcal{Z}$ and $\mathcal{G}$, a row for each filter and a column for each $(u, v)$. The
# sum in {eq}`def-cnn-convolution` runs over $(c, i, j)$, and that in {eq}`eq-cnn-weight-gradient` over $(u, v)$, so
# both are products of matrices:
#
# $$
# \mathcal{Z} = \mathcal{W} \mathcal{X} + b\, \mathbf{1}^\top , \qquad
# \frac{\partial L}{\partial \mathcal{W}} = \mathcal{G} \mathcal{X}^\top , \qquad
# \frac{\partial L}{\partial \mathcal{X}} = \mathcal{W}^\top \mathcal{G} .
# $$ (eq-cnn-product)
#
# The third one gives a gradient for each pixel *of each window*. A pixel that is in several windows gets the sum, which
# is {eq}`eq-cnn-scattered-gradient` once more.


# %%
def columns(x, kernel, s):  # [C, H, W], (k, l) → 𝒳 [C k l, H' W']
    windows = sliding_window_view(x, kernel, axis=(1, 2))[:, ::s, ::s]  # no copy
    C, *size = windows.shape[:3]  # windows [C, H', W', k, l]
    return windows.transpose(0, 3, 4, 1, 2).reshape(C * np.prod(kernel), np.prod(size))


def products(g, x, w, b, s):  # → 𝒵, and the gradients of 𝒲 and 𝒳
    W, X, G = w.reshape(len(w), -1), columns(x, w.shape[2:], s), g.reshape(len(g), -1)
    return W @ X + b[:, None], G @ X.T, W.T @ G


# %% tags=["hide-input"]
def draw_columns():
    fig, ax = plt.subplots(figsize=(4.2, 3.7))
    pixel = [(8 - place, place, 1, 1) for place in range(9)]
    drawing.numbers(ax, columns(image[None], (3, 3), 1), "", pixel, size=9)
    ax.set_xticks(range(9), [f"{u},{v}" for u, v in np.ndindex(3, 3)])
    ax.set_yticks(range(9), [f"{weight} ·".replace("-", "−") for weight in kernel.flat])
    ax.tick_params(length=0, labelsize=9)
    ax.set(xlabel="window $u, v$", ylabel="weight")
    return fig


display.show(
    draw_columns(),
    alt="A nine by nine matrix: a column for each window of the five by five image, a "
    "row for each of the nine weights, which stand at its left. The pixel in the "
    "middle of the image occurs once in each column and once in each row, on a "
    "diagonal that rises to the right.",
    caption="The image from above as a matrix of its windows. The pixel in the middle is "
    "framed: it is in all nine windows, under another weight in each.",
)


# %% tags=["check"]
def cases():
    for x, w, b, s, _ in random_layers():
        inputs = torch.tensor(x[None]), torch.tensor(w), torch.tensor(b)
        z = F.conv2d(*inputs, stride=s)[0]
        g, dx, dw, _ = by_torch(x, w, b, s)
        Z, dL_dW, dL_dX = products(g, x, w, b, s)
        yield Z, z.flatten(1)
        yield dL_dW, dw.reshape(len(w), -1)
        folded = F.fold(torch.tensor(dL_dX)[None], x.shape[1:], w.shape[2:], stride=s)
        yield folded[0], dx


verify.equal(
    "eq-cnn-product", cases(), atol=1e-12, against="torch's layer and autograd"
)

# %% [markdown]
# The windows themselves cost nothing: NumPy shows the same memory under other strides. The copy that makes a matrix of
# them does, and it pays. `helpers.cnn.layers` computes these products for a batch, adds up the windows of each pixel,
# and takes a pair for stride and padding where rows and columns differ. Here it is beside the loops:

# %%
x, w, b = (rng.standard_normal(shape) for shape in ((2, 3, 12, 9), (4, 3, 3, 2), (4,)))
z = layers.conv2d(x, w, b, stride=2, padding=1)  # [2, 4, 6, 5]
G = rng.standard_normal(z.shape)
_, dL_dw, _ = layers.conv2d_backward(G, x, w, stride=2, padding=1)
print("the same outputs: ", np.allclose(z, [convolve(one, w, b, 2, 1) for one in x]))
looped = [convolve_backward(G[n], pad(x[n], 1), w, 2)[1] for n in range(2)]
print("the same gradient:", np.allclose(dL_dw, sum(looped)))

# %% [markdown]
# What is it worth? The benchmark takes a layer of {glue:text}`cnn-bench-filters` filters of 3 × 3 on
# {glue:text}`cnn-bench-images` images of {glue:text}`cnn-bench-side` × {glue:text}`cnn-bench-side` pixels with
# {glue:text}`cnn-bench-channels` channels, forward and backward, in single precision on one thread.

# %% tags=["hide-input"]
record = records.load("benchmarks", "layers")
timed, settings = record["metrics"], record["parameters"]
RUNGS = {"loops over places": "loops", "loops over the kernel": "kernel"}
RUNGS |= {"one product": "product", "torch": "torch"}


def draw_ladder():
    fig, ax = plt.subplots(figsize=(4.2, 2.2))
    for place, key in enumerate(RUNGS.values()):
        seconds = timed[f"{key}_seconds"]
        ax.barh(place, 1e3 * seconds, left=1, color=display.COLORS[0], height=0.5)
        text = f"{seconds:.0f} s" if seconds > 1 else f"{1e3 * seconds:.0f} ms"
        ax.text(1.2e3 * seconds, place, text, va="center")
    ax.set_yticks(range(len(RUNGS)), list(RUNGS))
    ax.set(xscale="log", xlabel="milliseconds, forward and backward")
    ax.set(xlim=(1, 5e3 * timed["loops_seconds"]), ylim=(3.6, -0.6))
    ax.grid(False)
    ax.minorticks_off()
    return fig


facts = {
    name: f"{settings[name]}" for name in ("images", "channels", "side", "filters")
}
facts |= {
    "loops": f"{timed['faster_than_loops']:.0f}",
    "kernel": f"{timed['faster_than_kernel']:.1f}",
    "torch": f"{timed['times_torch']:.1f}",
    "torch-forward": f"{timed['times_torch_forward']:.1f}",
    "machine": record["provenance"]["processor"],
    "date": record["provenance"]["date"][:10],
}
for name, text in facts.items():
    display.glue(f"cnn-bench-{name}", text)

display.show(
    draw_ladder(),
    alt="Four bars on a logarithmic axis, each shorter than the one above it: loops over "
    "images, filters and places; loops over the places of the kernel; one product of "
    "matrices; torch.",
    caption="The same layer, forward and backward, written in four ways. Most of the way "
    "is from the loops over places to whole arrays.",
)

# %% [markdown]
# The product is {glue:text}`cnn-bench-loops` times as fast as the loops over images, filters and places, and
# {glue:text}`cnn-bench-kernel` times as fast as loops over the kernel, as in the exercise above. Torch is
# {glue:text}`cnn-bench-torch` times as fast again, and {glue:text}`cnn-bench-torch-forward` times in the forward pass
# alone. (Measured on {glue:text}`cnn-bench-date` on {glue:text}`cnn-bench-machine`; the best of several times each,
# which took turns; the loops were timed on one image and their time multiplied.) Libraries for graphics processors
# began with this very matrix, without ever writing all of it into memory {cite}`chetlur2014cudnn`.

# %% [markdown]
# ## What was shown
#
# - A convolutional layer lays a few weights on every window of an image, {eq}`def-cnn-convolution`. It is a
#   cross-correlation, {eq}`eq-cnn-turned-kernel`, and it moves its output along with its input when that moves by whole
#   strides, {eq}`eq-cnn-equivariance`: equivariant, not invariant.
# - Backward, the weights get the correlation of image and upstream gradient, {eq}`eq-cnn-weight-gradient`. The image
#   gets the full correlation of the upstream gradient, spread out by the stride, with the turned kernel, less the rim
#   that padding had added, {eq}`eq-cnn-input-gradient-stride`.
# - Both passes are products with one matrix of windows, {eq}`eq-cnn-product`, and that makes them fast.
#
# So far the upstream gradient came from nowhere, and no weight has moved. {doc}`learning` adds the layers between the
# last image and a loss, and lets filters like these form by themselves.

# %% [markdown]
# ## Exercises

# %% [markdown]
# :::{exercise} The matrix of a layer
# :label: ex-cnn-layer-matrix
# A layer without bias is linear in its image, so it is a matrix, too. For one channel and one filter `w` of $k \times
# l$, write `layer_matrix(w, shape, s, p)`: with the pixels of an image of that shape in one column, row by row, and the
# places of the output in another, it is the $M$ with $z = M x$. How many different numbers can stand in it, and what
# does $M^\top$ do? (Not $\mathcal{X}$ above, which holds the pixels, nor $\mathcal{W}$, which holds each weight once.)
# :::

# %% [markdown] tags=["solution"]
# :::{solution-start} ex-cnn-layer-matrix
# :class: dropdown
# :::
# A column of $M$ is what the layer makes of an image that is 1 at one pixel and else 0. Apart from 0 it holds no more
# than the $k \cdot l$ weights, however large the image is; a dense layer between the same sizes could have another
# number at each place. By the chain rule the gradient of the image is $M^\top g$, so $M^\top$ does all that
# {eq}`eq-cnn-input-gradient-stride` says, and the name *transposed convolution* is meant literally.


# %% tags=["solution"]
def layer_matrix(w, shape, s, p):
    pixels = np.eye(np.prod(shape)).reshape(-1, 1, *shape)  # an image for each pixel
    made = [convolve(x, w[None, None], [0], s, p).ravel() for x in pixels]
    return np.stack(made, axis=1)  # [H' W', H W]


# %% [markdown] tags=["solution"]
# :::{solution-end}
# :::

# %%
exercises.check("cnn/layers/layer_matrix", layer_matrix)

# %% [markdown]
# :::{exercise} A brighter image
# :label: ex-cnn-brighter
# Add the same number $a$ to all pixels of the image at the top. What happens to the nine outputs? Which kernels behave
# like that, and what do the others do? And what is different with $p = 1$?
# :::

# %% [markdown] tags=["solution"]
# :::{solution-start} ex-cnn-brighter
# :class: dropdown
# :::
# Nothing happens to them. Every output changes by $a \sum_{i,j} w_{i,j}$, and the nine weights sum to 0: $-1 - 2 - 1 +
# 1 + 2 + 1$. Any kernel with that sum looks at differences alone; for the others, the whole output gets brighter or
# darker by the same number, which is what a change of the bias would do as well. With padding the rim stays 0 and does
# not get brighter along with the image. A window that reaches over the rim changes by $a$ times the sum of those
# weights only that lie on the image, and with this kernel that is an edge along the left and the right side which is
# not in the picture.


# %% tags=["solution"]
brighter = image + 5
for p in (0, 1):
    z, z_brighter = (
        convolve(x[None], kernel[None, None], [0], p=p) for x in (image, brighter)
    )
    print(f"with p = {p} it changes by\n{(z_brighter - z)[0].astype(int)}")


# %% [markdown] tags=["solution"]
# :::{solution-end}
# :::

# %% [markdown]
# ## Further reading
#
# - {cite:t}`fukushima1980neocognitron` shared weights over places, {cite:t}`lecun1989backpropagation` trained such a
#   network by its gradient.
# - {cite:t}`dumoulin2016guide` draws every case of stride, padding and transposed convolution.
# - {cite:t}`zhang2019making` measures how far networks with strides are from invariant, and what blurring before each
#   stride does for them.
