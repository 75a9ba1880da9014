"""The cross-entropies that classifiers are trained with, from logits, in one pass over each row.

The idea: the loss of a row is the logarithm of the sum of exponentials, less the logit of the true class,
and its slope is the probabilities, less one at the true class. Both share their exponentials, so one pass
computes loss and slope together. The gradient is then a product, and needs neither exponentials nor labels.
With target probabilities in place of a class, the gradient computes the slope again: that costs less than to
keep it.
"""

from typing import Any

import numpy as np
from numba import prange

from tinygrad_edu.errors import DataError, DTypeError, ShapeError
from tinygrad_edu.kernels import _scalar, reference
from tinygrad_edu.kernels._arrays import Array, deliver, output
from tinygrad_edu.kernels._jit import part, two_forms
from tinygrad_edu.kernels.elementwise import each
from tinygrad_edu.kernels.rowwise import (
    BLOCK,
    beside,
    exponentials,
    largest_of,
    log_of_sum,
    rows_of,
    run_rows,
    total_of,
)  # fmt: skip

__all__ = [
    "sigmoid_cross_entropy", "sigmoid_cross_entropy_grad", "softmax_cross_entropy",
    "softmax_cross_entropy_grad", "target_cross_entropy", "target_cross_entropy_grad",
]  # fmt: skip

# --- Cross-entropy with one class a row -------------------------------------------------------------------


@two_forms
def _cross_entropy(x: Array, slopes: Array, labels: Array, losses: Array) -> int:
    """Return how many labels are wrong: looked at here, they need no pass of their own."""
    wrong = 0
    for i in prange(x.shape[0]):
        label = labels[i]
        if 0 <= label < x.shape[1]:
            largest = largest_of(x[i])
            at_label = x[i, label] - largest
            total = exponentials(x[i], largest, slopes[i])
            losses[i] = np.float32(np.log(total)) - at_label
            share = np.float32(1 / total)
            for j in range(x.shape[1]):
                slopes[i, j] *= share
            slopes[i, label] -= np.float32(1)
        else:
            wrong += 1
    return wrong


@two_forms
def _scale_rows(x: Array, g: Array, out: Array) -> None:
    for i in prange(x.shape[0]):
        for j in range(x.shape[1]):
            out[i, j] = x[i, j] * g[i]


def _labels(labels: Array, shape: tuple[int, ...]) -> Array:
    if labels.dtype.kind not in "iu":
        raise DTypeError(f"labels must be integers, the number of each row's class; got {labels.dtype}")
    if labels.shape != shape[:-1]:
        raise ShapeError(f"labels must be {shape[:-1]}, one for each row of {shape}, got {labels.shape}")
    if labels.dtype != np.int64 or not labels.flags.carray:
        labels = np.array(labels, np.int64, order="C")
    return labels.reshape(-1)


def softmax_cross_entropy(
    logits: Array, labels: Array, out: Array | None = None, slopes: Array | None = None
) -> tuple[Array, Array]:
    """Return each row's loss, -log softmax(logits)[label], and its slope, softmax(logits) - onehot(label).

    Parameters
    ----------
    logits : ndarray (…, C), float32 or float64, C >= 1
    labels : ndarray (…,) of integers in 0..C-1
    out : ndarray (…,), optional
        Filled with the losses and returned.
    slopes : ndarray (…, C), optional
        Filled and returned; may be the logits.

    Returns
    -------
    losses : ndarray (…,), in nats
    slopes : ndarray (…, C)
        The derivative of each row's loss with respect to its logits.

    Raises
    ------
    ShapeError
        If there isn't one label for each row.
    DTypeError
        If labels aren't integers.
    DataError
        If a label isn't one of the classes.

    Examples
    --------
    >>> import numpy as np
    >>> losses, slopes = softmax_cross_entropy(np.zeros((1, 4)), np.array([2]))
    >>> float(np.exp(losses[0])), slopes
    (4.0, array([[ 0.25,  0.25, -0.75,  0.25]]))
    """
    rows, flat = rows_of("logits", logits), _labels(labels, logits.shape)
    losses = output(out, labels.shape, rows.dtype)
    filled = output(slopes, logits.shape, rows.dtype)
    if rows.dtype == np.float32:
        wrong = run_rows(_cross_entropy, rows, filled.reshape(rows.shape), flat, losses.reshape(-1))
    else:
        # Read as unsigned, a negative number is a huge one: one comparison finds both kinds of wrong label.
        wrong = flat.size and flat.view(np.uint64).max() >= rows.shape[1]
        if not wrong:
            with np.errstate(all="ignore"):
                losses_, slopes_ = reference.softmax_cross_entropy(rows, flat)
            losses[...], filled[...] = losses_.reshape(losses.shape), slopes_.reshape(filled.shape)
    if wrong:
        raise DataError(f"labels must lie in 0..{rows.shape[1] - 1}, got {flat.min()}..{flat.max()}")
    return deliver(losses, out), deliver(filled, slopes)


def softmax_cross_entropy_grad(g: Array, slopes: Array, out: Array | None = None) -> Array:
    """Gradient of the losses with respect to the logits: slopes * g, row by row.

    Parameters
    ----------
    g : ndarray (…,)
        Gradient of the losses.
    slopes : ndarray (…, C)
        As softmax_cross_entropy returned them.
    out : ndarray (…, C), optional
        Filled and returned; may be the slopes.

    Returns
    -------
    ndarray (…, C)

    Raises
    ------
    ShapeError
        If there isn't one number in g for each row.

    Examples
    --------
    >>> import numpy as np
    >>> softmax_cross_entropy_grad(np.array([2.0]), np.array([[-0.75,  0.75]]))
    array([[-1.5,  1.5]])
    """
    rows = rows_of("slopes", slopes)
    g = beside("g, one number for each row,", g, slopes.shape[:-1], rows.dtype)
    result = output(out, slopes.shape, rows.dtype)
    if rows.dtype == np.float32:
        run_rows(_scale_rows, rows, g.reshape(-1), result.reshape(rows.shape))
    else:
        np.multiply(slopes, g[..., np.newaxis], out=result)
    return deliver(result, out)


# --- Cross-entropy with target probabilities --------------------------------------------------------------


@two_forms
def _target_cross_entropy(x: Array, t: Array, losses: Array) -> None:
    for i in prange(x.shape[0]):
        largest = largest_of(x[i])
        log_total = log_of_sum(x[i], largest)
        losses[i] = -_weighted_logs(x[i], t[i], largest, log_total)


@two_forms
def _target_cross_entropy_grad(x: Array, t: Array, g: Array, out: Array) -> None:
    for i in prange(x.shape[0]):
        share = np.float32(total_of(t[i]) / exponentials(x[i], largest_of(x[i]), out[i]))
        for j in range(x.shape[1]):
            out[i, j] = (out[i, j] * share - t[i, j]) * g[i]


@part(fastmath=True)
def _weighted_logs(x: Array, t: Array, largest: Any, log_total: Any) -> Any:
    """Return the sum of t ln softmax(x)."""
    total: Any = 0.0
    for start in range(0, x.size, BLOCK):
        x_, t_ = x[start : start + BLOCK], t[start : start + BLOCK]
        part = np.float32(0)
        for j in range(x_.size):
            part += t_[j] * ((x_[j] - largest) - log_total)
        total += part
    return np.float32(total)


def target_cross_entropy(logits: Array, targets: Array, out: Array | None = None) -> Array:
    """Return each row's loss for target probabilities: -sum_j t_j ln softmax(x)_j.

    Parameters
    ----------
    logits, targets : ndarray (…, C), float32 or float64, C >= 1
    out : ndarray (…,), optional
        Filled and returned.

    Returns
    -------
    ndarray (…,)

    Raises
    ------
    ShapeError
        If the shapes differ or there are no classes.

    Examples
    --------
    >>> import numpy as np
    >>> target_cross_entropy(np.zeros((1, 2)), np.array([[0.25, 0.75]]))
    array([0.69314718])
    """
    x = rows_of("logits", logits)
    t = beside("targets", targets, logits.shape, x.dtype).reshape(x.shape)
    losses = output(out, logits.shape[:-1], x.dtype)
    if x.dtype == np.float32:
        run_rows(_target_cross_entropy, x, t, losses.reshape(-1))
    else:
        with np.errstate(all="ignore"):
            losses[...] = reference.target_cross_entropy(x, t).reshape(losses.shape)
    return deliver(losses, out)


def target_cross_entropy_grad(g: Array, logits: Array, targets: Array, out: Array | None = None) -> Array:
    """Gradient of the losses with respect to the logits: (softmax(x)_j sum_k t_k - t_j) g, row by row.

    Parameters
    ----------
    g : ndarray (…,)
        Gradient of the losses.
    logits, targets : ndarray (…, C), float32 or float64, C >= 1
    out : ndarray (…, C), optional
        Filled and returned; may be the logits.

    Returns
    -------
    ndarray (…, C)

    Raises
    ------
    ShapeError
        If the shapes don't fit.

    Examples
    --------
    >>> import numpy as np
    >>> target_cross_entropy_grad(np.ones(1), np.zeros((1, 2)), np.array([[0.25, 0.75]]))
    array([[ 0.25, -0.25]])
    """
    x = rows_of("logits", logits)
    t = beside("targets", targets, logits.shape, x.dtype).reshape(x.shape)
    g = beside("g, one number for each row,", g, logits.shape[:-1], x.dtype).reshape(-1)
    result = output(out, logits.shape, x.dtype)
    if x.dtype == np.float32:
        run_rows(_target_cross_entropy_grad, x, t, g, result.reshape(x.shape))
    else:
        with np.errstate(all="ignore"):
            result[...] = reference.target_cross_entropy_grad(g, x, t).reshape(result.shape)
    return deliver(result, out)


# --- Cross-entropy of yes-or-no answers -------------------------------------------------------------------


@part
def _sigmoid_cross_entropy(x: Any, t: Any) -> Any:
    return _scalar.softplus(x) - x * t


@part
def _sigmoid_cross_entropy_grad(g: Any, x: Any, t: Any) -> Any:
    return g * (_scalar.sigmoid(x) - t)


def sigmoid_cross_entropy(logits: Array, targets: Array, out: Array | None = None) -> Array:
    """Return ln(1 + e^x) - x t, the loss of each answer, without overflow.

    Parameters
    ----------
    logits, targets : ndarray of one shape, float32 or float64
    out : ndarray of that shape, optional
        Filled and returned; may be one of them.

    Returns
    -------
    ndarray of that shape

    Raises
    ------
    ShapeError
        If the shapes differ.

    Examples
    --------
    >>> import numpy as np
    >>> sigmoid_cross_entropy(np.array([0.0, -100.0]), np.array([1.0, 1.0]))
    array([  0.69314718, 100.        ])
    """
    return each(_sigmoid_cross_entropy, reference.sigmoid_cross_entropy, out, logits, targets)


def sigmoid_cross_entropy_grad(g: Array, logits: Array, targets: Array, out: Array | None = None) -> Array:
    """Gradient of the losses with respect to the logits: (sigmoid(x) - t) g.

    Parameters
    ----------
    g, logits, targets : ndarray of one shape, float32 or float64
    out : ndarray of that shape, optional
        Filled and returned; may be one of them.

    Returns
    -------
    ndarray of that shape

    Raises
    ------
    ShapeError
        If the shapes differ.

    Examples
    --------
    >>> import numpy as np
    >>> sigmoid_cross_entropy_grad(np.ones(1), np.zeros(1), np.ones(1))
    array([-0.5])
    """
    return each(_sigmoid_cross_entropy_grad, reference.sigmoid_cross_entropy_grad, out, g, logits, targets)
