"""Arrays as a page needs them: what sums them up, some numbers to read, and a small picture in 255 tints."""

from base64 import b64encode
from collections.abc import Callable
from math import isnan, prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...tracing import Numbers

__all__ = ["abridged"]

WHOLE = 64  # elements that are all written out
_CORNER = 6  # rows and columns of the numbers of a larger array
_TILES = 12  # channels or images side by side
_WIDEST = 320  # columns that a page has room for


def abridged(numbers: Numbers, pixels: int, filters: bool = False) -> dict[str, Any]:
    """Return an array as a JSON-able dict, its heatmap of at most ``pixels`` elements.

    ``filters`` says that the axes of a 4-dimensional array are (height, width, in, out) of a convolution's
    weights, not (images, height, width, channels).
    """
    whole = numbers.size <= WHOLE
    about: dict[str, Any] = {
        "shape": numbers.shape,
        "dims": str(numbers.shape).replace(" ", "\N{NO-BREAK SPACE}"),
        "dtype": str(numbers.dtype),
        "low": _number(numbers.low),
        "high": _number(numbers.high),
        "mean": _number(numbers.mean),
        "norm": _number(numbers.norm),
        "zeros": numbers.zeros,
        "strange": numbers.strange,
        "whole": whole,
    }
    if numbers.size == 0:
        return about
    matrix, index = _matrix(numbers.array, filters)
    if whole:
        about["rows"], about["columns"] = _fold(numbers.shape)
        about["numbers"] = [_number(x) for x in numbers.array.ravel()]
        if len(numbers.shape) > 2:
            about["about"] = f"rows: the axes {numbers.shape[:-1]}, columns: the last, {numbers.shape[-1]}"
        return about
    corner = matrix[:_CORNER, :_CORNER]
    about["rows"], about["columns"] = corner.shape
    about["numbers"] = [_number(x) for x in corner.ravel()]
    about["about"] = f"the corner {index(*corner.shape)} of {numbers.shape}"
    about["histogram"] = numbers.histogram
    about["heat"] = _heat(numbers, pixels, filters)
    return about


def _number(x: Any) -> float | int | bool | str:
    if isinstance(x, bool | np.bool_):
        return bool(x)
    if isinstance(x, int | np.integer):
        return int(x)
    if not np.isfinite(x):
        return "nan" if isnan(x) else ("inf" if x > 0 else "-inf")
    return float(f"{x:.6g}")


def _fold(shape: tuple[int, ...]) -> tuple[int, int]:
    """Write any shape as rows and columns; a vector is one row, or several if it is long."""
    if len(shape) < 2:
        n = prod(shape)
        columns = min(n, 8)
        return (-(-n // columns), columns) if n % columns == 0 else (1, n)
    return prod(shape[:-1]), shape[-1]


def _matrix(array: NDArray[Any], filters: bool) -> tuple[NDArray[Any], Callable[[int, int], str]]:
    """Pick two axes to show as a matrix; return it, and how its corner is indexed."""
    if array.ndim == 1:
        return array[None, :], lambda rows, columns: f"[:{columns}]"
    if array.ndim == 2:
        return array, lambda rows, columns: f"[:{rows}, :{columns}]"
    if array.ndim == 4 and filters:
        return array[:, :, 0, 0], lambda rows, columns: f"[:{rows}, :{columns}, 0, 0]"
    if array.ndim == 4:
        return array[0, :, :, 0], lambda rows, columns: f"[0, :{rows}, :{columns}, 0]"
    lead = array.ndim - 2
    zeros = "0, " * lead
    return array[(0,) * lead], lambda rows, columns: f"[{zeros}:{rows}, :{columns}]"


def _heat(numbers: Numbers, pixels: int, filters: bool) -> dict[str, Any]:
    tiles, name = _tiles(numbers, filters)
    rows, columns = tiles.shape[1:]
    # Few tiles in which something can be seen, rather than many in which nothing can.
    tiles = tiles[: max(1, min(_TILES, pixels // min(rows * columns, 576)))]
    room, down, across = pixels // len(tiles), 1, 1
    while (shape := (-(-rows // down), -(-columns // across)))[0] * shape[1] > room or shape[1] > _WIDEST:
        if numbers.array.ndim == 4:  # pixels stay square
            down, across = down + 1, across + 1
        elif shape[0] > shape[1]:
            down += 1
        else:
            across += 1
    seen = tiles[:, ::down, ::across]
    axes = ((down, "row and column"),) if down == across else ((down, "row"), (across, "column"))
    skipped = [f"every {_ordinal(n)} {axis}" for n, axis in axes if n > 1]
    finite = np.isfinite(seen)
    scale = float(np.abs(seen, where=finite, out=np.zeros(seen.shape)).max(initial=0.0))
    tints = np.where(finite, np.round(np.where(finite, seen, 0) / (scale or 1.0) * 127), -128)
    return {
        "tiles": seen.shape[0],
        "rows": seen.shape[1],
        "columns": seen.shape[2],
        "scale": _number(scale),
        "data": b64encode(tints.astype(np.int8).tobytes()).decode(),
        "about": ", ".join(part for part in (name(len(tiles)), *skipped) if part),
    }


def _tiles(numbers: Numbers, filters: bool) -> tuple[NDArray[Any], Callable[[int], str]]:
    """Return (tiles, rows, columns), and what to call the first n of the tiles."""
    array, shape = numbers.array, numbers.shape
    if array.ndim == 4 and filters:
        tiles = array[:, :, 0, :].transpose(2, 0, 1)
        return (
            tiles,
            lambda n: f"filters {_up_to(n)} of {shape[3]}" + ", of the first channel" * (shape[2] > 1),
        )
    if array.ndim == 4 and shape[3] == 1:
        return array[..., 0], lambda n: f"images {_up_to(n)} of {shape[0]}"
    if array.ndim == 4:
        return array[0].transpose(2, 0, 1), lambda n: f"image 1, channels {_up_to(n)} of {shape[3]}"
    if array.ndim <= 2:
        matrix = array.reshape(1, -1) if array.ndim < 2 else array
        cut = "" if numbers.whole else f"the upper left {matrix.shape}"
        return matrix[None], lambda n: cut
    lead = array.ndim - 2
    return array[(0,) * lead][None], lambda n: f"[{', '.join('0' * lead)}]"


def _up_to(n: int) -> str:
    return "1" if n == 1 else f"1 to {n}"


def _ordinal(n: int) -> str:
    ending = {1: "st", 2: "nd", 3: "rd"}.get(n % 10 if n // 10 % 10 != 1 else 0, "th")
    return f"{n}{ending}"
