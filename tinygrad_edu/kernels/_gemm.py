"""Matrix products by the micro-kernel: the loops around a tile of sums.

The idea: a task is a block of the result, up to 512 rows by 128 columns. It goes down K in steps of up to
512. At each it packs its piece of B into panels (:mod:`tinygrad_edu.kernels._panels`), a quarter of a
megabyte that stays in the second cache, and then takes A a few rows at a time, which stay in the first, past
all of the panels. A isn't packed: the micro-kernel spreads single numbers of it over a vector, and takes them
where they lie, by rows or, for a transposed A, by columns.

So B is read from far once for every 512 rows, and for a batch of 16 once in all; packing it costs what one
row in the product costs. A is read once for every 128 columns, where it is small or comes from a cache.
What a library for large squares gains beyond that by packing A too was lost again in the packing, at
1024 x 1024 too.

Tasks are cut by the shapes alone, and every sum runs in one order: the same bits on every run.
"""

# mypy: disable-error-code="call-arg"
# (Intrinsics are called without the typing context that they are defined with.)

import numpy as np
from numba import prange

from tinygrad_edu.kernels._arrays import Array
from tinygrad_edu.kernels._jit import jit, run
from tinygrad_edu.kernels._panels import WIDTH, empty_panels, pack
from tinygrad_edu.kernels._simd import LANES, ROWS, address, tile

__all__ = ["multiply"]

_ROWS, _COLUMNS, _DEPTH = 512, 128, 512  # of a block, at most
_FEWEST_COLUMNS, _FEWEST_ROWS = 32, 64  # of a block that is cut smaller so that there is one for every core
_SHARES = 4  # blocks across, or down, that are enough
_QUICK = 16  # multiplications of the micro-kernel in the time that run() expects of one

_NO_BIAS = np.empty(0, np.float32)


def multiply(
    a: Array, a_flipped: bool, b: Array, b_flipped: bool, bias: Array | None, relu: bool, out: Array
) -> None:
    """Fill out with A @ B + bias, or 0 where that is negative; A is a, or a.T if flipped, and so B.

    All are float32 and contiguous, and no side is 0.
    """
    n = out.shape[1]
    if bias is None:
        bias = _NO_BIAS
    elif n % WIDTH:  # whole vectors of it are read
        bias = np.concatenate((bias, np.zeros(-n % WIDTH, np.float32)))
    arguments = (a, a_flipped, b, b_flipped, bias, int(relu), out)
    lanes = -(-n // LANES) * LANES  # that are computed
    run(_multiply, _multiply_parallel, arguments, a.size * lanes // _QUICK)


@jit
def _even(length: int, most: int, unit: int) -> int:
    """Return the length of equal parts, each at most so long, in whole units; the last may be shorter."""
    parts = -(-length // most)
    return -(-length // (parts * unit)) * unit


@jit
def _block(m: int, n: int) -> tuple[int, int]:
    """Return the rows and the columns of a block."""
    columns = _COLUMNS
    while columns > _FEWEST_COLUMNS and n < _SHARES * columns:
        columns //= 2
    across = -(-n // columns)
    return _even(m, _ROWS if across >= _SHARES else _FEWEST_ROWS * across, ROWS), columns


@jit
def _task(
    i: int, rows: int, j: int, columns: int,
    a: Array, a_flipped: bool, b: Array, b_flipped: bool, bias: Array, relu: int, out: Array, panels: Array,
) -> None:  # fmt: skip
    m, n = out.shape
    size = a.shape[0] if a_flipped else a.shape[1]
    a_row, a_k = (4, m * 4) if a_flipped else (size * 4, 4)
    rows, columns = min(rows, m - i), min(columns, n - j)
    panel, depth = panels.shape[1] * WIDTH * 4, panels.shape[1]
    for k in range(0, size, depth):
        steps = min(depth, size - k)
        pack(b, b_flipped, k, steps, j, columns, panels)
        for r in range(i, i + rows, ROWS):
            for p in range(-(-columns // WIDTH)):
                column = j + p * WIDTH
                tile(
                    address(a) + r * a_row + k * a_k, a_row, a_k, 0,
                    address(panels) + p * panel, WIDTH * 4, 0, steps, 1,
                    address(out) + (r * n + column) * 4, n * 4, min(ROWS, i + rows - r),
                    min(WIDTH, j + columns - column),
                    address(bias) + column * 4 if bias.size else 0, k, relu * (k + steps == size),
                )  # fmt: skip


@jit
def _multiply(
    a: Array, a_flipped: bool, b: Array, b_flipped: bool, bias: Array, relu: int, out: Array
) -> None:
    m, n = out.shape
    rows, columns = _block(m, n)
    panels = empty_panels(min(n, columns), _even(a.size // m, _DEPTH, 1))
    for i in range(0, m, rows):
        for j in range(0, n, columns):
            _task(i, rows, j, columns, a, a_flipped, b, b_flipped, bias, relu, out, panels)


@jit(parallel=True)
def _multiply_parallel(
    a: Array, a_flipped: bool, b: Array, b_flipped: bool, bias: Array, relu: int, out: Array
) -> None:
    m, n = out.shape
    rows, columns = _block(m, n)
    across = -(-n // columns)
    for task in prange(-(-m // rows) * across):
        panels = empty_panels(min(n, columns), _even(a.size // m, _DEPTH, 1))
        i, j = task // across * rows, task % across * columns
        _task(i, rows, j, columns, a, a_flipped, b, b_flipped, bias, relu, out, panels)
