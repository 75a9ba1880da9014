"""Where a training is shown: a terminal or a notebook's cell, drawn anew; or a log, line by line."""

import atexit
import sys
from collections.abc import Callable
from contextlib import ExitStack, redirect_stderr, redirect_stdout
from typing import TYPE_CHECKING, Any, TextIO, cast

if TYPE_CHECKING:
    from rich.console import Console as RichConsole

    from .console_frame import Frame

__all__ = ["Log", "Notebook", "Screen", "Terminal", "screen_for"]

_NOTEBOOK = 84  # columns of a notebook's cell that are surely there


class Screen:
    """Something to show frames on; ``frame`` makes one for so many columns and rows."""

    live = True  # frames can be drawn anew; otherwise there are only lines
    period = 0.0  # the least seconds between two frames

    def open(self, frame: "Callable[[int, int], Frame]") -> None:
        self.frame = frame

    def draw(self) -> None: ...

    def write(self, line: str) -> None: ...

    def close(self) -> None: ...


class Log(Screen):
    """A pipe, a file, ``TERM=dumb``, the log of a CI: lines without control codes, each at once."""

    live = False
    period = 60.0

    def __init__(self, console: "RichConsole") -> None:
        self.file = console.file
        encoding = getattr(self.file, "encoding", None) or "utf-8"
        self._encoding = "utf-8" if encoding.lower().startswith("utf") else "ascii"

    def write(self, line: str) -> None:
        if self._encoding == "ascii":
            line = line.replace("★", "*").encode("ascii", "replace").decode()
        self.file.write(f"{line}\n")  # without Rich, which would take longer than a small network's epoch
        self.file.flush()


class Terminal(Screen):
    """A terminal: frames are drawn over one another, and what else is printed goes above them."""

    def __init__(self, console: "RichConsole") -> None:
        self.console = console
        self._undo = ExitStack()  # gives back what the display took: the cursor and the streams

    def open(self, frame: "Callable[[int, int], Frame]") -> None:
        from rich.file_proxy import FileProxy
        from rich.live import Live

        super().open(frame)
        # Rich's own redirection can print into the midst of a drawing, and takes streams that are files too.
        self.display = display = Live(
            console=self.console,
            get_renderable=lambda: frame(*self.console.size),
            auto_refresh=False,
            redirect_stdout=False,
            redirect_stderr=False,
        )

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

    def draw(self) -> None:
        self.display.refresh()

    def close(self) -> None:
        self._undo.close()


class Notebook(Screen):
    """The output of a notebook's cell, which is replaced; the last frame stays in the file."""

    period = 0.5

    def __init__(self) -> None:
        self._handle: Any = None

    def _bundle(self) -> dict[str, str]:
        frame = self.frame(_NOTEBOOK, 100)
        return {"text/plain": str(frame), "text/html": frame.html()}

    def open(self, frame: "Callable[[int, int], Frame]") -> None:
        from IPython.display import display  # type: ignore[import-not-found, unused-ignore]

        super().open(frame)
        self._handle = display(self._bundle(), raw=True, display_id=True)

    def draw(self) -> None:
        if self._handle is not None:
            self._handle.update(self._bundle(), raw=True)

    def close(self) -> None:
        self.draw()
        self._handle = None


def screen_for(console: "RichConsole", given: bool, live: bool) -> Screen:
    """Choose by what the console writes to; ``given`` by the user, it is taken at its word."""
    if live and console.is_jupyter:
        return Notebook()
    encoding = (getattr(console.file, "encoding", None) or "utf-8").lower()
    # FORCE_COLOR makes Rich take a log for a terminal: colours would do there, a moving cursor wouldn't.
    terminal = console.is_terminal and (given or console.file.isatty())
    if live and terminal and console.is_interactive and encoding.startswith("utf"):
        return Terminal(console)
    return Log(console)
