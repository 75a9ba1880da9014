"""How convolutions that use the micro-kernel are described and cut into tasks."""

from functools import lru_cache
from typing import NamedTuple

from tinygrad_edu.kernels._arrays import Padding, Pair
from tinygrad_edu.kernels._simd import LANES, VECTORS

__all__ = ["QUICK", "WIDTH", "Axis", "Plan", "axes", "phases", "plan"]

WIDTH = LANES * VECTORS  # lanes of a tile
QUICK = 16  # multiplications of the micro-kernel in the time that run() expects of one
_OWN = 2**16  # numbers in the rows that a task reads, about: a quarter of a second cache
_TASKS = 8  # at least so many where there are as many rows, to keep several cores busy


class Axis(NamedTuple):
    """What sums see along one axis of the image, and where along it they are stored."""

    taps: int  # how many rows (columns) of the filters
    tap: int  # the one that sees the image first, and how many further in the filters the next is
    tap_step: int
    apart: int  # pixels from what one tap sees to what the next sees
    step: int  # pixels from one window to the next
    before: int  # how far the first window begins outside the image
    sums: int  # how many
    first: int  # the output that is the first sum, and how many outputs further the next is
    out_step: int


class Plan(NamedTuple):
    """How the work is cut."""

    groups: int
    band: int  # rows of sums a task
    width: int  # pixels across a task's own copy of the rows that it sees; 0: it reads the image itself


@lru_cache(maxsize=256)
def axes(
    taps: tuple[int, ...], strides: Pair, padding: Padding, dilation: Pair, sums: tuple[int, ...]
) -> tuple[Axis, Axis]:
    """What the outputs of a convolution see, down and across."""
    down, across = (
        Axis(taps[i], 0, 1, dilation[i], strides[i], padding[i][0], sums[i], 0, 1) for i in (0, 1)
    )
    return down, across


@lru_cache(maxsize=256)
def phases(taps: int, stride: int, dilation: int, before: int, size: int) -> tuple[Axis, ...]:
    """The convolutions of g that make the gradient of x, along one axis.

    Pixel p sees tap t at g's number (p + before - t * dilation) / stride, where that is whole. So pixels a
    stride apart see the same taps, the last one first.
    """
    phases = []
    for first in range(min(stride, size)):
        seen = [t for t in reversed(range(taps)) if (first + before - t * dilation) % stride == 0]
        tap = seen[0] if seen else 0
        tap_step = seen[1] - tap if len(seen) > 1 else 1
        starts, apart = (first + before - tap * dilation) // stride, -tap_step * dilation // stride
        count = -(-(size - first) // stride)
        phases.append(Axis(len(seen), tap, tap_step, apart, 1, -starts, count, first, stride))
    return tuple(phases)


@lru_cache(maxsize=256)
def plan(n: int, height: int, width: int, channels: int, groups: int, down: Axis, across: Axis) -> Plan:
    inside = True
    for axis, size in ((down, height), (across, width)):
        last = (axis.sums - 1) * axis.step + (axis.taps - 1) * axis.apart - axis.before
        inside &= axis.before <= 0 and last < size
    own = 0 if inside else (across.sums - 1) * across.step + (across.taps - 1) * across.apart + 1
    band = _task_rows(n, down, (own or width) * channels)
    return Plan(groups, band, own)


def _task_rows(images: int, down: Axis, row_size: int) -> int:
    """How many rows of sums make a task."""
    fitting = (_OWN // row_size - (down.taps - 1) * down.apart - 1) // down.step + 1
    sharing = max(4, -(-down.sums // -(-_TASKS // images)))  # bands overlap, so none thinner than 4 rows
    return max(1, min(fitting, sharing, down.sums))
