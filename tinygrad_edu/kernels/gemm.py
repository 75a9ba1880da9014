"""Products of matrices, with a bias and ReLU in the same pass if wanted.

Two ways to compute them, and here is chosen between:

- :mod:`tinygrad_edu.kernels._gemm`, our blocks around the micro-kernel, on all threads;
- NumPy's BLAS, for vectors, and for matrices so small that calling is most of the work.
"""

import math
from typing import Any

import numpy as np

from tinygrad_edu.errors import ShapeError
from tinygrad_edu.kernels._arrays import Array, deliver, float_dtype, output, ready

__all__ = ["matmul"]

# Up to so many multiplications BLAS is quicker on one thread: for 32 x 32 x 32 with a bias 5 µs against 8,
# for 64 x 64 x 64 as quick. The tile computes whole vectors of columns, so where there are fewer,
# BLAS is quicker for longer: 14 µs against 44 for 512 x 128 x 10. Where one matrix is a vector it always is.
_SMALL, _SMALL_IF_THIN, _THIN = 200_000, 2_000_000, 16


def matmul(
    a: Array, b: Array, bias: Array | None = None, relu: bool = False, out: Array | None = None
) -> Array:
    """Multiply matrices: out[…,i,j] is the sum over k of a[…,i,k] * b[…,k,j], plus bias[j].

    Transposed views such as ``w.T`` are read as they are; other layouts are copied first. NaN and infinity go
    where the sum takes them. The error of a float32 result is that of k roundings in a row at most, and in
    random data of about sqrt(k); the bits are the same on every run, whatever the number of threads.

    Parameters
    ----------
    a : ndarray (…, m, k), float32 or float64
    b : ndarray (…, k, n)
        The leading axes of both broadcast.
    bias : ndarray (n,), optional
        Added to every row.
    relu : bool
        Whether negative results become 0; NaN stays.
    out : ndarray (…, m, n), optional
        Filled and returned; must not overlap a, b or bias.

    Returns
    -------
    ndarray (…, m, n)

    Raises
    ------
    ShapeError
        If the inner sizes differ, an array is less than two-dimensional, or bias or out have other shapes.
    DTypeError
        If a is neither float32 nor float64.

    Notes
    -----
    The blocks follow Goto & van de Geijn, *Anatomy of high-performance matrix multiplication*, 2008.

    Examples
    --------
    >>> import numpy as np
    >>> a, b = np.array([[1.0, 2.0], [3.0, 4.0]]), np.array([[1.0, 0.0], [0.0, -1.0]])
    >>> matmul(a, b, bias=np.array([10.0, 0.0]), relu=True)
    array([[11.,  0.],
           [13.,  0.]])
    """
    dtype = float_dtype(a)
    if b.dtype != dtype:
        b = b.astype(dtype)
    if a.ndim < 2 or b.ndim < 2 or a.shape[-1] != b.shape[-2]:
        raise ShapeError(f"matmul: expected (…, m, k) and (…, k, n), got {a.shape} and {b.shape}")
    (m, k), n = a.shape[-2:], b.shape[-1]
    if bias is not None:
        bias = ready(bias, dtype)
        if bias.shape != (n,):
            raise ShapeError(f"matmul: bias must be ({n},), one for each column, got {bias.shape}")
    lead: tuple[int, ...] = ()
    if a.ndim > 2 or b.ndim > 2:
        try:
            lead = np.broadcast_shapes(a.shape[:-2], b.shape[:-2])
        except ValueError:
            raise ShapeError(f"matmul: the leading axes of {a.shape} and {b.shape} don't broadcast") from None
    result = output(out, (*lead, m, n), dtype)
    if not lead:
        _multiply(a, b, bias, relu, result)
    elif b.ndim == 2:
        _multiply(a.reshape(math.prod(lead) * m, k), b, bias, relu, result.reshape(math.prod(lead) * m, n))
    elif m * k * n < _SMALL:
        _with_blas(a, b, bias, relu, result)
    else:
        for place in np.ndindex(lead):
            _multiply(_matrix(a, place), _matrix(b, place), bias, relu, result[place])
    return deliver(result, out)


def _multiply(a: Array, b: Array, bias: Array | None, relu: bool, out: Array) -> None:
    """Multiply two matrices in the way that is quickest."""
    (m, k), n = a.shape, b.shape[1]
    small = _SMALL if n >= _THIN else _SMALL_IF_THIN
    if m * k * n < small or 1 in (m, n):
        _with_blas(a, b, bias, relu, out)
        return
    from tinygrad_edu.kernels import _gemm  # not before it is needed: small networks do without Numba

    _gemm.multiply(*_as_it_lies(a), *_as_it_lies(b), bias, relu, out)


def _with_blas(a: Array, b: Array, bias: Array | None, relu: bool, out: Array) -> None:
    product: Any = np.dot if out.ndim == 2 else np.matmul  # np.dot has half the overhead
    product(a, b, out=out)
    if bias is not None:
        np.add(out, bias, out=out)
    if relu:
        np.maximum(out, 0, out=out)


def _matrix(a: Array, place: tuple[int, ...]) -> Array:
    """Return the matrix at a place among the leading axes, of which a may lack the first or have just 1."""
    own = a.shape[:-2]
    here = place[len(place) - len(own) :]
    matrix: Array = a[tuple([0 if n == 1 else i for i, n in zip(here, own, strict=True)])]
    return matrix


def _as_it_lies(a: Array) -> tuple[Array, bool]:
    """Return the matrix as contiguous rows, or else its transpose, and whether it is that."""
    flipped = a.flags.f_contiguous and not a.flags.c_contiguous
    return (ready(a.T), True) if flipped else (ready(a), False)
