"""Loss and metric curves of a training as a picture: one panel a metric, training beside validation.

Drawn on a Figure of its own: no window, no display and no global state of Matplotlib is needed or changed.
"""

from collections.abc import Iterator, Mapping, Sequence
from os import PathLike
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import numpy.typing as npt

from tinygrad_edu.errors import DataError, DTypeError
from tinygrad_edu.viz.figures import new_figure, our_style, save, target_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["HistoryLike", "plot_history"]

Curves = dict[str, npt.NDArray[np.float64]]

_TRAINING, _VALIDATION, _BEST, _GAP = "training", "validation", "lowest val_loss", "NaN or infinite"
_RATE = "learning_rate"  # what callbacks that change it log it as
_MARKED = 30  # with more epochs than this, a marker at each would make a line a row of beads
_LARGEST = 1e300  # Matplotlib's margins around larger values overflow


class HistoryLike(Protocol):
    """What a training leaves behind, Keras' way."""

    history: dict[str, list[float]]  # a value an epoch; validation under "val_" + the name
    epoch: list[int]  # counted from 0


def plot_history(
    history: HistoryLike | Mapping[str, Sequence[float]],
    path: str | PathLike[str] | None = None,
    *,
    title: str | None = None,
) -> "Figure":
    """Draw how loss and metrics went, epoch by epoch.

    One panel for the loss and one for each metric; "loss" and "val_loss" share a panel. The epoch with the
    lowest "val_loss" is marked in all of them. "learning_rate", where a callback logged it, comes last, on a
    logarithmic scale. NaN and infinity leave a gap in the curve and a cross below.

    Parameters
    ----------
    history : History or mapping
        What ``fit`` returns, or its ``.history``: each name with one value an epoch.
    path : path-like, optional
        Where to write the picture; the suffix (.png, .svg, .pdf) says how.
    title : str, optional
        A line above the panels.

    Returns
    -------
    matplotlib.figure.Figure
        With one Axes a panel, for further changes; it isn't known to pyplot.

    Raises
    ------
    DataError
        There is no epoch or no curve, or the lengths differ.
    DTypeError
        ``history`` is neither of the two, or holds something that isn't a number.
    ArgumentError
        Another suffix.
    FileError
        The file can't be written; nothing of it is left behind then.

    Examples
    --------
    >>> history = {"loss": [0.9, 0.4, 0.2], "val_loss": [0.8, 0.5, 0.6], "accuracy": [0.6, 0.8, 0.9]}
    >>> figure = plot_history(history)
    >>> [panel.get_ylabel() for panel in figure.axes]
    ['loss', 'accuracy']
    """
    target = target_of("plot_history", path)
    curves, epochs = _read(history)
    with our_style():
        return save(_draw(curves, epochs, title), target)


# --- Reading ---------------------------------------------------------------------------------------------


def _read(history: HistoryLike | Mapping[str, Sequence[float]]) -> tuple[Curves, npt.NDArray[np.int64]]:
    """Return the curves, with NaN for what can't be drawn, and the epochs' numbers from 1."""
    values = history if isinstance(history, Mapping) else getattr(history, "history", None)
    if not isinstance(values, Mapping):
        raise DTypeError(
            "plot_history: expected what fit() returned, or a dict of lists such as its .history; "
            f"got {type(history).__name__}."
        )
    curves = {str(name): _curve(str(name), series) for name, series in _single(values)}
    if not curves:
        raise DataError("plot_history: the history holds no curve; train for an epoch first.")
    lengths = {name: len(curve) for name, curve in curves.items()}
    if not isinstance(history, Mapping):
        lengths["epoch"] = len(history.epoch)
    if len(set(lengths.values())) > 1:
        raise DataError(
            "plot_history: expected one value an epoch in every curve; got "
            + ", ".join(f"{name}: {length}" for name, length in lengths.items())
        )
    count = next(iter(lengths.values()))
    if count == 0:
        raise DataError("plot_history: the history holds no epoch; train for at least one.")
    epochs = np.arange(count) if isinstance(history, Mapping) else np.asarray(history.epoch, dtype=np.int64)
    return curves, epochs + 1


def _single(values: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Yield a curve for each class where a metric has a number for each: f1_score[0], f1_score[1] …"""
    for name, series in values.items():
        if isinstance(series, list) and series and getattr(series[0], "ndim", 0) == 1:
            yield from ((f"{name}[{i}]", column) for i, column in enumerate(zip(*series, strict=True)))
        else:
            yield name, series


def _curve(name: str, series: Sequence[float]) -> npt.NDArray[np.float64]:
    try:
        curve = np.array(series, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise DTypeError(
            f"plot_history: expected a list of numbers under {name!r}, got {series!r:.60}"
        ) from error
    if curve.ndim != 1:
        raise DataError(
            f"plot_history: expected a list of numbers under {name!r}, one an epoch; "
            f"got an array of shape {curve.shape}."
        )
    curve[~(np.abs(curve) <= _LARGEST)] = np.nan
    return curve


# --- Drawing ---------------------------------------------------------------------------------------------


def _draw(curves: Curves, epochs: npt.NDArray[np.int64], title: str | None) -> "Figure":
    metrics = list(dict.fromkeys(name.removeprefix("val_") for name in curves))
    metrics.sort(key=lambda name: (name != "loss", name == _RATE))  # the loss first, the others as they came
    columns = 2 if len(metrics) == 4 else min(len(metrics), 3)
    rows = -(-len(metrics) // columns)
    figure = new_figure(max(4.2 * columns, 5.2), 3.1 * rows + 0.5)

    best = _best(curves.get("val_loss"))
    handles: dict[str, Any] = {}  # one entry a legend, though every panel has the line
    for place, metric in enumerate(metrics, start=1):
        panel = figure.add_subplot(rows, columns, place)
        _draw_panel(panel, metric, curves, epochs, best)
        for handle, label in zip(*panel.get_legend_handles_labels(), strict=True):
            handles.setdefault(label, handle)
    labels = [label for label in (_TRAINING, _VALIDATION, _BEST, _GAP) if label in handles]
    figure.legend(
        [handles[label] for label in labels],
        labels,
        loc="outside lower center",
        ncols=2 if columns == 1 else 4,
    )
    if title:
        figure.suptitle(title)
    return figure


def _best(val_loss: npt.NDArray[np.float64] | None) -> int | None:
    """Return where the validation loss is lowest, or None where there is none."""
    return None if val_loss is None or np.isnan(val_loss).all() else int(np.nanargmin(val_loss))


def _draw_panel(
    panel: "Axes", metric: str, curves: Curves, epochs: npt.NDArray[np.int64], best: int | None
) -> None:
    from matplotlib.ticker import MaxNLocator

    across = panel.get_xaxis_transform()  # x is an epoch, y runs from the panel's foot (0) to its top (1)
    for label, name, colour, line, foot in (
        (_TRAINING, metric, "C0", "o-", 0.03),
        (_VALIDATION, f"val_{metric}", "C1", "s--", 0.08),
    ):
        if name not in curves:
            continue
        curve = curves[name]
        gaps = np.isnan(curve)
        panel.plot(epochs, curve, line, color=colour, markevery=_markers(gaps), label=label)
        if gaps.any():  # there is no height for such a value
            feet = np.full(gaps.sum(), foot)
            panel.plot(epochs[gaps], feet, "x", color=colour, transform=across, label=_GAP)
    if metric == _RATE and np.nanmin(curves[metric], initial=np.inf) > 0:
        panel.set_yscale("log")  # it falls by factors
    if best is not None:
        at = epochs[best]
        panel.axvline(at, color="0.45", linestyle=":", linewidth=1, zorder=1)
        panel.plot(at, 1, "*", color="0.2", markersize=9, transform=across, clip_on=False, label=_BEST)
        validation = curves.get(f"val_{metric}")
        value = "" if validation is None else f": {validation[best]:.4g}"
        panel.set_title(f"\u2605 epoch {at}{value}", loc="right")
    panel.set_ylabel(metric.replace("_", " "))
    panel.set_xlabel("epoch")
    margin = max(0.5, 0.03 * np.ptp(epochs))
    panel.set_xlim(epochs.min() - margin, epochs.max() + margin)
    # Whole numbers, and none where there is no epoch.
    ticks = MaxNLocator(nbins=8, integer=True, min_n_ticks=1).tick_values(*panel.get_xlim())
    inside = [tick for tick in ticks if epochs.min() <= tick <= epochs.max()]
    if len(inside) > 1 and inside[0] - epochs.min() >= (inside[1] - inside[0]) / 2:
        inside.insert(0, epochs.min())  # where the curves begin
    panel.set_xticks(inside)


def _markers(gaps: npt.NDArray[np.bool_]) -> list[int]:
    """Return which points get a marker: all when they are few, else those that no line would show."""
    if len(gaps) <= _MARKED:
        return list(range(len(gaps)))
    before = np.concatenate([[True], gaps[:-1]])
    after = np.concatenate([gaps[1:], [True]])
    return np.flatnonzero(before & after & ~gaps).tolist()
