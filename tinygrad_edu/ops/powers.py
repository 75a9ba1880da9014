"""Powers and roots, element by element."""

from typing import Any

import numpy as np

from .. import ops
from ..errors import DTypeError
from ..function import Function
from ..tensor import Tensor
from .arithmetic import Binary
from .reduction import all_floating, floating
from .registry import register

__all__ = ["cbrt", "hypot", "pow", "reciprocal", "rsqrt", "sqrt", "square"]


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


@register
class Sqrt(Function):
    name = "sqrt"
    formula = r"y = \sqrt{x}"
    derivative = r"\bar{x} = \bar{y} / (2 y)"
    words = "The square root; its slope grows without bound towards 0."

    @staticmethod
    def forward(x: Any) -> Any:
        return np.sqrt(floating(x))

    @staticmethod
    def backward(g: Any, out: Any) -> Any:
        return g / (2 * out)


def sqrt(x: Any, /) -> Tensor:
    """Return the square root; nan below 0. At 0 the gradient is infinite, and so nan where g is 0.

    So mask before the root, sqrt(where(x > 0, x, 1)), and not only after it. x keeps its shape, and floats
    their dtype; int64 becomes float64. Raises DTypeError for text.

    >>> sqrt(Tensor([4.0, 9.0]))
    Tensor([2., 3.])
    """
    return Sqrt.apply(x)


@register
class Rsqrt(Function):
    name = "rsqrt"
    formula = r"y = 1 / \sqrt{x}"
    derivative = r"\bar{x} = -\bar{y}\, y^3 / 2"
    words = "One over the square root, as normalization divides by it."

    @staticmethod
    def forward(x: Any) -> Any:
        return 1 / np.sqrt(floating(x))

    @staticmethod
    def backward(g: Any, out: Any) -> Any:
        return g * (-0.5 * out * out * out)


def rsqrt(x: Any, /) -> Tensor:
    """Return 1 / √x; inf at 0 (its gradient -inf), nan below.

    x keeps its shape, and floats their dtype; int64 becomes float64. Raises DTypeError for text.

    >>> rsqrt(Tensor([4.0, 0.25]))
    Tensor([0.5, 2. ])
    """
    return Rsqrt.apply(x)


@register
class Cbrt(Function):
    name = "cbrt"
    formula = r"y = \sqrt[3]{x}"
    derivative = r"\bar{x} = \bar{y} / (3 y^2)"
    words = "The cube root, of negative numbers too; its slope grows without bound towards 0."

    @staticmethod
    def forward(x: Any) -> Any:
        return np.cbrt(floating(x))

    @staticmethod
    def backward(g: Any, out: Any) -> Any:
        return g / (3 * out * out)


def cbrt(x: Any, /) -> Tensor:
    """Return the cube root, which has the sign of x; at 0 its gradient is infinite.

    x keeps its shape, and floats their dtype; int64 becomes float64. Raises DTypeError for text.

    >>> cbrt(Tensor([8.0, -1.0]))
    Tensor([ 2., -1.])
    """
    return Cbrt.apply(x)


@register
class Hypot(Binary):
    name = "hypot"
    formula = r"y = \sqrt{x_1^2 + x_2^2}"
    derivative = r"\bar{x}_1 = \bar{y}\, x_1 / y, \quad \bar{x}_2 = \bar{y}\, x_2 / y"
    words = "The long side of a right triangle; at its corner, where both are 0, the slopes are taken as 0."

    @staticmethod
    def forward(x1: Any, x2: Any) -> Any:
        return np.hypot(*all_floating(x1, x2))

    @staticmethod
    def backward(g: Any, x1: Any, x2: Any, out: Any, needs: tuple[bool, ...]) -> Any:
        corner = ops.equal(out, 0)
        y = ops.where(corner, 1.0, out)
        return tuple(
            [
                g * ops.where(corner, 0.0, x / y) if need else None
                for x, need in zip((x1, x2), needs, strict=True)
            ]
        )


def hypot(x1: Any, x2: Any, /) -> Tensor:
    """Return √(x1² + x2²) without overflow of the squares; at (0, 0) the gradient is 0.

    Shapes broadcast, dtypes promote, and int64 becomes float64. Raises ShapeError for shapes that don't fit,
    DTypeError for text.

    >>> hypot(Tensor([3.0, 1e30]), Tensor([4.0, 0.0]))
    Tensor([5.e+00, 1.e+30])
    """
    return Hypot.apply(x1, x2)


@register
class Reciprocal(Function):
    name = "reciprocal"
    formula = r"y = 1 / x"
    derivative = r"\bar{x} = -\bar{y}\, y^2"
    words = "One over x; the slope falls with the square of x."

    @staticmethod
    def forward(x: Any) -> Any:
        return np.divide(1, x)  # np.reciprocal would round those of whole numbers to 0

    @staticmethod
    def backward(g: Any, out: Any) -> Any:
        return -g * out * out


def reciprocal(x: Any, /) -> Tensor:
    """Return 1 / x; 0 gives inf of its sign.

    x keeps its shape, and floats their dtype; all else gives float64. Raises DTypeError for text.

    >>> reciprocal(Tensor([2.0, -4.0]))
    Tensor([ 0.5 , -0.25])
    """
    return Reciprocal.apply(x)
