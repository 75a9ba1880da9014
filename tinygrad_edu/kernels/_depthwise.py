"""Convolution in which each filter sees one channel alone.

Nothing is summed over channels here, so there is no matrix product to make of it; but channels are
neighbours in memory, and the innermost loops run over them. A channel that several filters see is repeated
for each of them, and then there are as many filters as channels.

Everything is contiguous. Threads share out the images.
"""

import numpy as np
from numba import prange

from tinygrad_edu.kernels._arrays import Array, Padding, Pair, pad, padded_zeros, unpad
from tinygrad_edu.kernels._jit import jit, run

__all__ = ["conv2d", "conv2d_input_grad", "conv2d_weight_grad"]

Steps = tuple[int, int, int, int]  # sh, sw, dh, dw


def conv2d(
    x: Array, w: Array, strides: Pair, padding: Padding, dilation: Pair, groups: int, out: Array
) -> None:
    x = _repeated(pad(x, padding), w.shape[3] // groups)
    arguments = (x, w.reshape(*w.shape[:2], -1), (*strides, *dilation), out)
    run(_see, _see_parallel, arguments, out.size * w[..., 0, 0].size)


def conv2d_input_grad(
    g: Array, w: Array, strides: Pair, padding: Padding, dilation: Pair, groups: int, out: Array
) -> None:
    copies = w.shape[3] // groups
    grad = padded_zeros((*out.shape[:3], w.shape[3]), padding, out.dtype)
    arguments = (g, w.reshape(*w.shape[:2], -1), (*strides, *dilation), grad)
    run(_hand_back, _hand_back_parallel, arguments, g.size * w[..., 0, 0].size)
    grad = unpad(grad, padding)
    out[...] = grad[..., ::copies]
    for i in range(1, copies):  # much quicker than NumPy's sum over a last axis this short
        out += grad[..., i::copies]


def conv2d_weight_grad(
    x: Array, g: Array, strides: Pair, padding: Padding, dilation: Pair, groups: int, out: Array
) -> None:
    x = _repeated(pad(x, padding), out.shape[3] // groups)
    grads = np.zeros((len(x), *out.shape[:2], out.shape[3]), out.dtype)  # one an image
    run(_weigh, _weigh_parallel, (x, g, (*strides, *dilation), grads), g.size * out[..., 0, 0].size)
    np.add.reduce(grads, axis=0, out=out[:, :, 0])


def _repeated(x: Array, copies: int) -> Array:
    return x if copies == 1 else np.repeat(x, copies, axis=3)


# --- One image -------------------------------------------------------------------------------------------


@jit
def _see_image(n: int, x: Array, w: Array, steps: Steps, out: Array) -> None:
    sh, sw, dh, dw = steps
    out[n] = 0
    for oy in range(out.shape[1]):
        for ox in range(out.shape[2]):
            for ky in range(w.shape[0]):
                for kx in range(w.shape[1]):
                    for c in range(w.shape[2]):
                        out[n, oy, ox, c] += x[n, oy * sh + ky * dh, ox * sw + kx * dw, c] * w[ky, kx, c]


@jit
def _hand_back_image(n: int, g: Array, w: Array, steps: Steps, out: Array) -> None:
    sh, sw, dh, dw = steps
    for oy in range(g.shape[1]):
        for ox in range(g.shape[2]):
            for ky in range(w.shape[0]):
                for kx in range(w.shape[1]):
                    for c in range(w.shape[2]):
                        out[n, oy * sh + ky * dh, ox * sw + kx * dw, c] += g[n, oy, ox, c] * w[ky, kx, c]


@jit
def _weigh_image(n: int, x: Array, g: Array, steps: Steps, grads: Array) -> None:
    sh, sw, dh, dw = steps
    for oy in range(g.shape[1]):
        for ox in range(g.shape[2]):
            for ky in range(grads.shape[1]):
                for kx in range(grads.shape[2]):
                    for c in range(grads.shape[3]):
                        seen = x[n, oy * sh + ky * dh, ox * sw + kx * dw, c]
                        grads[n, ky, kx, c] += seen * g[n, oy, ox, c]


# --- All images, on one thread or several ----------------------------------------------------------------


@jit
def _see(x: Array, w: Array, steps: Steps, out: Array) -> None:
    for n in range(out.shape[0]):
        _see_image(n, x, w, steps, out)


@jit(parallel=True)
def _see_parallel(x: Array, w: Array, steps: Steps, out: Array) -> None:
    for n in prange(out.shape[0]):
        _see_image(n, x, w, steps, out)


@jit
def _hand_back(g: Array, w: Array, steps: Steps, out: Array) -> None:
    for n in range(out.shape[0]):
        _hand_back_image(n, g, w, steps, out)


@jit(parallel=True)
def _hand_back_parallel(g: Array, w: Array, steps: Steps, out: Array) -> None:
    for n in prange(out.shape[0]):
        _hand_back_image(n, g, w, steps, out)


@jit
def _weigh(x: Array, g: Array, steps: Steps, grads: Array) -> None:
    for n in range(x.shape[0]):
        _weigh_image(n, x, g, steps, grads)


@jit(parallel=True)
def _weigh_parallel(x: Array, g: Array, steps: Steps, grads: Array) -> None:
    for n in prange(x.shape[0]):
        _weigh_image(n, x, g, steps, grads)
