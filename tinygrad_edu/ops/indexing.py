"""Indexing: picking elements out of a tensor, and putting others in their places."""

import math
from typing import Any

import numpy as np
from numpy.typing import DTypeLike

from .. import ops
from ..errors import ArgumentError, DataError, DTypeError, ShapeError
from ..function import Function, shape_of
from ..tensor import Tensor, as_array
from .arithmetic import unbroadcast
from .indices import along_one_axis, lasting, names_once, numbers_at, plain, shape_at, whole
from .parameters import array_of, whole_number
from .reduction import normalize_axis
from .registry import register

__all__ = ["diag", "one_hot", "take", "take_along_axis", "tril", "triu"]

Shape = tuple[int, ...]


@register
class GetItem(Function):
    name = "getitem"
    formula = r"y = x[\text{index}]"
    derivative = r"\bar{x}[\text{index}] \mathrel{+}= \bar{y}, \text{ 0 elsewhere}"
    words = "Picks elements; they get the gradient (added up where one was picked twice), the rest 0."

    @staticmethod
    def forward(x: Any, *, index: Any) -> Any:
        x = np.asarray(x)
        one = along_one_axis(index)
        if one is not None and one[0] < x.ndim and x.flags.c_contiguous:
            return np.take(x, one[1], one[0])  # up to seven times as quick
        return x[index]

    @staticmethod
    def backward(g: Any, x_shape: Shape, index: Any) -> Any:
        return ops.scatter_add(g, index, x_shape)


def getitem(x: Any, index: Any, /) -> Tensor:
    """Return x[index]: numbers, slices, None, ..., integer arrays and boolean masks, as in NumPy.

    Raises IndexingError for what is out of range, too many indices, a mask of another shape, or floats.

    >>> getitem(Tensor([1.0, 2.0, 3.0]), [0, 0, 2])
    Tensor([1., 1., 3.])
    """
    return GetItem.apply(x, index=plain(index))


@register
class ScatterAdd(Function):
    name = "scatter_add"
    formula = r"y = 0, \quad y[\text{index}] \mathrel{+}= x"
    derivative = r"\bar{x} = \bar{y}[\text{index}]"
    words = "Adds elements into their places in a tensor of zeros: what getitem does backward."

    @staticmethod
    def forward(x: Any, *, index: Any, shape: Shape) -> Any:
        x = np.asarray(x)
        places = shape_at(shape, index)
        if places != x.shape:
            raise ShapeError(f"the index names {places} places in {shape}, x is {x.shape}")
        return _add_at(np.zeros(shape, x.dtype), index, x)

    @staticmethod
    def backward(g: Any, index: Any) -> Any:
        return ops.getitem(g, index)


def scatter_add(x: Any, index: Any, shape: Any, /) -> Tensor:
    """Return zeros of ``shape`` to which x was added at ``index``, as often as a place is named.

    x must have the shape that ``zeros(shape)[index]`` has, or ShapeError is raised; the result has x's dtype.

    >>> scatter_add(Tensor([1.0, 2.0, 3.0]), [0, 0, 2], (3,))
    Tensor([3., 0., 3.])
    """
    return ScatterAdd.apply(x, index=plain(index), shape=tuple(shape))


@register
class IndexAdd(Function):
    name = "index_add"
    formula = r"y = x, \quad y[\text{index}] \mathrel{+}= v"
    derivative = r"\bar{x} = \bar{y}, \quad \bar{v} = \bar{y}[\text{index}]"
    words = (
        "Adds values into places of a copy, as often as a place is named; they get those places' gradient."
    )

    @staticmethod
    def forward(x: Any, v: Any, *, index: Any) -> Any:
        y = np.array(x, np.result_type(x, v), order="C")
        return _add_at(y, index, _spread(v, y, index))

    @staticmethod
    def backward(g: Any, v_shape: Shape, index: Any, needs: tuple[bool, ...]) -> Any:
        return g, unbroadcast(ops.getitem(g, index), v_shape) if needs[1] else None


@register
class IndexSet(Function):
    name = "index_set"
    formula = r"y = x, \quad y[\text{index}] = v"
    derivative = r"\bar{x} = \bar{y}, \ \bar{x}[\text{index}] = 0, \quad \bar{v} = \bar{y}[\text{index}]"
    words = "Puts values into places of a copy; they get those places' gradient, what they replaced gets 0."

    @staticmethod
    def forward(x: Any, v: Any, *, index: Any) -> Any:
        y = np.array(x, np.result_type(x, v), order="C")
        y[index] = _spread(v, y, index)
        return y

    @staticmethod
    def backward(g: Any, v_shape: Shape, index: Any, needs: tuple[bool, ...]) -> Any:
        dx = IndexSet.apply(g, 0.0, index=index) if needs[0] else None
        if not needs[1]:
            return dx, None
        dv = ops.getitem(g, index)
        if not names_once(index):  # what was overwritten by a later value gets nothing
            dv = ops.where(lasting(g.shape, index), dv, 0.0)
        return dx, unbroadcast(dv, v_shape)


class At:
    """What ``x.at`` is: ``x.at[index].set(v)`` returns a new tensor, as x but with v at the index.

    Recorded values must not change, so an assignment is an operation that has a result, and a gradient in
    both x and v. ``index`` is whatever x can be indexed with; :class:`Places` says what can be done there.

    >>> x = Tensor([1.0, 2.0, 3.0])
    >>> At(x)[0].set(5.0)
    Tensor([5., 2., 3.])
    """

    __slots__ = ("_x",)

    def __init__(self, x: Any) -> None:
        self._x = x

    def __getitem__(self, index: Any) -> "Places":
        return Places(self._x, plain(index))


class Places:
    """Some places of a tensor, ``x.at[index]``; each method returns a new tensor of x's shape.

    Values must broadcast to the shape of ``x[index]``, dtypes promote as in ``x + v``. Raises ShapeError, or
    IndexingError as ``x[index]`` does.
    """

    __slots__ = ("_index", "_x")

    def __init__(self, x: Any, index: Any) -> None:
        self._x, self._index = x, index

    def set(self, v: Any, /) -> Tensor:
        """Return x with v at the places; of several values for one the last stays, and gets the gradient.

        >>> At(Tensor([1.0, 2.0, 3.0]))[[0, 0]].set([5.0, 6.0])
        Tensor([6., 2., 3.])
        """
        return IndexSet.apply(self._x, v, index=self._index)

    def add(self, v: Any, /) -> Tensor:
        """Return x with v added at the places, as often as they are named.

        >>> At(Tensor([1.0, 2.0, 3.0]))[[0, 0]].add(5.0)
        Tensor([11.,  2.,  3.])
        """
        return IndexAdd.apply(self._x, v, index=self._index)

    def mul(self, v: Any, /) -> Tensor:
        """Return x multiplied by v at the places, as often as they are named.

        >>> At(Tensor([1.0, 2.0, 3.0]))[[0, 0]].mul(5.0)
        Tensor([25.,  2.,  3.])
        """
        x, index = self._x, self._index
        while True:
            product = ops.multiply(getitem(x, index), v)
            if names_once(index) or (once := lasting(x.shape, index)).all():
                return IndexSet.apply(x, product, index=index)
            # A place that is named twice is multiplied twice: by its last factor, then by those before.
            numbers = numbers_at(x.shape, index)
            if isinstance(v, int | float):  # an array of it must not widen x
                v = np.asarray(v, product.dtype)
            v = ops.broadcast_to(v, once.shape)
            last, index = (np.unravel_index(numbers[chosen], x.shape) for chosen in (once, ~once))
            x = IndexSet.apply(x, ops.multiply(getitem(x, last), v[once]), index=last)
            v = v[~once]


def take(x: Any, indices: Any, /, *, axis: int | None = None) -> Tensor:
    """Return the slices of x at whole numbers ``indices`` along an axis: these replace the axis by their own.

    Negative ones count from the end. The axis may be left out if x has one dimension only. Raises
    IndexingError for indices that are out of range or not whole numbers, ShapeError for an axis that
    x doesn't have, ArgumentError for none that is needed.

    >>> take(Tensor([[1.0, 2.0, 3.0]]), [2, 0, 0], axis=1)
    Tensor([[3., 1., 1.]])
    """
    ndim = len(shape_of(x))
    if axis is None and ndim != 1:
        raise ArgumentError(f"take: x has {ndim} dimensions, so say which axis")
    at = normalize_axis(axis or 0, ndim)
    return getitem(x, (*[slice(None)] * at, whole(indices)))


def take_along_axis(x: Any, indices: Any, /, *, axis: int = -1) -> Tensor:
    """Return for each place the element of x that ``indices`` names along the axis there, in x's dtype.

    ``indices`` are whole numbers, with as many dimensions as x, and of any length along the axis; the other
    axes broadcast against x's. So it undoes argsort and argmax. Raises ShapeError for other dimensions or an
    axis that x doesn't have, IndexingError for indices out of range, floats, or other axes that don't
    broadcast.

    >>> x = Tensor([[3.0, 1.0, 2.0]])
    >>> take_along_axis(x, [[1, 2, 0]])
    Tensor([[1., 2., 3.]])
    """
    shape, indices = shape_of(x), whole(indices)
    at = normalize_axis(axis, len(shape))
    if np.ndim(indices) != len(shape):
        raise ShapeError(
            f"take_along_axis: indices {np.shape(indices)} need as many dimensions as x {tuple(shape)}"
        )
    places = list(np.ogrid[tuple([slice(n) for n in shape])])
    places[at] = indices
    return getitem(x, tuple(places))


def diagonal(x: Any, /, *, offset: int = 0) -> Tensor:
    """Return the diagonals of the matrices in the last two axes, (…, m, n) to (…, length), in x's dtype.

    A positive offset goes above the main diagonal, a negative one below. Raises ShapeError if x has fewer
    than two dimensions.

    >>> diagonal(Tensor([[1.0, 2.0], [3.0, 4.0]]), offset=1)
    Tensor([2.])
    """
    m, n = _matrix("diagonal", shape_of(x))
    offset = whole_number("diagonal: offset", offset)
    length = min(m - max(-offset, 0), n - max(offset, 0))
    return getitem(x, (..., *_diagonal(length, offset)))


def diag(x: Any, /, k: int = 0) -> Tensor:
    """Return a vector as the k-th diagonal of a square matrix of zeros, or the k-th diagonal of a matrix.

    (n,) gives (n + |k|, n + |k|); the dtype stays. Raises ShapeError unless x has one dimension or two.

    >>> diag(Tensor([1.0, 2.0]))
    Tensor([[1., 0.],
            [0., 2.]])
    """
    shape = shape_of(x)
    if len(shape) == 2:
        return diagonal(x, offset=k)
    if len(shape) != 1:
        raise ShapeError(f"diag: expected one dimension or two, got shape {tuple(shape)}")
    k = whole_number("diag: k", k)
    side = shape[0] + abs(k)
    return scatter_add(x, _diagonal(shape[0], k), (side, side))


def tril(x: Any, /, *, k: int = 0) -> Tensor:
    """Return matrices (…, m, n) with zeros above the k-th diagonal, in x's dtype.

    Raises ShapeError if x has fewer than two dimensions.

    >>> tril(Tensor([[1.0, 2.0], [3.0, 4.0]]))
    Tensor([[1., 0.],
            [3., 4.]])
    """
    x = x if hasattr(x, "dtype") else as_array(x)
    kept = np.tri(*_matrix("tril", x.shape), whole_number("tril: k", k), bool)
    return ops.where(kept, x, np.zeros((), x.dtype))


def triu(x: Any, /, *, k: int = 0) -> Tensor:
    """Return matrices (…, m, n) with zeros below the k-th diagonal, in x's dtype.

    Raises ShapeError if x has fewer than two dimensions.

    >>> triu(Tensor([[1.0, 2.0], [3.0, 4.0]]))
    Tensor([[1., 2.],
            [0., 4.]])
    """
    x = x if hasattr(x, "dtype") else as_array(x)
    below = np.tri(*_matrix("triu", x.shape), whole_number("triu: k", k) - 1, bool)
    return ops.where(below, np.zeros((), x.dtype), x)


@register
class OneHot(Function):
    name = "one_hot"
    formula = r"y_{ij} = [x_i = j]"
    words = "A 1 where a whole number points, 0 elsewhere; whole numbers have no gradient."

    @staticmethod
    def forward(x: Any, *, num_classes: int, axis: int = -1, dtype: DTypeLike = np.float32) -> Any:
        x = np.asarray(x)
        if x.dtype.kind not in "iub" and x.size:  # an empty list is of floats
            raise DTypeError(f"labels must be whole numbers, got {x.dtype}; convert them with astype")
        if num_classes < 0:
            raise ArgumentError(f"num_classes={num_classes} is negative")
        wrong = (x < 0) | (x >= num_classes)
        if wrong.any():
            at = tuple(np.argwhere(wrong)[0].tolist())
            raise DataError(f"label {x[at]} at index {at} is outside 0…{num_classes - 1}")
        return np.moveaxis(x[..., np.newaxis] == np.arange(num_classes), -1, axis).astype(dtype)


def one_hot(x: Any, /, num_classes: int, *, axis: int = -1, dtype: DTypeLike = np.float32) -> Tensor:
    """Return vectors with a single 1, at the place that a label names, along a new axis of num_classes.

    x holds whole numbers from 0 to num_classes - 1, in any shape: (…) gives (…, num_classes), float32 unless
    ``dtype`` says otherwise. Raises DTypeError for other labels or num_classes, DataError for a label out of
    range, ArgumentError for negative num_classes, ShapeError for an axis that the result doesn't have.

    >>> one_hot(Tensor([0, 2]), 3)
    Tensor([[1., 0., 0.],
            [0., 0., 1.]])
    """
    num_classes = whole_number("one_hot: num_classes", num_classes)
    dtype = np.float32 if dtype is None else dtype
    return OneHot.apply(x, num_classes=num_classes, axis=axis, dtype=dtype)


def _spread(v: Any, y: Any, index: Any) -> Any:
    """Return v broadcast to the places of y that an index names, in y's dtype; it must be able to hold v."""
    array_of("v", v)
    places = shape_at(y.shape, index)
    v = np.asarray(v, y.dtype)
    try:
        return np.broadcast_to(v, places)
    except ValueError:
        raise ShapeError(f"the index names {places} places, which v {np.shape(v)} doesn't fit") from None


def _add_at(y: Any, index: Any, v: Any) -> Any:
    """Add v to a contiguous y at an index, in order and as often as a place is named; return y."""
    if names_once(index):
        y[index] += v
    elif v.ndim == 1:
        np.add.at(y, index, v)
    elif (one := along_one_axis(index)) is not None:
        _add_slices(y, *one, v)
    else:  # NumPy is three to twenty times quicker with a single index
        np.add.at(y.reshape(-1), numbers_at(y.shape, index).ravel(), v.ravel())
    return y


def _add_slices(y: Any, axis: int, places: Any, v: Any) -> None:
    """Add slices of v to those at places along an axis of a contiguous y."""
    lead, n, row = math.prod(y.shape[:axis]), y.shape[axis], math.prod(y.shape[axis + 1 :])
    slices, more = y.reshape(lead, n, row), v.reshape(lead, places.size, row)
    if row >= 64 and lead * row >= 1000:  # so long that a step of Python for each is nothing
        for i, place in enumerate(places.ravel().tolist()):
            slices[:, place] += more[:, i]
    else:
        starts = np.arange(lead)[:, np.newaxis] * n + places.ravel() % n
        numbers = starts[..., np.newaxis] * row + np.arange(row)
        np.add.at(y.reshape(-1), numbers.ravel(), more.ravel())


def _matrix(name: str, shape: Shape) -> tuple[int, int]:
    """Return the sides of the matrices in the last two axes."""
    if len(shape) < 2:
        raise ShapeError(f"{name}: expected at least two dimensions, got shape {tuple(shape)}")
    m, n = shape[-2:]
    return m, n


def _diagonal(length: int, offset: int) -> tuple[Any, Any]:
    """Return the rows and the columns of a diagonal."""
    steps = np.arange(length)  # none if it lies outside
    return steps + max(-offset, 0), steps + max(offset, 0)
