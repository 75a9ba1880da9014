"""Parameters that are plain numbers: checked by name, so that a mistake is told in words."""

from operator import index
from typing import Any

import numpy as np

from ..errors import DTypeError, GradientError, ShapeError
from ..tensor import Tensor


def number(name: str, value: Any) -> float:
    """Return a parameter as a Python number, which leaves the width of float32 arrays as it is.

    Raises DTypeError for what isn't one number, GradientError for a Tensor that a gradient is wanted of: a
    parameter is no part of the graph.

    >>> number("huber: delta", np.float64(0.5))
    0.5
    """
    if type(value) is float:  # most are
        return value
    if isinstance(value, Tensor):
        if value.requires_grad:
            raise GradientError(
                f"{name} gets no gradient, and this Tensor requires one; pass its .item() if that is meant"
            )
        value = value.data
    if isinstance(value, np.ndarray | np.generic) and value.ndim == 0:
        value = value.item()
    if not isinstance(value, float | int):
        raise DTypeError(f"{name} must be a number, got {value!r}")
    return value


def whole_number(name: str, value: Any) -> int:
    """Return a parameter as a Python int; raises DTypeError for what isn't one, or is True or False.

    >>> whole_number("diff: n", np.int8(2))
    2
    """
    try:
        if not isinstance(value, bool):
            return index(value)
    except TypeError:
        pass
    raise DTypeError(f"{name} must be a whole number, got {value!r}")


def whole_numbers(name: str, values: Any) -> tuple[int, ...]:
    """Return one whole number, or several, as a tuple of Python ints; raises DTypeError for anything else.

    >>> whole_numbers("reshape: shape", 2), whole_numbers("roll: shift", [2, np.int8(-3)])
    ((2,), (2, -3))
    """
    several = isinstance(values, tuple | list) or np.ndim(values)
    try:
        return tuple([index(n) for n in values]) if several else (index(values),)
    except TypeError:
        raise DTypeError(f"{name} must be a whole number, or a sequence of them, got {values!r}") from None


def array_of(name: str, values: Any) -> Any:
    """Return the numbers or bools in a Tensor, an array or lists as an array, in its own dtype.

    Raises ShapeError for lists of unequal lengths, DTypeError for anything else.

    >>> array_of("repeat: repeats", [1, 2])
    array([1, 2])
    """
    try:
        array = values.data if isinstance(values, Tensor) else np.asarray(values)
    except ValueError:
        raise ShapeError(f"{name}: lists of unequal lengths make no array: {values!r}") from None
    if array.dtype.kind not in "fiub":
        raise DTypeError(f"{name} must be of numbers or bools, got {values!r}")
    return array
