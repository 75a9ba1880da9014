"""Noise while training, so that no unit can rely on another: Dropout and its kin; nothing at inference."""

import math
from typing import Any, ClassVar

import numpy as np

from ... import ops
from ...ops.activations import SELU_ALPHA, SELU_SCALE
from ...random import default_generator
from ...tensor import Tensor
from ..module import not_negative, share
from .base import SameShape
from .windows import expect_channels_last, expect_rank

__all__ = [
    "AlphaDropout", "Dropout", "GaussianDropout", "GaussianNoise", "SpatialDropout1D", "SpatialDropout2D",
]  # fmt: skip


class _Noise(SameShape):
    """The base: with a ``seed`` it has a generator of its own, else it draws from the default one."""

    amount = "rate"  # the argument that says how much; at 0 there is none

    def __init__(self, seed: int | None, **options: Any) -> None:
        super().__init__(**options)
        self.seed = seed
        self._generator = None if seed is None else np.random.default_rng(seed)

    def call(self, x: Any) -> Tensor:
        return self.noisy(x) if self.training and getattr(self, self.amount) else x

    def noisy(self, x: Any) -> Tensor:
        """Return x with noise."""
        raise NotImplementedError

    def normal(self, x: Any) -> Any:
        """Draw a standard normal number for each of x's."""
        numbers = (self._generator or default_generator()).standard_normal(x.shape, np.float32)
        return numbers.astype(x.dtype, copy=False)


class Dropout(_Noise):
    """While training, set a share ``rate`` of the values to 0 and scale the rest by 1 / (1 - rate).

    So the expected value stays the same, and at inference nothing needs doing (Srivastava et al. 2014).

    Parameters
    ----------
    rate
        The share, at least 0 and below 1.
    noise_shape
        The shape of what is drawn, with the batch axis: along an axis of 1 all values are dropped or kept
        together; None stands for the input's own length.
    seed
        Gives the layer a generator of its own; without one it draws from the default generator.

    >>> from tinygrad_edu import nn
    >>> nn.Dropout(0.5)(Tensor([[1.0, 1.0]]))
    Tensor([[1., 1.]])
    """

    fields: ClassVar[tuple[str, ...]] = ("rate", "noise_shape", "seed")

    def __init__(self, rate: float, noise_shape: Any = None, seed: int | None = None, **options: Any) -> None:
        super().__init__(seed, **options)
        self.rate = share(rate, f"{type(self).__name__}: rate")
        self.noise_shape = None if noise_shape is None else tuple(noise_shape)

    def noisy(self, x: Any) -> Tensor:
        return ops.dropout(x, self.rate, generator=self._generator, noise_shape=self.noise_shape)


class SpatialDropout1D(Dropout):
    """Dropout of whole channels of sequences, whose neighbours are too alike to be dropped one by one.

    Input (batch, L, C): of each sample a share ``rate`` of the channels is 0 all along (Tompson et al. 2015).

    >>> from tinygrad_edu import nn
    >>> y = nn.SpatialDropout1D(0.5, seed=0)(np.ones((1, 2, 4)), training=True)
    >>> y.data
    array([[[2., 2., 2., 0.],
            [2., 2., 2., 0.]]], dtype=float32)
    """

    fields = ("rate", "seed")
    rank = 1

    def __init__(self, rate: float, seed: int | None = None, **options: Any) -> None:
        super().__init__(rate, (None, *(1,) * self.rank, None), seed, **options)

    def build(self, input_shape: Any) -> None:
        expect_rank(self, input_shape)


class SpatialDropout2D(SpatialDropout1D):
    """Dropout of whole channels of images: of each sample a share ``rate`` of the maps is 0 everywhere.

    Input (batch, H, W, C). From: Tompson et al., *Efficient object localization using convolutional
    networks*, 2015.

    >>> from tinygrad_edu import nn
    >>> nn.SpatialDropout2D(0.5, seed=0)(np.ones((1, 1, 2, 4)), training=True).data[0, 0]
    array([[2., 2., 2., 0.],
           [2., 2., 2., 0.]], dtype=float32)
    """

    rank = 2

    def __init__(
        self, rate: float, data_format: str | None = None, seed: int | None = None, **options: Any
    ) -> None:
        super().__init__(rate, seed, **options)
        expect_channels_last(data_format, "SpatialDropout2D")


class GaussianNoise(_Noise):
    """While training, add normal numbers of mean 0 and standard deviation ``stddev``.

    So small shifts of the input are no longer told apart: data augmentation without pictures (Bishop 1995).

    >>> from tinygrad_edu import nn
    >>> nn.GaussianNoise(0.1)(Tensor([[1.0, 1.0]]))
    Tensor([[1., 1.]])
    """

    fields = ("stddev", "seed")
    amount = "stddev"

    def __init__(self, stddev: float, seed: int | None = None, **options: Any) -> None:
        super().__init__(seed, **options)
        self.stddev = not_negative(stddev, "GaussianNoise: stddev")

    def noisy(self, x: Any) -> Tensor:
        return ops.add(x, self.stddev * self.normal(x))


class GaussianDropout(_Noise):
    """While training, multiply by normal numbers of mean 1 and variance rate / (1 - rate).

    Mean and variance of what comes out are Dropout's, but nothing is cut off (Srivastava et al. 2014).

    >>> from tinygrad_edu import nn
    >>> nn.GaussianDropout(0.5)(Tensor([[1.0, 1.0]]))
    Tensor([[1., 1.]])
    """

    fields = ("rate", "seed")

    def __init__(self, rate: float, seed: int | None = None, **options: Any) -> None:
        super().__init__(seed, **options)
        self.rate = share(rate, f"{type(self).__name__}: rate")

    def noisy(self, x: Any) -> Tensor:
        return ops.multiply(x, 1 + math.sqrt(self.rate / (1 - self.rate)) * self.normal(x))


class AlphaDropout(Dropout):
    """Dropout for networks of SELUs: what is dropped becomes s, the SELU's lowest value, instead of 0.

    y = a (m x + (1 - m) s) + b, with a and b such that mean 0 and variance 1 stay. The arguments are
    Dropout's. From: Klambauer et al., *Self-normalizing neural networks*, 2017.

    >>> from tinygrad_edu import nn
    >>> nn.AlphaDropout(0.5)(Tensor([[1.0, 1.0]]))
    Tensor([[1., 1.]])
    """

    def noisy(self, x: Any) -> Tensor:
        ones = np.ones(x.shape, np.float32)
        kept = ops.dropout(ones, self.rate, generator=self._generator, noise_shape=self.noise_shape)
        lowest = -SELU_SCALE * SELU_ALPHA
        a = ((1 - self.rate) * (1 + self.rate * lowest**2)) ** -0.5
        return ops.add(ops.multiply(ops.where(kept, x, lowest), a), -a * lowest * self.rate)
