"""Convolution of images of few channels with few filters: neighbouring pixels share a vector.

Six filters fill six of sixteen lanes. But where channels come last, the filters of one pixel and those of the
next lie side by side in the result, so any sixteen neighbours in a row of it make a full vector: filters
0-5 of a pixel, 0-5 of the next, 0-3 of the third. What such a vector multiplies is laid out to match:

- *spread rows*: each number of a row of the image repeated F times, so that every lane finds the pixel that
  it sees. The next tap sees the same, F numbers further on: one copy does for all taps.
- *weights in a circle*: those of a tap one after the other, again and again; a vector may begin anywhere.

An output is then the sum over the taps of spread row times weights, in whole vectors.

The gradient of the weights is the sum over pixels of spread row times g. There no lane needs to know which
filter it belongs to: sums are kept by the place in the row, (taps, OW * F) of them, and at the end those that
belong to one filter are added up.

Spreading costs a store for each number, unaligned vectors about two loads, so this pays for one channel and
up to eight filters, or the other way round, where the micro-kernel is busier entering its tiles than adding.

Everything is float32 and contiguous, cut and summed in an order that the shapes alone decide on.
"""

# mypy: disable-error-code="call-arg"
# (Intrinsics are called without the typing context that they are defined with.)

from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numba import prange

from tinygrad_edu.kernels._arrays import Array
from tinygrad_edu.kernels._jit import jit, two_forms
from tinygrad_edu.kernels._lanes import fma, load, select, spread, store
from tinygrad_edu.kernels._plan import Axis
from tinygrad_edu.kernels._threads import run

__all__ = ["correlate", "suits", "weight_grad"]

_VECTOR = 16  # float32 in a vector of _lanes
_MOST = 8  # channels times filters
_ROOM = 2**14  # numbers in the spread rows of a task, about: they stay in the second cache
_QUICK = 8  # multiplications in the time that run() expects of one
_CHUNKS = 16  # in which the weights' gradient is added up, where there are as many tasks


class Layout(NamedTuple):
    """How a task's rows are spread, and how the work is cut."""

    band: int  # rows of sums a task
    rows: int  # of the image that they see
    channel: int  # numbers from a channel of a spread row to the next channel


def suits(down: Axis, across: Axis, channels: int, filters: int) -> bool:
    """Whether sums, and gradients of weights, are quickest this way."""
    return down.step == across.step == 1 and channels * filters <= _MOST


@lru_cache(maxsize=256)
def _layout(images: int, channels: int, filters: int, down: Axis, across: Axis) -> tuple[Layout, Array]:
    """Return how the rows are spread, and where in them each tap begins, taps in the order of the weights."""
    width = across.sums + (across.taps - 1) * across.apart
    channel = width * filters + _VECTOR
    row, beyond = channel * channels, (down.taps - 1) * down.apart
    most = max(4, _ROOM // row - beyond)
    bands = max(-(-down.sums // most), min(-(-_CHUNKS // images), -(-down.sums // 4)))
    band = -(-down.sums // bands)
    places: Array = np.add.outer(
        np.arange(down.taps) * down.apart * row, np.arange(across.taps) * across.apart * filters
    )
    places = np.add.outer(places, np.arange(channels) * channel)
    return Layout(band, band + beyond, channel), places.reshape(-1)


@jit
def _spread_rows(x: Array, n: int, top: int, left: int, filters: int, layout: Layout, laid: Array) -> None:
    """Lay out rows of image n, each number ``filters`` times, from top and left on; zeros outside of it."""
    _, height, width, channels = x.shape
    laid[:] = 0
    start, stop = max(0, -left), min(layout.channel // filters, width - left)
    for y in range(max(0, -top), min(layout.rows, height - top)):
        for c in range(channels):
            at = (y * channels + c) * layout.channel + start * filters
            for i in range(start, stop):
                store(laid, at, spread(x[n, top + y, left + i, c]), filters)
                at += filters


# --- Sums ------------------------------------------------------------------------------------------------


def correlate(
    x: Array, weights: Array, bias: Array | None, relu: bool, out: Array, down: Axis, across: Axis
) -> None:
    """Fill out with the sums; weights are (taps down, taps across, C, F)."""
    filters = out.shape[3]
    layout, places = _layout(len(x), x.shape[3], filters, down, across)
    bias = np.zeros(filters, np.float32) if bias is None else bias
    arguments = (x, weights.reshape(-1, filters), bias, relu, out, down, across, layout, places)
    run(_correlate, _correlate_parallel, arguments, out.size * places.size // _QUICK)


@jit
def _in_a_circle(numbers: Array, size: int) -> Array:
    """Repeat each row until a vector may begin at any of its numbers."""
    circles = np.empty((numbers.shape[0], size + _VECTOR), np.float32)
    for t in range(circles.shape[0]):
        for i in range(circles.shape[1]):
            circles[t, i] = numbers[t, i % size]
    return circles


@jit
def _correlate_task(
    task: int, x: Array, circles: Array, bias: Array, relu: bool, out: Array,
    down: Axis, across: Axis, layout: Layout, places: Array,
) -> None:  # fmt: skip
    row = x.shape[3] * layout.channel
    laid = np.empty(layout.rows * row, np.float32)
    filters, bands = out.shape[3], -(-down.sums // layout.band)
    n, first = task // bands, task % bands * layout.band
    rows, size = min(layout.band, down.sums - first), across.sums * filters
    _spread_rows(x, n, first - down.before, -across.before, filters, layout, laid)
    zero, circle = spread(np.float32(0)), circles.shape[1]
    # Four rows at a time, so that a vector of weights is loaded once for four. Where there are fewer, the
    # last one stands in for those that are missing.
    for y in range(0, rows, 4):
        y1, y2, y3 = min(y + 1, rows - 1), min(y + 2, rows - 1), min(y + 3, rows - 1)
        to = (n * out.shape[1] + first) * size
        for i in range(0, size, _VECTOR):
            turn = i % filters
            s0 = load(bias, turn, _VECTOR)
            s1, s2, s3 = s0, s0, s0
            for t in range(places.size):
                weights, at = load(circles, t * circle + turn, _VECTOR), places[t] + i
                s0 = fma(load(laid, at + y * row, _VECTOR), weights, s0)
                s1 = fma(load(laid, at + y1 * row, _VECTOR), weights, s1)
                s2 = fma(load(laid, at + y2 * row, _VECTOR), weights, s2)
                s3 = fma(load(laid, at + y3 * row, _VECTOR), weights, s3)
            if relu:
                s0, s1 = select(zero > s0, zero, s0), select(zero > s1, zero, s1)
                s2, s3 = select(zero > s2, zero, s2), select(zero > s3, zero, s3)
            store(out, to + y * size + i, s0, size - i)
            store(out, to + y1 * size + i, s1, size - i)
            store(out, to + y2 * size + i, s2, size - i)
            store(out, to + y3 * size + i, s3, size - i)


def _correlate_loop(
    x: Array, weights: Array, bias: Array, relu: bool, out: Array,
    down: Axis, across: Axis, layout: Layout, places: Array,
) -> None:  # fmt: skip
    circles = _in_a_circle(weights, weights.shape[1])
    biases = _in_a_circle(bias.reshape(1, -1), bias.size)
    for task in prange(x.shape[0] * -(-down.sums // layout.band)):
        _correlate_task(task, x, circles, biases, relu, out, down, across, layout, places)


_correlate, _correlate_parallel = two_forms(_correlate_loop, "_correlate")


# --- The gradient of the weights -------------------------------------------------------------------------


def weight_grad(x: Array, g: Array, down: Axis, across: Axis, out: Array) -> None:
    """Fill out (taps down, taps across, C, F)."""
    filters = out.shape[3]
    layout, places = _layout(len(x), x.shape[3], filters, down, across)
    chunks = min(len(x) * -(-down.sums // layout.band), _CHUNKS)
    grads = np.empty((chunks, places.size, filters), np.float32)
    arguments = (x, g, grads, down, across, layout, places)
    run(_weigh, _weigh_parallel, arguments, g.size * places.size // _QUICK)
    np.add.reduce(grads, axis=0, out=out.reshape(places.size, filters))


@jit
def _weigh_chunk(
    chunk: int, x: Array, g: Array, grads: Array, down: Axis, across: Axis, layout: Layout, places: Array
) -> None:
    row = x.shape[3] * layout.channel
    laid = np.empty(layout.rows * row, np.float32)
    chunks, taps, filters = grads.shape
    size = across.sums * filters
    pitch = -(-size // _VECTOR) * _VECTOR
    sums = np.zeros((taps, pitch), np.float32)
    bands = -(-down.sums // layout.band)
    tasks = x.shape[0] * bands
    for task in range(chunk * tasks // chunks, (chunk + 1) * tasks // chunks):
        n, first = task // bands, task % bands * layout.band
        rows = min(layout.band, down.sums - first)
        _spread_rows(x, n, first - down.before, -across.before, filters, layout, laid)
        for i in range(0, size, _VECTOR):
            # Three taps at a time, for which a vector of g is loaded once; the last one may stand in.
            for t in range(0, taps, 3):
                t1, t2 = min(t + 1, taps - 1), min(t + 2, taps - 1)
                s0, s1 = load(sums, t * pitch + i, _VECTOR), load(sums, t1 * pitch + i, _VECTOR)
                s2 = load(sums, t2 * pitch + i, _VECTOR)
                at, at1, at2 = places[t] + i, places[t1] + i, places[t2] + i
                from_ = (n * g.shape[1] + first) * size + i
                for y in range(rows):
                    gradient = load(g, from_ + y * size, size - i)
                    s0 = fma(load(laid, at + y * row, _VECTOR), gradient, s0)
                    s1 = fma(load(laid, at1 + y * row, _VECTOR), gradient, s1)
                    s2 = fma(load(laid, at2 + y * row, _VECTOR), gradient, s2)
                store(sums, t * pitch + i, s0, _VECTOR)
                store(sums, t1 * pitch + i, s1, _VECTOR)
                store(sums, t2 * pitch + i, s2, _VECTOR)
    for t in range(taps):
        total = spread(np.float32(0))
        for i in range(0, size, filters):
            total += load(sums, t * pitch + i, filters)
        store(grads, (chunk * taps + t) * filters, total, filters)


def _weigh_loop(
    x: Array, g: Array, grads: Array, down: Axis, across: Axis, layout: Layout, places: Array
) -> None:
    for chunk in prange(grads.shape[0]):
        _weigh_chunk(chunk, x, g, grads, down, across, layout, places)


_weigh, _weigh_parallel = two_forms(_weigh_loop, "_weigh")
