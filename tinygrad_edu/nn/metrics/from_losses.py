"""Losses to watch: the mean over all samples, whatever the batches; and the cosine as a similarity."""

from typing import Any

import numpy as np
from numpy.typing import DTypeLike

from ...tensor import Tensor
from .. import losses
from ..losses.base import prepared, weights_for
from .reduction import Mean, MeanMetricWrapper

__all__ = [
    "BinaryCrossentropy",
    "CategoricalCrossentropy",
    "CategoricalHinge",
    "CosineSimilarity",
    "Hinge",
    "KLDivergence",
    "LogCoshError",
    "MeanAbsoluteError",
    "MeanAbsolutePercentageError",
    "MeanSquaredError",
    "MeanSquaredLogarithmicError",
    "Poisson",
    "RootMeanSquaredError",
    "SparseCategoricalCrossentropy",
    "SquaredHinge",
]


class MeanSquaredError(MeanMetricWrapper):
    """The mean of (y_pred - y_true)².

    Parameters, of this and all metrics below: ``name`` and ``dtype`` as for a Metric, and those of the loss
    of the same name. They raise what the loss raises.

    >>> metric = MeanSquaredError()
    >>> metric.update_state([[0.0, 0.0]], [[1.0, 3.0]]); metric.result().item()
    5.0
    """

    pointwise = True

    def __init__(self, name: str | None = None, dtype: DTypeLike | None = None) -> None:
        super().__init__(losses.mean_squared_error, name, dtype)


class RootMeanSquaredError(Mean):
    """The square root of the mean of (y_pred - y_true)²: an error in the targets' own unit.

    >>> metric = RootMeanSquaredError()
    >>> metric.update_state([[0.0, 0.0]], [[3.0, 3.0]]); metric.result().item()
    3.0
    """

    pointwise = True

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:  # type: ignore[override]
        y_true, y_pred = prepared(self, y_true, y_pred)
        super().update_state(losses.mean_squared_error(y_true, y_pred.detach()), sample_weight)

    def result(self) -> Tensor:
        return Tensor(np.sqrt(super().result().numpy()))


class MeanAbsoluteError(MeanMetricWrapper):
    """The mean of |y_pred - y_true|.

    >>> metric = MeanAbsoluteError()
    >>> metric.update_state([[0.0, 0.0]], [[1.0, 3.0]]); metric.result().item()
    2.0
    """

    pointwise = True

    def __init__(self, name: str | None = None, dtype: DTypeLike | None = None) -> None:
        super().__init__(losses.mean_absolute_error, name, dtype)


class MeanAbsolutePercentageError(MeanMetricWrapper):
    """The mean of 100 |y_pred - y_true| / |y_true|.

    >>> metric = MeanAbsolutePercentageError()
    >>> metric.update_state([[10.0, 20.0]], [[12.0, 20.0]]); metric.result().item()
    10.0
    """

    pointwise = True

    def __init__(self, name: str | None = None, dtype: DTypeLike | None = None) -> None:
        super().__init__(losses.mean_absolute_percentage_error, name, dtype)


class MeanSquaredLogarithmicError(MeanMetricWrapper):
    """The mean of (ln(1 + y_pred) - ln(1 + y_true))².

    >>> metric = MeanSquaredLogarithmicError()
    >>> metric.update_state([[0.0]], [[1.0]]); metric.result().item()
    0.4805
    """

    pointwise = True

    def __init__(self, name: str | None = None, dtype: DTypeLike | None = None) -> None:
        super().__init__(losses.mean_squared_logarithmic_error, name, dtype)


class LogCoshError(MeanMetricWrapper):
    """The mean of ln cosh(y_pred - y_true).

    >>> metric = LogCoshError()
    >>> metric.update_state([[0.0, 0.0]], [[0.0, 100.0]]); metric.result().item()
    49.653
    """

    pointwise = True

    def __init__(self, name: str | None = "logcosh", dtype: DTypeLike | None = None) -> None:
        super().__init__(losses.log_cosh, name, dtype)


class CosineSimilarity(MeanMetricWrapper):
    """The mean cosine of the angle between targets and predictions along an axis: 1 where they point alike.

    (The loss of this name is minus that, since it is made small.)

    >>> metric = CosineSimilarity()
    >>> metric.update_state([[0.0, 1.0], [1.0, 1.0]], [[1.0, 0.0], [2.0, 2.0]]); metric.result().item()
    0.5
    """

    def __init__(self, name: str | None = None, dtype: DTypeLike | None = None, axis: int = -1) -> None:
        super().__init__(cosine_similarity, name, dtype, axis=axis)
        self.axis = axis


def cosine_similarity(y_true: Any, y_pred: Any, axis: int = -1) -> Tensor:
    return -losses.cosine_similarity(y_true, y_pred, axis)


class Poisson(MeanMetricWrapper):
    """The mean of p - t ln p, for counts t and predicted rates p.

    >>> metric = Poisson()
    >>> metric.update_state([[0.0, 2.0]], [[0.5, 1.0]]); metric.result().item()
    0.75
    """

    pointwise = True

    def __init__(self, name: str | None = None, dtype: DTypeLike | None = None) -> None:
        super().__init__(losses.poisson, name, dtype)


class KLDivergence(MeanMetricWrapper):
    """The mean of Σ t ln(t / p), for probabilities t and p.

    >>> metric = KLDivergence()
    >>> metric.update_state([[0.0, 1.0]], [[0.5, 0.5]]); metric.result().item()
    0.6931
    """

    def __init__(self, name: str | None = None, dtype: DTypeLike | None = None) -> None:
        super().__init__(losses.kl_divergence, name, dtype)


class BinaryCrossentropy(MeanMetricWrapper):
    """The mean binary cross-entropy, of probabilities or logits.

    >>> metric = BinaryCrossentropy(from_logits=True)
    >>> metric.update_state([[1.0]], [[0.0]]); metric.result().item()
    0.6931
    """

    pointwise = True

    def __init__(
        self,
        name: str | None = None,
        dtype: DTypeLike | None = None,
        from_logits: bool = False,
        label_smoothing: float = 0.0,
    ) -> None:
        super().__init__(
            losses.binary_crossentropy, name, dtype, from_logits=from_logits, label_smoothing=label_smoothing
        )
        self.from_logits, self.label_smoothing = from_logits, label_smoothing


class CategoricalCrossentropy(MeanMetricWrapper):
    """The mean cross-entropy with one-hot targets, of probabilities or logits.

    >>> metric = CategoricalCrossentropy()
    >>> metric.update_state([[0.0, 1.0]], [[0.5, 0.5]]); metric.result().item()
    0.6931
    """

    def __init__(
        self,
        name: str | None = None,
        dtype: DTypeLike | None = None,
        from_logits: bool = False,
        label_smoothing: float = 0.0,
        axis: int = -1,
    ) -> None:
        super().__init__(
            losses.categorical_crossentropy, name, dtype,
            from_logits=from_logits, label_smoothing=label_smoothing, axis=axis,
        )  # fmt: skip
        self.from_logits, self.label_smoothing, self.axis = from_logits, label_smoothing, axis


class SparseCategoricalCrossentropy(MeanMetricWrapper):
    """The mean cross-entropy with class numbers, of probabilities or logits.

    Samples of ``ignore_class`` don't count, with weights and without. (Without, Keras counts them as 0.)

    >>> metric = SparseCategoricalCrossentropy(ignore_class=-1)
    >>> metric.update_state([1, -1], [[0.5, 0.5], [0.9, 0.1]]); metric.result().item()
    0.6931
    """

    sparse = True

    def __init__(
        self,
        name: str | None = None,
        dtype: DTypeLike | None = None,
        from_logits: bool = False,
        ignore_class: int | None = None,
        axis: int = -1,
    ) -> None:
        super().__init__(
            losses.sparse_categorical_crossentropy, name, dtype,
            from_logits=from_logits, ignore_class=ignore_class, axis=axis,
        )  # fmt: skip
        self.from_logits, self.ignore_class, self.axis = from_logits, ignore_class, axis

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:  # type: ignore[override]
        if self.ignore_class is not None:
            labels = np.asarray(y_true)
            if labels.ndim == np.ndim(y_pred):
                labels = np.squeeze(labels, self.axis)
            counted = (labels != self.ignore_class).astype(np.float32)
            if sample_weight is not None:
                counted = counted * weights_for(sample_weight, counted.shape, self.name)
            sample_weight = counted
        super().update_state(y_true, y_pred, sample_weight)


class Hinge(MeanMetricWrapper):
    """The mean of max(0, 1 - label · score); labels -1 and 1, or 0 and 1.

    >>> metric = Hinge()
    >>> metric.update_state([[-1, 1]], [[0.5, 3.0]]); metric.result().item()
    0.75
    """

    pointwise = True

    def __init__(self, name: str | None = None, dtype: DTypeLike | None = None) -> None:
        super().__init__(losses.hinge, name, dtype)


class SquaredHinge(MeanMetricWrapper):
    """The mean of max(0, 1 - label · score)²; labels -1 and 1, or 0 and 1.

    >>> metric = SquaredHinge()
    >>> metric.update_state([[-1, 1]], [[0.5, 3.0]]); metric.result().item()
    1.125
    """

    pointwise = True

    def __init__(self, name: str | None = None, dtype: DTypeLike | None = None) -> None:
        super().__init__(losses.squared_hinge, name, dtype)


class CategoricalHinge(MeanMetricWrapper):
    """The mean of max(0, 1 + best wrong score - right score), for one-hot rows.

    >>> metric = CategoricalHinge()
    >>> metric.update_state([[0.0, 1.0, 0.0]], [[0.5, 1.0, -2.0]]); metric.result().item()
    0.5
    """

    def __init__(self, name: str | None = None, dtype: DTypeLike | None = None) -> None:
        super().__init__(losses.categorical_hinge, name, dtype)
