"""Layer: a module whose weights take their shape from the first input it sees."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, ClassVar

import numpy as np
from numpy.typing import DTypeLike

from ...context import context, no_grad
from ...errors import ArgumentError, DTypeError, ShapeError
from ...tensor import Tensor
from .. import activations, initializers
from ..module import Module, Parameter

__all__ = ["Input", "Layer"]

Shape = tuple[Any, ...]  # the batch axis first, as None where its length isn't fixed


class Layer(Module):
    """The base of all layers.

    A subclass writes ``call(x)``; ``build(input_shape)`` if it has weights, which it makes with
    ``add_weight``; ``compute_output_shape`` if a trial run with zeros would be too dear; and names its
    constructor's arguments in ``fields``, so that it can be saved. As in Keras the shapes begin with the
    batch axis: (None, 28, 28, 1).

    Parameters
    ----------
    name
        What paths, pictures and errors call it; by default after its class, made unique in its model.
    dtype
        Of the weights and of what flows through: inputs are converted to it.
    input_shape
        The shape of one sample, to build the model before it sees data.
    trainable
        False freezes its weights; it can be changed later too.

    Examples
    --------
    >>> import tinygrad_edu as te
    >>> from tinygrad_edu import nn
    >>> class Scale(nn.Layer):
    ...     def build(self, input_shape):
    ...         self.factor = self.add_weight("factor", input_shape[-1:], "ones")
    ...     def call(self, x):
    ...         return x * self.factor
    >>> Scale()(te.Tensor([[1.0, 2.0]]))
    Tensor([[1., 2.]], fn=<multiply>)
    """

    fields: ClassVar[tuple[str, ...]] = ()

    built = False
    dtype: np.dtype[Any] = np.dtype("float32")
    given_input_shape: Shape | None = None
    input_shape: Shape | None = None
    output_shape: Shape | None = None

    def __init__(
        self,
        *,
        name: str | None = None,
        dtype: DTypeLike = "float32",
        input_shape: Shape | None = None,
        trainable: bool = True,
    ) -> None:
        self.trainable = trainable
        self.dtype = np.dtype(dtype)
        if self.dtype.kind != "f":
            raise DTypeError(
                f"a layer computes with floats, got dtype {self.dtype}; use 'float32' or 'float64'"
            )
        if name is not None:
            self.name = name
        if input_shape is not None:
            self.given_input_shape = check_shape(input_shape)

    def build(self, input_shape: Shape) -> None:
        """Make the weights, for samples of this shape."""

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """Return the shape of one result; by default it is tried out on zeros."""
        with no_grad(), self.mode(training=False):
            one = Tensor(np.zeros((1, *input_shape[1:]), self.dtype))
            return (input_shape[0], *self.call(one).shape[1:])

    def build_once(self, input_shape: Shape) -> None:
        """Build for samples of a shape, unless that has been done."""
        input_shape = tuple(input_shape)
        if not self.built:
            self.build(input_shape)
            self.built = True
        elif input_shape != self.input_shape:
            Layer.compute_output_shape(self, input_shape)  # a trial: the weights may not fit this shape
        if input_shape != self.input_shape:
            self.output_shape = self.compute_output_shape(input_shape)
            self.input_shape = input_shape

    def _build_for(self, *inputs: Any) -> None:
        self.build_once((None, *inputs[0].shape[1:]))

    def _taken(self, inputs: tuple[Any, ...]) -> tuple[Any, ...]:
        x, *rest = inputs
        if isinstance(x, Tensor) and x.dtype is self.dtype and x.ndim:
            return inputs
        if not isinstance(x, Tensor):
            x = Tensor(x)
        if x.ndim == 0:
            raise ShapeError(f"{self.name}: expected a batch of samples, got a single number")
        return (x if x.dtype == self.dtype else x.astype(self.dtype), *rest)

    def add_weight(
        self, name: str, shape: Shape, initializer: Any = "glorot_uniform", *, trainable: bool = True
    ) -> Parameter:
        """Make a parameter (or, not trainable, a buffer) of a shape, filled by an initialiser."""
        shape = tuple(shape)
        values = (
            np.zeros(shape, self.dtype)
            if context.loading
            else initializers.get(initializer)(shape, self.dtype)
        )
        if values.shape != shape:
            raise ShapeError(f"{self.name}: the initializer of {name} gave {values.shape} for {shape}")
        weight = Parameter(0.0, name=f"{self.name}/{name}", trainable=trainable and self.trainable)
        weight._data = values
        weight.buffer = not trainable
        return weight

    def get_config(self) -> dict[str, Any]:
        config = super().get_config()
        config["dtype"] = self.dtype.name
        if not self.trainable:
            config["trainable"] = False
        if self.given_input_shape is not None:
            config["input_shape"] = list(self.given_input_shape)
        for field in self.fields:
            value = getattr(self, field)
            if isinstance(value, initializers.Initializer):
                value = initializers.describe(value)
            elif callable(value):
                value = activations.name_of(value)
            config[field] = value
        return config

    def __repr__(self) -> str:
        arguments = [f"{field}={self.get_config()[field]!r}" for field in self.fields]
        return f"<{type(self).__name__} {self.name} {' '.join(arguments)}>"


class Input:
    """The shape of one sample, to start a Sequential with, so that it is built at once.

    >>> from tinygrad_edu import nn
    >>> nn.Sequential([nn.Input((4,)), nn.Dense(2)]).count_params()
    10
    """

    def __init__(self, shape: Shape) -> None:
        self.shape = check_shape(shape)


def check_shape(shape: Any) -> Shape:
    """Return a shape as a tuple of positive whole numbers, or say what it should have been."""
    try:
        sizes = tuple(int(n) for n in shape)
    except TypeError:
        raise ArgumentError(
            f"expected the shape of one sample, like (784,) or (28, 28, 1), got {shape!r}"
        ) from None
    if any(n < 1 for n in sizes):
        raise ArgumentError(f"expected positive sizes, without the batch axis, got {shape!r}")
    return sizes


@contextmanager
def skeleton() -> Iterator[None]:
    """Build layers with zeros for weights, which are about to be loaded.

    Zeros take no memory until they are written, so a file that claims a huge layer can't claim it.
    """
    before = context.loading
    context.loading = True
    try:
        yield
    finally:
        context.loading = before
