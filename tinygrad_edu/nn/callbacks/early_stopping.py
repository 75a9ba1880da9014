"""EarlyStopping: no more epochs when nothing gets better."""

from typing import Any

from numpy.typing import NDArray

from ...errors import ArgumentError
from .base import Logs
from .monitor import Monitor

__all__ = ["EarlyStopping"]


class EarlyStopping(Monitor):
    """Stop when a metric hasn't become better for some epochs.

    Validation loss falls as long as the model learns what holds in general, and rises when it starts to learn
    the training data by heart; so the epoch to stop at is found instead of guessed (Prechelt 1998).

    Parameters
    ----------
    monitor, min_delta, mode
        As for Monitor.
    patience
        How many epochs without an improvement are waited for; 0 stops at the first.
    verbose
        1 says so when it stops.
    baseline
        What has to be passed at all.
    restore_best_weights
        Give the weights of the best epoch back to the model in the end.
    start_from_epoch
        Epochs to let pass before watching.

    ``stopped_epoch`` and ``best_epoch`` count from 0; the former is None where it didn't stop.

    >>> from tinygrad_edu import nn
    >>> model = nn.Sequential([nn.Dense(1)])
    >>> model.compile("sgd", "mse")
    >>> x = [[0.0], [1.0]]
    >>> stop = nn.callbacks.EarlyStopping("loss", min_delta=1e9, patience=2)
    >>> len(model.fit(x, x, epochs=10, verbose=0, callbacks=[stop]).epoch)
    3
    """

    def __init__(
        self,
        monitor: str | None = "val_loss",
        min_delta: float = 0.0,
        patience: int = 0,
        verbose: int = 0,
        mode: str = "auto",
        baseline: float | None = None,
        restore_best_weights: bool = False,
        start_from_epoch: int = 0,
    ) -> None:
        super().__init__(monitor, mode, min_delta)
        if isinstance(patience, bool) or not isinstance(patience, int) or patience < 0:
            raise ArgumentError(
                f"EarlyStopping: patience must be a whole number of at least 0, got {patience!r}"
            )
        self.patience, self.verbose, self.baseline = patience, verbose, baseline
        self.restore_best_weights, self.start_from_epoch = restore_best_weights, start_from_epoch
        self.on_train_begin()

    def on_train_begin(self, logs: Logs | None = None) -> None:
        self.wait = 0
        self.best = float("nan")
        self.best_epoch: int | None = None
        self.stopped_epoch: int | None = None
        self.best_weights: dict[str, NDArray[Any]] | None = None

    def on_epoch_end(self, epoch: int, logs: Logs) -> None:
        value = self.watched(logs)
        if epoch < self.start_from_epoch:
            return
        self.wait += 1
        if self.is_better(value, self.best):
            self.best, self.best_epoch = value, epoch
            if self.restore_best_weights:
                self.best_weights = self.model.state_dict()
            if self.baseline is None or self.is_better(value, self.baseline):
                self.wait = 0
        if self.wait >= max(self.patience, 1):
            self.stopped_epoch = epoch
            self.model.stop_training = True

    def on_train_end(self, logs: Logs | None = None) -> None:
        if self.stopped_epoch is not None and self.verbose:
            best = (
                "none was good enough"
                if self.best_epoch is None
                else f"the best was epoch {self.best_epoch + 1}"
            )
            print(f"epoch {self.stopped_epoch + 1}: stopped early; {best}")
        if self.best_weights is not None:
            self.model.load_state_dict(self.best_weights)
