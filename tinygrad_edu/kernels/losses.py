"""Softmax and its cross-entropy loss, one pass over each row.

The idea: the loss of a row is the logarithm of the sum of exponentials, less the logit of the true class,
and its gradient is the probabilities, less one at the true class. The three share their exponentials, so
one pass computes loss and probabilities together and the gradient needs no exponential at all.

The row's maximum is subtracted first: it cancels in the quotient, and the largest exponential becomes
exp(0) = 1. So nothing overflows, and the sum under the logarithm is never below 1.
"""

import numpy as np

from tinygrad_edu.errors import DataError, DTypeError, ShapeError
from tinygrad_edu.kernels._arrays import Array, deliver, output, ready
from tinygrad_edu.kernels._jit import jit

__all__ = ["softmax", "softmax_cross_entropy", "softmax_cross_entropy_grad"]


_WIDE = 64  # columns: in wider rows NumPy's vectorised exp outweighs its passes over memory


@jit(fastmath=True)
def _softmax_rows(x: Array, p: Array, labels: Array, losses: Array) -> None:
    """Fill p with the rows' softmax, and losses with -log p[label] where there are labels."""
    for i in range(x.shape[0]):
        largest = x[i, 0]
        for j in range(1, x.shape[1]):
            largest = max(largest, x[i, j])
        at_label = x[i, labels[i]] - largest if labels.size else largest
        total = x.dtype.type(0)
        for j in range(x.shape[1]):
            p[i, j] = np.exp(x[i, j] - largest)
            total += p[i, j]
        if labels.size:
            losses[i] = np.log(total) - at_label
        for j in range(x.shape[1]):
            p[i, j] /= total


def _softmax_wide_rows(x: Array, p: Array, labels: Array, losses: Array) -> None:
    """Do the same with NumPy."""
    with np.errstate(all="ignore"):  # compiled code doesn't warn of infinities either
        np.subtract(x, x.max(axis=1, keepdims=True), out=p)
        at_label = p[np.arange(labels.size), labels]
        np.exp(p, out=p)
        total = p.sum(axis=1, keepdims=True)
        if labels.size:
            np.subtract(np.log(total[:, 0]), at_label, out=losses)
        p /= total


@jit
def _cross_entropy_grad(g: Array, p: Array, labels: Array, out: Array) -> None:
    for i in range(p.shape[0]):
        at_label = (p[i, labels[i]] - 1) * g[i]
        for j in range(p.shape[1]):
            out[i, j] = p[i, j] * g[i]
        out[i, labels[i]] = at_label


_NO_LABELS = np.empty(0, np.int64)


def _fill(x: Array, p: Array, labels: Array, losses: Array) -> None:
    (_softmax_rows if x.shape[1] <= _WIDE else _softmax_wide_rows)(x, p, labels, losses)


def _rows(name: str, x: Array) -> Array:
    if x.ndim != 2 or x.shape[1] == 0:
        raise ShapeError(f"{name} must be (N, C) with at least one class, got {x.shape}")
    return ready(x)


def _labels(labels: Array, shape: tuple[int, ...]) -> Array:
    if labels.dtype.kind not in "iu":
        raise DTypeError(f"labels must be integers, the number of each row's class; got {labels.dtype}")
    if labels.shape != shape[:1]:
        raise ShapeError(f"labels must be {shape[:1]}, one for each row of {shape}, got {labels.shape}")
    if labels.dtype != np.int64 or not labels.flags.carray:
        labels = np.array(labels, np.int64, order="C")
    # Read as unsigned, a negative number is a huge one: one comparison finds both kinds of wrong label.
    if labels.size and labels.view(np.uint64).max() >= shape[1]:
        raise DataError(f"labels must lie in 0..{shape[1] - 1}, got {labels.min()}..{labels.max()}")
    return labels


def softmax(x: Array, out: Array | None = None) -> Array:
    """Turn each row of x into probabilities: p_j = exp(x_j) / sum_k exp(x_k).

    Parameters
    ----------
    x : ndarray (N, C), float32 or float64, C >= 1
    out : ndarray (N, C), optional
        Filled and returned; may be x itself.

    Returns
    -------
    ndarray (N, C)
        A row that holds NaN or +inf becomes NaN.

    Raises
    ------
    ShapeError
        If x isn't two-dimensional or has no columns.

    Examples
    --------
    >>> import numpy as np
    >>> softmax(np.array([[0.0, 0.0], [1000.0, 0.0]]))
    array([[0.5, 0.5],
           [1. , 0. ]])
    """
    x = _rows("x", x)
    result = output(out, x.shape, x.dtype)
    _fill(x, result, _NO_LABELS, np.empty(0, x.dtype))
    return deliver(result, out)


def softmax_cross_entropy(
    logits: Array, labels: Array, out: Array | None = None, probabilities: Array | None = None
) -> tuple[Array, Array]:
    """Return each row's loss, -log softmax(logits)[label], and the softmax.

    Parameters
    ----------
    logits : ndarray (N, C), float32 or float64, C >= 1
    labels : ndarray (N,) of integers in 0..C-1
    out : ndarray (N,), optional
        Filled with the losses and returned.
    probabilities : ndarray (N, C), optional
        Filled and returned.

    Returns
    -------
    losses : ndarray (N,), in nats
    probabilities : ndarray (N, C)

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
    >>> losses, p = softmax_cross_entropy(np.zeros((1, 4)), np.array([2]))
    >>> float(np.exp(losses[0])), p
    (4.0, array([[0.25, 0.25, 0.25, 0.25]]))
    """
    logits = _rows("logits", logits)
    labels = _labels(labels, logits.shape)
    losses = output(out, labels.shape, logits.dtype)
    p = output(probabilities, logits.shape, logits.dtype)
    _fill(logits, p, labels, losses)
    return deliver(losses, out), deliver(p, probabilities)


def softmax_cross_entropy_grad(
    g: Array, probabilities: Array, labels: Array, out: Array | None = None
) -> Array:
    """Gradient of the losses with respect to the logits: (p - onehot(label)) * g, row by row.

    Parameters
    ----------
    g : ndarray (N,)
        Gradient of the losses.
    probabilities : ndarray (N, C)
        As softmax_cross_entropy returned them.
    labels : ndarray (N,) of integers in 0..C-1
    out : ndarray (N, C), optional
        Filled and returned; may be the probabilities.

    Returns
    -------
    ndarray (N, C)

    Raises
    ------
    ShapeError, DTypeError, DataError
        As softmax_cross_entropy.

    Examples
    --------
    >>> import numpy as np
    >>> softmax_cross_entropy_grad(np.ones(1), np.array([[0.25, 0.75]]), np.array([0]))
    array([[-0.75,  0.75]])
    """
    p = _rows("probabilities", probabilities)
    g = ready(g, p.dtype)
    labels = _labels(labels, p.shape)
    if g.shape != labels.shape:
        raise ShapeError(f"g must be {labels.shape}, one number for each row, got {g.shape}")
    result = output(out, p.shape, p.dtype)
    _cross_entropy_grad(g, p, labels, result)
    return deliver(result, out)
