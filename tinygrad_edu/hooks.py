"""Hooks: functions that see a tensor's gradient on its way, and may replace it.

A hook on a result is kept by the node that made it, a hook on a leaf by the leaf. The walk calls it when the
gradient is complete: everything that flows into it has arrived and been added up.
"""

from collections.abc import Callable
from typing import Any, Self

import numpy as np

from .errors import GradientError
from .function import Node, Part
from .tensor import Tensor, wrap

__all__ = ["Hook"]


class Hook:
    """What ``register_hook`` returns: call ``remove()``, or use it in a ``with`` block that removes it."""

    __slots__ = ("_entry", "_others")

    def __init__(self, entry: "_Entry", others: "list[_Entry]") -> None:
        self._entry, self._others = entry, others
        others.append(entry)

    def remove(self) -> None:
        """Call the function no more; a second time does nothing."""
        if self._entry in self._others:
            self._others.remove(self._entry)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.remove()


class _Entry:
    """What the holder keeps: not the handle, which holds its list and would be a cycle of references."""

    __slots__ = ("function", "index")

    def __init__(self, function: Callable[[Tensor], Tensor | None], index: int | None) -> None:
        self.function, self.index = function, index  # index: which result, where an operation has several


def register(x: Tensor, function: Callable[[Tensor], Tensor | None]) -> Hook:
    """Put a hook where the walk will find it; see :meth:`Tensor.register_hook`."""
    if not x.requires_grad:
        raise GradientError(
            f"register_hook: {x!r} doesn't require a gradient, so the hook would never be called; make "
            "it with requires_grad=True, or compute it from such a tensor outside of no_grad()"
        )
    if not callable(function):
        raise GradientError(f"register_hook: expected a function of the gradient, got {function!r}")
    index = None
    holder: Tensor | Node = x
    if x.node is not None:
        holder = x.node
        if holder.fn is Part:
            index, holder = holder.params["index"], holder.inputs[0]
    others: list[_Entry] | None = getattr(holder, "hooks", None)  # most leaves never get any
    if others is None:
        others = holder.hooks = []
    return Hook(_Entry(function, index), others)


def apply_hooks(hooks: list[_Entry], g: Any, create_graph: bool) -> Any:
    """Pass a complete gradient through hooks; ``g`` is a dict where an operation has several results."""
    for hook in list(hooks):
        if hook.index is None:
            g = _call(hook, g, create_graph)
        elif hook.index in g:
            g = {**g, hook.index: _call(hook, g[hook.index], create_graph)}
    return g


def _call(hook: _Entry, g: Any, create_graph: bool) -> Any:
    if isinstance(g, Tensor):
        seen = g
    else:
        array = g.copy()  # the hook may keep it, while the walk goes on with the same memory
        array.flags.writeable = False
        seen = wrap(array, None)
    new = hook.function(seen)  # recorded if the walk is
    if new is None:
        return g
    name = getattr(hook.function, "__name__", repr(hook.function))
    if not isinstance(new, Tensor):
        raise GradientError(
            f"register_hook: {name} returned {type(new).__name__}; return a Tensor to replace the gradient, "
            "or None to leave it"
        )
    if new.shape != g.shape or new.dtype != g.dtype:
        raise GradientError(
            f"register_hook: {name} returned a gradient {new.shape} {new.dtype} in place of one that is "
            f"{g.shape} {g.dtype}; they must be equal"
        )
    return new if create_graph else np.array(new.data)
