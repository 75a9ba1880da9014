"""TensorBoard: what is watched, in the files that TensorBoard shows."""

import os
from pathlib import Path
from typing import Any

from ...errors import ArgumentError
from .base import Callback, Logs

__all__ = ["TensorBoard"]


class TensorBoard(Callback):
    """Write losses, metrics and, if wanted, histograms of the weights for TensorBoard.

    Training goes to "train", validation to "validation" in the folder, by the same names, so that both curves
    lie in one chart. See them with ``tensorboard --logdir logs``. It needs the tensorboardX package:
    ``pip install 'tinygrad_edu[tensorboard]'``.

    Parameters
    ----------
    log_dir
        The folder.
    histogram_freq
        After every so many epochs the weights' histograms are written; 0 is never.
    update_freq
        "epoch", "batch", or a number of batches after which the training's values are written too.

    Raises ArgumentError without tensorboardX.

    >>> from tinygrad_edu import nn
    >>> watch = nn.callbacks.TensorBoard("logs", histogram_freq=1)
    """

    def __init__(
        self, log_dir: Any = "logs", histogram_freq: int = 0, update_freq: str | int = "epoch"
    ) -> None:
        self.log_dir, self.histogram_freq = os.fspath(log_dir), histogram_freq
        if update_freq not in ("epoch", "batch") and (isinstance(update_freq, str) or update_freq < 1):
            raise ArgumentError(
                f"TensorBoard: update_freq is 'epoch', 'batch' or a number of batches, got {update_freq!r}"
            )
        self.every = update_freq if isinstance(update_freq, int) else int(update_freq == "batch")
        self._writers: dict[str, Any] = {}
        self._batches = 0

    def _write(self, part: str, name: str, value: float, step: int) -> None:
        self._writer(part).add_scalar(name, value, step)

    def _writer(self, part: str) -> Any:
        if part not in self._writers:
            try:
                from tensorboardX import SummaryWriter
            except ImportError:
                raise ArgumentError(
                    "TensorBoard: needs tensorboardX; pip install 'tinygrad_edu[tensorboard]'"
                ) from None
            self._writers[part] = SummaryWriter(str(Path(self.log_dir) / part))
        return self._writers[part]

    def on_train_begin(self, logs: Logs | None = None) -> None:
        self._writer("train")  # what is missing shows before the first epoch

    def on_train_batch_end(self, batch: int, logs: Logs) -> None:
        self._batches += 1
        if self.every and self._batches % self.every == 0:
            for name, value in logs.items():
                self._write("train", f"batch_{name}", value, self._batches)

    def on_epoch_end(self, epoch: int, logs: Logs) -> None:
        for name, value in logs.items():
            part = "validation" if name.startswith("val_") else "train"
            self._write(part, f"epoch_{name.removeprefix('val_')}", value, epoch)
        if self.histogram_freq and (epoch + 1) % self.histogram_freq == 0:
            for path, weight in self.model.named_weights():
                self._writer("train").add_histogram(path, weight.numpy(), epoch)
        for writer in self._writers.values():
            writer.flush()

    def on_train_end(self, logs: Logs | None = None) -> None:
        for writer in self._writers.values():
            writer.close()
        self._writers = {}
