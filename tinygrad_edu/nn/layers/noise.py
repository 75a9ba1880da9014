"""Dropout: noise while training, so that no unit can rely on another."""

from typing import Any

import numpy as np

from ... import ops
from ...errors import ArgumentError
from ...tensor import Tensor
from .base import Layer, Shape

__all__ = ["Dropout"]


class Dropout(Layer):
    """While training, set a share ``rate`` of the values to 0 and scale the rest by 1 / (1 - rate).

    So the expected value stays the same, and at inference nothing needs doing (Srivastava et al. 2014).
    A ``seed`` gives the layer a generator of its own; without one it draws from the default generator.

    >>> from tinygrad_edu import nn
    >>> nn.Dropout(0.5)(Tensor([[1.0, 1.0]]))
    Tensor([[1., 1.]])
    """

    fields = ("rate", "seed")

    def __init__(self, rate: float, seed: int | None = None, **options: Any) -> None:
        super().__init__(**options)
        if not 0 <= rate < 1:
            raise ArgumentError(f"Dropout: rate must be at least 0 and below 1, got {rate!r}")
        self.rate, self.seed = float(rate), seed
        self._generator = None if seed is None else np.random.default_rng(seed)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return input_shape

    def call(self, x: Any) -> Tensor:
        if not self.training or self.rate == 0:
            return x  # type: ignore[no-any-return]
        return ops.dropout(x, self.rate, generator=self._generator)
