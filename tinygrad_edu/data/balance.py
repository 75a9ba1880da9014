"""Classes of unequal size: what a class weighs, and rows drawn until all classes have the same number.

Resample the training part alone, after the split. Before it, copies of one row (or SMOTE's mixtures of two)
end up on both sides, and the test asks what was learned by heart. And a balanced test part no longer tells
how the model does on the world's own shares.
"""

from collections.abc import Callable
from typing import Any, SupportsIndex

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tinygrad_edu.data.prepare import as_count, common_length, generator_of, random_state
from tinygrad_edu.errors import ArgumentError, DataError, DTypeError, ShapeError

__all__ = ["class_weights", "downsample", "smote", "upsample"]


def class_weights(y: ArrayLike) -> dict[Any, float]:
    """Return what a sample of each class weighs if all classes shall count the same in the loss.

    weight(c) = N / (K · N_c) for K classes: scikit-learn's "balanced". The weights' mean over the samples is
    1, so the learning rate keeps its meaning. Unlike resampling, nothing is doubled and nothing thrown away.

    Parameters
    ----------
    y : array of N class labels, shape (N,) or (N, 1)

    Returns
    -------
    dict
        From class to weight, as ``fit(class_weight=…)`` takes it.

    Raises
    ------
    DataError
        No labels.
    ShapeError
        Not one label a row.

    Examples
    --------
    >>> class_weights([0, 0, 0, 1])
    {0: 0.666, 1: 2.0}
    """
    from sklearn.utils.class_weight import compute_class_weight

    labels = _labels("class_weights", np.asarray(y))
    classes = np.unique(labels)
    weights = compute_class_weight("balanced", classes=classes, y=labels)
    return dict(zip(classes.tolist(), weights.tolist(), strict=True))


def upsample(x: ArrayLike, y: ArrayLike, *, seed: int | None = None) -> tuple[NDArray[Any], NDArray[Any]]:
    """Repeat rows at random until each class has as many as the largest one.

    Every row stays at least once, and none is repeated twice more often than another of its class.

    Parameters
    ----------
    x : array of N rows, any shape
    y : array of N class labels, shape (N,) or (N, 1)
    seed : int, optional
        None draws from the package's default generator.

    Returns
    -------
    x, y : arrays of K · max(N_c) rows, in random order, dtypes as they came

    Raises
    ------
    DataError
        Unequal lengths, or no rows.
    ShapeError
        Not one label a row.
    ArgumentError
        A seed that can't be used.

    Examples
    --------
    >>> x, y = upsample(np.arange(5), [0, 0, 0, 0, 1], seed=0)
    >>> np.bincount(y).tolist(), sorted(x.tolist())
    ([4, 4], [0, 1, 2, 3, 4, 4, 4, 4])
    """

    def draw(rows: NDArray[np.intp], counts: NDArray[np.intp], rng: np.random.Generator) -> NDArray[np.intp]:
        whole, rest = divmod(int(counts.max()), len(rows))
        return np.concatenate([np.tile(rows, whole), rng.choice(rows, rest, replace=False)])

    return _resample("upsample", x, y, seed, draw)


def downsample(x: ArrayLike, y: ArrayLike, *, seed: int | None = None) -> tuple[NDArray[Any], NDArray[Any]]:
    """Drop rows at random until each class has as few as the smallest one.

    Parameters
    ----------
    x : array of N rows, any shape
    y : array of N class labels, shape (N,) or (N, 1)
    seed : int, optional
        None draws from the package's default generator.

    Returns
    -------
    x, y : arrays of K · min(N_c) rows, in random order, dtypes as they came

    Raises
    ------
    DataError, ShapeError, ArgumentError
        As in `upsample`.

    Examples
    --------
    >>> x, y = downsample(np.arange(5), [0, 0, 0, 1, 1], seed=0)
    >>> np.bincount(y).tolist()
    [2, 2]
    """

    def draw(rows: NDArray[np.intp], counts: NDArray[np.intp], rng: np.random.Generator) -> NDArray[np.intp]:
        return rng.choice(rows, int(counts.min()), replace=False)

    return _resample("downsample", x, y, seed, draw)


def smote(
    x: ArrayLike, y: ArrayLike, *, k_neighbors: SupportsIndex = 5, seed: int | None = None
) -> tuple[NDArray[Any], NDArray[Any]]:
    """Invent rows until each class has as many as the largest: SMOTE, by imbalanced-learn.

    A new row lies on the line between a row and one of its k nearest neighbours of the same class:
    x + u · (neighbour - x), u uniform in 0…1. So columns should be on a common scale, and a column of classes
    gets values between them.

    Parameters
    ----------
    x : array (N, columns) of numbers
    y : array of N class labels, shape (N,) or (N, 1)
    k_neighbors : int
        At least 1; the smallest class needs more rows than that.
    seed : int, optional
        None draws from the package's default generator.

    Returns
    -------
    x, y : arrays of K · max(N_c) rows: first those that came, then the new ones

    Raises
    ------
    ArgumentError
        imbalanced-learn isn't installed, or a k_neighbors or seed out of range.
    DataError
        Unequal lengths, no rows, NaN or infinite values, a single class, or one with too few rows.
    ShapeError, DTypeError
        x that isn't a table of numbers, labels that aren't one a row.

    References
    ----------
    N. V. Chawla et al., SMOTE: Synthetic Minority Over-sampling Technique, JAIR 16, 2002, 321-357.
    """
    table, labels, counts = _rows_of_classes("smote", x, y)
    neighbours = as_count("smote", "k_neighbors", k_neighbors, least=1)
    if table.ndim != 2:
        raise ShapeError(
            f"smote: x must be (rows, columns), since it mixes rows; its shape is {table.shape}."
        )
    if table.dtype.kind not in "biuf":
        raise DTypeError(f"smote: x must hold numbers; its dtype is {table.dtype}.")
    if not np.isfinite(table).all():
        raise DataError("smote: x has NaN or infinite values; drop or fill such rows first.")
    if len(counts) < 2:
        raise DataError("smote: all labels are of one class; there is nothing to balance.")
    short = counts[(counts < counts.max()) & (counts <= neighbours)]
    if short.size:
        raise DataError(
            f"smote: a class has {short.min()} rows, so its rows don't have {neighbours} neighbours in it; "
            "lower k_neighbors, or use upsample, which only repeats."
        )
    try:
        from imblearn.over_sampling import SMOTE
    except ImportError:
        raise ArgumentError("smote: needs imbalanced-learn; pip install 'tinygrad_edu[balance]'") from None
    sampler = SMOTE(k_neighbors=neighbours, random_state=random_state("smote", seed))
    grown, grown_labels = sampler.fit_resample(table, labels.reshape(-1))
    return grown, grown_labels.reshape(-1, *labels.shape[1:])


def _resample(
    caller: str, x: ArrayLike, y: ArrayLike, seed: int | None, draw: Callable[..., NDArray[np.intp]]
) -> tuple[NDArray[Any], NDArray[Any]]:
    """Draw rows of each class, and mix the classes."""
    array, labels, counts = _rows_of_classes(caller, x, y)
    rng = generator_of(caller, seed)
    numbers = np.unique(labels, return_inverse=True)[1].reshape(-1)
    drawn = [draw(np.flatnonzero(numbers == number), counts, rng) for number in range(len(counts))]
    order = rng.permutation(np.concatenate(drawn))
    return array[order], labels[order]


def _rows_of_classes(
    caller: str, x: ArrayLike, y: ArrayLike
) -> tuple[NDArray[Any], NDArray[Any], NDArray[np.intp]]:
    """Return x and y as arrays, checked, and the number of rows of each class."""
    array, labels = np.asarray(x), np.asarray(y)
    common_length(caller, {"x": array, "y": labels})
    return array, labels, np.unique(_labels(caller, labels), return_counts=True)[1]


def _labels(caller: str, labels: NDArray[Any]) -> NDArray[Any]:
    """Return the labels as (N,)."""
    if labels.ndim == 0 or labels.ndim > 2 or labels.shape[1:] not in ((), (1,)):
        raise ShapeError(
            f"{caller}: y must hold one class label a row, (N,) or (N, 1); its shape is {labels.shape}. "
            "One-hot labels become numbers by y.argmax(axis=1)."
        )
    if not labels.size:
        raise DataError(f"{caller}: there are no labels.")
    return labels.reshape(-1)
