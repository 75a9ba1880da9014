"""Dense, and the layers that only rearrange or transform: Flatten, Reshape, Activation, ReLU, Softmax."""

import math
from typing import Any, cast

from ... import ops
from ...errors import ArgumentError, ShapeError
from ...tensor import Tensor
from .. import activations
from ..module import positive
from .base import WEIGHTS, Layer, Shape

__all__ = ["Activation", "Dense", "Flatten", "ReLU", "Reshape", "Softmax"]


class Dense(Layer):
    """activation(x @ kernel + bias): each output is a weighted sum of all inputs.

    Parameters
    ----------
    units
        The number of outputs.
    activation
        A name, a function, or None for none.
    use_bias
        Whether to add one number to each output.
    options
        Of a Layer; the kinds of weights are "kernel" and "bias".

    Input (…, inputs), output (…, units); kernel (inputs, units), bias (units,). Raises ShapeError when
    called with another number of inputs than it was built for.

    >>> from tinygrad_edu import nn
    >>> layer = nn.Dense(10, activation="relu", input_shape=(4,))
    >>> layer(Tensor([[1.0, 2.0, 3.0, 4.0]])).shape
    (1, 10)
    """

    fields = ("units", "activation", "use_bias")
    kinds = WEIGHTS

    def __init__(self, units: int, activation: Any = None, use_bias: bool = True, **options: Any) -> None:
        super().__init__(**options)
        self.units = positive(units, "Dense: units")
        self.activation = activations.get(activation)
        self.use_bias = use_bias

    def build(self, input_shape: Shape) -> None:
        if len(input_shape) < 2:
            raise ShapeError(f"{self.name}: expected samples with at least one feature, got shape (batch,)")
        if input_shape[-1] is None:
            raise ShapeError(f"{self.name}: the last axis needs a fixed length, got {input_shape}")
        self.kernel = self.add_weight("kernel", (input_shape[-1], self.units), **self.rule("kernel"))
        if self.use_bias:
            self.bias = self.add_weight("bias", (self.units,), **self.rule("bias"))

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return (*input_shape[:-1], self.units)

    def call(self, x: Any) -> Tensor:
        if not self.use_bias:
            return self.activation(ops.matmul(x, self.kernel))
        if self.activation is activations.relu:
            return ops.linear(x, self.kernel, self.bias, activation="relu")
        return self.activation(ops.linear(x, self.kernel, self.bias))


class Flatten(Layer):
    """Each sample as one row: (batch, H, W, C) becomes (batch, H·W·C).

    >>> from tinygrad_edu import nn
    >>> nn.Flatten()(Tensor([[[1.0, 2.0], [3.0, 4.0]]])).shape
    (1, 4)
    """

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


class Activation(Layer):
    """An activation function as a layer of its own.

    >>> from tinygrad_edu import nn
    >>> nn.Activation("tanh")(Tensor([[0.0]]))
    Tensor([[0.]])
    """

    fields = ("activation",)

    def __init__(self, activation: Any, **options: Any) -> None:
        super().__init__(**options)
        self.activation = activations.get(activation)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return input_shape

    def call(self, x: Any) -> Tensor:
        return self.activation(x)


class ReLU(Layer):
    """The positive part: max(0, x).

    >>> from tinygrad_edu import nn
    >>> nn.ReLU()(Tensor([[-1.0, 2.0]]))
    Tensor([[0., 2.]])
    """

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return input_shape

    def call(self, x: Any) -> Tensor:
        return ops.relu(x)


class Softmax(Layer):
    """Probabilities along an axis, by default the last.

    >>> from tinygrad_edu import nn
    >>> nn.Softmax()(Tensor([[1.0, 1.0]]))
    Tensor([[0.5, 0.5]])
    """

    fields = ("axis",)

    def __init__(self, axis: int = -1, **options: Any) -> None:
        super().__init__(**options)
        self.axis = axis

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return input_shape

    def call(self, x: Any) -> Tensor:
        return ops.softmax(x, axis=self.axis)
