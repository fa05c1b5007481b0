"""The oracles of the exercises on pooling, and on layers that follow one another."""

import numpy as np
import torch
from torch.nn import functional as F

from oracles import tried


def test_two_kernels_make_a_convolution():
    def both(first, second, turn):
        pad = len(second) - 1
        image = torch.from_numpy(np.pad(first, pad))[None, None]
        weights = torch.from_numpy(second[::-1, ::-1].copy() if turn else second)[None, None]
        return F.conv2d(image, weights)[0, 0]

    tried(
        "cnn/learning/composed",
        lambda first, second: both(first, second, turn=True),
        (lambda first, second: both(first, second, turn=False), "over all i + i' = a"),
        (lambda first, second: np.kron(first, second), "over all i + i' = a"),
    )


def test_the_first_winner_takes_all():
    def pooled(g, x, k, s, share):
        dx = np.zeros(x.shape)
        for n, c, u, v in np.ndindex(g.shape):
            window = np.s_[n, c, s * u : s * u + k, s * v : s * v + k]
            dx[window] += g[n, c, u, v] * share(x[window])
        return dx

    def one(x, last=False):
        order = x.ravel()[::-1] if last else x.ravel()
        hot = np.arange(x.size) == order.argmax()
        return (hot[::-1] if last else hot).reshape(x.shape)

    def without_overlap(g, x, k, s):
        dx = np.zeros(x.shape)
        for n, c, u, v in np.ndindex(g.shape):
            window = x[n, c, s * u : s * u + k, s * v : s * v + k]
            i, j = divmod(int(window.argmax()), k)
            dx[n, c, s * u + i, s * v + j] = g[n, c, u, v]
        return dx

    tried(
        "cnn/learning/max_pooling_backward",
        lambda *case: pooled(*case, share=one),
        (lambda *case: pooled(*case, share=lambda x: x == x.max()), "the first of them where several are equal"),
        (lambda *case: pooled(*case, share=lambda x: one(x, last=True)), "the first of them where several are equal"),
        (without_overlap, "the sum where it wins several windows"),
    )


def test_average_pooling_keeps_the_channels_apart():
    def weights(C, k, across=False, share=True):
        w = torch.ones(C, C, 1, 1) if across else torch.eye(C)[:, :, None, None]
        return w.expand(C, C, k, k).double() / (k**2 if share else 1)

    tried(
        "cnn/learning/average_weights",
        weights,
        (lambda C, k: weights(C, k, across=True), "0 in all other channels"),
        (lambda C, k: weights(C, k, share=False), "1 / k² at each"),
        (lambda C, k: weights(C, k)[:, 0], "Filter f has"),
    )
