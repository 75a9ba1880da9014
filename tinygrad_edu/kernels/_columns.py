"""Convolution with gaps (dilation) and in groups: each window laid out as a row, then one matrix product.

The idea is known as im2col: copy what each window sees into a row of a matrix. The filters are the columns
of another, and their product holds every output. (Chellapilla, Puri & Simard, *High performance
convolutional neural networks for document processing*, 2006.) The gradients run the same way back: the
weights' is rows^T g, the input's is g filters^T, whose rows are added to the pixels that they came from.

Strides and dilation only say where a window finds its pixels, so they change one view of the image,
:func:`_windows`, and nothing else. Groups are independent convolutions: a stack of matrices.

Everything is contiguous.
"""

import math
from collections.abc import Iterator

import numpy as np
from numpy.lib.stride_tricks import as_strided

from tinygrad_edu.kernels._arrays import Array, Padding, Pair, pad, padded_zeros, unpad

__all__ = ["conv2d", "conv2d_input_grad", "conv2d_weight_grad"]

_ROWS = 2**20  # numbers that the windows' rows may take up at a time, about: they repeat each pixel


def _windows(
    x: Array, window: tuple[int, ...], strides: Pair, dilation: Pair, positions: tuple[int, ...], groups: int
) -> Array:
    """A view of images (N, H, W, C) as what each window sees, (groups, N, OH, OW, kh, kw, C / groups)."""
    (sh, sw), (dh, dw) = strides, dilation
    n, y, x_, c = x.strides
    share = x.shape[3] // groups
    return as_strided(
        x,
        (groups, len(x), *positions, *window, share),
        (c * share, n, y * sh, x_ * sw, y * dh, x_ * dw, c),
    )


def _batches(windows: Array) -> Iterator[slice]:
    """Yield the images in batches whose windows don't take up too much memory."""
    images = windows.shape[1]
    step = max(1, _ROWS * images // max(1, windows.size))
    for first in range(0, images, step):
        yield slice(first, first + step)


def _rows(windows: Array) -> Array:
    """Copy windows into the rows of a matrix for each group, (groups, N*OH*OW, kh*kw*C/groups)."""
    groups, n, oh, ow, kh, kw, c = windows.shape
    return windows.reshape(groups, n * oh * ow, kh * kw * c)


def _shares(a: Array, groups: int) -> Array:
    """The last axis shared out to the groups, with all others in one: (groups, rows, share)."""
    rows, share = math.prod(a.shape[:-1]), a.shape[-1] // groups
    return a.reshape(rows, groups, share).swapaxes(0, 1)


def conv2d(
    x: Array, w: Array, strides: Pair, padding: Padding, dilation: Pair, groups: int, out: Array
) -> None:
    windows = _windows(pad(x, padding), w.shape[:2], strides, dilation, out.shape[1:3], groups)
    filters = _shares(w, groups)
    for images in _batches(windows):
        y = _rows(windows[:, images]) @ filters
        out[images] = y.swapaxes(0, 1).reshape(out[images].shape)


def conv2d_input_grad(
    g: Array, w: Array, strides: Pair, padding: Padding, dilation: Pair, groups: int, out: Array
) -> None:
    padded = padded_zeros(out.shape, padding, out.dtype)
    windows = _windows(padded, w.shape[:2], strides, dilation, g.shape[1:3], groups)
    filters = _shares(w, groups).swapaxes(1, 2)
    for images in _batches(windows):
        batch = windows[:, images]
        rows = (_shares(g[images], groups) @ filters).reshape(batch.shape)
        for ky, kx in np.ndindex(*w.shape[:2]):  # windows overlap, but not under one and the same cell
            batch[:, :, :, :, ky, kx] += rows[:, :, :, :, ky, kx]
    out[...] = unpad(padded, padding)


def conv2d_weight_grad(
    x: Array, g: Array, strides: Pair, padding: Padding, dilation: Pair, groups: int, out: Array
) -> None:
    windows = _windows(pad(x, padding), out.shape[:2], strides, dilation, g.shape[1:3], groups)
    grad = np.zeros_like(_shares(out, groups))
    for images in _batches(windows):
        grad += _rows(windows[:, images]).swapaxes(1, 2) @ _shares(g[images], groups)
    out[...] = grad.swapaxes(0, 1).reshape(out.shape)
