"""Operations that only move numbers about: shapes, axes, picking, joining."""

from types import EllipsisType
from typing import Any

import numpy as np

from ..graph import Graph, Value, channels_first, exports
from ..trace import Call, Dim, Shape

__all__: list[str] = []

_END = np.iinfo(np.int64).max


@exports("reshape")
def _reshape(graph: Graph, call: Call, inputs: list[Value]) -> Value:
    """Write a Reshape; where batch and channels stay, as between sequences and images, in either order."""
    x, shape = inputs[0], call.shapes[0]
    ends = len(shape) > 2 and x.rank > 2 and (x.shape[0], x.shape[-1]) == (shape[0], shape[-1])
    first = x.is_first and ends
    old, new = ([s[i] for i in channels_first(len(s))] if first else list(s) for s in (x.shape, shape))
    name = graph.name(x, first=first)
    if old != new:
        name = graph.node("Reshape", name, graph.ints(_target(old, new)))
    return graph.result(shape, x.dtype, name, first=first)


def _target(old: list[int | Dim], new: list[int | Dim]) -> list[int | Dim]:
    """Return a shape for ONNX' Reshape, in which 0 stands for the input's own length and -1 for the rest."""
    if any(n == 0 for n in new):
        return new
    target = [0 if isinstance(n, Dim) and i < len(old) and old[i] == n else n for i, n in enumerate(new)]
    if sum(isinstance(n, Dim) for n in target) == 1:
        target = [-1 if isinstance(n, Dim) else n for n in target]
    return target


@exports("permute_dims")
def _permute(graph: Graph, call: Call, inputs: list[Value]) -> Value:
    return graph.permuted(inputs[0], [int(a) % inputs[0].rank for a in call.params["axes"]])


@exports("broadcast_to")
def _broadcast(graph: Graph, call: Call, inputs: list[Value]) -> Value:
    (x,), shape = inputs, call.shapes[0]
    return graph.result(shape, x.dtype, graph.node("Expand", graph.name(x), graph.ints(shape)))


@exports("concat")
def _join(graph: Graph, call: Call, inputs: list[Value]) -> Value:
    shape = call.shapes[0]
    axis = call.params["axis"] % len(shape)
    values = [graph.cast(x, call.dtypes[0]) for x in inputs]
    padded = _pad(graph, values, axis)
    if padded is not None:
        return padded
    moving = [x for x in values if x.constant is None]
    first = any(x.is_first for x in moving) and all(x.rank > 2 for x in moving)
    place = channels_first(len(shape)).index(axis) if first else axis
    name = graph.node("Concat", *(graph.name(x, first=first) for x in values), axis=place)
    return graph.result(shape, call.dtypes[0], name, first=first)


def _pad(graph: Graph, values: list[Value], axis: int) -> Value | None:
    """Write constants of one number before and after a tensor as the border that they are.

    A border on one axis after that on another is one node: the first is then needed by nobody.
    """
    places = [i for i, x in enumerate(values) if x.constant is None]
    borders = [x.constant.array for x in values if x.constant is not None]
    if len(places) != 1 or any(b.size == 0 or np.any(b != b.flat[0]) for b in borders):
        return None
    number = borders[0].flat[0]
    if any(b.flat[0] != number for b in borders):
        return None
    (place,) = places
    x = values[place]
    sides = [x.shape[axis] for x in values]
    if any(isinstance(n, Dim) for n in sides):
        return None
    widths = [(0, 0)] * x.rank
    widths[axis] = sum(sides[:place]), sum(sides[place + 1 :])  # type: ignore[arg-type]
    shape = (*x.shape[:axis], sum(sides), *x.shape[axis + 1 :])  # type: ignore[arg-type]
    source, before, filler = graph.paddings.get(x.last or x.first or "", (None, [], None))
    if source is not None and filler == number:
        x, widths = source, [(a + c, b + d) for (a, b), (c, d) in zip(before, widths, strict=True)]
    first = x.is_first
    order = channels_first(x.rank) if first else range(x.rank)
    pads = [widths[i][side] for side in (0, 1) for i in order]
    name = graph.node(
        "Pad", graph.name(x, first=first), graph.array(pads, np.int64), graph.array(number, x.dtype)
    )
    graph.paddings[name] = x, widths, number
    return graph.result(shape, x.dtype, name, first=first)


@exports("stack")
def _stack(graph: Graph, call: Call, inputs: list[Value]) -> Value:
    axis = call.params["axis"] % len(call.shapes[0])
    names = [graph.name(graph.cast(x, call.dtypes[0])) for x in inputs]
    parts = [graph.node("Unsqueeze", name, graph.array([axis], np.int64)) for name in names]
    return graph.result(call.shapes[0], call.dtypes[0], graph.node("Concat", *parts, axis=axis))


@exports("split")
def _split(graph: Graph, call: Call, inputs: list[Value]) -> list[Value]:
    x, axis = inputs[0], call.params["axis"] % inputs[0].rank
    first = x.is_first
    lengths = graph.ints([shape[axis] for shape in call.shapes])
    place = graph.axes(x, [axis])[0] if first else axis
    names = graph.nodes_of("Split", len(call.shapes), graph.name(x, first=first), lengths, axis=place)
    return [
        graph.result(shape, x.dtype, name, first=first)
        for shape, name in zip(call.shapes, names, strict=True)
    ]


@exports("unstack")
def _unstack(graph: Graph, call: Call, inputs: list[Value]) -> list[Value]:
    x, axis = inputs[0], call.params["axis"] % inputs[0].rank
    name = graph.name(x)
    return [
        graph.result(shape, x.dtype, graph.node("Gather", name, graph.array(i, np.int64), axis=axis))
        for i, shape in enumerate(call.shapes)
    ]


@exports("flip")
def _flip(graph: Graph, call: Call, inputs: list[Value]) -> Value:
    x, axis = inputs[0], call.params["axis"]
    axes = range(x.rank) if axis is None else (axis,) if isinstance(axis, int) else axis
    cuts = {a % x.rank: slice(None, None, -1) for a in axes}
    return _sliced(graph, x, cuts, x.shape)


@exports("roll")
def _roll(graph: Graph, call: Call, inputs: list[Value]) -> Value:
    x, axis, shift = inputs[0], call.params["axis"], call.params["shift"]
    if axis is None:
        raise call.refusal("rolling all samples together has no counterpart in ONNX here; give an axis")
    axes = (axis,) if isinstance(axis, int) else tuple(axis)
    for place, step in zip(axes, shift * (len(axes) // len(shift)), strict=True):
        n = x.shape[place]
        if isinstance(n, Dim):
            raise call.refusal("rolling the samples has no counterpart in ONNX here")
        if n and step % n:
            start = n - step % n
            halves = [
                _sliced(graph, x, {place % x.rank: cut}, x.shape)
                for cut in (slice(start, None), slice(start))
            ]
            name = graph.node("Concat", *map(graph.name, halves), axis=place % x.rank)
            x = graph.result(x.shape, x.dtype, name)
    return x


@exports("one_hot")
def _one_hot(graph: Graph, call: Call, inputs: list[Value]) -> Value:
    labels = graph.cast(inputs[0], np.int64)
    depth = graph.array(call.params["num_classes"], np.int64)
    axis = call.params["axis"] % len(call.shapes[0])
    numbers = graph.array([0, 1], call.dtypes[0])
    return graph.result(
        call.shapes[0], call.dtypes[0], graph.node("OneHot", graph.name(labels), depth, numbers, axis=axis)
    )


@exports("getitem")
def _pick(graph: Graph, call: Call, inputs: list[Value]) -> Value:
    """Write x[index]: slices first, then one array of whole numbers, then single ones and new axes."""
    x, index = inputs[0], call.params["index"]
    parts = list(index) if isinstance(index, tuple) else [index]
    used = sum(part is not None and not isinstance(part, EllipsisType) for part in parts)
    at = next((i for i, part in enumerate(parts) if isinstance(part, EllipsisType)), len(parts))
    parts[at : at + 1] = [slice(None)] * (x.rank - used)
    cuts: dict[int, slice] = {}
    lengths = list(x.shape)  # after the cuts
    arrays: list[tuple[int, Any]] = []
    singles: dict[int, Any] = {}
    added: list[int] = []
    axis = place = 0  # in x, in the result
    for part in parts:
        if part is None:
            added.append(place)
            place += 1
            continue
        if isinstance(part, slice):
            if part != slice(None):
                cuts[axis], lengths[axis] = part, call.shapes[0][place]
            place += 1
        elif isinstance(part, int | np.integer):
            singles[axis] = int(part)
        else:
            if isinstance(part, np.ndarray) and part.dtype == bool and part.ndim == 1:
                part = np.flatnonzero(part)
            arrays.append((axis, part))
            place += part.rank if isinstance(part, Value) else part.ndim
        axis += 1
    if len(arrays) > 1 or (arrays and (singles or added)) or any(_is_mask(part) for _, part in arrays):
        raise call.refusal(
            "an index of masks, several arrays, or arrays beside numbers has no counterpart in ONNX here"
        )
    if cuts:
        x = _sliced(graph, x, cuts, tuple(lengths))
    for axis, part in arrays:
        where = part if isinstance(part, Value) else None
        indices = graph.name(graph.cast(where, np.int64)) if where else graph.array(part, np.int64)
        first = x.is_first and len(call.shapes[0]) == x.rank
        along = graph.axes(x, [axis])[0] if first else axis
        name = graph.node("Gather", graph.name(x, first=first), indices, axis=along)
        return graph.result(call.shapes[0], x.dtype, name, first=first)
    if singles or added:
        name = graph.name(x)
        for axis in sorted(singles, reverse=True):
            name = graph.node("Gather", name, graph.array(singles[axis], np.int64), axis=axis)
        if added:
            name = graph.node("Unsqueeze", name, graph.array(added, np.int64))
        return graph.result(call.shapes[0], x.dtype, name)
    return x


def _is_mask(part: Any) -> bool:
    return bool(part.dtype == bool)


def _sliced(graph: Graph, x: Value, cuts: dict[int, slice], shape: Shape) -> Value:
    """Write a Slice along some axes."""
    first = x.is_first
    axes = list(cuts)
    starts, ends, steps = [], [], []
    for cut in cuts.values():
        step = 1 if cut.step is None else cut.step
        starts.append(cut.start if cut.start is not None else 0 if step > 0 else _END)
        ends.append(cut.stop if cut.stop is not None else _END if step > 0 else -_END)
        steps.append(step)
    along = graph.axes(x, axes) if first else axes
    name = graph.node(
        "Slice",
        graph.name(x, first=first),
        graph.ints(starts),
        graph.ints(ends),
        graph.array(along, np.int64),
        graph.array(steps, np.int64),
    )
    return graph.result(shape, x.dtype, name, first=first)
