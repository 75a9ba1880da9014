"""How data is spread: rows of each class, and the values of each column."""

from collections.abc import Sequence
from os import PathLike
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tinygrad_edu.errors import DataError, DTypeError, ShapeError
from tinygrad_edu.viz.figures import new_figure, our_style, save, target_of

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["class_balance", "histograms"]

_MOST = 20  # columns that a page can show


def class_balance(
    y: ArrayLike,
    path: str | PathLike[str] | None = None,
    *,
    class_names: Sequence[str] = (),
    title: str | None = None,
) -> "Figure":
    """Draw a bar for each class, as long as it has rows, with number and share.

    Parameters
    ----------
    y : array of N class labels, shape (N,) or (N, 1)
    path : path-like, optional
        Where to write the picture; the suffix (.png, .svg, .pdf) says how.
    class_names : texts, optional
        Label k means ``class_names[k]``; classes without a row are drawn too then.
    title : str, optional

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    ShapeError, DataError
        Not one label a row, none at all, or a label without a name.
    ArgumentError, FileError
        Another suffix; a file that can't be written.

    Examples
    --------
    >>> figure = class_balance([0, 0, 1], class_names=("ALL", "AML"))
    >>> [text.get_text() for text in figure.axes[0].get_yticklabels()]
    ['ALL', 'AML']
    """
    target = target_of("class_balance", path)
    labels = np.asarray(y)
    if labels.ndim == 0 or labels.shape[1:] not in ((), (1,)):
        raise ShapeError(f"class_balance: y must be (N,) or (N, 1), one label a row; got {labels.shape}.")
    if not labels.size:
        raise DataError("class_balance: there are no labels.")
    classes, counts = np.unique(labels, return_counts=True)
    names = [str(label) for label in classes]
    if class_names:
        if labels.dtype.kind not in "iu" or classes[0] < 0 or classes[-1] >= len(class_names):
            raise DataError(
                f"class_balance: {len(class_names)} class names, but labels {names[0]} to {names[-1]}."
            )
        counts = np.bincount(labels.reshape(-1), minlength=len(class_names))
        names = [str(name) for name in class_names]
    with our_style():
        figure = new_figure(5.2, 0.32 * len(names) + 0.9)
        panel = figure.add_subplot()
        bars = panel.barh(names, counts, color="C0", height=0.7)
        texts = [f"{count:,}  ({count / labels.size:.1%})" for count in counts]
        panel.bar_label(bars, texts, padding=4, color="0.2", fontsize=9)
        panel.invert_yaxis()
        panel.margins(x=0.22)
        panel.set_xlabel("rows")
        panel.grid(axis="x")
        panel.grid(visible=False, axis="y")
        if title:
            figure.suptitle(title)
        return save(figure, target)


def histograms(
    x: ArrayLike,
    path: str | PathLike[str] | None = None,
    *,
    feature_names: Sequence[str] = (),
    bins: int = 30,
    title: str | None = None,
) -> "Figure":
    """Draw how often each value occurs, a panel for each column.

    Parameters
    ----------
    x : array (N,) or (N, columns), of at most 20 columns; or images, whose pixels are one column
    path : path-like, optional
        Where to write the picture; the suffix (.png, .svg, .pdf) says how.
    feature_names : texts, optional
        One for each column.
    bins : int
    title : str, optional

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    DataError
        No values, NaN or infinite ones, too many columns, or names that are more or fewer.
    DTypeError
        Values that aren't numbers.
    ArgumentError, FileError
        Another suffix; a file that can't be written.

    Examples
    --------
    >>> from tinygrad_edu import data
    >>> iris = data.iris()
    >>> figure = histograms(iris.x, feature_names=iris.feature_names)
    >>> len(figure.axes)
    4
    """
    target = target_of("histograms", path)
    table = np.asarray(x)
    if table.dtype.kind not in "buif":
        raise DTypeError(f"histograms: x must hold numbers; its dtype is {table.dtype}.")
    columns: NDArray[Any] = (table if table.ndim == 2 else table.reshape(-1, 1)).T
    if not table.size or not np.isfinite(table).all():
        raise DataError("histograms: x must hold values, and none that is NaN or infinite.")
    if len(columns) > _MOST:
        raise DataError(f"histograms: {len(columns)} columns are too many for a page; choose up to {_MOST}.")
    if feature_names and len(feature_names) != len(columns):
        raise DataError(f"histograms: {len(columns)} columns but {len(feature_names)} names.")
    with our_style():
        across = min(len(columns), 4)
        down = -(-len(columns) // across)
        figure = new_figure(max(2.5 * across, 4.5), 1.9 * down + 0.4)
        for place, column in enumerate(columns):
            panel = figure.add_subplot(down, across, place + 1)
            panel.hist(column.astype(np.float64), bins=bins, color="C0")
            panel.set_xlabel(feature_names[place] if feature_names else "value")
            panel.locator_params(axis="both", nbins=5)
            if place % across == 0:
                panel.set_ylabel("pixels" if table.ndim > 2 else "rows")
        if title:
            figure.suptitle(title)
        return save(figure, target)
