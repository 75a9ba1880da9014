"""LayerWatch: how long each layer's gradient is, and how far a step moves its weights, while it trains."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinygrad_edu.data.prepare import as_count
from tinygrad_edu.nn.callbacks.base import Callback, Logs
from tinygrad_edu.nn.module import Module
from tinygrad_edu.nn.parameter import Parameter

__all__ = ["LayerWatch", "layers_of"]


class LayerWatch(Callback):
    """Note for each layer the norm of its gradient, and of a step's update beside that of its weights.

    Ratio = ‖w_after - w_before‖ / ‖w_before‖. About 1e-3 is usual; far less hardly learns, far more jumps
    about. A layer is all parameters of one path: "dense/kernel" and "dense/bias" are "dense".
    ``viz.layer_history(watch)`` draws it.

    Parameters
    ----------
    every : int
        Look at every so many steps. A look costs a copy of the weights and three passes over them.

    Attributes
    ----------
    steps : list of int
        Which steps were looked at, from 1.
    gradient_norms, update_ratios : dict of lists
        A number for each of these steps, by layer. NaN where a layer had no gradient or wasn't built.
    learning_rates : list of float
        That of each of these steps; NaN where no optimizer is known.

    Raises ArgumentError if ``every`` is no count.

    Examples
    --------
    >>> from tinygrad_edu import nn
    >>> model = nn.Sequential([nn.Input((1,)), nn.Dense(2), nn.Dense(1)])
    >>> model.compile("sgd", "mse")
    >>> watch = LayerWatch(every=2)
    >>> _ = model.fit([[1.0], [2.0]], [[2.0], [4.0]], batch_size=1, epochs=2, verbose=0, callbacks=watch)
    >>> watch.steps, sorted(watch.update_ratios)
    ([1, 3], ['dense', 'dense_1'])

    In a loop of your own, call ``before(model)`` before the optimizer's step and ``after()`` behind it.
    """

    def __init__(self, every: int = 10) -> None:
        self.every = as_count("LayerWatch", "every", every, least=1)
        self.steps: list[int] = []
        self.gradient_norms: dict[str, list[float]] = {}
        self.update_ratios: dict[str, list[float]] = {}
        self.learning_rates: list[float] = []
        self._done = 0  # steps so far
        self._seen: Module | None = None
        self._old: dict[int, NDArray[Any]] = {}  # the weights before the step, by id of the parameter
        self._rate = np.nan

    def before(self, model: Module) -> None:
        """Look at the weights before a step, if this one is to be noted."""
        self._seen = model
        if self._done % self.every == 0:
            optimizer = getattr(model, "optimizer", None)
            self._rate = np.nan if optimizer is None else float(optimizer.learning_rate)
            self._old = {id(w): w.data.copy() for w in model.parameters()}

    def after(self) -> None:
        """Note what the step did; the gradients must still be there."""
        self._done += 1
        if (self._done - 1) % self.every or self._seen is None:
            return
        self.steps.append(self._done)
        self.learning_rates.append(self._rate)
        for layer, weights in layers_of(self._seen).items():
            gradients = [w.grad for w in weights if w.grad is not None]
            norm = _norm([g.data for g in gradients]) if gradients else np.nan
            self._note(self.gradient_norms, layer, norm)
            pairs = [(w.data, self._old[id(w)]) for w in weights if id(w) in self._old]
            length = _norm([old for _, old in pairs])
            ratio = _norm([new - old for new, old in pairs]) / length if length else np.nan
            self._note(self.update_ratios, layer, ratio)
        for curves in (self.gradient_norms, self.update_ratios):
            for values in curves.values():  # a layer that is gone, or frozen now
                values.extend([np.nan] * (len(self.steps) - len(values)))
        self._old = {}

    def _note(self, curves: dict[str, list[float]], layer: str, value: float) -> None:
        """Add a value; a layer that came later has NaN for the steps before."""
        curves.setdefault(layer, [np.nan] * (len(self.steps) - 1)).append(float(value))

    def on_train_batch_begin(self, batch: int, logs: Logs | None = None) -> None:
        self.before(self.model)

    def on_train_batch_end(self, batch: int, logs: Logs) -> None:
        self.after()

    def on_train_end(self, logs: Logs | None = None) -> None:
        self._seen, self._old = None, {}


def layers_of(model: Module) -> dict[str, list[Parameter]]:
    """Return the trainable parameters of each layer, by the layer's path, in the model's order."""
    found: dict[str, list[Parameter]] = {}
    for path, weight in model.named_parameters():
        found.setdefault(path.rpartition("/")[0] or path, []).append(weight)
    return found


def _norm(arrays: list[NDArray[Any]]) -> float:
    """Return the length of all arrays' numbers as one vector."""
    return float(np.sqrt(sum(float(np.vdot(a, a)) for a in arrays)))
