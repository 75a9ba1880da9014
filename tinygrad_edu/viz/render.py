"""From a picture's content to DOT, and from DOT to SVG and PNG.

The layout is Graphviz': the system's ``dot`` where there is one, since it measures text in the machine's
own fonts, else the program of the package graphviz-pure, which pip installs along with this one.
"""

import re
import shutil
import subprocess
from collections import Counter
from html import escape
from importlib.metadata import PackageNotFoundError, files
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING
from unicodedata import east_asian_width

from ..errors import FileError

if TYPE_CHECKING:
    from graphviz import Digraph

    from .computation_graph import Box, Graph

__all__ = ["dot_source", "draw"]

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
    "input": {"shape": "note", "style": "filled", "fillcolor": "#d9eefb", "color": "#0072b2"},
    "number": {"shape": "none", "width": "0", "height": "0", "margin": "0.05"},
    "result": {"fillcolor": "#c9ecdf", "color": "#009e73", "penwidth": "2.5"},
}
_FONT = {"fontname": "Helvetica", "fontcolor": _INK, "fontsize": "14"}
_WHEEL = "graphviz-pure"  # the name of the package and of its program
_PNG = ["-Gdpi=192", "-Gsize=80,80"]  # at most 80 inches a side, 15,360 pixels: what viewers still open
_LONGEST = 40  # characters of a name that are drawn

# What the fonts inside graphviz-pure can draw of the characters that names may hold.
_UNDRAWABLE = re.compile(
    "[^\t\n\x20-\u02ff\u0370-\u052f\u1e00-\u1eff\u2010-\u205e\u2070-\u209c\u20a0-\u20be\u2190-\u2195"
    "\u2202\u2206\u220f\u2211\u221a\u221e\u2248\u2260\u2264\u2265]"
)


def dot_source(graph: "Graph", *, plain: bool = False) -> str:
    """Write a Graph in Graphviz' language; ``plain`` without what helps the layout but strains Graphviz."""
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
    if len(graph.nodes) > 100:  # a good order instead of the best: minutes turn into seconds
        root.graph_attr.update(nslimit="1", mclimit="0.1")
    if not plain and not any(box.module for box in graph.nodes):
        root.graph_attr["ordering"] = "in"  # a / b has a on the left
    frames = {"": root}
    for box in graph.nodes:
        _frame(frames, box.module).node(box.id, _label(box), _attributes=_attributes(box))
    for path in reversed(frames):  # the inner ones first, since subgraph() copies what is in them
        if path:
            frames[path.rpartition("/")[0]].subgraph(frames[path])
    boxes = {box.id: box for box in graph.nodes}
    uses = Counter(arrow.source for arrow in graph.edges)
    beside = Counter[str]()  # how many parameters stand beside an operation already
    for arrow in graph.edges:
        source, target = boxes[arrow.source], boxes[arrow.target]
        ends = [source.id, target.id]
        hints = {"id": arrow.id, "tooltip": f"input {arrow.position + 1} of {_tooltip(target.title)}"}
        if source.kind == "operation":
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


def _frame(frames: "dict[str, Digraph]", module: str) -> "Digraph":
    """Return the frame of a module, after making it and those around it if they aren't there."""
    from graphviz import Digraph

    missing = []
    while module not in frames:
        missing.append(module)
        module = module.rpartition("/")[0]
    for path in reversed(missing):
        name = path.rpartition("/")[2]
        frames[path] = Digraph(
            f"cluster_{len(frames)}",
            graph_attr={
                "label": f"<<B>{_html(name)}</B>{' ' * 2 * len(name)}>",
                "tooltip": _tooltip(path),
                "style": "rounded",
                "color": "#aaaaaa",
                "labeljust": "l",
                "fontcolor": _GREY,
                "fontsize": "13",
            },
        )
        module = path
    return frames[module]


def _label(box: "Box") -> str:
    # A name needn't repeat all the frames around it, just the last.
    title = _html("/".join(box.title.split("/")[-2:]) if box.module else box.title)
    if box.kind == "operation":
        title = f"<B>{title}</B>"
    lines = "".join(f'<BR/><FONT POINT-SIZE="11" COLOR="{_GREY}">{_html(line)}</FONT>' for line in box.lines)
    return f"<{title}{lines}>"


def _arrow_label(shape: str, direction: str) -> str:
    lines = ("broadcast", f"to {shape}")
    if direction == "TB":
        return "".join(f"  {line}  \\n" for line in lines)
    # Graphviz centres a label on an upright arrow: room to the left puts the text beside it instead.
    room = " " * (3 * max(map(len, lines)))
    return "".join(f"{room}{line}\\l" for line in lines)


def _attributes(box: "Box") -> dict[str, str]:
    style = _STYLES[box.kind] | (_STYLES["result"] if box.is_result else {})
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


def draw(graph: "Graph", form: str) -> bytes:
    """Lay a Graph out and return the picture as "svg" or "png".

    Raises
    ------
    FileError
        No Graphviz is there, or all that are there fail; the message says what to do.
    """
    programs = [program for program in (shutil.which("dot"), _wheel_program()) if program]
    failures = []
    # Graphviz fails on a few in a thousand graphs with tangled frames ("trouble in init_rank"); drawn plainly
    # they come out.
    for plain, program in product((False, True), programs):
        source = dot_source(graph, plain=plain)
        command = [program, f"-T{form}"]
        if form == "png":
            command += _PNG
            if Path(program).stem == _WHEEL:
                source = _UNDRAWABLE.sub(lambda match: f"[U+{ord(match[0]):04X}]", source)
        try:
            done = subprocess.run(command, input=source.encode(), capture_output=True, check=False)
        except OSError as error:
            failures.append(f"{program} can't be started: {error}")
            continue
        if done.returncode == 0 and done.stdout:
            return _fit_text(done.stdout.decode()).encode() if form == "svg" else done.stdout
        said = done.stderr.decode(errors="replace").strip()
        failures.append(f"{program} ended with code {done.returncode}: {said}")
    raise FileError(
        "viz.graph: no working Graphviz to draw with. `pip install graphviz-pure` brings one; where that has "
        "no wheel, install Graphviz itself (graphviz.org/download), so that `dot` is on the PATH. graph.dot "
        "and graph.save('graph.dot') work without it"
        + "".join(f"\n  tried: {failure}" for failure in failures)
    )


def _fit_text(svg: str) -> str:
    """Make each line of a box as wide as the layout took it to be, and centre it.

    Graphviz measures text in Helvetica. Another font in the viewer would run over the box's edge; with
    ``textLength`` a viewer squeezes or stretches it to the width that was measured.
    """

    def box(match: re.Match[str]) -> str:
        group = match[0]
        outline = re.search(r' (?:d|points)="([^"]*)"', group)
        if outline is None:
            return group
        xs = [float(x) for x in re.findall(r"(-?[\d.]+),", outline[1])]
        middle = (min(xs) + max(xs)) / 2

        def line(text: re.Match[str]) -> str:
            width = 2 * (middle - float(text[1]))
            if width <= 0:
                return text[0]
            fitted = f'textLength="{width:.2f}" lengthAdjust="spacingAndGlyphs"'
            return f'text-anchor="middle" x="{middle:.2f}" {fitted}'

        return re.sub(r'text-anchor="start" x="(-?[\d.]+)"', line, group)

    return re.sub(r'<g id="n\d+" class="node.*?</g>\n</g>', box, svg, flags=re.DOTALL)


def _wheel_program() -> str | None:
    """Find the program of graphviz-pure: on the PATH, or where pip noted that it put it."""
    found = shutil.which(_WHEEL)
    if found:
        return found
    try:
        installed = files(_WHEEL) or []
    except PackageNotFoundError:
        return None
    places = (Path(str(file.locate())) for file in installed if file.stem == _WHEEL)
    return next((str(place) for place in places if place.is_file()), None)
