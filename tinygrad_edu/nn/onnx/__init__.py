"""Models as ONNX files, which other programs run: see :func:`export_onnx`."""

import inspect
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ...errors import ArgumentError
from ...files import writing
from ...tensor import Tensor
from ..layers.core import Embedding
from ..module import Module
from ..structure import flatten, is_structure, mapped, packed
from ..symbolic import is_deep

__all__ = ["export_onnx"]


def export_onnx(model: Any, path: Any, inputs: Any = None) -> None:
    """Write what a model computes at inference to an ONNX file, for onnxruntime and the like.

    The model is called twice, on batches of different sizes, and its *operations* are written, so any model
    can be exported: functional, Sequential, a subclass, a single layer, layers of your own. The batch axis
    stays open, all other lengths are fixed. Inputs and outputs are called as in the model, initializers after
    the paths of the weights ("dense/kernel").

    Parameters
    ----------
    model
        A Model or any other Module.
    path
        The file.
    inputs
        Example inputs where the model doesn't know its shapes: a subclass, or an ``Input`` with a length of
        None. An array, a list or dict of them where ``call`` takes one, a tuple where it takes several; with
        a batch axis, of any length. The model is called on numbers that are drawn from it.

    Raises
    ------
    ArgumentError
        Without the onnx package; for a model whose shapes aren't known; and, with the layer and the line, for
        an operation that has no counterpart in ONNX here, random numbers, or numbers that were taken out of a
        tensor (``x.data``) to compute with them. Then nothing is written.
    FileError
        If the file can't be written.

    Notes
    -----
    A float64 model stays one, but onnxruntime has no convolution of float64.

    Examples
    --------
    >>> import tempfile, onnxruntime, numpy as np
    >>> from tinygrad_edu import nn
    >>> model = nn.Sequential([nn.Input((4,), name="features"), nn.Dense(3, "relu"), nn.Dense(2)])
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     nn.export_onnx(model, f"{folder}/model.onnx")
    ...     session = onnxruntime.InferenceSession(f"{folder}/model.onnx")
    >>> x = np.ones((5, 4), np.float32)
    >>> (y,) = session.run(None, {"features": x})
    >>> bool(np.allclose(y, model.predict(x), atol=1e-5))
    True

    References: https://onnx.ai/onnx/operators/
    """
    try:
        import onnx
    except ImportError:
        raise ArgumentError("export_onnx: needs the onnx package; pip install 'tinygrad_edu[onnx]'") from None
    from . import operations  # noqa: F401  # which enters them
    from .graph import Graph
    from .trace import trace

    if not isinstance(model, Module):
        raise ArgumentError(f"export_onnx: expected a model or a layer, got {type(model).__name__}")
    if any(getattr(module, "stateful", False) for module in model.modules()):
        raise ArgumentError(
            f"export_onnx: {model.name} keeps states from one batch to the next (stateful=True), and a file "
            "keeps nothing; take the states as inputs (initial_state) and return them (return_state=True)"
        )
    form, examples, names = _examples(model, inputs)
    rng = np.random.default_rng(0)
    vocabulary = min((m.input_dim for m in model.modules() if isinstance(m, Embedding)), default=None)

    def draw(n: int) -> tuple[list[Tensor], Any]:
        tensors = [x.batch(rng, n, vocabulary) for x in examples]
        arguments = packed(form, tensors)
        return tensors, arguments if isinstance(form, tuple) else [arguments]

    found = trace(model, draw)
    graph = Graph(found, names)
    outputs = graph.add(found)
    called = getattr(model, "output_names", None) or found.output_names or ["output"] * len(outputs)
    proto = graph.proto(outputs, called, model.name)
    try:
        onnx.checker.check_model(proto)
        content = proto.SerializeToString()
    except ValueError as error:
        raise ArgumentError(
            f"export_onnx: {model.name} is larger than an ONNX file can be: {error}"
        ) from None
    with writing(Path(path)) as file:
        file.write(content)


class _Example(NamedTuple):
    shape: tuple[int, ...]  # of one sample
    dtype: np.dtype[Any]
    values: NDArray[Any] | None  # some that it may have

    def batch(self, rng: np.random.Generator, n: int, vocabulary: int | None) -> Tensor:
        """Draw a batch: numbers that differ, some of them 0, so that what depends on them shows."""
        shape, known = (n, *self.shape), self.values
        if known is not None and np.unique(known).size > 1:
            return Tensor(rng.choice(known.ravel(), shape).astype(self.dtype))
        if self.dtype.kind == "b":
            return Tensor(rng.random(shape) < 0.5)
        if vocabulary is not None or self.dtype.kind != "f":
            return Tensor(rng.integers(0, vocabulary or 2, shape).astype(self.dtype))
        return Tensor((rng.standard_normal(shape) * (rng.random(shape) < 0.9)).astype(self.dtype))


def _examples(model: Module, inputs: Any) -> tuple[Any, list[_Example], list[str]]:
    """Return the structure of a model's inputs, what is known of each, and their names."""
    graph = getattr(model, "graph", None)
    form: Any = inputs
    if inputs is not None:
        form = inputs if is_structure(inputs) else np.asarray(inputs)
        arrays = [np.asarray(x) for x in flatten(form)]
        if any(x.ndim == 0 for x in arrays):
            raise ArgumentError("export_onnx: inputs must have a batch axis, got a single number")
        found = [_Example(x.shape[1:], x.dtype, x) for x in arrays]
    elif graph is not None:
        form = graph.inputs
        found = [_Example(tuple(s.shape[1:]), s.dtype, None) for s in flatten(form)]
    elif getattr(model, "input_shape", None) is not None:
        shapes: list[Any] = []
        form = mapped(shapes.append, model.input_shape, is_deep)  # type: ignore[attr-defined]
        dtype = getattr(model, "dtype", np.dtype("float32"))
        found = [_Example(tuple(shape[1:]), dtype, None) for shape in shapes]
    else:
        raise ArgumentError(
            f"export_onnx: {model.name} doesn't know the shapes of its inputs; give an example of them: "
            "export_onnx(model, path, inputs=x_test[:2])"
        )
    for i, x in enumerate(found):
        if any(n is None for n in x.shape):
            raise ArgumentError(
                f"export_onnx: input {i} of {model.name} has the open shape {x.shape}, and only the batch "
                "may stay open; give an example of the shape you want: export_onnx(model, path, inputs=x)"
            )
    if graph is not None:
        return form, found, [symbol.name for symbol in flatten(graph.inputs)]
    parameters = [p for p in inspect.signature(model.call).parameters if p != "training"]
    given = list(form) if isinstance(form, tuple) else [form]
    names = []
    for parameter, part in zip(parameters, given, strict=False):
        count = len(flatten(part))
        names += list(part) if isinstance(part, dict) else [parameter] * count
    return form, found, names + ["input"] * (len(found) - len(names))
