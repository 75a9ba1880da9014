"""One row for each operation of the engine: what to call it with, and what must come out."""

from collections.abc import Callable
from typing import Any

import numpy as np
from hypothesis.strategies import SearchStrategy

from operations_table import (
    activations,
    elementwise,
    images,
    indexing,
    layers,
    linear_algebra,
    network,
    reductions,
    shapes,
)
from operations_table.row import Case, Row, has_slopes
from tinygrad_edu.ops import OPERATIONS

__all__ = [
    "COMPOSED",
    "DIFFERENTIABLE",
    "NAMES",
    "REGISTERED",
    "TABLE",
    "Case",
    "Row",
    "call_of",
    "cases",
    "has_slopes",
    "is_float",
]

TABLE: dict[str, Row] = {}
for family in (
    elementwise,
    activations,
    reductions,
    shapes,
    indexing,
    linear_algebra,
    network,
    layers,
    images,
):
    assert not set(TABLE) & set(family.ROWS)
    TABLE |= family.ROWS

NAMES = sorted(TABLE)
COMPOSED = [name for name in NAMES if TABLE[name].function]
REGISTERED = [name for name in NAMES if not TABLE[name].function]
DIFFERENTIABLE = [name for name in NAMES if TABLE[name].function or OPERATIONS[name].differentiable]


def call_of(name: str) -> Callable[..., Any]:
    """Return what to call: the function of a composed row, or else the operation."""
    return TABLE[name].function or OPERATIONS[name].apply


def cases(name: str, least: int = 0, most: int = 3) -> SearchStrategy[Case]:
    """Draw calls of an operation with sides from the least to the most, or from what it can do with."""
    row = TABLE[name]
    return row.cases(max(least, row.least), max(most, row.least))


def is_float(x: Any) -> bool:
    return isinstance(x, np.ndarray) and x.dtype.kind == "f"
