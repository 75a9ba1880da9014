"""Softmax, and the cross-entropies that training uses: computed from logits, in one operation each.

Taken apart, softmax followed by a logarithm overflows or loses all digits; together they are exact, and
their gradient is just "probability minus truth" (Bishop, *Pattern Recognition and Machine Learning*,
2006, §4.3).
"""

from typing import Any

import numpy as np

from .. import kernels, ops
from ..errors import ArgumentError, DataError, DTypeError, ShapeError, TinygradEduError
from ..function import Function
from ..tensor import Tensor, as_arrays
from .fused import is_float32
from .parameters import number, whole_number
from .reduction import add_up, floating
from .registry import register

__all__ = ["log_softmax", "sigmoid_cross_entropy", "softmax", "softmax_cross_entropy"]


@register
class Softmax(Function):
    name = "softmax"
    formula = r"y_i = e^{x_i} / \sum_j e^{x_j}"
    derivative = r"\bar{x}_i = y_i \left(\bar{y}_i - \sum_j \bar{y}_j y_j\right)"
    words = "Turns scores into probabilities that add up to 1; raising one lowers the others."

    @staticmethod
    def forward(x: Any, *, axis: int) -> Any:
        x = floating(x)
        if _in_rows(x, axis):
            return kernels.softmax(x)
        y = np.exp(x - np.max(x, axis=axis, keepdims=True, initial=-np.inf))
        return y / add_up(y, axis, keepdims=True)

    @staticmethod
    def backward(g: Any, out: Any, axis: int) -> Any:
        if _in_rows(g, axis):
            return kernels.softmax_grad(g, out)
        return out * (g - ops.sum(g * out, axis=axis, keepdims=True))


def _in_rows(x: Any, axis: int) -> bool:
    """Tell whether the kernels can do it: for float32 that lies side by side."""
    return is_float32(x) and axis in (-1, x.ndim - 1)


def softmax(x: Any, /, *, axis: int = -1) -> Tensor:
    """Return e^x divided by its sum along an axis: positive, adding up to 1.

    x keeps its shape, and floats their dtype; int64 becomes float64. Raises ShapeError for an axis that x
    doesn't have, DTypeError for text.

    >>> softmax(Tensor([1.0, 1.0]))
    Tensor([0.5, 0.5])
    """
    return Softmax.apply(x, axis=axis)


@register
class LogSoftmax(Function):
    name = "log_softmax"
    formula = r"y_i = x_i - \ln \sum_j e^{x_j}"
    derivative = r"\bar{x}_i = \bar{y}_i - e^{y_i} \sum_j \bar{y}_j"
    words = "The logarithm of softmax, exact where the probability itself would round to 0."

    @staticmethod
    def forward(x: Any, *, axis: int) -> Any:
        x = floating(x)
        if _in_rows(x, axis):
            return kernels.log_softmax(x)
        shifted = x - np.max(x, axis=axis, keepdims=True, initial=-np.inf)
        total = add_up(np.exp(shifted), axis, keepdims=True)  # at least 1, or 0 without elements
        return shifted - np.log(np.maximum(total, 1))

    @staticmethod
    def backward(g: Any, out: Any, axis: int) -> Any:
        if _in_rows(g, axis):
            return kernels.log_softmax_grad(g, out)
        return g - ops.exp(out) * ops.sum(g, axis=axis, keepdims=True)


def log_softmax(x: Any, /, *, axis: int = -1) -> Tensor:
    """Return ln softmax(x) along an axis, without underflow.

    x keeps its shape, and floats their dtype; int64 becomes float64. Raises ShapeError for an axis that x
    doesn't have, DTypeError for text.

    >>> log_softmax(Tensor([0.0, 1000.0]))
    Tensor([-1000.,     0.])
    """
    return LogSoftmax.apply(x, axis=axis)


@register
class SparseSoftmaxCrossEntropy(Function):
    name = "sparse_softmax_cross_entropy"
    formula = r"L_n = \ln \sum_j e^{x_{n j}} - x_{n, t_n}"
    derivative = r"\bar{x}_{n i} = \bar{L}_n \left(\operatorname{softmax}(x_n)_i - [i = t_n]\right)"
    words = "Minus the log of the probability given to the true class; its slope is probability minus truth."
    extras = ("slopes",)

    @staticmethod
    def forward(logits: Any, labels: Any) -> Any:
        try:
            return kernels.softmax_cross_entropy(logits, labels)
        except TinygradEduError:  # it checks the labels too, and this says which are wrong, and how many
            check_labels(labels, logits.shape)
            raise

    @staticmethod
    def backward(g: Any, logits: Any, labels: Any, slopes: Any) -> Any:
        if isinstance(g, Tensor):  # to be differentiated again: the slopes must be so too
            truth = _one_hot(labels, logits)
            return (softmax(logits) - truth) * ops.expand_dims(g, axis=-1), None
        return kernels.softmax_cross_entropy_grad(g, slopes), None


def _one_hot(labels: Any, logits: Any) -> Any:
    rows = np.zeros(logits.shape, logits.dtype)
    np.put_along_axis(rows, labels[..., np.newaxis], 1, axis=-1)
    return rows


def check_labels(labels: Any, shape: tuple[int, ...]) -> None:
    """Raise unless there is one class number, within range, for each row of logits of this shape."""
    if labels.dtype.kind not in "iu":
        raise DTypeError(
            f"labels must be whole numbers, got {labels.dtype}; for one-hot rows pass their shape"
        )
    if labels.shape != shape[:-1]:
        raise ShapeError(
            f"expected one label for each row of logits {shape}: {shape[:-1]}, got {labels.shape}"
        )
    if labels.size and not (labels.min() >= 0 and labels.max() < shape[-1]):
        wrong = labels[(labels < 0) | (labels >= shape[-1])]
        raise DataError(
            f"label {wrong.flat[0]} is out of range: with {shape[-1]} logits a row, labels go from 0 to "
            f"{shape[-1] - 1} ({wrong.size} of {labels.size} labels are outside)"
        )


@register
class SoftmaxCrossEntropy(Function):
    name = "softmax_cross_entropy"
    formula = r"L_n = -\sum_i t_{n i} \ln \operatorname{softmax}(x_n)_i"
    derivative = (
        r"\bar{x}_n = \bar{L}_n \left(\operatorname{softmax}(x_n) \sum_i t_{n i} - t_n\right), \quad"
        r"\bar{t}_n = -\bar{L}_n \ln \operatorname{softmax}(x_n)"
    )
    words = "Compares predicted probabilities with target ones; its slope is probability minus target."

    @staticmethod
    def forward(logits: Any, targets: Any) -> Any:
        if logits.shape != targets.shape:
            raise ShapeError("expected targets of the logits' shape (one-hot or probabilities)")
        if is_float32(logits) and is_float32(targets):
            return kernels.target_cross_entropy(logits, targets)
        return -np.add.reduce(targets * LogSoftmax.forward(logits, axis=-1), axis=-1)

    @staticmethod
    def backward(g: Any, logits: Any, targets: Any, needs: tuple[bool, ...]) -> Any:
        if is_float32(g) and not needs[1]:
            return kernels.target_cross_entropy_grad(g, logits, targets), None
        g = ops.expand_dims(g, axis=-1)
        dx = g * (softmax(logits) * ops.sum(targets, axis=-1, keepdims=True) - targets)
        return dx, -g * log_softmax(logits) if needs[1] else None


def softmax_cross_entropy(
    logits: Any, targets: Any, /, *, label_smoothing: float = 0.0, ignore_index: int | None = None
) -> Tensor:
    """Return the cross-entropy of each row of logits (…, C) with its target: losses (…,).

    ``targets`` are class numbers (…,) of an integer dtype, or rows of probabilities (…, C), one-hot or
    not; mind that they come second, while ``mean_squared_error`` and its like take the truth first.
    ``label_smoothing`` s mixes them with the uniform distribution: (1 - s) target + s / C. Rows with
    the class number ``ignore_index`` have loss 0 and gradient 0, whatever their logits. The losses have the
    logits' dtype, a float one; beside float64 probabilities float64.

    Raises DataError for a class outside 0 … C-1 or a probability outside 0 … 1 (as if logits and targets
    were swapped), ShapeError for shapes that don't fit, ArgumentError for a smoothing outside 0 … 1, or an
    ignore_index beside rows of probabilities.

    >>> softmax_cross_entropy(Tensor([[2.0, 0.0], [0.0, 0.0]]), Tensor([0, 1]))
    Tensor([0.1269, 0.6931 ])
    """
    logits, targets = as_arrays(logits, targets)
    label_smoothing = _checked_smoothing(label_smoothing)
    labels = targets.data if isinstance(targets, Tensor) else targets
    if labels.dtype.kind in "iu" and labels.ndim == logits.ndim - 1:
        if ignore_index is not None:
            kept = labels != whole_number("softmax_cross_entropy: ignore_index", ignore_index)
            # The logits too: nan there would come through even a gradient of 0.
            losses = softmax_cross_entropy(
                ops.where(kept[..., np.newaxis], logits, 0.0),
                np.where(kept, labels, 0),
                label_smoothing=label_smoothing,
            )
            return ops.where(kept, losses, 0.0)
        if not label_smoothing:
            return SparseSoftmaxCrossEntropy.apply(logits, targets)
        check_labels(labels, logits.shape)
        targets = _one_hot(labels, logits)
    elif ignore_index is not None:
        raise ArgumentError(
            f"softmax_cross_entropy: ignore_index={ignore_index} needs class numbers, the targets are "
            f"{targets.dtype} {targets.shape}; a row of probabilities is ignored if it is all zeros"
        )
    targets = _probabilities("softmax_cross_entropy", targets, logits)
    if label_smoothing:
        targets = targets * (1 - label_smoothing) + label_smoothing / max(logits.shape[-1], 1)
    return SoftmaxCrossEntropy.apply(logits, targets)


def _probabilities(name: str, targets: Any, logits: Any) -> Any:
    """Check the targets, and make floats of whole numbers and truth values, as wide as the logits."""
    values = targets.data if isinstance(targets, Tensor) else targets
    for extreme in (np.min(values, initial=0), np.max(values, initial=1)):
        if not -_ROUNDING <= extreme <= 1 + _ROUNDING and not np.isnan(extreme):
            raise DataError(
                f"{name}: targets are probabilities, from 0 to 1, and {extreme:g} is among them; "
                "the logits come first, then the targets"
            )
    if targets.dtype.kind == "f":
        return targets
    return ops.astype(targets, np.result_type(logits.dtype, np.float32))


_ROUNDING = 1e-5  # how far beyond 0 and 1 the sum of some shares in float32 may come to lie


def _checked_smoothing(label_smoothing: Any) -> float:
    share = number("label_smoothing", label_smoothing)
    if not 0 <= share <= 1:
        raise ArgumentError(f"label_smoothing must lie between 0 and 1, got {share!r}")
    return share


@register
class SigmoidCrossEntropy(Function):
    name = "sigmoid_cross_entropy"
    formula = r"L = \max(x, 0) - x t + \ln(1 + e^{-|x|})"
    derivative = r"\bar{x} = \bar{L}\,(\sigma(x) - t), \quad \bar{t} = -\bar{L}\, x"
    words = "Cross-entropy of yes-or-no answers from their logits; its slope is probability minus truth."

    @staticmethod
    def forward(logits: Any, targets: Any) -> Any:
        if np.shape(logits) != np.shape(targets):
            raise ShapeError(
                "expected targets of the logits' shape; to compare (N, 1) with (N,), reshape one"
            )
        logits = floating(logits)
        if is_float32(logits) and is_float32(targets):
            return kernels.sigmoid_cross_entropy(logits, targets)
        return np.maximum(logits, 0) - logits * targets + np.log1p(np.exp(-np.abs(logits)))

    @staticmethod
    def backward(g: Any, logits: Any, targets: Any, needs: tuple[bool, ...]) -> Any:
        if is_float32(g) and not needs[1]:
            return kernels.sigmoid_cross_entropy_grad(g, logits, targets), None
        return g * (ops.sigmoid(logits) - targets), -g * logits if needs[1] else None


def sigmoid_cross_entropy(logits: Any, targets: Any, /, *, label_smoothing: float = 0.0) -> Tensor:
    """Return the binary cross-entropy of each logit with its target in 0 … 1, of the same shape.

    Without overflow for any logit. The targets come second, as in ``softmax_cross_entropy``.
    ``label_smoothing`` s moves them towards a half: (1 - s) target + s / 2. Floats promote to the wider of
    both dtypes; targets of whole numbers or bools take the logits'.
    Raises DataError for a target outside 0 … 1, ShapeError if the shapes differ, ArgumentError for a
    smoothing outside 0 … 1.

    >>> sigmoid_cross_entropy(Tensor([0.0, -100.0]), Tensor([1.0, 1.0]))
    Tensor([  0.693, 100.   ])
    """
    logits, targets = as_arrays(logits, targets)
    label_smoothing = _checked_smoothing(label_smoothing)
    targets = _probabilities("sigmoid_cross_entropy", targets, logits)
    if label_smoothing:
        targets = targets * (1 - label_smoothing) + label_smoothing / 2
    return SigmoidCrossEntropy.apply(logits, targets)
