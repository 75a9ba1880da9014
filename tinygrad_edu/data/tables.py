"""Tables of numbers in CSV files: what can't be read as a number is named by its line and column."""

import csv
import gzip
import io
import math
import zlib
from collections.abc import Collection
from os import PathLike
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from tinygrad_edu.data.places import find_file
from tinygrad_edu.data.reading import GZIP, how_it_begins, read_bounded
from tinygrad_edu.errors import DataError, FileError

__all__ = ["read_csv"]

_LARGEST = 1 << 28  # bytes of text, unpacked: what is larger is no table for the memory, or a bomb


def read_csv(path: str | PathLike[str], *, text: Collection[str] = ()) -> dict[str, NDArray[Any]]:
    r"""Read a CSV file whose first line names the columns, plain or packed by gzip.

    Columns are separated by ``;``, by a tab or by ``,``, whichever the first line has, in this order.

    Parameters
    ----------
    path : path
        Or a file's name in the folder that ``TINYGRAD_EDU_DATA`` names.
    text : names of columns
        These are kept as text, without the blanks around it; all others must be numbers.

    Returns
    -------
    dict of column name to array, float64 or text, in the file's order

    Raises
    ------
    FileError
        The file is missing, damaged or no text.
    DataError
        A value is missing, no number, or not finite; a line is too short or too long; columns share a name.
        The message has the file, the line and the column.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     _ = Path(folder, "wines.csv").write_text("alcohol;colour\n9.4;red\n12;white\n")
    ...     read_csv(f"{folder}/wines.csv", text=["colour"])
    {'alcohol': array([ 9.4, 12. ]), 'colour': array(['red', 'white'], dtype='<U5')}
    """
    path = find_file(path)
    lines = csv.reader(io.StringIO(content := _text(path), newline=""), delimiter=_delimiter(content))
    try:
        names = [name.strip() for name in next(lines, [])]
        _check_names(path, names, text)
        columns: list[list[Any]] = [[] for _ in names]
        for row in lines:
            if not row:
                continue  # an empty line, as many files end with
            if len(row) != len(names):
                raise DataError(
                    f"{path}, line {lines.line_num}: {len(row)} values where {len(names)} columns are named."
                )
            for name, column, value in zip(names, columns, row, strict=True):
                value = value.strip()
                column.append(value if name in text else _number(path, lines.line_num, name, value))
    except csv.Error as error:
        raise FileError(f"{path}, line {lines.line_num}: no CSV ({error}).") from error
    return {
        name: np.array(column, str if name in text else float)
        for name, column in zip(names, columns, strict=True)
    }


def _text(path: Path) -> str:
    try:
        with path.open("rb") as file:
            packed = file.read(2) == GZIP
            file.seek(0)
            content = read_bounded(
                cast(io.BytesIO, gzip.GzipFile(fileobj=file)) if packed else file, _LARGEST
            )
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise FileError(f"{path} is damaged ({error}); fetch or copy it again.") from error
    except OSError as error:
        raise FileError(f"can't read {path}: {error.strerror or error}; check the path.") from error
    if len(content) > _LARGEST:
        raise FileError(f"{path} holds more than {_LARGEST >> 20} MiB of text; read it in parts.")
    if not content or content.lstrip().startswith((b"<", b"\x93", b"PK")) or 0 in content:
        raise FileError(f"{path} is no CSV file: it {how_it_begins(bytes(content[:32]).lstrip())}.")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise FileError(f"{path} is no text in UTF-8 ({error}); save it as UTF-8.") from error


def _delimiter(content: str) -> str:
    first = content.split("\n", 1)[0]
    return next((sign for sign in ";\t" if sign in first), ",")


def _check_names(path: Path, names: list[str], text: Collection[str]) -> None:
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise DataError(f"{path}, line 1: several columns are named {', '.join(map(repr, twice))}.")
    if missing := sorted(set(text) - set(names)):
        raise DataError(
            f"{path}, line 1: no column {', '.join(map(repr, missing))}; its columns are {', '.join(names)}."
        )


def _number(path: Path, line: int, name: str, value: str) -> float:
    try:
        number = float(value)
    except ValueError:
        number = math.nan
    if math.isfinite(number):
        return number
    what = "is missing" if not value else f"is {value!r}, no finite number"
    raise DataError(f"{path}, line {line}, column {name!r}: the value {what}; mend or remove the line.")
