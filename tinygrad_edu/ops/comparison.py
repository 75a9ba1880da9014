"""Comparisons: true or false for each pair of elements, so without a gradient."""

from typing import Any

import numpy as np

from ..function import Function
from ..tensor import Tensor
from .registry import register

__all__ = [
    "equal",
    "greater",
    "greater_equal",
    "less",
    "less_equal",
    "logical_not",
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
    """Return x1 == x2 element by element, as bools; broadcast.

    >>> equal(Tensor([1, 2]), 2)
    Tensor([False,  True])
    """
    return _Equal.apply(x1, x2)


def not_equal(x1: Any, x2: Any, /) -> Tensor:
    """Return x1 != x2 element by element, as bools; broadcast.

    >>> not_equal(Tensor([1, 2]), 2)
    Tensor([ True, False])
    """
    return _NotEqual.apply(x1, x2)


def less(x1: Any, x2: Any, /) -> Tensor:
    """Return x1 < x2 element by element, as bools; broadcast.

    >>> less(Tensor([1, 2]), 2)
    Tensor([ True, False])
    """
    return _Less.apply(x1, x2)


def less_equal(x1: Any, x2: Any, /) -> Tensor:
    """Return x1 <= x2 element by element, as bools; broadcast.

    >>> less_equal(Tensor([1, 3]), 2)
    Tensor([ True, False])
    """
    return _LessEqual.apply(x1, x2)


def greater(x1: Any, x2: Any, /) -> Tensor:
    """Return x1 > x2 element by element, as bools; broadcast.

    >>> greater(Tensor([1, 3]), 2)
    Tensor([False,  True])
    """
    return _Greater.apply(x1, x2)


def greater_equal(x1: Any, x2: Any, /) -> Tensor:
    """Return x1 >= x2 element by element, as bools; broadcast.

    >>> greater_equal(Tensor([1, 2]), 2)
    Tensor([False,  True])
    """
    return _GreaterEqual.apply(x1, x2)


@register
class LogicalNot(Function):
    name = "logical_not"
    formula = r"y = \lnot x"
    words = "Turns true into false and false into true."

    @staticmethod
    def forward(x: Any) -> Any:
        return np.logical_not(x)


def logical_not(x: Any, /) -> Tensor:
    """Return True where x is 0 or False.

    >>> logical_not(Tensor([True, False]))
    Tensor([False,  True])
    """
    return LogicalNot.apply(x)
