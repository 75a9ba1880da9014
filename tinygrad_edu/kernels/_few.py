"""Convolution with few filters, or of few channels: all taps at once in the lanes of a tile.

The lanes of the micro-kernel are filters, and with one or two of them most lanes would idle. But every tap
sees every pixel. So multiply each pixel by the weights of all taps at once, a product of matrices
(pixels, C) x (C, taps * F) whose lanes are full; an output then adds up what lies for its F filters, side by
side, at each of the pixels that it sees. For 3 x 3 filters on 32 channels that takes a quarter of the time.
(Anderson et al., *Low-memory GEMM-based convolution algorithms for deep neural networks*, 2017, call it
kn2row.)

The gradient of the weights is that in reverse. Lay beside each pixel of the side with many channels what
its taps meet on the side with few, taps * F numbers, and one product over all pixels holds the gradients of
all taps. Either side may be the one with few: g of few filters, or images of few channels.

Everything is float32 and contiguous, cut and summed in an order that the shapes alone decide on.
"""

# mypy: disable-error-code="call-arg"
# (Intrinsics are called without the typing context that they are defined with.)

from functools import lru_cache

import numpy as np
from numba import prange

from tinygrad_edu.kernels._arrays import Array
from tinygrad_edu.kernels._jit import jit
from tinygrad_edu.kernels._lanes import load, select, spread, store
from tinygrad_edu.kernels._plan import QUICK, WIDTH, Axis, plan
from tinygrad_edu.kernels._simd import LANES, ROWS, address, tile
from tinygrad_edu.kernels._threads import run

__all__ = ["correlate", "suits", "suits_weights", "weight_grad"]

_MOST = 64  # lanes; with more, the products no longer pay
_VECTOR = 16  # float32 in a vector of _lanes
_CHUNKS = 16  # in which pixels are added up, where there are as many bands
_PIXELS = 128  # that a tile sees at once, about: beside them lie 16 KB


@lru_cache(maxsize=256)
def suits(down: Axis, across: Axis, many: int, few: int) -> bool:
    """Whether sums are quicker this way than the direct one, by the vector operations a pixel."""
    side_by_side = all(a.step == 1 and (a.apart == 1 or a.taps == 1) for a in (down, across))
    taps = down.taps * across.taps
    vectors = -(-few // LANES)
    products = many * -(-taps * few // LANES)
    return side_by_side and taps * few <= _MOST and products + 2 * taps * vectors < taps * many * vectors


@lru_cache(maxsize=256)
def suits_weights(rows: int, columns: int, channels: int, many: int, few: int, filters: int) -> bool:
    """Whether the gradient of weights (rows, columns, channels, filters) is, with few numbers beside many."""
    directly = rows * _up(columns * channels, ROWS) * -(-filters // LANES)
    lanes = rows * columns * few
    # A lane costs about one vector operation to lay.
    return lanes <= WIDTH and _up(many, ROWS) * -(-lanes // LANES) + lanes < directly


def _up(n: int, multiple: int) -> int:
    return -(-n // multiple) * multiple


# --- Sums ------------------------------------------------------------------------------------------------


def correlate(
    x: Array, weights: Array, bias: Array | None, relu: bool, out: Array, down: Axis, across: Axis
) -> None:
    """Fill out with the sums; weights are (C, taps down, taps across, F)."""
    n, height, width, channels = x.shape
    lanes = weights[0].size
    padded = np.zeros((channels, _up(lanes, LANES)), np.float32)
    padded[:, :lanes] = weights.reshape(channels, lanes)
    band = plan(n, height, width, padded.shape[1], 1, down, across).band
    bias = np.zeros(out.shape[3], np.float32) if bias is None else bias
    arguments = (x, padded, lanes, bias, relu, out, down, across, band)
    run(_correlate, _correlate_parallel, arguments, out.size // out.shape[3] * channels * lanes // QUICK)


@jit
def _correlate_task(
    task: int, x: Array, weights: Array, lanes: int, bias: Array, relu: bool, out: Array,
    down: Axis, across: Axis, band: int, products: Array,
) -> None:  # fmt: skip
    bands = -(-down.sums // band)
    n, first = task // bands, task % bands * band
    rows = min(band, down.sums - first)
    _, height, width, channels = x.shape
    filters, pitch = out.shape[3], weights.shape[1]
    top = first - down.before
    low = max(0, top)
    pixels = (min(height, top + rows + down.taps - 1) - low) * width
    start = address(x) + (n * height + low) * width * channels * 4
    for i in range(0, pixels, ROWS):
        for lane in range(0, lanes, WIDTH):
            tile(
                x, start + i * channels * 4, channels * 4, 4, 0, address(weights) + lane * 4, pitch * 4, 0,
                channels, 1, address(products) + (i * pitch + lane) * 4, pitch * 4,
                min(ROWS, pixels - i), min(WIDTH, lanes - lane), 0, 0, 0, start + (i + ROWS) * channels * 4,
            )  # fmt: skip
    zero = spread(np.float32(0))
    for y in range(rows):
        row = (n * out.shape[1] + down.first + (first + y) * down.out_step) * out.shape[2] + across.first
        above, below = max(0, -(top + y)), min(down.taps, height - (top + y))
        for j in range(across.sums):
            column = j - across.before  # what the first tap sees
            left, right = max(0, -column), min(across.taps, width - column)
            for f in range(0, filters, _VECTOR):
                value = load(bias, f, filters - f)
                for ky in range(above, below):
                    at = ((top + y + ky - low) * width + column + left) * pitch
                    at += (ky * across.taps + left) * filters + f
                    for _ in range(left, right):
                        value += load(products, at, filters - f)
                        at += pitch + filters
                if relu:
                    value = select(zero > value, zero, value)
                store(out, (row + j * across.out_step) * filters + f, value, filters - f)


@jit
def _correlate(
    x: Array, weights: Array, lanes: int, bias: Array, relu: bool, out: Array,
    down: Axis, across: Axis, band: int,
) -> None:  # fmt: skip
    products = np.empty((band + down.taps - 1, x.shape[2], weights.shape[1]), np.float32)
    for task in range(x.shape[0] * -(-down.sums // band)):
        _correlate_task(task, x, weights, lanes, bias, relu, out, down, across, band, products)


@jit(parallel=True)
def _correlate_parallel(
    x: Array, weights: Array, lanes: int, bias: Array, relu: bool, out: Array,
    down: Axis, across: Axis, band: int,
) -> None:  # fmt: skip
    for task in prange(x.shape[0] * -(-down.sums // band)):
        products = np.empty((band + down.taps - 1, x.shape[2], weights.shape[1]), np.float32)
        _correlate_task(task, x, weights, lanes, bias, relu, out, down, across, band, products)


# --- The gradient of the weights -------------------------------------------------------------------------


def weight_grad(many: Array, few: Array, down: Axis, across: Axis) -> Array:
    """Return (channels of many, taps down, taps across, channels of few).

    Each is a sum over the pixels of many, times what the tap meets in few: in row y * step + tap * apart
    - before, and likewise across.
    """
    n, height, width, channels = many.shape
    taps, lanes = down.taps * across.taps, down.taps * across.taps * few.shape[3]
    pitch = LANES if lanes <= LANES else WIDTH
    band = max(1, min(height, 2**15 // (width * pitch)))
    chunks = min(n * -(-height // band), _CHUNKS)
    grads = np.empty((chunks, channels, lanes), np.float32)
    arguments = (many, few, pitch, down, across, band, grads)
    run(_weigh, _weigh_parallel, arguments, many.size * taps * few.shape[3] // QUICK)
    grad: Array = np.add.reduce(grads, axis=0) if chunks > 1 else grads[0]
    return grad.reshape(channels, down.taps, across.taps, few.shape[3])


@jit
def _lay_beside(
    few: Array, n: int, first: int, rows: int, width: int, down: Axis, across: Axis, beside: Array
) -> None:
    """Fill beside (rows * width, lanes) with what the taps of each pixel meet, zeros outside of few."""
    beside[: rows * width] = 0
    channels = few.shape[3]
    for y in range(rows):
        row = beside[y * width : (y + 1) * width]
        for ky in range(down.taps):
            at = (first + y) * down.step + ky * down.apart - down.before
            if at < 0 or at >= few.shape[1]:
                continue
            for kx in range(across.taps):
                shift = kx * across.apart - across.before
                start = max(0, -(shift // across.step))
                stop = min(width, (few.shape[2] - 1 - shift) // across.step + 1)
                lane = (ky * across.taps + kx) * channels
                if start < stop:
                    for c in range(channels):
                        source = few[n, at, start * across.step + shift :: across.step, c]
                        target = row[start:stop, lane + c]
                        for i in range(target.size):
                            target[i] = source[i]


@jit
def _weigh_task(
    chunk: int, many: Array, few: Array, down: Axis, across: Axis, band: int, grads: Array, beside: Array
) -> None:
    _, height, width, channels = many.shape
    _, _, lanes = grads.shape
    bands = -(-height // band)
    units = many.shape[0] * bands
    add = 0
    pitch = beside.shape[1] * 4
    for unit in range(chunk * units // grads.shape[0], (chunk + 1) * units // grads.shape[0]):
        n, first = unit // bands, unit % bands * band
        rows = min(band, height - first)
        _lay_beside(few, n, first, rows, width, down, across, beside)
        start = address(many) + (n * height + first) * width * channels * 4
        for i in range(0, rows * width, _PIXELS):
            for c in range(0, channels, ROWS):
                tile(
                    many, start + (i * channels + c) * 4, 4, channels * 4, 0,
                    address(beside) + i * pitch, pitch, 0,
                    min(_PIXELS, rows * width - i), 1, address(grads) + (chunk * channels + c) * lanes * 4,
                    lanes * 4, min(ROWS, channels - c), lanes, 0, add, 0, 0,
                )  # fmt: skip
            add = 1


@jit
def _weigh(many: Array, few: Array, pitch: int, down: Axis, across: Axis, band: int, grads: Array) -> None:
    beside = np.empty((band * many.shape[2], pitch), np.float32)
    for chunk in range(grads.shape[0]):
        _weigh_task(chunk, many, few, down, across, band, grads, beside)


@jit(parallel=True)
def _weigh_parallel(
    many: Array, few: Array, pitch: int, down: Axis, across: Axis, band: int, grads: Array
) -> None:
    for chunk in prange(grads.shape[0]):
        beside = np.empty((band * many.shape[2], pitch), np.float32)
        _weigh_task(chunk, many, few, down, across, band, grads, beside)
