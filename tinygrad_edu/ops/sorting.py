"""Order: sort, search, the largest few, the distinct values."""

from typing import Any, NamedTuple

import numpy as np

from .. import ops
from ..errors import ArgumentError, ShapeError, unknown_name
from ..function import Function
from ..tensor import Tensor
from .parameters import array_of, whole_number
from .reduction import normalize_axis
from .registry import register
from .scans import along

__all__ = [
    "argsort",
    "isin",
    "nonzero",
    "searchsorted",
    "sort",
    "top_k",
    "unique_all",
    "unique_counts",
    "unique_inverse",
    "unique_values",
]


def _order(x: Any, axis: int, descending: bool, stable: bool) -> Any:
    """Return the places of the elements in order; equals keep theirs, nan comes last, in both directions."""
    x = np.asarray(x)
    if not x.ndim:
        raise ShapeError("a single number has no axis to sort along; reshape it to (1,)")
    axis = normalize_axis(axis, x.ndim)  # NumPy takes None for the flattened array
    if descending:  # the complement turns the order of whole numbers and bools without overflow
        x = -x if x.dtype.kind == "f" else ~x
    return np.argsort(x, axis=axis, kind="stable" if stable else "quicksort")


@register
class Sort(Function):
    name = "sort"
    formula = r"y_i = x_{p(i)}, \quad y_1 \le y_2 \le \ldots"
    derivative = r"\bar{x}_{p(i)} = \bar{y}_i"
    words = "Puts in order; each element's gradient goes back to where it came from."
    extras = ("order",)

    @staticmethod
    def forward(x: Any, *, axis: int = -1, descending: bool = False, stable: bool = True) -> Any:
        order = _order(x, axis, descending, stable)
        return np.take_along_axis(np.asarray(x), order, axis), order

    @staticmethod
    def backward(g: Any, order: Any, axis: int) -> Any:
        return ops.take_along_axis(g, np.argsort(order, axis=axis), axis=axis)


def sort(x: Any, /, *, axis: int = -1, descending: bool = False, stable: bool = True) -> Tensor:
    """Return x in order along an axis, in its shape and dtype; nan comes last, in both directions.

    Equal elements keep their order, and each its own gradient; with stable=False any order among equals
    will do, which may be quicker. Raises ShapeError for an axis that x doesn't have.

    >>> sort(Tensor([3.0, 1.0, 2.0])), sort(Tensor([3.0, 1.0, 2.0]), descending=True)
    (Tensor([1., 2., 3.]), Tensor([3., 2., 1.]))
    """
    return Sort.apply(x, axis=axis, descending=descending, stable=stable)


@register
class ArgSort(Function):
    name = "argsort"
    formula = r"y = p, \quad x_{p(1)} \le x_{p(2)} \le \ldots"
    words = "The places of the elements in order: whole numbers, so without a gradient."

    @staticmethod
    def forward(x: Any, *, axis: int = -1, descending: bool = False, stable: bool = True) -> Any:
        return _order(x, axis, descending, stable)


def argsort(x: Any, /, *, axis: int = -1, descending: bool = False, stable: bool = True) -> Tensor:
    """Return the indices (int64) that put x in order along an axis: see :func:`sort`.

    They have x's shape. Equal elements keep their order, descending too. Raises ShapeError for an axis that x
    doesn't have.

    >>> argsort(Tensor([3.0, 1.0, 3.0]), descending=True)
    Tensor([0, 2, 1])
    """
    return ArgSort.apply(x, axis=axis, descending=descending, stable=stable)


class TopKResult(NamedTuple):
    """The largest k and where they are."""

    values: Tensor
    indices: Tensor


def top_k(x: Any, k: int, /, *, axis: int = -1, largest: bool = True) -> TopKResult:
    """Return the k largest (or smallest) along an axis, in order, as (values, indices) of length k there.

    Both have x's shape but for the axis. Of equals the first come first, and each place keeps its own
    gradient; nan comes last, in both directions. The values have x's dtype, the indices int64. Raises
    ArgumentError if k is negative or more than there are, ShapeError for an axis that x doesn't have.

    >>> top_k(Tensor([1.0, 4.0, 2.0, 4.0]), 3)
    TopKResult(values=Tensor([4., 4., 2.]), indices=Tensor([1, 3, 2]))
    """
    k, axis = whole_number("top_k: k", k), whole_number("top_k: axis", axis)
    order = argsort(x, axis=axis, descending=largest)
    if not 0 <= k <= order.shape[axis]:
        raise ArgumentError(f"top_k: k={k} is out of range along axis {axis} of shape {tuple(order.shape)}")
    places = ops.getitem(order, along(axis, order.ndim, slice(k)))
    return TopKResult(ops.take_along_axis(x, places, axis=axis), places)


@register
class SearchSorted(Function):
    name = "searchsorted"
    formula = r"y = \#\{i : x_{1,i} < x_2\}, \quad \text{or} \le \text{ from the right}"
    words = "Where would it go in a sorted list? A whole number, so without a gradient."

    @staticmethod
    def forward(x1: Any, x2: Any, sorter: Any = None, *, side: str = "left") -> Any:
        x1 = np.asarray(x1)
        if sorter is not None:
            if np.shape(sorter) != x1.shape:
                raise ShapeError(
                    f"sorter must be argsort(x1), so of shape {x1.shape}, got {np.shape(sorter)}"
                )
            x1 = x1[sorter]
        before, after = x1[:-1], x1[1:]
        if x1.ndim == 1 and np.any((after < before) | (np.isnan(before) & ~np.isnan(after))):
            raise ArgumentError("x1 isn't in ascending order; sort it, or pass sorter=argsort(x1)")
        return np.searchsorted(x1, x2, side)  # type: ignore[call-overload]


def searchsorted(x1: Any, x2: Any, /, *, side: str = "left", sorter: Any = None) -> Tensor:
    """Return where each element of x2 (any shape) would go in x1, one-dimensional and in ascending order.

    The index (int64) before which it keeps x1 in order: with side "left" the first such, with "right" the
    last. ``sorter`` is argsort(x1), if x1 isn't in order. Raises ArgumentError if it isn't even so, or for
    another side, ShapeError if x1 isn't one-dimensional.

    >>> searchsorted(Tensor([1.0, 2.0, 2.0, 3.0]), Tensor([2.0, 9.0]))
    Tensor([1, 4])
    """
    if side not in ("left", "right"):
        raise unknown_name("side", side, ("left", "right"))
    array_of("searchsorted: x2", x2)
    return SearchSorted.apply(x1, x2, *([] if sorter is None else [sorter]), side=side)


@register
class NonZero(Function):
    name = "nonzero"
    formula = r"y = (i, j, \ldots), \quad x_{ij \ldots} \ne 0"
    words = "The places of what isn't 0, one list for each axis: whole numbers, so without a gradient."

    @staticmethod
    def forward(x: Any) -> Any:
        return np.nonzero(x)


def nonzero(x: Any, /) -> tuple[Tensor, ...]:
    """Return the indices (int64) of the elements that aren't 0, in row-major order: a tensor for each axis.

    Each has the shape (n,), for n such elements. Raises ShapeError if x is a single number, which has no
    axis.

    >>> nonzero(Tensor([[0.0, 2.0], [3.0, 0.0]]))
    (Tensor([0, 1]), Tensor([1, 0]))
    """
    return NonZero.apply(x)  # type: ignore[return-value]


@register
class Unique(Function):
    name = "unique_all"
    formula = r"y = \{x_i\}"
    words = "The distinct values, in order; which there are jumps, so no gradient flows through it."

    @staticmethod
    def forward(x: Any) -> Any:
        values, first, inverse, counts = np.unique(
            x, return_index=True, return_inverse=True, return_counts=True, equal_nan=False
        )
        return values, first, inverse.reshape(np.shape(x)), counts


class UniqueAllResult(NamedTuple):
    """The distinct values, where each is first, which of them each element is, how often each is there."""

    values: Tensor
    indices: Tensor
    inverse_indices: Tensor
    counts: Tensor


class UniqueCountsResult(NamedTuple):
    """The distinct values, and how often each is there."""

    values: Tensor
    counts: Tensor


class UniqueInverseResult(NamedTuple):
    """The distinct values, and which of them each element is."""

    values: Tensor
    inverse_indices: Tensor


def unique_all(x: Any, /) -> UniqueAllResult:
    """Return (values, indices, inverse_indices, counts): the distinct values in ascending order, as a list.

    indices are the places in the flattened x where each is first; inverse_indices have x's shape, with
    values[inverse_indices] equal to x; counts tell how often each is there (all int64). The values have x's
    dtype, and every nan counts as distinct. None has a gradient: x[indices] has. Raises DTypeError for a list
    of what isn't numbers.

    >>> unique_all(Tensor([3, 1, 3])).values, unique_all(Tensor([3, 1, 3])).indices
    (Tensor([1, 3]), Tensor([1, 0]))
    """
    return UniqueAllResult(*Unique.apply(x))


def unique_counts(x: Any, /) -> UniqueCountsResult:
    """Return (values, counts): the distinct values in ascending order, and how often each is there (int64).

    Both are of shape (n,) for n values, which have x's dtype; every nan counts as distinct. Raises DTypeError
    for a list of what isn't numbers.

    >>> unique_counts(Tensor([3, 1, 3]))
    UniqueCountsResult(values=Tensor([1, 3]), counts=Tensor([1, 2]))
    """
    found = unique_all(x)
    return UniqueCountsResult(found.values, found.counts)


def unique_inverse(x: Any, /) -> UniqueInverseResult:
    """Return (values, inverse_indices): the distinct values, ascending, and which of them each element is.

    The indices (int64) have x's shape: values[inverse_indices] is x again. The values have x's dtype, and
    every nan counts as distinct. Raises DTypeError for a list of what isn't numbers.

    >>> unique_inverse(Tensor([3, 1, 3]))
    UniqueInverseResult(values=Tensor([1, 3]), inverse_indices=Tensor([1, 0, 1]))
    """
    found = unique_all(x)
    return UniqueInverseResult(found.values, found.inverse_indices)


def unique_values(x: Any, /) -> Tensor:
    """Return the distinct values in ascending order, as a list; every nan counts as distinct.

    It has the shape (n,) for n values, and x's dtype. Raises DTypeError for a list of what isn't numbers.

    >>> unique_values(Tensor([3, 1, 3]))
    Tensor([1, 3])
    """
    return unique_all(x).values


@register
class IsIn(Function):
    name = "isin"
    formula = r"y = [x_1 \in x_2]"
    words = "Is it among them? A truth value, so without a gradient."

    @staticmethod
    def forward(x1: Any, x2: Any, *, invert: bool = False) -> Any:
        return np.isin(x1, x2, invert=invert)


def isin(x1: Any, x2: Any, /, *, invert: bool = False) -> Tensor:
    """Return, in x1's shape, whether each element is among those of x2 (any shape); invert: whether it isn't.

    The result is of bools; numbers are compared in their common dtype, and nan is in nothing. Raises
    DTypeError for a list of what isn't numbers.

    >>> isin(Tensor([1, 2, 3]), Tensor([3, 1]))
    Tensor([ True, False,  True])
    """
    return IsIn.apply(x1, x2, invert=invert)
