"""Resampling: images in another size, each new pixel a weighted sum of old ones.

The weights come apart into those down and those across (they are *separable*). So a row of the result is
made in two steps: the rows above and below are blended into one row that stays in the cache, as one long
loop; then each new pixel is blended from its neighbours in that row. Nothing between is ever as large as
an image.

Which pixels a new one is made of, and with which weights, is a sparse matrix for each of the two directions,
row after row (the format CSR). Nearest and bilinear differ in nothing else, and the gradient is the same sum
with both matrices transposed.

Nearest to a whole multiple of the size only repeats pixels, and its gradient adds up what the copies got.
There each number is read once and written once, and memory sets the pace. So it has loops of its own: no
weights, and no row between.

float64 goes the plain way of :mod:`tinygrad_edu.kernels.reference`.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numba import prange

from tinygrad_edu.errors import ShapeError
from tinygrad_edu.kernels import reference
from tinygrad_edu.kernels._arrays import Array, Pair, deliver, output, ready
from tinygrad_edu.kernels._jit import jit
from tinygrad_edu.kernels._lanes import fma, load, spread, store
from tinygrad_edu.kernels._threads import run

__all__ = ["Blend", "resample2d"]

Table = tuple[Array, Array, Array]  # starts, sources and weights of a Blend


@dataclass(frozen=True, eq=False)
class Blend:
    """New pixel i is the sum of weights[k] * old[sources[k]] for starts[i] <= k < starts[i + 1]."""

    size: int  # how many old pixels there are
    starts: Array  # (new pixels + 1,) of int64
    sources: Array  # (terms,) of int64
    weights: Array  # (terms,) of float64

    @property
    def table(self) -> Table:
        return self.starts, self.sources, self.weights

    @cached_property
    def transposed(self) -> "Blend":
        """Give each old pixel what it gave: the gradient's way."""
        new = np.repeat(np.arange(len(self.starts) - 1), np.diff(self.starts))
        order = np.argsort(self.sources, kind="stable")
        starts = np.searchsorted(self.sources[order], np.arange(self.size + 1))
        return Blend(len(self.starts) - 1, starts, new[order], self.weights[order])

    @cached_property
    def copies(self) -> int:
        """How often each old pixel is repeated, if nothing else happens; otherwise 0."""
        new = len(self.starts) - 1
        copies = new // self.size if self.size else 0
        repeated = np.repeat(np.arange(self.size), copies)
        plain = np.array_equal(self.starts, np.arange(new + 1)) and np.array_equal(self.sources, repeated)
        return copies if plain and (self.weights == 1).all() else 0


# --- Any weights -----------------------------------------------------------------------------------------


@jit
def _resample_row(task: int, x: Array, down: Table, across: Table, out: Array, scratch: Array) -> None:
    _, height, width, channels = x.shape
    starts, sources, weights = down
    n, y = task // out.shape[1], task % out.shape[1]
    vector, zero, row = 64 // x.itemsize, spread(x.dtype.type(0)), width * channels
    for j in range(0, row, vector):
        total = zero
        for k in range(starts[y], starts[y + 1]):
            at = (n * height + sources[k]) * row + j
            total = fma(spread(x.dtype.type(weights[k])), load(x, at, row - j), total)
        store(scratch, j, total, row - j)
    starts, sources, weights = across
    to = task * out.shape[2] * channels
    for i in range(out.shape[2]):
        for c in range(0, channels, vector):
            total = zero
            for k in range(starts[i], starts[i + 1]):
                weight = spread(x.dtype.type(weights[k]))
                total = fma(weight, load(scratch, sources[k] * channels + c, channels - c), total)
            store(out, to + i * channels + c, total, channels - c)


@jit
def _resample(x: Array, down: Table, across: Table, out: Array) -> None:
    scratch = np.empty(x.shape[2] * x.shape[3], x.dtype)
    for task in range(out.shape[0] * out.shape[1]):
        _resample_row(task, x, down, across, out, scratch)


@jit(parallel=True)
def _resample_parallel(x: Array, down: Table, across: Table, out: Array) -> None:
    for task in prange(out.shape[0] * out.shape[1]):
        scratch = np.empty(x.shape[2] * x.shape[3], x.dtype)
        _resample_row(task, x, down, across, out, scratch)


# --- Each pixel so many times ----------------------------------------------------------------------------


@jit
def _repeat_row(task: int, x: Array, copies: Pair, out: Array) -> None:
    """Write a row of old pixels wherever it is seen."""
    _, _, width, channels = x.shape
    rows, columns = copies
    row = width * columns * channels
    for i in range(width):
        for c in range(0, channels, 64 // x.itemsize):
            lanes = channels - c
            pixel = load(x, (task * width + i) * channels + c, lanes)
            for y in range(rows):
                for j in range(columns):
                    store(out, (task * rows + y) * row + (i * columns + j) * channels + c, pixel, lanes)


@jit
def _gather_row(task: int, x: Array, copies: Pair, out: Array) -> None:
    """Add up what the copies of each pixel in a row got."""
    _, _, width, channels = out.shape
    rows, columns = copies
    row = width * columns * channels
    for i in range(width):
        for c in range(0, channels, 64 // x.itemsize):
            lanes = channels - c
            total = spread(x.dtype.type(0))
            for y in range(rows):
                for j in range(columns):
                    total += load(x, (task * rows + y) * row + (i * columns + j) * channels + c, lanes)
            store(out, (task * width + i) * channels + c, total, lanes)


@jit
def _repeat(x: Array, copies: Pair, out: Array) -> None:
    for task in range(x.shape[0] * x.shape[1]):
        _repeat_row(task, x, copies, out)


@jit(parallel=True)
def _repeat_parallel(x: Array, copies: Pair, out: Array) -> None:
    for task in prange(x.shape[0] * x.shape[1]):
        _repeat_row(task, x, copies, out)


@jit
def _gather(x: Array, copies: Pair, out: Array) -> None:
    for task in range(out.shape[0] * out.shape[1]):
        _gather_row(task, x, copies, out)


@jit(parallel=True)
def _gather_parallel(x: Array, copies: Pair, out: Array) -> None:
    for task in prange(out.shape[0] * out.shape[1]):
        _gather_row(task, x, copies, out)


def resample2d(x: Array, down: Blend, across: Blend, out: Array | None = None) -> Array:
    """Make each new pixel a weighted sum of old ones, down and across.

    Parameters
    ----------
    x : ndarray (N, H, W, C), float32 or float64
    down, across : Blend
        Of H pixels to H', and of W to W'.
    out : ndarray (N, H', W', C), optional
        Filled and returned; must not overlap x.

    Returns
    -------
    ndarray (N, H', W', C) of x's dtype

    Raises
    ------
    ShapeError
        If x isn't of images of the size that the weights are for.

    Examples
    --------
    >>> import numpy as np
    >>> twice = Blend(2, np.array([0, 1, 2, 3, 4]), np.array([0, 0, 1, 1]), np.ones(4))
    >>> once = Blend(1, np.array([0, 1]), np.array([0]), np.ones(1))
    >>> resample2d(np.array([1.0, 2.0]).reshape(1, 1, 2, 1), once, twice).ravel()
    array([1., 1., 2., 2.])
    """
    if x.ndim != 4 or x.shape[1:3] != (down.size, across.size):
        raise ShapeError(f"resample2d: x {x.shape} should be (N, {down.size}, {across.size}, C)")
    x = ready(x)
    result = output(out, (len(x), len(down.starts) - 1, len(across.starts) - 1, x.shape[3]), x.dtype)
    work = 2 * (result.size + x.size)
    if x.dtype != np.float32:
        with np.errstate(all="ignore"):  # compiled code doesn't warn either
            result[...] = reference.resample2d(x, down, across)
    elif down.copies and across.copies:
        run(_repeat, _repeat_parallel, (x, (down.copies, across.copies), result), work)
    elif down.transposed.copies and across.transposed.copies:
        copies = down.transposed.copies, across.transposed.copies
        run(_gather, _gather_parallel, (x, copies, result), work)
    else:
        run(_resample, _resample_parallel, (x, down.table, across.table, result), work)
    return deliver(result, out)
