"""What a file says of a module, as JSON can hold it, and the module that is built again from that."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from ..context import context
from ..errors import ArgumentError, unknown_name
from . import activations
from .module import Module
from .named import Named, class_name, find_class

__all__ = ["build_module", "describe_module", "described", "revived", "skeleton"]


def build_module(description: Any) -> Module:
    """Build a module from ``{"class": name, "config": arguments}``, and perhaps "build", shapes."""
    if not isinstance(description, dict) or not isinstance(description.get("config"), dict):
        raise ArgumentError(f"expected {{'class': ..., 'config': {{...}}}}, got {description!r}")
    name = description.get("class")
    cls = find_class(Module.classes, name)
    if cls is None:
        raise unknown_name("layer", name, [known for known in Module.classes if ":" not in known])
    try:
        module: Module = cls.from_config(description["config"])
    except TypeError as error:
        raise ArgumentError(f"{name}: its saved configuration doesn't fit: {error}") from error
    module.named = False  # its model gave it the name, and may number it anew
    module.build_from_config(description.get("build", {}))
    return module


def describe_module(module: Module) -> dict[str, Any]:
    """Return what :func:`build_module` builds again."""
    built = module.get_build_config()
    return {
        "class": class_name(type(module)), "config": module.get_config(),
        **({"build": built} if built else {}),
    }  # fmt: skip


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


@contextmanager
def skeleton(numbers: int) -> Iterator[None]:
    """Build layers with zeros for weights, which are about to be loaded: no more than there are numbers.

    Zeros take no memory until they are written, so a file that claims a huge layer can't claim it. Some more
    are let pass, for constructors that build what they drop again.
    """
    before, context.loading = context.loading, numbers + 2**20
    try:
        yield
    finally:
        context.loading = before
