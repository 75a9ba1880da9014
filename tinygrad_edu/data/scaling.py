"""Columns on a common scale, by scikit-learn's scalers, with the statistics of the training part alone.

Scaling a whole set before it is split is the commonest leak: mean and spread then tell the training what the
test rows are like, and the score is too good. So these functions take the parts after the split.
"""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tinygrad_edu.errors import ArgumentError, DataError, DTypeError, ShapeError

__all__ = ["min_max_scale", "standardize"]


def standardize(train: ArrayLike, *others: ArrayLike) -> list[Any]:
    """Shift and stretch each column to mean 0 and variance 1 in the training part: z = (x - mean) / std.

    The other parts (validation, test) are changed by the same numbers, as all later data must be: keep the
    scaler. A column that is constant in training becomes 0 there (its std counts as 1).

    Parameters
    ----------
    train : array (N, columns) or (N,)
        The part whose means and standard deviations (of N, not N - 1) are taken.
    *others : arrays of the same columns

    Returns
    -------
    list
        The parts in the order they came, and a fitted ``sklearn.preprocessing.StandardScaler`` at the end.
        Its ``inverse_transform`` takes (N, columns); columns are 1 for what came as (N,). float32 stays
        float32, all else becomes float64.

    Raises
    ------
    DataError
        NaN or infinite values, or no rows.
    ShapeError
        Other columns than the training part's, or more than two axes: images have one scale for all pixels
        (``Dataset.scaled``).
    DTypeError
        Values that aren't numbers.

    Examples
    --------
    >>> x_train, x_test, scaler = standardize([[1.0, 5.0], [3.0, 5.0]], [[5.0, 6.0]])
    >>> x_train.tolist(), x_test.tolist()
    ([[-1.0, 0.0], [1.0, 0.0]], [[3.0, 1.0]])
    >>> scaler.inverse_transform(x_test)
    array([[5., 6.]])
    """
    from sklearn.preprocessing import StandardScaler

    return _scale("standardize", StandardScaler(), train, others)


def min_max_scale(
    train: ArrayLike, *others: ArrayLike, feature_range: tuple[float, float] = (0, 1)
) -> list[Any]:
    """Stretch each column so that its least value in the training part is 0 and its greatest 1.

    z = (x - min) / (max - min). The other parts are changed by the same numbers, so their values may lie
    outside; clipping them would hide it. A column that is constant in training becomes 0 there.

    Parameters
    ----------
    train : array (N, columns) or (N,)
    *others : arrays of the same columns
    feature_range : (low, high)
        Where the training part's columns shall lie.

    Returns
    -------
    list
        The parts in the order they came, and a fitted ``sklearn.preprocessing.MinMaxScaler`` at the end;
        shapes and dtypes as in `standardize`.

    Raises
    ------
    ArgumentError
        A feature_range whose low isn't below its high.
    DataError, ShapeError, DTypeError
        As in `standardize`.

    Examples
    --------
    >>> y_train, y_test, scaler = min_max_scale([3, 8, 5], [9])
    >>> y_train.tolist(), y_test.tolist()
    ([0.0, 1.0, 0.4], [1.2])
    """
    from sklearn.preprocessing import MinMaxScaler

    low, high = feature_range
    if not low < high:
        raise ArgumentError(
            f"min_max_scale: feature_range must be (low, high), low < high; got {feature_range}."
        )
    return _scale("min_max_scale", MinMaxScaler((low, high)), train, others)


def _scale(caller: str, scaler: Any, train: ArrayLike, others: tuple[ArrayLike, ...]) -> list[Any]:
    first = _table(caller, "train", train)
    if not len(first):
        raise DataError(f"{caller}: the training part has no rows to take statistics of.")
    tables = [first]
    for number, other in enumerate(others, start=2):
        table = _table(caller, f"part {number}", other)
        if table.shape[1:] != first.shape[1:]:
            raise ShapeError(
                f"{caller}: the training part is {first.shape} but part {number} is {table.shape}; "
                "they must have the same columns."
            )
        tables.append(table)
    scaler.fit(_columns(first))
    # scikit-learn refuses to transform no rows at all.
    done = [scaler.transform(_columns(t)).reshape(t.shape) if len(t) else t for t in tables]
    return [*done, scaler]


def _columns(table: NDArray[Any]) -> NDArray[Any]:
    return table.reshape(len(table), -1)


def _table(caller: str, name: str, value: ArrayLike) -> NDArray[Any]:
    """Return ``value`` as finite floats of one or two axes."""
    table = np.asarray(value)
    if table.dtype.kind not in "biuf":
        raise DTypeError(f"{caller}: {name} must hold numbers; its dtype is {table.dtype}.")
    if table.ndim not in (1, 2) or table.shape[1:] == (0,):
        raise ShapeError(
            f"{caller}: {name} must have rows and columns, or rows alone; its shape is {table.shape}. Images "
            "are divided by their largest possible value instead (Dataset.scaled)."
        )
    table = table.astype(np.result_type(table.dtype, np.float32) if table.dtype.kind == "f" else np.float64)
    if not np.isfinite(table).all():
        row, *column = (int(i) for i in np.argwhere(~np.isfinite(table))[0])
        place = f"row {row}" + (f", column {column[0]}" if column else "")
        raise DataError(
            f"{caller}: {name} has {table[row, *column]} at {place}; drop such rows, or fill the gaps from "
            "the training part (scikit-learn's SimpleImputer)."
        )
    return table
