"""helpers.cnn.architectures: what its networks promise; and the oracles of the chapter."""

import pytest
import torch
from torchvision import models

from helpers.cnn.architectures import NAMES, STEMS, build, fold
from oracles import tried

# Parameters with ten classes: those of torchvision's networks, less 48 · 512 · 4096 where VGG is folded.
COUNTS = {
    ("resnet18", "imagenet"): 11_181_642,
    ("resnet18", "cifar"): 11_181_642 - 64 * 3 * (49 - 9),
    ("resnet34", "imagenet"): 21_289_802,
    ("resnet34", "cifar"): 21_289_802 - 64 * 3 * (49 - 9),
    ("vgg11", "imagenet"): 128_807_306 - 48 * 512 * 4096,
    ("vgg11", "cifar"): 128_807_306 - 48 * 512 * 4096,
    ("vgg11_bn", "imagenet"): 128_812_810 - 48 * 512 * 4096,
    ("densenet121", "imagenet"): 6_964_106,
    ("densenet121", "cifar"): 6_964_106 - 64 * 3 * (49 - 9),
    ("debug", "imagenet"): 5_466,
    ("debug", "cifar"): 5_466,
    ("resnet20", "cifar"): 272_474,
}


@pytest.mark.parametrize(("name", "stem"), COUNTS)
def test_parameters_and_logits(name, stem):
    network = build(name, num_classes=10, stem=stem).eval()
    assert sum(p.numel() for p in network.parameters()) == COUNTS[name, stem]
    with torch.no_grad():
        assert network(torch.rand(2, 3, 32, 32)).shape == (2, 10)


def last_maps(network):
    """Height and width of the last feature maps that 32×32 pixels leave."""
    sizes = []
    for module in network.modules():
        if isinstance(module, torch.nn.Conv2d):
            module.register_forward_hook(lambda module, inputs, output: sizes.append(tuple(output.shape[2:])))
    with torch.no_grad():
        network.eval()(torch.rand(1, 3, 32, 32))
    return sizes[-1]


@pytest.mark.parametrize("name", ["resnet18", "densenet121"])
def test_the_small_stem_keeps_four_times_as_many_rows_and_columns(name):
    assert last_maps(build(name)) == (1, 1)
    assert last_maps(build(name, stem="cifar")) == (4, 4)


def test_the_folded_network_says_what_torchvision_s_says():
    torch.manual_seed(0)
    original = models.vgg11(num_classes=10).eval()
    torch.manual_seed(0)
    ours = build("vgg11").eval()
    x = torch.rand(2, 3, 32, 32, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    with torch.no_grad():
        expected = original.double()(x)
        torch.testing.assert_close(fold(original)(x), expected, rtol=0, atol=1e-12)
        # The sums over 49 weights of `build` are in single precision.
        torch.testing.assert_close(ours.double()(x), expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", ["resnet18", "densenet121", "debug", "resnet20"])
def test_the_initial_weights_come_from_the_seed(name):
    states = []
    for seed in (0, 0, 1):
        torch.manual_seed(seed)
        states.append(build(name, stem="cifar").state_dict())
    assert all(torch.equal(states[0][key], states[1][key]) for key in states[0])
    assert not all(torch.equal(states[0][key], states[2][key]) for key in states[0])


def test_resnet20_has_twenty_layers_and_three_widths():
    network = build("resnet20", num_classes=7, stem="cifar").eval()
    layers = [m for m in network.modules() if isinstance(m, torch.nn.Linear | torch.nn.Conv2d)]
    weighed = [m for m in layers if getattr(m, "kernel_size", None) != (1, 1)]  # shortcuts do not count
    assert len(weighed) == 20
    assert {m.out_channels for m in weighed[:-1]} == {16, 32, 64}
    assert weighed[-1].out_features == 7


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("resnet32",), "resnet18, resnet34"),
        (("resnet18", 10, "mnist"), "imagenet or cifar"),
        (("resnet20",), "'cifar' only"),
        (("debug", 0), "num_classes = 0"),
        (("debug", "ten"), "num_classes = 'ten'"),
    ],
)
def test_what_is_not_there_is_told(arguments, said):
    with pytest.raises(ValueError, match=said):
        build(*arguments)


def test_all_names_and_stems_are_counted():
    assert {name for name, _ in COUNTS} == set(NAMES) and {stem for _, stem in COUNTS} == set(STEMS)


def test_a_separable_convolution_mixes_channels_in_its_second_part_alone():
    tried(
        "cnn/architectures/separable_counts",
        lambda C, C_out, k, o: (C * (k * k + C_out), C * (k * k + C_out) * o * o),
        (lambda C, C_out, k, o: (k * k * C * C_out, k * k * C * C_out * o * o), "one kernel for each of C channels"),
        (lambda C, C_out, k, o: (k * k * C + C * C_out, k * k * C * o * o + C * C_out), "all act at each place"),
    )


def by_walking_back(step):
    """A receptive field from the last layer to the first, where ``step`` says how a layer widens it."""

    def receptive_field(layers):
        r = 1
        for layer in reversed(layers):
            r = step(r, *layer)
        return r

    return receptive_field


def test_a_receptive_field_grows_by_strides_of_the_layers_before_and_by_its_own_holes():
    tried(
        "cnn/architectures/receptive_field",
        by_walking_back(lambda r, k, s, d: (r - 1) * s + (k - 1) * d + 1),
        (by_walking_back(lambda r, k, s, d: (r - 1) * s + k), "reaches from the first to the fifth pixel"),
        (by_walking_back(lambda r, k, s, d: (r - 1) * s + k * d), "fifth"),
        (by_walking_back(lambda r, k, s, d: r + (k - 1) * d), "neighbours are 2 pixels apart"),
        (by_walking_back(lambda r, k, s, d: (r - 1) + (k - 1) * d * s + 1), "and not its own"),
        (by_walking_back(lambda r, k, s, d: (r - 1) * s * d + (k - 1) * d + 1), "strides alone do"),
    )


def test_copies_learn_more_slowly_and_decay_the_more():
    tried(
        "cnn/architectures/copies_settings",
        lambda rate, decay, copies: (rate / copies, decay * copies),
        (lambda rate, decay, copies: (rate / copies, decay), "the decay counts with the rate"),
        (lambda rate, decay, copies: (rate * copies, decay / copies), "as many times G"),
        (lambda rate, decay, copies: (rate, decay), "as many times G"),
    )
