"""Rows of what works element by element."""

import math
import operator
from typing import Any

import numpy as np
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

import tinygrad_edu as te
from operations_table.row import Case, Row, binary, comparison, one_by_one, unary
from tinygrad_edu.testing import arrays, broadcastable_shapes, shapes

INF, NAN = math.inf, math.nan
POSITIVE = {"low": 0.3, "high": 3.0}
SHIFTED = {"low": -1.9, "high": 2.1}  # so that the same numbers drawn twice don't tie
FAR_FROM_0 = {"avoid": [0], "margin": 0.3}
WHOLE = {"dtype": "int64", "low": -40, "high": 40}
PLACES = {"dtype": "int64", "low": 0, "high": 9}
# Between whole numbers, where rounding is flat.
BETWEEN = {"low": -2.4, "high": 2.4, "avoid": [-2, -1, 0, 1, 2], "kinks": "the whole numbers"}
HALVES = {"low": -2.9, "high": 2.9, "avoid": [-2.5, -1.5, -0.5, 0.5, 1.5, 2.5], "kinks": "halfway between"}


def where_cases(least: int, most: int) -> SearchStrategy[Case]:
    return broadcastable_shapes(3, min_side=least, max_side=most, max_dims=2).flatmap(
        lambda s: st.builds(
            lambda c, a, b: Case((c, a, b)), arrays(s[0], dtype=bool), arrays(s[1]), arrays(s[2])
        )
    )


def clip_cases(least: int, most: int) -> SearchStrategy[Case]:
    def bounded(x: Any) -> SearchStrategy[Case]:
        # Arrays of float32, so that they don't widen x.
        low = st.none() | st.just(-0.7) | arrays(x.shape[1:], low=-0.8, high=-0.6, dtype="float32")
        high = st.none() | st.just(0.9) | arrays(x.shape[1:], low=0.8, high=1.0, dtype="float32")
        return st.builds(lambda low, high: Case((x,), {"min": low, "max": high}), low, high)

    at = shapes(min_side=least, max_side=most)
    return arrays(at, avoid=[-0.7, 0.9], margin=0.15).flatmap(bounded)


def clip_value(x: Any, min: Any = None, max: Any = None) -> Any:
    return one_by_one(clip)(x, -INF if min is None else min, INF if max is None else max)


def clip(x: float, low: float, high: float) -> float:
    return low if x < low else high if x > high else x


def clip_between_cases(least: int, most: int) -> SearchStrategy[Case]:
    return broadcastable_shapes(3, min_side=least, max_side=most, max_dims=2).flatmap(
        lambda s: st.builds(
            lambda *inputs: Case(inputs),
            arrays(s[0], avoid=[-0.8, 0.9], margin=0.25),
            arrays(s[1], low=-1.0, high=-0.6),
            arrays(s[2], low=0.7, high=1.1),
        )
    )


def division_cases(least: int, most: int) -> SearchStrategy[Case]:
    """Divide by about 1 or -1, so that all but the numbers near whole ones lie between two multiples."""

    def drawn(s: Any) -> SearchStrategy[Case]:
        x1 = arrays(s[0], low=-2.6, high=2.6, avoid=[-2, -1, 0, 1, 2], margin=0.2)
        size, turned = arrays(s[1], low=0.95, high=1.05), arrays(s[1], dtype=bool)
        return st.builds(lambda a, b, t: Case((a, np.where(t, -b, b))), x1, size, turned)

    return broadcastable_shapes(2, min_side=least, max_side=most, max_dims=2).flatmap(drawn)


def pow_cases(least: int, most: int) -> SearchStrategy[Case]:
    """Raise to numbers, to arrays, and to arrays with zeros among them: the rule goes different ways."""

    def drawn(s: Any) -> SearchStrategy[Case]:
        holes = st.builds(lambda b, zero: np.where(zero, 0.0, b), arrays(s[1]), arrays(s[1], dtype=bool))
        powers = st.sampled_from([0, 1, 2, 3, -1, 0.5, -1.5]) | arrays(s[1]) | holes
        to_powers = st.builds(lambda a, b: Case((a, b)), arrays(s[0], **POSITIVE), powers)
        of_numbers = st.builds(lambda a, b: Case((a, b)), st.sampled_from([2, 0.5, 1.5]), arrays(s[1]))
        return to_powers | of_numbers

    return broadcastable_shapes(2, min_side=least, max_side=most, max_dims=2).flatmap(drawn)


def copysign_cases(least: int, most: int) -> SearchStrategy[Case]:
    # Signs of whole numbers, since that input has no gradient; of int8, which doesn't widen float32.
    return broadcastable_shapes(2, min_side=least, max_side=most, max_dims=2).flatmap(
        lambda s: st.builds(
            lambda a, b: Case((a, b)), arrays(s[0], avoid=[0]), arrays(s[1], dtype="int8", low=-3, high=3)
        )
    )


def isclose_cases(least: int, most: int) -> SearchStrategy[Case]:
    few = {"dtype": "int64", "low": -2, "high": 3}
    params = st.sampled_from([{}, {"rtol": 0.5}, {"atol": 1.0, "rtol": 0.0}, {"equal_nan": True}])
    return broadcastable_shapes(2, min_side=least, max_side=most, max_dims=2).flatmap(
        lambda s: st.builds(lambda a, b, p: Case((a, b), p), arrays(s[0], **few), arrays(s[1], **few), params)
    )


def isclose(a: float, b: float, rtol: float = 1e-5, atol: float = 1e-8, equal_nan: bool = False) -> bool:
    return abs(a - b) <= atol + rtol * abs(b)


def nan_to_num_cases(least: int, most: int) -> SearchStrategy[Case]:
    params = st.sampled_from([{}, {"nan": 7.0}, {"posinf": 8.0, "neginf": -9.0}])
    return st.builds(
        lambda x, params: Case((x,), params), arrays(shapes(min_side=least, max_side=most)), params
    )


def kind_of_number(function: Any, numpy: Any) -> Row:
    def cases(least: int, most: int) -> SearchStrategy[Case]:
        return arrays(shapes(min_side=least, max_side=most), special=True).map(lambda x: Case((x,)))

    return Row(cases, one_by_one(function), numpy=numpy, domain="all floats")


def at(*examples: Any) -> Any:
    """Write down slopes at the kinks of operations without arguments: the inputs and the slopes in turn."""
    return tuple([(inputs, {}, slopes) for inputs, slopes in examples])


ROWS: dict[str, Row] = {
    # Arithmetic.
    "add": binary(operator.add, np.add),
    "subtract": binary(operator.sub, np.subtract),
    "multiply": binary(operator.mul, np.multiply),
    "divide": binary(
        operator.truediv,
        np.divide,
        second=FAR_FROM_0,
        domain="x2 ≠ 0",
        at_kinks=at((([1.0], [0.0]), ([INF], [-INF]))),
    ),
    "floor_divide": Row(
        division_cases,
        one_by_one(operator.floordiv),
        numpy=np.floor_divide,
        domain="x2 ≠ 0",
        kinks="the multiples of x2",
    ),
    "remainder": Row(
        division_cases,
        one_by_one(operator.mod),
        numpy=np.remainder,
        domain="x2 ≠ 0",
        kinks="the multiples of x2",
        at_kinks=at((([4.0, -4.0], [2.0, 2.0]), ([1.0, 1.0], [-2.0, 2.0]))),
        terms=lambda x1, x2: np.abs(x1) + np.abs(x2),
    ),
    "pow": Row(
        pow_cases,
        one_by_one(operator.pow),
        numpy=np.power,
        domain="x1 > 0",
        kinks="x1 = 0",
        at_kinks=at(
            (([0.0, 2.0, 0.0], [0.0, 0.0, 2.0]), ([0.0, 0.0, 0.0], [0.0, math.log(2), 0.0])),
            (([0.0], [1.0]), ([1.0], [0.0])),
            (([0.0], [0.5]), ([INF], [0.0])),
            (([0.0], [-1.0]), ([-INF], [-INF])),
        ),
    ),
    "positive": unary(operator.pos, np.positive),
    "negative": unary(operator.neg, np.negative),
    "abs": unary(abs, np.abs, avoid=[0], at_kinks=at((([-1.0, 0.0, 1.0],), ([-1.0, 0.0, 1.0],)))),
    "square": unary(lambda x: x * x, np.square),
    # Choosing.
    "where": Row(where_cases, one_by_one(lambda c, a, b: a if c else b)),
    "maximum": binary(
        max,
        np.maximum,
        second=SHIFTED,
        kinks="x1 = x2",
        at_kinks=at((([1.0, 2.0], [1.0, 3.0]), ([0.5, 0.0], [0.5, 1.0]))),
    ),
    "minimum": binary(
        min,
        np.minimum,
        second=SHIFTED,
        kinks="x1 = x2",
        at_kinks=at((([1.0, 2.0], [1.0, 3.0]), ([0.5, 1.0], [0.5, 0.0]))),
    ),
    "clip": Row(
        clip_cases,
        clip_value,
        numpy=lambda x, min, max: np.clip(x, min, max) if x.size else x,
        kinks="the bounds",
        at_kinks=((([-1.0, 0.0, 0.5, 1.0, 2.0],), {"min": 0, "max": 1}, ([0.0, 1.0, 1.0, 1.0, 0.0],)),),
    ),
    "clip between tensors": Row(
        clip_between_cases,
        one_by_one(clip),
        function=te.clip,
        domain="min < max",
        kinks="the bounds",
        at_kinks=at((([1.0, 2.0, 3.0], [1.0], [3.0]), ([1.0, 1.0, 1.0], [0.0], [0.0]))),
    ),
    # Rounding, signs and kinds of numbers.
    "ceil": unary(math.ceil, np.ceil, **BETWEEN),
    "floor": unary(math.floor, np.floor, **BETWEEN),
    "trunc": unary(math.trunc, np.trunc, **BETWEEN),
    "round": unary(round, np.round, **HALVES),
    "sign": unary(lambda x: math.copysign(1, x), np.sign, avoid=[0]),
    "signbit": unary(lambda x: x < 0, np.signbit, avoid=[0]),
    "copysign": Row(
        copysign_cases,
        one_by_one(math.copysign),
        numpy=np.copysign,
        kinks="x1 = 0",
        at_kinks=at(
            (([0.0, -0.0], [1.0, -1.0]), ([0.0, 0.0], 0)), (([2.0, -2.0], [-0.0, -0.0]), ([-1.0, 1.0], 0))
        ),
    ),
    "nextafter": binary(math.nextafter, np.nextafter, first=FAR_FROM_0),
    "isnan": kind_of_number(math.isnan, np.isnan),
    "isinf": kind_of_number(math.isinf, np.isinf),
    "isfinite": kind_of_number(math.isfinite, np.isfinite),
    "nan_to_num": Row(
        nan_to_num_cases,
        one_by_one(lambda x, **params: x),
        numpy=np.nan_to_num,
        domain="all floats",
        at_kinks=at((([NAN, INF, -INF, 1.0],), ([0.0, 0.0, 0.0, 1.0],))),
    ),
    # Comparisons, truth values, bits.
    "equal": comparison(operator.eq, np.equal),
    "not_equal": comparison(operator.ne, np.not_equal),
    "less": comparison(operator.lt, np.less),
    "less_equal": comparison(operator.le, np.less_equal),
    "greater": comparison(operator.gt, np.greater),
    "greater_equal": comparison(operator.ge, np.greater_equal),
    "isclose": Row(isclose_cases, one_by_one(isclose), numpy=np.isclose, keeps_dtype=False),
    "logical_and": comparison(lambda a, b: bool(a and b), np.logical_and),
    "logical_or": comparison(lambda a, b: bool(a or b), np.logical_or),
    "logical_xor": comparison(lambda a, b: bool(a) != bool(b), np.logical_xor),
    "logical_not": Row(
        lambda least, most: arrays(shapes(min_side=least, max_side=most), dtype=bool).map(
            lambda x: Case((x,))
        ),
        one_by_one(operator.not_),
        numpy=np.logical_not,
        keeps_dtype=False,
        domain="truth values",
    ),
    "bitwise_and": binary(operator.and_, None, WHOLE, WHOLE, domain="whole numbers"),
    "bitwise_or": binary(operator.or_, None, WHOLE, WHOLE, domain="whole numbers"),
    "bitwise_xor": binary(operator.xor, None, WHOLE, WHOLE, domain="whole numbers"),
    "bitwise_invert": Row(
        lambda least, most: arrays(shapes(min_side=least, max_side=most), **WHOLE).map(lambda x: Case((x,))),
        one_by_one(operator.invert),
        domain="whole numbers",
    ),
    "bitwise_left_shift": binary(operator.lshift, None, WHOLE, PLACES, domain="whole numbers, x2 >= 0"),
    "bitwise_right_shift": binary(operator.rshift, None, WHOLE, PLACES, domain="whole numbers, x2 >= 0"),
    # Exponentials, logarithms, roots.
    "exp": unary(math.exp, np.exp),
    "exp2": unary(lambda x: 2**x, np.exp2),
    "expm1": unary(math.expm1, np.expm1),
    "log": unary(math.log, np.log, **POSITIVE, domain="x > 0", at_kinks=at((([0.0],), ([INF],)))),
    "log1p": unary(math.log1p, np.log1p, low=-0.7, domain="x > -1", at_kinks=at((([-1.0],), ([INF],)))),
    "log2": unary(math.log2, np.log2, **POSITIVE, domain="x > 0", at_kinks=at((([0.0],), ([INF],)))),
    "log10": unary(math.log10, np.log10, **POSITIVE, domain="x > 0", at_kinks=at((([0.0],), ([INF],)))),
    "logaddexp": binary(
        lambda a, b: math.log(math.exp(a) + math.exp(b)),
        np.logaddexp,
        at_kinks=at(
            (([-INF, INF, -INF, INF], [-INF, INF, 0.0, 0.0]), ([0.5, 0.5, 0.0, 1.0], [0.5, 0.5, 1.0, 0.0]))
        ),
        terms=lambda x1, x2: np.ones(np.broadcast_shapes(np.shape(x1), np.shape(x2))),
    ),
    "sqrt": unary(
        math.sqrt, np.sqrt, **POSITIVE, domain="x > 0", kinks="x = 0", at_kinks=at((([0.0],), ([INF],)))
    ),
    "rsqrt": unary(
        lambda x: 1 / math.sqrt(x),
        lambda x: 1 / np.sqrt(x),
        **POSITIVE,
        domain="x > 0",
        at_kinks=at((([0.0],), ([-INF],))),
    ),
    "cbrt": unary(math.cbrt, np.cbrt, **FAR_FROM_0, at_kinks=at((([0.0],), ([INF],)))),
    "reciprocal": unary(
        lambda x: 1 / x,
        np.reciprocal,
        **FAR_FROM_0,
        domain="x ≠ 0",
        kinks="none",
        at_kinks=at((([0.0, -0.0],), ([-INF, -INF],))),
    ),
    "hypot": binary(
        math.hypot,
        np.hypot,
        first=FAR_FROM_0,
        kinks="(0, 0)",
        at_kinks=at((([0.0, 0.0, -3.0], [0.0, 2.0, 0.0]), ([0.0, 0.0, -1.0], [0.0, 1.0, 0.0]))),
    ),
    # Angles and hyperbolas.
    "sin": unary(math.sin, np.sin),
    "cos": unary(math.cos, np.cos),
    "tan": unary(math.tan, np.tan, low=-1.2, high=1.2, domain="between the poles, the odd multiples of π/2"),
    "asin": unary(
        math.asin,
        np.arcsin,
        low=-0.9,
        high=0.9,
        domain="-1 < x < 1",
        at_kinks=at((([-1.0, 1.0],), ([INF, INF],))),
    ),
    "acos": unary(
        math.acos,
        np.arccos,
        low=-0.9,
        high=0.9,
        domain="-1 < x < 1",
        at_kinks=at((([-1.0, 1.0],), ([-INF, -INF],))),
    ),
    "atan": unary(math.atan, np.arctan),
    "atan2": binary(
        math.atan2,
        np.arctan2,
        first=FAR_FROM_0,
        kinks="(0, 0), and x1 = 0 left of it",
        at_kinks=at((([0.0, 0.0, 0.0], [0.0, -2.0, 2.0]), ([0.0, -0.5, 0.5], [0.0, 0.0, 0.0]))),
    ),
    "sinh": unary(math.sinh, np.sinh),
    "cosh": unary(math.cosh, np.cosh),
    "tanh": unary(math.tanh, np.tanh),
    "asinh": unary(math.asinh, np.arcsinh),
    "acosh": unary(
        math.acosh, np.arccosh, low=1.3, high=4, domain="x > 1", at_kinks=at((([1.0],), ([INF],)))
    ),
    "atanh": unary(
        math.atanh,
        np.arctanh,
        low=-0.8,
        high=0.8,
        domain="-1 < x < 1",
        at_kinks=at((([-1.0, 1.0],), ([INF, INF],))),
    ),
    "astype": Row(
        lambda least, most: arrays(shapes(min_side=least, max_side=most)).map(
            lambda x: Case((x,), {"dtype": np.dtype(np.float64)})
        ),
        one_by_one(lambda x, dtype: x),
        keeps_dtype=False,
    ),
}
