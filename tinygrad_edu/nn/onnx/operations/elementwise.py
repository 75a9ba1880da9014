"""Operations that go element by element; in which order the axes are is all the same to them."""

from collections.abc import Callable
from typing import Any

import numpy as np

from ..graph import EXPORTS, Graph, Value
from ..trace import Call

__all__: list[str] = []

Emit = Callable[..., str]  # (graph, dtype of the inputs, their names, arguments) -> the result's name


def _write(graph: Graph, call: Call, inputs: list[Value], dtype: Any, emit: Emit) -> Value:
    names, first = graph.together([graph.cast(x, dtype) for x in inputs], call.shapes[0])
    name = emit(graph, np.dtype(dtype), *names, **call.params)
    return graph.result(call.shapes[0], call.dtypes[0], name, first=first)


def _arithmetic(**emits: Emit) -> None:
    """Enter operations whose inputs all take the result's dtype."""

    def exporter(emit: Emit) -> Any:
        return lambda graph, call, inputs: _write(graph, call, inputs, call.dtypes[0], emit)

    EXPORTS.update({name: exporter(emit) for name, emit in emits.items()})


def _questions(**emits: Emit) -> None:
    """Enter operations that give bools; their inputs take the dtype that NumPy would compare them in."""

    def exporter(emit: Emit) -> Any:
        def export(graph: Graph, call: Call, inputs: list[Value]) -> Value:
            weak = [x.constant.array.item() for x in inputs if x.constant is not None and x.constant.weak]
            strong = [x.dtype for x in inputs if x.constant is None or not x.constant.weak]
            return _write(graph, call, inputs, np.result_type(*strong, *weak), emit)

        return export

    EXPORTS.update({name: exporter(emit) for name, emit in emits.items()})


def _logic(**emits: Emit) -> None:
    """Enter operations on bools."""

    def exporter(emit: Emit) -> Any:
        return lambda graph, call, inputs: _write(graph, call, inputs, bool, emit)

    EXPORTS.update({name: exporter(emit) for name, emit in emits.items()})


def node(kind: str, **renamed: str) -> Emit:
    """One ONNX operation; arguments are left out, but for those that have another name there."""

    def emit(graph: Graph, dtype: Any, *names: str, **params: Any) -> str:
        return graph.node(kind, *names, **{theirs: float(params[ours]) for ours, theirs in renamed.items()})

    return emit


class _Writer:
    """Formulas of several nodes: ``w.Mul(x, 2.0)``; a Python number becomes one of the dtype."""

    def __init__(self, graph: Graph, dtype: Any) -> None:
        self.graph, self.dtype = graph, dtype

    def __getattr__(self, kind: str) -> Callable[..., str]:
        def write(*inputs: Any) -> str:
            numbers = [x if isinstance(x, str) else self.graph.array(x, self.dtype) for x in inputs]
            return self.graph.node(kind, *numbers)

        return write


def formula(function: Callable[..., str]) -> Emit:
    """Several ONNX operations, written as a formula (w, names, arguments)."""
    return lambda graph, dtype, *names, **params: function(_Writer(graph, dtype), *names, **params)


_SAME = {
    "abs": "Abs", "negative": "Neg", "positive": "Identity", "sign": "Sign", "floor": "Floor",
    "ceil": "Ceil", "round": "Round", "sqrt": "Sqrt", "reciprocal": "Reciprocal", "exp": "Exp", "log": "Log",
    "sin": "Sin", "cos": "Cos", "tan": "Tan", "asin": "Asin", "acos": "Acos", "atan": "Atan", "sinh": "Sinh",
    "cosh": "Cosh", "asinh": "Asinh", "acosh": "Acosh", "atanh": "Atanh", "tanh": "Tanh", "erf": "Erf",
    "relu": "Relu", "sigmoid": "Sigmoid", "softplus": "Softplus", "softsign": "Softsign", "mish": "Mish",
    "selu": "Selu", "add": "Add", "subtract": "Sub", "multiply": "Mul", "divide": "Div", "pow": "Pow",
    "maximum": "Max", "minimum": "Min",
}  # fmt: skip
_arithmetic(**{name: node(kind) for name, kind in _SAME.items()})
_arithmetic(
    elu=node("Elu", alpha="alpha"),
    leaky_relu=node("LeakyRelu", negative_slope="alpha"),
    gelu=lambda graph, dtype, x, approximate: graph.node(
        "Gelu", x, approximate="tanh" if approximate else "none"
    ),
    hard_sigmoid=lambda graph, dtype, x: graph.node("HardSigmoid", x, alpha=1 / 6, beta=0.5),
    relu6=formula(lambda w, x: w.Clip(x, 0.0, 6.0)),
    silu=formula(lambda w, x: w.Mul(x, w.Sigmoid(x))),
    logsigmoid=formula(lambda w, x: w.Neg(w.Softplus(w.Neg(x)))),
    square=formula(lambda w, x: w.Mul(x, x)),
    rsqrt=formula(lambda w, x: w.Reciprocal(w.Sqrt(x))),
    cbrt=formula(lambda w, x: w.Mul(w.Sign(x), w.Pow(w.Abs(x), 1 / 3))),
    trunc=formula(lambda w, x: w.Mul(w.Sign(x), w.Floor(w.Abs(x)))),
    exp2=formula(lambda w, x: w.Pow(2.0, x)),
    expm1=formula(lambda w, x: w.Sub(w.Exp(x), 1.0)),
    log1p=formula(lambda w, x: w.Log(w.Add(x, 1.0))),
    log2=formula(lambda w, x: w.Mul(w.Log(x), 1 / np.log(2))),
    log10=formula(lambda w, x: w.Mul(w.Log(x), 1 / np.log(10))),
    erfc=formula(lambda w, x: w.Sub(1.0, w.Erf(x))),
    log_cosh=formula(
        lambda w, x: w.Sub(w.Add(w.Abs(x), w.Softplus(w.Mul(w.Abs(x), -2.0))), float(np.log(2)))
    ),
    hypot=formula(lambda w, a, b: w.Sqrt(w.Add(w.Mul(a, a), w.Mul(b, b)))),
    logaddexp=formula(lambda w, a, b: w.Add(w.Max(a, b), w.Softplus(w.Neg(w.Abs(w.Sub(a, b)))))),
)
_questions(
    equal=node("Equal"),
    not_equal=formula(lambda w, a, b: w.Not(w.Equal(a, b))),
    greater=node("Greater"),
    greater_equal=node("GreaterOrEqual"),
    less=node("Less"),
    less_equal=node("LessOrEqual"),
    isnan=node("IsNaN"),
    isinf=node("IsInf"),
    isfinite=formula(lambda w, x: w.Not(w.Or(w.IsNaN(x), w.IsInf(x)))),
)
_logic(logical_not=node("Not"), logical_and=node("And"), logical_or=node("Or"), logical_xor=node("Xor"))


def _remainder(graph: Graph, call: Call, inputs: list[Value]) -> Value:
    def emit(graph: Graph, dtype: Any, a: str, b: str) -> str:
        if dtype.kind != "f":
            return graph.node("Mod", a, b)
        w = _Writer(graph, dtype)  # with the sign of b, as in Python
        return w.Sub(a, w.Mul(w.Floor(w.Div(a, b)), b))

    return _write(graph, call, inputs, call.dtypes[0], emit)


def _floor_divide(graph: Graph, call: Call, inputs: list[Value]) -> Value:
    if call.dtypes[0].kind != "f":
        raise call.refusal(
            "whole numbers aren't divided in ONNX as in Python, where the quotient is rounded down"
        )
    return _write(graph, call, inputs, call.dtypes[0], formula(lambda w, a, b: w.Floor(w.Div(a, b))))


def _bits(kind: str, on_bools: str) -> Any:
    """Write an operation on bits, which ONNX has under another name for bools."""

    def export(graph: Graph, call: Call, inputs: list[Value]) -> Value:
        dtype = call.dtypes[0]
        return _write(graph, call, inputs, dtype, node(on_bools if dtype.kind == "b" else kind))

    return export


def _clip(graph: Graph, call: Call, inputs: list[Value]) -> Value:
    bounds = call.params.pop("min"), call.params.pop("max")

    def emit(graph: Graph, dtype: Any, x: str) -> str:
        for kind, bound in zip(("Max", "Min"), bounds, strict=True):
            if bound is not None:
                x = graph.node(kind, x, graph.array(bound, dtype))
        return x

    if any(isinstance(bound, Value) or np.ndim(bound) for bound in bounds if bound is not None):
        raise call.refusal(
            "bounds that are arrays have no counterpart in ONNX here; write maximum and minimum"
        )
    return _write(graph, call, inputs, call.dtypes[0], emit)


def _where(graph: Graph, call: Call, inputs: list[Value]) -> Value:
    condition, *both = inputs
    values = [graph.cast(condition, bool), *(graph.cast(x, call.dtypes[0]) for x in both)]
    names, first = graph.together(values, call.shapes[0])
    return graph.result(call.shapes[0], call.dtypes[0], graph.node("Where", *names), first=first)


def _astype(graph: Graph, call: Call, inputs: list[Value]) -> Value:
    return graph.cast(inputs[0], call.dtypes[0])


EXPORTS.update(
    remainder=_remainder,
    floor_divide=_floor_divide,
    clip=_clip,
    where=_where,
    astype=_astype,
    bitwise_and=_bits("BitwiseAnd", "And"),
    bitwise_or=_bits("BitwiseOr", "Or"),
    bitwise_xor=_bits("BitwiseXor", "Xor"),
    bitwise_invert=_bits("BitwiseNot", "Not"),
)
