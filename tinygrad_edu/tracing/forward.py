"""The forward pass a second time: from the leaves to every result, compared with what the tape has kept."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ..checkpointing import Checkpoint
from ..errors import GradientError
from ..function import Node, Part, input_names, saved_plan
from ..rules import place
from ..tensor import Tensor
from .record import Numbers

__all__ = ["check", "reachable", "run_again"]


def reachable(starts: Sequence[Node]) -> list[Node]:
    """Collect the nodes that lead to ``starts``, oldest first: inputs stand before what uses them."""
    found: dict[int, Node] = {}
    stack = list(starts)
    while stack:
        node = stack.pop()
        if node.order not in found:
            found[node.order] = node
            stack.extend(x for x in node.inputs if isinstance(x, Node))
    return [found[order] for order in sorted(found)]


def check(node: Node) -> None:
    """Raise if the node was freed, or if something it was computed from has other numbers by now."""
    if node.saved is None:
        raise GradientError(
            f"trace_gradient: {node.fn.name}{place(node)} was walked already, and freed on the way. Trace "
            "the loss before backward(), or call backward(retain_graph=True), or compute the loss again"
        )
    for x in node.inputs:
        if isinstance(x, Tensor) and x.changed > node.order:
            raise GradientError(
                f"trace_gradient: {x.name or 'a tensor'} {x.shape} was changed in place after "
                f"{node.fn.name}{place(node)} was computed from it, so that number can't be shown any more. "
                "Trace the loss before optimizer.step(), or compute it again"
            )


def run_again(nodes: list[Node], results: list[Tensor], keep: int | None) -> dict[Node, tuple[Numbers, ...]]:
    """Run all operations again; hold each result as an array only until its last use."""
    uses: dict[Node, int] = {}
    for node in nodes:
        for x in node.inputs:
            if isinstance(x, Node):
                uses[x] = uses.get(x, 0) + 1
    ends = {y.node: y for y in results if y.node is not None}
    arrays: dict[Node, Any] = {}
    kept: dict[Node, tuple[Numbers, ...]] = {}
    for node in nodes:
        inputs = [_array(x, arrays) for x in node.inputs]
        with np.errstate(all="ignore"):
            out = _run(node, inputs)
        out = _verified(node, inputs, out)
        if node in ends:
            _compare(node, "its result", out, ends[node].data)
        kept[node] = tuple([Numbers.of(y, keep) for y in (out if isinstance(out, tuple) else (out,))])
        arrays[node] = out
        for x in (node, *node.inputs):
            if isinstance(x, Node):
                uses[x] = uses.get(x, 0) - (x is not node)
                if uses[x] == 0:
                    arrays.pop(x, None)
    return kept


def _array(x: Any, arrays: Mapping[Node, Any]) -> Any:
    if isinstance(x, Node):
        return arrays[x]
    return x.data if isinstance(x, Tensor) else x


def _run(node: Node, inputs: list[Any]) -> Any:
    """Return an operation's result, without the extras: an array, or a tuple of them."""
    if node.fn is Checkpoint:  # it has no forward of its own: its function runs again
        assert node.saved is not None
        results = tuple([y.data for y in node.saved[0].run_again(node)])
        return results if isinstance(node.shape, tuple) and _are_shapes(node.shape) else results[0]
    out = node.fn.forward(*inputs, **node.params)
    if node.fn.extras:
        out = out[0]
    return tuple([np.asarray(y) for y in out]) if isinstance(out, tuple) else np.asarray(out)


def _are_shapes(shape: tuple[Any, ...]) -> bool:
    return any(isinstance(s, tuple) for s in shape)


def _verified(node: Node, inputs: list[Any], out: Any) -> Any:
    """Compare with what the node has kept, if it has; return the result that the rule will see."""
    names = input_names(node.fn, len(inputs))
    for (kind, key), value in zip(saved_plan(node.fn), node.saved or (), strict=True):
        if kind == "input":
            _compare(node, names[key], inputs[key], value)
        elif kind == "inputs":
            for name, x, saved in zip(names, inputs, value, strict=True):
                _compare(node, name, x, saved)
        elif kind == "out":
            pairs = zip(out, value, strict=True) if isinstance(out, tuple) else [(out, value)]
            for y, saved in pairs:
                _compare(node, "its result", y, saved)
            out = value
    return out


def _compare(node: Node, what: str, x: Any, before: Any) -> None:
    """Raise if two arrays differ by more than the rounding of sums that threads share out differently."""
    if x is before or node.fn is Part:
        return
    x, before = np.asarray(x), np.asarray(before)
    equal = x.dtype.kind == "f"
    if x.shape == before.shape and np.array_equal(x, before, equal_nan=equal):
        return
    if equal and x.shape == before.shape:
        scale = np.abs(before[np.isfinite(before)]).max(initial=0.0)
        if np.allclose(x, before, rtol=1e-4, atol=1e-4 * float(scale), equal_nan=True):
            return
    raise GradientError(
        f"trace_gradient: {node.fn.name}{place(node)} has kept another number for {what} than running it "
        "again gives. An array that it was computed from must have been written into; trace the loss before "
        "that, or give the operation a copy"
    )
