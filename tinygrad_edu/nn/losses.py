"""Losses, called as ``loss(y_true, y_pred)``: one number to make small.

Each computes a loss for every sample, and returns their mean; with ``sample_weight`` each sample's loss is
multiplied by its weight first (the sum is still divided by the number of samples, as in Keras).
"""

from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from .. import ops
from ..errors import ArgumentError, DataError, DTypeError, ShapeError, unknown_name
from ..ops.losses import alike
from ..tensor import Tensor
from .named import snake_case

__all__ = [
    "BinaryCrossentropy",
    "CategoricalCrossentropy",
    "Loss",
    "MeanAbsoluteError",
    "MeanSquaredError",
    "SparseCategoricalCrossentropy",
    "get",
]

# Keras' epsilon: how far a yes-or-no probability is kept from 0 and 1 before the logarithm.
EPSILON = 1e-7


class Loss:
    """The base: a subclass writes ``call(y_true, y_pred)``, which returns a loss for each sample.

    >>> from tinygrad_edu import nn
    >>> class Biased(nn.losses.Loss):
    ...     def call(self, y_true, y_pred):
    ...         return ((y_pred - y_true) ** 2).mean(axis=-1) * 3
    >>> Biased()(Tensor([[1.0]]), Tensor([[3.0]]))
    Tensor(12.)
    """

    classes: ClassVar[dict[str, type["Loss"]]] = {}

    def __init__(self, name: str | None = None) -> None:
        self.name = name or snake_case(type(self).__name__)

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        Loss.classes[cls.__name__] = cls

    def call(self, y_true: Any, y_pred: Tensor) -> Tensor:
        """Return the loss of each sample, shape (batch,) or (batch, …)."""
        raise DTypeError(f"{type(self).__name__} has no `call` method; write def call(self, y_true, y_pred)")

    def __call__(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> Tensor:
        if isinstance(y_true, Tensor) and y_true.requires_grad:
            raise ArgumentError(
                f"{self.name}: y_true requires a gradient; are the arguments swapped? loss(y_true, y_pred)"
            )
        y_pred = y_pred if isinstance(y_pred, Tensor) else Tensor(y_pred)
        if y_pred.shape[:1] == (0,):
            raise DataError(f"{self.name}: the batch is empty, and the mean over no samples isn't defined")
        losses = self.call(y_true, y_pred)
        if not isinstance(losses, Tensor):
            raise DTypeError(
                f"{self.name}: expected a Tensor of losses, got {type(losses).__name__}; compute it "
                "from y_pred with operators and tinygrad_edu's functions"
            )
        if sample_weight is None:
            return losses.mean()
        weights = np.asarray(sample_weight, losses.dtype)
        if weights.shape != losses.shape[: weights.ndim]:
            raise ShapeError(
                f"{self.name}: sample_weight is {weights.shape}, but the losses are {losses.shape}"
            )
        weights = weights.reshape(weights.shape + (1,) * (losses.ndim - weights.ndim))
        return (losses * weights).mean()

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        return dict(vars(self))


class MeanSquaredError(Loss):
    """(y_pred - y_true)², averaged over the last axis.

    >>> from tinygrad_edu import nn
    >>> nn.losses.MeanSquaredError()([[0.0, 0.0]], Tensor([[1.0, 3.0]]))
    Tensor(5.)
    """

    def call(self, y_true: Any, y_pred: Tensor) -> Tensor:
        return ops.mean_squared_error(*_samples(self, y_true, y_pred))


class MeanAbsoluteError(Loss):
    """|y_pred - y_true|, averaged over the last axis.

    >>> from tinygrad_edu import nn
    >>> nn.losses.MeanAbsoluteError()([[0.0, 0.0]], Tensor([[1.0, 3.0]]))
    Tensor(2.)
    """

    def call(self, y_true: Any, y_pred: Tensor) -> Tensor:
        return ops.mean_absolute_error(*_samples(self, y_true, y_pred))


class BinaryCrossentropy(Loss):
    """-t ln p - (1 - t) ln(1 - p), averaged over the last axis, for answers yes (1) or no (0).

    ``y_pred`` are probabilities, or logits with ``from_logits=True``, which is exact where probabilities
    round to 0 or 1. Raises DataError for a ``y_true`` outside 0 … 1.

    >>> from tinygrad_edu import nn
    >>> nn.losses.BinaryCrossentropy(from_logits=True)([[1.0]], Tensor([[0.0]]))
    Tensor(0.6931)
    """

    def __init__(self, from_logits: bool = False, name: str | None = None) -> None:
        super().__init__(name)
        self.from_logits = from_logits

    def call(self, y_true: Any, y_pred: Tensor) -> Tensor:
        t = _like(self, y_true, y_pred)
        if t.size and (t.min() < 0 or t.max() > 1):
            raise DataError(
                f"{self.name}: targets must lie between 0 and 1, got {t.min():g} to {t.max():g}; "
                "for classes 0, 1, 2 … use sparse_categorical_crossentropy"
            )
        if self.from_logits:
            return _over_last(ops.sigmoid_cross_entropy(y_pred, t))
        p = ops.clip(y_pred, EPSILON, 1 - EPSILON)
        return _over_last(-(t * ops.log(p) + (1 - t) * ops.log(1 - p)))


class CategoricalCrossentropy(Loss):
    """-Σ t ln p over the classes of one-hot (or soft) targets.

    ``y_pred`` (batch, …, classes) are probabilities, or logits with ``from_logits=True``, which is exact
    also where probabilities round to 0.

    >>> from tinygrad_edu import nn
    >>> nn.losses.CategoricalCrossentropy()([[0.0, 1.0]], Tensor([[0.5, 0.5]]))
    Tensor(0.6931)
    """

    def __init__(self, from_logits: bool = False, name: str | None = None) -> None:
        super().__init__(name)
        self.from_logits = from_logits

    def call(self, y_true: Any, y_pred: Tensor) -> Tensor:
        shape = np.shape(y_true)
        if len(shape) == y_pred.ndim - 1 or (shape[-1:] == (1,) and y_pred.shape[-1] > 1):
            raise ShapeError(
                f"{self.name}: expected one row of {y_pred.shape[-1]} targets for each sample, got shape "
                f"{shape}; for class numbers use sparse_categorical_crossentropy"
            )
        t = _like(self, y_true, y_pred)
        return ops.softmax_cross_entropy(_logits(y_pred, self.from_logits), t)


class SparseCategoricalCrossentropy(Loss):
    """-ln p of the true class, for classes given as whole numbers 0, 1, 2 …

    ``y_true`` is (batch, …) or (batch, …, 1); ``y_pred`` (batch, …, classes) as for
    CategoricalCrossentropy. Raises DataError for a class that is out of range.

    >>> from tinygrad_edu import nn
    >>> nn.losses.SparseCategoricalCrossentropy()([1], Tensor([[0.5, 0.5]]))
    Tensor(0.6931)
    """

    def __init__(self, from_logits: bool = False, name: str | None = None) -> None:
        super().__init__(name)
        self.from_logits = from_logits

    def call(self, y_true: Any, y_pred: Tensor) -> Tensor:
        labels = class_numbers(y_true, y_pred.shape, self.name)
        return ops.softmax_cross_entropy(_logits(y_pred, self.from_logits), labels)


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
        whole = labels.astype(np.int64)
        if not np.array_equal(whole, labels):
            raise DataError(
                f"{name}: class labels must be whole numbers, got values such as {labels.flat[0]}"
            )
        labels = whole
    return labels.astype(np.int64, copy=False)


def _like(loss: Loss, y_true: Any, y_pred: Tensor) -> NDArray[Any]:
    """Return the targets in the predictions' dtype and shape; (batch,) may stand for (batch, 1)."""
    t = y_true.data if isinstance(y_true, Tensor) else np.asarray(y_true)
    if y_pred.shape == (*t.shape, 1) or t.shape == (*y_pred.shape, 1):
        t = t.reshape(y_pred.shape)
    return alike(loss.name, t, y_pred)[0]  # type: ignore[no-any-return]  # an array, as t is


def _samples(loss: Loss, y_true: Any, y_pred: Tensor) -> tuple[Any, Any]:
    """Return targets and predictions as rows, one for each sample, be they single numbers."""
    t = _like(loss, y_true, y_pred)
    return (t, y_pred) if y_pred.ndim > 1 else (t[..., np.newaxis], ops.expand_dims(y_pred, axis=-1))


def _over_last(losses: Tensor) -> Tensor:
    return losses.mean(axis=-1) if losses.ndim > 1 else losses


def _logits(y_pred: Tensor, from_logits: bool) -> Tensor:
    """Return logits whose softmax y_pred is: ln p, for probabilities.

    Keras keeps p above 1e-7, where the gradient ends and the most wrong samples stop teaching. Here it ends
    only where p is no ordinary float any more.
    """
    if from_logits:
        return y_pred
    p = y_pred / ops.sum(y_pred, axis=-1, keepdims=True)
    return ops.log(ops.clip(p, float(np.finfo(p.dtype).tiny)))


_ALIASES = {"mse": "MeanSquaredError", "mae": "MeanAbsoluteError"}


def get(identifier: Any) -> Loss:
    """Return the loss for a name ("mse", "sparse_categorical_crossentropy"), or itself.

    >>> get("mse").name
    'mean_squared_error'
    """
    if isinstance(identifier, Loss):
        return identifier
    if isinstance(identifier, type) and issubclass(identifier, Loss):
        raise ArgumentError(f"loss: {identifier.__name__} is a class; write {identifier.__name__}()")
    if isinstance(identifier, dict):
        name, config = identifier.get("class"), identifier.get("config", {})
        if name not in Loss.classes:
            raise unknown_name("loss", name, Loss.classes)
        return Loss.classes[name](**config)
    known = {snake_case(name): cls for name, cls in Loss.classes.items()}
    known |= {alias: Loss.classes[name] for alias, name in _ALIASES.items()}
    if callable(identifier):
        return _FunctionLoss(identifier)
    name = str(identifier).lower()
    if name not in known:
        raise unknown_name("loss", identifier, known)
    return known[name]()


class _FunctionLoss(Loss):
    """A loss written as a plain function of (y_true, y_pred)."""

    def __init__(self, function: Any) -> None:
        super().__init__(getattr(function, "__name__", "loss"))
        self.function = function

    def call(self, y_true: Any, y_pred: Tensor) -> Tensor:
        # (batch,) against (batch, 1) would broadcast to (batch, batch) in the function: align them first.
        t = y_true.data if isinstance(y_true, Tensor) else np.asarray(y_true)
        if t.shape != y_pred.shape and t.size == y_pred.size and t.shape[:1] == y_pred.shape[:1]:
            t = t.reshape(y_pred.shape)
        losses = self.function(t, y_pred)
        if getattr(losses, "size", 0) > max(t.size, y_pred.size):
            raise ShapeError(
                f"{self.name}: y_true {t.shape} and y_pred {y_pred.shape} gave losses of {losses.shape}: "
                "every target was compared with every prediction; make their shapes equal"
            )
        return losses  # type: ignore[no-any-return]
