"""Exponentials and logarithms, element by element."""

import math
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
    "exp",
    "exp2",
    "expm1",
    "log",
    "log1p",
    "log2",
    "log10",
    "logaddexp",
]


@register
class Exp(Function):
    name = "exp"
    formula = r"y = e^x"
    derivative = r"\bar{x} = \bar{y}\, y"
    words = "The exponential; its slope is its own value."

    @staticmethod
    @fused("exp")
    def forward(x: Any) -> Any:
        return np.exp(floating(x))

    @staticmethod
    def backward(g: Any, out: Any) -> Any:
        return g * out


def exp(x: Any, /) -> Tensor:
    """Return e to the power of x; inf above about 88 in float32, 709 in float64.

    x keeps its shape, and floats their dtype; int64 becomes float64. Raises DTypeError for text.

    >>> exp(Tensor([0.0, 1.0]))
    Tensor([1.       , 2.71828])
    """
    return Exp.apply(x)


@register
class Exp2(Function):
    name = "exp2"
    formula = r"y = 2^x"
    derivative = r"\bar{x} = \bar{y}\, y \ln 2"
    words = "Two to the power of x; it grows ln 2 times as steeply as it is high."

    @staticmethod
    def forward(x: Any) -> Any:
        return np.exp2(floating(x))

    @staticmethod
    def backward(g: Any, out: Any) -> Any:
        return g * (out * math.log(2))


def exp2(x: Any, /) -> Tensor:
    """Return 2 to the power of x; inf from 128 in float32, 1024 in float64.

    x keeps its shape, and floats their dtype; int64 becomes float64. Raises DTypeError for text.

    >>> exp2(Tensor([3.0, -1.0]))
    Tensor([8. , 0.5])
    """
    return Exp2.apply(x)


@register
class Expm1(Function):
    name = "expm1"
    formula = r"y = e^x - 1"
    derivative = r"\bar{x} = \bar{y}\,(y + 1)"
    words = "The exponential less one, exact also for tiny x, where e^x rounds to 1."

    @staticmethod
    @fused("expm1")
    def forward(x: Any) -> Any:
        return np.expm1(floating(x))

    @staticmethod
    def backward(g: Any, out: Any) -> Any:
        return g * (out + 1)


def expm1(x: Any, /) -> Tensor:
    """Return e^x - 1, exact near 0 where e^x rounds to 1; shape, dtype and what it raises are as for exp.

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
        return np.log(floating(x))

    @staticmethod
    def backward(g: Any, x: Any) -> Any:
        return g / x


def log(x: Any, /) -> Tensor:
    """Return the natural logarithm; -inf at 0, nan below.

    x keeps its shape, and floats their dtype; int64 becomes float64. Raises DTypeError for text.

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
        return np.log1p(floating(x))

    @staticmethod
    def backward(g: Any, x: Any) -> Any:
        return g / (1 + x)


def log1p(x: Any, /) -> Tensor:
    """Return ln(1 + x), exact near 0 where 1 + x rounds to 1; shape, dtype and what it raises: as for log.

    >>> log1p(Tensor([0.0, 1e-10]))
    Tensor([0.e+00, 1.e-10])
    """
    return Log1p.apply(x)


@register
class Log2(Function):
    name = "log2"
    formula = r"y = \log_2 x"
    derivative = r"\bar{x} = \bar{y} / (x \ln 2)"
    words = "The logarithm to the base 2: how often x can be halved down to 1."

    @staticmethod
    def forward(x: Any) -> Any:
        return np.log2(floating(x))

    @staticmethod
    def backward(g: Any, x: Any) -> Any:
        return g / (x * math.log(2))


def log2(x: Any, /) -> Tensor:
    """Return the logarithm to the base 2; shape, dtype, borders and what it raises are as for log.

    >>> log2(Tensor([8.0, 0.5]))
    Tensor([ 3., -1.])
    """
    return Log2.apply(x)


@register
class Log10(Function):
    name = "log10"
    formula = r"y = \log_{10} x"
    derivative = r"\bar{x} = \bar{y} / (x \ln 10)"
    words = "The logarithm to the base 10: about the number of digits."

    @staticmethod
    def forward(x: Any) -> Any:
        return np.log10(floating(x))

    @staticmethod
    def backward(g: Any, x: Any) -> Any:
        return g / (x * math.log(10))


def log10(x: Any, /) -> Tensor:
    """Return the logarithm to the base 10; shape, dtype, borders and what it raises are as for log.

    >>> log10(Tensor([1.0, 0.1]))
    Tensor([ 0., -1.])
    """
    return Log10.apply(x)


@register
class LogAddExp(Binary):
    name = "logaddexp"
    formula = r"y = \ln(e^{x_1} + e^{x_2})"
    derivative = r"\bar{x}_1 = \bar{y}\,\sigma(x_1 - x_2), \quad \bar{x}_2 = \bar{y}\,\sigma(x_2 - x_1)"
    words = "Adds two numbers that are given by their logarithms; the shares of the sum share the gradient."

    @staticmethod
    def forward(x1: Any, x2: Any) -> Any:
        return np.logaddexp(*all_floating(x1, x2))

    @staticmethod
    def backward(g: Any, x1: Any, x2: Any, needs: tuple[bool, ...]) -> Any:
        # Two equal infinities share like other equals, though their difference is nan.
        tie = ops.logical_and(x1 == x2, ops.abs(x1) == math.inf)
        difference = ops.where(tie, 0.0, x1) - ops.where(tie, 0.0, x2)
        return g * ops.sigmoid(difference), g * ops.sigmoid(-difference) if needs[1] else None


def logaddexp(x1: Any, x2: Any, /) -> Tensor:
    """Return ln(e^x1 + e^x2) without overflow; two of -inf, which is ln 0, give -inf.

    Shapes broadcast, dtypes promote, and int64 becomes float64. Raises ShapeError for shapes that don't fit,
    DTypeError for text.

    >>> logaddexp(Tensor(1000.0), 1000.0)
    Tensor(1000.693)
    """
    return LogAddExp.apply(x1, x2)
