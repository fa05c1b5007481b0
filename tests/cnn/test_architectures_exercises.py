"""The oracles of the exercises on architectures."""

from oracles import tried


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
