"""The network under MLPClassifier and MLPRegressor: its loss, as scikit-learn defines it, and its slopes.

This is the one network here that isn't differentiated by the tape. Its batches are small: for 784 inputs, 100
hidden units and 200 rows, recording the operations and walking back over them took longer than the products.
The rules are those that the operations carry (``ops``), and a test holds the two together.
"""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ... import kernels
from ...tensor import Tensor
from ..parameter import Parameter

__all__ = ["Perceptron", "glorot"]

Array = NDArray[Any]

# What a layer's numbers become, in place, and what is left of a gradient behind that, from what they became.
ACTIVATIONS: dict[str, Any] = {
    "identity": lambda x, out: x,
    "logistic": kernels.sigmoid,
    "tanh": kernels.tanh,
    "relu": kernels.relu,
    "softmax": kernels.softmax,
    "exp": kernels.exp,
}
SLOPES: dict[str, Any] = {
    "identity": lambda g, y, out: g,
    "logistic": kernels.sigmoid_grad,
    "tanh": kernels.tanh_grad,
    "relu": kernels.relu_grad,
}


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
        # All numbers lie in one array, so that the penalty and the optimizer's step are one call each.
        self.parameter = Parameter(np.concatenate([a.ravel() for a in arrays]))
        self.slopes = np.zeros_like(self.parameter.data)
        self.parameter.grad = Tensor(self.slopes)
        self._shapes = [a.shape for a in arrays]
        half = len(arrays) // 2
        self.arrays, slopes = self._cut(self.parameter.data), self._cut(self.slopes)
        self.layers = list(zip(self.arrays[:half], self.arrays[half:], strict=True))
        self._slope_layers = list(zip(slopes[:half], slopes[half:], strict=True))
        self._weights = self.parameter.data[: sum(a.size for a in arrays[:half])]
        self._weight_slopes = self.slopes[: self._weights.size]
        self._scratch = np.empty_like(self._weights)
        self.activation, self.output, self.alpha = activation, output, alpha

    def _cut(self, numbers: Array) -> list[Array]:
        """Return views of all parameters' numbers, in their shapes."""
        ends = np.cumsum([int(np.prod(shape)) for shape in self._shapes])[:-1]
        parts = np.split(numbers, ends)
        return [part.reshape(shape) for part, shape in zip(parts, self._shapes, strict=True)]

    def _forward(self, x: Array) -> list[Array]:
        """Return what each layer gets, and what the last one gives before its activation."""
        values = [x]
        for w, b in self.layers[:-1]:
            relu = self.activation == "relu"
            h = kernels.matmul(values[-1], w, bias=b, relu=relu)
            values.append(h if relu else ACTIVATIONS[self.activation](h, out=h))
        w, b = self.layers[-1]
        return [*values, kernels.matmul(values[-1], w, bias=b)]

    def predict(self, x: Array) -> Array:
        """Return the outputs for rows of features, (samples, outputs)."""
        z = self._forward(x)[-1]
        return ACTIVATIONS[self.output](z, out=z)  # type: ignore[no-any-return]

    def _losses(self, z: Array, y: Array) -> tuple[Array, Array]:
        """Return the loss of each sample, and its slope by z, which is the prediction less the target.

        The loss is half the squared error, half the Poisson deviance or the cross-entropy, summed over the
        outputs. ``y`` has the classes' numbers (samples,) for a softmax, else a target for each output.
        """
        if self.output == "softmax":
            return kernels.softmax_cross_entropy(z, y, slopes=z)
        y = y.astype(z.dtype, copy=False)
        if self.output == "logistic":
            losses = kernels.sigmoid_cross_entropy(z, y)
            slopes = kernels.sigmoid(z, out=z)
            slopes -= y
        elif self.output == "exp":
            slopes = np.exp(z) - y
            losses = slopes - y * z + y * np.log(np.where(y > 0, y, 1))  # 0 ln 0 = 0
        else:
            slopes = np.subtract(z, y, out=z)
            losses = 0.5 * np.square(slopes)
        return losses.sum(axis=1), slopes

    def learn(self, x: Array, y: Array, weight: Array | None) -> float:
        """Leave the gradient of the loss in the parameter, and return the loss of the samples."""
        *values, z = self._forward(x)
        losses, g = self._losses(z, y)
        loss, share = _mean(losses, weight)
        g *= share
        for i in range(len(self.layers) - 1, -1, -1):
            dw, db = self._slope_layers[i]
            kernels.matmul(values[i].T, g, out=dw)
            np.sum(g, axis=0, out=db)
            if i:
                g = kernels.matmul(g, self.layers[i][0].T)
                g = SLOPES[self.activation](g, values[i], out=g)
        price = self.alpha / _total(len(x), weight)
        if price:
            self._weight_slopes += np.multiply(self._weights, price, out=self._scratch)
        return loss

    def measure(self, x: Array, y: Array, weight: Array | None) -> float:
        """Return the loss of samples, without learning from them."""
        return _mean(self._losses(self._forward(x)[-1], y)[0], weight)[0]

    def penalty(self, n: int, weight: Array | None) -> float:
        """Return what the weights cost: alpha / 2n times the sum of their squares."""
        squares = float(np.dot(self._weights, self._weights))
        return 0.5 * self.alpha / _total(n, weight) * squares

    def reported(self, loss: float, n: int, weight: Array | None) -> float:
        """Return a loss as ``loss_`` tells it: with the penalty, a squared error as a mean over the outputs.

        (What is made small is its sum over the outputs.)
        """
        outputs = self._shapes[-1][0] if self.output == "identity" else 1
        return loss / outputs + self.penalty(n, weight)


def _mean(losses: Array, weight: Array | None) -> tuple[float, Any]:
    """Return the mean of losses, and what each of them, or all alike, are multiplied by in it."""
    if weight is None:
        return float(losses.mean()), losses.dtype.type(1 / len(losses))
    share = (weight / weight.sum()).astype(losses.dtype, copy=False)
    return float(np.dot(losses, share)), share[:, np.newaxis]


def _total(n: int, weight: Array | None) -> float:
    return n if weight is None else float(weight.sum())
