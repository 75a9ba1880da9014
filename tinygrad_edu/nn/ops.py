"""Functions on tensors under Keras' names, ``keras.ops``: ``nn.functional``, and what has another name here.

>>> from tinygrad_edu import nn
>>> nn.ops.concatenate([nn.ops.zeros((2,)), nn.ops.cast([True], "float32")], axis=0)
Tensor([0., 0., 1.])
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..creation import arange, eye, full, full_like, linspace, ones, ones_like, zeros, zeros_like
from ..linalg import vector_norm
from ..tensor import Tensor
from . import functional
from .functional import *
from .layers.operation import Operation
from .symbolic import SymbolicTensor

__all__ = [
    *functional.__all__, "absolute", "arange", "cast", "concatenate", "convert_to_numpy", "convert_to_tensor",
    "eye", "full", "full_like", "linspace", "log_sigmoid", "norm", "ones", "ones_like", "power", "shape",
    "swish", "transpose", "zeros", "zeros_like",
]  # fmt: skip

_OTHER_NAMES = {
    "absolute": "abs", "concatenate": "concat", "log_sigmoid": "logsigmoid", "power": "pow", "swish": "silu",
    "transpose": "permute_dims",
}  # fmt: skip
globals().update({keras: getattr(functional, ours) for keras, ours in _OTHER_NAMES.items()})


def cast(x: Any, dtype: Any) -> Any:
    """Return x in another dtype.

    >>> cast([1.7, -1.7], "int32")
    Tensor([ 1, -1], dtype=int32)
    """
    if isinstance(x, SymbolicTensor):
        return Operation("astype", [None, np.dtype(dtype)])(x)
    return convert_to_tensor(x).astype(dtype)


def shape(x: Any) -> tuple[Any, ...]:
    """Return the shape, of a symbol with None for what isn't fixed.

    >>> shape([[1.0, 2.0]])
    (1, 2)
    """
    return tuple(x.shape) if hasattr(x, "shape") else np.shape(x)


def norm(x: Any, ord: Any = None, axis: Any = None, keepdims: bool = False) -> Tensor:
    """Return the length of a vector; without an axis of all numbers as one vector.

    >>> norm([3.0, 4.0]).item()
    5.0
    """
    return vector_norm(convert_to_tensor(x), axis=axis, keepdims=keepdims, ord=2 if ord is None else ord)


def convert_to_tensor(x: Any, dtype: Any = None) -> Tensor:
    """Return x as a Tensor; one that is a Tensor already, of that dtype, is itself.

    >>> convert_to_tensor([1.0, 2.0])
    Tensor([1., 2.])
    """
    if isinstance(x, Tensor):
        return x if dtype is None or x.dtype == np.dtype(dtype) else x.astype(dtype)
    return Tensor(x, dtype=dtype)


def convert_to_numpy(x: Any) -> NDArray[Any]:
    """Return x as an array.

    >>> convert_to_numpy(Tensor([1.0]))
    array([1.], dtype=float32)
    """
    return x.numpy() if isinstance(x, Tensor) else np.asarray(x)
