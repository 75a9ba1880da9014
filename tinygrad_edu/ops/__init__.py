"""The operations: one class each, with its forward, its backward, its formula and a sentence in words.

The functions here take Tensors, arrays and numbers alike. With a Tensor among the arguments the result is
a Tensor and the operation is recorded; arrays alone give arrays, which is how the gradient rules run at
full speed.
"""

from . import (
    activations,
    arithmetic,
    attention,
    classification,
    comparison,
    convolution,
    convolution_forms,
    exponentials,
    factorizations,
    indexing,
    joining,
    logic,
    losses,
    normalization,
    padding,
    pooling,
    powers,
    products,
    reduction,
    resizing,
    rounding,
    scans,
    selection,
    shape,
    solving,
    sorting,
    special,
    statistics,
    trigonometry,
)
from . import dropout as dropout_module  # the function takes the name
from .activations import *
from .arithmetic import *
from .attention import *
from .classification import *
from .comparison import *
from .convolution import *
from .convolution_forms import *
from .dropout import *
from .exponentials import *
from .factorizations import *
from .indexing import *
from .joining import *
from .logic import *
from .losses import *
from .normalization import *
from .padding import *
from .pooling import *
from .powers import *
from .products import *
from .reduction import *
from .resizing import *
from .rounding import *
from .scans import *
from .selection import *
from .shape import *
from .solving import *
from .sorting import *
from .special import *
from .statistics import *
from .trigonometry import *

# What the engine itself uses, and te.* doesn't offer: the operators' classes and what rules are written with.
from .arithmetic import Add as Add, Divide as Divide, Multiply as Multiply, Negative as Negative  # isort: skip
from .arithmetic import Subtract as Subtract, unbroadcast as unbroadcast  # isort: skip
from .powers import Pow as Pow  # isort: skip
from .convolution import conv2d_input_grad as conv2d_input_grad  # isort: skip
from .convolution import conv2d_weight_grad as conv2d_weight_grad  # isort: skip
from .products import Matmul as Matmul  # isort: skip
from .reduction import floating as floating, normalize_axes as normalize_axes  # isort: skip
from .registry import OPERATIONS as OPERATIONS  # isort: skip
from .indexing import diagonal as diagonal, getitem as getitem, scatter_add as scatter_add  # isort: skip

__all__: list[str] = []
__all__ += activations.__all__
__all__ += arithmetic.__all__
__all__ += attention.__all__
__all__ += classification.__all__
__all__ += comparison.__all__
__all__ += convolution.__all__
__all__ += convolution_forms.__all__
__all__ += dropout_module.__all__
__all__ += exponentials.__all__
__all__ += indexing.__all__
__all__ += joining.__all__
__all__ += logic.__all__
__all__ += losses.__all__
__all__ += normalization.__all__
__all__ += padding.__all__
__all__ += pooling.__all__
__all__ += powers.__all__
__all__ += products.__all__
__all__ += reduction.__all__
__all__ += resizing.__all__
__all__ += rounding.__all__
__all__ += scans.__all__
__all__ += selection.__all__
__all__ += shape.__all__
__all__ += sorting.__all__
__all__ += special.__all__
__all__ += statistics.__all__
__all__ += trigonometry.__all__
