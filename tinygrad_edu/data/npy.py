"""NumPy's .npy files, opened without trusting them."""

import math
import os
from os import PathLike
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.lib import format as npy_format
from numpy.typing import NDArray

from tinygrad_edu.data.places import find_file
from tinygrad_edu.data.reading import how_it_begins
from tinygrad_edu.errors import ArgumentError, FileError, TinygradEduError

__all__ = ["read_npy"]


def read_npy(path: str | PathLike[str], *, mmap: bool = False, allow_pickle: bool = False) -> NDArray[Any]:
    """Read an array from a ``.npy`` file.

    Parameters
    ----------
    path : path
        Or a file's name in the folder that ``TINYGRAD_EDU_DATA`` names.
    mmap : bool
        Map the file into memory, read-only, instead of reading it: rows come from the disk as they are used.
    allow_pickle : bool
        An array of Python objects (dtype object) is stored as a pickle, and a pickle is a program: reading it
        can run anything on your machine. Turn this on only for a file that you made or whose maker you trust
        as you trust their code. Better, let whoever has it write the arrays one by one with ``np.save``.

    Returns
    -------
    array : ndarray

    Raises
    ------
    FileError
        The file is missing, foreign, damaged or cut short, or holds a pickle that wasn't allowed.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     np.save(f"{folder}/x.npy", np.arange(6).reshape(2, 3))
    ...     read_npy(f"{folder}/x.npy")
    array([[0, 1, 2],
           [3, 4, 5]])
    """
    path = find_file(path)
    try:
        with path.open("rb") as file:
            promised = _check(file, path)
        objects = promised is None
        if objects and mmap:
            raise ArgumentError(f"read_npy: {path} holds Python objects, which can't be mapped.")
        if objects and not allow_pickle:
            raise FileError(
                f"{path} holds Python objects as a pickle, which could run any program when it is read. If "
                "you trust whoever made it, pass allow_pickle=True; better, ask for plain arrays."
            )
        array: NDArray[Any] = np.load(
            path, mmap_mode="r" if mmap and promised else None, allow_pickle=objects
        )
    except TinygradEduError:
        raise
    except OSError as error:
        raise FileError(f"can't read {path}: {error.strerror or error}; check the path.") from error
    except Exception as error:  # a damaged header or pickle raises whatever it likes
        raise FileError(f"{path} is damaged ({error}); copy it again.") from error
    if not isinstance(array, np.ndarray):
        return _box(array)
    if mmap and not promised:
        array.flags.writeable = False  # nothing can't be mapped, but stands for a mapping
    return array


def _check(file: BinaryIO, path: Path) -> int | None:
    """Hold the header against the file's length; return how many bytes follow, or None where it is a pickle.

    A header is a claim: NumPy would set aside the memory that it states before it finds the file too short.
    """
    head = file.read(32)
    if head.startswith(b"\x80"):  # a pickle without a header, which np.load takes as well
        return None
    if not head.startswith(npy_format.MAGIC_PREFIX):
        raise FileError(f"{path} is no .npy file: it {how_it_begins(head)}.")
    file.seek(0)
    version = npy_format.read_magic(file)
    read = npy_format.read_array_header_1_0 if version == (1, 0) else npy_format.read_array_header_2_0
    shape, _, dtype = read(file)
    if dtype.hasobject:
        return None
    found = os.fstat(file.fileno()).st_size - file.tell()
    promised = math.prod(map(int, shape)) * dtype.itemsize
    if found != promised:
        kind = "is cut short" if found < promised else "has trailing bytes"
        raise FileError(
            f"{path} {kind}: its header promises shape {shape} of {dtype}, {promised} bytes, but {found} "
            "bytes follow; copy it again."
        )
    return promised


def _box(thing: object) -> NDArray[Any]:
    boxed = np.empty((), object)
    boxed[()] = thing
    return boxed
