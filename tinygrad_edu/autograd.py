"""Reverse-mode differentiation: walk the recorded operations backward and apply the chain rule to each.

The nodes carry the order in which they ran, and whatever uses a result ran after it. So visiting nodes
from the newest to the oldest is a topological order: when a node's turn comes, every gradient that flows
into it has arrived. No recursion, each node once, however many paths lead through it. (Griewank &
Walther, *Evaluating Derivatives*, 2008, ch. 3.)
"""

from collections.abc import Iterable, Sequence
from heapq import heappop, heappush
from operator import attrgetter
from typing import Any

import numpy as np

from .context import context, enable_grad
from .errors import DTypeError, GradientError, ShapeError
from .function import Node, Part
from .hooks import apply_hooks
from .rules import checked, mended, run_rule
from .tensor import Tensor, as_array, wrap

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
        dL/d(output), of each output's shape, converted to its dtype. May be left out where the output is a
        single number.
    retain_graph
        Keep what the rules saved, so that the same graph can be walked again.
    create_graph
        Record the backward pass too, so that the gradients can be differentiated. Implies ``retain_graph``.

    Raises
    ------
    GradientError
        If nothing was recorded, if the graph was freed by an earlier pass, if a parameter was changed in
        place after the forward pass, or if a rule returns a gradient of the wrong shape.
    ShapeError
        If one of ``gradients`` hasn't its output's shape.

    Examples
    --------
    >>> import tinygrad_edu as te
    >>> x = te.Tensor(3.0, requires_grad=True)
    >>> (x ** 2).backward()
    >>> x.grad
    Tensor(6.)
    """
    starts = starts_of(outputs, gradients, create_graph)
    found = walk(starts, create_graph=create_graph, retain=retain_graph or create_graph)
    # Only now, so that a pass which failed half-way has changed nothing.
    recording = context.recording
    context.recording = create_graph
    try:
        for leaf, g in found.values():
            # With a history it is copied, since two leaves may have been given the same g.
            new = g.astype(g.dtype) if isinstance(g, Tensor) else wrap(g, None)
            leaf.grad = new if leaf.grad is None else leaf.grad + new
    finally:
        context.recording = recording


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

    Raises
    ------
    GradientError, ShapeError
        As :func:`backward` does; GradientError also if an input doesn't require a gradient, or if the
        outputs don't depend on it.

    Examples
    --------
    >>> import tinygrad_edu as te
    >>> x = te.Tensor(2.0, requires_grad=True)
    >>> slope = te.grad(x ** 3, x, create_graph=True)
    >>> slope, te.grad(slope, x)
    (Tensor(12., fn=<multiply>), Tensor(12.))
    """
    single = isinstance(inputs, Tensor)
    wanted = _tensors("inputs", inputs)
    for i, x in enumerate(wanted):
        if not isinstance(x, Tensor) or not x.requires_grad:
            raise GradientError(
                f"grad: input {i} ({x!r}) doesn't require a gradient, so nothing that used it was recorded; "
                "make it with requires_grad=True before the computation"
            )
    starts = starts_of(outputs, gradients, create_graph)
    origins = [origin(x) for x in wanted]
    retain = create_graph if retain_graph is None else retain_graph
    targets = {id(x) for x, _ in origins}
    found = walk(starts, create_graph=create_graph, retain=retain, targets=targets)
    results = [gradient_of(x, index, found) for x, index in origins]
    for i, g in enumerate(results):
        if g is None and not allow_unused:
            raise GradientError(
                f"grad: the outputs don't depend on input {i} ({wanted[i]!r}); "
                "pass allow_unused=True to get None for it"
            )
    return results[0] if single else tuple(results)


def _tensors(name: str, given: Any) -> list[Tensor]:
    """Return one tensor or a sequence of them as a list."""
    if isinstance(given, Tensor):
        return [given]
    if not isinstance(given, Iterable) or isinstance(given, str):
        raise DTypeError(f"{name}: expected a Tensor or a list of them, got {type(given).__name__}")
    return list(given)


def origin(x: Tensor) -> tuple[Any, int | None]:
    """Return what a gradient for a tensor arrives at: the leaf itself, or a node and which of its results."""
    if x.node is None:
        return x, None
    if x.node.fn is Part:
        return x.node.inputs[0], x.node.params["index"]
    return x.node, None


def gradient_of(x: Any, index: int | None, found: dict[int, tuple[Any, Any]]) -> Tensor | None:
    """Pick the gradient for an ``origin`` out of what a walk found."""
    if id(x) not in found:
        return None
    g = found[id(x)][1]
    if index is not None:
        g = g.get(index)
    if not isinstance(g, Tensor):
        return None if g is None else wrap(g, None)
    if g.node is None and g.requires_grad:  # a leaf of the caller's, which it is given in
        with enable_grad():
            return g.astype(g.dtype)
    return wrap(g.data.copy(), g.node)  # g may be the caller's, or another input's gradient too


def starts_of(
    outputs: Tensor | Sequence[Tensor], gradients: Any, create_graph: bool
) -> list[tuple[Any, Any]]:
    """Pair each output's node (or leaf) with the gradient that the walk starts from."""
    many = _tensors("outputs", outputs)
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
            g = np.array(1, y.dtype, ndmin=y.ndim)
            g = wrap(g, None) if create_graph else g
        elif create_graph and isinstance(g, Tensor):
            with enable_grad():
                g = g if g.dtype == y.dtype else g.astype(y.dtype)
        else:  # a copy where it becomes the gradient of a leaf, or a hook may write to it
            g = as_array(g.detach() if isinstance(g, Tensor) else g, y.dtype)
            if y.node is None or y.node.hooks or create_graph:
                g = np.array(g)
            g = wrap(g, None) if create_graph else g
        if g.shape != y.shape:
            raise ShapeError(f"backward: the output is {y.shape}, but the gradient given for it {g.shape}")
        starts.append((y if y.node is None else y.node, g))
    return starts


def walk(
    starts: Iterable[tuple[Any, Any]],
    *,
    create_graph: bool,
    retain: bool,
    targets: set[int] | None = None,
    ends: frozenset[int] = frozenset(),
) -> dict[int, tuple[Any, Any]]:
    """Walk from the newest node to the oldest; return ``{id: (leaf or node, gradient)}``.

    Without ``targets`` that is every leaf reached. With them, just those, and only nodes on a way to one
    of them run. At ``ends`` the way ends: they count as independent variables, nothing beyond them is
    touched, and their hooks are left to the walk within which this one runs.
    """
    starts = list(starts)
    ways = None if targets is None else _leading_to(targets, [x for x, _ in starts], ends)
    queue: list[tuple[int, Node]] = []  # by negated order: heappop gives the newest
    arrived: dict[Any, Any] = {}  # by node or leaf: the gradient that has arrived so far
    leaves: list[Tensor] = []  # those among them
    sums: set[Any] = set()  # the nodes and leaves whose gradient is a sum: that array is the walk's own
    found: dict[int, tuple[Any, Any]] = {}
    constants: dict[int, Constant] = {}
    observers = context.observers
    needs: tuple[bool, ...] | None = None

    def arrive(x: Any, g: Any) -> None:
        """Take what is the first to arrive at a node or leaf; add what comes after it."""
        if x not in arrived:
            arrived[x] = g
            if type(x) is Node:
                heappush(queue, (-x.order, x))
            else:
                leaves.append(x)
            return
        before = arrived[x]
        if type(before) is np.ndarray:
            if x in sums:
                np.add(before, g, before)
                return
        elif type(before) is dict:  # of some of several results: in place, as there may be thousands
            for index, part in g.items():
                before[index] = before[index] + part if index in before else part
            return
        sums.add(x)
        total = before + g
        # Of single numbers NumPy makes no array, which the next could be added into.
        arrived[x] = total if isinstance(total, Tensor) else np.asarray(total)

    before = context.recording, context.rule
    context.recording = create_graph
    try:
        for x, g in starts:
            if type(x) is Node or (x.requires_grad if targets is None else id(x) in targets):
                arrive(x, g)
        while queue:
            _, node = heappop(queue)
            g = arrived.pop(node)
            inputs = node.inputs
            if node.hooks and id(node) not in ends:
                context.rule = before[1]
                g = apply_hooks(node.hooks, g, create_graph)
            if ways is not None:
                if id(node) in targets:  # type: ignore[operator]
                    # A copy, as g may flow on, to another target.
                    found[id(node)] = node, g if create_graph else _copy(g)
                if node not in ways:  # it leads no further
                    continue
                needs = ways[node]
            gradients = run_rule(node, g, needs, create_graph)
            if observers:
                raw, gradients = gradients, checked(node, gradients, needs)
                context.rule = before[1]
                for observer in observers:
                    if not create_graph:
                        observer.returned(node, raw)
                    observer.backward(node, g, gradients)
            constant = False
            for i, x in enumerate(inputs):
                dx = gradients[i]
                like: Any  # has the gradient's shape and dtype
                if type(x) is Node:
                    like = x
                elif isinstance(x, Tensor) and (x.requires_grad if needs is None else needs[i]):
                    like = x._data
                else:
                    constant = True
                    continue
                if dx is None or (needs is not None and not needs[i]):
                    continue
                if type(dx) is np.float32:  # which is what NumPy makes of single numbers
                    dx = np.asarray(dx)
                if type(dx) is not np.ndarray or dx.shape != like.shape or dx.dtype is not like.dtype:
                    dx = mended(node, i, x, dx)
                if like is not x and x not in arrived:
                    dx = _own(dx, g, node, gradients)
                arrive(x, dx)
            if not retain:
                node.saved = None
                if constant or node.params:
                    _forget(node, constants)
        context.rule = before[1]
        for leaf in leaves:
            g = arrived[leaf]
            if leaf in sums:
                for observer in observers:
                    observer.total(leaf, g)
            found[id(leaf)] = leaf, g
        for leaf in leaves:
            if leaf.hooks and id(leaf) not in ends:
                found[id(leaf)] = leaf, apply_hooks(leaf.hooks, arrived[leaf], create_graph)
    finally:
        context.recording, context.rule = before
    return found


def _own(dx: Any, g: Any, node: Node, gradients: Sequence[Any]) -> Any:
    """Return a leaf's gradient as an array that shares no memory with anything that lives on.

    What a rule has just made is that already, and so is a view of what it has just made, one that was
    reshaped for example.
    """
    if type(dx) is not np.ndarray:
        return dx  # Tensors are copied by whoever hands them out
    if dx.size <= _FEW or dx is g or not dx.flags.carray:
        return dx.copy()
    owner = _owner(dx)
    same = 0
    for x in gradients:
        if x is dx or (x is not None and _owner(x) is owner):
            same += 1
    kept = [g, *(node.saved or ()), *node.params.values()]
    for x in kept:
        if isinstance(x, np.ndarray):
            if _owner(x) is owner:
                return dx.copy()
        elif isinstance(x, tuple | list):
            kept.extend(x)
    return dx if same == 1 else dx.copy()


_FEW = 4096  # numbers that are copied sooner than it is found out whose they are


def _owner(x: Any) -> Any:
    """Return what holds the memory that an array looks at, maybe through other views, or the array itself."""
    while (base := getattr(x, "base", None)) is not None:
        x = base
    return x


def _copy(g: Any) -> Any:
    return {index: part.copy() for index, part in g.items()} if isinstance(g, dict) else g.copy()


class Constant:
    """What a freed node remembers of an input that took no gradient: enough to draw it."""

    __slots__ = ("dtype", "name", "shape")

    def __init__(self, x: Any) -> None:
        self.shape, self.dtype, self.name = x.shape, x.dtype, getattr(x, "name", None)


def _forget(node: Node, constants: dict[int, Constant]) -> None:
    """Let go of the arrays among inputs and parameters too, such as the data batch.

    ``constants`` has what the walk has replaced so far, by id: an input of two operations stays one thing.
    """
    inputs = list(node.inputs)
    for i, x in enumerate(inputs):
        if type(x) is np.ndarray or (isinstance(x, Tensor) and not x.requires_grad):
            if id(x) not in constants:
                constants[id(x)] = Constant(x)
            inputs[i] = constants[id(x)]
    node.inputs = tuple(inputs)
    for key, value in node.params.items():
        if isinstance(value, np.ndarray):
            node.params = {**node.params, key: Constant(value)}


def _leading_to(targets: set[int], starts: list[Any], ends: frozenset[int]) -> dict[Node, tuple[bool, ...]]:
    """Find the nodes through which a gradient reaches a target, and which of their inputs lead there."""
    nodes: set[Node] = set()
    stack = [x for x in starts if type(x) is Node]
    while stack:
        node = stack.pop()
        if node not in nodes:
            nodes.add(node)
            if id(node) not in ends:
                for x in node.inputs:
                    if type(x) is Node:
                        stack.append(x)
    useful = set(targets)
    ways: dict[Node, tuple[bool, ...]] = {}
    for node in sorted(nodes, key=attrgetter("order")):  # inputs before what was made of them
        if id(node) not in ends:
            needs = tuple([id(x) in useful for x in node.inputs])
            if True in needs:
                useful.add(id(node))
                ways[node] = needs
    return ways
