"""Losses of scores that want a margin, as support vector machines have it."""

from typing import Any

from ... import ops
from ...tensor import Tensor
from .base import _Pointwise, _Standard, pair

__all__ = ["CategoricalHinge", "Hinge", "SquaredHinge", "categorical_hinge", "hinge", "squared_hinge"]


def hinge(y_true: Any, y_pred: Any) -> Tensor:
    """Return max(0, 1 - label · score), averaged over the last axis: (…, n) to (…,).

    The labels are -1 and 1, or 0 and 1; DataError is raised for others.

    >>> hinge([[-1, 1]], Tensor([[0.5, 3.0]]))
    Tensor([0.75])
    """
    return ops.hinge(*pair(y_true, y_pred))


def squared_hinge(y_true: Any, y_pred: Any) -> Tensor:
    """Return max(0, 1 - label · score)², averaged over the last axis: (…, n) to (…,); labels as for hinge.

    >>> squared_hinge([[-1, 1]], Tensor([[0.5, 3.0]]))
    Tensor([1.125])
    """
    return ops.squared_hinge(*pair(y_true, y_pred))


def categorical_hinge(y_true: Any, y_pred: Any) -> Tensor:
    """Return max(0, 1 + best wrong score - right score) for one-hot rows: (…, classes) to (…,).

    As in Keras, the best wrong score is at least 0.

    >>> categorical_hinge([[0.0, 1.0, 0.0]], Tensor([[0.5, 1.0, -2.0]]))
    Tensor([0.5])
    """
    return ops.categorical_hinge(*pair(y_true, y_pred))


class Hinge(_Pointwise):
    """max(0, 1 - label · score), averaged over the last axis; labels -1 and 1, or 0 and 1.

    >>> from tinygrad_edu import nn
    >>> nn.losses.Hinge()([[-1, 1]], Tensor([[0.5, 3.0]]))
    Tensor(0.75)
    """

    def call(self, y_true: Any, y_pred: Tensor) -> Tensor:
        return hinge(y_true, y_pred)


class SquaredHinge(_Pointwise):
    """max(0, 1 - label · score)², averaged over the last axis; labels -1 and 1, or 0 and 1.

    >>> from tinygrad_edu import nn
    >>> nn.losses.SquaredHinge()([[-1, 1]], Tensor([[0.5, 3.0]]))
    Tensor(1.125)
    """

    def call(self, y_true: Any, y_pred: Tensor) -> Tensor:
        return squared_hinge(y_true, y_pred)


class CategoricalHinge(_Standard):
    """max(0, 1 + best wrong score - right score), for one-hot rows.

    >>> from tinygrad_edu import nn
    >>> nn.losses.CategoricalHinge()([[0.0, 1.0, 0.0]], Tensor([[0.5, 1.0, -2.0]]))
    Tensor(0.5)
    """

    def call(self, y_true: Any, y_pred: Tensor) -> Tensor:
        return categorical_hinge(y_true, y_pred)
