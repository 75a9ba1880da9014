"""Trainer: compile, fit, evaluate, predict.

``train_step`` is what one writes by hand for a batch; :mod:`tinygrad_edu.nn.loop` goes through the batches.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from inspect import signature
from typing import Any

import numpy as np

from ..context import no_grad
from ..errors import ArgumentError, unknown_name
from ..random import default_generator, using
from ..tensor import Tensor
from . import optimizers
from .callbacks import Callback, History
from .compiled import Objective
from .loop import learn, measure, numbers, tell
from .metrics import Mean, Metric
from .module import Module, positive
from .preparation import Data, unpack, validation_of
from .structure import flatten, mapped

__all__ = ["Trainer"]

_IGNORED = ("auto_scale_loss", "jit_compile", "run_eagerly", "steps_per_execution")  # Keras', of compile


class Trainer(Module):
    """What a model has for its training: Keras' ``compile``, ``fit``, ``evaluate`` and ``predict``.

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
    objective: Objective | None = None
    history: History | None = None
    stop_training: bool = False
    generator: np.random.Generator | None = None  # where a loaded model's dropout and shuffling go on

    def compile(
        self,
        optimizer: Any = "rmsprop",
        loss: Any = None,
        metrics: Any = (),
        loss_weights: Any = None,
        weighted_metrics: Any = (),
        **ignored: Any,
    ) -> None:
        """Choose how to train.

        Parameters
        ----------
        optimizer
            A name ("sgd", "adam") or an optimizer.
        loss
            A name ("mse", "sparse_categorical_crossentropy" …), a Loss, or a function (y_true, y_pred). For
            several outputs a list, or a dict by their names; None where ``train_step`` is your own, or
            layers add their losses.
        metrics, weighted_metrics
            Names ("accuracy", any loss) or Metric objects to watch, or functions (y_true, y_pred); the latter
            see the weights of samples and classes. For several outputs a list of lists or a dict by names.
        loss_weights
            What each output's loss is multiplied by in the sum.
        ignored
            Keras' ``run_eagerly``, ``jit_compile``, ``steps_per_execution`` and ``auto_scale_loss`` are
            taken, and change nothing here.
        """
        for argument in ignored:
            if argument not in _IGNORED:
                known = [p for p in signature(Trainer.compile).parameters if p not in ("self", "ignored")]
                raise unknown_name("argument of compile", argument, [*known, *_IGNORED])
        self.optimizer = optimizers.get(optimizer)
        self.objective = Objective(loss, loss_weights, metrics, weighted_metrics)
        self.loss_tracker = Mean("loss")

    @property
    def loss(self) -> Any:
        """The loss that ``compile`` was given."""
        return None if self.objective is None else self.objective.loss or self.objective.given[0]

    @property
    def metrics(self) -> list[Metric]:
        """What is reset at each epoch and reported after it; a subclass may have its own trackers."""
        own = [value for value in vars(self).values() if isinstance(value, Metric)]
        return [*own, *(self.objective.metrics if self.objective else [])]

    @property
    def metrics_names(self) -> list[str]:
        """What the numbers are called that ``evaluate`` returns, once the model has seen a batch."""
        return list(dict.fromkeys(["loss", *(metric.name for metric in self.metrics)]))

    # -- one step --------------------------------------------------------------------------------------

    def train_step(self, data: Any) -> dict[str, Any]:
        """Learn from one batch: predict, measure, differentiate, step. Return what to report.

        A subclass may write its own; ``data`` is what ``fit`` was given, a batch of it.
        """
        x, y, sample_weight = unpack(data)
        y_pred = self(x)
        loss = self.compute_loss(x, y, y_pred, sample_weight)
        self.minimize(loss)
        self.loss_tracker.add(loss.item(), len(flatten(x)[0]))
        return self.compute_metrics(x, y, y_pred, sample_weight)

    def test_step(self, data: Any) -> dict[str, Any]:
        """Measure on one batch, without learning. Return what to report."""
        x, y, sample_weight = unpack(data)
        y_pred = self(x)
        loss = self.compute_loss(x, y, y_pred, sample_weight)
        self.loss_tracker.add(loss.item(), len(flatten(x)[0]))
        return self.compute_metrics(x, y, y_pred, sample_weight)

    def predict_step(self, data: Any) -> Any:
        """Return the outputs for one batch."""
        return self(unpack(data)[0])

    def minimize(self, loss: Tensor) -> None:
        """Make one step of the optimizer down the gradient of a loss."""
        assert self.optimizer is not None
        if not self.optimizer.params:
            self.optimizer.bind(self._to_learn())
        elif not loss.requires_grad:
            self._to_learn()  # says what is wrong
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()

    def compute_loss(
        self,
        x: Any = None,
        y: Any = None,
        y_pred: Any = None,
        sample_weight: Any = None,
        training: bool = True,
    ) -> Tensor:
        """Return the number to make small: the losses of ``compile``, and those that layers add.

        (``training`` changes nothing here: Keras passes it on, and a subclass may ask for it.)
        """
        assert self.objective is not None
        total = self.objective.total(y, y_pred, sample_weight, getattr(self, "output_names", None))
        for loss in getattr(self, "losses", ()):
            total = loss if total is None else total + loss
        if total is None:
            raise ArgumentError(
                f"{self.name}: there is no loss to make small; name one in compile(optimizer, loss)"
            )
        return total

    def compute_metrics(self, x: Any, y: Any, y_pred: Any, sample_weight: Any = None) -> dict[str, Any]:
        """Let the metrics see a batch, and return the running results by name."""
        if self.objective is not None:
            self.objective.update(y, y_pred, sample_weight)
        return self.get_metrics_result()

    def get_metrics_result(self) -> dict[str, Any]:
        """Return the running results by name; a metric whose result is a dict reports what is in there."""
        logs: dict[str, Any] = {}
        for metric in self.metrics:
            result = metric.result()
            logs |= result if isinstance(result, dict) else {metric.name: result}
        return logs

    # -- the loop --------------------------------------------------------------------------------------

    def fit(
        self,
        x: Any = None,
        y: Any = None,
        batch_size: int | None = None,
        epochs: int = 1,
        verbose: int | str = "auto",
        callbacks: Sequence[Callback] | Callback | None = None,
        validation_split: float = 0.0,
        validation_data: Any = None,
        shuffle: bool = True,
        class_weight: dict[int, float] | None = None,
        sample_weight: Any = None,
        initial_epoch: int = 0,
        steps_per_epoch: int | None = None,
        validation_steps: int | None = None,
        validation_batch_size: int | None = None,
        validation_freq: Any = 1,
    ) -> History:
        """Train for some epochs.

        Parameters
        ----------
        x, y
            Inputs (samples, …) and targets (samples, …), arrays or memory maps; several as a list or a dict.
            Or x alone: something that can be iterated over once an epoch and gives batches, (x, y) or
            (x, y, sample_weight).
        batch_size
            Samples a step, by default 32.
        epochs, initial_epoch
            The run goes from ``initial_epoch`` to ``epochs``.
        verbose
            0 nothing, 1 (or "auto") a live console, 2 one line an epoch.
        callbacks
            More to call at each epoch and batch.
        validation_split
            The share of the samples, taken from the end, to measure on after each epoch.
        validation_data
            (x, y) or (x, y, sample_weight) to measure on instead, or batches.
        shuffle
            Take the samples in another order each epoch.
        class_weight
            The weight of each class's samples in the loss: ``{0: 1.0, 1: 2.5}``.
        sample_weight
            The weight of each sample in the loss.
        steps_per_epoch, validation_steps
            How many batches are an epoch; batches that never end need it.
        validation_batch_size
            Samples a step there, by default as in training.
        validation_freq
            Measure after every so many epochs, or after those in a list (the first is 1).

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
        if positive(epochs, "fit: epochs") < initial_epoch:
            raise ArgumentError(
                f"fit: epochs={epochs} is where the run ends, before initial_epoch={initial_epoch}"
            )
        data = Data("fit", x, y, sample_weight, class_weight, batch_size, shuffle, steps_per_epoch)
        data, validation = validation_of(
            data, validation_split, validation_data, validation_batch_size, validation_steps
        )
        self._bind_again()
        watchers = [*_listed(callbacks), *_console(verbose)]
        with self._own_randomness():
            return learn(self, data, validation, range(initial_epoch, epochs), watchers, validation_freq)

    # -- afterwards ------------------------------------------------------------------------------------

    def evaluate(
        self,
        x: Any = None,
        y: Any = None,
        batch_size: int | None = None,
        verbose: int | str = "auto",
        sample_weight: Any = None,
        steps: int | None = None,
        callbacks: Sequence[Callback] | Callback | None = None,
        return_dict: bool = False,
    ) -> Any:
        """Measure the loss and the metrics on data, without learning from it.

        Returns them in that order, as a list (the loss alone if there is no metric), or by name with
        ``return_dict``. The data is as for ``fit``.

        >>> from tinygrad_edu import nn
        >>> model = nn.Sequential([nn.Dense(1, kernel_initializer="zeros")])
        >>> model.compile("sgd", "mse", ["mae"])
        >>> model.evaluate([[1.0], [2.0]], [[3.0], [3.0]], verbose=0)
        [9.0, 3.0]
        """
        self._check_compiled("evaluate")
        data = Data("evaluate", x, y, sample_weight, None, batch_size, False, steps)
        watchers = _listed(callbacks)
        for watcher in watchers:
            watcher.set_model(self)
        logs = measure(self, data, watchers)
        if verbose:
            print("  ".join(f"{name} {np.mean(value):.4f}" for name, value in logs.items()))
        if return_dict:
            return logs
        return list(logs.values()) if len(logs) > 1 else next(iter(logs.values()))

    def predict(
        self,
        x: Any,
        batch_size: int | None = None,
        verbose: int | str = 0,
        steps: int | None = None,
        callbacks: Sequence[Callback] | Callback | None = None,
    ) -> Any:
        """Return the model's output for every sample, an array (samples, …), or a structure of several."""
        data = Data("predict", x, None, None, None, batch_size, False, steps)
        watchers = _listed(callbacks)
        for watcher in watchers:
            watcher.set_model(self)
        results: list[Any] = []
        tell(watchers, "on_predict_begin", {})
        with self.mode(training=False), no_grad():
            for i, batch in enumerate(data):
                tell(watchers, "on_predict_batch_begin", i, {})
                results.append(mapped(_array, self.predict_step(batch)))
                tell(watchers, "on_predict_batch_end", i, {})
        tell(watchers, "on_predict_end", {})
        columns = iter([np.concatenate(parts) for parts in zip(*map(flatten, results), strict=True)])
        return mapped(lambda _: next(columns), results[0])

    # -- one batch by hand -----------------------------------------------------------------------------

    def train_on_batch(
        self, x: Any, y: Any = None, sample_weight: Any = None, return_dict: bool = False
    ) -> Any:
        """Learn from one batch and return the loss and the metrics so far, as ``evaluate`` does."""
        self._check_compiled("train_on_batch")
        with self.mode(training=True), self._own_randomness():
            logs = numbers(self.train_step((x, y, sample_weight)))
        return logs if return_dict else list(logs.values())

    def test_on_batch(
        self, x: Any, y: Any = None, sample_weight: Any = None, return_dict: bool = False
    ) -> Any:
        """Measure on one batch and return the loss and the metrics so far, as ``evaluate`` does."""
        self._check_compiled("test_on_batch")
        with self.mode(training=False), no_grad():
            logs = numbers(self.test_step((x, y, sample_weight)))
        return logs if return_dict else list(logs.values())

    def predict_on_batch(self, x: Any) -> Any:
        """Return the model's output for one batch."""
        with self.mode(training=False), no_grad():
            return mapped(_array, self.predict_step((x,)))

    def reset_metrics(self) -> None:
        """Let all metrics forget what they have seen."""
        for metric in self.metrics:
            metric.reset_state()

    # -- what the loop needs ---------------------------------------------------------------------------

    @contextmanager
    def _own_randomness(self) -> Iterator[None]:
        """Draw from the default generator, or from where a model that was loaded left off."""
        with using(self.generator or default_generator()):
            yield

    def _bind_again(self) -> None:
        """Layers may have come or been frozen since the last run, or the optimizer trained another model."""
        assert self.optimizer is not None
        if self.optimizer.params:
            if all(module.built for module in self.modules()):
                self.optimizer.bind(self._to_learn())
            else:
                self.optimizer.release()

    def _to_learn(self) -> list[Any]:
        """Return the parameters; raise ArgumentError if there are none that can be learned."""
        found = self.parameters()
        if not found:
            raise ArgumentError(
                f"{self.name} has nothing to learn: "
                + (
                    "all its weights are frozen; set trainable = True on the layers that are to learn"
                    if self.weights
                    else "its layers have no weights"
                )
            )
        return found

    def _check_compiled(self, what: str) -> None:
        if self.objective is None or self.optimizer is None:
            raise ArgumentError(f"{what}: say how to train first: model.compile(optimizer, loss, metrics)")


def _array(x: Any) -> Any:
    return x.numpy() if isinstance(x, Tensor) else np.asarray(x)


def _listed(callbacks: Any) -> list[Callback]:
    if callbacks is None:
        return []
    return [callbacks] if isinstance(callbacks, Callback) else list(callbacks)


def _console(verbose: Any) -> list[Callback]:
    if not verbose:
        return []
    from ..viz.console import Console

    return [Console(live=verbose in (1, "auto"))]
