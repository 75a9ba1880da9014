"""The loop that ``fit`` runs: epochs, batches, validation, and telling the callbacks.

In short it is this, and the rest sees to it that nothing gets lost on the way::

    for epoch in range(initial_epoch, epochs):
        for batch in data:
            logs = model.train_step(batch)  # predict, measure, differentiate, step
        logs |= measure(model, validation)  # the same without learning
        for callback in callbacks:
            callback.on_epoch_end(epoch, logs)
"""

import warnings
from collections.abc import Sequence
from contextlib import ExitStack
from copy import deepcopy
from typing import TYPE_CHECKING, Any

import numpy as np

from ..context import no_grad
from ..errors import DataError
from ..tensor import Tensor
from .callbacks import DIVERGED, Callback, History
from .preparation import Data

if TYPE_CHECKING:
    from .training import Trainer

__all__ = ["learn", "measure", "numbers", "tell"]

Logs = dict[str, Any]  # floats, and arrays of a metric that has a number for each class


def learn(
    model: "Trainer",
    data: Data,
    validation: Data | None,
    epochs: range,
    callbacks: Sequence[Callback],
    validation_freq: Any = 1,
) -> History:
    """Train a model for some epochs, and return what became of them."""
    history = model.history = History()
    watchers = [*callbacks, history]
    params = {
        "epochs": epochs.stop,
        "steps": data.steps,
        "samples": data.samples,
        "batch_size": data.batch_size,
        "metrics": list(dict.fromkeys(["loss", *(m.name for m in model.metrics)])),
    }
    for watcher in watchers:
        watcher.set_model(model)
        watcher.set_params(params)
    model.stop_training = False
    begun: list[Callback] = []
    logs: Logs = {}
    try:
        for watcher in watchers:
            begun.append(watcher)
            watcher.on_train_begin(logs)
        for epoch in epochs:
            tell(watchers, "on_epoch_begin", epoch, {})
            logs = _learn_once(model, data, watchers)
            _warn_of_divergence(model, history, logs)
            if validation is not None and _due(validation_freq, epoch):
                logs |= {f"val_{name}": v for name, v in measure(model, validation, watchers).items()}
            tell(watchers, "on_epoch_end", epoch, logs)
            if model.stop_training:
                break
    finally:
        with ExitStack() as ends:  # each is told, even if another's end raises; the stack runs backward
            for watcher in reversed(begun):
                ends.callback(watcher.on_train_end, logs)
    return history


def _learn_once(model: "Trainer", data: Data, watchers: Sequence[Callback]) -> Logs:
    """Learn from every batch once; return the means of the loss and the metrics on the way."""
    logs: Logs = {}
    for metric in model.metrics:
        metric.reset_state()
    with model.mode(training=True):
        for i, batch in enumerate(data):
            tell(watchers, "on_train_batch_begin", i, logs)
            logs = numbers(model.train_step(batch))
            tell(watchers, "on_train_batch_end", i, logs)
            if model.stop_training:
                break
    return logs


def measure(model: "Trainer", data: Data, watchers: Sequence[Callback] = ()) -> Logs:
    """Measure on every batch, without learning; metrics that are in the middle of an epoch stay there."""
    logs: Logs = {}
    before = [(metric, deepcopy(vars(metric))) for metric in model.metrics]
    try:
        for metric in model.metrics:
            metric.reset_state()
        tell(watchers, "on_test_begin", logs)
        with model.mode(training=False), no_grad():
            for i, batch in enumerate(data):
                tell(watchers, "on_test_batch_begin", i, logs)
                logs = numbers(model.test_step(batch))
                tell(watchers, "on_test_batch_end", i, logs)
        tell(watchers, "on_test_end", logs)
    finally:
        for metric, state in before:
            vars(metric).clear()
            vars(metric).update(state)
    return logs


def tell(watchers: Sequence[Callback], hook: str, *arguments: Any) -> None:
    """Call a hook of every watcher; a Ctrl-C in between waits, so that all have seen the same epochs."""
    interrupted = None
    for watcher in watchers:
        try:
            getattr(watcher, hook)(*arguments)
        except KeyboardInterrupt as error:
            interrupted = error
    if interrupted is not None:
        raise interrupted


def numbers(logs: Any) -> Logs:
    """Return what a step reports as floats, and arrays of several; raises DataError if it isn't a dict."""
    if not isinstance(logs, dict):
        raise DataError(
            "train_step and test_step return what to report as a dict, {'loss': ...}, got "
            f"{type(logs).__name__}"
        )
    arrays = {name: v.numpy() if isinstance(v, Tensor) else np.asarray(v) for name, v in logs.items()}
    return {name: float(a.item()) if a.size == 1 else a for name, a in arrays.items()}


def _warn_of_divergence(model: "Trainer", history: History, logs: Logs) -> None:
    was_finite = np.isfinite(history.history.get("loss", [0.0])[-1])
    if was_finite and not np.isfinite(logs.get("loss", 0.0)) and not model.stop_training:
        warnings.warn(f"the loss became {logs['loss']}: {DIVERGED}", stacklevel=4)


def _due(frequency: Any, epoch: int) -> bool:
    if isinstance(frequency, list | tuple | set):
        return (epoch + 1) in frequency
    return bool((epoch + 1) % frequency == 0)
