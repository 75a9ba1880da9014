"""The gradient of a convolution's weights, by the micro-kernel: a sum over pixels.

The idea: for one tap, the gradient is the matrix product of what the tap saw, (C, pixels), with what came
back, (pixels, F). Again no matrix is built. The tile's rows are neighbouring numbers of x, in the run
that a filter's row sees (:mod:`tinygrad_edu.kernels._direct`), and its K loop steps from window to window;
its lanes are a panel of g's channels. So a tile of the gradient stays in the registers while some pixels
pass by, then the next tile sees the same ones, from the first cache.

The sum over pixels is cut into *chunks*, each added up on its own and then all together, in order; with
enough panels to keep several cores busy, one chunk is enough. Shapes alone decide on that, so the result
has the same bits on every run. Everything is float32 and contiguous.
"""

# mypy: disable-error-code="call-arg"
# (Intrinsics are called without the typing context that they are defined with.)

import numpy as np
from numba import prange

from tinygrad_edu.kernels import _few, _narrow
from tinygrad_edu.kernels._arrays import Array, Padding, Pair
from tinygrad_edu.kernels._direct import copy_rows, seen
from tinygrad_edu.kernels._jit import jit
from tinygrad_edu.kernels._plan import QUICK, WIDTH, Axis, Plan, axes, plan
from tinygrad_edu.kernels._simd import LANES, ROWS, address, tile
from tinygrad_edu.kernels._threads import run

__all__ = ["conv2d_weight_grad"]

_TASKS = 16  # at least so many where there are as many bands, to keep several cores busy
_PIXELS = 128  # that a tile sees at once, about: a panel of g for as many takes up half the first cache


def conv2d_weight_grad(
    x: Array, g: Array, strides: Pair, padding: Padding, dilation: Pair, groups: int, out: Array
) -> None:
    n, height, width, channels = x.shape
    down, across = axes(out.shape[:2], strides, padding, dilation, g.shape[1:3])
    if groups == 1 and _narrow.suits(down, across, channels, out.shape[3]):
        _narrow.weight_grad(x, g, down, across, out)
        return
    if groups == 1 and _few.suits_weights(*out.shape[:3], out.shape[3], channels, out.shape[3]):
        out[...] = _few.weight_grad(g, x, down, across).transpose(1, 2, 3, 0)
        return
    if groups == 1 and _few.suits_weights(*out.shape[:3], channels, out.shape[3], out.shape[3]):
        # Pixel p of x meets the gradient of output p + padding - tap, where there is one.
        touching = all(max(both) < k for both, k in zip(padding, out.shape, strict=False))
        if strides == dilation == (1, 1) and touching:
            backwards = (a._replace(apart=-1, before=-a.before) for a in (down, across))
            out[...] = _few.weight_grad(x, g, *backwards).transpose(1, 2, 0, 3)
            if np.isfinite(out).all():  # otherwise what a tap doesn't see may have got into it
                return
    p = plan(n, height, width, channels, groups, down, across)
    panels = groups * -(-(out.shape[3] // groups) // WIDTH)
    chunks = min(n * -(-down.sums // p.band), -(-_TASKS // panels))
    grads = np.empty((chunks, *out.shape), np.float32) if chunks > 1 else out[None]
    arguments = (x.reshape(n, height, -1), channels, g, grads, panels, down, across, p)
    run(_sum, _sum_parallel, arguments, g.size // g.shape[3] * out.size // QUICK)
    if chunks > 1:
        np.add.reduce(grads, axis=0, out=out)


@jit
def _task(
    task: int, x: Array, channels: int, g: Array, grads: Array, panels: int,
    down: Axis, across: Axis, p: Plan, own: Array, panel: Array,
) -> None:  # fmt: skip
    """Set a panel of a chunk of the gradient to the sum over the chunk's pixels."""
    groups = p.groups
    chunk, per_group = task // panels, panels // groups
    group, f = task % panels // per_group, task % panels % per_group * WIDTH
    filters, pixel = g.shape[3] // groups, channels * 4
    lanes = min(WIDTH, filters - f)
    f += group * filters
    grad = address(grads) + (chunk * (grads.size // grads.shape[0]) + f) * 4
    # As in _direct, a run is as much as lies side by side.
    length, runs = channels // groups, across.taps
    if across.apart == 1 and groups == 1:
        length, runs = length * runs, 1
    block = max(1, _PIXELS // across.sums)
    # One panel of whole vectors is what g is by itself, and needs no copy.
    in_place = groups == 1 and filters <= WIDTH and filters % LANES == 0
    b_k = (filters if in_place else WIDTH) * 4
    b_row = across.sums * b_k
    bands = -(-down.sums // p.band)
    units = g.shape[0] * bands
    add = 0
    for unit in range(chunk * units // grads.shape[0], (chunk + 1) * units // grads.shape[0]):
        n, first = unit // bands, unit % bands * p.band
        rows = min(p.band, down.sums - first)
        top = first * down.step - down.before
        if p.width:
            copy_rows(x, channels, n, top, across.before, seen(rows, down), own)
            start, row = address(own), p.width * pixel
        else:
            row = x.shape[2] * 4
            start = address(x) + (n * x.shape[1] + top) * row - across.before * pixel
        start += group * (channels // groups) * 4
        b = address(g) + (n * g.shape[1] + first) * b_row if in_place else address(panel)
        for y in range(0 if in_place else rows):
            for i in range(across.sums):
                source, target = g[n, first + y, i, f : f + lanes], panel[y * across.sums + i, :lanes]
                for lane in range(target.size):
                    target[lane] = source[lane]
        for y in range(0, rows, block):
            for ky in range(down.taps):
                for kx in range(runs):
                    a = start + (y * down.step + ky * down.apart) * row + kx * across.apart * pixel
                    c = grad + (ky * runs + kx) * length * grads.shape[4] * 4
                    for r in range(0, length, ROWS):
                        tile(
                            grads, a + r * 4, 4, across.step * pixel, down.step * row,
                            b + y * b_row, b_k, b_row, across.sums, min(block, rows - y),
                            c + r * grads.shape[4] * 4, grads.shape[4] * 4, min(ROWS, length - r), lanes,
                            0, add, 0, 0,
                        )  # fmt: skip
            add = 1


@jit
def _sum(
    x: Array, channels: int, g: Array, grads: Array, panels: int, down: Axis, across: Axis, p: Plan
) -> None:
    own = np.empty((seen(p.band, down), p.width * channels), np.float32)
    panel = np.zeros((p.band * across.sums, WIDTH), np.float32)
    for task in range(grads.shape[0] * panels):
        _task(task, x, channels, g, grads, panels, down, across, p, own, panel)


@jit(parallel=True)
def _sum_parallel(
    x: Array, channels: int, g: Array, grads: Array, panels: int, down: Axis, across: Axis, p: Plan
) -> None:
    for task in prange(grads.shape[0] * panels):
        own = np.empty((seen(p.band, down), p.width * channels), np.float32)
        panel = np.zeros((p.band * across.sums, WIDTH), np.float32)
        _task(task, x, channels, g, grads, panels, down, across, p, own, panel)
