"""Rows of reductions, scans, sorting and sets: many numbers to one, to as many, or to their places."""

import bisect
import itertools
import math
import statistics
from collections.abc import Callable
from typing import Any

import numpy as np
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

import tinygrad_edu as te
from operations_table.row import Array, Case, Row, along, of_sizes, reduction
from tinygrad_edu.ops.statistics import vector_norm
from tinygrad_edu.testing import arrays, axes, shapes

FEW = {"dtype": "int64", "low": -1, "high": 2}  # many of them equal, many 0


def log_sum_exp(values: list[float]) -> float:
    total = math.fsum(math.exp(v) for v in values)
    return math.log(total) if total else -math.inf


def with_a_zero(shape: Any) -> SearchStrategy[Array]:
    """Draw arrays one of whose elements may be exactly 0.

    Around a product with several zeros differences see no slope; test_reductions.py has those.
    """

    def make(x: Array, place: int) -> Array:
        return np.where(np.arange(x.size).reshape(x.shape) == place, 0.0, x)

    return st.builds(make, arrays(shape), st.integers(-1, 9))


def reduced(
    value: Callable[..., Any], draw: Any = arrays, several: bool = True, none: bool = True, **params: Any
) -> tuple[Any, Any]:
    """Return the cases and the reference of a reduction with further arguments, each drawn from a list.

    The reference gets the list of what is reduced, and those arguments.
    """

    def cases(least: int, most: int) -> SearchStrategy[Case]:
        def call(x: Array) -> Any:
            drawn = {name: st.sampled_from(options) for name, options in params.items()}
            drawn |= {"axis": axes(x.ndim, several=several, none=none), "keepdims": st.booleans()}
            return st.fixed_dictionaries(drawn).map(lambda d: Case((x,), d))

        return shapes(min_side=least, max_side=most).flatmap(draw).flatmap(call)

    def reference(x: Array, axis: Any = None, keepdims: bool = False, **given: Any) -> Array:
        return along(lambda values: value(values, **given))(x, axis, keepdims)

    return cases, reference


def squares(x: Array, axis: Any, keepdims: bool, **others: Any) -> Array:
    return along(lambda v: math.fsum(u * u for u in v))(x, axis, keepdims)


def variance(values: list[float], correction: float) -> float:
    middle = math.fsum(values) / len(values)
    return math.fsum((v - middle) ** 2 for v in values) / (len(values) - correction)


def norm(values: list[float], ord: float) -> float:
    sizes = [abs(v) for v in values]
    if not sizes:
        return 0.0 if ord > 0 else math.inf
    if math.isinf(ord):
        return max(sizes) if ord > 0 else min(sizes)
    return math.fsum(v**ord for v in sizes) ** (1 / ord)


def quantile(values: list[float], q: float) -> float:
    ordered = sorted(values)
    place = q * (len(values) - 1)
    low, high = ordered[math.floor(place)], ordered[math.ceil(place)]
    return low + (high - low) * (place % 1)


def lines(function: Callable[..., list[Any]]) -> Callable[..., Array]:
    """Apply a function of a list, which returns a list, to every line along an axis."""

    def value(*inputs: Array, axis: int, **params: Any) -> Array:
        rows = [np.moveaxis(x, axis, -1) for x in inputs]
        length = len(function(*[[1.0] * x.shape[-1] for x in rows], **params))
        lead = rows[0].shape[:-1]
        found = [function(*[x[i].tolist() for x in rows], **params) for i in np.ndindex(lead)]
        return np.moveaxis(np.array(found).reshape(*lead, length), -1, axis)

    return value


def line_cases(draw: Any, n: int = 1, **params: Any) -> Callable[[int, int], SearchStrategy[Case]]:
    """Draw n arrays of the same shape, an axis of theirs, and further arguments, each from a list."""

    def cases(least: int, most: int) -> SearchStrategy[Case]:
        def call(shape: Any) -> Any:
            drawn = {name: st.sampled_from(options) for name, options in params.items()}
            drawn["axis"] = axes(len(shape), none=False, several=False)
            return st.builds(Case, st.tuples(*[draw(shape)] * n), st.fixed_dictionaries(drawn))

        return shapes(min_dims=1, min_side=least, max_side=most).flatmap(call)

    return cases


def distinct(shape: Any) -> SearchStrategy[Array]:
    return arrays(shape, distinct=True)


def running(function: Callable[[list[float]], float]) -> Callable[..., Array]:
    def scan(values: list[float], include_initial: bool = False) -> list[float]:
        return [function(values[:k]) for k in range(1 - include_initial, len(values) + 1)]

    return lines(scan)


def recurrence(a: list[float], b: list[float], reverse: bool) -> list[float]:
    """Write each result out as a sum of products."""
    steps = range(len(b))
    if reverse:
        return [math.fsum(b[s] * math.prod(a[t + 1 : s + 1]) for s in steps if s >= t) for t in steps]
    return [math.fsum(b[s] * math.prod(a[s + 1 : t + 1]) for s in steps if s <= t) for t in steps]


def places_in_order(values: list[float], descending: bool, stable: bool = True) -> list[int]:
    return sorted(range(len(values)), key=lambda i: -values[i] if descending else values[i])


def in_order(values: list[float], descending: bool, stable: bool) -> list[float]:
    return sorted(values, reverse=descending)


def sorted_by_numpy(x: Array, axis: int, descending: bool, stable: bool) -> Array:
    return -np.sort(-x, axis, kind="stable") if descending else np.sort(x, axis, kind="stable")


def top_k_cases(least: int, most: int) -> SearchStrategy[Case]:
    def call(case: Case) -> Any:
        n = case.inputs[0].shape[case.params["axis"]]
        return st.integers(min(least, n), n).map(lambda k: Case(case.inputs, {**case.params, "k": k}))

    return line_cases(distinct, largest=[True, False])(least, most).flatmap(call)


def top_k(x: Array, axis: int, k: int, largest: bool) -> tuple[Array, Array]:
    order = lines(lambda v: places_in_order(v, largest)[:k])(x, axis=axis).astype(int)
    return lines(lambda v: sorted(v, reverse=largest)[:k])(x, axis=axis), order


def search_cases(least: int, most: int) -> SearchStrategy[Case]:
    def call(x1: Array, x2: Array, seed: int, shuffled: bool, side: str) -> Case:
        if not shuffled:
            return Case((np.sort(x1), x2), {"side": side})
        x1 = np.random.default_rng(seed).permutation(x1)
        return Case((x1, x2, np.argsort(x1)), {"side": side})

    lists = st.integers(least, 3 * most).flatmap(lambda n: arrays((n,), **FEW))
    sides = st.sampled_from(["left", "right"])
    wide = arrays(shapes(min_side=least, max_side=most), dtype="int64", low=-2, high=3)
    return st.builds(call, lists, wide, st.integers(0, 99), st.booleans(), sides)


def search(x1: Array, x2: Array, sorter: Any = None, side: str = "left") -> Array:
    find = bisect.bisect_left if side == "left" else bisect.bisect_right
    return np.array([find(sorted(x1.tolist()), v) for v in x2.ravel().tolist()], int).reshape(x2.shape)


def few_cases(min_dims: int) -> Callable[[int, int], SearchStrategy[Case]]:
    def cases(least: int, most: int) -> SearchStrategy[Case]:
        at = shapes(min_dims=min_dims, min_side=least, max_side=most)
        return arrays(at, **FEW).map(lambda x: Case((x,)))

    return cases


def nonzero(x: Array) -> tuple[Array, ...]:
    places = [place for place in np.ndindex(x.shape) if x[place]]
    return tuple(np.array([place[axis] for place in places], int) for axis in range(x.ndim))


def unique_all(x: Array) -> tuple[Any, ...]:
    flat = x.ravel().tolist()
    values = sorted(set(flat))
    inverse = np.array([values.index(v) for v in flat], int).reshape(x.shape)
    return values, [flat.index(v) for v in values], inverse, [flat.count(v) for v in values]


def isin_cases(least: int, most: int) -> SearchStrategy[Case]:
    any_shape = shapes(max_dims=2, min_side=least, max_side=most)
    both = st.tuples(arrays(any_shape, dtype="int64", low=-3, high=3), arrays(any_shape, **FEW))
    return st.builds(lambda d, invert: Case(d, {"invert": invert}), both, st.booleans())


def diff_cases(least: int, most: int) -> SearchStrategy[Case]:
    def call(drawn: Any) -> Any:
        shape, axis, lengths = drawn
        axis %= len(shape)
        parts = [arrays((*shape[:axis], n, *shape[axis + 1 :])) for n in (shape[axis], *lengths)]
        signed = st.sampled_from([axis, axis - len(shape)])
        return st.builds(lambda x, a, n: Case(x, {"axis": a, "n": n}), st.tuples(*parts), signed, times)

    times = st.integers(0, 3)
    shape = shapes(min_dims=1, max_dims=2, min_side=least, max_side=most)
    lengths = st.tuples(st.integers(0, 2), st.integers(0, 2))
    return st.tuples(shape, st.integers(0, 1), lengths).flatmap(call)


def diff(x: Array, before: Array, after: Array, axis: int, n: int) -> Array:
    def differences(values: list[float]) -> list[float]:
        for _ in range(n):
            values = [b - a for a, b in itertools.pairwise(values)]
        return values

    return lines(differences)(np.concatenate([before, x, after], axis), axis=axis)


def called_diff(x: Any, before: Any, after: Any, **params: Any) -> Any:
    return te.diff(x, prepend=before, append=after, **params)


def called_quantile(x: Any, q: float, **params: Any) -> Any:
    return te.quantile(x, q, **params)


def called_top_k(x: Any, k: int, **params: Any) -> Any:
    return te.top_k(x, k, **params)


ANY_ZEROS = {"draw": lambda shape: arrays(shape, **FEW)}
ORDS = [1, 2, 2.0, 3, 4, 0.5, 1.5, -1, -2.5]
INITIAL = {"include_initial": [False, True]}

ROWS: dict[str, Row] = {
    "sum": reduction(math.fsum, terms=of_sizes(along(math.fsum)), numpy=np.sum),
    "mean": reduction(
        lambda v: math.fsum(v) / len(v), least=1, terms=of_sizes(along(math.fsum)), numpy=np.mean
    ),
    "max": reduction(
        max, least=1, numpy=np.max, kinks="ties", at_kinks=((([3.0, 1.0, 3.0],), {}, ([0.5, 0.0, 0.5],)),)
    ),
    "min": reduction(
        min, least=1, numpy=np.min, kinks="ties", at_kinks=((([1.0, 3.0, 1.0],), {}, ([0.5, 0.0, 0.5],)),)
    ),
    "logsumexp": reduction(
        log_sum_exp,
        terms=lambda x, **params: np.float64(4),
        at_kinks=((([-math.inf, -math.inf],), {}, ([0.0, 0.0],)),),  # a sum of nothing
    ),
    "argmax": reduction(lambda v: v.index(max(v)), several=False, least=1, keeps_dtype=False),
    "argmin": reduction(lambda v: v.index(min(v)), several=False, least=1, keeps_dtype=False),
    "any": Row(*reduced(any, **ANY_ZEROS), numpy=np.any, keeps_dtype=False),
    "all": Row(*reduced(all, **ANY_ZEROS), numpy=np.all, keeps_dtype=False),
    "count_nonzero": Row(
        *reduced(lambda v: len(v) - v.count(0), **ANY_ZEROS), numpy=np.count_nonzero, keeps_dtype=False
    ),
    "prod": Row(*reduced(math.prod, draw=with_a_zero), numpy=np.prod, ulps=32),  # as many factors as 27
    "var": Row(*reduced(variance, correction=[0.0, 0.5]), function=te.var, least=1, terms=squares),
    "std": Row(
        *reduced(lambda v, correction: math.sqrt(variance(v, correction)), correction=[0.0, 0.5]),
        function=te.std,
        least=1,
        terms=lambda *x, **params: np.sqrt(squares(*x, **params)),
        kinks="where all are equal",
        at_kinks=((([0.1, 0.1, 0.1],), {}, ([0.0, 0.0, 0.0],)),),
    ),
    "vector_norm": Row(
        *reduced(norm, draw=lambda shape: arrays(shape, avoid=[0.0]), ord=ORDS),
        kinks="0",
        at_kinks=(
            (([0.0, 0.0],), {}, ([0.0, 0.0],)),
            (([0.0, -2.0],), {"ord": 1}, ([0.0, -1.0],)),
            (([0.0, -2.0],), {"ord": 0.5}, ([0.0, -1.0],)),
        ),
        ulps=64,  # as many terms as 27, and a power of their sum
    ),
    "vector_norm of extremes": Row(
        *reduced(norm, draw=distinct, ord=[math.inf, -math.inf]), function=vector_norm, least=1
    ),
    "quantile": Row(
        *reduced(quantile, draw=distinct, q=[0, 0.25, 0.3, 0.5, 1]),
        function=called_quantile,
        least=1,
        kinks="ties",
        terms=of_sizes(lambda x, q, **params: along(max)(x, **params)),
    ),
    "median": Row(
        *reduced(statistics.median, draw=distinct),
        function=te.median,
        least=1,
        kinks="ties",
        terms=of_sizes(along(max)),
    ),
    "diff": Row(
        diff_cases,
        diff,
        function=called_diff,
        terms=lambda x, *parts, axis, n: np.float64(2.0 ** (n + 1)),
    ),
    "linear_recurrence": Row(
        line_cases(with_a_zero, 2, reverse=[False, True]),
        lines(recurrence),
        terms=lambda a, b, **params: lines(recurrence)(np.abs(a), np.abs(b), **params),
    ),
    "cumulative_sum": Row(
        line_cases(arrays, **INITIAL), running(math.fsum), terms=of_sizes(running(math.fsum))
    ),
    "cumulative_prod": Row(line_cases(with_a_zero, **INITIAL), running(math.prod)),
    "cumulative_logsumexp": Row(
        line_cases(arrays),
        running(log_sum_exp),
        terms=lambda x, **params: np.float64(4),
        # -inf is the logarithm of nothing, which has no part in the sum.
        at_kinks=((([-math.inf, 0.0, -math.inf],), {"axis": 0}, ([0.0, 2.0, 0.0],)),),
    ),
    "sort": Row(
        line_cases(distinct, descending=[False, True], stable=[False, True]),
        lines(in_order),
        numpy=sorted_by_numpy,
        kinks="ties",
        at_kinks=((([2.0, 1.0, 2.0],), {}, ([1.0, 1.0, 1.0],)),),
    ),
    "argsort": Row(
        line_cases(lambda shape: arrays(shape, **FEW), descending=[False, True]),
        lines(places_in_order),
        keeps_dtype=False,
    ),
    "top_k": Row(top_k_cases, top_k, function=called_top_k, kinks="ties"),
    "searchsorted": Row(search_cases, search, keeps_dtype=False),
    "nonzero": Row(few_cases(1), nonzero, keeps_dtype=False),
    "unique_all": Row(few_cases(0), unique_all, keeps_dtype=False),
    "isin": Row(isin_cases, lambda x1, x2, invert: np.isin(x1, x2) != invert, keeps_dtype=False),
}
