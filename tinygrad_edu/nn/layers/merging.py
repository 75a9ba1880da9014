"""Layers that make one tensor of several: Add, Concatenate, Multiply and their kin."""

from functools import reduce
from typing import Any

import numpy as np

from ... import ops
from ...errors import ArgumentError, ShapeError
from ...tensor import Tensor
from ..symbolic import is_shape
from .base import Layer, Shape

__all__ = [
    "Add", "Average", "Concatenate", "Maximum", "Minimum", "Multiply", "Subtract", "add", "average",
    "concatenate", "maximum", "minimum", "multiply", "subtract",
]  # fmt: skip


class _Merging(Layer):
    """Takes a list of tensors, of shapes that broadcast, and combines them number by number."""

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
        return reduce(function, xs)  # type: ignore[no-any-return]


def _padded(shapes: list[tuple[int, ...]]) -> list[tuple[int, ...]]:
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
