"""All that the page knows, as one JSON-able dict: the graph, its levels, the steps, and abridged arrays."""

from collections.abc import Sequence
from math import prod
from pathlib import Path
from typing import Any

from ...tensor import Tensor
from ...tracing import Gradient, Leaf, Numbers, Step, Trace, trace_gradient
from ..boxes import Arrow, Box
from ..computation_graph import graph
from ..numbers import counted
from .abridged import abridged
from .labels import label_of, name_of, printable, short
from .levels import WHOLE, Module, is_scalar, lay_out, module_tree
from .mathml import mathml

__all__ = ["content"]

KEEP = 1 << 16  # elements of an array from which its heatmap is made
PIXELS = 1_200_000  # of all heatmaps together, about a byte each
MOST_PIXELS = 12 * 28 * 28  # of one: a row of handwritten digits
COMFORTABLE = 44  # boxes that are open at the start: what one reads at once
MOST = 1200  # boxes that "open all" opens: what a browser still moves smoothly
_NEVER = 1_000_000_000  # a step that doesn't come


def content(outputs: Tensor | Sequence[Tensor], gradients: Any, limit: int) -> dict[str, Any]:
    """Trace the outputs and return what the page shows of them."""
    picture = graph(outputs, show_gradients=False, limit=limit)
    trace = trace_gradient(outputs, gradients, keep=KEEP)
    forward = {step.id: i for i, step in enumerate(trace.steps, 1)}
    backward = {id: i for i, id in enumerate(trace.backward, len(forward) + 1)}
    tensors = _Tensors(trace)
    operations = _Operations()
    boxes = [_box(box, trace[box.id], tensors, operations) for box in picture.nodes]
    tree = module_tree(picture.nodes)
    for module in tree.values():
        _describe(module, tree, picture.nodes, picture.edges)
    labels = {box.id: label_of(box, name_of(box, trace[box.id].name)) for box in picture.nodes}
    levels = lay_out(picture.nodes, picture.edges, tree, labels)
    homes = {id: module.id for module in tree.values() for id in module.boxes}
    for box in boxes:
        box |= {"label": labels[box["id"]], "module": homes[box["id"]]}
    first = {box.id: i for i, box in enumerate(picture.nodes)}
    return {
        "title": _title(picture.nodes, trace),
        "facts": _facts(picture.nodes),
        "comfortable": COMFORTABLE,
        "most": MOST,
        "boxes": boxes,
        "arrows": [_arrow(arrow, trace, tensors) for arrow in picture.edges],
        "steps": [{"phase": "forward", "box": id} for id in forward]
        + [{"phase": "backward", "box": id} for id in backward]
        + [{"phase": "end", "box": None}],
        "operations": operations.found,
        "modules": [_module(module, tree, forward, backward) for module in tree.values()],
        "levels": {
            id: {
                "width": level.width,
                "height": level.height,
                "items": level.items,
                "edges": [vars(edge) for edge in level.edges.values()],
            }
            for id, level in levels.items()
        },
        "order": _order(WHOLE, tree, first),
        "tensors": tensors.found(),
    }


class _Tensors:
    """Collects arrays and hands out their places; equal ones have one."""

    def __init__(self, trace: Trace) -> None:
        self.asked: dict[tuple[Any, ...], tuple[int, Numbers, bool]] = {}
        self.kernels = {
            leaf.id for leaf in trace.leaves if leaf.kind == "parameter" and len(leaf.value.shape) == 4
        }

    def place(self, numbers: Numbers | None, id: str) -> int | None:
        """Return the place of an array that belongs to the box ``id``, or None for None."""
        if numbers is None:
            return None
        filters = id in self.kernels
        # Not the statistics: they may be nan, which equals nothing.
        key = numbers.shape, numbers.dtype.str, numbers.histogram, numbers.array.tobytes(), filters
        return self.asked.setdefault(key, (len(self.asked), numbers, filters))[0]

    def found(self) -> list[dict[str, Any]]:
        pixels = min(MOST_PIXELS, max(64, PIXELS // max(1, len(self.asked))))
        return [abridged(numbers, pixels, filters) for _, numbers, filters in self.asked.values()]


class _Operations:
    """What teaches an operation, once for all its uses."""

    def __init__(self) -> None:
        self.found: list[dict[str, Any]] = []
        self.places: dict[tuple[str, ...], int] = {}

    def place(self, step: Step) -> int:
        key = step.operation, step.formula, step.derivative, step.words
        if key not in self.places:
            self.places[key] = len(self.found)
            self.found.append(
                {
                    "words": step.words,
                    "formula": mathml(step.formula) if step.formula else None,
                    "formula_latex": step.formula,
                    "derivative": mathml(step.derivative) if step.derivative else None,
                    "derivative_latex": step.derivative,
                }
            )
        return self.places[key]


def _box(box: Box, record: Step | Leaf, tensors: _Tensors, operations: _Operations) -> dict[str, Any]:
    about: dict[str, Any] = {
        "id": box.id,
        "kind": box.kind,
        "title": printable(box.title),
        "name": name_of(box, record.name),
        "path": printable(box.module),
        "shape": str(box.shape),
        "result": box.is_result,
        "scalar": is_scalar(box),
        "params": [],
        "where": None,
    }
    gradients: Sequence[Gradient | None]
    if isinstance(record, Step):
        values, gradients = record.values, record.gradients
        about["operation"] = operations.place(record)
        about["params"] = [
            [key, short(str(x.shape) if isinstance(x, Numbers) else repr(x))]
            for key, x in record.params.items()
        ]
        if record.line is not None:
            place = f"{Path(record.line.file).name}:{record.line.line}"
            about["where"] = {"place": printable(place), "text": printable(record.line.text)}
    else:
        values, gradients = (record.value,), (record.gradient,)
    about["values"] = [tensors.place(value, box.id) for value in values]
    about["grads"] = [tensors.place(g.final if g else None, box.id) for g in gradients]
    about["parts"] = [[part and part.step for part in g.parts] if g else [] for g in gradients]
    return about


def _arrow(arrow: Arrow, trace: Trace, tensors: _Tensors) -> dict[str, Any]:
    step = trace[arrow.target]
    assert isinstance(step, Step)
    taken = step.inputs[arrow.position]
    assert taken.source == arrow.source
    return {
        "id": arrow.id,
        "source": arrow.source,
        "target": arrow.target,
        "argument": taken.name,
        "result": taken.result,
        "stretched": arrow.label,
        "grad": tensors.place(taken.gradient, arrow.source),
        "raw": str(taken.raw_shape),
        "summed": taken.summed_axes,
    }


def _inside(module: Module, tree: dict[str, Module]) -> list[str]:
    """List the ids of all boxes in a module, in those inside it too."""
    found = list(module.boxes)
    for id in module.modules:
        found += _inside(tree[id], tree)
    return found


def _describe(module: Module, tree: dict[str, Module], boxes: Sequence[Box], arrows: Sequence[Arrow]) -> None:
    """Write what stands on a module that is folded: its name, its result's shape, how much it learns."""
    inside = set(_inside(module, tree))
    here = [box for box in boxes if box.id in inside]
    results = {arrow.source for arrow in arrows if arrow.source in inside and arrow.target not in inside}
    shapes = [
        str(box.shape) for box in here if box.kind == "operation" and (box.id in results or box.is_result)
    ]
    learned = sum(prod(box.shape) for box in here if box.kind == "parameter")
    count = sum(box.kind == "operation" for box in here)
    module.words = f"{count} operation{'s' * (count != 1)}" + f", {learned:,} numbers that are learned" * (
        learned > 0
    )
    module.label = [short(module.name), *([short(shapes[-1])] if shapes else [])]
    if learned:
        module.label.append(f"{learned:,} parameters")


def _module(
    module: Module, tree: dict[str, Module], forward: dict[str, int], backward: dict[str, int]
) -> dict[str, Any]:
    inside = _inside(module, tree)
    return {
        **vars(module),
        "path": printable(module.path),
        "name": printable(module.name),
        "first": min((forward[id] for id in inside if id in forward), default=0),
        "last": max((backward[id] for id in inside if id in backward), default=_NEVER),
    }


def _order(id: str, tree: dict[str, Module], first: dict[str, int]) -> list[str]:
    """List what stands in a module in the order of the computation, each module before what is in it."""
    module = tree[id]
    here = sorted([*module.boxes, *module.modules], key=lambda x: _first(x, tree, first))
    return [x for child in here for x in ([child, *_order(child, tree, first)] if child in tree else [child])]


def _first(x: str, tree: dict[str, Module], first: dict[str, int]) -> int:
    return first[x] if x in first else min((first[id] for id in _inside(tree[x], tree)), default=0)


def _title(boxes: Sequence[Box], trace: Trace) -> str:
    outputs = [trace[id] for id in trace.outputs]
    names = []
    for x in outputs:
        value = x.value
        name = printable(x.name) or "result"
        names.append(f"{name} = {value.array.item():.4g}" if value.size == 1 else f"{name} {value.shape}")
    return ", ".join(names)


def _facts(boxes: Sequence[Box]) -> str:
    operations = sum(box.kind == "operation" for box in boxes)
    learned = [box for box in boxes if box.kind == "parameter"]
    numbers = sum(prod(box.shape) for box in learned)
    things = f"{counted(operations, 'operation')}, {counted(len(learned), 'parameter')}"
    return f"{things} with {counted(numbers, 'number')}" if learned else things
