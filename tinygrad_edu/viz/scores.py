"""How good a classifier is: who is taken for whom, and what each threshold would give.

The numbers are scikit-learn's.
"""

from collections.abc import Iterator, Mapping, Sequence
from os import PathLike
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tinygrad_edu.data.prepare import common_length
from tinygrad_edu.errors import DataError, ShapeError, unknown_name
from tinygrad_edu.viz.figures import (
    BLUE,
    HUES,
    finish,
    new_figure,
    our_style,
    target_of,
    tinted,
)
from tinygrad_edu.viz.taking import class_labels, finite, named, numbers

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["confusion_matrix", "precision_recall_curve", "roc_curve"]

Array = NDArray[Any]
_WRITTEN = 25  # with more classes than this there is no room for numbers in the cells


def confusion_matrix(
    y_true: ArrayLike,
    y_pred: ArrayLike,
    path: str | PathLike[str] | None = None,
    *,
    class_names: Sequence[str] = (),
    normalize: str | None = None,
    threshold: float | None = None,
    title: str | None = None,
) -> "Figure":
    """Draw how many samples of each class were taken for which: C[i, j] of class i were called j.

    Right ones are blue, mistakes orange; a cell is the darker the larger its share of its row, so that a rare
    class shows its mistakes too.

    Parameters
    ----------
    y_true : N class labels, or one-hot rows (N, classes)
    y_pred : what a model gives for the same samples
        Labels, probabilities (N, classes), or those of class 1, (N,) or (N, 1).
    path : path-like, optional
        Where to write the picture; the suffix (.png, .svg, .pdf) says how.
    class_names : texts, optional
        Label k is called ``class_names[k]``; classes without a sample are drawn too then.
    normalize : "true", "pred" or "all", optional
        Write shares of the row, of the column or of all, not counts.
    threshold : float, optional
        Above it a single score means class 1: by default 0.5. Logits want 0.
    title : str, optional

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    ShapeError, DTypeError, DataError
        Data of another form, of unequal lengths, none at all, or NaN; a label without a name.
    ArgumentError, FileError
        Scores that are no probabilities, without a threshold; another suffix; a file that can't be written.

    Examples
    --------
    >>> figure = confusion_matrix([0, 0, 1], [0, 1, 1], class_names=("cat", "dog"))
    >>> [text.get_text() for text in figure.axes[0].texts]
    ['1', '1', '0', '1']
    """
    from sklearn import metrics

    caller = "confusion_matrix"
    target = target_of(caller, path)
    if normalize not in (None, "true", "pred", "all"):
        raise unknown_name("normalize", normalize, ["true", "pred", "all"])
    truth = class_labels(caller, "y_true", y_true)
    guess = class_labels(caller, "y_pred", y_pred, threshold)
    common_length(caller, {"y_true": truth, "y_pred": guess})
    if truth.dtype.kind != guess.dtype.kind:
        raise DataError(f"{caller}: y_true holds {truth[0]!r} and y_pred {guess[0]!r}; both must be labels.")
    labels = np.unique(np.concatenate([truth, guess]))
    names = [str(label) for label in labels]
    if len(class_names):
        if labels.dtype.kind == "U" or labels[0] < 0:
            raise DataError(f"{caller}: class_names go with labels 0, 1, …; got {names[0]}.")
        names = named(caller, class_names, int(labels[-1]) + 1)
        labels = np.arange(len(names))
    if len(labels) > 1:
        counts = metrics.confusion_matrix(truth, guess, labels=labels)
    else:  # scikit-learn warns of it
        counts = np.array([[len(truth)]])
    whole = {"true": counts.sum(axis=1, keepdims=True), "pred": counts.sum(axis=0), "all": counts.sum()}
    written = None if normalize is None else counts / np.maximum(whole[normalize], 1)
    with our_style():
        side = max(0.46 * len(names), 1.3) if len(names) <= _WRITTEN else 8.0
        words = 0.075 * max(map(len, names))
        figure = new_figure(max(side + words + 1.0, 3.4), max(side + 0.6 * words + 1.2, 2.6))
        panel = figure.add_subplot()
        _draw_cells(panel, counts, written)
        places = range(len(names))
        turned = words > 0.4 or len(names) > _WRITTEN
        panel.set_xticks(
            places,
            names,
            rotation=45 if turned else 0,
            horizontalalignment="right" if turned else "center",
            rotation_mode="anchor" if turned else "default",
        )
        panel.set_yticks(places, names)
        panel.tick_params(length=0)
        panel.set(xlabel="predicted", ylabel="true")
        panel.set_title(f"accuracy {np.mean(truth == guess):.3f} of {len(truth):,}", loc="right")
        return finish(figure, target, title)


def _draw_cells(panel: "Axes", counts: Array, written: Array | None) -> None:
    n = len(counts)
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    hits = np.eye(n, dtype=bool)
    # A mistake of a few in a hundred must be seen: its strength grows with the root of its share.
    strength = np.where(hits, shares, np.sqrt(shares))
    for colour, mask in ((BLUE, hits), ("#C97A00", ~hits)):
        panel.imshow(np.ma.masked_array(strength, ~mask), cmap=tinted("#FFFFFF", colour), vmin=0, vmax=1)
    panel.grid(visible=False)
    panel.set_xticks(np.arange(1, n) - 0.5, minor=True)
    panel.set_yticks(np.arange(1, n) - 0.5, minor=True)
    panel.grid(visible=True, which="minor", axis="both", color="0.85", linewidth=0.7)
    panel.tick_params(which="minor", length=0)
    panel.set_axisbelow(False)
    if n > _WRITTEN:
        return
    longest = max(len(f"{count:,}") for count in counts.ravel())
    size = 9 if written is None and longest < 5 else 7.5
    for i, j in np.ndindex(n, n):
        text = f"{counts[i, j]:,}" if written is None else f"{written[i, j]:.2f}"
        dark = strength[i, j] > 0.6 and i == j
        colour = "white" if dark else "0.1" if counts[i, j] else "0.65"
        panel.text(j, i, text, ha="center", va="center", color=colour, fontsize=size)


def roc_curve(
    y_true: ArrayLike,
    y_score: ArrayLike | Mapping[str, ArrayLike],
    path: str | PathLike[str] | None = None,
    *,
    class_names: Sequence[str] = (),
    title: str | None = None,
) -> "Figure":
    """Draw the receiver operating characteristic: what is found against false alarms, for every threshold.

    The area under it (AUC) is the probability that a sample of the class scores higher than another one;
    guessing gives the diagonal and 0.5. With several classes there is a curve for each against all others.

    Parameters
    ----------
    y_true : N labels 0 and 1, or 0, 1, … of several classes; or one-hot rows
    y_score : scores of the same samples
        Of class 1, (N,) or (N, 1), or of each class, (N, classes): probabilities or logits. A dict of them,
        by name, compares models of two classes.
    path : path-like, optional
        Where to write the picture; the suffix (.png, .svg, .pdf) says how.
    class_names : texts, optional
    title : str, optional

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    DataError
        No samples, NaN, or samples of a single class, for which there is no such curve.
    ShapeError, DTypeError
        Data of another form.
    ArgumentError, FileError
        Another suffix; a file that can't be written.

    Examples
    --------
    >>> figure = roc_curve([0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8])
    >>> figure.axes[0].get_lines()[0].get_label()
    'AUC 0.750'
    """
    from sklearn import metrics

    target = target_of("roc_curve", path)
    pairs = list(_one_against_rest("roc_curve", y_true, y_score, class_names))
    with our_style():
        figure, panel = _square(len(pairs))
        for k, (name, truth, score) in enumerate(pairs):
            false, found, _ = metrics.roc_curve(truth, score)
            label = f"{name}  AUC {metrics.auc(false, found):.3f}".strip()
            panel.plot(false, found, color=HUES[k % len(HUES)], label=label, **_form(k))
        panel.plot([0, 1], [0, 1], color="0.6", linestyle=":", linewidth=1, label="guessing")
        panel.set(xlabel="false positive rate", ylabel="true positive rate")
        _explain(figure, panel, len(pairs))
        return finish(figure, target, title)


def precision_recall_curve(
    y_true: ArrayLike,
    y_score: ArrayLike | Mapping[str, ArrayLike],
    path: str | PathLike[str] | None = None,
    *,
    class_names: Sequence[str] = (),
    title: str | None = None,
) -> "Figure":
    """Draw for every threshold how many of those called so are right, against how many were found.

    AP, the average precision, is the area under the steps. Guessing gives the class's share, the dotted line:
    where a class is rare, this tells more than the ROC.

    Parameters
    ----------
    y_true, y_score, path, class_names, title
        As for ``roc_curve``.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    DataError, ShapeError, DTypeError, ArgumentError, FileError
        As ``roc_curve``.

    Examples
    --------
    >>> figure = precision_recall_curve([0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8])
    >>> figure.axes[0].get_lines()[0].get_label()
    'AP 0.833'
    """
    from sklearn import metrics

    target = target_of("precision_recall_curve", path)
    pairs = list(_one_against_rest("precision_recall_curve", y_true, y_score, class_names))
    with our_style():
        figure, panel = _square(len(pairs))
        for k, (name, truth, score) in enumerate(pairs):
            precision, recall, _ = metrics.precision_recall_curve(truth, score)
            label = f"{name}  AP {metrics.average_precision_score(truth, score):.3f}".strip()
            colour = HUES[k % len(HUES)]
            panel.plot(recall, precision, drawstyle="steps-post", color=colour, label=label, **_form(k))
        for k, share in enumerate(dict.fromkeys(float(truth.mean()) for _, truth, _ in pairs)):
            label = "_" if k else "guessing"
            panel.axhline(share, color="0.6", linestyle=":", linewidth=1, label=label)
        panel.set(xlabel="recall", ylabel="precision")
        _explain(figure, panel, len(pairs))
        return finish(figure, target, title)


def _square(curves: int) -> tuple["Figure", "Axes"]:
    figure = new_figure(4.4, 4.9) if curves < 6 else new_figure(6.0, 4.4)
    panel = figure.add_subplot()
    panel.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.02), aspect="equal")
    panel.grid(visible=True, axis="both")
    return figure, panel


def _explain(figure: "Figure", panel: "Axes", curves: int) -> None:
    """Put the legend beside or below the panel, where it hides no curve."""
    if curves < 6:
        figure.legend(loc="outside lower center", ncols=2)
    else:
        panel.legend(loc=(1.02, 0), fontsize=8.5)


def _form(k: int) -> dict[str, Any]:
    """Return the dashes of curve k, so that colour isn't all that tells curves apart."""
    return {"linestyle": ("-", "--", "-.", (0, (1, 1)))[k % 4], "linewidth": 1.6}


def _one_against_rest(
    caller: str, y_true: Any, y_score: Any, class_names: Sequence[str]
) -> Iterator[tuple[str, Array, Array]]:
    """Yield a name, who belongs to the class, and the scores, for each curve."""
    truth = class_labels(caller, "y_true", y_true)
    present = np.unique(truth)
    if len(present) == 1:
        raise DataError(
            f"{caller}: all {len(truth)} samples are of class {present[0]}; a curve needs others to compare."
        )
    if present.dtype.kind == "U" or present[0] < 0:
        raise DataError(
            f"{caller}: y_true must be labels 0, 1, …; got {present[0]}. "
            "np.unique(y, return_inverse=True)[1] numbers any classes."
        )
    several = isinstance(y_score, Mapping)
    if several and not y_score:
        raise DataError(f"{caller}: y_score has no scores.")
    for name, value in y_score.items() if several else [("", y_score)]:
        what = f"y_score {name!r}" if several else "y_score"
        score = finite(caller, what, numbers(caller, what, value))
        common_length(caller, {"y_true": truth, "y_score": score})
        if score.ndim == 2 and score.shape[1] == 2:  # of probabilities the second says all; so do logits
            score = score[:, 1] - score[:, 0]
        score = score[:, 0] if score.ndim == 2 and score.shape[1] == 1 else score
        if score.ndim > 2:
            raise ShapeError(f"{caller}: y_score must be (N,) or (N, classes); got {score.shape}.")
        if score.ndim == 1:
            if present[-1] > 1:
                raise ShapeError(
                    f"{caller}: labels up to {present[-1]} need a score for each class, (N, classes); "
                    f"got {score.shape}."
                )
            yield str(name), truth == 1, score
            continue
        if several:
            raise ShapeError(
                f"{caller}: several models are compared on two classes; {name!r} is {score.shape}."
            )
        if present[-1] >= score.shape[1]:
            raise DataError(f"{caller}: scores of {score.shape[1]} classes, but labels up to {present[-1]}.")
        names = named(caller, class_names, score.shape[1])
        yield from ((names[k], truth == k, score[:, k]) for k in present)
