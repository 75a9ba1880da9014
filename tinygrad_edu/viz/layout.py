"""Where Graphviz puts everything, as plain numbers: for a page that draws what the pictures show."""

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from .dot import frame_paths
from .render import draw

if TYPE_CHECKING:
    from .boxes import Graph

__all__ = ["Curve", "Layout", "Rectangle", "lay_out"]

Point = tuple[float, float]


@dataclass(frozen=True)
class Rectangle:
    """A box or a frame, in points (1/72 inch) from the upper left corner of the picture."""

    x: float  # of the left edge
    y: float  # of the upper edge
    width: float
    height: float


@dataclass(frozen=True)
class Curve:
    """An arrow from its source to its target: cubic Bézier curves, end to end, then the head."""

    points: tuple[Point, ...]  # a start, then three for each curve: two that pull and where it ends
    tip: Point  # of the head, which begins at the last point
    label: Point | None  # the middle of the label, if there is one

    @property
    def path(self) -> str:
        """The ``d`` of an SVG path, without the head.

        >>> Curve(((0, 0), (0, 5), (4, 5), (4, 10)), (4, 17), None).path
        'M0,0C0,5 4,5 4,10'
        """
        (x, y), *rest = self.points
        return f"M{x:g},{y:g}C" + " ".join(f"{x:g},{y:g}" for x, y in rest)


@dataclass(frozen=True)
class Layout:
    """A graph's picture in numbers; y grows downward."""

    width: float
    height: float
    boxes: dict[str, Rectangle]  # by Box.id
    frames: dict[str, Rectangle]  # by path of the open module, the outer ones first
    arrows: dict[str, Curve]  # by Arrow.id


def lay_out(graph: "Graph") -> Layout:
    """Return the places of all that a graph's picture shows: the same run of Graphviz, other output.

    Raises FileError if no Graphviz can be run.

    >>> import tinygrad_edu as te
    >>> from tinygrad_edu import viz
    >>> y = te.Tensor(3.0, requires_grad=True, name="x") ** 2
    >>> layout = lay_out(viz.graph(y))
    >>> layout.boxes["n0"].y < layout.boxes["n2"].y, list(layout.arrows)
    (True, ['e0', 'e1'])
    """
    found = json.loads(draw(graph, "json0"))
    _, _, width, height = map(float, found["bb"].split(","))
    frames = {f"cluster_{i}": path for i, path in enumerate(frame_paths(graph), start=1)}
    boxes, places = {}, {}
    for thing in found.get("objects", []):
        if "pos" in thing:
            x, y = map(float, thing["pos"].split(","))
            w, h = 72 * float(thing["width"]), 72 * float(thing["height"])
            boxes[thing["name"]] = _rectangle(x - w / 2, height - y - h / 2, w, h)
        elif "bb" in thing:
            left, low, right, top = map(float, thing["bb"].split(","))
            places[frames[thing["name"]]] = _rectangle(left, height - top, right - left, top - low)
    arrows = {edge["id"]: _curve(edge, height) for edge in found.get("edges", [])}
    return Layout(
        width,
        height,
        {box.id: boxes[box.id] for box in graph.nodes},
        {path: places[path] for path in frames.values()},
        {arrow.id: arrows[arrow.id] for arrow in graph.edges},
    )


def _rectangle(*numbers: float) -> Rectangle:
    return Rectangle(*(round(number, 2) + 0.0 for number in numbers))


def _curve(edge: dict[str, Any], height: float) -> Curve:
    def point(text: str) -> Point:
        x, y = text.split(",")
        return round(float(x), 2), round(height - float(y), 2)

    # "e,x,y p0 p1 p2 p3": the tip and the curve; "s," where the arrow was laid out backward.
    head, *rest = edge["pos"].split()
    points = [point(text) for text in rest]
    if head[0] == "s":
        points.reverse()
    label = point(edge["lp"]) if "lp" in edge else None
    return Curve(tuple(points), point(head[2:]), label)
