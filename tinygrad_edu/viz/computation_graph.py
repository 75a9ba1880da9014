"""The computation graph of a tensor as plain data: boxes, arrows, and the module each box belongs to.

The tape says how a tensor came about. Here it is turned into a picture's content, without any drawing:
render.py turns that into DOT, SVG and PNG. Tests and other pages read the same data.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from math import prod
from os import PathLike
from pathlib import Path
from typing import Any, Literal

import numpy as np

from ..autograd import Constant
from ..context import source_line
from ..errors import ArgumentError, DTypeError, FileError
from ..files import writing
from ..function import Node, shape_of
from ..tensor import Tensor
from . import render

__all__ = ["Arrow", "Box", "Direction", "Graph", "Kind", "graph"]

Kind = Literal["operation", "parameter", "input", "number"]
Direction = Literal["TB", "LR"]


@dataclass(frozen=True)
class Box:
    """One operation of the tape, or one thing that went into it."""

    id: str  # "n0", "n1" …: what is used stands before what uses it
    kind: Kind
    title: str  # the operation's name, the tensor's, or the number
    shape: Any  # as Node.shape: a tuple of shapes where an operation has several results
    lines: tuple[str, ...]  # what stands below the title
    note: str  # shown where the mouse rests
    module: str  # path of the module in whose frame it stands, "" outside of all
    is_result: bool


@dataclass(frozen=True)
class Arrow:
    """One input of one operation: an operation that takes x twice has two arrows from x."""

    id: str
    source: str  # a Box's id
    target: str
    position: int  # 0 for the operation's first input, 1 for its second …
    label: str  # the result's shape where the input is broadcast to it, else ""


@dataclass(frozen=True)
class Graph:
    """A picture of how tensors were computed; see :func:`graph`. A notebook shows it by itself.

    Attributes
    ----------
    nodes, edges : tuple of Box, tuple of Arrow
        What the picture shows, in the order of the computation.
    direction : "TB" or "LR"
        Whether the computation runs downward or to the right.
    """

    nodes: tuple[Box, ...]
    edges: tuple[Arrow, ...]
    direction: Direction = "TB"

    @cached_property
    def dot(self) -> str:
        """The source in Graphviz' language."""
        return render.dot_source(self)

    @cached_property
    def svg(self) -> str:
        """The picture as SVG. Raises FileError if no Graphviz can be run."""
        return render.draw(self, "svg").decode()

    @cached_property
    def png(self) -> bytes:
        """The picture as PNG, 192 dots an inch. Raises FileError if no Graphviz can be run."""
        return render.draw(self, "png")

    def __repr__(self) -> str:
        return f"<Graph of {len(self.nodes)} boxes and {len(self.edges)} arrows>"

    def _repr_svg_(self) -> str:
        return self.svg

    def save(self, path: str | PathLike[str]) -> None:
        """Write the picture; the suffix .svg, .png or .dot says in which format.

        Raises
        ------
        FileError
            For another suffix, a place that can't be written (nothing half-written stays behind), or if no
            Graphviz can be run.

        Examples
        --------
        >>> import tempfile, tinygrad_edu as te
        >>> from tinygrad_edu import viz
        >>> y = te.Tensor(3.0, requires_grad=True, name="x") ** 2
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     viz.graph(y).save(f"{folder}/square.svg")
        """
        path = Path(path)
        suffix = path.suffix.lower()
        if suffix not in (".svg", ".png", ".dot"):
            raise FileError(f"Graph.save: expected a name that ends in .svg, .png or .dot, got {str(path)!r}")
        content = self.png if suffix == ".png" else (self.svg if suffix == ".svg" else self.dot).encode()
        with writing(path) as file:
            file.write(content)


def graph(
    tensor: Tensor | Sequence[Tensor],
    *,
    direction: Direction = "TB",
    show_shapes: bool = True,
    limit: int = 500,
) -> Graph:
    """Picture the computation of one or several tensors: operations, parameters, inputs and modules.

    Each operation of the tape is one box and each of its inputs one arrow; what is used twice is one box.
    Operations stand in the frames of the modules that ran them, parameters beside their users. Leaf
    scalars show their value, and their gradient after a backward pass.

    Parameters
    ----------
    tensor
        The result to explain, before or after ``backward``; or several results.
    direction
        "TB" draws from top to bottom, "LR" from left to right.
    show_shapes
        Write the shape of each result, parameter and input, and where an input was broadcast.
    limit
        The most boxes to draw; a larger picture takes long to lay out, and nobody can read it.

    Raises
    ------
    DTypeError
        For anything but Tensors.
    ArgumentError
        For no tensor at all, an unknown direction, or more than ``limit`` boxes.

    Examples
    --------
    >>> import tinygrad_edu as te
    >>> from tinygrad_edu import viz
    >>> w = te.Tensor([[1.0], [2.0]], requires_grad=True, name="w")
    >>> picture = viz.graph(te.Tensor([[3.0, 4.0]], name="x") @ w)
    >>> [(box.kind, box.title, box.shape) for box in picture.nodes]
    [('input', 'x', (1, 2)), ('parameter', 'w', (2, 1)), ('operation', 'matmul', (1, 1))]
    >>> [(arrow.source, arrow.target) for arrow in picture.edges]
    [('n0', 'n2'), ('n1', 'n2')]
    """
    results: list[Any] = list(tensor) if isinstance(tensor, list | tuple) else [tensor]
    for t in results:
        if not isinstance(t, Tensor):
            raise DTypeError(f"viz.graph: expected a Tensor or a list of them, got {type(t).__name__}")
    if not results:
        raise ArgumentError("viz.graph: expected at least one tensor, got an empty list")
    if direction not in ("TB", "LR"):
        raise ArgumentError(
            f"viz.graph: direction must be 'TB' (down) or 'LR' (to the right), got {direction!r}"
        )
    boxes, arrows = _content(results, show_shapes, limit)
    return Graph(boxes, arrows, direction)


def _reachable(starts: Iterable[Node]) -> list[Node]:
    """Collect the nodes that lead to ``starts``, oldest first: inputs stand before what uses them."""
    found: dict[int, Node] = {}
    stack = list(starts)
    while stack:
        node = stack.pop()
        if node.order not in found:
            found[node.order] = node
            stack.extend(x for x in node.inputs if isinstance(x, Node))
    return [found[order] for order in sorted(found)]


def _content(
    results: list[Tensor], show_shapes: bool, limit: int
) -> tuple[tuple[Box, ...], tuple[Arrow, ...]]:
    """Turn the tape behind ``results`` into boxes and arrows."""
    things: list[Any] = []  # what each box pictures: a Node, a Tensor, an array, a Constant, a number
    users: list[list[str]] = []  # the modules in which it is used
    places: dict[int, int] = {}  # id of a thing -> its place in the lists
    arrows: list[Arrow] = []

    def place_of(x: Any) -> int:
        if id(x) not in places or _is_number(x):  # each 2.0 is its own; Python shares them to save memory
            places[id(x)] = len(things)
            things.append(x)
            users.append([])
        return places[id(x)]

    for node in _reachable(t.node for t in results if t.node is not None):
        sources = [place_of(x) for x in node.inputs]
        target = place_of(node)
        for i, x in enumerate(node.inputs):
            users[sources[i]].append(node.module)
            stretched = node.fn.broadcasts and not _is_number(x) and shape_of(x) != node.shape
            label = str(node.shape) if stretched and show_shapes else ""
            arrows.append(Arrow(f"e{len(arrows)}", f"n{sources[i]}", f"n{target}", i, label))
    marked = {place_of(t if t.node is None else t.node): t for t in results}
    if len(things) > limit:
        raise ArgumentError(
            f"viz.graph: {len(things)} boxes are more than the limit of {limit}. Picture a part: a layer's "
            "output, fewer time steps, a smaller model; or raise the limit and be patient"
        )
    boxes = []
    for i, x in enumerate(things):
        if isinstance(x, Node):
            boxes.append(_operation(f"n{i}", x, marked.get(i), show_shapes))
        elif _is_number(x):
            boxes.append(Box(f"n{i}", "number", _short(x), (), (), "", users[i][0], False))
        else:
            boxes.append(_leaf(f"n{i}", x, _common(users[i]), i in marked, show_shapes))
    return tuple(boxes), tuple(arrows)


def _operation(id: str, node: Node, result: Tensor | None, show_shapes: bool) -> Box:
    # Among scalars alone, () says nothing.
    telling = node.shape != () or any(shape_of(x) != () for x in node.inputs)
    lines = [str(node.shape)] if show_shapes and telling else []
    if result is not None and result.ndim == 0:
        lines.append(f"{result.name or 'result'} = {_short(result.item())}")
    elif result is not None and result.name:
        lines.append(result.name)
    note = [node.fn.words or node.fn.name]
    note += [f"{key} = {_short(value)}" for key, value in node.params.items()]
    line = source_line(node.where)
    if line is not None:
        note.append(f"{line}: {line.text}")
    return Box(
        id=id,
        kind="operation",
        title=node.fn.name,
        shape=node.shape,
        lines=tuple(lines),
        note="\n".join(note),
        module=node.module,
        is_result=result is not None,
    )


def _leaf(id: str, x: Any, module: str, is_result: bool, show_shapes: bool) -> Box:
    """Picture what no operation made: a Tensor, an array, a list, or what a freed graph remembers of one."""
    shape = shape_of(x)
    dtype = getattr(x, "dtype", None)
    kind: Kind = "parameter" if isinstance(x, Tensor) and x.requires_grad else "input"
    title = name = getattr(x, "name", None) or ""
    lines = []
    if shape == () and not isinstance(x, Constant):
        title = f"{name} = {_short(x.item())}" if name else _short(x.item())
        if kind == "parameter" and x.grad is not None:
            lines.append(f"gradient {_short(x.grad.item())}")
    elif show_shapes:
        # Floats are what one expects; that labels are whole numbers is worth the room.
        lines.append(str(shape) if dtype is None or dtype.kind == "f" else f"{shape} {dtype}")
        if kind == "parameter":
            count = prod(shape)
            lines.append(f"{count:,} parameter{'s' * (count != 1)}")
    if kind == "input" and not ("/" in name and f"/{module}".endswith(f"/{name.rpartition('/')[0]}")):
        module = ""  # data comes from outside, unless its name says that the module keeps it
    return Box(
        id=id,
        kind=kind,
        title=title or kind,
        shape=shape,
        lines=tuple(lines),
        note=" ".join(str(part) for part in (kind, name, shape, dtype) if part not in ("", None)),
        module=module,
        is_result=is_result,
    )


def _is_number(x: Any) -> bool:
    return not isinstance(x, Node | Tensor | Constant | np.ndarray) and shape_of(x) == ()


def _short(value: Any) -> str:
    """Write a number or another argument in a few characters: 2.0, 0.3333, (1, 2), 'same'."""
    text = str(value) if isinstance(value, float | np.generic) else repr(value)
    if len(text) > 8 and isinstance(value, float | np.floating):
        return f"{value:.4g}"
    return text if len(text) <= 40 else f"{text[:39]}…"


def _common(modules: list[str]) -> str:
    """Find the innermost module that holds all the given ones: of a/b and a/c/d it is a."""
    paths = [module.split("/") for module in modules]
    shared = []
    for names in zip(*paths, strict=False):
        if len(set(names)) > 1:
            break
        shared.append(names[0])
    return "/".join(shared)
