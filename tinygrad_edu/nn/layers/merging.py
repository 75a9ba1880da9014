"""Layers that make one tensor of several: Add, Concatenate, Multiply and their kin."""

from functools import reduce
from string import ascii_letters
from typing import Any

import numpy as np

from ... import ops
from ...errors import ArgumentError, ShapeError
from ...ops.reduction import normalize_axis
from ...tensor import Tensor
from ..symbolic import is_shape
from .base import Layer, Shape
from .normalization import unit

__all__ = [
    "Add", "Average", "Concatenate", "Dot", "Maximum", "Minimum", "Multiply", "Subtract", "add", "average",
    "concatenate", "dot", "maximum", "minimum", "multiply", "subtract",
]  # fmt: skip


class _Merging(Layer):
    """Takes a list of tensors, of shapes that broadcast, and combines them number by number.

    Axes of 1 are stretched, and a tensor that has fewer axes gets them after the batch's.
    """

    least = 2

    def build(self, input_shape: Any) -> None:
        if is_shape(input_shape) or len(input_shape) < self.least:
            raise ArgumentError(
                f"{self.name}: expected a list of at least {self.least} tensors: "
                f"{type(self).__name__}()([a, b])"
            )

    def compute_output_shape(self, input_shape: Any) -> Shape:
        shapes = [tuple(-1 if n is None else n for n in shape) for shape in input_shape]
        try:
            return tuple(_longest(column) for column in zip(*_padded(shapes), strict=True))
        except ValueError:
            raise ShapeError(
                f"{self.name}: the shapes don't fit one another: {', '.join(map(str, input_shape))}; they "
                "must be equal, or 1, on each axis"
            ) from None

    def _pairwise(self, function: Any, xs: Any) -> Tensor:
        shapes = [x.shape for x in xs]
        if len({len(shape) for shape in shapes}) > 1:  # the first axis of all is the batch's
            xs = [ops.reshape(x, shape) for x, shape in zip(xs, _padded(shapes), strict=True)]
        return reduce(function, xs)  # type: ignore[no-any-return]


def _padded(shapes: list[tuple[int, ...]]) -> list[tuple[int, ...]]:
    """Return shapes of one number of axes, with axes of 1 after the batch's."""
    longest = max(map(len, shapes))
    return [shape[:1] + (1,) * (longest - len(shape)) + shape[1:] for shape in shapes]


def _longest(column: tuple[int, ...]) -> int | None:
    """Return the length that the lengths on one axis broadcast to; -1 stands for an unknown one."""
    known = {n for n in column if n not in (1, -1)}
    if len(known) > 1:
        raise ValueError
    return next(iter(known)) if known else None if -1 in column else 1


class Add(_Merging):
    """The sum of a list of tensors.

    >>> from tinygrad_edu import nn
    >>> nn.Add()([Tensor([[1.0, 2.0]]), Tensor([[3.0, 4.0]])])
    Tensor([[4., 6.]])
    """

    def call(self, xs: Any) -> Tensor:
        return self._pairwise(ops.add, xs)


class Subtract(_Merging):
    """The first of two tensors minus the second.

    >>> from tinygrad_edu import nn
    >>> nn.Subtract()([Tensor([[1.0, 2.0]]), Tensor([[3.0, 5.0]])])
    Tensor([[-2., -3.]])
    """

    def build(self, input_shape: Any) -> None:
        super().build(input_shape)
        if len(input_shape) != 2:
            raise ArgumentError(f"{self.name}: expected two tensors, got {len(input_shape)}")

    def call(self, xs: Any) -> Tensor:
        return self._pairwise(ops.subtract, xs)


class Multiply(_Merging):
    """The product of a list of tensors, number by number.

    >>> from tinygrad_edu import nn
    >>> nn.Multiply()([Tensor([[1.0, 2.0]]), Tensor([[3.0, 4.0]])])
    Tensor([[3., 8.]])
    """

    def call(self, xs: Any) -> Tensor:
        return self._pairwise(ops.multiply, xs)


class Average(_Merging):
    """The mean of a list of tensors, number by number.

    >>> from tinygrad_edu import nn
    >>> nn.Average()([Tensor([[1.0, 2.0]]), Tensor([[3.0, 4.0]])])
    Tensor([[2., 3.]])
    """

    def call(self, xs: Any) -> Tensor:
        return self._pairwise(ops.add, xs) / len(xs)


class Maximum(_Merging):
    """The largest of a list of tensors, number by number.

    >>> from tinygrad_edu import nn
    >>> nn.Maximum()([Tensor([[1.0, 4.0]]), Tensor([[3.0, 2.0]])])
    Tensor([[3., 4.]])
    """

    def call(self, xs: Any) -> Tensor:
        return self._pairwise(ops.maximum, xs)


class Minimum(_Merging):
    """The smallest of a list of tensors, number by number.

    >>> from tinygrad_edu import nn
    >>> nn.Minimum()([Tensor([[1.0, 4.0]]), Tensor([[3.0, 2.0]])])
    Tensor([[1., 2.]])
    """

    def call(self, xs: Any) -> Tensor:
        return self._pairwise(ops.minimum, xs)


class Concatenate(_Merging):
    """Tensors side by side along an axis, by default the last: channels of images, features of rows.

    Raises ShapeError if they differ on another axis.

    >>> from tinygrad_edu import nn
    >>> nn.Concatenate()([Tensor([[1.0, 2.0]]), Tensor([[3.0]])])
    Tensor([[1., 2., 3.]])
    """

    fields = ("axis",)
    least = 1

    def __init__(self, axis: int = -1, **options: Any) -> None:
        super().__init__(**options)
        self.axis = int(axis)

    def compute_output_shape(self, input_shape: Any) -> Shape:
        first = input_shape[0]
        rank = len(first)
        if any(len(shape) != rank for shape in input_shape) or not -rank <= self.axis < rank:
            raise ShapeError(
                f"{self.name}: shapes {', '.join(map(str, input_shape))} can't be joined along axis "
                f"{self.axis}"
            )
        result = []
        for axis, lengths in enumerate(zip(*input_shape, strict=True)):
            if axis == self.axis % rank:
                result.append(None if None in lengths else int(np.sum(lengths)))
                continue
            known = {n for n in lengths if n is not None}
            if len(known) > 1:
                raise ShapeError(
                    f"{self.name}: shapes {', '.join(map(str, input_shape))} must be equal on all axes but "
                    f"{self.axis}"
                )
            result.append(next(iter(known), None))
        return tuple(result)

    def call(self, xs: Any) -> Tensor:
        return ops.concat(list(xs), axis=self.axis)


class Dot(_Merging):
    """The products of two tensors along an axis of each, summed: cosines, attention scores.

    Parameters
    ----------
    axes
        The axis of both, or (that of the first, that of the second), counted with the batch axis.
    normalize
        Divide the vectors along them by their lengths first: then the result is the cosine of the angle.

    Input (batch, …) twice; the result has the other axes of the first, then those of the second, and where
    none is left one of length 1. Raises ShapeError if the lengths of the axes differ.

    >>> from tinygrad_edu import nn
    >>> nn.Dot(axes=1)([Tensor([[1.0, 2.0]]), Tensor([[3.0, 4.0]])])
    Tensor([[11.]])
    """

    fields = ("axes", "normalize")

    def __init__(self, axes: Any, normalize: bool = False, **options: Any) -> None:
        super().__init__(**options)
        pair = axes if isinstance(axes, list | tuple) else (axes, axes)
        if len(pair) != 2 or not all(isinstance(a, int) and a != 0 for a in pair):
            raise ArgumentError(f"Dot: axes is a whole number, or two, but not 0, the batch's; got {axes!r}")
        self.axes, self.normalize = axes, bool(normalize)

    def build(self, input_shape: Any) -> None:
        super().build(input_shape)
        if len(input_shape) != 2:
            raise ArgumentError(f"{self.name}: expected two tensors, got {len(input_shape)}")

    def _along(self, shapes: Any) -> tuple[int, int]:
        """Return the two axes, counted from the front."""
        given = self.axes if isinstance(self.axes, list | tuple) else (self.axes, self.axes)
        a, b = (normalize_axis(axis, len(s), self.name) for axis, s in zip(given, shapes, strict=True))
        first, second = shapes
        if 0 in (a, b) or (first[a] != second[b] and None not in (first[a], second[b])):
            raise ShapeError(
                f"{self.name}: the shapes {first} and {second} have no axes {self.axes} of one length, "
                "beside the batch's"
            )
        return a, b

    def compute_output_shape(self, input_shape: Any) -> Shape:
        a, b = self._along(input_shape)
        first, second = (list(shape) for shape in input_shape)
        del first[a], second[b]
        return (*first, *second[1:]) if len(first) + len(second) > 2 else (first[0], 1)

    def call(self, xs: Any) -> Tensor:
        x1, x2 = xs
        a, b = self._along([x1.shape, x2.shape])
        if self.normalize:
            x1, x2 = unit(x1, a, 1e-7), unit(x2, b, 1e-7)
        first, second = list(ascii_letters[: x1.ndim]), list(ascii_letters[x1.ndim : x1.ndim + x2.ndim])
        second[0], second[b] = first[0], first[a]
        kept = [*first[:a], *first[a + 1 :], *(c for i, c in enumerate(second) if i not in (0, b))]
        y = ops.einsum(f"{''.join(first)},{''.join(second)}->{''.join(kept)}", x1, x2)
        return y if len(kept) > 1 else ops.expand_dims(y, axis=1)


def add(inputs: Any, **options: Any) -> Any:
    """Call a new ``Add`` on a list of tensors or symbols."""
    return Add(**options)(inputs)


def subtract(inputs: Any, **options: Any) -> Any:
    """Call a new ``Subtract`` on a list of two tensors or symbols."""
    return Subtract(**options)(inputs)


def multiply(inputs: Any, **options: Any) -> Any:
    """Call a new ``Multiply`` on a list of tensors or symbols."""
    return Multiply(**options)(inputs)


def average(inputs: Any, **options: Any) -> Any:
    """Call a new ``Average`` on a list of tensors or symbols."""
    return Average(**options)(inputs)


def maximum(inputs: Any, **options: Any) -> Any:
    """Call a new ``Maximum`` on a list of tensors or symbols."""
    return Maximum(**options)(inputs)


def minimum(inputs: Any, **options: Any) -> Any:
    """Call a new ``Minimum`` on a list of tensors or symbols."""
    return Minimum(**options)(inputs)


def concatenate(inputs: Any, axis: int = -1, **options: Any) -> Any:
    """Call a new ``Concatenate`` on a list of tensors or symbols."""
    return Concatenate(axis, **options)(inputs)


def dot(inputs: Any, axes: Any = -1, **options: Any) -> Any:
    """Call a new ``Dot`` on a list of two tensors or symbols."""
    return Dot(axes, **options)(inputs)
