"""Rules: how the walk calls an operation's ``backward``, and checks what it returns."""

from typing import Any

import numpy as np

from . import ops
from .context import anchor, context, source_line
from .errors import GradientError
from .function import Node, part_of, shape_of
from .tensor import Tensor, wrap

__all__ = ["place", "run_rule"]


@anchor
def run_rule(node: Node, g: Any, needs: tuple[bool, ...], create_graph: bool) -> tuple[Any, ...]:
    """Call an operation's backward with what it asked for; return one gradient for each input, or None."""
    saved, inputs = node.saved, node.inputs
    if saved is None:
        raise GradientError(
            f"{node.fn.name}{place(node)}: this graph has been walked already, and what its rules had saved "
            "was freed on the way. Compute the loss again, or keep the graph with retain_graph=True"
        )
    if isinstance(g, dict):  # several results: fill what nobody used
        g = tuple([g[i] if i in g else np.zeros(s, node.dtype) for i, s in enumerate(node.shape)])
    args: list[Any] = []
    for kind, key in node.fn._plan:
        if kind == "input":
            args.append(_seen_again(node, inputs[key[0]], saved[key[1]], create_graph))
        elif kind == "inputs":
            kept = saved[len(node.fn._saves) :]
            args.append([_seen_again(node, x, v, create_graph) for x, v in zip(inputs, kept, strict=True)])
        elif kind == "out":
            value = saved[key]
            args.append(_result_again(node, value) if create_graph else value)
        elif kind == "extra":
            extra = saved[key]
            floats = isinstance(extra, np.ndarray | np.floating) and extra.dtype.kind == "f"
            args.append(None if create_graph and floats else extra)
        elif kind == "param":
            args.append(node.params[key] if key in node.params else _default(node, key))
        elif kind == "shape":
            args.append(shape_of(inputs[key]))
        elif kind == "shapes":
            args.append([shape_of(x) for x in inputs])
        else:
            args.append(needs)
    gradients: list[Any] = []
    before = context.module, context.where, context.rule
    context.module, context.where, context.rule = node.module, node.where, node
    try:
        result = node.fn.backward(g, *args)
        if not isinstance(result, tuple):
            result = (result,)
        if len(result) != len(inputs):
            raise GradientError(
                f"{node.fn.name}.backward returned {len(result)} gradients for {len(inputs)} inputs; "
                "return one for each, None where there is none"
            )
        broadcasts = node.fn.broadcasts
        for i, (x, dx) in enumerate(zip(inputs, result, strict=True)):
            if dx is None or not needs[i]:
                gradients.append(None)
                continue
            if broadcasts:
                dx = ops.unbroadcast(dx, shape_of(x))
            gradients.append(_checked(node, i, x, dx))
    finally:
        context.module, context.where, context.rule = before
    return tuple(gradients)


def _seen_again(node: Node, source: Any, value: Any, create_graph: bool) -> Any:
    """Hand a saved input to a rule: as it was, with its place in the graph if the rule is recorded."""
    leaf = _leaf_seen(source, value)
    if leaf is not None and leaf.changed > node.order:
        raise GradientError(
            f"{node.fn.name}{place(node)}: {leaf.name or 'a leaf'} {leaf.shape} was changed in place after "
            "this was computed from it, so its gradient would be wrong. Call backward() before "
            "optimizer.step(), and compute the loss again after it"
        )
    return _relink(value, source) if create_graph else value


def _leaf_seen(source: Any, value: Any) -> Tensor | None:
    """Find the leaf whose memory a saved input is: itself, or a view of it (reshaped, sliced)."""
    if isinstance(source, Tensor):
        return source
    if not isinstance(source, Node) or value.base is None:
        return None
    while isinstance(source, Node) and len(source.inputs) == 1:  # all operations that make views have one
        source = source.inputs[0]
    return source if isinstance(source, Tensor) and np.may_share_memory(source._data, value) else None


def _result_again(node: Node, value: Any) -> Any:
    """Give a saved result, or each of several, its place in the graph back."""
    if not isinstance(value, tuple):
        return wrap(value, node)
    parts = [np.asarray(v) for v in value]
    return tuple([wrap(v, part_of(node, i, v) if v.dtype.kind == "f" else None) for i, v in enumerate(parts)])


def _relink(value: Any, source: Any) -> Any:
    """Give a saved array its place in the graph back, so that the rule's own use of it is recorded."""
    if isinstance(source, Node):
        return wrap(value, source)
    return source if isinstance(source, Tensor) else value


def _default(node: Node, name: str) -> Any:
    defaults: dict[str, Any] = node.fn.forward.__kwdefaults__ or {}
    return defaults[name]


def _checked(node: Node, index: int, x: Any, dx: Any) -> Any:
    """See that a rule returned a gradient of its input's shape, and give it the input's dtype."""
    if isinstance(dx, dict):  # of an operation with several results: each part was checked on its way here
        return dx
    if not isinstance(dx, Tensor | np.ndarray):
        dx = np.asarray(dx)
    if dx.shape != x.shape:
        raise GradientError(
            f"{node.fn.name}.backward{place(node)} returned a gradient of shape {dx.shape} for input "
            f"{index}, which is {x.shape}: they must be equal. If it was broadcast, sum over those axes"
        )
    if dx.dtype == x.dtype:
        return dx
    if x.dtype.kind != "f":
        raise GradientError(
            f"{x!r} is of whole numbers, so it has no gradient; convert it: Tensor(..., dtype='float32')"
        )
    return dx.astype(x.dtype)


def place(node: Node) -> str:
    line = source_line(node.where)
    return f"{f' in {node.module}' if node.module else ''}{f' (line {line})' if line else ''}"
