"""Reading HDF5 files: as much of the format as Keras writes, and nothing that a file could misuse.

An HDF5 file is a tree of groups, and its leaves are arrays. Everything is found by addresses: the superblock
at the start says where the root group is; a group's header says where its names are (a B-tree, whose leaves
are "SNOD" nodes, and a heap of texts); an array's header has messages for its shape, its dtype and the place
of its numbers.

libhdf5, which h5py wraps, trusts such a file: one flipped bit can let it look for seconds or ask for all the
memory there is. Here every address and length is compared with the file's real size before it is followed,
nothing is visited twice, and only plain arrays are read: no links to other files, no compression, no types
that need converting. So a damaged file gives an error at once. The format: *HDF5 File Format Specification
Version 3.0*, The HDF Group.
"""

import math
from collections.abc import Iterator
from functools import cached_property
from struct import Struct
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import FileError

__all__ = ["SIGNATURE", "Dataset", "Group", "read_hdf5"]

SIGNATURE = b"\x89HDF\r\n\x1a\n"
NOWHERE = 2**64 - 1  # the address of what was never written
LONGEST = 256  # bytes of a name
DEEPEST = 64  # groups in groups

# The kinds of messages in an object's header.
SHAPE, DTYPE, EXTERNAL, LAYOUT, FILTERS, ATTRIBUTE, CONTINUED, NAMES = 1, 3, 7, 8, 11, 12, 16, 17
LINKS, LINK, LINKING = 2, 6, 10  # a group of the newer layout has these
NEWER = (
    "a part of this HDF5 file has the newer layout, of libver='latest', of links or of names beyond ASCII, "
    "which isn't read; Keras writes the older one"
)

# What the format says of each dtype: class and version, flags, size, then where its parts are, bit by bit.
DTYPES = {
    bytes.fromhex(text.replace(" ", "")): np.dtype(name)
    for text, name in (
        ("11 200f00 02000000 0000 1000 0a 05 00 0a 0f000000", "<f2"),
        ("11 201f00 04000000 0000 2000 17 08 00 17 7f000000", "<f4"),
        ("11 203f00 08000000 0000 4000 34 0b 00 34 ff030000", "<f8"),
        ("10 000000 01000000 0000 0800", "u1"),
        ("10 000000 02000000 0000 1000", "<u2"),
        ("10 000000 04000000 0000 2000", "<u4"),
        ("10 000000 08000000 0000 4000", "<u8"),
        ("10 080000 01000000 0000 0800", "i1"),
        ("10 080000 02000000 0000 1000", "<i2"),
        ("10 080000 04000000 0000 2000", "<i4"),
        ("10 080000 08000000 0000 4000", "<i8"),
    )
}


class _File:
    """The bytes of a file, which are only ever looked at within their bounds."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.steps = 2 * len(data)  # that reading it may take: pieces of a crafted file may overlap

    def error(self, what: str) -> FileError:
        return FileError(f"damaged HDF5 file: {what}")

    def end(self, start: int, size: int) -> int:
        """Return where a piece ends, which must be inside of the file."""
        if start + size > len(self.data):
            raise self.error(f"{size} bytes at {start} are outside of its {len(self.data)}")
        return start + size

    def piece(self, start: int, size: int) -> bytes:
        return self.data[start : self.end(start, size)]

    def numbers(self, form: str, start: int) -> tuple[Any, ...]:
        """Return the whole numbers at a place: B, H, I and Q have 1, 2, 4 and 8 bytes, x is skipped."""
        struct = Struct("<" + form)
        return struct.unpack(self.piece(start, struct.size))

    def step(self, count: int = 1) -> None:
        self.steps -= count
        if self.steps < 0:
            raise self.error("there is more in it than it has bytes for")

    def expect(self, mark: bytes, start: int) -> None:
        if self.piece(start, len(mark)) != mark:
            raise self.error(f"expected {mark!r} at {start}")

    def messages(self, address: int) -> Iterator[tuple[int, int, int]]:
        """Yield the kind, the place and the size of each message in an object's header."""
        version, total, size = self.numbers("BxH4xI", address)
        if version != 1:
            raise FileError(NEWER)
        blocks, seen = [(address + 16, size)], set()
        while blocks and total > 0:
            start, size = blocks.pop(0)
            if start in seen:
                raise self.error("a header leads back into itself")
            seen.add(start)
            end = self.end(start, size)
            while start + 8 <= end and total > 0:
                self.step()
                kind, length, flags = self.numbers("HHB", start)
                start += 8
                if start + length > end:
                    raise self.error("a message is longer than its header")
                if flags & 2 and kind in (SHAPE, DTYPE, LAYOUT):
                    raise FileError("this HDF5 file shares types between arrays, which isn't read")
                if kind == CONTINUED:
                    blocks.append(self.numbers("QQ", start))
                yield kind, start, length
                start += length
                total -= 1


class _Node:
    """A group or an array: its header's messages by kind."""

    def __init__(self, file: _File, address: int, path: str) -> None:
        self.file, self.address, self.path = file, address, path
        self.places: dict[int, tuple[int, int]] = {}
        self.attributes: list[int] = []  # where they are
        for kind, start, size in file.messages(address):
            self.places.setdefault(kind, (start, size))
            if kind == ATTRIBUTE:
                self.attributes.append(start)

    def attribute(self, name: str) -> str | None:
        """Return the text that is kept under a name beside the object, or None."""
        file = self.file
        for start in self.attributes:
            file.step()
            version, named, dtype, shape = file.numbers("BxHHH", start)
            if version != 1 or named != len(name) + 1:
                continue
            if file.piece(start + 8, named).rstrip(b"\0") != name.encode():
                continue
            first, second, third = (-(-size // 8) * 8 for size in (named, dtype, shape))
            if file.piece(start + 8 + first, 1)[0] & 15 != 9:  # a text of any length, kept in a heap
                return None
            size, heap, index = file.numbers("IQI", start + 8 + first + second + third)
            return self._text(heap, index, size)
        return None

    def _text(self, heap: int, index: int, size: int) -> str:
        file = self.file
        file.expect(b"GCOL\1", heap)
        (total,) = file.numbers("Q", heap + 8)
        end = file.end(heap, total)
        start = heap + 16
        while start + 16 <= end:
            file.step()
            number, length = file.numbers("H6xQ", start)
            if number == index:
                return file.piece(start + 16, min(size, length, LONGEST)).decode("utf-8", "replace")
            if number == 0:
                break
            start += 16 + -(-length // 8) * 8
        raise file.error("a text isn't in its heap")


class Dataset(_Node):
    """An array in the file."""

    def __init__(self, file: _File, address: int, path: str) -> None:
        super().__init__(file, address, path)
        if FILTERS in self.places or EXTERNAL in self.places:
            what = "compressed" if FILTERS in self.places else "kept in another file"
            raise FileError(f"{path} is {what}, which isn't read; Keras writes plain arrays")
        self.shape = self._shape()
        start, size = self._place(DTYPE)
        known = (dtype for text, dtype in DTYPES.items() if file.piece(start, size).startswith(text))
        dtype = next(known, None)
        if dtype is None:
            raise FileError(f"{path} doesn't hold floats or whole numbers of an ordinary kind")
        self.dtype: np.dtype[Any] = dtype

    def _place(self, kind: int) -> tuple[int, int]:
        if kind not in self.places:
            raise self.file.error(f"{self.path} has no shape, dtype or place")
        return self.places[kind]

    def _shape(self) -> tuple[int, ...]:
        start, size = self._place(SHAPE)
        version, rank = self.file.numbers("BB", start)
        first = {1: 8, 2: 4}.get(version)
        if first is None or rank > 32 or first + 8 * rank > size:
            raise self.file.error(f"{self.path} has no ordinary shape")
        return self.file.numbers(f"{rank}Q", start + first)

    def read(self) -> NDArray[Any]:
        """Return the array; its memory is the file's, and can't be written."""
        file, start = self.file, self._place(LAYOUT)[0]
        version, kind = file.numbers("BB", start)
        if (version, kind) != (3, 1):
            raise FileError(f"{self.path} is stored in pieces, which isn't read; Keras writes plain arrays")
        address, size = file.numbers("QQ", start + 2)
        count = math.prod(self.shape)
        if count * self.dtype.itemsize != size or (address == NOWHERE and count):
            raise file.error(f"{self.path} of shape {self.shape} has {size} bytes")
        if not count:
            return np.zeros(self.shape, self.dtype)
        file.end(address, size)
        return np.frombuffer(file.data, self.dtype, count, address).reshape(self.shape)


class Group(_Node):
    """A group: ``names`` has what is in it, ``group[name]`` is a Group or a Dataset."""

    @cached_property
    def names(self) -> dict[str, int]:
        """The headers' addresses by name, in order."""
        file = self.file
        if NAMES not in self.places:
            raise FileError(f"{self.path or '/'}: {NEWER}")
        tree, heap = file.numbers("QQ", self.places[NAMES][0])
        file.expect(b"HEAP\0", heap)
        size, texts = file.numbers("Q8xQ", heap + 8)
        file.end(texts, size)
        found: dict[str, int] = {}
        for start in self._leaves(tree):
            file.step()
            offset, header, kind = file.numbers("QQI", start)
            if kind == 2:
                raise FileError(f"{self.path or '/'} has a link instead of an array, which isn't followed")
            last = texts + min(size, offset + LONGEST)
            end = file.data.find(b"\0", texts + offset, last) if offset < size else -1
            if end < 0:
                raise file.error(f"a name in {self.path or '/'} is missing or longer than {LONGEST} bytes")
            found[file.data[texts + offset : end].decode("utf-8", "replace")] = header
        return found

    def _leaves(self, tree: int) -> Iterator[int]:
        """Yield the place of each entry below a node of the B-tree."""
        file, waiting, seen = self.file, [tree], set()
        while waiting:
            node = waiting.pop(0)
            if node in seen:
                raise file.error(f"the names of {self.path or '/'} lead back into themselves")
            seen.add(node)
            if file.piece(node, 4) == b"SNOD":
                (count,) = file.numbers("H", node + 6)
                yield from range(node + 8, file.end(node + 8, 40 * count), 40)
                continue
            file.expect(b"TREE\0", node)
            (count,) = file.numbers("H", node + 6)
            file.step(count)
            children = file.numbers("8xQ" * count, node + 24)
            waiting = [*children, *waiting]

    def __contains__(self, name: str) -> bool:
        return name in self.names

    def __getitem__(self, name: str) -> "Group | Dataset":
        """Return what is under a name; raises KeyError if there is nothing."""
        address, path = self.names[name], f"{self.path}/{name}"
        if path.count("/") > DEEPEST:
            raise self.file.error(f"groups in groups, more than {DEEPEST}")
        kinds = {kind for kind, _, _ in self.file.messages(address)}
        is_group = kinds & {NAMES, LINKS, LINK, LINKING}
        return Group(self.file, address, path) if is_group else Dataset(self.file, address, path)


def read_hdf5(data: bytes) -> Group:
    """Return the root group of an HDF5 file's bytes; raises FileError for what isn't one.

    Groups and arrays are looked at when they are asked for; each raises FileError for what is damaged.
    """
    file = _File(data)
    if not data.startswith(SIGNATURE):
        raise FileError("this isn't an HDF5 file")
    version, offsets, lengths = file.numbers("B4xBB", 8)
    if version != 0 or (offsets, lengths) != (8, 8):
        raise FileError(NEWER)
    base, _, end = file.numbers("QQQ", 24)
    if base != 0 or end > len(data):
        raise file.error(f"it should have {end} bytes, and has {len(data)}")
    return Group(file, file.numbers("Q", 64)[0], "")
