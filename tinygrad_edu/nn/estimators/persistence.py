"""Estimators on disk: one safetensors file, in which nothing can be run, unlike a pickle."""

from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np

from ...errors import ArgumentError, FileError, TinygradEduError, unknown_name
from ..arrays import check_free
from ..encoding import decode, encode
from ..losses import Loss
from ..metrics import Metric
from ..model import Model
from ..named import Named
from ..optimizers import Optimizer
from ..saving import model_from_json, packed_model, read_described, unpacked_model, write_described
from .labels import Labels

__all__ = ["Stored"]

FAMILIES: dict[str, type[Named]] = {f.kind: f for f in (Loss, Metric, Optimizer)}
NOTE = "tinygrad_edu estimator"
VERSION = 1


class Stored:
    """Gives an estimator ``save`` and ``load``; a subclass is found by its name."""

    _kinds: ClassVar[dict[str, type["Stored"]]] = {}

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        if cls.__module__.startswith("tinygrad_edu."):
            Stored._kinds.setdefault(cls.__name__, cls)

    def save(self, filepath: Any, overwrite: bool = True) -> None:
        """Write the estimator, its parameters and what it has learned to one file; see ``load``.

        Raises ArgumentError for a parameter that no file can hold, FileError if the file can't be written.
        """
        check_free(filepath, overwrite)
        arrays: dict[str, Any] = {}
        parameters = self._storable(self.get_params(deep=False))  # type: ignore[attr-defined]
        learned = {key: value for key, value in vars(self).items() if key not in parameters}
        description = {
            "version": VERSION,
            "class": type(self).__name__,
            "parameters": {k: _packed(v, f"parameters/{k}", arrays) for k, v in parameters.items()},
            "learned": {k: _packed(v, f"learned/{k}", arrays) for k, v in learned.items()},
        }
        write_described(filepath, NOTE, description, arrays)

    def _storable(self, parameters: dict[str, Any]) -> dict[str, Any]:
        """Return the parameters as they are saved."""
        return parameters

    @classmethod
    def load(cls, filepath: Any) -> Self:
        """Return the estimator that ``save`` wrote; nothing in the file is ever run.

        Raises FileError for a missing, damaged or foreign file, and for one that holds another class.
        """
        path = Path(filepath)
        description, arrays = read_described(path, NOTE, VERSION)
        if description is None:
            raise FileError(f"{path} holds no estimator; nn.load_model opens models")
        try:
            kind = Stored._kinds[description["class"]]
            if not issubclass(kind, cls):
                raise ArgumentError(f"it is a {kind.__name__}; load it with {kind.__name__}.load")
            estimator: Any = kind(**{k: _unpacked(v, arrays) for k, v in description["parameters"].items()})
            for key, value in description["learned"].items():
                if hasattr(kind, key):
                    raise unknown_name("attribute", key, [])
                setattr(estimator, key, _unpacked(value, arrays))
        except (TinygradEduError, KeyError, TypeError, ValueError, AttributeError) as error:
            raise FileError(f"{path}: the saved estimator can't be built: {error}") from error
        return estimator  # type: ignore[no-any-return]


def _packed(value: Any, path: str, arrays: dict[str, Any]) -> Any:
    """Return what JSON can hold of a value, and put its numbers among the arrays."""
    if isinstance(value, np.ndarray):
        if value.dtype.kind in "biuf":
            arrays[path] = value
            return {"numbers": path}
        return {"texts": encode(value.tolist()), "dtype": value.dtype.str}
    if isinstance(value, list | tuple):
        items = [_packed(item, f"{path}/{i}", arrays) for i, item in enumerate(value)]
        return {"tuple": items} if isinstance(value, tuple) else items
    if isinstance(value, dict):
        return {"dict": {str(k): _packed(v, f"{path}/{k}", arrays) for k, v in value.items()}}
    if isinstance(value, Labels):
        return {"labels": _packed(value.classes, path, arrays), "several": value.several}
    if isinstance(value, Named):
        return {"named": value.kind, "is": value.describe()}
    if isinstance(value, np.random.RandomState):
        return {"random": encode(value.get_state(legacy=False))}
    if isinstance(value, Model):
        if not value.built or any(not module.built for module in value.modules()):
            return {"layers": value.to_json()}
        description, found = packed_model(value)
        arrays |= {f"{path}/{name}": a for name, a in found.items()}
        return {"model": description, "at": path}
    return encode(value)


def _unpacked(value: Any, arrays: dict[str, Any]) -> Any:
    """Return the value that was packed."""
    match value:
        case {"numbers": str(path)}:
            return arrays[path]
        case {"texts": list(items), "dtype": str(dtype)}:
            return np.array(items, dtype="O" if dtype == "|O" else dtype)
        case {"tuple": list(items)}:
            return tuple(_unpacked(item, arrays) for item in items)
        case {"dict": dict(items)}:
            return {key: _unpacked(item, arrays) for key, item in items.items()}
        case {"labels": classes, "several": bool(several)}:
            return Labels(_unpacked(classes, arrays), several)
        case {"named": str(kind), "is": dict(described)}:
            return FAMILIES[kind].find(described)
        case {"random": state}:
            random = np.random.RandomState()
            random.set_state(decode(state))
            return random
        case {"model": dict(description), "at": str(path)}:
            below = {k.removeprefix(f"{path}/"): a for k, a in arrays.items() if k.startswith(f"{path}/")}
            return unpacked_model(description, below)
        case {"layers": str(text)}:
            return model_from_json(text)
        case list(items):
            return [_unpacked(item, arrays) for item in items]
    return decode(value)
