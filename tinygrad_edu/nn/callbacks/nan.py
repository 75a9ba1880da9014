"""TerminateOnNaN: no more steps when the loss is lost."""

import warnings

import numpy as np

from .base import Callback, Logs

__all__ = ["DIVERGED", "TerminateOnNaN"]

DIVERGED = (
    "the steps are too large. Try a learning rate ten times smaller, or scale the inputs to between 0 and 1"
)


class TerminateOnNaN(Callback):
    """Stop as soon as the loss is nan or infinite, and warn with the epoch and the batch: it never recovers.

    ``message`` says so too, and is None where all went well.

    >>> from tinygrad_edu import nn
    >>> watch = nn.callbacks.TerminateOnNaN()
    >>> watch.message is None
    True
    """

    message: str | None = None  # why it stopped

    def on_train_begin(self, logs: Logs | None = None) -> None:
        self.message = None

    def on_epoch_begin(self, epoch: int, logs: Logs | None = None) -> None:
        self.epoch = epoch

    def on_train_batch_end(self, batch: int, logs: Logs) -> None:
        if not np.isfinite(logs.get("loss", 0.0)):
            self.model.stop_training = True
            self.message = (
                f"the loss became {logs['loss']} in epoch {self.epoch + 1}, batch {batch + 1}: {DIVERGED}"
            )
            warnings.warn(f"stopped: {self.message}", stacklevel=5)
