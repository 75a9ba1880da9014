"""The inner loops of pooling; :mod:`tinygrad_edu.kernels.pool` has the ideas.

Each works on image n of a batch. Channels are neighbours in memory, and a vector of them is worked on at
once: what is known so far of a window stays in a register while its cells go by, and instead of branching
the loops choose between two values. Where no two windows overlap, a gradient is stored without
looking at what lies there.
"""

from numba import prange

from tinygrad_edu.kernels._arrays import Array
from tinygrad_edu.kernels._jit import jit
from tinygrad_edu.kernels._lanes import is_nan, load, load_as, select, spread, store

__all__ = [
    "Window",
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
    number = x.dtype.type
    for oy in range(out.shape[1]):
        y = oy * sh - top
        first_ky, last_ky = max(0, -y), min(kh, height - y)
        for ox in range(out.shape[2]):
            xx = ox * sw - left
            first_kx, last_kx = max(0, -xx), min(kw, width - xx)
            corner, to = ((n * height + y) * width + xx) * channels, _pixel(n, oy, ox, out)
            for c in range(0, channels, 64 // x.itemsize):
                lanes = channels - c
                best = load(x, corner + ((last_ky - 1) * width + last_kx - 1) * channels + c, lanes)
                place = spread(number((last_ky - 1) * kw + last_kx - 1))
                # From last to first, so that of equals, and of several NaN, the first wins by itself.
                for ky in range(last_ky - 1, first_ky - 1, -1):
                    for kx in range(last_kx - 1, first_kx - 1, -1):
                        value = load(x, corner + (ky * width + kx) * channels + c, lanes)
                        wins = (value >= best) | is_nan(value)
                        best = select(wins, value, best)
                        place = select(wins, spread(number(ky * kw + kx)), place)
                store(out, to + c, best, lanes)
                store(indices, to + c, place, lanes)


@jit
def _pixel(n: int, y: int, x: int, images: Array) -> int:
    """Where the channels of a pixel begin."""
    _, height, width, channels = images.shape
    place: int = ((n * height + y) * width + x) * channels
    return place


@jit
def _alone(g: Array, window: Window, out: Array) -> bool:
    """Tell whether each pixel of the images out lies in one window, and one only."""
    kh, kw, sh, sw, top, left = window
    tiles = kh == sh and kw == sw
    return tiles and g.shape[1] * sh - top >= out.shape[1] and g.shape[2] * sw - left >= out.shape[2]


@jit
def _scatter_image(n: int, g: Array, indices: Array, window: Window, out: Array) -> None:
    kh, kw, sh, sw, top, left = window
    _, height, width, channels = out.shape
    alone, zero = _alone(g, window, out), spread(out.dtype.type(0))
    if not alone:
        out[n] = 0
    for oy in range(g.shape[1]):
        y = oy * sh - top
        for ox in range(g.shape[2]):
            xx = ox * sw - left
            corner, seen = ((n * height + y) * width + xx) * channels, _pixel(n, oy, ox, g)
            for c in range(0, channels, 64 // out.itemsize):
                lanes = channels - c
                grad = load(g, seen + c, lanes)
                winner = load_as(grad, indices, seen + c, lanes)
                for ky in range(max(0, -y), min(kh, height - y)):
                    for kx in range(max(0, -xx), min(kw, width - xx)):
                        to = corner + (ky * width + kx) * channels + c
                        share = select(winner == spread(out.dtype.type(ky * kw + kx)), grad, zero)
                        store(out, to, share if alone else share + load(out, to, lanes), lanes)


@jit
def _mean_image(n: int, x: Array, window: Window, out: Array) -> None:
    kh, kw, sh, sw, top, left = window
    _, height, width, channels = x.shape
    for oy in range(out.shape[1]):
        first_y, last_y = max(0, oy * sh - top), min(height, oy * sh - top + kh)
        for ox in range(out.shape[2]):
            first_x, last_x = max(0, ox * sw - left), min(width, ox * sw - left + kw)
            count, to = spread(x.dtype.type((last_y - first_y) * (last_x - first_x))), _pixel(n, oy, ox, out)
            for c in range(0, channels, 64 // x.itemsize):
                total = spread(x.dtype.type(0))
                for y in range(first_y, last_y):
                    for xx in range(first_x, last_x):
                        total += load(x, _pixel(n, y, xx, x) + c, channels - c)
                store(out, to + c, total / count, channels - c)


@jit
def _share_image(n: int, g: Array, window: Window, out: Array) -> None:
    kh, kw, sh, sw, top, left = window
    _, height, width, channels = out.shape
    alone = _alone(g, window, out)
    if not alone:
        out[n] = 0
    for oy in range(g.shape[1]):
        first_y, last_y = max(0, oy * sh - top), min(height, oy * sh - top + kh)
        for ox in range(g.shape[2]):
            first_x, last_x = max(0, ox * sw - left), min(width, ox * sw - left + kw)
            count, seen = spread(g.dtype.type((last_y - first_y) * (last_x - first_x))), _pixel(n, oy, ox, g)
            for c in range(0, channels, 64 // g.itemsize):
                lanes = channels - c
                share = load(g, seen + c, lanes) / count
                for y in range(first_y, last_y):
                    for xx in range(first_x, last_x):
                        to = _pixel(n, y, xx, out) + c
                        store(out, to, share if alone else share + load(out, to, lanes), lanes)


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
