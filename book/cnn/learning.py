# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

# %% [markdown]
# # From edges to an answer, and back
#
# A convolution finds edges, wherever they stand. What makes an answer of them, "this is a zero"? And when the answer is
# wrong, how does the error find its way back, to filters that have not found anything yet?
#
# You bring the layer of {doc}`layers`, forward and backward, and its {term}`upstream gradient` $g = \partial L /
# \partial z$: all that a layer hears of the loss. Here is what comes behind such a layer: its output is cut at zero
# ({term}`ReLU`), and then made smaller ({term}`pooling <pooling>`).

# %% tags=["parameters"]
profile = "smoke"
seed = 0

# %% tags=["set-up"]
from helpers import display, exercises, parameters, verify
from helpers.cnn import drawing, layers

import matplotlib.pyplot as plt
import numpy as np
import torch
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression
from torch.nn import functional as F

parameters.check(globals(), profile=("smoke", "full"), seed=range(2**31))
display.use_book_style()
rng = np.random.default_rng(seed)
digits = load_digits()
target, pixels = digits.target, (digits.images[:, None] / 16).astype(np.float32)


# %% tags=["hide-input"]
def draw_layers(edge):
    figures, axes = display.panels((1.8, 2.1), (1.8, 2.1), (1.8, 2.1), (1.3, 2.1))
    x = pixels[:1]
    z = layers.conv2d(x, EDGES[edge][None, None], padding=1)
    a = layers.relu(z)
    drawing.squares(axes[0], x[0, 0], 1, "image")
    drawing.squares(axes[1], z[0, 0], 4, "convolution")
    drawing.squares(axes[2], a[0, 0], 4, "ReLU")
    drawing.squares(axes[3], layers.max_pool2d(a, 2)[0, 0], 4, "pooling")
    return figures


across = np.array([[-1, 0, 1], [-2, 0, 2], [-1, 0, 1]])
EDGES = {"left": across, "upper": across.T, "right": -across, "lower": -across.T}
display.slider(
    draw_layers,
    list(EDGES),
    label="edges looked for",
    alt=lambda edge: (
        "A handwritten zero of eight by eight pixels. A convolution that looks for its "
        f"{edge} edges: positive there, negative at the opposite ones. The same with "
        "zeros in the place of what was negative. Of each two by two places of that, the "
        "largest: four by four."
    ),
    caption="The kernel answers to one kind of edge with a positive number, to the "
    "opposite kind with a negative one. ReLU keeps the first kind. Pooling keeps the "
    "strongest of four: 16 numbers of 64. (Filled squares are positive, hollow ones "
    "negative.)",
)

# %% [markdown]
# ## Four windows, by hand
#
# The last step first. *Max pooling* keeps the largest number of each window. Take the upper left part of the image that
# {doc}`layers` began with, in four windows of 2 × 2. The upper right one holds 0, 1, 1 and 2, so its output is 2. Raise
# the pixel that is 2 by 0.01, and the output rises by 0.01. Raise one of the others, and nothing happens: it is still
# not the largest. So the slopes of the output are 0, 0, 0 and 1. If the upstream gradient of this window is 2, the
# pixel that won hears 2, and the others hear nothing.
#
# The lower left window holds 0, 1, 0 and 1. Who won? Raise or lower each pixel of each window, and see:

# %%
image = np.array([[0, 0, 0, 1], [0, 0, 1, 2], [0, 1, 2, 2], [0, 1, 2, 2]])


def slopes(window, step):  # of the maximum, when one pixel alone moves by step
    moved = window.ravel() + step * np.eye(window.size)  # a row for each pixel
    return [f"{abs(top - window.max()) / abs(step):.0f}" for top in moved.max(axis=1)]


for u, v in np.ndindex(2, 2):
    window = image[2 * u : 2 * u + 2, 2 * v : 2 * v + 2]
    raised, lowered = (" ".join(slopes(window, step)) for step in (0.01, -0.01))
    print(f"{window.ravel()}  slopes when raised {raised}, when lowered {lowered}")


# %% tags=["hide-input"]
def draw_four_windows():
    figures, axes = display.panels((2.2, 2.5), (1.6, 2.5), (1.6, 2.5))
    windows = [(2 * u, 2 * v, 2, 2) for u, v in np.ndindex(2, 2)]
    drawing.numbers(axes[0], image, "image", windows)
    x = image[None, None]
    drawing.numbers(axes[1], layers.max_pool2d(x, 2)[0, 0], "largest")
    drawing.numbers(axes[2], layers.avg_pool2d(x, 2)[0, 0], "mean")
    return figures


display.show(
    draw_four_windows(),
    alt="Four by four pixels in four windows of two by two. Their largest pixels are 0, "
    "2, 1 and 2, their means 0, 1, 0.5 and 2.",
    caption="One number for each window: the largest, or the mean. Only in the upper "
    "right window is one pixel larger than the others.",
)

# %% [markdown]
# With one winner, both agree. Where several pixels are the largest, raise any of them and the output rises; lower any
# one and it stays: the maximum has a kink there, and no derivative.
#
# ## Pooling
#
# {term}`Pooling <pooling>` makes an image smaller: one number for each window, channel by channel. Its windows lie as
# those of a convolution do: with $k \times k$ pixels and a stride of $s$, window $(u, v)$ begins at pixel $(su, sv)$,
# and as in {doc}`layers` $x_{c,r,q}$ is the pixel of channel $c$ in row $r$ and column $q$.
# Backward through max pooling, each window hands its $g$ to the pixel that won, at $(i^*, j^*)$ of window $(u, v)$.
# *Average pooling* takes the mean of $k^2$ pixels, and each has the same share:
#
# $$
# \begin{gathered}
# \frac{\partial L}{\partial x_{c,r,q}} = \sum_{u,v} g_{c,u,v}\, \big[\, (r, q) = (su + i^*, sv + j^*) \,\big]
# \ \ \text{(max)} , \\
# \frac{\partial L}{\partial x_{c,r,q}} = \frac{1}{k^2} \sum_{u,v} g_{c,u,v}\, \big[\, (r, q) \text{ in window }
# (u, v) \,\big] \ \ \text{(average)} .
# \end{gathered}
# $$ (eq-cnn-pool-gradient)
#
# Where windows overlap, a pixel can win several, and gets the sum. And when two pixels tie? Torch gives all of $g$ to
# the *first* one, row by row, and so do we. After a ReLU ties are common: all pixels of a window may be 0.


# %%
def max_pool_backward(g, x, k, s):  # [C, H', W'], [C, H, W] → [C, H, W]
    dL_dx = np.zeros(x.shape)
    for c, u, v in np.ndindex(g.shape):
        window = x[c, s * u : s * u + k, s * v : s * v + k]
        i, j = divmod(window.argmax(), k)  # the first of the largest, row by row
        dL_dx[c, s * u + i, s * v + j] += g[c, u, v]
    return dL_dx


def average_pool_backward(g, x, k, s):
    dL_dx = np.zeros(x.shape)
    for c, u, v in np.ndindex(g.shape):
        dL_dx[c, s * u : s * u + k, s * v : s * v + k] += g[c, u, v] / k**2
    return dL_dx


# %% tags=["hide-input"]
def draw_pooling():
    figures, axes = display.panels(*[(2.2, 2.5)] * 3)
    x, g = image[None], np.array([[[1, 2], [3, 4]]])
    windows = [(2 * u, 2 * v, 2, 2) for u, v in np.ndindex(2, 2)]
    drawing.numbers(axes[0], x[0], "image", windows)
    for ax, backward in zip(
        axes[1:], (max_pool_backward, average_pool_backward), strict=True
    ):
        name = backward.__name__.split("_")[0]
        drawing.numbers(ax, backward(g, x, 2, 2)[0], f"{name}: gradient", windows)
    return figures


display.show(
    draw_pooling(),
    alt="Three grids of four by four in four windows of two by two. The image: the upper "
    "left window is all 0, the upper right one 0, 1, 1, 2. The gradient of max "
    "pooling: in each window one pixel has 1, 2, 3 or 4, of equal pixels the first. "
    "That of average pooling: each pixel has a quarter of that number.",
    caption="Four windows with the upstream gradients 1, 2, 3, 4. Max pooling hands each "
    "to the winner, and of equal pixels to the first; average pooling gives each pixel a "
    "quarter.",
)


# %% tags=["check"]
def cases():
    for shape, k, s in (((1, 4, 4), 2, 2), ((2, 7, 6), 3, 2), ((3, 9, 8), 2, 3)):
        x = rng.integers(0, 4, shape) * 1.0  # with many ties
        for ours, pool in (
            (max_pool_backward, F.max_pool2d),
            (average_pool_backward, F.avg_pool2d),
        ):
            t = torch.tensor(x, requires_grad=True)
            z = pool(t[None], k, s)[0]
            g = rng.standard_normal(z.shape)
            yield ours(g, x, k, s), torch.autograd.grad(z, t, torch.tensor(g))[0]


verify.equal("eq-cnn-pool-gradient", cases(), atol=1e-12, against="autograd")

# %% [markdown]
# ## From the last image to a loss
#
# Three layers are left. {term}`ReLU`, $\max(0, x)$, passes its gradient on where its input was positive. A linear layer
# makes $W x + b$ of each image $x$ of a batch. With the images as the rows of $X$, and their upstream gradients as
# those of $G$, the output is $X W^\top + \mathbf{1} b^\top$; entry by entry, the chain rule gives
#
# $$
# \begin{gathered}
# \frac{\partial L}{\partial x} = g \odot [\, x > 0 \,] \ \ \text{(ReLU)} , \\
# \frac{\partial L}{\partial X} = G W , \quad \frac{\partial L}{\partial W} = G^\top X , \quad
# \frac{\partial L}{\partial b} = G^\top \mathbf{1} \ \ \text{(linear)} .
# \end{gathered}
# $$ (eq-cnn-linear-gradient)
#
# Last comes the loss. The scores $z$ of $K$ classes become probabilities by the {term}`softmax`, $\hat y =
# \operatorname{softmax}(z)$ with $\hat y_k = e^{z_k} / \sum_j e^{z_j}$. The loss of one image of class $t$ is $-\log
# \hat y_t = -z_t + \log \sum_j e^{z_j}$. The first term has the derivative $-[k = t]$, the second $e^{z_k} / \sum_j
# e^{z_j} = \hat y_k$. For the mean over $N$ images, with rows $y$ that are 1 at the class and else 0,
#
# $$
# \frac{\partial L}{\partial z_{n,k}} = \frac{\hat y_{n,k} - y_{n,k}}{N} .
# $$ (eq-cnn-cross-entropy-gradient)
#
# One thing must be done with care: $e^{1000}$ is no number for a computer. Subtract the largest score from all of them
# first; the probabilities stay what they were.


# %%
def relu_backward(g, x):
    return g * (x > 0)


def linear_backward(G, X, W):  # [N, K], [N, D], [K, D]
    return G @ W, G.T @ X, G.T @ np.ones(len(G))


def cross_entropy_backward(z, target):  # [N, K], [N]
    e = np.exp(z - z.max(axis=1, keepdims=True))
    y = np.eye(z.shape[1])[target]
    return (e / e.sum(axis=1, keepdims=True) - y) / len(z)


z = np.array([[2.0, 1.0, 0.0]])
print("scores 2, 1, 0 and class 1:", cross_entropy_backward(z, [1])[0].round(2))


# %% tags=["hide-input"]
def draw_error():
    fig, ax = plt.subplots(figsize=(4.2, 2.4))
    error = cross_entropy_backward(z, [1])[0]
    classes, blue, orange = np.arange(3), *display.COLORS[:2]
    ax.bar(classes - 0.2, error + np.eye(3)[1], 0.35, color=blue, label=r"$\hat y$")
    look = {"facecolor": "none", "edgecolor": orange, "linewidth": 1.5}
    label = r"$\partial L / \partial z = \hat y - y$"
    ax.bar(classes + 0.2, error, 0.35, label=label, **look)
    ax.axhline(0, color=display.INK, lw=0.8)
    ax.set(xticks=classes, xlabel="class; 1 is the true one", ylim=(-0.9, 1.3))
    ax.set(yticks=(-0.5, 0, 0.5))
    ax.legend(ncols=2, frameon=False, loc="upper center")
    return fig


display.show(
    draw_error(),
    alt="Two bars for each of three classes. The probabilities fall from class 0 to "
    "class 2. The gradient is as large as they are for classes 0 and 2, and negative "
    "for class 1.",
    caption="The gradient of the scores is the error itself: the probability, and for "
    "the true class what it lacks of 1.",
)


# %% tags=["check"]
def cases():
    for N, D, K in ((1, 3, 2), (4, 2, 5), (5, 6, 3)):
        shapes = (N, D), (K, D), (K,), (N, K), (N, D)
        X, W, b, G, g = (np.round(rng.standard_normal(shape), 1) for shape in shapes)
        X[0, 0] = 0.0
        inputs = [torch.tensor(array, requires_grad=True) for array in (X, W, b)]
        z, (x, *_) = F.linear(*inputs), inputs
        gradients = torch.autograd.grad(z, inputs, torch.tensor(G))
        yield from zip(linear_backward(G, X, W), gradients, strict=True)
        yield relu_backward(g, X), torch.autograd.grad(x.relu(), x, torch.tensor(g))[0]


verify.equal("eq-cnn-linear-gradient", cases(), atol=1e-12, against="autograd")


# %% tags=["check"]
def cases():
    for N, K, scale in ((1, 3, 1), (5, 4, 3), (6, 10, 1000)):
        z, target = scale * rng.standard_normal((N, K)), rng.integers(0, K, N)
        t = torch.tensor(z, requires_grad=True)
        loss = F.cross_entropy(t, torch.tensor(target))
        yield cross_entropy_backward(z, target), torch.autograd.grad(loss, t)[0]


verify.equal("eq-cnn-cross-entropy-gradient", cases(), atol=1e-12, against="autograd")

# %% [markdown]
# With these the list is complete. Every one is in `helpers.cnn.layers`, for batches and without a loop over pixels.
#
# ## They learn
#
# Now build a network from these layers and nothing else: two convolutions, each with a ReLU and a max pooling, and a
# linear layer to ten scores. It is to read scikit-learn's 1,797 handwritten digits, of 8 × 8 pixels: we draw some of
# them to train on, and test on the others. (The draw is by digit, not by writer, so the same hands wrote both parts.)
# The backward pass is the forward pass read from the bottom: each layer takes the gradient of its output and needs the
# input that it had.


# %%
def forward(x, P):  # x [N, 1, 8, 8] → what each layer made
    z1 = layers.conv2d(x, P["w1"], P["b1"], padding=2)  # [N, 8, 8, 8]
    a1 = layers.max_pool2d(layers.relu(z1), 2)  # [N, 8, 4, 4]
    z2 = layers.conv2d(a1, P["w2"], P["b2"], padding=1)  # [N, 16, 4, 4]
    a2 = layers.max_pool2d(layers.relu(z2), 2)  # [N, 16, 2, 2]
    return z1, a1, z2, a2, layers.linear(a2.reshape(len(x), -1), P["w3"], P["b3"])


def gradients(x, target, P):
    z1, a1, z2, a2, scores = forward(x, P)
    d = layers.cross_entropy_backward(scores, target)  # [N, 10]
    d, dw3, db3 = layers.linear_backward(d, a2.reshape(len(x), -1), P["w3"])
    d = layers.max_pool2d_backward(d.reshape(a2.shape), layers.relu(z2), 2)
    d = layers.relu_backward(d, z2)
    d, dw2, db2 = layers.conv2d_backward(d, a1, P["w2"], padding=1)
    d = layers.max_pool2d_backward(d, layers.relu(z1), 2)
    d = layers.relu_backward(d, z1)
    _, dw1, db1 = layers.conv2d_backward(d, x, P["w1"], padding=2)
    return {"w1": dw1, "b1": db1, "w2": dw2, "b2": db2, "w3": dw3, "b3": db3}


# %% [markdown]
# The weights start at random, with a variance of 2 over the number of inputs of a unit, which keeps the size of what a
# ReLU hands on {cite}`he2015delving`. Each step takes 64 digits and moves the weights against their gradient, with
# momentum: the move is 0.9 of the last one, less 0.05 times the gradient.


# %%
def start(generator):
    P = {}
    for i, shape in enumerate(((8, 1, 5, 5), (16, 8, 3, 3), (10, 64)), start=1):
        w = generator.standard_normal(shape, np.float32)
        P[f"w{i}"] = w * np.float32(np.sqrt(2 / w[0].size))
        P[f"b{i}"] = np.zeros(len(w), np.float32)
    return P


def train(x, target, generator, steps=300):  # yields the weights of each step
    P = start(generator)
    velocity = dict.fromkeys(P, np.float32(0))
    for _ in range(steps):
        yield P
        batch = generator.choice(len(x), 64, replace=False)
        dL = gradients(x[batch], target[batch], P)
        velocity = {name: 0.9 * velocity[name] - 0.05 * dL[name] for name in P}
        P = {name: P[name] + velocity[name] for name in P}
    yield P


def accuracy(scores, target):
    return np.mean(scores.argmax(axis=1) == target)


generator = np.random.default_rng(seed)
seen, unseen = np.split(generator.permutation(len(pixels)), [1297])
run = list(train(pixels[seen], target[seen], generator))


# %% [markdown]
# Before you look at what it learned, look at what it heard. The error of one digit goes back through the linear layer,
# pooling and ReLU to `z2`, through the second convolution to `a1`, and through pooling and ReLU to `z1`:


# %% tags=["hide-input", "nbval-ignore-output"]
def way_back(x, target, P):  # the gradients of z2, a1 and z1
    z1, a1, z2, a2, scores = forward(x, P)
    d = layers.cross_entropy_backward(scores, target) @ P["w3"]
    d = layers.max_pool2d_backward(d.reshape(a2.shape), layers.relu(z2), 2)
    dz2 = layers.relu_backward(d, z2)
    da1, _, _ = layers.conv2d_backward(dz2, a1, P["w2"], padding=1)
    d = layers.max_pool2d_backward(da1, layers.relu(z1), 2)
    return {"z2": dz2, "a1": da1, "z1": layers.relu_backward(d, z1)}


def draw_way_back():
    figures, axes = display.panels((2.6, 3.1), (1.6, 3.1), (1.8, 3.1))
    back = way_back(pixels[unseen[:1]], target[unseen[:1]], run[0])
    for ax, across, (name, d) in zip(axes, (4, 2, 2), back.items(), strict=True):
        side = d.shape[-1] + 1  # of a sheet and the gap behind it
        for number, one in enumerate(d[0]):
            at = side * (number // across), side * (number % across)
            drawing.squares(ax, one, abs(d).max(), f"gradient of {name}", at)
    return figures


display.show(
    draw_way_back(),
    alt="Sheets of squares. The gradient of z2, sixteen maps of four by four: at most "
    "one square in each two by two places. That of a1, eight maps of four by four: "
    "almost all places have one. That of z1, eight maps of eight by eight: again at "
    "most one in each two by two places, and in some maps far fewer.",
    caption="One test digit, before the first step, and what its error says to each "
    "map, from the second convolution (z2) back to the first (z1). Pooling leaves at "
    "most one place of four, ReLU fewer; in between, the second convolution spreads "
    "the gradient over all places and channels.",
)
before = way_back(pixels[unseen], target[unseen], run[0])
for name, d in before.items():
    display.glue(f"cnn-heard-{name}", f"{np.mean(d != 0):.0%}")

# %% [markdown]
# Over all test digits, before the first step, {glue:text}`cnn-heard-z2` of the numbers in the gradient of `z2` are not
# zero, {glue:text}`cnn-heard-a1` of those in that of `a1`, and {glue:text}`cnn-heard-z1` of those in that of `z1`. What
# the filters of the first layer learn comes from these last ones alone: from the places that won. And they do learn:

# %% tags=["hide-input", "nbval-ignore-output"]
STEPS = [0, 10, 30, 100, 300]
curve = [accuracy(forward(pixels[unseen], P)[-1], target[unseen]) for P in run[::10]]


def draw_filters(step):
    figures, (left, right) = display.panels((4.1, 2.5), (2.7, 2.5))
    for number, filter in enumerate(run[step]["w1"][:, 0]):
        at = 6 * (number // 4), 6 * (number % 4)
        drawing.squares(left, filter, largest, f"filters after {step} steps", at)
    right.plot(range(0, 301, 10), curve, marker="", color=display.COLORS[0])
    right.plot([step], [curve[step // 10]], "o", ms=7, color=display.COLORS[1])
    right.set(xlabel="step", ylabel="right, of the test digits", ylim=(0, 1.03))
    return figures


largest = max(abs(P["w1"]).max() for P in run)
display.slider(
    draw_filters,
    STEPS,
    label="steps",
    alt=lambda step: (
        f"The eight filters of the first layer, five by five weights each, after {step} "
        f"steps; the network reads {curve[step // 10]:.0%} of the test digits right."
    ),
    caption="The filters of the first layer as they form. At the start they are noise; "
    "some end as edges, positive on one side and negative on the other. (Filled "
    "squares are positive, hollow ones negative. The curve is that of this one run.)",
    start=300,
)

# %% [markdown]
# A number by itself says little. So here are two controls. All three networks now learn from only 300 digits, drawn
# anew for every seed. The first control is a linear layer by itself with the same loss, trained until next to nothing
# of the loss is left (it tells the 300 apart, so the loss has no minimum): how much is there to gain? The second is the
# same network on digits whose 64 pixels have been *shuffled*, in the same way in all of them. A dense layer would not
# notice. A convolution then looks at pixels that were no neighbours.


# %% tags=["hide-input"]
def draw_shuffled():
    figures, axes = display.panels((2.6, 1.5), (2.6, 1.5))
    order = rng.permutation(64)
    for ax, title, places in zip(
        axes, ("digits", "shuffled"), (np.arange(64), order), strict=True
    ):
        for number in range(3):
            one = pixels[number].reshape(-1)[places].reshape(8, 8)
            drawing.squares(ax, one, 1, title, (0, 9 * number))
    return figures


display.show(
    draw_shuffled(),
    alt="Left, a handwritten 0, 1 and 2. Right, the same squares in other places, in "
    "which no digit can be seen.",
    caption="Three digits, and the same after one shuffle of the 64 places. No pixel is "
    "lost, and one who knew the shuffle could undo it.",
)


# %%
def test_accuracies(seed):
    generator = np.random.default_rng(seed)
    seen, unseen = np.split(generator.permutation(len(pixels)), [300])
    flat = pixels.reshape(-1, 64)
    shuffled = flat[:, generator.permutation(64)].reshape(pixels.shape)
    for name, x in (("convolutions", pixels), ("the same, pixels shuffled", shuffled)):
        *_, P = train(x[seen], target[seen], generator, steps=200)
        yield name, accuracy(forward(x[unseen], P)[-1], target[unseen])
    linear = LogisticRegression(C=np.inf, max_iter=1000).fit(flat[seen], target[seen])
    yield "linear layer alone", linear.score(flat[unseen], target[unseen])


# %% tags=["hide-input", "nbval-ignore-output"]
scores = [
    dict(test_accuracies(seed + i)) for i in range(5 if profile == "smoke" else 20)
]
values = {name: [score[name] for score in scores] for name in scores[0]}
display.table(
    {
        "network": name,
        "read right": f"{np.mean(each):.1%}",
        "lowest": f"{min(each):.1%}",
        "highest": f"{max(each):.1%}",
    }
    for name, each in values.items()
)
first = sum(max(score, key=score.get) == "convolutions" for score in scores)
display.glue("cnn-digits-seeds", f"{len(scores)}")
display.glue("cnn-digits-first", f"{first}")

# %% [markdown]
# These are the parts of the other 1,497 digits that were read right, over {glue:text}`cnn-digits-seeds` seeds; the
# convolutions on digits as they are came first with {glue:text}`cnn-digits-first` of them. The shuffled digits hold the
# same information, and the network has as many weights. What it has lost is what the layer takes for granted: that
# neighbours belong together, and that what is worth seeing in one place is worth seeing in another.

# %% [markdown]
# ## What was shown
#
# - Max pooling hands its gradient to the winner, {eq}`eq-cnn-pool-gradient`, and of equal pixels to the first; average
#   pooling shares it out.
# - ReLU passes on what its input lets through, and a linear layer is two products of matrices,
#   {eq}`eq-cnn-linear-gradient`. Softmax and cross-entropy hand back their error,
#   {eq}`eq-cnn-cross-entropy-gradient`.
# - A network of these layers and those of {doc}`layers` learned to read digits. The table above says what it was worth
#   that neighbours are neighbours: the same network on shuffled pixels is held against it.
#
# Real networks are made of the same parts, and many more of them. {doc}`architectures` counts what they cost, and what
# they can see of an image.

# %% [markdown]
# ## Exercises

# %% [markdown]
# :::{exercise} Two layers without a ReLU
# :label: ex-cnn-composed
# Two convolutions follow one another, of one channel, stride 1, no padding, no bias, with kernels of $k \times k$ and
# $l \times l$ and nothing between. Which single kernel does the same? Write `composed(first, second)`. Is it a
# {term}`cross-correlation` of the two, or a convolution proper, {eq}`eq-cnn-turned-kernel`?
# :::

# %% [markdown] tags=["solution"]
# :::{solution-start} ex-cnn-composed
# :class: dropdown
# :::
# The output is $\sum_{i'} w'_{i'} \sum_i w_i\, x_{u+i'+i}$ along each axis. The pixel at distance $a$ gets the weight
# $\sum_{i + i' = a} w_i\, w'_{i'}$, with $a$ from 0 to $k + l - 2$. Indices that *add* up to a number make a
# convolution proper, although both layers are cross-correlations. Two layers of 3 × 3 see as far as one of 5 × 5 with
# 18 weights in place of 25, but as long as nothing stands between them, they can do no more than it.


# %% tags=["solution"]
def composed(first, second):
    k, l = len(first), len(second)
    kernel = np.zeros((k + l - 1, k + l - 1))
    for i, j in np.ndindex(second.shape):
        kernel[i : i + k, j : j + k] += second[i, j] * first
    return kernel


# %% [markdown] tags=["solution"]
# :::{solution-end}
# :::

# %%
exercises.check("cnn/learning/composed", composed)

# %% [markdown]
# :::{exercise} Who won?
# :label: ex-cnn-pooling
# Write the backward pass of max pooling for a batch, `max_pooling_backward(g, x, k, s)`, with the loop over the $k^2$
# places of a window alone. Windows may overlap, and of equal pixels the first one wins. The other layers of a
# convolutional network are in this chapter and in {doc}`layers`; which of their backward passes need the input of the
# forward pass, and which its shape at most?
# :::

# %% [markdown] tags=["solution"]
# :::{solution-start} ex-cnn-pooling
# :class: dropdown
# :::
# Lay the pixels at place $(i, j)$ of all windows on a pile, row by row. `argmax` along the pile is the winner, and
# where several are largest it takes the first. Max pooling and ReLU need their input, to know who won and what was
# positive; convolution and linear layer need it for the gradient of their weights; the loss needs the scores. Zero
# padding and average pooling need no more than a shape.


# %% tags=["solution"]
def max_pooling_backward(g, x, k, s):
    rows, columns = (s * (m - 1) + 1 for m in g.shape[2:])
    places = [
        np.s_[:, :, i : i + rows : s, j : j + columns : s] for i, j in np.ndindex(k, k)
    ]
    winner = np.argmax([x[place] for place in places], axis=0)  # [N, C, H', W']
    dL_dx = np.zeros(x.shape)
    for number, place in enumerate(places):
        dL_dx[place] += g * (winner == number)
    return dL_dx


# %% [markdown] tags=["solution"]
# :::{solution-end}
# :::

# %%
exercises.check("cnn/learning/max_pooling_backward", max_pooling_backward)

# %% [markdown]
# :::{exercise} A pooling that is a convolution
# :label: ex-cnn-average-pooling
# Average pooling is linear, so a convolution can do it. With which weights? Write `average_weights(C, k)`, which
# returns the $w$ $[C, C, k, k]$ that makes of an image with $C$ channels what average pooling with windows of $k \times
# k$ does, at any stride. Is there a $w$ for max pooling?
# :::

# %% [markdown] tags=["solution"]
# :::{solution-start} ex-cnn-average-pooling
# :class: dropdown
# :::
# Filter $f$ looks at channel $f$ alone, and each pixel of a window counts $1 / k^2$. All other weights are 0: pooling
# keeps the channels apart. Max pooling has no such $w$, since a convolution without bias is linear and the maximum is
# not: of two pixels, $\max(1, 0) + \max(0, 1) = 2$, but $\max(1, 1) = 1$.


# %% tags=["solution"]
def average_weights(C, k):
    w = np.zeros((C, C, k, k))
    w[np.arange(C), np.arange(C)] = 1 / k**2
    return w


# %% [markdown] tags=["solution"]
# :::{solution-end}
# :::

# %%
exercises.check("cnn/learning/average_weights", average_weights)

# %% [markdown]
# :::{exercise} What the loss does not hear
# :label: ex-cnn-scores-shifted
# Add the same number to all ten scores of an image. What happens to the probabilities, and to the loss? What does that
# say of the ten numbers $\partial L / \partial z_{n,k}$ of this image? And why do the ten biases of the last layer,
# which start at 0, still sum to 0 after 300 steps?
# :::

# %% [markdown] tags=["solution"]
# :::{solution-start} ex-cnn-scores-shifted
# :class: dropdown
# :::
# Each $e^{z_k}$ is multiplied by the same factor, and so is their sum: the probabilities stay, and the loss with them.
# That is why the largest score could be taken off. A loss that does not change when all ten scores move together has
# slopes that sum to 0 over $k$, and {eq}`eq-cnn-cross-entropy-gradient` says the same: both $\hat y$ and $y$ sum to 1.
# The gradient of a bias is the sum of its column of $G$, so the gradients of all ten biases sum to 0, and so do the
# moves that are made of them. What is left below is rounding, in single precision.


# %% tags=["solution"]
total = abs(run[-1]["b3"].sum()) / abs(run[-1]["b3"]).sum()
print("sum of the ten biases, in parts of their sizes, under 1e-4:", total < 1e-4)


# %% [markdown] tags=["solution"]
# :::{solution-end}
# :::

# %% [markdown]
# ## Further reading
#
# - {cite:t}`lecun1989backpropagation` read the handwritten digits of real mail with a network of convolutions.
# - {cite:t}`springenberg2015striving` leave max pooling out, let convolutions stride instead, and lose no accuracy by
#   it on small images.
# - {cite:t}`he2015delving` derive how large the first weights should be behind a ReLU.
