"""Models on disk: a JSON file with the architecture, and safetensors files with the numbers.

safetensors holds arrays behind a header that is checked, and JSON holds names and numbers; neither can
make the reader run anything, so a model from a stranger is safe to open.
"""

import json
import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import ArgumentError, FileError, ShapeError
from . import losses, optimizers
from .module import build_module, describe_module
from .training import Model

__all__ = ["load_model", "read_arrays", "save_model", "write_arrays", "write_whole"]

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
    write_whole(folder / "model.json", lambda path: path.write_text(text + "\n", encoding="utf-8"))


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
    from safetensors.numpy import save_file

    contiguous = {name: np.ascontiguousarray(a).reshape(a.shape) for name, a in arrays.items()}
    write_whole(path, lambda temporary: save_file(contiguous, temporary))


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


def write_whole(path: Any, write: Callable[[Path], Any]) -> None:
    """Let ``write`` fill a temporary file beside ``path``, then give it that name.

    So whoever opens ``path`` finds the old file or the new one, never half of it. Makes the folder if need
    be; raises FileError, and leaves nothing behind, if it can't.
    """
    path = Path(path)
    temporary: Path | None = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=path.suffix, dir=path.parent)
        os.close(handle)
        temporary = Path(name)
        write(temporary)
        os.chmod(temporary, 0o666 & ~_umask())  # mkstemp lets nobody else read
        os.replace(temporary, path)
    except OSError as error:
        raise FileError(f"can't write {path}: {error.strerror or error}") from error
    finally:
        if temporary is not None:
            temporary.unlink(missing_ok=True)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def _read_json(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise FileError(f"{path}: there is no such file; expected a folder that model.save() wrote") from None
    except (OSError, ValueError, RecursionError) as error:
        raise FileError(f"{path} can't be read as JSON: {error}") from error
