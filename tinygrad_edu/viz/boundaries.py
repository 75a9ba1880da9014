"""Where a classifier of two features changes its mind, and points of three features in space."""

from collections.abc import Sequence
from os import PathLike
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tinygrad_edu.data.prepare import as_count, common_length
from tinygrad_edu.errors import DataError, ShapeError
from tinygrad_edu.viz.figures import (
    BLUE,
    HUES,
    MARKERS,
    ORANGE,
    colour_bar,
    finish,
    new_figure,
    our_style,
    target_of,
    tinted,
)
from tinygrad_edu.viz.taking import class_labels, finite, named, numbers, one_output, threshold_of

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["decision_boundary", "draw_points", "scatter_3d"]

Array = NDArray[Any]


def decision_boundary(
    model: Any,
    x: ArrayLike,
    y: ArrayLike | None = None,
    path: str | PathLike[str] | None = None,
    *,
    class_names: Sequence[str] = (),
    feature_names: Sequence[str] = ("x1", "x2"),
    threshold: float | None = None,
    resolution: int = 200,
    title: str | None = None,
) -> "Figure":
    """Draw which class a model gives to each point of the plane, how sure it is, and the data.

    With two classes the colour is the probability of class 1, and the line is where it passes the threshold.
    With more, each region has its class's colour, the stronger the higher the probability.

    Parameters
    ----------
    model : model
        One of ours, an estimator of scikit-learn's, or a function from (n, 2) to labels (n,), scores of
        class 1 (n,) or (n, 1), or scores of each class (n, classes).
    x : array (N, 2)
        The points; the picture ends a little beyond them.
    y : N class labels 0, 1, …, or one-hot rows, optional
        The points' colours and markers, and what the accuracy above is counted by.
    path : path-like, optional
        Where to write the picture; the suffix (.png, .svg, .pdf) says how.
    class_names, feature_names : texts, optional
        Label k is called ``class_names[k]``, by default as in an estimator's ``classes_``; the axes are
        called after the features.
    threshold : float, optional
        Above it a single score means class 1: by default 0.5. Logits want 0.
    resolution : int
        Points along each axis at which the model is asked.
    title : str, optional
        A line above all.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    ShapeError, DTypeError, DataError
        Data of another form, none at all, NaN or infinite values; a model that gives something else.
    ArgumentError
        Scores that are no probabilities, without a threshold; another suffix.
    FileError
        The file can't be written.

    Examples
    --------
    >>> figure = decision_boundary(lambda x: x[:, 0] > 0, [[-1.0, 0.0], [1.0, 2.0]], [0, 1])
    >>> figure.axes[0].get_title(loc="right")
    'accuracy 1.000'
    """
    caller = "decision_boundary"
    target = target_of(caller, path)
    points = _points(caller, x, 2)
    as_count(caller, "resolution", resolution, least=2)
    labels = None if y is None else class_labels(caller, "y", y)
    if labels is not None:
        common_length(caller, {"x": points, "y": labels})
        if hasattr(model, "classes_"):  # an estimator's classes have any names; here they are numbered
            labels = np.searchsorted(model.classes_, labels)
        labels = _whole(caller, labels)
    sides = [np.linspace(*_limits(column), resolution) for column in points.T]
    across, up = np.meshgrid(*sides)
    grid = np.stack([across.ravel(), up.ravel()], axis=1).astype(points.dtype)
    guessed = _Guess(caller, model, one_output(caller, model, np.concatenate([grid, points])), threshold)
    classes = guessed.classes[: len(grid)].reshape(resolution, resolution)
    count = 1 + max(int(guessed.classes.max()), 1, 0 if labels is None else int(labels.max()))
    names = named(caller, class_names if len(class_names) else guessed.names, count)
    with our_style():
        from matplotlib.colors import ListedColormap, TwoSlopeNorm

        figure = new_figure(5.6, 4.6)
        panel = figure.add_subplot()
        panel.grid(visible=False)
        extent = (sides[0][0], sides[0][-1], sides[1][0], sides[1][-1])
        shown: dict[str, Any] = {"extent": extent, "origin": "lower", "aspect": "auto", "zorder": 0}
        strength = guessed.strength[: len(grid)].reshape(resolution, resolution)
        if guessed.binary:
            centre = guessed.threshold
            low, high = (0.0, 1.0) if guessed.probable else (strength.min(), strength.max())
            norm = TwoSlopeNorm(centre, min(low, centre - 1e-9), max(high, centre + 1e-9))
            colours = tinted(BLUE, "#FFFFFF", ORANGE)
            image = panel.imshow(strength, cmap=colours, norm=norm, alpha=0.6, **shown)
            kind = "probability" if guessed.probable else "score"
            colour_bar(figure, image, panel, f"{kind} of {names[1]}")
            if strength.min() < centre < strength.max():
                panel.contour(*sides, strength, [centre], colors="0.15", linewidths=1.4, zorder=1)
        else:
            hues = ListedColormap([HUES[k % len(HUES)] for k in range(count)])
            panel.imshow(
                classes, cmap=hues, vmin=-0.5, vmax=count - 0.5, alpha=0.1 + 0.45 * strength,
                interpolation="nearest", **shown,
            )  # fmt: skip
            for k in range(count):
                if 0 < (classes == k).sum() < classes.size:
                    lead = guessed.lead(k)[: len(grid)].reshape(resolution, resolution)
                    panel.contour(*sides, lead, [0.0], colors="0.15", linewidths=0.9, zorder=1)
        draw_points(panel, points, labels, names)
        panel.set(xlim=extent[:2], ylim=extent[2:], xlabel=feature_names[0], ylabel=feature_names[1])
        if labels is not None:
            figure.legend(loc="outside lower center", ncols=min(count, 6), handlelength=1, markerscale=1.3)
            right = np.mean(guessed.classes[len(grid) :] == labels)
            panel.set_title(f"accuracy {right:.3f}", loc="right")
        return finish(figure, target, title)


class _Guess:
    """What a model gave for some points: the class of each, and how sure it is, or the score of class 1."""

    def __init__(self, caller: str, model: Any, given: Array, threshold: float | None) -> None:
        self.names = [str(name) for name in getattr(model, "classes_", ())]
        if given.ndim == 2 and given.shape[1] == 1:
            given = given[:, 0]
        if self.names and given.ndim == 1:  # an estimator that gives its own labels
            given = np.searchsorted(model.classes_, given)
        if given.ndim not in (1, 2):
            raise ShapeError(
                f"{caller}: the model must give (n,) or (n, classes) for (n, 2); it gave {given.shape}. One "
                "without Flatten, or a regression of several numbers, is no classifier."
            )
        self.binary = self.probable = False
        self.scores: Array | None = None
        self.threshold = 0.5
        if given.dtype.kind in "bui":
            self.classes = given.astype(np.int64)
            self.strength: Array = np.full(len(given), 0.7)
            return
        finite(caller, "what the model gave", given)
        between = given.min() >= 0 and given.max() <= 1
        if given.ndim == 2 and given.shape[1] > 2:
            self.classes, self.scores = given.argmax(axis=1), given
            certain = between and np.allclose(given.sum(axis=1), 1, atol=1e-3)
            self.strength = given.max(axis=1) if certain else np.full(len(given), 0.7)
            return
        self.binary = True
        if given.ndim == 2:  # of two probabilities the second says all, of two logits their difference
            self.probable = bool(between and np.allclose(given.sum(axis=1), 1, atol=1e-3))
            self.classes = given.argmax(axis=1)
            self.strength = given[:, 1] if self.probable else given[:, 1] - given[:, 0]
            self.threshold = 0.5 if self.probable else 0.0
        else:
            self.probable = bool(between)
            self.strength, self.threshold = given, threshold_of(caller, given, threshold)
            self.classes = (given > self.threshold).astype(np.int64)

    def lead(self, k: int) -> Array:
        """Return by how much class k is ahead of the best other; it passes 0 where the class changes."""
        if self.scores is None or k >= self.scores.shape[1]:
            return np.where(self.classes == k, 0.5, -0.5)
        others = np.delete(self.scores, k, axis=1).max(axis=1)
        return np.asarray(self.scores[:, k] - others, np.float64)


def scatter_3d(
    x: ArrayLike,
    y: ArrayLike | None = None,
    path: str | PathLike[str] | None = None,
    *,
    class_names: Sequence[str] = (),
    feature_names: Sequence[str] = ("x1", "x2", "x3"),
    elevation: float = 22.0,
    azimuth: float = -55.0,
    title: str | None = None,
) -> "Figure":
    """Draw points of three features in space.

    Parameters
    ----------
    x : array (N, 3)
    y : N class labels 0, 1, …, or one-hot rows, optional
        The points' colours and markers.
    path : path-like, optional
        Where to write the picture; the suffix (.png, .svg, .pdf) says how.
    class_names, feature_names : texts, optional
    elevation, azimuth : float
        Where it is looked at from, in degrees.
    title : str, optional

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    ShapeError, DTypeError, DataError
        Data of another form, none at all, NaN or infinite values.
    ArgumentError, FileError
        Another suffix; a file that can't be written.

    Examples
    --------
    >>> from tinygrad_edu import data
    >>> blobs = data.blobs(60, n_features=3, centers=2)
    >>> scatter_3d(blobs.x, blobs.y).axes[0].get_zlabel()
    'x3'
    """
    caller = "scatter_3d"
    target = target_of(caller, path)
    points = _points(caller, x, 3)
    labels = None if y is None else _whole(caller, class_labels(caller, "y", y))
    if labels is not None:
        common_length(caller, {"x": points, "y": labels})
    names = named(caller, class_names, 1 if labels is None else int(labels.max()) + 1)
    with our_style():
        figure = new_figure(5.6, 4.8)
        panel: Any = figure.add_subplot(projection="3d")
        panel.view_init(elevation, azimuth)
        for side in (panel.xaxis, panel.yaxis, panel.zaxis):
            side.set_pane_color((0.97, 0.97, 0.97, 1.0))
        panel.locator_params(nbins=5)
        draw_points(panel, points, labels, names)
        panel.set(xlabel=feature_names[0], ylabel=feature_names[1], zlabel=feature_names[2])
        panel.set_box_aspect((1, 1, 0.85), zoom=1.12)
        if labels is not None:
            figure.legend(
                loc="outside lower center", ncols=min(len(names), 6), handlelength=1, markerscale=1.3
            )
        return finish(figure, target, title)


def draw_points(panel: Any, points: Array, labels: Array | None, names: Sequence[str]) -> None:
    """Draw points with a colour and a marker for each class that has any."""
    size = float(np.clip(9000 / len(points), 7, 30))
    ring: dict[str, Any] = {"edgecolor": "white", "linewidth": 0.5 if size > 8 else 0.2}
    if labels is None:
        panel.scatter(*points.T, s=size, color="0.25", **ring)
        return
    for k in np.unique(labels):
        panel.scatter(
            *points[labels == k].T, s=size, color=HUES[k % len(HUES)], marker=MARKERS[k % len(MARKERS)],
            label=names[k], **ring,
        )  # fmt: skip


def _points(caller: str, x: Any, features: int) -> Array:
    points = numbers(caller, "x", x)
    if points.ndim != 2 or points.shape[1] != features:
        raise ShapeError(
            f"{caller}: x must be (N, {features}), a point a row; got {points.shape}. "
            f"Choose {features} features first, or a model of {features}."
        )
    points = finite(caller, "x", points)
    return points if points.dtype.kind == "f" else points.astype(np.float64)


def _whole(caller: str, labels: Array) -> Array:
    if labels.dtype.kind not in "iu" or labels.min() < 0:
        raise DataError(
            f"{caller}: y must be class labels 0, 1, …; got {labels.ravel()[:3]}. "
            "np.unique(y, return_inverse=True)[1] numbers any classes."
        )
    return labels


def _limits(column: Array) -> tuple[float, float]:
    margin = 0.08 * float(np.ptp(column)) or 1.0
    return float(column.min()) - margin, float(column.max()) + margin
