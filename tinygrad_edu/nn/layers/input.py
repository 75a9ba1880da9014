"""Input: where a model begins."""

from typing import Any

import numpy as np

from ...errors import ArgumentError
from ..symbolic import Call, SymbolicTensor
from .base import Layer, check_shape

__all__ = ["Input", "InputLayer"]


class InputLayer(Layer):
    """The place where a model gets one of its inputs; ``Input`` makes it and returns its symbol.

    ``shape`` is that of one sample, ``batch_size`` the number of them if it is fixed.

    >>> from tinygrad_edu import nn
    >>> nn.InputLayer((4,)).symbol().shape
    (None, 4)
    """

    def __init__(
        self,
        shape: Any = None,
        batch_size: int | None = None,
        dtype: Any = "float32",
        *,
        name: str | None = None,
        batch_shape: Any = None,
        input_shape: Any = None,
    ) -> None:
        super().__init__(name=name)
        shape = input_shape if shape is None else shape  # Keras 2's name
        if batch_shape is not None:
            batch_size, *shape = batch_shape
        if shape is None:
            raise ArgumentError("Input: say the shape of one sample: Input((28, 28, 1))")
        self.shape, self.batch_size = check_shape(shape), batch_size
        self.input_dtype = np.dtype(dtype)
        self.input_shape = self.output_shape = (batch_size, *self.shape)
        self.built = True

    def symbol(self) -> SymbolicTensor:
        """Return a symbol for what will come in."""
        from weakref import ref

        symbol = SymbolicTensor((self.batch_size, *self.shape), self.input_dtype, Call(self, (), {}), 0)
        self.symbolic_results = [ref(symbol)]
        return symbol

    def compute_output_shape(self, *input_shapes: Any) -> Any:
        return self.output_shape

    def call(self, x: Any) -> Any:
        return x

    def get_config(self) -> dict[str, Any]:
        return {
            "name": self.name, "shape": list(self.shape), "batch_size": self.batch_size,
            "dtype": self.input_dtype.name,
        }  # fmt: skip


def Input(
    shape: Any = None,
    batch_size: int | None = None,
    dtype: Any = "float32",
    name: str | None = None,
    batch_shape: Any = None,
) -> SymbolicTensor:
    """Return a symbol for a model's input, to call layers on, or to start a Sequential with.

    Parameters
    ----------
    shape
        Of one sample, without the batch axis; None for a length that isn't fixed.
    batch_size
        How many samples there always are, if that is fixed.
    dtype
        "float32", or "int32" for class numbers and tokens.
    batch_shape
        The shape with the batch axis, instead of ``shape``.

    >>> from tinygrad_edu import nn
    >>> inputs = nn.Input((4,))
    >>> model = nn.Model(inputs, nn.Dense(2)(inputs))
    >>> model.count_params()
    10
    """
    return InputLayer(shape, batch_size, dtype, name=name, batch_shape=batch_shape).symbol()
