"""Sums down the columns of a matrix: of a gradient over all pixels, of a loss over a batch.

Adding up n numbers one after the other rounds n times, and in float32 the errors show after some thousands
(Higham, "The accuracy of floating point summation", 1993). So the sums are kept in float64, which vectors
widen to as they load; memory sets the pace, so that costs no time. Each task sums a block of rows, and the
blocks are added in their order.

With few columns several rows are taken as one wide row, so that vectors are full. One column, the sum of
everything, is no case of its own.
"""

import numpy as np
from numba import prange

from tinygrad_edu.errors import ShapeError
from tinygrad_edu.kernels._arrays import Array, deliver, output, ready
from tinygrad_edu.kernels._jit import jit
from tinygrad_edu.kernels._lanes import load_double, spread, store
from tinygrad_edu.kernels._threads import run

__all__ = ["sum_rows"]

_WIDE = 128  # columns that a wide row has about, where there are few
_BLOCK = 2**15  # numbers that a task adds up


@jit
def _sum_block(task: int, x: Array, block: int, partial: Array) -> None:
    rows, width = x.shape
    first, last = task * block, min((task + 1) * block, rows)
    for c in range(0, width, 8):
        lanes, at = width - c, first * width + c
        zero = spread(0.0)
        s0, s1, s2, s3 = zero, zero, zero, zero
        for _ in range((last - first) // 4):
            s0, s1 = s0 + load_double(x, at, lanes), s1 + load_double(x, at + width, lanes)
            s2, s3 = s2 + load_double(x, at + 2 * width, lanes), s3 + load_double(x, at + 3 * width, lanes)
            at += 4 * width
        for _ in range((last - first) % 4):
            s0 += load_double(x, at, lanes)
            at += width
        store(partial, task * width + c, (s0 + s1) + (s2 + s3), lanes)


@jit
def _sum(x: Array, block: int, partial: Array) -> None:
    for task in range(partial.shape[0]):
        _sum_block(task, x, block, partial)


@jit(parallel=True)
def _sum_parallel(x: Array, block: int, partial: Array) -> None:
    for task in prange(partial.shape[0]):
        _sum_block(task, x, block, partial)


def sum_rows(x: Array, out: Array | None = None) -> Array:
    """Sum a matrix over its rows, in float64, and round once.

    Parameters
    ----------
    x : ndarray (rows, columns), float32 or float64
    out : ndarray (columns,), optional
        Filled and returned; must not overlap x.

    Returns
    -------
    ndarray (columns,) of x's dtype

    Raises
    ------
    ShapeError
        If x isn't a matrix.

    Examples
    --------
    >>> import numpy as np
    >>> sum_rows(np.array([[1.0, 2.0], [3.0, 4.0]]))
    array([4., 6.])
    """
    if x.ndim != 2:
        raise ShapeError(f"sum_rows takes a matrix, got shape {x.shape}")
    x = ready(x)
    rows, columns = x.shape
    together = max(1, min(rows, _WIDE // max(columns, 1)))
    wide, rest = rows // together, rows % together
    width = columns * together
    block = max(16, _BLOCK // max(width, 1))
    partial = np.empty((-(-wide // block), width))
    run(_sum, _sum_parallel, (x[: rows - rest].reshape(wide, width), block, partial), x.size)
    total = np.add.reduce(partial, axis=0)
    if together > 1:
        total = np.add.reduce(total.reshape(together, columns), axis=0)
    if rest:
        total += np.add.reduce(x[rows - rest :], axis=0, dtype=np.float64)
    result = output(out, (columns,), x.dtype)
    with np.errstate(over="ignore"):  # compiled code doesn't warn of infinities either
        result[...] = total
    return deliver(result, out)
