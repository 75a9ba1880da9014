"""Models on disk: a JSON file with the architecture, and safetensors files with the numbers.

safetensors holds arrays behind a header that is checked, and JSON holds names and numbers; neither can
make the reader run anything, so a model from a stranger is safe to open.
"""

import json
import warnings
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import ArgumentError, FileError, TinygradEduError
from ..files import writing
from . import losses, optimizers
from .layers.base import skeleton
from .model import Model
from .module import build_module, describe_module

__all__ = ["load_model", "read_arrays", "save_model", "write_arrays"]

FORMAT = "tinygrad_edu model"
VERSION = 1


def save_model(model: Model, folder: Any) -> None:
    """Write ``model.json``, ``weights.safetensors`` and, if it was trained, ``optimizer.safetensors``.

    The folder is made if need be, and each file is written whole or not at all. Where the loss or a metric is
    a function, they are left out with a warning. Raises ArgumentError for a model that isn't built or can't
    be described, FileError if the folder can't be written.
    """
    model.check_built("save")
    folder = Path(folder)
    if folder.exists() and not folder.is_dir():
        raise FileError(f"can't write {folder}: save() writes a folder, and this is a file")
    description: dict[str, Any] = {"format": FORMAT, "version": VERSION, "model": describe_module(model)}
    _check_described(model, description["model"])
    optimizer, loss = model.optimizer, model.loss
    if optimizer is not None and model.objective is not None and isinstance(loss, losses.Loss):
        description["compile"] = {
            "optimizer": {"class": type(optimizer).__name__, "config": optimizer.get_config()},
            "loss": {"class": type(loss).__name__, "config": loss.get_config()},
            "metrics": [metric.name for metric in model.objective.metrics],
        }
        try:
            _compile(Model(), json.loads(json.dumps(description["compile"])))
        except (TinygradEduError, TypeError) as error:
            warnings.warn(
                f"save: {model.name} is saved without its optimizer, loss and metrics, which can't be "
                f"described ({error}); call compile() again after loading",
                stacklevel=3,
            )
            del description["compile"]
    write_arrays(folder / "weights.safetensors", model.state_dict())
    state = folder / "optimizer.safetensors"
    if "compile" in description and optimizer is not None and optimizer.params:
        write_arrays(state, optimizer.state_dict())
    else:
        state.unlink(missing_ok=True)  # of a model that was saved here before
    with writing(folder / "model.json") as file:
        file.write(f"{json.dumps(description, indent=2)}\n".encode())


def _check_described(model: Model, description: dict[str, Any]) -> None:
    """Build the model anew from its description, so that what can't be loaded isn't saved."""
    try:
        with skeleton():
            again = build_module(json.loads(json.dumps(description)))
        mine = {path: w.shape for path, w in model.named_weights()}
        if {path: w.shape for path, w in again.named_weights()} != mine:
            raise ArgumentError("it comes out with other weights")
    except (TinygradEduError, TypeError) as error:
        raise ArgumentError(
            f"save: {model.name} can't be built again from its description: {error}. A layer of your own "
            "names its constructor's arguments in `fields`; where that can't be, save_weights() keeps the "
            "weights alone"
        ) from None


def _compile(model: Model, description: dict[str, Any]) -> None:
    model.compile(
        optimizers.get(description["optimizer"]), losses.get(description["loss"]), description["metrics"]
    )


def load_model(folder: Any) -> Model:
    """Build the model that was saved in a folder, with its weights, optimizer and its state.

    Layers of your own must be defined before. Raises FileError for a missing, damaged or foreign file.

    >>> import tempfile
    >>> from tinygrad_edu import nn
    >>> model = nn.Sequential([nn.Input((4,)), nn.Dense(2)])
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     model.save(folder)
    ...     same = nn.load_model(folder)
    >>> bool((same.predict([[1, 2, 3, 4]]) == model.predict([[1, 2, 3, 4]])).all())
    True
    """
    folder = Path(folder)
    if folder.is_file():
        raise FileError(f"{folder}: expected the folder that model.save() wrote, and this is a file")
    path = folder / "model.json"
    description = _read_json(path)
    if not isinstance(description, dict) or description.get("format") != FORMAT:
        raise FileError(f"{path} isn't the description of a tinygrad_edu model")
    if description.get("version") != VERSION:
        raise FileError(f"{path} has version {description.get('version')}, and this package reads {VERSION}")
    try:
        weights = read_arrays(folder / "weights.safetensors")
        with skeleton():
            model = build_module(description.get("model"))
        if not isinstance(model, Model):
            raise ArgumentError(f"{type(model).__name__} isn't a model")
        model.load_state_dict(weights)
        if description.get("compile") is not None:
            _compile(model, description["compile"])
            saved = folder / "optimizer.safetensors"
            if saved.exists() and model.optimizer is not None:
                model.optimizer.bind(model.parameters()).load_state_dict(read_arrays(saved))
    except FileError:
        raise
    except (TinygradEduError, KeyError, TypeError, AttributeError, ValueError, OverflowError) as error:
        raise FileError(f"{folder}: the saved model can't be built: {error}") from error
    except (MemoryError, RecursionError) as error:
        raise FileError(f"{folder}: the saved model is larger than what fits into memory") from error
    return model


def write_arrays(path: Any, arrays: dict[str, NDArray[Any]]) -> None:
    """Write arrays by name to a safetensors file, whole or not at all; raises FileError if it can't."""
    from safetensors.numpy import save

    contiguous = {name: np.ascontiguousarray(a).reshape(a.shape) for name, a in arrays.items()}
    with writing(made(path)) as file:
        file.write(save(contiguous))


def read_arrays(path: Any) -> dict[str, NDArray[Any]]:
    """Read all arrays of a safetensors file; raises FileError if it is missing or damaged."""
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    path = Path(path)
    if not path.is_file():
        raise FileError(f"{path}: there is no such file")
    try:
        return load_file(path)
    except (SafetensorError, OSError, ValueError, TypeError, KeyError, MemoryError) as error:
        raise FileError(f"{path} isn't a whole safetensors file: {error}") from error


def read_weights(model: Model, path: Any) -> dict[str, NDArray[Any]]:
    """Return arrays by the paths of a model's weights, from a safetensors file or one of Keras'."""
    from .keras_files import is_keras_file, read_keras_weights

    path = Path(path)
    try:
        with path.open("rb") as file:
            start = file.read(8)
    except OSError as error:
        raise FileError(
            f"{path}: there is no such file" if not path.is_file() else f"{path}: {error}"
        ) from None
    return read_keras_weights(model, path) if is_keras_file(start) else read_arrays(path)


def made(path: Any) -> Path:
    """Return a path after making the folder that it lies in; raises FileError if it can't."""
    target = Path(path)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise FileError(f"can't write {target}: {error.strerror or error}") from error
    return target


def _read_json(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise FileError(f"{path}: there is no such file; expected a folder that model.save() wrote") from None
    except (OSError, ValueError, RecursionError) as error:
        raise FileError(f"{path} can't be read as JSON: {error}") from error
