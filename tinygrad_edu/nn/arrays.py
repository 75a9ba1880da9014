"""Arrays on disk: safetensors, whose header is checked and can't make a reader run anything."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import FileError
from ..files import writing

__all__ = ["check_free", "read_arrays", "write_arrays"]

HEADER = 2**26  # bytes: more than the names and shapes of any model need


def check_free(path: Any, overwrite: bool) -> None:
    """Raise FileError if there is a file that mustn't be written over."""
    if not overwrite and Path(path).exists():
        raise FileError(f"{path} is there already, and overwrite=False")


def write_arrays(path: Any, arrays: dict[str, NDArray[Any]], notes: dict[str, str] | None = None) -> None:
    """Write arrays by name, and texts by name, to a safetensors file, whole or not at all.

    Raises FileError if it can't.
    """
    from safetensors.numpy import save

    target = Path(path)
    if target.is_dir():
        raise FileError(f"can't write {target}: it is a folder; name a file in it")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise FileError(f"can't write {target}: {error.strerror or error}") from error
    contiguous = {name: np.ascontiguousarray(a).reshape(a.shape) for name, a in arrays.items()}
    with writing(target) as file:
        file.write(save(contiguous, notes))


def read_arrays(path: Any) -> tuple[dict[str, NDArray[Any]], dict[str, str]]:
    """Read all arrays and texts of a safetensors file; raises FileError if it is missing or damaged."""
    from safetensors import SafetensorError, safe_open

    path = Path(path)
    try:
        with path.open("rb") as file:
            length = int.from_bytes(file.read(8), "little")
        if length > min(HEADER, path.stat().st_size):
            raise FileError(f"{path} isn't a whole safetensors file: it claims a header of {length:,} bytes")
        with safe_open(path, "numpy") as contents:
            names = list(contents.keys())
            return {name: contents.get_tensor(name) for name in names}, contents.metadata() or {}
    except FileError:
        raise
    except FileNotFoundError:
        raise FileError(f"{path}: there is no such file") from None
    except IsADirectoryError:
        raise FileError(f"{path} is a folder; expected a file") from None
    except (SafetensorError, OSError, ValueError, TypeError, KeyError, AttributeError, MemoryError) as error:
        raise FileError(f"{path} isn't a whole safetensors file: {error}") from None
