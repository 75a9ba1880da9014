"""Dense, Embedding, and layers that hold a function or a price: Lambda, Identity, ActivityRegularization."""

import inspect
import warnings
from collections.abc import Mapping
from typing import Any

import numpy as np

from ... import ops
from ...errors import ArgumentError, DataError, ShapeError
from ...tensor import Tensor
from .. import activations, regularizers
from ..encoding import decode, encode
from ..module import positive
from ..symbolic import shapes_in
from .base import WEIGHTS, Layer, SameShape, Shape
from .operation import FUNCTIONS

__all__ = ["ActivityRegularization", "Dense", "Embedding", "Identity", "Lambda"]


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
            raise ShapeError(
                f"{self.name}: expected samples with at least one feature, got shape (batch,); numbers are "
                "samples of one feature: x[:, np.newaxis]"
            )
        if input_shape[-1] is None:
            raise ShapeError(f"{self.name}: the last axis needs a fixed length, got {input_shape}")
        if self.units == 1 and self.activation is activations.softmax:
            warnings.warn(
                f"{self.name}: softmax over a single unit is always 1; for yes or no use sigmoid",
                stacklevel=2,
            )
        self.kernel = self.add_weight("kernel", (input_shape[-1], self.units), **self.rule("kernel"))
        if self.use_bias:
            self.bias = self.add_weight("bias", (self.units,), **self.rule("bias"))

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return (*input_shape[:-1], self.units)

    def call(self, x: Any) -> Tensor:
        if x.ndim < 2:
            raise ShapeError(
                f"{self.name}: expected a batch (samples, features), got shape {x.shape}; a single sample is "
                "a batch of one, x[np.newaxis], and numbers are samples of one feature, x[:, np.newaxis]"
            )
        if not self.use_bias:
            return self.activation(ops.matmul(x, self.kernel))
        if self.activation is activations.relu:
            return ops.linear(x, self.kernel, self.bias, activation="relu")
        return self.activation(ops.linear(x, self.kernel, self.bias))


class Embedding(Layer):
    """A vector for each of so many numbers, which is learned: the row of a table.

    Parameters
    ----------
    input_dim
        How many numbers there are: the inputs are whole numbers from 0 to input_dim - 1.
    output_dim
        The length of each vector.
    weights
        A table to start with.
    input_length
        Keras 2's; changes nothing: sequences may be of any length.
    mask_zero
        Not here: layers take no masks from one another, so True is refused.
    options
        Of a Layer; the kind of weights is "embeddings".

    Input (batch, …) of whole numbers, of an integer dtype or as floats; output (batch, …, output_dim);
    embeddings (input_dim, output_dim). Raises DataError for a number that has no row, or isn't whole.

    >>> from tinygrad_edu import nn
    >>> nn.Embedding(5, 3)([[0, 4], [2, 2]]).shape
    (2, 2, 3)
    """

    fields = ("input_dim", "output_dim")
    kinds = {"embeddings": "uniform"}  # noqa: RUF012
    autocast = False

    def __init__(
        self,
        input_dim: int,
        output_dim: int,
        *,
        weights: Any = None,
        mask_zero: bool = False,
        input_length: int | None = None,
        **options: Any,
    ) -> None:
        super().__init__(**options)
        self.input_dim = positive(input_dim, "Embedding: input_dim")
        self.output_dim = positive(output_dim, "Embedding: output_dim")
        if mask_zero:
            raise ArgumentError(
                "Embedding: mask_zero=True isn't here: layers take no masks from one another. Leave it out, "
                "and the vector of 0 is learned like the others"
            )
        if weights is not None:
            self.build((None,))
            self.built = True
            self.set_weights(weights if isinstance(weights, list) and len(weights) == 1 else [weights])

    def build(self, input_shape: Shape) -> None:
        size = self.input_dim, self.output_dim
        self.embeddings = self.add_weight("embeddings", size, **self.rule("embeddings"))

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return (*input_shape, self.output_dim)

    def call(self, x: Any) -> Tensor:
        at = x.data
        if at.dtype.kind == "f":  # a model's input is of floats, unless it says otherwise
            wrong = at[~(np.floor(at) == at) | np.isinf(at)]
            if wrong.size:
                raise DataError(f"{self.name}: expected whole numbers, got {wrong[0]} among them")
            at = at.astype(np.int64)
        return ops.embedding(at, self.embeddings)


class Identity(SameShape):
    """What comes in, as it is: holds a place, or gives something a name.

    >>> from tinygrad_edu import nn
    >>> nn.Identity()(Tensor([[1.0]]))
    Tensor([[1.]])
    """

    autocast = False

    def call(self, inputs: Any) -> Any:
        return inputs


class ActivityRegularization(SameShape):
    """What comes in, as it is, with a price on it: l1 Σ|x| + l2 Σx², by sample, is added to the loss.

    >>> from tinygrad_edu import nn
    >>> layer = nn.ActivityRegularization(l1=0.1)
    >>> y = layer(Tensor([[1.0, -2.0]])); round(layer.losses[0].item(), 4)
    0.3
    """

    fields = ("l1", "l2")

    def __init__(self, l1: float = 0.0, l2: float = 0.0, **options: Any) -> None:
        super().__init__(activity_regularizer=regularizers.L1L2(l1, l2), **options)
        self.l1, self.l2 = float(l1), float(l2)

    def call(self, x: Any) -> Any:
        return x

    def get_config(self) -> dict[str, Any]:
        return {k: v for k, v in super().get_config().items() if k != "activity_regularizer"}


class Lambda(Layer):
    """A function as a layer.

    Parameters
    ----------
    function
        Takes a tensor, or a list of them, and returns one; computes with them so that gradients pass. Where
        it has a parameter ``training`` it is told whether the model trains. Or the name of one of ours.
    output_shape
        The shape of one sample of the result, or a function from the input's shape to the result's; by
        default it is found out by trial.
    arguments
        Further arguments of the function, by name.

    Floats are converted to the layer's dtype, other inputs stay as they are. It can be saved if the function
    is one of ours (``te.exp``, ``nn.activations.relu``): code isn't read from files. Raises ArgumentError for
    another name.

    >>> from tinygrad_edu import nn
    >>> nn.Lambda(lambda x: x**2)(Tensor([[1.0, 3.0]]))
    Tensor([[1., 9.]])
    """

    autocast = False

    def __init__(
        self,
        function: Any,
        output_shape: Any = None,
        mask: None = None,
        arguments: Mapping[str, Any] | None = None,
        **options: Any,
    ) -> None:
        super().__init__(**options)
        if mask is not None:
            raise ArgumentError("Lambda: layers take no masks from one another here; leave mask out")
        if isinstance(function, str) and function in FUNCTIONS:
            function = FUNCTIONS[function]
        if not callable(function):
            raise ArgumentError(
                f"Lambda: expected a function, or the name of one of ours, got {function!r}. A function of "
                "your own can't be read from a file: write a layer, class Mine(nn.Layer) with call(self, x)"
            )
        self.function, self.arguments = function, dict(arguments or {})
        self.given_output_shape = output_shape
        try:
            self._told = "training" in inspect.signature(function).parameters
        except (TypeError, ValueError):  # NumPy's have no signature
            self._told = False

    def _cast(self, x: Any) -> Any:
        x = super()._cast(x)
        return x.astype(self.dtype) if x.dtype.kind == "f" and x.dtype != self.dtype else x

    def compute_output_shape(self, input_shape: Any) -> Any:
        if self.given_output_shape is None:
            return super().compute_output_shape(input_shape)
        if callable(self.given_output_shape):
            return self.given_output_shape(input_shape)
        return (shapes_in(input_shape)[0][0], *self.given_output_shape)

    def call(self, inputs: Any, training: bool = False) -> Any:
        told = {"training": training} if self._told else {}
        return self.function(inputs, **self.arguments, **told)

    def get_config(self) -> dict[str, Any]:
        shape = self.given_output_shape
        ours = [name for name, function in FUNCTIONS.items() if function is self.function]
        return {
            **super().get_config(),
            "function": ours[0] if ours else f"a function of your own, {self.function!r}",
            "output_shape": list(shape) if isinstance(shape, tuple | list) else shape,
            "arguments": encode(self.arguments),
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "Lambda":
        return cls(**config | {"arguments": decode(config.get("arguments", {"dict": {}}))})
