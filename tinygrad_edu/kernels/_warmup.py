"""Every kernel called once, so that all are compiled before they are needed.

Numba compiles a kernel for each new set of argument types. Which sets there are is bounded, because every
public kernel brings its arrays into one layout and one of two dtypes first (``ready``). So a call in each
dtype, in the serial and in the parallel form, is all that can come; a test sees to it that nothing does.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from tinygrad_edu import kernels
from tinygrad_edu.kernels import _jit
from tinygrad_edu.kernels._threads import both_forms
from tinygrad_edu.kernels.resize import Blend

__all__ = ["warmup"]

_NONE = ((0, 0), (0, 0))
_ONE = ((1, 1), (1, 1))
_STEP = (1, 1)


def _images(dtype: Any, channels: int = 2) -> Any:
    return np.ones((1, 6, 6, channels), dtype)


def _convolutions(dtype: Any) -> None:
    for groups, dilation, inner in ((1, (1, 1), 2), (1, (2, 2), 2), (2, (1, 1), 1)):
        x, w = _images(dtype), np.ones((2, 2, inner, 2), dtype)
        for strides in ((1, 1), (2, 2)):
            rule = (strides, _ONE, dilation, groups)
            y = kernels.conv2d(x, w, *rule)
            kernels.conv2d_input_grad(y, w, x.shape, *rule)
            kernels.conv2d_weight_grad(x, y, w.shape, *rule)
    for x, w in (
        (_images(dtype, 8), np.ones((2, 2, 8, 1), dtype)),  # for _few
        (np.ones((2, 16, 16, 16), dtype), np.ones((3, 3, 16, 16), dtype)),  # large enough for _winograd
    ):
        y = kernels.conv2d(x, w, _STEP, _ONE)
        kernels.conv2d_input_grad(y, w, x.shape, _STEP, _ONE)
        kernels.conv2d_weight_grad(x, y, w.shape, _STEP, _ONE)


def _products(dtype: Any) -> None:
    kernels.matmul(np.ones((64, 64), dtype), np.ones((64, 64), dtype))


def _pooling(dtype: Any) -> None:
    x = _images(dtype)
    for size in ((2, 2), (17, 17)):  # a window's cells are counted in one byte, or in more
        before = size[0] - 1
        padding = ((before, before), (before, before))
        y, indices = kernels.max_pool2d(x, size, _STEP, padding)
        kernels.max_pool2d_scatter(y, indices, x.shape, size, _STEP, padding)
        kernels.max_pool2d_gather(x, indices, size, _STEP, padding)
    y = kernels.avg_pool2d(x, (2, 2), _STEP, _NONE)
    kernels.avg_pool2d_scatter(y, x.shape, (2, 2), _STEP, _NONE)


def _resampling(dtype: Any) -> None:
    blend = Blend(6, np.array([0, 1]), np.array([0]), np.ones(1))
    kernels.resample2d(_images(dtype), blend, blend)


def _sums(dtype: Any) -> None:
    x, one = np.ones((3, 2), dtype), np.ones(1, dtype)
    kernels.sum_rows(x)
    for axes in ((0,), (1,)):
        _, mean, variance = kernels.normalize(x, one, one, axes, 1.0)
        kernels.normalize_grad(x, mean, variance, x, one, one, mean, variance, axes, 1.0)


def _functions(dtype: Any) -> None:
    x = np.ones(2, dtype)
    for function in ("erf", "exp", "expm1", "relu", "sigmoid", "silu", "softplus", "tanh"):
        getattr(kernels, function)(x)
    for function in ("relu", "sigmoid", "silu", "softplus", "tanh"):
        getattr(kernels, f"{function}_grad")(x, x)
    for approximate in (False, True):
        kernels.gelu(x, approximate)
        kernels.gelu_grad(x, x, approximate)


def _losses(dtype: Any) -> None:
    x, g, labels = np.zeros((2, 3), dtype), np.zeros(2, dtype), np.zeros(2, np.int64)
    for function in ("softmax", "log_softmax"):
        getattr(kernels, function)(x)
        getattr(kernels, f"{function}_grad")(x, x)
    loss, probabilities = kernels.softmax_cross_entropy(x, labels)
    kernels.softmax_cross_entropy_grad(loss, probabilities, labels)
    kernels.target_cross_entropy(x, x)
    kernels.target_cross_entropy_grad(g, x, x)
    kernels.sigmoid_cross_entropy(x, x)
    kernels.sigmoid_cross_entropy_grad(x, x, x)


def _optimizers(dtype: Any) -> None:
    p, g, m, v = np.ones((4, 2), dtype)
    for velocity in (None, m):
        kernels.sgd(p, g, velocity, 0.1)
    kernels.adam(p, g, m, v, 0.1, 0.9, 0.999, 1e-7, 1)


_CALLS: tuple[Callable[[Any], None], ...] = (
    _convolutions,
    _products,
    _pooling,
    _functions,
    _resampling,
    _sums,
    _losses,
    _optimizers,
)


def warmup() -> list[str]:
    """Compile every kernel that isn't kept on disk yet, for float32 and float64.

    Returns
    -------
    The names of those that had to be compiled; the others were only loaded.

    Examples
    --------
    >>> from tinygrad_edu import kernels
    >>> kernels.warmup()  # doctest: +SKIP  (up to a minute and a half the first time)
    []
    """
    compiled: list[str] = []

    def announce(kernel: str) -> None:
        compiled.append(kernel)
        before(kernel)

    before = _jit.set_compile_announcer(announce)
    try:
        with both_forms():
            for dtype in (np.float32, np.float64):
                for call in _CALLS:
                    call(dtype)
    finally:
        _jit.set_compile_announcer(before)
    return compiled
