"""The walk backward, observed: whose turn it was, what arrived there, what the rule sent on."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from ..checkpointing import Checkpoint
from ..context import Observer, context
from ..function import Node, shape_of
from ..rules import checked, run_rule
from .record import Gradient, Numbers, Source

__all__ = ["Watch", "summed"]


class Watch(Observer):
    """Notes what the walk does: whose turn it is, what arrives there, what the rule sends on."""

    def __init__(self, starts: list[tuple[Any, Any]], keep: int | None) -> None:
        self.keep, self.rule = keep, context.rule
        self.turns: list[Node] = []
        self.shapes: dict[Node, list[tuple[int, ...] | None]] = {}  # of what the rules returned
        self.unsummed: dict[tuple[Node, int], Numbers] = {}  # and that itself, where it is to be summed
        self.sent: dict[Node, list[Numbers | None]] = {}
        self.slopes: dict[Node, list[float | None]] = {}  # of single numbers alone
        self.seen: dict[Node, Any] = {}  # the gradient that the rule was called with, or a dict of them
        self.parts: dict[tuple[int, int], list[tuple[Node, int] | None]] = {}  # by id() and which result
        self.sums: dict[tuple[int, int], Any] = {}  # the same of what has hooks, which may replace it
        for x, g in starts:
            self._arrive(x, 0, None, g)

    def _arrive(self, x: Any, result: int, source: tuple[Node, int] | None, g: Any) -> None:
        key = id(x), result
        self.parts.setdefault(key, []).append(source)
        if x.hooks:
            self.sums[key] = self.sums[key] + g if key in self.sums else np.array(g)

    def returned(self, node: Node, gradients: tuple[Any, ...]) -> None:
        if context.rule is self.rule:  # else it is a walk within a checkpoint's rule
            self.shapes[node] = [
                None if dx is None or isinstance(dx, dict) else np.shape(dx) for dx in gradients
            ]
            for i, (x, dx) in enumerate(zip(node.inputs, gradients, strict=True)):
                if node.fn.broadcasts and summed(self.shapes[node][i], shape_of(x)):
                    self.unsummed[node, i] = Numbers.of(dx, self.keep)

    def backward(self, node: Node, g: Any, gradients: tuple[Any, ...]) -> None:
        if context.rule is not self.rule:
            return
        self.turns.append(node)
        several = {0: g} if not isinstance(g, dict) else g
        self.seen[node] = {i: Numbers.of(part, self.keep) for i, part in several.items()}
        sent: list[Numbers | None] = []
        for i, (x, dx) in enumerate(zip(node.inputs, gradients, strict=True)):
            result, part = next(iter(dx.items())) if isinstance(dx, dict) else (0, dx)
            sent.append(None if part is None else Numbers.of(part, self.keep))
            if part is not None:
                self._arrive(x, result, (node, i), part)
        self.sent[node] = sent
        found = [dx for dx in gradients if dx is not None]
        if node.fn is not Checkpoint and all(
            not isinstance(x, dict) and np.size(x) == 1 for x in (g, *found)
        ):
            slopes = checked(node, run_rule(node, np.ones(np.shape(g), g.dtype), None, False), None)
            context.rule = self.rule  # run_rule leaves its node there
            self.slopes[node] = [None if x is None else float(np.reshape(x, ())) for x in slopes]

    def gradient(self, x: Any, result: int, final: Numbers, ids: Mapping[Any, str]) -> Gradient:
        key = id(x), result
        total = final
        if key in self.sums:
            total = Numbers.of(self.sums[key], self.keep)
            if np.array_equal(total.array, final.array, equal_nan=True) and total.norm == final.norm:
                total = final
        parts = [None if part is None else Source(ids[id(part[0])], part[1]) for part in self.parts[key]]
        return Gradient(tuple(parts), total, final)


def summed(raw: tuple[int, ...] | None, shape: tuple[int, ...]) -> tuple[int, ...]:
    """Return the axes of a gradient that are summed to give it an input's shape: see ``unbroadcast``."""
    if raw is None or raw == shape:
        return ()
    lead = len(raw) - len(shape)
    return (*range(lead), *[lead + i for i, n in enumerate(shape) if n == 1 and raw[lead + i] != 1])
