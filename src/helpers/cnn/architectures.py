"""Networks that classify images: torchvision's, made for 32×32 pixels where they can be, and two small ones."""

import torch
from torch import nn
from torchvision import models
from torchvision.models.resnet import BasicBlock

NAMES = ("resnet18", "resnet34", "vgg11", "vgg11_bn", "densenet121", "debug", "resnet20")
STEMS = ("imagenet", "cifar")


def build(name, num_classes=10, stem="imagenet"):
    """Return the network ``name``, untrained, as its authors initialise it, from PyTorch's global generator.

    It maps images [N, 3, H, W] to logits [N, num_classes]. The names are ``NAMES``:

    - ``resnet18``, ``resnet34`` (He et al., 2016), ``vgg11``, ``vgg11_bn`` (Simonyan and Zisserman, 2015) and
      ``densenet121`` (Huang et al., 2017) are torchvision's. With the stem ``imagenet`` they see 32×32 pixels as they
      would see 224×224; only VGG's first linear layer is folded (:func:`fold`). The stem ``cifar`` puts a 3×3
      convolution of stride 1 in the place of ResNet's and DenseNet's first one, and leaves out the pooling after it;
      VGG, whose first convolution is such a one, stays as it is.
    - ``resnet20`` is the network of He et al. for CIFAR-10, section 4.2, n = 3: 272,474 parameters. Where the width
      changes, its shortcuts are 1×1 convolutions (their option B). It has the stem ``cifar`` only.
    - ``debug``, two convolutions, is for trying things out; it has one stem, whatever ``stem`` says.

    Raises ValueError for another name or stem, and for fewer than one class.
    """
    if name not in NAMES or stem not in STEMS:
        raise ValueError(f"{name!r} with stem {stem!r}: expected one of {', '.join(NAMES)} with {' or '.join(STEMS)}")
    if not isinstance(num_classes, int) or num_classes < 1:
        raise ValueError(f"num_classes = {num_classes!r}: expected a whole number from 1 on")
    if name == "resnet20" and stem == "imagenet":
        raise ValueError("resnet20 was made for images of 32×32 pixels: it has the stem 'cifar' only")
    if name in ("debug", "resnet20"):
        return {"debug": _debug, "resnet20": _resnet20}[name](num_classes)
    network = getattr(models, name)(num_classes=num_classes)
    if name.startswith("vgg"):
        return fold(network)
    if stem == "cifar":
        first = nn.Conv2d(3, 64, 3, padding=1, bias=False)
        if name == "densenet121":
            nn.init.kaiming_normal_(first.weight)  # each as torchvision initialises its own first convolution
            network.features.conv0, network.features.pool0 = first, nn.Identity()
        else:
            nn.init.kaiming_normal_(first.weight, mode="fan_out", nonlinearity="relu")
            network.conv1, network.maxpool = first, nn.Identity()
    return network


def fold(vgg):
    """Fold the first linear layer of torchvision's VGG ``vgg``, in place, and return the network.

    The layer sees 7×7 places of 512 channels, and behind an image of 32×32 pixels they are 49 copies of one place:
    adaptive pooling stretches 1×1 to 7×7. What the layer makes of them is what one of 512 inputs makes of the one, if
    its weights are sums over the 49. So 25,088 × 4,096 weights become 512 × 4,096, and the network's output, on images
    of 32 to 63 pixels, stays what it was.
    """
    first = vgg.classifier[0]
    places = 7 * 7
    with torch.no_grad():
        first.weight = nn.Parameter(first.weight.unflatten(1, (-1, places)).sum(dim=2))  # [4096, 512]
    first.in_features //= places
    vgg.avgpool = nn.AdaptiveAvgPool2d(1)
    return vgg


def _debug(num_classes):
    return nn.Sequential(
        *(nn.Conv2d(3, 16, 3, padding=1, bias=False), nn.BatchNorm2d(16), nn.ReLU(), nn.MaxPool2d(2)),
        *(nn.Conv2d(16, 32, 3, padding=1, bias=False), nn.BatchNorm2d(32), nn.ReLU()),
        *(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(32, num_classes)),
    )


def _resnet20(num_classes):
    layers = [nn.Conv2d(3, 16, 3, padding=1, bias=False), nn.BatchNorm2d(16), nn.ReLU()]
    before = 16
    for width in (16, 32, 64):
        for _ in range(3):
            shortcut = None
            if width != before:
                shortcut = nn.Sequential(nn.Conv2d(before, width, 1, stride=2, bias=False), nn.BatchNorm2d(width))
            layers.append(BasicBlock(before, width, stride=width // before, downsample=shortcut))
            before = width
    network = nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(before, num_classes))
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
    return network
