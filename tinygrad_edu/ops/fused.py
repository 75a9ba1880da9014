"""Where a kernel stands in for a definition: on large arrays of float32.

An operation's forward and its rule are written once, readable, for arrays and Tensors of any kind. NumPy runs
such a text operator by operator. ``@fused("tanh_grad")`` says that the kernel of this name computes the same
in one pass over memory; it is called instead where that pays, and nobody needs to know.
"""

from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar

import numpy as np

from .. import kernels

__all__ = ["fused", "is_float32"]

F = TypeVar("F", bound=Callable[..., Any])

_FEW = 1000  # numbers, below which NumPy has finished before a compiled function is called
_FLOAT32 = np.dtype(np.float32)


def fused(kernel: str) -> Callable[[F], F]:
    """Let a kernel compute what the decorated function defines, if its first input is a large float32 array.

    >>> from tinygrad_edu.ops.trigonometry import Tanh
    >>> many = np.full(5000, 0.5, np.float32)
    >>> Tanh.backward(many, many)[:2], Tanh.backward(many[:2], many[:2])
    (array([0.375, 0.375], dtype=float32), array([0.375, 0.375], dtype=float32))
    """

    def decorate(definition: F) -> F:
        @wraps(definition)
        def choose(x: Any, *rest: Any, **params: Any) -> Any:
            if type(x) is np.ndarray and x.size >= _FEW and x.dtype == _FLOAT32:
                return getattr(kernels, kernel)(x, *rest, **params)
            return definition(x, *rest, **params)

        return choose  # type: ignore[return-value]

    return decorate


def is_float32(x: Any) -> bool:
    """Tell whether x is an array, not empty, of the dtype that kernels are made for."""
    return type(x) is np.ndarray and x.dtype == _FLOAT32 and x.size > 0
