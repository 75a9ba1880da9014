"""What all readers of files share: a bound on what is read, and a word on what a foreign file looks like."""

from typing import Protocol

__all__ = ["GZIP", "Readable", "how_it_begins", "read_bounded"]

GZIP = b"\x1f\x8b"  # the first two bytes of every gzip file

# What turns up under the name of a data file, by how it begins.
_FOREIGN = {
    b"<": "a web page, perhaps saved in place of the download",
    b"PK": "a zip archive",
    GZIP: "a gzip file, perhaps inside another one",
    b"\x93NUMPY": "a NumPy .npy file",
    b"version https://git-lfs": "a Git LFS pointer, not the file itself",
}


class Readable(Protocol):
    """A stream of bytes: a file, or what gzip makes of one."""

    def read(self, size: int, /) -> bytes: ...


def read_bounded(stream: Readable, limit: int) -> bytearray:
    """Read to the end, but at most ``limit + 1`` bytes: the one byte more betrays a longer stream.

    Memory grows with what really arrives, so neither a false size nor a packed bomb can claim it.

    >>> import io
    >>> len(read_bounded(io.BytesIO(bytes(1000)), limit=10))
    11
    """
    content = bytearray()
    while chunk := stream.read(min(1 << 18, limit + 1 - len(content))):
        content += chunk
    return content


def how_it_begins(head: bytes) -> str:
    """Say how a file begins, and what kind of file that looks like, for an error about a foreign one.

    >>> how_it_begins(b"<!DOCTYPE html>")
    'begins with 3c 21 44 4f 43 54 59 50, which looks like a web page, perhaps saved in place of the download'
    """
    if not head:
        return "is empty"
    looks = next(
        (f", which looks like {what}" for start, what in _FOREIGN.items() if head.startswith(start)), ""
    )
    return f"begins with {head[:8].hex(' ')}{looks}"
