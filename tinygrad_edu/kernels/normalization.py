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

from typing import Any, NamedTuple

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

__all__ = ["normalize", "normalize_grad"]

Shape = tuple[int, ...]

_WIDE = 128  # columns that a wide row has about, where there are few
_FEW = 16  # rows that a task has at least
_TASKS = 64  # at most, each with sums of its own; more only for more samples
_ROOM = 3 * 2**23  # bytes that a pass may read and write before its result pushes its inputs out of the cache


class _Layout(NamedTuple):
    samples: int
    rows: int
    groups: int
    side: int
    groups_from: int  # the first axis of the groups, and of those beside one another
    side_from: int


def _layout(shape: Shape, axes: Shape) -> _Layout | None:
    """See the axes as samples, rows, groups, side; None where they don't come in this order."""
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
    return _Layout(samples, rows, groups, side, min(starts[2:]), starts[3]) if 0 not in shape else None


def _shared(parameter: Array, ndim: int) -> int:
    """Return from which axis of x on scale or shift has numbers of its own."""
    outer = ndim - parameter.ndim
    return (
        min([outer + i for i, n in enumerate(parameter.shape) if n != 1], default=ndim) if outer >= 0 else -1
    )


def _fitting(x: Array, gamma: Array, beta: Array, axes: Shape) -> tuple[_Layout, Shape, Array, Array] | None:
    """Return the layout, and scale and shift as they are repeated; None where the fast way doesn't fit."""
    layout = _layout(x.shape, axes)
    if layout is None or not np.float32 == x.dtype == gamma.dtype == beta.dtype:
        return None
    first = min(_shared(gamma, x.ndim), _shared(beta, x.ndim))
    if first < layout.groups_from:
        return None
    # All the groups, or as few kinds of rows as there are.
    first = layout.groups_from if layout.rows > 1 else min(first, layout.side_from)
    inner = x.shape[first:]
    flat = (-1,) if layout.rows > 1 else (-1, layout.side)
    repeated = [
        ready(np.broadcast_to(p.reshape(p.shape[max(0, p.ndim - len(inner)) :]), inner)).reshape(flat)
        for p in (gamma, beta)
    ]
    return layout, inner, repeated[0], repeated[1]


def _shares(layout: _Layout) -> tuple[int, int, int]:
    """Return how many rows make a wide one, how many wide ones a task, and how many tasks there are."""
    width = layout.groups * layout.side
    together = 1
    while width * together * 2 <= _WIDE and layout.rows % (together * 2) == 0:
        together *= 2
    rows = layout.rows // together
    each = max(_FEW, -(-layout.samples * rows // _TASKS))
    return together, each, layout.samples * -(-rows // each)


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
    fitting = _fitting(x, gamma, beta, axes)
    if fitting is None:
        with np.errstate(all="ignore"):  # compiled code doesn't warn either
            y, mean, variance = reference.normalize(x, gamma, beta, axes, epsilon)
        return deliver(y, out), mean, variance
    layout, _, gamma, beta = fitting
    x, kept = ready(x), tuple([1 if a in axes else n for a, n in enumerate(x.shape)])
    result = output(out, x.shape, x.dtype)
    mean, variance = np.empty((2, layout.samples, layout.groups), x.dtype)
    if layout.rows == 1:
        block = max(1, -(-layout.groups // _TASKS))
        flat = layout.groups, layout.side
        arguments: tuple[Any, ...] = (
            x.reshape(flat), block, gamma, beta, float(epsilon),
            mean.reshape(-1), variance.reshape(-1), result.reshape(flat),
        )  # fmt: skip
        run(rows, rows_parallel, arguments, x.size)
    else:
        together, each, tasks = _shares(layout)
        wide = layout.samples, layout.rows // together, gamma.size * together
        sums, moments = np.empty((tasks, 3, wide[2]), x.dtype), np.empty((tasks, 2, wide[2]))
        table = np.empty((layout.samples, 3, wide[2]), x.dtype)
        arguments = (
            x.reshape(wide), each, sums, moments, gamma, beta, float(epsilon),
            _goes_past(result, 1, wide[2]), mean, variance, table, result.reshape(wide),
        )  # fmt: skip
        run(columns, columns_parallel, arguments, x.size)
    return deliver(result, out), mean.reshape(kept), variance.reshape(kept)


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
    fitting = _fitting(x, gamma, beta, axes)
    if fitting is None or g.dtype != x.dtype:
        given = g, g_mean, g_variance, x, gamma, beta, mean, variance
        with np.errstate(all="ignore"):
            dx, dgamma, dbeta = reference.normalize_grad(*given, axes, epsilon)
        return deliver(dx, out), dgamma, dbeta
    layout, inner, scale, _ = fitting
    g, x = ready(g), ready(x)
    flat = layout.samples, layout.groups
    small = [ready(a, x.dtype).reshape(flat) for a in (g_mean, g_variance, mean, variance)]
    result = output(out, x.shape, x.dtype)
    if layout.rows == 1:
        block = max(1, -(-layout.groups // _TASKS))
        shape = layout.groups, layout.side
        dgamma, dbeta = np.zeros((2, -(-layout.groups // block), *scale.shape), x.dtype)
        g_mean, g_variance, mean, variance = [a.reshape(-1) for a in small]
        arguments: tuple[Any, ...] = (
            g.reshape(shape), g_mean, g_variance, x.reshape(shape), block, scale,
            mean, variance, float(epsilon), result.reshape(shape), dgamma, dbeta,
        )  # fmt: skip
        run(row_grads, row_grads_parallel, arguments, x.size)
        dgamma, dbeta = [np.add.reduce(a, axis=0, dtype=np.float64) for a in (dgamma, dbeta)]
    else:
        together, each, tasks = _shares(layout)
        wide = layout.samples, layout.rows // together, scale.size * together
        shorter, sums = np.empty((tasks, 3, wide[2]), x.dtype), np.empty((tasks, 3, wide[2]))
        means, table = np.empty((2, layout.samples, 3, wide[2]), x.dtype)
        dgamma, dbeta = np.empty((2, scale.size), x.dtype)
        means[:, 0] = np.tile(np.repeat(small[2], layout.side, axis=1), together)
        arguments = (
            g.reshape(wide), *small[:2], x.reshape(wide), each, shorter, sums, scale, *small[2:],
            float(epsilon), _goes_past(result, 2, wide[2]), means, table, result.reshape(wide), dgamma, dbeta,
        )  # fmt: skip
        run(column_grads, column_grads_parallel, arguments, x.size)
    return deliver(result, out), _outer(dgamma, gamma, inner), _outer(dbeta, beta, inner)


def _outer(grad: Array, parameter: Array, inner: Shape) -> Array:
    """Add up a gradient where its parameter was repeated."""
    own = parameter.shape[max(0, parameter.ndim - len(inner)) :]
    missing = len(inner) - len(own)
    repeated = tuple([a for a, n in enumerate(inner) if a < missing or (own[a - missing] == 1 and n != 1)])
    if repeated:
        grad = np.add.reduce(grad.reshape(inner), axis=repeated, dtype=np.float64)
    return grad.reshape(parameter.shape).astype(parameter.dtype, copy=False)
