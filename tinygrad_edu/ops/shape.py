"""Shapes: the numbers stay, their arrangement changes."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from .. import ops
from ..errors import ArgumentError, ShapeError
from ..function import Function, shape_of
from ..tensor import Tensor, as_arrays
from .parameters import whole_numbers
from .reduction import normalize_axes, normalize_axis
from .registry import register

__all__ = [
    "broadcast_arrays", "broadcast_shapes", "broadcast_to", "expand_dims", "flip",
    "matrix_transpose", "moveaxis", "permute_dims", "reshape", "roll", "squeeze", "swapaxes",
]  # fmt: skip

Shape = tuple[int, ...]
Ints = int | Sequence[int]


@register
class Reshape(Function):
    name = "reshape"
    formula = r"y = x \text{ in another shape}"
    derivative = r"\bar{x} = \bar{y} \text{ in the old shape}"
    words = "Arranges the same numbers in another shape; the gradient goes back into the old one."

    @staticmethod
    def forward(x: Any, *, shape: Shape, copy: bool | None = None) -> Any:
        y = np.reshape(x, shape)
        if copy is None:
            return y
        shared = y.size == 0 or np.may_share_memory(x, y)
        if not (copy or shared):
            raise ArgumentError("copy=False, but these numbers lie in memory so that a copy is needed")
        return y.copy() if copy and shared else y

    @staticmethod
    def backward(g: Any, x_shape: Shape) -> Any:
        return ops.reshape(g, x_shape)


def reshape(x: Any, /, shape: Ints, *, copy: bool | None = None) -> Tensor:
    """Return x in another shape of equal size, in row-major order; one length may be -1.

    The dtype stays, and x's memory is shared where it can be. ``copy=True`` makes a copy in any case;
    ``copy=False`` raises ArgumentError where one would be needed. Raises ShapeError if the sizes differ.

    >>> reshape(Tensor([1.0, 2.0, 3.0, 4.0]), (2, -1))
    Tensor([[1., 2.],
            [3., 4.]])
    """
    sides = whole_numbers("reshape: shape", shape)
    if min(sides, default=0) < -1:
        raise ShapeError(f"reshape: a side of shape {sides} is negative, and only -1 has a meaning")
    return Reshape.apply(x, shape=sides, copy=copy)


def expand_dims(x: Any, /, axis: Ints = 0) -> Tensor:
    """Return x, in its dtype, with a new axis of length 1 at a place of the result, or at several.

    Raises ShapeError for an axis that the result doesn't have, or twice.

    >>> expand_dims(Tensor([1.0, 2.0]), axis=1).shape
    (2, 1)
    >>> expand_dims(Tensor([1.0, 2.0]), axis=(0, -1)).shape
    (1, 2, 1)
    """
    old, new = list(shape_of(x)), whole_numbers("expand_dims: axis", axis)
    ndim = len(old) + len(new)
    axes = normalize_axes(new, ndim)
    return reshape(x, [1 if a in axes else old.pop(0) for a in range(ndim)])


def squeeze(x: Any, /, axis: Ints) -> Tensor:
    """Return x, in its dtype, without the named axes.

    Raises ShapeError for an axis longer than 1, or one that x doesn't have.

    >>> squeeze(Tensor([[1.0, 2.0]]), 0).shape
    (2,)
    """
    shape = shape_of(x)
    axes = normalize_axes(whole_numbers("squeeze: axis", axis), len(shape))
    long = [a for a in axes if shape[a] != 1]
    if long:
        raise ShapeError(f"squeeze: axis {long[0]} of shape {tuple(shape)} isn't of length 1")
    return reshape(x, [n for i, n in enumerate(shape) if i not in axes])


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

    (m, n) becomes (n, m) by (1, 0); the dtype stays. Raises ShapeError if ``axes`` doesn't name each once.

    >>> permute_dims(Tensor([[1.0, 2.0], [3.0, 4.0]]), (1, 0))
    Tensor([[1., 3.],
            [2., 4.]])
    """
    return PermuteDims.apply(x, axes=whole_numbers("permute_dims: axes", axes))


def matrix_transpose(x: Any, /) -> Tensor:
    """Return x (…, m, n) with its last axes swapped, (…, n, m), in its dtype. Raises ShapeError for fewer.

    >>> matrix_transpose(Tensor([[[1.0, 2.0]]])).shape
    (1, 2, 1)
    """
    shape = shape_of(x)
    if len(shape) < 2:
        raise ShapeError(f"matrix_transpose: expected at least two dimensions, got shape {tuple(shape)}")
    return swapaxes(x, -2, -1)


def swapaxes(x: Any, axis1: int, axis2: int, /) -> Tensor:
    """Return x, in its dtype, with two axes swapped. Raises ShapeError for an axis that it doesn't have.

    >>> swapaxes(Tensor([[[1.0, 2.0]]]), 0, 2).shape
    (2, 1, 1)
    """
    order = list(range(len(shape_of(x))))
    a, b = (normalize_axis(axis, len(order)) for axis in (axis1, axis2))
    order[a], order[b] = order[b], order[a]
    return permute_dims(x, order)


def moveaxis(x: Any, source: Ints, destination: Ints, /) -> Tensor:
    """Return x with some axes moved to new places, in x's dtype; the others keep their order.

    Raises ShapeError for an axis that x doesn't have or one named twice, ArgumentError for unequal numbers.

    >>> moveaxis(Tensor([[[1.0, 2.0]]]), -1, 0).shape
    (2, 1, 1)
    """
    n = len(shape_of(x))
    start = normalize_axes(whole_numbers("moveaxis: source", source), n)
    end = normalize_axes(whole_numbers("moveaxis: destination", destination), n)
    if len(start) != len(end):
        raise ArgumentError(f"moveaxis: {len(start)} axes can't move to {len(end)} places")
    order = [a for a in range(n) if a not in start]
    for place, axis in sorted(zip(end, start, strict=True)):
        order.insert(place, axis)
    return permute_dims(x, order)


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


def broadcast_to(x: Any, /, shape: Ints) -> Tensor:
    """Return x repeated along new axes and along those of length 1, in x's dtype.

    It takes no memory of its own. Raises ShapeError where an axis of another length would have to change.

    >>> broadcast_to(Tensor([1.0, 2.0]), (2, 2))
    Tensor([[1., 2.],
            [1., 2.]])
    """
    return BroadcastTo.apply(x, shape=whole_numbers("broadcast_to: shape", shape))


def broadcast_shapes(*shapes: Ints) -> Shape:
    """Return the shape that arrays of these shapes have together.

    A shape is a tuple of whole numbers, or one number; of none it is (). Raises ShapeError if they don't fit.

    >>> broadcast_shapes((3, 1), (2,))
    (3, 2)
    """
    try:
        return np.broadcast_shapes(*[whole_numbers("broadcast_shapes: a shape", shape) for shape in shapes])
    except ValueError:
        raise ShapeError(
            f"shapes {', '.join(map(str, shapes))} don't fit: compared from the last axis backward, "
            "lengths must be equal or 1"
        ) from None


def broadcast_arrays(*arrays: Any) -> tuple[Tensor, ...]:
    """Return all inputs repeated to the shape that they have together; each keeps its dtype.

    Raises ShapeError if their shapes don't fit.

    >>> [x.shape for x in broadcast_arrays(Tensor([[1.0], [2.0]]), Tensor([1.0, 2.0, 3.0]))]
    [(2, 3), (2, 3)]
    """
    shape = broadcast_shapes(*[shape_of(x) for x in arrays])
    return tuple([broadcast_to(x, shape) for x in as_arrays(*arrays)])


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

    Its shape and dtype stay. Raises ShapeError for an axis that x doesn't have, or one named twice.

    >>> flip(Tensor([1.0, 2.0, 3.0]))
    Tensor([3., 2., 1.])
    """
    return Flip.apply(x, axis=axis)


@register
class Roll(Function):
    name = "roll"
    formula = r"y_i = x_{(i - s) \bmod n}"
    derivative = r"\bar{x}_i = \bar{y}_{(i + s) \bmod n}"
    words = (
        "Shifts along axes, and what leaves at one end comes in at the other; the gradient is shifted back."
    )

    @staticmethod
    def forward(x: Any, *, shift: Any, axis: Any = None) -> Any:
        return np.roll(x, shift, axis)

    @staticmethod
    def backward(g: Any, shift: Any, axis: Any) -> Any:
        return ops.roll(g, [-s for s in whole_numbers("roll: shift", shift)], axis=axis)


def roll(x: Any, /, shift: Ints, *, axis: Ints | None = None) -> Tensor:
    """Return x shifted in a circle along an axis, or several, each by its own shift or all by one.

    Its shape and dtype stay. ``axis=None`` shifts x as if flat. Raises DTypeError for a shift that isn't a
    whole number, ShapeError for an axis that x doesn't have, or if shifts and axes are unequal in number.

    >>> roll(Tensor([1.0, 2.0, 3.0]), 1)
    Tensor([3., 1., 2.])
    """
    return Roll.apply(x, shift=whole_numbers("roll: shift", shift), axis=axis)
