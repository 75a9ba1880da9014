"""Sampling: a random code that gradients flow through."""

from typing import Any

import numpy as np

from ... import ops
from ...errors import ArgumentError
from ...random import default_generator
from ...tensor import Tensor
from ..symbolic import is_shape
from .base import Layer, Shape

__all__ = ["Sampling"]


class Sampling(Layer):
    """mean + exp(log_variance / 2) · ε with ε from N(0, 1): a sample of N(mean, variance), differentiable.

    The randomness comes from outside, so the sample is a smooth function of mean and variance and gradients
    flow to both: the *reparameterisation trick* (Kingma & Welling 2014). It samples in training and at
    inference alike. A ``seed`` gives the layer a generator of its own.

    Input a list [mean, log_variance] of one shape, output of that shape. Raises ArgumentError for another
    number of inputs.

    >>> from tinygrad_edu import nn
    >>> mean, log_variance = Tensor([[1.0, -1.0]]), Tensor([[-100.0, -100.0]])
    >>> nn.Sampling()([mean, log_variance])
    Tensor([[ 1., -1.]])
    """

    fields = ("seed",)

    def __init__(self, seed: int | None = None, **options: Any) -> None:
        super().__init__(**options)
        self.seed = seed
        self._generator = None if seed is None else np.random.default_rng(seed)

    def build(self, input_shape: Any) -> None:
        if is_shape(input_shape) or len(input_shape) != 2:
            raise ArgumentError(f"{self.name}: expected [mean, log_variance]")

    def compute_output_shape(self, input_shape: Any) -> Shape:
        return tuple(input_shape[0])

    def call(self, inputs: Any) -> Tensor:
        mean, log_variance = inputs
        generator = self._generator or default_generator()
        noise = generator.standard_normal(mean.shape).astype(mean.dtype)
        return mean + ops.exp(log_variance * 0.5) * noise  # type: ignore[no-any-return]
