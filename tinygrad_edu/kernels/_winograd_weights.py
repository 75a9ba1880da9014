"""The gradient of the kernels by Winograd: the formula of :mod:`._winograd` in mirror writing.

    dw = G' [ sum over tiles of (B' x B) * (A g A') ] G

At each of the 36 points it is a matrix product, (channels, tiles) by (tiles, filters), and there are two
orders in which to compute them. Each keeps in a core's own cache what the other sends through memory.

- *Many tiles, small kernels*: shares of the tiles. Each share brings its tiles to the points block by block,
  and adds their products to sums of its own, (36, C, F), which are added up at the end.
- *Few tiles, large kernels*, as at the bottom of a U-Net: first all tiles are brought to the points. Then a
  task has a few channels: it sums up their products over all tiles, and brings them back from the points at
  once. The sums for 256 -> 256 channels, 9.4 MB, are never whole; and no share adds up what others did.
"""

# mypy: disable-error-code="call-arg, var-annotated"
# (Intrinsics are called without the typing context that they are defined with.)

import numpy as np
from numba import prange

from tinygrad_edu.kernels._arrays import Array, Padding
from tinygrad_edu.kernels._jit import jit, two_forms
from tinygrad_edu.kernels._memory import empty
from tinygrad_edu.kernels._simd import ROWS, address, tile
from tinygrad_edu.kernels._threads import run
from tinygrad_edu.kernels._winograd_tiles import BLOCK, GAP, WIDTH, count_tiles, tile_to_points, window
from tinygrad_edu.kernels._winograd_transforms import (
    POINTS,
    RESULTS,
    SIDE,
    grad_to_points,
    points_to_kernel,
)

__all__ = ["conv2d_weight_grad"]

_SUMS = 2**22  # numbers, about, in the sums of all shares of the tiles
_CHANNELS = 2 * ROWS  # of a task where tiles are few: a panel of g that is in the first cache is used twice
_TOGETHER = 4  # tiles that are brought to the points by one task there


def conv2d_weight_grad(x: Array, g: Array, padding: Padding, out: Array) -> bool:
    """Fill out, like w, with the gradient of ``_winograd.conv2d`` with respect to w, and return True.

    Or return False, as that does, if a result isn't finite. Error: relative to the sum of ``|x| |g|`` over
    the images at most 2.5e-6, root mean square 1e-7.
    """
    (top, _), (left, _) = padding
    down, across = count_tiles(g.shape)
    channels, filters = out.shape[2:]
    tiles, size, work = len(g) * down * across, channels * filters, g.size * channels
    shares = next(n for n in (8, 4, 2) if n == 2 or (n * BLOCK <= tiles and n * POINTS * size <= _SUMS))
    place = top, left, down, across
    if tiles * (channels + filters) < shares * size:
        v = empty((POINTS, tiles * channels + GAP), np.float32)
        p = empty((POINTS, tiles * _whole(filters) + GAP), np.float32)
        run(_by_channels, _by_channels_parallel, (x, g, *place, v, p, out), work)
    else:
        sums = empty((min(shares, tiles), POINTS, size + GAP), np.float32)
        run(_by_shares, _by_shares_parallel, (x, g, *place, sums, out), work)
    return bool(np.isfinite(out).all())


def _whole(filters: int) -> int:
    """Return the filters in whole panels."""
    return -(-filters // WIDTH) * WIDTH


# v are images at the points, (36, tiles * C); p gradients of the results, (36, panels * tiles * WIDTH).


@jit
def _to_points(
    first: int, tiles: int, x: Array, g: Array, top: int, left: int, down: int, across: int,
    v: Array, p: Array, at: int, held: int,
) -> None:  # fmt: skip
    """Bring so many tiles of x and g to the points: to places from ``at`` on in v and p, which hold some."""
    channels, filters = x.shape[3], g.shape[3]
    patch = np.empty((SIDE, SIDE, channels), np.float32)
    g_patch = np.empty((RESULTS, RESULTS, filters), np.float32)
    point = p.shape[1] * 4
    for i in range(tiles):
        t = first + i
        n, y, column = t // (down * across), t // across % down * RESULTS, t % across * RESULTS
        to = address(v) + (at + i) * channels * 4
        tile_to_points(x, n, y - top, column - left, patch, to, v.shape[1] * 4)
        source, row_step, column_step = window(g, n, y, column, g_patch)
        for f in range(0, filters, WIDTH):
            to, width = address(p) + (f * held + (at + i) * WIDTH) * 4, min(WIDTH, filters - f)
            grad_to_points(source + f * 4, row_step, column_step, to, SIDE * point, point, width, 0, 0)


@jit
def _products(
    v: Array, p: Array, tiles: int, held: int, channels: int, first: int, last: int, filters: int,
    to: int, point_step: int, add: int,
) -> None:  # fmt: skip
    """Set (or add to) the sums at ``to``, (36, last - first, F), to v' @ p of channels first to last."""
    for point in range(POINTS):
        v_at, p_at = address(v) + point * v.shape[1] * 4, address(p) + point * p.shape[1] * 4
        for f in range(0, filters, WIDTH):
            for c in range(first, last, ROWS):
                tile(
                    v, v_at + c * 4, 4, channels * 4, 0, p_at + f * held * 4, WIDTH * 4, 0, tiles, 1,
                    to + point * point_step + ((c - first) * filters + f) * 4, filters * 4,
                    min(ROWS, last - c), min(WIDTH, filters - f), 0, add, 0, 0,
                )  # fmt: skip


@jit
def _from_points(c: int, sums: Array, first: int, out: Array) -> None:
    """Add up the sums of all shares for channel c, and bring its kernels back from the points.

    The sums are (shares, 36, channels * F), of the channels from ``first`` on.
    """
    filters, point = out.shape[3], sums.shape[2] * 4
    begin = (c - first) * filters
    for k in range(POINTS):
        total = sums[0, k, begin : begin + filters]
        for share in range(1, len(sums)):
            more = sums[share, k, begin : begin + filters]
            for f in range(filters):
                total[f] += more[f]
    row, column = out[0].size * 4, out[0, 0].size * 4
    at, to = address(sums) + begin * 4, address(out) + c * filters * 4
    points_to_kernel(at, SIDE * point, point, to, row, column, filters, 0, 0)


# --- Many tiles: shares of them ------------------------------------------------------------------------


@jit
def _sum_share(
    share: int, x: Array, g: Array, top: int, left: int, down: int, across: int, sums: Array
) -> None:  # fmt: skip
    """Set sums (shares, 36, C * F) of this share to v' @ p over its tiles, block by block."""
    channels, filters = x.shape[3], g.shape[3]
    total = len(g) * down * across
    start, stop = share * total // len(sums), (share + 1) * total // len(sums)
    v = np.empty((POINTS, BLOCK * channels + GAP), np.float32)
    p = np.empty((POINTS, -(-filters // WIDTH) * BLOCK * WIDTH + GAP), np.float32)
    for first in range(start, stop, BLOCK):
        tiles = min(BLOCK, stop - first)
        _to_points(first, tiles, x, g, top, left, down, across, v, p, 0, BLOCK)
        to, point = address(sums[share]), sums.shape[2] * 4
        _products(v, p, tiles, BLOCK, channels, 0, channels, filters, to, point, int(first > start))


def _shares(
    x: Array, g: Array, top: int, left: int, down: int, across: int, sums: Array, out: Array
) -> None:  # fmt: skip
    for share in prange(len(sums)):
        _sum_share(share, x, g, top, left, down, across, sums)
    for c in prange(out.shape[2]):
        _from_points(c, sums, 0, out)


_by_shares, _by_shares_parallel = two_forms(_shares, "_by_shares")


# --- Few tiles: all of them, for a few channels --------------------------------------------------------


@jit
def _sum_channels(first: int, v: Array, p: Array, tiles: int, out: Array) -> None:
    channels, filters = out.shape[2], out.shape[3]
    last = min(first + _CHANNELS, channels)
    sums = np.empty((1, POINTS, _CHANNELS * filters + GAP), np.float32)
    _products(v, p, tiles, tiles, channels, first, last, filters, address(sums), sums.shape[2] * 4, 0)
    for c in range(first, last):
        _from_points(c, sums, first, out)


def _channels(
    x: Array, g: Array, top: int, left: int, down: int, across: int, v: Array, p: Array, out: Array
) -> None:  # fmt: skip
    tiles = len(g) * down * across
    for together in prange(-(-tiles // _TOGETHER)):
        first = together * _TOGETHER
        some = min(_TOGETHER, tiles - first)
        _to_points(first, some, x, g, top, left, down, across, v, p, first, tiles)
    for task in prange(-(-out.shape[2] // _CHANNELS)):
        _sum_channels(task * _CHANNELS, v, p, tiles, out)


_by_channels, _by_channels_parallel = two_forms(_channels, "_by_channels")
