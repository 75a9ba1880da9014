"""The list of all operations of the engine.

The gradient tests, the reference page and the labels of the pictures are made from it, so an operation
that is in the engine can't be missing from them.
"""

from typing import TypeVar

from ..errors import ArgumentError
from ..function import Function

__all__ = ["OPERATIONS", "register"]

OPERATIONS: dict[str, type[Function]] = {}

F = TypeVar("F", bound=type[Function])


def register(operation: F) -> F:
    """Enter an operation of the engine; it must bring what teaches it.

    Raises ArgumentError if the name is taken, or the formula or the words are missing, or the derivative
    of one that has a backward.
    """
    if operation.name in OPERATIONS:
        raise ArgumentError(f"operation {operation.name!r} is registered already")
    wanted = ["name", "formula", "words"] + ["derivative"] * operation.differentiable
    missing = [attribute for attribute in wanted if not getattr(operation, attribute)]
    if missing:
        raise ArgumentError(f"operation {operation.__name__} lacks: {', '.join(missing)}")
    operation.__doc__ = operation.__doc__ or operation.words
    OPERATIONS[operation.name] = operation
    return operation
