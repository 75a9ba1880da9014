"""Model: a module that trains itself: compile, fit, evaluate, predict.

``fit`` is the loop that one writes by hand (see ``train_step``), with batches, validation and callbacks
around it. Nothing else happens in there.
"""

import warnings
from collections.abc import Iterable, Sequence, Sized
from contextlib import ExitStack
from copy import deepcopy
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..context import no_grad
from ..errors import ArgumentError, DataError, ShapeError
from ..tensor import Tensor
from . import losses, optimizers
from .callbacks import DIVERGED, Callback, History
from .metrics import Mean, Metric
from .metrics import get as get_metric
from .module import Module, positive
from .preparation import array_of, batches_of, check_data, check_finite, split, triple, weights_of, what_is

__all__ = ["Model"]


class Model(Module):
    """A module with Keras' ``compile``, ``fit``, ``evaluate``, ``predict``, ``summary`` and ``save``.

    Examples
    --------
    >>> import numpy as np, tinygrad_edu as te
    >>> from tinygrad_edu import nn
    >>> te.seed(1)
    >>> x = np.array([[0, 0], [0, 1], [1, 0], [1, 1]] * 50)
    >>> y = x[:, 0] ^ x[:, 1]
    >>> model = nn.Sequential([nn.Dense(8, activation="tanh"), nn.Dense(2, activation="softmax")])
    >>> model.compile(nn.optimizers.Adam(0.05), "sparse_categorical_crossentropy", ["accuracy"])
    >>> history = model.fit(x, y, epochs=30, verbose=0)
    >>> model.evaluate(x, y, verbose=0, return_dict=True)["accuracy"]
    1.0
    """

    optimizer: optimizers.Optimizer | None = None
    loss: losses.Loss | None = None
    metrics: Sequence[Metric] = ()
    history: History | None = None
    stop_training: bool = False

    def compile(self, optimizer: Any, loss: Any, metrics: Any = ()) -> None:
        """Choose how to train.

        Parameters
        ----------
        optimizer
            A name ("sgd", "adam") or an optimizer.
        loss
            A name ("mse", "sparse_categorical_crossentropy" …), a Loss, or a function (y_true, y_pred).
        metrics
            Names ("accuracy", any loss) or Metric objects to watch, or functions (y_true, y_pred).
        """
        self.optimizer = optimizers.get(optimizer)
        self.loss = losses.get(loss)
        wanted = [] if metrics is None else metrics if isinstance(metrics, list | tuple) else [metrics]
        self.metrics = [get_metric(m, self.loss) for m in wanted]
        names = ["loss", *(m.name for m in self.metrics)]
        if len(set(names)) < len(names):
            raise ArgumentError(f"compile: each metric needs a name of its own, and none 'loss': {names}")

    # -- one step --------------------------------------------------------------------------------------

    def train_step(self, x: Any, y: Any, sample_weight: Any = None) -> tuple[float, Tensor]:
        """Learn from one batch: predict, measure, differentiate, step. Return the loss and predictions."""
        self._check_compiled("train_step")
        assert self.optimizer is not None
        assert self.loss is not None
        y_pred = self(x)
        loss = self.loss(y, y_pred, sample_weight)
        if not self.optimizer.params:
            self.optimizer.bind(self.parameters())
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        return loss.item(), y_pred

    def test_step(self, x: Any, y: Any, sample_weight: Any = None) -> tuple[float, Tensor]:
        """Measure on one batch, without learning. Return the loss and predictions."""
        assert self.loss is not None
        y_pred = self(x)
        return self.loss(y, y_pred, sample_weight).item(), y_pred

    # -- the loop --------------------------------------------------------------------------------------

    def fit(
        self,
        x: Any,
        y: Any = None,
        batch_size: int = 32,
        epochs: int = 1,
        verbose: int = 1,
        callbacks: Sequence[Callback] = (),
        validation_split: float = 0.0,
        validation_data: tuple[Any, ...] | None = None,
        shuffle: bool = True,
        class_weight: dict[int, float] | None = None,
        sample_weight: Any = None,
        initial_epoch: int = 0,
    ) -> History:
        """Train for some epochs.

        Parameters
        ----------
        x, y
            Inputs (samples, …) and targets (samples, …), arrays or memory maps. Or x alone: something that
            can be iterated over once an epoch and gives (x, y) or (x, y, sample_weight) batches.
        batch_size
            Samples a step.
        epochs, initial_epoch
            The run goes from ``initial_epoch`` to ``epochs``.
        verbose
            0 nothing, 1 a live console, 2 one line an epoch.
        callbacks
            More to call at each epoch and batch.
        validation_split
            The share of the samples, taken from the end, to measure on after each epoch.
        validation_data
            (x, y) or (x, y, sample_weight) to measure on instead.
        shuffle
            Take the samples in another order each epoch.
        class_weight
            The weight of each class's samples in the loss: ``{0: 1.0, 1: 2.5}``.
        sample_weight
            The weight of each sample in the loss.

        Returns
        -------
        History, whose ``.history`` has a list of each loss and metric by epoch.

        Raises
        ------
        ArgumentError, DataError, ShapeError
            Before anything is learned, if the model isn't compiled, the data has nan or infinite values or
            doesn't fit together.
        KeyboardInterrupt
            After Ctrl-C, when the callbacks have finished; ``model.history`` has what there is.
        """
        self._check_compiled("fit")
        positive(batch_size, "fit: batch_size")
        if positive(epochs, "fit: epochs") < initial_epoch:
            raise ArgumentError(
                f"fit: epochs={epochs} is where the run ends, before initial_epoch={initial_epoch}"
            )
        callbacks = [callbacks] if isinstance(callbacks, Callback) else list(callbacks)
        if y is not None:
            x, y, sample_weight, validation_data = split(
                x, y, sample_weight, validation_split, validation_data
            )
            sample_weight = weights_of(y, sample_weight, class_weight)
        elif class_weight or sample_weight is not None or validation_split:
            raise ArgumentError(
                "fit: class_weight, sample_weight and validation_split need x and y as arrays"
            )
        batches = batches_of(x, y, sample_weight, batch_size, shuffle)
        if isinstance(validation_data, tuple | list):
            validation_data = triple(validation_data)
            check_data(array_of(validation_data[0]), array_of(validation_data[1]), "validation_data")
        assert self.optimizer is not None
        if self.optimizer.params:  # layers may have come or been frozen since, or it trained another model
            if all(module.built for module in self.modules()):
                self.optimizer.bind(self.parameters())
            else:
                self.optimizer.release()
        self.history = History()
        watchers = [*callbacks, self.history, *_console(verbose)]
        source = x if y is None else batches
        steps = len(source) if isinstance(source, Sized) else None
        names = ["loss", *(m.name for m in self.metrics)]
        samples = None if y is None else len(x)
        for watcher in watchers:
            watcher.set_model(self)
            watcher.set_params(
                {
                    "epochs": epochs,
                    "steps": steps,
                    "samples": samples,
                    "batch_size": batch_size,
                    "metrics": names,
                }
            )
        self.stop_training = False
        begun: list[Callback] = []
        logs: dict[str, float] = {}
        try:
            for watcher in watchers:
                begun.append(watcher)
                watcher.on_train_begin(logs)
            for epoch in range(initial_epoch, epochs):
                _call(watchers, "on_epoch_begin", epoch, {})
                logs = self._epoch(batches, watchers)
                if not np.isfinite(logs["loss"]) and np.isfinite(self.history.history.get("loss", [0.0])[-1]):
                    warnings.warn(f"the loss became {logs['loss']}: {DIVERGED}", stacklevel=2)
                if validation_data is not None:
                    held = isinstance(validation_data, tuple)
                    measured = self._measure(
                        batches_of(*validation_data, batch_size, False)
                        if held
                        else batches_of(validation_data, None, None, batch_size, False)
                    )
                    logs |= {f"val_{name}": value for name, value in measured.items()}
                _call(watchers, "on_epoch_end", epoch, logs)
                if self.stop_training:
                    break
        finally:
            with ExitStack() as ends:  # each is told, even if another's end raises; the stack runs backward
                for watcher in reversed(begun):
                    ends.callback(watcher.on_train_end, logs)
        return self.history

    def _epoch(self, batches: Iterable[Any], watchers: Sequence[Callback]) -> dict[str, float]:
        """Learn from every batch once; return the means of the loss and the metrics on the way."""
        mean = Mean("loss")
        for metric in self.metrics:
            metric.reset_state()
        logs: dict[str, float] = {}
        with self.mode(training=True):
            for i, batch in enumerate(batches):
                x, y, weight = triple(batch)
                _call(watchers, "on_train_batch_begin", i, logs)
                loss, y_pred = self.train_step(x, y, weight)
                mean.add(loss, len(y))
                logs = self._logs(mean, self.metrics, y, y_pred, weight)
                _call(watchers, "on_train_batch_end", i, logs)
                if self.stop_training:
                    break
        if not logs:
            raise DataError(
                "fit: there is not a single batch to learn from. (A generator gives its batches only once; "
                "for several epochs pass a list or a DataLoader)"
            )
        return logs

    def _measure(self, batches: Iterable[Any]) -> dict[str, float]:
        mean = Mean("loss")
        own = deepcopy(self.metrics)  # a callback may measure in the middle of an epoch
        for metric in own:
            metric.reset_state()
        logs: dict[str, float] = {}
        with self.mode(training=False), no_grad():
            for batch in batches:
                x, y, weight = triple(batch)
                loss, y_pred = self.test_step(x, y, weight)
                mean.add(loss, len(y))
                logs = self._logs(mean, own, y, y_pred, weight)
        if not logs:
            raise DataError("evaluate: there is not a single batch to measure on")
        return logs

    def _logs(
        self, mean: Mean, watched: Sequence[Metric], y: Any, y_pred: Tensor, weight: Any
    ) -> dict[str, float]:
        logs = {"loss": mean.result()}
        for metric in watched:
            metric.update_state(y, y_pred.numpy(), weight)
            logs[metric.name] = metric.result()
        return logs

    # -- afterwards ------------------------------------------------------------------------------------

    def evaluate(
        self,
        x: Any,
        y: Any = None,
        batch_size: int = 32,
        verbose: int = 1,
        sample_weight: Any = None,
        return_dict: bool = False,
    ) -> Any:
        """Measure the loss and the metrics on data, without learning from it.

        Returns them in that order, as a list (the loss alone if there is no metric), or by name with
        ``return_dict``.

        >>> from tinygrad_edu import nn
        >>> model = nn.Sequential([nn.Dense(1, kernel_initializer="zeros")])
        >>> model.compile("sgd", "mse", ["mae"])
        >>> model.evaluate([[1.0], [2.0]], [[3.0], [3.0]], verbose=0)
        [9.0, 3.0]
        """
        self._check_compiled("evaluate")
        if y is not None:
            x, y = array_of(x), array_of(y)
            check_data(x, y, "evaluate")
        elif sample_weight is not None:
            raise ArgumentError("evaluate: sample_weight needs x and y as arrays; put it into the batches")
        logs = self._measure(batches_of(x, y, sample_weight, batch_size, False))
        if verbose:
            print("  ".join(f"{name} {value:.4f}" for name, value in logs.items()))
        if return_dict:
            return logs
        return list(logs.values()) if len(logs) > 1 else logs["loss"]

    def predict(self, x: Any, batch_size: int = 32, verbose: int = 0) -> NDArray[Any]:
        """Return the model's output for every sample, an array (samples, …)."""
        results = []
        with self.mode(training=False), no_grad():
            x = array_of(x)
            positive(batch_size, "predict: batch_size")
            if x.ndim == 0 or len(x) == 0:
                raise DataError(f"predict: expected samples (samples, …), got {what_is(x)}")
            check_finite(x, "predict: x")
            for start in range(0, len(x), batch_size):
                results.append(self(x[start : start + batch_size]).numpy())
        return np.concatenate(results)

    def summary(self, print_fn: Any = print) -> None:
        """Print each layer with its output's shape and number of parameters, and the totals.

        Raises ArgumentError for a model that isn't built, whose shapes aren't known yet.
        """
        from .summary import summarize

        self._check_built("summary")
        print_fn(summarize(self))

    def save(self, path: Any) -> None:
        """Write the architecture, the weights and the optimizer's state into a folder; see ``load_model``."""
        from .saving import save_model

        save_model(self, path)

    def save_weights(self, path: Any) -> None:
        """Write parameters and buffers to a ``.safetensors`` file."""
        from .saving import write_arrays

        write_arrays(path, self.state_dict())

    def load_weights(self, path: Any) -> None:
        """Read parameters and buffers from a ``.safetensors`` file.

        Raises FileError for a damaged file, and ShapeError, having changed nothing, for one of another
        architecture.
        """
        from .saving import read_arrays

        self._check_built("load_weights")
        self.load_state_dict(read_arrays(path))

    def get_weights(self) -> list[NDArray[Any]]:
        """Return a copy of every parameter and buffer, in order."""
        return list(self.state_dict().values())

    def set_weights(self, weights: Sequence[NDArray[Any]]) -> None:
        """Set every parameter and buffer, in the order of ``get_weights``."""
        names = [name for name, _ in self.named_weights()]
        if len(names) != len(weights):
            raise ShapeError(f"set_weights: expected {len(names)} arrays, got {len(weights)}")
        self.load_state_dict(dict(zip(names, weights, strict=True)))

    def _check_built(self, what: str) -> None:
        if not all(module.built for module in self.modules()):
            raise ArgumentError(
                f"{what}: {self.name} isn't built yet, so it has no weights and no shapes; call it on a "
                "batch, build((None, ...)), or start it with Input(shape)"
            )

    def _check_compiled(self, what: str) -> None:
        if self.loss is None or self.optimizer is None:
            raise ArgumentError(f"{what}: say how to train first: model.compile(optimizer, loss, metrics)")


def _call(watchers: Sequence[Callback], hook: str, *arguments: Any) -> None:
    """Tell every watcher; a Ctrl-C in between waits, so that all of them have seen the same epochs."""
    interrupted = None
    for watcher in watchers:
        try:
            getattr(watcher, hook)(*arguments)
        except KeyboardInterrupt as error:
            interrupted = error
    if interrupted is not None:
        raise interrupted


def _console(verbose: int) -> list[Callback]:
    if not verbose:
        return []
    from ..viz.console import Console

    return [Console(live=verbose == 1)]
