"""The graph of a model in the functional style: the calls that lead from its inputs to its outputs."""

from collections.abc import Sequence
from itertools import count
from typing import Any

from ..errors import ArgumentError, ShapeError
from ..tensor import Tensor
from .description import build_module, describe_module
from .encoding import decode, encode
from .layers.input import InputLayer
from .module import Module
from .structure import flatten, is_structure, mapped, packed
from .symbolic import Call, Shape, SymbolicTensor, positional, shapes_in

__all__ = ["Graph", "label_layers"]


class Graph:
    """The calls between some input symbols and some output symbols, in the order they were made.

    ``inputs`` and ``outputs`` are one symbol each, or lists or dicts of them. ``labels`` has each layer's
    name in the model: its own, or where another has that already, one with a number.

    Raises ArgumentError if an output depends on an input that isn't listed, or something isn't a symbol.

    >>> from tinygrad_edu import nn
    >>> x = nn.Input((4,))
    >>> [call.layer.name for call in Graph(x, nn.Dense(2)(nn.Dense(3)(x))).calls]
    ['input_layer', 'dense', 'dense_1']
    """

    def __init__(self, inputs: Any, outputs: Any) -> None:
        for what, given in (("inputs", inputs), ("outputs", outputs)):
            wrong = [leaf for leaf in flatten(given) if not isinstance(leaf, SymbolicTensor)]
            if wrong or not flatten(given):
                raise ArgumentError(
                    f"Model: {what} must be what Input() and layers called on it return, got "
                    f"{wrong[0] if wrong else given!r}"
                )
        self.inputs, self.outputs = inputs, outputs
        self.calls = _calls_between(flatten(inputs), flatten(outputs))
        self.labels = label_layers([call.layer for call in self.calls])
        self._plan()

    def sources(self, layer: Module) -> list[str]:
        """Return the labels of the layers whose results a layer is called on."""
        calls = [call for call in self.calls if call.layer is layer and call not in self.entries]
        return [self.labels[symbol.call.layer] for call in calls for symbol in call.symbols()]

    # -- running ---------------------------------------------------------------------------------------

    def _plan(self) -> None:
        """Give every symbol a slot, and note after which call each is needed no more."""
        numbers = count()
        self.entries = {symbol.call for symbol in flatten(self.inputs)}
        slots: dict[tuple[Call, int], int] = {}

        def slot(symbol: SymbolicTensor) -> int:
            key = symbol.call, symbol.index
            if key not in slots:
                slots[key] = next(numbers)
            return slots[key]

        self._ins = [slot(symbol) for symbol in flatten(self.inputs)]
        steps = [
            (call, [slot(symbol) for symbol in call.symbols()])
            for call in self.calls
            if call not in self.entries
        ]
        self._outs = [slot(symbol) for symbol in flatten(self.outputs)]
        results: dict[Call, dict[int, int]] = {}
        for (call, index), number in slots.items():
            results.setdefault(call, {})[index] = number
        kept = set(self._outs)
        last = {number: i for i, (_, used) in enumerate(steps) for number in used}
        self._steps = [
            (
                call.layer,
                used[0] if _is_plain(call) else None,
                call,
                results.get(call, {}),
                [n for n in dict.fromkeys(used) if last[n] == i and n not in kept],
            )
            for i, (call, used) in enumerate(steps)
        ]
        self._slots, self._size = slots, next(numbers)

    def run(self, given: list[Any]) -> Any:
        """Call the layers on tensors, one for each input, and return the outputs in their structure."""
        values: list[Any] = [None] * self._size
        for number, x in zip(self._ins, given, strict=True):
            values[number] = x
        for layer, only, call, results, done in self._steps:
            if only is not None:
                result = layer(values[only])
            else:
                args, kwargs = self._filled([call.args, call.kwargs], values)
                result = layer(*args, **kwargs)
            if len(results) == 1 and 0 in results and not isinstance(result, list | tuple | dict):
                values[results[0]] = result
            else:
                leaves = flatten(result)
                for index, number in results.items():
                    values[number] = leaves[index]
            for number in done:
                values[number] = None
        return packed(self.outputs, [values[number] for number in self._outs])

    def _filled(self, arguments: Any, values: list[Any]) -> Any:
        return mapped(
            lambda x: values[self._slots[x.call, x.index]] if isinstance(x, SymbolicTensor) else x, arguments
        )

    def arranged(self, given: Any) -> list[Tensor]:
        """Return what a model was called on as a list, one for each input; dicts go by the inputs' names.

        Raises ShapeError if there are too few or too many, a name is unknown, or a shape doesn't fit.
        """
        symbols = flatten(self.inputs)
        leaves = self._ordered(given, flatten(given) if is_structure(given) else [given])
        taken = []
        for x, symbol in zip(leaves, symbols, strict=True):
            x = fitted(x if isinstance(x, Tensor) else Tensor(x), symbol.shape)
            if x.ndim != symbol.ndim or any(
                n not in (None, m) for n, m in zip(symbol.shape, x.shape, strict=True)
            ):
                raise misfit(f"the input '{self.labels[symbol.call.layer]}'", symbol.shape, x.shape)
            taken.append(
                x.astype(symbol.dtype) if symbol.dtype.kind == "f" and x.dtype != symbol.dtype else x
            )
        return taken

    def _ordered(self, given: Any, leaves: list[Any]) -> list[Any]:
        symbols = flatten(self.inputs)
        if isinstance(given, dict):
            names = [self.labels[s.call.layer] for s in symbols]
            if isinstance(self.inputs, dict):
                names = list(self.inputs)
            if set(names) != set(given):
                raise ShapeError(f"the model's inputs are called {names}, got {list(given)}")
            return [given[name] for name in names]
        if len(leaves) != len(symbols):
            raise ShapeError(f"the model has {len(symbols)} inputs, and was called on {len(leaves)}")
        return leaves

    # -- shapes ----------------------------------------------------------------------------------------

    def shapes(self, given: Any) -> Any:
        """Return the shapes of the outputs for shapes of the inputs."""
        known: dict[tuple[Call, int], Any] = {}

        def shape_of(x: Any) -> Any:
            return known[x.call, x.index] if isinstance(x, SymbolicTensor) else None

        for symbol, shape in zip(flatten(self.inputs), self._ordered(given, shapes_in(given)), strict=True):
            known[symbol.call, symbol.index] = shape
        for call in self.calls:
            if call in self.entries:
                continue
            args = mapped(shape_of, positional(call.layer, call.args, call.kwargs))
            while args and args[-1] is None:
                args = args[:-1]
            found = shapes_in(call.layer.call_shape(args, call.kwargs))
            known |= {(call, i): shape for i, shape in enumerate(found)}
        return mapped(shape_of, self.outputs)

    # -- in a file -------------------------------------------------------------------------------------

    def get_config(self) -> dict[str, Any]:
        """Describe layers and calls as JSON can hold them."""
        numbers = {call: i for i, call in enumerate(self.calls)}

        def symbol(s: Any) -> list[int]:
            if not isinstance(s, SymbolicTensor):
                raise ArgumentError(f"a layer was called with {s!r}, which can't be written to a file")
            return [numbers[s.call], s.index]

        return {
            "layers": [
                {"label": label, **describe_module(layer)} for layer, label in self.labels.items()
            ],
            "calls": [
                {"layer": self.labels[call.layer], "args": encode(list(call.args), symbol),
                 "kwargs": encode(call.kwargs, symbol)}
                for call in self.calls
            ],
            "inputs": encode(self.inputs, symbol),
            "outputs": encode(self.outputs, symbol),
        }  # fmt: skip

    @staticmethod
    def from_config(config: dict[str, Any]) -> "tuple[Any, Any]":
        """Build the layers anew, repeat the calls, and return the inputs and outputs."""
        layers = {entry["label"]: build_module(entry) for entry in config["layers"]}
        results: list[list[Any]] = []

        def symbol(key: Any) -> Any:
            number, index = key
            return results[number][index]

        for entry in config["calls"]:
            layer = layers[entry["layer"]]
            result: Any
            if isinstance(layer, InputLayer):
                result = layer.symbol()
            else:
                result = layer(*decode(entry["args"], symbol), **decode(entry["kwargs"], symbol))
            results.append(flatten(result))
        return decode(config["inputs"], symbol), decode(config["outputs"], symbol)


def fitted(x: Tensor, shape: Shape) -> Tensor:
    """Return x with a last axis of 1 put to it, or taken away, where that makes it fit, as in Keras.

    >>> fitted(Tensor([1.0, 2.0]), (None, 1)).shape
    (2, 1)
    """
    if x.ndim == len(shape) - 1 and x.ndim and shape[-1] == 1:
        return x.reshape((*x.shape, 1))
    if x.ndim == len(shape) + 1 and x.shape[-1] == 1:
        return x.reshape(x.shape[:-1])
    return x


def misfit(what: str, expected: Shape, got: tuple[int, ...]) -> ShapeError:
    """Make the error for a batch that isn't of the shape of an input."""
    hint = ""
    if len(got) == len(expected) - 1:
        one = all(n in (None, m) for n, m in zip(expected[1:], got, strict=True))
        hint = "; a single sample is a batch of one: x[np.newaxis]" if one else "; an axis is missing"
    return ShapeError(f"{what} expects shape {expected}, got {got}{hint}")


def _is_plain(call: Call) -> bool:
    return len(call.args) == 1 and isinstance(call.args[0], SymbolicTensor) and not call.kwargs


def label_layers(layers: Sequence[Module]) -> dict[Module, str]:
    """Return each layer's name within a model: those without one of their own are called after their class.

    The second "dense" is "dense_1", as in Keras. Names that a user gave twice raise ArgumentError.
    """
    labels: dict[Module, str] = {}
    taken: set[str] = set()
    numbers: dict[str, int] = {}  # the next to try, by name
    for layer in layers:
        if layer in labels:
            continue
        base = layer.name
        if layer.named and base in taken:
            raise ArgumentError(f"two layers of the model are named '{base}'; give each a name of its own")
        number = numbers.get(base, 0)
        while (label := f"{base}_{number}" if number else base) in taken:
            number += 1
        numbers[base] = number + 1
        labels[layer] = label
        taken.add(label)
        if layer._name is None:
            layer._name = label
    return labels


def _calls_between(inputs: list[SymbolicTensor], outputs: list[SymbolicTensor]) -> list[Call]:
    """Return the calls that outputs depend on, in the order they were made, and those of all inputs."""
    entries = {symbol.call for symbol in inputs}
    found: set[Call] = set(entries)
    waiting = [symbol.call for symbol in outputs]
    while waiting:
        call = waiting.pop()
        if call in found:
            continue
        found.add(call)
        if isinstance(call.layer, InputLayer):
            raise ArgumentError(
                f"Model: an output depends on the input '{call.layer.name}', which isn't among the inputs"
            )
        waiting += [symbol.call for symbol in call.symbols()]
    return sorted(found, key=lambda call: call.order)
