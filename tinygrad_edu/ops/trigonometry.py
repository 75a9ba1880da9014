"""Angles and hyperbolas: sine, cosine and their relatives, element by element."""

from typing import Any

import numpy as np

from .. import ops
from ..function import Function
from ..tensor import Tensor
from .arithmetic import Binary
from .fused import fused
from .reduction import all_floating, floating
from .registry import register

__all__ = [
    "acos",
    "acosh",
    "asin",
    "asinh",
    "atan",
    "atan2",
    "atanh",
    "cos",
    "cosh",
    "sin",
    "sinh",
    "tan",
    "tanh",
]


@register
class Sin(Function):
    name = "sin"
    formula = r"y = \sin x"
    derivative = r"\bar{x} = \bar{y} \cos x"
    words = "The sine of an angle in radians."

    @staticmethod
    def forward(x: Any) -> Any:
        return np.sin(floating(x))

    @staticmethod
    def backward(g: Any, x: Any) -> Any:
        return g * ops.cos(x)


def sin(x: Any, /) -> Tensor:
    """Return the sine of x in radians.

    x keeps its shape, and floats their dtype; int64 becomes float64. Raises DTypeError for text.

    >>> sin(Tensor([0.0, 0.5]))
    Tensor([0.       , 0.47943])
    """
    return Sin.apply(x)


@register
class Cos(Function):
    name = "cos"
    formula = r"y = \cos x"
    derivative = r"\bar{x} = -\bar{y} \sin x"
    words = "The cosine of an angle in radians."

    @staticmethod
    def forward(x: Any) -> Any:
        return np.cos(floating(x))

    @staticmethod
    def backward(g: Any, x: Any) -> Any:
        return -g * ops.sin(x)


def cos(x: Any, /) -> Tensor:
    """Return the cosine of x in radians.

    x keeps its shape, and floats their dtype; int64 becomes float64. Raises DTypeError for text.

    >>> cos(Tensor([0.0, 0.5]))
    Tensor([1.       , 0.87758])
    """
    return Cos.apply(x)


@register
class Tan(Function):
    name = "tan"
    formula = r"y = \tan x"
    derivative = r"\bar{x} = \bar{y}\,(1 + y^2)"
    words = "The slope of a line at an angle in radians; it has poles halfway between the multiples of pi."

    @staticmethod
    def forward(x: Any) -> Any:
        return np.tan(floating(x))

    @staticmethod
    def backward(g: Any, out: Any) -> Any:
        return g * (1 + out * out)


def tan(x: Any, /) -> Tensor:
    """Return the tangent of x in radians.

    x keeps its shape, and floats their dtype; int64 becomes float64. Raises DTypeError for text.

    >>> tan(Tensor([0.0, 0.5]))
    Tensor([0.     , 0.54630])
    """
    return Tan.apply(x)


@register
class Asin(Function):
    name = "asin"
    formula = r"y = \arcsin x"
    derivative = r"\bar{x} = \bar{y} / \sqrt{1 - x^2}"
    words = "The angle with this sine; its slope grows without bound towards -1 and 1."

    @staticmethod
    def forward(x: Any) -> Any:
        return np.arcsin(floating(x))

    @staticmethod
    def backward(g: Any, x: Any) -> Any:
        return g / ops.sqrt((1 - x) * (1 + x))


def asin(x: Any, /) -> Tensor:
    """Return the angle from -π/2 to π/2 whose sine is x; at ±1 the gradient is inf, and beyond all is nan.

    x keeps its shape, and floats their dtype; int64 becomes float64. Raises DTypeError for text.

    >>> asin(Tensor([0.0, 1.0]))
    Tensor([0.     , 1.57080])
    """
    return Asin.apply(x)


@register
class Acos(Function):
    name = "acos"
    formula = r"y = \arccos x"
    derivative = r"\bar{x} = -\bar{y} / \sqrt{1 - x^2}"
    words = "The angle with this cosine; its slope falls without bound towards -1 and 1."

    @staticmethod
    def forward(x: Any) -> Any:
        return np.arccos(floating(x))

    @staticmethod
    def backward(g: Any, x: Any) -> Any:
        return -g / ops.sqrt((1 - x) * (1 + x))


def acos(x: Any, /) -> Tensor:
    """Return the angle from 0 to π whose cosine is x; at ±1 the gradient is -inf, and beyond all is nan.

    x keeps its shape, and floats their dtype; int64 becomes float64. Raises DTypeError for text.

    >>> acos(Tensor([0.0, 1.0]))
    Tensor([1.57080, 0.     ])
    """
    return Acos.apply(x)


@register
class Atan(Function):
    name = "atan"
    formula = r"y = \arctan x"
    derivative = r"\bar{x} = \bar{y} / (1 + x^2)"
    words = "The angle of a line with this slope."

    @staticmethod
    def forward(x: Any) -> Any:
        return np.arctan(floating(x))

    @staticmethod
    def backward(g: Any, x: Any) -> Any:
        r = ops.hypot(1.0, x)  # x² itself may overflow
        return g / r / r


def atan(x: Any, /) -> Tensor:
    """Return the angle from -π/2 to π/2 whose tangent is x.

    x keeps its shape, and floats their dtype; int64 becomes float64. Raises DTypeError for text.

    >>> atan(Tensor([0.0, 1.0]))
    Tensor([0.     , 0.78540])
    """
    return Atan.apply(x)


@register
class Atan2(Binary):
    name = "atan2"
    formula = r"y = \arg(x_2 + i x_1)"
    derivative = (
        r"\bar{x}_1 = \bar{y}\, x_2 / (x_1^2 + x_2^2), \quad \bar{x}_2 = -\bar{y}\, x_1 / (x_1^2 + x_2^2)"
    )
    words = "The direction from the origin to a point; at the origin itself the slopes are taken as 0."

    @staticmethod
    def forward(x1: Any, x2: Any) -> Any:
        return np.arctan2(*all_floating(x1, x2))

    @staticmethod
    def backward(g: Any, x1: Any, x2: Any) -> Any:
        r = ops.hypot(x1, x2)  # x1² + x2² itself may overflow
        r = ops.where(r == 0, 1.0, r)
        return g * (x2 / r) / r, -g * (x1 / r) / r


def atan2(x1: Any, x2: Any, /) -> Tensor:
    """Return the angle from -π to π of the point with height x1 and abscissa x2.

    It jumps by 2π where x1 changes sign to the left of the origin; at (0, 0) the gradient is 0. Shapes
    broadcast, dtypes promote, and int64 becomes float64. Raises ShapeError for shapes that don't fit,
    DTypeError for text.

    >>> atan2(Tensor([1.0, -1.0]), Tensor([1.0, -1.0]))
    Tensor([ 0.78540, -2.35619])
    """
    return Atan2.apply(x1, x2)


@register
class Sinh(Function):
    name = "sinh"
    formula = r"y = \sinh x"
    derivative = r"\bar{x} = \bar{y} \cosh x"
    words = "The odd half of the exponential."

    @staticmethod
    def forward(x: Any) -> Any:
        return np.sinh(floating(x))

    @staticmethod
    def backward(g: Any, x: Any) -> Any:
        return g * ops.cosh(x)


def sinh(x: Any, /) -> Tensor:
    """Return the hyperbolic sine; infinite beyond about ±89 in float32, ±710 in float64.

    x keeps its shape, and floats their dtype; int64 becomes float64. Raises DTypeError for text.

    >>> sinh(Tensor([0.0, 1.0]))
    Tensor([0.     , 1.17520])
    """
    return Sinh.apply(x)


@register
class Cosh(Function):
    name = "cosh"
    formula = r"y = \cosh x"
    derivative = r"\bar{x} = \bar{y} \sinh x"
    words = "The even half of the exponential: the curve of a hanging chain."

    @staticmethod
    def forward(x: Any) -> Any:
        return np.cosh(floating(x))

    @staticmethod
    def backward(g: Any, x: Any) -> Any:
        return g * ops.sinh(x)


def cosh(x: Any, /) -> Tensor:
    """Return the hyperbolic cosine; inf beyond about ±89 in float32, ±710 in float64.

    x keeps its shape, and floats their dtype; int64 becomes float64. Raises DTypeError for text.

    >>> cosh(Tensor([0.0, 1.0]))
    Tensor([1.     , 1.54308])
    """
    return Cosh.apply(x)


@register
class Tanh(Function):
    name = "tanh"
    formula = r"y = \tanh x"
    derivative = r"\bar{x} = \bar{y}\,(1 - y^2)"
    words = "Squashes to between -1 and 1; flat, so without gradient, where it is saturated."

    @staticmethod
    @fused("tanh")
    def forward(x: Any) -> Any:
        return np.tanh(floating(x))

    @staticmethod
    @fused("tanh_grad")
    def backward(g: Any, out: Any) -> Any:
        return g * (1 - out * out)


def tanh(x: Any, /) -> Tensor:
    """Return the hyperbolic tangent, from -1 to 1.

    x keeps its shape, and floats their dtype; int64 becomes float64. Raises DTypeError for text.

    >>> tanh(Tensor([0.0, 1.0]))
    Tensor([0.       , 0.76159])
    """
    return Tanh.apply(x)


@register
class Asinh(Function):
    name = "asinh"
    formula = r"y = \operatorname{arsinh} x"
    derivative = r"\bar{x} = \bar{y} / \sqrt{1 + x^2}"
    words = "Undoes the hyperbolic sine: straight near 0, a logarithm of either sign further out."

    @staticmethod
    def forward(x: Any) -> Any:
        return np.arcsinh(floating(x))

    @staticmethod
    def backward(g: Any, x: Any) -> Any:
        return g / ops.hypot(1.0, x)


def asinh(x: Any, /) -> Tensor:
    """Return the inverse of the hyperbolic sine.

    x keeps its shape, and floats their dtype; int64 becomes float64. Raises DTypeError for text.

    >>> asinh(Tensor([0.0, -1e30]))
    Tensor([  0.     , -69.77070])
    """
    return Asinh.apply(x)


@register
class Acosh(Function):
    name = "acosh"
    formula = r"y = \operatorname{arcosh} x"
    derivative = r"\bar{x} = \bar{y} / \sqrt{x^2 - 1}"
    words = "Undoes the hyperbolic cosine; its slope grows without bound towards 1."

    @staticmethod
    def forward(x: Any) -> Any:
        return np.arccosh(floating(x))

    @staticmethod
    def backward(g: Any, x: Any) -> Any:
        # Not the root of x² - 1, which may overflow.
        return g / (ops.sqrt(x - 1) * ops.sqrt(x + 1))


def acosh(x: Any, /) -> Tensor:
    """Return the inverse of the hyperbolic cosine; at 1 the gradient is inf, below all is nan.

    x keeps its shape, and floats their dtype; int64 becomes float64. Raises DTypeError for text.

    >>> acosh(Tensor([1.0, 2.0]))
    Tensor([0.     , 1.31696])
    """
    return Acosh.apply(x)


@register
class Atanh(Function):
    name = "atanh"
    formula = r"y = \operatorname{artanh} x"
    derivative = r"\bar{x} = \bar{y} / (1 - x^2)"
    words = "Undoes the hyperbolic tangent; its slope grows without bound towards -1 and 1."

    @staticmethod
    def forward(x: Any) -> Any:
        return np.arctanh(floating(x))

    @staticmethod
    def backward(g: Any, x: Any) -> Any:
        return g / ((1 - x) * (1 + x))


def atanh(x: Any, /) -> Tensor:
    """Return the inverse of the hyperbolic tangent; infinite at ±1, nan beyond.

    x keeps its shape, and floats their dtype; int64 becomes float64. Raises DTypeError for text.

    >>> atanh(Tensor([0.0, 0.5]))
    Tensor([0.     , 0.54931])
    """
    return Atanh.apply(x)
