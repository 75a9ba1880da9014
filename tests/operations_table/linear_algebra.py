"""Rows of linear algebra: linear systems and factorizations; the products have a file of their own.

The matrices are drawn well conditioned: differences, and float32, lose as many digits as the condition
number has. What singular ones do, and those with equal eigenvalues, stands in test_linalg.py.
"""

import itertools
import math
from typing import Any

import numpy as np
import scipy.linalg
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

import tinygrad_edu as te
from operations_table.products import ROWS as PRODUCTS
from operations_table.products import matmul
from operations_table.row import Array, Case, Row
from tinygrad_edu import ops
from tinygrad_edu.testing import arrays, broadcastable_shapes, shapes


def batches(least: int, most: int) -> SearchStrategy[Any]:
    return shapes(max_dims=1, min_side=least, max_side=min(most, 2))


def regular(shape: Any) -> SearchStrategy[Array]:
    """Draw matrices (…, n, m) near a diagonal of different numbers of either sign: condition about 10."""

    def lift(x: Array) -> Array:
        k = min(x.shape[-2:])
        diagonal = np.eye(*x.shape[-2:])
        diagonal[range(k), range(k)] = 1.5 * (1 + np.arange(k)) * (-1.0) ** np.arange(k)
        return x * 0.1 + diagonal

    return arrays(shape).map(lift)


def square_cases(least: int, most: int, **params: Any) -> SearchStrategy[Case]:
    """Draw a batch of square matrices, and one of each parameter's values."""
    drawn = st.fixed_dictionaries({name: st.sampled_from(values) for name, values in params.items()})
    at = st.builds(lambda b, n: (*b, n, n), batches(least, most), st.integers(least, most))
    return st.builds(lambda x, p: Case((x,), p), at.flatmap(regular), drawn)


def power_cases(least: int, most: int) -> SearchStrategy[Case]:
    return square_cases(least, most, n=[-2, -1, 1, 2, 3, 5]).map(lambda c: Case((*c.inputs, c.params["n"])))


def positive_cases(least: int, most: int) -> SearchStrategy[Case]:
    """Draw matrices with a positive definite symmetric part, that aren't symmetric themselves."""

    def positive(case: Case) -> Case:
        (x,) = case.inputs
        return Case((x @ np.swapaxes(x, -1, -2) + np.tri(x.shape[-1]) / 9,), case.params)

    return square_cases(least, most, upper=[False, True]).map(positive)


def symmetric_part(x: Array) -> Array:
    return (x + np.swapaxes(x, -1, -2)) / 2


def cholesky(x: Array, upper: bool) -> Array:
    """Column by column, as in a textbook."""
    x = symmetric_part(x)
    y = np.zeros(x.shape)
    for j in range(x.shape[-1]):
        rest = x[..., j:, j] - np.sum(y[..., j:, :j] * y[..., j, None, :j], axis=-1)
        y[..., j:, j] = rest / np.sqrt(rest[..., :1])
    return np.swapaxes(y, -1, -2) if upper else y


def eigh(x: Array) -> Any:
    """By SciPy, one matrix after the other."""
    return by_matrix(scipy.linalg.eigh, symmetric_part(x))


def by_matrix(function: Any, x: Array) -> Any:
    """Call with each matrix of a batch; return the results stacked. Of none, the identity has the shapes."""
    batch = x.shape[:-2]
    found = [function(x[place]) for place in np.ndindex(batch)] or [function(np.eye(*x.shape[-2:]))]
    stacked = [np.stack(parts)[: math.prod(batch)] for parts in zip(*found, strict=True)]
    return tuple(y.reshape((*batch, *y.shape[1:])) for y in stacked)


def signs(vectors: Any) -> Any:
    """Return the sign of each column's largest element, as good as always."""
    return te.expand_dims(te.sign(te.sum(vectors**3, axis=-2)), axis=len(vectors.shape) - 2)


def turned_eigh(w: Any, v: Any) -> Any:
    return w, v * signs(v)


def turned_qr(q: Any, r: Any) -> Any:
    return q * signs(q), te.matrix_transpose(te.matrix_transpose(r) * signs(q))


def turned_svd(u: Any, s: Any, vh: Any) -> Any:
    return u * signs(u), s, te.matrix_transpose(te.matrix_transpose(vh) * signs(u))


def inverse(x: Array) -> Array:
    """By Cramer's rule."""
    return np.swapaxes(cofactor(x), -1, -2) / det(x)[..., None, None]


def det(x: Array) -> Array:
    """By Laplace's expansion along the first row."""
    n = x.shape[-1]
    if n == 0:
        return np.ones(x.shape[:-2])
    minors = [det(np.delete(x[..., 1:, :], j, axis=-1)) for j in range(n)]
    return sum((-1) ** j * x[..., 0, j] * minors[j] for j in range(n))  # type: ignore[return-value]


def cofactor(x: Array) -> Array:
    n, y = x.shape[-1], np.zeros(x.shape)
    for i, j in np.ndindex(n, n):
        y[..., i, j] = (-1) ** (i + j) * det(np.delete(np.delete(x, i, axis=-2), j, axis=-1))
    return y


def det_terms(x: Array) -> Array:
    """Return by how much det moves if each element moves by its own size."""
    return np.sum(np.abs(x * cofactor(x)), axis=(-2, -1))


def cofactor_terms(x: Array) -> Array:
    return np.max(np.abs(x), initial=0) ** (x.shape[-1] - 1) * x.shape[-1] if x.size else np.zeros(x.shape)


def cofactor_grad_cases(least: int, most: int) -> SearchStrategy[Case]:
    return square_cases(least, most).flatmap(
        lambda c: arrays(c.inputs[0].shape).map(lambda g: Case((g, c.inputs[0])))
    )


def cofactor_grad(g: Array, x: Array) -> Array:
    """By differences, which are exact but for rounding: along a line it is a polynomial of low degree."""
    h = 0.5 ** np.arange(4)
    slopes = [(cofactor(x + t * g) - cofactor(x - t * g)) / (2 * t) for t in h]
    for order in range(1, 4):  # Richardson's extrapolation
        slopes = [(4**order * b - a) / (4**order - 1) for a, b in itertools.pairwise(slopes)]
    return slopes[0]


def cofactor_grad_terms(g: Array, x: Array) -> Array:
    n, size = x.shape[-1], np.max(np.abs(x), initial=0)
    return n**2 * size ** max(n - 2, 0) * np.max(np.abs(g), initial=0) if x.size else np.zeros(x.shape)


def inverse_terms(x: Array) -> Array:
    y = np.abs(inverse(x))
    return y @ np.abs(x) @ y


def slogdet(x: Array) -> Any:
    d = det(x)
    return np.sign(d), np.log(np.abs(d))


def system_cases(least: int, most: int) -> SearchStrategy[Case]:
    @st.composite
    def draw_case(draw: Any) -> Case:
        one, other = draw(broadcastable_shapes(2, max_dims=1, min_side=least, max_side=min(most, 2)))
        n, k = draw(st.integers(least, most)), draw(st.integers(least, most))
        x1 = draw(regular((*one, n, n)))
        return Case((x1, draw(arrays((n,) if draw(st.booleans()) else (*other, n, k)))))

    return draw_case()


def solve(x1: Array, x2: Array) -> Array:
    return matmul(inverse(x1), x2)


def solve_terms(x1: Array, x2: Array) -> Array:
    if x2.ndim == 1:  # which is one vector for all matrices, not one row of vectors
        return solve_terms(x1, x2[:, None])[..., 0]
    return matmul(np.abs(inverse(x1)), matmul(np.abs(x1), np.abs(solve(x1, x2))) + np.abs(x2))


def triangular_cases(least: int, most: int) -> SearchStrategy[Case]:
    flags = {name: st.booleans() for name in ("lower", "transposed", "unit_diagonal")}
    both = st.tuples(system_cases(least, most), st.fixed_dictionaries(flags))
    return both.map(lambda drawn: Case(drawn[0].inputs, drawn[1]))


def effective(a: Array, lower: bool, transposed: bool, unit_diagonal: bool) -> Array:
    """Return the matrix that is meant."""
    a = np.tril(a) if lower else np.triu(a)
    if unit_diagonal:
        a = a * (1 - np.eye(a.shape[-1])) + np.eye(a.shape[-1])
    return np.swapaxes(a, -1, -2) if transposed else a


def solve_triangular(a: Array, b: Array, **flags: bool) -> Array:
    return solve(effective(a, **flags), b)


def triangular_terms(a: Array, b: Array, **flags: bool) -> Array:
    return solve_terms(effective(a, **flags), b)


def matrix_power(x: Array, n: int) -> Array:
    y = np.eye(x.shape[-1])
    for _ in range(abs(n)):
        y = y @ (x if n > 0 else inverse(x))
    return np.broadcast_to(y, x.shape)


def power_terms(x: Array, n: int) -> Array:
    """The sizes of all products that are added up, of inverses too, whose own rounding grows with them."""
    y = np.abs(x) if n > 0 else inverse_terms(x)
    return abs(n) * matrix_power(y, abs(n))


# -- matrices of any shape ---------------------------------------------------------------------------------


def matrix_cases(least: int, most: int, **params: Any) -> SearchStrategy[Case]:
    drawn = st.fixed_dictionaries({name: st.sampled_from(values) for name, values in params.items()})
    side = st.integers(least, most)
    at = st.builds(lambda b, n, m: (*b, n, m), batches(least, most), side, side)
    return st.builds(lambda x, p: Case((x,), p), at.flatmap(regular), drawn)


def qr_cases(least: int, most: int) -> SearchStrategy[Case]:
    """Draw both modes, "complete" where all columns of Q have a gradient."""

    def possible(case: Case) -> Case:
        m, n = case.inputs[0].shape[-2:]
        return case if m <= n else Case(case.inputs, {"mode": "reduced"})

    return matrix_cases(least, most, mode=["reduced", "complete"]).map(possible)


def gram_schmidt(x: Array, mode: str) -> Any:
    k = min(x.shape[-2:])
    q = np.zeros((*x.shape[:-1], k))
    for j in range(k):
        rest = x[..., j] - (q @ (np.swapaxes(q, -1, -2) @ x[..., j, None]))[..., 0]
        q[..., j] = rest / np.sqrt(np.sum(rest**2, axis=-1, keepdims=True))
    return q, np.triu(np.swapaxes(q, -1, -2) @ x)


def svd_cases(least: int, most: int) -> SearchStrategy[Case]:
    """Draw full matrices only where they are the reduced ones, so that all vectors have a gradient."""

    def possible(case: Case) -> Case:
        m, n = case.inputs[0].shape[-2:]
        return case if m == n else Case(case.inputs, {"full_matrices": False})

    return matrix_cases(least, most, full_matrices=[True, False]).map(possible)


def svd(x: Array, full_matrices: bool = False) -> Any:
    """From the eigenvectors of xᵀ x, or of x xᵀ if that is smaller."""
    if x.shape[-2] < x.shape[-1]:
        v, s, uh = svd(np.swapaxes(x, -1, -2))
        return np.swapaxes(uh, -1, -2), s, np.swapaxes(v, -1, -2)
    w, v = np.linalg.eigh(np.swapaxes(x, -1, -2) @ x)
    s, v = np.sqrt(w[..., ::-1]), v[..., ::-1]
    return (x @ v) / s[..., None, :], s, np.swapaxes(v, -1, -2)


def pinv(x: Array, rtol: Any = None) -> Array:
    """From the normal equations."""
    t = np.swapaxes(x, -1, -2)
    return inverse(t @ x) @ t if x.shape[-2] >= x.shape[-1] else t @ inverse(x @ t)


def pinv_terms(x: Array, rtol: Any = None) -> Array:
    y = np.abs(pinv(x))
    return y @ np.abs(x) @ y


def rank_cases(least: int, most: int) -> SearchStrategy[Case]:
    """Draw products of thin matrices."""

    def call(drawn: Any) -> Any:
        batch, n, k, m = drawn
        k = min(k, n, m)
        thin = st.tuples(regular((*batch, n, k)), regular((*batch, k, m)))
        return thin.map(lambda pair: Case((pair[0] @ pair[1],), {"rtol": 1e-4}))

    side = st.integers(least, most)
    return st.tuples(batches(least, most), side, st.integers(0, most), side).flatmap(call)


def matrix_rank(x: Array, rtol: float) -> Array:
    """By counting Gauss's pivots."""

    def pivots(a: Array) -> tuple[int]:
        a, count = a.copy(), 0
        while a.size and np.abs(a).max() > 1e-6:
            i, j = np.unravel_index(np.abs(a).argmax(), a.shape)
            a = np.delete(a - np.outer(a[:, j], a[i]) / a[i, j], i, axis=0)
            count += 1
        return (count,)

    return by_matrix(pivots, x)[0]


def norm_cases(least: int, most: int) -> SearchStrategy[Case]:
    orders = ["fro", "nuc", 1, -1, 2, -2, np.inf, -np.inf]
    return matrix_cases(max(least, 1), most, ord=orders, keepdims=[False, True])


def matrix_norm(x: Array, ord: Any, keepdims: bool) -> Array:
    return np.linalg.norm(x, ord=ord, axis=(-2, -1), keepdims=keepdims)


def largest(x: Array, *_: Any, **__: Any) -> Any:
    """The size of the largest element: factors are as exact as that, not as their own elements are."""
    return np.max(np.abs(x), initial=1)


ROWS: dict[str, Row] = PRODUCTS | {
    "inv": Row(square_cases, inverse, "regular matrices", terms=inverse_terms),
    "solve": Row(system_cases, solve, "regular matrices", terms=solve_terms),
    "solve_triangular": Row(triangular_cases, solve_triangular, "regular matrices", terms=triangular_terms),
    "det": Row(square_cases, det, terms=det_terms),
    "cofactor_grad": Row(
        cofactor_grad_cases, cofactor_grad, "regular matrices", terms=cofactor_grad_terms, slope_atol=1e-9
    ),
    # It comes from the SVD, whose rounding is of the size of the largest element.
    "cofactor": Row(square_cases, cofactor, terms=cofactor_terms, slope_atol=1e-9),
    "slogdet": Row(
        square_cases,
        slogdet,
        "regular matrices",
        "det = 0",
        terms=lambda x: np.max(det_terms(x) / np.abs(det(x)), initial=0),
    ),
    "matrix_power": Row(
        power_cases,
        matrix_power,
        "regular matrices",
        function=ops.matrix_power,
        terms=power_terms,
    ),
    "pinv": Row(matrix_cases, pinv, "matrices of full rank", "where the rank changes", terms=pinv_terms),
    "matrix_rank": Row(rank_cases, matrix_rank, keeps_dtype=False),
    "matrix_norm": Row(norm_cases, matrix_norm, kinks="ties", function=ops.matrix_norm, terms=largest),
    "cholesky": Row(positive_cases, cholesky, "positive definite matrices", terms=largest),
    "qr": Row(qr_cases, gram_schmidt, "matrices of full rank", fixed=turned_qr, terms=largest),
    "eigh": Row(square_cases, eigh, "matrices of different eigenvalues", fixed=turned_eigh, terms=largest),
    "svd": Row(svd_cases, svd, "matrices of different singular values", fixed=turned_svd, terms=largest),
    "eigvalsh": Row(square_cases, lambda x: eigh(x)[0], function=te.linalg.eigvalsh, terms=largest),
    "svdvals": Row(
        lambda least, most: svd_cases(least, most).map(lambda case: Case(case.inputs)),
        lambda x: svd(x)[1],
        "matrices of different singular values, none 0",
        function=te.linalg.svdvals,
        terms=largest,
    ),
}
