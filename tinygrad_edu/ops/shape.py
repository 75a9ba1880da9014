"""Shapes and indexing: the numbers stay, their arrangement changes."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from .. import ops
from ..errors import ArgumentError, ShapeError
from ..function import Function
from ..tensor import Tensor
from .reduction import normalize_axes
from .registry import register

__all__ = [
    "broadcast_to",
    "concat",
    "expand_dims",
    "flip",
    "matrix_transpose",
    "permute_dims",
    "reshape",
    "squeeze",
    "stack",
]

Shape = tuple[int, ...]


@register
class Reshape(Function):
    name = "reshape"
    formula = r"y = x \text{ in another shape}"
    derivative = r"\bar{x} = \bar{y} \text{ in the old shape}"
    words = "Arranges the same numbers in another shape; the gradient goes back into the old one."

    @staticmethod
    def forward(x: Any, *, shape: Shape) -> Any:
        return np.reshape(x, shape)

    @staticmethod
    def backward(g: Any, x_shape: Shape) -> Any:
        return ops.reshape(g, x_shape)


def reshape(x: Any, /, shape: int | Sequence[int]) -> Tensor:
    """Return x in another shape of equal size, in row-major order; one length may be -1.

    >>> reshape(Tensor([1.0, 2.0, 3.0, 4.0]), (2, -1))
    Tensor([[1., 2.],
            [3., 4.]])
    """
    return Reshape.apply(x, shape=(shape,) if isinstance(shape, int | np.integer) else tuple(shape))


def expand_dims(x: Any, /, *, axis: int = 0) -> Tensor:
    """Return x with a new axis of length 1 at a place.

    >>> expand_dims(Tensor([1.0, 2.0]), axis=1).shape
    (2, 1)
    """
    shape = x.shape
    if not -len(shape) - 1 <= axis <= len(shape):
        raise ArgumentError(f"expand_dims: axis {axis} is out of range for shape {tuple(shape)}")
    at = axis % (len(shape) + 1)
    return reshape(x, (*shape[:at], 1, *shape[at:]))


def squeeze(x: Any, /, axis: int | Sequence[int]) -> Tensor:
    """Return x without the named axes, which must have length 1.

    >>> squeeze(Tensor([[1.0, 2.0]]), 0).shape
    (2,)
    """
    axes = normalize_axes(axis if isinstance(axis, int | np.integer) else tuple(axis), len(x.shape))
    long = [a for a in axes if x.shape[a] != 1]
    if long:
        raise ShapeError(f"squeeze: axis {long[0]} of shape {tuple(x.shape)} isn't of length 1")
    return reshape(x, [n for i, n in enumerate(x.shape) if i not in axes])


@register
class PermuteDims(Function):
    name = "permute_dims"
    formula = r"y_{i_{p(1)} \ldots i_{p(n)}} = x_{i_1 \ldots i_n}"
    derivative = r"\bar{x} = \bar{y} \text{ permuted back}"
    words = "Reorders the axes; the gradient's axes are put back."

    @staticmethod
    def forward(x: Any, *, axes: Shape) -> Any:
        return np.transpose(x, axes)

    @staticmethod
    def backward(g: Any, axes: Shape) -> Any:
        back = sorted(range(len(axes)), key=lambda i: axes[i] % len(axes))
        return ops.permute_dims(g, tuple(back))


def permute_dims(x: Any, /, axes: Sequence[int]) -> Tensor:
    """Return x with its axes in another order: axis i of the result is axis axes[i] of x.

    >>> permute_dims(Tensor([[1.0, 2.0], [3.0, 4.0]]), (1, 0))
    Tensor([[1., 3.],
            [2., 4.]])
    """
    return PermuteDims.apply(x, axes=tuple(axes))


def matrix_transpose(x: Any, /) -> Tensor:
    """Return x with its last two axes swapped.

    >>> matrix_transpose(Tensor([[[1.0, 2.0]]])).shape
    (1, 2, 1)
    """
    n = len(x.shape)
    if n < 2:
        raise ShapeError(f"matrix_transpose: expected at least two dimensions, got shape {tuple(x.shape)}")
    return permute_dims(x, (*range(n - 2), n - 1, n - 2))


@register
class BroadcastTo(Function):
    name = "broadcast_to"
    formula = r"y_{ij} = x_j"
    derivative = r"\bar{x}_j = \sum_i \bar{y}_{ij}"
    words = "Repeats along axes; what was copied adds its copies' gradients up."
    broadcasts = True  # so the rule need only pass g on

    @staticmethod
    def forward(x: Any, *, shape: Shape) -> Any:
        return np.broadcast_to(x, shape)

    @staticmethod
    def backward(g: Any) -> Any:
        return g


def broadcast_to(x: Any, /, shape: Sequence[int]) -> Tensor:
    """Return x repeated along new axes and along those of length 1.

    >>> broadcast_to(Tensor([1.0, 2.0]), (2, 2))
    Tensor([[1., 2.],
            [1., 2.]])
    """
    return BroadcastTo.apply(x, shape=tuple(shape))


@register
class Flip(Function):
    name = "flip"
    formula = r"y_i = x_{n - 1 - i}"
    derivative = r"\bar{x}_i = \bar{y}_{n - 1 - i}"
    words = "Reverses the order along axes, and the gradient's."

    @staticmethod
    def forward(x: Any, *, axis: Any = None) -> Any:
        return np.flip(x, axis)

    @staticmethod
    def backward(g: Any, axis: Any) -> Any:
        return ops.flip(g, axis=axis)


def flip(x: Any, /, *, axis: int | tuple[int, ...] | None = None) -> Tensor:
    """Return x with the order of its elements reversed along an axis, several, or all.

    >>> flip(Tensor([1.0, 2.0, 3.0]))
    Tensor([3., 2., 1.])
    """
    return Flip.apply(x, axis=axis)


@register
class Concat(Function):
    name = "concat"
    formula = r"y = [x_1, x_2, \ldots]"
    derivative = r"\bar{x}_i = \text{its part of } \bar{y}"
    words = "Joins along an axis; each input gets its own stretch of the gradient."

    @staticmethod
    def forward(*arrays: Any, axis: int) -> Any:
        return np.concatenate(arrays, axis)

    @staticmethod
    def backward(g: Any, shapes: list[Shape], needs: tuple[bool, ...], axis: int) -> Any:
        parts, start = [], 0
        for shape, need in zip(shapes, needs, strict=True):
            stop = start + shape[axis]
            where = (slice(None),) * (axis % len(shape)) + (slice(start, stop),)
            parts.append(ops.getitem(g, where) if need else None)
            start = stop
        return tuple(parts)


def concat(arrays: Sequence[Any], /, *, axis: int | None = 0) -> Tensor:
    """Return the tensors joined along an existing axis; None flattens them first.

    >>> concat([Tensor([1.0, 2.0]), Tensor([3.0])])
    Tensor([1., 2., 3.])
    """
    if axis is None:
        return Concat.apply(*[reshape(x, (-1,)) for x in arrays], axis=0)
    return Concat.apply(*arrays, axis=axis)


@register
class Stack(Function):
    name = "stack"
    formula = r"y = (x_1, x_2, \ldots)"
    derivative = r"\bar{x}_i = \bar{y}_i"
    words = "Lays tensors side by side along a new axis; each gets its own slice of the gradient."

    @staticmethod
    def forward(*arrays: Any, axis: int) -> Any:
        return np.stack(arrays, axis)

    @staticmethod
    def backward(g: Any, needs: tuple[bool, ...], axis: int) -> Any:
        before = (slice(None),) * (axis % len(g.shape))
        return tuple([ops.getitem(g, (*before, i)) if need else None for i, need in enumerate(needs)])


def stack(arrays: Sequence[Any], /, *, axis: int = 0) -> Tensor:
    """Return tensors of equal shape joined along a new axis.

    >>> stack([Tensor([1.0, 2.0]), Tensor([3.0, 4.0])], axis=1)
    Tensor([[1., 3.],
            [2., 4.]])
    """
    return Stack.apply(*arrays, axis=axis)


@register
class GetItem(Function):
    name = "getitem"
    formula = r"y = x[\text{index}]"
    derivative = r"\bar{x}[\text{index}] \mathrel{+}= \bar{y}, \text{ 0 elsewhere}"
    words = "Picks elements; they get the gradient (added up where one was picked twice), the rest 0."

    @staticmethod
    def forward(x: Any, *, index: Any) -> Any:
        return x[index]

    @staticmethod
    def backward(g: Any, x_shape: Shape, index: Any) -> Any:
        return ops.scatter_add(g, index, x_shape)


def getitem(x: Any, index: Any, /) -> Tensor:
    """Return x[index]: numbers, slices, None, ..., integer arrays and boolean masks, as in NumPy.

    >>> getitem(Tensor([1.0, 2.0, 3.0]), [0, 0, 2])
    Tensor([1., 1., 3.])
    """
    return GetItem.apply(x, index=_plain(index))


@register
class ScatterAdd(Function):
    name = "scatter_add"
    formula = r"y = 0, \quad y[\text{index}] \mathrel{+}= x"
    derivative = r"\bar{x} = \bar{y}[\text{index}]"
    words = "Adds elements into their places in a tensor of zeros: what getitem does backward."

    @staticmethod
    def forward(x: Any, *, index: Any, shape: Shape) -> Any:
        x = np.asarray(x)
        y = np.zeros(shape, x.dtype)
        places = y[index].shape
        if places != x.shape:
            raise ShapeError(f"the index names {places} places in {shape}, x is {x.shape}")
        if _is_basic(index):
            y[index] = x  # no place is named twice
        else:
            np.add.at(y, index, x)
        return y

    @staticmethod
    def backward(g: Any, index: Any) -> Any:
        return ops.getitem(g, index)


def scatter_add(x: Any, index: Any, shape: Sequence[int], /) -> Tensor:
    """Return zeros of ``shape`` to which x was added at ``index``, as often as a place is named.

    x must have the shape that ``zeros(shape)[index]`` has.

    >>> scatter_add(Tensor([1.0, 2.0, 3.0]), [0, 0, 2], (3,))
    Tensor([3., 0., 3.])
    """
    return ScatterAdd.apply(x, index=_plain(index), shape=tuple(shape))


def _plain(index: Any) -> Any:
    """Replace Tensors in an index by their arrays."""
    if isinstance(index, tuple):
        return tuple([_plain(i) for i in index])
    if isinstance(index, Tensor):
        index = index.data
    return index.copy() if isinstance(index, np.ndarray) else index  # it is needed again, as it is now


def _is_basic(index: Any) -> bool:
    parts = index if isinstance(index, tuple) else (index,)
    return all(
        i is None or i is Ellipsis or (isinstance(i, slice | int | np.integer) and not isinstance(i, bool))
        for i in parts
    )
