"""Fast functions on arrays: convolution, pooling, softmax loss, optimizer steps. No Tensor in here.

This module is a front door that opens when somebody knocks: ``kernels.conv2d`` imports Numba and the file
that holds conv2d at its first use, so ``import tinygrad_edu`` needn't wait for them.
:mod:`tinygrad_edu.kernels.reference` has every kernel in plain NumPy, to read.

>>> import numpy as np
>>> from tinygrad_edu import kernels
>>> image = np.arange(4.0).reshape(1, 2, 2, 1)
>>> kernels.avg_pool2d(image, (2, 2), (2, 2), ((0, 0), (0, 0))).item()
1.5
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tinygrad_edu.kernels._jit import cache_folder, set_compile_announcer, signatures
    from tinygrad_edu.kernels._warmup import warmup
    from tinygrad_edu.kernels.conv import conv2d, conv2d_input_grad, conv2d_weight_grad
    from tinygrad_edu.kernels.dense import linear, linear_grad
    from tinygrad_edu.kernels.elementwise import (
        erf,
        exp,
        expm1,
        gelu,
        gelu_grad,
        relu,
        relu_grad,
        sigmoid,
        sigmoid_grad,
        silu,
        silu_grad,
        softplus,
        softplus_grad,
        tanh,
        tanh_grad,
    )
    from tinygrad_edu.kernels.gemm import matmul
    from tinygrad_edu.kernels.losses import (
        sigmoid_cross_entropy,
        sigmoid_cross_entropy_grad,
        softmax_cross_entropy,
        softmax_cross_entropy_grad,
        target_cross_entropy,
        target_cross_entropy_grad,
    )
    from tinygrad_edu.kernels.normalization import normalize, normalize_grad
    from tinygrad_edu.kernels.optim import adam, sgd
    from tinygrad_edu.kernels.pool import (
        avg_pool2d,
        avg_pool2d_scatter,
        max_pool2d,
        max_pool2d_gather,
        max_pool2d_scatter,
    )
    from tinygrad_edu.kernels.resize import resample2d
    from tinygrad_edu.kernels.rowwise import log_softmax, log_softmax_grad, softmax, softmax_grad
    from tinygrad_edu.kernels.select import where
    from tinygrad_edu.kernels.sums import sum_rows

__all__ = [
    "adam",
    "avg_pool2d",
    "avg_pool2d_scatter",
    "cache_folder",
    "conv2d",
    "conv2d_input_grad",
    "conv2d_weight_grad",
    "erf",
    "exp",
    "expm1",
    "gelu",
    "gelu_grad",
    "linear",
    "linear_grad",
    "log_softmax",
    "log_softmax_grad",
    "matmul",
    "max_pool2d",
    "max_pool2d_gather",
    "max_pool2d_scatter",
    "normalize",
    "normalize_grad",
    "relu",
    "relu_grad",
    "resample2d",
    "set_compile_announcer",
    "sgd",
    "sigmoid",
    "sigmoid_cross_entropy",
    "sigmoid_cross_entropy_grad",
    "sigmoid_grad",
    "signatures",
    "silu",
    "silu_grad",
    "softmax",
    "softmax_cross_entropy",
    "softmax_cross_entropy_grad",
    "softmax_grad",
    "softplus",
    "softplus_grad",
    "sum_rows",
    "tanh",
    "tanh_grad",
    "target_cross_entropy",
    "target_cross_entropy_grad",
    "warmup",
    "where",
]

_HOMES = {
    "_jit": ("cache_folder", "set_compile_announcer", "signatures"),
    "_warmup": ("warmup",),
    "conv": ("conv2d", "conv2d_input_grad", "conv2d_weight_grad"),
    "dense": ("linear", "linear_grad"),
    "gemm": ("matmul",),
    "normalization": ("normalize", "normalize_grad"),
    "elementwise": (
        "erf",
        "exp",
        "expm1",
        "gelu",
        "gelu_grad",
        "relu",
        "relu_grad",
        "sigmoid",
        "sigmoid_grad",
        "silu",
        "silu_grad",
        "softplus",
        "softplus_grad",
        "tanh",
        "tanh_grad",
    ),
    "losses": (
        "sigmoid_cross_entropy",
        "sigmoid_cross_entropy_grad",
        "softmax_cross_entropy",
        "softmax_cross_entropy_grad",
        "target_cross_entropy",
        "target_cross_entropy_grad",
    ),
    "optim": ("adam", "sgd"),
    "pool": ("avg_pool2d", "avg_pool2d_scatter", "max_pool2d", "max_pool2d_gather", "max_pool2d_scatter"),
    "resize": ("resample2d",),
    "select": ("where",),
    "rowwise": ("log_softmax", "log_softmax_grad", "softmax", "softmax_grad"),
    "sums": ("sum_rows",),
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}


def __getattr__(name: str) -> Any:
    if name not in _HOME_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found = getattr(import_module(f"{__name__}.{_HOME_OF[name]}"), name)
    globals()[name] = found  # from now on an ordinary name: this function isn't asked again
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
