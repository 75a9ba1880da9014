"""The inner loops of convolution: images into planes, sums and products of shifted planes, tasks.

:mod:`tinygrad_edu.kernels.conv` has the idea. Here, a *position* is a place in the output (of a backward
pass: in one phase of the input), a *tap* one number of a kernel, and (T, 3) arrays of taps hold
(plane, shift, row of the weights).
"""

from typing import NamedTuple

import numpy as np
from numba import prange

from tinygrad_edu.kernels._arrays import Array, Pair
from tinygrad_edu.kernels._jit import jit

__all__ = ["Grid", "Lattice", "correlate", "correlate_parallel", "cut", "weight_grad", "weight_grad_parallel"]

_PLANE = 1024  # numbers in a plane, about: the six that the innermost loop reads fit a core's first cache
_TASKS = 8  # at least so many where there are as many images, to keep several cores busy


class Lattice(NamedTuple):
    """Which pixels of an image a plane holds: phase (py, px) has (y*sh + py - top, x*sw + px - left)."""

    sh: int
    sw: int
    phases_h: int
    phases_w: int
    top: int
    left: int


class Grid(NamedTuple):
    """How the positions are cut into tasks, and how planes are laid out."""

    tasks: int
    images: int  # in a task
    bands: int  # tasks an image is cut into; 1 if a task holds several images
    rows: int  # positions down in a band
    columns: int  # positions across
    height: int  # rows of a plane for one image: the band's, and those that taps reach below it
    width: int  # of a plane: the columns, and those that taps reach beyond
    length: int  # of a plane's sum: up to the last number from which every tap stays within its plane


def cut(n: int, positions: Pair, reach: Pair) -> Grid:
    """Cut n images of (rows, columns) positions, whose taps reach so far (down, right)."""
    rows, columns = positions
    width = columns + reach[1]
    bands = min(-(-rows * width // _PLANE), -(-rows // 4))  # bands overlap, so none thinner than 4 rows
    rows = -(-rows // bands)
    height = rows + reach[0]
    images = max(1, min(_PLANE // (height * width), -(-n // _TASKS))) if bands == 1 else 1
    length = images * height * width - reach[0] * width - reach[1]
    return Grid(-(-n // images) * bands, images, bands, rows, columns, height, width, length)


# --- Between images and planes ----------------------------------------------------------------------------


@jit
def _pack(x: Array, lattice: Lattice, grid: Grid, n: int, row: int, rows: int, planes: Array) -> None:
    """Copy rows of the images from number n on, from a row on, into planes (C * phases, images * pixels)."""
    planes[:] = 0
    sh, sw, phases_h, phases_w, top, left = lattice
    for image in range(min(grid.images, x.shape[0] - n)):
        for y in range(rows):
            at = (image * grid.height + y) * grid.width
            for py in range(phases_h):
                iy = (row + y) * sh + py - top
                if iy < 0 or iy >= x.shape[1]:
                    continue
                for px in range(phases_w):
                    first = max(0, -((px - left) // sw))
                    last = min(grid.width, (x.shape[2] - 1 + left - px) // sw + 1)
                    for block in range(first, last, 16):  # 16 pixels stay in cache while c runs
                        for c in range(x.shape[3]):
                            plane = planes[(c * phases_h + py) * phases_w + px]
                            for i in range(block, min(block + 16, last)):
                                plane[at + i] = x[n + image, iy, i * sw + px - left, c]


@jit
def _unpack(
    plane: Array, lattice: Lattice, grid: Grid, n: int, row: int, py: int, px: int, f: int, out: Array
) -> None:
    """Copy a plane to its pixels in channel f of the images from number n on, from a row on."""
    sh, sw, _, _, top, left = lattice
    first = max(0, -((px - left) // sw))
    last = min(grid.columns, (out.shape[2] - 1 + left - px) // sw + 1)
    for image in range(min(grid.images, out.shape[0] - n)):
        for y in range(grid.rows):
            at = (image * grid.height + y) * grid.width
            oy = (row + y) * sh + py - top
            if oy >= 0 and oy < out.shape[1]:
                for i in range(first, last):
                    out[n + image, oy, i * sw + px - left, f] = plane[at + i]


# --- The sum of shifted planes ----------------------------------------------------------------------------


@jit(fastmath=True)
def _shifted_sum(planes: Array, taps: Array, weights: Array, f: int, f2: int, a: Array, b: Array) -> None:
    """Compute channels f and f2 of the result into a and b; taps (T, 3) hold (plane, shift, weight's row)."""
    a[:] = 0
    b[:] = 0
    length = a.size
    whole = taps.shape[0] // 4 * 4
    for t in range(0, whole, 4):  # four taps a pass, so that a and b are loaded and stored a quarter as often
        x0 = planes[taps[t, 0], taps[t, 1] : taps[t, 1] + length]
        x1 = planes[taps[t + 1, 0], taps[t + 1, 1] : taps[t + 1, 1] + length]
        x2 = planes[taps[t + 2, 0], taps[t + 2, 1] : taps[t + 2, 1] + length]
        x3 = planes[taps[t + 3, 0], taps[t + 3, 1] : taps[t + 3, 1] + length]
        r0, r1, r2, r3 = taps[t, 2], taps[t + 1, 2], taps[t + 2, 2], taps[t + 3, 2]
        u0, u1, u2, u3 = weights[r0, f], weights[r1, f], weights[r2, f], weights[r3, f]
        v0, v1, v2, v3 = weights[r0, f2], weights[r1, f2], weights[r2, f2], weights[r3, f2]
        for p in range(length):
            y0, y1, y2, y3 = x0[p], x1[p], x2[p], x3[p]
            a_p = a[p] + u0 * y0 + u1 * y1 + u2 * y2 + u3 * y3
            b_p = b[p] + v0 * y0 + v1 * y1 + v2 * y2 + v3 * y3
            a[p] = a_p
            b[p] = b_p
    for t in range(whole, taps.shape[0]):
        x0 = planes[taps[t, 0], taps[t, 1] : taps[t, 1] + length]
        u0, v0 = weights[taps[t, 2], f], weights[taps[t, 2], f2]
        for p in range(length):
            a[p] += u0 * x0[p]
            b[p] += v0 * x0[p]


@jit
def _correlate_task(
    task: int, x: Array, x_lattice: Lattice, weights: Array, taps: Array, counts: Array,
    out: Array, out_lattice: Lattice, grid: Grid, planes: Array, sums: Array,
) -> None:  # fmt: skip
    n, row = task // grid.bands * grid.images, task % grid.bands * grid.rows
    _pack(x, x_lattice, grid, n, row, grid.height, planes)
    channels = out.shape[3]
    for phase in range(taps.shape[0]):
        py, px = phase // out_lattice.phases_w, phase % out_lattice.phases_w
        for f in range(0, channels, 2):
            f2 = min(f + 1, channels - 1)
            _shifted_sum(planes, taps[phase, : counts[phase]], weights, f, f2, sums[0], sums[1])
            _unpack(sums[0], out_lattice, grid, n, row, py, px, f, out)
            _unpack(sums[1], out_lattice, grid, n, row, py, px, f2, out)


@jit
def correlate(
    x: Array, x_lattice: Lattice, weights: Array, taps: Array, counts: Array,
    out: Array, out_lattice: Lattice, grid: Grid, planes: int,
) -> None:  # fmt: skip
    x_planes = np.empty((planes, grid.images * grid.height * grid.width), x.dtype)
    sums = np.empty((2, grid.length), x.dtype)
    for task in range(grid.tasks):
        _correlate_task(task, x, x_lattice, weights, taps, counts, out, out_lattice, grid, x_planes, sums)


@jit(parallel=True)
def correlate_parallel(
    x: Array, x_lattice: Lattice, weights: Array, taps: Array, counts: Array,
    out: Array, out_lattice: Lattice, grid: Grid, planes: int,
) -> None:  # fmt: skip
    for task in prange(grid.tasks):
        x_planes = np.empty((planes, grid.images * grid.height * grid.width), x.dtype)
        sums = np.empty((2, grid.length), x.dtype)
        _correlate_task(task, x, x_lattice, weights, taps, counts, out, out_lattice, grid, x_planes, sums)


# --- The gradient of the weights --------------------------------------------------------------------------


@jit(fastmath=True)
def _products(planes: Array, taps: Array, g_planes: Array, f: int, f2: int, length: int, grad: Array) -> None:
    """Add to grad[:, f] and grad[:, f2] the products of each tap's shifted plane with planes f, f2 of g."""
    a, b = g_planes[f, :length], g_planes[f2, :length]
    twice = f2 != f
    whole = taps.shape[0] // 4 * 4
    for t in range(0, whole, 4):
        x0 = planes[taps[t, 0], taps[t, 1] : taps[t, 1] + length]
        x1 = planes[taps[t + 1, 0], taps[t + 1, 1] : taps[t + 1, 1] + length]
        x2 = planes[taps[t + 2, 0], taps[t + 2, 1] : taps[t + 2, 1] + length]
        x3 = planes[taps[t + 3, 0], taps[t + 3, 1] : taps[t + 3, 1] + length]
        u0 = u1 = u2 = u3 = v0 = v1 = v2 = v3 = grad.dtype.type(0)
        for p in range(length):
            u0 += x0[p] * a[p]
            u1 += x1[p] * a[p]
            u2 += x2[p] * a[p]
            u3 += x3[p] * a[p]
            v0 += x0[p] * b[p]
            v1 += x1[p] * b[p]
            v2 += x2[p] * b[p]
            v3 += x3[p] * b[p]
        grad[t, f] += u0
        grad[t + 1, f] += u1
        grad[t + 2, f] += u2
        grad[t + 3, f] += u3
        if twice:
            grad[t, f2] += v0
            grad[t + 1, f2] += v1
            grad[t + 2, f2] += v2
            grad[t + 3, f2] += v3
    for t in range(whole, taps.shape[0]):
        x0 = planes[taps[t, 0], taps[t, 1] : taps[t, 1] + length]
        u0 = v0 = grad.dtype.type(0)
        for p in range(length):
            u0 += x0[p] * a[p]
            v0 += x0[p] * b[p]
        grad[t, f] += u0
        if twice:
            grad[t, f2] += v0


@jit
def _weight_chunk(
    first: int, last: int, x: Array, lattice: Lattice, g: Array, g_lattice: Lattice, taps: Array,
    grid: Grid, planes: int, grad: Array,
) -> None:  # fmt: skip
    """Set grad (T, F) to the sum over the tasks from first up to last."""
    x_planes = np.empty((planes, grid.images * grid.height * grid.width), x.dtype)
    g_planes = np.empty((g.shape[3], grid.images * grid.height * grid.width), x.dtype)
    grad[:] = 0
    for task in range(first, last):
        n, row = task // grid.bands * grid.images, task % grid.bands * grid.rows
        _pack(x, lattice, grid, n, row, grid.height, x_planes)
        _pack(g, g_lattice, grid, n, row, grid.rows, g_planes)
        for f in range(0, g.shape[3], 2):
            _products(x_planes, taps, g_planes, f, min(f + 1, g.shape[3] - 1), grid.length, grad)


@jit
def weight_grad(
    x: Array, lattice: Lattice, g: Array, g_lattice: Lattice, taps: Array,
    grid: Grid, planes: int, grads: Array,
) -> None:  # fmt: skip
    chunks = grads.shape[0]
    for k in range(chunks):
        first, last = k * grid.tasks // chunks, (k + 1) * grid.tasks // chunks
        _weight_chunk(first, last, x, lattice, g, g_lattice, taps, grid, planes, grads[k])


@jit(parallel=True)
def weight_grad_parallel(
    x: Array, lattice: Lattice, g: Array, g_lattice: Lattice, taps: Array,
    grid: Grid, planes: int, grads: Array,
) -> None:  # fmt: skip
    chunks = grads.shape[0]
    for k in prange(chunks):
        first, last = k * grid.tasks // chunks, (k + 1) * grid.tasks // chunks
        _weight_chunk(first, last, x, lattice, g, g_lattice, taps, grid, planes, grads[k])
