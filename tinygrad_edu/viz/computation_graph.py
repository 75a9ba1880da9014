"""From the tape to a picture's content: boxes, arrows, and the module each box belongs to.

The tape says how a tensor came about. Here it is turned into plain data (boxes.py), without any drawing:
dot.py and render.py turn that into DOT, SVG and PNG. Tests and the page read the same data.
"""

from collections.abc import Iterable, Sequence
from math import prod
from typing import Any

import numpy as np

from ..autograd import Constant
from ..context import source_line
from ..errors import ArgumentError, DTypeError
from ..function import Node, shape_of
from ..nn.module import Module
from ..nn.parameter import Parameter
from ..tensor import Tensor
from ..tracing import Numbers, Trace, trace_gradient
from ..tracing.forward import reachable
from .boxes import Arrow, Box, Direction, Graph, Kind, Use
from .folding import fold as folded
from .folding import modules_at, modules_called
from .model_tape import record_model
from .numbers import counted, gradient_line, short, short_array

__all__ = ["graph"]

SMALL = 4  # tensors of up to so many numbers show them


def graph(
    tensor: Tensor | Sequence[Tensor] | Module,
    inputs: Any = None,
    *,
    depth: int | None = None,
    fold: str | Iterable[str] = (),
    direction: Direction = "TB",
    show_shapes: bool = True,
    show_gradients: bool = True,
    trace: Trace | bool = False,
    limit: int = 500,
) -> Graph:
    """Picture a computation: operations, parameters, inputs and modules.

    Each operation of the tape is one box and each of its inputs one arrow; what is used twice is one box.
    Operations stand in the frames of the modules that ran them, parameters beside their users. Small
    tensors show their values. After ``backward`` the parameters show how large their gradients are, in
    numbers and as colour, with a scale below.

    Parameters
    ----------
    tensor
        The result to explain, before or after ``backward``; or several results; or a model.
    inputs
        An example of what a model is called with, such as ``x_train[:1]``: arrays, in a list or dict if the
        model takes one, in a tuple where ``call`` has several parameters. Without it a model that knows
        its inputs' shapes is called on a batch of one zero sample. Either way in inference mode, and nothing
        about the model changes.
    depth
        How many levels of modules stay open: at 0 the model is one box, at 1 each of its layers is.
    fold
        The modules to draw as one box, by path ("vae/encoder") or the end of one ("encoder").
    direction
        "TB" draws from top to bottom, "LR" from left to right.
    show_shapes
        Write the shape of each result, parameter and input, and where an input was broadcast; the dtype
        too, where it isn't float32.
    show_gradients
        Write and colour the norms √Σg² of the gradients that ``backward`` left.
    trace
        True runs forward and backward once more to find the value and the gradient of every result, and
        writes them into the boxes: as numbers if they are few, else the gradient's norm. Or what
        :func:`tinygrad_edu.trace_gradient` gave for the same tensor. For a tensor whose graph wasn't freed
        by ``backward``.
    limit
        The most boxes to draw; a larger picture takes long to lay out, and nobody can read it.

    Raises
    ------
    DTypeError
        For anything but Tensors and modules.
    ArgumentError
        For no tensor at all, an unknown direction or module, a model that doesn't know its inputs' shapes,
        a trace of another computation, or more than ``limit`` boxes.

    Examples
    --------
    >>> import tinygrad_edu as te
    >>> from tinygrad_edu import nn, viz
    >>> w = te.Tensor([[1.0], [2.0]], requires_grad=True, name="w")
    >>> picture = viz.graph(te.Tensor([[3.0, 4.0]], name="x") @ w)
    >>> [(box.kind, box.title, box.shape) for box in picture.nodes]
    [('input', 'x', (1, 2)), ('parameter', 'w', (2, 1)), ('operation', 'matmul', (1, 1))]
    >>> [(arrow.source, arrow.target) for arrow in picture.edges]
    [('n0', 'n2'), ('n1', 'n2')]
    >>> a, b = te.Tensor(2.0, requires_grad=True), te.Tensor(-3.0, requires_grad=True)
    >>> for box in viz.graph(a * b + a, trace=True).nodes:
    ...     print(box.title, *box.lines, sep=" | ")
    a = 2.0 | gradient -2.0
    b = -3.0 | gradient 2.0
    multiply | value = -6.0 | gradient 1.0
    add | result = -4.0 | gradient 1.0
    >>> model = nn.Sequential([nn.Input((4,)), nn.Dense(3, "relu"), nn.Dense(2)])
    >>> [box.title for box in viz.graph(model, depth=1).nodes]
    ['input_layer', 'dense', 'dense_1']
    """
    if direction not in ("TB", "LR"):
        raise ArgumentError(
            f"viz.graph: direction must be 'TB' (down) or 'LR' (to the right), got {direction!r}"
        )
    if depth is not None and (not isinstance(depth, int) or depth < 0):
        raise ArgumentError(f"viz.graph: depth must be a whole number of at least 0, got {depth!r}")
    if not isinstance(trace, bool | Trace):
        raise DTypeError(f"viz.graph: trace must be True, False or a Trace, got {type(trace).__name__}")
    names = [fold] if isinstance(fold, str) else list(fold) if isinstance(fold, Iterable) else [fold]
    if not all(isinstance(name, str) for name in names):
        raise DTypeError(f"viz.graph: fold must name modules, such as 'encoder' or ['encoder'], got {fold!r}")
    given: list[Tensor] = []
    results: list[Any]
    if isinstance(tensor, Module):
        if trace:
            raise ArgumentError("viz.graph: a model has no gradients to trace; give its loss")
        results, given = record_model(tensor, inputs)
    else:
        results = list(tensor) if isinstance(tensor, list | tuple) else [tensor]
        if inputs is not None:
            raise ArgumentError("viz.graph: inputs are for a model; a tensor knows what it came from")
    for t in results:
        if not isinstance(t, Tensor):
            raise DTypeError(f"viz.graph: expected a Tensor, some of them or a model, got {type(t).__name__}")
    if not results:
        raise ArgumentError("viz.graph: expected at least one tensor, got an empty list")
    painter = _Painter(results, given, show_shapes, show_gradients)
    if depth is None and not names:
        _check_size(len(painter.things), limit)
    if trace:
        painter.look_up(trace_gradient(results, keep=SMALL) if trace is True else trace)
    picture = Graph(*painter.content(), direction, show_shapes)
    modules = modules_called(picture, names) + ([] if depth is None else modules_at(picture, depth))
    picture = folded(picture, modules)
    _check_size(len(picture.nodes), limit)
    return picture


def _check_size(boxes: int, limit: int) -> None:
    if boxes > limit:
        raise ArgumentError(
            f"viz.graph: {boxes} boxes are more than the limit of {limit}. Fold modules (depth=1), or "
            "picture a part: a layer's output, fewer time steps, a smaller model; or raise the limit"
        )


class _Painter:
    """Turns the tape behind ``results`` into boxes and arrows; ``inputs`` are a model's."""

    def __init__(
        self, results: list[Tensor], inputs: list[Tensor], show_shapes: bool, show_gradients: bool
    ) -> None:
        self.show_shapes, self.show_gradients = show_shapes, show_gradients
        self.inputs = {id(t) for t in inputs}
        self.of_model = bool(inputs)
        self.trace: Trace | None = None
        self.things: list[Any] = []  # what each box pictures: a Node, a Tensor, an array, a number …
        self.users: list[list[str]] = []  # the modules in which it is used
        self.places: dict[int, int] = {}  # id of a thing -> its place in the lists
        self.arrows: list[Arrow] = []
        for node in reachable([t.node for t in results if t.node is not None]):
            sources = [self.place_of(x) for x in node.inputs]
            target = self.place_of(node)
            for i, (x, source) in enumerate(zip(node.inputs, sources, strict=True)):
                self.users[source].append(node.module)
                stretched = node.fn.broadcasts and not _is_number(x) and shape_of(x) != node.shape
                self.arrows.append(
                    Arrow(
                        id=f"e{len(self.arrows)}",
                        source=f"n{source}",
                        target=f"n{target}",
                        position=i,
                        label=str(node.shape) if stretched and self.show_shapes else "",
                        shape=shape_of(x),
                        uses=(Use(node.order, i),),
                    )
                )
        self.marked = {self.place_of(t if t.node is None else t.node): t for t in results}

    def look_up(self, trace: Trace) -> None:
        """Take values, gradients and the names of variables from a trace."""
        ticks = {f"n{i}": x.order if isinstance(x, Node) else None for i, x in enumerate(self.things)}
        if ticks != {leaf.id: None for leaf in trace.leaves} | {step.id: step.order for step in trace.steps}:
            raise ArgumentError("viz.graph: the trace is of another computation; trace this tensor")
        self.trace = trace

    def place_of(self, x: Any) -> int:
        if id(x) not in self.places or _is_number(x):  # each 2.0 is its own; Python shares them
            self.places[id(x)] = len(self.things)
            self.things.append(x)
            self.users.append([])
        return self.places[id(x)]

    def content(self) -> tuple[tuple[Box, ...], tuple[Arrow, ...]]:
        boxes = []
        for i, x in enumerate(self.things):
            if isinstance(x, Node):
                boxes.append(self.operation(f"n{i}", x, self.marked.get(i)))
            elif _is_number(x):
                boxes.append(Box(f"n{i}", "number", short(x), (), (), "", self.users[i][0], False))
            else:
                boxes.append(self.leaf(f"n{i}", x, _common(self.users[i]), i in self.marked))
        return tuple(boxes), tuple(self.arrows)

    def operation(self, id: str, node: Node, result: Tensor | None) -> Box:
        # Among scalars alone, () says nothing.
        telling = node.shape != () or any(shape_of(x) != () for x in node.inputs)
        dtype = str(node.dtype)
        lines = [self.shape_line(node.shape, dtype)] if self.show_shapes and telling else []
        step: Any = self.trace and self.trace[id]
        name = step.name if step else result.name if result is not None else ""
        value = step.value.array if step and step.value.whole else None if result is None else result.data
        if self.of_model:
            value = None  # what a model makes of zeros says nothing
        if value is not None and value.size <= SMALL and not (step and step.several):
            lines.append(f"{name or ('value' if result is None else 'result')} = {short_array(value)}")
        elif name:
            lines.append(name)
        gradients = [g.final for g in step.gradients if g is not None] if step else []
        norm = self.gradient_lines(gradients, lines)
        note = [node.fn.words or node.fn.name]
        note += [f"{key} = {short(value)}" for key, value in node.params.items()]
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
            dtype=dtype,
            orders=(node.order,),
            gradient_norm=norm,
        )

    def leaf(self, key: str, x: Any, module: str, is_result: bool) -> Box:
        """Picture what no operation made: a Tensor, an array, a list, or what a freed graph remembers."""
        shape = shape_of(x)
        dtype = "" if getattr(x, "dtype", None) is None else str(x.dtype)
        given = id(x) in self.inputs
        learned = isinstance(x, Tensor) and x.requires_grad
        kind: Kind = "parameter" if not given and (learned or isinstance(x, Parameter)) else "input"
        count = prod(shape) if kind == "parameter" else 0
        traced: Any = self.trace and self.trace[key]
        name = traced.name if traced else getattr(x, "name", None) or ""
        name = title = _called_now(name, module)
        lines = []
        if shape == () and not isinstance(x, Constant):
            title = f"{name} = {short(x.item())}" if name else short(x.item())
        elif self.show_shapes:
            lines.append(self.shape_line(shape, dtype))
        if kind == "parameter" and shape != () and self.show_shapes:
            lines.append(counted(count, "parameter") + ("" if learned else ", not trained"))
        small = shape != () and not isinstance(x, Constant) and 0 < prod(shape) <= SMALL and not given
        if small:
            lines.append(f"value {short_array(np.asarray(getattr(x, 'data', x)))}")
        gradients = []
        if traced:
            gradients = [traced.gradient.final] if traced.gradient is not None else []
        elif learned and not given and x.grad is not None:
            gradients = [Numbers.of(x.grad.data, SMALL)]
        norm = self.gradient_lines(gradients, lines)
        if kind == "input" and not self.kept(x, name, module, given):
            module = ""
        return Box(
            id=key,
            kind=kind,
            title=title or ("constant" if kind == "input" and self.of_model else kind),
            shape=shape,
            lines=tuple(lines),
            note=" ".join(str(part) for part in (kind, name, shape, dtype) if part not in ("", None)),
            module=module,
            is_result=is_result,
            dtype=dtype,
            parameters=count,
            gradient_norm=norm,
        )

    def gradient_lines(self, gradients: list[Numbers], lines: list[str]) -> float | None:
        """Write down gradients, as numbers where they are few, and return their norm."""
        if not gradients or not self.show_gradients:
            return None
        strange = any(g.strange for g in gradients)
        norm = float("nan") if strange else sum(g.norm**2 for g in gradients) ** 0.5
        few = len(gradients) == 1 and gradients[0].whole and 0 < gradients[0].size <= SMALL
        if few:
            lines.append(f"gradient {short_array(gradients[0].array)}")
        else:
            lines.append(gradient_line(norm))
        return norm

    def kept(self, x: Any, name: str, module: str, given: bool) -> bool:
        """Tell what a module made or keeps itself from data, which comes from outside of it."""
        if self.of_model:
            return not given
        return "/" in name and f"/{module}".endswith(f"/{name.rpartition('/')[0]}")

    @staticmethod
    def shape_line(shape: Any, dtype: str) -> str:
        # float32 is what one expects; that labels are whole numbers is worth the room.
        return str(shape) if dtype in ("", "float32") else f"{shape} {dtype}"


def _called_now(name: str, module: str) -> str:
    """Give a weight its layer's present name: in a model, the second conv2d became conv2d_1."""
    owner, _, own = name.rpartition("/")
    layer, now = (path.rpartition("/")[2] for path in (owner, module))
    numbered = now.startswith(f"{layer}_") and now[len(layer) + 1 :].isdigit()
    return f"{owner.removesuffix(layer)}{now}/{own}" if layer and numbered else name


def _is_number(x: Any) -> bool:
    return not isinstance(x, Node | Tensor | Constant | np.ndarray) and shape_of(x) == ()


def _common(modules: list[str]) -> str:
    """Find the innermost module that holds all the given ones: of a/b and a/c/d it is a."""
    paths = [module.split("/") for module in modules]
    shared = []
    for names in zip(*paths, strict=False):
        if len(set(names)) > 1:
            break
        shared.append(names[0])
    return "/".join(shared)
