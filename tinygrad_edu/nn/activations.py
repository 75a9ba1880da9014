"""Activation functions by name, as layers take them: ``Dense(8, activation="relu")``; all that Keras has.

Those with a formula of their own are operations of the engine, the rest are put together of them. Called on a
symbol, each becomes a layer of the model:

>>> from tinygrad_edu import nn
>>> nn.activations.celu([-1.0, 2.0]).round(3).tolist()
[-0.632, 2.0]
>>> nn.activations.celu(nn.Input((3,))).shape
(None, 3)
"""

from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar

import numpy as np

from .. import ops
from ..errors import ArgumentError, unknown_name
from ..ops.reduction import normalize_axis
from ..tensor import Tensor
from .named import FUNCTIONS
from .symbolic import SymbolicTensor

__all__ = [
    "celu", "deserialize", "elu", "exponential", "gelu", "get", "glu", "hard_shrink", "hard_sigmoid",
    "hard_silu", "hard_swish", "hard_tanh", "leaky_relu", "linear", "log_sigmoid", "log_softmax", "mish",
    "name_of", "relu", "relu6", "selu", "serialize", "sigmoid", "silu", "soft_shrink", "softmax",
    "softplus", "softsign", "sparse_plus", "sparse_sigmoid", "sparsemax", "squareplus", "swish", "tanh",
    "tanh_shrink", "threshold",
]  # fmt: skip

Activation = Callable[..., Tensor]
F = TypeVar("F", bound=Activation)

KNOWN: dict[str, Activation] = {}  # by name


def _named(function: F) -> F:
    """Enter a function under its name, and let it be called on symbols."""
    name = function.__name__

    @wraps(function)
    def activation(x: Any, *args: Any, **kwargs: Any) -> Any:
        if isinstance(x, SymbolicTensor):
            from .layers.operation import Operation

            return Operation(name, [None, *args] if args else None, **kwargs)(x)
        return function(x, *args, **kwargs)

    KNOWN[name] = activation
    return activation  # type: ignore[return-value]


# -- lines ---------------------------------------------------------------------------------------------


@_named
def linear(x: Any) -> Tensor:
    """Return x as it is."""
    return x  # type: ignore[no-any-return]


@_named
def relu(
    x: Any, negative_slope: float = 0.0, max_value: float | None = None, threshold: float = 0.0
) -> Tensor:
    """Return max(0, x), or with arguments a line with two bends (Nair & Hinton 2010).

    x above the ``threshold``, held below ``max_value``; negative_slope · (x - threshold) up to it.
    """
    if not negative_slope and max_value is None and not threshold:
        return ops.relu(x)
    y = ops.where(ops.less_equal(x, threshold), 0.0, x)
    if max_value is not None:
        y = ops.clip(y, 0.0, max_value)
    return y - negative_slope * ops.relu(ops.subtract(threshold, x)) if negative_slope else y


@_named
def relu6(x: Any) -> Tensor:
    """Return min(max(0, x), 6)."""
    return ops.relu6(x)


@_named
def leaky_relu(x: Any, negative_slope: float = 0.2) -> Tensor:
    """Return x above 0, negative_slope · x below (Maas et al. 2013)."""
    return ops.leaky_relu(x, negative_slope)


@_named
def threshold(x: Any, threshold: float, default_value: float) -> Tensor:
    """Return x above the threshold, and the default value elsewhere."""
    return ops.where(ops.less_equal(x, threshold), default_value, x)  # nan stays nan


@_named
def hard_tanh(x: Any) -> Tensor:
    """Return x held between -1 and 1."""
    return ops.clip(x, -1.0, 1.0)


@_named
def hard_sigmoid(x: Any) -> Tensor:
    """Return (x + 3) / 6 held between 0 and 1."""
    return ops.hard_sigmoid(x)


@_named
def hard_silu(x: Any) -> Tensor:
    """Return x · hard_sigmoid(x) (Howard et al. 2019); also called hard swish."""
    return ops.hard_silu(x)


@_named
def hard_shrink(x: Any, threshold: float = 0.5) -> Tensor:
    """Return x where it is further than the threshold from 0, and 0 elsewhere."""
    return ops.where(ops.less_equal(ops.abs(x), threshold), 0.0, x)


@_named
def soft_shrink(x: Any, threshold: float = 0.5) -> Tensor:
    """Return x moved towards 0 by the threshold, and 0 where it would pass it."""
    return ops.relu(ops.subtract(x, threshold)) - ops.relu(ops.subtract(-threshold, x))


@_named
def sparse_sigmoid(x: Any) -> Tensor:
    """Return (x + 1) / 2 held between 0 and 1."""
    return ops.clip(ops.multiply(ops.add(x, 1.0), 0.5), 0.0, 1.0)


# -- curves --------------------------------------------------------------------------------------------


@_named
def sigmoid(x: Any) -> Tensor:
    """Return 1 / (1 + e^-x)."""
    return ops.sigmoid(x)


@_named
def log_sigmoid(x: Any) -> Tensor:
    """Return the logarithm of the sigmoid, exact where that is near 0."""
    return ops.logsigmoid(x)


@_named
def tanh(x: Any) -> Tensor:
    """Return the hyperbolic tangent."""
    return ops.tanh(x)


@_named
def tanh_shrink(x: Any) -> Tensor:
    """Return x - tanh(x)."""
    return ops.subtract(x, ops.tanh(x))


@_named
def exponential(x: Any) -> Tensor:
    """Return e^x."""
    return ops.exp(x)


@_named
def softplus(x: Any) -> Tensor:
    """Return log(1 + e^x), a smooth ReLU."""
    return ops.softplus(x)


@_named
def softsign(x: Any) -> Tensor:
    """Return x / (1 + |x|)."""
    return ops.softsign(x)


@_named
def squareplus(x: Any, b: float = 4.0) -> Tensor:
    """Return (x + √(x² + b)) / 2, a ReLU that is smooth without an exponential (Barron 2021)."""
    return ops.add(x, ops.sqrt(ops.add(ops.square(x), b))) / 2


@_named
def sparse_plus(x: Any) -> Tensor:
    """Return 0 up to -1, x from 1 on, and (x + 1)² / 4 between."""
    bent = ops.square(ops.clip(ops.add(x, 1.0), 0.0, 2.0)) / 4
    return bent + ops.relu(ops.subtract(x, 1.0))


@_named
def elu(x: Any, alpha: float = 1.0) -> Tensor:
    """Return x above 0, alpha (e^x - 1) below (Clevert et al. 2016)."""
    return ops.elu(x, alpha)


@_named
def celu(x: Any, alpha: float = 1.0) -> Tensor:
    """Return x above 0, alpha (e^(x / alpha) - 1) below, of slope 1 at 0 for each alpha (Barron 2017)."""
    return alpha * ops.elu(ops.divide(x, alpha))


@_named
def selu(x: Any) -> Tensor:
    """Return an ELU that keeps mean 0 and variance 1 from layer to layer (Klambauer et al. 2017)."""
    return ops.selu(x)


@_named
def gelu(x: Any, approximate: bool = False) -> Tensor:
    """Return x times the share of normal values below x (Hendrycks & Gimpel 2016)."""
    return ops.gelu(x, approximate)


@_named
def silu(x: Any) -> Tensor:
    """Return x · sigmoid(x) (Ramachandran et al. 2017); also called swish."""
    return ops.silu(x)


@_named
def mish(x: Any) -> Tensor:
    """Return x tanh(softplus(x)) (Misra 2019)."""
    return ops.mish(x)


# -- along an axis -------------------------------------------------------------------------------------


@_named
def softmax(x: Any, axis: int = -1) -> Tensor:
    """Return probabilities along an axis: e^x divided by its sum."""
    return ops.softmax(x, axis=axis)


@_named
def log_softmax(x: Any, axis: int = -1) -> Tensor:
    """Return the logarithms of the softmax, exact where that is near 0."""
    return ops.log_softmax(x, axis=axis)


@_named
def sparsemax(x: Any, axis: int = -1) -> Tensor:
    """Return the probabilities nearest to x along an axis, most of them 0 (Martins & Astudillo 2016).

    They are max(0, x - τ), with the τ for which they sum to 1: the mean of those that stay, less 1 / their
    number. Which stay is found from the sorted values, and is no part of what is differentiated.
    """
    values = x.detach() if isinstance(x, Tensor) else np.asarray(x)
    at = normalize_axis(axis, values.ndim)
    falling = ops.sort(values, axis=at, descending=True)
    ranks = np.arange(1, values.shape[at] + 1, dtype=values.dtype).reshape(
        (-1,) + (1,) * (values.ndim - at - 1)
    )
    stays = ops.greater(1 + ranks * falling, ops.cumulative_sum(falling, axis=at))
    stays = ops.logical_or(stays, ops.equal(ranks, 1))  # the largest in any case
    least = ops.min(ops.where(stays, falling, np.inf), axis=at, keepdims=True)
    kept = ops.logical_not(ops.less(values, least))  # nan among them
    count = ops.sum(ops.astype(kept, values.dtype), axis=at, keepdims=True)
    tau = (ops.sum(ops.where(kept, x, 0.0), axis=axis, keepdims=True) - 1) / count
    return ops.where(kept, ops.subtract(x, tau), 0.0)


@_named
def glu(x: Any, axis: int = -1) -> Tensor:
    """Return one half of x along an axis, gated by the sigmoid of the other (Dauphin et al. 2017)."""
    a, b = ops.split(x, 2, axis=axis)
    return a * ops.sigmoid(b)


swish, hard_swish = silu, hard_silu  # Keras has both names
KNOWN |= {"swish": swish, "hard_swish": hard_swish}


# -- names ---------------------------------------------------------------------------------------------


def get(identifier: Any) -> Activation:
    """Return the function for a name; None is the identity, a function is itself.

    Raises ArgumentError for an unknown name, and for what can't be called.

    >>> get("relu")(Tensor([-1.0, 2.0]))
    Tensor([0., 2.])
    """
    if identifier is None:
        return linear
    if isinstance(identifier, str):
        found = KNOWN.get(identifier) or FUNCTIONS.get(identifier)
        if found is None:
            raise unknown_name("activation", identifier, KNOWN)
        return found
    if not callable(identifier):
        raise ArgumentError(f"activation: expected a name or a function, got {identifier!r}")
    name = getattr(identifier, "__name__", "")
    if name in KNOWN and getattr(ops, name, None) is identifier:
        return KNOWN[name]  # the engine's own: te.relu
    return identifier  # type: ignore[no-any-return]


def name_of(activation: Activation) -> str:
    """Return the name that :func:`get` knows a function by, or else the function's own, which it refuses.

    >>> name_of(get("swish"))
    'silu'
    """
    for name, function in (*KNOWN.items(), *FUNCTIONS.items()):
        if function is activation:
            return name
    name = getattr(activation, "__name__", repr(activation))
    return f"{activation.__module__}.{name}" if name in KNOWN else name


serialize, deserialize = name_of, get  # as Keras calls them
