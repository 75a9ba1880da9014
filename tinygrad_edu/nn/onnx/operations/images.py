"""Convolution, pooling and resizing, for which ONNX wants the channels first."""

from typing import Any

import numpy as np

from ..graph import Graph, Value, exports
from ..trace import Call

__all__: list[str] = []


def _finished(graph: Graph, call: Call, name: str) -> Value:
    if call.params.get("activation") == "relu":
        name = graph.node("Relu", name)
    return graph.result(call.shapes[0], call.dtypes[0], name, first=True)


def _pads(padding: Any) -> list[int]:
    """Return ONNX' order: what comes before on each axis, then what comes after."""
    (top, bottom), (left, right) = padding
    return [top, left, bottom, right]


@exports("conv2d", "conv2d_bias")
def _convolution(graph: Graph, call: Call, inputs: list[Value]) -> Value:
    x, w, *bias = [graph.cast(value, call.dtypes[0]) for value in inputs]
    name = graph.node(
        "Conv",
        graph.name(x, first=True),
        graph.name(graph.permuted(w, (3, 2, 0, 1))),
        *map(graph.name, bias),
        kernel_shape=list(w.shape[:2]),
        strides=list(call.params["strides"]),
        pads=_pads(call.params["padding"]),
        dilations=list(call.params["dilation"]),
        group=call.params["groups"],
    )
    return _finished(graph, call, name)


@exports("conv2d_input_grad", "conv2d_transpose_bias")
def _transposed_convolution(graph: Graph, call: Call, inputs: list[Value]) -> Value:
    x, w, *bias = [graph.cast(value, call.dtypes[0]) for value in inputs]
    strides, dilation, padding = (call.params[key] for key in ("strides", "dilation", "padding"))
    pads, more = [list(both) for both in padding], []
    for side, step, gap, both, n, m in zip(
        w.shape[:2], strides, dilation, pads, x.shape[1:3], call.shapes[0][1:3], strict=True
    ):
        assert isinstance(side, int)
        assert isinstance(n, int)
        assert isinstance(m, int)
        missing = m - ((n - 1) * step + (side - 1) * gap + 1 - sum(both))  # which no window ends at
        spared = min(both[1], missing)
        both[1] -= spared
        more.append(missing - spared)
    name = graph.node(
        "ConvTranspose",
        graph.name(x, first=True),
        graph.name(graph.permuted(w, (3, 2, 0, 1))),
        *map(graph.name, bias),
        kernel_shape=list(w.shape[:2]),
        strides=list(strides),
        pads=_pads(pads),
        dilations=list(dilation),
        group=call.params["groups"],
        output_padding=more if any(more) else None,
    )
    return _finished(graph, call, name)


@exports("max_pool2d", "avg_pool2d")
def _pooling(graph: Graph, call: Call, inputs: list[Value]) -> Value:
    is_max = call.fn.name == "max_pool2d"
    name = graph.node(
        "MaxPool" if is_max else "AveragePool",
        graph.name(graph.cast(inputs[0], call.dtypes[0]), first=True),
        kernel_shape=list(call.params["pool_size"]),
        strides=list(call.params["strides"]),
        pads=_pads(call.params["padding"]),
        count_include_pad=None if is_max else 0,
    )
    return _finished(graph, call, name)


@exports("resample2d")
def _resizing(graph: Graph, call: Call, inputs: list[Value]) -> Value:
    """Write what is a whole number of times as large as a Resize, and any other blend as what it is.

    With other ratios runtimes round the places of the pixels in their own ways, a blend's weights are exact.
    """
    from ....ops.resizing import _bilinear, _nearest

    blends = [call.params["down"], call.params["across"]]
    sizes = [(blend.size, len(blend.starts) - 1) for blend in blends]
    name = graph.name(graph.cast(inputs[0], call.dtypes[0]), first=True)
    if all(m % n == 0 for n, m in sizes):
        scales = graph.array([1, 1, *(m // n for n, m in sizes)], np.float32)
        for make, mode in ((_nearest, "nearest"), (_bilinear, "linear")):
            if all(_equal(blend, make(*size)) for blend, size in zip(blends, sizes, strict=True)):
                name = graph.node(
                    "Resize",
                    name,
                    "",
                    scales,
                    mode=mode,
                    coordinate_transformation_mode="half_pixel" if mode == "linear" else "asymmetric",
                    nearest_mode="floor" if mode == "nearest" else None,
                )
                return _finished(graph, call, name)
    for axis, blend, (n, m) in zip((2, 3), blends, sizes, strict=True):
        if np.array_equal(blend.starts, np.arange(m + 1)) and np.all(blend.weights == 1):
            name = graph.node("Gather", name, graph.array(blend.sources, np.int64), axis=axis)
            continue
        matrix = np.zeros((m, n), call.dtypes[0])
        new = np.repeat(np.arange(m), np.diff(blend.starts))
        np.add.at(matrix, (new, blend.sources), blend.weights)
        if axis == 2:
            name = graph.node("MatMul", graph.array(matrix), name)
        else:
            name = graph.node("MatMul", name, graph.array(matrix.T))
    return _finished(graph, call, name)


def _equal(a: Any, b: Any) -> bool:
    return a is b or all(np.array_equal(x, y) for x, y in zip(a.table, b.table, strict=True))
