"""Rows of linear algebra."""

from typing import Any

import numpy as np
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from operations_table.row import Array, Case, Row, bilinear
from tinygrad_edu.testing import arrays, broadcastable_shapes, shapes


def matmul_cases(least: int, most: int) -> SearchStrategy[Case]:
    def call(drawn: Any) -> Any:
        (batch1, batch2), n, k, m, vectors = drawn
        first = (k,) if vectors[0] else (*batch1, n, k)
        second = (k,) if vectors[1] else (*batch2, k, m)
        return st.builds(lambda a, b: Case((a, b)), arrays(first), arrays(second))

    side = st.integers(least, most)
    batches = broadcastable_shapes(2, max_dims=2, min_side=least, max_side=min(most, 2))
    plain = st.just(((), ()))
    vectors = st.tuples(st.booleans(), st.booleans())
    return st.tuples(plain | batches, side, side, side, vectors).flatmap(call)


def matmul(a: Array, b: Array) -> Array:
    rows, columns = np.atleast_2d(a), b[:, None] if b.ndim == 1 else b
    out = np.einsum("...ik,...kj->...ij", rows, columns)
    out = out[..., 0] if b.ndim == 1 else out
    return out[..., 0] if a.ndim == 1 and b.ndim == 1 else out[..., 0, :] if a.ndim == 1 else out


def linear_cases(least: int, most: int) -> SearchStrategy[Case]:
    side = st.integers(least, most)
    lead = shapes(max_dims=2, min_side=least, max_side=most)
    return st.tuples(lead, side, side).flatmap(
        lambda d: st.builds(
            lambda x, w, b: Case((x, w, b)), arrays((*d[0], d[1])), arrays((d[1], d[2])), arrays((d[2],))
        )
    )


def linear(x: Array, w: Array, b: Array) -> Array:
    return np.einsum("...i,io->...o", x, w) + b


ROWS: dict[str, Row] = {
    "matmul": bilinear(matmul_cases, matmul),
    "linear": bilinear(linear_cases, linear),
}
