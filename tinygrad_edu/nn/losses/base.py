"""What all losses share: how targets and predictions are laid side by side, weighed, and made one number."""

from collections.abc import Callable
from typing import Any, ClassVar

import numpy as np
from numpy.typing import DTypeLike, NDArray

from ... import ops
from ...errors import ArgumentError, DataError, DTypeError, ShapeError, unknown_name
from ...tensor import Tensor, as_array
from ..named import Named, snake_case

__all__ = ["Loss", "pair", "prepared", "weights_for"]

# Keras' epsilon: how far a divisor is kept from 0, and a yes-or-no probability from 0 and 1.
EPSILON = 1e-7

REDUCTIONS = ("sum_over_batch_size", "mean", "mean_with_sample_weight", "sum", "none")


class Loss(Named):
    """The base: a subclass writes ``call(y_true, y_pred)``, which returns a loss for each sample.

    Called as ``loss(y_true, y_pred, sample_weight=None)``, it makes one number of them. ``y_true`` comes to
    ``call`` as an array of the predictions' dtype, ``y_pred`` as a Tensor, and where one is (batch,) and the
    other (batch, 1), both as the latter: broadcast, they would compare everything with everything.

    Parameters
    ----------
    name
        What errors call it; by default after its class.
    reduction
        How the losses become one number. "sum_over_batch_size", the same as "mean", divides their sum by
        their number, "mean_with_sample_weight" by the sum of their weights; "sum" doesn't divide; "none" or
        None leaves them apart.
    dtype
        What to convert the predictions to; by default they keep theirs.

    Raises ArgumentError for an unknown reduction; when called, DataError for a batch of none, ShapeError for
    weights that don't fit.

    >>> from tinygrad_edu import nn
    >>> class Biased(nn.losses.Loss):
    ...     def call(self, y_true, y_pred):
    ...         return ((y_pred - y_true) ** 2).mean(axis=-1) * 3
    >>> Biased()([[1.0], [1.0]], Tensor([[3.0], [1.0]]))
    Tensor(6.)
    >>> Biased(reduction="sum")([[1.0], [1.0]], Tensor([[3.0], [1.0]]), sample_weight=[0.5, 1])
    Tensor(6.)
    """

    kind = "loss"
    aliases: ClassVar[dict[str, str]] = {
        "bce": "binary_crossentropy",
        "huber_loss": "huber",
        "kld": "kl_divergence",
        "logcosh": "log_cosh",
        "mae": "mean_absolute_error",
        "mape": "mean_absolute_percentage_error",
        "mse": "mean_squared_error",
        "msle": "mean_squared_logarithmic_error",
    }
    name: str = "loss"  # these three are for a subclass that doesn't call this constructor
    reduction: str | None = "sum_over_batch_size"
    dtype: str | None = None
    sparse: bool = False  # the targets are class numbers, which stay whole
    pointwise: bool = False  # compares number by number, not row by row

    def __init__(
        self,
        name: str | None = None,
        reduction: str | None = "sum_over_batch_size",
        dtype: DTypeLike | None = None,
    ) -> None:
        if reduction is not None and reduction not in REDUCTIONS:
            raise unknown_name("reduction", reduction, REDUCTIONS)
        self.name = name or snake_case(type(self).__name__)
        self.reduction = reduction
        self.dtype = None if dtype is None else np.dtype(dtype).name

    def call(self, y_true: Any, y_pred: Tensor) -> Tensor:
        """Return the loss of each sample, shape (batch,) or (batch, …)."""
        raise DTypeError(f"{type(self).__name__} has no `call` method; write def call(self, y_true, y_pred)")

    def counted(self, y_true: Any, losses: Tensor) -> NDArray[np.bool_] | None:
        """Return which losses count, or None for all; what doesn't is not divided by either."""
        return None

    def __call__(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> Tensor:
        if isinstance(y_true, Tensor) and y_true.requires_grad:
            raise ArgumentError(
                f"{self.name}: y_true requires a gradient; are the arguments swapped? loss(y_true, y_pred). "
                "To learn from both, use the function of the same name, such as losses.mean_squared_error"
            )
        if self.dtype is not None:
            y_pred = (y_pred if isinstance(y_pred, Tensor) else Tensor(y_pred)).astype(self.dtype)
        y_true, y_pred = prepared(self, y_true, y_pred)
        if y_pred.shape[:1] == (0,):
            raise DataError(f"{self.name}: the batch is empty, and the mean over no samples isn't defined")
        losses = self.call(y_true, y_pred)
        if not isinstance(losses, Tensor):
            raise DTypeError(
                f"{self.name}: expected a Tensor of losses, got {type(losses).__name__}; compute it "
                "from y_pred with operators and tinygrad_edu's functions"
            )
        if losses.size > max(y_true.size, y_pred.size):
            raise ShapeError(
                f"{self.name}: y_true {y_true.shape} and y_pred {y_pred.shape} gave losses of "
                f"{losses.shape}: every target was compared with every prediction; make their shapes equal"
            )
        return self._reduced(losses, self.counted(y_true, losses), sample_weight)

    def _reduced(self, losses: Tensor, counted: Any, sample_weight: Any) -> Tensor:
        """Return the weighted losses as one number, as ``reduction`` says."""
        weights = counted
        if sample_weight is not None:
            weights = weights_for(sample_weight, losses.shape, self.name).astype(losses.dtype)
            losses = losses * weights
            weights = weights if counted is None else weights * counted
        if self.reduction in (None, "none") or not losses.ndim:
            return losses
        if self.reduction == "sum":
            return losses.sum()
        if weights is None:
            return losses.mean()
        if self.reduction == "mean_with_sample_weight":
            number: Any = np.sum(np.broadcast_to(weights, losses.shape), dtype=np.float64)
        else:
            number = losses.size if counted is None else np.count_nonzero(counted)
        return losses.sum() * (1 / float(number) if number else 0.0)  # nothing counts: 0, as in Keras


class _Standard(Loss):
    """A loss that Keras has: its constructor takes the reduction first."""

    def __init__(
        self,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = None,
        dtype: DTypeLike | None = None,
    ) -> None:
        super().__init__(name, reduction, dtype)


class _Pointwise(_Standard):
    """One that compares number by number, so that predictions (batch,) are samples of one number each."""

    pointwise = True


class _FunctionLoss(Loss):
    """A loss written as a plain function of (y_true, y_pred)."""

    def __init__(self, function: Callable[[Any, Tensor], Tensor]) -> None:
        super().__init__(getattr(function, "__name__", None))
        self.function = function

    def call(self, y_true: Any, y_pred: Tensor) -> Tensor:
        return self.function(y_true, y_pred)


def prepared(what: Any, y_true: Any, y_pred: Any) -> tuple[NDArray[Any], Tensor]:
    """Return targets and predictions as a loss or a metric, which says of what kind it is, compares them."""
    y_true = y_true.data if isinstance(y_true, Tensor) else np.asarray(y_true)
    if what.sparse:
        return y_true, y_pred if isinstance(y_pred, Tensor) else Tensor(y_pred)
    y_true, y_pred = pair(y_true, y_pred)
    dtype = y_pred.dtype if y_pred.dtype.kind == "f" else np.dtype("float32")
    if y_true.dtype != dtype:
        if y_true.dtype.kind not in "fiub":
            raise DTypeError(f"{what.name}: y_true must be numbers, got {y_true.dtype}")
        y_true = y_true.astype(dtype)
    if what.pointwise and y_true.ndim == y_pred.ndim == 1:
        return y_true[:, np.newaxis], ops.expand_dims(y_pred, axis=-1)
    return y_true, y_pred


def pair(y_true: Any, y_pred: Any) -> tuple[Any, Tensor]:
    """Return targets as an array or Tensor and predictions as a Tensor, with as many axes.

    Where one has an axis of length 1 at its end that the other lacks, it goes, but not the axis of a single
    number: (batch,) beside (batch, 1) becomes (batch, 1).

    >>> y_true, y_pred = pair([1, 2, 3], [[1.0], [2.0], [3.0]])
    >>> y_true.shape, y_pred.shape
    ((3, 1), (3, 1))
    """
    if not isinstance(y_pred, Tensor):
        y_pred = Tensor(y_pred)
    if not isinstance(y_true, Tensor | np.ndarray):
        y_true = as_array(y_true, beside=(y_pred,))
    if y_true.shape == y_pred.shape:
        return y_true, y_pred
    if y_pred.shape == (*y_true.shape, 1):
        if y_true.ndim == 1:
            return y_true.reshape(y_pred.shape), y_pred
        return y_true, y_pred.reshape(y_true.shape)
    if y_true.shape == (*y_pred.shape, 1):
        if y_pred.ndim == 1:
            return y_true, y_pred.reshape(y_true.shape)
        return y_true.reshape(y_pred.shape), y_pred
    return y_true, y_pred


def weights_for(sample_weight: Any, shape: tuple[int, ...], name: str) -> NDArray[Any]:
    """Return weights that broadcast over values of a shape: one for each sample, or for each part of it.

    Raises ShapeError if they don't belong to the leading axes.

    >>> weights_for([1.0, 2.0], (2, 3), "mean").shape
    (2, 1)
    """
    weights = np.asarray(sample_weight.data if isinstance(sample_weight, Tensor) else sample_weight)
    if weights.ndim == len(shape) + 1 and weights.shape[-1] == 1:
        weights = weights[..., 0]
    fits = weights.ndim <= len(shape) and all(
        n == m or (n == 1 and axis) for axis, (n, m) in enumerate(zip(weights.shape, shape, strict=False))
    )
    if not fits:
        raise ShapeError(
            f"{name}: sample_weight is {weights.shape}, and doesn't fit "
            + (f"losses of shape {shape}" if shape else "the one loss of the whole batch")
        )
    return weights.reshape(weights.shape + (1,) * (len(shape) - weights.ndim))
