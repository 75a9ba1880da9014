"""Randomness: one default generator that ``seed`` resets, and every function that draws takes another."""

import numpy as np

__all__ = ["default_generator", "seed"]

_generator = np.random.default_rng()


def seed(value: int) -> None:
    """Start the default generator anew, so that what follows is repeated bit for bit.

    It decides initial weights, dropout masks and the order of shuffled batches.

    >>> import tinygrad_edu as te
    >>> te.seed(7); first = te.default_generator().random()
    >>> te.seed(7); first == te.default_generator().random()
    True
    """
    global _generator
    _generator = np.random.default_rng(value)


def default_generator() -> np.random.Generator:
    """Return the generator that layers and loaders draw from when they are given none.

    >>> 0 <= default_generator().random() < 1
    True
    """
    return _generator
