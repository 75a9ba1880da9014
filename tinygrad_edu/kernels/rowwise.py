"""Softmax and its logarithm along the last axis, row by row, each row read while it lies in the cache.

The row's maximum is subtracted first: it cancels in the quotient, and the largest exponential becomes
exp(0) = 1. So nothing overflows, and the sum is never below 1. A row is read three times, for its maximum,
for its exponentials and to divide them by their sum; but the second and third time it comes from the nearest
cache, and :func:`_scalar.exp` computes sixteen exponentials at once. NumPy goes over the whole array each
time, which by then has left the cache. The cores share the rows.

float64, which gradients are tested in, is left to the plain twins in :mod:`reference`.
"""

from typing import Any

import numpy as np
from numba import prange

from tinygrad_edu.errors import ShapeError
from tinygrad_edu.kernels import _scalar, reference
from tinygrad_edu.kernels._arrays import Array, deliver, output, ready
from tinygrad_edu.kernels._jit import part, two_forms
from tinygrad_edu.kernels._threads import run

__all__ = ["log_softmax", "log_softmax_grad", "softmax", "softmax_grad"]

_ZERO = np.float32(0)
BLOCK = 1024  # columns that are added up in float32, before float64 takes over: sums of long rows stay exact


@part
def largest_of(row: Array) -> Any:
    largest = row[0]
    for j in range(row.size):
        largest = _scalar.larger(largest, row[j])
    return largest


@part(fastmath=True)
def exponentials(row: Array, largest: Any, out: Array) -> Any:
    """Fill out with e^(x - largest), and return their sum."""
    total: Any = 0.0
    for start in range(0, row.size, BLOCK):
        x, e = row[start : start + BLOCK], out[start : start + BLOCK]
        part = _ZERO
        for j in range(e.size):
            e[j] = _scalar.exp(x[j] - largest)
            part += e[j]
        total += part
    return total


@part(fastmath=True)
def log_of_sum(row: Array, largest: Any) -> Any:
    """Return ln of the sum of e^(x - largest)."""
    total: Any = 0.0
    for start in range(0, row.size, BLOCK):
        x = row[start : start + BLOCK]
        part = _ZERO
        for j in range(x.size):
            part += _scalar.exp(x[j] - largest)
        total += part
    return np.float32(np.log(total))


@part(fastmath=True)
def dot(a: Array, b: Array) -> Any:
    total: Any = 0.0
    for start in range(0, a.size, BLOCK):
        x, y = a[start : start + BLOCK], b[start : start + BLOCK]
        part = _ZERO
        for j in range(x.size):
            part += x[j] * y[j]
        total += part
    return np.float32(total)


@part(fastmath=True)
def total_of(row: Array) -> Any:
    total: Any = 0.0
    for start in range(0, row.size, BLOCK):
        x = row[start : start + BLOCK]
        part = _ZERO
        for j in range(x.size):
            part += x[j]
        total += part
    return np.float32(total)


def rows_of(name: str, x: Array) -> Array:
    """Return (…, C) as (N, C)."""
    if x.ndim == 0 or x.shape[-1] == 0:
        raise ShapeError(f"{name} must be (…, C) with at least one class, got {x.shape}")
    return ready(x).reshape(-1, x.shape[-1])


def beside(name: str, g: Array, shape: tuple[int, ...], dtype: Any) -> Array:
    if g.shape != shape:
        raise ShapeError(f"{name} must be {shape}, got {g.shape}")
    return ready(g, dtype)


def run_rows(loops: tuple[Any, Any], *arrays: Array) -> Any:
    """Run a loop over rows; it costs about four multiplications a number."""
    return run(*loops, arrays, 4 * arrays[0].size)


# --- Softmax and its logarithm ----------------------------------------------------------------------------


@two_forms
def _softmax(x: Array, p: Array) -> None:
    for i in prange(x.shape[0]):
        share = np.float32(1 / exponentials(x[i], largest_of(x[i]), p[i]))
        for j in range(x.shape[1]):
            p[i, j] *= share


@two_forms
def _softmax_grad(g: Array, y: Array, out: Array) -> None:
    for i in prange(g.shape[0]):
        mean = dot(g[i], y[i])
        for j in range(g.shape[1]):
            out[i, j] = y[i, j] * (g[i, j] - mean)


@two_forms
def _log_softmax(x: Array, y: Array) -> None:
    for i in prange(x.shape[0]):
        largest = largest_of(x[i])
        log_total = log_of_sum(x[i], largest)
        for j in range(x.shape[1]):
            y[i, j] = (x[i, j] - largest) - log_total


@two_forms
def _log_softmax_grad(g: Array, y: Array, out: Array) -> None:
    for i in prange(g.shape[0]):
        total = total_of(g[i])
        for j in range(g.shape[1]):
            out[i, j] = g[i, j] - _scalar.exp(y[i, j]) * total


def by_rows(loops: Any, twin: Any, out: Array | None, name: str, *arrays: Array) -> Array:
    """Run a loop over the rows of arrays (…, C) that fills one of their shape."""
    rows = [rows_of(name, arrays[0])]
    rows += [beside(name, a, arrays[0].shape, rows[0].dtype).reshape(rows[0].shape) for a in arrays[1:]]
    result = output(out, arrays[0].shape, rows[0].dtype)
    if result.dtype == np.float32:
        run_rows(loops, *rows, result.reshape(rows[0].shape))
    else:
        with np.errstate(all="ignore"):  # compiled code doesn't warn either
            result[...] = twin(*rows).reshape(result.shape)
    return deliver(result, out)


def softmax(x: Array, out: Array | None = None) -> Array:
    """Turn each row of x into probabilities: p_j = exp(x_j) / sum_k exp(x_k).

    Parameters
    ----------
    x : ndarray (…, C), float32 or float64, C >= 1
    out : ndarray (…, C), optional
        Filled and returned; may be x itself.

    Returns
    -------
    ndarray (…, C)
        A row that holds NaN or +inf becomes NaN.

    Raises
    ------
    ShapeError
        If x has no columns.

    Examples
    --------
    >>> import numpy as np
    >>> softmax(np.array([[0.0, 0.0], [1000.0, 0.0]]))
    array([[0.5, 0.5],
           [1. , 0. ]])
    """
    return by_rows(_softmax, reference.softmax, out, "x", x)


def softmax_grad(g: Array, y: Array, out: Array | None = None) -> Array:
    """Gradient of softmax from its result: y_j (g_j - sum_k g_k y_k), row by row.

    Parameters
    ----------
    g, y : ndarray (…, C), float32 or float64, C >= 1
    out : ndarray (…, C), optional
        Filled and returned; may be g or y.

    Returns
    -------
    ndarray (…, C)

    Raises
    ------
    ShapeError
        If the shapes differ or there are no columns.

    Examples
    --------
    >>> import numpy as np
    >>> softmax_grad(np.array([1.0, 0.0]), np.array([0.5, 0.5]))
    array([ 0.25, -0.25])
    """
    return by_rows(_softmax_grad, reference.softmax_grad, out, "g and y", g, y)


def log_softmax(x: Array, out: Array | None = None) -> Array:
    """Return x_j - ln sum_k exp(x_k), row by row, exact where softmax itself would be 0.

    Parameters
    ----------
    x : ndarray (…, C), float32 or float64, C >= 1
    out : ndarray (…, C), optional
        Filled and returned; may be x itself.

    Returns
    -------
    ndarray (…, C)

    Raises
    ------
    ShapeError
        If x has no columns.

    Examples
    --------
    >>> import numpy as np
    >>> log_softmax(np.array([0.0, 1000.0]))
    array([-1000.,     0.])
    """
    return by_rows(_log_softmax, reference.log_softmax, out, "x", x)


def log_softmax_grad(g: Array, y: Array, out: Array | None = None) -> Array:
    """Gradient of log_softmax from its result: g_j - exp(y_j) sum_k g_k, row by row.

    Parameters
    ----------
    g, y : ndarray (…, C), float32 or float64, C >= 1
    out : ndarray (…, C), optional
        Filled and returned; may be g or y.

    Returns
    -------
    ndarray (…, C)

    Raises
    ------
    ShapeError
        If the shapes differ or there are no columns.

    Examples
    --------
    >>> import numpy as np
    >>> log_softmax_grad(np.array([1.0, 0.0]), np.log(np.array([0.5, 0.5])))
    array([ 0.5, -0.5])
    """
    return by_rows(_log_softmax_grad, reference.log_softmax_grad, out, "g and y", g, y)
