"""Normalisation of columns: statistics over the rows of a matrix, one or several columns together.

Memory sets the pace, so each pass reads the numbers once: one pass for mean and variance, one for the result.
The first goes through the rows in blocks that fit a core's first cache. In each block the mean is found
first, and then the squares of what deviates from it, as the textbook says, but from the cache. Blocks are
put together by Chan's rule: the squares about the common mean are those about each block's own mean, plus
(rows) * (block's mean - common mean)^2. (Chan, Golub & LeVeque, *Algorithms for computing the sample
variance*, 1983.) Within a block all is measured from its first row, so that neither a mean of a million nor
many equal numbers cost a digit. The second pass takes the blocks in reverse: those read last are still in
the cache.

Blocks are cut by the shape alone and put together in their order, in float64.
"""

import numpy as np
from numba import prange

from tinygrad_edu.kernels._arrays import Array
from tinygrad_edu.kernels._jit import jit
from tinygrad_edu.kernels._lanes import fma, load, spread, store

__all__ = ["column_grads", "column_grads_parallel", "columns", "columns_parallel"]


# --- Statistics of a block of rows -----------------------------------------------------------------------


@jit
def _block(task: int, x: Array, partial: Array, block: int) -> tuple[int, int, int]:
    """Where task's block of rows begins in x (N, rows, width), how many they are, and which n they are of."""
    blocks = partial.shape[0] // x.shape[0]
    n, first = task // blocks, task % blocks * block
    return (n * x.shape[1] + first) * x.shape[2], min(block, x.shape[1] - first), n


@jit
def _moments(task: int, x: Array, block: int, partial: Array) -> None:
    """Fill partial[task] with the first row, the mean less that, and the squares about the mean."""
    start, rows, _ = _block(task, x, partial, block)
    width = x.shape[2]
    share, zero = spread(x.dtype.type(1 / rows)), spread(x.dtype.type(0))
    for c in range(0, width, 64 // x.itemsize):
        lanes, at = width - c, start + c
        first = load(x, at, lanes)
        total = zero
        for r in range(0, rows - 3, 4):
            i = at + r * width
            one, two = load(x, i, lanes) - first, load(x, i + width, lanes) - first
            three, four = load(x, i + 2 * width, lanes) - first, load(x, i + 3 * width, lanes) - first
            total += (one + two) + (three + four)
        for r in range(rows - rows % 4, rows):
            total += load(x, at + r * width, lanes) - first
        mean = total * share
        squares, more = zero, zero
        for r in range(0, rows - 1, 2):
            one = (load(x, at + r * width, lanes) - first) - mean
            two = (load(x, at + (r + 1) * width, lanes) - first) - mean
            squares, more = fma(one, one, squares), fma(two, two, more)
        if rows % 2:
            one = (load(x, at + (rows - 1) * width, lanes) - first) - mean
            squares = fma(one, one, squares)
        to = task * 3 * width + c
        store(partial, to, first, lanes)
        store(partial, to + width, mean, lanes)
        store(partial, to + 2 * width, squares + more, lanes)


@jit
def _combine(
    x: Array, block: int, partial: Array, gamma: Array, beta: Array, epsilon: float,
    mean: Array, variance: Array, table: Array,
) -> None:  # fmt: skip
    """Put the blocks together; fill mean, variance (N, groups) and the table of what _apply needs."""
    samples, rows, width = x.shape
    channels, groups = len(gamma), mean.shape[1]
    each, blocks = channels // groups, partial.shape[0] // samples
    means, squares = np.empty(width), np.empty(width)
    means_of, squares_of = np.empty(groups), np.empty(groups)
    for n in range(samples):
        means[:], squares[:] = 0, 0
        for b in range(blocks):
            part, count = partial[n * blocks + b], min(block, rows - b * block)
            for c in range(width):
                means[c] += count * (np.float64(part[0, c]) + np.float64(part[1, c]))
        for c in range(width):
            means[c] /= rows
        for b in range(blocks):
            part, count = partial[n * blocks + b], min(block, rows - b * block)
            for c in range(width):
                off = np.float64(part[0, c]) + np.float64(part[1, c]) - means[c]
                squares[c] += part[2, c] + count * off * off
        means_of[:], squares_of[:] = 0, 0
        together = width // channels
        terms = rows * together * each
        for w in range(0, width, channels):
            for k in range(groups):
                for c in range(w + k * each, w + (k + 1) * each):
                    means_of[k] += means[c]
        means_of /= together * each
        for w in range(0, width, channels):
            for k in range(groups):
                for c in range(w + k * each, w + (k + 1) * each):
                    off = means[c] - means_of[k]
                    squares_of[k] += squares[c] + rows * off * off
        for k in range(groups):
            mean[n, k], variance[n, k] = means_of[k], squares_of[k] / terms
            # What float32 has no room for in the mean goes into the shift.
            beyond, inverse = (
                means_of[k] - np.float64(mean[n, k]),
                1 / np.sqrt(squares_of[k] / terms + epsilon),
            )
            for c in range(k * each, (k + 1) * each):
                scale = gamma[c] * inverse
                table[n, 0, c], table[n, 1, c], table[n, 2, c] = mean[n, k], scale, beta[c] - beyond * scale
        for w in range(channels, width, channels):
            for i in range(3):
                table[n, i, w : w + channels] = table[n, i, :channels]


@jit
def _apply(task: int, x: Array, block: int, partial: Array, table: Array, y: Array) -> None:
    """y = (x - mean) * scale + shift."""
    start, rows, n = _block(task, x, partial, block)
    width = x.shape[2]
    for r in range(rows):
        for c in range(0, width, 64 // x.itemsize):
            lanes, at, of = width - c, start + r * width + c, n * 3 * width + c
            scale, shift = load(table, of + width, lanes), load(table, of + 2 * width, lanes)
            store(y, at, fma(load(x, at, lanes) - load(table, of, lanes), scale, shift), lanes)


@jit
def columns(
    x: Array, block: int, partial: Array, gamma: Array, beta: Array, epsilon: float,
    mean: Array, variance: Array, table: Array, y: Array,
) -> None:  # fmt: skip
    for task in range(partial.shape[0]):
        _moments(task, x, block, partial)
    _combine(x, block, partial, gamma, beta, epsilon, mean, variance, table)
    for task in range(partial.shape[0]):
        _apply(partial.shape[0] - 1 - task, x, block, partial, table, y)


@jit(parallel=True)
def columns_parallel(
    x: Array, block: int, partial: Array, gamma: Array, beta: Array, epsilon: float,
    mean: Array, variance: Array, table: Array, y: Array,
) -> None:  # fmt: skip
    for task in prange(partial.shape[0]):
        _moments(task, x, block, partial)
    _combine(x, block, partial, gamma, beta, epsilon, mean, variance, table)
    for task in prange(partial.shape[0]):
        _apply(partial.shape[0] - 1 - task, x, block, partial, table, y)


# --- The gradient ----------------------------------------------------------------------------------------


@jit
def _sums(task: int, g: Array, x: Array, block: int, table: Array, partial: Array) -> None:
    """Fill partial[task] with the sums of g, of g (x - mean) and of x - mean."""
    start, rows, n = _block(task, x, partial, block)
    width = x.shape[2]
    for c in range(0, width, 64 // x.itemsize):
        lanes, at = width - c, start + c
        mean = load(table, n * 3 * width + c, lanes)
        zero = spread(x.dtype.type(0))
        g0, g1, gx0, gx1, x0, x1 = zero, zero, zero, zero, zero, zero
        for r in range(0, rows - 1, 2):
            i = at + r * width
            one, off = load(g, i, lanes), load(x, i, lanes) - mean
            g0, gx0, x0 = g0 + one, fma(one, off, gx0), x0 + off
            one, off = load(g, i + width, lanes), load(x, i + width, lanes) - mean
            g1, gx1, x1 = g1 + one, fma(one, off, gx1), x1 + off
        if rows % 2:
            one, off = load(g, at + (rows - 1) * width, lanes), load(x, at + (rows - 1) * width, lanes) - mean
            g0, gx0, x0 = g0 + one, fma(one, off, gx0), x0 + off
        to = task * 3 * width + c
        store(partial, to, g0 + g1, lanes)
        store(partial, to + width, gx0 + gx1, lanes)
        store(partial, to + 2 * width, x0 + x1, lanes)


@jit
def _combine_sums(
    g_mean: Array, g_variance: Array, x: Array, partial: Array, gamma: Array, mean: Array, variance: Array,
    epsilon: float, table: Array, dgamma: Array, dbeta: Array,
) -> None:  # fmt: skip
    """Put the blocks together; fill dgamma, dbeta (channels,) and the table of what _apply_sums needs."""
    samples, rows, width = x.shape
    channels, groups = len(gamma), mean.shape[1]
    each, blocks = channels // groups, partial.shape[0] // samples
    count = rows * width // groups
    sums = np.empty((3, width))
    dgammas, dbetas = np.zeros(channels), np.zeros(channels)
    for n in range(samples):
        sums[:] = 0
        for b in range(blocks):
            part = partial[n * blocks + b]
            for i in range(3):
                for c in range(width):
                    sums[i, c] += part[i, c]
        for w in range(channels, width, channels):
            for i in range(3):
                for c in range(channels):
                    sums[i, c] += sums[i, w + c]
        for k in range(groups):
            beyond = 0.0  # the part of the mean that float32 has no room for
            for c in range(k * each, (k + 1) * each):
                beyond += sums[2, c]
            beyond /= count
            inverse = 1 / np.sqrt(np.float64(variance[n, k]) + epsilon)
            total, along = 0.0, 0.0
            for c in range(k * each, (k + 1) * each):
                off = sums[1, c] - beyond * sums[0, c]
                dbetas[c] += sums[0, c]
                dgammas[c] += off * inverse
                total += gamma[c] * sums[0, c]
                along += gamma[c] * off
            slope = (2 * np.float64(g_variance[n, k]) - inverse**3 * along) / count
            shift = (g_mean[n, k] - inverse * total) / count - beyond * slope
            for c in range(k * each, (k + 1) * each):
                table[n, 0, c], table[n, 1, c], table[n, 2, c] = gamma[c] * inverse, slope, shift
        for w in range(channels, width, channels):
            for i in range(3):
                table[n, i, w : w + channels] = table[n, i, :channels]
    dgamma[:], dbeta[:] = dgammas, dbetas


@jit
def _apply_sums(
    task: int, g: Array, x: Array, block: int, partial: Array, means: Array, table: Array, dx: Array
) -> None:
    """dx = g * scale + (x - mean) * slope + shift."""
    start, rows, n = _block(task, x, partial, block)
    width = x.shape[2]
    for r in range(rows):
        for c in range(0, width, 64 // x.itemsize):
            lanes, at, of = width - c, start + r * width + c, n * 3 * width + c
            off = load(x, at, lanes) - load(means, of, lanes)
            shifted = fma(off, load(table, of + width, lanes), load(table, of + 2 * width, lanes))
            store(dx, at, fma(load(g, at, lanes), load(table, of, lanes), shifted), lanes)


@jit
def column_grads(
    g: Array, g_mean: Array, g_variance: Array, x: Array, block: int, partial: Array, gamma: Array,
    mean: Array, variance: Array, epsilon: float, means: Array, table: Array,
    dx: Array, dgamma: Array, dbeta: Array,
) -> None:  # fmt: skip
    for task in range(partial.shape[0]):
        _sums(task, g, x, block, means, partial)
    _combine_sums(g_mean, g_variance, x, partial, gamma, mean, variance, epsilon, table, dgamma, dbeta)
    for task in range(partial.shape[0] if dx.size else 0):
        _apply_sums(partial.shape[0] - 1 - task, g, x, block, partial, means, table, dx)


@jit(parallel=True)
def column_grads_parallel(
    g: Array, g_mean: Array, g_variance: Array, x: Array, block: int, partial: Array, gamma: Array,
    mean: Array, variance: Array, epsilon: float, means: Array, table: Array,
    dx: Array, dgamma: Array, dbeta: Array,
) -> None:  # fmt: skip
    for task in prange(partial.shape[0]):
        _sums(task, g, x, block, means, partial)
    _combine_sums(g_mean, g_variance, x, partial, gamma, mean, variance, epsilon, table, dgamma, dbeta)
    for task in prange(partial.shape[0] if dx.size else 0):
        _apply_sums(partial.shape[0] - 1 - task, g, x, block, partial, means, table, dx)
