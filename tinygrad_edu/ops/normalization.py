"""Normalisation: bring values to mean 0 and variance 1, then let the network choose scale and shift.

One operation stands under all of it. What differs is which values are averaged together: all but the
channel (batch), one sample's channels (layer), one sample's groups of channels (group).
"""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from .. import kernels, ops
from ..errors import ArgumentError, ShapeError
from ..function import Function, shape_of
from ..tensor import Tensor
from .parameters import number, whole_number
from .reduction import floating, normalize_axes, normalize_axis
from .registry import register

__all__ = ["batch_norm", "group_norm", "layer_norm", "moments"]

Shape = tuple[int, ...]


@register
class Normalize(Function):
    name = "normalize"
    formula = (
        r"y = \gamma\, \frac{x - \mu}{\sqrt{\sigma^2 + \epsilon}} + \beta, \quad "
        r"\mu = \frac{1}{n} \sum_i x_i, \quad \sigma^2 = \frac{1}{n} \sum_i (x_i - \mu)^2"
    )
    derivative = (
        r"\bar{x} = \frac{1}{s} \left(h - \langle h \rangle - \hat{x} \langle h \hat{x} \rangle\right), "
        r"\quad h = \gamma \bar{y}, \; s = \sqrt{\sigma^2 + \epsilon}, \; \hat{x} = (x - \mu) / s, \quad "
        r"\bar{\gamma} = \sum \bar{y}\, \hat{x}, \quad \bar{\beta} = \sum \bar{y}"
    )
    words = "Shifts and scales to mean 0 and variance 1; the gradient loses what would only shift or scale."

    @staticmethod
    def forward(x: Any, gamma: Any, beta: Any, *, axes: Shape, epsilon: float) -> Any:
        x, gamma, beta = floating(x), np.asarray(gamma), np.asarray(beta)
        return kernels.normalize(x, gamma, beta, axes, epsilon)

    @staticmethod
    def backward(
        g: Any, x: Any, gamma: Any, beta: Any, out: Any, needs: Any, axes: Shape, epsilon: float
    ) -> Any:
        (g, g_mean, g_variance), (_, mean, variance) = g, out
        if isinstance(g, np.ndarray):
            return kernels.normalize_grad(
                g, g_mean, g_variance, x, gamma, beta, mean, variance, axes, epsilon
            )
        n, inverse = _count(x.shape, axes), 1 / ops.sqrt(variance + epsilon)
        centred, wide = x - _spread(mean, x.shape, axes), _spread(inverse, x.shape, axes)
        dx = dgamma = dbeta = None
        if needs[0]:
            # All the terms but the first are a constant and a multiple of x - mean in each group, so they
            # are worked out on the small arrays; the gradients of mean and variance just join them there.
            h = g * gamma
            shift = g_mean / n - inverse * (ops.sum(h, axis=axes, keepdims=True) / n)
            along = ops.sum(h * centred, axis=axes, keepdims=True)
            slope = (2 * g_variance - inverse**3 * along) / n
            dx = h * wide + centred * _spread(slope, x.shape, axes) + _spread(shift, x.shape, axes)
        if needs[1]:
            dgamma = ops.unbroadcast(g * (centred * wide), gamma.shape)
        if needs[2]:
            dbeta = ops.unbroadcast(g, beta.shape)
        return dx, dgamma, dbeta


def _spread(small: Any, shape: Shape, axes: Shape) -> Any:
    """Repeat one number for a group of channels for each channel, where a group is all that lies innermost.

    NumPy is slow where its innermost loop is short: over the few channels of a group rather than all.
    """
    last = len(shape) - 1
    grouped = last in axes and last - 1 not in axes and len(axes) > 1
    return ops.repeat(small, shape[last], axis=last) if grouped else small


def _count(shape: Shape, axes: Shape) -> int:
    return max(math.prod([shape[a] for a in axes]), 1)


def moments(x: Any, /, *, axis: int | Shape | None = None, keepdims: bool = False) -> tuple[Any, Any]:
    """Return the mean and the variance (divided by n) over an axis, several, or all.

    Both have x's shape without the axes (with 1 there if ``keepdims``), and x's dtype; whole numbers give
    floats. Raises ShapeError for an axis that x hasn't.

    >>> moments(Tensor([1.0, 3.0]))
    (Tensor(2.), Tensor(1.))
    """
    mean = ops.mean(x, axis=axis, keepdims=True)
    spread = ops.mean(ops.square(ops.subtract(x, mean)), axis=axis, keepdims=keepdims)
    return (mean if keepdims else ops.reshape(mean, shape_of(spread))), spread


def batch_norm(
    x: Any,
    gamma: Any = None,
    beta: Any = None,
    /,
    *,
    mean: Any = None,
    variance: Any = None,
    axis: int = -1,
    epsilon: float = 1e-3,
    return_moments: bool = False,
) -> Any:
    """Normalise each channel over the batch and all places: y = gamma (x - μ) / √(σ² + ε) + beta.

    Parameters
    ----------
    x
        Floats of any shape with at least one axis, such as (N, C) or (N, H, W, C).
    gamma, beta
        Scale and shift of each channel, (C,); 1 and 0 if left out.
    mean, variance
        What to normalise with, (C,), as at inference; by default the batch's own.
    axis
        The axis of the channels.
    epsilon
        Added to the variance, so that a constant channel divides by √ε and not by 0.
    return_moments
        Return the mean and the (biased) variance that were used as well, each (C,).

    Returns
    -------
    A tensor of x's shape and dtype; with ``return_moments`` a tuple (y, mean, variance).

    Raises
    ------
    ShapeError
        If gamma, beta, mean or variance isn't of shape (C,), or x has no such axis.
    ArgumentError
        If only one of mean and variance is given, or epsilon is negative.

    Examples
    --------
    >>> batch_norm(Tensor([[1.0, 10.0], [3.0, 30.0]]), epsilon=0.0)
    Tensor([[-1., -1.],
            [ 1.,  1.]])

    References: Ioffe & Szegedy, *Batch normalization*, 2015.
    """
    shape, epsilon = _checked("batch_norm", x, epsilon)
    kept = normalize_axis(axis, len(shape), "batch_norm")
    parameters = {"gamma": gamma, "beta": beta, "mean": mean, "variance": variance}
    channel = {name: _along(name, p, shape, kept) for name, p in parameters.items() if p is not None}
    gamma, beta = channel.get("gamma", 1), channel.get("beta", 0)
    if (mean is None) != (variance is None):
        raise ArgumentError("batch_norm: give both mean and variance, or neither to use the batch's own")
    if mean is not None:
        y = ops.subtract(x, channel["mean"]) * (gamma / ops.sqrt(channel["variance"] + epsilon)) + beta
        return (y, mean, variance) if return_moments else y
    axes = tuple([a for a in range(len(shape)) if a != kept])
    y, mean, variance = Normalize.apply(*_filled(x, gamma, beta), axes=axes, epsilon=epsilon)
    if return_moments:
        return y, ops.reshape(mean, (shape[kept],)), ops.reshape(variance, (shape[kept],))
    return y


def layer_norm(
    x: Any,
    gamma: Any = None,
    beta: Any = None,
    /,
    *,
    axis: int | Sequence[int] = -1,
    epsilon: float = 1e-3,
) -> Tensor:
    """Normalise each sample over its own features: y = gamma (x - μ) / √(σ² + ε) + beta.

    The result has x's shape and dtype. ``axis`` says over which axes (by default the last, of the
    channels); ``gamma`` and ``beta`` have the shape of those axes, and are 1 and 0 if left out. Raises
    ShapeError for an axis that x hasn't, and for a gamma or beta of another shape, ArgumentError for a
    negative epsilon.

    >>> layer_norm(Tensor([[1.0, 3.0], [10.0, 30.0]]), epsilon=0.0)
    Tensor([[-1.,  1.],
            [-1.,  1.]])

    References: Ba, Kiros & Hinton, *Layer normalization*, 2016.
    """
    shape, epsilon = _checked("layer_norm", x, epsilon)
    axes = tuple(sorted(normalize_axes((axis,) if axis is None else axis, len(shape), "layer_norm")))
    named, wanted = [], tuple([shape[a] for a in axes])
    for name, p in (("gamma", gamma), ("beta", beta)):
        if p is not None:
            if shape_of(p) != wanted:
                raise ShapeError(
                    f"layer_norm: {name} must have the shape of the axes {axes} of x {shape}, which is "
                    f"{wanted}; it is {shape_of(p)}"
                )
            p = ops.reshape(p, tuple([n if a in axes else 1 for a, n in enumerate(shape)]))
        named.append(p)
    scale, offset = named
    filled = _filled(x, 1 if scale is None else scale, 0 if offset is None else offset)
    return Normalize.apply(*filled, axes=axes, epsilon=epsilon)[0]


def group_norm(
    x: Any,
    gamma: Any = None,
    beta: Any = None,
    /,
    *,
    groups: int = 32,
    axis: int = -1,
    epsilon: float = 1e-3,
) -> Tensor:
    """Normalise each sample over groups of channels and all places: y = gamma (x - μ) / √(σ² + ε) + beta.

    x is (N, …, C) with the channels at ``axis``, gamma and beta are (C,), 1 and 0 if left out; the result has
    x's shape and dtype. One group is layer normalisation over all axes but the first, C groups are instance
    normalisation. Raises ArgumentError if the groups don't divide the channels or epsilon is negative, and
    ShapeError for a gamma or beta of another shape.

    >>> group_norm(Tensor([[1.0, 3.0, 10.0, 30.0]]), groups=2, epsilon=0.0)
    Tensor([[-1.,  1., -1.,  1.]])

    References: Wu & He, *Group normalization*, 2018.
    """
    shape, epsilon = _checked("group_norm", x, epsilon)
    kept = normalize_axis(axis, len(shape), "group_norm")
    groups = whole_number("group_norm: groups", groups)
    channels = shape[kept]
    if len(shape) < 2 or kept == 0:
        raise ShapeError(f"group_norm: expected samples along the first axis and channels, got x {shape}")
    if groups < 1 or channels % groups:
        raise ArgumentError(f"group_norm: {groups} groups don't divide the {channels} channels of x {shape}")
    split = (*shape[:kept], groups, channels // groups, *shape[kept + 1 :])
    parameters = []
    for name, p, neutral in (("gamma", gamma, 1), ("beta", beta, 0)):
        p = neutral if p is None else _along(name, p, shape, kept)
        flat = (1,) * kept + (groups, channels // groups) + (1,) * (len(shape) - kept - 1)
        parameters.append(p if isinstance(p, int) else ops.reshape(p, flat))
    axes = tuple([a for a in range(1, len(split)) if a != kept])
    filled = _filled(ops.reshape(x, split), *parameters)
    return ops.reshape(Normalize.apply(*filled, axes=axes, epsilon=epsilon)[0], shape)


def _checked(name: str, x: Any, epsilon: Any) -> tuple[Shape, float]:
    """Check what all have in common; return x's shape and epsilon."""
    shape: Shape = tuple(np.shape(x) if not isinstance(x, Tensor) else x.shape)
    epsilon = number(f"{name}: epsilon", epsilon)
    if not epsilon >= 0:
        raise ArgumentError(f"{name}: epsilon must be at least 0, got {epsilon!r}")
    return shape, epsilon


def _along(name: str, p: Any, shape: Shape, axis: int) -> Any:
    """Lay the numbers of each channel along the channels' axis."""
    got = np.shape(p) if not isinstance(p, Tensor) else p.shape
    if got != (shape[axis],):
        raise ShapeError(
            f"{name} must be one number for each of the {shape[axis]} channels (axis {axis} of x {shape}): "
            f"expected shape ({shape[axis]},), got {got}"
        )
    places = len(shape) - axis - 1
    return ops.reshape(p, (shape[axis],) + (1,) * places) if places else p


def _filled(x: Any, *parameters: Any) -> tuple[Any, ...]:
    """Give the numbers that stand for a missing scale and shift x's dtype."""
    dtype = floating(np.empty(0, x.dtype) if hasattr(x, "dtype") else x).dtype
    return (x, *[np.array(p, dtype) if isinstance(p, int) else p for p in parameters])
