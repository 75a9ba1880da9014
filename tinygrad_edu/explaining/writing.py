"""An explanation on a terminal, as plain text, in Markdown for a notebook, in LaTeX for a script."""

import io
import re
from collections.abc import Iterable, Iterator
from typing import Any

from ..tracing import Numbers
from .content import Array, Code, Entry, Math, Piece, Section, Slope, rows_of, summary
from .formulas import unicode_math

__all__ = ["latex", "markdown", "plain", "plain_piece", "rich_text"]

WIDTH = 100
_STYLES = {Math: "cyan", Code: "bold", Slope: "magenta", Array: "green"}


def rich_text(sections: Iterable[Section]) -> Any:
    """Return what rich prints: colours where there are any, lines that wrap under their row."""
    from rich.console import Group
    from rich.padding import Padding
    from rich.table import Table
    from rich.text import Text

    parts: list[Any] = []
    for section in sections:
        parts += [Text(), Text(section.title, "bold underline")]
        if section.text:
            parts.append(_text(section.text))
        for entry in section.entries:
            number = "" if entry.number is None else f"{entry.number:>3}  "
            title = Text(number, "bold")
            title.append_text(_text(entry.title))
            if entry.place:
                title.append(f"   {entry.place}", "dim")
            parts += [Text(), title]
            grid = Table.grid(padding=(0, 2))
            grid.add_column(style="dim", no_wrap=True)
            grid.add_column(overflow="fold")
            for row in entry.rows:
                grid.add_row(row.label, _text(row.pieces))
            parts.append(Padding(grid, (0, 0, 0, 5)))
    return Group(*parts[1:])


def _text(pieces: Iterable[Piece]) -> Any:
    from rich.text import Text

    text = Text()
    for piece in pieces:
        written = plain_piece(piece)
        text.append(written if text else written.lstrip("\n"), _STYLES.get(type(piece), ""))
    return text


def plain_piece(piece: Piece) -> str:
    """Write one piece as text; a matrix begins with a new line."""
    if isinstance(piece, Math):
        return unicode_math(piece.latex)
    if isinstance(piece, Slope):
        return f"∂{_single(piece.of)}/∂{_single(piece.by)}"
    if isinstance(piece, Array):
        return _table(piece.numbers)
    return piece.text if isinstance(piece, Code) else piece


def _single(name: str) -> str:
    """Put brackets around a name that isn't one word: ∂loss/∂(dense/kernel)."""
    return name if re.fullmatch(r"[\w#\[\]]+", name) else f"({name})"


def _table(numbers: Numbers) -> str:
    """Write an array: a number, a vector in brackets, a matrix on lines of its own."""
    told = summary(numbers)
    rows = rows_of(numbers)
    if rows is None:
        return told
    if numbers.array.ndim == 0:
        return rows[0][0]
    if len(rows) == 1:
        return f"[{' '.join(rows[0])}]" + (f"\n{told}" if told else "")
    widths = [max(len(row[i]) for row in rows if i < len(row)) for i in range(len(rows[0]))]
    lines = ["  ".join(v.rjust(w) for v, w in zip(row, widths, strict=False)) for row in rows]
    lines = [" …" if line.strip() == "…" else f"[{line}]" for line in lines]
    lines = [f"{' ' if i else '['}{line}" for i, line in enumerate(lines)]
    lines[-1] += "]"
    return "\n" + "\n".join(lines) + (f"\n{told}" if told else "")


def plain(sections: Iterable[Section]) -> str:
    """Return the same as text without colours."""
    from rich.console import Console

    out = io.StringIO()
    console = Console(file=out, width=WIDTH, color_system=None, highlight=False, legacy_windows=False)
    console.print(rich_text(sections))
    return "\n".join(line.rstrip() for line in out.getvalue().splitlines())


def markdown(sections: Iterable[Section]) -> str:
    """Return Markdown with formulas between dollars, as notebooks show it."""
    lines: list[str] = []
    for section in sections:
        lines += [f"### {_escaped(section.title, _MARKDOWN)}", ""]
        lines += ["".join(map(_markdown_piece, section.text)), ""] if section.text else []
        for entry in section.entries:
            lines += [_markdown_title(entry), ""]
            for row in entry.rows:
                text = "".join(map(_markdown_piece, row.pieces))
                lines.append(f"- {f'*{_escaped(row.label, _MARKDOWN)}*: ' if row.label else ''}{text}")
            lines.append("")
    return "\n".join(lines)


def _markdown_title(entry: Entry) -> str:
    number = "" if entry.number is None else f"{entry.number}. "
    place = f" &nbsp; <small>{_escaped(entry.place, _MARKDOWN)}</small>" if entry.place else ""
    return f"**{number}**{''.join(map(_markdown_piece, entry.title))}{place}" if number else (
        f"{''.join(map(_markdown_piece, entry.title))}{place}"
    )  # fmt: skip


_MARKDOWN = {c: f"\\{c}" for c in "\\`*_$[]<>#|"} | {"&": "&amp;"}
_LATEX = {c: f"\\{c}" for c in "&%$#_{}"} | {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    "·": r"$\cdot$",
    "→": r"$\to$",
    "…": r"\ldots{}",
}


def _escaped(text: str, signs: dict[str, str]) -> str:
    return "".join([signs.get(c, c) for c in text])


def _markdown_piece(piece: Piece) -> str:
    if isinstance(piece, Code):
        fence = "``" if "`" in piece.text else "`"
        return f"{fence}{piece.text}{fence}"
    if isinstance(piece, str):
        return _escaped(piece, _MARKDOWN)
    return _formula(piece, _MARKDOWN)


def latex(sections: Iterable[Section]) -> str:
    """Return LaTeX for the body of a document that uses amsmath."""
    lines: list[str] = []
    for section in sections:
        lines += [
            rf"\section*{{{_escaped(section.title, _LATEX)}}}",
            "".join(map(_latex_piece, section.text)),
        ]
        for entry in section.entries:
            number = "" if entry.number is None else f"{entry.number}. "
            place = rf" \hfill {{\small {_escaped(entry.place, _LATEX)}}}" if entry.place else ""
            lines += ["", rf"\noindent\textbf{{{number}}}{''.join(map(_latex_piece, entry.title))}{place}"]
            if entry.rows:
                lines.append(r"\begin{description}")
                lines += list(_latex_rows(entry))
                lines.append(r"\end{description}")
    return "\n".join(lines)


def _latex_rows(entry: Entry) -> Iterator[str]:
    for row in entry.rows:
        yield rf"\item[{{{_escaped(row.label, _LATEX)}}}] {''.join(map(_latex_piece, row.pieces))}"


def _latex_piece(piece: Piece) -> str:
    if isinstance(piece, Code):
        return rf"\texttt{{{_escaped(piece.text, _LATEX)}}}"
    return _escaped(piece, _LATEX) if isinstance(piece, str) else _formula(piece, _LATEX)


def _formula(piece: Math | Slope | Array, signs: dict[str, str]) -> str:
    """Write what stands between dollars in both; the signs are for the words beside numbers."""
    if isinstance(piece, Math):
        return f"${piece.latex}$"
    if isinstance(piece, Slope):
        return rf"$\frac{{\partial {_identifier(piece.of)}}}{{\partial {_identifier(piece.by)}}}$"
    told = summary(piece.numbers)
    rows = rows_of(piece.numbers)
    if rows is None:
        return _escaped(told, signs)
    cells = [[_cell(v) for v in row] for row in rows]
    if piece.numbers.array.ndim == 0:
        return f"${cells[0][0]}$"
    body = r" \\ ".join(" & ".join(row) for row in cells)
    return rf"$\begin{{bmatrix}} {body} \end{{bmatrix}}$" + (f" ({_escaped(told, signs)})" if told else "")


def _cell(text: str) -> str:
    """Write a number as formulas do: 1.2e-05 as 1.2 · 10⁻⁵."""
    if "e" in text:
        mantissa, exponent = text.split("e")
        return rf"{mantissa} \cdot 10^{{{int(exponent)}}}"
    return {"…": r"\cdots", "inf": r"\infty", "-inf": r"-\infty", "nan": r"\text{nan}"}.get(text, text)


def _identifier(name: str) -> str:
    return rf"\mathit{{{_escaped(name, {c: f'{chr(92)}{c}' for c in '_#$%&{}'}).replace(' ', '~')}}}"
