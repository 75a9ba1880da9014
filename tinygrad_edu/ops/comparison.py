"""Comparisons: true or false for each pair of elements, so without a gradient."""

from typing import Any

import numpy as np

from ..function import Function
from ..tensor import Tensor
from .parameters import number
from .registry import register

__all__ = [
    "allclose",
    "equal",
    "greater",
    "greater_equal",
    "isclose",
    "less",
    "less_equal",
    "not_equal",
]


def _comparison(symbol: str, function: Any, text: str) -> type[Function]:
    """Make the operation of a comparison: true or false, so without a gradient."""
    cls = type(
        function.__name__.title().replace("_", ""),
        (Function,),
        {
            "name": function.__name__,
            "formula": rf"y = [x_1 {symbol} x_2]",
            "words": text,
            "forward": staticmethod(lambda x1, x2: function(x1, x2)),
            "__module__": __name__,
        },
    )
    return register(cls)


_Equal = _comparison("=", np.equal, "True where the two are equal.")
_NotEqual = _comparison(r"\ne", np.not_equal, "True where the two differ.")
_Less = _comparison("<", np.less, "True where the first is smaller.")
_LessEqual = _comparison(r"\le", np.less_equal, "True where the first is smaller or equal.")
_Greater = _comparison(">", np.greater, "True where the first is larger.")
_GreaterEqual = _comparison(r"\ge", np.greater_equal, "True where the first is larger or equal.")


def equal(x1: Any, x2: Any, /) -> Tensor:
    """Return x1 == x2 element by element, as bools; nan equals nothing.

    Shapes broadcast, dtypes may differ. Raises ShapeError for shapes that don't fit, DTypeError for text.

    >>> equal(Tensor([1, 2]), 2)
    Tensor([False,  True])
    """
    return _Equal.apply(x1, x2)


def not_equal(x1: Any, x2: Any, /) -> Tensor:
    """Return x1 != x2 element by element, as bools; nan differs from all.

    Shapes broadcast, dtypes may differ. Raises ShapeError for shapes that don't fit, DTypeError for text.

    >>> not_equal(Tensor([1, 2]), 2)
    Tensor([ True, False])
    """
    return _NotEqual.apply(x1, x2)


def less(x1: Any, x2: Any, /) -> Tensor:
    """Return x1 < x2 element by element, as bools; False beside nan.

    Shapes broadcast, dtypes may differ. Raises ShapeError for shapes that don't fit, DTypeError for text.

    >>> less(Tensor([1, 2]), 2)
    Tensor([ True, False])
    """
    return _Less.apply(x1, x2)


def less_equal(x1: Any, x2: Any, /) -> Tensor:
    """Return x1 <= x2 element by element, as bools; False beside nan.

    Shapes broadcast, dtypes may differ. Raises ShapeError for shapes that don't fit, DTypeError for text.

    >>> less_equal(Tensor([1, 3]), 2)
    Tensor([ True, False])
    """
    return _LessEqual.apply(x1, x2)


def greater(x1: Any, x2: Any, /) -> Tensor:
    """Return x1 > x2 element by element, as bools; False beside nan.

    Shapes broadcast, dtypes may differ. Raises ShapeError for shapes that don't fit, DTypeError for text.

    >>> greater(Tensor([1, 3]), 2)
    Tensor([False,  True])
    """
    return _Greater.apply(x1, x2)


def greater_equal(x1: Any, x2: Any, /) -> Tensor:
    """Return x1 >= x2 element by element, as bools; False beside nan.

    Shapes broadcast, dtypes may differ. Raises ShapeError for shapes that don't fit, DTypeError for text.

    >>> greater_equal(Tensor([1, 2]), 2)
    Tensor([False,  True])
    """
    return _GreaterEqual.apply(x1, x2)


@register
class IsClose(Function):
    name = "isclose"
    formula = r"y = [|x_1 - x_2| \le a + r |x_2|]"
    words = "True where the first differs from the second by no more than rounding."

    @staticmethod
    def forward(x1: Any, x2: Any, *, rtol: float = 1e-5, atol: float = 1e-8, equal_nan: bool = False) -> Any:
        return np.isclose(x1, x2, rtol=rtol, atol=atol, equal_nan=equal_nan)


def isclose(x1: Any, x2: Any, /, rtol: float = 1e-5, atol: float = 1e-8, equal_nan: bool = False) -> Tensor:
    """Return |x1 - x2| <= atol + rtol · |x2| element by element, as bools; broadcast.

    Equal infinities are close; nan is close to nothing, to another nan only with equal_nan. Raises ShapeError
    for shapes that don't fit, DTypeError for text.

    >>> isclose(Tensor([1.0, 2.0]), Tensor([1.000001, 2.1]))
    Tensor([ True, False])
    """
    rtol, atol = number("isclose: rtol", rtol), number("isclose: atol", atol)
    return IsClose.apply(x1, x2, rtol=rtol, atol=atol, equal_nan=equal_nan)


def allclose(x1: Any, x2: Any, /, rtol: float = 1e-5, atol: float = 1e-8, equal_nan: bool = False) -> bool:
    """Return whether x1 and x2 are close everywhere (see isclose), as one Python bool; broadcast.

    Of nothing, it is True. Raises ShapeError for shapes that don't fit, DTypeError for text.

    >>> allclose(Tensor([1.0, 2.0]), Tensor([1.000001, 2.000001]))
    True
    """
    return bool(np.all(np.asarray(isclose(x1, x2, rtol, atol, equal_nan))))
