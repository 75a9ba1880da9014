"""A computation graph as plain data: boxes, arrows, and the module each box belongs to.

Pictures, the layout and the page read this; none of it knows about drawing, and nothing of it is a tensor.
"""

from dataclasses import dataclass
from functools import cached_property
from os import PathLike
from pathlib import Path
from typing import Any, Literal, NamedTuple

from ..errors import FileError
from ..files import writing
from .dot import dot_source
from .render import draw

__all__ = ["Arrow", "Box", "Direction", "Graph", "Kind", "Use"]

Kind = Literal["operation", "parameter", "input", "number", "module"]
Direction = Literal["TB", "LR"]


class Use(NamedTuple):
    """One input of one operation of the tape."""

    order: int  # Node.order of the operation
    position: int  # 0 for its first input, 1 for its second …


@dataclass(frozen=True)
class Box:
    """One operation of the tape, one thing that went into it, or all of a module that is folded."""

    id: str  # "n0", "n1" …: what is used stands before what uses it; "m3": a module whose first box is n3
    kind: Kind
    title: str  # the operation's name, the tensor's, the module's, or the number
    shape: Any  # as Node.shape: a tuple of shapes where there are several results
    lines: tuple[str, ...]  # what stands below the title
    note: str  # shown where the mouse rests
    module: str  # path of the module in whose frame it stands, "" outside of all
    is_result: bool
    dtype: str = ""  # of the result, or the tensor
    orders: tuple[int, ...] = ()  # Node.order of each operation that it stands for
    members: tuple[str, ...] = ()  # ids of the boxes that are folded into it
    folded: str = ""  # path of the module that is folded into it
    parameters: int = 0  # how many numbers of parameters it holds
    gradient_norm: float | None = None  # of the parameter's gradient, the result's, or all parameters' within


@dataclass(frozen=True)
class Arrow:
    """One input of one operation: an operation that takes x twice has two arrows from x.

    From or to a folded module one arrow stands for all that go the same way.
    """

    id: str
    source: str  # a Box's id
    target: str
    position: int  # of the (first) input: 0, 1 …
    label: str  # the result's shape where the input is broadcast to it, else ""
    shape: Any  # of what goes along it, None where several things of different shapes do
    uses: tuple[Use, ...]  # which inputs of the tape it stands for


@dataclass(frozen=True)
class Graph:
    """A picture of how tensors were computed; see :func:`graph`. A notebook shows it by itself.

    Attributes
    ----------
    nodes, edges : tuple of Box, tuple of Arrow
        What the picture shows, in the order of the computation.
    direction : "TB" or "LR"
        Whether the computation runs downward or to the right.
    show_shapes : bool
        Whether the boxes of folded modules tell their shapes; the other boxes' lines are made already.
    whole : Graph or None
        Where modules are folded: the same with all of them open.
    """

    nodes: tuple[Box, ...]
    edges: tuple[Arrow, ...]
    direction: Direction = "TB"
    show_shapes: bool = True
    whole: "Graph | None" = None

    @cached_property
    def dot(self) -> str:
        """The source in Graphviz' language."""
        return dot_source(self)

    @cached_property
    def svg(self) -> str:
        """The picture as SVG. Raises FileError if no Graphviz can be run."""
        return draw(self, "svg").decode()

    @cached_property
    def png(self) -> bytes:
        """The picture as PNG, 192 dots an inch. Raises FileError if no Graphviz can be run."""
        return draw(self, "png")

    @property
    def folded(self) -> frozenset[str]:
        """The paths of the modules that are drawn as one box."""
        return frozenset(box.folded for box in self.nodes if box.folded)

    @cached_property
    def modules(self) -> tuple[str, ...]:
        """The paths of all modules, open and folded, each after those around it."""
        paths: dict[str, None] = {}
        for box in (self.whole or self).nodes:
            names = box.module.split("/") if box.module else []
            paths.update(dict.fromkeys("/".join(names[: i + 1]) for i in range(len(names))))
        return tuple(paths)

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
