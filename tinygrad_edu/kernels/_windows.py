"""The inner loops of pooling; :mod:`tinygrad_edu.kernels.pool` has the ideas.

Each works on image n of a batch. The innermost loop runs over the channels, which are neighbours in memory,
and chooses between two values instead of branching, so that it can be done for many channels at once.
"""

import numpy as np
from numba import prange

from tinygrad_edu.kernels._arrays import Array
from tinygrad_edu.kernels._jit import jit

__all__ = [
    "Window",
    "pool_gather",
    "pool_max",
    "pool_max_parallel",
    "pool_mean",
    "pool_mean_parallel",
    "pool_scatter",
    "pool_scatter_parallel",
    "pool_share",
    "pool_share_parallel",
]

Window = tuple[int, int, int, int, int, int]  # kh, kw, sh, sw, top, left


# --- One image -------------------------------------------------------------------------------------------


@jit
def _max_image(n: int, x: Array, window: Window, out: Array, indices: Array) -> None:
    kh, kw, sh, sw, top, left = window
    _, height, width, channels = x.shape
    for oy in range(out.shape[1]):
        y = oy * sh - top
        for ox in range(out.shape[2]):
            xx = ox * sw - left
            fresh = True
            for ky in range(max(0, -y), min(kh, height - y)):
                for kx in range(max(0, -xx), min(kw, width - xx)):
                    place = ky * kw + kx
                    if fresh:
                        fresh = False
                        for c in range(channels):
                            out[n, oy, ox, c] = x[n, y + ky, xx + kx, c]
                            indices[n, oy, ox, c] = place
                    else:
                        for c in range(channels):
                            value, best = x[n, y + ky, xx + kx, c], out[n, oy, ox, c]
                            wins = (value > best) | (np.isnan(value) & (best == best))
                            out[n, oy, ox, c] = value if wins else best
                            indices[n, oy, ox, c] = place if wins else indices[n, oy, ox, c]


@jit
def _scatter_image(n: int, g: Array, indices: Array, window: Window, out: Array) -> None:
    kh, kw, sh, sw, top, left = window
    _, height, width, channels = out.shape
    nothing = out.dtype.type(0)  # a plain 0 would turn the sum into float64
    out[n] = 0
    for oy in range(g.shape[1]):
        y = oy * sh - top
        for ox in range(g.shape[2]):
            xx = ox * sw - left
            for ky in range(max(0, -y), min(kh, height - y)):
                for kx in range(max(0, -xx), min(kw, width - xx)):
                    place = indices.dtype.type(ky * kw + kx)
                    for c in range(channels):
                        share = g[n, oy, ox, c] if indices[n, oy, ox, c] == place else nothing
                        out[n, y + ky, xx + kx, c] += share


@jit
def _gather_image(n: int, v: Array, indices: Array, window: Window, out: Array) -> None:
    kh, kw, sh, sw, top, left = window
    _, height, width, channels = v.shape
    out[n] = 0
    for oy in range(out.shape[1]):
        y = oy * sh - top
        for ox in range(out.shape[2]):
            xx = ox * sw - left
            for ky in range(max(0, -y), min(kh, height - y)):
                for kx in range(max(0, -xx), min(kw, width - xx)):
                    place = indices.dtype.type(ky * kw + kx)
                    for c in range(channels):
                        value, other = v[n, y + ky, xx + kx, c], out[n, oy, ox, c]
                        out[n, oy, ox, c] = value if indices[n, oy, ox, c] == place else other


@jit
def _mean_image(n: int, x: Array, window: Window, out: Array) -> None:
    kh, kw, sh, sw, top, left = window
    _, height, width, channels = x.shape
    for oy in range(out.shape[1]):
        first_y, last_y = max(0, oy * sh - top), min(height, oy * sh - top + kh)
        for ox in range(out.shape[2]):
            first_x, last_x = max(0, ox * sw - left), min(width, ox * sw - left + kw)
            count = x.dtype.type((last_y - first_y) * (last_x - first_x))
            for c in range(channels):
                out[n, oy, ox, c] = 0
            for y in range(first_y, last_y):
                for xx in range(first_x, last_x):
                    for c in range(channels):
                        out[n, oy, ox, c] += x[n, y, xx, c]
            for c in range(channels):
                out[n, oy, ox, c] /= count


@jit
def _share_image(n: int, g: Array, window: Window, out: Array) -> None:
    kh, kw, sh, sw, top, left = window
    _, height, width, channels = out.shape
    out[n] = 0
    for oy in range(g.shape[1]):
        first_y, last_y = max(0, oy * sh - top), min(height, oy * sh - top + kh)
        for ox in range(g.shape[2]):
            first_x, last_x = max(0, ox * sw - left), min(width, ox * sw - left + kw)
            count = g.dtype.type((last_y - first_y) * (last_x - first_x))
            for y in range(first_y, last_y):
                for xx in range(first_x, last_x):
                    for c in range(channels):
                        out[n, y, xx, c] += g[n, oy, ox, c] / count


# --- All images, on one thread or several ----------------------------------------------------------------


@jit
def pool_max(x: Array, window: Window, out: Array, indices: Array) -> None:
    for n in range(x.shape[0]):
        _max_image(n, x, window, out, indices)


@jit(parallel=True)
def pool_max_parallel(x: Array, window: Window, out: Array, indices: Array) -> None:
    for n in prange(x.shape[0]):
        _max_image(n, x, window, out, indices)


@jit
def pool_scatter(g: Array, indices: Array, window: Window, out: Array) -> None:
    for n in range(g.shape[0]):
        _scatter_image(n, g, indices, window, out)


@jit(parallel=True)
def pool_scatter_parallel(g: Array, indices: Array, window: Window, out: Array) -> None:
    for n in prange(g.shape[0]):
        _scatter_image(n, g, indices, window, out)


@jit
def pool_gather(v: Array, indices: Array, window: Window, out: Array) -> None:
    for n in range(v.shape[0]):
        _gather_image(n, v, indices, window, out)


@jit
def pool_mean(x: Array, window: Window, out: Array) -> None:
    for n in range(x.shape[0]):
        _mean_image(n, x, window, out)


@jit(parallel=True)
def pool_mean_parallel(x: Array, window: Window, out: Array) -> None:
    for n in prange(x.shape[0]):
        _mean_image(n, x, window, out)


@jit
def pool_share(g: Array, window: Window, out: Array) -> None:
    for n in range(g.shape[0]):
        _share_image(n, g, window, out)


@jit(parallel=True)
def pool_share_parallel(g: Array, window: Window, out: Array) -> None:
    for n in prange(g.shape[0]):
        _share_image(n, g, window, out)
