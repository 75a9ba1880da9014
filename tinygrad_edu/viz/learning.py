"""How an estimator learned: its loss by epoch; its score by the number of rows, and by a parameter."""

from collections.abc import Sequence
from os import PathLike
from typing import TYPE_CHECKING, Any

import numpy as np

from tinygrad_edu.errors import ArgumentError, DataError
from tinygrad_edu.viz.figures import new_figure, our_style, save, target_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["plot_estimator", "plot_learning_curve", "plot_validation_curve"]

_TRAINING, _VALIDATION = ("training", "C0", "o-"), ("validation", "C1", "s--")
_MARKED = 30  # with more points than this, a marker at each would make a line a row of beads


def plot_estimator(
    estimator: Any, path: str | PathLike[str] | None = None, *, title: str | None = None
) -> "Figure":
    """Draw how the training of an estimator went: the loss by epoch, and what was measured on rows set aside.

    With ``early_stopping`` an MLPClassifier or MLPRegressor has a validation loss and a score; then both are
    drawn, and the epoch is marked whose weights were kept. A pipeline shows its last step, a search its best
    estimator, and the networks whatever ``fit`` has watched (see :func:`plot_history`).

    Parameters
    ----------
    estimator
        A fitted estimator of ``nn.estimators`` or of scikit-learn with a ``loss_curve_``.
    path : path-like, optional
        Where to write the picture; the suffix (.png, .svg, .pdf) says how.
    title : str, optional
        A line above it.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    DataError
        It isn't fitted, or keeps no losses.
    ArgumentError, FileError
        Another suffix; a file that can't be written.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from tinygrad_edu.nn.estimators import MLPClassifier
    >>> model = MLPClassifier(early_stopping=True, random_state=0).fit(*load_iris(return_X_y=True))
    >>> [panel.get_ylabel() for panel in plot_estimator(model).axes]
    ['loss', 'accuracy']
    """
    target = target_of("plot_estimator", path)
    estimator = getattr(estimator, "best_estimator_", estimator)
    if hasattr(estimator, "steps"):
        estimator = estimator.steps[-1][1]
    if getattr(estimator, "history_", None):
        from tinygrad_edu.viz.curves import plot_history

        return plot_history(estimator.history_, path, title=title)
    losses = getattr(estimator, "loss_curve_", None)
    if not losses:
        raise DataError(
            f"plot_estimator: a {type(estimator).__name__} has no loss_curve_; fit it first, if it is one "
            "of those that keep their losses"
        )
    scores = getattr(estimator, "validation_scores_", None)
    with our_style():
        figure = new_figure(8.4 if scores else 5.2, 3.6)
        panel = figure.add_subplot(1, 2 if scores else 1, 1)
        _line(panel, np.arange(len(losses)) + 1, losses, _TRAINING)
        held = getattr(estimator, "validation_loss_curve_", None)
        if held:
            _line(panel, np.arange(len(held)) + 1, held, _VALIDATION)
        _by_epoch(panel, "loss")
        if scores:
            second = figure.add_subplot(1, 2, 2)
            _line(second, np.arange(len(scores)) + 1, scores, _VALIDATION)
            _by_epoch(second, _score_name(estimator, None))
            best = int(np.nanargmax(scores)) + 1
            for each in (panel, second):
                each.axvline(best, color="0.45", linestyle=":", linewidth=1, zorder=1, label="weights kept")
            second.set_title(f"epoch {best}: {scores[best - 1]:.4g}", loc="right")
        _legend(figure)
        return _finished(figure, title, target)


def plot_learning_curve(
    estimator: Any,
    x: Any,
    y: Any,
    path: str | PathLike[str] | None = None,
    *,
    sizes: Sequence[float] = (0.1, 0.325, 0.55, 0.775, 1.0),
    cv: Any = None,
    scoring: Any = None,
    n_jobs: int | None = None,
    title: str | None = None,
) -> "Figure":
    """Draw the score by the number of rows to learn from: is it worth gathering more data?

    Two curves that have met say no; a gap between them says that more rows, or a smaller model, would help.
    The bands are one standard deviation over the folds.

    Parameters
    ----------
    estimator
        Any of scikit-learn's kind; each point trains new copies.
    x, y : arrays of N rows
    path, title
        As for :func:`plot_estimator`.
    sizes : sequence of float or int
        Shares of the largest training set, or numbers of rows.
    cv, scoring, n_jobs
        As scikit-learn's ``learning_curve``.

    Returns
    -------
    matplotlib.figure.Figure

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from tinygrad_edu.nn.estimators import MLPClassifier
    >>> model = MLPClassifier((4,), solver="lbfgs", alpha=1.0, tol=0.05, random_state=0)
    >>> figure = plot_learning_curve(model, *load_iris(return_X_y=True), sizes=[0.5, 1.0], cv=2)
    >>> figure.axes[0].get_xlabel()
    'rows to learn from'
    """
    from sklearn.model_selection import learning_curve

    target = target_of("plot_learning_curve", path)
    counts, training, validation = learning_curve(
        estimator, x, y, train_sizes=np.asarray(sizes), cv=cv, scoring=scoring, n_jobs=n_jobs, shuffle=True,
        random_state=0,
    )  # fmt: skip
    with our_style():
        figure = new_figure(5.2, 3.8)
        panel = figure.add_subplot()
        for scores, look in ((training, _TRAINING), (validation, _VALIDATION)):
            _band(panel, counts, scores, look)
        panel.set(xlabel="rows to learn from", ylabel=_score_name(estimator, scoring))
        _legend(figure)
        return _finished(figure, title, target)


def plot_validation_curve(
    estimator: Any,
    x: Any,
    y: Any,
    parameter: str,
    values: Sequence[Any],
    path: str | PathLike[str] | None = None,
    *,
    cv: Any = None,
    scoring: Any = None,
    n_jobs: int | None = None,
    title: str | None = None,
) -> "Figure":
    """Draw the score by one parameter: where does the model begin to learn its rows by heart?

    To the left of the best value both curves are low, beyond it they part. The best mean is marked.

    Parameters
    ----------
    estimator
        Any of scikit-learn's kind; each point trains new copies.
    x, y : arrays of N rows
    parameter : str
        Its name, as for ``set_params``: "alpha", or "mlpclassifier__alpha" in a pipeline.
    values : sequence
        What it is to be; positive numbers that span more than a factor of 50 get a logarithmic axis.
    path, title
        As for :func:`plot_estimator`.
    cv, scoring, n_jobs
        As scikit-learn's ``validation_curve``.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    ArgumentError
        No values.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from tinygrad_edu.nn.estimators import MLPClassifier
    >>> model = MLPClassifier((4,), solver="lbfgs", tol=0.05, random_state=0)
    >>> figure = plot_validation_curve(model, *load_iris(return_X_y=True), "alpha", [1.0, 100.0], cv=2)
    >>> figure.axes[0].get_xlabel(), figure.axes[0].get_xscale()
    ('alpha', 'log')
    """
    from sklearn.model_selection import validation_curve

    target = target_of("plot_validation_curve", path)
    values = list(values)
    if not values:
        raise ArgumentError(f"plot_validation_curve: there are no values of {parameter} to try")
    training, validation = validation_curve(
        estimator, x, y, param_name=parameter, param_range=values, cv=cv, scoring=scoring, n_jobs=n_jobs
    )
    numbers = all(isinstance(v, int | float | np.number) and not isinstance(v, bool) for v in values)
    places = np.asarray(values, float) if numbers else np.arange(len(values))
    with our_style():
        figure = new_figure(5.2, 3.8)
        panel = figure.add_subplot()
        for scores, look in ((training, _TRAINING), (validation, _VALIDATION)):
            _band(panel, places, scores, look)
        if not numbers:
            panel.set_xticks(places, [str(v) for v in values])
        elif places.min() > 0 and places.max() / places.min() > 50:
            panel.set_xscale("log")
        best = int(np.argmax(validation.mean(axis=1)))
        panel.axvline(places[best], color="0.45", linestyle=":", linewidth=1, zorder=1, label="best")
        panel.set_title(f"{values[best]}: {validation[best].mean():.4g}", loc="right")
        name = parameter.rpartition("__")[2].replace("_", " ")
        panel.set(xlabel=name, ylabel=_score_name(estimator, scoring))
        _legend(figure)
        return _finished(figure, title, target)


def _line(panel: "Axes", x: Any, y: Any, look: tuple[str, str, str]) -> None:
    label, colour, style = look
    panel.plot(x, y, style if len(y) <= _MARKED else style[1:], color=colour, label=label)


def _band(panel: "Axes", x: Any, scores: Any, look: tuple[str, str, str]) -> None:
    """Draw the mean over the folds, and one standard deviation on both sides of it."""
    middle, spread = scores.mean(axis=1), scores.std(axis=1)
    order = np.argsort(x)
    _line(panel, x[order], middle[order], look)
    low, high = (middle - spread)[order], (middle + spread)[order]
    panel.fill_between(x[order], low, high, color=look[1], alpha=0.15, linewidth=0)


def _by_epoch(panel: "Axes", name: str) -> None:
    from matplotlib.ticker import MaxNLocator

    panel.set(xlabel="epoch", ylabel=name)
    panel.xaxis.set_major_locator(MaxNLocator(nbins=8, integer=True))


def _score_name(estimator: Any, scoring: Any) -> str:
    from sklearn.base import is_classifier

    if isinstance(scoring, str):
        return scoring.replace("_", " ")
    return "score" if scoring is not None else "accuracy" if is_classifier(estimator) else "R²"


def _legend(figure: "Figure") -> None:
    found: dict[str, Any] = {}
    for panel in figure.axes:
        for handle, label in zip(*panel.get_legend_handles_labels(), strict=True):
            found.setdefault(label, handle)
    figure.legend(list(found.values()), list(found), loc="outside lower center", ncols=len(found))


def _finished(figure: "Figure", title: str | None, target: Any) -> "Figure":
    if title:
        figure.suptitle(title)
    return save(figure, target)
