"""Metrics: numbers to watch. Each keeps a running result over the batches of an epoch."""

from typing import Any, ClassVar

import numpy as np

from ..context import no_grad
from ..errors import ArgumentError, ShapeError, unknown_name
from ..tensor import Tensor
from . import losses
from .named import snake_case

__all__ = [
    "BinaryAccuracy",
    "CategoricalAccuracy",
    "Mean",
    "Metric",
    "SparseCategoricalAccuracy",
    "get",
]


class Metric:
    """The base: a subclass writes ``update_state``, ``result`` and ``reset_state``.

    >>> from tinygrad_edu import nn
    >>> class Largest(nn.metrics.Metric):
    ...     def reset_state(self):
    ...         self.value = 0.0
    ...     def update_state(self, y_true, y_pred, sample_weight=None):
    ...         self.value = max(self.value, float(np.max(y_pred)))
    ...     def result(self):
    ...         return self.value
    >>> metric = Largest()
    >>> metric.update_state([0, 0], [0.25, 0.75]); metric.result()
    0.75
    """

    classes: ClassVar[dict[str, type["Metric"]]] = {}

    def __init__(self, name: str | None = None) -> None:
        self.name = name or snake_case(type(self).__name__)
        self.reset_state()

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        Metric.classes[cls.__name__] = cls

    def reset_state(self) -> None:
        """Forget what was seen; called at the start of each epoch."""

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        """Take a batch of targets and predictions (NumPy arrays) into account."""
        raise ArgumentError(f"{type(self).__name__} has no `update_state` method")

    def result(self) -> float:
        """Return the value over all batches since the last reset."""
        raise ArgumentError(f"{type(self).__name__} has no `result` method")


class Mean(Metric):
    """The mean of values, each with a weight.

    >>> mean = Mean("loss")
    >>> mean.update_state(1.0, 3); mean.update_state(5.0); mean.result()
    2.0
    """

    def reset_state(self) -> None:
        self.total = 0.0
        self.count = 0.0

    def update_state(self, values: Any, sample_weight: Any = None) -> None:  # type: ignore[override]
        values = np.asarray(values.numpy() if isinstance(values, Tensor) else values, np.float64)
        weights = np.broadcast_to(1.0 if sample_weight is None else sample_weight, values.shape)
        self.total += float(np.sum(values * weights))
        self.count += float(np.sum(weights))

    def add(self, value: float, weight: float = 1.0) -> None:
        """As ``update_state``, of one number."""
        self.total += value * weight
        self.count += weight

    def result(self) -> float:
        return self.total / self.count if self.count else float("nan")


class _Hits(Mean):
    """The share of samples that were predicted right."""

    def hits(self, y_true: Any, y_pred: Any) -> Any:
        """Return True for each prediction that is right."""
        raise ArgumentError(f"{type(self).__name__} has no `hits` method")

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:  # type: ignore[override]
        hits = self.hits(np.asarray(y_true), np.asarray(y_pred))
        if sample_weight is None:
            self.add_sum(float(np.count_nonzero(hits)), hits.size)
        else:
            weights = np.broadcast_to(
                np.reshape(
                    sample_weight, np.shape(sample_weight) + (1,) * (hits.ndim - np.ndim(sample_weight))
                ),
                hits.shape,
            )
            self.add_sum(float(np.sum(hits * weights)), float(np.sum(weights)))

    def add_sum(self, total: float, count: float) -> None:
        self.total += total
        self.count += count


class SparseCategoricalAccuracy(_Hits):
    """How often the class with the largest score is the true one; classes are whole numbers.

    >>> metric = SparseCategoricalAccuracy()
    >>> metric.update_state([1, 0], [[0.1, 0.9], [0.2, 0.8]]); metric.result()
    0.5
    """

    def hits(self, y_true: Any, y_pred: Any) -> Any:
        return losses.class_numbers(y_true, y_pred.shape, self.name) == y_pred.argmax(axis=-1)


class CategoricalAccuracy(_Hits):
    """How often the class with the largest score is the true one; targets are one-hot.

    >>> metric = CategoricalAccuracy()
    >>> metric.update_state([[0, 1], [1, 0]], [[0.1, 0.9], [0.2, 0.8]]); metric.result()
    0.5
    """

    def hits(self, y_true: Any, y_pred: Any) -> Any:
        if y_true.shape != y_pred.shape:
            raise ShapeError(
                f"{self.name}: y_true is {y_true.shape}, y_pred {y_pred.shape}; they must be equal"
            )
        return y_true.argmax(axis=-1) == y_pred.argmax(axis=-1)


class BinaryAccuracy(_Hits):
    """How often a prediction falls on the right side of the threshold (0.5, or 0 for logits).

    >>> metric = BinaryAccuracy()
    >>> metric.update_state([1, 0], [0.9, 0.8]); metric.result()
    0.5
    """

    def __init__(self, name: str | None = None, threshold: float = 0.5) -> None:
        super().__init__(name)
        self.threshold = threshold

    def hits(self, y_true: Any, y_pred: Any) -> Any:
        if y_true.size != y_pred.size:
            raise ShapeError(
                f"{self.name}: y_true is {y_true.shape}, y_pred {y_pred.shape}; they must be equal"
            )
        return (y_pred > self.threshold) == (y_true.reshape(y_pred.shape) > 0.5)


class _LossMetric(Mean):
    """A loss, watched as a metric."""

    def __init__(self, name: str, loss: losses.Loss) -> None:
        super().__init__(name)
        self.loss = loss

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:  # type: ignore[override]
        with no_grad():
            self.add(self.loss(y_true, Tensor(y_pred), sample_weight).item(), len(y_pred))


class _Accuracy(_Hits):
    """ "accuracy": which one is meant shows in the loss and in the shapes of the first batch."""

    def __init__(self, name: str, loss: losses.Loss | None) -> None:
        super().__init__(name)
        self.binary = isinstance(loss, losses.BinaryCrossentropy)
        self.logits = isinstance(loss, losses.BinaryCrossentropy) and loss.from_logits
        self.chosen: _Hits | None = None

    def hits(self, y_true: Any, y_pred: Any) -> Any:
        if self.chosen is None:
            if self.binary or y_pred.ndim < 2 or y_pred.shape[-1] == 1:
                self.chosen = BinaryAccuracy(self.name, threshold=0.0 if self.logits else 0.5)
            elif y_true.shape == y_pred.shape:
                self.chosen = CategoricalAccuracy(self.name)
            else:
                self.chosen = SparseCategoricalAccuracy(self.name)
        return self.chosen.hits(y_true, y_pred)


def get(identifier: Any, loss: losses.Loss | None = None) -> Metric:
    """Return the metric for a name ("accuracy", "mae", any loss), or itself.

    >>> get("binary_accuracy").name
    'binary_accuracy'
    """
    if isinstance(identifier, Metric):
        return identifier
    if isinstance(identifier, type):
        raise ArgumentError(f"metric: {identifier.__name__} is a class; write {identifier.__name__}()")
    if callable(identifier):
        return _LossMetric(getattr(identifier, "__name__", "metric"), losses.get(identifier))
    if identifier in ("accuracy", "acc"):
        return _Accuracy(identifier, loss)
    known = {snake_case(name): cls for name, cls in Metric.classes.items() if not name.startswith("_")}
    if identifier in known and identifier not in ("mean", "metric"):
        return known[identifier]()
    try:
        return _LossMetric(str(identifier), losses.get(identifier))
    except ArgumentError:
        names = ["accuracy", "mse", "mae", *known, *(snake_case(n) for n in losses.Loss.classes)]
        raise unknown_name("metric", identifier, [n for n in names if not n.startswith("_")]) from None
