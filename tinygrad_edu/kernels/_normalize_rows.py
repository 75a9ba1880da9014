"""Normalisation of rows: statistics over numbers that lie side by side.

A row is read from memory once: its mean, its variance and the result are three loops over a row that by
then is in the cache. As each sum runs along the row, the compiler spreads it over vectors itself. Here too
everything is measured from the row's first number, and long rows are summed in pieces, which float64 adds.

The gradients of scale and shift are sums down the rows. Each task keeps its own, and they are added in the
order of the tasks.
"""

import numpy as np
from numba import prange

from tinygrad_edu.kernels._arrays import Array
from tinygrad_edu.kernels._jit import jit
from tinygrad_edu.kernels._lanes import fma, load, spread, store, total

__all__ = ["row_grads", "row_grads_parallel", "rows", "rows_parallel"]

_PIECE = 1024  # numbers that are added up in their own dtype


@jit
def _sum_from(x: Array, at: int, length: int, origin: float, mean: float) -> tuple[float, float]:
    """Sums of x - origin - mean and of its squares, over the numbers from a place on."""
    lanes = 64 // x.itemsize
    zero, from_, less = spread(x.dtype.type(0)), spread(origin), spread(mean)
    all_sums, all_squares = 0.0, 0.0
    for start in range(0, length, _PIECE):
        stop = min(start + _PIECE, length)
        s0, s1, q0, q1 = zero, zero, zero, zero
        whole = stop - (stop - start) % (2 * lanes)
        for j in range(start, whole, 2 * lanes):
            one = (load(x, at + j, lanes) - from_) - less
            two = (load(x, at + j + lanes, lanes) - from_) - less
            s0, s1, q0, q1 = s0 + one, s1 + two, fma(one, one, q0), fma(two, two, q1)
        sums, squares = total(s0 + s1), total(q0 + q1)
        for j in range(at + whole, at + stop):
            off = (x.flat[j] - origin) - mean
            sums, squares = sums + off, squares + off * off
        all_sums, all_squares = all_sums + sums, all_squares + squares
    return all_sums, all_squares


@jit
def _normalize_rows(
    task: int, x: Array, block: int, gamma: Array, beta: Array, epsilon: float,
    mean: Array, variance: Array, y: Array,
) -> None:  # fmt: skip
    length, kinds = x.shape[1], gamma.shape[0]
    for i in range(task * block, min((task + 1) * block, x.shape[0])):
        origin = x[i, 0]
        from_origin = _sum_from(x, i * length, length, origin, x.dtype.type(0))[0] / length
        squares = _sum_from(x, i * length, length, origin, x.dtype.type(from_origin))[1] / length
        exact = np.float64(origin) + from_origin
        mean[i], variance[i] = exact, squares
        inverse = 1 / np.sqrt(squares + epsilon)
        middle, slope = mean[i], x.dtype.type(inverse)
        beyond = x.dtype.type((exact - np.float64(middle)) * inverse)
        of, at = i % kinds * length, i * length
        minus, times, rest = spread(middle), spread(slope), spread(beyond)
        for j in range(0, length, 64 // x.itemsize):
            lanes = length - j
            normal = (load(x, at + j, lanes) - minus) * times - rest
            store(y, at + j, fma(normal, load(gamma, of + j, lanes), load(beta, of + j, lanes)), lanes)


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
    lanes = 64 // x.itemsize
    zero, less = spread(x.dtype.type(0)), spread(mean)
    all_h, all_hx, all_x = 0.0, 0.0, 0.0
    for start in range(0, length, _PIECE):
        stop = min(start + _PIECE, length)
        h, hx, off = zero, zero, zero
        whole = stop - (stop - start) % lanes
        for j in range(start, whole, lanes):
            away, one = load(x, at + j, lanes) - less, load(g, at + j, lanes) * load(gamma, of + j, lanes)
            h, hx, off = h + one, fma(one, away, hx), off + away
        sums = total(h), total(hx), total(off)
        for j in range(whole, stop):
            away_, one_ = x.flat[at + j] - mean, g.flat[at + j] * gamma.flat[of + j]
            sums = sums[0] + one_, sums[1] + one_ * away_, sums[2] + away_
        all_h, all_hx, all_x = all_h + sums[0], all_hx + sums[1], all_x + sums[2]
    return all_h, all_hx, all_x


@jit
def _row_grads(
    task: int, g: Array, g_mean: Array, g_variance: Array, x: Array, block: int, gamma: Array,
    mean: Array, variance: Array, epsilon: float, dx: Array, dgammas: Array, dbetas: Array,
) -> None:  # fmt: skip
    length, kinds, dtype = x.shape[1], gamma.shape[0], x.dtype.type
    for i in range(task * block, min((task + 1) * block, x.shape[0])):
        at, of, to = i * length, i % kinds * length, (task * kinds + i % kinds) * length
        along_1, along_x, beyond = _row_sums(g, x, gamma, at, of, length, mean[i])
        beyond /= length  # the part of the mean that float32 has no room for
        along_x -= beyond * along_1
        inverse = 1 / np.sqrt(np.float64(variance[i]) + epsilon)
        slope = (2 * np.float64(g_variance[i]) - inverse**3 * along_x) / length
        shift = (g_mean[i] - inverse * along_1) / length - beyond * slope
        less, a, b, c = spread(mean[i]), spread(dtype(inverse)), spread(dtype(slope)), spread(dtype(shift))
        rest = spread(dtype(beyond * inverse))
        for j in range(0, length, 64 // x.itemsize):
            lanes = length - j
            one, off = load(g, at + j, lanes), load(x, at + j, lanes) - less
            store(dx, at + j, fma(one * load(gamma, of + j, lanes), a, fma(off, b, c)), lanes)
            store(dgammas, to + j, fma(one, off * a - rest, load(dgammas, to + j, lanes)), lanes)
            store(dbetas, to + j, load(dbetas, to + j, lanes) + one, lanes)


@jit
def row_grads(
    g: Array, g_mean: Array, g_variance: Array, x: Array, block: int, gamma: Array,
    mean: Array, variance: Array, epsilon: float, dx: Array, dgammas: Array, dbetas: Array,
) -> None:  # fmt: skip
    for task in range(dgammas.shape[0]):
        _row_grads(task, g, g_mean, g_variance, x, block, gamma, mean, variance, epsilon, dx, dgammas, dbetas)


@jit(parallel=True)
def row_grads_parallel(
    g: Array, g_mean: Array, g_variance: Array, x: Array, block: int, gamma: Array,
    mean: Array, variance: Array, epsilon: float, dx: Array, dgammas: Array, dbetas: Array,
) -> None:  # fmt: skip
    for task in prange(dgammas.shape[0]):
        _row_grads(task, g, g_mean, g_variance, x, block, gamma, mean, variance, epsilon, dx, dgammas, dbetas)
