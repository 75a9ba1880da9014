"""Randomness: one default generator that ``seed`` resets, and every function that draws takes another."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np

from .errors import ArgumentError

__all__ = ["default_generator", "seed", "using"]

_generator = np.random.default_rng()


class _Local(threading.local):
    generator: np.random.Generator | None = None  # this thread's, inside of ``using``


_local = _Local()


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
    return _local.generator or _generator


@contextmanager
def using(generator: np.random.Generator) -> Iterator[None]:
    """Let another generator be the default one, for a ``with`` block, in this thread.

    A model that was loaded goes on with the generator that was saved with it, so that training is resumed to
    the bit.

    >>> with using(np.random.default_rng(3)):
    ...     a = default_generator().random()
    >>> a == np.random.default_rng(3).random()
    True
    """
    before = _local.generator
    _local.generator = generator
    try:
        yield
    finally:
        _local.generator = before
