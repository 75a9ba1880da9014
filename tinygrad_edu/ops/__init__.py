"""The operations: one class each, with its forward, its backward, its formula and a sentence in words.

The functions here take Tensors, arrays and numbers alike. With a Tensor among the arguments the result is
a Tensor and the operation is recorded; arrays alone give arrays, which is how the gradient rules run at
full speed.
"""

from typing import Any

from . import (
    arithmetic,
    classification,
    comparison,
    convolution,
    elementwise,
    linalg,
    pooling,
    reduction,
    shape,
)
from .arithmetic import *
from .classification import *
from .comparison import *
from .convolution import *
from .elementwise import *
from .linalg import *
from .pooling import *
from .reduction import *
from .registry import OPERATIONS
from .shape import *

__all__ = ["ARRAY_FUNCTIONS", "OPERATIONS", "UFUNCS"]
__all__ += arithmetic.__all__
__all__ += classification.__all__
__all__ += comparison.__all__
__all__ += convolution.__all__
__all__ += elementwise.__all__
__all__ += linalg.__all__
__all__ += pooling.__all__
__all__ += reduction.__all__
__all__ += shape.__all__

# What np.something(tensor) turns into.
UFUNCS: dict[str, Any] = {
    "absolute": abs, "add": add, "cos": cos, "divide": divide, "equal": equal, "exp": exp, "expm1": expm1,
    "greater": greater, "greater_equal": greater_equal, "less": less, "less_equal": less_equal, "log": log,
    "log1p": log1p, "logical_not": logical_not, "matmul": matmul, "maximum": maximum, "minimum": minimum,
    "multiply": multiply, "negative": negative, "not_equal": not_equal, "power": pow, "sign": sign,
    "sin": sin, "sqrt": sqrt, "square": square, "subtract": subtract, "tanh": tanh,
}  # fmt: skip


def _axis_second(function: Any) -> Any:
    """Let axis come by position, as NumPy's reductions allow."""
    return lambda a, axis=None, keepdims=False: function(a, axis=axis, keepdims=keepdims)


ARRAY_FUNCTIONS: dict[str, Any] = {
    "sum": _axis_second(sum), "mean": _axis_second(mean), "max": _axis_second(max), "min": _axis_second(min),
    "amax": _axis_second(max), "amin": _axis_second(min), "argmax": _axis_second(argmax),
    "argmin": _axis_second(argmin), "reshape": reshape, "clip": clip, "where": where,
    "broadcast_to": broadcast_to, "concatenate": lambda arrays, axis=0: concat(arrays, axis=axis),
    "stack": lambda arrays, axis=0: stack(arrays, axis=axis),
    "transpose": lambda a, axes=None: a.transpose(*(axes or ())),
    "flip": lambda a, axis=None: flip(a, axis=axis), "expand_dims": lambda a, axis: expand_dims(a, axis=axis),
    "squeeze": lambda a, axis: squeeze(a, axis),
    "shape": lambda a: a.shape, "ndim": lambda a: a.ndim, "size": lambda a: a.size,
}  # fmt: skip
