"""Rows of shapes."""

import math
from typing import Any

import numpy as np
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

import tinygrad_edu as te
from operations_table.indexing import calls
from operations_table.row import Array, Case, Row
from tinygrad_edu.testing import arrays, axes, broadcastable_shapes, shapes


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


def axis_of(x: Array, **more: Any) -> Any:
    return st.fixed_dictionaries({"axis": st.integers(-x.ndim, x.ndim - 1), **more})


def some_axes(n: int) -> Any:
    """Draw some of n axes, in any order, also counted from the end."""
    signs = st.lists(st.booleans(), min_size=n, max_size=n)
    kept = st.integers(0, n)
    return st.tuples(st.permutations(range(n)), signs, kept).map(
        lambda d: tuple([a - n if s else a for a, s in zip(d[0], d[1], strict=True)])[: d[2]]
    )


def expand_params(x: Array) -> Any:
    n = x.ndim + 2
    return st.one_of(st.integers(-x.ndim - 1, x.ndim), some_axes(n).filter(lambda a: len(a) == 2)).map(
        lambda a: {"axis": a}
    )


def squeeze_cases(least: int, most: int) -> SearchStrategy[Case]:
    def call(d: Any) -> Any:
        x, ones = d
        for a in sorted(ones):
            x = np.expand_dims(x, a)
        return Case((x,), {"axis": ones[0] - x.ndim if len(ones) == 1 else tuple(ones)})

    x = arrays(shapes(max_dims=2, min_side=least, max_side=most))
    return x.flatmap(
        lambda x: st.tuples(st.just(x), st.sampled_from([[0], [x.ndim], [0, x.ndim + 1], [1, 0]]))
    ).map(call)


def listed(x: Array, shape: Any) -> Array:
    """Lay x's numbers, in order, out in a shape: what the engine's reshapes must agree with."""
    return reshape(x, tuple(shape))


def squeeze(x: Array, axis: Any) -> Array:
    named = {a % x.ndim for a in ([axis] if isinstance(axis, int) else axis)}
    return listed(x, [n for i, n in enumerate(x.shape) if i not in named])


def expand_dims(x: Array, axis: Any) -> Array:
    named = [axis] if isinstance(axis, int) else axis
    total = x.ndim + len(named)
    at = {a % total for a in named}
    rest = iter(x.shape)
    return listed(x, [1 if i in at else next(rest) for i in range(total)])


def moveaxis_params(x: Array) -> Any:
    both = st.tuples(some_axes(x.ndim), some_axes(x.ndim))
    return both.map(lambda d: [a[: min(map(len, d))] for a in d]).map(
        lambda d: {"source": d[0], "destination": d[1]}
    )


def broadcast_arrays_cases(least: int, most: int) -> SearchStrategy[Case]:
    return broadcastable_shapes(3, min_side=least, max_side=most, max_dims=2).flatmap(
        lambda s: st.tuples(*[arrays(shape) for shape in s]).map(Case)
    )


def repeat_params(x: Array) -> Any:
    def call(axis: Any) -> Any:
        n = x.size if axis is None else x.shape[axis]
        each = st.lists(st.integers(0, 3), min_size=n, max_size=n)
        kinds = st.one_of(st.integers(0, 3), each, each.map(lambda r: np.array(r, np.int64)))
        return kinds.map(lambda r: {"repeats": r, "axis": axis})

    return axes(x.ndim, several=False).flatmap(call)


def repeat(x: Array, repeats: Any, axis: Any) -> Array:
    if axis is None:
        x, axis = x.ravel(), 0
    rows = np.moveaxis(x, axis, 0)
    counts = [repeats] * len(rows) if isinstance(repeats, int) else repeats
    out = [row for row, times in zip(rows, counts, strict=True) for _ in range(times)]
    return np.moveaxis(np.array(out).reshape(len(out), *rows.shape[1:]), 0, axis)


def tile_params(x: Array) -> Any:
    several = st.lists(st.integers(0, 2), max_size=3).map(tuple)
    return st.one_of(several, st.integers(0, 3)).map(lambda r: {"repetitions": r})


def tile(x: Array, repetitions: Any) -> Array:
    times = (repetitions,) if isinstance(repetitions, int) else repetitions
    n = max(x.ndim, len(times))
    x = x.reshape([1] * (n - x.ndim) + list(x.shape))
    for axis, t in enumerate([1] * (n - len(times)) + list(times)):
        x = np.concatenate([x] * t, axis) if t else np.take(x, [], axis)
    return x


def roll_params(x: Array) -> Any:
    one = st.integers(-4, 4)
    flat = one.map(lambda s: {"shift": s})
    if not x.ndim:
        return flat
    several = (
        some_axes(x.ndim)
        .filter(len)
        .flatmap(lambda a: st.tuples(*[one] * len(a)).map(lambda s: {"shift": s, "axis": a}))
    )
    along = axis_of(x, shift=one)
    return st.one_of(flat, along, several)


def roll(x: Array, shift: Any, axis: Any = None) -> Array:
    if axis is None:
        return roll(x.ravel(), shift, 0).reshape(x.shape)
    pairs = [(shift, axis)] if isinstance(axis, int) else zip(shift, axis, strict=True)
    for s, a in pairs:
        x = np.take(x, [(i - s) % x.shape[a] for i in range(x.shape[a])], a)
    return x


def split_params(x: Array) -> Any:
    def call(axis: int) -> Any:
        n = x.shape[axis]
        cuts = st.lists(st.integers(0, n), max_size=2).map(sorted)
        parts = st.sampled_from([k for k in range(1, n + 2) if n % k == 0])
        return st.one_of(cuts, parts).map(lambda p: {"indices_or_sections": p, "axis": axis})

    return st.integers(-x.ndim, x.ndim - 1).flatmap(call)


def split(x: Array, indices_or_sections: Any, axis: int) -> tuple[Array, ...]:
    n = x.shape[axis]
    stops = indices_or_sections
    if isinstance(stops, int):
        stops = [n // stops * i for i in range(1, stops)]
    ends = zip([0, *stops], [*stops, n], strict=True)
    return tuple([np.take(x, range(a, b), axis) for a, b in ends])


def unstack(x: Array, axis: int) -> tuple[Array, ...]:
    return tuple([np.take(x, i, axis) for i in range(x.shape[axis])])


def pad_params(x: Array) -> Any:
    side = st.integers(0, 5 if x.ndim < 3 else 2)
    pair = st.tuples(side, side)
    each = st.lists(pair, min_size=x.ndim, max_size=x.ndim).map(tuple)
    widths = st.one_of(side, pair, pair.map(lambda p: (p,)), each) if x.ndim else side
    value = st.floats(-2, 2, width=32)
    values = st.one_of(value, st.tuples(value, value)) if x.ndim else value
    constant = st.fixed_dictionaries({"pad_width": widths, "constant_values": values})
    modes = ["constant"] if 0 in x.shape else ["edge", "reflect", "symmetric", "wrap"]
    other = st.fixed_dictionaries({"pad_width": widths, "mode": st.sampled_from(modes)})
    return st.one_of(constant, other)


def source(i: int, n: int, mode: str) -> int:
    """Return which of n elements stands at place i, which may lie before 0 or beyond n - 1."""
    if mode == "edge":
        return min(max(i, 0), n - 1)
    if mode == "wrap":
        return i % n
    step = 1 if mode == "symmetric" else 0
    i %= 2 * n if step else max(2 * n - 2, 1)  # there and back
    return i if i < n else 2 * n - 2 + step - i


def pad(x: Array, pad_width: Any, mode: str = "constant", constant_values: Any = 0) -> Array:
    widths = np.broadcast_to(pad_width, (x.ndim, 2)).tolist()
    before, after = np.broadcast_to(constant_values, 2).tolist()
    for axis, (left, right) in enumerate(widths):
        n, rows = x.shape[axis], np.moveaxis(x, axis, 0)
        out = np.zeros((left + n + right, *rows.shape[1:]))
        for i in range(-left, n + right):
            if mode == "constant":
                out[i + left] = before if i < 0 else after if i >= n else rows[i]
            else:
                out[i + left] = rows[source(i, n, mode)]
        x = np.moveaxis(out, 0, axis)
    return x


def permuted(order: Any) -> Any:
    """Make the reference of a function that reorders axes from the order it means."""
    return lambda x, **params: permute_dims(x, tuple(order(x.ndim, **params)))


def moved(n: int, source: Any, destination: Any) -> list[int]:
    order: list[Any] = [None] * n
    for s, d in zip(source, destination, strict=True):
        order[d] = s % n
    rest = iter([a for a in range(n) if a not in order])
    return [next(rest) if a is None else a for a in order]


def swapped(n: int, axis1: int, axis2: int) -> list[int]:
    order = list(range(n))
    order[axis1], order[axis2] = order[axis2], order[axis1]
    return order


def swap_params(x: Array) -> Any:
    one = st.integers(-x.ndim, x.ndim - 1)
    return st.fixed_dictionaries({"axis1": one, "axis2": one})


ROWS: dict[str, Row] = {
    "reshape": Row(reshape_cases, reshape),
    "expand_dims": Row(calls(expand_params), expand_dims, function=te.expand_dims),
    "squeeze": Row(squeeze_cases, squeeze, function=te.squeeze),
    "permute_dims": Row(permute_cases, permute_dims),
    "matrix_transpose": Row(
        calls(lambda x: st.just({}), min_dims=2),
        permuted(lambda n: swapped(n, -1, -2)),
        function=te.matrix_transpose,
    ),
    "moveaxis": Row(
        calls(moveaxis_params),
        permuted(moved),
        function=lambda x, source, destination: te.moveaxis(x, source, destination),
    ),
    "swapaxes": Row(
        calls(swap_params, min_dims=1),
        permuted(swapped),
        function=lambda x, axis1, axis2: te.swapaxes(x, axis1, axis2),
    ),
    "broadcast_to": Row(broadcast_cases, broadcast_to),
    "broadcast_arrays": Row(
        broadcast_arrays_cases,
        lambda *x: tuple([broadcast_to(a, np.broadcast_shapes(*[b.shape for b in x])) for a in x]),
        function=te.broadcast_arrays,
    ),
    "repeat": Row(
        calls(repeat_params), repeat, function=lambda x, repeats, axis: te.repeat(x, repeats, axis=axis)
    ),
    "tile": Row(calls(tile_params), tile, function=lambda x, repetitions: te.tile(x, repetitions)),
    "flip": Row(flip_cases, flip),
    "roll": Row(calls(roll_params), roll),
    "concat": Row(concat_cases, concat),
    "split": Row(calls(split_params, min_dims=1), split),
    "stack": Row(stack_cases, stack),
    "unstack": Row(calls(axis_of, min_dims=1), unstack),
    "pad": Row(calls(pad_params), pad, function=te.pad),
}
