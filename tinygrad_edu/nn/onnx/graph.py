"""An ONNX graph in the making: named nodes, the numbers that they use, and the order of each value's axes.

Our images are channels last, ONNX's convolutions want channels first. So a value may be had in either order.
The one that it wasn't made in is made when somebody asks for it, and then kept: operations that can do with
both work in the order that their inputs are in, and no Transpose is left between two convolutions.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .trace import Call, Constant, Dim, Result, Shape, Trace

__all__ = ["EXPORTS", "Graph", "Value", "channels_first", "exports"]

OPSET, IR_VERSION = 20, 9  # of early 2024: Gelu is an operation from 20 on; onnxruntime 1.17 and later run it


@dataclass
class Value:
    """What an operation gives: its shape, and its name in our order of axes, in channels-first, or both."""

    shape: Shape
    dtype: np.dtype[Any]
    last: str | None = None
    first: str | None = None
    constant: Constant | None = None

    @property
    def rank(self) -> int:
        return len(self.shape)

    @property
    def is_first(self) -> bool:
        """Whether it is held in channels-first order alone."""
        return self.last is None and self.first is not None


Export = Callable[["Graph", Call, list[Value]], Any]
EXPORTS: dict[str, Export] = {}  # by the operation's name


def exports(*names: str) -> Callable[[Export], Export]:
    """Enter what writes operations: it takes the graph, the call and its inputs, and returns the result."""

    def enter(function: Export) -> Export:
        EXPORTS.update(dict.fromkeys(names, function))
        return function

    return enter


def channels_first(rank: int) -> tuple[int, ...]:
    """Return which of our axes each axis in channels-first order is.

    >>> channels_first(4)
    (0, 3, 1, 2)
    """
    return (0, rank - 1, *range(1, rank - 1))


@dataclass
class _Node:
    kind: str
    inputs: list[str]
    outputs: list[str]
    attributes: dict[str, Any]


class Graph:
    """Nodes, initializers and inputs, to which the operations' exports add."""

    def __init__(self, trace: Trace, names: Sequence[str]) -> None:
        self.nodes: list[_Node] = []
        self.arrays: dict[str, NDArray[Any]] = {}  # initializers
        self.scope = ""  # the module that computes
        self._taken: dict[str, int] = {}
        self._known: dict[Any, str] = {}  # arrays and vectors that are in the graph already
        self.paddings: dict[str, tuple[Value, list[tuple[int, int]], Any]] = {}  # what Pad nodes did
        self.inputs: list[Value] = [
            Value(shape, dtype, last=self._unique(name))
            for name, shape, dtype in zip(names, trace.input_shapes, trace.input_dtypes, strict=True)
        ]

    # -- nodes and numbers -----------------------------------------------------------------------------

    def _unique(self, name: str) -> str:
        count = self._taken.get(name, 0)
        self._taken[name] = count + 1
        return self._unique(f"{name}_{count}") if count else name

    def node(self, kind: str, *inputs: str, **attributes: Any) -> str:
        """Add a node, and return its result's name."""
        return self.nodes_of(kind, 1, *inputs, **attributes)[0]

    def nodes_of(self, kind: str, results: int, *inputs: str, **attributes: Any) -> list[str]:
        """Add a node that has several results, and return their names."""
        name = self._unique(f"{self.scope}/{kind}" if self.scope else kind)
        outputs = [name, *(f"{name}:{i}" for i in range(1, results))]
        attributes = {key: value for key, value in attributes.items() if value is not None}
        self.nodes.append(_Node(kind, list(inputs), outputs, attributes))
        return outputs

    def array(self, array: Any, dtype: Any = None, label: str = "") -> str:
        """Add numbers to the graph, once, and return their name."""
        numbers = np.ascontiguousarray(array, dtype).reshape(np.shape(array))
        key = label, numbers.dtype.str, numbers.shape, sha256(numbers.tobytes()).digest()
        if key not in self._known:
            shown = str(numbers.tolist()).replace(" ", "") if numbers.size <= 8 else str(numbers.shape)
            self._known[key] = self._unique(label or f"{numbers.dtype}:{shown}")
            self.arrays[self._known[key]] = numbers
        return self._known[key]

    def ints(self, values: Sequence[int | Dim]) -> str:
        """Return the name of a vector of whole numbers, in which some depend on the batch."""
        if not any(isinstance(n, Dim) for n in values):
            return self.array(values, np.int64)
        key = tuple(values)
        if key not in self._known:
            parts = [self._length(n) if isinstance(n, Dim) else self.array([n], np.int64) for n in values]
            self._known[key] = self.node("Concat", *parts, axis=0) if len(parts) > 1 else parts[0]
        return self._known[key]

    def _length(self, dim: Dim) -> str:
        if dim not in self._known:
            batch = self.node("Shape", self.name(self.inputs[0]), start=0, end=1)
            if dim.times > 1:
                batch = self.node("Mul", batch, self.array([dim.times], np.int64))
            self._known[dim] = batch
        return self._known[dim]

    # -- values ----------------------------------------------------------------------------------------

    def value(self, constant: Constant) -> Value:
        return Value(constant.shape, constant.array.dtype, constant=constant)

    def name(self, value: Value, *, first: bool = False, stretch: bool = True) -> str:
        """Return a value's name in our order of axes, or in channels-first order.

        A constant that is repeated along the batch is stretched out, unless it is to broadcast by itself.
        """
        if value.constant is not None:
            order = channels_first(value.rank)
            array, shape = value.constant.array, value.shape
            if first:
                array, shape = array.transpose(order), tuple(shape[i] for i in order)
            name = self.array(array, value.dtype, value.constant.label)
            return self.node("Expand", name, self.ints(shape)) if stretch and array.shape != shape else name
        if first and value.first is None:
            assert value.last is not None
            value.first = self.node("Transpose", value.last, perm=list(channels_first(value.rank)))
        elif not first and value.last is None:
            assert value.first is not None
            back = [0, *range(2, value.rank), 1]
            value.last = self.node("Transpose", value.first, perm=back)
        held = value.first if first else value.last
        assert held is not None
        return held

    def cast(self, value: Value, dtype: Any) -> Value:
        """Return a value in a dtype."""
        dtype = np.dtype(dtype)
        if value.dtype == dtype:
            return value
        if value.constant is not None:
            c = value.constant
            return self.value(Constant(c.array.astype(dtype), c.shape, c.label))
        from onnx.helper import np_dtype_to_tensor_dtype

        name = self.name(value, first=value.is_first)
        name = self.node("Cast", name, to=int(np_dtype_to_tensor_dtype(dtype)))
        return self.result(value.shape, dtype, name, first=value.is_first)

    def permuted(self, value: Value, axes: Sequence[int]) -> Value:
        """Return a value with its axes in another order."""
        shape = tuple(value.shape[i] for i in axes)
        if value.constant is not None:
            c = value.constant
            return self.value(Constant(c.array.transpose(axes), shape, c.label))
        if value.is_first:
            order = channels_first(value.rank)
            axes = [order.index(i) for i in axes]
        name = self.name(value, first=value.is_first)
        if list(axes) != list(range(value.rank)):
            name = self.node("Transpose", name, perm=list(axes))
        return self.result(shape, value.dtype, name)

    def result(self, shape: Shape, dtype: Any, name: str, *, first: bool = False) -> Value:
        """Make a value of what a node gives in one of the orders."""
        return Value(shape, np.dtype(dtype), last=None if first else name, first=name if first else None)

    def axes(self, value: Value, axes: Sequence[int]) -> list[int]:
        """Return where axes of ours are in channels-first order."""
        order = channels_first(value.rank)
        return [order.index(axis) for axis in axes]

    def together(self, values: Sequence[Value], shape: Shape) -> tuple[list[str], bool]:
        """Return names of values that broadcast to a shape, all in one order, and if channels come first.

        That is so where one of them is held that way, and each can be: it has all the axes, or is a constant.
        """
        rank = len(shape)
        moving = [v for v in values if v.constant is None]
        first = any(v.is_first for v in moving) and all(v.rank in (0, rank) for v in moving)
        stretch = not any(v.shape == shape for v in moving)
        names = []
        for v in values:
            if first and v.constant is not None and v.rank:
                more = (1,) * (rank - v.rank)
                c = v.constant
                v = self.value(Constant(c.array.reshape(more + c.array.shape), more + c.shape, c.label))
            names.append(self.name(v, first=first and v.rank > 0, stretch=stretch))
        return names, first

    # -- the whole -------------------------------------------------------------------------------------

    def add(self, trace: Trace) -> list[Value]:
        """Add all of a model's calls that its outputs need, and return the outputs."""
        values: dict[Result, Value] = {Result(-1, i): x for i, x in enumerate(self.inputs)}
        for number in sorted(_needed(trace)):
            call = trace.calls[number]
            if call.fn.name not in EXPORTS:
                raise call.refusal("this operation has no counterpart in ONNX here")
            self.scope = call.module
            inputs = [self._value(x, values) for x in call.inputs]
            call.params = _replaced(call.params, lambda x: self._value(x, values))
            made = EXPORTS[call.fn.name](self, call, inputs)
            for i, value in enumerate(made if isinstance(made, list) else [made]):
                values[Result(number, i)] = value
        self.scope = ""
        return [self._value(x, values) for x in trace.outputs]

    def _value(self, x: Result | Constant, values: dict[Result, Value]) -> Value:
        return self.value(x) if isinstance(x, Constant) else values[x]

    def proto(self, outputs: Sequence[Value], names: Sequence[str], model: str) -> Any:
        """Return the whole as ONNX' own object, without the nodes that nobody needs."""
        import onnx
        from onnx import helper

        renamed: dict[str, str] = {}
        ends = []
        for value, name in zip(outputs, names, strict=True):
            end = self.name(value)
            made = any(end in node.outputs for node in self.nodes)
            if not made or end in renamed:
                end = self.node("Identity", end)
            renamed[end] = self._unique(name)
            ends.append(renamed[end])
        needed, nodes = set(renamed), []
        for node in reversed(self.nodes):
            if needed.intersection(node.outputs):
                needed.update(node.inputs)
                nodes.append(node)
        graph = helper.make_graph(
            [
                helper.make_node(
                    node.kind,
                    [renamed.get(x, x) for x in node.inputs],
                    [renamed.get(x, x) for x in node.outputs],
                    name=node.outputs[0],
                    **node.attributes,
                )
                for node in reversed(nodes)
            ],
            model,
            [_info(helper, x, x.last) for x in self.inputs],
            [_info(helper, x, name) for x, name in zip(outputs, ends, strict=True)],
            [onnx.numpy_helper.from_array(a, name) for name, a in self.arrays.items() if name in needed],
        )
        return helper.make_model(
            graph,
            opset_imports=[helper.make_opsetid("", OPSET)],
            ir_version=IR_VERSION,
            producer_name="tinygrad_edu",
        )


def _info(helper: Any, value: Value, name: str | None) -> Any:
    shape = [
        n if isinstance(n, int) else "batch" if n.times == 1 else f"{n.times}*batch" for n in value.shape
    ]
    return helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(value.dtype), shape)


def _needed(trace: Trace) -> set[int]:
    """Return the numbers of the calls that the outputs depend on."""
    needed: set[int] = set()
    waiting: list[Any] = list(trace.outputs)
    while waiting:
        x = waiting.pop()
        if isinstance(x, Result) and x.call >= 0 and x.call not in needed:
            needed.add(x.call)
            call = trace.calls[x.call]
            if call.error is not None:
                raise call.error
            waiting += [*call.inputs, *_results(call.params)]
    return needed


def _results(params: Any) -> list[Result]:
    found: list[Any] = []
    _replaced(params, found.append)
    return [x for x in found if isinstance(x, Result)]


def _replaced(params: Any, function: Callable[[Result | Constant], Any]) -> Any:
    """Return arguments with what a function gives in the place of each result, and of numbers like one."""
    if isinstance(params, Result | Constant):
        return function(params)
    if isinstance(params, dict):
        return {key: _replaced(item, function) for key, item in params.items()}
    if isinstance(params, tuple):
        return tuple(_replaced(item, function) for item in params)
    return params
