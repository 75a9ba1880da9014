"""Models on disk: a JSON file with the architecture, and safetensors files with the numbers.

safetensors holds arrays behind a header that is checked, and JSON holds names and numbers; neither can
make the reader run anything, so a model from a stranger is safe to open.
"""

import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import ArgumentError, FileError, ShapeError
from ..files import writing
from . import losses, optimizers
from .module import build_module, describe_module
from .training import Model

__all__ = ["load_model", "read_arrays", "save_model", "write_arrays"]

FORMAT = "tinygrad_edu model"
VERSION = 1


def save_model(model: Model, folder: Any) -> None:
    """Write ``model.json``, ``weights.safetensors`` and, if it was trained, ``optimizer.safetensors``.

    The folder is made if need be. Raises ArgumentError for a model that isn't built, FileError if the
    folder can't be written; each file is written whole or not at all.
    """
    if not all(module.built for module in model.modules()):
        raise ArgumentError(
            f"save: {model.name} isn't built yet, so it has no weights; call it on a batch first"
        )
    folder = Path(folder)
    description: dict[str, Any] = {"format": FORMAT, "version": VERSION, "model": describe_module(model)}
    optimizer, loss = model.optimizer, model.loss
    if optimizer is not None and loss is not None:
        description["compile"] = {
            "optimizer": {"class": type(optimizer).__name__, "config": optimizer.get_config()},
            "loss": {"class": type(loss).__name__, "config": loss.get_config()},
            "metrics": [metric.name for metric in model.metrics],
        }
    try:
        text = json.dumps(description, indent=2)
    except TypeError as error:
        raise ArgumentError(f"save: {model.name} has an argument that JSON can't hold: {error}") from error
    write_arrays(folder / "weights.safetensors", model.state_dict())
    if optimizer is not None and optimizer.params:
        write_arrays(folder / "optimizer.safetensors", optimizer.state_dict())
    with writing(folder / "model.json") as file:
        file.write(f"{text}\n".encode())


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
    path = folder / "model.json"
    description = _read_json(path)
    if not isinstance(description, dict) or description.get("format") != FORMAT:
        raise FileError(f"{path} isn't the description of a tinygrad_edu model")
    if description.get("version") != VERSION:
        raise FileError(f"{path} has version {description.get('version')}, and this package reads {VERSION}")
    try:
        model = build_module(description.get("model"))
        if not isinstance(model, Model):
            raise ArgumentError(f"{type(model).__name__} isn't a model")
        weights = read_arrays(folder / "weights.safetensors")
        model.load_state_dict(weights)
        compiled = description.get("compile")
        if compiled is not None:
            model.compile(
                optimizers.get(compiled["optimizer"]), losses.get(compiled["loss"]), compiled["metrics"]
            )
            saved = folder / "optimizer.safetensors"
            if saved.exists() and model.optimizer is not None:
                model.optimizer.bind(model.parameters()).load_state_dict(read_arrays(saved))
    except (ArgumentError, ShapeError, KeyError, TypeError, AttributeError, ValueError) as error:
        raise FileError(f"{folder}: the saved model can't be built: {error}") from error
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
    except (SafetensorError, OSError, ValueError, KeyError, MemoryError) as error:
        raise FileError(f"{path} isn't a whole safetensors file: {error}") from error


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
