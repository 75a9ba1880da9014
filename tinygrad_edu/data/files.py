"""Where data files lie on this machine, and how one is fetched, checked and put there whole."""

import gzip
import hashlib
import io
import os
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from tinygrad_edu.errors import FileError
from tinygrad_edu.files import writing

__all__ = [
    "GZIP",
    "Readable",
    "RemoteFile",
    "cache_folder",
    "fetch",
    "find_set",
    "read_bounded",
    "user_folder",
]

GZIP = b"\x1f\x8b"  # the first two bytes of every gzip file


@dataclass(frozen=True)
class RemoteFile:
    """A file that mirrors serve as ``name + ".gz"``; size (bytes) and MD5 are those of the unpacked content.

    The content is what is checked: mirrors pack it differently, and some servers unpack it on the way.
    """

    name: str
    size: int
    md5: str


class Readable(Protocol):
    """A stream of bytes: a file, or what gzip makes of one."""

    def read(self, size: int, /) -> bytes: ...


def user_folder() -> Path | None:
    """Return the folder that ``TINYGRAD_EDU_DATA`` names, or None where it is unset.

    Raises
    ------
    FileError
        The variable names something that isn't a folder.
    """
    value = os.environ.get("TINYGRAD_EDU_DATA")
    if not value:
        return None
    folder = Path(value).expanduser()
    if not folder.is_dir():
        raise FileError(
            f"TINYGRAD_EDU_DATA is {value!r}, which is not a folder; correct the path or unset it."
        )
    return folder


def cache_folder() -> Path:
    """Return where fetched data is kept: ``$TINYGRAD_EDU_CACHE/data``, or the same in the user's cache.

    >>> cache_folder().name
    'data'
    """
    value = os.environ.get("TINYGRAD_EDU_CACHE")
    if value:
        return Path(value).expanduser() / "data"
    from platformdirs import user_cache_path

    return user_cache_path("tinygrad_edu") / "data"


def find_set(folder: Path, name: str, files: Sequence[str]) -> list[Path] | None:
    """Find the files of a set in ``folder/name`` or in ``folder`` itself, unpacked or as ``.gz``.

    A folder that holds none of them gives None.

    Raises
    ------
    FileError
        Some of the files are there and others are missing: half a set is a mistake to report, not to mend
        with another's files.
    """
    for place in (folder / name, folder):
        found = [_first_file(place, file) for file in files]
        if all(found):
            return [path for path in found if path]
        if any(found):
            missing = ", ".join(file for file, path in zip(files, found, strict=True) if path is None)
            raise FileError(
                f"{name}: {place} holds a part of the set, but not {missing} (nor the same with .gz); "
                "add what is missing or move the rest elsewhere."
            )
    return None


def _first_file(folder: Path, name: str) -> Path | None:
    # Some unpackers write the name that is stored inside the .gz: "train-images.idx3-ubyte".
    candidates = (
        folder / f"{form}{end}" for form in (name, name.replace("-idx", ".idx")) for end in ("", ".gz")
    )
    return next((path for path in candidates if path.is_file()), None)


def read_bounded(stream: Readable, limit: int) -> bytearray:
    """Read to the end, but at most ``limit + 1`` bytes: the one byte more betrays a longer stream.

    Memory grows with what really arrives, so neither a false size nor a packed bomb can claim it.

    >>> len(read_bounded(io.BytesIO(bytes(1000)), limit=10))
    11
    """
    content = bytearray()
    while chunk := stream.read(min(1 << 18, limit + 1 - len(content))):
        content += chunk
    return content


def fetch(file: RemoteFile, mirrors: Sequence[str], folder: Path) -> Path:
    """Return ``folder/file.name``, fetched from the first mirror that serves it unless it is there already.

    A mirror is a URL that the file's name is appended to. What came is unpacked and held against size and
    MD5 in memory, and only then written: the folder never holds a partial or a wrong file. A copy in it that
    has been damaged since is fetched anew.

    Raises
    ------
    FileError
        No mirror gave the right file (the message says what each one gave), or the folder can't be written.
    """
    path = folder / file.name
    if _md5(path) == file.md5:
        return path
    failures = []
    for mirror in mirrors:
        url = f"{mirror}{file.name}.gz"
        try:
            content = _download(url, file)
        except (OSError, EOFError, zlib.error) as error:  # requests' errors are OSErrors
            failures.append(f"{url}: {error}")
            continue
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise FileError(
                f"can't make the folder {folder}: {error}; set TINYGRAD_EDU_CACHE to another."
            ) from error
        with writing(path) as out:
            out.write(content)
        return path
    raise FileError("\n  ".join([f"{file.name} could not be fetched:", *failures]))


def _md5(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()
    except OSError:
        return ""  # what is missing or can't be read is fetched


def _download(url: str, file: RemoteFile) -> bytes | bytearray:
    """Fetch, unpack and check one file, all in memory."""
    from pooch import HTTPDownloader

    body = _Body(limit=file.size + 4096)  # packing adds a header and, at worst, a few bytes in each 32 KiB
    with _progress(file.name) as bar:
        HTTPDownloader(progressbar=bar, chunk_size=1 << 16, timeout=20)(url, body, None)
    content: bytes | bytearray = body.getvalue()
    if content.startswith(GZIP):
        with gzip.GzipFile(fileobj=io.BytesIO(content)) as stream:
            content = read_bounded(stream, file.size)
    md5 = hashlib.md5(content, usedforsecurity=False).hexdigest()
    if len(content) != file.size or md5 != file.md5:
        raise FileError(f"what came is another file: MD5 {md5} where {file.md5} was expected")
    return content


class _Body(io.BytesIO):
    """A buffer that refuses more bytes than the file can have."""

    def __init__(self, limit: int) -> None:
        super().__init__()
        self.limit = limit

    def write(self, chunk: bytes) -> int:  # type: ignore[override]
        if self.tell() + len(chunk) > self.limit:
            raise FileError(f"the server sends more than the {self.limit} bytes that the file can have")
        return super().write(chunk)


class _Bar(Protocol):
    """What pooch asks of a progress bar."""

    total: int

    def update(self, amount: int) -> None: ...
    def reset(self) -> None: ...
    def close(self) -> None: ...


@contextmanager
def _progress(name: str) -> Iterator[_Bar]:
    """Show a bar on standard error where somebody watches: in a terminal or a notebook, not in a log."""
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

    console = Console(stderr=True)
    columns = TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn()
    hidden = not (console.is_terminal or console.is_jupyter)
    with Progress(*columns, console=console, disable=hidden) as progress:
        task = progress.add_task(name, total=None)

        class Bar:
            total = 0

            def update(self, amount: int) -> None:
                progress.update(task, advance=amount, total=self.total or None)

            def reset(self) -> None:
                progress.reset(task)

            def close(self) -> None:
                pass  # leaving the block ends the bar, also when the download fails

        yield Bar()
