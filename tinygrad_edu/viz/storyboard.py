"""What an animation shows when: items with a beginning and an end, from a trace and the layout of its graph.

It is plain data; film.py draws it as GIF or SVG.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import groupby
from textwrap import wrap

from ..explaining.content import Array, Entry, Row, short
from ..explaining.story import backward_entry, forward_entry, result_entry
from ..explaining.symbols import Symbols
from ..explaining.writing import plain_piece
from ..tracing import Leaf, Step, Trace
from .boxes import Graph
from .layout import Curve, Layout, Rectangle

__all__ = ["BACKWARD", "FORWARD", "Badge", "Flow", "Mark", "Page", "Storyboard", "Veil", "storyboard"]

FORWARD, BACKWARD = "#0072b2", "#d55e00"  # blue and vermilion of Okabe and Ito's palette
WIDTH, LINES = 54, 24  # characters and lines of a page


@dataclass(frozen=True)
class _Item:
    start: int  # the first frame that shows it
    stop: int  # the first that doesn't


@dataclass(frozen=True)
class Veil(_Item):
    """A box that isn't computed yet."""

    place: Rectangle


@dataclass(frozen=True)
class Mark(_Item):
    """A frame around a box: strong while it is its turn, thin where the gradient has been."""

    place: Rectangle
    colour: str
    strong: bool


@dataclass(frozen=True)
class Flow(_Item):
    """An arrow along which a value goes, or back along which a gradient goes."""

    curve: Curve
    colour: str
    back: bool


@dataclass(frozen=True)
class Badge(_Item):
    """A number at a box's lower edge (its value) or upper edge (its gradient)."""

    place: Rectangle
    text: str
    colour: str
    upper: bool


@dataclass(frozen=True)
class Page(_Item):
    """What is told beside the picture."""

    title: str
    lines: tuple[str, ...]
    colour: str


@dataclass
class Storyboard:
    """All items, in the order in which they are drawn over one another."""

    frames: int
    veils: list[Veil] = field(default_factory=list)
    flows: list[Flow] = field(default_factory=list)
    marks: list[Mark] = field(default_factory=list)
    badges: list[Badge] = field(default_factory=list)
    pages: list[Page] = field(default_factory=list)
    focus: list[Rectangle] = field(default_factory=list)  # what each frame is about

    @property
    def items(self) -> list[_Item]:
        return [*self.veils, *self.flows, *self.marks, *self.badges, *self.pages]


def storyboard(trace: Trace, graph: Graph, layout: Layout) -> Storyboard:
    """Plan the frames: what goes in, each operation forward, each rule backward, what the parameters get."""
    homes = {order: node.id for node in graph.nodes for order in node.orders}
    home = {step.id: homes[step.order] for step in trace.steps}
    for node in graph.nodes:
        for id in (node.id, *node.members):
            home.setdefault(id, node.id)
    forward = _turns(trace.steps, home)
    backward = _turns(list(trace.walked()), home)
    board = Storyboard(len(forward) + len(backward) + 2)
    names = Symbols(trace, set())
    arrows = {(use.order, use.position): arrow.id for arrow in graph.edges for use in arrow.uses}
    board.pages.append(Page(0, 1, "What goes in", tuple(_cut(_lines(_inputs(trace, names)))), "#222222"))
    computed: set[str] = set()
    for turn, (box, steps) in enumerate(forward, start=1):
        place = layout.boxes[box]
        if box not in computed:
            board.veils.append(Veil(0, turn, place))
            computed.add(box)
        board.marks.append(Mark(turn, turn + 1, place, FORWARD, True))
        board.focus.append(place)
        for id in _entering(steps, home, arrows, layout):
            board.flows.append(Flow(turn, turn + 1, layout.arrows[id], FORWARD, False))
        last = steps[-1]
        if len(steps) == 1 and last.value.size == 1 and not last.several:
            text = short(last.value.array.item())
            board.badges.append(Badge(turn, board.frames, place, text, FORWARD, False))
        title = f"Forward {turn} of {len(forward)}"
        text_lines = _lines(
            [_only(forward_entry(s, names), ("formula", "broadcast", "result")) for s in steps]
        )
        board.pages.append(Page(turn, turn + 1, title, tuple(_cut(text_lines)), FORWARD))
    for number, (box, steps) in enumerate(backward, start=1):
        turn = len(forward) + number
        place = layout.boxes[box]
        board.marks.append(Mark(turn, turn + 1, place, BACKWARD, True))
        board.focus.append(place)
        board.marks.append(Mark(turn + 1, board.frames, place, BACKWARD, False))
        for step in steps:
            for i, x in enumerate(step.inputs):
                way = arrows.get((step.order, i))
                if x.gradient is not None and way is not None:
                    board.flows.append(Flow(turn, turn + 1, layout.arrows[way], BACKWARD, True))
        board.badges += _gradients(trace, steps, turn, board.frames, home, layout)
        title = f"Backward {number} of {len(backward)}"
        told = [_only(backward_entry(s, names), None) for s in steps]
        board.pages.append(Page(turn, turn + 1, title, tuple(_cut(_lines(told))), BACKWARD))
    end = board.frames - 1
    results = tuple(_cut(_lines(_results(trace, names))))
    board.pages.append(Page(end, end + 1, "The gradients", results, BACKWARD))
    everything = Rectangle(0, 0, layout.width, layout.height)
    turns = board.focus or [everything]
    board.focus = [turns[0], *board.focus, turns[-1]]
    return board


def _turns(steps: tuple[Step, ...] | list[Step], home: dict[str, str]) -> list[tuple[str, list[Step]]]:
    """Group the steps that follow one another in the same box, as within a folded module."""
    return [(box, list(group)) for box, group in groupby(steps, key=lambda step: home[step.id])]


def _entering(
    steps: list[Step], home: dict[str, str], arrows: dict[tuple[int, int], str], layout: Layout
) -> Iterator[str]:
    for step in steps:
        for i in range(len(step.inputs)):
            id = arrows.get((step.order, i))
            if id is not None and id in layout.arrows:
                yield id


def _gradients(
    trace: Trace, steps: list[Step], turn: int, frames: int, home: dict[str, str], layout: Layout
) -> Iterator[Badge]:
    """Show the gradient of a result when its rule runs, and of a leaf from when all of it has arrived."""
    walked = list(trace.backward)
    for step in steps:
        gradient = step.gradient
        if len(steps) == 1 and not step.several and gradient is not None and gradient.final.size == 1:
            text = short(gradient.final.array.item())
            yield Badge(turn, frames, layout.boxes[home[step.id]], text, BACKWARD, True)
        for x in step.inputs:
            leaf = trace[x.source]
            if not isinstance(leaf, Leaf) or leaf.gradient is None or leaf.gradient.final.size != 1:
                continue
            last = max(walked.index(part.step) for part in leaf.gradient.parts if part is not None)
            if walked[last] == step.id and step.inputs.index(x) == _last_use(step, x.source):
                text = short(leaf.gradient.final.array.item())
                yield Badge(turn, frames, layout.boxes[home[leaf.id]], text, BACKWARD, True)


def _last_use(step: Step, source: str) -> int:
    return max(i for i, x in enumerate(step.inputs) if x.source == source)


def _inputs(trace: Trace, names: Symbols) -> Iterator[Entry]:
    for leaf in trace.leaves:
        if leaf.kind != "number":
            shape = f" {leaf.value.shape}" if leaf.value.shape else ""
            kind = "parameter" if leaf.kind == "parameter" else "data"
            numbers = (" = ", Array(leaf.value)) if leaf.value.size < 7 else ()
            yield Entry(None, (), "", (Row(kind, (f"{names.of(leaf.id)}{shape}", *numbers)),))


def _results(trace: Trace, names: Symbols) -> Iterator[Entry]:
    for leaf in trace.leaves:
        if leaf.kind == "parameter":
            told = _only(result_entry(leaf, names), ("arrives", "sum", "hook", "means", ""), titled=False)
            plain = {"arrives": "gradient", "sum": "gradient"}
            yield Entry(None, (), "", tuple(Row(plain.get(r.label, r.label), r.pieces) for r in told.rows))


def _only(entry: Entry, labels: tuple[str, ...] | None, titled: bool = True) -> Entry:
    """Keep some rows of an entry; None is all that says what goes where, without the words."""
    keep = [row for row in entry.rows if (row.label != "in words" if labels is None else row.label in labels)]
    return Entry(entry.number, entry.title if titled else (), "", tuple(keep))


def _lines(entries: "Iterator[Entry] | list[Entry]") -> list[str]:
    """Write entries as lines of a page: formulas without what their letters are."""
    lines: list[str] = []
    for entry in entries:
        if entry.title:
            lines += wrap("".join(map(plain_piece, entry.title)), WIDTH, subsequent_indent="  ")
        for row in entry.rows:
            pieces = row.pieces[:1] if row.label in ("formula", "rule") else row.pieces
            text = "".join(map(plain_piece, pieces))
            label = "" if row.label in ("formula", "result", "gradient", "") else f"{row.label}: "
            if row.label.startswith("to ") or row.label == "sends":
                label = f"→ {row.label.removeprefix('to ')}: " if row.label != "sends" else "→ "
            for i, line in enumerate(f"{label}{text}".split("\n")):
                lines += [line] if line.startswith(("[", " ")) else wrap(
                    line, WIDTH, initial_indent="  " * (i > 0), subsequent_indent="  "
                )  # fmt: skip
        if entry.rows:
            lines.append("")
    return lines if not lines or lines[-1] else lines[:-1]


def _cut(lines: list[str]) -> list[str]:
    return lines if len(lines) <= LINES else [*lines[: LINES - 1], "…"]
