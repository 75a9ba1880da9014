"""The other forms of convolution: depthwise, separable, transposed; of sequences."""

from typing import Any

import numpy as np

from .. import ops
from ..errors import ArgumentError, ShapeError
from ..tensor import Tensor
from .convolution import Conv2DTransposeBias, conv2d, conv2d_input_grad, expect, has_bias
from .windows import (
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

__all__ = ["conv1d", "conv1d_transpose", "conv2d_transpose", "depthwise_conv2d", "separable_conv2d"]


def depthwise_conv2d(
    x: Any,
    w: Any,
    b: Any = None,
    /,
    *,
    strides: int | Pair = 1,
    padding: Any = "valid",
    dilation: int | Pair = 1,
    activation: str | None = None,
) -> Tensor:
    """Convolve each channel of (N, H, W, C) with filters of its own, w (kh, kw, C, multiplier).

    The result (N, H', W', C · multiplier) has those of the first channel first. Arguments, such as a bias b
    (C · multiplier,), H', dtypes and what it raises are conv2d's.

    >>> import numpy as np
    >>> depthwise_conv2d(Tensor(np.ones((1, 4, 4, 3), "f4")), np.ones((3, 3, 3, 2), "f4")).shape
    (1, 2, 2, 6)
    """
    kh, kw, channels, multiplier = expect("depthwise_conv2d", x, w)[1]
    w = ops.reshape(w, (kh, kw, 1, channels * multiplier))
    rule: Any = {"strides": strides, "padding": padding, "dilation": dilation, "groups": channels}
    return conv2d(x, w, b, **rule, activation=activation)


def separable_conv2d(
    x: Any,
    depthwise: Any,
    pointwise: Any,
    b: Any = None,
    /,
    *,
    strides: int | Pair = 1,
    padding: Any = "valid",
    dilation: int | Pair = 1,
    activation: str | None = None,
) -> Tensor:
    """Return the depthwise convolution of (N, H, W, C), its channels then mixed pixel by pixel.

    The filters are (kh, kw, C, multiplier) and (1, 1, C · multiplier, F), the result (N, H', W', F), of
    conv2d's dtype; bias b (F,) and activation belong to the mixing. Raises ShapeError where they don't fit.
    From: Chollet, *Xception*, 2017.

    >>> import numpy as np
    >>> filters = np.ones((3, 3, 3, 2), "f4"), np.ones((1, 1, 6, 5), "f4")
    >>> separable_conv2d(Tensor(np.ones((1, 4, 4, 3), "f4")), *filters).shape
    (1, 2, 2, 5)
    """
    y = depthwise_conv2d(x, depthwise, strides=strides, padding=padding, dilation=dilation)
    shape = np.shape(pointwise)
    if len(shape) != 4 or shape[:3] != (1, 1, y.shape[3]):
        raise ShapeError(f"separable_conv2d: expected pointwise filters (1, 1, {y.shape[3]}, F), got {shape}")
    return conv2d(y, pointwise, b, activation=activation)


def conv2d_transpose(
    x: Any,
    w: Any,
    b: Any = None,
    /,
    *,
    strides: int | Pair = 1,
    padding: Any = "valid",
    output_padding: int | Pair | None = None,
    dilation: int | Pair = 1,
    groups: int = 1,
    activation: str | None = None,
) -> Tensor:
    """Return the transpose of :func:`conv2d` applied to images (N, H, W, C): larger ones, (N, H', W', F).

    Filters are (kh, kw, F / groups, C). By Keras' rule, with k = (kh - 1) dilation + 1, "same" makes
    H' = H · stride, and otherwise H' = (H - 1) stride + max(k, stride) - top - bottom. Where conv2d takes
    steps, it makes H of several sizes, and ``output_padding`` chooses one: (H - 1) stride + (1 if k is odd)
    + output_padding, and (H - 1) stride + k - top - bottom + output_padding. A bias b (F,), the activation
    and dtypes are as for conv2d. Raises ShapeError if the shapes don't fit, ArgumentError if conv2d doesn't
    make H of H'.

    >>> conv2d_transpose([[[[1.0], [2.0]]]], [[[[1.0]], [[10.0]]]], strides=(1, 2)).ravel()
    array([ 1., 10.,  2., 20.], dtype=float32)

    References: Dumoulin & Visin, *A guide to convolution arithmetic for deep learning*, 2016, chapter 4.
    """
    strides, dilation = pair(strides, "strides"), pair(dilation, "dilation")
    xs, ws = expect("conv2d_transpose", x, w, groups)
    extra = None if output_padding is None else pair(output_padding, "output_padding", 0)
    size = transposed_size((xs[1], xs[2]), ws[:2], strides, padding, extra, dilation)
    padding = resolve_padding(padding, size, ws[:2], strides, dilation)
    if min(size) < 1 or output_size(size, ws[:2], strides, padding, dilation) != xs[1:3]:
        raise ArgumentError(
            f"conv2d_transpose: conv2d with strides {strides}, padding {padding} doesn't make {xs[1:3]} of "
            f"{size}, so this can't be its transpose; leave output_padding={output_padding} out, or pad less"
        )
    rule: Any = {"strides": strides, "padding": padding, "dilation": dilation, "groups": groups}
    shape = (xs[0], *size, ws[2] * groups)
    if has_bias("conv2d_transpose", b, shape[3], activation):
        return Conv2DTransposeBias.apply(x, w, b, shape=shape, **rule, activation=activation)
    y = conv2d_input_grad(x, w, shape, **rule)
    return ops.relu(y) if activation else y


def conv1d(
    x: Any,
    w: Any,
    b: Any = None,
    /,
    *,
    strides: int = 1,
    padding: Any = "valid",
    dilation: int = 1,
    groups: int = 1,
    activation: str | None = None,
) -> Tensor:
    """Return the cross-correlation of sequences (N, L, C) with filters (k, C / groups, F): (N, L', F).

    ``padding`` is "valid", "same", a number, (before, after), or "causal": as much before that no output
    sees what comes after it. The rest, L', dtypes and what it raises are conv2d's.

    >>> conv1d([[[1.0], [2.0], [3.0]]], [[[1.0]], [[1.0]]], padding="causal").ravel()
    array([1., 3., 5.], dtype=float32)
    """
    w_shape = expect("conv1d", x, w, groups)[1]
    step, gap = across(strides, "strides"), across(dilation, "dilation")
    if isinstance(padding, str) and padding == "causal":
        padding = ((w_shape[0] - 1) * gap[1], 0)
    y = conv2d(
        as_images(x),
        ops.reshape(w, (1, *w_shape)),
        b,
        strides=step,
        padding=across_padding(padding),
        dilation=gap,
        groups=groups,
        activation=activation,
    )
    return as_sequences(y)  # type: ignore[no-any-return]


def conv1d_transpose(
    x: Any,
    w: Any,
    b: Any = None,
    /,
    *,
    strides: int = 1,
    padding: Any = "valid",
    output_padding: int | None = None,
    dilation: int = 1,
    groups: int = 1,
    activation: str | None = None,
) -> Tensor:
    """Return the transpose of :func:`conv1d` applied to sequences (N, L, C): longer ones, (N, L', F).

    Filters are (k, F / groups, C); bias, activation, sizes, dtypes and what it raises are as for
    :func:`conv2d_transpose`.

    >>> conv1d_transpose([[[1.0], [2.0]]], [[[1.0]], [[10.0]]], strides=2).ravel()
    array([ 1., 10.,  2., 20.], dtype=float32)
    """
    w_shape = expect("conv1d_transpose", x, w, groups)[1]
    y = conv2d_transpose(
        as_images(x),
        ops.reshape(w, (1, *w_shape)),
        b,
        strides=across(strides, "strides"),
        padding=across_padding(padding),
        output_padding=None if output_padding is None else across(output_padding, "output_padding", 0),
        dilation=across(dilation, "dilation"),
        groups=groups,
        activation=activation,
    )
    return as_sequences(y)  # type: ignore[no-any-return]
