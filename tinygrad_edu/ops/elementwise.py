"""Functions of one tensor, element by element: exponential, logarithm, roots, and the activations."""

from typing import Any

import numpy as np

from .. import ops
from ..function import Function
from ..tensor import Tensor
from .registry import register

__all__ = [
    "astype",
    "cos",
    "exp",
    "expm1",
    "log",
    "log1p",
    "relu",
    "sigmoid",
    "sin",
    "softplus",
    "sqrt",
    "tanh",
]


@register
class Exp(Function):
    name = "exp"
    formula = r"y = e^x"
    derivative = r"\bar{x} = \bar{y}\, y"
    words = "The exponential; its slope is its own value."

    @staticmethod
    def forward(x: Any) -> Any:
        return np.exp(x)

    @staticmethod
    def backward(g: Any, out: Any) -> Any:
        return g * out


def exp(x: Any, /) -> Tensor:
    """Return e to the power of x; inf above about 88 in float32, 709 in float64.

    >>> exp(Tensor([0.0, 1.0]))
    Tensor([1.       , 2.71828])
    """
    return Exp.apply(x)


@register
class Expm1(Function):
    name = "expm1"
    formula = r"y = e^x - 1"
    derivative = r"\bar{x} = \bar{y}\,(y + 1)"
    words = "The exponential less one, exact also for tiny x, where e^x rounds to 1."

    @staticmethod
    def forward(x: Any) -> Any:
        return np.expm1(x)

    @staticmethod
    def backward(g: Any, out: Any) -> Any:
        return g * (out + 1)


def expm1(x: Any, /) -> Tensor:
    """Return e^x - 1 without the rounding that the difference would bring near 0.

    >>> expm1(Tensor([0.0, 1e-10]))
    Tensor([0.e+00, 1.e-10])
    """
    return Expm1.apply(x)


@register
class Log(Function):
    name = "log"
    formula = r"y = \ln x"
    derivative = r"\bar{x} = \bar{y} / x"
    words = "The natural logarithm; its slope is one over x."

    @staticmethod
    def forward(x: Any) -> Any:
        return np.log(x)

    @staticmethod
    def backward(g: Any, x: Any) -> Any:
        return g / x


def log(x: Any, /) -> Tensor:
    """Return the natural logarithm; -inf at 0, nan below.

    >>> log(Tensor([1.0, 10.0]))
    Tensor([0.       , 2.30259])
    """
    return Log.apply(x)


@register
class Log1p(Function):
    name = "log1p"
    formula = r"y = \ln(1 + x)"
    derivative = r"\bar{x} = \bar{y} / (1 + x)"
    words = "The logarithm of one plus x, exact also for tiny x, where 1 + x rounds to 1."

    @staticmethod
    def forward(x: Any) -> Any:
        return np.log1p(x)

    @staticmethod
    def backward(g: Any, x: Any) -> Any:
        return g / (1 + x)


def log1p(x: Any, /) -> Tensor:
    """Return ln(1 + x) without the rounding that the sum would bring near 0.

    >>> log1p(Tensor([0.0, 1e-10]))
    Tensor([0.e+00, 1.e-10])
    """
    return Log1p.apply(x)


@register
class Sqrt(Function):
    name = "sqrt"
    formula = r"y = \sqrt{x}"
    derivative = r"\bar{x} = \bar{y} / (2 y)"
    words = "The square root; its slope grows without bound towards 0."

    @staticmethod
    def forward(x: Any) -> Any:
        return np.sqrt(x)

    @staticmethod
    def backward(g: Any, out: Any) -> Any:
        return g / (2 * out)


def sqrt(x: Any, /) -> Tensor:
    """Return the square root; nan below 0.

    >>> sqrt(Tensor([4.0, 9.0]))
    Tensor([2., 3.])
    """
    return Sqrt.apply(x)


@register
class Sin(Function):
    name = "sin"
    formula = r"y = \sin x"
    derivative = r"\bar{x} = \bar{y} \cos x"
    words = "The sine of an angle in radians."

    @staticmethod
    def forward(x: Any) -> Any:
        return np.sin(x)

    @staticmethod
    def backward(g: Any, x: Any) -> Any:
        return g * ops.cos(x)


def sin(x: Any, /) -> Tensor:
    """Return the sine of x in radians.

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
        return np.cos(x)

    @staticmethod
    def backward(g: Any, x: Any) -> Any:
        return -g * ops.sin(x)


def cos(x: Any, /) -> Tensor:
    """Return the cosine of x in radians.

    >>> cos(Tensor([0.0, 0.5]))
    Tensor([1.       , 0.87758])
    """
    return Cos.apply(x)


@register
class Tanh(Function):
    name = "tanh"
    formula = r"y = \tanh x"
    derivative = r"\bar{x} = \bar{y}\,(1 - y^2)"
    words = "Squashes to between -1 and 1; flat, so without gradient, where it is saturated."

    @staticmethod
    def forward(x: Any) -> Any:
        return np.tanh(x)

    @staticmethod
    def backward(g: Any, out: Any) -> Any:
        return g * (1 - out * out)


def tanh(x: Any, /) -> Tensor:
    """Return the hyperbolic tangent.

    >>> tanh(Tensor([0.0, 1.0]))
    Tensor([0.       , 0.76159])
    """
    return Tanh.apply(x)


@register
class Sigmoid(Function):
    name = "sigmoid"
    formula = r"y = \frac{1}{1 + e^{-x}}"
    derivative = r"\bar{x} = \bar{y}\, y (1 - y)"
    words = "Squashes to between 0 and 1; its slope is at most a quarter, and near 0 where it is saturated."

    @staticmethod
    def forward(x: Any) -> Any:
        return _sigmoid(x)

    @staticmethod
    def backward(g: Any, out: Any) -> Any:
        return g * out * (1 - out)


def sigmoid(x: Any, /) -> Tensor:
    """Return the logistic function, without overflow for any x.

    >>> sigmoid(Tensor([0.0, 2.0]))
    Tensor([0.5      , 0.88080])
    """
    return Sigmoid.apply(x)


@register
class Softplus(Function):
    name = "softplus"
    formula = r"y = \ln(1 + e^x)"
    derivative = r"\bar{x} = \bar{y}\,\sigma(x)"
    words = "A smooth ReLU; its slope is the sigmoid."

    @staticmethod
    def forward(x: Any) -> Any:
        return np.logaddexp(x, np.zeros((), np.result_type(x, np.float32)))

    @staticmethod
    def backward(g: Any, x: Any) -> Any:
        return g * ops.sigmoid(x)


def softplus(x: Any, /) -> Tensor:
    """Return ln(1 + e^x), without overflow for any x.

    >>> softplus(Tensor([0.0, 100.0]))
    Tensor([  0.69315, 100.       ])
    """
    return Softplus.apply(x)


def _sigmoid(x: Any) -> Any:
    # e^-|x| can't overflow; it serves both signs: 1 / (1 + e) above 0 and e / (1 + e) below.
    e = np.exp(-np.abs(x))
    return np.where(np.less(x, 0), e, 1.0) / (1 + e)


@register
class ReLU(Function):
    name = "relu"
    formula = r"y = \max(0, x)"
    derivative = r"\bar{x} = \bar{y}\,[x > 0]"
    words = "Cuts off below 0; the gradient passes where x is positive and stops elsewhere, at 0 too."

    @staticmethod
    def forward(x: Any) -> Any:
        return np.maximum(x, 0)

    @staticmethod
    def backward(g: Any, out: Any) -> Any:
        # The result tells as much as the input, and the next operation keeps it anyway.
        values = out.data if isinstance(out, Tensor) else out
        return g * (values > 0)


def relu(x: Any, /) -> Tensor:
    """Return the positive part of x, and 0 where x is negative.

    >>> relu(Tensor([-1.0, 2.0]))
    Tensor([0., 2.])
    """
    return ReLU.apply(x)


@register
class AsType(Function):
    name = "astype"
    formula = r"y = x"
    derivative = r"\bar{x} = \bar{y}"
    words = "Changes the dtype; the gradient changes back."

    @staticmethod
    def forward(x: Any, *, dtype: Any) -> Any:
        return np.asarray(x).astype(dtype)

    @staticmethod
    def backward(g: Any) -> Any:
        return g  # the tape gives every gradient its input's dtype


def astype(x: Any, dtype: Any, /) -> Tensor:
    """Return x converted to a dtype; from float to whole numbers the graph ends.

    >>> astype(Tensor([1.0, 2.0]), "float64")
    Tensor([1., 2.], dtype=float64)
    """
    return AsType.apply(x, dtype=dtype)
