"""Sequential: layers one after another."""

from collections.abc import Sequence
from itertools import count
from typing import Any, Self

from ..errors import ArgumentError, ShapeError
from ..tensor import Tensor
from .layers.base import Input, Layer, Shape, check_shape
from .module import Module, build_module, describe_module, snake_case
from .training import Model

__all__ = ["Sequential"]


class Sequential(Model):
    """A model whose layers follow one another; the result of each is the input of the next.

    It is built when it first sees data, or at once if the list starts with ``Input(shape)`` or its first
    layer has an ``input_shape``. Layers without a name of their own are called after their class, with a
    number from the second on: "dense", "dense_1".

    Raises ArgumentError for something that isn't a layer and for two layers of one name, ShapeError if a
    layer can't take what the one before it gives.

    Examples
    --------
    >>> from tinygrad_edu import nn
    >>> model = nn.Sequential([nn.Input((784,)), nn.Dense(64, activation="relu"), nn.Dense(10)])
    >>> model.count_params()
    50890
    >>> [layer.name for layer in model.layers]
    ['dense', 'dense_1']
    """

    def __init__(self, layers: Sequence[Any] = (), name: str | None = None) -> None:
        if isinstance(layers, Module):
            raise ArgumentError("Sequential: put the layers in a list: Sequential([first, second])")
        if name is not None:
            self.name = name
        self.layers: list[Module] = []
        self.input_shape: Shape | None = None
        for layer in layers:
            self.add(layer)

    def add(self, layer: Any) -> None:
        """Put a layer behind the last one."""
        if isinstance(layer, Input):
            if self.layers:
                raise ArgumentError("Input says what the first layer gets, so it must come first")
            self.input_shape = (None, *layer.shape)
            return
        if not isinstance(layer, Module):
            raise ArgumentError(
                f"Sequential: expected a layer, got {layer!r}"
                + ("; make one: write it with ()" if isinstance(layer, type) else "")
            )
        if not self.layers and self.input_shape is None:
            given = getattr(layer, "given_input_shape", None)
            self.input_shape = getattr(layer, "input_shape", None) if given is None else (None, *given)
        taken = {other.name for other in self.layers}
        if layer._name is None:
            base = snake_case(type(layer).__name__)
            names = (base if i == 0 else f"{base}_{i}" for i in count())
            layer.name = next(name for name in names if name not in taken)
        if layer.name in taken:
            raise ArgumentError(
                f"Sequential: there is a layer named '{layer.name}' already; give each a name of its own"
            )
        self.layers.append(layer)
        self.built = False
        if self.input_shape is not None:
            self.build(self.input_shape)

    def build(self, input_shape: Any) -> None:
        """Make all weights, for batches of a shape that begins with the batch axis: (None, 28, 28, 1)."""
        if len(input_shape) < 2:
            raise ArgumentError(
                f"build: the batch axis comes first, as None: (None, 784); got {tuple(input_shape)}"
            )
        shape: Shape = (None, *check_shape(input_shape[1:]))
        self.input_shape = shape
        for layer in self.layers:
            try:
                shape = build_layer(layer, shape)
            except (ShapeError, ArgumentError) as error:
                reason = str(error).removeprefix(f"{layer.name}: ")
                raise type(error)(
                    f"{layer.name}: can't take samples of shape {shape[1:]}: {reason}"
                ) from None
        self.built = True

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """Return the shape of the results for a shape of inputs."""
        for layer in self.layers:
            input_shape = layer.compute_output_shape(input_shape)  # type: ignore[attr-defined]
        return input_shape

    def _build_for(self, *inputs: Any) -> None:
        self.build(inputs[0].shape)

    def _taken(self, inputs: tuple[Any, ...]) -> tuple[Any, ...]:
        x, *rest = inputs
        return inputs if isinstance(x, Tensor) else (Tensor(x), *rest)

    def call(self, x: Any) -> Any:
        for layer in self.layers:
            x = layer(x)
        return x

    def named_children(self) -> Any:
        return ((layer.name, layer) for layer in self.layers)

    def get_config(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "input_shape": None if self.input_shape is None else list(self.input_shape[1:]),
            "layers": [describe_module(layer) for layer in self.layers],
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Self:
        shape = config.get("input_shape")
        first = [] if shape is None else [Input(shape)]
        layers = config.get("layers")
        if not isinstance(layers, list):
            raise ArgumentError("Sequential: its saved configuration has no list of layers")
        return cls([*first, *(build_module(layer) for layer in layers)], name=config.get("name"))

    def __repr__(self) -> str:
        return f"<Sequential {self.name}: {', '.join(layer.name for layer in self.layers)}>"


def build_layer(layer: Module, shape: Shape) -> Shape:
    """Build a layer for samples of a shape and return the shape of its results."""
    if isinstance(layer, Layer):
        layer.build_once(shape)
        return layer.compute_output_shape(shape)
    if isinstance(layer, Sequential):
        layer.build(shape)
        return layer.compute_output_shape(shape)
    raise ArgumentError(
        f"{layer.name}: a {type(layer).__name__} inside a Sequential must be a Layer; "
        "derive it from nn.Layer instead of nn.Module"
    )
