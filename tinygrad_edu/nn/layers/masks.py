"""Masks of sequences: True for the steps that count, ``mask = tokens != 0`` where 0 fills texts up."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...errors import DTypeError, ShapeError

__all__ = ["checked_mask"]


def checked_mask(where: str, mask: Any, shape: tuple[int, ...]) -> NDArray[np.bool_]:
    """Return a mask as bools, of tensors, arrays or lists; numbers count where they aren't 0.

    Raises ShapeError if it hasn't the shape, DTypeError for what isn't numbers.

    >>> checked_mask("LSTM: mask", [[1, 0]], (1, 2))
    array([[ True, False]])
    """
    known = np.asarray(mask)
    if known.dtype.kind not in "biuf":
        raise DTypeError(f"{where} must be of bools, got {known.dtype}")
    if known.shape != shape:
        raise ShapeError(f"{where} must have the shape {shape}, got {known.shape}")
    return known.astype(bool)
