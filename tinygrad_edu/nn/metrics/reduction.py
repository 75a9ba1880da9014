"""Means and sums over batches; most metrics are the mean of some function of targets and predictions."""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from ...tensor import Tensor
from ..losses.base import prepared, weights_for
from .base import Metric

__all__ = ["Mean", "MeanMetricWrapper", "Sum"]


class Mean(Metric):
    """The mean of values, each with a weight; all samples count alike, however many numbers each has.

    Parameters: ``name`` and ``dtype`` as for a Metric. Raises ShapeError for weights that don't fit.

    >>> mean = Mean("loss")
    >>> mean.update_state(1.0, 3); mean.update_state(5.0); mean.result().item()
    2.0
    """

    def __init__(self, name: str | None = None, dtype: DTypeLike | None = None) -> None:
        super().__init__(dtype, name)
        self.total = self.add_weight(name="total")
        self.count = self.add_weight(name="count")

    def update_state(self, values: Any, sample_weight: Any = None) -> None:  # type: ignore[override]
        values = _array(values)
        samples = count = len(values) if values.ndim else 1
        share = samples / values.size if values.size else 0.0  # of a number in its sample
        if sample_weight is not None:
            weights = weights_for(sample_weight, values.shape, self.name)
            values = values * weights
            count = _sum(np.broadcast_to(weights, values.shape)) * share
        self.total.assign_add(_sum(values) * share)
        self.count.assign_add(count)

    def add(self, value: float, weight: float = 1.0) -> None:
        """As ``update_state``, of one number."""
        self.total.assign_add(value * weight)
        self.count.assign_add(weight)

    def result(self) -> Tensor:
        return Tensor(self.total.data / self.count.data if self.count.data else np.float64(0))


class Sum(Metric):
    """The sum of values, each times its weight.

    >>> total = Sum()
    >>> total.update_state([1.0, 2.0]); total.update_state([3.0], [0.5]); total.result().item()
    4.5
    """

    def __init__(self, name: str | None = None, dtype: DTypeLike | None = None) -> None:
        super().__init__(dtype, name)
        self.total = self.add_weight(name="total")

    def update_state(self, values: Any, sample_weight: Any = None) -> None:  # type: ignore[override]
        values = _array(values)
        if sample_weight is not None:
            values = values * weights_for(sample_weight, values.shape, self.name)
        self.total.assign_add(_sum(values))

    def result(self) -> Tensor:
        return Tensor(self.total.numpy())


class MeanMetricWrapper(Mean):
    """The mean of a function (y_true, y_pred), which returns a value for each sample, or one for all.

    Parameters
    ----------
    fn
        The function. ``y_true`` comes as an array of the predictions' dtype, ``y_pred`` as a Tensor, and
        where one is (batch,) and the other (batch, 1), both as the latter.
    name, dtype
        As for a Metric.
    kwargs
        Further arguments of the function.

    >>> from tinygrad_edu import nn
    >>> metric = MeanMetricWrapper(lambda y_true, y_pred: abs(y_true - y_pred), name="error")
    >>> metric.update_state([1.0, 2.0], [1.0, 4.0]); metric.result().item()
    1.0
    """

    def __init__(
        self, fn: Callable[..., Any], name: str | None = None, dtype: DTypeLike | None = None, **kwargs: Any
    ) -> None:
        super().__init__(name or getattr(fn, "__name__", "").strip("<>"), dtype)
        self.fn, self.kwargs = fn, kwargs

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:  # type: ignore[override]
        y_true, y_pred = prepared(self, y_true, y_pred)
        if y_pred.requires_grad:
            y_pred = y_pred.detach()
        super().update_state(self.fn(y_true, y_pred, **self.kwargs), sample_weight)


def _sum(values: NDArray[Any]) -> Any:
    return np.add.reduce(values, axis=None, dtype=np.float64)


def _array(values: Any) -> NDArray[Any]:
    return values.numpy() if isinstance(values, Tensor) else np.asarray(values)
