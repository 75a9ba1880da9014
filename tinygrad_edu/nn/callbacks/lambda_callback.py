"""LambdaCallback: functions instead of a class."""

from collections.abc import Callable
from typing import Any

from ...errors import unknown_name
from .base import Callback

__all__ = ["LambdaCallback"]

_HOOKS = tuple(name for name in vars(Callback) if name.startswith("on_"))


class LambdaCallback(Callback):
    """A callback made of functions, named after the hooks: ``on_epoch_end=lambda epoch, logs: …``.

    Raises ArgumentError for a hook that there isn't.

    >>> from tinygrad_edu import nn
    >>> model = nn.Sequential([nn.Dense(1)])
    >>> model.compile("sgd", "mse")
    >>> say = nn.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: print(epoch, list(logs)))
    >>> _ = model.fit([[1.0]], [[2.0]], epochs=2, verbose=0, callbacks=[say])
    0 ['loss']
    1 ['loss']
    """

    def __init__(self, **hooks: Callable[..., Any] | None) -> None:
        for name, function in hooks.items():
            if name not in _HOOKS:
                raise unknown_name("hook", name, _HOOKS)
            if function is not None:
                setattr(self, name, function)
