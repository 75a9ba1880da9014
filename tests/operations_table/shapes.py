"""Rows of shapes and indexing."""

import math
from typing import Any

import numpy as np
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from operations_table.row import Array, Case, Row, bilinear
from tinygrad_edu.testing import arrays, axes, broadcastable_shapes, indices, shapes


def reshape_cases(least: int, most: int) -> SearchStrategy[Case]:
    def call(x: Array) -> Any:
        n = x.size
        targets = [x.shape[::-1], (1, *x.shape), (n,), (n, 1), (1, 1, n)] + [(-1,), (1, -1)] * (n > 0)
        return st.sampled_from(targets).map(lambda s: Case((x,), {"shape": s}))

    return arrays(shapes(min_side=least, max_side=most)).flatmap(call)


def reshape(x: Array, shape: Any) -> Array:
    size = [s for s in shape if s != -1]
    shape = tuple(x.size // math.prod(size) if s == -1 else s for s in shape)
    out = np.zeros(shape)
    for a, b in zip(np.ndindex(x.shape), np.ndindex(shape), strict=True):
        out[b] = x[a]
    return out


def permute_cases(least: int, most: int) -> SearchStrategy[Case]:
    def call(x: Array) -> Any:
        orders = st.permutations(range(x.ndim))
        signs = st.lists(st.booleans(), min_size=x.ndim, max_size=x.ndim)
        return st.tuples(orders, signs).map(
            lambda d: Case((x,), {"axes": tuple(a - x.ndim if s else a for a, s in zip(*d, strict=True))})
        )

    return arrays(shapes(min_side=least, max_side=most)).flatmap(call)


def permute_dims(x: Array, axes: tuple[int, ...]) -> Array:
    letters = "abcdef"[: x.ndim]
    return np.einsum(f"{letters}->{''.join(letters[a] for a in axes)}", x)


def broadcast_cases(least: int, most: int) -> SearchStrategy[Case]:
    return broadcastable_shapes(2, min_side=least, max_side=most, max_dims=2).flatmap(
        lambda s: arrays(s[0]).map(lambda x: Case((x,), {"shape": np.broadcast_shapes(*s)}))
    )


def broadcast_to(x: Array, shape: tuple[int, ...]) -> Array:
    out = x.reshape([1] * (len(shape) - x.ndim) + list(x.shape))
    for axis, n in enumerate(shape):
        if out.shape[axis] == 1:
            out = np.repeat(out, n, axis)
    return out


def flip_cases(least: int, most: int) -> SearchStrategy[Case]:
    x = arrays(shapes(min_side=least, max_side=most))
    return x.flatmap(lambda x: axes(x.ndim).map(lambda a: Case((x,), {"axis": a})))


def flip(x: Array, axis: Any) -> Array:
    named = range(x.ndim) if axis is None else axis if isinstance(axis, tuple) else (axis,)
    out = x.copy()
    for a in named:
        out = np.take(out, range(x.shape[a] - 1, -1, -1), a)
    return out


def concat_cases(least: int, most: int) -> SearchStrategy[Case]:
    def call(drawn: Any) -> Any:
        shape, axis, lengths = drawn
        axis %= len(shape)
        parts = [arrays((*shape[:axis], n, *shape[axis + 1 :])) for n in lengths]
        return st.tuples(st.tuples(*parts), st.sampled_from([axis, axis - len(shape)])).map(
            lambda d: Case(d[0], {"axis": d[1]})
        )

    lengths = st.lists(st.integers(least, most), min_size=1, max_size=3)
    shape = shapes(min_dims=1, max_dims=3, min_side=least, max_side=most)
    return st.tuples(shape, st.integers(0, 2), lengths).flatmap(call)


def concat(*parts: Array, axis: int) -> Array:
    rows = [row for part in parts for row in np.moveaxis(part, axis, 0)]
    rest = np.moveaxis(parts[0], axis, 0).shape[1:]
    return np.moveaxis(np.array(rows).reshape(len(rows), *rest), 0, axis)


def stack_cases(least: int, most: int) -> SearchStrategy[Case]:
    def call(drawn: Any) -> Any:
        shape, n = drawn
        parts = st.tuples(*[arrays(shape) for _ in range(n)])
        return st.tuples(parts, st.integers(-len(shape) - 1, len(shape))).map(
            lambda d: Case(d[0], {"axis": d[1]})
        )

    return st.tuples(shapes(max_dims=2, min_side=least, max_side=most), st.integers(1, 3)).flatmap(call)


def stack(*parts: Array, axis: int) -> Array:
    out = np.zeros((len(parts), *parts[0].shape))
    for i, part in enumerate(parts):
        out[i] = part
    return np.moveaxis(out, 0, axis)


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


ROWS: dict[str, Row] = {
    "reshape": Row(reshape_cases, reshape),
    "permute_dims": Row(permute_cases, permute_dims),
    "broadcast_to": Row(broadcast_cases, broadcast_to),
    "flip": Row(flip_cases, flip),
    "concat": Row(concat_cases, concat),
    "stack": Row(stack_cases, stack),
    "getitem": Row(getitem_cases, getitem),
    "scatter_add": bilinear(scatter_cases, scatter_add),
}
