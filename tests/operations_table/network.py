"""Rows of what classifies, normalises, drops and compares."""

import math
from collections.abc import Callable

import numpy as np
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from operations_table.elementwise import sigmoid
from operations_table.reductions import log_sum_exp
from operations_table.row import (
    Array,
    Case,
    Row,
    along,
    one_by_one,
    same_shapes,
)
from tinygrad_edu.testing import arrays, shapes


def label_cases(least: int, most: int) -> SearchStrategy[Case]:
    lead = shapes(max_dims=2, min_side=least, max_side=most)
    return st.tuples(lead, st.integers(1, most)).flatmap(
        lambda d: st.builds(
            lambda x, t: Case((x, t)), arrays((*d[0], d[1])), arrays(d[0], dtype="int64", low=0, high=d[1])
        )
    )


def target_cases(least: int, most: int) -> SearchStrategy[Case]:
    both = shapes(min_dims=1, min_side=least, max_side=most)
    return both.flatmap(lambda s: st.builds(lambda x, t: Case((x, t)), arrays(s), arrays(s, low=0.1, high=1)))


def cross_entropy(x: Array, t: Array) -> Array:
    if t.dtype.kind == "i":
        t = np.array([[float(c == label) for c in range(x.shape[-1])] for label in t.ravel()]).reshape(
            x.shape
        )
    return along(math.fsum)(t * (log_sum_exp_of_rows(x) - x), axis=-1)


def log_sum_exp_of_rows(x: Array) -> Array:
    return along(log_sum_exp)(x, axis=-1, keepdims=True)


def sigmoid_cross_entropy(x: float, t: float) -> float:
    return -t * math.log(sigmoid(x)) - (1 - t) * math.log(1 - sigmoid(x))


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


ROWS: dict[str, Row] = {
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
}
