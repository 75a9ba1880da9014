"""Losses, called as ``loss(y_true, y_pred)``: one number to make small.

Each is there twice. The function (``losses.huber``) gives a loss for each sample; the class
(``losses.Huber(delta=2.0)``) keeps the arguments, and makes one number of the samples' losses, by default
their mean. With ``sample_weight`` each sample's loss is multiplied by its weight first; the sum is still
divided by the number of samples, as in Keras.
"""

from typing import Any

from . import crossentropy, focal, margins, overlap, regression
from .base import Loss, _FunctionLoss
from .crossentropy import *
from .focal import *
from .margins import *
from .overlap import *
from .regression import *

__all__ = [
    "Loss",
    "get",
    *crossentropy.__all__,
    *focal.__all__,
    *margins.__all__,
    *overlap.__all__,
    *regression.__all__,
]


def get(identifier: Any) -> Any:
    """Return the loss for a name ("mse", "sparse_categorical_crossentropy"), a function, or itself.

    None is none.

    >>> get("mse").name, get(huber).delta
    ('mean_squared_error', 1.0)
    """
    if identifier is None:
        return None
    if callable(identifier) and not isinstance(identifier, Loss | type):
        name = getattr(identifier, "__name__", "")
        if globals().get(name) is not identifier:
            return _FunctionLoss(identifier)
        identifier = name  # one of ours, which has a class
    return Loss.find(identifier)
