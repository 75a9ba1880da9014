"""From DOT to SVG and PNG.

The layout is Graphviz': the system's ``dot`` where there is one, since it measures text in the machine's
own fonts, else the program of the package graphviz-pure, which pip installs along with this one.
"""

import re
import shutil
import subprocess
from collections.abc import Iterable
from importlib.metadata import PackageNotFoundError, files
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import FileError
from .dot import dot_source

if TYPE_CHECKING:
    from .boxes import Graph

__all__ = ["draw", "run"]

_WHEEL = "graphviz-pure"  # the name of the package and of its program
_PNG = ["-Gdpi=192", "-Gsize=80,80"]  # at most 80 inches a side, 15,360 pixels: what viewers still open

# What the fonts inside graphviz-pure can draw of the characters that names may hold.
_UNDRAWABLE = re.compile(
    "[^\t\n\x20-\u02ff\u0370-\u052f\u1e00-\u1eff\u2010-\u205e\u2070-\u209c\u20a0-\u20be\u2190-\u2195"
    "\u2202\u2206\u220f\u2211\u221a\u221e\u2248\u2260\u2264\u2265]"
)


def draw(graph: "Graph", form: str) -> bytes:
    """Lay a Graph out and return it as "svg", "png", or the positions as "json0". Raises as `run` does."""
    # Graphviz fails on a few in a thousand graphs with tangled frames ("trouble in init_rank"); drawn plainly
    # they come out.
    return run((dot_source(graph, plain=plain, legend=form != "json0") for plain in (False, True)), form)


def run(sources: Iterable[str], form: str) -> bytes:
    """Have Graphviz draw the first of some sources that it can, and return what it gave.

    Raises
    ------
    FileError
        No Graphviz is there, or all that are there fail; the message says what to do.
    """
    programs = [program for program in (shutil.which("dot"), _wheel_program()) if program]
    failures = []
    for source, program in ((source, program) for source in sources for program in programs):
        command = [program, f"-T{form}"]
        text = source
        if form == "png":
            command += _PNG
            if Path(program).stem == _WHEEL:
                text = _UNDRAWABLE.sub(lambda match: f"[U+{ord(match[0]):04X}]", source)
        try:
            done = subprocess.run(command, input=text.encode(), capture_output=True, check=False)
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
