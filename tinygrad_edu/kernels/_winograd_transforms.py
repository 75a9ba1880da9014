"""The transforms around Winograd's convolution: small matrices on both sides of a tile, channel by channel.

target = M @ source @ M', where a number of source is a vector of neighbouring channels, and M is one of

    A (6, 4)   the powers 1, p, p², p³ of each point: a polynomial's values, here of four results
    G (6, 3)   the same for the three taps of a kernel, each row divided by what B' multiplies it with
    B' (6, 6)  for each point the polynomial that is zero at all others

or a transpose of them. At the point ∞ a polynomial's value is its highest coefficient.

As the matrices are known, all loops over them are unrolled, zeros are left out, and 36 vectors go through
the registers at once. A compiler wouldn't find that by itself: it can't know that a row of source and
a row of target don't overlap. So like :mod:`tinygrad_edu.kernels._simd` this is written in LLVM's language.
"""

# mypy: allow-untyped-calls, allow-untyped-defs, disable-error-code="no-untyped-call"

from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from tinygrad_edu.kernels._arrays import Array
from tinygrad_edu.kernels._simd import LANES

__all__ = [
    "POINTS", "RESULTS", "SIDE", "TAPS", "grad_to_points", "image_to_points", "kernel_to_points",
    "points_to_image", "points_to_kernel",
]  # fmt: skip

RESULTS, TAPS, SIDE = 4, 3, 6  # results, taps and points along one side of a tile
POINTS = SIDE * SIDE


def _matrices() -> tuple[Array, Array, Array]:
    """Return A (6, 4), G (6, 3) and B' (6, 6): a row a point; the last point is ∞ (Toom and Cook)."""
    points = np.array([0, 0.5**0.5, -(0.5**0.5), 2**0.5, -(2**0.5)])
    others = [np.delete(points, i) for i in range(len(points))]
    scale = [np.prod(p - q) for p, q in zip(points, others, strict=True)]
    a, g, b = np.zeros((SIDE, RESULTS)), np.zeros((SIDE, TAPS)), np.zeros((SIDE, SIDE))
    a[:-1] = np.vander(points, RESULTS, increasing=True)
    g[:-1] = np.vander(points, TAPS, increasing=True) / np.array(scale)[:, None]
    b[:-1, :-1] = [np.poly(q)[::-1] for q in others]  # the polynomial that is zero at all other points
    a[-1, -1] = g[-1, -1] = 1
    b[-1] = np.poly(points)[::-1]
    return a.round(12), g.round(12), b.round(12)


_A, _G, _B = _matrices()

_I64, _FLOAT = ir.IntType(64), ir.FloatType()
_VECTOR = ir.VectorType(_FLOAT, LANES)
_BYTES = 4
_ARGUMENTS = ("source", "row", "column", "target", "target_row", "target_column", "channels", "bias", "relu")


class _Vectors:
    """Writes arithmetic on vectors into a function of LLVM's language."""

    def __init__(self, module: ir.Module, builder: ir.IRBuilder) -> None:
        self.builder = builder
        name = f"llvm.fma.v{LANES}f32"
        kind = ir.FunctionType(_VECTOR, [_VECTOR] * 3)
        self._fma = module.globals.get(name) or ir.Function(module, kind, name)

    def at(self, *terms):
        """Return the vector's place at the sum of these byte addresses and distances."""
        total = terms[0]
        for term in terms[1:]:
            total = self.builder.add(total, term)
        return self.builder.inttoptr(total, _VECTOR.as_pointer())

    def load(self, *terms):
        value = self.builder.load(self.at(*terms))
        value.align = _BYTES
        return value

    def store(self, value, *terms):
        self.builder.store(value, self.at(*terms)).align = _BYTES

    def weighted(self, weights, vectors):
        """Return the sum of weight * vector over those with a weight, or None if there is none."""
        total = None
        for weight, vector in sorted(zip(weights, vectors, strict=True), key=lambda pair: abs(pair[0]) != 1):
            factor = ir.Constant(_VECTOR, [float(weight)] * LANES)
            if weight == 0:
                continue
            if total is None:
                total = vector if weight == 1 else self.builder.fmul(vector, factor)
            elif weight == 1:
                total = self.builder.fadd(total, vector)
            else:
                total = self.builder.call(self._fma, [vector, factor, total])
        return total

    def product(self, matrix, vectors):
        """Return matrix @ vectors, the matrix one of A, G, B' or their transposes.

        What two points p and -p have in common is computed once: they agree in the even powers and differ
        by the sign of the odd ones.
        """
        b = self.builder
        if matrix.shape[0] == SIDE:
            results = []
            for row in matrix[[0, 1, 3, 5]]:
                even = self.weighted(row[0::2], vectors[0::2])
                odd = self.weighted(row[1::2], vectors[1::2])
                whole = odd if even is None else even
                results += [whole] if even is None or odd is None else [b.fadd(even, odd), b.fsub(even, odd)]
            return results
        v0, v1, v2, v3, v4, v5 = vectors
        even, odd = (b.fadd(v1, v2), b.fadd(v3, v4)), (b.fsub(v1, v2), b.fsub(v3, v4))
        return [
            self.weighted(row[[0, 1, 3, 5]], [v0, *(odd if power % 2 else even), v5])
            for power, row in enumerate(matrix)
        ]


def _transform(module: ir.Module, name: str, matrix: Array, finish: bool) -> Any:
    """Write target = matrix @ source @ matrix' into a module, once; a vector of channels is one number.

    All distances are in bytes. With finish, a bias is added to all results, relu makes negative ones zero,
    and 1 is returned if the results are finite (or so large that their sum isn't).
    """
    name = f"tinygrad_edu_winograd_{name}"
    if name in module.globals:
        return module.globals[name]
    n_out, n_in = matrix.shape
    function = ir.Function(module, ir.FunctionType(_I64, [_I64] * len(_ARGUMENTS)), name)
    function.linkage = "linkonce_odr"
    function.attributes.add("noinline")
    given = dict(zip(_ARGUMENTS, function.args, strict=True))
    entry, loop, done = (function.append_basic_block(n) for n in ("entry", "channels", "done"))
    builder = ir.IRBuilder(entry)
    v = _Vectors(module, builder)

    def distances(name, n):
        return [builder.mul(given[name], ir.Constant(_I64, i)) for i in range(n)]

    rows, columns = distances("row", n_in), distances("column", n_in)
    target_rows, target_columns = distances("target_row", n_out), distances("target_column", n_out)
    low = builder.select(
        builder.icmp_signed("!=", given["relu"], ir.Constant(_I64, 0)),
        ir.Constant(_VECTOR, [0.0] * LANES),
        ir.Constant(_VECTOR, [float("-inf")] * LANES),
    )
    end = builder.mul(given["channels"], ir.Constant(_I64, _BYTES))
    builder.branch(loop)

    builder.position_at_end(loop)
    c, total = builder.phi(_I64), builder.phi(_VECTOR)
    c.add_incoming(ir.Constant(_I64, 0), entry)
    total.add_incoming(ir.Constant(_VECTOR, [0.0] * LANES), entry)
    source, target = builder.add(given["source"], c), builder.add(given["target"], c)
    by_column = [v.product(matrix, [v.load(source, row, column) for row in rows]) for column in columns]
    bias = v.load(given["bias"], c) if finish else None
    total_next = total
    for i in range(n_out):
        results = v.product(matrix, [column[i] for column in by_column])
        for j, result in enumerate(results):
            if finish:
                result = builder.fadd(result, bias)
                total_next = builder.fadd(total_next, result)
                result = builder.select(builder.fcmp_ordered("<", result, low), low, result)  # NaN stays
            v.store(result, target, target_rows[i], target_columns[j])
    c_next = builder.add(c, ir.Constant(_I64, LANES * _BYTES))
    c.add_incoming(c_next, loop)
    total.add_incoming(total_next, loop)
    builder.cbranch(builder.icmp_signed("<", c_next, end), loop, done)

    builder.position_at_end(done)
    finite = builder.fcmp_ordered(
        "==", builder.fsub(total_next, total_next), ir.Constant(_VECTOR, [0.0] * LANES)
    )
    every = builder.bitcast(finite, ir.IntType(LANES))
    builder.ret(builder.zext(builder.icmp_signed("==", every, ir.Constant(ir.IntType(LANES), -1)), _I64))
    return function


def _intrinsic(name: str, matrix: Array, finish: bool = False) -> Any:
    @intrinsic
    def transform(
        typingctx, source, row, column, target, target_row, target_column, channels, bias, relu
    ):  # fmt: skip
        def generate(context, builder, signature, args):
            return builder.call(_transform(builder.module, name, matrix, finish), args)

        return types.int64(*[types.int64] * len(_ARGUMENTS)), generate

    return transform


kernel_to_points = _intrinsic("kernel_to_points", _G)
image_to_points = _intrinsic("image_to_points", _B)
points_to_image = _intrinsic("points_to_image", _A.T, finish=True)
grad_to_points = _intrinsic("grad_to_points", _A)
points_to_kernel = _intrinsic("points_to_kernel", _G.T)
