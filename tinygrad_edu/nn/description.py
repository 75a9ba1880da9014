"""Constructors' arguments as JSON can hold them: layers, losses and the like, functions by their names."""

from typing import Any

import numpy as np

from . import activations
from .module import Module, build_module, describe_module
from .named import Named

__all__ = ["described", "revived"]


def described(value: Any) -> Any:
    """Return what stands in a file for an argument, or for those in a list, tuple or dict.

    >>> from tinygrad_edu import nn
    >>> described([nn.initializers.Zeros(), nn.activations.relu, (1, 2)])
    [{'class': 'Zeros', 'config': {...}}, 'relu', (1, 2)]
    """
    if isinstance(value, Module):
        return {"module": describe_module(value)}
    if isinstance(value, Named):
        return value.describe()
    if isinstance(value, list | tuple):
        return type(value)([described(item) for item in value])
    if isinstance(value, dict):
        return {key: described(item) for key, item in value.items()}
    if isinstance(value, np.generic):
        return value.item()
    return activations.name_of(value) if callable(value) else value


def revived(value: Any) -> Any:
    """Return an argument for what ``described`` gave: modules are built again, the rest finds what it names.

    >>> from tinygrad_edu import nn
    >>> revived(described([nn.Dense(3), "relu"]))
    [<Dense dense units=3 activation='linear' use_bias=True>, 'relu']
    """
    if isinstance(value, list):
        return [revived(item) for item in value]
    if isinstance(value, dict):
        if value.keys() == {"module"}:
            return build_module(value["module"])
        return {key: revived(item) for key, item in value.items()}
    return value
