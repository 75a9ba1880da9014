"""Panels: the right matrix of a product, laid out in the order in which the micro-kernel reads it.

The micro-kernel walks down a strip of B that is one tile wide. In B itself the rows of that strip lie a whole
row of B apart: each is on another page of memory, and where the distance is a multiple of 4096 bytes they all
fall into the same few places of the first cache and push each other out. So a block of B is copied first,
strip after strip (a *panel*), each read from end to end later, by every row of A. The copy is read in the
order in which B lies in memory, whether that is by rows or, for a transposed B, by columns.

Copying costs as much as one row of A times the block, if it is done a vector at a time. The compiler won't
see that in a loop over single numbers (which took four times as long for a batch of 16), and for columns it
can't: there squares of LANES x LANES numbers are turned in the registers, by LANES * log2(LANES) shuffles.
(Of float64 a register holds half as many: LANES stands for the float32 that it would hold.)
"""

# mypy: allow-untyped-calls, allow-untyped-defs, disable-error-code="no-untyped-call, attr-defined, call-arg"

from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from tinygrad_edu.kernels._arrays import Array
from tinygrad_edu.kernels._jit import jit
from tinygrad_edu.kernels._simd import BYTES, LANES, VECTORS, address

__all__ = ["ACROSS", "empty_panels", "pack"]

ACROSS = VECTORS * BYTES  # a panel, in bytes


@intrinsic
def _copy_row(typingctx, source, target):
    """Copy one row of a panel from one address to another."""

    def generate(context, builder, signature, args):
        register = ir.VectorType(ir.FloatType(), LANES)  # bits are bits: it does for float64 too
        for vector in range(VECTORS):
            offset = ir.IntType(64)(vector * BYTES)
            source, target = (_pointer(builder, at, offset, register) for at in args)
            builder.store(builder.load(source, align=4), target, align=4)
        return context.get_dummy_value()

    return types.void(types.int64, types.int64), generate


@intrinsic
def _transpose(typingctx, like, source, source_row, target, target_row):
    """Copy a square as wide as a register, turned; numbers are as in ``like``, rows so many bytes apart."""
    double = like.dtype == types.float64
    lanes = LANES // 2 if double else LANES
    register = ir.VectorType(ir.DoubleType() if double else ir.FloatType(), lanes)
    order = ir.VectorType(ir.IntType(32), lanes)

    def generate(context, builder, signature, args):
        _, source, source_row, target, target_row = args
        rows = []
        for r in range(lanes):
            at = _pointer(builder, source, builder.mul(source_row, source_row.type(r)), register)
            rows.append(builder.load(at, align=4))
        # Swap the squares off the diagonal: of 1 x 1 numbers in each 2 x 2, then of 2 x 2 in each 4 x 4, ...
        side = 1
        while side < lanes:
            upper = order([j if not j & side else lanes + j - side for j in range(lanes)])
            lower = order([j + side if not j & side else lanes + j for j in range(lanes)])
            for r in range(lanes):
                if not r & side:
                    pair = rows[r], rows[r + side]
                    rows[r] = builder.shuffle_vector(*pair, upper)
                    rows[r + side] = builder.shuffle_vector(*pair, lower)
            side *= 2
        for r in range(lanes):
            at = _pointer(builder, target, builder.mul(target_row, target_row.type(r)), register)
            builder.store(rows[r], at, align=4)
        return context.get_dummy_value()

    return types.void(like, *[types.int64] * 4), generate


def _pointer(builder: Any, at: Any, offset: Any, register: Any) -> Any:
    return builder.inttoptr(builder.add(at, offset), register.as_pointer())


@jit
def empty_panels(columns: int, depth: int, like: Array) -> Array:
    """Return room for the panels of so many columns, (panels, depth, width), at the beginning of a vector."""
    itemsize = like.itemsize
    width = ACROSS // itemsize
    panels = -(-columns // width)
    size = panels * depth * width
    room = np.empty(size + width, like.dtype)
    start = -(address(room) // itemsize) % width
    return room[start : start + size].reshape((panels, depth, width))


@jit
def pack(b: Array, flipped: bool, k: int, depth: int, j: int, columns: int, panels: Array) -> None:
    """Copy B[k : k + depth, j : j + columns] into panels, with 0 in columns beyond; b is B.T if flipped."""
    if flipped:
        _pack_columns(b, k, depth, j, columns, panels)
    else:
        _pack_rows(b, k, depth, j, columns, panels)


@jit
def _pack_rows(b: Array, k: int, depth: int, j: int, columns: int, panels: Array) -> None:
    width = ACROSS // b.itemsize
    whole, panel = columns // width, panels.shape[1] * ACROSS
    for i in range(depth):
        source, target = address(b) + ((k + i) * b.shape[1] + j) * b.itemsize, address(panels) + i * ACROSS
        for p in range(whole):
            _copy_row(source + p * ACROSS, target + p * panel)
    left = columns - whole * width
    if left:
        for i in range(depth):
            for lane in range(left):
                panels[whole, i, lane] = b[k + i, j + whole * width + lane]
            panels[whole, i, left:] = 0


@jit
def _pack_columns(b: Array, k: int, depth: int, j: int, columns: int, panels: Array) -> None:
    itemsize = b.itemsize
    width, lanes = ACROSS // itemsize, BYTES // itemsize
    squares = depth // lanes * lanes
    for p in range(panels.shape[0]):
        for first in range(0, width, lanes):
            column, done = p * width + first, 0
            if column + lanes <= columns:
                source = address(b) + ((j + column) * b.shape[1] + k) * itemsize
                target = address(panels) + p * panels.shape[1] * ACROSS + first * itemsize
                for i in range(0, squares, lanes):
                    _transpose(b, source + i * itemsize, b.shape[1] * itemsize, target + i * ACROSS, ACROSS)
                done = squares
            for lane in range(lanes):
                for i in range(done, depth):
                    there = column + lane < columns
                    panels[p, i, first + lane] = b[j + column + lane, k + i] if there else 0
