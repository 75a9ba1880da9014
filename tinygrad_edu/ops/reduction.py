"""Reductions: many numbers to one, over all axes or some."""

import math
from typing import Any

import numpy as np

from .. import kernels, ops
from ..errors import ShapeError
from ..function import Function, shape_of
from ..tensor import Tensor
from .parameters import whole_number
from .registry import register

__all__ = ["all", "any", "argmax", "argmin", "count_nonzero", "logsumexp", "max", "mean", "min", "sum"]

Axis = int | tuple[int, ...] | None


def normalize_axes(axis: Any, ndim: int, call: str = "") -> tuple[int, ...]:
    """Return the axes as a tuple of numbers from 0 to ndim - 1; None means all. Errors name the call.

    Raises ShapeError for an axis that there isn't or that is named twice, DTypeError for what isn't one.

    >>> normalize_axes(-1, 3), normalize_axes(None, 2)
    ((2,), (0, 1))
    """
    if axis is None:
        return tuple(range(ndim))
    if type(axis) is int and -ndim <= axis < ndim:
        return (axis % ndim,)
    several = axis if isinstance(axis, tuple | list) else (axis,)
    call = call and f"{call}: "
    axes = [whole_number(f"{call}an axis", a) for a in several]
    for a in axes:
        if not -ndim <= a < ndim:
            raise ShapeError(f"{call}axis {a} is out of range for a tensor with {ndim} dimensions")
    axes = [a % ndim for a in axes]
    if len(set(axes)) != len(axes):
        raise ShapeError(f"{call}axis {axis} names an axis twice")
    return tuple(axes)


def normalize_axis(axis: Any, ndim: int, call: str = "") -> int:
    """Return the one axis as a number from 0 to ndim - 1; errors as for several, and None is one.

    >>> normalize_axis(-1, 3)
    2
    """
    return normalize_axes((axis,), ndim, call)[0]


def floating(x: Any) -> Any:
    """Return x as an array of floats: int32 and int64 become float64, smaller ones and bools float32.

    So it is in NumPy, but for bools and 8 bits, which its functions compute with all too roughly in float16.

    >>> floating([1, 2])
    array([1., 2.])
    """
    x = np.asarray(x)
    return x if x.dtype.kind == "f" else x.astype(np.result_type(x, np.float32))


def all_floating(*inputs: Any) -> Any:
    """Return all as they are, if they promote to floats; else, as ``floating`` does, arrays of floats."""
    # A Python int is any: floats may hold what the others' whole numbers can't.
    dtype = np.result_type(*[0 if type(x) is int else x for x in inputs])
    return inputs if dtype.kind == "f" else [np.asarray(x, np.result_type(dtype, np.float32)) for x in inputs]


def add_up(x: Any, axis: Axis = None, dtype: Any = None, *, keepdims: bool = False) -> Any:
    """Return the sum as NumPy's, but without its loss of digits in long sums of float32.

    NumPy adds what lies side by side in memory in pairs, pairs of pairs and so on, but along other axes one
    after the other, where n roundings add up (Higham, "The accuracy of floating point summation", 1993):
    there it is added in float64. Inner and outer axes are summed apart, since over both at once NumPy is slow
    where the innermost is short.
    """
    x = np.asarray(x)
    if dtype is None and x.dtype.char in "fd" and x.size > _FEW:
        terms = x.shape[axis] if type(axis) is int else count(x.shape, axis)
        if terms > _FEW:
            over, start = normalize_axes(axis, x.ndim), x.ndim
            if x.size > _WORTH_A_KERNEL and x.flags.c_contiguous and set(over) == set(range(len(over))):
                kept = x.shape[len(over) :]
                y = kernels.sum_rows(x.reshape(terms, -1)).reshape((1,) * len(over) * keepdims + kept)
                return y if y.ndim else y[()]
            while start - 1 in over:
                start -= 1
            outer, inner = tuple([a for a in over if a < start]), tuple(range(start, x.ndim))
            if outer and inner:
                first, then = (inner, outer) if count(x.shape, inner) > _FEW else (outer, inner)
                y = add_up(add_up(x, first, keepdims=True), then, keepdims=True)
                return y if keepdims else np.squeeze(y, over)
            if x.dtype == np.float32 and (outer or not x.flags.c_contiguous):
                return _reduce(x, over, np.float64, keepdims=keepdims).astype(np.float32)
    return _reduce(x, axis, dtype, keepdims=keepdims)


_WORTH_A_KERNEL = 8192  # numbers, below which NumPy is done before a kernel is called
_FEW = 128  # terms, up to which NumPy adds one after the other in any case
_reduce: Any = np.add.reduce  # whose types know no keepdims that is a variable


def stretch(g: Any, shape: tuple[int, ...], axis: Axis, keepdims: bool) -> Any:
    """Give every element that was reduced into one the gradient of that one."""
    if axis is None and not isinstance(g, Tensor) and math.prod(shape) <= _FILLED:
        y = np.empty(shape, g.dtype)
        y.fill(g.item())
        return y
    if not keepdims:
        axes = normalize_axes(axis, len(shape))
        g = ops.reshape(g, tuple([1 if i in axes else n for i, n in enumerate(shape)]))
    return ops.broadcast_to(g, shape)


_FILLED = 1024  # elements, up to which copies take less time than a view that repeats one number


def count(shape: tuple[int, ...], axis: Axis) -> int:
    """Return how many elements are reduced into one.

    >>> count((2, 3, 4), (0, -1))
    8
    """
    return (
        math.prod(shape) if axis is None else math.prod([shape[a] for a in normalize_axes(axis, len(shape))])
    )


@register
class Sum(Function):
    name = "sum"
    formula = r"y = \sum_i x_i"
    derivative = r"\bar{x}_i = \bar{y}"
    words = "Adds up; every term gets the sum's gradient."

    @staticmethod
    def forward(x: Any, *, axis: Axis = None, dtype: Any = None, keepdims: bool = False) -> Any:
        return add_up(x, axis, dtype, keepdims=keepdims)

    @staticmethod
    def backward(g: Any, x_shape: tuple[int, ...], axis: Axis, keepdims: bool) -> Any:
        return stretch(g, x_shape, axis, keepdims)


def sum(x: Any, /, *, axis: Axis = None, dtype: Any = None, keepdims: bool = False) -> Tensor:
    """Return the sum over an axis, several, or all; over nothing it is 0.

    The shape loses the axes, or keeps them as 1 with ``keepdims``. It is added up in ``dtype``: by default
    x's own (long sums of float32 in float64 inside), for bools and small whole numbers int64 (unsigned:
    uint64). Raises ShapeError for an axis that x doesn't have, as every reduction does, DTypeError for text.

    >>> sum(Tensor([[1.0, 2.0], [3.0, 4.0]]), axis=0)
    Tensor([4., 6.])
    """
    return Sum.apply(x, axis=checked_axis(x, axis), dtype=dtype, keepdims=keepdims)


@register
class Mean(Function):
    name = "mean"
    formula = r"y = \frac{1}{n} \sum_i x_i"
    derivative = r"\bar{x}_i = \bar{y} / n"
    words = "Averages; every element gets an equal share of the gradient."

    @staticmethod
    def forward(x: Any, *, axis: Axis = None, keepdims: bool = False) -> Any:
        x = np.asarray(x)
        n = count(x.shape, axis)
        if n and x.dtype.kind != "f":
            return np.mean(x, axis=axis, keepdims=keepdims)  # in float64
        return add_up(x, axis, keepdims=keepdims) / (n or math.nan)  # NumPy's nan comes with a warning

    @staticmethod
    def backward(g: Any, x_shape: tuple[int, ...], axis: Axis, keepdims: bool) -> Any:
        # An empty sum has no shares, but its gradient may still have to be given its shape.
        return stretch(g / (count(x_shape, axis) or 1), x_shape, axis, keepdims)


def mean(x: Any, /, *, axis: Axis = None, keepdims: bool = False) -> Tensor:
    """Return the arithmetic mean over an axis, several, or all; over nothing it is nan.

    The shape is as for :func:`sum`; floats keep their dtype, whole numbers and bools give float64. Raises
    ShapeError for an axis that x doesn't have, DTypeError for text.

    >>> mean(Tensor([[1.0, 2.0], [3.0, 4.0]]), axis=1)
    Tensor([1.5, 3.5])
    """
    return Mean.apply(x, axis=checked_axis(x, axis), keepdims=keepdims)


class _Extreme(Function):
    """The largest or the smallest: equal ones share the gradient."""

    @staticmethod
    def backward(g: Any, x: Any, out: Any, axis: Axis, keepdims: bool) -> Any:
        shape = x.shape
        values, best = (t.data if isinstance(t, Tensor) else t for t in (x, out))
        best = stretch(best, shape, axis, keepdims)
        chosen = (values == best) | (np.isnan(values) & np.isnan(best))
        share = chosen / np.add.reduce(chosen, axis=axis, keepdims=True)
        return stretch(g, shape, axis, keepdims) * share.astype(values.dtype)


@register
class Max(_Extreme):
    name = "max"
    formula = r"y = \max_i x_i"
    derivative = r"\bar{x}_i = \bar{y}\,[x_i = y] / \#\{j : x_j = y\}"
    words = "Takes the largest; it alone gets the gradient, and equals share it."

    @staticmethod
    def forward(x: Any, *, axis: Axis = None, keepdims: bool = False) -> Any:
        return np.max(x, axis=axis, keepdims=keepdims)


def max(x: Any, /, *, axis: Axis = None, keepdims: bool = False) -> Tensor:
    """Return the largest over an axis, several, or all; nan if there is one. Equals share the gradient.

    The shape is as for :func:`sum`, the dtype x's. Raises ShapeError over an empty axis, which has no
    largest, and for one that x doesn't have, DTypeError for text.

    >>> max(Tensor([[1.0, 5.0], [3.0, 4.0]]), axis=1)
    Tensor([5., 4.])
    """
    return Max.apply(x, axis=checked_axis(x, axis), keepdims=keepdims)


@register
class Min(_Extreme):
    name = "min"
    formula = r"y = \min_i x_i"
    derivative = r"\bar{x}_i = \bar{y}\,[x_i = y] / \#\{j : x_j = y\}"
    words = "Takes the smallest; it alone gets the gradient, and equals share it."

    @staticmethod
    def forward(x: Any, *, axis: Axis = None, keepdims: bool = False) -> Any:
        return np.min(x, axis=axis, keepdims=keepdims)


def min(x: Any, /, *, axis: Axis = None, keepdims: bool = False) -> Tensor:
    """Return the smallest over an axis, several, or all; nan if there is one. Equals share the gradient.

    The shape is as for :func:`sum`, the dtype x's. Raises ShapeError over an empty axis, which has no
    smallest, and for one that x doesn't have, DTypeError for text.

    >>> min(Tensor([[1.0, 5.0], [3.0, 4.0]]), axis=1)
    Tensor([1., 3.])
    """
    return Min.apply(x, axis=checked_axis(x, axis), keepdims=keepdims)


@register
class LogSumExp(Function):
    name = "logsumexp"
    formula = r"y = \ln \sum_i e^{x_i}"
    derivative = r"\bar{x}_i = \bar{y}\, e^{x_i - y}"
    words = "A smooth maximum; the gradient is shared out by softmax."

    @staticmethod
    def forward(x: Any, *, axis: Axis = None, keepdims: bool = False) -> Any:
        x = floating(x)
        top = np.max(x, axis=axis, keepdims=True, initial=-np.inf)
        top = np.where(np.isfinite(top), top, 0)  # an inf must not be subtracted from itself
        # The log of an empty sum is -inf, and beside an inf the rest may overflow: both as it should be.
        with np.errstate(divide="ignore", over="ignore"):
            y = np.log(add_up(np.exp(x - top), axis, keepdims=True)) + top
        return y if keepdims else np.squeeze(y, normalize_axes(axis, x.ndim))

    @staticmethod
    def backward(g: Any, x: Any, out: Any, axis: Axis, keepdims: bool) -> Any:
        # Where all are -inf, -inf less itself would be nan: there e^x alone is 0, and so is the gradient.
        top = stretch(ops.where(out == -math.inf, 0.0, out), x.shape, axis, keepdims)
        return stretch(g, x.shape, axis, keepdims) * ops.exp(x - top)


def logsumexp(x: Any, /, *, axis: Axis = None, keepdims: bool = False) -> Tensor:
    """Return ln Σ e^x over an axis, several, or all, without overflow; over nothing it is -inf.

    The shape is as for :func:`sum`; floats keep their dtype, int64 becomes float64. Raises ShapeError for an
    axis that x doesn't have, DTypeError for text.

    >>> logsumexp(Tensor([1000.0, 1000.0]))
    Tensor(1000.693)
    """
    return LogSumExp.apply(x, axis=checked_axis(x, axis), keepdims=keepdims)


@register
class ArgMax(Function):
    name = "argmax"
    formula = r"y = \arg\max_i x_i"
    words = "The place of the largest: a whole number, so without a gradient."

    @staticmethod
    def forward(x: Any, *, axis: int | None = None, keepdims: bool = False) -> Any:
        return np.argmax(x, axis=axis, keepdims=keepdims)


def argmax(x: Any, /, *, axis: int | None = None, keepdims: bool = False) -> Tensor:
    """Return the index of the largest along an axis (int64), the first among equals; None: of all, flat.

    A nan counts as the largest. The shape loses the axis, or keeps it as 1 with ``keepdims``. Raises
    ShapeError over an empty axis and for one that x doesn't have, DTypeError for several.

    >>> argmax(Tensor([[1.0, 5.0], [4.0, 3.0]]), axis=1)
    Tensor([1, 0])
    """
    return ArgMax.apply(x, axis=axis, keepdims=keepdims)


@register
class ArgMin(Function):
    name = "argmin"
    formula = r"y = \arg\min_i x_i"
    words = "The place of the smallest: a whole number, so without a gradient."

    @staticmethod
    def forward(x: Any, *, axis: int | None = None, keepdims: bool = False) -> Any:
        return np.argmin(x, axis=axis, keepdims=keepdims)


def argmin(x: Any, /, *, axis: int | None = None, keepdims: bool = False) -> Tensor:
    """Return the index of the smallest along an axis (int64), the first among equals; None: of all, flat.

    A nan counts as the smallest. The shape loses the axis, or keeps it as 1 with ``keepdims``. Raises
    ShapeError over an empty axis and for one that x doesn't have, DTypeError for several.

    >>> argmin(Tensor([[1.0, 5.0], [4.0, 3.0]]), axis=1)
    Tensor([0, 1])
    """
    return ArgMin.apply(x, axis=axis, keepdims=keepdims)


@register
class AnyOf(Function):
    name = "any"
    formula = r"y = x_1 \lor x_2 \lor \ldots"
    words = "Is at least one true? A truth value, so without a gradient."

    @staticmethod
    def forward(x: Any, *, axis: Axis = None, keepdims: bool = False) -> Any:
        return np.any(x, axis=axis, keepdims=keepdims)


def any(x: Any, /, *, axis: Axis = None, keepdims: bool = False) -> Tensor:
    """Return whether any element over an axis, several, or all isn't 0 (nan isn't), as bool; of none, False.

    The shape is as for :func:`sum`. Raises ShapeError for an axis that x doesn't have.

    >>> any(Tensor([[True, False], [False, False]]), axis=1)
    Tensor([ True, False])
    """
    return AnyOf.apply(x, axis=checked_axis(x, axis), keepdims=keepdims)


@register
class AllOf(Function):
    name = "all"
    formula = r"y = x_1 \land x_2 \land \ldots"
    words = "Are all true? A truth value, so without a gradient."

    @staticmethod
    def forward(x: Any, *, axis: Axis = None, keepdims: bool = False) -> Any:
        return np.all(x, axis=axis, keepdims=keepdims)


def all(x: Any, /, *, axis: Axis = None, keepdims: bool = False) -> Tensor:
    """Return whether no element over an axis, several, or all is 0 (nan isn't), as bool; of none, True.

    The shape is as for :func:`sum`. Raises ShapeError for an axis that x doesn't have.

    >>> all(Tensor([[True, False], [True, True]]), axis=1)
    Tensor([False,  True])
    """
    return AllOf.apply(x, axis=checked_axis(x, axis), keepdims=keepdims)


@register
class CountNonzero(Function):
    name = "count_nonzero"
    formula = r"y = \#\{i : x_i \ne 0\}"
    words = "How many aren't 0: a whole number, so without a gradient."

    @staticmethod
    def forward(x: Any, *, axis: Axis = None, keepdims: bool = False) -> Any:
        return np.sum(np.not_equal(x, 0), axis=axis, dtype=np.int64, keepdims=keepdims)


def count_nonzero(x: Any, /, *, axis: Axis = None, keepdims: bool = False) -> Tensor:
    """Return how many elements over an axis, several, or all aren't 0 (int64); nan isn't.

    The shape is as for :func:`sum`. Raises ShapeError for an axis that x doesn't have, DTypeError for text.

    >>> count_nonzero(Tensor([[1.0, 0.0], [2.0, 3.0]]), axis=1)
    Tensor([1, 2])
    """
    return CountNonzero.apply(x, axis=checked_axis(x, axis), keepdims=keepdims)


def checked_axis(x: Any, axis: Any) -> Axis:
    """Give the axis as None, an int or a tuple, whatever sequence it came as."""
    if axis is None:
        return None
    normalize_axes(axis, len(shape_of(x)))
    return tuple(axis) if isinstance(axis, list) else axis
