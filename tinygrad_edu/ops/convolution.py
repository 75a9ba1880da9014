"""Convolution, channels last: plain, dilated, in groups, depthwise, transposed; of images and of sequences.

Convolution is linear in the image and linear in the kernel. So three operations close the circle: the
derivative of each is made of the other two, and gradients exist to any order. The rest is made of them.
"""

from typing import Any

import numpy as np

from .. import kernels, ops
from ..errors import ArgumentError, ShapeError
from ..function import Function
from ..tensor import Tensor
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
    transposed_size,
)

__all__ = [
    "conv1d", "conv1d_transpose", "conv2d", "conv2d_transpose", "depthwise_conv2d", "separable_conv2d",
]  # fmt: skip

Shape = tuple[int, ...]


def _same_dtype(a: Any, b: Any) -> tuple[Any, Any]:
    dtype = np.result_type(a, b, np.float32)
    return a.astype(dtype, copy=False), b.astype(dtype, copy=False)


@register
class Conv2D(Function):
    name = "conv2d"
    formula = r"y_{n i j f} = \sum_{u v c} x_{n,\, s i + d u,\, s j + d v,\, c}\; w_{u v c f}"
    derivative = (
        r"\bar{x}_{n p q c} = \sum_{s i + d u = p,\; s j + d v = q,\; f} \bar{y}_{n i j f}\, w_{u v c f}, "
        r"\quad \bar{w}_{u v c f} = \sum_{n i j} x_{n,\, s i + d u,\, s j + d v,\, c}\, \bar{y}_{n i j f}"
    )
    words = "Slides small filters over an image; each output is the dot product of a filter and a patch."

    @staticmethod
    def forward(x: Any, w: Any, *, strides: Pair, padding: Padding, dilation: Pair, groups: int) -> Any:
        return kernels.conv2d(*_same_dtype(x, w), strides, padding, dilation, groups)

    @staticmethod
    def backward(
        g: Any, x: Any, w: Any, needs: tuple[bool, ...],
        strides: Pair, padding: Padding, dilation: Pair, groups: int,
    ) -> Any:  # fmt: skip
        rule: Any = {"strides": strides, "padding": padding, "dilation": dilation, "groups": groups}
        dx = conv2d_input_grad(g, w, x.shape, **rule) if needs[0] else None
        dw = conv2d_weight_grad(x, g, w.shape, **rule) if needs[1] else None
        return dx, dw


@register
class Conv2DBias(Function):
    name = "conv2d_bias"
    formula = (
        r"y_{n i j f} = \varphi\!\left(b_f + \sum_{u v c} x_{n,\, s i + d u,\, s j + d v,\, c}\; w_{u v c f}"
        r"\right), \quad \varphi(t) = t \text{ or } \max(0, t)"
    )
    derivative = (
        r"h = \bar{y}\, \varphi'; \quad \bar{x}, \bar{w} \text{ as in conv2d from } h, \quad "
        r"\bar{b}_f = \sum_{n i j} h_{n i j f}"
    )
    words = (
        "A convolution that adds each filter's bias, and cuts off below 0 if it is to, while a result is "
        "still in the processor's registers."
    )

    @staticmethod
    def forward(
        x: Any, w: Any, b: Any, *,
        strides: Pair, padding: Padding, dilation: Pair, groups: int, activation: str | None,
    ) -> Any:  # fmt: skip
        dtype = np.result_type(x, w, b, np.float32)
        x, w, b = (a.astype(dtype, copy=False) for a in (x, w, b))
        return kernels.conv2d(x, w, strides, padding, dilation, groups, bias=b, relu=activation == "relu")

    @staticmethod
    def backward(
        g: Any, x: Any, w: Any, out: Any, needs: tuple[bool, ...],
        strides: Pair, padding: Padding, dilation: Pair, groups: int, activation: str | None,
    ) -> Any:  # fmt: skip
        rule: Any = {"strides": strides, "padding": padding, "dilation": dilation, "groups": groups}
        if activation == "relu":
            values = out.data if isinstance(out, Tensor) else out
            g = ops.where(values > 0, g, 0.0)
        dx = conv2d_input_grad(g, w, x.shape, **rule) if needs[0] else None
        dw = conv2d_weight_grad(x, g, w.shape, **rule) if needs[1] else None
        db = ops.sum(g, axis=(0, 1, 2)) if needs[2] else None
        return dx, dw, db


def conv2d(
    x: Any,
    w: Any,
    b: Any = None,
    /,
    *,
    strides: int | Pair = 1,
    padding: Any = "valid",
    dilation: int | Pair = 1,
    groups: int = 1,
    activation: str | None = None,
) -> Tensor:
    """Return the cross-correlation of images with filters, as deep learning calls convolution.

    Parameters
    ----------
    x
        Images (N, H, W, C).
    w
        Filters (kh, kw, C / groups, F).
    b
        The bias of each filter (F,), added to every pixel; None for none.
    strides
        Step of the window, one number or (vertical, horizontal).
    padding
        "valid" (none), "same" (ceil(H / stride) rows come out; the odd pixel goes at the end, as in
        TensorFlow), a number, or ((top, bottom), (left, right)).
    dilation
        How far apart the pixels lie that a filter sees, one number or (vertical, horizontal). Keras calls
        it ``dilation_rate`` and allows it with strides of 1 only; here they go together.
    groups
        Into so many equal parts the channels and the filters are split, in order; each part of the filters
        sees its part of the channels alone.
    activation
        None, or "relu": what is negative becomes 0. With a bias that is one pass over the result.

    Returns
    -------
    Tensor (N, H', W', F) with H' = floor((H + top + bottom - (kh - 1) dilation - 1) / stride) + 1, float64
    if an input is (or holds int32 or int64), and float32 otherwise.

    Raises
    ------
    ShapeError
        If the dimensions aren't four, the channels differ, groups doesn't divide them, the bias isn't one
        number a filter, or the filter is larger than the padded image.
    ArgumentError
        If strides, dilation or groups aren't positive whole numbers, or for a padding or an activation of
        another kind.
    DTypeError
        For text.

    Examples
    --------
    >>> import numpy as np
    >>> conv2d(Tensor(np.ones((1, 4, 4, 1), "f4")), Tensor(np.ones((3, 3, 1, 2), "f4"))).shape
    (1, 2, 2, 2)

    References: Dumoulin & Visin, *A guide to convolution arithmetic for deep learning*, 2016.
    """
    strides, dilation = pair(strides, "strides"), pair(dilation, "dilation")
    xs, ws = _expect("conv2d", x, w, groups)
    padding = resolve_padding(padding, (xs[1], xs[2]), ws[:2], strides, dilation)
    output_size((xs[1], xs[2]), ws[:2], strides, padding, dilation)
    rule: Any = {"strides": strides, "padding": padding, "dilation": dilation, "groups": groups}
    if activation not in (None, "relu"):
        raise ArgumentError(f'conv2d: activation must be None or "relu", got {activation!r}')
    if b is None:
        y = Conv2D.apply(x, w, **rule)
        return ops.relu(y) if activation else y
    if np.shape(b) != ws[-1:]:
        raise ShapeError(f"conv2d: expected a bias {ws[-1:]}, one for each filter, got {np.shape(b)}")
    return Conv2DBias.apply(x, w, b, **rule, activation=activation)


_LAYOUTS = {
    "conv1d": ("sequences (N, L, C)", "filters (k, C / groups, F)"),
    "conv1d_transpose": ("sequences (N, L, C)", "filters (k, F / groups, C)"),
    "conv2d": ("images (N, H, W, C)", "filters (kh, kw, C / groups, F)"),
    "conv2d_transpose": ("images (N, H, W, C)", "filters (kh, kw, F / groups, C)"),
    "depthwise_conv2d": ("images (N, H, W, C)", "filters (kh, kw, C, multiplier)"),
}


def _expect(call: str, x: Any, w: Any, groups: int = 1) -> tuple[Shape, Shape]:
    """Return the shapes of x and w, once they are seen to fit together."""
    if not isinstance(groups, int | np.integer) or groups < 1:
        raise ArgumentError(f"{call}: groups must be a positive whole number, got {groups!r}")
    xs, ws = np.shape(x), np.shape(w)
    images, filters = _LAYOUTS[call]
    rank = 3 if call.startswith("conv1d") else 4
    problem = ""
    if len(xs) == rank - 1:
        problem = "; channels come last here: an axis of 1 is missing?"
    elif len(xs) == len(ws) == rank and 0 in ws[:-2]:
        problem = "; a filter must have sides of at least 1"
    elif len(xs) == len(ws) == rank:
        seen = ws[-1] if call.endswith("transpose") else ws[-2] * groups
        if xs[-1] % groups or ws[-1] % groups:
            problem = f"; groups={groups} must divide the {xs[-1]} channels and the last axis of the filters"
        elif seen != xs[-1]:
            problem = f"; the images have {xs[-1]} channels, the filters are made for {seen}"
        else:
            return xs, ws
    raise ShapeError(f"{call}: expected {images} and {filters} with equal C, got {xs} and {ws}{problem}")


@register
class Conv2DInputGrad(Function):
    name = "conv2d_input_grad"
    formula = r"y_{n p q c} = \sum_{s i + d u = p,\; s j + d v = q,\; f} g_{n i j f}\, w_{u v c f}"
    derivative = (
        r"\bar{g} = \operatorname{conv2d}(\bar{y}, w), \quad \bar{w} = \text{weight grad of } (\bar{y}, g)"
    )
    words = "Hands each output's gradient back to the patch of the image that it was made from."

    @staticmethod
    def forward(
        g: Any, w: Any, *, shape: Shape, strides: Pair, padding: Padding, dilation: Pair, groups: int
    ) -> Any:
        return kernels.conv2d_input_grad(*_same_dtype(g, w), shape, strides, padding, dilation, groups)

    @staticmethod
    def backward(
        h: Any, g: Any, w: Any, needs: tuple[bool, ...],
        strides: Pair, padding: Padding, dilation: Pair, groups: int,
    ) -> Any:  # fmt: skip
        rule: Any = {"strides": strides, "padding": padding, "dilation": dilation, "groups": groups}
        dg = conv2d(h, w, **rule) if needs[0] else None
        dw = conv2d_weight_grad(h, g, w.shape, **rule) if needs[1] else None
        return dg, dw


def conv2d_input_grad(
    g: Any,
    w: Any,
    shape: Shape,
    /,
    *,
    strides: Pair,
    padding: Padding,
    dilation: Pair = (1, 1),
    groups: int = 1,
) -> Tensor:
    """Return dL/dx (of ``shape``) of ``conv2d(x, w)`` for g = dL/dy; also a transposed convolution.

    >>> import numpy as np
    >>> g, w = Tensor(np.ones((1, 2, 2, 1), "f4")), Tensor(np.ones((3, 3, 1, 1), "f4"))
    >>> conv2d_input_grad(g, w, (1, 4, 4, 1), strides=(1, 1), padding=((0, 0), (0, 0)))[0, :, :, 0]
    Tensor([[1., 2., 2., 1.],
            [2., 4., 4., 2.],
            [2., 4., 4., 2.],
            [1., 2., 2., 1.]])
    """
    return Conv2DInputGrad.apply(
        g, w, shape=tuple(shape), strides=strides, padding=padding, dilation=dilation, groups=groups
    )


@register
class Conv2DWeightGrad(Function):
    name = "conv2d_weight_grad"
    formula = r"y_{u v c f} = \sum_{n i j} x_{n,\, s i + d u,\, s j + d v,\, c}\; g_{n i j f}"
    derivative = (
        r"\bar{x} = \text{input grad of } (g, \bar{y}), \quad \bar{g} = \operatorname{conv2d}(x, \bar{y})"
    )
    words = "Sums, over all places, the product of what a filter saw there and the gradient that came back."

    @staticmethod
    def forward(
        x: Any, g: Any, *, shape: Shape, strides: Pair, padding: Padding, dilation: Pair, groups: int
    ) -> Any:
        return kernels.conv2d_weight_grad(*_same_dtype(x, g), shape, strides, padding, dilation, groups)

    @staticmethod
    def backward(
        h: Any, x: Any, g: Any, needs: tuple[bool, ...],
        strides: Pair, padding: Padding, dilation: Pair, groups: int,
    ) -> Any:  # fmt: skip
        rule: Any = {"strides": strides, "padding": padding, "dilation": dilation, "groups": groups}
        dx = conv2d_input_grad(g, h, x.shape, **rule) if needs[0] else None
        dg = conv2d(x, h, **rule) if needs[1] else None
        return dx, dg


def conv2d_weight_grad(
    x: Any,
    g: Any,
    shape: Shape,
    /,
    *,
    strides: Pair,
    padding: Padding,
    dilation: Pair = (1, 1),
    groups: int = 1,
) -> Tensor:
    """Return dL/dw (of ``shape``) of ``conv2d(x, w)`` for g = dL/dy.

    >>> import numpy as np
    >>> x, g = Tensor(np.ones((1, 4, 4, 1), "f4")), Tensor(np.ones((1, 2, 2, 1), "f4"))
    >>> conv2d_weight_grad(x, g, (3, 3, 1, 1), strides=(1, 1), padding=((0, 0), (0, 0)))[0, 0, 0, 0]
    Tensor(4.)
    """
    return Conv2DWeightGrad.apply(
        x, g, shape=tuple(shape), strides=strides, padding=padding, dilation=dilation, groups=groups
    )


# --- Made of these ---------------------------------------------------------------------------------------


def depthwise_conv2d(
    x: Any, w: Any, /, *, strides: int | Pair = 1, padding: Any = "valid", dilation: int | Pair = 1
) -> Tensor:
    """Convolve each channel of (N, H, W, C) with filters of its own, w (kh, kw, C, multiplier).

    The result (N, H', W', C · multiplier) has those of the first channel first. Arguments, H', dtypes and
    what it raises are conv2d's.

    >>> import numpy as np
    >>> depthwise_conv2d(Tensor(np.ones((1, 4, 4, 3), "f4")), np.ones((3, 3, 3, 2), "f4")).shape
    (1, 2, 2, 6)
    """
    kh, kw, channels, multiplier = _expect("depthwise_conv2d", x, w)[1]
    w = ops.reshape(w, (kh, kw, 1, channels * multiplier))
    return conv2d(x, w, strides=strides, padding=padding, dilation=dilation, groups=channels)


def separable_conv2d(
    x: Any,
    depthwise: Any,
    pointwise: Any,
    /,
    *,
    strides: int | Pair = 1,
    padding: Any = "valid",
    dilation: int | Pair = 1,
) -> Tensor:
    """Return the depthwise convolution of (N, H, W, C), its channels then mixed pixel by pixel.

    The filters are (kh, kw, C, multiplier) and (1, 1, C · multiplier, F), the result (N, H', W', F), of
    conv2d's dtype. Raises ShapeError where they don't fit. From: Chollet, *Xception*, 2017.

    >>> import numpy as np
    >>> filters = np.ones((3, 3, 3, 2), "f4"), np.ones((1, 1, 6, 5), "f4")
    >>> separable_conv2d(Tensor(np.ones((1, 4, 4, 3), "f4")), *filters).shape
    (1, 2, 2, 5)
    """
    y = depthwise_conv2d(x, depthwise, strides=strides, padding=padding, dilation=dilation)
    shape = np.shape(pointwise)
    if len(shape) != 4 or shape[:3] != (1, 1, y.shape[3]):
        raise ShapeError(f"separable_conv2d: expected pointwise filters (1, 1, {y.shape[3]}, F), got {shape}")
    return conv2d(y, pointwise)


def conv2d_transpose(
    x: Any,
    w: Any,
    /,
    *,
    strides: int | Pair = 1,
    padding: Any = "valid",
    output_padding: int | Pair | None = None,
    dilation: int | Pair = 1,
    groups: int = 1,
) -> Tensor:
    """Return the transpose of :func:`conv2d` applied to images (N, H, W, C): larger ones, (N, H', W', F).

    Filters are (kh, kw, F / groups, C). By Keras' rule, with k = (kh - 1) dilation + 1, "same" makes
    H' = H · stride, and otherwise H' = (H - 1) stride + max(k, stride) - top - bottom. Where conv2d takes
    steps, it makes H of several sizes, and ``output_padding`` chooses one: (H - 1) stride + (1 if k is odd)
    + output_padding, and (H - 1) stride + k - top - bottom + output_padding. Dtypes are conv2d's. Raises
    ShapeError if the shapes don't fit, ArgumentError if conv2d doesn't make H of H'.

    >>> conv2d_transpose([[[[1.0], [2.0]]]], [[[[1.0]], [[10.0]]]], strides=(1, 2)).ravel()
    array([ 1., 10.,  2., 20.], dtype=float32)

    References: Dumoulin & Visin, *A guide to convolution arithmetic for deep learning*, 2016, chapter 4.
    """
    strides, dilation = pair(strides, "strides"), pair(dilation, "dilation")
    xs, ws = _expect("conv2d_transpose", x, w, groups)
    extra = None if output_padding is None else pair(output_padding, "output_padding", 0)
    size = transposed_size((xs[1], xs[2]), ws[:2], strides, padding, extra, dilation)
    padding = resolve_padding(padding, size, ws[:2], strides, dilation)
    if min(size) < 1 or output_size(size, ws[:2], strides, padding, dilation) != xs[1:3]:
        raise ArgumentError(
            f"conv2d_transpose: conv2d with strides {strides}, padding {padding} doesn't make {xs[1:3]} of "
            f"{size}, so this can't be its transpose; leave output_padding={output_padding} out, or pad less"
        )
    shape = (xs[0], *size, ws[2] * groups)
    return conv2d_input_grad(x, w, shape, strides=strides, padding=padding, dilation=dilation, groups=groups)


def conv1d(
    x: Any, w: Any, /, *, strides: int = 1, padding: Any = "valid", dilation: int = 1, groups: int = 1
) -> Tensor:
    """Return the cross-correlation of sequences (N, L, C) with filters (k, C / groups, F): (N, L', F).

    ``padding`` is "valid", "same", a number, (before, after), or "causal": as much before that no output
    sees what comes after it. The rest, L', dtypes and what it raises are conv2d's.

    >>> conv1d([[[1.0], [2.0], [3.0]]], [[[1.0]], [[1.0]]], padding="causal").ravel()
    array([1., 3., 5.], dtype=float32)
    """
    w_shape = _expect("conv1d", x, w, groups)[1]
    step, gap = across(strides, "strides"), across(dilation, "dilation")
    if isinstance(padding, str) and padding == "causal":
        padding = ((w_shape[0] - 1) * gap[1], 0)
    y = conv2d(
        as_images(x),
        ops.reshape(w, (1, *w_shape)),
        strides=step,
        padding=across_padding(padding),
        dilation=gap,
        groups=groups,
    )
    return as_sequences(y)  # type: ignore[no-any-return]


def conv1d_transpose(
    x: Any,
    w: Any,
    /,
    *,
    strides: int = 1,
    padding: Any = "valid",
    output_padding: int | None = None,
    dilation: int = 1,
    groups: int = 1,
) -> Tensor:
    """Return the transpose of :func:`conv1d` applied to sequences (N, L, C): longer ones, (N, L', F).

    Filters are (k, F / groups, C); sizes, dtypes and what it raises are as for :func:`conv2d_transpose`.

    >>> conv1d_transpose([[[1.0], [2.0]]], [[[1.0]], [[10.0]]], strides=2).ravel()
    array([ 1., 10.,  2., 20.], dtype=float32)
    """
    w_shape = _expect("conv1d_transpose", x, w, groups)[1]
    y = conv2d_transpose(
        as_images(x),
        ops.reshape(w, (1, *w_shape)),
        strides=across(strides, "strides"),
        padding=across_padding(padding),
        output_padding=None if output_padding is None else across(output_padding, "output_padding", 0),
        dilation=across(dilation, "dilation"),
        groups=groups,
    )
    return as_sequences(y)  # type: ignore[no-any-return]
