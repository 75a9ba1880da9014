"""Images in other sizes: each new pixel is the nearest old one, or a blend of its neighbours.

The centres of the pixels are what is laid over one another (TensorFlow and PyTorch: "half-pixel centres"):
new pixel i of m has its centre at (i + 1/2) n / m - 1/2 among n old ones.
"""

from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import kernels, ops
from ..errors import ShapeError, unknown_name
from ..function import Function, shape_of
from ..tensor import Tensor
from .reduction import floating
from .registry import register
from .windows import Pair, pair

if TYPE_CHECKING:
    from ..kernels.resize import Blend

__all__ = ["resize2d", "upsample2d"]


@register
class Resample2D(Function):
    name = "resample2d"
    formula = r"y_{n i j c} = \sum_{p q} a_{i p}\, b_{j q}\, x_{n p q c}"
    derivative = r"\bar{x}_{n p q c} = \sum_{i j} a_{i p}\, b_{j q}\, \bar{y}_{n i j c}"
    words = "Makes each new pixel a weighted sum of old ones; the gradient goes back by the same weights."

    @staticmethod
    def forward(x: Any, *, down: "Blend", across: "Blend") -> Any:
        x = floating(x)
        if x.dtype.char in "fd":
            return kernels.resample2d(x, down, across)
        return kernels.resample2d(x.astype(np.float32), down, across).astype(x.dtype)

    @staticmethod
    def backward(g: Any, down: "Blend", across: "Blend") -> Any:
        return Resample2D.apply(g, down=down.transposed, across=across.transposed)


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
    blend = _bilinear if _is_bilinear(interpolation) else _nearest
    if blend is _bilinear or np.dtype(getattr(x, "dtype", np.float32)).char in "fd":
        return Resample2D.apply(x, down=blend(height, rows), across=blend(width, columns))
    every = slice(None)  # whole numbers stay whole
    x = ops.getitem(x, (every, _nearest(height, rows).sources))
    return ops.getitem(x, (every, every, _nearest(width, columns).sources))


def upsample2d(x: Any, /, size: int | Pair = 2, *, interpolation: str = "nearest") -> Tensor:
    """Return images (N, H, W, C) so many times as large, down and across: (N, H size, W size, C).

    Interpolations, dtypes and what it raises are those of :func:`resize2d`.

    >>> upsample2d([[[[1.0], [2.0]]]], (1, 2)).ravel()
    array([1., 1., 2., 2.], dtype=float32)
    """
    height, width = _image_size("upsample2d", x)
    down, across = pair(size, "size")
    return resize2d(x, (height * down, width * across), interpolation=interpolation)


def _image_size(call: str, x: Any) -> Pair:
    shape = shape_of(x)
    if len(shape) != 4 or 0 in shape[1:3]:
        raise ShapeError(f"{call}: expected images (N, H, W, C) of at least one pixel, got shape {shape}")
    return shape[1], shape[2]


def _is_bilinear(interpolation: str) -> bool:
    if interpolation not in ("nearest", "bilinear"):
        raise unknown_name("interpolation", interpolation, ["nearest", "bilinear"])
    return interpolation == "bilinear"


@lru_cache(maxsize=64)
def _nearest(n: int, m: int) -> "Blend":
    """Make each of m pixels the nearest of n; of two, the later one."""
    sources = (2 * np.arange(m) + 1) * n // (2 * m)
    return _blend_of(n, np.arange(m), sources, np.ones(m))


@lru_cache(maxsize=64)
def _bilinear(n: int, m: int) -> "Blend":
    """Make each of m pixels of the two of n that its centre lies between; of one, where it lies on that."""
    centres = np.clip((np.arange(m) + 0.5) * n / m - 0.5, 0, n - 1)
    before = centres.astype(int)
    share = centres - before
    between = np.flatnonzero(share)  # else the weight is 0, and 0 times a neighbour's inf would be nan
    new = np.concatenate([np.arange(m), between])
    order = np.argsort(new, kind="stable")
    sources, weights = np.append(before, before[between] + 1), np.append(1 - share, share[between])
    return _blend_of(n, new[order], sources[order], weights[order])


def _blend_of(n: int, new: Any, sources: Any, weights: Any) -> "Blend":
    """Return the blend in which new pixel new[k], in order, gets weights[k] of old pixel sources[k]."""
    from ..kernels.resize import Blend

    starts = np.searchsorted(new, np.arange(new[-1] + 2))
    return Blend(n, starts, sources, weights)
