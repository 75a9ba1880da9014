"""Yes-or-no answers counted at one threshold or several: true and false, positives and negatives.

A prediction above the threshold says yes. Reports and confusion matrices of several classes come from
scikit-learn: ``sklearn.metrics.classification_report(y, model.predict(x).argmax(1))``.
"""

from typing import Any, ClassVar

import numpy as np
from numpy.typing import DTypeLike, NDArray

from ...errors import ArgumentError, DataError, ShapeError
from ...tensor import Tensor
from ..losses.base import prepared, weights_for
from ..module import positive
from .base import Metric, divided

__all__ = ["FalseNegatives", "FalsePositives", "Precision", "Recall", "TrueNegatives", "TruePositives"]


class _Confusion(Metric):
    """The four counts, at each threshold."""

    def __init__(self, thresholds: Any, shape: Any, name: str | None, dtype: DTypeLike | None) -> None:
        super().__init__(dtype, name)
        self.limits = np.asarray(thresholds, np.float64)
        self.true_positives = self.add_weight(shape, name="true_positives")
        self.false_positives = self.add_weight(shape, name="false_positives")
        self.true_negatives = self.add_weight(shape, name="true_negatives")
        self.false_negatives = self.add_weight(shape, name="false_negatives")

    def count(self, t: NDArray[Any], p: NDArray[Any], weights: Any) -> None:
        """Add what the columns of targets and predictions (samples, columns) count at each threshold."""
        order = np.argsort(self.limits)
        # Above how many thresholds each prediction lies: those at which it says yes.
        above = np.searchsorted(self.limits[order].astype(p.dtype), p)
        above[np.isnan(p)] = 0
        weights = np.broadcast_to(weights, p.shape)
        yes, no = (_at_least(above, weights * truth, len(order)) for truth in (t, 1 - t))
        back = np.argsort(order)
        for variable, counts in (
            (self.true_positives, yes[1:]),
            (self.false_positives, no[1:]),
            (self.true_negatives, no[0] - no[1:]),
            (self.false_negatives, yes[0] - yes[1:]),
        ):
            variable.assign_add(counts[back].reshape(variable.shape))


def binary_arrays(metric: Metric, y_true: Any, y_pred: Any) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return targets of 0 and 1, and predictions beside them, as floats; raise for what can't be such."""
    t, tensor = prepared(metric, y_true, y_pred)
    p = tensor.numpy().astype(t.dtype, copy=False)
    if t.shape != p.shape:
        mend = "; one-hot rows are np.eye(classes)[labels]" if t.shape == p.shape[:-1] else ""
        raise ShapeError(f"{metric.name}: y_true is {t.shape}, y_pred {p.shape}; they must be equal{mend}")
    if not np.all((t == 0) | (t == 1)):
        odd = t[(t != 0) & (t != 1)].flat[0]
        raise DataError(
            f"{metric.name}: the targets must be 0 or 1, and {odd:g} is among them; one-hot rows of class "
            "numbers are np.eye(classes)[labels]"
        )
    return t, p


def _at_least(above: NDArray[Any], weights: NDArray[Any], thresholds: int) -> NDArray[Any]:
    """Return (thresholds + 1, columns): the weight of what lies above at least so many thresholds."""
    columns = above.shape[1]
    places = above + (thresholds + 1) * np.arange(columns)
    sums = np.bincount(places.ravel(), weights.ravel(), minlength=(thresholds + 1) * columns)
    return sums.reshape(columns, -1)[:, ::-1].cumsum(axis=1)[:, ::-1].T


class _AtThresholds(_Confusion):
    """What is asked at thresholds of one's own, 0.5 by default."""

    def __init__(
        self,
        thresholds: Any = None,
        top_k: int | None = None,
        class_id: int | None = None,
        name: str | None = None,
        dtype: DTypeLike | None = None,
    ) -> None:
        given = [] if thresholds is None else np.ravel(thresholds).tolist()
        if not all(0 <= t <= 1 for t in given):
            raise ArgumentError(f"thresholds must lie between 0 and 1, got {thresholds}")
        limits = given or [0.5 if top_k is None else -np.inf]
        super().__init__(limits, len(limits), name, dtype)
        self.thresholds = thresholds
        self.top_k = None if top_k is None else positive(top_k, f"{self.name}: top_k")
        self.class_id = class_id

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        t, p = binary_arrays(self, y_true, y_pred)
        weights = 1.0 if sample_weight is None else weights_for(sample_weight, p.shape, self.name)
        if self.top_k is not None:
            p = _only_top(p, self.top_k)
        if self.class_id is not None:
            if p.ndim < 2 or not -p.shape[-1] <= self.class_id < p.shape[-1]:
                raise ShapeError(f"{self.name}: there is no class {self.class_id} in predictions {p.shape}")
            weights = np.broadcast_to(weights, p.shape)[..., self.class_id]
            t, p = t[..., self.class_id], p[..., self.class_id]
        weights = np.broadcast_to(weights, p.shape)
        self.count(*(a.reshape(-1, 1) for a in (t, p, weights)))

    def ratio(self, part: Any, rest: Any) -> Tensor:
        return self.by_threshold(divided(part, part.numpy() + rest.numpy()))

    def by_threshold(self, values: NDArray[Any]) -> Tensor:
        return Tensor(values[0] if len(values) == 1 else values)


def _only_top(p: NDArray[Any], k: int) -> NDArray[Any]:
    """Return the k largest numbers of each row, of equal ones the first, and -inf in the others' place."""
    top = np.argsort(-p, axis=-1, kind="stable")[..., :k]
    out = np.full_like(p, -np.inf)
    np.put_along_axis(out, top, np.take_along_axis(p, top, axis=-1), axis=-1)
    return out


class Precision(_AtThresholds):
    """Of all that was said to be true, the share that was: TP / (TP + FP); 0 if nothing was.

    Parameters
    ----------
    thresholds
        Above what a prediction says yes: a number, or several, which give several results.
    top_k
        Only the k largest predictions of each row can say yes; without thresholds, all of them do.
    class_id
        Look at this class alone.
    name, dtype
        As for a Metric.

    Raises ArgumentError for thresholds outside 0 … 1, DataError for targets other than 0 and 1.

    >>> metric = Precision()
    >>> metric.update_state([0, 1, 1, 1], [0.9, 0.2, 0.8, 0.7]); metric.result().item()
    0.6666666666666666
    """

    def result(self) -> Tensor:
        return self.ratio(self.true_positives, self.false_positives)


class Recall(_AtThresholds):
    """Of all that was true, the share that was said to be: TP / (TP + FN); 0 if nothing was true.

    Parameters, and what is raised, as for Precision.

    >>> metric = Recall()
    >>> metric.update_state([0, 1, 1, 1], [0.9, 0.2, 0.8, 0.7]); metric.result().item()
    0.6666666666666666
    """

    def result(self) -> Tensor:
        return self.ratio(self.true_positives, self.false_negatives)


class _Count(_AtThresholds):
    """One of the four counts."""

    counted: ClassVar[str]

    def __init__(
        self, thresholds: Any = None, name: str | None = None, dtype: DTypeLike | None = None
    ) -> None:
        super().__init__(thresholds, name=name, dtype=dtype)

    def result(self) -> Tensor:
        return self.by_threshold(getattr(self, self.counted).numpy())


class TruePositives(_Count):
    """How many were true and said to be.

    Parameters, of this and the three below: ``thresholds``, ``name`` and ``dtype`` as for Precision.

    >>> metric = TruePositives()
    >>> metric.update_state([0, 1, 1, 1], [0.9, 0.2, 0.8, 0.7]); metric.result().item()
    2.0
    """

    counted = "true_positives"


class FalsePositives(_Count):
    """How many were said to be true and weren't.

    >>> metric = FalsePositives()
    >>> metric.update_state([0, 1, 1, 1], [0.9, 0.2, 0.8, 0.7]); metric.result().item()
    1.0
    """

    counted = "false_positives"


class TrueNegatives(_Count):
    """How many were false and said to be.

    >>> metric = TrueNegatives()
    >>> metric.update_state([0, 0, 1, 1], [0.9, 0.2, 0.8, 0.7]); metric.result().item()
    1.0
    """

    counted = "true_negatives"


class FalseNegatives(_Count):
    """How many were true and not said to be.

    >>> metric = FalseNegatives()
    >>> metric.update_state([0, 1, 1, 1], [0.9, 0.2, 0.8, 0.7]); metric.result().item()
    1.0
    """

    counted = "false_negatives"
