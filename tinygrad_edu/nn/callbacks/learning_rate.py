"""Callbacks that change the learning rate: by a schedule, or when nothing gets better any more."""

import inspect
from collections.abc import Callable
from typing import Any

from ...errors import ArgumentError
from .base import Callback, Logs
from .monitor import Monitor, rate_of

__all__ = ["LearningRateScheduler", "ReduceLROnPlateau"]


class LearningRateScheduler(Callback):
    """Set the learning rate at the start of each epoch.

    ``schedule(epoch, rate)``, or ``schedule(epoch)``, gets the epoch's number, from 0, and the rate as it
    stands, and returns the new one. It is logged as "learning_rate". Raises ArgumentError if it returns
    something else than a number of at least 0.

    >>> from tinygrad_edu import nn
    >>> model = nn.Sequential([nn.Dense(1)])
    >>> model.compile(nn.optimizers.SGD(0.1), "mse")
    >>> halve = nn.callbacks.LearningRateScheduler(lambda epoch, rate: rate / 2)
    >>> model.fit([[1.0]], [[2.0]], epochs=2, verbose=0, callbacks=[halve]).history["learning_rate"]
    [0.05, 0.025]
    """

    def __init__(self, schedule: Callable[..., float], verbose: int = 0) -> None:
        self.schedule, self.verbose = schedule, verbose
        try:
            self._takes_rate = len(inspect.signature(schedule).parameters) > 1
        except (TypeError, ValueError):
            self._takes_rate = False

    def on_epoch_begin(self, epoch: int, logs: Logs | None = None) -> None:
        before = rate_of(self.model)
        rate: Any = self.schedule(epoch, before) if self._takes_rate else self.schedule(epoch)
        try:
            rate = float(rate)
        except (TypeError, ValueError):
            raise ArgumentError(
                f"LearningRateScheduler: schedule({epoch}) gave {rate!r}, no number"
            ) from None
        if not 0 <= rate < float("inf"):
            raise ArgumentError(f"LearningRateScheduler: schedule({epoch}) gave the learning rate {rate}")
        self.model.optimizer.learning_rate = rate  # type: ignore[union-attr]
        if self.verbose:
            print(f"epoch {epoch + 1}: learning rate {rate:g}")

    def on_epoch_end(self, epoch: int, logs: Logs) -> None:
        logs["learning_rate"] = rate_of(self.model)


class ReduceLROnPlateau(Monitor):
    """Make the learning rate smaller when a metric hasn't become better for some epochs.

    Large steps get near a minimum soon, and then jump about it; smaller ones go further in.

    Parameters
    ----------
    monitor, mode, min_delta
        As for Monitor.
    factor
        What the rate is multiplied by.
    patience
        How many epochs without an improvement are waited for.
    verbose
        1 says when it changes.
    cooldown
        Epochs after a change in which nothing is counted.
    min_lr
        The least rate.

    The rate is logged as "learning_rate".

    >>> from tinygrad_edu import nn
    >>> model = nn.Sequential([nn.Dense(1)])
    >>> model.compile(nn.optimizers.SGD(0.1), "mse")
    >>> less = nn.callbacks.ReduceLROnPlateau("loss", factor=0.5, patience=1, min_delta=1e9)
    >>> model.fit([[1.0]], [[2.0]], epochs=3, verbose=0, callbacks=[less]).history["learning_rate"]
    [0.1, 0.1, 0.05]
    """

    def __init__(
        self,
        monitor: str | None = "val_loss",
        factor: float = 0.1,
        patience: int = 10,
        verbose: int = 0,
        mode: str = "auto",
        min_delta: float = 1e-4,
        cooldown: int = 0,
        min_lr: float = 0.0,
    ) -> None:
        super().__init__(monitor, mode, min_delta)
        if not 0 < factor < 1:
            raise ArgumentError(f"ReduceLROnPlateau: factor must lie between 0 and 1, got {factor!r}")
        self.factor, self.patience, self.verbose = factor, patience, verbose
        self.cooldown, self.min_lr = cooldown, min_lr
        self.on_train_begin()

    def on_train_begin(self, logs: Logs | None = None) -> None:
        self.best, self.wait, self.resting = float("nan"), 0, 0

    def on_epoch_end(self, epoch: int, logs: Logs) -> None:
        logs["learning_rate"] = rate_of(self.model)
        value = self.watched(logs)
        if self.resting:
            self.resting -= 1
            self.wait = 0
        if self.is_better(value, self.best):
            self.best, self.wait = value, 0
        elif not self.resting:
            self.wait += 1
            if self.wait >= self.patience and logs["learning_rate"] > self.min_lr:
                rate = max(logs["learning_rate"] * self.factor, self.min_lr)
                self.model.optimizer.learning_rate = rate  # type: ignore[union-attr]
                self.resting, self.wait = self.cooldown, 0
                if self.verbose:
                    print(f"epoch {epoch + 1}: learning rate reduced to {rate:g}")
