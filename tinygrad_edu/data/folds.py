"""Cross-validation: which rows to train and which to test on, fold by fold, by scikit-learn's splitters."""

from collections.abc import Iterator
from typing import Any, SupportsIndex

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tinygrad_edu.data.prepare import as_count, common_length, random_state
from tinygrad_edu.errors import DataError

__all__ = ["k_fold", "leave_one_out"]

Folds = Iterator[tuple[NDArray[np.intp], NDArray[np.intp]]]


def k_fold(
    x: ArrayLike,
    n_splits: SupportsIndex = 5,
    *,
    stratify: ArrayLike | None = None,
    seed: int | None = None,
) -> Folds:
    """Iterate over the folds of a k-fold cross-validation: each row is tested on in exactly one of them.

    What learns must begin anew in each fold, scalers and resampling included: whatever has seen a test row,
    in this fold or in an earlier one, is scored on what it knows. Rows that belong together, as slices of one
    patient do, belong in one fold: for those take scikit-learn's ``GroupKFold``.

    Parameters
    ----------
    x : array of N rows
        Only its length counts.
    n_splits : int
        The number of folds, 2 to N.
    stratify : array of N class labels, optional
        Give each fold each class's share.
    seed : int, optional
        Decides the folds; None draws from the package's default generator.

    Yields
    ------
    ``(train, test)`` : arrays of row numbers, int64, in rising order

    Raises
    ------
    ArgumentError
        An n_splits or seed that can't be used.
    DataError
        Fewer rows than folds, or a class with fewer.

    Examples
    --------
    >>> y = np.array([0] * 6 + [1] * 3)
    >>> for train, test in k_fold(y, 3, stratify=y, seed=0):
    ...     print(len(train), y[test])
    6 [0 0 1]
    6 [0 0 1]
    6 [0 0 1]
    """
    from sklearn.model_selection import KFold, StratifiedKFold

    splits = as_count("k_fold", "n_splits", n_splits, least=2)
    named: dict[str, NDArray[Any]] = {"x": np.asarray(x)}
    if stratify is not None:
        named["stratify"] = np.asarray(stratify)
    rows = common_length("k_fold", named)
    if rows < splits:
        raise DataError(f"k_fold: {rows} rows can't fill {splits} folds; lower n_splits.")
    state = random_state("k_fold", seed)
    if stratify is None:
        return iter(KFold(splits, shuffle=True, random_state=state).split(np.empty(rows)))
    labels = named["stratify"]
    if labels.ndim != 1:
        raise DataError(f"k_fold: stratify needs one label a row; its shape is {labels.shape}.")
    classes, numbers, counts = np.unique(labels, return_inverse=True, return_counts=True)
    if counts.min() < splits:
        raise DataError(
            f"k_fold: class {classes[counts.argmin()]} has {counts.min()} rows, so it would be missing from "
            f"some of the {splits} folds. Lower n_splits, join rare classes or leave stratify out."
        )
    # By the classes' numbers, since scikit-learn refuses floats that aren't whole as labels.
    return iter(StratifiedKFold(splits, shuffle=True, random_state=state).split(np.empty(rows), numbers))


def leave_one_out(x: ArrayLike) -> Folds:
    """Iterate over N folds, each of which tests on a single row: for sets so small that no row can be spared.

    A score such as F1 has no meaning on one row: gather the N predictions first.

    Parameters
    ----------
    x : array of N rows, at least 2

    Yields
    ------
    ``(train, test)`` : arrays of N - 1 row numbers and of one, int64

    Raises
    ------
    DataError
        Fewer than two rows.

    Examples
    --------
    >>> [(train.tolist(), test.tolist()) for train, test in leave_one_out(np.zeros(3))]
    [([1, 2], [0]), ([0, 2], [1]), ([0, 1], [2])]
    """
    from sklearn.model_selection import LeaveOneOut

    rows = common_length("leave_one_out", {"x": np.asarray(x)})
    if rows < 2:
        raise DataError(f"leave_one_out: with {rows} rows there is nothing left to train on.")
    return iter(LeaveOneOut().split(np.empty(rows)))
