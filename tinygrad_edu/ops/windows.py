"""What convolution and pooling share: a window that slides over the two middle axes of (N, H, W, C)."""

from typing import Any

import numpy as np

from ..errors import ArgumentError, ShapeError

__all__ = ["Padding", "Pair", "output_size", "pair", "resolve_padding"]

Pair = tuple[int, int]
Padding = tuple[Pair, Pair]


def pair(value: Any, name: str) -> Pair:
    """Return (vertical, horizontal) for one whole number or two, each at least 1.

    >>> pair(2, "strides"), pair([1, 3], "strides")
    ((2, 2), (1, 3))
    """
    values = tuple(value) if isinstance(value, tuple | list) else (value, value)
    if len(values) != 2 or not all(isinstance(v, int | np.integer) and v >= 1 for v in values):
        raise ArgumentError(f"{name}: expected a positive whole number or two of them, got {value!r}")
    return int(values[0]), int(values[1])


def resolve_padding(padding: Any, size: Pair, window: Pair, strides: Pair) -> Padding:
    """Return ((top, bottom), (left, right)) for "valid", "same", a number, or pairs.

    "same" makes ceil(size / stride) outputs, by TensorFlow's rule: an odd pixel goes at the end.

    >>> resolve_padding("same", (5, 5), (2, 2), (1, 1))
    ((0, 1), (0, 1))
    """
    if padding == "valid":
        return (0, 0), (0, 0)
    if padding == "same":
        both = []
        for n, k, s in zip(size, window, strides, strict=True):
            total = max((-(-n // s) - 1) * s + k - n, 0)
            both.append((total // 2, total - total // 2))
        return both[0], both[1]
    if isinstance(padding, int):
        padding = (padding, padding)
    try:
        first, second = ((p, p) if isinstance(p, int) else (p[0], p[1]) for p in padding)
    except (TypeError, ValueError, IndexError):
        first = second = (-1, -1)
    if min(*first, *second) < 0:
        raise ArgumentError(
            f'padding: expected "valid", "same", a whole number, or ((top, bottom), (left, right)), '
            f"got {padding!r}"
        )
    return first, second


def output_size(size: Pair, window: Pair, strides: Pair, padding: Padding) -> Pair:
    """Return the height and width of the result.

    Raises ShapeError if the window is larger than the padded input.
    """
    result = []
    for n, k, s, (before, after) in zip(size, window, strides, padding, strict=True):
        padded = n + before + after
        if padded < k:
            raise ShapeError(
                f"the window {window} is larger than the image {size} with padding {padding}; "
                'use a smaller window, padding="same", or fewer poolings before it'
            )
        result.append((padded - k) // s + 1)
    return result[0], result[1]
