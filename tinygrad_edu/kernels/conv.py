"""Convolution over images: forward, and the gradients of its input and its weights.

Several ways to compute the same thing, and here is chosen between them:

- :mod:`tinygrad_edu.kernels._direct`, for float32: the micro-kernel reads the windows in place; with few
  filters or channels it hands over to :mod:`tinygrad_edu.kernels._few`, with few of both to
  :mod:`tinygrad_edu.kernels._narrow`;
- :mod:`tinygrad_edu.kernels._winograd`, for float32 images of many channels: 3 x 3 taps by a quarter of the
  multiplications. Where its results aren't finite, _direct says which of them;
- :mod:`tinygrad_edu.kernels.gemm`, for 1 x 1 taps: a product of matrices, (pixels, C) and (C, F);
- :mod:`tinygrad_edu.kernels._columns`, for float64: the windows copied into a matrix, and BLAS;
- :mod:`tinygrad_edu.kernels._depthwise`, for float32 where each filter sees one channel alone.
"""

import math
from types import ModuleType
from typing import Any

import numpy as np

from tinygrad_edu.errors import ShapeError
from tinygrad_edu.kernels import _columns, _depthwise, _direct, _direct_weights, _winograd, _winograd_weights
from tinygrad_edu.kernels._arrays import (
    Array,
    Padding,
    Pair,
    deliver,
    output,
    ready,
    spatial_shape,
    spread,
)
from tinygrad_edu.kernels.gemm import matmul

__all__ = ["conv2d", "conv2d_input_grad", "conv2d_weight_grad"]


def _way(x: Array, w_shape: tuple[int, ...], groups: int) -> ModuleType:
    """Return the module that is to compute it."""
    if x.dtype != np.float32 or 0 in w_shape:
        return _columns
    return _depthwise if w_shape[2] == 1 < groups else _direct


def _is_product(w_shape: tuple[int, ...], strides: Pair, padding: Padding, groups: int) -> bool:
    """Whether each output sees just the pixel in its place."""
    return w_shape[:2] == (1, 1) == strides and padding == ((0, 0), (0, 0)) and groups == 1


def _rows(images: Array) -> Array:
    """Return images as a matrix with a row for each pixel: a view."""
    return images.reshape(math.prod(images.shape[:-1]), images.shape[-1])


def _fit(x_shape: tuple[int, ...], w_shape: tuple[int, ...], groups: int) -> bool:
    """Whether the kernels see as many channels as there are in a group."""
    return x_shape[3] == w_shape[2] * groups and w_shape[3] % groups == 0


def _bias(call: str, bias: Array | None, size: int, dtype: np.dtype[Any]) -> Array | None:
    if bias is None:
        return None
    if bias.shape != (size,):
        raise ShapeError(f"{call}: bias must be ({size},), one for each output channel, got {bias.shape}")
    return ready(bias, dtype)


def _finish(result: Array, bias: Array | None, relu: bool) -> None:
    """Do in NumPy what the micro-kernel does on the side."""
    if bias is not None:
        result += bias
    if relu:
        np.maximum(result, 0, out=result)


def conv2d(
    x: Array,
    w: Array,
    strides: Pair,
    padding: Padding,
    dilation: Pair = (1, 1),
    groups: int = 1,
    bias: Array | None = None,
    relu: bool = False,
    out: Array | None = None,
) -> Array:
    """Slide kernels over images: out[n,y,x,f] is the sum of X[n, y*sh + i*dh, x*sw + j*dw, c] * w[i,j,c,f].

    X is x with zeros around it; the sum is over i, j, c. The kernel isn't flipped (cross-correlation), as
    in Keras. In groups, each share of the filters sees its own share of the channels.

    Parameters
    ----------
    x : ndarray (N, H, W, C), float32 or float64
    w : ndarray (kh, kw, C / groups, F)
    strides : (sh, sw)
    padding : ((top, bottom), (left, right)), rows and columns of zeros
    dilation : (dh, dw), how far apart the numbers of a kernel lie
    groups : int, divides C and F
    bias : ndarray (F,), optional
        Added to every pixel.
    relu : bool
        Whether negative results become 0.
    out : ndarray (N, OH, OW, F), optional
        Filled and returned; must not overlap x or w.

    Returns
    -------
    ndarray (N, OH, OW, F), where OH = (H + top + bottom - (kh - 1) * dh - 1) // sh + 1

    Raises
    ------
    ShapeError
        If the channels differ, the kernel is larger than the padded image, or bias or out have other shapes.
    DTypeError
        If x is neither float32 nor float64.

    Examples
    --------
    >>> import numpy as np
    >>> x = np.arange(9.0).reshape(1, 3, 3, 1)
    >>> conv2d(x, np.ones((2, 2, 1, 1)), (1, 1), ((0, 0), (0, 0)))[0, :, :, 0]
    array([[ 8., 12.],
           [20., 24.]])
    """
    x = ready(x)
    w = ready(w, x.dtype)
    kh, kw, c, f = w.shape
    if x.ndim != 4 or not _fit(x.shape, w.shape, groups):
        raise ShapeError(
            f"conv2d: x {x.shape} should be (N, H, W, C) with the C={c * groups} of w {w.shape}"
            + (f" in {groups} groups, which divide its filters" if groups > 1 else "")
        )
    bias = _bias("conv2d", bias, f, x.dtype)
    positions = spatial_shape(x.shape, spread((kh, kw), dilation), strides, padding)
    result = output(out, (len(x), *positions, f), x.dtype)
    if _winograd.suits(x.dtype, x.shape, w.shape, strides, padding, dilation, groups) and _winograd.conv2d(
        x, w, padding, result, bias, relu
    ):
        return deliver(result, out)
    if _is_product(w.shape, strides, padding, groups):
        matmul(_rows(x), w[0, 0], bias, relu, _rows(result))
    elif result.size:
        rule = strides, padding, dilation, groups, result
        way = _way(x, w.shape, groups)
        if way is _direct:
            _direct.conv2d(x, w, *rule, bias, relu)
        else:
            way.conv2d(x, w, *rule)
            _finish(result, bias, relu)
    return deliver(result, out)


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
    out: Array | None = None,
) -> Array:
    """Gradient of :func:`conv2d` with respect to x, and the forward pass of a transposed convolution.

    grad_X[n, y*sh + i*dh, x*sw + j*dw, c] is the sum over i, j, f of g[n,y,x,f] * w[i,j,c,f].

    Parameters
    ----------
    g : ndarray (N, OH, OW, F)
        Gradient of conv2d's output.
    w : ndarray (kh, kw, C / groups, F)
    x_shape : (N, H, W, C)
    strides, padding, dilation, groups
        As given to conv2d.
    bias : ndarray (C,), optional
    relu : bool
        For a transposed convolution: as in conv2d.
    out : ndarray (N, H, W, C), optional
        Filled and returned; must not overlap g or w.

    Returns
    -------
    ndarray (N, H, W, C)

    Raises
    ------
    ShapeError
        If g is not shaped as conv2d's output would be, or bias or out have other shapes.

    Examples
    --------
    >>> import numpy as np
    >>> g, w = np.ones((1, 2, 2, 1)), np.ones((2, 2, 1, 1))
    >>> conv2d_input_grad(g, w, (1, 3, 3, 1), (1, 1), ((0, 0), (0, 0)))[0, :, :, 0]
    array([[1., 2., 1.],
           [2., 4., 2.],
           [1., 2., 1.]])
    """
    g = ready(g)
    outputs = spatial_shape(x_shape, spread(w.shape[:2], dilation), strides, padding)
    if g.shape != (x_shape[0], *outputs, w.shape[3]) or not _fit(x_shape, w.shape, groups):
        raise ShapeError(f"conv2d_input_grad: g {g.shape} doesn't fit x {x_shape} and w {w.shape}")
    bias = _bias("conv2d_input_grad", bias, x_shape[3], g.dtype)
    result = output(out, x_shape, g.dtype)
    w = ready(w, g.dtype)
    if _winograd.suits(
        g.dtype, x_shape, w.shape, strides, padding, dilation, groups
    ) and _winograd.conv2d_input_grad(g, w, padding, result, bias, relu):
        return deliver(result, out)
    if _is_product(w.shape, strides, padding, groups):
        matmul(_rows(g), w[0, 0].T, bias, relu, _rows(result))
    elif result.size:
        rule = strides, padding, dilation, groups, result
        way = _way(g, w.shape, groups)
        if way is not _direct:
            way.conv2d_input_grad(g, w, *rule)
            _finish(result, bias, relu)
        elif not _direct.conv2d_input_grad(g, w, *rule, bias, relu):
            # What lies outside g is no gradient, but taken for 0 there; 0 times infinity made a false NaN.
            _columns.conv2d_input_grad(g, w, *rule)
            _finish(result, bias, relu)
    return deliver(result, out)


def conv2d_weight_grad(
    x: Array,
    g: Array,
    w_shape: tuple[int, ...],
    strides: Pair,
    padding: Padding,
    dilation: Pair = (1, 1),
    groups: int = 1,
    out: Array | None = None,
) -> Array:
    """Gradient of :func:`conv2d` with respect to w.

    grad_w[i,j,c,f] is the sum over n, y, x of X[n, y*sh + i*dh, x*sw + j*dw, c] * g[n,y,x,f].

    Parameters
    ----------
    x : ndarray (N, H, W, C)
    g : ndarray (N, OH, OW, F)
        Gradient of conv2d's output.
    w_shape : (kh, kw, C / groups, F)
    strides, padding, dilation, groups
        As given to conv2d.
    out : ndarray (kh, kw, C / groups, F), optional
        Filled and returned; must not overlap x or g.

    Returns
    -------
    ndarray (kh, kw, C / groups, F)

    Raises
    ------
    ShapeError
        If g is not shaped as conv2d's output would be.

    Examples
    --------
    >>> import numpy as np
    >>> x, g = np.arange(9.0).reshape(1, 3, 3, 1), np.ones((1, 2, 2, 1))
    >>> conv2d_weight_grad(x, g, (2, 2, 1, 1), (1, 1), ((0, 0), (0, 0)))[:, :, 0, 0]
    array([[ 8., 12.],
           [20., 24.]])
    """
    x = ready(x)
    g = ready(g, x.dtype)
    positions = spatial_shape(x.shape, spread(w_shape[:2], dilation), strides, padding)
    if g.shape != (len(x), *positions, w_shape[3]) or not _fit(x.shape, w_shape, groups):
        raise ShapeError(f"conv2d_weight_grad: g {g.shape} doesn't fit x {x.shape} and w {w_shape}")
    result = output(out, w_shape, x.dtype)
    if not result.size or not g.size:
        result[...] = 0
        return deliver(result, out)
    if _winograd.suits(
        x.dtype, x.shape, w_shape, strides, padding, dilation, groups
    ) and _winograd_weights.conv2d_weight_grad(x, g, padding, result):
        return deliver(result, out)
    if _is_product(w_shape, strides, padding, groups):
        matmul(_rows(x).T, _rows(g), out=result[0, 0])
        return deliver(result, out)
    way = _way(x, w_shape, groups)
    (_direct_weights if way is _direct else way).conv2d_weight_grad(
        x, g, strides, padding, dilation, groups, result
    )
    return deliver(result, out)
