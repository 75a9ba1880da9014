"""Losses of probabilities: how little was given to what turned out to be true."""

from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from ... import ops
from ...errors import ArgumentError, DataError, DTypeError, ShapeError
from ...ops.losses import alike
from ...tensor import Tensor
from .base import EPSILON, _Pointwise, _Standard, pair

__all__ = [
    "BinaryCrossentropy",
    "CategoricalCrossentropy",
    "KLDivergence",
    "SparseCategoricalCrossentropy",
    "binary_crossentropy",
    "categorical_crossentropy",
    "kl_divergence",
    "sparse_categorical_crossentropy",
]


def binary_crossentropy(
    y_true: Any, y_pred: Any, from_logits: bool = False, label_smoothing: float = 0.0, axis: int = -1
) -> Tensor:
    """Return -t ln p - (1 - t) ln(1 - p), averaged over an axis: (…, n) to (…,).

    ``y_pred`` are probabilities, or logits with ``from_logits=True``, which is exact where probabilities
    round to 0 or 1. ``label_smoothing`` s moves the targets towards a half: (1 - s) t + s / 2. Raises
    DataError for targets outside 0 … 1, or probabilities, ShapeError if the shapes differ.

    >>> binary_crossentropy([[0.0, 1.0]], Tensor([[0.5, 0.5]]))
    Tensor([0.6931])
    """
    name = "binary_crossentropy"
    t, p = alike(name, *pair(y_true, y_pred))
    return ops.mean(binary_losses(name, t, p, from_logits, label_smoothing), axis=axis)


def binary_losses(name: str, t: Any, p: Any, from_logits: bool, label_smoothing: float) -> Any:
    """Return -t ln p - (1 - t) ln(1 - p) of each prediction."""
    if from_logits:
        try:
            return ops.sigmoid_cross_entropy(p, t, label_smoothing=label_smoothing)
        except DataError:  # it looks at the targets too, and this says what they should be
            check_targets(name, t)
            raise
    check_targets(name, t)
    check_probabilities(name, p, largest=1.0)
    t, p = smoothed(t, label_smoothing, 2), ops.clip(p, EPSILON, 1 - EPSILON)
    return (t - 1) * ops.log(1 - p) - t * ops.log(p)


def categorical_crossentropy(
    y_true: Any, y_pred: Any, from_logits: bool = False, label_smoothing: float = 0.0, axis: int = -1
) -> Tensor:
    """Return -Σ t ln p over the classes of one-hot (or soft) targets: (…, classes) to (…,).

    ``y_pred`` are probabilities, or logits with ``from_logits=True``, which is exact also where probabilities
    round to 0; the classes lie along ``axis``. ``label_smoothing`` s mixes the targets with equal ones:
    (1 - s) t + s / classes. Raises ShapeError if the shapes differ, DataError for targets outside 0 … 1.

    >>> categorical_crossentropy([[0.0, 1.0]], Tensor([[0.5, 0.5]]))
    Tensor([0.6931])
    """
    name = "categorical_crossentropy"
    t, p = one_hot_rows(name, y_true, y_pred, axis)
    p = p if from_logits else logits_of(name, p)
    try:
        return ops.softmax_cross_entropy(p, t, label_smoothing=label_smoothing)
    except DataError:
        check_targets(name, t)
        raise


def one_hot_rows(name: str, y_true: Any, y_pred: Any, axis: int) -> tuple[Any, Any]:
    """Return rows of targets and of predictions, with the classes along the last axis."""
    shape = np.shape(y_true)
    y_true, y_pred = pair(y_true, y_pred)
    classes = y_pred.shape[axis] if y_pred.ndim else 1
    if classes == 1:
        raise ShapeError(
            f"{name}: predictions {y_pred.shape} have one class, whose probability is always 1; use "
            "binary_crossentropy, or a row of probabilities for each sample"
        )
    if len(shape) == y_pred.ndim - 1 or (len(shape) == y_pred.ndim and shape[axis] == 1):
        raise ShapeError(
            f"{name}: expected one row of {classes} targets for each sample, got shape "
            f"{shape}; for class numbers use sparse_categorical_crossentropy"
        )
    t, p = alike(name, y_true, y_pred)
    return (t, p) if axis in (-1, p.ndim - 1) else (ops.moveaxis(t, axis, -1), ops.moveaxis(p, axis, -1))


def sparse_categorical_crossentropy(
    y_true: Any, y_pred: Any, from_logits: bool = False, ignore_class: int | None = None, axis: int = -1
) -> Tensor:
    """Return -ln p of the true class, for classes given as whole numbers 0, 1, 2 …: (…,) and (…, C) to (…,).

    ``y_true`` may be (…, 1) too; ``y_pred`` is as for categorical_crossentropy. Where the class is
    ``ignore_class`` (-1, 255: pixels that nobody labelled) the loss is 0, whatever was predicted. Raises
    DataError for a class out of range, ShapeError for shapes that don't fit.

    >>> sparse_categorical_crossentropy([1, -1], Tensor([[0.5, 0.5], [0.9, 0.1]]), ignore_class=-1)
    Tensor([0.6931472, 0.       ])
    """
    name = "sparse_categorical_crossentropy"
    y_pred = y_pred if isinstance(y_pred, Tensor) else Tensor(y_pred)
    if axis not in (-1, y_pred.ndim - 1):
        y_pred = ops.moveaxis(y_pred, axis, -1)
        if np.ndim(y_true) == y_pred.ndim:
            y_true = np.moveaxis(np.asarray(y_true), axis, -1)
    labels = class_numbers(y_true, y_pred.shape, name)
    if not from_logits:
        if ignore_class is not None:  # what it is there must not matter, not even if it is no probability
            y_pred = ops.where((labels != ignore_class)[..., np.newaxis], y_pred, 1.0)
        y_pred = logits_of(name, y_pred)
    return ops.softmax_cross_entropy(y_pred, labels, ignore_index=ignore_class)


def kl_divergence(y_true: Any, y_pred: Any) -> Tensor:
    """Return Σ t ln(t / p) over the last axis, for probabilities t and p: (…, classes) to (…,).

    0 where they are equal, inf where p alone is 0. See :func:`tinygrad_edu.kl_divergence`.

    >>> kl_divergence([[0.0, 1.0]], Tensor([[0.5, 0.5]]))
    Tensor([0.6931])
    """
    return ops.kl_divergence(*pair(y_true, y_pred))


class BinaryCrossentropy(_Pointwise):
    """-t ln p - (1 - t) ln(1 - p), averaged over an axis, for answers yes (1) or no (0).

    Parameters
    ----------
    from_logits
        Predictions are logits, and sigmoid is still to come: exact where probabilities round to 0 or 1.
        Probabilities are held between 1e-7 and 1 - 1e-7, and beyond have no gradient: a network that is
        surely wrong stops learning. (Keras on TensorFlow looks for the logits behind a sigmoid; on PyTorch
        and JAX it does as we do.)
    label_smoothing
        From 0 to 1: how far the targets are moved towards a half (Szegedy et al. 2016).
    axis
        What the mean is taken over.
    reduction, name, dtype
        As for a Loss.

    Raises DataError for targets outside 0 … 1, and for probabilities.

    >>> from tinygrad_edu import nn
    >>> nn.losses.BinaryCrossentropy(from_logits=True)([[1.0]], Tensor([[0.0]]))
    Tensor(0.6931)
    """

    def __init__(
        self,
        from_logits: bool = False,
        label_smoothing: float = 0.0,
        axis: int = -1,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = None,
        dtype: DTypeLike | None = None,
    ) -> None:
        super().__init__(reduction, name, dtype)
        self.from_logits, self.label_smoothing, self.axis = from_logits, label_smoothing, axis

    def call(self, y_true: Any, y_pred: Tensor) -> Tensor:
        return binary_crossentropy(y_true, y_pred, self.from_logits, self.label_smoothing, self.axis)


class CategoricalCrossentropy(_Standard):
    """-Σ t ln p over the classes of one-hot (or soft) targets.

    Parameters
    ----------
    from_logits
        Predictions are logits, and softmax is still to come: exact where probabilities round to 0.
    label_smoothing
        From 0 to 1: how far the targets are moved towards equal shares (Szegedy et al. 2016).
    axis
        Where the classes are.
    reduction, name, dtype
        As for a Loss.

    >>> from tinygrad_edu import nn
    >>> nn.losses.CategoricalCrossentropy()([[0.0, 1.0]], Tensor([[0.5, 0.5]]))
    Tensor(0.6931)
    """

    def __init__(
        self,
        from_logits: bool = False,
        label_smoothing: float = 0.0,
        axis: int = -1,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = None,
        dtype: DTypeLike | None = None,
    ) -> None:
        super().__init__(reduction, name, dtype)
        self.from_logits, self.label_smoothing, self.axis = from_logits, label_smoothing, axis

    def call(self, y_true: Any, y_pred: Tensor) -> Tensor:
        return categorical_crossentropy(y_true, y_pred, self.from_logits, self.label_smoothing, self.axis)


class SparseCategoricalCrossentropy(_Standard):
    """-ln p of the true class, for classes given as whole numbers 0, 1, 2 …

    Parameters
    ----------
    from_logits
        Predictions are logits, and softmax is still to come: exact where probabilities round to 0.
    ignore_class
        A class number that means "not known": such samples (pixels, words) don't count, not in the divisor
        of the mean either.
    reduction, name, dtype
        As for a Loss.
    axis
        Where the classes are in the predictions.

    ``y_true`` is (batch, …) or (batch, …, 1). Raises DataError for a class that is out of range.

    >>> from tinygrad_edu import nn
    >>> nn.losses.SparseCategoricalCrossentropy()([1], Tensor([[0.5, 0.5]]))
    Tensor(0.6931)
    """

    sparse = True

    def __init__(
        self,
        from_logits: bool = False,
        ignore_class: int | None = None,
        reduction: str | None = "sum_over_batch_size",
        axis: int = -1,
        name: str | None = None,
        dtype: DTypeLike | None = None,
    ) -> None:
        super().__init__(reduction, name, dtype)
        self.from_logits, self.ignore_class, self.axis = from_logits, ignore_class, axis

    def call(self, y_true: Any, y_pred: Tensor) -> Tensor:
        return sparse_categorical_crossentropy(y_true, y_pred, self.from_logits, self.ignore_class, self.axis)

    def counted(self, y_true: Any, losses: Tensor) -> NDArray[np.bool_] | None:
        if self.ignore_class is None:
            return None
        return np.asarray(y_true != self.ignore_class).reshape(losses.shape)


class KLDivergence(_Standard):
    """Σ t ln(t / p): how far probabilities p are from the true t; 0 where they are equal.

    >>> from tinygrad_edu import nn
    >>> nn.losses.KLDivergence()([[0.0, 1.0]], Tensor([[0.5, 0.5]]))
    Tensor(0.6931)
    """

    def call(self, y_true: Any, y_pred: Tensor) -> Tensor:
        return kl_divergence(y_true, y_pred)


def class_numbers(y_true: Any, shape: tuple[int, ...], name: str) -> NDArray[Any]:
    """Return class labels as whole numbers, one for each row of predictions of ``shape``."""
    labels = y_true.data if isinstance(y_true, Tensor) else np.asarray(y_true)
    if labels.shape == (*shape[:-1], 1):
        labels = labels.reshape(shape[:-1])
    if labels.shape != shape[:-1]:
        raise ShapeError(
            f"{name}: expected one class number for each prediction, shape {shape[:-1]}, got {labels.shape}"
            + ("; for one-hot rows use categorical_crossentropy" if labels.shape == shape else "")
            + ("; is a Flatten missing in the model?" if len(shape) > 2 and labels.shape == shape[:1] else "")
        )
    if labels.dtype.kind not in "fiub":
        raise DTypeError(
            f"{name}: class labels must be numbers, got {labels.dtype}; "
            "np.unique(labels, return_inverse=True)[1] numbers them"
        )
    if labels.dtype.kind == "f":
        with np.errstate(invalid="ignore"):  # nan is no whole number either
            whole = labels.astype(np.int64)
        if not np.array_equal(whole, labels):
            raise DataError(
                f"{name}: class labels must be whole numbers, got values such as {labels.flat[0]}"
            )
        labels = whole
    return labels.astype(np.int64, copy=False)


def check_targets(name: str, t: Any) -> None:
    """Raise DataError for targets outside 0 … 1."""
    t = t.data if isinstance(t, Tensor) else t
    if t.size and (t.min() < 0 or t.max() > 1):
        raise DataError(
            f"{name}: targets must lie between 0 and 1, got {t.min():g} to {t.max():g}; "
            "for classes 0, 1, 2 … use sparse_categorical_crossentropy"
        )


def smoothed(t: Any, label_smoothing: float, classes: int) -> Any:
    """Return targets moved towards equal shares."""
    if not 0 <= label_smoothing <= 1:
        raise ArgumentError(f"label_smoothing must lie between 0 and 1, got {label_smoothing!r}")
    return t * (1 - label_smoothing) + label_smoothing / classes if label_smoothing else t


def check_probabilities(name: str, p: Tensor, largest: float = np.inf) -> None:
    """Raise DataError for what can be no probabilities: logits, most likely, that nobody announced."""
    smallest, most = p.data.min(initial=0), p.data.max(initial=0) if largest < np.inf else 0
    if smallest < -_ROUNDING or most > largest + _ROUNDING:
        raise DataError(
            f"{name}: expected probabilities, got {most if most > largest else smallest:g} among them; for "
            "logits (a last layer without sigmoid or softmax) say from_logits=True"
        )


_ROUNDING = 1e-5


def logits_of(name: str, p: Tensor) -> Tensor:
    """Return logits whose softmax the probabilities are: ln p.

    Keras keeps p above 1e-7, where the gradient ends and the most wrong samples stop teaching. Here it ends
    only where p is no ordinary float any more.
    """
    check_probabilities(name, p)
    p = p / ops.sum(p, axis=-1, keepdims=True)
    return ops.log(ops.clip(p, float(np.finfo(p.dtype).tiny)))
