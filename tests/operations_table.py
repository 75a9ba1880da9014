"""One row for each operation of the engine: what to call it with, and what must come out.

An input keeps away from the kinks and poles of its operation, since there is no slope to compare there;
what happens *at* a kink stands as examples in test_operations_edges.py. The references are plain Python,
or the readable twins of the kernels.
"""

import math
import operator
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy
from operations_cases import (
    Array,
    Case,
    along,
    broadcast_cases,
    broadcast_to,
    clip,
    clip_cases,
    concat,
    concat_cases,
    conv_cases,
    cross_entropy,
    flip,
    flip_cases,
    getitem,
    getitem_cases,
    label_cases,
    linear,
    linear_cases,
    log_sum_exp,
    matmul,
    matmul_cases,
    one_by_one,
    permute_cases,
    permute_dims,
    pool_cases,
    reshape,
    reshape_cases,
    same_shapes,
    scatter_add,
    scatter_cases,
    sigmoid,
    sigmoid_cross_entropy,
    stack,
    stack_cases,
    target_cases,
    where_cases,
)

from tinygrad_edu.kernels import reference
from tinygrad_edu.ops import OPERATIONS
from tinygrad_edu.testing import arrays, axes, broadcastable_shapes, shapes


@dataclass(frozen=True)
class Row:
    """How one operation is tested."""

    cases: Callable[[int, int], SearchStrategy[Case]]  # from the least and the greatest side
    value: Callable[..., Any]  # the reference: same arguments, arrays in and out
    least: int = 0  # the least side it can do with
    numpy: Callable[..., Any] | None = None  # what it must equal at nan, inf and both zeros
    terms: Callable[..., Any] | None = None  # the size of the terms that are added up: rounding goes with it
    keeps_dtype: bool = True


def unary(function: Any, numpy: Any, low: float = -2, high: float = 2, avoid: Any = ()) -> Row:
    def cases(least: int, most: int) -> SearchStrategy[Case]:
        at = shapes(min_side=least, max_side=most)
        return arrays(at, low=low, high=high, avoid=avoid).map(lambda x: Case((x,)))

    return Row(cases, one_by_one(function), numpy=numpy)


def binary(function: Any, numpy: Any, first: Any = None, second: Any = None, **options: Any) -> Row:
    def cases(least: int, most: int) -> SearchStrategy[Case]:
        both = broadcastable_shapes(2, min_side=least, max_side=most, max_dims=2)
        return both.flatmap(
            lambda s: st.builds(
                lambda a, b: Case((a, b)), arrays(s[0], **(first or {})), arrays(s[1], **(second or {}))
            )
        )

    return Row(cases, one_by_one(function), numpy=numpy, **options)


def comparison(function: Any, numpy: Any) -> Row:
    """Compare numbers many of which are equal."""
    few = {"dtype": "int64", "low": -1, "high": 2}
    return binary(function, numpy, few, few, keeps_dtype=False)


def reduction(
    function: Callable[[list[float]], float], several: bool = True, none: bool = True, **options: Any
) -> Row:
    def cases(least: int, most: int) -> SearchStrategy[Case]:
        def call(x: Array) -> Any:
            return st.builds(
                lambda axis, keepdims: Case((x,), {"axis": axis, "keepdims": keepdims}),
                axes(x.ndim, several=several, none=none),
                st.booleans(),
            )

        return arrays(shapes(min_side=least, max_side=most), distinct=True).flatmap(call)

    return Row(cases, along(function), **options)


def softmax_row(function: Callable[[list[float], float], float]) -> Row:
    """A function of each element and of the row it stands in."""

    def cases(least: int, most: int) -> SearchStrategy[Case]:
        x = arrays(shapes(min_dims=1, min_side=least, max_side=most))
        return x.flatmap(lambda x: st.integers(-x.ndim, x.ndim - 1).map(lambda a: Case((x,), {"axis": a})))

    def value(x: Array, axis: int) -> Array:
        rows = np.moveaxis(x, axis, -1)
        flat = (
            [[function(row, v) for v in row] for row in rows.reshape(-1, rows.shape[-1]).tolist()]
            if x.size
            else []
        )
        return np.moveaxis(np.reshape(np.array(flat, float), rows.shape), -1, axis)

    return Row(cases, value, terms=lambda x, axis: np.float64(4))


def renamed(function: Any, shape: str = "x_shape") -> Any:
    """Call a reference kernel, whose shape argument has a longer name."""

    def value(*inputs: Any, **params: Any) -> Any:
        if "shape" in params:
            params[shape] = params.pop("shape")
        return function(*inputs, **params)

    return value


def of_sizes(value: Any) -> Any:
    """Return the terms of something that is linear in each input: the same, of their sizes."""

    def terms(*inputs: Any, **params: Any) -> Any:
        return value(*[np.abs(x) if np.asarray(x).dtype.kind == "f" else x for x in inputs], **params)

    return terms


def bilinear(cases: Any, value: Any, least: int = 0) -> Row:
    return Row(cases, value, least=least, terms=of_sizes(value))


POSITIVE = {"low": 0.3, "high": 3.0}
SHIFTED = {"low": -1.9, "high": 2.1}  # so that the same numbers drawn twice don't tie

TABLE: dict[str, Row] = {
    # arithmetic
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
    # element by element
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
    # reductions
    "sum": reduction(math.fsum, terms=of_sizes(along(math.fsum))),
    "mean": reduction(lambda v: math.fsum(v) / len(v), least=1, terms=of_sizes(along(math.fsum))),
    "max": reduction(max, least=1),
    "min": reduction(min, least=1),
    "logsumexp": reduction(log_sum_exp, terms=lambda x, **params: np.float64(4)),
    "argmax": reduction(lambda v: v.index(max(v)), several=False, least=1, keeps_dtype=False),
    "argmin": reduction(lambda v: v.index(min(v)), several=False, least=1, keeps_dtype=False),
    # shapes
    "reshape": Row(reshape_cases, reshape),
    "permute_dims": Row(permute_cases, permute_dims),
    "broadcast_to": Row(broadcast_cases, broadcast_to),
    "flip": Row(flip_cases, flip),
    "concat": Row(concat_cases, concat),
    "stack": Row(stack_cases, stack),
    "getitem": Row(getitem_cases, getitem),
    "scatter_add": bilinear(scatter_cases, scatter_add),
    # linear algebra
    "matmul": bilinear(matmul_cases, matmul),
    "linear": bilinear(linear_cases, linear),
    # classification
    "softmax": softmax_row(lambda row, v: math.exp(v) / math.fsum(math.exp(w) for w in row)),
    "log_softmax": softmax_row(lambda row, v: v - log_sum_exp(row)),
    "sparse_softmax_cross_entropy": Row(label_cases, cross_entropy, terms=lambda x, t: np.float64(4)),
    "softmax_cross_entropy": Row(
        target_cases, cross_entropy, terms=lambda x, t: 4 * np.add.reduce(np.abs(t), axis=-1)
    ),
    "sigmoid_cross_entropy": Row(
        same_shapes({}, {"low": 0.0, "high": 1.0}),
        one_by_one(sigmoid_cross_entropy),
        terms=lambda x, t: 1 + np.abs(x),
    ),
    # images
    "conv2d": bilinear(conv_cases("x", "w", None), reference.conv2d),
    "conv2d_input_grad": bilinear(conv_cases("y", "w", "x"), renamed(reference.conv2d_input_grad)),
    "conv2d_weight_grad": bilinear(
        conv_cases("x", "y", "w"), renamed(reference.conv2d_weight_grad, "w_shape")
    ),
    "max_pool2d": Row(pool_cases("max"), lambda x, **params: reference.max_pool2d(x, **params)[0]),
    "max_pool2d_scatter": bilinear(pool_cases("scatter"), renamed(reference.max_pool2d_scatter)),
    "max_pool2d_gather": Row(pool_cases("gather"), reference.max_pool2d_gather),
    "avg_pool2d": bilinear(pool_cases("avg"), reference.avg_pool2d),
    "avg_pool2d_scatter": bilinear(pool_cases("avg_scatter"), renamed(reference.avg_pool2d_scatter)),
}

NAMES = sorted(TABLE)
DIFFERENTIABLE = [name for name in NAMES if OPERATIONS[name].differentiable]


def cases(name: str, least: int = 0, most: int = 3) -> SearchStrategy[Case]:
    """Draw calls of an operation with sides from the least to the most, or from what it can do with."""
    row = TABLE[name]
    return row.cases(max(least, row.least), max(most, row.least))


def is_float(x: Any) -> bool:
    return isinstance(x, np.ndarray) and x.dtype.kind == "f"
