"""The micro-kernel under matrix products and convolutions: a tile of sums that never leaves the registers.

A processor multiplies and adds a vector of numbers in one instruction (``fma``), one or two of them a cycle,
but it can't load operands from memory that fast. So the tile keeps ROWS x VECTORS sums in registers,
and each vector it loads is used ROWS times, each number it spreads over a vector VECTORS times:

    for k: for v: b[v] = B[k, v]
           for r: a = A[r, k] in all lanes; for v: sum[r, v] += a * b[v]

Numba has no word for a register, and a compiler's guess at such a loop reaches a fifth of the peak. So this
one function is written in LLVM's language, by a Python loop that unrolls it. Addresses are raw, and the
distances between rows and steps are arguments. That one tile then does for a matrix and for its transpose,
and for a convolution, where a row of A is the window over a pixel.
"""

# mypy: allow-untyped-calls, allow-untyped-defs, disable-error-code="no-untyped-call"

from typing import Any

import llvmlite.binding as llvm
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

__all__ = ["LANES", "ROWS", "VECTORS", "address", "tile"]

_WIDE = "avx512f" in {name for name, there in llvm.get_host_cpu_features().items() if there}
LANES = 16 if _WIDE else 8  # floats in a vector register
VECTORS = 2  # vectors across a tile
ROWS = 8 if _WIDE else 6  # down a tile: of 32 (16) registers 16 (12) hold sums

_I64 = ir.IntType(64)
_FLOAT = ir.FloatType()
_VECTOR = ir.VectorType(_FLOAT, LANES)
_MASK = ir.VectorType(ir.IntType(1), LANES)


@intrinsic
def address(typingctx, array):
    """Return where an array's numbers lie, as a whole number."""

    def generate(context, builder, signature, args):
        data = cgutils.create_struct_proxy(signature.args[0])(context, builder, value=args[0]).data
        return builder.ptrtoint(data, _I64)

    return types.int64(array), generate


_ARGUMENTS = (
    "a", "a_row", "a_k", "a_segment", "b", "b_k", "b_segment", "length", "segments",
    "c", "c_row", "rows", "lanes", "bias", "add", "relu",
)  # fmt: skip


def _tile(module: ir.Module, n_rows: int, n_vectors: int) -> Any:
    """Write the function into a module, once: all distances in bytes."""
    name = f"tinygrad_edu_tile_{n_rows}x{n_vectors}"
    if name in module.globals:
        return module.globals[name]
    function = ir.Function(module, ir.FunctionType(ir.VoidType(), [_I64] * len(_ARGUMENTS)), name)
    function.linkage = "linkonce_odr"
    function.attributes.add("noinline")
    given = dict(zip(_ARGUMENTS, function.args, strict=True))
    entry = function.append_basic_block("entry")
    builder = ir.IRBuilder(entry)
    zero = ir.Constant(_I64, 0)
    bytes_ = LANES * 4

    def pointer(at, kind):
        return builder.inttoptr(at, kind.as_pointer())

    def load(at, kind, align=4):
        value = builder.load(pointer(at, kind))
        value.align = align
        return value

    at, align = _VECTOR.as_pointer(), ir.IntType(32)
    width = f"v{LANES}f32"
    fma = _intrinsic(module, f"llvm.fma.{width}", _VECTOR, [_VECTOR] * 3)
    masked_load = _intrinsic(module, f"llvm.masked.load.{width}.p0", _VECTOR, [at, align, _MASK, _VECTOR])
    masked_store = _intrinsic(
        module, f"llvm.masked.store.{width}.p0", ir.VoidType(), [_VECTOR, at, align, _MASK]
    )
    # Lanes of the last vector that exist in C.
    last = builder.sub(given["lanes"], ir.Constant(_I64, (n_vectors - 1) * LANES))
    counting = ir.Constant(ir.VectorType(_I64, LANES), list(range(LANES)))
    mask = builder.icmp_signed("<", counting, _spread(builder, last, ir.VectorType(_I64, LANES)))
    everything = ir.Constant(_MASK, [1] * LANES)
    masks = [everything] * (n_vectors - 1) + [mask]
    # Where there are fewer rows than the tile has, the last one stands in for those that are missing: it is
    # computed again and stored again, the same to the last bit.
    row_of = []
    most = builder.sub(given["rows"], ir.Constant(_I64, 1))
    for r in range(n_rows):
        r_ = ir.Constant(_I64, r)
        row_of.append(builder.select(builder.icmp_signed("<", r_, most), r_, most))
    a_rows = [builder.add(given["a"], builder.mul(r, given["a_row"])) for r in row_of]
    c_rows = [builder.add(given["c"], builder.mul(r, given["c_row"])) for r in row_of]

    def c_at(r, v):
        return pointer(builder.add(c_rows[r], ir.Constant(_I64, v * bytes_)), _VECTOR)

    start_add, start_bias, start_zero, loop_s, loop_k, next_s, done = (
        function.append_basic_block(n)
        for n in ("start_add", "start_bias", "start_zero", "segments", "steps", "next_segment", "done")
    )
    none = ir.Constant(_VECTOR, [0.0] * LANES)
    plain = function.append_basic_block("plain")
    builder.cbranch(builder.icmp_signed("!=", given["add"], zero), start_add, plain)
    builder.position_at_end(plain)
    builder.cbranch(builder.icmp_signed("!=", given["bias"], zero), start_bias, start_zero)
    cells = [(r, v) for r in range(n_rows) for v in range(n_vectors)]
    builder.position_at_end(start_add)
    old = [
        builder.call(masked_load, [c_at(r, v), ir.Constant(ir.IntType(32), 4), masks[v], none])
        for r, v in cells
    ]
    builder.branch(loop_s)
    builder.position_at_end(start_bias)
    biases = [
        load(builder.add(given["bias"], ir.Constant(_I64, v * bytes_)), _VECTOR) for v in range(n_vectors)
    ]
    builder.branch(loop_s)
    builder.position_at_end(start_zero)
    builder.branch(loop_s)

    builder.position_at_end(loop_s)
    s = builder.phi(_I64)
    a_from, b_from = builder.phi(_I64), builder.phi(_I64)
    sums_s = [builder.phi(_VECTOR) for _ in cells]
    for block, values in (
        (start_add, old),
        (start_bias, [biases[v] for _, v in cells]),
        (start_zero, [none for _ in cells]),
    ):
        s.add_incoming(zero, block)
        a_from.add_incoming(zero, block)
        b_from.add_incoming(given["b"], block)
        for phi, value in zip(sums_s, values, strict=True):
            phi.add_incoming(value, block)
    builder.branch(loop_k)

    builder.position_at_end(loop_k)
    k, a_off, b_at = builder.phi(_I64), builder.phi(_I64), builder.phi(_I64)
    sums = [builder.phi(_VECTOR) for _ in cells]
    k.add_incoming(zero, loop_s)
    a_off.add_incoming(a_from, loop_s)
    b_at.add_incoming(b_from, loop_s)
    for phi, value in zip(sums, sums_s, strict=True):
        phi.add_incoming(value, loop_s)
    vectors = [load(builder.add(b_at, ir.Constant(_I64, v * bytes_)), _VECTOR) for v in range(n_vectors)]
    new = []
    for r in range(n_rows):
        spread = _spread(builder, load(builder.add(a_rows[r], a_off), _FLOAT), _VECTOR)
        for v in range(n_vectors):
            new.append(builder.call(fma, [spread, vectors[v], sums[r * n_vectors + v]]))
    k_next = builder.add(k, ir.Constant(_I64, 1))
    k.add_incoming(k_next, loop_k)
    a_off.add_incoming(builder.add(a_off, given["a_k"]), loop_k)
    b_at.add_incoming(builder.add(b_at, given["b_k"]), loop_k)
    for phi, value in zip(sums, new, strict=True):
        phi.add_incoming(value, loop_k)
    builder.cbranch(builder.icmp_signed("<", k_next, given["length"]), loop_k, next_s)

    builder.position_at_end(next_s)
    s_next = builder.add(s, ir.Constant(_I64, 1))
    s.add_incoming(s_next, next_s)
    a_from.add_incoming(builder.add(a_from, given["a_segment"]), next_s)
    b_from.add_incoming(builder.add(b_from, given["b_segment"]), next_s)
    for phi, value in zip(sums_s, new, strict=True):
        phi.add_incoming(value, next_s)
    builder.cbranch(builder.icmp_signed("<", s_next, given["segments"]), loop_s, done)

    builder.position_at_end(done)
    low = ir.Constant(_FLOAT, float("-inf"))
    floor = builder.select(builder.icmp_signed("!=", given["relu"], zero), ir.Constant(_FLOAT, 0.0), low)
    floor = _spread(builder, floor, _VECTOR)
    for (r, v), value in zip(cells, new, strict=True):
        value = builder.select(builder.fcmp_ordered("<", value, floor), floor, value)  # NaN stays
        builder.call(masked_store, [value, c_at(r, v), ir.Constant(ir.IntType(32), 4), masks[v]])
    builder.ret_void()
    return function


def _intrinsic(module: ir.Module, name: str, result: Any, arguments: list[Any]) -> Any:
    return module.globals.get(name) or ir.Function(module, ir.FunctionType(result, arguments), name)


def _spread(builder, value, kind):
    one = builder.insert_element(ir.Constant(kind, ir.Undefined), value, ir.Constant(ir.IntType(32), 0))
    zeros = ir.Constant(ir.VectorType(ir.IntType(32), kind.count), [0] * kind.count)
    return builder.shuffle_vector(one, ir.Constant(kind, ir.Undefined), zeros)


@intrinsic
def tile(
    typingctx, a, a_row, a_k, a_segment, b, b_k, b_segment, length, segments,
    c, c_row, rows, lanes, bias, add, relu,
):  # fmt: skip
    def generate(context, builder, signature, args):
        wide = builder.icmp_signed(">", args[_ARGUMENTS.index("lanes")], ir.Constant(_I64, LANES))
        with builder.if_else(wide) as (then, otherwise):
            with then:
                builder.call(_tile(builder.module, ROWS, 2), args)
            with otherwise:
                builder.call(_tile(builder.module, ROWS, 1), args)
        return context.get_dummy_value()

    return types.void(*[types.int64] * len(_ARGUMENTS)), generate
