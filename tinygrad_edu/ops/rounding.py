"""Rounding, signs, and what kind of number it is: flat pieces between jumps, element by element."""

from typing import Any

import numpy as np

from .. import ops
from ..function import Function
from ..tensor import Tensor
from .arithmetic import Binary
from .parameters import number
from .reduction import all_floating
from .registry import register

__all__ = [
    "ceil",
    "copysign",
    "floor",
    "isfinite",
    "isinf",
    "isnan",
    "nan_to_num",
    "nextafter",
    "round",
    "sign",
    "signbit",
    "trunc",
]


def _rounded(function: Any, x: Any) -> Any:
    """Round floats; whole numbers and bools are whole already (some of NumPy's functions widen them)."""
    return function(x) if np.asarray(x).dtype.kind == "f" else np.array(x)


@register
class Ceil(Function):
    name = "ceil"
    formula = r"y = \lceil x \rceil"
    words = "Rounds up; flat between the whole numbers, so no gradient flows through it."

    @staticmethod
    def forward(x: Any) -> Any:
        return _rounded(np.ceil, x)


def ceil(x: Any, /) -> Tensor:
    """Return the smallest whole number that isn't less than x, of x's shape and dtype; without a gradient.

    Whole numbers and bools stay as they are. Raises DTypeError for a list that isn't of numbers.

    >>> ceil(Tensor([-1.5, 0.2, 2.0]))
    Tensor([-1.,  1.,  2.])
    """
    return Ceil.apply(x)


@register
class Floor(Function):
    name = "floor"
    formula = r"y = \lfloor x \rfloor"
    words = "Rounds down; flat between the whole numbers, so no gradient flows through it."

    @staticmethod
    def forward(x: Any) -> Any:
        return _rounded(np.floor, x)


def floor(x: Any, /) -> Tensor:
    """Return the largest whole number that isn't greater than x, of x's shape and dtype; without a gradient.

    Whole numbers and bools stay as they are. Raises DTypeError for a list that isn't of numbers.

    >>> floor(Tensor([-1.5, 0.2, 2.0]))
    Tensor([-2.,  0.,  2.])
    """
    return Floor.apply(x)


@register
class Trunc(Function):
    name = "trunc"
    formula = r"y = \operatorname{sign}(x) \lfloor |x| \rfloor"
    words = "Cuts off the fraction; flat between the whole numbers, so no gradient flows through it."

    @staticmethod
    def forward(x: Any) -> Any:
        return _rounded(np.trunc, x)


def trunc(x: Any, /) -> Tensor:
    """Return x without its fraction, so rounded towards 0, of x's shape and dtype; without a gradient.

    Whole numbers and bools stay as they are. Raises DTypeError for a list that isn't of numbers.

    >>> trunc(Tensor([-1.5, 0.2, 2.0]))
    Tensor([-1.,  0.,  2.])
    """
    return Trunc.apply(x)


@register
class Round(Function):
    name = "round"
    formula = r"y = \operatorname{round}(x)"
    words = "Goes to the nearest whole number; flat between its jumps, so no gradient flows through it."

    @staticmethod
    def forward(x: Any) -> Any:
        return _rounded(np.rint, x)


def round(x: Any, /) -> Tensor:
    """Return the nearest whole number, of two the even one, of x's shape and dtype; without a gradient.

    Whole numbers and bools stay as they are. Raises DTypeError for a list that isn't of numbers.

    >>> round(Tensor([0.5, 1.5, 2.5, -1.7]))
    Tensor([ 0.,  2.,  2., -2.])
    """
    return Round.apply(x)


@register
class Sign(Function):
    name = "sign"
    formula = r"y = \operatorname{sign}(x)"
    words = "-1, 0 or 1; flat everywhere but at 0, so no gradient flows through it."

    @staticmethod
    def forward(x: Any) -> Any:
        return np.sign(x)


def sign(x: Any, /) -> Tensor:
    """Return -1, 0 or 1 by the sign of x, of x's shape and dtype; never requires a gradient.

    That of nan is nan. Raises DTypeError for text, and bools, which have no sign.

    >>> sign(Tensor([-3.0, 0.0, 2.0]))
    Tensor([-1.,  0.,  1.])
    """
    return Sign.apply(x)


@register
class SignBit(Function):
    name = "signbit"
    formula = r"y = [\text{the sign bit of } x \text{ is set}]"
    words = "True for negative numbers, and for -0.0 too."

    @staticmethod
    def forward(x: Any) -> Any:
        return np.signbit(x)


def signbit(x: Any, /) -> Tensor:
    """Return whether the sign is negative, as bools of x's shape; that of -0.0 is.

    Raises DTypeError for text.

    >>> signbit(Tensor([-3.0, -0.0, 0.0]))
    Tensor([ True,  True, False])
    """
    return SignBit.apply(x)


@register
class CopySign(Binary):
    name = "copysign"
    formula = r"y = |x_1| \operatorname{sign}(x_2)"
    derivative = r"\bar{x}_1 = \bar{y}\,\operatorname{sign}(x_1)\operatorname{sign}(x_2)"
    words = "Gives x1 the sign of x2; its gradient turns along with it, and is taken as 0 at 0."

    @staticmethod
    def forward(x1: Any, x2: Any) -> Any:
        return np.copysign(*all_floating(x1, x2))

    @staticmethod
    def backward(g: Any, x1: Any, out: Any) -> Any:
        return g * (ops.sign(x1) * ops.sign(out)), None


def copysign(x1: Any, x2: Any, /) -> Tensor:
    """Return |x1| with the sign of x2; that of -0.0 counts as negative. x2 gets no gradient.

    Shapes broadcast, dtypes promote, and int64 becomes float64. Raises ShapeError for shapes that don't fit,
    DTypeError for text.

    >>> copysign(Tensor([1.0, -2.0]), Tensor([-0.0, 5.0]))
    Tensor([-1.,  2.])
    """
    return CopySign.apply(x1, x2)


@register
class NextAfter(Binary):
    name = "nextafter"
    formula = r"y = \text{the float after } x_1 \text{ towards } x_2"
    words = "Goes to the neighbouring float: a step of rounding, not of calculus, so without a gradient."

    @staticmethod
    def forward(x1: Any, x2: Any) -> Any:
        return np.nextafter(*all_floating(x1, x2))


def nextafter(x1: Any, x2: Any, /) -> Tensor:
    """Return the float next to x1 on the way to x2 (x2 itself if equal); without a gradient.

    Shapes broadcast, dtypes promote, and int64 becomes float64. Raises ShapeError for shapes that don't fit,
    DTypeError for text.

    >>> nextafter(Tensor([1.0]), 2.0) - 1.0
    Tensor([1.1920929e-07])
    """
    return NextAfter.apply(x1, x2)


@register
class IsNaN(Function):
    name = "isnan"
    formula = r"y = [x \text{ is nan}]"
    words = "True where there is no number: 0/0, inf - inf, the root of -1."

    @staticmethod
    def forward(x: Any) -> Any:
        return np.isnan(x)


def isnan(x: Any, /) -> Tensor:
    """Return whether x is nan.

    The bools have x's shape; of whole numbers none is. Raises DTypeError for text.

    >>> isnan(Tensor([1.0, float("nan"), float("inf")]))
    Tensor([False,  True, False])
    """
    return IsNaN.apply(x)


@register
class IsInf(Function):
    name = "isinf"
    formula = r"y = [|x| = \infty]"
    words = "True where the number is infinite, of either sign."

    @staticmethod
    def forward(x: Any) -> Any:
        return np.isinf(x)


def isinf(x: Any, /) -> Tensor:
    """Return whether x is inf or -inf.

    The bools have x's shape; of whole numbers none is. Raises DTypeError for text.

    >>> isinf(Tensor([1.0, float("nan"), float("inf")]))
    Tensor([False, False,  True])
    """
    return IsInf.apply(x)


@register
class IsFinite(Function):
    name = "isfinite"
    formula = r"y = [|x| < \infty]"
    words = "True where there is a number: neither nan nor infinite."

    @staticmethod
    def forward(x: Any) -> Any:
        return np.isfinite(x)


def isfinite(x: Any, /) -> Tensor:
    """Return whether x is neither nan nor infinite.

    The bools have x's shape; whole numbers all are. Raises DTypeError for text.

    >>> isfinite(Tensor([1.0, float("nan"), float("inf")]))
    Tensor([ True, False, False])
    """
    return IsFinite.apply(x)


@register
class NanToNum(Function):
    name = "nan_to_num"
    formula = r"y = x \text{ if finite, else a given number}"
    derivative = r"\bar{x} = \bar{y}\,[x \text{ is finite}]"
    words = "Puts numbers in place of nan and inf; what was replaced gets no gradient."

    @staticmethod
    def forward(x: Any, *, nan: float = 0.0, posinf: float | None = None, neginf: float | None = None) -> Any:
        return np.nan_to_num(x, nan=nan, posinf=posinf, neginf=neginf)

    @staticmethod
    def backward(g: Any, x: Any) -> Any:
        return ops.where(ops.isfinite(x), g, 0.0)


def nan_to_num(
    x: Any, /, *, nan: float = 0.0, posinf: float | None = None, neginf: float | None = None
) -> Tensor:
    """Return x with numbers in place of nan, inf and -inf; gradient 0 where it was replaced.

    The result has x's shape and dtype. None stands for the largest finite number of the dtype, and for its
    negative. Raises DTypeError for a replacement that isn't a number.

    >>> nan_to_num(Tensor([1.0, float("nan"), float("-inf")]), neginf=-9.0)
    Tensor([ 1.,  0., -9.])
    """
    replacements = {"nan": nan, "posinf": posinf, "neginf": neginf}
    given = {name: number(f"nan_to_num: {name}", v) for name, v in replacements.items() if v is not None}
    return NanToNum.apply(x, **given)
