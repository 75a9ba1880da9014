"""Choosing between values, element by element: where, the larger, the smaller, and holding within bounds."""

from typing import Any

import numpy as np

from .. import kernels, ops
from ..errors import ArgumentError
from ..function import Function
from ..tensor import Tensor
from .arithmetic import Binary
from .registry import register

__all__ = ["clip", "maximum", "minimum", "where"]


@register
class Where(Function):
    name = "where"
    formula = r"y = x_1 \text{ if condition else } x_2"
    derivative = r"\bar{x}_1 = \bar{y}\,[\text{condition}], \quad \bar{x}_2 = \bar{y}\,[\text{not condition}]"
    words = "Picks from one or the other; each gets the gradient where it was picked, and 0 elsewhere."
    broadcasts = True

    @staticmethod
    def forward(condition: Any, x1: Any, x2: Any) -> Any:
        dtype = np.result_type(x1, x2)
        if dtype.kind in "iu":  # a Python int that it can't hold is an error, not another number
            x1, x2 = np.asarray(x1, dtype), np.asarray(x2, dtype)
        return kernels.where(condition, x1, x2)

    @staticmethod
    def backward(g: Any, condition: Any, needs: tuple[bool, ...]) -> Any:
        # Not g * condition: inf and nan times 0 would leak into the branch that wasn't picked.
        return (
            None,
            ops.where(condition, g, 0.0) if needs[1] else None,
            ops.where(condition, 0.0, g) if needs[2] else None,
        )


def where(condition: Any, x1: Any, x2: Any, /) -> Tensor:
    """Return x1 where the condition (bools, or numbers that aren't 0) holds, else x2.

    All three shapes broadcast; the dtypes of x1 and x2 promote, whichever is picked. Raises ShapeError for
    shapes that don't fit, DTypeError for a tensor beside text.

    >>> where(Tensor([True, False]), Tensor([1.0, 2.0]), 0.0)
    Tensor([1., 0.])
    """
    if type(x1) in _NUMBERS and type(x2) in _NUMBERS and float in (type(x1), type(x2)):
        x1 = np.float32(x1)  # floats without a neighbour to take a width from are float32, as in Tensor(1.0)
    return Where.apply(condition, x1, x2)


_NUMBERS = (float, int)


@register
class Maximum(Binary):
    name = "maximum"
    formula = r"y = \max(x_1, x_2)"
    derivative = r"\bar{x}_i = \bar{y}\,[x_i \text{ is the larger}], \text{ half each where equal}"
    words = "Takes the larger of two; the gradient goes to the one that was taken."

    @staticmethod
    def forward(x1: Any, x2: Any) -> Any:
        return np.maximum(x1, x2)

    @staticmethod
    def backward(g: Any, x1: Any, x2: Any) -> Any:
        a, b = _values(x1), _values(x2)
        return _share(g, (a > b) | np.isnan(a), a == b)


def maximum(x1: Any, x2: Any, /) -> Tensor:
    """Return the larger of x1 and x2; nan if either is. Equal values share the gradient.

    Shapes broadcast, dtypes promote. Raises ShapeError for shapes that don't fit, DTypeError for text.

    >>> maximum(Tensor([1.0, 5.0]), 3.0)
    Tensor([3., 5.])
    """
    return Maximum.apply(x1, x2)


@register
class Minimum(Binary):
    name = "minimum"
    formula = r"y = \min(x_1, x_2)"
    derivative = r"\bar{x}_i = \bar{y}\,[x_i \text{ is the smaller}], \text{ half each where equal}"
    words = "Takes the smaller of two; the gradient goes to the one that was taken."

    @staticmethod
    def forward(x1: Any, x2: Any) -> Any:
        return np.minimum(x1, x2)

    @staticmethod
    def backward(g: Any, x1: Any, x2: Any) -> Any:
        a, b = _values(x1), _values(x2)
        return _share(g, (a < b) | np.isnan(a), a == b)


def minimum(x1: Any, x2: Any, /) -> Tensor:
    """Return the smaller of x1 and x2; nan if either is. Equal values share the gradient.

    Shapes broadcast, dtypes promote. Raises ShapeError for shapes that don't fit, DTypeError for text.

    >>> minimum(Tensor([1.0, 5.0]), 3.0)
    Tensor([1., 3.])
    """
    return Minimum.apply(x1, x2)


def _share(g: Any, first: Any, equal: Any) -> tuple[Any, Any]:
    """Give g to x1 where it came first, to x2 elsewhere, and half to each where they were equal."""
    g = ops.where(equal, g / 2, g)
    return ops.where(first | equal, g, 0.0), ops.where(first & ~equal, 0.0, g)


def _values(x: Any) -> Any:
    return x.data if isinstance(x, Tensor) else np.asarray(x)


@register
class Clip(Binary):
    name = "clip"
    formula = r"y = \min(\max(x, a), b)"
    derivative = r"\bar{x} = \bar{y}\,[a \le x \le b]"
    words = "Holds values within bounds; where it had to, the gradient stops."

    @staticmethod
    def forward(x: Any, *, min: Any = None, max: Any = None) -> Any:
        _check_order(min, max)
        return np.array(x) if min is None and max is None else np.clip(x, min, max)

    @staticmethod
    def backward(g: Any, x: Any, min: Any, max: Any) -> Any:
        values = _values(x)
        inside = np.ones(g.shape, bool)
        if min is not None:
            inside &= values >= min
        if max is not None:
            inside &= values <= max
        return ops.where(inside, g, 0.0)


def clip(x: Any, /, min: Any = None, max: Any = None) -> Tensor:
    """Return x held between min and max: numbers, arrays or Tensors that broadcast, or None for no bound.

    Dtypes promote, so float bounds make whole numbers floats. The gradient goes to x where it lies within (on
    a bound, too), and elsewhere to the bound that was taken, if that is a Tensor. Raises ArgumentError if a
    min is greater than its max, ShapeError for shapes that don't fit.

    >>> clip(Tensor([-2.0, 0.5, 3.0]), 0, 1)
    Tensor([0. , 0.5, 1. ])
    """
    if not any(isinstance(bound, Tensor | list | tuple) for bound in (min, max)):
        return Clip.apply(x, min=min, max=max)
    _check_order(min, max, name="clip: ")
    if min is not None:  # "not at least" rather than "less", so that a bound of nan gives nan
        x = where(ops.logical_or(ops.greater_equal(x, min), ops.isnan(x)), x, min)
    return x if max is None else where(ops.logical_or(ops.less_equal(x, max), ops.isnan(x)), x, max)


def _check_order(min: Any, max: Any, name: str = "") -> None:
    if min is not None and max is not None and np.any(ops.greater(_values(min), _values(max))):
        raise ArgumentError(f"{name}min={min} is greater than max={max}")
