"""Small helpers under Keras' names, ``keras.utils``."""

from collections.abc import Sized
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from ..errors import ArgumentError, DataError
from ..random import seed
from ..tensor import Tensor
from .backend import clear_session
from .dataset import PyDataset
from .saving import register_keras_serializable

__all__ = [
    "PyDataset", "Sequence", "clear_session", "pad_sequences", "register_keras_serializable",
    "set_random_seed", "to_categorical",
]  # fmt: skip

Sequence = PyDataset  # as Keras 2 called it


def pad_sequences(
    sequences: Any,
    maxlen: int | None = None,
    dtype: DTypeLike = "int32",
    padding: str = "pre",
    truncating: str = "pre",
    value: float = 0.0,
) -> NDArray[Any]:
    """Return sequences of different lengths as rows of one: shorter ones filled up, longer ones cut off.

    ``padding`` and ``truncating`` say at which end: "pre" or "post". ``maxlen`` is by default the longest.

    >>> pad_sequences([[1, 2, 3], [4]], maxlen=2)
    array([[2, 3],
           [0, 4]], dtype=int32)
    """
    for name, end in (("padding", padding), ("truncating", truncating)):
        if end not in ("pre", "post"):
            raise ArgumentError(f"pad_sequences: {name} is 'pre' or 'post', got {end!r}")
    if any(not isinstance(s, Sized) or isinstance(s, str) for s in sequences):
        raise DataError("pad_sequences: expected a list of lists of numbers")
    rows = [np.asarray(s) for s in sequences]
    length = max(map(len, rows), default=0) if maxlen is None else maxlen
    shape = next((row.shape[1:] for row in rows if len(row)), ())
    out = np.full((len(rows), length, *shape), value, dtype)
    for target, row in zip(out, rows, strict=True):
        kept = row[max(0, len(row) - length) :] if truncating == "pre" else row[:length]
        if len(kept):
            target[slice(-len(kept), None) if padding == "pre" else slice(len(kept))] = kept
    return out


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
