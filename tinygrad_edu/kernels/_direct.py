"""Convolution by the micro-kernel, straight from the image: the loops around a tile of sums.

The idea: where channels come last, what a filter's row sees in an image's row is *one run of numbers*. The
pixels lie side by side and so do the channels of each, so the kw * C numbers under a row of the filter need
no gathering, and the window of the next output pixel begins sw * C numbers further on. So a convolution is a
matrix product whose left matrix never has to be built: :func:`tinygrad_edu.kernels._simd.tile` takes ROWS
output pixels along a row by a panel of filters, its K loop runs through kh such runs, and what im2col would
copy kh * kw times is read in place.

Zeros around the image would break the runs, so a task copies the few rows that it needs, zeros and all, into
memory of its own that stays in the second cache. Without padding it reads the image itself. The filters are
laid out in panels as wide as a tile, so that the K loop runs through them from end to end.

The gradient of the input is the same sum, over g with the filters turned round. With strides it is several:
the pixels of x whose distance is the stride see the same taps (a *phase*), and each phase is a convolution
with those taps alone, whose results are stored a stride apart.

Tasks are bands of rows of an image, cut by the shapes alone, and every sum runs in one order: the same bits
on every run. Everything is float32 and contiguous. Direct convolution in this form is from Georganas et al.,
*Anatomy of high-performance deep learning convolutions on SIMD architectures*, 2018.
"""

# mypy: disable-error-code="call-arg, var-annotated"
# (Intrinsics are called without the typing context that they are defined with.)

import numpy as np
from numba import prange

from tinygrad_edu.kernels import _few, _narrow
from tinygrad_edu.kernels._arrays import Array, Padding, Pair
from tinygrad_edu.kernels._jit import jit
from tinygrad_edu.kernels._plan import QUICK, WIDTH, Axis, Plan, axes, phases, plan
from tinygrad_edu.kernels._simd import ROWS, address, tile
from tinygrad_edu.kernels._threads import run

__all__ = ["conv2d", "conv2d_input_grad", "copy_rows", "seen"]


def conv2d(
    x: Array, w: Array, strides: Pair, padding: Padding, dilation: Pair, groups: int, out: Array,
    bias: Array | None, relu: bool,
) -> None:  # fmt: skip
    down, across = axes(w.shape[:2], strides, padding, dilation, out.shape[1:3])
    _sum(x, w, False, groups, down, across, out, bias, relu)


def conv2d_input_grad(
    g: Array, w: Array, strides: Pair, padding: Padding, dilation: Pair, groups: int, out: Array,
    bias: Array | None, relu: bool,
) -> bool:  # fmt: skip
    """Fill out; return False if w isn't finite, and out may hold NaN that should not be there."""
    finite = True
    down, across = (
        phases(w.shape[i], strides[i], dilation[i], padding[i][0], out.shape[1 + i]) for i in (0, 1)
    )
    for y in down:
        for x in across:
            if y.taps and x.taps:
                finite &= _sum(g, w, True, groups, y, x, out, bias, relu)
            else:
                none = 0 if bias is None else np.maximum(bias, 0) if relu else bias
                out[:, y.first :: y.out_step, x.first :: x.out_step] = none
    return finite


def _sum(
    x: Array, w: Array, transposed: bool, groups: int, down: Axis, across: Axis, out: Array,
    bias: Array | None, relu: bool,
) -> bool:  # fmt: skip
    """Sum up what the taps see of x, weighted; transposed, w's filters are summed over, not its channels.

    Return whether all weights are finite; looked into only if transposed.
    """
    if groups == 1 and not transposed and _narrow.suits(down, across, x.shape[3], out.shape[3]):
        _narrow.correlate(x, w, bias, relu, out, down, across)
        return True
    if groups == 1 and _few.suits(down, across, x.shape[3], out.shape[3]) and np.isfinite(w).all():
        rows, columns = (a.tap + np.arange(a.taps) * a.tap_step for a in (down, across))
        weights = w[rows[:, None], columns].transpose((3, 0, 1, 2) if transposed else (2, 0, 1, 3))
        _few.correlate(x, weights, bias, relu, out, down, across)
        return True
    n, height, width, channels = x.shape
    p = plan(n, height, width, channels, groups, down, across)
    per_group = -(-(out.shape[3] // groups) // WIDTH)
    taps = down.taps * across.taps
    panels = np.empty((groups * per_group, taps * (channels // groups), WIDTH), np.float32)
    check = np.empty((groups * per_group, taps), np.float32)
    run(_pack, _pack_parallel, (w, transposed, groups, down, across, panels, check), panels.size)
    padded_bias = np.zeros((groups, per_group * WIDTH if bias is not None else 0), np.float32)
    if bias is not None:
        padded_bias[:, : out.shape[3] // groups] = bias.reshape(groups, -1)
    arguments = (x.reshape(n, height, -1), channels, panels, padded_bias, int(relu), out, down, across, p)
    run(_correlate, _correlate_parallel, arguments, n * down.sums * across.sums * panels.size // QUICK)
    return not np.isnan(check).any()


# --- Filters into panels ---------------------------------------------------------------------------------


@jit
def _pack_task(
    task: int, w: Array, transposed: bool, groups: int, down: Axis, across: Axis, panels: Array, check: Array
) -> None:
    """Copy one tap of a panel's filters; transposed, check becomes NaN where one isn't finite."""
    p, t = task // check.shape[1], task % check.shape[1]
    tap = w[down.tap + t // across.taps * down.tap_step, across.tap + t % across.taps * across.tap_step]
    per_group, filters = panels.shape[0] // groups, tap.shape[1] // groups
    group, first = p // per_group, p % per_group * WIDTH
    lanes = min(WIDTH, (tap.shape[0] if transposed else filters) - first)
    terms = panels.shape[1] // check.shape[1]
    wrong = np.float32(0)
    for k in range(terms):
        to = panels[p, t * terms + k]
        if transposed:
            for lane in range(lanes):
                to[lane] = tap[first + lane, group * filters + k]
                wrong += to[lane] * np.float32(0)
        else:
            source = tap[k, group * filters + first : group * filters + first + lanes]
            for lane in range(source.size):
                to[lane] = source[lane]
        to[lanes:] = 0
    check[p, t] = wrong


@jit
def _pack(
    w: Array, transposed: bool, groups: int, down: Axis, across: Axis, panels: Array, check: Array
) -> None:
    for task in range(check.size):
        _pack_task(task, w, transposed, groups, down, across, panels, check)


@jit(parallel=True)
def _pack_parallel(
    w: Array, transposed: bool, groups: int, down: Axis, across: Axis, panels: Array, check: Array
) -> None:
    for task in prange(check.size):
        _pack_task(task, w, transposed, groups, down, across, panels, check)


# --- Sums ------------------------------------------------------------------------------------------------


@jit
def copy_rows(x: Array, channels: int, n: int, row: int, left: int, rows: int, out: Array) -> None:
    """Copy rows of image n of x (N, H, W * C) into out, from left pixels before the first; zeros outside."""
    start = max(0, -left * channels)
    before = min(max(0, left * channels), out.shape[1])
    stop = max(before, min(out.shape[1], before + x.shape[2] - start))
    for y in range(rows):
        to = out[y]
        if row + y < 0 or row + y >= x.shape[1]:
            to[:] = 0
        else:
            to[:before] = 0
            source, target = x[n, row + y, start : start + stop - before], to[before:stop]
            for i in range(target.size):
                target[i] = source[i]
            to[stop:] = 0


@jit
def seen(rows: int, down: Axis) -> int:
    """How many rows of the image so many rows of sums see."""
    return (rows - 1) * down.step + (down.taps - 1) * down.apart + 1


@jit
def _task(
    task: int, x: Array, channels: int, panels: Array, bias: Array, relu: int, out: Array,
    down: Axis, across: Axis, plan: Plan, own: Array,
) -> None:  # fmt: skip
    groups = plan.groups
    bands = -(-down.sums // plan.band)
    n, first = task // bands, task % bands * plan.band
    rows = min(plan.band, down.sums - first)
    top, pixel = first * down.step - down.before, channels * 4
    if plan.width:
        copy_rows(x, channels, n, top, across.before, seen(rows, down), own)
        start, row = address(own), plan.width * pixel
    else:
        row = x.shape[2] * 4
        start = address(x) + (n * x.shape[1] + top) * row - across.before * pixel
    # A run is what a row of the filters sees, if that lies side by side, else what one tap of it sees.
    length, runs, run_step, parts, part_step = channels // groups, down.taps, down.apart * row, 1, 0
    if across.apart == 1 and groups == 1:
        length *= across.taps
    elif across.taps > 1:
        runs, run_step, parts, part_step = across.taps, across.apart * pixel, runs, run_step
    filters, per_group = out.shape[3] // groups, panels.shape[0] // groups
    out_pixel, out_row = across.out_step * out.shape[3] * 4, down.out_step * out.shape[2] * out.shape[3] * 4
    to = address(out) + ((n * out.shape[1] + down.first) * out.shape[2] + across.first) * out.shape[3] * 4
    for p in range(panels.shape[0]):
        group, f = p // per_group, p % per_group * WIDTH
        panel = address(panels) + p * panels.shape[1] * WIDTH * 4
        panel_bias = address(bias) + p * WIDTH * 4 if bias.size else 0
        for y in range(rows):
            for i in range(0, across.sums, ROWS):
                a = start + y * down.step * row + i * across.step * pixel + group * pixel // groups
                c = to + (first + y) * out_row + i * out_pixel + (group * filters + f) * 4
                for part in range(parts):
                    tile(
                        out, a + part * part_step, across.step * pixel, 4, run_step,
                        panel + part * runs * length * WIDTH * 4, WIDTH * 4, length * WIDTH * 4, length, runs,
                        c, out_pixel, min(ROWS, across.sums - i), min(WIDTH, filters - f),
                        panel_bias, part, relu * (part == parts - 1), 0,
                    )  # fmt: skip


@jit
def _correlate(
    x: Array, channels: int, panels: Array, bias: Array, relu: int, out: Array,
    down: Axis, across: Axis, plan: Plan,
) -> None:  # fmt: skip
    own = np.empty((seen(plan.band, down), plan.width * channels), np.float32)
    for task in range(x.shape[0] * -(-down.sums // plan.band)):
        _task(task, x, channels, panels, bias, relu, out, down, across, plan, own)


@jit(parallel=True)
def _correlate_parallel(
    x: Array, channels: int, panels: Array, bias: Array, relu: int, out: Array,
    down: Axis, across: Axis, plan: Plan,
) -> None:  # fmt: skip
    for task in prange(x.shape[0] * -(-down.sums // plan.band)):
        own = np.empty((seen(plan.band, down), plan.width * channels), np.float32)
        _task(task, x, channels, panels, bias, relu, out, down, across, plan, own)
