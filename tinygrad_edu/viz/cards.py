"""A data set on a page: what it is, some of its rows, and how its classes or values are spread."""

from os import PathLike
from textwrap import fill
from typing import TYPE_CHECKING, Any

import numpy as np

from tinygrad_edu.data.dataset import Dataset
from tinygrad_edu.errors import DTypeError
from tinygrad_edu.viz.figures import new_figure, our_style, save, target_of

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["data_card"]

_SHOWN = 8  # images, or columns


def data_card(dataset: Dataset, path: str | PathLike[str] | None = None) -> "Figure":
    """Draw a data set's card: its printed summary, its first rows, and the spread of its targets.

    Images are shown as they are, masks laid over them; tables by histograms of the first eight columns; texts
    are listed. All pictures are of the training part: the test part isn't to be looked at.

    Parameters
    ----------
    dataset : Dataset
    path : path-like, optional
        Where to write the picture; the suffix (.png, .svg, .pdf) says how.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    DTypeError
        Something that is no Dataset.
    ArgumentError, FileError
        Another suffix; a file that can't be written.

    Examples
    --------
    >>> from tinygrad_edu import data
    >>> data_card(data.digits()).get_suptitle()
    'digits'
    """
    target = target_of("data_card", path)
    if not isinstance(dataset, Dataset):
        raise DTypeError(
            f"data_card: expected a Dataset, such as data.digits(); got {type(dataset).__name__}."
        )
    with our_style():
        figure = new_figure(9.0, 6.2)
        figure.suptitle(dataset.name)
        lines = [fill(line, 112, subsequent_indent=" " * 11) for line in repr(dataset).split("\n")]
        text = "\n".join(lines)
        halves: Any = figure.subfigures(2, 1, height_ratios=[0.13 * (text.count("\n") + 2), 3.6])
        above, below = halves
        above.text(0.02, 0.96, text, family="monospace", fontsize=7.5, va="top")
        left, right = below.subfigures(1, 2, width_ratios=[2, 1])
        _rows(left, dataset)
        _targets(right.add_subplot(), dataset)
        return save(figure, target)


def _rows(figure: Any, dataset: Dataset) -> None:
    x, y = dataset.x_train[:_SHOWN], dataset.y_train[:_SHOWN]
    if x.dtype.kind not in "buif":
        figure.text(
            0.05,
            0.95,
            "\n".join(map(str, dataset.x_train[: 2 * _SHOWN])),
            family="monospace",
            fontsize=9,
            va="top",
        )
        return
    images = x.ndim > 2
    for place in range(len(x) if images else min(_SHOWN, dataset.x_train.shape[1])):
        panel = figure.add_subplot(2, 4, place + 1)
        if images:
            panel.imshow(x[place], cmap="gray", interpolation="nearest")
            if y.ndim > 1:
                overlay = np.zeros((*y[place].shape[:2], 4))
                overlay[y[place] != 0] = (0.92, 0.45, 0.0, 0.55)
                panel.imshow(overlay, interpolation="nearest")
            else:
                panel.set_title(dataset.class_names[y[place]] if dataset.class_names else str(y[place]))
            panel.set_axis_off()
        else:
            panel.hist(dataset.x_train[:, place].astype(np.float64), bins=25, color="C0")
            name = dataset.feature_names[place] if dataset.feature_names else f"column {place}"
            panel.set_xlabel(name if len(name) < 18 else name[:17] + "…", fontsize=8)
            panel.tick_params(labelsize=7)
            panel.locator_params(axis="both", nbins=3)


def _targets(panel: Any, dataset: Dataset) -> None:
    y = dataset.y_train
    if dataset.class_names:
        counts = np.bincount(y.reshape(-1), minlength=len(dataset.class_names))
        bars = panel.barh(list(dataset.class_names), counts, color="C1", height=0.7)
        panel.bar_label(bars, [f"{count:,}" for count in counts], padding=3, fontsize=8)
        panel.invert_yaxis()
        panel.margins(x=0.25)
        panel.grid(visible=False, axis="y")
        panel.xaxis.set_major_formatter("{x:,.0f}")
        panel.set_xlabel("pixels in training" if y.ndim > 1 else "rows in training")
    elif y.size and y.dtype.kind in "buif":
        panel.hist(y.reshape(-1).astype(np.float64), bins=30, color="C1")
        panel.set_xlabel(dataset.target_name)
        panel.set_ylabel("rows in training")
    panel.locator_params(axis="x", nbins=2 if y.ndim > 1 else 4)
