"""The operations: one class each, with its forward, its backward, its formula and a sentence in words.

The functions here take Tensors, arrays and numbers alike. With a Tensor among the arguments the result is
a Tensor and the operation is recorded; arrays alone give arrays, which is how the gradient rules run at
full speed.
"""

from typing import Any

from . import (
    activations,
    arithmetic,
    attention,
    classification,
    comparison,
    convolution,
    dropout,
    elementwise,
    factorizations,
    indexing,
    logic,
    losses,
    normalization,
    padding,
    pooling,
    products,
    reduction,
    resizing,
    rounding,
    scans,
    shape,
    solving,
    sorting,
    special,
    statistics,
    trigonometry,
)
from .activations import *
from .arithmetic import *
from .attention import *
from .classification import *
from .comparison import *
from .convolution import *
from .dropout import *
from .elementwise import *
from .factorizations import *
from .indexing import *
from .logic import *
from .losses import *
from .normalization import *
from .padding import *
from .pooling import *
from .products import *
from .reduction import *
from .resizing import *
from .rounding import *
from .scans import *
from .shape import *
from .solving import *
from .sorting import *
from .special import *
from .statistics import *
from .trigonometry import *

# What the engine itself uses, and te.* doesn't offer: the operators' classes and what rules are written with.
from .arithmetic import Add as Add, Divide as Divide, Multiply as Multiply, Negative as Negative  # isort: skip
from .arithmetic import Pow as Pow, Subtract as Subtract, unbroadcast as unbroadcast  # isort: skip
from .convolution import conv2d_input_grad as conv2d_input_grad  # isort: skip
from .convolution import conv2d_weight_grad as conv2d_weight_grad  # isort: skip
from .products import Matmul as Matmul  # isort: skip
from .reduction import floating as floating, normalize_axes as normalize_axes  # isort: skip
from .registry import OPERATIONS as OPERATIONS  # isort: skip
from .shape import getitem as getitem, scatter_add as scatter_add  # isort: skip

__all__: list[str] = []
__all__ += activations.__all__
__all__ += arithmetic.__all__
__all__ += attention.__all__
__all__ += classification.__all__
__all__ += comparison.__all__
__all__ += convolution.__all__
__all__ += dropout.__all__
__all__ += elementwise.__all__
__all__ += indexing.__all__
__all__ += logic.__all__
__all__ += losses.__all__
__all__ += normalization.__all__
__all__ += padding.__all__
__all__ += pooling.__all__
__all__ += products.__all__
__all__ += reduction.__all__
__all__ += resizing.__all__
__all__ += rounding.__all__
__all__ += scans.__all__
__all__ += shape.__all__
__all__ += sorting.__all__
__all__ += special.__all__
__all__ += statistics.__all__
__all__ += trigonometry.__all__

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
