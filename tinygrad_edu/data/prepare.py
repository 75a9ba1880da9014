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

__all__ = [
    "as_count",
    "common_length",
    "generator_of",
    "one_hot",
    "random_state",
    "train_test_split",
    "train_validation_test_split",
]


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


def generator_of(caller: str, seed: SupportsIndex | None) -> np.random.Generator:
    """Return a generator that begins at ``seed``, or the package's default one for None.

    >>> generator_of("crop", 3).integers(100) == generator_of("crop", 3).integers(100)
    np.True_
    """
    if seed is None:
        return default_generator()
    return np.random.default_rng(as_count(caller, "seed", seed, least=0))


def random_state(caller: str, seed: SupportsIndex | None) -> int:
    """Return what scikit-learn calls ``random_state``: below 2^32, where our seeds may be of any size.

    >>> random_state("k_fold", 3)
    3
    """
    if seed is not None and as_count(caller, "seed", seed, least=0) < 1 << 32:
        return index(seed)
    return int(generator_of(caller, seed).integers(1 << 32))


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
    caller = "train_test_split"
    parts, labels = _to_split(caller, arrays, stratify)
    rows = len(parts[0])
    tested = _share(caller, "test_size", test_size, rows)
    train, test = _split(caller, rows, tested, labels, generator_of(caller, seed))
    return [part[chosen] for part in parts for chosen in (train, test)]


def train_validation_test_split(
    *arrays: ArrayLike,
    validation_size: float = 0.2,
    test_size: float = 0.2,
    seed: int | None = None,
    stratify: ArrayLike | None = None,
) -> list[NDArray[Any]]:
    """Split the rows of one or more arrays into three parts at random, the same rows in each array.

    The training part teaches the weights, the validation part chooses among models and epochs, the test part
    is looked at once, at the end: a score that helped to choose is too good to report.

    Parameters
    ----------
    *arrays : arrays of equal length
    validation_size, test_size : float or int
        Shares of all rows in (0, 1), rounded up to whole rows, or numbers of rows.
    seed, stratify : as in `train_test_split`, whose test part this one's is

    Returns
    -------
    list of arrays
        ``[a_train, a_validation, a_test, b_train, b_validation, b_test, …]``

    Raises
    ------
    ArgumentError, DataError
        As in `train_test_split`.

    Examples
    --------
    >>> [part.shape for part in train_validation_test_split(np.zeros((50, 3)), test_size=5, seed=0)]
    [(35, 3), (10, 3), (5, 3)]
    """
    caller = "train_validation_test_split"
    parts, labels = _to_split(caller, arrays, stratify)
    rows = len(parts[0])
    held = _share(caller, "validation_size", validation_size, rows)
    tested = _share(caller, "test_size", test_size, rows)
    if held + tested >= rows:
        raise DataError(
            f"{caller}: {held} rows for validation and {tested} for testing leave none of {rows} to train on."
        )
    rng = generator_of(caller, seed)
    rest, test = _split(caller, rows, tested, labels, rng)
    train, validation = _split(caller, len(rest), held, None if labels is None else labels[rest], rng)
    return [part[chosen] for part in parts for chosen in (rest[train], rest[validation], test)]


def _to_split(
    caller: str, arrays: tuple[ArrayLike, ...], stratify: ArrayLike | None
) -> tuple[list[NDArray[Any]], NDArray[Any] | None]:
    """Return arrays and labels, checked to be of one length."""
    if not arrays:
        raise ArgumentError(f"{caller}: give at least one array to split.")
    parts = [np.asarray(array) for array in arrays]
    labels = None if stratify is None else np.asarray(stratify)
    named = {f"array {number}": array for number, array in enumerate(parts, start=1)}
    common_length(caller, named if labels is None else named | {"stratify": labels})
    return parts, labels


def _share(caller: str, name: str, size: float, rows: int) -> int:
    """Return how many rows a share, or a number of them, is."""
    if isinstance(size, float | np.floating) and 0 < size < 1:
        count = math.ceil(rows * float(size) - 1e-9)  # 100 * 0.07 is 7, not 7.000000000000001
    else:
        try:
            count = as_count(caller, name, size, least=1)  # type: ignore[arg-type]
        except ArgumentError:
            raise ArgumentError(
                f"{caller}: {name} is a share between 0 and 1 or a number of rows; got {size!r}."
            ) from None
    if not 0 < count < rows:
        raise DataError(f"{caller}: {rows} rows with {name}={size} would leave a part empty.")
    return count


def _split(
    caller: str, rows: int, tested: int, labels: NDArray[Any] | None, rng: np.random.Generator
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Draw which rows to train and which to test on."""
    order = rng.permutation(rows)
    if labels is not None:
        order = order[np.argsort(~_stratified(caller, labels[order], tested), kind="stable")]
    return order[tested:], order[:tested]


def _stratified(caller: str, labels: NDArray[Any], tested: int) -> NDArray[np.bool]:
    """Mark ``tested`` rows, from the first on, so that each class has its share of them.

    Whole rows go by the method of the largest remainder.
    """
    if labels.ndim != 1:
        raise DataError(f"{caller}: stratify needs one label a row; its shape is {labels.shape}.")
    classes, index_of, counts = np.unique(labels, return_inverse=True, return_counts=True)
    if counts.min() < 2 or min(tested, len(labels) - tested) < len(classes):
        rarest = f"the rarest, {classes[counts.argmin()]}, has {counts.min()}"
        raise DataError(
            f"{caller}: {len(labels)} rows of {len(classes)} classes ({rarest}) can't be stratified "
            f"with {tested} in the test part: a class would be missing from a part. Change the sizes, join "
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
