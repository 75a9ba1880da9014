"""Pooling over windows of (N, H, W, C) or (N, L, C), and the operations that carry its gradient back.

Max pooling remembers which cell of each window won. With the winners held fixed it is linear: picking
(gather) and putting back (scatter) are each other's derivative. Averaging is linear to begin with.
"""

from functools import lru_cache
from typing import Any

from .. import kernels, ops
from ..errors import ShapeError
from ..function import Function, shape_of
from ..tensor import Tensor
from .reduction import floating
from .registry import register
from .windows import (
    Padding,
    Pair,
    across,
    across_padding,
    as_images,
    as_sequences,
    output_size,
    pair,
    resolve_padding,
)

__all__ = [
    "avg_pool1d", "avg_pool2d", "global_avg_pool1d", "global_avg_pool2d", "global_max_pool1d",
    "global_max_pool2d", "max_pool1d", "max_pool2d",
]  # fmt: skip

Shape = tuple[int, ...]


def _expect(call: str, x: Any, images: str) -> Shape:
    """Return the shape of x, once it is seen to have the dimensions of "images (N, H, W, C)", say."""
    shape: Shape = shape_of(x)
    if len(shape) != images.count(",") + 1:
        raise ShapeError(f"{call}: expected {images}, got shape {shape}")
    return shape


def _window(call: str, x: Any, pool_size: Any, strides: Any, padding: Any) -> dict[str, Any]:
    _, height, width, _ = _expect(call, x, "images (N, H, W, C)")
    window = pair(pool_size, "pool_size")
    steps = window if strides is None else pair(strides, "strides")
    resolved = resolve_padding(padding, (height, width), window, steps)
    return _checked_window(call, (height, width), window, steps, resolved)


@lru_cache(maxsize=256)
def _checked_window(call: str, size: Pair, window: Pair, steps: Pair, resolved: Padding) -> dict[str, Any]:
    """Return the arguments of an operation; callers only unpack them, so that the same ones do again."""
    output_size(size, window, steps, resolved)
    if any(p >= k for k, both in zip(window, resolved, strict=True) for p in both):
        raise ShapeError(f"{call}: padding {resolved} leaves windows of {window} with no pixel in them")
    return {"pool_size": window, "strides": steps, "padding": resolved}


def _pool1d(operation: type[Function], call: str, x: Any, pool_size: Any, strides: Any, padding: Any) -> Any:
    _expect(call, x, "sequences (N, L, C)")
    images = as_images(x)
    steps = None if strides is None else across(strides, "strides")
    window = _window(call, images, across(pool_size, "pool_size"), steps, across_padding(padding))
    return as_sequences(operation.apply(images, **window))


@register
class MaxPool2D(Function):
    name = "max_pool2d"
    formula = r"y_{n i j c} = \max_{u, v}\, x_{n,\, s i + u,\, s j + v,\, c}"
    derivative = r"\bar{x}_{n p q c} = \sum_{i j} \bar{y}_{n i j c}\,[(p, q) \text{ won window } (i, j)]"
    words = "Keeps the largest of each window; only the winner gets the gradient, the first among equals."
    extras = ("indices",)

    @staticmethod
    def forward(x: Any, *, pool_size: Pair, strides: Pair, padding: Padding) -> Any:
        return kernels.max_pool2d(floating(x), pool_size, strides, padding)

    @staticmethod
    def backward(
        g: Any, indices: Any, x_shape: Shape, pool_size: Pair, strides: Pair, padding: Padding
    ) -> Any:
        return MaxPool2DScatter.apply(
            g, indices, shape=x_shape, pool_size=pool_size, strides=strides, padding=padding
        )


def max_pool2d(
    x: Any, /, pool_size: int | Pair = 2, *, strides: int | Pair | None = None, padding: Any = "valid"
) -> Tensor:
    """Return the largest value of each window of images (N, H, W, C): (N, H', W', C).

    ``strides`` defaults to ``pool_size``; ``padding`` is as in :func:`conv2d`, and padded cells never win. A
    nan in a window comes out as nan; the first of equals gets the gradient. float32 and float64 stay, whole
    numbers become one of them. Raises ShapeError if x isn't of four dimensions, or the window larger than the
    padded image, ArgumentError for sizes that aren't positive whole numbers.

    >>> max_pool2d(Tensor([[[[1.0], [2.0]], [[4.0], [3.0]]]])).data.ravel()
    array([4.], dtype=float32)
    """
    return MaxPool2D.apply(x, **_window("max_pool2d", x, pool_size, strides, padding))


@register
class MaxPool2DScatter(Function):
    name = "max_pool2d_scatter"
    formula = r"y_{n p q c} = \sum_{i j} x_{n i j c}\,[(p, q) \text{ won window } (i, j)]"
    derivative = r"\bar{x}_{n i j c} = \bar{y} \text{ at the winner of window } (i, j)"
    words = "Puts each window's value back into the place of its winner."

    @staticmethod
    def forward(
        x: Any, indices: Any, *, shape: Shape, pool_size: Pair, strides: Pair, padding: Padding
    ) -> Any:
        return kernels.max_pool2d_scatter(floating(x), indices, shape, pool_size, strides, padding)

    @staticmethod
    def backward(g: Any, indices: Any, pool_size: Pair, strides: Pair, padding: Padding) -> Any:
        dx = MaxPool2DGather.apply(g, indices, pool_size=pool_size, strides=strides, padding=padding)
        return dx, None


@register
class MaxPool2DGather(Function):
    name = "max_pool2d_gather"
    formula = r"y_{n i j c} = x \text{ at the winner of window } (i, j)"
    derivative = r"\bar{x}_{n p q c} = \sum_{i j} \bar{y}_{n i j c}\,[(p, q) \text{ won window } (i, j)]"
    words = "Picks, in each window, the place that won the maximum before."

    @staticmethod
    def forward(x: Any, indices: Any, *, pool_size: Pair, strides: Pair, padding: Padding) -> Any:
        return kernels.max_pool2d_gather(floating(x), indices, pool_size, strides, padding)

    @staticmethod
    def backward(
        g: Any, indices: Any, x_shape: Shape, pool_size: Pair, strides: Pair, padding: Padding
    ) -> Any:
        dx = MaxPool2DScatter.apply(
            g, indices, shape=x_shape, pool_size=pool_size, strides=strides, padding=padding
        )
        return dx, None


@register
class AvgPool2D(Function):
    name = "avg_pool2d"
    formula = r"y_{n i j c} = \frac{1}{m_{i j}} \sum_{u, v}\, x_{n,\, s i + u,\, s j + v,\, c}"
    derivative = r"\bar{x}_{n p q c} = \sum_{i j \,\ni\, (p, q)} \bar{y}_{n i j c} / m_{i j}"
    words = "Averages each window over its pixels; they get equal shares of the gradient."

    @staticmethod
    def forward(x: Any, *, pool_size: Pair, strides: Pair, padding: Padding) -> Any:
        return kernels.avg_pool2d(floating(x), pool_size, strides, padding)

    @staticmethod
    def backward(g: Any, x_shape: Shape, pool_size: Pair, strides: Pair, padding: Padding) -> Any:
        return AvgPool2DScatter.apply(g, shape=x_shape, pool_size=pool_size, strides=strides, padding=padding)


def avg_pool2d(
    x: Any, /, pool_size: int | Pair = 2, *, strides: int | Pair | None = None, padding: Any = "valid"
) -> Tensor:
    """Return the mean of each window of images (N, H, W, C): (N, H', W', C).

    Arguments, dtypes and what it raises are as in :func:`max_pool2d`; padded cells are not counted in the
    mean (TensorFlow's rule).

    >>> avg_pool2d(Tensor([[[[1.0], [2.0]], [[4.0], [3.0]]]])).data.ravel()
    array([2.5], dtype=float32)
    """
    return AvgPool2D.apply(x, **_window("avg_pool2d", x, pool_size, strides, padding))


@register
class AvgPool2DScatter(Function):
    name = "avg_pool2d_scatter"
    formula = r"y_{n p q c} = \sum_{i j \,\ni\, (p, q)} x_{n i j c} / m_{i j}"
    derivative = r"\bar{x} = \operatorname{avg\_pool2d}(\bar{y})"
    words = "Shares each window's value out equally among its pixels."

    @staticmethod
    def forward(x: Any, *, shape: Shape, pool_size: Pair, strides: Pair, padding: Padding) -> Any:
        return kernels.avg_pool2d_scatter(floating(x), shape, pool_size, strides, padding)

    @staticmethod
    def backward(g: Any, pool_size: Pair, strides: Pair, padding: Padding) -> Any:
        return AvgPool2D.apply(g, pool_size=pool_size, strides=strides, padding=padding)


# --- Made of these ---------------------------------------------------------------------------------------


def max_pool1d(
    x: Any, /, pool_size: int = 2, *, strides: int | None = None, padding: Any = "valid"
) -> Tensor:
    """Return the largest value of each window of sequences (N, L, C): (N, L', C).

    ``padding`` is "valid", "same", a number or (before, after); all else is as in :func:`max_pool2d`, also
    the dtypes and what it raises.

    >>> max_pool1d([[[1.0], [3.0], [2.0]]], 2, strides=1).ravel()
    array([3., 3.], dtype=float32)
    """
    return _pool1d(MaxPool2D, "max_pool1d", x, pool_size, strides, padding)  # type: ignore[no-any-return]


def avg_pool1d(
    x: Any, /, pool_size: int = 2, *, strides: int | None = None, padding: Any = "valid"
) -> Tensor:
    """Return the mean of each window of sequences (N, L, C): (N, L', C).

    ``padding`` is "valid", "same", a number or (before, after); all else is as in :func:`avg_pool2d`, also
    the dtypes and what it raises.

    >>> avg_pool1d([[[1.0], [3.0], [2.0]]], 2, strides=1).ravel()
    array([2. , 2.5], dtype=float32)
    """
    return _pool1d(AvgPool2D, "avg_pool1d", x, pool_size, strides, padding)  # type: ignore[no-any-return]


def global_max_pool2d(x: Any, /, *, keepdims: bool = False) -> Tensor:
    """Return the largest value of each channel of images (N, H, W, C): (N, C), or (N, 1, 1, C).

    Equal pixels share the gradient, and the dtype stays, as in :func:`max`. Raises ShapeError if there is
    no pixel.

    >>> global_max_pool2d(Tensor([[[[1.0], [2.0]], [[4.0], [3.0]]]]))
    Tensor([[4.]])
    """
    _expect("global_max_pool2d", x, "images (N, H, W, C)")
    return ops.max(x, axis=(1, 2), keepdims=keepdims)


def global_avg_pool2d(x: Any, /, *, keepdims: bool = False) -> Tensor:
    """Return the mean of each channel of images (N, H, W, C): (N, C), or (N, 1, 1, C).

    The dtype is that of :func:`mean`; over no pixels it is nan. Raises ShapeError if x isn't of four
    dimensions.

    >>> global_avg_pool2d(Tensor([[[[1.0], [2.0]], [[4.0], [3.0]]]]))
    Tensor([[2.5]])
    """
    _expect("global_avg_pool2d", x, "images (N, H, W, C)")
    return ops.mean(x, axis=(1, 2), keepdims=keepdims)


def global_max_pool1d(x: Any, /, *, keepdims: bool = False) -> Tensor:
    """Return the largest value of each channel of sequences (N, L, C): (N, C), or (N, 1, C).

    Equal values share the gradient, and the dtype stays, as in :func:`max`. Raises ShapeError if there are
    none.

    >>> global_max_pool1d(Tensor([[[1.0], [2.0]]]))
    Tensor([[2.]])
    """
    _expect("global_max_pool1d", x, "sequences (N, L, C)")
    return ops.max(x, axis=1, keepdims=keepdims)


def global_avg_pool1d(x: Any, /, *, keepdims: bool = False) -> Tensor:
    """Return the mean of each channel of sequences (N, L, C): (N, C), or (N, 1, C).

    The dtype is that of :func:`mean`; over nothing it is nan. Raises ShapeError if x isn't of three
    dimensions.

    >>> global_avg_pool1d(Tensor([[[1.0], [2.0]]]))
    Tensor([[1.5]])
    """
    _expect("global_avg_pool1d", x, "sequences (N, L, C)")
    return ops.mean(x, axis=1, keepdims=keepdims)
