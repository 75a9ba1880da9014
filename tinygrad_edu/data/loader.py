"""Batches: the rows of arrays, a few at a time, in the order they come or shuffled anew each epoch."""

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any, SupportsIndex, cast

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tinygrad_edu.data.prepare import as_count, common_length
from tinygrad_edu.random import default_generator

__all__ = ["DataLoader"]


class DataLoader:
    """Iterate over rows in batches; each ``for`` loop over the loader is one epoch.

    Batches are new arrays in memory, in the machine's byte order, so changing one leaves the data as it was.
    A memory map is read a batch at a time and never loaded whole. Rows are fetched in the batch's own order:
    visiting a map in rising order first was measured, and gained nothing (see ``_take``).

    Parameters
    ----------
    x : array of N rows, or a tuple or list of such arrays (several inputs)
    y : likewise, optional
    batch_size : int
        At least 1.
    shuffle : bool
        Draw a new order each epoch.
    seed : int, optional
        Decides the orders: that of epoch k follows from (seed, k) alone. None draws a seed from the package's
        default generator when the loader is made.
    drop_last : bool
        Leave out the last batch where it is smaller than the others.

    Attributes
    ----------
    epoch : int
        The epoch that the next loop draws, from 0; set it to resume a run.

    Yields
    ------
    ``(x_batch, y_batch)``, or ``x_batch`` alone without y; tuples and lists come as tuples and lists.

    Raises
    ------
    ArgumentError
        A batch_size or seed that can't be used.
    DataError
        Arrays of unequal length.

    Examples
    --------
    >>> loader = DataLoader(np.arange(5), np.arange(5) ** 2, batch_size=2)
    >>> len(loader)
    3
    >>> for x, y in loader:
    ...     print(x, y)
    [0 1] [0 1]
    [2 3] [4 9]
    [4] [16]

    Go on at epoch 3 of an earlier run:

    >>> loader = DataLoader(np.arange(5), shuffle=True, seed=1)
    >>> loader.epoch = 3
    >>> loader.order(3).tolist() == next(iter(loader)).tolist()
    True
    """

    def __init__(
        self,
        x: ArrayLike | Sequence[ArrayLike],
        y: ArrayLike | Sequence[ArrayLike] | None = None,
        *,
        batch_size: SupportsIndex = 32,
        shuffle: bool = False,
        seed: int | None = None,
        drop_last: bool = False,
    ) -> None:
        self._x = _arrays(x)
        self._y = None if y is None else _arrays(y)
        named = _named("x", self._x) | ({} if self._y is None else _named("y", self._y))
        self.rows = common_length("DataLoader", named)
        self.batch_size = as_count("DataLoader", "batch_size", batch_size, least=1)
        self.shuffle = shuffle
        if seed is not None:
            seed = as_count("DataLoader", "seed", seed, least=0)
        elif shuffle:
            seed = int(default_generator().integers(1 << 63))
        self.seed = seed
        self.drop_last = drop_last
        self.epoch = 0

    def __len__(self) -> int:
        """Count the batches of an epoch."""
        return self.rows // self.batch_size if self.drop_last else -(-self.rows // self.batch_size)

    def order(self, epoch: int) -> NDArray[np.intp]:
        """Return the row numbers in the order that the given epoch visits them.

        >>> DataLoader(np.zeros(4)).order(0)
        array([0, 1, 2, 3])
        """
        if not self.shuffle:
            return np.arange(self.rows)
        epoch = as_count("DataLoader", "epoch", epoch, least=0)
        return np.random.default_rng((cast(int, self.seed), epoch)).permutation(self.rows)

    def __iter__(self) -> Iterator[Any]:
        order = self.order(self.epoch) if self.shuffle else None
        self.epoch += 1
        return self._batches(order)

    def _batches(self, order: NDArray[np.intp] | None) -> Iterator[Any]:
        for start in range(0, len(self) * self.batch_size, self.batch_size):
            window = slice(start, start + self.batch_size)
            rows = window if order is None else order[window]
            take = partial(_take, rows=rows)
            x = _each(take, self._x)
            yield x if self._y is None else (x, _each(take, self._y))

    def __repr__(self) -> str:
        order = f"shuffled with seed {self.seed}" if self.shuffle else "in order"
        batches = f"{len(self)} batches of {self.batch_size}"
        return f"DataLoader({self.rows} rows {order}, {batches}, epoch {self.epoch})"


def _arrays(value: Any) -> Any:
    """Make an array, or a tuple or list of arrays when the value is one.

    A list of plain numbers or of lists is data for a single array, not several inputs.
    """
    if isinstance(value, tuple | list) and value and all(getattr(item, "ndim", 0) > 0 for item in value):
        return _each(np.asarray, value)
    return np.asarray(value)


def _each(function: Callable[[Any], Any], arrays: Any) -> Any:
    """Apply to an array, or to each of a tuple or list of them."""
    if isinstance(arrays, tuple | list):
        done = [function(array) for array in arrays]
        return tuple(done) if isinstance(arrays, tuple) else done
    return function(arrays)


def _named(name: str, arrays: Any) -> dict[str, NDArray[Any]]:
    if isinstance(arrays, tuple | list):
        return {f"{name}[{number}]": array for number, array in enumerate(arrays)}
    return {name: arrays}


def _take(array: NDArray[Any], rows: NDArray[np.intp] | slice) -> NDArray[Any]:
    """Copy the given rows into native byte order.

    Fancy indexing, since ``ndarray.take`` copies a map whole when its elements aren't aligned, which those
    behind an idx header often aren't. Sorting the rows and putting them back afterwards made warm maps a
    fifth slower and cold ones no faster.
    """
    return np.array(array[rows], dtype=array.dtype.newbyteorder("="), copy=isinstance(rows, slice) or None)
