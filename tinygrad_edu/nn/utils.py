"""Small helpers under Keras' names, ``keras.utils``."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import DataError
from ..random import seed
from ..tensor import Tensor
from .saving import register_keras_serializable

__all__ = ["register_keras_serializable", "set_random_seed", "to_categorical"]


def set_random_seed(value: int) -> None:
    """Start the default generator anew, and NumPy's own too, which notebooks draw data from.

    >>> set_random_seed(1)
    """
    seed(value)
    np.random.seed(value)  # noqa: NPY002  # what np.random.rand() and the like draw from


def to_categorical(x: Any, num_classes: int | None = None) -> NDArray[Any]:
    """Return class numbers as one-hot rows, float32: (…,) to (…, classes).

    Raises DataError for numbers that aren't whole, or not from 0 to below ``num_classes``.

    >>> to_categorical([0, 2])
    array([[1., 0., 0.],
           [0., 0., 1.]], dtype=float32)
    """
    labels = x.numpy() if isinstance(x, Tensor) else np.asarray(x)
    if labels.ndim > 1 and labels.shape[-1] == 1:
        labels = labels.reshape(labels.shape[:-1])
    whole = labels.astype(np.int64)
    if not np.array_equal(whole, labels):
        raise DataError(f"to_categorical: classes must be whole numbers, got values such as {labels.flat[0]}")
    n = int(whole.max(initial=-1)) + 1 if num_classes is None else num_classes
    if whole.size and (whole.min() < 0 or whole.max() >= n):
        raise DataError(
            f"to_categorical: classes must lie between 0 and {n - 1}, got {whole.min()} to {whole.max()}"
        )
    return np.eye(n, dtype=np.float32)[whole]
