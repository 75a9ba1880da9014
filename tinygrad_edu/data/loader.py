"""Batches: the rows of arrays, a few at a time, in the order they come or shuffled anew each epoch."""

from collections.abc import Callable, Generator, Iterable, Iterator, Sequence, Sized
from typing import Any, SupportsIndex, cast

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tinygrad_edu.data.prefetch import prefetch as prefetched
from tinygrad_edu.data.prepare import as_count, common_length
from tinygrad_edu.data.rows import arrays_of, each, is_source, named, stacked, taker
from tinygrad_edu.errors import ArgumentError, DataError, DTypeError
from tinygrad_edu.random import default_generator

__all__ = ["DataLoader"]

Rows = Iterable[Any] | Callable[[], Iterable[Any]]


class DataLoader:
    """Iterate over rows in batches; each ``for`` loop over the loader is one epoch.

    Batches are new arrays in memory, in the machine's byte order, so changing one leaves the data as it was.
    A memory map is read a batch at a time and never loaded whole. Rows are fetched in the batch's own order:
    visiting a map in rising order first was measured, and gained nothing.

    Parameters
    ----------
    x : array of N rows, or a tuple or list of such arrays (several inputs), or a source of rows
        A source is an iterable, or a function that returns one and is called anew each epoch (as a generator
        is through after one). It gives a row at a time: an array or number, or a tuple of them, as (x, y).
    y : array of N rows, or a tuple or list of such arrays, optional
    batch_size : int or None
        At least 1. None for a source that gives whole batches already: they are handed on as they are.
    shuffle : bool
        Draw a new order each epoch. Arrays only: a source decides on its own order.
    seed : int, optional
        Decides the orders: that of epoch k follows from (seed, k) alone. None draws a seed from the package's
        default generator when the loader is made.
    drop_last : bool
        Leave out the last batch where it is smaller than the others.
    transform : callable, optional
        Called with each batch, ``transform(x)`` or ``transform(x, y)``; what it returns is the batch. If it
        has a method ``begin(epoch)``, as `Augmentation` has, that is called before each epoch.
    prefetch : int
        How many batches a thread keeps ready while another is learned from; 0 prepares each when it is asked
        for. The batches are the same. What is raised in the thread is raised in the loop; leaving the loop
        ends the thread, after the batch that it is preparing.

    Attributes
    ----------
    epoch : int
        The epoch that the next loop draws, from 0; set it to resume a run.
    rows : int or None
        N; None where a source doesn't tell.

    Yields
    ------
    ``(x_batch, y_batch)``, or ``x_batch`` alone without y; tuples and lists come as tuples and lists. Of a
    source's rows, tuples of k parts give tuples of k arrays.

    Raises
    ------
    ArgumentError
        A batch_size, seed, prefetch or transform that can't be used, or a source with shuffle or y.
    DataError
        Arrays of unequal length; in the loop, rows of a source that don't fit one another, or a generator
        that is through.

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

    From a generator, two batches ahead, with the numbers changed on the way:

    >>> def rows():
    ...     for number in range(3):
    ...         yield [number, 0], number % 2
    >>> for x, y in DataLoader(rows, batch_size=2, transform=lambda x, y: (x / 10, y), prefetch=2):
    ...     print(x.tolist(), y)
    [[0.0, 0.0], [0.1, 0.0]] [0 1]
    [[0.2, 0.0]] [0]

    Go on at epoch 3 of an earlier run:

    >>> loader = DataLoader(np.arange(5), shuffle=True, seed=1)
    >>> loader.epoch = 3
    >>> loader.order(3).tolist() == next(iter(loader)).tolist()
    True
    """

    def __init__(
        self,
        x: ArrayLike | Sequence[ArrayLike] | Rows,
        y: ArrayLike | Sequence[ArrayLike] | None = None,
        *,
        batch_size: SupportsIndex | None = 32,
        shuffle: bool = False,
        seed: int | None = None,
        drop_last: bool = False,
        transform: Callable[..., Any] | None = None,
        prefetch: SupportsIndex = 0,
    ) -> None:
        self._source: Any = x if is_source(x) else None
        self._begun = False
        self._x = self._y = None
        self.rows: int | None
        if self._source is None:
            self._x = arrays_of(x)
            self._y = None if y is None else arrays_of(y)
            arrays = named("x", self._x) | ({} if self._y is None else named("y", self._y))
            self.rows = common_length("DataLoader", arrays)
            if batch_size is None:
                raise ArgumentError(
                    "DataLoader: batch_size=None is for a source of whole batches; give a number."
                )
        else:
            self.rows = len(x) if isinstance(x, Sized) else None
            if y is not None:
                raise ArgumentError("DataLoader: with a source of rows, y must come in them: (x, y).")
            if shuffle:
                raise ArgumentError(
                    "DataLoader: a source of rows can't be shuffled, since its rows have no numbers; shuffle "
                    "in the source, or gather it into arrays."
                )
        size = batch_size if batch_size is None else as_count("DataLoader", "batch_size", batch_size, least=1)
        self.batch_size = size
        self.shuffle = shuffle
        if seed is not None:
            seed = as_count("DataLoader", "seed", seed, least=0)
        elif shuffle:
            seed = int(default_generator().integers(1 << 63))
        self.seed = seed
        self.drop_last = drop_last
        if transform is not None and not callable(transform):
            raise ArgumentError(
                f"DataLoader: transform must be a function of a batch; got {transform!r:.60}."
            )
        self.transform = transform
        self.prefetch = as_count("DataLoader", "prefetch", prefetch, least=0)
        self.epoch = 0

    def __len__(self) -> int:
        """Count the batches of an epoch.

        Raises DTypeError (a TypeError, as Python expects) where a source doesn't tell how many rows it has.
        """
        if self.rows is None:
            raise DTypeError("DataLoader: this source doesn't tell how many rows it has; count in the loop.")
        if self.batch_size is None:
            return self.rows
        return self.rows // self.batch_size if self.drop_last else -(-self.rows // self.batch_size)

    def order(self, epoch: int) -> NDArray[np.intp]:
        """Return the row numbers in the order that the given epoch visits them.

        >>> DataLoader(np.zeros(4)).order(0)
        array([0, 1, 2, 3])
        """
        if self.rows is None:
            raise DTypeError("DataLoader: the rows of this source have no numbers.")
        if not self.shuffle:
            return np.arange(self.rows)
        epoch = as_count("DataLoader", "epoch", epoch, least=0)
        return np.random.default_rng((cast(int, self.seed), epoch)).permutation(self.rows)

    def __iter__(self) -> Iterator[Any]:
        if self._source is not None:
            batches = self._gathered(self._begin())
        else:
            batches = self._taken(self.order(self.epoch) if self.shuffle else None)
        changed = self._transformed(batches, self.epoch)
        self.epoch += 1
        if self.prefetch:
            return prefetched(changed, self.prefetch)
        return batches if self.transform is None else changed

    def _taken(self, order: NDArray[np.intp] | None) -> Iterator[Any]:
        assert self.batch_size is not None
        size, x = self.batch_size, each(taker, self._x)
        y = None if self._y is None else each(taker, self._y)
        for start in range(0, len(self) * size, size):
            rows: Any = slice(start, start + size)
            if order is not None:
                rows = order[rows]
            yield _taken(x, rows) if y is None else (_taken(x, rows), _taken(y, rows))

    def _begin(self) -> Iterator[Any]:
        """Begin the source anew."""
        source = self._source
        if not isinstance(source, Iterable):
            source = cast(Callable[[], Any], source)()
            if not isinstance(source, Iterable):
                raise DTypeError(
                    f"DataLoader: x is a function, so it must return rows; it gave {source!r:.60}."
                )
            return iter(source)
        rows = iter(source)
        if rows is source and self._begun:
            raise DataError(
                "DataLoader: a generator gives its rows once, and this one was begun before. For several "
                "epochs pass the function that makes it (without calling it)."
            )
        self._begun = True
        return rows

    def _gathered(self, rows: Iterator[Any]) -> Iterator[Any]:
        return rows if self.batch_size is None else stacked(rows, self.batch_size, self.drop_last)

    def _transformed(self, batches: Iterator[Any], epoch: int) -> Generator[Any]:
        change, parts = self.transform, self._source is not None or self._y is not None
        if begin := getattr(change, "begin", None):
            begin(epoch)
        for batch in batches:
            if change is None:
                yield batch
            else:
                yield change(*batch) if parts and isinstance(batch, tuple) else change(batch)

    def __repr__(self) -> str:
        order = f"shuffled with seed {self.seed}" if self.shuffle else "in order"
        rows = "rows" if self.rows is None else f"{self.rows} rows"
        count = "" if self.rows is None else f"{len(self)} "
        batches = f"{count}batches" + ("" if self.batch_size is None else f" of {self.batch_size}")
        return f"DataLoader({rows} {order}, {batches}, epoch {self.epoch})"


def _taken(takers: Any, rows: Any) -> Any:
    """Return the rows of an array, or of each of several."""
    return each(lambda take: take(rows), takers)
