"""Indices: what may stand in x[...], and which places it names."""

import math
from types import EllipsisType
from typing import Any

import numpy as np

from ..errors import IndexingError
from ..tensor import Tensor

Shape = tuple[int, ...]


def plain(index: Any) -> Any:
    """Return an index without Tensors and lists, copied: it is needed again, as it is now."""
    return tuple([_part(i) for i in index]) if isinstance(index, tuple) else _part(index)


def _part(i: Any) -> Any:
    if i is None or i is Ellipsis or isinstance(i, slice | int | np.integer):
        return i
    try:
        array = np.array(i.data if isinstance(i, Tensor) else i)
    except ValueError as error:
        raise IndexingError(f"an index must be an array of whole numbers or bools: {error}") from None
    if array.size == 0 and isinstance(i, list | tuple):
        array = array.astype(np.intp)  # NumPy makes an empty list float64
    if array.dtype.kind not in "iub":
        raise IndexingError(
            f"an index must be of whole numbers or bools, got {array.dtype}; convert it: index.astype(int)"
        )
    return array


def whole(indices: Any) -> Any:
    """Return the indices as an array, without Tensors and lists; a mask isn't one."""
    array = np.asarray(_part(indices))
    if array.dtype.kind not in "iu":
        raise IndexingError(f"indices must be whole numbers, got {array.dtype}; x[mask] picks with a mask")
    return array


def names_once(index: Any) -> bool:
    """Tell whether an index can't name a place twice, since it has no array of whole numbers."""
    return all(
        i is None
        or isinstance(i, slice | int | np.integer | EllipsisType)
        or (isinstance(i, np.ndarray) and i.dtype == bool)
        for i in (index if isinstance(index, tuple) else (index,))
    )


def along_one_axis(index: Any) -> tuple[int, Any] | None:
    """Return (axis, places) if an index is one array of whole numbers, after nothing but full slices."""
    *before, places = index if isinstance(index, tuple) and index else (index,)
    if not isinstance(places, np.ndarray) or places.dtype.kind not in "iu":
        return None
    if not all(isinstance(i, slice) and i == slice(None) for i in before):
        return None
    return len(before), places.astype(np.intp, copy=False)


def shape_at(shape: Shape, index: Any) -> Shape:
    """Return the shape that an index picks from arrays of a shape."""
    return np.shape(np.broadcast_to(np.False_, shape)[index])


def numbers_at(shape: Shape, index: Any) -> Any:
    """Return the number, in row-major order, of each element that an index picks from arrays of a shape."""
    numbers, step = np.broadcast_to(np.intp(0), shape)[index], 1
    for axis in reversed(range(len(shape))):
        along = np.arange(shape[axis]).reshape(-1, *[1] * (len(shape) - 1 - axis)) * step
        numbers = numbers + np.broadcast_to(along, shape)[index]
        step *= shape[axis]
    return np.asarray(numbers)


def lasting(shape: Shape, index: Any) -> Any:
    """Return, for each place that an index names, whether it isn't named again after that."""
    order = np.arange(math.prod(places := shape_at(shape, index))).reshape(places)
    last = np.zeros(shape, np.intp)
    last[index] = order
    return last[index] == order
