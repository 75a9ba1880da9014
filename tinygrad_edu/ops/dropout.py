"""Dropout: noise while training."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..errors import ArgumentError, DTypeError, ShapeError
from ..function import Function, shape_of
from ..random import default_generator
from ..tensor import Tensor
from .parameters import number, whole_numbers
from .reduction import floating
from .registry import register

__all__ = ["dropout"]


@register
class Dropout(Function):
    name = "dropout"
    formula = r"y_i = \frac{m_i}{1 - p}\, x_i, \quad m_i \in \{0, 1\}"
    derivative = r"\bar{x}_i = \frac{m_i}{1 - p}\, \bar{y}_i"
    words = "Drops a random share of the values and scales up the rest; the gradient takes the same way."

    # The mask comes as an input: what is drawn is no part of what is differentiated.
    @staticmethod
    def forward(x: Any, mask: Any, *, rate: float) -> Any:
        x = floating(x)
        if np.broadcast_shapes(x.shape, np.shape(mask)) != x.shape:
            raise ShapeError(f"the mask {np.shape(mask)} doesn't broadcast to x's shape {x.shape}")
        return x * (mask / np.asarray(1 - rate, x.dtype))

    @staticmethod
    def backward(g: Any, mask: Any, rate: float) -> Any:
        return Dropout.apply(g, mask, rate=rate), None


def dropout(
    x: Any,
    rate: float,
    /,
    *,
    generator: np.random.Generator | None = None,
    noise_shape: Sequence[int | None] | None = None,
) -> Tensor:
    """Return x with each value set to 0 with probability ``rate`` and the rest scaled by 1 / (1 - rate).

    So the expected values stay the same (Srivastava et al. 2014). Shape and dtype are x's; whole numbers
    become floats. It draws from ``generator``, by default the one that ``te.seed`` resets. ``noise_shape`` is
    the mask's shape, as in Keras: along an axis of 1 all values are dropped or kept together, and None stands
    for x's own side.

    Raises ArgumentError for a rate outside 0 ≤ rate < 1, ShapeError for a noise_shape that doesn't fit.

    >>> dropout(Tensor([1.0, 2.0, 3.0, 4.0]), 0.5, generator=np.random.default_rng(0))
    Tensor([2., 4., 6., 0.])
    """
    rate = number("dropout: rate", rate)
    if not 0 <= rate < 1:
        raise ArgumentError(f"dropout: rate must be at least 0 and below 1, got {rate!r}")
    shape = shape_of(x)
    if noise_shape is not None:
        noise_shape = (noise_shape,) if isinstance(noise_shape, int) else tuple(noise_shape)
        sides = whole_numbers("dropout: noise_shape", [1 if m is None else m for m in noise_shape])
        if min(sides, default=1) < 0:
            raise ShapeError(f"dropout: noise_shape {noise_shape} has a negative side")
        if len(noise_shape) != len(shape):
            raise ShapeError(f"dropout: noise_shape {noise_shape} must have as many axes as x, {shape}")
        shape = tuple([n if m is None else m for m, n in zip(noise_shape, shape, strict=True)])
    if not isinstance(generator, np.random.Generator | None):
        raise DTypeError(f"dropout: generator must be a np.random.Generator, got {generator!r}")
    mask = (generator or default_generator()).random(shape, np.float32) >= rate
    return Dropout.apply(x, mask, rate=rate)
