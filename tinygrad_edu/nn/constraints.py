"""Constraints: what weights are put back to after each step of the optimizer."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import ArgumentError
from .named import Named, serialize

__all__ = ["Constraint", "MaxNorm", "MinMaxNorm", "NonNeg", "UnitNorm", "deserialize", "get", "serialize"]

EPSILON = 1e-7  # Keras': keeps a norm of 0 from dividing


class Constraint(Named):
    """The base: a subclass writes ``__call__(w)``, an array in and the nearest allowed one out.

    >>> from tinygrad_edu import nn
    >>> class Rounded(nn.constraints.Constraint):
    ...     def __call__(self, w):
    ...         return np.round(w, 1)
    >>> Rounded()(np.array([0.12, 0.38]))
    array([0.1, 0.4])
    """

    kind = "constraint"

    def __call__(self, w: NDArray[Any]) -> NDArray[Any]:
        raise ArgumentError(f"{type(self).__name__} has no `__call__` method; write def __call__(self, w)")


class NonNeg(Constraint):
    """Nothing below 0.

    >>> NonNeg()(np.array([-1.0, 2.0]))
    array([0., 2.])
    """

    def __call__(self, w: NDArray[Any]) -> NDArray[Any]:
        return w * (w >= 0)


class MaxNorm(Constraint):
    """Each unit's weights no longer than ``max_value``, in the Euclidean norm over ``axis``.

    Axis 0 is that of a Dense layer's inputs, (0, 1, 2) all a Conv2D's filter sees (Srivastava et al. 2014,
    beside dropout).

    >>> MaxNorm(1.0)(np.array([[3.0, 0.3], [4.0, 0.4]])).round(3)
    array([[0.6, 0.3],
           [0.8, 0.4]])
    """

    def __init__(self, max_value: float = 2.0, axis: Any = 0) -> None:
        self.max_value, self.axis = max_value, _axis(axis)

    def __call__(self, w: NDArray[Any]) -> NDArray[Any]:
        norms = _norms(w, self.axis)
        return _scaled(w, np.clip(norms, 0, self.max_value) / (EPSILON + norms))


class UnitNorm(Constraint):
    """Each unit's weights of length 1.

    >>> UnitNorm()(np.array([[3.0], [4.0]])).round(3)
    array([[0.6],
           [0.8]])
    """

    def __init__(self, axis: Any = 0) -> None:
        self.axis = _axis(axis)

    def __call__(self, w: NDArray[Any]) -> NDArray[Any]:
        return _scaled(w, 1 / (EPSILON + _norms(w, self.axis)))


class MinMaxNorm(Constraint):
    """Each unit's weights between two lengths; ``rate`` below 1 goes only so far of the way in a step.

    >>> MinMaxNorm(1.0, 2.0)(np.array([[0.3], [0.4]])).round(3)
    array([[0.6],
           [0.8]])
    """

    def __init__(
        self, min_value: float = 0.0, max_value: float = 1.0, rate: float = 1.0, axis: Any = 0
    ) -> None:
        self.min_value, self.max_value, self.rate, self.axis = min_value, max_value, rate, _axis(axis)

    def __call__(self, w: NDArray[Any]) -> NDArray[Any]:
        norms = _norms(w, self.axis)
        wanted = self.rate * np.clip(norms, self.min_value, self.max_value) + (1 - self.rate) * norms
        return _scaled(w, wanted / (EPSILON + norms))


# Keras has these names for them too.
max_norm, min_max_norm, non_neg, unit_norm = MaxNorm, MinMaxNorm, NonNeg, UnitNorm


def get(identifier: Any) -> Constraint | None:
    """Return the constraint for a name ("non_neg"), a description, or itself; None is none.

    >>> get("max_norm").max_value
    2.0
    """
    return None if identifier is None else Constraint.find(identifier)


deserialize = get


def _axis(axis: Any) -> Any:
    return [int(a) for a in axis] if isinstance(axis, list | tuple) else int(axis)


def _scaled(w: NDArray[Any], factor: NDArray[Any]) -> NDArray[Any]:
    return np.asarray(w * factor, w.dtype)


def _norms(w: NDArray[Any], axis: Any) -> Any:
    axes = tuple(axis) if isinstance(axis, list) else axis
    return np.sqrt(np.sum(np.square(w), axis=axes, keepdims=True, dtype=np.float64))
