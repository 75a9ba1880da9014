"""The network under MLPClassifier and MLPRegressor: its loss, as scikit-learn defines it, and its slopes.

scikit-learn writes the backward pass by hand. Here it is the engine's: the loss is computed from parameters,
and ``backward`` differentiates it.
"""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ... import ops
from ...context import no_grad
from ...tensor import Tensor
from ..parameter import Parameter

__all__ = ["Perceptron", "glorot"]

Array = NDArray[Any]

HIDDEN: dict[str, Any] = {"identity": lambda x: x, "logistic": ops.sigmoid, "tanh": ops.tanh}
OUTPUT: dict[str, Any] = HIDDEN | {"softmax": lambda x: ops.softmax(x, axis=-1), "exp": ops.exp}


def glorot(sizes: Sequence[int], activation: str, random: np.random.RandomState, dtype: Any) -> list[Array]:
    """Draw the weights and biases of each layer from ±sqrt(6 / (fan in + fan out)), or 2 / … for logistic.

    Biases are drawn too, unlike Keras' (Glorot & Bengio 2010, as scikit-learn takes it). Returned are all
    weights (inputs, outputs), then all biases.
    """
    weights, biases = [], []
    for inputs, outputs in pairwise(sizes):
        bound = np.sqrt((2.0 if activation == "logistic" else 6.0) / (inputs + outputs))
        weights.append(random.uniform(-bound, bound, (inputs, outputs)).astype(dtype))
        biases.append(random.uniform(-bound, bound, outputs).astype(dtype))
    return [*weights, *biases]


class Perceptron:
    """Dense layers, their loss and their gradients.

    The loss of n samples is their mean, and alpha / 2n times the sum of all squared weights. With weights of
    samples, n is the sum of those.

    Parameters
    ----------
    arrays
        Weights (inputs, outputs) of each layer, then the biases (outputs,); copied.
    activation, output
        Of the hidden layers and of the last.
    alpha
        The price of large weights.
    """

    def __init__(self, arrays: Sequence[Array], activation: str, output: str, alpha: float) -> None:
        self.parameters = [Parameter(np.array(a, order="C")) for a in arrays]
        half = len(self.parameters) // 2
        self.weights = self.parameters[:half]
        self.layers = list(zip(self.weights, self.parameters[half:], strict=True))
        self.activation, self.output, self.alpha = activation, output, alpha
        self._scratch = [np.empty_like(w.data) for w in self.weights]

    def logits(self, x: Any) -> Tensor:
        """Return what the last layer gives before its activation, (samples, outputs)."""
        relu = "relu" if self.activation == "relu" else None
        for w, b in self.layers[:-1]:
            x = ops.linear(x, w, b, activation=relu)
            x = x if relu else HIDDEN[self.activation](x)
        return ops.linear(x, *self.layers[-1])

    def predict(self, x: Array) -> Array:
        """Return the outputs for rows of features, (samples, outputs)."""
        with no_grad():
            return OUTPUT[self.output](self.logits(x)).numpy()  # type: ignore[no-any-return]

    def losses(self, x: Array, y: Array) -> Tensor:
        """Return the loss of each sample: half the squared error, or the cross-entropy, summed over outputs.

        ``y`` has the classes' numbers (samples,) for a softmax, else a target for each output.
        """
        z = self.logits(x)
        if self.output == "softmax":
            return ops.softmax_cross_entropy(z, y)
        y = y.astype(z.dtype, copy=False)
        if self.output == "logistic":
            each = ops.sigmoid_cross_entropy(z, y)
        elif self.output == "exp":  # half the Poisson deviance, where 0 ln 0 = 0
            each = ops.exp(z) - y * z + (y * np.log(np.where(y > 0, y, 1)) - y)
        else:
            each = ops.square(z - y) * 0.5
        return ops.sum(each, axis=-1)

    def learn(self, x: Array, y: Array, weight: Array | None) -> float:
        """Leave the gradient of the loss in the parameters, and return the loss of the samples."""
        for p in self.parameters:
            p.grad = None
        loss = self._mean(x, y, weight)
        loss.backward()
        price = self.alpha / _total(len(x), weight)
        if price:
            for w, scratch in zip(self.weights, self._scratch, strict=True):
                gradient = w.grad.data  # type: ignore[union-attr]
                gradient += np.multiply(w.data, price, out=scratch)
        return float(loss.item())

    def measure(self, x: Array, y: Array, weight: Array | None) -> float:
        """Return the loss of samples, without learning from them."""
        with no_grad():
            return float(self._mean(x, y, weight).item())

    def _mean(self, x: Array, y: Array, weight: Array | None) -> Tensor:
        losses = self.losses(x, y)
        if weight is None:
            return ops.mean(losses)
        return ops.sum(losses * (weight / weight.sum()).astype(losses.dtype, copy=False))

    def penalty(self, n: int, weight: Array | None) -> float:
        """Return what the weights cost: alpha / 2n times the sum of their squares."""
        squares = sum(float(np.vdot(w.data, w.data)) for w in self.weights)
        return 0.5 * self.alpha / _total(n, weight) * squares

    def reported(self, loss: float, n: int, weight: Array | None) -> float:
        """Return a loss as ``loss_`` tells it: with the penalty, a squared error as a mean over the outputs.

        (What is made small is its sum over the outputs.)
        """
        outputs = self.weights[-1].shape[1] if self.output == "identity" else 1
        return loss / outputs + self.penalty(n, weight)

    # -- as one vector, for SciPy ----------------------------------------------------------------------

    @property
    def vector(self) -> Array:
        """All parameters in one row."""
        return np.concatenate([p.data.ravel() for p in self.parameters])

    @vector.setter
    def vector(self, values: Array) -> None:
        start = 0
        for p in self.parameters:
            p.data = values[start : start + p.size].reshape(p.shape).astype(p.dtype)
            start += p.size

    @property
    def slope(self) -> Array:
        """All gradients in one row."""
        return np.concatenate([p.grad.data.ravel() for p in self.parameters])  # type: ignore[union-attr]


def _total(n: int, weight: Array | None) -> float:
    return n if weight is None else float(weight.sum())
