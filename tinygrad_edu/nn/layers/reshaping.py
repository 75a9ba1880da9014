"""Layers that only rearrange: Flatten, Reshape, Permute, RepeatVector."""

import math
from typing import Any, cast

from ... import ops
from ...errors import ArgumentError, ShapeError
from ...tensor import Tensor
from ..module import positive
from .base import Layer, Shape
from .windows import expect_channels_last

__all__ = ["Flatten", "Permute", "RepeatVector", "Reshape"]


class Flatten(Layer):
    """Each sample as one row: (batch, H, W, C) becomes (batch, H·W·C).

    >>> from tinygrad_edu import nn
    >>> nn.Flatten()(Tensor([[[1.0, 2.0], [3.0, 4.0]]])).shape
    (1, 4)
    """

    def __init__(self, data_format: str | None = None, **options: Any) -> None:
        super().__init__(**options)
        expect_channels_last(data_format, "Flatten")

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        sizes = input_shape[1:]
        return input_shape[0], None if None in sizes else math.prod(cast("tuple[int, ...]", sizes))

    def call(self, x: Any) -> Tensor:
        return ops.reshape(x, (x.shape[0], math.prod(x.shape[1:])))


class Reshape(Layer):
    """Each sample in another shape of the same size; one length may be -1.

    >>> from tinygrad_edu import nn
    >>> nn.Reshape((2, -1))(Tensor([[1.0, 2.0, 3.0, 4.0]])).shape
    (1, 2, 2)
    """

    fields = ("target_shape",)

    def __init__(self, target_shape: Any, **options: Any) -> None:
        super().__init__(**options)
        self.target_shape = tuple(int(n) for n in target_shape)
        if self.target_shape.count(-1) > 1 or any(n < 1 and n != -1 for n in self.target_shape):
            raise ArgumentError(
                f"Reshape: expected positive sizes, at most one of them -1, got {target_shape}"
            )

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        if None in input_shape[1:]:
            return (input_shape[0], *(None if n == -1 else n for n in self.target_shape))
        size = math.prod(cast("tuple[int, ...]", input_shape[1:]))
        known = math.prod(n for n in self.target_shape if n != -1)
        if size % known or (-1 not in self.target_shape and size != known):
            raise ShapeError(
                f"{self.name}: {input_shape[1:]} has {size} numbers, which don't fit {self.target_shape}"
            )
        return (input_shape[0], *(size // known if n == -1 else n for n in self.target_shape))

    def call(self, x: Any) -> Tensor:
        return ops.reshape(x, cast("tuple[int, ...]", self.compute_output_shape(x.shape)))


class Permute(Layer):
    """The axes of each sample in another order; ``dims`` counts them from 1, the batch axis being 0.

    Raises ArgumentError if it doesn't name each axis once, ShapeError for samples of other axes.

    >>> from tinygrad_edu import nn
    >>> nn.Permute((2, 1))(Tensor([[[1.0, 2.0, 3.0]]])).shape
    (1, 3, 1)
    """

    fields = ("dims",)

    def __init__(self, dims: Any, **options: Any) -> None:
        super().__init__(**options)
        self.dims = tuple(int(n) for n in dims)
        if sorted(self.dims) != list(range(1, len(self.dims) + 1)):
            raise ArgumentError(f"Permute: dims names each axis from 1 on once, like (2, 1), got {dims}")

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        if len(input_shape) != len(self.dims) + 1:
            raise ShapeError(
                f"{self.name}: dims {self.dims} is for samples of {len(self.dims)} axes, and these are "
                f"{input_shape[1:]}"
            )
        return (input_shape[0], *(input_shape[n] for n in self.dims))

    def call(self, x: Any) -> Tensor:
        return ops.permute_dims(x, (0, *self.dims))


class RepeatVector(Layer):
    """Each sample so many times, one after another: (batch, features) becomes (batch, n, features).

    >>> from tinygrad_edu import nn
    >>> nn.RepeatVector(2)(Tensor([[1.0, 2.0]]))
    Tensor([[[1., 2.],
             [1., 2.]]])
    """

    fields = ("n",)

    def __init__(self, n: int, **options: Any) -> None:
        super().__init__(**options)
        self.n = positive(n, "RepeatVector: n")

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        if len(input_shape) != 2:
            raise ShapeError(
                f"{self.name}: expected rows of features, got samples of shape {input_shape[1:]}"
            )
        return input_shape[0], self.n, input_shape[1]

    def call(self, x: Any) -> Tensor:
        return ops.repeat(ops.expand_dims(x, axis=1), self.n, axis=1)
