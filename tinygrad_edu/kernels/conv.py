"""Convolution over images: forward, and the gradients of its input and its weights.

The idea: *a tap of the kernel is a shift*. Lay the padded image out as one plane of memory a channel, row
after row. Then the pixel that tap (i, j) sees from output position p is simply number p + i*width + j, for
every p at once, and the whole convolution becomes a sum of shifted, scaled planes:

    result[f][p] = sum over taps t of weights[t, f] * planes[plane_t][p + shift_t]

Each term is a long loop over neighbouring numbers, which is what a processor's vector units eat fastest.
At the ends of the rows a shift runs into the next row; what is computed there is never read.

Strides change the layout, not the loop: with stride 2 the even and the odd rows and columns go into planes
of their own (*phases*), and within a phase the windows are neighbours again. The gradient of the input is
the same sum, from planes of g into the phases of x, with the shifts reversed. The gradient of the weights
multiplies where the others add up: grad[t, f] = sum over p of planes[plane_t][p + shift_t] * g_planes[f][p].

The work is cut into tasks, each a few images or a band of rows of one, small enough for the cache of one
core. The cut depends on the shapes alone and every sum has a fixed order, so a result is the same to the
last bit on every run, whatever the number of threads.

That is for kernels without gaps that see all channels. With dilation, or channels in groups, it is
:mod:`tinygrad_edu.kernels._columns`' turn, and :mod:`tinygrad_edu.kernels._depthwise`'s where each filter
sees one channel alone.
"""

from functools import lru_cache
from types import ModuleType

import numpy as np

from tinygrad_edu.errors import ShapeError
from tinygrad_edu.kernels import _columns, _depthwise, reference
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
from tinygrad_edu.kernels._jit import run
from tinygrad_edu.kernels._planes import (
    Lattice,
    correlate,
    correlate_parallel,
    cut,
    weight_grad,
    weight_grad_parallel,
)

__all__ = ["conv2d", "conv2d_input_grad", "conv2d_weight_grad"]

_SCRATCH = 2**22  # numbers that partial sums of the weights' gradient may take up, about

_EVERY_PIXEL = Lattice(1, 1, 1, 1, 0, 0)


def _reach(window: Pair, strides: Pair) -> Pair:
    """How far, in positions, the last tap lies below and to the right of the first."""
    return (window[0] - 1) // strides[0], (window[1] - 1) // strides[1]


def _lattice(window: Pair, strides: Pair, padding: Padding) -> Lattice:
    (kh, kw), (sh, sw), ((top, _), (left, _)) = window, strides, padding
    return Lattice(sh, sw, min(sh, kh), min(sw, kw), top, left)


def _other_way(w_shape: tuple[int, ...], dilation: Pair, groups: int) -> ModuleType | None:
    """Return the module that convolves with such kernels, or None if that is this one."""
    if groups == 1 and spread(w_shape, dilation) == w_shape[:2]:
        return None
    return _depthwise if w_shape[2] == 1 else _columns


def _fit(x_shape: tuple[int, ...], w_shape: tuple[int, ...], groups: int) -> bool:
    """Whether the kernels see as many channels as there are in a group."""
    return x_shape[3] == w_shape[2] * groups and w_shape[3] % groups == 0


def conv2d(
    x: Array,
    w: Array,
    strides: Pair,
    padding: Padding,
    dilation: Pair = (1, 1),
    groups: int = 1,
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
    out : ndarray (N, OH, OW, F), optional
        Filled and returned; must not overlap x or w.

    Returns
    -------
    ndarray (N, OH, OW, F), where OH = (H + top + bottom - (kh - 1) * dh - 1) // sh + 1

    Raises
    ------
    ShapeError
        If the channels differ, the kernel is larger than the padded image, or out has another shape.
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
    positions = spatial_shape(x.shape, spread((kh, kw), dilation), strides, padding)
    result = output(out, (len(x), *positions, f), x.dtype)
    if not result.size:
        return deliver(result, out)
    way = _other_way(w.shape, dilation, groups)
    if way is not None:
        way.conv2d(x, w, strides, padding, dilation, groups, result)
        return deliver(result, out)
    reach = _reach((kh, kw), strides)
    taps = _forward_taps((kh, kw), c, strides, positions[1] + reach[1])
    _correlate_images(
        x, _lattice((kh, kw), strides, padding), w.reshape(-1, f), taps, np.array([kh * kw * c]),
        result, _EVERY_PIXEL, positions, reach,
    )  # fmt: skip
    return deliver(result, out)


def conv2d_input_grad(
    g: Array,
    w: Array,
    x_shape: tuple[int, ...],
    strides: Pair,
    padding: Padding,
    dilation: Pair = (1, 1),
    groups: int = 1,
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
    out : ndarray (N, H, W, C), optional
        Filled and returned; must not overlap g or w.

    Returns
    -------
    ndarray (N, H, W, C)

    Raises
    ------
    ShapeError
        If g is not shaped as conv2d's output would be.

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
    kh, kw, c, f = w.shape
    (sh, sw), ((top, _), (left, _)) = strides, padding
    outputs = spatial_shape(x_shape, spread((kh, kw), dilation), strides, padding)
    if g.shape != (x_shape[0], *outputs, f) or not _fit(x_shape, w.shape, groups):
        raise ShapeError(f"conv2d_input_grad: g {g.shape} doesn't fit x {x_shape} and w {w.shape}")
    result = output(out, x_shape, g.dtype)
    if not result.size:
        return deliver(result, out)
    way = _other_way(w.shape, dilation, groups)
    if way is not None:
        way.conv2d_input_grad(g, ready(w, g.dtype), strides, padding, dilation, groups, result)
        return deliver(result, out)
    reach = _reach((kh, kw), strides)
    positions = (-(-(x_shape[1] + top) // sh), -(-(x_shape[2] + left) // sw))
    taps, counts = _backward_taps((kh, kw), f, strides, positions[1] + reach[1])
    by_f = ready(w.swapaxes(2, 3), g.dtype).reshape(-1, c)
    _correlate_images(
        g, Lattice(1, 1, 1, 1, *reach), by_f, taps, counts,
        result, Lattice(sh, sw, sh, sw, top, left), positions, reach,
    )  # fmt: skip
    if not np.isfinite(w).all():
        # Around the rows the planes of g hold zeros, which no gradient stands for: 0 * inf makes false NaN.
        result[...] = reference.conv2d_input_grad(g, w, x_shape, strides, padding)
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
    kh, kw, c, f = w_shape
    positions = spatial_shape(x.shape, spread((kh, kw), dilation), strides, padding)
    if g.shape != (len(x), *positions, f) or not _fit(x.shape, w_shape, groups):
        raise ShapeError(f"conv2d_weight_grad: g {g.shape} doesn't fit x {x.shape} and w {w_shape}")
    result = output(out, w_shape, x.dtype)
    if not result.size or not g.size:
        result[...] = 0
        return deliver(result, out)
    way = _other_way(w_shape, dilation, groups)
    if way is not None:
        way.conv2d_weight_grad(x, g, strides, padding, dilation, groups, result)
        return deliver(result, out)
    reach = _reach((kh, kw), strides)
    lattice = _lattice((kh, kw), strides, padding)
    grid = cut(len(x), positions, reach)
    taps = _forward_taps((kh, kw), c, strides, grid.width)[0]
    planes = c * lattice.phases_h * lattice.phases_w
    chunks = min(grid.tasks, 16, max(4, _SCRATCH // result.size))  # each sums up its share of the tasks
    grads = np.empty((chunks, kh * kw * c, f), x.dtype)
    arguments = (x, lattice, g, _EVERY_PIXEL, taps, grid, planes, grads)
    run(weight_grad, weight_grad_parallel, arguments, g.size * kh * kw * c if chunks > 1 else 0)
    np.add.reduce(grads, axis=0, out=result.reshape(-1, f))
    if np.isnan(result).any():
        # Between the rows the planes of g hold zeros, and what they meet there belongs to other taps:
        # harmless, unless it is infinite or NaN. So a NaN here may be false.
        result[...] = reference.conv2d_weight_grad(x, g, w_shape, strides, padding)
    return deliver(result, out)


# --- Taps, and how much work they are ------------------------------------------------------------------


def _correlate_images(
    x: Array, x_lattice: Lattice, weights: Array, taps: Array, counts: Array,
    out: Array, out_lattice: Lattice, positions: Pair, reach: Pair,
) -> None:  # fmt: skip
    """Fill out with the sums of x's shifted planes; taps (phases, T, 3), of which counts (phases,) hold."""
    grid = cut(len(x), positions, reach)
    planes = x.shape[3] * x_lattice.phases_h * x_lattice.phases_w
    work = len(x) * positions[0] * positions[1] * int(counts.sum()) * out.shape[3]
    arguments = (x, x_lattice, weights, taps, counts, out, out_lattice, grid, planes)
    run(correlate, correlate_parallel, arguments, work if grid.tasks > 1 else 0)


@lru_cache(maxsize=64)
def _forward_taps(window: Pair, channels: int, strides: Pair, width: int) -> Array:
    """Return (plane, shift, weight's row) of each tap, (1, kh*kw*C, 3); the planes are those of x."""
    (kh, kw), (sh, sw) = window, strides
    ky, kx, c = np.indices((kh, kw, channels)).reshape(3, -1)
    plane = (c * min(sh, kh) + ky % sh) * min(sw, kw) + kx % sw
    return np.stack((plane, ky // sh * width + kx // sw, np.arange(c.size)), axis=1)[None]


@lru_cache(maxsize=64)
def _backward_taps(window: Pair, channels: int, strides: Pair, width: int) -> tuple[Array, Array]:
    """Return the same for each phase of x, (sh*sw, T, 3), and how many it has; the planes are those of g."""
    (kh, kw), (sh, sw) = window, strides
    ky, kx, f = np.indices((kh, kw, channels)).reshape(3, -1)
    shift = ((kh - 1) // sh - ky // sh) * width + (kw - 1) // sw - kx // sw
    every = np.stack((f, shift, np.arange(f.size)), axis=1)
    phases = [every[(ky % sh == py) & (kx % sw == px)] for py in range(sh) for px in range(sw)]
    counts = np.array([len(phase) for phase in phases])
    taps = np.zeros((sh * sw, counts.max(), 3), every.dtype)
    for phase, of_phase in zip(taps, phases, strict=True):
        phase[: len(of_phase)] = of_phase
    return taps, counts
