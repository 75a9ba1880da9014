"""Layers around another layer: Bidirectional reads both ways, TimeDistributed does the same at each step."""

import copy
import inspect
import math
from collections.abc import Callable
from typing import Any, Self

import numpy as np

from ... import ops
from ...errors import ArgumentError, ShapeError, unknown_name
from ...tensor import Tensor
from ..description import build_module, describe_module
from ..structure import mapped
from ..symbolic import Shape, is_deep, is_shape
from .base import Layer

__all__ = ["Bidirectional", "TimeDistributed"]

_MERGED: dict[str, Callable[[Any, Any], Any]] = {
    "concat": lambda first, second: ops.concat([first, second], axis=-1),
    "sum": ops.add,
    "ave": lambda first, second: (first + second) / 2,
    "mul": ops.multiply,
}


class Bidirectional(Layer):
    """A recurrent layer that reads a sequence forwards, and another that reads it backwards.

    Parameters
    ----------
    layer
        The one that reads forwards: LSTM, GRU or SimpleRNN. It is copied.
    merge_mode
        What becomes of the two outputs: "concat" (side by side), "sum", "ave", "mul", or None for a pair.
    backward_layer
        The one that reads backwards; by default a copy of the first with ``go_backwards``.
    options
        Of a Layer.

    With ``return_sequences`` outputs stand where their steps do, and are 0 at masked steps. A call takes
    ``mask`` and ``initial_state`` as the layer does: the states of the first, then those of the second; in
    this order ``return_state`` returns them.

    Raises ArgumentError for a layer that isn't recurrent, or has its weights already, and for two that differ
    in what they return.

    >>> import numpy as np
    >>> from tinygrad_edu import nn
    >>> layer = nn.Bidirectional(nn.LSTM(4)); layer(np.zeros((2, 5, 3))).shape, layer.count_params()
    ((2, 8), 256)

    References: Schuster & Paliwal, *Bidirectional recurrent neural networks*, 1997.
    """

    def __init__(
        self, layer: Any, merge_mode: str | None = "concat", *, backward_layer: Any = None, **options: Any
    ) -> None:
        super().__init__(**options)
        if merge_mode is not None and merge_mode not in _MERGED:
            raise unknown_name("merge_mode", merge_mode, _MERGED)
        self.merge_mode = merge_mode
        self.forward_layer = self._read_by(layer, "forward")
        self.backward_layer = self._read_by(layer if backward_layer is None else backward_layer, "backward")
        if backward_layer is None:
            self.backward_layer.go_backwards = not layer.go_backwards
        both = self._both
        if both[0].go_backwards == both[1].go_backwards:
            raise ArgumentError("Bidirectional: one of the layers must have go_backwards=True, the other not")
        for setting in ("return_sequences", "return_state", "stateful"):
            if getattr(both[0], setting) != getattr(both[1], setting):
                raise ArgumentError(f"Bidirectional: the layers must have the same {setting}")
        self.return_sequences = both[0].return_sequences
        self.return_state = both[0].return_state
        for each in both:
            each.zero_output_for_mask = self.return_sequences

    def _read_by(self, layer: Any, way: str) -> Any:
        if not isinstance(layer, Layer) or not hasattr(layer, "go_backwards"):
            raise ArgumentError(f"Bidirectional: expected a recurrent layer, like LSTM(8), got {layer!r}")
        if layer.built:
            raise ArgumentError(
                f"Bidirectional: {layer.name} has its weights already; give it a new layer, which it copies"
            )
        layer = copy.deepcopy(layer)
        layer.name = f"{way}_{layer.name.removeprefix(f'{way}_')}"
        return layer

    def build(self, input_shape: Any, *others: Any) -> None:
        self.forward_layer.build_once(input_shape)
        self.backward_layer.build_once(input_shape)

    def compute_output_shape(self, input_shape: Any, *others: Any) -> Any:
        shapes = [each.compute_output_shape(input_shape) for each in self._both]
        states = [state for shape in shapes for state in shape[1:]] if self.return_state else []
        first, second = [shape[0] for shape in shapes] if self.return_state else shapes
        if self.merge_mode is None:
            return (first, second, *states)
        merged = (*first[:-1], first[-1] + second[-1]) if self.merge_mode == "concat" else first
        return (merged, *states) if self.return_state else merged

    def call(self, sequences: Any, initial_state: Any = None, mask: Any = None) -> Any:
        middle = 0 if initial_state is None else len(initial_state) // 2
        starts = (None, None) if initial_state is None else (initial_state[:middle], initial_state[middle:])
        results = [
            each(sequences, initial_state=start, mask=mask)
            for each, start in zip(self._both, starts, strict=True)
        ]
        states = [state for result in results for state in result[1:]] if self.return_state else []
        first, second = [result[0] for result in results] if self.return_state else results
        if self.return_sequences:
            second = ops.flip(second, axis=1)
        if self.merge_mode is None:
            return (first, second, *states)
        merged = _MERGED[self.merge_mode](first, second)
        return (merged, *states) if self.return_state else merged

    @property
    def _both(self) -> tuple[Any, Any]:
        return self.forward_layer, self.backward_layer

    def reset_state(self) -> None:
        """Begin anew: forget what stateful layers keep from one batch to the next."""
        for each in self._both:
            each.reset_state()

    reset_states = reset_state  # Keras has both names

    def get_config(self) -> dict[str, Any]:
        return super().get_config() | {
            "merge_mode": self.merge_mode,
            "layer": describe_module(self.forward_layer),
            "backward_layer": describe_module(self.backward_layer),
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Self:
        layers = {key: build_module(config.get(key)) for key in ("layer", "backward_layer")}
        return cls(**config | layers)


class TimeDistributed(Layer):
    """A layer that is called on each step of a sequence: the steps go through it as one large batch.

    Parameters
    ----------
    layer
        Any layer or model of one input.
    options
        Of a Layer.

    Input (batch, steps, …), output (batch, steps, …). A call takes ``mask`` (batch, steps, …) and hands
    it to the layer if that takes one. What looks at the whole batch while training, like
    BatchNormalization, sees all steps at once; in Keras 3 it sees one step after another.

    Raises ArgumentError for what isn't a layer, ShapeError for an input without steps.

    >>> import numpy as np
    >>> from tinygrad_edu import nn
    >>> frames = np.zeros((2, 5, 8, 8, 1))
    >>> nn.TimeDistributed(nn.Conv2D(3, 3))(frames).shape
    (2, 5, 6, 6, 3)
    """

    def __init__(self, layer: Any, **options: Any) -> None:
        super().__init__(**options)
        if not isinstance(layer, Layer):
            raise ArgumentError(f"TimeDistributed: expected a layer, got {layer!r}")
        self.layer = layer

    def _of_one_step(self, shape: Any) -> Shape:
        if not is_shape(shape) or len(shape) < 3:
            raise ShapeError(f"{self.name}: expected an input (batch, steps, features …), got {shape}")
        return (shape[0], *shape[2:])

    def build(self, input_shape: Any, *others: Any) -> None:
        self.layer.build_once(self._of_one_step(input_shape))

    def compute_output_shape(self, input_shape: Any, *others: Any) -> Any:
        result = self.layer.compute_output_shape(self._of_one_step(input_shape))
        return mapped(lambda shape: (shape[0], input_shape[1], *shape[1:]), result, is_deep)

    def call(self, x: Any, mask: Any = None) -> Any:
        self._of_one_step(x.shape)
        steps = x.shape[:2]
        arguments: dict[str, Any] = {}
        if mask is not None and "mask" in inspect.signature(self.layer.call).parameters:
            mask = mask if isinstance(mask, Tensor) else np.asarray(mask)
            if mask.shape[:2] != steps:
                raise ShapeError(
                    f"{self.name}: mask must begin with (batch, steps) = {steps}, got {mask.shape}"
                )
            arguments["mask"] = ops.reshape(mask, (math.prod(steps), *mask.shape[2:]))
        result = self.layer(ops.reshape(x, (math.prod(steps), *x.shape[2:])), **arguments)
        return mapped(lambda y: ops.reshape(y, (*steps, *y.shape[1:])), result)

    def get_config(self) -> dict[str, Any]:
        return super().get_config() | {"layer": describe_module(self.layer)}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Self:
        return cls(**config | {"layer": build_module(config.get("layer"))})
