"""Normalisation: values of mean 0 and variance 1, over the batch or over each sample's own features."""

from typing import Any, cast

from ... import ops
from ...context import context
from ...errors import ArgumentError, ShapeError
from ...ops.reduction import normalize_axes
from ...ops.statistics import vector_norm
from ...tensor import Tensor
from ..module import not_negative, positive
from .base import Layer, SameShape, Shape

__all__ = [
    "BatchNorm", "BatchNormalization", "GroupNormalization", "LayerNormalization", "RMSNormalization",
    "UnitNormalization",
]  # fmt: skip


class BatchNormalization(SameShape):
    """gamma (x - μ) / √(σ² + ε) + beta, with each channel's mean and variance over the batch and all places.

    While training these are the batch's own, and running averages of them are kept: moving ← momentum ·
    moving + (1 - momentum) · the batch's. Those take their place at inference and, as in Keras, in a layer
    that is frozen (``trainable = False``). So a sample's result in training depends on the others' in its
    batch, and at inference it doesn't.

    Parameters
    ----------
    axis
        The axis of the channels, counted with the batch axis.
    momentum
        How slowly the running averages follow.
    epsilon
        Added to the variance, so that a constant channel isn't divided by 0.
    center, scale
        Whether there is a beta, a gamma.
    options
        Of a Layer; the kinds of weights are "beta", "gamma", "moving_mean" and "moving_variance".

    Input and output of any one shape; gamma, beta, moving_mean and moving_variance (C,), the latter two not
    trained. From: Ioffe & Szegedy, *Batch normalization*, 2015.

    >>> from tinygrad_edu import nn
    >>> layer = nn.BatchNormalization(scale=False, center=False)
    >>> layer(Tensor([[1.0], [3.0]]), training=True)
    Tensor([[-0.9995],
            [ 0.9995]])
    >>> layer.moving_mean
    Parameter([0.02], name='batch_normalization/moving_mean')
    """

    fields = ("axis", "momentum", "epsilon", "center", "scale")
    kinds = {"beta": "zeros", "gamma": "ones", "moving_mean": "zeros", "moving_variance": "ones"}  # noqa: RUF012

    def __init__(
        self,
        axis: int = -1,
        momentum: float = 0.99,
        epsilon: float = 1e-3,
        center: bool = True,
        scale: bool = True,
        **options: Any,
    ) -> None:
        super().__init__(**options)
        if not 0 <= momentum <= 1:
            raise ArgumentError(f"BatchNormalization: momentum must be between 0 and 1, got {momentum!r}")
        self.axis, self.momentum = int(axis), float(momentum)
        self.epsilon = not_negative(epsilon, "BatchNormalization: epsilon")
        self.center, self.scale = center, scale

    def build(self, input_shape: Shape) -> None:
        channels = lengths(self, input_shape, self.axis)
        self.gamma = self.add_weight("gamma", channels, **self.rule("gamma")) if self.scale else None
        self.beta = self.add_weight("beta", channels, **self.rule("beta")) if self.center else None
        self.moving_mean = self.add_weight(
            "moving_mean", channels, trainable=False, **self.rule("moving_mean")
        )
        self.moving_variance = self.add_weight(
            "moving_variance", channels, trainable=False, **self.rule("moving_variance")
        )

    def call(self, x: Any) -> Tensor:
        rule: Any = {"axis": self.axis, "epsilon": self.epsilon}
        if not (self.training and self.trainable):
            rule |= {"mean": self.moving_mean, "variance": self.moving_variance}
            return ops.batch_norm(x, self.gamma, self.beta, **rule)  # type: ignore[no-any-return]
        y, mean, variance = ops.batch_norm(x, self.gamma, self.beta, **rule, return_moments=True)
        if x.size and not context.again:  # a checkpoint's second run has been counted
            for moving, now in ((self.moving_mean, mean), (self.moving_variance, variance)):
                moving.data = self.momentum * moving.data + (1 - self.momentum) * now.data
        return y  # type: ignore[no-any-return]


class LayerNormalization(SameShape):
    """gamma (x - μ) / √(σ² + ε) + beta, with each sample's mean and variance over its own features.

    No sample depends on another, and training and inference are alike.

    Parameters
    ----------
    axis
        The axis, or the axes, of the features, counted with the batch axis.
    epsilon, center, scale, options
        As for BatchNormalization.

    Input and output of any one shape; gamma and beta have the lengths of the axes. From: Ba, Kiros &
    Hinton, *Layer normalization*, 2016.

    >>> from tinygrad_edu import nn
    >>> nn.LayerNormalization(epsilon=0)(Tensor([[1.0, 3.0], [10.0, 30.0]])).data
    array([[-1.,  1.],
           [-1.,  1.]], dtype=float32)
    """

    fields = ("axis", "epsilon", "center", "scale")
    kinds = {"beta": "zeros", "gamma": "ones"}  # noqa: RUF012

    def __init__(
        self,
        axis: Any = -1,
        epsilon: float = 1e-3,
        center: bool = True,
        scale: bool = True,
        **options: Any,
    ) -> None:
        super().__init__(**options)
        self.axis, self.epsilon = _axes(axis), not_negative(epsilon, "LayerNormalization: epsilon")
        self.center, self.scale = center, scale

    def build(self, input_shape: Shape) -> None:
        shape = lengths(self, input_shape, self.axis)
        self.gamma = self.add_weight("gamma", shape, **self.rule("gamma")) if self.scale else None
        self.beta = self.add_weight("beta", shape, **self.rule("beta")) if self.center else None

    def call(self, x: Any) -> Tensor:
        return ops.layer_norm(x, self.gamma, self.beta, axis=self.axis, epsilon=self.epsilon)


class GroupNormalization(SameShape):
    """gamma (x - μ) / √(σ² + ε) + beta, with each sample's mean and variance over groups of channels.

    No sample depends on another, so it works with batches of any size.

    Parameters
    ----------
    groups
        How many; the channels of one group and all their places share a mean and a variance. -1 makes each
        channel a group: instance normalisation.
    axis
        The axis of the channels, counted with the batch axis.
    epsilon, center, scale, options
        As for BatchNormalization.

    Input and output of any one shape; gamma and beta (C,). Raises ArgumentError if the groups don't divide
    the channels. From: Wu & He, *Group normalization*, 2018.

    >>> from tinygrad_edu import nn
    >>> nn.GroupNormalization(2, epsilon=0)(Tensor([[1.0, 3.0, 10.0, 30.0]])).data
    array([[-1.,  1., -1.,  1.]], dtype=float32)
    """

    fields = ("groups", "axis", "epsilon", "center", "scale")
    kinds = {"beta": "zeros", "gamma": "ones"}  # noqa: RUF012

    def __init__(
        self,
        groups: int = 32,
        axis: int = -1,
        epsilon: float = 1e-3,
        center: bool = True,
        scale: bool = True,
        **options: Any,
    ) -> None:
        super().__init__(**options)
        self.groups = groups if groups == -1 else positive(groups, "GroupNormalization: groups")
        self.axis, self.epsilon = int(axis), not_negative(epsilon, "GroupNormalization: epsilon")
        self.center, self.scale = center, scale

    def build(self, input_shape: Shape) -> None:
        (channels,) = lengths(self, input_shape, self.axis)
        if self.groups > channels or channels % self.groups:
            raise ArgumentError(f"{self.name}: groups={self.groups} don't divide the {channels} channels")
        self.gamma = self.add_weight("gamma", (channels,), **self.rule("gamma")) if self.scale else None
        self.beta = self.add_weight("beta", (channels,), **self.rule("beta")) if self.center else None

    def call(self, x: Any) -> Tensor:
        groups = x.shape[self.axis] if self.groups == -1 else self.groups
        return ops.group_norm(x, self.gamma, self.beta, groups=groups, axis=self.axis, epsilon=self.epsilon)


class RMSNormalization(SameShape):
    """scale · x / √(mean(x²) + ε), with each sample's mean over its own features: no mean is taken away.

    ``axis`` is the axis, or the axes, of the features, counted with the batch axis; the weight scale has
    their lengths. From: Zhang & Sennrich, *Root mean square layer normalization*, 2019.

    >>> from tinygrad_edu import nn
    >>> nn.RMSNormalization(epsilon=0)(Tensor([[3.0, -3.0]])).data
    array([[ 1., -1.]], dtype=float32)
    """

    fields = ("axis", "epsilon")

    def __init__(self, axis: Any = -1, epsilon: float = 1e-6, **options: Any) -> None:
        super().__init__(**options)
        self.axis, self.epsilon = _axes(axis), not_negative(epsilon, "RMSNormalization: epsilon")

    def build(self, input_shape: Shape) -> None:
        self.scale = self.add_weight("scale", lengths(self, input_shape, self.axis), "ones")

    def call(self, x: Any) -> Tensor:
        axes = sorted(normalize_axes(self.axis, x.ndim, self.name))
        power = ops.mean(ops.square(x), axis=tuple(axes), keepdims=True)
        scale = ops.reshape(self.scale, tuple(n if a in axes else 1 for a, n in enumerate(x.shape)))
        return x * ops.rsqrt(power + self.epsilon) * scale  # type: ignore[no-any-return]


class UnitNormalization(SameShape):
    """x / ‖x‖: vectors along an axis, or several together, of length 1; zeros stay zeros.

    >>> from tinygrad_edu import nn
    >>> nn.UnitNormalization()(Tensor([[3.0, 4.0]]))
    Tensor([[0.6, 0.8]])
    """

    fields = ("axis",)

    def __init__(self, axis: Any = -1, **options: Any) -> None:
        super().__init__(**options)
        self.axis = _axes(axis)

    def call(self, x: Any) -> Tensor:
        return unit(x, self.axis, 1e-12)


def unit(x: Any, axis: Any, epsilon: float) -> Tensor:
    """Return vectors along an axis divided by their length, or by epsilon if that is larger."""
    axes = tuple(axis) if isinstance(axis, list) else axis
    return ops.divide(x, ops.maximum(vector_norm(x, axis=axes, keepdims=True), epsilon))


def lengths(layer: Layer, input_shape: Shape, axis: Any) -> tuple[int, ...]:
    """Return the lengths of the features' axes, in order; they must be fixed, and not the batch's."""
    axes = sorted(normalize_axes(axis, len(input_shape), layer.name))
    if 0 in axes:
        raise ArgumentError(
            f"{layer.name}: axis {axis} is that of the batch, and must be that of the channels or features: "
            f"the input has {len(input_shape)} axes. Name another, or give a single sample an axis for the "
            "batch: x[None]"
        )
    found = tuple([input_shape[a] for a in axes])
    if None in found:
        raise ShapeError(f"{layer.name}: axis {axis} needs a fixed length, got {input_shape}")
    return cast("tuple[int, ...]", found)


def _axes(axis: Any) -> Any:
    return [int(a) for a in axis] if isinstance(axis, tuple | list) else int(axis)


BatchNorm = BatchNormalization
