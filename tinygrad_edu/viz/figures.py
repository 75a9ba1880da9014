"""What all figures share: the style, a canvas of their own, and how they are written."""

from collections.abc import Iterator
from contextlib import contextmanager
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING

from tinygrad_edu.errors import ArgumentError
from tinygrad_edu.files import writing

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["STYLE", "new_figure", "our_style", "save", "target_of"]

STYLE = Path(__file__).with_name("style.mplstyle")

# A file says nothing about when it was made, so that the same picture gives the same file.
_METADATA: dict[str, dict[str, None]] = {"png": {}, "svg": {"Date": None}, "pdf": {"CreationDate": None}}


@contextmanager
def our_style() -> Iterator[None]:
    """Draw by our style file on Matplotlib's defaults; the user's own settings come back after."""
    import matplotlib.style

    with matplotlib.style.context(["default", STYLE]):
        yield


def new_figure(width: float, height: float) -> "Figure":
    """Return a Figure of its own, in inches: no window, no display and no pyplot."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height))
    FigureCanvasAgg(figure)
    return figure


def target_of(caller: str, path: str | PathLike[str] | None) -> Path | None:
    """Return where to write, before anything is drawn.

    Raises ArgumentError for a suffix that no picture has.
    """
    if path is None:
        return None
    target = Path(path)
    if target.suffix.lower().lstrip(".") not in _METADATA:
        raise ArgumentError(
            f"{caller}: can't tell from the suffix how to write {str(path)!r}; "
            f"expected one of .{', .'.join(_METADATA)}."
        )
    return target


def save(figure: "Figure", target: Path | None) -> "Figure":
    """Write the figure, if there is a target, and return it; call it within `our_style`."""
    if target is not None:
        kind = target.suffix.lower().lstrip(".")
        with writing(target) as file:
            figure.savefig(file, format=kind, metadata=_METADATA[kind])
    return figure
