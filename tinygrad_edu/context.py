"""Where we are: is the tape on, who watches, inside which module, on which line of the user's program.

All of it is thread-local, so a thread that predicts under ``no_grad`` doesn't stop another that trains.
"""

import inspect
import linecache
import os
import sys
import threading
from collections.abc import Callable, Mapping
from contextlib import ContextDecorator
from pathlib import Path
from types import CodeType, FrameType, MappingProxyType, TracebackType
from typing import Any, NamedTuple, Self, TypeVar

from .errors import DTypeError

__all__ = [
    "Observer",
    "SourceLine",
    "Where",
    "context",
    "enable_grad",
    "is_grad_enabled",
    "no_grad",
    "source_line",
]

# A place in the user's program: a code object and an offset into its bytecode. Finding the line number
# takes a search, so that waits until somebody asks (see source_line).
Where = tuple[CodeType, int]

F = TypeVar("F", bound=Callable[..., Any])

_PACKAGE = str(Path(__file__).parent) + os.sep
_TUTORIALS = _PACKAGE + "tutorials" + os.sep  # they travel with the package, and are a user's program
_THEIRS: Any = object()
_anchors: dict[str, Any] = {}  # source files met so far: the anchor in ours, or None, or else _THEIRS


class _Context(threading.local):
    recording: bool = True
    before: tuple[bool, ...] = ()  # what recording was outside of each no_grad and enable_grad
    silenced: tuple[Any, ...] = ()  # the np.errstate of each detect_anomaly
    module: str = ""
    where: Where | None = None
    rule: Any = None  # the node whose gradient rule is running
    again: bool = False  # a checkpoint runs its function a second time: statistics have counted it already
    observers: "tuple[Observer, ...]" = ()
    modes: Mapping[int, bool] = MappingProxyType({})  # by id of the module: training or not
    run: object = None  # the outermost module's call: what layers add to the loss counts until the next
    trial: bool = False  # a module is tried out on zeros, for the shape of its result: that leaves no traces
    loading: int | None = None  # how many numbers layers that are built from a file may still have


context = _Context()


def anchor(function: F) -> F:
    """Mark a function of ours, one in a file, where the search for the user's line ends.

    It is ``context.where`` there, or in a gradient rule the line that recorded the rule's node.
    """
    _anchors[function.__code__.co_filename] = function.__code__
    return function


def is_ours(file: str) -> bool:
    """Tell whether a source file is the engine's, and not a user's program."""
    return file.startswith(_PACKAGE) and not file.startswith(_TUTORIALS)


def user_line(depth: int = 1) -> Where | None:
    """Find the innermost frame outside this package, from the caller's ``depth`` levels up.

    It runs at each recorded operation, so it walks as few frames as it can: a module's call and a
    gradient rule have looked the line up already (see ``anchor``).
    """
    frame: FrameType | None = sys._getframe(depth)
    while frame is not None:
        code = frame.f_code
        there = _anchors.get(code.co_filename)
        if there is _THEIRS:
            return code, frame.f_lasti
        if there is code:
            return context.where if context.rule is None else context.rule.where
        if there is None and code.co_filename not in _anchors:
            _anchors[code.co_filename] = None if is_ours(code.co_filename) else _THEIRS
            continue
        frame = frame.f_back
    return None


def current_module() -> str:
    """Return the path of the module that computes now, or whose operation's gradient rule runs."""
    return context.module if context.rule is None else context.rule.module


class SourceLine(NamedTuple):
    """A line of the user's program."""

    file: str
    line: int
    text: str

    def __str__(self) -> str:
        return f"{Path(self.file).name}:{self.line}"


def source_line(where: Where | None) -> SourceLine | None:
    """Turn the cheap record of a place into file, line number and text."""
    if where is None:
        return None
    code, offset = where
    # co_positions has an entry for each instruction, which is two bytes long.
    for index, (line, _, _, _) in enumerate(code.co_positions()):
        if index * 2 == offset and line is not None:
            return SourceLine(code.co_filename, line, linecache.getline(code.co_filename, line).strip())
    return SourceLine(code.co_filename, code.co_firstlineno, "")


class _Block(ContextDecorator):
    """Something that holds for a ``with`` block, or as a decorator for each call of a function."""

    def __call__(self, function: F) -> F:
        later = inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function)
        if later or inspect.iscoroutinefunction(function):
            kind, name = type(self).__name__, getattr(function, "__name__", repr(function))
            raise DTypeError(
                f"@{kind} can't decorate {name}, a {'generator' if later else 'coroutine'}: its body runs "
                f"after the call has returned, when {kind} has ended. Write `with {kind}():` inside it, "
                f"around what it computes and not around a {'yield' if later else 'await'}"
            )
        return super().__call__(function)


class _Recording(_Block):
    """Switch the tape on or off for a block (``with no_grad():``) or a function (``@no_grad()``)."""

    value: bool

    def __new__(cls, function: Callable[..., Any] | None = None) -> Any:
        self = super().__new__(cls)
        return self if function is None else self(function)  # `@no_grad` does as `@no_grad()`

    def __enter__(self) -> Self:
        context.before = (*context.before, context.recording)
        context.recording = self.value
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        *before, context.recording = context.before
        context.before = tuple(before)


class no_grad(_Recording):
    """Compute without recording: nothing made inside requires a gradient.

    >>> import tinygrad_edu as te
    >>> w = te.Tensor([1.0, 2.0], requires_grad=True)
    >>> with te.no_grad():
    ...     (w * 2).requires_grad
    False
    """

    value = False


class enable_grad(_Recording):
    """Record again inside a ``no_grad`` block."""

    value = True


class Observer(_Block):
    """Sees each operation and each gradient rule that runs in this thread, in a block or a function.

    Write some of the methods in a subclass; what they raise stops the computation. Several observers nest,
    and the outermost is told first. ``context.rule`` is the node whose rule is running at that moment, since
    under ``create_graph`` a rule's own operations are seen too; it is None outside of rules.

    >>> import tinygrad_edu as te
    >>> class Log(Observer):
    ...     def forward(self, fn, inputs, params, result, node):
    ...         print(fn.name, result.shape)
    ...     def backward(self, node, g, gradients):
    ...         print("backward of", node.fn.name)
    >>> x = te.Tensor([1.0, 2.0], requires_grad=True)
    >>> with Log():
    ...     (x * 2).sum().backward()
    multiply (2,)
    sum ()
    backward of sum
    backward of multiply
    """

    def __enter__(self) -> Self:
        context.observers = (*context.observers, self)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        context.observers = context.observers[:-1]

    def forward(
        self, fn: Any, inputs: tuple[Any, ...], params: dict[str, Any], result: Any, node: Any
    ) -> None:
        """See an operation's result: a Tensor, or a tuple of them. ``node`` is None if it isn't recorded."""

    def returned(self, node: Any, gradients: tuple[Any, ...]) -> None:
        """See what a rule returned, before it is summed over the axes that broadcasting had stretched.

        It comes before ``backward``, and isn't called under ``create_graph``.
        """

    def backward(self, node: Any, g: Any, gradients: tuple[Any, ...]) -> None:
        """See what a rule makes of the gradient ``g``: one for each input, None where none is wanted."""

    def total(self, leaf: Any, g: Any) -> None:
        """See the finished gradient of a leaf that several were added up to, before its hooks."""


def is_grad_enabled() -> bool:
    """Tell whether operations are being recorded in this thread.

    >>> with no_grad():
    ...     is_grad_enabled()
    False
    """
    return context.recording
