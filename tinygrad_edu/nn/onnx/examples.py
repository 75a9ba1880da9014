"""Batches to call a model on: of the shapes that it knows, or of those of an example."""

import inspect
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ...errors import ArgumentError
from ...tensor import Tensor
from ..layers.core import Embedding
from ..module import Module
from ..structure import flatten, is_structure, mapped, packed
from ..symbolic import is_deep

__all__ = ["Examples"]


class Examples:
    """Draws batches for a model, and knows what its inputs are called.

    ``inputs`` are example inputs, or None. Raises ArgumentError if they are needed and missing, ShapeError if
    they don't fit.
    """

    def __init__(self, model: Module, inputs: Any) -> None:
        self.rng = np.random.default_rng(0)
        self.form: Any  # the structure of the inputs; a tuple holds several arguments of ``call``
        graph = getattr(model, "graph", None)
        if inputs is not None:
            inputs = mapped(np.asarray, inputs if is_structure(inputs) else np.asarray(inputs))
            if any(x.ndim == 0 for x in flatten(inputs)):
                raise ArgumentError("export_onnx: inputs must have a batch axis, got a single number")
        if graph is not None:
            self.form, symbols = graph.inputs, flatten(graph.inputs)
            given = [None] * len(symbols) if inputs is None else graph.arranged(inputs)
            self.inputs = [
                _Input(tuple((s if x is None else x).shape[1:]), s.dtype, None if x is None else x.numpy())
                for s, x in zip(symbols, given, strict=True)
            ]
            self.names = [symbol.name for symbol in symbols]
        elif inputs is not None:
            self.form = inputs
            self.inputs = [_Input(x.shape[1:], _dtype(model, x), x) for x in flatten(inputs)]
            self.names = _parameters(model, inputs)
        elif getattr(model, "input_shape", None) is not None:
            shapes: list[Any] = []
            self.form = mapped(shapes.append, model.input_shape, is_deep)  # type: ignore[attr-defined]
            self.inputs = [_Input(tuple(s[1:]), model.dtype, None) for s in shapes]  # type: ignore[attr-defined]
            self.names = _parameters(model, self.form)
        else:
            raise ArgumentError(
                f"export_onnx: {model.name} doesn't know the shapes of its inputs; give an example of them: "
                "export_onnx(model, path, inputs=x_test[:2])"
            )
        for name, x in zip(self.names, self.inputs, strict=True):
            if None in x.shape:
                raise ArgumentError(
                    f"export_onnx: {model.name}'s input {name} has the open shape {x.shape}, and only the "
                    "batch may stay open; give an example of the shape you want: inputs=x_test[:2]"
                )
        # Each number that comes in may have to be the number of a row.
        tables = [m.input_dim for m in model.modules() if isinstance(m, Embedding)]
        self.vocabulary = min(tables, default=None)

    def draw(self, n: int) -> tuple[list[Tensor], Any]:
        """Return the tensors of a batch of n samples, and the arguments that hold them."""
        tensors = [x.batch(self.rng, n, self.vocabulary) for x in self.inputs]
        arguments = packed(self.form, tensors)
        return tensors, arguments if isinstance(self.form, tuple) else [arguments]


class _Input(NamedTuple):
    shape: tuple[int, ...]  # of one sample
    dtype: np.dtype[Any]
    values: NDArray[Any] | None  # some that it may have

    def batch(self, rng: np.random.Generator, n: int, vocabulary: int | None) -> Tensor:
        """Draw numbers that differ, some of them 0, so that what depends on them shows."""
        shape, known = (n, *self.shape), self.values
        if known is not None and np.unique(known).size > 1:
            return Tensor(rng.choice(known.ravel(), shape).astype(self.dtype))
        if self.dtype.kind == "b":
            return Tensor(rng.random(shape) < 0.5)
        if vocabulary is not None or self.dtype.kind != "f":
            return Tensor(rng.integers(0, vocabulary or 2, shape).astype(self.dtype))
        return Tensor((rng.standard_normal(shape) * (rng.random(shape) < 0.9)).astype(self.dtype))


def _dtype(model: Module, x: NDArray[Any]) -> np.dtype[Any]:
    """Return the dtype in which an input comes in: NumPy's float64 mostly isn't meant."""
    return getattr(model, "dtype", x.dtype) if x.dtype.kind == "f" else x.dtype


def _parameters(model: Module, form: Any) -> list[str]:
    """Return a name for each input: that of the parameter of ``call``, or its key in a dict."""
    parameters = [p for p in inspect.signature(model.call).parameters if p != "training"]
    names: list[str] = []
    for i, part in enumerate(form if isinstance(form, tuple) else [form]):
        parameter = parameters[min(i, len(parameters) - 1)] if parameters else "input"
        names += list(part) if isinstance(part, dict) else [parameter] * len(flatten(part))
    return names
