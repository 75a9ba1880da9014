"""What every kernel asks of the arrays it is given, and of the one it fills.

Compiled code is made for one memory layout. Arrays that come in another (a slice, a transpose, read-only
memory) are copied first, so that each kernel is compiled once a dtype rather than once a layout.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinygrad_edu.errors import DTypeError, ShapeError
from tinygrad_edu.kernels._memory import empty

__all__ = [
    "Array", "Padding", "Pair", "deliver", "float_dtype", "output", "pad", "padded_zeros", "ready",
    "spatial_shape", "spread", "unpad",
]  # fmt: skip

Array = NDArray[Any]
Pair = tuple[int, int]
Padding = tuple[Pair, Pair]

_FLOATS = frozenset({np.dtype(np.float32), np.dtype(np.float64)})


def float_dtype(a: Array) -> np.dtype[Any]:
    """Return the dtype of an array, or raise DTypeError if it is neither float32 nor float64."""
    if a.dtype not in _FLOATS:
        raise DTypeError(f"kernels take float32 or float64 arrays, got {a.dtype}; use a.astype(np.float32)")
    return a.dtype


def ready(a: Array, dtype: np.dtype[Any] | None = None) -> Array:
    """Return a as a contiguous, writeable float array (of the given dtype), a itself where it is one."""
    if dtype is None:
        dtype = float_dtype(a)
    return a if a.dtype == dtype and a.flags.carray else np.array(a, dtype, order="C")


def output(out: Array | None, shape: tuple[int, ...], dtype: Any) -> Array:
    """Return the array that a kernel is to fill: out where its layout allows that, else a new one."""
    if out is None:
        return empty(shape, dtype)
    if out.shape != shape or out.dtype != dtype:
        raise ShapeError(f"out must be {shape} {np.dtype(dtype)}, got {out.shape} {out.dtype}")
    return out if out.flags.carray else empty(shape, dtype)


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


def spread(window: tuple[int, ...], dilation: Pair) -> Pair:
    """How many rows and columns a window reaches over if its cells lie dilation apart.

    >>> spread((3, 3), (1, 2))
    (3, 5)
    """
    return (window[0] - 1) * dilation[0] + 1, (window[1] - 1) * dilation[1] + 1


def pad(x: Array, padding: Padding, value: float = 0) -> Array:
    """Return images (N, H, W, C) with rows and columns of a value around them."""
    return np.pad(x, ((0, 0), *padding, (0, 0)), constant_values=value)


def unpad(x: Array, padding: Padding) -> Array:
    """Return what padding was put around: a view."""
    (top, bottom), (left, right) = padding
    return x[:, top : x.shape[1] - bottom, left : x.shape[2] - right]


def padded_zeros(shape: tuple[int, ...], padding: Padding, dtype: Any) -> Array:
    """Return zeros in the shape of images (N, H, W, C) with padding around them."""
    (n, h, w, c), (rows, columns) = shape, padding
    return np.zeros((n, h + sum(rows), w + sum(columns), c), dtype)
