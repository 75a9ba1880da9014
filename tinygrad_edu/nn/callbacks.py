"""Callbacks: what ``fit`` calls at fixed points, so that things can be watched and decided from outside."""

import re
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..errors import ArgumentError, GradientError, unknown_name

if TYPE_CHECKING:
    from .training import Trainer

__all__ = ["BestWeights", "Callback", "History", "TerminateOnNaN", "larger_is_better"]

Logs = dict[str, float]

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


class Callback:
    """The base; a subclass overrides the hooks that it needs. ``logs`` holds losses and metrics so far.

    ``self.model`` is the model, ``self.params`` has "epochs", "steps" (batches an epoch), "samples",
    "batch_size" and "metrics" (their names). To end the run, set ``self.model.stop_training = True``.
    ``on_train_end`` is called also when the run is interrupted.

    >>> from tinygrad_edu import nn
    >>> class Beep(nn.callbacks.Callback):
    ...     def on_epoch_end(self, epoch, logs):
    ...         print("beep", epoch)
    """

    model: "Trainer"
    params: dict[str, Any]

    def set_model(self, model: "Trainer") -> None:
        self.model = model

    def set_params(self, params: dict[str, Any]) -> None:
        self.params = params

    def on_train_begin(self, logs: Logs | None = None) -> None: ...

    def on_train_end(self, logs: Logs | None = None) -> None: ...

    def on_epoch_begin(self, epoch: int, logs: Logs | None = None) -> None: ...

    def on_epoch_end(self, epoch: int, logs: Logs) -> None: ...

    def on_train_batch_begin(self, batch: int, logs: Logs | None = None) -> None: ...

    def on_train_batch_end(self, batch: int, logs: Logs) -> None: ...


class History(Callback):
    """What ``fit`` returns: ``history`` has a list, by epoch, of each loss and metric; ``epoch`` the numbers.

    >>> History().history
    {}
    """

    def __init__(self) -> None:
        self.history: dict[str, list[float]] = {}
        self.epoch: list[int] = []

    def set_model(self, model: "Trainer") -> None:
        pass  # the model holds its history; both ways round neither would be freed before the collector comes

    def on_epoch_end(self, epoch: int, logs: Logs) -> None:
        self.epoch.append(epoch)
        for name, value in logs.items():
            self.history.setdefault(name, []).append(value)


class BestWeights(Callback):
    """Remember the weights of the best epoch, and give them back to the model when the run ends.

    Parameters
    ----------
    monitor
        What decides: by default "val_loss", or "loss" if there is no validation.
    mode
        Whether the largest ("max") or the smallest ("min") is best; "auto" goes by the name.

    Raises ArgumentError for a name that doesn't tell, and after the first epoch for one that isn't watched.

    >>> BestWeights("val_accuracy").is_better(0.9, 0.8)
    True
    """

    def __init__(self, monitor: str | None = None, mode: str = "auto") -> None:
        if mode not in ("auto", "min", "max"):
            raise unknown_name("mode", mode, ("auto", "min", "max"))
        grows = larger_is_better(monitor or "loss")
        if mode == "auto" and grows is None:
            raise ArgumentError(
                f"BestWeights: the name {monitor!r} doesn't tell whether low or high is best; "
                'add mode="min" or mode="max"'
            )
        self.monitor, self.largest = monitor, grows if mode == "auto" else mode == "max"
        self.on_train_begin()

    def on_train_begin(self, logs: Logs | None = None) -> None:
        self.best_epoch: int | None = None
        self.best: float = float("nan")
        self.weights: dict[str, NDArray[Any]] | None = None

    def is_better(self, value: float, than: float) -> bool:
        """Tell whether a value is better than another; anything is better than nan, and nan than nothing."""
        if np.isnan(value) or np.isnan(than):
            return bool(np.isnan(than) and not np.isnan(value))
        return value > than if self.largest else value < than

    def on_epoch_end(self, epoch: int, logs: Logs) -> None:
        monitor = self.monitor or ("val_loss" if "val_loss" in logs else "loss")
        if monitor not in logs:
            raise unknown_name("metric to monitor", monitor, logs)
        if self.is_better(logs[monitor], self.best):
            self.best, self.best_epoch, self.weights = logs[monitor], epoch, self.model.state_dict()

    def on_train_end(self, logs: Logs | None = None) -> None:
        if self.weights is not None:
            self.model.load_state_dict(self.weights)


DIVERGED = (
    "the steps are too large. Try a learning rate ten times smaller, or scale the inputs to between 0 and 1"
)


class TerminateOnNaN(Callback):
    """Stop as soon as the loss is nan or infinite, and say so: it never recovers.

    Raises GradientError, which names the epoch and the batch.
    """

    def on_epoch_begin(self, epoch: int, logs: Logs | None = None) -> None:
        self.epoch = epoch

    def on_train_batch_end(self, batch: int, logs: Logs) -> None:
        if not np.isfinite(logs["loss"]):
            raise GradientError(
                f"the loss became {logs['loss']} in epoch {self.epoch + 1}, batch {batch + 1}: {DIVERGED}"
            )
