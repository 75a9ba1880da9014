"""Running a tutorial cell by cell in a terminal, its explanations between its outputs."""

import ast
import sys
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

from tinygrad_edu.errors import TinygradEduError

from .cells import Cell, read_cells
from .script import Settings, settings

__all__ = ["run_tutorial"]

WIDTH = 100  # lines of text longer than this are hard to read


def run_tutorial(
    path: Path,
    given: Settings,
    console: Any = None,
    *,
    code: bool = True,
    pause: bool = False,
    until: Callable[[dict[str, Any]], bool] | None = None,
) -> dict[str, Any]:
    """Run a tutorial's cells in one namespace, which is returned.

    Parameters
    ----------
    path : Path
    given : Settings
    console : rich.console.Console, optional
        Where explanations and code are shown; None shows only what the cells print themselves.
    code : bool
        Show the code of each cell before it runs.
    pause : bool
        Wait for Enter after each explanation.
    until : function of the namespace, optional
        Asked after each statement; where it says True, the run ends.

    Raises
    ------
    FileError
        The script's cells can't be read.
    Exception
        Whatever a cell raises. One of this package's own errors gets the tutorial's line added.
    """
    module = ModuleType(f"tutorial_{path.stem}")  # what Python needs to find classes and their source
    module.__file__ = str(path)
    with settings(given), _registered(module), _style_restored():
        for index, cell in enumerate(read_cells(path.read_text(encoding="utf-8"))):
            if console is not None:
                _show(cell, console, code)
            if cell.kind == "code":
                if _run(cell, path, module, until):
                    break
            elif console is not None and pause and index:
                console.input("[dim]Enter goes on [/]")
    return vars(module)


def _show(cell: Cell, console: Any, code: bool) -> None:
    from rich.markdown import Markdown
    from rich.syntax import Syntax
    from rich.text import Text

    if cell.kind == "markdown":
        console.print()
        console.print(Markdown(cell.text), width=min(console.width, WIDTH))
    elif code:
        text = Syntax("", "python", theme="ansi_dark", background_color="default").highlight(cell.text)
        text.rstrip()
        console.print()
        for line in text.split("\n", allow_blank=True):
            console.print(Text("    ") + line, soft_wrap=True)  # nothing cut off, however narrow the window
        console.print()


def _run(cell: Cell, path: Path, module: ModuleType, until: Callable[[dict[str, Any]], bool] | None) -> bool:
    """Run a cell's statements; tell whether one of them was the last that is wanted."""
    # Empty lines before it, so that errors and pictures name the line of the file.
    statements = ast.parse("\n" * (cell.line - 1) + cell.text).body
    try:
        for statement in statements:
            exec(compile(ast.Module([statement], []), str(path), "exec"), vars(module))
            if until is not None and until(vars(module)):
                return True
    except TinygradEduError as error:
        lines = [f.lineno for f in traceback.extract_tb(error.__traceback__) if f.filename == str(path)]
        error.args = (f"{error} (tutorial {path.stem}, line {lines[-1]})",)
        raise
    return False


@contextmanager
def _registered(module: ModuleType) -> Iterator[None]:
    sys.modules[module.__name__] = module
    try:
        yield
    finally:
        del sys.modules[module.__name__]


@contextmanager
def _style_restored() -> Iterator[None]:
    import matplotlib

    with matplotlib.rc_context():
        yield
