"""Two-dimensional convolution, channels last, and its two gradients.

Convolution is linear in the image and linear in the kernel. So three operations close the circle: the
derivative of each is made of the other two, and gradients exist to any order.
"""

from typing import Any

import numpy as np

from .. import kernels
from ..errors import ShapeError
from ..function import Function
from ..tensor import Tensor
from .registry import register
from .windows import Padding, Pair, output_size, pair, resolve_padding

__all__ = ["conv2d"]

Shape = tuple[int, ...]


def _same_dtype(a: Any, b: Any) -> tuple[Any, Any]:
    dtype = np.result_type(a, b, np.float32)
    return a.astype(dtype, copy=False), b.astype(dtype, copy=False)


@register
class Conv2D(Function):
    name = "conv2d"
    formula = r"y_{n i j f} = \sum_{u v c} x_{n,\, s i + u,\, s j + v,\, c}\; w_{u v c f}"
    derivative = (
        r"\bar{x}_{n p q c} = \sum_{s i + u = p,\; s j + v = q,\; f} \bar{y}_{n i j f}\, w_{u v c f}, \quad"
        r"\bar{w}_{u v c f} = \sum_{n i j} x_{n,\, s i + u,\, s j + v,\, c}\, \bar{y}_{n i j f}"
    )
    words = "Slides small filters over an image; each output is the dot product of a filter and a patch."

    @staticmethod
    def forward(x: Any, w: Any, *, strides: Pair, padding: Padding) -> Any:
        return kernels.conv2d(*_same_dtype(x, w), strides, padding)

    @staticmethod
    def backward(g: Any, x: Any, w: Any, needs: tuple[bool, ...], strides: Pair, padding: Padding) -> Any:
        dx = conv2d_input_grad(g, w, x.shape, strides=strides, padding=padding) if needs[0] else None
        dw = conv2d_weight_grad(x, g, w.shape, strides=strides, padding=padding) if needs[1] else None
        return dx, dw


def conv2d(x: Any, w: Any, /, *, strides: int | Pair = 1, padding: Any = "valid") -> Tensor:
    """Return the cross-correlation of images with filters, as deep learning calls convolution.

    Parameters
    ----------
    x
        Images (N, H, W, C).
    w
        Filters (kh, kw, C, F).
    strides
        Step of the window, one number or (vertical, horizontal).
    padding
        "valid" (none), "same" (ceil(H / stride) rows come out; the odd pixel goes at the end, as in
        TensorFlow), a number, or ((top, bottom), (left, right)).

    Returns
    -------
    Tensor (N, H', W', F) with H' = floor((H + top + bottom - kh) / stride) + 1.

    Raises
    ------
    ShapeError
        If the dimensions aren't four, the channels differ, or the filter is larger than the padded image.

    Examples
    --------
    >>> import numpy as np
    >>> conv2d(Tensor(np.ones((1, 4, 4, 1), "f4")), Tensor(np.ones((3, 3, 1, 2), "f4"))).shape
    (1, 2, 2, 2)

    References: Dumoulin & Visin, *A guide to convolution arithmetic for deep learning*, 2016.
    """
    strides = pair(strides, "strides")
    xs, ws = np.shape(x), np.shape(w)
    if len(xs) != 4 or len(ws) != 4 or xs[3] != ws[2]:
        raise ShapeError(
            f"conv2d: expected images (N, H, W, C) and filters (kh, kw, C, F) with equal C, got {xs} and {ws}"
            + ("; channels come last here: an axis of 1 is missing?" if len(xs) == 3 else "")
        )
    padding = resolve_padding(padding, xs[1:3], ws[:2], strides)
    output_size(xs[1:3], ws[:2], strides, padding)
    return Conv2D.apply(x, w, strides=strides, padding=padding)


@register
class Conv2DInputGrad(Function):
    name = "conv2d_input_grad"
    formula = r"y_{n p q c} = \sum_{s i + u = p,\; s j + v = q,\; f} g_{n i j f}\, w_{u v c f}"
    derivative = (
        r"\bar{g} = \operatorname{conv2d}(\bar{y}, w), \quad \bar{w} = \text{weight grad of } (\bar{y}, g)"
    )
    words = "Hands each output's gradient back to the patch of the image that it was made from."

    @staticmethod
    def forward(g: Any, w: Any, *, shape: Shape, strides: Pair, padding: Padding) -> Any:
        return kernels.conv2d_input_grad(*_same_dtype(g, w), shape, strides, padding)

    @staticmethod
    def backward(h: Any, g: Any, w: Any, needs: tuple[bool, ...], strides: Pair, padding: Padding) -> Any:
        dg = conv2d(h, w, strides=strides, padding=padding) if needs[0] else None
        dw = conv2d_weight_grad(h, g, w.shape, strides=strides, padding=padding) if needs[1] else None
        return dg, dw


def conv2d_input_grad(g: Any, w: Any, shape: Shape, /, *, strides: Pair, padding: Padding) -> Tensor:
    """Return dL/dx (of ``shape``) of ``conv2d(x, w)`` for g = dL/dy; also a transposed convolution.

    >>> import numpy as np
    >>> g, w = Tensor(np.ones((1, 2, 2, 1), "f4")), Tensor(np.ones((3, 3, 1, 1), "f4"))
    >>> conv2d_input_grad(g, w, (1, 4, 4, 1), strides=(1, 1), padding=((0, 0), (0, 0)))[0, :, :, 0]
    Tensor([[1., 2., 2., 1.],
            [2., 4., 4., 2.],
            [2., 4., 4., 2.],
            [1., 2., 2., 1.]])
    """
    return Conv2DInputGrad.apply(g, w, shape=tuple(shape), strides=strides, padding=padding)


@register
class Conv2DWeightGrad(Function):
    name = "conv2d_weight_grad"
    formula = r"y_{u v c f} = \sum_{n i j} x_{n,\, s i + u,\, s j + v,\, c}\; g_{n i j f}"
    derivative = (
        r"\bar{x} = \text{input grad of } (g, \bar{y}), \quad \bar{g} = \operatorname{conv2d}(x, \bar{y})"
    )
    words = "Sums, over all places, the product of what a filter saw there and the gradient that came back."

    @staticmethod
    def forward(x: Any, g: Any, *, shape: Shape, strides: Pair, padding: Padding) -> Any:
        return kernels.conv2d_weight_grad(*_same_dtype(x, g), shape, strides, padding)

    @staticmethod
    def backward(h: Any, x: Any, g: Any, needs: tuple[bool, ...], strides: Pair, padding: Padding) -> Any:
        dx = conv2d_input_grad(g, h, x.shape, strides=strides, padding=padding) if needs[0] else None
        dg = conv2d(x, h, strides=strides, padding=padding) if needs[1] else None
        return dx, dg


def conv2d_weight_grad(x: Any, g: Any, shape: Shape, /, *, strides: Pair, padding: Padding) -> Tensor:
    """Return dL/dw (of ``shape``) of ``conv2d(x, w)`` for g = dL/dy.

    >>> import numpy as np
    >>> x, g = Tensor(np.ones((1, 4, 4, 1), "f4")), Tensor(np.ones((1, 2, 2, 1), "f4"))
    >>> conv2d_weight_grad(x, g, (3, 3, 1, 1), strides=(1, 1), padding=((0, 0), (0, 0)))[0, 0, 0, 0]
    Tensor(4.)
    """
    return Conv2DWeightGrad.apply(x, g, shape=tuple(shape), strides=strides, padding=padding)
