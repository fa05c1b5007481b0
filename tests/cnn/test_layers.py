"""The layers in NumPy against torch and central differences, and the oracles of the exercises on them."""

import numpy as np
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from torch.nn import functional as F

from helpers.cnn import layers
from oracles import tried

CLOSE = {"rtol": 1e-10, "atol": 1e-10}
seeds = st.integers(0, 2**31 - 1)
sides = st.integers(1, 9)


def pairs(low, high):
    return st.tuples(st.integers(low, high), st.integers(low, high))


def drawn(seed, *shape, dtype=np.float64):
    return np.random.default_rng(seed).standard_normal(shape).astype(dtype)


def tensors(*arrays):
    return [torch.from_numpy(array.copy()).requires_grad_() for array in arrays]


def close(ours, theirs, **tolerance):
    np.testing.assert_allclose(ours, theirs.detach().numpy(), **(tolerance or CLOSE))


@st.composite
def convolutions(draw):
    """Images, filters, bias, stride and padding: neither need be square, nor the windows divide the image."""
    n, c, f = draw(st.integers(1, 3)), draw(st.integers(1, 3)), draw(st.integers(1, 3))
    size, kernel, stride, padding = draw(pairs(1, 9)), draw(pairs(1, 4)), draw(pairs(1, 6)), draw(pairs(0, 3))
    assume(all(k <= side + 2 * p for k, side, p in zip(kernel, size, padding, strict=True)))
    seed = draw(seeds)
    return drawn(seed, n, c, *size), drawn(seed + 1, f, c, *kernel), drawn(seed + 2, f), stride, padding


@st.composite
def poolings(draw, ties=False):
    """Images, kernel and stride: windows overlap, leave gaps, or end before the image does."""
    n, c, size = draw(st.integers(1, 3)), draw(st.integers(1, 3)), draw(pairs(1, 9))
    kernel = tuple(draw(st.integers(1, min(4, side))) for side in size)
    x = drawn(draw(seeds), n, c, *size)
    return np.round(x) if ties else x, kernel, draw(st.none() | pairs(1, 6))


@given(convolutions(), seeds)
@settings(max_examples=150)
def test_convolution_forward_and_backward_are_those_of_torch(case, seed):
    x, w, b, stride, padding = case
    theirs = tensors(x, w, b)
    z = F.conv2d(*theirs, stride=stride, padding=padding)
    close(layers.conv2d(x, w, b, stride, padding), z)
    dout = drawn(seed, *z.shape)
    desired = torch.autograd.grad(z, theirs, torch.from_numpy(dout))
    for ours, gradient in zip(layers.conv2d_backward(dout, x, w, stride, padding), desired, strict=True):
        close(ours, gradient)


def differences(function, x, dout, step=1e-6):
    """The gradient of sum(dout · function(x)) by the difference quotient at each number of x."""
    gradient = np.zeros_like(x)
    for place in np.ndindex(x.shape):
        move = np.zeros_like(x)
        move[place] = step
        gradient[place] = np.sum(dout * (function(x + move) - function(x - move))) / (2 * step)
    return gradient


@given(convolutions(), seeds)
@settings(max_examples=20, deadline=None)
def test_convolution_backward_is_a_slope(case, seed):
    x, w, b, stride, padding = case
    dout = drawn(seed, *layers.conv2d(x, w, b, stride, padding).shape)
    dx, dw, db = layers.conv2d_backward(dout, x, w, stride, padding)
    slopes = {"rtol": 1e-6, "atol": 1e-7}
    np.testing.assert_allclose(dx, differences(lambda v: layers.conv2d(v, w, b, stride, padding), x, dout), **slopes)
    np.testing.assert_allclose(dw, differences(lambda v: layers.conv2d(x, v, b, stride, padding), w, dout), **slopes)
    np.testing.assert_allclose(db, differences(lambda v: layers.conv2d(x, w, v, stride, padding), b, dout), **slopes)


@pytest.mark.parametrize("ties", [False, True])
@given(st.data(), seeds)
@settings(max_examples=100)
def test_pooling_forward_and_backward_are_those_of_torch(ties, data, seed):
    x, kernel, stride = data.draw(poolings(ties))
    for ours, backward, theirs in (
        (layers.max_pool2d, layers.max_pool2d_backward, F.max_pool2d),
        (layers.avg_pool2d, layers.avg_pool2d_backward, F.avg_pool2d),
    ):
        (t,) = tensors(x)
        z = theirs(t, kernel, stride)
        close(ours(x, kernel, stride), z)
        dout = drawn(seed, *z.shape)
        close(backward(dout, x, kernel, stride), *torch.autograd.grad(z, t, torch.from_numpy(dout)))


def test_of_equal_pixels_the_first_one_row_by_row_gets_the_gradient():
    x = np.array([[0.0, 7, 7], [7, 7, 0]])[None, None]
    dx = layers.max_pool2d_backward(np.array([[[[1.0, 10.0]]]]), x, 2, 1)
    assert dx[0, 0].tolist() == [[0, 11, 0], [0, 0, 0]]


def test_pooling_passes_a_nan_on_as_torch_does():
    x = np.array([[[[1.0, np.nan], [3.0, 2.0]]]])
    (t,) = tensors(x)
    F.max_pool2d(t, 2).backward(torch.ones(1, 1, 1, 1, dtype=torch.float64))
    assert np.isnan(layers.max_pool2d(x, 2)).all()
    close(layers.max_pool2d_backward(np.ones((1, 1, 1, 1)), x, 2), t.grad)


@given(st.integers(1, 4), st.integers(1, 4), st.integers(1, 4), seeds)
def test_linear_layer_relu_and_loss_are_those_of_torch(n, d, k, seed):
    x, w, b, dout = drawn(seed, n, d), drawn(seed + 1, k, d), drawn(seed + 2, k), drawn(seed + 3, n, k)
    target = np.random.default_rng(seed).integers(0, k, n)
    theirs = tensors(x, w, b)
    z = F.linear(*theirs)
    close(layers.linear(x, w, b), z)
    desired = torch.autograd.grad(z, theirs, torch.from_numpy(dout))
    for ours, gradient in zip(layers.linear_backward(dout, x, w), desired, strict=True):
        close(ours, gradient)

    scores = np.round(dout)  # zeros among them
    (t,) = tensors(scores)
    close(layers.relu(scores), t.relu())
    close(layers.relu_backward(dout, scores), *torch.autograd.grad(t.relu(), t, torch.from_numpy(dout)))
    loss = F.cross_entropy(100 * t, torch.from_numpy(target))
    close(layers.cross_entropy(100 * scores, target), loss)
    close(100 * layers.cross_entropy_backward(100 * scores, target), *torch.autograd.grad(loss, t))


def test_scores_of_any_size_have_a_loss():
    scores = np.array([[1e4, 0.0], [-1e4, 0.0]])
    assert layers.cross_entropy(scores, [0, 0]) == pytest.approx(5e3)
    np.testing.assert_allclose(layers.cross_entropy_backward(scores, [0, 0]), [[0, 0], [-0.5, 0.5]])


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int64])
def test_dtypes_are_kept(dtype):
    x, w, b = np.arange(32, dtype=dtype).reshape(1, 2, 4, 4), np.ones((3, 2, 3, 3), dtype), np.ones(3, dtype)
    z = layers.conv2d(x, w, b)
    pooled = layers.max_pool2d(x, 2)
    results = [z, pooled, layers.zero_pad(x, 1), layers.relu(x), layers.relu_backward(x, x)]
    results += [*layers.conv2d_backward(z, x, w), layers.max_pool2d_backward(pooled, x, 2)]
    results += [layers.linear(b[None], w[:, 0, 0]), *layers.linear_backward(b[None], b[None], w[:, 0, 0])]
    if dtype != np.int64:
        average = layers.avg_pool2d(x, 2)
        results += [average, layers.avg_pool2d_backward(average, x, 2)]
        results += [layers.cross_entropy(z[0, :, 0], [0, 1, 0]), layers.cross_entropy_backward(z[0, :, 0], [0, 1, 0])]
    assert {result.dtype for result in results} == {np.dtype(dtype)}


def test_an_empty_batch_goes_through_both_ways():
    x, w = np.zeros((0, 2, 5, 4)), np.ones((3, 2, 2, 3))
    z = layers.conv2d(x, w, np.ones(3), 2, 1)
    assert z.shape == (0, 3, 3, 2)
    dx, dw, db = layers.conv2d_backward(z, x, w, 2, 1)
    assert dx.shape == x.shape
    assert not dw.any() and not db.any()
    assert layers.max_pool2d_backward(layers.max_pool2d(x, 2), x, 2).shape == x.shape


def test_what_goes_in_stays_as_it_is():
    x, w = drawn(0, 2, 2, 5, 5), drawn(1, 3, 2, 3, 3)
    x.flags.writeable = w.flags.writeable = False
    dout = layers.conv2d(x, w, padding=1)
    dout.flags.writeable = False
    layers.conv2d_backward(dout, x, w, padding=1)
    pooled = layers.max_pool2d(x, 2)
    pooled.flags.writeable = False
    layers.max_pool2d_backward(pooled, x, 2)
    padded = layers.zero_pad(x, 0)
    padded += 1  # a new array even where nothing is added
    assert layers.max_pool2d(x, 1).flags.writeable


X, W = np.zeros((2, 3, 5, 4)), np.zeros((6, 3, 3, 3))


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda: layers.zero_pad(X[0], 1), r"x has shape \[3, 5, 4\]: expected \[N, C, H, W\], 4 dimensions"),
        (lambda: layers.zero_pad(X, -1), "padding = -1: expected a whole number from 0 on"),
        (lambda: layers.conv2d(X[0], W), "x has shape"),
        (lambda: layers.conv2d(X, W[0]), r"w has shape \[3, 3, 3\]: expected \[F, C, kh, kw\]"),
        (lambda: layers.conv2d(X, W[:, :2]), "expected 3 channels on its axis 1"),
        (lambda: layers.conv2d(X, W[:0]), "expected at least one filter"),
        (lambda: layers.conv2d(X, W, np.zeros(3)), r"b has shape \[3\]: expected \[6\]"),
        (lambda: layers.conv2d(X, W, np.zeros((6, 1))), r"b has shape \[6, 1\]: expected \[6\]"),
        (lambda: layers.conv2d(X, np.zeros((1, 3, 3, 5))), "3×5 is larger than the padded image: expected at most 5×4"),
        (lambda: layers.conv2d(X, np.zeros((1, 3, 8, 3)), padding=1), "8×3 is larger than the padded image"),
        (lambda: layers.conv2d(X, W, stride=0), "stride = 0: expected a whole number from 1 on"),
        (lambda: layers.conv2d(X, W, stride=(1, 0)), r"stride = \(1, 0\)"),
        (lambda: layers.conv2d(X, W, stride=1.5), "stride = 1.5"),
        (lambda: layers.conv2d(X, W, stride=True), "stride = True"),
        (lambda: layers.conv2d(X, W, padding=(1, 1, 1)), "or two for rows and columns"),
        (lambda: layers.conv2d(X, W, padding=-1), "padding = -1"),
        (lambda: layers.conv2d_backward(np.zeros((2, 6, 3, 3)), X, W), r"dout has shape .*: expected \[2, 6, 3, 2\]"),
        (lambda: layers.conv2d_backward(np.zeros((2, 6, 3, 2)), X, W, 0), "stride = 0"),
        (lambda: layers.max_pool2d(X, 5), "5×5 is larger than the image: expected at most 5×4"),
        (lambda: layers.max_pool2d(X, 0), "kernel = 0: expected a whole number from 1 on"),
        (lambda: layers.max_pool2d(X, 2, 0), "stride = 0"),
        (lambda: layers.max_pool2d(X[0], 2), "x has shape"),
        (lambda: layers.avg_pool2d(X, (2, 5)), "2×5 is larger than the image"),
        (lambda: layers.max_pool2d_backward(X, X, 2), r"dout has shape .*: expected \[2, 3, 2, 2\]"),
        (lambda: layers.avg_pool2d_backward(X, X, 2), r"dout has shape .*: expected \[2, 3, 2, 2\]"),
        (lambda: layers.linear(X, W[0, 0]), r"expected \[N, D\]"),
        (lambda: layers.linear(np.zeros((2, 4)), np.zeros((5, 3))), "expected 4 columns, as x has them"),
        (lambda: layers.linear(np.zeros((2, 3)), np.zeros((5, 3)), np.zeros(3)), r"b has shape \[3\]: expected \[5\]"),
        (lambda: layers.linear_backward(X, np.zeros((2, 3)), np.zeros((5, 3))), r"expected \[2, 5\]"),
        (lambda: layers.relu_backward(X, X[0]), r"dout has shape \[2, 3, 5, 4\]: expected \[3, 5, 4\]"),
        (lambda: layers.cross_entropy(X, [0, 1]), r"expected \[N, K\]"),
        (lambda: layers.cross_entropy(np.zeros((2, 3)), [0, 3]), "one whole number from 0 to 2"),
        (lambda: layers.cross_entropy(np.zeros((2, 3)), [0, -1]), "from 0 to 2"),
        (lambda: layers.cross_entropy(np.zeros((2, 3)), [0.0, 1.0]), "from 0 to 2"),
        (lambda: layers.cross_entropy_backward(np.zeros((2, 3)), [0]), r"target has shape \[1\]: expected \[2\]"),
    ],
)  # fmt: skip
def test_bad_input_is_refused_with_what_was_expected(call, says):
    with pytest.raises(ValueError, match=says):
        call()


# --- the oracles of the exercises ---


def test_a_move_by_whole_places_is_a_product_of_strides():
    wrong = (sum, "divided by its stride"), (max, "divided by its stride"), (lambda s: int(np.lcm.reduce(s)), "divided")
    tried("cnn/layers/smallest_move", lambda strides: int(np.prod(strides)), *wrong)


def of_torch(x, w, b, s, p, turn=False):
    x, w, b = map(torch.from_numpy, (x, w, b))
    return F.conv2d(x, w.flip(2, 3) if turn else w, b, stride=s, padding=p)


def test_the_forward_pass_of_readers_is_that_of_torch():
    tried(
        "cnn/layers/convolution",
        of_torch,
        (lambda *case: of_torch(*case, turn=True), "the kernel is not turned"),
        (lambda x, w, b, s, p: of_torch(x, w, b, s, 0), "Is the image padded"),
        (lambda x, w, b, s, p: of_torch(x, w, 0 * b, s, p), "lies on pixel"),
    )


def backward_of_torch(g, x, w, s, p, change=lambda dx, dw, db: (dx, dw, db)):
    inputs = tensors(x, w, np.zeros(len(w)))
    return change(*torch.autograd.grad(F.conv2d(*inputs, stride=s, padding=p), inputs, torch.from_numpy(g)))


def test_the_backward_pass_of_readers_is_that_of_torch():
    def changed(change):
        return lambda *case: backward_of_torch(*case, change=change)

    def with_its_rim(g, x, w, s, p):
        padded = np.pad(x, ((0, 0), (0, 0), (p, p), (p, p)))
        return backward_of_torch(g, padded, w, s, 0)

    tried(
        "cnn/layers/convolution_backward",
        backward_of_torch,
        (with_its_rim, "without its rim"),
        (changed(lambda dx, dw, db: (dx, dw.flip(2, 3), db)), "sums over places and images"),
        (lambda g, x, *case: backward_of_torch(g / len(x), x, *case), "sums over places and images"),
        (changed(lambda dx, dw, db: (dw, dx, db)), "In this order"),
    )


def matrix_of_torch(w, shape, s, p, turn=False):
    pixels = torch.eye(shape[0] * shape[1], dtype=torch.float64).reshape(-1, 1, *shape)
    w = torch.from_numpy(w)[None, None]
    return F.conv2d(pixels, w.flip(2, 3) if turn else w, stride=s, padding=p).flatten(1).T


def test_the_matrix_of_a_layer_has_a_column_for_each_pixel():
    tried(
        "cnn/layers/layer_matrix",
        matrix_of_torch,
        (lambda *case: matrix_of_torch(*case).T, "a column for each pixel"),
        (lambda *case: matrix_of_torch(*case, turn=True), "the kernel is not turned"),
        (lambda w, shape, s, p: matrix_of_torch(w, shape, s, 0), "A row for each place of the output"),
    )
