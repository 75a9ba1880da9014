"""Products of matrices."""

from typing import Any

import numpy as np

from ..graph import Graph, Value, exports
from ..trace import Call

__all__: list[str] = []


@exports("linear")
def _linear(graph: Graph, call: Call, inputs: list[Value]) -> Value:
    x, w, b = [graph.name(graph.cast(value, call.dtypes[0])) for value in inputs]
    if inputs[0].rank == 2:
        name = graph.node("Gemm", x, w, b)
    else:
        name = graph.node("Add", graph.node("MatMul", x, w), b)
    if call.params["activation"] == "relu":
        name = graph.node("Relu", name)
    return graph.result(call.shapes[0], call.dtypes[0], name)


@exports("matmul", "einsum")
def _product(graph: Graph, call: Call, inputs: list[Value]) -> Value:
    names = [graph.name(graph.cast(value, call.dtypes[0])) for value in inputs]
    if call.fn.name == "matmul":
        name = graph.node("MatMul", *names)
    else:
        name = graph.node("Einsum", *names, equation=call.params["subscripts"].replace(" ", ""))
    return graph.result(call.shapes[0], call.dtypes[0], name)


@exports("softmax", "log_softmax")
def _softmax(graph: Graph, call: Call, inputs: list[Value]) -> Value:
    x = graph.cast(inputs[0], call.dtypes[0])
    axis = call.params["axis"] % x.rank
    if x.is_first:
        axis = graph.axes(x, [axis])[0]
    kind = "Softmax" if call.fn.name == "softmax" else "LogSoftmax"
    name = graph.node(kind, graph.name(x, first=x.is_first), axis=axis)
    return graph.result(x.shape, x.dtype, name, first=x.is_first)


@exports("normalize")
def _normalize(graph: Graph, call: Call, inputs: list[Value]) -> list[Value]:
    """Write y = gamma (x - mean) / sqrt(variance + epsilon) + beta; over the last axes that is one node."""
    dtype, shape, epsilon = call.dtypes[0], call.shapes[0], call.params["epsilon"]
    values = [graph.cast(value, dtype) for value in inputs]
    names, first = graph.together(values, shape)
    x, gamma, beta = names
    axes = sorted(a % len(shape) for a in call.params["axes"])
    if not axes:
        raise call.refusal("normalising each number by itself has no counterpart in ONNX here")
    along = graph.array(graph.axes(values[0], axes) if first else axes, np.int64)
    mean = graph.node("ReduceMean", x, along, keepdims=1)
    centred = graph.node("Sub", x, mean)
    variance = graph.node("ReduceMean", graph.node("Mul", centred, centred), along, keepdims=1)
    sides: Any = shape[axes[0] :]
    if axes == list(range(axes[0], len(shape))) and not first and all(isinstance(n, int) for n in sides):
        flat = []
        for value in values[1:]:
            c = value.constant
            if c is None or any(n != 1 for n in c.array.shape[: -len(sides)]):
                break
            full = np.broadcast_to(c.array.reshape(c.array.shape[-len(sides) :]), sides)
            flat.append(graph.array(full, dtype, c.label))
        if len(flat) == 2:
            y = graph.node("LayerNormalization", x, *flat, axis=axes[0], epsilon=epsilon)
            return _three(graph, call, y, mean, variance, first)
    deviation = graph.node("Sqrt", graph.node("Add", variance, graph.array(epsilon, dtype)))
    y = graph.node("Add", graph.node("Mul", graph.node("Div", centred, deviation), gamma), beta)
    return _three(graph, call, y, mean, variance, first)


def _three(graph: Graph, call: Call, y: str, mean: str, variance: str, first: bool) -> list[Value]:
    return [
        graph.result(shape, dtype, name, first=first)
        for shape, dtype, name in zip(call.shapes, call.dtypes, (y, mean, variance), strict=True)
    ]
