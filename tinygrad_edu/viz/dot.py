"""From a picture's content to Graphviz' language, DOT."""

from collections import Counter
from html import escape
from typing import TYPE_CHECKING
from unicodedata import east_asian_width

from .colours import Scale

if TYPE_CHECKING:
    from graphviz import Digraph

    from .boxes import Box, Graph

__all__ = ["dot_source", "frame_paths"]

# Tints of Okabe and Ito's palette, which people with any colour vision tell apart; the outlines and shapes
# say the same once more.
_INK, _GREY = "#222222", "#555555"
_STYLES = {
    "operation": {
        "shape": "box",
        "style": "rounded,filled",
        "fillcolor": "#f4f4f4",
        "color": "#777777",
        "width": "1.1",
    },
    "parameter": {"shape": "box", "style": "filled", "fillcolor": "#fde7c2", "color": "#d98c00"},
    "module": {
        "shape": "box",
        "style": "rounded,filled",
        "fillcolor": "#eee6f5",
        "color": "#7a5195",
        "penwidth": "2.2",
        "width": "1.1",
    },
    "input": {"shape": "note", "style": "filled", "fillcolor": "#d9eefb", "color": "#0072b2"},
    "number": {"shape": "none", "width": "0", "height": "0", "margin": "0.05"},
    "result": {"fillcolor": "#c9ecdf", "color": "#009e73", "penwidth": "2.5"},
}
_FONT = {"fontname": "Helvetica", "fontcolor": _INK, "fontsize": "14"}
_LONGEST = 40  # characters of a name that are drawn


def dot_source(graph: "Graph", *, plain: bool = False, legend: bool = True) -> str:
    """Write a Graph in Graphviz' language; ``plain`` without what helps the layout but strains Graphviz.

    Where gradients are known, colour says how large they are, and a ``legend`` below what it means.
    """
    from graphviz import Digraph

    root = Digraph(
        "graph",
        graph_attr={
            "rankdir": graph.direction,
            "bgcolor": "white",
            "nodesep": "0.3",
            "ranksep": "0.4",
            **_FONT,
        },
        node_attr={**_FONT, "penwidth": "1.3", "margin": "0.15,0.07"},
        edge_attr={**_FONT, "fontsize": "10", "fontcolor": _GREY, "color": _GREY, "arrowsize": "0.7"},
    )
    scale = Scale.of(graph)
    if scale is not None and legend:
        root.graph_attr.update(label=scale.legend(), labelloc="b", labeljust="l")
    if len(graph.nodes) > 100:  # a good order instead of the best: minutes turn into seconds
        root.graph_attr.update(nslimit="1", mclimit="0.1")
    if not plain and not any(box.module for box in graph.nodes):
        root.graph_attr["ordering"] = "in"  # a / b has a on the left
    frames = {"": root}
    for number, path in enumerate(frame_paths(graph), start=1):
        frames[path] = _frame(path, number)
    for box in graph.nodes:
        label = _label(box, _GREY if scale is None else _INK)  # grey would fade on the darker colours
        frames[box.module].node(box.id, label, _attributes=_attributes(box, scale))
    for path in reversed(frames):  # the inner ones first, since subgraph() copies what is in them
        if path:
            frames[path.rpartition("/")[0]].subgraph(frames[path])
    boxes = {box.id: box for box in graph.nodes}
    uses = Counter(arrow.source for arrow in graph.edges)
    beside = Counter[str]()  # how many parameters stand beside an operation already
    for arrow in graph.edges:
        source, target = boxes[arrow.source], boxes[arrow.target]
        ends = [source.id, target.id]
        use = f"input {arrow.position + 1} of " if target.kind == "operation" else "into "
        hints = {"id": arrow.id, "tooltip": f"{use}{_tooltip(target.title)}"}
        if source.kind in ("operation", "module"):
            hints["weight"] = "8"  # heavy arrows are straight: the data's way becomes the picture's spine
        if arrow.label and not plain:
            hints["label"] = _arrow_label(arrow.label, graph.direction)
        owned = source.kind == "parameter" and source.module and uses[source.id] == 1
        if owned and beside[target.id] < 2 and not plain:
            # Beside its operation, not above it, so that one layer's frame comes below the other's: the first
            # on the left; the second, by an arrow that is laid out backward, on the right.
            hints["minlen"] = "0"
            beside[target.id] += 1
            if beside[target.id] == 2:
                hints["dir"] = "back"
                ends.reverse()
        root.edge(*ends, _attributes=hints)
    return str(root.source)


def frame_paths(graph: "Graph") -> list[str]:
    """Return the modules whose frames are drawn, each after those around it: the n-th is ``cluster_n``."""
    paths: dict[str, None] = {}
    for box in graph.nodes:
        names = box.module.split("/") if box.module else []
        paths.update(dict.fromkeys("/".join(names[: i + 1]) for i in range(len(names))))
    return list(paths)


def _frame(path: str, number: int) -> "Digraph":
    from graphviz import Digraph

    name = path.rpartition("/")[2]
    return Digraph(
        f"cluster_{number}",
        graph_attr={
            "label": f"<<B>{_html(name)}</B>{' ' * 3 * len(name)}>",
            "tooltip": _tooltip(path),
            "style": "rounded",
            "color": "#aaaaaa",
            "labeljust": "l",
            "labelloc": "t",
            "fontcolor": _GREY,
            "fontsize": "13",
        },
    )


def _label(box: "Box", colour: str) -> str:
    # A name needn't repeat all the frames around it, just the last.
    title = _html("/".join(box.title.split("/")[-2:]) if box.module else box.title)
    if box.kind in ("operation", "module"):
        title = f"<B>{title}</B>"
    lines = "".join(f'<BR/><FONT POINT-SIZE="11" COLOR="{colour}">{_html(line)}</FONT>' for line in box.lines)
    return f"<{title}{lines}>"


def _arrow_label(shape: str, direction: str) -> str:
    lines = ("broadcast", f"to {shape}")
    if direction == "TB":
        return "".join(f"  {line}  \\n" for line in lines)
    # Graphviz centres a label on an upright arrow: room to the left puts the text beside it instead.
    room = " " * (3 * max(map(len, lines)))
    return "".join(f"{room}{line}\\l" for line in lines)


def _attributes(box: "Box", scale: Scale | None) -> dict[str, str]:
    style = _STYLES[box.kind] | (_STYLES["result"] if box.is_result else {})
    if scale is not None and box.kind != "number":
        style["fillcolor"] = scale.fill(box.gradient_norm)
    # Graphviz without the machine's fonts counts Chinese, Japanese and Korean letters too narrow.
    wide = max(sum(east_asian_width(c) in "WF" for c in line) for line in (box.title, *box.lines))
    room = {"width": f"{min(wide, _LONGEST) * 15 / 72 + 0.5:.2f}"} if wide else {}
    name = f"{box.kind} result" if box.is_result else box.kind
    return {**style, **room, "id": box.id, "class": name, "tooltip": _tooltip(box.note or box.title)}


def _plain(text: str) -> str:
    """Spell out what has no glyph (a newline as \\n), so that every name fits one line and any file."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def _html(text: str) -> str:
    """Write a text for one of Graphviz' HTML-like labels, which read \\N and the like too; cut a long one."""
    text = _plain(text)
    text = text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"
    return escape(text).replace("\\", "\\" * 2)


def _tooltip(text: str) -> str:
    # Graphviz goes through tooltips twice in search of \N and the like.
    return "\n".join(escape(_plain(line)).replace("\\", "\\" * 4) for line in text.split("\n"))
