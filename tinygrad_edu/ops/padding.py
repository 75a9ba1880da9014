"""Tensors made larger out of themselves: with a border around them, or repeated."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from .. import ops
from ..errors import ArgumentError, DTypeError, ShapeError, unknown_name
from ..function import shape_of
from ..tensor import Tensor, as_array
from .parameters import array_of, whole_numbers
from .reduction import normalize_axis

__all__ = ["pad", "repeat", "tile"]

_MODES = ("constant", "edge", "reflect", "symmetric", "wrap")


def pad(x: Any, pad_width: Any, mode: str = "constant", *, constant_values: Any = 0) -> Tensor:
    """Return x with a border around it, in x's dtype.

    Parameters
    ----------
    x
        Any shape.
    pad_width
        How many elements come before and after on each axis: a number for all, ``(before, after)`` for all,
        one such pair for each axis, or ``{axis: pair or number}``; as in NumPy.
    mode
        "constant"; "edge" repeats the outermost element; "reflect" mirrors x at it, "symmetric" beside it, so
        that it comes twice; "wrap" continues with the other end. A border wider than x goes on in the same
        way, back and forth or round and round.
    constant_values
        For "constant" alone, in the same forms as ``pad_width``; a Tensor gets the gradient of the border.

    Raises
    ------
    ArgumentError
        For a negative width, an unknown mode, or constants in another mode.
    DTypeError
        For a width that isn't a whole number, or a constant that x's dtype can't hold.
    ShapeError
        For a wrong number of pairs, an axis that x doesn't have, or an empty one in a mode that would repeat
        its elements.

    Examples
    --------
    >>> pad(Tensor([1.0, 2.0, 3.0]), 2, "reflect")
    Tensor([3., 2., 1., 2., 3., 2., 1.])
    >>> pad(Tensor([[1.0, 2.0]]), ((1, 0), (0, 1)))
    Tensor([[0., 0., 0.],
            [1., 2., 0.]])
    """
    x = x if hasattr(x, "dtype") else as_array(x)
    if isinstance(pad_width, dict):
        by_axis = {
            normalize_axis(axis, x.ndim): _pairs("pad_width", w, 1)[0] for axis, w in pad_width.items()
        }
        pad_width = [by_axis.get(axis, (0, 0)) for axis in range(x.ndim)]
    widths = _pairs("pad_width", pad_width, x.ndim)
    if widths.dtype.kind not in "iu":
        raise DTypeError(f"pad: pad_width must be whole numbers, got {widths.dtype}")
    if np.any(widths < 0):
        raise ArgumentError(f"pad: pad_width {pad_width} is negative; x[...] takes elements away")
    widths = widths.astype(np.int64)  # sums mustn't wrap around
    if mode == "constant":
        return _constant(x, widths, constant_values)
    if mode not in _MODES:
        raise unknown_name("pad mode", mode, _MODES)
    if np.any(_pairs("constant_values", constant_values, x.ndim)):
        raise ArgumentError(f"pad: constant_values are for mode 'constant', not for {mode!r}")
    y: Tensor = x
    for axis, (n, width) in enumerate(zip(x.shape, widths, strict=True)):
        if width.any():
            if n == 0:
                raise ShapeError(f"pad: axis {axis} is empty, there is nothing to {mode}")
            # NumPy pads the elements' numbers; picking by them, the gradient adds up by itself.
            y = ops.take(y, np.pad(np.arange(n), width, mode), axis=axis)  # type: ignore[call-overload]
    return y


def _constant(x: Any, widths: Any, constants: Any) -> Tensor:
    values = _pairs("constant_values", constants, x.ndim)
    with np.errstate(invalid="ignore"):
        filled = values.astype(x.dtype)
    if x.dtype.kind != "f" and np.any(filled != values):
        raise DTypeError(
            f"pad: {x.dtype} can't hold constant_values {values.tolist()}; convert x with astype"
        )
    if isinstance(constants, Tensor):  # which may want a gradient
        filled = ops.broadcast_to(ops.astype(constants, x.dtype), values.shape)
    for axis, (before, after) in enumerate(widths):
        if before or after:
            lead, rest = x.shape[:axis], x.shape[axis + 1 :]
            first, last = (
                ops.broadcast_to(filled[axis, side], (*lead, widths[axis, side], *rest)) for side in (0, 1)
            )
            x = ops.concat([first, x, last], axis=axis)  # at the corners, the last axis wins
    return x  # type: ignore[no-any-return]


def _pairs(name: str, values: Any, ndim: int) -> Any:
    """Return one pair for each axis, from one number, one pair, or a list of them."""
    array = array_of(f"pad: {name}", values)
    try:
        return np.broadcast_to(array, (ndim, 2))
    except ValueError:
        raise ShapeError(
            f"pad: {name} must be a number, a pair, or {ndim} pairs (one an axis), got shape {array.shape}"
        ) from None


def repeat(x: Any, repeats: Any, /, *, axis: int | None = None) -> Tensor:
    """Return x with each of its elements (or slices along an axis) several times in a row, in x's dtype.

    ``repeats`` is one count for all, or one for each: (m, n) becomes (m, sum of counts) along axis 1.
    ``axis=None`` flattens x first. Raises DTypeError for counts that aren't whole numbers, ShapeError for a
    wrong number of them, ArgumentError if one is negative.

    >>> repeat(Tensor([[1.0, 2.0]]), [1, 2], axis=1)
    Tensor([[1., 2., 2.]])
    """
    if axis is None:
        return repeat(ops.reshape(x, (-1,)), repeats, axis=0)
    shape = shape_of(x)
    at = normalize_axis(axis, len(shape))
    counts = array_of("repeat: repeats", repeats)
    if counts.dtype.kind not in "iu" and counts.size:
        raise DTypeError(f"repeat: expected whole numbers of repeats, got {counts.dtype}")
    if counts.shape not in ((), (1,), (shape[at],)):
        raise ShapeError(f"repeat: expected one count or {shape[at]} of them, got shape {counts.shape}")
    if np.any(counts < 0):
        raise ArgumentError(f"repeat: can't repeat {counts.min()} times")
    return ops.take(x, np.repeat(np.arange(shape[at]), counts.astype(np.intp)), axis=at)


def tile(x: Any, repetitions: int | Sequence[int], /) -> Tensor:
    """Return copies of x laid side by side: axis i of the result is repetitions[i] times as long.

    The shorter of x's shape and ``repetitions`` gets ones in front; the dtype stays. Raises ShapeError for a
    negative number.

    >>> tile(Tensor([1.0, 2.0]), (2, 2))
    Tensor([[1., 2., 1., 2.],
            [1., 2., 1., 2.]])
    """
    shape, times = tuple(shape_of(x)), whole_numbers("tile: repetitions", repetitions)
    shape = (1,) * (len(times) - len(shape)) + shape
    times = (1,) * (len(shape) - len(times)) + times
    pairs = list(zip(times, shape, strict=True))
    # One new axis before each of x's holds the copies, and is then joined with it.
    x = ops.reshape(x, [m for _, n in pairs for m in (1, n)])
    x = ops.broadcast_to(x, [m for pair in pairs for m in pair])
    return ops.reshape(x, [t * n for t, n in pairs])
