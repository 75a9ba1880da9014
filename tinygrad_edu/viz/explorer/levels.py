"""The graph cut into levels: what stands directly in a module, with each module inside it as one box.

A page that can open any module anywhere can't hold a layout of every combination. So each module's inside
is laid out once, by itself, by Graphviz, and the page puts them together: where a module is opened, the
level around it is stretched to make room (see stretch.js). A value that comes from outside enters a level
through a port at its top, and one that is used outside leaves through a port at its bottom.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from ..boxes import Arrow, Box
from .labels import room_for
from .places import Picture, places

__all__ = ["WHOLE", "Edge", "Level", "Module", "lay_out", "module_tree"]

WHOLE = "m0"
_LINES = 4  # values that enter a module, or leave it, each on its own line; more share one
MOST = 100  # boxes on one level; more are put into groups by their order: nobody reads more at once


@dataclass
class Module:
    """One module of the tree, or a group of neighbours where a level would have too many boxes."""

    id: str  # "m0" for the whole, "m1" …
    path: str
    name: str
    parent: str | None  # an id
    group: bool = False
    boxes: list[str] = field(default_factory=list)  # ids of the boxes that stand directly in it
    modules: list[str] = field(default_factory=list)  # ids of the modules directly in it
    label: list[str] = field(default_factory=list)  # its lines when it is folded
    words: str = ""  # what is in it


@dataclass
class Edge:
    """A way that values take within one level, from where they come from to one of their users."""

    source: str  # what stands on the level: a box, a module or a port
    target: str
    leaves: str  # the port of the module ``source`` through which they leave it, "" for anything else
    enters: str  # the port of the module ``target`` through which they enter it
    arrows: list[str] = field(default_factory=list)  # the arrows of the graph that take this way
    points: list[float] = field(default_factory=list)  # x, y of the curve's control points


@dataclass
class Level:
    """What one module looks like when it is open."""

    width: float = 0.0
    height: float = 0.0
    items: dict[str, tuple[float, float, float, float]] = field(default_factory=dict)  # centre, width, height
    ports: list[str] = field(default_factory=list)
    edges: dict[tuple[str, ...], Edge] = field(default_factory=dict)


def module_tree(boxes: Sequence[Box], most: int = MOST) -> dict[str, Module]:
    """Find the modules in which the boxes stand, the outer ones first, no level with more than ``most``."""
    tree = {WHOLE: Module(WHOLE, "", "", None)}
    known = {"": tree[WHOLE]}
    first: dict[str, int] = {}  # the place in the order at which a box or a module begins

    def enter(path: str) -> Module:
        if path not in known:
            parent, _, name = path.rpartition("/")
            around = enter(parent)
            known[path] = tree[f"m{len(tree)}"] = Module(f"m{len(tree)}", path, name, around.id)
            around.modules.append(known[path].id)
        return known[path]

    for i, box in enumerate(boxes):
        first[box.id] = i
        module: Module | None = enter(box.module)
        assert module is not None
        module.boxes.append(box.id)
        while module is not None:
            first.setdefault(module.id, i)
            module = tree[module.parent] if module.parent else None
    waiting = list(tree.values())
    while waiting:
        waiting += _group(waiting.pop(), tree, first, most)
    return tree


def _group(module: Module, tree: dict[str, Module], first: dict[str, int], most: int) -> list[Module]:
    """Where a level is too long, put neighbours into groups; return the groups, which may be too long too."""
    here = sorted([*module.boxes, *module.modules], key=first.__getitem__)
    if len(here) <= most:
        return []
    size = max(most // 2, -(-len(here) // most))  # groups of half a level's length, or as many as a level has
    own, module.boxes, module.modules = set(module.boxes), [], []
    groups = []
    for number, start in enumerate(range(0, len(here), size), 1):
        part = here[start : start + size]
        name = f"part {number} of {-(-len(here) // size)}"
        group = Module(f"m{len(tree)}", module.path, name, module.id, group=True)
        group.boxes = [x for x in part if x in own]
        group.modules = [x for x in part if x not in own]
        for x in group.modules:
            tree[x].parent = group.id
        tree[group.id] = group
        first[group.id] = first[part[0]]
        module.modules.append(group.id)
        groups.append(group)
    return groups


def lay_out(
    boxes: Sequence[Box], arrows: Sequence[Arrow], tree: Mapping[str, Module], labels: Mapping[str, list[str]]
) -> dict[str, Level]:
    """Lay every level out by itself; return them by the module's id. Raises FileError without Graphviz."""
    levels = {id: Level() for id in tree}
    homes = {box: module.id for module in tree.values() for box in module.boxes}
    sizes = {box.id: _size(box, labels[box.id]) for box in boxes}
    sizes |= {module.id: room_for(module.label or [""], margin=44) for module in tree.values()}
    for module in tree.values():
        levels[module.id].items = {x: (0.0, 0.0, *sizes[x]) for x in (*module.boxes, *module.modules)}
    ports = _ports(arrows, homes, tree)
    for arrow in arrows:
        for id, source, target, leaves, enters in way(arrow, homes, tree, ports):
            level = levels[id]
            for x in (source, target):
                if x not in level.items and x not in level.ports:
                    level.ports.append(x)
            # An operation that takes a value twice has two arrows; into a module one line is enough.
            twice = str(arrow.position) if target == arrow.target else ""
            key = (source, target, leaves, enters, twice)
            level.edges.setdefault(key, Edge(source, target, leaves, enters)).arrows.append(arrow.id)
    kinds = {box.id: box.kind for box in boxes}
    pictures = places(
        [[_source(level, kinds, plain) for level in levels.values()] for plain in (False, True)]
    )
    for level, picture in zip(levels.values(), pictures, strict=True):
        _place(level, picture)
    return levels


def _size(box: Box, lines: list[str]) -> tuple[float, float]:
    if box.kind == "number":
        return room_for(lines, least=20, margin=8)
    # Single numbers have two lines more: their value, and later their gradient.
    return room_for(lines, more=2, least=112) if is_scalar(box) else room_for(lines)


def is_scalar(box: Box) -> bool:
    return box.shape == () and box.kind != "number"


def _ports(
    arrows: Sequence[Arrow], homes: Mapping[str, str], tree: Mapping[str, Module]
) -> dict[tuple[str, str, str], str]:
    """Name the port through which each value enters or leaves each module: (module, side, value) -> name."""
    crossing: dict[tuple[str, str], dict[str, None]] = {}
    for arrow in arrows:
        out, into = _both(arrow, homes, tree)
        for side, inner in [*(("out", id) for id in out[1:]), *(("in", id) for id in into[1:])]:
            crossing.setdefault((inner, side), {})[arrow.source] = None
    return {
        (id, side, value): f"{side}:{value if len(values) <= _LINES else '*'}"
        for (id, side), values in crossing.items()
        for value in values
    }


def _both(arrow: Arrow, homes: Mapping[str, str], tree: Mapping[str, Module]) -> tuple[list[str], list[str]]:
    """List the modules around an arrow's two ends, from the innermost that holds both."""
    out, into = _ancestors(homes[arrow.source], tree), _ancestors(homes[arrow.target], tree)
    while len(out) > 1 and len(into) > 1 and out[1] == into[1]:
        out, into = out[1:], into[1:]
    return out, into


def way(
    arrow: Arrow,
    homes: Mapping[str, str],
    tree: Mapping[str, Module],
    ports: Mapping[tuple[str, str, str], str],
) -> list[tuple[str, str, str, str, str]]:
    """Follow an arrow: out of modules, across the level that holds both its ends, into modules.

    Returns (level, source, target, port of the source, port of the target) for each stretch.
    """
    out, into = _both(arrow, homes, tree)
    value, stretches = arrow.source, []
    source, leaves = value, ""
    for inner in reversed(out[1:]):
        port = ports[inner, "out", value]
        stretches.append((inner, source, port, leaves, ""))
        source, leaves = inner, port
    level = out[0]
    for inner in into[1:]:
        port = ports[inner, "in", value]
        stretches.append((level, source, inner, leaves, port))
        level, source, leaves = inner, port, ""
    stretches.append((level, source, arrow.target, leaves, ""))
    return stretches


def _ancestors(id: str, tree: Mapping[str, Module]) -> list[str]:
    """List a module and those around it, the whole first."""
    found = [id]
    while (parent := tree[found[-1]].parent) is not None:
        found.append(parent)
    return found[::-1]


def _source(level: Level, kinds: Mapping[str, str], plain: bool) -> str:
    """Write one level in Graphviz' language; what stands on it is called by its place: i0, i1 … p0, p1 …"""
    from graphviz import Digraph

    names = _names(level)
    dot = Digraph(
        graph_attr={"nodesep": "0.3", "ranksep": "0.32"},
        node_attr={"shape": "box", "fixedsize": "true", "label": ""},
        edge_attr={"arrowhead": "none"},
    )
    for item, (_, _, width, height) in level.items.items():
        dot.node(names[item], width=f"{width / 72:.4f}", height=f"{height / 72:.4f}")
    for side, rank in (("in:", "source"), ("out:", "sink")):
        with dot.subgraph(graph_attr={} if plain else {"rank": rank}) as border:
            for port in level.ports:
                if port.startswith(side):
                    border.node(names[port], width="0.01", height="0.01")
    owners: dict[str, set[str]] = {}
    for edge in level.edges.values():
        owners.setdefault(edge.source, set()).add(edge.target)
    beside: dict[str, int] = {}
    for edge in level.edges.values():
        ends = [names[edge.source], names[edge.target]]
        # Heavy arrows are straight: the data's way becomes the picture's spine.
        hints = {"weight": "1" if kinds.get(edge.source) in ("parameter", "input", "number") else "8"}
        flat = (
            kinds.get(edge.source) == "parameter"
            and kinds.get(edge.target) == "operation"
            and len(owners[edge.source]) == 1
        )
        if flat and not plain and beside.get(edge.target, 0) < 2:
            # As in the pictures: the first parameter stands on the left of its operation, the second on the
            # right, by an arrow that is laid out backward.
            hints["minlen"] = "0"
            beside[edge.target] = beside.get(edge.target, 0) + 1
            if beside[edge.target] == 2:
                ends.reverse()
        dot.edge(*ends, **hints)
    return str(dot.source)


def _names(level: Level) -> dict[str, str]:
    names = {item: f"i{i}" for i, item in enumerate(level.items)}
    return names | {port: f"p{i}" for i, port in enumerate(level.ports)}


def _place(level: Level, picture: Picture) -> None:
    """Enter what Graphviz said of one level."""
    level.width, level.height = picture.width, picture.height
    names = {name: thing for thing, name in _names(level).items()}
    for name, rectangle in picture.boxes.items():
        level.items[names[name]] = rectangle
    waiting: dict[tuple[str, str], list[Edge]] = {}
    for edge in level.edges.values():
        waiting.setdefault((edge.source, edge.target), []).append(edge)
    for tail, head, points in picture.curves:
        ends = names[tail], names[head]
        if waiting.get(ends):
            waiting[ends].pop(0).points = points
        else:  # it was laid out backward
            pairs = list(zip(points[::2], points[1::2], strict=True))
            waiting[ends[::-1]].pop(0).points = [x for pair in reversed(pairs) for x in pair]
