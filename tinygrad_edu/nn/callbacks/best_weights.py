"""BestWeights: the best epoch's weights stay, whatever came after."""

from typing import Any

from numpy.typing import NDArray

from .base import Logs
from .monitor import Monitor

__all__ = ["BestWeights"]


class BestWeights(Monitor):
    """Remember the weights of the best epoch, and give them back to the model when the run ends.

    The run itself goes to its end; ``EarlyStopping(restore_best_weights=True)`` would stop it.

    Parameters
    ----------
    monitor, mode
        As for Monitor: by default the validation loss, or the loss if there is no validation.

    >>> from tinygrad_edu import nn
    >>> best = nn.callbacks.BestWeights("val_accuracy")
    >>> best.largest
    True
    """

    def __init__(self, monitor: str | None = None, mode: str = "auto") -> None:
        super().__init__(monitor, mode)
        self.on_train_begin()

    def on_train_begin(self, logs: Logs | None = None) -> None:
        self.best_epoch: int | None = None
        self.best: float = float("nan")
        self.weights: dict[str, NDArray[Any]] | None = None

    def on_epoch_end(self, epoch: int, logs: Logs) -> None:
        value = self.watched(logs)
        if self.is_better(value, self.best):
            self.best, self.best_epoch, self.weights = value, epoch, self.model.state_dict()

    def on_train_end(self, logs: Logs | None = None) -> None:
        if self.weights is not None:
            self.model.load_state_dict(self.weights)
