"""What all makers of sets share: how a seed and numbers are checked, and how arrays become a Dataset."""

import math
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tinygrad_edu.data.dataset import About, Dataset
from tinygrad_edu.data.prepare import as_count
from tinygrad_edu.errors import ArgumentError
from tinygrad_edu.random import default_generator

__all__ = ["floats", "made", "number", "start"]


def made(
    name: str,
    description: str,
    x: NDArray[Any],
    y: NDArray[Any],
    class_names: tuple[str, ...],
    test_size: float,
    seed: int,
    **more: Any,
) -> Dataset:
    """Make the Dataset of generated arrays, and split it."""
    about = About(
        name=name,
        description=description,
        class_names=class_names,
        licence="none needed: made, not collected",
        source=f"tinygrad_edu.data.{name}, seed {seed}",
        citation="",
        **more,
    )
    return Dataset.of(about, x, y).split(test_size, seed)


def start(caller: str, seed: int | None) -> int:
    """Return a seed that scikit-learn takes as well, which is below 2^32.

    >>> start("blobs", 42)
    42
    """
    if seed is None:
        return int(default_generator().integers(1 << 32))
    if (checked := as_count(caller, "seed", seed, 0)) >= 1 << 32:
        raise ArgumentError(f"{caller}: seed must be below 2**32; got {seed}.")
    return checked


def floats(caller: str, name: str, value: ArrayLike) -> NDArray[np.float64]:
    """Return finite floats.

    >>> floats("linear", "weights", [1, 2])
    array([1., 2.])
    """
    try:
        found = np.asarray(value, float)
    except (TypeError, ValueError):
        found = np.array(math.nan)
    if not np.isfinite(found).all():
        raise ArgumentError(f"{caller}: {name} must be finite numbers; got {value!r}.")
    return found


def number(caller: str, name: str, value: float, least: float = -math.inf, most: float = math.inf) -> float:
    """Return a finite float between two bounds.

    >>> number("circles", "factor", 1, least=0, most=1)
    1.0
    """
    try:
        found = math.nan if isinstance(value, bool | str) else float(value)
    except (TypeError, ValueError):
        found = math.nan
    if math.isfinite(found) and least <= found <= most:
        return found
    bounds = "" if (least, most) == (-math.inf, math.inf) else f", {least:g} to {most:g}"
    raise ArgumentError(f"{caller}: {name} must be a finite number{bounds}; got {value!r}.")
