"""How a file is fetched, checked and put into the cache whole."""

import gzip
import hashlib
import io
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from tinygrad_edu.data.reading import GZIP, read_bounded
from tinygrad_edu.errors import FileError
from tinygrad_edu.files import writing

__all__ = ["RemoteFile", "fetch"]


@dataclass(frozen=True)
class RemoteFile:
    """A file that mirrors serve as ``name + ".gz"``; size (bytes) and MD5 are those of the unpacked content.

    The content is what is checked: mirrors pack it differently, and some servers unpack it on the way.
    """

    name: str
    size: int
    md5: str


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
