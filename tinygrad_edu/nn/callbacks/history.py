"""History: what ``fit`` returns."""

from typing import TYPE_CHECKING

from .base import Callback, Logs

if TYPE_CHECKING:
    from ..training import Trainer

__all__ = ["History"]


class History(Callback):
    """What ``fit`` returns: ``history`` has a list, by epoch, of each loss and metric; ``epoch`` the numbers.

    >>> History().history
    {}
    """

    def __init__(self) -> None:
        self.history: dict[str, list[float]] = {}
        self.epoch: list[int] = []

    def _repr_html_(self) -> str:
        from ...viz.notebook import history_html

        return history_html(self.history, self.epoch)

    def set_model(self, model: "Trainer") -> None:
        pass  # the model holds its history; both ways round neither would be freed before the collector comes

    def on_epoch_end(self, epoch: int, logs: Logs) -> None:
        self.epoch.append(epoch)
        for name, value in logs.items():
            self.history.setdefault(name, []).append(value)
