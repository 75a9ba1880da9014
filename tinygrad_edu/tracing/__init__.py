"""A gradient on record: every number of one forward and one backward pass, to be read, drawn or played.

The tape keeps what the rules need and no more: few of the results, none of the gradients in between. Here the
operations are run again, from the leaves: whatever is random entered as a constant, so they give the same
numbers. The walk backward is the one that ``backward`` takes, with an observer that notes what passes. It
frees nothing and changes no ``.grad``.
"""

import sys
from collections.abc import Mapping, Sequence
from inspect import signature
from types import MappingProxyType
from typing import Any, Literal

import numpy as np

from ..autograd import starts_of, walk
from ..context import SourceLine, is_ours, source_line
from ..errors import ArgumentError
from ..function import Function, Node, Part, input_names, shape_of
from ..tensor import Tensor
from .backward import Watch, summed
from .forward import check, reachable, run_again
from .record import Gradient, Input, Leaf, Numbers, Source, Step, Trace

__all__ = ["Gradient", "Input", "Leaf", "Numbers", "Source", "Step", "Trace", "trace_gradient"]


def trace_gradient(
    outputs: Tensor | Sequence[Tensor],
    gradients: Any = None,
    *,
    keep: int | None = None,
    names: Mapping[str, Any] | None = None,
) -> Trace:
    """Record every value and every gradient of one forward and backward pass; change nothing.

    Call it instead of ``backward``, or before it: of a graph that was freed nothing can be told. Hooks are
    called, as ``backward`` would.

    Parameters
    ----------
    outputs, gradients
        As for :func:`backward`: a loss of shape ``()``, or tensors of any shape and float dtype with the
        gradients to start from.
    keep
        The most elements to keep of each array. Of larger ones the record has a corner, the range, the mean,
        the norm and a histogram. By default everything is kept.
    names
        What to call tensors without a name: a dict of variables. By default those of the calling function.

    Raises
    ------
    GradientError
        As :func:`backward` does: if nothing was recorded, if the graph was freed. Also if a tensor or an
        array was changed in place since, so that the numbers of the forward pass are lost.
    ArgumentError
        If ``keep`` is below 1.

    Examples
    --------
    >>> import tinygrad_edu as te
    >>> b = te.Tensor([1.0, -3.0], requires_grad=True)
    >>> trace = te.trace_gradient((te.ones((4, 2)) + b).sum())
    >>> [step.operation for step in trace.steps]
    ['add', 'sum']
    >>> trace.steps[0].inputs[1].raw_shape, trace.steps[0].inputs[1].summed_axes
    ((4, 2), (0,))
    >>> trace.leaves[1].name, trace.leaves[1].gradient.final.array
    ('b', array([4., 4.], dtype=float32))
    """
    if keep is not None and keep < 1:
        raise ArgumentError(f"trace_gradient: keep must be at least 1 element of each array, got {keep}")
    starts = starts_of(outputs, gradients, create_graph=False)
    results = [outputs] if isinstance(outputs, Tensor) else list(outputs)
    nodes = reachable([x for x, _ in starts if isinstance(x, Node)])
    for node in nodes:
        check(node)
    known = _names(_variables() if names is None else names)
    known |= {_key(y): y.name for y in results if y.name}
    ids, leaves = _numbered(nodes, [x for x, _ in starts])
    values = run_again(nodes, results, keep)
    watch = Watch(starts, keep)
    with watch, np.errstate(all="ignore"):
        found = walk(starts, create_graph=False, retain=True)
    lines = {where: source_line(where) for where in {node.where for node in nodes}}
    asked = {fn: _asked(fn) for fn in {node.fn for node in nodes}}
    steps = tuple(
        [_step(node, ids, known, values[node], watch, lines[node.where], asked[node.fn]) for node in nodes]
    )
    return Trace(
        steps,
        tuple([_leaf(ids[key], x, known, watch, found, keep, ids) for key, x in leaves]),
        tuple([ids[id(node)] for node in watch.turns]),
        tuple([ids[id(x)] for x, _ in starts]),
    )


def _numbered(nodes: list[Node], ends: list[Any]) -> tuple[dict[Any, str], list[tuple[Any, Any]]]:
    """Number everything in the order of the computation; return the ids, and the leaves with their keys.

    A key is the id() of the thing, or for a plain number (node, position): Python shares those.
    """
    ids: dict[Any, str] = {}
    leaves: list[tuple[Any, Any]] = []
    for node in nodes:
        for position, x in enumerate(node.inputs):
            key = _place(node, position)
            if key not in ids:
                ids[key] = f"n{len(ids)}"
                leaves.append((key, x))
        ids[id(node)] = f"n{len(ids)}"
    for x in ends:
        if id(x) not in ids:
            ids[id(x)] = f"n{len(ids)}"
            leaves.append((id(x), x))
    return ids, leaves


def _place(node: Node, position: int) -> Any:
    x = node.inputs[position]
    return (node.order, position) if _is_number(x) else id(x)


def _is_number(x: Any) -> bool:
    return not isinstance(x, Node | Tensor | np.ndarray) and shape_of(x) == ()


def _variables() -> dict[str, Any]:
    """Return the variables of the innermost function outside this package, and of its module."""
    frame = sys._getframe(1)
    while frame.f_back is not None and is_ours(frame.f_code.co_filename):
        frame = frame.f_back
    return {**frame.f_globals, **frame.f_locals}


def _names(variables: Mapping[str, Any]) -> dict[int, str]:
    """Return what variables call leaves, arrays and nodes, by id()."""
    found: dict[int, str] = {}
    for name, x in variables.items():
        if not name.startswith("_") and isinstance(x, Tensor | np.ndarray):
            found.setdefault(_key(x), getattr(x, "name", None) or name)
    return found


def _key(x: Any) -> int:
    return id(getattr(x, "node", None) or x)


def _asked(fn: type[Function]) -> tuple[str, ...]:
    """Return what a rule has kept for it, by the names that it uses."""
    return tuple(name for name in list(signature(fn.backward).parameters)[1:] if name != "needs")


def _step(
    node: Node,
    ids: Mapping[Any, str],
    known: Mapping[int, str],
    values: tuple[Numbers, ...],
    watch: Watch,
    line: SourceLine | None,
    asked: tuple[str, ...],
) -> Step:
    fn, keep = node.fn, watch.keep
    n = len(node.inputs)
    shapes, sent = watch.shapes.get(node, [None] * n), watch.sent.get(node, [None] * n)
    slopes = watch.slopes.get(node, [None] * n)
    inputs = tuple(
        [
            Input(
                name,
                ids[_place(node, i)],
                node.params["index"] if fn is Part else 0,
                sent[i],
                shapes[i] if sent[i] is not None else None,
                watch.unsummed.get((node, i)),
                summed(shapes[i], shape_of(x)) if fn.broadcasts and sent[i] is not None else (),
                slopes[i],
            )
            for i, (name, x) in enumerate(zip(input_names(fn, n), node.inputs, strict=True))
        ]
    )
    params = {key: Numbers.of(x, keep) if isinstance(x, np.ndarray) else x for key, x in node.params.items()}
    seen = watch.seen.get(node, {})
    return Step(
        id=ids[id(node)],
        order=node.order,
        operation=fn.name,
        formula=fn.formula,
        derivative=fn.derivative,
        words=fn.words,
        name=known.get(id(node), ""),
        module=node.module,
        line=line,
        params=MappingProxyType(params),
        inputs=inputs,
        values=values,
        saved=asked,
        gradients=tuple(
            [watch.gradient(node, i, seen[i], ids) if i in seen else None for i in range(len(values))]
        ),
        broadcasts=fn.broadcasts,
    )


def _leaf(
    id_: str,
    x: Any,
    known: Mapping[int, str],
    watch: Watch,
    found: Mapping[int, tuple[Any, Any]],
    keep: int | None,
    ids: Mapping[Any, str],
) -> Leaf:
    kind: Literal["parameter", "input", "number"] = "number" if _is_number(x) else "input"
    gradient = None
    if isinstance(x, Tensor) and x.requires_grad:
        kind = "parameter"
        if id(x) in found:
            gradient = watch.gradient(x, 0, Numbers.of(found[id(x)][1], keep), ids)
    name = getattr(x, "name", None) or ("" if kind == "number" else known.get(id(x), ""))
    value = Numbers.of(x.data if isinstance(x, Tensor) else x, keep)
    return Leaf(id_, kind, name, value, gradient, id(x))
