"""Graphviz' answer as numbers: where it put the boxes of a graph, and along which curves its arrows run."""

from collections.abc import Sequence
from typing import NamedTuple

from ..render import run

__all__ = ["Picture", "places"]


class Picture(NamedTuple):
    """One graph, in points (1/72 inch) from its upper left corner; y grows downward."""

    width: float
    height: float
    boxes: dict[str, tuple[float, float, float, float]]  # centre x and y, width, height
    curves: list[tuple[str, str, list[float]]]  # tail, head, and x, y of the control points


def places(ways: Sequence[Sequence[str]]) -> list[Picture]:
    """Lay out many graphs in one run; ``ways`` are ways to write them all, the best first.

    Raises FileError if no Graphviz can be run.
    """
    text = run(["".join(sources) for sources in ways], "plain").decode()
    found: list[Picture] = []
    for line in text.splitlines():
        kind, *words = line.split()
        if kind == "graph":
            _, width, height = (72 * float(word) for word in words)
            found.append(Picture(round(width, 1), round(height, 1), {}, []))
        elif kind == "node":
            x, y, width, height = (round(72 * float(word), 1) for word in words[1:5])
            found[-1].boxes[words[0]] = x, round(found[-1].height - y, 1), width, height
        elif kind == "edge":
            numbers = [72 * float(word) for word in words[3 : 3 + 2 * int(words[2])]]
            numbers[1::2] = [found[-1].height - y for y in numbers[1::2]]
            found[-1].curves.append((words[0], words[1], [round(x, 1) for x in numbers]))
    return found
