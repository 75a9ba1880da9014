"""Normalisation of columns: statistics over the rows of a matrix, one or several columns together.

Memory sets the pace, so each pass reads the numbers once: one pass for mean and variance, one for the result.

A sum of squares about the mean seems to need the mean first. But sums d = x - p and d * d about any pivot p
give both, as the squares about the mean are sum(d * d) - sum(d)^2 / n. That difference loses as many digits
as p is far from the mean. So the rows go by in blocks, each measured from the mean of the block before it
(the first from that of its first rows). Then the digits are safe: where a block's mean is far from that of
the one before, the rows do differ by that much, and the digits lost are no digits of their variance.
Neither a mean of a million nor many equal numbers cost one.

Within a block sums are float32, in registers; blocks are put together in float64 by Chan's rule: the
squares about the common mean are those about each block's own, plus what the means themselves are apart.
(Chan, Golub & LeVeque, *Algorithms for computing the sample variance*, 1983.) The gradient goes the same way,
with the sums of g and of g * (x - mean).

Each task has some rows, cut by the shape alone, and tasks are put together in their order. The second pass
takes them in reverse: those read last are still in the cache. A result too large for the caches is stored
past them.
"""

import numpy as np
from numba import prange

from tinygrad_edu.kernels._arrays import Array
from tinygrad_edu.kernels._jit import jit
from tinygrad_edu.kernels._lanes import (
    fma,
    load,
    load_double,
    load_wide,
    select,
    settle,
    spread,
    spread_wide,
    store,
    store_past,
)

__all__ = ["column_grads", "column_grads_parallel", "columns", "columns_parallel"]

_ROWS = 128  # of a block
_TRIAL = 16  # rows whose mean is the first pivot
_WIDE = 64  # columns that are worked on at once


@jit
def _share(task: int, x: Array, each: int, tasks: int) -> tuple[int, int, int]:
    """Where task's rows begin in x (N, rows, width), how many they are, and which n they are of."""
    shares = tasks // x.shape[0]
    n, first = task // shares, task % shares * each
    return (n * x.shape[1] + first) * x.shape[2], min(each, x.shape[1] - first), n


# --- Moments ---------------------------------------------------------------------------------------------


@jit
def _deviations(x: Array, start: int, rows: int, width: int, sums: Array, to: int) -> None:
    """Sum x - pivot and its squares, from the pivots at a place in sums (…, 3, width) to the rows below."""
    zero = spread_wide(x.dtype.type(0))
    for c in range(0, width, _WIDE):
        lanes, at, place = width - c, start + c, to + c
        pivot = load_wide(sums, place, lanes)
        total, squares = zero, zero
        for _ in range(rows):
            off = load_wide(x, at, lanes) - pivot
            total += off
            squares = fma(off, off, squares)
            at += width
        store(sums, place + width, total, lanes)
        store(sums, place + 2 * width, squares, lanes)


@jit
def _move_pivots(sums: Array, to: int, width: int, rows: int) -> None:
    """Move the pivots to the mean of the rows that were measured from them."""
    share = spread(sums.dtype.type(1 / rows))
    for c in range(to, to + width, 16):
        lanes = to + width - c
        store(sums, c, fma(load(sums, c + width, lanes), share, load(sums, c, lanes)), lanes)


@jit
def _add_block(sums: Array, of: int, width: int, before: int, rows: int, moments: Array, to: int) -> None:
    """Put a block of rows to those before it, whose mean and squares lie at a place in moments."""
    share, part = spread(1 / rows), spread(rows / (before + rows))
    weight, zero = spread(rows * before / (before + rows)), spread(0.0)
    for c in range(0, width, 8):
        lanes, at, place = width - c, of + c, to + c
        total = load_double(sums, at + width, lanes)
        own = load_double(sums, at + 2 * width, lanes) - total * total * share
        own = select(zero > own, zero, own)  # by rounding; NaN stays
        mean = load(moments, place, lanes)
        off = fma(total, share, load_double(sums, at, lanes)) - mean
        store(moments, place, fma(off, part, mean), lanes)
        squares = load(moments, place + width, lanes) + own
        store(moments, place + width, fma(off * off, weight, squares), lanes)


@jit
def _moments(task: int, x: Array, each: int, sums: Array, moments: Array) -> None:
    """Fill moments[task] with the mean of its rows and the squares about it."""
    start, rows, _ = _share(task, x, each, moments.shape[0])
    width = x.shape[2]
    of, to = task * 3 * width, task * 2 * width
    sums[task, 0] = x.reshape(-1)[start : start + width]
    trial = min(_TRIAL, rows)
    _deviations(x, start, trial, width, sums, of)
    _move_pivots(sums, of, width, trial)
    moments[task] = 0
    for first in range(0, rows, _ROWS):
        block = min(_ROWS, rows - first)
        _deviations(x, start + first * width, block, width, sums, of)
        _add_block(sums, of, width, first, block, moments, to)
        _move_pivots(sums, of, width, block)


@jit
def _combine(
    x: Array, each: int, moments: Array, gamma: Array, beta: Array, epsilon: float,
    mean: Array, variance: Array, table: Array,
) -> None:  # fmt: skip
    """Put the tasks together; fill mean, variance (N, groups) and the table of what _apply needs."""
    samples, rows, width = x.shape
    channels, groups = len(gamma), mean.shape[1]
    side, shares = channels // groups, moments.shape[0] // samples
    means, squares = np.empty(width), np.empty(width)
    means_of, squares_of = np.empty(groups), np.empty(groups)
    for n in range(samples):
        means[:], squares[:] = 0, 0
        for b in range(shares):
            part, count = moments[n * shares + b], min(each, rows - b * each)
            for c in range(width):
                means[c] += count * part[0, c]
        for c in range(width):
            means[c] /= rows
        for b in range(shares):
            part, count = moments[n * shares + b], min(each, rows - b * each)
            for c in range(width):
                off = part[0, c] - means[c]
                squares[c] += part[1, c] + count * off * off
        means_of[:], squares_of[:] = 0, 0
        together = width // channels
        terms = rows * together * side
        for w in range(0, width, channels):
            for k in range(groups):
                for c in range(w + k * side, w + (k + 1) * side):
                    means_of[k] += means[c]
        means_of /= together * side
        for w in range(0, width, channels):
            for k in range(groups):
                for c in range(w + k * side, w + (k + 1) * side):
                    off = means[c] - means_of[k]
                    squares_of[k] += squares[c] + rows * off * off
        for k in range(groups):
            mean[n, k], variance[n, k] = means_of[k], squares_of[k] / terms
            # What float32 has no room for in the mean goes into the shift.
            beyond, inverse = (
                means_of[k] - np.float64(mean[n, k]),
                1 / np.sqrt(squares_of[k] / terms + epsilon),
            )
            for c in range(k * side, (k + 1) * side):
                scale = gamma[c] * inverse
                table[n, 0, c], table[n, 1, c], table[n, 2, c] = mean[n, k], scale, beta[c] - beyond * scale
        for w in range(channels, width, channels):
            for i in range(3):
                table[n, i, w : w + channels] = table[n, i, :channels]


@jit
def _apply(task: int, x: Array, each: int, tasks: int, table: Array, past: bool, y: Array) -> None:
    """y = (x - mean) * scale + shift."""
    start, rows, n = _share(task, x, each, tasks)
    width = x.shape[2]
    for first in range(0, rows, _ROWS):
        for c in range(0, width, _WIDE):
            lanes, at, of = width - c, start + first * width + c, n * 3 * width + c
            mean = load_wide(table, of, lanes)
            scale, shift = load_wide(table, of + width, lanes), load_wide(table, of + 2 * width, lanes)
            for _ in range(min(_ROWS, rows - first)):
                result = fma(load_wide(x, at, lanes) - mean, scale, shift)
                if past:
                    store_past(y, at, result)
                else:
                    store(y, at, result, lanes)
                at += width
    if past:
        settle()


@jit
def columns(
    x: Array, each: int, sums: Array, moments: Array, gamma: Array, beta: Array, epsilon: float,
    past: bool, mean: Array, variance: Array, table: Array, y: Array,
) -> None:  # fmt: skip
    tasks = moments.shape[0]
    for task in range(tasks):
        _moments(task, x, each, sums, moments)
    _combine(x, each, moments, gamma, beta, epsilon, mean, variance, table)
    for task in range(tasks):
        _apply(tasks - 1 - task, x, each, tasks, table, past, y)


@jit(parallel=True)
def columns_parallel(
    x: Array, each: int, sums: Array, moments: Array, gamma: Array, beta: Array, epsilon: float,
    past: bool, mean: Array, variance: Array, table: Array, y: Array,
) -> None:  # fmt: skip
    tasks = moments.shape[0]
    for task in prange(tasks):
        _moments(task, x, each, sums, moments)
    _combine(x, each, moments, gamma, beta, epsilon, mean, variance, table)
    for task in prange(tasks):
        _apply(tasks - 1 - task, x, each, tasks, table, past, y)


# --- The gradient ----------------------------------------------------------------------------------------


@jit
def _lay_out(mean: Array, means: Array, channels: int) -> None:
    """Write the mean of each group (N, groups) to the columns that are of it."""
    side = channels // mean.shape[1]
    for n in range(mean.shape[0]):
        for c in range(means.shape[2]):
            means[n, 0, c] = mean[n, c % channels // side]


@jit
def _sums(task: int, g: Array, x: Array, each: int, table: Array, block: Array, sums: Array) -> None:
    """Fill sums[task] with the sums of g, of g (x - mean) and of x - mean."""
    start, rows, n = _share(task, x, each, sums.shape[0])
    width, of = x.shape[2], task * 3 * x.shape[2]
    zero = spread_wide(x.dtype.type(0))
    sums[task] = 0
    for first in range(0, rows, _ROWS):
        for c in range(0, width, _WIDE):
            lanes, at, to = width - c, start + first * width + c, of + c
            mean = load_wide(table, n * 3 * width + c, lanes)
            along_1, along_x, beyond = zero, zero, zero
            for _ in range(min(_ROWS, rows - first)):
                one, off = load_wide(g, at, lanes), load_wide(x, at, lanes) - mean
                along_1, along_x, beyond = along_1 + one, fma(one, off, along_x), beyond + off
                at += width
            store(block, to, along_1, lanes)
            store(block, to + width, along_x, lanes)
            store(block, to + 2 * width, beyond, lanes)
        for i in range(of, of + 3 * width, 8):
            lanes = of + 3 * width - i
            store(sums, i, load(sums, i, lanes) + load_double(block, i, lanes), lanes)


@jit
def _combine_sums(
    g_mean: Array, g_variance: Array, x: Array, partial: Array, gamma: Array, mean: Array, variance: Array,
    epsilon: float, table: Array, grads: Array,
) -> None:  # fmt: skip
    """Put the tasks together; fill grads (2, channels) of scale and shift, and the table for _apply_sums."""
    samples, rows, width = x.shape
    channels, groups = len(gamma), mean.shape[1]
    side, shares = channels // groups, partial.shape[0] // samples
    count = rows * width // groups
    sums = np.empty((3, width))
    dgammas, dbetas = np.zeros(channels), np.zeros(channels)
    for n in range(samples):
        sums[:] = 0
        for b in range(shares):
            part = partial[n * shares + b]
            for i in range(3):
                for c in range(width):
                    sums[i, c] += part[i, c]
        for w in range(channels, width, channels):
            for i in range(3):
                for c in range(channels):
                    sums[i, c] += sums[i, w + c]
        for k in range(groups):
            beyond = 0.0  # the part of the mean that float32 has no room for
            for c in range(k * side, (k + 1) * side):
                beyond += sums[2, c]
            beyond /= count
            inverse = 1 / np.sqrt(np.float64(variance[n, k]) + epsilon)
            total, along = 0.0, 0.0
            for c in range(k * side, (k + 1) * side):
                off = sums[1, c] - beyond * sums[0, c]
                dbetas[c] += sums[0, c]
                dgammas[c] += off * inverse
                total += gamma[c] * sums[0, c]
                along += gamma[c] * off
            slope = (2 * np.float64(g_variance[n, k]) - inverse**3 * along) / count
            shift = (g_mean[n, k] - inverse * total) / count - beyond * slope
            for c in range(k * side, (k + 1) * side):
                table[n, 0, c], table[n, 1, c], table[n, 2, c] = gamma[c] * inverse, slope, shift
        for w in range(channels, width, channels):
            for i in range(3):
                table[n, i, w : w + channels] = table[n, i, :channels]
    grads[0], grads[1] = dgammas, dbetas


@jit
def _apply_sums(
    task: int, g: Array, x: Array, each: int, tasks: int, means: Array, table: Array, past: bool, dx: Array
) -> None:
    """dx = g * scale + (x - mean) * slope + shift."""
    start, rows, n = _share(task, x, each, tasks)
    width = x.shape[2]
    for first in range(0, rows, _ROWS):
        for c in range(0, width, _WIDE):
            lanes, at, of = width - c, start + first * width + c, n * 3 * width + c
            mean, scale = load_wide(means, of, lanes), load_wide(table, of, lanes)
            slope, shift = load_wide(table, of + width, lanes), load_wide(table, of + 2 * width, lanes)
            for _ in range(min(_ROWS, rows - first)):
                shifted = fma(load_wide(x, at, lanes) - mean, slope, shift)
                result = fma(load_wide(g, at, lanes), scale, shifted)
                if past:
                    store_past(dx, at, result)
                else:
                    store(dx, at, result, lanes)
                at += width
    if past:
        settle()


@jit
def column_grads(
    g: Array, g_mean: Array, g_variance: Array, x: Array, each: int, block: Array, sums: Array, gamma: Array,
    mean: Array, variance: Array, epsilon: float, past: bool, means: Array, table: Array,
    dx: Array, grads: Array,
) -> None:  # fmt: skip
    tasks = sums.shape[0]
    _lay_out(mean, means, len(gamma))
    for task in range(tasks):
        _sums(task, g, x, each, means, block, sums)
    _combine_sums(g_mean, g_variance, x, sums, gamma, mean, variance, epsilon, table, grads)
    for task in range(tasks):
        _apply_sums(tasks - 1 - task, g, x, each, tasks, means, table, past, dx)


@jit(parallel=True)
def column_grads_parallel(
    g: Array, g_mean: Array, g_variance: Array, x: Array, each: int, block: Array, sums: Array, gamma: Array,
    mean: Array, variance: Array, epsilon: float, past: bool, means: Array, table: Array,
    dx: Array, grads: Array,
) -> None:  # fmt: skip
    tasks = sums.shape[0]
    _lay_out(mean, means, len(gamma))
    for task in prange(tasks):
        _sums(task, g, x, each, means, block, sums)
    _combine_sums(g_mean, g_variance, x, sums, gamma, mean, variance, epsilon, table, grads)
    for task in prange(tasks):
        _apply_sums(tasks - 1 - task, g, x, each, tasks, means, table, past, dx)
