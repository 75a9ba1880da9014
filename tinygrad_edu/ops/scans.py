"""Running sums and products along an axis."""

from typing import Any

import numpy as np

from .. import ops
from ..errors import ShapeError
from ..function import Function, shape_of
from ..tensor import Tensor
from .reduction import floating, normalize_axis
from .registry import register

__all__ = ["cumulative_logsumexp", "cumulative_prod", "cumulative_sum"]


def along(axis: int, ndim: int, part: Any) -> tuple[Any, ...]:
    """Return the index that takes a part (a slice, an array of places) of one axis and all of the others.

    >>> along(-1, 2, slice(1, None))
    (slice(None, None, None), slice(1, None, None))
    """
    axis %= ndim
    return (slice(None),) * axis + (part,) + (slice(None),) * (ndim - axis - 1)


def _delayed(y: Any, axis: int) -> Any:
    """Shift y by one place along an axis: 0 comes in, and the last goes out."""
    n = len(y.shape)
    first = tuple([min(length, 1) if i == axis % n else length for i, length in enumerate(y.shape)])
    rest = ops.getitem(y, along(axis, n, slice(None, -1)))
    return ops.concat([np.zeros(first, y.dtype), rest], axis=axis)


@register
class LinearRecurrence(Function):
    """Every running product's gradient is one, and so is its own: hence gradients of any order."""

    name = "linear_recurrence"
    formula = r"y_t = a_t y_{t-1} + b_t \quad \text{or, reversed,} \quad y_t = a_{t+1} y_{t+1} + b_t"
    derivative = r"\bar{b}_t = a_{t+1} \bar{b}_{t+1} + \bar{y}_t, \quad \bar{a}_t = \bar{b}_t\, y_{t-1}"
    words = "Carries a share of each result on to the next; the gradient is carried back by the same shares."

    @staticmethod
    def forward(a: Any, b: Any, *, axis: int = -1, reverse: bool = False) -> Any:
        if np.shape(a) != np.shape(b):
            raise ShapeError(f"a {np.shape(a)} and b {np.shape(b)} must have the same shape")
        shares = np.moveaxis(a, axis, 0)
        y = np.array(b, np.result_type(a, b))
        steps = np.moveaxis(y, axis, 0)  # a view
        if reverse:
            for t in range(len(steps) - 2, -1, -1):
                steps[t] += shares[t + 1] * steps[t + 1]
        else:
            for t in range(1, len(steps)):
                steps[t] += shares[t] * steps[t - 1]
        return y

    @staticmethod
    def backward(g: Any, a: Any, out: Any, axis: int, reverse: bool, needs: tuple[bool, ...]) -> Any:
        db = linear_recurrence(a, g, axis=axis, reverse=not reverse)
        da = None
        if needs[0]:
            da = _delayed(db, axis) * out if reverse else db * _delayed(out, axis)
        return da, db


def linear_recurrence(a: Any, b: Any, /, *, axis: int = -1, reverse: bool = False) -> Tensor:
    """Return y with y_t = a_t y_(t-1) + b_t along an axis, starting from y = 0; all of the same shape.

    Reversed, it runs from the end, y_t = a_(t+1) y_(t+1) + b_t: each is the other's gradient in b. Raises
    ShapeError if the shapes differ.

    >>> linear_recurrence(Tensor([0.5, 0.5, 0.5]), Tensor([8.0, 0.0, 1.0]))
    Tensor([8., 4., 3.])
    """
    return LinearRecurrence.apply(a, b, axis=axis, reverse=reverse)


def _after(initial: float, y: Any, axis: int) -> Any:
    """Put the result of nothing before the others."""
    first = tuple([1 if i == axis % y.ndim else n for i, n in enumerate(y.shape)])
    return np.concatenate([np.full(first, initial, y.dtype), y], axis)


def _without_initial(g: Any, axis: int, include_initial: bool) -> Any:
    return ops.getitem(g, along(axis, len(g.shape), slice(1, None))) if include_initial else g


@register
class CumulativeSum(Function):
    name = "cumulative_sum"
    formula = r"y_k = \sum_{i \le k} x_i"
    derivative = r"\bar{x}_i = \sum_{k \ge i} \bar{y}_k"
    words = "Adds up as it goes; each term is in all later sums, so it gets the sum of their gradients."

    @staticmethod
    def forward(x: Any, *, axis: int, dtype: Any = None, include_initial: bool = False) -> Any:
        y = np.cumsum(x, axis, dtype)
        return _after(0, y, axis) if include_initial else y

    @staticmethod
    def backward(g: Any, axis: int, include_initial: bool) -> Any:
        g = _without_initial(g, axis, include_initial)
        return ops.flip(ops.cumulative_sum(ops.flip(g, axis=axis), axis=axis), axis=axis)


def cumulative_sum(
    x: Any, /, *, axis: int | None = None, dtype: Any = None, include_initial: bool = False
) -> Tensor:
    """Return the sums of the first, the first two, … elements along an axis, in x's shape.

    With ``include_initial`` the sum of none, 0, comes before them, and the axis is longer by 1. ``dtype`` is
    what it is added up in, by default as in :func:`sum`. Raises ShapeError if x is a single number, for an
    axis that it doesn't have, or if it has several and none is named.

    >>> cumulative_sum(Tensor([1.0, 2.0, 3.0]))
    Tensor([1., 3., 6.])
    """
    axis = _the_axis("cumulative_sum", x, axis)
    return CumulativeSum.apply(x, axis=axis, dtype=dtype, include_initial=include_initial)


@register
class CumulativeProd(Function):
    name = "cumulative_prod"
    formula = r"y_k = \prod_{i \le k} x_i"
    derivative = r"\bar{x}_i = \sum_{k \ge i} \bar{y}_k \prod_{j \le k,\, j \ne i} x_j"
    words = "Multiplies as it goes; each factor's gradient has the products of all others, zeros included."

    @staticmethod
    def forward(x: Any, *, axis: int, dtype: Any = None, include_initial: bool = False) -> Any:
        y = np.cumprod(x, axis, dtype)
        return _after(1, y, axis) if include_initial else y

    @staticmethod
    def backward(g: Any, x: Any, axis: int, dtype: Any, include_initial: bool) -> Any:
        # Not Σ g y / x, which fails at 0: the factors before x_i, times what the later ones carry back.
        g = _without_initial(g, axis, include_initial)
        before = ops.cumulative_prod(x, axis=axis, dtype=dtype, include_initial=True)
        before = ops.getitem(before, along(axis, len(x.shape), slice(None, -1)))
        return before * linear_recurrence(x, g, axis=axis, reverse=True)


def cumulative_prod(
    x: Any, /, *, axis: int | None = None, dtype: Any = None, include_initial: bool = False
) -> Tensor:
    """Return the products of the first, the first two, … elements along an axis, in x's shape.

    With ``include_initial`` the product of none, 1, comes before them. The gradient is exact where factors
    are 0. ``dtype`` is as in :func:`cumulative_sum`. Raises ShapeError as that does.

    >>> cumulative_prod(Tensor([1.0, 2.0, 3.0]), include_initial=True)
    Tensor([1., 1., 2., 6.])
    """
    axis = _the_axis("cumulative_prod", x, axis)
    return CumulativeProd.apply(x, axis=axis, dtype=dtype, include_initial=include_initial)


@register
class CumulativeLogSumExp(Function):
    name = "cumulative_logsumexp"
    formula = r"y_k = \ln \sum_{i \le k} e^{x_i}"
    derivative = r"\bar{x}_i = \sum_{k \ge i} \bar{y}_k\, e^{x_i - y_k}"
    words = "A running smooth maximum: in logarithms, what a running sum is for the numbers themselves."

    @staticmethod
    def forward(x: Any, *, axis: int) -> Any:
        return np.logaddexp.accumulate(floating(x), axis)

    @staticmethod
    def backward(g: Any, x: Any, out: Any, axis: int) -> Any:
        # e^x alone may overflow. But y only grows, so carried back from k to i in shares e^(y_(t-1) - y_t),
        # all at most 1, the sum stays small. While y is still -inf nothing is carried.
        empty = out == -np.inf
        y = ops.where(empty, 0.0, out)
        carries = _delayed(ops.where(empty, 0.0, 1.0), axis) > 0
        shares = ops.exp(ops.where(carries, _delayed(y, axis) - y, -np.inf))
        return ops.exp(x - y) * linear_recurrence(shares, g, axis=axis, reverse=True)


def cumulative_logsumexp(x: Any, /, *, axis: int | None = None) -> Tensor:
    """Return ln Σ e^x of the first, the first two, … elements along an axis, in x's shape, without overflow.

    Floats keep their dtype, int64 becomes float64. Raises ShapeError as :func:`cumulative_sum` does,
    DTypeError for text.

    >>> cumulative_logsumexp(Tensor([1000.0, 1000.0]))
    Tensor([1000.   , 1000.693])
    """
    return CumulativeLogSumExp.apply(x, axis=_the_axis("cumulative_logsumexp", x, axis))


def _the_axis(name: str, x: Any, axis: int | None) -> int:
    """Return the axis to run along; only where there is one needn't it be named."""
    ndim = len(shape_of(x))
    if not ndim:
        raise ShapeError(f"{name}: expected at least one dimension, got a single number; reshape it to (1,)")
    if axis is None and ndim > 1:
        raise ShapeError(f"{name}: x has {ndim} dimensions, so say along which one: axis=-1")
    return -1 if axis is None else normalize_axis(axis, ndim, name)
