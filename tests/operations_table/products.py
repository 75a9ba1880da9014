"""Rows of products: of vectors, matrices and tensors."""

from typing import Any

import numpy as np
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

import tinygrad_edu as te
from operations_table.row import Array, Case, Row, bilinear, of_sizes
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
    """A dense layer, in half of the cases with ReLU, whose kink no sum comes close to."""
    side = st.integers(least, most)
    lead = shapes(max_dims=2, min_side=least, max_side=most)

    def has_slope(case: Case) -> bool:
        return case.params["activation"] is None or bool(np.all(np.abs(linear(*case.inputs)) > 0.01))

    return (
        st.tuples(lead, side, side)
        .flatmap(
            lambda d: st.builds(
                lambda x, w, b, activation: Case((x, w, b), {"activation": activation}),
                arrays((*d[0], d[1])),
                arrays((d[1], d[2])),
                arrays((d[2],), avoid=(0,), margin=0.05),
                st.sampled_from([None, "relu"]),
            )
        )
        .filter(has_slope)
    )


def linear(x: Array, w: Array, b: Array, activation: str | None = None) -> Array:
    y = np.einsum("...i,io->...o", x, w) + b
    return np.maximum(y, 0) if activation == "relu" else y


def einsum_cases(least: int, most: int) -> SearchStrategy[Case]:
    """Draw expressions: letters at will, repeated or not, axes of 1 where others are longer, dots."""

    @st.composite
    def draw_case(draw: Any) -> Case:
        sizes = {c: draw(st.integers(least, most)) for c in "abc"}
        dots = draw(shapes(max_dims=2, min_side=least, max_side=min(most, 2)))
        terms, inputs = [], []
        for _ in range(draw(st.integers(1, 3))):
            names = draw(st.lists(st.sampled_from("abc"), max_size=3))
            thin = draw(st.sampled_from("abc-"))
            shape = [1 if c == thin else sizes[c] for c in names]
            at = draw(st.integers(0, len(names)))
            some = draw(st.none() | st.integers(0, len(dots)))
            term = "".join(names)
            if some is not None:
                term = f"{term[:at]}...{term[at:]}"
                shape[at:at] = dots[some:]
            terms.append(term)
            inputs.append(draw(arrays(tuple(shape))))
        left = ",".join(terms)
        if not draw(st.booleans()):
            return Case(tuple(inputs), {"subscripts": left})
        known = sorted(set(left) & set("abc"))
        result = draw(st.lists(st.sampled_from(known), unique=True)) if known else []
        right = draw(st.permutations([*result, "..."] if "..." in left else result))
        return Case(tuple(inputs), {"subscripts": f"{left} -> {''.join(right)}"})

    return draw_case()


def einsum(*operands: Array, subscripts: str) -> Array:
    """Copy each operand along all indices, multiply, and sum: what the expression says, word by word."""
    left, arrow, right = subscripts.replace(" ", "").partition("->")
    terms = left.split(",")
    counts = [x.ndim - len(t.replace("...", "")) for x, t in zip(operands, terms, strict=True)]
    dots = "XYZ"[: max(counts)]
    named = [t.replace("...", dots[len(dots) - n :]) for n, t in zip(counts, terms, strict=True)]
    if not arrow:
        right = "..." + "".join(sorted(c for c in left if c.isalpha() and left.count(c) == 1))
    result = right.replace("...", dots)
    order = list(result) + sorted(set("".join(named)) - set(result))
    size = dict.fromkeys(order, 1)
    for x, names in zip(operands, named, strict=True):
        size |= {c: n for c, n in zip(names, x.shape, strict=True) if n != 1}
    total = np.zeros([size[c] for c in result])
    for place in np.ndindex(*[size[c] for c in order]):
        at = dict(zip(order, place, strict=True))
        factors = [
            x[tuple([at[c] if n != 1 else 0 for c, n in zip(names, x.shape, strict=True)])]
            for x, names in zip(operands, named, strict=True)
        ]
        total[place[: len(result)]] += np.prod(factors)
    return total


def vecdot_cases(least: int, most: int) -> SearchStrategy[Case]:
    return vector_cases(st.integers(least, most), least, most)


def cross_cases(least: int, most: int) -> SearchStrategy[Case]:
    return vector_cases(st.just(3), least, most)


def vector_cases(length: Any, least: int, most: int) -> SearchStrategy[Case]:
    """Draw two batches of vectors along an axis that is counted from either end."""

    def call(drawn: Any) -> Any:
        (one, other), n, back, front = drawn
        back = min(back, len(one), len(other))
        shape1, shape2 = ((*s[: len(s) - back], n, *s[len(s) - back :]) for s in (one, other))
        axis = len(one) - back if front and len(one) == len(other) else -1 - back
        return st.builds(lambda a, b: Case((a, b), {"axis": axis}), arrays(shape1), arrays(shape2))

    batches = broadcastable_shapes(2, max_dims=2, min_side=least, max_side=most)
    return st.tuples(batches, length, st.integers(0, 2), st.booleans()).flatmap(call)


def vecdot(x1: Array, x2: Array, axis: int) -> Array:
    return np.sum(np.moveaxis(x1, axis, -1) * np.moveaxis(x2, axis, -1), axis=-1)


def cross(x1: Array, x2: Array, axis: int) -> Array:
    (a, b, c), (d, e, f) = (np.moveaxis(x, axis, 0) for x in (x1, x2))
    rows = [b * f - c * e, c * d - a * f, a * e - b * d]
    return np.stack(rows, axis if axis < 0 else max(x1.ndim, x2.ndim) - x1.ndim + axis)


def tensordot_cases(least: int, most: int) -> SearchStrategy[Case]:
    @st.composite
    def draw_case(draw: Any) -> Case:
        shared = draw(shapes(max_dims=2, min_side=least, max_side=most))
        one, other = (draw(shapes(max_dims=1, min_side=least, max_side=most)) for _ in range(2))
        x1, x2 = draw(arrays((*one, *shared))), draw(arrays((*shared, *other)))
        n = len(shared)
        if draw(st.booleans()):
            return Case((x1, x2), {"axes": n})
        order1, order2 = draw(st.permutations(range(x1.ndim))), draw(st.permutations(range(x2.ndim)))
        over1 = tuple(order1.index(len(one) + k) for k in range(n))
        over2 = tuple(order2.index(k) - x2.ndim for k in range(n))
        return Case((x1.transpose(order1), x2.transpose(order2)), {"axes": (over1, over2)})

    return draw_case()


def outer_cases(least: int, most: int) -> SearchStrategy[Case]:
    vectors = shapes(min_dims=1, max_dims=1, min_side=least, max_side=most)
    return st.builds(lambda a, b: Case((a, b)), arrays(vectors), arrays(vectors))


def trace_cases(least: int, most: int) -> SearchStrategy[Case]:
    at = shapes(min_dims=2, min_side=least, max_side=most)
    return st.builds(lambda x, k: Case((x,), {"offset": k}), arrays(at), st.integers(-2, 2))


def trace(x: Array, offset: int) -> Array:
    return np.trace(x, offset, -2, -1)


ROWS: dict[str, Row] = {
    "matmul": bilinear(matmul_cases, matmul),
    "linear": Row(
        linear_cases,
        linear,
        kinks="where a sum is 0, with ReLU",
        at_kinks=(
            (
                (np.ones((1, 1)), np.ones((1, 1)), np.array([-1.0])),
                {"activation": "relu"},
                (np.zeros((1, 1)), np.zeros((1, 1)), np.zeros(1)),
            ),
        ),
        terms=of_sizes(linear),
    ),
    "einsum": bilinear(einsum_cases, einsum),
    "vecdot": Row(vecdot_cases, vecdot, function=te.vecdot, terms=of_sizes(vecdot)),
    "cross": Row(cross_cases, cross, function=te.cross, terms=lambda a, b, axis: 8),
    "tensordot": Row(tensordot_cases, np.tensordot, function=te.tensordot, terms=of_sizes(np.tensordot)),
    "outer": Row(outer_cases, np.outer, function=te.outer),
    "trace": Row(trace_cases, trace, function=te.trace, terms=of_sizes(trace)),
}
