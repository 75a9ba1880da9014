"""Rows of a large memory map, read from its file.

A page that is missed in a map brings up to 2 MB of neighbours into the process, which have to be given back
soon, and the next row asks for them again. Reading the row from the file copies it from the same cache
of the system, brings nothing along, and was twice as fast for shuffled rows.
"""

import os
import weakref
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["file_reader"]

Rows = NDArray[np.intp]


def file_reader(array: NDArray[Any]) -> Callable[[Rows], NDArray[Any] | None] | None:
    """Return a function that reads rows of a mapped array, or None where its file can't be read beside it.

    That is so if the system doesn't tell which file it is (only Linux does), the file was replaced or removed
    since, or a row isn't one piece of it. The function gives None for rows that it can't read: numbers out of
    range, or beyond the end of a file that was cut short.
    """
    size = array[:1].nbytes
    if not size or not array[:1].flags.c_contiguous or not hasattr(os, "preadv"):
        return None
    start = array.__array_interface__["data"][0]
    if (found := _find(start)) is None:
        return None
    descriptor, shift = found
    step = array.strides[0]

    def read(rows: Rows) -> NDArray[Any] | None:
        if len(rows) and (rows.min() < 0 or rows.max() >= len(array)):
            return None
        batch = np.empty((len(rows), *array.shape[1:]), array.dtype)
        content: Any = batch.reshape(-1).view(np.uint8)
        into = memoryview(content)
        for number, place in enumerate((start - shift + rows * step).tolist()):
            at = number * size
            if os.preadv(descriptor, [into[at : at + size]], place) != size:
                return None
        return batch

    weakref.finalize(read, os.close, descriptor)
    return read


def _find(address: int) -> tuple[int, int] | None:
    """Open the file that is mapped at an address, if it is still the same.

    Returns its descriptor, and the difference between addresses and places in the file.
    """
    try:
        with open("/proc/self/maps", encoding="utf-8", errors="surrogateescape") as lines:
            for line in lines:
                span, _, offset, device, inode, *path = line.rstrip("\n").split(maxsplit=5)
                first, end = (int(part, 16) for part in span.split("-"))
                if first <= address < end:
                    break
        descriptor = os.open(path[0], os.O_RDONLY | os.O_CLOEXEC)
    except (OSError, ValueError, IndexError):
        return None
    found = os.fstat(descriptor)
    major, minor = (int(part, 16) for part in device.split(":"))
    if (found.st_ino, os.major(found.st_dev), os.minor(found.st_dev)) != (int(inode), major, minor):
        os.close(descriptor)
        return None
    return descriptor, first - int(offset, 16)
