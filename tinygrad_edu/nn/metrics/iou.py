"""Intersection over union, for segmentation: of all that is or was called a class, the share that is both."""

from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from ...errors import ArgumentError, DataError, ShapeError
from ...tensor import Tensor
from ..losses.base import weights_for
from ..module import positive
from .base import Metric, divided

__all__ = ["BinaryIoU", "IoU", "MeanIoU"]


class IoU(Metric):
    """TP / (TP + FP + FN), averaged over some classes: those that neither are nor are said to be don't count.

    Parameters
    ----------
    num_classes
        How many classes there are.
    target_class_ids
        Which of them are averaged over.
    ignore_class
        A class number in the targets that means "not known": such pixels don't count.
    sparse_y_true, sparse_y_pred
        Whether targets and predictions are class numbers (True), or rows of probabilities, of which the
        largest is meant: ``sparse_y_pred=False`` for what a softmax gives.
    axis
        Where the classes are in such rows.
    name, dtype
        As for a Metric.

    Raises ArgumentError for a class id out of range; in ``update_state`` ShapeError for shapes that differ,
    and DataError for class numbers out of range. (Keras leaves such pixels out.)

    >>> metric = IoU(num_classes=2, target_class_ids=[0])
    >>> metric.update_state([0, 0, 1, 1], [0, 1, 0, 1]); metric.result().item()
    0.3333
    """

    def __init__(
        self,
        num_classes: int,
        target_class_ids: Any,
        name: str | None = None,
        dtype: DTypeLike | None = None,
        ignore_class: int | None = None,
        sparse_y_true: bool = True,
        sparse_y_pred: bool = True,
        axis: int = -1,
    ) -> None:
        super().__init__(dtype, name)
        self.num_classes = positive(num_classes, f"{self.name}: num_classes")
        self.target_class_ids = list(target_class_ids)
        if not all(0 <= i < num_classes for i in self.target_class_ids):
            raise ArgumentError(
                f"{self.name}: target_class_ids must lie between 0 and {num_classes - 1}, got "
                f"{self.target_class_ids}"
            )
        self.ignore_class, self.axis = ignore_class, axis
        self.sparse_y_true, self.sparse_y_pred = sparse_y_true, sparse_y_pred
        self.total_cm = self.add_weight((num_classes, num_classes), name="total_confusion_matrix")

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        t, p = (y.numpy() if isinstance(y, Tensor) else np.asarray(y) for y in (y_true, y_pred))
        t = t if self.sparse_y_true else t.argmax(self.axis)
        p = p if self.sparse_y_pred else p.argmax(self.axis)
        if t.size != p.size or t.shape[:1] != p.shape[:1]:
            mend = "; probabilities of classes need sparse_y_pred=False" if p.ndim > t.ndim else ""
            raise ShapeError(f"{self.name}: {t.shape} targets, {p.shape} predictions{mend}")
        weights = np.ones(1) if sample_weight is None else weights_for(sample_weight, t.shape, self.name)
        weights = np.broadcast_to(weights, t.shape).ravel()
        known = np.ones(t.size, bool) if self.ignore_class is None else t.ravel() != self.ignore_class
        t, p = self._numbers(t.ravel()[known], "y_true"), self._numbers(p.ravel()[known], "y_pred")
        pairs = np.bincount(t * self.num_classes + p, weights[known], minlength=self.num_classes**2)
        self.total_cm.assign_add(pairs.reshape(self.num_classes, self.num_classes))

    def _numbers(self, y: NDArray[Any], what: str) -> NDArray[Any]:
        with np.errstate(invalid="ignore"):  # nan is no whole number either
            whole = y.astype(np.int64)
        wrong = (whole != y) | (whole < 0) | (whole >= self.num_classes)
        if wrong.any():
            raise DataError(
                f"{self.name}: {what} must be class numbers from 0 to {self.num_classes - 1}, and "
                f"{y[wrong][0]:g} is among them; ignore_class= leaves one number out, and probabilities need "
                f"sparse_{what}=False"
            )
        return whole

    def result(self) -> Tensor:
        matrix = self.total_cm.numpy()
        both = np.diag(matrix)
        either = matrix.sum(axis=0) + matrix.sum(axis=1) - both
        chosen = self.target_class_ids
        return Tensor(divided(divided(both, either)[chosen].sum(), np.count_nonzero(either[chosen])))


class MeanIoU(IoU):
    """The mean IoU of all classes that are there, or are said to be. Parameters as for IoU.

    >>> metric = MeanIoU(num_classes=2, sparse_y_pred=False)
    >>> metric.update_state([[0, 1]], [[[0.9, 0.1], [0.6, 0.4]]]); metric.result().item()
    0.25
    """

    def __init__(
        self,
        num_classes: int,
        name: str | None = None,
        dtype: DTypeLike | None = None,
        ignore_class: int | None = None,
        sparse_y_true: bool = True,
        sparse_y_pred: bool = True,
        axis: int = -1,
    ) -> None:
        super().__init__(
            num_classes, range(positive(num_classes, "MeanIoU: num_classes")), name, dtype, ignore_class,
            sparse_y_true, sparse_y_pred, axis,
        )  # fmt: skip


class BinaryIoU(IoU):
    """The IoU of yes (1) and no (0), or of one of them; a prediction of at least ``threshold`` says yes.

    >>> metric = BinaryIoU(target_class_ids=[1])
    >>> metric.update_state([0, 1, 1], [0.2, 0.6, 0.1]); metric.result().item()
    0.5
    """

    def __init__(
        self,
        target_class_ids: Any = (0, 1),
        threshold: float = 0.5,
        name: str | None = None,
        dtype: DTypeLike | None = None,
    ) -> None:
        super().__init__(2, target_class_ids, name, dtype)
        self.threshold = threshold

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        y_pred = y_pred.numpy() if isinstance(y_pred, Tensor) else np.asarray(y_pred)
        super().update_state(y_true, y_pred >= self.threshold, sample_weight)
