"""Memory for large results, kept and handed out again.

A large array that is freed goes back to the system, and the next one comes as pages that don't exist yet:
the system makes each of them, filled with zeros, when it is first written to. A training step writes the
same hundreds of megabytes of activations over and over, and for a kernel that only passes over its array
once those zeros cost as much as its own work. So blocks of memory that nobody uses any more wait here for
the next array of about their size.

An array from here looks like any other. It is a window into a block, every view of it keeps it alive, and
when the last of them is gone, a weak reference to it says so, and the block may be used again.
"""

import mmap
import os
import threading
from collections import OrderedDict
from contextlib import suppress
from functools import partial
from itertools import count
from math import prod
from typing import Any
from weakref import ref

import numpy as np
from numpy.typing import NDArray

__all__ = ["empty", "idle_bytes", "release_idle"]

SMALL = 2**20
MOST_IDLE = 2**29  # bytes that may lie idle
SLACK = 1.05  # all blocks together, over the most bytes that were ever in use at once

_lock = threading.RLock()  # of one's own thread too: a collection within may end an array's life
_serial = count()
_idle: "dict[int, OrderedDict[int, Any]]" = {}  # by size, then in the order in which they were given back
_idle_total = _lent_total = _most_lent = 0  # bytes; the last since memory was last released
_lent: dict[int, tuple[Any, Any]] = {}  # by number: the weak reference that gives the block back, the block


def _after_fork() -> None:
    global _lock
    _lock = threading.RLock()  # another thread of the parent's may have held it


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)


def empty(shape: tuple[int, ...], dtype: Any) -> NDArray[Any]:
    """Return an array with nothing in particular in it, like ``np.empty``.

    >>> empty((3, 400_000), np.float32).shape
    (3, 400000)
    """
    global _idle_total, _lent_total, _most_lent
    dtype = np.dtype(dtype)
    wanted = prod(shape) * dtype.itemsize
    if wanted < SMALL:
        return np.empty(shape, dtype)
    size = _rounded(wanted)
    with _lock:
        waiting = _idle.get(size)
        block = None
        if waiting:
            _, block = waiting.popitem()  # the last to come back is the likeliest to be in a cache still
            _idle_total -= size
        _lent_total += size
        _most_lent = max(_most_lent, _lent_total)
        if block is None:  # idle blocks of other sizes make room for it
            _drop_idle(int(SLACK * _most_lent) - _lent_total)
    if block is None:
        block = _new_block(size)
    array: NDArray[Any] = np.ndarray(shape, dtype, block)
    number = next(_serial)
    _lent[number] = ref(array, partial(_take_back, number)), block
    return array


def _new_block(size: int) -> Any:
    """Ask the system for memory: not NumPy, whose views of the array would keep the block alive, not it."""
    if not hasattr(mmap, "MAP_PRIVATE"):
        return mmap.mmap(-1, size)
    block = mmap.mmap(-1, size, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)  # shared with no forked process
    if hasattr(mmap, "MADV_HUGEPAGE"):
        with suppress(OSError):
            block.madvise(mmap.MADV_HUGEPAGE)  # pages of 2 MB instead of 4 KB, if the system has them
    return block


def idle_bytes() -> int:
    """Return how much memory lies idle, in bytes: at most :data:`MOST_IDLE`."""
    return _idle_total


def release_idle() -> None:
    """Give the idle memory back to the system."""
    global _idle_total, _most_lent
    with _lock:
        _idle.clear()
        _idle_total, _most_lent = 0, _lent_total


def _rounded(size: int) -> int:
    """Return the next larger size of a block: eight sizes from each power of two to the next.

    >>> _rounded(2**20), _rounded(2**20 + 1) / 2**20
    (1048576, 1.125)
    """
    step = 1 << (size - 1).bit_length() - 4
    return -(-size // step) * step


def _take_back(number: int, _: Any = None) -> None:
    global _idle_total, _lent_total
    with _lock:
        _, block = _lent.pop(number)
        size = len(block)
        _idle.setdefault(size, OrderedDict())[number] = block
        _idle_total += size
        _lent_total -= size
        # Idle is no more than was ever in use at once: what a step needs, not also what it left by the way.
        _drop_idle(min(MOST_IDLE, _most_lent))


def _drop_idle(most: int) -> None:
    """Give back to the system what has lain idle longest, until no more than so many bytes do."""
    global _idle_total
    while _idle_total > max(most, 0):
        _, oldest = min((next(iter(blocks)), size) for size, blocks in _idle.items() if blocks)
        _idle[oldest].popitem(last=False)
        _idle_total -= oldest
