"""What all figures share: the style, a canvas of their own, and how they are written."""

from collections.abc import Iterator
from contextlib import contextmanager
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tinygrad_edu.errors import ArgumentError
from tinygrad_edu.files import writing

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = [
    "BLUE",
    "HUES",
    "MARKERS",
    "ORANGE",
    "STYLE",
    "close_up",
    "colour_bar",
    "finish",
    "new_figure",
    "our_style",
    "quiet",
    "save",
    "target_of",
    "tinted",
]

STYLE = Path(__file__).with_name("style.mplstyle")

# Ten hues for classes: the style file's, a brown, and last Okabe and Ito's yellow, which is faint on white.
HUES = (
    "#0072B2", "#E69F00", "#009E73", "#D55E00", "#CC79A7", "#56B4E9", "#000000", "#999999", "#7A4A1E",
    "#F0E442",
)  # fmt: skip
MARKERS = "osD^vP*Xph"  # and their forms, for those who see no hues
BLUE, ORANGE = HUES[:2]  # truth and prediction, negative and positive: they differ in grey too

# A file says nothing about when it was made, so that the same picture gives the same file.
_METADATA: dict[str, dict[str, None]] = {"png": {}, "svg": {"Date": None}, "pdf": {"CreationDate": None}}


@contextmanager
def our_style() -> Iterator[None]:
    """Draw by our style file on Matplotlib's defaults; the user's own settings come back after."""
    import matplotlib.style

    with matplotlib.style.context(["default", STYLE]):
        yield


def new_figure(width: float, height: float) -> "Figure":
    """Return a Figure of its own, in inches: no window, no display and no pyplot; a notebook shows it."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    from .picture import Picture

    figure = Picture(figsize=(width, height))
    FigureCanvasAgg(figure)
    return figure


def finish(figure: "Figure", target: Path | None, title: str | None) -> "Figure":
    """Put the title above all, write the figure if there is a target, and return it."""
    if title:
        figure.suptitle(title)
    return save(figure, target)


def quiet(panel: "Axes") -> "Axes":
    """Take grid and ticks from a panel that shows an image, and return it."""
    panel.grid(visible=False)
    panel.set_xticks([])
    panel.set_yticks([])
    for spine in panel.spines.values():
        spine.set_visible(False)
    return panel


def colour_bar(figure: "Figure", image: Any, panels: Any, label: str = "", **look: Any) -> None:
    """Put beside panels which colour means which value."""
    bar: Any = figure.colorbar(image, ax=panels, **{"shrink": 0.8, "aspect": 25, **look})
    bar.set_label(label)
    bar.outline.set_visible(False)


def close_up(figure: "Figure") -> "Figure":
    """Leave little room between panels, for many small images."""
    engine: Any = figure.get_layout_engine()
    engine.set(w_pad=0.04, h_pad=0.04, wspace=0.02, hspace=0.02)
    return figure


def tinted(*colours: str) -> Any:
    """Return a colour map that goes evenly through these colours."""
    from matplotlib.colors import LinearSegmentedColormap

    return LinearSegmentedColormap.from_list("tinted", colours)


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
