"""Matrix products by the micro-kernel: the loops around a tile of sums.

The idea: a task is a block of the result, up to 512 rows by 128 columns. It goes down K in steps of up to
512. At each it packs its piece of B into panels (:mod:`tinygrad_edu.kernels._panels`), a quarter of a
megabyte that stays in the second cache, and then takes A a few rows at a time, which stay in the first, past
all of the panels. A isn't packed: the micro-kernel spreads single numbers of it over a vector, and takes them
where they lie, by rows or, for a transposed A, by columns.

So B is read from far once for every 512 rows; packing it costs what one row in the product costs. A is read
once for every 128 columns, where it is small or comes from a cache. What a library for large squares gains
beyond that by packing A too was lost again in the packing, at 1024 x 1024 too.

B isn't packed where that isn't worth while: for a batch of up to 24, whose tiles read each number of B two or
three times, and where B is just one panel wide and so is one already.

The gradient of a layer's weights, Xᵀ H, has few rows and columns, and a K as long as there are pixels in a
batch: one block. There K is cut as well. Each task sums up its part of K in memory of its own, and at the end
the parts are added in order. A block cut small instead would have to read X and H several times.

Tasks are cut by the shapes alone, and every sum runs in one order: the same bits on every run.
"""

# mypy: disable-error-code="call-arg"
# (Intrinsics are called without the typing context that they are defined with.)

import numpy as np
from numba import prange

from tinygrad_edu.kernels._arrays import Array
from tinygrad_edu.kernels._jit import jit, two_forms
from tinygrad_edu.kernels._memory import empty
from tinygrad_edu.kernels._panels import ACROSS, empty_panels, pack
from tinygrad_edu.kernels._simd import BYTES, ROWS, address, tile
from tinygrad_edu.kernels._threads import run

__all__ = ["multiply"]

_ROWS, _COLUMNS, _DEPTH = 512, 128, 512  # of a block, at most; and the steps of K for which B is packed
_FEWEST_ROWS, _FEWEST_COLUMNS = 64, 32  # of a block that is cut smaller so that there is one for every core
_BLOCKS, _BLOCKS_ENOUGH = 8, 4  # that rows are cut into; below so many columns or K are cut too
_PARTS = 16  # of K, at most
_FEW, _FEW_DEPTH = 24, 256  # rows up to which B is read where it lies, and the steps of K taken then
_QUICK = 16  # multiplications of the micro-kernel in the time that run() expects of one


def multiply(
    a: Array, a_flipped: bool, b: Array, b_flipped: bool, bias: Array | None, relu: bool, out: Array
) -> None:
    """Fill out with A @ B + bias, or 0 where that is negative; A is a, or a.T if flipped, and so B.

    All are contiguous and of one dtype, float32 or float64, and no side is 0.
    """
    m, n = out.shape
    k = a.size // m
    width, lanes = ACROSS // out.itemsize, BYTES // out.itemsize
    if bias is None:
        bias = np.empty(0, out.dtype)
    elif n % width:  # whole vectors of it are read
        bias = np.concatenate((bias, np.zeros(-n % width, out.dtype)))
    down, columns, part = _cut(m, k, n)
    in_place = not b_flipped and n % lanes == 0 and (m <= _FEW or n <= width)
    depth = _FEW_DEPTH if in_place and m <= _FEW else _even(part, _DEPTH)
    sums = out[None] if part >= k else empty((-(-k // part), m, n), out.dtype)
    arguments = (
        a, a_flipped, b, b_flipped, in_place, bias, int(relu), sums, out, down, columns, part, depth,
    )  # fmt: skip
    computed = -(-n // lanes) * lanes  # columns
    run(_multiply, _multiply_parallel, arguments, a.size * computed // _QUICK)


def _even(length: int, most: int) -> int:
    """Return the length of equal parts, each at most so long; the last may be shorter."""
    return -(-length // -(-length // most))


def _cut(m: int, k: int, n: int) -> tuple[int, int, int]:
    """Return how many blocks the rows are cut into, the columns of each, and how far down K a task goes."""
    columns, part = _COLUMNS, k
    across = -(-n // columns)
    if across * -(-m // _ROWS) < _BLOCKS_ENOUGH and k >= max(2 * _DEPTH, m):
        return -(-m // _ROWS), columns, _even(k, max(_DEPTH, k // _PARTS))
    while columns > _FEWEST_COLUMNS and across * -(-m // _FEWEST_ROWS) < _BLOCKS_ENOUGH:
        columns //= 2
        across = -(-n // columns)
    return -(-m // min(max(m * across // _BLOCKS, _FEWEST_ROWS), _ROWS)), columns, part


@jit
def _task(
    i: int, rows: int, j: int, columns: int, first: int, last: int, depth: int,
    a: Array, a_flipped: bool, b: Array, b_flipped: bool, in_place: bool, bias: Array, relu: int, out: Array,
) -> None:  # fmt: skip
    m, n = out.shape
    size = a.size // m
    itemsize = a.itemsize
    width = ACROSS // itemsize
    a_row, a_k = (itemsize, m * itemsize) if a_flipped else (a.shape[1] * itemsize, itemsize)
    rows, columns = min(rows, m - i), min(columns, n - j)
    panels = empty_panels(0 if in_place else columns, depth, b)
    for k in range(first, last, depth):
        steps = min(depth, last - k)
        if in_place:
            b_at, b_k, panel = address(b) + (k * n + j) * itemsize, n * itemsize, ACROSS
        else:
            pack(b, b_flipped, k, steps, j, columns, panels)
            b_at, b_k, panel = address(panels), ACROSS, depth * ACROSS
        for r in range(i, i + rows, ROWS):
            ahead = 0  # what of A is read next: more rows, or from a transposed A the next steps of K
            if not a_flipped and steps == size and r + ROWS < m:
                ahead = address(a) + (r + ROWS) * a_row
            elif a_flipped and rows == m and k + depth < size:
                ahead = address(a) + (k + depth) * a_k + r * depth * itemsize
            for p in range(-(-columns // width)):
                column = j + p * width
                tile(
                    a, address(a) + r * a_row + k * a_k, a_row, a_k, 0,
                    b_at + p * panel, b_k, 0, steps, 1,
                    address(out) + (r * n + column) * itemsize, n * itemsize, min(ROWS, i + rows - r),
                    min(width, j + columns - column),
                    address(bias) + column * itemsize if bias.size and k == 0 else 0, k - first,
                    relu * (k + steps == last), ahead,
                )  # fmt: skip


def _loop(
    a: Array, a_flipped: bool, b: Array, b_flipped: bool, in_place: bool, bias: Array, relu: int,
    sums: Array, out: Array, down: int, columns: int, part: int, depth: int,
) -> None:  # fmt: skip
    m, n = out.shape
    size = a.size // m
    tiles, across, parts = -(-m // ROWS), -(-n // columns), sums.shape[0]
    for task in prange(parts * down * across):
        block, j = task // across % down, task % across * columns
        i, below = block * tiles // down * ROWS, (block + 1) * tiles // down * ROWS  # to a tile equally high
        first = task // (across * down) * part
        _task(
            i, below - i, j, columns, first, min(first + part, size), depth,
            a, a_flipped, b, b_flipped, in_place, bias, relu * (parts == 1), sums[first // part],
        )  # fmt: skip
    if parts > 1:
        for i in prange(m):
            out[i] = sums[0, i]
            for p in range(1, parts):
                for j in range(n):
                    out[i, j] += sums[p, i, j]
            if relu:
                for j in range(n):
                    if out[i, j] < 0:
                        out[i, j] = 0


_multiply, _multiply_parallel = two_forms(_loop, "_multiply")
