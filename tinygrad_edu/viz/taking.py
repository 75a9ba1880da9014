"""What pictures are drawn from: numbers, labels, and what models make of data."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinygrad_edu.context import Observer, context, no_grad
from tinygrad_edu.errors import ArgumentError, DataError, DTypeError, ShapeError
from tinygrad_edu.nn.layers.base import Layer
from tinygrad_edu.nn.model import Model
from tinygrad_edu.nn.module import Module
from tinygrad_edu.tensor import Tensor

__all__ = [
    "class_labels",
    "finite",
    "is_model",
    "layer_outputs",
    "leaves",
    "named",
    "numbers",
    "one_output",
    "outputs",
    "threshold_of",
]

Array = NDArray[Any]
_BATCH = 1024  # rows a model sees at once


# --- Arrays ----------------------------------------------------------------------------------------------


def numbers(caller: str, name: str, value: Any) -> Array:
    """Return an array of real numbers from a Tensor, an array or lists.

    Raises DTypeError for anything else, ShapeError for lists of unequal lengths.
    """
    try:
        array = value.numpy() if isinstance(value, Tensor) else np.asarray(value)
    except ValueError as error:
        raise ShapeError(f"{caller}: {name} must be an array; its rows differ in length.") from error
    if array.dtype.kind not in "buif":
        raise DTypeError(
            f"{caller}: {name} must hold numbers; got {array.dtype if array.ndim else type(value).__name__}."
        )
    return array


def finite(caller: str, name: str, array: Array) -> Array:
    """Return the array; raises DataError where it is empty, or has NaN or infinite values."""
    if not array.size:
        raise DataError(f"{caller}: {name} is empty, its shape is {array.shape}; there is nothing to draw.")
    wrong = array.size - int(np.isfinite(array).sum())
    if wrong:
        raise DataError(f"{caller}: {wrong} of {array.size} values in {name} are NaN or infinite.")
    return array


def named(caller: str, class_names: Sequence[str], count: int) -> list[str]:
    """Return a name for each of ``count`` classes; raises DataError where there are names for fewer."""
    if len(class_names) == 0:
        return [str(k) for k in range(count)]
    if len(class_names) < count:
        raise DataError(
            f"{caller}: expected a class name for each of the labels 0 to {count - 1}, {count} in all, got "
            f"{len(class_names)}; add the others, or leave class_names out."
        )
    return [str(name) for name in class_names]


def class_labels(caller: str, name: str, value: Any, threshold: float | None = None) -> Array:
    """Return a label for each row, of labels, one-hot rows, or what a model gives.

    (N, classes) are taken by argmax; floats (N,) or (N, 1) that aren't whole numbers are probabilities of
    class 1, cut at the threshold, 0.5 by default. Texts stay texts.
    """
    try:
        array = value.numpy() if isinstance(value, Tensor) else np.asarray(value)
    except ValueError as error:
        raise ShapeError(f"{caller}: {name} must be an array; its rows differ in length.") from error
    if array.ndim == 2 and array.shape[1] == 1:
        array = array[:, 0]
    if array.ndim not in (1, 2):
        raise ShapeError(
            f"{caller}: {name} must be labels (N,), or probabilities (N, classes); got {array.shape}."
        )
    if array.dtype.kind not in "buifUO":
        raise DTypeError(f"{caller}: {name} must be labels or probabilities; their dtype is {array.dtype}.")
    if not array.size:
        raise DataError(f"{caller}: {name} is empty, its shape is {array.shape}.")
    if array.dtype.kind in "UO":
        if array.ndim == 2:
            raise ShapeError(f"{caller}: {name} must be one label a row; got {array.shape}.")
        return array.astype(str)
    finite(caller, name, array)
    if array.ndim == 2:
        return np.asarray(array.argmax(axis=1))
    if array.dtype.kind == "f" and (threshold is not None or np.any(array % 1)):
        return (array > threshold_of(caller, array, threshold)).astype(np.int64)
    return array.astype(np.int64)


def threshold_of(caller: str, scores: Array, threshold: float | None) -> float:
    """Return where scores of class 1 are cut: 0.5 for probabilities.

    Raises ArgumentError where they are none, and nobody says where to cut.
    """
    if threshold is not None:
        return float(threshold)
    if scores.min() < 0 or scores.max() > 1:
        raise ArgumentError(
            f"{caller}: scores from {scores.min():.3g} to {scores.max():.3g} are no probabilities; say above "
            "which value a score means class 1: threshold=0 for logits, 0.5 for a regression on 0 and 1."
        )
    return 0.5


# --- Models ----------------------------------------------------------------------------------------------


def is_model(value: Any) -> bool:
    """Tell whether something predicts, and isn't an array of what was predicted."""
    return callable(value) or hasattr(value, "predict")


def outputs(caller: str, model: Any, x: Array) -> Any:
    """Return what a model makes of x: an array, or a list of them.

    The model is one of ours, an estimator of scikit-learn's (``predict_proba`` where it has that), or any
    function of an array.
    """
    if isinstance(model, Model):
        return model.predict(x, batch_size=_BATCH)
    if isinstance(model, Module):
        with model.mode(training=False), no_grad():
            return _plain(model(Tensor(x)))
    for method in ("predict_proba", "predict"):
        if hasattr(model, method):
            return _plain(getattr(model, method)(x))
    if not callable(model):
        raise DTypeError(f"{caller}: expected a model or a function; got {type(model).__name__}.")
    with no_grad():
        return _plain(model(x))


def one_output(caller: str, model: Any, x: Array) -> Array:
    """Return the array that a model makes of x; raises ShapeError if it makes several or other rows."""
    found = outputs(caller, model, x)
    if isinstance(found, list | tuple | dict):
        raise ShapeError(f"{caller}: the model has {len(found)} outputs; give one with a single output.")
    if found.shape[:1] != x.shape[:1]:
        raise ShapeError(f"{caller}: the model made {found.shape} of {x.shape}; expected a row for each row.")
    return np.asarray(found)


def _plain(found: Any) -> Any:
    if isinstance(found, list | tuple):
        return [_plain(part) for part in found]
    return found.numpy() if isinstance(found, Tensor) else np.asarray(found)


def leaves(module: Module, path: str = "") -> dict[str, Module]:
    """Return the layers of a model by path, those of models within it too, in their order."""
    found: dict[str, Module] = {}
    for _, child in module.named_children():
        below = f"{path}{child.name}"
        if isinstance(child, Layer) and not isinstance(child, Model):
            found[below] = child
        else:
            found |= leaves(child, f"{below}/")
    return found


class _Results(Observer):
    """Keeps the last result of each module, by the module's path."""

    def __init__(self) -> None:
        self.last: dict[str, Array] = {}

    def forward(self, fn: Any, inputs: Any, params: Any, result: Any, node: Any) -> None:
        if isinstance(result, Tensor):
            path = context.module
            while path:
                self.last[path] = result.data
                path = path.rpartition("/")[0]


def layer_outputs(caller: str, model: Any, x: Any) -> dict[str, Array]:
    """Return what each layer of a model makes of x, in inference, by the layer's path.

    A layer that only hands on, as dropout does then, isn't in it; of one that runs several times it is the
    last result. Any style of model will do: it is watched while it runs, and not changed.
    """
    if not isinstance(model, Module):
        raise DTypeError(f"{caller}: expected a model or layer of ours; got {type(model).__name__}.")
    watch = _Results()
    with model.mode(training=False), no_grad(), watch:
        model(Tensor(x))
    below = leaves(model) or {"": model}
    paths = {path: f"{model.name}/{path}".rstrip("/") for path in below}
    return {path or model.name: watch.last[full] for path, full in paths.items() if full in watch.last}
