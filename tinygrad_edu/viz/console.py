"""A training as it runs: a live display in a terminal, one plain line an epoch anywhere else.

The hooks that ``fit`` calls only write down what came; a batch costs well under a microsecond. A few times
a second, Rich's own thread asks :meth:`Console._frame` for a picture of what is written down then.
"""

import atexit
import math
import sys
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, redirect_stderr, redirect_stdout
from time import perf_counter
from typing import TYPE_CHECKING, Any, SupportsFloat, TextIO, cast

from tinygrad_edu.errors import ArgumentError, unknown_name
from tinygrad_edu.nn.callbacks import Callback, larger_is_better

if TYPE_CHECKING:
    from rich.console import Console as RichConsole
    from rich.console import RenderableType
    from rich.table import Table
    from rich.text import Text

__all__ = ["Console"]

_SPARKS = "▁▂▃▄▅▆▇█"
_FASTEST = 10.0  # refreshes a second; eyes see no more, and each takes a few milliseconds from the training
_WIDEST = 96  # columns; bars across a whole wide screen are hard to read
_NARROW = 60  # columns; below, figures are given without their words
_REMEMBERED = 12  # epochs in a sparkline


class Console(Callback):
    """Show how a training goes; hand it to ``fit(callbacks=[...])``, or let ``fit(verbose=1)`` make one.

    In a terminal: bars for epochs and batches, the time left, samples a second, and each loss and metric
    with its best value, the epoch of that, and its course over the last epochs. Elsewhere (a pipe, a log,
    a notebook, ``TERM=dumb``): one line an epoch, without control codes. A star marks the best epoch.

    Parameters
    ----------
    console : rich.console.Console, optional
        Where to write; by default the standard output.
    monitor : str, optional
        The metric that decides which epoch is best: by default "val_loss", or "loss" without validation.
    mode : {"auto", "min", "max"}
        Whether that metric is best when low or high; "auto" goes by its name.
    refresh_per_second : float
        How often the live display is drawn anew, at most 10.
    live : bool
        False gives plain lines in a terminal too.

    Raises
    ------
    ArgumentError
        An unknown mode, a rate out of range, or a monitor whose name doesn't tell its direction.

    Examples
    --------
    >>> console = Console()
    >>> console.on_train_begin()
    >>> console.on_epoch_begin(0)
    >>> console.on_epoch_end(0, {"loss": 0.5, "val_loss": 0.6})
    epoch 1  loss 0.5000  val_loss 0.6000  ... ms  ★
    """

    def __init__(
        self,
        console: "RichConsole | None" = None,
        monitor: str | None = None,
        mode: str = "auto",
        refresh_per_second: float = 8.0,
        *,
        live: bool = True,
    ) -> None:
        from rich.console import Console as RichConsole

        if mode not in ("auto", "min", "max"):
            raise unknown_name("mode", mode, ("auto", "min", "max"))
        if not 0 < refresh_per_second <= _FASTEST:
            raise ArgumentError(
                f"Console: expected refresh_per_second above 0 and at most {_FASTEST:g}, "
                f"got {refresh_per_second!r}."
            )
        if monitor is not None and mode == "auto" and larger_is_better(monitor) is None:
            raise ArgumentError(
                f"Console: the name {monitor!r} doesn't tell whether low or high is best; "
                'add mode="min" or mode="max".'
            )
        self.console = RichConsole() if console is None else console
        self.monitor, self.mode, self.refresh_per_second = monitor, mode, refresh_per_second
        self._utf = (getattr(self.console.file, "encoding", None) or "utf-8").lower().startswith("utf")
        # FORCE_COLOR makes Rich take a log for a terminal: colours would do there, a moving cursor wouldn't.
        terminal = self.console.is_terminal and (console is not None or self.console.file.isatty())
        self._live = live and terminal and self.console.is_interactive and self._utf
        self._undo = ExitStack()  # gives back what the live display took: cursor, streams, announcer
        self.params = {}
        self._reset()

    def _reset(self) -> None:
        """Forget the last run."""
        self._tracks: dict[str, _Track] = {}
        self._running: Mapping[str, Any] | None = None  # what came with the last batch
        self._note = ""
        self._compiling: tuple[str, int] | None = None  # a kernel, and the batch that waits for it
        self._epoch = self._batch = 0  # batches done in this epoch
        self._pace: float | None = None  # seconds a batch
        self._validating = 0.0  # seconds an epoch takes after its last batch
        self._began = self._epoch_began = self._first_batch = self._last_batch = perf_counter()
        self._steps: int | None = self.params.get("steps")
        self._done = False

    def note(self, text: str) -> None:
        """Show a line of text below the display until the next one; in a log, print it. "" takes it away.

        >>> Console().note("learning rate halved")
        learning rate halved
        """
        self._note = "".join(c if c.isprintable() else " " for c in text)
        if self._note and not self._live:
            self._print(self._note)

    # -- What fit calls --------------------------------------------------------------------------------

    def on_train_begin(self, logs: Mapping[str, Any] | None = None) -> None:
        self._undo.close()  # for a run that ended without on_train_end
        self._reset()
        if self._live:
            self._open()

    def on_epoch_begin(self, epoch: int, logs: Mapping[str, Any] | None = None) -> None:
        self._running = self._compiling = None
        self._epoch, self._batch = epoch, 0
        self._epoch_began = self._first_batch = self._last_batch = perf_counter()

    def on_train_batch_end(self, batch: int, logs: Mapping[str, Any] | None = None) -> None:
        self._running = logs
        self._last_batch = perf_counter()
        if batch == 0:
            self._first_batch = self._last_batch
        self._batch = batch + 1

    def on_epoch_end(self, epoch: int, logs: Mapping[str, Any] | None = None) -> None:
        now = perf_counter()
        for name, value in _numbers(logs).items():
            self._tracks.setdefault(name, _Track(self._grows(name))).add(epoch, value)
        self._running = self._compiling = None
        self._pace = self._current_pace()
        self._steps = self._steps or self._batch
        self._validating = now - self._last_batch
        if self.monitor and self.monitor not in self._tracks and not self._note:
            self.note(f"no metric {self.monitor!r} to watch; there are {', '.join(self._tracks)}")
        if not self._live:
            self._print(self._line(epoch, _numbers(logs), now - self._epoch_began))

    def on_train_end(self, logs: Mapping[str, Any] | None = None) -> None:
        self._done = True
        self._undo.close()

    # -- The terminal ----------------------------------------------------------------------------------

    def _open(self) -> None:
        from rich.file_proxy import FileProxy
        from rich.live import Live

        # Rich's own redirection can print into the midst of a drawing, and takes streams that are files too.
        display = Live(
            console=self.console, get_renderable=self._frame, redirect_stdout=False, redirect_stderr=False
        )
        display.refresh_per_second = self.refresh_per_second

        class Above(FileProxy):
            """A stream whose lines go above the display, when it isn't just being drawn."""

            rest = ""  # what came after the last line's end

            def write(self, text: str) -> int:
                self.rest = (self.rest + text).rpartition("\n")[2]
                with display._lock:
                    return super().write(text)

            def flush(self) -> None: ...  # an unfinished line waits for its end

            def finish(self) -> None:
                self.write("\n" if self.rest else "")

        atexit.register(self._undo.close)  # the cursor must not stay hidden, however the program ends
        self._undo.callback(atexit.unregister, self._undo.close)
        self._undo.callback(display.stop)
        display.start(refresh=True)
        for stream, redirect in ((sys.stdout, redirect_stdout), (sys.stderr, redirect_stderr)):
            if stream is not None and stream.isatty() and not isinstance(stream, FileProxy):
                above = Above(self.console, stream)
                self._undo.enter_context(redirect(cast(TextIO, above)))
                self._undo.callback(above.finish)
        from tinygrad_edu import kernels

        self._undo.callback(kernels.set_compile_announcer, kernels.set_compile_announcer(self._compiles))

    def _compiles(self, kernel: str) -> None:
        self._compiling = kernel, self._batch

    def _print(self, line: str) -> None:
        from rich.text import Text

        if not self._utf:
            line = line.replace("★", "*").encode("ascii", "replace").decode()
        self.console.print(Text(line), soft_wrap=True)

    def _monitored(self) -> str:
        return self.monitor or ("val_loss" if "val_loss" in self._tracks else "loss")

    def _grows(self, name: str) -> bool | None:
        decides = name == self.monitor if self.monitor else name in ("loss", "val_loss")
        return self.mode == "max" if decides and self.mode != "auto" else larger_is_better(name)

    def _current_pace(self) -> float | None:
        """Return seconds a batch in this epoch. The first, which may compile, counts only when alone."""
        if self._batch >= 2:
            return max((self._last_batch - self._first_batch) / (self._batch - 1), 1e-9)
        return max(self._last_batch - self._epoch_began, 1e-9) if self._batch else self._pace

    def _throughput(self, short: bool = False) -> str:
        pace, samples, size = self._current_pace(), self.params.get("samples"), self.params.get("batch_size")
        if pace is None:
            return ""
        rate, unit = 1 / pace, " batches/s"
        if samples and size:
            done = self._batch or 1
            rate *= min(done * size, samples) / done  # the last batch may be smaller
            unit = "/s" if short else " samples/s"
        return f"{rate:,.0f}{unit}" if rate >= 10 else f"{rate:.2g}{unit}"

    def _time_left(self) -> float | None:
        """Return the seconds until the end if all goes on like this, or None as long as that isn't known."""
        pace, steps = self._current_pace(), self._steps
        epochs: int | None = self.params.get("epochs")
        if pace is None or not steps or not epochs:
            return None
        this = (steps - self._batch) * pace + self._validating - (perf_counter() - self._last_batch)
        return max(this, 0.0) + (epochs - self._epoch - 1) * (steps * pace + self._validating)

    def _line(self, epoch: int, values: Mapping[str, float], seconds: float) -> str:
        took = f"{seconds:.1f} s" if seconds >= 1 else f"{seconds * 1000:.0f} ms"
        shown = [f"{name} {_number(value)}" for name, value in values.items()]
        parts = [_count("epoch", epoch + 1, self.params.get("epochs")), *shown, took, self._throughput()]
        track = self._tracks.get(self._monitored())
        if track and track.best_epoch == epoch:
            parts.append("★")
        return "  ".join(filter(None, parts))

    # -- What the hooks wrote down, as a picture -------------------------------------------------------

    def _frame(self) -> "RenderableType":
        """Build the live display; called by Rich's thread, so it only reads."""
        from rich.console import Group
        from rich.text import Text

        width = min(self.console.width, _WIDEST)
        parts: list[RenderableType] = [self._bars(width)]
        running, compiling = _numbers(self._running), self._compiling
        if running or self._tracks:
            parts += [Text(), self._table(running, width)]
        if compiling and compiling[1] == self._batch and not self._done:
            parts.append(Text(f"compiling {compiling[0]} …", "yellow", no_wrap=True, overflow="ellipsis"))
        if self._note:
            parts.append(Text(self._note, "dim", no_wrap=True, overflow="ellipsis"))
        return Group(*parts)

    def _bars(self, width: int) -> "Table":
        from rich.progress_bar import ProgressBar
        from rich.table import Table

        epochs, steps = self.params.get("epochs"), self._steps
        part = self._batch / steps if steps else 0.0
        left = self._time_left()
        time = "" if left is None else f"{_clock(left)} left"
        if self._done:
            time = f"took {_clock(perf_counter() - self._began)}"
        table = Table.grid(padding=(0, 1), expand=True)
        table.width = width
        table.add_column(no_wrap=True)
        table.add_column(ratio=1)
        table.add_column(no_wrap=True, justify="right")
        for label, count, total, completed, right in (
            ("epoch", self._epoch + 1, epochs, self._epoch + part, time),
            ("batch", self._batch, steps, self._batch, self._throughput(short=width < _NARROW)),
        ):
            bar = ProgressBar(total, completed, complete_style="cyan", finished_style="green")
            table.add_row(_count(label, count, total), bar if total else "", right)
        return table

    def _table(self, running: Mapping[str, float], width: int) -> "Table":
        from rich.table import Table
        from rich.text import Text

        narrow = width < _NARROW
        table = Table(box=None, pad_edge=False, padding=(0, 1 if narrow else 3, 0, 0), header_style="dim")
        table.add_column("")  # the only one that gives way when there is no room
        for header in ("now", "best", "epoch"):
            table.add_column(header, justify="right", no_wrap=True)
        table.add_column("trend", no_wrap=True)
        tracks = dict(self._tracks)
        for name in dict.fromkeys([*tracks, *running]):
            track = tracks.get(name) or _Track(None)
            now = running.get(name, track.recent[-1] if track.recent else math.nan)
            best = epoch = ""
            decides = name == self._monitored()
            if track.best_epoch is not None:
                best, epoch = _number(track.best), f"{'★ ' * decides}{track.best_epoch + 1}"
            label, trend = (
                Text(name, no_wrap=True, overflow="ellipsis"),
                track.trend(4 if narrow else _REMEMBERED),
            )
            table.add_row(label, _number(now), best, epoch, trend, style="bold" if decides else "")
        return table


class _Track:
    """One metric over the epochs. Everything in it is replaced, never changed: another thread reads."""

    def __init__(self, grows: bool | None) -> None:
        self.grows = grows
        self.recent: tuple[float, ...] = ()
        self.best = math.nan
        self.best_epoch: int | None = None

    def add(self, epoch: int, value: float) -> None:
        self.recent = (*self.recent, value)[-_REMEMBERED:]
        better = value > self.best if self.grows else value < self.best
        if self.grows is not None and math.isfinite(value) and (better or self.best_epoch is None):
            self.best, self.best_epoch = value, epoch

    def trend(self, epochs: int) -> "Text":
        """Draw the last epochs, and where they led: green when that was for the better."""
        from rich.text import Text

        shown = self.recent[-epochs:]
        text = Text(sparkline(shown))
        step = shown[-1] - shown[0] if shown else 0.0
        if step > 0 or step < 0:  # neither for NaN
            style = "" if self.grows is None else "green" if (step > 0) == self.grows else "red"
            text.append(" ↗" if step > 0 else " ↘", style)
        return text


def sparkline(values: Sequence[float]) -> str:
    """Draw values as a row of blocks from the lowest to the highest; a cross where one isn't finite.

    >>> sparkline([0.0, 1.0, 2.0, float("nan"), 7.0])
    '▁▂▃x█'
    """
    finite = [value / 2 for value in values if math.isfinite(value)]  # halves, lest a difference overflow
    low = min(finite, default=0.0)
    scale = max(finite, default=0.0) - low or 1.0
    steps = [int((v / 2 - low) / scale * 8) if math.isfinite(v) else None for v in values]
    return "".join("x" if step is None else _SPARKS[min(step, 7)] for step in steps)


def _numbers(logs: Mapping[str, Any] | None) -> dict[str, float]:
    """Return what is a number in the logs, and the mean of several, such as a score for each class."""
    found = {name: v for name, v in dict(logs or {}).items() if isinstance(v, SupportsFloat)}
    return {name: float(v.mean() if getattr(v, "ndim", 0) else v) for name, v in found.items()}  # type: ignore[attr-defined]


def _number(value: float) -> str:
    """Write a number in few characters: four decimals where those say enough."""
    size = abs(value)
    if value == 0 or 0.01 <= size < 100:
        return f"{value:.4f}"
    if 0.001 <= size < 0.01:
        return f"{value:.4g}"
    return f"{value:.6g}" if 100 <= size < 1e6 else f"{value:.2e}"


def _count(what: str, number: int, total: int | None) -> str:
    return f"{what} {number:>{len(str(total))}}/{total}" if total else f"{what} {number}"


def _clock(seconds: float) -> str:
    """Write seconds as 0:07, 12:34 or 1:02:03."""
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes}:{seconds:02}"
