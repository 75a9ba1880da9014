"""Threads: how many, which kernels they share, and how they keep out of each other's way.

Two pools of threads lie in one process: OpenMP's, that Numba's parallel loops run on, and OpenBLAS' own.
A pool whose work is done spins for a while, in the hope of more. On a few cores each pool then waits for
the other's spinning to end, and a step of a small convolutional network took 4 to 40 times as long. So
there is one owner: from the first parallel kernel on the cores belong to the kernels, BLAS works on the
thread that calls it, and ours stop spinning soon.
"""

import os
import threading
from collections.abc import Callable
from contextlib import contextmanager
from time import perf_counter
from typing import TYPE_CHECKING, Any

import numpy as np

from tinygrad_edu.errors import ArgumentError
from tinygrad_edu.kernels._crowding import Crowding

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["both_forms", "get_num_threads", "run", "set_num_threads", "welcome_blas"]

_VARIABLE = "TINYGRAD_EDU_NUM_THREADS"
_WORTH_SHARING = 50_000  # multiplications; below about 10 µs of work, waking the threads costs more
_SPINS = "100000"  # rounds of OpenMP's waiting loop, about 1 ms: longer than the Python between two kernels


class _State(threading.local):
    """What Numba has been told in this thread: its number of threads is each thread's own."""

    told: int = 0


_state = _State()
_count: int | None = None  # None until it is set or first asked for
_one_at_a_time = threading.Lock()
_crowding = Crowding()
_awake = False  # the pool has been started, and BLAS put on one thread
_forked = False
_both = False


def _after_fork() -> None:
    global _forked, _one_at_a_time
    _forked = True
    _one_at_a_time = threading.Lock()  # the parent's may have been held at the moment of the fork


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)


def _cores() -> int:
    """How many threads there can be: the cores that this process may use, or what Numba is told."""
    given = os.environ.get("NUMBA_NUM_THREADS", "")
    if given.isdigit() and int(given) > 0:
        return int(given)
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _share() -> int:
    """How many threads there are by default: all, or those that whoever started this process gave it.

    joblib tells its workers by NUMBA_NUM_THREADS, Dask and schedulers of clusters by OMP_NUM_THREADS.
    """
    given = os.environ.get("OMP_NUM_THREADS", "").partition(",")[0]  # one for each level of nesting
    return min(_cores(), int(given)) if given.isdigit() and int(given) > 0 else _cores()


def _checked(n: Any, name: str) -> int:
    most = _cores()
    try:
        count = int(n)
        fits = count == (float(n) if isinstance(n, str) else n) and 1 <= count <= most
    except (TypeError, ValueError):
        fits = False
    if not fits or isinstance(n, bool):
        raise ArgumentError(
            f"{name}: expected a whole number of threads from 1 to {most}, the cores that this process may "
            f"use, got {n!r}"
        )
    return count


def set_num_threads(n: int, /) -> None:
    """Choose how many threads compute, for our kernels and for BLAS alike, in the whole process.

    The default is the environment variable ``TINYGRAD_EDU_NUM_THREADS``, or else ``OMP_NUM_THREADS``, or
    every core that the process may use; a worker of joblib or Dask gets its share of them. Results don't
    depend on it, up to BLAS' rounding in large products. While kernels run on several threads BLAS has one,
    since two pools would fight for the same cores.

    Parameters
    ----------
    n : int
        From 1 to the number of cores (or ``NUMBA_NUM_THREADS``, if that is set).

    Raises
    ------
    ArgumentError
        For another number.

    Examples
    --------
    >>> import tinygrad_edu as te
    >>> before = te.get_num_threads()
    >>> te.set_num_threads(1)
    >>> te.get_num_threads()
    1
    >>> te.set_num_threads(before)
    """
    global _count
    _count = _checked(n, "set_num_threads")
    _limit_blas(1 if _awake else _count)


def get_num_threads() -> int:
    """Return how many threads kernels may use; see :func:`set_num_threads`.

    Raises ArgumentError if ``TINYGRAD_EDU_NUM_THREADS`` isn't a number of threads that there can be.

    >>> import tinygrad_edu as te
    >>> te.get_num_threads() >= 1
    True
    """
    global _count
    if _count is None:
        given = os.environ.get(_VARIABLE)
        if given is None:
            _count = _share()
        elif given.isdigit() and int(given) > _cores() and "NUMBA_NUM_THREADS" in os.environ:
            set_num_threads(_cores())  # a worker, which has inherited the variable, and has but a share
        else:
            set_num_threads(_checked(given, f"the environment variable {_VARIABLE}"))
    assert _count is not None
    return _count


def run(
    serial: Callable[..., Any], parallel: Callable[..., Any], arguments: tuple[Any, ...], work: int
) -> Any:
    """Call one of two forms of a kernel: the parallel one when there is enough work, in multiplications.

    Unless other programs have the cores (:mod:`tinygrad_edu.kernels._crowding`).

    One parallel call at a time: Numba's simplest thread pool ends the process when two threads enter it,
    and two calls at once would only fight for the same cores. None at all in a forked process, where the
    threads don't exist and GNU's OpenMP would end the process.
    """
    if _both:
        serial(*arguments)
        return _shared(parallel, arguments, work)
    if work < _WORTH_SHARING or _forked or (_count or get_num_threads()) == 1:
        return serial(*arguments)
    began = perf_counter()
    if not _crowding.alone(began):
        return _shared(parallel, arguments, work)
    result = serial(*arguments)
    _crowding.served(_like(parallel, arguments, work), perf_counter() - began, get_num_threads())
    return result


def _shared(parallel: Callable[..., Any], arguments: tuple[Any, ...], work: int) -> Any:
    with _one_at_a_time:
        if _state.told != _count:
            _wake()
        began = perf_counter()
        result = parallel(*arguments)
        now = perf_counter()
    if not _both:  # which compiles
        _crowding.shared(_like(parallel, arguments, work), now - began, now, get_num_threads())
    return result


def _like(parallel: Callable[..., Any], arguments: tuple[Any, ...], work: int) -> tuple[Any, ...]:
    """Return what calls have in common that take equally long.

    The first two arguments tell enough: a matrix, and whether it is transposed; two arrays. Looking at all
    of them would cost more than 2 µs a call.
    """
    looks = [(a.dtype, a.shape) if type(a) is np.ndarray else a is True for a in arguments[:2]]
    return parallel, work, *looks


def _wake() -> None:
    """Tell Numba how many threads this one may use, and the first time BLAS that it has but one."""
    global _awake
    count = get_num_threads()
    if not _awake:
        # libgomp reads it when Numba starts its threads. A value that the user has set stays.
        os.environ.setdefault("GOMP_SPINCOUNT", _SPINS)
        _limit_blas(1)
        _awake = True
    import numba

    numba.set_num_threads(count)
    _state.told = count


def _limit_blas(count: int) -> None:
    from threadpoolctl import threadpool_limits

    threadpool_limits(count, user_api="blas")


def welcome_blas() -> None:
    """Hold a BLAS that was loaded only now, such as SciPy's own, to the number of threads of the others."""
    _limit_blas(1 if _awake else get_num_threads())


@contextmanager
def both_forms() -> "Iterator[None]":
    """Let :func:`run` call the serial form and the parallel one, so that both are compiled."""
    global _both
    _both = True
    try:
        yield
    finally:
        _both = False
