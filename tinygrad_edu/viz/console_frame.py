"""The picture of a training: panels side by side in a wide terminal, one below the other in a narrow one.

A picture is lines of (text, style), put together by hand: Rich's tables and panels measure everything
several times over, and a picture that is drawn while a network learns takes its time from the learning.
"""

import html
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from time import perf_counter
from typing import TYPE_CHECKING, NamedTuple

from .console_run import Run, Track, numbers
from .short import clock, count, number, printable, size, sparkline

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions, RenderResult
    from rich.style import Style

__all__ = ["Frame", "lines_of"]

Line = list[tuple[str, str]]  # pieces of text, each with its style

_WIDEST = 96  # columns; bars across a whole wide screen are hard to read
_BOXES = 68  # columns; with fewer there is no room for frames
_STEP = 33  # columns of the panel at the right, with its frame
_SPARKS = 12  # epochs in a sparkline, where there is room

_CSS = {
    "bold": "font-weight:bold",
    "cyan": "color:#0e7490",
    "dim": "opacity:.6",
    "green": "color:#15803d",
    "red": "color:#b91c1c",
    "yellow": "color:#a16207",
}


class Frame:
    """One picture of a run, for Rich, as HTML and as text."""

    def __init__(self, run: Run, width: int, height: int) -> None:
        self.lines = lines_of(run, width, height)

    def __rich_console__(self, console: "Console", options: "ConsoleOptions") -> "RenderResult":
        from rich.segment import Segment

        for line in self.lines:
            for text, style in line:
                yield Segment(text, _style(style))
            yield Segment.line()

    def html(self) -> str:
        """Return it for a notebook."""
        text = "\n".join("".join(_span(text, style) for text, style in line) for line in self.lines)
        return f'<pre style="line-height:1.25;white-space:pre">{text}</pre>'

    def __str__(self) -> str:
        return "\n".join("".join(text for text, _ in line).rstrip() for line in self.lines)


@lru_cache
def _style(words: str) -> "Style":
    from rich.style import Style

    return Style.parse(words)


def _span(text: str, style: str) -> str:
    css = ";".join(_CSS[word] for word in style.split())
    return f'<span style="{css}">{html.escape(text)}</span>' if css else html.escape(text)


def lines_of(run: Run, width: int, height: int) -> list[Line]:
    """Draw a run in so many columns, and in fewer rows than there are.

    What there is no room for is left out: first metrics, then the panel of the last step.
    """
    width = min(width, _WIDEST)
    boxes = width >= _BOXES and height >= 16
    notes = [_line(text, style, width) for text, style in _notes(run)]
    if boxes:
        progress = _box(_title(run), _bars(run, width - 4, apart=True), width)
        room = height - 1 - len(progress) - len(notes) - 2
        left = width - _STEP
        metrics = _metrics(run, left - 4, max(room, 2))
        step = _step(run, _STEP - 4)
        if not metrics and not run.rates:
            return [*progress, *notes]
        rows = max(len(metrics), len(step))
        pairs = zip(
            _box([("metrics", "")], metrics, left, rows), _box([("step", "")], step, _STEP, rows), strict=True
        )
        return [*progress, *([*a, *b] for a, b in pairs), *notes]
    progress = _bars(run, width)
    step = _step(run, width) if run.rates or run.norms else []
    room = height - 1 - len(progress) - len(notes)
    if room < len(step) + 5:
        step = []
    metrics = _metrics(run, width, room - 1 - bool(step) - len(step)) if room > 3 else []
    parts = [progress, metrics, step]
    together: list[Line] = []
    for part in (*parts, notes):
        spaced = together and part and (part is not notes or len(together) + len(part) < height - 1)
        together += [[]] * bool(spaced) + part
    return together


# -- Progress -----------------------------------------------------------------------------------------------


def _time(run: Run) -> str:
    if run.took is not None:
        return f"took {clock(run.took)}"
    left = run.time_left()
    return "" if left is None else f"{clock(left)} left"


def _title(run: Run) -> Line:
    time = _time(run)
    gone = "" if run.took is not None else f"{clock(perf_counter() - run.began)} so far"
    return [(", ".join(filter(None, [gone, time])), "bold")]


def _bars(run: Run, width: int, apart: bool = False) -> list[Line]:
    """Draw a bar for the epochs and one for the batches; ``apart`` from the time and the pace."""
    part = run.batch / run.steps if run.steps else 0.0
    pace, unit = run.throughput()
    rows = [
        (count("epoch", run.epoch + 1, run.epochs), run.epochs, run.epoch + part, _time(run)),
        (
            count("batch", run.batch, run.steps),
            run.steps,
            run.batch,
            pace and f"{pace}{'/s' if unit == 'samples/s' else f' {unit}'}",
        ),
    ]
    label = max(len(row[0]) for row in rows)
    right = 0 if apart else max(len(row[3]) for row in rows)
    if label + right + 6 > width:  # no room for a bar
        return [_line(f"{row[0]}  {row[3]}", "", width) for row in rows]
    space = width - label - 1 - (right + 1 if right else 0)
    return [
        [
            (row[0].ljust(label + 1), ""),
            *(_bar(row[2] / row[1], space) if row[1] else [(" " * space, "")]),
            *([(row[3].rjust(right + 1), "")] if right else []),
        ]
        for row in rows
    ]


def _bar(share: float, width: int) -> Line:
    """Draw a bar; what is done is thicker than what isn't, so that it needs no colour."""
    done = min(max(int(share * width), 0), width)
    colour = "green" if done == width else "cyan"
    return [("━" * done, colour), ("─" * (width - done), "dim")]


def _notes(run: Run) -> Iterator[tuple[str, str]]:
    if run.compiling and run.compiling[1] == run.batch and run.took is None:
        yield f"compiling {run.compiling[0]} …", "yellow"
    elif run.tested and run.took is None:
        yield f"validating, batch {run.tested} …", "dim"
    if best := run.best():
        yield best, "green"
    if run.outcome:
        yield run.outcome, "yellow"
    if run.note:
        yield run.note, "dim"


# -- Metrics ------------------------------------------------------------------------------------------------


class _Row(NamedTuple):
    name: str
    cells: tuple[str, str, str]  # now, best, and the epoch of that
    track: Track
    style: str


def _metrics(run: Run, width: int, room: int) -> list[Line]:
    """Make a table of the metrics, in at most so many lines."""
    rows, running = [], numbers(run.running)
    for name in dict.fromkeys([*run.tracks, *running]):
        track = run.tracks.get(name) or Track(None)
        now = running.get(name, track.recent[-1] if track.recent else float("nan"))
        decides = name == run.monitored
        best = epoch = ""
        if track.best_epoch is not None:
            best, epoch = number(track.best), f"{'★ ' * decides}{track.best_epoch + 1}"
        rows.append(_Row(printable(name), (number(now), best, epoch), track, "bold" if decides else ""))
    if not rows or room < 2:
        return []
    more: list[Line] = []
    if len(rows) + 1 > room:
        shown = rows[: room - 2]
        if not any(row.style for row in shown):  # what decides is always shown
            shown = [*shown[:-1], *(row for row in rows if row.style)][: room - 2]
        more = [_line(f"and {len(rows) - len(shown)} more", "dim", width)]
        rows = shown
    return [*_table(rows, width), *more] if rows else more


def _table(rows: Sequence[_Row], width: int) -> list[Line]:
    columns = list(zip(("now", "best", "epoch"), *(row.cells for row in rows), strict=True))
    if width < 40:  # the rest is more telling
        columns.pop()
    widths = [max(map(_cells, column)) for column in columns]
    gap = 1 if width < 44 else 2
    trend = max(len(row.track.recent) for row in rows)
    rest = width - sum(widths) - gap * (len(widths) + 1)
    name = max(4, min(max(_cells(row.name) for row in rows), rest - 6))
    sparks = max(min(_SPARKS, rest - name - 2, trend), 0)
    head = "".join(" " * gap + c[0].rjust(w) for c, w in zip(columns, widths, strict=True))
    lines: list[Line] = [[(_fit(" " * name + head + " " * gap + "trend" * bool(trend), width), "dim")]]
    for i, row in enumerate(rows):
        cells = "".join(" " * gap + _right(c[i + 1], w) for c, w in zip(columns, widths, strict=True))
        line = [(_fit(row.name, name) + cells + " " * gap, row.style), *_trend(row.track, sparks, row.style)]
        lines.append(_cut(line, width))
    return lines


def _trend(track: Track, epochs: int, style: str) -> Line:
    """Draw the last epochs, and where they led: green when that was for the better."""
    shown = list(track.recent)[-epochs:] if epochs else []
    step = shown[-1] - shown[0] if shown else 0.0
    pieces: Line = [(sparkline(shown), style)]
    if step > 0 or step < 0:  # neither for NaN
        colour = "" if track.grows is None else "green" if (step > 0) == track.grows else "red"
        pieces.append((" ↗" if step > 0 else " ↘", f"{style} {colour}".strip()))
    return pieces


# -- The last step ------------------------------------------------------------------------------------------


def _step(run: Run, width: int) -> list[Line]:
    pace, unit = run.throughput()
    rows: list[tuple[str, str, Sequence[float]]] = []
    if run.rates:
        rows.append(("learning rate", f"{run.rates[-1]:.4g}", _course(run.rates)))
    if run.norms:
        rows.append(("gradient norm", f"{run.norms[-1]:.4g}", _course(run.norms)))
    if pace:
        rows.append((unit, pace, ()))
    if run.memory:
        rows.append(("memory", size(run.memory), ()))
    values = max((len(value) for _, value, _ in rows), default=0)
    lines = []
    for label, value, course in rows:
        sparks = max(min(width - 14 - values - 1, _SPARKS), 0)
        shown = sparkline(course[-sparks:]) if sparks and course else ""
        lines.append(
            _cut([(label.ljust(14), "dim"), (value.rjust(values), ""), (f" {shown}", "cyan")], width)
        )
    return lines


def _course(values: Iterable[float]) -> list[float]:
    """Return values to draw, or none where all are equal."""
    values = list(values)
    return values if len(set(values)) > 1 else []


# -- Text in a given room -----------------------------------------------------------------------------------


def _cells(text: str) -> int:
    from rich.cells import cell_len

    return cell_len(text)


def _fit(text: str, width: int) -> str:
    """Return text in exactly so many columns."""
    from rich.cells import set_cell_size

    if width < 1:
        return ""
    if _cells(text) > width:
        return set_cell_size(text, width - 1) + "…"
    return set_cell_size(text, width)


def _right(text: str, width: int) -> str:
    return " " * (width - _cells(text)) + text


def _line(text: str, style: str, width: int) -> Line:
    return [(_fit(printable(text), width).rstrip(), style)]


def _cut(line: Line, width: int) -> Line:
    """Leave away what is beyond the width."""
    cut: Line = []
    for text, style in line:
        cells = _cells(text)
        cut.append((text if cells <= width else _fit(text, width), style))
        width -= min(cells, width)
    return cut


def _box(title: Line, lines: Sequence[Line], width: int, rows: int = 0) -> list[Line]:
    """Draw a frame with a title around lines, at least so many of them."""
    named = sum(_cells(text) for text, _ in title)
    top: Line = [("╭─ ", "dim"), *title, (f" {'─' * (width - named - 5)}╮", "dim")]
    if not named:
        top = [(f"╭{'─' * (width - 2)}╮", "dim")]
    body: list[Line] = []
    for line in [*lines, *([] for _ in range(rows - len(lines)))]:
        used = sum(_cells(text) for text, _ in line)
        body.append([("│ ", "dim"), *line, (" " * (width - used - 4) + " │", "dim")])
    return [top, *body, [(f"╰{'─' * (width - 2)}╯", "dim")]]
