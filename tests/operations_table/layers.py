"""Rows of normalisation, embedding and attention."""

import math
from typing import Any

import numpy as np
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

import tinygrad_edu as te
from operations_table.row import Array, Case, Row
from tinygrad_edu.testing import arrays, shapes

EPSILONS = st.sampled_from([0.1, 0.5])


# --- Normalisation ---------------------------------------------------------------------------------------


@st.composite
def normalize_cases(draw: Any, least: int, most: int) -> Case:
    shape = draw(shapes(min_dims=1, max_dims=3, min_side=least, max_side=most))
    axes = tuple(draw(st.lists(st.integers(0, len(shape) - 1), min_size=1, unique=True)))
    kept = tuple([1 if a in axes else n for a, n in enumerate(shape)])
    scale, offset = draw(st.sampled_from([shape, kept, ()])), draw(st.sampled_from([shape, kept, shape[1:]]))
    inputs = draw(arrays(shape)), draw(arrays(scale)), draw(arrays(offset))
    return Case(inputs, {"axes": axes, "epsilon": draw(EPSILONS)})


def normalize(x: Array, gamma: Array, beta: Array, axes: Any, epsilon: float) -> Any:
    n = max(math.prod(x.shape[a] for a in axes), 1)
    mean = x.sum(axes, keepdims=True) / n
    variance = (x**2).sum(axes, keepdims=True) / n - mean**2
    return (x - mean) / np.sqrt(variance + epsilon) * gamma + beta, mean, variance


def moments_cases(least: int, most: int) -> SearchStrategy[Case]:
    def call(x: Array) -> Any:
        kinds = [None, -1, tuple(range(x.ndim))] if x.ndim else [None, ()]
        return st.builds(
            lambda axis, keepdims: Case((x,), {"axis": axis, "keepdims": keepdims}),
            st.sampled_from(kinds),
            st.booleans(),
        )

    return arrays(shapes(min_side=least, max_side=most)).flatmap(call)


@st.composite
def batch_cases(draw: Any, least: int, most: int) -> Case:
    shape = draw(shapes(min_dims=2, max_dims=3, min_side=least, max_side=most))
    axis = draw(st.integers(-len(shape), len(shape) - 1))
    channel = (shape[axis],)
    params = {"axis": axis, "epsilon": draw(EPSILONS), "return_moments": draw(st.booleans())}
    return Case((draw(arrays(shape)), draw(arrays(channel)), draw(arrays(channel))), params)


def batch_norm(x: Array, gamma: Array, beta: Array, axis: int, epsilon: float, return_moments: bool) -> Any:
    y, channels = np.zeros(x.shape), x.shape[axis]
    mean, variance = np.zeros((2, channels))
    for c in range(channels):
        at = (slice(None),) * (axis % x.ndim) + (c,)
        if x[at].size:
            mean[c], variance[c] = x[at].mean(), x[at].var()
            y[at] = gamma[c] * (x[at] - mean[c]) / math.sqrt(variance[c] + epsilon) + beta[c]
    return (y, mean, variance) if return_moments else y


@st.composite
def inference_cases(draw: Any, least: int, most: int) -> Case:
    shape = draw(shapes(min_dims=1, max_dims=3, min_side=least, max_side=most))
    each = [draw(arrays(shape[-1:])) for _ in range(3)]
    return Case((draw(arrays(shape)), *each, draw(arrays(shape[-1:], low=0.1, high=2))))


@st.composite
def layer_cases(draw: Any, least: int, most: int) -> Case:
    shape = draw(shapes(min_dims=1, max_dims=3, min_side=least, max_side=most))
    axis = draw(st.sampled_from([-1, 0, tuple(range(len(shape)))]))
    over = shape if isinstance(axis, tuple) else (shape[axis],)
    inputs = draw(arrays(shape)), draw(arrays(over)), draw(arrays(over))
    return Case(inputs, {"axis": axis, "epsilon": draw(EPSILONS)})


def layer_norm(x: Array, gamma: Array, beta: Array, axis: Any, epsilon: float) -> Array:
    axes = axis if isinstance(axis, tuple) else (axis,)
    shape = [n if a in axes or a - x.ndim in axes else 1 for a, n in enumerate(x.shape)]
    return np.asarray(normalize(x, gamma.reshape(shape), beta.reshape(shape), axes, epsilon)[0])


@st.composite
def group_cases(draw: Any, least: int, most: int) -> Case:
    groups, each = draw(st.integers(1, 2)), draw(st.integers(max(least, 1), max(most, 1)))
    shape = [draw(st.integers(least, most)), *draw(shapes(max_dims=2, min_side=least, max_side=most))]
    axis = draw(st.integers(1, len(shape)))
    shape.insert(axis, groups * each)
    inputs = [draw(arrays(s)) for s in (tuple(shape), (groups * each,), (groups * each,))]
    return Case(tuple(inputs), {"groups": groups, "axis": axis, "epsilon": draw(EPSILONS)})


def group_norm(x: Array, gamma: Array, beta: Array, groups: int, axis: int, epsilon: float) -> Array:
    x = np.moveaxis(x, axis, -1)
    y, each = np.zeros(x.shape), x.shape[-1] // groups
    for i in range(len(x)):
        for start in range(0, groups * each, each):
            part = x[i, ..., start : start + each]
            if part.size:
                y[i, ..., start : start + each] = (part - part.mean()) / math.sqrt(part.var() + epsilon)
    return np.moveaxis(y * gamma + beta, -1, axis)


# --- Embedding and attention -----------------------------------------------------------------------------


@st.composite
def embedding_cases(draw: Any, least: int, most: int) -> Case:
    table = draw(arrays((draw(st.integers(1, most)), draw(st.integers(least, most)))))
    at = shapes(max_dims=2, min_side=least, max_side=most)
    return Case((draw(arrays(at, dtype="int64", low=0, high=len(table))), table))


def embedding(indices: Array, table: Array) -> Array:
    rows = [table[i].tolist() for i in indices.ravel().tolist()]
    return np.array(rows, float).reshape(*indices.shape, table.shape[1])


@st.composite
def attention_cases(draw: Any, least: int, most: int) -> Case:
    side = st.integers(least, most)
    queries, keys, d, v = draw(side), draw(side), draw(side), draw(side)
    lead = draw(st.sampled_from([((), (), ()), ((2,), (), (1,)), ((2, 1), (2,), (1, 1))]))
    shape = [(queries, d), (keys, d), (keys, v)]
    inputs = tuple([draw(arrays(a + b)) for a, b in zip(lead, shape, strict=True)])
    masks = [None, draw(arrays((queries, keys), dtype=bool)), draw(arrays((keys,)))]
    params = {"is_causal": draw(st.booleans()), "scale": draw(st.sampled_from([None, 0.7]))}
    return Case(inputs, {"mask": draw(st.sampled_from(masks)), **params})


def attention(q: Array, k: Array, v: Array, mask: Any, is_causal: bool, scale: Any) -> Array:
    lead = np.broadcast_shapes(q.shape[:-2], k.shape[:-2], v.shape[:-2])
    out = np.zeros((*lead, q.shape[-2], v.shape[-1]))
    scale = scale or 1 / math.sqrt(max(q.shape[-1], 1))
    for at in np.ndindex(out.shape[:-1]):
        row, keys, values = (np.broadcast_to(x, (*lead, *x.shape[-2:]))[at[:-1]] for x in (q, k, v))
        bias = (
            np.zeros(len(keys)) if mask is None else np.broadcast_to(mask, (q.shape[-2], len(keys)))[at[-1]]
        )
        weights = []
        for j, key in enumerate(keys):
            hidden = (is_causal and j > at[-1]) or (bias.dtype == bool and not bias[j])
            more = 0.0 if bias.dtype == bool else bias[j]
            weights.append(0.0 if hidden else math.exp(scale * (row[at[-1]] @ key) + more))
        if any(weights):
            out[at] = sum(w * x for w, x in zip(weights, values, strict=True)) / sum(weights)
    return out


def of_order_one(*inputs: Any, **params: Any) -> Any:
    """Return the terms of what is divided by the square root of at least 0.1."""
    return np.float64(30)


ROWS: dict[str, Row] = {
    "normalize": Row(normalize_cases, normalize, terms=of_order_one),
    "moments": Row(
        moments_cases,
        lambda x, axis, keepdims: (x.mean(axis, keepdims=keepdims), x.var(axis, keepdims=keepdims)),
        function=te.moments,
        least=1,
        terms=of_order_one,
    ),
    "batch_norm": Row(batch_cases, batch_norm, function=te.batch_norm, terms=of_order_one),
    "batch_norm with given moments": Row(
        inference_cases,
        lambda x, gamma, beta, mean, variance: gamma * (x - mean) / np.sqrt(variance + 1e-3) + beta,
        domain="variance > 0",
        function=lambda x, gamma, beta, m, v: te.batch_norm(x, gamma, beta, mean=m, variance=v),
        terms=of_order_one,
    ),
    "layer_norm": Row(layer_cases, layer_norm, function=te.layer_norm, terms=of_order_one),
    "group_norm": Row(group_cases, group_norm, function=te.group_norm, terms=of_order_one),
    "embedding": Row(
        embedding_cases, embedding, domain="whole numbers from 0 to rows - 1", function=te.embedding
    ),
    "scaled_dot_product_attention": Row(
        attention_cases, attention, function=te.scaled_dot_product_attention, terms=of_order_one
    ),
}
