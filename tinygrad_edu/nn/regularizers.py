"""Regularisers: a price on large weights or activations, which is added to the loss."""

from typing import Any, ClassVar

import numpy as np

from .. import ops
from ..errors import ArgumentError, ShapeError, unknown_name
from ..ops.statistics import vector_norm
from .named import Named, serialize

__all__ = ["L1", "L1L2", "L2", "OrthogonalRegularizer", "Regularizer", "deserialize", "get", "serialize"]


EPSILON = 1e-7  # Keras': keeps a row of zeros from dividing by 0


class Regularizer(Named):
    """The base: a subclass writes ``__call__(x)``, which returns a single number as a Tensor.

    >>> from tinygrad_edu import Tensor, nn
    >>> class Apart(nn.regularizers.Regularizer):
    ...     def __call__(self, x):
    ...         return 0.1 * (x.sum() - 1) ** 2
    >>> Apart()(Tensor([1.0, 2.0]))
    Tensor(0.4)
    """

    kind = "regularizer"
    aliases: ClassVar[dict[str, str]] = {"l1_l2": "l1l2"}

    def __call__(self, x: Any) -> Any:
        raise ArgumentError(f"{type(self).__name__} has no `__call__` method; write def __call__(self, x)")


class L1L2(Regularizer):
    """l1 Σ|x| + l2 Σx²: L1 makes weights exactly 0 (lasso), L2 makes them small (ridge, weight decay).

    >>> from tinygrad_edu import Tensor
    >>> L1L2(l1=0.1, l2=0.01)(Tensor([-1.0, 2.0]))
    Tensor(0.35)
    """

    def __init__(self, l1: float = 0.0, l2: float = 0.0) -> None:
        self.l1, self.l2 = _price(l1, "l1"), _price(l2, "l2")

    def __call__(self, x: Any) -> Any:
        return self.l1 * ops.sum(ops.abs(x)) + self.l2 * ops.sum(x * x)


class L1(Regularizer):
    """l1 Σ|x|.

    >>> from tinygrad_edu import Tensor
    >>> L1(0.5)(Tensor([-1.0, 2.0]))
    Tensor(1.5)
    """

    def __init__(self, l1: float = 0.01) -> None:
        self.l1 = _price(l1, "l1")

    def __call__(self, x: Any) -> Any:
        return self.l1 * ops.sum(ops.abs(x))


class L2(Regularizer):
    """l2 Σx².

    >>> from tinygrad_edu import Tensor
    >>> L2(0.5)(Tensor([-1.0, 2.0]))
    Tensor(2.5)
    """

    def __init__(self, l2: float = 0.01) -> None:
        self.l2 = _price(l2, "l2")

    def __call__(self, x: Any) -> Any:
        return self.l2 * ops.sum(x * x)


class OrthogonalRegularizer(Regularizer):
    """factor · the mean |cos| of the angles between the rows of a matrix, or its columns: 0 at right angles.

    Raises ShapeError for what isn't a matrix.

    >>> from tinygrad_edu import Tensor
    >>> OrthogonalRegularizer(1.0)(Tensor([[1.0, 0.0], [3.0, 4.0]]))
    Tensor(0.6)
    """

    def __init__(self, factor: float = 0.01, mode: str = "rows") -> None:
        self.factor, self.mode = _price(factor, "factor"), mode
        if mode not in ("rows", "columns"):
            raise unknown_name("mode", mode, ["rows", "columns"])

    def __call__(self, x: Any) -> Any:
        if x.ndim != 2:
            raise ShapeError(f"OrthogonalRegularizer: expected a matrix, got shape {x.shape}")
        rows = x if self.mode == "rows" else ops.matrix_transpose(x)
        rows = rows / ops.maximum(vector_norm(rows, axis=1, keepdims=True), EPSILON)
        n = len(rows)
        cosines = ops.abs(ops.matmul(rows, ops.matrix_transpose(rows))) * (1 - np.eye(n, dtype=x.dtype))
        return self.factor * ops.sum(cosines) / max(n * (n - 1), 1)


# Keras has these names for them too.
l1, l2, l1_l2, orthogonal_regularizer = L1, L2, L1L2, OrthogonalRegularizer


def get(identifier: Any) -> Regularizer | None:
    """Return the regulariser for a name ("l2"), a description, or itself; None is none.

    >>> get("l2").l2
    0.01
    """
    return None if identifier is None else Regularizer.find(identifier)


deserialize = get


def _price(value: Any, name: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < float("inf"):
        raise ArgumentError(f"regularizer: {name} must be a number of at least 0, got {value!r}")
    return float(value)
