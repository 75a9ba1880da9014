"""Plain functions on tensors: all of :mod:`tinygrad_edu.ops` and all activations, for those who look here.

Called on a symbol they become a layer of the model that is put together, see ``nn.Operation``:

>>> from tinygrad_edu import nn
>>> x = nn.Input((3,))
>>> nn.functional.exp(x).shape
(None, 3)
"""

from collections.abc import Callable
from functools import wraps
from typing import Any

from . import activations
from .layers.operation import FUNCTIONS, Operation
from .symbolic import SymbolicTensor, contains_symbol

__all__ = sorted(FUNCTIONS)


def _taking_symbols(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(function)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        if not contains_symbol(args):
            return function(*args, **kwargs)
        symbols = [a for a in args if isinstance(a, SymbolicTensor)]
        if args and isinstance(args[0], list | tuple):  # concat and stack take a list of them
            return Operation(name, [None, *args[1:]], **kwargs)(args[0])
        constants = [None if isinstance(a, SymbolicTensor) else a for a in args]
        return Operation(name, constants, **kwargs)(*symbols)

    return wrapper


globals().update({name: _taking_symbols(name, function) for name, function in FUNCTIONS.items()})
globals().update(activations.KNOWN)  # which take symbols as they are
