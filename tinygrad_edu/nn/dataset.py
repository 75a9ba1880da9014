"""PyDataset: batches that a class of one's own gives by their numbers."""

from collections.abc import Iterable, Iterator
from typing import Any

from ..errors import ArgumentError

__all__ = ["PyDataset"]


class PyDataset:
    """Batches of one's own for ``fit``: a subclass writes ``__len__`` and ``__getitem__``.

    ``self[i]`` is batch i, (x, y) or (x, y, sample_weight). Each epoch goes through all of them; ``fit``
    takes them in a random order unless ``shuffle=False``. ``on_epoch_begin`` and ``on_epoch_end`` are
    called before and after. (Keras 2 called it Sequence. Keras' ``workers``, ``use_multiprocessing`` and
    ``max_queue_size`` change nothing.)

    >>> import numpy as np
    >>> class Squares(PyDataset):
    ...     def __len__(self):
    ...         return 2
    ...     def __getitem__(self, i):
    ...         x = np.arange(4.0).reshape(4, 1) + 4 * i
    ...         return x, x**2
    >>> [float(y.max()) for x, y in Squares()]
    [9.0, 49.0]
    """

    def __init__(self, workers: int = 1, use_multiprocessing: bool = False, max_queue_size: int = 10) -> None:
        pass

    def __len__(self) -> int:
        raise ArgumentError(f"{type(self).__name__}: write __len__(self), the number of batches")

    def __getitem__(self, index: int) -> Any:
        raise ArgumentError(f"{type(self).__name__}: write __getitem__(self, index), which returns a batch")

    def __iter__(self) -> Iterator[Any]:
        return self.batches(range(len(self)))

    def batches(self, order: Iterable[int]) -> Iterator[Any]:
        """Yield the batches of one epoch, in an order."""
        self.on_epoch_begin()
        for i in order:
            yield self[int(i)]
        self.on_epoch_end()

    def on_epoch_begin(self) -> None:
        """Called before each epoch."""

    def on_epoch_end(self) -> None:
        """Called after each epoch."""
