"""Callback: the hooks that ``fit`` calls."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ..training import Trainer

__all__ = ["Callback", "Logs"]

Logs = dict[str, float]


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

    def on_batch_begin(self, batch: int, logs: Logs | None = None) -> None: ...

    def on_batch_end(self, batch: int, logs: Logs | None = None) -> None: ...

    def on_train_batch_begin(self, batch: int, logs: Logs | None = None) -> None:
        self.on_batch_begin(batch, logs)  # the older name

    def on_train_batch_end(self, batch: int, logs: Logs) -> None:
        self.on_batch_end(batch, logs)

    # While measuring and predicting: evaluate(), the validation in fit(), predict().

    def on_test_begin(self, logs: Logs | None = None) -> None: ...

    def on_test_end(self, logs: Logs | None = None) -> None: ...

    def on_test_batch_begin(self, batch: int, logs: Logs | None = None) -> None: ...

    def on_test_batch_end(self, batch: int, logs: Logs | None = None) -> None: ...

    def on_predict_begin(self, logs: Logs | None = None) -> None: ...

    def on_predict_end(self, logs: Logs | None = None) -> None: ...

    def on_predict_batch_begin(self, batch: int, logs: Logs | None = None) -> None: ...

    def on_predict_batch_end(self, batch: int, logs: Logs | None = None) -> None: ...
