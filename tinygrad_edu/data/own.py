"""Arrays from files of the user's own, under whatever form a course left them."""

from collections.abc import Mapping
from os import PathLike
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinygrad_edu.data.npy import read_npy
from tinygrad_edu.data.places import find_file
from tinygrad_edu.data.tables import read_csv
from tinygrad_edu.errors import DataError

__all__ = ["Source", "check_whole", "read_pair"]

Source = str | PathLike[str]

_X_KEYS = ("x", "X", "images", "data")
_Y_KEYS = ("y", "Y", "labels", "masks", "target", "targets")


def read_pair(
    caller: str, x: Source, y: Source | None, allow_pickle: bool
) -> tuple[NDArray[Any], NDArray[Any]]:
    """Read features and labels: from two files, or from one that holds both as Python objects.

    Such a file is a pickle, so it takes ``allow_pickle``: a dictionary with "x" and "y" (or "images" and
    "labels", "data" and "target"), or the two in a list.

    Raises
    ------
    FileError, DataError
        A file can't be read, or labels are missing.
    """
    features = _read(x, allow_pickle)
    if y is not None:
        labels = _read(y, allow_pickle)
    elif features.dtype == object:
        features, labels = _both(caller, x, features)
    else:
        raise DataError(f"{caller}: {x} has no labels with it; pass the file of the labels as well.")
    for path, array in ((x, features), (y or x, labels)):
        if array.dtype == object:
            raise DataError(f"{caller}: {path} holds Python objects that aren't arrays of one shape.")
    if labels.shape[1:] == (1,):
        labels = labels[:, 0]
    return features, labels


def _read(path: Source, allow_pickle: bool) -> NDArray[Any]:
    found = find_file(path)
    if ".csv" not in found.suffixes:
        return read_npy(found, allow_pickle=allow_pickle)
    return np.column_stack(list(read_csv(found).values()))


def _both(caller: str, path: Source, stored: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
    inside = stored.item() if stored.size == 1 else list(stored)
    if isinstance(inside, Mapping):
        x, y = (next((inside[k] for k in keys if k in inside), None) for keys in (_X_KEYS, _Y_KEYS))
    elif isinstance(inside, list | tuple) and len(inside) == 2:
        x, y = inside
    else:
        x = y = None
    if x is None or y is None:
        raise DataError(
            f"{caller}: {path} holds {type(inside).__name__}, in which features and labels aren't to be "
            "found; save them as two .npy files."
        )
    try:
        return np.asarray(x), np.asarray(y)
    except ValueError as error:
        raise DataError(f"{caller}: {path} holds lists that are no arrays ({error}).") from error


def check_whole(name: str, path: Source, found: tuple[int, ...], whole: tuple[int, ...]) -> None:
    """Refuse a part of a set where the whole is looked for: nobody asked for less.

    >>> check_whole("wine_quality", "wine.csv", (1599, 11), (1599, 11))
    """
    if found != whole:
        raise DataError(
            f"{name}: {path} holds {found} values where the set has {whole}; put the whole file there, or "
            "pass its path to open it as it is."
        )
