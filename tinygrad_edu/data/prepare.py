"""Small steps between raw arrays and a model: splitting rows, labels as vectors."""

import math
from collections.abc import Mapping
from operator import index
from typing import Any, SupportsIndex

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tinygrad_edu import ops
from tinygrad_edu.errors import ArgumentError, DataError
from tinygrad_edu.random import default_generator

__all__ = ["as_count", "common_length", "one_hot", "train_test_split"]


def common_length(caller: str, arrays: Mapping[str, NDArray[Any]]) -> int:
    """Return the number of rows that all the arrays have.

    Raises
    ------
    DataError
        Two of them differ, or one is a single number.

    >>> common_length("fit", {"x": np.zeros((3, 2)), "y": np.zeros(3)})
    3
    """
    first = next(iter(arrays))
    for name, array in arrays.items():
        if array.ndim == 0:
            raise DataError(f"{caller}: {name} is a single {array.dtype} where an array of rows is needed.")
        if len(array) != len(arrays[first]):
            raise DataError(
                f"{caller}: {first} has {len(arrays[first])} rows (shape {arrays[first].shape}) but {name} "
                f"has {len(array)} (shape {array.shape}); row i of one belongs to row i of the other."
            )
    return len(arrays[first])


def as_count(caller: str, name: str, value: SupportsIndex, least: int) -> int:
    """Return ``value`` as an int that is at least ``least``; a bool or 2.0 is no count.

    Raises
    ------
    ArgumentError

    >>> as_count("DataLoader", "batch_size", np.int64(32), least=1)
    32
    """
    try:
        count = index(value)
    except TypeError:
        count = least - 1
    if count < least or isinstance(value, bool | np.bool):
        raise ArgumentError(f"{caller}: {name} must be a whole number, at least {least}; got {value!r}.")
    return count


def train_test_split(
    *arrays: ArrayLike,
    test_size: float = 0.2,
    seed: int | None = None,
    stratify: ArrayLike | None = None,
) -> list[NDArray[Any]]:
    """Split the rows of one or more arrays at random, the same rows in each.

    Parameters
    ----------
    *arrays : arrays of equal length
    test_size : float or int
        A share in (0, 1), rounded up to whole rows, or the number of rows in the test part.
    seed : int, optional
        The same seed gives the same split; None draws from the package's default generator.
    stratify : array of N class labels, optional
        Keep each class's share in both parts, as near as whole rows allow.

    Returns
    -------
    list of arrays
        ``[a_train, a_test, b_train, b_test, …]``, as scikit-learn returns them.

    Raises
    ------
    ArgumentError
        A test_size or seed that can't be used.
    DataError
        Unequal lengths, a part left empty, or classes too small to be in both parts.

    Examples
    --------
    >>> x, y = np.arange(10), np.array([0] * 5 + [1] * 5)
    >>> x_train, x_test, y_train, y_test = train_test_split(x, y, test_size=0.4, seed=0, stratify=y)
    >>> x_train.shape, y_test.tolist().count(0), y_test.tolist().count(1)
    ((6,), 2, 2)
    """
    if not arrays:
        raise ArgumentError("train_test_split: give at least one array to split.")
    named = {f"array {number}": np.asarray(array) for number, array in enumerate(arrays, start=1)}
    labels = None if stratify is None else np.asarray(stratify)
    rows = common_length("train_test_split", named if labels is None else named | {"stratify": labels})
    tested = _test_rows(rows, test_size)
    rng = (
        default_generator()
        if seed is None
        else np.random.default_rng(as_count("train_test_split", "seed", seed, 0))
    )
    order = rng.permutation(rows)
    if labels is not None:
        order = order[np.argsort(~_stratified(labels[order], tested), kind="stable")]
    test, train = order[:tested], order[tested:]
    return [part for array in named.values() for part in (array[train], array[test])]


def _test_rows(rows: int, test_size: float) -> int:
    if isinstance(test_size, float | np.floating) and 0 < test_size < 1:
        tested = math.ceil(rows * float(test_size) - 1e-9)  # 100 * 0.07 is 7, not 7.000000000000001
    else:
        try:
            tested = as_count("train_test_split", "test_size", test_size, least=1)  # type: ignore[arg-type]
        except ArgumentError:
            raise ArgumentError(
                f"train_test_split: test_size is a share between 0 and 1 or a number of rows; "
                f"got {test_size!r}."
            ) from None
    if not 0 < tested < rows:
        raise DataError(f"train_test_split: {rows} rows with test_size={test_size} would leave a part empty.")
    return tested


def _stratified(labels: NDArray[Any], tested: int) -> NDArray[np.bool]:
    """Mark ``tested`` rows, from the first on, so that each class has its share of them.

    Whole rows go by the method of the largest remainder.
    """
    if labels.ndim != 1:
        raise DataError(f"train_test_split: stratify needs one label a row; its shape is {labels.shape}.")
    classes, index_of, counts = np.unique(labels, return_inverse=True, return_counts=True)
    if counts.min() < 2 or min(tested, len(labels) - tested) < len(classes):
        rarest = f"the rarest, {classes[counts.argmin()]}, has {counts.min()}"
        raise DataError(
            f"train_test_split: {len(labels)} rows of {len(classes)} classes ({rarest}) can't be stratified "
            f"with {tested} in the test part: a class would be missing from a part. Change test_size, join "
            "rare classes or leave stratify out."
        )
    share = counts * tested / len(labels)
    quota = np.floor(share).astype(int)
    quota[np.argsort(quota - share, kind="stable")[: tested - quota.sum()]] += 1
    marked = np.zeros(len(labels), bool)
    for number, wanted in enumerate(quota):
        marked[np.flatnonzero(index_of == number)[:wanted]] = True
    return marked


def one_hot(labels: ArrayLike, num_classes: SupportsIndex) -> NDArray[np.float32]:
    """Turn class numbers into vectors with a single 1.

    Parameters
    ----------
    labels : integers 0 … num_classes - 1, any shape
    num_classes : int

    Returns
    -------
    array of float32, shape ``labels.shape + (num_classes,)``

    Raises
    ------
    DTypeError
        Labels that are no integers.
    DataError
        A label out of range.

    Examples
    --------
    >>> one_hot([0, 2], num_classes=3)
    array([[1., 0., 0.],
           [0., 0., 1.]], dtype=float32)
    """
    count = as_count("one_hot", "num_classes", num_classes, least=1)
    return np.asarray(ops.one_hot(np.asarray(labels), count))
