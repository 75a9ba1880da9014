"""What convolution and pooling share: a window that slides over the two middle axes of (N, H, W, C).

Sequences (N, L, C) are images of height 1 to it, with windows of height 1.
"""

from typing import Any

import numpy as np

from .. import ops
from ..errors import ArgumentError, ShapeError
from ..function import shape_of
from ..kernels._arrays import spread

__all__ = [
    "Padding", "Pair", "across", "across_padding", "as_images", "as_sequences", "output_size", "pair",
    "resolve_padding", "spread", "transposed_size",
]  # fmt: skip

Pair = tuple[int, int]
Padding = tuple[Pair, Pair]


def _is_whole(value: Any, least: int) -> bool:
    return isinstance(value, int | np.integer) and int(value) >= least


def pair(value: Any, name: str, least: int = 1) -> Pair:
    """Return (vertical, horizontal) for one whole number or two, each at least 1, or as small as allowed.

    >>> pair(2, "strides"), pair([1, 3], "strides")
    ((2, 2), (1, 3))
    """
    values = tuple(value) if isinstance(value, tuple | list) else (value, value)
    if len(values) != 2 or not all(_is_whole(v, least) for v in values):
        kind = "a positive whole number" if least else "a whole number, 0 or more,"
        raise ArgumentError(f"{name}: expected {kind} or two of them, got {value!r}")
    return int(values[0]), int(values[1])


def resolve_padding(
    padding: Any, size: Pair, window: tuple[int, ...], strides: Pair, dilation: Pair = (1, 1)
) -> Padding:
    """Return ((top, bottom), (left, right)) for "valid", "same", a number, or pairs.

    "same" makes ceil(size / stride) outputs, by TensorFlow's rule: an odd pixel goes at the end.

    >>> resolve_padding("same", (5, 5), (2, 2), (1, 1))
    ((0, 1), (0, 1))
    """
    if isinstance(padding, str) and padding == "valid":
        return (0, 0), (0, 0)
    if isinstance(padding, str) and padding == "same":
        rows, columns = (
            max((-(-n // s) - 1) * s + k - n, 0)
            for n, k, s in zip(size, spread(window, dilation), strides, strict=True)
        )
        return (rows // 2, rows - rows // 2), (columns // 2, columns - columns // 2)
    sides = padding if isinstance(padding, tuple | list) else (padding, padding)
    pairs = [tuple(p) if isinstance(p, tuple | list) else (p, p) for p in sides]
    if [len(p) for p in pairs] != [2, 2] or not all(_is_whole(p, 0) for both in pairs for p in both):
        raise ArgumentError(
            f'padding: expected "valid", "same", a whole number, or ((top, bottom), (left, right)), '
            f"got {padding!r}"
        )
    (top, bottom), (left, right) = pairs
    return (int(top), int(bottom)), (int(left), int(right))


def output_size(
    size: Pair, window: tuple[int, ...], strides: Pair, padding: Padding, dilation: Pair = (1, 1)
) -> Pair:
    """Return the height and width of the result.

    Raises ShapeError if the window, with the gaps that dilation makes, is larger than the padded input.
    """
    reach = spread(window, dilation)
    result = []
    for n, k, s, (before, after) in zip(size, reach, strides, padding, strict=True):
        padded = n + before + after
        if padded < k:
            gaps = f" with dilation {dilation}, so {reach}," if reach != tuple(window) else ""
            raise ShapeError(
                f"the window {tuple(window)}{gaps} is larger than the image {size} with padding {padding}; "
                'use a smaller window, padding="same", or fewer poolings before it'
            )
        result.append((padded - k) // s + 1)
    return result[0], result[1]


def transposed_size(
    size: Pair, window: tuple[int, ...], strides: Pair, padding: Any, extra: Pair | None, dilation: Pair
) -> Pair:
    """Return the height and width that a transposed convolution makes, by Keras' rule.

    A convolution with strides makes ``size`` of several larger ones: ``extra`` chooses among them.

    >>> transposed_size((4, 4), (3, 3), (2, 2), "same", None, (1, 1))
    (8, 8)
    """
    same = isinstance(padding, str) and padding == "same"
    around = ((0, 0), (0, 0)) if same else resolve_padding(padding, size, window, strides, dilation)
    result = []
    for i, (n, k, s) in enumerate(zip(size, spread(window, dilation), strides, strict=True)):
        if same:
            result.append(n * s if extra is None else (n - 1) * s + k % 2 + extra[i])
        else:
            more = max(s - k, 0) if extra is None else extra[i]
            result.append((n - 1) * s + k - sum(around[i]) + more)
    return result[0], result[1]


# --- Sequences as images of height 1 ---------------------------------------------------------------------


def as_images(x: Any) -> Any:
    """Return sequences (N, L, C) as images (N, 1, L, C)."""
    n, length, channels = shape_of(x)
    return ops.reshape(x, (n, 1, length, channels))


def as_sequences(x: Any) -> Any:
    """Return images (N, 1, L, C) as sequences (N, L, C)."""
    n, _, length, channels = x.shape
    return ops.reshape(x, (n, length, channels))


def across(value: Any, name: str, unit: int = 1) -> Pair:
    """Return (unit, value) for a whole number along a sequence, which is at least ``unit``.

    >>> across(3, "strides")
    (1, 3)
    """
    values = tuple(value) if isinstance(value, tuple | list) else (value,)
    if len(values) != 1 or not _is_whole(values[0], unit):
        raise ArgumentError(f"{name}: expected one whole number, {unit} or more, got {value!r}")
    return unit, int(values[0])


def across_padding(padding: Any) -> Any:
    """Return the padding of images of height 1 for that of sequences: a word, a number, (before, after)."""
    if isinstance(padding, str) and padding in ("valid", "same"):
        return padding
    both = padding if isinstance(padding, tuple | list) else (padding, padding)
    if len(both) != 2 or not all(_is_whole(p, 0) for p in both):
        raise ArgumentError(
            f'padding: expected "valid", "same", a whole number, or (before, after), got {padding!r}'
        )
    return (0, 0), (int(both[0]), int(both[1]))
