"""Random tensors under Keras' names, ``keras.random``: from the default generator, or from a seed."""

from typing import Any

import numpy as np

from ..random import default_generator
from ..tensor import Tensor

__all__ = ["SeedGenerator", "normal", "randint", "shuffle", "uniform"]


class SeedGenerator:
    """A stream of random numbers of its own, to be handed on as ``seed``: each draw goes on where it stands.

    A number as ``seed`` gives the same draw each time, None draws from the default generator.

    >>> seed = SeedGenerator(1); bool((normal((3,), seed=seed) == normal((3,), seed=seed)).any())
    False
    """

    def __init__(self, seed: int | None = None, name: str | None = None) -> None:
        self.seed, self.name = seed, name
        self.generator = None if seed is None else np.random.default_rng(seed)


Seed = int | SeedGenerator | None


def _generator(seed: Seed) -> np.random.Generator:
    if isinstance(seed, SeedGenerator):
        return seed.generator or default_generator()
    return default_generator() if seed is None else np.random.default_rng(seed)


def normal(
    shape: Any, mean: float = 0.0, stddev: float = 1.0, dtype: Any = "float32", seed: Seed = None
) -> Tensor:
    """Return numbers from the normal distribution.

    >>> normal((2, 3)).shape
    (2, 3)
    """
    return Tensor(_generator(seed).normal(mean, stddev, tuple(shape)), dtype=dtype)


def uniform(
    shape: Any, minval: float = 0.0, maxval: float = 1.0, dtype: Any = "float32", seed: Seed = None
) -> Tensor:
    """Return numbers that lie anywhere from minval to below maxval.

    >>> bool((uniform((4,)) < 1).all())
    True
    """
    return Tensor(_generator(seed).uniform(minval, maxval, tuple(shape)), dtype=dtype)


def randint(shape: Any, minval: int, maxval: int, dtype: Any = "int32", seed: Seed = None) -> Tensor:
    """Return whole numbers from minval to below maxval.

    >>> randint((2,), 3, 4)
    Tensor([3, 3], dtype=int32)
    """
    return Tensor(_generator(seed).integers(minval, maxval, tuple(shape)), dtype=dtype)


def shuffle(x: Any, axis: int = 0, seed: Seed = None) -> Tensor:
    """Return x with its slices along an axis in a random order.

    >>> sorted(shuffle([3.0, 1.0, 2.0]).tolist())
    [1.0, 2.0, 3.0]
    """
    return Tensor(
        _generator(seed).permutation(x.numpy() if isinstance(x, Tensor) else np.asarray(x), axis=axis)
    )
