"""Convolution with 3 x 3 kernels by a quarter of the multiplications (Winograd; Lavin and Gray, 2016).

The idea: *multiply polynomials by their values*. Sliding three taps along a row is multiplying two
polynomials, and a product is known by its values at enough points, which cost one multiplication a point.
Four results of three taps need 6 points instead of 12 multiplications; over rows and columns 36 instead
of 144. So an image is cut into tiles of 6 x 6 pixels, 4 apart, and

    Y = A' [ (G w G') * (B' x B) ] A

where B' x B stands for a tile at the 6 x 6 points, G w G' for a kernel, and A' .. A brings their product
back to 4 x 4 results. Its sums over channels are matrix products, one a point: (tiles, channels) by
(channels, filters), which is what :func:`tile` is for. The tiles are taken in blocks that stay in the
cache of a core from the first transform to the last.

The gradient of x is the same convolution, of g with the kernels turned round. The gradient of w has a file
of its own, :mod:`tinygrad_edu.kernels._winograd_weights`.

The points are 0, ±√½, ±√2 and ∞. The usual ones, 0, ±1, ±2 and ∞, cost four to five times the
error: powers of numbers far from 1 differ much in size, and small terms are lost beside large ones.

References: Lavin and Gray, Fast Algorithms for Convolutional Neural Networks, 2016; on the points,
Barabasz et al., Error Analysis and Improving the Accuracy of Winograd Convolution, 2020.
"""

# mypy: disable-error-code="call-arg, var-annotated"
# (Intrinsics are called without the typing context that they are defined with.)

from typing import Any

import numpy as np
from numba import prange

from tinygrad_edu.kernels._arrays import Array, Padding, Pair
from tinygrad_edu.kernels._jit import jit
from tinygrad_edu.kernels._memory import empty
from tinygrad_edu.kernels._simd import ROWS, address, tile
from tinygrad_edu.kernels._threads import run
from tinygrad_edu.kernels._winograd_tiles import BLOCK, GAP, WIDTH, count_tiles, tile_to_points
from tinygrad_edu.kernels._winograd_transforms import (
    POINTS,
    RESULTS,
    SIDE,
    TAPS,
    kernel_to_points,
    points_to_image,
)

__all__ = ["conv2d", "conv2d_input_grad", "suits"]

_TILES = 32  # with fewer in all, the transforms of the kernels don't pay
_VECTOR = 16  # channels and filters come in multiples of this: whole vectors of any machine


def suits(
    dtype: np.dtype[Any], x_shape: tuple[int, ...], w_shape: tuple[int, ...],
    strides: Pair, padding: Padding, dilation: Pair, groups: int,
) -> bool:  # fmt: skip
    """Whether such a convolution, or one of its gradients, can be computed in this way and is the faster so.

    >>> float32, same = np.dtype(np.float32), ((1, 1), (1, 1))
    >>> suits(float32, (10, 64, 64, 32), (3, 3, 32, 64), (1, 1), same, (1, 1), 1)
    True
    >>> suits(float32, (10, 64, 64, 3), (3, 3, 3, 64), (1, 1), same, (1, 1), 1)
    False
    """
    if dtype != np.float32 or w_shape[:2] != (TAPS, TAPS) or not strides == dilation == (1, 1) or groups != 1:
        return False
    channels, filters = w_shape[2:]
    if not channels or not filters or channels % _VECTOR or filters % _VECTOR:
        return False
    height, width = (size + sum(pad) - 2 for size, pad in zip(x_shape[1:3], padding, strict=True))
    down, across = -(-height // RESULTS), -(-width // RESULTS)
    return x_shape[0] * down * across >= _TILES and 2 * height * width >= down * across * RESULTS**2


def conv2d(
    x: Array, w: Array, padding: Padding, out: Array, bias: Array | None = None, relu: bool = False
) -> bool:
    """Fill out with the convolution of x with w, and return True; or return False, see below.

    Error: relative to the sum of ``|x| |w|`` over a window, for numbers of like size at most 2.5e-6 (21 eps),
    and as root mean square 6e-8 if signs are mixed (adding up directly: 3e-8), 2.5e-7 if they are all alike.
    A tile's results share their rounding errors: near a pixel many times larger than its neighbours, the
    error of results that don't see it is relative to that pixel all the same.

    Infinities and NaN, too, reach all results of a tile, and numbers beyond 1e37 may overflow on the way.
    So if any result isn't finite, this returns False, and a direct convolution has to say which are.

    Parameters
    ----------
    x : ndarray (N, H, W, C), float32
    w : ndarray (3, 3, C, F), float32; C and F multiples of 16
    padding : ((top, bottom), (left, right)), rows and columns of zeros, as if around x
    out : ndarray (N, H + top + bottom - 2, W + left + right - 2, F), float32
    bias : ndarray (F,), optional
    relu : bool
        Put zero in the place of negative results.
    """
    return _convolve(x, w, False, padding, out, bias, relu)


def conv2d_input_grad(
    g: Array, w: Array, padding: Padding, out: Array, bias: Array | None = None, relu: bool = False
) -> bool:
    """Fill out, like x, with the gradient of :func:`conv2d` with respect to x; returns the like."""
    (top, bottom), (left, right) = padding
    return _convolve(g, w, True, ((2 - top, 2 - bottom), (2 - left, 2 - right)), out, bias, relu)


def _block(tiles: int) -> int:
    """Return how many tiles make a block: the most that still share the work evenly between two cores."""
    return min(range(BLOCK - BLOCK % ROWS, 0, -ROWS), key=lambda size: size * -(-tiles // size // 2))


def _convolve(
    x: Array, w: Array, turned: bool, padding: Padding, out: Array, bias: Array | None, relu: bool
) -> bool:
    (top, _), (left, _) = padding
    down, across = count_tiles(out.shape)
    channels, filters = x.shape[3], out.shape[3]
    u = empty((POINTS, -(-filters // WIDTH) * channels * WIDTH + GAP), np.float32)
    block = _block(len(x) * down * across)
    finite = np.empty(-(-len(x) * down * across // block), np.int64)
    if bias is None:
        bias = np.zeros(filters, np.float32)
    run(
        _forward, _forward_parallel,
        (x, w, turned, top, left, down, across, block, u, bias, int(relu), out, finite), out.size * channels,
    )  # fmt: skip
    return bool(finite.all())


# --- Forward: u are kernels at the points, v images, m their products -----------------------------------


@jit
def _forward(
    x: Array, w: Array, turned: bool, top: int, left: int, down: int, across: int, size: int,
    u: Array, bias: Array, relu: int, out: Array, finite: Array,
) -> None:  # fmt: skip
    for c in range(x.shape[3]):
        _kernels_of_channel(c, w, turned, out.shape[3], u)
    for block in range(finite.size):
        finite[block] = _forward_block(block, x, top, left, down, across, size, u, bias, relu, out)


@jit(parallel=True)
def _forward_parallel(
    x: Array, w: Array, turned: bool, top: int, left: int, down: int, across: int, size: int,
    u: Array, bias: Array, relu: int, out: Array, finite: Array,
) -> None:  # fmt: skip
    for c in prange(x.shape[3]):
        _kernels_of_channel(c, w, turned, out.shape[3], u)
    for block in prange(finite.size):
        finite[block] = _forward_block(block, x, top, left, down, across, size, u, bias, relu, out)


@jit
def _kernels_of_channel(c: int, w: Array, turned: bool, filters: int, u: Array) -> None:
    """Bring the kernels that see channel c to the points: u (36, panels * C * WIDTH)."""
    at, row, column = address(w) + c * filters * 4, w[0].size * 4, w[0, 0].size * 4
    if turned:  # filters and channels change places, and the taps their order
        patch = np.empty((TAPS, TAPS, filters), np.float32)
        for i in range(TAPS):
            for j in range(TAPS):
                taps = w[TAPS - 1 - i, TAPS - 1 - j, :, c]
                for f in range(filters):
                    patch[i, j, f] = taps[f]
        at, row, column = address(patch), TAPS * filters * 4, filters * 4
    channels = w[0, 0].size // filters
    point = u.shape[1] * 4
    for f in range(0, filters, WIDTH):
        to = address(u) + (f * channels + c * WIDTH) * 4
        kernel_to_points(at + f * 4, row, column, to, SIDE * point, point, min(WIDTH, filters - f), 0, 0)


@jit
def _forward_block(
    block: int, x: Array, top: int, left: int, down: int, across: int, size: int,
    u: Array, bias: Array, relu: int, out: Array,
) -> int:  # fmt: skip
    """Compute a block of tiles, counted through all images; return 1 if the results are finite, else 0."""
    channels, filters = x.shape[3], out.shape[3]
    first = block * size
    last = min(first + size, len(out) * down * across)
    v = np.empty((POINTS, size * channels + GAP), np.float32)
    m = np.empty((POINTS, size * filters + GAP), np.float32)
    patch = np.empty((SIDE, SIDE, channels), np.float32)
    for t in range(first, last):
        n, y, column = t // (down * across), t // across % down, t % across
        to = address(v) + (t - first) * channels * 4
        tile_to_points(x, n, y * RESULTS - top, column * RESULTS - left, patch, to, v.shape[1] * 4)
    for point in range(POINTS):
        v_at, m_at = address(v) + point * v.shape[1] * 4, address(m) + point * m.shape[1] * 4
        for f in range(0, filters, WIDTH):
            u_at = address(u) + (point * u.shape[1] + f * channels) * 4
            for t in range(0, last - first, ROWS):
                tile(
                    v, v_at + t * channels * 4, channels * 4, 4, 0, u_at, WIDTH * 4, 0, channels, 1,
                    m_at + (t * filters + f) * 4, filters * 4,
                    min(ROWS, last - first - t), min(WIDTH, filters - f), 0, 0, 0, 0,
                )  # fmt: skip
    finite = 1
    results = np.empty((RESULTS, RESULTS, filters), np.float32)
    for t in range(first, last):
        n, y, column = t // (down * across), t // across % down, t % across
        at = address(m) + (t - first) * filters * 4
        finite &= _points_to_tile(
            at, m.shape[1] * 4, bias, relu, n, y * RESULTS, column * RESULTS, results, out
        )
    return finite


@jit
def _points_to_tile(
    at: int, point: int, bias: Array, relu: int, n: int, y: int, column: int, results: Array, out: Array
) -> int:
    """Write a tile of results; one that reaches over the border by way of an array (4, 4, F)."""
    height, width, filters = out.shape[1:]
    whole = y + RESULTS <= height and column + RESULTS <= width
    to, row_step = address(results), RESULTS * filters * 4
    if whole:
        to, row_step = address(out) + ((n * height + y) * width + column) * filters * 4, width * filters * 4
    finite = points_to_image(at, SIDE * point, point, to, row_step, filters * 4, filters, address(bias), relu)
    if not whole:
        for i in range(min(RESULTS, height - y)):
            for j in range(min(RESULTS, width - column)):
                pixel, result = out[n, y + i, column + j], results[i, j]
                for f in range(filters):
                    pixel[f] = result[f]
    return finite
