"""What a row of the operations' table is, and how the common kinds of rows are made.

An input keeps away from the kinks and poles of its operation, since there is no slope to compare there;
what happens *at* a kink stands as examples in test_operations_edges.py. The references are written without
the engine: plain Python on single numbers, loops, NumPy, SciPy, or the readable twins of the kernels.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy
from numpy.typing import NDArray

import tinygrad_edu as te
from tinygrad_edu.testing import arrays, axes, broadcastable_shapes, shapes

Array = NDArray[Any]


@dataclass(frozen=True)
class Case:
    """A call: ``operation.apply(*inputs, **params)``. Arrays of floats are float64; numbers stay numbers."""

    inputs: tuple[Any, ...]
    params: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Row:
    """How one operation, or one function composed of operations, is tested."""

    cases: Callable[[int, int], SearchStrategy[Case]]  # from the least and the greatest side
    value: Callable[..., Any]  # the reference: same arguments, arrays in and out
    domain: str = "all reals"  # what the inputs are drawn from, in words
    kinks: str = "none"  # where it has no slope, or jumps, in words
    at_kinks: tuple[tuple[tuple[Any, ...], dict[str, Any], tuple[Any, ...]], ...] = ()
    # What it answers there all the same: inputs, arguments, and the gradient of the sum in each input.
    function: Callable[..., Any] | None = None  # what to call, if it isn't an operation of the registry
    least: int = 0  # the least side it can do with
    numpy: Callable[..., Any] | None = None  # what it must equal at nan, inf and both zeros
    terms: Callable[..., Any] | None = None  # the size of the terms that are added up: rounding goes with it
    keeps_dtype: bool = True
    rtol: float = 1e-11  # of the value against the reference, in float64
    slope_rtol: float = 1e-7  # of the gradient against differences
    slope_atol: float = 0.0
    ulps: float = 16  # of float32 against float64
    fixed: Callable[..., Any] | None = None  # maps the results to what doesn't depend on a choice of signs


def has_slopes(function: Callable[..., Any], inputs: tuple[Any, ...], slopes: tuple[Any, ...]) -> bool:
    """Tell whether the sum of a function's result has these gradients, recorded or not."""
    leaves = [te.Tensor(np.array(x, np.float64), requires_grad=True) for x in inputs]
    with np.errstate(all="ignore"):
        for create_graph in (False, True):
            found = te.grad(function(*leaves).sum(), leaves, create_graph=create_graph, allow_unused=True)
            for g, slope in zip(found, slopes, strict=True):
                if not np.array_equal(0 if g is None else g.data, slope):
                    return False
    return True


def one_by_one(function: Callable[..., Any]) -> Callable[..., Array]:
    """Apply a function of single Python numbers to each element, broadcast."""

    def value(*inputs: Any, **params: Any) -> Array:
        shape = np.broadcast_shapes(*[np.shape(x) for x in inputs])
        columns = [np.broadcast_to(x, shape).ravel().tolist() for x in inputs]
        return np.array([function(*row, **params) for row in zip(*columns, strict=True)]).reshape(shape)

    return value


def along(function: Callable[[list[float]], float]) -> Callable[..., Array]:
    """Reduce with a function of a list, over the axes that are named."""

    def value(x: Array, axis: Any = None, keepdims: bool = False) -> Array:
        named = range(x.ndim) if axis is None else axis if isinstance(axis, tuple) else (axis,)
        over = {a % x.ndim for a in named}
        kept = [i for i in range(x.ndim) if i not in over]
        out = np.zeros([1 if i in over else n for i, n in enumerate(x.shape)])
        for place in np.ndindex(out.shape):
            part = x[tuple([slice(None) if i in over else place[i] for i in range(x.ndim)])]
            out[place] = function(part.ravel().tolist())
        return out if keepdims else out.reshape([x.shape[i] for i in kept])

    return value


def same_shapes(*options: dict[str, Any]) -> Callable[[int, int], SearchStrategy[Case]]:
    def cases(least: int, most: int) -> SearchStrategy[Case]:
        return shapes(min_side=least, max_side=most).flatmap(
            lambda s: st.tuples(*[arrays(s, **o) for o in options]).map(Case)
        )

    return cases


def unary(
    function: Any,
    numpy: Any,
    low: float = -2,
    high: float = 2,
    avoid: Any = (),
    margin: float = 0.05,
    **options: Any,
) -> Row:
    def cases(least: int, most: int) -> SearchStrategy[Case]:
        at = shapes(min_side=least, max_side=most)
        return arrays(at, low=low, high=high, avoid=avoid, margin=margin).map(lambda x: Case((x,)))

    if avoid:
        options.setdefault("kinks", ", ".join(f"x = {kink:g}" for kink in avoid))
    return Row(cases, one_by_one(function), numpy=numpy, **options)


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


def of_sizes(value: Any) -> Any:
    """Return the terms of something that is linear in each input: the same, of their sizes."""

    def terms(*inputs: Any, **params: Any) -> Any:
        return value(*[np.abs(x) if np.asarray(x).dtype.kind == "f" else x for x in inputs], **params)

    return terms


def bilinear(cases: Any, value: Any, least: int = 0) -> Row:
    return Row(cases, value, least=least, terms=of_sizes(value))
