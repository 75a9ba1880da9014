"""Pooling: each window of an image shrinks to its maximum or its mean, channel by channel.

The idea of the maximum's gradient: *only the winner matters*. The forward pass notes which cell of each
window won (its place ky*kw + kx, one byte); the backward pass sends the window's gradient to that cell and
nothing to the others. Read the other way round, the same notes pick values at the winners (gather), which
is what a second derivative needs.

The idea of the mean's gradient: every cell that was counted gets an equal share. Cells on the padding are
neither counted in a mean (TensorFlow's rule) nor can they win a maximum.

Every image is independent of the others, so they are what threads share out. What is rarely asked for takes
the plain way of :mod:`tinygrad_edu.kernels.reference`, a pass over the images for each cell of a window, and
spares everybody the time to compile it: float64, windows of more than 256 cells, and the gather.
"""

import numpy as np

from tinygrad_edu.errors import ShapeError
from tinygrad_edu.kernels import reference
from tinygrad_edu.kernels._arrays import Array, Padding, Pair, deliver, output, ready, spatial_shape
from tinygrad_edu.kernels._threads import run
from tinygrad_edu.kernels._windows import (
    Window,
    pool_max,
    pool_max_parallel,
    pool_mean,
    pool_mean_parallel,
    pool_scatter,
    pool_scatter_parallel,
    pool_share,
    pool_share_parallel,
)

__all__ = ["avg_pool2d", "avg_pool2d_scatter", "max_pool2d", "max_pool2d_gather", "max_pool2d_scatter"]


def _window(pool_size: Pair, strides: Pair, padding: Padding) -> Window:
    (kh, kw), (top, bottom), (left, right) = pool_size, *padding
    if max(top, bottom) >= kh or max(left, right) >= kw:
        raise ShapeError(
            f"padding {padding} must be less than the window {pool_size}, or a window sees nothing"
        )
    return (kh, kw, *strides, top, left)


def _positions(shape: tuple[int, ...], pool_size: Pair, strides: Pair, padding: Padding) -> tuple[int, ...]:
    """Shape of the pooled images, (N, OH, OW, C)."""
    if len(shape) != 4 or 0 in shape[1:3]:
        raise ShapeError(f"pooling takes images (N, H, W, C) of at least one pixel, got {shape}")
    return (shape[0], *spatial_shape(shape, pool_size, strides, padding), shape[3])


def _expect(what: str, array: Array, shape: tuple[int, ...]) -> None:
    if array.shape != shape:
        raise ShapeError(f"{what} should be {shape} for these windows, got {array.shape}")


def max_pool2d(
    x: Array,
    pool_size: Pair,
    strides: Pair,
    padding: Padding,
    out: Array | None = None,
    indices: Array | None = None,
) -> tuple[Array, Array]:
    """Return the maximum of each window and where in the window it was.

    The first of equal maxima wins, NaN beats every number, and padding never wins.

    Parameters
    ----------
    x : ndarray (N, H, W, C), float32 or float64
    pool_size : (kh, kw)
    strides : (sh, sw)
    padding : ((top, bottom), (left, right)), each less than the window
    out : ndarray (N, OH, OW, C), optional
        Filled and returned.
    indices : ndarray (N, OH, OW, C) of uint8, or of int32 for windows of more than 256 cells, optional
        Filled and returned.

    Returns
    -------
    out, indices : ndarray (N, OH, OW, C)
        The indices are ky*kw + kx, counted from the window's corner (on the padding, if it lies there).

    Raises
    ------
    ShapeError
        If a window doesn't fit, or would see padding alone.

    Examples
    --------
    >>> import numpy as np
    >>> x = np.array([[1.0, 5.0], [3.0, 2.0]]).reshape(1, 2, 2, 1)
    >>> out, indices = max_pool2d(x, (2, 2), (2, 2), ((0, 0), (0, 0)))
    >>> out.item(), indices.item()
    (5.0, 1)
    """
    x = ready(x)
    window = _window(pool_size, strides, padding)
    shape = _positions(x.shape, pool_size, strides, padding)
    maxima = output(out, shape, x.dtype)
    places = output(indices, shape, np.uint8 if pool_size[0] * pool_size[1] <= 256 else np.int32)
    if _has_kernel(x, places):
        run(pool_max, pool_max_parallel, (x, window, maxima, places), maxima.size * window[0] * window[1])
    else:
        maxima[...], places[...] = reference.max_pool2d(x, pool_size, strides, padding)
    return deliver(maxima, out), deliver(places, indices)


def max_pool2d_scatter(
    g: Array,
    indices: Array,
    x_shape: tuple[int, ...],
    pool_size: Pair,
    strides: Pair,
    padding: Padding,
    out: Array | None = None,
) -> Array:
    """Gradient of :func:`max_pool2d`: add each window's gradient to the input that won it.

    Parameters
    ----------
    g : ndarray (N, OH, OW, C)
        Gradient of max_pool2d's output.
    indices : ndarray (N, OH, OW, C)
        As max_pool2d returned them.
    x_shape : (N, H, W, C)
    pool_size, strides, padding
        As given to max_pool2d.
    out : ndarray (N, H, W, C), optional
        Filled and returned; must not overlap g.

    Returns
    -------
    ndarray (N, H, W, C)

    Raises
    ------
    ShapeError
        If g and indices are not shaped as max_pool2d's output would be.

    Examples
    --------
    >>> import numpy as np
    >>> g, indices = np.full((1, 1, 1, 1), 7.0), np.full((1, 1, 1, 1), 2, np.uint8)
    >>> max_pool2d_scatter(g, indices, (1, 2, 2, 1), (2, 2), (2, 2), ((0, 0), (0, 0)))[0, :, :, 0]
    array([[0., 0.],
           [7., 0.]])
    """
    g = ready(g)
    shape = _positions(x_shape, pool_size, strides, padding)
    _expect("g", g, shape)
    places = _places(indices, shape)
    result = output(out, x_shape, g.dtype)
    window = _window(pool_size, strides, padding)
    if _has_kernel(g, places):
        run(pool_scatter, pool_scatter_parallel, (g, places, window, result), result.size)
    else:
        with np.errstate(all="ignore"):  # compiled code doesn't warn either
            result[...] = reference.max_pool2d_scatter(g, places, x_shape, pool_size, strides, padding)
    return deliver(result, out)


def max_pool2d_gather(
    v: Array, indices: Array, pool_size: Pair, strides: Pair, padding: Padding, out: Array | None = None
) -> Array:
    """Read v at each window's winner: the adjoint of :func:`max_pool2d_scatter`.

    Parameters
    ----------
    v : ndarray (N, H, W, C)
    indices : ndarray (N, OH, OW, C)
        As max_pool2d returned them.
    pool_size, strides, padding
        As given to max_pool2d.
    out : ndarray (N, OH, OW, C), optional
        Filled and returned; must not overlap v.

    Returns
    -------
    ndarray (N, OH, OW, C)

    Raises
    ------
    ShapeError
        If indices are not shaped as max_pool2d's output would be.

    Examples
    --------
    >>> import numpy as np
    >>> v, indices = np.arange(4.0).reshape(1, 2, 2, 1), np.full((1, 1, 1, 1), 2, np.uint8)
    >>> max_pool2d_gather(v, indices, (2, 2), (2, 2), ((0, 0), (0, 0))).item()
    2.0
    """
    v = ready(v)
    shape = _positions(v.shape, pool_size, strides, padding)
    places = _places(indices, shape)
    result = output(out, shape, v.dtype)
    result[...] = reference.max_pool2d_gather(v, places, pool_size, strides, padding)
    return deliver(result, out)


def _has_kernel(x: Array, indices: Array | None = None) -> bool:
    return x.dtype == np.float32 and (indices is None or indices.dtype == np.uint8)


def _places(indices: Array, shape: tuple[int, ...]) -> Array:
    _expect("indices", indices, shape)
    return indices if indices.flags.carray else np.array(indices, order="C")


def avg_pool2d(x: Array, pool_size: Pair, strides: Pair, padding: Padding, out: Array | None = None) -> Array:
    """Return the mean of each window, over the cells that lie on the image (TensorFlow's rule).

    Parameters
    ----------
    x : ndarray (N, H, W, C), float32 or float64
    pool_size : (kh, kw)
    strides : (sh, sw)
    padding : ((top, bottom), (left, right)), each less than the window
    out : ndarray (N, OH, OW, C), optional
        Filled and returned; must not overlap x.

    Returns
    -------
    ndarray (N, OH, OW, C)

    Raises
    ------
    ShapeError
        If a window doesn't fit, or would see padding alone.

    Examples
    --------
    >>> import numpy as np
    >>> x = np.array([[1.0, 5.0], [3.0, 2.0]]).reshape(1, 2, 2, 1)
    >>> avg_pool2d(x, (2, 2), (2, 2), ((0, 0), (0, 0))).item()
    2.75
    >>> avg_pool2d(x, (2, 2), (2, 2), ((1, 1), (1, 1)))[0, :, :, 0]  # one cell on the image in each window
    array([[1., 5.],
           [3., 2.]])
    """
    x = ready(x)
    window = _window(pool_size, strides, padding)
    result = output(out, _positions(x.shape, pool_size, strides, padding), x.dtype)
    if _has_kernel(x):
        run(pool_mean, pool_mean_parallel, (x, window, result), result.size * window[0] * window[1])
    else:
        with np.errstate(all="ignore"):
            result[...] = reference.avg_pool2d(x, pool_size, strides, padding)
    return deliver(result, out)


def avg_pool2d_scatter(
    g: Array,
    x_shape: tuple[int, ...],
    pool_size: Pair,
    strides: Pair,
    padding: Padding,
    out: Array | None = None,
) -> Array:
    """Gradient (and adjoint) of :func:`avg_pool2d`: share each window's gradient equally among its cells.

    Parameters
    ----------
    g : ndarray (N, OH, OW, C)
        Gradient of avg_pool2d's output.
    x_shape : (N, H, W, C)
    pool_size, strides, padding
        As given to avg_pool2d.
    out : ndarray (N, H, W, C), optional
        Filled and returned; must not overlap g.

    Returns
    -------
    ndarray (N, H, W, C)

    Raises
    ------
    ShapeError
        If g is not shaped as avg_pool2d's output would be.

    Examples
    --------
    >>> import numpy as np
    >>> g = np.full((1, 1, 1, 1), 8.0)
    >>> avg_pool2d_scatter(g, (1, 2, 2, 1), (2, 2), (2, 2), ((0, 0), (0, 0)))[0, :, :, 0]
    array([[2., 2.],
           [2., 2.]])
    """
    g = ready(g)
    _expect("g", g, _positions(x_shape, pool_size, strides, padding))
    result = output(out, x_shape, g.dtype)
    window = _window(pool_size, strides, padding)
    if _has_kernel(g):
        run(pool_share, pool_share_parallel, (g, window, result), g.size * window[0] * window[1])
    else:
        with np.errstate(all="ignore"):
            result[...] = reference.avg_pool2d_scatter(g, x_shape, pool_size, strides, padding)
    return deliver(result, out)
