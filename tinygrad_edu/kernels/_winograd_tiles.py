"""Winograd's tiles: where in an image each one lies, and its way to the points (see :mod:`._winograd`)."""

# mypy: disable-error-code="call-arg, var-annotated"
# (Intrinsics are called without the typing context that they are defined with.)

from tinygrad_edu.kernels._arrays import Array
from tinygrad_edu.kernels._jit import jit
from tinygrad_edu.kernels._simd import LANES, VECTORS, address
from tinygrad_edu.kernels._winograd_transforms import RESULTS, SIDE, image_to_points

__all__ = ["BLOCK", "GAP", "WIDTH", "count_tiles", "tile_to_points", "window"]

WIDTH = LANES * VECTORS  # filters in a panel, across which a micro-kernel's tile lies
GAP = 16  # numbers between the matrices of two points, lest all 36 of them fall into one set of the cache
BLOCK = 32  # tiles at most that are transformed, multiplied and transformed back together


def count_tiles(shape: tuple[int, ...]) -> tuple[int, int]:
    """How many tiles results of the shape (N, H, W, F) take, down and across."""
    return -(-shape[1] // RESULTS), -(-shape[2] // RESULTS)


@jit
def window(x: Array, n: int, y: int, column: int, patch: Array) -> tuple[int, int, int]:
    """Return (address, row's distance, column's distance) of image n's window from a pixel on.

    The patch (size, size, C) takes a copy of a window over the border, with zeros outside.
    """
    height, width, channels = x.shape[1:]
    size = patch.shape[0]
    if y >= 0 and column >= 0 and y + size <= height and column + size <= width:
        at = address(x) + ((n * height + y) * width + column) * channels * 4
        return at, width * channels * 4, channels * 4
    for i in range(size):
        for j in range(size):
            to = patch[i, j]
            if 0 <= y + i < height and 0 <= column + j < width:
                pixel = x[n, y + i, column + j]
                for c in range(channels):
                    to[c] = pixel[c]
            else:
                to[:] = 0
    return address(patch), size * channels * 4, channels * 4


@jit
def tile_to_points(x: Array, n: int, y: int, column: int, patch: Array, to: int, point: int) -> None:
    at, row_step, column_step = window(x, n, y, column, patch)
    image_to_points(at, row_step, column_step, to, SIDE * point, point, x.shape[3], 0, 0)
