"""The windows of images: convolution, pooling and resampling in plain NumPy.

The idea behind all of the convolutions and poolings here: instead of visiting each window and looping over
its cells, visit each *cell* (ky, kx) of the window and take, with one slice, what lies under that cell in
all windows at once (:func:`_under`). A 3x3 window means nine slices, however large the image is. And
because a slice can be written to as well as read, the same nine slices run the other way in the backward
passes: where forward reads ``under(x)``, backward adds to ``under(grad_x)``.

Shapes are channels last: images ``x`` (N, H, W, C), convolution kernels ``w`` (kh, kw, C / groups, F),
outputs (N, OH, OW, F). ``strides`` is (sh, sw), ``padding`` ((top, bottom), (left, right)); the cells of a
window lie ``dilation`` (dh, dw) apart. In the formulas y, x are places in the output, i, j cells of the
window, and X the padded input.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from tinygrad_edu.kernels._arrays import Array, Padding, Pair, pad, padded_zeros, spread, unpad

if TYPE_CHECKING:
    from tinygrad_edu.kernels.resize import Blend

__all__ = [
    "avg_pool2d",
    "avg_pool2d_scatter",
    "conv2d",
    "conv2d_input_grad",
    "conv2d_weight_grad",
    "max_pool2d",
    "max_pool2d_gather",
    "max_pool2d_scatter",
    "resample2d",
]


def _output_size(x: Array, window: tuple[int, ...], strides: Pair, dilation: Pair = (1, 1)) -> Pair:
    """How many windows fit into the padded images x, down and across."""
    height, width = spread(window, dilation)
    return (x.shape[1] - height) // strides[0] + 1, (x.shape[2] - width) // strides[1] + 1


def _cells(window: tuple[int, ...]) -> Iterator[tuple[int, ...]]:
    """Yield the places (ky, kx) in a window, row by row."""
    yield from np.ndindex(*window)


def _under(
    x: Array, cell: tuple[int, ...], strides: Pair, size: tuple[int, ...], dilation: Pair = (1, 1)
) -> Array:
    """What lies under one cell of the window in all windows at once: a view of x, (N, OH, OW, C)."""
    (ky, kx), (sh, sw), (oh, ow), (dh, dw) = cell, strides, size, dilation
    return x[:, ky * dh : ky * dh + oh * sh : sh, kx * dw : kx * dw + ow * sw : sw][:, :oh, :ow]


# --- Convolution -----------------------------------------------------------------------------------------


def _groups(groups: int, channels: int, filters: int) -> Iterator[tuple[slice, slice]]:
    """Yield, for each group, its share of the channels and its share of the filters."""
    c, f = channels // groups, filters // groups
    for i in range(groups):
        yield slice(i * c, (i + 1) * c), slice(i * f, (i + 1) * f)


def conv2d(
    x: Array,
    w: Array,
    strides: Pair,
    padding: Padding,
    dilation: Pair = (1, 1),
    groups: int = 1,
    bias: Array | None = None,
    relu: bool = False,
) -> Array:
    """Slide the kernels w over x: out[n,y,x,f] = sum_ijc X[n, y*sh + i*dh, x*sw + j*dw, c] * w[i,j,c,f].

    The kernel is not flipped (cross-correlation), as in every deep learning library. With several groups,
    each share of the filters sees its own share of the channels alone. On top of it the bias of each filter,
    and 0 in place of what is negative, if wanted.
    """
    x = pad(x, padding)
    size = _output_size(x, w.shape[:2], strides, dilation)
    out = np.zeros((len(x), *size, w.shape[3]), x.dtype)
    for cell in _cells(w.shape[:2]):
        under = _under(x, cell, strides, size, dilation)
        for c, f in _groups(groups, x.shape[3], w.shape[3]):
            out[..., f] += under[..., c] @ w[cell][:, f]
    return _finished(out, bias, relu)


def _finished(out: Array, bias: Array | None, relu: bool) -> Array:
    out = out if bias is None else out + bias
    return np.maximum(out, 0) if relu else out


def conv2d_input_grad(
    g: Array,
    w: Array,
    x_shape: tuple[int, ...],
    strides: Pair,
    padding: Padding,
    dilation: Pair = (1, 1),
    groups: int = 1,
    bias: Array | None = None,
    relu: bool = False,
) -> Array:
    """Send each output's gradient back to all inputs that it saw, weighted as it saw them.

    grad_X[n, y*sh + i*dh, x*sw + j*dw, c] += sum_f g[n,y,x,f] * w[i,j,c,f]. This is also the forward pass
    of a transposed convolution, whence bias and relu.
    """
    grad = padded_zeros(x_shape, padding, g.dtype)
    for cell in _cells(w.shape[:2]):
        under = _under(grad, cell, strides, g.shape[1:3], dilation)
        for c, f in _groups(groups, x_shape[3], w.shape[3]):
            under[..., c] += g[..., f] @ w[cell][:, f].T
    return _finished(unpad(grad, padding), bias, relu)


def conv2d_weight_grad(
    x: Array,
    g: Array,
    w_shape: tuple[int, ...],
    strides: Pair,
    padding: Padding,
    dilation: Pair = (1, 1),
    groups: int = 1,
) -> Array:
    """Each weight's gradient: what it saw, times what its output should change, summed over all windows.

    grad_w[i,j,c,f] = sum_nyx X[n, y*sh + i*dh, x*sw + j*dw, c] * g[n,y,x,f].
    """
    x = pad(x, padding)
    grad = np.empty(w_shape, x.dtype)
    for cell in _cells(w_shape[:2]):
        under = _under(x, cell, strides, g.shape[1:3], dilation)
        for c, f in _groups(groups, x.shape[3], w_shape[3]):
            grad[cell][:, f] = np.tensordot(under[..., c], g[..., f], axes=([0, 1, 2], [0, 1, 2]))
    return grad


# --- Pooling ---------------------------------------------------------------------------------------------


def max_pool2d(x: Array, pool_size: Pair, strides: Pair, padding: Padding) -> tuple[Array, Array]:
    """Return the maximum of each window and its place in the window, ky*kw + kx.

    The first of equal maxima wins, NaN beats every number, and padding never wins.
    """
    inside = pad(np.ones_like(x, dtype=bool), padding, False)
    x = pad(x, padding)
    size = _output_size(x, pool_size, strides)
    out = np.full((len(x), *size, x.shape[3]), -np.inf, x.dtype)
    indices = np.full(out.shape, -1)
    for place, cell in enumerate(_cells(pool_size)):
        value = _under(x, cell, strides, size)
        larger = (value > out) | (np.isnan(value) & ~np.isnan(out)) | (indices < 0)
        wins = larger & _under(inside, cell, strides, size)
        out[wins], indices[wins] = value[wins], place
    return out, indices.astype(np.uint8 if pool_size[0] * pool_size[1] <= 256 else np.int32)


def max_pool2d_scatter(
    g: Array, indices: Array, x_shape: tuple[int, ...], pool_size: Pair, strides: Pair, padding: Padding
) -> Array:
    """The backward pass: add each window's gradient to the input that won it."""
    grad = padded_zeros(x_shape, padding, g.dtype)
    for place, cell in enumerate(_cells(pool_size)):
        under = _under(grad, cell, strides, g.shape[1:3])
        under += np.where(indices == place, g, 0)
    return unpad(grad, padding)


def max_pool2d_gather(v: Array, indices: Array, pool_size: Pair, strides: Pair, padding: Padding) -> Array:
    """The scatter's opposite (its adjoint): read v, shaped as the input, at each window's winner."""
    v = pad(v, padding)
    out = np.zeros(indices.shape, v.dtype)
    for place, cell in enumerate(_cells(pool_size)):
        under = _under(v, cell, strides, indices.shape[1:3])
        out = np.where(indices == place, under, out)
    return out


def _window_sums(x: Array, window: Pair, strides: Pair) -> Array:
    total = np.zeros((len(x), *_output_size(x, window, strides), x.shape[3]), x.dtype)
    for cell in _cells(window):
        total += _under(x, cell, strides, total.shape[1:3])
    return total


def _cell_counts(
    x_shape: tuple[int, ...], window: Pair, strides: Pair, padding: Padding, dtype: Any
) -> Array:
    """How many cells of each window lie on the image rather than on its padding, (1, OH, OW, 1)."""
    return _window_sums(pad(np.ones((1, *x_shape[1:3], 1), dtype), padding), window, strides)


def avg_pool2d(x: Array, pool_size: Pair, strides: Pair, padding: Padding) -> Array:
    """The mean of each window, over the cells that lie on the image (TensorFlow's rule)."""
    counts = _cell_counts(x.shape, pool_size, strides, padding, x.dtype)
    return _window_sums(pad(x, padding), pool_size, strides) / counts


def avg_pool2d_scatter(
    g: Array, x_shape: tuple[int, ...], pool_size: Pair, strides: Pair, padding: Padding
) -> Array:
    """The backward pass: share each window's gradient equally among the cells it was the mean of."""
    share = g / _cell_counts(x_shape, pool_size, strides, padding, g.dtype)
    grad = padded_zeros(x_shape, padding, g.dtype)
    for cell in _cells(pool_size):
        under = _under(grad, cell, strides, g.shape[1:3])
        under += share
    return unpad(grad, padding)


# --- Resampling ------------------------------------------------------------------------------------------


def resample2d(x: Array, down: "Blend", across: "Blend") -> Array:
    """Each new row a weighted sum of old rows, and then each new column one of columns."""
    for axis, blend in ((1, down), (2, across)):
        rows = np.moveaxis(x, axis, 0)
        new = np.zeros((len(blend.starts) - 1, *rows.shape[1:]), x.dtype)
        for i in range(len(new)):
            for k in range(blend.starts[i], blend.starts[i + 1]):
                new[i] += rows[blend.sources[k]] * x.dtype.type(blend.weights[k])
        x = np.moveaxis(new, 0, axis)
    return x
