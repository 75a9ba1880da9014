"""How kernels are compiled: one decorator over Numba, a cache on disk, and a word to the user.

Numba translates a Python function to machine code at its first call with each new set of argument types.
That takes about a second a kernel, so the machine code is kept on disk, and the next process only loads it.
Numba decides by a kernel's own file whether what it kept is still true. A kernel that calls a helper
in another file would stay stale when the helper is edited, so here the name of the folder is a hash of
*all* kernel sources: edit any of them and a new folder begins.
"""

# mypy: allow-untyped-calls, allow-subclassing-any
# (Numba's caching and event modules, which this file extends, carry no annotations.)

import os
import sys
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from hashlib import sha256
from importlib.resources import files
from pathlib import Path
from types import FunctionType
from typing import Any, ParamSpec, TypeVar, cast, overload

import numba
from numba.core import caching, event
from platformdirs import user_cache_path

__all__ = ["cache_folder", "jit", "part", "set_compile_announcer", "signatures", "two_forms"]

P = ParamSpec("P")
R = TypeVar("R")

# What the optimiser may assume about sums: a*b + c in one rounding, any order of addition, no care for the
# sign of zero, a/b as a*(1/b). NaN and infinity keep their meaning, which plain ``fastmath=True`` takes away.
_SAFE_FASTMATH = {"contract", "reassoc", "nsz", "arcp"}


@overload
def jit(function: Callable[P, R], /) -> Callable[P, R]: ...
@overload
def jit(*, parallel: bool = False, fastmath: bool = False) -> Callable[[Callable[P, R]], Callable[P, R]]: ...
def jit(
    function: Callable[P, R] | None = None, /, *, parallel: bool = False, fastmath: bool = False
) -> Callable[P, R] | Callable[[Callable[P, R]], Callable[P, R]]:
    """Compile a function on arrays with Numba; used as ``@jit`` or ``@jit(parallel=True)``.

    Division by zero gives inf or NaN as in NumPy, other Python threads run meanwhile, and negative
    indices count from the end as in Python.

    Parameters
    ----------
    parallel : bool
        Spread the function's ``prange`` loops over threads. Call it through :func:`run`.
    fastmath : bool
        Let sums be reordered and fused, as a vectorised sum must be. NaN and infinity are kept.
    """

    def compile_(function: Callable[P, R]) -> Callable[P, R]:
        options: dict[str, Any] = {"error_model": "numpy", "nogil": True}
        if fastmath:
            options["fastmath"] = _SAFE_FASTMATH
        if parallel:
            # Left to itself Numba merges neighbouring prange loops, even if one reads what the other writes.
            options["parallel"] = {"fusion": False}
        dispatcher: Any = numba.njit(**options)(function)
        with suppress(RuntimeError):  # "no locator available": the folder can't be written
            dispatcher._cache = _Cache(function)
        _kernels[dispatcher] = f"{function.__module__.rpartition('.')[2]}.{function.__name__}"
        return cast(Callable[P, R], dispatcher)

    return compile_ if function is None else compile_(function)


def signatures() -> dict[str, list[str]]:
    """List the kernels that are compiled or loaded in this process, each with the types that it takes.

    Examples
    --------
    >>> import numpy as np
    >>> from tinygrad_edu import kernels
    >>> _ = kernels.softmax(np.zeros((1, 2), np.float32))
    >>> kernels.signatures()["rowwise._softmax"]
    ['array(float32, 2d, C), array(float32, 2d, C)']
    """
    found = {name: sorted(", ".join(map(str, s)) for s in d.signatures) for d, name in _kernels.items()}
    return {name: found[name] for name in sorted(found) if found[name]}


@overload
def part(function: Callable[P, R], /) -> Callable[P, R]: ...
@overload
def part(*, fastmath: bool = False) -> Callable[[Callable[P, R]], Callable[P, R]]: ...
def part(function: Callable[P, R] | None = None, /, *, fastmath: bool = False) -> Any:
    """Compile a function that kernels call: it becomes a piece of each, without a name or file of its own."""
    allowed = _SAFE_FASTMATH if fastmath else False
    made = numba.njit(error_model="numpy", nogil=True, fastmath=allowed)
    return made if function is None else made(function)


def two_forms(loop: Callable[..., Any], name: str = "", *, fastmath: bool = False) -> tuple[Any, Any]:
    """Compile one text twice, for :func:`run`: for one core, where prange is range, and for all.

    A loop that another function made needs a ``name`` of its own: the cache on disk goes by it.
    """
    name = name or loop.__name__
    forms = []
    for parallel in (False, True):
        form = FunctionType(loop.__code__, loop.__globals__, closure=loop.__closure__)
        form.__name__ = form.__qualname__ = f"{name}_parallel" if parallel else name
        form.__module__ = loop.__module__
        forms.append(jit(parallel=parallel, fastmath=fastmath)(form))
    return forms[0], forms[1]


# --- The cache on disk -----------------------------------------------------------------------------------


@cache
def cache_folder() -> Path:
    """Return where compiled kernels are kept, a folder named by the hash of their sources.

    It lies in ``$TINYGRAD_EDU_CACHE``, or else where the system keeps a user's caches.
    """
    sources = (f for f in files(__package__).iterdir() if f.name.endswith(".py"))
    digest = sha256()
    for source in sorted(sources, key=lambda f: f.name):
        digest.update(source.name.encode() + b"\0" + source.read_bytes() + b"\0")
    root = os.environ.get("TINYGRAD_EDU_CACHE") or user_cache_path("tinygrad_edu")
    return Path(root) / "kernels" / digest.hexdigest()[:16]


class _Locator(caching._CacheLocator):
    """Tells Numba to keep our kernels in :func:`cache_folder`, leaving the user's own functions alone."""

    def __init__(self, line: int) -> None:
        self._line = line

    def get_cache_path(self) -> str:
        return str(cache_folder())

    def get_source_stamp(self) -> str:
        return cache_folder().name

    def get_disambiguator(self) -> str:
        return str(self._line)

    @classmethod
    def from_function(cls, py_func: Callable[..., Any], py_file: str) -> "_Locator | None":
        locator = cls(py_func.__code__.co_firstlineno)
        try:
            locator.ensure_cache_path()
        except OSError:
            return None
        return locator


class _CacheContent(caching.CompileResultCacheImpl):
    _locator_classes: list[Any] = [_Locator]  # noqa: RUF012


class _Cache(caching.FunctionCache):
    """Numba's cache, except that a folder gone missing, full, read-only or damaged costs only time."""

    _impl_class = _CacheContent

    def _index_key(self, sig: Any, codegen: Any) -> Any:
        # Numba adds what a closure holds, and writes it differently in every process. Our folder's name has
        # all sources in it, and a file's name its kernel's, so nothing more is needed.
        return sig, codegen.magic_tuple()

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        try:
            return super().load_overload(sig, target_context)
        except Exception:  # a damaged file can raise anything when it is read
            with suppress(OSError):
                self.flush()
            return None

    def save_overload(self, sig: Any, data: Any) -> None:
        with suppress(OSError):
            super().save_overload(sig, data)


# --- Announcing a compilation ----------------------------------------------------------------------------

_kernels: dict[Any, str] = {}  # the dispatchers that this module made, and their names
_announced = False


def _print_once(kernel: str) -> None:
    global _announced
    if not _announced:
        _announced = True
        where = f"kept in {cache_folder()}" if os.access(cache_folder(), os.W_OK) else "not kept: no cache"
        print(f"compiling kernels for this machine (once; {where}) …", file=sys.stderr, flush=True)


_announcer: Callable[[str], None] = _print_once


def set_compile_announcer(announcer: Callable[[str], None] | None) -> Callable[[str], None]:
    """Choose what is called, with the kernel's name, each time a kernel has to be compiled.

    Kernels loaded from the cache on disk don't call it. The default prints one line to stderr, once a
    process.

    Parameters
    ----------
    announcer : callable or None
        Takes the kernel's name, such as ``"pool._max_pool"``. None brings back the default.

    Returns
    -------
    The one that was called until now, to be given back later.

    Examples
    --------
    >>> from tinygrad_edu import kernels
    >>> before = kernels.set_compile_announcer(lambda kernel: print("compiling", kernel))
    >>> _ = kernels.set_compile_announcer(before)
    """
    global _announcer
    previous = _announcer
    _announcer = _print_once if announcer is None else announcer
    return previous


def announce(kernel: str) -> None:
    """Say that a kernel is being compiled, here or in a process of ours."""
    _announcer(kernel)


class _CompileListener(event.Listener):
    """Hears every compilation in the process, the user's own included, and passes on ours."""

    def on_start(self, event: Any) -> None:
        kernel = _kernels.get(event.data["dispatcher"])
        if kernel is not None:
            _announcer(kernel)

    def on_end(self, event: Any) -> None:
        pass


event.register("numba:compile", _CompileListener())
