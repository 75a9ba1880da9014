"""How often predictions are right."""

from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from ...errors import ShapeError
from ...tensor import Tensor
from .. import losses
from ..losses.base import pair
from ..losses.crossentropy import class_numbers
from ..module import positive
from .reduction import MeanMetricWrapper

__all__ = [
    "Accuracy",
    "BinaryAccuracy",
    "CategoricalAccuracy",
    "SparseCategoricalAccuracy",
    "SparseTopKCategoricalAccuracy",
    "TopKCategoricalAccuracy",
    "accuracy",
    "binary_accuracy",
    "categorical_accuracy",
    "sparse_categorical_accuracy",
    "sparse_top_k_categorical_accuracy",
    "top_k_categorical_accuracy",
]


def accuracy(y_true: Any, y_pred: Any) -> Tensor:
    """Return 1 where targets and predictions are equal, 0 elsewhere; both of one shape.

    >>> accuracy([1, 2, 3], [1, 2, 4])
    Tensor([1., 1., 0.])
    """
    t, p = _alike("accuracy", y_true, y_pred)
    return _ones(t == p)


def binary_accuracy(y_true: Any, y_pred: Any, threshold: float = 0.5) -> Tensor:
    """Return 1 where a prediction falls on the right side of the threshold, 0 elsewhere; of one shape.

    >>> binary_accuracy([1, 0], [0.9, 0.8])
    Tensor([1., 0.])
    """
    t, p = _alike("binary_accuracy", y_true, y_pred)
    return _ones((p > threshold) == t)


def categorical_accuracy(y_true: Any, y_pred: Any) -> Tensor:
    """Return 1 where the largest score is at the largest target, 0 elsewhere: (…, classes) to (…,).

    >>> categorical_accuracy([[0, 1], [1, 0]], [[0.1, 0.9], [0.2, 0.8]])
    Tensor([1., 0.])
    """
    t, p = _alike("categorical_accuracy", y_true, y_pred)
    return _ones(t.argmax(axis=-1) == p.argmax(axis=-1))


def sparse_categorical_accuracy(y_true: Any, y_pred: Any) -> Tensor:
    """Return 1 where the largest score is at the true class, 0 elsewhere: (…,) and (…, classes) to (…,).

    >>> sparse_categorical_accuracy([1, 0], [[0.1, 0.9], [0.2, 0.8]])
    Tensor([1., 0.])
    """
    p = _array(y_pred)
    return _ones(class_numbers(y_true, p.shape, "sparse_categorical_accuracy") == p.argmax(axis=-1))


def top_k_categorical_accuracy(y_true: Any, y_pred: Any, k: int = 5) -> Tensor:
    """Return 1 where fewer than k scores are above the true class's, 0 elsewhere; targets are one-hot.

    >>> top_k_categorical_accuracy([[0, 0, 1], [1, 0, 0]], [[0.5, 0.1, 0.4], [0.1, 0.5, 0.4]], k=2)
    Tensor([1., 0.])
    """
    t, p = _alike("top_k_categorical_accuracy", y_true, y_pred)
    return _in_top(t.argmax(axis=-1), p, k)


def sparse_top_k_categorical_accuracy(
    y_true: Any, y_pred: Any, k: int = 5, from_sorted_ids: bool = False
) -> Tensor:
    """Return 1 where fewer than k scores are above the true class's, 0 elsewhere: (…, classes) to (…,).

    With ``from_sorted_ids`` the predictions are class numbers instead, the likeliest first.

    >>> sparse_top_k_categorical_accuracy([2, 0], [[0.5, 0.1, 0.4], [0.1, 0.5, 0.4]], k=2)
    Tensor([1., 0.])
    """
    p = _array(y_pred)
    labels = class_numbers(y_true, p.shape, "sparse_top_k_categorical_accuracy")
    if from_sorted_ids:
        return _ones((p[..., : positive(k, "k")] == labels[..., np.newaxis]).any(axis=-1))
    return _in_top(labels, p, k)


def _in_top(labels: NDArray[Any], scores: NDArray[Any], k: int) -> Tensor:
    own = np.take_along_axis(scores, labels[..., np.newaxis], axis=-1)
    above = np.count_nonzero(scores > own, axis=-1)
    return _ones((above < positive(k, "k")) & ~np.isnan(own[..., 0]))


def _alike(name: str, y_true: Any, y_pred: Any) -> tuple[NDArray[Any], NDArray[Any]]:
    t, p = (_array(y) for y in pair(y_true, y_pred))
    if t.shape != p.shape:
        raise ShapeError(f"{name}: y_true is {t.shape}, y_pred {p.shape}; they must be equal")
    return t, p


def _array(y: Any) -> NDArray[Any]:
    return y.numpy() if isinstance(y, Tensor) else np.asarray(y)


def _ones(hits: NDArray[Any]) -> Tensor:
    return Tensor(hits.astype(np.float32))


class Accuracy(MeanMetricWrapper):
    """How often targets and predictions are equal: for class numbers, not for probabilities.

    Parameters, of this and all metrics below: ``name`` and ``dtype`` as for a Metric. Raises ShapeError for
    shapes that don't fit.

    >>> metric = Accuracy()
    >>> metric.update_state([1, 2, 3, 4], [1, 2, 3, 0]); metric.result().item()
    0.75
    """

    def __init__(self, name: str | None = None, dtype: DTypeLike | None = None) -> None:
        super().__init__(accuracy, name, dtype)


class BinaryAccuracy(MeanMetricWrapper):
    """How often a prediction falls on the right side of the threshold; with logits that is 0.

    >>> metric = BinaryAccuracy()
    >>> metric.update_state([1, 0], [0.9, 0.8]); metric.result().item()
    0.5
    """

    def __init__(
        self, name: str | None = None, dtype: DTypeLike | None = None, threshold: float = 0.5
    ) -> None:
        super().__init__(binary_accuracy, name, dtype, threshold=threshold)
        self.threshold = threshold


class CategoricalAccuracy(MeanMetricWrapper):
    """How often the class with the largest score is the true one; targets are one-hot.

    >>> metric = CategoricalAccuracy()
    >>> metric.update_state([[0, 1], [1, 0]], [[0.1, 0.9], [0.2, 0.8]]); metric.result().item()
    0.5
    """

    def __init__(self, name: str | None = None, dtype: DTypeLike | None = None) -> None:
        super().__init__(categorical_accuracy, name, dtype)


class SparseCategoricalAccuracy(MeanMetricWrapper):
    """How often the class with the largest score is the true one; classes are whole numbers.

    >>> metric = SparseCategoricalAccuracy()
    >>> metric.update_state([1, 0], [[0.1, 0.9], [0.2, 0.8]]); metric.result().item()
    0.5
    """

    sparse = True

    def __init__(self, name: str | None = None, dtype: DTypeLike | None = None) -> None:
        super().__init__(sparse_categorical_accuracy, name, dtype)


class TopKCategoricalAccuracy(MeanMetricWrapper):
    """How often the true class is among those with the ``k`` largest scores; targets are one-hot.

    >>> metric = TopKCategoricalAccuracy(k=2)
    >>> metric.update_state([[0, 0, 1], [1, 0, 0]], [[0.5, 0.1, 0.4], [0.1, 0.5, 0.4]])
    >>> metric.result().item()
    0.5
    """

    def __init__(self, k: int = 5, name: str | None = None, dtype: DTypeLike | None = None) -> None:
        super().__init__(top_k_categorical_accuracy, name, dtype, k=positive(k, "TopKCategoricalAccuracy: k"))
        self.k = k


class SparseTopKCategoricalAccuracy(MeanMetricWrapper):
    """How often the true class is among those with the ``k`` largest scores; classes are whole numbers.

    With ``from_sorted_ids`` the predictions are class numbers, the likeliest first, and no scores.

    >>> metric = SparseTopKCategoricalAccuracy(k=2)
    >>> metric.update_state([2, 0], [[0.5, 0.1, 0.4], [0.1, 0.5, 0.4]]); metric.result().item()
    0.5
    """

    sparse = True

    def __init__(
        self,
        k: int = 5,
        name: str | None = None,
        dtype: DTypeLike | None = None,
        from_sorted_ids: bool = False,
    ) -> None:
        super().__init__(
            sparse_top_k_categorical_accuracy, name, dtype, from_sorted_ids=from_sorted_ids,
            k=positive(k, "SparseTopKCategoricalAccuracy: k"),
        )  # fmt: skip
        self.k, self.from_sorted_ids = k, from_sorted_ids


class _Accuracy(MeanMetricWrapper):
    """ "accuracy": which one is meant shows in the loss and in the shapes of the first batch."""

    def __init__(self, name: str, loss: Any) -> None:
        super().__init__(accuracy, name)
        self.binary = isinstance(loss, losses.BinaryCrossentropy | losses.BinaryFocalCrossentropy)
        self.logits = self.binary and loss.from_logits
        self.chosen = False

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:  # type: ignore[override]
        if not self.chosen:
            self.chosen = True
            true, pred = np.shape(y_true), np.shape(y_pred)
            if self.binary or len(pred) < 2 or pred[-1] == 1:
                self.fn, self.kwargs = binary_accuracy, {"threshold": 0.0 if self.logits else 0.5}
            elif true == pred:
                self.fn = categorical_accuracy
            else:
                self.fn, self.sparse = sparse_categorical_accuracy, True
        super().update_state(y_true, y_pred, sample_weight)

    def describe(self) -> Any:
        return self.name  # what compile was told, and is told again
