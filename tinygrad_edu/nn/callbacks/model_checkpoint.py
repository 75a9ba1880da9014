"""ModelCheckpoint: the model on disk, every epoch or when it is the best so far."""

import os
from typing import Any

from ...errors import ArgumentError
from .base import Logs
from .monitor import Monitor

__all__ = ["ModelCheckpoint"]


class ModelCheckpoint(Monitor):
    """Save the model, or its weights, as it trains.

    Parameters
    ----------
    filepath
        Where to; it may have fields for the epoch, from 1, and for what is watched:
        "runs/{epoch:02d}-{val_loss:.2f}.safetensors".
    monitor, mode
        As for Monitor.
    verbose
        1 says when it saves.
    save_best_only
        Only when the metric has become better.
    save_weights_only
        The weights alone, without architecture and optimizer.
    save_freq
        "epoch", or a number of batches.
    initial_value_threshold
        What has to be passed at first, to go on from an earlier run.

    Raises ArgumentError for a field in the path that isn't watched.

    >>> import os, tempfile
    >>> from tinygrad_edu import nn
    >>> model = nn.Sequential([nn.Dense(1)])
    >>> model.compile("sgd", "mse")
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     keep = nn.callbacks.ModelCheckpoint(f"{folder}/{{epoch}}.safetensors", save_weights_only=True)
    ...     _ = model.fit([[1.0]], [[2.0]], epochs=2, verbose=0, callbacks=[keep])
    ...     sorted(os.listdir(folder))
    ['1.safetensors', '2.safetensors']
    """

    def __init__(
        self,
        filepath: Any,
        monitor: str | None = "val_loss",
        verbose: int = 0,
        save_best_only: bool = False,
        save_weights_only: bool = False,
        mode: str = "auto",
        save_freq: str | int = "epoch",
        initial_value_threshold: float | None = None,
    ) -> None:
        super().__init__(monitor, mode)
        if save_freq != "epoch" and (isinstance(save_freq, str) or save_freq < 1):
            raise ArgumentError(
                f"ModelCheckpoint: save_freq is 'epoch' or a number of batches, got {save_freq!r}"
            )
        self.filepath, self.verbose = os.fspath(filepath), verbose
        self.save_best_only, self.save_weights_only = save_best_only, save_weights_only
        self.save_freq = save_freq
        self.best = float("nan") if initial_value_threshold is None else float(initial_value_threshold)
        self._epoch, self._batches = 0, 0

    def on_epoch_begin(self, epoch: int, logs: Logs | None = None) -> None:
        self._epoch = epoch

    def on_train_batch_end(self, batch: int, logs: Logs) -> None:
        self._batches += 1
        if not isinstance(self.save_freq, str) and self._batches % self.save_freq == 0:
            self._save(self._epoch, logs, batch=batch + 1)

    def on_epoch_end(self, epoch: int, logs: Logs) -> None:
        if self.save_freq == "epoch":
            self._save(epoch, logs)

    def _save(self, epoch: int, logs: Logs, **fields: int) -> None:
        if self.save_best_only:
            value = self.watched(logs)
            if not self.is_better(value, self.best):
                return
            self.best = value
        try:
            path = self.filepath.format(epoch=epoch + 1, **fields, **logs)
        except (KeyError, IndexError, ValueError) as error:
            raise ArgumentError(
                f"ModelCheckpoint: {self.filepath!r} has a field that can't be filled ({error}); there are "
                f"{', '.join(['epoch', *logs])}"
            ) from None
        if self.save_weights_only:
            self.model.save_weights(path)  # type: ignore[attr-defined]
        else:
            self.model.save(path)  # type: ignore[attr-defined]
        if self.verbose:
            print(f"epoch {epoch + 1}: saved {path}")
