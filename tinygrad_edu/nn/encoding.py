"""Arguments as JSON can hold them, and back: numbers and texts, lists, tuples, dicts, slices, arrays."""

from collections.abc import Callable
from typing import Any

import numpy as np

from ..errors import ArgumentError
from ..tensor import Tensor

__all__ = ["decode", "encode"]


def encode(value: Any, symbol: Callable[[Any], Any] | None = None) -> Any:
    """Return what JSON can hold of a value; ``symbol`` says what stands for anything else.

    Raises ArgumentError for what can't be written.

    >>> encode((slice(None, 2), ..., [1]))
    {'tuple': [{'slice': [None, 2, None]}, {'ellipsis': True}, [1]]}
    """
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, list):
        return [encode(item, symbol) for item in value]
    if isinstance(value, tuple):
        return {"tuple": [encode(item, symbol) for item in value]}
    if isinstance(value, dict):
        return {"dict": {str(key): encode(item, symbol) for key, item in value.items()}}
    if isinstance(value, slice):
        return {"slice": [encode(part, symbol) for part in (value.start, value.stop, value.step)]}
    if value is ...:
        return {"ellipsis": True}
    if isinstance(value, np.dtype | type):
        return {"dtype": np.dtype(value).name}
    if isinstance(value, Tensor | np.ndarray):
        return {"array": np.asarray(value).tolist(), "of": str(value.dtype)}
    if symbol is not None:
        return {"symbol": symbol(value)}
    raise ArgumentError(f"can't be written to a file: {value!r}")


def decode(value: Any, symbol: Callable[[Any], Any] | None = None) -> Any:
    """Return the value that ``encode`` described.

    Raises ArgumentError for what it doesn't write.

    >>> decode({"tuple": [{"slice": [None, 2, None]}, 1]})
    (slice(None, 2, None), 1)
    """
    if isinstance(value, list):
        return [decode(item, symbol) for item in value]
    if not isinstance(value, dict):
        return value
    match value:
        case {"tuple": list(items)}:
            return tuple(decode(item, symbol) for item in items)
        case {"dict": dict(items)}:
            return {key: decode(item, symbol) for key, item in items.items()}
        case {"slice": [start, stop, step]}:
            return slice(*(decode(part, symbol) for part in (start, stop, step)))
        case {"ellipsis": True}:
            return ...
        case {"dtype": str(name)}:
            return _plain(name)
        case {"array": items, "of": str(name)}:
            return np.array(items, dtype=_plain(name))
        case {"symbol": key} if symbol is not None:
            return symbol(key)
    raise ArgumentError(f"expected an argument as it is saved, got {value!r}")


def _plain(name: str) -> np.dtype[Any]:
    """Return a dtype of numbers; texts and records could be of any size."""
    dtype = np.dtype(name)
    if dtype.kind not in "biuf":
        raise ArgumentError(f"expected a dtype of numbers, got {name!r}")
    return dtype
