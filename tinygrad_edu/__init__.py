"""tinygrad_edu: an autograd tensor engine that teaches.

>>> import tinygrad_edu as te
>>> x = te.Tensor([1.0, 2.0, 3.0], requires_grad=True)
>>> loss = (x ** 2).sum()
>>> loss.backward()
>>> x.grad
Tensor([2., 4., 6.])
"""

from .tensor import Tensor  # isort: skip
from . import errors, ops
from .autograd import backward, grad
from .context import enable_grad, is_grad_enabled, no_grad
from .errors import TinygradEduError
from .function import Function
from .ops import *
from .random import default_generator, seed

__version__ = "0.1.0"
