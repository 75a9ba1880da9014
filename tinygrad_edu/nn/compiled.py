"""What ``compile`` was told: how wrong predictions are, and what else to watch, for one output or several."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from ..errors import ArgumentError, DataError, ShapeError, unknown_name
from ..tensor import Tensor
from . import losses
from .metrics import Mean, Metric
from .metrics import get as get_metric
from .structure import flatten, is_structure

__all__ = ["Objective"]


class Objective:
    """A loss for each output, what they weigh in the sum, and metrics for each output.

    For several outputs each of these is a list in the outputs' order or a dict by their names; one loss
    alone counts for all of them. Each output's loss is then watched too, as "name_loss".

    Raises ArgumentError for names that don't fit, when the outputs are first seen.
    """

    def __init__(self, loss: Any, loss_weights: Any, metrics: Any, weighted_metrics: Any) -> None:
        self.given = loss, loss_weights, metrics, weighted_metrics
        self.parts: list[_Part] | None = None
        if not isinstance(loss, list | tuple | dict):
            self.loss: Any = None if loss is None else losses.get(loss)  # what is wrong with it shows at once
            if not isinstance(metrics, dict) and not any(
                isinstance(m, list | tuple) for m in listed(metrics)
            ):
                self._bind_one()
        else:
            self.loss = None

    def _bind_one(self) -> None:
        """One output: no names are needed."""
        _, weights, metrics, weighted = self.given
        weight = listed(weights)[0] if weights is not None else 1.0
        self.parts = [_Part("", self.loss, weight, listed(metrics), listed(weighted))]
        self._check_names()

    def bind(self, y_pred: Any, names: list[str] | None) -> "list[_Part]":
        """Find out, from the first predictions, what belongs to which output."""
        several = isinstance(y_pred, list | tuple | dict)
        if self.parts is not None and (len(self.parts) > 1) == (several and len(y_pred) > 1):
            return self.parts
        if not several:
            names = names or ["output"]
        elif isinstance(y_pred, dict):
            names = list(y_pred)
        elif names is None or len(names) != len(y_pred):
            names = [f"output_{i}" for i in range(len(y_pred))]
        loss, weights, metrics, weighted = self.given
        if not isinstance(loss, list | tuple | dict):
            loss = [self.loss] * len(names)
        self.parts = [
            _Part(
                name if len(names) > 1 else "", None if one is None else losses.get(one), share, watch, weigh
            )
            for name, one, share, watch, weigh in zip(
                names,
                spread(loss, names, "loss"),
                [1.0 if w is None else w for w in spread(weights, names, "loss_weights")],
                [listed(m) for m in spread(metrics or None, names, "metrics")],
                [listed(m) for m in spread(weighted or None, names, "weighted_metrics")],
                strict=True,
            )
        ]
        self._check_names()
        return self.parts

    def _check_names(self) -> None:
        names = ["loss", *(m.name for m in self.metrics)]
        if len(set(names)) < len(names):
            raise ArgumentError(f"compile: each metric needs a name of its own, and none 'loss': {names}")

    @property
    def metrics(self) -> list[Metric]:
        """All that is watched, but the loss as a whole."""
        return [metric for part in self.parts or [] for metric in part.watched()]

    def total(self, y: Any, y_pred: Any, sample_weight: Any, names: list[str] | None) -> Tensor | None:
        """Return the weighted sum of the outputs' losses, or None if there is none."""
        parts = self.bind(y_pred, names)
        if len(parts) == 1:
            return parts[0].measure(_only(y), flatten(y_pred)[0], _only(sample_weight))
        total = None
        for part, t, p, w in self._aligned(y, y_pred, sample_weight):
            loss = part.measure(t, p, w)
            if loss is not None:
                total = loss if total is None else total + loss
        return total

    def update(self, y: Any, y_pred: Any, sample_weight: Any) -> None:
        """Let the metrics see a batch."""
        for part, t, p, w in self._aligned(y, y_pred, sample_weight):
            if part.metrics or part.weighted:
                part.update(t, p.numpy(), w)

    def _aligned(self, y: Any, y_pred: Any, sample_weight: Any) -> list[tuple[Any, ...]]:
        parts = self.parts or []
        if len(parts) == 1:
            return [(parts[0], _only(y), flatten(y_pred)[0], _only(sample_weight))]
        names = [part.name for part in parts]
        if not isinstance(y, list | tuple | dict) or len(y) != len(names):
            raise ShapeError(
                f"the model has the outputs {names}, and needs as many targets, in a list or dict"
            )
        weights = (
            sample_weight if isinstance(sample_weight, list | tuple | dict) else [sample_weight] * len(parts)
        )
        predictions = y_pred if isinstance(y_pred, dict) else list(y_pred)
        columns = [
            spread(s, names, what) for s, what in ((y, "y"), (predictions, "y_pred"), (weights, "weights"))
        ]
        return list(zip(parts, *columns, strict=True))


class _Part:
    """What compile said about one output."""

    def __init__(self, name: str, loss: Any, share: float, metrics: Any, weighted: Any) -> None:
        self.name, self.loss, self.share = name, loss, share
        self.mean = Mean(f"{name}_loss")
        if loss is not None and loss.reduction in (None, "none"):
            raise ArgumentError(
                f"compile: {loss.name} has reduction={loss.reduction!r}, and fit needs one number to make "
                "small: 'sum_over_batch_size', the mean of its losses, or 'sum'"
            )
        self.metrics = [get_metric(m, loss) for m in metrics if m is not None]
        self.weighted = [get_metric(m, loss) for m in weighted if m is not None]
        taken = {metric.name for metric in self.metrics}
        for metric in self.weighted:
            if metric.name in taken:  # watched both ways
                metric.name = f"weighted_{metric.name}"
        _number([m for m in (*metrics, *weighted) if isinstance(m, Metric)])
        if name:
            for metric in (*self.metrics, *self.weighted):
                metric.name = f"{name}_{metric.name.removeprefix(f'{name}_')}"  # it may be compiled again

    def watched(self) -> list[Metric]:
        own = [self.mean] if self.name and self.loss is not None else []
        return [*own, *self.metrics, *self.weighted]

    def measure(self, y: Any, y_pred: Tensor, sample_weight: Any) -> Tensor | None:
        if self.loss is None:
            return None
        if y is None:
            raise DataError(f"{self.loss.name}: there are no targets y to compare the predictions with")
        loss: Tensor = self.loss(y, y_pred, sample_weight)
        if self.name:
            self.mean.add(loss.item(), len(y_pred))
        return loss if self.share == 1 else loss * self.share

    def update(self, y: Any, y_pred: Any, sample_weight: Any) -> None:
        """Show arrays to the metrics. Beside predictions (batch, 1), targets (batch,) become that too.

        In a metric that multiplies them, broadcasting would compare everything with everything.
        """
        y = y.numpy() if isinstance(y, Tensor) else np.asarray(y)
        if y_pred.shape == (*y.shape, 1) or y.shape == (*y_pred.shape, 1):
            y = y.reshape(y_pred.shape)
        for metric in self.metrics:
            metric.update_state(y, y_pred)
        for metric in self.weighted:
            metric.update_state(y, y_pred, sample_weight)


def _number(metrics: list[Metric]) -> None:
    """Give a second metric of a name the name with a 1, and so on, as Keras does: precision, precision_1."""
    taken: set[str] = set()
    for metric in metrics:
        name, number = metric.name, 0
        while metric.name in taken:
            number += 1
            metric.name = f"{name}_{number}"
        taken.add(metric.name)


def _only(value: Any) -> Any:
    """Return what a dict or list of one array holds: one output needs no name."""
    if is_structure(value) and len(value) == 1:
        return flatten(value)[0]
    return value


def listed(value: Any) -> list[Any]:
    if value is None:
        return []
    return list(value) if isinstance(value, list | tuple) else [value]


def spread(value: Any, names: list[str], what: str) -> list[Any]:
    """Return one entry for each output, from a list in their order, a dict by name, or None for none."""
    if value is None:
        return [None] * len(names)
    if isinstance(value, Mapping):
        for name in value:
            if name not in names:
                raise unknown_name(f"output in {what}", name, names)
        return [value.get(name) for name in names]
    if len(names) == 1:
        return [value]
    if not isinstance(value, list | tuple) or len(value) != len(names):
        raise ArgumentError(f"{what}: expected one for each of the outputs {names}, got {value!r}")
    return list(value)
