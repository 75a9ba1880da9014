"""Images in other sizes: each new pixel is the nearest old one, or a blend of its neighbours.

The centres of the pixels are what is laid over one another (TensorFlow and PyTorch: "half-pixel centres"):
new pixel i of m has its centre at (i + 1/2) n / m - 1/2 among n old ones.
"""

from typing import Any

import numpy as np

from .. import ops
from ..errors import ShapeError, unknown_name
from ..tensor import Tensor
from .windows import Pair, pair

__all__ = ["resize2d", "upsample2d"]


def resize2d(x: Any, /, size: int | Pair, *, interpolation: str = "bilinear") -> Tensor:
    """Return images (N, H, W, C) in another size (H', W'), one number or two: (N, H', W', C).

    "nearest" copies the nearest pixel. "bilinear" blends, down and across, the two that a new centre lies
    between: as ``tf.image.resize``, so without smoothing first where the image shrinks, which leaves pixels
    out. float32 and float64 stay; whole numbers stay whole with "nearest" alone. Raises ShapeError for other
    dimensions or images without a pixel, ArgumentError for an unknown interpolation or a size that isn't of
    positive whole numbers.

    >>> resize2d([[[[0.0], [4.0]]]], (1, 4)).ravel()
    array([0., 1., 3., 4.], dtype=float32)
    """
    height, width = _image_size("resize2d", x)
    rows, columns = pair(size, "size")
    if _is_bilinear(interpolation):
        return _blend(_blend(x, height, rows, 1), width, columns, 2)  # type: ignore[no-any-return]
    every = slice(None)
    x = ops.getitem(x, (every, _nearest(height, rows)))
    return ops.getitem(x, (every, every, _nearest(width, columns)))


def upsample2d(x: Any, /, size: int | Pair = 2, *, interpolation: str = "nearest") -> Tensor:
    """Return images (N, H, W, C) so many times as large, down and across: (N, H size, W size, C).

    Interpolations, dtypes and what it raises are those of :func:`resize2d`.

    >>> upsample2d([[[[1.0], [2.0]]]], (1, 2)).ravel()
    array([1., 1., 2., 2.], dtype=float32)
    """
    height, width = _image_size("upsample2d", x)
    down, across = pair(size, "size")
    if _is_bilinear(interpolation):
        return resize2d(x, (height * down, width * across))
    n, _, _, channels = np.shape(x)  # each pixel becomes a block, whose gradients add up
    blocks = ops.reshape(x, (n, height, 1, width, 1, channels))
    blocks = ops.broadcast_to(blocks, (n, height, down, width, across, channels))
    return ops.reshape(blocks, (n, height * down, width * across, channels))


def _image_size(call: str, x: Any) -> Pair:
    shape = np.shape(x)
    if len(shape) != 4 or 0 in shape[1:3]:
        raise ShapeError(f"{call}: expected images (N, H, W, C) of at least one pixel, got shape {shape}")
    return shape[1], shape[2]


def _is_bilinear(interpolation: str) -> bool:
    if interpolation not in ("nearest", "bilinear"):
        raise unknown_name("interpolation", interpolation, ["nearest", "bilinear"])
    return interpolation == "bilinear"


def _nearest(n: int, m: int) -> Any:
    """Return which of n pixels is the nearest to each of m; of two, the later one."""
    return (2 * np.arange(m) + 1) * n // (2 * m)


def _blend(x: Any, n: int, m: int, axis: int) -> Any:
    """Make m pixels of n along an axis, each of the two that its centre lies between."""
    centres = np.clip((np.arange(m) + 0.5) * n / m - 0.5, 0, n - 1)
    before = centres.astype(int)
    share = centres - before
    # One that lies on an old centre is half and half of that one: 0 times its neighbour's inf would be nan.
    after = np.where(share > 0, before + 1, before)
    share = np.where(share > 0, share, 0.5).reshape(-1, *[1] * (3 - axis))
    share = share.astype(np.result_type(getattr(x, "dtype", np.float32), np.float32))
    return ops.take(x, before, axis=axis) * (1 - share) + ops.take(x, after, axis=axis) * share
