"""Convolution of images, channels last: plain, dilated, in groups; and the operations that its gradients are.

Convolution is linear in the image and linear in the kernel. So three operations close the circle: the
derivative of each is made of the other two, and gradients exist to any order. Its other forms are made of
these: see convolution_forms.py.
"""

from typing import Any

import numpy as np

from .. import kernels, ops
from ..errors import ArgumentError, ShapeError
from ..function import Function, shape_of
from ..tensor import Tensor
from .activations import ReLU
from .registry import register
from .windows import Padding, Pair, output_size, pair, resolve_padding

__all__ = ["conv2d"]

Shape = tuple[int, ...]


def _same_dtype(*arrays: Any) -> Any:
    if all(a.dtype == np.float32 for a in arrays):
        return arrays
    dtype = np.result_type(*arrays, np.float32)
    return [a.astype(dtype, copy=False) for a in arrays]


def _before(activation: str | None, g: Any, out: Any) -> Any:
    """Return the gradient of what went into the activation, from that of what came out, and that itself."""
    if activation is None:
        return g
    return ReLU.backward(g, out)


def has_bias(call: str, b: Any, filters: int, activation: Any) -> bool:
    """Return whether there is a bias, once that and the activation are seen to be right."""
    if activation not in (None, "relu"):
        raise ArgumentError(f'{call}: activation must be None or "relu", got {activation!r}')
    if b is not None and shape_of(b) != (filters,):
        raise ShapeError(f"{call}: expected a bias ({filters},), one for each filter, got {shape_of(b)}")
    return b is not None


_LAYOUTS = {
    "conv1d": ("sequences (N, L, C)", "filters (k, C / groups, F)"),
    "conv1d_transpose": ("sequences (N, L, C)", "filters (k, F / groups, C)"),
    "conv2d": ("images (N, H, W, C)", "filters (kh, kw, C / groups, F)"),
    "conv2d_transpose": ("images (N, H, W, C)", "filters (kh, kw, F / groups, C)"),
    "depthwise_conv2d": ("images (N, H, W, C)", "filters (kh, kw, C, multiplier)"),
}


def expect(call: str, x: Any, w: Any, groups: int = 1) -> tuple[Shape, Shape]:
    """Return the shapes of x and w, once they are seen to fit together."""
    if not isinstance(groups, int | np.integer) or groups < 1:
        raise ArgumentError(f"{call}: groups must be a positive whole number, got {groups!r}")
    xs, ws = shape_of(x), shape_of(w)
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
            if xs[1] == seen:
                order = (0, *range(2, rank), 1)
                problem += f". If the channels are axis 1, as in PyTorch: permute_dims(x, {order})"
        else:
            return xs, ws
    raise ShapeError(f"{call}: expected {images} and {filters} with equal C, got {xs} and {ws}{problem}")


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
        x, w = _same_dtype(x, w)
        return kernels.conv2d(x, w, strides, padding, dilation, groups)

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
        x, w, b = _same_dtype(x, w, b)
        return kernels.conv2d(x, w, strides, padding, dilation, groups, bias=b, relu=activation == "relu")

    @staticmethod
    def backward(
        g: Any, x: Any, w: Any, out: Any, needs: tuple[bool, ...],
        strides: Pair, padding: Padding, dilation: Pair, groups: int, activation: str | None,
    ) -> Any:  # fmt: skip
        rule: Any = {"strides": strides, "padding": padding, "dilation": dilation, "groups": groups}
        g = _before(activation, g, out)
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
    xs, ws = expect("conv2d", x, w, groups)
    padding = resolve_padding(padding, (xs[1], xs[2]), ws[:2], strides, dilation)
    output_size((xs[1], xs[2]), ws[:2], strides, padding, dilation)
    rule: Any = {"strides": strides, "padding": padding, "dilation": dilation, "groups": groups}
    if has_bias("conv2d", b, ws[3], activation):
        return Conv2DBias.apply(x, w, b, **rule, activation=activation)
    y = Conv2D.apply(x, w, **rule)
    return ops.relu(y) if activation else y


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
        g, w = _same_dtype(g, w)
        return kernels.conv2d_input_grad(g, w, shape, strides, padding, dilation, groups)

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
class Conv2DTransposeBias(Function):
    name = "conv2d_transpose_bias"
    formula = (
        r"y_{n p q c} = \varphi\!\left(b_c + \sum_{s i + d u = p,\; s j + d v = q,\; f} x_{n i j f}\, "
        r"w_{u v c f}\right), \quad \varphi(t) = t \text{ or } \max(0, t)"
    )
    derivative = (
        r"h = \bar{y}\, \varphi'; \quad \bar{x} = \operatorname{conv2d}(h, w), \quad "
        r"\bar{w} = \text{weight grad of } (h, x), \quad \bar{b}_c = \sum_{n p q} h_{n p q c}"
    )
    words = "A transposed convolution that adds each channel's bias, and cuts off below 0 if it is to."

    @staticmethod
    def forward(
        x: Any, w: Any, b: Any, *, shape: Shape,
        strides: Pair, padding: Padding, dilation: Pair, groups: int, activation: str | None,
    ) -> Any:  # fmt: skip
        x, w, b = _same_dtype(x, w, b)
        return kernels.conv2d_input_grad(
            x, w, shape, strides, padding, dilation, groups, bias=b, relu=activation == "relu"
        )

    @staticmethod
    def backward(
        g: Any, x: Any, w: Any, out: Any, needs: tuple[bool, ...],
        strides: Pair, padding: Padding, dilation: Pair, groups: int, activation: str | None,
    ) -> Any:  # fmt: skip
        rule: Any = {"strides": strides, "padding": padding, "dilation": dilation, "groups": groups}
        g = _before(activation, g, out)
        dx = conv2d(g, w, **rule) if needs[0] else None
        dw = conv2d_weight_grad(g, x, w.shape, **rule) if needs[1] else None
        db = ops.sum(g, axis=(0, 1, 2)) if needs[2] else None
        return dx, dw, db


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
        x, g = _same_dtype(x, g)
        return kernels.conv2d_weight_grad(x, g, shape, strides, padding, dilation, groups)

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
