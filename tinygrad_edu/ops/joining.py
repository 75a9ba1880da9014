"""Joining and splitting: several tensors to one, and one to several."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from .. import ops
from ..errors import ArgumentError, DTypeError
from ..function import Function
from ..tensor import Tensor
from .parameters import whole_numbers
from .reduction import normalize_axis
from .registry import register

__all__ = ["concat", "split", "stack", "unstack"]

Shape = tuple[int, ...]
Ints = int | Sequence[int]


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
    def backward(g: Any, shapes: list[Shape], axis: int) -> Any:
        ends = np.cumsum([shape[axis] for shape in shapes])
        return ops.split(g, ends[:-1].tolist(), axis=axis)


def concat(arrays: Sequence[Any], /, *, axis: int | None = 0) -> Tensor:
    """Return the tensors joined along an existing axis; None flattens them first.

    (m, k) and (n, k) make (m + n, k); dtypes promote as in NumPy. Raises ShapeError for tensors whose other
    axes differ in length, for none of them, or for an axis that they don't have.

    >>> concat([Tensor([1.0, 2.0]), Tensor([3.0])])
    Tensor([1., 2., 3.])
    """
    each = _each("concat", arrays)
    if axis is None:
        return Concat.apply(*[ops.reshape(x, (-1,)) for x in each], axis=0)
    return Concat.apply(*each, axis=axis)


@register
class Split(Function):
    name = "split"
    formula = r"[y_1, y_2, \ldots] = x"
    derivative = r"\bar{x} = [\bar{y}_1, \bar{y}_2, \ldots]"
    words = "Cuts a tensor along an axis; the parts' gradients are joined again."

    @staticmethod
    def forward(x: Any, *, indices_or_sections: Any, axis: int = 0) -> Any:
        axis = normalize_axis(axis, np.ndim(x))
        if isinstance(indices_or_sections, int):
            if indices_or_sections < 1:
                raise ArgumentError(f"can't cut into {indices_or_sections} parts")
        else:
            starts = [slice(i, None).indices(x.shape[axis])[0] for i in indices_or_sections]
            if starts != sorted(starts):
                raise ArgumentError(f"indices must ascend, or parts would overlap; got {indices_or_sections}")
        return tuple(np.split(x, indices_or_sections, axis))

    @staticmethod
    def backward(g: Any, axis: int) -> Any:
        return ops.concat(g, axis=axis)


def split(x: Any, /, indices_or_sections: Ints, axis: int = 0) -> tuple[Tensor, ...]:
    """Return x cut along an axis: into so many equal parts, or before each of the given indices.

    2 cuts the shape (4, k) into two (2, k), [1] into (1, k) and (3, k); the dtype stays. Raises ShapeError if
    x can't be cut equally or hasn't the axis, ArgumentError if there would be no parts, or parts that overlap
    as the indices don't ascend.

    >>> split(Tensor([1.0, 2.0, 3.0]), [1])
    (Tensor([1.]), Tensor([2., 3.]))
    """
    places: Any = whole_numbers("split: indices_or_sections", indices_or_sections)
    if np.ndim(indices_or_sections) == 0:
        (places,) = places  # a number of parts
    return Split.apply(x, indices_or_sections=places, axis=axis)  # type: ignore[return-value]


@register
class Stack(Function):
    name = "stack"
    formula = r"y = (x_1, x_2, \ldots)"
    derivative = r"\bar{x}_i = \bar{y}_i"
    words = "Lays tensors side by side along a new axis; each gets its own slice of the gradient."

    @staticmethod
    def forward(*arrays: Any, axis: int) -> Any:
        # With a dtype of their own, so that a Python number takes the arrays'.
        return np.stack(arrays, axis, dtype=np.result_type(*arrays) if arrays else None)

    @staticmethod
    def backward(g: Any, axis: int) -> Any:
        return ops.unstack(g, axis=axis)


def stack(arrays: Sequence[Any], /, *, axis: int = 0) -> Tensor:
    """Return n tensors of equal shapes joined along a new axis of length n; dtypes promote.

    Raises ShapeError for unequal shapes, for none, or for an axis that the result doesn't have.

    >>> stack([Tensor([1.0, 2.0]), Tensor([3.0, 4.0])], axis=1)
    Tensor([[1., 3.],
            [2., 4.]])
    """
    return Stack.apply(*_each("stack", arrays), axis=axis)


@register
class Unstack(Function):
    name = "unstack"
    formula = r"(y_1, y_2, \ldots) = x"
    derivative = r"\bar{x} = (\bar{y}_1, \bar{y}_2, \ldots)"
    words = "Takes a tensor apart along an axis; the slices' gradients are stacked again."

    @staticmethod
    def forward(x: Any, *, axis: int = 0) -> Any:
        slices = np.moveaxis(x, axis, 0)
        return tuple([slices[i, ...] for i in range(len(slices))])

    @staticmethod
    def backward(g: Any, axis: int) -> Any:
        return ops.stack(g, axis=axis)


def unstack(x: Any, /, *, axis: int = 0) -> tuple[Tensor, ...]:
    """Return the n slices (k,) of x (n, k) along an axis, in x's dtype. Raises ShapeError for no such axis.

    >>> unstack(Tensor([[1.0, 2.0], [3.0, 4.0]]), axis=1)
    (Tensor([1., 3.]), Tensor([2., 4.]))
    """
    return Unstack.apply(x, axis=axis)  # type: ignore[return-value]


def _each(call: str, arrays: Any) -> list[Any]:
    """Return the tensors in a sequence."""
    try:
        return list(arrays)
    except TypeError:
        raise DTypeError(f"{call}: expected a sequence of tensors, got {type(arrays).__name__}") from None
