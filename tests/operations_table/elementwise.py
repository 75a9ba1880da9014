"""Rows of what works element by element."""

import math
import operator

import numpy as np
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from operations_table.row import Case, Row, binary, comparison, one_by_one, unary
from tinygrad_edu.testing import arrays, broadcastable_shapes, shapes

POSITIVE = {"low": 0.3, "high": 3.0}
SHIFTED = {"low": -1.9, "high": 2.1}  # so that the same numbers drawn twice don't tie


def where_cases(least: int, most: int) -> SearchStrategy[Case]:
    return broadcastable_shapes(3, min_side=least, max_side=most, max_dims=2).flatmap(
        lambda s: st.builds(
            lambda c, a, b: Case((c, a, b)), arrays(s[0], dtype=bool), arrays(s[1]), arrays(s[2])
        )
    )


def clip_cases(least: int, most: int) -> SearchStrategy[Case]:
    bounds = st.sampled_from(
        [{"min": -0.7, "max": 0.9}, {"min": -0.7}, {"max": 0.9}, {"min": None, "max": 0.9}]
    )
    x = arrays(shapes(min_side=least, max_side=most), avoid=[-0.7, 0.9])
    return st.builds(lambda x, params: Case((x,), params), x, bounds)


def clip(x: float, min: float | None = None, max: float | None = None) -> float:
    if min is not None and x < min:
        return min
    return max if max is not None and x > max else x


def sigmoid(x: float) -> float:
    return 1 / (1 + math.exp(-x))


ROWS: dict[str, Row] = {
    "add": binary(operator.add, np.add),
    "subtract": binary(operator.sub, np.subtract),
    "multiply": binary(operator.mul, np.multiply),
    "divide": binary(operator.truediv, np.divide, second={"avoid": [0], "margin": 0.3}),
    "pow": binary(operator.pow, np.power, first=POSITIVE),
    "maximum": binary(max, np.maximum, second=SHIFTED),
    "minimum": binary(min, np.minimum, second=SHIFTED),
    "negative": unary(operator.neg, np.negative),
    "sign": unary(lambda x: math.copysign(1, x), np.sign, avoid=[0]),
    "abs": unary(abs, np.abs, avoid=[0]),
    "square": unary(lambda x: x * x, np.square),
    "where": Row(where_cases, one_by_one(lambda c, a, b: a if c else b)),
    "clip": Row(clip_cases, one_by_one(clip)),
    "equal": comparison(operator.eq, np.equal),
    "not_equal": comparison(operator.ne, np.not_equal),
    "less": comparison(operator.lt, np.less),
    "less_equal": comparison(operator.le, np.less_equal),
    "greater": comparison(operator.gt, np.greater),
    "greater_equal": comparison(operator.ge, np.greater_equal),
    "logical_not": Row(
        lambda least, most: arrays(shapes(min_side=least, max_side=most), dtype=bool).map(
            lambda x: Case((x,))
        ),
        one_by_one(operator.not_),
        numpy=np.logical_not,
        keeps_dtype=False,
    ),
    "exp": unary(math.exp, np.exp),
    "expm1": unary(math.expm1, np.expm1),
    "log": unary(math.log, np.log, **POSITIVE),
    "log1p": unary(math.log1p, np.log1p, low=-0.7),
    "sqrt": unary(math.sqrt, np.sqrt, **POSITIVE),
    "sin": unary(math.sin, np.sin),
    "cos": unary(math.cos, np.cos),
    "tanh": unary(math.tanh, np.tanh),
    "sigmoid": unary(sigmoid, lambda x: 1 / (1 + np.exp(-x)), low=-6, high=6),
    "softplus": unary(lambda x: math.log(1 + math.exp(x)), lambda x: np.logaddexp(x, 0), low=-6, high=6),
    "relu": unary(lambda x: x if x > 0 else 0.0, lambda x: np.maximum(x, 0), avoid=[0]),
    "astype": Row(
        lambda least, most: arrays(shapes(min_side=least, max_side=most)).map(
            lambda x: Case((x,), {"dtype": np.dtype(np.float64)})
        ),
        one_by_one(lambda x, dtype: x),
        keeps_dtype=False,
    ),
}
