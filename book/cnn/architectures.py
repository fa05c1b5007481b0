# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Five networks on 32 pixels
#
# VGG-11 with batch norm and without, ResNet-18, ResNet-34 and DenseNet-121 were made for photographs of 224×224 pixels.
# Here they get 32×32. What is left of so small an image, layer by layer? How much of it does one number see? Which of
# the millions of weights still have something to do?
#
# Below, a photograph of a cat, scaled to 32 pixels, goes through ResNet-18 as it was published and through the same
# network with a first layer for small images. The weights are random: look at how fine the maps are, not at what they
# show.

# %% tags=["parameters"]
profile = "smoke"
seed = 0

# %% tags=["set-up"]
from functools import cache

from helpers import data, display, exercises, parameters, records, verify
from helpers.cnn import architectures, robustness

import matplotlib.pyplot as plt
import numpy as np
import skimage.data
import torch
from PIL import Image
from torch import nn
from torch.nn import functional as F
from torchvision import models

parameters.check(globals(), profile=("smoke", "full"), seed=range(2**31))
display.use_book_style()
torch.manual_seed(seed)
seeds = range(seed, seed + 3)


def small(picture, box=None):  # [H, W, 3] → uint8 [3, 32, 32], squeezed to a square
    image = Image.fromarray(picture).convert("RGB").crop(box)
    image = image.resize((32, 32), Image.Resampling.BOX)
    return torch.from_numpy(np.array(image)).movedim(2, 0)


cat = small(skimage.data.chelsea(), (75, 0, 375, 300))
load = data.photo_patches if profile == "smoke" else data.cifar10
photos, labels = (torch.from_numpy(array[:32]) for array in load("train"))
std, mean = torch.std_mean(photos / 255, dim=(0, 2, 3))
images = robustness.standardize(photos, mean, std)  # [32, 3, 32, 32]


# %% tags=["hide-input"]
def maps_of(stem):
    """Images [C, side, side] of the cat on its way through ResNet-18, by place."""
    torch.manual_seed(2)
    network = architectures.build("resnet18", stem=stem)
    parts = ["conv1", "maxpool", "layer1", "layer2", "layer3", "layer4"]
    both = torch.cat([cat[None], photos[:31]])  # batch norm wants more than one
    kept = {"image": both[0] / 255}
    for part in parts:
        network.get_submodule(part).register_forward_hook(
            lambda _, inputs, output, part=part: kept.update({part: output[0]})
        )
    with torch.no_grad():
        network(robustness.standardize(both, mean, std))
    return kept


ALONG = {stem: maps_of(stem) for stem in architectures.STEMS}
PLACES = {
    "image": "the image",
    "conv1": "first convolution",
    "maxpool": "pooling",
    **{f"layer{i}": f"stage {i}" for i in range(1, 5)},
}


def draw_maps(place):
    figures, axes = display.panels((3.3, 3.5), (3.3, 3.5))
    part = {name: key for key, name in PLACES.items()}[place]
    for ax, (stem, kept) in zip(axes, ALONG.items(), strict=True):
        maps = kept[part]
        strongest = maps.amax(dim=(1, 2)).argsort(descending=True)
        if part == "image":
            shown = [maps.movedim(0, 2)] + [channel for channel in maps]
        else:
            shown = [maps[i] for i in strongest[:4]]
        for position, one in enumerate(shown):
            row, column = divmod(position, 2)
            within = (column, column + 0.95, row + 0.95, row)
            low, high = (0, 1) if part == "image" else (0, maps[strongest[:4]].max())
            gray = {"cmap": "gray", "vmin": float(low), "vmax": float(high)}
            ax.imshow(one.numpy(), extent=within, interpolation="none", **gray)
        side = maps.shape[-1]
        ax.set(xlim=(-0.05, 2), ylim=(2, -0.05), xticks=[], yticks=[])
        ax.set_title(f"{stem} stem: {side}×{side}")
        ax.grid(False)
        ax.spines[:].set_visible(False)
    return figures


def describe_maps(place):
    part = {name: key for key, name in PLACES.items()}[place]
    left, right = (kept[part].shape[-1] for kept in ALONG.values())
    return (
        f"Four maps at this place, {place}. Left, the network as published: maps of "
        f"{left} by {left}. Right, with the stem for small images: {right} by {right}."
    )


display.slider(
    draw_maps,
    PLACES.values(),
    label="in ResNet-18, after",
    alt=describe_maps,
    caption="The published ResNet-18 (imagenet stem) has thrown away all but 4×4 "
    "places when it is half-way; with a first layer for small images (cifar stem), "
    "16×16 are left there.",
    start="stage 2",
)

# %% [markdown]
# ## Sixteen windows, by hand
#
# The first convolution of ResNet-18 has a kernel of 7×7, moves in strides of 2, and puts 3 zeros on each side. So a
# row of $32 + 3 + 3 = 38$ numbers is what its windows slide over. The first starts at 0, the next at 2, and the last
# that still fits starts at $30$, because $30 + 7 \le 38 < 32 + 7$. That makes 16 windows. With side $n$, kernel $k$,
# stride $s$ and padding $p$ there are $o = \lfloor (n + 2p - k)/s \rfloor + 1$, and the next layers go on from there:

# %%
STEPS = {  # of ResNet-18, wherever its maps get smaller: kernel, stride, padding
    "first convolution": (7, 2, 3),
    "pooling": (3, 2, 1),
    "stage 2": (3, 2, 1),
    "stage 3": (3, 2, 1),
    "stage 4": (3, 2, 1),
}


def side_after(n, k, s, p):
    return (n + 2 * p - k) // s + 1


for n in (224, 32):
    sides = [n]
    for k, s, p in STEPS.values():
        sides.append(side_after(sides[-1], k, s, p))
    print(f"from {n:3} pixels:", " → ".join(map(str, sides)))


# %% tags=["hide-input"]
def draw_sixteen(n=32, k=7, s=2, p=3):
    fig, ax = plt.subplots(figsize=(4.2, 2.7))
    left = s * np.arange(side_after(n, k, s, p)) - p
    look = {"facecolor": (display.COLORS[0], 0.3), "edgecolor": display.INK}
    ax.barh(range(len(left)), k, 0.8, left, lw=0.6, **look)
    for zeros in ((-p, 0), (n, n + p)):
        ax.axvspan(*zeros, facecolor="none", edgecolor=display.INK, hatch="///", lw=0)
    ax.set(xlabel="pixel of the row (hatched: zeros)", ylabel="window")
    ax.set(xlim=(-p, n + p), ylim=(len(left) - 0.4, -0.6))
    ax.set(xticks=(0, 8, 16, 24, 32), yticks=(0, 5, 10, 15))
    return fig


display.show(
    draw_sixteen(),
    alt="Sixteen bars like a staircase, each seven pixels long and two pixels to the "
    "right of the one above. The first reaches three pixels into the zeros at the left, "
    "the last one two into those at the right.",
    caption="The windows of the first convolution along a row of 32 pixels. The last "
    "zero at the right is in none of them.",
)

# %% [markdown]
# The last stage was made for 7×7 places and gets a single one. The average over all places, which follows, averages
# nothing.
#
# ## Weights and multiply-adds
#
# How much does one such layer cost? The first one turns 3 colours into 64 channels. Each number of its output is a sum
# of $7 \cdot 7 \cdot 3 = 147$ products, one per weight of its channel. There are $64 \cdot 147 = 9{,}408$ weights. On
# 32 pixels there are $64 \cdot 16 \cdot 16$ such numbers, on 224 pixels 49 times as many; the weights are the same.
#
# In general a convolution from $C$ to $C'$ channels with a kernel of $k \times k$ has a weight for each channel in,
# channel out and offset, and each number of its $C' \times o \times o$ outputs takes $k^2 C$ products:
#
# $$
# \#\text{weights} = k^2\, C\, C' , \qquad \#\text{multiply-adds} = k^2\, C\, C'\, o^2 .
# $$ (eq-cnn-convolution-counts)
#
# A bias adds $C'$ numbers, batch norm $2 C'$, and a linear layer is the case $k = o = 1$. Products with the zeros of
# the padding are counted: the machine multiplies them, too.


# %%
def convolution_counts(C, C_out, k, o):  # weights, multiply-adds
    weights = k**2 * C * C_out
    return weights, weights * o**2


# %% tags=["hide-input"]
def trace(network, n):
    """Each layer with a matrix as (layer, side before, side after), in order."""
    seen = []

    def note(layer, inputs, output):
        sides = [x.shape[-1] if x.dim() == 4 else 1 for x in (inputs[0], output)]
        seen.append((layer, *sides))

    kinds = nn.Conv2d | nn.Linear
    layers = [layer for layer in network.modules() if isinstance(layer, kinds)]
    hooks = [layer.register_forward_hook(note) for layer in layers]
    network.eval()(layers[0].weight.new_zeros(1, 3, n, n))
    for hook in hooks:
        hook.remove()
    return seen


# %%
def network_counts(network, n):  # numbers that are learned, multiply-adds
    counts = []
    for layer, _, o in trace(network, n):
        C_out, C = layer.weight.shape[:2]
        counts.append(
            convolution_counts(C, C_out, getattr(layer, "kernel_size", [1])[0], o)
        )
    weights, multiply_adds = np.sum(counts, axis=0)
    vectors = sum(p.numel() for p in network.parameters() if p.dim() == 1)
    return weights + vectors, multiply_adds


# %% tags=["check"]
def cases():
    for C, C_out, k, s, p, n in (
        (3, 8, 7, 2, 3, 32),
        (4, 6, 3, 1, 1, 5),
        (2, 3, 1, 2, 0, 9),
    ):
        layer = nn.Conv2d(C, C_out, k, s, bias=False)
        layer.weight.data.fill_(1)  # among ones, each product adds one to the sum
        counted = layer(torch.ones(1, C, n + 2 * p, n + 2 * p)).sum().round().int()
        counts = convolution_counts(C, C_out, k, side_after(n, k, s, p))
        yield counts, [layer.weight.numel(), counted]
    for name in ("ResNet18", "ResNet34", "VGG11", "VGG11_BN", "DenseNet121"):
        published = getattr(models, f"{name}_Weights").IMAGENET1K_V1.meta
        with torch.device("meta"):  # shapes, and no numbers
            network = getattr(models, name.lower())()
        learned, multiply_adds = network_counts(network, 224)
        yield (
            [learned, round(multiply_adds / 1e9, 3)],
            [published["num_params"], published["_ops"]],
        )


verify.equal(
    "eq-cnn-convolution-counts",
    cases(),
    atol=1e-9,
    against="sums of ones, and torchvision's list",
)

# %% [markdown]
# With 1,000 classes and 224 pixels the formula gives what torchvision's list says of all five. Here is what they cost
# with ten classes; of VGG's first linear layer, see below. `resnet20` is the network that He and others made for
# CIFAR-10 {cite}`he2016resnet`: 16, 32 and 64 channels, and no stem that throws places away.

# %%
FIVE = "resnet18", "resnet34", "vgg11", "vgg11_bn", "densenet121"
STEM = dict.fromkeys(FIVE, "imagenet") | {"resnet20": "cifar"}


@cache
def shapes_only(name):  # the network without numbers
    with torch.device("meta"):
        return architectures.build(name, stem=STEM[name])


COSTS = {name: network_counts(shapes_only(name), 32) for name in STEM}
print("              learned (M)   multiply-adds (M): on 32 pixels   on 224")
for name, counts in COSTS.items():
    at_224 = network_counts(shapes_only(name), 224)[1]
    learned, at_32, at_224 = (count / 1e6 for count in (*counts, at_224))
    print(f"{name:12} {learned:12.2f} {at_32:32.0f} {at_224:8.0f}")


# %% tags=["hide-input"]
def shares(name):
    """Percent of weights and of multiply-adds by the side of the maps they make."""
    found = {}
    for layer, _, o in trace(shapes_only(name), 32):
        C_out, C = layer.weight.shape[:2]
        k = getattr(layer, "kernel_size", [1])[0]
        where = "fc" if isinstance(layer, nn.Linear) else o
        found.setdefault(where, np.zeros(2))
        found[where] += convolution_counts(C, C_out, k, o)
    total = sum(found.values())
    return {where: 100 * count / total for where, count in found.items()}


def draw_shares():
    names = ("vgg11", "resnet18", "densenet121", "resnet20")
    figures, axes = display.panels((3.4, 2.6), (3.4, 2.6))
    of = {name: shares(name) for name in names}
    sides = (32, 16, 8, 4, 2, 1, "fc")
    for which, (ax, title) in enumerate(
        zip(axes, ("weights", "multiply-adds"), strict=True)
    ):
        for row, name in enumerate(names):
            left = 0.0
            for i, where in enumerate(sides):
                share = of[name].get(where, np.zeros(2))[which]
                tint = (display.COLORS[i % 6], 0.12 + 0.25 * (i % 2))
                ax.barh(
                    row, share, 0.7, left, facecolor=tint, edgecolor=display.INK, lw=0.6
                )
                if share > 7:
                    ax.text(left + share / 2, row, where, ha="center", va="center")
                left += share
        ax.set(
            title=title, xlabel="%, by side of the map", xlim=(0, 100), ylim=(3.6, -0.6)
        )
        ax.set_yticks(range(4), names)
        ax.grid(False)
    return figures


display.show(
    draw_shares(),
    alt="Bars of weights and multiply-adds by the side of the maps. In VGG-11, "
    "ResNet-18 and DenseNet-121 most weights work on maps of 1 by 1 or 2 by 2 or in "
    "the linear layers, most multiply-adds on larger ones. In resnet20 most weights "
    "are on 8 by 8.",
    caption="On 32 pixels: most weights of the published networks act on one or two "
    "rows of places (1, 2) or in linear layers (fc), where they cost little.",
)

# %% [markdown]
# Why are the two so unlike? From stage to stage these networks halve the side and double the channels. By
# {eq}`eq-cnn-convolution-counts` that makes four times as many weights ($2C \cdot 2C'$) and the same multiply-adds,
# $k^2 \cdot 4 C C' \cdot (o/2)^2 = k^2\, C C' o^2$. The last stage has most of the weights, and does no more work than
# the others.
#
# ## How far one number looks
#
# Take two 3×3 convolutions of stride 1. A number behind the second sees 3 rows of the first, and each of those sees one
# pixel more on either side: 5 rows of pixels. Now give the first a stride of 2. The 3 rows are 2 pixels apart, so the
# number sees $3 + 2 \cdot 2 = 7$.
#
# Behind $l$ layers, let $\delta_l$ be the distance in pixels between neighbouring places and $r_l$ the rows that one
# place sees, its {term}`receptive field`. Layer $l$ looks at $k_l$ places that are $\delta_{l-1}$ apart; from the first
# to the last of them there are $(k_l - 1)\, \delta_{l-1}$ pixels, and each end adds half of the field that a place had
# before. So, from $r_0 = \delta_0 = 1$ on,
#
# $$
# r_l = r_{l-1} + (k_l - 1)\, \delta_{l-1} , \qquad \delta_l = s_l\, \delta_{l-1} .
# $$ (eq-cnn-receptive-field)
#
# Pooling counts as a layer. Where ways part, as in a residual block, the longest counts. The check makes all weights
# positive, so that nothing cancels, and asks the gradient which columns of pixels move one number.


# %%
def receptive_fields(layers):  # kernels and strides → r after each
    r, delta, fields = 1, 1, []
    for k, s in layers:
        r += (k - 1) * delta
        delta *= s
        fields.append(r)
    return fields


def longest_way(network):
    """Kernel and stride of each layer on the way; shortcuts are none."""
    found = []
    kinds = nn.Conv2d | nn.MaxPool2d | nn.AvgPool2d
    for name, layer in network.named_modules():
        if isinstance(layer, kinds) and "downsample" not in name:
            k, s = layer.kernel_size, layer.stride
            found.append(
                (k if isinstance(k, int) else k[0], s if isinstance(s, int) else s[0])
            )
    return found


def all_positive(module):
    """The same windows, nothing that cancels, nothing that picks a winner."""
    for layer in module.modules():
        if isinstance(layer, nn.Conv2d):
            layer.weight.data.fill_(1 / layer.weight[0].numel())
            if layer.bias is not None:
                layer.bias.data.zero_()
        for name, child in list(layer.named_children()):
            if isinstance(child, nn.MaxPool2d):
                setattr(
                    layer,
                    name,
                    nn.AvgPool2d(child.kernel_size, child.stride, child.padding),
                )
    return module.double().eval()


# %% tags=["hide-input"]
FIELDS = {name: receptive_fields(longest_way(shapes_only(name))) for name in STEM}


def draw_fields():
    fig, ax = plt.subplots(figsize=(4.2, 3.4))
    for name in ("vgg11", "resnet20", "resnet18", "resnet34", "densenet121"):
        fields = FIELDS[name]
        depth = np.linspace(0, 100, len(fields))
        ax.plot(depth, fields, label=name, markevery=0.2)
    for n in (32, 224):
        ax.axhline(n, color=display.INK, lw=0.8)
    ax.text(0, 240, "224 pixels", va="bottom")
    ax.text(100, 29, "32 pixels", va="top", ha="right")
    ax.set(
        xlabel="layers passed (%)",
        ylabel="receptive field (pixels)",
        yscale="log",
        ylim=(2, 4000),
    )
    fig.legend(loc="outside lower center", ncols=3, frameon=False)
    return fig


display.show(
    draw_fields(),
    alt="Receptive field against depth for five networks, on a logarithmic axis with "
    "lines at 32 and 224 pixels. All but VGG-11 and resnet20 pass 224; ResNet-18 ends "
    "at 435, ResNet-34 at 899, DenseNet-121 at 2071, VGG-11 at 150 and resnet20 at 81.",
    caption="What one number can see. Each of the five reaches 32 pixels before it has "
    "passed two thirds of its layers.",
)
for name, fields in FIELDS.items():
    first = next(i for i, r in enumerate(fields, start=1) if r >= 32)
    print(
        f"{name:12} {fields[-1]:5} pixels at the end, "
        f"32 or more after layer {first} of {len(fields)}"
    )


# %% tags=["check"]
def columns_that_move(network, width):
    x = torch.ones(1, 3, 32, width, dtype=torch.double, requires_grad=True)
    h = network(x)
    h[0, -1, h.shape[2] // 2, h.shape[3] // 2].backward()
    (columns,) = x.grad.sum(dim=(0, 1, 2)).nonzero(as_tuple=True)
    return (columns[-1] - columns[0] + 1).item()


def cases():
    for layers in (
        [(3, 1), (3, 1)],
        [(3, 2), (3, 1)],
        [(5, 3), (2, 2), (3, 1)],
        [(7, 2), (3, 2), (3, 1), (1, 2)],
        [(3, 1), (1, 2), (4, 1)],  # a stride without a field of its own
    ):
        for padded in (False, True):  # which changes nothing
            steps = [nn.Conv2d(3, 3, k, s, (0, k // 2 * padded)) for k, s in layers]
            steps = [nn.ZeroPad2d((0, 0, 9, 9)), *steps]  # rows enough for all
            moved = [
                columns_that_move(all_positive(nn.Sequential(*steps[:l])), 150)
                for l in range(2, len(steps) + 1)
            ]
            yield receptive_fields(layers), moved
    trunks = {
        "resnet18": lambda network: nn.Sequential(*list(network.children())[:-2]),
        "resnet34": lambda network: nn.Sequential(*list(network.children())[:-2]),
        "densenet121": lambda network: network.features,
    }
    for name, trunk in trunks.items():
        network = trunk(architectures.build(name, stem=STEM[name]))
        width = 32 * (FIELDS[name][-1] // 32 + 4)
        yield FIELDS[name][-1], columns_that_move(all_positive(network), width)
    for name, norm in (("vgg11", False), ("vgg11_bn", True)):
        vgg = models.vgg.make_layers(models.vgg.cfgs["A"], batch_norm=norm)
        yield FIELDS[name][-1], columns_that_move(all_positive(vgg), 256)
    network = all_positive(architectures.build("resnet20", stem="cifar"))
    fields = [columns_that_move(network[: 3 + blocks], 192) for blocks in range(10)]
    yield FIELDS["resnet20"][::2], fields


verify.equal("eq-cnn-receptive-field", cases(), against="the gradient, pixel by pixel")

# %% [markdown]
# That a pixel *can* move a number does not say that it does so by much. Below, `resnet20` as it was trained on CIFAR-10
# looks at the cat. The picture shows the gradient of one number in the middle of a map: the strongest channel there.

# %%
state, about = records.load_weights("cifar10_resnet20")
trained = architectures.build(**about["architecture"]).eval()
trained.load_state_dict(state)


def what_moves(depth):  # |∂h/∂x| summed over the colours, [32, 32]
    x = robustness.standardize(cat[None], about["mean"], about["std"])
    x.requires_grad_()
    h = trained[: 3 + depth](x)[0]  # after the first convolution and `depth` blocks
    middle = h[:, h.shape[1] // 2, h.shape[2] // 2]
    middle.max().backward()
    return x.grad[0].abs().sum(dim=0)


# %% tags=["hide-input"]
MOVES = [what_moves(depth) for depth in range(10)]


def field_of(depth):
    return FIELDS["resnet20"][2 * depth]


def share_in_middle(depth, within=8):
    """Percent of the gradient in the middle 16 by 16 pixels."""
    moves = MOVES[depth]
    middle = moves[16 - within : 16 + within, 16 - within : 16 + within]
    return 100 * (middle.sum() / moves.sum()).item()


def draw_moves(depth):
    figures, axes = display.panels((3.3, 3.4), (3.3, 3.4))
    moves = MOVES[depth].sqrt()
    axes[0].imshow(cat.movedim(0, 2), interpolation="none")
    axes[1].imshow(
        moves / moves.max(), cmap="gray", interpolation="none", vmin=0, vmax=1
    )
    centre = MOVES[0].nonzero().float().mean(dim=0).numpy()  # [row, column]
    r = min(field_of(depth), 200)
    frame = {"fill": False, "edgecolor": display.COLORS[1], "lw": 2, "ls": "--"}
    for ax, title in zip(axes, ("the image", "what moves one number"), strict=True):
        corner = centre[::-1] - r / 2
        ax.add_patch(plt.Rectangle(corner, r, r, **frame))
        ax.set(xlim=(-0.5, 31.5), ylim=(31.5, -0.5), xticks=[], yticks=[], title=title)
        ax.grid(False)
    return figures


display.slider(
    draw_moves,
    range(10),
    label="residual blocks passed",
    alt=lambda depth: (
        f"Left the cat, right how much each pixel moves a number after {depth} "
        f"residual blocks. Its receptive field has {field_of(depth)} pixels a side"
        + (", more than the image." if field_of(depth) > 32 else ", drawn as a square.")
        + f" {share_in_middle(depth):.0f} % of the gradient lies in the middle "
        "16 by 16 pixels."
    ),
    caption="The receptive field (dashed) outgrows the image. When it does, most of the "
    "gradient (drawn as its square root, white is most) is still in the middle.",
    start=3,
)

# %% [markdown]
# Gradients that are largest near the middle are what one expects of many layers: there are more ways from the middle
# pixels to the number than from the corners of the field {cite}`luo2016receptive`.
#
# ## Weights that multiply zeros
#
# In the last stage of ResNet-18 a 3×3 kernel slides over a map of 1×1, with one zero on each side. There is one window,
# and one of its nine places holds a number. The other eight weights multiply zeros, whatever the image. The first
# convolution of the stage has a stride of 2 and a map of 2×2: its only window starts in the border, and four of its
# nine weights meet a number.

# %% [markdown]
# The weight at offset $a$ of a row (counted from 0) lies, in the window at place $i$, over the number at
# $a + s i - p$, if there is one. It has something to do when that is so for some $i$. Rows and columns are alike, so
# that of all $k^2$ weights of a kernel, the share that meets the map is
#
# $$
# \begin{gathered}
# \Big( \frac{\lvert U \rvert}{k} \Big)^{\!2} , \\
# U = \{\, a < k : 0 \le a + s i - p < n \ \text{ for some } i < o \,\} .
# \end{gathered}
# $$ (eq-cnn-idle)
#
# All others get a gradient of exactly zero from every image, and only weight decay moves them.


# %%
def offsets_in_use(n, k, s, p):  # U
    o = side_after(n, k, s, p)
    return {a for a in range(k) for i in range(o) if 0 <= a + s * i - p < n}


def share_in_use(n, k, s, p):
    return (len(offsets_in_use(n, k, s, p)) / k) ** 2


def idle_weights(network, n):
    idle = 0
    for layer, side, _ in trace(network, n):
        if isinstance(layer, nn.Conv2d):
            windows = layer.kernel_size[0], layer.stride[0], layer.padding[0]
            idle += layer.weight.numel() * (1 - share_in_use(side, *windows))
    return round(idle)


for name in STEM:
    idle = idle_weights(shapes_only(name), 32)
    print(
        f"{name:12} {idle:10,} idle weights, "
        f"{100 * idle / COSTS[name][0]:4.1f} % of what is learned"
    )


# %% tags=["hide-input"]
def draw_windows():
    figures, axes = display.panels(*[(2.2, 2.5)] * 3)
    kinds = ((1, 1, "1×1, stride 1"), (2, 2, "2×2, stride 2"), (2, 1, "2×2, stride 1"))
    for ax, (n, s, title) in zip(axes, kinds, strict=True):
        used = offsets_in_use(n, 3, s, 1)
        for a, b in np.ndindex(3, 3):
            meeting = a in used and b in used
            fill = (display.COLORS[0], 0.35) if meeting else "none"
            hatch = None if meeting else "///"
            edge = {"ec": display.INK, "lw": 0.8, "alpha": None if meeting else 0.5}
            ax.add_patch(plt.Rectangle((b, a), 1, 1, fc=fill, hatch=hatch, **edge))
            if meeting:
                ax.text(b + 0.5, a + 0.5, "w", ha="center", va="center")
        ax.set(xlim=(-0.1, 3.1), ylim=(3.1, -0.1), xticks=[], yticks=[], aspect="equal")
        ax.set_title(f"map {title}:\n{len(used) ** 2} of 9")
        ax.grid(False)
        ax.spines[:].set_visible(False)
    return figures


display.show(
    draw_windows(),
    alt="Three kernels of 3 by 3. On a 1 by 1 map only the middle weight meets a "
    "number; on a 2 by 2 map with stride 2 the lower right four; with stride 1 all "
    "nine.",
    caption="Which weights of a 3×3 kernel ever meet a number of the map (w); the "
    "hatched ones meet the padding alone.",
)


# %% tags=["check"]
def cases():
    kinds = (1, 3, 1, 1), (2, 3, 2, 1), (2, 3, 1, 1), (1, 7, 3, 3), (4, 7, 2, 3)
    for n, k, s, p in (*kinds, (2, 5, 3, 2), (9, 3, 2, 1)):
        layer = nn.Conv2d(2, 3, k, s, p, bias=False)
        layer(torch.rand(4, 2, n, n) + 0.1).sum().backward()
        yield share_in_use(n, k, s, p), (layer.weight.grad != 0).double().mean()
    for name in ("resnet18", "densenet121", "resnet20"):
        network = all_positive(architectures.build(name, stem=STEM[name]))
        nn.init.constant_(list(network.modules())[-1].weight, 1.0)
        network(torch.rand(1, 3, 32, 32).double() + 0.1).sum().backward()
        convolutions = [m for m in network.modules() if isinstance(m, nn.Conv2d)]
        idle = sum((layer.weight.grad == 0).sum() for layer in convolutions)
        yield idle_weights(network, 32), idle


verify.equal("eq-cnn-idle", cases(), atol=1e-12, against="gradients that are zero")

# %% [markdown]
# More than half of ResNet-18 and of ResNet-34 is idle on such images: they are smaller networks than their number of
# parameters says. VGG has no idle weight in a convolution. It begins with strides of 1, and halves the side only after
# it has computed something from it.
#
# ## Forty-nine copies
#
# Behind VGG-11's last pooling stands a layer that was made for 7×7 places of 512 channels: $25{,}088 \times 4{,}096$
# weights, nearly 103 million. An image of 32 pixels leaves 1×1 place there, and adaptive pooling stretches it to 7×7:
# 49 copies of the same 512 numbers $x$. Sort the weights by place into $m = 49$ matrices $W_1, \dots, W_m$ of
# $4{,}096 \times 512$. Each meets the same $x$, and only their sum matters. For two places and one channel, with the
# weights 3 and 5 and $x = 2$: $3 \cdot 2 + 5 \cdot 2 = 8 \cdot 2$. In general,
#
# $$
# \sum_{q=1}^m W_q\, x = V x , \qquad V = \sum_{q=1}^m W_q .
# $$ (eq-cnn-fold)
#
# So the layer can be folded to $512 \times 4{,}096$ weights, and the network says the same.


# %%
def fold(W, m):  # [D, C·m], as torchvision orders them → V [D, C]
    return W.unflatten(1, (-1, m)).sum(dim=2)


# %% tags=["check"]
def cases():
    for C, D, side in ((1, 1, 2), (6, 5, 3), (16, 8, 7)):
        stretch = nn.AdaptiveAvgPool2d(side)
        x = torch.randn(4, C, 1, 1, dtype=torch.double)
        W = torch.randn(D, C * side**2, dtype=torch.double)
        yield x.flatten(1) @ fold(W, side**2).T, stretch(x).flatten(1) @ W.T


verify.equal("eq-cnn-fold", cases(), atol=1e-12, against="the layer on 49 copies")

# %% [markdown]
# Does the folded layer also *learn* the same? With $z = \sum_q W_q x$, each copy has the gradient
# $\frac{\partial L}{\partial z} x^\top$, and so has $V$: all are the same matrix $G$. A step of SGD with rate $\eta$,
# momentum $\beta$ and weight decay $\zeta$ adds them to buffers $B_q$:
#
# $$
# B_q \leftarrow \beta B_q + G + \zeta W_q , \qquad W_q \leftarrow W_q - \eta B_q .
# $$ (def-cnn-sgd)
#
# Sum both over $q$, and write $B$ for the sum of the buffers. Everything is linear; the only thing that does not sum to
# something folded is $G$, which is there $m$ times:
#
# $$
# \begin{gathered}
# B \leftarrow \beta B + m\, G + \zeta V , \qquad V \leftarrow V - \eta B , \\
# V^{(0)} = \sum_{q=1}^m W_q^{(0)} .
# \end{gathered}
# $$ (eq-cnn-fold-sgd)
#
# The folded layer takes the same path if its gradient is multiplied by 49 and if it starts from the sum of 49 random
# matrices, which has 7 times the standard deviation of one. (Clipping by the norm of all gradients would break this:
# the norm counts $G$ 49 times in one network and once in the other.)


# %%
def folded_step(V, B, G, m, eta, beta, zeta):
    B = beta * B + m * G + zeta * V
    return V - eta * B, B


def descend(m=49, factor=49, steps=30, eta=0.02, beta=0.9, zeta=0.01):
    """The sum of the weights of a layer on m copies, and V, after each step."""
    torch.manual_seed(seed)
    x = torch.randn(64, 6, dtype=torch.double)  # [samples, C]
    target = torch.randint(3, (64,))
    copied = x.repeat_interleave(m, dim=1)  # as flattening 7×7 places orders them
    layer, after = nn.Linear(6 * m, 8, bias=False).double(), nn.Linear(8, 3).double()
    head = nn.Sequential(nn.ReLU(), after).requires_grad_(False)
    sgd = torch.optim.SGD(layer.parameters(), lr=eta, momentum=beta, weight_decay=zeta)
    V, B = fold(layer.weight.detach(), m), 0
    for _ in range(steps):
        sgd.zero_grad()
        F.cross_entropy(head(layer(copied)), target).backward()
        sgd.step()
        V.requires_grad_()
        (G,) = torch.autograd.grad(F.cross_entropy(head(x @ V.T), target), V)
        V, B = folded_step(V.detach(), B, G, factor, eta, beta, zeta)
        yield fold(layer.weight.detach(), m), V


# %% tags=["hide-input"]
def draw_paths():
    fig, ax = plt.subplots(figsize=(4.2, 2.7))
    for factor, name in ((49, "gradient times 49"), (1, "gradient as it is")):
        apart = [((S - V).norm() / S.norm()).item() for S, V in descend(factor=factor)]
        ax.plot(np.maximum(apart, 1e-17), markevery=5, label=name)
    ax.set(yscale="log", ylim=(1e-18, 30), xlabel="step", ylabel="distance / size")
    ax.legend(loc="center right")
    return fig


display.show(
    draw_paths(),
    alt="Distance of the folded weights from the sum of the unfolded ones by step, on "
    "a logarithmic axis. With the gradient times 49 it stays at rounding error; with "
    "the gradient as it is it rises within a few steps to the size of the weights.",
    caption="Thirty steps of SGD with momentum and weight decay: with the factor 49 "
    "the folded layer walks where the 49 copies walk, without it elsewhere.",
)


# %% tags=["check"]
def cases():
    for m, beta, zeta in ((49, 0.9, 0.01), (4, 0.5, 0.1), (9, 0.0, 0.0)):
        settings = {"m": m, "beta": beta, "zeta": zeta}
        for by_copies, V in descend(factor=m, **settings):
            yield V, by_copies
        *_, (by_copies, V) = descend(factor=1, **settings)  # without the factor
        yield torch.allclose(V, by_copies, rtol=0.01), False


verify.equal(
    "eq-cnn-fold-sgd", cases(), atol=1e-12, against="torch.optim.SGD on the copies"
)

# %% [markdown]
# The VGG networks of this book are built folded, from the sum of the 49, and trained *without* the factor: what that
# means is an exercise below.
#
# ## What the trained networks did
#
# All of this was about networks before training. {doc}`/experiments/cifar10` trained them on 45,000 images of CIFAR-10
# ([its page](https://www.cs.toronto.edu/~kriz/cifar.html)), validated on 5,000 others, and scored each once on the
# 10,000 images of the test set.
#
# ResNet-18 was trained with three seeds. Their *spread* is the standard deviation of the three errors, with 2 in
# the denominator; a difference below twice that is no difference here, and is marked so ("none") in the table.

# %%
RUNS = records.load("cifar10")


def test_error(run):  # in percent
    return 100 * RUNS[run]["metrics"]["test_error"]


of_three = [test_error(f"resnet18_{s}") for s in range(3)]
reference, spread = np.mean(of_three), np.std(of_three, ddof=1)
chance = 100 * np.sqrt(reference / 100 * (1 - reference / 100) / 10_000)
print(f"ResNet-18: {reference:.2f} % on average, spread {spread:.2f} points")
print(f"the draw of 10,000 test images alone: a standard deviation of {chance:.2f}")

# %% tags=["hide-input"]
TRAINED = {"resnet18": "resnet18_0"} | {
    name: name for name in STEM if name != "resnet18"
}


def draw_errors():
    fig, ax = plt.subplots(figsize=(4.2, 3.1))
    band = reference - 2 * spread, reference + 2 * spread
    ax.axhspan(*band, color=display.COLORS[0], alpha=0.15, lw=0)
    for i, (name, run) in enumerate(TRAINED.items()):
        error = of_three if name == "resnet18" else [test_error(run)]
        style = {"marker": "osD^vP"[i], "ls": "", "color": display.COLORS[i], "ms": 6}
        learned = COSTS[name][0] / 1e6
        ax.plot([learned] * len(error), error, label=name, **style)
    ax.set(
        xscale="log", xlabel="learned numbers (millions)", ylabel="clean test error (%)"
    )
    ax.set(ylim=(8, 18), xlim=(0.15, 60))
    ax.legend(loc="lower center")
    return fig


def row_of(name, run):
    parameters_ = RUNS[run]["parameters"]
    error = reference if name == "resnet18" else test_error(run)
    idle = idle_weights(shapes_only(name), 32)
    apart = error - reference
    versus = f"{apart:+.2f}{'' if abs(apart) > 2 * spread else ' (none)'}"
    return {
        ("", "network"): name,
        ("learned numbers", "M"): f"{COSTS[name][0] / 1e6:.2f}",
        ("learned numbers", "idle %"): f"{100 * idle / COSTS[name][0]:.0f}",
        ("trained", "epochs"): parameters_["epochs"],
        ("trained", "rate"): f"{parameters_['learning_rate']:g}",
        ("clean test error", "%"): f"{error:.2f}",
        ("clean test error", "less ResNet-18's"): "mean of 3 seeds"
        if name == "resnet18"
        else versus,
    }


display.show(
    draw_errors(),
    alt="Clean test error against the number of parameters. ResNet-34 lies within the "
    "band around ResNet-18's three errors. DenseNet-121, VGG-11, "
    "VGG-11 with batch norm and resnet20 lie below it, in this order; resnet20 is by "
    "far the smallest.",
    caption="Clean test error on CIFAR-10 against size. In the band, twice the spread "
    "of ResNet-18's three seeds to either side, nothing is told apart from ResNet-18.",
)
display.table(row_of(*pair) for pair in TRAINED.items())

# %% tags=["hide-input"]
more, idle = (
    after - before
    for after, before in zip(
        *(
            (COSTS[n][0], idle_weights(shapes_only(n), 32))
            for n in ("resnet34", "resnet18")
        ),
        strict=True,
    )
)
for name, value in {
    "more": f"{more / 1e6:.0f}",
    "more-idle": f"{100 * idle / more:.0f}",
    "reference": f"{reference:.2f}",
    "spread": f"{spread:.2f}",
    "resnet34": f"{test_error('resnet34'):.2f}",
    "resnet20": f"{test_error('resnet20'):.2f}",
    "resnet20-thousands": f"{COSTS['resnet20'][0] / 1e3:.0f}",
    "vgg11": f"{test_error('vgg11'):.2f}",
    "vgg11-bn": f"{test_error('vgg11_bn'):.2f}",
    "rate": f"{RUNS['vgg11']['parameters']['learning_rate']:g}",
    "rate-bn": f"{RUNS['vgg11_bn']['parameters']['learning_rate']:g}",
    "epochs": str(RUNS["resnet20"]["parameters"]["epochs"]),
    "epochs-others": str(RUNS["resnet18_0"]["parameters"]["epochs"]),
}.items():
    display.glue(f"cnn-architectures-{name}", value)

# %% [markdown]
# What the numbers carry, and what they do not:
#
# - **Depth.** ResNet-34 has {glue:text}`cnn-architectures-resnet34` %, ResNet-18
#   {glue:text}`cnn-architectures-reference` %: no difference, one seed against three. Of the
#   {glue:text}`cnn-architectures-more` million numbers that ResNet-34 has in addition,
#   {glue:text}`cnn-architectures-more-idle` % are idle.
# - **Batch norm.** VGG-11 with it has {glue:text}`cnn-architectures-vgg11-bn` %, without it
#   {glue:text}`cnn-architectures-vgg11` %. That is a difference by our measure, between one run each, and not one of
#   batch norm alone: with it the rate was {glue:text}`cnn-architectures-rate-bn`, without it
#   {glue:text}`cnn-architectures-rate`.
# - **Size.** The smallest network is the best: `resnet20`, {glue:text}`cnn-architectures-resnet20-thousands` thousand
#   numbers and {glue:text}`cnn-architectures-resnet20` %. Size does not decide here. But `resnet20` also trained for
#   {glue:text}`cnn-architectures-epochs` epochs and the others for {glue:text}`cnn-architectures-epochs-others`.
# - **The stem.** The two networks with the ImageNet stem of ResNet and the one of DenseNet, which throw away 15 of 16
#   places before their first stage, are worse than the three that do not. That fits what this chapter shows, and it is
#   no proof: these networks differ in more than their stems. Which run would decide it is an exercise.
#
# How they bear noise and blur is the subject of {doc}`robustness`.
#
# ## A cat, classified
#
# `resnet20` is small enough to come with the book. Here it looks at photographs that it was not trained on, scaled to
# 32 pixels: four cuts of the cat, the outline of a horse, and three photographs that show none of its ten classes.


# %%
chelsea = skimage.data.chelsea()  # [300, 451, 3]
horse = 255 * skimage.data.horse().astype(np.uint8)  # an outline, black on white
PICTURES = {
    "all of it": small(chelsea),
    "a square": cat,
    "its left": small(chelsea, (0, 0, 300, 300)),
    "the face": small(chelsea, (120, 60, 320, 260)),
    "a horse": small(horse),
    "a rocket": small(skimage.data.rocket()),
    "coffee": small(skimage.data.coffee()),
    "an astronaut": small(skimage.data.astronaut()),
}
shown = torch.stack(list(PICTURES.values()))
said = robustness.logits(trained, shown, about["mean"], about["std"]).softmax(dim=1)
probability, best = said.max(dim=1)
answers = [about["classes"][i] for i in best]


# %% tags=["hide-input", "nbval-ignore-output"]
def draw_pictures():
    figures, axes = display.panels((3.3, 4.2), (3.3, 4.2))
    for k, (name, picture) in enumerate(PICTURES.items()):
        (row, column), ax = divmod(k % 4, 2), axes[k // 4]
        within = (column, column + 0.92, 1.4 * row + 0.92, 1.4 * row)
        ax.imshow(picture.movedim(0, 2), extent=within, interpolation="none")
        text = f"{name}:\n{answers[k]} ({100 * probability[k]:.0f} %)"
        ax.text(column + 0.46, 1.4 * row + 0.96, text, ha="center", va="top")
    for ax, title in zip(axes, ("cats", "others"), strict=True):
        ax.set(xlim=(-0.05, 2), ylim=(2.75, -0.05), xticks=[], yticks=[], title=title)
        ax.grid(False)
        ax.spines[:].set_visible(False)
    return figures


display.show(
    draw_pictures(),
    alt="Eight pictures of 32 by 32 pixels and what the network calls them. "
    + "; ".join(
        f"{name}: {answer}" for name, answer in zip(PICTURES, answers, strict=True)
    )
    + ".",
    caption="What resnet20 calls eight pictures, and how probable it holds that. The "
    "last three show none of the ten classes; it has to name one all the same.",
)

# %% [markdown]
# It finds the cat in all four cuts, and a horse in an outline of a kind that it never saw. This is one cat and one
# horse; the error rate above is from 10,000 images. On the last three the softmax gives probabilities far above a tenth
# to classes that are not there: the ten have to sum to one, whatever is shown.
#
# ## What was shown
#
# - A convolution's multiply-adds are its weights times its places, {eq}`eq-cnn-convolution-counts`. Networks that halve
#   the side and double the channels have most of their weights where the maps are smallest.
# - The receptive field grows by $(k - 1)$ steps a layer, and steps grow with each stride,
#   {eq}`eq-cnn-receptive-field`. All five see 32 pixels before they have passed two thirds of their layers.
# - On 1×1 maps eight of nine weights meet nothing but padding, {eq}`eq-cnn-idle`.
# - VGG's first linear layer folds by a factor of 49, {eq}`eq-cnn-fold`, and takes the same path under SGD if its
#   gradient is multiplied by 49, {eq}`eq-cnn-fold-sgd`.
# - On the clean test set of CIFAR-10 there was no difference between ResNet-18 (three seeds) and ResNet-34 (one), and
#   the smallest network, which trained longest, erred least.
#
# What skips and batch norm do to the gradient in such networks is told in {doc}`gradient_flow`.

# %% [markdown]
# ## Exercises

# %% [markdown]
# :::{exercise} A convolution in two
# :label: ex-cnn-separable
# A *separable* convolution first gives each of $C$ channels one kernel of $k \times k$ of its own (stride 1, and
# padding that keeps the side), and then mixes the channels at each place with a 1×1 convolution to $C'$. How many
# weights does it have, and how many multiply-adds for maps of $o \times o$? Write `separable_counts(C, C_out, k, o)`,
# which returns both. What does it save for $k = 3$ and many channels?
# :::

# %% [markdown] tags=["solution"]
# :::{solution-start} ex-cnn-separable
# :class: dropdown
# :::
# The first part has $k^2$ weights for each of $C$ channels, which it does not mix; the second is
# {eq}`eq-cnn-convolution-counts` with a kernel of 1. All weights act at each place. Compared with $k^2 C C'$ that is a
# share of $1/C' + 1/k^2$: for $k = 3$ and many channels about a ninth.


# %% tags=["solution"]
def separable_counts(C, C_out, k, o):
    weights = k**2 * C + C * C_out
    return weights, weights * o**2


# %% [markdown] tags=["solution"]
# :::{solution-end}
# :::

# %%
exercises.check("cnn/architectures/separable_counts", separable_counts)

# %% [markdown]
# :::{exercise} Kernels with holes
# :label: ex-cnn-dilation
# A kernel of *dilation* $d$ looks at places that are $d$ apart instead of next to one another. Correct
# {eq}`eq-cnn-receptive-field` for it and write `receptive_field(layers)`, where each layer is `(k, s, d)`. How far do
# four layers of 3×3 with stride 1 and dilations 1, 2, 4, 8 look?
# :::

# %% [markdown] tags=["solution"]
# :::{solution-start} ex-cnn-dilation
# :class: dropdown
# :::
# From the first place to the last there are now $(k - 1)\, d$ steps of $\delta_{l-1}$, so $r_l = r_{l-1} + (k_l - 1)\,
# d_l\, \delta_{l-1}$. The distance of neighbouring outputs is still the stride's alone. The four layers see $1 + 2 (1 +
# 2 + 4 + 8) = 31$ pixels, as many as 15 layers without holes.


# %% tags=["solution"]
def receptive_field(layers):
    r, delta = 1, 1
    for k, s, d in layers:
        r += (k - 1) * d * delta
        delta *= s
    return r


# %% [markdown] tags=["solution"]
# :::{solution-end}
# :::

# %%
exercises.check("cnn/architectures/receptive_field", receptive_field)

# %% [markdown]
# :::{exercise} Without the forty-nine
# :label: ex-cnn-fold-rates
# The book's VGG networks train their folded layer with rate $\eta$ and weight decay $\zeta$, and do *not* multiply its
# gradient. With which rate and which decay would the 49 copies take the same path, the momentum being the same? Write
# `copies_settings(rate, decay, copies)`, which returns both.
# :::

# %% [markdown] tags=["solution"]
# :::{solution-start} ex-cnn-fold-rates
# :class: dropdown
# :::
# Let the copies have the rate $\eta'$ and the decay $\zeta'$. By {eq}`eq-cnn-fold-sgd` the sum of their buffers becomes
# $\beta B + m G + \zeta' V$. With $\zeta' = m\, \zeta$ that is, from the first step on, $m$ times the buffer of the
# folded layer, and with $\eta' = \eta / m$ the step is the same. So one layer of the book's VGG learned 49 times more
# slowly than the assignment's would have at the same rate.


# %% tags=["solution"]
def copies_settings(rate, decay, copies):
    return rate / copies, decay * copies


# %% [markdown] tags=["solution"]
# :::{solution-end}
# :::

# %%
exercises.check("cnn/architectures/copies_settings", copies_settings)

# %% [markdown]
# :::{exercise} A run that decides
# :label: ex-cnn-deciding-run
# Networks whose stem throws places away did worse than the others. Which runs of {doc}`/experiments/cifar10` would show
# whether it is the stem that costs ResNet-18 its errors? What must stay the same, what has to be compared with what,
# and which outcome would speak against it? What else does the change of the stem change?
# :::

# %% [markdown] tags=["solution"]
# :::{solution-start} ex-cnn-deciding-run
# :class: dropdown
# :::
# ResNet-18 with `stem: cifar`, everything else as in the record: rate, epochs, augmentation, and three seeds of its
# own. If its mean error is lower by more than twice the larger of the two spreads, the stem matters; if not, it does
# not explain the gap. By {eq}`eq-cnn-convolution-counts` the other stem also multiplies the work: 16 times as many
# places in each stage. So a fair second comparison gives both the same multiply-adds, with a narrower network, say. And
# by {eq}`eq-cnn-idle` it sets the idle weights to work, since the last maps have 4×4 places: more places and more
# weights change at once, and this pair of runs does not tell the two apart.

# %% [markdown] tags=["solution"]
# :::{solution-end}
# :::

# %% [markdown]
# ## Further reading
#
# - {cite:t}`simonyan2015vgg`, {cite:t}`he2016resnet` and {cite:t}`huang2017densenet` describe the five networks.
# - {cite:t}`luo2016receptive` derives how the gradient spreads over the receptive field.
