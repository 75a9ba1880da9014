"""Monitor: what several callbacks share, which watch one number and ask whether it is getting better."""

import re
from typing import Any

import numpy as np

from ...errors import ArgumentError, unknown_name
from .base import Callback, Logs

__all__ = ["Monitor", "larger_is_better"]

_SHRINKS = re.compile("_(loss|error|mse|mae|rmse|mape|msle|nll|hinge|crossentropy|kl|divergence)")
_GROWS = re.compile("_(acc|auc|precision|recall|f1|iou|io_u|dice|r2|psnr|ssim|cosine_similarity)")


def larger_is_better(name: str) -> bool | None:
    """Tell by its name whether a metric should grow (True) or shrink (False); None where that isn't known.

    >>> larger_is_better("val_accuracy"), larger_is_better("loss"), larger_is_better("learning_rate")
    (True, False, None)
    """
    name = f"_{name.lower()}"
    if _SHRINKS.search(name):  # asked first: "precision_loss" is a loss
        return False
    return True if _GROWS.search(name) else None


class Monitor(Callback):
    """The base of callbacks that watch one loss or metric.

    Parameters
    ----------
    monitor
        Its name; None is "val_loss", or "loss" if there is no validation.
    mode
        Whether the largest ("max") or the smallest ("min") is best; "auto" goes by the name.
    min_delta
        A change has to be larger than this to count.

    Raises ArgumentError for a name that doesn't tell, and after the first epoch for one that isn't watched.

    >>> from tinygrad_edu import nn
    >>> nn.callbacks.BestWeights("val_accuracy").is_better(0.9, 0.8)
    True
    """

    def __init__(self, monitor: str | None = "val_loss", mode: str = "auto", min_delta: float = 0.0) -> None:
        if mode not in ("auto", "min", "max"):
            raise unknown_name("mode", mode, ("auto", "min", "max"))
        grows = larger_is_better(monitor or "loss")
        if mode == "auto" and grows is None:
            raise ArgumentError(
                f"{type(self).__name__}: the name {monitor!r} doesn't tell whether low or high is best; "
                'add mode="min" or mode="max"'
            )
        self.monitor, self.largest = monitor, bool(grows) if mode == "auto" else mode == "max"
        self.min_delta = abs(float(min_delta))

    def watched(self, logs: Logs) -> float:
        """Return the number that is watched."""
        monitor = self.monitor or ("val_loss" if "val_loss" in logs else "loss")
        if monitor not in logs:
            raise unknown_name("metric to monitor", monitor, logs)
        if np.ndim(logs[monitor]):
            raise ArgumentError(
                f"{monitor} has a number for each class, and to watch it takes one: average='macro', say"
            )
        return logs[monitor]

    def is_better(self, value: float, than: float) -> bool:
        """Tell whether a value is better than another; anything is better than nan, and nan than nothing."""
        if np.isnan(value) or np.isnan(than):
            return bool(np.isnan(than) and not np.isnan(value))
        return value - self.min_delta > than if self.largest else value + self.min_delta < than


def rate_of(model: Any) -> float:
    """Return the learning rate of a model's optimizer at this step."""
    return float(model.optimizer.rate)
