"""What every workload is made of."""

from collections.abc import Mapping
from typing import Any, ClassVar, NamedTuple

import numpy as np

import tinygrad_edu as te

from ..harness import Job

Array = np.ndarray[Any, Any]


class Problem(NamedTuple):
    """What all engines are given: a batch, and the weights to start from, by path and in Keras' layouts."""

    data: tuple[Array, ...]
    weights: Mapping[str, Array]
    checking: bool = False  # nothing at random (dropout, samples), so that results can be compared


class Workload:
    """One network and its training step, written once for every engine.

    A subclass has ``data``, ``model`` and a method for each engine, by its name in ``peers.ENGINES``, that
    takes a Problem and returns a Job. An engine without a method is left out, for the reason in ``why_not``.
    """

    name: str
    title: str
    tolerance = 3e-5  # of the losses, relative: float32, summed in another order, after some steps
    check_steps = 4
    single = False  # one operation, not a network
    why_not: ClassVar[dict[str, str]] = {}

    def data(self) -> tuple[Array, ...]:
        raise NotImplementedError

    def model(self) -> Any:
        """Return our model, built."""
        raise NotImplementedError

    def problem(self) -> Problem:
        te.seed(0)
        return Problem(self.data(), self.model().state_dict())

    def runs_on(self, engine: str) -> bool:
        return hasattr(self, engine)

    def job(self, engine: str, problem: Problem) -> Job:
        return getattr(self, engine)(problem)  # type: ignore[no-any-return]

    def ours(self, problem: Problem) -> Job:
        raise NotImplementedError
