"""Losses of overlap, for segmentation: how much of what was marked should have been, and the reverse."""

from typing import Any

from numpy.typing import DTypeLike

from ... import ops
from ...ops.losses import alike
from ...tensor import Tensor
from .base import EPSILON, _Standard, pair

__all__ = ["Dice", "Tversky", "dice", "tversky"]


def dice(y_true: Any, y_pred: Any, axis: Any = None) -> Tensor:
    """Return 1 - 2 Σ t p / (Σ t + Σ p): 0 where masks t and p are the same, near 1 where they don't meet.

    ``axis`` is what is summed over, an axis or several; by default all of the batch, which gives one number.

    >>> dice([[1.0, 1.0, 0.0]], Tensor([[1.0, 0.0, 0.0]]))
    Tensor(0.3333)
    """
    t, p = alike("dice", *pair(y_true, y_pred))
    axis = _axes(axis)
    both, all_of_it = ops.sum(t * p, axis=axis), ops.sum(t, axis=axis) + ops.sum(p, axis=axis)
    return 1 - 2 * both / (all_of_it + EPSILON)


def tversky(y_true: Any, y_pred: Any, alpha: float = 0.5, beta: float = 0.5, axis: Any = None) -> Tensor:
    """Return 1 - m / (m + alpha Σ t (1 - p) + beta Σ (1 - t) p), with m = Σ t p, for masks t and p.

    ``alpha`` weighs what was missed, ``beta`` what was marked wrongly (as Keras computes; its page has it the
    other way round). With both a half it is Dice. ``axis`` is as for dice.

    >>> tversky([[1.0, 1.0, 0.0]], Tensor([[1.0, 0.0, 0.0]]), alpha=0.7, beta=0.3)
    Tensor(0.4118)
    """
    t, p = alike("tversky", *pair(y_true, y_pred))
    axis = _axes(axis)
    both, missed, wrong = (ops.sum(x, axis=axis) for x in (t * p, t * (1 - p), (1 - t) * p))
    return 1 - both / (both + alpha * missed + beta * wrong + EPSILON)


def _axes(axis: Any) -> Any:
    return tuple(axis) if isinstance(axis, list) else axis


class Dice(_Standard):
    """1 - 2 Σ t p / (Σ t + Σ p), for masks t and p (Milletari et al. 2016 square the sums of the divisor).

    By default over the batch as a whole, so that weights of samples have no place; with ``axis`` for each
    sample or class: ``axis=(1, 2, 3)`` for images.

    >>> from tinygrad_edu import nn
    >>> nn.losses.Dice()([[1.0, 1.0, 0.0]], Tensor([[1.0, 0.0, 0.0]]))
    Tensor(0.3333)
    """

    def __init__(
        self,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = None,
        axis: Any = None,
        dtype: DTypeLike | None = None,
    ) -> None:
        super().__init__(reduction, name, dtype)
        self.axis = axis

    def call(self, y_true: Any, y_pred: Tensor) -> Tensor:
        return dice(y_true, y_pred, self.axis)


class Tversky(_Standard):
    """1 - m / (m + alpha Σ t (1 - p) + beta Σ (1 - t) p), with m = Σ t p, for masks t and p.

    (Salehi et al. 2017.) ``alpha`` weighs what was missed, ``beta`` what was marked wrongly; ``axis`` is as
    for Dice.

    >>> from tinygrad_edu import nn
    >>> nn.losses.Tversky(alpha=0.7, beta=0.3)([[1.0, 1.0, 0.0]], Tensor([[1.0, 0.0, 0.0]]))
    Tensor(0.4118)
    """

    def __init__(
        self,
        alpha: float = 0.5,
        beta: float = 0.5,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = None,
        axis: Any = None,
        dtype: DTypeLike | None = None,
    ) -> None:
        super().__init__(reduction, name, dtype)
        self.alpha, self.beta, self.axis = alpha, beta, axis

    def call(self, y_true: Any, y_pred: Tensor) -> Tensor:
        return tversky(y_true, y_pred, self.alpha, self.beta, self.axis)
