"""Randomness: one default generator that ``seed`` resets, and every function that draws takes another."""

import numpy as np

from .errors import ArgumentError

__all__ = ["default_generator", "seed"]

_generator = np.random.default_rng()


def seed(value: int) -> None:
    """Start the default generator anew, so that what follows is repeated bit for bit.

    It decides initial weights, dropout masks and the order of shuffled batches. Raises ArgumentError for
    what isn't a whole number of at least 0.

    >>> import tinygrad_edu as te
    >>> te.seed(7); first = te.default_generator().random()
    >>> te.seed(7); first == te.default_generator().random()
    True
    """
    global _generator
    try:
        _generator = np.random.default_rng(value)
    except (TypeError, ValueError) as error:
        raise ArgumentError(f"seed: expected a whole number of at least 0, got {value!r}") from error


def default_generator() -> np.random.Generator:
    """Return the generator that layers and loaders draw from when they are given none.

    >>> 0 <= default_generator().random() < 1
    True
    """
    return _generator
