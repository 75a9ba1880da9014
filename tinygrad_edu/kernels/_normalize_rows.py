"""Normalisation of rows: statistics over numbers that lie side by side.

A row is read from memory once: for its mean and variance, and a second time, from the cache, for the result.
Mean and variance come out of one loop, measured from a pivot as in :mod:`_normalize_columns`: the mean of the
row's first numbers, and in long rows, which are summed in pieces, that of the piece before.

The second loop goes over a few rows at once, a stretch of columns after the other: scale and shift are
loaded once for all of them. So are the gradients of scale and shift, sums down the rows, which would else
cost two stores for every number. Each task keeps its own sums, and they are added in the order of the tasks.
"""

import numpy as np
from numba import prange

from tinygrad_edu.kernels._arrays import Array
from tinygrad_edu.kernels._jit import jit
from tinygrad_edu.kernels._lanes import first, fma, load_wide, spread_wide, store, total

__all__ = ["row_grads", "row_grads_parallel", "rows", "rows_parallel"]

_PIECE = 1024  # numbers that are added up in their own dtype
_WIDE = 64  # numbers of a wide vector
_TOGETHER = 4  # rows


@jit
def _deviations(x: Array, at: int, length: int, pivot: float) -> tuple[float, float]:
    """Sums of x - pivot and of its squares, over the numbers from a place on."""
    zero, less = spread_wide(x.dtype.type(0)), spread_wide(pivot)
    sums, squares = zero, zero
    rest = length % _WIDE
    for j in range(at, at + length - rest, _WIDE):
        off = load_wide(x, j, _WIDE) - less
        sums, squares = sums + off, fma(off, off, squares)
    if rest:
        off = first(load_wide(x, at + length - rest, rest) - less, rest)
        sums, squares = sums + off, fma(off, off, squares)
    return total(sums), total(squares)


@jit
def _row_moments(x: Array, at: int, length: int) -> tuple[float, float]:
    """Return the mean of a row and the squares about it."""
    trial, origin = min(_WIDE, length), x.flat[at]
    pivot = x.dtype.type(origin + _deviations(x, at, trial, origin)[0] / trial)
    mean, squares = 0.0, 0.0
    for before in range(0, length, _PIECE):
        n = min(_PIECE, length - before)
        sums, own = _deviations(x, at + before, n, pivot)
        away, part = np.float64(sums) / n, n / (before + n)
        own_squares = np.float64(own) - sums * away
        off = pivot + away - mean
        mean += off * part
        squares += (0.0 if own_squares < 0 else own_squares) + off * off * (before * part)
        pivot = x.dtype.type(pivot + away)
    return mean, squares


@jit
def _normalize_rows(
    task: int, x: Array, block: int, gamma: Array, beta: Array, epsilon: float,
    mean: Array, variance: Array, y: Array,
) -> None:  # fmt: skip
    length, kinds, dtype = x.shape[1], gamma.shape[0], x.dtype.type
    together = _TOGETHER if kinds == 1 else 1
    found = np.empty((_TOGETHER, 2), x.dtype)
    stop = min((task + 1) * block, x.shape[0])
    for i in range(task * block, stop, together):
        n = min(together, stop - i)
        for r in range(n):
            exact, squares = _row_moments(x, (i + r) * length, length)
            mean[i + r], variance[i + r] = exact, squares / length
            inverse = 1 / np.sqrt(squares / length + epsilon)
            beyond = exact - np.float64(mean[i + r])  # the part of the mean that float32 has no room for
            found[r, 0], found[r, 1] = inverse, -beyond * inverse
        for j in range(0, length, _WIDE):
            lanes, of = length - j, i % kinds * length + j
            scale, shift = load_wide(gamma, of, lanes), load_wide(beta, of, lanes)
            for r in range(n):
                at = (i + r) * length + j
                less, times, rest = mean[i + r], found[r, 0], found[r, 1]
                off = load_wide(x, at, lanes) - spread_wide(dtype(less))
                normal = fma(off, spread_wide(times), spread_wide(rest))
                store(y, at, fma(normal, scale, shift), lanes)


@jit
def rows(
    x: Array, block: int, gamma: Array, beta: Array, epsilon: float, mean: Array, variance: Array, y: Array
) -> None:
    for task in range(-(-x.shape[0] // block)):
        _normalize_rows(task, x, block, gamma, beta, epsilon, mean, variance, y)


@jit(parallel=True)
def rows_parallel(
    x: Array, block: int, gamma: Array, beta: Array, epsilon: float, mean: Array, variance: Array, y: Array
) -> None:
    for task in prange(-(-x.shape[0] // block)):
        _normalize_rows(task, x, block, gamma, beta, epsilon, mean, variance, y)


# --- The gradient ----------------------------------------------------------------------------------------


@jit
def _row_sums(
    g: Array, x: Array, gamma: Array, at: int, of: int, length: int, mean: float
) -> tuple[float, float, float]:
    """Sums of h = g gamma, of h (x - mean), and of x - mean."""
    zero, less = spread_wide(x.dtype.type(0)), spread_wide(mean)
    all_h, all_hx, all_x = 0.0, 0.0, 0.0
    for start in range(0, length, _PIECE):
        stop = min(start + _PIECE, length)
        h, hx, away = zero, zero, zero
        rest = (stop - start) % _WIDE
        for j in range(start, stop - rest, _WIDE):
            off = load_wide(x, at + j, _WIDE) - less
            one = load_wide(g, at + j, _WIDE) * load_wide(gamma, of + j, _WIDE)
            h, hx, away = h + one, fma(one, off, hx), away + off
        if rest:
            j = stop - rest
            off = first(load_wide(x, at + j, rest) - less, rest)
            one = load_wide(g, at + j, rest) * load_wide(gamma, of + j, rest)
            h, hx, away = h + one, fma(one, off, hx), away + off
        all_h, all_hx, all_x = all_h + total(h), all_hx + total(hx), all_x + total(away)
    return all_h, all_hx, all_x


@jit
def _row_grads(
    task: int, g: Array, g_mean: Array, g_variance: Array, x: Array, block: int, gamma: Array,
    mean: Array, variance: Array, epsilon: float, dx: Array, parts: Array,
) -> None:  # fmt: skip
    length, kinds = x.shape[1], gamma.shape[0]
    together = _TOGETHER if kinds == 1 else 1
    found = np.empty((_TOGETHER, 4), x.dtype)
    stop = min((task + 1) * block, x.shape[0])
    for i in range(task * block, stop, together):
        n, kind = min(together, stop - i), i % kinds
        for r in range(n):
            k = i + r
            along_1, along_x, beyond = _row_sums(g, x, gamma, k * length, kind * length, length, mean[k])
            beyond /= length  # the part of the mean that float32 has no room for
            along_x -= beyond * along_1
            inverse = 1 / np.sqrt(np.float64(variance[k]) + epsilon)
            slope = (2 * np.float64(g_variance[k]) - inverse**3 * along_x) / length
            shift = (g_mean[k] - inverse * along_1) / length - beyond * slope
            found[r, 0], found[r, 1], found[r, 2], found[r, 3] = inverse, slope, shift, -beyond * inverse
        for j in range(0, length, _WIDE):
            lanes, of = length - j, (task * 2 * kinds + kind) * length + j
            to = of + kinds * length
            scale = load_wide(gamma, kind * length + j, lanes)
            dgamma, dbeta = load_wide(parts, of, lanes), load_wide(parts, to, lanes)
            for r in range(n):
                at, times = (i + r) * length + j, spread_wide(found[r, 0])
                one, off = load_wide(g, at, lanes), load_wide(x, at, lanes) - spread_wide(mean[i + r])
                shifted = fma(off, spread_wide(found[r, 1]), spread_wide(found[r, 2]))
                store(dx, at, fma(one * scale, times, shifted), lanes)
                dgamma = fma(one, fma(off, times, spread_wide(found[r, 3])), dgamma)
                dbeta += one
            store(parts, of, dgamma, lanes)
            store(parts, to, dbeta, lanes)


@jit
def row_grads(
    g: Array, g_mean: Array, g_variance: Array, x: Array, block: int, gamma: Array,
    mean: Array, variance: Array, epsilon: float, dx: Array, parts: Array,
) -> None:  # fmt: skip
    for task in range(parts.shape[0]):
        _row_grads(task, g, g_mean, g_variance, x, block, gamma, mean, variance, epsilon, dx, parts)


@jit(parallel=True)
def row_grads_parallel(
    g: Array, g_mean: Array, g_variance: Array, x: Array, block: int, gamma: Array,
    mean: Array, variance: Array, epsilon: float, dx: Array, parts: Array,
) -> None:  # fmt: skip
    for task in prange(parts.shape[0]):
        _row_grads(task, g, g_mean, g_variance, x, block, gamma, mean, variance, epsilon, dx, parts)
