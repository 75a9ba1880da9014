"""A gradient on its way, as a moving picture for slides."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from os import PathLike
from pathlib import Path
from typing import Any

from ..errors import ArgumentError, FileError
from ..files import writing
from ..tensor import Tensor
from ..tracing import Trace, trace_gradient
from .boxes import Direction, Graph
from .computation_graph import graph
from .film import as_gif, as_svg, fits_slide
from .layout import lay_out
from .storyboard import Storyboard, storyboard

__all__ = ["Animation", "animate_backward"]


@dataclass(frozen=True, repr=False)
class Animation:
    """What :func:`animate_backward` returns. A notebook plays it by itself.

    Attributes
    ----------
    trace, graph
        The record of the gradient, and the picture that it goes through.
    seconds : float
        How long each frame stays.
    """

    trace: Trace
    graph: Graph
    seconds: float
    width: int

    @cached_property
    def board(self) -> Storyboard:
        """What is shown when."""
        return storyboard(self.trace, self.graph, lay_out(self.graph))

    @cached_property
    def svg(self) -> str:
        """The animation as SVG. Raises FileError if no Graphviz can be run."""
        return as_svg(self.graph.svg, lay_out(self.graph), self.board, self.seconds)

    @cached_property
    def gif(self) -> bytes:
        """The animation as GIF. Raises FileError if no Graphviz can be run."""
        return as_gif(self.graph.png, lay_out(self.graph), self.board, self.seconds, self.width)

    def __repr__(self) -> str:
        return f"<Animation of {len(self.trace.steps)} operations, forward and backward>"

    def _repr_svg_(self) -> str:
        return self.svg

    def save(self, path: str | PathLike[str]) -> None:
        """Write it; the suffix .gif or .svg says in which format.

        Raises FileError for another suffix, a place that can't be written, or if no Graphviz can be run.
        """
        path = Path(path)
        suffix = path.suffix.lower()
        if suffix not in (".gif", ".svg"):
            raise FileError(f"Animation.save: expected a name that ends in .gif or .svg, got {str(path)!r}")
        content = self.gif if suffix == ".gif" else self.svg.encode()
        with writing(path) as file:
            file.write(content)


def animate_backward(
    loss: Tensor,
    path: str | PathLike[str] | None = None,
    *,
    seconds: float = 1.5,
    depth: int | None = None,
    fold: str | Iterable[str] = (),
    direction: Direction | None = None,
    width: int = 1280,
    limit: int = 60,
    names: Mapping[str, Any] | None = None,
) -> Animation:
    """Animate how a loss is computed and how its gradient goes back, one operation a frame.

    The graph of the loss lights up operation by operation, forward in blue and backward in orange; beside it
    stand the formula, the numbers, the rule and what it sends where. Single numbers carry their value and
    their gradient. Nothing is changed: no ``.grad``, and ``backward`` still works.

    Parameters
    ----------
    loss
        A single number that was computed from tensors which require a gradient. Call it before ``backward``.
    path
        Where to save it, as .gif for slides or .svg for a browser, which is sharper and smaller.
    seconds
        How long each frame stays; the first and the last stay twice as long.
    depth, fold
        As for :func:`graph`. A folded module is one frame.
    direction
        "TB" draws downward, "LR" to the right; by default what comes out larger on a slide.
    width
        The most pixels of the GIF from left to right.
    limit
        The most operations and folded modules; nobody watches more.
    names
        As for :func:`trace_gradient`: by default the variables of the calling function.

    Raises
    ------
    GradientError
        If nothing was recorded, or if ``backward`` has freed the graph.
    ArgumentError
        For more than ``limit`` operations, or for seconds or a width that aren't positive.
    FileError
        For another suffix, a place that can't be written, or if no Graphviz can be run.

    Examples
    --------
    >>> import tempfile, tinygrad_edu as te
    >>> from tinygrad_edu import viz
    >>> a = te.Tensor(2.0, requires_grad=True, name="a")
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     viz.animate_backward(a * a + 3.0, f"{folder}/backward.svg")
    <Animation of 2 operations, forward and backward>
    """
    if not seconds > 0 or width < 100:
        raise ArgumentError(
            f"animate_backward: expected seconds above 0 and a width of at least 100, got {seconds} "
            f"and {width}"
        )
    if path is not None and Path(path).suffix.lower() not in (".gif", ".svg"):
        raise FileError(f"animate_backward: expected a name that ends in .gif or .svg, got {str(path)!r}")
    trace = trace_gradient(loss, keep=256, names=names)
    ways: tuple[Direction, ...] = ("TB", "LR") if direction is None else (direction,)
    options: dict[str, Any] = {"depth": depth, "fold": fold, "show_gradients": False, "limit": 10 * limit}
    pictures = [graph(loss, direction=way, **options) for way in ways]
    picture = pictures[0]
    count = sum(box.kind in ("operation", "module") for box in picture.nodes)
    if count > limit:
        raise ArgumentError(
            f"animate_backward: {count} operations are more than the limit of {limit}; fold modules with "
            "depth=1 or fold=, animate a smaller loss, or raise the limit"
        )
    if direction is None:
        picture = max(pictures, key=lambda candidate: fits_slide(lay_out(candidate)))
    animation = Animation(trace, picture, seconds, width)
    if path is not None:
        animation.save(path)
    return animation
