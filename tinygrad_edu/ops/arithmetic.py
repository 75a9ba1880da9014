"""Arithmetic, element by element, with NumPy's broadcasting; and the change of dtype."""

from typing import Any

import numpy as np

from .. import ops
from ..errors import ArgumentError, DTypeError
from ..function import Function
from ..tensor import Tensor, check_device
from .registry import register

__all__ = [
    "abs",
    "add",
    "astype",
    "divide",
    "floor_divide",
    "multiply",
    "negative",
    "positive",
    "remainder",
    "subtract",
]


def unbroadcast(g: Any, shape: tuple[int, ...]) -> Any:
    """Sum a gradient over the axes along which an input of ``shape`` was stretched.

    Copying a value forward adds its gradients backward: if b of shape (3,) was added to each of 5 rows,
    then dL/db is the sum over those rows.

    >>> import numpy as np
    >>> unbroadcast(np.ones((5, 3)), (3,))
    array([5., 5., 5.])
    """
    if g.shape == shape:
        return g
    lead = g.ndim - len(shape)
    stretched = [lead + i for i, n in enumerate(shape) if n == 1 and g.shape[lead + i] != 1]
    return ops.reshape(ops.sum(g, axis=(*range(lead), *stretched)), shape)


class Binary(Function):
    """Two inputs that are broadcast together: a rule gives gradients of the result's shape."""

    broadcasts = True

    @classmethod
    def hint(cls, *inputs: Any) -> str:
        shapes = [np.shape(x) if not isinstance(x, Tensor) else x.shape for x in inputs]
        if len(shapes) == 2 and len(shapes[0]) == len(shapes[1]) == 2 and shapes[0] == shapes[1][::-1]:
            return "the shapes match after a transpose: x1.T or x2.T"
        try:
            np.broadcast_shapes(*shapes)
        except ValueError:
            pass
        else:
            return ""  # it isn't the shapes
        return (
            "shapes are compared from the last axis backward: each pair must be equal, or one of them 1; "
            "reshape or expand_dims puts a 1 where an axis is missing"
        )


@register
class Add(Binary):
    name = "add"
    formula = r"y = x_1 + x_2"
    derivative = r"\bar{x}_1 = \bar{y}, \quad \bar{x}_2 = \bar{y}"
    words = "Adds; a change of either input changes the sum by as much, so both get the gradient as it is."

    @staticmethod
    def forward(x1: Any, x2: Any) -> Any:
        return np.add(x1, x2)

    @staticmethod
    def backward(g: Any) -> Any:
        return g, g


def add(x1: Any, x2: Any, /) -> Tensor:
    """Return x1 + x2, element by element.

    Shapes broadcast and dtypes promote as in NumPy: a Python number takes the other's dtype where it can, and
    whole numbers that outgrow theirs wrap around. Raises ShapeError for shapes that don't fit, DTypeError for
    text or a Python number that the dtype can't hold.

    >>> add(Tensor([1.0, 2.0]), 10)
    Tensor([11., 12.])
    """
    return Add.apply(x1, x2)


@register
class Subtract(Binary):
    name = "subtract"
    formula = r"y = x_1 - x_2"
    derivative = r"\bar{x}_1 = \bar{y}, \quad \bar{x}_2 = -\bar{y}"
    words = "Subtracts; what is taken away gets the gradient with its sign turned."

    @staticmethod
    def forward(x1: Any, x2: Any) -> Any:
        return np.subtract(x1, x2)

    @staticmethod
    def backward(g: Any, needs: tuple[bool, ...]) -> Any:
        return g, -g if needs[1] else None


def subtract(x1: Any, x2: Any, /) -> Tensor:
    """Return x1 - x2, element by element.

    Shapes broadcast, dtypes promote; below 0, unsigned numbers wrap around. Raises ShapeError for shapes that
    don't fit, DTypeError for text, and for two bools, which have no difference.

    >>> subtract(Tensor([1.0, 2.0]), 1)
    Tensor([0., 1.])
    """
    return Subtract.apply(x1, x2)


@register
class Multiply(Binary):
    name = "multiply"
    formula = r"y = x_1 x_2"
    derivative = r"\bar{x}_1 = \bar{y}\, x_2, \quad \bar{x}_2 = \bar{y}\, x_1"
    words = "Multiplies; each input's gradient is scaled by the other input."

    @staticmethod
    def forward(x1: Any, x2: Any) -> Any:
        return np.multiply(x1, x2)

    @staticmethod
    def backward(g: Any, x1: Any, x2: Any, needs: tuple[bool, ...]) -> Any:
        return g * x2 if needs[0] else None, g * x1 if needs[1] else None


def multiply(x1: Any, x2: Any, /) -> Tensor:
    """Return x1 · x2, element by element.

    Shapes broadcast, dtypes promote; of two bools it is the logical and. Raises ShapeError for shapes that
    don't fit, DTypeError for text.

    >>> multiply(Tensor([1.0, 2.0]), Tensor([3.0, 4.0]))
    Tensor([3., 8.])
    """
    return Multiply.apply(x1, x2)


@register
class Divide(Binary):
    name = "divide"
    formula = r"y = x_1 / x_2"
    derivative = r"\bar{x}_1 = \bar{y} / x_2, \quad \bar{x}_2 = -\bar{y}\, x_1 / x_2^2"
    words = "Divides; the divisor's gradient falls with its square."

    @staticmethod
    def forward(x1: Any, x2: Any) -> Any:
        return np.divide(x1, x2)

    @staticmethod
    def backward(g: Any, x1: Any, x2: Any, needs: tuple[bool, ...]) -> Any:
        dx1 = g / x2
        return dx1, -dx1 * (x1 / x2) if needs[1] else None


def divide(x1: Any, x2: Any, /) -> Tensor:
    """Return x1 / x2, element by element; division by 0 gives inf or nan.

    Shapes broadcast, dtypes promote; whole numbers give float64, as in NumPy. Raises ShapeError for shapes
    that don't fit, DTypeError for text.

    >>> divide(Tensor([1.0, 2.0]), 4)
    Tensor([0.25, 0.5 ])
    """
    return Divide.apply(x1, x2)


@register
class FloorDivide(Binary):
    name = "floor_divide"
    formula = r"y = \lfloor x_1 / x_2 \rfloor"
    words = "Divides and rounds down; flat between its jumps, so no gradient flows through it."

    @staticmethod
    def forward(x1: Any, x2: Any) -> Any:
        _refuse_whole_zeros(x1, x2)
        return np.floor_divide(x1, x2)


def floor_divide(x1: Any, x2: Any, /) -> Tensor:
    """Return the quotient rounded down, towards -inf, as Python's //; never requires a gradient.

    Shapes broadcast, dtypes promote; whole numbers stay whole. Raises ArgumentError where a whole number
    would be divided by 0 (floats give inf or nan there), ShapeError for shapes that don't fit, DTypeError for
    text.

    >>> floor_divide(Tensor([7.0, -7.0]), 2)
    Tensor([ 3., -4.])
    """
    return FloorDivide.apply(x1, x2)


@register
class Remainder(Binary):
    name = "remainder"
    formula = r"y = x_1 - x_2 \lfloor x_1 / x_2 \rfloor"
    derivative = r"\bar{x}_1 = \bar{y}, \quad \bar{x}_2 = -\bar{y}\, \lfloor x_1 / x_2 \rfloor"
    words = "What a division leaves over; between the jumps, at the multiples of x2, it is a straight line."

    @staticmethod
    def forward(x1: Any, x2: Any) -> Any:
        _refuse_whole_zeros(x1, x2)
        return np.remainder(x1, x2)

    @staticmethod
    def backward(g: Any, x1: Any, x2: Any, needs: tuple[bool, ...]) -> Any:
        return g, -g * ops.floor_divide(x1, x2) if needs[1] else None


def remainder(x1: Any, x2: Any, /) -> Tensor:
    """Return what division leaves over, with the sign of the divisor x2, as Python's %.

    Shapes broadcast, dtypes promote; whole numbers stay whole. Raises ArgumentError where a whole number
    would be divided by 0 (floats give nan there), ShapeError for shapes that don't fit, DTypeError for text.

    >>> remainder(Tensor([7.0, -7.0]), 3)
    Tensor([1., 2.])
    """
    return Remainder.apply(x1, x2)


def _refuse_whole_zeros(x1: Any, x2: Any) -> None:
    """NumPy gives 0 there, which is as wrong as any number."""
    if np.result_type(x1, x2).kind in "iub" and np.any(np.equal(x2, 0)):
        raise ArgumentError("a whole number can't be divided by 0; with floats it gives inf or nan")


@register
class Positive(Function):
    name = "positive"
    formula = r"y = x"
    derivative = r"\bar{x} = \bar{y}"
    words = "Leaves everything as it is, the gradient too."

    @staticmethod
    def forward(x: Any) -> Any:
        return np.positive(x)

    @staticmethod
    def backward(g: Any) -> Any:
        return g


def positive(x: Any, /) -> Tensor:
    """Return +x, a copy of x's shape and dtype. Raises DTypeError for text, and bools, which have no sign.

    >>> positive(Tensor([1.0, -2.0]))
    Tensor([ 1., -2.])
    """
    return Positive.apply(x)


@register
class Negative(Function):
    name = "negative"
    formula = r"y = -x"
    derivative = r"\bar{x} = -\bar{y}"
    words = "Turns the sign, and the gradient's."

    @staticmethod
    def forward(x: Any) -> Any:
        return np.negative(x)

    @staticmethod
    def backward(g: Any) -> Any:
        return -g


def negative(x: Any, /) -> Tensor:
    """Return -x, of x's shape and dtype; unsigned numbers wrap around.

    Raises DTypeError for text, and for bools: logical_not turns those.

    >>> negative(Tensor([1.0, -2.0]))
    Tensor([-1.,  2.])
    """
    return Negative.apply(x)


@register
class Abs(Function):
    name = "abs"
    formula = r"y = |x|"
    derivative = r"\bar{x} = \bar{y}\,\operatorname{sign}(x)"
    words = "Drops the sign; the slope is the sign, and taken as 0 at 0."

    @staticmethod
    def forward(x: Any) -> Any:
        return np.abs(x)

    @staticmethod
    def backward(g: Any, x: Any) -> Any:
        return g * ops.sign(x)


def abs(x: Any, /) -> Tensor:
    """Return |x|, of x's shape and dtype; at 0 the gradient is 0. Raises DTypeError for text.

    >>> abs(Tensor([-3.0, 2.0]))
    Tensor([3., 2.])
    """
    return Abs.apply(x)


@register
class AsType(Function):
    name = "astype"
    formula = r"y = x"
    derivative = r"\bar{x} = \bar{y}"
    words = "Changes the dtype; the gradient changes back."

    @staticmethod
    def forward(x: Any, *, dtype: Any) -> Any:
        if dtype is None:  # NumPy would take it for float64
            raise DTypeError("expected a dtype, got None")
        return np.asarray(x).astype(dtype)

    @staticmethod
    def backward(g: Any) -> Any:
        return g  # the tape gives every gradient its input's dtype


def astype(x: Any, dtype: Any, /, *, copy: bool = True, device: str | None = None) -> Tensor:
    """Return x, of any shape, converted to a dtype in memory of its own; from floats to ints the graph ends.

    ``copy=False`` gives a tensor of that dtype back as it is. Raises ArgumentError for a device but "cpu",
    DTypeError for an unknown dtype.

    >>> astype(Tensor([1.0, 2.0]), "float64")
    Tensor([1., 2.], dtype=float64)
    """
    check_device(device)
    if not copy and isinstance(x, Tensor | np.ndarray) and x.dtype == dtype:
        return x  # type: ignore[return-value]  # or an array, as everywhere
    return AsType.apply(x, dtype=dtype)
