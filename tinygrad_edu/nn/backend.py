"""Keras' settings, ``keras.backend`` and ``keras.config``: what a notebook asks for before it begins.

>>> from tinygrad_edu import nn
>>> nn.backend.clear_session(); nn.backend.floatx()
'float32'
"""

from typing import Any, NoReturn

from ..errors import ArgumentError
from . import ops

__all__ = ["clear_session", "epsilon", "floatx", "set_floatx"]


def clear_session() -> None:
    """Change nothing: a model that is dropped is freed, and each numbers its own layers."""


def floatx() -> str:
    """Return the dtype that layers compute with where nothing else is said."""
    return "float32"


def set_floatx(value: str) -> None:
    """Take "float32"; raise ArgumentError for another, which is said where it is meant.

    >>> set_floatx("float32")
    """
    if value != "float32":
        raise ArgumentError(
            f"set_floatx: layers compute with float32 unless one says otherwise; for "
            f"{value!r} give it to each: Input((4,), dtype={value!r}), Dense(3, dtype={value!r})"
        )


def epsilon() -> float:
    """Return the small number that Keras keeps probabilities from 0 with. (Losses here need none.)"""
    return 1e-7


def __getattr__(name: str) -> NoReturn:
    """Tell where a function of Keras 2's backend, K.mean and the like, is now."""
    hint: Any = f"; it is nn.ops.{name}, as in Keras 3" if hasattr(ops, name) else ""
    raise AttributeError(f"nn.backend has no {name!r}{hint}")
