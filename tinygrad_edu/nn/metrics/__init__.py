"""Metrics: numbers to watch. Each keeps a running result over the batches of an epoch."""

from typing import Any

from .. import losses
from ..named import snake_case
from . import accuracies, auc, confusion, f_score, from_losses, iou, reduction, regression
from .accuracies import *
from .accuracies import _Accuracy
from .auc import *
from .base import Metric
from .confusion import *
from .f_score import *
from .from_losses import *
from .iou import *
from .reduction import *
from .reduction import MeanMetricWrapper
from .regression import *

__all__ = [
    "Metric",
    "get",
    *accuracies.__all__,
    *auc.__all__,
    *confusion.__all__,
    *f_score.__all__,
    *from_losses.__all__,
    *iou.__all__,
    *reduction.__all__,
    *regression.__all__,
]


def get(identifier: Any, loss: Any = None) -> Metric:
    """Return the metric for a name ("accuracy", "mae", any loss), a function (y_true, y_pred), or itself.

    ``loss``, what the model is trained with, decides what "accuracy" means.

    >>> get("mae").name, get("AUC").name
    ('mae', 'AUC')
    """
    if isinstance(identifier, Metric):
        identifier.check_made()
        return identifier
    if callable(identifier) and not isinstance(identifier, type):
        return MeanMetricWrapper(identifier, getattr(identifier, "name", None))
    if not isinstance(identifier, str):
        return Metric.find(identifier)  # type: ignore[no-any-return]
    if identifier in ("accuracy", "acc"):
        return _Accuracy(identifier, loss)
    name = snake_case(identifier)
    watched = {*map(snake_case, Metric.classes), *Metric.aliases}
    if name not in watched and name in {*map(snake_case, losses.Loss.classes), *losses.Loss.aliases}:
        metric: Metric = MeanMetricWrapper(losses.get(name).call)
    else:
        metric = Metric.find(identifier)
    metric.name = identifier
    return metric
