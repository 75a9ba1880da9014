"""Optimizers: they change parameters, in place, by their gradients.

One class serves both ways to train: handed to ``compile``, or with ``params=model.parameters()`` in a
loop of your own with ``zero_grad()``, ``loss.backward()`` and ``step()``.
"""

from typing import Any

from . import schedules
from .adagrad import Adadelta, Adagrad
from .adam import Adam, AdamW
from .base import Optimizer
from .lion import Lion
from .rmsprop import RMSprop
from .sgd import SGD

__all__ = ["SGD", "Adadelta", "Adagrad", "Adam", "AdamW", "Lion", "Optimizer", "RMSprop", "get", "schedules"]


def get(identifier: Any) -> Optimizer:
    """Return the optimizer for a name ("sgd", "adam"), a saved description, or itself.

    >>> get("adam")
    Adam(learning_rate=0.001, beta_1=0.9, beta_2=0.999, epsilon=1e-07, amsgrad=False)
    """
    return Optimizer.find(identifier)  # type: ignore[no-any-return]
