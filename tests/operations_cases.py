"""What the operations are called with, and what must come out: strategies and references for their table.

The references are written without the engine: plain Python on single numbers, loops, einsum.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy
from numpy.typing import NDArray

from tinygrad_edu.kernels import reference
from tinygrad_edu.ops.windows import output_size, resolve_padding
from tinygrad_edu.testing import arrays, axes, broadcastable_shapes, indices, shapes

Array = NDArray[Any]


@dataclass(frozen=True)
class Case:
    """A call: ``operation.apply(*inputs, **params)``. The float inputs are float64."""

    inputs: tuple[Any, ...]
    params: dict[str, Any] = field(default_factory=dict)


def one_by_one(function: Callable[..., Any]) -> Callable[..., Array]:
    """Apply a function of single Python numbers to each element, broadcast."""

    def value(*inputs: Any, **params: Any) -> Array:
        shape = np.broadcast_shapes(*[np.shape(x) for x in inputs])
        columns = [np.broadcast_to(x, shape).ravel().tolist() for x in inputs]
        return np.array([function(*row, **params) for row in zip(*columns, strict=True)]).reshape(shape)

    return value


# --- Element by element ----------------------------------------------------------------------------------


def where_cases(least: int, most: int) -> SearchStrategy[Case]:
    return broadcastable_shapes(3, min_side=least, max_side=most, max_dims=2).flatmap(
        lambda s: st.builds(
            lambda c, a, b: Case((c, a, b)), arrays(s[0], dtype=bool), arrays(s[1]), arrays(s[2])
        )
    )


def clip_cases(least: int, most: int) -> SearchStrategy[Case]:
    bounds = st.sampled_from(
        [{"min": -0.7, "max": 0.9}, {"min": -0.7}, {"max": 0.9}, {"min": None, "max": 0.9}]
    )
    x = arrays(shapes(min_side=least, max_side=most), avoid=[-0.7, 0.9])
    return st.builds(lambda x, params: Case((x,), params), x, bounds)


def clip(x: float, min: float | None = None, max: float | None = None) -> float:
    if min is not None and x < min:
        return min
    return max if max is not None and x > max else x


def sigmoid(x: float) -> float:
    return 1 / (1 + math.exp(-x))


def sigmoid_cross_entropy(x: float, t: float) -> float:
    return -t * math.log(sigmoid(x)) - (1 - t) * math.log(1 - sigmoid(x))


def same_shapes(*options: dict[str, Any]) -> Callable[[int, int], SearchStrategy[Case]]:
    def cases(least: int, most: int) -> SearchStrategy[Case]:
        return shapes(min_side=least, max_side=most).flatmap(
            lambda s: st.tuples(*[arrays(s, **o) for o in options]).map(Case)
        )

    return cases


# --- Reductions ------------------------------------------------------------------------------------------


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


def log_sum_exp(values: list[float]) -> float:
    total = math.fsum(math.exp(v) for v in values)
    return math.log(total) if total else -math.inf


# --- Shapes and indices ----------------------------------------------------------------------------------


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


# --- Linear algebra --------------------------------------------------------------------------------------


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


# --- Losses ----------------------------------------------------------------------------------------------


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


# --- Windows over images ---------------------------------------------------------------------------------


@st.composite
def windows(draw: Any, least: int, most: int) -> dict[str, Any]:
    """Draw sizes of an image and of a window that fits, with strides and padding."""
    n, channels, filters = draw(st.integers(least, 2)), draw(st.integers(1, 2)), draw(st.integers(1, 2))
    size = draw(st.tuples(st.integers(1, most + 1), st.integers(1, most + 1)))
    kind = draw(st.sampled_from(["valid", "same", "pairs"]))
    window = tuple(draw(st.integers(1, n if kind == "valid" else 3)) for n in size)
    strides = draw(st.tuples(st.integers(1, 3), st.integers(1, 3)))
    if kind == "pairs":
        # Less than the window, so that each holds a pixel, and enough for one to fit.
        most_at = [(k - 1, max(k - s, 0)) for k, s in zip(window, size, strict=True)]
        kind = tuple((draw(st.integers(min(p, m), m)), draw(st.integers(min(p, m), m))) for m, p in most_at)
    padding = resolve_padding(kind, size, window, strides)
    out = output_size(size, window, strides, padding)
    return {
        "x": (n, *size, channels),
        "w": (*window, channels, filters),
        "y": (n, *out, filters),
        "pooled": (n, *out, channels),
        "pool_size": window,
        "strides": strides,
        "padding": padding,
    }


def conv_cases(first: str, second: str, result: str | None) -> Callable[[int, int], SearchStrategy[Case]]:
    def call(d: dict[str, Any]) -> Any:
        params = {"strides": d["strides"], "padding": d["padding"]}
        if result is not None:
            params["shape"] = d[result]
        return st.builds(lambda a, b: Case((a, b), params), arrays(d[first]), arrays(d[second]))

    return lambda least, most: windows(least, most).flatmap(call)


def pool_cases(kind: str) -> Callable[[int, int], SearchStrategy[Case]]:
    def call(d: dict[str, Any]) -> Any:
        params = {name: d[name] for name in ("pool_size", "strides", "padding")}
        if kind in ("max", "avg"):
            return arrays(d["x"], distinct=True).map(lambda x: Case((x,), params))
        if kind == "avg_scatter":
            return arrays(d["pooled"]).map(lambda x: Case((x,), {**params, "shape": d["x"]}))

        def winners(image: Array) -> Array:
            return reference.max_pool2d(image, d["pool_size"], d["strides"], d["padding"])[1]

        if kind == "scatter":
            params["shape"] = d["x"]
        values = arrays(d["pooled" if kind == "scatter" else "x"])
        return st.builds(lambda x, image: Case((x, winners(image)), params), values, arrays(d["x"]))

    return lambda least, most: windows(least, most).flatmap(call)
