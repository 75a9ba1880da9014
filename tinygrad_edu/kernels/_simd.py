"""The micro-kernel under matrix products and convolutions: a tile of sums that never leaves the registers.

A processor multiplies and adds a vector of numbers in one instruction (``fma``), one or two of them a cycle,
but it can't load operands from memory that fast. So the tile keeps ROWS x VECTORS vectors of sums in
registers; each vector it loads is used ROWS times, and each number it spreads over a vector VECTORS times:

    for k: for v: b[v] = B[k, v]
           for r: a = A[r, k] in all lanes; for v: sum[r, v] += a * b[v]

Numba has no word for a register, and a compiler's guess at such a loop reaches a fifth of the peak. So this
one function is written in LLVM's language, by a Python loop that unrolls it. Addresses are raw, and the
distances between rows and between steps are arguments. So one tile does for a matrix and for its transpose,
and for a convolution, where a row of A is the window over a pixel and a segment is a row of that window.

From: Goto & van de Geijn, *Anatomy of high-performance matrix multiplication*, 2008; Van Zee & van de Geijn,
*BLIS*, 2015, for the micro-kernel; Georganas et al., *Anatomy of high-performance deep learning convolutions
on SIMD architectures*, 2018.
"""

# mypy: allow-untyped-calls, allow-untyped-defs, disable-error-code="no-untyped-call, attr-defined"

from typing import Any

import llvmlite.binding as llvm
from llvmlite import ir
from numba import types
from numba.core import cgutils, config
from numba.extending import intrinsic

__all__ = ["BYTES", "LANES", "ROWS", "VECTORS", "address", "tile"]

# For this machine, unless NUMBA_CPU_FEATURES says to compile for another.
_FEATURES = config.CPU_FEATURES or llvm.get_host_cpu_features().flatten()
_WIDE = "+avx512f" in _FEATURES.split(",")
BYTES = 64 if _WIDE else 32  # of a vector register
LANES = BYTES // 4  # float32 in one, and half as many float64
VECTORS = 2  # vectors across a tile
ROWS = 8 if _WIDE else 6  # down a tile: of 32 (16) registers 16 (12) hold sums

_VOID, _I32, _I64 = ir.VoidType(), ir.IntType(32), ir.IntType(64)
_FIRST_CACHE, _SECOND_CACHE = 3, 2  # where llvm.prefetch brings a line to


@intrinsic
def address(typingctx, array):
    """Return where an array's numbers lie, as a whole number."""

    def generate(context, builder, signature, args):
        data = cgutils.create_struct_proxy(signature.args[0])(context, builder, value=args[0]).data
        return builder.ptrtoint(data, _I64)

    return types.int64(array), generate


@intrinsic
def tile(
    typingctx, like, a, a_row, a_k, a_segment, b, b_k, b_segment, length, segments,
    c, c_row, rows, lanes, bias, add, relu, ahead,
):  # fmt: skip
    """Compute C[r, n] = sum over s, k of A[r, s, k] * B[s, k, n] for r < rows <= ROWS, n < lanes.

    The numbers are of the dtype of the array ``like``, float32 or float64. All other arguments are whole
    numbers: addresses, distances in bytes (a_row from A[r, s, k] to A[r + 1, s, k], and so on), and counts,
    of which length and segments are at least 1. The lanes, at most VECTORS registers full of them, are
    neighbours in B and in C. Of B whole vectors are read, also beyond the lanes; of C nothing else is
    touched. If ``add`` isn't 0, C's old values are added; otherwise, if ``bias`` isn't, the vectors there.
    If ``relu`` isn't 0, what is below 0 becomes 0, and NaN stays.

    Memory is asked for what a later tile will read: from the address ``ahead`` on, or not if that is 0, as
    many numbers a step as the tile takes from A. They come to the second cache while the tile is at work.
    """

    size = like.dtype.bitwidth // 8

    def generate(context, builder, signature, args):
        numbers = args[1:]
        narrow = builder.icmp_signed("<=", numbers[_ARGUMENTS.index("lanes")], _I64(BYTES // size))
        with builder.if_else(narrow) as (then, otherwise):
            with then:
                builder.call(_function(builder.module, 1, size), numbers)
            with otherwise:
                builder.call(_function(builder.module, VECTORS, size), numbers)
        return context.get_dummy_value()

    return types.void(like, *[types.int64] * len(_ARGUMENTS)), generate


_ARGUMENTS = (
    "a", "a_row", "a_k", "a_segment", "b", "b_k", "b_segment", "length", "segments",
    "c", "c_row", "rows", "lanes", "bias", "add", "relu", "ahead",
)  # fmt: skip


def _function(module: ir.Module, vectors: int, size: int) -> Any:
    """Return the tile of so many vectors across, of numbers of so many bytes, put into the module once.

    It is a function of its own rather than part of its callers, which would each take long to compile.
    """
    name = f"tinygrad_edu_tile_{vectors}_{size}"
    if name in module.globals:
        return module.globals[name]
    function = ir.Function(module, ir.FunctionType(_VOID, [_I64] * len(_ARGUMENTS)), name)
    function.linkage = "linkonce_odr"
    function.attributes.add("noinline")
    given = dict(zip(_ARGUMENTS, function.args, strict=True))
    builder = ir.IRBuilder(function.append_basic_block("entry"))
    number, lanes = ir.FloatType() if size == 4 else ir.DoubleType(), BYTES // size
    wide, mask = ir.VectorType(number, lanes), ir.VectorType(ir.IntType(1), lanes)
    indices = ir.VectorType(_I64, lanes)
    width = f"v{lanes}f{8 * size}"
    pointer = wide.as_pointer()
    prefetch = _declared(module, "llvm.prefetch.p0", _VOID, [pointer, _I32, _I32, _I32])

    def ask_for(at: Any, to_write: bool, nearness: int) -> None:
        builder.call(prefetch, [at, _I32(int(to_write)), _I32(nearness), _I32(1)])

    fma = _declared(module, f"llvm.fma.{width}", wide, [wide] * 3)
    load = _declared(module, f"llvm.masked.load.{width}.p0", wide, [pointer, _I32, mask, wide])
    store = _declared(module, f"llvm.masked.store.{width}.p0", _VOID, [wide, pointer, _I32, mask])

    # Where there are fewer rows than the tile has, the last one stands in for those that are missing: it is
    # computed again and stored again, the same to the last bit.
    last = builder.sub(given["rows"], _I64(1))
    row_of = [builder.select(builder.icmp_signed("<", _I64(r), last), _I64(r), last) for r in range(ROWS)]
    a_rows = [builder.add(given["a"], builder.mul(r, given["a_row"])) for r in row_of]
    c_rows = [builder.add(given["c"], builder.mul(r, given["c_row"])) for r in row_of]
    in_last = builder.sub(given["lanes"], _I64((vectors - 1) * lanes))
    there = builder.icmp_signed("<", indices(list(range(lanes))), _spread(builder, in_last, indices))
    masks = [mask([1] * lanes)] * (vectors - 1) + [there]
    cells = [(r, v) for r in range(ROWS) for v in range(vectors)]
    sums = {cell: cgutils.alloca_once(builder, wide) for cell in cells}  # LLVM makes registers of these

    zero = wide([0.0] * lanes)
    for cell in cells:
        builder.store(zero, sums[cell])
    with builder.if_else(cgutils.is_not_null(builder, given["add"])) as (then, otherwise):
        with then:
            for r, v in cells:
                builder.store(
                    builder.call(load, [_pointer(builder, c_rows[r], wide, v), _I32(size), masks[v], zero]),
                    sums[r, v],
                )
        with otherwise:
            for r, v in cells:  # a cache takes in a line before it is written to: let that begin now
                ask_for(_pointer(builder, c_rows[r], wide, v), True, _FIRST_CACHE)
            with builder.if_then(cgutils.is_not_null(builder, given["bias"])):
                for r, v in cells:
                    builder.store(_load(builder, given["bias"], wide, v), sums[r, v])

    a_off = cgutils.alloca_once(builder, _I64)  # steps that are added up are cheaper than ones multiplied
    b_at = cgutils.alloca_once(builder, _I64)
    ahead_at = cgutils.alloca_once(builder, _I64)
    wanted = cgutils.is_not_null(builder, given["ahead"])
    builder.store(builder.select(wanted, given["ahead"], given["a"]), ahead_at)
    with cgutils.for_range(builder, given["segments"]) as segment:
        builder.store(builder.mul(segment.index, given["a_segment"]), a_off)
        builder.store(builder.add(given["b"], builder.mul(segment.index, given["b_segment"])), b_at)
        with cgutils.for_range(builder, given["length"]):
            ask_for(_pointer(builder, builder.load(ahead_at), wide), False, _SECOND_CACHE)
            b = [_load(builder, builder.load(b_at), wide, v) for v in range(vectors)]
            for r in range(ROWS):
                at = builder.add(a_rows[r], builder.load(a_off))
                a = _spread(builder, _load(builder, at, number), wide)
                for v in range(vectors):
                    builder.store(builder.call(fma, [a, b[v], builder.load(sums[r, v])]), sums[r, v])
            builder.store(builder.add(builder.load(a_off), given["a_k"]), a_off)
            builder.store(builder.add(builder.load(b_at), given["b_k"]), b_at)
            builder.store(builder.add(builder.load(ahead_at), _I64(ROWS * size)), ahead_at)

    rectified = cgutils.is_not_null(builder, given["relu"])
    floor = _spread(builder, builder.select(rectified, number(0.0), number(float("-inf"))), wide)
    for r, v in cells:
        value = builder.load(sums[r, v])
        value = builder.select(builder.fcmp_ordered("<", value, floor), floor, value)
        builder.call(store, [value, _pointer(builder, c_rows[r], wide, v), _I32(size), masks[v]])
    builder.ret_void()
    return function


def _declared(module: ir.Module, name: str, result: Any, arguments: list[Any]) -> Any:
    return module.globals.get(name) or ir.Function(module, ir.FunctionType(result, arguments), name)


def _pointer(builder: Any, at: Any, kind: Any, vector: int = 0) -> Any:
    return builder.inttoptr(builder.add(at, _I64(vector * BYTES)), kind.as_pointer())


def _load(builder: Any, at: Any, kind: Any, vector: int = 0) -> Any:
    return builder.load(_pointer(builder, at, kind, vector), align=4)  # which is enough for a float64 too


def _spread(builder: Any, value: Any, kind: Any) -> Any:
    """Put a number into every lane."""
    one = builder.insert_element(kind(ir.Undefined), value, _I32(0))
    return builder.shuffle_vector(one, kind(ir.Undefined), ir.VectorType(_I32, kind.count)([0] * kind.count))
