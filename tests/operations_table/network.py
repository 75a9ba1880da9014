"""Rows of what classifies, normalises, drops and compares."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import scipy.special
import scipy.stats
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

import tinygrad_edu as te
from operations_table.activations import sigmoid
from operations_table.reductions import log_sum_exp
from operations_table.row import (
    Array,
    Case,
    Row,
    along,
    one_by_one,
    same_shapes,
    unary,
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


def one_hot(labels: Array, classes: int) -> Array:
    return (labels[..., np.newaxis] == np.arange(classes)).astype(float)


def with_options(row: Row, function: Any, *options: dict[str, Any]) -> Row:
    """The same calls with keyword arguments, of which each is drawn."""

    def cases(least: int, most: int) -> SearchStrategy[Case]:
        return st.builds(
            lambda case, params: Case(case.inputs, params), row.cases(least, most), st.sampled_from(options)
        )

    def value(x: Array, t: Array, label_smoothing: float = 0.0, ignore_index: int | None = None) -> Array:
        classes = x.shape[-1]
        losses = row.value(x, (one_hot(t, classes) if t.dtype.kind == "i" else t) * (1 - label_smoothing))
        if label_smoothing:
            losses = losses + row.value(x, np.full(x.shape, label_smoothing / max(classes, 1)))
        return losses if ignore_index is None else np.where(t == ignore_index, 0.0, losses)

    return Row(cases, value, function=function, terms=lambda x, t, **params: 8 + np.zeros(x.shape[:-1]))


def smoothed_sigmoid_cross_entropy(x: float, t: float, label_smoothing: float) -> float:
    return sigmoid_cross_entropy(x, t * (1 - label_smoothing) + label_smoothing / 2)


def dropout_cases(least: int, most: int) -> SearchStrategy[Case]:
    def call(at: tuple[int, ...]) -> SearchStrategy[Case]:
        masks = st.tuples(*[st.sampled_from([1, n]) for n in at]).flatmap(lambda m: arrays(m, dtype=bool))
        rates = st.sampled_from([{"rate": p} for p in (0.0, 0.2, 0.75)])
        return st.builds(lambda x, m, params: Case((x, m), params), arrays(at), masks, rates)

    return shapes(min_side=least, max_side=most).flatmap(call)


def rows(least: int, most: int) -> SearchStrategy[tuple[int, ...]]:
    """Draw shapes whose last side is at least 1, since the mean of nothing isn't defined."""
    lead = shapes(max_dims=2, min_side=least, max_side=most)
    return st.builds(lambda lead, n: (*lead, n), lead, st.integers(max(least, 1), max(most, 1)))


def loss(
    function: Any,
    value: Callable[..., Array],
    *options: dict[str, Any],
    first: Any = None,
    second: Any = None,
    kinks: str = "none",
    apart: tuple[float, ...] = (),
    average: bool = True,
    **fields: Any,
) -> Row:
    """A loss of two arrays of equal shapes, averaged over the last axis or added up.

    ``apart`` are the differences that prediction and truth must not have.
    """

    def cases(least: int, most: int) -> SearchStrategy[Case]:
        def call(at: tuple[int, ...]) -> SearchStrategy[Case]:
            both = st.tuples(arrays(at, **(first or {})), arrays(at, **{"avoid": apart, **(second or {})}))
            if apart:
                both = both.map(lambda pair: (pair[0], pair[0] + pair[1]))
            return st.builds(Case, both, st.sampled_from(options or ({},)))

        return rows(least, most).flatmap(call)

    def reduced(t: Array, p: Array, **params: Any) -> Array:
        each = value(t, p, **params)
        return along(lambda v: math.fsum(v) / (len(v) if average else 1))(each, axis=-1)

    def terms(t: Array, p: Array, **params: Any) -> Array:
        return np.max(1 + np.abs(t) + np.abs(p) + np.abs(value(t, p, **params)), axis=-1, initial=0)

    return Row(cases, reduced, function=function, kinks=kinks, terms=terms, **fields)


def huber(t: Array, p: Array, delta: float = 1.0) -> Array:
    e = np.abs(t - p)
    return np.where(e <= delta, e * e / 2, delta * (e - delta / 2))


def signs(t: Array) -> Array:
    return np.where(t == 1, 1, -1)


def categorical_hinge_cases(least: int, most: int) -> SearchStrategy[Case]:
    def case(scores: Array, labels: Array, far: Array) -> Case:
        t = one_hot(labels, scores.shape[-1])
        return Case((t.astype(np.int64), scores + 5 * t * far[..., np.newaxis]))

    def call(at: tuple[int, ...]) -> SearchStrategy[Case]:
        scores = arrays(at, low=-0.45, high=0.45, distinct=True, avoid=[0], margin=0.01)
        labels = arrays(at[:-1], dtype="int64", low=0, high=at[-1])
        return st.builds(case, scores, labels, arrays(at[:-1], dtype=bool))

    return rows(least, most).flatmap(call)


def categorical_hinge(t: Array, p: Array) -> Array:
    return np.maximum(0, 1 + np.max((1 - t) * p, axis=-1) - np.max(np.where(t == 1, p, -np.inf), axis=-1))


def gaussian_nll_cases(least: int, most: int) -> SearchStrategy[Case]:
    options = st.sampled_from([{}, {"full": True}, {"epsilon": 0.5}])
    return rows(least, most).flatmap(
        lambda at: st.builds(
            lambda t, m, v, params: Case((t, m, v), params),
            arrays(at),
            arrays(at),
            arrays(at, low=0.3, high=3, avoid=[0.5]),
            options,
        )
    )


def gaussian_nll(t: Array, m: Array, v: Array, epsilon: float = 1e-6, full: bool = False) -> Array:
    each = -scipy.stats.norm.logpdf(t, m, np.sqrt(np.maximum(v, epsilon)))
    return along(math.fsum)(each - (not full) * math.log(2 * math.pi) / 2, axis=-1) / t.shape[-1]


SHARES = {"low": 0.1, "high": 1.0}
LABELS = {"dtype": "int64", "low": 0, "high": 2}


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
    "smoothed_sigmoid_cross_entropy": Row(
        lambda least, most: same_shapes({}, {"low": 0.0, "high": 1.0})(least, most).flatmap(
            lambda case: st.sampled_from([0.0, 0.1, 1.0]).map(
                lambda share: Case(case.inputs, {"label_smoothing": share})
            )
        ),
        one_by_one(smoothed_sigmoid_cross_entropy),
        function=te.sigmoid_cross_entropy,
        terms=lambda x, t, **params: 1 + np.abs(x),
    ),
    "smoothed_cross_entropy_of_labels": with_options(
        Row(label_cases, cross_entropy),
        te.softmax_cross_entropy,
        {"label_smoothing": 0.0},
        {"label_smoothing": 0.1},
        {"label_smoothing": 1.0},
        {"ignore_index": 0},
        {"ignore_index": 1, "label_smoothing": 0.3},
        {"ignore_index": -100},
    ),
    "smoothed_cross_entropy_of_rows": with_options(
        Row(target_cases, cross_entropy),
        te.softmax_cross_entropy,
        {"label_smoothing": 0.1},
        {"label_smoothing": 1.0},
    ),
    "nll": Row(
        label_cases, lambda x, t: -along(math.fsum)(x * one_hot(t, x.shape[-1]), axis=-1), function=te.nll
    ),
    "dropout": Row(dropout_cases, lambda x, m, rate: np.where(m, x, 0) / (1 - rate)),
    "mean_squared_error": loss(te.mean_squared_error, lambda t, p: (t - p) ** 2),
    "mean_absolute_error": loss(
        te.mean_absolute_error, lambda t, p: np.abs(t - p), apart=(0,), kinks="equal numbers"
    ),
    "huber": loss(
        te.huber,
        huber,
        {},
        {"delta": 0.5},
        {"delta": 1.7},
        apart=(-1.7, -1, -0.5, 0.5, 1, 1.7),
        kinks="none; the second derivative jumps where the error is delta",
    ),
    "log_cosh": unary(lambda x: math.log1p(2 * math.sinh(x / 2) ** 2), None),
    "mean_log_cosh": loss(te.log_cosh, lambda t, p: np.log(np.cosh(t - p))),
    "hinge": loss(
        te.hinge,
        lambda t, p: np.maximum(1 - signs(t) * p, 0),
        first=LABELS,
        second={"avoid": (-1, 1)},
        kinks="score = label",
    ),
    "squared_hinge": loss(
        te.squared_hinge,
        lambda t, p: np.maximum(1 - signs(t) * p, 0) ** 2,
        first=LABELS,
        second={"avoid": (-1, 1)},
        kinks="none; the second derivative jumps at score = label",
    ),
    "categorical_hinge": Row(
        categorical_hinge_cases,
        categorical_hinge,
        function=te.categorical_hinge,
        kinks="a margin of 1, two best scores, a best wrong score of 0",
        terms=lambda t, p: 8 + np.zeros(t.shape[:-1]),
    ),
    "gaussian_nll": Row(
        gaussian_nll_cases,
        gaussian_nll,
        function=te.gaussian_nll,
        domain="variances above 0.3",
        kinks="a variance of epsilon",
        terms=lambda t, m, v, **params: np.max(2 + (t - m) ** 2 / v, axis=-1, initial=0),
    ),
    "kl_divergence": loss(
        te.kl_divergence, scipy.special.rel_entr, first=SHARES, second=SHARES, average=False, domain="above 0"
    ),
    "poisson": loss(
        te.poisson, lambda t, p: p - scipy.special.xlogy(t, p), second=SHARES, domain="rates above 0"
    ),
    "gaussian_kl": loss(
        te.gaussian_kl, lambda m, v: (m * m + np.exp(v) - 1 - v) / 2, second={"low": -1.5}, average=False
    ),
}
