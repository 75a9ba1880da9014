"""A vector of numbers as one value: what a processor works on at once, for loops that Numba leaves slow.

Numba turns an innermost loop over neighbours in memory into vector instructions by itself. But it keeps
what such a loop adds up in memory, checks at the start of each loop that its arrays don't overlap, and does
the last few elements one by one. Where loops are short, as over the channels of one pixel, that is most of
the time. Here a kernel says what it means: :func:`load` a vector, add and multiply it with ``+ - *`` or
:func:`fma` while it stays in a register, :func:`store` it.

A vector is 64 bytes: 16 float32 or 8 float64, one register with AVX-512 and two with AVX2. Places are counted
in elements from the start of a contiguous array, whatever its shape, and nobody checks them. At the end of
a row of channels, the loads and stores take only the first ``n`` lanes.

A wide vector is four of them as one value, 64 float32 side by side: one line of a kernel then is four
instructions that don't wait for one another, and what is added up stays in four registers.
"""

# mypy: allow-untyped-calls, allow-untyped-defs, allow-subclassing-any, allow-untyped-decorators
# mypy: disable-error-code="no-untyped-call, attr-defined, call-arg"

import operator
from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils, typing
from numba.core.datamodel import PrimitiveModel, register_default
from numba.core.typing.templates import AbstractTemplate, infer_global
from numba.extending import intrinsic as numba_intrinsic
from numba.extending import lower_builtin

__all__ = [
    "first", "fma", "is_nan", "load", "load_as", "load_double", "load_wide", "select", "settle", "spread",
    "spread_wide", "store", "store_past", "total",
]  # fmt: skip

intrinsic: Any = numba_intrinsic  # its annotations count the typing context among the caller's arguments
_BYTES = 64
_WIDE = 4  # vectors in a wide one
_INT32 = ir.IntType(32)


class Lanes(types.Type):
    """The type of a vector; of truth values (types.boolean), what comparing two gives."""

    def __init__(self, dtype: Any, count: int) -> None:
        self.dtype, self.count = dtype, count
        super().__init__(name=f"lanes({count} x {dtype})")


@register_default(Lanes)
class _LanesModel(PrimitiveModel):
    def __init__(self, dmm, fe_type):
        element = dmm.lookup(fe_type.dtype).get_value_type()
        super().__init__(dmm, fe_type, ir.VectorType(element, fe_type.count))


def _lanes(dtype: Any, vectors: int = 1) -> Lanes:
    return Lanes(dtype, vectors * _BYTES * 8 // dtype.bitwidth)


def _mask(of: Lanes) -> Lanes:
    return Lanes(types.boolean, of.count)


# --- Memory ----------------------------------------------------------------------------------------------


def _vector_type(array: Any, count: int) -> Any:
    bits = array.dtype.bitwidth
    floats = {32: ir.FloatType(), 64: ir.DoubleType()}
    return ir.VectorType(floats[bits] if _is_float(array.dtype) else ir.IntType(bits), count)


def _is_float(dtype: Any) -> bool:
    return isinstance(dtype, types.Float)


def _pointer(context, builder, array, value, at, vector):
    data = cgutils.create_struct_proxy(array)(context, builder, value=value).data
    return builder.bitcast(builder.gep(data, [at]), vector.as_pointer())


def _first(builder, n, count):
    """Return the mask of the first n lanes; n as 32 bits, so that one instruction compares them all."""
    most = ir.Constant(n.type, count)
    few = builder.trunc(builder.select(builder.icmp_signed("<", n, most), n, most), _INT32)
    numbers = ir.Constant(ir.VectorType(_INT32, count), list(range(count)))
    return builder.icmp_signed("<", numbers, _everywhere(builder, few, count))


def _everywhere(builder, value, count):
    vector = ir.VectorType(value.type, count)
    one = builder.insert_element(ir.Constant(vector, ir.Undefined), value, ir.Constant(_INT32, 0))
    zeros = ir.Constant(ir.VectorType(_INT32, count), [0] * count)
    return builder.shuffle_vector(one, ir.Constant(vector, ir.Undefined), zeros)


def _name(vector: Any) -> str:
    element = vector.element
    letter = {ir.FloatType(): "f32", ir.DoubleType(): "f64"}.get(element)
    return f"v{vector.count}{letter or f'i{element.width}'}"


def _load(context, builder, array, value, at, n, count):
    """Load a vector of the array's own type: the first n lanes, and 0 in the others."""
    vector = _vector_type(array, count)
    pointer, mask = _pointer(context, builder, array, value, at, vector), _first(builder, n, count)
    masked = cgutils.get_or_insert_function(
        builder.module,
        ir.FunctionType(vector, [pointer.type, _INT32, mask.type, vector]),
        f"llvm.masked.load.{_name(vector)}.p0",
    )
    align = ir.Constant(_INT32, array.dtype.bitwidth // 8)
    return builder.call(masked, [pointer, align, mask, ir.Constant(vector, None)])


@intrinsic
def load(typingctx, array, at, n):
    """Return the vector at a place in an array of floats; of less than a vector, the first n and zeros."""
    lanes = _lanes(array.dtype)

    def generate(context, builder, signature, args):
        return _load(context, builder, signature.args[0], *args, lanes.count)

    return lanes(array, types.intp, types.intp), generate


@intrinsic
def load_wide(typingctx, array, at, n):
    """Return four vectors that lie side by side as one; of less than that, the first n numbers and zeros."""
    lanes = _lanes(array.dtype, _WIDE)

    def generate(context, builder, signature, args):
        return _load(context, builder, signature.args[0], *args, lanes.count)

    return lanes(array, types.intp, types.intp), generate


@intrinsic
def load_double(typingctx, array, at, n):
    """Return the vector of float64 at a place in an array of floats, the first n of eight and zeros."""
    lanes = _lanes(types.float64)

    def generate(context, builder, signature, args):
        loaded = _load(context, builder, signature.args[0], *args, lanes.count)
        narrow = array.dtype.bitwidth < 64
        return builder.fpext(loaded, context.get_value_type(lanes)) if narrow else loaded

    return lanes(array, types.intp, types.intp), generate


@intrinsic
def load_as(typingctx, like, array, at, n):
    """Return the vector at a place in an array of unsigned or small whole numbers, as floats like those."""

    def generate(context, builder, signature, args):
        whole = _load(context, builder, signature.args[1], *args[1:], like.count)
        return builder.uitofp(whole, context.get_value_type(like))

    return like(like, array, types.intp, types.intp), generate


@intrinsic
def store(typingctx, array, at, vector, n):
    """Store the first n lanes of a vector at a place in an array; as whole numbers, where it holds those."""

    def generate(context, builder, signature, args):
        array, (value, at, given, n) = signature.args[0], args
        kind = _vector_type(array, vector.count)
        pointer, mask = _pointer(context, builder, array, value, at, kind), _first(builder, n, vector.count)
        masked = cgutils.get_or_insert_function(
            builder.module,
            ir.FunctionType(ir.VoidType(), [kind, pointer.type, _INT32, mask.type]),
            f"llvm.masked.store.{_name(kind)}.p0",
        )
        given = given if _is_float(array.dtype) else builder.fptoui(given, kind)
        builder.call(masked, [given, pointer, ir.Constant(_INT32, array.dtype.bitwidth // 8), mask])
        return context.get_dummy_value()

    return types.void(array, types.intp, vector, types.intp), generate


@intrinsic
def store_past(typingctx, array, at, vector):
    """Store a whole vector past the caches, at a place that begins a line of 64 bytes: see :func:`settle`.

    To write a part of a line, a processor first reads the line. Past the caches whole lines are written
    unread, and nothing that lies in the caches has to make room for them.
    """

    def generate(context, builder, signature, args):
        array, (value, at, given) = signature.args[0], args
        pointer = _pointer(context, builder, array, value, at, _vector_type(array, vector.count))
        stored = builder.store(given, pointer)
        stored.align = _BYTES
        yes = builder.module.add_metadata([ir.Constant(_INT32, 1)])
        stored.set_metadata("nontemporal", yes)
        return context.get_dummy_value()

    return types.void(array, types.intp, vector), generate


@intrinsic
def settle(typingctx):
    """Wait until what was stored past the caches has arrived: before another core may ask for it."""

    def generate(context, builder, signature, args):
        builder.fence("seq_cst")
        return context.get_dummy_value()

    return types.void(), generate


# --- Arithmetic ------------------------------------------------------------------------------------------


@intrinsic
def spread(typingctx, number):
    """Return a vector of the same number in all lanes."""
    lanes = _lanes(number)

    def generate(context, builder, signature, args):
        return _everywhere(builder, args[0], lanes.count)

    return lanes(number), generate


@intrinsic
def spread_wide(typingctx, number):
    """Return a wide vector of the same number in all lanes."""
    lanes = _lanes(number, _WIDE)

    def generate(context, builder, signature, args):
        return _everywhere(builder, args[0], lanes.count)

    return lanes(number), generate


@intrinsic
def fma(typingctx, a, b, c):
    """Return a * b + c, rounded once where the processor can."""

    def generate(context, builder, signature, args):
        vector = args[0].type
        function = cgutils.get_or_insert_function(
            builder.module, ir.FunctionType(vector, [vector] * 3), f"llvm.fmuladd.{_name(vector)}"
        )
        return builder.call(function, args)

    return a(a, b, c), generate


@intrinsic
def total(typingctx, a):
    """Return the sum of the lanes, added up in halves."""

    def generate(context, builder, signature, args):
        vector, count = args[0], a.count
        while count > 1:
            count //= 2
            kind = ir.VectorType(vector.type.element, 2 * count)
            halves = [
                ir.Constant(ir.VectorType(_INT32, count), list(range(i, i + count))) for i in (0, count)
            ]
            low, high = [builder.shuffle_vector(vector, ir.Constant(kind, ir.Undefined), h) for h in halves]
            vector = builder.fadd(low, high)
        return builder.extract_element(vector, ir.Constant(_INT32, 0))

    return a.dtype(a), generate


@intrinsic
def select(typingctx, mask, a, b):
    """Return the lanes of a where the mask is true, those of b elsewhere."""

    def generate(context, builder, signature, args):
        return builder.select(*args)

    return a(mask, a, b), generate


@intrinsic
def first(typingctx, a, n):
    """Return the first n lanes of a, and zeros."""

    def generate(context, builder, signature, args):
        vector, n = args
        return builder.select(_first(builder, n, a.count), vector, ir.Constant(vector.type, None))

    return a(a, types.intp), generate


@intrinsic
def is_nan(typingctx, a):
    """Return where a is NaN, as a mask."""

    def generate(context, builder, signature, args):
        return builder.fcmp_unordered("uno", args[0], args[0])

    return _mask(a)(a), generate


def _operator(symbol: Any, emit: Any, compares: bool = False) -> None:
    """Teach Numba an operator between two vectors."""

    @infer_global(symbol)
    class Typing(AbstractTemplate):
        def generic(self, args, kws):
            if len(args) == 2 and isinstance(args[0], Lanes) and args[0] == args[1]:
                return typing.signature(_mask(args[0]) if compares else args[0], *args)
            return None

    @lower_builtin(symbol, Lanes, Lanes)
    def lower(context, builder, signature, args):
        return emit(builder, *args)


_operator(operator.add, lambda builder, a, b: builder.fadd(a, b))
_operator(operator.iadd, lambda builder, a, b: builder.fadd(a, b))
_operator(operator.sub, lambda builder, a, b: builder.fsub(a, b))
_operator(operator.mul, lambda builder, a, b: builder.fmul(a, b))
_operator(operator.truediv, lambda builder, a, b: builder.fdiv(a, b))
_operator(operator.gt, lambda builder, a, b: builder.fcmp_ordered(">", a, b), compares=True)
_operator(operator.ge, lambda builder, a, b: builder.fcmp_ordered(">=", a, b), compares=True)
_operator(operator.eq, lambda builder, a, b: builder.fcmp_ordered("==", a, b), compares=True)
_operator(operator.and_, lambda builder, a, b: builder.and_(a, b))
_operator(operator.or_, lambda builder, a, b: builder.or_(a, b))
