"""Downloads by HTTP: with progress, a time-out, a bound on what is taken, and going on where a line broke."""

import io
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Protocol

from tinygrad_edu.errors import FileError

__all__ = ["download", "watching_console"]

TIMEOUT = 20  # seconds without a byte
_ATTEMPTS = 8


def download(url: str, limit: int) -> io.BytesIO:
    """Return what a URL serves, of which no more than ``limit`` bytes are taken.

    Where the connection breaks after some bytes, the rest is asked for, as long as every attempt brings more.

    Raises
    ------
    FileError
        The server can't be reached, refuses, stays silent for 20 seconds or sends more than the limit.
    """
    from pooch import HTTPDownloader
    from requests import RequestException

    body = _Body(limit)
    with _progress(url.rsplit("/", 1)[-1], body) as bar:
        for attempt in range(_ATTEMPTS):
            had = body.tell()
            get = HTTPDownloader(
                progressbar=bar,
                chunk_size=1 << 13,
                timeout=TIMEOUT,
                headers={"Accept-Encoding": "identity"} | ({"Range": f"bytes={had}-"} if had else {}),
                hooks={"response": body.begin},
            )
            try:
                get(url, body, None)
                break
            except FileError:
                raise
            except (RequestException, OSError) as error:
                refused = getattr(error, "response", None) is not None
                if refused or body.tell() <= had or attempt == _ATTEMPTS - 1:
                    raise FileError(_reason(error)) from error
                time.sleep(min(0.1 * 2**attempt, 3))  # a server that is restarted needs a moment
    body.seek(0)
    return body


def _reason(error: OSError) -> str:
    """Say in short why; requests quotes its connection pool and the URL once more."""
    from requests import ConnectionError, Timeout

    if isinstance(error, Timeout) or "timed out" in str(error):
        return f"timed out, after {TIMEOUT:g} seconds of silence"
    if isinstance(error, ConnectionError):
        reason = getattr(error.args[0], "reason", None) if error.args else None
        return f"no connection ({str(reason or error).rsplit('): ', 1)[-1]})"
    return str(error)


class _Body(io.BytesIO):
    """A buffer that refuses more bytes than the file can have, and knows whether more can be added to it."""

    def __init__(self, limit: int) -> None:
        super().__init__()
        self.limit = limit

    def begin(self, response: Any, **_: Any) -> None:
        """Begin anew, unless the server goes on where the last response broke off."""
        if response.is_redirect:
            return
        content_range = response.headers.get("Content-Range", "")
        # What requests unpacks on the way can't be gone on with: the server counts packed bytes.
        packed = response.headers.get("Content-Encoding", "identity") != "identity"
        if response.status_code != 206 or not content_range.startswith(f"bytes {self.tell()}-") or packed:
            self.seek(0)
            self.truncate()

    def write(self, chunk: bytes) -> int:  # type: ignore[override]
        if self.tell() + len(chunk) > self.limit:
            raise FileError(f"the server sends more than the {self.limit:,} bytes that the file can have")
        return super().write(chunk)


class _Bar(Protocol):
    """What pooch asks of a progress bar."""

    total: int

    def update(self, amount: int) -> None: ...
    def reset(self) -> None: ...
    def close(self) -> None: ...


def watching_console() -> Any:
    """Return a console on standard error if somebody watches it, in a terminal or a notebook, else None."""
    from rich.console import Console

    console = Console(stderr=True, highlight=False)
    return console if console.is_terminal or console.is_jupyter else None


@contextmanager
def _progress(name: str, body: io.BytesIO) -> Iterator[_Bar]:
    """Show a bar where somebody watches, not in a log."""
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

    console = watching_console()
    columns = TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn()
    with Progress(*columns, console=console, disable=console is None) as progress:
        task = progress.add_task(name, total=None)

        class Bar:
            total = 0  # pooch sets what this response has

            def update(self, amount: int) -> None:
                self.seen += amount
                whole = body.tell() + max(self.total - self.seen, 0) if self.total else None
                progress.update(task, completed=body.tell(), total=whole)

            def reset(self) -> None:
                self.seen = 0

            def close(self) -> None:
                pass  # leaving the block ends the bar, also when the download fails

            seen = 0

        yield Bar()
