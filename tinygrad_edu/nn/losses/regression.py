"""Losses of numbers: how far predicted ones are from the true ones."""

from typing import Any

from numpy.typing import DTypeLike

from ... import linalg, ops
from ...ops.losses import alike
from ...tensor import Tensor
from .base import EPSILON, _Pointwise, _Standard, pair

__all__ = [
    "CosineSimilarity",
    "Huber",
    "LogCosh",
    "MeanAbsoluteError",
    "MeanAbsolutePercentageError",
    "MeanSquaredError",
    "MeanSquaredLogarithmicError",
    "Poisson",
    "cosine_similarity",
    "huber",
    "log_cosh",
    "mean_absolute_error",
    "mean_absolute_percentage_error",
    "mean_squared_error",
    "mean_squared_logarithmic_error",
    "poisson",
]


def mean_squared_error(y_true: Any, y_pred: Any) -> Tensor:
    """Return (y_pred - y_true)², averaged over the last axis: (…, n) to (…,).

    Raises ShapeError if the shapes differ, and so do all functions here.

    >>> mean_squared_error([[0.0, 0.0]], Tensor([[1.0, 3.0]]))
    Tensor([5.])
    """
    return ops.mean_squared_error(*pair(y_true, y_pred))


def mean_absolute_error(y_true: Any, y_pred: Any) -> Tensor:
    """Return |y_pred - y_true|, averaged over the last axis: (…, n) to (…,).

    >>> mean_absolute_error([[0.0, 0.0]], Tensor([[1.0, 3.0]]))
    Tensor([2.])
    """
    return ops.mean_absolute_error(*pair(y_true, y_pred))


def mean_absolute_percentage_error(y_true: Any, y_pred: Any) -> Tensor:
    """Return 100 |y_pred - y_true| / |y_true|, averaged over the last axis: (…, n) to (…,).

    A target below 1e-7 in size counts as 1e-7 there.

    >>> mean_absolute_percentage_error([[10.0, 20.0]], Tensor([[11.0, 20.0]]))
    Tensor([5.])
    """
    t, p = alike("mean_absolute_percentage_error", *pair(y_true, y_pred))
    return 100 * ops.mean(ops.abs((p - t) / ops.maximum(ops.abs(t), EPSILON)), axis=-1)


def mean_squared_logarithmic_error(y_true: Any, y_pred: Any) -> Tensor:
    """Return (ln(1 + y_pred) - ln(1 + y_true))², averaged over the last axis: (…, n) to (…,).

    For numbers of at least 0 whose ratio matters; what is below 1e-7 counts as 1e-7.

    >>> mean_squared_logarithmic_error([[0.0]], Tensor([[1.0]]))
    Tensor([0.4805])
    """
    t, p = alike("mean_squared_logarithmic_error", *pair(y_true, y_pred))
    logarithms = (ops.log1p(ops.maximum(x, EPSILON)) for x in (p, t))
    return ops.mean(ops.square(next(logarithms) - next(logarithms)), axis=-1)


def huber(y_true: Any, y_pred: Any, delta: float = 1.0) -> Tensor:
    """Return half the squared error, beyond delta a straight line, averaged over the last axis.

    (…, n) to (…,). See :func:`tinygrad_edu.huber`.

    >>> huber([[0.0, 0.0]], Tensor([[1.0, 3.0]]))
    Tensor([1.5])
    """
    return ops.huber(*pair(y_true, y_pred), delta=delta)


def log_cosh(y_true: Any, y_pred: Any) -> Tensor:
    """Return ln cosh(y_pred - y_true), averaged over the last axis: (…, n) to (…,).

    >>> log_cosh([[0.0, 0.0]], Tensor([[0.0, 100.0]]))
    Tensor([49.653])
    """
    return ops.log_cosh(*pair(y_true, y_pred))


def poisson(y_true: Any, y_pred: Any) -> Tensor:
    """Return p - t ln p for counts t and predicted rates p, averaged over the last axis: (…, n) to (…,).

    >>> poisson([[0.0, 2.0]], Tensor([[0.5, 1.0]]))
    Tensor([0.75])
    """
    return ops.poisson(*pair(y_true, y_pred))


def cosine_similarity(y_true: Any, y_pred: Any, axis: int = -1) -> Tensor:
    """Return minus the cosine of the angle between two vectors along an axis: -1 where they point alike.

    A vector of zeros has no direction, and cosine 0.

    >>> cosine_similarity([[0.0, 1.0], [0.0, 1.0]], Tensor([[1.0, 0.0], [0.0, 2.0]]))
    Tensor([-0., -1.])
    """
    t, p = alike("cosine_similarity", *pair(y_true, y_pred))
    return -ops.sum(_unit(t, axis) * _unit(p, axis), axis=axis)


def _unit(x: Any, axis: int) -> Any:
    return x / ops.maximum(linalg.vector_norm(x, axis=axis, keepdims=True), 1e-12)


class MeanSquaredError(_Pointwise):
    """(y_pred - y_true)², averaged over the last axis.

    Parameters, of this and all losses below: ``reduction``, ``name`` and ``dtype`` as for a Loss. Predictions
    (batch,) count as a batch of single numbers. Raises ShapeError if the shapes differ.

    >>> from tinygrad_edu import nn
    >>> nn.losses.MeanSquaredError()([[0.0, 0.0]], Tensor([[1.0, 3.0]]))
    Tensor(5.)
    """

    def call(self, y_true: Any, y_pred: Tensor) -> Tensor:
        return mean_squared_error(y_true, y_pred)


class MeanAbsoluteError(_Pointwise):
    """|y_pred - y_true|, averaged over the last axis.

    >>> from tinygrad_edu import nn
    >>> nn.losses.MeanAbsoluteError()([[0.0, 0.0]], Tensor([[1.0, 3.0]]))
    Tensor(2.)
    """

    def call(self, y_true: Any, y_pred: Tensor) -> Tensor:
        return mean_absolute_error(y_true, y_pred)


class MeanAbsolutePercentageError(_Pointwise):
    """100 |y_pred - y_true| / |y_true|, averaged over the last axis.

    >>> from tinygrad_edu import nn
    >>> nn.losses.MeanAbsolutePercentageError()([[10.0, 20.0]], Tensor([[11.0, 20.0]]))
    Tensor(5.)
    """

    def call(self, y_true: Any, y_pred: Tensor) -> Tensor:
        return mean_absolute_percentage_error(y_true, y_pred)


class MeanSquaredLogarithmicError(_Pointwise):
    """(ln(1 + y_pred) - ln(1 + y_true))², averaged over the last axis.

    >>> from tinygrad_edu import nn
    >>> nn.losses.MeanSquaredLogarithmicError()([[0.0]], Tensor([[1.0]]))
    Tensor(0.4805)
    """

    def call(self, y_true: Any, y_pred: Tensor) -> Tensor:
        return mean_squared_logarithmic_error(y_true, y_pred)


class Huber(_Pointwise):
    """Half the squared error, beyond ``delta`` a straight line: outliers pull less (Huber 1964).

    >>> from tinygrad_edu import nn
    >>> nn.losses.Huber(delta=2.0)([[0.0, 0.0]], Tensor([[1.0, 3.0]]))
    Tensor(2.25)
    """

    def __init__(
        self,
        delta: float = 1.0,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = "huber_loss",
        dtype: DTypeLike | None = None,
    ) -> None:
        super().__init__(reduction, name, dtype)
        self.delta = delta

    def call(self, y_true: Any, y_pred: Tensor) -> Tensor:
        return huber(y_true, y_pred, self.delta)


class LogCosh(_Pointwise):
    """ln cosh(y_pred - y_true): near e² / 2 for small errors, |e| - ln 2 for large ones.

    >>> from tinygrad_edu import nn
    >>> nn.losses.LogCosh()([[0.0, 0.0]], Tensor([[0.0, 100.0]]))
    Tensor(49.653)
    """

    def call(self, y_true: Any, y_pred: Tensor) -> Tensor:
        return log_cosh(y_true, y_pred)


class Poisson(_Pointwise):
    """p - t ln p, for counts t and predicted rates p: what a Poisson distribution finds unlikely.

    >>> from tinygrad_edu import nn
    >>> nn.losses.Poisson()([[0.0, 2.0]], Tensor([[0.5, 1.0]]))
    Tensor(0.75)
    """

    def call(self, y_true: Any, y_pred: Tensor) -> Tensor:
        return poisson(y_true, y_pred)


class CosineSimilarity(_Standard):
    """Minus the cosine of the angle between y_true and y_pred along an axis: -1 where they point alike.

    >>> from tinygrad_edu import nn
    >>> nn.losses.CosineSimilarity()([[0.0, 1.0], [1.0, 1.0]], Tensor([[1.0, 0.0], [2.0, 2.0]]))
    Tensor(-0.5)
    """

    def __init__(
        self,
        axis: int = -1,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = None,
        dtype: DTypeLike | None = None,
    ) -> None:
        super().__init__(reduction, name, dtype)
        self.axis = axis

    def call(self, y_true: Any, y_pred: Tensor) -> Tensor:
        return cosine_similarity(y_true, y_pred, self.axis)
