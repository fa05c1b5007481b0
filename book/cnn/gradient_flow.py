# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Where the gradient flows
#
# A network of 54 convolutions, one after the other: the loss is behind the last, and the first has to hear of it. Each
# layer on the way multiplies the gradient by something. What keeps the product from vanishing, and what from blowing
# up? ResNet answers with *skips*, VGG-11 comes with *batch norm* and without. Which of the two does what?
#
# Here are such networks before their first step: 27 blocks of two 3×3 convolutions, 16 channels wide, with skips and
# without, with batch norm and without. One of them starts from PyTorch's standard weights, whose variance is a sixth of
# what He and others ask for; the rest of this chapter explains what you see.

# %% tags=["parameters"]
profile = "smoke"
seed = 0

# %% tags=["set-up"]
from helpers import data, display, exercises, parameters, verify
from helpers.cnn import architectures, robustness

import matplotlib.pyplot as plt
import numpy as np
import torch
from torch import nn
from torch.func import jacrev
from torch.nn import functional as F
from torchvision import models

parameters.check(globals(), profile=("smoke", "full"), seed=range(2**31))
display.use_book_style()
torch.manual_seed(seed)
seeds = range(seed, seed + 3)
load = data.photo_patches if profile == "smoke" else data.cifar10
photos, labels = (torch.from_numpy(array[:32]) for array in load("train"))
std, mean = torch.std_mean(photos / 255, dim=(0, 2, 3))
images = robustness.standardize(photos, mean, std)  # [32, 3, 32, 32]


# %% tags=["hide-input"]
class Block(nn.Module):
    def __init__(self, width, skip, norm, he=True):
        super().__init__()
        layers = []
        for _ in range(2):
            convolution = nn.Conv2d(width, width, 3, padding=1, bias=False)
            if he:
                nn.init.kaiming_normal_(convolution.weight)
            layers += [convolution, nn.BatchNorm2d(width) if norm else nn.Identity()]
        self.first, self.second = nn.Sequential(*layers[:2]), nn.Sequential(*layers[2:])
        self.skip = skip

    def forward(self, x):
        y = self.second(self.first(x).relu())
        return (x + y if self.skip else y).relu()


KINDS = {
    "small weights": {"skip": False, "norm": False, "he": False},
    "He's weights": {"skip": False, "norm": False},
    "batch norm": {"skip": False, "norm": True},
    "skips": {"skip": True, "norm": False},
    "skips and batch norm": {"skip": True, "norm": True},
}


def flow(seed, blocks=27, width=16, **kind):  # sizes [blocks + 1] of h and of dL_dh
    torch.manual_seed(seed)
    stem = nn.Conv2d(3, width, 3, stride=2, padding=1)
    nn.init.kaiming_normal_(stem.weight)
    h, kept = stem(images).relu(), []
    for block in [Block(width, **kind) for _ in range(blocks)]:
        kept.append(h)
        h = block(h)
    kept.append(h)
    loss = F.cross_entropy(nn.Linear(width, 10)(h.mean(dim=(2, 3))), labels)
    gradients = torch.autograd.grad(loss, kept)
    return [
        torch.stack([each.double().norm() for each in some]).detach()
        for some in (kept, gradients)
    ]


FLOWS = {name: [flow(s, **kind) for s in seeds] for name, kind in KINDS.items()}


# %% tags=["hide-input", "nbval-ignore-output"]
def spread_of(values):
    return f"{min(values):.1e} to {max(values):.1e}"


def draw_flow():
    figures, axes = display.panels((3.4, 3.0), (3.4, 3.0))
    for i, (name, kind) in enumerate(KINDS.items()):
        ax = axes[kind["skip"]]
        sizes = np.stack([dh / dh[-1] for _, dh in FLOWS[name]])  # [seeds, blocks + 1]
        style = {"color": display.COLORS[i], "ls": ["-", "--", "-.", "-", "--"][i]}
        ax.plot(
            np.median(sizes, axis=0),
            marker="os^Dv"[i],
            markevery=6,
            label=name,
            **style,
        )
        ax.fill_between(
            range(28),
            sizes.min(0),
            sizes.max(0),
            color=display.COLORS[i],
            alpha=0.2,
            lw=0,
        )
    for ax, title in zip(axes, ("without skips", "with skips"), strict=True):
        ax.set(yscale="log", ylim=(1e-7, 1e6), xlabel="block", title=title)
        ax.legend(loc="lower left")
    axes[0].set(ylabel="gradient, 1 at the end")
    return figures


display.show(
    draw_flow(),
    alt="Size of the gradient by block, relative to the last block, on a logarithmic "
    "axis. Without skips: with small weights it vanishes towards the input, with He's "
    "weights it stays about what it is, with batch norm it grows by orders of magnitude. "
    "With skips alone it grows as much or more; with skips and batch norm far less.",
    caption="The gradient at the start of training on its way back from the right to "
    "the left, median and range over the seeds. Small weights leave the frame below.",
)
display.table(
    {
        "network": name,
        "gradient, first over last block": spread_of(
            [(dh[0] / dh[-1]).item() for _, dh in FLOWS[name]]
        ),
        "signal, last over first block": spread_of(
            [(h[-1] / h[0]).item() for h, _ in FLOWS[name]]
        ),
    }
    for name in KINDS
)

# %% [markdown]
# Only one of the five passes on both, the signal and the gradient, with each of three seeds, and changes neither by
# more than a factor of a hundred. What do skips and batch norm do to a gradient?
#
# ## One block, by hand
#
# Take numbers for layers. Ten layers in a row, each with the slope $0.5$, have the slope $0.5^{10} \approx 0.001$
# together; each with the slope $1.5$, they have $1.5^{10} \approx 58$. A skip adds the input to the output, and with it
# 1 to the slope: of a layer with slope $f$ it makes $1 + f$. If half of the $f$ are $0.5$ and half of them $-0.5$, as
# happens with random weights, the ten have $1.5^5 \cdot 0.5^5 \approx 0.24$ with skips and $-0.001$ without. (The sign
# is that of an odd number of factors.)
#
# ## Through a residual block
#
# Backwards now. A residual block adds its input to what it computes, $F(x) = W_2 \operatorname{relu}(W_1 x)$, and
# takes the positive part of the sum. Let $R_1$ and $R_2$ be the diagonal matrices with a 1 where the argument of the
# first and of the second relu is positive, and a 0 elsewhere. Moving $x$ by a little moves $W_1 x$ by $W_1$ times
# that; relu lets through what is positive; $W_2$ follows, the skip adds the identity, and the outer relu ends it:
#
# $$
# \begin{gathered}
# y = \operatorname{relu}\big( x + F(x) \big) , \\
# \frac{\partial y}{\partial x} = R_2 \big( I + F' \big) , \qquad F' = W_2 R_1 W_1 .
# \end{gathered}
# $$ (eq-cnn-residual-jacobian)
#
# Two blocks one after the other, without the outer relu, have $(I + F_2')(I + F_1') = I + F_1' + F_2' + F_2' F_1'$: one
# way around both, one through each, one through both. Without skips only the last of the four is left.


# %%
def residual_jacobian(W_1, W_2, x):  # of y with respect to x, [n, n]
    z = W_1 @ x
    R_1, R_2 = torch.diag((z > 0).float()), torch.diag((x + W_2 @ z.relu() > 0).float())
    return R_2 @ (torch.eye(len(x)) + W_2 @ R_1 @ W_1)


# %% tags=["hide-input"]
def draw_ways():
    fig, ax = plt.subplots(figsize=(3.8, 1.7))
    ax.set_axis_off()
    ax.set(xlim=(0, 10), ylim=(-0.7, 1.6))
    arrow = {"arrowstyle": "-|>", "color": display.INK, "linewidth": 1.1}
    write = {"ha": "center", "va": "center"}
    for k, left in enumerate((0.6, 5.2), 1):
        for start, end in ((left, left + 1.1), (left + 2.3, left + 3.7)):
            ax.annotate("", (end, 0), (start, 0), arrowprops=arrow)
        box = {"boxstyle": "round", "facecolor": (display.COLORS[k - 1], 0.3)}
        ax.text(left + 1.7, 0, f"$F_{k}$", bbox=box, **write)
        around = arrow | {"connectionstyle": "arc3,rad=-0.55", "linestyle": "--"}
        ax.annotate("", (left + 3.9, 0.12), (left + 0.4, 0.12), arrowprops=around)
        ax.text(left + 2.1, 1.3, "$I$", **write)
        ax.text(left + 4.1, 0, "+", **write)
    ax.annotate("", (10, 0), (9.5, 0), arrowprops=arrow)
    ax.text(0.3, 0, "$x$", **write)
    return fig


display.show(
    draw_ways(),
    alt="Two boxes, F1 and F2, in a row, each with a dashed way around it that joins "
    "what comes out of the box at a plus sign.",
    caption="Two blocks. At each, the signal goes through and around: four ways in "
    "all, and as many for the gradient on its way back.",
)


# %% tags=["check"]
def matrix_of(convolution, shape):  # a convolution without bias as a matrix
    units = torch.eye(np.prod(shape)).reshape(-1, *shape)  # the unit images
    return convolution(units).flatten(1).T


def cases():
    for channels, side in ((1, 4), (2, 3), (3, 5)):
        block = models.resnet.BasicBlock(channels, channels, norm_layer=nn.Identity)
        x = torch.randn(channels, side, side)
        W_1, W_2 = (matrix_of(c, x.shape) for c in (block.conv1, block.conv2))
        by_autograd = jacrev(lambda x, block=block: block(x[None]).flatten())(
            x
        ).flatten(1)
        yield residual_jacobian(W_1, W_2, x.flatten()), by_autograd


verify.equal(
    "eq-cnn-residual-jacobian",
    cases(),
    atol=1e-5,
    against="autograd through torchvision's block",
)

# %% [markdown]
# The identity in the sum is a way for the gradient on which nothing is multiplied. What keeps it from growing? Start
# with random weights, independent, of mean zero and variance $2 / n$ in matrices of $n \times n$, as He and others
# start theirs. A gradient $g$ that comes from above becomes $(I + F')^\top g$. Its square has three terms. The mixed
# one, $2\, g^\top F'^\top g$, is as often positive as negative: $W_2$ and $-W_2$ are equally likely, and $R_1$ does not
# depend on it. The last is $\lVert W_1^\top R_1 W_2^\top g \rVert^2$: each entry of $W_2^\top g$ has variance
# $\tfrac{2}{n} \lVert g \rVert^2$, all $n$ of them have $2 \lVert g \rVert^2$; $R_1$ lets through half of it;
# $W_1^\top$ doubles what is left. (Whether row $w$ of $W_1$ is let through depends on the sign of $w^\top x$, and
# $\lVert w \rVert^2$ does not. Products of two rows have the mean 0, through their factors from $W_2$.) So
#
# $$
# \mathbb{E}\, \big\lVert (I + F')^\top g \big\rVert^2 = \lVert g \rVert^2 + \mathbb{E}\, \lVert F'^\top g \rVert^2
# = 3\, \lVert g \rVert^2 .
# $$ (eq-cnn-gradient-growth)
#
# Without the skip it would be 2, and the outer relu, which lets through half there, makes it 1: He's variance is chosen
# so {cite}`he2015delving`. With the skip it lets through more than half, since $x$ is not negative. So expect the
# square to grow by a factor between 1.5 and 3 with each block, as far as $R_2$ and $F'$ can be taken for independent.


# %% tags=["hide-input"]
def draw_growth(n=16, draws=4000):
    generator = torch.Generator().manual_seed(0)
    x = torch.rand(n, generator=generator)
    g = F.normalize(torch.randn(n, generator=generator), dim=0)
    W_1, W_2 = torch.randn(2, draws, n, n, generator=generator) * (2 / n) ** 0.5
    let_through = (W_1 @ x > 0).float()  # the diagonal of R_1
    back = (W_1.mT @ (let_through * (W_2.mT @ g))[..., None])[..., 0]  # F'ᵀ g
    fig, ax = plt.subplots(figsize=(4.2, 2.7))
    for i, (name, one) in enumerate({"with skip": g + back, "without": back}.items()):
        square = one.square().sum(dim=1).numpy()
        style = {"color": display.COLORS[i], "ls": ["-", "--"][i]}
        ax.hist(square, np.linspace(0, 10, 51), histtype="step", label=name, **style)
        ax.axvline(3 - i, lw=0.8, **style)
    ax.set(xlabel="squared gradient, 1 before the block", ylabel="blocks", xlim=(0, 10))
    ax.legend()
    return fig


display.show(
    draw_growth(),
    alt="Histograms of the squared gradient behind 4,000 random blocks. With a skip "
    "it spreads around 3, rarely close to 0; without, around 2, and often close to 0.",
    caption="A gradient of size 1 behind 4,000 random blocks of 16 numbers, with the "
    "means that the equation predicts as lines.",
)


# %%
def growth(n):  # what a block multiplies a squared gradient by, in the mean
    variance = 2 / n
    through_the_branch = (n * variance) * (1 / 2) * (n * variance)
    return 1 + through_the_branch


# %% tags=["check"]
def cases():
    for n in (4, 16, 40):
        x, g = torch.rand(n), F.normalize(torch.randn(n), dim=0)
        W_1, W_2 = torch.randn(2, 40_000 if n < 40 else 8_000, n, n) * (2 / n) ** 0.5
        back = F.relu(torch.sign(W_1 @ x)) * (W_2.mT @ g)  # R_1 W_2ᵀ g, for each draw
        back = g + (W_1.mT @ back[..., None])[..., 0]
        yield growth(n), back.square().sum(dim=1).mean()


verify.equal(
    "eq-cnn-gradient-growth", cases(), rtol=0.03, against="means over random blocks"
)

# %% [markdown]
# ## Batch norm, forwards and backwards
#
# Batch norm {cite}`ioffe2015batchnorm` takes the $N$ values $x$ that a channel has in all images of a batch and at all
# places, moves them to mean 0 and scales them to variance 1. Then it gives the channel a scale $w$ and a bias $b$,
# which are learned:
#
# $$
# y = w\, u + b\, \mathbf{1} , \qquad u = \frac{x - \langle x \rangle \mathbf{1}}{\sqrt v} , \qquad
# v = \big\langle (x - \langle x \rangle \mathbf{1})^2 \big\rangle + \varepsilon .
# $$ (def-cnn-batch-norm)
#
# By hand: $x = (1, 2, 3)$ has the mean 2 and $v = 2/3$, so $u = (-1.22, 0, 1.22)$. Each value moves the mean and the
# variance, and through them all the others. So let the loss care for the first one only, $g = \partial L / \partial y =
# (1, 0, 0)$ with $w = 1$. All three get a gradient:


# %%
def batch_norm(x, w, b, epsilon=0.0):  # [N] → [N]
    v = (x - x.mean()).square().mean() + epsilon
    return w * (x - x.mean()) / v.sqrt() + b


x = torch.tensor([1.0, 2, 3])
slopes = jacrev(batch_norm)(x, torch.tensor(1.0), torch.tensor(0.0))[0]
print("how the first of y moves with each of x:", [f"{slope:.3f}" for slope in slopes])

# %% [markdown]
# They sum to zero: adding the same to all of $x$ changes nothing. To derive them, note that
# $\partial \langle x \rangle / \partial x_j = 1/N$, and that
# $\partial v / \partial x_j = \tfrac{2}{N} (x_j - \langle x \rangle)$; the part of it that goes through the mean is
# zero, since the deviations sum to zero. Then
#
# $$
# \begin{aligned}
# \frac{\partial u_i}{\partial x_j} &= \frac{[\,i = j\,] - \tfrac{1}{N}}{\sqrt v}
# - \frac{x_i - \langle x \rangle}{2 v^{3/2}} \cdot \frac{2}{N} (x_j - \langle x \rangle) \\
# &= \frac{1}{\sqrt v} \Big( [\,i = j\,] - \frac{1}{N} - \frac{u_i u_j}{N} \Big) .
# \end{aligned}
# $$ (eq-cnn-batch-norm-jacobian)
#
# Multiplied by $w g_i$ and summed over $i$, this gives the backward pass:
#
# $$
# \begin{gathered}
# \frac{\partial L}{\partial x} = \frac{w}{\sqrt v} \big( g - \langle g \rangle \mathbf{1}
# - \langle g \odot u \rangle\, u \big) , \\
# \frac{\partial L}{\partial w} = \sum_i g_i u_i , \qquad \frac{\partial L}{\partial b} = \sum_i g_i .
# \end{gathered}
# $$ (eq-cnn-batch-norm-backward)


# %%
def normalized(x, epsilon):  # u [N], v
    v = (x - x.mean()).square().mean() + epsilon
    return (x - x.mean()) / v.sqrt(), v


def batch_norm_jacobian(x, epsilon):  # ∂u/∂x [N, N]
    (u, v), N = normalized(x, epsilon), len(x)
    return (torch.eye(N) - 1 / N - torch.outer(u, u) / N) / v.sqrt()


def batch_norm_backward(g, x, w, epsilon):  # dL_dx [N], dL_dw, dL_db
    u, v = normalized(x, epsilon)
    dL_dx = w / v.sqrt() * (g - g.mean() - (g * u).mean() * u)
    return dL_dx, (g * u).sum(), g.sum()


# %% tags=["hide-input"]
def draw_backward(N=12):
    generator = torch.Generator().manual_seed(3)
    x = 2 + 1.5 * torch.randn(N, generator=generator)
    u, _ = normalized(x, 0.0)
    g = 0.5 + 0.8 * u + 0.4 * torch.randn(N, generator=generator)
    back, *_ = batch_norm_backward(g, x, 1.0, 0.0)
    figures, axes = display.panels((3.4, 2.7), (3.4, 2.7))
    both = (("$x$", x, "$u$", u), ("$g$", g, "behind batch norm", back))
    for ax, (first, before, second, after) in zip(axes, both, strict=True):
        ax.plot(before, ls="", marker="s", mfc="none", ms=7, label=first)
        ax.plot(after, ls="", marker="o", label=second)
        ax.axhline(0, color=display.INK, lw=0.8)
        ax.set(ylim=(-2.5, 6.5), xlabel="value")
        ax.legend(loc="upper right", ncols=2)
    axes[0].set(title="forwards")
    axes[1].set(title="backwards")
    return figures


display.show(
    draw_backward(),
    alt="Left, twelve values around 2 before batch norm and around 0 behind it. Right, a "
    "gradient that rises with the values; what is left of it behind batch norm is "
    "smaller, and scattered around 0.",
    caption="Batch norm forwards and backwards. The gradient on the right had a mean and "
    "went along with u; both are taken away from it.",
)


# %% tags=["check"]
def cases():
    for N, epsilon in ((2, 0.1), (5, 1e-5), (40, 0.5)):
        x = 3 * torch.randn(N) + 1
        little = 1e-2 * torch.eye(N)
        up, down = (normalized_by_torch(x + sign * little, epsilon) for sign in (1, -1))
        yield batch_norm_jacobian(x, epsilon), ((up - down) / 2e-2).T


def normalized_by_torch(rows, epsilon):  # each row of [B, N] is a batch of its own
    return F.layer_norm(rows.double(), rows.shape[1:], eps=epsilon).float()


verify.equal(
    "eq-cnn-batch-norm-jacobian",
    cases(),
    atol=1e-3,
    against="differences through F.layer_norm",
)


# %% tags=["check"]
def cases():
    for N, epsilon in ((2, 0.1), (5, 1e-5), (40, 0.5)):
        x, g, (w, b) = 3 * torch.randn(N) + 1, torch.randn(N), torch.randn(2, 1)
        leaves = [t.requires_grad_() for t in (x, w, b)]
        y = F.batch_norm(x[:, None], None, None, w, b, training=True, eps=epsilon)
        by_autograd = torch.autograd.grad(y[:, 0], leaves, g)
        ours = batch_norm_backward(g, x.detach(), w.detach(), epsilon)
        for left, right in zip(ours, by_autograd, strict=True):
            yield left.reshape(-1), right.reshape(-1)


verify.equal("eq-cnn-batch-norm-backward", cases(), atol=1e-5, against="autograd")

# %% [markdown]
# Two things are taken out of $g$: its mean, and (for $\varepsilon = 0$) what points along $u$. Shifting or stretching
# $x$ does nothing to $y$, so the gradient has no part in those directions. What is left is divided by $\sqrt v$: the
# larger the values were, the smaller the gradient.
#
# That has a consequence for the layer before. Let $F(x)$ be a branch that begins with a convolution $W$ and batch norm
# with $\varepsilon = 0$. Twice as large an input, or twice as large a $W$, gives the same $u$: for all $a > 0$,
# $F(ax) = F(x)$. Differentiate both sides with respect to $x$, and get $a F'(ax) = F'(x)$. Do the same for the loss as
# a function of $W$, and differentiate $L(aW) = L(W)$ with respect to $a$ at $a = 1$:
#
# $$
# F'(a x) = \frac{1}{a}\, F'(x) , \qquad \sum_{ij} W_{ij} \frac{\partial L}{\partial W_{ij}} = 0 .
# $$ (eq-cnn-scale-free)
#
# The branch is the less sensitive the larger its input. And a step of gradient descent is orthogonal to $W$, so that
# $W$ only gets longer, and its gradient shorter; weight decay works against that.


# %%
def branch(x, W):  # [N, C], [D, C] → [N, D]: a linear layer, batch norm, relu
    z = x @ W.T
    return ((z - z.mean(dim=0)) / z.std(dim=0, correction=0)).relu()


def branch_jacobian_at(x, W, a=1.0):  # F'(a x)
    return jacrev(branch)(x, W) / a


# %% tags=["check"]
def cases():
    for N, C, D in ((3, 2, 2), (6, 4, 3)):
        x, W, target = torch.randn(N, C), torch.randn(D, C), torch.randn(N, D)
        for a in (0.5, 3.0):
            yield branch_jacobian_at(x, W, a), jacrev(branch)(a * x, W)
        W.requires_grad_()
        (dL_dW,) = torch.autograd.grad((branch(x, W) - target).square().sum(), W)
        yield torch.zeros(()), (W * dL_dW).sum()


verify.equal(
    "eq-cnn-scale-free", cases(), atol=1e-4, against="autograd at the scaled input"
)

# %% [markdown]
# ## Five networks, five fates
#
# Now the picture at the top can be read. Neither skips nor batch norm do it alone.
#
# - **Small weights.** Each layer multiplies the squared gradient by $\tfrac{1}{6}$ of what He's would. It vanishes.
# - **He's weights.** By the same calculation the squares of signal and gradient keep their mean, but for what the zeros
#   at the borders take. A single draw of 54 layers can be far from the mean: look at the ranges in the table.
# - **Batch norm alone.** The signal keeps its size, and the gradient grows by the same factor in each layer. For wide
#   networks with relu this factor is known, $\sqrt{\pi / (\pi - 1)} = 1.21$ {cite}`yang2019meanfield`.
# - **Skips alone.** The growth of {eq}`eq-cnn-gradient-growth`, of the signal as well.
# - **Both.** Each branch ends in batch norm, so it adds values of size 1 to the stream, and the stream gets longer.
#   The branches further on have a larger input, and by {eq}`eq-cnn-scale-free` are the less sensitive: batch norm makes
#   them fall back behind the identity {cite}`de2020batchnorm`. In place of the same factor in each block there is one
#   that goes to 1.
#
# Here is the factor of each block, held against what was predicted:


# %% tags=["hide-input", "nbval-ignore-output"]
def draw_factors():
    fig, ax = plt.subplots(figsize=(4.2, 3.2))
    for i, name in enumerate(list(KINDS)[2:], start=2):
        factors = np.stack([dh[:-1] / dh[1:] for _, dh in FLOWS[name]])  # [seeds, 27]
        style = {"color": display.COLORS[i], "ls": ["-.", "-", "--"][i - 2]}
        style |= {"marker": "^Dv"[i - 2], "markevery": 4}
        ax.plot(np.median(factors, axis=0), label=name, **style)
    ax.axhspan(1.5**0.5, 3**0.5, color=display.COLORS[3], alpha=0.15, lw=0)
    ax.axhline(np.pi / (np.pi - 1), color=display.COLORS[2], lw=0.8)
    ax.set(xlabel="block", ylabel="gradient before / after", ylim=(0.9, 2.1))
    fig.legend(loc="outside lower center", ncols=2, frameon=False)
    return fig


display.show(
    draw_factors(),
    alt="By what a block multiplies the gradient, for 27 blocks. With batch norm alone "
    "it stays around a line, with skips alone within or near a band, both well above 1. "
    "With both it is above them in the first block and falls towards 1.",
    caption="The gradient before over that behind each block, median of three seeds. "
    "Line and band are what is predicted for batch norm alone (two layers in a block) and "
    "for skips alone. With both the factor falls towards 1.",
)

# %% [markdown]
# And the five networks, as their authors start them? They differ in the size of their weights, so the gradient of each
# layer's weights is divided by the size of these weights: how much a step changes them.


# %%
FIVE = "resnet18", "resnet34", "vgg11", "vgg11_bn", "densenet121"


def fresh(name, seed):
    torch.manual_seed(seed)
    if not name.startswith("vgg"):
        return architectures.build(name)
    with torch.device("meta"):  # VGG is folded before it draws 100 million numbers
        network = architectures.build(name)
    network = network.to_empty(device="cpu")
    for layer in network.modules():
        if isinstance(layer, nn.Conv2d):
            nn.init.kaiming_normal_(layer.weight, mode="fan_out", nonlinearity="relu")
        elif isinstance(layer, nn.Linear):
            nn.init.normal_(
                layer.weight, std=0.07 if layer.in_features == 512 else 0.01
            )
        elif isinstance(layer, nn.BatchNorm2d):
            layer.reset_parameters()
        if isinstance(layer, nn.Conv2d | nn.Linear):
            nn.init.zeros_(layer.bias)
    return network


def relative_gradients(name, seed):  # of each 3×3 or larger convolution, in order
    network = fresh(name, seed).train()
    F.cross_entropy(network(images[:24]), labels[:24]).backward()
    layers = [m for m in network.modules() if isinstance(m, nn.Conv2d)]
    weights = [layer.weight for layer in layers if layer.kernel_size != (1, 1)]
    return torch.stack([(W.grad.norm() / W.norm()).detach() for W in weights])


RELATIVE = {name: [relative_gradients(name, s) for s in seeds] for name in FIVE}


# %% tags=["hide-input", "nbval-ignore-output"]
def draw_relative():
    fig, ax = plt.subplots(figsize=(4.2, 3.1))
    for i, (name, by_seed) in enumerate(RELATIVE.items()):
        sizes = np.stack(by_seed)
        depth = np.linspace(0, 100, sizes.shape[1])
        ax.plot(depth, np.median(sizes, axis=0), markevery=0.15, label=name)
        ax.fill_between(
            depth, sizes.min(0), sizes.max(0), color=display.COLORS[i], alpha=0.2, lw=0
        )
    ax.set(
        yscale="log", xlabel="depth (%)", ylabel="gradient / weights", ylim=(2e-3, 2e2)
    )
    ax.legend(loc="upper right", ncols=2)
    return fig


display.show(
    draw_relative(),
    alt="Size of the gradient of each convolution's weights over the size of the "
    "weights, against depth, on a logarithmic axis. VGG-11 without batch norm lies far "
    "below all others; with batch norm and in the other networks it falls from the first "
    "layer to the last.",
    caption="The five networks before their first step, median and range over the "
    "seeds. VGG-11 without batch norm moves least at the same rate.",
)

# %% [markdown]
# None of the five vanishes. VGG-11 without batch norm has the smallest gradients when it starts. That does not say what
# rate it bears later on: it was trained at a lower one than the others.
# What came of the training is told in {doc}`architectures`.
#
# ## What was shown
#
# - A skip adds the identity to a block's Jacobian, {eq}`eq-cnn-residual-jacobian`. With weights as He starts them,
#   skips alone let the squared gradient grow by up to 3 in each block, {eq}`eq-cnn-gradient-growth`.
# - The backward pass of batch norm takes the mean of the gradient away and what lies along the normalised values, and
#   divides by their spread, {eq}`eq-cnn-batch-norm-backward`.
# - Behind batch norm the scale of an input or of weights does not count, {eq}`eq-cnn-scale-free`: branches with a large
#   input are less sensitive. In blocks with skips this turns exponential growth into a slow one.
# - At initialisation, in networks of 27 blocks and over three seeds, only skips together with batch norm kept both
#   signal and gradient within two orders of magnitude.

# %% [markdown]
# ## Exercises

# %% [markdown]
# :::{exercise} Batch norm of images
# :label: ex-cnn-batch-norm-images
# For images, which are the $N$ values of {eq}`def-cnn-batch-norm`? Write `image_norm_backward(g, x, w, epsilon)` for
# tensors $g$ and $x$ of shape [images, channels, height, width] and a $w$ with an entry for each channel. It returns
# $\partial L / \partial x$.
# :::

# %% [markdown] tags=["solution"]
# :::{solution-start} ex-cnn-batch-norm-images
# :class: dropdown
# :::
# All values of one channel, in all images and at all places: $N$ is the number of images times height times width. The
# means of {eq}`eq-cnn-batch-norm-backward` are means over these three axes.


# %% tags=["solution"]
def image_norm_backward(g, x, w, epsilon):
    def mean_of(t):
        return t.mean(dim=(0, 2, 3), keepdim=True)

    centred = x - mean_of(x)
    v = mean_of(centred**2) + epsilon
    u = centred / v**0.5
    return w[:, None, None] / v**0.5 * (g - mean_of(g) - mean_of(g * u) * u)


# %% [markdown] tags=["solution"]
# :::{solution-end}
# :::

# %%
exercises.check("cnn/gradient_flow/image_norm_backward", image_norm_backward)

# %% [markdown]
# :::{exercise} Batch norm at rest
# :label: ex-cnn-fold-batch-norm
# When a network is tested, batch norm uses fixed numbers for the mean and the variance of a channel, averages from
# training. Then it is one more linear map, and a convolution before it can do its work. Write
# `fold_batch_norm(W, mean, variance, w, b, epsilon)`, with $W$ of shape [C', C, k, k] and vectors of $C'$ numbers. It
# returns the weights and the bias of one convolution that does the same as the convolution $W$ without bias followed by
# batch norm.
# :::

# %% [markdown] tags=["solution"]
# :::{solution-start} ex-cnn-fold-batch-norm
# :class: dropdown
# :::
# For each channel out, $y = w\, (z - \langle x \rangle) / \sqrt v + b$ with $z$ from the convolution: its weights times
# $w / \sqrt v$, and the bias $b - w \langle x \rangle / \sqrt v$.


# %% tags=["solution"]
def fold_batch_norm(W, mean, variance, w, b, epsilon):
    factor = w / (variance + epsilon) ** 0.5  # [C']
    return factor[:, None, None, None] * W, b - factor * mean


# %% [markdown] tags=["solution"]
# :::{solution-end}
# :::

# %%
exercises.check("cnn/gradient_flow/fold_batch_norm", fold_batch_norm)

# %% [markdown]
# :::{exercise} Smaller branches
# :label: ex-cnn-smaller-branches
# Without batch norm, let each of $D$ blocks be $x + \alpha F(x)$, without an outer relu, with weights as in
# {eq}`eq-cnn-gradient-growth`. By what does the mean squared gradient grow through all of them? Find the $\alpha$ for
# which it grows by a factor of $a$, and write `branch_scale(D, a)`. How does it go with $D$?
# :::

# %% [markdown] tags=["solution"]
# :::{solution-start} ex-cnn-smaller-branches
# :class: dropdown
# :::
# The factor $\alpha$ stands before $F'$, so the mean square of the branch gets $\alpha^2$: $1 + 2 \alpha^2$ in each
# block, and $(1 + 2 \alpha^2)^D$ in all, since the weights of the blocks are independent. This is $a$ for $\alpha^2 =
# \tfrac{1}{2} (a^{1/D} - 1)$. For many blocks $a^{1/D} - 1 \approx \log(a) / D$, so $\alpha$ shrinks as $1 / \sqrt D$.
# Batch norm in the branches does about that by itself.


# %% tags=["solution"]
def branch_scale(D, a):
    return ((a ** (1 / D) - 1) / 2) ** 0.5


# %% [markdown] tags=["solution"]
# :::{solution-end}
# :::

# %%
exercises.check("cnn/gradient_flow/branch_scale", branch_scale)

# %% [markdown]
# :::{exercise} A branch that starts at zero
# :label: ex-cnn-zero-start
# Some implementations set the scale $w$ of the last batch norm in each branch to 0 at the start. What is the Jacobian
# of a block then, and what the size of signal and gradient after 27 blocks? Which of the weights in the branch get a
# gradient in the first step, and why does the network learn at all?
# :::

# %% [markdown] tags=["solution"]
# :::{solution-start} ex-cnn-zero-start
# :class: dropdown
# :::
# $F = 0$ and $F' = 0$: each block is the identity (relu changes nothing, since $x$ is not negative), so signal and
# gradient arrive as they were sent. By {eq}`eq-cnn-batch-norm-backward` the gradient of what lies before this batch
# norm has the factor $w = 0$, so both convolutions stand still in the first step. But $\partial L / \partial w = \sum_i
# g_i u_i$ does not contain $w$: the scale moves first, and from the second step on the convolutions learn.

# %% [markdown] tags=["solution"]
# :::{solution-end}
# :::

# %% [markdown]
# ## Further reading
#
# - {cite:t}`he2016resnet` introduces skips, {cite:t}`ioffe2015batchnorm` batch norm, {cite:t}`he2015delving` the
#   variance of the first weights.
# - {cite:t}`yang2019meanfield` computes how batch norm alone lets the gradient grow; {cite:t}`de2020batchnorm` shows
#   what it does to residual blocks.
