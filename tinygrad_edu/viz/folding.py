"""Folding: all boxes of a module become one. A graph goes in, a graph comes out, and nothing else changes.

A page may fold and unfold as its reader likes: a folded graph keeps the whole one, so that any other state is
one call away, and each box keeps which operations it stands for, each arrow which inputs.
"""

from collections.abc import Collection, Iterable
from dataclasses import replace
from math import isfinite, sqrt

from ..errors import ArgumentError, unknown_name
from .boxes import Arrow, Box, Graph
from .numbers import counted, gradient_line

__all__ = ["fold", "modules_at", "modules_called"]


def fold(graph: Graph, modules: Iterable[str]) -> Graph:
    """Draw modules as single boxes, with their output shapes and numbers of parameters.

    What goes on inside vanishes; every arrow across a module's border stays, those that go the same way as
    one. Modules that are folded already stay so; to open some again, fold ``graph.whole`` anew.

    Parameters
    ----------
    graph
        What :func:`graph` gave, folded in parts or not.
    modules
        Paths out of ``graph.modules``. Of a module within another that is folded too nothing is seen.

    Raises
    ------
    ArgumentError
        For a path that isn't in the graph.

    Examples
    --------
    >>> from tinygrad_edu import nn, viz
    >>> model = nn.Sequential([nn.Input((4,)), nn.Dense(3, "relu"), nn.Dense(2)], name="net")
    >>> picture = viz.graph(model)
    >>> picture.modules
    ('net', 'net/dense', 'net/dense_1')
    >>> [(box.title, *box.lines) for box in viz.fold(picture, ["net/dense"]).nodes[:2]]
    [('input_layer', '(1, 4)'), ('dense', '(1, 3)', '15 parameters')]
    """
    whole = graph.whole or graph
    closed = graph.folded.union([modules] if isinstance(modules, str) else modules)
    for path in closed:
        if path not in whole.modules:
            raise unknown_name("module", path, whole.modules)
    if not closed:
        return whole
    homes = {box.id: _outermost(box.module, closed) for box in whole.nodes}
    inside: dict[str, list[Box]] = {}
    for box in whole.nodes:
        if homes[box.id]:
            inside.setdefault(homes[box.id], []).append(box)
    # The id of the module's first box, since it stays the same whatever else is folded.
    ids = {path: f"m{boxes[0].id[1:]}" for path, boxes in inside.items()}
    ends = {box.id: ids.get(homes[box.id], box.id) for box in whole.nodes}
    arrows: dict[object, Arrow] = {}
    leaving: dict[str, list[Arrow]] = {path: [] for path in inside}
    for arrow in whole.edges:
        source, target = ends[arrow.source], ends[arrow.target]
        merged = source[0] == "m" or target[0] == "m"
        if merged and source == target:
            continue
        if homes[arrow.source]:
            leaving[homes[arrow.source]].append(arrow)
        key = (source, target) if merged else arrow.id
        if key in arrows:
            before = arrows[key]
            arrows[key] = replace(
                before,
                label=before.label if before.label == arrow.label else "",
                shape=before.shape if before.shape == arrow.shape else None,
                uses=before.uses + arrow.uses,
            )
        else:
            arrows[key] = replace(
                arrow, source=source, target=target, label="" if target[0] == "m" else arrow.label
            )
    last = {boxes[-1].id: path for path, boxes in inside.items()}
    nodes = []
    for box in whole.nodes:
        if not homes[box.id]:
            nodes.append(box)
        elif box.id in last:  # all that it needs stands before it, unless a way leads out and in again
            path = last[box.id]
            nodes.append(_module(ids[path], path, inside[path], leaving[path], whole.show_shapes))
    return Graph(tuple(nodes), tuple(arrows.values()), whole.direction, whole.show_shapes, whole)


def modules_at(graph: Graph, depth: int) -> list[str]:
    """Return the modules that are folded where so many levels stay open: at 0 the outermost."""
    return [path for path in graph.modules if path.count("/") == depth]


def modules_called(graph: Graph, names: Collection[str]) -> list[str]:
    """Return the modules that are meant by whole paths or the ends of paths; raises ArgumentError."""
    found = []
    for name in names:
        paths = [path for path in graph.modules if f"/{path}".endswith(f"/{name}")]
        if not paths or not name:
            if not graph.modules:
                raise ArgumentError(
                    f"viz.graph: can't fold {name!r}: no module took part in this computation"
                )
            raise unknown_name("module", name, graph.modules)
        found += paths
    return found


def _outermost(path: str, closed: Collection[str]) -> str:
    names = path.split("/")
    return next((p for i in range(len(names)) if (p := "/".join(names[: i + 1])) in closed), "")


def _module(id: str, path: str, boxes: list[Box], leaving: list[Arrow], show_shapes: bool) -> Box:
    sources = {arrow.source for arrow in leaving}
    given = [box for box in boxes if box.is_result or box.id in sources]
    shapes = tuple(dict.fromkeys([a.shape for a in leaving] + [b.shape for b in given if b.is_result]))
    operations = [box for box in boxes if box.kind == "operation"]
    parameters = sum(box.parameters for box in boxes)
    norms = [b.gradient_norm for b in boxes if b.kind == "parameter" and b.gradient_norm is not None]
    norm = sqrt(sum(n * n for n in norms)) if norms else None
    lines = [_outputs(shapes)] if show_shapes and shapes else []
    lines += [counted(parameters, "parameter")] if parameters else []
    lines += [gradient_line(norm)] if norm is not None else []
    lines += [line for box in given if box.is_result for line in box.lines if " = " in line]
    names = [box.title for box in operations]
    listed = ", ".join(names[:8]) + (", …" if len(names) > 8 else "")
    frame, _, name = path.rpartition("/")
    return Box(
        id=id,
        kind="module",
        title=name,
        shape=shapes[0] if len(shapes) == 1 else shapes,
        lines=tuple(lines),
        note=f"{path}\n{counted(len(operations), 'operation')}" + (f": {listed}" if listed else ""),
        module=frame,
        is_result=any(box.is_result for box in boxes),
        dtype=given[-1].dtype if given else "",
        orders=tuple(order for box in boxes for order in box.orders),
        members=tuple(box.id for box in boxes),
        folded=path,
        parameters=parameters,
        gradient_norm=norm if norm is None or isfinite(norm) else float("nan"),
    )


def _outputs(shapes: tuple[object, ...]) -> str:
    return " and ".join(map(str, shapes[:2])) + (" …" if len(shapes) > 2 else "")
