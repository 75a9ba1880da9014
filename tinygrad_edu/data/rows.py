"""Rows: of arrays and maps by their numbers, and one after the other from whatever gives them."""

import mmap
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Set
from itertools import islice
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinygrad_edu.data.mapped import file_reader
from tinygrad_edu.errors import DataError

__all__ = ["arrays_of", "each", "is_source", "named", "stacked", "taker"]

_LARGE = 64 << 20  # bytes of a map that may stay in memory
_AT_ONCE = 32  # rows; a page that is missed brings up to 2 MB with it


def arrays_of(value: Any) -> Any:
    """Make an array, or a tuple or list of arrays when the value is one.

    A list of plain numbers or of lists is data for a single array, not several inputs.
    """
    if isinstance(value, tuple | list) and value and all(getattr(item, "ndim", 0) > 0 for item in value):
        return each(np.asarray, value)
    return np.asarray(value)


def each(function: Callable[[Any], Any], arrays: Any) -> Any:
    """Apply to an array, or to each of a tuple or list of them."""
    if isinstance(arrays, tuple | list):
        done = [function(array) for array in arrays]
        return tuple(done) if isinstance(arrays, tuple) else done
    return function(arrays)


def named(name: str, arrays: Any) -> dict[str, NDArray[Any]]:
    """Name each array for an error message."""
    if isinstance(arrays, tuple | list):
        return {f"{name}[{number}]": array for number, array in enumerate(arrays)}
    return {name: arrays}


def taker(array: NDArray[Any]) -> Callable[[NDArray[np.intp] | slice], NDArray[Any]]:
    """Return the function that copies rows of an array into native byte order.

    What there is to know of the array is looked up once: a small network's step takes little longer.

    Fancy indexing, since ``ndarray.take`` copies a map whole when its elements aren't aligned, which those
    behind an idx header often aren't. Sorting the rows and putting them back afterwards made warm maps a
    fifth slower and cold ones no faster.

    Of a large map, rows in any order are read from its file. Where that can't be done, its pages are given
    back to the system as soon as they were read, since an epoch would otherwise gather the whole file in this
    process' memory.
    """
    native = array.dtype.newbyteorder("=")
    pages = _pages(array)
    read = None if pages is None else file_reader(array)

    def of_memory(rows: NDArray[np.intp] | slice) -> NDArray[Any]:
        return np.array(array[rows], dtype=native, copy=isinstance(rows, slice) or None)

    def of_map(rows: NDArray[np.intp] | slice) -> NDArray[Any]:
        assert pages is not None
        if isinstance(rows, slice):
            rows = np.arange(*rows.indices(len(array)))
        elif read is not None and (batch := read(rows)) is not None:
            return batch.astype(native, copy=False)
        batch = np.empty((len(rows), *array.shape[1:]), native)
        for start in range(0, len(rows), _AT_ONCE):
            part = slice(start, start + _AT_ONCE)
            batch[part] = array[rows[part]]
            pages.madvise(mmap.MADV_DONTNEED)
        return batch

    return of_memory if pages is None else of_map


def _pages(array: Any) -> mmap.mmap | None:
    """Return the map behind an array if its pages can be dropped without loss and it is large."""
    whole = None
    while isinstance(array, np.ndarray):
        whole, array = array, array.base
    # What was written into a copy-on-write map lives in its pages alone.
    if isinstance(array, mmap.mmap) and len(array) > _LARGE and getattr(whole, "mode", "c") == "r":
        return array if hasattr(mmap, "MADV_DONTNEED") else None
    return None


# --- Rows one after the other ----------------------------------------------------------------------------


def is_source(value: Any) -> bool:
    """Tell whether rows come one after the other, from an iterator, an iterable or a function.

    >>> is_source(iter([1, 2])), is_source(lambda: iter([1, 2])), is_source([1, 2])
    (True, True, False)
    """
    if hasattr(value, "__array__") or isinstance(value, Sequence | Mapping | Set):
        return False
    return callable(value) or isinstance(value, Iterable)


def stacked(rows: Iterator[Any], size: int, drop_last: bool) -> Iterator[Any]:
    """Gather rows into batches; a tuple is a row of several parts.

    Raises
    ------
    DataError
        A row has other parts, or another shape, than the first of its batch, or isn't made of numbers.

    >>> list(stacked(iter([(1, "a"), (2, "b"), (3, "c")]), size=2, drop_last=True))
    [(array([1, 2]), array(['a', 'b'], dtype='<U1'))]
    """
    number = 0
    while held := list(islice(rows, size)):
        if len(held) < size and drop_last:
            return
        yield _stack(held, number)
        number += len(held)


def _stack(rows: list[Any], number: int) -> Any:
    """Stack rows, of which the first has the given number."""
    if any(isinstance(row, tuple) for row in rows):
        lengths = [len(row) if isinstance(row, tuple) else 0 for row in rows]
        for at, length in enumerate(lengths):
            if length != lengths[0] or not length:
                raise DataError(
                    f"DataLoader: row {number} of the source has {_parts(lengths[0])} but row {number + at} "
                    f"has {_parts(length)}; each must be alike, such as (x, y)."
                )
        return tuple(_stack(list(part), number) for part in zip(*rows, strict=True))
    arrays: list[NDArray[Any]] = []
    for at, row in enumerate(rows):
        try:
            array = np.asarray(row)
        except ValueError as error:
            raise DataError(f"DataLoader: row {number + at} of the source is no array: {error}") from error
        if array.dtype == object:
            raise DataError(
                f"DataLoader: row {number + at} of the source holds {type(row).__name__} objects where "
                "numbers are needed, or a tuple of them."
            )
        if array.shape != np.shape(arrays[0] if arrays else array):
            raise DataError(
                f"DataLoader: row {number} of the source is {arrays[0].shape} but row {number + at} is "
                f"{array.shape}; bring them to one shape, or give whole batches with batch_size=None."
            )
        arrays.append(array)
    return np.stack(arrays)


def _parts(count: int) -> str:
    return f"{count} parts" if count else "no parts"
