"""Images read at other places: the one function that turns, moves, mirrors and stretches."""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tinygrad_edu.errors import ShapeError, unknown_name

__all__ = ["identity", "warp"]

# Keras' names, and SciPy's for the same. The "grid" ones are continuous at the edge, so a place that rounding
# put a hair outside isn't taken for the void.
_FILL_MODES = {"reflect": "reflect", "constant": "grid-constant", "nearest": "nearest", "wrap": "grid-wrap"}
_ORDERS = {"nearest": 0, "bilinear": 1}


def identity(count: int) -> NDArray[np.float64]:
    """Return matrices (count, 3, 3) that leave all as it is.

    >>> identity(2).shape
    (2, 3, 3)
    """
    return np.tile(np.eye(3), (count, 1, 1))


def warp(
    images: ArrayLike,
    matrices: ArrayLike,
    interpolation: str = "bilinear",
    *,
    fill_mode: str = "reflect",
    fill_value: float = 0.0,
) -> NDArray[Any]:
    """Return images whose pixel at p is the source's at M p, for p = (row, column, 1) seen from the centre.

    Parameters
    ----------
    images : array (N, H, W) or (N, H, W, channels)
    matrices : array (3, 3), or (N, 3, 3) for one an image
        The last row is (0, 0, 1).
    interpolation : {"bilinear", "nearest"}
        Linear between the four pixels around a place, or the pixel next to it, as masks need it.
    fill_mode, fill_value : what lies beyond the edges, as in `Augmentation`

    Returns
    -------
    array of the same shape and dtype, always a copy
        Whole numbers are rounded.

    Raises
    ------
    ShapeError
        Other shapes.
    ArgumentError
        An unknown interpolation or fill_mode.

    Examples
    --------
    A quarter turn counter-clockwise: what is above comes from the right.

    >>> x = np.arange(4).reshape(1, 2, 2)
    >>> warp(x, [[0, 1, 0], [-1, 0, 0], [0, 0, 1]])[0].tolist() == np.rot90(x[0]).tolist()
    True
    """
    x, maps = np.asarray(images), np.asarray(matrices, np.float64)
    if interpolation not in _ORDERS:
        raise unknown_name("interpolation", interpolation, _ORDERS)
    if fill_mode not in _FILL_MODES:
        raise unknown_name("fill_mode", fill_mode, _FILL_MODES)
    if x.ndim not in (3, 4):
        raise ShapeError(f"warp: images must be (N, height, width), channels may follow; got {x.shape}.")
    if maps.shape not in ((3, 3), (len(x), 3, 3)):
        raise ShapeError(f"warp: matrices must be (3, 3) or ({len(x)}, 3, 3); got {maps.shape}.")
    maps = np.broadcast_to(maps, (len(x), 3, 3))
    moved = (maps != np.eye(3)).any(axis=(1, 2))
    if not moved.any():
        return x.copy()
    from scipy.ndimage import affine_transform

    work = x.astype(np.float32) if x.dtype == np.float16 else x  # SciPy knows no float16
    out = np.empty(x.shape, work.dtype)
    out[~moved] = work[~moved]
    centre = (np.array(x.shape[1:3]) - 1) / 2
    options = {"order": _ORDERS[interpolation], "mode": _FILL_MODES[fill_mode], "cval": fill_value}
    for number in np.flatnonzero(moved):
        linear, shift = maps[number, :2, :2], maps[number, :2, 2]
        if not shift.any() and (abs(linear) == np.eye(2)).all():  # mirrored: no arithmetic
            down, right = linear.diagonal().astype(int)
            out[number] = work[number, ::down, ::right]
            continue
        offset = centre + shift - linear @ centre
        for channel in np.ndindex(x.shape[3:]):
            place = (number, ..., *channel)
            affine_transform(work[place], linear, offset, output=out[place], **options)
    return out.astype(x.dtype, copy=False)
