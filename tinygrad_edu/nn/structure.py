"""Structures: what layers take and give is a tensor, or lists, tuples and dicts of tensors, nested."""

from collections.abc import Callable, Iterator
from typing import Any

__all__ = ["flatten", "is_structure", "mapped", "packed"]


def is_structure(value: Any) -> bool:
    """Tell whether a list, tuple or dict holds several tensors or arrays, and isn't the numbers of one.

    >>> import numpy as np
    >>> is_structure([np.ones(2), np.ones(3)]), is_structure([[1, 2], [3, 4]]), is_structure({"a": [1]})
    (True, False, True)
    """
    if isinstance(value, dict):
        return True
    if not isinstance(value, list | tuple):
        return False
    return any(is_structure(item) or getattr(item, "ndim", 0) > 0 for item in value)


def flatten(value: Any) -> list[Any]:
    """Return the leaves of a structure, in order; what is no list, tuple or dict is one leaf.

    >>> flatten({"a": 1, "b": [2, (3, 4)]})
    [1, 2, 3, 4]
    """
    return list(_leaves(value))


def _leaves(value: Any) -> Iterator[Any]:
    if isinstance(value, dict):
        value = value.values()
    elif not isinstance(value, list | tuple):
        yield value
        return
    for item in value:
        yield from _leaves(item)


def mapped(function: Callable[[Any], Any], value: Any, deeper: Callable[[Any], bool] | None = None) -> Any:
    """Return a structure of the same form with a function applied to each leaf.

    ``deeper`` tells what is to be walked into; by default every list, tuple and dict is.

    >>> mapped(lambda x: -x, {"a": 1, "b": [2, 3]})
    {'a': -1, 'b': [-2, -3]}
    """
    if not isinstance(value, dict | list | tuple) or (deeper is not None and not deeper(value)):
        return function(value)
    if isinstance(value, dict):
        return {key: mapped(function, item, deeper) for key, item in value.items()}
    items = [mapped(function, item, deeper) for item in value]
    return items if isinstance(value, list) else tuple(items)


def packed(form: Any, leaves: list[Any]) -> Any:
    """Return a structure of another's form with other leaves.

    >>> packed({"a": 0, "b": [0, 0]}, [1, 2, 3])
    {'a': 1, 'b': [2, 3]}
    """
    rest = iter(leaves)
    return mapped(lambda _: next(rest), form)
