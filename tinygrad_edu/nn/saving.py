"""Models on disk: one file with everything that training goes on from.

It is a safetensors file: arrays behind a header that is checked. "model/…" are the weights by their paths,
"optimizer/…" the slots of the optimizer. A text beside them, JSON, describes the architecture, what
``compile`` was told, and the states of the random generators. Neither can make the reader run anything, so a
model from a stranger is safe to open.
"""

import json
import warnings
import zlib
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from ..errors import ArgumentError, FileError, TinygradEduError
from .arrays import check_free, read_arrays, write_arrays
from .description import build_module, describe_module, skeleton
from .keras_files import is_keras_file, read_keras_weights
from .model import Model
from .named import FUNCTIONS, custom_object_scope
from .training_state import describe_random, describe_training, restore_random, restore_training

__all__ = [
    "clone_model", "custom_object_scope", "load_model", "model_from_json", "register_keras_serializable",
    "save_model",
]  # fmt: skip

NOTE = "tinygrad_edu model"
VERSION = 2
LARGEST = 2**24  # characters of a description

Arrays = dict[str, NDArray[Any]]
T = TypeVar("T", bound=Callable[..., Any])


def save_model(model: Model, filepath: Any, overwrite: bool = True) -> None:
    """Write a model with its weights, what ``compile`` was told, the optimizer's state and the generators'.

    ``filepath`` may end in anything. The file is written whole or not at all, and not over another without
    ``overwrite``. Where the loss or a metric is a
    function that isn't registered, the model is saved without what ``compile`` was told, with a warning.
    Raises ArgumentError for a model that isn't built or can't be described, FileError if the file can't be
    written.
    """
    check_free(filepath, overwrite)
    write_described(filepath, NOTE, *packed_model(model))


def packed_model(model: Model) -> tuple[dict[str, Any], Arrays]:
    """Return what describes a model, as JSON can hold it, and its arrays by name; see ``save_model``."""
    model.check_built("save")
    description = {"version": VERSION, "model": _checked_description(model)}
    arrays = {f"model/{path}": w.data for path, w in model.named_weights()}
    if model.optimizer is not None and model.objective is not None:
        try:
            told, slots = describe_training(model)
            told = json.loads(_json(told))
            restore_training(Model(), told | {"params": []}, {})
            description["compile"] = told
            arrays |= {f"optimizer/{name}": array for name, array in slots.items()}
        except (TinygradEduError, TypeError) as error:
            warnings.warn(
                f"save: {model.name} is saved without its optimizer, loss and metrics, which can't be "
                f"described ({error}); call compile() again after loading",
                stacklevel=4,
            )
    description["random"] = describe_random(model)
    return description, arrays


def write_described(filepath: Any, note: str, description: Any, arrays: Arrays) -> None:
    """Write arrays with a description of them and a checksum over both, which ``read_described`` asks for."""
    description = json.loads(_json(description))
    write_arrays(filepath, arrays, {note: _json(description | {"checksum": _checksum(description, arrays)})})


def _checked_description(model: Model) -> dict[str, Any]:
    """Describe a model, and build it anew from that, so that what can't be loaded isn't saved."""
    try:
        description: dict[str, Any] = json.loads(_json(describe_module(model)))
        with skeleton(model.count_params()):
            again = build_module(description)
        mine, theirs = ({path: w.shape for path, w in m.named_weights()} for m in (model, again))
        if mine != theirs:
            missing = next((path for path in mine if mine[path] != theirs.get(path)), None)
            raise ArgumentError(
                f"it comes out with other weights, {len(theirs)} instead of {len(mine)}"
                + (f", and '{missing}' isn't among them" if missing else "")
            )
    except (TinygradEduError, TypeError, ValueError) as error:
        raise ArgumentError(
            f"save: {model.name} can't be built again from its description: {error}. A layer or model of "
            "your own names its constructor's arguments in `fields`, and keeps them as attributes; else "
            "save_weights() keeps the weights alone"
        ) from None
    return description


def load_model(
    filepath: Any,
    custom_objects: Mapping[str, Any] | None = None,
    compile: bool = True,
    safe_mode: bool = True,
) -> Model:
    """Build the model that ``model.save`` wrote: its weights, optimizer and generators are as they were.

    So ``fit(..., initial_epoch=5, epochs=10)`` after it gives, bit for bit, the weights that 10 epochs in one
    run would have given. The model draws from its own generator then, as it was saved, and not from the
    default one; ``model.generator = None`` changes that.

    Parameters
    ----------
    filepath
        The file, whatever its ending.
    custom_objects
        Layers, models, losses and metrics of your own by the names they were saved under. Most need not be
        here: classes are known by their names once they are defined.
    compile
        False leaves out the optimizer, the loss and the metrics.
    safe_mode
        Must be True: nothing in a file is ever run.

    Raises FileError for a missing, damaged or foreign file. A file of Keras itself holds weights for
    ``model.load_weights``.

    >>> import tempfile
    >>> from tinygrad_edu import nn
    >>> model = nn.Sequential([nn.Input((4,)), nn.Dense(2)])
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     model.save(f"{folder}/small.safetensors")
    ...     same = nn.load_model(f"{folder}/small.safetensors")
    >>> bool((same.predict([[1, 2, 3, 4]]) == model.predict([[1, 2, 3, 4]])).all())
    True
    """
    if not safe_mode:
        raise ArgumentError("load_model: there is no unsafe mode; code isn't read from files")
    path = Path(filepath)
    if _is_keras(path):
        raise FileError(
            f"{path} is a file of Keras itself. Build the same model here, and call model.load_weights(path)"
        )
    description, arrays = _contents(path)
    if description is None:
        raise FileError(f"{path} has arrays alone; build the model, and call model.load_weights(path)")
    try:
        with custom_object_scope(custom_objects or {}):
            return unpacked_model(description, arrays, compile)
    except Exception as error:  # a description can let constructors fail in any way
        raise FileError(f"{path}: the saved model can't be built: {error}") from error


def unpacked_model(description: Mapping[str, Any], arrays: Arrays, compile: bool = True) -> Model:
    """Build the model that ``packed_model`` described; what is wrong with a description raises anything."""
    model = _model(description, _below("model/", arrays))
    if compile and "compile" in description:
        restore_training(model, description["compile"], _below("optimizer/", arrays))
    restore_random(model, description["random"])
    return model


def _model(description: Mapping[str, Any], weights: Arrays) -> Model:
    with skeleton(sum(a.size for a in weights.values())):
        model = build_module(description["model"])
    if not isinstance(model, Model):
        raise ArgumentError(f"{type(model).__name__} isn't a model")
    model.load_state_dict(weights)
    return model


def read_weights(model: Model, filepath: Any) -> Arrays:
    """Return arrays by the paths of a model's weights, from a file of ours or of Keras'."""
    path = Path(filepath)
    if _is_keras(path):
        return read_keras_weights(model, path)
    description, arrays = _contents(path)
    return arrays if description is None else _below("model/", arrays)


def _is_keras(path: Path) -> bool:
    with nullcontext() if not path.is_file() else path.open("rb") as file:
        return file is not None and is_keras_file(file.read(8))


def _contents(path: Path) -> tuple[dict[str, Any] | None, Arrays]:
    return read_described(path, NOTE, VERSION)


def read_described(path: Path, note: str, reads: int) -> tuple[dict[str, Any] | None, Arrays]:
    """Return the description under a name, if there is one, and the arrays of a safetensors file."""
    arrays, notes = read_arrays(path)
    text = notes.get(note)
    if text is None:
        return None, arrays
    if len(text) > LARGEST:
        raise FileError(f"{path}: a description of {len(text):,} characters is more than any model needs")
    try:
        description = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise FileError(f"{path}: its description can't be read: {error}") from None
    version = description.get("version") if isinstance(description, dict) else None
    if version != reads:
        raise FileError(f"{path} has version {version!r:.20}, and this package reads {reads}")
    if description.pop("checksum", None) != _checksum(description, arrays):
        raise FileError(f"{path} is damaged: its numbers or its description aren't those that were saved")
    return description, arrays


def _checksum(description: Mapping[str, Any], arrays: Arrays) -> int:
    """Return a number that changes with any of what was saved."""
    found = zlib.crc32(_json(description).encode())
    for name, a in sorted(arrays.items()):
        found = zlib.crc32(f"{name} {a.dtype} {a.shape}".encode(), found)
        found = zlib.crc32(np.ascontiguousarray(a).reshape(-1).view(np.uint8).data, found)
    return found


def _below(prefix: str, arrays: Arrays) -> Arrays:
    return {name.removeprefix(prefix): a for name, a in arrays.items() if name.startswith(prefix)}


def _json(value: Any, **options: Any) -> str:
    def plain(item: Any) -> Any:
        if isinstance(item, np.generic):
            return item.item()
        raise ArgumentError(f"a {type(item).__name__} can't be written to a file: {item!r:.60}")

    return json.dumps(value, default=plain, **options)


# -- the architecture alone ----------------------------------------------------------------------------------


def model_to_json(model: Model, **options: Any) -> str:
    """Return the architecture as a text; see ``Model.to_json``."""
    return _json(describe_module(model), **options)


def model_from_json(json_string: str, custom_objects: Mapping[str, Any] | None = None) -> Model:
    """Build a model, with new weights, from what ``model.to_json()`` gave.

    Raises ArgumentError for a text that describes no model.

    >>> from tinygrad_edu import nn
    >>> model = nn.Sequential([nn.Input((4,)), nn.Dense(2)])
    >>> nn.models.model_from_json(model.to_json()).count_params()
    10
    """
    try:
        with custom_object_scope(custom_objects or {}):
            model = build_module(json.loads(json_string))
    except TinygradEduError:
        raise
    except Exception as error:
        raise ArgumentError(f"model_from_json: {error}") from error
    if not isinstance(model, Model):
        raise ArgumentError(f"model_from_json: {type(model).__name__} isn't a model")
    return model


def clone_model(model: Model) -> Model:
    """Build the same model with new weights, and without what ``compile`` was told.

    >>> from tinygrad_edu import nn
    >>> model = nn.Sequential([nn.Input((4,)), nn.Dense(2)])
    >>> clone = nn.models.clone_model(model)
    >>> clone.count_params(), clone.weights[0] is model.weights[0]
    (10, False)
    """
    return model_from_json(model_to_json(model))


def register_keras_serializable(package: str = "Custom", name: str | None = None) -> Callable[[T], T]:
    """Let a function or class of your own be found by its name when a model is loaded.

    Functions need it: losses, metrics, activations. Classes are registered when they are defined, so for
    them it changes nothing, as ``package`` doesn't.

    >>> from tinygrad_edu import nn
    >>> @nn.saving.register_keras_serializable(package="mine")
    ... def off_by_one(y_true, y_pred):
    ...     return (y_true - y_pred - 1) ** 2
    """

    def register(thing: T) -> T:
        if not isinstance(thing, type):
            FUNCTIONS[name or thing.__name__] = thing
        return thing

    return register
