"""Checkpoint: forget what the rules saved, and compute it again when the gradient needs it.

A network of n layers in √n checkpointed segments keeps √n inputs and the inside of one segment at a time,
for the price of a second forward pass (Chen et al., *Training Deep Nets with Sublinear Memory Cost*, 2016).
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from .autograd import walk
from .context import context, enable_grad, user_line
from .errors import DTypeError, GradientError
from .function import Function, Node, now, part_of
from .random import default_generator
from .rules import inside, place
from .tensor import Tensor, wrap

__all__ = ["checkpoint"]


def checkpoint(function: Callable[..., Any], *inputs: Any) -> Any:
    """Return ``function(*inputs)`` without keeping what its rules save; the backward pass runs it again.

    Results and gradients of any order are those of the plain call, also for what the function closes over,
    parameters or computed tensors. The second run finds the default generator and the modules' modes as they
    were, so dropout draws the same masks. It returns a Tensor or a tuple of Tensors, of any shapes and
    dtypes. Raises GradientError in the backward pass if a parameter has been changed in place since, or if
    the second run computes something else; and DTypeError if the function returns something else than
    Tensors.

    >>> import tinygrad_edu as te
    >>> x = te.Tensor([1.0, 2.0], requires_grad=True)
    >>> y = checkpoint(lambda x: te.exp(te.sin(x)), x)
    >>> y.sum().backward()
    >>> x.grad
    Tensor([ 1.25338, -1.03312])
    """
    if not context.recording:
        return function(*inputs)
    segment = _Segment(function, inputs)
    results, single = segment.run()
    segment.sources = segment.reached(results)
    segment.sums = [_sums(y.data) for y in results]
    tracked = [y for y in results if y.requires_grad]
    if not tracked:
        return results[0] if single else results
    node = Node()
    node.fn, node.params, node.saved = Checkpoint, {}, (segment,)
    node.inputs = tuple(segment.sources.values())
    node.module, node.where, node.order, node.hooks = context.module, user_line(), now(), None
    node.dtype = tracked[0].dtype
    if single:
        node.shape = results[0].shape
        return wrap(results[0].data, node)
    node.shape = tuple([y.shape for y in results])
    parts = [part_of(node, i, y) if y.requires_grad else None for i, y in enumerate(results)]
    return tuple([wrap(y.data, part) for y, part in zip(results, parts, strict=True)])


class Checkpoint(Function):
    """The operation on the tape: its inputs are all that a gradient leaves the segment through."""

    name = "checkpoint"
    words = "Runs a function without keeping what its rules need, and runs it again when they need it."
    differentiable = True
    _plan = (("extra", 0), ("needs", None))  # there is no forward to read it from: checkpoint() is that
    _needs_at = 1

    @staticmethod
    def backward(g: Any, segment: "_Segment", needs: tuple[bool, ...]) -> Any:
        return segment.gradients(g if isinstance(g, tuple) else (g,), needs)


class _Segment:
    """A function and its inputs, with what it takes to run it a second time as it ran the first."""

    sources: dict[int, Any]  # leaves and older nodes that the results were computed from
    sums: list[Any]

    def __init__(self, function: Callable[..., Any], inputs: tuple[Any, ...]) -> None:
        self.function, self.inputs = function, inputs
        self.began = now()
        self.random = default_generator().bit_generator.state
        self.modes = _Noted(context.modes)

    def run(self) -> tuple[tuple[Tensor, ...], bool]:
        """Return the results, and whether it is one rather than a tuple."""
        before = context.modes, context.rule
        context.modes, context.rule = self.modes, None
        try:
            with enable_grad():
                result = self.function(*self.inputs)
        finally:
            context.modes, context.rule = before
        single = not isinstance(result, tuple | list)
        results = (result,) if single else tuple(result)
        for y in results:
            if not isinstance(y, Tensor):
                raise DTypeError(f"checkpoint: the function must return Tensors, not {type(y).__name__}")
        return results, single

    def run_again(self, node: Node) -> tuple[Tensor, ...]:
        """Run it with the same random numbers, and see that it did the same."""
        generator = default_generator().bit_generator
        before = generator.state, context.again
        # Leaves that are frozen by now (a transform's input is) must be recorded as they were at first.
        frozen = [x for x in self.sources.values() if isinstance(x, Tensor) and not x.requires_grad]
        generator.state, context.again = self.random, True
        try:
            for x in frozen:
                x.requires_grad = True
            with inside(node):
                results, _ = self.run()
            missing = self.sources.keys() - self.reached(results).keys()
        finally:
            generator.state, context.again = before
            for x in frozen:
                x.requires_grad = False
        same = len(results) == len(self.sums) and all(
            _alike(_sums(y.data), sums) for y, sums in zip(results, self.sums, strict=True)
        )
        if not same or missing:
            raise GradientError(
                f"checkpoint{place(node)}: the function did something else when it ran again for the "
                "gradient. What it closes over must stay: in a loop write lambda x, layer=layer: …; "
                "don't change arrays in place; let dropout draw from the default generator (no seed of its "
                "own); build layers before, by calling them once"
            )
        return results

    def reached(self, results: tuple[Tensor, ...]) -> dict[int, Any]:
        """Return, by id, what the results were computed from: leaves, and nodes older than this run."""
        stack: list[Any] = [y if y.node is None else y.node for y in results]
        seen: set[int] = set()
        sources: dict[int, Any] = {}
        while stack:
            x = stack.pop()
            if isinstance(x, Node) and x.order > self.began:
                if x.order not in seen:
                    seen.add(x.order)
                    stack.extend(x.inputs)
            elif isinstance(x, Node) or (isinstance(x, Tensor) and x.requires_grad):
                sources[id(x)] = x
        return sources

    def gradients(self, g: tuple[Any, ...], needs: tuple[bool, ...]) -> tuple[Any, ...]:
        """Run it again, recorded, and walk back from the results to the sources."""
        node = context.rule
        assert node is not None
        for x in self.sources.values():
            if isinstance(x, Tensor) and x.changed > node.order:
                raise GradientError(
                    f"checkpoint{place(node)}: {x.name or 'a leaf'} {x.shape} was changed in place, so "
                    "running the function again would give something else. Call backward() before "
                    "optimizer.step(), and compute the loss again after it"
                )
        create_graph = context.recording
        starts = []
        for y, u in zip(self.run_again(node), g, strict=True):
            if y.requires_grad:
                if create_graph and not isinstance(u, Tensor):  # zeros for a result that nobody used
                    u = wrap(u, None)
                u = u if u.dtype == y.dtype else u.astype(y.dtype)
                starts.append((y if y.node is None else y.node, u))
        targets = {key for key, need in zip(self.sources, needs, strict=True) if need}
        found = walk(
            starts,
            create_graph=create_graph,
            retain=create_graph,
            targets=targets,
            ends=frozenset(self.sources),
        )
        return tuple([found[key][1] if key in found else None for key in self.sources])


class _Noted(dict[int, bool]):
    """The modes of modules, as ``context.modes``, which remembers what each was told when it asked."""

    def get(self, key: int, default: Any = None) -> Any:
        return self.setdefault(key, default)


def _sums(y: Any) -> Any:
    """Return numbers that tell results apart which differ by more than rounding.

    The sum of the elements that are finite, of their sizes, and how many are not.
    """
    finite = np.isfinite(y)
    if not finite.all():
        y = y[finite]
    with np.errstate(over="ignore", invalid="ignore"):
        return y.sum(dtype=np.float64), np.abs(y).sum(dtype=np.float64), finite.size - y.size


def _alike(sums: Any, before: Any) -> bool:
    margin = 1e-4 * before[1]
    return sums[2] == before[2] and np.allclose(sums[:2], before[:2], rtol=0, atol=margin, equal_nan=True)
