"""Logical and bitwise operations, element by element: of truth values, and of each bit of whole numbers."""

from typing import Any

import numpy as np

from ..errors import ArgumentError, DTypeError
from ..function import Function
from ..tensor import Tensor
from .registry import register

__all__ = [
    "bitwise_and",
    "bitwise_invert",
    "bitwise_left_shift",
    "bitwise_or",
    "bitwise_right_shift",
    "bitwise_xor",
    "logical_and",
    "logical_not",
    "logical_or",
    "logical_xor",
]


def _operation(name: str, symbol: str, function: Any, text: str) -> type[Function]:
    """Make the operation of a NumPy function of two arrays that has no gradient."""

    def forward(x1: Any, x2: Any) -> Any:
        if name.startswith("bitwise"):
            _refuse_floats(x1, x2)
        return function(x1, x2)

    attributes = {
        "name": name,
        "formula": rf"y = x_1 {symbol} x_2",
        "words": text,
        "forward": staticmethod(forward),
        "__module__": __name__,
    }
    return register(type(name.title().replace("_", ""), (Function,), attributes))


def _refuse_floats(*inputs: Any) -> None:
    for x in inputs:
        if np.asarray(x).dtype.kind not in "iub":
            raise DTypeError(
                f"expected whole numbers or bools, got {np.asarray(x).dtype}; convert them: "
                "x.astype('int64'). For truth values there are logical_and, logical_or, ..."
            )


_LogicalAnd = _operation("logical_and", r"\land", np.logical_and, "True where both are.")
_LogicalOr = _operation("logical_or", r"\lor", np.logical_or, "True where at least one is.")
_LogicalXor = _operation("logical_xor", r"\oplus", np.logical_xor, "True where just one is.")
_BitwiseAnd = _operation("bitwise_and", r"\mathbin{\&}", np.bitwise_and, "Keeps the bits that both have.")
_BitwiseOr = _operation("bitwise_or", r"\mathbin{|}", np.bitwise_or, "Keeps the bits that either has.")
_BitwiseXor = _operation("bitwise_xor", r"\oplus", np.bitwise_xor, "Keeps the bits that just one has.")


def logical_and(x1: Any, x2: Any, /) -> Tensor:
    """Return whether x1 and x2 are both true (not 0), as bools.

    Shapes broadcast; raises ShapeError for those that don't fit.

    >>> logical_and(Tensor([True, True, False]), Tensor([True, False, False]))
    Tensor([ True, False, False])
    """
    return _LogicalAnd.apply(x1, x2)


def logical_or(x1: Any, x2: Any, /) -> Tensor:
    """Return whether x1 or x2 or both are true (not 0), as bools.

    Shapes broadcast; raises ShapeError for those that don't fit.

    >>> logical_or(Tensor([True, True, False]), Tensor([True, False, False]))
    Tensor([ True,  True, False])
    """
    return _LogicalOr.apply(x1, x2)


def logical_xor(x1: Any, x2: Any, /) -> Tensor:
    """Return whether just one of x1 and x2 is true (not 0), as bools.

    Shapes broadcast; raises ShapeError for those that don't fit.

    >>> logical_xor(Tensor([True, True, False]), Tensor([True, False, False]))
    Tensor([False,  True, False])
    """
    return _LogicalXor.apply(x1, x2)


@register
class LogicalNot(Function):
    name = "logical_not"
    formula = r"y = \lnot x"
    words = "Turns true into false and false into true."

    @staticmethod
    def forward(x: Any) -> Any:
        return np.logical_not(x)


def logical_not(x: Any, /) -> Tensor:
    """Return True where x is 0 or False, as bools of x's shape. Raises DTypeError for text.

    >>> logical_not(Tensor([True, False]))
    Tensor([False,  True])
    """
    return LogicalNot.apply(x)


def bitwise_and(x1: Any, x2: Any, /) -> Tensor:
    """Return the bits that both x1 and x2 have.

    Shapes broadcast, dtypes promote. Raises DTypeError for floats, ShapeError for shapes that don't fit.

    >>> bitwise_and(Tensor([0b1100, 0b1010]), 0b0110)
    Tensor([4, 2])
    """
    return _BitwiseAnd.apply(x1, x2)


def bitwise_or(x1: Any, x2: Any, /) -> Tensor:
    """Return the bits that x1 or x2 or both have.

    Shapes broadcast, dtypes promote. Raises DTypeError for floats, ShapeError for shapes that don't fit.

    >>> bitwise_or(Tensor([0b1100, 0b1010]), 0b0110)
    Tensor([14, 14])
    """
    return _BitwiseOr.apply(x1, x2)


def bitwise_xor(x1: Any, x2: Any, /) -> Tensor:
    """Return the bits that just one of x1 and x2 has.

    Shapes broadcast, dtypes promote. Raises DTypeError for floats, ShapeError for shapes that don't fit.

    >>> bitwise_xor(Tensor([0b1100, 0b1010]), 0b0110)
    Tensor([10, 12])
    """
    return _BitwiseXor.apply(x1, x2)


@register
class BitwiseInvert(Function):
    name = "bitwise_invert"
    formula = r"y = \mathord{\sim} x"
    words = "Turns every bit around; of a whole number that makes -x - 1, of a bool its opposite."

    @staticmethod
    def forward(x: Any) -> Any:
        _refuse_floats(x)
        return np.invert(x)


def bitwise_invert(x: Any, /) -> Tensor:
    """Return x with every bit turned around, of x's shape and dtype: -x - 1 if it is signed.

    Raises DTypeError for floats.

    >>> bitwise_invert(Tensor([0, 5])), bitwise_invert(Tensor([True, False]))
    (Tensor([-1, -6]), Tensor([False,  True]))
    """
    return BitwiseInvert.apply(x)


@register
class BitwiseLeftShift(Function):
    name = "bitwise_left_shift"
    formula = r"y = x_1 \cdot 2^{x_2}"
    words = "Moves the bits up by so many places; those that leave the number's width are lost."

    @staticmethod
    def forward(x1: Any, x2: Any) -> Any:
        _refuse_bad_shifts(x1, x2)
        return np.left_shift(x1, x2)


def bitwise_left_shift(x1: Any, x2: Any, /) -> Tensor:
    """Return x1 with its bits moved up by x2 places; those that leave its width are lost.

    Shapes broadcast, dtypes promote. Raises DTypeError for floats, ArgumentError for a negative x2,
    ShapeError for shapes that don't fit.

    >>> bitwise_left_shift(Tensor([1, 5]), 2)
    Tensor([ 4, 20])
    """
    return BitwiseLeftShift.apply(x1, x2)


@register
class BitwiseRightShift(Function):
    name = "bitwise_right_shift"
    formula = r"y = \lfloor x_1 / 2^{x_2} \rfloor"
    words = "Moves the bits down by so many places, and drops those below; the sign stays."

    @staticmethod
    def forward(x1: Any, x2: Any) -> Any:
        _refuse_bad_shifts(x1, x2)
        return np.right_shift(x1, x2)


def bitwise_right_shift(x1: Any, x2: Any, /) -> Tensor:
    """Return x1 with its bits moved down by x2 places, so rounded down to -inf.

    Shapes broadcast, dtypes promote. Raises DTypeError for floats, ArgumentError for a negative x2,
    ShapeError for shapes that don't fit.

    >>> bitwise_right_shift(Tensor([20, -5]), 2)
    Tensor([ 5, -2])
    """
    return BitwiseRightShift.apply(x1, x2)


def _refuse_bad_shifts(x1: Any, x2: Any) -> None:
    _refuse_floats(x1, x2)
    if np.any(np.less(x2, 0)):
        raise ArgumentError("the number of places can't be negative; shift the other way instead")
