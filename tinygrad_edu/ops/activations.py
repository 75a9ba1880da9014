"""The activation functions of networks, operations of their own with a formula to show; none overflows."""

import math
from typing import Any

import numpy as np

from .. import ops
from ..function import Function
from ..tensor import Tensor
from .exponentials import Expm1
from .fused import fused
from .parameters import number
from .reduction import floating
from .registry import register
from .trigonometry import Tanh

__all__ = [
    "elu",
    "gelu",
    "hard_sigmoid",
    "hard_silu",
    "leaky_relu",
    "logsigmoid",
    "mish",
    "relu",
    "relu6",
    "selu",
    "sigmoid",
    "silu",
    "softplus",
    "softsign",
]


@register
class Sigmoid(Function):
    name = "sigmoid"
    formula = r"y = \frac{1}{1 + e^{-x}}"
    derivative = r"\bar{x} = \bar{y}\, y (1 - y)"
    words = "Squashes to between 0 and 1; its slope is at most a quarter, and near 0 where it is saturated."

    @staticmethod
    @fused("sigmoid")
    def forward(x: Any) -> Any:
        # e^-|x| can't overflow; it serves both signs: 1 / (1 + e) above 0 and e / (1 + e) below.
        x = floating(x)
        e = np.exp(-np.abs(x))
        return np.where(np.less(x, 0), e, 1.0) / (1 + e)

    @staticmethod
    @fused("sigmoid_grad")
    def backward(g: Any, out: Any) -> Any:
        return g * out * (1 - out)


def sigmoid(x: Any, /) -> Tensor:
    """Return 1 / (1 + e^-x), of x's shape and float dtype; int64 gives float64. Raises DTypeError for text.

    >>> sigmoid(Tensor([0.0, 2.0]))
    Tensor([0.5      , 0.88080])
    """
    return Sigmoid.apply(x)


@register
class LogSigmoid(Function):
    name = "logsigmoid"
    formula = r"y = \ln \sigma(x) = -\ln(1 + e^{-x})"
    derivative = r"\bar{x} = \bar{y}\,\sigma(-x)"
    words = "The logarithm of the sigmoid, exact where the sigmoid itself would round to 0 or 1."

    @staticmethod
    def forward(x: Any) -> Any:
        return -Softplus.forward(-floating(x))

    @staticmethod
    def backward(g: Any, x: Any) -> Any:
        return g * ops.sigmoid(-x)


def logsigmoid(x: Any, /) -> Tensor:
    """Return ln sigmoid(x), without under- or overflow; shape, dtype and what it raises are as for sigmoid.

    >>> logsigmoid(Tensor([0.0, -100.0]))
    Tensor([  -0.69315, -100.     ])
    """
    return LogSigmoid.apply(x)


@register
class Softplus(Function):
    name = "softplus"
    formula = r"y = \ln(1 + e^x)"
    derivative = r"\bar{x} = \bar{y}\,\sigma(x)"
    words = "A smooth ReLU; its slope is the sigmoid."

    @staticmethod
    @fused("softplus")
    def forward(x: Any) -> Any:
        return np.logaddexp(floating(x), 0.0)

    @staticmethod
    @fused("softplus_grad")
    def backward(g: Any, x: Any) -> Any:
        return g * ops.sigmoid(x)


def softplus(x: Any, /) -> Tensor:
    """Return ln(1 + e^x), without overflow; shape, dtype and what it raises are as for sigmoid.

    >>> softplus(Tensor([0.0, 100.0]))
    Tensor([  0.69315, 100.       ])
    """
    return Softplus.apply(x)


@register
class ReLU(Function):
    name = "relu"
    formula = r"y = \max(0, x)"
    derivative = r"\bar{x} = \bar{y}\,[x > 0]"
    words = "Cuts off below 0; the gradient passes where x is positive and stops elsewhere, at 0 too."

    @staticmethod
    @fused("relu")
    def forward(x: Any) -> Any:
        return np.maximum(x, 0)

    @staticmethod
    @fused("relu_grad")
    def backward(g: Any, out: Any) -> Any:
        # The result tells as much as the input, and the next operation keeps it anyway.
        values = out.data if isinstance(out, Tensor) else out
        return ops.where(values > 0, g, 0.0)  # not a product, in which inf · 0 would be nan


def relu(x: Any, /) -> Tensor:
    """Return x, or 0 where it is negative, in its shape and dtype (bools: int64). Raises DTypeError for text.

    >>> relu(Tensor([-1.0, 2.0]))
    Tensor([0., 2.])
    """
    return ReLU.apply(x)


@register
class ReLU6(Function):
    name = "relu6"
    formula = r"y = \min(\max(0, x), 6)"
    derivative = r"\bar{x} = \bar{y}\,[0 < x < 6]"
    words = "Cuts off below 0 and above 6; the gradient passes only in between."

    @staticmethod
    def forward(x: Any) -> Any:
        return np.clip(x, 0, 6)

    @staticmethod
    def backward(g: Any, out: Any) -> Any:
        return ops.where((out > 0) * (out < 6), g, 0.0)


def relu6(x: Any, /) -> Tensor:
    """Return x held between 0 and 6, with slope 0 at both; shape, dtype and what it raises are as for relu.

    >>> relu6(Tensor([-1.0, 2.0, 7.0]))
    Tensor([0., 2., 6.])
    """
    return ReLU6.apply(x)


@register
class LeakyReLU(Function):
    name = "leaky_relu"
    formula = r"y = x \text{ if } x > 0 \text{ else } a x"
    derivative = r"\bar{x} = \bar{y} \text{ if } x > 0 \text{ else } a \bar{y}"
    words = "A ReLU that lets a share of the negative values through, so that no unit stops learning."

    @staticmethod
    def forward(x: Any, *, negative_slope: float) -> Any:
        x = floating(x)
        return np.where(x > 0, x, negative_slope * x)

    @staticmethod
    def backward(g: Any, x: Any, negative_slope: float) -> Any:
        return ops.where(x > 0, g, negative_slope * g)


def leaky_relu(x: Any, /, negative_slope: float = 0.2) -> Tensor:
    """Return x where it is positive, else negative_slope · x; at 0 that is the slope too.

    The default is Keras', PyTorch's is 0.01; shape, dtype and what it raises are as for sigmoid.

    >>> leaky_relu(Tensor([-1.0, 2.0]))
    Tensor([-0.2,  2. ])
    """
    return LeakyReLU.apply(x, negative_slope=number("leaky_relu: negative_slope", negative_slope))


@register
class ELU(Function):
    name = "elu"
    formula = r"y = x \text{ if } x > 0 \text{ else } \alpha (e^x - 1)"
    derivative = r"\bar{x} = \bar{y} \text{ if } x > 0 \text{ else } \bar{y}\, \alpha e^x"
    words = "A ReLU that bends smoothly to -alpha on the negative side."

    @staticmethod
    def forward(x: Any, *, alpha: float) -> Any:
        x = floating(x)  # the inner choice spares large x the exponential, which would overflow
        return np.where(x > 0, x, alpha * Expm1.forward(np.where(x > 0, 0, x)))

    @staticmethod
    def backward(g: Any, x: Any, alpha: float) -> Any:
        return ops.where(x > 0, g, alpha * g * ops.exp(ops.where(x > 0, 0.0, x)))


def elu(x: Any, /, alpha: float = 1.0) -> Tensor:
    """Return x where it is positive, else alpha (e^x - 1), with slope alpha at 0 (Clevert et al. 2016);
    shape, dtype and what it raises are as for sigmoid.

    >>> elu(Tensor([-1.0, 2.0]))
    Tensor([-0.63212,  2.       ])
    """
    return ELU.apply(x, alpha=number("elu: alpha", alpha))


# Chosen so that normal values with mean 0 and variance 1 keep them (Klambauer et al., Self-Normalizing
# Neural Networks, 2017, equation 14).
SELU_SCALE = 1.0507009873554804934
SELU_ALPHA = 1.6732632423543772848


@register
class SELU(Function):
    name = "selu"
    formula = r"y = 1.0507 \cdot (x \text{ if } x > 0 \text{ else } 1.6733\,(e^x - 1))"
    derivative = r"\bar{x} = 1.0507\, \bar{y} \cdot (1 \text{ if } x > 0 \text{ else } 1.6733\, e^x)"
    words = "A scaled ELU that keeps mean 0 and variance 1 from layer to layer."

    @staticmethod
    def forward(x: Any) -> Any:
        return SELU_SCALE * ELU.forward(x, alpha=SELU_ALPHA)

    @staticmethod
    def backward(g: Any, x: Any) -> Any:
        return ELU.backward(SELU_SCALE * g, x, SELU_ALPHA)


def selu(x: Any, /) -> Tensor:
    """Return the self-normalizing ELU (Klambauer et al. 2017); shape, dtype and what it raises: as elu.

    >>> selu(Tensor([-1.0, 2.0]))
    Tensor([-1.11133,  2.10140 ])
    """
    return SELU.apply(x)


def _gate(x: Any, approximate: bool) -> Any:
    """Return the share of x that gelu lets through."""
    if approximate:  # (1 + tanh u) / 2 is the sigmoid of 2u, and loses no digits for negative u
        return ops.sigmoid(2 * math.sqrt(2 / math.pi) * x * (1 + 0.044715 * ops.square(x)))
    return ops.erfc(-math.sqrt(0.5) * x) / 2


@register
class GELU(Function):
    name = "gelu"
    formula = r"y = x\, \Phi(x), \quad \Phi(x) = \tfrac{1}{2}(1 + \operatorname{erf}(x / \sqrt{2}))"
    derivative = r"\bar{x} = \bar{y}\, (\Phi(x) + x\, \Phi'(x)), \quad \Phi'(x) = e^{-x^2/2} / \sqrt{2\pi}"
    words = "Lets through as much of x as there are normal values below it: a smooth ReLU."

    @staticmethod
    @fused("gelu")
    def forward(x: Any, *, approximate: bool) -> Any:
        x = floating(x)
        return x * _gate(x, approximate)

    @staticmethod
    @fused("gelu_grad")
    def backward(g: Any, x: Any, approximate: bool) -> Any:
        gate = _gate(x, approximate)
        if approximate:
            bend = gate * (1 - gate) * (2 * math.sqrt(2 / math.pi)) * (1 + 3 * 0.044715 * ops.square(x))
        else:
            bend = ops.exp(ops.square(x) / -2) / math.sqrt(2 * math.pi)
        return g * (gate + x * bend)


def gelu(x: Any, /, approximate: bool = False) -> Tensor:
    """Return x times the share of normal values below x (Hendrycks and Gimpel 2016).

    ``approximate=True`` is their form with tanh, within 0.0005; shape, dtype and what it raises: as sigmoid.

    >>> gelu(Tensor([-1.0, 2.0]))
    Tensor([-0.15866,  1.95450 ])
    """
    return GELU.apply(x, approximate=approximate)


@register
class SiLU(Function):
    name = "silu"
    formula = r"y = x\, \sigma(x)"
    derivative = r"\bar{x} = \bar{y}\, \sigma(x) (1 + x (1 - \sigma(x)))"
    words = "x times its sigmoid: a smooth ReLU that dips below 0; also called swish."

    @staticmethod
    @fused("silu")
    def forward(x: Any) -> Any:
        return x * Sigmoid.forward(x)

    @staticmethod
    @fused("silu_grad")
    def backward(g: Any, x: Any) -> Any:
        gate = ops.sigmoid(x)
        return g * gate * (1 + x * (1 - gate))


def silu(x: Any, /) -> Tensor:
    """Return x sigmoid(x), also called swish (Elfwing et al. 2018, Ramachandran et al. 2017); shape, dtype
    and what it raises are as for sigmoid.

    >>> silu(Tensor([-1.0, 2.0]))
    Tensor([-0.26894,  1.76159 ])
    """
    return SiLU.apply(x)


@register
class Mish(Function):
    name = "mish"
    formula = r"y = x \tanh(\ln(1 + e^x))"
    derivative = r"\bar{x} = \bar{y}\, (t + x\, \sigma(x) (1 - t^2)), \quad t = \tanh(\ln(1 + e^x))"
    words = "x times the tanh of its softplus: a smooth ReLU that dips below 0."

    @staticmethod
    def forward(x: Any) -> Any:
        return x * Tanh.forward(Softplus.forward(x))

    @staticmethod
    def backward(g: Any, x: Any) -> Any:
        t = ops.tanh(ops.softplus(x))
        return g * (t + x * ops.sigmoid(x) * (1 - ops.square(t)))


def mish(x: Any, /) -> Tensor:
    """Return x tanh(softplus(x)) (Misra 2019); shape, dtype and what it raises are as for sigmoid.

    >>> mish(Tensor([-1.0, 2.0]))
    Tensor([-0.30340,  1.94396 ])
    """
    return Mish.apply(x)


@register
class HardSigmoid(Function):
    name = "hard_sigmoid"
    formula = r"y = \min(\max(0, x + 3), 6) / 6"
    derivative = r"\bar{x} = \bar{y} / 6\,[-3 < x < 3]"
    words = "A sigmoid made of three straight lines: 0, then up from -3 to 3, then 1."

    @staticmethod
    def forward(x: Any) -> Any:
        return np.clip(floating(x) + 3, 0, 6) / 6

    @staticmethod
    def backward(g: Any, x: Any) -> Any:
        return ops.where((x > -3) * (x < 3), g / 6, 0.0)


def hard_sigmoid(x: Any, /) -> Tensor:
    """Return relu6(x + 3) / 6, of slope 0 at both bends; shape, dtype and what it raises are as for sigmoid.

    >>> hard_sigmoid(Tensor([-4.0, 0.0, 1.5]))
    Tensor([0.  , 0.5 , 0.75])
    """
    return HardSigmoid.apply(x)


def hard_silu(x: Any, /) -> Tensor:
    """Return x hard_sigmoid(x), hard swish (Howard et al. 2019); shape, dtype, what it raises: as sigmoid.

    >>> hard_silu(Tensor([-4.0, 1.5]))
    Tensor([-0.   ,  1.125])
    """
    return ops.multiply(x, hard_sigmoid(x))


@register
class Softsign(Function):
    name = "softsign"
    formula = r"y = \frac{x}{1 + |x|}"
    derivative = r"\bar{x} = \bar{y} / (1 + |x|)^2"
    words = "Squashes to between -1 and 1 like tanh, but comes near them much more slowly."

    @staticmethod
    def forward(x: Any) -> Any:
        x = floating(x)
        return x / (1 + np.abs(x))

    @staticmethod
    def backward(g: Any, x: Any) -> Any:
        below = 1 + ops.abs(x)
        return g / below / below  # one by one: the square of large numbers would overflow


def softsign(x: Any, /) -> Tensor:
    """Return x / (1 + |x|), of x's shape and float dtype; ints give float64. Raises DTypeError for text.

    >>> softsign(Tensor([-1.0, 3.0]))
    Tensor([-0.5 ,  0.75])
    """
    return Softsign.apply(x)
