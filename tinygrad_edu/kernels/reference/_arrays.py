"""Products, normalisation, activations, losses and optimizers in plain NumPy."""

import math
from typing import Any

import numpy as np
from scipy import special

from tinygrad_edu.kernels._arrays import Array

__all__ = [
    "adam",
    "erf",
    "exp",
    "expm1",
    "gelu",
    "gelu_grad",
    "linear",
    "linear_grad",
    "log_softmax",
    "log_softmax_grad",
    "matmul",
    "normalize",
    "normalize_grad",
    "relu",
    "relu_grad",
    "sgd",
    "sigmoid",
    "sigmoid_cross_entropy",
    "sigmoid_cross_entropy_grad",
    "sigmoid_grad",
    "silu",
    "silu_grad",
    "softmax",
    "softmax_cross_entropy",
    "softmax_cross_entropy_grad",
    "softmax_grad",
    "softplus",
    "softplus_grad",
    "sum_rows",
    "tanh",
    "tanh_grad",
    "target_cross_entropy",
    "target_cross_entropy_grad",
    "where",
]


# --- Products --------------------------------------------------------------------------------------------


def matmul(a: Array, b: Array, bias: Array | None = None, relu: bool = False) -> Array:
    """Multiply matrices (…, m, k) and (…, k, n): out[…,i,j] = sum_k a[…,i,k] * b[…,k,j] + bias[j].

    And 0 in place of what is negative, if wanted.
    """
    lead = np.broadcast_shapes(a.shape[:-2], b.shape[:-2])
    out = np.zeros((*lead, a.shape[-2], b.shape[-1]), a.dtype)
    for k in range(a.shape[-1]):
        out += a[..., :, k, None] * b[..., None, k, :]
    if bias is not None:
        out += bias
    return np.maximum(out, 0) if relu else out


def linear(x: Array, w: Array, b: Array, relu: bool = False) -> Array:
    """A dense layer: x @ w + b, and 0 in place of what is negative, if wanted."""
    return matmul(x, w, b, relu)


def linear_grad(
    g: Array, x: Array, w: Array, y: Array | None = None, input_wanted: bool = True
) -> tuple[Array | None, Array, Array]:
    """What reaches a dense layer's input, weights and bias, through its ReLU if it has one."""
    h = g if y is None else np.where(y > 0, g, 0)
    return h @ w.T if input_wanted else None, x.T @ h, h.sum(axis=0)


# --- Normalisation, and sums --------------------------------------------------------------------------------


def normalize(
    x: Array, gamma: Array, beta: Array, axes: tuple[int, ...], epsilon: float
) -> tuple[Array, Array, Array]:
    """gamma * (x - mean) / sqrt(variance + epsilon) + beta, the moments taken over the axes in float64."""
    n = _terms(x.shape, axes)
    mean = np.add.reduce(x, axis=axes, dtype=np.float64, keepdims=True) / n
    centred = x - mean
    variance = np.add.reduce(centred * centred, axis=axes, keepdims=True) / n
    y = centred * (gamma / np.sqrt(variance + epsilon)) + beta
    dtype = np.result_type(x, gamma, beta)
    return y.astype(dtype), mean.astype(x.dtype), variance.astype(x.dtype)


def _terms(shape: tuple[int, ...], axes: tuple[int, ...]) -> int:
    return max(1, math.prod([shape[a] for a in axes]))


def normalize_grad(
    g: Array, g_mean: Array, g_variance: Array, x: Array, gamma: Array, beta: Array,
    mean: Array, variance: Array, axes: tuple[int, ...], epsilon: float,
) -> tuple[Array, Array, Array]:  # fmt: skip
    """The gradient loses what would only shift or scale the group: its mean, and its part along x - mean."""
    n, inverse = _terms(x.shape, axes), 1 / np.sqrt(variance.astype(np.float64) + epsilon)
    centred, h = x - np.add.reduce(x, axis=axes, dtype=np.float64, keepdims=True) / n, g * gamma

    def total(a: Array) -> Array:
        return np.asarray(np.add.reduce(a, axis=axes, dtype=np.float64, keepdims=True))

    shift = (g_mean - inverse * total(h)) / n
    slope = (2 * g_variance - inverse**3 * total(h * centred)) / n
    dx = h * inverse + centred * slope + shift
    return (
        dx.astype(x.dtype),
        _summed_to(gamma, g * (centred * inverse)),
        _summed_to(beta, np.asarray(g, np.float64)),
    )


def _summed_to(parameter: Array, grad: Array) -> Array:
    """Add up a gradient along the axes that its parameter was stretched along."""
    missing = grad.ndim - parameter.ndim
    grad = np.add.reduce(grad, axis=tuple(range(missing)))
    stretched = tuple([a for a, n in enumerate(parameter.shape) if n == 1])
    return np.asarray(np.add.reduce(grad, axis=stretched, keepdims=True), parameter.dtype)


# --- Element by element ----------------------------------------------------------------------------------


def exp(x: Array) -> Array:
    """e^x."""
    return np.asarray(np.exp(x))


def expm1(x: Array) -> Array:
    """e^x - 1."""
    return np.asarray(np.expm1(x))


def erf(x: Array) -> Array:
    """The error function, 2/sqrt(pi) times the integral of e^(-t²) from 0 to x."""
    return np.asarray(special.erf(x))


def tanh(x: Array) -> Array:
    """The hyperbolic tangent."""
    return np.asarray(np.tanh(x))


def tanh_grad(g: Array, y: Array) -> Array:
    """tanh' = 1 - tanh²."""
    return np.asarray(g * (1 - y * y))


def sigmoid(x: Array) -> Array:
    """1 / (1 + e^-x)."""
    return np.asarray(special.expit(x))


def sigmoid_grad(g: Array, y: Array) -> Array:
    """sigmoid' = sigmoid (1 - sigmoid)."""
    return np.asarray(g * y * (1 - y))


def relu(x: Array) -> Array:
    """max(0, x)."""
    return np.asarray(np.maximum(x, 0))


def relu_grad(g: Array, y: Array) -> Array:
    """The gradient passes where the result was positive."""
    return np.where(y > 0, g, 0)


def softplus(x: Array) -> Array:
    """ln(e^0 + e^x)."""
    return np.asarray(np.logaddexp(x, 0))


def softplus_grad(g: Array, x: Array) -> Array:
    """softplus' = sigmoid."""
    return np.asarray(g * sigmoid(x))


def silu(x: Array) -> Array:
    """x sigmoid(x)."""
    return np.asarray(x * sigmoid(x))


def silu_grad(g: Array, x: Array) -> Array:
    """(x s)' = s + x s (1 - s)."""
    return np.asarray(g * sigmoid(x) * (1 + x * (1 - sigmoid(x))))


def gelu(x: Array, approximate: bool = False) -> Array:
    """x times the area under the normal curve up to x, or times a sigmoid that is near it."""
    return np.asarray(x * _gelu_gate(x, approximate))


def gelu_grad(g: Array, x: Array, approximate: bool = False) -> Array:
    """(x Φ)' = Φ + x Φ'."""
    gate = _gelu_gate(x, approximate)
    if approximate:
        slope = gate * (1 - gate) * (2 * math.sqrt(2 / math.pi)) * (1 + 3 * 0.044715 * x * x)
    else:
        slope = np.exp(x * x / -2) / math.sqrt(2 * math.pi)
    return np.asarray(g * (gate + x * slope))


def _gelu_gate(x: Array, approximate: bool) -> Array:
    if approximate:  # (1 + tanh u) / 2 = sigmoid(2 u)
        return sigmoid(2 * math.sqrt(2 / math.pi) * x * (1 + 0.044715 * x * x))
    return np.asarray(special.ndtr(x))


def sigmoid_cross_entropy(logits: Array, targets: Array) -> Array:
    """-t ln sigmoid(x) - (1 - t) ln(1 - sigmoid(x)) = ln(1 + e^x) - x t."""
    return np.asarray(np.maximum(logits, 0) - logits * targets + np.log1p(np.exp(-np.abs(logits))))


def sigmoid_cross_entropy_grad(g: Array, logits: Array, targets: Array) -> Array:
    """What was predicted minus what was true."""
    return np.asarray(g * (sigmoid(logits) - targets))


def sum_rows(x: Array) -> Array:
    """The sum over the rows, in float64."""
    return np.asarray(np.add.reduce(x, axis=0, dtype=np.float64), x.dtype)


# --- Softmax and its loss --------------------------------------------------------------------------------


def softmax(x: Array) -> Array:
    """Row by row, p_j = exp(x_j) / sum_k exp(x_k).

    Subtracting the row's maximum changes nothing in the quotient and keeps exp from overflowing.
    """
    exponentials = np.exp(x - x.max(axis=-1, keepdims=True))
    p: Array = exponentials / exponentials.sum(axis=-1, keepdims=True)
    return p


def softmax_grad(g: Array, y: Array) -> Array:
    """y_j (g_j - sum_k g_k y_k): raising one probability lowers the others."""
    grad: Array = y * (g - (g * y).sum(axis=-1, keepdims=True))
    return grad


def log_softmax(x: Array) -> Array:
    """x_j - ln sum_k exp(x_k), with the maximum subtracted."""
    shifted = x - x.max(axis=-1, keepdims=True)
    y: Array = shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))
    return y


def log_softmax_grad(g: Array, y: Array) -> Array:
    """g_j - softmax_j sum_k g_k."""
    grad: Array = g - np.exp(y) * g.sum(axis=-1, keepdims=True)
    return grad


def target_cross_entropy(logits: Array, targets: Array) -> Array:
    """The mean surprise -ln p_j, if class j comes with probability t_j."""
    return -np.asarray((targets * log_softmax(logits)).sum(axis=-1))


def target_cross_entropy_grad(g: Array, logits: Array, targets: Array) -> Array:
    """What was predicted minus what was true, row by row."""
    p = softmax(logits) * targets.sum(axis=-1, keepdims=True)
    grad: Array = (p - targets) * g[..., None]
    return grad


def softmax_cross_entropy(logits: Array, labels: Array) -> tuple[Array, Array]:
    """The surprise at the true class, -log p_label, for each row; and its slope, p - onehot(label).

    -log p_label = log(sum_k exp(x_k)) - x_label, again with the maximum subtracted from all x, so that
    no logarithm of a vanishing p is ever taken. The slope is what was predicted minus what was true.
    """
    shifted = logits - logits.max(axis=1, keepdims=True)
    at_label = np.take_along_axis(shifted, labels[:, None], axis=1)[:, 0]
    onehot = np.eye(logits.shape[1], dtype=logits.dtype)[labels]
    return np.log(np.exp(shifted).sum(axis=1)) - at_label, softmax(logits) - onehot


def softmax_cross_entropy_grad(g: Array, slopes: Array) -> Array:
    """Each row's slope times the gradient of its loss."""
    grad: Array = slopes * g[:, None]
    return grad


# --- Optimizers: these change p and its companions in place -----------------------------------------------


def sgd(
    p: Array, g: Array, velocity: Array | None, lr: float, momentum: float = 0.0, nesterov: bool = False
) -> None:
    """A step downhill; with momentum, a ball that rolls: velocity = momentum*velocity - lr*g, p += velocity.

    Nesterov's form looks one step of momentum ahead: p += momentum*velocity - lr*g.
    """
    if velocity is None:
        p -= lr * g
        return
    velocity[...] = momentum * velocity - lr * g
    p += momentum * velocity - lr * g if nesterov else velocity


def adam(
    p: Array, g: Array, m: Array, v: Array, lr: float, beta_1: float, beta_2: float, epsilon: float, t: int
) -> None:
    """Steps of similar size for every parameter (Kingma & Ba 2015, in the form at the end of section 2).

    m and v are running means of g and g²; p moves by m / sqrt(v). Both began at zero, which
    alpha = lr * sqrt(1 - beta_2^t) / (1 - beta_1^t) makes up for in step t = 1, 2, ...
    """
    m += (1 - beta_1) * (g - m)
    v += (1 - beta_2) * (g * g - v)
    alpha = lr * np.sqrt(1 - beta_2**t) / (1 - beta_1**t)
    p -= alpha * m / (np.sqrt(v) + epsilon)


def where(condition: Array, x1: Any, x2: Any) -> Array:
    """x1 where the condition (bool) holds, x2 elsewhere."""
    return np.asarray(np.where(condition, x1, x2))
