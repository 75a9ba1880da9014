"""What an explanation is made of: sections of entries of rows; in a row pieces of text, formulas, numbers.

It is said once here; writing.py puts it on paper, in a terminal, in a notebook.
"""

from dataclasses import dataclass

from ..tracing import Numbers

__all__ = [
    "Array",
    "Code",
    "Entry",
    "Math",
    "Piece",
    "Row",
    "Section",
    "Slope",
    "rows_of",
    "short",
    "summary",
]


@dataclass(frozen=True)
class Math:
    """A formula, in LaTeX."""

    latex: str


@dataclass(frozen=True)
class Code:
    """A name or an expression of a program."""

    text: str


@dataclass(frozen=True)
class Slope:
    """The derivative of one name by another: ∂loss/∂b."""

    of: str
    by: str


@dataclass(frozen=True)
class Array:
    """Numbers, abridged to what fits."""

    numbers: Numbers


Piece = str | Math | Code | Slope | Array


@dataclass(frozen=True)
class Row:
    label: str  # "formula", "to b"
    pieces: tuple[Piece, ...]


@dataclass(frozen=True)
class Entry:
    """One operation, or one parameter; without a number it is a remark."""

    number: int | None
    title: tuple[Piece, ...]
    place: str  # line and module, or ""
    rows: tuple[Row, ...] = ()


@dataclass(frozen=True)
class Section:
    title: str
    text: tuple[Piece, ...]
    entries: tuple[Entry, ...]


ROWS, COLUMNS = 4, 6  # as much of a matrix as is written out


def short(x: float) -> str:
    """Write a number with four digits: 0.3333, 12, 1.2e-05."""
    return f"{x + 0.0:.4g}"  # + 0.0 takes the sign from -0


def rows_of(numbers: Numbers) -> list[list[str]] | None:
    """Return a single number, a vector or a matrix as rows of text, cut off by "…"; else None."""
    x = numbers.array
    if len(numbers.shape) > 2 or numbers.size == 0:
        return None
    matrix = x.reshape(1, -1) if x.ndim < 2 else x
    high, wide = (1, numbers.size) if x.ndim < 2 else numbers.shape
    rows = [[short(v) for v in row[:COLUMNS].tolist()] + ["…"] * (wide > COLUMNS) for row in matrix[:ROWS]]
    if high > ROWS:
        rows.append(["…"])
    return rows


def summary(numbers: Numbers) -> str:
    """Say in words what isn't written out, or "" if everything is."""
    if numbers.size == 0:
        return "no numbers at all"
    sides = numbers.shape
    if len(sides) < 2 and numbers.size <= COLUMNS:
        return ""
    if len(sides) == 2 and sides[0] <= ROWS and sides[1] <= COLUMNS:
        return ""
    if numbers.low == numbers.high:
        text = f"all {numbers.size:,} are {short(numbers.low)}"
    else:
        text = f"{numbers.size:,} numbers from {short(numbers.low)} to {short(numbers.high)}"
        text += f", mean {short(numbers.mean)}, norm {short(numbers.norm)}"
        if numbers.zeros:
            text += f", {numbers.zeros:,} are 0"
    return text + (f", {numbers.strange:,} are nan or inf" if numbers.strange else "")
