"""What is written into the page's boxes, and how much room that needs."""

import re
from unicodedata import east_asian_width

from ..boxes import Box

__all__ = ["label_of", "name_of", "printable", "room_for", "short"]

_LONGEST = 34  # characters of a line that are drawn
_LINE = 15  # points from one line of text to the next


def printable(text: str) -> str:
    """Spell out what has no glyph (a newline as \\n), so that every name is one line."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def short(text: str) -> str:
    """Cut a long text in its middle: its beginning and its end tell names apart."""
    text = printable(text)
    half = _LONGEST // 2
    return text if len(text) <= _LONGEST else f"{text[:half]}…{text[-half:]}"


def name_of(box: Box, name: str) -> str:
    """Return a tensor's name, by the layer that it stands in if the name is of such a layer.

    A layer is numbered when a model takes it up, and its parameters may have been named before: conv2d/kernel
    is what conv2d_17/kernel was called then.
    """
    layer, _, last = name.rpartition("/")
    home = box.module.rpartition("/")[2]
    if box.kind != "operation" and layer and _numberless(layer.rpartition("/")[2]) == _numberless(home):
        name = f"{home}/{last}"
    return printable(name)


def _numberless(name: str) -> str:
    return re.sub(r"_\d+$", "", name)


def label_of(box: Box, name: str) -> list[str]:
    """Return a box's lines: what it is called, and its shape unless it is a single number."""
    title = box.title if box.kind in ("operation", "number") else name or box.kind
    if box.kind == "operation" and name:
        title = f"{name} = {title}"
    # Within its frames a parameter needn't repeat all their names, just the last.
    lines = [short("/".join(title.split("/")[-2:]) if box.module else title)]
    if box.shape != ():
        lines.append(short(str(box.shape)))
    return lines


def room_for(
    lines: list[str], *, more: int = 0, least: float = 76, margin: float = 26
) -> tuple[float, float]:
    """Return width and height, in points, of a box for these lines and so many ``more``."""
    widths = [_width(line) * (7.4 if i == 0 else 6.4) for i, line in enumerate(lines)]
    return max(least, max(widths) + margin), 18 + _LINE * (len(lines) + more)


def _width(text: str) -> float:
    """Return a text's width in letters: Chinese, Japanese and Korean ones count twice, i and l half."""
    return sum(2.0 if east_asian_width(c) in "WF" else 0.6 if c in "ijl.,:;'|!()[] " else 1.0 for c in text)
