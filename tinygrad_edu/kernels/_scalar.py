"""exp, tanh, erf and their like for one float32, written so that a loop over them becomes vector code.

The C library's functions are calls, and a compiler can't turn sixteen calls into one instruction. These here
are straight lines of arithmetic: no call, no branch, no table. A choice computes both sides and keeps one.
So a loop over an array runs them sixteen numbers at a time (eight without AVX-512).

Almost all of them are made of one function. Every x is n ln 2 + r with a whole n and |r| ≤ ln 2 / 2, so

    e^x = 2^n e^r,    e^r - 1 = r + r² q(r),

where q is a polynomial of degree 4, and 2^n is written straight into the bits of a float. Kept as e^r - 1
it loses no digits for small x, so that tanh and expm1 come from it too (Muller, *Elementary Functions*, 2016,
ch. 11). The polynomials have the smallest possible largest relative error (Chebyshev's sense), found by
Lawson's reweighted least squares, then rounded to float32.

Errors stand in units in the last place of the true value (ulp); the tests hold every bound. NaN gives NaN.
"""

# mypy: allow-untyped-calls, allow-untyped-defs, disable-error-code="no-untyped-call"

from typing import Any

import numpy as np
from llvmlite import ir
from numba import extending, types

from tinygrad_edu.kernels._jit import part

__all__ = ["TAIL_HIGH", "erf", "exp", "expm1", "larger", "normal_tail", "sigmoid", "softplus", "tanh"]


intrinsic: Any = extending.intrinsic  # whose annotations know nothing of what it makes


def _llvm(name: str, inputs: int) -> Any:
    """Return what Numba asks of an intrinsic, for one of LLVM's own functions on float32."""
    float_ = ir.FloatType()

    def generate(context, builder, signature, args):
        kind = ir.FunctionType(float_, [float_] * inputs)
        return builder.call(builder.module.declare_intrinsic(name, [float_], kind), args)

    return types.float32(*[types.float32] * inputs), generate


@intrinsic
def _fma(typingctx, x, y, z):
    """Return x y + z, in one instruction with one rounding where the processor has it."""
    return _llvm("llvm.fmuladd", 3)


@intrinsic
def _with_sign(typingctx, x, sign):
    return _llvm("llvm.copysign", 2)


@intrinsic
def larger(typingctx, x, y):
    """Return the larger, and nan if either is: a maximum over a row that the compiler knows how to cut up."""
    return _llvm("llvm.maximum", 2)


# 1.5 · 2^23. A float of this size has no bits left below the point, so adding it rounds to a whole number n,
# and n then stands in the lowest bits of the sum.
_SHIFT = np.float32(12582912)
_WHOLE = ir.IntType(32)


def _power(builder, n):
    """Return 2^n: n + 127 in the bits of the exponent."""
    biased = builder.add(n, ir.Constant(_WHOLE, 127))
    return builder.bitcast(builder.shl(biased, ir.Constant(_WHOLE, 23)), ir.FloatType())


@intrinsic
def _power_of_two(typingctx, shifted):
    """Return 2^n for n + _SHIFT, n from -126 to 127."""

    def generate(context, builder, signature, args):
        return _power(builder, builder.bitcast(args[0], _WHOLE))  # the shift's own bits fall off on the left

    return types.float32(types.float32), generate


@intrinsic
def _two_powers(typingctx, shifted):
    """Return two powers of 2 whose product is 2^n, which itself may be no float32, or a short one."""

    def generate(context, builder, signature, args):
        shift = ir.Constant(_WHOLE, int(_SHIFT.view(np.int32)))
        n = builder.sub(builder.bitcast(args[0], _WHOLE), shift)
        half = builder.ashr(n, ir.Constant(_WHOLE, 1))
        pair = [_power(builder, half), _power(builder, builder.sub(n, half))]
        return context.make_tuple(builder, signature.return_type, pair)

    return types.UniTuple(types.float32, 2)(types.float32), generate


def _floats(*values: float) -> tuple[Any, ...]:
    return tuple([np.float32(v) for v in values])


_ZERO, _HALF, _ONE, _TWO, _THREE = _floats(0, 0.5, 1, 2, 3)  # a 1 alone is an int64, and 1 + x a float64
(_PER_LN2,) = _floats(1.44269504088896341)
_LN2_HIGH, _LN2_LOW = _floats(0.693359375, -2.12194440e-4)  # n times the first is exact: it has ten bits
_Q0, _Q1, _Q2, _Q3, _Q4 = _floats(
    0.5000000596046448, 0.16666562855243683, 0.04166480898857117, 0.008364707231521606, 0.0014018124202266335
)


@part
def _reduced(x: Any, low: Any) -> Any:
    """Return n + _SHIFT and e^r - 1, where x + low = n ln 2 + r; low is what x has no digits for, or 0."""
    shifted = _fma(x, _PER_LN2, _SHIFT)
    n = shifted - _SHIFT
    r = _fma(-n, _LN2_HIGH, x) + _fma(-n, _LN2_LOW, low)
    q = _fma(_fma(_fma(_fma(_Q4, r, _Q3), r, _Q2), r, _Q1), r, _Q0)
    return shifted, _fma(r * r, q, r)


_EXP_LOW, _EXP_HIGH = _floats(-104, 89)  # beyond these e^x rounds to 0 and to infinity


@part
def _exp_within(x: Any, low: Any) -> Any:
    """Return e^(x + low) for an x between -105.5 and 89."""
    shifted, m = _reduced(x, low)
    a, b = _two_powers(shifted)
    return _fma(a, m, a) * b


@part
def exp(x: Any) -> Any:
    """Return e^x within 1.1 ulp, subnormal results included."""
    x = _EXP_LOW if x < _EXP_LOW else x
    x = _EXP_HIGH if x > _EXP_HIGH else x
    return _exp_within(x, _ZERO)


_EXPM1_LOW, _EXPM1_TINY = _floats(-18, 5e-8)  # below the first e^x - 1 rounds to -1, within the second to x


@part
def expm1(x: Any) -> Any:
    """Return e^x - 1 within 2 ulp."""
    bounded = _EXPM1_LOW if x < _EXPM1_LOW else x
    bounded = _EXP_HIGH if bounded > _EXP_HIGH else bounded
    shifted, m = _reduced(bounded, _ZERO)
    half = _power_of_two(shifted - _ONE)  # 2^n itself may be infinite
    y = _fma(half, m, half - _HALF) * _TWO
    return x if abs(x) < _EXPM1_TINY else y  # so that -0 stays -0


_TANH_HIGH = np.float32(9.02)  # from here on tanh rounds to 1


@part
def tanh(x: Any) -> Any:
    """Return tanh x = (e^2x - 1) / (e^2x + 1) within 2.5 ulp."""
    size = abs(x)
    size = _TANH_HIGH if size > _TANH_HIGH else size
    shifted, m = _reduced(size + size, _ZERO)
    scale = _power_of_two(shifted)
    y = _fma(scale, m, scale - _ONE)
    return _with_sign(y / (y + _TWO), x)


@part
def _exp_of_minus(size: Any) -> Any:
    """Return e^-size for what isn't negative."""
    return _exp_within(-(-_EXP_LOW if size > -_EXP_LOW else size), _ZERO)


@part
def sigmoid(x: Any) -> Any:
    """Return 1 / (1 + e^-x) within 2.5 ulp, the smallest results too."""
    e = _exp_of_minus(abs(x))  # e^-|x| serves both signs: 1 / (1 + e) above 0, e / (1 + e) below
    return (e if x < _ZERO else _ONE) / (_ONE + e)


_L0, _L1, _L2, _L3 = _floats(
    0.08333301544189453, 0.01250678114593029, 0.0021874329540878534, 0.0005473527126014233
)


@part
def _log1p(u: Any) -> Any:
    """Return ln(1 + u) for 0 ≤ u ≤ 1: 2 artanh(y / 2) = y + y³ / 12 + …, where y = u / (1 + u / 2)."""
    y = u / _fma(_HALF, u, _ONE)
    z = y * y
    return _fma(y * z, _fma(_fma(_fma(_L3, z, _L2), z, _L1), z, _L0), y)


@part
def softplus(x: Any) -> Any:
    """Return ln(1 + e^x) = max(x, 0) + ln(1 + e^-|x|) within 3 ulp."""
    return (x if x > _ZERO else _ZERO) + _log1p(_exp_of_minus(abs(x)))


_ERF_BEND, _ERF_HIGH = _floats(0.927734375, 4)  # from 4 on erf rounds to 1
_E = _floats(-5.96761703e-4, 4.99119423e-3, -2.67681349e-2, 1.12819925e-1, -3.76125336e-1, 1.28379166e-1)
_F = _floats(
    -1.72853470e-5,
    3.83197126e-4,
    -3.88396438e-3,
    2.42546219e-2,
    -1.06777877e-1,
    -6.34846687e-1,
    -1.28717512e-1,
)


@part
def erf(x: Any) -> Any:
    """Return the error function within 1.1 ulp: near 0 a polynomial, further out 1 - e^(another)."""
    t = abs(x)
    t = _ERF_HIGH if t > _ERF_HIGH else t
    s = t * t
    near = _fma(_fma(_fma(_fma(_fma(_E[0], s, _E[1]), s, _E[2]), s, _E[3]), s, _E[4]), s, _E[5])
    far = _fma(_fma(_F[0], t, _F[1]), s, _fma(_F[2], t, _F[3]))
    far = _fma(_fma(_fma(_fma(far, t, _F[4]), t, _F[5]), t, _F[6]), t, -t)
    return _with_sign(_fma(near, t, t) if t <= _ERF_BEND else _ONE - _exp_within(far, _ZERO), x)


_M = _floats(
    0.12151394784450531, -0.20640261471271515, 0.12322504073381424, -0.046213261783123016,
    0.006131942383944988, 0.0029043874237686396, -0.0009832881623879075, -0.00033901279675774276,
    0.0001150136740761809, 5.3161867981543764e-05,
)  # fmt: skip
_M_HIGH = tuple([m * np.float32(2.0**-64) for m in _M])
TAIL_HIGH = np.float32(14.5)  # beyond -14.5 the area rounds to 0
# e^r by powers of 2r, and what turns t² into n + 64: added to _SHIFT, 64 costs nothing.
_R = _floats(0.5, _Q0 / 4, _Q1 / 8, _Q2 / 16, _Q3 / 32, _Q4 / 64)
_PER_2LN2, _HIGH2, _LOW2 = -_PER_LN2 / 2, 2 * _LN2_HIGH, 2 * _LN2_LOW
_SHIFT_64, _PER_64 = _SHIFT + np.float32(64), np.float32(2.0**-64)


@part
def normal_tail(t: Any) -> Any:
    """Return the area under the normal curve beyond t from 0 to TAIL_HIGH within 7.5 ulp, and 2^64 e^(-t²/2).

    The area is the curve's shape e^(-t²/2) times a smooth function (Mills' ratio), here a polynomial in
    (t - 3) / (t + 3). So it is exact far out as well, where 1 - erf would leave nothing. The shape itself
    may be too small for a float32 with all its digits: 2^64 times it isn't, and costs one instruction, as
    n + 64 is written into the exponent's bits in place of n.

    With -t² = 2 n ln 2 + 2r, a fused multiply-add subtracts from the square before it is rounded.
    """
    shifted = _fma(t * t, _PER_2LN2, _SHIFT_64)
    n = shifted - _SHIFT_64
    r = _fma(-n, _LOW2, _fma(-t, t, -(n * _HIGH2)))
    e = _fma(_fma(_fma(_fma(_fma(_R[5], r, _R[4]), r, _R[3]), r, _R[2]), r, _R[1]), r, _R[0])
    shape = _fma(e, r, _ONE) * _power_of_two(shifted)
    v = (t - _THREE) / (t + _THREE)
    m = _fma(_fma(_fma(_fma(_M_HIGH[9], v, _M_HIGH[8]), v, _M_HIGH[7]), v, _M_HIGH[6]), v, _M_HIGH[5])
    m = _fma(_fma(_fma(m, v, _M_HIGH[4]), v, _M_HIGH[3]), v, _M_HIGH[2])
    return shape * _fma(_fma(m, v, _M_HIGH[1]), v, _M_HIGH[0]), shape
