"""Convolution in which each filter sees one channel alone.

Nothing is summed over channels here, so there is no matrix product to make of it. A row of outputs is a
sum of shifted, scaled rows of inputs: as few as nine multiplications a number. Channels are neighbours in
memory, and a vector of them is worked on at once: eight pixels' sums stay in registers while the taps of the
kernel go by, and are stored once.

Three taps side by side, the usual case, see the same pixels: eight outputs see ten, where taken one by one
they would load 24. So the multiplications set the pace, and not the loads.

The gradient of the input is such a sum too, of rows of g. With strides it falls into *phases*: the pixels in
places 0, s, 2s, ... are seen by the same taps, those in places 1, s + 1, ... by others. So one loop does
both ways, and a :class:`Plan` tells it where each tap reads. It follows from the shapes alone, and is kept.

Padding is never there: a tap that would read beside the image is left out, and a pixel beside it that a
neighbour's taps share is a vector of zeros. Only where the kernel is infinite or sees nothing but padding
does padding make a difference (0 * inf is NaN): then it is put there, or another way is taken.

A channel that several filters see is repeated for each of them. Everything is contiguous; threads share out
the rows.
"""

from functools import lru_cache
from itertools import product
from typing import NamedTuple

import numpy as np
from numba import prange

from tinygrad_edu.kernels import _columns
from tinygrad_edu.kernels._arrays import Array, Padding, Pair, pad
from tinygrad_edu.kernels._arrays import spread as reach
from tinygrad_edu.kernels._jit import jit
from tinygrad_edu.kernels._lanes import fma, load, spread, store
from tinygrad_edu.kernels._threads import run

__all__ = ["conv2d", "conv2d_input_grad", "conv2d_weight_grad"]

Shape = tuple[int, ...]

_NONE = ((0, 0), (0, 0))
_ROWS = 8  # of outputs to a task
_ROWS_APART = 16  # rows of outputs whose share of the weights' gradient is summed by one task


def conv2d(
    x: Array, w: Array, strides: Pair, padding: Padding, dilation: Pair, groups: int, out: Array
) -> None:
    if not np.isfinite(w).all():
        x, padding = pad(x, padding), _NONE
    x = _repeated(x, w.shape[3] // groups)
    plan = _forward(x.shape, out.shape, w.shape, strides, padding, dilation)
    arguments = (x, w.reshape(*w.shape[:2], -1), plan, out)
    run(_correlate, _correlate_parallel, arguments, out.size * w[..., 0, 0].size)


def conv2d_input_grad(
    g: Array, w: Array, strides: Pair, padding: Padding, dilation: Pair, groups: int, out: Array
) -> None:
    if not np.isfinite(w).all():  # what lies beside g is no gradient, but taken for 0 below
        _columns.conv2d_input_grad(g, w, strides, padding, dilation, groups, out)
        return
    copies = w.shape[3] // groups
    grad = out if copies == 1 else np.empty((*out.shape[:3], w.shape[3]), out.dtype)
    plan = _backward(g.shape, grad.shape, w.shape, strides, padding, dilation)
    arguments = (g, w.reshape(*w.shape[:2], -1), plan, grad)
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
    plan = _forward(x.shape, g.shape, out.shape, strides, padding, dilation)
    bands = -(-g.shape[1] // _ROWS_APART)
    grads = np.zeros((len(x) * bands, *out.shape[:2], out.shape[3]), out.dtype)
    run(_weigh, _weigh_parallel, (x, g, plan, grads), g.size * out[..., 0, 0].size)
    grad = np.add.reduce(grads, axis=0, out=out[:, :, 0])
    if padding != _NONE and not np.isfinite(grad).all():
        conv2d_weight_grad(pad(x, padding), g, strides, _NONE, dilation, out.shape[3], out)


def _repeated(x: Array, copies: int) -> Array:
    return x if copies == 1 else np.repeat(x, copies, axis=3)


# --- Which taps read what --------------------------------------------------------------------------------


class Plan(NamedTuple):
    """What each tap reads, for each row of outputs and across it.

    Across, output phase + j * step reads place shift + j * read_step with each of its phase's taps. Taps are
    in ascending order of their shifts.
    """

    steps: Array  # (2,): step, read_step
    rows: (
        Array  # (OH, 4): its phase, the row of the image at shift 0, which taps down are inside: first, last
    )
    taps: Array  # (phases across,): how many there are
    inside: Array  # (phases across, 2): from which j to which all taps read within the image
    three: Array  # (phases across,): whether taps see three neighbours; "inside" may then be one place beside
    reads: Array  # (phases down, phases across, most taps, 3): place in the image, place in w, shift across


@lru_cache(maxsize=256)
def _forward(x: Shape, out: Shape, kernel: Shape, strides: Pair, padding: Padding, dilation: Pair) -> Plan:
    """Output j reads input j * stride + k * dilation - before with tap k."""
    return _plan(x, out, kernel, (1, 1), strides, [
        [[(k, k * d - before) for k in range(taps)]]
        for taps, d, (before, _) in zip(kernel[:2], dilation, padding, strict=True)
    ])  # fmt: skip


@lru_cache(maxsize=256)
def _backward(g: Shape, out: Shape, kernel: Shape, strides: Pair, padding: Padding, dilation: Pair) -> Plan:
    """Pixel y takes g[o] with tap k where o * stride + k * dilation - before = y."""
    both = []
    for taps, stride, d, (before, _) in zip(kernel[:2], strides, dilation, padding, strict=True):
        phases = []
        for first in range(stride):
            numerators = [(k, first + before - k * d) for k in range(taps)]
            phases.append([(k, n // stride) for k, n in numerators if n % stride == 0])
        both.append(phases)
    return _plan(g, out, kernel, strides, (1, 1), both)


def _plan(
    x: Shape, out: Shape, kernel: Shape, steps: Pair, read_steps: Pair, phases: list[list[list[Pair]]]
) -> Plan:
    """Lay out what the taps and shifts in each phase of rows and of columns come to."""
    down, across = [[sorted(phase, key=lambda tap: tap[1]) for phase in axis] for axis in phases]
    _, height, width, channels = x
    rows = np.zeros((out[1], 4), np.int64)
    for y in range(out[1]):
        row = y // steps[0] * read_steps[0]
        places = np.array([row + shift for _, shift in down[y % steps[0]]])
        rows[y] = y % steps[0], row, (places < 0).sum(), (places < height).sum()
    taps = np.array([len(phase) for phase in across])
    three = np.array([_is_three(phase, read_steps[1]) for phase in across])
    inside = np.zeros((len(across), 2), np.int64)
    reads = np.zeros((len(down), len(across), max(map(len, down)) * taps.max(), 3), np.int64)
    for c, phase in enumerate(across):
        if phase:
            least, most = phase[0][1] + three[c], phase[-1][1] - three[c]
            start = max(0, -(least // read_steps[1]))
            outputs = -(-(out[2] - c) // steps[1])
            inside[c] = start, max(start, min(outputs, (width - 1 - most) // read_steps[1] + 1))
        for r in range(len(down)):
            for t, ((i, y), (j, shift)) in enumerate(product(down[r], phase)):
                reads[r, c, t] = (y * width + shift) * channels, (i * kernel[1] + j) * channels, shift
    return Plan(np.array([steps[1], read_steps[1]]), rows, taps, inside, three, reads)


def _is_three(phase: list[Pair], read_step: int) -> bool:
    return read_step == 1 and [shift - phase[0][1] for _, shift in phase] == [0, 1, 2]


# --- One row of outputs, and what a band of them gives to the weights ------------------------------------


@jit
def _correlate_band(task: int, x: Array, w: Array, plan: Plan, out: Array) -> None:
    """Sum up what a band of rows of outputs sees."""
    _, height, width, channels = x.shape
    bands = -(-out.shape[1] // _ROWS)
    n, first_y = task // bands, task % bands * _ROWS
    reads, step, read_step = plan.reads, plan.steps[0], plan.steps[1]
    on, to_on = read_step * channels, step * channels
    zero = spread(x.dtype.type(0))
    for y in range(first_y, min(first_y + _ROWS, out.shape[1])):
        down, row, first_row, last_row = plan.rows[y, 0], plan.rows[y, 1], plan.rows[y, 2], plan.rows[y, 3]
        for phase in range(step):
            first_tap, last_tap = first_row * plan.taps[phase], last_row * plan.taps[phase]
            three, edge = plan.three[phase], reads[down, phase, 0, 2]
            inner, outer = plan.inside[phase]
            outputs = (out.shape[2] - phase + step - 1) // step
            first = (n * height + row) * width * channels
            to_first = ((n * out.shape[1] + y) * out.shape[2] + phase) * channels
            i = 0
            while i < outputs:
                eight = inner <= i and i < outer and inner + 8 <= outer
                if eight:
                    i = min(i, outer - 8)  # the last eight overlap those before
                for c in range(0, channels, 64 // x.itemsize):
                    lanes = channels - c
                    start, to = first + i * on + c, to_first + i * to_on + c
                    if eight:
                        s0, s1, s2, s3, s4, s5, s6, s7 = zero, zero, zero, zero, zero, zero, zero, zero
                        if three:
                            before = lanes if i + edge >= 0 else 0
                            after = lanes if i + edge + 9 < width else 0
                            for t in range(first_tap, last_tap, 3):
                                at = start + reads[down, phase, t, 0]
                                w0 = load(w, reads[down, phase, t, 1] + c, lanes)
                                w1 = load(w, reads[down, phase, t + 1, 1] + c, lanes)
                                w2 = load(w, reads[down, phase, t + 2, 1] + c, lanes)
                                x0, x1 = load(x, at, before), load(x, at + on, lanes)
                                x2, x3 = load(x, at + 2 * on, lanes), load(x, at + 3 * on, lanes)
                                x4, x5 = load(x, at + 4 * on, lanes), load(x, at + 5 * on, lanes)
                                x6, x7 = load(x, at + 6 * on, lanes), load(x, at + 7 * on, lanes)
                                x8, x9 = load(x, at + 8 * on, lanes), load(x, at + 9 * on, after)
                                s0 = fma(w2, x2, fma(w1, x1, fma(w0, x0, s0)))
                                s1 = fma(w2, x3, fma(w1, x2, fma(w0, x1, s1)))
                                s2 = fma(w2, x4, fma(w1, x3, fma(w0, x2, s2)))
                                s3 = fma(w2, x5, fma(w1, x4, fma(w0, x3, s3)))
                                s4 = fma(w2, x6, fma(w1, x5, fma(w0, x4, s4)))
                                s5 = fma(w2, x7, fma(w1, x6, fma(w0, x5, s5)))
                                s6 = fma(w2, x8, fma(w1, x7, fma(w0, x6, s6)))
                                s7 = fma(w2, x9, fma(w1, x8, fma(w0, x7, s7)))
                        else:
                            for t in range(first_tap, last_tap):
                                at = start + reads[down, phase, t, 0]
                                weight = load(w, reads[down, phase, t, 1] + c, lanes)
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
                        for t in range(first_tap, last_tap):
                            xx = i * read_step + reads[down, phase, t, 2]
                            if xx >= 0 and xx < width:
                                weight = load(w, reads[down, phase, t, 1] + c, lanes)
                                total = fma(weight, load(x, start + reads[down, phase, t, 0], lanes), total)
                        store(out, to, total, lanes)
                i += 8 if eight else 1


@jit
def _weigh_band(task: int, x: Array, g: Array, plan: Plan, grads: Array) -> None:
    """Sum up what a band of rows of g gives to each tap."""
    _, height, width, channels = x.shape
    bands = grads.shape[0] // x.shape[0]
    n, first = task // bands, task % bands * _ROWS_APART
    reads, read_step = plan.reads, plan.steps[1]
    three, edge = plan.three[0], reads[0, 0, 0, 2]
    inner, outer = plan.inside[0]
    on, to = read_step * channels, task * grads.shape[1] * grads.shape[2] * channels
    for y in range(first, min(first + _ROWS_APART, g.shape[1])):
        row, first_row, last_row = plan.rows[y, 1], plan.rows[y, 2], plan.rows[y, 3]
        first_tap, last_tap = first_row * plan.taps[0], last_row * plan.taps[0]
        i = 0
        while i < g.shape[2]:
            eight = inner <= i and i + 8 <= outer
            for c in range(0, channels, 64 // x.itemsize):
                lanes = channels - c
                start = ((n * height + row) * width + i * read_step) * channels + c
                seen = ((n * g.shape[1] + y) * g.shape[2] + i) * channels + c
                if eight:
                    g0, g1 = load(g, seen, lanes), load(g, seen + channels, lanes)
                    g2, g3 = load(g, seen + 2 * channels, lanes), load(g, seen + 3 * channels, lanes)
                    g4, g5 = load(g, seen + 4 * channels, lanes), load(g, seen + 5 * channels, lanes)
                    g6, g7 = load(g, seen + 6 * channels, lanes), load(g, seen + 7 * channels, lanes)
                    if three:
                        before = lanes if i + edge >= 0 else 0
                        after = lanes if i + edge + 9 < width else 0
                        for t in range(first_tap, last_tap, 3):
                            at = start + reads[0, 0, t, 0]
                            x0, x1 = load(x, at, before), load(x, at + on, lanes)
                            x2, x3 = load(x, at + 2 * on, lanes), load(x, at + 3 * on, lanes)
                            x4, x5 = load(x, at + 4 * on, lanes), load(x, at + 5 * on, lanes)
                            x6, x7 = load(x, at + 6 * on, lanes), load(x, at + 7 * on, lanes)
                            x8, x9 = load(x, at + 8 * on, lanes), load(x, at + 9 * on, after)
                            tap = to + reads[0, 0, t, 1] + c
                            even = fma(x2, g2, fma(x0, g0, load(grads, tap, lanes)))
                            odd = fma(x7, g7, fma(x5, g5, fma(x3, g3, x1 * g1)))
                            store(grads, tap, fma(x6, g6, fma(x4, g4, even)) + odd, lanes)
                            tap = to + reads[0, 0, t + 1, 1] + c
                            even = fma(x3, g2, fma(x1, g0, load(grads, tap, lanes)))
                            odd = fma(x8, g7, fma(x6, g5, fma(x4, g3, x2 * g1)))
                            store(grads, tap, fma(x7, g6, fma(x5, g4, even)) + odd, lanes)
                            tap = to + reads[0, 0, t + 2, 1] + c
                            even = fma(x4, g2, fma(x2, g0, load(grads, tap, lanes)))
                            odd = fma(x9, g7, fma(x7, g5, fma(x5, g3, x3 * g1)))
                            store(grads, tap, fma(x8, g6, fma(x6, g4, even)) + odd, lanes)
                    else:
                        for t in range(first_tap, last_tap):
                            at, tap = start + reads[0, 0, t, 0], to + reads[0, 0, t, 1] + c
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
                    for t in range(first_tap, last_tap):
                        xx = i * read_step + reads[0, 0, t, 2]
                        if xx >= 0 and xx < width:
                            at, tap = start + reads[0, 0, t, 0], to + reads[0, 0, t, 1] + c
                            store(grads, tap, fma(load(x, at, lanes), one, load(grads, tap, lanes)), lanes)
            i += 8 if eight else 1


# --- All images, on one thread or several ----------------------------------------------------------------


@jit
def _correlate(x: Array, w: Array, plan: Plan, out: Array) -> None:
    for task in range(out.shape[0] * -(-out.shape[1] // _ROWS)):
        _correlate_band(task, x, w, plan, out)


@jit(parallel=True)
def _correlate_parallel(x: Array, w: Array, plan: Plan, out: Array) -> None:
    for task in prange(out.shape[0] * -(-out.shape[1] // _ROWS)):
        _correlate_band(task, x, w, plan, out)


@jit
def _weigh(x: Array, g: Array, plan: Plan, grads: Array) -> None:
    for task in range(grads.shape[0]):
        _weigh_band(task, x, g, plan, grads)


@jit(parallel=True)
def _weigh_parallel(x: Array, g: Array, plan: Plan, grads: Array) -> None:
    for task in prange(grads.shape[0]):
        _weigh_band(task, x, g, plan, grads)
