"""The oracles of the exercises on gradients through blocks and batch norm."""

from oracles import tried


def image_norm(axes, keep_mean=False, keep_u=False):
    def image_norm_backward(g, x, w, epsilon):
        def mean(t):
            return t.mean(dim=axes, keepdim=True)

        spread = (mean(x * x) - mean(x) ** 2 + epsilon).sqrt()
        u = (x - mean(x)) / spread
        return w.view(-1, 1, 1) / spread * (g - (not keep_mean) * mean(g) - (not keep_u) * mean(g * u) * u)

    return image_norm_backward


def test_batch_norm_of_images_takes_its_means_over_all_but_the_channels():
    tried(
        "cnn/gradient_flow/image_norm_backward",
        image_norm((0, 2, 3)),
        (image_norm(0), "over images, height and width"),
        (image_norm((1, 2, 3)), "over images, height and width"),
        (image_norm((0, 2, 3), keep_mean=True), "two of them are subtracted"),
        (image_norm((0, 2, 3), keep_u=True), "one of g times u"),
    )


def test_a_convolution_takes_in_the_batch_norm_behind_it():
    def folded(W, factor, bias):
        return factor.view(-1, 1, 1, 1) * W, bias

    tried(
        "cnn/gradient_flow/fold_batch_norm",
        lambda W, mean, variance, w, b, epsilon: folded(
            W, w * (variance + epsilon).rsqrt(), b - mean * w * (variance + epsilon).rsqrt()
        ),
        (
            lambda W, mean, variance, w, b, epsilon: folded(W, w / (variance + epsilon), b - mean * w / variance),
            "the root of variance plus epsilon",
        ),
        (
            lambda W, mean, variance, w, b, epsilon: folded(W, w * (variance + epsilon).rsqrt(), b - mean),
            "it multiplies the mean, too",
        ),
    )


def test_the_more_blocks_the_smaller_their_branches():
    tried(
        "cnn/gradient_flow/branch_scale",
        lambda D, a: (0.5 * (a ** (1 / D) - 1)) ** 0.5,
        (lambda D, a: ((a - 1) / (2 * D)) ** 0.5, "D-th power"),
        (lambda D, a: 0.5 * (a ** (1 / D) - 1), "1 + 2 α²"),
    )
