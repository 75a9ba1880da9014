"""Products, spread and size: prod, variance, quantiles, norms."""

import math
from typing import Any

import numpy as np

from .. import ops
from ..errors import ArgumentError, ShapeError
from ..function import Function
from ..tensor import Tensor, as_array
from .parameters import number, whole_number
from .reduction import Axis, add_up, checked_axis, count, normalize_axes, normalize_axis, stretch
from .registry import register
from .scans import along

__all__ = ["diff", "median", "prod", "quantile", "std", "var"]


@register
class Prod(Function):
    name = "prod"
    formula = r"y = \prod_i x_i"
    derivative = r"\bar{x}_i = \bar{y} \prod_{j \ne i} x_j"
    words = "Multiplies all; each factor's gradient has the product of all the others."

    @staticmethod
    def forward(x: Any, *, axis: Axis = None, dtype: Any = None, keepdims: bool = False) -> Any:
        return np.prod(x, axis=axis, dtype=dtype, keepdims=keepdims)

    @staticmethod
    def backward(g: Any, x: Any, axis: Axis, dtype: Any, keepdims: bool) -> Any:
        # Not y / x_i, which fails at 0: what stands before x_i times what stands after it.
        rows, back = _in_rows(x, axis)
        before = _products_before(rows, dtype)
        after = ops.flip(_products_before(ops.flip(rows, axis=-1), dtype), axis=-1)
        return stretch(g, x.shape, axis, keepdims) * back(before * after)


def _in_rows(x: Any, axis: Axis) -> tuple[Any, Any]:
    """Lay the axes that are reduced out as one, the last; also return the way back."""
    over = normalize_axes(axis, len(x.shape))
    order = (*[a for a in range(len(x.shape)) if a not in over], *over)
    lengths = tuple([x.shape[a] for a in order])
    rows = ops.reshape(ops.permute_dims(x, order), (*lengths[: len(order) - len(over)], count(x.shape, over)))
    return rows, lambda r: ops.permute_dims(ops.reshape(r, lengths), np.argsort(order).tolist())


def _products_before(rows: Any, dtype: Any) -> Any:
    running = ops.cumulative_prod(rows, axis=-1, dtype=dtype, include_initial=True)
    return ops.getitem(running, (..., slice(None, -1)))


def prod(x: Any, /, *, axis: Axis = None, dtype: Any = None, keepdims: bool = False) -> Tensor:
    """Return the product over an axis, several, or all; over nothing it is 1.

    The shape is as for :func:`sum`. It is multiplied in ``dtype``: by default x's own, for bools and small
    whole numbers int64 (unsigned: uint64). The gradients of every order are exact where factors are 0. Raises
    ShapeError for an axis that x doesn't have, DTypeError for text.

    >>> prod(Tensor([[1.0, 2.0], [3.0, 4.0]]), axis=0)
    Tensor([3., 8.])
    """
    return Prod.apply(x, axis=checked_axis(x, axis), dtype=dtype, keepdims=keepdims)


def var(x: Any, /, *, axis: Axis = None, correction: float = 0.0, keepdims: bool = False) -> Tensor:
    """Return the variance over an axis, several, or all: Σ (x - mean)² / (n - correction).

    With correction=1 it estimates without bias, from a sample, that of all. Where n isn't more than the
    correction it is nan. The shape is as for :func:`sum`; floats keep their dtype, whole numbers and bools
    give float64. Raises ShapeError for an axis that x doesn't have.

    >>> var(Tensor([1.0, 2.0, 3.0])), var(Tensor([1.0, 2.0, 3.0]), correction=1)
    (Tensor(0.6666667), Tensor(1.))
    """
    centred, n = _centred(x, axis, correction)
    return ops.sum(ops.square(centred), axis=axis, keepdims=keepdims) / n


def std(x: Any, /, *, axis: Axis = None, correction: float = 0.0, keepdims: bool = False) -> Tensor:
    """Return the standard deviation over an axis, several, or all: the square root of :func:`var`.

    Where all elements are equal it has a kink, as |x| has at 0: its gradient there is taken as 0. The shape
    and dtype are as for var. Raises ShapeError for an axis that x doesn't have.

    >>> std(Tensor([[1.0, 3.0], [2.0, 2.0]]), axis=1)
    Tensor([1., 0.])
    """
    centred, n = _centred(x, axis, correction)
    return vector_norm(centred, axis=axis, keepdims=keepdims) / math.sqrt(n)


def _centred(x: Any, axis: Axis, correction: float) -> tuple[Any, float]:
    """Return x less its mean, as floats, and how many elements there are less the correction, if any.

    An element is taken away first, as a constant: that leaves small numbers, whose mean is exact to the
    last digit, and exactly 0 where all are equal. (Chan, Golub & LeVeque, "Algorithms for Computing the
    Sample Variance", The American Statistician, 1983.)
    """
    x = as_floats(x)
    over = normalize_axes(axis, len(x.shape))
    places = tuple([slice(0, 1) if i in over else slice(None) for i in range(len(x.shape))])
    x = x - ops.getitem(x.detach() if isinstance(x, Tensor) else x, places)
    n = count(x.shape, over) - number("correction", correction)
    return x - ops.mean(x, axis=over, keepdims=True), n if n > 0 else math.nan


def as_floats(x: Any) -> Any:
    """Return x as a Tensor or an array, of floats: whole numbers become float64, as in NumPy's mean.

    >>> as_floats([1, 2])
    array([1., 2.])
    """
    x = x if isinstance(x, Tensor | np.ndarray) else as_array(x)
    return x if x.dtype.kind == "f" else ops.astype(x, np.float64)


def _values(x: Any) -> Any:
    return x.data if isinstance(x, Tensor) else x


@register
class VectorNorm(Function):
    name = "vector_norm"
    formula = r"y = \Bigl(\sum_i |x_i|^p\Bigr)^{1/p}"
    derivative = r"\bar{x}_i = \bar{y}\,\operatorname{sign}(x_i)\,(|x_i| / y)^{p-1}"
    words = "The length of a vector; its gradient points along the vector, and is taken as 0 at 0."

    @staticmethod
    def forward(x: Any, *, axis: Axis = None, keepdims: bool = False, ord: float = 2) -> Any:
        sizes = np.abs(x)
        # In units of the element that rules the sum nothing overflows, nor is all that counts lost as tiny.
        if ord > 0:
            unit = np.max(sizes, axis=axis, keepdims=True, initial=0)
        else:
            unit = np.min(sizes, axis=axis, keepdims=True, initial=np.inf)
        unit = np.where((unit > 0) & np.isfinite(unit), unit, 1)
        with np.errstate(
            divide="ignore", over="ignore"
        ):  # 0 to a negative power, and far larger than a least
            y = unit * add_up((sizes / unit) ** ord, axis, keepdims=True) ** (1 / ord)
        return y if keepdims else np.squeeze(y, normalize_axes(axis, np.ndim(x)))

    @staticmethod
    def backward(g: Any, x: Any, out: Any, axis: Axis, keepdims: bool, ord: float) -> Any:
        y = stretch(out, x.shape, axis, keepdims)
        zero = y == 0
        share = ops.where(zero, 0.0, x / ops.where(zero, 1.0, y))  # at most 1 in size
        return stretch(g, x.shape, axis, keepdims) * _odd_power(share, ord - 1)


def _odd_power(x: Any, p: float) -> Any:
    """Return sign(x) |x|^p; at x = 0 it and its derivatives are 0, unless p is 1, 3 … and it is just x^p."""
    if p > 0 and p % 2 == 1:
        return x if p == 1 else ops.pow(x, p)
    return ops.sign(x) * ops.pow(ops.where(x == 0, 1.0, ops.abs(x)), p)


def vector_norm(x: Any, /, *, axis: Axis = None, keepdims: bool = False, ord: float = 2) -> Tensor:
    """Return the length of the vectors along an axis, several, or all: (Σ |x|^ord)^(1/ord).

    ord=inf gives the largest |x|, -inf the smallest, 0 how many aren't 0 (without a gradient). The result is
    right also where the squares would overflow or vanish. Elements that are 0 get no gradient, so that it is
    0 at the vector 0, where the length has a kink. The shape loses the axes, or keeps them as 1 with
    ``keepdims``; floats keep their dtype, whole numbers give float64. Raises ShapeError for an axis that x
    doesn't have, and for the largest or smallest of none.

    >>> vector_norm(Tensor([3.0, -4.0])), vector_norm(Tensor([3.0, -4.0]), ord=1)
    (Tensor(5.), Tensor(7.))
    """
    ord = number("vector_norm: ord", ord)
    x = as_floats(x)
    axis = checked_axis(x, axis)
    if ord == 0:
        return ops.astype(ops.count_nonzero(x, axis=axis, keepdims=keepdims), x.dtype)
    if math.isinf(ord):
        extreme = ops.max if ord > 0 else ops.min
        return extreme(ops.abs(x), axis=axis, keepdims=keepdims)
    return VectorNorm.apply(x, axis=axis, keepdims=keepdims, ord=ord)


def quantile(x: Any, q: float, /, *, axis: Axis = None, keepdims: bool = False) -> Tensor:
    """Return the value below which the fraction q (0 to 1) lies, over an axis, several, or all.

    Between two elements it is interpolated linearly, and both get their share of the gradient. nan if there
    is one. The shape is as for :func:`sum`; floats keep their dtype, whole numbers give float64. Raises
    ArgumentError for another q, ShapeError for an empty axis or one that x doesn't have. (Hyndman & Fan,
    "Sample Quantiles", The American Statistician, 1996: type 7.)

    >>> quantile(Tensor([4.0, 1.0, 3.0, 2.0]), 0.25)
    Tensor(1.75)
    """
    q = number("quantile: q", q)
    if not 0 <= q <= 1:
        raise ArgumentError(f"quantile: q must be a fraction from 0 to 1, got {q}")
    x = as_floats(x)
    axis = checked_axis(x, axis)
    n = count(x.shape, axis)
    if not n:
        raise ShapeError(f"quantile: no elements to choose from along axis {axis} of shape {tuple(x.shape)}")
    rows = ops.sort(_in_rows(x, axis)[0])
    place = q * (n - 1)
    low = math.floor(place)
    high = min(low + 1, n - 1)
    part = place - low
    y = ops.getitem(rows, (..., low))
    if part:  # else an infinite neighbour would make it nan
        y = y * (1 - part) + ops.getitem(rows, (..., high)) * part
    y = ops.where(np.isnan(_values(rows)[..., -1]), math.nan, y)  # nan is sorted to the end
    if not keepdims:
        return y
    over = normalize_axes(axis, len(x.shape))
    return ops.reshape(y, [1 if i in over else length for i, length in enumerate(x.shape)])


def median(x: Any, /, *, axis: Axis = None, keepdims: bool = False) -> Tensor:
    """Return the middle value over an axis, several, or all: of an even number, the mean of two.

    nan if there is one. The shape is as for :func:`sum`; floats keep their dtype, whole numbers give float64.
    Raises ShapeError for an empty axis or one that x doesn't have.

    >>> median(Tensor([[3.0, 1.0, 2.0], [1.0, 1.0, 5.0]]), axis=1)
    Tensor([2., 1.])
    """
    return quantile(x, 0.5, axis=axis, keepdims=keepdims)


def diff(x: Any, /, *, axis: int = -1, n: int = 1, prepend: Any = None, append: Any = None) -> Tensor:
    """Return the differences of neighbours along an axis, n times over: each time one element fewer.

    ``prepend`` and ``append`` are joined to x before: of its shape but for that axis, or one number. The
    dtype is that of a subtraction: unsigned differences below 0 wrap around. Raises ArgumentError for a
    negative n, ShapeError for an axis that x doesn't have, or if they don't fit, DTypeError for bools.

    >>> diff(Tensor([1.0, 4.0, 9.0])), diff(Tensor([1.0, 4.0, 9.0]), prepend=0.0)
    (Tensor([3., 5.]), Tensor([1., 3., 5.]))
    """
    x = x if isinstance(x, Tensor | np.ndarray) else as_array(x)
    n = whole_number("diff: n", n)
    if n < 0:
        raise ArgumentError(f"diff: n is how many times to subtract, so at least 0, got {n}")
    a = normalize_axis(axis, len(x.shape), "diff")
    parts = [x if part is x else _widened(part, x, a) for part in (prepend, x, append) if part is not None]
    if len(parts) > 1:
        x = ops.concat(parts, axis=a)
    for _ in range(n):
        x = ops.getitem(x, along(a, len(x.shape), slice(1, None))) - ops.getitem(
            x, along(a, len(x.shape), slice(None, -1))
        )
    return x  # type: ignore[no-any-return]


def _widened(part: Any, x: Any, axis: int) -> Any:
    """Make one number as wide as x, of length 1 along the axis; a plain number takes x's dtype if it can."""
    shape = tuple([1 if i == axis else n for i, n in enumerate(x.shape)])
    if isinstance(part, int | float):
        return np.full(shape, part, np.result_type(x.dtype, part))
    return part if np.ndim(_values(part)) else ops.broadcast_to(part, shape)
