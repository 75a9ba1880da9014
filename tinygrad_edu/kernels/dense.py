"""A small dense layer in one call, and all of its gradients in another.

The idea: for a layer of 2 inputs, 3 outputs and 56 samples, calling is all of the work. NumPy needs a call
for the product, one for the bias and one for ReLU, and for the gradients two for the mask, one for the bias
and one for each product: each of about a microsecond, for arithmetic that takes a tenth of that. One compiled
function does it all in plain loops. They make no clever use of registers: from a thousand multiplications on,
the products of :mod:`gemm` are quicker.
"""

from typing import Any

import numpy as np

from tinygrad_edu.errors import ShapeError
from tinygrad_edu.kernels import reference
from tinygrad_edu.kernels._arrays import Array, deliver, output, ready
from tinygrad_edu.kernels._jit import jit, part

__all__ = ["linear", "linear_grad"]


@jit
def _linear(x: Array, w: Array, b: Array, relu: bool, y: Array) -> None:
    for i in range(x.shape[0]):
        for j in range(w.shape[1]):
            total = np.float64(b[j])
            for k in range(x.shape[1]):
                total += x[i, k] * w[k, j]
            y[i, j] = 0.0 if relu and total < 0 else total


@part
def _slope(g: Array, y: Array, i: int, j: int) -> Any:
    """What of g passes ReLU; an empty y is that of a layer without one."""
    return g[i, j] if y.size == 0 or y[i, j] > 0 else np.float32(0)


@jit
def _linear_grad(g: Array, x: Array, w: Array, y: Array, dx: Array, dw: Array, db: Array) -> None:
    """Fill dx, dw and db; an empty dx isn't wanted."""
    n, inputs, outputs = x.shape[0], x.shape[1], w.shape[1]
    for j in range(outputs):
        total: Any = 0.0  # sums are kept in float64, and rounded once
        for i in range(n):
            total += _slope(g, y, i, j)
        db[j] = total
        for k in range(inputs):
            total = 0.0
            for i in range(n):
                total += x[i, k] * _slope(g, y, i, j)
            dw[k, j] = total
    if dx.size:
        for i in range(n):
            for k in range(inputs):
                total = 0.0
                for j in range(outputs):
                    total += _slope(g, y, i, j) * w[k, j]
                dx[i, k] = total


_NONE = np.empty((0, 0), np.float32)


def linear(x: Array, w: Array, b: Array, relu: bool = False, out: Array | None = None) -> Array:
    """Return x @ w + b, or 0 where that is negative and ``relu``; NaN stays.

    Parameters
    ----------
    x : ndarray (n, inputs), float32 or float64
    w : ndarray (inputs, outputs)
    b : ndarray (outputs,)
    relu : bool
    out : ndarray (n, outputs), optional
        Filled and returned; must not overlap the others.

    Returns
    -------
    ndarray (n, outputs)

    Raises
    ------
    ShapeError
        If the shapes don't fit.

    Examples
    --------
    >>> import numpy as np
    >>> linear(np.array([[1.0, 2.0]]), np.array([[3.0, -4.0], [4.0, 1.0]]), np.array([0.5, 1.0]), relu=True)
    array([[11.5,  0. ]])
    """
    (n, inputs), (rows, outputs), dtype = x.shape, w.shape, x.dtype
    if inputs != rows or b.shape != (outputs,):
        raise ShapeError(f"linear: x {x.shape}, w {w.shape} and b {b.shape} don't fit together")
    result = output(out, (n, outputs), dtype)
    if dtype == np.float32:
        _linear(ready(x, dtype), ready(w, dtype), ready(b, dtype), relu, result)
    else:
        result[...] = reference.linear(x, w, b, relu)
    return deliver(result, out)


def linear_grad(
    g: Array, x: Array, w: Array, y: Array | None = None, input_wanted: bool = True
) -> tuple[Array | None, Array, Array]:
    """Gradients of y = relu(x @ w + b), or without relu: dx = h @ w.T, dw = x.T @ h, db the sum of h's rows.

    h is g where y is positive and 0 elsewhere, also where g is NaN; without y it is g.

    Parameters
    ----------
    g : ndarray (n, outputs), float32 or float64
        Gradient of y.
    x : ndarray (n, inputs)
    w : ndarray (inputs, outputs)
    y : ndarray (n, outputs), optional
        What the layer returned, if it has a ReLU.
    input_wanted : bool
        Whether to compute dx.

    Returns
    -------
    dx : ndarray (n, inputs), or None
    dw : ndarray (inputs, outputs)
    db : ndarray (outputs,)

    Raises
    ------
    ShapeError
        If the shapes don't fit.

    Examples
    --------
    >>> import numpy as np
    >>> dx, dw, db = linear_grad(np.array([[1.0]]), np.array([[2.0, 3.0]]), np.array([[4.0], [5.0]]))
    >>> dx, dw.ravel(), db
    (array([[4., 5.]]), array([2., 3.]), array([1.]))
    """
    n, inputs = x.shape
    outputs = w.shape[1]
    if g.shape != (n, outputs) or w.shape[0] != inputs or (y is not None and y.shape != g.shape):
        raise ShapeError(f"linear_grad: g {g.shape}, x {x.shape} and w {w.shape} don't fit together")
    if g.dtype != np.float32:
        with np.errstate(all="ignore"):
            return reference.linear_grad(g, x, w, y, input_wanted)
    dtype = g.dtype
    dx = np.empty((n, inputs), dtype) if input_wanted else _NONE
    dw, db = np.empty((inputs, outputs), dtype), np.empty(outputs, dtype)
    y = _NONE if y is None else ready(y, dtype)
    _linear_grad(ready(g), ready(x, dtype), ready(w, dtype), y, dx, dw, db)
    return dx if input_wanted else None, dw, db
