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

The gradient of x is the same convolution, of g with the kernels turned round. The gradient of w is the
formula in mirror writing: G' [ sum over tiles of (B' x B) * (A g A') ] G.

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
from tinygrad_edu.kernels._simd import LANES, ROWS, VECTORS, address, tile
from tinygrad_edu.kernels._threads import run
from tinygrad_edu.kernels._winograd_transforms import (
    POINTS,
    RESULTS,
    SIDE,
    TAPS,
    grad_to_points,
    image_to_points,
    kernel_to_points,
    points_to_image,
    points_to_kernel,
)

__all__ = ["conv2d", "conv2d_input_grad", "conv2d_weight_grad", "suits"]

_WIDTH = LANES * VECTORS  # filters in a panel, across which a micro-kernel's tile lies
_GAP = 16  # numbers between the matrices of two points, lest all 36 of them fall into one set of the cache
_BLOCK = 32  # tiles at most that are transformed, multiplied and transformed back together
_TILES = 32  # with fewer in all, the transforms of the kernels don't pay
_SUMS = 2**22  # numbers, about, in the sums for the gradient of w: each share of the tiles has its own
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


def conv2d_weight_grad(x: Array, g: Array, padding: Padding, out: Array) -> bool:
    """Fill out, like w, with the gradient of :func:`conv2d` with respect to w; returns the like.

    Error: relative to the sum of ``|x| |g|`` over the images at most 2.5e-6, root mean square 1e-7.
    """
    (top, _), (left, _) = padding
    down, across = _tiles(g.shape)
    size = out.shape[2] * out.shape[3]
    tiles = len(g) * down * across
    shares = next(n for n in (8, 4, 2) if n == 2 or (n * _BLOCK <= tiles and n * POINTS * size <= _SUMS))
    sums = empty((min(shares, tiles), POINTS, size + _GAP), np.float32)
    run(
        _weight_grad, _weight_grad_parallel,
        (x, g, top, left, down, across, sums, out), g.size * x.shape[3],
    )  # fmt: skip
    return bool(np.isfinite(out).all())


def _tiles(shape: tuple[int, ...]) -> tuple[int, int]:
    """How many tiles results of the shape (N, H, W, F) take, down and across."""
    return -(-shape[1] // RESULTS), -(-shape[2] // RESULTS)


def _block(tiles: int) -> int:
    """Return how many tiles make a block: the most that still share the work evenly between two cores."""
    return min(range(_BLOCK - _BLOCK % ROWS, 0, -ROWS), key=lambda size: size * -(-tiles // size // 2))


def _convolve(
    x: Array, w: Array, turned: bool, padding: Padding, out: Array, bias: Array | None, relu: bool
) -> bool:
    (top, _), (left, _) = padding
    down, across = _tiles(out.shape)
    channels, filters = x.shape[3], out.shape[3]
    u = empty((POINTS, -(-filters // _WIDTH) * channels * _WIDTH + _GAP), np.float32)
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
    for f in range(0, filters, _WIDTH):
        to = address(u) + (f * channels + c * _WIDTH) * 4
        kernel_to_points(at + f * 4, row, column, to, SIDE * point, point, min(_WIDTH, filters - f), 0, 0)


@jit
def _forward_block(
    block: int, x: Array, top: int, left: int, down: int, across: int, size: int,
    u: Array, bias: Array, relu: int, out: Array,
) -> int:  # fmt: skip
    """Compute a block of tiles, counted through all images; return 1 if the results are finite, else 0."""
    channels, filters = x.shape[3], out.shape[3]
    first = block * size
    last = min(first + size, len(out) * down * across)
    v = np.empty((POINTS, size * channels + _GAP), np.float32)
    m = np.empty((POINTS, size * filters + _GAP), np.float32)
    patch = np.empty((SIDE, SIDE, channels), np.float32)
    for t in range(first, last):
        n, y, column = t // (down * across), t // across % down, t % across
        to = address(v) + (t - first) * channels * 4
        _tile_to_points(x, n, y * RESULTS - top, column * RESULTS - left, patch, to, v.shape[1] * 4)
    for point in range(POINTS):
        v_at, m_at = address(v) + point * v.shape[1] * 4, address(m) + point * m.shape[1] * 4
        for f in range(0, filters, _WIDTH):
            u_at = address(u) + (point * u.shape[1] + f * channels) * 4
            for t in range(0, last - first, ROWS):
                tile(
                    v_at + t * channels * 4, channels * 4, 4, 0, u_at, _WIDTH * 4, 0, channels, 1,
                    m_at + (t * filters + f) * 4, filters * 4,
                    min(ROWS, last - first - t), min(_WIDTH, filters - f), 0, 0, 0, 0,
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
def _window(x: Array, n: int, y: int, column: int, patch: Array) -> tuple[int, int, int]:
    """Return (address, row's distance, column's distance) of image n's window from a pixel on.

    The patch (size, size, C) takes a copy of a window over the border, with zeros outside.
    """
    height, width, channels = x.shape[1:]
    size = patch.shape[0]
    if y >= 0 and column >= 0 and y + size <= height and column + size <= width:
        at = address(x) + ((n * height + y) * width + column) * channels * 4
        return at, width * channels * 4, channels * 4
    for i in range(size):
        for j in range(size):
            to = patch[i, j]
            if 0 <= y + i < height and 0 <= column + j < width:
                pixel = x[n, y + i, column + j]
                for c in range(channels):
                    to[c] = pixel[c]
            else:
                to[:] = 0
    return address(patch), size * channels * 4, channels * 4


@jit
def _tile_to_points(x: Array, n: int, y: int, column: int, patch: Array, to: int, point: int) -> None:
    at, row_step, column_step = _window(x, n, y, column, patch)
    image_to_points(at, row_step, column_step, to, SIDE * point, point, x.shape[3], 0, 0)


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


# --- The gradient of the weights: v are images at the points, p gradients, and the sum over tiles -------


@jit
def _weight_grad(
    x: Array, g: Array, top: int, left: int, down: int, across: int, sums: Array, out: Array
) -> None:  # fmt: skip
    for share in range(len(sums)):
        _sum_share(share, x, g, top, left, down, across, sums)
    for c in range(out.shape[2]):
        _kernels_from_points(c, sums, out)


@jit(parallel=True)
def _weight_grad_parallel(
    x: Array, g: Array, top: int, left: int, down: int, across: int, sums: Array, out: Array
) -> None:  # fmt: skip
    for share in prange(len(sums)):
        _sum_share(share, x, g, top, left, down, across, sums)
    for c in prange(out.shape[2]):
        _kernels_from_points(c, sums, out)


@jit
def _sum_share(
    share: int, x: Array, g: Array, top: int, left: int, down: int, across: int, sums: Array
) -> None:  # fmt: skip
    """Set sums (shares, 36, C * F) of this share to v' @ p over its tiles, block by block."""
    channels, filters = x.shape[3], g.shape[3]
    total = len(g) * down * across
    start, stop = share * total // len(sums), (share + 1) * total // len(sums)
    v = np.empty((POINTS, _BLOCK * channels + _GAP), np.float32)
    p = np.empty((POINTS, -(-filters // _WIDTH) * _BLOCK * _WIDTH + _GAP), np.float32)
    for first in range(start, stop, _BLOCK):
        tiles = min(_BLOCK, stop - first)
        _images_and_grads(first, tiles, x, g, top, left, down, across, v, p)
        for point in range(POINTS):
            v_at, p_at = address(v) + point * v.shape[1] * 4, address(p) + point * p.shape[1] * 4
            to = address(sums) + (share * POINTS + point) * sums.shape[2] * 4
            for f in range(0, filters, _WIDTH):
                for c in range(0, channels, ROWS):
                    tile(
                        v_at + c * 4, 4, channels * 4, 0,
                        p_at + f * _BLOCK * 4, _WIDTH * 4, 0, tiles, 1,
                        to + (c * filters + f) * 4, filters * 4,
                        min(ROWS, channels - c), min(_WIDTH, filters - f), 0, int(first > start), 0, 0,
                    )  # fmt: skip


@jit
def _images_and_grads(
    first: int, tiles: int, x: Array, g: Array, top: int, left: int, down: int, across: int,
    v: Array, p: Array,
) -> None:  # fmt: skip
    """Bring tiles of x and g to the points: v (36, tiles * C), and p (36, panels * tiles * WIDTH)."""
    channels, filters = x.shape[3], g.shape[3]
    patch = np.empty((SIDE, SIDE, channels), np.float32)
    g_patch = np.empty((RESULTS, RESULTS, filters), np.float32)
    point = p.shape[1] * 4
    for i in range(tiles):
        t = first + i
        n, y, column = t // (down * across), t // across % down * RESULTS, t % across * RESULTS
        _tile_to_points(x, n, y - top, column - left, patch, address(v) + i * channels * 4, v.shape[1] * 4)
        at, row_step, column_step = _window(g, n, y, column, g_patch)
        for f in range(0, filters, _WIDTH):
            to = address(p) + (f * _BLOCK + i * _WIDTH) * 4
            width = min(_WIDTH, filters - f)
            grad_to_points(at + f * 4, row_step, column_step, to, SIDE * point, point, width, 0, 0)


@jit
def _kernels_from_points(c: int, sums: Array, out: Array) -> None:
    """Add up the shares for channel c, and bring its kernels' gradients back from the points."""
    filters, point = out.shape[3], sums.shape[2] * 4
    for k in range(POINTS):
        total = sums[0, k, c * filters : (c + 1) * filters]
        for share in range(1, len(sums)):
            more = sums[share, k, c * filters : (c + 1) * filters]
            for f in range(filters):
                total[f] += more[f]
    row, column = out[0].size * 4, out[0, 0].size * 4
    at = c * filters * 4
    points_to_kernel(address(sums) + at, SIDE * point, point, address(out) + at, row, column, filters, 0, 0)
