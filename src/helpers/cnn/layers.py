"""The layers of a convolutional network in NumPy, forward and backward, without a loop over pixels or images.

Images are [N, C, H, W]. Kernel, stride and padding are a whole number for both axes or a pair (rows, columns). As in
all libraries of the field a "convolution" is a cross-correlation, and windows that the image does not fill are left
out. A backward function takes ``dout``, the gradient of a loss by the layer's output, and returns those by its inputs.
Results have the dtype of what they are made from, where that is one. Derived in ``book/cnn/layers`` and, from pooling
on, in ``book/cnn/learning``; the matrix of windows is that of Chellapilla, Puri and Simard, *High Performance
Convolutional Neural Networks for Document Processing* (2006).
"""

from functools import reduce
from itertools import product
from numbers import Integral

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view


def zero_pad(x, padding):
    """Put ``padding`` rows of zeros above and below, and columns left and right of, x [N, C, H, W].

    Returns a new array [N, C, H + 2 rows, W + 2 columns]. Its backward pass cuts them off again.
    """
    x, (rows, columns) = _array("x", x, "NCHW"), _pair("padding", padding, 0)
    return np.pad(x, ((0, 0), (0, 0), (rows, rows), (columns, columns)))


def conv2d(x, w, b=None, stride=1, padding=0):
    """Slide the filters w [F, C, kh, kw] over x [N, C, H, W], and add b [F]; returns [N, F, H', W'].

    H' = ⌊(H + 2 padding − kh) / stride⌋ + 1, and W' likewise: ``torch.nn.functional.conv2d``. Raises ValueError for
    arrays of other shapes, and for a kernel that is larger than the padded image.
    """
    x, w = _images_and_filters(x, w, padding)
    z = w.reshape(len(w), -1) @ _columns(x, w.shape[2:], stride)  # [N, F, H' W']
    z = z.reshape(len(x), len(w), *_places(x, w.shape[2:], stride)[0])
    return z if b is None else z + _array("b", b, "F", (len(w),))[:, None, None]


def conv2d_backward(dout, x, w, stride=1, padding=0):
    """The gradients (dx, dw, db) of ``conv2d(x, w, b, stride, padding)``, given ``dout`` [N, F, H', W'].

    dx and dw have the shapes of x and w, and db is [F], whether there is a bias or not. Raises ValueError as ``conv2d``
    does, and for a ``dout`` that is not of the output's shape.
    """
    padded, w = _images_and_filters(x, w, padding)
    size, _ = _places(padded, w.shape[2:], stride)
    dout = _array("dout", dout, "NFHW", (len(padded), len(w), *size))
    g = dout.reshape(len(padded), len(w), size[0] * size[1])  # [N, F, H' W']
    dw = (_columns(padded, w.shape[2:], stride) @ g.transpose(0, 2, 1)).sum(axis=0)  # [C kh kw, F]
    dwindows = (w.reshape(len(w), -1).T @ g).reshape(*padded.shape[:2], w[0, 0].size, *size)
    dx = _scatter(dwindows.transpose(2, 0, 1, 3, 4), padded, w.shape[2:], stride)
    (rows, columns), (height, width) = _pair("padding", padding, 0), padded.shape[2:]
    return dx[:, :, rows : height - rows, columns : width - columns], dw.T.reshape(w.shape), dout.sum(axis=(0, 2, 3))


def max_pool2d(x, kernel, stride=None):
    """The largest number in each window of x [N, C, H, W], channel by channel: [N, C, H', W'].

    The stride is the kernel where there is none. NaN is larger than all else. Raises ValueError for a kernel that is
    larger than the image.
    """
    x, kernel, stride = _pooled(x, kernel, stride)
    parts = _parts(x, kernel, stride)
    return reduce(np.maximum, parts, next(parts).copy())


def max_pool2d_backward(dout, x, kernel, stride=None):
    """The gradient dx of ``max_pool2d(x, kernel, stride)``, given ``dout`` [N, C, H', W'].

    Of several that are largest in a window, the first one, row by row, gets all of the window's gradient, as in torch.
    """
    x, kernel, stride = _pooled(x, kernel, stride)
    largest = max_pool2d(x, kernel, stride)
    dout = _array("dout", dout, "NCHW", largest.shape)
    dparts, free = [], np.ones(largest.shape, bool)
    for part in _parts(x, kernel, stride):
        first = free & ((part == largest) | (part != part))  # NaN alone differs from itself
        dparts.append(np.where(first, dout, dout.dtype.type(0)))
        free &= ~first
    return _scatter(dparts, x, kernel, stride)


def avg_pool2d(x, kernel, stride=None):
    """The mean of each window of x [N, C, H, W], floating point, channel by channel: [N, C, H', W'].

    The stride is the kernel where there is none. Raises ValueError for a kernel that is larger than the image.
    """
    x, kernel, stride = _pooled(x, kernel, stride)
    return sum(_parts(x, kernel, stride)) / (kernel[0] * kernel[1])


def avg_pool2d_backward(dout, x, kernel, stride=None):
    """The gradient dx of ``avg_pool2d(x, kernel, stride)``, given ``dout`` [N, C, H', W']: an equal share to each."""
    x, kernel, stride = _pooled(x, kernel, stride)
    dout = _array("dout", dout, "NCHW", (*x.shape[:2], *_places(x, kernel, stride)[0]))
    size = kernel[0] * kernel[1]
    return _scatter([dout / size] * size, x, kernel, stride)


def linear(x, w, b=None):
    """x [N, D] times the transpose of w [K, D], and b [K] added: [N, K], ``torch.nn.functional.linear``."""
    x, w = _rows_and_weights(x, w)
    z = x @ w.T
    return z if b is None else z + _array("b", b, "K", (len(w),))


def linear_backward(dout, x, w):
    """The gradients (dx, dw, db) of ``linear(x, w, b)``, given ``dout`` [N, K]."""
    x, w = _rows_and_weights(x, w)
    dout = _array("dout", dout, "NK", (len(x), len(w)))
    return dout @ w, dout.T @ x, dout.sum(axis=0)


def relu(x):
    """Each number of x that is positive, and 0 in the place of the others."""
    return np.maximum(x, 0)


def relu_backward(dout, x):
    """The gradient dx of ``relu(x)``: ``dout`` where x is positive; 0 elsewhere and, as in torch, where x is 0."""
    x = np.asarray(x)
    dout = _array("dout", dout, None, x.shape)
    return np.where(x > 0, dout, dout.dtype.type(0))


def cross_entropy(scores, target):
    """The mean over N rows of −log softmax(scores)[target]; scores [N, K] and whole numbers target [N], 0 to K − 1."""
    scores, target = _scores_and_target(scores, target)
    return -_log_softmax(scores)[np.arange(len(target)), target].mean()


def cross_entropy_backward(scores, target):
    """The gradient [N, K] of ``cross_entropy(scores, target)`` by the scores: (softmax − one-hot target) / N."""
    scores, target = _scores_and_target(scores, target)
    error = np.exp(_log_softmax(scores))
    error[np.arange(len(target)), target] -= 1
    return error / len(target)


def _log_softmax(scores):
    scores = scores - scores.max(axis=1, keepdims=True)  # so that no exponential overflows
    return scores - np.log(np.exp(scores).sum(axis=1, keepdims=True))


# --- windows ---


def _places(x, kernel, stride):
    """How many windows fit into x, down and across, and the stride as a pair."""
    stride = _pair("stride", stride, 1)
    sizes = zip(x.shape[2:], kernel, stride, strict=True)
    return tuple((n - k) // s + 1 for n, k, s in sizes), stride


def _columns(x, kernel, stride):
    """Each window of x as a column: [N, C kh kw, H' W']. A view of the windows becomes a matrix in one copy."""
    (height, width), (down, across) = _places(x, kernel, stride)
    windows = sliding_window_view(x, kernel, axis=(2, 3))[:, :, ::down, ::across]  # [N, C, H', W', kh, kw]
    return windows.transpose(0, 1, 4, 5, 2, 3).reshape(len(x), x.shape[1] * kernel[0] * kernel[1], height * width)


def _parts(x, kernel, stride):
    """For each place in the kernel, row by row, a view [N, C, H', W'] of what lies under it in all windows of x."""
    (height, width), (down, across) = _places(x, kernel, stride)
    for i, j in product(*map(range, kernel)):
        yield x[:, :, i : i + down * (height - 1) + 1 : down, j : j + across * (width - 1) + 1 : across]


def _scatter(dparts, x, kernel, stride):
    """Add up, for each pixel of x, what it gets from all windows that it is in: the transpose of ``_parts``."""
    dx = np.zeros(x.shape, dparts[0].dtype)
    for target, dpart in zip(_parts(dx, kernel, stride), dparts, strict=True):
        target += dpart
    return dx


# --- what is refused ---


def _pair(name, value, least):
    pair = value if isinstance(value, (tuple, list)) else (value, value)
    if len(pair) != 2 or any(isinstance(v, bool) or not isinstance(v, Integral) or v < least for v in pair):
        raise ValueError(f"{name} = {value!r}: expected a whole number from {least} on, or two for rows and columns")
    return tuple(map(int, pair))


def _array(name, value, axes, shape=None):
    """``value`` as an array with these axes, a letter each, and of this shape."""
    array = np.asarray(value)
    if shape is not None and array.shape != shape:
        raise ValueError(f"{name} has shape {list(array.shape)}: expected {list(shape)}")
    if shape is None and array.ndim != len(axes):
        raise ValueError(f"{name} has shape {list(array.shape)}: expected [{', '.join(axes)}], {len(axes)} dimensions")
    return array


def _check_fit(kernel, x, padded=""):
    if any(k > n for k, n in zip(kernel, x.shape[2:], strict=True)):
        sizes = ["×".join(map(str, size)) for size in (kernel, x.shape[2:])]
        raise ValueError(f"a kernel of {sizes[0]} is larger than the {padded}image: expected at most {sizes[1]}")


def _images_and_filters(x, w, padding):
    """The padded images and the filters, once they fit together."""
    x, w = zero_pad(x, padding), _array("w", w, ("F", "C", "kh", "kw"))
    if x.shape[1] != w.shape[1]:
        raise ValueError(f"w has shape {list(w.shape)}: expected {x.shape[1]} channels on its axis 1, as x has them")
    if 0 in w.shape:
        raise ValueError(f"w has shape {list(w.shape)}: expected at least one filter, one channel and one weight")
    _check_fit(w.shape[2:], x, "padded ")
    return x, w


def _pooled(x, kernel, stride):
    """Images, kernel and stride of a pooling layer, the last two as pairs."""
    x, kernel = _array("x", x, "NCHW"), _pair("kernel", kernel, 1)
    _check_fit(kernel, x)
    return x, kernel, kernel if stride is None else _pair("stride", stride, 1)


def _rows_and_weights(x, w):
    x, w = _array("x", x, "ND"), _array("w", w, "KD")
    if x.shape[1] != w.shape[1]:
        raise ValueError(f"w has shape {list(w.shape)}: expected {x.shape[1]} columns, as x has them")
    return x, w


def _scores_and_target(scores, target):
    scores = _array("scores", scores, "NK")
    target = _array("target", target, "N", scores.shape[:1])
    if not len(target) or target.dtype.kind not in "iu" or target.min() < 0 or target.max() >= scores.shape[1]:
        raise ValueError(f"target: expected one whole number from 0 to {scores.shape[1] - 1} for each row")
    return scores, target
