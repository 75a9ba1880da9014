"""Convolution in which each filter sees one channel alone.

Nothing is summed over channels here, so there is no matrix product to make of it. A row of outputs is a
sum of shifted, scaled rows of inputs: as few as nine multiplications a number, so that memory sets the pace.
Channels are neighbours in memory, and a vector of them is worked on at once: eight pixels' sums stay in
registers while the taps of the kernel go by, and are stored once.

The gradient of the input is such a sum too, of rows of g. With strides it falls into *phases*: the pixels in
places 0, s, 2s, ... are seen by the same taps, those in places 1, s + 1, ... by others. So one loop does
both ways, and :func:`_taps` tells it which row each tap reads and how far it is shifted.

Padding is never there: a tap that would read beside the image is left out. Only where the kernel is infinite
or sees nothing but padding do its zeros make a difference (0 * inf is NaN), and then they are put there.

A channel that several filters see is repeated for each of them. Everything is contiguous; threads share out
the rows.
"""

from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numba import prange

from tinygrad_edu.kernels._arrays import Array, Padding, Pair, pad
from tinygrad_edu.kernels._arrays import spread as reach
from tinygrad_edu.kernels._jit import jit
from tinygrad_edu.kernels._lanes import fma, load, spread, store
from tinygrad_edu.kernels._threads import run

__all__ = ["conv2d", "conv2d_input_grad", "conv2d_weight_grad"]

_NONE = ((0, 0), (0, 0))
_ROWS_APART = 16  # rows of outputs whose share of the weights' gradient is summed by one task


def conv2d(
    x: Array, w: Array, strides: Pair, padding: Padding, dilation: Pair, groups: int, out: Array
) -> None:
    if not np.isfinite(w).all():
        x, padding = pad(x, padding), _NONE
    x = _repeated(x, w.shape[3] // groups)
    rows = _taps(out.shape[1], x.shape[1], w.shape[0], strides[0], dilation[0], padding[0][0])
    columns = _taps(out.shape[2], x.shape[2], w.shape[1], strides[1], dilation[1], padding[1][0])
    arguments = (x, w.reshape(*w.shape[:2], -1), rows, columns, out)
    run(_correlate, _correlate_parallel, arguments, out.size * w[..., 0, 0].size)


def conv2d_input_grad(
    g: Array, w: Array, strides: Pair, padding: Padding, dilation: Pair, groups: int, out: Array
) -> None:
    copies = w.shape[3] // groups
    grad = out if copies == 1 else np.empty((*out.shape[:3], w.shape[3]), out.dtype)
    rows = _taps_back(out.shape[1], g.shape[1], w.shape[0], strides[0], dilation[0], padding[0][0])
    columns = _taps_back(out.shape[2], g.shape[2], w.shape[1], strides[1], dilation[1], padding[1][0])
    arguments = (g, w.reshape(*w.shape[:2], -1), rows, columns, grad)
    run(_correlate, _correlate_parallel, arguments, g.size * w[..., 0, 0].size)
    if copies > 1:
        out[...] = grad[..., ::copies]
        for i in range(1, copies):  # much quicker than NumPy's sum over a last axis this short
            out += grad[..., i::copies]


def conv2d_weight_grad(
    x: Array, g: Array, strides: Pair, padding: Padding, dilation: Pair, groups: int, out: Array
) -> None:
    kh, kw = reach(out.shape, dilation)
    if max(padding[0]) >= kh or max(padding[1]) >= kw:
        x, padding = pad(x, padding), _NONE
    x = _repeated(x, out.shape[3] // groups)
    rows = _taps(g.shape[1], x.shape[1], out.shape[0], strides[0], dilation[0], padding[0][0])
    columns = _taps(g.shape[2], x.shape[2], out.shape[1], strides[1], dilation[1], padding[1][0])
    bands = -(-g.shape[1] // _ROWS_APART)
    grads = np.zeros((len(x) * bands, *out.shape[:2], out.shape[3]), out.dtype)
    run(_weigh, _weigh_parallel, (x, g, rows, columns, grads), g.size * out[..., 0, 0].size)
    grad = np.add.reduce(grads, axis=0, out=out[:, :, 0])
    if padding != _NONE and not np.isfinite(grad).all():
        conv2d_weight_grad(pad(x, padding), g, strides, _NONE, dilation, out.shape[3], out)


def _repeated(x: Array, copies: int) -> Array:
    return x if copies == 1 else np.repeat(x, copies, axis=3)


# --- Which taps read what --------------------------------------------------------------------------------


class Taps(NamedTuple):
    """Along one axis: output first[p] + j * steps[0] reads place shift + j * steps[1], for each tap."""

    first: Array  # (phases,) of the outputs
    steps: Array  # (2,) between outputs of a phase, and between the places that one tap reads
    number: Array  # (phases,) of taps
    taps: Array  # (phases, most taps, 2): which tap, and its shift
    inside: Array  # (phases, 2): from which j to which all taps read within the image


@lru_cache(maxsize=256)
def _taps(outputs: int, inputs: int, kernel: int, stride: int, dilation: int, before: int) -> Taps:
    """Forward: output j reads input j * stride + k * dilation - before with tap k."""
    return _table(outputs, inputs, 1, stride, [[(k, k * dilation - before) for k in range(kernel)]])


@lru_cache(maxsize=256)
def _taps_back(outputs: int, inputs: int, kernel: int, stride: int, dilation: int, before: int) -> Taps:
    """Backward: pixel y takes g[o] with tap k where o * stride + k * dilation - before = y."""
    phases = []
    for first in range(stride):
        numerators = [(k, first + before - k * dilation) for k in range(kernel)]
        phases.append([(k, n // stride) for k, n in numerators if n % stride == 0])
    return _table(outputs, inputs, stride, 1, phases)


def _table(outputs: int, inputs: int, step: int, read_step: int, phases: list[list[Pair]]) -> Taps:
    taps = np.zeros((len(phases), max(map(len, phases)), 2), np.int64)
    inside = np.zeros((len(phases), 2), np.int64)
    for first, phase in enumerate(phases):
        taps[first, : len(phase)] = np.reshape(phase, (-1, 2))
        shifts = [shift for _, shift in phase] or [0]
        start = max(0, -(min(shifts) // read_step))
        stop = min(-(-(outputs - first) // step), (inputs - 1 - max(shifts)) // read_step + 1)
        inside[first] = start, max(start, stop)
    number = np.array([len(phase) for phase in phases])
    return Taps(np.arange(len(phases)), np.array([step, read_step]), number, taps, inside)


# --- One row of outputs, and what a band of them gives to the weights ------------------------------------


@jit
def _reads(y: int, phase: int, x: Array, kernel_width: int, rows: Taps, columns: Taps) -> Array:
    """List the taps that read a row of the image: the place in the image, the place in w, and the shift."""
    _, height, width, channels = x.shape
    row_phase, row = y % rows.steps[0], y // rows.steps[0]
    reads = np.empty((rows.number[row_phase] * columns.number[phase], 3), np.int64)
    count = 0
    for r in range(rows.number[row_phase]):
        yy = row * rows.steps[1] + rows.taps[row_phase, r, 1]
        if yy >= 0 and yy < height:
            for k in range(columns.number[phase]):
                shift = columns.taps[phase, k, 1]
                reads[count, 0] = (yy * width + shift) * channels
                tap = rows.taps[row_phase, r, 0] * kernel_width + columns.taps[phase, k, 0]
                reads[count, 1] = tap * channels
                reads[count, 2] = shift
                count += 1
    return reads[:count]


@jit
def _correlate_row(n: int, y: int, x: Array, w: Array, rows: Taps, columns: Taps, out: Array) -> None:
    _, height, width, channels = x.shape
    step, read_step = columns.steps
    on, to_on = read_step * channels, step * channels
    zero = spread(x.dtype.type(0))
    for phase in columns.first:
        reads = _reads(y, phase, x, w.shape[1], rows, columns)
        inner, outer = columns.inside[phase]
        outputs = (out.shape[2] - phase + step - 1) // step
        first, to_first = n * height * width * channels, (n * out.shape[1] + y) * out.shape[2] + phase
        i = 0
        while i < outputs:
            eight = inner <= i and i < outer and inner + 8 <= outer
            if eight:
                i = min(i, outer - 8)  # the last eight overlap those before
            for c in range(0, channels, 64 // x.itemsize):
                lanes = channels - c
                start, to = first + i * on + c, to_first * channels + i * to_on + c
                if eight:
                    s0, s1, s2, s3, s4, s5, s6, s7 = zero, zero, zero, zero, zero, zero, zero, zero
                    for t in range(len(reads)):
                        at = start + reads[t, 0]
                        weight = load(w, reads[t, 1] + c, lanes)
                        s0 = fma(weight, load(x, at, lanes), s0)
                        s1 = fma(weight, load(x, at + on, lanes), s1)
                        s2 = fma(weight, load(x, at + 2 * on, lanes), s2)
                        s3 = fma(weight, load(x, at + 3 * on, lanes), s3)
                        s4 = fma(weight, load(x, at + 4 * on, lanes), s4)
                        s5 = fma(weight, load(x, at + 5 * on, lanes), s5)
                        s6 = fma(weight, load(x, at + 6 * on, lanes), s6)
                        s7 = fma(weight, load(x, at + 7 * on, lanes), s7)
                    store(out, to, s0, lanes)
                    store(out, to + to_on, s1, lanes)
                    store(out, to + 2 * to_on, s2, lanes)
                    store(out, to + 3 * to_on, s3, lanes)
                    store(out, to + 4 * to_on, s4, lanes)
                    store(out, to + 5 * to_on, s5, lanes)
                    store(out, to + 6 * to_on, s6, lanes)
                    store(out, to + 7 * to_on, s7, lanes)
                else:
                    total = zero
                    for t in range(len(reads)):
                        xx = i * read_step + reads[t, 2]
                        if xx >= 0 and xx < width:
                            weight = load(w, reads[t, 1] + c, lanes)
                            total = fma(weight, load(x, start + reads[t, 0], lanes), total)
                    store(out, to, total, lanes)
            i += 8 if eight else 1


@jit
def _weigh_band(task: int, x: Array, g: Array, rows: Taps, columns: Taps, grads: Array) -> None:
    """Sum up what a band of rows of g gives to each tap."""
    _, height, width, channels = x.shape
    bands = grads.shape[0] // x.shape[0]
    n, first = task // bands, task % bands * _ROWS_APART
    inner, outer = columns.inside[0]
    on, to = columns.steps[1] * channels, task * grads.shape[1] * grads.shape[2] * channels
    for y in range(first, min(first + _ROWS_APART, g.shape[1])):
        reads = _reads(y, 0, x, grads.shape[2], rows, columns)
        i = 0
        while i < g.shape[2]:
            eight = inner <= i and i + 8 <= outer
            for c in range(0, channels, 64 // x.itemsize):
                lanes = channels - c
                start = (n * height * width + i * columns.steps[1]) * channels + c
                seen = ((n * g.shape[1] + y) * g.shape[2] + i) * channels + c
                if eight:
                    g0, g1 = load(g, seen, lanes), load(g, seen + channels, lanes)
                    g2, g3 = load(g, seen + 2 * channels, lanes), load(g, seen + 3 * channels, lanes)
                    g4, g5 = load(g, seen + 4 * channels, lanes), load(g, seen + 5 * channels, lanes)
                    g6, g7 = load(g, seen + 6 * channels, lanes), load(g, seen + 7 * channels, lanes)
                    for t in range(len(reads)):
                        at, tap = start + reads[t, 0], to + reads[t, 1] + c
                        even = fma(load(x, at, lanes), g0, load(grads, tap, lanes))
                        odd = load(x, at + on, lanes) * g1
                        even = fma(load(x, at + 2 * on, lanes), g2, even)
                        odd = fma(load(x, at + 3 * on, lanes), g3, odd)
                        even = fma(load(x, at + 4 * on, lanes), g4, even)
                        odd = fma(load(x, at + 5 * on, lanes), g5, odd)
                        even = fma(load(x, at + 6 * on, lanes), g6, even)
                        odd = fma(load(x, at + 7 * on, lanes), g7, odd)
                        store(grads, tap, even + odd, lanes)
                else:
                    one = load(g, seen, lanes)
                    for t in range(len(reads)):
                        xx = i * columns.steps[1] + reads[t, 2]
                        if xx >= 0 and xx < width:
                            at, tap = start + reads[t, 0], to + reads[t, 1] + c
                            store(grads, tap, fma(load(x, at, lanes), one, load(grads, tap, lanes)), lanes)
            i += 8 if eight else 1


# --- All images, on one thread or several ----------------------------------------------------------------


@jit
def _correlate(x: Array, w: Array, rows: Taps, columns: Taps, out: Array) -> None:
    for n in range(out.shape[0]):
        for y in range(out.shape[1]):
            _correlate_row(n, y, x, w, rows, columns, out)


@jit(parallel=True)
def _correlate_parallel(x: Array, w: Array, rows: Taps, columns: Taps, out: Array) -> None:
    for task in prange(out.shape[0] * out.shape[1]):
        _correlate_row(task // out.shape[1], task % out.shape[1], x, w, rows, columns, out)


@jit
def _weigh(x: Array, g: Array, rows: Taps, columns: Taps, grads: Array) -> None:
    for task in range(grads.shape[0]):
        _weigh_band(task, x, g, rows, columns, grads)


@jit(parallel=True)
def _weigh_parallel(x: Array, g: Array, rows: Taps, columns: Taps, grads: Array) -> None:
    for task in prange(grads.shape[0]):
        _weigh_band(task, x, g, rows, columns, grads)
