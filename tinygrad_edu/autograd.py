"""Reverse-mode differentiation: walk the recorded operations backward and apply the chain rule to each.

The nodes carry the order in which they ran, and whatever uses a result ran after it. So visiting nodes
from the newest to the oldest is a topological order: when a node's turn comes, every gradient that flows
into it has arrived. No recursion, each node once, however many paths lead through it. (Griewank &
Walther, *Evaluating Derivatives*, 2008, ch. 3.)
"""

from collections.abc import Iterable, Sequence
from heapq import heappop, heappush
from typing import Any

import numpy as np

from . import ops
from .context import anchor, context, enable_grad, no_grad, source_line
from .errors import DTypeError, GradientError, ShapeError
from .function import Node, part_of, shape_of
from .tensor import Tensor, wrap

__all__ = ["backward", "grad"]


def backward(
    outputs: Tensor | Sequence[Tensor],
    gradients: Any = None,
    *,
    retain_graph: bool = False,
    create_graph: bool = False,
) -> None:
    """Add the derivative of ``outputs`` to the ``.grad`` of every leaf that requires a gradient.

    Parameters
    ----------
    outputs
        The tensor to differentiate, usually a loss of shape ``()``; or several, whose gradients add up.
    gradients
        dL/d(output), of each output's shape. May be left out where the output is a single number.
    retain_graph
        Keep what the rules saved, so that the same graph can be walked again.
    create_graph
        Record the backward pass too, so that the gradients can be differentiated. Implies ``retain_graph``.

    Raises
    ------
    GradientError
        If nothing was recorded, if the graph was freed by an earlier pass, if a parameter was changed in
        place after the forward pass, or if a rule returns a gradient of the wrong shape.

    Examples
    --------
    >>> import tinygrad_edu as te
    >>> x = te.Tensor(3.0, requires_grad=True)
    >>> (x ** 2).backward()
    >>> x.grad
    Tensor(6.)
    """
    starts = _starts(outputs, gradients, create_graph)
    found = _sweep(starts, create_graph=create_graph, retain=retain_graph or create_graph)
    # Only now, so that a pass which failed half-way has changed nothing.
    for leaf, g in found.values():
        if isinstance(g, Tensor):
            with enable_grad():
                new = g.astype(g.dtype)  # a copy with a history: two leaves may have been given the same g
        else:
            new = wrap(g, None)
        if leaf.grad is None:
            leaf.grad = new
        elif create_graph:
            leaf.grad = leaf.grad + new
        else:
            leaf.grad = wrap(leaf.grad._data + new._data, None)


def grad(
    outputs: Tensor | Sequence[Tensor],
    inputs: Tensor | Sequence[Tensor],
    gradients: Any = None,
    *,
    create_graph: bool = False,
    retain_graph: bool | None = None,
    allow_unused: bool = False,
) -> Any:
    """Return the derivative of ``outputs`` with respect to ``inputs``, leaving every ``.grad`` alone.

    Parameters
    ----------
    outputs, gradients
        As for :func:`backward`.
    inputs
        One tensor, or several: leaves or results of operations.
    create_graph
        Return gradients that can be differentiated again.
    retain_graph
        Keep the graph for another pass; by default as ``create_graph``.
    allow_unused
        Return None for an input that the outputs don't depend on, instead of raising.

    Returns
    -------
    A Tensor of the input's shape and dtype, or a tuple of them if ``inputs`` is a sequence.

    Examples
    --------
    >>> import tinygrad_edu as te
    >>> x = te.Tensor(2.0, requires_grad=True)
    >>> slope = te.grad(x ** 3, x, create_graph=True)
    >>> slope, te.grad(slope, x)
    (Tensor(12., fn=<multiply>), Tensor(12.))
    """
    single = isinstance(inputs, Tensor)
    wanted: list[Tensor] = [inputs] if isinstance(inputs, Tensor) else list(inputs)
    for i, x in enumerate(wanted):
        if not isinstance(x, Tensor) or not x.requires_grad:
            raise GradientError(
                f"grad: input {i} ({x!r}) doesn't require a gradient, so nothing that used it was recorded; "
                "make it with requires_grad=True before the computation"
            )
    starts = _starts(outputs, gradients, create_graph)
    targets = {id(x if x.node is None else x.node) for x in wanted}
    retain = create_graph if retain_graph is None else retain_graph
    found = _sweep(starts, create_graph=create_graph, retain=retain, targets=targets)
    results: list[Tensor | None] = []
    for i, x in enumerate(wanted):
        entry = found.get(id(x if x.node is None else x.node))
        if entry is None and not allow_unused:
            raise GradientError(
                f"grad: the outputs don't depend on input {i} ({x!r}); "
                "pass allow_unused=True to get None for it"
            )
        g = None if entry is None else entry[1]
        results.append(g if g is None or isinstance(g, Tensor) else wrap(g, None))
    return results[0] if single else tuple(results)


def _starts(outputs: Tensor | Sequence[Tensor], gradients: Any, create_graph: bool) -> list[tuple[Any, Any]]:
    """Pair each output's node (or leaf) with the gradient that the walk starts from."""
    many: list[Tensor] = [outputs] if isinstance(outputs, Tensor) else list(outputs)
    given = [gradients] if isinstance(outputs, Tensor) or gradients is None else list(gradients)
    if gradients is None:
        given = [None] * len(many)
    if len(given) != len(many):
        raise GradientError(f"backward: {len(many)} outputs but {len(given)} gradients")
    starts: list[tuple[Any, Any]] = []
    for y, g in zip(many, given, strict=True):
        if not isinstance(y, Tensor):
            raise DTypeError(f"backward: expected a Tensor to differentiate, got {type(y).__name__}")
        if not y.requires_grad:
            raise GradientError(
                f"backward: {y!r} doesn't require a gradient. Either no input had requires_grad=True, "
                "or it was computed under no_grad() or after detach(). (For the derivative of a gradient, "
                "compute that with create_graph=True)"
            )
        if g is None:
            if y.size != 1:
                raise GradientError(
                    f"backward: the tensor has shape {y.shape}, but only a single number has a gradient by "
                    "itself; reduce it first (.sum() or .mean()), or pass gradients= of the same shape"
                )
            g = np.ones(y.shape, y.dtype)
        if create_graph and isinstance(g, Tensor):
            g = g if g.dtype == y.dtype else g.astype(y.dtype)
        else:  # a copy, since it may become the grad of a leaf
            g = np.array(g._data if isinstance(g, Tensor) else g, y.dtype)
            g = wrap(g, None) if create_graph else g
        if g.shape != y.shape:
            raise ShapeError(f"backward: the output is {y.shape}, but the gradient given for it {g.shape}")
        starts.append((y if y.node is None else y.node, g))
    return starts


def _sweep(
    starts: Iterable[tuple[Any, Any]], *, create_graph: bool, retain: bool, targets: set[int] | None = None
) -> dict[int, tuple[Any, Any]]:
    """Walk from the newest node to the oldest; return ``{id: (leaf or node, gradient)}``.

    Without ``targets`` that is every leaf reached. With them, just those, and only nodes on a way to one
    of them run.
    """
    starts = list(starts)
    useful = None if targets is None else _leading_to(targets, [x for x, _ in starts])
    waiting: dict[int, Node] = {}  # by order
    queue: list[int] = []  # of negated orders: heappop gives the newest
    flowing: dict[int, Any] = {}  # gradient that has arrived so far, by the node's id
    found: dict[int, tuple[Any, Any]] = {}
    constants: dict[int, Constant] = {}

    def arrive(x: Any, g: Any) -> None:
        key = id(x)
        if isinstance(x, Node):
            before = flowing.get(key)
            if before is None:
                flowing[key] = g
                waiting[x.order] = x
                heappush(queue, -x.order)
            else:
                flowing[key] = _add_parts(before, g) if isinstance(g, tuple) else before + g
        elif key in found:
            found[key] = (x, found[key][1] + g)
        else:
            found[key] = (x, g)

    def wants(x: Any) -> bool:
        if useful is not None:
            return id(x) in useful
        return isinstance(x, Node) or (isinstance(x, Tensor) and x.requires_grad)

    for x, g in starts:
        if wants(x):
            arrive(x, g)
    while queue:
        node = waiting.pop(-heappop(queue))
        g = flowing.pop(id(node))
        if targets is not None and id(node) in targets:
            found[id(node)] = (node, g if create_graph else g.copy())  # g flows on, perhaps to another target
        needs = tuple([wants(x) for x in node.inputs])
        if True not in needs:
            continue
        saved = node.saved
        gradients = _run_rule(node, g, needs, create_graph)
        for i, (x, dx) in enumerate(zip(node.inputs, gradients, strict=True)):
            if needs[i] and dx is not None:
                dx = _checked(node, i, x, dx)
                if (
                    isinstance(dx, np.ndarray)
                    and not isinstance(x, Node)
                    and _is_shared(dx, g, (*(saved or ()), *node.params.values()), gradients)
                ):
                    dx = dx.copy()
                arrive(x, dx)
        if not retain:
            _free(node, constants)
    return found


@anchor
def _run_rule(node: Node, g: Any, needs: tuple[bool, ...], create_graph: bool) -> tuple[Any, ...]:
    """Call an operation's backward with what it asked for; return one gradient for each input."""
    saved, inputs = node.saved, node.inputs
    if saved is None:
        raise GradientError(
            f"{node.fn.name}{_place(node)}: this graph has been walked already, and what its rules had saved "
            "was freed on the way. Compute the loss again, or keep the graph with retain_graph=True"
        )
    if isinstance(node.shape, tuple) and isinstance(g, tuple):  # several results: fill what nobody used
        g = tuple(
            [np.zeros(s, node.dtype) if part is None else part for part, s in zip(g, node.shape, strict=True)]
        )
    args: list[Any] = []
    for kind, key in node.fn._plan:
        if kind == "input":
            args.append(_seen_again(node, inputs[key[0]], saved[key[1]], create_graph))
        elif kind == "inputs":
            args.append([_seen_again(node, x, v, create_graph) for x, v in zip(inputs, saved, strict=True)])
        elif kind == "out":
            value = saved[key]
            if create_graph:
                value = (
                    tuple([wrap(v, part_of(node, i, v)) for i, v in enumerate(value)])
                    if isinstance(value, tuple)
                    else wrap(value, node)
                )
            args.append(value)
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
    gradients: tuple[Any, ...]
    before = context.module, context.where
    context.module, context.where = node.module, node.where
    try:
        with enable_grad() if create_graph else no_grad():
            result = node.fn.backward(g, *args)
            gradients = result if isinstance(result, tuple) else (result,)
            if len(gradients) != len(inputs):
                raise GradientError(
                    f"{node.fn.name}.backward returned {len(gradients)} gradients for {len(inputs)} inputs; "
                    "return one for each, None where there is none"
                )
            if node.fn.broadcasts:
                gradients = tuple(
                    [
                        ops.unbroadcast(dx, shape_of(x)) if need and dx is not None else None
                        for dx, x, need in zip(gradients, inputs, needs, strict=True)
                    ]
                )
    finally:
        context.module, context.where = before
    return gradients


def _seen_again(node: Node, source: Any, value: Any, create_graph: bool) -> Any:
    """Hand a saved input to a rule: as it was, with its place in the graph if the rule is recorded."""
    leaf = _leaf_seen(source, value)
    if leaf is not None and leaf.changed > node.order:
        raise GradientError(
            f"{node.fn.name}{_place(node)}: {leaf.name or 'a leaf'} {leaf.shape} was changed in place after "
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
    if isinstance(dx, tuple):  # of an operation with several results: each part was checked on its way here
        return dx
    if not isinstance(dx, Tensor | np.ndarray):
        dx = np.asarray(dx)
    if dx.shape != x.shape:
        raise GradientError(
            f"{node.fn.name}.backward{_place(node)} returned a gradient of shape {dx.shape} for input "
            f"{index}, which is {x.shape}: they must be equal. If it was broadcast, sum over those axes"
        )
    if dx.dtype == x.dtype:
        return dx
    if x.dtype.kind != "f":
        raise GradientError(
            f"{x!r} is of whole numbers, so it has no gradient; convert it: Tensor(..., dtype='float32')"
        )
    return dx.astype(x.dtype)


def _is_shared(dx: Any, g: Any, kept: tuple[Any, ...], gradients: tuple[Any, ...]) -> bool:
    """Tell whether a leaf's gradient would share memory with something else that lives on."""
    if dx.base is not None or dx is g or any(dx is s for s in kept):
        return True
    return sum(dx is other for other in gradients) > 1


def _add_parts(a: tuple[Any, ...], b: tuple[Any, ...]) -> tuple[Any, ...]:
    return tuple([y if x is None else x if y is None else x + y for x, y in zip(a, b, strict=True)])


class Constant:
    """What a freed node remembers of an input that took no gradient: enough to draw it."""

    __slots__ = ("dtype", "name", "shape")

    def __init__(self, x: Any) -> None:
        self.shape, self.dtype, self.name = x.shape, x.dtype, getattr(x, "name", None)


def _free(node: Node, constants: dict[int, Constant]) -> None:
    """Let go of the arrays, so that memory falls while the walk goes on, and of the data batch.

    ``constants`` has what the walk has replaced so far, by id: an input of two operations stays one thing.
    """
    node.saved = None
    if any(_is_constant(x) for x in node.inputs):
        node.inputs = tuple(
            [constants.setdefault(id(x), Constant(x)) if _is_constant(x) else x for x in node.inputs]
        )
    if any(isinstance(value, np.ndarray) for value in node.params.values()):
        node.params = {
            key: Constant(value) if isinstance(value, np.ndarray) else value
            for key, value in node.params.items()
        }


def _is_constant(x: Any) -> bool:
    return isinstance(x, np.ndarray) or (isinstance(x, Tensor) and not x.requires_grad)


def _leading_to(targets: set[int], starts: list[Any]) -> set[int]:
    """Collect the ids of all nodes and leaves through which a gradient reaches a target."""
    nodes: dict[int, Node] = {}
    stack = [x for x in starts if isinstance(x, Node)]
    while stack:
        node = stack.pop()
        if node.order not in nodes:
            nodes[node.order] = node
            stack.extend(x for x in node.inputs if isinstance(x, Node))
    useful = set(targets)
    for order in sorted(nodes):  # inputs before what was made of them
        node = nodes[order]
        if any(id(x) in useful for x in node.inputs):
            useful.add(id(node))
    return useful


def _place(node: Node) -> str:
    line = source_line(node.where)
    return f"{f' in {node.module}' if node.module else ''}{f' (line {line})' if line else ''}"
