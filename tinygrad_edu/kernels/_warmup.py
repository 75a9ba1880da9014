"""Every kernel called once, so that all are compiled before they are needed.

Numba compiles a kernel for each new set of argument types. Which sets there are is bounded, because every
public kernel brings its arrays into one layout and one of two dtypes first (``ready``). So a call in each
dtype, in the serial and in the parallel form, is all that can come; a test sees to it that nothing does.
"""

import os
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any

import numpy as np

from tinygrad_edu import kernels
from tinygrad_edu.kernels import _jit
from tinygrad_edu.kernels._threads import both_forms, get_num_threads
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
        (_images(dtype, 16), np.ones((2, 2, 16, 1), dtype)),  # for _few
        (np.ones((2, 16, 16, 16), dtype), np.ones((3, 3, 16, 16), dtype)),  # large enough for _winograd
        (np.ones((2, 16, 16, 64), dtype), np.ones((3, 3, 64, 64), dtype)),  # kernels large beside the images
    ):
        y = kernels.conv2d(x, w, _STEP, _ONE)
        kernels.conv2d_input_grad(y, w, x.shape, _STEP, _ONE)
        kernels.conv2d_weight_grad(x, y, w.shape, _STEP, _ONE)


def _products(dtype: Any) -> None:
    kernels.matmul(np.ones((64, 64), dtype), np.ones((64, 64), dtype))
    g, x, w, b = np.ones((2, 3), dtype), np.ones((2, 4), dtype), np.ones((4, 3), dtype), np.ones(3, dtype)
    kernels.linear_grad(g, x, w, kernels.linear(x, w, b))


def _pooling(dtype: Any) -> None:
    x = _images(dtype)
    y, indices = kernels.max_pool2d(x, (2, 2), _STEP, _ONE)
    kernels.max_pool2d_scatter(y, indices, x.shape, (2, 2), _STEP, _ONE)
    y = kernels.avg_pool2d(x, (2, 2), _STEP, _NONE)
    kernels.avg_pool2d_scatter(y, x.shape, (2, 2), _STEP, _NONE)


def _resampling(dtype: Any) -> None:
    for starts, sources in (([0, 1], [0]), (range(7), range(6)), ([0, 6], range(6))):  # a blend, copies, sums
        blend = Blend(6, np.array(starts), np.array(sources), np.ones(len(sources)))
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
    kernels.softmax_cross_entropy_grad(*kernels.softmax_cross_entropy(x, labels))
    kernels.target_cross_entropy(x, x)
    kernels.target_cross_entropy_grad(g, x, x)
    kernels.sigmoid_cross_entropy(x, x)
    kernels.sigmoid_cross_entropy_grad(x, x, x)


def _optimizers(dtype: Any) -> None:
    p, g, m, v = np.ones((4, 2), dtype)
    for velocity in (None, m):
        kernels.sgd(p, g, velocity, 0.1)
    kernels.adam(p, g, m, v, 0.1, 0.9, 0.999, 1e-7, 1)


# Every other one takes about half of the time together.
_CALLS: tuple[Callable[[Any], None], ...] = (
    _convolutions,
    _pooling,
    _products,
    _sums,
    _functions,
    _losses,
    _resampling,
    _optimizers,
)
_PROCESSES = 4  # at most; each loads Numba anew


def warmup() -> list[str]:
    """Compile every kernel that isn't kept on disk yet, for float32 and float64, on all cores.

    Returns
    -------
    The names of the functions that had to be compiled; the others were only loaded.

    Examples
    --------
    >>> from tinygrad_edu import kernels
    >>> compiled = kernels.warmup()  # doctest: +SKIP
    """
    done = _jit.cache_folder() / "complete"
    compiled: list[str] = []
    if not done.exists():
        shares = min(get_num_threads(), _PROCESSES)
        with ThreadPoolExecutor(shares) as pool:  # each thread waits for a process of its own
            found = pool.map(_in_a_process, range(shares), [shares] * shares)
            compiled = [name for names in found for name in names]
    compiled += _call(0, 1)  # loads them, and compiles what could not be kept
    with suppress(OSError):
        done.touch()
    return compiled


def _call(share: int, of: int) -> list[str]:
    """Call the kernels of a share, in both dtypes and forms; return what was compiled for it."""
    compiled: list[str] = []

    def announce(kernel: str) -> None:
        compiled.append(kernel)
        before(kernel)

    before = _jit.set_compile_announcer(announce)
    try:
        with both_forms():
            for call in _CALLS[share::of]:
                for dtype in (np.float32, np.float64):
                    call(dtype)
    finally:
        _jit.set_compile_announcer(before)
    return compiled


def _in_a_process(share: int, of: int) -> list[str]:
    """Do a share in another process, since Numba compiles one function at a time; pass on what it says.

    What fails there, because the machine allows no process or no file, is left to this one.
    """
    code = (
        "import sys\n"
        "from tinygrad_edu.kernels import _jit, _warmup\n"
        "_jit.set_compile_announcer(lambda kernel: print(kernel, flush=True))\n"
        f"_warmup._call({share}, {of})\n"
    )
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    names: list[str] = []
    with suppress(OSError):
        quiet = subprocess.DEVNULL
        command = [sys.executable, "-c", code]
        with subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=quiet, text=True, env=environment
        ) as done:
            assert done.stdout is not None
            for line in done.stdout:
                names.append(line.strip())
                _jit.announce(line.strip())
    return names
