"""Normalisation: every group of numbers brought to mean 0 and variance 1, then scaled and shifted.

One form covers batch, layer, group and instance normalisation: the axes of x, in their order in memory, are

    samples, rows, groups, side

of which rows and side are averaged over. A batch (N, H, W, C) is (1, N*H*W, C, 1), a layer (N, F) is
(1, 1, N, F), groups of channels are (N, H*W, groups, C / groups). Without rows to average over, the
numbers of a group lie side by side: :mod:`tinygrad_edu.kernels._normalize_rows`. Else they lie in columns:
:mod:`tinygrad_edu.kernels._normalize_columns`.

With few columns several rows are taken as one wide row, so that vectors are full; its columns are put
together afterwards, as blocks are. float64 goes NumPy's plain way (:mod:`tinygrad_edu.kernels.reference`):
it needs none of the care that keeps float32's digits, and spares everybody the time to compile it.
"""

import math
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from tinygrad_edu.kernels import reference
from tinygrad_edu.kernels._arrays import Array, deliver, output, ready
from tinygrad_edu.kernels._normalize_columns import (
    column_grads,
    column_grads_parallel,
    columns,
    columns_parallel,
)
from tinygrad_edu.kernels._normalize_rows import row_grads, row_grads_parallel, rows, rows_parallel
from tinygrad_edu.kernels._threads import run
from tinygrad_edu.kernels.sums import sum_rows

__all__ = ["normalize", "normalize_grad"]

Shape = tuple[int, ...]

_WIDE = 128  # columns that a wide row has about, where there are few
_FEW = 16  # rows that a task of columns has at least
_SHORT = 4096  # numbers that a task of rows has about, where there are few
_TASKS = 64  # at most, each with sums of its own; more only for more samples
_ROOM = 2**24  # bytes that a pass may read and write before its result pushes its inputs out of the cache


class _Plan(NamedTuple):
    """All that follows from the shapes alone."""

    in_rows: bool  # the numbers of a group lie side by side
    matrix: Shape  # x as its kernel sees it: (groups, side), or (samples, wide rows, columns)
    moments: Shape  # of mean and variance: (groups,) or (samples, groups)
    kept: Shape  # and as they are returned
    each: int  # rows of x as a matrix that are one task
    tasks: int
    inner: Shape  # axes of x that scale and shift are repeated along, and those of their own
    repeated: Shape  # scale and shift as the kernels see them: (kinds of rows, side) or (channels,)


@lru_cache(maxsize=256)
def _plan(shape: Shape, axes: Shape, gamma: Shape, beta: Shape) -> _Plan | None:
    """See the axes as samples, rows, groups, side; None where they don't come in this order."""
    if 0 in shape:
        return None
    sizes, starts, part = [1, 1, 1, 1], [len(shape)] * 4, 3  # filled from the innermost axis on
    for axis in reversed(range(len(shape))):
        if shape[axis] != 1:
            while part >= 0 and (part % 2 == 1) != (axis in axes):
                part -= 1
            if part < 0:
                return None
            sizes[part] *= shape[axis]
        starts[part] = axis
    samples, rows, groups, side = sizes
    groups_from, side_from = min(starts[2:]), starts[3]
    own = min(_own(gamma, len(shape)), _own(beta, len(shape)))
    if own < groups_from:
        return None
    kept = tuple([1 if a in axes else n for a, n in enumerate(shape)])
    if rows == 1:
        inner = shape[min(own, side_from) :]  # as few kinds of rows as there are
        each = max(-(-groups // _TASKS), min(_FEW, max(1, _SHORT // side)))
        repeated = math.prod(inner) // side, side
        return _Plan(True, (groups, side), (groups,), kept, each, -(-groups // each), inner, repeated)
    inner, width, together = shape[groups_from:], groups * side, 1
    while width * together * 2 <= _WIDE and rows % (together * 2) == 0:
        together *= 2
    rows //= together
    each = max(_FEW, -(-samples * rows // _TASKS))
    tasks = samples * -(-rows // each)
    matrix = samples, rows, width * together
    return _Plan(False, matrix, (samples, groups), kept, each, tasks, inner, (width,))


def _own(parameter: Shape, ndim: int) -> int:
    """Return from which axis of x on scale or shift has numbers of its own."""
    outer = ndim - len(parameter)
    return min([outer + i for i, n in enumerate(parameter) if n != 1], default=ndim) if outer >= 0 else -1


def _fitting(x: Array, gamma: Array, beta: Array, axes: Shape) -> _Plan | None:
    """Return the plan of the fast way; None where it doesn't fit."""
    fits = np.float32 == x.dtype == gamma.dtype == beta.dtype
    return _plan(x.shape, axes, gamma.shape, beta.shape) if fits else None


def _repeat(parameter: Array, plan: _Plan) -> Array:
    """Return scale or shift as the kernels see it."""
    if parameter.size != math.prod(plan.repeated):
        inner = parameter.shape[max(0, parameter.ndim - len(plan.inner)) :]
        parameter = np.broadcast_to(parameter.reshape(inner), plan.inner)
    return ready(parameter).reshape(plan.repeated)


def _goes_past(result: Array, inputs: int, width: int) -> bool:
    """Tell whether to store a result past the caches: they can't hold all, and rows are wide vectors."""
    large = result.nbytes * (inputs + 1) > _ROOM
    return large and width % 64 == 0 and result.ctypes.data % 64 == 0


def normalize(
    x: Array, gamma: Array, beta: Array, axes: Shape, epsilon: float, out: Array | None = None
) -> tuple[Array, Array, Array]:
    """Bring x to mean 0 and variance 1 over some axes: gamma * (x - mean) / sqrt(variance + epsilon) + beta.

    A mean far from 0 costs no digits: mean and variance are as if summed in float64, and the result is
    within a few units in the last place of what exact moments give.

    Parameters
    ----------
    x : ndarray, float32 or float64
    gamma, beta : ndarray that broadcast to x's shape, of its dtype
    axes : tuple of int, at least 0
        What to average over.
    epsilon : float
        Added to the variance.
    out : ndarray of x's shape, optional
        Filled and returned; must not overlap the others.

    Returns
    -------
    out : ndarray of x's shape
    mean, variance : ndarray of x's shape with 1 in place of the axes
        Where x holds infinities, neither is finite, and the group's results are NaN.

    Examples
    --------
    >>> import numpy as np
    >>> one, zero = np.array(1.0), np.array(0.0)
    >>> y, mean, variance = normalize(np.array([[1.0, 10.0], [3.0, 30.0]]), one, zero, (0,), 0.0)
    >>> y, mean, variance
    (array([[-1., -1.],
           [ 1.,  1.]]), array([[ 2., 20.]]), array([[  1., 100.]]))
    """
    plan = _fitting(x, gamma, beta, axes)
    if plan is None:
        with np.errstate(all="ignore"):  # compiled code doesn't warn either
            y, mean, variance = reference.normalize(x, gamma, beta, axes, epsilon)
        return deliver(y, out), mean, variance
    x, gamma, beta, epsilon = ready(x), _repeat(gamma, plan), _repeat(beta, plan), float(epsilon)
    result, size, dtype, each = output(out, x.shape, x.dtype), x.size, x.dtype, plan.each
    x, y = x.reshape(plan.matrix), result.reshape(plan.matrix)
    mean, variance = np.empty(plan.moments, dtype), np.empty(plan.moments, dtype)
    if plan.in_rows:
        run(rows, rows_parallel, (x, each, gamma, beta, epsilon, mean, variance, y), size)
    else:
        samples, _, width = plan.matrix
        past, table = _goes_past(result, 1, width), np.empty((samples, 3, width), dtype)
        sums, moments = np.empty((plan.tasks, 3, width), dtype), np.empty((plan.tasks, 2, width))
        given = x, each, sums, moments, gamma, beta, epsilon, past, mean, variance, table, y
        run(columns, columns_parallel, given, size)
    return deliver(result, out), mean.reshape(plan.kept), variance.reshape(plan.kept)


def normalize_grad(
    g: Array,
    g_mean: Array,
    g_variance: Array,
    x: Array,
    gamma: Array,
    beta: Array,
    mean: Array,
    variance: Array,
    axes: Shape,
    epsilon: float,
    out: Array | None = None,
) -> tuple[Array, Array, Array]:
    """Gradients of :func:`normalize` with respect to x, gamma and beta.

    Parameters
    ----------
    g, g_mean, g_variance : ndarray
        Gradients of the three results.
    x, gamma, beta, axes, epsilon
        As given to normalize.
    mean, variance : ndarray
        As returned by it.
    out : ndarray of x's shape, optional
        Filled with the gradient of x and returned; must not overlap the others.

    Returns
    -------
    ndarrays of the shapes of x, gamma and beta

    Examples
    --------
    >>> import numpy as np
    >>> x, one, zero = np.array([[1.0], [3.0]]), np.array(1.0), np.array(0.0)
    >>> _, mean, variance = normalize(x, one, zero, (0,), 0.0)
    >>> none = np.zeros_like(mean)
    >>> g = np.array([[1.0], [0.0]])
    >>> [a.tolist() for a in normalize_grad(g, none, none, x, one, zero, mean, variance, (0,), 0.0)]
    [[[0.0], [0.0]], -1.0, 1.0]
    """
    plan = _fitting(x, gamma, beta, axes)
    if plan is None or g.dtype != x.dtype:
        with np.errstate(all="ignore"):
            dx, dgamma, dbeta = reference.normalize_grad(
                g, g_mean, g_variance, x, gamma, beta, mean, variance, axes, epsilon
            )
        return deliver(dx, out), dgamma, dbeta
    x, scale, epsilon = ready(x), _repeat(gamma, plan), float(epsilon)
    result, size, dtype, each = output(out, x.shape, x.dtype), x.size, x.dtype, plan.each
    x, g, dx = x.reshape(plan.matrix), ready(g).reshape(plan.matrix), result.reshape(plan.matrix)
    g_mean, g_variance, mean, variance = [
        ready(a, dtype).reshape(plan.moments) for a in (g_mean, g_variance, mean, variance)
    ]
    if plan.in_rows:
        parts = np.zeros((plan.tasks, 2, *plan.repeated), dtype)
        in_rows = g, g_mean, g_variance, x, each, scale, mean, variance, epsilon, dx, parts
        run(row_grads, row_grads_parallel, in_rows, size)
        grads = sum_rows(parts.reshape(plan.tasks, -1)).reshape(2, -1)
    else:
        samples, _, width = plan.matrix
        past, (means, table) = _goes_past(result, 2, width), np.empty((2, samples, 3, width), dtype)
        block, sums = np.empty((plan.tasks, 3, width), dtype), np.empty((plan.tasks, 3, width))
        grads = np.empty((2, scale.size), dtype)
        in_columns = (
            g, g_mean, g_variance, x, each, block, sums, scale, mean, variance, epsilon, past,
            means, table, dx, grads,
        )  # fmt: skip
        run(column_grads, column_grads_parallel, in_columns, size)
    return deliver(result, out), _outer(grads[0], gamma, plan.inner), _outer(grads[1], beta, plan.inner)


def _outer(grad: Array, parameter: Array, inner: Shape) -> Array:
    """Add up a gradient where its parameter was repeated."""
    if grad.size != parameter.size:
        own = parameter.shape[max(0, parameter.ndim - len(inner)) :]
        missing = len(inner) - len(own)
        repeated = tuple(
            [a for a, n in enumerate(inner) if a < missing or (own[a - missing] == 1 and n != 1)]
        )
        grad = np.add.reduce(grad.reshape(inner), axis=repeated, dtype=np.float64)
    return grad.reshape(parameter.shape).astype(parameter.dtype, copy=False)
