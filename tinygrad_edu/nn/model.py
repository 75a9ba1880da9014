"""Model: layers put together, that can be trained, looked at and saved."""

from collections.abc import Iterator
from typing import Any, Self

import numpy as np

from ..errors import ArgumentError
from .description import described, revived
from .graph import Graph
from .layers.base import Layer
from .module import Module
from .parameter import Parameter
from .structure import flatten, mapped
from .symbolic import SymbolicTensor
from .training import Trainer

__all__ = ["Model"]


class Model(Trainer, Layer):
    """Layers put together, in one of two ways; ``Sequential`` is a third.

    In the functional style the layers are called on symbols, and the model is what lies between some inputs
    and some outputs. They may be several, as lists or dicts, and a layer that is called twice is shared:

    >>> from tinygrad_edu import nn
    >>> image, age = nn.Input((8, 8, 1), name="image"), nn.Input((1,), name="age")
    >>> x = nn.layers.concatenate([nn.Flatten()(image), age])
    >>> model = nn.Model([image, age], nn.Dense(1)(x))
    >>> model.count_params()
    66

    Or a subclass makes its layers in ``__init__`` and computes with them in ``call``:

    >>> class Residual(nn.Model):
    ...     def __init__(self):
    ...         super().__init__()
    ...         self.dense = nn.Dense(2)
    ...     def call(self, x):
    ...         return x + self.dense(x)
    >>> Residual()([[1.0, 2.0]]).shape
    (1, 2)

    Parameters
    ----------
    inputs, outputs
        Symbols, in the functional style.
    name, dtype, trainable
        As for a Layer.

    Raises ArgumentError if an output depends on an input that isn't listed.
    """

    autocast = False  # its layers convert what they get
    built = True  # a subclass' layers build themselves when they are called
    graph: Graph | None = None

    def __init__(
        self, inputs: Any = None, outputs: Any = None, name: str | None = None, **options: Any
    ) -> None:
        super().__init__(name=name, **options)
        if inputs is None and outputs is None:
            return
        if inputs is None or outputs is None:
            raise ArgumentError("Model: the functional style needs both inputs and outputs")
        self.graph = Graph(inputs, outputs)
        self.output_shape = mapped(lambda s: s.shape, outputs)
        self.input_shape = mapped(lambda s: s.shape, inputs)

    def call(self, *inputs: Any) -> Any:
        if self.graph is None:
            raise ArgumentError(
                f"{type(self).__name__} has no `call` method; write def call(self, x): ..., or give Model "
                "its inputs and outputs"
            )
        return self.graph.run(self.graph.arranged(inputs[0] if len(inputs) == 1 else list(inputs)))

    def build(self, *input_shapes: Any, input_shape: Any = None) -> None:
        """Make all weights, for batches of a shape that begins with the batch axis: (None, 28, 28, 1)."""
        if self.graph is None:
            self._trial(*input_shapes or (input_shape,))

    def _build_for(self, *inputs: Any) -> None:
        pass

    def compute_output_shape(self, *input_shapes: Any) -> Any:
        if self.graph is None:
            return super().compute_output_shape(*input_shapes)
        return self.graph.shapes(input_shapes[0] if len(input_shapes) == 1 else list(input_shapes))

    def symbolic_dtype(self, given: np.dtype[Any]) -> np.dtype[Any]:
        return self.dtype if self.graph is None else flatten(self.graph.outputs)[0].dtype

    # -- its layers ------------------------------------------------------------------------------------

    def named_children(self) -> Iterator[tuple[str, Module]]:
        known: set[Module] = set()
        if self.graph is not None:
            for layer, label in self.graph.labels.items():
                known.add(layer)
                yield label, layer
        for label, child in super().named_children():
            if child not in known:
                known.add(child)
                yield label, child

    def _parts(self) -> tuple[list[Module], list[Parameter]]:
        children, weights = super()._parts()
        return children if self.graph is None else [*self.graph.labels, *children], weights

    @property
    def layers(self) -> list[Any]:
        """The layers, in the order in which they compute."""
        return [layer for _, layer in self.named_children()]

    def get_layer(self, name: str | None = None, index: int | None = None) -> Any:
        """Return the layer of a name, or the one at a position.

        Raises ArgumentError if there is none.

        >>> from tinygrad_edu import nn
        >>> nn.Sequential([nn.Dense(2), nn.Dense(1)]).get_layer("dense_1").units
        1
        """
        children = dict(self.named_children())
        if name is not None and name in children:
            return children[name]
        if name is None and index is not None and -len(children) <= index < len(children):
            return list(children.values())[index]
        what = f"named {name!r}" if index is None else f"at {index}"
        raise ArgumentError(f"{self.name} has no layer {what}; it has: {', '.join(children)}")

    def _needs_graph(self) -> Graph:
        if self.graph is None:
            raise ArgumentError(
                f"{self.name} has no symbols: they come with Model(inputs, outputs), or with a Sequential "
                "that starts with Input(shape)"
            )
        return self.graph

    @property
    def inputs(self) -> list[SymbolicTensor]:
        """The symbols of its inputs, to make another model from: ``Model(model.inputs, layer.output)``."""
        return flatten(self._needs_graph().inputs)

    @property
    def outputs(self) -> list[SymbolicTensor]:
        """The symbols of its outputs."""
        return flatten(self._needs_graph().outputs)

    @property
    def input(self) -> Any:
        return self._needs_graph().inputs

    @property
    def output(self) -> Any:
        return self._needs_graph().outputs

    @property
    def output_names(self) -> list[str] | None:
        """What the outputs are called: after the layers that give them."""
        if self.graph is None:
            return None
        return [self.graph.labels[symbol.call.layer] for symbol in flatten(self.graph.outputs)]

    # -- looking and saving ----------------------------------------------------------------------------

    def summary(
        self,
        line_length: int | None = None,
        positions: Any = None,
        print_fn: Any = None,
        expand_nested: bool = False,
        show_trainable: bool = False,
        layer_range: Any = None,
    ) -> None:
        """Print each layer with its output's shape and number of parameters, and the totals.

        Parameters
        ----------
        line_length
            How wide the table may be, by default 110.
        print_fn
            What gets the text, by default ``print``.
        expand_nested
            Show the layers of models within the model too.
        show_trainable
            Show which layers learn.
        positions, layer_range
            Keras': how wide each column is, and from which to which layer; only None is taken.

        What isn't built yet shows "?" for its shape.
        """
        from .summary import summarize

        for name, value in (("positions", positions), ("layer_range", layer_range)):
            if value is not None:
                raise ArgumentError(
                    f"summary: {name} isn't here, the columns are as wide as need be; leave it out"
                )
        (print_fn or print)(str(summarize(self, line_length or 110, expand_nested, show_trainable)))

    def save(self, filepath: Any, overwrite: bool = True) -> None:
        """Write the model with everything that training goes on from into one file; see ``load_model``.

        Raises ArgumentError for a model that can't be built again from its description, FileError if the file
        can't be written.
        """
        from .saving import save_model

        save_model(self, filepath, overwrite)

    def to_json(self, **options: Any) -> str:
        """Return the architecture as JSON, for ``nn.models.model_from_json``; ``options`` are json.dumps'."""
        from .saving import model_to_json

        return model_to_json(self, **options)

    def save_weights(self, filepath: Any, overwrite: bool = True) -> None:
        """Write parameters and buffers alone, by their paths, to a safetensors file."""
        from .arrays import check_free, write_arrays

        self.check_built("save_weights")
        check_free(filepath, overwrite)
        write_arrays(filepath, {name: w.data for name, w in self.named_weights()})

    def load_weights(self, filepath: Any) -> None:
        """Read parameters and buffers from a file that ``save_weights``, ``save`` or Keras 3 wrote.

        What it is shows in its contents: safetensors, or Keras' ``.weights.h5`` or ``.keras``, from which a
        model of the same layers takes the weights alone. Raises FileError for a damaged file, and ShapeError,
        having changed nothing, for one of another architecture.
        """
        from .saving import read_weights

        self.check_built("load_weights")
        self.load_state_dict(read_weights(self, filepath))

    def get_config(self) -> dict[str, Any]:
        config: dict[str, Any] = {"name": self.name}
        if not self._trainable:
            config["trainable"] = False
        if self.fields:
            return config | {field: described(getattr(self, field)) for field in self.fields}
        return config | self._structure()

    def _structure(self) -> dict[str, Any]:
        """Describe how it is put together, where no arguments of its own say so."""
        return {} if self.graph is None else {"graph": self.graph.get_config()}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Self:
        arguments = {key: value for key, value in config.items() if key not in ("name", "trainable")}
        model = cls(**{k: revived(v) for k, v in arguments.items()}) if cls.fields else cls._built(arguments)
        if "name" in config:
            model.name = config["name"]
        model._trainable = bool(config.get("trainable", True))  # those below have it in theirs
        return model

    @classmethod
    def _built(cls, config: dict[str, Any]) -> Self:
        """Put it together as ``_structure`` says."""
        if "graph" not in config:
            return cls(**config)
        model = cls.__new__(cls)
        Model.__init__(model, *Graph.from_config(config["graph"]))
        return model

    def _repr_html_(self) -> str:
        from .summary import summarize

        return summarize(self)._repr_html_()

    def __repr__(self) -> str:
        return (
            f"<{type(self).__name__} {self.name}: {', '.join(label for label, _ in self.named_children())}>"
        )
