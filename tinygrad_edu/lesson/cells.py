"""Percent cells: a Python script that editors, Jupytext and this package take for a notebook.

A line ``# %%`` begins a cell of code, ``# %% [markdown]`` one of text, whose lines are comments.
"""

import json
import re
from pathlib import Path
from typing import NamedTuple

from tinygrad_edu.errors import ArgumentError, FileError

__all__ = ["Cell", "find_tutorials", "notebook", "read_cells", "tutorial_of"]

FOLDER = Path(__file__).parent.parent / "tutorials"
_MARK = re.compile(r"# %%(?P<rest>.*)")
_SCRIPT = re.compile(r"\d\d_[a-z0-9_]+\.py")


class Cell(NamedTuple):
    """A cell: "markdown" or "code", its text, and the line of the file on which the text begins."""

    kind: str
    text: str
    line: int


def read_cells(source: str) -> list[Cell]:
    """Cut a script into its cells.

    Parameters
    ----------
    source : str
        The script's text.

    Raises
    ------
    FileError
        Text before the first cell, a mark that is neither of the two, or a line of a Markdown cell that is no
        comment.

    Examples
    --------
    >>> for cell in read_cells("# %% [markdown]\\n# # A title\\n# %%\\nx = 1\\n"):
    ...     print(cell)
    Cell(kind='markdown', text='# A title', line=2)
    Cell(kind='code', text='x = 1', line=4)
    """
    cells: list[tuple[str, int, list[str]]] = []
    for number, line in enumerate(source.splitlines(), start=1):
        if mark := _MARK.fullmatch(line):
            rest = mark["rest"].strip()
            if rest not in ("", "[markdown]"):
                raise FileError(
                    f"line {number}: a cell begins with `# %%` or `# %% [markdown]`, not {line!r}."
                )
            cells.append(("markdown" if rest else "code", number + 1, []))
        elif cells:
            kind, _, lines = cells[-1]
            if kind == "markdown":
                if line.strip() and line != "#" and not line.startswith("# "):
                    raise FileError(
                        f"line {number}: in a Markdown cell each line is a comment, not {line!r}."
                    )
                line = line[2:]
            lines.append(line)
        elif line.strip():
            raise FileError(f"line {number}: {line!r} stands before the first `# %%`.")
    return [_trimmed(kind, first, lines) for kind, first, lines in cells]


def _trimmed(kind: str, first: int, lines: list[str]) -> Cell:
    while lines and not lines[0].strip():
        lines, first = lines[1:], first + 1
    return Cell(kind, "\n".join(lines).rstrip(), first)


def find_tutorials() -> list[Path]:
    """Return the tutorials that came with the package, by their numbers."""
    return sorted(path for path in FOLDER.glob("*.py") if _SCRIPT.fullmatch(path.name))


def tutorial_of(number: str) -> Path:
    """Find a tutorial by its number, as "5" or "05", or by its name.

    Raises ArgumentError if there is none.

    >>> tutorial_of("5").name
    '05_four_blobs.py'
    """
    found = find_tutorials()
    for path in found:
        if number in (path.stem, path.name) or (number.isdecimal() and int(number) == int(path.name[:2])):
            return path
    known = ", ".join(str(int(path.name[:2])) for path in found)
    raise ArgumentError(
        f"there is no tutorial {number!r}; known: {known}. `tinygrad-edu tutorial` lists them."
    )


def notebook(cells: list[Cell]) -> str:
    """Return the cells as a Jupyter notebook (nbformat 4.5, without outputs)."""
    listed = []
    for index, cell in enumerate(cells):
        entry: dict[str, object] = {"cell_type": cell.kind, "id": f"cell-{index}", "metadata": {}}
        if cell.kind == "code":
            entry |= {"execution_count": None, "outputs": []}
        listed.append(entry | {"source": cell.text.splitlines(keepends=True)})
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    whole = {"cells": listed, "metadata": {"kernelspec": kernel}, "nbformat": 4, "nbformat_minor": 5}
    return json.dumps(whole, indent=1, ensure_ascii=False) + "\n"
