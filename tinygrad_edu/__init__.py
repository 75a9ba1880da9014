"""tinygrad_edu: an autograd tensor engine that teaches.

>>> import tinygrad_edu as te
>>> x = te.Tensor([1.0, 2.0, 3.0], requires_grad=True)
>>> loss = (x ** 2).sum()
>>> loss.backward()
>>> x.grad
Tensor([2., 4., 6.])
"""

from importlib import import_module
from typing import Any

from .tensor import Tensor  # isort: skip  (first: the tensor and its operations know one another)
from .autograd import backward, grad
from .context import enable_grad, is_grad_enabled, no_grad
from .errors import TinygradEduError
from .function import Function
from .ops import (
    abs,
    add,
    argmax,
    argmin,
    astype,
    avg_pool2d,
    broadcast_to,
    clip,
    concat,
    conv2d,
    cos,
    divide,
    equal,
    exp,
    expand_dims,
    expm1,
    flip,
    greater,
    greater_equal,
    less,
    less_equal,
    linear,
    log,
    log1p,
    log_softmax,
    logical_not,
    logsumexp,
    matmul,
    matrix_transpose,
    max,
    max_pool2d,
    maximum,
    mean,
    min,
    minimum,
    multiply,
    negative,
    not_equal,
    permute_dims,
    pow,
    relu,
    reshape,
    sigmoid,
    sigmoid_cross_entropy,
    sign,
    sin,
    softmax,
    softmax_cross_entropy,
    softplus,
    sqrt,
    square,
    squeeze,
    stack,
    subtract,
    sum,
    tanh,
    where,
)
from .random import default_generator, seed

__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    """Let te.nn, te.data, te.viz and te.testing be there without an import of their own."""
    if name in ("data", "nn", "testing", "viz"):
        return import_module(f"{__name__}.{name}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


__all__ = [
    "Function",
    "Tensor",
    "TinygradEduError",
    "abs",
    "add",
    "argmax",
    "argmin",
    "astype",
    "avg_pool2d",
    "backward",
    "broadcast_to",
    "clip",
    "concat",
    "conv2d",
    "cos",
    "default_generator",
    "divide",
    "enable_grad",
    "equal",
    "exp",
    "expand_dims",
    "expm1",
    "flip",
    "grad",
    "greater",
    "greater_equal",
    "is_grad_enabled",
    "less",
    "less_equal",
    "linear",
    "log",
    "log1p",
    "log_softmax",
    "logical_not",
    "logsumexp",
    "matmul",
    "matrix_transpose",
    "max",
    "max_pool2d",
    "maximum",
    "mean",
    "min",
    "minimum",
    "multiply",
    "negative",
    "no_grad",
    "not_equal",
    "permute_dims",
    "pow",
    "relu",
    "reshape",
    "seed",
    "sigmoid",
    "sigmoid_cross_entropy",
    "sign",
    "sin",
    "softmax",
    "softmax_cross_entropy",
    "softplus",
    "sqrt",
    "square",
    "squeeze",
    "stack",
    "subtract",
    "sum",
    "tanh",
    "where",
]
