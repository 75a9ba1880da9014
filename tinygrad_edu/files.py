"""Writing files so that there is never half a file."""

import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from .errors import FileError

__all__ = ["writing"]


@contextmanager
def writing(path: Path) -> Iterator[BinaryIO]:
    """Open a file for writing that gets its name only when it is whole; a failure leaves nothing behind.

    Raises FileError if it can't be written.
    """
    part = path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")
    try:
        with part.open("xb") as file:
            yield file
        part.replace(path)
    except FileError:
        raise  # of what was to be written, not of writing it
    except OSError as error:
        raise FileError(f"can't write {path}: {error.strerror or error}") from error
    finally:
        with suppress(OSError):
            part.unlink()
