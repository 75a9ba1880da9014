"""Preparing the next batches in a thread while the present one is learned from."""

from collections.abc import Generator, Iterator
from contextvars import copy_context
from dataclasses import dataclass
from queue import Empty, Queue
from threading import Event, Thread
from typing import TypeVar

__all__ = ["prefetch"]

T = TypeVar("T")


@dataclass
class _End:
    """The last thing in the queue: the source is through, or has raised ``error``."""

    error: BaseException | None


def prefetch(source: Generator[T], count: int) -> Iterator[T]:
    """Iterate over ``source``, which runs in a thread of its own, ``count`` items ahead.

    The thread waits while ``count`` items are ready. It ends with the source, or when this iterator is closed
    or dropped, as a loop does that is left early; the source is closed then and the thread waited for, so
    nothing goes on unseen. What the source raises is raised here, in its turn. The thread sees the context
    variables of the caller (NumPy's ``errstate`` is one).

    NumPy lets other threads run while it copies or computes, so reading and augmenting overlap with kernels;
    plain Python code doesn't.

    >>> list(prefetch((n**2 for n in range(4)), count=2))
    [0, 1, 4, 9]
    """
    ready: Queue[T | _End] = Queue(count)
    left = Event()
    thread = Thread(
        target=copy_context().run, args=(_work, source, ready, left), daemon=True, name="prefetch"
    )
    thread.start()
    try:
        while not isinstance(item := ready.get(), _End):
            yield item
            del item  # the queue holds the memory that was asked for, and no more
        if item.error is not None:
            raise item.error
    finally:
        left.set()
        # A place in the queue, should the thread wait for one: before each put it looks at ``left``.
        while not ready.empty():
            try:
                ready.get_nowait()
            except Empty:
                break
        thread.join()


def _work(source: Generator[T], ready: "Queue[T | _End]", left: Event) -> None:
    end = _End(None)
    try:
        for item in source:
            if left.is_set():
                break
            ready.put(item)
            del item
            if left.is_set():
                break
        source.close()
    except BaseException as error:
        end.error = error
    if not left.is_set():
        ready.put(end)
