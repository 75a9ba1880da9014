"""Models as ONNX files, which other programs run: see :func:`export_onnx`."""

from pathlib import Path
from typing import Any

from ...errors import ArgumentError
from ...files import writing
from ..module import Module
from .examples import Examples

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
        a batch axis, of any length. The model is called on numbers that are drawn from it. Floats are taken
        in the model's own dtype.

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
    examples = Examples(model, inputs)
    found = trace(model, examples.draw)
    graph = Graph(found, examples.names)
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
