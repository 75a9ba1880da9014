"""Operations that make one number of many: sums, means, extremes, norms; running sums and sorting."""

from typing import Any

import numpy as np

from ..graph import Graph, Value, channels_first, exports
from ..trace import Call

__all__: list[str] = []

_KINDS = {
    "sum": "ReduceSum", "mean": "ReduceMean", "max": "ReduceMax", "min": "ReduceMin", "prod": "ReduceProd",
    "logsumexp": "ReduceLogSumExp", "all": "ReduceMin", "any": "ReduceMax",
}  # fmt: skip
_NORMS = {1: "ReduceL1", 2: "ReduceL2"}


def _axes(axis: Any, rank: int) -> list[int]:
    axes = range(rank) if axis is None else [axis] if isinstance(axis, int | np.integer) else axis
    return sorted(int(a) % rank for a in axes)


def _is_first(x: Value, axes: list[int], keepdims: bool) -> tuple[bool, bool]:
    """Tell whether to reduce x in channels-first order, and whether the result is in that order then."""
    if not x.is_first:
        return False, False
    left = [a for a in channels_first(x.rank) if a not in axes]
    if keepdims or left == sorted(left):
        return True, keepdims
    stays = len(left) > 2 and left == [sorted(left)[i] for i in channels_first(len(left))]
    return stays, stays


@exports(*_KINDS, "vector_norm")
def _reduction(graph: Graph, call: Call, inputs: list[Value]) -> Value:
    name, keepdims = call.fn.name, bool(call.params["keepdims"])
    if name == "vector_norm" and call.params["ord"] not in _NORMS:
        raise call.refusal(
            f"a norm of order {call.params['ord']} has no counterpart in ONNX here, only 1 and 2 have"
        )
    kind = _NORMS[call.params["ord"]] if name == "vector_norm" else _KINDS[name]
    is_question = name in ("all", "any")
    x = inputs[0]
    axes = _axes(call.params["axis"], x.rank)
    first, stays = _is_first(x, axes, keepdims)
    if is_question:
        x = graph.cast(x, bool)
    x = graph.cast(x, np.int32 if is_question else call.dtypes[0])
    if axes:
        along = graph.array(graph.axes(x, axes) if first else axes, np.int64)
        reduced = graph.node(kind, graph.name(x, first=first), along, keepdims=int(keepdims))
    else:
        reduced = graph.node("Abs" if name == "vector_norm" else "Identity", graph.name(x, first=first))
    result = graph.result(call.shapes[0], x.dtype, reduced, first=stays)
    return graph.cast(result, call.dtypes[0])


@exports("argmax", "argmin")
def _place(graph: Graph, call: Call, inputs: list[Value]) -> Value:
    x, axis, keepdims = inputs[0], call.params["axis"], call.params["keepdims"]
    if axis is None:
        raise call.refusal(
            "the place of the largest of all samples together has no counterpart in ONNX here; give an axis"
        )
    kind = "ArgMax" if call.fn.name == "argmax" else "ArgMin"
    x = graph.cast(x, np.int32) if x.dtype == bool else x
    name = graph.node(kind, graph.name(x), axis=int(axis) % x.rank, keepdims=int(keepdims))
    return graph.cast(graph.result(call.shapes[0], np.int64, name), call.dtypes[0])


@exports("cumulative_sum")
def _running_sum(graph: Graph, call: Call, inputs: list[Value]) -> Value:
    x = graph.cast(inputs[0], call.dtypes[0])
    if call.params["include_initial"]:
        raise call.refusal("include_initial has no counterpart in ONNX")
    axis = graph.array(int(call.params["axis"]) % x.rank, np.int64)
    return graph.result(x.shape, x.dtype, graph.node("CumSum", graph.name(x), axis))


@exports("sort")
def _sort(graph: Graph, call: Call, inputs: list[Value]) -> Value:
    x = inputs[0]
    axis = int(call.params["axis"]) % x.rank
    name = graph.nodes_of(
        "TopK",
        2,
        graph.name(x),
        graph.ints([x.shape[axis]]),
        axis=axis,
        largest=int(call.params["descending"]),
    )[0]
    return graph.result(x.shape, x.dtype, name)
