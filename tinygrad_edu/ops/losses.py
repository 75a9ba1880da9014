"""Losses: how far predictions are from the truth, one number for each sample.

They are called as Keras' functions of these names, truth first, and average over the last axis. Shapes
must be equal: broadcasting (N,) against (N, 1) would compare every target with every prediction.
"""

import math
from typing import Any

import numpy as np

from .. import ops
from ..errors import DataError, DTypeError, ShapeError
from ..function import Function
from ..tensor import Tensor, as_array, as_arrays
from .classification import check_labels
from .parameters import number
from .registry import register

__all__ = [
    "categorical_hinge",
    "gaussian_kl",
    "gaussian_nll",
    "hinge",
    "huber",
    "kl_divergence",
    "log_cosh",
    "mean_absolute_error",
    "mean_squared_error",
    "nll",
    "poisson",
    "squared_hinge",
]


def alike(
    loss: str, y_true: Any, y_pred: Any, first: str = "y_true", second: str = "y_pred"
) -> tuple[Any, Any]:
    """Return both as Tensors or arrays of floats, the first in the second's dtype.

    Raises ShapeError, with the loss's name, if the shapes differ, and DTypeError if there are no numbers.
    """
    y_true, y_pred = as_arrays(y_true, y_pred)
    if y_true.shape != y_pred.shape:
        mend = f"; reshape {first} to {y_pred.shape}" if y_true.size == y_pred.size else ""
        raise ShapeError(
            f"{loss}: {first} is {y_true.shape}, {second} {y_pred.shape}; they must be equal{mend}. "
            "(They are not broadcast: that would compare every target with every prediction)"
        )
    for name, y in ((first, y_true), (second, y_pred)):
        if y.dtype.kind not in "fiub":
            raise DTypeError(f"{loss}: {name} must be numbers, got {y.dtype}")
    if y_pred.dtype.kind != "f":
        y_pred = ops.astype(y_pred, np.result_type(y_pred.dtype, np.float32))
    return y_true if y_true.dtype == y_pred.dtype else ops.astype(y_true, y_pred.dtype), y_pred


def mean_squared_error(y_true: Any, y_pred: Any, /) -> Tensor:
    """Return (y_pred - y_true)², averaged over the last axis: (…, n) to (…,).

    In y_pred's dtype (int64 gives float64). Raises ShapeError if the shapes differ, DTypeError for text.

    >>> mean_squared_error([[0.0, 0.0]], Tensor([[1.0, 3.0]]))
    Tensor([5.])
    """
    y_true, y_pred = alike("mean_squared_error", y_true, y_pred)
    return ops.mean(ops.square(y_pred - y_true), axis=-1)


def mean_absolute_error(y_true: Any, y_pred: Any, /) -> Tensor:
    """Return |y_pred - y_true|, averaged over the last axis: (…, n) to (…,); slope 0 where they are equal.

    In y_pred's dtype (int64 gives float64). Raises ShapeError if the shapes differ, DTypeError for text.

    >>> mean_absolute_error([[0.0, 0.0]], Tensor([[1.0, 3.0]]))
    Tensor([2.])
    """
    y_true, y_pred = alike("mean_absolute_error", y_true, y_pred)
    return ops.mean(ops.abs(y_pred - y_true), axis=-1)


def huber(y_true: Any, y_pred: Any, /, delta: float = 1.0) -> Tensor:
    """Return half the squared error where it is at most delta, beyond it a straight line (Huber 1964).

    Averaged over the last axis: (…, n) to (…,). In y_pred's dtype (int64 gives float64). Raises ShapeError if
    the shapes differ, DTypeError for text.

    >>> huber([[0.0, 0.0]], Tensor([[1.0, 3.0]]))
    Tensor([1.5])
    """
    delta = number("huber: delta", delta)
    y_true, y_pred = alike("huber", y_true, y_pred)
    error = y_pred - y_true
    held = ops.clip(error, -delta, delta)
    return ops.mean(held * (error - held / 2), axis=-1)  # no square of a large error, which would overflow


@register
class LogCosh(Function):
    name = "log_cosh"
    formula = r"y = \ln \cosh x"
    derivative = r"\bar{x} = \bar{y} \tanh x"
    words = "Near half the square of small numbers and the size of large ones; its slope is at most 1."

    @staticmethod
    def forward(x: Any) -> Any:
        # The hyperbolic cosine of large numbers overflows, and its logarithm near 0 would lose all digits.
        size = np.abs(x)
        near = np.log1p(2 * np.square(np.sinh(np.minimum(size, 1) / 2)))
        return np.where(size < 1, near, size + np.log1p(np.exp(-2 * size)) - math.log(2))

    @staticmethod
    def backward(g: Any, x: Any) -> Any:
        return g * ops.tanh(x)


def log_cosh(y_true: Any, y_pred: Any, /) -> Tensor:
    """Return ln cosh of the error, averaged over the last axis: near e² / 2 and |e| - ln 2.

    Without overflow, and exact near 0; (…, n) to (…,). In y_pred's dtype (int64 gives float64). Raises
    ShapeError if the shapes differ, DTypeError for text.

    >>> log_cosh([[0.0, 0.0]], Tensor([[0.0, 100.0]]))
    Tensor([49.653])
    """
    y_true, y_pred = alike("log_cosh", y_true, y_pred)
    return ops.mean(LogCosh.apply(y_pred - y_true), axis=-1)


def hinge(y_true: Any, y_pred: Any, /) -> Tensor:
    """Return max(0, 1 - label · score), averaged over the last axis: (…, n) to (…,).

    The labels are -1 and 1, or 0 and 1, and constants: no gradient goes to them. At score = label the slope
    is 0. In y_pred's dtype (int64 gives float64). Raises DataError for other labels, ShapeError if the shapes
    differ, DTypeError for text.

    >>> hinge([[-1, 1]], Tensor([[0.5, 3.0]]))
    Tensor([0.75])
    """
    return ops.mean(_short_of_margin("hinge", y_true, y_pred), axis=-1)


def squared_hinge(y_true: Any, y_pred: Any, /) -> Tensor:
    """Return max(0, 1 - label · score)², averaged over the last axis: (…, n) to (…,).

    Labels, dtype and what it raises are as for hinge.

    >>> squared_hinge([[-1, 1]], Tensor([[0.5, 3.0]]))
    Tensor([1.125])
    """
    return ops.mean(ops.square(_short_of_margin("squared_hinge", y_true, y_pred)), axis=-1)


def _short_of_margin(name: str, y_true: Any, y_pred: Any) -> Any:
    y_true, y_pred = alike(name, y_true, y_pred)
    labels = y_true.data if isinstance(y_true, Tensor) else y_true
    binary = np.all((labels == 0) | (labels == 1))
    if not (binary or np.all(np.abs(labels) == 1)):
        odd = labels[(labels != -1) & (labels != 1)].flat[0]
        raise DataError(f"{name}: the labels must be -1 and 1, or 0 and 1, got {odd:g} among them")
    return ops.relu(1 - (2 * labels - 1 if binary else labels) * y_pred)


def categorical_hinge(y_true: Any, y_pred: Any, /) -> Tensor:
    """Return max(0, 1 + best wrong score - right score) for one-hot rows: (…, C) to (…,).

    As in Keras, the best wrong score is at least 0. In y_pred's dtype (int64 gives float64). Raises
    ShapeError if the shapes differ or C is 0, DTypeError for text.

    >>> categorical_hinge([[0.0, 1.0, 0.0]], Tensor([[0.5, 1.0, -2.0]]))
    Tensor([0.5])
    """
    y_true, y_pred = alike("categorical_hinge", y_true, y_pred)
    right = ops.sum(y_true * y_pred, axis=-1)
    return ops.relu(1 + ops.max((1 - y_true) * y_pred, axis=-1) - right)


def kl_divergence(y_true: Any, y_pred: Any, /) -> Tensor:
    """Return Σ t ln(t / p) over the last axis: how far probabilities p are from the true t, (…, C) to (…,).

    Where t is 0 the term is 0; where p alone is 0 it is inf. (Keras clips both at 1e-7, and so ends the
    gradient there.) In y_pred's dtype (int64 gives float64). Raises ShapeError if the shapes differ,
    DTypeError for text.

    >>> kl_divergence([[0.0, 1.0]], Tensor([[0.5, 0.5]]))
    Tensor([0.6931])
    """
    y_true, y_pred = alike("kl_divergence", y_true, y_pred)
    return ops.sum(ops.xlogy(y_true, y_true) - ops.xlogy(y_true, y_pred), axis=-1)


def poisson(y_true: Any, y_pred: Any, /) -> Tensor:
    """Return p - t ln p for counts t and predicted rates p, averaged over the last axis: (…, n) to (…,).

    It is the Poisson distribution's -ln likelihood but for ln t!. Where t and p are 0 it is 0, where p alone
    is 0 inf. In y_pred's dtype (int64 gives float64). Raises ShapeError if the shapes differ, DTypeError for
    text.

    >>> poisson([[0.0, 2.0]], Tensor([[0.5, 1.0]]))
    Tensor([0.75])
    """
    y_true, y_pred = alike("poisson", y_true, y_pred)
    return ops.mean(y_pred - ops.xlogy(y_true, y_pred), axis=-1)


def nll(log_probabilities: Any, labels: Any, /) -> Tensor:
    """Return minus the log-probability of each row's true class: (…, C) and whole numbers (…,) to (…,).

    The order of the arguments is softmax_cross_entropy's (and PyTorch's), of which it is the second half,
    after log_softmax. In the log-probabilities' dtype. Raises DataError for a class outside 0 … C-1,
    ShapeError for shapes that don't fit, DTypeError for labels that aren't whole numbers.

    >>> nll(Tensor([[-0.1, -2.4]]), [1])
    Tensor([2.4])
    """
    if not isinstance(log_probabilities, Tensor | np.ndarray):
        log_probabilities = as_array(log_probabilities)
    if log_probabilities.dtype.kind != "f":
        log_probabilities = ops.astype(log_probabilities, np.float64)
    if not log_probabilities.ndim:
        raise ShapeError("nll: expected a row of log-probabilities for each label, got a single number")
    labels = labels.data if isinstance(labels, Tensor) else np.asarray(labels)
    check_labels(labels, log_probabilities.shape)
    rows = np.indices(labels.shape, sparse=True)
    return -ops.getitem(log_probabilities, (*rows, labels))


def gaussian_nll(
    y_true: Any, mean: Any, variance: Any, /, epsilon: float = 1e-6, *, full: bool = False
) -> Tensor:
    """Return ½ (ln v + (y_true - mean)² / v), averaged over the last axis: (…, n) to (…,).

    For predicted means and variances (Nix and Weigend 1994). A variance below epsilon counts as epsilon, and
    gets no gradient. As in PyTorch the constant ½ ln 2π is left out unless ``full=True``. In the mean's dtype
    (int64 gives float64). Raises ShapeError if the shapes differ, DataError for a negative variance,
    DTypeError for text.

    >>> gaussian_nll([[1.0]], Tensor([[3.0]]), Tensor([[1.0]]))
    Tensor([2.])
    """
    epsilon = number("gaussian_nll: epsilon", epsilon)
    y_true, mean = alike("gaussian_nll", y_true, mean, second="mean")
    variance, mean = alike("gaussian_nll", variance, mean, "variance", "mean")
    smallest = np.min(variance.data if isinstance(variance, Tensor) else variance, initial=0)
    if smallest < 0:
        raise DataError(f"gaussian_nll: a variance is negative: {smallest:g}; predict its logarithm, say")
    v = ops.clip(variance, epsilon)
    constant = math.log(2 * math.pi) / 2 if full else 0.0
    return ops.mean((ops.log(v) + ops.square(y_true - mean) / v) / 2 + constant, axis=-1)


def gaussian_kl(mean: Any, log_variance: Any, /) -> Tensor:
    """Return how far normal distributions are from N(0, 1), summed over the last axis: (…, n) to (…,).

    ½ Σ (mean² + v - 1 - ln v), the divergence KL(N(mean, v) ‖ N(0, 1)) in closed form: what a variational
    autoencoder pays for its code (Kingma and Welling 2014, appendix B). In log_variance's dtype (int64 gives
    float64). Raises ShapeError if the shapes differ, DTypeError for text.

    >>> gaussian_kl(Tensor([[0.0, 2.0]]), Tensor([[0.0, 0.0]]))
    Tensor([2.])
    """
    mean, log_variance = alike("gaussian_kl", mean, log_variance, "mean", "log_variance")
    return ops.sum(ops.square(mean) + ops.expm1(log_variance) - log_variance, axis=-1) / 2
