"""Special functions of statistics: the error function, the gamma function's logarithm and its derivatives.

The values are SciPy's. The rules are theorems: a derivative of the error function is the bell curve, and
each derivative of lgamma is the next polygamma, so that the rules go on to any order (NIST Digital Library
of Mathematical Functions, dlmf.nist.gov, chapters 5, 7 and 25).
"""

import math
from typing import Any

import numpy as np

from .. import ops
from ..errors import ArgumentError
from ..function import Function
from ..tensor import Tensor
from .arithmetic import Binary
from .fused import fused
from .parameters import whole_number
from .reduction import floating
from .registry import register

__all__ = ["digamma", "erf", "erfc", "erfinv", "lgamma", "polygamma", "xlogy"]


@register
class Erf(Function):
    name = "erf"
    formula = r"y = \frac{2}{\sqrt{\pi}} \int_0^x e^{-t^2} dt"
    derivative = r"\bar{x} = \bar{y}\, \frac{2}{\sqrt{\pi}} e^{-x^2}"
    words = "The error function: the area under a bell curve between -x and x; its slope is the curve."

    @staticmethod
    @fused("erf")
    def forward(x: Any) -> Any:
        from scipy import special

        return special.erf(floating(x))

    @staticmethod
    def backward(g: Any, x: Any) -> Any:
        return g * (2 / math.sqrt(math.pi)) * ops.exp(-ops.square(x))


def erf(x: Any, /) -> Tensor:
    """Return the error function of each element, between -1 and 1.

    x keeps its shape, and float32 its dtype; int64 becomes float64. Raises DTypeError for text.

    >>> erf(Tensor([0.0, 1.0]))
    Tensor([0.       , 0.84270])
    """
    return Erf.apply(x)


@register
class Erfc(Function):
    name = "erfc"
    formula = r"y = 1 - \operatorname{erf}(x)"
    derivative = r"\bar{x} = -\bar{y}\, \frac{2}{\sqrt{\pi}} e^{-x^2}"
    words = "What the error function lacks to 1, exact also where erf itself rounds to 1."

    @staticmethod
    def forward(x: Any) -> Any:
        from scipy import special

        return special.erfc(floating(x))

    @staticmethod
    def backward(g: Any, x: Any) -> Any:
        return g * (-2 / math.sqrt(math.pi)) * ops.exp(-ops.square(x))


def erfc(x: Any, /) -> Tensor:
    """Return 1 - erf(x) without the rounding that the difference would bring for large x.

    x keeps its shape, and float32 its dtype; int64 becomes float64. Raises DTypeError for text.

    >>> erfc(Tensor([0.0, 5.0]))
    Tensor([1.00000e+00, 1.53746e-12])
    """
    return Erfc.apply(x)


@register
class ErfInv(Function):
    name = "erfinv"
    formula = r"y = \operatorname{erf}^{-1}(x)"
    derivative = r"\bar{x} = \bar{y}\, \frac{\sqrt{\pi}}{2} e^{y^2}"
    words = "The number whose error function is x; its slope grows without bound towards -1 and 1."

    @staticmethod
    def forward(x: Any) -> Any:
        from scipy import special

        return special.erfinv(floating(x))

    @staticmethod
    def backward(g: Any, out: Any) -> Any:
        return g * (math.sqrt(math.pi) / 2) * ops.exp(ops.square(out))


def erfinv(x: Any, /) -> Tensor:
    """Return the inverse of erf; -inf and inf at -1 and 1, nan outside.

    √2 erfinv(2 p - 1) is the normal distribution's quantile of p. x keeps its shape, and float32 its dtype;
    int64 becomes float64. Raises DTypeError for text.

    >>> erfinv(Tensor([0.0, 0.5]))
    Tensor([0.       , 0.47694])
    """
    return ErfInv.apply(x)


@register
class LGamma(Function):
    name = "lgamma"
    formula = r"y = \ln |\Gamma(x)|"
    derivative = r"\bar{x} = \bar{y}\, \psi(x)"
    words = "The logarithm of the gamma function, ln (n - 1)! at whole numbers; its slope is digamma."

    @staticmethod
    def forward(x: Any) -> Any:
        from scipy import special

        return special.gammaln(floating(x))

    @staticmethod
    def backward(g: Any, x: Any) -> Any:
        return g * ops.digamma(x)


def lgamma(x: Any, /) -> Tensor:
    """Return ln |Γ(x)|, as PyTorch's lgamma and SciPy's gammaln; inf at 0 and the negative whole numbers.

    x keeps its shape, and float32 its dtype; int64 becomes float64. Raises DTypeError for text.

    >>> lgamma(Tensor([1.0, 4.0]))
    Tensor([0.       , 1.79176])
    """
    return LGamma.apply(x)


@register
class Digamma(Function):
    name = "digamma"
    formula = r"y = \psi(x) = \Gamma'(x) / \Gamma(x)"
    derivative = r"\bar{x} = \bar{y}\, \psi^{(1)}(x)"
    words = "The slope of the logarithm of the gamma function; near ln x for large x."

    @staticmethod
    def forward(x: Any) -> Any:
        from scipy import special

        return special.digamma(floating(x))

    @staticmethod
    def backward(g: Any, x: Any) -> Any:
        return g * ops.polygamma(1, x)


def digamma(x: Any, /) -> Tensor:
    """Return the derivative of lgamma; it has poles at 0 (-inf) and the negative whole numbers (nan).

    x keeps its shape, and float32 its dtype; int64 becomes float64. Raises DTypeError for text.

    >>> digamma(Tensor([1.0, 2.0]))
    Tensor([-0.57722 ,  0.42278])
    """
    return Digamma.apply(x)


@register
class Polygamma(Function):
    name = "polygamma"
    formula = r"y = \psi^{(n)}(x) = (-1)^{n+1}\, n! \sum_{k=0}^\infty (x + k)^{-n-1}"
    derivative = r"\bar{x} = \bar{y}\, \psi^{(n+1)}(x)"
    words = "The n-th derivative of digamma; its own is the next."

    @staticmethod
    def forward(x: Any, *, n: int) -> Any:
        from scipy import special

        x = floating(x)
        if n == 0:
            return special.digamma(x)
        # The sum is Hurwitz' zeta function. SciPy's own polygamma would widen float32.
        return (-1.0) ** (n + 1) * math.factorial(n) * special.zeta(n + 1, x)

    @staticmethod
    def backward(g: Any, x: Any, n: int) -> Any:
        return g * ops.polygamma(n + 1, x)


def polygamma(n: int, x: Any, /) -> Tensor:
    """Return the n-th derivative of digamma; n = 0 is digamma itself. Arguments as SciPy's and PyTorch's.

    x keeps its shape, and float32 its dtype; int64 becomes float64. Raises DTypeError unless n is a whole
    number, and for text, ArgumentError for a negative n.

    >>> polygamma(1, Tensor([1.0, 2.0]))
    Tensor([1.64493 , 0.64493])
    """
    n = whole_number("polygamma: n, which comes first,", n)
    if n < 0:
        raise ArgumentError(f"polygamma: n must be at least 0, got {n}")
    return Polygamma.apply(x, n=n)


@register
class XLogY(Binary):
    name = "xlogy"
    formula = r"z = x \ln y, \quad 0 \ln y = 0"
    derivative = r"\bar{x} = \bar{z} \ln y, \quad \bar{y} = \bar{z}\, x / y"
    words = "x times the logarithm of y, and 0 where x is 0, whatever y: as entropies need it."

    @staticmethod
    def forward(x: Any, y: Any) -> Any:
        from scipy import special

        dtype = np.result_type(x, y, np.float32)  # as SciPy alone wouldn't choose: it widens float32 beside 2
        return special.xlogy(np.asarray(x, dtype), np.asarray(y, dtype))

    @staticmethod
    def backward(g: Any, x: Any, y: Any) -> Any:
        # Where x is 0 and y has no logarithm, the slope in y is 0, and that in x is infinite or none: 0 too.
        y = ops.where(ops.equal(x, 0) * ops.less_equal(y, 0), 1.0, y)
        return g * ops.log(y), g * x / y


def xlogy(x: Any, y: Any, /) -> Tensor:
    """Return x ln y, and 0 where x is 0 even if y is 0 too, with gradients that are finite there.

    -inf where y alone is 0. As SciPy's and PyTorch's. Shapes broadcast, dtypes promote, and int64 becomes
    float64. Raises ShapeError for shapes that don't fit, DTypeError for text.

    >>> xlogy(Tensor([0.0, 2.0]), Tensor([0.0, 1.0]))
    Tensor([0., 0.])
    """
    return XLogY.apply(x, y)
