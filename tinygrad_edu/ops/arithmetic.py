"""Arithmetic, element by element, with NumPy's broadcasting."""

from typing import Any

import numpy as np

from .. import ops
from ..errors import ArgumentError, DTypeError
from ..function import Function
from ..tensor import Tensor
from .registry import register

__all__ = [
    "abs",
    "add",
    "divide",
    "floor_divide",
    "multiply",
    "negative",
    "positive",
    "pow",
    "remainder",
    "square",
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
class Pow(Binary):
    name = "pow"
    formula = r"y = x_1^{x_2}"
    derivative = r"\bar{x}_1 = \bar{y}\, x_2 x_1^{x_2 - 1}, \quad \bar{x}_2 = \bar{y}\, y \ln x_1"
    words = "Raises to a power; the exponent's gradient needs the logarithm, so the base must be positive."

    @staticmethod
    def forward(x1: Any, x2: Any) -> Any:
        if np.result_type(x1, x2).kind in "iu" and np.any(np.less(x2, 0)):
            raise DTypeError("whole numbers have no negative powers; make one of the two floats")
        return np.power(x1, x2)

    @staticmethod
    def backward(g: Any, x1: Any, x2: Any, needs: tuple[bool, ...]) -> Any:
        dx1 = dx2 = None
        if needs[0]:
            # x2 = 0 gives a constant, whose slope is 0 even where x1 ** -1 is infinite. A plain number stays
            # one, so that it doesn't widen float32.
            if isinstance(x2, int | float):
                dx1 = g * x2 * ops.pow(x1, x2 - (x2 != 0))
            else:
                # Also in the form x2 / x1 it is 0, and that form has the right slope in x2.
                zero = x2 == 0
                steep = x2 * ops.pow(x1, ops.where(zero, 0.0, x2 - 1))
                base = ops.where(zero, ops.where(x1 == 0, 1.0, x1), 1.0)
                dx1 = g * ops.where(zero, x2 / base, steep)
        if needs[1]:
            # 0 ** x2 is 0 for all positive x2, so its slope there is 0 and not 0 · -inf.
            # For negative x2 it is infinite, as the formula says. A plain number takes the width of g.
            x1 = np.asarray(x1, g.dtype) if isinstance(x1, int | float) else x1
            flat = ops.logical_and(ops.equal(x1, 0), ops.greater_equal(x2, 0))
            dx2 = g * ops.pow(x1, x2) * ops.log(ops.where(flat, 1.0, x1))
        return dx1, dx2


def pow(x1: Any, x2: Any, /) -> Tensor:
    """Return x1 to the power of x2; nan where a negative base meets a fraction.

    Shapes broadcast, dtypes promote; whole numbers stay whole. At x1 = 0 the gradient for x2 is 0 (-inf if x2
    < 0), and the one for x1 infinite if 0 < x2 < 1. Raises DTypeError for a negative power of whole numbers,
    and for text; ShapeError for shapes that don't fit.

    >>> pow(Tensor([2.0, 3.0]), 2)
    Tensor([4., 9.])
    """
    return Pow.apply(x1, x2)


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
class Square(Function):
    name = "square"
    formula = r"y = x^2"
    derivative = r"\bar{x} = 2 x\, \bar{y}"
    words = "Multiplies by itself."

    @staticmethod
    def forward(x: Any) -> Any:
        return np.square(x)

    @staticmethod
    def backward(g: Any, x: Any) -> Any:
        return g * (2 * x)


def square(x: Any, /) -> Tensor:
    """Return x², of x's shape and dtype; a whole number that outgrows it wraps around.

    Raises DTypeError for text.

    >>> square(Tensor([-3.0, 2.0]))
    Tensor([9., 4.])
    """
    return Square.apply(x)
