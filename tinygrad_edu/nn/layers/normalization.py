"""Normalisation: values of mean 0 and variance 1, over the batch or over each sample's own features."""

from typing import Any

import numpy as np

from ... import ops
from ...context import context
from ...errors import ArgumentError
from ...ops.reduction import normalize_axes, normalize_axis
from ...tensor import Tensor
from .base import Layer, Shape

__all__ = ["BatchNormalization", "LayerNormalization"]


class BatchNormalization(Layer):
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
        self.axis, self.momentum, self.epsilon = int(axis), float(momentum), _epsilon(self, epsilon)
        self.center, self.scale = center, scale

    def build(self, input_shape: Shape) -> None:
        axis = normalize_axis(self.axis, len(input_shape), self.name)
        if axis == 0:
            raise ArgumentError(
                f"{self.name}: axis {self.axis} must be that of the channels, and here it is that of the "
                f"batch: the input has {len(input_shape)} axes. Name the channels' axis, or "
                "give a single sample an axis for the batch: x[None]"
            )
        channels = (input_shape[axis],)
        self.gamma = self.add_weight("gamma", channels, **self.rule("gamma")) if self.scale else None
        self.beta = self.add_weight("beta", channels, **self.rule("beta")) if self.center else None
        self.moving_mean = self.add_weight(
            "moving_mean", channels, trainable=False, **self.rule("moving_mean")
        )
        self.moving_variance = self.add_weight(
            "moving_variance", channels, trainable=False, **self.rule("moving_variance")
        )

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return input_shape

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


class LayerNormalization(Layer):
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
        self.axis = [int(a) for a in axis] if isinstance(axis, tuple | list) else int(axis)
        self.epsilon = _epsilon(self, epsilon)
        self.center, self.scale = center, scale

    def build(self, input_shape: Shape) -> None:
        axes = sorted(normalize_axes(self.axis, len(input_shape), self.name))
        if 0 in axes:
            raise ArgumentError(f"{self.name}: axis {self.axis} has the batch's in it; name the features'")
        shape = tuple(input_shape[a] for a in axes)
        self.gamma = self.add_weight("gamma", shape, **self.rule("gamma")) if self.scale else None
        self.beta = self.add_weight("beta", shape, **self.rule("beta")) if self.center else None

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return input_shape

    def call(self, x: Any) -> Tensor:
        return ops.layer_norm(x, self.gamma, self.beta, axis=self.axis, epsilon=self.epsilon)


def _epsilon(layer: Layer, value: Any) -> float:
    if not isinstance(value, int | float | np.number) or not 0 <= value < np.inf:
        raise ArgumentError(f"{type(layer).__name__}: epsilon must be a number of at least 0, got {value!r}")
    return float(value)
