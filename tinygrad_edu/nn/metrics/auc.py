"""The area under a curve that a moving threshold draws."""

from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from ... import ops
from ...errors import ArgumentError, DataError, ShapeError, unknown_name
from ...tensor import Tensor
from ..losses.base import weights_for
from .base import divided
from .confusion import _Confusion, binary_arrays

__all__ = ["AUC"]

EPSILON = 1e-7  # Keras': the first threshold lies below 0 and the last above 1 by that


class AUC(_Confusion):
    """The area under the ROC or precision-recall curve, approximated by thresholds at equal distances.

    ROC (recall against the share of false alarms): the chance that of a true and a false sample the true one
    gets the higher score (Hanley and McNeil 1982). For the exact area of all predictions at once see
    ``sklearn.metrics.roc_auc_score``.

    Parameters
    ----------
    num_thresholds
        How many; more are more exact.
    curve
        "ROC" or "PR".
    summation_method
        "interpolation" (trapezoids; for "PR" as Davis and Goadrich 2006 interpolate), "minoring" or
        "majoring" (rectangles below and above the curve).
    thresholds
        The thresholds between 0 and 1 themselves.
    multi_label, num_labels
        Whether each column of the predictions (samples, num_labels) has a curve of its own; the result is the
        mean of their areas.
    label_weights
        The weight of each column, in that mean or in the counts.
    from_logits
        Predictions are logits, and sigmoid is still to come.
    name, dtype
        As for a Metric.

    Raises ArgumentError for arguments outside of that, DataError for targets other than 0 and 1, and for
    predictions that are no probabilities.

    >>> metric = AUC()
    >>> metric.update_state([0, 0, 1, 1], [0.1, 0.6, 0.4, 0.9]); metric.result().item()
    0.75
    """

    def __init__(
        self,
        num_thresholds: int = 200,
        curve: str = "ROC",
        summation_method: str = "interpolation",
        name: str | None = None,
        dtype: DTypeLike | None = None,
        thresholds: Any = None,
        multi_label: bool = False,
        num_labels: int | None = None,
        label_weights: Any = None,
        from_logits: bool = False,
    ) -> None:
        inner = np.arange(1, num_thresholds - 1) / (num_thresholds - 1) if thresholds is None else thresholds
        limits = [-EPSILON, *sorted(inner), 1 + EPSILON]
        if num_thresholds < 2 or not all(0 <= t <= 1 for t in limits[1:-1]):
            raise ArgumentError("AUC: expected at least 2 thresholds, between 0 and 1")
        if curve not in (known := ("ROC", "PR")):
            raise unknown_name("curve", curve, known)
        if summation_method not in (known_methods := ("interpolation", "minoring", "majoring")):
            raise unknown_name("summation_method", summation_method, known_methods)
        if bool(num_labels) != bool(multi_label):
            raise ArgumentError("AUC: multi_label=True and num_labels go together, and need one another")
        shape = (len(limits), num_labels) if num_labels else len(limits)
        super().__init__(limits, shape, name, dtype)
        self.num_thresholds, self.curve, self.summation_method = num_thresholds, curve, summation_method
        self.thresholds, self.multi_label, self.num_labels = thresholds, multi_label, num_labels
        self.label_weights, self.from_logits = label_weights, from_logits

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        t, p = binary_arrays(self, y_true, y_pred)
        if self.from_logits:
            p = ops.sigmoid(Tensor(p)).numpy()
        elif p.min(initial=0) < 0 or p.max(initial=1) > 1:
            raise DataError(
                f"{self.name}: expected probabilities, got {p.min():g} to {p.max():g}; for logits say "
                "from_logits=True"
            )
        if self.multi_label and p.shape[1:] != (self.num_labels,):
            raise ShapeError(f"{self.name}: expected predictions (samples, {self.num_labels}), got {p.shape}")
        weights: Any = 1.0 if sample_weight is None else weights_for(sample_weight, p.shape, self.name)
        if self.label_weights is not None and not self.multi_label:
            weights = weights * np.asarray(self.label_weights)
        columns = self.num_labels or 1
        self.count(*(a.reshape(-1, columns) for a in (t, p, np.broadcast_to(weights, p.shape))))

    def result(self) -> Tensor:
        tp, fp = self.true_positives.numpy(), self.false_positives.numpy()
        tn, fn = self.true_negatives.numpy(), self.false_negatives.numpy()
        recall = divided(tp, tp + fn)
        if self.curve == "PR" and self.summation_method == "interpolation":
            areas = _interpolated_precision(tp, fp, fn)
        elif self.curve == "PR":
            areas = self._under(recall, divided(tp, tp + fp))
        else:
            areas = self._under(divided(fp, fp + tn), recall)
        area = areas.sum(axis=0)
        if not self.multi_label:
            return Tensor(area)
        weights = np.ones(len(area)) if self.label_weights is None else np.asarray(self.label_weights)
        return Tensor(divided(np.sum(area * weights), np.sum(weights)))

    def _under(self, x: NDArray[Any], y: NDArray[Any]) -> NDArray[Any]:
        """Return the areas between each two points of a curve, which goes from right to left."""
        heights = {
            "interpolation": (y[:-1] + y[1:]) / 2,
            "minoring": np.minimum(y[:-1], y[1:]),
            "majoring": np.maximum(y[:-1], y[1:]),
        }[self.summation_method]
        return (x[:-1] - x[1:]) * heights  # type: ignore[no-any-return]


def _interpolated_precision(tp: NDArray[Any], fp: NDArray[Any], fn: NDArray[Any]) -> NDArray[Any]:
    """Return the areas under the PR curve between each two thresholds.

    Between them the counts TP and P = TP + FP move along a line, TP = slope · P + intercept, so that
    precision TP / P is no line; its integral over recall has a logarithm (Davis and Goadrich 2006).
    """
    said = tp + fp
    gained, more = tp[:-1] - tp[1:], said[:-1] - said[1:]
    slope = divided(gained, np.maximum(more, 0))
    intercept = tp[1:] - slope * said[1:]
    both = (said[:-1] > 0) & (said[1:] > 0)
    ratio = np.where(both, divided(said[:-1], said[1:]), 1.0)
    return divided(slope * (gained + intercept * np.log(ratio)), tp[1:] + fn[1:])
