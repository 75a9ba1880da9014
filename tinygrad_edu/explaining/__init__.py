"""Explain a loss: each operation forward, each rule backward, with its formula and the actual numbers."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..errors import ArgumentError
from ..tensor import Tensor
from ..tracing import Step, Trace, trace_gradient
from . import writing
from .content import Section
from .formulas import unicode_math
from .story import sections_of

__all__ = ["Explanation", "explain", "unicode_math"]


@dataclass(frozen=True, repr=False)
class Explanation:
    """What :func:`explain` returns: print it, or let a notebook show it.

    Attributes
    ----------
    trace : Trace
        The record that it tells of, with all numbers.
    sections : tuple of Section
        Its text as data.
    """

    trace: Trace
    sections: tuple[Section, ...]

    def __str__(self) -> str:
        return writing.plain(self.sections)

    __repr__ = __str__

    def __rich__(self) -> Any:
        return writing.rich_text(self.sections)

    def _repr_markdown_(self) -> str:
        return writing.markdown(self.sections)

    def show(self) -> None:
        """Print it: on a terminal in its width and its colours, elsewhere as ``str`` writes it."""
        from rich.console import Console

        console = Console(highlight=False, emoji=False)
        if console.is_terminal:
            console.print(self.__rich__())
        else:
            print(self)

    def latex(self) -> str:
        """Return it in LaTeX, for the body of a document that uses amsmath."""
        return writing.latex(self.sections)


def explain(
    outputs: Tensor | Sequence[Tensor],
    gradients: Any = None,
    *,
    around: Any = None,
    limit: int | None = 16,
    names: Mapping[str, Any] | None = None,
) -> Explanation:
    """Tell how a loss came about and how its gradient goes back: every operation, with its numbers.

    For each operation in forward order its formula, the line and the module that it ran in, its result and
    what it keeps; then backward the gradient that arrives, the rule, what it sends to each input, the axes
    that are summed because of broadcasting, and where several gradients meet and are added. Where all are
    single numbers, the chain rule is written out. Nothing is changed: no ``.grad``, and ``backward`` still
    works.

    Parameters
    ----------
    outputs, gradients
        As for :func:`backward`: a loss of shape ``()`` and float dtype, usually. Call it before ``backward``,
        which frees the graph.
    around
        Tell of a part: a tensor (the operations that made and used it), a module, or its path ("net/dense").
    limit
        The most operations to tell of; of more, those at both ends. None tells of all.
    names
        What to call tensors without a name: a dict of variables. By default those of the calling function.

    Raises
    ------
    GradientError
        As :func:`trace_gradient` does: if nothing was recorded, or if the graph was freed.
    ArgumentError
        If ``limit`` is below 2, or nothing is found that ``around`` asks for.

    Examples
    --------
    >>> import tinygrad_edu as te
    >>> a = te.Tensor(2.0, requires_grad=True)
    >>> print(te.explain((a * 3.0) ** 2))  # doctest: +ELLIPSIS
    Where loss comes from, and how its gradient goes back
    ...
    ∂loss/∂a
         symbols  ∂loss/∂v1 · ∂v1/∂a
         numbers  12 · 3
         result   36
    """
    if limit is not None and limit < 2:
        raise ArgumentError(f"explain: limit must be at least 2 operations, or None for all, got {limit}")
    trace = trace_gradient(outputs, gradients, keep=_KEEP, names=names)
    steps = list(trace.steps) if around is None else _around(trace, around)
    remark = "" if around is None else f"Told is a part of them: {len(steps)}. "
    if limit is not None and len(steps) > limit:
        left = steps[(limit + 1) // 2 : len(steps) - limit // 2]
        counts = [f"{n} {name}" for name, n in Counter(s.operation for s in left).most_common(5)]
        steps = steps[: (limit + 1) // 2] + steps[len(steps) - limit // 2 :]
        remark += (
            f"To keep it readable, {len(left)} operations in the middle are left out ({', '.join(counts)}"
            f"{' …' if len(counts) == 5 else ''}). Ask for all (limit=None, --all) or for those near a "
            "tensor or in a module (around=, --around)."
        )
    return Explanation(trace, sections_of(trace, {step.id for step in steps}, remark.strip()))


_KEEP = 1024  # numbers of each array: an explanation shows fewer


def _around(trace: Trace, what: Any) -> list[Step]:
    """Return the steps that a tensor, a module or a module's path asks for."""
    if isinstance(what, Tensor):
        if what.node is None:
            ids = {x.id for x in trace.leaves if x.key == id(what)}
        else:
            ids = {s.id for s in trace.steps if s.order == what.node.order}
        found = [s for s in trace.steps if s.id in ids or any(x.source in ids for x in s.inputs)]
        if not found:
            raise ArgumentError(f"explain: {what!r} is no part of what was computed")
        return found
    path = what if isinstance(what, str) else getattr(what, "name", None)
    if not isinstance(path, str):
        raise ArgumentError(f"explain: around must be a tensor, a module or its path, got {what!r}")
    found = [s for s in trace.steps if f"/{path.strip('/')}/" in f"/{s.module}/"]
    if not found:
        known = sorted({s.module for s in trace.steps if s.module})
        raise ArgumentError(
            f"explain: no operation ran in a module '{path}'. There are: {', '.join(known) or 'no modules'}"
        )
    return found
