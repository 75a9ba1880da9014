"""Masks of sequences: True for the steps that count, ``mask = tokens != 0`` where 0 fills texts up."""

from typing import Any

import numpy as np

from ... import ops
from ...errors import DTypeError, ShapeError
from ...tensor import Tensor

__all__ = ["checked_mask"]


def checked_mask(where: str, mask: Any, shape: tuple[int, ...]) -> Any:
    """Return a mask as bools, a Tensor of a Tensor and else an array; numbers count where they aren't 0.

    Raises ShapeError if it hasn't the shape, DTypeError for what isn't numbers.

    >>> checked_mask("LSTM: mask", [[1, 0]], (1, 2))
    array([[ True, False]])
    """
    known = mask if isinstance(mask, Tensor) else np.asarray(mask)
    if known.dtype.kind not in "biuf":
        raise DTypeError(f"{where} must be of bools, got {known.dtype}")
    if known.shape != shape:
        raise ShapeError(f"{where} must have the shape {shape}, got {known.shape}")
    return ops.astype(known, bool)
