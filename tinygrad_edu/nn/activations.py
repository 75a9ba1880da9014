"""Activation functions by name, as layers take them: ``Dense(8, activation="relu")``."""

from collections.abc import Callable
from typing import Any

from .. import ops
from ..errors import unknown_name
from ..tensor import Tensor

__all__ = ["get", "linear", "name_of", "relu", "sigmoid", "softmax", "softplus", "tanh"]

Activation = Callable[[Any], Tensor]

relu, sigmoid, softplus, tanh = ops.relu, ops.sigmoid, ops.softplus, ops.tanh


def linear(x: Any) -> Tensor:
    """Return x as it is."""
    return x  # type: ignore[no-any-return]


def softmax(x: Any, axis: int = -1) -> Tensor:
    """Return probabilities along an axis, by default the last; see :func:`tinygrad_edu.softmax`."""
    return ops.softmax(x, axis=axis)


_KNOWN: dict[str, Activation] = {
    "exp": ops.exp,
    "linear": linear,
    "log_softmax": ops.log_softmax,
    "relu": relu,
    "sigmoid": sigmoid,
    "softmax": softmax,
    "softplus": softplus,
    "tanh": tanh,
}


def get(identifier: str | Activation | None) -> Activation:
    """Return the function for a name; None is the identity, a function is itself.

    >>> get("relu")(Tensor([-1.0, 2.0]))
    Tensor([0., 2.])
    """
    if identifier is None:
        return linear
    if callable(identifier):
        return identifier
    if identifier not in _KNOWN:
        raise unknown_name("activation", identifier, _KNOWN)
    return _KNOWN[identifier]


def name_of(activation: Activation) -> str:
    """Return the name that :func:`get` knows a function by, or else the function's own."""
    for name, function in _KNOWN.items():
        if function is activation:
            return name
    return getattr(activation, "__name__", repr(activation))
