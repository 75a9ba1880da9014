"""Rows of indexing: picking elements, and putting others in their places."""

import math
from typing import Any

import numpy as np
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

import tinygrad_edu as te
from operations_table.row import Array, Case, Row, bilinear
from tinygrad_edu.ops.indexing import At, diagonal
from tinygrad_edu.testing import arrays, indices, shapes


def drawn(least: int, most: int, params: Any, min_dims: int = 0, max_dims: int = 3) -> SearchStrategy[Case]:
    """Draw an x, and then the parameters that fit it."""
    x = arrays(shapes(min_dims=min_dims, max_dims=max_dims, min_side=least, max_side=most))
    return x.flatmap(lambda x: params(x).map(lambda p: Case((x,), p)))


def calls(function: Any, min_dims: int = 0, max_dims: int = 3) -> Any:
    return lambda least, most: drawn(least, most, function, min_dims, max_dims)


def getitem_cases(least: int, most: int) -> SearchStrategy[Case]:
    x = arrays(shapes(min_side=least, max_side=most))
    return x.flatmap(lambda x: indices(x.shape).map(lambda i: Case((x,), {"index": i})))


def places(shape: Any, index: Any) -> Array:
    """Return the number, in row-major order, of each element that an index picks."""
    return np.asarray(np.arange(math.prod(shape)).reshape(shape)[index])


def getitem(x: Array, index: Any) -> Array:
    at = places(x.shape, index)
    return np.array([x.ravel()[i] for i in at.ravel()], float).reshape(at.shape)


def scatter_cases(least: int, most: int) -> SearchStrategy[Case]:
    def call(drawn: Any) -> Any:
        shape, index = drawn
        x = arrays(places(shape, index).shape)
        return x.map(lambda x: Case((x,), {"index": index, "shape": shape}))

    target = shapes(min_side=least, max_side=most)
    return target.flatmap(lambda s: st.tuples(st.just(s), indices(s))).flatmap(call)


def scatter_add(x: Array, index: Any, shape: Any) -> Array:
    flat = np.zeros(math.prod(shape))
    for i, v in zip(places(shape, index).ravel(), x.ravel(), strict=True):
        flat[i] += v
    return flat.reshape(shape)


def set_cases(least: int, most: int) -> SearchStrategy[Case]:
    """Draw values of the shape that the index names, or of one that broadcasts to it."""

    def call(d: Any) -> Any:
        shape, index, ones, lead = d
        at = places(shape, index).shape
        v = tuple(1 if i < len(ones) and ones[i] else n for i, n in enumerate(at))[min(lead, len(at)) :]
        return st.tuples(arrays(shape), arrays(v)).map(lambda xv: Case(xv, {"index": index}))

    ones = st.one_of(st.just([]), st.lists(st.booleans(), max_size=2))
    lead = st.sampled_from([0, 0, 0, 1, 3])
    return (
        shapes(min_side=least, max_side=most)
        .flatmap(lambda s: st.tuples(st.just(s), indices(s), ones, lead))
        .flatmap(call)
    )


def one_after_another(change: Any) -> Any:
    """Change the elements that an index names, one after another, by a function of the old and of v."""

    def value(x: Array, v: Array, index: Any) -> Array:
        at, flat = places(x.shape, index), x.ravel().copy()
        for i, new in zip(at.ravel(), np.broadcast_to(v, at.shape).ravel(), strict=True):
            flat[i] = change(flat[i], new)
        return flat.reshape(x.shape)

    return value


def integers(shape: Any, n: int) -> Any:
    """Draw indices into an axis of length n, which isn't 0 unless there are none."""
    return arrays(shape, dtype="int64", low=-n, high=n) if n else st.just(np.zeros(shape, int))


def take_params(x: Array) -> Any:
    def call(axis: int) -> Any:
        n = x.shape[axis]
        sizes = shapes(max_dims=2, max_side=3) if n else st.just((0,))
        names = sizes.flatmap(lambda s: integers(s, n))
        return names.map(lambda i: {"indices": i, "axis": axis})

    return st.integers(-x.ndim, x.ndim - 1).flatmap(call)


def take(x: Array, indices: Array, axis: int) -> Array:
    rows = np.moveaxis(x, axis, 0)
    out = np.array([rows[i] for i in indices.ravel()], float).reshape(indices.shape + rows.shape[1:])
    k, a = indices.ndim, axis % x.ndim
    return np.moveaxis(out, range(k), range(a, a + k))


def take_along_cases(least: int, most: int) -> SearchStrategy[Case]:
    """Draw an x and indices whose other axes broadcast, either way."""

    def call(d: Any) -> Any:
        shape, axis, ones, length = d
        axis = axis % len(shape) - len(shape)
        length = length if shape[axis] else 0
        sides = list(zip(shape, ones, strict=False))
        x_shape = [1 if one == "x" else n for n, one in sides]
        i_shape = [1 if one == "i" else n for n, one in sides]
        x_shape[axis], i_shape[axis] = shape[axis], length
        return st.tuples(arrays(x_shape), integers(tuple(i_shape), shape[axis])).map(
            lambda xi: Case((xi[0],), {"indices": xi[1], "axis": axis})
        )

    shape = shapes(min_dims=1, min_side=least, max_side=most)
    ones = st.lists(st.sampled_from([" ", " ", "x", "i"]), min_size=3, max_size=3)
    return st.tuples(shape, st.integers(0, 2), ones, st.integers(0, 3)).flatmap(call)


def take_along_axis(x: Array, indices: Array, axis: int) -> Array:
    n, length = x.shape[axis], indices.shape[axis]
    rest = [list(y.shape) for y in (x, indices)]
    for r in rest:
        r[axis] = 1
    whole = list(np.broadcast_shapes(*map(tuple, rest)))
    wide = [whole.copy(), whole.copy()]
    wide[0][axis], wide[1][axis] = n, length
    x, indices = np.broadcast_to(x, wide[0]), np.broadcast_to(indices, wide[1])
    out = np.zeros(wide[1])
    for place in np.ndindex(out.shape):
        at = list(place)
        at[axis] = indices[place]
        out[place] = x[tuple(at)]
    return out


def offsets(name: str) -> Any:
    return calls(lambda x: st.integers(-4, 4).map(lambda k: {name: k}), min_dims=2)


def diag_cases(least: int, most: int) -> SearchStrategy[Case]:
    return drawn(least, most, lambda x: st.integers(-3, 3).map(lambda k: {"k": k}), 1, 2)


def diag(x: Array, k: int) -> Array:
    if x.ndim == 2:
        return diagonals(x, k)
    out = np.zeros([len(x) + abs(k)] * 2)
    for i, value in enumerate(x):
        out[i + max(-k, 0), i + max(k, 0)] = value
    return out


def diagonals(x: Array, offset: int) -> Array:
    m, n = x.shape[-2:]
    found = [x[..., i, i + offset] for i in range(m) if 0 <= i + offset < n]
    return np.stack(found, -1) if found else np.zeros((*x.shape[:-2], 0))


def triangle(keeps: Any) -> Any:
    """Keep the elements (i, j) that a condition on j - i and k names."""

    def value(x: Array, k: int) -> Array:
        out = np.zeros(x.shape)
        for place in np.ndindex(x.shape):
            if keeps(place[-1] - place[-2], k):
                out[place] = x[place]
        return out

    return value


def one_hot_cases(least: int, most: int) -> SearchStrategy[Case]:
    def call(d: Any) -> Any:
        shape, n = d
        labels = arrays(shape, dtype="int64", low=0, high=n)
        at = st.integers(-len(shape) - 1, len(shape))
        dtypes = st.sampled_from(["float64", "int32", "bool"])
        return st.tuples(labels, at, dtypes).map(
            lambda p: Case((p[0],), {"num_classes": n, "axis": p[1], "dtype": p[2]})
        )

    return st.tuples(shapes(max_dims=2, min_side=least, max_side=most), st.integers(1, 4)).flatmap(call)


def one_hot(x: Array, num_classes: int, axis: int, dtype: str) -> Array:
    out = np.zeros((*x.shape, num_classes))
    for place in np.ndindex(x.shape):
        out[(*place, x[place])] = 1
    return np.moveaxis(out, -1, axis)


ROWS: dict[str, Row] = {
    "getitem": Row(getitem_cases, getitem),
    "scatter_add": bilinear(scatter_cases, scatter_add),
    "index_set": Row(set_cases, one_after_another(lambda old, v: v)),
    "index_add": bilinear(set_cases, one_after_another(lambda old, v: old + v)),
    "at.mul": Row(
        set_cases,
        one_after_another(lambda old, v: old * v),
        function=lambda x, v, index: At(x)[index].mul(v),
    ),
    "take": Row(
        calls(take_params, min_dims=1),
        take,
        function=lambda x, indices, axis: te.take(x, indices, axis=axis),
    ),
    "take_along_axis": Row(
        take_along_cases,
        take_along_axis,
        function=lambda x, indices, axis: te.take_along_axis(x, indices, axis=axis),
    ),
    "diagonal": Row(offsets("offset"), diagonals, function=diagonal),
    "diag": Row(diag_cases, diag, function=te.diag),
    "tril": Row(offsets("k"), triangle(lambda right, k: right <= k), function=te.tril),
    "triu": Row(offsets("k"), triangle(lambda right, k: right >= k), function=te.triu),
    "one_hot": Row(one_hot_cases, one_hot, keeps_dtype=False),
}
