"""tinygrad_edu: an autograd tensor engine that teaches.

>>> import tinygrad_edu as te
>>> x = te.Tensor([1.0, 2.0, 3.0], requires_grad=True)
>>> loss = (x ** 2).sum()
>>> loss.backward()
>>> x.grad
Tensor([2., 4., 6.])
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from .tensor import Tensor  # isort: skip  (first: the tensor and its operations know one another)
from . import creation, dtypes, linalg, ops
from .anomaly import detect_anomaly
from .autograd import backward, grad
from .checkpointing import checkpoint
from .context import enable_grad, is_grad_enabled, no_grad
from .creation import *
from .dtypes import *
from .dtypes import __array_namespace_info__ as __array_namespace_info__
from .errors import TinygradEduError
from .function import Function
from .kernels._threads import get_num_threads, set_num_threads
from .ops import *
from .random import default_generator, seed
from .transforms import hessian, hvp, jacobian, jvp, vjp

if TYPE_CHECKING:
    from .explaining import explain
    from .tracing import trace_gradient

__version__ = "0.1.0"
__array_api_version__ = "2025.12"


_LATER = {"explain": "explaining", "trace_gradient": "tracing"}  # read when they are first asked for


def __getattr__(name: str) -> Any:
    """Let te.nn, te.data, te.viz and te.testing be there without an import of their own."""
    if name in ("data", "nn", "testing", "viz"):
        return import_module(f"{__name__}.{name}")
    if name in _LATER:
        return getattr(import_module(f"{__name__}.{_LATER[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


__all__ = [
    "Function",
    "Tensor",
    "TinygradEduError",
    "backward",
    "checkpoint",
    "default_generator",
    "detect_anomaly",
    "enable_grad",
    "explain",
    "get_num_threads",
    "grad",
    "hessian",
    "hvp",
    "is_grad_enabled",
    "jacobian",
    "jvp",
    "linalg",
    "no_grad",
    "seed",
    "set_num_threads",
    "trace_gradient",
    "vjp",
]
__all__ += creation.__all__
__all__ += dtypes.__all__
__all__ += ops.__all__
