"""The record: plain data that whoever prints, draws or plays a gradient reads, and nobody changes."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from math import prod
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..context import SourceLine

__all__ = ["Gradient", "Input", "Leaf", "Numbers", "Source", "Step", "Trace"]


@dataclass(frozen=True, repr=False)
class Numbers:
    """An array as it was at the time: all of it, or a corner if it has more elements than ``keep``."""

    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    array: NDArray[Any]  # read-only; of a batch of images the first ones, of a matrix the upper left
    low: float  # the smallest and the largest of the finite elements, nan where there is none
    high: float
    mean: float
    norm: float  # the root of the sum of squares
    zeros: int  # how many are 0
    strange: int  # how many are nan or inf
    histogram: tuple[int, ...]  # how many are in each of 32 equal parts of low..high; () of a single number

    def __repr__(self) -> str:
        return f"<{self.dtype} {self.shape}: {self.low:.4g} to {self.high:.4g}>"

    @property
    def whole(self) -> bool:
        return self.array.shape == self.shape

    @property
    def size(self) -> int:
        return prod(self.shape)

    @classmethod
    def of(cls, x: Any, keep: int | None = None) -> "Numbers":
        x = np.asarray(x)
        low = high = mean = norm = float("nan")
        histogram: tuple[int, ...] = ()
        finite = x
        if x.dtype.kind == "f" and not (good := np.isfinite(x)).all():
            finite = x[good]
        if x.size == 1 and finite.size:  # graphs of single numbers have thousands of them
            low = high = mean = float(x.item())
            norm = abs(low)
        elif finite.size:
            with np.errstate(all="ignore"):  # the squares of large numbers may be infinite
                low, high = float(finite.min()), float(finite.max())
                mean = float(finite.mean(dtype=np.float64))
                norm = float(np.sqrt(np.square(finite, dtype=np.float64).sum()))
                span = high / 2 - low / 2  # by halves, as the largest float minus the smallest is infinite
                places = (finite.astype(np.float64) / 2 - low / 2) * (32 / span if span > 0 else 0.0)
                counts = np.bincount(np.clip(np.nan_to_num(places), 0, 31).astype(int).ravel(), minlength=32)
                histogram = tuple(counts.tolist())
        corner = tuple(slice(n) for n in _corner(x.shape, keep))
        array = np.array(x[corner], order="C")
        array.flags.writeable = False
        zeros, strange = int(x.size - np.count_nonzero(x)), int(x.size - finite.size)
        return cls(x.shape, x.dtype, array, low, high, mean, norm, zeros, strange, histogram)


def _corner(shape: tuple[int, ...], keep: int | None) -> list[int]:
    """Cut sides until there are at most ``keep`` elements: batch, then channels, then the longest."""
    sides = list(shape)
    if keep is None:
        return sides
    if len(sides) > 2:
        for axis in (0, -1):
            if prod(sides) > keep:
                sides[axis] = max(1, keep * sides[axis] // prod(sides))
    while prod(sides) > keep:
        longest = sides.index(max(sides))
        sides[longest] = (sides[longest] + 1) // 2
    return sides


class Source(NamedTuple):
    """Where a part of a gradient came from: the rule of a step, as its gradient for one of the inputs."""

    step: str  # the step's id
    position: int  # 0 for its first input


@dataclass(frozen=True)
class Gradient:
    """The gradient of a result or a leaf. Ways that split forward meet here, and what they bring is added."""

    parts: tuple[Source | None, ...]  # in the order of arrival; None is what the walk began with, dL/dL
    total: Numbers  # their sum
    final: Numbers  # what went on from here: the sum, unless a hook replaced it

    @property
    def hooked(self) -> bool:
        return self.final is not self.total


@dataclass(frozen=True)
class Leaf:
    """What no operation made: a parameter, an input, a constant, a plain number."""

    id: str  # "n0", "n1" …, as the box in the picture of the graph
    kind: Literal["parameter", "input", "number"]
    name: str  # the tensor's own, or the variable's that holds it, or ""
    value: Numbers
    gradient: Gradient | None  # of a parameter; what one backward pass adds to its .grad
    key: int  # id() of the tensor, array or number, by which it is known while it lives


@dataclass(frozen=True)
class Input:
    """One input of a step. Its value is the source's; its gradient is what the step's rule sent back."""

    name: str  # as the operation calls it: x1
    source: str  # id of a Step or a Leaf
    result: int  # which of the source's results it takes
    gradient: Numbers | None  # of the input's shape; None where no gradient is wanted, or none was given
    raw_shape: tuple[int, ...] | None  # of the gradient as the rule returned it
    raw: Numbers | None  # that gradient, where it was summed
    summed_axes: tuple[int, ...]  # its axes along which the input had been stretched, so that it was summed
    slope: float | None  # where all are single numbers: what the rule would send for an arriving 1


@dataclass(frozen=True)
class Step:
    """One operation: what went in, what came out, and what its rule did with the gradient."""

    id: str
    order: int  # of its Node
    operation: str
    formula: str  # LaTeX, as are the derivatives
    derivative: str
    words: str
    name: str  # of the variable that holds the result, or ""
    module: str  # "encoder/dense", or ""
    line: SourceLine | None
    params: Mapping[str, Any]  # arrays among them as Numbers
    inputs: tuple[Input, ...]
    values: tuple[Numbers, ...]  # the result; most operations have one
    saved: tuple[str, ...]  # what was kept for the rule, by the names that the rule uses
    gradients: tuple[Gradient | None, ...]  # of each result; None where no gradient arrived
    broadcasts: bool

    @property
    def several(self) -> bool:
        """Whether the operation has several results."""
        return len(self.values) != 1

    @property
    def value(self) -> Numbers:
        return self.values[0]

    @property
    def gradient(self) -> Gradient | None:
        return self.gradients[0]


@dataclass(frozen=True)
class Trace:
    """One forward and one backward pass; see :func:`trace_gradient`.

    Attributes
    ----------
    steps : tuple of Step
        The operations in the order in which they ran.
    leaves : tuple of Leaf
        What went into them, in the order of first use.
    backward : tuple of str
        The ids of the steps in the order in which their rules ran.
    outputs : tuple of str
        The ids of what was differentiated. ``trace[id]`` is the step or the leaf.
    """

    steps: tuple[Step, ...]
    leaves: tuple[Leaf, ...]
    backward: tuple[str, ...]
    outputs: tuple[str, ...]

    @cached_property
    def _by_id(self) -> dict[str, Step | Leaf]:
        things: tuple[Step | Leaf, ...] = (*self.steps, *self.leaves)
        return {x.id: x for x in things}

    def __getitem__(self, id: str) -> Step | Leaf:
        return self._by_id[id]

    def __repr__(self) -> str:
        return f"<Trace of {len(self.steps)} operations and {len(self.leaves)} leaves>"

    def value(self, x: Input) -> Numbers:
        """Return the value of a step's input."""
        source = self[x.source]
        return source.value if isinstance(source, Leaf) else source.values[x.result]

    def walked(self) -> Iterator[Step]:
        """Yield the steps in the order in which their rules ran."""
        for id in self.backward:
            step = self[id]
            assert isinstance(step, Step)
            yield step

    def part(self, source: Source) -> Numbers:
        """Return what a rule contributed to a gradient."""
        step = self[source.step]
        assert isinstance(step, Step)
        sent = step.inputs[source.position].gradient
        assert sent is not None
        return sent
