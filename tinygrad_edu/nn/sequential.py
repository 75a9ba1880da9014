"""Sequential: layers one after another."""

from collections.abc import Sequence
from typing import Any, Self

from ..errors import ArgumentError, ShapeError
from .description import build_module, describe_module
from .graph import Graph, fitted, label_layers, misfit
from .layers.base import Layer
from .layers.input import InputLayer
from .model import Model
from .module import Module
from .parameter import Parameter
from .symbolic import SymbolicTensor, is_shape

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

    built = False

    def __init__(self, layers: Sequence[Any] = (), name: str | None = None, **options: Any) -> None:
        if isinstance(layers, Module):
            raise ArgumentError("Sequential: put the layers in a list: Sequential([first, second])")
        self._stack: list[Layer] = []
        super().__init__(name=name, **options)
        self._put(layers)

    def add(self, layer: Any) -> None:
        """Put a layer behind the last one."""
        self._put([layer])

    def _put(self, layers: Sequence[Any]) -> None:
        """Put layers behind the last one, all of them or none."""
        before, first = len(self._stack), None
        try:
            for layer in layers:
                if isinstance(layer, SymbolicTensor) and isinstance(layer.call.layer, InputLayer):
                    layer = layer.call.layer
                starts = not self._stack and self.graph is None and first is None
                if isinstance(layer, InputLayer):
                    if not starts:
                        raise ArgumentError("Input says what the first layer gets, so it must come first")
                    first = layer
                    continue
                if not isinstance(layer, Layer):
                    raise _no_layer(layer)
                first = _first_input(layer) if starts else first
                self._stack.append(layer)
            label_layers(self._stack)
            if first is not None:
                self._start(first)
            elif self.graph is not None:
                self._lead(self.graph.inputs, self.graph.outputs, self._stack[before:])
        except Exception:
            del self._stack[before:]
            raise
        self.built = self.graph is not None and bool(self._stack)

    def _start(self, first: InputLayer) -> None:
        """Begin the graph at an input, and lead it through all layers there are."""
        symbol = first.symbol()
        self._lead(symbol, symbol, self._stack)
        self.built = bool(self._stack)

    def _lead(self, start: SymbolicTensor, x: Any, layers: Sequence[Layer]) -> None:
        """Call layers one after another on what there is so far; that is the graph then."""
        for layer in layers:
            before = x
            try:
                x = layer(before)
            except (ShapeError, ArgumentError) as error:
                reason = str(error).removeprefix(f"{layer.name}: ")
                raise type(error)(
                    f"{layer.name}: can't take samples of shape {before.shape[1:]}: {reason}"
                ) from None
        self.graph = Graph(start, x)
        self.input_shape = start.shape
        self.output_shape = x.shape if isinstance(x, SymbolicTensor) else None

    def build(self, *input_shapes: Any, input_shape: Any = None) -> None:
        """Make all weights, for batches of a shape that begins with the batch axis: (None, 28, 28, 1)."""
        if input_shape is None:
            (input_shape,) = input_shapes
        if len(input_shape) < 1 or (len(input_shape) < 2 and input_shape[0] is not None):
            raise ArgumentError(
                f"build: the batch axis comes first, as None: (None, 784); got {tuple(input_shape)}"
            )
        self.graph = None
        self._start(InputLayer(input_shape[1:]))

    def _build_for(self, *inputs: Any) -> None:
        self.build((None, *inputs[0].shape[1:]))

    def call(self, x: Any) -> Any:
        expected = self.input_shape
        if self.graph is not None and len(x.shape) != len(expected):  # other lengths are the layers' matter
            x = fitted(x, expected)
            if x.ndim != len(expected):
                raise misfit(self.name, expected, x.shape)
        for layer in self._stack:
            x = layer(x)
        return x

    @property
    def layers(self) -> list[Any]:
        """The layers, in the order in which they compute."""
        return list(self._stack)

    def pop(self) -> Any:
        """Take the last layer away and return it."""
        layer = self._stack.pop()
        if self.graph is not None:
            self._start(self.graph.inputs.call.layer)
        return layer

    def named_children(self) -> Any:
        return ((label, layer) for layer, label in label_layers(self._stack).items())

    def _parts(self) -> tuple[list[Module], list[Parameter]]:
        return list(self._stack), super()._parts()[1]

    def _structure(self) -> dict[str, Any]:
        first = [] if self.graph is None else [self.graph.inputs.call.layer]
        return {"layers": [describe_module(layer) for layer in [*first, *self._stack]]}

    @classmethod
    def _built(cls, config: dict[str, Any]) -> Self:
        layers = config.get("layers")
        if not isinstance(layers, list):
            raise ArgumentError("Sequential: its saved configuration has no list of layers")
        model = cls.__new__(cls)
        Sequential.__init__(model, [build_module(layer) for layer in layers])
        return model


def _no_layer(thing: Any) -> ArgumentError:
    hint = "; make one: write it with ()" if isinstance(thing, type) else ""
    hint += "; derive it from nn.Layer instead of nn.Module" if isinstance(thing, Module) else ""
    return ArgumentError(f"Sequential: expected a layer, got {thing!r}{hint}")


def _first_input(layer: Layer) -> InputLayer | None:
    """Return the input that a first layer asks for: by ``input_shape``, or because it is built already."""
    if layer.given_input_shape is not None:
        return InputLayer(layer.given_input_shape)
    known = layer.built and is_shape(layer.input_shape) and layer.input_shape
    return InputLayer(layer.input_shape[1:]) if known else None
