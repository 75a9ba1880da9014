"""Rules: how the walk calls an operation's ``backward``, and checks what it returns."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from . import function, ops
from .context import anchor, context, source_line
from .errors import GradientError
from .function import Node, part_of, saved_plan
from .tensor import Tensor, wrap

__all__ = ["checked", "inside", "mended", "place", "run_rule"]


@anchor
def run_rule(node: Node, g: Any, needs: tuple[bool, ...] | None, create_graph: bool) -> tuple[Any, ...]:
    """Call an operation's backward with what it asked for; return one gradient for each input, or None.

    ``needs`` says which inputs want a gradient; None means all that require one. What comes back is as the
    rule made it: see ``mended``. It leaves the node in ``context.rule``; the walk takes it out again.
    """
    saved, fn = node.saved, node.fn
    if saved is None:
        raise GradientError(
            f"{fn.name}{place(node)}: this graph has been walked already, and what its rules had saved "
            "was freed on the way. Compute the loss again, or keep the graph with retain_graph=True"
        )
    if function.last_change > node.order:
        _check_unchanged(node)
    if type(g) is dict:  # several results: fill what nobody used
        g = tuple([g[i] if i in g else np.zeros(s, node.dtype) for i, s in enumerate(node.shape)])
    if create_graph:
        saved = _seen_again(node)
    at = fn._needs_at
    if at is not None:
        if needs is None:
            needs = needs_of(node)
        saved = (*saved, needs) if at == len(saved) else (*saved[:at], needs, *saved[at:])
    if create_graph:  # what the rule computes is recorded, in the module and on the line of its operation
        before, context.rule = context.rule, node
        with inside(node):
            result = checked(node, _several(node, fn.backward(g, *saved)), needs)
        context.rule = before
        return result
    context.rule = node
    result = fn.backward(g, *saved)
    if type(result) is tuple and len(result) == len(node.inputs):
        return result
    return _several(node, result)


def _several(node: Node, result: Any) -> tuple[Any, ...]:
    if not isinstance(result, tuple):
        result = (result,)
    if len(result) != len(node.inputs):
        raise GradientError(
            f"{node.fn.name}.backward returned {len(result)} gradients for {len(node.inputs)} inputs; "
            "return one for each, None where there is none"
        )
    return result  # type: ignore[no-any-return]


def needs_of(node: Node) -> tuple[bool, ...]:
    """Tell which of an operation's inputs require a gradient."""
    return tuple([type(x) is Node or (isinstance(x, Tensor) and x.requires_grad) for x in node.inputs])


@contextmanager
def inside(node: Node) -> Iterator[None]:
    """Record in the module and on the line that a node was recorded in."""
    before = context.module, context.where
    context.module, context.where = node.module, node.where
    try:
        yield
    finally:
        context.module, context.where = before


def checked(node: Node, gradients: tuple[Any, ...], needs: tuple[bool, ...] | None) -> tuple[Any, ...]:
    """Return all of a rule's gradients ``mended``, and None for an input that wants none."""
    wanted = needs_of(node) if needs is None else needs
    return tuple(
        [
            mended(node, i, x, dx) if need and dx is not None else None
            for i, (x, dx, need) in enumerate(zip(node.inputs, gradients, wanted, strict=True))
        ]
    )


def mended(node: Node, index: int, x: Any, dx: Any) -> Any:
    """Give a rule's gradient its input's shape, where that was broadcast, and its dtype.

    Raises GradientError if it has another shape.
    """
    if type(dx) is dict:  # of an operation with several results: each part was mended on its way here
        return dx
    if not isinstance(dx, np.ndarray | Tensor):
        dx = np.asarray(dx)
    if node.fn.broadcasts:
        dx = ops.unbroadcast(dx, x.shape)
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


def _check_unchanged(node: Node) -> None:
    """Raise if a leaf that the rule is going to use was changed in place since."""
    for (kind, key), value in zip(saved_plan(node.fn), node.saved or (), strict=True):
        if kind in ("input", "inputs"):
            pairs = [(node.inputs[key], value)] if kind == "input" else zip(node.inputs, value, strict=True)
            for source, array in pairs:
                leaf = _leaf_seen(source, array)
                if leaf is not None and leaf.changed > node.order:
                    raise GradientError(
                        f"{node.fn.name}{place(node)}: {leaf.name or 'a leaf'} {leaf.shape} was changed in "
                        "place after this was computed from it, so its gradient would be wrong. Call "
                        "backward() before optimizer.step(), and compute the loss again after it"
                    )


def _leaf_seen(source: Any, value: Any) -> Tensor | None:
    """Find the leaf whose memory a saved input is: itself, or a view of it (reshaped, sliced)."""
    if isinstance(source, Tensor):
        return source
    if not isinstance(source, Node) or value.base is None:
        return None
    while isinstance(source, Node) and len(source.inputs) == 1:  # all operations that make views have one
        source = source.inputs[0]
    return source if isinstance(source, Tensor) and np.may_share_memory(source._data, value) else None


def _seen_again(node: Node) -> tuple[Any, ...]:
    """Give what a rule is called with its place in the graph back, so that the rule's use of it is recorded.

    An extra of floats has no place there; it becomes None.
    """
    again: list[Any] = []
    for (kind, key), value in zip(saved_plan(node.fn), node.saved or (), strict=True):
        if kind == "input":
            value = _relink(value, node.inputs[key])
        elif kind == "inputs":
            value = [_relink(v, x) for v, x in zip(value, node.inputs, strict=True)]
        elif kind == "out":
            value = _result_again(node, value)
        elif kind == "extra" and isinstance(value, np.ndarray | np.floating) and value.dtype.kind == "f":
            value = None
        again.append(value)
    return tuple(again)


def _relink(value: Any, source: Any) -> Any:
    if isinstance(source, Node):
        return wrap(value, source)
    return source if isinstance(source, Tensor) else value


def _result_again(node: Node, value: Any) -> Any:
    if not isinstance(value, tuple):
        return wrap(value, node)
    parts = [np.asarray(v) for v in value]
    return tuple([wrap(v, part_of(node, i, v) if v.dtype.kind == "f" else None) for i, v in enumerate(parts)])


def place(node: Node) -> str:
    line = source_line(node.where)
    return f"{f' in {node.module}' if node.module else ''}{f' (line {line})' if line else ''}"
