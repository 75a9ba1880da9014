"""The idx format, in which MNIST and its relatives are stored.

A file is a header and the numbers, all big-endian::

    0 0        two zero bytes
    T          the type: 8 uint8, 9 int8, 11 int16, 12 int32, 13 float32, 14 float64
    D          the number of dimensions
    D x uint32 the size of each dimension
    …          the elements, the last dimension running fastest

Source: Y. LeCun, C. Cortes, C. Burges, "The MNIST database of handwritten digits", section "File formats".

A header is a claim, not a fact: nothing is allocated before the claim has been held against the real length
of the file, or, when that is packed, against what really comes out of it.
"""

import gzip
import math
import os
import struct
import zlib
from os import PathLike
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tinygrad_edu.data.reading import GZIP, Readable, how_it_begins, read_bounded
from tinygrad_edu.errors import DTypeError, FileError, ShapeError
from tinygrad_edu.files import writing

__all__ = ["read_idx", "write_idx"]

_DTYPES = {
    code: np.dtype(t)
    for code, t in [(8, "u1"), (9, "i1"), (11, ">i2"), (12, ">i4"), (13, ">f4"), (14, ">f8")]
}
_CODES = {dtype.newbyteorder("="): code for code, dtype in _DTYPES.items()}
_MAX_DIMENSIONS = 64  # NumPy's own limit

# Packed data may fill this much memory whatever its ratio; beyond it, only at the ratios that real data
# reach (MNIST's images: 5). Packed zeros, which is what a bomb is made of, reach 1000.
_UNPACK_FREELY = 1 << 30
_MAX_RATIO = 20


def read_idx(path: str | PathLike[str], mmap: bool = False) -> NDArray[Any]:
    """Read an idx file, plain or packed by gzip (told by its content, not by its name).

    Parameters
    ----------
    path : path
    mmap : bool
        Map a plain file into memory, read-only, instead of reading it: rows come from the disk as they are
        used. A mapping can't swap bytes, so elements of more than one byte keep a big-endian dtype.

    Returns
    -------
    array : ndarray
        Of the shape and dtype that the file states, in the machine's byte order unless mapped.

    Raises
    ------
    FileError
        The file is missing, damaged, cut short, too long, or no idx file.

    Examples
    --------
    >>> import numpy as np, tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_idx(f"{folder}/ages.idx.gz", np.array([[7, 8], [9, 10]], np.uint8))
    ...     read_idx(f"{folder}/ages.idx.gz")
    array([[ 7,  8],
           [ 9, 10]], dtype=uint8)
    """
    path = Path(path)
    try:
        with path.open("rb") as file:
            if file.peek(2)[:2] != GZIP:
                return _read_plain(file, path, mmap)
            if mmap:
                raise FileError(
                    f"{path} is packed by gzip and can't be mapped; unpack it, or leave mmap out."
                )
            return _read_packed(file, path)
    except FileError:
        raise
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise FileError(f"{path} is damaged ({error}); fetch or copy it again.") from error
    except OSError as error:
        raise FileError(f"can't read {path}: {error.strerror or error}; check the path.") from error


def _read_plain(file: BinaryIO, path: Path, mmap: bool) -> NDArray[Any]:
    dtype, shape, start = _read_header(file, path)
    count = math.prod(shape)
    _check_length(path, os.fstat(file.fileno()).st_size - start, count, dtype, shape)
    if mmap and count:
        return np.memmap(file, dtype=dtype, mode="r", offset=start, shape=shape)
    array = np.fromfile(file, dtype, count)
    _check_length(path, array.nbytes, count, dtype, shape)  # in case it was cut while we read
    array = _native(array).reshape(shape)
    array.flags.writeable = not mmap  # nothing can't be mapped, but stands for a mapping
    return array


def _read_packed(file: BinaryIO, path: Path) -> NDArray[Any]:
    packed = os.fstat(file.fileno()).st_size
    with gzip.GzipFile(fileobj=file) as stream:
        dtype, shape, _ = _read_header(stream, path)
        count = math.prod(shape)
        promised = count * dtype.itemsize
        if promised > max(_UNPACK_FREELY, _MAX_RATIO * packed):
            raise FileError(
                f"{path} has {packed} bytes and promises {promised} when unpacked: damaged, or too much for "
                "the memory. If you trust it, unpack it with gunzip and read it with mmap=True."
            )
        content = read_bounded(stream, promised)
    _check_length(path, len(content), count, dtype, shape)
    return _native(np.frombuffer(content, dtype)).reshape(shape)


def _read_header(stream: Readable, path: Path) -> tuple[np.dtype[Any], tuple[int, ...], int]:
    """Return dtype, shape and the header's length in bytes."""
    magic = stream.read(4)
    if len(magic) < 4 or magic[:2] != b"\0\0" or magic[2] not in _DTYPES or magic[3] > _MAX_DIMENSIONS:
        magic += stream.read(20)
        raise FileError(
            f"{path} is no idx file: it {how_it_begins(magic)}. An idx file begins with 00 00, a type "
            "(08, 09, 0b to 0e) and its number of dimensions."
        )
    dtype, dimensions = _DTYPES[magic[2]], magic[3]
    sizes = stream.read(4 * dimensions)
    if len(sizes) < 4 * dimensions:
        raise FileError(
            f"{path} is cut short: it ends within its header of {dimensions} sizes; fetch it again."
        )
    shape = struct.unpack(f">{dimensions}I", sizes)
    # NumPy refuses such shapes even when another size is 0 and nothing would be stored.
    if math.prod(size for size in shape if size) * dtype.itemsize >= 1 << 63:
        raise FileError(f"{path} is damaged: its header states the impossible shape {shape}; fetch it again.")
    return dtype, shape, 4 + 4 * dimensions


def _check_length(path: Path, found: int, count: int, dtype: np.dtype[Any], shape: tuple[int, ...]) -> None:
    promised = count * dtype.itemsize
    if found != promised:
        # A packed file is read no further than one byte beyond the promise: how much more is unknown.
        kind = "is cut short" if found < promised else "has trailing bytes"
        amount = f"{found} bytes follow" if found < promised else f"more than {promised} bytes follow"
        raise FileError(
            f"{path} {kind}: its header promises shape {shape} of {dtype.name}, {promised} bytes, but "
            f"{amount}; fetch or copy it again."
        )


def _native(array: NDArray[Any]) -> NDArray[Any]:
    """Bring to the machine's byte order, in place."""
    if array.dtype.isnative:
        return array
    return array.byteswap(inplace=True).view(array.dtype.newbyteorder("="))


def write_idx(path: str | PathLike[str], array: ArrayLike) -> None:
    """Write an array as an idx file, packed by gzip when the name ends in ``.gz``.

    The file appears whole or not at all, and the same array always gives the same bytes.

    Parameters
    ----------
    path : path
    array : array of uint8, int8, int16, int32, float32 or float64, any shape

    Raises
    ------
    DTypeError
        idx has no such dtype.
    FileError
        The file can't be written.

    Examples
    --------
    >>> import numpy as np, tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_idx(f"{folder}/x.idx", np.zeros((2, 3), np.float32))
    ...     read_idx(f"{folder}/x.idx", mmap=True).shape
    (2, 3)
    """
    path = Path(path)
    array = np.asarray(array)
    code = _CODES.get(array.dtype.newbyteorder("="))
    if code is None:
        known = ", ".join(dtype.name for dtype in _CODES)
        raise DTypeError(f"write_idx: idx can't hold {array.dtype}; use array.astype() with one of {known}.")
    if any(size >= 1 << 32 for size in array.shape):
        raise ShapeError(f"write_idx: idx holds sizes below 2**32, the shape is {array.shape}.")
    header = struct.pack(f">BBBB{array.ndim}I", 0, 0, code, array.ndim, *array.shape)
    body = np.asarray(array, dtype=_DTYPES[code], order="C").reshape(-1).view(np.uint8).data
    with writing(path) as file:
        if path.suffix == ".gz":
            with gzip.GzipFile(filename="", fileobj=file, mode="wb", mtime=0) as packer:
                packer.write(header)
                packer.write(body)
        else:
            file.write(header)
            file.write(body)
