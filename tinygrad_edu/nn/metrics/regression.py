"""R²: how much of what is to be explained a regression explains."""

import warnings
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from ...errors import ArgumentError, DataError, ShapeError, unknown_name
from ...tensor import Tensor
from ..losses.base import prepared, weights_for
from .base import Metric, Variable

__all__ = ["R2Score"]


class R2Score(Metric):
    """1 - Σ (y_true - y_pred)² / Σ (y_true - mean)²: 1 is perfect, 0 no better than always saying the mean.

    Parameters
    ----------
    class_aggregation
        What becomes of several outputs: "uniform_average" their mean, "variance_weighted_average" the mean
        weighed by their targets' variance, None a score of each.
    num_regressors
        How many features were learned from: above 0 the score is adjusted, 1 - (1 - R²)(n - 1) / (n - p - 1).
    name, dtype
        As for a Metric.

    Targets and predictions are (samples,) or (samples, outputs). Where the targets are all the same the score
    is 0, as in Keras. Raises ArgumentError for arguments outside of that.

    >>> metric = R2Score()
    >>> metric.update_state([1.0, 4.0, 3.0], [2.0, 4.0, 4.0]); metric.result().item()
    0.5714
    """

    pointwise = True

    def __init__(
        self,
        class_aggregation: str | None = "uniform_average",
        num_regressors: int = 0,
        name: str | None = "r2_score",
        dtype: DTypeLike | None = None,
    ) -> None:
        super().__init__(dtype, name)
        known = ("uniform_average", "variance_weighted_average")
        if class_aggregation not in (None, *known):
            raise unknown_name("class_aggregation", class_aggregation, known)
        if num_regressors < 0:
            raise ArgumentError(f"{self.name}: num_regressors must be at least 0, got {num_regressors}")
        self.class_aggregation, self.num_regressors = class_aggregation, num_regressors
        self.num_samples = self.add_weight(name="num_samples")
        self.sum: Variable | None = None  # made when the number of outputs is known

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        t, tensor = prepared(self, y_true, y_pred)
        t, p = t.astype(np.float64), tensor.numpy()
        if t.shape != p.shape or p.ndim != 2:
            raise ShapeError(
                f"{self.name}: y_true is {t.shape}, y_pred {p.shape}; both must be (samples, outputs)"
            )
        weights = 1.0 if sample_weight is None else weights_for(sample_weight, p.shape, self.name)
        if self.sum is None:
            self.sum = self.add_weight(p.shape[1], name="sum")
            self.squared_sum = self.add_weight(p.shape[1], name="squared_sum")
            self.residual = self.add_weight(p.shape[1], name="residual")
            self.count = self.add_weight(p.shape[1], name="count")
        self.sum.assign_add(np.sum(t * weights, axis=0))
        self.squared_sum.assign_add(np.sum(t * t * weights, axis=0))
        self.residual.assign_add(np.sum((t - p) ** 2 * weights, axis=0))
        self.count.assign_add(np.sum(np.broadcast_to(weights, p.shape), axis=0))
        self.num_samples.assign_add(p.size)

    def result(self) -> Tensor:
        if self.sum is None:
            raise DataError(f"{self.name}: there is no result yet; update_state takes a batch into account")
        with np.errstate(divide="ignore", invalid="ignore"):
            total = self.squared_sum.numpy() - self.sum.numpy() ** 2 / self.count.numpy()
            scores = 1 - self.residual.numpy() / total
            scores = np.where(np.isinf(scores), 0.0, scores)
            if self.class_aggregation == "uniform_average":
                scores = np.mean(scores)
            elif self.class_aggregation == "variance_weighted_average":
                scores = np.sum(total * scores) / np.sum(total)
        return Tensor(self._adjusted(scores))

    def _adjusted(self, scores: NDArray[Any]) -> NDArray[Any]:
        n, p = float(self.num_samples), self.num_regressors
        if not p:
            return scores
        if p >= n - 1:
            warnings.warn(
                f"{self.name}: {p} regressors and {n:.0f} numbers leave nothing to adjust; this is plain R²",
                stacklevel=3,
            )
            return scores
        return 1 - (1 - scores) * (n - 1) / (n - p - 1)
