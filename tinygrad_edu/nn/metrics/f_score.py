"""F-scores: precision and recall in one number, for each class and over all of them."""

from typing import Any

import numpy as np
from numpy.typing import DTypeLike

from ...errors import ArgumentError, DataError, ShapeError, unknown_name
from ...tensor import Tensor
from ..losses.base import weights_for
from .base import Metric, Variable, divided
from .confusion import binary_arrays

__all__ = ["F1Score", "FBetaScore"]


class FBetaScore(Metric):
    """(1 + β²) · precision · recall / (β² · precision + recall): recall counts β times as much as precision.

    Parameters
    ----------
    average
        None for a score of each class; "macro" for their mean, "weighted" for their mean weighed by how often
        each class is true, "micro" for the score of all answers counted together.
    beta
        How much recall matters.
    threshold
        Above what a prediction says yes, for labels that may be true together or a single output; by default
        each row's largest prediction does, alone.
    name, dtype
        As for a Metric.

    Targets are rows of 0 and 1 (samples, classes), predictions of the same shape. Raises ArgumentError for an
    unknown average, or no threshold for a single output, whose largest prediction is always itself.

    >>> metric = FBetaScore(average="macro", beta=2.0)
    >>> metric.update_state([[1, 0], [0, 1], [0, 1]], [[0.9, 0.1], [0.6, 0.4], [0.2, 0.8]])
    >>> metric.result().item()
    0.6944444444444444
    """

    def __init__(
        self,
        average: str | None = None,
        beta: float = 1.0,
        threshold: float | None = None,
        name: str | None = "fbeta_score",
        dtype: DTypeLike | None = None,
    ) -> None:
        super().__init__(dtype, name)
        if average not in (None, "micro", "macro", "weighted"):
            raise unknown_name("average", average, ("micro", "macro", "weighted"))
        if not beta > 0:
            raise ArgumentError(f"{self.name}: beta must be above 0, got {beta}")
        if threshold is not None and not 0 < threshold <= 1:
            raise ArgumentError(f"{self.name}: threshold must be above 0 and at most 1, got {threshold}")
        self.average, self.beta, self.threshold = average, beta, threshold
        self.true_positives: Variable | None = None  # made when the number of classes is known

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        t, p = binary_arrays(self, y_true, y_pred)
        if p.ndim != 2:
            raise ShapeError(f"{self.name}: expected predictions (samples, classes), got {p.shape}")
        if self.threshold is not None:
            p = p > self.threshold
        elif p.shape[1] == 1:
            raise ArgumentError(f"{self.name}: a single output needs a threshold; say threshold=0.5")
        else:
            p = (p >= p.max(axis=-1, keepdims=True)) & (np.abs(p) > 1e-9)
        weights = 1.0 if sample_weight is None else weights_for(sample_weight, p.shape, self.name)
        if self.true_positives is None:
            shape = () if self.average == "micro" else p.shape[1]
            self.true_positives = self.add_weight(shape, name="true_positives")
            self.false_positives = self.add_weight(shape, name="false_positives")
            self.false_negatives = self.add_weight(shape, name="false_negatives")
        elif self.true_positives.shape not in ((), p.shape[1:]):
            raise ShapeError(
                f"{self.name}: it saw predictions of {self.true_positives.size} classes, and now {p.shape[1]}"
            )
        axis = None if self.average == "micro" else 0
        self.true_positives.assign_add(np.sum(weights * t * p, axis))
        self.false_positives.assign_add(np.sum(weights * (1 - t) * p, axis))
        self.false_negatives.assign_add(np.sum(weights * t * ~p, axis))

    def result(self) -> Tensor:
        if self.true_positives is None:
            raise DataError(f"{self.name}: there is no result yet; update_state takes a batch into account")
        tp, fp, fn = (v.numpy() for v in (self.true_positives, self.false_positives, self.false_negatives))
        precision, recall = divided(tp, tp + fp), divided(tp, tp + fn)
        square = self.beta**2
        score = (1 + square) * divided(precision * recall, square * precision + recall)
        if self.average == "weighted":
            return Tensor(divided(np.sum(score * (tp + fn)), np.sum(tp + fn)))
        return Tensor(score if self.average is None else np.mean(score))


class F1Score(FBetaScore):
    """2 · precision · recall / (precision + recall): near the smaller of the two.

    Parameters, and what is raised, as for FBetaScore.

    >>> metric = F1Score(average="micro", threshold=0.5)
    >>> metric.update_state([[1], [0], [1]], [[0.9], [0.2], [0.4]]); metric.result().item()
    0.6666666666666666
    """

    def __init__(
        self,
        average: str | None = None,
        threshold: float | None = None,
        name: str | None = "f1_score",
        dtype: DTypeLike | None = None,
    ) -> None:
        super().__init__(average, 1.0, threshold, name, dtype)
