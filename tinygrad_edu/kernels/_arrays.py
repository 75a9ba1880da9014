"""What every kernel asks of the arrays it is given, and of the one it fills.

Compiled code is made for one memory layout. Arrays that come in another (a slice, a transpose, read-only
memory) are copied first, so that each kernel is compiled once a dtype rather than once a layout.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinygrad_edu.errors import DTypeError, ShapeError

__all__ = ["Array", "Padding", "Pair", "deliver", "output", "ready", "spatial_shape"]

Array = NDArray[Any]
Pair = tuple[int, int]
Padding = tuple[Pair, Pair]

_FLOATS = frozenset({np.dtype(np.float32), np.dtype(np.float64)})


def ready(a: Array, dtype: np.dtype[Any] | None = None) -> Array:
    """Return a as a contiguous, writeable float array (of the given dtype), a itself where it is one."""
    if dtype is None:
        dtype = a.dtype
        if dtype not in _FLOATS:
            raise DTypeError(f"kernels take float32 or float64 arrays, got {dtype}; use a.astype(np.float32)")
    return a if a.dtype == dtype and a.flags.carray else np.array(a, dtype, order="C")


def output(out: Array | None, shape: tuple[int, ...], dtype: Any) -> Array:
    """Return the array that a kernel is to fill: out where its layout allows that, else a new one."""
    if out is None:
        return np.empty(shape, dtype)
    if out.shape != shape or out.dtype != dtype:
        raise ShapeError(f"out must be {shape} {np.dtype(dtype)}, got {out.shape} {out.dtype}")
    return out if out.flags.carray else np.empty(shape, dtype)


def deliver(result: Array, out: Array | None) -> Array:
    """Return out, filled with the result unless the kernel wrote there already; without out, the result."""
    if out is None or out is result:
        return result
    out[...] = result
    return out


def spatial_shape(shape: tuple[int, ...], window: Pair, strides: Pair, padding: Padding) -> Pair:
    """How many windows fit into padded images of the shape (N, H, W, C), down and across."""
    (top, bottom), (left, right) = padding
    oh = (shape[1] + top + bottom - window[0]) // strides[0] + 1
    ow = (shape[2] + left + right - window[1]) // strides[1] + 1
    if oh < 1 or ow < 1:
        raise ShapeError(f"a window of {window} doesn't fit images of {shape[1:3]} with padding {padding}")
    return oh, ow
