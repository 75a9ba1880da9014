"""Focal losses: cross-entropies in which samples that are predicted well hardly count (Lin et al. 2017)."""

from typing import Any

from numpy.typing import DTypeLike

from ... import ops
from ...ops.losses import alike
from ...tensor import Tensor
from .base import EPSILON, _Pointwise, _Standard, pair
from .crossentropy import binary_losses, check_targets, logits_of, one_hot_rows, smoothed

__all__ = [
    "BinaryFocalCrossentropy",
    "CategoricalFocalCrossentropy",
    "binary_focal_crossentropy",
    "categorical_focal_crossentropy",
]


def binary_focal_crossentropy(
    y_true: Any,
    y_pred: Any,
    apply_class_balancing: bool = False,
    alpha: float = 0.25,
    gamma: float = 2.0,
    from_logits: bool = False,
    label_smoothing: float = 0.0,
    axis: int = -1,
) -> Tensor:
    """Return (1 - q)^gamma times the binary cross-entropy, q the probability given to the truth.

    Averaged over an axis: (…, n) to (…,). With ``apply_class_balancing`` yes counts ``alpha``, no
    1 - ``alpha``. The other arguments, and what is raised, are as for binary_crossentropy.

    >>> binary_focal_crossentropy([[1.0]], Tensor([[0.5]]))
    Tensor([0.1733])
    """
    name = "binary_focal_crossentropy"
    t, p = alike(name, *pair(y_true, y_pred))
    losses = binary_losses(name, t, p, from_logits, label_smoothing)
    t = smoothed(t, label_smoothing, 2)
    # What was given to the other answer: 1 - q, without the digits that the difference would lose.
    yes, no = (ops.sigmoid(p), ops.sigmoid(-p)) if from_logits else (p, 1 - p)
    losses = ops.clip(t * no + (1 - t) * yes, EPSILON) ** gamma * losses
    if apply_class_balancing:
        losses = (t * alpha + (1 - t) * (1 - alpha)) * losses
    return ops.mean(losses, axis=axis)


def categorical_focal_crossentropy(
    y_true: Any,
    y_pred: Any,
    alpha: float = 0.25,
    gamma: float = 2.0,
    from_logits: bool = False,
    label_smoothing: float = 0.0,
    axis: int = -1,
) -> Tensor:
    """Return -alpha Σ (1 - p)^gamma t ln p over the classes of one-hot targets: (…, classes) to (…,).

    The other arguments, and what is raised, are as for categorical_crossentropy.

    >>> categorical_focal_crossentropy([[0.0, 1.0]], Tensor([[0.5, 0.5]]))
    Tensor([0.0433])
    """
    name = "categorical_focal_crossentropy"
    t, p = one_hot_rows(name, y_true, y_pred, axis)
    check_targets(name, t)
    t = smoothed(t, label_smoothing, p.shape[-1])
    logs = ops.log_softmax(p) if from_logits else logits_of(name, p)
    return -alpha * ops.sum(ops.clip(-ops.expm1(logs), EPSILON) ** gamma * t * logs, axis=-1)


class BinaryFocalCrossentropy(_Pointwise):
    """(1 - q)^gamma times the binary cross-entropy, q the probability that was given to the truth.

    Parameters
    ----------
    apply_class_balancing, alpha
        Weigh yes by ``alpha``, no by 1 - ``alpha``.
    gamma
        How little samples count that are predicted well; with 0 it is the cross-entropy.
    from_logits, label_smoothing, axis
        As for BinaryCrossentropy.
    reduction, name, dtype
        As for a Loss.

    >>> from tinygrad_edu import nn
    >>> nn.losses.BinaryFocalCrossentropy()([[1.0], [1.0]], Tensor([[0.5], [0.9]]), [1, 0])
    Tensor(0.0866)
    """

    def __init__(
        self,
        apply_class_balancing: bool = False,
        alpha: float = 0.25,
        gamma: float = 2.0,
        from_logits: bool = False,
        label_smoothing: float = 0.0,
        axis: int = -1,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = None,
        dtype: DTypeLike | None = None,
    ) -> None:
        super().__init__(reduction, name, dtype)
        self.apply_class_balancing, self.alpha, self.gamma = apply_class_balancing, alpha, gamma
        self.from_logits, self.label_smoothing, self.axis = from_logits, label_smoothing, axis

    def call(self, y_true: Any, y_pred: Tensor) -> Tensor:
        return binary_focal_crossentropy(
            y_true, y_pred, self.apply_class_balancing, self.alpha, self.gamma, self.from_logits,
            self.label_smoothing, self.axis,
        )  # fmt: skip


class CategoricalFocalCrossentropy(_Standard):
    """-alpha Σ (1 - p)^gamma t ln p over the classes of one-hot targets.

    Parameters
    ----------
    alpha
        A factor for all classes.
    gamma
        How little samples count that are predicted well; with 0 it is the cross-entropy times ``alpha``.
    from_logits, label_smoothing, axis
        As for CategoricalCrossentropy.
    reduction, name, dtype
        As for a Loss.

    >>> from tinygrad_edu import nn
    >>> nn.losses.CategoricalFocalCrossentropy()([[0.0, 1.0]], Tensor([[0.5, 0.5]]))
    Tensor(0.0433)
    """

    def __init__(
        self,
        alpha: float = 0.25,
        gamma: float = 2.0,
        from_logits: bool = False,
        label_smoothing: float = 0.0,
        axis: int = -1,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = None,
        dtype: DTypeLike | None = None,
    ) -> None:
        super().__init__(reduction, name, dtype)
        self.alpha, self.gamma = alpha, gamma
        self.from_logits, self.label_smoothing, self.axis = from_logits, label_smoothing, axis

    def call(self, y_true: Any, y_pred: Tensor) -> Tensor:
        return categorical_focal_crossentropy(
            y_true, y_pred, self.alpha, self.gamma, self.from_logits, self.label_smoothing, self.axis
        )
